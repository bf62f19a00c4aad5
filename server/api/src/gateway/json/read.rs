//! A JSON document as a message.

use std::fmt;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::place::{Document, Shape, Token};
use super::scalar::{Scalar, scalar, string};

/// Deeper messages cannot be decoded from their binary form either. Each level is scanned again, so this also bounds
/// the work.
const DEPTH_MAX: usize = 100;

/// What is wrong with a document, in the words of Go's libraries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ReadError(pub String);

/// The first document of `text` and how many bytes it takes; none while its end is not there yet. Blanks alone are
/// no document.
pub(crate) fn document(text: &[u8]) -> Result<Option<(&RawValue, usize)>, ReadError> {
    let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
    match documents.next() {
        Some(Ok(document)) => Ok(Some((document, documents.byte_offset()))),
        None => Ok(None),
        Some(Err(error)) if error.is_eof() => Ok(None),
        Some(Err(error)) => Err(ReadError(syntax(text, &error))),
    }
}

/// A letter that cannot stand where it stands.
fn syntax(text: &[u8], error: &serde_json::Error) -> String {
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1));
    let letter = line.and_then(|line| line.get(error.column().saturating_sub(1)));
    let letter = letter.map_or(' ', |byte| char::from(*byte));
    let wanted = error.to_string();
    let wanted = match wanted.split(" at line ").next().unwrap_or_default() {
        "key must be a string" => "looking for beginning of object key string",
        "expected `:`" => "after object key",
        "expected `,` or `}`" => "after object key:value pair",
        "expected `,` or `]`" => "after array element",
        _ => "looking for beginning of value",
    };
    format!("invalid character '{letter}' {wanted}")
}

/// The message that a document describes.
pub(crate) fn message(descriptor: &MessageDescriptor, document: &RawValue) -> Result<DynamicMessage, ReadError> {
    let reader = Reader {
        document: Document(document.get()),
    };
    reader
        .message(descriptor, Token(document), DEPTH_MAX)
        .map_err(ReadError)
}

/// The fields of an object: both name and value with their places.
struct Object<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Object(fields))
    }
}

struct Reader<'a> {
    document: Document<'a>,
}

type Read<T> = Result<T, String>;

impl Reader<'_> {
    fn message(&self, descriptor: &MessageDescriptor, token: Token<'_>, depth: usize) -> Read<DynamicMessage> {
        let depth = depth.checked_sub(1).ok_or("exceeded max recursion depth")?;
        if token.shape() != Shape::Object {
            return Err(self.document.unexpected(token));
        }
        let Object(fields) = serde_json::from_str(token.text()).map_err(|_| self.document.unexpected(token))?;
        let (mut message, mut seen) = (DynamicMessage::new(descriptor.clone()), Vec::new());
        for (name, value) in fields {
            let (name, value) = (Token(name), Token(value));
            if let Some(field) = find(descriptor, name) {
                self.once(&field, name, &seen)?;
                seen.push(field.clone());
                self.field(&mut message, &field, name, value, depth)?;
            }
        }
        Ok(message)
    }

    fn once(&self, field: &FieldDescriptor, name: Token<'_>, seen: &[FieldDescriptor]) -> Read<()> {
        if seen.contains(field) {
            let what = format!("duplicate field {}", name.text());
            return Err(self.document.wrong(name, &what));
        }
        Ok(())
    }

    fn field(
        &self,
        message: &mut DynamicMessage,
        field: &FieldDescriptor,
        name: Token<'_>,
        value: Token<'_>,
        depth: usize,
    ) -> Read<()> {
        if value.shape() == Shape::Null {
            return Ok(());
        }
        self.alone(message, field, name)?;
        let read = if field.is_list() {
            Some(Value::List(self.list(field, value, depth)?))
        } else {
            self.value(field, value, depth)?
        };
        if let Some(read) = read {
            message.set_field(field, read);
        }
        Ok(())
    }

    fn alone(&self, message: &DynamicMessage, field: &FieldDescriptor, name: Token<'_>) -> Read<()> {
        let Some(oneof) = field.containing_oneof() else {
            return Ok(());
        };
        if oneof.fields().any(|other| message.has_field(&other)) {
            let (name_text, oneof) = (name.text(), oneof.full_name());
            let what = format!("error parsing {name_text}, oneof {oneof} is already set");
            return Err(self.document.wrong(name, &what));
        }
        Ok(())
    }

    fn list(&self, field: &FieldDescriptor, token: Token<'_>, depth: usize) -> Read<Vec<Value>> {
        if token.shape() != Shape::Array {
            return Err(self.document.unexpected(token));
        }
        let items: Vec<&RawValue> = serde_json::from_str(token.text()).map_err(|_| self.document.unexpected(token))?;
        let read = items.into_iter().map(|item| self.value(field, Token(item), depth));
        read.filter_map(Result::transpose).collect()
    }

    /// None for the name of an enum's value that nobody knows.
    fn value(&self, field: &FieldDescriptor, token: Token<'_>, depth: usize) -> Read<Option<Value>> {
        if let Kind::Message(descriptor) = field.kind() {
            return Ok(Some(Value::Message(self.message(&descriptor, token, depth)?)));
        }
        match scalar(&field.kind(), token) {
            Some(Scalar::Known(value)) => Ok(Some(value)),
            Some(Scalar::Unknown) => Ok(None),
            None => Err(self.invalid(field, token)),
        }
    }

    fn invalid(&self, field: &FieldDescriptor, token: Token<'_>) -> String {
        let kind = match field.kind() {
            Kind::Enum(_) => "enum".to_owned(),
            kind => format!("{kind:?}").to_lowercase(),
        };
        let (name, shown) = (field.json_name().to_owned(), token.shown());
        self.document
            .wrong(token, &format!("invalid value for {kind} field {name}: {shown}"))
    }
}

/// By its name in JSON or in the contract.
fn find(descriptor: &MessageDescriptor, name: Token<'_>) -> Option<FieldDescriptor> {
    let name = string(name)?;
    descriptor
        .get_field_by_json_name(&name)
        .or_else(|| descriptor.get_field_by_name(&name))
}
