//! `taffrail gateway start`: one address for all members, by copying bytes.
//!
//! Enters: connections. Leaves: the same bytes at some member, and its answers. Always holds: nothing is looked into; a
//! member that cannot be reached is left alone until it could be dialled again; connections have a bound.

mod copy;
mod pick;
mod start;
mod targets;

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::config::duration;
use crate::{args, telemetry};

#[derive(Parser)]
#[command(name = "taffrail", about = "gateway related command")]
struct Cli {
    #[command(subcommand)]
    top: Top,
}

#[derive(Subcommand)]
enum Top {
    /// gateway related command
    #[command(subcommand)]
    Gateway(Gateway),
}

#[derive(Subcommand)]
enum Gateway {
    /// start the gateway
    Start(Start),
}

#[derive(Args)]
struct Start {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:23790")]
    listen_addr: String,
    /// Members, comma-separated
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:2379")]
    endpoints: Vec<String>,
    /// Domain whose SRV records name the members
    #[arg(long, default_value = "")]
    discovery_srv: String,
    /// Suffix of the SRV service
    #[arg(long, default_value = "")]
    discovery_srv_name: String,
    /// Take SRV records without verifying the members they name
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    insecure_discovery: bool,
    /// Authorities of the members that SRV records name
    #[arg(long, default_value = "")]
    trusted_ca_file: String,
    /// Pause before a member that could not be reached is tried again
    #[arg(long, default_value = "1m", value_parser = duration::parse)]
    retry_delay: Duration,
}

/// Runs until it is told to stop.
pub fn run(words: &[String]) -> ExitCode {
    let cli: Cli = match args::parse(words) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let Top::Gateway(Gateway::Start(start)) = cli.top;
    telemetry::start_plain_log(false);
    telemetry::ended(start::run(start))
}
