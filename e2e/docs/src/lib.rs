//! What the pages for people say, taken at its word: commands, manifests and links.
//!
//! Enters: the repository's Markdown. Leaves: what a test can try. Nothing is run here.

mod commands;
mod links;
mod manifests;
mod pages;

pub use commands::{Command, commands};
pub use links::{Link, anchor, links};
pub use manifests::{Manifest, manifests};
pub use pages::{Block, Page, pages, root};
