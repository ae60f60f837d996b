"""Decodes OTLP requests by the official protobuf definitions and compares them with NDJSON of the same records.

    compare.py DIRECTORY docs/otlp.md

DIRECTORY has NAME.binpb and NAME.ndjson for each log. What attributes are called is read from the tables of the
document, so that document, encoder and official definitions agree or the test fails. Prints a report as JSON.
"""

import json
import pathlib
import re
import sys
from datetime import datetime, timezone

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

ADDED = set(
    "device device_type device_name direction gateway_type gateway_id via scope confidence transfer_cost_usd"
    " count_volume protocol_name tcp_flag_names reject_by reject_id reject_rule reject_explanation metadata".split()
)
# The transport of IANA's numbers that the samples and the generator have.
TRANSPORTS = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "ipv6-icmp"}
TRANSIT_GATEWAY = {"resource_type"}
INT64 = 2**63


def tables(document):
    """Columns and members by the attribute that the document has for them."""
    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+)`[^|]*\|$", document, re.MULTILINE)
    return dict(rows)


def plain(value):
    """An AnyValue as JSON has it."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {one.key: plain(one.value) for one in value.kvlist_value.values}
    return getattr(value, kind)


def attributes(found, where):
    keys = [one.key for one in found]
    assert len(keys) == len(set(keys)), f"{where}: a key stands twice in {sorted(keys)}"
    return {one.key: plain(one.value) for one in found}


def number(value):
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and value >= INT64 else value


def nanoseconds(text):
    time = datetime.fromisoformat(text)
    whole = int(time.replace(microsecond=0).astimezone(timezone.utc).timestamp())
    return whole * 10**9 + time.microsecond * 1000


def members(path, value, expected):
    if isinstance(value, dict) and value and not any("." in name for name in value):
        for name, member in value.items():
            members(f"{path}.{name}", member, expected)
    else:
        expected[path] = value


def expected_record(record, names):
    """What a record of NDJSON is in OTLP: attributes and envelope."""
    expected = {}
    firewall = "firewall_name" in record
    gateway = "tgw_id" in record
    for name, value in record.items():
        value = number(value)
        side = re.match(r"(src|dst)_(.+)", name)
        if side:
            end = {"src": "source", "dst": "destination"}[side[1]]
            expected[f"cloud_export.{end}." + re.sub("^tag_", "tag.", side[2])] = value
        elif name in ADDED:
            expected[f"cloud_export.{name}"] = value
        elif firewall and name == "event":
            for member, inner in value.items():
                if member == "proto":
                    expected[names[member]] = inner.lower()
                elif member in names:
                    expected[names[member]] = inner
                else:
                    members(f"aws.networkfirewall.event.{member}", inner, expected)
        elif firewall:
            members(f"aws.networkfirewall.{name}", value, expected)
        elif name in ("account_id", "region"):
            pass
        elif name in names:
            expected[names[name]] = value
        elif name == "protocol":
            expected["aws.vpc.flow.protocol"] = value
            if value in TRANSPORTS:
                expected["network.transport"] = TRANSPORTS[value]
        elif name == "type" and value in ("IPv4", "IPv6"):
            expected["network.type"] = value.lower()
        elif name == "flow_direction":
            expected["network.io.direction"] = {"ingress": "receive", "egress": "transmit"}[value]
        elif name.startswith("tgw_") or name.startswith("packets_lost_") or name in TRANSIT_GATEWAY:
            expected["aws.tgw." + name.removeprefix("tgw_")] = value
        elif name.startswith("zz_"):
            expected[f"aws.vpc.flow.column.{name}"] = value
        else:
            expected[f"aws.vpc.flow.{name}"] = value
    if firewall:
        event = record["event"]
        observed = nanoseconds(event["timestamp"]) if "timestamp" in event else record["event_timestamp"] * 10**9
        start = event.get("netflow", {}).get("start")
        time = nanoseconds(start) if start else observed
        actions = (event.get(of, {}).get("action") for of in ("verdict", "alert", "revocation_check"))
        action = next((action.lower() for action in actions if action), None)
        kind = {"alert": "alert", "netflow": "flow", "tls": "tls", None: "tls"}[event.get("event_type")]
        severity = 13 if "tls_error" in event or action in ("drop", "reject", "blocked") else 9
        name = f"aws.networkfirewall.{kind}"
    else:
        start, end = record.get("start"), record.get("end")
        time = (start if start is not None else end or 0) * 10**9
        observed = (end if end is not None else start or 0) * 10**9
        severity = 13 if record.get("action") == "REJECT" else 9
        name = "aws.tgw.flow" if gateway else "aws.vpc.flow"
    envelope = {"time": time, "observed": observed, "severity": severity, "event": name}
    return expected, envelope


def same(found, expected):
    if isinstance(expected, float) or isinstance(found, float):
        # NDJSON rounds amounts to twelve digits behind the point.
        return isinstance(found, (int, float)) and abs(found - expected) <= 1e-12 + 1e-12 * abs(expected)
    return type(found) is type(expected) and found == expected


def compare(name, data, lines, names, home):
    request = ExportLogsServiceRequest.FromString(data)
    differences = []
    if request.SerializeToString(deterministic=True) != data:
        differences.append(f"{name}: the official classes write other bytes")
    records = [json.loads(line) for line in lines]
    by_home = {}
    for record in records:
        account = record.get("account_id")
        account = home[0] if account in (None, "unknown") else account
        by_home.setdefault((account, record.get("region") or home[1]), []).append(record)
    if len(by_home) != len(request.resource_logs):
        differences.append(f"{name}: {len(request.resource_logs)} resources for {len(by_home)}")
    count = 0
    for of in request.resource_logs:
        resource = attributes(of.resource.attributes, name)
        key = (resource.get("cloud.account.id"), resource.get("cloud.region"))
        if resource.get("cloud.provider") != "aws" or len(of.scope_logs) != 1:
            differences.append(f"{name}: resource {resource}")
        if of.schema_url != "https://opentelemetry.io/schemas/1.44.0":
            differences.append(f"{name}: schema {of.schema_url}")
        scope = of.scope_logs[0]
        if scope.scope.name != "cloud-export" or not scope.scope.version:
            differences.append(f"{name}: scope {scope.scope}")
        expected_records = by_home.get(key, [])
        if len(expected_records) != len(scope.log_records):
            differences.append(f"{name}: {key} has {len(scope.log_records)} for {len(expected_records)} records")
        for place, (log, record) in enumerate(zip(scope.log_records, expected_records)):
            count += 1
            where = f"{name} {key} {place}"
            expected, envelope = expected_record(record, names)
            found = attributes(log.attributes, where)
            if found.keys() != expected.keys():
                differences.append(f"{where}: keys {sorted(found.keys() ^ expected.keys())}")
            for attribute in found.keys() & expected.keys():
                if not same(found[attribute], expected[attribute]):
                    differences.append(f"{where}: {attribute} {found[attribute]!r}, not {expected[attribute]!r}")
            got = {
                "time": log.time_unix_nano,
                "observed": log.observed_time_unix_nano,
                "severity": log.severity_number,
                "event": log.event_name,
            }
            if got != envelope:
                differences.append(f"{where}: {got}, not {envelope}")
            if log.severity_text != {9: "INFO", 13: "WARN"}[envelope["severity"]]:
                differences.append(f"{where}: severity {log.severity_text}")
            body = log.body.string_value
            ends = [record.get("srcaddr"), record.get("dstaddr")]
            if not body or any(end and end not in body for end in ends):
                differences.append(f"{where}: body {body!r}")
    return count, differences


def compare_metrics(data, points):
    request = ExportMetricsServiceRequest.FromString(data)
    differences = []
    if request.SerializeToString(deterministic=True) != data:
        differences.append("metrics: the official classes write other bytes")
    found = []
    for of in request.resource_metrics:
        resource = attributes(of.resource.attributes, "metrics")
        for metric in of.scope_metrics[0].metrics:
            kind = metric.WhichOneof("data")
            if kind == "sum":
                delta = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
                if metric.sum.aggregation_temporality != delta or not metric.sum.is_monotonic:
                    differences.append(f"metrics: {metric.name} is no monotonic sum of delta temporality")
            for point in getattr(metric, kind).data_points:
                found.append({
                    "account": resource["cloud.account.id"],
                    "region": resource["cloud.region"],
                    "name": metric.name,
                    "unit": metric.unit,
                    "sum": {"sum": True, "gauge": False}[kind],
                    "start": point.start_time_unix_nano // 10**9,
                    "end": point.time_unix_nano // 10**9,
                    "value": getattr(point, point.WhichOneof("value")),
                    "attributes": attributes(point.attributes, metric.name),
                })
    order = lambda point: json.dumps(point, sort_keys=True)
    if sorted(found, key=order) != sorted(points, key=order):
        differences.append(f"metrics: {found}, not {points}")
    return len(found), differences


def main():
    directory = pathlib.Path(sys.argv[1])
    names = tables(pathlib.Path(sys.argv[2]).read_text())
    home = json.loads((directory / "home.json").read_text())
    report = {"records": {}, "differences": []}
    for path in sorted(directory.glob("*.binpb")):
        if path.stem == "metrics":
            points = json.loads((directory / "metrics.json").read_text())
            count, differences = compare_metrics(path.read_bytes(), points)
        else:
            lines = path.with_suffix(".ndjson").read_text().splitlines()
            count, differences = compare(path.stem, path.read_bytes(), lines, names, home)
        report["records"][path.stem] = count
        report["differences"] += differences[:10]
    print(json.dumps(report))


main()
