//! The hybrid of run lengths and bit packing that Parquet has for levels and for indices into a dictionary
//! ("Run Length Encoding / Bit-Packing Hybrid (RLE = 3)", *Parquet encodings*).

/// Values that are packed together: so many take as many bytes as a value has bits.
const PACK: usize = 8;

/// Bits that a run must save the packing of to be worth its header.
const WORTH: usize = 64;

/// How many bits the values up to this one take.
pub(super) fn bit_width(max: u32) -> u8 {
    (u32::BITS - max.leading_zeros()) as u8
}

/// The most bytes that so many values of a width take.
pub(super) fn bound(values: usize, width: u8) -> usize {
    values.div_ceil(PACK) * usize::from(width) + 16
}

/// Bytes that values take, each of at most `width` bits.
pub(super) fn size(values: &[u32], width: u8) -> usize {
    let mut size = 0;
    runs(values, width, |packed, run| {
        if !packed.is_empty() {
            let groups = packed.len().div_ceil(PACK);
            size += varint_size((groups as u64) << 1 | 1) + groups * usize::from(width);
        }
        if !run.is_empty() {
            size += varint_size((run.len() as u64) << 1) + usize::from(width).div_ceil(8);
        }
    });
    size
}

/// Appends values, each of at most `width` bits.
pub(super) fn encode(values: &[u32], width: u8, out: &mut Vec<u8>) {
    runs(values, width, |packed, run| {
        pack(packed, width, out);
        if let Some(first) = run.first() {
            repeat(*first, run.len(), width, out);
        }
    });
}

/// Parts values into those that are packed and the run of equal ones behind them, which is empty at the end.
fn runs<'v>(values: &'v [u32], width: u8, mut each: impl FnMut(&'v [u32], &'v [u32])) {
    let least = WORTH.div_ceil(usize::from(width).max(1)).max(PACK);
    let (mut at, mut packed) = (0, 0);
    loop {
        let (groups, _) = values.get(at..).unwrap_or_default().as_chunks::<PACK>();
        let is_mixed =
            |group: &&[u32; PACK]| matches!(group, [first, second, ..] if first != second);
        at += groups.iter().take_while(is_mixed).count() * PACK;
        let Some((first, rest)) = values.get(at..).and_then(<[u32]>::split_first) else {
            break;
        };
        let run = 1 + rest.iter().take_while(|value| *value == first).count();
        if run < least {
            // Within it, what is left of it is less still.
            at += run.next_multiple_of(PACK);
            continue;
        }
        let part = |from: usize, to: usize| values.get(from..to).unwrap_or_default();
        each(part(packed, at), part(at, at + run));
        at += run;
        packed = at;
    }
    each(values.get(packed..).unwrap_or_default(), &[]);
}

/// Appends one value so many times.
pub(super) fn repeat(value: u32, times: usize, width: u8, out: &mut Vec<u8>) {
    varint((times as u64) << 1, out);
    let bytes = usize::from(width).div_ceil(8);
    out.extend_from_slice(value.to_le_bytes().get(..bytes).unwrap_or_default());
}

/// Appends a packed run; the last group is filled up with zeros.
fn pack(values: &[u32], width: u8, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    let groups = values.len().div_ceil(PACK);
    varint((groups as u64) << 1 | 1, out);
    let (start, width) = (out.len(), usize::from(width));
    let end = start + groups * width;
    if width > 16 {
        return pack_wide(values, width as u32, end, out);
    }
    // A group is at most sixteen bytes, which are written at once; the next one writes over what is too much.
    out.resize(end + size_of::<u128>(), 0);
    let mut at = start;
    let (whole, rest) = values.as_chunks::<PACK>();
    let mut last = [0; PACK];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let last = (!rest.is_empty()).then_some(&last);
    for group in whole.iter().chain(last) {
        let [a, b, c, d, e, f, g, h] = group.map(u64::from);
        let low = a | b << width | c << (2 * width) | d << (3 * width);
        let high = e | f << width | g << (2 * width) | h << (3 * width);
        let word = u128::from(low) | u128::from(high) << (4 * width);
        let place = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
        if let Some(place) = place {
            *place = word.to_le_bytes();
        }
        at += width;
    }
    out.truncate(end);
}

/// Appends values of more bits up to where the run ends.
fn pack_wide(values: &[u32], width: u32, end: usize, out: &mut Vec<u8>) {
    let (mut word, mut bits) = (0_u64, 0);
    for value in values {
        word |= u64::from(*value) << bits;
        bits += width;
        if bits >= 32 {
            out.extend_from_slice(&(word as u32).to_le_bytes());
            word >>= 32;
            bits -= 32;
        }
    }
    while out.len() < end {
        out.push(word as u8);
        word >>= 8;
    }
}

/// Appends an unsigned number, seven bits a byte, the lowest first (ULEB128).
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that an unsigned number takes so.
pub(super) fn varint_size(value: u64) -> usize {
    (u64::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The plain way back, as the specification tells it.
    fn decode(mut bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let (mut header, mut shift) = (0_u64, 0);
            loop {
                let (byte, rest) = bytes.split_first().unwrap();
                bytes = rest;
                header |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            if header & 1 == 0 {
                let (value, rest) = bytes.split_at(usize::from(width).div_ceil(8));
                bytes = rest;
                let value = value
                    .iter()
                    .rev()
                    .fold(0, |all, b| all << 8 | u32::from(*b));
                values.extend(std::iter::repeat_n(value, (header >> 1) as usize));
            } else {
                let groups = (header >> 1) as usize;
                let (packed, rest) = bytes.split_at(groups * usize::from(width));
                bytes = rest;
                for place in 0..groups * PACK {
                    let bit = |bit: usize| u32::from(packed[bit / 8] >> (bit % 8) & 1);
                    let first = place * usize::from(width);
                    let bits = (0..usize::from(width)).map(|at| bit(first + at) << at);
                    values.push(bits.sum());
                }
            }
        }
        assert!(bytes.is_empty());
        assert!(values[count..].iter().all(|value| *value == 0));
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_again(
            width in 0_u8..=32,
            runs in prop::collection::vec((any::<u32>(), 1_usize..90), 0..30),
        ) {
            let mask = 1_u64.checked_shl(width.into()).unwrap_or_default().wrapping_sub(1) as u32;
            let runs = runs.into_iter();
            let values: Vec<u32> = runs.flat_map(|(value, run)| vec![value & mask; run]).collect();
            let mut bytes = Vec::new();
            encode(&values, width, &mut bytes);
            prop_assert!(bytes.len() <= bound(values.len(), width) + values.len() / PACK);
            prop_assert_eq!(bytes.len(), size(&values, width));
            prop_assert_eq!(decode(&bytes, width, values.len()), values);
        }
    }

    #[test]
    fn a_run_takes_the_bytes_of_one_value() {
        let mut bytes = Vec::new();
        encode(&[5; 100_000], 3, &mut bytes);
        assert_eq!(bytes, [0xc0, 0x9a, 0x0c, 5]);
    }
}
