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
use telemetry::{Cell, Datum, FirewallRecord, FlowRecord, Layout, Record};

mod addition;
mod datapoint;
mod repeats;

use addition::Additions;
pub(crate) use addition::{is_enriched, write_amount};
pub(crate) use datapoint::{write_datapoint, write_pairs};
use repeats::{Before, Member, Repeats, Rest};

use crate::zstandard::Sequence;

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
    /// What stood before, when somebody wants to know it.
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
    /// Values of so many bytes are not copied as pieces: none is if the name does not fit one.
    too_long: usize,
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
            too_long: if before_len <= PIECE { PIECE + 1 } else { 0 },
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

    /// Notes what stood before, in a text that starts here: it is not written.
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

    /// What was written since the buffer was last taken, as literals and what of all that was written since the text
    /// started is repeated between them.
    pub(crate) fn noted(&mut self) -> (&[u8], &mut [Sequence]) {
        let repeats = self.repeats.as_mut();
        let sequences = repeats.map(|repeats| repeats.noted.sequences());
        let literals = &self.output.buffer[..self.output.written];
        (literals, sequences.unwrap_or_default())
    }

    /// Bytes since the buffer was last taken, also those that are repeats.
    pub fn len(&self) -> usize {
        let repeats = self.repeats.as_ref();
        let repeated = repeats.map_or(0, |repeats| repeats.noted.repeated());
        self.output.written + repeated
    }

    /// Whether nothing was written since the buffer was last taken.
    pub fn is_empty(&self) -> bool {
        self.output.written == 0
    }

    /// What was written. An encoder that notes repeats leaves them out.
    pub fn bytes(&self) -> &[u8] {
        &self.output.buffer[..self.output.written]
    }

    /// Forgets what was written and keeps the room.
    pub fn clear(&mut self) {
        if let Some(repeats) = &mut self.repeats {
            repeats.noted.next_buffer(self.output.written);
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
        self.write_members(record);
        if let Some(enrichment) = enrichment {
            self.write_additions(record, enrichment);
        }
        self.output.close();
    }

    /// Appends what enrichment adds, each member followed by a comma.
    #[inline]
    fn write_additions(&mut self, record: &Record<'_>, enrichment: &Enrichment<'_>) {
        if let Record::Firewall(entry) = record {
            self.additions.use_entry(entry);
            // Names that flows have themselves are looked for again.
            self.layout = None;
        }
        self.own.clear();
        let own = self.additions.write_own(enrichment, &mut self.own);
        let parts = self.additions.parts(enrichment);
        let output = &mut self.output;
        let Some(repeats) = self.repeats.as_deref_mut() else {
            let [source, destination, facts] = parts.map(|part| part.members);
            output.write_parts([source, destination, facts, &self.own]);
            return;
        };
        for part in parts.into_iter().filter(|part| !part.members.is_empty()) {
            let at = output.written;
            let rest = repeats.part(part.number, at, part.members.len());
            output.write_rest(rest, part.members);
            if rest.from == 0 {
                repeats
                    .news
                    .take_out(&mut repeats.noted, output, at, Before::Comma);
            }
        }
        let Repeats {
            noted,
            own: columns,
            news,
            ..
        } = repeats;
        if own.iter().all(Option::is_none) {
            if !self.own.is_empty() {
                let at = output.written;
                output.write_parts([&self.own]);
                news.take_out(noted, output, at, Before::Comma);
            }
            return;
        }
        // Room for a piece behind the last value.
        self.own.extend_from_slice(&[0; PIECE]);
        for (column, member) in columns.iter_mut().zip(own) {
            let Some(member) = member else { continue };
            let text = &self.own[member.start..];
            let at = output.written;
            let piece = text[member.name_len..].first_chunk();
            let rest = match piece.filter(|_| member.len <= PIECE) {
                Some(piece) => {
                    let member = Member {
                        at,
                        name_len: member.name_len,
                        after_len: member.after_len,
                        piece,
                        len: member.len,
                    };
                    noted.member(column, member)
                }
                None => noted.unknown(at, Before::after(member.after_len)),
            };
            let len = member.name_len + member.len + member.after_len;
            output.write_rest(rest, &text[..len]);
        }
    }

    /// Opens an object and appends a record's members, each followed by a comma.
    #[inline]
    fn write_members(&mut self, record: &Record<'_>) {
        let output = &mut self.output;
        if let Some(repeats) = &mut self.repeats {
            repeats.noted.begin_record(output.written);
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
                match &mut self.repeats {
                    Some(repeats) => self.output.note_flow(&self.columns, flow, repeats),
                    None => self.output.write_flow(&self.columns, flow),
                }
            }
            Record::Firewall(entry) => {
                let at = output.written;
                output.write_entry(entry);
                if let Some(Repeats { noted, news, .. }) = self.repeats.as_deref_mut() {
                    let before = match output.written > at + 1 {
                        true => Before::Comma,
                        false => Before::Unknown,
                    };
                    news.take_out(noted, output, at, before);
                }
            }
        }
    }

    #[cold]
    fn use_layout(&mut self, layout: &Arc<Layout>) {
        self.columns = layout.columns().iter().map(ColumnText::new).collect();
        self.additions.use_layout(layout);
        if let Some(repeats) = &mut self.repeats {
            repeats.use_columns(self.columns.len());
        }
        self.layout = Some(Arc::clone(layout));
    }
}

impl Output {
    /// Opens an object and appends the members of a flow.
    #[inline]
    fn write_flow(&mut self, columns: &[ColumnText], flow: &FlowRecord<'_>) {
        let mut at = self.open(columns);
        let text = plain_text(flow);
        for (column, cell) in columns.iter().zip(flow.cells()) {
            at = match piece_of(column, cell, text) {
                Some((piece, len)) => self.copy_cell(at, column, len, piece),
                None if cell.is_absent() => at,
                None => self.write_cell(at, columns, column, cell, flow),
            };
        }
        self.written = at;
    }

    /// The same, of which what stood before is noted and not written.
    #[inline]
    fn note_flow(&mut self, columns: &[ColumnText], flow: &FlowRecord<'_>, repeats: &mut Repeats) {
        let mut at = self.open(columns);
        let text = plain_text(flow);
        let Repeats {
            noted,
            columns: values,
            news,
            ..
        } = repeats;
        for ((column, cell), values) in columns.iter().zip(flow.cells()).zip(values) {
            let start = cell.span().start;
            if let Some((piece, len)) = piece_of(column, cell, text) {
                let member = Member {
                    at,
                    name_len: column.before_len,
                    after_len: column.after_len,
                    piece,
                    len,
                };
                let rest = noted.member(values, member);
                at = rest.at;
                // A name is repeated as a whole or not at all.
                at = match rest.from.checked_sub(column.before_len) {
                    None => self.copy_cell(at, column, len, piece),
                    Some(value) if value + 1 < len + column.after_len => {
                        self.copy_value(at, column, text, start + value..start + len)
                    }
                    Some(_) => {
                        self.buffer[at] = b',';
                        at + 1
                    }
                };
            } else if !cell.is_absent() {
                self.written = self.write_cell(at, columns, column, cell, flow);
                news.take_out(noted, self, at, Before::after(column.after_len));
                at = self.written;
            }
        }
        self.written = at;
    }

    /// Opens an object, with room for what these columns may touch: how one is written must not tell how much room the
    /// buffer had. Returns where the first member starts.
    #[inline(always)]
    fn open(&mut self, columns: &[ColumnText]) -> usize {
        self.reserve((1 + columns.len()) * CELL_ROOM);
        self.buffer[self.written] = b'{';
        self.written + 1
    }

    /// Opens an object and appends the members of a firewall's entry.
    fn write_entry(&mut self, entry: &FirewallRecord) {
        let Output {
            buffer, written, ..
        } = self;
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
    }

    /// Closes the object: the comma behind its last member becomes its end.
    #[inline]
    fn close(&mut self) {
        self.reserve(2);
        let at = self.written;
        let has_comma = self.buffer[..at].last() == Some(&b',');
        let end = at - usize::from(has_comma);
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

    /// Copies a cell whose name and text fit pieces; returns where it ends.
    #[inline(always)]
    fn copy_cell(
        &mut self,
        at: usize,
        column: &ColumnText,
        len: usize,
        piece: &[u8; PIECE],
    ) -> usize {
        let room = &mut self.buffer[at..][..CELL_ROOM];
        let end = column.before_len + len;
        room[..PIECE].copy_from_slice(&column.before);
        room[column.before_len..][..PIECE].copy_from_slice(piece);
        room[end..][..2].copy_from_slice(&column.after);
        at + end + column.after_len
    }

    /// Copies the last bytes of a value that fits a piece, and what ends it; returns where.
    #[inline(always)]
    fn copy_value(
        &mut self,
        at: usize,
        column: &ColumnText,
        text: &[u8],
        span: std::ops::Range<usize>,
    ) -> usize {
        let len = span.len();
        let room = &mut self.buffer[at..][..CELL_ROOM];
        match text[span.start..].first_chunk::<PIECE>() {
            Some(piece) => room[..PIECE].copy_from_slice(piece),
            None => room[..len].copy_from_slice(&text[span]),
        }
        room[len..][..2].copy_from_slice(&column.after);
        at + len + column.after_len
    }

    /// Writes a cell of any kind and length, and makes room for others; returns where it ends.
    #[cold]
    fn write_cell(
        &mut self,
        at: usize,
        columns: &[ColumnText],
        column: &ColumnText,
        cell: &Cell,
        flow: &FlowRecord<'_>,
    ) -> usize {
        self.written = at;
        let buffer = flow.buffer();
        if flow.is_plain() && cell.is_verbatim() {
            let quote = &column.after[..column.after_len - 1];
            self.write_parts([&column.name, quote, cell.text(buffer), quote, b","]);
        } else {
            let value = match cell.datum(buffer) {
                Datum::Integer(value) => value.to_string(),
                Datum::Address(value) => format!("\"{value}\""),
                // The reader refuses rows that are not UTF-8, so nothing is replaced here.
                Datum::Text => Value::from(String::from_utf8_lossy(cell.text(buffer))).to_string(),
                Datum::Absent => return at,
            };
            self.write_parts([&column.name, value.as_bytes(), b","]);
        }
        self.reserve((1 + columns.len()) * CELL_ROOM);
        self.written
    }

    /// Writes the rest of a text, which ends with a comma.
    #[inline(always)]
    fn write_rest(&mut self, rest: Rest, text: &[u8]) {
        self.written = rest.at;
        if rest.from + 1 == text.len() {
            // Most often, nothing else is left. The text is not looked at: it may stand in slow memory.
            self.reserve(1);
            self.buffer[rest.at] = b',';
            self.written += 1;
        } else {
            self.write_parts([&text[rest.from..]]);
        }
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

/// What pieces can be copied from: nothing if a text of the record needs an escape.
#[inline(always)]
fn plain_text<'f>(flow: &FlowRecord<'f>) -> &'f [u8] {
    match flow.is_plain() {
        true => flow.buffer(),
        false => &[],
    }
}

/// The piece that the text of a cell begins, and the bytes of it; `None` when name or text do not fit one, or the text
/// needs a change.
#[inline(always)]
fn piece_of<'t>(
    column: &ColumnText,
    cell: &Cell,
    text: &'t [u8],
) -> Option<(&'t [u8; PIECE], usize)> {
    let span = cell.span();
    let len = span.end.wrapping_sub(span.start);
    if !cell.is_verbatim() || len >= column.too_long {
        return None;
    }
    let piece = text.get(span.start..span.start + PIECE)?;
    Some((piece.first_chunk()?, len))
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

    /// An entry that has names of enriched fields does not take them from the flows after it.
    #[test]
    fn a_flow_is_the_same_after_an_entry_of_a_firewall() {
        use telemetry::enrichment::{Enricher, FieldSet, Level, Loaded, Options};
        let flow = "srcaddr dstaddr flow-direction\n10.0.0.1 10.0.0.2 egress\n";
        let entry = r#"{"firewall_name":"fw","event_timestamp":1,"direction":"own","src_status":"own","event":{}}"#;
        let read = ReadOptions::new(std::env::temp_dir());
        let options = Options::new(FieldSet::of(Level::Full));
        let load = Box::new(|_: &str, _: &str| Loaded::Missing);
        let mut enricher = Enricher::new(options.into(), Loaded::Missing, load);
        let mut length = 0;
        for notes in [false, true] {
            let mut encoder = NdjsonEncoder::new(1000);
            if notes {
                encoder.note_repeats();
            }
            let mut flows = LogReader::open(flow.as_bytes(), &read).unwrap();
            let mut entries = LogReader::open(entry.as_bytes(), &read).unwrap();
            let (Some(Row::Record(flow)), Some(Row::Record(entry))) =
                (flows.next_row().unwrap(), entries.next_row().unwrap())
            else {
                panic!("each is a record");
            };
            for record in [&flow, &entry, &flow] {
                let enrichment = enricher.enrich(record);
                encoder.write(record, Some(&enrichment));
            }
            if notes {
                // What is noted stands for as many bytes.
                assert_eq!(encoder.len(), length);
                continue;
            }
            let text = encoder.take(Vec::new());
            length = text.len();
            let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
            let shown = String::from_utf8_lossy(lines[2]);
            assert!(shown.contains("\"src_status\":\"miss\""), "{shown}");
            assert_eq!(lines[0], lines[2]);
        }
    }

    #[test]
    fn layouts_may_change_between_rows() {
        assert_eq!(
            encode("srcport dstport\n1 2\ndstport srcport\n3 4\n"),
            "{\"srcport\":1,\"dstport\":2}\n{\"dstport\":3,\"srcport\":4}\n"
        );
    }
}
