//! The operator: what it is told on the command line is done.

use anyhow::Result;
use clap::Parser;
use taffrail_operator::args::{Arguments, Command};
use taffrail_operator::{backup, copy, rbac, run};

fn main() -> Result<()> {
    let Arguments { command, run } = Arguments::parse();
    match command {
        None | Some(Command::Run) => run::run(run),
        Some(Command::Crd) => print(run::kinds()?),
        Some(Command::Rbac { namespaced }) => print(rbac::yaml(namespaced)?),
        Some(Command::Copy { from, to }) => {
            let copy::Copied { files, bytes, already } = copy::copy(&from, &to)?;
            let when = if already { "had been" } else { "were" };
            print(format!("{files} files, {bytes} bytes {when} copied\n"))
        }
        Some(Command::Backup(backup)) => std::process::exit(backup::run::run(&backup, &run)),
    }
}

fn print(text: String) -> Result<()> {
    use std::io::Write;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
