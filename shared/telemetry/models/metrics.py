"""Makes the catalogue of CloudWatch's metrics: what there is to measure of a network, and what is asked for by default.

    python metrics.py facts.json > metrics.json

The facts are a table of what AWS's documentation says of each metric, by namespace (`namespaces[]` with `seed_name`,
`cloudwatch_namespaces`, `native_period_s`, `dimension_sets`, `metrics[]` with `name`, `unit`, `unit_basis`, `statistics`,
`otel_kind`, `dimension_sets`, `period_s`, `confirmed`). They were gathered in 2026 from the pages on CloudWatch metrics in
the guides of Direct Connect, EC2, Elastic Load Balancing, VPC (NAT gateways, transit gateways, PrivateLink), API Gateway,
S3 and Route 53, from the CloudWatch User Guide ("Supported metrics for resource tags for telemetry"), and, where AWS says
nothing, from lists of names that the AWS CDK and open-source collectors publish. Names, units and statistics are kept, no
text. What is decided here: the order, what is asked for by default, what dimensions name, and how long to wait.

Namespaces, metrics, sets and statistics stand in their order of importance: what is left out first for a budget is last.
Of each namespace: `names` in CloudWatch; `period` in seconds; `region` if only one is asked; `sets` as lists of a label
and the names of its dimensions, sorted; `grain`, the sets that are asked for unless a metric has others in `in`; `joins` as
lists of a dimension, the kind of resource it names, and how its value is found among them, the most specific first:

    id        it is the id
    arn X     the ARN ends with X and the value
    tunnel    it is the outside address of one of the tunnels
    itself    the inventory has no such kind: the value is all there is

Of each metric: `unit` as CloudWatch has it (StandardUnit), `named` if it was read from the metric's name, `adds` if what is
measured adds up over time, `statistics` and `sets` separated by spaces, `default` for the statistics that are asked for by
default, `period` and `in` if they are not the namespace's, `note`, and `unconfirmed` if one source alone names it.
"""

import json
import sys

# How long after a period's end its values may still change, in seconds, by the period's length.
SETTLE = [[60, 120], [300, 600], [14400, 3600], [86400, 93600]]

# CloudWatch's unit for what its pages call otherwise.
UNITS = {"Boolean": "None", "dBm": "None", "Packets/Second": "Count/Second", "Credits (vCPU-minutes)": "Count"}

# Where sets and periods are only assumed.
ASSUMED_SETS = {
    "AWS/NetworkManager": {"core_edge", "core_edge_att", "core_edge_az"},
    "AWS/VPN": {"vpn_tunnel"},
    "AWS/DX": {"vif_af"},
}

BALANCER = ["LoadBalancer", "load-balancer", "arn :loadbalancer/"]
TARGETS = ["TargetGroup", "target-group", "arn :"]
LINKED = {"ActiveConnections": "Average", "BytesProcessed": "Sum", "NewConnections": "Sum"}
FLOWS = {"ActiveFlowCount": "Average", "NewFlowCount": "Sum", "ProcessedBytes": "Sum"}
HOSTS = {"HealthyHostCount": "Minimum", "UnHealthyHostCount": "Maximum"}

# In order: of each namespace the grain, the joins, and what a network engineer asks for; None is every metric's sum.
NAMESPACES = {
    "AWS/TransitGateway": (
        ["tgw_att"],
        [
            ["TransitGatewayAttachment", "transit-gateway-attachment", "id"],
            ["TransitGateway", "transit-gateway", "id"],
        ],
        None,
    ),
    "AWS/NATGateway": (
        ["nat"],
        [["NatGatewayId", "nat-gateway", "id"]],
        {
            "ErrorPortAllocation": "Sum", "PacketsDropCount": "Sum", "BytesOutToDestination": "Sum",
            "BytesInFromDestination": "Sum", "BytesOutToSource": "Sum", "BytesInFromSource": "Sum",
            "PacketsOutToDestination": "Sum", "PacketsInFromDestination": "Sum", "PacketsOutToSource": "Sum",
            "PacketsInFromSource": "Sum", "ActiveConnectionCount": "Maximum", "IdleTimeoutCount": "Sum",
            "PeakBytesPerSecond": "Maximum", "PeakPacketsPerSecond": "Maximum",
        },
    ),
    "AWS/VPN": (
        ["tunnel"],
        [["VpnId", "vpn-connection", "id"], ["TunnelIpAddress", "vpn-connection", "tunnel"]],
        {"TunnelState": "Minimum Maximum", "TunnelDataIn": "Sum", "TunnelDataOut": "Sum"},
    ),
    "AWS/DX": (
        ["conn", "lane", "vif", "vif_af"],
        [
            ["VirtualInterfaceId", "virtual-interface", "id"],
            ["ConnectionId", "direct-connect-connection", "id"],
            ["ConnectionId", "lag", "id"],
        ],
        {
            "ConnectionState": "Minimum", "VirtualInterfaceBgpStatus": "Minimum", "ConnectionBpsEgress": "Average",
            "ConnectionBpsIngress": "Average", "ConnectionPpsEgress": "Average", "ConnectionPpsIngress": "Average",
            "ConnectionErrorCount": "Sum", "VirtualInterfaceBpsEgress": "Average",
            "VirtualInterfaceBpsIngress": "Average", "VirtualInterfacePpsEgress": "Average",
            "VirtualInterfacePpsIngress": "Average", "ConnectionLightLevelTx": "Average",
            "ConnectionLightLevelRx": "Average",
        },
    ),
    "AWS/NetworkFirewall": (
        ["fw"],
        [["FirewallName", "firewall", "arn :firewall/"]],
        {
            "DroppedPackets": "Sum", "RejectedPackets": "Sum", "ReceivedPackets": "Sum", "PassedPackets": "Sum",
            "StreamExceptionPolicyPackets": "Sum",
        },
    ),
    "AWS/PrivateLinkEndpoints": (
        ["ep"],
        [["VPC Endpoint Id", "endpoint", "id"]],
        LINKED | {"PacketsDropped": "Sum", "RstPacketsReceived": "Sum"},
    ),
    "AWS/PrivateLinkServices": (
        ["svc"],
        [["Service Id", "endpoint-service", "id"]],
        LINKED | {"RstPacketsSent": "Sum", "EndpointsCount": "Average"},
    ),
    "AWS/NetworkELB": (
        ["lb", "lb_tg"],
        [TARGETS, BALANCER],
        FLOWS
        | {
            "ActiveFlowCount": "Average Maximum", "PortAllocationErrorCount": "Sum", "TCP_Client_Reset_Count": "Sum",
            "TCP_Target_Reset_Count": "Sum", "TCP_ELB_Reset_Count": "Sum",
        }
        | HOSTS,
    ),
    "AWS/ApplicationELB": (
        ["lb"],
        [TARGETS, BALANCER],
        {
            "RequestCount": "Sum", "ProcessedBytes": "Sum", "ActiveConnectionCount": "Sum", "NewConnectionCount": "Sum",
            "RejectedConnectionCount": "Sum", "TargetConnectionErrorCount": "Sum", "HTTPCode_ELB_5XX_Count": "Sum",
            "HTTPCode_ELB_4XX_Count": "Sum", "HTTPCode_ELB_3XX_Count": "Sum", "HTTPCode_Target_5XX_Count": "Sum",
            "HTTPCode_Target_4XX_Count": "Sum", "HTTPCode_Target_3XX_Count": "Sum", "HTTPCode_Target_2XX_Count": "Sum",
            "TargetResponseTime": "Average p99",
        }
        | HOSTS,
    ),
    "AWS/GatewayELB": (["lb", "lb_tg"], [TARGETS, BALANCER], FLOWS | HOSTS),
    "AWS/ELB": (
        ["lb"],
        [["LoadBalancerName", "load-balancer", "arn :loadbalancer/"]],
        {
            "RequestCount": "Sum", "HTTPCode_ELB_5XX": "Sum", "HTTPCode_ELB_4XX": "Sum", "HTTPCode_Backend_5XX": "Sum",
            "HTTPCode_Backend_4XX": "Sum", "HTTPCode_Backend_3XX": "Sum", "HTTPCode_Backend_2XX": "Sum",
            "Latency": "Average p99", "SurgeQueueLength": "Maximum", "SpilloverCount": "Sum",
        }
        | HOSTS,
    ),
    "AWS/NetworkManager": (
        ["core_att"],
        [["Attachment", "core-network-attachment", "id"], ["CoreNetwork", "core-network", "id"]],
        None,
    ),
    "AWS/Route53": (
        ["hc", "zone"],
        [["HealthCheckId", "health-check", "itself"], ["HostedZoneId", "hosted-zone", "itself"]],
        {"HealthCheckStatus": "Minimum", "HealthCheckPercentageHealthy": "Average", "DNSQueries": "Sum"},
    ),
    "AWS/EC2": (
        ["instance", "vpc", "host"],
        [
            ["InstanceId", "instance", "id"],
            ["Per-VPC Metrics", "vpc", "id"],
            ["AutoScalingGroupName", "auto-scaling-group", "itself"],
            ["HostId", "dedicated-host", "itself"],
            ["ImageId", "image", "itself"],
        ],
        {
            "StatusCheckFailed": "Maximum", "NetworkIn": "Sum", "NetworkOut": "Sum", "NetworkPacketsIn": "Sum",
            "NetworkPacketsOut": "Sum", "CPUUtilization": "Average",
        },
    ),
    "AWS/ApiGateway": (
        ["rest", "api"],
        [["ApiId", "api", "itself"], ["ApiName", "api", "itself"]],
        {
            "Count": "Sum", "5XXError": "Sum", "5xx": "Sum", "4XXError": "Sum", "4xx": "Sum", "Latency": "Average p99",
        },
    ),
    "AWS/S3": (
        ["storage", "req", "repl"],
        [["BucketName", "bucket", "itself"], ["SourceBucket", "bucket", "itself"]],
        {"BucketSizeBytes": "Average", "NumberOfObjects": "Average"},
    ),
}

UP = "1 is up, 0 is down"
MIRRORED = "for instances whose traffic is mirrored"
REST, HTTP, WEBSOCKET = "of REST APIs; Average is the share of requests", "of HTTP APIs", "of WebSocket APIs"
LIGHT = "in dBm"
CREDITS = "in CPU credits, a minute of a whole vCPU each"
MIGRATION = "what an Application Load Balancer would have, for comparing costs"
NAU = "where the VPC's attribute enableNetworkAddressUsageMetrics is on"
SHARE = "Average is the share of requests"
NOTES = {
    ("AWS/DX", "ConnectionState"): UP,
    ("AWS/DX", "ConnectionEncryptionState"): f"of MACsec: {UP}",
    ("AWS/DX", "VirtualInterfaceBgpStatus"): UP,
    ("AWS/DX", "ConnectionErrorCount"): "all errors of the link layer at AWS's device",
    ("AWS/DX", "ConnectionCRCErrorCount"): "no longer written: see ConnectionErrorCount",
    ("AWS/DX", "ConnectionLightLevelTx"): LIGHT,
    ("AWS/DX", "ConnectionLightLevelRx"): LIGHT,
    ("AWS/VPN", "TunnelState"): "1 is up, for BGP established; Minimum 0 was down for a while, Maximum 0 all the time",
    ("AWS/PrivateLinkEndpoints", "BytesProcessed"): "both directions",
    ("AWS/Route53", "HealthCheckStatus"): "1 is healthy, 0 is not",
    ("AWS/Route53", "DNSQueries"): "of public hosted zones",
    ("AWS/EC2", "StatusCheckFailed"): "each minute, also with basic monitoring",
    ("AWS/EC2", "NetworkAddressUsage"): NAU,
    ("AWS/EC2", "NetworkAddressUsagePeered"): NAU,
    ("AWS/S3", "BucketSizeBytes"): "one for each class of storage",
    ("AWS/NetworkFirewall", "Packets"): "one for each custom action of stateless rules",
    **{("AWS/ELB", name): MIGRATION for name in (
        "EstimatedALBActiveConnectionCount", "EstimatedALBConsumedLCUs", "EstimatedALBNewConnectionCount",
        "EstimatedProcessedBytes")},
    **{("AWS/EC2", name): CREDITS for name in (
        "CPUCreditUsage", "CPUCreditBalance", "CPUSurplusCreditBalance", "CPUSurplusCreditsCharged")},
    **{("AWS/EC2", f"Network{packets}{skip}Mirror{way}"): MIRRORED
       for packets in ("", "Packets") for skip in ("", "Skip") for way in ("In", "Out")},
    **{("AWS/ApiGateway", name): REST for name in ("4XXError", "5XXError", "CacheHitCount", "CacheMissCount")},
    **{("AWS/ApiGateway", name): HTTP for name in ("4xx", "5xx", "DataProcessed")},
    **{("AWS/ApiGateway", name): WEBSOCKET for name in (
        "ConnectCount", "MessageCount", "ClientError", "ExecutionError", "IntegrationError")},
    ("AWS/S3", "4xxErrors"): SHARE,
    ("AWS/S3", "5xxErrors"): SHARE,
}


def metric(namespace, fact, grain, wanted):
    """One metric, in short."""
    name, key = fact["name"], (namespace, fact["name"])
    # The grain first: the sets' order is that of importance.
    sets = sorted(fact["dimension_sets"], key=lambda label: label not in grain)
    statistics = list(fact["statistics"])
    default = "Sum" if wanted is None else wanted.get(name, "")
    statistics.sort(key=lambda statistic: statistic not in default.split())
    short = {"name": name, "unit": UNITS.get(fact["unit"], fact["unit"])}
    if fact["unit_basis"] != "AWS doc":
        short["named"] = True
    if fact["otel_kind"] == "delta_sum":
        short["adds"] = True
    short["statistics"] = " ".join(statistics)
    if default:
        short["default"] = default
    short["sets"] = " ".join(sets)
    if sets[0] not in grain:
        short["in"] = sets[0]
    if fact.get("period_s"):
        short["period"] = fact["period_s"]
    if key in NOTES:
        short["note"] = NOTES[key]
    if not fact["confirmed"]:
        short["unconfirmed"] = True
    return short


def namespace(fact):
    """One namespace, and its metrics by importance."""
    label = fact["seed_name"]
    grain, joins, wanted = NAMESPACES[label]
    unknown = set(wanted or ()) - {m["name"] for m in fact["metrics"]}
    if unknown:
        raise SystemExit(f"{label} has no {unknown}")
    place = {name: at for at, name in enumerate(wanted or ())}
    metrics = sorted(fact["metrics"], key=lambda m: place.get(m["name"], len(place)))
    sets = sorted(fact["dimension_sets"].items(), key=lambda item: item[0] not in grain)
    short = {"label": label, "names": fact["cloudwatch_namespaces"], "period": fact["native_period_s"]}
    if not fact.get("native_period_confirmed", True):
        short["period_assumed"] = True
    if " only" in fact["region"]:
        short["region"] = fact["region"].split(" only")[0]
    short["sets"] = [[name, *sorted(dimensions)] for name, dimensions in sets]
    if label in ASSUMED_SETS:
        short["sets_assumed"] = sorted(ASSUMED_SETS[label])
    short["grain"] = " ".join(grain)
    short["joins"] = joins
    return short, [metric(label, m, grain, wanted) for m in metrics]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        facts = {fact["seed_name"]: fact for fact in json.load(file)["namespaces"]}
    if set(facts) != set(NAMESPACES):
        raise SystemExit(f"not in both: {set(facts) ^ set(NAMESPACES)}")

    def compact(value):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    namespaces = []
    for label in NAMESPACES:
        short, metrics = namespace(facts[label])
        rows = ",\n".join(compact(row) for row in metrics)
        namespaces.append(compact(short)[:-1] + ',"metrics":[\n' + rows + "\n]}")
    origin = "CloudWatch metrics as AWS's documentation and published lists name them, reduced by metrics.py"
    print(f'{{\n"origin":{compact(origin)},\n"settle":{compact(SETTLE)},\n"namespaces":[')
    print(",\n".join(namespaces) + "\n]}")


if __name__ == "__main__":
    main()
