//! `taffrail grpc-proxy start`: an etcd endpoint that stands before a cluster and keeps watchers from it.
//!
//! Enters: what etcd's clients ask. Leaves: what some member answers. Always holds: nobody sees by the proxy what he may
//! not see without it: tokens go through with every call, and only watchers of one token share an upstream watcher.
//! What needs no insight goes through as bytes, whatever it is.

mod args;
mod cluster;
mod config;
mod counts;
mod keys;
mod pages;
mod register;
mod relay;
mod service;
mod spaced;
mod start;
mod typed;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{args as words, telemetry};

#[derive(Parser)]
#[command(name = "taffrail", about = "grpc-proxy related command")]
struct Cli {
    #[command(subcommand)]
    top: Top,
}

#[derive(Subcommand)]
enum Top {
    /// grpc-proxy related command
    #[command(subcommand)]
    GrpcProxy(GrpcProxy),
}

#[derive(Subcommand)]
enum GrpcProxy {
    /// start the grpc proxy
    Start(Box<args::Start>),
}

/// Runs until it is told to stop.
pub fn run(words: &[String]) -> ExitCode {
    let cli: Cli = match words::parse(words) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let Top::GrpcProxy(GrpcProxy::Start(start)) = cli.top;
    telemetry::start_plain_log(start.debug);
    telemetry::ended(start::run(&start))
}
