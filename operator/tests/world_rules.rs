//! The world of the tests follows the rules of Kubernetes and of etcd, or what is shown in it means nothing.

mod world;
