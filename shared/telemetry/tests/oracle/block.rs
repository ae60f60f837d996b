//! Blocks of addresses, counted as numbers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `10.0.0.0/16`: a first address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    pub first: IpAddr,
    pub length: u8,
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

impl Block {
    /// A block from its text.
    pub fn of(text: &str) -> Block {
        let (first, length) = text.split_once('/').unwrap();
        Block {
            first: first.parse().unwrap(),
            length: length.parse().unwrap(),
        }
    }

    pub fn is_v4(self) -> bool {
        self.first.is_ipv4()
    }

    fn host_bits(self) -> u32 {
        u32::from(if self.is_v4() { 32 } else { 128 } - self.length)
    }

    fn prefix(self, address: IpAddr) -> Option<u128> {
        let same_family = address.is_ipv4() == self.is_v4();
        same_family.then(|| number(address).checked_shr(self.host_bits()).unwrap_or(0))
    }

    pub fn contains(self, address: IpAddr) -> bool {
        self.prefix(address).is_some() && self.prefix(address) == self.prefix(self.first)
    }

    pub fn overlaps(self, other: Block) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// The address so far behind the first.
    pub fn at(self, place: usize) -> IpAddr {
        let address = number(self.first) + place as u128;
        match self.first {
            IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(address).unwrap()).into(),
            IpAddr::V6(_) => Ipv6Addr::from(address).into(),
        }
    }

    /// The block of that length and place within.
    pub fn part(self, length: u8, place: usize) -> Block {
        let bits = if self.is_v4() { 32 } else { 128 } - u32::from(length);
        let first = number(self.first) + ((place as u128) << bits);
        let first = match self.first {
            IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(first).unwrap()).into(),
            IpAddr::V6(_) => Ipv6Addr::from(first).into(),
        };
        Block { first, length }
    }

    /// How many parts of a length there are.
    pub fn parts(self, length: u8) -> usize {
        1 << u32::from(length - self.length).min(16)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}
