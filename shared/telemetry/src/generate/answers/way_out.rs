//! Route tables, and the gateways that they lead to.

use serde_json::{Value, json};

use super::super::estate::{ACCOUNT, INTERFACES, REGION, SUBNETS_PER_VPC, VPCS, World, ZONES};
use super::super::interface::{Interface, Role, gateway_index};
use super::super::transit_gateway::GATEWAY_ID;
use super::interface::{allocation_id, interface_id, owner, public_address, text, zone_name};
use super::service::{GATEWAY_SERVICES, gateway_endpoint_id};
use super::{ON_PREMISES, VPN, id, network, network_v6, set, subnet_id, vpc_id};

const PEERING: &str = "pcx-0a1b2c3d4e5f60001";

fn internet_gateway_id(vpc: u32) -> String {
    id("igw", 0x7_2000, vpc)
}

pub(super) fn internet_gateway(vpc: u32) -> Value {
    json!({"InternetGatewayId": internet_gateway_id(vpc), "OwnerId": ACCOUNT,
        "Attachments": [{"State": "available", "VpcId": vpc_id(vpc)}]})
}

pub(super) fn nat_gateway_id(index: u32) -> String {
    id("nat", 0x7_3000, index)
}

/// Zonal ones, and the regional ones of the newest format, which have no interface.
pub(super) fn nat_gateways(world: &World, regional: &World) -> Vec<Value> {
    let gateway = |interface: &Interface| {
        let common = json!({"VpcId": vpc_id(interface.vpc), "ConnectivityType": "public", "State": "available"});
        let mut row = common;
        if interface.role == Role::Nat {
            set(
                &mut row,
                "NatGatewayId",
                Some(nat_gateway_id(interface.index)),
            );
            set(&mut row, "SubnetId", Some(owner(interface, 1)));
            set(
                &mut row,
                "NatGatewayAddresses",
                Some(json!([{
                    "NetworkInterfaceId": interface_id(interface), "PrivateIp": text(interface.v4.as_bytes()),
                    "PublicIp": public_address(interface.index), "AllocationId": allocation_id(interface.index),
                    "IsPrimary": true, "Status": "succeeded",
                }])),
            );
        } else {
            set(
                &mut row,
                "NatGatewayId",
                Some(text(&interface.resource).trim()),
            );
            set(&mut row, "AvailabilityMode", Some("regional"));
            set(
                &mut row,
                "NatGatewayAddresses",
                Some(json!([{
                    "PublicIp": public_address(INTERFACES + interface.index), "Status": "succeeded",
                    "AvailabilityZone": zone_name(interface),
                }])),
            );
        }
        row
    };
    let all = world.interfaces.iter().filter(|i| i.role == Role::Nat);
    let others = regional
        .interfaces
        .iter()
        .filter(|i| i.role == Role::RegionalNat);
    all.chain(others).map(gateway).collect()
}

/// The table of public subnets, then one for each zone.
fn table_id(vpc: u32, number: u32) -> String {
    id("rtb", 0x7_6000, vpc * 16 + number)
}

pub(super) fn tables_of(vpc: u32) -> Vec<String> {
    (0..=ZONES).map(|number| table_id(vpc, number)).collect()
}

pub(super) fn route_tables() -> Vec<Value> {
    let all = (0..VPCS).flat_map(|vpc| (0..=ZONES).map(move |number| (vpc, number)));
    all.map(|(vpc, number)| route_table(vpc, number)).collect()
}

fn route_table(vpc: u32, number: u32) -> Value {
    let is_public = number == 0;
    let table = table_id(vpc, number);
    let decided: Vec<u32> = (0..SUBNETS_PER_VPC)
        .filter(|subnet| match subnet / ZONES {
            0 => is_public,
            _ => subnet % ZONES + 1 == number,
        })
        .collect();
    let mut associations: Vec<Value> = decided
        .iter()
        .map(|subnet| {
            json!({"RouteTableId": table, "SubnetId": subnet_id(vpc, *subnet), "Main": false,
                "AssociationState": {"State": "associated"}})
        })
        .collect();
    if number == 1 {
        let main = json!({"RouteTableId": table, "Main": true, "AssociationState": {"State": "associated"}});
        associations.push(main);
    }
    let v4 = "DestinationCidrBlock";
    let mut routes = vec![
        [v4, &network(vpc), "GatewayId", "local"].map(str::to_owned),
        [v4, "100.64.0.0/16", "GatewayId", "local"].map(str::to_owned),
        [v4, "100.65.0.0/16", "GatewayId", "local"].map(str::to_owned),
        [
            "DestinationIpv6CidrBlock",
            &network_v6(vpc),
            "GatewayId",
            "local",
        ]
        .map(str::to_owned),
        [
            "DestinationIpv6CidrBlock",
            "::/0",
            "GatewayId",
            &internet_gateway_id(vpc),
        ]
        .map(str::to_owned),
        [v4, ON_PREMISES, "GatewayId", &vpn_gateway_id(vpc)].map(str::to_owned),
    ];
    routes.push(match is_public {
        true => [v4, "0.0.0.0/0", "GatewayId", &internet_gateway_id(vpc)].map(str::to_owned),
        false => {
            let gateway = nat_gateway_id(gateway_index(vpc, number - 1, 3));
            [v4, "0.0.0.0/0", "NatGatewayId", &gateway].map(str::to_owned)
        }
    });
    for (number, (_, list, _)) in GATEWAY_SERVICES.iter().enumerate() {
        let endpoint = gateway_endpoint_id(vpc, number);
        routes.push(["DestinationPrefixListId", list, "GatewayId", &endpoint].map(str::to_owned));
    }
    for far in (0..VPCS).filter(|far| *far != vpc) {
        let (member, target) = match vpc < 2 && far < 2 {
            true => ("VpcPeeringConnectionId", PEERING),
            false => ("TransitGatewayId", GATEWAY_ID),
        };
        routes.push([v4, &network(far), member, target].map(str::to_owned));
    }
    let routes: Vec<Value> = routes
        .into_iter()
        .map(|[destination, to, member, target]| {
            json!({destination: to, member: target, "Origin": "CreateRoute", "State": "active"})
        })
        .collect();
    json!({"RouteTableId": table, "VpcId": vpc_id(vpc), "OwnerId": ACCOUNT, "Associations": associations,
        "Routes": routes, "PropagatingVgws": []})
}

pub(super) fn peering() -> Value {
    let side = |vpc: u32| {
        json!({"VpcId": vpc_id(vpc), "OwnerId": ACCOUNT, "Region": REGION, "CidrBlock": network(vpc),
            "CidrBlockSet": [{"CidrBlock": network(vpc)}]})
    };
    json!({"VpcPeeringConnectionId": PEERING, "RequesterVpcInfo": side(0), "AccepterVpcInfo": side(1),
        "Status": {"Code": "active", "Message": "Active"}})
}

fn vpn_gateway_id(vpc: u32) -> String {
    id("vgw", 0x7_8000, vpc)
}

pub(super) fn vpn_gateway(vpc: u32) -> Value {
    json!({"VpnGatewayId": vpn_gateway_id(vpc), "State": "available", "Type": "ipsec.1",
        "VpcAttachments": [{"State": "attached", "VpcId": vpc_id(vpc)}]})
}

const CUSTOMER_GATEWAY: &str = "cgw-0a1b2c3d4e5f60001";

pub(super) fn customer_gateways() -> Vec<Value> {
    vec![
        json!({"CustomerGatewayId": CUSTOMER_GATEWAY, "State": "available", "Type": "ipsec.1",
        "IpAddress": "18.208.255.1", "BgpAsn": "65000"}),
    ]
}

pub(super) fn vpn_connections() -> Vec<Value> {
    let connection = |id: String, member: &str, gateway: &str| {
        json!({"VpnConnectionId": id, member: gateway, "CustomerGatewayId": CUSTOMER_GATEWAY, "State": "available",
            "Type": "ipsec.1", "Routes": [{"DestinationCidrBlock": ON_PREMISES, "State": "available"}]})
    };
    let of_gateway = connection(VPN.to_owned(), "TransitGatewayId", GATEWAY_ID);
    let of_vpcs = (0..VPCS).map(|vpc| {
        connection(
            id("vpn", 0x7_9000, vpc),
            "VpnGatewayId",
            &vpn_gateway_id(vpc),
        )
    });
    of_vpcs.chain([of_gateway]).collect()
}
