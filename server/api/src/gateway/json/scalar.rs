//! One JSON value as a protobuf scalar.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{EnumDescriptor, Kind, Value};
use serde_json::value::RawValue;

use super::number::whole;
use super::place::{Shape, Token};

/// Read, or passed over because nobody knows its name.
pub(super) enum Scalar {
    Known(Value),
    Unknown,
}

/// None if the value does not fit the kind.
pub(super) fn scalar(kind: &Kind, token: Token<'_>) -> Option<Scalar> {
    let value = match kind {
        Kind::Bool if token.shape() == Shape::Bool => Value::Bool(token.text() == "true"),
        Kind::String => Value::String(string(token)?),
        Kind::Bytes => Value::Bytes(bytes(&string(token)?)?.into()),
        Kind::Int32 => Value::I32(integer(token)?.try_into().ok()?),
        Kind::Int64 => Value::I64(integer(token)?.try_into().ok()?),
        Kind::Uint32 => Value::U32(integer(token)?.try_into().ok()?),
        Kind::Uint64 => Value::U64(integer(token)?.try_into().ok()?),
        Kind::Enum(names) => return enumerated(names, token),
        // The contract has no other kinds.
        _ => return None,
    };
    Some(Scalar::Known(value))
}

pub(super) fn string(token: Token<'_>) -> Option<String> {
    serde_json::from_str(token.text()).ok()
}

fn enumerated(names: &EnumDescriptor, token: Token<'_>) -> Option<Scalar> {
    let number = match token.shape() {
        Shape::Number => whole(token.text())?.try_into().ok()?,
        Shape::String => match names.get_value_by_name(&string(token)?) {
            Some(value) => value.number(),
            None => return Some(Scalar::Unknown),
        },
        _ => return None,
    };
    Some(Scalar::Known(Value::EnumNumber(number)))
}

/// A number, or a string that holds one and nothing else.
fn integer(token: Token<'_>) -> Option<i128> {
    if token.shape() == Shape::Number {
        return whole(token.text());
    }
    let text = string(token)?;
    let inner: &RawValue = serde_json::from_str(&text).ok()?;
    let alone = inner.get().len() == text.len() && Token(inner).shape() == Shape::Number;
    if alone { whole(&text) } else { None }
}

/// Padded if the length says so; one letter of the other alphabet decides for it.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let alphabet = if text.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    let padding = if text.len().is_multiple_of(4) {
        DecodePaddingMode::RequireCanonical
    } else {
        DecodePaddingMode::RequireNone
    };
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(padding)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_comes_in_both_alphabets_with_and_without_padding() {
        for (text, decoded) in [
            ("", Some(&b""[..])),
            ("Zm9v", Some(b"foo")),
            ("Zm8=", Some(b"fo")),
            ("Zm8", Some(b"fo")),
            ("-_8=", Some(b"\xfb\xff")),
            ("+/8", Some(b"\xfb\xff")),
            ("Zm9v==", None),
            ("@@", None),
            ("-/8=", None),
        ] {
            assert_eq!(bytes(text).as_deref(), decoded, "{text}");
        }
    }

    #[test]
    fn a_string_holds_a_number_or_something_else() {
        let of = |text: &str| {
            let raw: &RawValue = serde_json::from_str(text).expect("JSON");
            integer(Token(raw))
        };
        assert_eq!(of("\"12\""), Some(12));
        assert_eq!(of("\"1e1\""), Some(10));
        for wrong in ["\" 12\"", "\"+12\"", "\"\"", "\"x\"", "true", "null", "[1]"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
