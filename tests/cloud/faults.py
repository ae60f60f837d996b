"""What the collector does when something is refused, throttled, expired, cut or missing.

    python faults.py --cloud-export BINARY --work DIR [--only WORD ...]

Each scenario has servers and directories of its own. `ok` or `FAILED` for each goes to stderr, a JSON report to
stdout; exit status 0 or 1. Whatever a scenario is about, it also fails when a request was one that no client may make,
or when a secret is in anything that the collector wrote.
"""

import argparse
import concurrent.futures
import json
import pathlib
import re
import shutil
import sys
import time

from harness import Collector, Failure, Server, difference, expect, expected_sections, in_any_order, say
from operations import ONLY_WITH_ORGANIZATION, OPERATIONS, SECRET_MARK
from replay import transit_gateway_routes

FUNCTION = "111111111111"  # the collector's own account
PRIMARY = "222222222222"
HERE = "us-east-1"
OWN = {"regions": HERE}  # settings for the collector's own account, one region
UNIT = (FUNCTION, HERE)
PRIMARY_ROLE = f"arn:aws:iam::{PRIMARY}:role/primary"
THROTTLED = {"error": {"code": "RequestLimitExceeded", "message": "Request limit exceeded.", "status": 503}}
DENIED = {"error": {"code": "UnauthorizedOperation", "message": "You are not authorized.", "status": 403}}
SMALL = {"rows": 3, "rows_per_page": 2, "elements": 1}  # two pages of everything


class Case:
    """The directories of one scenario, and the servers it started."""

    def __init__(self, binary, work):
        shutil.rmtree(work, ignore_errors=True)
        self.work = work
        self.collector = Collector(binary, work / "collector", FUNCTION)
        self.servers = []
        self.runs = []

    def server(self, **scenario):
        server = Server(self.work / f"server-{len(self.servers) + 1}", **{**SMALL, **scenario})
        self.servers.append(server)
        return server

    def run(self, scenario, statuses=(0,), **settings):
        """One run against a server of its own; (the run, the server's record)."""
        with self.server(**scenario) as server:
            run = self.collector.run(server, statuses, **settings)
        self.runs.append(run)
        return run, [line for line in server.lines() if "violation" not in line]

    def finish(self):
        for server in self.servers:
            violations = server.violations()
            expect(not violations, f"{len(violations)} violations, the first: {violations[:1]}")
        leaks = self.collector.leaks()
        expect(not leaks, f"secrets are in {leaks}")
        for run in self.runs:
            expect(SECRET_MARK not in run.stdout + run.stderr, "secrets were printed")

    # --- What is in a snapshot ---------------------------------------------------------------------------------------

    def endpoint(self, unit, section):
        endpoints = self.collector.snapshot(*unit)["Collection"]["Endpoints"]
        found = [endpoint for endpoint in endpoints if endpoint["Section"] == section]
        expect(len(found) == 1, f"{len(found)} endpoints of {section} in {unit}")
        return found[0]

    def expect_state(self, unit, section, state, stale=False):
        endpoint = self.endpoint(unit, section)
        where = f"{'/'.join(unit)} {section}"
        expect(endpoint["State"] == state, f"{where} is {endpoint}, not {state}")
        if not stale:
            expect("Stale" not in endpoint, f"{where} is stale: {endpoint}")
            return
        expect(endpoint.get("Stale", {}).get("Since"), f"{where} is not marked as stale: {endpoint}")
        expect(endpoint["Stale"].get("Why"), f"{where} does not say why it is stale")

    def expect_complete(self, unit, lines, besides=()):
        """Every section of the unit is what the record's answers make."""
        snapshot = self.collector.snapshot(*unit)
        expected = expected_sections(lines).get(unit, {})
        for operation in OPERATIONS:
            name = operation.section
            if (operation.scope == "global") != (unit[1] == "global") or name in besides:
                continue
            if name == ONLY_WITH_ORGANIZATION and name not in expected and name not in snapshot:
                continue
            where = f"{'/'.join(unit)} {name}"
            expect(name in expected, f"{where} was not asked for")
            expect(name in snapshot, f"{where} is not in the snapshot: {self.endpoint(unit, name)}")
            text = difference(*(in_any_order(operation, value[name]) for value in (expected, snapshot)), where)
            expect(text is None, text)
            self.expect_state(unit, name, "ok" if expected[name] else "empty")

    def expect_kept(self, unit, section, before, state):
        """The section is what it was, and says that it is old."""
        after = self.collector.snapshot(*unit)
        expect(section in after, f"{section} is gone")
        expect(json.dumps(after[section]) == json.dumps(before[section]), f"{section} is not what it was")
        self.expect_state(unit, section, state, stale=True)


def roles_assumed(lines):
    """{role: how often it was assumed}."""
    counts = {}
    for line in lines:
        if line["operation"] == "AssumeRole" and line["status"] == 200:
            counts[line["parameters"]["RoleArn"]] = counts.get(line["parameters"]["RoleArn"], 0) + 1
    return counts


def chain(*hops):
    """A chain of (account, external id): the settings of its hops, and the roles as the server knows them."""
    settings, roles, trusted = [], [], FUNCTION
    for number, (account, external_id) in enumerate(hops, 1):
        arn = f"arn:aws:iam::{account}:role/hop/{number}"
        settings.append({"role": arn, "external_id": external_id, "session_name": f"hop-{number}"})
        roles.append({"arn": arn, "trusted": [trusted], "external_id": external_id})
        trusted = arn
    return settings, roles


HOPS = (("222222222222", "first.id"), ("333333333333", "second/id"), ("444444444444", "third:id"))


def three_targets(settings):
    """A target behind each hop of a chain of three."""
    return [
        {"account": account, "regions": [HERE], "chain": settings[: number + 1]}
        for number, (account, _) in enumerate(HOPS)
    ]


# --- Chains of roles -------------------------------------------------------------------------------------------------


def chains_of_one_two_and_three_hops_are_gone_through(case):
    settings, roles = chain(*HOPS)
    _, lines = case.run({"roles": roles}, targets=three_targets(settings))
    for number, (account, _) in enumerate(HOPS, 1):
        case.expect_complete((account, HERE), lines)
        case.expect_complete((account, "global"), lines)
        found = case.collector.snapshot(account, HERE)["Collection"]["Roles"]
        expect(found == [hop["role"] for hop in settings[:number]], f"the snapshot of {account} names {found}")
        asked = [line for line in lines if line["account"] == account and line["service"] == "ec2"]
        names = {line["session_name"] for line in asked}
        expect(names == {f"hop-{number}"}, f"{account} was asked in sessions named {names}")
    expect(not (case.collector.metadata / "current" / FUNCTION).exists(), "the own account is no target")


def a_prefix_that_chains_share_is_assumed_once(case):
    accounts = [f"{500000000000 + number}" for number in range(6)]
    roles = [{"arn": PRIMARY_ROLE, "trusted": [FUNCTION]}]
    roles += [{"arn": f"arn:aws:iam::{account}:role/member", "trusted": [PRIMARY_ROLE]} for account in accounts]
    scenario = {"roles": roles, "estate": "small", "latency_ms": 20}
    settings = {"primary_role": PRIMARY_ROLE, "accounts": ",".join(accounts), "role": "member", "regions": HERE}
    _, lines = case.run(scenario, **settings)
    counts = roles_assumed(lines)
    expect(set(counts) == {role["arn"] for role in roles}, f"roles assumed: {counts}")
    expect(set(counts.values()) == {1}, f"roles assumed more than once: {counts}")


def a_wrong_external_id_at_hop_2_is_reported_with_that_role_and_hop(case):
    settings, roles = chain(*HOPS)
    wrong = [dict(hop) for hop in settings]
    wrong[1]["external_id"] = "another"
    run, lines = case.run({"roles": roles}, (1,), targets=three_targets(wrong))
    case.expect_complete((HOPS[0][0], HERE), lines)
    role = settings[1]["role"]
    for account, _ in HOPS[1:]:
        failures = [failure for (of, _), failure in run.failures() if of == account]
        expect(failures, f"nothing was reported about {account}")
        expect(all(failure.get("role") == role for failure in failures), f"not all of {failures[:2]} name {role}")
        # Beside what was refused, there may be what is only asked for when something else was answered.
        named = [failure for failure in failures if failure["code"] != "ParentNotCollected"]
        expect(named, f"nothing was refused in {account}: {failures[:2]}")
        for failure in named:
            expect(failure["code"] == "AccessDenied" and failure["state"] == "denied", f"reported as {failure}")
            hop = failure.get("hop") == 2 or re.search(r"hop 2\b", failure["message"])
            expect(hop, f"the hop is not named: {failure}")
    attempts = [line for line in lines if line["error"] == "AccessDenied"]
    expect(len(attempts) <= 2, f"a refused role was tried {len(attempts)} times")


def a_session_that_expires_in_the_middle_of_pages_is_assumed_again(case):
    settings, roles = chain(*HOPS[:2])
    faults = [
        {"match": {"operation": "DescribeSubnets", "page": 2}, "times": 1, "action": {"expire": True}},
        {"match": {"operation": "DescribeVirtualInterfaces", "page": 2}, "times": 1, "action": {"expire": True}},
        {"match": {"operation": "DescribeTargetGroups", "page": 2}, "times": 1, "action": {"expire": True}},
    ]
    account = HOPS[1][0]
    targets = [{"account": account, "regions": [HERE], "chain": settings}]
    _, lines = case.run({"roles": roles, "faults": faults, "latency_ms": 5}, targets=targets)
    for unit in ((account, HERE), (account, "global")):
        case.expect_complete(unit, lines)
    counts = roles_assumed(lines)
    expect(2 <= counts[settings[1]["role"]] <= 8, f"roles assumed: {counts}")


def a_session_of_the_chain_that_expires_is_assumed_again(case):
    accounts = [f"{500000000000 + number}" for number in range(4)]
    roles = [{"arn": PRIMARY_ROLE, "trusted": [FUNCTION]}]
    roles += [{"arn": f"arn:aws:iam::{account}:role/member", "trusted": [PRIMARY_ROLE]} for account in accounts]
    match = {"operation": "AssumeRole", "account": PRIMARY, "item": roles[3]["arn"]}
    scenario = {"roles": roles, "faults": [{"match": match, "times": 1, "action": {"expire": True}}]}
    settings = {"primary_role": PRIMARY_ROLE, "accounts": ",".join(accounts), "role": "member", "regions": HERE}
    _, lines = case.run(scenario, units_at_once="1", **settings)
    for account in accounts:
        case.expect_complete((account, HERE), lines)
    expect(roles_assumed(lines)[PRIMARY_ROLE] >= 2, f"roles assumed: {roles_assumed(lines)}")


# --- Organizations ---------------------------------------------------------------------------------------------------


SUSPENDED, BLOCKED, REFUSED = "600000000007", "600000000021", "600000000028"


def organization(count):
    accounts = [{"Id": PRIMARY, "Name": "management", "Status": "ACTIVE", "State": "ACTIVE"}]
    for number in range(1, count):
        account = f"{600000000000 + number}"
        state = "SUSPENDED" if account == SUSPENDED else "ACTIVE"
        accounts.append({"Id": account, "Name": f"member {number}", "Status": state, "State": state})
    return {"management": PRIMARY, "accounts": accounts, "page_size": 20, "empty_page": 2}


def an_organization_is_collected_except_what_is_suspended_blocked_or_denied(case):
    listed = organization(30)
    accounts = [row["Id"] for row in listed["accounts"]]
    roles = [{"arn": PRIMARY_ROLE, "trusted": [FUNCTION]}]
    roles += [{"arn": f"arn:aws:iam::{account}:role/member", "trusted": [PRIMARY_ROLE]} for account in accounts]
    scenario = {"organization": listed, "roles": roles, "estate": "small"}
    settings = {
        "primary_role": PRIMARY_ROLE,
        "accounts": "organization",
        "blocked_accounts": BLOCKED,
        "role": "member",
        "regions": HERE,
    }
    _, lines = case.run(scenario, **settings)
    pages = [line for line in lines if line["operation"] == "ListAccounts" and line["status"] == 200]
    expect({line["page"] for line in pages} >= {1, 2, 3}, "the pages after the empty one were not asked for")
    wanted = set(accounts) - {SUSPENDED, BLOCKED}
    before = case.collector.snapshots()
    found = {account for account, _ in before}
    expect(found == wanted, f"collected without {sorted(wanted - found)}, beyond {sorted(found - wanted)}")

    # The second time, one role may no longer be assumed. Everything else has changed.
    refused = [{**role, "denied": f":{REFUSED}:" in role["arn"]} for role in roles]
    run, lines = case.run({**scenario, "roles": refused, "generation": 2}, (1,), **settings)
    case.expect_complete((accounts[1], HERE), lines)
    after = case.collector.snapshots()
    expect(set(after) == set(before), f"snapshots that came or went: {set(after) ^ set(before)}")
    expect(after[(accounts[1], HERE)]["Vpcs"] != before[(accounts[1], HERE)]["Vpcs"], "nothing changed")
    for unit in ((REFUSED, HERE), (REFUSED, "global")):
        for operation in OPERATIONS:
            if (operation.scope == "global") == (unit[1] == "global") and operation.section in before[unit]:
                case.expect_kept(unit, operation.section, before[unit], "denied")
    failures = [failure for (account, _), failure in run.failures() if account == REFUSED]
    role = f"arn:aws:iam::{REFUSED}:role/member"
    expect(any(failure.get("role") == role for failure in failures), f"the role is not named: {failures[:2]}")
    beyond = [failure for (account, _), failure in run.failures() if account != REFUSED]
    expect(not beyond, f"failures of accounts that were not refused: {beyond[:3]}")


def an_account_without_an_organization_is_whole(case):
    run, lines = case.run({"organization": False}, **OWN)
    unit = (FUNCTION, "global")
    case.expect_complete(unit, lines, besides=("Organization",))
    case.expect_state(unit, "Organization", "empty")
    expect(not run.failures(), f"reported: {run.failures()}")


def accounts_of_an_organization_that_does_not_exist_are_an_error(case):
    run, _ = case.run({"organization": False}, (1, 2), accounts="organization", role="member", regions=HERE)
    told = run.stdout + run.stderr
    expect("AWSOrganizationsNotInUseException" in told, f"it does not say why: {told[-500:]}")


# --- Refusals --------------------------------------------------------------------------------------------------------


def a_denied_endpoint_keeps_its_rows_and_the_rest_is_new(case):
    case.run({}, **OWN)
    before = case.collector.snapshot(*UNIT)
    faults = [{"match": {"operation": "DescribeVpcs"}, "action": DENIED}]
    run, lines = case.run({"generation": 2, "faults": faults}, (1,), **OWN)
    case.expect_complete(UNIT, lines, besides=("Vpcs",))
    case.expect_kept(UNIT, "Vpcs", before, "denied")
    failures = [failure for _, failure in run.failures()]
    expect([failure["section"] for failure in failures] == ["Vpcs"], f"reported: {failures}")
    expect(failures[0]["code"] == "UnauthorizedOperation" and failures[0]["state"] == "denied", f"as {failures}")
    noted = case.endpoint(UNIT, "Vpcs")["Failures"]
    expect(noted and noted[0].get("RequestId"), f"noted without a request id: {noted}")
    old = case.endpoint(UNIT, "Vpcs")["Observed"]
    case.run({"generation": 3, "faults": faults}, (1,), **OWN)
    case.expect_kept(UNIT, "Vpcs", before, "denied")
    expect(case.endpoint(UNIT, "Vpcs")["Observed"] == old, "the time of the last good answer moved")
    _, lines = case.run({"generation": 4}, **OWN)
    case.expect_complete(UNIT, lines)


def an_endpoint_that_was_never_answered_is_absent(case):
    faults = [{"match": {"operation": "DescribeVpcs"}, "action": DENIED}]
    _, lines = case.run({"faults": faults}, (1,), **OWN)
    case.expect_complete(UNIT, lines, besides=("Vpcs",))
    expect("Vpcs" not in case.collector.snapshot(*UNIT), "VPCs are there, though nobody ever told them")
    case.expect_state(UNIT, "Vpcs", "denied")


def one_denied_item_among_several_is_named_and_the_others_are_whole(case):
    """A prefix list, a route table and a firewall policy."""
    denied = (
        ("GetManagedPrefixListEntries", "PrefixListId"),
        ("GetTransitGatewayRouteTableAssociations", "TransitGatewayRouteTableId"),
        ("DescribeFirewallPolicy", "FirewallPolicyArn"),
    )
    _, lines = case.run({}, **OWN)
    before = case.collector.snapshot(*UNIT)
    items = {}
    for operation, parameter in denied:
        items[operation] = [line["parameters"][parameter] for line in lines if line["operation"] == operation][0]
    faults = [
        {"match": {"operation": operation, "item": item}, "action": DENIED} for operation, item in items.items()
    ]
    run, lines = case.run({"generation": 2, "faults": faults}, (1,), **OWN)
    snapshot, expected = case.collector.snapshot(*UNIT), expected_sections(lines)[UNIT]
    touched = [operation.section for operation in OPERATIONS if operation.name in items]
    case.expect_complete(UNIT, lines, besides=touched)
    for operation, parameter in denied:
        section = next(entry.section for entry in OPERATIONS if entry.name == operation)
        item, rows = items[operation], {row[parameter]: row for row in snapshot[section]}
        for row in expected[section]:
            text = difference(row, rows.get(row[parameter]), f"{section} of {row[parameter]}")
            expect(text is None, text)
        kept = next(row for row in before[section] if row[parameter] == item)
        if item in rows:
            expect(rows[item] == kept, f"the denied row of {section} is neither gone nor what it was")
        noted = case.endpoint(UNIT, section)["Failures"]
        expect([failure.get("Item") for failure in noted] == [item], f"{section} notes {noted}, not {item}")
        expect(noted[0]["State"] == "denied" and noted[0]["Code"] == "UnauthorizedOperation", f"as {noted}")
        told = [failure for _, failure in run.failures() if failure["section"] == section]
        expect([failure["item"] for failure in told] == [item], f"{section} reports {told}")


def an_item_that_vanished_since_it_was_listed_is_no_failure(case):
    gone = {"error": {"code": "InvalidTransitGatewayRouteTableID.NotFound", "status": 400}}
    match = {"operation": "GetTransitGatewayRouteTablePropagations"}
    _, lines = case.run({"faults": [{"match": match, "times": 1, "action": gone}]}, (0, 1), **OWN)
    rows = case.collector.snapshot(*UNIT)["TransitGatewayPropagations"]
    expect(len(rows) == SMALL["rows"] - 1, f"{len(rows)} rows, though one of {SMALL['rows']} tables vanished")
    case.expect_complete(UNIT, lines, besides=("TransitGatewayPropagations",))


def a_region_that_is_not_enabled_is_left_out_or_told(case):
    _, lines = case.run({}, accounts="", regions="enabled")
    asked = {line["region"] for line in lines if line["operation"] == "DescribeVpcs"}
    expect(asked == {"us-east-1", "us-west-2", "eu-central-1"}, f"VPCs were asked for in {asked}")
    run, lines = case.run({}, (0, 1), regions=f"{HERE},ap-east-1")
    case.expect_complete(UNIT, lines)
    states = {state for state, number in run.unit(FUNCTION, "ap-east-1")["endpoints"].items() if number}
    expect(states == {"region-disabled"}, f"endpoints of a region that is not enabled are {states}")
    calls = sum(1 for line in lines if line["region"] == "ap-east-1")
    expect(calls <= 20, f"a region that is not enabled was asked {calls} times")


# --- Throttling ------------------------------------------------------------------------------------------------------


def throttling_that_ends_loses_nothing(case):
    faults = [
        {"match": {"operation": "DescribeVpcs", "page": 1}, "times": 2, "action": THROTTLED},
        {"match": {"operation": "DescribeSubnets", "page": 2}, "times": 3, "action": THROTTLED},
        {"match": {"operation": "SearchTransitGatewayRoutes"}, "times": 2, "action": THROTTLED},
    ]
    for operation in ("ListFirewalls", "DescribeConnections", "ListAttachments"):
        error = {"code": "ThrottlingException", "message": "Rate exceeded", "status": 400}
        faults.append({"match": {"operation": operation}, "times": 2, "action": {"error": error}})
    error = {"code": "Throttling", "message": "Rate exceeded", "status": 400}
    faults.append({"match": {"operation": "DescribeTargetGroups"}, "times": 2, "action": {"error": error}})
    error = {"code": "TooManyRequestsException", "message": "Rate exceeded", "status": 400}
    faults.append({"match": {"operation": "DescribeOrganization"}, "times": 2, "action": {"error": error}})
    error = {"code": "Throttling", "message": "Rate exceeded", "status": 400}
    faults.append({"match": {"operation": "AssumeRole"}, "times": 2, "action": {"error": error}})
    settings, roles = chain(HOPS[0])
    targets = [{"account": HOPS[0][0], "regions": [HERE], "chain": settings}]
    _, lines = case.run({"faults": faults, "roles": roles}, targets=targets)
    acted = sum(1 for line in lines if line.get("fault"))
    expect(acted == sum(fault["times"] for fault in faults), f"{acted} requests were throttled")
    for region in (HERE, "global"):
        case.expect_complete((HOPS[0][0], region), lines)


def throttling_without_end_keeps_the_rows(case):
    case.run({}, **OWN)
    before = case.collector.snapshot(*UNIT)
    faults = [
        {"match": {"operation": "DescribeVpcs"}, "action": THROTTLED},
        {"match": {"operation": "DescribeSubnets", "page": 2}, "action": THROTTLED},
    ]
    run, lines = case.run({"generation": 2, "faults": faults}, (1,), attempts=3, **OWN)
    expect(run.seconds < 600, f"it took {run.seconds:.0f} s to give up")
    for section in ("Vpcs", "Subnets"):
        case.expect_kept(UNIT, section, before, "throttled")
    case.expect_complete(UNIT, lines, besides=("Vpcs", "Subnets"))


# --- The network -----------------------------------------------------------------------------------------------------


def an_answer_that_is_cut_once_is_asked_for_again(case):
    faults = [
        {"match": {"operation": "DescribeVpcs", "page": 2}, "times": 1, "action": {"cut": 0.5}},
        {"match": {"operation": "DescribeInstances"}, "times": 1, "action": {"cut": 0.99}},
        {"match": {"operation": "DescribeRouteTables"}, "times": 1, "action": {"cut": 0}},
        {"match": {"operation": "DescribeVirtualInterfaces"}, "times": 1, "action": {"cut": 0.5}},
        {"match": {"operation": "ListFirewalls"}, "times": 1, "action": {"close": True}},
        {"match": {"operation": "DescribeLags"}, "times": 1, "action": {"garbage": "<html>busy</html>", "status": 503}},
        {"match": {"operation": "GetCoreNetwork"}, "times": 1, "action": {"cut": 0.3}},
    ]
    for chunked in (False, True):
        _, lines = case.run({"faults": faults, "chunked": chunked, "generation": 1 + chunked}, **OWN)
        acted = sum(1 for line in lines if line.get("fault"))
        expect(acted == len(faults), f"{acted} of {len(faults)} faults happened")
        for region in (HERE, "global"):
            case.expect_complete((FUNCTION, region), lines)


def answers_that_are_always_cut_or_garbage_keep_the_rows(case):
    case.run({}, **OWN)
    before = case.collector.snapshot(*UNIT)
    actions = {
        "DescribeVpcs": {"cut": 0.5},
        "DescribeConnections": {"close": True},
        "DescribeSubnets": {"garbage": "<html>maintenance</html>"},
        "DescribeLags": {"garbage": "<html>maintenance</html>"},
        "ListFirewallPolicies": {"garbage": ""},
        "DescribeAddresses": {"garbage": "<DescribeAddressesResponse><addressesSet>"},
        "DescribeNatGateways": {"garbage": "<SomethingElse/>"},
        "DescribeTargetGroups": {"error": {"code": "InternalFailure", "status": 500}},
    }
    faults = [{"match": {"operation": operation}, "action": action} for operation, action in actions.items()]
    run, lines = case.run({"generation": 2, "faults": faults}, (1,), attempts=3, **OWN)
    expect(run.seconds < 600, f"it took {run.seconds:.0f} s to give up")
    sections = [operation.section for operation in OPERATIONS if operation.name in actions]
    # What hangs on rows that were not answered anew may be old as well.
    behind = [op.section for op in OPERATIONS if op.parent and op.parent[0] in sections]
    case.expect_complete(UNIT, lines, besides=(*sections, *behind))
    for section in sections:
        case.expect_kept(UNIT, section, before, "error")
    for section in behind:
        expect(len(case.collector.snapshot(*UNIT)[section]) == len(before[section]), f"{section} lost rows")


def slow_answers_are_waited_for(case):
    faults = [
        {"match": {"operation": "DescribeVpcs", "page": 1}, "action": {"delay_ms": 6000}, "times": 1},
        {"match": {"operation": "ListCoreNetworks"}, "action": {"delay_ms": 6000}, "times": 1},
    ]
    _, lines = case.run({"faults": faults}, **OWN)
    for region in (HERE, "global"):
        case.expect_complete((FUNCTION, region), lines)


# --- Many routes -----------------------------------------------------------------------------------------------------


def every_route_of_a_large_table_is_there_once(case):
    number = 2500
    wanted = sorted(route.text for route in transit_gateway_routes(number))
    section = "TransitGatewayRoutes"
    for tokens, subnets in ((True, "inclusive"), (False, "inclusive"), (False, "strict")):
        scenario = {"tgw_routes": {"1": number}, "search_tokens": tokens, "subnet_of_match": subnets}
        _, lines = case.run(scenario, **OWN)
        searches = [line for line in lines if line["operation"] == "SearchTransitGatewayRoutes"]
        where = f"with{'' if tokens else 'out'} tokens, {subnets}"
        snapshot = case.collector.snapshot(*UNIT)
        tables = [row["TransitGatewayRouteTableId"] for row in snapshot["TransitGatewayRouteTables"]]
        rows = {row["TransitGatewayRouteTableId"]: row["Routes"] for row in snapshot[section]}
        expect(sorted(rows) == sorted(tables), f"{where}: route tables are {sorted(rows)}")
        found = sorted(route["DestinationCidrBlock"] for route in rows[tables[1]])
        lost, twice = len(set(wanted) - set(found)), len(found) - len(set(found))
        expect(found == wanted, f"{where}: {len(found)} routes, {lost} lost, {twice} twice; {len(searches)} searches")
        case.expect_complete(UNIT, lines)
        expect(all(set(row) == {"TransitGatewayRouteTableId", "Routes"} for row in snapshot[section]), "other members")
        say(f"   {where}: {len(searches)} searches")


# --- Running them ----------------------------------------------------------------------------------------------------


SCENARIOS = [
    chains_of_one_two_and_three_hops_are_gone_through,
    a_prefix_that_chains_share_is_assumed_once,
    a_wrong_external_id_at_hop_2_is_reported_with_that_role_and_hop,
    a_session_that_expires_in_the_middle_of_pages_is_assumed_again,
    a_session_of_the_chain_that_expires_is_assumed_again,
    an_organization_is_collected_except_what_is_suspended_blocked_or_denied,
    an_account_without_an_organization_is_whole,
    accounts_of_an_organization_that_does_not_exist_are_an_error,
    a_denied_endpoint_keeps_its_rows_and_the_rest_is_new,
    an_endpoint_that_was_never_answered_is_absent,
    one_denied_item_among_several_is_named_and_the_others_are_whole,
    an_item_that_vanished_since_it_was_listed_is_no_failure,
    a_region_that_is_not_enabled_is_left_out_or_told,
    throttling_that_ends_loses_nothing,
    throttling_without_end_keeps_the_rows,
    an_answer_that_is_cut_once_is_asked_for_again,
    answers_that_are_always_cut_or_garbage_keep_the_rows,
    slow_answers_are_waited_for,
    every_route_of_a_large_table_is_there_once,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloud-export", type=pathlib.Path, required=True, metavar="BINARY")
    parser.add_argument("--work", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="scenarios with this in their name")
    parser.add_argument("--at-once", type=int, default=8, metavar="N", help="scenarios at once (8)")
    arguments = parser.parse_args()
    wanted = [each for each in SCENARIOS if not arguments.only or any(word in each.__name__ for word in arguments.only)]

    def outcome(scenario):
        begun, why = time.monotonic(), None
        try:
            case = Case(arguments.cloud_export, arguments.work / scenario.__name__)
            scenario(case)
            case.finish()
        except Failure as failure:
            why = str(failure)
        except Exception as unexpected:  # a snapshot that lacks what the scenario looks at: still a sentence
            why = f"{type(unexpected).__name__}: {unexpected}"
        sentence = scenario.__name__.replace("_", " ")
        say(f"ok {sentence}" if why is None else f"FAILED {sentence}: {why[:1500]}")
        result = {"ok": why is None, "seconds": round(time.monotonic() - begun, 1)}
        return sentence, result if why is None else {**result, "why": why}

    # They wait more than they work: for pauses between attempts, and for the pace of calls.
    with concurrent.futures.ThreadPoolExecutor(arguments.at_once) as pool:
        scenarios = dict(pool.map(outcome, wanted))
    report = {"ok": all(each["ok"] for each in scenarios.values()), "scenarios": scenarios}
    print(json.dumps(report, indent=2))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
