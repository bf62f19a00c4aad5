//! The sub-commands that work on snapshot files, of ours and of etcd's tools.

use std::path::Path;
use std::process::Command;

use crate::{Exit, Member, program};

/// Runs a program to its end.
pub fn run(program: &Path, args: &[&str]) -> Exit {
    let output = Command::new(program)
        .args(args)
        .output()
        .expect("the program can be run");
    let log = [output.stdout, output.stderr].concat();
    Exit {
        code: output.status.code(),
        log: String::from_utf8_lossy(&log).into_owned(),
    }
}

impl Exit {
    /// What was printed by a program that must succeed.
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.log);
        self.log
    }
}

/// The program that has `snapshot restore`: our own, or etcd's tool beside etcd.
pub fn snapshot_tool() -> Option<std::path::PathBuf> {
    if program::is_ours() {
        Some(program::taffrail().to_path_buf())
    } else {
        program::tool("etcdutl")
    }
}

impl Member {
    /// Fills the data folder, before the first start, from a snapshot file.
    pub fn restore(&self, tool: &Path, snapshot: &Path, more: &[&str]) -> Exit {
        let (snapshot, data_dir) = (
            snapshot.display().to_string(),
            format!("--data-dir={}", self.data_dir().display()),
        );
        let flags = self.founding_flags();
        let mut args = vec!["snapshot", "restore", &snapshot, &data_dir];
        args.extend(flags.iter().map(String::as_str));
        args.extend(more);
        run(tool, &args)
    }
}
