"""Fills a moto server with something of every kind that the metadata collector reads and moto can make.

Each account gets the same kinds of things in each region, with address ranges of its own, and then what connects
accounts and regions: peering of VPCs and of transit gateways. The first account is also the management account of an
organization. Nothing here is a sensible network; it is many shapes of answers.

    python moto_populate.py --endpoint http://127.0.0.1:5000 [--accounts ID,ID] [--regions NAME,NAME]

As a module: `populate(endpoint, account_sessions(endpoint, ACCOUNTS), REGIONS)`.
"""

import argparse
import json
import os
import sys

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
REGIONS = ("us-east-1", "eu-west-1")
PRIMARY_ROLE = "arn:aws:iam::111111111111:role/cloud-export-primary"
ROLE_NAME = "cloud-export-reader"
GLOBAL_REGION = "us-east-1"
NETWORK_MANAGER_REGION = "us-west-2"

# Tag values that a careless reader or writer of XML or JSON would spoil.
AWKWARD = [
    {"Key": "Name", "Value": 'a <b> & "c" \'d\' \\ / ]]> &amp;'},
    {"Key": "Ünïcode/名前", "Value": "žluťoučký kůň 🐎\u200b"},
    {"Key": "empty", "Value": ""},
    {"Key": " padded ", "Value": "  two  spaces  "},
    {"Key": "control", "Value": "tab\tand line\nbreak"},
    {"Key": "looks:like:a.number", "Value": "0012"},
    {"Key": "looks:like:a.bool", "Value": "true"},
]


def say(text):
    print(text, file=sys.stderr, flush=True)


def account_sessions(endpoint, accounts=ACCOUNTS, primary=PRIMARY_ROLE, role=ROLE_NAME):
    """A boto3 session per account, each by the chain own account -> primary role -> role in the account."""
    import boto3

    def assume(session, arn):
        sts = session.client("sts", endpoint_url=endpoint, config=client_config())
        answer = sts.assume_role(RoleArn=arn, RoleSessionName="cloud-export-test")["Credentials"]
        return boto3.Session(
            aws_access_key_id=answer["AccessKeyId"],
            aws_secret_access_key=answer["SecretAccessKey"],
            aws_session_token=answer["SessionToken"],
            region_name=GLOBAL_REGION,
        )

    own = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=GLOBAL_REGION)
    first = assume(own, primary)
    return {account: assume(first, f"arn:aws:iam::{account}:role/{role}") for account in accounts}


def client_config():
    """No proxy in between and no repetition of what moto refuses."""
    import botocore.config

    return botocore.config.Config(proxies={}, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})


class Clients:
    """boto3 clients of one account and region, made when first used."""

    def __init__(self, session, endpoint, region):
        self.session = session
        self.endpoint = endpoint
        self.region = region
        self.made = {}

    def __getitem__(self, service):
        if service not in self.made:
            self.made[service] = self.session.client(
                service, endpoint_url=self.endpoint, region_name=self.region, config=client_config()
            )
        return self.made[service]


def tags(kind, *more):
    return [{"ResourceType": kind, "Tags": [*AWKWARD, *more]}]


class Region:
    """What one account has in one region. `number` (1-99) makes its address ranges and AS numbers its own."""

    def __init__(self, clients, account, region, number):
        self.clients = clients
        self.ec2 = clients["ec2"]
        self.account = account
        self.region = region
        self.number = number
        self.zones = [f"{region}{letter}" for letter in "abc"]

    def everything(self):
        self.networks()
        self.gateways()
        self.groups()
        self.access_lists()
        self.interfaces()
        self.instances()
        self.private_gateways()
        self.transit()
        self.classic_balancers()
        self.balancers()
        self.endpoints()
        self.peering()
        self.routes()
        self.flow_logs()
        self.direct_connect()
        self.firewalls()

    def networks(self):
        n = self.number
        create = self.ec2.create_vpc
        vpc = create(CidrBlock=f"10.{n}.0.0/16", AmazonProvidedIpv6CidrBlock=True, TagSpecifications=tags("vpc"))["Vpc"]
        self.vpc = vpc["VpcId"]
        for block in (f"100.64.{n}.0/24", f"100.65.{n}.0/24"):
            self.ec2.associate_vpc_cidr_block(VpcId=self.vpc, CidrBlock=block)
        associated = self.ec2.associate_vpc_cidr_block(VpcId=self.vpc, CidrBlock=f"100.66.{n}.0/24")
        # A disassociated block stays in the answer, in another state.
        self.ec2.disassociate_vpc_cidr_block(AssociationId=associated["CidrBlockAssociation"]["AssociationId"])
        self.ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        self.other_vpc = create(CidrBlock=f"10.{n + 100}.0.0/16", InstanceTenancy="dedicated")["Vpc"]["VpcId"]
        self.bare_vpc = create(CidrBlock=f"172.20.{n}.0/24")["Vpc"]["VpcId"]

        described = self.ec2.describe_vpcs(VpcIds=[self.vpc])["Vpcs"][0]
        wide = described["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        narrow = wide.replace("::/56", "::/64")
        self.subnets = []
        for place, zone in enumerate(self.zones * 2):
            given = {"Ipv6CidrBlock": narrow} if place == 0 else {}
            subnet = self.ec2.create_subnet(
                VpcId=self.vpc,
                CidrBlock=f"10.{n}.{place}.0/24",
                AvailabilityZone=zone,
                TagSpecifications=tags("subnet", {"Key": "place", "Value": str(place)}),
                **given,
            )["Subnet"]
            self.subnets.append(subnet["SubnetId"])
        self.ec2.modify_subnet_attribute(SubnetId=self.subnets[0], MapPublicIpOnLaunch={"Value": True})
        self.ec2.modify_subnet_attribute(SubnetId=self.subnets[0], AssignIpv6AddressOnCreation={"Value": True})
        answer = self.ec2.create_subnet(
            VpcId=self.other_vpc, CidrBlock=f"10.{n + 100}.0.0/20", AvailabilityZone=self.zones[0]
        )
        self.other_subnet = answer["Subnet"]["SubnetId"]

    def gateways(self):
        ec2 = self.ec2
        answer = ec2.create_internet_gateway(TagSpecifications=tags("internet-gateway"))
        self.internet_gateway = answer["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.internet_gateway, VpcId=self.vpc)
        ec2.create_internet_gateway()  # attached to nothing
        answer = ec2.create_egress_only_internet_gateway(
            VpcId=self.vpc, TagSpecifications=tags("egress-only-internet-gateway")
        )
        self.egress_gateway = answer["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        self.carrier_gateway = ec2.create_carrier_gateway(VpcId=self.vpc)["CarrierGateway"]["CarrierGatewayId"]

        self.addresses = []
        for _ in range(5):
            answer = ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip"))
            self.addresses.append(answer["AllocationId"])
        self.nat_gateways = []
        for place, given in enumerate([{"AllocationId": self.addresses[0]}, {"ConnectivityType": "private"}]):
            answer = ec2.create_nat_gateway(
                SubnetId=self.subnets[place], TagSpecifications=tags("natgateway"), **given
            )
            self.nat_gateways.append(answer["NatGateway"]["NatGatewayId"])
        answer = ec2.create_nat_gateway(SubnetId=self.subnets[2], AllocationId=self.addresses[1])
        ec2.delete_nat_gateway(NatGatewayId=answer["NatGateway"]["NatGatewayId"])

        self.prefix_lists = []
        entries = [{"Cidr": f"192.0.2.{place * 8}/29", "Description": f"<{place}> & more"} for place in range(20)]
        lists = [("IPv4", "first & <foremost>", entries), ("IPv6", "sixth", [{"Cidr": "2001:db8::/32"}])]
        for family, name, given in [*lists, ("IPv4", "empty", [])]:
            answer = ec2.create_managed_prefix_list(
                PrefixListName=name,
                AddressFamily=family,
                MaxEntries=60,
                TagSpecifications=tags("prefix-list"),
                **({"Entries": given} if given else {}),
            )["PrefixList"]
            self.prefix_lists.append(answer["PrefixListId"])
        ec2.modify_managed_prefix_list(
            PrefixListId=self.prefix_lists[0],
            CurrentVersion=1,
            PrefixListName="first, second version",
            AddEntries=[{"Cidr": "198.51.100.0/24", "Description": "added"}],
            RemoveEntries=[{"Cidr": "192.0.2.8/29"}],
        )

    def groups(self):
        ec2 = self.ec2
        self.security_groups = []
        for name in ("web", "database", "empty"):
            answer = ec2.create_security_group(
                GroupName=f"{name}-{self.number}",
                Description=f"{name}: a/b (c) & d",
                VpcId=self.vpc,
                TagSpecifications=tags("security-group"),
            )
            self.security_groups.append(answer["GroupId"])
        web, database, _ = self.security_groups
        ec2.authorize_security_group_ingress(
            GroupId=web,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 443,
                    "ToPort": 443,
                    "IpRanges": [
                        {"CidrIp": "0.0.0.0/0", "Description": "everyone & <everything>"},
                        {"CidrIp": "198.51.100.0/24"},
                    ],
                    "Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": "six"}, {"CidrIpv6": "2001:db8::/48"}],
                },
                {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [
                    {"PrefixListId": self.prefix_lists[0], "Description": "by list"}]},
                {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
                {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": web, "Description": "itself"}]},
            ],
        )
        ec2.authorize_security_group_ingress(
            GroupId=database,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 3306,
                    "ToPort": 3310,
                    "UserIdGroupPairs": [{"GroupId": web, "UserId": self.account}],
                },
                {"IpProtocol": "50", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]},
                {"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            ],
        )
        ec2.revoke_security_group_egress(
            GroupId=database, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        )
        ec2.authorize_security_group_egress(
            GroupId=database,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "Ipv6Ranges": [{"CidrIpv6": "64:ff9b::/96"}]}
            ],
        )

    def access_lists(self):
        ec2 = self.ec2
        answer = ec2.create_network_acl(VpcId=self.vpc, TagSpecifications=tags("network-acl"))
        acl = answer["NetworkAcl"]["NetworkAclId"]
        ec2.create_network_acl(VpcId=self.other_vpc)
        ports = {"From": 1024, "To": 65535}
        entries = [
            (100, "6", "allow", False, {"CidrBlock": "0.0.0.0/0", "PortRange": {"From": 443, "To": 443}}),
            (110, "17", "deny", False, {"CidrBlock": "198.51.100.0/24", "PortRange": ports}),
            (120, "1", "allow", False, {"CidrBlock": "10.0.0.0/8", "IcmpTypeCode": {"Type": 8, "Code": -1}}),
            (130, "58", "allow", False, {"Ipv6CidrBlock": "::/0", "IcmpTypeCode": {"Type": -1, "Code": -1}}),
            (32000, "-1", "deny", False, {"Ipv6CidrBlock": "2001:db8::/32"}),
            (100, "-1", "allow", True, {"CidrBlock": "0.0.0.0/0"}),
            (200, "6", "deny", True, {"CidrBlock": "192.0.2.0/24", "PortRange": ports}),
        ]
        for rule, protocol, action, egress, more in entries:
            ec2.create_network_acl_entry(
                NetworkAclId=acl, RuleNumber=rule, Protocol=protocol, RuleAction=action, Egress=egress, **more
            )
        found = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [self.subnets[1]]}])
        for association in found["NetworkAcls"][0]["Associations"]:
            if association["SubnetId"] == self.subnets[1]:
                ec2.replace_network_acl_association(
                    AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl
                )

    def interfaces(self):
        ec2 = self.ec2
        web, database, _ = self.security_groups
        n = self.number
        several = [{"PrivateIpAddress": f"10.{n}.1.{last}", "Primary": last == 20} for last in (20, 21, 22)]
        answer = ec2.create_network_interface(
            SubnetId=self.subnets[1],
            PrivateIpAddresses=several,
            Groups=[web, database],
            Description='first & <foremost> "quoted"',
            TagSpecifications=tags("network-interface"),
        )
        self.interface = answer["NetworkInterface"]["NetworkInterfaceId"]
        answer = ec2.create_network_interface(
            SubnetId=self.subnets[0], SecondaryPrivateIpAddressCount=3, Ipv6AddressCount=2, Groups=[web]
        )
        self.six_interface = answer["NetworkInterface"]["NetworkInterfaceId"]
        answer = ec2.create_network_interface(SubnetId=self.subnets[2])
        self.attached_interface = answer["NetworkInterface"]["NetworkInterfaceId"]
        ec2.modify_network_interface_attribute(NetworkInterfaceId=self.interface, SourceDestCheck={"Value": False})
        ec2.assign_private_ip_addresses(NetworkInterfaceId=self.attached_interface, SecondaryPrivateIpAddressCount=2)
        ec2.associate_address(AllocationId=self.addresses[2], NetworkInterfaceId=self.interface)

    def instances(self):
        ec2 = self.ec2
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        common = {"ImageId": image, "InstanceType": "t3.micro"}
        answer = ec2.run_instances(
            **common,
            MinCount=2,
            MaxCount=2,
            SubnetId=self.subnets[0],
            SecurityGroupIds=[self.security_groups[0]],
            TagSpecifications=tags("instance"),
        )
        first, second = (instance["InstanceId"] for instance in answer["Instances"])
        answer = ec2.run_instances(
            **common,
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[
                {
                    "DeviceIndex": 0,
                    "SubnetId": self.subnets[1],
                    "Groups": [self.security_groups[1]],
                    "AssociatePublicIpAddress": True,
                }
            ],
            Monitoring={"Enabled": True},
        )
        third = answer["Instances"][0]["InstanceId"]
        answer = ec2.run_instances(**common, MinCount=2, MaxCount=2, SubnetId=self.subnets[2])
        stopped, ended = (instance["InstanceId"] for instance in answer["Instances"])
        ec2.stop_instances(InstanceIds=[stopped])
        ec2.terminate_instances(InstanceIds=[ended])
        ec2.attach_network_interface(
            NetworkInterfaceId=self.attached_interface, InstanceId=third, DeviceIndex=1
        )
        ec2.associate_address(AllocationId=self.addresses[3], InstanceId=second)
        self.instance_ids = [first, second, third]

    def private_gateways(self):
        ec2 = self.ec2
        answer = ec2.create_vpn_gateway(Type="ipsec.1", AmazonSideAsn=64512, TagSpecifications=tags("vpn-gateway"))
        self.vpn_gateway = answer["VpnGateway"]["VpnGatewayId"]
        ec2.attach_vpn_gateway(VpnGatewayId=self.vpn_gateway, VpcId=self.vpc)
        ec2.create_vpn_gateway(Type="ipsec.1")
        self.customer_gateways = []
        for place, number in enumerate((65000, 65001, 64999)):
            answer = ec2.create_customer_gateway(
                Type="ipsec.1",
                PublicIp=f"203.0.113.{self.number + place}",
                BgpAsn=number,
                TagSpecifications=tags("customer-gateway"),
            )
            self.customer_gateways.append(answer["CustomerGateway"]["CustomerGatewayId"])
        ec2.delete_customer_gateway(CustomerGatewayId=self.customer_gateways.pop())
        ec2.create_vpn_connection(
            Type="ipsec.1",
            CustomerGatewayId=self.customer_gateways[0],
            VpnGatewayId=self.vpn_gateway,
            TagSpecifications=tags("vpn-connection"),
        )

    def transit(self):
        ec2 = self.ec2
        self.transit_gateways = []
        options = {"AmazonSideAsn": 64600 + self.number, "AutoAcceptSharedAttachments": "enable"}
        for given in (options, {"DnsSupport": "disable", "TransitGatewayCidrBlocks": ["198.18.0.0/24"]}):
            answer = ec2.create_transit_gateway(
                Description="between & <betwixt>", Options=given, TagSpecifications=tags("transit-gateway")
            )
            self.transit_gateways.append(answer["TransitGateway"]["TransitGatewayId"])
        hub, _ = self.transit_gateways
        self.attachments = []
        for vpc, subnets in ((self.vpc, self.subnets[:3]), (self.other_vpc, [self.other_subnet])):
            answer = ec2.create_transit_gateway_vpc_attachment(
                TransitGatewayId=hub,
                VpcId=vpc,
                SubnetIds=subnets,
                Options={"ApplianceModeSupport": "enable", "Ipv6Support": "enable"},
                TagSpecifications=tags("transit-gateway-route-table"),
            )
            self.attachments.append(answer["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])
        ec2.create_vpn_connection(
            Type="ipsec.1", CustomerGatewayId=self.customer_gateways[1], TransitGatewayId=hub
        )
        self.transit_tables = []
        for _ in range(2):
            answer = ec2.create_transit_gateway_route_table(
                TransitGatewayId=hub, TagSpecifications=tags("transit-gateway-route-table")
            )
            self.transit_tables.append(answer["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"])
        first, second = self.transit_tables
        for table, attachment in ((first, self.attachments[0]), (second, self.attachments[1])):
            ec2.associate_transit_gateway_route_table(
                TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=attachment
            )
        for table, attachment in ((first, 1), (first, 0), (second, 0)):
            ec2.enable_transit_gateway_route_table_propagation(
                TransitGatewayRouteTableId=table, TransitGatewayAttachmentId=self.attachments[attachment]
            )
        for place in range(10):
            ec2.create_transit_gateway_route(
                TransitGatewayRouteTableId=first,
                DestinationCidrBlock=f"10.{200 + place}.0.0/16",
                TransitGatewayAttachmentId=self.attachments[place % 2],
            )
        ec2.create_transit_gateway_route(
            TransitGatewayRouteTableId=first, DestinationCidrBlock="192.168.0.0/16", Blackhole=True
        )
        ec2.create_transit_gateway_route(
            TransitGatewayRouteTableId=second, DestinationCidrBlock="2001:db8:1::/48", Blackhole=True
        )

    def classic_balancers(self):
        elb = self.clients["elb"]
        listeners = [
            {"Protocol": "tcp", "LoadBalancerPort": 22, "InstanceProtocol": "tcp", "InstancePort": 22},
            {"Protocol": "http", "LoadBalancerPort": 80, "InstanceProtocol": "http", "InstancePort": 8080},
        ]
        for place in range(9):
            name = f"classic-{self.number}-{place}"
            where = {"Subnets": self.subnets[:2], "SecurityGroups": [self.security_groups[0]]}
            if place == 1:
                where = {"AvailabilityZones": self.zones[:2]}
            elb.create_load_balancer(LoadBalancerName=name, Listeners=listeners[: 1 + place % 2], **where)
        name = f"classic-{self.number}-0"
        elb.configure_health_check(
            LoadBalancerName=name,
            HealthCheck={
                "Target": "HTTP:8080/health?a=b&c",
                "Interval": 10,
                "Timeout": 5,
                "UnhealthyThreshold": 2,
                "HealthyThreshold": 3,
            },
        )
        elb.register_instances_with_load_balancer(
            LoadBalancerName=name, Instances=[{"InstanceId": instance} for instance in self.instance_ids]
        )
        elb.create_app_cookie_stickiness_policy(LoadBalancerName=name, PolicyName="app", CookieName="sessions")
        elb.create_lb_cookie_stickiness_policy(
            LoadBalancerName=name, PolicyName="expiring", CookieExpirationPeriod=3600
        )
        elb.create_load_balancer_policy(
            LoadBalancerName=name,
            PolicyName="proxy",
            PolicyTypeName="ProxyProtocolPolicyType",
            PolicyAttributes=[{"AttributeName": "ProxyProtocol", "AttributeValue": "true"}],
        )
        elb.set_load_balancer_policies_for_backend_server(
            LoadBalancerName=name, InstancePort=22, PolicyNames=["proxy"]
        )

    def balancers(self):
        elb = self.clients["elbv2"]
        self.balancer_arns = {}
        kinds = [("application", {"SecurityGroups": self.security_groups[:2]}), ("network", {}), ("gateway", {})]
        for kind, more in kinds:
            answer = elb.create_load_balancer(
                Name=f"{kind}-{self.number}",
                Subnets=self.subnets[:2],
                Scheme="internal",
                Type=kind,
                Tags=[tag for tag in AWKWARD if tag["Value"].isalnum()],
                **more,
            )
            self.balancer_arns[kind] = answer["LoadBalancers"][0]["LoadBalancerArn"]
        for place in range(8):
            elb.create_load_balancer(Name=f"more-{self.number}-{place}", Subnets=self.subnets[1:3], Type="network")

        groups = {
            "instance": {"Protocol": "HTTP", "Port": 8080, "TargetType": "instance", "Matcher": {"HttpCode": "200"}},
            "ip": {"Protocol": "TCP", "Port": 5432, "TargetType": "ip"},
            "geneve": {"Protocol": "GENEVE", "Port": 6081, "TargetType": "instance"},
            "unused": {"Protocol": "UDP", "Port": 53, "TargetType": "instance"},
        }
        self.target_groups = {}
        for name, given in groups.items():
            answer = elb.create_target_group(Name=f"{name}-{self.number}", VpcId=self.vpc, **given)
            self.target_groups[name] = answer["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(
            TargetGroupArn=self.target_groups["instance"],
            Targets=[{"Id": self.instance_ids[0], "Port": 8081}, {"Id": self.instance_ids[1]}],
        )
        elb.register_targets(
            TargetGroupArn=self.target_groups["ip"],
            Targets=[{"Id": f"10.{self.number}.4.{last}", "Port": 5432} for last in range(10, 14)],
        )
        forward = {"Type": "forward", "TargetGroupArn": self.target_groups["instance"]}
        redirect = {
            "Type": "redirect",
            "RedirectConfig": {
                "Protocol": "HTTPS",
                "Port": "443",
                "Host": "#{host}",
                "Path": "/#{path}",
                "Query": "#{query}&a=b",
                "StatusCode": "HTTP_301",
            },
        }
        fixed = {
            "Type": "fixed-response",
            "FixedResponseConfig": {"StatusCode": "503", "ContentType": "text/html", "MessageBody": "<b>a & b</b>"},
        }
        weighted = {
            "Type": "forward",
            "ForwardConfig": {
                "TargetGroups": [
                    {"TargetGroupArn": self.target_groups["instance"], "Weight": 3},
                    {"TargetGroupArn": self.target_groups["unused"], "Weight": 1},
                ],
                "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
            },
        }
        application = self.balancer_arns["application"]
        for port, action in ((80, redirect), (81, fixed), (82, forward), (83, weighted)):
            elb.create_listener(LoadBalancerArn=application, Protocol="HTTP", Port=port, DefaultActions=[action])
        certificate = self.clients["acm"].request_certificate(DomainName="example.com")["CertificateArn"]
        elb.create_listener(
            LoadBalancerArn=application,
            Protocol="HTTPS",
            Port=443,
            SslPolicy="ELBSecurityPolicy-2016-08",
            Certificates=[{"CertificateArn": certificate}],
            DefaultActions=[forward],
        )
        elb.create_listener(
            LoadBalancerArn=self.balancer_arns["network"],
            Protocol="TCP",
            Port=5432,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.target_groups["ip"]}],
        )

    def endpoints(self):
        ec2 = self.ec2
        main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"][0]
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*"}]})
        ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName=f"com.amazonaws.{self.region}.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=[main["RouteTableId"]],
            PolicyDocument=policy,
            TagSpecifications=tags("vpc-endpoint"),
        )
        ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName=f"com.amazonaws.{self.region}.sqs",
            VpcEndpointType="Interface",
            SubnetIds=self.subnets[:2],
            SecurityGroupIds=[self.security_groups[0]],
            PrivateDnsEnabled=True,
        )
        services = []
        for more in (
            {"NetworkLoadBalancerArns": [self.balancer_arns["network"]], "PrivateDnsName": "service.example.com"},
            {"GatewayLoadBalancerArns": [self.balancer_arns["gateway"]]},
        ):
            answer = ec2.create_vpc_endpoint_service_configuration(
                AcceptanceRequired=True, TagSpecifications=tags("vpc-endpoint-service"), **more
            )
            services.append(answer["ServiceConfiguration"])
        answer = ec2.create_vpc_endpoint(
            VpcId=self.vpc,
            ServiceName=services[1]["ServiceName"],
            VpcEndpointType="GatewayLoadBalancer",
            SubnetIds=self.subnets[:1],
        )
        self.gateway_endpoint = answer["VpcEndpoint"]["VpcEndpointId"]

    def peering(self):
        answer = self.ec2.create_vpc_peering_connection(
            VpcId=self.vpc, PeerVpcId=self.other_vpc, TagSpecifications=tags("vpc-peering-connection")
        )
        self.peering_id = answer["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=self.peering_id)
        self.ec2.modify_vpc_peering_connection_options(
            VpcPeeringConnectionId=self.peering_id,
            AccepterPeeringConnectionOptions={"AllowDnsResolutionFromRemoteVpc": True},
        )
        answer = self.ec2.create_vpc_peering_connection(VpcId=self.bare_vpc, PeerVpcId=self.other_vpc)
        rejected = answer["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        self.ec2.reject_vpc_peering_connection(VpcPeeringConnectionId=rejected)

    def routes(self):
        ec2 = self.ec2
        tables = []
        for _ in range(4):
            answer = ec2.create_route_table(VpcId=self.vpc, TagSpecifications=tags("route-table"))
            tables.append(answer["RouteTable"]["RouteTableId"])
        hub = self.transit_gateways[0]
        routes = [
            (0, {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": self.internet_gateway}),
            (0, {"DestinationIpv6CidrBlock": "::/0", "GatewayId": self.internet_gateway}),
            (0, {"DestinationCidrBlock": "10.250.0.0/16", "VpcPeeringConnectionId": self.peering_id}),
            (0, {"DestinationCidrBlock": "10.251.0.0/16", "GatewayId": self.vpn_gateway}),
            (1, {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": self.nat_gateways[0]}),
            (1, {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": self.egress_gateway}),
            (1, {"DestinationIpv6CidrBlock": "64:ff9b::/96", "NatGatewayId": self.nat_gateways[0]}),
            (1, {"DestinationCidrBlock": "10.0.0.0/8", "TransitGatewayId": hub}),
            (1, {"DestinationPrefixListId": self.prefix_lists[0], "TransitGatewayId": hub}),
            (2, {"DestinationCidrBlock": "0.0.0.0/0", "InstanceId": self.instance_ids[0]}),
            (2, {"DestinationCidrBlock": "10.252.0.0/16", "NetworkInterfaceId": self.interface}),
            (2, {"DestinationCidrBlock": "10.253.0.0/16", "VpcEndpointId": self.gateway_endpoint}),
            (2, {"DestinationCidrBlock": "10.254.0.0/16", "CarrierGatewayId": self.carrier_gateway}),
        ]
        for place, route in routes:
            ec2.create_route(RouteTableId=tables[place], **route)
        for place in range(3):
            ec2.associate_route_table(RouteTableId=tables[place], SubnetId=self.subnets[place])
        ec2.associate_route_table(RouteTableId=tables[3], GatewayId=self.internet_gateway)

    def flow_logs(self):
        bucket = f"flow-logs-{self.account}-{self.region}"
        where = {} if self.region == "us-east-1" else {
            "CreateBucketConfiguration": {"LocationConstraint": self.region}
        }
        self.clients["s3"].create_bucket(Bucket=bucket, **where)
        self.clients["logs"].create_log_group(logGroupName="/flow/logs")
        fields = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end"
        fields += " action log-status vpc-id subnet-id tcp-flags pkt-srcaddr pkt-dstaddr flow-direction traffic-path"
        written = " ".join("${%s}" % field for field in fields.split())
        to_bucket = {"LogDestinationType": "s3", "LogDestination": f"arn:aws:s3:::{bucket}"}
        role = f"arn:aws:iam::{self.account}:role/flow-logs"
        to_group = {"LogGroupName": "/flow/logs", "DeliverLogsPermissionArn": role}
        create = self.ec2.create_flow_logs
        create(
            ResourceType="VPC",
            ResourceIds=[self.vpc, self.other_vpc],
            TrafficType="ALL",
            LogFormat=written,
            MaxAggregationInterval=60,
            TagSpecifications=tags("vpc-flow-log"),
            **to_bucket,
        )
        create(ResourceType="Subnet", ResourceIds=self.subnets[:3], TrafficType="REJECT", **to_group)
        create(ResourceType="NetworkInterface", ResourceIds=[self.interface], TrafficType="ACCEPT", **to_bucket)
        create(
            ResourceType="TransitGateway", ResourceIds=self.transit_gateways[:1], MaxAggregationInterval=60, **to_bucket
        )
        # A log group that is not there: the flow log exists, but delivers nothing.
        missing = {"LogGroupName": "/not/there", "DeliverLogsPermissionArn": role}
        create(ResourceType="VPC", ResourceIds=[self.vpc], TrafficType="ALL", **missing)

    def direct_connect(self):
        dx = self.clients["directconnect"]
        for place in range(3):
            dx.create_connection(
                location="EqDC2",
                bandwidth="1Gbps",
                connectionName=f"line & <{place}>",
                tags=[{"key": tag["Key"], "value": tag["Value"]} for tag in AWKWARD],
                providerName="Provider",
                requestMACSec=place == 0,
            )
        dx.create_lag(
            numberOfConnections=2,
            location="EqDC2",
            connectionsBandwidth="10Gbps",
            lagName="bundle",
            tags=[{"key": "a", "value": "b & c"}],
            childConnectionTags=[{"key": "child", "value": "yes"}],
            requestMACSec=True,
        )
        dx.create_lag(numberOfConnections=1, location="EqDC2", connectionsBandwidth="1Gbps", lagName="single")

    def firewalls(self):
        nfw = self.clients["network-firewall"]
        policy = f"arn:aws:network-firewall:{self.region}:{self.account}:firewall-policy/strict"
        arns = []
        for place in range(9):
            answer = nfw.create_firewall(
                FirewallName=f"wall-{place}",
                FirewallPolicyArn=policy,
                VpcId=self.vpc,
                SubnetMappings=[
                    {"SubnetId": subnet, "IPAddressType": "IPV4"} for subnet in self.subnets[: 1 + place % 3]
                ],
                DeleteProtection=place % 2 == 0,
                Description=f"<{place}> & more",
                Tags=AWKWARD,
                EncryptionConfiguration={"Type": "AWS_OWNED_KMS_KEY"},
                **({"EnabledAnalysisTypes": ["TLS_SNI", "HTTP_HOST"]} if place % 2 else {}),
            )
            arns.append(answer["Firewall"]["FirewallArn"])
        bucket = {"bucketName": f"flow-logs-{self.account}-{self.region}", "prefix": "firewall/a b"}
        nfw.update_logging_configuration(
            FirewallArn=arns[0],
            LoggingConfiguration={
                "LogDestinationConfigs": [
                    {"LogType": "FLOW", "LogDestinationType": "S3", "LogDestination": bucket},
                    {
                        "LogType": "ALERT",
                        "LogDestinationType": "CloudWatchLogs",
                        "LogDestination": {"logGroup": "/firewall/alert"},
                    },
                ]
            },
        )


def connect(regions):
    """Peering across accounts and across regions, of VPCs and of transit gateways, accepted and pending."""
    accounts = sorted({account for account, _ in regions})
    names = list(dict.fromkeys(region for _, region in regions))

    def vpcs(asker, giver, accepted):
        answer = asker.ec2.create_vpc_peering_connection(
            VpcId=asker.vpc, PeerVpcId=giver.vpc, PeerOwnerId=giver.account, PeerRegion=giver.region
        )
        peering = answer["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        if accepted:
            giver.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)

    def transit_gateways(asker, giver, accepted):
        answer = asker.ec2.create_transit_gateway_peering_attachment(
            TransitGatewayId=asker.transit_gateways[0],
            PeerTransitGatewayId=giver.transit_gateways[0],
            PeerAccountId=giver.account,
            PeerRegion=giver.region,
            TagSpecifications=tags("transit-gateway-attachment"),
        )
        attachment = answer["TransitGatewayPeeringAttachment"]["TransitGatewayAttachmentId"]
        if accepted:
            giver.ec2.accept_transit_gateway_peering_attachment(TransitGatewayAttachmentId=attachment)

    for account in accounts:
        if len(names) > 1:
            here, there = regions[account, names[0]], regions[account, names[1]]
            vpcs(here, there, True)
            transit_gateways(here, there, True)
            transit_gateways(there, here, False)
    for name in names:
        for asker, giver, accepted in zip(accounts, accounts[1:], (True, False)):
            vpcs(regions[asker, name], regions[giver, name], accepted)


def account_wide(session, endpoint, account, place):
    iam = Clients(session, endpoint, GLOBAL_REGION)["iam"]
    if place < 2:  # an account without an alias has an empty list
        iam.create_account_alias(AccountAlias=f"company-{account[:3]}")
    manager = Clients(session, endpoint, NETWORK_MANAGER_REGION)["networkmanager"]
    for number in range(9):
        labels = AWKWARD if number else []
        answer = manager.create_global_network(Description=f"<{number}> & more", Tags=labels)
        identifier = answer["GlobalNetwork"]["GlobalNetworkId"]
        policy = {"version": "2021.12", "core-network-configuration": {"edge-locations": [{"location": "us-east-1"}]}}
        manager.create_core_network(
            GlobalNetworkId=identifier, Description=f"core {number}", Tags=labels, PolicyDocument=json.dumps(policy)
        )


def organization(session, endpoint, accounts=26):
    client = Clients(session, endpoint, GLOBAL_REGION)["organizations"]
    client.create_organization(FeatureSet="ALL")
    for number in range(accounts - 1):
        client.create_account(Email=f"a+{number}@example.com", AccountName=f"account <{number}> & more")


def populate(endpoint, account_sessions, regions):
    """Returns {(account, region): Region}, the objects that know the identifiers of what was made."""
    made = {}
    for place, (account, session) in enumerate(account_sessions.items()):
        for region in regions:
            say(f"populate {account} {region}")
            clients = Clients(session, endpoint, region)
            made[account, region] = Region(clients, account, region, len(made) + 1)
            made[account, region].everything()
        account_wide(session, endpoint, account, place)
    connect(made)
    organization(next(iter(account_sessions.values())), endpoint)
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", default=os.environ.get("AWS_ENDPOINT_URL"), help="URL of the moto server")
    parser.add_argument("--accounts", default=",".join(ACCOUNTS), help="account ids, the first manages the others")
    parser.add_argument("--regions", default=",".join(REGIONS))
    arguments = parser.parse_args()
    if not arguments.endpoint:
        parser.error("no --endpoint and no AWS_ENDPOINT_URL")
    accounts = arguments.accounts.split(",")
    sessions = account_sessions(arguments.endpoint, accounts)
    made = populate(arguments.endpoint, sessions, arguments.regions.split(","))
    print(json.dumps({"units": [list(unit) for unit in made]}))


if __name__ == "__main__":
    main()
