//! The Kubernetes API of Taffrail: `etcd.taffrail.dev/v1alpha1`.
//!
//! Every kind is a Rust type here and a YAML file beside it that is generated from the type. What can be said to be
//! wrong without looking at the cluster is refused by the API server: by bounds, patterns and CEL rules in the schema.

// A printer column repeats the word that begins every other.
#![allow(clippy::duplicated_attributes)]

mod access;
mod backup;
mod bootstrap;
mod cluster;
mod condition;
mod defragmentation;
mod generate;
mod labels;
mod member;
mod pod;
mod quantity;
mod reference;
mod status;
mod storage;
mod target;
mod tls;

pub use access::*;
pub use backup::*;
pub use bootstrap::*;
pub use cluster::*;
pub use condition::{ConditionType, condition};
pub use defragmentation::*;
pub use generate::{KINDS, Kind, yaml_of};
pub use labels::*;
pub use member::*;
pub use pod::*;
pub use quantity::{bytes_of, is_quantity};
pub use reference::reference;
pub use status::*;
pub use storage::*;
pub use target::*;
pub use tls::*;

/// The API group of every kind here.
pub const GROUP: &str = "etcd.taffrail.dev";
/// The version of the API that is stored.
pub const VERSION: &str = "v1alpha1";
/// etcd's version whose behaviour members show when nothing else is asked for.
pub const DEFAULT_ETCD_VERSION: &str = "3.6.14";
