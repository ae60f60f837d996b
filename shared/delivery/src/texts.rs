//! Texts, each kept once and named by a number from then on.
//!
//! A column of a log has few texts, and mostly the one of the row before: that is asked first.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Texts up to this length are read, hashed and compared as four words.
const WINDOW: usize = 32;

/// The bytes of a short text, followed by zeros.
pub(crate) type Words = [u64; WINDOW / 8];

/// Slots at first; a power of two.
const FIRST_SLOTS: usize = 64;

/// Which bits of the words belong to a text of this length.
pub(crate) const MASKS: [Words; WINDOW + 1] = {
    let mut masks = [[0; WINDOW / 8]; WINDOW + 1];
    let mut len = 0;
    while len <= WINDOW {
        let mut byte = 0;
        while byte < len {
            masks[len][byte / 8] |= 0xff << (8 * (byte % 8));
            byte += 1;
        }
        len += 1;
    }
    masks
};

/// Texts with numbers, in the order they came.
#[derive(Debug)]
pub(crate) struct Texts {
    /// All texts, and room for a window behind the last one.
    bytes: Vec<u8>,
    /// Where each text starts, and its length.
    places: Vec<(u32, u32)>,
    /// A text's hash in the upper half, its number plus one in the lower; zero is free.
    slots: Vec<u64>,
    /// The short text that was asked last.
    last: (Words, usize, u32),
    /// Texts of a log are chosen by strangers: they shall not know which collide.
    seed: u64,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts {
            bytes: vec![0; WINDOW],
            places: Vec::new(),
            slots: vec![0; FIRST_SLOTS],
            last: ([0; WINDOW / 8], usize::MAX, 0),
            seed: RandomState::new().build_hasher().finish(),
        }
    }
}

impl Texts {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes of the texts.
    pub fn size(&self) -> usize {
        self.bytes.len() - WINDOW
    }

    /// The text of a number.
    pub fn get(&self, number: u32) -> &[u8] {
        let (start, len) = self.place(number);
        self.bytes.get(start..start + len).unwrap_or_default()
    }

    fn place(&self, number: u32) -> (usize, usize) {
        let place = self.places.get(number as usize).copied();
        let (start, len) = place.unwrap_or_default();
        (start as usize, len as usize)
    }

    /// The number of the text that stands there in a buffer.
    #[inline]
    pub fn number_in(&mut self, buffer: &[u8], span: std::ops::Range<usize>) -> u32 {
        let window = buffer
            .get(span.start..)
            .and_then(|rest| rest.first_chunk::<WINDOW>());
        match window {
            Some(window) if span.len() <= WINDOW => {
                let len = span.len();
                self.short(words(window, len), len)
            }
            _ => self.number(buffer.get(span).unwrap_or_default()),
        }
    }

    /// The number of a text.
    #[inline]
    pub fn number(&mut self, text: &[u8]) -> u32 {
        let len = text.len();
        if len > WINDOW {
            return self.long(text);
        }
        let mut window = [0; WINDOW];
        if let Some(window) = window.get_mut(..len) {
            window.copy_from_slice(text);
        }
        self.short(words(&window, len), len)
    }

    #[inline]
    fn short(&mut self, text: Words, len: usize) -> u32 {
        let (words, last_len, number) = &self.last;
        // Without a branch for each word, and without the copies that a comparison of lists makes.
        let differ = words
            .iter()
            .zip(text)
            .fold(0, |differ, (a, b)| differ | (a ^ b));
        if *last_len == len && differ == 0 {
            return *number;
        }
        let number = self.find_short(text, len);
        self.last = (text, len, number);
        number
    }

    fn find_short(&mut self, text: Words, len: usize) -> u32 {
        let hash = mix_words(self.seed ^ len as u64, text);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots.get(at).copied().unwrap_or_default();
            if slot == 0 {
                break;
            }
            if slot >> 32 == hash >> 32 {
                let number = slot as u32 - 1;
                let (start, known_len) = self.place(number);
                let known = self.bytes.get(start..).and_then(|b| b.first_chunk());
                if known_len == len && known.is_some_and(|known| words(known, len) == text) {
                    return number;
                }
            }
            at = (at + 1) & mask;
        }
        let mut bytes = [0; WINDOW];
        for (to, from) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(text) {
            *to = from.to_le_bytes();
        }
        self.add(hash, at, bytes.get(..len).unwrap_or_default())
    }

    fn long(&mut self, text: &[u8]) -> u32 {
        let hash = self.hash(text);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots.get(at).copied().unwrap_or_default();
            if slot == 0 {
                return self.add(hash, at, text);
            }
            if slot >> 32 == hash >> 32 && self.get(slot as u32 - 1) == text {
                return slot as u32 - 1;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn add(&mut self, hash: u64, at: usize, text: &[u8]) -> u32 {
        let number = self.places.len() as u32;
        self.bytes.truncate(self.size());
        self.places
            .push((self.bytes.len() as u32, text.len() as u32));
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(&[0; WINDOW]);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = hash >> 32 << 32 | u64::from(number + 1);
        }
        if self.places.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    /// Doubles the slots. The lower half of a hash is not kept, so that all are made again.
    fn grow(&mut self) {
        self.slots.clear();
        self.slots.resize(self.places.len() * 4, 0);
        let slots = self.slots.len().next_power_of_two();
        self.slots.resize(slots, 0);
        for number in 0..self.places.len() as u32 {
            let hash = self.hash(self.get(number));
            let mask = self.slots.len() - 1;
            let mut at = hash as usize & mask;
            while self.slots.get(at).is_some_and(|slot| *slot != 0) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = hash >> 32 << 32 | u64::from(number + 1);
            }
        }
    }

    fn hash(&self, text: &[u8]) -> u64 {
        let mut hash = self.seed ^ text.len() as u64;
        let (chunks, rest) = text.as_chunks::<WINDOW>();
        let mut window = [0; WINDOW];
        window
            .iter_mut()
            .zip(rest)
            .for_each(|(to, from)| *to = *from);
        if text.len() == WINDOW {
            return chunks
                .first()
                .map_or(hash, |text| mix_words(hash, words(text, WINDOW)));
        }
        for chunk in chunks {
            hash = mix_words(hash, words(chunk, WINDOW));
        }
        mix_words(hash, words(&window, rest.len()))
    }

    /// Forgets all texts, and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.resize(WINDOW, 0);
        self.places.clear();
        self.slots.truncate(FIRST_SLOTS);
        self.slots.fill(0);
        self.last.1 = usize::MAX;
    }
}

/// The words of the short text that a window begins with.
#[inline]
pub(crate) fn words(window: &[u8; WINDOW], len: usize) -> Words {
    let (words, _) = window.as_chunks();
    let masks = &MASKS[len.min(WINDOW)];
    std::array::from_fn(|word| u64::from_le_bytes(words[word]) & masks[word])
}

#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// A hash of four words, two products at a time.
#[inline]
fn mix_words(seed: u64, [a, b, c, d]: Words) -> u64 {
    // Digits of the golden ratio, of e and of pi: any odd words without a pattern.
    let left = mix(a ^ 0x9e37_79b9_7f4a_7c15, b ^ seed);
    let right = mix(c ^ 0xb7e1_5162_8aed_2a6b, d ^ seed.rotate_left(32));
    mix(left ^ 0x2436_a885_a308_d313, right ^ seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn each_text_has_one_number_wherever_it_stands(
            texts in prop::collection::vec(".{0,40}", 0..300),
            before in 0_usize..5,
            behind in 0_usize..40,
        ) {
            let mut known = Texts::default();
            for _ in 0..2 {
                let mut numbers: HashMap<&str, u32> = HashMap::new();
                for text in &texts {
                    let next = numbers.len() as u32;
                    let number = *numbers.entry(text).or_insert(next);
                    let buffer = ["x".repeat(before), text.clone(), "y".repeat(behind)].concat();
                    let span = before..before + text.len();
                    prop_assert_eq!(known.number_in(buffer.as_bytes(), span), number);
                    prop_assert_eq!(known.number(text.as_bytes()), number);
                    prop_assert_eq!(known.get(number), text.as_bytes());
                }
                prop_assert_eq!(known.len(), numbers.len());
                known.clear();
            }
        }
    }

    #[test]
    fn zeros_are_part_of_a_text() {
        let mut texts = Texts::default();
        let numbers = [&b""[..], b"\0", b"\0\0", b"a", b"a\0", &[0; 32], &[0; 33]]
            .map(|text| texts.number(text));
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6]);
    }
}
