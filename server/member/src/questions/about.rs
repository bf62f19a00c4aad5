//! What another member says about itself.

use taffrail_proto::taffrailpb::question::Question as Asked;
use taffrail_proto::taffrailpb::reply::Reply as Told;
use taffrail_proto::taffrailpb::{About, AboutRequest};

use crate::Member;

impl Member {
    pub(super) fn answer_about(&self) -> About {
        About {
            version: self.config().version.clone(),
        }
    }

    /// None if it does not tell in time.
    pub(crate) async fn ask_version(&self, member: u64) -> Option<String> {
        let asked = Asked::About(AboutRequest {});
        match self.ask(member, asked, self.config().election_timeout).await {
            Ok(Told::About(about)) => Some(about.version),
            _ => None,
        }
    }
}
