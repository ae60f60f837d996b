//! Network Manager: global networks and core networks (Cloud WAN).

use serde_json::Value;

use super::cidr::Cidr;
use super::read::entity;
use super::routing::Destination;

entity! {
    /// A global network.
    GlobalNetwork {
        /// What its creator wrote.
        description: Option<String> = "Description",
        /// `AVAILABLE` and others.
        state: Option<String> = "State",
    }

    /// A core network.
    CoreNetwork {
        /// Its ARN, which routes name.
        arn: Option<String> = "CoreNetworkArn",
        /// The global network.
        global_network: Option<String> = "GlobalNetworkId",
        /// What its creator wrote.
        description: Option<String> = "Description",
        /// `AVAILABLE` and others.
        state: Option<String> = "State",
        /// Segments.
        segments: Vec<Segment> = "Segments",
        /// Network function groups.
        function_groups: Vec<FunctionGroup> = "NetworkFunctionGroups",
        /// Where it has an edge.
        edges: Vec<Edge> = "Edges",
        /// The policy in force, when it was told.
        policy: Option<CoreNetworkPolicy> = (|_| None),
    }

    /// A core network as it is asked for by its id.
    CoreNetworkDetails {
        /// The core network.
        network: CoreNetwork = "CoreNetwork",
    }

    /// A segment: what is attached to it reaches each other.
    Segment {
        /// Its name.
        name: String = "Name",
        /// Where it is.
        edges: Vec<String> = "EdgeLocations",
        /// Segments it shares routes with.
        shared: Vec<String> = "SharedSegments",
    }

    /// A network function group: appliances that segments send through.
    FunctionGroup {
        /// Its name.
        name: String = "Name",
        /// Where it is.
        edges: Vec<String> = "EdgeLocations",
        /// Segments that send to others through it.
        send_via: Vec<String> = "Segments.SendVia",
        /// Segments that send to it.
        send_to: Vec<String> = "Segments.SendTo",
    }

    /// An edge of a core network.
    Edge {
        /// The region.
        region: String = "EdgeLocation",
        /// Its BGP number.
        asn: Option<i64> = "Asn",
        /// Blocks for its own use.
        inside: Vec<Cidr> = "InsideCidrBlocks",
    }

    /// The policy of a core network.
    CoreNetworkPolicy {
        /// Its version.
        version: Option<i64> = "CoreNetworkPolicy.PolicyVersionId",
        /// `LIVE` or `LATEST`.
        alias: Option<String> = "CoreNetworkPolicy.Alias",
        /// The document.
        document: Option<Value> = "CoreNetworkPolicy.PolicyDocument",
    }

    /// What is attached to a core network.
    CoreNetworkAttachment {
        /// The core network.
        core_network: Option<String> = "CoreNetworkId",
        /// `VPC`, `SITE_TO_SITE_VPN`, `CONNECT`, `TRANSIT_GATEWAY_ROUTE_TABLE`, `DIRECT_CONNECT_GATEWAY`.
        attachment_type: Option<String> = "AttachmentType",
        /// ARN of what is attached.
        resource: Option<String> = "ResourceArn",
        /// Its segment.
        segment: Option<String> = "SegmentName",
        /// Its network function group.
        function_group: Option<String> = "NetworkFunctionGroupName",
        /// The edges it is attached at: one, except for Direct Connect gateways.
        edges: Vec<String> = ["EdgeLocation", "EdgeLocations"],
        /// `AVAILABLE` and others.
        state: Option<String> = "State",
    }

    /// The routes of a segment or network function group at an edge. Its id is
    /// `<core network>/segment/<name>/<edge>` or `<core network>/network-function-group/<name>/<edge>`.
    CoreNetworkRouteTable {
        /// The core network.
        core_network: Option<String> = [
            "RouteTableIdentifier.CoreNetworkSegmentEdge.CoreNetworkId",
            "RouteTableIdentifier.CoreNetworkNetworkFunctionGroup.CoreNetworkId",
            "CoreNetworkSegmentEdge.CoreNetworkId"
        ],
        /// The segment.
        segment: Option<String> = ["RouteTableIdentifier.CoreNetworkSegmentEdge.SegmentName", "CoreNetworkSegmentEdge.SegmentName"],
        /// The network function group instead of one.
        function_group: Option<String> = "RouteTableIdentifier.CoreNetworkNetworkFunctionGroup.NetworkFunctionGroupName",
        /// The edge.
        edge: Option<String> = [
            "RouteTableIdentifier.CoreNetworkSegmentEdge.EdgeLocation",
            "RouteTableIdentifier.CoreNetworkNetworkFunctionGroup.EdgeLocation",
            "CoreNetworkSegmentEdge.EdgeLocation"
        ],
        /// The routes.
        routes: Vec<CoreNetworkRoute> = "NetworkRoutes",
    }

    /// A route of a core network.
    CoreNetworkRoute {
        /// Where packets go to.
        destination: Option<Destination> = "",
        /// `ACTIVE` or `BLACKHOLE`.
        state: Option<String> = "State",
        /// `PROPAGATED` or `STATIC`.
        origin: Option<String> = "Type",
        /// What leads there.
        via: Vec<CoreNetworkHop> = "Destinations",
    }

    /// What a route of a core network leads to.
    CoreNetworkHop {
        /// The attachment.
        attachment: Option<String> = ["CoreNetworkAttachmentId", "TransitGatewayAttachmentId"],
        /// The segment.
        segment: Option<String> = "SegmentName",
        /// The network function group.
        function_group: Option<String> = "NetworkFunctionGroupName",
        /// The edge.
        edge: Option<String> = "EdgeLocation",
        /// `vpc` and others.
        resource_type: Option<String> = "ResourceType",
        /// What is attached.
        resource: Option<String> = "ResourceId",
    }
}
