//! Records of VPC flow logs.

use std::net::IpAddr;

use super::facts::FactsKey;
use super::seat::Seat;
use super::{Enricher, Resolved, nothing};
use crate::enrichment::resolution::{Found, NONE, Told, is_public};
use crate::enrichment::side::How;
use crate::enrichment::transfer::{HopSource, Place};
use crate::flow::field::Field;
use crate::flow::record::{Action, FlowDirection, FlowRecord};

impl Enricher {
    /// A record of a VPC flow log.
    #[inline]
    pub(super) fn vpc(&mut self, flow: &FlowRecord<'_>, time: u32) -> Resolved {
        let seat = self.seat(flow, time);
        let (cells, buffer) = (flow.cells(), flow.buffer());
        let address = |place: Option<usize>| match cells.get(place?)?.datum(buffer) {
            crate::Datum::Address(address) => Some(address),
            _ => None,
        };
        let (mut places, mut next_hops) = ([None; 4], false);
        if let Some(plan) = &self.plan {
            places = [
                plan.source,
                plan.destination,
                plan.packet_source,
                plan.packet_destination,
            ];
            next_hops = plan.next_hops;
        }
        let [source, destination, packet_source, packet_destination] = places.map(address);
        // Who talks to whom; the record's other addresses are the hop that the interface saw.
        let sender = packet_source.or(source);
        let receiver = packet_destination.or(destination);
        let service = |field| flow.text(field).filter(|service| *service != "-");
        let direction = match flow.direction() {
            Some(direction) => Some(direction),
            None => self.direction(&seat, source, destination),
        };
        let own_at = |side, address: Option<IpAddr>, seen| {
            // A regional NAT gateway has no interface whose address a record could show.
            direction == Some(side) && address == seen && seat.near.has_interface()
        };
        let mut ends = [(seat.own_number, None); 2];
        let sides = [
            (
                FlowDirection::Egress,
                sender,
                source,
                Field::PktSrcAwsService,
            ),
            (
                FlowDirection::Ingress,
                receiver,
                destination,
                Field::PktDstAwsService,
            ),
        ];
        for (end, (side, talks, seen, service_field)) in ends.iter_mut().zip(sides) {
            let Some(address) = talks else {
                let found = nothing(How::NoAddress);
                *end = (self.number(found), None);
                continue;
            };
            // Its own address, whoever has it by now.
            let may_be_own = direction.is_none_or(|direction| direction == side);
            if own_at(side, talks, seen)
                || (may_be_own && self.resolver.is_own(&seat.near, address))
            {
                continue;
            }
            // What a transit gateway takes in, or brings, is on its other side.
            if direction == Some(side)
                && talks != seen
                && let Some(attachment) = self.resolver.attachment_of(&seat.near)
            {
                let (found, _) = self.resolver.through_attachment(
                    &attachment,
                    None,
                    address,
                    time,
                    service(service_field),
                );
                *end = (self.number(found), None);
                continue;
            }
            let (number, way) = self.reach(&seat, address, time, service(service_field));
            *end = match self.is_own(&seat, number) {
                true => (seat.own_number, way),
                false => (number, way),
            };
        }
        let (talks, seen) = match direction {
            Some(FlowDirection::Ingress) => (sender, source),
            _ => (receiver, destination),
        };
        let far_end = usize::from(direction != Some(FlowDirection::Ingress));
        let way = ends.get(far_end).and_then(|(_, way)| *way);
        let (route, gateway) = match talks {
            Some(talks) if direction.is_some() => self.gateway(&seat, way, talks),
            _ => (None, NONE),
        };
        let mut hop = match (talks, seen) {
            (Some(talks), Some(seen)) if talks != seen => {
                let (number, _) = self.reach(&seat, seen, time, None);
                Some((number, HopSource::Address))
            }
            _ => (gateway != NONE).then_some((gateway, HopSource::Route)),
        };
        if next_hops && let Some((told, carrier)) = next_hop(flow) {
            let is_endpoint = told.interface_type.as_deref() == Some("vpc_endpoint");
            let told = self.resolver.tell(told);
            let far = ends.get(far_end).map_or(NONE, |(number, _)| *number);
            let found = self.founds.get(far as usize).copied();
            // The next hop is the far end itself, where it is within the VPC and nothing is in between.
            let itself = talks == seen
                && (!carrier || is_endpoint)
                && found.is_some_and(|found| is_inside(found.place));
            if !itself || is_endpoint {
                let found = Found::of_record(told);
                hop = Some((self.number(found), HopSource::Record));
            }
            if let (true, Some(found), Some(end)) = (itself, found, ends.get_mut(far_end))
                && found.interface == NONE
            {
                let found = self.resolver.told_side(found, told);
                *end = (self.number(found), None);
            }
        }
        let rejected = flow.action() == Some(Action::Reject);
        let [(source, _), (destination, _)] = ends;
        let key = FactsKey {
            source: self.class(source),
            destination: self.class(destination),
            hop: hop.map_or(NONE, |(number, _)| self.class(number)),
            hop_by: hop.map(|(_, by)| by),
            direction,
            path: flow
                .integer(Field::TrafficPath)
                .and_then(|path| u8::try_from(path).ok()),
            rejected,
            log: (0, NONE),
            shard: seat.near.shard.unwrap_or(u16::MAX),
            route,
            own: self.class(seat.own_number),
            device: seat.device,
            public: seat.near.public,
        };
        let slot = key.slot();
        let facts = match self.fact_slots.get(slot) {
            Some(Some((known, number))) if *known == key => *number,
            _ => self.find_facts(slot, key, &seat.near),
        };
        Resolved {
            source,
            destination,
            facts,
            near: seat.near,
            far: match direction {
                Some(FlowDirection::Ingress) => source,
                _ => destination,
            },
            rejected,
        }
    }

    /// Which way packets went, by which of the addresses is the interface's.
    #[inline]
    pub(super) fn direction(
        &mut self,
        seat: &Seat,
        source: Option<IpAddr>,
        destination: Option<IpAddr>,
    ) -> Option<FlowDirection> {
        let (source, destination) = (source?, destination?);
        if seat.near.interface != NONE {
            if let Some(own) = seat.address
                && (own == source) != (own == destination)
            {
                return Some(match own == source {
                    true => FlowDirection::Egress,
                    false => FlowDirection::Ingress,
                });
            }
            let has = |address| self.resolver.is_own(&seat.near, address);
            match (has(source), has(destination)) {
                (true, false) => {
                    self.learn(source);
                    return Some(FlowDirection::Egress);
                }
                (false, true) => {
                    self.learn(destination);
                    return Some(FlowDirection::Ingress);
                }
                _ => {}
            }
        }
        // An interface's own address is always private, or IPv6 of its VPC.
        match (source.is_ipv4(), is_public(source), is_public(destination)) {
            (true, false, true) => Some(FlowDirection::Egress),
            (true, true, false) => Some(FlowDirection::Ingress),
            _ => self.resolver.inside(&seat.near, source, destination),
        }
    }
}

/// Whether an interface of the VPC may have the address.
fn is_inside(place: Place) -> bool {
    matches!(place, Place::Vpc | Place::Unknown)
}

/// The next hop as the record tells it, and whether it carries others' traffic.
fn next_hop(flow: &FlowRecord<'_>) -> Option<(Told, bool)> {
    let text = |field| flow.text(field).map(Box::<str>::from);
    let interface_type = text(Field::NextHopInterfaceType);
    let told = Told {
        interface_id: Some(text(Field::NextHopInterfaceId)?),
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
