//! Transit gateways, their attachments and route tables.

use std::net::IpAddr;

use super::cidr::Cidr;
use super::read::{Row, entity, texts};
use super::routing::Destination;

texts! {
    /// What is attached to a transit gateway.
    AttachmentType {
        /// A VPC.
        Vpc = "vpc",
        /// A VPN connection.
        Vpn = "vpn",
        /// A concentrator of VPN connections.
        VpnConcentrator = "vpn-concentrator",
        /// A Direct Connect gateway.
        DirectConnectGateway = "direct-connect-gateway",
        /// GRE tunnels over another attachment (SD-WAN).
        Connect = "connect",
        /// Another transit gateway.
        Peering = "peering",
        /// Another transit gateway, as some answers call it.
        TransitGatewayPeering = "tgw-peering",
        /// A network firewall.
        NetworkFunction = "network-function",
        /// A Client VPN endpoint.
        ClientVpn = "client-vpn",
    }
}

entity! {
    /// A transit gateway.
    TransitGateway {
        /// Its ARN.
        arn: Option<String> = "TransitGatewayArn",
        /// `available` and others.
        state: Option<String> = "State",
        /// What its creator wrote.
        description: Option<String> = "Description",
        /// BGP number of Amazon's side.
        asn: Option<i64> = "Options.AmazonSideAsn",
        /// Blocks for its own use (Connect).
        cidrs: Vec<Cidr> = "Options.TransitGatewayCidrBlocks",
        /// The route table that new attachments are associated with, when they are at all.
        association_table: Option<String> = (|row: Row<'_>| default_table(row, "Options.DefaultRouteTableAssociation", "Options.AssociationDefaultRouteTableId")),
        /// The route table that new attachments propagate to, when they do at all.
        propagation_table: Option<String> = (|row: Row<'_>| default_table(row, "Options.DefaultRouteTablePropagation", "Options.PropagationDefaultRouteTableId")),
    }

    /// An attachment of a transit gateway.
    TransitGatewayAttachment {
        /// The attachment as each transit gateway has it: one, or two for peering. Sorted by transit gateway.
        sides: Vec<AttachmentSide> = (|_| Vec::new()),
        /// More about an attached VPC.
        vpc: Option<AttachedVpc> = (|_| None),
        /// More about peering.
        peering: Option<PeeredGateways> = (|_| None),
        /// More about GRE tunnels.
        connect: Option<AttachedConnect> = (|_| None),
    }

    /// An attachment as one transit gateway has it.
    AttachmentSide {
        /// The transit gateway.
        transit_gateway: Option<String> = "TransitGatewayId",
        /// Whose the transit gateway is.
        transit_gateway_owner: Option<String> = "TransitGatewayOwnerId",
        /// What is attached.
        resource_type: Option<AttachmentType> = "ResourceType",
        /// The VPC, VPN connection, gateway: its id.
        resource: Option<String> = "ResourceId",
        /// Whose that is.
        resource_owner: Option<String> = "ResourceOwnerId",
        /// `available` and others.
        state: Option<String> = "State",
        /// The route table that decides for what comes from it.
        route_table: Option<String> = "Association.TransitGatewayRouteTableId",
        /// `associated` and others.
        association_state: Option<String> = "Association.State",
    }

    /// A VPC that is attached to a transit gateway.
    AttachedVpc {
        /// The transit gateway.
        transit_gateway: Option<String> = "TransitGatewayId",
        /// The VPC.
        vpc: Option<String> = "VpcId",
        /// Whose the VPC is.
        vpc_owner: Option<String> = "VpcOwnerId",
        /// `available` and others.
        state: Option<String> = "State",
        /// The subnets that it has interfaces in, one in each zone.
        subnets: Vec<String> = "SubnetIds",
        /// Whether both directions of a flow take the same zone, for stateful appliances.
        appliance_mode: Option<bool> = "Options.ApplianceModeSupport",
        /// Whether it carries IPv6.
        ipv6: Option<bool> = "Options.Ipv6Support",
    }

    /// Two transit gateways that are peered.
    PeeredGateways {
        /// The one that asked for it.
        requester: PeeredGateway = "RequesterTgwInfo",
        /// The one that was asked.
        accepter: PeeredGateway = "AccepterTgwInfo",
        /// `available` and others.
        state: Option<String> = "State",
    }

    /// One end of a peering of transit gateways.
    PeeredGateway {
        /// The transit gateway.
        transit_gateway: Option<String> = "TransitGatewayId",
        /// The core network instead of one.
        core_network: Option<String> = "CoreNetworkId",
        /// Whose it is.
        account: Option<String> = "OwnerId",
        /// Where it is.
        region: Option<String> = "Region",
    }

    /// GRE tunnels over another attachment.
    AttachedConnect {
        /// The transit gateway.
        transit_gateway: Option<String> = "TransitGatewayId",
        /// The attachment below.
        transport: Option<String> = "TransportTransitGatewayAttachmentId",
        /// `gre`.
        protocol: Option<String> = "Options.Protocol",
        /// `available` and others.
        state: Option<String> = "State",
    }

    /// A peer of a Connect attachment.
    TransitGatewayConnectPeer {
        /// The Connect attachment.
        attachment: Option<String> = "TransitGatewayAttachmentId",
        /// `available` and others.
        state: Option<String> = "State",
        /// The outer address of the transit gateway.
        transit_gateway_address: Option<IpAddr> = "ConnectPeerConfiguration.TransitGatewayAddress",
        /// The outer address of the appliance.
        peer_address: Option<IpAddr> = "ConnectPeerConfiguration.PeerAddress",
        /// Blocks within the tunnel.
        inside: Vec<Cidr> = "ConnectPeerConfiguration.InsideCidrBlocks",
        /// BGP sessions.
        sessions: Vec<ConnectSession> = "ConnectPeerConfiguration.BgpConfigurations",
    }

    /// A BGP session with a Connect peer.
    ConnectSession {
        /// BGP number of the transit gateway.
        transit_gateway_asn: Option<i64> = "TransitGatewayAsn",
        /// Inner address of the transit gateway.
        transit_gateway_address: Option<IpAddr> = "TransitGatewayAddress",
        /// BGP number of the peer.
        peer_asn: Option<i64> = "PeerAsn",
        /// Inner address of the peer.
        peer_address: Option<IpAddr> = "PeerAddress",
        /// `up` or `down`.
        status: Option<String> = "BgpStatus",
    }

    /// A route table of a transit gateway.
    TransitGatewayRouteTable {
        /// The transit gateway.
        transit_gateway: Option<String> = "TransitGatewayId",
        /// `available` and others.
        state: Option<String> = "State",
        /// Whether new attachments are associated with it.
        default_association: bool = "DefaultAssociationRouteTable",
        /// Whether new attachments propagate to it.
        default_propagation: bool = "DefaultPropagationRouteTable",
        /// Attachments that it decides for.
        associations: Vec<AttachmentLink> = (|_| Vec::new()),
        /// Attachments that put their routes into it.
        propagations: Vec<AttachmentLink> = (|_| Vec::new()),
        /// Its routes.
        routes: Vec<TransitGatewayRoute> = (|_| Vec::new()),
        /// Whether [`routes`](Self::routes) are all of them: not when only the static ones are known, or none.
        routes_complete: bool = (|_| false),
        /// Prefix lists that it refers to.
        references: Vec<PrefixListReference> = (|_| Vec::new()),
    }

    /// An attachment that a route table is for, or learns from.
    AttachmentLink {
        /// The attachment.
        attachment: Option<String> = "TransitGatewayAttachmentId",
        /// What is attached.
        resource_type: Option<AttachmentType> = "ResourceType",
        /// Its id.
        resource: Option<String> = "ResourceId",
        /// `associated`, `enabled` and others.
        state: Option<String> = "State",
    }

    /// A route of a transit gateway.
    TransitGatewayRoute {
        /// Where packets go to.
        destination: Option<Destination> = "",
        /// `static` or `propagated`.
        origin: Option<String> = "Type",
        /// `active` or `blackhole`.
        state: Option<String> = "State",
        /// Attachments that lead there: several when they share the load.
        attachments: Vec<AttachmentLink> = "TransitGatewayAttachments",
    }

    /// A prefix list that a route table refers to.
    PrefixListReference {
        /// The prefix list.
        prefix_list: Option<String> = "PrefixListId",
        /// Whose it is.
        prefix_list_owner: Option<String> = "PrefixListOwnerId",
        /// Whether packets are dropped.
        blackhole: bool = "Blackhole",
        /// The attachment that leads there otherwise.
        attachment: Option<AttachmentLink> = "TransitGatewayAttachment",
        /// `available` and others.
        state: Option<String> = "State",
    }

    /// Associations of a route table, as they are asked for.
    Associations {
        /// The attachments.
        links: Vec<AttachmentLink> = "Associations",
    }

    /// Propagations of a route table, as they are asked for.
    Propagations {
        /// The attachments.
        links: Vec<AttachmentLink> = "TransitGatewayRouteTablePropagations",
    }

    /// Routes of a route table, as they are asked for.
    Routes {
        /// The routes.
        routes: Vec<TransitGatewayRoute> = "Routes",
        /// Whether there are more.
        more: bool = "AdditionalRoutesAvailable",
    }

    /// References of a route table, as they are asked for.
    References {
        /// The prefix lists.
        references: Vec<PrefixListReference> = "TransitGatewayPrefixListReferences",
    }
}

fn default_table(row: Row<'_>, switch: &'static str, table: &'static str) -> Option<String> {
    let used = row.get::<Option<bool>>(&[switch]).unwrap_or(true);
    row.text(table).filter(|_| used)
}
