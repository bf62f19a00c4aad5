//! How one authority gives way to another without anybody being locked out.
//!
//! Nobody who serves or asks may meet a certificate of an authority that it does not trust yet. So the next authority
//! is first made known beside the old one (Bundled), then signs (Signed), and the old one is dropped only after
//! nobody shows a certificate of it any more. Every step is one write of one Secret and a function of what it holds:
//! whoever crashes between two steps finds the same thing to do.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::facts::{certificates, fingerprint};
use super::{Leaf, Pair, PkiError, Step, Stored, facts, found, is_by, issue, two_thirds};

/// What is wanted of an authority, and what is known of those who rely on it.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// What the authority's name begins with.
    pub name: String,
    pub life: Duration,
    /// Another value than the one before begins a rotation.
    pub asked: Option<String>,
    /// How long applications have to load a new bundle, before and after the new authority signs.
    pub overlap: Duration,
    /// What the next authority signs to find out who trusts it.
    pub probe: Leaf,
    /// Every member trusts the next authority.
    pub all_trust_next: bool,
    /// Every member shows a certificate of the new authority.
    pub all_show_next: bool,
    pub now: Timestamp,
}

/// The first authority of a surface. `left`: the bundle that members trust already, if there is one although the
/// authority is gone: nothing can be signed by it any more, but what it signed stays good while the next takes over.
///
/// # Errors
/// If there is no randomness.
pub fn whole(left: Option<&str>, wanted: &Rotation) -> Result<Stored, PkiError> {
    match left.and_then(|bundle| certificates(bundle).ok().map(|_| bundle)) {
        None => first(wanted),
        Some(bundle) => begin(&lost(bundle, wanted), wanted),
    }
}

fn first(wanted: &Rotation) -> Result<Stored, PkiError> {
    let signing = found(&wanted.name, wanted.now, wanted.life)?;
    Ok(Stored {
        bundle: signing.certificate.clone(),
        signing,
        next: None,
        probe: None,
        step: Step::Steady,
        since: None,
        rotation: wanted.asked.clone(),
    })
}

fn lost(bundle: &str, wanted: &Rotation) -> Stored {
    Stored {
        signing: Pair {
            certificate: bundle.into(),
            key: String::new(),
        },
        bundle: bundle.into(),
        next: None,
        probe: None,
        step: Step::Steady,
        since: None,
        rotation: wanted.asked.clone(),
    }
}

/// The next thing to store, if there is one. At most one step is taken.
///
/// # Errors
/// If there is no randomness, or what is stored cannot be used.
pub fn advance(stored: &Stored, wanted: &Rotation) -> Result<Option<Stored>, PkiError> {
    let mended = bundled(stored);
    if mended != stored.bundle {
        return Ok(Some(Stored {
            bundle: mended,
            ..stored.clone()
        }));
    }
    match (stored.step, &stored.next) {
        (Step::Steady, _) if is_due(stored, wanted)? => begin(stored, wanted).map(Some),
        (Step::Bundled, None) => begin(stored, wanted).map(Some),
        (Step::Bundled, Some(next)) if may_sign(stored, wanted)? => Ok(Some(sign(stored, next, wanted.now))),
        (Step::Bundled, Some(next)) => probed(stored, next, wanted),
        (Step::Signed, _) if may_drop(stored, wanted) => Ok(Some(drop_old(stored))),
        _ => Ok(None),
    }
}

/// When time alone makes something due here; none if it waits for members.
pub fn next_due(stored: &Stored, overlap: Duration) -> Option<Timestamp> {
    let read = facts(&stored.signing.certificate).ok()?;
    match stored.step {
        Step::Steady => Some(two_thirds(read.not_before, read.not_after)),
        Step::Bundled => Some(stored.since? + patience(stored.since?, read.not_after, overlap)),
        Step::Signed => Some(stored.since? + overlap),
    }
}

fn is_due(stored: &Stored, wanted: &Rotation) -> Result<bool, PkiError> {
    let read = facts(&stored.signing.certificate)?;
    let asked = wanted.asked.is_some() && wanted.asked != stored.rotation;
    Ok(asked || stored.signing.key.is_empty() || wanted.now >= two_thirds(read.not_before, read.not_after))
}

fn begin(stored: &Stored, wanted: &Rotation) -> Result<Stored, PkiError> {
    let next = found(&wanted.name, wanted.now, wanted.life)?;
    Ok(Stored {
        bundle: joined(&stored.bundle, &next.certificate),
        probe: Some(issue(&next, &wanted.probe, wanted.now)?),
        next: Some(next),
        step: Step::Bundled,
        since: Some(wanted.now),
        rotation: wanted.asked.clone().or_else(|| stored.rotation.clone()),
        signing: stored.signing.clone(),
    })
}

/// Everybody trusts the next authority and applications had their time; or the old one is no good any more, so that
/// waiting would lock out more and not fewer.
fn may_sign(stored: &Stored, wanted: &Rotation) -> Result<bool, PkiError> {
    let end = facts(&stored.signing.certificate)?.not_after;
    let since = stored.since.unwrap_or(wanted.now);
    let waited = wanted.now >= since + patience(since, end, wanted.overlap);
    Ok(wanted.now >= end || (wanted.all_trust_next && waited))
}

/// An authority that does not live long enough for the whole overlap is not waited for that long.
fn patience(since: Timestamp, end: Timestamp, overlap: Duration) -> SignedDuration {
    let left = SignedDuration::from_secs(end.as_second().saturating_sub(since.as_second()).max(0) / 4);
    SignedDuration::try_from(overlap).map_or(left, |overlap| overlap.min(left))
}

fn sign(stored: &Stored, next: &Pair, now: Timestamp) -> Stored {
    Stored {
        signing: next.clone(),
        next: None,
        step: Step::Signed,
        since: Some(now),
        ..stored.clone()
    }
}

/// The probe lasts as long as it is needed.
fn probed(stored: &Stored, next: &Pair, wanted: &Rotation) -> Result<Option<Stored>, PkiError> {
    if stored
        .probe
        .as_ref()
        .is_some_and(|probe| is_by(probe, next, wanted.now))
    {
        return Ok(None);
    }
    let probe = issue(next, &wanted.probe, wanted.now)?;
    Ok(Some(Stored {
        probe: Some(probe),
        ..stored.clone()
    }))
}

fn may_drop(stored: &Stored, wanted: &Rotation) -> bool {
    let waited = stored.since.is_none_or(|since| wanted.now >= since + wanted.overlap);
    wanted.all_show_next && waited
}

fn drop_old(stored: &Stored) -> Stored {
    Stored {
        bundle: stored.signing.certificate.clone(),
        probe: None,
        next: None,
        step: Step::Steady,
        since: None,
        ..stored.clone()
    }
}

/// The bundle, with those in it that must be.
fn bundled(stored: &Stored) -> String {
    let with_signing = joined(&stored.bundle, &stored.signing.certificate);
    match (&stored.next, stored.step) {
        (Some(next), Step::Bundled) => joined(&with_signing, &next.certificate),
        _ => with_signing,
    }
}

fn joined(bundle: &str, more: &str) -> String {
    let prints = |pem: &str| -> Vec<String> {
        let all = certificates(pem).unwrap_or_default();
        all.iter().map(|der| fingerprint(der)).collect()
    };
    let known = prints(bundle);
    if prints(more).iter().all(|print| known.contains(print)) {
        return bundle.into();
    }
    format!("{}{more}", bundle_start(bundle))
}

/// A bundle that cannot be read is begun anew; one that lacks its last line end gets it.
fn bundle_start(bundle: &str) -> String {
    match certificates(bundle) {
        Ok(_) => format!("{}\n", bundle.trim_end()),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
