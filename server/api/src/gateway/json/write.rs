//! A message as JSON text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DynamicMessage, Kind, Value};

pub(crate) fn write(message: &DynamicMessage) -> String {
    let mut text = String::new();
    push_message(&mut text, message);
    text
}

fn push_message(text: &mut String, message: &DynamicMessage) {
    text.push('{');
    for (place, (field, value)) in message.fields().enumerate() {
        push_comma(text, place);
        // Names in the contract need no escaping.
        text.push_str(&format!("\"{}\":", field.name()));
        push_value(text, &field.kind(), value);
    }
    text.push('}');
}

fn push_value(text: &mut String, kind: &Kind, value: &Value) {
    match value {
        Value::List(items) => push_list(text, kind, items),
        Value::Message(message) => push_message(text, message),
        Value::Bytes(bytes) => {
            text.push('"');
            STANDARD.encode_string(bytes, text);
            text.push('"');
        }
        Value::String(string) => text.push_str(&serde_json::Value::from(string.as_str()).to_string()),
        Value::Bool(on) => text.push_str(if *on { "true" } else { "false" }),
        Value::I32(number) => text.push_str(&number.to_string()),
        Value::U32(number) => text.push_str(&number.to_string()),
        Value::I64(number) => text.push_str(&format!("\"{number}\"")),
        Value::U64(number) => text.push_str(&format!("\"{number}\"")),
        Value::EnumNumber(number) => push_enum(text, kind, *number),
        Value::F32(_) | Value::F64(_) | Value::Map(_) => unreachable!("the contract has no floats and no maps"),
    }
}

fn push_list(text: &mut String, kind: &Kind, items: &[Value]) {
    text.push('[');
    for (place, item) in items.iter().enumerate() {
        push_comma(text, place);
        push_value(text, kind, item);
    }
    text.push(']');
}

/// By name, or by number if a later version added it.
fn push_enum(text: &mut String, kind: &Kind, number: i32) {
    let name = kind.as_enum().and_then(|names| names.get_value(number));
    match name {
        Some(value) => text.push_str(&format!("\"{}\"", value.name())),
        None => text.push_str(&number.to_string()),
    }
}

fn push_comma(text: &mut String, place: usize) {
    if place > 0 {
        text.push(',');
    }
}
