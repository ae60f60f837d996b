//! Where records were logged, and who has an address as seen from there.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::Enricher;
use super::facts::Standing;
use super::memo::{Mixing, Slots};
use super::plan::Values;
use super::reached::Far;
use crate::enrichment::resolution::{Found, Interface, NONE, Near, Strangers, Told, is_public};
use crate::enrichment::side::How;
use crate::enrichment::transfer::{InterfaceKind, Place};
use crate::flow::field::Field;
use crate::flow::record::FlowRecord;
use crate::index::format::{Block, bits};
use crate::index::shard::{GatewayKind, Range32};

/// Where records were logged, once for all records whose columns say the same of it: what each of them is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    /// Its number among the seats.
    pub(super) number: u32,
    /// The number of the side that the interface is.
    pub(super) own_number: u32,
    /// Which interface that is.
    own: Interface,
    /// When `own_number` holds.
    valid: Range32,
    /// Number of the ground it stands on.
    ground: u32,
    /// Number of what it has to do with facts.
    pub(super) standing: u32,
    /// Whether the interface is in the index.
    pub(super) is_known: bool,
    /// Whether it never had two addresses of one family.
    pub(super) has_one_address: bool,
    /// Whether it is a transit gateway's.
    is_transit: bool,
    /// The number of the place behind it, if it is a transit gateway's: where its attachment leads to; else [`NONE`].
    pub(super) behind: u32,
    /// Whether it is an interface at all.
    pub(super) has_interface: bool,
    /// The address that it was seen to have: most records show it again.
    pub(super) address: Option<IpAddr>,
}

/// Slots of addresses that were asked whether they are an interface's own, at most.
const MOST_OWN: usize = 1 << 14;

/// Seats by their numbers, and by what the columns of records say.
#[derive(Debug, Default)]
pub(super) struct Seats {
    seats: Vec<Seat>,
    nears: Vec<Near>,
    numbers: HashMap<Box<[u8]>, u32, Mixing>,
    /// The columns of the last record.
    last_key: Vec<u8>,
    last: Option<u32>,
    /// Whether the interface of a seat has an address of IPv4, whoever has it by now.
    own: Slots<(u32, u32), bool, MOST_OWN>,
}

impl Seats {
    pub(super) fn clear(&mut self) {
        self.seats.clear();
        self.nears.clear();
        self.numbers.clear();
        self.last = None;
        self.own.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    #[inline]
    pub(super) fn near(&self, number: u32) -> Option<&Near> {
        self.nears.get(number as usize)
    }

    #[inline]
    fn get(&self, number: u32) -> Option<&Seat> {
        self.seats.get(number as usize)
    }

    /// The seat of the last record, if the columns are those of this one. Records of an interface come in bursts.
    #[inline]
    fn same_as_last(&self, runs: &[(usize, usize)], values: Values<'_>) -> Option<&Seat> {
        let mut rest = self.last_key.as_slice();
        for run in runs {
            if let Some(run) = values.run(*run) {
                rest = rest.strip_prefix(run)?.strip_prefix(b"\n")?;
            }
        }
        match rest {
            [] => self.get(self.last?),
            _ => None,
        }
    }
}

/// A VPC and a route table: what decides on who can be reached. It is read out of the index once, since every
/// record asks for it.
#[derive(Debug)]
pub(super) struct Ground {
    /// The routes, longest first.
    routes: Vec<Way>,
    /// What holds for each address.
    lands: Lands,
    /// Numbers of places that answers hold for: the VPC for its own addresses, the shard for public ones, the
    /// route table for others, unless the gateway decides.
    inside: u32,
    public: u32,
    here: u32,
    /// Public addresses of which nothing is known, and the number of the side that each of them is.
    strangers: Option<Arc<Strangers>>,
    stranger: u32,
}

/// What holds from an address on, up to the next one's.
type Step<T, V> = (T, V);

/// What holds for an address, of steps in their order.
#[inline]
fn at<T: Copy + Ord, V: Copy>(steps: &[Step<T, V>], address: T) -> Option<V> {
    let before = steps.partition_point(|(from, _)| *from <= address);
    let (_, holds) = steps.get(before.checked_sub(1)?)?;
    Some(*holds)
}

/// What holds for an address as seen from a ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Land {
    /// The place of the route that decides; `NONE` for none.
    way: u32,
    /// Whether a block of the VPC contains it.
    is_inside: bool,
}

/// What holds from which address on, in the order of addresses. IPv4 has a list of its own: almost all are of it, and
/// few bits are quickly compared.
#[derive(Debug)]
struct Lands {
    ipv4: Vec<Step<u32, Land>>,
    ipv6: Vec<Step<u128, Land>>,
}

impl Lands {
    /// By the blocks of a VPC and those of its routes, the longest of which decides.
    fn new(blocks: &[Block], routes: impl Iterator<Item = Block>) -> Lands {
        let (blocks, routes) = (steps(blocks.iter().copied()), steps(routes));
        let steps = blocks.iter().chain(&routes).map(|(from, _)| *from);
        let mut steps: Vec<u128> = steps.collect();
        steps.sort_unstable();
        steps.dedup();
        let lands = steps.into_iter().map(|from| {
            let land = Land {
                way: at(&routes, from).unwrap_or(NONE),
                is_inside: at(&blocks, from).is_some_and(|place| place != NONE),
            };
            (from, land)
        });
        let (ipv4, ipv6) = lands.partition::<Vec<_>, _>(|(from, _)| Block::IPV4.contains(*from));
        let ipv4 = ipv4.into_iter().map(|(from, land)| (from as u32, land));
        Lands {
            ipv4: ipv4.collect(),
            ipv6,
        }
    }

    #[inline]
    fn at(&self, address: IpAddr) -> Land {
        let land = match address.to_canonical() {
            IpAddr::V4(address) => at(&self.ipv4, address.to_bits()),
            IpAddr::V6(address) => at(&self.ipv6, address.to_bits()),
        };
        land.unwrap_or(Land {
            way: NONE,
            is_inside: false,
        })
    }
}

/// A route, and the interface of its gateway.
#[derive(Debug, Clone, Copy)]
struct Way {
    kind: u32,
    gateway: u32,
    blackhole: bool,
    /// Whether it leads out, so that what answers hold for public addresses hold for all of the shard.
    out: bool,
    /// The number of the side that the gateway's interface is; `None` until it is asked for.
    hop: Option<u32>,
    /// The number of the place that answers hold for: of all that lead there, or of the route table.
    place: u32,
}

/// Where a route of one of these kinds leads to depends on its gateway, not on the route table that it is in.
const BY_GATEWAY: [u32; 6] = [
    GatewayKind::Peering as u32,
    GatewayKind::Transit as u32,
    GatewayKind::CoreNetwork as u32,
    GatewayKind::VirtualPrivate as u32,
    GatewayKind::LocalGateway as u32,
    GatewayKind::GatewayEndpoint as u32,
];

/// What is asked for an address.
enum Question<'g> {
    /// Nothing: it is a stranger's, seen from there.
    Stranger(&'g Ground),
    /// Who has it, seen from the place of that number.
    At(u32),
}

impl Ground {
    /// Whether nothing is known of an address.
    #[inline]
    fn has_stranger(&self, address: u128) -> bool {
        let strangers = self.strangers.as_ref();
        strangers.is_some_and(|strangers| strangers.has(address))
    }
}

/// The place of the longest block that contains an address, where it changes; `NONE` for none. Blocks contain each other
/// or have no address in common. Of equal ones the first counts.
fn steps(blocks: impl Iterator<Item = Block>) -> Vec<Step<u128, u32>> {
    let mut blocks: Vec<(Block, u32)> = blocks.zip(0..).collect();
    // It ends what is around it: a route of IPv6 leads no address of IPv4 anywhere.
    blocks.push((Block::IPV4, NONE));
    blocks.sort_by_key(|(block, place)| (block.base, block.length, Reverse(*place)));
    let mut steps = Vec::new();
    // The blocks that contain the address that is come to: their last addresses.
    let mut around: Vec<(u128, u32)> = Vec::new();
    for next in blocks.into_iter().map(Some).chain([None]) {
        let is_over =
            |(last, _): &mut (u128, u32)| next.is_none_or(|(block, _)| *last < block.base);
        while let Some((last, _)) = around.pop_if(is_over) {
            let place = around.last().map_or(NONE, |(_, place)| *place);
            steps.extend(last.checked_add(1).map(|from| (from, place)));
        }
        if let Some((block, place)) = next {
            steps.push((block.base, place));
            around.push((block.last(), place));
        }
    }
    // Where several begin or end, the last word counts.
    steps.reverse();
    steps.dedup_by_key(|(from, _)| *from);
    steps.reverse();
    steps
}

/// Routes of these kinds lead to the internet.
const WAYS_OUT: [u32; 3] = [
    GatewayKind::Internet as u32,
    GatewayKind::Nat as u32,
    GatewayKind::EgressOnly as u32,
];

impl Enricher {
    /// Where a record of a VPC flow log was logged.
    #[inline]
    pub(super) fn seat(&mut self, flow: &FlowRecord<'_>, time: u32) -> Seat {
        let values = Values::of(flow);
        match self.seats.same_as_last(&self.plan.runs, values) {
            Some(seat) if seat.valid.contains(time) => *seat,
            _ => self.next_seat(flow, time),
        }
    }

    /// The seat of a record that was logged elsewhere than the last one.
    #[inline(never)]
    fn next_seat(&mut self, flow: &FlowRecord<'_>, time: u32) -> Seat {
        let values = Values::of(flow);
        let mut key = std::mem::take(&mut self.seats.last_key);
        key.clear();
        for run in self.plan.runs.iter().filter_map(|run| values.run(*run)) {
            key.extend_from_slice(run);
            key.push(b'\n');
        }
        let number = self.seats.numbers.get(&*key).copied();
        let known = number.and_then(|number| self.seats.get(number).copied());
        let seat = match known {
            Some(seat) if seat.valid.contains(time) => seat,
            _ => {
                let next = self.seats.len() as u32;
                let (seat, near) = self.find_seat(flow, time, number.unwrap_or(next));
                match known {
                    Some(_) => {
                        let place = seat.number as usize;
                        let seats = &mut self.seats;
                        if let (Some(known), Some(known_near)) =
                            (seats.seats.get_mut(place), seats.nears.get_mut(place))
                        {
                            (*known, *known_near) = (seat, near);
                            seats.own.clear();
                        }
                    }
                    None => {
                        self.seats.seats.push(seat);
                        self.seats.nears.push(near);
                        self.seats
                            .numbers
                            .insert(key.as_slice().into(), seat.number);
                    }
                }
                seat
            }
        };
        self.seats.last_key = key;
        self.seats.last = Some(seat.number);
        seat
    }

    #[cold]
    #[inline(never)]
    fn find_seat(&mut self, flow: &FlowRecord<'_>, time: u32, number: u32) -> (Seat, Near) {
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
        let standing = Standing {
            shard: near.shard.unwrap_or(u16::MAX),
            kind: near.kind,
            public: near.public,
            device: self.devices.number(device),
        };
        let seat = Seat {
            number,
            own_number,
            own: own.interface(),
            valid,
            ground: self.ground(&near),
            standing: self.standings.number(standing),
            is_known: near.interface != NONE,
            has_one_address: self.resolver.has_one_address(&near),
            is_transit: near.kind == InterfaceKind::TransitGateway,
            behind: self.place_behind(&near),
            has_interface: near.has_interface(),
            address: None,
        };
        (seat, near)
    }

    /// The number of the place that the attachment of a transit gateway's interface leads to.
    fn place_behind(&mut self, near: &Near) -> u32 {
        match self.resolver.attachment_of(near) {
            Some(_) => {
                let shard = near.shard.unwrap_or(u16::MAX);
                let place = (3, shard, near.interface, NONE, near.nowhere());
                self.places.number(place)
            }
            None => NONE,
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
        let here = (2, shard, near.vpc, near.subnet, place);
        let here = self.places.number(here);
        let mut ways = Vec::new();
        for route in &routes {
            let gateway = route.gateway.word();
            let by_gateway = BY_GATEWAY.contains(&route.kind) && !route.blackhole;
            ways.push(Way {
                kind: route.kind,
                gateway,
                blackhole: route.blackhole,
                out: WAYS_OUT.contains(&route.kind) && !route.blackhole,
                hop: None,
                place: match by_gateway {
                    true => {
                        let there = (4, shard, near.vpc, gateway, place.without_table());
                        self.places.number(there)
                    }
                    false => here,
                },
            });
        }
        let stranger = Found::unknown(How::Public, Place::Public, 0);
        let ground = Ground {
            strangers: self.resolver.strangers(shard),
            stranger: self.number(stranger),
            lands: Lands::new(&blocks, routes.iter().map(|route| route.block)),
            routes: ways,
            // Seen from a transit gateway's interface, not the routes of the VPC decide.
            inside: self
                .places
                .number((0, shard, near.vpc, NONE, place.without_table())),
            public: self.places.number((1, shard, NONE, NONE, place.nowhere())),
            here,
        };
        let number = self.grounds.len() as u32;
        self.grounds.push(ground);
        self.ground_numbers.insert(place, number);
        number
    }

    /// What is asked for an address, or who has it, and the place of the route that decides for it.
    #[inline]
    fn way(&self, seat: &Seat, address: u128, ip: IpAddr) -> (Question<'_>, u32) {
        let Some(ground) = self.grounds.get(seat.ground as usize) else {
            return (Question::At(NONE), NONE);
        };
        let Land { way, is_inside } = ground.lands.at(ip);
        if is_inside {
            return (Question::At(ground.inside), way);
        }
        let found = ground.routes.get(way as usize);
        if !found.is_some_and(|way| way.out) || seat.is_transit || !is_public(ip) {
            return (
                Question::At(found.map_or(ground.here, |way| way.place)),
                way,
            );
        }
        match ground.has_stranger(address) {
            true => (Question::Stranger(ground), way),
            false => (Question::At(ground.public), way),
        }
    }

    /// Kind and gateway of a route to an address, and the number of the side that the gateway's interface is.
    #[inline]
    pub(super) fn gateway(
        &mut self,
        seat: &Seat,
        way: u32,
        address: IpAddr,
    ) -> (Option<(u32, u32)>, u32) {
        let ground = self.grounds.get(seat.ground as usize);
        let found = match ground.and_then(|ground| ground.routes.get(way as usize)) {
            Some(found) if !found.blackhole => found,
            _ => return (None, NONE),
        };
        let route = Some((found.kind, found.gateway));
        match found.hop {
            Some(hop) => (route, hop),
            None => (route, self.find_hop(seat, way, address)),
        }
    }

    #[cold]
    #[inline(never)]
    fn find_hop(&mut self, seat: &Seat, way: u32, address: IpAddr) -> u32 {
        let near = self.seats.near(seat.number).copied();
        let hop = near.and_then(|near| self.resolver.hop_of_route(&near, address));
        let hop = hop.map_or(NONE, |hop| self.number(hop));
        let ground = self.grounds.get_mut(seat.ground as usize);
        if let Some(way) = ground.and_then(|ground| ground.routes.get_mut(way as usize)) {
            way.hop = Some(hop);
        }
        hop
    }

    /// The number of who has an address, as seen from where a record was logged, and the place of the route there.
    #[inline]
    pub(super) fn reach(
        &mut self,
        seat: &Seat,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> (u32, u32) {
        let address_bits = bits(address);
        let (question, way) = self.way(seat, address_bits, address);
        let place = match question {
            Question::Stranger(ground) if service.is_none() => return (ground.stranger, way),
            Question::Stranger(ground) => ground.public,
            Question::At(place) => place,
        };
        let far = Far::new(address_bits, place, self.name_number(service));
        let number = match self.reached.get(&far, time) {
            Some(number) => number,
            None => self.find_reached(seat, far, address, time, service),
        };
        (number, way)
    }

    /// The number of a name; [`NONE`] for none.
    #[inline]
    pub(super) fn name_number(&mut self, name: Option<&str>) -> u32 {
        name.map_or(NONE, |name| {
            let known = self.names.known(name);
            known.unwrap_or_else(|| self.names.number(name.into()))
        })
    }

    /// The number of who has an address behind the transit gateway whose interface logs.
    pub(super) fn reach_behind(
        &mut self,
        seat: &Seat,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> u32 {
        let far = Far::new(bits(address), seat.behind, self.name_number(service));
        if let Some(number) = self.reached.get(&far, time) {
            return number;
        }
        let near = self.seats.near(seat.number);
        let Some(attachment) = near.and_then(|near| self.resolver.attachment_of(near)) else {
            return NONE;
        };
        let resolver = &mut self.resolver;
        let found = resolver.through_attachment(&attachment, None, address, time, service);
        self.keep_reached(far, found)
    }

    /// Whether the interface that logs has an address, whoever has it by now.
    pub(super) fn is_own_address(&mut self, seat: &Seat, address: IpAddr) -> bool {
        if self.is_stranger(seat, address) {
            return false;
        }
        let find = || {
            let near = self.seats.near(seat.number);
            near.is_some_and(|near| self.resolver.is_own(near, address))
        };
        let IpAddr::V4(short) = address else {
            return find();
        };
        let key = (seat.number, short.to_bits());
        if let Some(known) = self.seats.own.get(&key) {
            return *known;
        }
        let is_own = find();
        self.seats.own.put(key, is_own);
        is_own
    }

    /// Whether nothing is known of an address: no interface seen from there has it, or had it.
    fn is_stranger(&self, seat: &Seat, address: IpAddr) -> bool {
        let ground = self.grounds.get(seat.ground as usize);
        ground.is_some_and(|ground| ground.has_stranger(bits(address)))
    }

    #[cold]
    #[inline(never)]
    fn find_reached(
        &mut self,
        seat: &Seat,
        far: Far,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> u32 {
        let Some(near) = self.seats.near(seat.number).copied() else {
            return NONE;
        };
        let found = self.resolver.far(&near, address, time, service);
        self.keep_reached(far, found)
    }

    /// Keeps who has an address, and when that holds; returns the number of the side.
    fn keep_reached(&mut self, far: Far, (found, valid): (Found, Range32)) -> u32 {
        let number = self.number(found);
        self.reached.put(far, valid, number);
        number
    }

    /// Keeps the address that the interface was seen to have.
    pub(super) fn learn(&mut self, seat: &Seat, address: IpAddr) {
        if let Some(seat) = self.seats.seats.get_mut(seat.number as usize) {
            seat.address = Some(address);
        }
    }

    /// Whether what was found is the interface that logged the record.
    #[inline]
    pub(super) fn is_own(&self, seat: &Seat, number: u32) -> bool {
        seat.own.is_some() && self.mark(number).interface == seat.own
    }
}

/// What the columns of a VPC flow record tell of the interface that logged it.
fn told_by(flow: &FlowRecord<'_>, account: Option<&str>) -> Told {
    let text = |field| flow.text(field).map(Arc::<str>::from);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::format::address;
    use crate::inventory::Cidr;
    use proptest::prelude::*;

    /// Blocks of 16 bits in the middle of an address of IPv6, or at the start of one of IPv4, so that many contain each
    /// other or are equal.
    fn block() -> impl Strategy<Value = Block> {
        let ipv6 =
            prop_oneof![Just(0_u32), 56_u32..=72, Just(128)].prop_map(|length| (length, 0, 56));
        let ipv4 = (96_u32..=112).prop_map(|length| (length, Block::IPV4.base, 16));
        (any::<u16>(), prop_oneof![ipv6, ipv4]).prop_map(|(bits, (length, first, shift))| {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            let base = (first | u128::from(bits & 0x0f0f) << shift) & !host;
            Block { base, length }
        })
    }

    #[test]
    fn a_default_route_of_ipv6_is_none_of_ipv4() {
        let block = |cidr: &str| Block::from(cidr.parse::<Cidr>().unwrap());
        let way = |blocks: &[&str], address: &str| {
            let routes = blocks.iter().map(|cidr| block(cidr));
            Lands::new(&[], routes).at(address.parse().unwrap()).way
        };
        assert_eq!(way(&["::/0"], "198.51.100.1"), NONE);
        assert_eq!(way(&["::/0"], "2001:db8::1"), 0);
        let both = ["::/0", "10.0.0.0/8", "0.0.0.0/0"];
        assert_eq!(way(&both, "10.1.2.3"), 1);
        assert_eq!(way(&both, "198.51.100.1"), 2);
        assert_eq!(way(&both, "2001:db8::1"), 0);
        assert!(!block("::/0").contains(bits([198, 51, 100, 1].into())));
        assert!(block("0.0.0.0/0").contains(bits([198, 51, 100, 1].into())));
    }

    proptest! {
        #[test]
        fn lands_tell_what_a_search_finds(
            mut routes in proptest::collection::vec(block(), 0..12),
            blocks in proptest::collection::vec(block(), 0..3),
            addresses in proptest::collection::vec(any::<u16>(), 8),
        ) {
            routes.sort_by_key(|block| Reverse(block.length));
            let lands = Lands::new(&blocks, routes.iter().copied());
            let random = addresses.iter().flat_map(|bits| {
                let bits = u128::from(bits & 0x0f0f);
                [bits << 56, Block::IPV4.base | bits << 16]
            });
            let edges = routes.iter().chain(&blocks).flat_map(|block| {
                let (first, last) = (block.base, block.last());
                [first, last, first.saturating_sub(1), last.saturating_add(1)]
            });
            for bits in random.chain(edges).chain([0, u128::MAX]) {
                let found = routes.iter().position(|block| block.contains(bits));
                let expected = Land {
                    way: found.map_or(NONE, |place| place as u32),
                    is_inside: blocks.iter().any(|block| block.contains(bits)),
                };
                prop_assert_eq!(lands.at(address(bits)), expected, "{:x}", bits);
                prop_assert_eq!(lands.at(IpAddr::V6(bits.into())), expected, "{:x}", bits);
            }
        }
    }
}
