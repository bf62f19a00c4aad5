//! A cluster for an ordinary test: on loopback, without any rights. What goes wrong ends the test.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::start::{Cluster, Layout};
use crate::client::Client;
use crate::{Exit, program, wait};

/// Lines of a member's log shown when a test fails.
const LOG_LINES_SHOWN: usize = 40;

/// How a plain cluster is made.
#[derive(Default)]
pub struct PlainBuilder {
    /// The program under test, if it is none other.
    program: Option<PathBuf>,
    founders: usize,
    spare: usize,
    args: Vec<String>,
    secure_peers: usize,
}

/// Everything a [`Cluster`] is, with clients of its members.
pub struct Plain {
    cluster: Cluster,
    clients: Vec<Client>,
    _folder: TempDir,
}

impl PlainBuilder {
    pub fn program(mut self, program: &Path) -> Self {
        self.program = Some(program.to_path_buf());
        self
    }
    /// Slots for members to come.
    pub fn spare(mut self, spare: usize) -> Self {
        self.spare = spare;
        self
    }
    /// One more flag for every member, as `--name=value`.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// The first `members` speak TLS with their peers, by these flags.
    pub fn secure_peers(mut self, members: usize, flags: impl IntoIterator<Item = String>) -> Self {
        self.secure_peers = members;
        self.args.extend(flags);
        self
    }

    /// Starts the founders and waits until each serves.
    pub async fn start(self) -> Plain {
        let founders = self.founders;
        let mut plain = self.build();
        (0..founders).for_each(|member| plain.run(member));
        let healthy = plain.wait_until_healthy(wait::PATIENCE).await;
        healthy.expect("the cluster comes up");
        plain
    }

    /// The cluster before its members are started.
    pub fn build(self) -> Plain {
        let folder = tempfile::tempdir().expect("a temp folder can be made");
        let layout = Layout {
            program: self.program.unwrap_or_else(|| program::taffrail().to_path_buf()),
            members: self.founders + self.spare,
            args: self.args,
            dir: folder.path().to_path_buf(),
            disk_bytes: 0,
            secure_peers: self.secure_peers,
        };
        let cluster = Cluster::on_loopback(layout, self.founders).expect("the temp folder is writable");
        let address = |url: String| url.trim_start_matches("http://").to_owned();
        let clients = cluster.client_urls().into_iter().map(|url| Client::new(address(url)));
        Plain {
            clients: clients.collect(),
            cluster,
            _folder: folder,
        }
    }
}

impl Plain {
    pub fn of(founders: usize) -> PlainBuilder {
        PlainBuilder {
            founders,
            ..PlainBuilder::default()
        }
    }
    pub async fn three() -> Self {
        Self::of(3).start().await
    }

    pub fn client(&self, member: usize) -> &Client {
        &self.clients[member]
    }

    pub fn run(&mut self, member: usize) {
        self.start(member).expect("the program under test can be run");
    }
    /// Starts a member and waits until it tells its status: a learner does no more.
    pub async fn run_until_up(&mut self, member: usize) {
        self.run(member);
        self.until_up(member).await;
    }
    pub async fn until_up(&self, member: usize) {
        let url = self.client_url(member);
        wait::until("the member to be up", async || super::status(&url).await.ok()).await;
    }

    /// Who leads, and the others.
    pub async fn roles(&self) -> (usize, Vec<usize>) {
        let leader = wait::until("a leader", async || self.leader().await).await;
        let awake = self.awake().into_iter();
        (leader, awake.filter(|member| *member != leader).collect())
    }

    /// Waits for a member to end by itself.
    pub async fn exit(&mut self, member: usize) -> Exit {
        let process = &mut self.cluster.processes[member];
        let ended = wait::until("the member to end", async || process.ended()).await;
        Exit {
            code: ended.status.code(),
            log: self.log(member),
        }
    }
    /// Starts what must not come up, and waits until it has given up.
    pub async fn run_in_vain(&mut self, member: usize) -> Exit {
        self.run(member);
        self.exit(member).await
    }
}

impl Deref for Plain {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl DerefMut for Plain {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for member in 0..self.slots() {
            let log = self.log(member);
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
            eprintln!("---- log of m{} ----\n{tail}", member + 1);
        }
    }
}
