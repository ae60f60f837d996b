//! Sets of values as ranges.

use std::net::IpAddr;

use crate::inventory::Cidr;

/// Values of ranges, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ranges<T> {
    /// Sorted, and apart from each other.
    ranges: Vec<(T, T)>,
}

impl<T> Default for Ranges<T> {
    fn default() -> Ranges<T> {
        Ranges { ranges: Vec::new() }
    }
}

impl<T: Copy + Ord> Ranges<T> {
    /// The values of these ranges, which may overlap.
    pub(super) fn new(mut ranges: Vec<(T, T)>) -> Ranges<T> {
        ranges.sort_unstable();
        let mut apart: Vec<(T, T)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match apart.last_mut() {
                Some((_, end)) if first <= *end => *end = last.max(*end),
                _ => apart.push((first, last)),
            }
        }
        Ranges { ranges: apart }
    }

    /// Whether a value is in one of them.
    #[inline]
    pub(super) fn contains(&self, value: T) -> bool {
        let place = self.ranges.partition_point(|(_, last)| *last < value);
        self.ranges
            .get(place)
            .is_some_and(|(first, _)| *first <= value)
    }
}

/// Addresses of blocks of both families.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Blocks {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl Blocks {
    /// The addresses of these blocks, which may overlap.
    pub(super) fn new(blocks: &[Cidr]) -> Blocks {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for block in blocks {
            let length = u32::from(block.length());
            match block.address() {
                IpAddr::V4(first) => {
                    let first = first.to_bits();
                    v4.push((first, first | u32::MAX.checked_shr(length).unwrap_or(0)));
                }
                IpAddr::V6(first) => {
                    let first = first.to_bits();
                    v6.push((first, first | u128::MAX.checked_shr(length).unwrap_or(0)));
                }
            }
        }
        Blocks {
            v4: Ranges::new(v4),
            v6: Ranges::new(v6),
        }
    }

    /// Whether an address is in one of them.
    #[inline]
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.contains(address.to_bits()),
            IpAddr::V6(address) => self.v6.contains(address.to_bits()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    proptest! {
        #[test]
        fn a_value_is_in_the_ranges_when_one_of_them_has_it(
            ranges in proptest::collection::vec((0_u64..60, 0_u64..9), 0..9), value in 0_u64..70,
        ) {
            let ranges: Vec<_> = ranges.iter().map(|(first, more)| (*first, first + more)).collect();
            let expected = ranges.iter().any(|(first, last)| (*first..=*last).contains(&value));
            prop_assert_eq!(Ranges::new(ranges).contains(value), expected);
        }

        #[test]
        fn an_address_is_in_the_blocks_when_one_of_them_has_it(
            blocks in proptest::collection::vec((any::<u128>(), 0_u8..=128, any::<bool>()), 0..6),
            bits: u128, v4: bool, near in 0_usize..6,
        ) {
            let address = |bits: u128, v4: bool| if v4 {
                IpAddr::V4(Ipv4Addr::from_bits(bits as u32))
            } else {
                IpAddr::V6(Ipv6Addr::from_bits(bits))
            };
            let blocks: Vec<Cidr> = blocks
                .iter()
                .map(|(bits, length, v4)| {
                    Cidr::new(address(*bits, *v4), if *v4 { length % 33 } else { *length }).unwrap()
                })
                .collect();
            // By chance alone, an address is hardly ever in a block.
            let beside = blocks.get(near).map_or(address(bits, v4), |block| match block.address() {
                IpAddr::V4(first) => address(u128::from(first.to_bits() ^ (bits as u32 >> 20)), true),
                IpAddr::V6(first) => address(first.to_bits() ^ (bits >> 100), false),
            });
            for address in [address(bits, v4), beside] {
                let expected = blocks.iter().any(|block| block.contains(address));
                prop_assert_eq!(Blocks::new(&blocks).contains(address), expected);
            }
        }
    }
}
