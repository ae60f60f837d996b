//! Classes of data transfer: what carries a flow, how far it goes, and what of it is metered here.
//!
//! ```text
//!                 traffic-path ─┐
//!   next hop, by the record ────┤
//!   next hop, by its address ───┼─▶ the way (Via) ─┬─▶ Transfer { via, scope, confidence, leg }
//!   route of the far address ───┘                  │
//!   source and destination ─────▶ the distance ────┘
//! ```
//!
//! `via` and `scope` are two dimensions: through a transit gateway, to another zone. A third, the
//! [`Leg`], is the stretch between the place of the log and the next or previous hop. It is what a
//! price applies to: the record of a NAT gateway's interface is part of a flow to the internet, but
//! on its private side only the stretch to the workload is metered.
//!
//! The rules follow "Available fields" and "Flow log limitations" of the *Amazon VPC User Guide*:
//! `traffic-path` is given for egress only, and names the next hop, not the far end; an interface
//! that AWS manages (NAT gateway, transit gateway, endpoint) is within the VPC, path 1. Ingress is the
//! mirror image, told by who owns the far address and by the route back.

use crate::flow::record::FlowDirection;

#[cfg(test)]
pub(super) mod tests;

/// An enumeration with a name and a meaning for each variant, for delivered records and for the
/// dictionary of fields.
macro_rules! classes {
    (
        $(#[doc = $doc:literal])*
        $name:ident { $( #[doc = $meaning:literal] $variant:ident = $text:literal, )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( #[doc = $meaning] $variant, )*
        }

        impl $name {
            /// Every class, in the order of their declaration.
            pub const ALL: &'static [$name] = &[ $( $name::$variant, )* ];

            /// The name in delivered records.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( $name::$variant => $text, )*
                }
            }

            /// What the class says, as a sentence.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $( $name::$variant => $meaning.trim_ascii(), )*
                }
            }
        }
    };
}

classes! {
    /// The transit: what carries the traffic out of the subnet, or brought it in.
    Via {
        /// Nothing in between: both ends are in one VPC.
        Vpc = "vpc",
        /// Internet gateway.
        InternetGateway = "internet-gateway",
        /// Egress-only internet gateway (IPv6).
        EgressOnlyInternetGateway = "egress-only-internet-gateway",
        /// NAT gateway, zonal or regional.
        NatGateway = "nat-gateway",
        /// Gateway endpoint of S3 or DynamoDB.
        GatewayEndpoint = "gateway-endpoint",
        /// Interface endpoint (PrivateLink).
        InterfaceEndpoint = "privatelink",
        /// Gateway Load Balancer endpoint: a detour through an appliance.
        GatewayLoadBalancerEndpoint = "gateway-load-balancer-endpoint",
        /// Endpoint of a Network Firewall: a detour through the firewall.
        NetworkFirewall = "network-firewall",
        /// Interface of an instance that forwards: a NAT instance or an appliance.
        Appliance = "appliance",
        /// VPC peering connection, within a region or between two.
        Peering = "peering",
        /// Transit gateway.
        TransitGateway = "transit-gateway",
        /// Transit gateway, and a peering of it with another one.
        TransitGatewayPeering = "transit-gateway-peering",
        /// Core network (Cloud WAN).
        CoreNetwork = "core-network",
        /// Site-to-site VPN at a virtual private gateway.
        Vpn = "vpn",
        /// Direct Connect at a virtual private gateway.
        DirectConnect = "direct-connect",
        /// Virtual private gateway that has both VPN and Direct Connect, or it is not known which.
        HybridVgw = "hybrid-vgw",
        /// Way out of a Local Zone or Wavelength Zone, or into it.
        EdgeZone = "edge-zone",
        /// Local gateway of an Outpost.
        LocalGateway = "local-gateway",
        /// Not known.
        Unknown = "unknown",
    }
}

classes! {
    /// The distance between the two ends; for a NAT gateway, between the interface and the gateway, because
    /// the gateway's own records tell what is beyond it.
    Scope {
        /// The same Availability Zone.
        IntraAz = "intra-az",
        /// Two Availability Zones of one region.
        InterAz = "inter-az",
        /// One region; the zones are not known, or there are none (gateway endpoints).
        IntraRegion = "intra-region",
        /// One region, but between public addresses.
        IntraRegionPublicIp = "intra-region-public-ip",
        /// A service of AWS in the same region, by its public addresses.
        AwsServicePublic = "aws-service-public",
        /// CloudFront.
        CloudFrontOrigin = "cloudfront-origin",
        /// Two regions, by private addresses.
        InterRegion = "inter-region",
        /// Two regions, by public addresses.
        InterRegionPublic = "inter-region-public",
        /// The internet.
        Internet = "internet",
        /// A network outside of AWS, by VPN, Direct Connect or a local gateway.
        OnPremises = "on-premises",
        /// A Local Zone or Wavelength Zone on one side.
        EdgeZone = "edge-zone",
        /// Not known.
        Unknown = "unknown",
    }
}

classes! {
    /// How far a classification can be relied on. The order is from the best to the worst.
    Confidence {
        /// The record says it, or the addresses leave no choice.
        High = "high",
        /// It follows from interfaces that the metadata knows.
        Medium = "medium",
        /// It follows from route tables and address ranges only.
        Low = "low",
    }
}

impl Confidence {
    /// The lesser of two: what rests on both.
    fn and(self, other: Confidence) -> Confidence {
        self.max(other)
    }
}

/// What leads from AWS to a network outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Hybrid {
    /// Site-to-site VPN.
    Vpn,
    /// Direct Connect.
    DirectConnect,
    /// Both are there, or it is not known which.
    #[default]
    Either,
}

/// Where an address belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Place {
    /// A private address in a known VPC.
    Vpc,
    /// A public or elastic address of an interface of a known account.
    OwnPublic,
    /// An address that AWS publishes as one of a service.
    AwsService,
    /// Any other public address.
    Public,
    /// A network outside of AWS that VPN or Direct Connect leads to.
    OnPremises(Hybrid),
    /// Not known.
    #[default]
    Unknown,
}

/// What an interface belongs to, as far as it decides on the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum InterfaceKind {
    /// An instance, a task, a pod: whoever sends and receives for itself. Or forwards, when a route leads
    /// to it.
    Plain,
    /// Zonal NAT gateway.
    NatGateway,
    /// Regional NAT gateway, which has no interface: `resource-id` names it.
    RegionalNatGateway,
    /// Transit gateway.
    TransitGateway,
    /// Interface endpoint.
    VpcEndpoint,
    /// Gateway Load Balancer endpoint that is no firewall's.
    GatewayLoadBalancerEndpoint,
    /// Gateway Load Balancer endpoint of a Network Firewall.
    FirewallEndpoint,
    /// Load balancer of any kind.
    LoadBalancer,
    /// Another service of AWS.
    Other,
    /// No interface is known.
    #[default]
    Unknown,
}

impl InterfaceKind {
    /// Whether it passes others' packets on unseen: whoever they are of is seen at both of its sides.
    pub(super) fn is_carrier(self) -> bool {
        self == InterfaceKind::RegionalNatGateway || self.is_without_groups()
    }

    /// Whether it is an interface that security groups cannot be given to.
    pub(super) fn is_without_groups(self) -> bool {
        matches!(
            self,
            InterfaceKind::NatGateway
                | InterfaceKind::TransitGateway
                | InterfaceKind::GatewayLoadBalancerEndpoint
                | InterfaceKind::FirewallEndpoint
        )
    }
}

/// One end, hop, or the place of the log, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct End<'a> {
    /// Where its address belongs.
    pub place: Place,
    /// What its interface belongs to.
    pub kind: InterfaceKind,
    /// VPC id.
    pub vpc: Option<&'a str>,
    /// Region name; `GLOBAL` for address ranges that AWS publishes so.
    pub region: Option<&'a str>,
    /// Availability Zone id (`use1-az1`), the same in every account. Never a zone's name.
    pub zone: Option<&'a str>,
    /// The service of an [`Place::AwsService`], as `pkt-dst-aws-service` and `ip-ranges.json` spell it.
    pub service: Option<&'a str>,
}

/// What tells the next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HopSource {
    /// The record: `next-hop-interface-id` and its kin (version 11).
    Record,
    /// `srcaddr` or `dstaddr`, where it is not the far end's own address.
    Address,
    /// The route table: the interface of the gateway or endpoint that the route leads to.
    Route,
}

/// The interface that packets go to next, or came from last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop<'a> {
    /// The interface.
    pub end: End<'a>,
    /// What tells it.
    pub by: HopSource,
}

/// What the route table of the logging interface's subnet says for the far address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouteTarget {
    /// The VPC itself.
    Local,
    /// Internet gateway.
    InternetGateway,
    /// Egress-only internet gateway.
    EgressOnly,
    /// NAT gateway.
    NatGateway,
    /// Virtual private gateway, and what is attached to it.
    VirtualPrivateGateway(Hybrid),
    /// Transit gateway.
    TransitGateway,
    /// Peering connection.
    Peering,
    /// Gateway endpoint: a route to the prefix list of S3 or DynamoDB.
    GatewayEndpoint,
    /// Gateway Load Balancer endpoint that is no firewall's.
    GatewayLoadBalancerEndpoint,
    /// Endpoint of a Network Firewall.
    FirewallEndpoint,
    /// Interface of an instance or appliance.
    Interface,
    /// Core network.
    CoreNetwork,
    /// Carrier gateway of a Wavelength Zone.
    CarrierGateway,
    /// Local gateway of an Outpost.
    LocalGateway,
    /// No route fits, or the table is not known.
    #[default]
    Unknown,
}

/// What is attached to a transit gateway, by `ResourceType` of `DescribeTransitGatewayAttachments`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Attachment {
    /// `vpc`.
    Vpc,
    /// `vpn`, `vpn-concentrator`.
    Vpn,
    /// `direct-connect-gateway`.
    DirectConnect,
    /// `peering`, `tgw-peering`.
    Peering,
    /// `connect`, `network-function`, `client-vpn` and what is to come.
    Other,
    /// Not known.
    #[default]
    Unknown,
}

/// The kind of log a record is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// VPC flow log: `here` is the interface, or the regional NAT gateway.
    Vpc,
    /// Transit Gateway flow log: `here` tells the gateway's region. A record is ingress at the attachment
    /// where the traffic entered, and egress at the one where it left.
    TransitGateway {
        /// The attachment where it entered.
        entered: Attachment,
        /// The attachment where it left.
        left: Attachment,
    },
    /// Log of a Network Firewall: `here` tells the firewall's region.
    Firewall,
}

/// All that decides on the class of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// The kind of log.
    pub log: Log,
    /// The direction as the place of the log sees it.
    pub direction: FlowDirection,
    /// Whether the traffic was rejected. It keeps its class, and costs nothing.
    pub rejected: bool,
    /// `traffic-path`; it is heeded for egress only.
    pub path: Option<u8>,
    /// The place of the log.
    pub here: End<'a>,
    /// Who sends: the owner of `pkt-srcaddr`, or of `srcaddr` where there is none.
    pub source: End<'a>,
    /// Who receives: the owner of `pkt-dstaddr`, or of `dstaddr` where there is none.
    pub destination: End<'a>,
    /// The next hop for egress, the previous one for ingress. `None` when it is the far end itself.
    pub hop: Option<Hop<'a>>,
    /// Where the subnet's route table leads for the far address.
    pub route: RouteTarget,
    /// Whether the transit gateway on the way has a flow log, or it is not known whether. When it has none, its
    /// processing is counted where the sender is logged.
    pub gateway_logged: bool,
}

/// The stretch between the place of the log and the next or previous hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// What carries it.
    pub over: Via,
    /// How far it goes.
    pub scope: Scope,
}

/// The classes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// What carries the traffic.
    pub via: Via,
    /// How far it goes.
    pub scope: Scope,
    /// How far both can be relied on.
    pub confidence: Confidence,
    /// The stretch that is metered here.
    pub leg: Leg,
}

impl<'a> Sighting<'a> {
    /// The end that is not at the place of the log.
    pub fn far(&self) -> &End<'a> {
        match self.direction {
            FlowDirection::Egress => &self.destination,
            FlowDirection::Ingress => &self.source,
        }
    }

    /// The end at this side: the logging interface's own, or one that it forwards for.
    pub fn near(&self) -> &End<'a> {
        let near = match self.direction {
            FlowDirection::Egress => &self.source,
            FlowDirection::Ingress => &self.destination,
        };
        match near.place {
            Place::Unknown => &self.here,
            _ => near,
        }
    }

    /// The next or previous hop in the VPC of the log, told by the record or an address.
    fn seen_hop(&self) -> Option<&Hop<'a>> {
        self.hop.as_ref().filter(|hop| {
            hop.by != HopSource::Route && same(hop.end.vpc, self.here.vpc) != Some(false)
        })
    }
}

impl<'a> End<'a> {
    fn shares_vpc(&self, other: &End<'a>) -> bool {
        self.place == Place::Vpc && same(self.vpc, other.vpc) == Some(true)
    }
}

/// Classifies a record. Nothing is allocated, and nothing is looked up.
pub fn classify(sighting: &Sighting<'_>) -> Transfer {
    match sighting.log {
        Log::Vpc => match carrier(sighting.here.kind) {
            Some(via) => at_carrier(sighting, via),
            None => outward(sighting),
        },
        Log::TransitGateway { entered, left } => at_transit_gateway(sighting, entered, left),
        Log::Firewall => {
            let (scope, confidence) = distance(&sighting.source, &sighting.destination);
            straight(Via::NetworkFirewall, scope, confidence)
        }
    }
}

/// What an interface of that kind carries others' traffic as.
fn carrier(kind: InterfaceKind) -> Option<Via> {
    match kind {
        InterfaceKind::NatGateway | InterfaceKind::RegionalNatGateway => Some(Via::NatGateway),
        InterfaceKind::TransitGateway => Some(Via::TransitGateway),
        InterfaceKind::VpcEndpoint => Some(Via::InterfaceEndpoint),
        InterfaceKind::GatewayLoadBalancerEndpoint => Some(Via::GatewayLoadBalancerEndpoint),
        InterfaceKind::FirewallEndpoint => Some(Via::NetworkFirewall),
        InterfaceKind::Plain
        | InterfaceKind::LoadBalancer
        | InterfaceKind::Other
        | InterfaceKind::Unknown => None,
    }
}

/// Where one stretch is all there is to say.
fn straight(via: Via, scope: Scope, confidence: Confidence) -> Transfer {
    let leg = Leg { over: via, scope };
    Transfer {
        via,
        scope,
        confidence,
        leg,
    }
}

/// The view of an interface that sends and receives for itself.
fn outward(s: &Sighting<'_>) -> Transfer {
    let path = match s.direction {
        FlowDirection::Egress => s.path,
        FlowDirection::Ingress => None,
    };
    let to_endpoint = s.route == RouteTarget::GatewayEndpoint;
    match path {
        Some(1) => inside(s),
        Some(2) if to_endpoint => {
            straight(Via::GatewayEndpoint, Scope::IntraRegion, Confidence::High)
        }
        Some(2) => match s.destination.service {
            // Code 2 does not divide the two, and no route table does here.
            Some("S3" | "DYNAMODB") if s.route == RouteTarget::Unknown => {
                outside(s, Confidence::Low)
            }
            _ => outside(s, Confidence::High),
        },
        Some(3) => hybrid(s, Confidence::High),
        Some(4) => {
            let scope = match distance(&s.here, s.far()).0 {
                known @ (Scope::IntraAz | Scope::InterAz | Scope::EdgeZone) => known,
                _ => Scope::IntraRegion,
            };
            straight(Via::Peering, scope, Confidence::High)
        }
        Some(5) => straight(Via::Peering, Scope::InterRegion, Confidence::High),
        // Until about 2025 the code stood for the local gateway.
        Some(6) if s.route == RouteTarget::LocalGateway => {
            straight(Via::LocalGateway, Scope::OnPremises, Confidence::Medium)
        }
        Some(6) => straight(Via::EdgeZone, Scope::EdgeZone, Confidence::High),
        Some(7) => straight(Via::GatewayEndpoint, Scope::IntraRegion, Confidence::High),
        Some(8) => outside(s, Confidence::High),
        _ => unguided(s),
    }
}

/// The next hop is in this VPC: path 1.
fn inside(s: &Sighting<'_>) -> Transfer {
    let far = s.far();
    if let Some(hop) = s.seen_hop() {
        return through(s, &hop.end, Confidence::High);
    }
    if s.here.shares_vpc(far) && !is_detour(s.route) {
        return through(s, far, Confidence::High);
    }
    match s.route {
        RouteTarget::NatGateway
        | RouteTarget::TransitGateway
        | RouteTarget::GatewayLoadBalancerEndpoint
        | RouteTarget::FirewallEndpoint
        | RouteTarget::Interface
        | RouteTarget::CoreNetwork
        | RouteTarget::LocalGateway
        | RouteTarget::Local => by_route(s, Confidence::Medium),
        // The route table is a later one, or not known.
        _ => unknown(s),
    }
}

/// No path is given: old logs, and all ingress.
fn unguided(s: &Sighting<'_>) -> Transfer {
    let far = s.far();
    if let Some(hop) = s.seen_hop() {
        let confidence = match hop.by {
            HopSource::Record => Confidence::High,
            _ => Confidence::Medium,
        };
        return through(s, &hop.end, confidence);
    }
    if s.here.shares_vpc(far) && !is_detour(s.route) {
        let confidence = match far.kind {
            InterfaceKind::Unknown => Confidence::Low,
            _ => Confidence::Medium,
        };
        return through(s, far, confidence);
    }
    by_route(s, Confidence::Low)
}

/// Whether a route leads through something even between two ends of one VPC.
fn is_detour(route: RouteTarget) -> bool {
    matches!(
        route,
        RouteTarget::GatewayLoadBalancerEndpoint
            | RouteTarget::FirewallEndpoint
            | RouteTarget::Interface
    )
}

/// Through an interface of this VPC, which may be the far end itself.
fn through(s: &Sighting<'_>, hop: &End<'_>, confidence: Confidence) -> Transfer {
    let near_by = s.here.shares_vpc(s.far());
    match carrier(hop.kind) {
        Some(via) => over(s, via, Some(hop), confidence),
        None if near_by => {
            let (scope, known) = distance(&s.here, s.far());
            straight(Via::Vpc, scope, confidence.and(known))
        }
        None if hop.kind == InterfaceKind::Plain => over(s, Via::Appliance, Some(hop), confidence),
        None => {
            let (scope, known) = between_interfaces(&s.here, hop);
            straight(Via::Vpc, scope, confidence.and(known))
        }
    }
}

/// Through a carrier that has an interface in this VPC, known or not.
fn over(s: &Sighting<'_>, via: Via, hop: Option<&End<'_>>, confidence: Confidence) -> Transfer {
    let regional = hop.is_some_and(|hop| hop.kind == InterfaceKind::RegionalNatGateway);
    let (leg, known) = match hop {
        // It keeps each zone's traffic in the zone ("Regional NAT gateways", *Amazon VPC User Guide*).
        Some(_) if regional => (Scope::IntraAz, Confidence::Medium),
        Some(hop) => between_interfaces(&s.here, hop),
        None => (Scope::IntraRegion, Confidence::High),
    };
    let (scope, known) = match via {
        Via::NatGateway | Via::InterfaceEndpoint => (leg, known),
        _ => distance(s.near(), s.far()),
    };
    let via = with_peering(via, scope);
    Transfer {
        via,
        scope,
        confidence: confidence.and(known),
        leg: Leg {
            over: via,
            scope: leg,
        },
    }
}

/// A transit gateway serves one region: another one is behind a peering.
fn with_peering(via: Via, scope: Scope) -> Via {
    match (via, scope) {
        (Via::TransitGateway, Scope::InterRegion) => Via::TransitGatewayPeering,
        _ => via,
    }
}

/// By the route of the far address.
fn by_route(s: &Sighting<'_>, confidence: Confidence) -> Transfer {
    let hop = s.hop.as_ref().map(|hop| &hop.end);
    let by_distance = |via: Via| {
        let (scope, known) = distance(&s.here, s.far());
        straight(via, scope, confidence.and(known))
    };
    match s.route {
        RouteTarget::Local => match distance(&s.here, s.far()) {
            (Scope::Unknown, _) => straight(Via::Vpc, Scope::IntraRegion, confidence),
            (scope, known) => straight(Via::Vpc, scope, confidence.and(known)),
        },
        RouteTarget::InternetGateway | RouteTarget::EgressOnly => outside(s, confidence),
        RouteTarget::NatGateway => over(s, Via::NatGateway, hop, confidence),
        RouteTarget::TransitGateway => over(s, Via::TransitGateway, hop, confidence),
        RouteTarget::GatewayLoadBalancerEndpoint => {
            over(s, Via::GatewayLoadBalancerEndpoint, hop, confidence)
        }
        RouteTarget::FirewallEndpoint => over(s, Via::NetworkFirewall, hop, confidence),
        RouteTarget::Interface => over(s, Via::Appliance, hop, confidence),
        RouteTarget::VirtualPrivateGateway(_) => hybrid(s, confidence),
        RouteTarget::Peering => by_distance(Via::Peering),
        RouteTarget::CoreNetwork => by_distance(Via::CoreNetwork),
        RouteTarget::GatewayEndpoint => {
            straight(Via::GatewayEndpoint, Scope::IntraRegion, confidence)
        }
        RouteTarget::CarrierGateway => straight(Via::EdgeZone, Scope::EdgeZone, confidence),
        RouteTarget::LocalGateway => straight(Via::LocalGateway, Scope::OnPremises, confidence),
        RouteTarget::Unknown => match s.far().place {
            Place::OnPremises(_) => hybrid(s, confidence),
            _ => unknown(s),
        },
    }
}

/// The way is not known; the distance may be.
fn unknown(s: &Sighting<'_>) -> Transfer {
    let (scope, _) = distance(s.near(), s.far());
    Transfer {
        scope,
        ..straight(Via::Unknown, Scope::Unknown, Confidence::Low)
    }
}

/// Through an internet gateway of either kind.
fn outside(s: &Sighting<'_>, confidence: Confidence) -> Transfer {
    let via = match s.route {
        RouteTarget::EgressOnly => Via::EgressOnlyInternetGateway,
        _ => Via::InternetGateway,
    };
    let far = s.far();
    let (scope, known) = match far.place {
        // The gateway leads nowhere else.
        Place::Unknown | Place::OnPremises(_) => (Scope::Internet, Confidence::Medium),
        Place::Vpc | Place::OwnPublic => between_public(&s.here, far),
        Place::AwsService => to_service(far, &s.here),
        Place::Public => (Scope::Internet, Confidence::High),
    };
    straight(via, scope, confidence.and(known))
}

/// Through a virtual private gateway.
fn hybrid(s: &Sighting<'_>, confidence: Confidence) -> Transfer {
    let by_route = match s.route {
        RouteTarget::VirtualPrivateGateway(hybrid) => hybrid,
        _ => Hybrid::Either,
    };
    let by_place = match s.far().place {
        Place::OnPremises(hybrid) => hybrid,
        _ => Hybrid::Either,
    };
    let (via, known) = match (by_route, by_place) {
        (Hybrid::Vpn, _) | (Hybrid::Either, Hybrid::Vpn) => (Via::Vpn, Confidence::High),
        (Hybrid::DirectConnect, _) | (Hybrid::Either, Hybrid::DirectConnect) => {
            (Via::DirectConnect, Confidence::High)
        }
        (Hybrid::Either, Hybrid::Either) => (Via::HybridVgw, Confidence::Medium),
    };
    straight(via, Scope::OnPremises, confidence.and(known))
}

/// The view of an interface that carries others' traffic.
fn at_carrier(s: &Sighting<'_>, via: Via) -> Transfer {
    let mut transfer = outward(s);
    let far_out = matches!(
        s.far().place,
        Place::Public | Place::AwsService | Place::OwnPublic
    );
    if via == Via::NatGateway && transfer.leg.over == Via::Unknown && far_out {
        // A NAT gateway has but one way to the internet.
        transfer = outside(s, Confidence::Low);
    }
    let mut leg = transfer.leg;
    // The zone of a regional gateway's traffic is the zone of its other end.
    let regional = s.here.kind == InterfaceKind::RegionalNatGateway;
    if regional && (leg.over, leg.scope) == (Via::Vpc, Scope::IntraRegion) {
        leg.scope = Scope::IntraAz;
        transfer.scope = Scope::IntraAz;
        transfer.confidence = transfer.confidence.and(Confidence::Medium);
    }
    // What goes to and from a transit gateway's interface is the gateway's, whatever stands in between.
    if leg.over == Via::Vpc || via == Via::TransitGateway {
        leg.over = via;
    }
    let detour = matches!(
        via,
        Via::TransitGateway | Via::GatewayLoadBalancerEndpoint | Via::NetworkFirewall
    );
    if detour {
        let (scope, known) = distance(&s.source, &s.destination);
        if scope != Scope::Unknown {
            transfer.scope = scope;
            transfer.confidence = transfer.confidence.and(known);
        }
    }
    // A NAT gateway is what carries traffic on its inner side; on the outer one it is what the gateway uses.
    let via = match via {
        Via::NatGateway if leg.over != via => transfer.via,
        via => with_peering(via, transfer.scope),
    };
    Transfer {
        via,
        leg,
        ..transfer
    }
}

/// The view of a transit gateway.
fn at_transit_gateway(s: &Sighting<'_>, entered: Attachment, left: Attachment) -> Transfer {
    let is_hybrid = |attachment| matches!(attachment, Attachment::Vpn | Attachment::DirectConnect);
    let peering = entered == Attachment::Peering || left == Attachment::Peering;
    let (scope, known) = match distance(&s.source, &s.destination) {
        _ if is_hybrid(entered) || is_hybrid(left) => (Scope::OnPremises, Confidence::High),
        // Peerings within a region are rare.
        (Scope::Unknown, _) if peering => (Scope::InterRegion, Confidence::Medium),
        found => found,
    };
    let told = match entered == Attachment::Unknown || left == Attachment::Unknown {
        true => Confidence::Medium,
        false => Confidence::High,
    };
    let via = match peering {
        true => Via::TransitGatewayPeering,
        false => with_peering(Via::TransitGateway, scope),
    };
    straight(via, scope, told.and(known))
}

/// Whether two are the same; `None` when one is not known.
fn same(a: Option<&str>, b: Option<&str>) -> Option<bool> {
    Some(a? == b?)
}

/// How far it is from one end to the other. The one that is farther out decides.
fn distance(a: &End<'_>, b: &End<'_>) -> (Scope, Confidence) {
    match (a.place, b.place) {
        (Place::Public, _) | (_, Place::Public) => (Scope::Internet, Confidence::High),
        (Place::OnPremises(_), _) | (_, Place::OnPremises(_)) => {
            (Scope::OnPremises, Confidence::High)
        }
        (Place::AwsService, _) => to_service(a, b),
        (_, Place::AwsService) => to_service(b, a),
        (Place::Unknown, _) | (_, Place::Unknown) => (Scope::Unknown, Confidence::Low),
        (Place::OwnPublic, _) | (_, Place::OwnPublic) => between_public(a, b),
        (Place::Vpc, Place::Vpc) => between_interfaces(a, b),
    }
}

/// Between private addresses of VPCs.
fn between_interfaces(a: &End<'_>, b: &End<'_>) -> (Scope, Confidence) {
    let one_zone = same(a.zone, b.zone);
    if one_zone == Some(true) {
        return (Scope::IntraAz, Confidence::High);
    }
    if is_edge_zone(a.zone) || is_edge_zone(b.zone) {
        return (Scope::EdgeZone, Confidence::High);
    }
    let one_region = match same(a.vpc, b.vpc) {
        Some(true) => Some(true),
        _ => same(a.region, b.region),
    };
    match (one_region, one_zone) {
        (Some(false), _) => (Scope::InterRegion, Confidence::High),
        (Some(true), Some(_)) => (Scope::InterAz, Confidence::High),
        (Some(true), None) => (Scope::IntraRegion, Confidence::High),
        (None, _) => (Scope::Unknown, Confidence::Low),
    }
}

/// Whether a zone id is that of a Local Zone (`usw2-lax1-az1`) or Wavelength Zone (`use1-wl1-bos-wlz1`): those
/// of Availability Zones have two parts.
pub(super) fn is_edge_zone(zone: Option<&str>) -> bool {
    zone.is_some_and(|zone| zone.bytes().filter(|byte| *byte == b'-').count() > 1)
}

/// Between interfaces, at least one of them by its public address.
fn between_public(a: &End<'_>, b: &End<'_>) -> (Scope, Confidence) {
    match same(a.region, b.region) {
        Some(true) => (Scope::IntraRegionPublicIp, Confidence::High),
        Some(false) => (Scope::InterRegionPublic, Confidence::High),
        None => (Scope::Unknown, Confidence::Low),
    }
}

/// To a service by its public addresses. The record names the service and not its region.
fn to_service(service: &End<'_>, other: &End<'_>) -> (Scope, Confidence) {
    if let Some("CLOUDFRONT" | "CLOUDFRONT_ORIGIN_FACING") = service.service {
        return (Scope::CloudFrontOrigin, Confidence::High);
    }
    match same(service.region, other.region) {
        _ if service.region == Some("GLOBAL") => (Scope::AwsServicePublic, Confidence::Medium),
        Some(false) => (Scope::InterRegionPublic, Confidence::High),
        // Ranges of EC2 hold endpoints of services, and others' instances too.
        Some(true) if service.service == Some("EC2") => {
            (Scope::AwsServicePublic, Confidence::Medium)
        }
        Some(true) => (Scope::AwsServicePublic, Confidence::High),
        None => (Scope::AwsServicePublic, Confidence::Low),
    }
}
