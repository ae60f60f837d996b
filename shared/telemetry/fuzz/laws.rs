//! What holds for any bytes, one function for each fuzz target. The same functions replay the
//! corpus in the normal test run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a broken law is a panic"
)]

mod reference;

use reference::{Item, Naive, Outcome, Pieces, naive, options, read};
use serde_json::Value;
use telemetry::describe::answer::{self, AnswerError};
use telemetry::describe::catalogue::CATALOGUE;
use telemetry::describe::redaction;
use telemetry::describe::walk::Walk;
use telemetry::flow::layout::MAX_COLUMNS;
use telemetry::{Field, FirewallRecord, Layout, ReadError, ReadOptions, analysis};

/// The sizes of pieces, taken from the data so that the fuzzer chooses them.
fn sizes(data: &[u8]) -> &[u8] {
    data.get(..data.len().min(7)).unwrap_or_default()
}

/// The same object in pieces gives the same rows, counts and error.
fn pieces_change_nothing(data: &[u8], options: &ReadOptions, whole: &Outcome) {
    let pieces = read(Pieces::new(data, sizes(data)), options);
    assert_eq!(pieces.items, whole.items);
    if whole.error.is_none() {
        assert_eq!(pieces.counts, whole.counts);
    }
    let label = |outcome: &Outcome| outcome.error.as_ref().map(ReadError::label);
    assert_eq!(label(&pieces), label(whole));
}

/// Text: rows are accounted for, pieces change nothing, and the naive parser agrees.
pub fn reader(data: &[u8]) {
    // A line feed first keeps it text, whatever the bytes; the target `decode` is for the rest.
    let data = &[b"\n", data].concat()[..];
    if data.trim_ascii_start().first() == Some(&b'{') {
        return;
    }
    let options = options();
    let whole = read(data, &options);
    pieces_change_nothing(data, &options, &whole);
    let expected = naive(data);
    if let Some(error) = &whole.error {
        assert!(matches!(error, ReadError::NotALog(_)), "{error}");
        let malformed = |item: &Item| matches!(item, Item::Malformed(_));
        let given_up = whole.counts.rows >= 1_000;
        assert!(given_up || expected.items.iter().all(malformed));
        return;
    }
    let found = Naive {
        headers: whole.counts.headers,
        no_data: whole.counts.no_data,
        skip_data: whole.counts.skip_data,
        items: whole.items,
    };
    assert_eq!(found, expected);
    assert_eq!(whole.counts.bytes_decoded, data.len() as u64);
}

/// Headers and format strings: what is accepted is consistent and reads back to itself.
pub fn layout(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(layout) = Layout::from_format(&text) {
        consistent(&layout);
        let names: Vec<&str> = layout.columns().iter().map(|c| &*c.name).collect();
        let again = Layout::from_format(&names.join(",")).expect("its own names are names");
        assert_eq!(again, layout);
    }
    for line in data.split(|b| *b == b'\n') {
        let tokens = line.split(|b| *b <= b' ').filter(|t| !t.is_empty());
        if let Some(layout) = Layout::default_for_row(tokens.clone()) {
            assert_eq!(layout.columns().len(), tokens.clone().count());
        }
        let Some(Ok(layout)) = Layout::from_header(tokens.clone()) else {
            continue;
        };
        consistent(&layout);
        let known = layout.columns().iter().filter(|c| c.field.is_some());
        assert!(known.count() * 2 >= layout.columns().len());
        // The line as a log of its own is a header and nothing else.
        let counts = read(&[b"\n", line].concat()[..], &options()).counts;
        assert_eq!((counts.headers, counts.rows), (1, 0));
        assert!(
            layout
                .unknown()
                .eq(counts.unknown_columns.iter().map(|n| &**n))
        );
        // A format string of the same names makes the same columns.
        let format = String::from_utf8_lossy(line).replace(|c: char| c <= ' ', " ");
        let configured = Layout::from_format(&format).expect("a header's names are names");
        assert_eq!(configured.columns(), layout.columns());
    }
}

fn consistent(layout: &Layout) {
    let columns = layout.columns();
    assert!((1..=MAX_COLUMNS).contains(&columns.len()));
    for (index, column) in columns.iter().enumerate() {
        // The delivered name alone tells which field a column is.
        assert_eq!(Field::from_name(&column.name), column.field);
        assert!(columns.iter().take(index).all(|c| c.name != column.name));
        if let Some(field) = column.field {
            assert_eq!(layout.place(field), Some(index));
        }
    }
    let known = columns.iter().filter(|c| c.field.is_some()).count();
    assert_eq!(known + layout.unknown().count(), columns.len());
    if let Some(shortfall) = analysis::shortfall(layout) {
        assert!(!shortfall.to_string().is_empty());
    }
}

/// Firewall entries: rows are accounted for, pieces change nothing, a broken entry does not take
/// the next with it, and a delivered entry reads back to itself.
pub fn firewall(data: &[u8]) {
    const GOOD: &[u8] = br#"{"firewall_name":"fw","event_timestamp":"7","event":{}}"#;
    let data = [GOOD, b"\n", data, b"\n", GOOD].concat();
    let options = options();
    let whole = read(&data[..], &options);
    pieces_change_nothing(&data, &options, &whole);
    assert!(whole.error.is_none(), "{:?}", whole.error);
    let lines = data.iter().filter(|b| **b == b'\n').count() as u64 + 1;
    assert!(whole.counts.rows <= lines);
    let (first, last) = (whole.items.first(), whole.items.last());
    let Some((Item::Firewall(1, first), Item::Firewall(row, last))) = first.zip(last) else {
        panic!("{whole:?}");
    };
    assert_eq!((first, *row), (last, lines));
    assert_eq!(whole.counts.bytes_decoded, data.len() as u64);
    for item in &whole.items {
        if let Item::Firewall(row, Value::Object(entry)) = item {
            let again = FirewallRecord::from_json(entry.clone(), *row).expect("it was accepted");
            assert_eq!(again.entry(), entry);
            let line = serde_json::to_vec(entry).expect("it is JSON");
            let again = read(&line[..], &options);
            let [Item::Firewall(1, again)] = &again.items[..] else {
                panic!("{again:?}");
            };
            let entry = Value::Object(entry.clone());
            assert!(same(again, &entry), "{again} {entry}");
        }
    }
}

/// Whether two JSON values are the same; numbers with a fraction may differ in their last digit,
/// which parsing them exactly would cost more than any firewall log is worth.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs() * 1e-12
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        _ => one == other,
    }
}

/// Any bytes: no panic, no more memory than the bound allows, every row accounted for; and pieces
/// change nothing but, on damaged input, how far the decoder came before it noticed.
pub fn decode(data: &[u8]) {
    const LIMIT: u64 = 1 << 20;
    let mut options = options();
    options.limits.max_decoded_bytes = LIMIT;
    let whole = read(data, &options);
    let pieces = read(Pieces::new(data, sizes(data)), &options);
    for outcome in [&whole, &pieces] {
        assert!(outcome.counts.bytes_decoded <= LIMIT);
        assert!(!matches!(
            outcome.error,
            Some(ReadError::Source(_) | ReadError::Spool { .. })
        ));
    }
    assert_eq!(whole.error.is_some(), pieces.error.is_some());
    let both = whole.items.len().min(pieces.items.len());
    assert_eq!(whole.items[..both], pieces.items[..both]);
    if whole.error.is_none() {
        assert_eq!(whole.items.len(), pieces.items.len());
        assert_eq!(whole.counts, pieces.counts);
        assert_eq!(whole.counts.bytes_in, data.len() as u64);
    }
}

/// Answers of AWS: the first byte chooses a call of the catalogue, the second whether it succeeded,
/// the rest is the body. An answer that is cut is none, and a refusal says what it means.
pub fn answer(data: &[u8]) {
    let [call, status, body @ ..] = data else {
        return;
    };
    let Some(endpoint) = CATALOGUE.get(usize::from(*call) % CATALOGUE.len()) else {
        return;
    };
    let status = [200, 400, 503][usize::from(*status) % 3];
    let read =
        |body: &[u8]| answer::answer(endpoint.service, endpoint.operation, status, |_| None, body);
    let whole = read(body);
    assert_eq!(whole, read(body));
    match whole {
        Ok(value) => {
            assert!(status == 200 && value.is_object());
            let cut = body
                .trim_ascii_end()
                .split_last()
                .map_or(body, |(_, cut)| cut);
            assert!(read(cut).is_err(), "a cut answer was taken for a whole one");
            // Rows of any answer can be walked, and what is secret is gone.
            let mut walk = Walk::new(endpoint, &[]);
            if walk.next_call().is_some() {
                walk.answer(Ok(value));
            }
            for mut row in walk.finish().rows.as_array().cloned().unwrap_or_default() {
                let walked = row.clone();
                redaction::redact(endpoint, &mut row);
                assert_eq!(row, walked, "a secret was left");
            }
        }
        Err(AnswerError::Failure(failure)) => assert!(status != 200 && !failure.code.is_empty()),
        Err(_) => {}
    }
}
