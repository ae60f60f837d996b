//! Numbers and addresses from the text of a field, without a branch per digit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::separators::equal_to;

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The value of one to eight ASCII digits that start at `start`, read as one word.
#[inline(always)]
fn up_to_eight(text: &[u8], start: usize, digits: usize) -> Option<u64> {
    let word = u64::from_le_bytes(*text.get(start..)?.first_chunk()?);
    // The digits move to the high bytes; the low ones become leading zeros.
    let gap = 8 * (8 - digits as u32);
    let word = (word << gap) | ((ZEROS >> 1) >> (63 - gap));
    let not_digits = ((word & 0xf0f0_f0f0_f0f0_f0f0) ^ ZEROS)
        | ((word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0) ^ ZEROS);
    if not_digits != 0 {
        return None;
    }
    let word = (word & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2561) >> 8;
    let word = (word & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    Some((word & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32)
}

/// The unsigned decimal integer that stands in `text[start..end]`. Some bytes must follow `end`
/// for the fast way; without them the slow way gives the same answer.
#[inline(always)]
pub(super) fn integer(text: &[u8], start: usize, end: usize) -> Option<u64> {
    match end - start {
        digits @ 1..=8 if start + 8 <= text.len() => up_to_eight(text, start, digits),
        digits @ 9..=16 => {
            let split = end - 8;
            let low = up_to_eight(text, split, 8)?;
            if split + 8 > text.len() || start + 8 > text.len() {
                return any_length(text.get(start..end)?);
            }
            Some(up_to_eight(text, start, digits - 8)? * 100_000_000 + low)
        }
        _ => any_length(text.get(start..end)?),
    }
}

#[cold]
fn any_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// A time in Unix seconds. Milli-, micro- and nanoseconds, told by their magnitude, are brought
/// to seconds; the second value tells whether that was needed.
#[inline(always)]
pub(super) fn epoch_seconds(value: u64) -> (u64, bool) {
    // 10^11 seconds is the year 5138; 10^11 milliseconds is 1973.
    if value < 100_000_000_000 {
        return (value, false);
    }
    let unit = match value {
        ..100_000_000_000_000 => 1_000,
        ..100_000_000_000_000_000 => 1_000_000,
        _ => 1_000_000_000,
    };
    (value / unit, true)
}

/// The address that stands in `text[start..end]`.
#[inline(always)]
pub(super) fn address(text: &[u8], start: usize, end: usize) -> Option<IpAddr> {
    if let Some(quad) = text.get(start..).and_then(|t| t.first_chunk::<16>())
        && end - start <= 15
        && let Some(v4) = dotted_quad(quad, end - start)
    {
        return Some(IpAddr::V4(v4));
    }
    other_address(text.get(start..end)?)
}

/// A dotted quad of `len` bytes at the start of `bytes`, as strict as the standard library:
/// four octets, no leading zeros.
#[inline(always)]
fn dotted_quad(bytes: &[u8; 16], len: usize) -> Option<Ipv4Addr> {
    let mut dots = u32::from(equal_to(bytes, b'.')) & ((1 << len) - 1);
    // The end of the text ends the last octet as a dot ends the others.
    dots |= 1 << len;
    if dots.count_ones() != 4 {
        return None;
    }
    let word = u128::from_le_bytes(*bytes);
    let (mut start, mut octets) = (0, 0_u32);
    let mut faults = 0_u32;
    for _ in 0..4 {
        let end = dots.trailing_zeros();
        dots &= dots - 1;
        let digits = end - start;
        // One to three digits; others leave a fault behind and any shift below is harmless.
        faults |= u32::from(digits.wrapping_sub(1) > 2);
        let gap = 8 * (3_u32.wrapping_sub(digits) & 3);
        let raw = (word >> (8 * start)) as u32 & 0x00ff_ffff;
        let octet = ((raw << gap) & 0x00ff_ffff) | (0x0030_3030 & ((1 << gap) - 1));
        let not_digits = ((octet & 0x00f0_f0f0) ^ 0x0030_3030)
            | ((octet.wrapping_add(0x0006_0606) & 0x00f0_f0f0) ^ 0x0030_3030);
        let value = (octet & 0xf) * 100 + ((octet >> 8) & 0xf) * 10 + ((octet >> 16) & 0xf);
        let leading_zero = u32::from(digits > 1) & u32::from(raw & 0xff == u32::from(b'0'));
        faults |= not_digits | u32::from(value > 255) | leading_zero;
        octets = (octets << 8) | (value & 0xff);
        start = end + 1;
    }
    (faults == 0).then(|| Ipv4Addr::from_bits(octets))
}

#[cold]
fn other_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn padded(text: &str) -> Vec<u8> {
        let mut bytes = b"9 ".to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(b" 77777777777777777777");
        bytes
    }

    fn both_integers(text: &str) -> (Option<u64>, Option<u64>) {
        let with_room = integer(&padded(text), 2, 2 + text.len());
        (with_room, integer(text.as_bytes(), 0, text.len()))
    }

    fn both_addresses(text: &str) -> (Option<IpAddr>, Option<IpAddr>) {
        let with_room = address(&padded(text), 2, 2 + text.len());
        (with_room, address(text.as_bytes(), 0, text.len()))
    }

    proptest! {
        #[test]
        fn integers_agree_with_the_standard_library(text in "[0-9]{1,22}|[0-9a:+/ -]{1,12}") {
            let plain = text.bytes().all(|b| b.is_ascii_digit());
            let expected = if plain { text.parse().ok() } else { None };
            prop_assert_eq!(both_integers(&text), (expected, expected));
        }

        #[test]
        fn addresses_agree_with_the_standard_library(
            text in r"([0-9]{1,3}\.){3}[0-9]{1,3}|[0-9.]{1,16}|[0-9a-f:.]{2,20}|.{0,8}"
        ) {
            let expected = text.parse().ok();
            prop_assert_eq!(both_addresses(&text), (expected, expected));
        }
    }

    #[test]
    fn edges_of_integers() {
        for value in [
            0,
            9,
            99_999_999,
            100_000_000,
            9_999_999_999_999_999,
            u64::MAX,
        ] {
            assert_eq!(
                both_integers(&value.to_string()),
                (Some(value), Some(value))
            );
        }
        for text in [
            "",
            "18446744073709551616",
            "-1",
            "1.0",
            "12345678x",
            "x23456789",
        ] {
            assert_eq!(both_integers(text), (None, None), "{text}");
        }
        assert_eq!(both_integers("007"), (Some(7), Some(7)));
    }

    #[test]
    fn edges_of_addresses() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "10.0.0.1",
            "1.2.3.4",
            "2001:db8::1",
            "::",
        ] {
            let expected = text.parse().ok();
            assert_eq!(both_addresses(text), (expected, expected), "{text}");
        }
        for text in [
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "01.2.3.4",
            "1..2.3",
            "1.2.3.",
            ".1.2.3",
            "-",
        ] {
            assert_eq!(both_addresses(text), (None, None), "{text}");
        }
    }

    #[test]
    fn times_of_any_unit_become_seconds() {
        assert_eq!(epoch_seconds(1_795_190_400), (1_795_190_400, false));
        assert_eq!(epoch_seconds(1_795_190_400_123), (1_795_190_400, true));
        assert_eq!(epoch_seconds(1_795_190_400_123_456), (1_795_190_400, true));
        assert_eq!(
            epoch_seconds(1_795_190_400_123_456_789),
            (1_795_190_400, true)
        );
        assert_eq!(epoch_seconds(0), (0, false));
    }
}
