//! The command line; every flag has a variable of the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::context::Settings;

/// Keeps EtcdClusters as they were declared.
#[derive(Parser, Debug)]
#[command(name = "taffrail-operator", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: Run,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Runs the operator; what is done without a command.
    Run,
    /// Prints the definitions of the kinds as YAML.
    Crd,
    /// Prints the roles that the operator needs as YAML.
    Rbac {
        /// For certain namespaces alone, instead of the whole Kubernetes cluster.
        #[arg(long)]
        namespaced: bool,
    },
    /// Copies a data directory whole, and marks the copy once it is safe on the disk.
    Copy { from: PathBuf, to: PathBuf },
    /// Does one work of a backup or a restore, as TAFFRAIL_REQUEST or a file says. Ends with 78 if another attempt
    /// would fail alike.
    Backup(Backup),
}

#[derive(Args, Clone, Debug, Default)]
pub struct Backup {
    /// A file with the request, instead of the variable.
    #[arg(long)]
    pub request: Option<PathBuf>,
    /// Where the outcome is written. Default: /dev/termination-log, if its folder is there.
    #[arg(long)]
    pub outcome: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub struct Run {
    /// Namespaces whose EtcdClusters are kept, separated by commas. Default: all.
    #[arg(
        long,
        env = "TAFFRAIL_OPERATOR_WATCH_NAMESPACES",
        value_delimiter = ',',
        global = true
    )]
    pub watch_namespaces: Vec<String>,
    /// Image of members without a tag: the tag is the version.
    #[arg(long, env = "TAFFRAIL_OPERATOR_IMAGE_REPOSITORY", default_value_t = Settings::default().image_repository, global = true)]
    pub image_repository: String,
    /// The operator's own image, which copies volumes before a quorum is recovered.
    #[arg(long, env = "TAFFRAIL_OPERATOR_OPERATOR_IMAGE", global = true)]
    pub operator_image: Option<String>,
    /// Domain of the Kubernetes cluster's services. Default: what /etc/resolv.conf tells.
    #[arg(long, env = "TAFFRAIL_OPERATOR_CLUSTER_DOMAIN", global = true)]
    pub cluster_domain: Option<String>,
    /// Members listen on IPv6 addresses (and on IPv4 ones, where there are both).
    #[arg(long, env = "TAFFRAIL_OPERATOR_IPV6", global = true)]
    pub ipv6: bool,
    /// Only one of several operators acts at a time.
    #[arg(long, env = "TAFFRAIL_OPERATOR_LEADER_ELECT", global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set)]
    pub leader_elect: bool,
    /// Where the Lease is that they agree by. Default: the operator's own namespace.
    #[arg(long, env = "TAFFRAIL_OPERATOR_LEASE_NAMESPACE", global = true)]
    pub lease_namespace: Option<String>,
    #[arg(long, env = "TAFFRAIL_OPERATOR_HEALTH_ADDRESS", default_value = ":8081", value_parser = address, global = true)]
    pub health_address: SocketAddr,
    #[arg(long, env = "TAFFRAIL_OPERATOR_METRICS_ADDRESS", default_value = ":8080", value_parser = address, global = true)]
    pub metrics_address: SocketAddr,
    /// error, warn, info, debug or trace; also per module, as `info,taffrail_operator=debug`.
    #[arg(long, env = "TAFFRAIL_OPERATOR_LOG_LEVEL", default_value = "info", global = true)]
    pub log_level: String,
    #[arg(
        long,
        env = "TAFFRAIL_OPERATOR_LOG_FORMAT",
        default_value = "json",
        value_enum,
        global = true
    )]
    pub log_format: LogFormat,
    /// Between two looks at a cluster in which nothing happens: 90s, 5m, 1h.
    #[arg(long, env = "TAFFRAIL_OPERATOR_RESYNC", default_value = "5m", value_parser = duration, global = true)]
    pub resync: Duration,
    /// Between two questions to members how they are.
    #[arg(long, env = "TAFFRAIL_OPERATOR_HEALTH_INTERVAL", default_value = "5s", value_parser = duration, global = true)]
    pub health_interval: Duration,
    /// How long applications have to load a new certificate authority, before and after it signs.
    #[arg(long, env = "TAFFRAIL_OPERATOR_AUTHORITY_OVERLAP", default_value = "24h", value_parser = duration, global = true)]
    pub authority_overlap: Duration,
    /// Clusters that are worked on at a time.
    #[arg(long, env = "TAFFRAIL_OPERATOR_CONCURRENCY", default_value_t = 8, global = true)]
    pub concurrency: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Json,
    Text,
}

impl Run {
    /// `resolv_conf`: what is in `/etc/resolv.conf`.
    pub fn settings(&self, resolv_conf: &str) -> Settings {
        let domain = self.cluster_domain.clone().or_else(|| domain_in(resolv_conf));
        let default = Settings::default();
        Settings {
            image_repository: self.image_repository.clone(),
            operator_image: self.operator_image.clone().filter(|image| !image.is_empty()),
            cluster_domain: domain.unwrap_or(default.cluster_domain),
            ipv6: self.ipv6,
            authority_overlap: self.authority_overlap,
            resync: self.resync,
        }
    }

    /// None: all of them.
    pub fn namespaces(&self) -> Vec<Option<String>> {
        let named = self
            .watch_namespaces
            .iter()
            .map(|name| name.trim())
            .filter(|name| !name.is_empty());
        let mut named: Vec<_> = named.map(|name| Some(name.to_owned())).collect();
        named.sort();
        named.dedup();
        if named.is_empty() { vec![None] } else { named }
    }
}

/// A pod searches `NAMESPACE.svc.DOMAIN svc.DOMAIN DOMAIN`.
fn domain_in(resolv_conf: &str) -> Option<String> {
    let search = resolv_conf
        .lines()
        .filter_map(|line| line.trim().strip_prefix("search"))
        .next_back()?;
    let domain = search.split_whitespace().find_map(|name| name.strip_prefix("svc."))?;
    Some(domain.trim_end_matches('.').to_owned())
}

/// `:8080` means every address, of both families where there are both.
fn address(text: &str) -> Result<SocketAddr, String> {
    let full = match text.strip_prefix(':') {
        Some(port) => format!("[::]:{port}"),
        None => text.to_owned(),
    };
    full.parse()
        .map_err(|_| format!("{text} is no address with a port: write :8080 or 127.0.0.1:8080"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    let duration = Duration::try_from(span).map_err(|_| "must not be negative".to_owned())?;
    if duration.is_zero() {
        Err("must not be zero".into())
    } else {
        Ok(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(flags: &[&str]) -> Run {
        Arguments::try_parse_from(["taffrail-operator"].iter().chain(flags))
            .unwrap()
            .run
    }

    #[test]
    fn the_command_line_holds_together() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
        assert!(Arguments::try_parse_from(["o", "run", "--resync", "1h"]).is_ok());
        assert!(Arguments::try_parse_from(["o", "--health-interval", "0s"]).is_err());
        for (words, elects) in [(&["--leader-elect"] as &[_], true), (&["--leader-elect=false"], false), (&[], false)] {
            assert_eq!(run(words).leader_elect, elects, "{words:?}");
        }
    }

    #[test]
    fn the_domain_is_what_pods_search() {
        let table = [
            (
                "search a.svc.example.org svc.example.org example.org\nnameserver 1.2.3.4",
                "example.org",
            ),
            ("nameserver 1.2.3.4\nsearch home.lan", "cluster.local"),
            ("", "cluster.local"),
        ];
        for (text, expected) in table {
            assert_eq!(run(&[]).settings(text).cluster_domain, expected, "{text}");
        }
        assert_eq!(
            run(&["--cluster-domain", "x.y"]).settings(table[0].0).cluster_domain,
            "x.y"
        );
    }

    #[test]
    fn namespaces_are_named_once_or_all_are_meant() {
        assert_eq!(run(&[]).namespaces(), [None]);
        let named = run(&["--watch-namespaces", "b, a,b"]).namespaces();
        assert_eq!(named, [Some("a".to_owned()), Some("b".to_owned())]);
    }

    #[test]
    fn addresses_and_durations_are_read_as_people_write_them() {
        let run = run(&["--metrics-address", "127.0.0.1:9", "--authority-overlap", "90m"]);
        assert_eq!(run.metrics_address.to_string(), "127.0.0.1:9");
        assert_eq!(run.health_address.to_string(), "[::]:8081");
        assert_eq!(run.authority_overlap, Duration::from_secs(5400));
    }
}
