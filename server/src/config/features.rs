//! Feature gates (etcd server/features, pkg/featuregate), and the older flags that mean the same.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use taffrail_api::Feature;

use super::parse_bool;
use crate::args::Settings;

/// The gates that mean something here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    pub initial_corrupt_check: bool,
    pub compact_hash_check: bool,
    pub lease_checkpoint: bool,
    /// Health checkers are told to go elsewhere while a defragmentation runs.
    pub stop_on_defrag: bool,
    /// Checkpoints are always stored, as they are since etcd 3.6.
    pub lease_checkpoint_persist: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Alpha,
    Beta,
}

/// Every gate, its stage, and the older flag that opens it.
const GATES: [(&str, Stage, &str); 9] = [
    ("CompactHashCheck", Stage::Alpha, "compact-hash-check-enabled"),
    ("FastLeaseKeepAlive", Stage::Beta, ""),
    ("InitialCorruptCheck", Stage::Alpha, "initial-corrupt-check"),
    ("LeaseCheckpoint", Stage::Alpha, "enable-lease-checkpoint"),
    (
        "LeaseCheckpointPersist",
        Stage::Alpha,
        "enable-lease-checkpoint-persist",
    ),
    ("PriorityRequest", Stage::Alpha, ""),
    ("SetMemberLocalAddr", Stage::Alpha, ""),
    ("StopGRPCServiceOnDefrag", Stage::Alpha, "stop-grpc-service-on-defrag"),
    (
        "TxnModeWriteWithSharedBuffer",
        Stage::Beta,
        "txn-mode-write-with-shared-buffer",
    ),
];

const WITHOUT_MEANING: [&str; 4] = [
    "FastLeaseKeepAlive",
    "PriorityRequest",
    "SetMemberLocalAddr",
    "TxnModeWriteWithSharedBuffer",
];

/// Gates of etcd 3.7, accepted so that a newer command line works.
const LATER: [&str; 2] = ["FastLeaseKeepAlive", "PriorityRequest"];

impl Features {
    /// # Errors
    /// An unknown gate, a value that is no boolean, or one setting given in two ways.
    pub fn new(settings: &Settings) -> Result<Self> {
        let given = parse(settings.get("feature-gates"))?;
        let is_on = |name: &str| is_on(settings, &given, name);
        let features = Features {
            initial_corrupt_check: is_on("InitialCorruptCheck")?,
            compact_hash_check: is_on("CompactHashCheck")?,
            stop_on_defrag: is_on("StopGRPCServiceOnDefrag")?,
            lease_checkpoint: is_on("LeaseCheckpoint")?,
            lease_checkpoint_persist: is_on("LeaseCheckpointPersist")?,
        };
        ensure!(
            features.lease_checkpoint || !features.lease_checkpoint_persist,
            "enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint"
        );
        Ok(features)
    }

    /// Every gate of the release that is spoken, with its stage and whether it is open.
    ///
    /// # Errors
    /// As [`Features::new`].
    pub fn table(settings: &Settings) -> Result<Vec<Feature>> {
        let given = parse(settings.get("feature-gates"))?;
        let known = GATES.iter().filter(|(name, ..)| !LATER.contains(name));
        let feature = |(name, stage, _): &(&'static str, Stage, &str)| {
            Ok(Feature {
                name,
                stage: match stage {
                    Stage::Alpha => "ALPHA",
                    Stage::Beta => "BETA",
                },
                enabled: is_on(settings, &given, name)?,
            })
        };
        let groups = [("AllAlpha", "ALPHA"), ("AllBeta", "BETA")].map(|(name, stage)| Feature {
            name,
            stage,
            enabled: given.get(name).copied().unwrap_or(false),
        });
        groups.into_iter().map(Ok).chain(known.map(feature)).collect()
    }

    /// Gates that were opened and change nothing here.
    pub fn ignored(settings: &Settings) -> Vec<&'static str> {
        let given = parse(settings.get("feature-gates")).unwrap_or_default();
        let opened = |name: &&str| given.contains_key(*name);
        WITHOUT_MEANING.into_iter().filter(opened).collect()
    }
}

fn parse(text: &str) -> Result<BTreeMap<&str, bool>> {
    let mut given = BTreeMap::new();
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            bail!("missing bool value for {}", pair.trim());
        };
        let (name, value) = (name.trim(), value.trim());
        let known = GATES.iter().any(|(gate, ..)| *gate == name) || matches!(name, "AllAlpha" | "AllBeta");
        ensure!(known, "unrecognized feature gate: {name}");
        let on = parse_bool(value).with_context(|| format!("invalid value of {name}={value}"))?;
        given.insert(name, on);
    }
    Ok(given)
}

fn is_on(settings: &Settings, given: &BTreeMap<&str, bool>, name: &str) -> Result<bool> {
    let gate = GATES.iter().find(|(gate, ..)| *gate == name);
    let (_, stage, flag) = gate.with_context(|| format!("unrecognized feature gate: {name}"))?;
    let all = match stage {
        Stage::Alpha => "AllAlpha",
        Stage::Beta => "AllBeta",
    };
    if !settings.is_given(flag) {
        return Ok(given
            .get(name)
            .or(given.get(all))
            .copied()
            .unwrap_or(*stage == Stage::Beta));
    }
    let value = settings.get(flag);
    ensure!(
        !given.contains_key(name),
        "cannot specify both flags: --{flag}={value} and --feature-gates={name}={} at the same time, please just use \
         --feature-gates={name}={}",
        given[name],
        given[name]
    );
    parse_bool(value).with_context(|| format!("--{flag}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(words: &[&str]) -> Settings {
        Settings::read(words.iter().map(|word| (*word).to_owned()), std::iter::empty()).expect("flags")
    }

    fn features(words: &[&str]) -> Result<Features> {
        Features::new(&settings(words))
    }

    #[test]
    fn gates_open_by_name_by_stage_and_by_their_older_flags() {
        let checked = Features {
            initial_corrupt_check: true,
            ..Features::default()
        };
        assert_eq!(features(&[]).expect("valid"), Features::default());
        assert_eq!(
            features(&["--feature-gates=InitialCorruptCheck=true"]).expect("valid"),
            checked
        );
        assert_eq!(
            features(&["--experimental-initial-corrupt-check"]).expect("valid"),
            checked
        );
        let alpha = features(&["--feature-gates=AllAlpha=true,CompactHashCheck=false"]).expect("valid");
        assert!(alpha.lease_checkpoint && alpha.initial_corrupt_check && !alpha.compact_hash_check);
    }

    #[test]
    fn what_cannot_be_is_refused_in_etcds_words() {
        for (words, text) in [
            (
                &["--feature-gates=NoSuch=true"][..],
                "unrecognized feature gate: NoSuch",
            ),
            (
                &["--feature-gates=LeaseCheckpoint"],
                "missing bool value for LeaseCheckpoint",
            ),
            (
                &["--feature-gates=LeaseCheckpoint=maybe"],
                "invalid value of LeaseCheckpoint=maybe",
            ),
            (
                &["--feature-gates=LeaseCheckpointPersist=true"],
                "enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint",
            ),
            (
                &["--feature-gates=InitialCorruptCheck=true", "--initial-corrupt-check"],
                "cannot specify both flags: --initial-corrupt-check=true",
            ),
        ] {
            let error = format!("{:#}", features(words).expect_err(text));
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn every_gate_of_the_release_is_shown() {
        let table = Features::table(&settings(&["--feature-gates=CompactHashCheck=true"])).expect("valid");
        let on: Vec<_> = table.iter().filter(|gate| gate.enabled).map(|gate| gate.name).collect();
        assert_eq!(
            (table.len(), on),
            (9, vec!["CompactHashCheck", "TxnModeWriteWithSharedBuffer"])
        );
    }

    #[test]
    fn gates_without_meaning_are_told() {
        let settings = settings(&["--feature-gates=SetMemberLocalAddr=true,InitialCorruptCheck=true"]);
        assert_eq!(Features::ignored(&settings), ["SetMemberLocalAddr"]);
    }
}
