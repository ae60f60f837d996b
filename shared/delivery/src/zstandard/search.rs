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
    /// One more than where it was, and 0 for nowhere.
    places: Box<[u32; PLACES]>,
}

impl Default for Search {
    fn default() -> Search {
        Search {
            places: Box::new([0; PLACES]),
        }
    }
}

impl Search {
    /// Makes `all` the repeats that are known and those that are found between them, in order.
    pub fn among(&mut self, text: &[u8], known: &[Repeat], all: &mut Vec<Repeat>) {
        all.clear();
        self.places.fill(0);
        let mut start = 0;
        for repeat in known {
            self.stretch(text, start, repeat.at as usize, all);
            all.push(*repeat);
            start = repeat.at.saturating_add(repeat.len) as usize;
        }
        self.stretch(text, start, text.len(), all);
    }

    #[inline]
    fn stretch(&mut self, text: &[u8], start: usize, end: usize, found: &mut Vec<Repeat>) {
        let end = end.min(text.len());
        if end.saturating_sub(start) >= STRETCH {
            self.search(text, start, end, found);
        }
    }

    fn search(&mut self, text: &[u8], start: usize, end: usize, found: &mut Vec<Repeat>) {
        let (mut at, mut done, mut misses) = (start, start, 0);
        while at + 8 <= end {
            let Some(word) = word(text, at) else { return };
            let place = &mut self.places[slot(word)];
            let before = std::mem::replace(place, at as u32 + 1) as usize;
            let same = match before.checked_sub(1) {
                Some(before) => common(text, before, at, end),
                None => 0,
            };
            if same < HASHED {
                misses += 1;
                at += 1 + misses / PATIENCE;
                continue;
            }
            misses = 0;
            let (mut source, mut from) = (before - 1, at);
            while from > done && source > 0 && text[source - 1] == text[from - 1] {
                (source, from) = (source - 1, from - 1);
            }
            at += same;
            done = at;
            found.push(Repeat {
                at: from as u32,
                len: (at - from) as u32,
                distance: (from - source) as u32,
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
            holes in prop::collection::vec((0_usize..2000, 0_usize..300), 0..5),
        ) {
            let text = words.concat().into_bytes();
            let mut known: Vec<Repeat> = Vec::new();
            for (skip, len) in holes {
                let at = known.last().map_or(0, |last| last.at + last.len) as usize + skip;
                if len > 0 && at + len <= text.len() {
                    known.push(Repeat { at: at as u32, len: len as u32, distance: 1 });
                }
            }
            let mut search = Search::default();
            let mut all = Vec::new();
            search.among(&text, &known, &mut all);
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
