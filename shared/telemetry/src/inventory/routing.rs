//! Route tables of VPCs and what routes lead to: gateways, peering, VPN, prefix lists.

use std::net::IpAddr;

use super::cidr::Cidr;
use super::read::{Element, Row, entity};

/// Where packets of a route go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To addresses of a block.
    Cidr(Cidr),
    /// To addresses of a prefix list, named by its id.
    PrefixList(String),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Destination::Cidr(cidr) => cidr.fmt(f),
            Destination::PrefixList(id) => f.write_str(id),
        }
    }
}

impl Element for Destination {
    fn element(row: Row<'_>) -> Option<Self> {
        let cidr = row.get::<Option<Cidr>>(&["DestinationCidrBlock", "DestinationIpv6CidrBlock"]);
        let list = || row.get::<Option<String>>(&["DestinationPrefixListId", "PrefixListId"]);
        cidr.map(Destination::Cidr)
            .or_else(|| list().map(Destination::PrefixList))
    }
}

/// What kind of thing a route leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// The VPC itself.
    Local,
    /// Internet gateway.
    InternetGateway,
    /// Egress-only internet gateway (IPv6).
    EgressOnlyInternetGateway,
    /// NAT gateway.
    NatGateway,
    /// Virtual private gateway.
    VpnGateway,
    /// Transit gateway.
    TransitGateway,
    /// VPC peering connection.
    Peering,
    /// VPC endpoint: of S3 and DynamoDB, or of a Gateway Load Balancer or firewall.
    Endpoint,
    /// Interface, of an instance or appliance.
    Interface,
    /// Instance whose interface is not said.
    Instance,
    /// Core network (Cloud WAN), named by its ARN.
    CoreNetwork,
    /// Carrier gateway (Wavelength).
    CarrierGateway,
    /// Local gateway (Outposts).
    LocalGateway,
    /// Oracle Database@AWS network, named by its ARN.
    OdbNetwork,
    /// Anything else.
    Other,
}

/// What a route leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The kind.
    pub kind: TargetKind,
    /// Its id: `igw-…`, `local`, an ARN.
    pub id: String,
}

/// Members that name a target, in the order they are tried. `GatewayId` names several kinds, told by
/// the id.
const TARGETS: &[(&str, TargetKind)] = &[
    ("NatGatewayId", TargetKind::NatGateway),
    ("TransitGatewayId", TargetKind::TransitGateway),
    ("VpcPeeringConnectionId", TargetKind::Peering),
    (
        "EgressOnlyInternetGatewayId",
        TargetKind::EgressOnlyInternetGateway,
    ),
    ("NetworkInterfaceId", TargetKind::Interface),
    ("InstanceId", TargetKind::Instance),
    ("CoreNetworkArn", TargetKind::CoreNetwork),
    ("CarrierGatewayId", TargetKind::CarrierGateway),
    ("LocalGatewayId", TargetKind::LocalGateway),
    ("OdbNetworkArn", TargetKind::OdbNetwork),
    ("GatewayId", TargetKind::Other),
];

/// Beginnings of what `GatewayId` names.
const GATEWAYS: &[(&str, TargetKind)] = &[
    ("local", TargetKind::Local),
    ("igw-", TargetKind::InternetGateway),
    ("vgw-", TargetKind::VpnGateway),
    ("vpce-", TargetKind::Endpoint),
    ("eigw-", TargetKind::EgressOnlyInternetGateway),
    ("nat-", TargetKind::NatGateway),
    ("tgw-", TargetKind::TransitGateway),
    ("pcx-", TargetKind::Peering),
    ("cagw-", TargetKind::CarrierGateway),
    ("lgw-", TargetKind::LocalGateway),
];

impl Element for Target {
    fn element(row: Row<'_>) -> Option<Self> {
        let known = TARGETS.iter().find_map(|(member, kind)| {
            let id = row.get::<Option<String>>(&[member])?;
            let told = GATEWAYS.iter().find(|(start, _)| id.starts_with(start));
            let kind = match (kind, told) {
                (TargetKind::Other, Some((_, kind))) => *kind,
                _ => *kind,
            };
            Some(Target { kind, id })
        });
        known.or_else(|| unknown_target(row))
    }
}

/// A target that AWS has and the table has not: whatever else the route names.
fn unknown_target(row: Row<'_>) -> Option<Target> {
    let mut members = row.value.as_object()?.iter();
    members.find_map(|(member, value)| {
        let names = member.ends_with("Id") || member.ends_with("Arn");
        let other = member.starts_with("Destination") || member == "InstanceOwnerId";
        let id = value
            .as_str()
            .filter(|id| names && !other && !id.is_empty())?;
        Some(Target {
            kind: TargetKind::Other,
            id: id.to_owned(),
        })
    })
}

entity! {
    /// A route table of a VPC.
    RouteTable {
        /// Its VPC.
        vpc: Option<String> = "VpcId",
        /// Whom it decides for.
        associations: Vec<RouteTableAssociation> = "Associations",
        /// Virtual private gateways that put their routes into it.
        propagating: Vec<String> = "PropagatingVgws[].GatewayId",
        /// Its routes.
        routes: Vec<Route> = "Routes",
    }

    /// Whom a route table decides for.
    RouteTableAssociation {
        /// Whether it is the VPC's main table: for subnets that name none.
        main: bool = "Main",
        /// A subnet.
        subnet: Option<String> = "SubnetId",
        /// An internet or virtual private gateway, for what comes in through it.
        gateway: Option<String> = "GatewayId",
        /// `associated` and others.
        state: Option<String> = "AssociationState.State",
    }

    /// A route of a VPC.
    Route {
        /// Where packets go to. Absent only when AWS says nothing that is known here.
        destination: Option<Destination> = "",
        /// What leads there.
        target: Option<Target> = (Target::element),
        /// `active` or `blackhole`.
        state: Option<String> = "State",
        /// `CreateRouteTable`, `CreateRoute`, `EnableVgwRoutePropagation`.
        origin: Option<String> = "Origin",
        /// The instance of the interface it leads to.
        instance: Option<String> = "InstanceId",
    }

    /// An internet gateway, or an egress-only internet gateway.
    InternetGateway {
        /// The VPCs it is attached to: one, or none.
        attachments: Vec<GatewayAttachment> = "Attachments",
    }

    /// A VPC that a gateway is attached to.
    GatewayAttachment {
        /// The VPC.
        vpc: Option<String> = "VpcId",
        /// `available` or `attached`, and others.
        state: Option<String> = "State",
    }

    /// A NAT gateway.
    NatGateway {
        /// Its VPC.
        vpc: Option<String> = "VpcId",
        /// Its subnet; absent for a regional one.
        subnet: Option<String> = "SubnetId",
        /// `public` or `private`.
        connectivity: Option<String> = "ConnectivityType",
        /// `zonal` or `regional`.
        mode: Option<String> = "AvailabilityMode",
        /// `available` and others.
        state: Option<String> = "State",
        /// Its addresses.
        addresses: Vec<NatAddress> = "NatGatewayAddresses",
    }

    /// An address of a NAT gateway.
    NatAddress {
        /// In the subnet.
        private: Option<IpAddr> = "PrivateIp",
        /// What the internet sees.
        public: Option<IpAddr> = "PublicIp",
        /// The interface that has it.
        interface: Option<String> = "NetworkInterfaceId",
        /// The elastic address.
        allocation: Option<String> = "AllocationId",
        /// The zone it serves, for a regional gateway.
        zone: Option<String> = ["AvailabilityZoneId", "AvailabilityZone"],
        /// `succeeded` and others.
        status: Option<String> = "Status",
    }

    /// A virtual private gateway.
    VpnGateway {
        /// The VPCs it is attached to.
        attachments: Vec<GatewayAttachment> = "VpcAttachments",
        /// BGP number of Amazon's side.
        asn: Option<i64> = "AmazonSideAsn",
        /// `available` and others.
        state: Option<String> = "State",
    }

    /// The far end of a VPN connection.
    CustomerGateway {
        /// Its address in the internet.
        address: Option<IpAddr> = "IpAddress",
        /// Its BGP number.
        asn: Option<i64> = ["BgpAsnExtended", "BgpAsn"],
        /// What its owner calls the device.
        device: Option<String> = "DeviceName",
        /// `available` and others.
        state: Option<String> = "State",
    }

    /// A site-to-site VPN connection.
    VpnConnection {
        /// The far end.
        customer_gateway: Option<String> = "CustomerGatewayId",
        /// The near end: a virtual private gateway…
        vpn_gateway: Option<String> = "VpnGatewayId",
        /// …or a transit gateway…
        transit_gateway: Option<String> = "TransitGatewayId",
        /// …or a core network.
        core_network: Option<String> = "CoreNetworkArn",
        /// `available` and others.
        state: Option<String> = "State",
        /// Whether routes are only those that are written down; BGP tells them otherwise.
        static_routes: bool = "Options.StaticRoutesOnly",
        /// Written-down routes.
        routes: Vec<Cidr> = "Routes[].DestinationCidrBlock",
        /// Blocks at AWS's side.
        near: Vec<Cidr> = ["Options.LocalIpv4NetworkCidr", "Options.LocalIpv6NetworkCidr"],
        /// Blocks at the far side.
        far: Vec<Cidr> = ["Options.RemoteIpv4NetworkCidr", "Options.RemoteIpv6NetworkCidr"],
        /// Its tunnels.
        tunnels: Vec<Tunnel> = (tunnels),
    }

    /// A tunnel of a VPN connection.
    Tunnel {
        /// AWS's end.
        outside: Option<IpAddr> = "OutsideIpAddress",
        /// The block of the addresses within.
        inside: Vec<Cidr> = ["TunnelInsideCidr", "TunnelInsideIpv6Cidr"],
        /// `UP` or `DOWN`.
        status: Option<String> = "Status",
        /// Routes that the far end told.
        accepted_routes: Option<u32> = "AcceptedRouteCount",
    }

    /// A peering connection between two VPCs.
    Peering {
        /// The VPC that asked for it.
        requester: PeeredVpc = "RequesterVpcInfo",
        /// The VPC that was asked.
        accepter: PeeredVpc = "AccepterVpcInfo",
        /// `active`, `pending-acceptance` and others.
        state: Option<String> = "Status.Code",
    }

    /// One end of a peering connection.
    PeeredVpc {
        /// The VPC.
        vpc: Option<String> = "VpcId",
        /// Whose it is.
        account: Option<String> = "OwnerId",
        /// Where it is.
        region: Option<String> = "Region",
        /// Its blocks.
        cidrs: Vec<Cidr> = ["CidrBlock", "CidrBlockSet[].CidrBlock", "Ipv6CidrBlockSet[].Ipv6CidrBlock"],
    }

    /// A prefix list: a customer's, or one of AWS's services (then its account is `AWS`).
    PrefixList {
        /// Its name.
        list_name: Option<String> = "PrefixListName",
        /// `IPv4` or `IPv6`.
        family: Option<String> = "AddressFamily",
        /// `create-complete` and others.
        state: Option<String> = "State",
        /// Its version; each change makes a new one.
        version: Option<i64> = "Version",
        /// How many entries it may have, which is what it counts in rules that name it.
        max_entries: Option<u32> = "MaxEntries",
        /// Its entries, sorted; `None` when they were not told.
        entries: Option<Vec<PrefixListEntry>> = (|_| None),
    }

    /// Entries of a prefix list, as they are asked for.
    PrefixListEntries {
        /// The entries.
        entries: Vec<PrefixListEntry> = "Entries",
    }

    /// A prefix list of one of AWS's services, as `DescribePrefixLists` tells it.
    ServicePrefixList {
        /// Its name.
        list_name: Option<String> = "PrefixListName",
        /// Its blocks.
        cidrs: Vec<Cidr> = "Cidrs",
    }

    /// An entry of a prefix list.
    PrefixListEntry {
        /// The block.
        cidr: Option<Cidr> = "Cidr",
        /// What its creator wrote.
        description: Option<String> = "Description",
    }
}

/// Options and state of a tunnel stand in two lists, joined by the outside address.
fn tunnels(row: Row<'_>) -> Vec<Tunnel> {
    let mut tunnels: Vec<Tunnel> = row.get(&["Options.TunnelOptions"]);
    for told in row.get::<Vec<Tunnel>>(&["VgwTelemetry"]) {
        let same = tunnels
            .iter_mut()
            .find(|t| t.outside.is_some() && t.outside == told.outside);
        match same {
            Some(tunnel) => {
                tunnel.status = told.status;
                tunnel.accepted_routes = told.accepted_routes;
            }
            None => tunnels.push(told),
        }
    }
    tunnels.sort_by_key(|tunnel| tunnel.outside);
    tunnels
}
