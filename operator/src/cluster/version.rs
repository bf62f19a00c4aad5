//! etcd's versions, and from which to which a cluster may go.

use std::fmt;
use std::str::FromStr;

use crate::problem::Problem;

use super::observe::{Member, Observed};

/// As `3.6.14`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

/// Not written as a version.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a version such as 3.6.14")]
pub struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let plain = text.split(['-', '+']).next().unwrap_or(text);
        let mut parts = plain.split('.').map(|part| part.parse().map_err(|_| NotAVersion));
        let mut next = || parts.next().unwrap_or(Err(NotAVersion));
        let (major, minor, patch) = (next()?, next()?, next()?);
        Ok(Self { major, minor, patch })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Version {
    /// A cluster's version has no patch: `3.6.0`.
    pub fn of_cluster(self) -> String {
        format!("{}.{}.0", self.major, self.minor)
    }
}

impl Member {
    pub fn version(&self) -> Option<Version> {
        self.facts.as_ref().ok()?.version.parse().ok()
    }
}

/// One minor version at a time, up or down, and no major one.
pub fn skew(seen: &Observed, wanted: Version) -> Option<Problem> {
    let running: Vec<Version> = seen.members.iter().filter_map(Member::version).collect();
    let (lowest, highest) = (running.iter().min()?, running.iter().max()?);
    let cluster: Version = seen
        .cluster_version
        .as_ref()
        .and_then(|text| text.parse().ok())
        .unwrap_or(*lowest);
    if wanted.major != highest.major {
        return Some(refused(format!(
            "{highest} runs; another major version is another product"
        )));
    }
    if wanted.minor > cluster.minor + 1 {
        let step = format!("{}.{}", cluster.major, cluster.minor + 1);
        return Some(refused(format!(
            "the cluster is at {cluster}: upgrade to a version {step}.x first"
        )));
    }
    if wanted.minor + 1 < highest.minor.min(cluster.minor.max(wanted.minor)) || wanted.minor + 1 < highest.minor {
        let step = format!("{}.{}", highest.major, highest.minor - 1);
        return Some(refused(format!(
            "{highest} runs: downgrade to a version {step}.x first"
        )));
    }
    None
}

fn refused(message: String) -> Problem {
    Problem::new("VersionSkew", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("3.10.0").unwrap() > version("3.9.9").unwrap());
        assert_eq!(version("3.6.14-taffrail").unwrap().of_cluster(), "3.6.0");
        for bad in ["", "3", "3.6", "three", "3.6.x"] {
            assert_eq!(version(bad), Err(NotAVersion), "{bad}");
        }
    }
}
