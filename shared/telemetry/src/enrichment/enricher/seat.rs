//! Where records were logged, and who has an address as seen from there.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;

use super::Enricher;
use super::memo::Mixer;
use crate::enrichment::resolution::{Found, NONE, Near, Told, is_public};
use crate::enrichment::transfer::InterfaceKind;
use crate::flow::field::Field;
use crate::flow::layout::{FlowLogKind, Layout};
use crate::flow::record::FlowRecord;
use crate::index::format::{Block, bits};
use crate::index::shard::{GatewayKind, Range32};

/// Where records were logged, once for all records whose columns say the same of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) near: Near,
    pub(super) own: Found,
    pub(super) own_number: u32,
    /// When `own` holds.
    pub(super) valid: Range32,
    /// Number of the ground it stands on.
    pub(super) ground: u32,
    /// Number of what logged it.
    pub(super) device: u32,
    /// The address that it was seen to have: most records show it again.
    pub(super) address: Option<IpAddr>,
}

/// A VPC and a route table: what decides on who can be reached. It is read out of the index once, since every
/// record asks for it.
#[derive(Debug)]
pub(super) struct Ground {
    /// Blocks of the VPC.
    blocks: Vec<Block>,
    /// The routes, longest first.
    routes: Vec<Way>,
    /// Numbers of places that answers hold for: the VPC for its own addresses, the shard for public ones, the
    /// route table for all others.
    inside: u32,
    public: u32,
    here: u32,
}

/// A route, and the interface of its gateway.
#[derive(Debug, Clone, Copy)]
struct Way {
    block: Block,
    kind: u32,
    gateway: u32,
    blackhole: bool,
    /// The number of the side that the gateway's interface is; `None` until it is asked for.
    hop: Option<u32>,
}

/// Who has an address, as seen from a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    address: u128,
    place: u32,
    service: u32,
    /// When it holds.
    valid: Range32,
    /// The side's number.
    pub number: u32,
}

/// Addresses that are kept: few ends take most of the traffic. The table grows while it is too small, so that a
/// small object does not pay for a large one.
#[derive(Debug, Default)]
pub(super) struct ReachedTable {
    slots: Vec<Option<Reached>>,
    missed: usize,
}

/// Slots of a table to begin with, and at most; powers of two.
const FEWEST_SLOTS: usize = 1 << 10;
const MOST_SLOTS: usize = 1 << 17;

impl ReachedTable {
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.missed = 0;
    }

    #[inline]
    fn slot(&self, address: u128, place: u32, service: u32) -> usize {
        let mut hash = Mixer::default();
        hash.write_u128(address);
        hash.write_u32(place ^ service.rotate_left(16));
        hash.finish() as usize & (self.slots.len().wrapping_sub(1))
    }

    #[inline]
    fn get(&self, address: u128, place: u32, service: u32, time: u32) -> Option<u32> {
        let slot = self.slots.get(self.slot(address, place, service))?;
        let reached = slot.as_ref().filter(|reached| {
            reached.address == address && reached.place == place && reached.service == service
        })?;
        reached.valid.contains(time).then_some(reached.number)
    }

    fn put(&mut self, reached: Reached) {
        self.missed += 1;
        if self.missed > self.slots.len() && self.slots.len() < MOST_SLOTS {
            let size = (self.slots.len() * 4).clamp(FEWEST_SLOTS, MOST_SLOTS);
            let before = std::mem::replace(&mut self.slots, vec![None; size]);
            self.missed = 0;
            for reached in before.into_iter().flatten() {
                self.set(reached);
            }
        }
        self.set(reached);
    }

    fn set(&mut self, reached: Reached) {
        let slot = self.slot(reached.address, reached.place, reached.service);
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = Some(reached);
        }
    }
}

/// Which columns of a layout say where a record was logged: runs of columns that stand side by side.
pub(super) struct Plan {
    pub(super) layout: Arc<Layout>,
    pub(super) kind: FlowLogKind,
    pub(super) runs: Vec<(usize, usize)>,
    pub(super) start: Option<usize>,
    pub(super) bytes: Option<usize>,
    pub(super) protocol: Option<usize>,
    pub(super) tcp_flags: Option<usize>,
    pub(super) source: Option<usize>,
    pub(super) destination: Option<usize>,
    pub(super) packet_source: Option<usize>,
    pub(super) packet_destination: Option<usize>,
    /// Whether the layout tells next hops, which takes a look at each record.
    pub(super) next_hops: bool,
}

/// The columns that do.
pub(super) const OF_THE_SEAT: &[Field] = &[
    Field::AccountId,
    Field::InterfaceId,
    Field::VpcId,
    Field::SubnetId,
    Field::InstanceId,
    Field::Region,
    Field::AzId,
    Field::InterfaceType,
    Field::ResourceId,
    Field::EcsTaskArn,
    Field::EcsTaskId,
    Field::EcsServiceName,
    Field::EcsClusterName,
];

impl Plan {
    pub(super) fn new(layout: &Arc<Layout>) -> Plan {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (place, column) in layout.columns().iter().enumerate() {
            if !column
                .field
                .is_some_and(|field| OF_THE_SEAT.contains(&field))
            {
                continue;
            }
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == place => *last = place,
                _ => runs.push((place, place)),
            }
        }
        Plan {
            kind: layout.kind(),
            runs,
            start: layout.place(Field::Start),
            bytes: layout.place(Field::Bytes),
            protocol: layout.place(Field::Protocol),
            tcp_flags: layout.place(Field::TcpFlags),
            source: layout.place(Field::Srcaddr),
            destination: layout.place(Field::Dstaddr),
            packet_source: layout.place(Field::PktSrcaddr),
            packet_destination: layout.place(Field::PktDstaddr),
            next_hops: layout.place(Field::NextHopInterfaceId).is_some(),
            layout: Arc::clone(layout),
        }
    }
}

impl Enricher {
    /// Where a record of a VPC flow log was logged.
    #[inline]
    pub(super) fn seat(&mut self, flow: &FlowRecord<'_>, time: u32) -> Seat {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        if let Some(plan) = &self.plan {
            let (cells, buffer) = (flow.cells(), flow.buffer());
            for (first, last) in &plan.runs {
                if let (Some(first), Some(last)) = (cells.get(*first), cells.get(*last)) {
                    let run = buffer.get(first.span().start..last.span().end);
                    key.extend_from_slice(run.unwrap_or_default());
                    key.push(b'\n');
                }
            }
        }
        // Records of an interface come in bursts.
        let last = self.last_seat.1.filter(|seat| seat.valid.contains(time));
        let seat = match last.filter(|_| self.last_seat.0 == key) {
            Some(seat) => seat,
            None => {
                let known = self.seats.get(&*key).copied();
                let seat = match known.filter(|seat| seat.valid.contains(time)) {
                    Some(seat) => seat,
                    None => {
                        let seat = self.find_seat(flow, time);
                        self.seats.insert(key.as_slice().into(), seat);
                        seat
                    }
                };
                std::mem::swap(&mut self.last_seat.0, &mut key);
                self.last_seat.1 = Some(seat);
                seat
            }
        };
        self.key = key;
        seat
    }

    #[cold]
    #[inline(never)]
    fn find_seat(&mut self, flow: &FlowRecord<'_>, time: u32) -> Seat {
        let text = |field| flow.text(field);
        let account = text(Field::AccountId).filter(|id| *id != "unknown");
        let hint = self.origin.clone();
        let region = text(Field::Region).or(hint.region.as_deref());
        let told = self.resolver.tell(told_by(flow, account));
        let near = self.resolver.near(
            account.or(hint.account.as_deref()),
            region,
            text(Field::InterfaceId),
            told,
        );
        let (own, valid) = self.resolver.own(&near, time);
        let own_number = self.number(own);
        let device = self.device(self.side(own_number), &near);
        Seat {
            near,
            own,
            own_number,
            valid,
            ground: self.ground(&near),
            device: self.devices.number(device),
            address: None,
        }
    }

    /// The ground that a seat stands on.
    fn ground(&mut self, near: &Near) -> u32 {
        let place = self.resolver.place_on_ground(near);
        if let Some(number) = self.ground_numbers.get(&place) {
            return *number;
        }
        let shard = near.shard.unwrap_or(u16::MAX);
        let (blocks, routes) = self.resolver.ground(near);
        let ground = Ground {
            blocks,
            routes: routes
                .into_iter()
                .map(|route| Way {
                    block: route.block,
                    kind: route.kind,
                    gateway: route.gateway.word(),
                    blackhole: route.blackhole,
                    hop: None,
                })
                .collect(),
            // Seen from a transit gateway's interface, not the routes of the VPC decide.
            inside: self
                .places
                .number((0, shard, near.vpc, NONE, place.without_table())),
            public: self.places.number((1, shard, NONE, NONE, place.nowhere())),
            here: self.places.number((2, shard, near.vpc, near.subnet, place)),
        };
        let number = self.grounds.len() as u32;
        self.grounds.push(ground);
        self.ground_numbers.insert(place, number);
        number
    }

    /// The route that decides for an address, and the place that answers about it hold for.
    #[inline]
    fn way(&self, seat: &Seat, address: u128, ip: IpAddr) -> (u32, Option<usize>) {
        let Some(ground) = self.grounds.get(seat.ground as usize) else {
            return (NONE, None);
        };
        let mut ways = ground.routes.iter();
        let way = ways.position(|way| way.block.contains(address));
        if ground.blocks.iter().any(|block| block.contains(address)) {
            return (ground.inside, way);
        }
        let out = [
            GatewayKind::Internet as u32,
            GatewayKind::Nat as u32,
            GatewayKind::EgressOnly as u32,
        ];
        let way_out = way
            .and_then(|way| ground.routes.get(way))
            .is_some_and(|way| out.contains(&way.kind) && !way.blackhole);
        match way_out && is_public(ip) && seat.near.kind != InterfaceKind::TransitGateway {
            true => (ground.public, way),
            false => (ground.here, way),
        }
    }

    /// The gateway of a route to an address, and the number of the side that its interface is.
    #[inline]
    pub(super) fn gateway(
        &mut self,
        seat: &Seat,
        way: Option<usize>,
        address: IpAddr,
    ) -> (Option<(u32, u32)>, u32) {
        let ground = self.grounds.get(seat.ground as usize);
        let Some(found) = way.and_then(|way| ground?.routes.get(way)).copied() else {
            return (None, NONE);
        };
        if found.blackhole {
            return (None, NONE);
        }
        let hop = match found.hop {
            Some(hop) => hop,
            None => {
                let hop = self.resolver.hop_of_route(&seat.near, address);
                let hop = hop.map_or(NONE, |hop| self.number(hop));
                let ground = self.grounds.get_mut(seat.ground as usize);
                if let Some(way) = way.and_then(|way| ground?.routes.get_mut(way)) {
                    way.hop = Some(hop);
                }
                hop
            }
        };
        (Some((found.kind, found.gateway)), hop)
    }

    /// The number of who has an address, as seen from where a record was logged, and the route there.
    #[inline]
    pub(super) fn reach(
        &mut self,
        seat: &Seat,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> (u32, Option<usize>) {
        let service_number = match service {
            None => NONE,
            Some(service) => {
                let known = self.names.known(service);
                known.unwrap_or_else(|| self.names.number(service.into()))
            }
        };
        let address_bits = bits(address);
        let (place, way) = self.way(seat, address_bits, address);
        let known = self.reached.get(address_bits, place, service_number, time);
        let number = match known {
            Some(number) => number,
            None => {
                let reached = self.find_reached(seat, address, time, service);
                self.reached.put(Reached {
                    place,
                    service: service_number,
                    ..reached
                });
                reached.number
            }
        };
        (number, way)
    }

    #[cold]
    #[inline(never)]
    fn find_reached(
        &mut self,
        seat: &Seat,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> Reached {
        let (found, valid) = self.resolver.far(&seat.near, address, time, service);
        Reached {
            address: bits(address),
            place: NONE,
            service: NONE,
            valid,
            number: self.number(found),
        }
    }

    /// Keeps the address that the interface was seen to have.
    pub(super) fn learn(&mut self, address: IpAddr) {
        let (key, Some(seat)) = (&self.last_seat.0, &mut self.last_seat.1) else {
            return;
        };
        seat.address = Some(address);
        if let Some(known) = self.seats.get_mut(&**key) {
            known.address = seat.address;
        }
    }

    /// Whether what was found is the interface that logged the record.
    #[inline]
    pub(super) fn is_own(&self, seat: &Seat, number: u32) -> bool {
        let found = self.founds.get(number as usize);
        found.is_some_and(|found| self.resolver.same_interface(found, &seat.own))
    }
}

/// What the columns of a VPC flow record tell of the interface that logged it.
fn told_by(flow: &FlowRecord<'_>, account: Option<&str>) -> Told {
    let text = |field| flow.text(field).map(Box::<str>::from);
    let mut told = Told {
        account_id: account.map(Into::into),
        region: text(Field::Region),
        az_id: text(Field::AzId),
        vpc_id: text(Field::VpcId),
        subnet_id: text(Field::SubnetId),
        interface_id: text(Field::InterfaceId),
        interface_type: text(Field::InterfaceType),
        instance_id: text(Field::InstanceId),
        ..Told::default()
    };
    if let Some(task) = text(Field::EcsTaskArn).or_else(|| text(Field::EcsTaskId)) {
        told.resource_type = Some("ecs-task".into());
        told.resource_id = Some(task);
        told.resource_name = text(Field::EcsServiceName);
        let cluster = flow.text(Field::EcsClusterName);
        let service = cluster.zip(flow.text(Field::EcsServiceName));
        told.service = service.map(|(cluster, service)| format!("{cluster}/{service}").into());
    } else if let Some(gateway) = text(Field::ResourceId) {
        told.resource_type = Some("regional-nat-gateway".into());
        told.resource_id = Some(gateway);
    }
    told
}
