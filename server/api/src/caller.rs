//! What a caller says about itself in the metadata.

use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::Api;
use crate::status::NO_LEADER;

/// Asks for an answer only from a member that has a leader (etcd rpctypes/metadatafields.go).
const HAS_LEADER: &str = "hasleader";

impl Api {
    pub(crate) fn demand_leader(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let demanded = metadata.get(HAS_LEADER).is_some_and(|value| value == "true");
        if demanded && self.member().leader().is_none() {
            return Err(NO_LEADER.into());
        }
        Ok(())
    }
}
