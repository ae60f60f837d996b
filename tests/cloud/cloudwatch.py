"""A day of CloudWatch: MiniStack with metrics in every namespace of the catalogue, and what it lacks in front of it.

    python cloudwatch.py --work DIR     prints {"port": n, ...}; ends when its stdin closes

MiniStack has the metrics of the whole day from the start, put by boto3, in two accounts and two regions. The proxy
passes every request on to it and changes the answers of CloudWatch alone: at the time that the test writes to DIR/now
(Unix seconds) it shows what has arrived by then, lists by pages and with delay, and goes wrong as `BROKEN` and `THROTTLED` say.

    DIR/held.ndjson     each datapoint that there is to read, and when it arrived
    DIR/asked.ndjson    each call of CloudWatch
"""

import argparse
import bisect
import datetime
import functools
import http.client
import http.server
import json
import pathlib
import re
import sys
import threading
import time
import zlib

import boto3
import botocore.config

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "deploy"))
from whole_way import Children, start_ministack  # noqa: E402

ACCOUNTS = ["222222222222", "333333333333"]
REGIONS = ["us-east-1", "us-west-2"]
MINUTE, HOUR, DAY = 60, 3600, 86400
SETTLE = {MINUTE: 120, 5 * MINUTE: 600, DAY: 26 * HOUR}
# MiniStack forgets what is older than two weeks.
START = int(time.time()) // DAY * DAY - 2 * DAY
LISTED_AFTER = 15 * MINUTE
RECENT = 3 * HOUR
# Series of a page of ListMetrics; the first page of these is empty.
PAGES_OF_LIST = {"AWS/NATGateway": 1, "AWS/EC2": 3}


def at(hour, minute=0):
    """A time of the day."""
    return START + hour * HOUR + minute * MINUTE


# --- What there is to read -------------------------------------------------------------------------------------------

# Namespace, metric, dimensions, statistics that are asked for by default, period; `{x}` is a resource's name.
METRICS = [
    ("AWS/TransitGateway", "BytesIn", {"TransitGateway": "tgw-{x}", "TransitGatewayAttachment": "tgw-attach-{x}"}, "Sum", 60),
    ("AWS/NATGateway", "ErrorPortAllocation", {"NatGatewayId": "{nat}"}, "Sum", 60),
    ("AWS/NATGateway", "ActiveConnectionCount", {"NatGatewayId": "{nat}"}, "Maximum", 60),
    ("AWS/VPN", "TunnelState", {"TunnelIpAddress": "203.0.113.{n}"}, "Minimum Maximum", 300),
    ("AWS/VPN", "TunnelDataIn", {"TunnelIpAddress": "203.0.113.{n}"}, "Sum", 300),
    ("AWS/DX", "ConnectionState", {"ConnectionId": "dxcon-{x}"}, "Minimum", 300),
    (
        "AWS/NetworkFirewall",
        "DroppedPackets",
        {"AvailabilityZone": "{az}", "Engine": "Stateless", "FirewallName": "fw-{x}"},
        "Sum",
        60,
    ),
    (
        "AWS/PrivateLinkEndpoints",
        "BytesProcessed",
        {"Endpoint Type": "Interface", "Service Name": "logs", "VPC Endpoint Id": "{endpoint}", "VPC Id": "{vpc}"},
        "Sum",
        60,
    ),
    ("AWS/PrivateLinkServices", "NewConnections", {"Service Id": "vpce-svc-{x}"}, "Sum", 60),
    ("AWS/NetworkELB", "ActiveFlowCount", {"LoadBalancer": "{nlb}"}, "Average Maximum", 60),
    ("AWS/ApplicationELB", "RequestCount", {"LoadBalancer": "{alb}"}, "Sum", 60),
    ("AWS/GatewayELB", "NewFlowCount", {"LoadBalancer": "{gwlb}"}, "Sum", 60),
    ("AWS/ELB", "Latency", {"LoadBalancerName": "classic-{x}"}, "Average p99", 60),
    ("AWS/Network Manager", "BytesIn", {"CoreNetwork": "core-{x}", "Attachment": "attachment-{x}"}, "Sum", 60),
    ("AWS/Route53", "HealthCheckStatus", {"HealthCheckId": "hc-{x}"}, "Minimum", 60),
    ("AWS/EC2", "CPUUtilization", {"InstanceId": "{instance}"}, "Average", 300),
    ("AWS/EC2", "StatusCheckFailed", {"InstanceId": "{instance}"}, "Maximum", 60),
    ("AWS/ApiGateway", "Count", {"ApiName": "api-{x}"}, "Sum", 60),
    ("AWS/S3", "BucketSizeBytes", {"BucketName": "bucket-{x}", "StorageType": "StandardStorage"}, "Average", DAY),
]
ONLY_IN = {"AWS/Route53": "us-east-1", "AWS/Network Manager": "us-west-2"}
# What CloudWatch says more of when more of it has arrived.
REVISED = "TunnelDataIn"
FORBIDDEN = "5XXError"
# At dimensions that nobody asks for: each would count a second time what is read already.
BESIDE = ("AWS/ApplicationELB", "RequestCount", {"AvailabilityZone": "{az}", "LoadBalancer": "{alb}"}, "", 60)


class Series:
    def __init__(self, unit, row, names, seconds=(-HOUR, DAY), share=50):
        self.unit = unit
        self.namespace, self.metric, dimensions, statistics, self.period = row
        self.dimensions = {name: value.format(**names) for name, value in dimensions.items()}
        self.statistics = statistics.split()
        # Of names without MiniStack's random ids, so that each day is like the others.
        self.seed = f"{unit} {self.namespace} {self.metric} {sorted(dimensions.items())} {seconds}"
        self.key = key_of(self.namespace, self.metric, self.dimensions)
        first, last = (-3 * DAY, 0) if self.period == DAY else seconds
        # Most metrics have no value for many a minute.
        times = range(START + first, START + last, self.period)
        self.times = [at for at in times if self.period > MINUTE or self.chance(at) % 100 < share]
        self.arrivals = {time: time + self.period + self.delay(time) for time in self.times}

    def chance(self, time):
        return zlib.crc32(f"{self.seed} {time - START}".encode())

    def delay(self, time):
        """Most arrive soon, some barely in time, a few when nobody waits any more."""
        settle, chance = SETTLE[self.period], self.chance(time) // 100 % 100
        if self.metric == "ErrorPortAllocation" and chance == 99:
            return settle + 30 * MINUTE
        return settle - 5 if chance < 10 else 20

    def samples(self, time):
        chance = self.chance(time)
        return [float(chance % 997 + 1), float(chance // 997 % 997 + 1), float(chance // 7919 % 997 + 1)]

    def values(self, time):
        samples = sorted(self.samples(time))
        every = {"Sum": sum(samples), "Average": sum(samples) / 3, "Minimum": samples[0], "Maximum": samples[2]}
        every["p99"] = samples[1] + 0.98 * (samples[2] - samples[1])
        return {name: every[name] for name in self.statistics}

    @functools.cached_property
    def sorted(self):
        return sorted(self.arrivals.values())

    def is_listed(self, now, recent):
        """CloudWatch lists a series 15 minutes after it began, or began again."""
        arrived = self.sorted[: bisect.bisect_right(self.sorted, now)]
        if not arrived or (recent and arrived[-1] < now - RECENT):
            return False
        begun = arrived[0]
        for before, after in zip(arrived, arrived[1:]):
            begun = after if after - before > RECENT else begun
        return now >= begun + LISTED_AFTER


def key_of(namespace, metric, dimensions):
    return f"{namespace} {metric} {sorted(dimensions.items())}"


# --- What goes wrong -------------------------------------------------------------------------------------------------


class Broken:
    """Datapoints of a stretch of time that CloudWatch does not give until it is mended."""

    def __init__(self, status, unit, metric, start, end, until):
        self.status, self.unit, self.metric = status, unit, metric
        self.start, self.end, self.until = start, end, until

    def holds(self, unit, now, query, start, end):
        metric = query["MetricStat"]["Metric"]["MetricName"]
        of_it = (unit, metric) == (self.unit, self.metric) and now < self.until
        return of_it and start < self.end and self.start < end


A_EAST, A_WEST = (ACCOUNTS[0], "us-east-1"), (ACCOUNTS[0], "us-west-2")
B_EAST, B_WEST = (ACCOUNTS[1], "us-east-1"), (ACCOUNTS[1], "us-west-2")
BROKEN = [
    # Two stretches, and between them one that is read well.
    Broken("InternalError", A_EAST, "BytesIn", at(7), at(7, 5), at(8, 40)),
    Broken("InternalError", A_EAST, "BytesIn", at(7, 40), at(7, 42), at(9)),
    Broken("InternalError", B_WEST, "DroppedPackets", at(11), at(12), at(13)),
    # With no page to follow.
    Broken("PartialData", A_WEST, "ConnectionState", at(14), at(14, 10), at(14, 50)),
    Broken("Forbidden", B_WEST, FORBIDDEN, at(-1), at(24), at(48)),
]
# MiniStack answers that there are none, although it can have none: it has not said that they are gone.
LACKING = [b"Action=DescribeVpnConnections", b"Action=DescribeLoadBalancers&Version=2012-06-01", b"Action=DescribeVpcEndpointServiceConfigurations"]
REFUSAL = b"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>"
PAGES = (at(5), at(6, 30))
# At which run, where, and how many calls are throttled.
THROTTLED = [(at(16), [B_WEST], 1), (at(17), [B_EAST, B_WEST], 1000)]
GONE_AT = at(10)


# --- The proxy -------------------------------------------------------------------------------------------------------


class Day:
    def __init__(self, work, upstream):
        self.work, self.upstream = work, upstream
        self.accounts = {}  # by access key
        self.series = {}  # by unit and key
        self.throttled = {}
        self.gone = None
        self.deleted = False
        self.lock = threading.Lock()
        self.asked = open(work / "asked.ndjson", "a", encoding="utf-8")

    def now(self):
        return int((self.work / "now").read_text())

    def client(self, service, unit):
        account, region = unit
        config = botocore.config.Config(proxies={}, disable_request_compression=True, parameter_validation=False)
        return boto3.client(
            service,
            endpoint_url=self.upstream,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="test",
            config=config,
        )

    def populate(self):
        held = open(self.work / "held.ndjson", "w", encoding="utf-8")
        for number, unit in enumerate((account, region) for account in ACCOUNTS for region in REGIONS):
            names = self.resources(unit, number)
            share = 60 if unit == A_EAST else 25
            rows = [row for row in METRICS if ONLY_IN.get(row[0], unit[1]) == unit[1]]
            series = [Series(unit, row, names, share=share) for row in [*rows, BESIDE]]
            if unit == A_EAST:
                gone = {**names, "nat": self.gone}
                series += [Series(unit, row, gone, (-HOUR, 10 * HOUR)) for row in METRICS if row[0] == "AWS/NATGateway"]
                new = {**names, "nat": "nat-0new"}
                series += [Series(unit, row, new, (12 * HOUR, DAY)) for row in METRICS if row[0] == "AWS/NATGateway"]
                quiet = Series(unit, ("AWS/PrivateLinkServices", "NewConnections", {"Service Id": "vpce-svc-quiet"}, "Sum", 60), names)
                quiet.times = [time for time in quiet.times if time < at(4) or time >= at(9, 10)]
                quiet.arrivals = {time: quiet.arrivals[time] for time in quiet.times}
                series.append(quiet)
            if unit == B_WEST:
                row = ("AWS/ApiGateway", FORBIDDEN, {"ApiName": "api-forbidden"}, "", 60)
                series.append(Series(unit, row, names))
            self.put(unit, series)
            for one in series:
                self.series[(unit, one.key)] = one
                for time in one.times:
                    of_it = {"account": unit[0], "region": unit[1], "namespace": one.namespace, "metric": one.metric}
                    of_it |= {"dimensions": one.dimensions, "period": one.period, "time": time}
                    of_it |= {"settled": time + one.period + SETTLE[one.period], "arrived": one.arrivals[time]}
                    for statistic, value in one.values(time).items():
                        held.write(json.dumps({**of_it, "statistic": statistic, "value": value}) + "\n")
        held.close()

    def resources(self, unit, number):
        """What MiniStack has of a network; the rest is in no inventory."""
        ec2, elb = self.client("ec2", unit), self.client("elbv2", unit)
        tags = lambda kind, name: [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}, {"Key": "env", "Value": "prod"}]}]
        zone = f"{unit[1]}a"
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tags("vpc", "edge"))["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{n}.0/24", AvailabilityZone=f"{unit[1]}{'ab'[n]}")["Subnet"]["SubnetId"]
            for n in range(2)
        ]

        def gateway(name):
            made = ec2.create_nat_gateway(SubnetId=subnets[0], TagSpecifications=tags("natgateway", name))
            return made["NatGateway"]["NatGatewayId"]

        nat = gateway("way-out")
        if unit == A_EAST:
            self.gone = gateway("to-go")
        instance = ec2.run_instances(
            ImageId="ami-1", MinCount=1, MaxCount=1, SubnetId=subnets[0], TagSpecifications=tags("instance", "web")
        )["Instances"][0]["InstanceId"]
        endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{unit[1]}.logs", VpcEndpointType="Interface")
        names = {"x": f"0{number}", "n": number, "az": zone, "vpc": vpc, "nat": nat, "instance": instance}
        names["endpoint"] = endpoint["VpcEndpoint"]["VpcEndpointId"]
        for name, kind in (("alb", "application"), ("nlb", "network"), ("gwlb", "gateway")):
            made = elb.create_load_balancer(Name=f"front-{name}", Subnets=subnets, Type=kind)["LoadBalancers"][0]
            names[name] = made["LoadBalancerArn"].split(":loadbalancer/")[1]
        return names

    def put(self, unit, series):
        cloudwatch = self.client("cloudwatch", unit)
        data = {}
        for one in series:
            dimensions = [{"Name": name, "Value": value} for name, value in one.dimensions.items()]
            for time in one.times:
                when = datetime.datetime.fromtimestamp(time, datetime.timezone.utc)
                datum = {"MetricName": one.metric, "Dimensions": dimensions, "Timestamp": when}
                data.setdefault(one.namespace, []).append({**datum, "Values": one.samples(time)})
        for namespace, data in data.items():
            for first in range(0, len(data), 1000):
                cloudwatch.put_metric_data(Namespace=namespace, MetricData=data[first : first + 1000])

    # --- Answers -----------------------------------------------------------------------------------------------------

    def answer(self, method, path, headers, body, ask):
        """Status, content type and body of the answer; `ask` asks MiniStack."""
        service, _, operation = headers.get("x-amz-target", "").partition(".")
        if service != "GraniteServiceVersion20100801":
            if any(lacking in body for lacking in LACKING):
                return 400, "text/xml", REFUSAL
            status, kind, answer = ask(body)
            self.note_session(answer)
            return status, kind, answer
        key, _, region = re.search(r"Credential=([^/]+)/(\d+)/([^/]+)/", headers["authorization"]).groups()
        unit, now = (self.accounts.get(key, key), region), self.now()
        asked = json.loads(body)
        with self.lock:
            self.act(now)
            fault = self.throttle(unit, now)
            self.asked.write(json.dumps(self.line(unit, now, operation, asked, fault)) + "\n")
            self.asked.flush()
        if fault:
            return 400, "application/x-amz-json-1.0", b'{"__type":"ThrottlingException","message":"Rate exceeded"}'
        if operation == "ListMetrics":
            return self.listed(unit, now, asked, ask)
        return self.data(unit, now, asked, ask)

    def note_session(self, answer):
        found = re.search(rb"<AccessKeyId>([^<]+)</AccessKeyId>", answer)
        arn = re.search(rb"arn:aws:sts::(\d{12}):assumed-role", answer)
        if found and arn:
            self.accounts[found[1].decode()] = arn[1].decode()

    def act(self, now):
        if now >= GONE_AT and not self.deleted:
            self.deleted = True
            self.client("ec2", A_EAST).delete_nat_gateway(NatGatewayId=self.gone)

    def throttle(self, unit, now):
        for when, units, times in THROTTLED:
            if now == when and unit in units:
                self.throttled[(when, unit)] = self.throttled.get((when, unit), 0) + 1
                return self.throttled[(when, unit)] <= times
        return False

    def line(self, unit, now, operation, asked, fault):
        line = {"now": now, "account": unit[0], "region": unit[1], "operation": operation, "throttled": fault}
        if operation == "GetMetricData":
            dimensions = [query["MetricStat"]["Metric"]["Dimensions"] for query in asked["MetricDataQueries"]]
            values = {pair["Value"] for pairs in dimensions for pair in pairs}
            line |= {"start": asked["StartTime"], "queries": len(dimensions), "gone": self.gone in values}
        return line

    def listed(self, unit, now, asked, ask):
        first = int(asked.pop("NextToken", "0"))
        recent = asked.pop("RecentlyActive", None) == "PT3H"
        status, kind, answer = ask(json.dumps(asked).encode())
        every = []
        for metric in json.loads(answer)["Metrics"]:
            pairs = {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
            one = self.series[(unit, key_of(metric["Namespace"], metric["MetricName"], pairs))]
            if one.is_listed(now, recent):
                every.append(metric)
        page = PAGES_OF_LIST.get(asked["Namespace"])
        if page is None:
            return status, kind, json.dumps({"Metrics": every}).encode()
        # Tokens count from one; the page before the first is empty.
        made = {"Metrics": every[first - 1 : first - 1 + page] if first else []}
        after = first + page if first else 1
        if after <= len(every):
            made["NextToken"] = str(after)
        return status, kind, json.dumps(made).encode()

    def data(self, unit, now, asked, ask):
        token = asked.pop("NextToken", None)
        start, end = asked["StartTime"], asked["EndTime"]
        queries = {query["Id"]: query for query in asked["MetricDataQueries"]}
        if len(queries) > 500:
            return 400, "application/x-amz-json-1.0", b'{"__type":"ValidationError","message":"too many queries"}'
        status, kind, answer = ask(json.dumps(asked).encode())
        results = json.loads(answer)["MetricDataResults"]
        for result in results:
            self.shown(unit, now, queries[result["Id"]], result)
            for broken in BROKEN:
                if broken.holds(unit, now, queries[result["Id"]], start, end):
                    kept = len(result["Values"]) // 2 if broken.status == "PartialData" else 0
                    result.update(StatusCode=broken.status, Timestamps=result["Timestamps"][:kept])
                    result["Values"] = result["Values"][:kept]
        made = {"MetricDataResults": results}
        if PAGES[0] <= now < PAGES[1]:
            made = self.page(results, int(token or 0))
        return status, kind, json.dumps(made).encode()

    def shown(self, unit, now, query, result):
        metric = query["MetricStat"]["Metric"]
        pairs = {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
        one = self.series[(unit, key_of(metric["Namespace"], metric["MetricName"], pairs))]
        points = [(at, value) for at, value in zip(result["Timestamps"], result["Values"]) if one.arrivals[at] <= now]
        if one.metric == REVISED:
            settled = one.period + SETTLE[one.period]
            points = [(at, value if now >= at + settled else value / 2) for at, value in points]
        result.update(Timestamps=[float(at) for at, _ in points], Values=[value for _, value in points])

    @staticmethod
    def page(results, page, pages=3):
        """A third of each result; some are complete, and not there any more, before others."""
        made = []
        for place, result in enumerate(results):
            times, values = result["Timestamps"], result["Values"]
            # One of three is complete on the first page.
            first, last = (0, len(times)) if place % 3 == 0 else (len(times) * page // pages, len(times) * (page + 1) // pages)
            if place % 3 == 0 and page > 0:
                continue
            is_last = place % 3 == 0 or page == pages - 1
            part = {**result, "Timestamps": times[first:last], "Values": values[first:last]}
            if not is_last and result["StatusCode"] == "Complete":
                part["StatusCode"] = "PartialData"
            made.append(part)
        answer = {"MetricDataResults": made}
        if page < pages - 1:
            answer["NextToken"] = str(page + 1)
        return answer


def handler(day):
    host = day.upstream.removeprefix("http://")
    local = threading.local()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer is sent in one piece, at once.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}

            def ask(body):
                if not hasattr(local, "upstream"):
                    local.upstream = http.client.HTTPConnection(host)
                sent = {name: value for name, value in headers.items() if name not in ("content-length", "connection")}
                local.upstream.request(self.command, self.path, body, {**sent, "Content-Length": str(len(body))})
                answer = local.upstream.getresponse()
                return answer.status, answer.headers.get("Content-Type", "text/xml"), answer.read()

            status, kind, answer = day.answer(self.command, self.path, headers, body, ask)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            self.wfile.flush()

        do_GET = do_POST

        def log_message(self, *_):
            pass

    return Handler


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class Upstream:
    endpoint = None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, metavar="DIR")
    work = parser.parse_args().work
    with Children(work / "logs") as children:
        day = Day(work, start_ministack(children, work, Upstream()))
        day.populate()
        server = Server(("127.0.0.1", 0), handler(day))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started = {"port": server.server_port, "start": START, "accounts": ACCOUNTS, "regions": REGIONS}
        print(json.dumps(started), flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
