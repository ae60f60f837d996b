//! Direct Connect: gateways, what is behind them, and the lines that lead to them.

use std::net::IpAddr;

use super::cidr::Cidr;
use super::read::entity;

entity! {
    /// A Direct Connect gateway.
    DirectConnectGateway {
        /// Its name.
        gateway_name: Option<String> = "directConnectGatewayName",
        /// BGP number of Amazon's side.
        asn: Option<i64> = "amazonSideAsn",
        /// `available` and others.
        state: Option<String> = "directConnectGatewayState",
    }

    /// A gateway behind a Direct Connect gateway. Its id is the association's, or the two gateways' where
    /// AWS tells none.
    DirectConnectAssociation {
        /// The Direct Connect gateway.
        direct_connect_gateway: Option<String> = "directConnectGatewayId",
        /// The virtual private or transit gateway.
        gateway: Option<String> = ["associatedGateway.id", "virtualGatewayId"],
        /// `virtualPrivateGateway` or `transitGateway`.
        gateway_type: Option<String> = "associatedGateway.type",
        /// Whose it is.
        gateway_owner: Option<String> = ["associatedGateway.ownerAccount", "virtualGatewayOwnerAccount"],
        /// Where it is.
        gateway_region: Option<String> = ["associatedGateway.region", "virtualGatewayRegion"],
        /// The core network instead of a gateway.
        core_network: Option<String> = "associatedCoreNetwork.id",
        /// The blocks that are announced over Direct Connect.
        allowed: Vec<Cidr> = "allowedPrefixesToDirectConnectGateway[].cidr",
        /// `associated` and others.
        state: Option<String> = "associationState",
    }

    /// A virtual interface at a Direct Connect gateway. Its id is the gateway's and the interface's.
    DirectConnectAttachment {
        /// The Direct Connect gateway.
        direct_connect_gateway: Option<String> = "directConnectGatewayId",
        /// The virtual interface.
        virtual_interface: Option<String> = "virtualInterfaceId",
        /// Where that is.
        virtual_interface_region: Option<String> = "virtualInterfaceRegion",
        /// Whose that is.
        virtual_interface_owner: Option<String> = "virtualInterfaceOwnerAccount",
        /// `attached` and others.
        state: Option<String> = "attachmentState",
    }

    /// A virtual interface.
    VirtualInterface {
        /// Its name.
        interface_name: Option<String> = "virtualInterfaceName",
        /// `private`, `public` or `transit`.
        interface_type: Option<String> = "virtualInterfaceType",
        /// `available` and others.
        state: Option<String> = "virtualInterfaceState",
        /// The connection or link aggregation group below.
        connection: Option<String> = "connectionId",
        /// Where that is.
        location: Option<String> = "location",
        /// VLAN.
        vlan: Option<u32> = "vlan",
        /// BGP number of the far end.
        asn: Option<i64> = ["asnLong", "asn"],
        /// AWS's address.
        near: Option<IpAddr> = "amazonAddress",
        /// The far end's address.
        far: Option<IpAddr> = "customerAddress",
        /// The virtual private gateway it leads to.
        vpn_gateway: Option<String> = "virtualGatewayId",
        /// The Direct Connect gateway it leads to.
        direct_connect_gateway: Option<String> = "directConnectGatewayId",
        /// Blocks that the far end announces to AWS (public).
        announced: Vec<Cidr> = "routeFilterPrefixes[].cidr",
        /// Largest packet, in bytes.
        mtu: Option<u32> = "mtu",
        /// Whether it also leads to other sites.
        site_link: bool = "siteLinkEnabled",
        /// BGP sessions.
        peers: Vec<BgpPeer> = "bgpPeers",
    }

    /// A BGP session over a virtual interface.
    BgpPeer {
        /// AWS's address.
        near: Option<IpAddr> = "amazonAddress",
        /// The far end's address.
        far: Option<IpAddr> = "customerAddress",
        /// BGP number of the far end.
        asn: Option<i64> = ["asnLong", "asn"],
        /// `available` and others.
        state: Option<String> = "bgpPeerState",
        /// `up` or `down`.
        status: Option<String> = "bgpStatus",
    }

    /// A connection: a line to a location.
    DirectConnectConnection {
        /// Its name.
        connection_name: Option<String> = "connectionName",
        /// `available` and others.
        state: Option<String> = "connectionState",
        /// Where it ends.
        location: Option<String> = "location",
        /// `10Gbps`.
        bandwidth: Option<String> = "bandwidth",
        /// The link aggregation group it is part of.
        lag: Option<String> = "lagId",
        /// VLAN of a hosted connection.
        vlan: Option<u32> = "vlan",
        /// The partner who provides it.
        partner: Option<String> = ["partnerName", "providerName"],
        /// AWS's device.
        device: Option<String> = ["awsDeviceV2", "awsDevice"],
    }

    /// A link aggregation group.
    Lag {
        /// Its name.
        lag_name: Option<String> = "lagName",
        /// `available` and others.
        state: Option<String> = "lagState",
        /// Where it ends.
        location: Option<String> = "location",
        /// Bandwidth of each connection.
        bandwidth: Option<String> = "connectionsBandwidth",
        /// Its connections.
        connections: Vec<String> = "connections[].connectionId",
        /// How many connections must work for it to work.
        minimum_links: Option<u32> = "minimumLinks",
        /// AWS's device.
        device: Option<String> = ["awsDeviceV2", "awsDevice"],
    }
}
