//! What of the written text stood before: it is known when it is written, and nobody has to search for it.
//!
//! ```text
//! member ─▶ the same member with the same value ─▶ the whole is a repeat
//!       └─▶ the same member of one of the two records before ─▶ its name is, and what the values begin with
//! part of an enrichment ─▶ the same part
//! ```
//!
//! Both directions of a connection often stand one after the other. What could be repeated from either of the two records
//! before is repeated from the one that the repeat before it is of: both are one repeat then.
//!
//! Parts that stood before are left out of the text: who compresses it need not see them, and copying them would be
//! most of the work.
//!
//! A repeat never holds the comma that ends a member: at the end of a record a brace stands in its place. The member
//! that follows takes it in, with what else stands before both of them.

use super::{OWN_MEMBERS, PIECE};
use crate::texts::{MASKS, Words, words};
use crate::zstandard::{LEAST_LEFT_OUT, Repeat, WINDOW};

/// Values of fewer bytes are compared with those of the last records only: the distance to another costs as much as they
/// do.
const LONG: usize = 11;

/// Values of at most so many bytes are compared as one word.
const WORD: usize = 8;

/// Where nothing is written.
const NOWHERE: u64 = 0;

/// Slots of a column's long values at first, and at most: more of them would be looked for in slower memory, and
/// what stood farther away takes more bits to tell.
const FIRST_SLOTS: usize = 1 << 6;
const MAX_SLOTS: usize = 1 << 9;

/// A repeat of fewer bytes costs more than its bytes, unless it goes on where the one before ended.
const LEAST: u32 = 5;

/// What stands before a member, as far as its repeats are concerned: the number of bytes that are the same wherever
/// it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Before {
    /// It is not known.
    #[default]
    Unknown,
    /// `,`
    Comma,
    /// `",`
    Quote,
    /// The end of a record, and the start of another: `}`, a line feed, and `{`.
    Record,
}

/// By their numbers.
const BEFORES: [Before; 4] = [
    Before::Unknown,
    Before::Comma,
    Before::Quote,
    Before::Record,
];

/// How many bytes are the same before two members.
const COMMON: [[u32; 4]; 4] = [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 2, 0], [0, 0, 0, 3]];

impl Before {
    /// What a value's end is to the member that follows.
    pub fn after(after_len: usize) -> Before {
        match after_len {
            2 => Before::Quote,
            _ => Before::Comma,
        }
    }

    /// How many bytes are the same before two members.
    fn common(self, other: Before) -> u32 {
        COMMON[self as usize][other as usize]
    }
}

/// A value as it was written.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    text: Words,
    /// Where its member starts, from the beginning of all that was written.
    position: u64,
    /// Bytes of the value; none were seen yet when there are none.
    len: u8,
    before: Before,
}

/// The values of a column.
#[derive(Debug, Default)]
struct Column {
    /// Those of the last two records that have one, the last one first.
    recent: [Seen; 2],
    /// Long values by their hash; a power of two, or none yet.
    slots: Vec<Slot>,
    /// How many were put there.
    noted: usize,
}

/// A long value as it was written last, in half a line of a processor's cache.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    text: [u64; SLOT / 8],
    /// Where its member starts, and in the last two bits what stands before it. Nothing starts at zero.
    place: u64,
}

/// Bytes of a value that a slot takes: the ids of resources and addresses of IPv4 have fewer.
const SLOT: usize = 24;

/// A member as it is written now: where it starts in the buffer, what stands around its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'m> {
    pub at: usize,
    pub name_len: usize,
    pub after_len: usize,
    /// The value, and whatever stands behind it.
    pub piece: &'m [u8; PIECE],
    pub len: usize,
}

/// Where texts stood last, and what of the buffer stood before.
#[derive(Debug)]
pub(super) struct Repeats {
    /// Bytes that were written or left out before those in the buffer that come next, and before the text that they are
    /// part of. Counting starts at one, so that what was never written stands before every text.
    base: u64,
    start: u64,
    /// Bytes left out of the buffer.
    left_out: usize,
    found: Vec<Repeat>,
    /// Of the repeat that was found last: how far before it the same bytes start, and where it ends, were nothing left
    /// out.
    distance: u32,
    end: u32,
    columns: Vec<Column>,
    /// Where the parts of enrichments stood, by their numbers.
    parts: Vec<(u64, Before)>,
    before: Before,
}

impl Default for Repeats {
    fn default() -> Repeats {
        Repeats {
            base: 1,
            start: 1,
            left_out: 0,
            found: Vec::new(),
            distance: 0,
            end: 0,
            columns: Vec::new(),
            parts: Vec::new(),
            before: Before::Unknown,
        }
    }
}

impl Repeats {
    /// What was found in the buffer, in order.
    pub fn found(&self) -> &[Repeat] {
        &self.found
    }

    /// Bytes that are left out of the buffer.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The buffer of so many bytes was handed over.
    pub fn next_buffer(&mut self, written: usize) {
        self.base += written as u64;
        self.left_out = 0;
        self.found.clear();
        (self.distance, self.end) = (0, 0);
        self.before = Before::Unknown;
    }

    /// Another text starts with the buffer: what was written before is not part of it.
    pub fn begin(&mut self) {
        self.start = self.base;
        // Parts may be given other numbers.
        self.parts.clear();
    }

    /// There are so many columns from here on, and they mean something else.
    pub fn use_columns(&mut self, columns: usize) {
        self.columns.clear();
        self.columns.resize_with(columns, Column::default);
    }

    /// A record starts. The end of the one before stands in the same buffer unless it is its first.
    #[inline]
    pub fn begin_record(&mut self, at: usize) {
        self.before = match at {
            0 => Before::Unknown,
            _ => Before::Record,
        };
    }

    /// Something was written of which nothing is known but how it ends.
    pub fn skip(&mut self, before: Before) {
        self.before = before;
    }

    /// A member of the record was written.
    #[inline(always)]
    pub fn member(&mut self, column: usize, member: Member<'_>) {
        match member.len <= WORD {
            true => self.short(column, member),
            false => self.long(column, member),
        }
    }

    #[inline(always)]
    fn short(&mut self, column: usize, member: Member<'_>) {
        let position = self.base + member.at as u64;
        let as_before = self.as_before(position);
        let Some(Column { recent, .. }) = self.columns.get_mut(column) else {
            return;
        };
        let word = masked_word(member.piece, member.len);
        let len = member.len as u8;
        let is_same = |seen: &Seen| seen.text[0] == word && seen.len == len;
        let (chosen, is_known) = choose(recent, is_same, as_before);
        let value_len = match is_known {
            true => member.len + member.after_len - 1,
            false => common_word(chosen.text[0], word).min(len.min(chosen.len).into()),
        };
        let (source, before) = (chosen.position, chosen.before);
        let [newer, older] = recent;
        *older = *newer;
        // The words behind are those of a longer value: lengths tell that they do not count.
        (newer.text[0], newer.len) = (word, len);
        (newer.position, newer.before) = (position, self.before);
        self.note(member, position, source, before, value_len);
    }

    #[inline(always)]
    fn long(&mut self, number: usize, member: Member<'_>) {
        let position = self.base + member.at as u64;
        let as_before = self.as_before(position);
        let Some(column) = self.columns.get_mut(number) else {
            return;
        };
        let text = words(member.piece, member.len);
        let len = member.len as u8;
        let is_same = |seen: &Seen| seen.text == text && seen.len == len;
        let (chosen, is_known) = choose(&column.recent, is_same, as_before);
        let (mut source, mut before) = (chosen.position, chosen.before);
        let mut value_len = member.len + member.after_len - 1;
        let now = Seen {
            text,
            position,
            len,
            before: self.before,
        };
        if !is_known {
            let common = common_prefix(&chosen.text, &text).min(len.min(chosen.len).into());
            // What a transfer costs is seldom the same: to look for it takes more than it saves.
            let known = match number < OWN_MEMBERS {
                true => None,
                false => column.see(&now),
            };
            match known {
                Some(known) => (source, before) = known,
                None => value_len = common,
            }
        }
        let [newer, older] = &mut column.recent;
        *older = *newer;
        *newer = now;
        self.note(member, position, source, before, value_len);
    }

    /// Where a member would stand that is repeated from as far before as what was repeated last.
    #[inline(always)]
    fn as_before(&self, position: u64) -> u64 {
        position.wrapping_sub(self.distance.into())
    }

    /// Notes that a member's name and so many bytes behind it stood there.
    #[inline(always)]
    fn note(
        &mut self,
        member: Member<'_>,
        position: u64,
        source: u64,
        before: Before,
        value_len: usize,
    ) {
        let common = before.common(self.before);
        self.before = Before::after(member.after_len);
        if let Some(distance) = self.distance(source, position) {
            self.push(member.at, member.name_len + value_len, distance, common, 0);
        }
    }

    /// How far before a position something stood, unless it is too far away or in another text.
    #[inline(always)]
    fn distance(&self, source: u64, position: u64) -> Option<u32> {
        let distance = position - source;
        let is_near = source >= self.start && distance <= WINDOW.into();
        is_near.then_some(distance as u32)
    }

    /// A part of an enrichment comes next in the buffer, at least a comma. The same parts have the same number. Returns
    /// whether it is left out but for the comma at its end.
    #[inline]
    pub fn part(&mut self, number: u32, at: usize, len: usize) -> bool {
        let now = (self.base + at as u64, self.before);
        self.before = Before::Comma;
        let number = number as usize;
        if self.parts.len() <= number {
            self.parts.resize(number + 1, (NOWHERE, Before::Unknown));
        }
        let (position, before) = std::mem::replace(&mut self.parts[number], now);
        let Some(distance) = self.distance(position, now.0) else {
            return false;
        };
        let repeated = len - 1;
        let left_out = match repeated >= LEAST_LEFT_OUT as usize {
            true => repeated,
            false => 0,
        };
        self.push(
            at,
            repeated,
            distance,
            before.common(now.1),
            left_out as u32,
        );
        self.left_out += left_out;
        self.base += left_out as u64;
        left_out > 0
    }

    /// Notes that so many bytes stood so far before, and the `common` ones before them too. So many are left out.
    #[inline(always)]
    fn push(&mut self, at: usize, len: usize, distance: u32, common: u32, left_out: u32) {
        let at = at + self.left_out;
        let start = (at as u32).saturating_sub(common).max(self.end);
        let end = (at + len) as u32;
        if distance == self.distance
            && start == self.end
            && let Some(last) = self.found.last_mut()
        {
            last.len = end - last.at;
            last.left_out += left_out;
            self.end = end;
        } else if end.saturating_sub(start) >= LEAST {
            self.found.push(Repeat {
                at: start,
                len: end - start,
                distance,
                left_out,
            });
            (self.distance, self.end) = (distance, end);
        }
    }
}

impl Slot {
    fn new(seen: &Seen) -> Slot {
        let [a, b, c, _] = seen.text;
        Slot {
            text: [a, b, c],
            place: seen.position << 2 | seen.before as u64,
        }
    }

    /// What was seen, if it is this text: no value holds the zeros that stand behind a shorter one.
    #[inline]
    fn seen(&self, text: &Words) -> Option<(u64, Before)> {
        let [a, b, c, _] = *text;
        let before = BEFORES[(self.place & 3) as usize];
        (self.text == [a, b, c]).then_some((self.place >> 2, before))
    }
}

impl Column {
    /// Notes a value that neither of the last two records has; returns where it stood last, if it is known.
    #[inline]
    fn see(&mut self, now: &Seen) -> Option<(u64, Before)> {
        if !(LONG..=SLOT).contains(&now.len.into()) {
            return None;
        }
        let slot = self.slot(&now.text);
        let known = slot.seen(&now.text);
        *slot = Slot::new(now);
        known
    }

    /// The slot of a text.
    #[inline]
    fn slot(&mut self, text: &Words) -> &mut Slot {
        if self.noted >= self.slots.len() && self.slots.len() < MAX_SLOTS {
            self.grow();
        }
        self.noted += 1;
        let at = slot_of(text, self.slots.len());
        &mut self.slots[at]
    }

    #[cold]
    fn grow(&mut self) {
        let room = (4 * self.slots.len()).clamp(FIRST_SLOTS, MAX_SLOTS);
        let before = std::mem::replace(&mut self.slots, vec![Slot::default(); room]);
        for slot in before.into_iter().filter(|slot| slot.place != 0) {
            let [a, b, c] = slot.text;
            self.slots[slot_of(&[a, b, c, 0], room)] = slot;
        }
    }
}

/// The one to repeat of the values of the last two records, and whether it is the same: the same one; of two, the one
/// that stands there. Mostly one comparison tells.
#[inline(always)]
fn choose(
    [newer, older]: &[Seen; 2],
    is_same: impl Fn(&Seen) -> bool,
    as_before: u64,
) -> (&Seen, bool) {
    let [first, second] = match older.position == as_before {
        true => [older, newer],
        false => [newer, older],
    };
    if is_same(first) {
        (first, true)
    } else if is_same(second) {
        (second, true)
    } else {
        (first, false)
    }
}

/// The place of a text among so many slots, a power of two.
#[inline]
fn slot_of(text: &Words, slots: usize) -> usize {
    let [a, b, c, d] = *text;
    let mixed = (a ^ c.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (b ^ d.rotate_left(29)).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize & (slots - 1)
}

#[inline]
fn masked_word(piece: &[u8; PIECE], len: usize) -> u64 {
    let word = piece.first_chunk().copied().unwrap_or_default();
    u64::from_le_bytes(word) & MASKS[len.min(PIECE)][0]
}

/// How many bytes two words have in common at their start.
#[inline]
fn common_word(a: u64, b: u64) -> usize {
    (a ^ b).trailing_zeros() as usize / 8
}

/// How many bytes two texts have in common at their start.
#[inline]
fn common_prefix(a: &Words, b: &Words) -> usize {
    for (at, (a, b)) in a.iter().zip(b).enumerate() {
        if a != b {
            return WORD * at + common_word(*a, *b);
        }
    }
    PIECE
}

#[cfg(test)]
mod tests {
    use telemetry::enrichment::{Enricher, FieldSet, Origin};
    use telemetry::generate::LogFormat;
    use telemetry::{LogReader, ReadOptions, Row};

    use super::super::NdjsonEncoder;
    use crate::parquet::tests::{enricher, generated};

    /// Writes a log, handing the buffer over whenever it holds so many bytes; returns how many of all bytes are
    /// repeats. Each repeat must be true.
    fn repeated(log: &[u8], fields: Option<&str>, room: usize) -> f64 {
        let options = ReadOptions::new(std::env::temp_dir());
        let mut reader = LogReader::open(log, &options).unwrap();
        let mut enricher = fields.map(|fields| enricher(FieldSet::parse(fields).unwrap()));
        let (mut noted, mut plain) = (NdjsonEncoder::new(room), NdjsonEncoder::default());
        noted.note_repeats();
        let (mut text, mut repeated) = (Vec::<u8>::new(), 0);
        let mut hand_over = |noted: &mut NdjsonEncoder| {
            let base = text.len();
            let mut stored = noted.bytes();
            for repeat in noted.repeats() {
                let at = base + repeat.at as usize;
                assert!(at >= text.len() && repeat.len > 0 && repeat.left_out <= repeat.len);
                let literals = stored.split_off(..at - text.len()).unwrap();
                text.extend_from_slice(literals);
                for _ in 0..repeat.len {
                    text.push(text[text.len() - repeat.distance as usize]);
                }
                let kept = stored
                    .split_off(..(repeat.len - repeat.left_out) as usize)
                    .unwrap();
                if repeat.left_out == 0 {
                    assert_eq!(
                        String::from_utf8_lossy(&text[at..]),
                        String::from_utf8_lossy(kept)
                    );
                }
                repeated += repeat.len as usize;
            }
            text.extend_from_slice(stored);
            assert_eq!(text.len() - base, noted.len());
            noted.clear();
            assert!(noted.repeats().is_empty());
        };
        let mut records = 0;
        while let Some(row) = reader.next_row().unwrap() {
            let Row::Record(record) = row else { continue };
            let mut enrichment = enricher.as_mut().map(|enricher| enricher.enrich(&record));
            records += 1;
            if let Some(enrichment) = enrichment.as_mut().filter(|_| records % 50 == 0) {
                enrichment.sample_rate = 10;
            }
            noted.write(&record, enrichment.as_ref());
            plain.write(&record, enrichment.as_ref());
            if noted.len() >= room {
                hand_over(&mut noted);
            }
        }
        hand_over(&mut noted);
        // What is left out and what is not make up what is written without notes.
        assert_eq!(
            String::from_utf8_lossy(&text),
            String::from_utf8_lossy(plain.bytes())
        );
        repeated as f64 / text.len().max(1) as f64
    }

    #[test]
    fn most_of_a_record_stood_before() {
        for (format, fields, least) in [
            (LogFormat::VpcV2, None, 0.88),
            (LogFormat::VpcV2, Some("standard"), 0.8),
            (LogFormat::VpcV5, None, 0.8),
            (LogFormat::VpcV5, Some("full"), 0.8),
        ] {
            let log = generated(format, 2_000);
            for room in [1, 10_000, 256 << 10, 4 << 20] {
                let share = repeated(&log, fields, room);
                println!("{format:?} {fields:?} {room}: {share:.3}");
                assert!(share > least || room == 1, "{format:?} {fields:?}: {share}");
            }
        }
    }

    /// Batches are cut by what comes out of the compressor: it must not tell what the process did before.
    #[test]
    fn repeats_depend_on_the_text_alone() {
        let log = generated(LogFormat::VpcV2, 500);
        let written = |enricher: &mut Enricher, forgets: bool| {
            let options = ReadOptions::new(std::env::temp_dir());
            let mut reader = LogReader::open(&*log, &options).unwrap();
            let mut encoder = NdjsonEncoder::new(4 << 20);
            encoder.note_repeats();
            let mut records = 0;
            while let Some(row) = reader.next_row().unwrap() {
                let Row::Record(record) = row else { continue };
                records += 1;
                if forgets && records % 100 == 0 {
                    for folder in ["elsewhere", ""] {
                        let folder = folder.to_owned();
                        enricher.begin(Origin {
                            folder,
                            ..Origin::default()
                        });
                    }
                }
                encoder.write(&record, Some(&enricher.enrich(&record)));
            }
            (encoder.bytes().to_vec(), encoder.repeats().to_vec())
        };
        let mut enricher = enricher(FieldSet::parse("standard").unwrap());
        let first = written(&mut enricher, false);
        assert!(first.1.len() > 500);
        assert_eq!(written(&mut enricher, false), first);
        assert_eq!(written(&mut enricher, true), first);
    }

    #[test]
    fn repeats_do_not_depend_on_the_room_that_a_buffer_has() {
        let log = generated(LogFormat::VpcV5, 2_000);
        let options = ReadOptions::new(std::env::temp_dir());
        let written = |spare: Vec<u8>| {
            let mut reader = LogReader::open(&*log, &options).unwrap();
            let mut encoder = NdjsonEncoder::new(4 << 20);
            encoder.take(spare);
            encoder.note_repeats();
            while let Some(row) = reader.next_row().unwrap() {
                if let Row::Record(record) = row {
                    encoder.write(&record, None);
                }
            }
            (encoder.bytes().to_vec(), encoder.repeats().to_vec())
        };
        assert!(written(Vec::new()) == written(vec![0; 8 << 20]));
    }

    #[test]
    fn whatever_a_log_holds_repeats_are_true() {
        let (long, name) = ("x".repeat(100), "y".repeat(60));
        let escaped = "a\"b\\c";
        for log in [
            // Columns change, are absent, are alone, come first and last.
            "srcaddr dstport action\n10.0.0.1 443 ACCEPT\n10.0.0.1 - ACCEPT\n- - ACCEPT\n- 443 -\n10.0.0.1 443 ACCEPT\n"
                .to_owned(),
            "srcaddr dstport\n10.0.0.1 443\n10.0.0.1 443\ndstport srcaddr\n443 10.0.0.1\n443 10.0.0.1\n".to_owned(),
            // The same text in columns that are quoted and not, and values that begin alike.
            "srcport vpc-id dstport\n443 443 2\n443 4430 2\n44 443 2\n4430 44 2\n".to_owned(),
            "vpc-id region\n- -\n- -\nvpc-1 -\n- us-east-1\n- -\n".to_owned(),
            // What is too long for a piece, and what is escaped.
            format!("vpc-id srcport {name}\n{long} 1 {long}\n{long} 1 {long}\n{escaped} 2 {escaped}\n{escaped} 2 {escaped}\n"),
            // Names that enriched fields have, too.
            "srcaddr dstaddr src_vpc_id protocol bytes tcp-flags\n10.0.0.1 10.0.0.2 a 6 7 2\n10.0.0.1 10.0.0.2 a 6 7 2\n\
             10.0.0.1 10.0.0.2 a 6 7 18\n10.0.0.1 10.0.0.2 a 17 7 0\n10.0.0.1 10.0.0.2 a 17 7 -\n10.0.0.1 10.0.0.2 - 6 - 2\n"
                .to_owned(),
            // IPv6 in more than one spelling.
            "srcaddr dstaddr\n2001:DB8:0::1 2001:db8::1\n2001:db8::1 2001:DB8:0::1\n2001:db8::1 2001:db8::1\n".to_owned(),
        ] {
            for fields in [None, Some("full")] {
                for room in [1, 100, 1000, 10_000] {
                    repeated(log.as_bytes(), fields, room);
                }
            }
        }
    }
}
