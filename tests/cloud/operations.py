"""Which answers of AWS become which section of a snapshot.

Written down a second time, apart from the collector's own catalogue: what the tests compare with must not be derived
from what they test.
"""

import dataclasses

FLAT, NESTED, WHOLE = "flat", "nested", "whole"
REDACTED = "REDACTED"


@dataclasses.dataclass(frozen=True)
class Operation:
    service: str  # as botocore names it
    name: str
    section: str
    member: str  # of the answer, with the rows; "" when the whole answer is one row
    scope: str = "regional"
    rows: str = FLAT
    parent: tuple = ()  # (section, member of its rows, request parameter)
    parameters: tuple = ()  # always sent: (name, value)

    @property
    def key(self):
        return (self.service, self.name)

    @property
    def title(self):
        return f"{self.service}:{self.name}"


def _ec2():
    listed = {
        "AvailabilityZones": "DescribeAvailabilityZones",
        "Reservations": "DescribeInstances",
        "ServiceConfigurations": "DescribeVpcEndpointServiceConfigurations",
    }
    same = """
        CustomerGateways FlowLogs InternetGateways EgressOnlyInternetGateways NatGateways NetworkAcls
        NetworkInterfaces Addresses PrefixLists RouteTables SecurityGroups Subnets Vpcs VpcEndpoints
        VpcPeeringConnections VpnConnections VpnGateways TransitGateways TransitGatewayAttachments
        TransitGatewayVpcAttachments TransitGatewayPeeringAttachments TransitGatewayRouteTables
        TransitGatewayConnects TransitGatewayConnectPeers
    """
    listed.update({section: f"Describe{section}" for section in same.split()})
    for section, name in listed.items():
        yield Operation("ec2", name, section, section)
    yield Operation("ec2", "DescribeManagedPrefixLists", "ManagedPrefixLists", "PrefixLists")
    lists = ("ManagedPrefixLists", "PrefixListId", "PrefixListId")
    entries = {"rows": NESTED, "parent": lists}
    yield Operation("ec2", "GetManagedPrefixListEntries", "ManagedPrefixListEntries", "Entries", **entries)
    identifier = "TransitGatewayRouteTableId"
    of_table = {"rows": NESTED, "parent": ("TransitGatewayRouteTables", identifier, identifier)}
    for section, name, member in (
        ("TransitGatewayRouteTableAssociations", "GetTransitGatewayRouteTableAssociations", "Associations"),
        (
            "TransitGatewayPropagations",
            "GetTransitGatewayRouteTablePropagations",
            "TransitGatewayRouteTablePropagations",
        ),
        ("TransitGatewayRoutes", "SearchTransitGatewayRoutes", "Routes"),
        (
            "TransitGatewayPrefixListReferences",
            "GetTransitGatewayPrefixListReferences",
            "TransitGatewayPrefixListReferences",
        ),
    ):
        yield Operation("ec2", name, section, member, **of_table)
    every = (("AllRegions", True),)
    yield Operation("ec2", "DescribeRegions", "Regions", "Regions", scope="global", parameters=every)


def _direct_connect():
    for section in ("virtualInterfaces", "lags", "connections"):
        yield Operation("directconnect", f"Describe{section[0].upper()}{section[1:]}", section, section)
    gateways = "directConnectGateways"
    yield Operation("directconnect", "DescribeDirectConnectGateways", gateways, gateways, scope="global")
    of_gateway = (gateways, "directConnectGatewayId", "directConnectGatewayId")
    for section in ("directConnectGatewayAssociations", "directConnectGatewayAttachments"):
        name = f"Describe{section[0].upper()}{section[1:]}"
        yield Operation("directconnect", name, section, section, scope="global", parent=of_gateway)


def _load_balancing():
    yield Operation("elb", "DescribeLoadBalancers", "LoadBalancerDescriptions", "LoadBalancerDescriptions")
    yield Operation("elbv2", "DescribeLoadBalancers", "LoadBalancers", "LoadBalancers")
    balancer = ("LoadBalancers", "LoadBalancerArn", "LoadBalancerArn")
    yield Operation("elbv2", "DescribeListeners", "Listeners", "Listeners", parent=balancer)
    yield Operation("elbv2", "DescribeTargetGroups", "TargetGroups", "TargetGroups")
    group = ("TargetGroups", "TargetGroupArn", "TargetGroupArn")
    health = "TargetHealthDescriptions"
    yield Operation("elbv2", "DescribeTargetHealth", "LoadBalancerTargetHealth", health, rows=NESTED, parent=group)


def _network_firewall():
    service = "network-firewall"
    for section in ("Firewalls", "FirewallPolicies", "RuleGroups"):
        yield Operation(service, f"List{section}", section, section)
    for section, name, parent in (
        ("FirewallDetails", "DescribeFirewall", ("Firewalls", "FirewallArn", "FirewallArn")),
        ("FirewallPolicyDetails", "DescribeFirewallPolicy", ("FirewallPolicies", "Arn", "FirewallPolicyArn")),
        ("RuleGroupDetails", "DescribeRuleGroup", ("RuleGroups", "Arn", "RuleGroupArn")),
        ("FirewallLoggingConfigurations", "DescribeLoggingConfiguration", ("Firewalls", "FirewallArn", "FirewallArn")),
    ):
        yield Operation(service, name, section, "", rows=NESTED, parent=parent)


def _network_manager():
    service, scope = "networkmanager", "global"
    yield Operation(service, "DescribeGlobalNetworks", "GlobalNetworks", "GlobalNetworks", scope)
    yield Operation(service, "ListCoreNetworks", "CoreNetworks", "CoreNetworks", scope)
    core = ("CoreNetworks", "CoreNetworkId", "CoreNetworkId")
    yield Operation(service, "GetCoreNetwork", "CoreNetworkDetails", "", scope, NESTED, core)
    live = (("Alias", "LIVE"),)
    yield Operation(service, "GetCoreNetworkPolicy", "CoreNetworkPolicies", "", scope, NESTED, core, live)
    yield Operation(service, "ListAttachments", "Attachments", "Attachments", scope)
    # Its parents are the segments and network function groups at the edges of each core network: see route_tables.
    yield Operation(service, "GetNetworkRoutes", "NetworkRoutes", "", scope, NESTED)


def _organization():
    yield Operation("organizations", "ListAccounts", "Accounts", "Accounts", "global")
    yield Operation("organizations", "DescribeOrganization", "Organization", "Organization", "global", WHOLE)
    yield Operation("iam", "ListAccountAliases", "AccountAliases", "AccountAliases", "global")


OPERATIONS = [
    *_ec2(),
    *_direct_connect(),
    *_load_balancing(),
    *_network_firewall(),
    *_network_manager(),
    *_organization(),
]
BY_KEY = {operation.key: operation for operation in OPERATIONS}
BY_SECTION = {operation.section: operation for operation in OPERATIONS}

# Names of paging members, as the models spell them: (page size, token in a request, token in an answer).
PAGING = (
    ("MaxResults", "NextToken", "NextToken"),
    ("maxResults", "nextToken", "nextToken"),
    ("PageSize", "Marker", "NextMarker"),
    ("MaxItems", "Marker", "Marker"),
)
PAGING_OUTPUT = {"NextToken", "nextToken", "NextMarker", "Marker", "IsTruncated"}

# Members of an answer that say nothing about the network.
NOT_KEPT = {"SearchTransitGatewayRoutes": {"AdditionalRoutesAvailable"}}

# Where a snapshot must not hold what AWS answered: paths in a row.
SECRETS = {
    "Listeners": (("DefaultActions", "AuthenticateOidcConfig", "ClientSecret"),),
    "VpnConnections": (("CustomerGatewayConfiguration",), ("Options", "TunnelOptions", "PreSharedKey")),
    "virtualInterfaces": (("authKey",), ("bgpPeers", "authKey"), ("customerRouterConfig",)),
}
SECRET_MARK = "SECRET-"

# The members of an organization are asked for where they decide what is collected, nowhere else.
ONLY_WITH_ORGANIZATION = "Accounts"

# Global data is asked for in one region of each partition: per service, by the start of the region's name.
HOME_REGIONS = {
    "aws": {"": "us-east-1", "networkmanager": "us-west-2"},
    "aws-cn": {"": "cn-north-1", "organizations": "cn-northwest-1"},
    "aws-us-gov": {"": "us-gov-west-1"},
}


def partition_of(region):
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def home_region(service, partition="aws"):
    regions = HOME_REGIONS[partition]
    return regions.get(service, regions[""])


def route_tables(core_network):
    """The route table identifiers of a core network, as GetCoreNetwork describes it."""
    identifiers = []
    kinds = (
        ("Segments", "CoreNetworkSegmentEdge", "SegmentName"),
        ("NetworkFunctionGroups", "CoreNetworkNetworkFunctionGroup", "NetworkFunctionGroupName"),
    )
    for member, kind, name in kinds:
        for row in core_network.get(member, []):
            for edge in row.get("EdgeLocations", []):
                place = {"CoreNetworkId": core_network["CoreNetworkId"], name: row["Name"], "EdgeLocation": edge}
                identifiers.append({kind: place})
    return identifiers


def redacted(section, rows):
    """The rows with their secrets replaced, as a snapshot must hold them."""
    paths = SECRETS.get(section, ())
    return [_redact_all(row, paths) for row in rows] if paths else rows


def _redact_all(row, paths):
    for path in paths:
        row = _redact(row, path)
    return row


def _redact(value, path):
    if isinstance(value, list):
        return [_redact(item, path) for item in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    inner = REDACTED if len(path) == 1 else _redact(value[path[0]], path[1:])
    return {**value, path[0]: inner}
