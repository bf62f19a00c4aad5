//! A store of objects as S3 serves it, on this machine, where every pod reaches it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::cluster::PATIENCE;
use crate::handle::run;
use crate::relay::Relay;
use crate::{Namespace, wait};

/// The control plane's own address: see `network.rs` of the program that makes the cluster.
const HOST: &str = "10.250.0.254";
/// Where e2e/operator installs it. `TAFFRAIL_S3_SERVER` names another.
const PROGRAM: &str = "../../target/s3/bin/moto_server";
const BUCKET: &str = "backups";

/// It goes, with all that is in it, when this is dropped.
pub struct Bucket {
    server: Child,
    endpoint: String,
}

impl Bucket {
    /// Serves an empty bucket, and puts a Secret `keys` for it into the namespace.
    pub async fn begin(namespace: &Namespace) -> Self {
        let free = TcpListener::bind((HOST, 0)).and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port().to_string();
        let program = std::env::var("TAFFRAIL_S3_SERVER");
        let installed = || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(PROGRAM)
                .display()
                .to_string()
        };
        let mut command = Command::new(program.unwrap_or_else(|_| installed()));
        command.args(["-H", HOST, "-p", &port]).kill_on_drop(true);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let bucket = Self {
            server: command.spawn().expect("the server of e2e/tools/s3 is installed"),
            endpoint: format!("http://{HOST}:{port}"),
        };
        let url = format!("{}/{BUCKET}", bucket.endpoint);
        wait::until("the store serves", PATIENCE, async || {
            curl(&["-X", "PUT", &url]).await.ok()
        })
        .await;
        bucket.known_in(namespace).await;
        bucket
    }

    /// Puts its Secret into another namespace.
    pub async fn known_in(&self, namespace: &Namespace) {
        let secret = "{apiVersion: v1, kind: Secret, metadata: {name: keys}, \
                      stringData: {accessKeyId: it, secretAccessKey: secret}}";
        namespace.apply(secret).await.expect("a Secret");
    }

    /// `spec.target` of a backup.
    pub fn target(&self) -> Value {
        self.target_in(BUCKET)
    }

    /// One with another bucket, which is not there.
    pub fn target_in(&self, bucket: &str) -> Value {
        target(bucket, &self.endpoint)
    }

    /// `spec.target` by way of a relay.
    pub fn target_by(&self, relay: &Relay) -> Value {
        target(BUCKET, &format!("http://{}", relay.address))
    }

    /// A way to it that can be shut.
    pub async fn relay(&self) -> Relay {
        let to = self.endpoint.trim_start_matches("http://").to_owned();
        Relay::begin(HOST, to).await.expect("a free port")
    }

    /// Names of all objects.
    pub async fn keys(&self) -> Vec<String> {
        let listed = curl(&[&format!("{}/{BUCKET}?list-type=2", self.endpoint)])
            .await
            .expect("a list");
        let parts = listed
            .split("<Key>")
            .skip(1)
            .filter_map(|part| part.split("</Key>").next());
        parts.map(str::to_owned).collect()
    }

    /// Puts a file under a name.
    pub async fn put(&self, key: &str, file: &Path) {
        curl(&["-T", &file.display().to_string(), &self.url(key)])
            .await
            .expect("stored");
    }

    pub async fn get(&self, key: &str, file: &Path) {
        curl(&["-o", &file.display().to_string(), &self.url(key)])
            .await
            .expect("fetched");
    }

    /// One bit in the middle of an object is another one.
    pub async fn flip_a_bit(&self, key: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("object");
        self.get(key, &file).await;
        let mut bytes = std::fs::read(&file).expect("fetched");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).expect("written");
        self.put(key, &file).await;
    }

    /// It takes connections and answers nothing, until [`Bucket::goes_on`].
    pub async fn stalls(&self) {
        self.signal("STOP").await;
    }

    pub async fn goes_on(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let pid = self.server.id().expect("it runs").to_string();
        run("kill", &["-s", signal, &pid], None).await.expect("it runs");
    }

    fn url(&self, key: &str) -> String {
        format!("{}/{BUCKET}/{key}", self.endpoint)
    }
}

fn target(bucket: &str, endpoint: &str) -> Value {
    json!({"s3": {"bucket": bucket, "endpoint": endpoint, "forcePathStyle": true,
                  "credentialsSecretRef": {"name": "keys"}}})
}

async fn curl(words: &[&str]) -> Result<String, crate::Error> {
    // Who is not known may read nothing.
    let known = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "it:secret"];
    let mut all = vec!["-sSf", "--max-time", "60"];
    all.extend(known);
    all.extend(words);
    run("curl", &all, None).await
}
