//! `--version`: the first line is etcd's, because scripts read it.

use std::process::ExitCode;

use crate::config::ETCD_VERSION;

pub fn print() -> ExitCode {
    let spoken = std::env::var("ETCD_COMPATIBILITY_VERSION").unwrap_or_else(|_| ETCD_VERSION.to_owned());
    println!("etcd Version: {spoken}");
    println!("Git SHA: {}", option_env!("TAFFRAIL_GIT_SHA").unwrap_or("unknown"));
    println!("Go Version: none");
    println!("Go OS/Arch: {}/{}", std::env::consts::OS, std::env::consts::ARCH);
    println!("Taffrail Version: {}", env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}
