//! What can be asked for.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};

use crate::network::NODES_MAX;

#[derive(Debug, Parser)]
#[command(about = "A real Kubernetes on this machine, in namespaces of its own")]
pub struct Args {
    /// Where everything is kept: data, logs, certificates, pids.
    #[arg(
        long,
        global = true,
        env = "TAFFRAIL_KUBERNETES",
        default_value = "/tmp/taffrail-kubernetes"
    )]
    pub state: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Starts a cluster, and returns when its nodes and its name server are ready.
    Up(Wishes),
    /// Ends everything. Data stay, so that `up` finds them again.
    Down {
        /// Deletes the data too.
        #[arg(long)]
        wipe: bool,
    },
    /// Imports docker-archives on every node.
    Load {
        #[arg(required = true)]
        archives: Vec<PathBuf>,
    },
    /// Starts a component or a node that was stopped: apiserver, kubelet.node1, node2...
    Start { name: String },
    /// Stops a component by a signal, or kills a node whole, as if its power were cut.
    Stop {
        name: String,
        #[arg(default_value = "TERM")]
        signal: String,
    },
    /// kubectl as cluster-admin.
    #[command(disable_help_flag = true)]
    Kubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Runs a command where the API server, pods and services can be reached, with KUBECONFIG and PATH set.
    #[command(disable_help_flag = true)]
    Run {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<String>,
    },
    /// Runs a command on a node, in its namespaces: `on node2 iptables -S`.
    #[command(disable_help_flag = true)]
    On {
        node: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<String>,
    },
    /// Makes, grows and deletes volumes; a component of a cluster that is up.
    #[command(hide = true)]
    Provision,
    /// The part of `up` that runs within the cluster's namespaces.
    #[command(hide = true)]
    Inside,
}

/// What kind of cluster.
#[derive(Debug, Clone, clap::Args, Serialize, Deserialize)]
pub struct Wishes {
    /// The etcd-compatible member below the API server.
    #[arg(long, default_value = "target/debug/taffrail")]
    pub datastore: PathBuf,
    /// Members of the datastore.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub members: u8,
    /// Nodes that run pods.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(NODES_MAX)))]
    pub nodes: u8,
    /// The programs that e2e/tools/build makes.
    #[arg(long, env = "TAFFRAIL_TOOLS", default_value = "target/tools/bin")]
    pub tools: PathBuf,
    /// Docker-archives that every node gets; pause.tar and coredns.tar must be among them.
    #[arg(long, default_value = "target/images")]
    pub images: PathBuf,
    /// Only the datastore and the API server.
    #[arg(long)]
    pub only_api: bool,
}
