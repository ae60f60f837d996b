#!/usr/bin/env python3
"""Writes the sample objects beside this file and the sample events in ../events.

    python3 -m venv venv && venv/bin/pip install pyarrow==26.0.1 zstandard==0.25.0
    venv/bin/python samples/make.py

The output is the same at every run: no clock, no chance, gzip members without a time. Another
version of pyarrow or zstandard may pack the Parquet and the zstd object differently; the rows in
them stay the same. The events carry the size and MD5 of the objects, so both are written together.

The estate: VPC vpc-0a1b2c3d4e5f60718 (10.20.0.0/16) of account 123456789012 with a load balancer,
a web server, an application server behind a NAT gateway, a database and an interface endpoint; VPC
vpc-0d4e5f60718293a4b (10.40.0.0/16) of account 210987654321 with an ECS service; a transit gateway
between them; a firewall on the way out. All of it on 2026-11-20 from 16:20 UTC.
"""

import gzip
import hashlib
import io
import json
import pathlib
import shutil
import urllib.parse

import pyarrow
import pyarrow.parquet
import zstandard

HERE = pathlib.Path(__file__).resolve().parent
EVENTS = HERE.parent / "events"

FIRST = "123456789012"
SECOND = "210987654321"
T = 1795191600  # 2026-11-20T16:20:00Z, the start of the five minutes the files stand for

V2 = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start "
    "end action log-status"
).split()
V5 = V2 + (
    "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id "
    "sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction "
    "traffic-path"
).split()
V11 = V5 + (
    "ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id "
    "ecs-container-id ecs-second-container-id ecs-service-name ecs-task-definition-arn "
    "ecs-task-arn ecs-task-id reject-reason resource-id encryption-status instance-tag "
    "instance-tag-2 interface-tag interface-tag-2 asg-tag asg-tag-2 interface-type "
    "next-hop-interface-id next-hop-subnet-id next-hop-az-id next-hop-vpc-id "
    "next-hop-interface-type"
).split()
TGW = (
    "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id "
    "tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id "
    "tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr "
    "srcport dstport protocol packets bytes start end log-status type packets-lost-no-route "
    "packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region "
    "flow-direction pkt-src-aws-service pkt-dst-aws-service"
).split()
assert (len(V2), len(V5), len(V11), len(TGW)) == (14, 29, 54, 36)

INT32 = {"version", "srcport", "dstport", "protocol", "tcp-flags", "traffic-path"}
INT64 = {"packets", "bytes", "start", "end"}

# ---- The estate ----

VPC1 = "vpc-0a1b2c3d4e5f60718"
VPC2 = "vpc-0d4e5f60718293a4b"
PUBLIC, PRIVATE, DATA = (
    "subnet-0a11111111111111a",
    "subnet-0b22222222222222b",
    "subnet-0c33333333333333c",
)
TASKS = "subnet-0d44444444444444d"


def interface(number, address, subnet, zone, instance="-", account=FIRST, vpc=VPC1, **more):
    return {
        "interface-id": f"eni-0{number:x}1b2c3d4e5f60718",
        "address": address,
        "subnet-id": subnet,
        "az-id": zone,
        "instance-id": instance,
        "account-id": account,
        "vpc-id": vpc,
        **more,
    }


WEB = interface(
    0xA, "10.20.1.10", PUBLIC, "use1-az1", "i-0a1b2c3d4e5f60718", v6="2001:db8:20:1::10",
    **{"instance-tag": "web%20shop", "instance-tag-2": "prod", "asg-tag": "asg%2Fweb"},
)
BALANCER = interface(
    0xB, "10.20.1.50", PUBLIC, "use1-az1", **{"interface-type": "network_load_balancer"}
)
NAT = interface(0xC, "10.20.1.220", PUBLIC, "use1-az1", **{"interface-type": "nat_gateway"})
APP = interface(
    0xD, "10.20.4.17", PRIVATE, "use1-az1", "i-0b2c3d4e5f6071829",
    **{"instance-tag": "orders%2Fapi", "instance-tag-2": "prod"},
)
DATABASE = interface(
    0xE, "10.20.8.9", DATA, "use1-az2", "i-0c3d4e5f60718293a",
    **{"instance-tag": "orders%20db", "instance-tag-2": "prod"},
)
ENDPOINT = interface(
    0xF, "10.20.4.200", PRIVATE, "use1-az1", **{"interface-type": "vpc_endpoint"}
)
CLUSTER = f"arn:aws:ecs:us-east-1:{SECOND}"
TASK_ID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
TASK = interface(
    0x5, "10.40.5.44", TASKS, "use1-az2", account=SECOND, vpc=VPC2, v6="2001:db8:40:5::44",
    **{
        "ecs-cluster-arn": f"{CLUSTER}:cluster/shop",
        "ecs-cluster-name": "shop",
        "ecs-container-id": f"{TASK_ID}-1234567890",
        "ecs-second-container-id": f"{TASK_ID}-2345678901",
        "ecs-service-name": "checkout",
        "ecs-task-definition-arn": f"{CLUSTER}:task-definition/checkout:14",
        "ecs-task-arn": f"{CLUSTER}:task/shop/{TASK_ID}",
        "ecs-task-id": TASK_ID,
        "interface-tag": "checkout",
        "interface-tag-2": "caf%C3%A9%20team",
    },
)
CACHE = interface(
    0x6, "10.40.6.12", TASKS, "use1-az2", "i-0d4e5f60718293a4b", account=SECOND, vpc=VPC2,
    **{"instance-tag": "cart%20cache"},
)
TASK_ENDPOINT = interface(
    0x7, "10.40.5.200", TASKS, "use1-az2", account=SECOND, vpc=VPC2,
    **{"interface-type": "vpc_endpoint"},
)
ATTACHMENT = interface(
    0x8, "10.40.5.250", TASKS, "use1-az2", account=SECOND, vpc=VPC2,
    **{"interface-type": "transit_gateway"},
)


def flow(at, source, destination, ports, counters, seconds, **more):
    """One row as a dictionary of field names; what is not set is missing."""
    row = {name: at[name] for name in at if name not in ("address", "v6")}
    row.update(
        {
            "srcaddr": source,
            "dstaddr": destination,
            "srcport": ports[0],
            "dstport": ports[1],
            "protocol": 6,
            "packets": counters[0],
            "bytes": counters[1],
            "start": T + seconds[0],
            "end": T + seconds[1],
            "action": "ACCEPT",
            "log-status": "OK",
            "tcp-flags": 0,
            "type": "IPv6" if ":" in source else "IPv4",
            "pkt-srcaddr": source,
            "pkt-dstaddr": destination,
            "region": "us-east-1",
            "flow-direction": "egress" if source in (at["address"], at.get("v6")) else "ingress",
        }
    )
    row.update({name.replace("_", "-"): value for name, value in more.items()})
    return row


def both(at, far, ports, asked, answered, seconds, flags=(3, 19), path=None, **more):
    """Both directions of a connection that `at` opened."""
    near = at["v6"] if ":" in far else at["address"]
    hop = more.pop("hop", {})
    service = more.pop("service", None)
    return [
        flow(
            at, near, far, ports, asked, seconds, tcp_flags=flags[0], traffic_path=path,
            **({"pkt_dst_aws_service": service} if service else {}), **hop, **more,
        ),
        flow(
            at, far, near, ports[::-1], answered, seconds, tcp_flags=flags[1],
            **({"pkt_src_aws_service": service} if service else {}), **hop, **more,
        ),
    ]


def served(at, far, ports, asked, answered, seconds, flags=(3, 19), path=None, **more):
    """Both directions of a connection that somebody opened to `at`."""
    near = at["v6"] if ":" in far else at["address"]
    return [
        flow(at, far, near, ports, asked, seconds, tcp_flags=flags[0], **more),
        flow(at, near, far, ports[::-1], answered, seconds, tcp_flags=flags[1], traffic_path=path, **more),
    ]


def status(at, word, account=None):
    return {
        "account-id": account or at["account-id"],
        "interface-id": at["interface-id"],
        "start": T,
        "end": T + 58,
        "log-status": word,
        "vpc-id": at["vpc-id"],
        "subnet-id": at["subnet-id"],
        "instance-id": at["instance-id"],
        "region": "us-east-1",
        "az-id": at["az-id"],
    }


def rejected(at, source, ports, counters, seconds, **more):
    return flow(
        at, source, at["v6"] if ":" in source else at["address"], ports, counters,
        (seconds, seconds), action="REJECT", **{"tcp_flags": 2, **more},
    )


def hop(at):
    """The next-hop fields that name an interface."""
    return {
        "next_hop_interface_id": at["interface-id"],
        "next_hop_subnet_id": at["subnet-id"],
        "next_hop_az_id": at["az-id"],
        "next_hop_vpc_id": at["vpc-id"],
        "next_hop_interface_type": at.get("interface-type", "-"),
    }


def text(fields, version, rows):
    """The lines of rows, without a header."""
    lines = []
    for row in rows:
        values = {**row, "version": version}
        assert set(values) <= set(V11), set(values) - set(V11)
        line = []
        for name in fields:
            value = values.get(name)
            line.append("-" if value is None else str(value))
        lines.append(" ".join(line))
    return lines


def members(*parts):
    """Several gzip members, one after the other, without file name and time."""
    return b"".join(member(part) for part in parts)


def member(data):
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=6, mtime=0) as stream:
        stream.write(data)
    return out.getvalue()


def joined(lines):
    return ("\n".join(lines) + "\n").encode()


# ---- Rows ----

UDP = {"protocol": 17, "flags": (0, 0)}


def web_rows():
    """The public side: the load balancer, the web server, scans, ping and IPv6."""
    rows = []
    rows += served(BALANCER, "203.0.113.25", (51544, 443), (14, 2310), (18, 21877), (0, 41), path=8)
    rows += served(BALANCER, "203.0.113.77", (40122, 443), (9, 1184), (11, 9420), (2, 17), path=8)
    rows += both(BALANCER, "10.20.1.10", (38114, 8080), (21, 3380), (26, 30114), (0, 44), path=1)
    rows += served(WEB, "10.20.1.50", (38114, 8080), (21, 3380), (26, 30114), (0, 44), path=1)
    rows += served(WEB, "203.0.113.12", (0, 0), (4, 336), (4, 336), (5, 35), (0, 0), path=8, protocol=1)
    rows += served(
        WEB, "2001:db8:beef::7", (34892, 443), (12, 2101), (15, 18420), (8, 39), path=8
    )
    rows += served(
        WEB, "2001:db8:beef::7", (0, 0), (2, 208), (2, 208), (9, 10), (0, 0), path=8, protocol=58
    )
    rows += [
        rejected(WEB, "192.0.2.77", (40211, 22), (1, 40), 11),
        rejected(WEB, "192.0.2.77", (40211, 22), (2, 80), 71),
        rejected(WEB, "198.51.100.9", (55012, 3389), (1, 40), 12),
        rejected(WEB, "198.51.100.9", (5061, 5060), (1, 441), 13, tcp_flags=0, protocol=17),
    ]
    return rows


def inside_rows():
    """The private side: through the NAT gateway, the database, DNS, S3, the endpoint."""
    rows = []
    rows += both(
        APP, "198.51.100.24", (43210, 443), (12, 1800), (20, 24000), (0, 55), path=1, hop=hop(NAT)
    )
    # The same connection at the NAT gateway: in from the server, out to the internet, and back.
    rows += [
        flow(NAT, "10.20.4.17", NAT["address"], (43210, 443), (12, 1800), (0, 55), tcp_flags=3,
             pkt_dstaddr="198.51.100.24", **hop(APP)),
        flow(NAT, NAT["address"], "198.51.100.24", (22061, 443), (12, 1800), (0, 55), tcp_flags=3,
             traffic_path=8),
        flow(NAT, "198.51.100.24", NAT["address"], (443, 22061), (20, 24000), (0, 56), tcp_flags=19),
        flow(NAT, NAT["address"], "10.20.4.17", (443, 43210), (20, 24000), (0, 56), tcp_flags=19,
             pkt_srcaddr="198.51.100.24", traffic_path=1, **hop(APP)),
    ]
    rows += both(APP, "198.18.10.20", (50100, 443), (7, 471), (9, 5120), (10, 40), path=7, service="S3")
    rows += both(APP, "10.20.4.200", (50144, 443), (8, 1210), (8, 3300), (14, 22), path=1, hop=hop(ENDPOINT))
    # A name server of our own; queries to the Amazon DNS server are never logged.
    rows += both(APP, "10.20.8.53", (38022, 53), (2, 140), (2, 310), (1, 1), path=1, **UDP)
    # One connection over four windows: SYN in the first, FIN in the last, nothing between.
    for window, flags in enumerate([(2, 18), (0, 0), (0, 0), (1, 1)]):
        asked = (900 + 40 * window, 118_000 + 5_300 * window)
        answered = (1_300 + 60 * window, 1_720_000 + 81_000 * window)
        seconds = (60 * window, 60 * window + (59 if window < 3 else 21))
        rows += both(
            APP, "10.20.8.9", (45012, 5432), asked, answered, seconds, flags, path=1,
            hop=hop(DATABASE),
        )
    return rows


def default_rows():
    """The default format: what the public side shows, a large transfer, and idle interfaces."""
    rows = web_rows()
    rows += both(
        DATABASE, "10.20.4.17", (5432, 45100), (3_812_400, 5_520_355_200), (610_000, 31_720_000),
        (120, 179), (0, 0),
    )
    rows += [
        status(ENDPOINT, "NODATA", account="unknown"),
        status(NAT, "NODATA"),
        status(DATABASE, "SKIPDATA"),
    ]
    return rows


def v5_rows():
    rows = inside_rows() + web_rows()[8:]
    rows += [status(ENDPOINT, "NODATA", account="unknown")]
    return rows


def v11_rows():
    """The second account: an ECS task, tags, next hops, encryption and reasons of rejection."""
    rows = []
    on = {"encryption_status": 1}
    rows += both(TASK, "10.40.6.12", (41022, 6379), (44, 5210), (41, 18_800), (0, 51), path=1, hop=hop(CACHE), **on)
    rows += served(CACHE, "10.40.5.44", (41022, 6379), (44, 5210), (41, 18_800), (0, 51), path=1, **hop(TASK), **on)
    rows += both(TASK, "10.40.5.200", (41090, 443), (10, 2044), (12, 7010), (4, 20), path=1,
                 hop=hop(TASK_ENDPOINT), encryption_status=3)
    rows += served(TASK_ENDPOINT, "10.40.5.44", (41090, 443), (10, 2044), (12, 7010), (4, 20), path=1,
                   **hop(TASK), encryption_status=3)
    # To the other VPC: out by the attachment; what comes in from a transit gateway has no next hop.
    rows += [
        flow(TASK, "10.40.5.44", "10.20.4.17", (41200, 8080), (18, 2410), (6, 48), tcp_flags=3,
             traffic_path=1, **hop(ATTACHMENT), encryption_status=0),
        flow(TASK, "10.20.4.17", "10.40.5.44", (8080, 41200), (22, 19_004), (6, 48), tcp_flags=19,
             encryption_status=0),
        flow(ATTACHMENT, "10.40.5.44", "10.40.5.250", (41200, 8080), (18, 2410), (6, 48), tcp_flags=3,
             pkt_dstaddr="10.20.4.17", **hop(TASK), encryption_status=0),
        flow(ATTACHMENT, "10.40.5.250", "10.40.5.44", (8080, 41200), (22, 19_004), (6, 48), tcp_flags=19,
             pkt_srcaddr="10.20.4.17", traffic_path=1, **hop(TASK), encryption_status=0),
    ]
    rows += both(TASK, "2001:db8:feed::21", (41300, 443), (9, 1310), (12, 8800), (20, 33), path=8,
                 encryption_status=0)
    # A regional NAT gateway has no interface and no subnet; both levels show the packet.
    regional = {
        "account-id": SECOND, "interface-id": "-", "address": "10.40.5.44", "subnet-id": "-",
        "az-id": "use1-az2", "instance-id": "-", "vpc-id": VPC2,
        "interface-type": "regional_nat_gateway", "resource-id": "nat-1a2b3c4d5e6f70819",
    }
    rows += both(regional, "203.0.113.140", (41400, 443), (11, 1502), (16, 12_720), (25, 41), path=8,
                 encryption_status=0)
    # Public access is blocked in this VPC: such rows carry no byte count.
    rows += [
        {**rejected(CACHE, "192.0.2.200", (50123, 22), (1, None), 31), "reject-reason": "BPA"},
        {**rejected(CACHE, "192.0.2.200", (50123, 22), (1, None), 34), "reject-reason": "BPA"},
        {**rejected(TASK_ENDPOINT, "10.40.6.99", (50777, 80), (1, 60), 36), "reject-reason": "EC",
         "encryption-status": 0},
        rejected(TASK, "10.40.6.12", (50888, 9090), (3, 180), 38),
        status(TASK, "NODATA"),
        {**status(TASK_ENDPOINT, "NODATA", account="unknown"), "interface-type": "vpc_endpoint"},
        status(CACHE, "SKIPDATA"),
    ]
    return rows


FUTURE = "zz-future-field"


def custom_lines():
    """Columns in alphabetical order, a column nobody knows yet, and every blemish a file can have."""
    fields = sorted(V5 + [FUTURE])
    rows = inside_rows()[:10] + web_rows()[8:]
    lines = [line.split(" ") for line in text(V5, 5, rows)]
    lines = [dict(zip(V5, line)) for line in lines]
    for number, row in enumerate(lines):
        row[FUTURE] = "-" if number % 3 else f"future%20value-{number}"
    lines = [" ".join(row[name] for name in fields) for row in lines]
    port = fields.index("dstport")
    wrong = lines[3].split(" ")
    wrong[port] = "https"
    header = " ".join(fields)
    out = [header] + lines[:6]
    out += [" ".join(lines[6].split(" ")[:9])]  # too few columns
    out += [lines[7].replace(" ", "  ", 1)]  # a double space
    out += [lines[8] + "\r", lines[9] + "\r"]  # Windows line ends
    out += [""]  # a blank line
    out += [header]  # the header once more
    out += [lines[10], " ".join(wrong)]
    out += lines[11:]
    return out


def second_account_rows():
    rows = []
    rows += both(TASK, "10.40.6.12", (42100, 6379), (30, 3302), (28, 11_400), (0, 58), path=1)
    rows += served(CACHE, "10.40.5.44", (42100, 6379), (30, 3302), (28, 11_400), (0, 58), path=1)
    rows += both(TASK, "203.0.113.140", (42200, 443), (11, 1502), (16, 12_720), (25, 41), path=1)
    rows += both(TASK, "10.20.4.17", (42300, 8080), (18, 2410), (22, 19_004), (6, 48), path=1)
    rows += [rejected(CACHE, "192.0.2.200", (50124, 22), (1, 40), 31)]
    rows += [status(TASK_ENDPOINT, "NODATA", account="unknown")]
    return rows


# ---- Transit gateway ----

SIDES = {
    "first": ("tgw-attach-0aaa12345def67890", FIRST, VPC1, "subnet-0a55555555555555a",
              "eni-0aa5b2c3d4e5f6071", "use1-az1"),
    "second": ("tgw-attach-0bbb12345def67890", SECOND, VPC2, "subnet-0b66666666666666b",
               "eni-0bb6b2c3d4e5f6071", "use1-az2"),
    "vpn": ("tgw-attach-0ccc12345def67890", "-", "-", "-", "-", "-"),
    "none": ("-", "-", "-", "-", "-", "-"),
}


def transit(at, source, destination, addresses, ports, counters, seconds, flags=0, **more):
    from_side, to_side = SIDES[source], SIDES[destination]
    here, there = (from_side, to_side) if at == source else (to_side, from_side)
    row = {
        "version": 6, "resource-type": "TransitGateway", "account-id": FIRST,
        "tgw-id": "tgw-0abc12345def67890", "tgw-attachment-id": here[0],
        "tgw-pair-attachment-id": there[0],
        "srcaddr": addresses[0], "dstaddr": addresses[1], "srcport": ports[0], "dstport": ports[1],
        "protocol": 6, "packets": counters[0], "bytes": counters[1], "start": T + seconds[0],
        "end": T + seconds[1], "log-status": "OK", "type": "IPv6" if ":" in addresses[0] else "IPv4",
        "packets-lost-no-route": 0, "packets-lost-blackhole": 0, "packets-lost-mtu-exceeded": 0,
        "packets-lost-ttl-expired": 0, "tcp-flags": flags, "region": "us-east-1",
        "flow-direction": "ingress" if at == source else "egress",
    }
    for number, name in enumerate(["vpc-account-id", "vpc-id", "subnet-id", "eni", "az-id"], start=1):
        row[f"tgw-src-{name}"] = from_side[number]
        row[f"tgw-dst-{name}"] = to_side[number]
    row.update({name.replace("_", "-"): value for name, value in more.items()})
    return row


def transit_rows():
    rows = []

    def connection(near, far, addresses, ports, asked, answered, seconds, flags=(3, 19), **more):
        for at in (near, far):
            rows.append(transit(at, near, far, addresses, ports, asked, seconds, flags[0], **more))
        for at in (far, near):
            rows.append(
                transit(at, far, near, addresses[::-1], ports[::-1], answered, seconds, flags[1], **more)
            )

    connection("second", "first", ("10.40.5.44", "10.20.4.17"), (41200, 8080), (18, 2410),
               (22, 19_004), (6, 48))
    connection("first", "vpn", ("10.20.4.17", "192.168.7.20"), (46010, 389), (12, 1602), (12, 4410),
               (0, 30))
    connection("vpn", "first", ("192.168.7.31", "10.20.8.9"), (51020, 5432), (402, 48_300),
               (611, 5_802_114), (0, 59), (2, 18))
    connection("second", "first", ("2001:db8:40:5::44", "2001:db8:20:1::10"), (41230, 443), (9, 1020),
               (10, 6_310), (12, 28))
    connection("first", "second", ("10.20.4.17", "10.40.6.12"), (0, 0), (4, 336), (4, 336), (20, 23),
               (0, 0), protocol=1)
    rows.append(transit("first", "first", "none", ("10.20.4.17", "172.31.9.9"), (40000, 8080), (0, 0),
                        (3, 9), 2, packets_lost_no_route=5))
    rows.append(transit("second", "second", "vpn", ("10.40.5.44", "192.168.99.4"), (40010, 445), (0, 0),
                        (5, 11), 2, packets_lost_blackhole=3))
    rows.append(transit("vpn", "vpn", "second", ("192.168.7.20", "10.40.6.12"), (50010, 6379),
                        (12, 90_000), (8, 40), 0, packets_lost_mtu_exceeded=2))
    for side, word in [("vpn", "NODATA"), ("second", "SKIPDATA")]:
        rows.append(
            {
                "version": 6, "resource-type": "TransitGateway", "account-id": FIRST,
                "tgw-id": "tgw-0abc12345def67890", "tgw-attachment-id": SIDES[side][0],
                "start": T, "end": T + 59, "log-status": word, "region": "us-east-1",
            }
        )
    return [" ".join(str(row.get(name, "-")) for name in TGW) for row in rows]


# ---- Network Firewall ----


def stamp(seconds, micros, suffix="+0000"):
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(16 * 60 + 20 + minutes, 60)
    return f"2026-11-20T{hour:02}:{minute:02}:{second:02}.{micros:06}{suffix}"


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def firewall(event, seconds, zone="a", number=False):
    time = T + seconds
    return {
        "firewall_name": "inspect-use1",
        "availability_zone": f"us-east-1{zone}",
        "event_timestamp": time if number else str(time),
        "event": event,
    }


def netflow(seconds, source, destination, counters, lifetime, more, tcp=None, ttl=63):
    start, end = lifetime
    event = {}
    if tcp:
        names = [(2, "syn"), (1, "fin"), (4, "rst"), (8, "psh"), (16, "ack")]
        event["tcp"] = {"tcp_flags": f"{tcp:02x}"} | {n: True for bit, n in names if tcp & bit}
    event["app_proto"] = more.pop("app_proto", "unknown")
    event["src_ip"] = source[0]
    if len(source) > 1:
        event["src_port"] = source[1]
    event["netflow"] = {
        "pkts": counters[0], "bytes": counters[1], "start": stamp(start, 204417),
        "end": stamp(end, 902210), "age": end - start, "min_ttl": ttl, "max_ttl": ttl,
    }
    event["event_type"] = "netflow"
    event["dest_ip"] = destination[0]
    if len(destination) > 1:
        event["dest_port"] = destination[1]
    event |= more
    event["timestamp"] = stamp(seconds, 499742)
    return firewall(event, seconds)


def firewall_flow_lines():
    lines = []

    def pair(seconds, near, far, asked, answered, lifetime, flow_id, tcp=0x1B, proto="TCP", app="tls"):
        common = {"flow_id": flow_id, "proto": proto}
        lines.append(netflow(seconds, near, far, asked, lifetime, {**common, "app_proto": app}, tcp, 126))
        lines.append(netflow(seconds, far, near, answered, lifetime, {**common, "app_proto": app}, tcp, 47))

    pair(60, ("10.20.4.17", 43210), ("198.51.100.24", 443), (12, 1800), (20, 24000), (0, 55), 1128384742342412)
    pair(62, ("10.20.4.17", 43288), ("203.0.113.61", 80), (6, 610), (5, 2204), (3, 9), 1128384742342977, app="http")
    pair(64, ("10.20.4.17", 51777), ("203.0.113.53", 53), (1, 71), (1, 212), (4, 4), 388120771144092, None, "UDP", "dns")
    pair(70, ("10.40.5.44", 41300), ("192.0.2.140", 443), (3_200_000, 166_400_000), (4_100_000, 5_936_800_000),
         (-7200, 65), 88120771144093)
    pair(75, ("2001:db8:20:1::10", 42001), ("2001:db8:feed::21", 443), (14, 2044), (17, 15_810), (20, 44), 551207711440945)
    common = {"flow_id": 77120349912034, "proto": "ICMP", "app_proto": "failed"}
    lines.append(netflow(80, ("10.20.4.17",), ("203.0.113.80",), (4, 336), (10, 13), {**common, "icmp_type": 8, "icmp_code": 0}))
    lines.append(netflow(80, ("203.0.113.80",), ("10.20.4.17",), (4, 336), (10, 13), {**common, "icmp_type": 0, "icmp_code": 0}, ttl=52))
    # No answer: one row.
    lines.append(netflow(90, ("10.20.4.17", 40122), ("203.0.113.99", 8443), (3, 180), (20, 27),
                         {"flow_id": 901237740112233, "proto": "TCP"}, 0x02))
    # A protocol the engine has no name for, and one that has no ports.
    lines.append(netflow(95, ("10.20.4.17",), ("203.0.113.99",), (2, 96), (31, 32),
                         {"flow_id": 441237740112234, "proto": "253", "app_proto": "failed"}))
    lines.append(netflow(99, ("10.20.4.17",), ("192.0.2.50",), (21, 4032), (40, 58),
                         {"flow_id": 441237740112299, "proto": "GRE", "app_proto": "failed"}))
    # A connection met half way: no flags known.
    row = netflow(110, ("10.20.8.9", 5432), ("192.0.2.88", 50123), (1, 52), (70, 70),
                  {"flow_id": 301237740112301, "proto": "TCP"})
    row["event"]["tcp"] = {"tcp_flags": "00"}
    lines.append(row)
    return [compact(line) for line in lines]


def firewall_alert_lines():
    def alert(seconds, addresses, ports, proto, sid, signature, action, verdict, severity=3, zone="a", **more):
        event = {
            "timestamp": stamp(seconds, 6481), "flow_id": 1582438383425873 + seconds, "event_type": "alert",
            "src_ip": addresses[0], "src_port": ports[0], "dest_ip": addresses[1], "dest_port": ports[1],
            "proto": proto,
            "alert": {"action": action, "signature_id": sid, "rev": 2, "signature": signature,
                      "category": more.pop("category", ""), "severity": severity},
            "verdict": {"action": verdict},
        }
        if metadata := more.pop("metadata", None):
            event["alert"]["metadata"] = metadata
        return compact(firewall(event | more, seconds, zone))

    arn = f"arn:aws:network-firewall:us-east-1:{FIRST}:stateful-rulegroup/egress-deny"
    app = "10.20.4.17"
    lines = [
        alert(31, (app, "192.0.2.16"), (55555, 3389), "TCP", 1000012, "deny rdp to internet", "blocked", "drop",
              aws_metadata={"resource_arn": arn}),
        alert(33, (app, "192.0.2.17"), (55556, 22), "TCP", 1000014, "deny ssh to internet", "blocked", "reject",
              severity=1, app_proto="ssh"),
        alert(40, ("10.40.5.44", "192.0.2.113"), (44474, 443), "TCP", 2029000,
              "ET MALWARE example C2 domain in TLS SNI", "allowed", "alert", severity=1, zone="b",
              category="A Network Trojan was detected",
              metadata={"created_at": ["2025_06_11"], "signature_severity": ["Major"]}, app_proto="tls",
              tls={"sni": "c2.example.net", "version": "UNDETERMINED"}, direction="to_server",
              pkt_src="geneve encapsulation"),
        alert(52, ("10.40.5.44", "192.0.2.147"), (54878, 443), "TCP", 6, "", "blocked", "drop", zone="b",
              aws_category='["Search Engines and Portals"]', tls_inspected=True, app_proto="http", tx_id=2,
              http={"hostname": "search.example.com", "url": "/q?x=1", "http_user_agent": "curl/8.11.1",
                    "http_method": "GET", "protocol": "HTTP/1.1", "length": 0}),
        alert(58, (app, "203.0.113.61"), (43288, 80), "TCP", 1000031, "watch plain http out", "allowed", "pass",
              app_proto="http", tx_id=0,
              http={"hostname": "packages.example.org", "url": "/debian/dists/stable/InRelease",
                    "http_user_agent": "Debian APT-HTTP/1.3", "http_method": "GET", "protocol": "HTTP/1.1",
                    "status": 200, "length": 1804,
                    "request_headers": [{"name": "Host", "value": "packages.example.org"}]}),
        alert(66, (app, "198.51.100.53"), (51777, 53), "UDP", 1000040, "dns to resolvers outside", "blocked", "drop",
              severity=2, app_proto="dns",
              dns={"version": 3, "type": "request", "queries": [{"rrname": "exfil.example.net", "rrtype": "TXT"}]}),
        # Suricata may write a key twice within one object.
        '{"firewall_name":"inspect-use1","availability_zone":"us-east-1a","event_timestamp":"%d","event":'
        '{"timestamp":"%s","flow_id":1972143099170468,"event_type":"alert","src_ip":"10.20.4.17","src_port":44500,'
        '"dest_ip":"198.51.100.30","dest_port":443,"proto":"TCP","app_proto":"tls","tx_id":0,'
        '"alert":{"action":"blocked","signature_id":4,"rev":1,"gid":1,'
        '"signature":"not matching any TLS allowlisted FQDNs","category":"","severity":1},'
        '"verdict":{"action":"drop"},'
        '"tls":{"subject":"CN=shop.example.com","issuerdn":"CN=Example CA","subject":"CN=shop.example.com",'
        '"issuerdn":"CN=Example CA","sni":"shop.example.com","version":"TLS 1.2","ja3":{},"ja3s":{}}}}'
        % (T + 70, stamp(70, 6867)),
        alert(77, (app, "192.0.2.180"), (44620, 8443), "TCP", 1000050, "aws:alert_established action", "allowed", "alert",
              app_proto="tls", tls={"sni": "updates.example.com", "version": "TLS 1.3"}),
        alert(83, ("2001:db8:20:1::10", "2001:db8:feed::66"), (42077, 5060), "TCP", 1000051,
              "aws:drop_established action", "blocked", "drop"),
        # An older engine: no verdict.
        compact(firewall({
            "timestamp": stamp(90, 1), "flow_id": 643336554233439, "event_type": "alert", "src_ip": app,
            "src_port": 44700, "dest_ip": "203.0.113.90", "dest_port": 23, "proto": "TCP",
            "alert": {"action": "blocked", "signature_id": 1000019, "rev": 1, "signature": "deny telnet",
                      "category": "", "severity": 2}}, 90)),
    ]
    return lines


def firewall_tls_lines():
    lines = []
    entries = [
        (49, "10.20.4.17", "55930", "192.0.2.72", "revoked.example.com",
         {"revocation_check": {"leaf_cert_fpr": "1234567890EXAMPLE0987654321", "status": "REVOKED", "action": "DROP"}}),
        (55, "10.40.5.44", "41002", "192.0.2.90", "bad.example.com",
         {"tls_error": {"error_message": "SNI: bad.example.com Match Failed to server certificate names: *.example.org"}}),
        (58, "10.20.4.17", "55944", "192.0.2.73", "unsure.example.com",
         {"revocation_check": {"leaf_cert_fpr": "2234567890EXAMPLE0987654321", "status": "UNKNOWN", "action": "PASS"}}),
        (61, "10.20.4.17", "55950", "198.51.100.91", "old.example.net",
         {"tls_error": {"error_message": "TLS handshake failed: certificate has expired"}}),
        (64, "10.40.5.44", "41010", "192.0.2.74", "refused.example.com",
         {"revocation_check": {"leaf_cert_fpr": "3234567890EXAMPLE0987654321", "status": "REVOKED", "action": "REJECT"}}),
    ]
    for number in range(10):
        seconds, source, port, destination, sni, what = entries[number % len(entries)]
        seconds += 60 * (number // len(entries))
        port = str(int(port) + number)
        event = {"src_ip": source, "src_port": port, **what, "dest_ip": destination, "dest_port": "443",
                 "timestamp": stamp(seconds, 441824, "Z"), "sni": sni}
        lines.append(compact(firewall(event, seconds, "b" if source.startswith("10.40") else "a", number=True)))
    return lines


# ---- Parquet ----


def parquet(rows):
    """29 columns; numbers are null where missing, texts are null or the literal '-' by turns."""
    columns, schema = [], []
    lines = [dict(zip(V5, line.split(" "))) for line in text(V5, 5, rows)]
    for name in V5:
        if name in INT32 or name in INT64:
            kind = pyarrow.int32() if name in INT32 else pyarrow.int64()
            values = [None if line[name] == "-" else int(line[name]) for line in lines]
        else:
            kind = pyarrow.string()
            values = [
                None if line[name] == "-" and number % 2 else line[name]
                for number, line in enumerate(lines)
            ]
        schema.append(pyarrow.field(name.replace("-", "_"), kind))
        columns.append(pyarrow.array(values, kind))
    table = pyarrow.table(columns, schema=pyarrow.schema(schema))
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out, compression="gzip", version="1.0", store_schema=False)
    return out.getvalue()


# ---- Objects ----


def vpc_key(account, flow_log, digest, time="1620", suffix="log.gz", hour=False, hive=False):
    name = f"{account}_vpcflowlogs_us-east-1_{flow_log}_20261120T{time}Z_{digest}.{suffix}"
    if hive:
        folder = (
            f"AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region=us-east-1/"
            f"year=2026/month=11/day=20/"
        ) + ("hour=16/" if hour else "")
    else:
        folder = f"AWSLogs/{account}/vpcflowlogs/us-east-1/2026/11/20/" + ("16/" if hour else "")
    return folder + name


def firewall_key(kind, digest):
    return (
        f"AWSLogs/{FIRST}/network-firewall/{kind}/us-east-1/inspect-use1/2026/11/20/16/"
        f"{FIRST}_network-firewall_{kind}_us-east-1_inspect-use1_202611201620_{digest}.log.gz"
    )


GOOD, BROKEN = "flow-logs-use1", "flow-logs-broken"
KEYS = {
    "v2": vpc_key(FIRST, "fl-0a1b2c3d4e5f60718", "fe123456"),
    "hive": vpc_key(FIRST, "fl-0b2c3d4e5f6071829", "2ad4bef5", hour=True, hive=True),
    "v11": vpc_key(SECOND, "fl-0c3d4e5f60718293a", "7c09d1e2"),
    "custom": vpc_key(FIRST, "fl-0d4e5f60718293a4b", "91b3c4d5", suffix="log"),
    "tgw": vpc_key(FIRST, "fl-0e5f60718293a4b5c", "0c44aa17"),
    "alert": firewall_key("alert", "5d2e8f10"),
    "flow": firewall_key("flow", "6e3f9021"),
    "tls": firewall_key("tls", "7f40a132"),
    "parquet": vpc_key(FIRST, "fl-0f60718293a4b5c6d", "a8b1c2d3", suffix="log.parquet", hour=True),
    "zstd": vpc_key(SECOND, "fl-060718293a4b5c6d7", "b7c8d9ea", suffix="log.zst"),
}


def objects():
    v5 = text(V5, 5, v5_rows())
    default = text(V2, 2, default_rows())
    third = len(v5) // 3
    whole = member(joined([" ".join(V2)] + default))
    corrupt = bytearray(whole)
    corrupt[-8] ^= 0xFF  # the first byte of the CRC-32 in the trailer
    balancer = [
        f"https 2026-11-20T16:2{n}:11.186641Z app/web/50dc6c495c0c9188 203.0.113.{20 + n}:51544 10.20.1.10:8080 "
        f'0.001 0.004 0.000 200 200 {410 + n} 1802 "GET https://shop.example.com:443/items/{n} HTTP/1.1" '
        '"curl/8.11.1" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 - "-" "shop.example.com" "-" 0 - "forward" "-" "-" "-" "-"'
        for n in range(10)
    ]
    return {
        (GOOD, KEYS["v2"]): whole,
        (GOOD, KEYS["hive"]): members(
            joined([" ".join(V5)] + v5[:third]), joined(v5[third : 2 * third]), joined(v5[2 * third :])
        ),
        (GOOD, KEYS["v11"]): member(joined([" ".join(V11)] + text(V11, 11, v11_rows()))),
        (GOOD, KEYS["custom"]): "\n".join(custom_lines()).encode(),  # no newline at the end
        (GOOD, KEYS["tgw"]): member(joined([" ".join(TGW)] + transit_rows())),
        (GOOD, KEYS["alert"]): member(joined(firewall_alert_lines())),
        (GOOD, KEYS["flow"]): member(joined(firewall_flow_lines())),
        (GOOD, KEYS["tls"]): member(joined(firewall_tls_lines())),
        (GOOD, KEYS["parquet"]): parquet(v5_rows()),
        (GOOD, KEYS["zstd"]): zstandard.ZstdCompressor(level=3, write_checksum=True).compress(
            joined(text(V2, 2, second_account_rows()))
        ),
        (BROKEN, "truncated.log.gz"): whole[: len(whole) * 3 // 5],
        (BROKEN, "not-a-flow-log.log.gz"): member(joined(balancer)),
        (BROKEN, "corrupt-crc.log.gz"): bytes(corrupt),
    }


# ---- Events ----


def encoded(key):
    """A key as S3 notifications write it: form-urlencoded, with slashes left alone."""
    return urllib.parse.quote_plus(key, safe="/")


class Events:
    def __init__(self, contents):
        self.contents = contents
        self.number = 0

    def identifier(self):
        self.number += 1
        digest = hashlib.md5(f"event {self.number}".encode()).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-9{digest[17:20]}-{digest[20:32]}"

    def size(self, bucket, key):
        data = self.contents.get((bucket, key), b"")
        return len(data), hashlib.md5(data).hexdigest()

    def record(self, bucket, key, event="ObjectCreated:Put"):
        size, etag = self.size(bucket, key)
        self.number += 1
        entry = {"key": encoded(key)}
        if event.startswith("ObjectCreated"):
            entry |= {"size": size, "eTag": etag}
        entry["sequencer"] = f"00691F4A{0x10000000 + self.number * 0x01234567:08X}"
        return {
            "eventVersion": "2.6",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": f"2026-11-20T16:30:{12 + self.number % 40:02}.345Z",
            "eventName": event,
            "userIdentity": {"principalId": "AWS:AROAEXAMPLE:delivery"},
            "requestParameters": {"sourceIPAddress": "192.0.2.10"},
            "responseElements": {
                "x-amz-request-id": "C3D13FE58DE4C810",
                "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD",
            },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "cloud-export",
                "bucket": {
                    "name": bucket,
                    "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                    "arn": f"arn:aws:s3:::{bucket}",
                },
                "object": entry,
            },
        }

    def s3(self, *keys, bucket=GOOD, event="ObjectCreated:Put"):
        return {"Records": [self.record(bucket, key, event) for key in keys]}

    def bridge(self, key, bucket=GOOD):
        size, etag = self.size(bucket, key)
        return {
            "version": "0",
            "id": self.identifier(),
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": FIRST,
            "time": "2026-11-20T16:30:13Z",
            "region": "us-east-1",
            "resources": [f"arn:aws:s3:::{bucket}"],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket},
                "object": {"key": key, "size": size, "etag": etag, "sequencer": "00691F4A1A2B3C4D5E"},
                "request-id": "N4N7GDK58NMKJ12R",
                "requester": FIRST,
                "source-ip-address": "192.0.2.10",
                "reason": "PutObject",
            },
        }

    def notification(self, message, url):
        certificate = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
        leave = (
            "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn="
            f"arn:aws:sns:us-east-1:{FIRST}:flow-logs:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55"
        )
        return {
            "Type": "Notification",
            "MessageId": self.identifier(),
            "TopicArn": f"arn:aws:sns:us-east-1:{FIRST}:flow-logs",
            "Subject": "Amazon S3 Notification",
            "Message": compact(message),
            "Timestamp": "2026-11-20T16:30:12.700Z",
            "SignatureVersion": "1",
            "Signature": "RVhBTVBMRXNpZ25hdHVyZQ==",
            f"SigningCert{url}": certificate,
            f"Unsubscribe{url}": leave,
        }

    def sns(self, message):
        return {
            "Records": [
                {
                    "EventVersion": "1.0",
                    "EventSubscriptionArn": f"arn:aws:sns:us-east-1:{FIRST}:flow-logs:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55",
                    "EventSource": "aws:sns",
                    "Sns": self.notification(message, "Url") | {"MessageAttributes": {}},
                }
            ]
        }

    def sqs(self, *bodies, sender="AIDAEXAMPLE:S3-PROD-END"):
        records = []
        for number, body in enumerate(bodies):
            body = body if isinstance(body, str) else compact(body)
            records.append(
                {
                    "messageId": self.identifier(),
                    "receiptHandle": f"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0aEXAMPLE{number}==",
                    "body": body,
                    "attributes": {
                        "ApproximateReceiveCount": "1",
                        "SentTimestamp": str(1795192212720 + number),
                        "SenderId": sender,
                        "ApproximateFirstReceiveTimestamp": str(1795192212750 + number),
                    },
                    "messageAttributes": {},
                    "md5OfBody": hashlib.md5(body.encode()).hexdigest(),
                    "eventSource": "aws:sqs",
                    "eventSourceARN": f"arn:aws:sqs:us-east-1:{FIRST}:flow-logs",
                    "awsRegion": "us-east-1",
                }
            )
        return {"Records": records}


MISSING = vpc_key(FIRST, "fl-0a1b2c3d4e5f60718", "00000000", time="1555")


def events(contents):
    make = Events(contents)
    test = {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2026-11-20T16:00:00.000Z",
        "Bucket": GOOD,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
    }
    sns_sender = "AIDAEXAMPLE:SNS"
    return {
        "s3-put": make.s3(KEYS["v2"]),
        "s3-hive-encoded": make.s3(KEYS["hive"]),
        "s3-two-records": make.s3(KEYS["v2"], KEYS["tgw"]),
        "s3-everything": make.s3(*KEYS.values()),
        "s3-test-event": test,
        "s3-object-removed": make.s3(KEYS["v2"], event="ObjectRemoved:Delete"),
        "sns-s3": make.sns(make.s3(KEYS["v11"])),
        "sqs-s3": make.sqs(make.s3(KEYS["v2"])),
        "sqs-sns-s3": make.sqs(make.notification(make.s3(KEYS["hive"]), "URL"), sender=sns_sender),
        "sqs-sns-raw-s3": make.sqs(make.s3(KEYS["flow"]), sender=sns_sender),
        "sqs-eventbridge-s3": make.sqs(make.bridge(KEYS["parquet"]), sender="AIDAEXAMPLE:EVENTS"),
        "sqs-test-event": make.sqs(test),
        "sqs-batch-partial": make.sqs(
            make.s3(KEYS["v2"]),
            "this is not JSON",
            make.s3("truncated.log.gz", bucket=BROKEN),
            make.s3(MISSING),
        ),
        "eventbridge-object-created": make.bridge(KEYS["hive"]),
        "backfill": {
            "backfill": {
                "objects": [{"bucket": GOOD, "key": KEYS[name]} for name in ("v2", "hive", "parquet", "alert")]
            }
        },
        "schedule": {
            "version": "0",
            "id": make.identifier(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": FIRST,
            "time": "2026-11-20T16:35:00Z",
            "region": "us-east-1",
            "resources": [f"arn:aws:events:us-east-1:{FIRST}:rule/cloud-export-5m"],
            "detail": {},
        },
        "foreign": {
            "version": "0",
            "id": make.identifier(),
            "detail-type": "EC2 Instance State-change Notification",
            "source": "aws.ec2",
            "account": FIRST,
            "time": "2026-11-20T16:31:02Z",
            "region": "us-east-1",
            "resources": [f"arn:aws:ec2:us-east-1:{FIRST}:instance/i-0a1b2c3d4e5f60718"],
            "detail": {"instance-id": "i-0a1b2c3d4e5f60718", "state": "running"},
        },
    }


def main():
    contents = objects()
    for bucket in (GOOD, BROKEN):
        shutil.rmtree(HERE / bucket, ignore_errors=True)
    for (bucket, key), data in contents.items():
        path = HERE / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    EVENTS.mkdir(exist_ok=True)
    for name, event in events(contents).items():
        (EVENTS / f"{name}.json").write_text(json.dumps(event, indent=2) + "\n")


if __name__ == "__main__":
    main()
