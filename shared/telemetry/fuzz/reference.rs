//! What the readers are held against: a reader of everything into plain values, an input that
//! comes in pieces, and a flow-log parser that does nothing fast.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code; not every user needs every part"
)]

use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::Arc;

use telemetry::flow::field::FieldType;
use telemetry::flow::layout::LayoutOrigin;
use telemetry::{
    Counts, Field, FlowRecord, Layout, LogReader, ReadError, ReadOptions, Record, Row, Value,
};

/// A value that owns what it holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain {
    /// `-`, or null.
    Absent,
    /// A number or a time.
    Integer(u64),
    /// An address.
    Address(IpAddr),
    /// Text.
    Text(String),
}

/// A row that owns what it holds, with its number.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A flow: column names and values.
    Flow(u64, Vec<(String, Plain)>),
    /// A firewall entry as JSON.
    Firewall(u64, serde_json::Value),
    /// A row that could not be read.
    Malformed(u64),
}

/// All that reading an object gave.
#[derive(Debug)]
pub struct Outcome {
    /// Records and malformed rows.
    pub items: Vec<Item>,
    /// The reader's counts.
    pub counts: Counts,
    /// The first error; later calls were not made.
    pub error: Option<ReadError>,
}

/// Options whose bounds no test comes near.
pub fn options() -> ReadOptions {
    ReadOptions::new(std::env::temp_dir())
}

/// Reads an object to its end or first error, and checks what holds for every object.
pub fn read(input: impl Read, options: &ReadOptions) -> Outcome {
    let mut outcome = Outcome {
        items: Vec::new(),
        counts: Counts::default(),
        error: None,
    };
    let mut reader = match LogReader::open(input, options) {
        Ok(reader) => reader,
        Err(error) => {
            outcome.error = Some(error);
            return outcome;
        }
    };
    loop {
        match reader.next_row() {
            Ok(Some(Row::Record(Record::Flow(flow)))) => outcome.items.push(plain(&flow)),
            Ok(Some(Row::Record(Record::Firewall(entry)))) => {
                let json = serde_json::Value::Object(entry.entry().clone());
                outcome.items.push(Item::Firewall(entry.row(), json));
            }
            Ok(Some(Row::Malformed { error, .. })) => {
                outcome.items.push(Item::Malformed(error.line));
            }
            Ok(None) => break,
            Err(error) => {
                outcome.error = Some(error);
                break;
            }
        }
    }
    outcome.counts = reader.counts().clone();
    check_counts(&outcome);
    outcome
}

/// Every row is accounted for, and every one that is not passed over was handed out. Only a row
/// that made the reader give up is counted and not handed out.
fn check_counts(outcome: &Outcome) {
    let counts = &outcome.counts;
    let accounted = counts.records + counts.no_data + counts.skip_data + counts.malformed();
    assert_eq!(counts.rows, accounted, "{counts:?}");
    let malformed = outcome.items.iter();
    let malformed = malformed
        .filter(|i| matches!(i, Item::Malformed(_)))
        .count() as u64;
    assert_eq!(counts.records, outcome.items.len() as u64 - malformed);
    let held_back = counts.malformed() - malformed;
    assert!(
        held_back <= u64::from(outcome.error.is_some()),
        "{outcome:?}"
    );
    let by_reason: u64 = counts.malformed_by_reason().map(|(_, count)| count).sum();
    assert_eq!(by_reason, counts.malformed());
    assert!(counts.examples.len() as u64 <= counts.malformed());
}

/// A record's values, each checked against the text it was read from.
fn plain(flow: &FlowRecord<'_>) -> Item {
    let columns = flow.columns().zip(flow.cells());
    let values = columns.map(|((column, value), cell)| {
        let text = std::str::from_utf8(cell.text(flow.buffer())).expect("records are UTF-8");
        let value = match value {
            None => Plain::Absent,
            Some(Value::Integer(value)) => Plain::Integer(value),
            Some(Value::Address(value)) => Plain::Address(value),
            Some(Value::Text(value)) => Plain::Text(value.to_owned()),
        };
        if let (Plain::Text(text), true) = (&value, flow.is_plain()) {
            let needs_escape = |c: char| !(' '..='~').contains(&c) || c == '"' || c == '\\';
            assert!(!text.contains(needs_escape), "{text:?}");
        }
        // What is called verbatim is copied to the output without another look.
        match &value {
            Plain::Integer(v) if cell.is_verbatim() => assert_eq!(v.to_string(), text),
            Plain::Address(v) if cell.is_verbatim() => assert_eq!(v.to_string(), text),
            Plain::Absent => assert!(cell.is_absent() && !cell.is_verbatim()),
            _ => {}
        }
        assert!(value == Plain::Absent || !text.is_empty());
        (column.name.to_string(), value)
    });
    let values: Vec<_> = values.collect();
    assert_eq!(values.len(), flow.layout().columns().len());
    Item::Flow(flow.row(), values)
}

/// Input that comes in pieces of the given sizes, over and over; zero is an interrupted call.
pub struct Pieces<'d> {
    /// What is left.
    pub data: &'d [u8],
    /// The sizes; none gives the data whole.
    pub sizes: &'d [u8],
    /// Calls so far.
    pub calls: usize,
}

impl<'d> Pieces<'d> {
    /// This data in pieces of these sizes.
    pub fn new(data: &'d [u8], sizes: &'d [u8]) -> Pieces<'d> {
        let calls = 0;
        Pieces { data, sizes, calls }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        let turn = self.calls % self.sizes.len().max(1);
        let size = match self.sizes.get(turn) {
            // Never twice in a row, or a list of zeros would never end.
            Some(0) if self.calls.is_multiple_of(2) => {
                return Err(io::ErrorKind::Interrupted.into());
            }
            Some(size) => usize::from(*size).max(1),
            None => usize::MAX,
        };
        let size = size.min(buffer.len()).min(self.data.len());
        let (piece, rest) = self.data.split_at(size);
        buffer[..size].copy_from_slice(piece);
        self.data = rest;
        Ok(size)
    }
}

/// What the naive parser found: rows, and how many said NODATA and SKIPDATA.
#[derive(Debug, Default, PartialEq)]
pub struct Naive {
    /// Records and malformed rows.
    pub items: Vec<Item>,
    /// Header lines.
    pub headers: u64,
    /// Rows that hold no flow.
    pub no_data: u64,
    /// Rows that say that records were lost.
    pub skip_data: u64,
}

/// Reads a text flow log the plain way. Lines must be shorter than the reader's bound.
pub fn naive(data: &[u8]) -> Naive {
    let mut found = Naive::default();
    let mut layout: Option<Arc<Layout>> = None;
    let mut refused = false;
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    for (line, number) in data.split(|b| *b == b'\n').zip(1..) {
        let tokens: Vec<&[u8]> = line
            .split(|b| *b <= b' ')
            .filter(|t| !t.is_empty())
            .collect();
        if tokens.is_empty() {
            continue;
        }
        if let Some(header) = Layout::from_header(tokens.iter().copied()) {
            refused = header.is_err();
            layout = header.ok().map(Arc::new);
            if !refused {
                found.headers += 1;
                continue;
            }
        }
        let fits = |l: &Arc<Layout>| l.columns().len() == tokens.len();
        let fixed = |l: &Arc<Layout>| l.origin() != LayoutOrigin::Default;
        if !refused && !layout.as_ref().is_some_and(|l| fits(l) || fixed(l)) {
            layout = Layout::default_for_row(tokens.iter().copied()).or(layout);
        }
        match layout
            .as_ref()
            .filter(|l| fits(l))
            .and_then(|l| naive_row(l, &tokens))
        {
            None => found.items.push(Item::Malformed(number)),
            Some(("NODATA", _)) => found.no_data += 1,
            Some(("SKIPDATA", _)) => found.skip_data += 1,
            Some((_, values)) => found.items.push(Item::Flow(number, values)),
        }
    }
    found
}

type NaiveRow<'t> = (&'t str, Vec<(String, Plain)>);

fn naive_row<'t>(layout: &Layout, tokens: &[&'t [u8]]) -> Option<NaiveRow<'t>> {
    let tokens: Option<Vec<&str>> = tokens.iter().map(|t| std::str::from_utf8(t).ok()).collect();
    let tokens = tokens?;
    let status = layout
        .place(Field::LogStatus)
        .map_or("", |place| tokens[place]);
    let without = matches!(status, "NODATA" | "SKIPDATA");
    let columns = || layout.columns().iter().zip(&tokens);
    let values =
        columns().map(|(c, t)| Some((c.name.to_string(), naive_value(c.field_type(), t)?)));
    let Some(values) = values.collect() else {
        return without.then_some((status, Vec::new()));
    };
    let mut flow = columns().filter(|(c, _)| {
        c.field.is_some_and(|f| {
            matches!(
                f.column(),
                "srcaddr" | "dstaddr" | "pkt_srcaddr" | "pkt_dstaddr" | "srcport"
            ) || matches!(
                f.column(),
                "dstport" | "protocol" | "packets" | "bytes" | "action"
            )
        })
    });
    let could_hold_one = flow.clone().next().is_some();
    let holds_one = flow.any(|(_, token)| *token != "-");
    let state = match status {
        _ if holds_one => "OK",
        "OK" | "NODATA" | "SKIPDATA" => status,
        _ if could_hold_one => "NODATA",
        _ => "OK",
    };
    Some((state, values))
}

fn naive_value(field_type: FieldType, token: &str) -> Option<Plain> {
    let digits = token.bytes().all(|b| b.is_ascii_digit());
    let number = || token.parse().ok().filter(|_| digits);
    match field_type {
        _ if token == "-" => Some(Plain::Absent),
        FieldType::Text => Some(Plain::Text(token.to_owned())),
        FieldType::Address => token.parse().ok().map(Plain::Address),
        FieldType::Integer(max) => number().filter(|n| *n <= max).map(Plain::Integer),
        FieldType::Epoch => number().map(|n: u64| {
            Plain::Integer(match n {
                0..100_000_000_000 => n,
                100_000_000_000..100_000_000_000_000 => n / 1_000,
                100_000_000_000_000..100_000_000_000_000_000 => n / 1_000_000,
                _ => n / 1_000_000_000,
            })
        }),
    }
}
