//! Every command on pages for users is one that its program accepts.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use clap::Parser;
use taffrail_e2e_docs::{Command, Page, commands, pages, root};

fn all() -> Vec<Command> {
    pages()
        .iter()
        .filter(|page| page.is_for_users())
        .flat_map(commands)
        .collect()
}

/// `kubectl taffrail` is found by kubectl as `kubectl-taffrail`.
fn of_program(program: &str, command: &Command) -> Option<Vec<String>> {
    let words = &command.words;
    let called = words.first()?.rsplit('/').next()?;
    match words.get(1) {
        Some(second) if called == "kubectl" && second == "taffrail" && program == "kubectl-taffrail" => {
            Some(words[1..].to_vec())
        }
        _ => (called == program).then(|| words.clone()),
    }
}

/// Words that stand for something.
fn filled_in(words: &[String]) -> Vec<String> {
    words
        .iter()
        .filter(|word| !matches!(word.as_str(), "..." | "…"))
        .cloned()
        .collect()
}

fn check(program: &str, parse: impl Fn(Vec<String>) -> Result<(), clap::Error>) -> usize {
    let mut wrong = String::new();
    let found: Vec<_> = all()
        .into_iter()
        .filter_map(|command| Some((of_program(program, &command)?, command.at)))
        .collect();
    for (words, at) in &found {
        let is_asked_for = |error: &clap::Error| !error.use_stderr();
        match parse(filled_in(words)) {
            Err(error) if !is_asked_for(&error) => wrong += &format!("{at}: {}\n{error}\n", words.join(" ")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    found.len()
}

#[test]
fn the_plugin_accepts_what_pages_ask_of_it() {
    let parse = |words| taffrail_plugin::args::Arguments::try_parse_from(words).map(drop);
    assert!(check("kubectl-taffrail", parse) > 10);
}

#[test]
fn the_operator_accepts_what_pages_ask_of_it() {
    let parse = |words| taffrail_operator::args::Arguments::try_parse_from(words).map(drop);
    check("taffrail-operator", parse);
}

/// `taffrail SUB SUB --help`, asked once each.
fn flags_of(words: &[String], known: &mut BTreeMap<Vec<String>, String>) -> String {
    let sub: Vec<_> = words[1..]
        .iter()
        .take_while(|word| !word.starts_with('-'))
        .take(2)
        .cloned()
        .collect();
    let ask = |sub: &[String]| {
        let output = std::process::Command::new(taffrail_e2e::program::taffrail())
            .args(sub)
            .arg("--help")
            .output();
        let output = output.expect("it can be run");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    known.entry(sub.clone()).or_insert_with(|| ask(&sub)).clone()
}

/// Commands within lines: `taffrail snapshot restore FILE [--name NAME]`.
fn inline() -> Vec<Command> {
    let of_page = |page: &Page| {
        let at = page.path.display().to_string();
        let words = |span: &str| {
            span.split_whitespace()
                .map(|word| word.trim_matches(['[', ']']).to_owned())
                .collect()
        };
        let command = |(line, span): (usize, String)| Command {
            words: words(&span),
            document: None,
            at: format!("{at}:{line}"),
        };
        page.inline()
            .into_iter()
            .map(command)
            .filter(|command| command.words.len() > 1)
            .collect::<Vec<_>>()
    };
    pages()
        .iter()
        .filter(|page| page.is_for_users())
        .flat_map(of_page)
        .collect()
}

#[test]
fn the_member_knows_the_flags_that_pages_give_it() {
    let mut known = BTreeMap::new();
    let mut wrong = String::new();
    let mut seen = 0;
    for command in all().into_iter().chain(inline()) {
        let Some(words) = of_program("taffrail", &command) else {
            continue;
        };
        seen += 1;
        let help = flags_of(&words, &mut known);
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let name = flag.split('=').next().unwrap_or(flag);
            let is_known = help
                .split(|letter: char| !(letter.is_alphanumeric() || letter == '-'))
                .any(|word| word == name);
            if !is_known && name != "--help" {
                wrong += &format!("{}: {name} in: {}\n", command.at, words.join(" "));
            }
        }
    }
    assert!(wrong.is_empty() && seen > 3, "{seen} commands\n{wrong}");
}

#[test]
fn programs_of_the_repository_that_pages_run_are_there() {
    let mut seen = 0;
    for command in all() {
        let program = &command.words[0];
        if !["e2e/", "images/", "./"]
            .iter()
            .any(|folder| program.starts_with(folder))
        {
            continue;
        }
        seen += 1;
        let meta = std::fs::metadata(root().join(program));
        let runs = meta.is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0);
        assert!(runs, "{}: {program} is no program", command.at);
    }
    assert!(seen > 0);
}

/// Files and folders given to kubectl and helm.
#[test]
fn files_of_the_repository_that_pages_apply_are_there() {
    for command in all() {
        for word in &command.words[1..] {
            let is_ours = ["crds/", "operator/", "charts/", "docs/", "e2e/"]
                .iter()
                .any(|folder| word.starts_with(folder));
            if is_ours && command.words[0] != "cargo" {
                assert!(root().join(word).exists(), "{}: there is no {word}", command.at);
            }
        }
    }
}
