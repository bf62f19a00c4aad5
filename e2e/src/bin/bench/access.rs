//! How the load generator gets in: plainly, by certificate, or with a password.

use std::sync::Arc;

use clap::ValueEnum;
use rustls::ClientConfig;
use taffrail_e2e::Member;
use taffrail_e2e::certificates::{Authority, Folder, client};
use taffrail_e2e::users::ROOT;

const HERE: [&str; 2] = ["127.0.0.1", "localhost"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    Plain,
    /// Members and clients show each other certificates.
    Tls,
    /// A user with a simple token.
    Auth,
}

/// What servers and the load generator are started with.
pub struct Access {
    way: Way,
    pub server: Vec<String>,
    pub tool: Vec<String>,
    /// For the harness's own requests.
    pub config: Option<Arc<ClientConfig>>,
    _files: Option<Folder>,
}

impl Access {
    pub fn new(way: Way) -> Self {
        match way {
            Way::Plain => Access::with(way, Vec::new(), Vec::new()),
            Way::Auth => Access::with(way, Vec::new(), vec![format!("--user={ROOT}:{ROOT}")]),
            Way::Tls => Access::by_certificate(),
        }
    }

    fn with(way: Way, server: Vec<String>, tool: Vec<String>) -> Self {
        Access {
            way,
            server,
            tool,
            config: None,
            _files: None,
        }
    }

    fn by_certificate() -> Self {
        let authority = Authority::new("authority");
        let member = authority.issue("member", &HERE);
        let files = Folder::with(&member, &[&authority]);
        let mut server = files.flags("");
        server.push("--client-cert-auth=true".to_owned());
        // The same names as the server's, which the load generator shows as well.
        let shown = ["cert", "key"].map(|what| server_file(&server, &format!("--{what}-file=")));
        let [cert, key] = shown;
        let trusted = server_file(&server, "--trusted-ca-file=");
        let tool = vec![
            format!("--cert={cert}"),
            format!("--key={key}"),
            format!("--cacert={trusted}"),
        ];
        Access {
            config: Some(client(&[&authority], Some(&member))),
            _files: Some(files),
            ..Access::with(Way::Tls, server, tool)
        }
    }

    /// With `https` where it must be said.
    pub fn endpoint(&self, address: String) -> String {
        match self.way {
            Way::Tls => format!("https://{address}"),
            _ => address,
        }
    }

    /// Makes the user and switches authentication on.
    pub async fn prepare(&self, member: &Member) {
        if self.way == Way::Auth {
            member.enable_auth(&[(ROOT, ROOT)]).await;
        }
    }
}

fn server_file(flags: &[String], flag: &str) -> String {
    let found = flags.iter().find_map(|given| given.strip_prefix(flag));
    found.unwrap_or_default().to_owned()
}
