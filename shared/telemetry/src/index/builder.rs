//! Makes the index of a unit from its inventory.
//!
//! Interfaces and addresses of the shard before that are not there any more are kept for a time, with when
//! they were last seen and when they were first found gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::directory::{
    AccountRow, AttachmentRow, FirewallEndpointRow, FirewallRow, HybridRow, PartRow, PeeringRow,
    PlacedAddressRow, PlacedBlockRow, PlacedVpcRow, Tables, TransitGatewayRow, TransitRouteRow,
    TransitTableRow, Viewer,
};
use super::format::{Block, FileKind, Link, Text, Texts, Writer, bits, hash};
use super::resource::{self, Behind};
use super::shard::{
    AclEntryRow, AclRow, AddressRow, DelegatedRow, GatewayKind, GatewayRow, GroupRow, InstanceRow,
    InterfaceRow, ListBlockRow, PrefixListRow, PublicRow, ResourceRow, RouteRow, RouteTableRow,
    RuleBlockRow, RuleRow, Shard, SlotRow, SubnetBlockRow, SubnetRow, Tenure, UnitRow, VpcBlockRow,
    VpcRow, ZoneRow,
};
use crate::inventory::{
    AttachmentType, Destination, EndpointType, Interface, Inventory, Resource, TargetKind,
};

/// The unit that an index is made of.
#[derive(Debug, Clone, Copy)]
pub struct IndexUnit<'u> {
    /// The account.
    pub account: &'u str,
    /// The region.
    pub region: &'u str,
    /// When AWS was asked, Unix seconds.
    pub collected: u32,
}

/// Tags as they are kept: sorted, each key once.
type Tags = BTreeMap<String, String>;

/// An interface as it goes into a shard.
struct InterfaceDraft {
    account: Option<String>,
    vpc: Option<String>,
    subnet: Option<String>,
    zone_id: Option<String>,
    interface_type: Option<String>,
    instance: Option<(String, Option<String>)>,
    resource: Option<Behind>,
    groups: Vec<String>,
    tags: Tags,
    tenure: Tenure,
    stale: u32,
    forwards: bool,
    public: bool,
}

/// Something that interfaces hold: an address or a block of a VPC, or a public address.
type Holdings<K> = BTreeMap<K, BTreeMap<String, Tenure>>;

/// What interfaces have and had.
#[derive(Default)]
struct Tenants {
    interfaces: BTreeMap<String, InterfaceDraft>,
    addresses: Holdings<(String, u128)>,
    delegated: Holdings<(String, Block)>,
    public: Holdings<u128>,
}

/// Makes a unit's shard. `previous` is its shard from before; what vanished since stays for `keep` seconds after it
/// was last seen. `None` when the shard would be larger than a file can be.
pub fn shard(
    inventory: &Inventory,
    unit: IndexUnit<'_>,
    previous: Option<&Shard>,
    keep: u32,
) -> Option<Bytes> {
    let mut tenants = Tenants::default();
    let before = previous.and_then(Shard::unit).map(|unit| unit.collected);
    tenants.add_present(inventory, unit.collected, previous, before);
    if let Some(previous) = previous {
        tenants.add_vanished(previous, unit.collected, keep);
    }
    if let Some(before) = before {
        tenants.part(before);
    }
    ShardWriter::new(inventory, tenants).write(unit)
}

/// Unix seconds of a time; 0 and the end of time for what does not fit.
fn seconds(time: jiff::Timestamp) -> u32 {
    u32::try_from(time.as_second()).unwrap_or(if time.as_second() < 0 { 0 } else { u32::MAX })
}

impl Tenants {
    fn add_present(
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
    fn add_vanished(&mut self, previous: &Shard, collected: u32, keep: u32) {
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

/// Where something changed hands and nobody saw when, it is nobody's in between: who had it before has it until
/// it was last seen, who has it now since it was first seen. `before` is when AWS was asked before.
fn part_holders(holders: &mut BTreeMap<String, Tenure>, before: u32) {
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

impl Tenants {
    fn part(&mut self, before: u32) {
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

/// Since when what is there now has been there, from the shard before.
#[derive(Default)]
struct Known {
    interfaces: HashMap<String, u32>,
    addresses: HashMap<(String, u128), HashMap<String, u32>>,
    delegated: HashMap<(String, Block), HashMap<String, u32>>,
    public: HashMap<u128, HashMap<String, u32>>,
}

impl Known {
    fn of(shard: &Shard) -> Known {
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
    fn of(
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

/// Numbers of rows by ids, given before the rows are written.
struct Places<R>(BTreeMap<String, Link<R>>);

impl<R> Places<R> {
    fn of(ids: BTreeSet<String>) -> Places<R> {
        let numbered = (0_u32..).zip(ids);
        Places(numbered.map(|(place, id)| (id, Link::to(place))).collect())
    }

    fn get(&self, id: Option<&str>) -> Link<R> {
        id.and_then(|id| self.0.get(id))
            .copied()
            .unwrap_or(Link::NONE)
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Writes a shard's tables.
struct ShardWriter<'i> {
    inventory: &'i Inventory,
    tenants: Tenants,
    writer: Writer,
    /// What flow logs are active for.
    logged: BTreeSet<&'i str>,
    edge_zones: BTreeSet<&'i str>,
    vpcs: Places<VpcRow>,
    subnets: Places<SubnetRow>,
    tables: Places<RouteTableRow>,
    acls: Places<AclRow>,
    groups: Places<GroupRow>,
    lists: Places<PrefixListRow>,
}

fn ids<'i, T: 'i>(resources: impl IntoIterator<Item = &'i Resource<T>>) -> BTreeSet<String> {
    resources.into_iter().map(|r| r.id.clone()).collect()
}

/// What active flow logs of accepted traffic are of.
fn logged(inventory: &Inventory) -> BTreeSet<&str> {
    let active = inventory.flow_logs.iter().filter(|log| {
        log.status
            .as_deref()
            .is_none_or(|status| status == "ACTIVE")
            && log.traffic.as_deref() != Some("REJECT")
    });
    active.filter_map(|log| log.resource.as_deref()).collect()
}

fn name(tags: &BTreeMap<String, String>) -> Option<&str> {
    tags.get("Name").map(String::as_str)
}

impl<'i> ShardWriter<'i> {
    fn new(inventory: &'i Inventory, tenants: Tenants) -> ShardWriter<'i> {
        let drafts = tenants.interfaces.values();
        let mut vpcs = ids(&inventory.vpcs);
        vpcs.extend(inventory.subnets.iter().filter_map(|s| s.vpc.clone()));
        vpcs.extend(drafts.clone().filter_map(|draft| draft.vpc.clone()));
        let mut subnets = ids(&inventory.subnets);
        subnets.extend(drafts.clone().filter_map(|draft| draft.subnet.clone()));
        let mut groups = ids(&inventory.security_groups);
        groups.extend(drafts.flat_map(|draft| draft.groups.iter().cloned()));
        let edge = inventory.zones.iter().filter(|zone| {
            let ordinary = ["availability-zone"];
            zone.zone_type
                .as_deref()
                .is_some_and(|kind| !ordinary.contains(&kind))
        });
        ShardWriter {
            inventory,
            writer: Writer::default(),
            logged: logged(inventory),
            edge_zones: edge.map(|zone| zone.zone_id.as_str()).collect(),
            vpcs: Places::of(vpcs),
            subnets: Places::of(subnets),
            tables: Places::of(ids(&inventory.route_tables)),
            acls: Places::of(ids(&inventory.network_acls)),
            groups: Places::of(groups),
            lists: Places::of(ids(&inventory.prefix_lists)),
            tenants,
        }
    }

    fn write(mut self, unit: IndexUnit<'_>) -> Option<Bytes> {
        let row = UnitRow {
            account: self.writer.text(unit.account),
            region: self.writer.text(unit.region),
            collected: unit.collected,
        };
        self.writer.table(&[row]);
        self.zones();
        self.vpcs();
        self.subnets();
        self.interfaces();
        self.holdings();
        self.groups();
        self.acls();
        self.lists();
        self.routes();
        self.gateways();
        self.writer.finish(FileKind::Shard)
    }

    fn text(&mut self, text: Option<&str>) -> Text {
        self.writer.text(text)
    }

    fn tags(&mut self, tags: &BTreeMap<String, String>) -> Texts {
        let pairs = tags
            .iter()
            .flat_map(|(key, value)| [key.as_str(), value.as_str()]);
        self.writer.texts(pairs)
    }

    fn zones(&mut self) {
        let mut zones: Vec<_> = self.inventory.zones.iter().collect();
        zones.sort_by_key(|zone| zone.zone_name.clone());
        let rows: Vec<ZoneRow> = zones
            .into_iter()
            .filter(|zone| zone.zone_name.is_some())
            .map(|zone| ZoneRow {
                name: self.writer.text(zone.zone_name.as_deref()),
                id: self.writer.text(zone.zone_id.as_str()),
                edge: self.edge_zones.contains(zone.zone_id.as_str()),
            })
            .collect();
        self.writer.table(&rows);
    }

    fn vpcs(&mut self) {
        let ids: Vec<String> = self.vpcs.ids().map(str::to_owned).collect();
        let (mut rows, mut blocks) = (Vec::new(), Vec::new());
        for (place, id) in (0_u32..).zip(&ids) {
            let vpc = self.inventory.vpcs.get(id);
            let none = BTreeMap::new();
            let tags = vpc.map_or(&none, |vpc| &vpc.tags);
            rows.push(VpcRow {
                id: self.writer.text(id.as_str()),
                name: self.text(name(tags)),
                account: self.text(vpc.and_then(|vpc| vpc.account.as_deref())),
                tags: self.tags(tags),
                logged: self.logged.contains(id.as_str()),
            });
            let mut own: Vec<Block> = vpc
                .map(|vpc| vpc.cidrs.iter().map(|cidr| Block::from(*cidr)).collect())
                .unwrap_or_default();
            own.sort();
            blocks.extend(own.into_iter().map(|block| VpcBlockRow {
                vpc: Link::to(place),
                block,
            }));
        }
        self.writer.table(&rows);
        self.writer.table(&blocks);
    }

    fn subnets(&mut self) {
        let mut acl_of: HashMap<&str, &str> = HashMap::new();
        let mut default_of: HashMap<&str, &str> = HashMap::new();
        for acl in &self.inventory.network_acls {
            acl_of.extend(acl.subnets.iter().map(|s| (s.as_str(), acl.id.as_str())));
            if let (true, Some(vpc)) = (acl.is_default, &acl.vpc) {
                default_of.insert(vpc, &acl.id);
            }
        }
        let ids: Vec<String> = self.subnets.ids().map(str::to_owned).collect();
        let (mut rows, mut blocks) = (Vec::new(), Vec::new());
        for (place, id) in (0_u32..).zip(&ids) {
            let subnet = self.inventory.subnets.get(id);
            // One that is gone, or not told, is known by the interfaces in it.
            let (vpc, zone) = match subnet {
                Some(subnet) => (subnet.vpc.clone(), subnet.zone_id.clone()),
                None => {
                    let mut drafts = self.tenants.interfaces.values();
                    let draft = drafts.find(|draft| draft.subnet.as_deref() == Some(id));
                    draft.map_or((None, None), |d| (d.vpc.clone(), d.zone_id.clone()))
                }
            };
            let (vpc, zone) = (vpc.as_deref(), zone.as_deref());
            let acl = acl_of.get(id.as_str()).copied();
            let acl = acl.or_else(|| vpc.and_then(|vpc| default_of.get(vpc)).copied());
            let table = self.inventory.route_table_of(id);
            let none = BTreeMap::new();
            let tags = subnet.map_or(&none, |subnet| &subnet.tags);
            let logged = self.logged.contains(id.as_str());
            let row = SubnetRow {
                id: self.writer.text(id.as_str()),
                name: self.writer.text(name(tags)),
                account: self
                    .writer
                    .text(subnet.and_then(|subnet| subnet.account.as_deref())),
                vpc: self.vpcs.get(vpc),
                zone_id: self.writer.text(zone),
                table: self.tables.get(table.map(|table| table.id.as_str())),
                acl: self.acls.get(acl),
                tags: self.tags(tags),
                logged: logged || vpc.is_some_and(|vpc| self.logged.contains(vpc)),
                edge: zone.is_some_and(|zone| self.edge_zones.contains(zone)),
            };
            let own = subnet.map(|subnet| subnet.cidrs.as_slice());
            blocks.extend(own.unwrap_or_default().iter().map(|cidr| SubnetBlockRow {
                vpc: row.vpc,
                block: Block::from(*cidr),
                subnet: Link::to(place),
            }));
            rows.push(row);
        }
        blocks.retain(|row| row.vpc.row().is_some());
        blocks.sort_by_key(|row| (row.vpc.place(), row.block));
        self.writer.table(&rows);
        self.writer.table(&blocks);
    }

    fn interfaces(&mut self) {
        let tenants = std::mem::take(&mut self.tenants.interfaces);
        let mut instances: Vec<InstanceRow> = Vec::new();
        let mut instance_places: HashMap<String, Link<InstanceRow>> = HashMap::new();
        let mut resources: Vec<ResourceRow> = Vec::new();
        let mut resource_places: HashMap<[u32; 4], Link<ResourceRow>> = HashMap::new();
        let mut rows = Vec::with_capacity(tenants.len());
        for (id, draft) in &tenants {
            let instance = match &draft.instance {
                None => Link::NONE,
                Some((instance, name)) => match instance_places.get(instance) {
                    Some(place) => *place,
                    None => {
                        let place = Link::to(instances.len() as u32);
                        instances.push(InstanceRow {
                            id: self.writer.text(instance.as_str()),
                            name: self.writer.text(name.as_deref()),
                        });
                        instance_places.insert(instance.clone(), place);
                        place
                    }
                },
            };
            let resource = match &draft.resource {
                None => Link::NONE,
                Some(behind) => {
                    let row = ResourceRow {
                        resource_type: self.writer.text(behind.resource_type),
                        id: self.writer.text(behind.id.as_deref()),
                        name: self.writer.text(behind.name.as_deref()),
                        service: self.writer.text(behind.service.as_deref()),
                    };
                    let key = [row.resource_type, row.id, row.name, row.service].map(Text::word);
                    *resource_places.entry(key).or_insert_with(|| {
                        resources.push(row);
                        Link::to(resources.len() as u32 - 1)
                    })
                }
            };
            let groups: Vec<u32> = draft
                .groups
                .iter()
                .filter_map(|group| self.groups.get(Some(group)).row())
                .collect();
            let of = |id: &Option<String>| id.as_deref().is_some_and(|id| self.logged.contains(id));
            let logged = self.logged.contains(id.as_str()) || of(&draft.subnet) || of(&draft.vpc);
            rows.push(InterfaceRow {
                id: self.writer.text(id.as_str()),
                account: self.writer.text(draft.account.as_deref()),
                vpc: self.vpcs.get(draft.vpc.as_deref()),
                subnet: self.subnets.get(draft.subnet.as_deref()),
                zone_id: self.writer.text(draft.zone_id.as_deref()),
                interface_type: self.writer.text(draft.interface_type.as_deref()),
                instance,
                resource,
                groups: self.writer.words(&groups),
                tags: {
                    let pairs = draft.tags.iter();
                    let words = pairs.flat_map(|(key, value)| [key.as_str(), value.as_str()]);
                    self.writer.texts(words)
                },
                tenure: draft.tenure,
                stale: draft.stale,
                logged,
                forwards: draft.forwards,
                public: draft.public,
            });
        }
        // At most half of the slots are taken, so that few are looked at.
        let slots = (rows.len() * 2).next_power_of_two();
        let mut table = vec![
            SlotRow {
                interface: Link::NONE
            };
            if rows.is_empty() { 0 } else { slots }
        ];
        for (place, id) in (0_u32..).zip(tenants.keys()) {
            let mut at = hash(id.as_bytes()) as usize;
            while let Some(slot) = table.get_mut(at & (slots - 1)) {
                if slot.interface.row().is_none() {
                    slot.interface = Link::to(place);
                    break;
                }
                at = at.wrapping_add(1);
            }
        }
        self.writer.table(&rows);
        self.writer.table(&table);
        self.writer.table(&instances);
        self.writer.table(&resources);
        self.tenants.interfaces = tenants;
    }

    /// Addresses, delegated blocks and public addresses.
    fn holdings(&mut self) {
        let places: HashMap<&str, Link<InterfaceRow>> = (0_u32..)
            .zip(self.tenants.interfaces.keys())
            .map(|(place, id)| (id.as_str(), Link::to(place)))
            .collect();
        let place = |id: &String| places.get(id.as_str()).copied().unwrap_or(Link::NONE);
        let mut addresses = Vec::new();
        for ((vpc, address), holders) in &self.tenants.addresses {
            addresses.extend(in_order(holders).map(|(id, tenure)| AddressRow {
                vpc: self.vpcs.get(Some(vpc)),
                address: *address,
                interface: place(id),
                tenure,
            }));
        }
        let mut delegated = Vec::new();
        for ((vpc, block), holders) in &self.tenants.delegated {
            delegated.extend(in_order(holders).map(|(id, tenure)| DelegatedRow {
                vpc: self.vpcs.get(Some(vpc)),
                block: *block,
                interface: place(id),
                tenure,
            }));
        }
        let mut public = Vec::new();
        for (address, holders) in &self.tenants.public {
            public.extend(in_order(holders).map(|(id, tenure)| PublicRow {
                address: *address,
                interface: place(id),
                tenure,
            }));
        }
        self.writer.table(&addresses);
        self.writer.table(&delegated);
        self.writer.table(&public);
    }

    fn groups(&mut self) {
        let ids: Vec<String> = self.groups.ids().map(str::to_owned).collect();
        let (mut rows, mut rules, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
        for (place, id) in (0_u32..).zip(&ids) {
            let group = self.inventory.security_groups.get(id);
            rows.push(GroupRow {
                id: self.writer.text(id.as_str()),
                name: self
                    .writer
                    .text(group.and_then(|g| g.group_name.as_deref())),
                known: group.is_some(),
            });
            let Some(group) = group else { continue };
            let all = group.ingress.iter().map(|rule| (false, rule));
            for (egress, rule) in all.chain(group.egress.iter().map(|rule| (true, rule))) {
                let number = Link::to(rules.len() as u32);
                let lists = rule.prefix_lists.iter();
                let told = |id: &&String| self.inventory.prefix_list_entries(id).is_some();
                let unknown_list = !lists.clone().all(|id| told(&id));
                let lists: Vec<u32> = lists
                    .filter(told)
                    .filter_map(|id| self.lists.get(Some(id)).row())
                    .collect();
                let groups = rule.groups.iter().filter_map(|g| g.group.as_deref());
                rules.push(RuleRow {
                    group: Link::to(place),
                    egress,
                    protocol: protocol(&rule.protocol),
                    from: number_of(rule.from_port),
                    to: number_of(rule.to_port),
                    lists: self.writer.words(&lists),
                    unknown_list,
                    groups: self.writer.texts(groups),
                });
                blocks.extend(rule.cidrs.iter().map(|cidr| RuleBlockRow {
                    rule: number,
                    block: Block::from(*cidr),
                }));
            }
        }
        self.writer.table(&rows);
        self.writer.table(&rules);
        self.writer.table(&blocks);
    }

    fn acls(&mut self) {
        let (mut rows, mut entries) = (Vec::new(), Vec::new());
        for (place, acl) in (0_u32..).zip(&self.inventory.network_acls) {
            rows.push(AclRow {
                id: self.writer.text(acl.id.as_str()),
            });
            for entry in &acl.entries {
                let Some(block) = entry.cidr.map(Block::from) else {
                    continue;
                };
                let protocol = protocol(&entry.protocol);
                // Protocols 1 and 58 have types and codes where others have ports.
                let (from, to) = match protocol {
                    1 | 58 => (entry.icmp_type, entry.icmp_code),
                    _ => (entry.from_port, entry.to_port),
                };
                entries.push(AclEntryRow {
                    acl: Link::to(place),
                    number: entry.number,
                    egress: entry.egress,
                    allows: entry.allows,
                    protocol,
                    from: number_of(from),
                    to: number_of(to),
                    block,
                });
            }
        }
        self.writer.table(&rows);
        self.writer.table(&entries);
    }

    fn lists(&mut self) {
        let (mut rows, mut blocks) = (Vec::new(), Vec::new());
        for (place, list) in (0_u32..).zip(&self.inventory.prefix_lists) {
            rows.push(PrefixListRow {
                id: self.writer.text(list.id.as_str()),
                name: self.writer.text(list.list_name.as_deref()),
                account: self.writer.text(list.account.as_deref()),
            });
            let entries = list.entries.as_deref().unwrap_or_default();
            blocks.extend(
                entries
                    .iter()
                    .filter_map(|e| e.cidr)
                    .map(|cidr| ListBlockRow {
                        block: Block::from(cidr),
                        list: Link::to(place),
                        around: Link::NONE,
                    }),
            );
        }
        // A service's list before a customer's of the same block, so that the customer's is found first.
        let service = self.writer.text("AWS");
        let own = |row: &ListBlockRow| {
            let list = row.list.row().and_then(|place| rows.get(place as usize));
            list.is_some_and(|list: &PrefixListRow| list.account != service)
        };
        blocks.sort_by_key(|row| (row.block, own(row), row.list.place()));
        let mut around: Vec<(u32, Block)> = Vec::new();
        for (place, row) in (0_u32..).zip(&mut blocks) {
            while around
                .last()
                .is_some_and(|(_, block)| !block.covers(row.block))
            {
                around.pop();
            }
            row.around = around
                .last()
                .map_or(Link::NONE, |(place, _)| Link::to(*place));
            around.push((place, row.block));
        }
        self.writer.table(&rows);
        self.writer.table(&blocks);
    }

    fn routes(&mut self) {
        let inventory = self.inventory;
        let (mut rows, mut routes) = (Vec::new(), Vec::new());
        for (place, table) in (0_u32..).zip(&inventory.route_tables) {
            rows.push(RouteTableRow {
                id: self.writer.text(table.id.as_str()),
            });
            let mut own = Vec::new();
            for route in &table.routes {
                let (Some(destination), Some(target)) = (&route.destination, &route.target) else {
                    continue;
                };
                let listed = matches!(destination, Destination::PrefixList(_));
                let kind = gateway_kind(inventory, target.kind, &target.id, listed);
                let gateway = self.writer.text(target.id.as_str());
                let blocks = match destination {
                    Destination::Cidr(cidr) => vec![*cidr],
                    Destination::PrefixList(id) => {
                        let entries = inventory.prefix_list_entries(id).unwrap_or_default();
                        entries.iter().filter_map(|entry| entry.cidr).collect()
                    }
                };
                own.extend(blocks.into_iter().map(|cidr| RouteRow {
                    table: Link::to(place),
                    block: Block::from(cidr),
                    kind: kind as u32,
                    gateway,
                    blackhole: route.state.as_deref() == Some("blackhole"),
                }));
            }
            own.sort_by_key(|route| (std::cmp::Reverse(route.block.length), route.block.base));
            routes.extend(own);
        }
        self.writer.table(&rows);
        self.writer.table(&routes);
    }

    fn gateways(&mut self) {
        let inventory = self.inventory;
        let mut rows: BTreeMap<&str, GatewayRow> = BTreeMap::new();
        let mut add = |id: &'i str, kind, tags, vpc, subnet, service| {
            let row = GatewayRow {
                id: self.writer.text(id),
                kind: kind as u32,
                name: self.writer.text(name(tags)),
                vpc: self.vpcs.get(vpc),
                subnet: self.subnets.get(subnet),
                service: self.writer.text(service),
            };
            rows.insert(id, row);
        };
        for gateway in &inventory.internet_gateways {
            let vpc = gateway.attachments.iter().find_map(|a| a.vpc.as_deref());
            add(
                &gateway.id,
                GatewayKind::Internet,
                &gateway.tags,
                vpc,
                None,
                None,
            );
        }
        for gateway in &inventory.egress_only_internet_gateways {
            let vpc = gateway.attachments.iter().find_map(|a| a.vpc.as_deref());
            add(
                &gateway.id,
                GatewayKind::EgressOnly,
                &gateway.tags,
                vpc,
                None,
                None,
            );
        }
        for gateway in &inventory.vpn_gateways {
            let vpc = gateway.attachments.iter().find_map(|a| a.vpc.as_deref());
            let kind = GatewayKind::VirtualPrivate;
            add(&gateway.id, kind, &gateway.tags, vpc, None, None);
        }
        for gateway in &inventory.nat_gateways {
            let (vpc, subnet) = (gateway.vpc.as_deref(), gateway.subnet.as_deref());
            add(
                &gateway.id,
                GatewayKind::Nat,
                &gateway.tags,
                vpc,
                subnet,
                None,
            );
        }
        for endpoint in &inventory.endpoints {
            let kind = gateway_kind(inventory, TargetKind::Endpoint, &endpoint.id, false);
            let (vpc, service) = (endpoint.vpc.as_deref(), endpoint.service.as_deref());
            let subnet = match endpoint.subnets.as_slice() {
                [subnet] => Some(subnet.as_str()),
                _ => None,
            };
            add(&endpoint.id, kind, &endpoint.tags, vpc, subnet, service);
        }
        for peering in &inventory.peerings {
            add(
                &peering.id,
                GatewayKind::Peering,
                &peering.tags,
                None,
                None,
                None,
            );
        }
        let rows: Vec<GatewayRow> = rows.into_values().collect();
        self.writer.table(&rows);
    }
}

/// The holders of something: those that have it, then those that had it last.
fn in_order(holders: &BTreeMap<String, Tenure>) -> impl Iterator<Item = (&String, Tenure)> {
    let mut holders: Vec<_> = holders.iter().map(|(id, tenure)| (id, *tenure)).collect();
    holders.sort_by_key(|(_, tenure)| std::cmp::Reverse((tenure.gone, tenure.seen, tenure.from)));
    holders.into_iter()
}

/// A protocol's number as rules write it; -1 for all, and for names that are not known, -2.
fn protocol(text: &str) -> i32 {
    match text {
        "tcp" => 6,
        "udp" => 17,
        "icmp" => 1,
        "icmpv6" => 58,
        other => other.parse().unwrap_or(-2),
    }
}

fn number_of(port: Option<i64>) -> i32 {
    port.and_then(|port| i32::try_from(port).ok()).unwrap_or(-1)
}

/// What kind of gateway a route leads to. Endpoints differ by what they are endpoints of; `listed` tells
/// that the route is to a prefix list, as those to S3 and DynamoDB are.
fn gateway_kind(inventory: &Inventory, kind: TargetKind, id: &str, listed: bool) -> GatewayKind {
    match kind {
        TargetKind::Local => GatewayKind::Local,
        TargetKind::InternetGateway => GatewayKind::Internet,
        TargetKind::EgressOnlyInternetGateway => GatewayKind::EgressOnly,
        TargetKind::NatGateway => GatewayKind::Nat,
        TargetKind::VpnGateway => GatewayKind::VirtualPrivate,
        TargetKind::TransitGateway => GatewayKind::Transit,
        TargetKind::Peering => GatewayKind::Peering,
        TargetKind::Interface | TargetKind::Instance => GatewayKind::Interface,
        TargetKind::CoreNetwork => GatewayKind::CoreNetwork,
        TargetKind::CarrierGateway => GatewayKind::Carrier,
        TargetKind::LocalGateway => GatewayKind::LocalGateway,
        TargetKind::OdbNetwork | TargetKind::Other => GatewayKind::Other,
        TargetKind::Endpoint => {
            let of_firewall = inventory.firewalls.iter().any(|firewall| {
                let details = firewall.details.as_ref();
                let endpoints = details.map(|details| details.endpoints.as_slice());
                let mut endpoints = endpoints.unwrap_or_default().iter();
                endpoints.any(|endpoint| endpoint.endpoint.as_deref() == Some(id))
            });
            let endpoint = inventory.endpoints.get(id);
            match endpoint.and_then(|endpoint| endpoint.endpoint_type.as_ref()) {
                _ if of_firewall => GatewayKind::Firewall,
                Some(EndpointType::Gateway) => GatewayKind::GatewayEndpoint,
                Some(EndpointType::GatewayLoadBalancer) => GatewayKind::LoadBalancerEndpoint,
                Some(_) => GatewayKind::InterfaceEndpoint,
                None if listed => GatewayKind::GatewayEndpoint,
                None => GatewayKind::LoadBalancerEndpoint,
            }
        }
    }
}

/// Makes a unit's part of the directory; see [`super::Directory::merge`]. `shard` is the unit's shard, which
/// tells the public addresses of interfaces that vanished.
/// `None` when it would be larger than a file can be.
pub fn directory_part(
    inventory: &Inventory,
    unit: IndexUnit<'_>,
    shard: Option<&Shard>,
) -> Option<Bytes> {
    let mut tables = Tables::default();
    let writer = &mut tables.writer;
    let by = Viewer {
        account: writer.text(unit.account),
        region: writer.text(unit.region),
    };
    tables.parts.push(PartRow {
        by,
        collected: unit.collected,
        has_shard: !inventory.interfaces.is_empty() || !inventory.vpcs.is_empty(),
    });
    for account in &inventory.accounts {
        let official = account.account_name.as_deref();
        let Some(name) = official.or(account.alias.as_deref()) else {
            continue;
        };
        tables.accounts.push(AccountRow {
            by,
            id: writer.text(account.id.as_str()),
            name: writer.text(name),
            official: official.is_some(),
        });
    }
    let logged = logged(inventory);
    for vpc in &inventory.vpcs {
        let id = writer.text(vpc.id.as_str());
        tables.vpcs.push(PlacedVpcRow {
            by,
            id,
            name: writer.text(name(&vpc.tags)),
            owner: writer.text(vpc.account.as_deref()),
        });
        let blocks = vpc.cidrs.iter().map(|cidr| PlacedBlockRow {
            by,
            vpc: id,
            block: Block::from(*cidr),
        });
        tables.blocks.extend(blocks);
    }
    let mut public: BTreeMap<u128, Option<&str>> = BTreeMap::new();
    for row in shard
        .into_iter()
        .flat_map(|shard| shard.file().rows::<PublicRow>().iter())
    {
        public.insert(row.address, None);
    }
    for address in &inventory.addresses {
        public.extend(address.public.map(|public| (bits(public), None)));
    }
    for gateway in &inventory.nat_gateways {
        for address in gateway.addresses.iter().filter_map(|a| a.public) {
            public.insert(bits(address), Some(&gateway.id));
        }
    }
    for interface in &inventory.interfaces {
        let addresses = interface.addresses.iter().filter_map(|a| a.public);
        public.extend(addresses.map(|address| (bits(address), None)));
    }
    for (address, holder) in public {
        tables.addresses.push(PlacedAddressRow {
            by,
            address,
            holder: writer.text(holder),
        });
    }
    for peering in &inventory.peerings {
        let (requester, accepter) = (&peering.requester, &peering.accepter);
        tables.peerings.push(PeeringRow {
            by,
            id: writer.text(peering.id.as_str()),
            name: writer.text(name(&peering.tags)),
            requester: writer.text(requester.vpc.as_deref()),
            requester_account: writer.text(requester.account.as_deref()),
            requester_region: writer.text(requester.region.as_deref()),
            accepter: writer.text(accepter.vpc.as_deref()),
            accepter_account: writer.text(accepter.account.as_deref()),
            accepter_region: writer.text(accepter.region.as_deref()),
            active: peering
                .state
                .as_deref()
                .is_none_or(|state| state == "active"),
        });
    }
    transit(inventory, by, &logged, &mut tables);
    core_networks(inventory, by, &mut tables);
    let writer = &mut tables.writer;
    for firewall in &inventory.firewalls {
        let arn = writer.text(firewall.id.as_str());
        let details = firewall.details.as_ref();
        tables.firewalls.push(FirewallRow {
            by,
            name: writer.text(firewall.firewall_name.as_deref()),
            arn,
            owner: writer.text(firewall.account.as_deref().unwrap_or(unit.account)),
            vpc: writer.text(details.and_then(|details| details.vpc.as_deref())),
            attachment: writer.text(firewall.transit_gateway_attachment.as_deref()),
        });
        for endpoint in details.map(|d| d.endpoints.as_slice()).unwrap_or_default() {
            tables.endpoints.push(FirewallEndpointRow {
                by,
                firewall: arn,
                zone: writer.text(endpoint.zone.as_str()),
                endpoint: writer.text(endpoint.endpoint.as_deref()),
                subnet: writer.text(endpoint.subnet.as_deref()),
            });
        }
    }
    hybrids(inventory, by, &mut tables);
    tables.finish()
}

fn transit(inventory: &Inventory, by: Viewer, logged: &BTreeSet<&str>, tables: &mut Tables) {
    let writer = &mut tables.writer;
    for gateway in &inventory.transit_gateways {
        tables.gateways.push(TransitGatewayRow {
            by,
            id: writer.text(gateway.id.as_str()),
            name: writer.text(name(&gateway.tags)),
            owner: writer.text(gateway.account.as_deref()),
            logged: logged.contains(gateway.id.as_str()),
        });
    }
    let mut associated: HashMap<&str, &str> = HashMap::new();
    for table in &inventory.transit_gateway_route_tables {
        for link in &table.associations {
            if let Some(attachment) = link.attachment.as_deref() {
                associated.insert(attachment, &table.id);
            }
        }
        let id = writer.text(table.id.as_str());
        tables.tables.push(TransitTableRow {
            by,
            id,
            gateway: writer.text(table.transit_gateway.as_deref()),
            complete: table.routes_complete,
        });
        let usable = |state: Option<&str>| {
            state.is_none_or(|state| ["active", "blackhole"].contains(&state))
        };
        for route in table.routes.iter().filter(|r| usable(r.state.as_deref())) {
            let blocks = match &route.destination {
                Some(Destination::Cidr(cidr)) => vec![*cidr],
                Some(Destination::PrefixList(list)) => {
                    let entries = inventory.prefix_list_entries(list).unwrap_or_default();
                    entries.iter().filter_map(|entry| entry.cidr).collect()
                }
                None => Vec::new(),
            };
            let to = route
                .attachments
                .iter()
                .filter_map(|l| l.attachment.as_deref());
            let attachments = writer.texts(to);
            tables
                .routes
                .extend(blocks.into_iter().map(|cidr| TransitRouteRow {
                    by,
                    table: id,
                    block: Block::from(cidr),
                    attachments,
                    blackhole: route.state.as_deref() == Some("blackhole"),
                }));
        }
    }
    for attachment in &inventory.transit_gateway_attachments {
        let subnets = attachment.vpc.as_ref().map(|vpc| vpc.subnets.as_slice());
        for side in &attachment.sides {
            let of_gateway = |table: &&str| {
                let table = inventory.transit_gateway_route_tables.get(table);
                let gateway = table.and_then(|table| table.transit_gateway.as_deref());
                gateway == side.transit_gateway.as_deref()
            };
            let by_table = associated.get(attachment.id.as_str()).copied();
            let table = side.route_table.as_deref().or(by_table.filter(of_gateway));
            let gone = ["deleted", "deleting", "failed", "rejected"];
            if side
                .state
                .as_deref()
                .is_some_and(|state| gone.contains(&state))
            {
                continue;
            }
            let kind = side.resource_type.as_ref();
            // People name the connection rather than its attachment.
            let connection = side.resource.as_deref();
            let connection = connection.and_then(|id| inventory.vpn_connections.get(id));
            let named = name(&attachment.tags).or(connection.and_then(|c| name(&c.tags)));
            tables.attachments.push(AttachmentRow {
                by,
                id: writer.text(attachment.id.as_str()),
                name: writer.text(named),
                gateway: writer.text(side.transit_gateway.as_deref()),
                kind: writer.text(kind.map(AttachmentType::as_str)),
                resource: writer.text(side.resource.as_deref()),
                owner: writer.text(side.resource_owner.as_deref()),
                table: writer.text(table),
                subnets: writer.texts(subnets.unwrap_or_default().iter().map(String::as_str)),
            });
        }
    }
}

/// Core networks are to the directory what transit gateways are: a segment at an edge is a route table.
fn core_networks(inventory: &Inventory, by: Viewer, tables: &mut Tables) {
    let writer = &mut tables.writer;
    for attachment in &inventory.core_network_attachments {
        let resource = attachment.resource.as_deref().unwrap_or_default();
        let resource = resource.rsplit('/').next().unwrap_or_default();
        let kind = match attachment.attachment_type.as_deref() {
            Some("VPC") => "vpc",
            Some("SITE_TO_SITE_VPN") => "vpn",
            Some("DIRECT_CONNECT_GATEWAY") => "direct-connect-gateway",
            Some("CONNECT") => "connect",
            _ => "other",
        };
        let network = attachment.core_network.as_deref();
        for edge in &attachment.edges {
            let table = network
                .zip(attachment.segment.as_deref())
                .map(|(network, segment)| format!("{network}/segment/{segment}/{edge}"));
            tables.attachments.push(AttachmentRow {
                by,
                id: writer.text(attachment.id.as_str()),
                name: writer.text(name(&attachment.tags)),
                gateway: writer.text(network),
                kind: writer.text(kind),
                resource: writer.text(resource),
                owner: writer.text(attachment.account.as_deref()),
                table: writer.text(table.as_deref()),
                subnets: Texts::EMPTY,
            });
        }
    }
    for table in &inventory.core_network_route_tables {
        let id = writer.text(table.id.as_str());
        tables.tables.push(TransitTableRow {
            by,
            id,
            gateway: writer.text(table.core_network.as_deref()),
            complete: true,
        });
        for route in &table.routes {
            let Some(Destination::Cidr(cidr)) = &route.destination else {
                continue;
            };
            let to = route.via.iter().filter_map(|hop| hop.attachment.as_deref());
            tables.routes.push(TransitRouteRow {
                by,
                table: id,
                block: Block::from(*cidr),
                attachments: writer.texts(to),
                blackhole: route.state.as_deref() == Some("BLACKHOLE"),
            });
        }
    }
}

/// What leads on-premises from virtual private gateways.
fn hybrids(inventory: &Inventory, by: Viewer, tables: &mut Tables) {
    let mut hybrids: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    let usable = |state: Option<&str>| state.is_none_or(|s| !["deleted", "deleting"].contains(&s));
    for connection in &inventory.vpn_connections {
        let gateway = connection.vpn_gateway.as_deref();
        if let Some(gateway) = gateway.filter(|_| usable(connection.state.as_deref())) {
            hybrids.entry(gateway).or_default().0 = true;
        }
    }
    let associated = inventory.direct_connect_associations.iter();
    let associated = associated.filter_map(|association| association.gateway.as_deref());
    let virtual_interfaces = inventory.virtual_interfaces.iter();
    let direct = virtual_interfaces.filter_map(|interface| interface.vpn_gateway.as_deref());
    for gateway in associated.chain(direct) {
        hybrids.entry(gateway).or_default().1 = true;
    }
    for (gateway, (vpn, direct_connect)) in hybrids {
        tables.hybrids.push(HybridRow {
            by,
            gateway: tables.writer.text(gateway),
            vpn,
            direct_connect,
        });
    }
}
