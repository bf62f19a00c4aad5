//! A member that is told where to look for the others.

use std::path::Path;
use std::process::Command;

use taffrail_e2e::aside::Aside;
use taffrail_e2e::{Client, ports, program};

pub struct Founder {
    pub process: Aside,
    pub client: Client,
    pub peer_url: String,
}

pub const READY: &str = "ready to serve client requests";

/// Starts `name` in its folder below `folder`.
pub fn start(folder: &Path, name: &str, flags: &[String]) -> Founder {
    let (client, peer) = (ports::free(), ports::free());
    let (client_url, peer_url) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let mut command = Command::new(program::taffrail());
    command.args([
        format!("--name={name}"),
        format!("--data-dir={}", folder.join(name).display()),
        format!("--listen-client-urls={client_url}"),
        format!("--advertise-client-urls={client_url}"),
        format!("--listen-peer-urls={peer_url}"),
        format!("--initial-advertise-peer-urls={peer_url}"),
    ]);
    let process = Aside::of(command.args(flags));
    let client = Client::new(format!("127.0.0.1:{client}"));
    Founder {
        process,
        client,
        peer_url,
    }
}
