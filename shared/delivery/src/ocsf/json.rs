//! Events as JSON: the table, made into a tree of objects once, and written from the top.

use std::io::Write;
use std::sync::LazyLock;

use jiff::Timestamp;

use super::attribute::{Attribute, AttributeType, OBSERVABLES, Source};
use super::event::{Event, Name, Rest, Value};
use crate::ndjson::write_amount;

/// A member of an object.
#[derive(Debug)]
enum Node {
    /// Members that every event has, each followed by a comma.
    Constant(Vec<u8>),
    /// An attribute: its quoted name and the colon.
    Attribute(Vec<u8>, Attribute),
    /// An object: its quoted name, the colon and the brace, and its members.
    Object(Vec<u8>, Vec<Node>),
}

/// The members of events.
static MEMBERS: LazyLock<Vec<Node>> = LazyLock::new(|| members(Attribute::ALL, 0));

/// The members of the object that some attributes are of; `depth` names of their paths lead to it.
fn members(attributes: &[Attribute], depth: usize) -> Vec<Node> {
    let part = |attribute: &Attribute, depth: usize| attribute.path().split('.').nth(depth);
    let same = |one: &Attribute, other: &Attribute| part(one, depth) == part(other, depth);
    let mut nodes = Vec::new();
    for group in attributes.chunk_by(same) {
        let Some(first) = group.first() else { continue };
        let name = format!("\"{}\":", part(first, depth).unwrap_or_default()).into_bytes();
        if part(first, depth + 1).is_some() {
            nodes.push(Node::Object(
                [&name[..], b"{"].concat(),
                members(group, depth + 1),
            ));
            continue;
        }
        let mut constant = name.clone();
        match first.sources() {
            [Source::Constant(text)] => write_text(&mut constant, text),
            [Source::Number(number)] => constant.extend(number.to_string().into_bytes()),
            [Source::List(texts)] => write_list(&mut constant, texts),
            _ => {
                nodes.push(Node::Attribute(name, *first));
                continue;
            }
        }
        constant.push(b',');
        match nodes.last_mut() {
            Some(Node::Constant(before)) => before.append(&mut constant),
            _ => nodes.push(Node::Constant(constant)),
        }
    }
    nodes
}

/// The times that were written last, as text: rows in turn have the same ones.
#[derive(Debug, Default)]
pub(super) struct Times([(i64, Vec<u8>); 2]);

/// Appends an event as one JSON object, without a line feed.
pub(super) fn write(out: &mut Vec<u8>, event: &Event<'_>, times: &mut Times) {
    out.push(b'{');
    write_nodes(out, &MEMBERS, event, times);
    let start = out.len();
    out.extend_from_slice(b"\"observables\":[");
    let empty = out.len();
    for (attribute, name, (number, caption)) in OBSERVABLES {
        let value = event.value(*attribute);
        if value.is_absent() {
            continue;
        }
        out.extend_from_slice(b"{\"name\":\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\",\"type\":\"");
        out.extend_from_slice(caption.as_bytes());
        out.extend_from_slice(b"\",\"type_id\":");
        write_integer(out, *number);
        out.extend_from_slice(b",\"value\":");
        write_scalar(out, value, AttributeType::Text, times);
        out.extend_from_slice(b"},");
    }
    end(out, start, empty, b']');
    let start = out.len();
    out.extend_from_slice(b"\"unmapped\":{");
    let empty = out.len();
    event.unmapped(&mut |name, value| write_rest(out, name, value));
    end(out, start, empty, b'}');
    // The last comma ends the object; there are always members.
    if let Some(last) = out.last_mut() {
        *last = b'}';
    }
}

/// Ends a list or an object, and appends a comma. One that has nothing is taken back to its start.
fn end(out: &mut Vec<u8>, start: usize, empty: usize, close: u8) {
    if out.len() == empty {
        out.truncate(start);
        return;
    }
    if let Some(last) = out.last_mut() {
        *last = close;
    }
    out.push(b',');
}

fn write_nodes(out: &mut Vec<u8>, nodes: &[Node], event: &Event<'_>, times: &mut Times) {
    for node in nodes {
        match node {
            Node::Constant(text) => out.extend_from_slice(text),
            Node::Attribute(name, attribute) => {
                let value = event.value(*attribute);
                if value.is_absent() {
                    continue;
                }
                out.extend_from_slice(name);
                let attribute_type = attribute.attribute_type();
                if attribute_type == AttributeType::Addresses {
                    out.push(b'[');
                    write_scalar(out, value, AttributeType::Address, times);
                    out.push(b']');
                } else {
                    write_scalar(out, value, attribute_type, times);
                }
                out.push(b',');
            }
            Node::Object(name, members) => {
                let start = out.len();
                out.extend_from_slice(name);
                let empty = out.len();
                write_nodes(out, members, event, times);
                end(out, start, empty, b'}');
            }
        }
    }
}

/// Writes a value as an attribute of this type has it.
#[inline]
fn write_scalar(
    out: &mut Vec<u8>,
    value: Value<'_>,
    attribute_type: AttributeType,
    times: &mut Times,
) {
    match value {
        Value::Absent => out.extend_from_slice(b"null"),
        Value::Plain(text) => {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        Value::Text(text) => write_text(out, text),
        Value::Integer(number) if attribute_type == AttributeType::Text => {
            out.push(b'"');
            write_integer(out, number);
            out.push(b'"');
        }
        Value::Integer(number) => write_integer(out, number),
        Value::Time(micros) if attribute_type == AttributeType::DateTime => {
            out.extend_from_slice(times.text(micros));
        }
        Value::Time(micros) => write_integer(out, micros.div_euclid(1000)),
        // Writing to a vector does not fail.
        Value::Address(address) => drop(write!(out, "\"{address}\"")),
        Value::Texts(texts) => write_list(out, texts),
    }
}

impl Times {
    /// A time as quoted RFC 3339 text.
    fn text(&mut self, micros: i64) -> &[u8] {
        let Times(kept) = self;
        let found = kept
            .iter()
            .position(|(m, text)| *m == micros && !text.is_empty());
        if found.is_none() {
            kept.swap(0, 1);
            let [(last, text), _] = kept;
            *last = micros;
            text.clear();
            // Times that events have are all in range; writing to a vector does not fail.
            let time = Timestamp::from_microsecond(micros).unwrap_or_default();
            drop(write!(text, "\"{time}\""));
        }
        let [(_, first), (_, second)] = kept;
        if found == Some(1) { second } else { first }
    }
}

fn write_rest(out: &mut Vec<u8>, [prefix, infix, name]: Name<'_>, value: Rest<'_>) {
    if infix.is_empty() && is_plain(name) {
        out.push(b'"');
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(name.as_bytes());
        out.push(b'"');
    } else {
        write_text(out, &[prefix, infix, name].concat());
    }
    out.push(b':');
    match value {
        Rest::Plain(text) => {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        }
        Rest::Text(text) => write_text(out, text),
        Rest::Address(_) => {
            out.push(b'"');
            write_rest_value(out, value);
            out.push(b'"');
        }
        value => write_rest_value(out, value),
    }
    out.push(b',');
}

/// Writes what has no attribute: texts and addresses as they are, all else as JSON.
pub(super) fn write_rest_value(out: &mut Vec<u8>, value: Rest<'_>) {
    match value {
        Rest::Plain(text) | Rest::Text(text) => out.extend_from_slice(text.as_bytes()),
        // Writing to a vector does not fail.
        Rest::Integer(number) => drop(write!(out, "{number}")),
        Rest::Address(address) => drop(write!(out, "{address}")),
        Rest::Decimal(amount) => write_amount(out, amount),
        Rest::Boolean(truth) => drop(write!(out, "{truth}")),
        Rest::Texts(texts) => write_list(out, texts),
        Rest::Json(json) => out.extend_from_slice(json),
    }
}

fn write_list(out: &mut Vec<u8>, texts: &[impl AsRef<str>]) {
    out.push(b'[');
    for (place, text) in texts.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_text(out, text.as_ref());
    }
    out.push(b']');
}

fn write_integer(out: &mut Vec<u8>, number: i64) {
    // Enough for the digits of the largest number and a sign.
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Whether JSON needs no escape for a text.
#[inline]
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
}

#[inline]
fn write_text(out: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing a string to a vector does not fail.
        drop(serde_json::to_writer(out, text));
    }
}
