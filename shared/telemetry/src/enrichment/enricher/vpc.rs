//! Records of VPC flow logs.

use std::net::IpAddr;
use std::sync::Arc;

use super::facts::Shown;
use super::plan::{Column, Values};
use super::seat::Seat;
use super::{Enricher, Resolved, nothing};
use crate::enrichment::resolution::{Found, NONE, Told, is_public};
use crate::enrichment::side::How;
use crate::enrichment::transfer::{HopSource, Place};
use crate::flow::field::Field;
use crate::flow::record::{FlowDirection, FlowRecord};

/// One side of a record: who it is about, and how the interface saw it.
#[derive(Debug, Clone, Copy)]
struct End {
    /// As which side the interface itself would be there.
    side: FlowDirection,
    /// The address of who talks.
    talks: Option<IpAddr>,
    /// The address that the interface saw; another one where packets go through a gateway.
    seen: Option<IpAddr>,
    /// The column that tells the service.
    service: Column,
}

impl Enricher {
    /// A record of a VPC flow log.
    #[inline]
    pub(super) fn vpc(&mut self, flow: &FlowRecord<'_>, time: u32) -> Resolved {
        let seat = self.seat(flow, time);
        let (values, columns) = (Values::of(flow), self.plan.columns);
        let source = values.address(columns.source);
        let destination = values.address(columns.destination);
        let direction = match values.text(columns.direction) {
            Some(b"ingress") => Some(FlowDirection::Ingress),
            Some(b"egress") => Some(FlowDirection::Egress),
            _ => self.direction(&seat, source, destination, time),
        };
        // Who talks to whom; the record's other addresses are the hop that the interface saw.
        let sender = End {
            side: FlowDirection::Egress,
            talks: values.address(columns.packet_source).or(source),
            seen: source,
            service: columns.source_service,
        };
        let receiver = End {
            side: FlowDirection::Ingress,
            talks: values.address(columns.packet_destination).or(destination),
            seen: destination,
            service: columns.destination_service,
        };
        let (mut source, way_back) = self.end(&seat, &sender, direction, values, time);
        let (mut destination, way_there) = self.end(&seat, &receiver, direction, values, time);
        let is_ingress = direction == Some(FlowDirection::Ingress);
        let (far, way) = match is_ingress {
            true => (sender, way_back),
            false => (receiver, way_there),
        };
        let (route, gateway) = match far.talks {
            Some(talks) if direction.is_some() && self.asks_facts => {
                self.gateway(&seat, way, talks)
            }
            _ => (None, NONE),
        };
        let mut hop = match (far.talks, far.seen) {
            (Some(talks), Some(seen)) if talks != seen && self.asks_facts => {
                let (number, _) = self.reach(&seat, seen, time, None);
                Some((number, HopSource::Address))
            }
            _ => (gateway != NONE).then_some((gateway, HopSource::Route)),
        };
        if let Some((told, carrier)) = next_hop(flow, values.text(columns.next_hop)) {
            let far_side = match is_ingress {
                true => &mut source,
                false => &mut destination,
            };
            let is_endpoint = told.interface_type.as_deref() == Some("vpc_endpoint");
            let told = self.resolver.tell(told);
            let found = self.founds.get(*far_side as usize).copied();
            // The next hop is the far end itself, where it is within the VPC and nothing is in between.
            let itself = far.talks == far.seen
                && (!carrier || is_endpoint)
                && found.is_some_and(|found| is_inside(found.place));
            if !itself || is_endpoint {
                let found = Found::of_record(told);
                hop = Some((self.number(found), HopSource::Record));
            }
            if let (true, Some(found)) = (itself, found)
                && found.interface == NONE
            {
                let found = self.resolver.told_side(found, told);
                *far_side = self.number(found);
            }
        }
        let rejected = values.text(columns.action) == Some(b"REJECT");
        let facts = match self.asks_facts {
            true => self.facts_of(&Shown {
                source: self.mark(source).class,
                destination: self.mark(destination).class,
                own: self.mark(seat.own_number).class,
                standing: seat.standing,
                direction,
                path: values.octet(columns.traffic_path),
                rejected,
                hop: hop.map(|(number, by)| (self.mark(number).class, by)),
                route,
            }),
            false => NONE,
        };
        Resolved {
            source,
            destination,
            facts,
            seat: seat.number,
            far: match is_ingress {
                true => source,
                false => destination,
            },
            rejected,
        }
    }

    /// The number of a side, and the place of the route there.
    #[inline]
    fn end(
        &mut self,
        seat: &Seat,
        end: &End,
        direction: Option<FlowDirection>,
        values: Values<'_>,
        time: u32,
    ) -> (u32, u32) {
        let Some(address) = end.talks else {
            return (self.number(nothing(How::NoAddress)), NONE);
        };
        if direction.is_none_or(|direction| direction == end.side) {
            // A regional NAT gateway has no interface whose address a record could show.
            let is_own = direction.is_some() && end.talks == end.seen && seat.has_interface;
            if is_own || self.is_own_address(seat, address) {
                return (seat.own_number, NONE);
            }
            // What a transit gateway takes in, or brings, is on its other side.
            if direction.is_some() && end.talks != end.seen && seat.behind != NONE {
                let service = service(values.text(end.service));
                return (self.reach_behind(seat, address, time, service), NONE);
            }
        }
        let service = service(values.text(end.service));
        let (number, way) = self.reach(seat, address, time, service);
        match self.is_own(seat, number) {
            true => (seat.own_number, way),
            false => (number, way),
        }
    }

    /// Which way packets went, by which of the addresses is the interface's.
    #[inline]
    fn direction(
        &mut self,
        seat: &Seat,
        source: Option<IpAddr>,
        destination: Option<IpAddr>,
        time: u32,
    ) -> Option<FlowDirection> {
        let (source, destination) = (source?, destination?);
        let (direction, other) = match seat.address {
            Some(own) if own == source && own != destination => {
                (FlowDirection::Egress, destination)
            }
            Some(own) if own == destination && own != source => (FlowDirection::Ingress, source),
            _ => return self.find_direction(seat, source, destination, time),
        };
        // What was seen before does not decide where both addresses are its own.
        match seat.has_one_address || !self.is_own_address(seat, other) {
            true => Some(direction),
            false => self.find_direction(seat, source, destination, time),
        }
    }

    #[cold]
    #[inline(never)]
    fn find_direction(
        &mut self,
        seat: &Seat,
        source: IpAddr,
        destination: IpAddr,
        time: u32,
    ) -> Option<FlowDirection> {
        if seat.is_known {
            let ends = [source, destination];
            let direction = match ends.map(|address| self.is_own_address(seat, address)) {
                [true, false] => {
                    self.learn(seat, source);
                    Some(FlowDirection::Egress)
                }
                [false, true] => {
                    self.learn(seat, destination);
                    Some(FlowDirection::Ingress)
                }
                // Each was its own at some time: who has them at this one decides.
                [true, true] => match ends.map(|address| self.has_now(seat, address, time)) {
                    [true, false] => Some(FlowDirection::Egress),
                    [false, true] => Some(FlowDirection::Ingress),
                    _ => None,
                },
                [false, false] => None,
            };
            if direction.is_some() {
                return direction;
            }
        }
        // An interface's own address is always private, or IPv6 of its VPC.
        match (source.is_ipv4(), is_public(source), is_public(destination)) {
            (true, false, true) => Some(FlowDirection::Egress),
            (true, true, false) => Some(FlowDirection::Ingress),
            _ => {
                let near = self.seats.near(seat.number)?;
                self.resolver.inside(near, source, destination)
            }
        }
    }

    /// Whether the interface that logs has an address at a time.
    fn has_now(&mut self, seat: &Seat, address: IpAddr, time: u32) -> bool {
        let (number, _) = self.reach(seat, address, time, None);
        self.is_own(seat, number)
    }
}

/// The service that a column names.
#[inline]
fn service(text: Option<&[u8]>) -> Option<&str> {
    let service = std::str::from_utf8(text?).ok();
    service.filter(|service| *service != "-")
}

/// Whether an interface of the VPC may have the address.
fn is_inside(place: Place) -> bool {
    matches!(place, Place::Vpc | Place::Unknown)
}

/// The next hop as the record tells it, and whether it carries others' traffic.
#[inline]
fn next_hop(flow: &FlowRecord<'_>, interface: Option<&[u8]>) -> Option<(Told, bool)> {
    let interface = std::str::from_utf8(interface?).ok()?;
    let text = |field| flow.text(field).map(Arc::<str>::from);
    let interface_type = text(Field::NextHopInterfaceType);
    let told = Told {
        interface_id: Some(interface.into()),
        subnet_id: text(Field::NextHopSubnetId),
        az_id: text(Field::NextHopAzId),
        vpc_id: text(Field::NextHopVpcId),
        region: text(Field::Region),
        ..Told::default()
    };
    let carriers = [
        "nat_gateway",
        "transit_gateway",
        "vpc_endpoint",
        "gateway_load_balancer_endpoint",
    ];
    let kind = interface_type.as_deref();
    let carrier = kind.is_some_and(|kind| carriers.contains(&kind));
    let told = Told {
        interface_type,
        ..told
    };
    Some((told, carrier))
}
