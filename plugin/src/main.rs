//! kubectl finds it by its name: `kubectl taffrail`.

use std::process::ExitCode;

use clap::Parser;
use taffrail_plugin::args::Arguments;
use taffrail_plugin::session::Session;

#[tokio::main]
async fn main() -> ExitCode {
    // Another part of the process may have chosen already; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Arguments { at, command } = Arguments::parse();
    let done = match Session::open(&at).await {
        Ok(session) => taffrail_plugin::run(&session, command).await,
        Err(failure) => Err(failure),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
