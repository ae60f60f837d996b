"""The metadata collector against boto3, both reading the same moto server.

moto is started on a free port of 127.0.0.1 and filled by moto_populate.py: three accounts, two regions. Then
`BINARY collect --json` writes its snapshots, boto3 makes the same calls with the same roles, and every section must be
what boto3 returned, member for member and row by row: timestamps as isoformat in UTC, secrets replaced by "REDACTED".

What moto does not implement must stand in the snapshot as an error, never as an empty section. boto3 reads twice,
before and after the collector; what differs between the two is volatile in moto, is reported and left out.

Three things are done to moto (see `serve`): lists come in small pages wherever the request allows pages, EC2 checks
MaxResults against its model, and SearchTransitGatewayRoutes survives MaxResults.

A JSON report goes to stdout, progress to stderr; exit status 0 without differences, 1 with, 2 if something broke.

    python moto_compare.py --cloud-export BINARY --work DIR
"""

import argparse
import base64
import collections
import ctypes
import datetime
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import moto_populate
from moto_populate import ACCOUNTS, AWKWARD, NETWORK_MANAGER_REGION, PRIMARY_ROLE, REGIONS, ROLE_NAME, say

PAGE = 7
SECRET = "REDACTED"
TOKENS = {"NextToken", "nextToken", "NextMarker", "Marker", "ResponseMetadata"}
SHOWN = 10  # differences of one section of one unit that are written out


class Failure(Exception):
    """A sentence that says what broke."""


# --- What is read ----------------------------------------------------------------------------------------------------

# section: where the rows go; member: the list or object in the answer; kind: flat | nested | whole;
# parent: (section, member of its rows) that one call is made for; item: the parameter that carries it;
# given: other parameters; dropped: members of the answer that are not kept.
Operation = collections.namedtuple(
    "Operation", "scope section service name member kind parent item given dropped", defaults=(None, None, {}, ())
)


def _operations():
    def add(scope, section, service, name, member, kind, *more, **named):
        table.append(Operation(scope, section, service, name, member, kind, *more, **named))

    table = []
    described = """AvailabilityZones CustomerGateways FlowLogs InternetGateways EgressOnlyInternetGateways NatGateways
        NetworkAcls NetworkInterfaces Addresses PrefixLists RouteTables SecurityGroups Subnets Vpcs VpcEndpoints
        VpcPeeringConnections VpnConnections VpnGateways TransitGateways TransitGatewayAttachments
        TransitGatewayVpcAttachments TransitGatewayPeeringAttachments TransitGatewayRouteTables TransitGatewayConnects
        TransitGatewayConnectPeers"""
    for section in described.split():
        add("regional", section, "ec2", f"Describe{section}", section, "flat")
    add("regional", "Reservations", "ec2", "DescribeInstances", "Reservations", "flat")
    add("regional", "ManagedPrefixLists", "ec2", "DescribeManagedPrefixLists", "PrefixLists", "flat")
    name = "DescribeVpcEndpointServiceConfigurations"
    add("regional", "ServiceConfigurations", "ec2", name, "ServiceConfigurations", "flat")
    parent = ("ManagedPrefixLists", "PrefixListId")
    name = "GetManagedPrefixListEntries"
    add("regional", "ManagedPrefixListEntries", "ec2", name, "Entries", "nested", parent, "PrefixListId")

    item = "TransitGatewayRouteTableId"
    parent = ("TransitGatewayRouteTables", item)
    name, member = "GetTransitGatewayRouteTableAssociations", "Associations"
    add("regional", "TransitGatewayRouteTableAssociations", "ec2", name, member, "nested", parent, item)
    name, member = "GetTransitGatewayRouteTablePropagations", "TransitGatewayRouteTablePropagations"
    add("regional", "TransitGatewayPropagations", "ec2", name, member, "nested", parent, item)
    states = {"Filters": [{"Name": "state", "Values": ["active", "blackhole"]}]}
    name, dropped = "SearchTransitGatewayRoutes", ("AdditionalRoutesAvailable",)
    add("regional", "TransitGatewayRoutes", "ec2", name, "Routes", "nested", parent, item, states, dropped)
    name, member = "GetTransitGatewayPrefixListReferences", "TransitGatewayPrefixListReferences"
    add("regional", member, "ec2", name, member, "nested", parent, item)

    for section in ("virtualInterfaces", "lags", "connections"):
        name = f"Describe{section[0].upper()}{section[1:]}"
        add("regional", section, "directconnect", name, section, "flat")
    member = "LoadBalancerDescriptions"
    add("regional", member, "elb", "DescribeLoadBalancers", member, "flat")
    add("regional", "LoadBalancers", "elbv2", "DescribeLoadBalancers", "LoadBalancers", "flat")
    parent = ("LoadBalancers", "LoadBalancerArn")
    add("regional", "Listeners", "elbv2", "DescribeListeners", "Listeners", "flat", parent, "LoadBalancerArn")
    add("regional", "TargetGroups", "elbv2", "DescribeTargetGroups", "TargetGroups", "flat")
    parent, member = ("TargetGroups", "TargetGroupArn"), "TargetHealthDescriptions"
    section, item = "LoadBalancerTargetHealth", "TargetGroupArn"
    add("regional", section, "elbv2", "DescribeTargetHealth", member, "nested", parent, item)

    service = "network-firewall"
    for section in ("Firewalls", "FirewallPolicies", "RuleGroups"):
        add("regional", section, service, f"List{section}", section, "flat")
    for section, name, parent, item in (
        ("FirewallDetails", "DescribeFirewall", ("Firewalls", "FirewallArn"), "FirewallArn"),
        ("FirewallPolicyDetails", "DescribeFirewallPolicy", ("FirewallPolicies", "Arn"), "FirewallPolicyArn"),
        ("RuleGroupDetails", "DescribeRuleGroup", ("RuleGroups", "Arn"), "RuleGroupArn"),
        (
            "FirewallLoggingConfigurations",
            "DescribeLoggingConfiguration",
            ("Firewalls", "FirewallArn"),
            "FirewallArn",
        ),
    ):
        add("regional", section, service, name, None, "nested", parent, item)

    add("global", "Regions", "ec2", "DescribeRegions", "Regions", "flat", given={"AllRegions": True})
    service, section, item = "directconnect", "directConnectGateways", "directConnectGatewayId"
    add("global", section, service, "DescribeDirectConnectGateways", section, "flat")
    for member in ("directConnectGatewayAssociations", "directConnectGatewayAttachments"):
        name = f"DescribeD{member[1:]}"
        add("global", member, service, name, member, "flat", (section, item), item)
    service, item = "networkmanager", "CoreNetworkId"
    add("global", "GlobalNetworks", service, "DescribeGlobalNetworks", "GlobalNetworks", "flat")
    add("global", "CoreNetworks", service, "ListCoreNetworks", "CoreNetworks", "flat")
    parent = ("CoreNetworks", item)
    add("global", "CoreNetworkDetails", service, "GetCoreNetwork", None, "nested", parent, item)
    name, live = "GetCoreNetworkPolicy", {"Alias": "LIVE"}
    add("global", "CoreNetworkPolicies", service, name, None, "nested", parent, item, live)
    add("global", "Attachments", service, "ListAttachments", "Attachments", "flat")
    parent = ("CoreNetworkDetails", "CoreNetwork")
    add("global", "NetworkRoutes", service, "GetNetworkRoutes", None, "nested", parent, "RouteTableIdentifier")
    add("global", "Accounts", "organizations", "ListAccounts", "Accounts", "flat")
    add("global", "Organization", "organizations", "DescribeOrganization", "Organization", "whole")
    add("global", "AccountAliases", "iam", "ListAccountAliases", "AccountAliases", "flat")
    return table


OPERATIONS = _operations()
BY_SECTION = {operation.section: operation for operation in OPERATIONS}
assert len(BY_SECTION) == len(OPERATIONS)


def title(operation):
    return f"{operation.service}:{operation.name}"


def scope_of(region):
    return "global" if region == "global" else "regional"


def sent_to(operation, region):
    if operation.scope == "regional":
        return region
    return NETWORK_MANAGER_REGION if operation.service == "networkmanager" else moto_populate.GLOBAL_REGION


def parameters_of_calls(operation, rows):
    """One dict of parameters per call that the parent's rows make necessary."""
    if operation.section == "NetworkRoutes":
        return list(_network_routes(rows))
    return [{operation.item: row[operation.parent[1]]} for row in rows]


def _network_routes(details):
    kinds = (
        ("Segments", "CoreNetworkSegmentEdge", "SegmentName"),
        ("NetworkFunctionGroups", "CoreNetworkNetworkFunctionGroup", "NetworkFunctionGroupName"),
    )
    for detail in details:
        core = detail["CoreNetwork"]
        for member, kind, name in kinds:
            for part in core.get(member, []):
                for edge in part.get("EdgeLocations", []):
                    where = {"CoreNetworkId": core["CoreNetworkId"], name: part["Name"], "EdgeLocation": edge}
                    yield {"GlobalNetworkId": core["GlobalNetworkId"], "RouteTableIdentifier": {kind: where}}


# --- boto3's answers -------------------------------------------------------------------------------------------------


class Answer:
    """What boto3 said to the calls of one section: rows, and what went wrong per item (None: the only call)."""

    def __init__(self):
        self.rows = None  # stays None when no call was answered
        self.calls = 0
        self.lacking = {}  # item: what moto answered instead
        self.refused = {}  # item: error code of the service
        self.orphan = False  # the parent's list was not answered
        self.off_model = set()  # generic paths at which the answer breaks the service model

    def failed(self):
        return bool(self.lacking or self.refused or self.orphan)


class Oracle:
    """boto3 in one account."""

    def __init__(self, endpoint, session):
        self.endpoint = endpoint
        self.session = session
        self.regions = {}

    def client(self, operation, region):
        region = sent_to(operation, region)
        if region not in self.regions:
            self.regions[region] = moto_populate.Clients(self.session, self.endpoint, region)
        return self.regions[region][operation.service]

    def unit(self, region):
        """{section: Answer} of one region or of `global`."""
        answers = {}
        for operation in in_order([each for each in OPERATIONS if each.scope == scope_of(region)]):
            answers[operation.section] = self.section(operation, region, answers)
        return answers

    def section(self, operation, region, answers):
        answer = Answer()
        calls = [{}]
        if operation.parent:
            parent = answers[operation.parent[0]]
            if parent.rows is None:
                answer.orphan = True
                return answer
            calls = parameters_of_calls(operation, parent.rows)
            if not calls:
                answer.rows = []
        client = self.client(operation, region)
        for parameters in calls:
            item = identifier(operation, parameters)
            answer.calls += 1
            try:
                found = self.call(client, operation, parameters, answer)
            except Exception as error:
                if lacks(error):
                    answer.lacking[item] = describe(error)
                else:
                    answer.refused[item] = error.response["Error"]["Code"]
                continue
            if operation.kind == "whole":
                answer.rows = redacted(operation.section, plain(found[operation.member]))
                continue
            if operation.kind == "nested":
                found = [{**parameters, **found}]
            else:
                found = found.get(operation.member, [])
            answer.rows = (answer.rows or []) + redacted(operation.section, plain(found))
        return answer

    def call(self, client, operation, parameters, answer):
        """The answer with the list of all pages and without tokens."""
        from botocore import xform_name

        method = xform_name(operation.name)
        parameters = {**parameters, **operation.given}
        whole = None
        for page in pages(client, method, parameters):
            shape = client.meta.service_model.operation_model(operation.name).output_shape
            for path in off_model(page, shape, ""):
                answer.off_model.add(path)
            kept = {k: v for k, v in page.items() if k not in TOKENS and k not in operation.dropped}
            if whole is None:
                whole = kept
                continue
            for name, value in kept.items():
                if isinstance(value, list):
                    whole.setdefault(name, []).extend(value)
        return whole


def pages(client, method, parameters):
    if client.can_paginate(method):
        yield from client.get_paginator(method).paginate(**parameters)
        return
    while True:
        page = getattr(client, method)(**parameters)
        yield page
        token = next((name for name in ("NextToken", "nextToken") if page.get(name)), None)
        if token is None:
            return
        parameters = {**parameters, token: page[token]}


def in_order(operations):
    """Parents before those that are called for each of their rows."""
    rank = lambda operation: 1 + rank(BY_SECTION[operation.parent[0]]) if operation.parent else 0
    return sorted(operations, key=rank)


def identifier(operation, parameters):
    """The parent id of a call; none for an operation without parents."""
    value = parameters.get(operation.item)
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def lacks(error):
    """moto's server answers an operation it does not have with a page of HTML, status 500 or 404."""
    from botocore.exceptions import ClientError
    from botocore.parsers import ResponseParserError

    if isinstance(error, ResponseParserError):
        return True
    if isinstance(error, ClientError):
        said = error.response["Error"]
        return said["Code"] in ("404", "500", "501") or said.get("Message", "").startswith("<!doctype html>")
    raise error


def describe(error):
    return " ".join(str(error).split())[:200]


def plain(value):
    """As JSON has it."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


SECRETS = {
    "VpnConnections": {"CustomerGatewayConfiguration", "PreSharedKey"},
    "virtualInterfaces": {"authKey", "customerRouterConfig"},
}


def redacted(section, value):
    hidden = SECRETS.get(section)
    return _redacted(value, hidden) if hidden else value


def _redacted(value, hidden):
    if isinstance(value, dict):
        return {name: SECRET if name in hidden else _redacted(part, hidden) for name, part in value.items()}
    if isinstance(value, list):
        return [_redacted(part, hidden) for part in value]
    return value


def off_model(value, shape, path):
    """Generic paths of values that are not what the service model says; boto3 does not mind, a typed reader may."""
    if shape is None:
        return
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, part in value.items():
            if name in shape.members:
                yield from off_model(part, shape.members[name], f"{path}.{name}" if path else name)
        return
    if shape.type_name == "list" and isinstance(value, list):
        for part in value:
            yield from off_model(part, shape.member, f"{path}[]")
        return
    if shape.type_name == "map" and isinstance(value, dict):
        for name, part in value.items():
            yield from off_model(part, shape.value, f"{path}.{name}")
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    good = {
        "string": isinstance(value, str),
        "character": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": number and isinstance(value, int),
        "long": number and isinstance(value, int),
        "float": number,
        "double": number,
        "timestamp": isinstance(value, datetime.datetime),
        "blob": isinstance(value, (bytes, bytearray)),
    }
    if not good.get(shape.type_name, False):
        yield path


# --- Comparison ------------------------------------------------------------------------------------------------------


ABSENT = "<absent>"


def differences(expected, actual, path=""):
    """(path, expected, actual) wherever two JSON values are not the same; True is not 1 here."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in [*expected, *(name for name in actual if name not in expected)]:
            inner = f"{path}.{name}" if path else name
            yield from differences(expected.get(name, ABSENT), actual.get(name, ABSENT), inner)
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{path}.length", len(expected), len(actual)
        for place, (left, right) in enumerate(zip(expected, actual)):
            yield from differences(left, right, f"{path}[{place}]")
    elif isinstance(expected, bool) is not isinstance(actual, bool) or expected != actual:
        yield path, expected, actual


def generic(path):
    return re.sub(r"\[\d+\]", "[]", path)


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def without(value, paths, path=""):
    """The value without what is at these generic paths."""
    if isinstance(value, dict):
        kept = {}
        for name, part in value.items():
            inner = f"{path}.{name}" if path else name
            if inner not in paths:
                kept[name] = without(part, paths, inner)
        return kept
    if isinstance(value, list):
        return [without(part, paths, f"{path}[]") for part in value]
    return value


class Comparison:
    """Everything found wrong, in one report."""

    def __init__(self):
        self.expected = collections.Counter()
        self.compared = collections.Counter()
        self.members = collections.Counter()
        self.lacking = {}
        self.refused = collections.defaultdict(set)
        self.unstable = []
        self.quirks = {}
        self.differences = []
        self.paged = set()
        self.total = 0

    def wrong(self, unit, section, sentence, path="", expected=None, actual=None):
        self.total += 1
        same = [each for each in self.differences if (each["unit"], each["section"]) == ("/".join(unit), section)]
        if len(same) == SHOWN:
            return
        found = {"unit": "/".join(unit), "section": section, "what": sentence}
        if path:
            found.update(path=path, expected=expected, actual=actual)
        self.differences.append(found)

    def unit(self, unit, before, after, snapshot):
        scope = scope_of(unit[1])
        operations = [operation for operation in OPERATIONS if operation.scope == scope]
        if unit[0] != ACCOUNTS[0]:
            # Only the management account may list accounts, and only it is asked.
            operations = [operation for operation in operations if operation.section != "Accounts"]
        endpoints = self.collection(unit, snapshot.get("Collection"), operations)
        known = {operation.section for operation in operations} | {"Collection"}
        for section in snapshot:
            if section not in known:
                self.wrong(unit, section, "the snapshot has a section that nothing fills")
        for operation in operations:
            section = operation.section
            endpoint = endpoints.get(section)
            answers = before[section], after[section]
            self.state(unit, operation, answers[0], endpoint, snapshot)
            if answers[0].rows is not None:
                self.rows(unit, operation, answers, snapshot.get(section, ABSENT), endpoint)

    def collection(self, unit, collection, operations):
        """Checks the snapshot's own account of itself; {section: endpoint}."""
        account, region = unit
        if not isinstance(collection, dict):
            self.wrong(unit, "Collection", "the snapshot has no Collection")
            return {}
        said = {name: collection.get(name) for name in ("Version", "Account", "Region", "Partition")}
        wanted = {"Version": 1, "Account": account, "Region": region, "Partition": "aws"}
        for path, expected, actual in differences(wanted, said):
            self.wrong(unit, "Collection", "a member differs", path, expected, actual)
        chain = [PRIMARY_ROLE, f"arn:aws:iam::{account}:role/{ROLE_NAME}"]
        if account == ACCOUNTS[0]:
            chain.pop()  # the primary role reads its own account
        if collection.get("Roles") != chain:
            self.wrong(unit, "Collection", "the chain of roles differs", "Roles", chain, collection.get("Roles"))
        moments = [moment(collection.get(name)) for name in ("Started", "Finished")]
        if None in moments or moments[0] > moments[1]:
            self.wrong(unit, "Collection", "Started and Finished are not two moments in order")
        endpoints = {}
        for endpoint in collection.get("Endpoints", []):
            section = endpoint.get("Section")
            if section in endpoints:
                self.wrong(unit, section, "the section has two endpoints")
            endpoints[section] = endpoint
        wanted = {operation.section: title(operation) for operation in operations}
        said = {name: f"{each.get('Service')}:{each.get('Operation')}" for name, each in endpoints.items()}
        for path, expected, actual in differences(wanted, said):
            self.wrong(unit, path, "the endpoints of Collection differ", path, expected, actual)
        return endpoints

    def state(self, unit, operation, answer, endpoint, snapshot):
        section = operation.section
        if endpoint is None:
            return  # said above
        state = endpoint.get("State")
        present = section in snapshot
        failures = endpoint.get("Failures") or []
        off_model = bool(answer.off_model)

        def wrong(sentence, expected):
            if off_model and state == "error" and not answer.failed():
                what = f"{title(operation)} is not read: moto's answer breaks the model at {sorted(answer.off_model)}"
                self.quirks[what] = {"operation": title(operation), "what": what, "failures": failures[:1]}
                return
            self.wrong(unit, section, sentence, "State", expected, {"State": state, "Failures": failures[:2]})

        if answer.lacking:
            self.lacking[title(operation)] = next(iter(answer.lacking.values()))
        for code in answer.refused.values():
            self.refused[title(operation)].add(code)
        if not answer.failed():
            expected = "ok" if count(answer.rows) else "empty"
            if state != expected:
                wrong("the state differs", expected)
            elif failures:
                wrong("a complete section has failures", [])
        elif answer.orphan:
            if state in ("ok", "empty", None):
                wrong("the list before this one was not answered, yet the state is good", "error")
        elif answer.lacking:
            if state != "error":
                wrong("what the server does not have is no error", "error")
        elif state == "ok":
            wrong("what the server refused is a success", sorted(set(answer.refused.values())))
        if answer.rows is None and present and not (state == "empty" and answer.refused):
            self.wrong(unit, section, "a section that was never answered is in the snapshot")
        if operation.parent and not answer.orphan and answer.failed():
            items = sorted({*answer.lacking, *answer.refused})
            named = sorted(str(failure.get("Item")) for failure in failures)
            if operation.section != "NetworkRoutes" and named != items:
                self.wrong(unit, section, "the failed items differ", "Failures[].Item", items, named)
        if answer.failed() and not answer.orphan and state == "error":
            for failure in failures or [{}]:
                if failure.get("State") != "error" or "Code" not in failure or "Message" not in failure:
                    self.wrong(unit, section, "a failure does not say what it is", "Failures", None, failure)
        rows = snapshot.get(section, [])
        if endpoint.get("Count") != count(rows):
            self.wrong(unit, section, "Count is not the number of rows", "Count", count(rows), endpoint.get("Count"))
        calls = endpoint.get("Calls")
        if not isinstance(calls, int) or calls < answer.calls:
            self.wrong(unit, section, "too few Calls", "Calls", answer.calls, calls)
        elif not answer.failed() and calls > answer.calls:
            self.paged.add(title(operation))
        if present and not answer.failed() and answer.calls and moment(endpoint.get("Observed")) is None:
            self.wrong(unit, section, "no moment of Observed", "Observed", "a timestamp", endpoint.get("Observed"))

    def rows(self, unit, operation, answers, actual, endpoint):
        section = operation.section
        expected, later = (answer.rows for answer in answers)
        self.expected[title(operation)] += count(expected)
        if actual == ABSENT:
            if not answers[0].off_model or (endpoint or {}).get("State") != "error":
                self.wrong(unit, section, "the section is absent", section, f"{count(expected)} rows", ABSENT)
            return
        volatile = {generic(path) for path, _, _ in differences(expected, later)}
        if volatile:
            ordered = [sorted(rows, key=canonical) for rows in (expected, later)] if isinstance(expected, list) else []
            found = {"unit": "/".join(unit), "section": section}
            if ordered and ordered[0] == ordered[1]:
                self.unstable.append({**found, "what": "the order of the rows"})
                if isinstance(actual, list):
                    actual = sorted(actual, key=canonical)
                expected = ordered[0]
            else:
                self.unstable.append({**found, "what": sorted(volatile)})
                if ".length" in volatile:
                    return
                expected, actual = without(expected, volatile), without(actual, volatile)
        odd = {as_row(operation, path) for path in answers[0].off_model}
        for path, left, right in differences(expected, actual):
            if generic(path) in odd:
                what = f"{title(operation)} {generic(path)}: boto3 gives {left!r} against the model, we {right!r}"
                self.quirks[what] = {"operation": title(operation), "what": what}
                continue
            where = section + path if path.startswith(("[", ".")) else f"{section}.{path}"
            self.wrong(unit, section, "a member differs", where, left, right)
        self.compared[title(operation)] += count(expected)
        self.members[title(operation)] += leaves(expected)

    def report(self, probes):
        lacking = {**self.lacking, **{name: said for name, said in probes.items() if said}}
        names = [title(operation) for operation in OPERATIONS]
        compared = {name: self.compared[name] for name in names if self.compared[name]}
        rest = [name for name in names if name not in compared and name not in lacking]
        return {
            "compared": compared,
            "members": sum(self.members.values()),
            "empty": [name for name in rest if not self.expected[name]],
            "unread": [name for name in rest if self.expected[name]],
            "lacking": [name for name in names if name in lacking],
            "refused": {name: sorted(codes) for name, codes in self.refused.items()},
            "paged": [name for name in names if name in self.paged],
            "unstable": self.unstable,
            "quirks": list(self.quirks.values()),
            "difference_count": self.total,
            "differences": self.differences,
        }


def as_row(operation, path):
    """A path into the answer as a path into the section's rows."""
    member = operation.member or ""
    if operation.kind == "flat" and path.startswith(f"{member}[]"):
        return path.removeprefix(member)
    if operation.kind == "whole":
        return path.removeprefix(f"{member}.")
    return f"[].{path}"


def count(rows):
    return len(rows) if isinstance(rows, list) else int(bool(rows))


def leaves(value):
    if isinstance(value, dict):
        return sum(leaves(part) for part in value.values())
    if isinstance(value, list):
        return sum(leaves(part) for part in value)
    return 1


def moment(text):
    try:
        found = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


# --- What the collector prints and keeps -----------------------------------------------------------------------------


def read_snapshots(metadata, units, comparison):
    """{unit: snapshot}, of the files that must be there and no others."""
    snapshots = {}
    present = {tuple(file.relative_to(metadata / "current").parts) for file in metadata.glob("current/**/*.json.gz")}
    wanted = {(account, f"{region}.json.gz") for account, region in units}
    for path in sorted(present - wanted):
        comparison.wrong(("-", "-"), "-", f"a snapshot that nobody asked for: {'/'.join(path)}")
    for unit in units:
        account, region = unit
        file = metadata / "current" / account / f"{region}.json.gz"
        if not file.is_file():
            comparison.wrong(unit, "-", f"no {file.relative_to(metadata)}")
            continue
        text = gzip.decompress(file.read_bytes())
        snapshots[unit] = json.loads(text)
        kept = sorted((metadata / "history" / account / region).glob("*/*/*/*.json.gz"))
        if len(kept) != 1:
            comparison.wrong(unit, "-", f"{len(kept)} files of history, not one")
        for old in kept:
            stamp = old.name.removesuffix(".json.gz")
            if not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or "".join(old.parts[-4:-1]) != stamp[:8]:
                comparison.wrong(unit, "-", f"the name of history differs: {old.relative_to(metadata)}")
            if gzip.decompress(old.read_bytes()) != text:
                comparison.wrong(unit, "-", "current and history differ")
    return snapshots


def check_lines(stdout, status, snapshots, comparison):
    """The JSON lines must say of each unit what its snapshot says."""
    wide = ("-", "-")
    lines = []
    for line in stdout.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            comparison.wrong(wide, "stdout", f"a line that is no JSON: {line[:200]!r}")
    summaries = [line["summary"] for line in lines if "summary" in line]
    lines = [line for line in lines if "summary" not in line]
    by_unit = {(line.get("account"), line.get("region")): line for line in lines}
    if len(by_unit) != len(lines):
        comparison.wrong(wide, "stdout", "two lines for one unit")
    if set(by_unit) != set(snapshots):
        comparison.wrong(wide, "stdout", "the units differ", "units", sorted(snapshots), sorted(map(str, by_unit)))
    if len(summaries) != 1:
        comparison.wrong(wide, "stdout", f"{len(summaries)} summaries, not one")
    total, failed = 0, 0
    for unit, snapshot in snapshots.items():
        line = by_unit.get(unit, {})
        endpoints = snapshot.get("Collection", {}).get("Endpoints", [])
        failures = [(each["Section"], failure) for each in endpoints for failure in each.get("Failures") or []]
        total += sum(each.get("Calls", 0) for each in endpoints)
        failed += len(failures)
        wanted = {
            "endpoints": dict(collections.Counter(each.get("State") for each in endpoints)),
            "rows": sum(each.get("Count", 0) for each in endpoints),
            "calls": sum(each.get("Calls", 0) for each in endpoints),
        }
        said = {name: line.get(name) for name in wanted}
        if isinstance(said["endpoints"], dict):
            said["endpoints"] = {state: number for state, number in said["endpoints"].items() if number}
        for path, expected, actual in differences(wanted, said):
            comparison.wrong(unit, "stdout", "the line and the snapshot differ", path, expected, actual)
        printed = sorted((str(each.get("section")), str(each.get("item") or "")) for each in line.get("failures", []))
        kept = sorted((section, str(failure.get("Item") or "")) for section, failure in failures)
        if printed != kept:
            comparison.wrong(unit, "stdout", "the failures differ", "failures", kept[:5], printed[:5])
    for summary in summaries:
        if summary.get("units") != len(snapshots):
            comparison.wrong(wide, "stdout", "summary", "units", len(snapshots), summary.get("units"))
        # AssumeRole and the like may count as calls too.
        if not isinstance(summary.get("calls"), int) or summary["calls"] < total:
            comparison.wrong(wide, "stdout", "summary", "calls", f">= {total}", summary.get("calls"))
    wanted = 1 if failed else 0
    if status != wanted:
        comparison.wrong(wide, "exit status", "the exit status differs", "status", wanted, status)


def check_secrets(oracles, metadata, outputs, comparison):
    """No pre-shared key anywhere, not in files and not in what was printed."""
    keys = set()
    for oracle in oracles.values():
        for region in REGIONS:
            client = oracle.client(BY_SECTION["VpnConnections"], region)
            for row in client.describe_vpn_connections()["VpnConnections"]:
                keys.update(re.findall(r"<pre_shared_key>(.+?)</", row.get("CustomerGatewayConfiguration", "")))
    if not keys:
        raise Failure("moto gave no pre-shared key to look for")
    texts = {str(file.relative_to(metadata)): file.read_bytes() for file in metadata.rglob("*") if file.is_file()}
    for name, text in {**texts, **outputs}.items():
        if name.endswith(".gz"):
            text = gzip.decompress(text)
        for key in keys:
            if key.encode() in text:
                comparison.wrong(("-", "-"), "secrets", f"a pre-shared key is in {name}")


def check_awkward(snapshots, comparison):
    """A guard of the oracle itself: the awkward tags must really have been there."""
    text = [tag for snapshot in snapshots.values() for row in snapshot.get("Vpcs", []) for tag in row.get("Tags", [])]
    for tag in AWKWARD:
        if tag not in text:
            comparison.wrong(("-", "-"), "Vpcs", f"no VPC has the tag {tag}")


def probes(oracle):
    """{operation: what moto answered} of operations that no parent row called: does moto have them at all?"""
    found = {}
    route = {"CoreNetworkId": "core-network-0", "SegmentName": "a", "EdgeLocation": "us-east-1"}
    firewall = f"arn:aws:network-firewall:{REGIONS[0]}:{ACCOUNTS[0]}"
    given = {
        "directConnectGatewayAssociations": {"directConnectGatewayId": "0"},
        "directConnectGatewayAttachments": {"directConnectGatewayId": "0"},
        "FirewallPolicyDetails": {"FirewallPolicyArn": f"{firewall}:firewall-policy/a"},
        "RuleGroupDetails": {"RuleGroupArn": f"{firewall}:stateless-rulegroup/a"},
        "NetworkRoutes": {
            "GlobalNetworkId": "global-network-0",
            "RouteTableIdentifier": {"CoreNetworkSegmentEdge": route},
        },
    }
    for section, parameters in given.items():
        operation = BY_SECTION[section]
        try:
            oracle.call(oracle.client(operation, REGIONS[0]), operation, parameters, Answer())
        except Exception as error:
            if lacks(error):
                found[title(operation)] = describe(error)
    return found


# --- moto ------------------------------------------------------------------------------------------------------------


def serve(port):
    """moto's server, with pages."""
    import moto.server
    from moto.core.responses import ActionResult
    from moto.core.utils import get_service_model
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models.transit_gateway_route_tables import TransitGatewayRouteTableBackend
    from moto.ec2.responses._base_response import EC2BaseResponse
    from moto.elb.responses import ELBResponse
    from moto.elbv2.responses import ELBV2Response
    from moto.organizations import utils as organizations
    from moto.utilities.paginator import Paginator

    # The organization consists of the accounts that are populated, its management account first, and others.
    known, other = list(ACCOUNTS), organizations.make_random_account_id
    organizations.make_random_account_id = lambda: known.pop(0) if known else other()

    # AWS may always give fewer rows than asked for.
    first = Paginator.__init__

    def few(self, *positional, **named):
        first(self, *positional, **named)
        self._max_results = min(self._max_results or PAGE, PAGE)

    Paginator.__init__ = few

    def smaller(response):
        asked = response._get_int_param

        def number(self, name, if_none=None):
            value = asked(self, name, if_none)
            return min(value, PAGE) if name == "PageSize" and value is not None else value

        response._get_int_param = number

    smaller(ELBResponse)
    smaller(ELBV2Response)

    # moto gives every row of an EC2 list at once, whatever MaxResults says. AWS does so without MaxResults only.
    serialized = EC2BaseResponse.serialized

    def paged(self, action_result):
        result = action_result.result
        if not isinstance(result, dict):
            return serialized(self, action_result)
        action = self._get_action()
        shapes = get_service_model("ec2").operation_model(action)
        accepts = shapes.input_shape.members if shapes.input_shape else {}
        gives = shapes.output_shape.members if shapes.output_shape else {}
        if "MaxResults" not in accepts or "NextToken" not in gives:
            return serialized(self, action_result)
        asked, token = self._get_param("MaxResults"), self._get_param("NextToken")
        bounds = accepts["MaxResults"].metadata
        if asked is not None and not bounds.get("min", 1) <= int(asked) <= bounds.get("max", 1000):
            error = EC2ClientError("InvalidParameterValue", f"Value ( {asked} ) for parameter maxResults is invalid.")
            return serialized(self, ActionResult(error))
        # The token has characters that a request must encode.
        start = 0
        if token is not None:
            found = re.fullmatch(r"(\w+) (\d+)\+/=&%", token)
            if found is None or found[1] != action:
                error = EC2ClientError("InvalidNextToken", f"The token '{token}' is invalid.")
                return serialized(self, ActionResult(error))
            start = int(found[2])
        elif asked is None:
            return serialized(self, action_result)
        lists = [name for name, value in result.items() if isinstance(value, list)]
        if len(lists) != 1:
            return serialized(self, action_result)
        rows = result[lists[0]]
        end = start + min(int(asked or PAGE), PAGE)
        part = {**result, lists[0]: rows[start:end]}
        if end < len(rows):
            part["NextToken"] = f"{action} {end}+/=&%"
        return serialized(self, ActionResult(part))

    EC2BaseResponse.serialized = paged

    # moto cuts a dict by MaxResults here, which is an exception.
    search = TransitGatewayRouteTableBackend.search_transit_gateway_routes

    def found(self, transit_gateway_route_table_id, filters, max_results=None):
        return search(self, transit_gateway_route_table_id, filters)

    TransitGatewayRouteTableBackend.search_transit_gateway_routes = found
    moto.server.main(["-H", "127.0.0.1", "-p", str(port)])


class Moto:
    """The server as a child process of this one."""

    def __init__(self, work):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.log = work / "moto.log"

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                [sys.executable, str(pathlib.Path(__file__).resolve()), "--serve", str(self.port)],
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        try:
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait(self, seconds=90):
        deadline = time.monotonic() + seconds
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                raise Failure(f"moto ended with status {self.child.returncode}: {self.log.read_text()[-2000:]}")
            try:
                with direct.open(f"{self.endpoint}/moto-api/data.json", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise Failure(f"moto did not answer within {seconds} s")

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def _end_with_parent():
    """Linux: a child outlives no parent, not even one that was killed."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def clean_environment():
    """The caller's, without its AWS configuration, its settings of the collector and its proxies."""
    foreign = ("AWS_", "CLOUD_EXPORT_", "MOTO_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign) and not k.lower().endswith("_proxy")}
    return {**kept, "NO_PROXY": "127.0.0.1"}


def collect(binary, endpoint, blocked, metadata, work, seconds):
    """(exit status, stdout, stderr, seconds)"""
    environment = clean_environment()
    environment.update(
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_REGION=moto_populate.GLOBAL_REGION,
        AWS_ENDPOINT_URL=endpoint,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_MAX_ATTEMPTS="2",  # what moto lacks is a status 500, which is worth a repetition elsewhere
        CLOUD_EXPORT_METADATA=f"file://{metadata}",
        CLOUD_EXPORT_PRIMARY_ROLE=PRIMARY_ROLE,
        CLOUD_EXPORT_ACCOUNTS="organization",
        CLOUD_EXPORT_BLOCKED_ACCOUNTS=",".join(blocked),
        CLOUD_EXPORT_ROLE=ROLE_NAME,
        CLOUD_EXPORT_REGIONS=",".join(REGIONS),
    )
    begun = time.monotonic()
    child = subprocess.Popen(
        [binary, "collect", "--json"],
        env=environment,
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_end_with_parent,
    )
    try:
        stdout, stderr = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        _, stderr = child.communicate()
        raise Failure(f"the collector did not end within {seconds} s: {stderr[-2000:].decode(errors='replace')}")
    taken = time.monotonic() - begun
    (work / "collect.stdout").write_bytes(stdout)
    (work / "collect.stderr").write_bytes(stderr)
    return child.returncode, stdout, stderr, taken


# --- Everything in turn ----------------------------------------------------------------------------------------------


def compare(arguments):
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    metadata = work / "metadata"
    shutil.rmtree(metadata, ignore_errors=True)
    metadata.mkdir()
    comparison = Comparison()
    units = [(account, region) for account in ACCOUNTS for region in (*REGIONS, "global")]
    with Moto(work) as moto:
        sessions = moto_populate.account_sessions(moto.endpoint)
        moto_populate.populate(moto.endpoint, sessions, REGIONS)
        oracles = {account: Oracle(moto.endpoint, session) for account, session in sessions.items()}

        def read():
            return {(account, region): oracles[account].unit(region) for account, region in units}

        say("boto3 reads")
        before = read()
        say("the collector reads")
        binary = str(arguments.cloud_export.resolve())
        members = before[ACCOUNTS[0], "global"]["Accounts"].rows
        blocked = [member["Id"] for member in members if member["Id"] not in ACCOUNTS]
        status, stdout, stderr, seconds = collect(binary, moto.endpoint, blocked, metadata, work, arguments.seconds)
        say(f"it ended with status {status} after {seconds:.1f} s")
        if status not in (0, 1):
            raise Failure(f"the collector ended with status {status}: {stderr[-2000:].decode(errors='replace')}")
        say("boto3 reads again")
        after = read()
        not_had = probes(oracles[ACCOUNTS[0]])
        outputs = {"stdout": stdout, "stderr": stderr}
        check_secrets(oracles, metadata, outputs, comparison)

    snapshots = read_snapshots(metadata, units, comparison)
    for unit, snapshot in snapshots.items():
        comparison.unit(unit, before[unit], after[unit], snapshot)
    check_lines(stdout.decode(), status, snapshots, comparison)
    check_awkward(snapshots, comparison)
    return {"units": len(snapshots), "collect_seconds": round(seconds, 1), **comparison.report(not_had)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloud-export", type=pathlib.Path, metavar="BINARY", help="the collector")
    parser.add_argument("--work", type=pathlib.Path, metavar="DIR", help="folder for everything that is made")
    parser.add_argument("--seconds", type=int, default=600, help="longest time for the collector")
    parser.add_argument("--serve", type=int, metavar="PORT", help="be the moto server of this test, nothing else")
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return 0
    if not arguments.cloud_export or not arguments.work:
        parser.error("--cloud-export and --work are needed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        report = compare(arguments)
    except Failure as failure:
        say(f"moto_compare: {failure}")
        print(json.dumps({"failure": str(failure)}, indent=2))
        return 2
    print(json.dumps(report, indent=2, ensure_ascii=False))
    return 1 if report["difference_count"] else 0


if __name__ == "__main__":
    sys.exit(main())
