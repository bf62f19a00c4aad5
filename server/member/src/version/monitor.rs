//! The leader asks every member's version, sets the cluster's, and ends a downgrade once it is done.

use std::time::Duration;

use futures::future::join_all;
use taffrail_proto::membershippb::{ClusterVersionSetRequest, DowngradeInfoSetRequest};
use tokio::time::{sleep, timeout};

use super::{Minor, OLDEST};
use crate::Member;
use crate::entry::Proposal;

/// etcd's monitorVersionInterval.
const INTERVAL: Duration = Duration::from_secs(4);

pub(crate) fn spawn(member: &Member) {
    tokio::spawn(watch_versions(member.clone()));
    if let Some(interval) = member.config().downgrade_check_interval {
        tokio::spawn(watch_downgrade(member.clone(), interval));
    }
}

/// A new leader looks at once.
async fn watch_versions(member: Member) {
    let mut leadership = member.leadership();
    loop {
        leadership.borrow_and_update();
        if member.confirm_reign().await.is_ok() {
            member.look_at_versions().await;
        }
        if let Ok(Err(_)) = timeout(INTERVAL, leadership.changed()).await {
            return;
        }
    }
}

async fn watch_downgrade(member: Member, interval: Duration) {
    loop {
        sleep(interval).await;
        if member.is_leader() {
            member.finish_downgrade().await;
        }
    }
}

impl Member {
    async fn look_at_versions(&self) {
        let versions = self.versions().await;
        let view = self.view();
        let cluster = view.cluster_version().as_deref().and_then(Minor::parse);
        match decide(cluster, smallest(&versions), self.downgrade_target()) {
            Ok(None) => {}
            Ok(Some(decided)) => self.set_cluster_version(cluster, decided).await,
            Err(target) => tracing::error!(%target, "failed to monitor cluster version: invalid downgrade target"),
        }
    }

    async fn set_cluster_version(&self, from: Option<Minor>, to: Minor) {
        let set = ClusterVersionSetRequest { ver: to.to_string() };
        let from = from.map_or_else(|| "none".to_owned(), |from| from.to_string());
        match self.propose_as_leader(Proposal::ClusterVersionSet, &set).await {
            Ok(_) => tracing::info!(from, cluster_version = %to, "cluster version is updated"),
            Err(error) => tracing::warn!(%error, cluster_version = %to, "failed to update cluster version"),
        }
    }

    /// None for a member that does not tell.
    async fn versions(&self) -> Vec<Option<Minor>> {
        let own = self.config().member_id;
        let members = self.0.node.members().into_keys();
        let ask = |id| async move {
            if id == own {
                Some(self.config().version.clone())
            } else {
                self.ask_version(id).await
            }
        };
        let versions = join_all(members.map(ask)).await;
        versions
            .into_iter()
            .map(|version| version.as_deref().and_then(Minor::parse))
            .collect()
    }

    pub(super) fn downgrade_target(&self) -> Option<Minor> {
        let info = self.view().downgrade_info().filter(|info| info.enabled)?;
        Minor::parse(&info.ver)
    }

    async fn finish_downgrade(&self) {
        let Some(target) = self.downgrade_target() else { return };
        if !self.versions().await.iter().all(|version| *version == Some(target)) {
            return;
        }
        tracing::info!(cluster_version = %target, "the cluster has been downgraded");
        let cancel = DowngradeInfoSetRequest::default();
        if let Err(error) = self.propose_as_leader(Proposal::DowngradeInfoSet, &cancel).await {
            tracing::warn!(%error, "failed to cancel downgrade");
        }
    }
}

/// None if any member has not told.
fn smallest(versions: &[Option<Minor>]) -> Option<Minor> {
    let told: Option<Vec<Minor>> = versions.iter().copied().collect();
    told.and_then(|told| told.into_iter().min())
}

/// The version to set; none if the one that is set stays. Refused is a downgrade target that cannot be reached.
fn decide(cluster: Option<Minor>, smallest: Option<Minor>, downgrade: Option<Minor>) -> Result<Option<Minor>, Minor> {
    let (cluster, smallest) = match (cluster, smallest) {
        (None, smallest) => return Ok(Some(smallest.unwrap_or(OLDEST))),
        (Some(_), None) => return Ok(None),
        (Some(cluster), Some(smallest)) => (cluster, smallest),
    };
    match downgrade {
        Some(target) if target == cluster => Ok(None),
        Some(target) if cluster.before() == Some(target) && smallest.before() == Some(target) => Ok(Some(target)),
        Some(target) => Err(target),
        None => Ok(Some(smallest).filter(|smallest| cluster < *smallest && cluster.major == smallest.major)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(text: &str) -> Minor {
        Minor::parse(text).expect("valid")
    }

    fn decided(cluster: &str, versions: &[&str], target: &str) -> Result<Option<String>, String> {
        let versions: Vec<_> = versions.iter().map(|version| Minor::parse(version)).collect();
        decide(Minor::parse(cluster), smallest(&versions), Minor::parse(target))
            .map(|decided| decided.map(|decided| decided.to_string()))
            .map_err(|target| target.to_string())
    }

    #[test]
    fn a_cluster_speaks_what_its_oldest_member_does() {
        let set = |version: &str| Ok(Some(version.to_owned()));
        for (cluster, versions, expected) in [
            ("", &["3.6.14"][..], set("3.6.0")),
            ("", &["3.6.14", "3.5.2"], set("3.5.0")),
            ("", &["3.6.14", ""], set("3.0.0")),
            ("3.0.0", &["3.6.14", ""], Ok(None)),
            ("3.0.0", &["3.6.14", "3.6.1"], set("3.6.0")),
            ("3.6.0", &["3.6.14", "3.5.2"], Ok(None)),
            ("3.6.0", &["3.7.0", "3.7.0"], set("3.7.0")),
            ("3.6.0", &["4.0.0"], Ok(None)),
        ] {
            assert_eq!(decided(cluster, versions, ""), expected, "{cluster} {versions:?}");
        }
    }

    #[test]
    fn a_downgrade_lowers_it_by_one_minor_version() {
        assert_eq!(decided("3.6.0", &["3.6.1"], "3.5.0"), Ok(Some("3.5.0".into())));
        assert_eq!(decided("3.5.0", &["3.6.1", "3.5.9"], "3.5.0"), Ok(None));
        assert_eq!(decided("3.6.0", &["3.6.1"], "3.4.0"), Err("3.4.0".into()));
        assert_eq!(minor("3.0").before(), None);
    }
}
