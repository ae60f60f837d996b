//! Attributes: `KeyValue` and `AnyValue` of `opentelemetry/proto/common/v1/common.proto`.

use std::sync::Arc;

use serde_json::Value as Json;
use telemetry::enrichment::FieldValue;

use super::protobuf::{FieldNumber, delimited, double, integer, message};

const KEY: FieldNumber = 1;
const VALUE: FieldNumber = 2;

const STRING: FieldNumber = 1;
const BOOL: FieldNumber = 2;
const INT: FieldNumber = 3;
const DOUBLE: FieldNumber = 4;
const ARRAY: FieldNumber = 5;
const LIST: FieldNumber = 6;

/// The field of the values of `ArrayValue` and `KeyValueList`.
const VALUES: FieldNumber = 1;

/// An attribute's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum AnyValue<'v> {
    Text(&'v str),
    /// Above 2^63 - 1, which an `int64` cannot have, it is written as text.
    Integer(u64),
    Double(f64),
    Boolean(bool),
    Texts(&'v [Arc<str>]),
    Json(&'v Json),
    /// A list of keys and texts.
    Pairs(&'v [(String, String)]),
}

impl<'v> From<FieldValue<'v>> for AnyValue<'v> {
    fn from(value: FieldValue<'v>) -> AnyValue<'v> {
        match value {
            FieldValue::Text(text) => AnyValue::Text(text),
            FieldValue::Integer(number) => AnyValue::Integer(number),
            FieldValue::Decimal(number) => AnyValue::Double(number),
            FieldValue::Boolean(is) => AnyValue::Boolean(is),
            FieldValue::Texts(texts) => AnyValue::Texts(texts),
        }
    }
}

impl AnyValue<'_> {
    /// Appends the field that the value is.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            AnyValue::Text(text) => delimited(out, STRING, text.as_bytes()),
            AnyValue::Integer(number) => match i64::try_from(number) {
                Ok(_) => integer(out, INT, number),
                Err(_) => delimited(out, STRING, number.to_string().as_bytes()),
            },
            AnyValue::Double(number) => double(out, DOUBLE, number),
            AnyValue::Boolean(is) => integer(out, BOOL, is.into()),
            AnyValue::Texts(texts) => message(out, ARRAY, |out| {
                for text in texts {
                    message(out, VALUES, |out| AnyValue::Text(text).write(out));
                }
            }),
            AnyValue::Pairs(pairs) => message(out, LIST, |out| {
                for (key, text) in pairs {
                    attribute(out, VALUES, key, AnyValue::Text(text));
                }
            }),
            AnyValue::Json(value) => write_json(out, value),
        }
    }
}

/// JSON as it is; its numbers are integers where they are written so.
fn write_json(out: &mut Vec<u8>, value: &Json) {
    match value {
        // No field of the value is set: a value that is none.
        Json::Null => {}
        Json::Bool(is) => AnyValue::Boolean(*is).write(out),
        Json::String(text) => AnyValue::Text(text).write(out),
        Json::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => AnyValue::Integer(number).write(out),
            (_, Some(number), _) => integer(out, INT, number as u64),
            (.., number) => double(out, DOUBLE, number.unwrap_or_default()),
        },
        Json::Array(values) => message(out, ARRAY, |out| {
            for value in values {
                message(out, VALUES, |out| write_json(out, value));
            }
        }),
        Json::Object(members) => message(out, LIST, |out| {
            for (name, value) in members {
                attribute(out, VALUES, name, AnyValue::Json(value));
            }
        }),
    }
}

/// Appends an attribute as a field of that number.
#[inline]
pub(super) fn attribute(out: &mut Vec<u8>, field: FieldNumber, key: &str, value: AnyValue<'_>) {
    message(out, field, |out| {
        delimited(out, KEY, key.as_bytes());
        message(out, VALUE, |out| value.write(out));
    });
}
