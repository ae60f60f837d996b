//! Searching all routes of a transit gateway route table.
//!
//! `SearchTransitGatewayRoutes` gives 1,000 routes at most. Newer endpoints continue with a token;
//! others say `AdditionalRoutesAvailable` and nothing more. Then the search is split by destination: the
//! routes of a block are those of exactly the block, and those within each of its halves.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value, json};

/// A block of destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    V4(u32, u32),
    V6(u128, u32),
}

impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Block::V4(bits, length) => write!(f, "{}/{length}", Ipv4Addr::from_bits(bits)),
            Block::V6(bits, length) => write!(f, "{}/{length}", Ipv6Addr::from_bits(bits)),
        }
    }
}

/// Which routes a search asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    Exactly(Block),
    Within(Block),
}

/// One search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Search(Wanted);

impl Search {
    /// Every route.
    pub(super) const ALL: Search = Search(Wanted::All);

    /// The `Filters` of the request. Routes that are being made or removed carry no traffic.
    pub(super) fn filters(self) -> Value {
        let state = json!({"Name": "state", "Values": ["active", "blackhole"]});
        match self.0 {
            Wanted::All => json!([state]),
            Wanted::Exactly(block) => {
                json!([state, {"Name": "route-search.exact-match", "Values": [block.to_string()]}])
            }
            Wanted::Within(block) => {
                json!([state, {"Name": "route-search.subnet-of-match", "Values": [block.to_string()]}])
            }
        }
    }

    /// The searches that together ask for the same routes; `None` when it cannot be split.
    pub(super) fn split(self) -> Option<Vec<Search>> {
        let parts = match self.0 {
            Wanted::All => vec![
                Wanted::Within(Block::V4(0, 0)),
                Wanted::Within(Block::V6(0, 0)),
            ],
            Wanted::Exactly(_) => return None,
            Wanted::Within(block) => {
                let halves = match block {
                    Block::V4(bits, length @ 0..32) => [
                        Block::V4(bits, length + 1),
                        Block::V4(bits | (1 << (31 - length)), length + 1),
                    ],
                    Block::V6(bits, length @ 0..128) => [
                        Block::V6(bits, length + 1),
                        Block::V6(bits | (1 << (127 - length)), length + 1),
                    ],
                    Block::V4(..) | Block::V6(..) => return None,
                };
                let [low, high] = halves.map(Wanted::Within);
                vec![Wanted::Exactly(block), low, high]
            }
        };
        Some(parts.into_iter().map(Search).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_search_asks_for_the_same_destinations() {
        let texts = |search: Search| -> Vec<String> {
            let parts = search.split().unwrap();
            parts
                .iter()
                .map(|part| {
                    let filters = part.filters();
                    let (kind, block) = (&filters[1]["Name"], &filters[1]["Values"][0]);
                    format!("{} {}", kind.as_str().unwrap(), block.as_str().unwrap())
                })
                .collect()
        };
        assert_eq!(
            texts(Search::ALL),
            [
                "route-search.subnet-of-match 0.0.0.0/0",
                "route-search.subnet-of-match ::/0"
            ]
        );
        let v4 = Search(Wanted::Within(Block::V4(0x0a00_0000, 8)));
        assert_eq!(
            texts(v4),
            [
                "route-search.exact-match 10.0.0.0/8",
                "route-search.subnet-of-match 10.0.0.0/9",
                "route-search.subnet-of-match 10.128.0.0/9",
            ]
        );
        let v6 = Search(Wanted::Within(Block::V6(0, 0)));
        assert_eq!(texts(v6)[2], "route-search.subnet-of-match 8000::/1");
    }

    #[test]
    fn splitting_ends_at_single_addresses() {
        for block in [Block::V4(7, 32), Block::V6(7, 128)] {
            assert_eq!(Search(Wanted::Within(block)).split(), None);
            assert_eq!(Search(Wanted::Exactly(block)).split(), None);
        }
        let mut search = Search(Wanted::Within(Block::V6(0, 0)));
        for _ in 0..128 {
            search = search.split().unwrap()[2];
        }
        assert_eq!(search.split(), None);
    }
}
