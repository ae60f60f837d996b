"""What collecting a large organization takes: calls, time and memory, by the number of accounts.

    python estate.py --cloud-export BINARY --work DIR [--accounts 50 100 200] [--regions 4] [--units 16] [--latency 20]

The replay server plays an organization whose accounts hold a little of everything. For each size the collector runs
once, from nothing; a table goes to stderr, a JSON report to stdout. It fails when a unit is not complete, when the
server met a request that no client may make, or when a call was made that the catalogue does not account for.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import sys

from harness import Collector, Failure, Server, expect, say

PRIMARY = "222222222222"
REGIONS = ["us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2", "eu-central-1", "sa-east-1", "ca-central-1"]


def scenario(accounts, regions, latency):
    """An organization: the primary account manages it, and the others trust the primary role."""
    primary_role = f"arn:aws:iam::{PRIMARY}:role/primary"
    members = [PRIMARY, *(f"{300000000000 + number}" for number in range(accounts - 1))]
    roles = [{"arn": primary_role, "trusted": ["111111111111"]}]
    roles += [{"arn": f"arn:aws:iam::{member}:role/reader", "trusted": [primary_role]} for member in members[1:]]
    return {
        "estate": "small",
        "record_answers": False,
        "latency_ms": latency,
        "roles": roles,
        "regions": [{"RegionName": name, "OptInStatus": "opt-in-not-required"} for name in regions],
        "organization": {
            "management": PRIMARY,
            "accounts": [{"Id": member, "Name": f"account {member}", "State": "ACTIVE"} for member in members],
        },
    }


def collect(binary, work, accounts, regions, units, latency):
    shutil.rmtree(work, ignore_errors=True)
    collector = Collector(binary, work / "collector", "111111111111", seconds=3600)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with Server(work / "server", **scenario(accounts, regions, latency)) as server:
        run = collector.run(
            server,
            primary_role=f"arn:aws:iam::{PRIMARY}:role/primary",
            accounts="organization",
            role="reader",
            units_at_once=str(units),
        )
        requests = [line for line in server.lines() if "violation" not in line]
        violations = server.violations()
    expect(not violations, f"{len(violations)} violations, the first: {violations[:1]}")
    states = {unit["state"] for unit in run.units.values()}
    expect(states == {"complete"}, f"units are {states}")
    expect(len(run.units) == accounts * (len(regions) + 1), f"{len(run.units)} units")
    sts = sum(line["service"] == "sts" for line in requests)
    asked = run.summary["calls"]
    # Beside the units' own: the accounts once, the regions of each account, roles.
    besides = len(requests) - asked - sts
    pages = -(-accounts // 20)
    expect(besides == pages + accounts, f"{besides} calls beside those of the units, not {pages} + {accounts}")
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return {
        "accounts": accounts,
        "units": len(run.units),
        "requests": len(requests),
        "calls_of_units": asked,
        "sts": sts,
        "rows": run.summary["rows"],
        "seconds": round(run.seconds, 1),
        "requests_per_second": round(len(requests) / run.seconds),
        "children_cpu_seconds": round(cpu, 1),
        "peak_mib": peak(collector),
    }


def peak(collector):
    """The most memory the collector held, as the wrapper below wrote it."""
    file = collector.work / "peak"
    return round(int(file.read_text()) / 1024, 1) if file.exists() else None


def wrapper(binary, work):
    """The collector, started by a program that writes how much memory it held at most."""
    script = work / "measured"
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, pathlib, resource, subprocess, sys\n"
        f"status = subprocess.call([{os.fspath(binary)!r}, *sys.argv[1:]])\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "pathlib.Path('peak').write_text(str(peak))\n"
        "sys.exit(status)\n"
    )
    script.chmod(0o755)
    return script


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloud-export", type=pathlib.Path, required=True, metavar="BINARY")
    parser.add_argument("--work", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--accounts", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--regions", type=int, default=4)
    parser.add_argument("--units", type=int, default=16, help="accounts and regions asked at once")
    parser.add_argument("--latency", type=int, default=20, metavar="MS", help="delay of each answer")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    binary = wrapper(arguments.cloud_export.resolve(), arguments.work.resolve())
    runs = []
    try:
        for accounts in arguments.accounts:
            work = arguments.work / f"{accounts}-accounts"
            regions = REGIONS[: arguments.regions]
            runs.append(collect(binary, work, accounts, regions, arguments.units, arguments.latency))
            say("  ".join(f"{name} {value}" for name, value in runs[-1].items()))
    except Failure as failure:
        say(f"estate: {failure}")
        print(json.dumps({"ok": False, "runs": runs}))
        return 1
    print(json.dumps({"ok": True, "runs": runs}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
