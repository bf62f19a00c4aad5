//! What each request does, said as plainly as possible.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use bytes::Bytes;
use taffrail_proto::etcdserverpb::compare::TargetUnion;
use taffrail_proto::etcdserverpb::request_op::Request;
use taffrail_proto::etcdserverpb::response_op::Response as OpResponse;
use taffrail_proto::etcdserverpb::{
    CompactionResponse, Compare, DeleteRangeRequest, DeleteRangeResponse, InternalRaftRequest, LeaseGrantResponse,
    LeaseRevokeResponse, PutRequest, PutResponse, RangeRequest, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
};
use taffrail_proto::mvccpb::{Event, KeyValue};
use taffrail_store::{
    Answer, ApplyError, Compacted, FutureRevision, KeyNotFound, Lease, LeaseExists, LeaseNotFound, Response, Revision,
};

use crate::history::History;

pub struct Model {
    pub revision: i64,
    pub floor: i64,
    pub history: History,
    pub leases: BTreeMap<i64, Lease>,
    /// Every event there ever was.
    pub events: Vec<Event>,
}

/// One entry at work: what changed so far.
struct Work<'a> {
    model: &'a mut Model,
    begin: i64,
    events: Vec<Event>,
}

fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader {
        revision,
        ..ResponseHeader::default()
    })
}

impl Model {
    /// Whether one transaction did to a key what the api would have refused.
    pub fn changes_a_key_twice_at(&self, revision: i64) -> bool {
        let kvs = self.events.iter().filter_map(|event| event.kv.as_ref());
        let keys: Vec<_> = kvs.filter(|kv| kv.mod_revision == revision).map(|kv| &kv.key).collect();
        (1..keys.len()).any(|at| keys[..at].contains(&keys[at]))
    }

    pub fn new() -> Self {
        Self {
            revision: 1,
            floor: -1,
            history: History::default(),
            leases: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    pub fn apply(&mut self, request: &InternalRaftRequest) -> (Answer, Vec<Event>) {
        let begin = self.revision;
        let mut work = Work {
            model: self,
            begin,
            events: Vec::new(),
        };
        let answer = work.request(request);
        let events = work.events;
        if !events.is_empty() {
            self.revision += 1;
        }
        self.events.extend(events.iter().cloned());
        (answer, events)
    }

    pub fn lease_keys(&self, id: i64) -> Vec<Bytes> {
        let live = self.history.live(b"", b"\0", self.revision);
        live.into_iter().filter(|kv| kv.lease == id).map(|kv| kv.key).collect()
    }

    fn compact(&mut self, wanted: i64) -> Answer {
        if wanted <= self.floor {
            return Err(Compacted {
                wanted,
                compacted: self.floor,
            }
            .into());
        }
        if wanted > self.revision {
            return Err(FutureRevision {
                wanted,
                current: self.revision,
            }
            .into());
        }
        self.floor = wanted;
        Ok(Response::Compaction(CompactionResponse {
            header: header(self.revision),
        }))
    }

    fn grant(&mut self, id: i64, ttl: i64) -> Answer {
        if id == 0 {
            return Err(LeaseNotFound(0).into());
        }
        if self.leases.contains_key(&id) {
            return Err(LeaseExists(id).into());
        }
        self.leases.insert(
            id,
            Lease {
                id,
                ttl_s: ttl,
                remaining_ttl_s: 0,
            },
        );
        let header = header(self.revision);
        Ok(Response::LeaseGrant(LeaseGrantResponse {
            header,
            id,
            ttl,
            error: String::new(),
        }))
    }
}

impl Work<'_> {
    fn request(&mut self, request: &InternalRaftRequest) -> Answer {
        if let Some(put) = &request.put {
            self.check_lease(put)?;
            self.check_kept(put)?;
            return Ok(Response::Put(self.put(put)));
        }
        if let Some(delete) = &request.delete_range {
            return Ok(Response::DeleteRange(self.delete_range(delete)));
        }
        if let Some(txn) = &request.txn {
            let path = self.decide(txn);
            self.check(txn, &mut path.iter().copied())?;
            let mut response = self.txn(txn, &mut path.into_iter());
            response.header = header(self.now());
            return Ok(Response::Txn(response));
        }
        if let Some(compaction) = &request.compaction {
            return self.model.compact(compaction.revision);
        }
        if let Some(grant) = &request.lease_grant {
            return self.model.grant(grant.id, grant.ttl);
        }
        if let Some(revoke) = &request.lease_revoke {
            return self.revoke(revoke.id);
        }
        for checkpoint in request.lease_checkpoint.iter().flat_map(|request| &request.checkpoints) {
            if let Some(lease) = self.model.leases.get_mut(&checkpoint.id) {
                lease.remaining_ttl_s = checkpoint.remaining_ttl;
            }
        }
        Ok(Response::LeaseCheckpoint)
    }

    fn now(&self) -> i64 {
        self.begin + i64::from(!self.events.is_empty())
    }

    fn next(&self) -> Revision {
        Revision {
            main: self.begin + 1,
            sub: self.events.len() as u32,
        }
    }

    fn get(&self, key: &[u8]) -> Option<KeyValue> {
        self.model.history.get(key, self.begin + 1).cloned()
    }

    fn check_lease(&self, put: &PutRequest) -> Result<(), ApplyError> {
        let known = put.lease == 0 || self.model.leases.contains_key(&put.lease);
        if known {
            Ok(())
        } else {
            Err(LeaseNotFound(put.lease).into())
        }
    }

    fn check_kept(&self, put: &PutRequest) -> Result<(), ApplyError> {
        let keeps = put.ignore_value || put.ignore_lease;
        if keeps && self.get(&put.key).is_none() {
            Err(KeyNotFound.into())
        } else {
            Ok(())
        }
    }

    fn put(&mut self, put: &PutRequest) -> PutResponse {
        let (at, prev_kv) = (self.next(), self.get(&put.key));
        let previous = prev_kv.clone().unwrap_or_default();
        let kv = KeyValue {
            key: put.key.clone(),
            create_revision: if prev_kv.is_some() {
                previous.create_revision
            } else {
                at.main
            },
            mod_revision: at.main,
            version: previous.version + 1,
            value: if put.ignore_value {
                previous.value
            } else {
                put.value.clone()
            },
            lease: if put.ignore_lease { previous.lease } else { put.lease },
        };
        self.model.history.add(at, &put.key, Some(kv.clone()));
        self.events.push(Event {
            r#type: 0,
            kv: Some(kv),
            prev_kv: prev_kv.clone(),
        });
        PutResponse {
            header: header(at.main),
            prev_kv: prev_kv.filter(|_| put.prev_kv),
        }
    }

    fn delete(&mut self, previous: &KeyValue) {
        let (at, key) = (self.next(), previous.key.clone());
        self.model.history.add(at, &key, None);
        let kv = KeyValue {
            key,
            mod_revision: at.main,
            ..KeyValue::default()
        };
        self.events.push(Event {
            r#type: 1,
            kv: Some(kv),
            prev_kv: Some(previous.clone()),
        });
    }

    fn delete_range(&mut self, delete: &DeleteRangeRequest) -> DeleteRangeResponse {
        let found = self.model.history.live(&delete.key, &delete.range_end, self.begin + 1);
        found.iter().for_each(|previous| self.delete(previous));
        let deleted = found.len() as i64;
        let prev_kvs = if delete.prev_kv { found } else { Vec::new() };
        DeleteRangeResponse {
            header: header(self.now()),
            deleted,
            prev_kvs,
        }
    }

    fn revoke(&mut self, id: i64) -> Answer {
        if self.model.leases.remove(&id).is_none() {
            return Err(LeaseNotFound(id).into());
        }
        for key in self.model.lease_keys(id) {
            let previous = self.get(&key).expect("an attached key is alive");
            self.delete(&previous);
        }
        Ok(Response::LeaseRevoke(LeaseRevokeResponse {
            header: header(self.now()),
        }))
    }

    /// For this transaction and each nested one on the way, in order, whether its compares hold.
    fn decide(&self, txn: &TxnRequest) -> Vec<bool> {
        let succeeded = txn.compare.iter().all(|compare| self.holds(compare));
        let mut path = vec![succeeded];
        for op in if succeeded { &txn.success } else { &txn.failure } {
            if let Some(Request::RequestTxn(nested)) = &op.request {
                path.extend(self.decide(nested));
            }
        }
        path
    }

    fn holds(&self, compare: &Compare) -> bool {
        let found = self.model.history.live(&compare.key, &compare.range_end, self.begin);
        if found.is_empty() {
            return compare.target != 3 && satisfies(compare, &KeyValue::default());
        }
        found.iter().all(|kv| satisfies(compare, kv))
    }

    fn check(&self, txn: &TxnRequest, path: &mut dyn Iterator<Item = bool>) -> Result<(), ApplyError> {
        for op in branch(txn, path.next()) {
            match &op.request {
                Some(Request::RequestRange(range)) => self.check_range(range)?,
                Some(Request::RequestPut(put)) => {
                    self.check_kept(put)?;
                    self.check_lease(put)?;
                }
                Some(Request::RequestTxn(nested)) => self.check(nested, path)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn check_range(&self, range: &RangeRequest) -> Result<(), ApplyError> {
        let (wanted, current, compacted) = (range.revision, self.begin, self.model.floor);
        match wanted {
            0 => Ok(()),
            _ if wanted > current => Err(FutureRevision { wanted, current }.into()),
            _ if wanted < compacted => Err(Compacted { wanted, compacted }.into()),
            _ => Ok(()),
        }
    }

    fn txn(&mut self, txn: &TxnRequest, path: &mut dyn Iterator<Item = bool>) -> TxnResponse {
        let succeeded = path.next();
        let mut responses = Vec::new();
        for op in branch(txn, succeeded) {
            let response = op.request.as_ref().map(|request| match request {
                Request::RequestRange(range) => {
                    let (at, now) = (if range.revision > 0 { range.revision } else { self.now() }, self.now());
                    OpResponse::ResponseRange(self.model.history.range(range, at, now))
                }
                Request::RequestPut(put) => OpResponse::ResponsePut(self.put(put)),
                Request::RequestDeleteRange(delete) => OpResponse::ResponseDeleteRange(self.delete_range(delete)),
                Request::RequestTxn(nested) => OpResponse::ResponseTxn(self.txn(nested, path)),
            });
            responses.push(ResponseOp { response });
        }
        TxnResponse {
            header: header(0),
            succeeded: succeeded == Some(true),
            responses,
        }
    }
}

fn branch(txn: &TxnRequest, succeeded: Option<bool>) -> &[taffrail_proto::etcdserverpb::RequestOp] {
    if succeeded == Some(true) {
        &txn.success
    } else {
        &txn.failure
    }
}

fn satisfies(compare: &Compare, kv: &KeyValue) -> bool {
    let order = match (compare.target, &compare.target_union) {
        (0, Some(TargetUnion::Version(wanted))) => kv.version.cmp(wanted),
        (0, _) => kv.version.cmp(&0),
        (1, Some(TargetUnion::CreateRevision(wanted))) => kv.create_revision.cmp(wanted),
        (1, _) => kv.create_revision.cmp(&0),
        (2, Some(TargetUnion::ModRevision(wanted))) => kv.mod_revision.cmp(wanted),
        (2, _) => kv.mod_revision.cmp(&0),
        (3, Some(TargetUnion::Value(wanted))) => kv.value.cmp(wanted),
        (3, _) => kv.value.cmp(&Bytes::new()),
        (4, Some(TargetUnion::Lease(wanted))) => kv.lease.cmp(wanted),
        (4, _) => kv.lease.cmp(&0),
        _ => Ordering::Equal,
    };
    match compare.result {
        0 => order == Ordering::Equal,
        1 => order == Ordering::Greater,
        2 => order == Ordering::Less,
        _ => order != Ordering::Equal,
    }
}
