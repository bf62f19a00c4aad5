//! Where a member lives: its addresses, and how a program is started there.

use std::path::Path;
use std::process::Command;

use super::network::Network;
use crate::ports;

pub enum Place {
    /// Client and peer port of every member; the first few speak TLS with their peers.
    Loopback {
        ports: Vec<(u16, u16)>,
        secure_peers: usize,
    },
    World(Network),
}

impl Place {
    pub fn loopback(members: usize, secure_peers: usize) -> Self {
        let ports = (0..members).map(|_| (ports::free(), ports::free())).collect();
        Self::Loopback { ports, secure_peers }
    }

    pub fn client_url(&self, member: usize) -> String {
        match self {
            Self::Loopback { ports, .. } => format!("http://127.0.0.1:{}", ports[member].0),
            Self::World(_) => format!("http://{}:2379", Network::client_ip(member)),
        }
    }

    pub fn peer_url(&self, member: usize) -> String {
        match self {
            Self::Loopback { ports, secure_peers } => {
                let scheme = if member < *secure_peers { "https" } else { "http" };
                format!("{scheme}://127.0.0.1:{}", ports[member].1)
            }
            Self::World(_) => format!("http://{}:2380", Network::peer_ip(member)),
        }
    }

    pub fn command(&self, member: usize, program: &Path) -> Command {
        match self {
            Self::Loopback { .. } => Command::new(program),
            Self::World(network) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &network.namespace(member)]).arg(program);
                command
            }
        }
    }
}
