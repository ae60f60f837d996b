//! The catalogue: one row for each call that is made to learn what a network consists of.
//!
//! Everything else is derived from it: what is asked and in which order, the least privileges that
//! it takes ([`super::policy`]), the sections of a snapshot, what is redacted, the documentation, and the
//! report of what was covered.
//!
//! Paging, page sizes and scopes are those of AWS's service models and API references, 2026-11.

use super::service::Service;

/// How the rows of answers form a section of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The section is a list: the rows of all answers, one after the other.
    Flat,
    /// The section is a list with one row for each parent: the parameters that name the parent, then
    /// the members of the answer, the rows of its pages together.
    Nested,
    /// The section is the member of the one answer, as it is.
    Whole,
}

/// Where a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In every region: the answer is about that region.
    Regional,
    /// Once in an account: the answer is the same wherever it is asked for.
    Global,
}

/// How a long answer is continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// Everything comes at once.
    None,
    /// The answer's token member is sent back in the request's, as long as there is one.
    Token {
        /// Request member for the size of a page.
        size_member: &'static str,
        /// The largest page that is allowed.
        size: u32,
        /// Request member for the token.
        input: &'static str,
        /// Answer member with the token.
        output: &'static str,
    },
}

/// What a call is repeated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// For each row of another section.
    Row {
        /// The section.
        section: &'static str,
        /// The member of its rows that names the parent.
        member: &'static str,
        /// The request parameter it becomes.
        parameter: &'static str,
    },
    /// For each segment and edge, and each network function group and edge, of each core network in
    /// the section.
    CoreNetworkEdge {
        /// The section with answers of `GetCoreNetwork`.
        section: &'static str,
    },
}

/// Whose a row is, when several accounts can see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The account that was asked. No other account sees the row.
    Asked,
    /// The account that the member names: its id, or an ARN that holds it. Path of members, joined
    /// by dots.
    Member(&'static str),
}

/// One call of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The service.
    pub service: Service,
    /// The operation's name.
    pub operation: &'static str,
    /// Where a call is made.
    pub scope: Scope,
    /// The section of the snapshot that holds the rows; no two endpoints share one.
    pub section: &'static str,
    /// The member of the answer that holds the rows; empty when the whole answer is the row.
    pub member: &'static str,
    /// How rows form the section.
    pub rows: Rows,
    /// How a long answer is continued.
    pub paging: Paging,
    /// What the call is repeated for; `None` when it is made once.
    pub per: Option<Per>,
    /// Parameters that are always sent: name and value.
    pub parameters: &'static [(&'static str, Parameter)],
    /// Member of a row that holds a list of resources, where a row is not one itself.
    pub within: Option<&'static str>,
    /// Members that together name a resource; empty when the row is a text that names it.
    pub identity: &'static [&'static str],
    /// Whose a resource is.
    pub owner: Owner,
    /// Members that hold a secret, as paths: members joined by dots, `[]` after a list.
    pub secrets: &'static [&'static str],
    /// Members that change without anybody changing anything, left out of change events.
    pub volatile: &'static [&'static str],
    /// Error codes that mean that there is nothing to answer.
    pub absent: &'static [&'static str],
    /// What the rows are good for.
    pub purpose: &'static str,
}

/// A value of a fixed parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// A text.
    Text(&'static str),
    /// True or false.
    Flag(bool),
}

impl Endpoint {
    /// The IAM action that allows the call.
    pub fn action(&self) -> String {
        format!("{}:{}", self.service.signing_name(), self.operation)
    }

    /// The section whose rows the call is repeated for.
    pub fn parent(&self) -> Option<&'static str> {
        match self.per? {
            Per::Row { section, .. } | Per::CoreNetworkEdge { section } => Some(section),
        }
    }

    /// The name in reports: `ec2:DescribeVpcs`, with the service as the AWS CLI calls it.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service.id(), self.operation)
    }
}

/// The endpoint whose rows a section holds.
pub fn of_section(section: &str) -> Option<&'static Endpoint> {
    CATALOGUE.iter().find(|e| e.section == section)
}

/// The endpoint of an operation of a service.
pub fn of_operation(service: Service, operation: &str) -> Option<&'static Endpoint> {
    CATALOGUE
        .iter()
        .find(|e| e.service == service && e.operation == operation)
}

const fn next_token(size: u32) -> Paging {
    Paging::Token {
        size_member: "MaxResults",
        size,
        input: "NextToken",
        output: "NextToken",
    }
}

const fn marker(size: u32) -> Paging {
    Paging::Token {
        size_member: "PageSize",
        size,
        input: "Marker",
        output: "NextMarker",
    }
}

/// Direct Connect spells its members in lower case, and gives no more than 100 rows.
const DIRECT_CONNECT_PAGES: Paging = Paging::Token {
    size_member: "maxResults",
    size: 100,
    input: "nextToken",
    output: "nextToken",
};

const IAM_PAGES: Paging = Paging::Token {
    size_member: "MaxItems",
    size: 1000,
    input: "Marker",
    output: "Marker",
};

const fn regional(
    service: Service,
    operation: &'static str,
    section: &'static str,
    paging: Paging,
    identity: &'static [&'static str],
    purpose: &'static str,
) -> Endpoint {
    Endpoint {
        service,
        operation,
        scope: Scope::Regional,
        section,
        member: section,
        rows: Rows::Flat,
        paging,
        per: None,
        parameters: &[],
        within: None,
        identity,
        owner: Owner::Asked,
        secrets: &[],
        volatile: &[],
        absent: &[],
        purpose,
    }
}

const fn ec2(
    operation: &'static str,
    section: &'static str,
    paging: Paging,
    identity: &'static [&'static str],
    purpose: &'static str,
) -> Endpoint {
    regional(Service::Ec2, operation, section, paging, identity, purpose)
}

const fn global(endpoint: Endpoint) -> Endpoint {
    Endpoint {
        scope: Scope::Global,
        ..endpoint
    }
}

const fn owned(member: &'static str, endpoint: Endpoint) -> Endpoint {
    Endpoint {
        owner: Owner::Member(member),
        ..endpoint
    }
}

const fn per(
    section: &'static str,
    member: &'static str,
    parameter: &'static str,
    rows: Rows,
    answer: &'static str,
    endpoint: Endpoint,
) -> Endpoint {
    Endpoint {
        per: Some(Per::Row {
            section,
            member,
            parameter,
        }),
        rows,
        member: answer,
        ..endpoint
    }
}

/// Repeated for each transit gateway route table.
const fn per_route_table(answer: &'static str, endpoint: Endpoint) -> Endpoint {
    per(
        "TransitGatewayRouteTables",
        "TransitGatewayRouteTableId",
        "TransitGatewayRouteTableId",
        Rows::Nested,
        answer,
        endpoint,
    )
}

use Paging::None as Unpaged;
use Service::{
    DirectConnect, ElasticLoadBalancing, ElasticLoadBalancingV2, NetworkFirewall, NetworkManager,
};

/// Every call, parents before what is repeated for their rows.
pub const CATALOGUE: &[Endpoint] = &[
    // ---- EC2, whole account -------------------------------------------------------------------
    Endpoint {
        parameters: &[("AllRegions", Parameter::Flag(true))],
        ..global(ec2(
            "DescribeRegions",
            "Regions",
            Unpaged,
            &["RegionName"],
            "regions and whether the account enabled them",
        ))
    },
    // ---- EC2 ----------------------------------------------------------------------------------
    ec2(
        "DescribeAvailabilityZones",
        "AvailabilityZones",
        Unpaged,
        &["ZoneId"],
        "zone ids, which mean the same place in every account",
    ),
    owned(
        "OwnerId",
        ec2(
            "DescribeVpcs",
            "Vpcs",
            next_token(1000),
            &["VpcId"],
            "VPCs and their CIDR blocks",
        ),
    ),
    Endpoint {
        // Changes with every address that is taken.
        volatile: &["AvailableIpAddressCount"],
        ..owned(
            "OwnerId",
            ec2(
                "DescribeSubnets",
                "Subnets",
                next_token(1000),
                &["SubnetId"],
                "subnets, their CIDR blocks and zones, those shared with the account included",
            ),
        )
    },
    owned(
        "OwnerId",
        ec2(
            "DescribeNetworkInterfaces",
            "NetworkInterfaces",
            next_token(1000),
            &["NetworkInterfaceId"],
            "interfaces: the addresses, and the resource behind each",
        ),
    ),
    Endpoint {
        within: Some("Instances"),
        ..owned(
            "OwnerId",
            ec2(
                "DescribeInstances",
                "Reservations",
                next_token(1000),
                &["InstanceId"],
                "instances, by reservation",
            ),
        )
    },
    ec2(
        "DescribeAddresses",
        "Addresses",
        Unpaged,
        &["AllocationId"],
        "elastic IP addresses",
    ),
    owned(
        "OwnerId",
        ec2(
            "DescribeSecurityGroups",
            "SecurityGroups",
            next_token(1000),
            &["GroupId"],
            "security groups and their rules",
        ),
    ),
    owned(
        "OwnerId",
        ec2(
            "DescribeNetworkAcls",
            "NetworkAcls",
            next_token(1000),
            &["NetworkAclId"],
            "network ACLs and their entries",
        ),
    ),
    owned(
        "OwnerId",
        ec2(
            "DescribeRouteTables",
            "RouteTables",
            next_token(100),
            &["RouteTableId"],
            "route tables, their routes and associations",
        ),
    ),
    owned(
        "OwnerId",
        ec2(
            "DescribeInternetGateways",
            "InternetGateways",
            next_token(1000),
            &["InternetGatewayId"],
            "internet gateways",
        ),
    ),
    ec2(
        "DescribeEgressOnlyInternetGateways",
        "EgressOnlyInternetGateways",
        next_token(255),
        &["EgressOnlyInternetGatewayId"],
        "egress-only internet gateways (IPv6)",
    ),
    ec2(
        "DescribeNatGateways",
        "NatGateways",
        next_token(1000),
        &["NatGatewayId"],
        "NAT gateways and their addresses",
    ),
    owned(
        "OwnerId",
        ec2(
            "DescribeVpcEndpoints",
            "VpcEndpoints",
            next_token(1000),
            &["VpcEndpointId"],
            "VPC endpoints and the service behind each",
        ),
    ),
    ec2(
        "DescribeVpcEndpointServiceConfigurations",
        "ServiceConfigurations",
        next_token(1000),
        &["ServiceId"],
        "endpoint services that the account offers (PrivateLink)",
    ),
    owned(
        "RequesterVpcInfo.OwnerId",
        ec2(
            "DescribeVpcPeeringConnections",
            "VpcPeeringConnections",
            next_token(1000),
            &["VpcPeeringConnectionId"],
            "peering between VPCs, also of other accounts and regions",
        ),
    ),
    owned(
        "OwnerId",
        Endpoint {
            member: "PrefixLists",
            ..ec2(
                "DescribeManagedPrefixLists",
                "ManagedPrefixLists",
                next_token(100),
                &["PrefixListId"],
                "prefix lists that routes and rules name",
            )
        },
    ),
    per(
        "ManagedPrefixLists",
        "PrefixListId",
        "PrefixListId",
        Rows::Nested,
        "Entries",
        ec2(
            "GetManagedPrefixListEntries",
            "ManagedPrefixListEntries",
            next_token(100),
            &["PrefixListId"],
            "the CIDR blocks of prefix lists",
        ),
    ),
    ec2(
        "DescribePrefixLists",
        "PrefixLists",
        next_token(1000),
        &["PrefixListId"],
        "CIDR blocks of AWS services with gateway endpoints",
    ),
    ec2(
        "DescribeFlowLogs",
        "FlowLogs",
        next_token(1000),
        &["FlowLogId"],
        "flow logs: what is logged, in which format, to where, and whether it is delivered",
    ),
    // ---- EC2: VPN -----------------------------------------------------------------------------
    ec2(
        "DescribeCustomerGateways",
        "CustomerGateways",
        Unpaged,
        &["CustomerGatewayId"],
        "the far ends of VPN connections",
    ),
    ec2(
        "DescribeVpnGateways",
        "VpnGateways",
        Unpaged,
        &["VpnGatewayId"],
        "virtual private gateways and the VPCs they are attached to",
    ),
    Endpoint {
        // Both hold the pre-shared keys of the tunnels.
        secrets: &[
            "CustomerGatewayConfiguration",
            "Options.TunnelOptions[].PreSharedKey",
        ],
        volatile: &["VgwTelemetry"],
        ..ec2(
            "DescribeVpnConnections",
            "VpnConnections",
            Unpaged,
            &["VpnConnectionId"],
            "site-to-site VPN connections and their tunnels, without keys",
        )
    },
    // ---- EC2: Transit Gateway -----------------------------------------------------------------
    owned(
        "OwnerId",
        ec2(
            "DescribeTransitGateways",
            "TransitGateways",
            next_token(1000),
            &["TransitGatewayId"],
            "transit gateways, those shared with the account included",
        ),
    ),
    owned(
        "TransitGatewayOwnerId",
        ec2(
            "DescribeTransitGatewayAttachments",
            "TransitGatewayAttachments",
            next_token(1000),
            &["TransitGatewayAttachmentId"],
            "everything attached to transit gateways, and the route table of each",
        ),
    ),
    owned(
        "VpcOwnerId",
        ec2(
            "DescribeTransitGatewayVpcAttachments",
            "TransitGatewayVpcAttachments",
            next_token(1000),
            &["TransitGatewayAttachmentId"],
            "VPCs attached to transit gateways, with their subnets",
        ),
    ),
    owned(
        "RequesterTgwInfo.OwnerId",
        ec2(
            "DescribeTransitGatewayPeeringAttachments",
            "TransitGatewayPeeringAttachments",
            next_token(1000),
            &["TransitGatewayAttachmentId"],
            "peering between transit gateways",
        ),
    ),
    ec2(
        "DescribeTransitGatewayRouteTables",
        "TransitGatewayRouteTables",
        next_token(1000),
        &["TransitGatewayRouteTableId"],
        "route tables of the account's own transit gateways",
    ),
    per_route_table(
        "Associations",
        ec2(
            "GetTransitGatewayRouteTableAssociations",
            "TransitGatewayRouteTableAssociations",
            next_token(1000),
            &["TransitGatewayRouteTableId"],
            "which attachments a route table decides for",
        ),
    ),
    per_route_table(
        "TransitGatewayRouteTablePropagations",
        ec2(
            "GetTransitGatewayRouteTablePropagations",
            "TransitGatewayPropagations",
            next_token(1000),
            &["TransitGatewayRouteTableId"],
            "which attachments put their routes into a route table",
        ),
    ),
    per_route_table(
        "Routes",
        ec2(
            "SearchTransitGatewayRoutes",
            "TransitGatewayRoutes",
            next_token(1000),
            &["TransitGatewayRouteTableId"],
            "the routes of transit gateway route tables, all of them",
        ),
    ),
    per_route_table(
        "TransitGatewayPrefixListReferences",
        ec2(
            "GetTransitGatewayPrefixListReferences",
            "TransitGatewayPrefixListReferences",
            next_token(1000),
            &["TransitGatewayRouteTableId"],
            "prefix lists that transit gateway route tables refer to",
        ),
    ),
    ec2(
        "DescribeTransitGatewayConnects",
        "TransitGatewayConnects",
        next_token(1000),
        &["TransitGatewayAttachmentId"],
        "Connect attachments (GRE, SD-WAN)",
    ),
    ec2(
        "DescribeTransitGatewayConnectPeers",
        "TransitGatewayConnectPeers",
        next_token(1000),
        &["TransitGatewayConnectPeerId"],
        "GRE and BGP peers of Connect attachments",
    ),
    // ---- Direct Connect -----------------------------------------------------------------------
    regional(
        DirectConnect,
        "DescribeConnections",
        "connections",
        DIRECT_CONNECT_PAGES,
        &["connectionId"],
        "dedicated and hosted connections",
    ),
    regional(
        DirectConnect,
        "DescribeLags",
        "lags",
        DIRECT_CONNECT_PAGES,
        &["lagId"],
        "link aggregation groups",
    ),
    Endpoint {
        // The keys of BGP sessions; the router configuration repeats them.
        secrets: &["authKey", "bgpPeers[].authKey", "customerRouterConfig"],
        ..owned(
            "ownerAccount",
            regional(
                DirectConnect,
                "DescribeVirtualInterfaces",
                "virtualInterfaces",
                DIRECT_CONNECT_PAGES,
                &["virtualInterfaceId"],
                "virtual interfaces and their BGP peers, without keys",
            ),
        )
    },
    owned(
        "ownerAccount",
        global(regional(
            DirectConnect,
            "DescribeDirectConnectGateways",
            "directConnectGateways",
            DIRECT_CONNECT_PAGES,
            &["directConnectGatewayId"],
            "Direct Connect gateways",
        )),
    ),
    owned(
        "directConnectGatewayOwnerAccount",
        global(per(
            "directConnectGateways",
            "directConnectGatewayId",
            "directConnectGatewayId",
            Rows::Flat,
            "directConnectGatewayAssociations",
            regional(
                DirectConnect,
                "DescribeDirectConnectGatewayAssociations",
                "directConnectGatewayAssociations",
                DIRECT_CONNECT_PAGES,
                &["associationId"],
                "gateways behind Direct Connect gateways, and the prefixes they may announce",
            ),
        )),
    ),
    owned(
        "virtualInterfaceOwnerAccount",
        global(per(
            "directConnectGateways",
            "directConnectGatewayId",
            "directConnectGatewayId",
            Rows::Flat,
            "directConnectGatewayAttachments",
            regional(
                DirectConnect,
                "DescribeDirectConnectGatewayAttachments",
                "directConnectGatewayAttachments",
                DIRECT_CONNECT_PAGES,
                &["directConnectGatewayId", "virtualInterfaceId"],
                "virtual interfaces of Direct Connect gateways",
            ),
        )),
    ),
    // ---- Elastic Load Balancing ---------------------------------------------------------------
    regional(
        ElasticLoadBalancing,
        "DescribeLoadBalancers",
        "LoadBalancerDescriptions",
        marker(400),
        &["LoadBalancerName"],
        "Classic Load Balancers",
    ),
    regional(
        ElasticLoadBalancingV2,
        "DescribeLoadBalancers",
        "LoadBalancers",
        marker(400),
        &["LoadBalancerArn"],
        "Application, Network and Gateway Load Balancers",
    ),
    Endpoint {
        // AWS does not answer it today; the model has a place for it.
        secrets: &["DefaultActions[].AuthenticateOidcConfig.ClientSecret"],
        ..per(
            "LoadBalancers",
            "LoadBalancerArn",
            "LoadBalancerArn",
            Rows::Flat,
            "Listeners",
            regional(
                ElasticLoadBalancingV2,
                "DescribeListeners",
                "Listeners",
                marker(400),
                &["ListenerArn"],
                "ports and protocols of load balancers",
            ),
        )
    },
    regional(
        ElasticLoadBalancingV2,
        "DescribeTargetGroups",
        "TargetGroups",
        marker(400),
        &["TargetGroupArn"],
        "what load balancers send to",
    ),
    per(
        "TargetGroups",
        "TargetGroupArn",
        "TargetGroupArn",
        Rows::Nested,
        "TargetHealthDescriptions",
        regional(
            ElasticLoadBalancingV2,
            "DescribeTargetHealth",
            "LoadBalancerTargetHealth",
            Unpaged,
            &["TargetGroupArn"],
            "targets and their health",
        ),
    ),
    // ---- Network Firewall ---------------------------------------------------------------------
    regional(
        NetworkFirewall,
        "ListFirewalls",
        "Firewalls",
        next_token(100),
        &["FirewallArn"],
        "firewalls",
    ),
    per(
        "Firewalls",
        "FirewallArn",
        "FirewallArn",
        Rows::Nested,
        "",
        regional(
            NetworkFirewall,
            "DescribeFirewall",
            "FirewallDetails",
            Unpaged,
            &["FirewallArn"],
            "the VPC, subnets and endpoints of firewalls",
        ),
    ),
    per(
        "Firewalls",
        "FirewallArn",
        "FirewallArn",
        Rows::Nested,
        "",
        regional(
            NetworkFirewall,
            "DescribeLoggingConfiguration",
            "FirewallLoggingConfigurations",
            Unpaged,
            &["FirewallArn"],
            "where firewalls log to",
        ),
    ),
    regional(
        NetworkFirewall,
        "ListFirewallPolicies",
        "FirewallPolicies",
        next_token(100),
        &["Arn"],
        "firewall policies",
    ),
    per(
        "FirewallPolicies",
        "Arn",
        "FirewallPolicyArn",
        Rows::Nested,
        "",
        regional(
            NetworkFirewall,
            "DescribeFirewallPolicy",
            "FirewallPolicyDetails",
            Unpaged,
            &["FirewallPolicyArn"],
            "rule groups and default actions of policies",
        ),
    ),
    regional(
        NetworkFirewall,
        "ListRuleGroups",
        "RuleGroups",
        next_token(100),
        &["Arn"],
        "rule groups",
    ),
    per(
        "RuleGroups",
        "Arn",
        "RuleGroupArn",
        Rows::Nested,
        "",
        regional(
            NetworkFirewall,
            "DescribeRuleGroup",
            "RuleGroupDetails",
            Unpaged,
            &["RuleGroupArn"],
            "the rules of rule groups",
        ),
    ),
    // ---- Network Manager (Cloud WAN) ----------------------------------------------------------
    owned(
        "GlobalNetworkArn",
        global(regional(
            NetworkManager,
            "DescribeGlobalNetworks",
            "GlobalNetworks",
            next_token(500),
            &["GlobalNetworkId"],
            "global networks",
        )),
    ),
    owned(
        "OwnerAccountId",
        global(regional(
            NetworkManager,
            "ListCoreNetworks",
            "CoreNetworks",
            next_token(500),
            &["CoreNetworkId"],
            "core networks, those shared with the account included",
        )),
    ),
    owned(
        "CoreNetwork.CoreNetworkArn",
        global(per(
            "CoreNetworks",
            "CoreNetworkId",
            "CoreNetworkId",
            Rows::Nested,
            "",
            regional(
                NetworkManager,
                "GetCoreNetwork",
                "CoreNetworkDetails",
                Unpaged,
                &["CoreNetworkId"],
                "segments, edges and network function groups of core networks",
            ),
        )),
    ),
    global(Endpoint {
        parameters: &[("Alias", Parameter::Text("LIVE"))],
        ..per(
            "CoreNetworks",
            "CoreNetworkId",
            "CoreNetworkId",
            Rows::Nested,
            "",
            regional(
                NetworkManager,
                "GetCoreNetworkPolicy",
                "CoreNetworkPolicies",
                Unpaged,
                &["CoreNetworkId"],
                "the live policy of core networks",
            ),
        )
    }),
    owned(
        "OwnerAccountId",
        global(regional(
            NetworkManager,
            "ListAttachments",
            "Attachments",
            next_token(500),
            &["AttachmentId"],
            "what is attached to core networks, and the segment of each",
        )),
    ),
    global(Endpoint {
        per: Some(Per::CoreNetworkEdge {
            section: "CoreNetworkDetails",
        }),
        rows: Rows::Nested,
        member: "",
        volatile: &["RouteTableTimestamp"],
        ..regional(
            NetworkManager,
            "GetNetworkRoutes",
            "NetworkRoutes",
            Unpaged,
            &["GlobalNetworkId", "RouteTableIdentifier"],
            "the routes of each segment and network function group at each edge",
        )
    }),
    // ---- Organizations and IAM ----------------------------------------------------------------
    Endpoint {
        rows: Rows::Whole,
        absent: &["AWSOrganizationsNotInUseException"],
        ..owned(
            "MasterAccountId",
            global(regional(
                Service::Organizations,
                "DescribeOrganization",
                "Organization",
                Unpaged,
                &["Id"],
                "the organization and its management account",
            )),
        )
    },
    Endpoint {
        absent: &["AWSOrganizationsNotInUseException"],
        ..owned(
            "Arn",
            global(regional(
                Service::Organizations,
                "ListAccounts",
                "Accounts",
                next_token(20),
                &["Id"],
                "accounts of the organization and their names",
            )),
        )
    },
    global(regional(
        Service::Iam,
        "ListAccountAliases",
        "AccountAliases",
        IAM_PAGES,
        &[],
        "the account's alias",
    )),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_section_and_every_operation_is_listed_once() {
        let sections: HashSet<_> = CATALOGUE.iter().map(|e| e.section).collect();
        let operations: HashSet<_> = CATALOGUE.iter().map(Endpoint::name).collect();
        assert_eq!(
            (sections.len(), operations.len()),
            (CATALOGUE.len(), CATALOGUE.len())
        );
        assert_eq!(CATALOGUE.len(), 61);
    }

    #[test]
    fn parents_come_before_what_is_repeated_for_their_rows_and_are_asked_in_the_same_place() {
        for (at, endpoint) in CATALOGUE.iter().enumerate() {
            let Some(section) = endpoint.parent() else {
                continue;
            };
            let parent = CATALOGUE[..at]
                .iter()
                .find(|parent| parent.section == section)
                .unwrap();
            assert_eq!(parent.scope, endpoint.scope);
            assert_eq!(parent.service, endpoint.service);
        }
    }
}
