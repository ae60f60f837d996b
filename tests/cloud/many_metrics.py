"""What reading very many metrics takes: calls, time and memory, and whether the plan says before what a run requests.

    python many_metrics.py --cloud-export BINARY --work DIR [--accounts 10] [--latency 20]

A server answers CloudWatch in each of so many accounts and two regions with 2,500 metrics (statistics of series). The
program runs against it five times: to plan, to read, to plan and to read within a budget, and to read one namespace from
five hours back. A JSON report goes to stdout. It fails when a call more was made than the metrics of the windows need,
when a run requested something else than was planned, or when a datapoint was not delivered once.
"""

import argparse
import asyncio
import collections
import datetime
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import time

import botocore.session
from botocore.validate import ParamValidator

from estate import wrapper
from harness import Collector, Failure, Server, expect, say
from replay import Answer, Replay, Scenario, serve

PRIMARY = "222222222222"
REGIONS = ["us-east-1", "us-west-2"]
MAX_QUERIES, MAX_DATAPOINTS, PAGE = 500, 100_800, 500
BUDGET = 60.0
HOURS_BACK = 5

# Of each account and region: namespace, resources, dimensions, metrics that are asked for by default, and how many
# statistics they have together. 40 * 13 + 60 * 14 + 190 * 6 = 2,500.
DROPS = [f"{unit}DropCount{why}" for unit in ("Packet", "Bytes") for why in ("Blackhole", "NoRoute", "NoPolicy", "InternalError")]
FLOWS = [f"{unit}{way}" for unit in ("Bytes", "Packets") for way in ("OutToDestination", "InFromDestination", "OutToSource", "InFromSource")]
ESTATE = [
    (
        "AWS/TransitGateway",
        40,
        ["TransitGateway", "TransitGatewayAttachment"],
        ["BytesIn", "BytesOut", "PacketsIn", "PacketsOut", "PacketDropCountTTLExpired", *DROPS],
        13,
    ),
    (
        "AWS/NATGateway",
        60,
        ["NatGatewayId"],
        ["ErrorPortAllocation", "PacketsDropCount", "ActiveConnectionCount", "IdleTimeoutCount", "PeakBytesPerSecond", "PeakPacketsPerSecond", *FLOWS],
        14,
    ),
    (
        "AWS/EC2",
        190,
        ["InstanceId"],
        ["StatusCheckFailed", "NetworkIn", "NetworkOut", "NetworkPacketsIn", "NetworkPacketsOut", "CPUUtilization"],
        6,
    ),
]
A_UNIT = sum(resources * statistics for _, resources, _, _, statistics in ESTATE)


# --- The server ------------------------------------------------------------------------------------------------------


class Metrics(Replay):
    """A replay server that has CloudWatch too, with values for every period; who asks is its base's matter."""

    def __init__(self, scenario, record):
        super().__init__(scenario, record)
        self.model = botocore.session.get_session().get_service_model("cloudwatch")
        self.checked = collections.Counter()
        self.series = {namespace: list(self.listed(*rest)) for namespace, *rest in ESTATE}

    @staticmethod
    def listed(resources, dimensions, metrics, _):
        for resource in range(resources):
            pairs = [{"Name": name, "Value": f"{name.lower()}-{resource:04}"} for name in dimensions]
            yield from ((metric, pairs) for metric in metrics)

    def answer(self, request):
        operation = request.headers.get("x-amz-target", "").rpartition("GraniteServiceVersion20100801.")[2]
        if not operation:
            return super().answer(request)
        key, region = re.search(r"Credential=([^/]+)/\d+/([^/]+)/monitoring/", request.headers["authorization"]).groups()
        parameters = json.loads(request.body)
        line = {"service": "cloudwatch", "operation": operation, "account": self.sessions[key].account, "region": region}
        made = getattr(self, operation)(parameters, line)
        self.check(operation, parameters, made, line)
        self.record.write(json.dumps(line) + "\n")
        self.record.flush()
        return Answer(200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(made).encode())

    def check(self, operation, parameters, made, line):
        """The first calls of each operation, against the model: to check all would take longer than all else."""
        self.checked[operation] += 1
        if self.checked[operation] <= 3:
            model = self.model.operation_model(operation)
            for value, shape in ((parameters, model.input_shape), (made, model.output_shape)):
                report = ParamValidator().validate(value, shape)
                if report.has_errors():
                    self.violation(report.generate_report(), line)

    def ListMetrics(self, parameters, _):
        namespace, first = parameters["Namespace"], int(parameters.get("NextToken", 0))
        series = self.series.get(namespace, [])
        rows = [
            {"Namespace": namespace, "MetricName": metric, "Dimensions": pairs}
            for metric, pairs in series[first : first + PAGE]
        ]
        return {"Metrics": rows} | ({"NextToken": str(first + PAGE)} if first + PAGE < len(series) else {})

    def GetMetricData(self, parameters, line):
        start, end = parameters["StartTime"], parameters["EndTime"]
        queries = parameters["MetricDataQueries"]
        periods = {query["MetricStat"]["Period"] for query in queries}
        period = min(periods)
        times = list(range(start, end, period))
        if len(periods) > 1 or start % period or end % period:
            self.violation(f"periods {periods} from {start} to {end}", line)
        if len(queries) > MAX_QUERIES or len(queries) * len(times) > MAX_DATAPOINTS:
            self.violation(f"{len(queries)} queries of {len(times)} periods", line)
        values = [float(at // period % 100) for at in times]
        results = [
            {"Id": query["Id"], "Label": "l", "StatusCode": "Complete", "Timestamps": times, "Values": values}
            for query in queries
        ]
        line.update(start=start, end=end, period=period)
        names = collections.Counter(query["MetricStat"]["Metric"]["Namespace"] for query in queries)
        line["queries"] = names
        return {"MetricDataResults": results}


class MetricsServer(Server):
    program = pathlib.Path(__file__).resolve()


# --- The runs --------------------------------------------------------------------------------------------------------


class Asked:
    """What a run asked of CloudWatch."""

    def __init__(self, lines):
        self.lists = sum(line.get("operation") == "ListMetrics" for line in lines)
        data = [line for line in lines if line.get("operation") == "GetMetricData"]
        self.calls = len(data)
        self.windows = collections.Counter()
        self.namespaces = collections.Counter()
        for line in data:
            window = tuple(line[name] for name in ("account", "region", "period", "start", "end"))
            self.windows[window] += sum(line["queries"].values())
            self.namespaces.update(line["queries"])
        self.requested = sum(self.windows.values())

    def optimum(self):
        """The calls that it takes, by the limits of a call."""
        return sum(
            math.ceil(queries / min(MAX_QUERIES, MAX_DATAPOINTS // ((end - start) // period)))
            for (_, _, period, start, end), queries in self.windows.items()
        )

    def datapoints(self):
        return sum(queries * ((end - start) // period) for (_, _, period, start, end), queries in self.windows.items())


def metrics(collector, server, *arguments, **settings):
    """Runs `cloud-export metrics --json`; returns its lines, what it asked, its seconds, and its delivered datapoints."""
    settings = {"metric_budget": "0", "regions": ",".join(REGIONS), **settings}
    output = collector.work / "datapoints"
    before, begun = len(server.lines()), time.monotonic()
    done = subprocess.run(
        [collector.binary, "metrics", "--json", "--destination", f"{output.as_uri()}?compression=none", *arguments],
        env=collector.environment(server, **settings),
        cwd=collector.work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=1200,
        check=False,
    )
    seconds = time.monotonic() - begun
    text = done.stdout if "--plan" in arguments else done.stderr
    lines = [json.loads(line) for line in text.decode().splitlines() if line.startswith("{")]
    expect(done.returncode == 0, f"status {done.returncode}: {done.stderr.decode()[-2000:]}")
    expect(not server.violations(), f"violations, the first: {server.violations()[:1]}")
    units = [line for line in lines if "account" in line]
    return units, Asked(server.lines(before)), seconds, count(output)


def count(folder):
    """Datapoints that were delivered, and those that were delivered more than once."""
    rows, twice, seen = 0, 0, set()
    for file in sorted(folder.rglob("*")) if folder.exists() else []:
        if file.is_file():
            for line in file.read_bytes().splitlines():
                row = json.loads(line)
                names = ("account", "region", "metric", "statistic", "time")
                key = hash((*(row[name] for name in names), tuple(row["dimensions"].values())))
                rows += 1
                twice += key in seen
                seen.add(key)
    return rows, twice


def measure(arguments):
    members = [PRIMARY, *(f"{300000000000 + number}" for number in range(arguments.accounts - 1))]
    settings = {"primary_role": f"arn:aws:iam::{PRIMARY}:role/primary", "role": "reader", "accounts": ",".join(members[1:])}
    units = len(members) * len(REGIONS)
    binary = wrapper(arguments.cloud_export.resolve(), arguments.work.resolve())
    collectors = [Collector(binary, arguments.work / name, "111111111111") for name in ("all", "budget", "since")]
    everything, budget, since = collectors
    report = {}
    with MetricsServer(arguments.work / "server", latency_ms=arguments.latency) as server:
        planned, asked, _, _ = metrics(everything, server, "--plan", **settings)
        plan = sum(row["metrics"] for unit in planned for row in unit["namespaces"])
        expect(asked.calls == 0 and asked.lists > 0, f"the plan read {asked.calls} times")
        expect(len(planned) == units and plan == units * A_UNIT, f"{plan} metrics planned in {len(planned)} units")
        say(f"plan: {plan} metrics, {asked.lists} calls of ListMetrics")

        read, asked, seconds, (rows, twice) = metrics(everything, server, **settings)
        expect({unit["state"] for unit in read} == {"read"}, f"units are {[unit['state'] for unit in read]}")
        said = {name: sum(unit[name] for unit in read) for name in ("requested", "calls", "datapoints")}
        expect(asked.requested == plan == said["requested"], f"{asked.requested} requested, {plan} planned, {said} said")
        expect(asked.calls == asked.optimum(), f"{asked.calls} calls instead of {asked.optimum()}")
        expect(said["calls"] == asked.calls + asked.lists, f"{said} said, {asked.calls} and {asked.lists} made")
        expect(rows == asked.datapoints() == said["datapoints"] and not twice, f"{rows} datapoints, {twice} twice, {said}")
        peak = round(int((everything.work / "peak").read_text()) / 1024, 1)
        report = {
            "units": units,
            "requested": asked.requested,
            "calls": asked.calls,
            "optimum": asked.optimum(),
            "lists": asked.lists,
            "datapoints": rows,
            "seconds": round(seconds, 1),
            "peak_mib": peak,
        }
        say(f"read: {report}")

        # The budget is of one account and region: gateways first, until the next would be too much.
        settings["metric_budget"] = str(BUDGET)
        planned, _, _, _ = metrics(budget, server, "--plan", **settings)
        kept = {row["namespace"]: 0 for unit in planned for row in unit["namespaces"]}
        for unit in planned:
            left = sum(row["queries"] for row in unit["left_out"])
            taken = sum(row["metrics"] for row in unit["namespaces"])
            expect(taken + left == A_UNIT, f"{taken} taken and {left} left out")
            cost = sum(row["usd_per_month"] for row in unit["namespaces"])
            expect(BUDGET - 0.1 < cost <= BUDGET, f"{cost} USD within a budget of {BUDGET}")
            for row in unit["namespaces"]:
                kept[row["namespace"]] += row["metrics"]
        read, asked, _, _ = metrics(budget, server, **settings)
        expect(asked.namespaces == kept, f"{dict(asked.namespaces)} requested, {kept} planned")
        out = lambda lines: {(unit["account"], unit["region"]): unit["left_out"] for unit in lines}
        expect(out(read) == out(planned), "the run left out something else than the plan")
        report["within_budget"] = kept

        # One account and region, one namespace, from further back: calls hold fewer queries.
        then = datetime.datetime.fromtimestamp(time.time() - HOURS_BACK * 3600, datetime.timezone.utc)
        options = ["--namespace", "AWS/NATGateway", "--since", then.strftime("%Y-%m-%dT%H:%M:%SZ")]
        read, asked, _, (rows, twice) = metrics(since, server, *options, regions=REGIONS[0])
        expect(set(asked.namespaces) == {"AWS/NATGateway"} and asked.requested == 840, f"{dict(asked.namespaces)}")
        starts = {start for (_, _, _, start, _) in asked.windows}
        expect(starts == {int(then.timestamp()) // 60 * 60}, f"read from {starts}, not {then}")
        expect(asked.calls == asked.optimum(), f"{asked.calls} calls instead of {asked.optimum()}")
        expect(rows == asked.datapoints() and not twice, f"{rows} datapoints, {twice} twice")
        report["since"] = {"calls": asked.calls, "datapoints": rows}
        violations = server.violations()
    expect(not violations, f"violations: {violations[:1]}")
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloud-export", type=pathlib.Path, metavar="BINARY")
    parser.add_argument("--work", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--accounts", type=int, default=10)
    parser.add_argument("--latency", type=int, default=20, metavar="MS", help="delay of each answer")
    parser.add_argument("--scenario", type=pathlib.Path, metavar="FILE", help="be the server")
    parser.add_argument("--record", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.scenario:
        scenario = Scenario(json.loads(arguments.scenario.read_text()))
        asyncio.run(serve(Metrics(scenario, open(arguments.record, "a", encoding="utf-8"))))
        return 0
    arguments.work.mkdir(parents=True, exist_ok=True)
    try:
        report = measure(arguments)
    except Failure as failure:
        print(json.dumps({"failure": str(failure)}))
        return 1
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
