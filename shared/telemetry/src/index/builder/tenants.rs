//! Who has and had what: interfaces, and the addresses they hold.

use std::collections::{BTreeMap, HashMap};

use super::super::format::{Block, Link, Text, bits};
use super::super::resource::{self, Behind};
use super::super::shard::{
    AddressRow, DelegatedRow, GroupRow, InterfaceRow, PublicRow, Shard, Tenure, VpcRow,
};
use crate::inventory::{Interface, Inventory, Resource};

/// An interface as it goes into a shard.
pub(super) struct InterfaceDraft {
    pub(super) account: Option<String>,
    pub(super) vpc: Option<String>,
    pub(super) subnet: Option<String>,
    pub(super) zone_id: Option<String>,
    pub(super) interface_type: Option<String>,
    pub(super) instance: Option<(String, Option<String>)>,
    pub(super) resource: Option<Behind>,
    pub(super) groups: Vec<String>,
    pub(super) tags: Tags,
    pub(super) tenure: Tenure,
    pub(super) stale: u32,
    pub(super) forwards: bool,
    pub(super) public: bool,
}

/// Something that interfaces hold: an address or a block of a VPC, or a public address.
pub(super) type Holdings<K> = BTreeMap<K, BTreeMap<String, Tenure>>;

/// What interfaces have and had.
#[derive(Default)]
pub(super) struct Tenants {
    pub(super) interfaces: BTreeMap<String, InterfaceDraft>,
    pub(super) addresses: Holdings<(String, u128)>,
    pub(super) delegated: Holdings<(String, Block)>,
    pub(super) public: Holdings<u128>,
}

impl Tenants {
    pub(super) fn add_present(
        &mut self,
        inventory: &Inventory,
        collected: u32,
        previous: Option<&Shard>,
        before: Option<u32>,
    ) {
        let known = previous.map(Known::of).unwrap_or_default();
        for interface in &inventory.interfaces {
            // What is kept from before has been seen then, and may be there still.
            let seen = interface.seen.map_or(collected, seconds);
            let attached = interface.attachment.as_ref().and_then(|a| a.since);
            let tenure = |since: Option<u32>| Tenure {
                from: match (since, attached.map(seconds), before) {
                    (Some(since), _, _) => since,
                    // Later than AWS was asked before, it may have got it later than it was attached.
                    (None, Some(attached), Some(before)) => attached.max(before.saturating_add(1)),
                    (None, Some(attached), None) => attached,
                    (None, None, Some(before)) => before.saturating_add(1),
                    (None, None, None) => 0,
                },
                seen,
                gone: u32::MAX,
            };
            let id = &interface.id;
            self.interfaces.insert(
                id.clone(),
                InterfaceDraft::of(
                    interface,
                    inventory,
                    tenure(known.interfaces.get(id).copied()),
                ),
            );
            let private = interface.addresses.iter().filter_map(|a| a.address);
            let own = private.chain(interface.ipv6.iter().map(|a| (*a).into()));
            if let Some(vpc) = &interface.vpc {
                for address in own.map(bits) {
                    let key = (vpc.clone(), address);
                    let since = known.addresses.get(&key).and_then(|k| k.get(id)).copied();
                    let holders = self.addresses.entry(key).or_default();
                    holders.insert(id.clone(), tenure(since));
                }
                for block in interface.prefixes.iter().map(|cidr| Block::from(*cidr)) {
                    let key = (vpc.clone(), block);
                    let since = known.delegated.get(&key).and_then(|k| k.get(id)).copied();
                    let holders = self.delegated.entry(key).or_default();
                    holders.insert(id.clone(), tenure(since));
                }
            }
            for address in interface.addresses.iter().filter_map(|a| a.public) {
                let key = bits(address);
                let since = known.public.get(&key).and_then(|k| k.get(id)).copied();
                let holders = self.public.entry(key).or_default();
                holders.insert(id.clone(), tenure(since));
            }
        }
    }

    /// Keeps what the shard before has and the inventory has not.
    pub(super) fn add_vanished(&mut self, previous: &Shard, collected: u32, keep: u32) {
        let file = previous.file();
        let text = |text: Text| file.text(text).map(str::to_owned);
        let kept = |tenure: Tenure| {
            let tenure = Tenure {
                gone: tenure.gone.min(collected),
                ..tenure
            };
            (collected.saturating_sub(tenure.seen) <= keep).then_some(tenure)
        };
        let rows = previous.interfaces();
        let id_of = |link: Link<InterfaceRow>| file.follow(link).and_then(|row| text(row.id));
        for row in rows.iter() {
            let Some(id) = text(row.id).filter(|id| !self.interfaces.contains_key(id)) else {
                continue;
            };
            let Some(tenure) = kept(row.tenure) else {
                continue;
            };
            let resource = file.follow(row.resource).and_then(|resource| {
                Some(Behind {
                    resource_type: resource::known_type(file.text(resource.resource_type)?)?,
                    id: text(resource.id),
                    name: text(resource.name),
                    service: text(resource.service),
                })
            });
            let words: Vec<String> = file.texts(row.tags).map(str::to_owned).collect();
            let (pairs, _) = words.as_chunks::<2>();
            let tags = pairs
                .iter()
                .map(|[key, value]| (key.clone(), value.clone()));
            let draft = InterfaceDraft {
                account: text(row.account),
                vpc: file.follow(row.vpc).and_then(|vpc| text(vpc.id)),
                subnet: file.follow(row.subnet).and_then(|subnet| text(subnet.id)),
                zone_id: text(row.zone_id),
                interface_type: text(row.interface_type),
                instance: file
                    .follow(row.instance)
                    .and_then(|instance| Some((text(instance.id)?, text(instance.name)))),
                resource,
                groups: file
                    .linked::<GroupRow>(row.groups)
                    .filter_map(|group| text(group.id))
                    .collect(),
                tags: tags.collect(),
                tenure,
                stale: row.stale,
                forwards: row.forwards,
                public: row.public,
            };
            self.interfaces.insert(id, draft);
        }
        for row in file.rows::<AddressRow>().iter() {
            let vpc = file.follow(row.vpc).and_then(|vpc| text(vpc.id));
            if let (Some(vpc), Some(id), Some(tenure)) =
                (vpc, id_of(row.interface), kept(row.tenure))
            {
                let holders = self.addresses.entry((vpc, row.address)).or_default();
                holders.entry(id).or_insert(tenure);
            }
        }
        for row in file.rows::<DelegatedRow>().iter() {
            let vpc = file.follow(row.vpc).and_then(|vpc| text(vpc.id));
            if let (Some(vpc), Some(id), Some(tenure)) =
                (vpc, id_of(row.interface), kept(row.tenure))
            {
                let holders = self.delegated.entry((vpc, row.block)).or_default();
                holders.entry(id).or_insert(tenure);
            }
        }
        for row in file.rows::<PublicRow>().iter() {
            if let (Some(id), Some(tenure)) = (id_of(row.interface), kept(row.tenure)) {
                let holders = self.public.entry(row.address).or_default();
                holders.entry(id).or_insert(tenure);
            }
        }
        let known = &self.interfaces;
        let has = |holders: &mut BTreeMap<String, Tenure>| {
            holders.retain(|id, _| known.contains_key(id));
        };
        self.addresses.values_mut().for_each(has);
        self.delegated.values_mut().for_each(has);
        self.public.values_mut().for_each(has);
    }
}

/// Since when what is there now has been there, from the shard before.
#[derive(Default)]
pub(super) struct Known {
    pub(super) interfaces: HashMap<String, u32>,
    pub(super) addresses: HashMap<(String, u128), HashMap<String, u32>>,
    pub(super) delegated: HashMap<(String, Block), HashMap<String, u32>>,
    pub(super) public: HashMap<u128, HashMap<String, u32>>,
}

impl Known {
    pub(super) fn of(shard: &Shard) -> Known {
        let file = shard.file();
        let text = |text: Text| file.text(text).map(str::to_owned);
        let id_of = |link| {
            file.follow::<InterfaceRow>(link)
                .and_then(|row| text(row.id))
        };
        let vpc_of = |link| file.follow::<VpcRow>(link).and_then(|row| text(row.id));
        let mut known = Known::default();
        for row in shard.interfaces().iter() {
            if let (Some(id), true) = (text(row.id), row.tenure.is_present()) {
                known.interfaces.insert(id, row.tenure.from);
            }
        }
        for row in file.rows::<AddressRow>().iter() {
            if let (Some(vpc), Some(id), true) = (
                vpc_of(row.vpc),
                id_of(row.interface),
                row.tenure.is_present(),
            ) {
                let holders = known.addresses.entry((vpc, row.address)).or_default();
                holders.insert(id, row.tenure.from);
            }
        }
        for row in file.rows::<DelegatedRow>().iter() {
            if let (Some(vpc), Some(id), true) = (
                vpc_of(row.vpc),
                id_of(row.interface),
                row.tenure.is_present(),
            ) {
                let holders = known.delegated.entry((vpc, row.block)).or_default();
                holders.insert(id, row.tenure.from);
            }
        }
        for row in file.rows::<PublicRow>().iter() {
            if let (Some(id), true) = (id_of(row.interface), row.tenure.is_present()) {
                let holders = known.public.entry(row.address).or_default();
                holders.insert(id, row.tenure.from);
            }
        }
        known
    }
}

impl InterfaceDraft {
    pub(super) fn of(
        interface: &Resource<Interface>,
        inventory: &Inventory,
        tenure: Tenure,
    ) -> InterfaceDraft {
        let attached = interface.attachment.as_ref();
        let instance = attached.and_then(|attachment| attachment.instance.as_deref());
        let known = instance.and_then(|id| inventory.instances.get(id));
        let instance = instance.map(|id| {
            let name = known.and_then(|known| known.tags.get("Name"));
            (id.to_owned(), name.cloned())
        });
        let mut tags: Tags = known.map(|known| known.tags.clone()).unwrap_or_default();
        tags.extend(interface.tags.clone());
        InterfaceDraft {
            account: interface.account.clone(),
            vpc: interface.vpc.clone(),
            subnet: interface.subnet.clone(),
            zone_id: interface.zone_id.clone(),
            interface_type: interface
                .interface_type
                .as_ref()
                .map(|kind| kind.as_str().to_owned()),
            instance,
            resource: resource::behind(interface, inventory),
            groups: interface.security_groups.clone(),
            tags,
            tenure,
            stale: interface
                .stale_since
                .map_or(0, |since| seconds(since).max(1)),
            forwards: interface.source_dest_check == Some(false),
            public: interface.addresses.iter().any(|a| a.public.is_some()),
        }
    }
}

/// Tags as they are kept: sorted, each key once.
pub(super) type Tags = BTreeMap<String, String>;

/// Where something changed hands and nobody saw when, it is nobody's in between: who had it before has it until
/// it was last seen, who has it now since it was first seen. `before` is when AWS was asked before.
pub(super) fn part_holders(holders: &mut BTreeMap<String, Tenure>, before: u32) {
    // What is new is dated, or may have come at any time after AWS was asked before.
    let is_new = |tenure: &Tenure| tenure.is_present() && tenure.from > before;
    let is_dated = |tenure: &Tenure| tenure.from > before.saturating_add(1);
    let news = holders.values().filter(|tenure| is_new(tenure));
    let since = news.map(|tenure| match is_dated(tenure) {
        true => tenure.from,
        false => before.saturating_add(1),
    });
    let Some(since) = since.min() else { return };
    let others = holders
        .values()
        .any(|tenure| !is_new(tenure) && tenure.range().to >= since);
    if !others {
        return;
    }
    for tenure in holders.values_mut() {
        if !is_new(tenure) {
            tenure.gone = tenure.gone.min(since.max(tenure.seen.saturating_add(1)));
        } else if !is_dated(tenure) {
            tenure.from = tenure.seen;
        }
    }
}

/// Unix seconds of a time; 0 and the end of time for what does not fit.
pub(super) fn seconds(time: jiff::Timestamp) -> u32 {
    u32::try_from(time.as_second()).unwrap_or(if time.as_second() < 0 { 0 } else { u32::MAX })
}

impl Tenants {
    pub(super) fn part(&mut self, before: u32) {
        for holders in self.addresses.values_mut() {
            part_holders(holders, before);
        }
        for holders in self.delegated.values_mut() {
            part_holders(holders, before);
        }
        for holders in self.public.values_mut() {
            part_holders(holders, before);
        }
    }
}
