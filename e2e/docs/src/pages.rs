//! Pages and the blocks in them.

use std::path::{Path, PathBuf};

/// Folders that hold no page of ours.
const NOT_OURS: [&str; 4] = ["target", ".git", "node_modules", "reference"];

pub struct Page {
    /// From the root of the repository on.
    pub path: PathBuf,
    pub text: String,
}

/// What stands between two fences.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// The word behind the fence: `yaml`; empty for commands.
    pub language: String,
    pub text: String,
    /// Line of the fence, from 1.
    pub line: usize,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every page of the repository, by its path.
pub fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    walk(&root(), &mut paths);
    paths.sort();
    let page = |path: PathBuf| Page {
        text: std::fs::read_to_string(&path).unwrap_or_default(),
        path: path.strip_prefix(root()).map_or(path.clone(), Path::to_path_buf),
    };
    paths.into_iter().map(page).collect()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !NOT_OURS.contains(&name.as_str()) {
            walk(&path, into);
        } else if !is_folder && name.ends_with(".md") {
            into.push(path);
        }
    }
}

impl Page {
    /// For people who use it, not for those who build it.
    pub fn is_for_users(&self) -> bool {
        self.path == Path::new("README.md") || self.path.starts_with("docs/operations")
    }

    pub fn blocks(&self) -> Vec<Block> {
        blocks(&self.text)
    }

    /// Code within lines, with the line's number.
    pub fn inline(&self) -> Vec<(usize, String)> {
        let mut outside = true;
        let mut found = Vec::new();
        for (number, line) in self.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                outside = !outside;
            } else if outside {
                let spans = line.split('`').skip(1).step_by(2);
                found.extend(spans.map(|span| (number + 1, span.to_owned())));
            }
        }
        found
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open) {
            (Some(language), false) => {
                let (language, text) = (language.trim().to_owned(), String::new());
                let line = number + 1;
                found.push(Block { language, text, line });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                if let Some(block) = found.last_mut() {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
            }
            (None, false) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_what_stands_between_fences() {
        let found = blocks("a\n```yaml\nx: 1\n```\nb\n```\nls\n```\n");
        let words: Vec<_> = found
            .iter()
            .map(|block| (block.language.as_str(), block.text.as_str(), block.line))
            .collect();
        assert_eq!(words, [("yaml", "x: 1\n", 2), ("", "ls\n", 6)]);
    }

    #[test]
    fn there_are_pages_for_users_and_others() {
        let pages = pages();
        assert!(pages.iter().any(Page::is_for_users) && !pages.iter().all(Page::is_for_users));
    }
}
