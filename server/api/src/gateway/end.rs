//! Where a JSON document ends that is still coming in.

/// Looks for the end of a document without reading any byte twice.
#[derive(Default)]
pub(super) struct End {
    scanned_bytes: usize,
    depth: usize,
    quoted: bool,
    escaped: bool,
}

impl End {
    /// How many bytes the first document of `text` takes, if all of it is there. What cannot be a message ends at
    /// once.
    pub fn find(&mut self, text: &[u8]) -> Option<usize> {
        let start = text.iter().position(|byte| !byte.is_ascii_whitespace())?;
        if text[start] != b'{' {
            return Some(text.len());
        }
        let rest = &text[self.scanned_bytes..];
        let closed = rest.iter().position(|byte| self.closes(*byte));
        match closed {
            Some(place) => Some(self.scanned_bytes + place + 1),
            None => {
                self.scanned_bytes = text.len();
                None
            }
        }
    }

    fn closes(&mut self, byte: u8) -> bool {
        if self.escaped {
            self.escaped = false;
            return false;
        }
        match byte {
            b'\\' => self.escaped = self.quoted,
            b'"' => self.quoted = !self.quoted,
            b'{' | b'[' if !self.quoted => self.depth += 1,
            b'}' | b']' if !self.quoted => self.depth = self.depth.saturating_sub(1),
            _ => return false,
        }
        self.depth == 0 && !self.quoted && matches!(byte, b'}' | b']')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> Option<usize> {
        End::default().find(text.as_bytes())
    }

    #[test]
    fn a_document_ends_where_its_first_brace_is_closed() {
        assert_eq!(ends(r#"{"a":"}"} {}"#), Some(9));
        assert_eq!(ends(r#" {"a":{"b":[{}]}}x"#), Some(17));
        assert_eq!(ends(r#"{"a":"\"}"}"#), Some(11));
        for open in ["", "  ", "{", r#"{"a":"}"#, r#"{"a":"\"#, "{[}"] {
            assert_eq!(ends(open), None, "{open}");
        }
        assert_eq!(ends("nope"), Some(4));
    }

    #[test]
    fn the_end_is_found_however_the_document_is_cut() {
        let text = br#"{"a":"\\","b":{"c":"}"}}"#;
        let mut end = End::default();
        assert!((1..text.len()).all(|cut| end.find(&text[..cut]).is_none()));
        assert_eq!(end.find(text), Some(text.len()));
    }
}
