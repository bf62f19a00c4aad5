//! How a member without data becomes one of a new cluster.
//!
//! What the flags say is looked at only then: a member with data knows who it is and ignores them, as etcd does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, bail, ensure};

use taffrail_consensus::Peer;
use taffrail_member::{cluster_id, member_id};

use super::listen::advertised;
use super::url::Url;
use crate::args::Settings;

/// What the flags say about the first members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    pub name: String,
    /// This member's peer URLs, as it tells them to others.
    pub peer_urls: Vec<String>,
    /// The cluster is there already.
    pub joining: bool,
    initial_cluster: String,
    token: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstMember {
    pub id: u64,
    pub name: String,
    pub peer_urls: Vec<String>,
}

/// Which member of which cluster this one is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    pub member_id: u64,
    pub cluster_id: u64,
    /// The first membership of a new cluster; empty where the cluster is there already.
    pub founders: Vec<FirstMember>,
}

impl Seat {
    /// The first membership as consensus takes it.
    pub fn peers(&self) -> BTreeMap<u64, Peer> {
        let peer = |member: &FirstMember| Peer {
            peer_urls: member.peer_urls.clone(),
            learner: false,
        };
        self.founders.iter().map(|member| (member.id, peer(member))).collect()
    }
}

impl Bootstrap {
    pub fn new(settings: &Settings, name: &str) -> Result<Self> {
        let joining = match settings.get("initial-cluster-state") {
            "new" => false,
            "existing" => true,
            other => bail!("unexpected clusterState {other:?}: it is \"new\" or \"existing\""),
        };
        Ok(Bootstrap {
            name: name.to_owned(),
            peer_urls: advertised(settings, "initial-advertise-peer-urls")?,
            joining,
            initial_cluster: settings.get("initial-cluster").to_owned(),
            token: settings.get("initial-cluster-token").to_owned(),
        })
    }

    /// The same in a cluster that tells itself apart by `token`.
    pub fn with_token(&self, token: &str) -> Self {
        Bootstrap {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same with the first members named: `name=url` pairs.
    pub fn with_members(&self, initial_cluster: String) -> Self {
        Bootstrap {
            initial_cluster,
            ..self.clone()
        }
    }

    /// This member as one of the first: `name=url` pairs.
    pub fn own_pairs(&self) -> String {
        let mut urls = self.peer_urls.clone();
        urls.sort();
        let pairs: Vec<String> = urls.iter().map(|url| format!("{}={url}", self.name)).collect();
        pairs.join(",")
    }

    /// The seat in a new cluster, which every founder computes alike.
    ///
    /// # Errors
    /// etcd's own words (config.go, VerifyBootstrap) if the flags contradict each other.
    pub fn found(&self) -> Result<Seat> {
        let members = self.members()?;
        let mine = self.find_self(&members)?;
        self.check_advertised(&mine.peer_urls)?;
        self.check_duplicates(&members)?;
        Ok(Seat {
            member_id: mine.id,
            cluster_id: cluster_id(members.iter().map(|member| member.id)),
            founders: members,
        })
    }

    /// Who can tell about the cluster: the peer URLs of every other member that was named.
    pub fn others(&self) -> Result<Vec<String>> {
        let members = self.members()?;
        let mut urls: Vec<String> = members
            .into_iter()
            .filter(|member| member.name != self.name)
            .flat_map(|member| member.peer_urls)
            .collect();
        urls.sort();
        Ok(urls)
    }

    /// Who is named, in order of the names.
    pub(super) fn members(&self) -> Result<Vec<FirstMember>> {
        let mut urls: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        if self.initial_cluster.is_empty() {
            urls.insert(&self.name, self.peer_urls.clone());
        }
        for pair in self.initial_cluster.split(',').filter(|pair| !pair.is_empty()) {
            let (name, url) = pair
                .split_once('=')
                .with_context(|| format!("--initial-cluster: {pair:?} is not NAME=URL"))?;
            Url::parse(url.trim()).context("--initial-cluster")?;
            urls.entry(name).or_default().push(url.trim().to_owned());
        }
        Ok(urls.into_iter().map(|(name, urls)| self.member(name, urls)).collect())
    }

    fn member(&self, name: &str, mut peer_urls: Vec<String>) -> FirstMember {
        peer_urls.sort();
        FirstMember {
            id: member_id(&peer_urls, &self.token),
            name: name.to_owned(),
            peer_urls,
        }
    }

    pub(super) fn find_self<'a>(&self, members: &'a [FirstMember]) -> Result<&'a FirstMember> {
        let name = &self.name;
        let mine = members.iter().find(|member| member.name == *name);
        mine.with_context(|| format!("couldn't find local name {name:?} in the initial cluster configuration"))
    }

    pub(super) fn check_duplicates(&self, members: &[FirstMember]) -> Result<()> {
        let mut seen = BTreeSet::new();
        let unique = members
            .iter()
            .flat_map(|member| &member.peer_urls)
            .all(|url| seen.insert(url));
        ensure!(unique, "initial cluster {} has duplicate url", self.initial_cluster);
        Ok(())
    }

    fn check_advertised(&self, named: &[String]) -> Result<()> {
        if same_addresses(named, &self.peer_urls) {
            return Ok(());
        }
        let of_self = |urls: &[String]| {
            let pairs: Vec<String> = urls.iter().map(|url| format!("{}={url}", self.name)).collect();
            pairs.join(",")
        };
        let missing = lacking(&self.peer_urls, named);
        ensure!(
            missing.is_empty(),
            "--initial-cluster has {} but missing from --initial-advertise-peer-urls={}",
            of_self(&missing),
            self.peer_urls.join(",")
        );
        let missing = lacking(named, &self.peer_urls);
        bail!(
            "--initial-advertise-peer-urls has {} but missing from --initial-cluster={}",
            missing.join(","),
            of_self(&self.peer_urls)
        )
    }
}

/// What `urls` has and `known` has not.
fn lacking(known: &[String], urls: &[String]) -> Vec<String> {
    urls.iter().filter(|url| !known.contains(url)).cloned().collect()
}

/// Whether both mean the same places: by their text, or else by the addresses that their hosts have.
pub(super) fn same_addresses(a: &[String], b: &[String]) -> bool {
    let sorted = |urls: &[String]| -> BTreeSet<String> { urls.iter().cloned().collect() };
    if a.len() != b.len() {
        return false;
    }
    sorted(a) == sorted(b) || matches!((addresses(a), addresses(b)), (Some(a), Some(b)) if a == b)
}

fn addresses(urls: &[String]) -> Option<BTreeSet<(bool, SocketAddr)>> {
    let mut all = BTreeSet::new();
    for url in urls {
        let Url::Tcp { secure, port, .. } = Url::parse(url).ok()? else {
            return None;
        };
        let found = (Url::parse(url).ok()?.host()?, port).to_socket_addrs().ok()?;
        all.extend(found.map(|address| (secure, address)));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::config) fn bootstrap(words: &[&str]) -> Bootstrap {
        let settings = Settings::read(words.iter().map(|word| (*word).to_owned()), std::iter::empty()).expect("flags");
        let name = settings.get("name").to_owned();
        Bootstrap::new(&settings, &name).expect("valid")
    }

    fn refusal(words: &[&str]) -> String {
        format!("{:#}", bootstrap(words).found().expect_err("refused"))
    }

    const THREE: &str =
        "--initial-cluster=m1=http://127.0.0.1:31380,m2=http://127.0.0.1:32380,m3=http://127.0.0.1:33380";

    #[test]
    fn ids_are_those_that_etcd_computes() {
        let seat = bootstrap(&[]).found().expect("valid");
        // What etcd 3.6 logs when it is started without flags.
        assert_eq!(format!("{:x}", seat.member_id), "8e9e05c52164694d");
        assert_eq!(format!("{:x}", seat.cluster_id), "cdf818194e3a8c32");
    }

    #[test]
    fn three_founders_compute_what_etcd_does() {
        let own = "--initial-advertise-peer-urls=http://127.0.0.1:32380";
        let seat = bootstrap(&["--name=m2", THREE, own, "--initial-cluster-token=tok"]);
        let seat = seat.found().expect("valid");
        let ids: Vec<String> = seat.founders.iter().map(|member| format!("{:x}", member.id)).collect();
        // Taken from the logs of three members of etcd 3.6.14 with these flags.
        assert_eq!(ids, ["f97e86855c631539", "ca7a34e16cff9c1b", "daa54702714a88a8"]);
        assert_eq!(format!("{:x}", seat.cluster_id), "2184ec6f8bf7f6ed");
        assert_eq!(seat.member_id, 0xca7a_34e1_6cff_9c1b);
    }

    #[test]
    fn contradictions_are_refused_in_etcds_words() {
        for (words, text) in [
            (
                &["--initial-cluster=other=http://localhost:2380"][..],
                "couldn't find local name \"default\" in the initial cluster configuration",
            ),
            (
                &["--initial-cluster=default=http://127.0.0.1:9"],
                "--initial-cluster has default=http://127.0.0.1:9 but missing from \
                 --initial-advertise-peer-urls=http://localhost:2380",
            ),
            (
                &[
                    "--initial-cluster=default=http://127.0.0.1:1",
                    "--initial-advertise-peer-urls=http://127.0.0.1:1,http://127.0.0.1:2",
                ],
                "--initial-advertise-peer-urls has http://127.0.0.1:2 but missing from \
                 --initial-cluster=default=http://127.0.0.1:1,default=http://127.0.0.1:2",
            ),
            (
                &["--initial-cluster=default=http://localhost:2380,b=http://localhost:2380"],
                "initial cluster default=http://localhost:2380,b=http://localhost:2380 has duplicate url",
            ),
            (&["--initial-cluster=default"], "is not NAME=URL"),
            (&["--initial-cluster=default=localhost"], "URL scheme must be http"),
        ] {
            let refusal = refusal(words);
            assert!(refusal.contains(text), "{refusal}");
        }
    }

    #[test]
    fn hosts_may_be_spelled_in_two_ways_if_they_are_one_place() {
        assert!(same_addresses(
            &["http://[::1]:1".into()],
            &["http://[0:0:0:0:0:0:0:1]:1".into()]
        ));
        assert!(!same_addresses(
            &["http://127.0.0.1:1".into()],
            &["http://127.0.0.1:2".into()]
        ));
    }

    #[test]
    fn the_others_are_asked_about_the_cluster() {
        let others = bootstrap(&["--name=m1", THREE]).others().expect("valid");
        assert_eq!(others, ["http://127.0.0.1:32380", "http://127.0.0.1:33380"]);
    }
}
