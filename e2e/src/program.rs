//! Where the programs are that tests run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The program under test: `TAFFRAIL_BIN`, or `taffrail` of the same build as this test.
pub fn taffrail() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| std::env::var_os("TAFFRAIL_BIN").map_or_else(build, PathBuf::from))
}

/// Whether the program under test is ours, not etcd run to check the tests themselves.
pub fn is_ours() -> bool {
    taffrail().file_name().is_some_and(|name| name == "taffrail")
}

/// A program that `e2e/tools/build` makes, if it was built.
pub fn tool(name: &str) -> Option<PathBuf> {
    let default = || profile_dir().parent().map(|target| target.join("tools/bin"));
    let dir = std::env::var_os("TAFFRAIL_TOOLS").map(PathBuf::from).or_else(default)?;
    Some(dir.join(name)).filter(|path| path.is_file())
}

/// Cargo builds a package's programs only for that package's own tests, so this asks for it: in a fresh tree it
/// builds, else it only looks at file times.
fn build() -> PathBuf {
    let dir = profile_dir();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo
        .args(["build", "--quiet", "--package", "taffrail"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if dir.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.status().is_ok_and(|status| status.success());
    let program = dir.join("taffrail");
    assert!(built && program.is_file(), "cannot build {}", program.display());
    program
}

/// `target/debug` or `target/release`: the folder above that of this program, or its own if it is no test.
pub fn profile_dir() -> PathBuf {
    let this = std::env::current_exe().expect("a running program has a path");
    let dir = this.parent().expect("a program lies in a folder");
    let dir = if dir.ends_with("deps") {
        dir.parent().unwrap_or(dir)
    } else {
        dir
    };
    dir.to_path_buf()
}
