//! Watchers of one range and one token share an upstream watcher.
//!
//! Every watcher begins with a feed of its own: so the member checks who asks, tells from which revision on, and sends
//! what has passed. A feed that has caught up with another one of the same subject gives its ears to it and ends. Always
//! holds: a feed has delivered everything below its `next`; an ear hears each revision once, whole and in order, since
//! it drops what is below its own `next`, and only goes to feeds that are not ahead of it.

mod ear;
mod feed;
mod hub;
mod stream;
mod subject;
mod talk;
mod upstream;

pub use hub::Hub;
pub use stream::WatchProxy;
