//! What is small enough to be kept in memory and copied into every view.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use fjall::{Keyspace, Readable, Snapshot};
use taffrail_proto::etcdserverpb::{AlarmMember, AlarmType};
use taffrail_proto::membershippb::{Attributes, DowngradeInfoSetRequest};

use crate::auth::Auth;
use crate::engine::Engine;
use crate::mvcc::Counts;
use crate::schema::state::StateRow;
use crate::schema::{alarm, attributes, auth, chunk, damaged, installed, membership, state};
use crate::{Position, StoreFailure};

/// etcd's own first revision: the first change makes 2.
const FIRST_REVISION: i64 = 1;
const NEVER_COMPACTED: i64 = -1;

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) position: Position,
    pub(crate) revision: i64,
    pub(crate) floor: i64,
    /// Logical bytes of live keys.
    pub(crate) current_bytes: u64,
    /// Logical bytes of all history there ever was.
    pub(crate) log_bytes: u64,
    /// How many of those lie below the floor.
    pub(crate) floor_bytes: u64,
    pub(crate) counts: Counts,
    pub(crate) facts: Arc<Facts>,
}

/// What changes seldom.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Member and alarm type, in the order they are reported.
    pub(crate) alarms: BTreeSet<(u64, i32)>,
    pub(crate) attributes: BTreeMap<u64, Attributes>,
    pub(crate) cluster_version: Option<String>,
    pub(crate) downgrade: Option<DowngradeInfoSetRequest>,
    pub(crate) membership: Option<(Position, Bytes)>,
    pub(crate) auth: Arc<Auth>,
    /// Of this member alone.
    pub(crate) installed: Option<Position>,
}

impl State {
    pub(crate) fn fresh() -> Self {
        Self {
            position: Position::default(),
            revision: FIRST_REVISION,
            floor: NEVER_COMPACTED,
            current_bytes: 0,
            log_bytes: 0,
            floor_bytes: 0,
            counts: Counts::new(),
            facts: Arc::default(),
        }
    }

    /// None if nothing was ever applied.
    pub(crate) fn read(engine: &Engine, snapshot: &Snapshot) -> Result<Option<Self>, StoreFailure> {
        let Some(row) = snapshot.get(&engine.system, state::KEY)? else {
            return Ok(None);
        };
        let StateRow {
            position,
            revision,
            floor,
            current_bytes,
            log_bytes,
            floor_bytes,
        } = StateRow::parse(&row)?;
        let counts = read_counts(engine, snapshot)?;
        let facts = Arc::new(Facts::read(engine, snapshot)?);
        Ok(Some(Self {
            position,
            revision,
            floor,
            current_bytes,
            log_bytes,
            floor_bytes,
            counts,
            facts,
        }))
    }

    pub(crate) fn row(&self) -> StateRow {
        let Self {
            position,
            revision,
            floor,
            current_bytes,
            log_bytes,
            floor_bytes,
            counts: _,
            facts: _,
        } = *self;
        StateRow {
            position,
            revision,
            floor,
            current_bytes,
            log_bytes,
            floor_bytes,
        }
    }

    pub(crate) fn in_use_bytes(&self) -> u64 {
        self.current_bytes + self.log_bytes - self.floor_bytes
    }
}

impl Facts {
    fn read(engine: &Engine, snapshot: &Snapshot) -> Result<Self, StoreFailure> {
        let system = &engine.system;
        let mut facts = Self::default();
        for (key, _) in rows(snapshot, system, &alarm::PREFIX)? {
            let AlarmMember { member_id, alarm } = alarm::parse_key(&key)?;
            facts.alarms.insert((member_id, alarm));
        }
        for (key, value) in rows(snapshot, system, &attributes::PREFIX)? {
            let (member, attributes) = attributes::parse(&key, value)?;
            facts.attributes.insert(member, attributes);
        }
        let one =
            |key: [u8; 1]| -> Result<Option<Bytes>, StoreFailure> { Ok(snapshot.get(system, key)?.map(Bytes::from)) };
        facts.cluster_version = one(attributes::VERSION_KEY)?
            .map(attributes::parse_version)
            .transpose()?;
        facts.downgrade = one(attributes::DOWNGRADE_KEY)?
            .map(attributes::parse_downgrade)
            .transpose()?;
        facts.membership = one(membership::KEY)?.map(|blob| membership::parse(&blob)).transpose()?;
        facts.installed = one(installed::KEY)?.map(|value| installed::parse(&value)).transpose()?;
        facts.auth = Arc::new(read_auth(snapshot, system)?);
        Ok(facts)
    }

    pub(crate) fn alarm_is_on(&self, alarm: AlarmType) -> bool {
        self.alarms.iter().any(|(_, on)| *on == alarm as i32)
    }
}

/// Without a row, users and roles were never touched.
fn read_auth(snapshot: &Snapshot, system: &Keyspace) -> Result<Auth, StoreFailure> {
    let Some(state) = snapshot.get(system, auth::STATE_KEY)? else {
        return Ok(Auth::default());
    };
    let (enabled, revision) = auth::parse_state(&state)?;
    let users = rows(snapshot, system, &auth::USERS)?.into_iter();
    let roles = rows(snapshot, system, &auth::ROLES)?.into_iter();
    Ok(Auth::new(
        enabled,
        revision,
        users
            .map(|(key, value)| auth::parse_user(&key, value))
            .collect::<Result<_, _>>()?,
        roles
            .map(|(key, value)| auth::parse_role(&key, value))
            .collect::<Result<_, _>>()?,
    ))
}

/// Every row whose key starts so; for kinds of which there are few.
fn rows(snapshot: &Snapshot, keyspace: &Keyspace, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, StoreFailure> {
    snapshot
        .prefix(keyspace, prefix)
        .map(|guard| {
            guard
                .into_inner()
                .map(|(key, value)| (key.into(), value.into()))
                .map_err(StoreFailure::from)
        })
        .collect()
}

fn read_counts(engine: &Engine, snapshot: &Snapshot) -> Result<Counts, StoreFailure> {
    let chunks = rows(snapshot, &engine.system, &chunk::PREFIX)?
        .into_iter()
        .map(|(key, value)| Ok((key.slice_ref(chunk::parse_key(&key)?), chunk::parse_value(&value)?)))
        .collect::<Result<Vec<_>, StoreFailure>>()?;
    Counts::from_rows(chunks).ok_or_else(|| damaged("chunks", "the first one is missing"))
}
