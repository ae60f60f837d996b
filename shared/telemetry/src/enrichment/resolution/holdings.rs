//! The addresses that interfaces have, or had: most have one.

use std::net::IpAddr;

use super::{NONE, Near, Resolver};
use crate::index::format::{Block, Link};
use crate::index::shard::{AddressRow, DelegatedRow, InterfaceRow, Shard};

/// Which interfaces of a shard ever had several addresses of one family, by their rows.
#[derive(Debug)]
pub(super) struct Holdings(Vec<Holding>);

/// What one interface ever had.
#[derive(Debug, Clone, Copy, Default)]
struct Holding {
    ipv4: bool,
    ipv6: bool,
    is_several: bool,
}

impl Holdings {
    fn new(shard: &Shard) -> Holdings {
        let file = shard.file();
        let mut holdings = Holdings(vec![
            Holding::default();
            file.rows::<InterfaceRow>().len() as usize
        ]);
        for row in file.rows::<AddressRow>().iter() {
            holdings.add(row.interface, |holding| {
                let family = match Block::IPV4.contains(row.address) {
                    true => &mut holding.ipv4,
                    false => &mut holding.ipv6,
                };
                holding.is_several |= std::mem::replace(family, true);
            });
        }
        for row in file.rows::<DelegatedRow>().iter() {
            holdings.add(row.interface, |holding| holding.is_several = true);
        }
        holdings
    }

    fn add(&mut self, interface: Link<InterfaceRow>, add: impl FnOnce(&mut Holding)) {
        let row = interface.row().and_then(|row| self.0.get_mut(row as usize));
        row.map(add);
    }

    /// Whether an interface never had two addresses of one family.
    fn is_single(&self, interface: u32) -> bool {
        let holding = self.0.get(interface as usize);
        holding.is_some_and(|holding| !holding.is_several)
    }
}

impl Resolver {
    /// Whether the interface that logs has an address in its VPC, or ever had it.
    pub fn is_own(&self, near: &Near, address: IpAddr) -> bool {
        let shard = near.shard.and_then(|shard| self.shard(shard));
        shard.is_some_and(|shard| {
            near.interface != NONE && shard.ever_held(near.vpc, near.interface, address)
        })
    }

    /// Whether the interface that logs never had two addresses of one family: where one address of a record is its own,
    /// the other one is not.
    pub fn has_one_address(&mut self, near: &Near) -> bool {
        let Some(number) = near.shard else {
            return false;
        };
        if !self.holdings.contains_key(&number)
            && let Some(shard) = self.shard(number)
        {
            let holdings = Holdings::new(shard);
            self.holdings.insert(number, holdings);
        }
        let holdings = self.holdings.get(&number);
        holdings.is_some_and(|holdings| holdings.is_single(near.interface))
    }
}
