//! Makes the index of a unit from its inventory.
//!
//! Interfaces and addresses of the shard before that are not there any more are kept for a time, with when
//! they were last seen and when they were first found gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::format::{Block, FileKind, Link, Text, Texts, Writer, hash};
use super::shard::{
    AclEntryRow, AclRow, AddressRow, DelegatedRow, GatewayKind, GatewayRow, GroupRow, InstanceRow,
    InterfaceRow, ListBlockRow, PrefixListRow, PublicRow, ResourceRow, RouteRow, RouteTableRow,
    RuleBlockRow, RuleRow, Shard, SlotRow, SubnetBlockRow, SubnetRow, Tenure, UnitRow, VpcBlockRow,
    VpcRow, ZoneRow,
};
use crate::inventory::{Destination, EndpointType, Inventory, Resource, TargetKind};

mod part;
mod tenants;

pub use part::directory_part;
use tenants::Tenants;

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
