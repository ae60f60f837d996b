//! Integers as differences of neighbours ("Delta Encoding (DELTA_BINARY_PACKED = 5)", *Parquet encodings*).

use super::rle::{varint, varint_size};

/// Differences of a block.
const BLOCK: usize = 128;

/// Parts of a block, each with a width of its own.
const PARTS: usize = 4;

/// Differences of a part.
const PART: usize = BLOCK / PARTS;

/// Differences of a block, less the least of them, and how many bits each part takes.
struct Differences {
    values: [u64; BLOCK],
    widths: [u8; PARTS],
    least: i64,
}

impl Differences {
    /// The differences of each block, one after the other.
    fn of(values: &[u64], mut each: impl FnMut(&Differences, usize)) {
        let mut block = Differences {
            values: [0; BLOCK],
            widths: [0; PARTS],
            least: 0,
        };
        let mut before = values.first().copied().unwrap_or_default();
        for values in values.get(1..).unwrap_or_default().chunks(BLOCK) {
            let mut least = i64::MAX;
            for (difference, value) in block.values.iter_mut().zip(values) {
                *difference = value.wrapping_sub(before);
                least = least.min(*difference as i64);
                before = *value;
            }
            let there = block.values.get_mut(..values.len()).unwrap_or_default();
            block.widths = [0; PARTS];
            for (width, part) in block.widths.iter_mut().zip(there.chunks_mut(PART)) {
                let mut all = 0;
                for value in part {
                    *value = value.wrapping_sub(least as u64);
                    all |= *value;
                }
                *width = (u64::BITS - all.leading_zeros()) as u8;
            }
            block.least = least;
            each(&block, values.len());
        }
    }
}

/// Bytes that values take.
pub(super) fn size(values: &[u64]) -> usize {
    let mut size = varint_size(BLOCK as u64) + varint_size(PARTS as u64);
    size += varint_size(values.len() as u64);
    size += varint_size(zigzag(values.first().copied().unwrap_or_default() as i64));
    Differences::of(values, |block, _| {
        let bits: usize = block.widths.iter().map(|width| usize::from(*width)).sum();
        size += varint_size(zigzag(block.least)) + PARTS + bits * (PART / 8);
    });
    size
}

/// Appends values of 64 bits; those of 32 must be sign-extended.
pub(super) fn encode(values: &[u64], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint(PARTS as u64, out);
    varint(values.len() as u64, out);
    let first = values.first().copied().unwrap_or_default();
    varint(zigzag(first as i64), out);
    Differences::of(values, |block, count| {
        varint(zigzag(block.least), out);
        out.extend_from_slice(&block.widths);
        let there = block.values.get(..count).unwrap_or_default();
        for (values, width) in there.chunks(PART).zip(block.widths) {
            pack(values, width.into(), out);
        }
    });
}

/// Appends a part: its values with `width` bits each, filled up with zeros.
fn pack(values: &[u64], width: u32, out: &mut Vec<u8>) {
    let end = out.len() + PART / 8 * width as usize;
    let (mut word, mut bits) = (0_u128, 0);
    for value in values {
        word |= u128::from(*value) << bits;
        bits += width;
        if bits >= 64 {
            out.extend_from_slice(&(word as u64).to_le_bytes());
            word >>= 64;
            bits -= 64;
        }
    }
    while bits > 0 {
        out.push(word as u8);
        word >>= 8;
        bits = bits.saturating_sub(8);
    }
    out.resize(end, 0);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_size_is_what_is_written(
            values in prop::collection::vec(prop_oneof![any::<u64>(), 0_u64..300], 0..400),
        ) {
            let mut bytes = Vec::new();
            encode(&values, &mut bytes);
            prop_assert_eq!(size(&values), bytes.len());
        }
    }

    #[test]
    fn a_progression_takes_no_bits() {
        let values: Vec<u64> = (0..=128).map(|n| 7 + 3 * n).collect();
        let mut bytes = Vec::new();
        encode(&values, &mut bytes);
        assert_eq!(bytes, [0x80, 1, 4, 0x81, 1, 14, 6, 0, 0, 0, 0]);
    }
}
