//! Which version of etcd's contract the cluster speaks: the smallest that every member does, decided by the leader
//! and kept in the log (etcd server/version).

mod downgrade;
mod monitor;

use std::fmt;

pub(crate) use monitor::spawn;

use crate::Member;

/// Compared by major and minor only; patches speak alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Minor {
    major: u64,
    minor: u64,
}

/// What a cluster speaks as long as some member has not told its version.
const OLDEST: Minor = Minor { major: 3, minor: 0 };

impl Minor {
    /// `3.5` and `3.5.7` are the same here.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(str::parse::<u64>);
        let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
        let patch = parts.next().unwrap_or(Ok(0));
        (patch.is_ok() && parts.next().is_none()).then_some(Minor { major, minor })
    }

    /// The only version that a cluster may be downgraded to; none below the first of a major.
    fn before(self) -> Option<Self> {
        Some(Minor {
            minor: self.minor.checked_sub(1)?,
            ..self
        })
    }
}

/// As it stands in the log.
impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.0", self.major, self.minor)
    }
}

impl Member {
    /// Whether the contract that is spoken here is that of this minor version or of a later one.
    pub fn speaks(&self, minor: &str) -> bool {
        Minor::parse(&self.config().version) >= Minor::parse(minor)
    }
}

/// Whether a member that speaks `version` may serve a cluster that speaks `cluster`.
///
/// # Errors
/// etcd's sentence if the member is older.
pub fn check_not_older(version: &str, cluster: Option<&str>) -> Result<(), String> {
    match (Minor::parse(version), cluster.and_then(Minor::parse)) {
        (Some(own), Some(cluster)) if own < cluster => Err(format!(
            "invalid downgrade; server version is lower than determined cluster version: {own} < {cluster}; run \
             `etcdctl downgrade enable` on the cluster first"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_with_or_without_patch() {
        assert_eq!(Minor::parse("3.5"), Some(Minor { major: 3, minor: 5 }));
        assert_eq!(Minor::parse("3.5.7"), Minor::parse("3.5"));
        for wrong in ["3", "3.5.0.1", "three.five", ""] {
            assert_eq!(Minor::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Minor::parse("3.5.7").expect("valid").to_string(), "3.5.0");
    }

    #[test]
    fn minor_versions_count_as_numbers() {
        for (version, minor) in [("3.6.14", (3, 6)), ("3.10.0", (3, 10)), ("4.0.0", (4, 0))] {
            let (major, minor) = minor;
            assert_eq!(Minor::parse(version), Some(Minor { major, minor }));
        }
        assert!(Minor::parse("3.10.0") > Minor::parse("3.7.0"));
    }

    #[test]
    fn a_member_older_than_its_cluster_does_not_start() {
        assert!(check_not_older("3.6.14", None).is_ok());
        assert!(check_not_older("3.6.14", Some("3.6.0")).is_ok());
        assert!(check_not_older("3.6.14", Some("3.5.0")).is_ok());
        let refusal = check_not_older("3.5.9", Some("3.6.0")).expect_err("older");
        assert!(refusal.starts_with("invalid downgrade; server version is lower than determined cluster version"));
    }
}
