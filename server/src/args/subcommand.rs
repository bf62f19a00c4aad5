//! Command lines of etcd's sub-commands.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

/// What the words say, or how the process ends: as etcd's sub-commands end, not as etcd itself does.
pub fn parse<C: Parser>(words: &[String]) -> Result<C, ExitCode> {
    let program = std::iter::once("taffrail");
    C::try_parse_from(program.chain(words.iter().map(String::as_str))).map_err(|usage| {
        // Nothing is left to do if the terminal is gone.
        let _ = usage.print();
        // Who says no sub-command is told which there are, and that is no failure to etcd.
        let is_lost = usage.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        if usage.use_stderr() && !is_lost {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    })
}
