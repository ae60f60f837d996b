//! The estate as AWS's Describe operations tell it: what generated logs can be enriched from.
//!
//! Interfaces, addresses, subnets, zones and instances are those of the rows. Where rows leave the estate
//! open, it is an ordinary one: public subnets lead to an internet gateway, the others to a NAT gateway in
//! their zone; the first two VPCs are peered; a transit gateway leads to the third and to the data centre.

mod interface;
mod rules;
mod service;
mod transit;
mod way_out;

use serde_json::{Map, Value, json};

use super::LogFormat;
use super::estate::{
    ACCOUNT, FIREWALL, REGION, SUBNETS_PER_VPC, VPC_IDS, VPCS, World, ZONE_IDS, ZONE_NAMES, ZONES,
};
use super::random::mix;
use super::text::pick;
use super::transit_gateway::{GATEWAY_ID, site_subnet_id};

/// Where the answers belong in a directory of answers, so that account and region are known.
pub const ANSWERS_PATH: &str = "aws_configs/accounts/123456789012/us-east-1/answers.json";

const VPC_NAMES: [&str; 3] = ["shop", "payments", "analytics"];
/// The first two numbers of each VPC's addresses.
const NETWORKS: [&str; 3] = ["10.20", "10.40", "172.20"];
const TIERS: [&str; 3] = ["public", "private", "data"];
const ON_PREMISES: &str = "10.200.0.0/16";
/// The VPN connection of the transit gateway.
const VPN: &str = "vpn-0a1b2c3d4e5f61004";

/// What AWS would answer about the estate: an object with a list for each section of the catalogue.
pub fn answers() -> Value {
    let world = World::of(LogFormat::VpcV5);
    let regional = World::of(LogFormat::VpcV11);
    let mut document = Map::new();
    let sections: [(&str, Vec<Value>); 29] = [
        ("AvailabilityZones", zones()),
        ("Vpcs", each_vpc(vpc)),
        ("Subnets", subnets()),
        ("NetworkInterfaces", interface::interfaces(world)),
        ("Reservations", interface::reservations(world)),
        ("Addresses", interface::addresses(world)),
        ("SecurityGroups", rules::security_groups()),
        ("NetworkAcls", each_vpc(rules::network_acl)),
        ("RouteTables", way_out::route_tables()),
        ("InternetGateways", each_vpc(way_out::internet_gateway)),
        ("NatGateways", way_out::nat_gateways(world, regional)),
        ("VpcEndpoints", service::endpoints(world)),
        ("VpcPeeringConnections", vec![way_out::peering()]),
        ("PrefixLists", service::prefix_lists()),
        ("FlowLogs", flow_logs()),
        ("CustomerGateways", way_out::customer_gateways()),
        ("VpnGateways", each_vpc(way_out::vpn_gateway)),
        ("VpnConnections", way_out::vpn_connections()),
        ("TransitGateways", vec![transit::transit_gateway()]),
        ("TransitGatewayAttachments", transit::attachments()),
        (
            "TransitGatewayVpcAttachments",
            each_vpc(transit::vpc_attachment),
        ),
        ("TransitGatewayRouteTables", vec![transit::transit_table()]),
        (
            "TransitGatewayRouteTableAssociations",
            vec![transit::associations()],
        ),
        ("TransitGatewayPropagations", vec![transit::propagations()]),
        ("TransitGatewayRoutes", vec![transit::transit_routes()]),
        ("LoadBalancers", service::load_balancers(world)),
        (
            "Firewalls",
            vec![json!({"FirewallName": FIREWALL, "FirewallArn": service::firewall_arn()})],
        ),
        ("FirewallDetails", vec![service::firewall()]),
        ("AccountAliases", vec!["generated".into()]),
    ];
    for (section, rows) in sections {
        document.insert(section.to_owned(), rows.into());
    }
    document.into()
}

fn each_vpc(row: fn(u32) -> Value) -> Vec<Value> {
    (0..VPCS).map(row).collect()
}

fn id(kind: &str, family: u64, number: u32) -> String {
    format!("{kind}-0{:016x}", mix(family + u64::from(number)))
}

fn vpc_id(vpc: u32) -> &'static str {
    pick(&VPC_IDS, vpc, "-")
}

fn subnet_id(vpc: u32, subnet: u32) -> String {
    id("subnet", 0x5_0000, vpc * SUBNETS_PER_VPC + subnet)
}

fn network(vpc: u32) -> String {
    format!("{}.0.0/16", pick(&NETWORKS, vpc, "-"))
}

fn network_v6(vpc: u32) -> String {
    format!("2001:db8:{:x}::/56", vpc + 1)
}

fn named(name: impl Into<String>) -> Value {
    json!([{"Key": "Name", "Value": name.into()}])
}

/// Adds a member that there is.
fn set(row: &mut Value, member: &str, value: Option<impl Into<Value>>) {
    if let (Value::Object(members), Some(value)) = (row, value) {
        members.insert(member.to_owned(), value.into());
    }
}

fn zones() -> Vec<Value> {
    let zones = ZONE_NAMES.iter().zip(ZONE_IDS);
    zones
        .map(|(name, id)| {
            json!({"ZoneName": name, "ZoneId": id, "RegionName": REGION, "State": "available"})
        })
        .collect()
}

fn vpc(vpc: u32) -> Value {
    // Pods have addresses beside the VPC's. Those of all VPCs are from the same two blocks, as clusters have
    // them that were never meant to be connected.
    let blocks = [
        network(vpc),
        "100.64.0.0/16".to_owned(),
        "100.65.0.0/16".to_owned(),
    ];
    let blocks: Vec<Value> = blocks
        .iter()
        .map(|block| json!({"CidrBlock": block, "CidrBlockState": {"State": "associated"}}))
        .collect();
    json!({
        "VpcId": vpc_id(vpc), "OwnerId": ACCOUNT, "State": "available", "IsDefault": false,
        "CidrBlock": network(vpc), "CidrBlockAssociationSet": blocks,
        "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": network_v6(vpc),
            "Ipv6CidrBlockState": {"State": "associated"}}],
        "Tags": named(pick(&VPC_NAMES, vpc, "-")),
    })
}

fn subnets() -> Vec<Value> {
    let subnet = |id: String,
                  vpc: u32,
                  zone: u32,
                  block: String,
                  v6: Option<String>,
                  name: String| {
        let v6: Vec<Value> = v6
            .iter()
            .map(|block| json!({"Ipv6CidrBlock": block, "Ipv6CidrBlockState": {"State": "associated"}}))
            .collect();
        json!({
            "SubnetId": id, "VpcId": vpc_id(vpc), "OwnerId": ACCOUNT, "State": "available",
            "CidrBlock": block, "Ipv6CidrBlockAssociationSet": v6,
            "AvailabilityZone": pick(&ZONE_NAMES, zone, "-"), "AvailabilityZoneId": pick(&ZONE_IDS, zone, "-"),
            "Tags": named(name),
        })
    };
    let letter = |zone: u32| pick(&ZONE_NAMES, zone, "-").chars().last().unwrap_or('-');
    let mut subnets = Vec::new();
    for vpc in 0..VPCS {
        let network = pick(&NETWORKS, vpc, "-");
        for number in 0..SUBNETS_PER_VPC {
            let (tier, zone) = (number / ZONES, number % ZONES);
            subnets.push(subnet(
                subnet_id(vpc, number),
                vpc,
                zone,
                format!("{network}.{}.0/21", number * 8),
                Some(format!("2001:db8:{:x}:{:x}::/64", vpc + 1, 0x10 + number)),
                format!("{}-{}", pick(&TIERS, tier, "-"), letter(zone)),
            ));
        }
        // What the transit gateway has in each zone for itself.
        for zone in 0..ZONES {
            let block = format!("{network}.255.{}/28", zone * 16);
            let id = site_subnet_id(vpc * ZONES + zone);
            let name = format!("transit-{}", letter(zone));
            subnets.push(subnet(id, vpc, zone, block, None, name));
        }
    }
    subnets
}

fn flow_logs() -> Vec<Value> {
    let logged = VPC_IDS.iter().copied().chain([GATEWAY_ID]).enumerate();
    logged
        .map(|(number, resource)| {
            json!({
                "FlowLogId": id("fl", 0x7_7000, number as u32), "ResourceId": resource, "TrafficType": "ALL",
                "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::flow-logs-use1",
                "FlowLogStatus": "ACTIVE", "DeliverLogsStatus": "SUCCESS", "MaxAggregationInterval": 60,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Generator;
    use crate::generate::estate::INTERFACES;
    use crate::inventory::{Inventory, InventoryBuilder};
    use std::collections::BTreeMap;

    fn inventory() -> Inventory {
        let mut builder = InventoryBuilder::new();
        builder.add_path_document(ANSWERS_PATH, &answers());
        builder.finish()
    }

    #[test]
    fn every_section_is_read_without_complaint() {
        let all = inventory();
        assert_eq!(all.read.unplaced, BTreeMap::new());
        assert_eq!(all.read.unreadable, []);
        assert_eq!(all.read.unknown, BTreeMap::new());
        let count = INTERFACES + VPCS * ZONES;
        assert_eq!(all.interfaces.len(), count as usize);
        assert_eq!((all.vpcs.len(), all.subnets.len()), (3, 54 + 18));
        assert_eq!(all.nat_gateways.len(), 18 + 3);
        assert!(
            all.interfaces
                .iter()
                .all(|i| i.account.as_deref() == Some(ACCOUNT))
        );
        assert!(
            all.interfaces
                .iter()
                .all(|i| i.region.as_deref() == Some(REGION))
        );
    }

    #[test]
    fn all_that_rows_name_is_in_the_answers() {
        let all = inventory();
        for format in [
            LogFormat::VpcV5,
            LogFormat::VpcV11,
            LogFormat::TransitGateway,
        ] {
            let mut generator = Generator::new(format, 5, 1_795_190_400);
            let header = generator.header().unwrap();
            let mut out = Vec::new();
            for _ in 0..20_000 {
                generator.row(&mut out);
            }
            let text = String::from_utf8(out).unwrap();
            for row in text.lines() {
                let columns: BTreeMap<&str, &str> = header
                    .split(' ')
                    .zip(row.split(' '))
                    .filter(|(_, value)| *value != "-")
                    .collect();
                for (name, value) in &columns {
                    let is_there = match *name {
                        "interface-id"
                        | "tgw-src-eni"
                        | "tgw-dst-eni"
                        | "next-hop-interface-id" => all.interfaces.get(value).is_some(),
                        "subnet-id" | "tgw-src-subnet-id" | "tgw-dst-subnet-id"
                        | "next-hop-subnet-id" => all.subnets.get(value).is_some(),
                        "vpc-id" | "tgw-src-vpc-id" | "tgw-dst-vpc-id" | "next-hop-vpc-id" => {
                            all.vpcs.get(value).is_some()
                        }
                        "instance-id" => all.instances.get(value).is_some(),
                        "resource-id" => all.nat_gateways.get(value).is_some(),
                        "tgw-id" => all.transit_gateways.get(value).is_some(),
                        "tgw-attachment-id" | "tgw-pair-attachment-id" => {
                            all.transit_gateway_attachments.get(value).is_some()
                        }
                        _ => true,
                    };
                    assert!(is_there, "{name} of {row}");
                }
            }
        }
    }

    #[test]
    fn interfaces_and_addresses_of_rows_are_those_of_the_inventory() {
        let all = inventory();
        let mut generator = Generator::new(LogFormat::VpcV5, 6, 1_795_190_400);
        let header = generator.header().unwrap();
        let column = |name: &str| header.split(' ').position(|column| column == name).unwrap();
        let [interface, vpc, subnet, instance, zone, status] = [
            "interface-id",
            "vpc-id",
            "subnet-id",
            "instance-id",
            "az-id",
            "log-status",
        ]
        .map(column);
        let sides = ["srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr"].map(column);
        let mut own = 0;
        let mut out = Vec::new();
        for _ in 0..20_000 {
            generator.row(&mut out);
        }
        for row in std::str::from_utf8(&out).unwrap().lines() {
            let values: Vec<&str> = row.split(' ').collect();
            let found = all.interfaces.get(values[interface]).unwrap();
            assert_eq!(found.vpc.as_deref(), Some(values[vpc]), "{row}");
            assert_eq!(found.subnet.as_deref(), Some(values[subnet]), "{row}");
            let attached = found
                .attachment
                .as_ref()
                .and_then(|a| a.instance.as_deref());
            assert_eq!(attached.unwrap_or("-"), values[instance], "{row}");
            let zone_id = all.subnets.get(values[subnet]).unwrap().zone_id.as_deref();
            assert_eq!(zone_id, Some(values[zone]), "{row}");
            if values[status] != "OK" {
                continue;
            }
            for side in sides {
                let address = values[side].parse().unwrap();
                let is_in = |vpc: &str| {
                    let vpc = all.vpcs.get(vpc).unwrap();
                    vpc.cidrs.iter().any(|cidr| cidr.contains(address))
                };
                // Who has it: in the VPC that logs, or else in the one that has such addresses.
                let vpc = match is_in(values[vpc]) {
                    true => Some(values[vpc]),
                    false => VPC_IDS.into_iter().find(|vpc| is_in(vpc)),
                };
                let Some(vpc) = vpc else { continue };
                assert!(
                    all.interface_at(vpc, address).is_some(),
                    "{address} of {row}"
                );
                own += 1;
            }
        }
        assert!(own > 40_000, "{own}");
    }
}
