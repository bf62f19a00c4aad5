//! How a fresh data directory becomes a member.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use sha1::{Digest, Sha1};

use super::listen::advertised;
use crate::args::Settings;

/// The first members, as every one of them computes them for itself (etcd api/membership/cluster.go).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    pub member_id: u64,
    pub cluster_id: u64,
    pub members: Vec<FirstMember>,
    /// The cluster is there already. Heeded only by a member without data.
    pub joining: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstMember {
    pub id: u64,
    pub name: String,
    pub peer_urls: Vec<String>,
}

impl Bootstrap {
    pub fn new(settings: &Settings, name: &str) -> Result<Self> {
        let joining = match settings.get("initial-cluster-state") {
            "new" => false,
            "existing" => true,
            other => bail!("unexpected clusterState {other:?}: it is \"new\" or \"existing\""),
        };
        let own = advertised(settings, "initial-advertise-peer-urls")?;
        let token = settings.get("initial-cluster-token");
        let members = first_members(settings.get("initial-cluster"), name, &own, token)?;
        let mine = members.iter().find(|member| member.name == name);
        let mine =
            mine.with_context(|| format!("couldn't find local name {name:?} in the initial cluster configuration"))?;
        ensure!(
            sorted(&mine.peer_urls) == sorted(&own),
            "--initial-cluster has {name}={} but --initial-advertise-peer-urls={}",
            mine.peer_urls.join(","),
            own.join(",")
        );
        ensure!(
            members.len() == 1,
            "--initial-cluster names {} members: this version runs a single one",
            members.len()
        );
        Ok(Bootstrap {
            member_id: mine.id,
            cluster_id: cluster_id(&members),
            members,
            joining,
        })
    }
}

fn first_members(text: &str, name: &str, own: &[String], token: &str) -> Result<Vec<FirstMember>> {
    let mut urls: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if text.is_empty() {
        urls.insert(name.to_owned(), own.to_vec());
    }
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let (name, url) = pair
            .split_once('=')
            .with_context(|| format!("--initial-cluster: {pair:?} is not NAME=URL"))?;
        urls.entry(name.to_owned()).or_default().push(url.to_owned());
    }
    let member = |(name, peer_urls): (String, Vec<String>)| FirstMember {
        id: member_id(&peer_urls, token),
        name,
        peer_urls,
    };
    Ok(urls.into_iter().map(member).collect())
}

fn sorted(urls: &[String]) -> Vec<&String> {
    let mut urls: Vec<_> = urls.iter().collect();
    urls.sort();
    urls
}

/// The first eight bytes of a hash over the sorted peer URLs and the token.
fn member_id(peer_urls: &[String], token: &str) -> u64 {
    let text: String = sorted(peer_urls)
        .into_iter()
        .map(String::as_str)
        .chain([token])
        .collect();
    first_eight(Sha1::digest(text))
}

/// The same over all member ids in order.
fn cluster_id(members: &[FirstMember]) -> u64 {
    let mut ids: Vec<u64> = members.iter().map(|member| member.id).collect();
    ids.sort_unstable();
    let bytes: Vec<u8> = ids.into_iter().flat_map(u64::to_be_bytes).collect();
    first_eight(Sha1::digest(bytes))
}

fn first_eight(hash: impl AsRef<[u8]>) -> u64 {
    hash.as_ref()
        .iter()
        .take(8)
        .fold(0, |id, byte| id << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bootstrap(words: &[&str]) -> Result<Bootstrap> {
        let settings = Settings::read(words.iter().map(|word| (*word).to_owned()), std::iter::empty())?;
        let name = settings.get("name").to_owned();
        Bootstrap::new(&settings, &name)
    }

    #[test]
    fn ids_are_those_that_etcd_computes() {
        let bootstrap = bootstrap(&[]).expect("valid");
        // What etcd 3.6 logs when it is started without flags.
        assert_eq!(format!("{:x}", bootstrap.member_id), "8e9e05c52164694d");
        assert_eq!(format!("{:x}", bootstrap.cluster_id), "cdf818194e3a8c32");
    }

    #[test]
    fn this_member_must_be_one_of_the_first() {
        let error = bootstrap(&["--initial-cluster=other=http://localhost:2380"]).expect_err("not there");
        assert!(
            error.to_string().contains("couldn't find local name \"default\""),
            "{error}"
        );
        assert!(bootstrap(&["--initial-cluster=default=http://localhost:9"]).is_err());
        assert!(bootstrap(&["--initial-cluster=default"]).is_err());
    }
}
