//! Integers as differences of neighbours ("Delta Encoding (DELTA_BINARY_PACKED = 5)", *Parquet encodings*).

use super::rle::varint;

/// Differences of a block.
const BLOCK: usize = 128;

/// Parts of a block, each with a width of its own.
const PARTS: usize = 4;

/// Differences of a part.
const PART: usize = BLOCK / PARTS;

/// Appends values of 64 bits; those of 32 must be sign-extended.
pub(super) fn encode(values: &[u64], out: &mut Vec<u8>) {
    varint(BLOCK as u64, out);
    varint(PARTS as u64, out);
    varint(values.len() as u64, out);
    let first = values.first().copied().unwrap_or_default();
    zigzag(first as i64, out);
    let mut before = first;
    let mut differences = [0_u64; BLOCK];
    for block in values.get(1..).unwrap_or_default().chunks(BLOCK) {
        let mut least = i64::MAX;
        for (difference, value) in differences.iter_mut().zip(block) {
            *difference = value.wrapping_sub(before);
            least = least.min(*difference as i64);
            before = *value;
        }
        zigzag(least, out);
        let widths = out.len();
        out.extend_from_slice(&[0; PARTS]);
        let there = differences.get_mut(..block.len()).unwrap_or_default();
        for (part, values) in there.chunks_mut(PART).enumerate() {
            let mut all = 0;
            for value in values.iter_mut() {
                *value = value.wrapping_sub(least as u64);
                all |= *value;
            }
            let width = u64::BITS - all.leading_zeros();
            if let Some(place) = out.get_mut(widths + part) {
                *place = width as u8;
            }
            pack(values, width, out);
        }
    }
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

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progression_takes_no_bits() {
        let values: Vec<u64> = (0..=128).map(|n| 7 + 3 * n).collect();
        let mut bytes = Vec::new();
        encode(&values, &mut bytes);
        assert_eq!(bytes, [0x80, 1, 4, 0x81, 1, 14, 6, 0, 0, 0, 0]);
    }
}
