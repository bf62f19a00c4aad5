//! Where in a document something stands, and what is wrong there, in the words of Go's protojson.

use serde_json::value::RawValue;

/// A document, kept to tell where its parts stand.
#[derive(Clone, Copy)]
pub(super) struct Document<'a>(pub &'a str);

/// A value that has a place in its document.
#[derive(Clone, Copy)]
pub(super) struct Token<'a>(pub &'a RawValue);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
    String,
    Bool,
    Null,
    Number,
}

impl<'a> Token<'a> {
    pub fn text(self) -> &'a str {
        self.0.get()
    }

    /// JSON gives itself away by its first letter.
    pub fn shape(self) -> Shape {
        match self.text().as_bytes().first() {
            Some(b'{') => Shape::Object,
            Some(b'[') => Shape::Array,
            Some(b'"') => Shape::String,
            Some(b't' | b'f') => Shape::Bool,
            Some(b'n') => Shape::Null,
            _ => Shape::Number,
        }
    }

    /// What an error shows of it: scalars whole, others by their first letter.
    pub fn shown(self) -> &'a str {
        match self.shape() {
            Shape::Object | Shape::Array => &self.text()[..1],
            _ => self.text(),
        }
    }
}

impl Document<'_> {
    pub fn unexpected(self, token: Token<'_>) -> String {
        format!(
            "proto: syntax error {}: unexpected token {}",
            self.place(token),
            token.shown()
        )
    }

    pub fn wrong(self, token: Token<'_>, what: &str) -> String {
        format!("proto: {}: {what}", self.place(token))
    }

    /// Line and column, both from one.
    fn place(self, token: Token<'_>) -> String {
        let offset = token.text().as_ptr() as usize - self.0.as_ptr() as usize;
        let before = self.0.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("(line {line}:{column})")
    }
}
