//! What enrichment adds to a record, as members of its JSON object.
//!
//! Sides and facts are the same for many records: each is rendered once and copied from then on.

use telemetry::enrichment::field::{End, FieldValue, FlowField};
use telemetry::enrichment::{Enrichment, SideField};
use telemetry::{FirewallRecord, Layout};

use super::write_string;
use crate::texts::Texts;

/// Rendered members, each followed by a comma.
#[derive(Debug, Default)]
pub(super) struct Additions {
    generation: u64,
    /// What was rendered, whatever record it was for.
    texts: Texts,
    /// Whether texts have to keep their numbers.
    are_noted: bool,
    /// The texts of sources, destinations and facts, by their numbers.
    numbers: [Vec<u32>; 3],
    /// A text in the making.
    text: Vec<u8>,
    /// Names that records have themselves: an enriched field never stands beside or instead of them.
    taken: Vec<Box<str>>,
}

/// Nothing is rendered yet.
const UNRENDERED: u32 = u32::MAX;

/// Texts that keep their numbers from one output to the next, at most.
const MOST_NUMBERED: usize = 1 << 15;

/// A part of an enrichment, rendered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'p> {
    pub members: &'p [u8],
    /// The same for the same members, until [`Additions::begin`].
    pub number: u32,
}

/// A member of a record's own: where it starts among its own values, and what it is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnMember {
    pub start: usize,
    pub name_len: usize,
    pub len: usize,
    pub after_len: usize,
}

/// How many members of its own almost every record has.
pub(super) const OWN_MEMBERS: usize = 3;

/// The name of the price of a transfer.
const COST_NAME: &[u8] = b"\"transfer_cost_usd\":";

/// Digits behind the point of an amount: a byte at the lowest price still counts.
const AMOUNT_DIGITS: usize = 12;

impl Additions {
    /// Names of columns of a layout that enriched fields have as well.
    pub fn use_layout(&mut self, layout: &Layout) {
        let unknown = layout.columns().iter().filter(|c| c.field.is_none());
        let taken = unknown.filter(|column| is_enriched(&column.name));
        self.take_names(taken.map(|column| column.name.clone()).collect());
    }

    /// Names of members of a firewall's entry that enriched fields have as well.
    pub fn use_entry(&mut self, entry: &FirewallRecord) {
        let names = entry.entry().keys().filter(|name| is_enriched(name));
        let taken: Vec<Box<str>> = names.map(|name| name.as_str().into()).collect();
        self.take_names(taken);
    }

    fn take_names(&mut self, taken: Vec<Box<str>>) {
        if taken != self.taken {
            self.taken = taken;
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.numbers.iter_mut().for_each(Vec::clear);
        if !self.are_noted {
            self.texts.clear();
        }
    }

    /// An output starts within which the same texts have the same numbers.
    pub fn begin(&mut self) {
        self.are_noted = true;
        if self.texts.len() > MOST_NUMBERED {
            self.numbers.iter_mut().for_each(Vec::clear);
            self.texts.clear();
        }
    }

    /// Renders the parts of an enrichment that are not yet, and says where all stand.
    #[inline]
    pub fn parts(&mut self, enrichment: &Enrichment<'_>) -> [Part<'_>; 3] {
        if self.generation != enrichment.generation {
            self.generation = enrichment.generation;
            self.clear();
        }
        let numbers = [enrichment.source, enrichment.destination, enrichment.facts];
        let mut texts = [UNRENDERED; 3];
        for (part, (number, text)) in numbers.into_iter().zip(&mut texts).enumerate() {
            let known = self.numbers[part].get(number as usize).copied();
            *text = match known {
                Some(known) if known != UNRENDERED => known,
                _ => self.render(part, number, enrichment),
            };
        }
        texts.map(|number| Part {
            members: self.texts.get(number),
            number,
        })
    }

    #[cold]
    fn render(&mut self, part: usize, number: u32, enrichment: &Enrichment<'_>) -> u32 {
        let taken = &self.taken;
        let out = &mut self.text;
        out.clear();
        match part {
            0 | 1 => {
                let end = End::BOTH[part];
                for (field, value) in enrichment.side_values(end) {
                    write_member(out, taken, &[end.prefix(), field.name()], value);
                }
                for (key, value) in enrichment.tags(end) {
                    let name = [end.prefix(), "tag_", key];
                    write_member(out, taken, &name, FieldValue::Text(value));
                }
            }
            _ => {
                for (field, value) in enrichment.fact_values() {
                    write_member(out, taken, &[field.name()], value);
                }
            }
        }
        let text = self.texts.number(out);
        // A number that nothing has gets no place: it would take as many as the number says.
        if number != u32::MAX {
            let numbers = &mut self.numbers[part];
            if numbers.len() <= number as usize {
                numbers.resize(number as usize + 1, UNRENDERED);
            }
            numbers[number as usize] = text;
        }
        text
    }

    /// Writes the values that are the record's own; says where those stand that almost every record has.
    #[inline]
    pub fn write_own(
        &self,
        enrichment: &Enrichment<'_>,
        out: &mut Vec<u8>,
    ) -> [Option<OwnMember>; OWN_MEMBERS] {
        let rare = enrichment.rejection.is_some() || enrichment.sample_rate > 1;
        let mut members = [None; OWN_MEMBERS];
        if rare || !self.taken.is_empty() {
            self.write_all_own(enrichment, out);
            return members;
        }
        // What all but few records have, in the order of the dictionary. Neither keywords of IANA nor names of flags
        // need an escape.
        if let Some(amount) = enrichment.cost {
            let start = out.len();
            out.extend_from_slice(COST_NAME);
            write_amount(out, amount);
            members[0] = Some(OwnMember {
                start,
                name_len: COST_NAME.len(),
                len: out.len() - start - COST_NAME.len(),
                after_len: 1,
            });
            out.push(b',');
        }
        let texts: [(&[u8], Option<&str>); 2] = [
            (b"\"protocol_name\":\"", enrichment.protocol_name),
            (b"\"tcp_flag_names\":\"", enrichment.tcp_flag_names),
        ];
        for ((name, text), member) in texts.into_iter().zip(&mut members[1..]) {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                *member = Some(OwnMember {
                    start: out.len(),
                    name_len: name.len(),
                    len: text.len(),
                    after_len: 2,
                });
                out.extend_from_slice(name);
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(b"\",");
            }
        }
        members
    }

    #[cold]
    fn write_all_own(&self, enrichment: &Enrichment<'_>, out: &mut Vec<u8>) {
        for (field, value) in enrichment.own_values() {
            write_member(out, &self.taken, &[field.name()], value);
        }
    }
}

/// Whether a name may be one of an enriched field.
pub(crate) fn is_enriched(name: &str) -> bool {
    let of_side = |end: End| {
        name.strip_prefix(end.prefix()).is_some_and(|rest| {
            rest.starts_with("tag_") || SideField::ALL.iter().any(|field| field.name() == rest)
        })
    };
    End::BOTH.into_iter().any(of_side) || FlowField::ALL.iter().any(|field| field.name() == name)
}

fn write_member(out: &mut Vec<u8>, taken: &[Box<str>], name: &[&str], value: FieldValue<'_>) {
    if !taken.is_empty() {
        let whole = name.concat();
        if taken.iter().any(|taken| **taken == *whole) {
            return;
        }
    }
    match name {
        // Names of tags may hold anything.
        [_, _, _] => write_string(out, &name.concat()),
        _ => {
            out.push(b'"');
            name.iter()
                .for_each(|part| out.extend_from_slice(part.as_bytes()));
            out.push(b'"');
        }
    }
    out.push(b':');
    match value {
        FieldValue::Text(text) => write_string(out, text),
        FieldValue::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        FieldValue::Decimal(amount) => write_amount(out, amount),
        FieldValue::Boolean(true) => out.extend_from_slice(b"true"),
        FieldValue::Boolean(false) => out.extend_from_slice(b"false"),
        FieldValue::Texts(texts) => {
            out.push(b'[');
            for (place, text) in texts.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write_string(out, text);
            }
            out.push(b']');
        }
    }
    out.push(b',');
}

/// Writes an amount in plain decimal notation, without zeros at its end.
#[inline]
pub(crate) fn write_amount(out: &mut Vec<u8>, amount: f64) {
    let scaled = amount * 1e12;
    if !(0.0..=9e18).contains(&scaled) {
        let text = if amount.is_finite() { amount } else { 0.0 };
        out.extend_from_slice(text.to_string().as_bytes());
        return;
    }
    let mut rest = scaled.round() as u64;
    if rest == 0 {
        out.push(b'0');
        return;
    }
    // Enough for the digits of the largest number and the point.
    let mut digits = [b'0'; 24];
    let mut at = digits.len();
    let mut behind = AMOUNT_DIGITS;
    while behind > 0 && rest.is_multiple_of(10) {
        rest /= 10;
        behind -= 1;
    }
    let mut written = 0;
    while rest > 0 || written <= behind {
        if written == behind && behind > 0 {
            at -= 1;
            digits[at] = b'.';
        }
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        written += 1;
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_plain_decimals() {
        for (amount, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.09, "0.09"),
            (0.2, "0.2"),
            (12.5, "12.5"),
            (100.0, "100"),
            (9.3e-12, "0.000000000009"),
            (4e-13, "0"),
            (0.000_838_190_317, "0.000838190317"),
            (1_234.000_000_5, "1234.0000005"),
        ] {
            let mut out = Vec::new();
            write_amount(&mut out, amount);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    /// The short way writes what the long one does.
    #[test]
    fn own_values_have_the_names_of_the_dictionary() {
        use telemetry::enrichment::{Enricher, FieldSet, Loaded, Options};
        use telemetry::{LogReader, ReadOptions, Row};
        let log = "protocol bytes tcp-flags srcaddr dstaddr\n6 1500 18 10.0.0.1 10.0.0.2\n\
                   61 7 0 10.0.0.1 10.0.0.2\n17 - - 10.0.0.1 10.0.0.2\n";
        let options = ReadOptions::new(std::env::temp_dir());
        let mut reader = LogReader::open(log.as_bytes(), &options).unwrap();
        let all = Options::new(FieldSet::parse("full").unwrap());
        let load = Box::new(|_: &str, _: &str| Loaded::Missing);
        let mut enricher = Enricher::new(all.into(), Loaded::Missing, load);
        let mut written = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            let Row::Record(record) = row else { continue };
            let mut enrichment = enricher.enrich(&record);
            enrichment.cost = Some(0.09);
            enrichment.sample_rate = if written.len() == 2 { 10 } else { 1 };
            let additions = Additions::default();
            let (mut short, mut long) = (Vec::new(), Vec::new());
            additions.write_own(&enrichment, &mut short);
            additions.write_all_own(&enrichment, &mut long);
            assert_eq!(short, long);
            written.push(String::from_utf8(short).unwrap());
        }
        assert_eq!(
            written,
            [
                "\"transfer_cost_usd\":0.09,\"protocol_name\":\"TCP\",\"tcp_flag_names\":\"SYN|ACK\",",
                "\"transfer_cost_usd\":0.09,",
                "\"transfer_cost_usd\":0.09,\"protocol_name\":\"UDP\",\"sample_rate\":10,",
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn amounts_are_read_again_as_they_were(pico in 0_u64..9_000_000_000_000_000) {
            let amount = pico as f64 / 1e12;
            let mut out = Vec::new();
            write_amount(&mut out, amount);
            let read: f64 = std::str::from_utf8(&out).unwrap().parse().unwrap();
            proptest::prop_assert!((read - amount).abs() <= 1e-12);
        }
    }
}
