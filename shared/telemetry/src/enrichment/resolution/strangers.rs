//! Public addresses of which nothing is known.
//!
//! Most far addresses of a log are of the internet, each of them is seen a few times, and there is nothing to tell of
//! it. One look at a map of the blocks in which something is known answers for all of them.

use std::sync::Arc;

use super::{Loaded, Resolver};
use crate::index::directory::PlacedAddressRow;
use crate::index::format::{Block, File, Row};
use crate::index::shard::{AddressRow, DelegatedRow, ListBlockRow, SubnetBlockRow, VpcBlockRow};

/// Bits of an address that its block is told by.
const BLOCK_BITS: u32 = 16;

/// Blocks of IPv4, by their first bits: one bit for each, set where something is known of an address in it.
#[derive(Debug)]
pub(in crate::enrichment) struct Strangers {
    known: Box<[u64; (1 << BLOCK_BITS) / 64]>,
}

impl Strangers {
    fn new() -> Strangers {
        Strangers {
            known: Box::new([0; _]),
        }
    }

    /// Whether nothing is known of an address of IPv4 and of all others in its block. `false` for IPv6.
    #[inline]
    pub fn has(&self, address: u128) -> bool {
        let block = address as u32 >> BLOCK_BITS;
        let word = self.known.get(block as usize / 64);
        let is_known = word.is_none_or(|word| word >> (block % 64) & 1 == 1);
        address >> 32 == Block::IPV4.base >> 32 && !is_known
    }

    /// Something may be known of these addresses of IPv4, the first to the last.
    fn know(&mut self, first: u32, last: u32) {
        for block in first >> BLOCK_BITS..=last >> BLOCK_BITS {
            if let Some(word) = self.known.get_mut(block as usize / 64) {
                *word |= 1 << (block % 64);
            }
        }
    }

    fn know_block(&mut self, block: Block) {
        let [first, last] = [block.base, block.last()];
        if Block::IPV4.contains(first) {
            self.know(first as u32, last as u32);
        }
    }
}

impl Resolver {
    /// Who is a stranger, as seen from an account and region. `None` where a database may tell something of every
    /// address, or it is not known what there is.
    pub fn strangers(&mut self, shard: u16) -> Option<Arc<Strangers>> {
        let known = self.strangers.get(&shard).cloned();
        known.unwrap_or_else(|| {
            let found = self.find_strangers(shard).map(Arc::new);
            self.strangers.insert(shard, found.clone());
            found
        })
    }

    fn find_strangers(&self, shard: u16) -> Option<Strangers> {
        if self.geography.is_some() {
            return None;
        }
        let mut strangers = Strangers::new();
        if let Loaded::Ready(directory) = &self.directory {
            for row in directory.file().rows::<PlacedAddressRow>().iter() {
                strangers.know_block(at(row.address));
            }
        }
        for (first, last) in self.ranges.iter().flat_map(|ranges| ranges.ipv4()) {
            strangers.know(first, last);
        }
        let file = self.shard(shard)?.file();
        fn rows<'f, R: Row + 'f>(
            file: &'f File,
            block: impl Fn(R) -> Block + 'f,
        ) -> impl Iterator<Item = Block> + 'f {
            file.rows::<R>().iter().map(block)
        }
        rows(file, |row: ListBlockRow| row.block)
            .chain(rows(file, |row: VpcBlockRow| row.block))
            .chain(rows(file, |row: SubnetBlockRow| row.block))
            .chain(rows(file, |row: DelegatedRow| row.block))
            .chain(rows(file, |row: AddressRow| at(row.address)))
            .for_each(|block| strangers.know_block(block));
        Some(strangers)
    }
}

/// The block of one address.
fn at(address: u128) -> Block {
    Block {
        base: address,
        length: u128::BITS,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index::format::bits;
    use crate::inventory::Cidr;

    proptest! {
        #[test]
        fn no_stranger_is_in_a_known_block(
            blocks in prop::collection::vec((any::<u32>(), 1_u8..=32), 0..8),
            addresses in prop::collection::vec(any::<u32>(), 8),
        ) {
            let mut strangers = Strangers::new();
            let blocks: Vec<Block> = blocks
                .into_iter()
                .map(|(address, length)| {
                    let first = address & (u32::MAX << (32 - u32::from(length)));
                    Cidr::new(std::net::Ipv4Addr::from(first).into(), length).unwrap().into()
                })
                .collect();
            blocks.iter().for_each(|block| strangers.know_block(*block));
            let random = addresses.into_iter().map(|address| Block::IPV4.base | u128::from(address));
            let edges = blocks.iter().flat_map(|block| [block.base, block.last()]);
            for address in random.chain(edges) {
                let is_known = blocks.iter().any(|block| block.contains(address));
                prop_assert!(!(is_known && strangers.has(address)));
                // As coarse as the map may be, what shares no block with anything known is a stranger.
                let of = |address: u128| address as u32 >> BLOCK_BITS;
                let is_near = blocks.iter().any(|b| (of(b.base)..=of(b.last())).contains(&of(address)));
                prop_assert_eq!(strangers.has(address), !is_near);
            }
        }
    }

    #[test]
    fn nobody_of_ipv6_is_a_stranger() {
        let strangers = Strangers::new();
        assert!(strangers.has(bits("198.51.100.7".parse().unwrap())));
        assert!(!strangers.has(bits("2001:db8::1".parse().unwrap())));
        let mut strangers = strangers;
        strangers.know_block(Block { base: 0, length: 0 });
        assert!(strangers.has(bits("198.51.100.7".parse().unwrap())));
    }
}
