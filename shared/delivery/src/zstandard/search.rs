//! Search for repeats in what no known repeat covers: texts that are written for the first time resemble each other.
//!
//! It keeps what it searched, up to a size: where almost everything is known, almost nothing is searched, and what is
//! known already is not looked at.

use std::ops::Range;

use super::WINDOW;

/// Texts of fewer bytes are not searched.
const LEAST: usize = 64;

/// Bytes that must be the same before two places are compared.
const HASHED: usize = 6;

/// Places that are remembered, by the hash of what stands there; a power of two.
const PLACES: usize = 1 << 12;

/// Misses in a row after which the search takes longer steps.
const PATIENCE: usize = 1 << 5;

/// Bytes that are kept: when there are more, the search starts anew.
const KEPT: usize = 256 << 10;

/// Finds repeats.
#[derive(Debug)]
pub(crate) struct Search {
    /// What was searched, one text after the other.
    kept: Vec<u8>,
    texts: Vec<Kept>,
    /// Where what was hashed stands in what is kept, by its hash.
    places: Box<[Place; PLACES]>,
}

/// A text that was searched.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// Where it starts and ends among what is kept.
    start: usize,
    end: usize,
    /// Where it starts in all that is written.
    position: u64,
}

/// A place in what is kept.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Where, plus one: 0 is nowhere.
    at: u32,
    /// Its text.
    text: u32,
}

/// A part of a text that stood before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it is in the text.
    pub range: Range<usize>,
    /// How many bytes before it stood.
    pub distance: u32,
}

impl Default for Search {
    fn default() -> Search {
        Search {
            kept: Vec::new(),
            texts: Vec::new(),
            places: Box::new([Place::default(); PLACES]),
        }
    }
}

impl Search {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.texts.clear();
        self.places.fill(Place::default());
    }

    /// Makes `all` what of a text stood in those before, in order. `position` is where it starts in all that is written.
    pub fn find(&mut self, text: &[u8], position: u64, all: &mut Vec<Found>) {
        all.clear();
        if text.len() < LEAST {
            return;
        }
        if self.kept.len() + text.len() > KEPT {
            self.clear();
        }
        let start = self.kept.len();
        self.kept.extend_from_slice(text);
        let end = self.kept.len();
        let number = self.texts.len() as u32;
        self.texts.push(Kept {
            start,
            end,
            position,
        });
        let kept = self.kept.as_slice();
        let (mut at, mut done, mut misses) = (start, start, 0);
        while let Some(word) = word(kept, at) {
            let now = Place {
                at: at as u32 + 1,
                text: number,
            };
            let place = std::mem::replace(&mut self.places[slot(word)], now);
            let text_of = self.texts.get(place.text as usize).copied();
            let like = place.at.checked_sub(1).zip(text_of).map(|(before, of)| {
                let before = before as usize;
                // Behind the end of another text stands something else.
                let end = end.min(at + of.end - before);
                (before, of, common(kept, before, at, end))
            });
            let Some((before, of, same)) = like.filter(|(.., same)| *same >= HASHED) else {
                misses += 1;
                at += 1 + misses / PATIENCE;
                continue;
            };
            misses = 0;
            let (mut source, mut from) = (before, at);
            while from > done && source > of.start && kept[source - 1] == kept[from - 1] {
                (source, from) = (source - 1, from - 1);
            }
            at += same;
            done = at;
            let stood = of.position + (source - of.start) as u64;
            let distance = position + (from - start) as u64 - stood;
            if distance <= WINDOW.into() {
                all.push(Found {
                    range: from - start..at - start,
                    distance: distance as u32,
                });
            }
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
    let most = end - b;
    let (earlier, earlier_rest) = text[a..a + most].as_chunks::<8>();
    let (later, later_rest) = text[b..end].as_chunks::<8>();
    let mut len = 0;
    for (one, other) in earlier.iter().zip(later) {
        let different = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if different != 0 {
            return len + different.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    let rest = earlier_rest.iter().zip(later_rest);
    len + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is found stood there, and does not overlap.
        #[test]
        fn repeats_are_true_and_in_order(
            texts in prop::collection::vec((prop::collection::vec(prop::sample::select(vec![
                "\"src_vpc_id\":\"vpc-0123456789abcdef0\",", "\"dst_how\":\"public\",", "a", "bc", "0123456789", "zzzzzzzz",
            ]), 0..60), prop_oneof![9 => 0_u64..300, 1 => Just(u64::from(WINDOW))]), 0..12),
            base in 1_u64..100,
        ) {
            let mut search = Search::default();
            let mut found = Vec::new();
            let mut position = base;
            // What is written, by its place; between the texts stands something else.
            let mut written = std::collections::HashMap::new();
            for (words, gap) in texts {
                let text = words.concat().into_bytes();
                written.extend(text.iter().enumerate().map(|(at, &byte)| (position + at as u64, byte)));
                search.find(&text, position, &mut found);
                let mut end = 0;
                for Found { range, distance } in &found {
                    prop_assert!(range.start >= end && range.len() >= HASHED && *distance <= WINDOW);
                    end = range.end;
                    prop_assert!(end <= text.len());
                    for at in range.clone() {
                        let stood = position + at as u64 - u64::from(*distance);
                        prop_assert_eq!(written.get(&stood), Some(&text[at]));
                    }
                }
                position += text.len() as u64 + gap;
            }
        }
    }

    const ONE: &str = "\"src_vpc_id\":\"vpc-0123456789abcdef0\",\"src_how\":\"interface\",\"src_interface_id\":\"eni-0a\",";

    fn covered(search: &mut Search, text: &str, position: u64) -> usize {
        let mut found = Vec::new();
        search.find(text.as_bytes(), position, &mut found);
        found.iter().map(|found| found.range.len()).sum()
    }

    #[test]
    fn what_was_never_written_before_is_found_in_its_like() {
        let other = ONE.replace("eni-0a", "eni-77");
        let mut search = Search::default();
        covered(&mut search, ONE, 1);
        assert!(covered(&mut search, &other, 500) >= other.len() - 10);
        search.clear();
        let alone = covered(&mut Search::default(), &other, 1000);
        assert_eq!(covered(&mut search, &other, 1000), alone);
        assert!(alone < other.len() / 2);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut search = Search::default();
        for number in 0..10_000 {
            covered(&mut search, ONE, number * 1000);
            assert!(search.kept.len() <= KEPT && search.texts.len() <= KEPT / LEAST);
        }
        covered(&mut search, &ONE.repeat(KEPT / ONE.len() + 1), 20_000_000);
        covered(&mut search, ONE, 30_000_000);
        assert!(search.kept.len() <= KEPT);
    }
}
