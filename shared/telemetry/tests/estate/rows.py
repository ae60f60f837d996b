"""The flows through every path of the estate, and what a person expects of each.

Each row stands with its expectation, derived from the rules of data transfer and the tables in `make.py`, not
from what any program says. A column that is not named is not checked; `-` says that it must be absent.
"""

import json

from make import (
    A, APP, ATTACHED, B, BOSTON, CORE_NETWORK_ARN, DATA_BACKUP, DB, DEV, DYNAMODB_ENDPOINT, FIREWALL_ENDPOINT,
    GIB, HOME, INSPECT_ENDPOINT, INTERFACES, LAB_TOOLS, LOCAL_GATEWAY, NETWORK, OFFICES, OUTSIDE, PARTNER, PROD,
    REGIONAL_NAT, S3_ENDPOINT, SHOP_DATA, SHOP_PARTNER, SHOP_TOOLS, SSM, TASK, TGW, TGW_DIRECT_CONNECT,
    TGW_PEERING, TGW_VPN, VANISHED, VIRGINIA, VPC, WAVELENGTH, WEB, acl_id, attachment, eni, gateway, resource,
    subnet_id, subnet_of, vpc_id,
)

T = 1795191600  # 2026-11-20T16:20:00Z
COLLECTED = T + 600  # when AWS answered what is in aws_configs
SEEN = T - 3600  # when it answered what is in before: what has vanished was there last
NAMES = {NETWORK: "network", PROD: "prod", DEV: "dev"}

V2 = ("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
      "log-status").split()
V5 = V2 + ("vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type "
           "sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path").split()
V11 = V5 + ("ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id "
            "ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id reject-reason "
            "resource-id encryption-status instance-tag instance-tag-2 interface-tag interface-tag-2 asg-tag "
            "asg-tag-2 interface-type next-hop-interface-id next-hop-subnet-id next-hop-az-id next-hop-vpc-id "
            "next-hop-interface-type").split()
TRANSIT = ("version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id "
           "tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id "
           "tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end "
           "log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded "
           "packets-lost-ttl-expired tcp-flags region flow-direction pkt-src-aws-service pkt-dst-aws-service").split()
assert (len(V2), len(V5), len(V11), len(TRANSIT)) == (14, 29, 54, 36)

# ---- What is expected of a side ----


def find(code, address):
    def has(at):
        return at.vpc == code and address in (at.address, at.v6, at.more.get("second"))
    return next(at for at in INTERFACES + VANISHED if has(at))


def identity(at):
    return at.more.get("id", eni(at.vpc, at.address))


TYPES = {"instance": "instance", "nat": "nat-gateway", "alb": "application-load-balancer",
         "nlb": "network-load-balancer", "lambda": "lambda-function", "task": "ecs-task"}


def on(code, address, how=None, **more):
    """A side that is an interface of the estate."""
    at = find(code, address)
    subnet, vpc = subnet_of(code, at.address), VPC[code]
    owner = at.more.get("owner", vpc.account)
    known = {
        "status": "hit", "account_id": owner, "account_name": NAMES[owner], "region": vpc.region, "az_id": subnet.zone,
        "vpc_id": vpc_id(code), "vpc_name": vpc.name, "subnet_id": subnet_id(subnet), "subnet_name": subnet.name,
        "interface_id": identity(at), "security_groups": ",".join(at.groups) or None,
        "resource_type": "eks-node" if "cluster" in at.more else TYPES.get(at.kind),
    }
    if at.kind == "instance":
        known |= {"instance_id": resource("i", code, at.address), "instance_name": at.name,
                  "resource_id": resource("i", code, at.address)}
    else:
        known["instance_id"] = "-"
    if at.kind == "nat":
        known |= {"resource_id": resource("nat", code, at.address), "resource_name": at.name}
    if at.kind in ("alb", "nlb", "lambda"):
        known["resource_name"] = at.name
    if at.kind == "endpoint":
        known |= {"resource_id": SSM, "service": "com.amazonaws.us-east-1.ssm"}
    if at.kind == "gateway-endpoint":
        known["resource_id"] = FIREWALL_ENDPOINT if code == "e1" else INSPECT_ENDPOINT
    if at.kind == "transit":
        known["resource_id"] = attachment(code)
    return {**known, "how": how, **more}


def away(how=None, status="hit", **more):
    """A side that is nothing of the estate."""
    absent = dict.fromkeys(["interface_id", "instance_id", "vpc_id", "subnet_id"], "-")
    return {"status": status, "how": how, **absent, **more}


PUBLIC = away("public")
SERVICE = away()
NOBODY = away("unknown-address", "miss")

# ---- What is expected of the way ----

GATEWAYS = {
    "igw": lambda code: (gateway("igw", code), "internet-gateway"),
    "eigw": lambda code: (gateway("eigw", code), "egress-only-internet-gateway"),
    "vgw": lambda code: (gateway("vgw", code), "virtual-private-gateway"),
    "cagw": lambda code: (gateway("cagw", code), "carrier-gateway"),
    "nat-a1": lambda _: (resource("nat", "a1", "10.1.0.220"), "nat-gateway"),
    "nat-d2": lambda _: (resource("nat", "d2", "100.64.10.20"), "nat-gateway"),
    "nat-e1": lambda _: (resource("nat", "e1", "10.100.0.220"), "nat-gateway"),
    "nat-a4": lambda _: (REGIONAL_NAT, "nat-gateway"),
    "tgw": lambda code: (TGW[VPC[code].region], "transit-gateway"),
    "pcx-data": lambda _: (SHOP_DATA, "peering-connection"),
    "pcx-tools": lambda _: (SHOP_TOOLS, "peering-connection"),
    "pcx-lab": lambda _: (LAB_TOOLS, "peering-connection"),
    "pcx-backup": lambda _: (DATA_BACKUP, "peering-connection"),
    "pcx-partner": lambda _: (SHOP_PARTNER, "peering-connection"),
    "s3": lambda _: (S3_ENDPOINT, "gateway-endpoint"),
    "dynamodb": lambda _: (DYNAMODB_ENDPOINT, "gateway-endpoint"),
    "gwlb": lambda _: (INSPECT_ENDPOINT, "gateway-load-balancer-endpoint"),
    "firewall": lambda _: (FIREWALL_ENDPOINT, "firewall"),
    "core": lambda _: (CORE_NETWORK_ARN, "core-network"),
    "lgw": lambda _: (LOCAL_GATEWAY, "local-gateway"),
    "router": lambda _: (eni("a5", "10.10.1.99"), "interface"),
    "none": lambda _: ("-", "-"),
}


def way(via, scope=None, cost=None, gate=None, count=None, confidence=None, **more):
    """`cost` in USD; `gate` is a key of the table above."""
    return {"via": via, "scope": scope, "transfer_cost_usd": cost, "gate": gate, "count_volume": count,
            "confidence": confidence, **more}


# ---- VPC rows ----


class Log:
    """Rows of one file, each with its name, expectation and what it shows."""

    def __init__(self, file, title, columns=None):
        self.file, self.title, self.columns = file, title, columns
        self.rows = []

    def add(self, name, row, shows, source=None, destination=None, how=None):
        expected = {}
        for prefix, side in (("src", source), ("dst", destination)):
            expected |= {f"{prefix}_{column}": value for column, value in (side or {}).items()}
        expected |= how or {}
        self.rows.append((name, row, {k: v for k, v in expected.items() if v is not None}, shows))


def vpc_row(at, source, destination, ports, size=GIB, path=None, packet=(None, None), version=5, start=None, **more):
    """A record of the interface `at` (VPC, address). `packet` holds the addresses in the packet where they differ."""
    code, address = at
    interface = find(code, address)
    subnet = subnet_of(code, interface.address)
    owner = interface.more.get("owner", VPC[code].account)
    own = (interface.address, interface.v6)
    start = T + 2 if start is None else start
    row = {
        "version": version, "account-id": "unknown" if interface.kind in ("endpoint", "nlb") else owner,
        "interface-id": identity(interface), "srcaddr": source, "dstaddr": destination, "srcport": ports[0],
        "dstport": ports[1], "protocol": 6, "packets": size // 1400 + 1, "bytes": size, "start": start,
        "end": start + 55,
        "action": "ACCEPT", "log-status": "OK", "vpc-id": vpc_id(code), "subnet-id": subnet_id(subnet),
        "instance-id": resource("i", code, interface.address) if interface.kind == "instance" else "-",
        "tcp-flags": 0, "type": "IPv6" if ":" in source else "IPv4", "pkt-srcaddr": packet[0] or source,
        "pkt-dstaddr": packet[1] or destination, "region": VPC[code].region, "az-id": subnet.zone,
        "flow-direction": "egress" if source in own else "ingress",
    }
    if path is not None:
        row["traffic-path"] = path
    if subnet.zone in (BOSTON, WAVELENGTH):
        row |= {"az-id": "-", "sublocation-id": subnet.zone,
                "sublocation-type": "localzone" if subnet.zone == BOSTON else "wavelength"}
    row.update({key.replace("_", "-"): value for key, value in more.items()})
    return row


def next_hop(code, address, kind="-"):
    subnet = subnet_of(code, address)
    return {"next-hop-interface-id": eni(code, address), "next-hop-subnet-id": subnet_id(subnet),
            "next-hop-az-id": subnet.zone, "next-hop-vpc-id": vpc_id(code), "next-hop-interface-type": kind}


BASTION, APP_A, APP_B = ("a1", "10.1.0.10"), ("a1", "10.1.1.20"), ("a1", "10.1.2.20")
ORDERS, FUNCTION, TASK_AT = ("a1", "10.1.2.33"), ("a1", "10.1.1.40"), ("a1", "10.1.1.60")
NAT, NODE = ("a1", "10.1.0.220"), ("a1", "10.1.5.10")
STORE_A, STORE_B = ("a2", "10.2.1.10"), ("a2", "10.2.2.10")
API, SEARCH = ("d4", "10.20.1.30"), ("d4", "10.20.2.30")
HOST = "203.0.113.5"
ASKED, ANSWERED = GIB // 10, 10 * GIB


def v5_rows():
    log = Log("vpc-v5.log", "VPC flow logs, 29 columns (v2 to v5)", V5)

    def add(name, shows, at, ends, ports, source, destination, how, **more):
        log.add(name, vpc_row(at, *ends, ports, **more), shows, source, destination, how)

    # ---- Within a VPC
    add("same-subnet-out", "app-a calls the task beside it", APP_A, ("10.1.1.20", "10.1.1.60"), (40001, 8080),
        on(*APP_A, "interface"), on(*TASK_AT, "address"), way("vpc", "intra-az", 0, "none", True), path=1)
    add("same-subnet-in", "the same, where it arrives", TASK_AT, ("10.1.1.20", "10.1.1.60"), (40001, 8080),
        on(*APP_A, "address"), on(*TASK_AT, "interface"), way("vpc", "intra-az", 0, "none", False))
    add("same-zone-out", "the bastion calls app-a: another subnet of the same zone", BASTION,
        ("10.1.0.10", "10.1.1.20"), (40002, 8080), on(*BASTION, "interface"), on(*APP_A, "address"),
        way("vpc", "intra-az", 0, "none", True), path=1)
    add("other-zone-out", "app-a calls the database in the other zone: 0.01 at the sender", APP_A,
        ("10.1.1.20", "10.1.2.33"), (40003, 5432), on(*APP_A, "interface"), on(*ORDERS, "address"),
        way("vpc", "inter-az", 0.01, "none", True), path=1)
    add("other-zone-in", "the same, where it arrives: 0.01 at the receiver", ORDERS, ("10.1.1.20", "10.1.2.33"),
        (40003, 5432), on(*APP_A, "address"), on(*ORDERS, "interface"), way("vpc", "inter-az", 0.01, "none", False))
    add("address-of-nobody", "an address of private-b that no interface has: its subnet tells the zone", APP_A,
        ("10.1.1.20", "10.1.2.250"), (40004, 8080), on(*APP_A, "interface"),
        {"status": "hit", "how": "subnet", "vpc_id": vpc_id("a1"), "subnet_name": "private-b", "az_id": B,
         "account_id": PROD, "interface_id": "-"}, way("vpc", "inter-az", 0.01, "none", True), path=1)
    add("ipv6-out", "app-a calls app-b by IPv6", APP_A, ("2001:db8:a1:1::20", "2001:db8:a1:2::20"), (40005, 443),
        on(*APP_A, "interface"), on("a1", "2001:db8:a1:2::20", "address"), way("vpc", "inter-az", 0.01, "none", True),
        path=1)
    add("ipv6-in", "the same, where it arrives", APP_B, ("2001:db8:a1:1::20", "2001:db8:a1:2::20"), (40005, 443),
        on(*APP_A, "address"), on(*APP_B, "interface"), way("vpc", "inter-az", 0.01, "none", False))
    add("second-address-out", "app-a sends from its second address: srcaddr stays the first", APP_A,
        ("10.1.1.20", "10.1.1.30"), (40006, 6379), on("a1", "10.1.1.51"), on("a1", "10.1.1.30", "address"),
        way("vpc", "intra-az", 0, "none", True), path=1, packet=("10.1.1.51", None))
    add("second-address-in", "the same, where it arrives: the second address is app-a's too", ("a1", "10.1.1.30"),
        ("10.1.1.51", "10.1.1.30"), (40006, 6379), on("a1", "10.1.1.51", "address"), on("a1", "10.1.1.30", "interface"),
        way("vpc", "intra-az", 0, "none", False))
    add("pod-out", "a pod, whose address is in a block that its node was given", NODE, ("10.1.5.10", "10.1.2.20"),
        (40007, 8080), on(*NODE), on(*APP_B, "address"), way("vpc", "inter-az", 0.01, "none", True), path=1,
        packet=("10.1.5.21", None))
    add("pod-in", "the same, where it arrives: only the packet's address is the pod's", APP_B,
        ("10.1.5.21", "10.1.2.20"), (40007, 8080), on(*NODE, "address"), on(*APP_B, "interface"),
        way("vpc", "inter-az", 0.01, "none", False))
    add("function-out", "a Lambda function asks the cache", FUNCTION, ("10.1.1.40", "10.1.1.30"), (40008, 6379),
        on(*FUNCTION, "interface"), on("a1", "10.1.1.30", "address"), way("vpc", "intra-az", 0, "none", True), path=1)
    add("guest-out", "an interface of dev in prod's shared subnet", ("a1", "10.1.9.15"), ("10.1.9.15", "10.1.1.20"),
        (40009, 8080), on("a1", "10.1.9.15", "interface"), on(*APP_A, "address"),
        way("vpc", "intra-az", 0, "none", True), path=1)
    add("guest-in", "the same, where it arrives: the sender is of another account and the same VPC", APP_A,
        ("10.1.9.15", "10.1.1.20"), (40009, 8080), on("a1", "10.1.9.15", "address"), on(*APP_A, "interface"),
        way("vpc", "intra-az", 0, "none"))
    # ---- Load balancers
    add("client-to-balancer", "a client reaches the load balancer", ("a1", "10.1.0.50"), (HOST, "10.1.0.50"),
        (50001, 443), PUBLIC, on("a1", "10.1.0.50", "interface"),
        way("internet-gateway", "internet", 0, "igw-a1", True))
    add("balancer-to-target", "the load balancer passes it on in its zone", ("a1", "10.1.0.50"),
        ("10.1.0.50", "10.1.1.20"), (40010, 8080), on("a1", "10.1.0.50", "interface"), on(*APP_A, "address"),
        way("vpc", "intra-az", 0, "none", True), path=1)
    add("balancer-to-other-zone", "and into the other zone", ("a1", "10.1.0.50"), ("10.1.0.50", "10.1.2.20"),
        (40011, 8080), on("a1", "10.1.0.50", "interface"), on(*APP_B, "address"),
        way("vpc", "inter-az", 0.01, "none", True), path=1)
    add("balancer-at-target", "what the target sees of it", APP_B, ("10.1.0.50", "10.1.2.20"), (40011, 8080),
        on("a1", "10.1.0.50", "address"), on(*APP_B, "interface"), way("vpc", "inter-az", 0.01, "none", False))
    add("client-at-target", "behind a Network Load Balancer the target sees the client, with no route to explain it",
        APP_A, ("203.0.113.77", "10.1.1.20"), (50002, 8443), PUBLIC, on(*APP_A, "interface"), way(None, None, 0))
    add("cloudfront-out", "the load balancer answers CloudFront: free", ("a1", "10.1.0.50"),
        ("10.1.0.50", "130.176.1.10"), (443, 50003), on("a1", "10.1.0.50", "interface"), SERVICE,
        way("internet-gateway", "cloudfront-origin", 0, "igw-a1", True), path=8,
        pkt_dst_aws_service="CLOUDFRONT_ORIGIN_FACING")
    add("cloudfront-in", "CloudFront asks the load balancer", ("a1", "10.1.0.50"), ("130.176.1.10", "10.1.0.50"),
        (50003, 443), SERVICE, on("a1", "10.1.0.50", "interface"),
        way("internet-gateway", "cloudfront-origin", 0, "igw-a1", True), pkt_src_aws_service="CLOUDFRONT_ORIGIN_FACING")
    # ---- Internet
    add("internet-out", "the bastion sends by its elastic address", BASTION, ("10.1.0.10", HOST), (50004, 443),
        on(*BASTION, "interface"), PUBLIC, way("internet-gateway", "internet", 0.09, "igw-a1", True, "high"), path=8)
    add("internet-in", "and is answered, free", BASTION, (HOST, "10.1.0.10"), (443, 50004), PUBLIC,
        on(*BASTION, "interface"), way("internet-gateway", "internet", 0, "igw-a1", True))
    add("internet-old-host", "code 2 of hosts that do not split it: the route tells", BASTION, ("10.1.0.10", HOST),
        (50005, 443), on(*BASTION, "interface"), PUBLIC, way("internet-gateway", "internet", 0.09, "igw-a1", True),
        path=2)
    add("egress-only-out", "app-a sends by IPv6 through the egress-only gateway", APP_A,
        ("2001:db8:a1:1::20", "2001:db8:feed::21"), (50006, 443), on(*APP_A, "interface"), PUBLIC,
        way("egress-only-internet-gateway", "internet", 0.09, "eigw-a1", True), path=8)
    add("own-elastic-out", "the bastion calls dev's ci by its elastic address: a region's own traffic, 0.01 each side",
        BASTION, ("10.1.0.10", "198.51.100.40"), (50007, 443), on(*BASTION, "interface"),
        on("d3", "10.3.1.10", "public-address"),
        way("internet-gateway", "intra-region-public-ip", 0.01, "igw-a1", True), path=8)
    add("own-elastic-in", "and is called by it; ci's VPC has no flow log", BASTION, ("198.51.100.40", "10.1.0.10"),
        (443, 50007), on("d3", "10.3.1.10", "public-address"), on(*BASTION, "interface"),
        way("internet-gateway", "intra-region-public-ip", 0.01, "igw-a1", True))
    add("own-elastic-abroad", "the bastion calls app-eu by its elastic address: another region", BASTION,
        ("10.1.0.10", "198.51.100.150"), (50008, 443), on(*BASTION, "interface"),
        on("b1", "10.50.1.10", "public-address"), way("internet-gateway", "inter-region-public", 0.02, "igw-a1", True),
        path=8)
    add("s3-public", "the bastion asks S3 over the internet gateway: free in the region", BASTION,
        ("10.1.0.10", "52.216.10.30"), (50009, 443), on(*BASTION, "interface"), SERVICE,
        way("internet-gateway", "aws-service-public", 0, "igw-a1", True), path=8, pkt_dst_aws_service="S3")
    add("s3-abroad", "the bastion asks S3 in Ireland", BASTION, ("10.1.0.10", "52.218.10.20"), (50010, 443),
        on(*BASTION, "interface"), SERVICE, way("internet-gateway", "inter-region-public", 0.02, "igw-a1", True),
        path=8, pkt_dst_aws_service="S3")
    # ---- The worked example: 0.1 GB up and 10 GB down, 0.6655 together
    add("nat-1-workload-out", "worked example: app-b sends 0.1 GB to the NAT gateway in the other zone", APP_B,
        ("10.1.2.20", HOST), (50011, 443), on(*APP_B, "interface"), PUBLIC,
        way("nat-gateway", "inter-az", 0.001, "nat-a1", True), path=1, size=ASKED)
    add("nat-2-private-in", "worked example: the gateway takes it: 0.0045 processing, 0.001 zone", NAT,
        ("10.1.2.20", "10.1.0.220"), (50011, 443), on(*APP_B, "address"), PUBLIC,
        way("nat-gateway", "inter-az", 0.0055, None, False), packet=(None, HOST), size=ASKED)
    add("nat-3-public-out", "worked example: and sends it into the internet: 0.009", NAT, ("10.1.0.220", HOST),
        (22061, 443), on(*NAT, "interface"), PUBLIC, way("internet-gateway", "internet", 0.009, "igw-a1"), path=8,
        size=ASKED)
    add("nat-4-public-in", "worked example: 10 GB come back: 0.45 processing", NAT, (HOST, "10.1.0.220"), (443, 22061),
        PUBLIC, on(*NAT, "interface"), way("internet-gateway", "internet", 0.45, "igw-a1", True), size=ANSWERED)
    add("nat-5-private-out", "worked example: to app-b's zone: 0.1", NAT, ("10.1.0.220", "10.1.2.20"), (443, 50011),
        PUBLIC, on(*APP_B, "address"), way("nat-gateway", "inter-az", 0.1), path=1, packet=(HOST, None),
        size=ANSWERED)
    add("nat-6-workload-in", "worked example: where they arrive: 0.1", APP_B, (HOST, "10.1.2.20"), (443, 50011), PUBLIC,
        on(*APP_B, "interface"), way("nat-gateway", "inter-az", 0.1, "nat-a1", False), size=ANSWERED)
    add("nat-private-1", "lab's bench calls search through a private NAT gateway", ("d2", "10.2.1.10"),
        ("10.2.1.10", "10.20.2.30"), (50012, 443), on("d2", "10.2.1.10", "interface"), on(*SEARCH),
        way("nat-gateway", "intra-az", 0, "nat-d2", True), path=1)
    add("nat-private-2", "the gateway takes it: 0.045", ("d2", "100.64.10.20"), ("10.2.1.10", "100.64.10.20"),
        (50012, 443), on("d2", "10.2.1.10", "address"), on(*SEARCH, "transit-gateway"),
        way("nat-gateway", "intra-az", 0.045, None, False), packet=(None, "10.20.2.30"))
    add("nat-private-3", "and sends it to the transit gateway", ("d2", "100.64.10.20"), ("100.64.10.20", "10.20.2.30"),
        (22062, 443), on("d2", "100.64.10.20", "interface"), on(*SEARCH, "transit-gateway"),
        way("transit-gateway", None, 0, "tgw-d2"), path=1)
    add("nat-private-4", "search sees the gateway's address, which only the transit gateway's route explains", SEARCH,
        ("100.64.10.20", "10.20.2.30"), (22062, 443), on("d2", "100.64.10.20", "transit-gateway"),
        on(*SEARCH, "interface"), way("transit-gateway", None, 0, "tgw-d4", False))
    add("nat-regional-workload", "a worker sends to the regional NAT gateway", ("a4", "10.82.1.10"),
        ("10.82.1.10", HOST), (50013, 443), on("a4", "10.82.1.10", "interface"), PUBLIC,
        way("nat-gateway", None, None, "nat-a4", True), path=1)
    # ---- Endpoints
    add("s3-endpoint-out", "app-b writes to S3 through the gateway endpoint: free", APP_B,
        ("10.1.2.20", "52.216.10.20"), (50014, 443), on(*APP_B, "interface"), SERVICE,
        way("gateway-endpoint", "intra-region", 0, "s3", True), path=7, pkt_dst_aws_service="S3", size=ANSWERED)
    add("s3-endpoint-in", "and reads from it: free", APP_B, ("52.216.10.20", "10.1.2.20"), (443, 50014), SERVICE,
        on(*APP_B, "interface"), way("gateway-endpoint", "intra-region", 0, "s3", True), pkt_src_aws_service="S3",
        size=ANSWERED)
    add("s3-endpoint-old-host", "code 2: the service and the route tell it from the internet", APP_B,
        ("10.1.2.20", "52.216.10.21"), (50015, 443), on(*APP_B, "interface"), SERVICE,
        way("gateway-endpoint", "intra-region", 0, "s3", True), path=2, pkt_dst_aws_service="S3")
    add("dynamodb-endpoint-out", "app-a asks DynamoDB", APP_A, ("10.1.1.20", "52.94.0.10"), (50016, 443),
        on(*APP_A, "interface"), SERVICE, way("gateway-endpoint", "intra-region", 0, "dynamodb", True), path=7,
        pkt_dst_aws_service="DYNAMODB")
    add("ssm-out", "app-a calls an interface endpoint: processing is counted there", APP_A, ("10.1.1.20", "10.1.1.200"),
        (50017, 443), on(*APP_A, "interface"), on("a1", "10.1.1.200", "address"),
        way("privatelink", "intra-az", 0, None, True), path=1)
    add("ssm-at-endpoint-in", "at the endpoint: 0.01", ("a1", "10.1.1.200"), ("10.1.1.20", "10.1.1.200"), (50017, 443),
        on(*APP_A, "address"), on("a1", "10.1.1.200", "interface"), way("privatelink", "intra-az", 0.01, None, False))
    add("ssm-at-endpoint-out", "and back: 0.01, both directions are processed", ("a1", "10.1.1.200"),
        ("10.1.1.200", "10.1.1.20"), (443, 50017), on("a1", "10.1.1.200", "interface"), on(*APP_A, "address"),
        way("privatelink", "intra-az", 0.01, None, True), path=1)
    add("ssm-other-zone", "app-b calls the endpoint of the other zone: zones are free to endpoints", APP_B,
        ("10.1.2.20", "10.1.1.200"), (50018, 443), on(*APP_B, "interface"), on("a1", "10.1.1.200", "address"),
        way("privatelink", "inter-az", 0, None, True), path=1)
    add("gwlb-workload-out", "web-1 answers a client: the route leads to the appliances first", ("a3", "10.80.1.10"),
        ("10.80.1.10", "203.0.113.50"), (443, 50019), on("a3", "10.80.1.10", "interface"), PUBLIC,
        way("gateway-load-balancer-endpoint", "internet", None, "gwlb", True), path=1)
    add("gwlb-at-endpoint-in", "at the endpoint: 0.0035", ("a3", "10.80.2.5"), ("10.80.1.10", "10.80.2.5"),
        (443, 50019), on("a3", "10.80.1.10", "address"), PUBLIC,
        way("gateway-load-balancer-endpoint", "internet", 0.0035, None, False), packet=(None, "203.0.113.50"))
    add("gwlb-at-endpoint-out", "and on to the internet", ("a3", "10.80.2.5"), ("10.80.2.5", "203.0.113.50"),
        (443, 50019), on("a3", "10.80.1.10", "address"), PUBLIC, way(None, "internet", 0.09, None, None), path=8,
        packet=("10.80.1.10", None))
    # ---- Peering
    add("peering-same-zone", "app-a calls warehouse-a: free in the zone", APP_A, ("10.1.1.20", "10.2.1.10"),
        (40020, 9000), on(*APP_A, "interface"), on(*STORE_A, "peering"),
        way("peering", "intra-az", 0, "pcx-data", True, "high"), path=4)
    add("peering-other-zone", "app-a calls warehouse-b: 0.01", APP_A, ("10.1.1.20", "10.2.2.10"), (40021, 9000),
        on(*APP_A, "interface"), on(*STORE_B, "peering"), way("peering", "inter-az", 0.01, "pcx-data", True, "high"),
        path=4)
    add("peering-other-zone-in", "the same, where it arrives: 0.01", STORE_B, ("10.1.1.20", "10.2.2.10"), (40021, 9000),
        on(*APP_A, "peering"), on(*STORE_B, "interface"), way("peering", "inter-az", 0.01, "pcx-data", False))
    add("peering-account-same-zone", "app-a calls dev's ci: another account, the same zone under another name", APP_A,
        ("10.1.1.20", "10.3.1.10"), (40022, 443), on(*APP_A, "interface"), on("d3", "10.3.1.10", "peering"),
        way("peering", "intra-az", 0, "pcx-tools", True, "high"), path=4)
    add("peering-account-in", "dev's runner calls app-a; its VPC has no flow log, so this record counts", APP_A,
        ("10.3.2.10", "10.1.1.20"), (40023, 8080), on("d3", "10.3.2.10", "peering"), on(*APP_A, "interface"),
        way("peering", "inter-az", 0.01, "pcx-tools", True))
    add("peering-abroad-out", "warehouse-a sends a backup to Ireland: 0.02", STORE_A, ("10.2.1.10", "10.51.1.10"),
        (40024, 443), on(*STORE_A, "interface"), on("b2", "10.51.1.10", "peering"),
        way("peering", "inter-region", 0.02, "pcx-backup", True, "high"), path=5)
    add("peering-abroad-in", "where it arrives: free", ("b2", "10.51.1.10"), ("10.2.1.10", "10.51.1.10"), (40024, 443),
        on(*STORE_A, "peering"), on("b2", "10.51.1.10", "interface"),
        way("peering", "inter-region", 0, "pcx-backup", False))
    add("peering-partner", "a VPC of an account that is not collected: the connection tells whose it is", APP_A,
        ("10.1.1.20", "10.200.1.1"), (40025, 443), on(*APP_A, "interface"),
        {"status": "hit", "how": "peering", "vpc_id": OUTSIDE[0], "account_id": PARTNER, "region": VIRGINIA,
         "interface_id": "-", "subnet_id": "-"}, way("peering", "intra-region", None, "pcx-partner", True), path=4)
    add("peering-overlap", "lab's bench calls ci: lab has the block of data, and its own peering", ("d2", "10.2.1.10"),
        ("10.2.1.10", "10.3.1.10"), (40026, 443), on("d2", "10.2.1.10", "interface"), on("d3", "10.3.1.10", "peering"),
        way("peering", "intra-az", 0, "pcx-lab", True, "high"), path=4)
    # ---- Overlapping blocks
    add("overlap-own", "dev's box-y sends to box-x: addresses of app-a and the bastion in another VPC",
        ("d1", "10.1.1.20"), ("10.1.1.20", "10.1.0.10"), (40030, 22), on("d1", "10.1.1.20", "interface"),
        on("d1", "10.1.0.10", "address"), way("vpc", "inter-az", 0.01, "none", True), path=1)
    add("overlap-unconnected", "10.2.1.10 as dev sees it is neither data's nor lab's", ("d1", "10.1.1.20"),
        ("10.2.1.10", "10.1.1.20"), (40031, 22), NOBODY, on("d1", "10.1.1.20", "interface"),
        way("unknown", "unknown", "-", "none"))
    add("overlap-abroad", "dev's box in Ireland hears of an address of nobody in its VPC", ("b3", "10.1.1.20"),
        ("10.1.1.99", "10.1.1.20"), (40032, 22),
        {"status": "hit", "how": "subnet", "vpc_id": vpc_id("b3"), "account_id": DEV, "subnet_name": "boxes",
         "interface_id": "-"},
        on("b3", "10.1.1.20", "interface"), way("vpc", "intra-az", 0, "none"))
    # ---- Transit gateway
    add("transit-out", "app-a calls api of dev: processing is counted in the gateway's log", APP_A,
        ("10.1.1.20", "10.20.1.30"), (40040, 443), on(*APP_A, "interface"), on(*API, "transit-gateway"),
        way("transit-gateway", "inter-az", 0, "tgw-a1", True), path=1)
    add("transit-at-attachment-in", "at the gateway's interface in shop", ("a1", "10.1.8.5"), ("10.1.1.20", "10.1.8.5"),
        (40040, 443), on(*APP_A, "address"), on(*API, "transit-gateway"),
        way("transit-gateway", "inter-az", 0, None, False), packet=(None, "10.20.1.30"))
    add("transit-at-attachment-out", "at the gateway's interface in sandbox", ("d4", "10.20.9.5"),
        ("10.20.9.5", "10.20.1.30"), (40040, 443), on(*APP_A, "transit-gateway"), on(*API, "address"),
        way("transit-gateway", "inter-az", 0), path=1, packet=("10.1.1.20", None))
    add("transit-in", "where it arrives", API, ("10.1.1.20", "10.20.1.30"), (40040, 443), on(*APP_A, "transit-gateway"),
        on(*API, "interface"), way("transit-gateway", "inter-az", 0, "tgw-d4", False))
    add("transit-abroad-out", "app-a calls app-eu: two peered gateways", APP_A, ("10.1.1.20", "10.50.1.10"),
        (40041, 443), on(*APP_A, "interface"), on("b1", "10.50.1.10", "transit-gateway"),
        way("transit-gateway-peering", "inter-region", None, "tgw-a1", True), path=1)
    add("transit-abroad-in", "where it arrives", ("b1", "10.50.1.10"), ("10.1.1.20", "10.50.1.10"), (40041, 443),
        on(*APP_A, "transit-gateway"), on("b1", "10.50.1.10", "interface"),
        way("transit-gateway-peering", "inter-region", 0, "tgw-b1", False))
    add("transit-abroad-back", "app-eu answers: its gateway has no log, so processing is counted here",
        ("b1", "10.50.1.10"), ("10.50.1.10", "10.1.1.20"), (443, 40041), on("b1", "10.50.1.10", "interface"),
        on(*APP_A, "transit-gateway"), way("transit-gateway-peering", "inter-region", 0.04, "tgw-b1", True), path=1)
    add("transit-vpn-out", "app-a calls headquarters through the transit gateway", APP_A, ("10.1.1.20", "172.16.4.4"),
        (40042, 389), on(*APP_A, "interface"), away("vpn"), way("transit-gateway", "on-premises", None, "tgw-a1", True),
        path=1)
    add("transit-dx-out", "app-a calls the data center through the transit gateway", APP_A, ("10.1.1.20", "172.20.1.1"),
        (40043, 389), on(*APP_A, "interface"), away("direct-connect"),
        way("transit-gateway", "on-premises", None, "tgw-a1", True), path=1)
    # ---- Out through the firewall
    add("central-1-workload", "api calls the internet by way of the egress VPC", API, ("10.20.1.30", "203.0.113.60"),
        (40050, 443), on(*API, "interface"), PUBLIC, way("transit-gateway", "internet", None, "tgw-d4", True), path=1)
    add("central-2-attachment", "the gateway's interface in the egress VPC hands it to the firewall",
        ("e1", "10.100.8.5"), ("10.100.8.5", "203.0.113.60"), (40050, 443), on(*API, "transit-gateway"), PUBLIC,
        way(None, None, 0), path=1, packet=("10.20.1.30", None))
    add("central-3-firewall-in", "the firewall's endpoint takes it: 0.065", ("e1", "10.100.2.5"),
        ("10.20.1.30", "10.100.2.5"), (40050, 443), on(*API, "transit-gateway"), PUBLIC,
        way("network-firewall", "internet", 0.065, None, False), packet=(None, "203.0.113.60"))
    add("central-4-firewall-out", "and hands it to the NAT gateway", ("e1", "10.100.2.5"),
        ("10.100.2.5", "203.0.113.60"), (40050, 443), on(*API, "transit-gateway"), PUBLIC, way(None, None, 0), path=1,
        packet=("10.20.1.30", None))
    add("central-5-nat-out", "which sends it into the internet", ("e1", "10.100.0.220"),
        ("10.100.0.220", "203.0.113.60"), (22070, 443), on("e1", "10.100.0.220", "interface"), PUBLIC,
        way("internet-gateway", "internet", 0.09, "igw-e1"), path=8)
    # ---- Virtual private gateways, core network, edges
    add("vpn-out", "intranet answers the office: internet rates", ("a5", "10.10.1.10"), ("10.10.1.10", "172.17.5.5"),
        (443, 40060), on("a5", "10.10.1.10", "interface"), away("vpn"), way("vpn", "on-premises", 0.09, "vgw-a5", True),
        path=3)
    add("vpn-in", "the office asks: free, and nobody else logs it", ("a5", "10.10.1.10"), ("172.17.5.5", "10.10.1.10"),
        (40060, 443), away("vpn"), on("a5", "10.10.1.10", "interface"), way("vpn", "on-premises", 0, "vgw-a5", True))
    add("appliance-out", "a route to an instance that forwards", ("a5", "10.10.1.10"), ("10.10.1.10", "192.168.60.9"),
        (443, 40061), on("a5", "10.10.1.10", "interface"), None, way("appliance", None, None, "router", True), path=1)
    add("dx-out", "ledger sends over Direct Connect: 0.02", ("a6", "10.11.1.10"), ("10.11.1.10", "172.18.5.5"),
        (443, 40062), on("a6", "10.11.1.10", "interface"), away("direct-connect"),
        way("direct-connect", "on-premises", 0.02, "vgw-a6", True), path=3)
    add("hybrid-out", "plant's gateway has both: no one can tell which carries it", ("a7", "10.12.1.10"),
        ("10.12.1.10", "172.19.5.5"), (443, 40063), on("a7", "10.12.1.10", "interface"), away("vpn-or-direct-connect"),
        way("hybrid-vgw", "on-premises", None, "vgw-a7", True), path=3)
    add("core-network-out", "a branch of prod calls a branch of dev over the core network", ("a8", "10.60.1.10"),
        ("10.60.1.10", "10.61.1.10"), (40064, 443), on("a8", "10.60.1.10", "interface"),
        on("d5", "10.61.1.10", "core-network"), way("core-network", None, None, "core", True), path=1)
    add("core-network-in", "where it arrives", ("d5", "10.61.1.10"), ("10.60.1.10", "10.61.1.10"), (40064, 443),
        on("a8", "10.60.1.10", "core-network"), on("d5", "10.61.1.10", "interface"),
        way("core-network", None, None, "core", False))
    add("local-zone-out", "a host in a Local Zone sends into the internet there", ("a1", "10.1.30.10"),
        ("10.1.30.10", HOST), (40065, 443), on("a1", "10.1.30.10", "interface"), PUBLIC,
        way("edge-zone", "edge-zone", None, "igw-a1", True), path=6)
    add("wavelength-out", "a device in a Wavelength Zone sends through the carrier gateway", ("a1", "10.1.31.10"),
        ("10.1.31.10", "203.0.113.90"), (40066, 443), on("a1", "10.1.31.10", "interface"), PUBLIC,
        way("edge-zone", "edge-zone", None, "cagw-a1", True), path=6)
    add("outpost-out", "a robot calls the factory floor through the Outpost's local gateway", ("a9", "10.70.1.10"),
        ("10.70.1.10", "192.168.50.9"), (40067, 502), on("a9", "10.70.1.10", "interface"), None,
        way("local-gateway", "on-premises", None, "lgw", True), path=1)
    # ---- What is not there any more
    was = "the address of a task that vanished an hour before"
    add("vanished-still-there", f"{was}, when it was still there", APP_A, ("10.1.1.20", "10.1.1.77"), (40070, 8080),
        on(*APP_A, "interface"), {"interface_id": eni("a1", "10.1.1.77"), "vpc_id": vpc_id("a1"), "how": "address",
        "seen": SEEN}, way("vpc", "intra-az", 0, "none", True), path=1, start=SEEN - 600)
    add("vanished-since", f"{was}, between then and when it was found gone: perhaps still it", APP_A,
        ("10.1.1.20", "10.1.1.77"), (40071, 8080), on(*APP_A, "interface"),
        {"status": "stale", "interface_id": eni("a1", "10.1.1.77"), "vpc_id": vpc_id("a1"), "seen": SEEN},
        way("vpc", "intra-az", 0, "none", True), path=1)
    add("vanished-gone", f"{was}, after it was found gone: nobody's", APP_A, ("10.1.1.20", "10.1.1.77"), (40074, 8080),
        {"interface_id": eni(*APP_A)}, {"how": "subnet", "interface_id": "-", "subnet_name": "private-a", "seen": "-"},
        way("vpc", "intra-az", 0, "none", True), path=1, start=COLLECTED + 600)
    add("reused-before", "an address that a task had, before another interface got it", APP_A,
        ("10.1.1.20", "10.1.1.78"), (40072, 8080), on(*APP_A, "interface"),
        {"interface_id": "eni-0a1000000000f1078", "seen": SEEN}, way("vpc", "intra-az", 0, "none", True), path=1,
        start=SEEN - 600)
    add("reused-after", "the same address, when the other interface had it", APP_A, ("10.1.1.20", "10.1.1.78"),
        (40073, 8080), on(*APP_A, "interface"), on("a1", "10.1.1.78", "address", seen="-"),
        way("vpc", "intra-az", 0, "none", True), path=1)
    log.add("no-data",
        {"version": 5, "account-id": PROD, "interface-id": eni(*APP_A), "start": T, "end": T + 58,
         "log-status": "NODATA", "vpc-id": vpc_id("a1"), "region": VIRGINIA, "az-id": A},
        "a window without traffic is no record")
    return log


def rejected_rows():
    log = Log("vpc-v5-rejected.log", "Rejected traffic, 29 columns", V5)

    def add(name, shows, at, ends, ports, source, destination, by=None, of=None, rule=None, path=None, **more):
        row = vpc_row(at, *ends, ports, size=60, path=path, action="REJECT", **more)
        log.add(name, row, shows, source, destination,
                {"transfer_cost_usd": 0, "reject_by": by, "reject_id": of, "reject_rule": rule})

    group, acl = "security-group", "network-acl"
    now = "would-accept"
    public, private, store = acl_id("a1", 1), acl_id("a1", 2), acl_id("a2", 1)
    add("group-in", "no rule of the group lets remote desktops in", BASTION, ("198.51.100.200", "10.1.0.10"),
        (50001, 3389), PUBLIC, on(*BASTION, "interface"), group, WEB, "-")
    add("group-list-in", "SSH is for the offices' prefix list, and this address is not in it", BASTION,
        ("203.0.113.40", "10.1.0.10"), (50002, 22), None, on(*BASTION, "interface"), group, WEB, "-")
    add("group-out", "the database may send to S3 only", ORDERS, ("10.1.2.33", "10.1.2.20"), (50003, 80),
        on(*ORDERS, "interface"), on(*APP_B, "address"), group, DB, "-", path=1)
    add("group-reference-in", "the rule names a group that the function is not in", ORDERS, ("10.1.1.40", "10.1.2.33"),
        (50004, 5432), on(*FUNCTION, "address"), on(*ORDERS, "interface"), group, DB, "-")
    add("group-same-subnet", "within a subnet the network ACL, which denies port 23, is not asked", TASK_AT,
        ("10.1.1.30", "10.1.1.60"), (50005, 23), on("a1", "10.1.1.30", "address"), on(*TASK_AT, "interface"), group,
        APP, "-")
    add("acl-in", "an inbound entry denies the block", BASTION, ("192.0.2.77", "10.1.0.10"), (50006, 443), PUBLIC,
        on(*BASTION, "interface"), acl, public, "inbound 50")
    add("acl-and-group-in", "both reject it: the network ACL comes first on the way in", BASTION,
        ("192.0.2.77", "10.1.0.10"), (50007, 3389), PUBLIC, on(*BASTION, "interface"), acl, public, "inbound 50")
    add("acl-out", "an outbound entry denies mail", APP_A, ("10.1.1.20", "203.0.113.25"), (50008, 25),
        on(*APP_A, "interface"), PUBLIC, acl, private, "outbound 80", path=1)
    add("acl-default-in", "no entry fits: the last one, which is always there, denies", STORE_A,
        ("10.1.1.20", "10.2.1.10"), (50009, 22), on(*APP_A, "peering"), on(*STORE_A, "interface"), acl, store,
        "inbound *")
    add("accepted-now", "nothing rejects it now: the rules have changed since", BASTION, ("203.0.113.30", "10.1.0.10"),
        (50010, 443), PUBLIC, on(*BASTION, "interface"), now, "-", "-")
    add("icmp-in", "flow logs do not tell ICMP types: it may have been an answer, too", BASTION,
        ("203.0.113.31", "10.1.0.10"), (0, 0), PUBLIC, on(*BASTION, "interface"), protocol=1)
    add("unconnected-in", "rejected and of nobody: dev is connected to nothing", ("d1", "10.1.1.20"),
        ("10.99.9.9", "10.1.1.20"), (50011, 22), NOBODY, on("d1", "10.1.1.20", "interface"))
    return log


def v2_rows():
    log = Log("vpc-v2.log", "VPC flow logs, default format (v2): no direction, no path, no packet addresses", V2)

    def add(name, shows, at, ends, ports, source, destination, how, **more):
        log.add(name, vpc_row(at, *ends, ports, version=2, **more), shows, source, destination, how)

    add("internet-out", "the route table tells it, with little confidence", BASTION, ("10.1.0.10", HOST), (50001, 443),
        on(*BASTION, "interface"), PUBLIC,
        way("internet-gateway", "internet", 0.09, "igw-a1", True, "low", direction="egress"))
    add("internet-in", "the other direction", BASTION, (HOST, "10.1.0.10"), (443, 50001), PUBLIC,
        on(*BASTION, "interface"), way("internet-gateway", "internet", 0, "igw-a1", True, "low", direction="ingress"))
    add("other-zone-out", "app-a and the database, by their interfaces", APP_A, ("10.1.1.20", "10.1.2.33"),
        (50002, 5432), on(*APP_A, "interface"), on(*ORDERS, "address"),
        way("vpc", "inter-az", 0.01, "none", True, direction="egress"))
    add("peering-out", "app-a and warehouse-b, by the route to the peering connection", APP_A,
        ("10.1.1.20", "10.2.2.10"), (50003, 9000), on(*APP_A, "interface"), on(*STORE_B, "peering"),
        way("peering", "inter-az", 0.01, "pcx-data", True, "low", direction="egress"))
    add("nat-out", "app-b and the internet, by the route to the NAT gateway", APP_B, ("10.1.2.20", HOST), (50004, 443),
        on(*APP_B, "interface"), PUBLIC,
        way("nat-gateway", "inter-az", 0.01, "nat-a1", True, "low", direction="egress"))
    add("s3-endpoint-out", "app-b and S3, by the route of the prefix list", APP_B, ("10.1.2.20", "52.216.10.20"),
        (50005, 443), on(*APP_B, "interface"), SERVICE,
        way("gateway-endpoint", "intra-region", 0, "s3", True, "low", direction="egress"))
    add("office-in", "an address of a customer's prefix list is called by it", BASTION, ("203.0.113.243", "10.1.0.10"),
        (50006, 22), away("prefix-list", resource_type="prefix-list", resource_id=OFFICES, resource_name="offices"),
        on(*BASTION, "interface"), way("internet-gateway", "internet", 0, "igw-a1", True, direction="ingress"))
    stranger = vpc_row(APP_A, "10.1.1.20", "10.1.2.33", (50007, 5432), version=2, account_id="444444444444",
                       interface_id="eni-0fffffffffffffff0")
    log.add("unknown-interface", stranger,
        "an interface of an account that is not collected: three VPCs have its address", away(None, "miss"),
        away(None, "miss"), way(None, None, "-", "none"))
    return log


def v11_rows():
    log = Log("vpc-v11.log", "VPC flow logs, all 54 columns (v2 to v11)", V11)
    cluster = f"arn:aws:ecs:us-east-1:{PROD}"
    task = {
        "ecs-cluster-arn": f"{cluster}:cluster/shop", "ecs-cluster-name": "shop",
        "ecs-container-id": f"{TASK}-1234567890",
        "ecs-service-name": "checkout", "ecs-task-definition-arn": f"{cluster}:task-definition/checkout:14",
        "ecs-task-arn": f"{cluster}:task/shop/{TASK}", "ecs-task-id": TASK,
    }

    def add(name, shows, at, ends, ports, source, destination, how, **more):
        log.add(name, vpc_row(at, *ends, ports, version=11, **more), shows, source, destination, how)

    add("task-out", "a task and the database: the next hop is the database's interface", TASK_AT,
        ("10.1.1.60", "10.1.2.33"), (50001, 5432), on(*TASK_AT, "interface"), on(*ORDERS),
        way("vpc", "inter-az", 0.01, "none", True, "high"), path=1, **task, **next_hop("a1", "10.1.2.33"))
    add("task-in", "where it arrives", ORDERS, ("10.1.1.60", "10.1.2.33"), (50001, 5432), on(*TASK_AT),
        on(*ORDERS, "interface"), way("vpc", "inter-az", 0.01, "none", False), **next_hop("a1", "10.1.1.60"))
    add("nat-out", "the next hop is the NAT gateway in the other zone", APP_B, ("10.1.2.20", HOST), (50002, 443),
        on(*APP_B, "interface"), PUBLIC, way("nat-gateway", "inter-az", 0.01, "nat-a1", True, "high"), path=1,
        instance_tag="app", **next_hop("a1", "10.1.0.220", "nat_gateway"))
    add("transit-out", "the next hop is the transit gateway's interface", APP_A, ("10.1.1.20", "10.20.1.30"),
        (50003, 443), on(*APP_A, "interface"), on(*API, "transit-gateway"),
        way("transit-gateway", "inter-az", 0, "tgw-a1", True), path=1, **next_hop("a1", "10.1.8.5", "transit_gateway"))
    add("ssm-out", "the next hop is an interface endpoint", APP_A, ("10.1.1.20", "10.1.1.200"), (50004, 443),
        on(*APP_A, "interface"), on("a1", "10.1.1.200"), way("privatelink", "intra-az", 0, None, True), path=1,
        **next_hop("a1", "10.1.1.200", "vpc_endpoint"))
    add("client-at-target-out", "app-a answers a client whose address the Network Load Balancer kept", APP_A,
        ("10.1.1.20", "203.0.113.77"), (8443, 50005), on(*APP_A, "interface"), PUBLIC,
        way("vpc", None, None, None, True), path=1, **next_hop("a1", "10.1.0.60", "network_load_balancer"))
    regional = {"interface-id": "-", "subnet-id": "-", "instance-id": "-", "resource-id": REGIONAL_NAT,
                "interface-type": "regional_nat_gateway"}
    gate = {"resource_id": REGIONAL_NAT, "vpc_id": vpc_id("a4"), "account_id": PROD}
    add("nat-regional-out", "the regional NAT gateway has no interface: the internet leg, by its public address",
        ("a4", "10.82.1.10"), ("198.51.100.82", HOST), (50006, 443), gate, PUBLIC,
        way("internet-gateway", "internet", 0.09), path=8, flow_direction="egress", **regional)
    add("nat-regional-in", "and what comes back: 0.045 processing", ("a4", "10.82.1.10"), (HOST, "198.51.100.82"),
        (443, 50006), PUBLIC, gate, way("internet-gateway", "internet", 0.045, None, True), flow_direction="ingress",
        **regional)
    add("nat-regional-private-in", "the leg from the worker: 0.045 processing", ("a4", "10.82.1.10"),
        ("10.82.1.10", HOST), (50006, 443), on("a4", "10.82.1.10", "address"), PUBLIC,
        way("nat-gateway", None, 0.045, None, False), flow_direction="ingress", **regional)
    log.add("block-public-access",
        vpc_row(BASTION, "203.0.113.31", "10.1.0.10", (50007, 443), size=60, version=11, action="REJECT",
                bytes="-", reject_reason="BPA"),
        "rejected by VPC Block Public Access: the record says so, and has no byte count", PUBLIC,
        on(*BASTION, "interface"), {"reject_by": "block-public-access", "reject_rule": "-"})
    log.add("encryption-controls",
        vpc_row(("a1", "10.1.1.200"), "10.1.1.20", "10.1.1.200", (50008, 80), size=60, version=11, action="REJECT",
                reject_reason="EC", encryption_status=0, interface_type="vpc_endpoint"),
        "rejected by an endpoint because it is not encrypted", on(*APP_A, "address"),
        on("a1", "10.1.1.200", "interface"),
        {"transfer_cost_usd": 0, "reject_by": "encryption-controls", "reject_rule": "-"})
    return log


# ---- Transit gateway rows ----

SIDES = {
    code: (attachment(code), VPC[code].account, vpc_id(code))
    for code in ATTACHED
}


def transit_rows():
    log = Log("tgw-v6.log", "Transit Gateway flow log of the gateway in us-east-1, default format (v6)", TRANSIT)

    def gate(key, zone):
        """Attachment, account, VPC, subnet, interface, zone of a side; of a VPC the interface in that zone."""
        if key not in SIDES:
            return (key, "-", "-", "-", "-", "-")
        at = [i for i in INTERFACES if i.vpc == key and i.kind == "transit"]
        at = next((i for i in at if subnet_of(key, i.address).zone == zone), at[0])
        subnet = subnet_of(key, at.address)
        return (*SIDES[key], subnet_id(subnet), eni(key, at.address), subnet.zone)

    def row(here, source, destination, ends, ports, size, lost):
        near, far = gate(*source), gate(*destination)
        ingress = here == source[0]
        names = ("vpc-account-id", "vpc-id", "subnet-id", "eni", "az-id")
        return {
            "version": 6, "resource-type": "TransitGateway", "account-id": NETWORK, "tgw-id": HOME,
            "tgw-attachment-id": (near if ingress else far)[0], "tgw-pair-attachment-id": (far if ingress else near)[0],
            **{f"tgw-src-{name}": value for name, value in zip(names, near[1:])},
            **{f"tgw-dst-{name}": value for name, value in zip(names, far[1:])},
            "srcaddr": ends[0], "dstaddr": ends[1], "srcport": ports[0], "dstport": ports[1], "protocol": 6,
            "packets": size // 1400 + 1, "bytes": size, "start": T + 2, "end": T + 57, "log-status": "OK",
            "type": "IPv4",
            "packets-lost-no-route": 0, "packets-lost-blackhole": lost, "packets-lost-mtu-exceeded": 0,
            "packets-lost-ttl-expired": 0, "tcp-flags": 2, "region": VIRGINIA,
            "flow-direction": "ingress" if ingress else "egress",
        }

    def add(name, shows, here, source, destination, ends, ports, from_, to, how, size=GIB, lost=0):
        direction = "ingress" if here == source[0] else "egress"
        log.add(name, row(here, source, destination, ends, ports, size, lost), shows, from_, to,
                {"gate": "tgw-a1", "direction": direction, "device": HOME, "device_type": "transit-gateway", **how})

    shop, sandbox, lab, egress = ("a1", A), ("d4", B), ("d2", A), ("e1", A)
    abroad, vpn, dx, drop = (TGW_PEERING, None), (TGW_VPN, None), (TGW_DIRECT_CONNECT, None), ("-", None)
    ends = ("10.1.1.20", "10.20.1.30")
    add("shop-sandbox-in", "app-a to api, where it enters: 0.02 processing", "a1", shop, sandbox, ends, (40040, 443),
        on(*APP_A), on(*API), way("transit-gateway", "inter-az", 0.02, count=False))
    add("shop-sandbox-out", "where it leaves: free", "d4", shop, sandbox, ends, (40040, 443), on(*APP_A), on(*API),
        way("transit-gateway", "inter-az", 0))
    add("sandbox-shop-in", "the answer, where it enters: 0.02", "d4", sandbox, shop, ends[::-1], (443, 40040), on(*API),
        on(*APP_A), way("transit-gateway", "inter-az", 0.02, count=False))
    add("sandbox-shop-out", "where it leaves", "a1", sandbox, shop, ends[::-1], (443, 40040), on(*API), on(*APP_A),
        way("transit-gateway", "inter-az", 0))
    eu = on("b1", "10.50.1.10")
    add("abroad-in", "app-a to app-eu, where it enters: 0.02 processing", "a1", shop, abroad,
        ("10.1.1.20", "10.50.1.10"), (40041, 443), on(*APP_A), eu, way(None, "inter-region", 0.02))
    add("abroad-out", "where it leaves for the other gateway, and the region: 0.02", TGW_PEERING, shop, abroad,
        ("10.1.1.20", "10.50.1.10"), (40041, 443), on(*APP_A), eu, way(None, "inter-region", 0.02))
    add("abroad-back-in", "what comes from the other gateway is not processed for a price again", TGW_PEERING, abroad,
        shop, ("10.50.1.10", "10.1.1.20"), (443, 40041), eu, on(*APP_A), way(None, "inter-region", 0))
    add("abroad-back-out", "where it leaves", "a1", abroad, shop, ("10.50.1.10", "10.1.1.20"), (443, 40041), eu,
        on(*APP_A), way(None, "inter-region", 0))
    add("vpn-in", "app-a to headquarters, where it enters: 0.02", "a1", shop, vpn, ("10.1.1.20", "172.16.4.4"),
        (40042, 389), on(*APP_A), away("vpn"), way("transit-gateway", "on-premises", 0.02))
    add("vpn-out", "where it leaves: the rate of the internet", TGW_VPN, shop, vpn, ("10.1.1.20", "172.16.4.4"),
        (40042, 389), on(*APP_A), away("vpn"), way("transit-gateway", "on-premises", 0.09))
    add("vpn-back-in", "headquarters to app-a: the sending attachment pays", TGW_VPN, vpn, shop,
        ("172.16.4.4", "10.1.1.20"), (389, 40042), away("vpn"), on(*APP_A), way("transit-gateway", "on-premises", 0.02))
    add("vpn-back-out", "where it leaves", "a1", vpn, shop, ("172.16.4.4", "10.1.1.20"), (389, 40042), away("vpn"),
        on(*APP_A), way("transit-gateway", "on-premises", 0))
    add("dx-in", "app-a to the data center", "a1", shop, dx, ("10.1.1.20", "172.20.1.1"), (40043, 389), on(*APP_A),
        away("direct-connect"), way("transit-gateway", "on-premises", 0.02))
    add("dx-out", "where it leaves: the rate of Direct Connect", TGW_DIRECT_CONNECT, shop, dx,
        ("10.1.1.20", "172.20.1.1"), (40043, 389), on(*APP_A), away("direct-connect"),
        way("transit-gateway", "on-premises", 0.02))
    add("internet-in", "api to the internet, by way of the egress VPC", "d4", sandbox, egress,
        ("10.20.1.30", "203.0.113.60"), (40050, 443), on(*API), PUBLIC, way("transit-gateway", "internet", 0.02))
    add("internet-out", "where it leaves for the egress VPC", "e1", sandbox, egress, ("10.20.1.30", "203.0.113.60"),
        (40050, 443), on(*API), PUBLIC, way("transit-gateway", "internet", 0))
    add("nat-in", "lab's private NAT gateway to search, in one zone", "d2", lab, ("d4", A),
        ("100.64.10.20", "10.20.2.30"), (22062, 443), on("d2", "100.64.10.20"), on(*SEARCH),
        way("transit-gateway", "intra-az", 0.02))
    add("blackhole", "a route that drops: nothing is carried, and nothing is metered", "a1", shop, drop,
        ("10.1.1.20", "10.66.0.9"), (40044, 443), on(*APP_A), NOBODY, way(None, None, 0), size=0, lost=3)
    log.add("no-data",
        {"version": 6, "resource-type": "TransitGateway", "account-id": NETWORK, "tgw-id": HOME,
         "tgw-attachment-id": TGW_VPN, "start": T, "end": T + 59, "log-status": "NODATA", "region": VIRGINIA},
        "a window without traffic is no record")
    return log


# ---- Network Firewall ----

WAY_OF_FIREWALL = way("network-firewall", "internet", 0)


def firewall_event(event, seconds, zone="us-east-1a"):
    return {"firewall_name": "egress-inspect", "availability_zone": zone, "event_timestamp": str(T + seconds),
            "event": event}


def stamp(seconds):
    return f"2026-11-20T16:20:{seconds:02}.204417+0000"


def ends_of(source, destination):
    return {"src_ip": source[0], "src_port": source[1], "dest_ip": destination[0], "dest_port": destination[1],
            "proto": "TCP"}


def netflow(source, destination, size):
    return firewall_event({
        "tcp": {"tcp_flags": "1b", "syn": True, "fin": True, "psh": True, "ack": True}, "app_proto": "tls",
        **ends_of(source, destination), "event_type": "netflow", "flow_id": 1128384742342412, "timestamp": stamp(58),
        "netflow": {"pkts": size // 1400 + 1, "bytes": size, "start": stamp(2), "end": stamp(57), "age": 55,
                    "min_ttl": 126, "max_ttl": 126},
    }, 58)


def firewall_logs():
    api, far = ("10.20.1.30", 40050), ("203.0.113.60", 443)
    flow = Log("firewall-flow.ndjson", "Network Firewall flow log")
    flow.add("out", netflow(api, far, GIB), "api calls the internet through the firewall", on(*API, "transit-gateway"),
        PUBLIC, WAY_OF_FIREWALL)
    flow.add("back", netflow(far, api, 2 * GIB), "and is answered", PUBLIC, on(*API, "transit-gateway"),
        WAY_OF_FIREWALL)
    stranger = ("10.99.9.9", 40051)
    flow.add("of-nobody", netflow(stranger, far, 4000), "an address that nothing leads to", NOBODY, PUBLIC)
    alert = Log("firewall-alert.ndjson", "Network Firewall alert log")
    alert.add("blocked",
        firewall_event({
            **ends_of(api, ("203.0.113.61", 3389)), "event_type": "alert", "flow_id": 1582438383425873,
            "timestamp": stamp(31), "verdict": {"action": "drop"},
            "alert": {"action": "blocked", "signature_id": 1000012, "rev": 2, "signature": "deny rdp to internet",
                      "category": "", "severity": 3},
        }, 31),
        "api is kept from a remote desktop", on(*API, "transit-gateway"), PUBLIC,
        way("network-firewall", "internet"))
    tls = Log("firewall-tls.ndjson", "Network Firewall TLS log")
    tls.add("revoked", firewall_event({
        "src_ip": "10.20.2.30", "src_port": "55930", "dest_ip": "203.0.113.62", "dest_port": "443",
        "timestamp": "2026-11-20T16:20:49.441824Z", "sni": "revoked.example.com",
        "revocation_check": {"leaf_cert_fpr": "1234567890EXAMPLE0987654321", "status": "REVOKED", "action": "DROP"},
    }, 49), "search meets a revoked certificate", on(*SEARCH, "transit-gateway"), PUBLIC,
              way("network-firewall", "internet"))
    return [flow, alert, tls]


# ---- Files ----


def final(row, expected, columns):
    """The expectation with its gateway written out, and what the row's own columns say."""
    row = {name: value for name, value in row.items() if name in (columns or [])}
    gate = expected.pop("gate", None)
    if gate:
        key, _, code = gate.rpartition("-") if gate not in GATEWAYS else (gate, "", "")
        expected["gateway_id"], expected["gateway_type"] = GATEWAYS[key](code)
    if "direction" not in expected and row.get("flow-direction"):
        expected["direction"] = row["flow-direction"]
    for side in ("src", "dst"):
        if service := row.get(f"pkt-{side}-aws-service"):
            expected[f"{side}_service"] = service
    if protocol := row.get("protocol"):
        expected["protocol_name"] = {1: "ICMP", 6: "TCP"}[protocol]
    if row.get("tcp-flags") == 2:
        expected["tcp_flag_names"] = "SYN"
    return expected


def word(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def write(folder):
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*"):
        if old.suffix in (".log", ".expected", ".md") or old.name.endswith(".ndjson") and ".golden." not in old.name:
            old.unlink()
    logs = [v2_rows(), v5_rows(), rejected_rows(), v11_rows(), transit_rows(), *firewall_logs()]
    readme = ["# Flows through the estate", "",
              "`rows.py` wrote these files. `<log>.expected` has a line for each record of a log: its name and the",
              "fields that a person expects of it. An empty field is not checked; `-` must be absent. Every row is of",
              "1 GB (2^30 bytes) where nothing else is said. `<log>.golden.ndjson` has all that is added."]
    for log in logs:
        if log.columns:
            lines = [" ".join(log.columns)]
            lines += [" ".join(str(row.get(column, "-")) for column in log.columns) for _, row, _, _ in log.rows]
        else:
            lines = [json.dumps(row, separators=(",", ":")) for _, row, _, _ in log.rows]
        (folder / log.file).write_text("\n".join(lines) + "\n")
        rows = [(name, final(row, dict(expected), log.columns)) for name, row, expected, _ in log.rows
                if row.get("log-status") != "NODATA"]
        columns = sorted({column for _, expected in rows for column in expected}, key=order)
        table = ["\t".join(["row", *columns])]
        table += ["\t".join([name, *(word(expected.get(column, "")) for column in columns)]) for name, expected in rows]
        (folder / f"{log.file}.expected").write_text("\n".join(table) + "\n")
        names = [name for name, _ in rows]
        assert len(set(names)) == len(names), log.file
        readme += ["", f"## `{log.file}`", "", f"{log.title}.", "", "| Row | What it shows |", "|---|---|"]
        readme += [f"| {name} | {shows} |" for name, _, _, shows in log.rows]
    (folder / "README.md").write_text("\n".join(readme) + "\n")


FIRST = ["src", "dst", "direction", "gateway", "via", "scope"]


def order(column):
    """Sides first, then the way."""
    prefix = column.split("_")[0]
    return FIRST.index(prefix) if prefix in FIRST else len(FIRST), column
