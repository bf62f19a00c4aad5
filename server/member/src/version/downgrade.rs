//! Downgrades: allowed by one minor version, begun and called off by an administrator.

use taffrail_proto::membershippb::DowngradeInfoSetRequest;

use super::Minor;
use crate::Member;
use crate::entry::Proposal;
use crate::error::DowngradeError;

impl Member {
    /// Whether the cluster could be downgraded to `wanted`; returns the version that it speaks.
    pub async fn validate_downgrade(&self, wanted: &str) -> Result<String, DowngradeError> {
        self.check_downgrade(wanted).await?;
        self.spoken()
    }

    /// Begins a downgrade: the leader lowers the cluster's version, then members may be replaced by older ones.
    pub async fn enable_downgrade(&self, wanted: &str) -> Result<String, DowngradeError> {
        let target = self.check_downgrade(wanted).await?;
        let enable = DowngradeInfoSetRequest {
            enabled: true,
            ver: target.to_string(),
        };
        self.propose(&self.itself(), Proposal::DowngradeInfoSet, enable).await?;
        self.spoken()
    }

    /// Calls a downgrade off. That there is none, or that it did not work, is only logged, as in etcd.
    pub async fn cancel_downgrade(&self) -> Result<String, DowngradeError> {
        if let Err(error) = self.try_cancel_downgrade().await {
            tracing::warn!(%error, "failed to cancel downgrade");
        }
        self.spoken()
    }

    async fn try_cancel_downgrade(&self) -> Result<(), DowngradeError> {
        self.barrier().await?;
        if self.downgrade_target().is_none() {
            return Err(DowngradeError::NotInProcess);
        }
        self.propose(
            &self.itself(),
            Proposal::DowngradeInfoSet,
            DowngradeInfoSetRequest::default(),
        )
        .await?;
        Ok(())
    }

    async fn check_downgrade(&self, wanted: &str) -> Result<Minor, DowngradeError> {
        let wanted = Minor::parse(wanted).ok_or(DowngradeError::WrongFormat)?;
        self.spoken()?;
        self.barrier().await?;
        let spoken = Minor::parse(&self.spoken()?).ok_or(DowngradeError::NotDecided)?;
        if spoken.before() != Some(wanted) {
            return Err(DowngradeError::InvalidTarget);
        }
        if self.downgrade_target().is_some() {
            return Err(DowngradeError::InProcess);
        }
        Ok(wanted)
    }

    fn spoken(&self) -> Result<String, DowngradeError> {
        self.view().cluster_version().ok_or(DowngradeError::NotDecided)
    }
}
