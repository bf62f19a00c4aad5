//! Profiles of this process for `go tool pprof`, on the paths where etcd has them (--enable-pprof).
//!
//! What a Rust process has no word for is answered with a sentence and 501, never with an empty profile.

mod cpu;
mod heap;
mod tables;

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use taffrail_proto::profiles::Profile;

pub use heap::{Sampled, watch};
use tables::Tables;

use crate::Api;

/// Profiles that etcd has and this process does not, and why.
const MISSING: [(&str, &str); 7] = [
    ("block", "waiting is not recorded: tasks wait without holding a thread"),
    ("goroutine", "there are no goroutines in a Rust process"),
    ("mutex", "contention is not recorded"),
    ("symbol", "profiles carry their symbols with them"),
    (
        "threadcreate",
        "threads are made at start and when long reads need them; their number is go_threads under /metrics",
    ),
    (
        "trace",
        "there is no execution trace; calls are traced by --enable-distributed-tracing",
    ),
    ("goroutineleak", "there are no goroutines in a Rust process"),
];

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/debug/pprof", any(index))
        .route("/debug/pprof/", any(index))
        .route("/debug/pprof/profile", any(profile))
        .route("/debug/pprof/heap", any(heap))
        .route("/debug/pprof/allocs", any(heap))
        .route("/debug/pprof/cmdline", any(cmdline))
        .route("/debug/pprof/{name}", any(other))
}

async fn index() -> Response {
    let mut page = "<html><head><title>/debug/pprof/</title></head><body>\n<p>/debug/pprof/</p>\n<ul>\n\
                    <li><a href=\"profile?seconds=30\">profile</a>: what the processors do, for so many seconds</li>\n\
                    <li><a href=\"heap\">heap</a>: who has allocated what, and what of it is still in use</li>\n\
                    <li><a href=\"cmdline\">cmdline</a>: how the process was started</li>\n</ul>\n\
                    <p>Not here:</p>\n<ul>\n"
        .to_owned();
    for (name, why) in MISSING {
        page.push_str(&format!("<li>{name}: {why}</li>\n"));
    }
    page.push_str("</ul>\n</body></html>\n");
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

async fn cmdline() -> Response {
    let words: Vec<String> = std::env::args().collect();
    plain(StatusCode::OK, words.join("\0"))
}

async fn other(Path(name): Path<String>) -> Response {
    match MISSING.iter().find(|(missing, _)| *missing == name) {
        Some((_, why)) => plain(StatusCode::NOT_IMPLEMENTED, format!("no profile {name:?}: {why}\n")),
        None => plain(StatusCode::NOT_FOUND, "Unknown profile\n".to_owned()),
    }
}

async fn profile(RawQuery(query): RawQuery) -> Response {
    let Some(seconds) = seconds(query.as_deref().unwrap_or_default()) else {
        let sentence = format!("seconds must be a number from 1 to {}\n", cpu::SECONDS_MAX);
        return plain(StatusCode::BAD_REQUEST, sentence);
    };
    match cpu::profile(seconds).await {
        Ok(profile) => attachment("profile", profile),
        Err(error) => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("Could not enable CPU profiling: {error}\n"),
        ),
    }
}

/// What is kept since the process began.
async fn heap() -> Response {
    if !heap::is_watched() {
        let sentence = "no profile \"heap\": allocations are kept with --enable-pprof alone\n";
        return plain(StatusCode::NOT_IMPLEMENTED, sentence.to_owned());
    }
    let profile = tokio::task::spawn_blocking(|| compressed(&Tables::heap(&heap::kept())));
    match profile.await {
        Ok(Ok(profile)) => attachment("heap", profile),
        lost => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the profile was lost: {lost:?}\n"),
        ),
    }
}

fn compressed(profile: &Profile) -> std::io::Result<Vec<u8>> {
    let mut compressed = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut compressed, &profile.encode_to_vec())?;
    compressed.finish()
}

fn attachment(name: &str, profile: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, profile).into_response()
}

/// As Go does it: thirty where none is told. None for what cannot be.
fn seconds(query: &str) -> Option<u64> {
    let told = query.split('&').find_map(|pair| pair.strip_prefix("seconds="));
    let seconds = told.map_or(Some(cpu::SECONDS_DEFAULT), |told| told.parse().ok())?;
    (1..=cpu::SECONDS_MAX).contains(&seconds).then_some(seconds)
}

fn plain(code: StatusCode, text: String) -> Response {
    crate::http::plain(code, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_thirty_or_what_is_asked_for_within_bounds() {
        assert_eq!(seconds(""), Some(30));
        assert_eq!(seconds("debug=1&seconds=5"), Some(5));
        for wrong in ["seconds=0", "seconds=x", "seconds=100000"] {
            assert_eq!(seconds(wrong), None);
        }
    }
}
