"""Answers with every member of an output shape, made up from the service models.

A value depends on the operation, its place in the answer, the row and the variant, on nothing else. What differs from
account to account and from region to region is left as a mark, so that one serialised answer serves all of them; see
`Marks`.
"""

import datetime
import json
import re
import zlib

from operations import SECRET_MARK


class Marks:
    """Stand for what is filled into the bytes of an answer. None needs escaping in XML or JSON."""

    ACCOUNT = "424242424242"
    REGION = "xx-region-9"
    UNIT = "c0ffee99"  # 8 hexadecimal digits out of account and region
    PARENT = "MARKPARENT"  # the parent's id, in an answer about it
    FAMILY = "facade77"  # 8 hexadecimal digits out of the parent's id
    TOKEN = "MARKTOKEN"
    REQUEST = "MARKREQUEST"


def digest(*parts):
    return zlib.crc32("/".join(map(str, parts)).encode())


PREFIXES = {
    "AllocationId": "eipalloc",
    "AttachmentId": "attachment",
    "CapacityReservationId": "cr",
    "CarrierGatewayId": "cagw",
    "CoreNetworkId": "core-network",
    "CustomerGatewayId": "cgw",
    "DestinationPrefixListId": "pl",
    "DhcpOptionsId": "dopt",
    "EgressOnlyInternetGatewayId": "eigw",
    "EndpointId": "vpce",
    "FlowLogId": "fl",
    "GlobalNetworkId": "global-network",
    "GroupId": "sg",
    "HostId": "h",
    "ImageId": "ami",
    "InstanceId": "i",
    "InternetGatewayId": "igw",
    "LocalGatewayId": "lgw",
    "NatGatewayId": "nat",
    "NetworkAclAssociationId": "aclassoc",
    "NetworkAclId": "acl",
    "NetworkInterfaceId": "eni",
    "PrefixListId": "pl",
    "ReservationId": "r",
    "RouteTableAssociationId": "rtbassoc",
    "RouteTableId": "rtb",
    "ServiceId": "vpce-svc",
    "SubnetId": "subnet",
    "TransitGatewayAttachmentId": "tgw-attach",
    "TransitGatewayConnectPeerId": "tgw-connect-peer",
    "TransitGatewayId": "tgw",
    "TransitGatewayPolicyTableId": "tgw-ptb",
    "TransitGatewayRouteTableAnnouncementId": "tgw-rtb-annc",
    "TransitGatewayRouteTableId": "tgw-rtb",
    "VolumeId": "vol",
    "VpcEndpointId": "vpce",
    "VpcId": "vpc",
    "VpcPeeringConnectionId": "pcx",
    "VpnConnectionId": "vpn",
    "VpnGatewayId": "vgw",
    "connectionId": "dxcon",
    "lagId": "dxlag",
    "virtualInterfaceId": "dxvif",
}

ACCOUNT_NAME = re.compile(r"(?i)(owner(account)?(id)?|account(id)?)$")
ZONE_NAME = re.compile(r"^(AvailabilityZones?|ZoneName|ParentZoneName|SyncStates|NetworkBorderGroup)$")
REGION_NAME = re.compile(r"(?i)(region|regionname|edgelocations?|serviceregion)$")
ID_NAME = re.compile(r"(Id|ID|Ids|id)$")
ARN_NAME = re.compile(r"(?i)arns?$")
CIDR_NAME = re.compile(r"(?i)(cidr|cidrblocks?|cidrip|cidripv6|cidrs|ipprefixes|ipv[46]prefix|ipv6prefixes)$")
ADDRESS_NAME = re.compile(r"(?i)(ip|ipaddress|address|ipv[46]address)$")
DOMAIN_NAME = re.compile(r"(?i)(dns_?name|dnsnames|domain|domains|hostedzonename|endpoint)$")
KEPT_NAME = re.compile(r"(Id|ID|Arn|Name|Key|key|name)$")
SECRET_NAMES = {"ClientSecret", "authKey", "customerRouterConfig"}

VPN_CONFIGURATION = """<?xml version="1.0" encoding="UTF-8"?>
<vpn_connection id="{name}">
  <!-- "quotes" & ampersands -->
  <ipsec_tunnel><ike><pre_shared_key>{secret}</pre_shared_key></ike></ipsec_tunnel>
</vpn_connection>
"""
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": 'a<b>&"é"'}]}
CORE_POLICY = {"version": "2021.12", "segments": [{"name": "prod"}], "note": "é & <b> \"quoted\" \\ / 🚀"}
RULES = 'pass tls $HOME_NET any -> $EXTERNAL_NET 443 (tls.sni; content:"exämple.com"; nocase; sid:1; rev:1;)\n'
TEXTS = (
    "{name} {hash}",
    "<{name}> & \"quoted\" 'single' é {hash}",
    "  {name} with spaces around  ",
    "",
    "{name} 日本語 🚀 {hash}",
    "first line of {name}\nsecond line\twith a tab",
    'back\\slash / {{"json": [1, null]}} {hash}',
    " ",
    "{name} &amp; &lt;escaped twice&gt; {hash}",
)
FIRST_SECOND = 1_780_000_000
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Place:
    """Where in an answer a value is."""

    __slots__ = ("name", "path", "indices", "shapes")

    def __init__(self, name, path, indices, shapes):
        self.name, self.path, self.indices, self.shapes = name, path, indices, shapes

    def member(self, name, shape):
        return Place(name, f"{self.path}.{name}", self.indices, (*self.shapes, shape.name))

    def element(self, index):
        return Place(self.name, self.path, (*self.indices, index), self.shapes)


class Values:
    """Makes the values of one answer.

    Of five rows in sequence, three have every member, the fourth has every member but empty lists, maps and texts,
    and the fifth lacks about half of its optional members.
    """

    def __init__(self, operation, partition, variant, parent="", family=False, elements=2, seed=""):
        self.operation = operation
        self.partition = partition
        self.variant = variant
        self.parent = parent  # the parameter that names the parent
        self.family = family  # whether ids must differ from those about another parent
        self.elements = elements
        self.seed = seed

    def make(self, shape, name, row):
        return self._value(shape, Place(name, name, (), (shape.name,)), row)

    def _digest(self, place, *parts):
        return digest(self.variant, self.operation.title, self.seed, place.path, *parts)

    def _turn(self, place, row):
        """A number that goes up by one from row to row and from element to element."""
        return digest(self.operation.title, place.path) + self.variant + row + sum(place.indices)

    def _value(self, shape, place, row):
        return getattr(self, f"_{shape.type_name}")(shape, place, row)

    def _structure(self, shape, place, row):
        members = list(shape.members.items())
        required = shape.metadata.get("required", ())
        made = {}
        for name, member in members:
            inner = place.member(name, member)
            if inner.shapes.count(member.name) > 2:
                continue  # a shape within itself is made twice, no deeper
            if row % 5 == 4 and name not in required and not KEPT_NAME.search(name) and self._digest(inner) % 2:
                continue
            made[name] = self._value(member, inner, row)
        return made

    def _list(self, shape, place, row):
        count = 0 if row % 5 == 3 else self.elements
        count = max(count, shape.metadata.get("min", 0))
        if shape.member.name in place.shapes[:-1]:
            count = 0
        inner = Place(place.name, f"{place.path}[]", place.indices, (*place.shapes, shape.member.name))
        return [self._value(shape.member, inner.element(index), row) for index in range(count)]

    def _map(self, shape, place, row):
        count = 0 if row % 5 == 3 else self.elements
        made = {}
        for index in range(count):
            key = Place(place.name, f"{place.path}{{key}}", (*place.indices, index), place.shapes)
            value = Place(place.name, f"{place.path}{{}}", (*place.indices, index), (*place.shapes, shape.value.name))
            made[self._key(shape.key, key, row)] = self._value(shape.value, value, row)
        return made

    def _key(self, shape, place, row):
        enum = shape.metadata.get("enum")
        if enum:
            return enum[place.indices[-1] % len(enum)]
        if ZONE_NAME.match(place.name):
            return Marks.REGION + "abcdef"[place.indices[-1] % 6]
        return f"{place.name}-{place.indices[-1]} é&<"

    def _boolean(self, shape, place, row):
        return self._turn(place, row) % 2 == 0

    def _integer(self, shape, place, row):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        number = self._digest(place, row, place.indices)
        if low is None and number % 11 == 0:
            return -1
        low = max(low or 0, 1)
        high = 60_000 if high is None else max(high, low)
        return low + number % (high - low + 1)

    def _long(self, shape, place, row):
        high = shape.metadata.get("max")
        if high is None:
            return (64_512, 4_200_000_001, 9_007_199_254_740_993)[self._turn(place, row) % 3]
        return max(shape.metadata.get("min", 1), high - self._digest(place, row, place.indices) % 1000, 1)

    def _double(self, shape, place, row):
        return (0.5, 3.0, 1e-7, 123456789.125)[self._turn(place, row) % 4]

    _float = _double

    def _blob(self, shape, place, row):
        return f"blob {self._digest(place, row)} \x00\xff".encode("latin-1")

    def _timestamp(self, shape, place, row):
        seconds = FIRST_SECOND + self._digest(place, row, place.indices) % 15_000_000
        fraction = (0, 123_000, 120_000, 456_789)[self._turn(place, row) % 4]
        return EPOCH + datetime.timedelta(seconds=seconds, microseconds=fraction)

    def _string(self, shape, place, row):
        enum = shape.metadata.get("enum")
        if enum:
            return enum[self._turn(place, row) % len(enum)]
        text = self._text(shape, place, row)
        shortest = shape.metadata.get("min", 0)
        return text if len(text) >= shortest else text + "x" * (shortest - len(text))

    def _text(self, shape, place, row):
        name = place.name
        if name == self.parent:
            return Marks.PARENT
        number = self._digest(place, row, place.indices)
        secret = f"{SECRET_MARK}{number}"
        if name == "CustomerGatewayConfiguration":
            return VPN_CONFIGURATION.format(name=name, secret=secret)
        if name in SECRET_NAMES or (shape.metadata.get("sensitive") and self.operation.service == "ec2"):
            return f"{secret}<&>"
        special = self._special(name, place, row)
        if special is not None:
            return special
        if ARN_NAME.search(name):
            return self._arn(name, place, row)
        if ID_NAME.search(name):
            return self.identity(name, row, place.indices)
        if CIDR_NAME.search(name):
            if re.search("(?i)v6", name):
                return f"2001:db8:{row % 65536:x}:{number % 65536:x}::/64"
            return f"10.{row % 256}.{number % 256}.0/24"
        if ADDRESS_NAME.search(name):
            return f"2001:db8::{number % 65536:x}" if re.search("(?i)v6", name) else f"10.9.{row % 256}.{number % 256}"
        if DOMAIN_NAME.search(name):
            return f"{number:x}-{Marks.UNIT}.example.{Marks.REGION}.amazonaws.com"
        if KEPT_NAME.search(name):
            own = digest(self.operation.title, self.seed, place.path, row, place.indices)
            return f"{name}-{row}-{own:08x}-{Marks.UNIT}" + ("", " é", " <&>")[own % 3]
        if row % 5 == 3 and not shape.metadata.get("min"):
            return ""
        return TEXTS[self._turn(place, row) % len(TEXTS)].format(name=name, hash=f"{number:x}")

    def _special(self, name, place, row):
        if name == "PolicyDocument":
            policy = CORE_POLICY if self.operation.service == "networkmanager" else POLICY
            return json.dumps(policy, ensure_ascii=False, indent=1)
        if name == "RulesString":
            return RULES
        if name == "LogFormat":
            return "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr}"
        if name == "ZoneId" or name.startswith("AvailabilityZoneId"):
            return f"{Marks.REGION}-az{row + sum(place.indices) + 1}"
        if ZONE_NAME.match(name):
            return Marks.REGION + "abcdef"[(row + sum(place.indices)) % 6]
        if REGION_NAME.search(name):
            return Marks.REGION
        if ACCOUNT_NAME.search(name):
            return Marks.ACCOUNT
        if name in ("MasterAccountId",):
            return Marks.ACCOUNT
        if "Email" in name:
            return f"owner+{row}@example.com"
        if "Asn" in name:
            return str(64_512 + self._turn(place, row) % 1000)
        if name == "MacAddress":
            return f"02:00:00:00:{row % 256:02x}:{sum(place.indices):02x}"
        return None

    def identity(self, name, row, indices=()):
        """An id: of equal names and rows, ids are equal over all operations."""
        name = {"VPCId": "VpcId", "CanonicalHostedZoneNameID": "HostedZoneId"}.get(name, name.removesuffix("s"))
        prefix = PREFIXES.get(name)
        own = name
        if prefix is None:
            prefix = "-".join(re.findall("[A-Z]?[a-z0-9]+", name.removesuffix("Id").removesuffix("id"))).lower() or "id"
            own = f"{self.operation.title} {name}"
        where = Marks.FAMILY if self.family else Marks.UNIT
        return f"{prefix}-0{digest(own, row, *indices):08x}{where}"

    def _arn(self, name, place, row):
        service = self.operation.service
        service = {"elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing"}.get(service, service)
        own = name.removesuffix("s")
        kind = re.sub("(?i)arn$", "", own) or self.operation.member
        if own.lower() in ("arn", "resourcearn"):
            own = f"{self.operation.title} {own}"
        where = Marks.FAMILY if self.family else Marks.UNIT
        number = digest(own, row, *place.indices)
        return f"arn:{self.partition}:{service}:{Marks.REGION}:{Marks.ACCOUNT}:{kind.lower()}/0{number:08x}{where}"
