//! One member as a process of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustls::ClientConfig;
use tempfile::TempDir;

use crate::client::Client;
use crate::{ports, program, wait};

const READY: &str = "ready to serve client requests";
/// Lines of the log shown when a test fails.
const LOG_LINES_SHOWN: usize = 60;

/// How a member is started.
#[derive(Default)]
pub struct MemberBuilder {
    /// The program under test, if it is none other.
    program: Option<PathBuf>,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    data_dir: Option<PathBuf>,
    metrics: bool,
    /// What is spoken at the client port; plain if nothing is said.
    schemes: Vec<&'static str>,
    tls: Option<Arc<ClientConfig>>,
    secure_peer: bool,
}

/// A member; killed when it is dropped.
pub struct Member {
    program: PathBuf,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    folder: TempDir,
    data_dir: PathBuf,
    client_port: u16,
    peer_port: u16,
    metrics_port: Option<u16>,
    schemes: Vec<&'static str>,
    secure_peer: bool,
    child: Option<Child>,
    runs: u32,
    client: Client,
}

/// How a member ended by itself.
#[derive(Debug)]
pub struct Exit {
    pub code: Option<i32>,
    pub log: String,
}

impl MemberBuilder {
    pub fn program(mut self, program: &Path) -> Self {
        self.program = Some(program.to_path_buf());
        self
    }
    /// One more flag, as `--name=value`.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }
    /// One more variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }
    /// Starts on a folder that outlives the member.
    pub fn data_dir(mut self, dir: &Path) -> Self {
        self.data_dir = Some(dir.to_path_buf());
        self
    }
    /// The client port speaks TLS, and so does the member's own client.
    pub fn secure(mut self, config: Arc<ClientConfig>) -> Self {
        self.schemes.insert(0, "https");
        self.tls = Some(config);
        self
    }
    /// The peer port speaks TLS.
    pub fn secure_peer(mut self) -> Self {
        self.secure_peer = true;
        self
    }
    /// The client port speaks plainly, maybe beside TLS.
    pub fn plain(mut self) -> Self {
        self.schemes.push("http");
        self
    }
    /// Several flags, each as `--name=value`.
    pub fn flags(mut self, flags: impl IntoIterator<Item = String>) -> Self {
        self.args.extend(flags);
        self
    }
    /// A listener of its own for metrics and health.
    pub fn metrics(mut self) -> Self {
        self.metrics = true;
        self
    }

    /// Starts the member and waits until it serves.
    pub async fn start(self) -> Member {
        let mut member = self.build();
        member.start().await;
        member
    }

    /// Starts what must not come up, and waits until it has given up.
    pub async fn start_in_vain(self) -> Exit {
        let mut member = self.build();
        member.spawn();
        member.exit().await
    }

    /// The member before its first start.
    pub fn build(self) -> Member {
        let folder = tempfile::Builder::new()
            .prefix("taffrail-e2e-")
            .tempdir()
            .expect("the temp folder is writable");
        let client_port = ports::free();
        let address = format!("127.0.0.1:{client_port}");
        let plain = self.schemes.is_empty();
        Member {
            secure_peer: self.secure_peer,
            schemes: if plain { vec!["http"] } else { self.schemes },
            program: self.program.unwrap_or_else(|| program::taffrail().to_path_buf()),
            args: self.args,
            variables: self.variables,
            data_dir: self.data_dir.unwrap_or_else(|| folder.path().join("data")),
            folder,
            client_port,
            peer_port: ports::free(),
            metrics_port: self.metrics.then(ports::free),
            child: None,
            runs: 0,
            client: match self.tls {
                Some(config) => Client::secure(address, config),
                None => Client::new(address),
            },
        }
    }
}

impl Member {
    /// A fresh single member.
    pub async fn fresh() -> Self {
        Self::builder().start().await
    }
    pub fn builder() -> MemberBuilder {
        MemberBuilder::default()
    }

    pub fn metrics_address(&self) -> Option<String> {
        self.metrics_port.map(|port| format!("127.0.0.1:{port}"))
    }
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }
    /// What this run of the member has logged.
    pub fn log(&self) -> String {
        std::fs::read(self.log_path()).map_or(String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    /// Starts the member, again if it ran before, on the same ports and data.
    pub async fn start(&mut self) {
        if let Err(exit) = self.try_start().await {
            panic!(
                "the member ended with {:?} instead of serving\n{}",
                exit.code,
                self.log_tail()
            );
        }
    }

    /// Starts a member that may refuse to.
    pub async fn try_start(&mut self) -> Result<(), Exit> {
        self.spawn();
        wait::until("the member to be ready", async || {
            if let Some(status) = self.ended() {
                return Some(Err(Exit {
                    code: status.code(),
                    log: self.log(),
                }));
            }
            self.log().contains(READY).then_some(Ok(()))
        })
        .await
    }

    /// No chance to clean up: what was not on disk is gone.
    pub fn kill_nine(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and how the member ended.
    pub async fn terminate(&mut self) -> Exit {
        self.signal("TERM");
        self.exit().await
    }

    pub async fn restart(&mut self) {
        let exit = self.terminate().await;
        assert!(
            exit.code.is_none_or(|code| code == 0),
            "a member asked to stop failed: {exit:?}"
        );
        self.start().await;
    }

    pub fn signal(&self, name: &str) {
        let pid = self.pid().expect("the member runs").to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send SIG{name}");
    }

    /// Waits for the member to end by itself.
    pub async fn exit(&mut self) -> Exit {
        let status = wait::until("the member to end", async || self.ended()).await;
        Exit {
            code: status.code(),
            log: self.log(),
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(status)
    }

    fn spawn(&mut self) {
        assert!(self.child.is_none(), "the member runs already");
        self.runs += 1;
        let log = File::create(self.log_path()).expect("the temp folder is writable");
        let errors = log.try_clone().expect("a file handle can be doubled");
        let mut command = Command::new(&self.program);
        command
            .args(self.flags())
            .args(&self.args)
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        self.child = Some(command.spawn().expect("the program under test can be run"));
    }

    fn flags(&self) -> Vec<String> {
        let urls = self
            .schemes
            .iter()
            .map(|scheme| format!("{scheme}://127.0.0.1:{}", self.client_port));
        let client = urls.collect::<Vec<_>>().join(",");
        let peer = self.peer_url();
        let mut flags = vec![
            format!("--data-dir={}", self.data_dir.display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
        ];
        flags.extend(self.founding_flags());
        flags.extend(
            self.metrics_port
                .map(|port| format!("--listen-metrics-urls=http://127.0.0.1:{port}")),
        );
        flags
    }

    /// Who the member is in its cluster: also what restoring a snapshot asks for.
    pub fn founding_flags(&self) -> Vec<String> {
        let peer = self.peer_url();
        vec![
            "--name=m1".to_owned(),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=m1={peer}"),
            "--initial-cluster-token=e2e".to_owned(),
        ]
    }

    fn peer_url(&self) -> String {
        let scheme = if self.secure_peer { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.peer_port)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join(format!("log-{}.txt", self.runs))
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

/// A member is asked as its client is.
impl std::ops::Deref for Member {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill_nine();
        if std::thread::panicking() {
            eprintln!("---- log of the member, run {} ----\n{}", self.runs, self.log_tail());
        }
    }
}
