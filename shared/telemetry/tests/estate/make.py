#!/usr/bin/env python3
"""Writes the recorded estate and the flow logs beside this file.

    python3 make.py

The estate is made of the tables below, the flows of those in `rows.py`. The output is the same at every
run: no clock, no chance, standard library only. `aws_configs` is what AWS answers about the estate now,
`before/aws_configs` what it answered an hour earlier about the interfaces of one account and region, two of
which have vanished since, `ip-ranges.json` a few of the published ranges.

Ids are readable: `eni-0a100000000001020` is the interface of VPC a1 whose address ends in .1.20,
`subnet-0a100000000001000` is that VPC's subnet x.x.1.0/24, and all that is of VPC a1 begins with `0a1`.

Three accounts, two regions:

    network 111111111111   egress (e1): NAT, internet gateway, firewall; security (e2): appliances behind
                           a Gateway Load Balancer; transit gateways of both regions; VPN, Direct Connect
    prod    222222222222   shop (a1) and data (a2), peered; web (a3) behind the appliances; batch (a4) with a
                           regional NAT gateway; office, colo, plant (a5 to a7) with virtual private gateways;
                           wan (a8) on a core network; factory (a9) on an Outpost; in Ireland shop-eu (b1)
                           and backup (b2)
    dev     333333333333   dev (d1), with shop's block and connected to nothing; lab (d2), with data's block,
                           peered to tools and behind a private NAT gateway; tools (d3), peered to shop and
                           lab; sandbox (d4) on the transit gateway; dev-wan (d5) on the core network; in
                           Ireland dev-eu (b3), with shop's block once more
"""

import collections
import ipaddress
import json
import pathlib
import shutil

HERE = pathlib.Path(__file__).resolve().parent

NETWORK, PROD, DEV = "111111111111", "222222222222", "333333333333"
# Not of the organization, and not collected.
PARTNER = "999999999999"
VIRGINIA, IRELAND = "us-east-1", "eu-west-1"
CREATED = "2026-03-01T09:00:00+00:00"
GIB = 1 << 30

# Zone ids mean the same everywhere; names do not: those of dev are the other way round.
ZONES = {
    "use1-az1": {NETWORK: "us-east-1a", PROD: "us-east-1a", DEV: "us-east-1b"},
    "use1-az2": {NETWORK: "us-east-1b", PROD: "us-east-1b", DEV: "us-east-1a"},
    "use1-bos1-az1": {PROD: "us-east-1-bos-1a"},
    "use1-wl1-bos-wlz1": {PROD: "us-east-1-wl1-bos-wlz-1"},
    "euw1-az1": {NETWORK: "eu-west-1a", PROD: "eu-west-1a", DEV: "eu-west-1a"},
    "euw1-az2": {NETWORK: "eu-west-1b", PROD: "eu-west-1b", DEV: "eu-west-1b"},
}
A, B, BOSTON, WAVELENGTH = list(ZONES)[:4]
DUBLIN = "euw1-az1"

Vpc = collections.namedtuple("Vpc", "code name account region blocks logged")
VPCS = [
    Vpc("e1", "egress", NETWORK, VIRGINIA, ["10.100.0.0/16"], True),
    Vpc("e2", "security", NETWORK, VIRGINIA, ["10.101.0.0/16"], True),
    Vpc("a1", "shop", PROD, VIRGINIA, ["10.1.0.0/16", "2001:db8:a1::/56"], True),
    Vpc("a2", "data", PROD, VIRGINIA, ["10.2.0.0/16"], True),
    Vpc("a3", "web", PROD, VIRGINIA, ["10.80.0.0/16"], True),
    Vpc("a4", "batch", PROD, VIRGINIA, ["10.82.0.0/16"], True),
    Vpc("a5", "office", PROD, VIRGINIA, ["10.10.0.0/16"], True),
    Vpc("a6", "colo", PROD, VIRGINIA, ["10.11.0.0/16"], True),
    Vpc("a7", "plant", PROD, VIRGINIA, ["10.12.0.0/16"], True),
    Vpc("a8", "wan", PROD, VIRGINIA, ["10.60.0.0/16"], True),
    Vpc("a9", "factory", PROD, VIRGINIA, ["10.70.0.0/16"], True),
    Vpc("b1", "shop-eu", PROD, IRELAND, ["10.50.0.0/16"], True),
    Vpc("b2", "backup", PROD, IRELAND, ["10.51.0.0/16"], True),
    Vpc("d1", "dev", DEV, VIRGINIA, ["10.1.0.0/16"], True),
    Vpc("d2", "lab", DEV, VIRGINIA, ["10.2.0.0/16", "100.64.10.0/24"], True),
    Vpc("d3", "tools", DEV, VIRGINIA, ["10.3.0.0/16"], False),
    Vpc("d4", "sandbox", DEV, VIRGINIA, ["10.20.0.0/16"], True),
    Vpc("d5", "dev-wan", DEV, VIRGINIA, ["10.61.0.0/16"], True),
    Vpc("b3", "dev-eu", DEV, IRELAND, ["10.1.0.0/16"], True),
]
VPC = {vpc.code: vpc for vpc in VPCS}

# VPC, name, block, zone, and the IPv6 block where there is one. Each /24 is named by its third octet.
Subnet = collections.namedtuple("Subnet", "vpc name block zone v6", defaults=[None])
SUBNETS = [
    Subnet("e1", "public-a", "10.100.0.0/24", A),
    Subnet("e1", "firewall-a", "10.100.2.0/24", A),
    Subnet("e1", "transit-a", "10.100.8.0/24", A),
    Subnet("e2", "appliances-a", "10.101.1.0/24", A),
    Subnet("a1", "public-a", "10.1.0.0/24", A),
    Subnet("a1", "private-a", "10.1.1.0/24", A, "2001:db8:a1:1::/64"),
    Subnet("a1", "private-b", "10.1.2.0/24", B, "2001:db8:a1:2::/64"),
    Subnet("a1", "public-b", "10.1.3.0/24", B),
    Subnet("a1", "pods-a", "10.1.5.0/24", A),
    Subnet("a1", "transit-a", "10.1.8.0/24", A),
    Subnet("a1", "shared-a", "10.1.9.0/24", A),
    Subnet("a1", "transit-b", "10.1.18.0/24", B),
    Subnet("a1", "boston", "10.1.30.0/24", BOSTON),
    Subnet("a1", "mobile", "10.1.31.0/24", WAVELENGTH),
    Subnet("a2", "store-a", "10.2.1.0/24", A),
    Subnet("a2", "store-b", "10.2.2.0/24", B),
    Subnet("a3", "front-a", "10.80.1.0/24", A),
    Subnet("a3", "endpoints-a", "10.80.2.0/24", A),
    Subnet("a4", "jobs-b", "10.82.1.0/24", B),
    Subnet("a5", "desks-a", "10.10.1.0/24", A),
    Subnet("a6", "racks-a", "10.11.1.0/24", A),
    Subnet("a7", "lines-a", "10.12.1.0/24", A),
    Subnet("a8", "branch-a", "10.60.1.0/24", A),
    Subnet("a9", "outpost-a", "10.70.1.0/24", A),
    Subnet("b1", "apps", "10.50.1.0/24", DUBLIN),
    Subnet("b1", "transit", "10.50.8.0/24", DUBLIN),
    Subnet("b2", "vaults", "10.51.1.0/24", DUBLIN),
    Subnet("d1", "boxes-x", "10.1.0.0/24", A),
    Subnet("d1", "boxes-y", "10.1.1.0/24", B),
    Subnet("d2", "benches-a", "10.2.1.0/24", A),
    Subnet("d2", "nat-a", "100.64.10.0/24", A),
    Subnet("d3", "builds-a", "10.3.1.0/24", A),
    Subnet("d3", "builds-b", "10.3.2.0/24", B),
    Subnet("d4", "services-b", "10.20.1.0/24", B),
    Subnet("d4", "services-a", "10.20.2.0/24", A),
    Subnet("d4", "transit-a", "10.20.8.0/24", A),
    Subnet("d4", "transit-b", "10.20.9.0/24", B),
    Subnet("d5", "branch-a", "10.61.1.0/24", A),
    Subnet("b3", "boxes", "10.1.1.0/24", DUBLIN),
]

OFFICES = "pl-0a1000000000000ff"
S3_LIST, DYNAMODB_LIST = "pl-63a5400a", "pl-02cd2c6b"
LISTS = [
    # Id, name, owner, region, blocks
    (OFFICES, "offices", PROD, VIRGINIA, ["203.0.113.128/28", "203.0.113.240/28"]),
    (S3_LIST, "com.amazonaws.us-east-1.s3", "AWS", VIRGINIA, ["52.216.0.0/15", "3.5.0.0/19"]),
    (DYNAMODB_LIST, "com.amazonaws.us-east-1.dynamodb", "AWS", VIRGINIA, ["52.94.0.0/22", "52.119.224.0/20"]),
]

# The AWS ranges that the flows meet, as AWS publishes them.
RANGES = [
    ("52.216.0.0/15", VIRGINIA, "AMAZON"), ("52.216.0.0/15", VIRGINIA, "S3"),
    ("52.94.0.0/22", VIRGINIA, "AMAZON"), ("52.94.0.0/22", VIRGINIA, "DYNAMODB"),
    ("52.218.0.0/17", IRELAND, "AMAZON"), ("52.218.0.0/17", IRELAND, "S3"),
    ("130.176.0.0/17", "GLOBAL", "AMAZON"), ("130.176.0.0/17", "GLOBAL", "CLOUDFRONT"),
    ("130.176.0.0/17", "GLOBAL", "CLOUDFRONT_ORIGIN_FACING"),
]

# ---- Security groups: VPC, number, name, owner, what may come in, what may go out ----

ANY, ANY6 = "0.0.0.0/0", "::/0"


def tcp(port, *peers):
    return ("tcp", port, port, peers)


ALL_OUT = [("-1", None, None, (ANY, ANY6))]
Group = collections.namedtuple("Group", "vpc number name account ingress egress")


def group_id(vpc, number):
    return f"sg-0{vpc}{number:014}"


WEB, APP, DB, CACHE, FUNCTION, ENDPOINTS, SHARED, PODS, BALANCER = (
    group_id("a1", number) for number in (10, 20, 33, 30, 40, 200, 15, 5, 50)
)
STORE = group_id("a2", 10)
GROUPS = [
    Group("a1", 10, "web", PROD, [tcp(443, ANY, ANY6), tcp(22, OFFICES)], ALL_OUT),
    Group("a1", 20, "app", PROD, [tcp(8080, BALANCER, WEB, "10.0.0.0/8"), tcp(443, "2001:db8:a1::/56")], ALL_OUT),
    Group("a1", 33, "db", PROD, [tcp(5432, APP)], [tcp(443, S3_LIST)]),
    Group("a1", 30, "cache", PROD, [tcp(6379, APP)], ALL_OUT),
    Group("a1", 40, "function", PROD, [], ALL_OUT),
    Group("a1", 200, "endpoints", PROD, [tcp(443, "10.1.0.0/16")], ALL_OUT),
    Group("a1", 15, "guest", DEV, [tcp(8443, "10.1.0.0/16")], ALL_OUT),
    Group("a1", 5, "pods", PROD, [("-1", None, None, (group_id("a1", 5),))], ALL_OUT),
    Group("a1", 50, "balancer", PROD, [tcp(443, ANY)], ALL_OUT),
    Group("a2", 10, "store", PROD, [tcp(9000, "10.0.0.0/8"), tcp(22, "10.1.0.0/16")], ALL_OUT),
] + [
    Group(code, 1, "all", VPC[code].account, [("-1", None, None, ("10.0.0.0/8", "172.16.0.0/12", ANY))], ALL_OUT)
    for code in ("e1", "e2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b1", "b2", "d1", "d2", "d3", "d4", "d5", "b3")
]

# ---- Network ACLs: number, direction, action, protocol, ports, block ----

ALLOW_ALL = [(100, "in", "allow", "-1", None, ANY), (100, "out", "allow", "-1", None, ANY),
             (101, "in", "allow", "-1", None, ANY6), (101, "out", "allow", "-1", None, ANY6)]


def acl_id(vpc, number):
    return f"acl-0{vpc}{number:014}"


# VPC, number, name, subnets (by name; None for the VPC's default), entries
ACLS = [
    ("a1", 1, "public", ["public-a", "public-b"],
     [(50, "in", "deny", "-1", None, "192.0.2.0/24"), (60, "out", "deny", "6", (6667, 6667), ANY), *ALLOW_ALL]),
    ("a1", 2, "private", ["private-a", "private-b"],
     [(80, "out", "deny", "6", (25, 25), ANY), (90, "in", "deny", "6", (23, 23), ANY), *ALLOW_ALL]),
    ("a2", 1, "store", ["store-a", "store-b"],
     [(100, "in", "allow", "6", (9000, 9000), "10.0.0.0/8"), (110, "in", "allow", "6", (1024, 65535), "10.0.0.0/8"),
      (100, "out", "allow", "-1", None, ANY)]),
] + [(vpc.code, 0, "default", None, ALLOW_ALL) for vpc in VPCS]

# ---- Interfaces ----

Interface = collections.namedtuple(
    "Interface", "vpc address kind name groups public v6 more", defaults=[[], None, None, {}]
)
TASK = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
ALB = f"arn:aws:elasticloadbalancing:us-east-1:{PROD}:loadbalancer/app/shop/0a10000000000050"
NLB = f"arn:aws:elasticloadbalancing:us-east-1:{PROD}:loadbalancer/net/pay/0a10000000000060"
GWLB = f"arn:aws:elasticloadbalancing:us-east-1:{NETWORK}:loadbalancer/gwy/inspect/0e20000000000020"


def every(code):
    """The one group of a VPC that has no more."""
    return [group_id(code, 1)]


INTERFACES = [
    Interface("e1", "10.100.0.220", "nat", "egress-a", public="198.51.100.120"),
    Interface("e1", "10.100.2.5", "gateway-endpoint", "firewall"),
    Interface("e1", "10.100.8.5", "transit", "egress"),
    Interface("e2", "10.101.1.10", "instance", "appliance-1", every("e2")),
    Interface("e2", "10.101.1.20", "gateway-balancer", "inspect"),
    Interface("a1", "10.1.0.10", "instance", "bastion", [WEB], public="198.51.100.10"),
    Interface("a1", "10.1.0.50", "alb", "shop", [BALANCER], public="198.51.100.50"),
    Interface("a1", "10.1.3.50", "alb", "shop", [BALANCER], public="198.51.100.51"),
    Interface("a1", "10.1.0.60", "nlb", "pay", public="198.51.100.60"),
    Interface("a1", "10.1.0.220", "nat", "shop-a", public="198.51.100.20"),
    Interface("a1", "10.1.1.20", "instance", "app-a", [APP], v6="2001:db8:a1:1::20", more={"second": "10.1.1.51"}),
    Interface("a1", "10.1.1.30", "cache", "shop-cache-001", [CACHE]),
    Interface("a1", "10.1.1.40", "lambda", "resize", [FUNCTION]),
    Interface("a1", "10.1.1.60", "task", "checkout", [APP]),
    Interface("a1", "10.1.1.200", "endpoint", "ssm", [ENDPOINTS]),
    Interface("a1", "10.1.2.200", "endpoint", "ssm", [ENDPOINTS]),
    Interface("a1", "10.1.1.78", "instance", "report", [APP], more={"since": "2026-11-20T16:00:00+00:00"}),
    Interface("a1", "10.1.2.20", "instance", "app-b", [APP], v6="2001:db8:a1:2::20"),
    Interface("a1", "10.1.2.33", "rds", "orders-db", [DB]),
    Interface("a1", "10.1.5.10", "instance", "node-1", [PODS], more={"prefix": "10.1.5.16/28", "cluster": "shop"}),
    Interface("a1", "10.1.8.5", "transit", "shop"),
    Interface("a1", "10.1.18.5", "transit", "shop"),
    Interface("a1", "10.1.9.15", "instance", "guest", [SHARED], more={"owner": DEV}),
    Interface("a1", "10.1.30.10", "instance", "cashier", [WEB], public="198.51.100.30"),
    Interface("a1", "10.1.31.10", "instance", "scanner", [WEB], more={"carrier": "155.146.1.10"}),
    Interface("a2", "10.2.1.10", "instance", "warehouse-a", [STORE]),
    Interface("a2", "10.2.2.10", "instance", "warehouse-b", [STORE]),
    Interface("a3", "10.80.1.10", "instance", "web-1", every("a3"), public="198.51.100.80"),
    Interface("a3", "10.80.2.5", "gateway-endpoint", "inspect"),
    Interface("a4", "10.82.1.10", "instance", "worker", every("a4")),
    Interface("a5", "10.10.1.10", "instance", "intranet", every("a5")),
    Interface("a5", "10.10.1.99", "instance", "router", every("a5"), more={"forwards": True}),
    Interface("a6", "10.11.1.10", "instance", "ledger", every("a6")),
    Interface("a7", "10.12.1.10", "instance", "line-1", every("a7")),
    Interface("a8", "10.60.1.10", "instance", "branch-1", every("a8")),
    Interface("a9", "10.70.1.10", "instance", "robot", every("a9")),
    Interface("b1", "10.50.1.10", "instance", "app-eu", every("b1"), public="198.51.100.150"),
    Interface("b1", "10.50.8.5", "transit", "shop-eu"),
    Interface("b2", "10.51.1.10", "instance", "vault", every("b2")),
    # The addresses of shop's bastion and app-a, in a VPC that is connected to nothing.
    Interface("d1", "10.1.0.10", "instance", "box-x", every("d1")),
    Interface("d1", "10.1.1.20", "instance", "box-y", every("d1")),
    # The address of data's warehouse-a, peered with tools only.
    Interface("d2", "10.2.1.10", "instance", "bench", every("d2")),
    Interface("d2", "100.64.10.20", "nat", "lab"),
    Interface("d2", "100.64.10.5", "transit", "lab"),
    Interface("d3", "10.3.1.10", "instance", "ci", every("d3"), public="198.51.100.40"),
    Interface("d3", "10.3.2.10", "instance", "runner", every("d3")),
    Interface("d4", "10.20.1.30", "instance", "api", every("d4")),
    Interface("d4", "10.20.2.30", "instance", "search", every("d4")),
    Interface("d4", "10.20.8.5", "transit", "sandbox"),
    Interface("d4", "10.20.9.5", "transit", "sandbox"),
    Interface("d5", "10.61.1.10", "instance", "branch-2", every("d5")),
    Interface("b3", "10.1.1.20", "instance", "box-eu", every("b3")),
]
# What was there an hour before, and is gone: the second one's address is another interface's now.
VANISHED = [
    Interface("a1", "10.1.1.77", "task", "nightly", [APP]),
    Interface("a1", "10.1.1.78", "task", "weekly", [APP], more={"id": "eni-0a1000000000f1078"}),
]

# ---- Ids ----


def number_of(address):
    """Six digits for the last two octets of an address, or for the VPC's own part of an IPv6 one."""
    third, fourth = ipaddress.ip_address(address).packed[-2:]
    return f"{third:03}{fourth:03}"


def vpc_id(code):
    return f"vpc-0{code}{0:014}"


def subnet_id(subnet):
    return f"subnet-0{subnet.vpc}00000000{number_of(subnet.block.split('/')[0])}"


def resource(prefix, code, address):
    """The id of what has an address of a VPC: `eni`, `i`, `nat`, `eipalloc` and others."""
    return f"{prefix}-0{code}00000000{number_of(address)}"


def eni(code, address):
    return resource("eni", code, address)


def gateway(prefix, code):
    """The id of a gateway that a VPC has one of: `igw`, `vgw`, `eigw`, `cagw`, `rtb` and others."""
    return f"{prefix}-0{code}{0:014}"


SSM, S3_ENDPOINT, DYNAMODB_ENDPOINT = "vpce-0a100000000001200", "vpce-0a100000000000053", "vpce-0a1000000000000db"
INSPECT_ENDPOINT, FIREWALL_ENDPOINT = "vpce-0a300000000002005", "vpce-0e100000000002005"
REGIONAL_NAT = "nat-0a400000000000000"
TGW = {VIRGINIA: "tgw-0e000000000000001", IRELAND: "tgw-0e000000000000002"}
TGW_TABLE = {VIRGINIA: "tgw-rtb-0e000000000000001", IRELAND: "tgw-rtb-0e000000000000002"}
TGW_PEERING = "tgw-attach-0e000000000000012"
TGW_VPN, TGW_DIRECT_CONNECT = "tgw-attach-0e0000000000000f1", "tgw-attach-0e0000000000000dc"
ATTACHED = ["a1", "d4", "d2", "e1", "b1"]
VPN = {"tgw": "vpn-0e0000000000000f1", "a5": "vpn-0a500000000000000", "a7": "vpn-0a700000000000000"}
DX_GATEWAY = {"a6": "0a600000-dddd-4000-8000-000000000006", "a7": "0a700000-dddd-4000-8000-000000000007",
              "tgw": "0e000000-dddd-4000-8000-000000000001"}
LOCAL_GATEWAY = "lgw-0a900000000000000"
CORE_NETWORK = "core-network-0e000000000000c02e"
CORE_NETWORK_ARN = f"arn:aws:networkmanager::{NETWORK}:core-network/{CORE_NETWORK}"
FIREWALL = f"arn:aws:network-firewall:us-east-1:{NETWORK}:firewall/egress-inspect"
FLOW_LOG_OF_TGW = "fl-0e000000000000001"


def attachment(code):
    return gateway("tgw-attach", code)


# Requester and accepter: VPC code, or what is known of one that is not collected.
OUTSIDE = ("vpc-0999999999999999", PARTNER, VIRGINIA, "10.200.0.0/16")
PEERINGS = {
    "pcx-0a1a2000000000000": ("a1", "a2"),
    "pcx-0a1d3000000000000": ("a1", "d3"),
    "pcx-0d2d3000000000000": ("d2", "d3"),
    "pcx-0a2b2000000000000": ("a2", "b2"),
    "pcx-0a199000000000000": ("a1", OUTSIDE),
}
SHOP_DATA, SHOP_TOOLS, LAB_TOOLS, DATA_BACKUP, SHOP_PARTNER = PEERINGS

# ---- Route tables: VPC, number, name, subnets by name (None: the main table), routes ----

HOME = TGW[VIRGINIA]
ABROAD = TGW[IRELAND]
PRIVATE = [
    ("10.2.0.0/16", SHOP_DATA), ("10.3.0.0/16", SHOP_TOOLS), ("10.200.0.0/16", SHOP_PARTNER),
    ("10.20.0.0/16", HOME), ("10.50.0.0/16", HOME), ("10.66.0.0/16", HOME), ("172.16.0.0/16", HOME),
    ("172.20.0.0/16", HOME), (ANY, resource("nat", "a1", "10.1.0.220")), (ANY6, gateway("eigw", "a1")),
    (S3_LIST, S3_ENDPOINT), (DYNAMODB_LIST, DYNAMODB_ENDPOINT),
]
TABLES = [
    ("e1", 0, "public", ["public-a"], [(ANY, gateway("igw", "e1")), ("10.0.0.0/8", FIREWALL_ENDPOINT)]),
    ("e1", 2, "firewall", ["firewall-a"], [(ANY, resource("nat", "e1", "10.100.0.220")), ("10.0.0.0/8", HOME)]),
    ("e1", 8, "transit", ["transit-a"], [(ANY, FIREWALL_ENDPOINT)]),
    ("a1", 0, "public", ["public-a", "public-b"],
     [(ANY, gateway("igw", "a1")), (ANY6, gateway("igw", "a1")), ("10.2.0.0/16", SHOP_DATA)]),
    ("a1", 1, "private", ["private-a", "private-b", "pods-a", "shared-a"], PRIVATE),
    ("a1", 30, "boston", ["boston"], [(ANY, gateway("igw", "a1"))]),
    ("a1", 31, "mobile", ["mobile"], [(ANY, gateway("cagw", "a1"))]),
    ("a1", 99, "main", None, []),
    ("a2", 0, "main", None, [("10.1.0.0/16", SHOP_DATA), ("10.51.0.0/16", DATA_BACKUP)]),
    ("a3", 1, "front", ["front-a"], [(ANY, INSPECT_ENDPOINT)]),
    ("a3", 2, "endpoints", ["endpoints-a"], [(ANY, gateway("igw", "a3"))]),
    ("a3", 3, "edge", gateway("igw", "a3"), [("10.80.1.0/24", INSPECT_ENDPOINT)]),
    ("a4", 0, "main", None, [(ANY, REGIONAL_NAT)]),
    ("a5", 0, "main", None, [("172.17.0.0/16", gateway("vgw", "a5")), ("192.168.60.0/24", eni("a5", "10.10.1.99"))]),
    ("a6", 0, "main", None, [("172.18.0.0/16", gateway("vgw", "a6"))]),
    ("a7", 0, "main", None, [("172.19.0.0/16", gateway("vgw", "a7"))]),
    ("a8", 0, "main", None, [("10.61.0.0/16", CORE_NETWORK_ARN)]),
    ("a9", 0, "main", None, [("192.168.50.0/24", LOCAL_GATEWAY)]),
    ("b1", 0, "main", None, [("10.1.0.0/16", ABROAD), (ANY, gateway("igw", "b1"))]),
    ("b2", 0, "main", None, [("10.2.0.0/16", DATA_BACKUP)]),
    ("d2", 0, "main", None, [("10.3.0.0/16", LAB_TOOLS), ("10.20.0.0/16", resource("nat", "d2", "100.64.10.20"))]),
    ("d2", 10, "nat", ["nat-a"], [("10.20.0.0/16", HOME)]),
    ("d3", 0, "main", None,
     [("10.1.0.0/16", SHOP_TOOLS), ("10.2.0.0/16", LAB_TOOLS), (ANY, gateway("igw", "d3"))]),
    ("d4", 0, "main", None, [(ANY, HOME)]),
    ("d5", 0, "main", None, [("10.60.0.0/16", CORE_NETWORK_ARN)]),
] + [(code, 0, "main", None, []) for code in ("e2", "d1", "b3")]

TRANSIT_ROUTES = {
    VIRGINIA: [
        ("10.1.0.0/16", "a1", "propagated"), ("10.20.0.0/16", "d4", "propagated"),
        ("100.64.10.0/24", "d2", "static"), ("10.50.0.0/16", TGW_PEERING, "static"),
        ("172.16.0.0/16", TGW_VPN, "propagated"), ("172.20.0.0/16", TGW_DIRECT_CONNECT, "propagated"),
        ("10.66.0.0/16", None, "static"), (ANY, "e1", "static"),
    ],
    IRELAND: [("10.50.0.0/16", "b1", "propagated"), ("10.1.0.0/16", TGW_PEERING, "static")],
}

# ---- Answers ----


def tags(name, **more):
    pairs = {"Name": name, **more} if name else more
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


class Answers:
    """Sections of each account and region."""

    def __init__(self):
        self.units = collections.defaultdict(lambda: collections.defaultdict(list))

    def add(self, account, region, section, row):
        self.units[account, region][section].append(row)

    def write(self, root):
        for (account, region), sections in sorted(self.units.items()):
            folder = root / "aws_configs" / "accounts" / account / region
            folder.mkdir(parents=True)
            lines = []
            for section, rows in sections.items():
                whole = isinstance(rows, dict)
                rows = [json.dumps(row) for row in ([rows] if whole else rows)]
                text = rows[0] if whole else "[\n  " + ",\n  ".join(rows) + "\n ]"
                lines.append(f" {json.dumps(section)}: {text}")
            (folder / "answers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def subnet_of(code, address):
    address = ipaddress.ip_address(address)
    return next(s for s in SUBNETS if s.vpc == code and address in ipaddress.ip_network(s.block))


def subnets_named(code, names):
    return [s for s in SUBNETS if s.vpc == code and s.name in names]


def of_vpc(answers, code, section, row):
    answers.add(VPC[code].account, VPC[code].region, section, row)


def accounts(answers):
    names = {NETWORK: "network", PROD: "prod", DEV: "dev"}
    arn = f"arn:aws:organizations::{NETWORK}"
    for account, name in names.items():
        unit = answers.units[account, "global"]
        unit["Organization"] = {
            "Id": "o-exampleorgid", "Arn": f"{arn}:organization/o-exampleorgid", "FeatureSet": "ALL",
            "MasterAccountArn": f"{arn}:account/o-exampleorgid/{NETWORK}", "MasterAccountId": NETWORK,
            "MasterAccountEmail": "network@example.com",
        }
        unit["AccountAliases"] = [f"example-{name}"]
        unit["Regions"] = [{"RegionName": region, "Endpoint": f"ec2.{region}.amazonaws.com",
                            "OptInStatus": "opt-in-not-required"} for region in (IRELAND, VIRGINIA)]
        answers.add(NETWORK, "global", "Accounts", {
            "Id": account, "Arn": f"{arn}:account/o-exampleorgid/{account}", "Email": f"{name}@example.com",
            "Name": name, "Status": "ACTIVE", "JoinedMethod": "CREATED", "JoinedTimestamp": CREATED,
        })
    for zone, known in ZONES.items():
        region = VIRGINIA if zone.startswith("use1") else IRELAND
        kind = {BOSTON: "local-zone", WAVELENGTH: "wavelength-zone"}.get(zone, "availability-zone")
        for account, name in known.items():
            row = {"State": "available", "OptInStatus": "opt-in-not-required", "Messages": [], "RegionName": region,
                   "ZoneName": name, "ZoneId": zone, "GroupName": region, "NetworkBorderGroup": region,
                   "ZoneType": kind}
            if kind != "availability-zone":
                row |= {"OptInStatus": "opted-in", "GroupName": name[:-1], "NetworkBorderGroup": name[:-1],
                        "ParentZoneName": "us-east-1a", "ParentZoneId": A}
            answers.add(account, region, "AvailabilityZones", row)


def vpcs(answers):
    for vpc in VPCS:
        four = [block for block in vpc.blocks if ":" not in block]
        row = {
            "CidrBlock": four[0], "DhcpOptionsId": gateway("dopt", vpc.code), "InstanceTenancy": "default",
            "IsDefault": False, "OwnerId": vpc.account, "State": "available", "VpcId": vpc_id(vpc.code),
            "CidrBlockAssociationSet": [
                {"AssociationId": f"vpc-cidr-assoc-0{vpc.code}{number:014}", "CidrBlock": block,
                 "CidrBlockState": {"State": "associated"}} for number, block in enumerate(four)
            ],
            "Ipv6CidrBlockAssociationSet": [
                {"AssociationId": gateway("vpc-cidr-assoc", vpc.code), "Ipv6CidrBlock": block, "Ipv6Pool": "Amazon",
                 "Ipv6CidrBlockState": {"State": "associated"}, "NetworkBorderGroup": vpc.region}
                for block in vpc.blocks if ":" in block
            ],
            "Tags": tags(vpc.name),
        }
        of_vpc(answers, vpc.code, "Vpcs", row)
        if vpc.code == "a1":
            # Who takes part in a shared subnet sees the VPC, without its tags.
            answers.add(DEV, VIRGINIA, "Vpcs", {**row, "Tags": []})
        if vpc.logged:
            of_vpc(answers, vpc.code, "FlowLogs", flow_log(gateway("fl", vpc.code), vpc_id(vpc.code)))
    answers.add(NETWORK, VIRGINIA, "FlowLogs", flow_log(FLOW_LOG_OF_TGW, HOME))
    for subnet in SUBNETS:
        account = VPC[subnet.vpc].account
        row = {
            "AvailabilityZone": ZONES[subnet.zone][account], "AvailabilityZoneId": subnet.zone,
            "AvailableIpAddressCount": 240, "CidrBlock": subnet.block, "DefaultForAz": False,
            "MapPublicIpOnLaunch": False, "OwnerId": account, "State": "available", "SubnetId": subnet_id(subnet),
            "SubnetArn": f"arn:aws:ec2:{VPC[subnet.vpc].region}:{account}:subnet/{subnet_id(subnet)}",
            "VpcId": vpc_id(subnet.vpc), "Tags": tags(subnet.name),
            "Ipv6CidrBlockAssociationSet": [
                {"AssociationId": f"subnet-cidr-assoc-0{subnet.vpc}00000000{number_of(subnet.block.split('/')[0])}",
                 "Ipv6CidrBlock": subnet.v6, "Ipv6CidrBlockState": {"State": "associated"}}
            ] if subnet.v6 else [],
        }
        if subnet.name == "outpost-a":
            row["OutpostArn"] = f"arn:aws:outposts:us-east-1:{PROD}:outpost/op-0a900000000000000"
        of_vpc(answers, subnet.vpc, "Subnets", row)
        if (subnet.vpc, subnet.name) == ("a1", "shared-a"):
            zone = ZONES[subnet.zone][DEV]
            answers.add(DEV, VIRGINIA, "Subnets", {**row, "AvailabilityZone": zone, "Tags": []})


def flow_log(log, of):
    more = {"TrafficType": "ALL"} if of.startswith("vpc-") else {}
    return {
        "FlowLogId": log, "ResourceId": of, **more, "LogDestinationType": "s3",
        "LogDestination": "arn:aws:s3:::flow-logs-use1", "FlowLogStatus": "ACTIVE", "DeliverLogsStatus": "SUCCESS",
        "MaxAggregationInterval": 60, "CreationTime": CREATED,
        "LogFormat": "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} "
        "${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}", "Tags": [],
    }


# What AWS says of interfaces that it makes for its services: type, requester, description.
MADE = {
    "nat": ("nat_gateway", NETWORK, "Interface for NAT Gateway {nat}"),
    "gateway-endpoint": ("gateway_load_balancer_endpoint", "727180483921", "VPC Endpoint Interface {endpoint}"),
    "endpoint": ("vpc_endpoint", "727180483921", "VPC Endpoint Interface {endpoint}"),
    "transit": ("transit_gateway", "amazon-transit-gateway",
                "Network Interface for Transit Gateway Attachment {attachment}"),
    "alb": ("interface", "amazon-elb", "ELB app/shop/0a10000000000050"),
    "nlb": ("network_load_balancer", "amazon-elb", "ELB net/pay/0a10000000000060"),
    "gateway-balancer": ("gateway_load_balancer", "amazon-elb", "ELB gwy/inspect/0e20000000000020"),
    "cache": ("interface", "amazon-elasticache", "ElastiCache {name}"),
    "lambda": ("lambda", "AROAEXAMPLE:resize", "AWS Lambda VPC ENI-{name}-0a100000-0000-4000-8000-000000001040"),
    "rds": ("interface", "amazon-rds", "RDSNetworkInterface"),
    "task": ("interface", "578734482556",
             f"arn:aws:ecs:us-east-1:{PROD}:attachment/0a100000-0000-4000-8000-00000000{{number}}"),
}
ENDPOINT_OF = {"10.100.2.5": FIREWALL_ENDPOINT, "10.80.2.5": INSPECT_ENDPOINT, "10.1.1.200": SSM, "10.1.2.200": SSM}


def interface_row(at):
    """The row of DescribeNetworkInterfaces."""
    vpc, subnet = VPC[at.vpc], subnet_of(at.vpc, at.address)
    owner = at.more.get("owner", vpc.account)
    addresses = [{"Primary": True, "PrivateIpAddress": at.address}]
    if "second" in at.more:
        addresses.append({"Primary": False, "PrivateIpAddress": at.more["second"]})
    row = {
        "AvailabilityZone": ZONES[subnet.zone][owner], "AvailabilityZoneId": subnet.zone, "Description": "",
        "Groups": [{"GroupId": group, "GroupName": g.name} for group in at.groups
                   for g in GROUPS if group_id(g.vpc, g.number) == group],
        "InterfaceType": "interface",
        "Ipv6Addresses": [{"Ipv6Address": at.v6, "IsPrimaryIpv6": False}] if at.v6 else [],
        "MacAddress": "02:00:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(at.address).packed),
        "NetworkInterfaceId": at.more.get("id", eni(at.vpc, at.address)), "OwnerId": owner,
        "PrivateIpAddress": at.address, "PrivateIpAddresses": addresses, "RequesterManaged": False,
        "SourceDestCheck": True, "Status": "in-use",
        "SubnetId": subnet_id(subnet), "TagSet": [], "VpcId": vpc_id(at.vpc),
    }
    if at.public:
        addresses[0]["Association"] = {"PublicIp": at.public, "PublicDnsName": "", "IpOwnerId": owner}
        if at.kind == "alb":
            addresses[0]["Association"]["IpOwnerId"] = "amazon-elb"
        else:
            addresses[0]["Association"]["AllocationId"] = resource("eipalloc", at.vpc, at.address)
    if "carrier" in at.more:
        addresses[0]["Association"] = {"CarrierIp": at.more["carrier"], "IpOwnerId": owner}
    if "Association" in addresses[0]:
        row["Association"] = addresses[0]["Association"]
    if at.more.get("forwards"):
        row["SourceDestCheck"] = False
    if "prefix" in at.more:
        row["Ipv4Prefixes"] = [{"Ipv4Prefix": at.more["prefix"]}]
    attached = {"AttachmentId": resource("eni-attach", at.vpc, at.address), "AttachTime": at.more.get("since", CREATED),
                "DeleteOnTermination": True, "DeviceIndex": 0, "NetworkCardIndex": 0, "Status": "attached"}
    if at.kind == "instance":
        row["Attachment"] = {**attached, "InstanceId": resource("i", at.vpc, at.address), "InstanceOwnerId": owner}
        if "cluster" in at.more:
            row["TagSet"] = tags(None, **{"cluster.k8s.amazonaws.com/name": at.more["cluster"],
                                          "node.k8s.amazonaws.com/instance_id": resource("i", at.vpc, at.address)})
    else:
        kind, requester, description = MADE[at.kind]
        row |= {
            "InterfaceType": kind, "RequesterId": requester.replace(NETWORK, vpc.account), "RequesterManaged": True,
            "Description": description.format(
                nat=resource("nat", at.vpc, at.address), endpoint=ENDPOINT_OF.get(at.address), name=at.name,
                attachment=attachment(at.vpc), number=number_of(at.address)[-4:],
            ),
            "Attachment": {**attached, "AttachmentId": resource("ela-attach", at.vpc, at.address),
                           "DeleteOnTermination": False, "DeviceIndex": 1,
                           "InstanceOwnerId": "amazon-elb" if "lb" in at.kind else "amazon-aws"},
        }
        if at.kind in ("nat", "transit", "gateway-endpoint"):
            row["SourceDestCheck"] = False
        if at.kind == "task":
            row["TagSet"] = tags(None, **{"aws:ecs:clusterName": "shop", "aws:ecs:serviceName": at.name})
    return row


def interfaces(answers):
    for at in INTERFACES:
        account, region = at.more.get("owner", VPC[at.vpc].account), VPC[at.vpc].region
        row = interface_row(at)
        answers.add(account, region, "NetworkInterfaces", row)
        if at.kind == "instance":
            answers.add(account, region, "Reservations", {
                "OwnerId": account, "ReservationId": resource("r", at.vpc, at.address), "Groups": [], "Instances": [{
                    "InstanceId": resource("i", at.vpc, at.address), "InstanceType": "m7g.large",
                    "State": {"Code": 16, "Name": "running"}, "PrivateIpAddress": at.address,
                    "SubnetId": row["SubnetId"], "VpcId": row["VpcId"], "LaunchTime": CREATED,
                    "Placement": {"AvailabilityZone": row["AvailabilityZone"], "Tenancy": "default"},
                    "NetworkInterfaces": [{"NetworkInterfaceId": row["NetworkInterfaceId"]}],
                    "SecurityGroups": row["Groups"], "Tags": tags(at.name, team=VPC[at.vpc].name),
                }],
            })
        if at.public and at.kind != "alb":
            answers.add(account, region, "Addresses", {
                "PublicIp": at.public, "AllocationId": resource("eipalloc", at.vpc, at.address),
                "AssociationId": resource("eipassoc", at.vpc, at.address), "Domain": "vpc",
                "NetworkInterfaceId": row["NetworkInterfaceId"], "NetworkInterfaceOwnerId": account,
                "PrivateIpAddress": at.address, "PublicIpv4Pool": "amazon", "NetworkBorderGroup": region,
                "Tags": tags(at.name),
            })
    answers.add(PROD, VIRGINIA, "Addresses", {
        "PublicIp": "198.51.100.82", "AllocationId": gateway("eipalloc", "a4"), "Domain": "vpc",
        "AssociationId": gateway("eipassoc", "a4"), "PublicIpv4Pool": "amazon", "NetworkBorderGroup": VIRGINIA,
        "ServiceManaged": "rnat", "Tags": [],
    })


def permissions(rules):
    rows = []
    for protocol, first, last, peers in rules:
        row = {"IpProtocol": protocol, "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
        if first is not None:
            row |= {"FromPort": first, "ToPort": last}
        for peer in peers:
            if peer.startswith("sg-"):
                row["UserIdGroupPairs"].append({"GroupId": peer, "UserId": PROD})
            elif peer.startswith("pl-"):
                row["PrefixListIds"].append({"PrefixListId": peer})
            elif ":" in peer:
                row["Ipv6Ranges"].append({"CidrIpv6": peer})
            else:
                row["IpRanges"].append({"CidrIp": peer})
        rows.append(row)
    return rows


def rules(answers):
    for group in GROUPS:
        answers.add(group.account, VPC[group.vpc].region, "SecurityGroups", {
            "GroupId": group_id(group.vpc, group.number), "GroupName": group.name, "Description": group.name,
            "OwnerId": group.account, "VpcId": vpc_id(group.vpc), "Tags": [],
            "IpPermissions": permissions(group.ingress), "IpPermissionsEgress": permissions(group.egress),
        })
    for code, number, name, subnets, entries in ACLS:
        named = {subnet for other in ACLS if other[0] == code for subnet in other[3] or []}
        subnets = named.symmetric_difference(s.name for s in SUBNETS if s.vpc == code) if subnets is None else subnets
        rows = [{"CidrBlock" if ":" not in block else "Ipv6CidrBlock": block, "Egress": way == "out",
                 "Protocol": protocol, "RuleAction": action, "RuleNumber": at,
                 **({"PortRange": {"From": ports[0], "To": ports[1]}} if ports else {})}
                for at, way, action, protocol, ports, block in entries]
        for block, egress in ((ANY, False), (ANY, True), (ANY6, False), (ANY6, True)):
            rows.append({"CidrBlock" if block == ANY else "Ipv6CidrBlock": block, "Egress": egress, "Protocol": "-1",
                         "RuleAction": "deny", "RuleNumber": 32767 if block == ANY else 32768})
        of_vpc(answers, code, "NetworkAcls", {
            "NetworkAclId": acl_id(code, number), "VpcId": vpc_id(code), "OwnerId": VPC[code].account,
            "IsDefault": number == 0, "Entries": rows, "Tags": tags(name),
            "Associations": [
                {"NetworkAclAssociationId": subnet_id(subnet).replace("subnet-", "aclassoc-"),
                 "NetworkAclId": acl_id(code, number), "SubnetId": subnet_id(subnet)}
                for subnet in subnets_named(code, subnets)
            ],
        })
    for list_id, name, owner, region, blocks in LISTS:
        seen = [PROD] if owner != "AWS" else [NETWORK, PROD, DEV]
        for account in seen:
            answers.add(account, region, "ManagedPrefixLists", {
                "PrefixListId": list_id, "AddressFamily": "IPv4", "PrefixListName": name, "OwnerId": owner,
                "PrefixListArn": f"arn:aws:ec2:{region}:{owner.lower()}:prefix-list/{list_id}",
                **({"MaxEntries": 8, "Version": 1, "State": "create-complete"} if owner != "AWS" else {}), "Tags": [],
            })
            if owner == "AWS":
                answers.add(account, region, "PrefixLists",
                            {"PrefixListId": list_id, "PrefixListName": name, "Cidrs": blocks})
            answers.add(account, region, "ManagedPrefixListEntries",
                        {"PrefixListId": list_id, "Entries": [{"Cidr": block} for block in blocks]})


# The member of a route that names its target, by the beginning of the id.
TARGETS = [("nat-", "NatGatewayId"), ("tgw-", "TransitGatewayId"), ("pcx-", "VpcPeeringConnectionId"),
           ("eigw-", "EgressOnlyInternetGatewayId"), ("arn:", "CoreNetworkArn"), ("cagw-", "CarrierGatewayId"),
           ("lgw-", "LocalGatewayId"), ("eni-", "NetworkInterfaceId"), ("", "GatewayId")]


def route(destination, target):
    where = ("DestinationPrefixListId" if destination.startswith("pl-")
             else "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock")
    member = next(member for start, member in TARGETS if target.startswith(start))
    origin = "CreateRouteTable" if target == "local" else "CreateRoute"
    origin = "EnableVgwRoutePropagation" if target.startswith("vgw-") else origin
    return {where: destination, member: target, "Origin": origin, "State": "active"}


def routes(answers):
    for code, number, name, subnets, rows in TABLES:
        table = f"rtb-0{code}{number:014}"
        links = [{"Main": True}] if subnets is None else [{"Main": False, "GatewayId": subnets}]
        if isinstance(subnets, list):
            links = [{"Main": False, "SubnetId": subnet_id(s)} for s in subnets_named(code, subnets)]
        of_vpc(answers, code, "RouteTables", {
            "RouteTableId": table, "VpcId": vpc_id(code), "OwnerId": VPC[code].account, "Tags": tags(name),
            "PropagatingVgws": [{"GatewayId": target} for _, target in rows if target.startswith("vgw-")],
            "Associations": [
                {**link, "RouteTableAssociationId": f"rtbassoc-0{code}{number:011}{at:03}", "RouteTableId": table,
                 "AssociationState": {"State": "associated"}} for at, link in enumerate(links)
            ],
            "Routes": [route(block, "local") for block in VPC[code].blocks] + [route(*row) for row in rows],
        })


def gateways(answers):
    for code in ("e1", "a1", "a3", "d3", "b1"):
        of_vpc(answers, code, "InternetGateways", {
            "InternetGatewayId": gateway("igw", code), "OwnerId": VPC[code].account, "Tags": tags(VPC[code].name),
            "Attachments": [{"State": "available", "VpcId": vpc_id(code)}],
        })
    of_vpc(answers, "a1", "EgressOnlyInternetGateways", {
        "EgressOnlyInternetGatewayId": gateway("eigw", "a1"), "Tags": [],
        "Attachments": [{"State": "attached", "VpcId": vpc_id("a1")}],
    })
    for at in INTERFACES:
        if at.kind != "nat":
            continue
        address = {"NetworkInterfaceId": eni(at.vpc, at.address), "PrivateIp": at.address, "IsPrimary": True,
                   "Status": "succeeded"}
        if at.public:
            address |= {"AllocationId": resource("eipalloc", at.vpc, at.address), "PublicIp": at.public}
        of_vpc(answers, at.vpc, "NatGateways", {
            "NatGatewayId": resource("nat", at.vpc, at.address), "VpcId": vpc_id(at.vpc),
            "SubnetId": subnet_id(subnet_of(at.vpc, at.address)), "State": "available", "CreateTime": CREATED,
            "ConnectivityType": "public" if at.public else "private", "AvailabilityMode": "zonal",
            "NatGatewayAddresses": [address], "Tags": tags(at.name),
        })
    of_vpc(answers, "a4", "NatGateways", {
        "NatGatewayId": REGIONAL_NAT, "VpcId": vpc_id("a4"), "State": "available", "CreateTime": CREATED,
        "ConnectivityType": "public", "AvailabilityMode": "regional", "AutoScalingIps": "enabled",
        "NatGatewayAddresses": [{"AllocationId": gateway("eipalloc", "a4"), "PublicIp": "198.51.100.82",
                                 "AvailabilityZone": "us-east-1b", "AvailabilityZoneId": B, "Status": "succeeded"}],
        "Tags": tags("batch"),
    })

    def endpoint(code, name, kind, service, **more):
        of_vpc(answers, code, "VpcEndpoints", {
            "VpcEndpointId": name, "VpcEndpointType": kind, "VpcId": vpc_id(code), "ServiceName": service,
            "State": "available", "RouteTableIds": [], "SubnetIds": [], "Groups": [], "NetworkInterfaceIds": [],
            "PrivateDnsEnabled": kind == "Interface", "RequesterManaged": False, "DnsEntries": [],
            "CreationTimestamp": CREATED, "Tags": [], "OwnerId": VPC[code].account, **more,
        })

    def at(code, *addresses):
        return {"NetworkInterfaceIds": [eni(code, address) for address in addresses],
                "SubnetIds": [subnet_id(subnet_of(code, address)) for address in addresses]}

    private = {"RouteTableIds": [f"rtb-0a1{1:014}"]}
    endpoint("a1", S3_ENDPOINT, "Gateway", "com.amazonaws.us-east-1.s3", **private)
    endpoint("a1", DYNAMODB_ENDPOINT, "Gateway", "com.amazonaws.us-east-1.dynamodb", **private)
    endpoint("a1", SSM, "Interface", "com.amazonaws.us-east-1.ssm", **at("a1", "10.1.1.200", "10.1.2.200"),
             Groups=[{"GroupId": ENDPOINTS, "GroupName": "endpoints"}], Tags=tags("ssm"))
    service = "com.amazonaws.vpce.us-east-1.vpce-svc-0e200000000000000"
    endpoint("a3", INSPECT_ENDPOINT, "GatewayLoadBalancer", service, **at("a3", "10.80.2.5"), Tags=tags("inspect"))
    endpoint("e1", FIREWALL_ENDPOINT, "GatewayLoadBalancer",
             "com.amazonaws.vpce.us-east-1.vpce-svc-0f00000000000000f", **at("e1", "10.100.2.5"),
             RequesterManaged=True, Tags=[{"Key": "AWSNetworkFirewallManaged", "Value": "true"},
                                          {"Key": "Firewall", "Value": FIREWALL}])
    answers.add(NETWORK, VIRGINIA, "ServiceConfigurations", {
        "ServiceType": [{"ServiceType": "GatewayLoadBalancer"}], "ServiceId": "vpce-svc-0e200000000000000",
        "ServiceName": service, "ServiceState": "Available", "AvailabilityZones": ["us-east-1a"],
        "AcceptanceRequired": False, "ManagesVpcEndpoints": False, "GatewayLoadBalancerArns": [GWLB],
        "BaseEndpointDnsNames": [], "Tags": [],
    })

    def side(end):
        if isinstance(end, tuple):
            vpc, account, region, block = end
        else:
            vpc, account, region, block = vpc_id(end), VPC[end].account, VPC[end].region, VPC[end].blocks[0]
        return {"CidrBlock": block, "CidrBlockSet": [{"CidrBlock": block}], "OwnerId": account, "VpcId": vpc,
                "Region": region, "PeeringOptions": {"AllowDnsResolutionFromRemoteVpc": True}}

    for name, (requester, accepter) in PEERINGS.items():
        ends = [side(requester), side(accepter)]
        seen = {(end["OwnerId"], end["Region"]) for end in ends if end["OwnerId"] != PARTNER}
        for account, region in sorted(seen):
            answers.add(account, region, "VpcPeeringConnections", {
                "VpcPeeringConnectionId": name, "RequesterVpcInfo": ends[0], "AccepterVpcInfo": ends[1],
                "Status": {"Code": "active", "Message": "Active"}, "Tags": [],
            })


def vpn(name, gateway_member, gateway_id, near, far, customer):
    return {
        "VpnConnectionId": name, "State": "available", "Type": "ipsec.1", "Category": "VPN",
        "CustomerGatewayId": customer, gateway_member: gateway_id,
        "Options": {"EnableAcceleration": False, "StaticRoutesOnly": True, "LocalIpv4NetworkCidr": near,
                    "RemoteIpv4NetworkCidr": far, "TunnelInsideIpVersion": "ipv4",
                    "TunnelOptions": [{"OutsideIpAddress": "192.0.2.7", "TunnelInsideCidr": "169.254.10.0/30"}]},
        "Routes": [{"DestinationCidrBlock": far, "Source": "Static", "State": "available"}],
        "VgwTelemetry": [{"OutsideIpAddress": "192.0.2.7", "Status": "UP", "AcceptedRouteCount": 1}],
        "Tags": tags(name[-4:]),
    }


def hybrid(answers):
    for code, block in (("a5", "172.17.0.0/16"), ("a6", None), ("a7", "172.19.0.0/16")):
        of_vpc(answers, code, "VpnGateways", {
            "VpnGatewayId": gateway("vgw", code), "State": "available", "Type": "ipsec.1", "AmazonSideAsn": 64512,
            "VpcAttachments": [{"State": "attached", "VpcId": vpc_id(code)}], "Tags": tags(VPC[code].name),
        })
        if block:
            of_vpc(answers, code, "CustomerGateways", {
                "CustomerGatewayId": gateway("cgw", code), "BgpAsn": "65000", "IpAddress": "203.0.113.7",
                "State": "available", "Type": "ipsec.1", "Tags": [],
            })
            ends = (VPC[code].blocks[0], block, gateway("cgw", code))
            of_vpc(answers, code, "VpnConnections", vpn(VPN[code], "VpnGatewayId", gateway("vgw", code), *ends))
    answers.add(NETWORK, VIRGINIA, "CustomerGateways", {
        "CustomerGatewayId": "cgw-0e0000000000000f1", "BgpAsn": "65000", "IpAddress": "203.0.113.8",
        "State": "available", "Type": "ipsec.1", "Tags": [],
    })
    answers.add(NETWORK, VIRGINIA, "VpnConnections",
                vpn(VPN["tgw"], "TransitGatewayId", HOME, "0.0.0.0/0", "172.16.0.0/16", "cgw-0e0000000000000f1"))

    for key, account, name, kind, behind in [
        ("a6", PROD, "colo", "virtualPrivateGateway", gateway("vgw", "a6")),
        ("a7", PROD, "plant", "virtualPrivateGateway", gateway("vgw", "a7")),
        ("tgw", NETWORK, "backbone", "transitGateway", HOME),
    ]:
        dx = DX_GATEWAY[key]
        line = f"dxvif-{dx[:8]}"
        answers.add(account, "global", "directConnectGateways", {
            "directConnectGatewayId": dx, "directConnectGatewayName": name, "amazonSideAsn": 64520,
            "ownerAccount": account, "directConnectGatewayState": "available",
        })
        answers.add(account, "global", "directConnectGatewayAssociations", {
            "directConnectGatewayId": dx, "directConnectGatewayOwnerAccount": account, "associationState": "associated",
            "associationId": dx.replace("dddd", "aaaa"),
            "associatedGateway": {"id": behind, "type": kind, "ownerAccount": account, "region": VIRGINIA},
            "allowedPrefixesToDirectConnectGateway": [{"cidr": "10.0.0.0/8"}],
            **({"virtualGatewayId": behind, "virtualGatewayRegion": VIRGINIA, "virtualGatewayOwnerAccount": account}
               if kind == "virtualPrivateGateway" else {}),
        })
        answers.add(account, "global", "directConnectGatewayAttachments", {
            "directConnectGatewayId": dx, "virtualInterfaceId": line, "virtualInterfaceRegion": VIRGINIA,
            "virtualInterfaceOwnerAccount": account, "attachmentState": "attached",
            "attachmentType": {"virtualPrivateGateway": "PrivateVirtualInterface",
                               "transitGateway": "TransitVirtualInterface"}[kind],
        })
        answers.add(account, VIRGINIA, "virtualInterfaces", {
            "ownerAccount": account, "virtualInterfaceId": line, "location": "EqDC2", "connectionId": "dxcon-0e000001",
            "virtualInterfaceType": "private" if kind == "virtualPrivateGateway" else "transit",
            "virtualInterfaceName": name, "vlan": 101, "asn": 65000, "amazonSideAsn": 64520,
            "virtualInterfaceState": "available", "directConnectGatewayId": dx, "region": VIRGINIA, "bgpPeers": [],
        })


def transit(answers):
    for region, name in TGW.items():
        row = {
            "TransitGatewayId": name, "TransitGatewayArn": f"arn:aws:ec2:{region}:{NETWORK}:transit-gateway/{name}",
            "State": "available", "OwnerId": NETWORK, "Description": "", "CreationTime": CREATED,
            "Options": {"AmazonSideAsn": 64512, "DefaultRouteTableAssociation": "enable",
                        "AssociationDefaultRouteTableId": TGW_TABLE[region], "DefaultRouteTablePropagation": "disable",
                        "DnsSupport": "enable", "VpnEcmpSupport": "enable"},
            "Tags": tags("home" if region == VIRGINIA else "abroad"),
        }
        for account in (NETWORK, PROD) + ((DEV,) if region == VIRGINIA else ()):
            answers.add(account, region, "TransitGateways", row if account == NETWORK else {**row, "Tags": []})
        links = []

        def attach(of, kind, what, owner, seen, region=region, name=name, links=links):
            row = {
                "TransitGatewayAttachmentId": of, "TransitGatewayId": name, "TransitGatewayOwnerId": NETWORK,
                "ResourceOwnerId": owner, "ResourceType": kind, "ResourceId": what, "State": "available",
                "Association": {"TransitGatewayRouteTableId": TGW_TABLE[region], "State": "associated"},
                "CreationTime": CREATED, "Tags": [],
            }
            for account in seen:
                answers.add(account, region, "TransitGatewayAttachments", row)
            links.append({"TransitGatewayAttachmentId": of, "ResourceId": what, "ResourceType": kind})

        for code in ATTACHED:
            vpc = VPC[code]
            if vpc.region != region:
                continue
            attach(attachment(code), "vpc", vpc_id(code), vpc.account, sorted({NETWORK, vpc.account}))
            for account in sorted({NETWORK, vpc.account}):
                answers.add(account, region, "TransitGatewayVpcAttachments", {
                    "TransitGatewayAttachmentId": attachment(code), "TransitGatewayId": name,
                    "VpcId": vpc_id(code), "VpcOwnerId": vpc.account, "State": "available", "CreationTime": CREATED,
                    "SubnetIds": [subnet_id(subnet_of(code, at.address)) for at in INTERFACES
                                  if at.kind == "transit" and at.vpc == code],
                    "Options": {"DnsSupport": "enable", "Ipv6Support": "disable",
                                "ApplianceModeSupport": "enable" if code == "e1" else "disable"},
                    "Tags": tags(vpc.name) if account == vpc.account else [],
                })
        other = TGW[IRELAND if region == VIRGINIA else VIRGINIA]
        attach(TGW_PEERING, "peering", other, NETWORK, [NETWORK])
        answers.add(NETWORK, region, "TransitGatewayPeeringAttachments", {
            "TransitGatewayAttachmentId": TGW_PEERING, "State": "available", "CreationTime": CREATED, "Tags": [],
            "RequesterTgwInfo": {"TransitGatewayId": TGW[VIRGINIA], "OwnerId": NETWORK, "Region": VIRGINIA},
            "AccepterTgwInfo": {"TransitGatewayId": TGW[IRELAND], "OwnerId": NETWORK, "Region": IRELAND},
            "Status": {"Code": "available"},
        })
        if region == VIRGINIA:
            attach(TGW_VPN, "vpn", VPN["tgw"], NETWORK, [NETWORK])
            attach(TGW_DIRECT_CONNECT, "direct-connect-gateway", DX_GATEWAY["tgw"], NETWORK, [NETWORK])
        table = TGW_TABLE[region]
        answers.add(NETWORK, region, "TransitGatewayRouteTables", {
            "TransitGatewayRouteTableId": table, "TransitGatewayId": name, "State": "available",
            "CreationTime": CREATED, "DefaultAssociationRouteTable": True, "DefaultPropagationRouteTable": False,
            "Tags": [],
        })
        answers.add(NETWORK, region, "TransitGatewayRouteTableAssociations", {
            "TransitGatewayRouteTableId": table, "Associations": [{**link, "State": "associated"} for link in links],
        })
        rows, propagated = [], []
        for block, to, kind in TRANSIT_ROUTES[region]:
            to = attachment(to) if to in ATTACHED else to
            link = [link for link in links if link["TransitGatewayAttachmentId"] == to]
            rows.append({"DestinationCidrBlock": block, "Type": kind, "State": "active" if to else "blackhole",
                         **({"TransitGatewayAttachments": link} if to else {})})
            propagated += link if kind == "propagated" else []
        answers.add(NETWORK, region, "TransitGatewayPropagations", {
            "TransitGatewayRouteTableId": table,
            "TransitGatewayRouteTablePropagations": [{**link, "State": "enabled"} for link in propagated],
        })
        answers.add(NETWORK, region, "TransitGatewayRoutes",
                    {"TransitGatewayRouteTableId": table, "Routes": rows, "AdditionalRoutesAvailable": False})


def core_network(answers):
    network = {"CoreNetworkId": CORE_NETWORK, "CoreNetworkArn": CORE_NETWORK_ARN,
               "GlobalNetworkId": "global-network-0e00000000000001", "State": "AVAILABLE"}
    answers.add(NETWORK, "global", "GlobalNetworks", {
        "GlobalNetworkId": network["GlobalNetworkId"], "State": "AVAILABLE",
        "GlobalNetworkArn": f"arn:aws:networkmanager::{NETWORK}:global-network/{network['GlobalNetworkId']}",
    })
    for account in (NETWORK, PROD, DEV):
        answers.add(account, "global", "CoreNetworks", {**network, "OwnerAccountId": NETWORK})
    answers.add(NETWORK, "global", "CoreNetworkDetails", {
        "CoreNetworkId": CORE_NETWORK,
        "CoreNetwork": {**network,
                        "Segments": [{"Name": "branches", "EdgeLocations": [VIRGINIA], "SharedSegments": []}],
                        "Edges": [{"EdgeLocation": VIRGINIA, "Asn": 64530, "InsideCidrBlocks": []}]},
    })
    hops = []
    for code in ("a8", "d5"):
        vpc = VPC[code]
        row = {
            "CoreNetworkId": CORE_NETWORK, "CoreNetworkArn": CORE_NETWORK_ARN,
            "AttachmentId": gateway("attachment", code), "OwnerAccountId": vpc.account, "AttachmentType": "VPC",
            "State": "AVAILABLE", "EdgeLocation": VIRGINIA,
            "ResourceArn": f"arn:aws:ec2:{VIRGINIA}:{vpc.account}:vpc/{vpc_id(code)}", "SegmentName": "branches",
        }
        for account in sorted({NETWORK, vpc.account}):
            answers.add(account, "global", "Attachments", row)
        hops.append({
            "DestinationCidrBlock": vpc.blocks[0], "State": "ACTIVE", "Type": "PROPAGATED",
            "Destinations": [{"CoreNetworkAttachmentId": gateway("attachment", code), "ResourceType": "vpc",
                              "ResourceId": vpc_id(code), "SegmentName": "branches", "EdgeLocation": VIRGINIA}],
        })
    edge = {"CoreNetworkId": CORE_NETWORK, "SegmentName": "branches", "EdgeLocation": VIRGINIA}
    answers.add(NETWORK, "global", "NetworkRoutes", {
        "GlobalNetworkId": network["GlobalNetworkId"], "RouteTableIdentifier": {"CoreNetworkSegmentEdge": edge},
        "CoreNetworkSegmentEdge": edge, "RouteTableType": "CORE_NETWORK_SEGMENT", "NetworkRoutes": hops,
    })


def balancers(answers):
    groups = {
        # Load balancer: its group, port, targets
        ALB: ("app", "HTTP", 8080, "instance", [resource("i", "a1", "10.1.1.20"), resource("i", "a1", "10.1.2.20")]),
        NLB: ("pay", "TCP", 8443, "instance", [resource("i", "a1", "10.1.1.20")]),
        GWLB: ("inspect", "GENEVE", 6081, "instance", [resource("i", "e2", "10.101.1.10")]),
    }
    kinds = {"app": "application", "net": "network", "gwy": "gateway"}
    for arn, (name, protocol, port, kind, targets) in groups.items():
        account, (short, balancer, _) = arn.split(":")[4], arn.split("/")[1:]
        code = "e2" if short == "gwy" else "a1"
        made = {"app": "alb", "net": "nlb", "gwy": "gateway-balancer"}[short]
        at = [interface for interface in INTERFACES if interface.kind == made]
        answers.add(account, VIRGINIA, "LoadBalancers", {
            "LoadBalancerArn": arn, "LoadBalancerName": balancer, "Type": kinds[short], "CreatedTime": CREATED,
            "DNSName": f"{balancer}-{arn[-8:]}.elb.us-east-1.amazonaws.com", "State": {"Code": "active"},
            "VpcId": vpc_id(code), "IpAddressType": "ipv4",
            "AvailabilityZones": [{"ZoneName": ZONES[subnet_of(i.vpc, i.address).zone][account],
                                   "SubnetId": subnet_id(subnet_of(i.vpc, i.address)), "LoadBalancerAddresses": []}
                                  for i in at],
            **({"Scheme": "internet-facing", "SecurityGroups": [BALANCER] if short == "app" else []}
               if short != "gwy" else {}),
        })
        target = f"arn:aws:elasticloadbalancing:us-east-1:{account}:targetgroup/{name}/{arn[-16:]}"
        answers.add(account, VIRGINIA, "Listeners", {
            "ListenerArn": arn.replace(":loadbalancer/", ":listener/") + "/0000000000000001", "LoadBalancerArn": arn,
            **({"Port": 443, "Protocol": {"app": "HTTPS", "net": "TCP"}[short]} if short != "gwy" else {}),
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": target}],
        })
        answers.add(account, VIRGINIA, "TargetGroups", {
            "TargetGroupArn": target, "TargetGroupName": name, "Protocol": protocol, "Port": port,
            "VpcId": vpc_id(code), "TargetType": kind, "LoadBalancerArns": [arn],
        })
        answers.add(account, VIRGINIA, "LoadBalancerTargetHealth", {
            "TargetGroupArn": target, "TargetHealthDescriptions": [
                {"Target": {"Id": one, "Port": port}, "TargetHealth": {"State": "healthy"}} for one in targets
            ],
        })


def firewall(answers):
    answers.add(NETWORK, VIRGINIA, "Firewalls", {"FirewallName": "egress-inspect", "FirewallArn": FIREWALL})
    answers.add(NETWORK, VIRGINIA, "FirewallDetails", {
        "FirewallArn": FIREWALL,
        "Firewall": {
            "FirewallName": "egress-inspect", "FirewallArn": FIREWALL, "VpcId": vpc_id("e1"),
            "FirewallPolicyArn": FIREWALL.replace(":firewall/", ":firewall-policy/"),
            "SubnetMappings": [{"SubnetId": subnet_id(subnet_of("e1", "10.100.2.5"))}],
            "FirewallId": "0e100000-ffff-4000-8000-000000002005", "Tags": tags("egress-inspect"),
        },
        "FirewallStatus": {
            "Status": "READY", "ConfigurationSyncStateSummary": "IN_SYNC",
            "SyncStates": {"us-east-1a": {"Attachment": {
                "SubnetId": subnet_id(subnet_of("e1", "10.100.2.5")), "EndpointId": FIREWALL_ENDPOINT,
                "Status": "READY",
            }, "Config": {}}},
        },
    })
    answers.add(NETWORK, VIRGINIA, "FirewallLoggingConfigurations", {
        "FirewallArn": FIREWALL, "LoggingConfiguration": {"LogDestinationConfigs": [
            {"LogType": kind, "LogDestinationType": "S3", "LogDestination": {"bucketName": "flow-logs-use1"}}
            for kind in ("ALERT", "FLOW", "TLS")
        ]},
    })


def vanished(answers):
    """The interfaces of one account and region an hour before."""
    for at in INTERFACES + VANISHED:
        here = VPC[at.vpc].region == VIRGINIA and at.more.get("owner", VPC[at.vpc].account) == PROD
        if here and "since" not in at.more:
            answers.add(PROD, VIRGINIA, "NetworkInterfaces", interface_row(at))


def ranges():
    prefixes = [{"ip_prefix": block, "region": region, "service": service, "network_border_group": region}
                for block, region, service in RANGES]
    return {"syncToken": "1795180000", "createDate": "2026-11-20-13-06-40", "prefixes": prefixes, "ipv6_prefixes": []}


def main():
    for folder in (HERE / "aws_configs", HERE / "before"):
        shutil.rmtree(folder, ignore_errors=True)
    now, before = Answers(), Answers()
    parts = (accounts, vpcs, interfaces, rules, routes, gateways, hybrid, transit, core_network, balancers, firewall)
    for part in parts:
        part(now)
    now.write(HERE)
    vanished(before)
    before.write(HERE / "before")
    (HERE / "ip-ranges.json").write_text(json.dumps(ranges(), indent=1) + "\n")
    import rows

    rows.write(HERE / "flows")


if __name__ == "__main__":
    main()
