"""A small estate on moto, and what boto3 says of its hosts: what flows between them have to be enriched with.

Two accounts in one region and one of them in another, peered; a NAT gateway, an internet gateway and a gateway
endpoint; a network ACL and security groups that reject. A VPC that nobody reaches has the addresses of one that is
reached.

    python enriched.py --work DIR

Prints the estate as one line of JSON, and ends with its standard input. A line there is the name of an instance, which
is terminated; the answer is a line with its id.
"""

import argparse
import ipaddress
import json
import pathlib
import signal
import sys

from moto_compare import Failure, Moto
from moto_populate import Clients, account_sessions, say

SHOP, PARTNER = "111111111111", "222222222222"
HOME, ABROAD = "us-east-1", "eu-west-1"
BUCKETS = ("flow-logs", "metadata", "records")


def expect(condition, sentence):
    if not condition:
        raise Failure(sentence)


def named(kind, name, **more):
    pairs = {"Name": name, **more}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()]}]


class Network:
    """One VPC: `subnets` has its subnets by name, `hosts` the instances by name."""

    def __init__(self, clients, account, name, block, subnets):
        self.ec2, self.account, self.region, self.name = clients["ec2"], account, clients.region, name
        answer = self.ec2.create_vpc(CidrBlock=block, TagSpecifications=named("vpc", name))
        self.vpc = answer["Vpc"]["VpcId"]
        self.subnets, self.hosts = {}, {}
        for subnet, (block, zone) in subnets.items():
            answer = self.ec2.create_subnet(
                VpcId=self.vpc,
                CidrBlock=block,
                AvailabilityZone=f"{self.region}{zone}",
                TagSpecifications=named("subnet", subnet),
            )
            self.subnets[subnet] = answer["Subnet"]["SubnetId"]

    def group(self, name, port, block):
        """A security group that accepts one port from a block, and its id."""
        answer = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": block}]}
        self.ec2.authorize_security_group_ingress(GroupId=answer["GroupId"], IpPermissions=[rule])
        return answer["GroupId"]

    def host(self, name, subnet, address, group):
        image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        interface = {
            "DeviceIndex": 0,
            "SubnetId": self.subnets[subnet],
            "PrivateIpAddress": address,
            "Groups": [group],
            "DeleteOnTermination": True,
        }
        answer = self.ec2.run_instances(
            ImageId=image,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[interface],
            TagSpecifications=named("instance", name, team=f"{name}-team"),
        )
        self.hosts[name] = answer["Instances"][0]["InstanceId"]

    def table(self, subnets, *routes):
        """A route table of its own for subnets."""
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        for subnet in subnets:
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=self.subnets[subnet])
        for block, target in routes:
            self.ec2.create_route(RouteTableId=table, DestinationCidrBlock=block, **target)
        return table

    def log(self, bucket):
        """A flow log of all traffic of the VPC, and its id."""
        answer = self.ec2.create_flow_logs(
            ResourceIds=[self.vpc],
            ResourceType="VPC",
            TrafficType="ALL",
            LogDestinationType="s3",
            LogDestination=f"arn:aws:s3:::{bucket}",
        )
        expect(answer["FlowLogIds"], f"moto makes no flow log: {answer.get('Unsuccessful')}")
        return answer["FlowLogIds"][0]


# --- What boto3 says of it -------------------------------------------------------------------------------------------


def tag(row, key):
    return next(pair["Value"] for pair in row["Tags"] if pair["Key"] == key)


def host(network, name, account_name):
    """A host: its address, and what is known of it as fields of a side without their prefix."""
    ec2 = network.ec2
    instance = ec2.describe_instances(InstanceIds=[network.hosts[name]])["Reservations"][0]["Instances"][0]
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    interface = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
    subnet = ec2.describe_subnets(SubnetIds=[interface["SubnetId"]])["Subnets"][0]
    vpc = ec2.describe_vpcs(VpcIds=[interface["VpcId"]])["Vpcs"][0]
    fields = {
        "account_id": network.account,
        "account_name": account_name,
        "region": network.region,
        "az_id": subnet["AvailabilityZoneId"],
        "vpc_id": vpc["VpcId"],
        "vpc_name": tag(vpc, "Name"),
        "subnet_id": subnet["SubnetId"],
        "subnet_name": tag(subnet, "Name"),
        "interface_id": interface["NetworkInterfaceId"],
        "interface_type": interface["InterfaceType"],
        "instance_id": instance["InstanceId"],
        "instance_name": tag(instance, "Name"),
        "resource_type": "instance",
        "resource_id": instance["InstanceId"],
        "resource_name": tag(instance, "Name"),
        "security_groups": [group["GroupId"] for group in interface["Groups"]],
        "tag_team": tag(instance, "team"),
    }
    return {"address": interface["PrivateIpAddress"], "side": fields}


# --- The estate ------------------------------------------------------------------------------------------------------


def peer(one, other):
    """A peering connection that is accepted."""
    answer = one.ec2.create_vpc_peering_connection(
        VpcId=one.vpc, PeerVpcId=other.vpc, PeerOwnerId=other.account, PeerRegion=other.region
    )
    connection = answer["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    other.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=connection)
    return connection


class Estate:
    def __init__(self, endpoint):
        sessions = account_sessions(endpoint, (SHOP, PARTNER))
        home = Clients(sessions[SHOP], endpoint, HOME)
        partner = Clients(sessions[PARTNER], endpoint, HOME)
        abroad = Clients(sessions[PARTNER], endpoint, ABROAD)
        for bucket in BUCKETS:
            home["s3"].create_bucket(Bucket=bucket)
        organizations = home["organizations"]
        organizations.create_organization(FeatureSet="ALL")
        organizations.create_account(Email="partner@example.com", AccountName="partner-prod")
        accounts = organizations.list_accounts()["Accounts"]
        self.account_names = {account["Id"]: account["Name"] for account in accounts}
        expect({SHOP, PARTNER} == set(self.account_names), f"the organization is {self.account_names}")

        subnets = {"public-a": ("10.20.0.0/24", "a"), "app-a": ("10.20.1.0/24", "a"), "data-b": ("10.20.2.0/24", "b")}
        self.shop = Network(home, SHOP, "shop", "10.20.0.0/16", subnets)
        self.twin = Network(home, SHOP, "shop-test", "10.30.0.0/16", {"test-b": ("10.30.1.0/24", "b")})
        self.orders = Network(partner, PARTNER, "orders", "10.30.0.0/16", {"orders-b": ("10.30.1.0/24", "b")})
        self.ledger = Network(abroad, PARTNER, "ledger", "10.40.0.0/16", {"ledger-a": ("10.40.1.0/24", "a")})

        self.web_group = self.shop.group("web", 443, "0.0.0.0/0")
        self.data_group = self.shop.group("data", 5432, "10.20.1.0/24")
        self.shop.host("proxy", "public-a", "10.20.0.5", self.web_group)
        self.shop.host("checkout", "app-a", "10.20.1.5", self.web_group)
        self.shop.host("cache", "app-a", "10.20.1.9", self.web_group)
        self.shop.host("orders-db", "data-b", "10.20.2.7", self.data_group)
        for network in (self.twin, self.orders):
            group = network.group("api", 8443, "10.0.0.0/8")
            network.host(f"{network.name}-api", next(iter(network.subnets)), "10.30.1.4", group)
        group = self.ledger.group("ledger", 443, "10.0.0.0/8")
        self.ledger.host("ledger-api", "ledger-a", "10.40.1.4", group)

        self.ways_out()
        self.access_list()
        self.flow_logs = {network.name: network.log(BUCKETS[0]) for network in (self.shop, self.ledger)}

    def ways_out(self):
        ec2 = self.shop.ec2
        self.internet_gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.internet_gateway, VpcId=self.shop.vpc)
        elastic = ec2.allocate_address(Domain="vpc")
        answer = ec2.create_nat_gateway(
            SubnetId=self.shop.subnets["public-a"], AllocationId=elastic["AllocationId"]
        )
        self.nat = answer["NatGateway"]["NatGatewayId"]
        self.near_peering = peer(self.shop, self.orders)
        self.far_peering = peer(self.shop, self.ledger)

        self.shop.table(["public-a"], ("0.0.0.0/0", {"GatewayId": self.internet_gateway}))
        private = self.shop.table(
            ["app-a", "data-b"],
            ("0.0.0.0/0", {"NatGatewayId": self.nat}),
            ("10.30.0.0/16", {"VpcPeeringConnectionId": self.near_peering}),
            ("10.40.0.0/16", {"VpcPeeringConnectionId": self.far_peering}),
        )
        self.orders.table(["orders-b"], ("10.20.0.0/16", {"VpcPeeringConnectionId": self.near_peering}))
        self.ledger.table(["ledger-a"], ("10.20.0.0/16", {"VpcPeeringConnectionId": self.far_peering}))
        answer = ec2.create_vpc_endpoint(
            VpcId=self.shop.vpc,
            ServiceName=f"com.amazonaws.{HOME}.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=[private],
        )
        self.gateway_endpoint = answer["VpcEndpoint"]["VpcEndpointId"]

    def access_list(self):
        """The public subnet's network ACL keeps one block out."""
        ec2 = self.shop.ec2
        subnet = self.shop.subnets["public-a"]
        self.acl = ec2.create_network_acl(VpcId=self.shop.vpc)["NetworkAcl"]["NetworkAclId"]
        entries = [
            (90, "deny", False, "198.51.100.0/24"),
            (100, "allow", False, "0.0.0.0/0"),
            (100, "allow", True, "0.0.0.0/0"),
        ]
        for number, action, egress, block in entries:
            rule = {"RuleNumber": number, "Protocol": "-1", "RuleAction": action, "Egress": egress, "CidrBlock": block}
            ec2.create_network_acl_entry(NetworkAclId=self.acl, **rule)
        found = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
        associations = [each for acl in found["NetworkAcls"] for each in acl["Associations"]]
        association = next(each for each in associations if each["SubnetId"] == subnet)
        ec2.replace_network_acl_association(
            AssociationId=association["NetworkAclAssociationId"], NetworkAclId=self.acl
        )

    def service_address(self):
        """An address of S3, as the prefix list of the gateway endpoint has it."""
        lists = self.shop.ec2.describe_managed_prefix_lists()["PrefixLists"]
        found = next(each for each in lists if each["PrefixListName"] == f"com.amazonaws.{HOME}.s3")
        entries = self.shop.ec2.get_managed_prefix_list_entries(PrefixListId=found["PrefixListId"])["Entries"]
        return str(ipaddress.ip_network(entries[0]["Cidr"])[9])

    def told(self):
        """What a test has to know of it."""
        hosts = {}
        for network in (self.shop, self.twin, self.orders, self.ledger):
            for name in network.hosts:
                hosts[name] = host(network, name, self.account_names[network.account])
        return {
            "hosts": hosts,
            "internet_gateway": self.internet_gateway,
            "nat_gateway": self.nat,
            "near_peering": self.near_peering,
            "far_peering": self.far_peering,
            "gateway_endpoint": self.gateway_endpoint,
            "service_address": self.service_address(),
            "acl": self.acl,
            "data_group": self.data_group,
            "flow_logs": self.flow_logs,
        }

    def terminate(self, name):
        instance = self.shop.hosts[name]
        self.shop.ec2.terminate_instances(InstanceIds=[instance])
        return {"terminated": instance}


def answer(line):
    print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True, metavar="DIR", help="folder for moto's log")
    work = parser.parse_args().work.resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        with Moto(work) as moto:
            estate = Estate(moto.endpoint)
            answer({"endpoint": moto.endpoint, **estate.told()})
            for line in sys.stdin:
                answer(estate.terminate(line.strip()))
    except Failure as failure:
        say(f"enriched: {failure}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
