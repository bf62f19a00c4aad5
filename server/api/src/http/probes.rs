//! `/health`, `/livez` and `/readyz`, to the letter of etcd (etcdhttp/health.go).

use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use taffrail_proto::etcdserverpb::{AlarmType, RangeRequest};

use super::plain;
use crate::{Api, status};

/// What each probe looks at, in the order it is told.
const LIVEZ: &[&str] = &["serializable_read"];
const READYZ: &[&str] = &[
    "data_corruption",
    "serializable_read",
    "linearizable_read",
    "non_learner",
];

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/health", any(health))
        .route("/livez", any(livez))
        .route("/livez/{check}", any(livez_check))
        .route("/readyz", any(readyz))
        .route("/readyz/{check}", any(readyz_check))
}

async fn health(State(api): State<Api>, method: Method, RawQuery(query): RawQuery) -> Response {
    if method != Method::GET {
        return method_not_allowed();
    }
    let query = Query::parse(query.as_deref().unwrap_or_default());
    let reason = api.ill(&query).await;
    let health = &api.0.metrics.health;
    let counter = if reason.is_none() {
        &health.success
    } else {
        &health.failures
    };
    counter.fetch_add(1, Relaxed);
    match reason {
        None => (StatusCode::OK, health_body("true", "")).into_response(),
        Some(reason) => {
            tracing::warn!(reason, "serving /health false");
            failure(health_body("false", &reason))
        }
    }
}

fn health_body(health: &str, reason: &str) -> String {
    format!(
        "{{\"health\":\"{health}\",\"reason\":{}}}",
        serde_json::Value::from(reason)
    )
}

async fn livez(State(api): State<Api>, method: Method, RawQuery(query): RawQuery) -> Response {
    api.probe(
        "livez",
        LIVEZ,
        &method,
        &Query::parse(query.as_deref().unwrap_or_default()),
    )
    .await
}

async fn readyz(State(api): State<Api>, method: Method, RawQuery(query): RawQuery) -> Response {
    api.probe(
        "readyz",
        READYZ,
        &method,
        &Query::parse(query.as_deref().unwrap_or_default()),
    )
    .await
}

async fn livez_check(state: State<Api>, method: Method, check: Path<String>, query: RawQuery) -> Response {
    one_check(state, "livez", LIVEZ, method, check, query).await
}

async fn readyz_check(state: State<Api>, method: Method, check: Path<String>, query: RawQuery) -> Response {
    one_check(state, "readyz", READYZ, method, check, query).await
}

/// A check of its own path; what to leave out is not heeded here.
async fn one_check(
    State(api): State<Api>,
    probe: &'static str,
    checks: &[&'static str],
    method: Method,
    Path(check): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(check) = checks.iter().find(|known| **known == check) else {
        return super::not_found().await;
    };
    let mut query = Query::parse(query.as_deref().unwrap_or_default());
    query.exclude.clear();
    api.probe(probe, &[check], &method, &query).await
}

impl Api {
    async fn probe(&self, probe: &'static str, checks: &[&'static str], method: &Method, query: &Query) -> Response {
        if method != Method::GET {
            return method_not_allowed();
        }
        let (mut lines, mut failed) = (String::new(), false);
        for check in checks.iter().filter(|check| !query.excludes(check)) {
            let result = self.check(check).await;
            failed |= result.is_err();
            self.record(probe, check, result.is_ok());
            match result {
                Ok(()) => lines.push_str(&format!("[+]{check} ok\n")),
                Err(error) => lines.push_str(&format!("[-]{check} failed: {error}\n")),
            }
        }
        if failed {
            tracing::warn!(probe, lines, "health check failed");
            return failure(lines);
        }
        let head = if query.verbose { lines } else { String::new() };
        plain(StatusCode::OK, format!("{head}ok\n"))
    }

    fn record(&self, probe: &str, check: &str, ok: bool) {
        let health = &self.0.metrics.health;
        let outcome = if ok { "success" } else { "error" };
        health.check.with_label_values(&[probe, check]).set(i64::from(ok));
        health.checks.with_label_values(&[probe, check, outcome]).inc();
    }

    async fn check(&self, check: &str) -> Result<(), String> {
        match check {
            "data_corruption" => self.no_alarm(AlarmType::Corrupt),
            "serializable_read" => {
                self.not_stalled()?;
                self.readable(true).await
            }
            "linearizable_read" => self.readable(false).await,
            _ if self.member().status().is_learner => Err("learner".to_owned()),
            _ => Ok(()),
        }
    }

    fn no_alarm(&self, alarm: AlarmType) -> Result<(), String> {
        let raised = self
            .member()
            .view()
            .alarms()
            .iter()
            .any(|raised| raised.alarm() == alarm);
        if raised {
            Err(format!("alarm activated: {}", alarm.as_str_name()))
        } else {
            Ok(())
        }
    }

    /// A disk that has not answered for an election timeout can serve nobody for long.
    fn not_stalled(&self) -> Result<(), String> {
        let stalled = self.member().disk_stalled_for();
        if stalled < self.member().config().election_timeout {
            return Ok(());
        }
        Err(format!("the disk of the raft log has not answered for {stalled:?}"))
    }

    async fn readable(&self, serializable: bool) -> Result<(), String> {
        let range = RangeRequest {
            keys_only: true,
            limit: 1,
            serializable,
            ..Default::default()
        };
        let result = self.member().range(&self.member().itself(), range).await;
        result
            .map(drop)
            .map_err(|error| status::read(error).message().to_owned())
    }

    /// Why `/health` says false, or nothing: alarms, then leader, then a read.
    async fn ill(&self, query: &Query) -> Option<String> {
        let alarms = self.member().view().alarms();
        if let Some(alarm) = alarms.iter().find(|alarm| !query.excludes(alarm.alarm().as_str_name())) {
            let known = alarm.alarm() != AlarmType::None;
            return Some(format!(
                "ALARM {}",
                if known { alarm.alarm().as_str_name() } else { "UNKNOWN" }
            ));
        }
        if !query.serializable && self.member().leader().is_none() {
            return Some("RAFT NO LEADER".to_owned());
        }
        let read = self.readable(query.serializable).await;
        read.err().map(|error| format!("RANGE ERROR:{error}"))
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    exclude: Vec<String>,
    verbose: bool,
    serializable: bool,
}

impl Query {
    fn parse(query: &str) -> Self {
        let mut parsed = Query::default();
        for pair in query.split('&') {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("exclude", check) if !check.is_empty() => parsed.exclude.push(check.to_owned()),
                ("verbose", _) => parsed.verbose = true,
                ("serializable", value) => parsed.serializable = value == "true",
                _ => {}
            }
        }
        parsed
    }

    fn excludes(&self, check: &str) -> bool {
        self.exclude.iter().any(|excluded| excluded == check)
    }
}

/// Go's http.Error ends its text with a new line.
fn failure(text: String) -> Response {
    plain(StatusCode::SERVICE_UNAVAILABLE, format!("{text}\n"))
}

pub(super) fn method_not_allowed() -> Response {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n".to_owned());
    response
        .headers_mut()
        .insert(header::ALLOW, axum::http::HeaderValue::from_static("GET"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excludes_add_up_and_empty_ones_do_not_count() {
        let query = Query::parse("exclude=a&exclude=b&exclude=&verbose");
        assert!(query.excludes("a") && query.excludes("b") && !query.excludes(""));
        assert!(query.verbose);
    }

    #[test]
    fn the_reason_is_escaped_json() {
        assert_eq!(
            health_body("false", "a\"b"),
            "{\"health\":\"false\",\"reason\":\"a\\\"b\"}"
        );
    }
}
