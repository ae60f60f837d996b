//! Which flow a record is of, as a number that decides whether it is sampled.
//!
//! ```text
//! the two ends, the lower first ─┐
//!   address 128 bits, port 16    ├─▶ five words ─▶ SplitMix64's finalizer over each ─▶ 64 bits
//! protocol ──────────────────────┘
//! ```
//!
//! Both directions of a connection, all its windows, and its records in VPC, Transit Gateway and firewall logs
//! have the same number, on every machine and in every version of this program: what is kept today was kept
//! yesterday. The tests hold it to fixed numbers.

use std::net::IpAddr;

use crate::firewall::FirewallRecord;
use crate::flow::field::Field;
use crate::flow::layout::Layout;
use crate::flow::record::{Datum, FlowRecord};

use super::observed;

/// The number of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FlowNumber(u64);

impl FlowNumber {
    /// Whether the flow is among the one in `rate` that is kept. What is kept at a multiple of a rate is kept at
    /// the rate.
    #[inline]
    pub(super) fn is_kept(self, rate: u32) -> bool {
        // Below 2^64 divided by the rate.
        self.0.checked_mul(u64::from(rate)).is_some()
    }

    /// The number of a flow between two ends.
    #[inline]
    pub(super) fn of_ends(source: (IpAddr, u16), destination: (IpAddr, u16), protocol: u8) -> Self {
        let bits = |(address, port): (IpAddr, u16)| match address {
            // ::ffff:10.0.0.1, RFC 4291.
            IpAddr::V4(v4) => (v4.to_ipv6_mapped().to_bits(), port),
            IpAddr::V6(v6) => (v6.to_bits(), port),
        };
        let (source, destination) = (bits(source), bits(destination));
        let low = source.min(destination);
        let high = source.max(destination);
        let ports = u64::from(low.1) << 32 | u64::from(high.1) << 16 | u64::from(protocol);
        let words = [
            (low.0 >> 64) as u64,
            low.0 as u64,
            (high.0 >> 64) as u64,
            high.0 as u64,
            ports,
        ];
        FlowNumber(words.into_iter().fold(0, mix))
    }

    /// The number of a record that tells no ends: of all that stands in it.
    #[cold]
    fn of_bytes(bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<8>();
        let words = words.iter().map(|word| u64::from_le_bytes(*word));
        let mut tail = [0; 8];
        tail.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let number = words.fold(bytes.len() as u64, mix);
        FlowNumber(mix(number, u64::from_le_bytes(tail)))
    }

    /// The number of a flow record without addresses.
    #[cold]
    pub(super) fn of_record(flow: &FlowRecord<'_>) -> Self {
        let mut text = Vec::new();
        for cell in flow.cells() {
            text.extend_from_slice(cell.text(flow.buffer()));
            text.push(b' ');
        }
        FlowNumber::of_bytes(&text)
    }

    /// The number of an entry of a firewall log.
    pub(super) fn of_entry(entry: &FirewallRecord) -> Self {
        let (Some(source), Some(destination)) = (entry.src_ip(), entry.dest_ip()) else {
            return FlowNumber::of_bytes(&serde_json::to_vec(entry.entry()).unwrap_or_default());
        };
        FlowNumber::of_ends(
            (source, entry.src_port().unwrap_or(0)),
            (destination, entry.dest_port().unwrap_or(0)),
            observed::protocol(entry).unwrap_or(0),
        )
    }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators"), with a word mixed in.
#[inline]
fn mix(state: u64, word: u64) -> u64 {
    let mut mixed = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Where the columns of a layout stand that tell which flow a record is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdentityPlaces {
    addresses: Option<[usize; 2]>,
    ports: [Option<usize>; 2],
    protocol: Option<usize>,
}

impl IdentityPlaces {
    pub(super) fn new(layout: &Layout) -> IdentityPlaces {
        let addresses = layout
            .place(Field::Srcaddr)
            .zip(layout.place(Field::Dstaddr));
        IdentityPlaces {
            addresses: addresses.map(|(source, destination)| [source, destination]),
            ports: [Field::Srcport, Field::Dstport].map(|field| layout.place(field)),
            protocol: layout.place(Field::Protocol),
        }
    }

    /// The number of a record of that layout.
    #[inline]
    pub(super) fn number(&self, flow: &FlowRecord<'_>) -> FlowNumber {
        let (cells, buffer) = (flow.cells(), flow.buffer());
        let address = |place: usize| match cells.get(place)?.datum(buffer) {
            Datum::Address(address) => Some(address),
            _ => None,
        };
        let integer = |place: Option<usize>| match cells.get(place?)?.datum(buffer) {
            Datum::Integer(value) => Some(value),
            _ => None,
        };
        let ends = self
            .addresses
            .and_then(|[source, destination]| address(source).zip(address(destination)));
        let Some((source, destination)) = ends else {
            return FlowNumber::of_record(flow);
        };
        // The reader holds ports to 16 bits and protocols to 8.
        let [source_port, destination_port] =
            self.ports.map(|place| integer(place).unwrap_or(0) as u16);
        FlowNumber::of_ends(
            (source, source_port),
            (destination, destination_port),
            integer(self.protocol).unwrap_or(0) as u8,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn end(text: &str, port: u16) -> (IpAddr, u16) {
        (text.parse().unwrap(), port)
    }

    #[test]
    fn numbers_are_the_same_for_ever() {
        let web = FlowNumber::of_ends(end("10.20.4.17", 43210), end("198.51.100.24", 443), 6);
        let ping = FlowNumber::of_ends(end("2001:db8::1", 0), end("2001:db8::2", 0), 58);
        let text = FlowNumber::of_bytes(b"eni-0a1b2c3d4e5f60718 840 ");
        // As computed by the lines of Python in docs/selection.md.
        assert_eq!(
            [web.0, ping.0, text.0],
            [
                0xd02c_6538_4e57_8d2b,
                0x4c74_0300_ae61_7524,
                0x045e_6b4e_814a_564c
            ]
        );
    }

    proptest! {
        #[test]
        fn both_directions_have_one_number_and_rates_are_nested(
            a: u128, b: u128, ports: (u16, u16), protocol: u8, rate in 1_u32..100_000, more in 1_u32..1000,
        ) {
            let ends = [a, b].map(|bits| IpAddr::V6(bits.into()));
            let [a, b] = ends;
            let there = FlowNumber::of_ends((a, ports.0), (b, ports.1), protocol);
            let back = FlowNumber::of_ends((b, ports.1), (a, ports.0), protocol);
            prop_assert_eq!(there, back);
            prop_assert!(there.is_kept(1));
            prop_assert!(there.is_kept(rate) || !there.is_kept(rate * more));
        }
    }

    #[test]
    fn one_in_so_many_flows_is_kept() {
        // Neighbours differ in few bits, which must not show.
        for rate in [2_u32, 3, 10, 64, 1000] {
            let flows = 200_000_u32;
            let kept = (0..flows)
                .filter(|n| {
                    let client = IpAddr::V4((0x0a00_0000 | (n >> 8)).into());
                    let port = 32_768 + (n & 0xff) as u16;
                    let number = FlowNumber::of_ends((client, port), end("198.51.100.24", 443), 6);
                    number.is_kept(rate)
                })
                .count() as f64;
            let expected = f64::from(flows) / f64::from(rate);
            // Five standard deviations.
            let bound = 5.0 * (expected * (1.0 - 1.0 / f64::from(rate))).sqrt();
            assert!(
                (kept - expected).abs() < bound,
                "1/{rate}: {kept} of {flows}"
            );
        }
    }
}
