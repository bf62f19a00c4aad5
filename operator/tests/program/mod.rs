//! One member as a program of its own: `MEMBER_PROGRAM` says which, `MEMBER_PORT` the first port it may use.
#![allow(dead_code, reason = "every test crate uses its own part of it")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use taffrail_operator::etcd::{Etcd, EtcdClient};

/// Ends with its owner.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn port() -> u16 {
    std::env::var("MEMBER_PORT").map_or(23790, |port| port.parse().expect("a port"))
}

/// Clients are served on `port`, members on the next, metrics on the one after.
pub fn start(directory: &Path, port: u16, more: &[&str]) -> Running {
    let program = std::env::var("MEMBER_PROGRAM").expect("MEMBER_PROGRAM names an etcd");
    let url = |offset: u16| format!("http://127.0.0.1:{}", port + offset);
    let args = [
        ("--name", "m0".to_owned()),
        ("--data-dir", directory.display().to_string()),
        ("--listen-client-urls", url(0)),
        ("--advertise-client-urls", url(0)),
        ("--listen-peer-urls", url(1)),
        ("--initial-advertise-peer-urls", url(1)),
        ("--initial-cluster", format!("m0={}", url(1))),
        ("--listen-metrics-urls", url(2)),
    ];
    let mut command = Command::new(program);
    for (flag, value) in &args {
        command.arg(flag).arg(value);
    }
    command.args(more);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Running(child.expect("the program starts"))
}

pub async fn until_ready(client: &EtcdClient, port: u16) {
    let metrics = format!("http://127.0.0.1:{}", port + 2);
    for _ in 0..300 {
        if client.ready(&metrics).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not ready within 30 s");
}
