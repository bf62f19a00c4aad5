//! `etcdutl`: etcd's tool for snapshot files and stopped members, as another name of this program.
//!
//! One command restores a snapshot in an image of ours and in one of stock etcd. Always holds: by this name no member
//! is ever started.

use std::path::Path;
use std::process::ExitCode;

use crate::{offline, snapshot, version};

const NAME: &str = "etcdutl";
const KNOWN: &str = "etcdutl: knows snapshot restore, snapshot status, hashkv, defrag and version; taffrail knows more";

/// Whether the program was called by this name.
pub fn is_meant(program: Option<&str>) -> bool {
    let name = program.map(Path::new).and_then(Path::file_name);
    name.is_some_and(|name| name == NAME)
}

pub fn run(words: &[String]) -> ExitCode {
    match words.first().map(String::as_str) {
        Some("snapshot") => snapshot::run(words),
        Some("hashkv") => snapshot::run(&in_our_words(&["snapshot", "hashkv"], words)),
        Some("defrag") => offline::run(&in_our_words(&["defragment"], words)),
        Some("version" | "--version") => version::print(),
        _ => {
            eprintln!("{KNOWN}");
            ExitCode::FAILURE
        }
    }
}

/// Our words in place of the first.
fn in_our_words(ours: &[&str], words: &[String]) -> Vec<String> {
    let ours = ours.iter().map(|word| (*word).to_owned());
    ours.chain(words.iter().skip(1).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_alone_makes_it_etcds_tool() {
        for (program, meant) in [
            ("/usr/local/bin/etcdutl", true),
            ("etcdutl", true),
            ("/usr/local/bin/etcd", false),
            ("/etcdutl/taffrail", false),
        ] {
            assert_eq!(is_meant(Some(program)), meant, "{program}");
        }
        assert!(!is_meant(None));
    }

    #[test]
    fn a_command_is_said_in_our_words() {
        let words = ["hashkv", "file", "--rev", "7"].map(String::from);
        let ours = in_our_words(&["snapshot", "hashkv"], &words);
        assert_eq!(ours.join(" "), "snapshot hashkv file --rev 7");
    }
}
