"""Whether snapshots hold everything that AWS answers, member for member as boto3 reads it, and nothing that is secret.

    python full_shape.py --cloud-export BINARY --work DIR

The collector goes through a primary role into three accounts with two regions each. Every answer of the server has
every member of its shape, in several pages; the snapshots are compared with what botocore makes of the same bytes. A
second run changes nothing and reports no changes, a third after everything changed reports some.

A JSON report goes to stdout, progress to stderr; exit status 0 or 1.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import sys

from harness import Collector, Failure, Server, difference, expect, expected_sections, in_any_order, members_seen, say
from operations import BY_KEY, BY_SECTION, ONLY_WITH_ORGANIZATION, OPERATIONS, SECRET_MARK, home_region, route_tables

FUNCTION, PRIMARY = "111111111111", "222222222222"
MEMBERS = ("333333333333", "444444444444")
ACCOUNTS = (PRIMARY, *MEMBERS)
REGIONS = ("us-east-1", "eu-central-1")
DISABLED = "ap-east-1"
PRIMARY_ROLE = f"arn:aws:iam::{PRIMARY}:role/cloud-export/primary"
EXTERNAL_IDS = ("for-the-primary", "member/1+=,.@:-")


def member_role(account):
    return f"arn:aws:iam::{account}:role/path/of/collector"


def scenario(generation):
    roles = [{"arn": PRIMARY_ROLE, "trusted": [FUNCTION], "external_id": EXTERNAL_IDS[0]}]
    for account in ACCOUNTS:
        roles.append({"arn": member_role(account), "trusted": [PRIMARY_ROLE], "external_id": EXTERNAL_IDS[1]})
    regions = [
        {"RegionName": REGIONS[0], "OptInStatus": "opt-in-not-required"},
        {"RegionName": DISABLED, "OptInStatus": "not-opted-in"},
        {"RegionName": REGIONS[1], "OptInStatus": "opted-in"},
    ]
    accounts = [{"Id": account, "Status": "ACTIVE", "State": "ACTIVE"} for account in ACCOUNTS]
    organization = {"management": PRIMARY, "accounts": accounts, "page_size": 2, "empty_page": 2}
    return {
        "roles": roles,
        "regions": regions,
        "generation": generation,
        "noise": True,
        "chunked": True,
        "empty_last_token": True,
        # Few enough rows that the record stays small, enough for three pages and for rows that lack members.
        "rows": 5,
        "organization": organization,
    }


SETTINGS = {
    "primary_role": PRIMARY_ROLE,
    "primary_external_id": EXTERNAL_IDS[0],
    "accounts": "organization",
    "role": "path/of/collector",
    "external_id": EXTERNAL_IDS[1],
}


def roles_to(account):
    return [PRIMARY_ROLE] if account == PRIMARY else [PRIMARY_ROLE, member_role(account)]


def belongs(operation, unit):
    account, region = unit
    if operation.section == ONLY_WITH_ORGANIZATION and account != PRIMARY:
        return False
    return (operation.scope == "global") == (region == "global")


def units():
    return [(account, region) for account in ACCOUNTS for region in (*REGIONS, "global")]


def compare(collector, lines, report):
    """Every section of every unit with the answers of the record."""
    expected, snapshots = expected_sections(lines), collector.snapshots()
    expect(set(snapshots) == set(units()), f"snapshots are of {sorted(snapshots)}, not of {units()}")
    wrong = []
    for unit, snapshot in snapshots.items():
        sections = expected[unit]
        listed = {endpoint["Section"]: endpoint for endpoint in snapshot["Collection"]["Endpoints"]}
        for operation in OPERATIONS:
            if not belongs(operation, unit):
                continue
            name, where = operation.section, f"{'/'.join(unit)} {operation.section}"
            if name not in sections or name not in snapshot:
                why = "was not asked for" if name not in sections else "is not in the snapshot"
                wrong.append(f"{where} {why}; it is {listed.get(name)}")
                continue
            old, new = (in_any_order(operation, value) for value in (sections[name], snapshot[name]))
            text = difference(old, new, where)
            if text:
                wrong.append(text)
            if listed.get(name, {}).get("State") != "ok":
                wrong.append(f"{where} is {listed.get(name)}, not ok")
            count = report["operations"].setdefault(operation.title, {"rows": 0, "members": set()})
            count["rows"] += len(old) if isinstance(old, list) else 1
            members_seen(old, "", count["members"])
        beyond = set(snapshot) - set(listed) - {"Collection"}
        if beyond or set(listed) - set(BY_SECTION):
            wrong.append(f"{unit}: sections beyond the agreement: {beyond}, {set(listed) - set(BY_SECTION)}")
        wrong += headed(unit, snapshot["Collection"])
    report["differences"] = len(wrong)
    report["first_differences"] = wrong[:20]
    return wrong


def headed(unit, collection):
    """What a snapshot says about itself."""
    account, region = unit
    same = {"Version": 1, "Account": account, "Region": region, "Partition": "aws"}
    found = {name: collection.get(name) for name in same}
    wrong = [] if found == same else [f"{unit}: the snapshot says it is of {found}"]
    if collection.get("Roles") != roles_to(account):
        wrong.append(f"{unit}: the snapshot names the roles {collection.get('Roles')}")
    return wrong


def asked(lines):
    """Whether each operation was called wherever it belongs, and only there."""
    found = {}
    for line in lines:
        operation = BY_KEY.get((line.get("service"), line.get("operation")))
        if operation is None:
            continue
        found.setdefault((line["account"], operation.key), set()).add(line["region"])
        if operation.name == "GetCoreNetworkPolicy":
            alias = line["parameters"].get("Alias")
            expect(alias == "LIVE", f"the policy {alias} was asked for, not the live one")
    wrong = []
    for account in ACCOUNTS:
        for operation in OPERATIONS:
            wanted = {home_region(operation.service)} if operation.scope == "global" else set(REGIONS)
            wanted = wanted if belongs(operation, (account, "global")) or operation.scope == "regional" else set()
            regions = found.pop((account, operation.key), set())
            if operation.key == ("ec2", "DescribeRegions"):
                regions &= wanted  # may also be asked to learn which regions are enabled
            if regions != wanted:
                wrong.append(f"{operation.title} in {account} was asked in {sorted(regions)}, not {sorted(wanted)}")
    for account, (service, name) in found:
        if account not in (FUNCTION, *ACCOUNTS) or account in ACCOUNTS:
            wrong.append(f"{service}:{name} was asked in {account}")
    return wrong


def route_tables_asked(lines):
    """Whether each route table of each core network was asked for, once."""
    wanted, found = set(), []
    for line in lines:
        if line.get("operation") == "GetCoreNetwork":
            wanted.update(json.dumps(one, sort_keys=True) for one in route_tables(line["answer"]["CoreNetwork"]))
        if line.get("operation") == "GetNetworkRoutes":
            found.append(json.dumps(line["parameters"]["RouteTableIdentifier"], sort_keys=True))
    if sorted(wanted) == sorted(found):
        return []
    return [f"{len(found)} route tables of core networks were asked for, {len(wanted)} exist"]


def contents(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def without_times(snapshot):
    return {name: value for name, value in snapshot.items() if name != "Collection"}


def full_shape(binary, work, report):
    for name in ("collector", "server", "server-changed"):
        shutil.rmtree(work / name, ignore_errors=True)
    collector = Collector(binary, work / "collector", FUNCTION)
    events = collector.work / "events"
    events.mkdir()
    settings = {**SETTINGS, "destinations": events.resolve().as_uri()}
    wrong = []

    with Server(work / "server", **scenario(1)) as server:
        say("first run")
        run = collector.run(server, (0, 1), **settings)
        lines = server.lines()
        report.update(requests=len(lines), seconds=round(run.seconds, 1), summary=run.summary)
        requests = [line for line in lines if "violation" not in line]
        report["refused"] = sorted({f"{line['operation']}: {line['error']}" for line in requests if line.get("error")})
        if run.status != 0:
            wrong.append(f"the first run ended with status {run.status}: {run.failures()[:5]}")
        violations = [line for line in lines if "violation" in line]
        report["violations"] = len(violations)
        wrong += [f"violation: {line}" for line in violations[:10]]
        say("comparing")
        wrong += asked(requests) + route_tables_asked(requests) + compare(collector, requests, report)
        expect(set(run.units) >= set(units()), f"collect reported about {sorted(run.units)}")
        secrets = [line for line in requests if SECRET_MARK in json.dumps(line.get("answer", ""))]
        expect(any(line["service"] == "directconnect" for line in secrets), "the server answered no secrets")

        say("second run")
        before, told = collector.snapshots(), contents(events)
        collector.run(server, (run.status,), **settings)
        after = collector.snapshots()
        if contents(events) != told:
            wrong.append("a second run reported changes, though nothing changed")
        for unit, snapshot in before.items():
            text = difference(without_times(snapshot), without_times(after[unit]), "/".join(unit))
            if text:
                wrong.append(f"a second run changed {text}")
            if after[unit]["Collection"]["Finished"] < snapshot["Collection"]["Finished"]:
                wrong.append(f"the second snapshot of {unit} is older than the first")

    with Server(work / "server-changed", **scenario(2)) as server:
        say("third run, after everything changed")
        told = contents(events)
        collector.run(server, (run.status,), **settings)
        if contents(events) == told:
            wrong.append("nothing was reported after everything changed")
        report["events_bytes"] = sum(file.stat().st_size for file in events.rglob("*") if file.is_file())

    leaks = collector.leaks()
    wrong += [f"a secret is in {name}" for name in leaks]
    report["leaks"] = leaks
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloud-export", type=pathlib.Path, required=True, metavar="BINARY")
    parser.add_argument("--work", type=pathlib.Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    report = {"ok": False, "operations": {}}
    try:
        wrong = full_shape(arguments.cloud_export, arguments.work, report)
    except Failure as failure:
        wrong = [str(failure)]
    report["ok"] = not wrong
    report["failures"] = wrong[:50]
    for count in report["operations"].values():
        count["members"] = len(count["members"])
    counts = report["operations"].values()
    report["compared"] = len(counts)
    report["rows"] = sum(count["rows"] for count in counts)
    report["members"] = sum(count["members"] for count in counts)
    for text in wrong[:20]:
        say(f"full_shape: {text[:600]}")
    say(f"full_shape: {report['compared']} operations, {report['rows']} rows, {len(wrong)} failures")
    print(json.dumps(report, indent=2))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
