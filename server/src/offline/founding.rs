//! The cluster that a member made of other data founds: the same flags and rules as at a first start.

use anyhow::Result;
use clap::Args;

use crate::args::Settings;
use crate::config::{Bootstrap, Seat};

#[derive(Args)]
pub struct Founding {
    /// Name of the member
    #[arg(long, default_value = "default")]
    pub name: String,
    /// NAME=URL pairs of the new cluster
    #[arg(long, default_value = "")]
    pub initial_cluster: String,
    /// Tells clusters apart that have the same URLs
    #[arg(long, default_value = "etcd-cluster")]
    pub initial_cluster_token: String,
    /// This member's peer URLs
    #[arg(long, default_value = "http://localhost:2380")]
    pub initial_advertise_peer_urls: String,
}

impl Founding {
    /// # Errors
    /// If the flags contradict each other.
    pub fn seat(&self) -> Result<Seat> {
        let words = [
            ("name", &self.name),
            ("initial-cluster", &self.initial_cluster),
            ("initial-cluster-token", &self.initial_cluster_token),
            ("initial-advertise-peer-urls", &self.initial_advertise_peer_urls),
        ];
        let words = words.iter().map(|(name, value)| format!("--{name}={value}"));
        Bootstrap::new(&Settings::read(words, std::iter::empty())?, &self.name)?.found()
    }

    /// What `etcdutl` needs to be told to found the same cluster.
    pub fn etcdutl_flags(&self) -> String {
        let Founding {
            name,
            initial_cluster,
            initial_cluster_token,
            initial_advertise_peer_urls: urls,
        } = self;
        let own = || format!("{name}={}", urls.replace(',', &format!(",{name}=")));
        let cluster = Some(initial_cluster.clone()).filter(|given| !given.is_empty());
        format!(
            "--name {name} --initial-cluster {} --initial-cluster-token {initial_cluster_token} \
             --initial-advertise-peer-urls {urls}",
            cluster.unwrap_or_else(own)
        )
    }
}
