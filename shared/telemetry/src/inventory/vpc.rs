//! VPCs and what is in them: subnets, interfaces, instances, addresses, endpoints, rules.

use std::net::{IpAddr, Ipv6Addr};

use jiff::Timestamp;

use super::cidr::Cidr;
use super::read::{Row, associated, entity, texts};

texts! {
    /// What kind of resource an interface belongs to.
    InterfaceType {
        /// An ordinary interface.
        Interface = "interface",
        /// Elastic Fabric Adapter.
        Efa = "efa",
        /// Elastic Fabric Adapter without IP.
        EfaOnly = "efa-only",
        /// Trunk interface of an ECS or EKS node.
        Trunk = "trunk",
        /// Branch interface of a task or pod, on a trunk.
        Branch = "branch",
        /// NAT gateway; the service model spells it otherwise than the service.
        NatGateway = "nat_gateway" | "natGateway",
        /// Classic or Application Load Balancer.
        LoadBalancer = "load_balancer",
        /// Network Load Balancer.
        NetworkLoadBalancer = "network_load_balancer",
        /// Gateway Load Balancer.
        GatewayLoadBalancer = "gateway_load_balancer",
        /// Endpoint of a Gateway Load Balancer, those of Network Firewall among them.
        GatewayLoadBalancerEndpoint = "gateway_load_balancer_endpoint",
        /// Interface endpoint.
        VpcEndpoint = "vpc_endpoint",
        /// Attachment of a transit gateway.
        TransitGateway = "transit_gateway",
        /// Lambda function in a VPC.
        Lambda = "lambda",
        /// QuickSight.
        Quicksight = "quicksight",
        /// Global Accelerator.
        GlobalAccelerator = "global_accelerator_managed",
        /// API Gateway.
        ApiGateway = "api_gateway_managed",
        /// IoT rules.
        IotRules = "iot_rules_managed",
        /// CodeConnections.
        CodeConnections = "aws_codestar_connections_managed",
    }
}

texts! {
    /// The kind of a VPC endpoint.
    EndpointType {
        /// Interfaces in subnets (PrivateLink).
        Interface = "Interface",
        /// Routes, for S3 and DynamoDB.
        Gateway = "Gateway",
        /// Routes to appliances behind a Gateway Load Balancer.
        GatewayLoadBalancer = "GatewayLoadBalancer",
        /// A resource of another VPC.
        Resource = "Resource",
        /// A VPC Lattice service network.
        ServiceNetwork = "ServiceNetwork",
    }
}

entity! {
    /// A VPC.
    Vpc {
        /// All blocks, the primary one first.
        cidrs: Vec<Cidr> = (associated),
        /// Whether it came with the account.
        is_default: bool = "IsDefault",
        /// `available`, `pending`.
        state: Option<String> = "State",
    }

    /// A subnet.
    Subnet {
        /// Its VPC.
        vpc: Option<String> = "VpcId",
        /// Its blocks, IPv4 first.
        cidrs: Vec<Cidr> = (associated),
        /// The zone by the name it has in the owner's account.
        zone: Option<String> = "AvailabilityZone",
        /// The zone by the id it has in every account.
        zone_id: Option<String> = "AvailabilityZoneId",
        /// Whether interfaces get a public address at launch.
        maps_public_addresses: bool = "MapPublicIpOnLaunch",
        /// Whether it is the zone's default subnet.
        is_default: bool = "DefaultForAz",
        /// `available`, `pending`.
        state: Option<String> = "State",
    }

    /// An elastic network interface.
    Interface {
        /// Its VPC.
        vpc: Option<String> = "VpcId",
        /// Its subnet.
        subnet: Option<String> = "SubnetId",
        /// The zone's name.
        zone: Option<String> = "AvailabilityZone",
        /// The zone's id.
        zone_id: Option<String> = "AvailabilityZoneId",
        /// What kind of resource it belongs to.
        interface_type: Option<InterfaceType> = "InterfaceType",
        /// What its creator wrote; AWS's services name their resource here.
        description: String = "Description",
        /// Who created it: an account or a service's principal or role.
        requester: Option<String> = "RequesterId",
        /// Whether a service of AWS manages it.
        requester_managed: bool = "RequesterManaged",
        /// The service that operates it for the owner.
        operator: Option<String> = "Operator.Principal",
        /// `in-use`, `available` and others.
        status: Option<String> = "Status",
        /// `02:2f:8f:b0:cf:75`.
        mac: Option<String> = "MacAddress",
        /// False for what forwards others' traffic: NAT instances, appliances.
        source_dest_check: Option<bool> = "SourceDestCheck",
        /// Name within the VPC.
        private_dns: Option<String> = "PrivateDnsName",
        /// IPv4 addresses, the primary one first as AWS lists them.
        addresses: Vec<PrivateAddress> = (private_addresses),
        /// IPv6 addresses.
        ipv6: Vec<Ipv6Addr> = (ipv6_addresses),
        /// Delegated prefixes, IPv4 and IPv6: each address in them is the interface's.
        prefixes: Vec<Cidr> = ["Ipv4Prefixes[].Ipv4Prefix", "Ipv6Prefixes[].Ipv6Prefix"],
        /// Security groups.
        security_groups: Vec<String> = "Groups[].GroupId",
        /// What it is attached to.
        attachment: Option<InterfaceAttachment> = "Attachment",
    }

    /// A private IPv4 address of an interface.
    PrivateAddress {
        /// The address in the subnet.
        address: Option<IpAddr> = "PrivateIpAddress",
        /// Whether it is the interface's primary one.
        primary: bool = "Primary",
        /// The public address it is translated to.
        public: Option<IpAddr> = ["Association.PublicIp", "Association.CarrierIp", "Association.CustomerOwnedIp"],
        /// Whose the public address is: an account, `amazon`, or a service.
        public_owner: Option<String> = "Association.IpOwnerId",
        /// The elastic address.
        allocation: Option<String> = "Association.AllocationId",
    }

    /// What an interface is attached to.
    InterfaceAttachment {
        /// The instance.
        instance: Option<String> = "InstanceId",
        /// Whose the instance is: an account, or a service such as `amazon-elb`.
        instance_owner: Option<String> = "InstanceOwnerId",
        /// Position; 0 is the primary interface.
        device: Option<u32> = "DeviceIndex",
        /// `attached` and others.
        status: Option<String> = "Status",
        /// Since when.
        since: Option<Timestamp> = "AttachTime",
    }

    /// An instance.
    Instance {
        /// `t3.nano`.
        instance_type: Option<String> = "InstanceType",
        /// `running`, `stopped` and others.
        state: Option<String> = "State.Name",
        /// Its VPC.
        vpc: Option<String> = "VpcId",
        /// The subnet of its primary interface.
        subnet: Option<String> = "SubnetId",
        /// The zone's name.
        zone: Option<String> = "Placement.AvailabilityZone",
        /// The zone's id.
        zone_id: Option<String> = "Placement.AvailabilityZoneId",
        /// Primary private address.
        private_address: Option<IpAddr> = "PrivateIpAddress",
        /// Public address of the primary interface.
        public_address: Option<IpAddr> = "PublicIpAddress",
        /// Interfaces.
        interfaces: Vec<String> = "NetworkInterfaces[].NetworkInterfaceId",
        /// Security groups of the primary interface.
        security_groups: Vec<String> = "SecurityGroups[].GroupId",
        /// The image it was launched from.
        image: Option<String> = "ImageId",
        /// `Linux/UNIX`.
        platform: Option<String> = "PlatformDetails",
        /// ARN of the instance profile.
        profile: Option<String> = "IamInstanceProfile.Arn",
        /// When it was launched last.
        launched: Option<Timestamp> = "LaunchTime",
    }

    /// An elastic IP address. Its id is the allocation, or the address where there is none (EC2-Classic).
    ElasticAddress {
        /// The public address.
        public: Option<IpAddr> = ["PublicIp", "CarrierIp", "CustomerOwnedIp"],
        /// The private address it is translated to.
        private: Option<IpAddr> = "PrivateIpAddress",
        /// The interface that has it.
        interface: Option<String> = "NetworkInterfaceId",
        /// Whose the interface is.
        interface_owner: Option<String> = "NetworkInterfaceOwnerId",
        /// The instance that has it.
        instance: Option<String> = "InstanceId",
        /// The association with the interface.
        association: Option<String> = "AssociationId",
        /// `amazon`, or a pool of the owner's own addresses.
        pool: Option<String> = "PublicIpv4Pool",
        /// The service that manages it: `alb`, `nlb`, `rnat` and others.
        managed_by: Option<String> = "ServiceManaged",
        /// The zones that the address is announced from.
        border_group: Option<String> = "NetworkBorderGroup",
    }

    /// A security group.
    SecurityGroup {
        /// Its name in the VPC.
        group_name: Option<String> = "GroupName",
        /// What its creator wrote.
        description: Option<String> = "Description",
        /// Its VPC.
        vpc: Option<String> = "VpcId",
        /// What may come in.
        ingress: Vec<Rule> = "IpPermissions",
        /// What may go out.
        egress: Vec<Rule> = "IpPermissionsEgress",
    }

    /// What a security group permits: a protocol, ports, and any of the far ends.
    Rule {
        /// `tcp`, `udp`, `icmp`, `icmpv6`, `-1` for all, or a number.
        protocol: String = "IpProtocol",
        /// First port or ICMP type, -1 for all; absent when the protocol has none.
        from_port: Option<i64> = "FromPort",
        /// Last port or ICMP code, -1 for all.
        to_port: Option<i64> = "ToPort",
        /// Far ends by address.
        cidrs: Vec<Cidr> = ["IpRanges[].CidrIp", "Ipv6Ranges[].CidrIpv6"],
        /// Far ends by prefix list.
        prefix_lists: Vec<String> = "PrefixListIds[].PrefixListId",
        /// Far ends by security group.
        groups: Vec<GroupReference> = "UserIdGroupPairs",
        /// What the rules' creators wrote.
        descriptions: Vec<String> = ["IpRanges[].Description", "Ipv6Ranges[].Description", "PrefixListIds[].Description", "UserIdGroupPairs[].Description"],
    }

    /// A security group that a rule names.
    GroupReference {
        /// The group.
        group: Option<String> = "GroupId",
        /// Whose it is.
        account: Option<String> = "UserId",
        /// Its VPC, where it is another one.
        vpc: Option<String> = "VpcId",
        /// The peering connection to it.
        peering: Option<String> = "VpcPeeringConnectionId",
    }

    /// A network ACL.
    NetworkAcl {
        /// Its VPC.
        vpc: Option<String> = "VpcId",
        /// Whether it is the one of subnets that name none.
        is_default: bool = "IsDefault",
        /// The subnets it decides for.
        subnets: Vec<String> = "Associations[].SubnetId",
        /// Its entries: ingress, then egress, each by number, as they are tried.
        entries: Vec<AclEntry> = (acl_entries),
    }

    /// One entry of a network ACL: the first that fits decides.
    AclEntry {
        /// Its number.
        number: u32 = (|row: Row<'_>| row.get::<Option<u32>>(&["RuleNumber"]).unwrap_or(u32::MAX)),
        /// Whether it is about what leaves the subnet.
        egress: bool = "Egress",
        /// Whether it allows; it denies otherwise.
        allows: bool = (|row: Row<'_>| row.text("RuleAction").as_deref() == Some("allow")),
        /// The protocol's number, `-1` for all.
        protocol: String = "Protocol",
        /// The far end.
        cidr: Option<Cidr> = ["CidrBlock", "Ipv6CidrBlock"],
        /// First port; absent for all.
        from_port: Option<i64> = "PortRange.From",
        /// Last port.
        to_port: Option<i64> = "PortRange.To",
        /// ICMP type, -1 for all.
        icmp_type: Option<i64> = "IcmpTypeCode.Type",
        /// ICMP code, -1 for all.
        icmp_code: Option<i64> = "IcmpTypeCode.Code",
    }

    /// A VPC endpoint.
    Endpoint {
        /// Its VPC.
        vpc: Option<String> = "VpcId",
        /// Its kind.
        endpoint_type: Option<EndpointType> = "VpcEndpointType",
        /// `com.amazonaws.us-east-1.s3`, `com.amazonaws.vpce.us-east-1.vpce-svc-…`.
        service: Option<String> = "ServiceName",
        /// The service's region, where it is another one.
        service_region: Option<String> = "ServiceRegion",
        /// The resource or service network instead of a service.
        resource: Option<String> = ["ResourceConfigurationArn", "ServiceNetworkArn"],
        /// `available` and others.
        state: Option<String> = "State",
        /// Subnets that it has interfaces in.
        subnets: Vec<String> = "SubnetIds",
        /// Its interfaces.
        interfaces: Vec<String> = "NetworkInterfaceIds",
        /// Route tables that lead to it (gateway endpoints).
        route_tables: Vec<String> = "RouteTableIds",
        /// Security groups.
        security_groups: Vec<String> = "Groups[].GroupId",
        /// Names that resolve to it.
        dns_names: Vec<String> = "DnsEntries[].DnsName",
        /// Whether the service's own name resolves to it in the VPC.
        private_dns: bool = "PrivateDnsEnabled",
        /// Whether a service of AWS manages it.
        requester_managed: bool = "RequesterManaged",
    }

    /// A service that the account offers to endpoints (PrivateLink).
    EndpointService {
        /// What endpoints name.
        service: Option<String> = "ServiceName",
        /// `Available` and others.
        state: Option<String> = "ServiceState",
        /// `Interface`, `GatewayLoadBalancer`.
        types: Vec<String> = "ServiceType[].ServiceType",
        /// Zones it is offered in.
        zones: Vec<String> = "AvailabilityZones",
        /// ARNs of the load balancers behind it.
        load_balancers: Vec<String> = ["NetworkLoadBalancerArns", "GatewayLoadBalancerArns"],
        /// Its name in consumers' VPCs.
        private_dns: Option<String> = "PrivateDnsName",
        /// Whether each endpoint must be accepted.
        acceptance_required: bool = "AcceptanceRequired",
    }

    /// A flow log.
    FlowLog {
        /// What is logged: a VPC, subnet, interface, transit gateway or attachment.
        resource: Option<String> = "ResourceId",
        /// `ALL`, `ACCEPT`, `REJECT`; absent for transit gateways.
        traffic: Option<String> = "TrafficType",
        /// `ACTIVE`.
        status: Option<String> = "FlowLogStatus",
        /// `s3`, `cloud-watch-logs`, `kinesis-data-firehose`.
        destination_type: Option<String> = "LogDestinationType",
        /// ARN of the bucket and folder, log group or stream.
        destination: Option<String> = "LogDestination",
        /// Name of the log group.
        log_group: Option<String> = "LogGroupName",
        /// `${version} ${account-id} …`.
        format: Option<String> = "LogFormat",
        /// The longest time one record covers, in seconds.
        aggregation: Option<u32> = "MaxAggregationInterval",
        /// `SUCCESS` or `FAILED`.
        delivery: Option<String> = "DeliverLogsStatus",
        /// Why delivery fails: `Access error`, `Rate limited`, `Unknown error`.
        delivery_error: Option<String> = "DeliverLogsErrorMessage",
        /// `plain-text` or `parquet`.
        file_format: Option<String> = "DestinationOptions.FileFormat",
        /// Whether folders are named as Hive does.
        hive_partitions: bool = "DestinationOptions.HiveCompatiblePartitions",
        /// Whether there is a folder for each hour.
        hourly_partitions: bool = "DestinationOptions.PerHourPartition",
        /// Since when.
        created: Option<Timestamp> = "CreationTime",
    }
}

/// What the list says, or the one address where there is no list, as in answers about instances.
fn private_addresses(row: Row<'_>) -> Vec<PrivateAddress> {
    let mut addresses: Vec<PrivateAddress> = row.get(&["PrivateIpAddresses"]);
    if addresses.is_empty() && row.has("PrivateIpAddress") {
        let alone = row.get::<PrivateAddress>(&[""]);
        addresses.push(PrivateAddress {
            primary: true,
            ..alone
        });
    }
    addresses.retain(|a| a.address.is_some());
    addresses
}

fn ipv6_addresses(row: Row<'_>) -> Vec<Ipv6Addr> {
    let mut addresses: Vec<Ipv6Addr> = row.get(&["Ipv6Addresses[].Ipv6Address", "Ipv6Address"]);
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses
}

fn acl_entries(row: Row<'_>) -> Vec<AclEntry> {
    let mut entries: Vec<AclEntry> = row.get(&["Entries"]);
    entries.sort_by_key(|entry| (entry.egress, entry.number));
    entries
}
