//! From an address in a flow to who has it.
//!
//! ```text
//! the logging interface ─▶ its VPC and subnet ─┬─▶ interfaces, subnets, blocks of the VPC
//!                                              └─▶ its route to the address ─┬─▶ peered VPC
//!                                                                            ├─▶ transit gateway ─▶ VPC, VPN, Direct Connect
//!                                                                            ├─▶ virtual private gateway
//!                                                                            └─▶ own public addresses, services, prefix lists, public
//! ```
//!
//! An address says nothing without the VPC it is seen in: VPCs overlap. Only where no route table is known are
//! all VPCs asked that could be reached, and then the answer counts only if one of them has the address.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use super::aws_ranges::AwsRanges;
use super::enricher::Mixing;
use super::geography::Geography;
use super::side::{How, Party, Status};
use super::transfer::{Hybrid, InterfaceKind, Place};
use crate::flow::record::FlowDirection;
use crate::index::directory::{Directory, PlacedBlockRow};
use crate::index::format::{Block, Link, Text, bits};
use crate::index::shard::{
    GatewayKind, Holder, InterfaceRow, Range32, RouteRow, Shard, SubnetRow, Tenure, VpcRow,
};

mod description;
mod holdings;
mod names;
mod reach;
mod strangers;

use description::{Whom, interface_kind};
use holdings::Holdings;
use names::Names;
use reach::other_end;
pub(super) use strangers::Strangers;

/// No row.
pub(super) const NONE: u32 = u32::MAX;
/// No shard.
const NO_SHARD: u16 = u16::MAX;
/// Routes that are followed one after another: a firewall endpoint, then what is behind it.
const MAX_DETOURS: usize = 3;

/// Part of the index, or why it is not there.
#[derive(Debug)]
pub enum Loaded<T> {
    /// It is there.
    Ready(Arc<T>),
    /// There is none.
    Missing,
    /// It is damaged.
    Corrupt,
    /// It is of a newer version.
    Newer,
    /// It could not be read, or does not fit the memory.
    Unreadable,
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        match self {
            Loaded::Ready(part) => Loaded::Ready(Arc::clone(part)),
            Loaded::Missing => Loaded::Missing,
            Loaded::Corrupt => Loaded::Corrupt,
            Loaded::Newer => Loaded::Newer,
            Loaded::Unreadable => Loaded::Unreadable,
        }
    }
}

impl<T> Loaded<T> {
    fn ready(&self) -> Option<&Arc<T>> {
        match self {
            Loaded::Ready(part) => Some(part),
            _ => None,
        }
    }

    /// What the field `metadata` says; `None` when it is there.
    pub fn trouble(&self) -> Option<&'static str> {
        match self {
            Loaded::Ready(_) => None,
            Loaded::Missing => Some("missing"),
            Loaded::Corrupt => Some("corrupt"),
            Loaded::Newer => Some("newer"),
            Loaded::Unreadable => Some("unreadable"),
        }
    }

    fn how(&self) -> How {
        match self {
            Loaded::Ready(_) => How::UnknownInterface,
            Loaded::Missing => How::NoIndex,
            Loaded::Corrupt => How::IndexCorrupt,
            Loaded::Newer => How::IndexNewer,
            Loaded::Unreadable => How::IndexUnreadable,
        }
    }
}

/// Loads the shard of an account and region.
pub type LoadShard = Box<dyn Fn(&str, &str) -> Loaded<Shard> + Send>;

/// What is told of a side beside the index: by the record, a connection's other end, a database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Told {
    pub account_id: Option<Arc<str>>,
    pub region: Option<Arc<str>>,
    pub az_id: Option<Arc<str>>,
    pub vpc_id: Option<Arc<str>>,
    pub subnet_id: Option<Arc<str>>,
    pub interface_id: Option<Arc<str>>,
    pub interface_type: Option<Arc<str>>,
    pub instance_id: Option<Arc<str>>,
    pub resource_type: Option<Arc<str>>,
    pub resource_id: Option<Arc<str>>,
    pub resource_name: Option<Arc<str>>,
    pub service: Option<Arc<str>>,
    pub service_region: Option<Arc<str>>,
    pub country: Option<Arc<str>>,
    pub asn: Option<u32>,
    pub as_org: Option<Arc<str>>,
}

/// What a side was found to be: places in shards that are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Found {
    pub status: Status,
    pub how: How,
    pub place: Place,
    shard: u16,
    vpc: u32,
    subnet: u32,
    pub interface: u32,
    told: u32,
    seen: u32,
}

impl Found {
    /// Nothing is known of it but what is told.
    pub fn unknown(how: How, place: Place, told: u32) -> Found {
        Found {
            status: how.status(),
            how,
            place,
            shard: NO_SHARD,
            vpc: NONE,
            subnet: NONE,
            interface: NONE,
            told,
            seen: 0,
        }
    }

    /// An interface that the record itself tells.
    pub fn of_record(told: u32) -> Found {
        Found::unknown(How::Record, Place::Vpc, told)
    }

    /// The interface that was found.
    pub fn interface(&self) -> Interface {
        Interface {
            shard: self.shard,
            row: self.interface,
        }
    }
}

/// An interface of a shard, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interface {
    shard: u16,
    row: u32,
}

impl Interface {
    /// No interface.
    pub const NONE: Interface = Interface {
        shard: NO_SHARD,
        row: NONE,
    };

    /// Whether there is one.
    #[inline]
    pub fn is_some(self) -> bool {
        self.row != NONE
    }
}

/// Something found, and the times at which the same would be.
pub(super) type Timed = (Found, Range32);

/// Where a flow was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Near {
    pub shard: Option<u16>,
    pub vpc: u32,
    pub subnet: u32,
    pub interface: u32,
    pub told: u32,
    pub kind: InterfaceKind,
    /// Whether the interface has a public address.
    pub public: bool,
    /// Why the index does not help, for the field `metadata`.
    pub trouble: Option<&'static str>,
    how: How,
}

impl Near {
    /// The same without its route table: what decides on addresses of the VPC itself.
    pub fn without_table(self) -> Near {
        Near {
            subnet: NONE,
            ..self
        }
    }

    /// The same without VPC and route table: what decides on public addresses.
    pub fn nowhere(self) -> Near {
        Near {
            vpc: NONE,
            subnet: NONE,
            ..self
        }
    }

    /// Whether it is an interface; a regional NAT gateway is none.
    pub fn has_interface(&self) -> bool {
        self.kind != InterfaceKind::RegionalNatGateway
    }
}

/// Shards, with the row of a VPC in each.
type Views = Arc<[(u16, u32)]>;

/// Looks sides up.
pub(super) struct Resolver {
    directory: Loaded<Directory>,
    load: LoadShard,
    units: HashMap<(String, String), u16, Mixing>,
    /// The shards that see a VPC, with its row in each; its owner's first.
    views: HashMap<Box<str>, Views, Mixing>,
    shards: Vec<Loaded<Shard>>,
    told: Vec<Told>,
    /// Where what was told last with a hash stands.
    told_places: HashMap<u64, u32, Mixing>,
    ranges: Option<Arc<AwsRanges>>,
    geography: Option<Arc<Geography>>,
    names: Names,
    parties: HashMap<Whom, Arc<Party>, Mixing>,
    /// Public addresses of which nothing is known, by the shard they are seen from.
    strangers: HashMap<u16, Option<Arc<Strangers>>, Mixing>,
    /// How many addresses interfaces have, by their shard.
    holdings: HashMap<u16, Holdings, Mixing>,
    /// Seconds after which what was collected counts as stale.
    max_age: u32,
}

fn or_none<R>(link: Link<R>) -> u32 {
    link.row().unwrap_or(NONE)
}

fn link<R>(row: u32) -> Link<R> {
    Link::to(row)
}

/// Whether an address is one that the internet routes.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_unspecified()
                || shared
                || a >= 240)
        }
        // 2000::/3 is what is assigned for the internet.
        IpAddr::V6(v6) => v6.segments().first().is_some_and(|s| s & 0xe000 == 0x2000),
    }
}

impl Resolver {
    pub fn new(
        directory: Loaded<Directory>,
        load: LoadShard,
        ranges: Option<Arc<AwsRanges>>,
        geography: Option<Arc<Geography>>,
        max_age: u32,
    ) -> Resolver {
        Resolver {
            directory,
            load,
            units: HashMap::default(),
            views: HashMap::default(),
            shards: Vec::new(),
            told: vec![Told::default()],
            told_places: HashMap::default(),
            ranges,
            geography,
            names: Names::default(),
            parties: HashMap::default(),
            strangers: HashMap::default(),
            holdings: HashMap::default(),
            max_age,
        }
    }

    /// The directory, where there is one.
    pub fn directory(&self) -> Option<&Arc<Directory>> {
        self.directory.ready()
    }

    /// Forgets what was told, which sides refer to, and parties: only when no side is kept.
    pub fn forget(&mut self) {
        self.names.clear();
        self.parties.clear();
        self.told.truncate(1);
        self.told_places.clear();
    }

    /// Gives what is told a number.
    pub fn tell(&mut self, told: Told) -> u32 {
        if told == Told::default() {
            return 0;
        }
        let next = self.told.len() as u32;
        let hash = self.told_places.hasher().hash_one(&told);
        let place = self.told_places.entry(hash).or_insert(next);
        if self.told.get(*place as usize) != Some(&told) {
            // Another one of the same hash is told again under another number: only room is lost.
            *place = next;
            self.told.push(told);
        }
        *place
    }

    pub fn told(&self, place: u32) -> Option<&Told> {
        self.told.get(place as usize)
    }

    /// The shard of a unit, loaded once.
    fn unit(&mut self, account: &str, region: &str) -> u16 {
        // Asked for several times a record at most: the allocation is not in the way.
        let key = (account.to_owned(), region.to_owned());
        if let Some(place) = self.units.get(&key) {
            return *place;
        }
        let loaded = (self.load)(account, region);
        let place = u16::try_from(self.shards.len()).unwrap_or(NO_SHARD);
        if place != NO_SHARD {
            self.shards.push(loaded);
            self.units.insert(key, place);
        }
        place
    }

    pub fn shard(&self, place: u16) -> Option<&Arc<Shard>> {
        self.shards.get(place as usize)?.ready()
    }

    fn trouble(&self, place: u16) -> &Loaded<Shard> {
        self.shards.get(place as usize).unwrap_or(&Loaded::Missing)
    }

    /// Units that may know an interface: that of its account and region, the account's others where the region
    /// is not known, those that see its VPC.
    fn candidates(
        &mut self,
        account: Option<&str>,
        region: Option<&str>,
        vpc: Option<&str>,
    ) -> Vec<u16> {
        let mut units: Vec<(String, String)> = Vec::new();
        if let (Some(account), Some(region)) = (account, region) {
            units.push((account.to_owned(), region.to_owned()));
        }
        if let Some(directory) = self.directory.ready() {
            if let (Some(account), None) = (account, region) {
                let own = directory
                    .units()
                    .filter(|(a, _, row)| *a == account && row.has_shard);
                units.extend(own.map(|(a, r, _)| (a.to_owned(), r.to_owned())));
            }
            if let Some(vpc) = vpc {
                units.extend(viewers(directory, vpc));
            }
        }
        let mut places: Vec<u16> = Vec::new();
        for (account, region) in units {
            let place = self.unit(&account, &region);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// Where a flow was logged: by the interface's id, else by what the record tells of it.
    pub fn near(
        &mut self,
        account: Option<&str>,
        region: Option<&str>,
        interface: Option<&str>,
        told: u32,
    ) -> Near {
        let known = self.told(told).cloned().unwrap_or_default();
        let candidates = self.candidates(account, region, known.vpc_id.as_deref());
        let mut near = Near {
            shard: None,
            vpc: NONE,
            subnet: NONE,
            interface: NONE,
            told,
            kind: interface_kind(
                known.resource_type.as_deref(),
                known.interface_type.as_deref(),
            ),
            public: false,
            trouble: None,
            how: How::UnknownInterface,
        };
        let mut by_vpc = None;
        let mut trouble = None;
        for place in &candidates {
            let Some(shard) = self.shard(*place) else {
                let state = self.trouble(*place);
                trouble = trouble.or(Some((state.trouble(), state.how())));
                continue;
            };
            if let Some((row, found)) = interface.and_then(|id| shard.interface(id.as_bytes())) {
                let resource = shard.file().follow(found.resource);
                let resource = resource.and_then(|row| shard.file().text(row.resource_type));
                return Near {
                    shard: Some(*place),
                    vpc: or_none(found.vpc),
                    subnet: or_none(found.subnet),
                    interface: row,
                    public: found.public,
                    // The shard tells who it is; the directory, who can be reached.
                    trouble: self.directory.trouble(),
                    kind: interface_kind(resource, shard.file().text(found.interface_type)),
                    how: How::Interface,
                    ..near
                };
            }
            let gateway = known
                .resource_id
                .as_deref()
                .and_then(|id| shard.gateway(id));
            let vpc = known.vpc_id.as_deref().and_then(|vpc| shard.vpc(vpc));
            let vpc = vpc
                .map(|(row, _)| row)
                .or_else(|| gateway.and_then(|gateway| gateway.vpc.row()));
            if let (Some(vpc), None) = (vpc, by_vpc) {
                let subnet = known.subnet_id.as_deref().and_then(|id| shard.subnet(id));
                by_vpc = Some((*place, vpc, subnet.map_or(NONE, |(row, _)| row)));
            }
        }
        if let Some((place, vpc, subnet)) = by_vpc {
            (near.shard, near.vpc, near.subnet) = (Some(place), vpc, subnet);
            near.trouble = self.directory.trouble();
        } else if let Some((trouble, how)) = trouble {
            (near.trouble, near.how) = (trouble, how);
        } else if candidates.is_empty() {
            let state = match &self.directory {
                // The directory knows no such account, so nobody collects it.
                Loaded::Ready(_) => &Loaded::Missing,
                other => other,
            };
            (near.trouble, near.how) = (state.trouble(), state.how());
        }
        near
    }

    /// A place to look from, by a VPC and subnet of a unit: where a firewall stands.
    pub fn place(&mut self, account: &str, region: &str, vpc: &str, subnet: Option<&str>) -> Near {
        let place = self.unit(account, region);
        let mut near = Near {
            shard: None,
            vpc: NONE,
            subnet: NONE,
            interface: NONE,
            told: 0,
            kind: InterfaceKind::Unknown,
            public: false,
            trouble: None,
            how: How::UnknownVpc,
        };
        match self.shard(place) {
            None => {
                let state = self.trouble(place);
                (near.trouble, near.how) = (state.trouble(), state.how());
            }
            Some(shard) => {
                if let Some((vpc, _)) = shard.vpc(vpc) {
                    let subnet = subnet.and_then(|subnet| shard.subnet(subnet));
                    near.vpc = vpc;
                    near.subnet = subnet.map_or(NONE, |(row, _)| row);
                    near.shard = Some(place);
                }
            }
        }
        near
    }

    /// Nowhere that is known.
    pub fn nowhere(&self, how: How) -> Near {
        Near {
            shard: None,
            vpc: NONE,
            subnet: NONE,
            interface: NONE,
            told: 0,
            kind: InterfaceKind::Unknown,
            public: false,
            trouble: self.directory.trouble(),
            how,
        }
    }

    /// The logging interface as a side.
    pub fn own(&self, near: &Near, time: u32) -> Timed {
        let told = self.told(near.told);
        let Some(shard) = near.shard else {
            let how = match told.is_some_and(|told| told.vpc_id.is_some()) {
                true => How::Record,
                false => near.how,
            };
            let place = match how {
                How::Record => Place::Vpc,
                _ => Place::Unknown,
            };
            return (Found::unknown(how, place, near.told), Range32::ALWAYS);
        };
        let interface = self.interface(shard, near.interface);
        let how = match interface {
            Some(_) => How::Interface,
            None => How::Record,
        };
        let found = Found {
            shard,
            vpc: near.vpc,
            subnet: near.subnet,
            interface: near.interface,
            ..Found::unknown(how, Place::Vpc, near.told)
        };
        match interface {
            Some(interface) => {
                self.aged(found, &interface, interface.tenure, time, Range32::ALWAYS)
            }
            None => (found, Range32::ALWAYS),
        }
    }

    pub fn interface(&self, shard: u16, row: u32) -> Option<InterfaceRow> {
        self.shard(shard)?.file().follow(link(row))
    }

    /// The interface that was found, and the shard it is in.
    pub fn place_of(&self, found: &Found) -> Option<(&Arc<Shard>, InterfaceRow)> {
        let shard = self.shard(found.shard)?;
        Some((shard, shard.file().follow(link(found.interface))?))
    }

    /// Marks what may not be so any more, and limits how long the answer holds.
    fn aged(
        &self,
        found: Found,
        interface: &InterfaceRow,
        tenure: Tenure,
        time: u32,
        valid: Range32,
    ) -> Timed {
        let collected = self.shard(found.shard).and_then(|shard| shard.unit());
        let collected = collected.map_or(0, |unit| unit.collected);
        // From when on it is not sure any more.
        let mut doubtful = collected.saturating_add(self.max_age).saturating_add(1);
        if interface.stale != 0 {
            doubtful = doubtful.min(interface.stale.saturating_add(1));
        }
        if !tenure.is_present() {
            doubtful = doubtful.min(tenure.seen.saturating_add(1));
        }
        let stale = time >= doubtful;
        let part = match stale {
            true => Range32 {
                from: doubtful,
                to: u32::MAX,
            },
            false => Range32 {
                from: 0,
                to: doubtful.saturating_sub(1),
            },
        };
        let found = Found {
            status: if stale { Status::Stale } else { found.status },
            seen: if tenure.is_present() { 0 } else { tenure.seen },
            ..found
        };
        (found, valid.and(part))
    }

    /// Who has an address in a VPC, as one shard sees it; or the times at which it knows no more than the VPC.
    fn in_vpc(
        &self,
        shard: u16,
        vpc: u32,
        address: IpAddr,
        time: u32,
        how: How,
    ) -> Result<Timed, Range32> {
        let valid = match self.held(shard, vpc, address, time, how) {
            Ok(held) => return Ok(held),
            Err(valid) => valid,
        };
        let file = self.shard(shard).ok_or(valid)?;
        let (subnet, _) = file.subnet_at(vpc, address).ok_or(valid)?;
        let how = match how {
            How::Address => How::Subnet,
            how => how,
        };
        let found = Found {
            shard,
            vpc,
            subnet,
            ..Found::unknown(how, Place::Vpc, 0)
        };
        Ok((found, valid))
    }

    /// The interface that has an address in a VPC, as one shard sees it; or the times at which none is known to.
    fn held(
        &self,
        shard: u16,
        vpc: u32,
        address: IpAddr,
        time: u32,
        how: How,
    ) -> Result<Timed, Range32> {
        let file = self.shard(shard).ok_or(Range32::ALWAYS)?;
        let (row, tenure, range) = match file.holder(vpc, address, time) {
            Holder::Interface(row, tenure, range) => (row, tenure, range),
            Holder::NotThen(range) => return Err(range),
            Holder::Nobody => return Err(Range32::ALWAYS),
        };
        let interface = self.interface(shard, row).ok_or(range)?;
        let found = Found {
            shard,
            vpc,
            subnet: or_none(interface.subnet),
            interface: row,
            ..Found::unknown(how, Place::Vpc, 0)
        };
        Ok(self.aged(found, &interface, tenure, time, range))
    }

    /// Who has an address in a VPC, as all who see it know: its owner and those that share it. Or the times at which
    /// none of them knows more than `first`.
    ///
    /// Each view that is asked limits how long the answer holds: at other times it may know the interface.
    fn in_any(
        &mut self,
        vpc: &str,
        first: Option<(u16, u32)>,
        address: IpAddr,
        time: u32,
        how: How,
    ) -> Result<Timed, Range32> {
        let mut coarse = None;
        let mut valid = Range32::ALWAYS;
        if let Some((shard, row)) = first {
            match self.in_vpc(shard, row, address, time, how) {
                Ok(found) if found.0.interface != NONE => return Ok(found),
                Ok((found, then)) => (coarse, valid) = (Some(found), then),
                Err(then) => valid = then,
            }
        }
        let views = match self.views.get(vpc) {
            Some(views) => Arc::clone(views),
            None => self.find_views(vpc),
        };
        for (shard, row) in views.iter().copied() {
            if first.is_some_and(|(first, _)| first == shard) {
                continue;
            }
            let (found, then) = match self.in_vpc(shard, row, address, time, how) {
                Ok((found, then)) if found.interface != NONE => {
                    return Ok((found, valid.and(then)));
                }
                Ok(found) => found,
                Err(then) => {
                    let how = if how == How::Address { How::Vpc } else { how };
                    let found = Found {
                        shard,
                        vpc: row,
                        ..Found::unknown(how, Place::Vpc, 0)
                    };
                    (found, then)
                }
            };
            coarse = coarse.or(Some(found));
            valid = valid.and(then);
        }
        coarse.map(|found| (found, valid)).ok_or(valid)
    }

    #[cold]
    fn find_views(&mut self, vpc: &str) -> Views {
        let units = match self.directory.ready() {
            Some(directory) => viewers(directory, vpc),
            None => Vec::new(),
        };
        let mut views = Vec::new();
        for (account, region) in units {
            let shard = self.unit(&account, &region);
            let row = self.shard(shard).and_then(|file| file.vpc(vpc));
            views.extend(row.map(|(row, _)| (shard, row)));
        }
        let views = Views::from(views);
        self.views.insert(vpc.into(), Arc::clone(&views));
        views
    }

    /// Who has an address in a VPC of that id; where nobody collects the VPC, at least the VPC.
    pub fn in_vpc_of(
        &mut self,
        vpc: &str,
        owner: Option<&str>,
        region: Option<&str>,
        address: IpAddr,
        time: u32,
        how: How,
    ) -> Timed {
        self.in_any(vpc, None, address, time, how)
            .unwrap_or_else(|valid| {
                let told = self.tell(Told {
                    vpc_id: Some(vpc.into()),
                    account_id: owner.map(Into::into),
                    region: region.map(Into::into),
                    ..Told::default()
                });
                (Found::unknown(how, Place::Vpc, told), valid)
            })
    }

    /// The route of the subnet that a flow was logged in.
    pub fn route(&self, near: &Near, address: IpAddr) -> Option<RouteRow> {
        self.route_of(near.shard?, near.subnet, address)
    }

    fn route_of(&self, shard: u16, subnet: u32, address: IpAddr) -> Option<RouteRow> {
        let shard = self.shard(shard)?;
        let subnet: SubnetRow = shard.file().follow(link(subnet))?;
        let route = shard.route(subnet.table, address)?;
        (!route.blackhole).then_some(route)
    }

    /// What of a place decides on what can be reached from there: the VPC and the subnet's route table, which
    /// stands in for the subnet; not the interface itself.
    pub fn place_on_ground(&self, near: &Near) -> Near {
        let shard = near.shard.and_then(|shard| self.shard(shard));
        let subnet = shard.and_then(|s| s.file().follow::<SubnetRow>(link(near.subnet)));
        let carries = near.kind == InterfaceKind::TransitGateway;
        Near {
            interface: NONE,
            told: 0,
            subnet: subnet.map_or(NONE, |subnet| or_none(subnet.table)),
            kind: match carries {
                true => near.kind,
                false => InterfaceKind::Unknown,
            },
            public: false,
            ..*near
        }
    }

    /// The blocks of the VPC and the routes of the subnet that a flow was logged in.
    pub fn ground(&self, near: &Near) -> (Vec<Block>, Vec<RouteRow>) {
        let Some(shard) = near.shard.and_then(|shard| self.shard(shard)) else {
            return (Vec::new(), Vec::new());
        };
        let subnet = shard.file().follow::<SubnetRow>(link(near.subnet));
        let routes = subnet.map(|subnet| shard.routes(subnet.table).collect());
        let blocks = shard.vpc_blocks(near.vpc).collect();
        (blocks, routes.unwrap_or_default())
    }

    fn has_routes(&self, shard: u16, subnet: u32) -> bool {
        let file = self.shard(shard);
        let row = file.and_then(|file| file.file().follow::<SubnetRow>(link(subnet)));
        row.is_some_and(|row| row.table.row().is_some())
    }

    /// Who has an address, seen from where a flow was logged. `service` is what the record says of it.
    pub fn far(&mut self, near: &Near, address: IpAddr, time: u32, service: Option<&str>) -> Timed {
        let (Some(shard), true) = (near.shard, near.vpc != NONE) else {
            return match is_public(address) {
                true => self.public(None, address, time, service),
                false => (Found::unknown(near.how, Place::Unknown, 0), Range32::ALWAYS),
            };
        };
        let Some(file) = self.shard(shard).cloned() else {
            return (Found::unknown(near.how, Place::Unknown, 0), Range32::ALWAYS);
        };
        let vpc: Option<VpcRow> = file.file().follow(link(near.vpc));
        let vpc = vpc.and_then(|row| file.file().text(row.id));
        let vpc = vpc.unwrap_or_default();
        if file.vpc_contains(near.vpc, address) == Some(true)
            || file.subnet_at(near.vpc, address).is_some()
        {
            let found = self.in_any(vpc, Some((shard, near.vpc)), address, time, How::Address);
            return found.unwrap_or_else(|valid| {
                let found = Found {
                    shard,
                    vpc: near.vpc,
                    ..Found::unknown(How::Vpc, Place::Vpc, 0)
                };
                (found, valid)
            });
        }
        // Even where no block is known, an interface may have the address.
        let valid = match self.held(shard, near.vpc, address, time, How::Address) {
            Ok(found) => return found,
            Err(valid) => valid,
        };
        let (found, then) = self.outside(near, (shard, &file), vpc, address, time, service);
        (found, valid.and(then))
    }

    /// Who has an address that nobody in the VPC of the log has, as its routes lead there.
    fn outside(
        &mut self,
        near: &Near,
        (shard, file): (u16, &Shard),
        vpc: &str,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> Timed {
        if near.kind == InterfaceKind::TransitGateway
            && let Some(found) = self.behind_gateway_of(vpc, shard, address, time, service)
        {
            return found;
        }
        let mut subnet = near.subnet;
        if !self.has_routes(shard, subnet) {
            return self.by_reach(shard, vpc, address, time, service);
        }
        for _ in 0..MAX_DETOURS {
            let Some(route) = self.route_of(shard, subnet, address) else {
                break;
            };
            let id = file.file().text(route.gateway).unwrap_or_default();
            let gateway_name = || file.gateway(id).and_then(|row| file.file().text(row.name));
            match GatewayKind::of(route.kind) {
                GatewayKind::Peering => return self.peer(id, vpc, address, time),
                GatewayKind::Transit => {
                    let beyond = self.transit_from(id, vpc, address);
                    let how = How::TransitGateway;
                    return self.beyond(beyond, how, shard, vpc, Some(id), address, time, service);
                }
                GatewayKind::CoreNetwork => {
                    // Routes name it by its ARN, attachments by its id.
                    let id = id.rsplit('/').next().unwrap_or_default();
                    let beyond = self.transit_from(id, vpc, address);
                    let how = How::CoreNetwork;
                    return self.beyond(beyond, how, shard, vpc, Some(id), address, time, service);
                }
                // A private NAT gateway goes on by its own subnet's routes.
                GatewayKind::Nat if !is_public(address) => {
                    let next = file.gateway(id).and_then(|gateway| gateway.subnet.row());
                    match next {
                        Some(next) if next != subnet => subnet = next,
                        _ => break,
                    }
                }
                GatewayKind::VirtualPrivate => {
                    let hybrid = self.hybrid(id);
                    return self.on_premises(hybrid, "virtual-private-gateway", id, gateway_name());
                }
                GatewayKind::LocalGateway => {
                    return self.on_premises(Hybrid::Either, "local-gateway", id, gateway_name());
                }
                GatewayKind::GatewayEndpoint => {
                    let service = service.map(str::to_owned).or_else(|| {
                        let endpoint = file.gateway(id)?;
                        let name = file.file().text(endpoint.service)?;
                        Some(service_code(name))
                    });
                    return self.public(Some(shard), address, time, service.as_deref());
                }
                GatewayKind::Firewall | GatewayKind::LoadBalancerEndpoint => {
                    let next = file.gateway(id).and_then(|gateway| gateway.subnet.row());
                    match next {
                        Some(next) if next != subnet => subnet = next,
                        _ => break,
                    }
                }
                GatewayKind::Interface => {
                    let next = file.interface(id.as_bytes());
                    match next.and_then(|(_, interface)| interface.subnet.row()) {
                        Some(next) if next != subnet => subnet = next,
                        _ => break,
                    }
                }
                _ => break,
            }
        }
        match is_public(address) {
            true => self.public(Some(shard), address, time, service),
            false => self.listed(shard, address, How::UnknownAddress),
        }
    }

    /// A private address that nobody has, or a prefix list of one's own that names it.
    fn listed(&mut self, shard: u16, address: IpAddr, how: How) -> Timed {
        let told = self.list_at(shard, address).map(|(told, _)| told);
        let found = match told {
            Some(told) => {
                let told = self.tell(told);
                Found::unknown(How::PrefixList, Place::Unknown, told)
            }
            None => Found::unknown(how, Place::Unknown, 0),
        };
        (found, Range32::ALWAYS)
    }

    /// The prefix list that names an address, and whether it is AWS's.
    fn list_at(&self, shard: u16, address: IpAddr) -> Option<(Told, bool)> {
        let shard = self.shard(shard)?;
        let list = shard.prefix_list(address)?;
        let text = |text: Text| shard.file().text(text).map(Into::into);
        let told = Told {
            resource_type: Some("prefix-list".into()),
            resource_id: text(list.id),
            resource_name: text(list.name),
            ..Told::default()
        };
        Some((told, shard.file().text(list.account) == Some("AWS")))
    }

    /// In the VPC at the other end of a peering connection.
    fn peer(&mut self, id: &str, vpc: &str, address: IpAddr, time: u32) -> Timed {
        let end = self.directory.ready().and_then(|directory| {
            let text = |text: Text| directory.file().text(text).map(str::to_owned);
            other_end(&directory.peering(id)?, vpc, text)
        });
        match end {
            // Peering leads to the other VPC only, not through it.
            Some((vpc, ..)) if !self.vpc_has(&vpc, address) => self.anywhere(address, time, None),
            Some((vpc, account, region)) => self.in_vpc_of(
                &vpc,
                account.as_deref(),
                region.as_deref(),
                address,
                time,
                How::Peering,
            ),
            None => {
                let told = self.tell(Told {
                    resource_type: Some("peering-connection".into()),
                    resource_id: Some(id.into()),
                    ..Told::default()
                });
                let how = match &self.directory {
                    Loaded::Ready(_) => How::UnknownVpc,
                    other => other.how(),
                };
                (Found::unknown(how, Place::Unknown, told), Range32::ALWAYS)
            }
        }
    }

    fn on_premises(&mut self, hybrid: Hybrid, kind: &str, id: &str, name: Option<&str>) -> Timed {
        let told = self.tell(Told {
            resource_type: Some(kind.into()),
            resource_id: Some(id.into()),
            resource_name: name.map(Into::into),
            ..Told::default()
        });
        let how = match hybrid {
            Hybrid::Vpn => How::Vpn,
            Hybrid::DirectConnect => How::DirectConnect,
            Hybrid::Either => How::Hybrid,
        };
        let found = Found::unknown(how, Place::OnPremises(hybrid), told);
        (found, Range32::ALWAYS)
    }

    /// What leads on-premises from a virtual private gateway.
    pub fn hybrid(&self, gateway: &str) -> Hybrid {
        let directory = self.directory.ready();
        match directory.map(|directory| directory.hybrid(gateway)) {
            Some((true, false)) => Hybrid::Vpn,
            Some((false, true)) => Hybrid::DirectConnect,
            _ => Hybrid::Either,
        }
    }

    /// A public address: one's own, a service's, a listed one, or anybody's. `shard` is whose prefix lists count.
    fn public(
        &mut self,
        shard: Option<u16>,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> Timed {
        let mut valid = Range32::ALWAYS;
        if let Some(found) = self.own_public(address, time, &mut valid) {
            return found;
        }
        if let Some(vpc) = self.vpc_of_v6(address) {
            let how = How::PublicAddress;
            let (found, then) = self.in_vpc_of(&vpc, None, None, address, time, how);
            return (found, valid.and(then));
        }
        let mut told = Told::default();
        if let Some(geography) = &self.geography {
            let place = geography.lookup(address);
            told.country = place.country.map(Into::into);
            told.asn = place.asn;
            told.as_org = place.as_org.map(Into::into);
        }
        let list = shard.and_then(|shard| self.list_at(shard, address));
        if let Some((list, false)) = &list {
            let told = self.tell(Told {
                country: told.country,
                asn: told.asn,
                as_org: told.as_org,
                ..list.clone()
            });
            return (Found::unknown(How::PrefixList, Place::Public, told), valid);
        }
        let range = self
            .ranges
            .as_ref()
            .and_then(|ranges| ranges.lookup(address));
        let service = service.map(str::to_owned).or_else(|| {
            let range = range.as_ref().map(|range| range.service.to_owned());
            // Without other means, AWS's own list tells the service: com.amazonaws.us-east-1.s3.
            range.or_else(|| Some(service_code(list.as_ref()?.0.resource_name.as_deref()?)))
        });
        told.service_region = range.map(|range| range.region.into());
        let (how, place) = match &service {
            Some(_) => (How::AwsService, Place::AwsService),
            None => (How::Public, Place::Public),
        };
        told.service = service.map(Into::into);
        let told = self.tell(told);
        (Found::unknown(how, place, told), valid)
    }

    /// The one VPC that has an IPv6 address, which means the same everywhere.
    fn vpc_of_v6(&self, address: IpAddr) -> Option<String> {
        if address.is_ipv4() {
            return None;
        }
        let directory = self.directory.ready()?;
        let bits = bits(address);
        let blocks = directory.file().rows::<PlacedBlockRow>();
        let mut having = blocks.iter().filter(|row| row.block.contains(bits));
        let first = directory.file().text(having.next()?.vpc)?;
        let same = having.all(|row| directory.file().text(row.vpc) == Some(first));
        same.then(|| first.to_owned())
    }

    /// A public address of an account that is collected.
    fn own_public(&mut self, address: IpAddr, time: u32, valid: &mut Range32) -> Option<Timed> {
        let directory = Arc::clone(self.directory.ready()?);
        let text = |text: Text| directory.file().text(text);
        let mut others = None;
        for row in directory.public(address) {
            let (Some(account), Some(region)) = (text(row.by.account), text(row.by.region)) else {
                continue;
            };
            let shard = self.unit(account, region);
            let held = self
                .shard(shard)
                .map(|shard| shard.public_holder(address, time));
            match held {
                Some(Holder::Interface(interface, tenure, range)) => {
                    let row = self.interface(shard, interface)?;
                    let found = Found {
                        shard,
                        vpc: or_none(row.vpc),
                        subnet: or_none(row.subnet),
                        interface,
                        ..Found::unknown(How::PublicAddress, Place::OwnPublic, 0)
                    };
                    return Some(self.aged(found, &row, tenure, time, valid.and(range)));
                }
                // It was somebody else's then: public addresses go from customer to customer.
                Some(Holder::NotThen(range)) => *valid = valid.and(range),
                Some(Holder::Nobody) | None => {
                    let holder = text(row.holder);
                    // A regional NAT gateway has addresses and no interface.
                    let file = self.shard(shard);
                    let gateway = holder.and_then(|id| file?.gateway(id));
                    let vpc = gateway.map_or(NONE, |gateway| or_none(gateway.vpc));
                    let told = Told {
                        account_id: Some(account.into()),
                        region: Some(region.into()),
                        resource_type: holder.map(|_| "regional-nat-gateway".into()),
                        resource_id: holder.map(Into::into),
                        ..Told::default()
                    };
                    others = Some((shard, vpc, told));
                }
            }
        }
        let (shard, vpc, told) = others?;
        let told = self.tell(told);
        let found = Found {
            shard: if vpc == NONE { NO_SHARD } else { shard },
            vpc,
            ..Found::unknown(How::PublicAddress, Place::OwnPublic, told)
        };
        Some((found, *valid))
    }

    /// What was found, with what is told of it beside.
    pub fn told_side(&self, found: Found, told: u32) -> Found {
        let (how, place) = match found.status {
            Status::Miss => (How::Record, Place::Vpc),
            _ => (found.how, found.place),
        };
        Found {
            status: match found.status {
                Status::Miss => Status::Hit,
                status => status,
            },
            how,
            place,
            told,
            ..found
        }
    }

    /// Which way packets went, where only one of the addresses is in the VPC, or in the subnet, of the log.
    pub fn inside(
        &self,
        near: &Near,
        source: IpAddr,
        destination: IpAddr,
    ) -> Option<FlowDirection> {
        let shard = self.shard(near.shard?)?;
        let one = |has: &dyn Fn(IpAddr) -> bool| match (has(source), has(destination)) {
            (true, false) => Some(FlowDirection::Egress),
            (false, true) => Some(FlowDirection::Ingress),
            _ => None,
        };
        one(&|address| shard.vpc_contains(near.vpc, address) == Some(true)).or_else(|| {
            one(&|address| {
                let subnet = shard.subnet_at(near.vpc, address);
                subnet.is_some_and(|(subnet, _)| subnet == near.subnet)
            })
        })
    }

    /// The interface of the gateway or endpoint that the route to an address leads to.
    pub fn hop_of_route(&mut self, near: &Near, address: IpAddr) -> Option<Found> {
        let route = self.route(near, address)?;
        let place = near.shard?;
        let shard = Arc::clone(self.shard(place)?);
        let id = shard.file().text(route.gateway)?;
        let interface_type = match GatewayKind::of(route.kind) {
            GatewayKind::Nat => "nat_gateway",
            GatewayKind::Firewall | GatewayKind::LoadBalancerEndpoint => {
                "gateway_load_balancer_endpoint"
            }
            GatewayKind::Interface => {
                let (row, interface) = shard.interface(id.as_bytes())?;
                return Some(Found {
                    shard: place,
                    vpc: near.vpc,
                    subnet: or_none(interface.subnet),
                    interface: row,
                    ..Found::unknown(How::Address, Place::Vpc, 0)
                });
            }
            _ => return None,
        };
        let gateway = shard.gateway(id)?;
        // A regional NAT gateway has no subnet.
        let resource_type = match (GatewayKind::of(route.kind), gateway.subnet.row()) {
            (GatewayKind::Nat, None) => Some("regional-nat-gateway"),
            (GatewayKind::Firewall, _) => Some("firewall-endpoint"),
            _ => None,
        };
        let told = self.tell(Told {
            interface_type: Some(interface_type.into()),
            resource_type: resource_type.map(Into::into),
            ..Told::default()
        });
        Some(Found {
            shard: place,
            vpc: near.vpc,
            subnet: or_none(gateway.subnet),
            ..Found::unknown(How::Record, Place::Vpc, told)
        })
    }

    /// Whether a block of a VPC contains an address; true where its blocks are not known.
    pub fn vpc_has(&self, vpc: &str, address: IpAddr) -> bool {
        let Some(directory) = self.directory.ready() else {
            return true;
        };
        let mut blocks = directory.blocks(vpc).peekable();
        let bits = bits(address);
        blocks.peek().is_none() || blocks.any(|block| block.contains(bits))
    }

    /// Whether an address may be of a VPC: where its blocks are not known, public ones of IPv4 are not expected.
    pub fn may_have(&self, vpc: &str, address: IpAddr) -> bool {
        let bits = bits(address);
        let has = |directory: &Arc<Directory>| directory.blocks(vpc).any(|b| b.contains(bits));
        match is_public(address) && address.is_ipv4() {
            true => self.directory.ready().is_some_and(has),
            false => self.vpc_has(vpc, address),
        }
    }

    /// An address of which no place is known to look from.
    pub fn anywhere(&mut self, address: IpAddr, time: u32, service: Option<&str>) -> Timed {
        match is_public(address) {
            true => self.public(None, address, time, service),
            false => {
                let found = Found::unknown(How::UnknownAddress, Place::Unknown, 0);
                (found, Range32::ALWAYS)
            }
        }
    }
}

/// The accounts and regions that see a VPC, its owner first.
fn viewers(directory: &Directory, vpc: &str) -> Vec<(String, String)> {
    let text = |text: Text| directory.file().text(text).map(str::to_owned);
    let rows = directory.vpcs(vpc);
    rows.filter_map(|row| Some((text(row.by.account)?, text(row.by.region)?)))
        .collect()
}

/// A service's code as `pkt-dst-aws-service` has it, from the name of its endpoint or prefix list.
fn service_code(name: &str) -> String {
    let code = name.rsplit('.').next().unwrap_or(name);
    code.to_uppercase().replace('-', "_")
}
