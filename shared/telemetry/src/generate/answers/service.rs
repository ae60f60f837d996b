//! Endpoints, load balancers and the firewall.

use serde_json::{Map, Value, json};

use super::super::estate::{ACCOUNT, FIREWALL, REGION, VPCS, World, ZONE_NAMES, ZONES};
use super::super::interface::Role;
use super::super::random::mix;
use super::super::text::pick;
use super::super::transit_gateway::site_subnet_id;
use super::interface::{endpoint_id, interface_id, owner, zone_name};
use super::way_out::tables_of;
use super::{id, vpc_id};

/// The services with gateway endpoints: name, prefix list, a block of its addresses.
pub(super) const GATEWAY_SERVICES: [(&str, &str, &str); 2] = [
    ("s3", "pl-63a5400a", "52.216.0.0/15"),
    ("dynamodb", "pl-02cd2c6b", "52.119.224.0/20"),
];

pub(super) fn gateway_endpoint_id(vpc: u32, service: usize) -> String {
    id("vpce", 0x7_4000 + 16 * service as u64, vpc)
}

fn firewall_endpoint_id(zone: u32) -> String {
    id("vpce", 0x7_5000, zone)
}

pub(super) fn endpoints(world: &World) -> Vec<Value> {
    const INTERFACE_SERVICES: [&str; 4] = ["ssm", "ecr.dkr", "logs", "kms"];
    let mut rows: Vec<Value> = Vec::new();
    for interface in world.interfaces.iter().filter(|i| i.role == Role::Endpoint) {
        let service = pick(&INTERFACE_SERVICES, interface.index % 4, "ssm");
        rows.push(json!({
            "VpcEndpointId": endpoint_id(interface.index), "VpcEndpointType": "Interface", "OwnerId": ACCOUNT,
            "VpcId": vpc_id(interface.vpc), "ServiceName": format!("com.amazonaws.{REGION}.{service}"),
            "State": "available", "SubnetIds": [owner(interface, 1)], "PrivateDnsEnabled": true,
            "NetworkInterfaceIds": [interface_id(interface)],
        }));
    }
    for vpc in 0..VPCS {
        for (number, (service, ..)) in GATEWAY_SERVICES.iter().enumerate() {
            rows.push(json!({
                "VpcEndpointId": gateway_endpoint_id(vpc, number), "VpcEndpointType": "Gateway", "OwnerId": ACCOUNT,
                "VpcId": vpc_id(vpc), "ServiceName": format!("com.amazonaws.{REGION}.{service}"),
                "State": "available", "RouteTableIds": tables_of(vpc),
            }));
        }
    }
    for zone in 0..ZONES {
        rows.push(json!({
            "VpcEndpointId": firewall_endpoint_id(zone), "VpcEndpointType": "GatewayLoadBalancer", "OwnerId": ACCOUNT,
            "VpcId": vpc_id(VPCS - 1), "State": "available", "SubnetIds": [site_subnet_id((VPCS - 1) * ZONES + zone)],
        }));
    }
    rows
}

pub(super) fn prefix_lists() -> Vec<Value> {
    let list = |(service, id, block): &(&str, &str, &str)| {
        let name = format!("com.amazonaws.{REGION}.{service}");
        json!({"PrefixListId": id, "PrefixListName": name, "Cidrs": [block]})
    };
    GATEWAY_SERVICES.iter().map(list).collect()
}

pub(super) fn load_balancer_name(index: u32) -> String {
    format!("net/lb-{index}/{:016x}", mix(0xc_0000 + u64::from(index)))
}

pub(super) fn load_balancers(world: &World) -> Vec<Value> {
    let own = world
        .interfaces
        .iter()
        .filter(|i| i.role == Role::LoadBalancer);
    own.map(|interface| {
        let path = load_balancer_name(interface.index);
        json!({
            "LoadBalancerArn": format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/{path}"),
            "LoadBalancerName": format!("lb-{}", interface.index), "Type": "network", "Scheme": "internal",
            "State": {"Code": "active"}, "VpcId": vpc_id(interface.vpc),
            "AvailabilityZones": [{"ZoneName": zone_name(interface), "SubnetId": owner(interface, 1)}],
        })
    })
    .collect()
}

pub(super) fn firewall_arn() -> String {
    format!("arn:aws:network-firewall:{REGION}:{ACCOUNT}:firewall/{FIREWALL}")
}

pub(super) fn firewall() -> Value {
    let zones = 0..ZONES;
    let subnet = |zone: u32| site_subnet_id((VPCS - 1) * ZONES + zone);
    let mappings: Vec<Value> = zones
        .clone()
        .map(|zone| json!({"SubnetId": subnet(zone)}))
        .collect();
    let mut states = Map::new();
    for zone in zones {
        let attachment = json!({"Attachment": {"SubnetId": subnet(zone), "EndpointId": firewall_endpoint_id(zone),
            "Status": "READY"}});
        states.insert(pick(&ZONE_NAMES, zone, "-").to_owned(), attachment);
    }
    json!({
        "FirewallArn": firewall_arn(),
        "Firewall": {"FirewallName": FIREWALL, "FirewallArn": firewall_arn(), "VpcId": vpc_id(VPCS - 1),
            "SubnetMappings": mappings},
        "FirewallStatus": {"Status": "READY", "SyncStates": states},
    })
}
