//! A real Prometheus (Debian's package), within the cluster's namespaces.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::handle::run;
use crate::wait;

const PATIENCE: Duration = Duration::from_secs(60);

/// Ends when it goes.
pub struct Prometheus {
    url: String,
    _process: Child,
    _folder: TempDir,
}

impl Prometheus {
    /// Panics if `config` is refused. `port`: a free one.
    pub async fn start(config: &str, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder for its files");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("prometheus.yml"), config).expect("a file");
        let checked = run("promtool", &["check", "config", &path("prometheus.yml")], None).await;
        checked.expect("the configuration is valid");
        let address = format!("127.0.0.1:{port}");
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", path("tsdb")))
            .arg(format!("--web.listen-address={address}"))
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("Debian's package prometheus is installed");
        let this = Self {
            url: format!("http://{address}"),
            _process: process,
            _folder: folder,
        };
        wait::until("Prometheus is ready", PATIENCE, async || {
            this.get("/-/ready", &[]).await
        })
        .await;
        this
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Option<String> {
        let url = format!("{}{path}", self.url);
        let parameters: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut words = vec!["-sG", "--max-time", "30", &url];
        parameters
            .iter()
            .for_each(|one| words.extend(["--data-urlencode", one]));
        run("curl", &words, None).await.ok()
    }

    /// The answer's `data`. Panics if the expression is refused.
    pub async fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let text = self.get(path, parameters).await.expect("Prometheus answers");
        let answer: Value = serde_json::from_str(&text).expect("it answers in JSON");
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
        answer["data"].clone()
    }

    /// The series of an expression, now.
    pub async fn query(&self, expression: &str) -> Vec<Value> {
        let data = self.api("/api/v1/query", &[("query", expression)]).await;
        data["result"].as_array().cloned().unwrap_or_default()
    }

    /// The same over the last `seconds`, one value each second.
    pub async fn range(&self, expression: &str, seconds: u64) -> Vec<Value> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_secs());
        let (start, end) = ((now - seconds).to_string(), now.to_string());
        let parameters = [("query", expression), ("start", &start), ("end", &end), ("step", "1")];
        let data = self.api("/api/v1/query_range", &parameters).await;
        data["result"].as_array().cloned().unwrap_or_default()
    }

    pub fn file(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}
