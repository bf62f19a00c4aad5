//! Where log lines go.

use std::path::Path;

use taffrail_e2e::{Member, wait};

/// Files of a folder, by name.
fn files(dir: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| {
            let text = std::fs::read(entry.path()).unwrap_or_default();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, String::from_utf8_lossy(&text).into_owned())
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn every_output_gets_every_line() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a.log"), dir.path().join("b.log"));
    let mut member = Member::builder()
        .arg(format!("--log-outputs=stderr,{},{}", a.display(), b.display()))
        .start()
        .await;
    member.terminate().await;
    let [(_, a), (_, b)] = &files(dir.path())[..] else {
        panic!("two files");
    };
    assert_eq!(a, b);
    assert!(a.contains("ready to serve client requests") && a.contains("closed member"));
    assert!(a.lines().all(|line| member.log().contains(line)));
}

#[tokio::test]
async fn a_file_that_is_full_is_put_aside_and_no_line_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("taffrail.log");
    let member = Member::builder()
        .arg(format!("--log-outputs=stderr,{}", file.display()))
        .arg("--enable-log-rotation")
        .arg(r#"--log-rotation-config-json={"maxsize": 1}"#)
        .arg("--log-level=debug")
        .start()
        .await;
    // Every call is a line at this level, with its key.
    let key = "k".repeat(3000);
    let full = async || {
        for _ in 0..20 {
            member.range(taffrail_e2e::requests::get(key.clone())).await;
        }
        (files(dir.path()).len() >= 3).then_some(())
    };
    wait::until("two files to be put aside", full).await;
    let mut member = member;
    member.terminate().await;
    let files = files(dir.path());
    let aside = |name: &str| name.starts_with("taffrail-20") && name.ends_with(".log") && name.len() == 36;
    assert!(files.iter().all(|(name, _)| name == "taffrail.log" || aside(name)));
    assert!(files.iter().all(|(_, text)| text.len() <= 1 << 20));
    let lines: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
    assert_eq!(lines, member.log().lines().count());
}

#[tokio::test]
async fn a_log_that_cannot_be_is_refused_in_etcds_words() {
    for (args, sentence) in [
        (
            &["--log-outputs=default,stderr"][..],
            "multi logoutput for \"default\" is not supported yet",
        ),
        (&["--enable-log-rotation"], "--log-outputs requires a single file path"),
        (
            &[
                "--enable-log-rotation",
                "--log-outputs=/tmp/a.log",
                "--log-rotation-config-json={",
            ],
            "improperly formatted log rotation config",
        ),
        (&["--logger=capnslog"], "--logger=capnslog is removed in v3.5"),
        (
            &["--log-outputs=/no/such/folder/a.log"],
            "--log-outputs=/no/such/folder/a.log cannot be written",
        ),
    ] {
        let builder = args.iter().fold(Member::builder(), |builder, arg| builder.arg(*arg));
        let exit = builder.start_in_vain().await;
        assert_eq!(exit.code, Some(1));
        assert!(exit.log.contains(sentence), "{}", exit.log);
    }
}

#[tokio::test]
async fn a_line_for_people_is_no_json() {
    let member = Member::builder().arg("--log-format=console").start().await;
    let log = member.log();
    let line = log.lines().find(|line| line.contains("ready to serve")).unwrap();
    assert!(line.contains("\tINFO\t"), "{line}");
}
