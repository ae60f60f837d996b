//! Search for repeats in what no known repeat covers: texts that are written for the first time resemble each other.
//!
//! It looks at long stretches only, and finds what stood in such stretches of the same piece: where almost everything
//! is known, almost nothing is searched.

use super::Repeat;

/// Stretches of fewer bytes are not searched.
const STRETCH: usize = 64;

/// Bytes that must be the same before two places are compared.
const HASHED: usize = 6;

/// Places that are remembered, by the hash of what stands there; a power of two.
const PLACES: usize = 1 << 12;

/// Misses in a row after which the search takes longer steps.
const PATIENCE: usize = 1 << 5;

/// Finds repeats.
#[derive(Debug)]
pub(crate) struct Search {
    /// Where what was hashed stood, by its hash.
    places: Box<[Place; PLACES]>,
    /// What is searched of the text at hand.
    stretches: Vec<Stretch>,
}

/// A place in the text.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Where, plus one: 0 is nowhere.
    at: u32,
    /// Its stretch.
    stretch: u32,
}

/// A part of the text that no known repeat covers.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: usize,
    end: usize,
    /// How many bytes are left out of the text before it.
    left_out: usize,
}

impl Default for Search {
    fn default() -> Search {
        Search {
            places: Box::new([Place::default(); PLACES]),
            stretches: Vec::new(),
        }
    }
}

impl Search {
    /// Makes `all` the repeats that are known and those that are found between them, in order.
    pub fn among(&mut self, text: &[u8], known: &[Repeat], all: &mut Vec<Repeat>) {
        all.clear();
        self.places.fill(Place::default());
        self.stretches.clear();
        let (mut start, mut left_out) = (0, 0);
        let mut taken = 0;
        for (number, repeat) in known.iter().enumerate() {
            let end = (repeat.at as usize).saturating_sub(left_out);
            if end.saturating_sub(start) >= STRETCH {
                all.extend_from_slice(&known[taken..number]);
                taken = number;
                self.stretch(text, start, end, left_out, all);
            }
            start = end.saturating_add(repeat.len.saturating_sub(repeat.left_out) as usize);
            left_out += repeat.left_out as usize;
        }
        all.extend_from_slice(&known[taken..]);
        self.stretch(text, start, text.len(), left_out, all);
    }

    fn stretch(
        &mut self,
        text: &[u8],
        start: usize,
        end: usize,
        left_out: usize,
        found: &mut Vec<Repeat>,
    ) {
        let end = end.min(text.len());
        if end.saturating_sub(start) >= STRETCH {
            let stretch = Stretch {
                start,
                end,
                left_out,
            };
            self.search(text, stretch, found);
        }
    }

    fn search(&mut self, text: &[u8], stretch: Stretch, found: &mut Vec<Repeat>) {
        let number = self.stretches.len() as u32;
        self.stretches.push(stretch);
        let Stretch { start, end, .. } = stretch;
        let (mut at, mut done, mut misses) = (start, start, 0);
        while at + 8 <= end {
            let Some(word) = word(text, at) else { return };
            let now = Place {
                at: at as u32 + 1,
                stretch: number,
            };
            let place = std::mem::replace(&mut self.places[slot(word)], now);
            let stretch_of = self.stretches.get(place.stretch as usize).copied();
            let like = place.at.checked_sub(1).zip(stretch_of).map(|(before, of)| {
                let before = before as usize;
                // Beyond the end of another stretch, something may be left out.
                let end = end.min(at + of.end - before);
                (before, of, common(text, before, at, end))
            });
            let Some((before, of, same)) = like.filter(|(.., same)| *same >= HASHED) else {
                misses += 1;
                at += 1 + misses / PATIENCE;
                continue;
            };
            misses = 0;
            let (mut source, mut from) = (before, at);
            while from > done && source > of.start && text[source - 1] == text[from - 1] {
                (source, from) = (source - 1, from - 1);
            }
            at += same;
            done = at;
            let left_out = stretch.left_out - of.left_out;
            found.push(Repeat {
                at: (from + stretch.left_out) as u32,
                len: (at - from) as u32,
                distance: (from - source + left_out) as u32,
                left_out: 0,
            });
        }
    }
}

#[inline]
fn word(text: &[u8], at: usize) -> Option<u64> {
    let bytes = text.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

#[inline]
fn slot(word: u64) -> usize {
    let hash = (word << (64 - 8 * HASHED)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> (u64::BITS - PLACES.ilog2())) as usize % PLACES
}

/// How many bytes are the same at two places, the later of which ends there.
#[inline]
fn common(text: &[u8], a: usize, b: usize, end: usize) -> usize {
    let mut len = 0;
    while let (Some(one), Some(other)) = (word(text, a + len), word(text, b + len)) {
        let different = one ^ other;
        if different != 0 {
            return (len + different.trailing_zeros() as usize / 8).min(end - b);
        }
        len += 8;
        if b + len >= end {
            return end - b;
        }
    }
    // The last bytes of the text.
    let rest = text[a + len..].iter().zip(&text[b + len..end]);
    len + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is known, it stays; what is found beside it is true and does not overlap.
        #[test]
        fn repeats_are_true_and_in_order(
            words in prop::collection::vec(prop::sample::select(vec![
                "\"src_vpc_id\":\"vpc-0123456789abcdef0\",", "\"dst_how\":\"public\",", "a", "bc", "0123456789", "zzzzzzzz",
            ]), 0..200),
            holes in prop::collection::vec((0_usize..2000, 0_usize..300, 0_usize..400), 0..5),
        ) {
            let text = words.concat().into_bytes();
            let mut known: Vec<Repeat> = Vec::new();
            let mut stored = text.clone();
            for (skip, len, left_out) in holes {
                let at = known.last().map_or(0, |last| last.at + last.len) as usize + skip;
                if len > 0 && at + len <= text.len() {
                    let left_out = left_out.min(len);
                    let gone = text.len() - stored.len();
                    stored.drain(at - gone..at - gone + left_out);
                    let [at, len, left_out] = [at, len, left_out].map(|bytes| bytes as u32);
                    known.push(Repeat { at, len, distance: 1, left_out });
                }
            }
            let mut search = Search::default();
            let mut all = Vec::new();
            search.among(&stored, &known, &mut all);
            let mut end = 0;
            for repeat in &all {
                prop_assert!(repeat.at >= end && repeat.len > 0);
                end = repeat.at + repeat.len;
                prop_assert!(end as usize <= text.len());
                if !known.contains(repeat) {
                    let (at, len) = (repeat.at as usize, repeat.len as usize);
                    let source = at - repeat.distance as usize;
                    prop_assert_eq!(&text[at..at + len], &text[source..source + len]);
                }
            }
            prop_assert!(known.iter().all(|repeat| all.contains(repeat)));
        }
    }

    #[test]
    fn what_was_never_written_before_is_found_in_its_like() {
        let one = "\"src_vpc_id\":\"vpc-0123456789abcdef0\",\"src_how\":\"interface\",\"src_interface_id\":\"eni-0a\",";
        let other = one.replace("eni-0a", "eni-77");
        let text = format!("{one}{other}");
        let mut search = Search::default();
        let mut found = Vec::new();
        search.among(text.as_bytes(), &[], &mut found);
        let covered: u32 = found.iter().map(|repeat| repeat.len).sum();
        assert!(covered as usize >= other.len() - 10, "{found:?}");
    }
}
