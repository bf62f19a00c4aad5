//! Every link within the repository leads somewhere.

use taffrail_e2e_docs::{anchor, links, pages};

#[test]
fn every_link_leads_to_a_file_and_its_heading() {
    let mut wrong = String::new();
    for link in pages().iter().flat_map(links) {
        let there = link.file.exists();
        let has_heading = link
            .heading
            .as_ref()
            .is_none_or(|heading| headings(&link.file).contains(heading));
        if !there || !has_heading {
            wrong += &format!("{}: {}\n", link.at, link.text);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Lines of code that begin with a hash are none, and do no harm.
fn headings(file: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines.map(|line| anchor(line.trim_start_matches('#'))).collect()
}
