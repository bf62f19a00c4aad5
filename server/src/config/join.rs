//! What a member without data makes of what running members tell about their cluster.

use anyhow::{Context, Result, bail, ensure};
use taffrail_consensus::ClusterFacts;

use super::bootstrap::{Bootstrap, FirstMember, Seat, same_addresses};

/// Decides whose seat this is: in a new cluster, if nobody of it has been at work before; else in the one that is
/// there. `facts` is none if no member could be asked.
///
/// # Errors
/// etcd's words (bootstrap.go, api/membership/cluster.go) if the flags and the cluster do not fit together.
pub fn join(facts: Option<&ClusterFacts>, bootstrap: &Bootstrap, learners_max: usize) -> Result<Seat> {
    match (facts, bootstrap.joining) {
        (None, false) => bootstrap.found(),
        (Some(facts), false) => found_among(facts, bootstrap),
        (None, true) => bail!("cannot fetch cluster info from peer urls: no member of --initial-cluster answers"),
        (Some(facts), true) => take_seat(facts, bootstrap, learners_max),
    }
}

/// Other founders may have started before this one. A founder that has been at work and lost its data must not
/// begin anew: it would vote against what it had promised.
fn found_among(facts: &ClusterFacts, bootstrap: &Bootstrap) -> Result<Seat> {
    let seat = bootstrap.found()?;
    let known = facts.members.iter().find(|member| member.id == seat.member_id);
    ensure!(
        !known.is_some_and(|member| member.started),
        "member {:x} has already been bootstrapped",
        seat.member_id
    );
    ensure!(
        known.is_some() && facts.cluster_id == seat.cluster_id,
        "cluster ID mismatch: the members of --initial-cluster that answer belong to cluster {:x}, which does not have \
         member {:x} of cluster {:x}; to join them, add this member there and start it with \
         --initial-cluster-state=existing",
        facts.cluster_id,
        seat.member_id,
        seat.cluster_id
    );
    Ok(seat)
}

fn take_seat(facts: &ClusterFacts, bootstrap: &Bootstrap, learners_max: usize) -> Result<Seat> {
    let named = bootstrap.members()?;
    let mine = bootstrap.find_self(&named)?;
    bootstrap.check_duplicates(&named)?;
    let id = assign(facts, &named, mine).with_context(|| format!("error validating peerURLs {}", told(facts)))?;
    let learners = facts.members.iter().filter(|member| member.learner).count();
    ensure!(
        learners <= learners_max,
        "membership: too many learner members in cluster"
    );
    Ok(Seat {
        member_id: id,
        cluster_id: facts.cluster_id,
        founders: Vec::new(),
    })
}

/// Every member of the cluster must be named with its URLs, and nobody else.
fn assign(facts: &ClusterFacts, named: &[FirstMember], mine: &FirstMember) -> Result<u64> {
    ensure!(facts.members.len() == named.len(), "member count is unequal");
    let mut own = None;
    for existing in &facts.members {
        let found = named
            .iter()
            .find(|member| same_addresses(&existing.peer_urls, &member.peer_urls));
        let Some(found) = found else {
            bail!(
                "PeerURLs: no match found for existing member ({:x}, {:?})",
                existing.id,
                existing.peer_urls
            );
        };
        if found.name == mine.name {
            own = Some(existing.id);
        }
    }
    own.context("unmatched member while checking PeerURLs")
}

fn told(facts: &ClusterFacts) -> String {
    let members = facts
        .members
        .iter()
        .map(|member| format!("{:x}={}", member.id, member.peer_urls.join(",")));
    let members: Vec<String> = members.collect();
    format!("{{ClusterID:{:x} Members:[{}]}}", facts.cluster_id, members.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Settings;
    use taffrail_consensus::KnownMember;

    fn flags(state: &str) -> Bootstrap {
        let words = [
            "--name=b",
            "--initial-cluster=a=http://127.0.0.1:1,b=http://127.0.0.1:2",
            "--initial-advertise-peer-urls=http://127.0.0.1:2",
            &format!("--initial-cluster-state={state}"),
        ];
        let settings = Settings::read(words.iter().map(|word| (*word).to_owned()), std::iter::empty());
        Bootstrap::new(&settings.expect("flags"), "b").expect("valid")
    }

    fn known(id: u64, port: u16) -> KnownMember {
        KnownMember {
            id,
            peer_urls: vec![format!("http://127.0.0.1:{port}")],
            ..KnownMember::default()
        }
    }

    fn running(members: Vec<KnownMember>) -> ClusterFacts {
        ClusterFacts { cluster_id: 9, members }
    }

    fn refusal(facts: Option<&ClusterFacts>, state: &str) -> String {
        format!("{:#}", join(facts, &flags(state), 1).expect_err("refused"))
    }

    #[test]
    fn who_joins_takes_the_id_that_the_cluster_gave_its_urls() {
        let facts = running(vec![known(7, 1), known(8, 2)]);
        let seat = join(Some(&facts), &flags("existing"), 1).expect("fits");
        let expected = Seat {
            member_id: 8,
            cluster_id: 9,
            founders: Vec::new(),
        };
        assert_eq!(seat, expected);
    }

    #[test]
    fn who_does_not_fit_is_told_in_etcds_words() {
        let unequal = running(vec![known(7, 1)]);
        assert!(refusal(Some(&unequal), "existing").ends_with("member count is unequal"));
        let other = running(vec![known(7, 1), known(8, 3)]);
        let text = "PeerURLs: no match found for existing member (8, [\"http://127.0.0.1:3\"])";
        assert!(refusal(Some(&other), "existing").ends_with(text));
        assert!(refusal(None, "existing").starts_with("cannot fetch cluster info from peer urls"));
        let learners = [7, 8].map(|id| KnownMember {
            learner: true,
            ..known(id, id as u16 - 6)
        });
        assert!(refusal(Some(&running(learners.into())), "existing").contains("too many learner members"));
    }

    #[test]
    fn founders_may_come_one_after_the_other_but_not_twice() {
        let seat = flags("new").found().expect("valid");
        let mut facts = ClusterFacts {
            cluster_id: seat.cluster_id,
            members: vec![known(seat.member_id, 2)],
        };
        assert_eq!(join(Some(&facts), &flags("new"), 1).expect("first time"), seat);
        assert_eq!(join(None, &flags("new"), 1).expect("the very first"), seat);
        facts.members[0].started = true;
        let text = format!("member {:x} has already been bootstrapped", seat.member_id);
        assert_eq!(refusal(Some(&facts), "new"), text);
    }

    #[test]
    fn a_stranger_does_not_found_a_second_cluster_beside_a_running_one() {
        let facts = running(vec![known(7, 1)]);
        assert!(refusal(Some(&facts), "new").starts_with("cluster ID mismatch"));
    }
}
