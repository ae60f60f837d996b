//! Records as newline-delimited JSON in the native schema: AWS's own field names with `_` for `-`,
//! numbers as JSON numbers, absent values left out.
//!
//! The writer copies a flow's texts from the reader's block in fixed-size pieces, which costs a
//! third of exact copies of the few bytes a field has; what a piece holds too much, the next one
//! overwrites.

use std::io::Write;
use std::net::IpAddr;

use telemetry::{Cell, Datum, FlowRecord, Layout, Record};

/// The file extension of this encoding.
pub const EXTENSION: &str = "ndjson";

/// The media type of this encoding.
pub const CONTENT_TYPE: &str = "application/x-ndjson";

/// Bytes of a piece that is copied at once.
const PIECE: usize = 32;

/// Room that a cell on the fast path may touch: its name, its text, and what ends it.
const CELL_ROOM: usize = 3 * PIECE;

/// Writes records to a buffer, one JSON object per line.
#[derive(Debug, Default)]
pub struct NdjsonEncoder {
    /// Written up to `written`; the bytes behind it are room.
    buffer: Vec<u8>,
    written: usize,
    columns: Vec<ColumnName>,
    layout: Option<Layout>,
}

/// A column's name as it stands before a value, quotes and colon included.
#[derive(Debug, Clone)]
struct ColumnName {
    piece: [u8; PIECE],
    /// Bytes of the piece in use; zero when the name is longer and stands in `long`.
    len: usize,
    long: Vec<u8>,
}

impl ColumnName {
    fn new(name: &str) -> ColumnName {
        let mut long = Vec::new();
        write_string(&mut long, name);
        long.push(b':');
        let mut piece = [0; PIECE];
        let len = if long.len() <= PIECE { long.len() } else { 0 };
        piece[..len].copy_from_slice(&long[..len]);
        ColumnName { piece, len, long }
    }
}

impl NdjsonEncoder {
    /// An encoder with an empty buffer.
    pub fn new() -> NdjsonEncoder {
        NdjsonEncoder::default()
    }

    /// Bytes written since the buffer was last taken.
    pub fn len(&self) -> usize {
        self.written
    }

    /// Whether nothing was written since the buffer was last taken.
    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.written]
    }

    /// Forgets what was written and keeps the room.
    pub fn clear(&mut self) {
        self.written = 0;
    }

    /// Takes what was written. `spare` becomes the next buffer; its content does not matter.
    pub fn take(&mut self, spare: Vec<u8>) -> Vec<u8> {
        let mut taken = std::mem::replace(&mut self.buffer, spare);
        taken.truncate(self.written);
        self.written = 0;
        taken
    }

    /// Appends one record and a line feed.
    #[inline]
    pub fn write(&mut self, record: &Record<'_>) {
        match record {
            Record::Flow(flow) => self.write_flow(flow),
            Record::Firewall(entry) => self.write_exact(|out| {
                // Writing a JSON value to a vector does not fail.
                drop(serde_json::to_writer(&mut *out, entry.entry()));
                out.push(b'\n');
            }),
        }
    }

    #[inline]
    fn write_flow(&mut self, flow: &FlowRecord<'_>) {
        if self.layout.as_ref() != Some(flow.layout()) {
            self.columns = flow
                .layout()
                .columns()
                .iter()
                .map(|c| ColumnName::new(&c.name))
                .collect();
            self.layout = Some(flow.layout().clone());
        }
        self.reserve(CELL_ROOM);
        self.buffer[self.written] = b'{';
        let start = self.written + 1;
        self.written = start;
        let plain = flow.is_plain();
        let text = flow.buffer();
        for (column, cell) in self.columns.iter().zip(flow.cells()) {
            if let Some(written) =
                fast_cell(&mut self.buffer, self.written, column, cell, text, plain)
            {
                self.written = written;
            } else if cell.datum != Datum::Absent {
                self.buffer.truncate(self.written);
                slow_cell(&mut self.buffer, column, cell, text, plain);
                self.written = self.buffer.len();
            }
        }
        self.reserve(2);
        // The last comma becomes the end of the object.
        let end = self.written - usize::from(self.written > start);
        self.buffer[end] = b'}';
        self.buffer[end + 1] = b'\n';
        self.written = end + 2;
    }

    /// Makes room for some bytes behind what is written.
    #[inline(always)]
    fn reserve(&mut self, bytes: usize) {
        if self.buffer.len() < self.written + bytes {
            grow(&mut self.buffer, self.written + bytes);
        }
    }

    fn write_exact(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.buffer.truncate(self.written);
        write(&mut self.buffer);
        self.written = self.buffer.len();
    }
}

#[cold]
fn grow(buffer: &mut Vec<u8>, bytes: usize) {
    buffer.reserve(bytes.saturating_sub(buffer.len()));
    buffer.resize(buffer.capacity(), 0);
}

/// Writes a cell whose name and text fit pieces; `None` when it is absent, needs formatting or an
/// escape, or there is no room left.
#[inline(always)]
fn fast_cell(
    out: &mut [u8],
    at: usize,
    column: &ColumnName,
    cell: &Cell,
    text: &[u8],
    plain: bool,
) -> Option<usize> {
    let span = cell.span();
    let len = span.len();
    if !cell.verbatim | (len > PIECE) | (column.len == 0) {
        return None;
    }
    let room: &mut [u8; CELL_ROOM] = out.get_mut(at..)?.first_chunk_mut()?;
    let piece: &[u8; PIECE] = text.get(span.start..)?.first_chunk()?;
    let quoted = match cell.datum {
        Datum::Integer(_) => false,
        Datum::Address(_) => true,
        Datum::Text if plain => true,
        _ => return None,
    };
    *room.first_chunk_mut::<PIECE>()? = column.piece;
    let mut end = column.len;
    *room.get_mut(end)? = b'"';
    end += usize::from(quoted);
    *room.get_mut(end..)?.first_chunk_mut::<PIECE>()? = *piece;
    end += len;
    *room.get_mut(end..)?.first_chunk_mut::<2>()? = if quoted { *b"\"," } else { *b",," };
    Some(at + end + 1 + usize::from(quoted))
}

#[cold]
fn slow_cell(out: &mut Vec<u8>, column: &ColumnName, cell: &Cell, text: &[u8], plain: bool) {
    out.extend_from_slice(&column.long);
    let written = match cell.datum {
        Datum::Integer(value) => write!(out, "{value}"),
        Datum::Address(IpAddr::V4(value)) => write!(out, "\"{value}\""),
        Datum::Address(IpAddr::V6(value)) => write!(out, "\"{value}\""),
        Datum::Text if plain => {
            out.push(b'"');
            out.extend_from_slice(cell.text(text));
            out.push(b'"');
            Ok(())
        }
        // The reader refuses rows that are not UTF-8, so nothing is replaced here.
        Datum::Text => {
            write_string(out, &String::from_utf8_lossy(cell.text(text)));
            Ok(())
        }
        Datum::Absent => Ok(()),
    };
    // Writing to a vector does not fail.
    drop(written);
    out.push(b',');
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing a string to a vector does not fail.
    drop(serde_json::to_writer(out, text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry::{LogReader, ReadOptions, Row, Value};

    /// The plain way to the same JSON.
    fn reference(flow: &FlowRecord<'_>) -> serde_json::Value {
        let columns = flow.columns().filter_map(|(column, value)| {
            let value = match value? {
                Value::Integer(value) => serde_json::Value::from(value),
                Value::Address(value) => serde_json::Value::from(value.to_string()),
                Value::Text(value) => serde_json::Value::from(value),
            };
            Some((column.name.to_string(), value))
        });
        columns.collect::<serde_json::Map<_, _>>().into()
    }

    fn encode(log: &str) -> String {
        let options = ReadOptions::new(std::env::temp_dir());
        let mut reader = LogReader::open(log.as_bytes(), &options).unwrap();
        let mut encoder = NdjsonEncoder::new();
        let mut expected = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            if let Row::Record(record) = row {
                encoder.write(&record);
                if let Record::Flow(flow) = record {
                    expected.push(reference(&flow));
                }
            }
        }
        let text = String::from_utf8(encoder.take(Vec::new())).unwrap();
        let parsed: Vec<serde_json::Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(parsed, expected);
        assert!(text.is_empty() || text.ends_with('\n'));
        text
    }

    #[test]
    fn a_flow_is_one_line_of_typed_members() {
        assert_eq!(
            encode(
                "version account-id srcaddr dstaddr srcport bytes start action\n2 000123456789 10.0.0.1 2001:DB8:0::1 443 18446744073709551615 1795190400123 ACCEPT\n"
            ),
            "{\"version\":2,\"account_id\":\"000123456789\",\"srcaddr\":\"10.0.0.1\",\"dstaddr\":\"2001:db8::1\",\"srcport\":443,\"bytes\":18446744073709551615,\"start\":1795190400,\"action\":\"ACCEPT\"}\n"
        );
    }

    #[test]
    fn absent_values_are_left_out_wherever_they_stand() {
        assert_eq!(
            encode("srcaddr srcport action\n10.0.0.1 - -\n- 7 -\n- - ACCEPT\n"),
            "{\"srcaddr\":\"10.0.0.1\"}\n{\"srcport\":7}\n{\"action\":\"ACCEPT\"}\n"
        );
        assert_eq!(encode("vpc-id region\n- -\n"), "{}\n");
    }

    #[test]
    fn text_is_escaped_and_numbers_have_one_form() {
        let long = "x".repeat(300);
        let tag = "a\"b\\c é";
        let name = "y".repeat(60);
        encode(&format!(
            "instance-tag srcport {name} action\n{} 0080 {long} {long}\n",
            tag.replace(' ', "")
        ));
        assert!(
            encode("srcport protocol\n0080 0\n").starts_with("{\"srcport\":80,\"protocol\":0}")
        );
    }

    #[test]
    fn layouts_may_change_between_rows() {
        assert_eq!(
            encode("srcport dstport\n1 2\ndstport srcport\n3 4\n"),
            "{\"srcport\":1,\"dstport\":2}\n{\"dstport\":3,\"srcport\":4}\n"
        );
    }
}
