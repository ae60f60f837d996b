//! Which service of AWS a public address belongs to, and in which region: AWS's list of its addresses.
//!
//! ```text
//! ip-ranges.json ─▶ blocks that contain each other ─▶ stretches, sorted: first address, service and region
//!                                                          ▲ address: binary search
//! ```
//!
//! The list is `https://ip-ranges.amazonaws.com/ip-ranges.json`; its form is described in the *Amazon VPC User
//! Guide*, "Syntax for AWS IP address range JSON". Its blocks overlap: `AMAZON` contains all others, `EC2`
//! contains those of services that run on it. The service that tells most counts, then the longest
//! prefix. The overlaps are resolved once, when the list is read, so that a lookup is one search.

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;

use crate::inventory::Cidr;

/// A service and the region it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AwsRange<'r> {
    /// As the list writes it: `S3`, `EC2`, `CLOUDFRONT`, `AMAZON` for what is of no service in particular.
    pub service: &'r str,
    /// `us-east-1`, or `GLOBAL` for what is announced from many places.
    pub region: &'r str,
}

/// AWS's list of its addresses, ready to be searched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsRanges {
    v4: Stretches<u32>,
    v6: Stretches<u128>,
    /// Services and their regions, each pair once.
    ranges: Vec<(Box<str>, Box<str>)>,
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AwsRangesError {
    /// It is not JSON.
    #[error(
        "the list of AWS's addresses is not JSON: {0}; expected is the file https://ip-ranges.amazonaws.com/ip-ranges.json"
    )]
    NotJson(#[from] serde_json::Error),
    /// It is JSON of another form.
    #[error(
        "the list of AWS's addresses has no list \"{0}\"; expected is the file https://ip-ranges.amazonaws.com/ip-ranges.json"
    )]
    NoList(&'static str),
    /// One of its entries cannot be read.
    #[error(
        "entry {number} of \"{list}\" in the list of AWS's addresses has no readable \"{member}\""
    )]
    Entry {
        /// The list it is in.
        list: &'static str,
        /// Which one it is, from 1.
        number: usize,
        /// The member that is missing, or of another form.
        member: &'static str,
    },
    /// It has more pairs of service and region than there is room for.
    #[error("the list of AWS's addresses has more than 65,534 pairs of service and region")]
    TooMany,
}

/// The lists, and the member of their entries that is the block.
const LISTS: [(&str, &str); 2] = [("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")];

/// The place of a pair of service and region; [`NOTHING`] where no block is.
type Place = u16;

const NOTHING: Place = Place::MAX;

/// What follows each other without gap or overlap: where each stretch begins, and what it belongs to. What is
/// before the first belongs to nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Stretches<A> {
    starts: Vec<A>,
    places: Vec<Place>,
}

impl<A: Copy + Ord> Stretches<A> {
    fn at(&self, address: A) -> Option<Place> {
        let after = self.starts.partition_point(|start| *start <= address);
        let place = *self.places.get(after.checked_sub(1)?)?;
        (place != NOTHING).then_some(place)
    }

    /// Says what an address and all after it belong to; addresses come in ascending order.
    fn push(&mut self, start: A, place: Place) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.places.pop();
        }
        if self.places.last().copied().unwrap_or(NOTHING) != place {
            self.starts.push(start);
            self.places.push(place);
        }
    }
}

/// A block of the list, as bits.
struct Block {
    first: u128,
    last: u128,
    length: u8,
    place: Place,
}

/// How much a block tells of its addresses; the greatest counts. The last part only makes the choice
/// independent of the list's order.
type Rank = (u8, u8, std::cmp::Reverse<u128>, std::cmp::Reverse<Place>);

impl AwsRanges {
    /// Reads the list.
    pub fn from_slice(json: &[u8]) -> Result<AwsRanges, AwsRangesError> {
        let document: Value = serde_json::from_slice(json)?;
        let mut all = AwsRanges::default();
        let mut entries = LISTS.map(|_| Vec::new());
        for ((list, member), entries) in LISTS.into_iter().zip(&mut entries) {
            let rows = document.get(list).and_then(Value::as_array);
            for (index, row) in rows.ok_or(AwsRangesError::NoList(list))?.iter().enumerate() {
                let number = index + 1;
                let no = |member| AwsRangesError::Entry {
                    list,
                    number,
                    member,
                };
                let text = |member| row.get(member).and_then(Value::as_str).ok_or(no(member));
                let block: Cidr = text(member)?.parse().map_err(|_| no(member))?;
                if block.address().is_ipv4() != (member == "ip_prefix") {
                    return Err(no(member));
                }
                entries.push((block, text("service")?, text("region")?));
            }
        }
        // Pairs are sorted, so that which of two equal blocks counts does not depend on the list's order.
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        pairs.extend(entries.iter().flatten().map(|(_, s, r)| (*s, *r)));
        pairs.sort_unstable();
        pairs.dedup();
        if pairs.len() > usize::from(NOTHING) {
            return Err(AwsRangesError::TooMany);
        }
        let places: HashMap<(&str, &str), Place> = pairs.iter().copied().zip(0..).collect();
        let blocks = entries.map(|entries| {
            let blocks = entries.iter().filter_map(|(cidr, service, region)| {
                Some(Block::new(cidr, *places.get(&(*service, *region))?))
            });
            blocks.collect::<Vec<_>>()
        });
        all.ranges = pairs
            .iter()
            .map(|(s, r)| ((*s).into(), (*r).into()))
            .collect();
        let [v4, v6] = blocks;
        for (start, place) in all.resolved(v4) {
            // What is beyond the last address of IPv4 cannot be asked for.
            if let Ok(start) = u32::try_from(start) {
                all.v4.push(start, place);
            }
        }
        for (start, place) in all.resolved(v6) {
            all.v6.push(start, place);
        }
        Ok(all)
    }

    /// The service and region that an address belongs to. `None` for addresses that are not AWS's.
    pub fn lookup(&self, address: IpAddr) -> Option<AwsRange<'_>> {
        let place = match address.to_canonical() {
            IpAddr::V4(address) => self.v4.at(address.to_bits()),
            IpAddr::V6(address) => self.v6.at(address.to_bits()),
        };
        let (service, region) = self.ranges.get(usize::from(place?))?;
        Some(AwsRange { service, region })
    }

    /// The first and the last address of each stretch of IPv4 that is AWS's, ascending.
    pub(super) fn ipv4(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let starts = &self.v4.starts;
        let ends = starts.iter().skip(1).map(|next| next - 1).chain([u32::MAX]);
        let stretches = starts.iter().copied().zip(ends).zip(&self.v4.places);
        stretches.filter_map(|(stretch, place)| (*place != NOTHING).then_some(stretch))
    }

    /// Where what addresses belong to changes, and to what: ascending, an address may come more than once,
    /// and then the last time counts. Blocks contain each other or have no address in common, so those
    /// that contain an address are a stack.
    fn resolved(&self, mut blocks: Vec<Block>) -> Vec<(u128, Place)> {
        let mut sizes: HashMap<&str, u128> = HashMap::new();
        for block in &blocks {
            let size = sizes.entry(self.service(block.place)).or_default();
            *size = size.saturating_add(block.last - block.first);
        }
        let rank = |block: &Block| -> Rank {
            let service = self.service(block.place);
            let tells = match service {
                "AMAZON" => 0,
                "EC2" => 1,
                _ => 2,
            };
            // Of two with equal blocks, the one that has fewer addresses is the more particular:
            // `CLOUDFRONT_ORIGIN_FACING` within `CLOUDFRONT`.
            let size = sizes.get(service).copied().unwrap_or(u128::MAX);
            let (size, place) = (std::cmp::Reverse(size), std::cmp::Reverse(block.place));
            (tells, block.length, size, place)
        };
        blocks.sort_by_key(|block| (block.first, block.length));
        let mut changes = Vec::with_capacity(blocks.len() * 2);
        let mut around: Vec<(u128, Rank, Place)> = Vec::new();
        let leave = |around: &mut Vec<(u128, Rank, Place)>, changes: &mut Vec<_>| {
            if let Some((last, _, _)) = around.pop()
                && let Some(next) = last.checked_add(1)
            {
                let place = around.last().map_or(NOTHING, |(_, _, place)| *place);
                changes.push((next, place));
            }
        };
        for block in &blocks {
            while around
                .last()
                .is_some_and(|(last, _, _)| *last < block.first)
            {
                leave(&mut around, &mut changes);
            }
            let own = (block.last, rank(block), block.place);
            let best = match around.last() {
                Some((_, rank, place)) if *rank > own.1 => (block.last, *rank, *place),
                _ => own,
            };
            changes.push((block.first, best.2));
            around.push(best);
        }
        while !around.is_empty() {
            leave(&mut around, &mut changes);
        }
        changes
    }

    fn service(&self, place: Place) -> &str {
        let range = self.ranges.get(usize::from(place));
        range.map_or("", |(service, _)| service)
    }
}

impl Block {
    fn new(cidr: &Cidr, place: Place) -> Block {
        let (first, bits) = match cidr.address() {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128_u32),
        };
        let host = bits.saturating_sub(u32::from(cidr.length()));
        let size = u128::MAX
            .checked_shr(128_u32.saturating_sub(host))
            .unwrap_or(0);
        Block {
            first,
            last: first | size,
            length: cidr.length(),
            place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::net::{Ipv4Addr, Ipv6Addr};

    /// A list of blocks with service and region.
    fn list(blocks: &[(&str, &str, &str)]) -> Vec<u8> {
        let entries = |member: &str, v6: bool| -> Vec<Value> {
            let blocks = blocks.iter().filter(|(b, ..)| b.contains(':') == v6);
            let entry = |(block, service, region): &(&str, &str, &str)| json!({member: block, "region": region, "service": service, "network_border_group": region});
            blocks.map(entry).collect()
        };
        let document = json!({
            "syncToken": "1416435608", "createDate": "2014-11-19-23-29-02",
            "prefixes": entries("ip_prefix", false), "ipv6_prefixes": entries("ipv6_prefix", true),
        });
        serde_json::to_vec(&document).unwrap()
    }

    fn ranges(blocks: &[(&str, &str, &str)]) -> AwsRanges {
        AwsRanges::from_slice(&list(blocks)).unwrap()
    }

    fn at<'r>(ranges: &'r AwsRanges, address: &str) -> Option<(&'r str, &'r str)> {
        let range = ranges.lookup(address.parse().unwrap())?;
        Some((range.service, range.region))
    }

    #[test]
    fn the_service_that_tells_most_counts() {
        let ranges = ranges(&[
            ("3.5.0.0/19", "AMAZON", "us-east-1"),
            ("3.5.0.0/19", "S3", "us-east-1"),
            ("3.5.0.0/19", "EC2", "us-east-1"),
            ("18.206.0.0/15", "EC2", "us-east-1"),
            ("18.206.0.0/15", "AMAZON", "us-east-1"),
            ("18.206.107.24/29", "EC2_INSTANCE_CONNECT", "us-east-1"),
            ("99.77.128.0/17", "AMAZON", "eu-west-1"),
            // `AMAZON` with a longer prefix tells no more.
            ("52.216.0.0/15", "S3", "us-east-1"),
            ("52.216.0.0/18", "AMAZON", "us-east-1"),
        ]);
        for (address, expected) in [
            ("3.5.31.255", Some(("S3", "us-east-1"))),
            ("18.206.107.23", Some(("EC2", "us-east-1"))),
            ("18.206.107.24", Some(("EC2_INSTANCE_CONNECT", "us-east-1"))),
            ("18.206.107.31", Some(("EC2_INSTANCE_CONNECT", "us-east-1"))),
            ("18.206.107.32", Some(("EC2", "us-east-1"))),
            ("18.207.255.255", Some(("EC2", "us-east-1"))),
            ("99.77.130.1", Some(("AMAZON", "eu-west-1"))),
            ("52.216.1.1", Some(("S3", "us-east-1"))),
            ("3.4.255.255", None),
            ("3.5.32.0", None),
            ("8.8.8.8", None),
            ("2600::1", None),
        ] {
            assert_eq!(at(&ranges, address), expected, "{address}");
        }
    }

    #[test]
    fn of_equal_blocks_the_service_with_fewer_addresses_counts() {
        let ranges = ranges(&[
            ("13.113.196.64/26", "CLOUDFRONT", "GLOBAL"),
            ("13.113.196.64/26", "CLOUDFRONT_ORIGIN_FACING", "GLOBAL"),
            ("120.52.22.96/27", "CLOUDFRONT", "GLOBAL"),
        ]);
        assert_eq!(
            at(&ranges, "13.113.196.100"),
            Some(("CLOUDFRONT_ORIGIN_FACING", "GLOBAL"))
        );
        assert_eq!(at(&ranges, "120.52.22.100"), Some(("CLOUDFRONT", "GLOBAL")));
    }

    #[test]
    fn the_longest_prefix_tells_the_region() {
        let ranges = ranges(&[
            ("15.0.0.0/8", "AMAZON", "GLOBAL"),
            ("15.220.0.0/16", "AMAZON", "us-west-2"),
        ]);
        assert_eq!(at(&ranges, "15.220.1.1"), Some(("AMAZON", "us-west-2")));
        assert_eq!(at(&ranges, "15.221.1.1"), Some(("AMAZON", "GLOBAL")));
    }

    #[test]
    fn addresses_of_both_families_are_found() {
        let ranges = ranges(&[
            ("2600:1f18::/36", "AMAZON", "us-east-1"),
            ("2600:1f18::/36", "EC2", "us-east-1"),
            ("2600:1ff9:8000::/40", "S3", "us-east-1"),
            ("3.5.0.0/19", "S3", "us-east-1"),
        ]);
        assert_eq!(at(&ranges, "2600:1f18:fff::1"), Some(("EC2", "us-east-1")));
        assert_eq!(at(&ranges, "2600:1f18:1000::1"), None);
        assert_eq!(at(&ranges, "2600:1ff9:80ff::"), Some(("S3", "us-east-1")));
        assert_eq!(at(&ranges, "::ffff:3.5.0.1"), Some(("S3", "us-east-1")));
    }

    #[test]
    fn the_first_and_the_last_address_can_be_in_a_block() {
        let ranges = ranges(&[
            ("0.0.0.0/0", "AMAZON", "GLOBAL"),
            ("255.255.255.255/32", "S3", "GLOBAL"),
            ("::/0", "AMAZON", "GLOBAL"),
        ]);
        assert_eq!(at(&ranges, "0.0.0.0"), Some(("AMAZON", "GLOBAL")));
        assert_eq!(at(&ranges, "255.255.255.255"), Some(("S3", "GLOBAL")));
        let last = Ipv6Addr::from_bits(u128::MAX).to_string();
        assert_eq!(at(&ranges, &last), Some(("AMAZON", "GLOBAL")));
    }

    #[test]
    fn neighbours_of_one_service_are_one_stretch() {
        let ranges = ranges(&[
            ("10.0.0.0/25", "S3", "us-east-1"),
            ("10.0.0.128/25", "S3", "us-east-1"),
        ]);
        assert_eq!(ranges.v4.starts.len(), 2);
    }

    #[test]
    fn an_empty_list_has_nothing() {
        assert_eq!(at(&ranges(&[]), "3.5.0.1"), None);
        assert_eq!(at(&AwsRanges::default(), "3.5.0.1"), None);
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said() {
        let error = |json: &str| {
            AwsRanges::from_slice(json.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert!(error("<html>").contains("is not JSON"));
        assert!(error("[]").contains("has no list \"prefixes\""));
        assert!(error(r#"{"prefixes": []}"#).contains("has no list \"ipv6_prefixes\""));
        let entry = |entry: &str| {
            error(&format!(
                r#"{{"prefixes": [{{"ip_prefix": "3.5.0.0/19", "service": "S3", "region": "GLOBAL"}}, {entry}], "ipv6_prefixes": []}}"#
            ))
        };
        for (row, member) in [
            ("{}", "ip_prefix"),
            (r#"{"ip_prefix": "3.5.0.0/33"}"#, "ip_prefix"),
            (r#"{"ip_prefix": "2600::/16"}"#, "ip_prefix"),
            (r#"{"ip_prefix": "3.5.0.0/19"}"#, "service"),
            (
                r#"{"ip_prefix": "3.5.0.0/19", "service": "S3", "region": 1}"#,
                "region",
            ),
        ] {
            let expected = format!(
                "entry 2 of \"prefixes\" in the list of AWS's addresses has no readable \"{member}\""
            );
            assert_eq!(entry(row), expected);
        }
    }

    #[test]
    fn every_pair_of_service_and_region_has_its_place() {
        let many = |count: u32| {
            let blocks: Vec<(String, String)> = (0..count)
                .map(|n| (format!("{}/32", Ipv4Addr::from_bits(n)), format!("S{n}")))
                .collect();
            let blocks: Vec<(&str, &str, &str)> = blocks
                .iter()
                .map(|(block, service)| (block.as_str(), service.as_str(), "GLOBAL"))
                .collect();
            AwsRanges::from_slice(&list(&blocks))
        };
        let ranges = many(65_535).unwrap();
        assert_eq!(at(&ranges, "0.0.255.254"), Some(("S65534", "GLOBAL")));
        assert!(matches!(many(65_536), Err(AwsRangesError::TooMany)));
    }

    /// Goes through all blocks of an address, as the documentation says which counts.
    fn scan<'b>(
        blocks: &[(Cidr, &'b str, &'b str)],
        address: IpAddr,
    ) -> Option<(&'b str, &'b str)> {
        let size = |service: &str| {
            let same = blocks.iter().filter(|(cidr, s, _)| {
                *s == service && cidr.address().is_ipv4() == address.is_ipv4()
            });
            let sizes = same.map(|(cidr, ..)| {
                let bits = if address.is_ipv4() { 32 } else { 128 };
                (1_u128 << (bits - cidr.length())) - 1
            });
            sizes.sum::<u128>()
        };
        let here = blocks.iter().filter(|(cidr, ..)| cidr.contains(address));
        let best = here.max_by_key(|(cidr, service, region)| {
            let tells = ["EC2", "AMAZON"].iter().position(|s| s == service);
            let last = std::cmp::Reverse((size(service), *service, *region));
            (std::cmp::Reverse(tells.map(|t| t + 1)), cidr.length(), last)
        });
        best.map(|(_, service, region)| (*service, *region))
    }

    proptest! {
        #[test]
        fn a_search_finds_what_going_through_all_blocks_finds(
            blocks in prop::collection::vec(
                (any::<bool>(), 0_u128..512, 0_u8..10,
                 prop::sample::select(vec!["AMAZON", "EC2", "S3", "CLOUDFRONT", "DYNAMODB"]),
                 prop::sample::select(vec!["GLOBAL", "us-east-1", "eu-west-1"])),
                0..24),
            addresses in prop::collection::vec((any::<bool>(), 0_u128..600), 1..64),
        ) {
            // Few addresses, at the end of each family's space, so that blocks meet.
            let address = |v4: bool, low: u128| match v4 {
                true => IpAddr::V4(Ipv4Addr::from_bits(u32::MAX - low as u32)),
                false => IpAddr::V6(Ipv6Addr::from_bits(u128::MAX - low)),
            };
            let blocks: Vec<(Cidr, &str, &str)> = blocks.iter().map(|(v4, low, host, service, region)| {
                let bits = if *v4 { 32 } else { 128 };
                (Cidr::new(address(*v4, *low), bits - host).unwrap(), *service, *region)
            }).collect();
            let texts: Vec<String> = blocks.iter().map(|(cidr, ..)| cidr.to_string()).collect();
            let rows: Vec<(&str, &str, &str)> = texts.iter().zip(&blocks)
                .map(|(text, (_, service, region))| (text.as_str(), *service, *region)).collect();
            let ranges = ranges(&rows);
            for (v4, low) in addresses {
                let address = address(v4, low);
                let found = ranges.lookup(address).map(|r| (r.service, r.region));
                prop_assert_eq!(found, scan(&blocks, address), "{}", address);
            }
        }
    }
}
