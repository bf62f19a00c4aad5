//! `logs`: of all members at once, each line with a name in front.

use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, ResourceExt};

use crate::args::Logs;
use crate::failure::Failure;
use crate::find;
use crate::session::{Screen, Session};

/// The container of a member's pod.
pub const CONTAINER: &str = "etcd";

pub async fn run(session: &Session, flags: Logs) -> Result<(), Failure> {
    find::cluster(session, &flags.cluster).await?;
    let names = pods(session, &flags).await?;
    let width = names.iter().map(String::len).max().unwrap_or_default();
    let params = params(&flags);
    let api: Api<Pod> = session.api();
    let each = names.into_iter().map(|name| {
        let (api, params, out) = (api.clone(), params.clone(), session.out.clone());
        let prefix = format!("{name:width$}");
        async move { copy(&api, &name, &params, &out, &prefix).await }
    });
    let mut ended = if flags.follow {
        futures::future::join_all(each).await
    } else {
        // One after the other: what a member says stays together.
        let mut ended = Vec::new();
        for one in each {
            ended.push(one.await);
        }
        ended
    };
    let all = ended.len();
    ended.retain(Result::is_err);
    for failure in ended.iter().filter_map(|one| one.as_ref().err()) {
        session.notes.line(&failure.to_string());
    }
    match ended.len() == all {
        true => ended.pop().unwrap_or(Ok(())),
        false => Ok(()),
    }
}

async fn pods(session: &Session, flags: &Logs) -> Result<Vec<String>, Failure> {
    let list = session.api::<Pod>().list(&find::of_cluster(&flags.cluster)).await;
    let list = list.map_err(|error| Failure::of(error, "list pods"))?;
    let is_member = |pod: &Pod| {
        let containers = pod
            .spec
            .as_ref()
            .map(|spec| spec.containers.as_slice())
            .unwrap_or_default();
        containers.iter().any(|container| container.name == CONTAINER)
    };
    let mut names: Vec<_> = list
        .items
        .iter()
        .filter(|pod| is_member(pod))
        .map(ResourceExt::name_any)
        .collect();
    names.sort();
    let there = names.join(", ");
    if let Some(member) = &flags.member {
        names.retain(|name| name == member);
    }
    match (names.is_empty(), &flags.member) {
        (false, _) => Ok(names),
        (true, Some(member)) => Err(Failure::Missing(format!(
            "there is no pod of the member {member}; there is: {there}"
        ))),
        (true, None) => Err(Failure::Missing(format!("{} has no pods", flags.cluster))),
    }
}

fn params(flags: &Logs) -> LogParams {
    LogParams {
        container: Some(CONTAINER.into()),
        follow: flags.follow,
        previous: flags.previous,
        // Kubernetes counts whole seconds, at least one.
        since_seconds: flags.since.map(|since| since.as_secs().max(1) as i64),
        tail_lines: flags.tail,
        ..LogParams::default()
    }
}

async fn copy(api: &Api<Pod>, pod: &str, params: &LogParams, out: &Screen, prefix: &str) -> Result<(), Failure> {
    let stream = api.log_stream(pod, params).await;
    let stream = stream.map_err(|error| Failure::of(error, &format!("read the log of {pod}")))?;
    let mut lines = stream.lines();
    loop {
        match lines.try_next().await {
            Ok(Some(line)) => out.line(&format!("{prefix}  {line}")),
            Ok(None) => return Ok(()),
            Err(error) => return Err(Failure::Unreachable(format!("the log of {pod} ended: {error}"))),
        }
    }
}
