"""Reduces AWS's published service models to what the catalogue's calls need.

    python reduce.py > services.json        (with botocore installed)

The models come with botocore (PyPI, Apache-2.0). Kept: of each operation the HTTP binding, the input and the output
shape; of each shape its members, with the name each has on the wire. Left out: documentation, constraints, errors,
endpoints. A reference is the name of a kind of scalar (`text`, `sensitive`, `integer`, `number`, `flag`, `time`,
`blob`) or of a shape. A member is `"Name": "reference"`, or `"Name": ["reference", "wire name"]`, or
`"Name": ["reference", "wire name", "uri" | "querystring"]`. The name on the wire differs between requests and answers,
so each direction has its own shapes.
"""

import json
import sys

import botocore
from botocore.loaders import Loader

OPERATIONS = {
    "ec2": [
        "DescribeRegions", "DescribeAvailabilityZones", "DescribeVpcs", "DescribeSubnets", "DescribeNetworkInterfaces",
        "DescribeInstances", "DescribeAddresses", "DescribeSecurityGroups", "DescribeNetworkAcls", "DescribeRouteTables",
        "DescribeInternetGateways", "DescribeEgressOnlyInternetGateways", "DescribeNatGateways", "DescribeVpcEndpoints",
        "DescribeVpcEndpointServiceConfigurations", "DescribeVpcPeeringConnections", "DescribeManagedPrefixLists",
        "GetManagedPrefixListEntries", "DescribePrefixLists", "DescribeFlowLogs", "DescribeCustomerGateways",
        "DescribeVpnGateways", "DescribeVpnConnections", "DescribeTransitGateways", "DescribeTransitGatewayAttachments",
        "DescribeTransitGatewayVpcAttachments", "DescribeTransitGatewayPeeringAttachments",
        "DescribeTransitGatewayRouteTables", "GetTransitGatewayRouteTableAssociations",
        "GetTransitGatewayRouteTablePropagations", "SearchTransitGatewayRoutes",
        "GetTransitGatewayPrefixListReferences", "DescribeTransitGatewayConnects", "DescribeTransitGatewayConnectPeers",
        # Not collected: what switches missing flow logs on.
        "CreateFlowLogs",
    ],
    "directconnect": [
        "DescribeConnections", "DescribeLags", "DescribeVirtualInterfaces", "DescribeDirectConnectGateways",
        "DescribeDirectConnectGatewayAssociations", "DescribeDirectConnectGatewayAttachments",
    ],
    "elb": ["DescribeLoadBalancers"],
    "elbv2": ["DescribeLoadBalancers", "DescribeListeners", "DescribeTargetGroups", "DescribeTargetHealth"],
    "network-firewall": [
        "ListFirewalls", "DescribeFirewall", "DescribeLoggingConfiguration", "ListFirewallPolicies",
        "DescribeFirewallPolicy", "ListRuleGroups", "DescribeRuleGroup",
    ],
    "networkmanager": [
        "DescribeGlobalNetworks", "ListCoreNetworks", "GetCoreNetwork", "GetCoreNetworkPolicy", "ListAttachments",
        "GetNetworkRoutes",
    ],
    "organizations": ["DescribeOrganization", "ListAccounts"],
    "iam": ["ListAccountAliases"],
    "sqs": ["SendMessageBatch"],
    "cloudwatch": ["ListMetrics", "GetMetricData"],
}

SCALARS = {
    "string": "text", "character": "text", "integer": "integer", "long": "integer", "float": "number",
    "double": "number", "boolean": "flag", "timestamp": "time", "blob": "blob",
}


class Reduction:
    """The shapes of one service that are reachable in one direction."""

    def __init__(self, model, request):
        self.model = model
        self.request = request
        self.protocol = model["metadata"]["protocol"]
        self.shapes = {}

    def reference(self, name):
        shape = self.model["shapes"][name]
        kind = shape["type"]
        if kind in SCALARS:
            return "sensitive" if shape.get("sensitive") and kind == "string" else SCALARS[kind]
        if name not in self.shapes:
            self.shapes[name] = None  # Shapes may hold themselves.
            self.shapes[name] = getattr(self, kind)(shape)
        return name

    def structure(self, shape):
        return {"structure": {name: self.member(name, member) for name, member in shape["members"].items()}}

    def list(self, shape):
        reduced = {"list": self.reference(shape["member"]["shape"])}
        if shape.get("flattened"):
            reduced["flat"] = True
        return reduced

    def map(self, shape):
        reduced = {"map": self.reference(shape["value"]["shape"])}
        if self.protocol in ("ec2", "query"):
            reduced["key"] = shape["key"].get("locationName", "key")
            reduced["value"] = shape["value"].get("locationName", "value")
            if shape.get("flattened"):
                reduced["flat"] = True
        return reduced

    def member(self, name, member):
        if member.get("xmlAttribute") or member.get("eventheader"):
            raise SystemExit(f"{name}: a binding that the reader does not know")
        reduced = [self.reference(member["shape"])]
        wire = self.wire_name(name, member)
        location = member.get("location")
        if wire != name or location:
            reduced.append(wire)
        if location:
            if location not in ("uri", "querystring"):
                raise SystemExit(f"{name}: the location {location} is not known")
            reduced.append(location)
        return reduced[0] if len(reduced) == 1 else reduced

    def wire_name(self, name, member):
        if self.request and self.protocol == "ec2":
            written = member.get("queryName") or member.get("locationName") or name
            return written[0].upper() + written[1:]
        shape = self.model["shapes"][member["shape"]]
        if shape["type"] == "list" and (shape.get("flattened") or member.get("flattened")):
            return shape["member"].get("locationName") or member.get("locationName", name)
        return member.get("locationName", name)


def reduced_service(name):
    model = Loader().load_service_model(name, "service-2")
    inputs, outputs = Reduction(model, request=True), Reduction(model, request=False)
    operations = {}
    for operation in OPERATIONS[name]:
        described = model["operations"][operation]
        reduced = {}
        if model["metadata"]["protocol"] == "rest-json":
            reduced["method"], reduced["path"] = described["http"]["method"], described["http"]["requestUri"]
        if "input" in described:
            reduced["input"] = inputs.reference(described["input"]["shape"])
        if "output" in described:
            reduced["output"] = outputs.reference(described["output"]["shape"])
        if "resultWrapper" in described.get("output", {}):
            reduced["wrapper"] = described["output"]["resultWrapper"]
        operations[operation] = reduced
    return {"operations": operations, "inputs": inputs.shapes, "outputs": outputs.shapes}


def main():
    reduced = {
        "origin": f"AWS service models of botocore {botocore.__version__} (Apache-2.0), reduced by reduce.py",
        "services": {name: reduced_service(name) for name in OPERATIONS},
    }
    text = json.dumps(reduced, indent=0, separators=(",", ":"), sort_keys=False)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
