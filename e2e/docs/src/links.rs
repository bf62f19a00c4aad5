//! Links from page to page.

use std::path::PathBuf;

use crate::pages::{Page, root};

/// A link within the repository.
#[derive(Debug)]
pub struct Link {
    /// What it leads to, absolute.
    pub file: PathBuf,
    /// The heading, if one is named.
    pub heading: Option<String>,
    pub at: String,
    pub text: String,
}

/// Links of a page that stay within the repository.
pub fn links(page: &Page) -> Vec<Link> {
    let mut found = Vec::new();
    let mut outside = true;
    for (number, line) in page.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            outside = !outside;
        }
        let targets = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
            .map(|(target, _)| target);
        let inside = targets.filter(|target| outside && !target.contains("://") && !target.starts_with("mailto:"));
        found.extend(inside.map(|target| link(page, target, number + 1)));
    }
    found
}

fn link(page: &Page, target: &str, line: usize) -> Link {
    let (path, heading) = match target.split_once('#') {
        Some((path, heading)) => (path, Some(heading.to_owned())),
        None => (target, None),
    };
    let here = root().join(&page.path);
    let file = match (path, here.parent()) {
        ("", _) | (_, None) => here.clone(),
        (path, Some(folder)) => folder.join(path),
    };
    Link {
        file,
        heading,
        at: format!("{}:{line}", page.path.display()),
        text: target.to_owned(),
    }
}

/// What a heading is called in links.
pub fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_called_in_links_as_hosts_of_pages_do() {
        assert_eq!(anchor(" On Kubernetes, at last!"), "on-kubernetes-at-last");
        assert_eq!(anchor("`spec.auth`"), "specauth");
    }
}
