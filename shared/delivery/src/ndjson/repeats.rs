//! What of the written text stood before: it is known when it is written, and nobody has to search for it.
//!
//! ```text
//! member ─▶ the same member with the same value ─▶ the whole is a repeat
//!       └─▶ the same member of one of the two records before ─▶ its name is, and what the values begin with
//! part of an enrichment ─▶ the same part
//! anything else ─▶ what it has in common with other texts that were written for the first time
//! ```
//!
//! What stood before is not written: the buffer has the literals only, and beside it stand the sequences that tell what
//! comes between them. Places in the text as a whole are positions.
//!
//! Both directions of a connection often stand one after the other. What could be repeated from either of the two records
//! before is repeated from the one that the repeat before it is of: both are one repeat then.
//!
//! A repeat never holds the comma that ends a member: at the end of a record a brace stands in its place. The member
//! that follows takes it in, with what else stands before both of them; it is written by then, and taken back.

use super::addition::OWN_MEMBERS;
use super::{Output, PIECE};
use crate::texts::{MASKS, Words, words};
use crate::zstandard::{Found, Search, Sequence, WINDOW};

/// Values of fewer bytes are compared with those of the last records only: the distance to another costs as much as they
/// do.
const LONG: usize = 11;

/// Values of at most so many bytes are compared as one word.
const WORD: usize = 8;

/// Slots of a column's long values at first, and at most: more of them would be looked for in slower memory, and
/// what stood farther away takes more bits to tell.
const FIRST_SLOTS: usize = 1 << 6;
const MAX_SLOTS: usize = 1 << 9;

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

/// How many bytes are the same before two members.
const COMMON: [[u8; 4]; 4] = [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 2, 0], [0, 0, 0, 3]];

impl Before {
    /// What a value's end is to the member that follows.
    pub fn after(after_len: usize) -> Before {
        match after_len {
            2 => Before::Quote,
            _ => Before::Comma,
        }
    }
}

/// The position of something, and in the last two bits what stands before it. Nothing starts at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place(u64);

impl Place {
    #[inline(always)]
    fn new(position: u64, before: Before) -> Place {
        Place(position << 2 | before as u64)
    }

    #[inline(always)]
    fn position(self) -> u64 {
        self.0 >> 2
    }

    /// How many bytes are the same before both.
    #[inline(always)]
    fn common(self, other: Place) -> usize {
        COMMON[(self.0 & 3) as usize][(other.0 & 3) as usize].into()
    }
}

/// The values of a column.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// Those of the last two records that have one, the last one first: where each member starts, its value and the
    /// value's bytes, none if there was none yet.
    places: [Place; 2],
    texts: [Words; 2],
    lens: [u8; 2],
    /// Whether both are the same.
    is_constant: bool,
    /// Long values by their hash; a power of two, or none yet.
    slots: Vec<Slot>,
    /// How many were put there.
    noted: usize,
    /// Whether none are put there.
    is_seldom_same: bool,
}

/// A long value as it was written last, in half a line of a processor's cache.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    text: [u64; SLOT / 8],
    /// Where its member starts.
    place: Place,
}

/// Bytes of a value that a slot takes: the ids of resources and addresses of IPv4 have fewer.
const SLOT: usize = 24;

/// A member as it would be written now: where it would start in the buffer, what stands around its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'m> {
    pub at: usize,
    pub name_len: usize,
    pub after_len: usize,
    /// The value, and whatever stands behind it.
    pub piece: &'m [u8; PIECE],
    pub len: usize,
}

/// What a column knows of a value that stands there now.
struct Met {
    /// Where to repeat its member from.
    source: Place,
    /// How many bytes of the value are the same there; `None` if all are.
    same: Option<usize>,
}

/// What is to be written of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    /// Where in the buffer: what stood there is a repeat now, too.
    pub at: usize,
    /// From which of its bytes on.
    pub from: usize,
}

/// Where texts stood last, and what stood before of that between the literals in the buffer.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    pub noted: Noted,
    /// What is the record's own in an enrichment, and the columns of its layout.
    pub own: [Column; OWN_MEMBERS],
    pub columns: Vec<Column>,
    pub news: News,
    /// Where the parts of enrichments stood, by their numbers.
    parts: Vec<Place>,
}

/// Texts that were written for the first time.
#[derive(Debug, Default)]
pub(super) struct News {
    search: Search,
    found: Vec<Found>,
}

/// A text in the making, as literals in the buffer and what stands between them.
#[derive(Debug)]
pub(super) struct Noted {
    /// The position of the buffer's start, as if all that is repeated stood before it: now, when the buffer began, when
    /// the text began and when the last sequence did. Counting starts at one, so that what was never written stands
    /// before every text.
    base: u64,
    of_buffer: u64,
    of_text: u64,
    of_last: u64,
    /// The lengths of all but the last are known.
    sequences: Vec<Sequence>,
    /// The last one: its distance, and where in the buffer the literals behind it start.
    distance: u64,
    end: usize,
    /// What stands before what comes next.
    before: Before,
}

impl Default for Noted {
    fn default() -> Noted {
        Noted {
            base: 1,
            of_buffer: 1,
            of_text: 1,
            of_last: 1,
            sequences: Vec::new(),
            distance: 0,
            end: 0,
            before: Before::Unknown,
        }
    }
}

impl Repeats {
    /// Another text starts with the buffer: what was written before is not part of it.
    pub fn begin(&mut self) {
        self.noted.of_text = self.noted.base;
        // Parts may be given other numbers.
        self.parts.clear();
        self.news.search.clear();
    }

    /// There are so many columns from here on, and they mean something else.
    pub fn use_columns(&mut self, columns: usize) {
        self.own = Default::default();
        // What a transfer costs is seldom the same: to look for it takes more than it saves.
        self.own[0].is_seldom_same = true;
        self.columns.clear();
        self.columns.resize_with(columns, Column::default);
    }

    /// A part of an enrichment of so many bytes, at least a comma, comes next. The same parts have the same number.
    #[inline]
    pub fn part(&mut self, number: u32, at: usize, len: usize) -> Rest {
        let now = self.noted.place(at);
        self.noted.before = Before::Comma;
        let number = number as usize;
        if self.parts.len() <= number {
            self.parts.resize(number + 1, Place::default());
        }
        let source = std::mem::replace(&mut self.parts[number], now);
        self.noted.repeat(at, len - 1, now, source)
    }
}

impl News {
    /// What stands in the buffer from there on, up to the comma at its end, was written for the first time: takes out
    /// what it has in common with other such texts. `before` is what its end is to the member that follows.
    pub fn take_out(&mut self, noted: &mut Noted, output: &mut Output, at: usize, before: Before) {
        noted.before = before;
        let Output {
            buffer, written, ..
        } = output;
        let position = noted.base + at as u64;
        let text = buffer.get(at..written.saturating_sub(1));
        self.search
            .find(text.unwrap_or_default(), position, &mut self.found);
        let (mut from, mut to) = (at, at);
        for Found { range, distance } in &self.found {
            let (start, end) = (at + range.start, at + range.end);
            buffer.copy_within(from..start, to);
            to += start - from;
            from = end;
            noted.push(to, end - start, u64::from(*distance));
        }
        buffer.copy_within(from..*written, to);
        *written -= from - to;
    }
}

impl Noted {
    /// What stood before of that between the literals in the buffer.
    pub fn sequences(&mut self) -> &mut [Sequence] {
        self.close();
        &mut self.sequences
    }

    /// How many bytes of it.
    pub fn repeated(&self) -> usize {
        (self.base - self.of_buffer) as usize
    }

    /// The buffer of so many bytes was handed over.
    pub fn next_buffer(&mut self, written: usize) {
        self.base += written as u64;
        self.of_buffer = self.base;
        self.sequences.clear();
        (self.distance, self.end) = (0, 0);
        self.before = Before::Unknown;
    }

    /// A record starts. The end of the one before stands in the same buffer unless it is its first.
    #[inline]
    pub fn begin_record(&mut self, at: usize) {
        self.before = match at {
            0 => Before::Unknown,
            _ => Before::Record,
        };
    }

    /// A member comes next, a value of a column.
    #[inline(always)]
    pub fn member(&mut self, column: &mut Column, member: Member<'_>) -> Rest {
        let now = self.place(member.at);
        // Where it would stand if it were repeated from as far before as what was repeated last.
        let as_before = now.position().wrapping_sub(self.distance);
        let Met { source, same } = match member.len <= WORD {
            true => column.meet_short(member, now, as_before),
            false => column.meet_long(member, now, as_before),
        };
        self.before = Before::after(member.after_len);
        let value_len = same.unwrap_or(member.len + member.after_len - 1);
        let len = member.name_len + value_len;
        // Most often, the comma before is all that is written since the last repeat, which goes on: members that follow
        // each other have a comma between them there, too.
        if source.position() == as_before && member.at == self.end + 1 {
            self.base += len as u64 + 1;
            return Rest {
                at: self.end,
                from: len,
            };
        }
        self.repeat(member.at, len, now, source)
    }

    /// Something comes next of which nothing is known but how it ends.
    pub fn unknown(&mut self, at: usize, before: Before) -> Rest {
        self.before = before;
        Rest { at, from: 0 }
    }

    /// Where something starts that comes next in the buffer.
    #[inline(always)]
    fn place(&self, at: usize) -> Place {
        Place::new(self.base + at as u64, self.before)
    }

    /// Notes that so many bytes which come next stood there, and those before both of them that are the same, too;
    /// unless they are too far away, in another text or too few.
    #[inline]
    fn repeat(&mut self, at: usize, len: usize, now: Place, source: Place) -> Rest {
        let distance = now.position() - source.position();
        let start = at.saturating_sub(source.common(now)).max(self.end);
        let length = at - start + len;
        let goes_on = distance == self.distance && start == self.end;
        let is_near = source.position() >= self.of_text && distance <= WINDOW.into();
        let is_worth = || is_near && Sequence::is_worth(length as u32, distance as u32);
        if !(goes_on || is_worth()) {
            return Rest { at, from: 0 };
        }
        self.push(start, length, distance);
        Rest {
            at: start,
            from: len,
        }
    }

    /// Adds a repeat behind the literals up to there.
    #[inline]
    fn push(&mut self, start: usize, length: usize, distance: u64) {
        if start != self.end || distance != self.distance {
            self.close();
            self.sequences.push(Sequence {
                literals: (start - self.end) as u32,
                length: 0,
                distance: distance as u32,
            });
            self.of_last = self.base;
            (self.distance, self.end) = (distance, start);
        }
        self.base += length as u64;
    }

    /// The last sequence goes on no more.
    #[inline(always)]
    fn close(&mut self) {
        if let Some(last) = self.sequences.last_mut() {
            last.length = (self.base - self.of_last) as u32;
        }
    }
}

impl Column {
    /// A value of at most [`WORD`] bytes stands there now.
    #[inline(always)]
    fn meet_short(&mut self, member: Member<'_>, now: Place, as_before: u64) -> Met {
        let word = masked_word(member.piece, member.len);
        let len = member.len as u8;
        let is_same = |text: &Words, seen: u8| text[0] == word && seen == len;
        if let Some(source) = self.go_on(is_same, now, as_before) {
            return Met { source, same: None };
        }
        let (chosen, is_known) = self.choose(is_same, as_before);
        let source = self.places[chosen];
        let common = common_word(self.texts[chosen][0], word);
        let common = common.min(len.min(self.lens[chosen]).into());
        let same = (!is_known).then_some(common);
        self.shift(now, is_known && chosen == 0);
        // The words behind are those of a longer value: lengths tell that they do not count.
        (self.texts[0][0], self.lens[0]) = (word, len);
        Met { source, same }
    }

    /// The same for a longer value.
    #[inline(always)]
    fn meet_long(&mut self, member: Member<'_>, now: Place, as_before: u64) -> Met {
        let text = words(member.piece, member.len);
        let len = member.len as u8;
        let is_same = |seen: &Words, seen_len: u8| is_same(seen, &text) && seen_len == len;
        if let Some(source) = self.go_on(is_same, now, as_before) {
            return Met { source, same: None };
        }
        let (chosen, is_known) = self.choose(is_same, as_before);
        let mut source = self.places[chosen];
        let mut same = None;
        if !is_known {
            match self.see(&text, member.len, now) {
                Some(known) => source = known,
                None => {
                    let common = common_prefix(&self.texts[chosen], &text);
                    same = Some(common.min(len.min(self.lens[chosen]).into()));
                }
            }
        }
        self.shift(now, is_known && chosen == 0);
        (self.texts[0], self.lens[0]) = (text, len);
        Met { source, same }
    }

    /// The place to repeat from if both of the last two values are the same as the one that stands there now, which only
    /// moves the places.
    #[inline(always)]
    fn go_on(
        &mut self,
        is_same: impl Fn(&Words, u8) -> bool,
        now: Place,
        as_before: u64,
    ) -> Option<Place> {
        if !(self.is_constant && is_same(&self.texts[0], self.lens[0])) {
            return None;
        }
        let [newer, older] = self.places;
        self.places = [now, newer];
        Some(match older.position() == as_before {
            true => older,
            false => newer,
        })
    }

    /// Which of the values of the last two records to repeat, and whether it is the same: the same one; of two, the one
    /// that stands there. Mostly one comparison tells.
    #[inline(always)]
    fn choose(&self, is_same: impl Fn(&Words, u8) -> bool, as_before: u64) -> (usize, bool) {
        let first = usize::from(self.places[1].position() == as_before);
        let second = 1 - first;
        if is_same(&self.texts[first], self.lens[first]) {
            (first, true)
        } else if is_same(&self.texts[second], self.lens[second]) {
            (second, true)
        } else {
            (first, false)
        }
    }

    /// Makes the newer value the older one. Another one stands there now, or the same.
    #[inline(always)]
    fn shift(&mut self, now: Place, is_same: bool) {
        self.places = [now, self.places[0]];
        self.texts[1] = self.texts[0];
        self.lens[1] = self.lens[0];
        self.is_constant = is_same;
    }

    /// Notes a value that neither of the last two records has; returns where it stood last, if it is known.
    #[inline]
    fn see(&mut self, text: &Words, len: usize, now: Place) -> Option<Place> {
        if !(LONG..=SLOT).contains(&len) || self.is_seldom_same {
            return None;
        }
        let slot = self.slot(text);
        let [a, b, c, _] = *text;
        let text = [a, b, c];
        // No value holds the zeros that stand behind a shorter one.
        let known = (slot.text == text).then_some(slot.place);
        *slot = Slot { text, place: now };
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
        let taken = |slot: &Slot| slot.place != Place::default();
        for slot in before.into_iter().filter(taken) {
            let [a, b, c] = slot.text;
            self.slots[slot_of(&[a, b, c, 0], room)] = slot;
        }
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

/// Whether two texts are the same. Without an early end, there is one jump.
#[inline(always)]
fn is_same([a, b, c, d]: &Words, [e, f, g, h]: &Words) -> bool {
    (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) == 0
}

/// How many bytes two texts have in common at their start.
#[inline]
fn common_prefix([a, b, c, d]: &Words, [e, f, g, h]: &Words) -> usize {
    if a != e {
        common_word(*a, *e)
    } else if b != f {
        WORD + common_word(*b, *f)
    } else if c != g {
        2 * WORD + common_word(*c, *g)
    } else {
        3 * WORD + common_word(*d, *h)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use telemetry::enrichment::{Enricher, FieldSet, Origin};
    use telemetry::generate::LogFormat;
    use telemetry::{LogReader, ReadOptions, Row};

    use super::super::NdjsonEncoder;
    use crate::parquet::tests::{any_fields, enricher, generated};
    use crate::zstandard::Sequence;

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
            let len = noted.len();
            let (mut literals, sequences) = noted.noted();
            for sequence in sequences {
                assert!(Sequence::is_worth(sequence.length, sequence.distance));
                let before = literals.split_off(..sequence.literals as usize).unwrap();
                text.extend_from_slice(before);
                for _ in 0..sequence.length {
                    text.push(text[text.len() - sequence.distance as usize]);
                }
                repeated += sequence.length as usize;
            }
            text.extend_from_slice(literals);
            assert_eq!(text.len() - base, len);
            noted.clear();
            assert!(noted.noted().1.is_empty());
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
        // Literals and repeats make up what is written without notes.
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn repeats_are_true_whichever_fields_are_chosen(fields in any_fields(), room in 1_usize..20_000) {
            for format in [LogFormat::VpcV5, LogFormat::TransitGateway] {
                repeated(&generated(format, 200), Some(&fields), room);
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
            let (literals, sequences) = encoder.noted();
            (literals.to_vec(), sequences.to_vec())
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
            let (literals, sequences) = encoder.noted();
            (literals.to_vec(), sequences.to_vec())
        };
        assert!(written(Vec::new()) == written(vec![0; 8 << 20]));
    }

    #[test]
    fn entries_of_firewalls_are_taken_apart_truly() {
        let entry = |port: u16, more: &str| {
            format!(
                "{{\"firewall_name\":\"egress\",\"availability_zone\":\"us-east-1a\",\"event_timestamp\":\"1795190400\",\
                 \"event\":{{\"src_ip\":\"10.20.0.5\",\"src_port\":{port},\"dest_ip\":\"203.0.113.7\",\"dest_port\":443,\
                 \"proto\":\"TCP\",\"event_type\":\"netflow\"{more}}}}}\n"
            )
        };
        let alert = ",\"alert\":{\"action\":\"blocked\",\"signature\":\"not on the list, not to be trusted\"}";
        let log: String = (0..200)
            .map(|number| entry(1000 + number, if number % 3 == 0 { alert } else { "" }))
            .collect();
        for fields in [None, Some("full")] {
            for room in [1, 1000, 100_000] {
                let share = repeated(log.as_bytes(), fields, room);
                assert!(share > 0.8 || room == 1, "{fields:?} {room}: {share}");
            }
        }
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
