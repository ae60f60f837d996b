//! Where fields and lines end: a bit mask of 64 bytes at a time.
//!
//! Fields of flow logs are seven bytes long on average, too short to search one by one. The mask
//! is built with the vector instructions that every x86_64 CPU has, and with plain words elsewhere.
//! This is the only unsafe code of the crate.

/// How many bytes one mask covers.
pub(super) const MASK_BYTES: usize = 64;

/// A bit for each byte that separates fields or lines: space, tab, CR, LF (any byte up to 0x20).
#[inline(always)]
pub(super) fn separators(bytes: &[u8; MASK_BYTES]) -> u64 {
    let (lanes, _) = bytes.as_chunks::<16>();
    let mut mask = 0;
    for (index, lane) in lanes.iter().enumerate() {
        mask |= u64::from(up_to_space(lane)) << (index * 16);
    }
    mask
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8,
    };

    #[inline(always)]
    #[allow(unsafe_code, reason = "vector instructions")]
    pub(super) fn up_to_space(bytes: &[u8; 16]) -> u16 {
        // SAFETY: SSE2 is part of x86_64, and no intrinsic here takes an address.
        unsafe {
            let lane = load(bytes);
            let low = _mm_min_epu8(lane, _mm_set1_epi8(b' ' as i8));
            _mm_movemask_epi8(_mm_cmpeq_epi8(low, lane)) as u16
        }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(bytes: &[u8; 16]) -> __m128i {
        let both = u128::from_le_bytes(*bytes);
        _mm_set_epi64x((both >> 64) as i64, both as i64)
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod words {
    /// The top bit of each byte of `flags`, gathered into the low eight bits.
    #[inline(always)]
    fn gather(flags: u64) -> u16 {
        ((flags >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u16
    }

    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    const TOP: u64 = 0x8080_8080_8080_8080;

    #[inline(always)]
    fn halves(bytes: &[u8; 16], flags: impl Fn(u64) -> u64) -> u16 {
        let both = u128::from_le_bytes(*bytes);
        gather(flags(both as u64)) | gather(flags((both >> 64) as u64)) << 8
    }

    #[inline(always)]
    pub(super) fn up_to_space(bytes: &[u8; 16]) -> u16 {
        // A byte up to 0x20 has no top bit, and adding 0x5f does not carry into it.
        halves(bytes, |word| {
            !(((word & LOW) + 0x5f5f_5f5f_5f5f_5f5f) | word) & TOP
        })
    }
}

#[cfg(target_arch = "x86_64")]
use vectors::up_to_space;
#[cfg(not(target_arch = "x86_64"))]
use words::up_to_space;

/// Whether text can stand between JSON quotes as it is: ASCII without `"`, `\` and controls
/// other than the separators.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let odd = |b: u8| (b == b'"') | (b == b'\\') | (b >= 0x7f);
    let (chunks, rest) = bytes.as_chunks::<64>();
    // A fold without early exit within the chunk lets the compiler use vectors.
    !chunks
        .iter()
        .any(|c| c.iter().fold(false, |seen, b| seen | odd(*b)))
        && !rest.iter().any(|b| odd(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_value_is_classified_at_each_place() {
        for place in 0..MASK_BYTES {
            for value in 0..=255_u8 {
                let mut bytes = [b'x'; MASK_BYTES];
                bytes[place] = value;
                assert_eq!(separators(&bytes) == 1 << place, value <= b' ', "{value}");
            }
        }
        for value in 0..=255_u8 {
            let mut lane = [b'x'; 16];
            lane[9] = value;
            assert_eq!(words::up_to_space(&lane), up_to_space(&lane));
        }
    }

    #[test]
    fn plain_text_needs_no_escape() {
        assert!(is_plain(b"2 123 eni-1 10.0.0.1 - a/b:c%20d\r\n"));
        for odd in ["\"", "\\", "é", "\u{7f}"] {
            let long = format!("{}{odd}", "x".repeat(100));
            assert!(!is_plain(odd.as_bytes()) && !is_plain(long.as_bytes()));
        }
    }
}
