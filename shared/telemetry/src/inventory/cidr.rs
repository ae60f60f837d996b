//! Blocks of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A block of IPv4 or IPv6 addresses: an address whose host bits are zero, and the length of the prefix.
///
/// Sorted by address, then by length: a block stands before what it contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

/// A text that is not a block of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address with a prefix length, as in 10.0.0.0/16: {0}")]
pub struct NotACidr(String);

impl Cidr {
    /// The block of that length around an address. `None` when the address has fewer bits.
    pub fn new(address: IpAddr, length: u8) -> Option<Cidr> {
        let address = match address {
            IpAddr::V4(v4) => {
                let host = 32_u32.checked_sub(u32::from(length))?;
                let mask = u32::MAX.checked_shl(host).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let host = 128_u32.checked_sub(u32::from(length))?;
                let mask = u128::MAX.checked_shl(host).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Some(Cidr { address, length })
    }

    /// The first address.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits all addresses of the block share.
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether an address is in the block. An address of the other family never is.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4()
            && Cidr::new(address, self.length).is_some_and(|block| block == *self)
    }

    /// Whether every address of the other block is in this one.
    pub fn covers(&self, other: &Cidr) -> bool {
        self.length <= other.length && self.contains(other.address)
    }
}

/// `10.0.0.0/16`, `2001:db8::/56`, or a single address. Host bits are cleared.
impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Cidr, NotACidr> {
        let wrong = || NotACidr(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let length = match length {
            Some(length) => length.parse().map_err(|_| wrong())?,
            None if address.is_ipv4() => 32,
            None => 128,
        };
        Cidr::new(address, length).ok_or_else(wrong)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn a_block_contains_its_addresses_and_no_others() {
        for (block, inside, outside) in [
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("10.1.2.3/32", "10.1.2.3", "10.1.2.4"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("2001:db8::/56", "2001:db8:0:ff::1", "2001:db8:0:100::1"),
        ] {
            assert!(cidr(block).contains(inside.parse().unwrap()), "{block}");
            assert!(!cidr(block).contains(outside.parse().unwrap()), "{block}");
        }
        assert!(cidr("10.0.0.0/8").covers(&cidr("10.1.0.0/16")));
        assert!(!cidr("10.1.0.0/16").covers(&cidr("10.0.0.0/8")));
    }

    #[test]
    fn host_bits_are_cleared_and_other_texts_refused() {
        assert_eq!(cidr("192.168.1.2/30").to_string(), "192.168.1.0/30");
        assert_eq!(cidr("203.0.113.12").to_string(), "203.0.113.12/32");
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "a/8",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(bits: u128, length in 0_u8..=128, v4: bool) {
            let address = if v4 {
                IpAddr::V4(Ipv4Addr::from_bits(bits as u32))
            } else {
                IpAddr::V6(Ipv6Addr::from_bits(bits))
            };
            let length = if v4 { length % 33 } else { length };
            let block = Cidr::new(address, length).unwrap();
            prop_assert!(block.contains(address));
            prop_assert_eq!(block.to_string().parse::<Cidr>(), Ok(block));
        }
    }
}
