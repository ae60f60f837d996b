//! Bits, as Zstandard has them: the first ones are the lowest of the first byte.

/// Bytes beyond what was written that a [`BitWriter`] may overwrite.
pub(super) const SLACK: usize = 8;

/// Writes bits into bytes that are there already.
pub(super) struct BitWriter<'a> {
    bytes: &'a mut [u8],
    /// Where the first byte stands that is not full.
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    /// A writer from there on. There must be room for all that is written and [`SLACK`] bytes more.
    pub fn new(bytes: &'a mut [u8], at: usize) -> BitWriter<'a> {
        BitWriter {
            bytes,
            at,
            held: 0,
            count: 0,
        }
    }

    /// Adds a value of so many bits; at most 56 of them between two calls of [`BitWriter::flush`].
    #[inline(always)]
    pub fn put(&mut self, value: u64, count: u32) {
        debug_assert!(value >> count == 0 && self.count + count < 64);
        self.held |= value << (self.count & 63);
        self.count += count;
    }

    /// Moves whole bytes out.
    #[inline(always)]
    pub fn flush(&mut self) {
        self.bytes[self.at..][..SLACK].copy_from_slice(&self.held.to_le_bytes());
        self.at += (self.count >> 3) as usize;
        self.held >>= self.count & 56;
        self.count &= 7;
    }

    /// Writes what is left; returns where the next byte goes.
    pub fn finish(mut self) -> usize {
        self.flush();
        self.at + usize::from(self.count > 0)
    }

    /// Writes what is left and the bit by which decoders, who start at the end, find the last one; returns where
    /// the next byte goes.
    pub fn finish_backward(mut self) -> usize {
        self.flush();
        self.put(1, 1);
        self.finish()
    }
}

/// What a bit counts as in costs, which are in fractions of bits.
pub(super) const BIT: u32 = 256;

const EXACT: usize = 1024;

/// Logarithms to the base 2 of the numbers below [`EXACT`], in fractions of [`BIT`].
const LOGARITHMS: [u16; EXACT] = {
    let mut logarithms = [0; EXACT];
    let mut number = 1;
    while number < EXACT {
        let whole = (number as u32).ilog2();
        // From 1 to 2, with 31 bits behind the point; squaring it doubles its logarithm.
        let mut rest = (number as u64) << (31 - whole);
        let mut logarithm = whole;
        let mut bit = 1;
        while bit < BIT {
            rest = (rest * rest) >> 31;
            logarithm *= 2;
            if rest >> 32 > 0 {
                logarithm += 1;
                rest >>= 1;
            }
            bit *= 2;
        }
        logarithms[number] = logarithm as u16;
        number += 1;
    }
    logarithms
};

/// The logarithm of a number to the base 2, in fractions of [`BIT`]; 0 of 0.
#[inline]
pub(super) fn logarithm(number: u32) -> u32 {
    let excess = (u32::BITS - number.leading_zeros()).saturating_sub(EXACT.ilog2());
    u32::from(LOGARITHMS[(number >> excess) as usize]) + excess * BIT
}

/// What so many symbols of these counts take at least, in fractions of [`BIT`].
pub(super) fn entropy(counts: &[u32], total: u32) -> u64 {
    let of_total = logarithm(total);
    let cost = |&count: &u32| u64::from(count) * u64::from(of_total - logarithm(count));
    counts.iter().map(cost).sum()
}
