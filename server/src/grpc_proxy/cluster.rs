//! Who a client is told to speak with: proxies, not the members behind them.

use std::sync::Arc;

use axum::http::{Request, Response};
use serde::Deserialize;
use taffrail_proto::etcdserverpb::kv_client::KvClient;
use taffrail_proto::etcdserverpb::{Member, MemberListRequest, MemberListResponse, RangeRequest};
use tonic::Status;
use tonic::body::Body;

use super::typed::unary;
use crate::remote::{Remote, after_prefix};

/// What the members of a cluster look like from here.
#[derive(Debug, Clone)]
pub struct Advertised {
    pub url: String,
    /// Where all proxies write themselves down; may be empty.
    pub prefix: String,
}

/// An entry below the prefix (etcd naming/endpoints); its metadata is JSON in a text.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "Addr")]
    address: String,
    #[serde(rename = "Metadata", default)]
    metadata: serde_json::Value,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    name: String,
}

pub async fn list(advertised: Arc<Advertised>, remote: Arc<Remote>, request: Request<Body>) -> Response<Body> {
    let answer = |_: tonic::Request<MemberListRequest>| {
        let (advertised, remote) = (advertised.clone(), remote.clone());
        async move {
            let members = members(&advertised, &remote).await?;
            Ok(tonic::Response::new(MemberListResponse { header: None, members }))
        }
    };
    unary(request, answer).await
}

/// All proxies that wrote themselves down, or this one alone.
async fn members(advertised: &Advertised, remote: &Remote) -> Result<Vec<Member>, Status> {
    let mut members = Vec::new();
    if !advertised.prefix.is_empty() {
        members = registered(advertised, remote).await?;
    }
    if members.is_empty() {
        members.push(member(host_name(), advertised.url.clone()));
    }
    Ok(members)
}

async fn registered(advertised: &Advertised, remote: &Remote) -> Result<Vec<Member>, Status> {
    let prefix = format!("{}/", advertised.prefix);
    let request = RangeRequest {
        range_end: after_prefix(prefix.as_bytes()).into(),
        key: prefix.into(),
        ..RangeRequest::default()
    };
    let call = |signed| {
        let request = request.clone();
        async move { KvClient::new(signed).range(request).await }
    };
    let found = remote.ask(call).await?;
    Ok(found.kvs.iter().filter_map(|pair| entry(&pair.value)).collect())
}

fn entry(value: &[u8]) -> Option<Member> {
    let Entry { address, metadata } = serde_json::from_slice(value).ok()?;
    let metadata: Metadata = serde_json::from_str(metadata.as_str().unwrap_or_default()).unwrap_or_default();
    Some(member(metadata.name, address))
}

fn member(name: String, url: String) -> Member {
    Member {
        name,
        client_ur_ls: vec![url],
        ..Member::default()
    }
}

/// As the kernel knows it.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or(String::new(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_those_of_etcds_resolver() {
        let value = r#"{"Op":0,"Addr":"127.0.0.1:23790","Metadata":"{\"name\":\"host\"}"}"#;
        let read = entry(value.as_bytes()).expect("an entry");
        assert_eq!(
            (read.name.as_str(), read.client_ur_ls),
            ("host", vec!["127.0.0.1:23790".to_owned()])
        );
        assert_eq!(entry(b"other"), None);
    }
}
