//! What a namespace has to say after a failure.

use std::process::Command;

const LINES_PER_POD: &str = "--tail=40";

/// Objects, events and the last lines of every container, on standard error.
pub fn tell(namespace: &str) {
    let ask = |words: &[&str]| {
        let output = Command::new("kubectl").args(["-n", namespace]).args(words).output();
        output.map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    eprintln!(
        "--- {namespace}\n{}",
        ask(&[
            "get",
            "all,pvc,pdb,etcdclusters,etcdmembers",
            "-o",
            "wide",
            "--ignore-not-found"
        ])
    );
    eprintln!("--- events\n{}", ask(&["get", "events", "--sort-by=.lastTimestamp"]));
    for pod in ask(&["get", "pod", "-o", "name"]).lines() {
        eprintln!("--- {pod}\n{}", ask(&["logs", pod, "--all-containers", LINES_PER_POD]));
        let before = ask(&["logs", pod, "--all-containers", "--previous", LINES_PER_POD]);
        if !before.is_empty() {
            eprintln!("--- {pod}, before its last restart\n{before}");
        }
    }
}
