//! Load balancers, what they listen on and what they send to.

use std::net::IpAddr;

use super::read::{Row, entity, texts};

texts! {
    /// The kind of a load balancer.
    LoadBalancerType {
        /// Classic Load Balancer.
        Classic = "classic",
        /// Application Load Balancer.
        Application = "application",
        /// Network Load Balancer.
        Network = "network",
        /// Gateway Load Balancer.
        Gateway = "gateway",
    }
}

entity! {
    /// A load balancer. Its id is its ARN, also a classic one's, where account and region are known.
    LoadBalancer {
        /// Its name.
        balancer_name: Option<String> = "LoadBalancerName",
        /// Its kind.
        balancer_type: Option<LoadBalancerType> = (|row: Row<'_>| match row.has("LoadBalancerArn") {
            true => row.get(&["Type"]),
            false => Some(LoadBalancerType::Classic),
        }),
        /// `internet-facing` or `internal`.
        scheme: Option<String> = "Scheme",
        /// Its VPC.
        vpc: Option<String> = ["VpcId", "VPCId"],
        /// `active` and others.
        state: Option<String> = "State.Code",
        /// Name that resolves to it.
        dns_name: Option<String> = "DNSName",
        /// Zones by name.
        zones: Vec<String> = (|row: Row<'_>| match row.has("LoadBalancerArn") {
            true => row.get(&["AvailabilityZones[].ZoneName"]),
            false => row.get(&["AvailabilityZones"]),
        }),
        /// Subnets.
        subnets: Vec<String> = (|row: Row<'_>| match row.has("LoadBalancerArn") {
            true => row.get(&["AvailabilityZones[].SubnetId"]),
            false => row.get(&["Subnets"]),
        }),
        /// Addresses that were chosen for it.
        addresses: Vec<IpAddr> = (|row: Row<'_>| match row.has("LoadBalancerArn") {
            true => row.get(&[
                "AvailabilityZones[].LoadBalancerAddresses[].IpAddress",
                "AvailabilityZones[].LoadBalancerAddresses[].PrivateIPv4Address",
                "AvailabilityZones[].LoadBalancerAddresses[].IPv6Address",
            ]),
            false => Vec::new(),
        }),
        /// Security groups.
        security_groups: Vec<String> = "SecurityGroups",
        /// What it listens on, sorted by port.
        listeners: Vec<Listener> = "ListenerDescriptions[].Listener",
        /// Instances behind a classic one.
        instances: Vec<String> = "Instances[].InstanceId",
        /// Attributes, where they were told.
        attributes: Vec<Attribute> = (|_| Vec::new()),
    }

    /// What a load balancer listens on.
    Listener {
        /// Its ARN; a classic one has none.
        arn: Option<String> = "ListenerArn",
        /// The load balancer's ARN.
        load_balancer: Option<String> = "LoadBalancerArn",
        /// The port; a Gateway Load Balancer has none.
        port: Option<u32> = ["Port", "LoadBalancerPort"],
        /// `HTTP`, `HTTPS`, `TCP`, `TLS`, `UDP`, `TCP_UDP`, `GENEVE` and others.
        protocol: Option<String> = "Protocol",
        /// Port of the instances behind a classic one.
        instance_port: Option<u32> = "InstancePort",
        /// Protocol of the instances behind a classic one.
        instance_protocol: Option<String> = "InstanceProtocol",
        /// Target groups of the default action.
        target_groups: Vec<String> = (target_groups),
    }

    /// Attributes of a load balancer, as they are asked for.
    Attributes {
        /// The attributes.
        attributes: Vec<Attribute> = "Attributes",
    }

    /// An attribute of a load balancer.
    Attribute {
        /// `load_balancing.cross_zone.enabled`.
        key: String = "Key",
        /// Its value.
        value: String = "Value",
    }

    /// What load balancers send to.
    TargetGroup {
        /// Its name.
        group_name: Option<String> = "TargetGroupName",
        /// Protocol.
        protocol: Option<String> = "Protocol",
        /// Port, unless a target has its own.
        port: Option<u32> = "Port",
        /// Its VPC.
        vpc: Option<String> = "VpcId",
        /// `instance`, `ip`, `lambda`, `alb`.
        target_type: Option<String> = "TargetType",
        /// ARNs of the load balancers.
        load_balancers: Vec<String> = "LoadBalancerArns",
        /// Its targets, sorted; `None` when they were not told.
        targets: Option<Vec<LoadTarget>> = (|_| None),
    }

    /// Targets of a target group, as they are asked for.
    TargetHealth {
        /// The targets.
        targets: Vec<LoadTarget> = "TargetHealthDescriptions",
    }

    /// A target of a load balancer.
    LoadTarget {
        /// The instance, address, function or load balancer.
        id: String = "Target.Id",
        /// Its port.
        port: Option<u32> = "Target.Port",
        /// The zone; `all` for an address outside the VPC.
        zone: Option<String> = "Target.AvailabilityZone",
        /// `healthy`, `unhealthy` and others.
        state: Option<String> = "TargetHealth.State",
        /// Why.
        reason: Option<String> = "TargetHealth.Reason",
    }
}

/// Named by the action itself, or by its forwarding, or by both.
fn target_groups(row: Row<'_>) -> Vec<String> {
    let mut groups: Vec<String> = row.get(&[
        "DefaultActions[].TargetGroupArn",
        "DefaultActions[].ForwardConfig.TargetGroups[].TargetGroupArn",
    ]);
    groups.sort();
    groups.dedup();
    groups
}
