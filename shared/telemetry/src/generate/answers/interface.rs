//! Interfaces, and the instances, addresses and tags of them.

use serde_json::{Value, json};

use super::super::estate::{ACCOUNT, PODS_PER_NODE, REGION, VPCS, World, ZONE_NAMES, ZONES};
use super::super::interface::{Interface, Role};
use super::super::random::mix;
use super::super::text::pick;
use super::super::transit_gateway::{ATTACHMENT_IDS, site_interface_id, site_subnet_id};
use super::rules::group_id;
use super::service::load_balancer_name;
use super::way_out::nat_gateway_id;
use super::{NETWORKS, id, set, vpc_id};

/// A public address that is no far one: those for documentation and benchmarks all are.
pub(super) fn public_address(index: u32) -> String {
    format!("18.208.{}.{}", index >> 8, index & 255)
}

pub(super) fn allocation_id(index: u32) -> String {
    id("eipalloc", 0xa_0000, index)
}

pub(super) fn endpoint_id(index: u32) -> String {
    id("vpce", 0xb_0000, index)
}

/// The text of bytes that the generator wrote itself.
pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("-")
}

/// The text before it was percent-encoded for the log.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = after
            .get(if byte.is_some() { 2 } else { 0 }..)
            .unwrap_or(&[]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The tags of which a row shows the values at these places.
fn tags(interface: &Interface, places: [usize; 2]) -> Vec<Value> {
    let values: Vec<&str> = text(&interface.tags).split_ascii_whitespace().collect();
    let tag = |(key, place): (&str, usize)| {
        let value = values.get(place).filter(|value| **value != "-")?;
        Some(json!({"Key": key, "Value": decoded(value)}))
    };
    ["team", "stage"]
        .into_iter()
        .zip(places)
        .filter_map(tag)
        .collect()
}

/// The column of an interface's rows at a place: VPC, subnet and instance.
pub(super) fn owner(interface: &Interface, place: usize) -> &str {
    let mut columns = text(&interface.owner).split_ascii_whitespace();
    columns.nth(place).unwrap_or("-")
}

pub(super) fn interface_id(interface: &Interface) -> &str {
    text(&interface.head)
        .split_ascii_whitespace()
        .nth(2)
        .unwrap_or("-")
}

pub(super) fn zone_name(interface: &Interface) -> &'static str {
    pick(&ZONE_NAMES, interface.zone_index, "-")
}

fn has_public_address(interface: &Interface) -> bool {
    interface.role == Role::Nat || (interface.role == Role::Instance && interface.public)
}

/// The container fields of a row: `(service, cluster, task)`.
fn task(interface: &Interface) -> Option<[&str; 3]> {
    let columns: Vec<&str> = text(&interface.container)
        .split_ascii_whitespace()
        .collect();
    let column = |place: usize| columns.get(place).copied();
    let task = [column(6)?, column(1)?, column(9)?];
    (interface.role == Role::Task).then_some(task)
}

pub(super) fn interfaces(world: &World) -> Vec<Value> {
    let of_sites = (0..VPCS * ZONES).map(site_interface);
    world
        .interfaces
        .iter()
        .map(interface)
        .chain(of_sites)
        .collect()
}

fn interface(interface: &Interface) -> Value {
    let index = interface.index;
    let (kind, description, requester) = match interface.role {
        Role::Instance | Role::Node => ("interface", String::new(), None),
        Role::Task => {
            let id = format!("{:016x}", mix(0xd_0000 + u64::from(index)));
            let arn = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:attachment/{id}");
            ("interface", arn, Some("578734482556"))
        }
        Role::LoadBalancer => {
            let name = format!("ELB {}", load_balancer_name(index));
            ("network_load_balancer", name, Some("amazon-elb"))
        }
        Role::Endpoint => {
            let name = format!("VPC Endpoint Interface {}", endpoint_id(index));
            ("vpc_endpoint", name, Some("727180483921"))
        }
        Role::Nat | Role::RegionalNat => {
            let name = format!("Interface for NAT Gateway {}", nat_gateway_id(index));
            ("nat_gateway", name, Some("amazon-nat"))
        }
        Role::Transit => (
            "transit_gateway",
            attachment_description(interface.vpc),
            Some("amazon-transit-gateway"),
        ),
    };
    let mut tags = tags(interface, [2, 3]);
    if let Some([service, cluster, _]) = task(interface) {
        tags.push(json!({"Key": "aws:ecs:clusterName", "Value": cluster}));
        if service != "-" {
            tags.push(json!({"Key": "aws:ecs:serviceName", "Value": service}));
        }
    }
    let prefixes = match interface.role {
        // A prefix of sixteen for the pods of a node.
        Role::Node => {
            let first = index * PODS_PER_NODE;
            let (second, third) = (64 + (first >> 16), (first >> 8) & 255);
            json!([{"Ipv4Prefix": format!("100.{second}.{third}.{}/28", first & 255)}])
        }
        _ => json!([]),
    };
    let groups = match interface.role {
        Role::Nat | Role::RegionalNat | Role::Transit => json!([]),
        role => json!([{"GroupId": group_id(interface.vpc, role)}]),
    };
    let mut address = json!({"PrivateIpAddress": text(interface.v4.as_bytes()), "Primary": true});
    let mut row = json!({
        "NetworkInterfaceId": interface_id(interface), "OwnerId": ACCOUNT, "VpcId": vpc_id(interface.vpc),
        "SubnetId": owner(interface, 1), "InterfaceType": kind, "Description": description, "Status": "in-use",
        "AvailabilityZone": zone_name(interface), "PrivateIpAddress": text(interface.v4.as_bytes()),
        "Ipv6Addresses": [{"Ipv6Address": text(interface.v6.as_bytes())}], "Ipv4Prefixes": prefixes,
        "Groups": groups, "TagSet": tags,
        "RequesterManaged": requester.is_some(), "SourceDestCheck": true,
    });
    if has_public_address(interface) {
        let (ip_owner, allocation) = match interface.role {
            Role::Nat => (ACCOUNT, Some(allocation_id(index))),
            _ => ("amazon", None),
        };
        let mut association = json!({"PublicIp": public_address(index), "IpOwnerId": ip_owner});
        set(&mut association, "AllocationId", allocation);
        set(&mut address, "Association", Some(association.clone()));
        set(&mut row, "Association", Some(association));
    }
    set(&mut row, "PrivateIpAddresses", Some(json!([address])));
    set(&mut row, "RequesterId", requester);
    if matches!(interface.role, Role::Instance | Role::Node) {
        let attachment = json!({"DeviceIndex": 0, "InstanceId": owner(interface, 2), "InstanceOwnerId": ACCOUNT,
            "Status": "attached", "AttachTime": "2026-03-01T09:00:00+00:00"});
        set(&mut row, "Attachment", Some(attachment));
    }
    row
}

fn attachment_description(vpc: u32) -> String {
    format!(
        "Network Interface for Transit Gateway Attachment {}",
        pick(&ATTACHMENT_IDS, vpc, "-")
    )
}

/// The transit gateway's own interface in a zone of a VPC.
fn site_interface(site: u32) -> Value {
    let (vpc, zone) = (site / ZONES, site % ZONES);
    let address = format!("{}.255.{}", pick(&NETWORKS, vpc, "-"), zone * 16 + 4);
    json!({
        "NetworkInterfaceId": site_interface_id(site), "OwnerId": ACCOUNT, "VpcId": vpc_id(vpc),
        "SubnetId": site_subnet_id(site), "InterfaceType": "transit_gateway", "Status": "in-use",
        "Description": attachment_description(vpc), "AvailabilityZone": pick(&ZONE_NAMES, zone, "-"),
        "PrivateIpAddress": address, "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": true}],
        "Groups": [], "TagSet": [], "RequesterManaged": true, "RequesterId": "amazon-transit-gateway",
    })
}

pub(super) fn reservations(world: &World) -> Vec<Value> {
    let instances = world
        .interfaces
        .iter()
        .filter(|interface| matches!(interface.role, Role::Instance | Role::Node));
    instances
        .map(|interface| {
            let mut tags = tags(interface, [0, 1]);
            let kind = if interface.role == Role::Node { "node" } else { "server" };
            tags.push(json!({"Key": "Name", "Value": format!("{kind}-{}", interface.index)}));
            json!({
                "ReservationId": id("r", 0x4_0000, interface.index), "OwnerId": ACCOUNT,
                "Instances": [{
                    "InstanceId": owner(interface, 2), "InstanceType": "m7g.large",
                    "State": {"Code": 16, "Name": "running"}, "VpcId": vpc_id(interface.vpc),
                    "SubnetId": owner(interface, 1), "PrivateIpAddress": text(interface.v4.as_bytes()),
                    "Placement": {"AvailabilityZone": zone_name(interface)},
                    "NetworkInterfaces": [{"NetworkInterfaceId": interface_id(interface)}], "Tags": tags,
                }],
            })
        })
        .collect()
}

pub(super) fn addresses(world: &World) -> Vec<Value> {
    let gateways = world
        .interfaces
        .iter()
        .filter(|interface| interface.role == Role::Nat);
    gateways
        .map(|interface| {
            json!({
                "PublicIp": public_address(interface.index), "AllocationId": allocation_id(interface.index),
                "Domain": "vpc", "NetworkInterfaceId": interface_id(interface), "NetworkInterfaceOwnerId": ACCOUNT,
                "PrivateIpAddress": text(interface.v4.as_bytes()), "PublicIpv4Pool": "amazon",
            })
        })
        .collect()
}
