//! Where packets go: hop by hop through route tables, as AWS forwards them.

use std::net::IpAddr;

use super::block::Block;
use super::estate::*;

/// Where packets end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In a VPC that has the address.
    Vpc(usize),
    /// Behind a VPN connection.
    OnPremises,
    /// In the internet, or at a service of AWS.
    Internet,
    /// Nowhere.
    Dropped,
}

/// A transit gateway that packets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transit {
    pub gateway: usize,
    pub from: usize,
    /// None: they are dropped there.
    pub to: Option<usize>,
    /// Whether a route drops them, rather than none leads on.
    pub blackhole: bool,
}

#[derive(Debug, Clone)]
pub struct Path {
    pub end: End,
    /// What leads out of the first subnet.
    pub first: Option<Target>,
    pub transits: Vec<Transit>,
}

impl Path {
    /// The path in words.
    pub fn told(&self, estate: &Estate) -> String {
        let attachment = |at: usize| {
            let attachment = &estate.attachments[at];
            let kind = match &attachment.kind {
                Attached::Vpc { vpc, .. } => estate.vpcs[*vpc].id.clone(),
                Attached::Vpn { .. } => "VPN".to_owned(),
                Attached::Peering => "peering".to_owned(),
            };
            format!("{} ({kind})", attachment.id)
        };
        let mut told = format!("{:?}", self.first);
        for transit in &self.transits {
            let gateway = &estate.gateways[transit.gateway].id;
            let to = transit.to.map(attachment);
            told += &format!("; {gateway}: {} -> {to:?}", attachment(transit.from));
            let sides = &estate.attachments[transit.from].sides;
            let table = sides.iter().find(|side| side.0 == transit.gateway);
            let table = table
                .and_then(|side| side.1)
                .map(|table| &estate.transit_tables[table].id);
            told += &format!(" by {table:?}");
        }
        told + &format!("; {:?}", self.end)
    }
}

/// The longest of the blocks that the address is in.
fn longest<T>(address: IpAddr, routes: &[T], block: impl Fn(&T) -> Block) -> Option<&T> {
    routes
        .iter()
        .filter(|route| block(route).contains(address))
        .max_by_key(|route| block(route).length)
}

/// Walks from a subnet to an address.
pub fn walk(estate: &Estate, subnet: usize, to: IpAddr) -> Path {
    let mut path = Path {
        end: End::Dropped,
        first: None,
        transits: Vec::new(),
    };
    let routes = &estate.tables[estate.table_of(subnet)].routes;
    let vpc = estate.subnets[subnet].vpc;
    let target = longest(to, routes, |route| route.to).map(|route| route.target);
    path.first = target;
    path.end = match target {
        None => End::Dropped,
        Some(Target::Local) => End::Vpc(vpc),
        Some(Target::InternetGateway | Target::EgressOnly) => internet(to),
        // A NAT gateway goes on by the routes of its own subnet, to private addresses too.
        Some(Target::Nat(nat)) => match estate.interfaces[nat].subnet {
            own if own != subnet && !is_global(to) => {
                let on = walk(estate, own, to);
                path.transits = on.transits;
                on.end
            }
            _ => internet(to),
        },
        Some(Target::VpnGateway) => End::OnPremises,
        Some(Target::Peering(at)) => through_peering(estate, at, vpc, to),
        Some(Target::Transit(gateway)) => {
            let attached = |attachment: &&usize| match &estate.attachments[**attachment].kind {
                Attached::Vpc { vpc: attached, .. } => {
                    *attached == vpc && estate.attachments[**attachment].sides[0].0 == gateway
                }
                _ => false,
            };
            let all: Vec<usize> = (0..estate.attachments.len()).collect();
            match all.iter().find(attached) {
                Some(from) => through_transit(estate, gateway, *from, to, &mut path.transits),
                None => End::Dropped,
            }
        }
    };
    path
}

/// Private addresses are lost in the internet.
fn internet(to: IpAddr) -> End {
    match is_global(to) {
        true => End::Internet,
        false => End::Dropped,
    }
}

fn through_peering(estate: &Estate, at: usize, vpc: usize, to: IpAddr) -> End {
    let peering = &estate.peerings[at];
    let far = match vpc == peering.requester {
        true => peering.accepter,
        false => peering.requester,
    };
    // Peering leads into the other VPC, and not beyond.
    match peering.active && estate.vpcs[far].has(to) {
        true => End::Vpc(far),
        false => End::Dropped,
    }
}

/// From an attachment on, through this transit gateway and those that it is peered with.
pub fn through_transit(
    estate: &Estate,
    mut gateway: usize,
    mut from: usize,
    to: IpAddr,
    passed: &mut Vec<Transit>,
) -> End {
    for _ in 0..8 {
        let sides = &estate.attachments[from].sides;
        let side = sides.iter().find(|(side, _)| *side == gateway).unwrap();
        let route = side.1.and_then(|table| {
            let routes = &estate.transit_tables[table].routes;
            longest(to, routes, |route| route.to)
        });
        // Not back to where they came from.
        let next = route.and_then(|route| route.attachment);
        let next = next.filter(|next| *next != from);
        passed.push(Transit {
            gateway,
            from,
            to: next,
            blackhole: route.is_some_and(|route| route.attachment.is_none()),
        });
        let Some(next) = next else {
            return End::Dropped;
        };
        match &estate.attachments[next].kind {
            Attached::Vpn { .. } => return End::OnPremises,
            Attached::Vpc { vpc, subnets } => {
                // The attachment's subnets decide like any others, but only for what may pass a VPC:
                // its own addresses, and the way out through a NAT gateway.
                let table = estate.table_of(subnets[0]);
                let route = longest(to, &estate.tables[table].routes, |route| route.to);
                return match route.map(|route| route.target) {
                    Some(Target::Local) => End::Vpc(*vpc),
                    Some(Target::Nat(_)) => internet(to),
                    _ => End::Dropped,
                };
            }
            Attached::Peering => {
                let sides = &estate.attachments[next].sides;
                let far = sides.iter().find(|(side, _)| *side != gateway).unwrap();
                (gateway, from) = (far.0, next);
            }
        }
    }
    End::Dropped
}

/// Whether any subnet of a VPC leads to an address in another one.
pub fn reaches(estate: &Estate, from: usize, to: IpAddr, far: usize) -> bool {
    (0..estate.subnets.len())
        .filter(|at| estate.subnets[*at].vpc == from)
        .any(|at| walk(estate, at, to).end == End::Vpc(far))
}
