//! A real Kubernetes on this machine, in namespaces of its own: no daemon, registry or network is needed.

mod addons;
mod args;
mod cgroup;
mod component;
mod control;
mod down;
mod host;
mod images;
mod kubeconfig;
mod network;
mod node;
mod pki;
mod provision;
mod space;
mod state;
mod up;
mod wait;

use std::process::ExitCode;

use anyhow::Result;
use args::{Args, Command};
use clap::Parser;
use state::State;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("kubernetes: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<ExitCode> {
    let state = State::at(&args.state)?;
    match args.command {
        Command::Up(wishes) => up::begin(&state, wishes),
        Command::Down { wipe } => down::down(&state, wipe),
        Command::Load { archives } => space::inside(&state, || images::load(&state, &archives)),
        Command::Start { name } => space::inside(&state, || component::start_again(&state, &name)),
        Command::Stop { name, signal } => space::inside(&state, || component::stop(&state, &name, &signal)),
        Command::Kubectl { words } => space::run(&state, "kubectl", &words),
        Command::Run { words } => space::run(&state, &words[0], &words[1..]),
        Command::On { node, words } => space::inside(&state, || space::on(&state, &node, &words)),
        Command::Provision => provision::run(&state),
        Command::Inside => up::go_on(&state),
    }
}
