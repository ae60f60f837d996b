//! Values with numbers, each once, and a hash that is fast.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Values with numbers, each once.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32, Mixing>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Numbered {
            values: Vec::new(),
            numbers: HashMap::default(),
        }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    pub(super) fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = self.values.len() as u32;
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }

    /// The number that a value has already, by what it is borrowed as.
    pub(super) fn known<Q: ?Sized + Eq + Hash>(&self, value: &Q) -> Option<u32>
    where
        T: std::borrow::Borrow<Q>,
    {
        self.numbers.get(value).copied()
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.values.get(number as usize)
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.numbers.clear();
    }
}

/// Answers that are kept: few keys take most of the questions. Each key has one slot, which the last one that was put
/// there has. The table grows while it is too small, so that a small object does not pay for a large one.
///
/// `MOST` is how many slots there are at most, a power of two.
#[derive(Debug)]
pub(super) struct Slots<K, V, const MOST: usize> {
    slots: Vec<Slot<K, V>>,
    missed: usize,
}

/// A slot; as an enum of its own it is smaller than an `Option` of a pair.
#[derive(Debug, Clone, Copy)]
enum Slot<K, V> {
    Free,
    Taken(K, V),
}

/// Slots of a table to begin with; a power of two.
const FEWEST_SLOTS: usize = 1 << 10;

impl<K, V, const MOST: usize> Default for Slots<K, V, MOST> {
    fn default() -> Self {
        Slots {
            slots: Vec::new(),
            missed: 0,
        }
    }
}

impl<K: Copy + Eq + Hash, V: Copy, const MOST: usize> Slots<K, V, MOST> {
    /// Bytes that a slot takes.
    #[cfg(test)]
    pub(super) const SLOT_BYTES: usize = size_of::<Slot<K, V>>();

    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.missed = 0;
    }

    #[inline]
    fn slot(&self, key: &K) -> usize {
        let mut hash = Mixer::default();
        key.hash(&mut hash);
        hash.finish() as usize & (self.slots.len().wrapping_sub(1))
    }

    #[inline]
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        match self.slots.get(self.slot(key))? {
            Slot::Taken(known, value) if known == key => Some(value),
            _ => None,
        }
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        self.missed += 1;
        if self.missed > self.slots.len() && self.slots.len() < MOST {
            let size = (self.slots.len() * 4).clamp(FEWEST_SLOTS, MOST);
            let before = std::mem::replace(&mut self.slots, vec![Slot::Free; size]);
            self.missed = 0;
            for slot in before {
                if let Slot::Taken(key, value) = slot {
                    self.set(key, value);
                }
            }
        }
        self.set(key, value);
    }

    fn set(&mut self, key: K, value: V) {
        let slot = self.slot(&key);
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = Slot::Taken(key, value);
        }
    }
}

/// A fast hash for tables in memory; their keys are not chosen by strangers at will: a collision costs time.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::enrichment) struct Mixer(u64);

impl Mixer {
    #[inline]
    pub(super) fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mixer {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut tail = [0; 8];
        tail.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.add(u64::from_le_bytes(tail) ^ bytes.len() as u64);
    }

    #[inline]
    fn write_u8(&mut self, word: u8) {
        self.add(word.into());
    }

    #[inline]
    fn write_u16(&mut self, word: u16) {
        self.add(word.into());
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.add(word.into());
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    #[inline]
    fn write_u128(&mut self, word: u128) {
        self.add(word as u64);
        self.add((word >> 64) as u64);
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

pub(in crate::enrichment) type Mixing = BuildHasherDefault<Mixer>;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_put_last_is_told_or_nothing(
            steps in prop::collection::vec((0_u32..600, any::<bool>()), 0..3000),
        ) {
            let mut slots = Slots::<_, _, { 1 << 12 }>::default();
            let mut last = HashMap::new();
            for (step, (key, asks)) in steps.into_iter().enumerate() {
                if asks {
                    let told = slots.get(&key).copied();
                    prop_assert!(told.is_none() || told == last.get(&key).copied());
                } else {
                    slots.put(key, step);
                    last.insert(key, step);
                    prop_assert_eq!(slots.get(&key), Some(&step));
                }
            }
        }
    }
}
