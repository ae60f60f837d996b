//! The transit gateway: what is attached to it, and its route table.

use serde_json::{Value, json};

use super::super::estate::{ACCOUNT, REGION, VPC_IDS, VPCS, ZONES};
use super::super::text::pick;
use super::super::transit_gateway::{ATTACHMENT_IDS, GATEWAY_ID, site_subnet_id};
use super::{ON_PREMISES, VPN, network, network_v6, set, vpc_id};

const TRANSIT_TABLE: &str = "tgw-rtb-0abc12345def67890";
const DIRECT_CONNECT_GATEWAY: &str = "0a1b2c3d-4e5f-4a1b-8c2d-3e4f5a6b7c8d";

pub(super) fn transit_gateway() -> Value {
    json!({
        "TransitGatewayId": GATEWAY_ID, "OwnerId": ACCOUNT, "State": "available", "Description": "generated",
        "TransitGatewayArn": format!("arn:aws:ec2:{REGION}:{ACCOUNT}:transit-gateway/{GATEWAY_ID}"),
        "Options": {"AmazonSideAsn": 64_512, "DefaultRouteTableAssociation": "enable",
            "AssociationDefaultRouteTableId": TRANSIT_TABLE, "DefaultRouteTablePropagation": "enable",
            "PropagationDefaultRouteTableId": TRANSIT_TABLE},
    })
}

/// What is attached to the transit gateway: attachment, type and id.
fn attached() -> Vec<(&'static str, &'static str, &'static str)> {
    let vpcs = VPC_IDS.iter().map(|vpc| ("vpc", *vpc));
    let resources = vpcs.chain([
        ("vpn", VPN),
        ("direct-connect-gateway", DIRECT_CONNECT_GATEWAY),
    ]);
    ATTACHMENT_IDS
        .iter()
        .zip(resources)
        .map(|(attachment, (kind, id))| (*attachment, kind, id))
        .collect()
}

pub(super) fn attachments() -> Vec<Value> {
    let row = |(attachment, kind, id)| {
        json!({
            "TransitGatewayAttachmentId": attachment, "TransitGatewayId": GATEWAY_ID,
            "TransitGatewayOwnerId": ACCOUNT, "ResourceOwnerId": ACCOUNT, "ResourceType": kind, "ResourceId": id,
            "State": "available",
            "Association": {"TransitGatewayRouteTableId": TRANSIT_TABLE, "State": "associated"},
        })
    };
    attached().into_iter().map(row).collect()
}

pub(super) fn vpc_attachment(vpc: u32) -> Value {
    let subnets: Vec<String> = (0..ZONES)
        .map(|zone| site_subnet_id(vpc * ZONES + zone))
        .collect();
    json!({
        "TransitGatewayAttachmentId": pick(&ATTACHMENT_IDS, vpc, "-"), "TransitGatewayId": GATEWAY_ID,
        "VpcId": vpc_id(vpc), "VpcOwnerId": ACCOUNT, "State": "available", "SubnetIds": subnets,
        "Options": {"ApplianceModeSupport": "disable", "Ipv6Support": "enable"},
    })
}

pub(super) fn transit_table() -> Value {
    json!({"TransitGatewayRouteTableId": TRANSIT_TABLE, "TransitGatewayId": GATEWAY_ID, "State": "available",
        "DefaultAssociationRouteTable": true, "DefaultPropagationRouteTable": true})
}

fn link((attachment, kind, id): (&str, &str, &str), state: Option<&str>) -> Value {
    let mut row =
        json!({"TransitGatewayAttachmentId": attachment, "ResourceType": kind, "ResourceId": id});
    set(&mut row, "State", state);
    row
}

pub(super) fn associations() -> Value {
    let rows: Vec<Value> = attached()
        .into_iter()
        .map(|a| link(a, Some("associated")))
        .collect();
    json!({"TransitGatewayRouteTableId": TRANSIT_TABLE, "Associations": rows})
}

pub(super) fn propagations() -> Value {
    let rows: Vec<Value> = attached()
        .into_iter()
        .map(|a| link(a, Some("enabled")))
        .collect();
    json!({"TransitGatewayRouteTableId": TRANSIT_TABLE, "TransitGatewayRouteTablePropagations": rows})
}

pub(super) fn transit_routes() -> Value {
    let attached = attached();
    let route = |to: String, place: usize, how: &str| {
        let by: Vec<Value> = attached
            .get(place)
            .map(|a| link(*a, None))
            .into_iter()
            .collect();
        json!({"DestinationCidrBlock": to, "Type": how, "State": "active", "TransitGatewayAttachments": by})
    };
    let mut routes = Vec::new();
    for vpc in 0..VPCS {
        for block in [network(vpc), network_v6(vpc)] {
            routes.push(route(block, vpc as usize, "propagated"));
        }
    }
    // Of two ways to the data centre, that through Direct Connect is taken. The last VPC holds the way out
    // to the internet.
    routes.push(route(ON_PREMISES.to_owned(), 4, "propagated"));
    routes.push(route("0.0.0.0/0".to_owned(), VPCS as usize - 1, "static"));
    json!({"TransitGatewayRouteTableId": TRANSIT_TABLE, "Routes": routes, "AdditionalRoutesAvailable": false})
}
