//! Records as newline-delimited JSON in the native schema: AWS's own field names with `_` for `-`,
//! numbers as JSON numbers, absent values left out.
//!
//! The writer copies a flow's texts from the reader's block in fixed-size pieces, which costs a
//! third of exact copies of the few bytes a field has; what a piece holds too much, the next one
//! overwrites.

use std::sync::Arc;

use serde_json::Value;
use telemetry::enrichment::Enrichment;
use telemetry::flow::field::FieldType;
use telemetry::flow::layout::Column;
use telemetry::{Cell, Datum, FlowRecord, Layout, Record};

mod addition;
mod datapoint;
mod repeats;

use addition::{Additions, OWN_MEMBERS};
pub(crate) use addition::{is_enriched, write_amount};
pub(crate) use datapoint::{write_datapoint, write_pairs};
use repeats::{Before, Member, Repeats};

use crate::zstandard::Repeat;

/// Bytes of a piece that is copied at once.
const PIECE: usize = 32;

/// Room that a cell on the fast path may touch: its name, its text, and what ends it.
const CELL_ROOM: usize = 3 * PIECE;

/// The least room a buffer has; longer than almost every row.
const FIRST_ROOM: usize = 16 * 1024;

/// Writes records to a buffer, one JSON object per line.
#[derive(Debug, Default)]
pub struct NdjsonEncoder {
    output: Output,
    columns: Vec<ColumnText>,
    layout: Option<Arc<Layout>>,
    additions: Additions,
    own: Vec<u8>,
    /// What of the buffer stood before, when somebody wants to know it.
    repeats: Option<Box<Repeats>>,
}

/// A buffer with room behind what is written.
#[derive(Debug, Default)]
struct Output {
    /// Written up to `written`; the bytes behind it are room.
    buffer: Vec<u8>,
    written: usize,
    /// The size up to which the buffer is expected to grow.
    expected: usize,
}

/// What stands around a column's values.
#[derive(Debug, Clone)]
struct ColumnText {
    /// The quoted name, the colon, and for texts the opening quote.
    before: [u8; PIECE],
    before_len: usize,
    /// For texts the closing quote, then the comma.
    after: [u8; 2],
    after_len: usize,
    /// The quoted name and the colon, of any length.
    name: Vec<u8>,
}

impl ColumnText {
    fn new(column: &Column) -> ColumnText {
        let mut name = Vec::new();
        write_string(&mut name, &column.name);
        name.push(b':');
        let quoted = matches!(column.field_type(), FieldType::Address | FieldType::Text);
        let mut text = name.clone();
        text.extend(quoted.then_some(b'"'));
        let mut before = [0; PIECE];
        let before_len = text.len();
        if let Some(piece) = before.get_mut(..before_len) {
            piece.copy_from_slice(&text);
        }
        ColumnText {
            before,
            before_len,
            after: if quoted { *b"\"," } else { *b",," },
            after_len: 1 + usize::from(quoted),
            name,
        }
    }
}

impl NdjsonEncoder {
    /// An encoder whose buffer is taken when it holds about this many bytes.
    pub fn new(bytes: usize) -> NdjsonEncoder {
        let output = Output {
            expected: bytes.saturating_add(FIRST_ROOM),
            ..Output::default()
        };
        NdjsonEncoder {
            output,
            ..NdjsonEncoder::default()
        }
    }

    /// Notes what of the text stood before, in a text that starts here, and leaves out of the buffer what it need not
    /// hold.
    pub(crate) fn note_repeats(&mut self) {
        self.additions.begin();
        match &mut self.repeats {
            Some(repeats) => repeats.begin(),
            None => {
                self.repeats = Some(Box::default());
                self.layout = None;
            }
        }
    }

    /// What of the text in the buffer stood before, in it or in what was written since the text started; sorted.
    pub(crate) fn repeats(&self) -> &[Repeat] {
        self.repeats.as_ref().map_or(&[], |repeats| repeats.found())
    }

    /// Bytes written since the buffer was last taken, also those that are left out of it.
    pub fn len(&self) -> usize {
        let left_out = self
            .repeats
            .as_ref()
            .map_or(0, |repeats| repeats.left_out());
        self.output.written + left_out
    }

    /// Whether nothing was written since the buffer was last taken.
    pub fn is_empty(&self) -> bool {
        self.output.written == 0
    }

    /// What was written. An encoder that notes repeats leaves some of it out.
    pub fn bytes(&self) -> &[u8] {
        &self.output.buffer[..self.output.written]
    }

    /// Forgets what was written and keeps the room.
    pub fn clear(&mut self) {
        if let Some(repeats) = &mut self.repeats {
            repeats.next_buffer(self.output.written);
        }
        self.output.written = 0;
    }

    /// Takes what was written. `spare` becomes the next buffer; its content does not matter.
    pub fn take(&mut self, spare: Vec<u8>) -> Vec<u8> {
        let mut taken = std::mem::replace(&mut self.output.buffer, spare);
        taken.truncate(self.output.written);
        self.clear();
        taken
    }

    /// Appends one record, with what enrichment adds to it, and a line feed. Members of the record stay as
    /// they are: a name that it has itself is not added.
    #[inline]
    pub fn write(&mut self, record: &Record<'_>, enrichment: Option<&Enrichment<'_>>) {
        let start = self.write_members(record);
        if let Some(enrichment) = enrichment {
            self.write_additions(record, enrichment);
        }
        self.output.close(start);
    }

    /// Appends what enrichment adds, each member followed by a comma.
    #[inline]
    fn write_additions(&mut self, record: &Record<'_>, enrichment: &Enrichment<'_>) {
        if let Record::Firewall(entry) = record {
            self.additions.use_entry(entry);
        }
        self.own.clear();
        let own = self.additions.write_own(enrichment, &mut self.own);
        let parts = self.additions.parts(enrichment);
        let Some(repeats) = &mut self.repeats else {
            let [source, destination, facts] = parts.map(|part| part.members);
            self.output
                .write_parts([source, destination, facts, &self.own]);
            return;
        };
        for part in parts.into_iter().filter(|part| !part.members.is_empty()) {
            match repeats.part(part.number, self.output.written, part.members.len()) {
                true => self.output.write_parts([b","]),
                false => self.output.write_parts([part.members]),
            }
        }
        let at = self.output.written;
        self.output.write_parts([&self.own]);
        for (column, member) in own.into_iter().enumerate() {
            let Some(member) = member else { continue };
            // There is room behind what is written.
            let value = at + member.start + member.name_len;
            let piece = self.output.buffer.get(value..);
            let piece = piece.and_then(|piece| piece.first_chunk());
            let Some(piece) = piece.filter(|_| member.len <= PIECE) else {
                repeats.skip(Before::after(member.after_len));
                continue;
            };
            repeats.member(
                column,
                Member {
                    at: at + member.start,
                    name_len: member.name_len,
                    after_len: member.after_len,
                    piece,
                    len: member.len,
                },
            );
        }
    }

    /// Opens an object and appends a record's members, each followed by a comma; returns where they start.
    #[inline]
    fn write_members(&mut self, record: &Record<'_>) -> usize {
        if let Some(repeats) = &mut self.repeats {
            repeats.begin_record(self.output.written);
        }
        match record {
            Record::Flow(flow) => {
                let layout = flow.layout();
                if !self
                    .layout
                    .as_ref()
                    .is_some_and(|known| Arc::ptr_eq(known, layout))
                {
                    self.use_layout(layout);
                }
                self.output
                    .write_flow(&self.columns, flow, self.repeats.as_deref_mut())
            }
            Record::Firewall(entry) => {
                let Output {
                    buffer, written, ..
                } = &mut self.output;
                buffer.truncate(*written);
                let start = *written + 1;
                // Writing a JSON value to a vector does not fail.
                drop(serde_json::to_writer(&mut *buffer, entry.entry()));
                // The end of the object becomes a comma again; an empty one has nothing to end.
                if let Some(last) = buffer.last_mut() {
                    *last = b',';
                }
                if buffer.len() == start + 1 {
                    buffer.truncate(start);
                }
                *written = buffer.len();
                if let Some(repeats) = &mut self.repeats {
                    repeats.skip(match *written > start {
                        true => Before::Comma,
                        false => Before::Unknown,
                    });
                }
                start
            }
        }
    }

    #[cold]
    fn use_layout(&mut self, layout: &Arc<Layout>) {
        self.columns = layout.columns().iter().map(ColumnText::new).collect();
        self.additions.use_layout(layout);
        if let Some(repeats) = &mut self.repeats {
            repeats.use_columns(OWN_MEMBERS + self.columns.len());
        }
        self.layout = Some(Arc::clone(layout));
    }
}

impl Output {
    /// Opens an object and appends the members of a flow; returns where they start.
    #[inline]
    fn write_flow(
        &mut self,
        columns: &[ColumnText],
        flow: &FlowRecord<'_>,
        mut repeats: Option<&mut Repeats>,
    ) -> usize {
        // For all cells: how one is written must not tell how much room the buffer had.
        let room = (1 + columns.len()) * CELL_ROOM;
        self.reserve(room);
        self.buffer[self.written] = b'{';
        let start = self.written + 1;
        let mut at = start;
        let (plain, text) = (flow.is_plain(), flow.buffer());
        for (number, (column, cell)) in columns.iter().zip(flow.cells()).enumerate() {
            let fast = plain && cell.is_verbatim();
            match fast
                .then(|| copy_cell(&mut self.buffer, at, column, cell, text))
                .flatten()
            {
                Some((end, piece)) => {
                    if let Some(repeats) = &mut repeats {
                        repeats.member(
                            OWN_MEMBERS + number,
                            Member {
                                at,
                                name_len: column.before_len,
                                after_len: column.after_len,
                                piece,
                                len: cell.span().len(),
                            },
                        );
                    }
                    at = end;
                }
                None if cell.is_absent() => {}
                None => {
                    self.written = at;
                    self.write_cell(column, cell, text, plain);
                    self.reserve(room);
                    at = self.written;
                    if let Some(repeats) = &mut repeats {
                        repeats.skip(Before::after(column.after_len));
                    }
                }
            }
        }
        self.written = at;
        start
    }

    /// Closes the object whose members start there: the last comma becomes its end.
    #[inline]
    fn close(&mut self, start: usize) {
        self.reserve(2);
        let at = self.written;
        let end = at - usize::from(at > start);
        self.buffer[end] = b'}';
        self.buffer[end + 1] = b'\n';
        self.written = end + 2;
    }

    /// Makes room for some bytes behind what is written.
    #[inline(always)]
    fn reserve(&mut self, bytes: usize) {
        if self.buffer.len() < self.written + bytes {
            self.grow(bytes);
        }
    }

    /// Grows by doubling up to the expected size, so that a small object takes little memory and a
    /// large one not twice what it needs.
    #[cold]
    fn grow(&mut self, bytes: usize) {
        let needed = self.written + bytes;
        let doubled = (2 * self.buffer.len()).clamp(FIRST_ROOM, self.expected.max(FIRST_ROOM));
        let room = needed.max(doubled);
        self.buffer.reserve_exact(room - self.buffer.len());
        self.buffer.resize(room, 0);
    }

    /// Writes a cell of any kind and length.
    #[cold]
    fn write_cell(&mut self, column: &ColumnText, cell: &Cell, buffer: &[u8], plain: bool) {
        if plain && cell.is_verbatim() {
            let quote = &column.after[..column.after_len - 1];
            return self.write_parts([&column.name, quote, cell.text(buffer), quote, b","]);
        }
        let value = match cell.datum(buffer) {
            Datum::Integer(value) => value.to_string(),
            Datum::Address(value) => format!("\"{value}\""),
            // The reader refuses rows that are not UTF-8, so nothing is replaced here.
            Datum::Text => Value::from(String::from_utf8_lossy(cell.text(buffer))).to_string(),
            Datum::Absent => return,
        };
        self.write_parts([&column.name, value.as_bytes(), b","]);
    }

    #[inline]
    fn write_parts<const N: usize>(&mut self, parts: [&[u8]; N]) {
        self.reserve(parts.iter().map(|part| part.len()).sum::<usize>() + CELL_ROOM);
        for part in parts {
            let end = self.written + part.len();
            self.buffer[self.written..end].copy_from_slice(part);
            self.written = end;
        }
    }
}

/// Copies a cell whose name and text fit pieces and whose text needs no change; returns where it
/// ends, and the piece that its text begins. `None` when something does not fit.
#[inline(always)]
fn copy_cell<'t>(
    out: &mut [u8],
    at: usize,
    column: &ColumnText,
    cell: &Cell,
    text: &'t [u8],
) -> Option<(usize, &'t [u8; PIECE])> {
    let span = cell.span();
    let len = span.len();
    if len > PIECE || column.before_len > PIECE {
        return None;
    }
    let room: &mut [u8; CELL_ROOM] = out.get_mut(at..)?.first_chunk_mut()?;
    let piece: &[u8; PIECE] = text.get(span.start..)?.first_chunk()?;
    *room.first_chunk_mut()? = column.before;
    *room.get_mut(column.before_len..)?.first_chunk_mut()? = *piece;
    let end = column.before_len + len;
    *room.get_mut(end..)?.first_chunk_mut()? = column.after;
    Some((at + end + column.after_len, piece))
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    // Without an early end, many bytes are looked at together.
    let escapes = text.bytes().fold(0, |some, byte| {
        some | u8::from(byte < b' ') | u8::from(byte == b'"') | u8::from(byte == b'\\')
    });
    if escapes > 0 {
        // Writing a string to a vector does not fail.
        drop(serde_json::to_writer(out, text));
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
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
        let mut encoder = NdjsonEncoder::new(1000);
        let mut expected = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            if let Row::Record(record) = row {
                encoder.write(&record, None);
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
