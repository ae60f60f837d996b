//! Numbers and addresses from the text of a field, without a branch per digit.

use std::net::{Ipv4Addr, Ipv6Addr};

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Bytes that are read of a text at once. What follows the text does not matter.
pub(super) const PIECE: usize = 16;

/// The value of one to eight ASCII digits, the first one in the lowest byte. What is above them does not matter.
#[inline(always)]
fn up_to_eight(word: u64, digits: usize) -> Option<u64> {
    // The digits move to the high bytes; below them are leading zeros.
    let word = (word ^ ZEROS) << (8 * (8 - digits as u32));
    // The top bit of a byte becomes set by whatever is more than nine.
    let not_digits = (word | word.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080;
    if not_digits != 0 {
        return None;
    }
    let word = word.wrapping_mul(2561) >> 8;
    let word = (word & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    Some((word & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32)
}

/// The unsigned decimal integer that `text` begins with and that has so many bytes. Without a [`PIECE`] the slow way gives
/// the same answer.
#[inline(always)]
pub(super) fn integer(text: &[u8], len: usize) -> Option<u64> {
    let Some(piece) = text.first_chunk::<PIECE>() else {
        return any_length(text.get(..len)?);
    };
    let piece = u128::from_le_bytes(*piece);
    match len {
        1..=8 => up_to_eight(piece as u64, len),
        // Times in seconds have ten digits.
        10 => {
            let high = up_to_eight(piece as u64, 8)?;
            let [tens, ones, ..] = ((piece >> 64) as u64).to_le_bytes();
            let (tens, ones) = (u64::from(tens ^ b'0'), u64::from(ones ^ b'0'));
            ((tens <= 9) & (ones <= 9)).then_some(high * 100 + tens * 10 + ones)
        }
        9..=16 => {
            let low = (piece << (8 * (PIECE - len))) >> 64;
            let low = up_to_eight(low as u64, 8)?;
            Some(up_to_eight(piece as u64, len - 8)? * 100_000_000 + low)
        }
        _ => any_length(text.get(..len)?),
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
pub(crate) fn epoch_seconds(value: u64) -> (u64, bool) {
    // 10^11 seconds is the year 5138; 10^11 milliseconds is 1973.
    const MILLISECONDS: u64 = 100_000_000_000;
    if value < MILLISECONDS {
        return (value, false);
    }
    let unit = if value < 1_000 * MILLISECONDS {
        1_000
    } else if value < 1_000_000 * MILLISECONDS {
        1_000_000
    } else {
        1_000_000_000
    };
    (value / unit, true)
}

/// The IPv4 address that `text` begins with and that has so many bytes, as strict as the standard library: four
/// octets, no leading zeros. Some bytes must follow it for the fast way.
#[inline(always)]
pub(super) fn ipv4(text: &[u8], len: usize) -> Option<u32> {
    let Some(window) = text.first_chunk::<20>() else {
        return std::str::from_utf8(text.get(..len)?)
            .ok()?
            .parse::<Ipv4Addr>()
            .ok()
            .map(u32::from);
    };
    let (mut at, mut address, mut faults) = (0, 0_u32, 0_u32);
    // The lengths of octets are as good as random: choosing by arithmetic beats branching.
    for place in 0..4 {
        let word = u32::from_le_bytes(*window.get(at..)?.first_chunk()?) ^ 0x3030_3030;
        let (a, b, c) = (word & 0xff, (word >> 8) & 0xff, (word >> 16) & 0xff);
        let two = b <= 9;
        let three = two & (c <= 9);
        let octet = if two { a * 10 + b } else { a };
        let octet = if three { octet * 10 + c } else { octet };
        let digits = 1 + usize::from(two) + usize::from(three);
        faults |= u32::from(a > 9) | (octet >> 8) | u32::from(two & (a == 0));
        if place < 3 {
            faults |= (word >> (8 * digits)) & 0xff ^ u32::from(b'.' ^ b'0');
        }
        address = (address << 8) | octet;
        at += digits + 1;
    }
    // Each octet but the last is followed by a dot; the last one ends where the text does.
    (faults == 0 && at == len + 1).then_some(address)
}

/// Addresses of IPv4 that were read lately. Rows show the same ones again and again, and to know a text takes less than
/// to read it.
#[derive(Debug)]
pub(super) struct RecentAddresses {
    /// The text, with its length, and the address.
    slots: [(u128, u32); RECENT],
}

/// How many addresses are known; a power of two.
const RECENT: usize = 64;

impl Default for RecentAddresses {
    fn default() -> RecentAddresses {
        RecentAddresses {
            // No text has this key, as it is one of length 0.
            slots: [(0, 0); RECENT],
        }
    }
}

impl RecentAddresses {
    /// As [`ipv4`].
    #[inline(always)]
    pub(super) fn ipv4(&mut self, text: &[u8], len: usize) -> Option<u32> {
        let piece = text.first_chunk::<PIECE>();
        let Some(piece) = piece.filter(|_| (1..PIECE).contains(&len)) else {
            return ipv4(text, len);
        };
        // The text in the upper bytes, its length in the lowest one.
        let key = u128::from_le_bytes(*piece) << (8 * (PIECE - len)) | len as u128;
        let mixed = ((key >> 64) as u64 ^ key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = self.slots.get_mut((mixed >> 32) as usize % RECENT)?;
        if slot.0 == key {
            return Some(slot.1);
        }
        let address = ipv4(text, len)?;
        *slot = (key, address);
        Some(address)
    }
}

/// An IPv6 address in any of its spellings (RFC 4291, section 2.2), and whether it is the one that RFC 5952 recommends,
/// which is the one the standard library prints.
pub(super) fn ipv6(text: &[u8]) -> Option<(Ipv6Addr, bool)> {
    ipv6_of_groups(text).or_else(|| {
        let address = std::str::from_utf8(text).ok()?.parse().ok()?;
        Some((address, false))
    })
}

/// This bit is set in the value of an upper-case digit.
const UPPER: u8 = 0x40;

/// The value of a hexadecimal digit.
#[inline]
fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some((byte - b'A' + 10) | UPPER),
        _ => None,
    }
}

/// An IPv6 address whose end is not written as one of IPv4, and whether it is spelled as recommended. `None` for that,
/// and for what is none.
fn ipv6_of_groups(text: &[u8]) -> Option<(Ipv6Addr, bool)> {
    let (mut groups, mut count) = ([0_u16; 8], 0);
    // How many groups stand before the `::`.
    let mut gap = None;
    let (mut group, mut digits) = (0, 0);
    let (mut marks, mut leading) = (0, false);
    let rest = match text {
        [b':', b':', rest @ ..] => {
            gap = Some(0);
            rest
        }
        _ => text,
    };
    for &byte in rest {
        if let Some(digit) = hex(byte) {
            marks |= digit;
            leading |= digits > 0 && group == 0;
            group = group << 4 | u16::from(digit & 0xf);
            digits += 1;
            if digits > 4 {
                return None;
            }
        } else if byte != b':' {
            return None;
        } else if digits > 0 {
            *groups.get_mut(count)? = group;
            count += 1;
            (group, digits) = (0, 0);
        } else if gap.is_none() && count > 0 {
            gap = Some(count);
        } else {
            return None;
        }
    }
    if digits > 0 {
        *groups.get_mut(count)? = group;
        count += 1;
    } else if !text.ends_with(b"::") {
        return None;
    }
    match gap {
        // It stands for one group at least.
        Some(before) if count < 8 => groups.get_mut(before..)?.rotate_right(8 - count),
        None if count == 8 => {}
        _ => return None,
    }
    // Mapped IPv4 addresses are printed with dots.
    let is_mapped = groups.starts_with(&[0, 0, 0, 0, 0, 0xffff]);
    let omitted = gap.map(|before| (before, 8 - count));
    let is_recommended =
        !leading && marks & UPPER == 0 && !is_mapped && omitted == longest_zeros(&groups);
    Some((Ipv6Addr::from(groups), is_recommended))
}

/// Where the longest run of groups that are zero begins, the first of equal ones, and how many they are. `None` where no
/// two are in a row: one group is not omitted.
fn longest_zeros(groups: &[u16; 8]) -> Option<(usize, usize)> {
    let (mut longest, mut run) = ((0, 1), 0);
    for (place, group) in groups.iter().enumerate() {
        run = if *group == 0 { run + 1 } else { 0 };
        if run > longest.1 {
            longest = (place + 1 - run, run);
        }
    }
    (longest.1 > 1).then_some(longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn padded(text: &str) -> Vec<u8> {
        let mut bytes = b"9 ".to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(b" 77777777777777777777");
        bytes
    }

    fn both_integers(text: &str) -> (Option<u64>, Option<u64>) {
        let with_room = integer(&padded(text)[2..], text.len());
        (with_room, integer(text.as_bytes(), text.len()))
    }

    fn both_addresses(text: &str) -> (Option<IpAddr>, Option<IpAddr>) {
        let read = |bytes: &[u8]| match ipv4(bytes, text.len()) {
            Some(address) => Some(IpAddr::from(Ipv4Addr::from_bits(address))),
            None => ipv6(&bytes[..text.len()]).map(|(address, _)| address.into()),
        };
        (read(&padded(text)[2..]), read(text.as_bytes()))
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

    proptest! {
        #[test]
        fn groups_agree_with_the_standard_library(
            groups in proptest::collection::vec(r"[0-9a-fA-F]{0,4}|[0-9a-fA-F]{5}|0|g", 0..10),
            before in "(::)?", behind in "(::)?",
            address: u128, holes: u128,
        ) {
            let text = format!("{before}{}{behind}", groups.join(":"));
            prop_assert_eq!(ipv6(text.as_bytes()).map(|(a, _)| a), text.parse().ok());
            // Many groups are zero.
            let address = Ipv6Addr::from_bits(address & holes & holes.rotate_left(16));
            let text = address.to_string();
            prop_assert_eq!(ipv6(text.as_bytes()).map(|(a, _)| a), Some(address));
            prop_assert_eq!(ipv6_of_groups(text.as_bytes()), Some((address, true)).filter(|_| !text.contains('.')));
        }
    }

    proptest! {
        /// Also where a text is another with something before or behind it.
        #[test]
        fn recent_addresses_are_read_as_others_are(
            texts in proptest::collection::vec(r"(\PC|\x00){0,2}([12]\.){3}[0-9]{1,3}(\PC|\x00){0,2}", 1..100),
        ) {
            let mut recent = RecentAddresses::default();
            for text in texts.iter().chain(&texts) {
                let bytes = &padded(text)[2..];
                prop_assert_eq!(recent.ipv4(bytes, text.len()), ipv4(bytes, text.len()));
                let alone = recent.ipv4(text.as_bytes(), text.len());
                prop_assert_eq!(alone, ipv4(text.as_bytes(), text.len()));
            }
        }

        #[test]
        fn canonical_spellings_are_those_the_standard_library_prints(
            groups in proptest::collection::vec(prop_oneof![Just(0_u16), Just(1), any::<u16>()], 8),
            mapped: bool, at in 0..8_usize, omitted in 0..8_usize, upper: bool, padded: bool,
        ) {
            let mut groups = groups;
            if mapped {
                groups.splice(..6, [0, 0, 0, 0, 0, 0xffff]);
            }
            let address = Ipv6Addr::from(<[u16; 8]>::try_from(groups.clone()).unwrap());
            let printed = address.to_string();
            // Addresses that hold an IPv4 address print it with dots, and are then not copied.
            prop_assert_eq!(ipv6(printed.as_bytes()), Some((address, !printed.contains('.'))));
            let group = |g: &u16| match (upper, padded) {
                (false, false) => format!("{g:x}"),
                (true, false) => format!("{g:X}"),
                (_, true) => format!("{g:04x}"),
            };
            let end = (at + omitted).min(8);
            let spelled = if groups[at..end].iter().all(|g| *g == 0) && end > at {
                let side = |groups: &[u16]| groups.iter().map(group).collect::<Vec<_>>().join(":");
                format!("{}::{}", side(&groups[..at]), side(&groups[end..]))
            } else {
                groups.iter().map(group).collect::<Vec<_>>().join(":")
            };
            prop_assert_eq!(spelled.parse::<Ipv6Addr>().ok(), Some(address));
            prop_assert_eq!(ipv6(spelled.as_bytes()), Some((address, spelled == printed)), "{}", spelled);
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
