//! The front door: parse, boot, run.

mod args;
mod boot;
mod config;
mod data_dir;
mod discovery;
mod etcdutl;
mod founding;
mod gateway;
mod grpc_proxy;
mod hex;
mod offline;
mod remote;
mod serve;
mod snapshot;
mod srv;
mod telemetry;
mod tls;
mod version;

use std::process::ExitCode;

use args::Settings;
use config::{Config, Features};
use taffrail_api::Sampled;

#[global_allocator]
static ALLOCATOR: Sampled<tikv_jemallocator::Jemalloc> = Sampled(tikv_jemallocator::Jemalloc);

/// etcd's exit code for a command line it does not understand.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut words = std::env::args();
    let program = words.next();
    let words: Vec<String> = words.collect();
    if etcdutl::is_meant(program.as_deref()) {
        return etcdutl::run(&words);
    }
    match words.first().map(String::as_str) {
        Some("gateway") => gateway::run(&words),
        Some("grpc-proxy") => grpc_proxy::run(&words),
        Some("snapshot") => snapshot::run(&words),
        Some("check" | "defragment" | "log" | "migrate") => offline::run(&words),
        Some("--version" | "-version") => version::print(),
        _ => match Settings::read(words.into_iter(), std::env::vars()) {
            Ok(settings) => member(&settings),
            Err(error) => wrong_usage(&error),
        },
    }
}

fn member(settings: &Settings) -> ExitCode {
    let spoken = std::env::var("ETCD_COMPATIBILITY_VERSION").ok();
    let result = Config::new(settings, spoken).and_then(|config| {
        telemetry::start_log(settings)?;
        for gate in Features::ignored(settings) {
            tracing::warn!("feature gate {gate} has no meaning here and is ignored");
        }
        boot::run(config, settings)
    });
    let Err(error) = result else { return ExitCode::SUCCESS };
    telemetry::last_words(&error);
    ExitCode::FAILURE
}

fn wrong_usage(error: &anyhow::Error) -> ExitCode {
    let Some(usage) = error.downcast_ref::<clap::Error>() else {
        eprintln!("taffrail: {error:#}");
        return ExitCode::FAILURE;
    };
    // Nothing is left to do if the terminal is gone.
    let _ = usage.print();
    if usage.use_stderr() {
        ExitCode::from(EXIT_USAGE)
    } else {
        ExitCode::SUCCESS
    }
}
