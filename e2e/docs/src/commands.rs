//! Commands as a shell would take them apart, as far as pages use a shell.

use crate::pages::{Block, Page};

/// One simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub words: Vec<String>,
    /// What follows it as a document, `<<EOF`.
    pub document: Option<String>,
    /// Where it stands: `README.md:12`.
    pub at: String,
}

/// Words of a shell before a command.
const BEFORE: [&str; 6] = ["for", "do", "then", "if", "sudo", "time"];

/// All commands of a page, in their order.
pub fn commands(page: &Page) -> Vec<Command> {
    let blocks = page.blocks();
    let shell = blocks
        .iter()
        .filter(|block| matches!(block.language.as_str(), "" | "sh" | "bash" | "console"));
    shell
        .flat_map(|block| of_block(block, &page.path.display().to_string()))
        .collect()
}

fn of_block(block: &Block, page: &str) -> Vec<Command> {
    let is_session = block.text.lines().any(|line| line.starts_with("$ "));
    let mut lines = block.text.lines().enumerate();
    let mut found = Vec::new();
    while let Some((number, line)) = lines.next() {
        let line = match (is_session, line.strip_prefix("$ ")) {
            (true, None) => continue,
            (_, Some(command)) => command,
            (false, None) => line,
        };
        let mut whole = line.to_owned();
        while let Some(kept) = whole.strip_suffix('\\') {
            let next = lines.next().map(|(_, line)| line.trim_start()).unwrap_or_default();
            whole = format!("{kept}{next}");
        }
        let document = end_of_document(&whole).map(|end| {
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != end);
            inside.fold(String::new(), |text, line| text + line + "\n")
        });
        let at = format!("{page}:{}", block.line + number + 1);
        let simple = simple_commands(&whole).into_iter();
        found.extend(simple.map(|words| Command {
            words,
            document: document.clone(),
            at: at.clone(),
        }));
    }
    found
}

fn end_of_document(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("<<")?;
    let word: String = rest
        .trim_start_matches(['-', '\'', '"'])
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    (!word.is_empty()).then_some(word)
}

/// Split where a shell would begin another command.
fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for word in words(line) {
        match word.as_str() {
            "|" | "||" | "&&" | ";" | "&" | "(" | ")" => all.push(Vec::new()),
            _ => all
                .last_mut()
                .into_iter()
                .for_each(|last: &mut Vec<String>| last.push(word.clone())),
        }
    }
    all.into_iter()
        .map(without_what_comes_before)
        .filter(|words| !words.is_empty())
        .collect()
}

fn without_what_comes_before(words: Vec<String>) -> Vec<String> {
    let is_variable = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| {
            name.chars()
                .all(|letter| letter.is_ascii_uppercase() || letter == '_' || letter.is_ascii_digit())
        })
    };
    words
        .into_iter()
        .skip_while(|word| BEFORE.contains(&word.as_str()) || is_variable(word))
        .collect()
}

/// Words without their quotes; operators are words of their own; what goes to or comes from files is left out.
fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (_, Some(mark)) if letter == mark => quote = None,
            (_, Some(_)) => word.push(letter),
            ('"' | '\'', None) => quote = Some(letter),
            ('#', None) if word.is_empty() => break,
            (' ' | '\t', None) => all.extend(finished(&mut word)),
            ('|' | '&' | ';' | '(' | ')', None) if !(letter == '(' && word.ends_with('$')) => {
                all.extend(finished(&mut word));
                let twice = letters.next_if_eq(&letter).is_some();
                all.push(if twice {
                    format!("{letter}{letter}")
                } else {
                    letter.to_string()
                });
            }
            (_, None) => word.push(letter),
        }
    }
    all.extend(finished(&mut word));
    without_files(all)
}

fn finished(word: &mut String) -> Option<String> {
    (!word.is_empty()).then(|| std::mem::take(word))
}

fn without_files(words: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.trim_start_matches(|letter: char| letter.is_ascii_digit()) {
            ">" | ">>" | "<" => drop(words.next()),
            redirected if redirected.starts_with(['>', '<']) => {}
            _ => kept.push(word),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Vec<String>> {
        let block = Block {
            language: String::new(),
            text: text.into(),
            line: 1,
        };
        of_block(&block, "a.md")
            .into_iter()
            .map(|command| command.words)
            .collect()
    }

    #[test]
    fn lines_are_taken_apart_as_a_shell_does_it() {
        for (text, expected) in [
            ("a b  # c\n", vec![vec!["a", "b"]]),
            ("a \\\n  b\n", vec![vec!["a", "b"]]),
            ("a 'b c' | d > e && f\n", vec![vec!["a", "b c"], vec!["d"], vec!["f"]]),
            ("A=1 a &\n", vec![vec!["a"]]),
            ("$ a\nsaid\n", vec![vec!["a"]]),
            (
                "for i in 1; do\n  a\ndone\n",
                vec![vec!["i", "in", "1"], vec!["a"], vec!["done"]],
            ),
        ] {
            // `do` alone is no command.
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn documents_belong_to_their_command() {
        let block = Block {
            language: String::new(),
            text: "kubectl apply -f - <<EOF\nx: 1\nEOF\nnext\n".into(),
            line: 4,
        };
        let found = of_block(&block, "a.md");
        assert_eq!(found[0].document.as_deref(), Some("x: 1\n"));
        assert_eq!(
            (found[0].words.len(), found[0].at.as_str(), found[1].words[0].as_str()),
            (4, "a.md:5", "next")
        );
    }
}
