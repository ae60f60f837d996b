//! The estate as AWS's Describe operations tell it: a snapshot for each account and region.
//!
//! An account sees what it owns, what is shared with it, and its own side of what it has with others.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::block::Block;
use super::estate::*;

/// The blocks of S3 that gateway endpoints lead to.
pub const S3: &str = "52.216.0.0/15";

/// Sections of the answers, each with what makes its rows.
type Rows = fn(&Estate, &View) -> Vec<Value>;

const SECTIONS: [(&str, Rows); 23] = [
    ("AvailabilityZones", zones),
    ("Vpcs", vpcs),
    ("Subnets", subnets),
    ("NetworkInterfaces", interfaces),
    ("Reservations", reservations),
    ("Addresses", addresses),
    ("RouteTables", route_tables),
    ("InternetGateways", internet_gateways),
    ("EgressOnlyInternetGateways", egress_only),
    ("NatGateways", nat_gateways),
    ("VpcEndpoints", endpoints),
    ("VpcPeeringConnections", peerings),
    ("PrefixLists", prefix_lists),
    ("VpnGateways", vpn_gateways),
    ("VpnConnections", vpn_connections),
    ("TransitGateways", transit_gateways),
    ("TransitGatewayAttachments", attachments),
    ("TransitGatewayVpcAttachments", vpc_attachments),
    ("TransitGatewayPeeringAttachments", peering_attachments),
    ("TransitGatewayRouteTables", transit_tables),
    ("TransitGatewayRouteTableAssociations", associations),
    ("TransitGatewayPropagations", propagations),
    ("TransitGatewayRoutes", transit_routes),
];

/// Names of the sections, to choose those that are denied from.
pub fn sections() -> Vec<&'static str> {
    SECTIONS.iter().map(|(section, _)| *section).collect()
}

/// Who asks, where and when.
struct View {
    account: usize,
    region: usize,
    time: i64,
}

/// What one account and region answers.
pub struct Document {
    pub account: String,
    pub region: String,
    pub snapshot: Value,
}

/// A snapshot of each account that is asked, in each region, at a time. Sections that are denied are
/// not in it, and it says so.
pub fn documents(estate: &Estate, time: i64, denied: &HashSet<&str>) -> Vec<Document> {
    let mut documents = Vec::new();
    for (account, asked) in estate.accounts.iter().enumerate() {
        if !asked.collected {
            continue;
        }
        for (region, (name, _)) in REGIONS.iter().enumerate().take(estate.regions) {
            let view = View {
                account,
                region,
                time,
            };
            documents.push(Document {
                account: asked.id.clone(),
                region: (*name).to_owned(),
                snapshot: snapshot(estate, &view, denied),
            });
        }
    }
    documents
}

fn moment(time: i64) -> String {
    jiff::Timestamp::from_second(time).unwrap().to_string()
}

fn snapshot(estate: &Estate, view: &View, denied: &HashSet<&str>) -> Value {
    let mut sections = Map::new();
    let mut reports = Vec::new();
    for (section, rows) in SECTIONS {
        let rows = (!denied.contains(section)).then(|| rows(estate, view));
        let state = match &rows {
            None => "denied",
            Some(rows) if rows.is_empty() => "empty",
            Some(_) => "ok",
        };
        let mut report = json!({"Section": section, "State": state});
        if rows.is_some() {
            report["Observed"] = moment(view.time).into();
        }
        reports.push(report);
        if let Some(rows) = rows {
            sections.insert(section.to_owned(), rows.into());
        }
    }
    let mut document = Map::new();
    let collection = json!({
        "Version": 1, "Account": estate.accounts[view.account].id, "Region": REGIONS[view.region].0,
        "Partition": "aws", "Roles": [], "Started": moment(view.time), "Finished": moment(view.time),
        "Endpoints": reports,
    });
    document.insert("Collection".to_owned(), collection);
    document.extend(sections);
    document.into()
}

impl Estate {
    fn owns_vpc(&self, view: &View, vpc: usize) -> bool {
        let vpc = &self.vpcs[vpc];
        vpc.account == view.account && vpc.region == view.region
    }

    fn sees_subnet(&self, view: &View, subnet: usize) -> bool {
        let subnet = &self.subnets[subnet];
        let is_here = self.vpcs[subnet.vpc].region == view.region;
        let is_guest = subnet.shared_with == Some(view.account);
        self.owns_vpc(view, subnet.vpc) || (is_here && is_guest)
    }

    fn sees_vpc(&self, view: &View, vpc: usize) -> bool {
        let through_subnet = |at: usize| self.subnets[at].vpc == vpc && self.sees_subnet(view, at);
        self.owns_vpc(view, vpc) || (0..self.subnets.len()).any(through_subnet)
    }

    fn owns_gateway(&self, view: &View, gateway: usize) -> bool {
        let gateway = &self.gateways[gateway];
        gateway.account == view.account && gateway.region == view.region
    }

    /// Whether an attachment is one of the account's VPCs.
    fn attaches_own(&self, view: &View, attachment: usize) -> bool {
        match self.attachments[attachment].kind {
            Attached::Vpc { vpc, .. } => self.owns_vpc(view, vpc),
            _ => false,
        }
    }

    fn account_id(&self, account: usize) -> &str {
        &self.accounts[account].id
    }

    fn visible_interfaces(&self, view: &View) -> Vec<&Interface> {
        let is_visible = |at: &usize| {
            let interface = &self.interfaces[*at];
            let vpc = self.vpc_of(*at);
            let is_guests = interface.owner == view.account;
            let is_here = self.vpcs[vpc].region == view.region;
            interface.lives(view.time) && (self.owns_vpc(view, vpc) || (is_here && is_guests))
        };
        (0..self.interfaces.len())
            .filter(is_visible)
            .map(|at| &self.interfaces[at])
            .collect()
    }
}

fn zones(estate: &Estate, view: &View) -> Vec<Value> {
    let (region, zones) = REGIONS[view.region];
    let zone = |zone: usize| {
        json!({"ZoneName": estate.zone_name(view.account, view.region, zone), "ZoneId": format!("{zones}{}", zone + 1),
            "RegionName": region, "State": "available"})
    };
    (0..ZONES).map(zone).collect()
}

fn split(blocks: &[Block]) -> (Vec<Block>, Vec<Block>) {
    blocks.iter().partition(|block| block.is_v4())
}

fn vpcs(estate: &Estate, view: &View) -> Vec<Value> {
    let visible = (0..estate.vpcs.len()).filter(|at| estate.sees_vpc(view, *at));
    visible
        .map(|at| {
            let vpc = &estate.vpcs[at];
            let (v4, v6) = split(&vpc.blocks);
            let associated = |family: &str, state: &str, block: &Block| {
                json!({"AssociationId": format!("vpc-cidr-assoc-{}-{block}", vpc.id), family: block.to_string(),
                    state: {"State": "associated"}})
            };
            json!({
                "VpcId": vpc.id, "OwnerId": estate.account_id(vpc.account), "State": "available",
                "CidrBlock": v4[0].to_string(), "IsDefault": false, "InstanceTenancy": "default",
                "CidrBlockAssociationSet": v4.iter().map(|b| associated("CidrBlock", "CidrBlockState", b)).collect::<Vec<_>>(),
                "Ipv6CidrBlockAssociationSet": v6.iter().map(|b| associated("Ipv6CidrBlock", "Ipv6CidrBlockState", b)).collect::<Vec<_>>(),
                "Tags": [{"Key": "Name", "Value": format!("name of {}", vpc.id)}],
            })
        })
        .collect()
}

fn subnets(estate: &Estate, view: &View) -> Vec<Value> {
    let visible = (0..estate.subnets.len()).filter(|at| estate.sees_subnet(view, *at));
    visible
        .map(|at| {
            let subnet = &estate.subnets[at];
            let vpc = &estate.vpcs[subnet.vpc];
            let (v4, v6) = split(&subnet.blocks);
            let v6: Vec<Value> = v6
                .iter()
                .map(|block| json!({"Ipv6CidrBlock": block.to_string(), "Ipv6CidrBlockState": {"State": "associated"}}))
                .collect();
            json!({
                "SubnetId": subnet.id, "VpcId": vpc.id, "OwnerId": estate.account_id(vpc.account),
                "CidrBlock": v4[0].to_string(), "Ipv6CidrBlockAssociationSet": v6, "State": "available",
                "AvailabilityZone": estate.zone_name(view.account, vpc.region, subnet.zone),
                "AvailabilityZoneId": estate.zone_id(at), "AvailableIpAddressCount": 200,
            })
        })
        .collect()
}

fn interfaces(estate: &Estate, view: &View) -> Vec<Value> {
    let interface = |interface: &Interface| {
        let subnet = &estate.subnets[interface.subnet];
        let owner = estate.account_id(interface.owner);
        let association = interface.public.map(|public| {
            json!({"PublicIp": public, "IpOwnerId": if interface.elastic { owner } else { "amazon" }})
        });
        let addresses: Vec<Value> = interface
            .v4
            .iter()
            .enumerate()
            .map(|(at, address)| {
                let mut row = json!({"PrivateIpAddress": address, "Primary": at == 0});
                if let (0, Some(association)) = (at, &association) {
                    row["Association"] = association.clone();
                }
                row
            })
            .collect();
        let prefixes = |v4: bool, member: &str| {
            let prefixes = interface
                .prefixes
                .iter()
                .filter(|prefix| prefix.is_v4() == v4);
            prefixes
                .map(|prefix| json!({member: prefix.to_string()}))
                .collect::<Vec<_>>()
        };
        let (kind, description) = match &interface.kind {
            Kind::Instance(_) | Kind::Plain => ("interface", String::new()),
            Kind::Nat(id) => ("nat_gateway", format!("Interface for NAT Gateway {id}")),
            Kind::Transit(at) => (
                "transit_gateway",
                format!(
                    "Network Interface for Transit Gateway Attachment {}",
                    estate.attachments[*at].id
                ),
            ),
            Kind::Endpoint(id) => ("vpc_endpoint", format!("VPC Endpoint Interface {id}")),
            Kind::LoadBalancer(name) => {
                ("load_balancer", format!("ELB app/{name}/50dc6c495c0c9188"))
            }
        };
        let mut row = json!({
            "NetworkInterfaceId": interface.id, "OwnerId": owner, "SubnetId": subnet.id,
            "VpcId": estate.vpcs[subnet.vpc].id, "InterfaceType": kind, "Description": description, "Status": "in-use",
            "AvailabilityZone": estate.zone_name(view.account, view.region, subnet.zone),
            "PrivateIpAddress": interface.v4[0], "PrivateIpAddresses": addresses,
            "Ipv6Addresses": interface.v6.iter().map(|a| json!({"Ipv6Address": a})).collect::<Vec<_>>(),
            "Ipv4Prefixes": prefixes(true, "Ipv4Prefix"), "Ipv6Prefixes": prefixes(false, "Ipv6Prefix"),
            "Groups": [], "TagSet": [], "RequesterManaged": !matches!(interface.kind, Kind::Instance(_)),
        });
        if let Some(association) = association {
            row["Association"] = association;
        }
        if let Kind::Instance(instance) = &interface.kind {
            row["Attachment"] = json!({"AttachmentId": format!("eni-attach-{}", interface.id), "DeviceIndex": 0,
                "InstanceId": instance, "InstanceOwnerId": owner, "Status": "attached"});
            if interface.dated {
                row["Attachment"]["AttachTime"] = moment(interface.life.start).into();
            }
        }
        row
    };
    estate
        .visible_interfaces(view)
        .into_iter()
        .map(interface)
        .collect()
}

fn reservations(estate: &Estate, view: &View) -> Vec<Value> {
    let own = estate.visible_interfaces(view).into_iter();
    own.filter(|interface| interface.owner == view.account)
        .filter_map(|interface| {
            let Kind::Instance(id) = &interface.kind else {
                return None;
            };
            let subnet = &estate.subnets[interface.subnet];
            Some(json!({
                "ReservationId": format!("r-{id}"), "OwnerId": estate.account_id(interface.owner),
                "Instances": [{
                    "InstanceId": id, "State": {"Code": 16, "Name": "running"}, "InstanceType": "m7g.large",
                    "PrivateIpAddress": interface.v4[0], "SubnetId": subnet.id, "VpcId": estate.vpcs[subnet.vpc].id,
                    "Placement": {"AvailabilityZone": estate.zone_name(view.account, view.region, subnet.zone)},
                    "NetworkInterfaces": [{"NetworkInterfaceId": interface.id}],
                }],
            }))
        })
        .collect()
}

fn addresses(estate: &Estate, view: &View) -> Vec<Value> {
    let own = estate.visible_interfaces(view).into_iter();
    own.filter(|interface| interface.owner == view.account && interface.elastic)
        .map(|interface| {
            json!({
                "PublicIp": interface.public, "AllocationId": format!("eipalloc-{}", interface.id), "Domain": "vpc",
                "AssociationId": format!("eipassoc-{}", interface.id), "NetworkInterfaceId": interface.id,
                "NetworkInterfaceOwnerId": estate.account_id(interface.owner), "PrivateIpAddress": interface.v4[0],
            })
        })
        .collect()
}

fn route_tables(estate: &Estate, view: &View) -> Vec<Value> {
    let table = |at: usize| -> Option<Value> {
        let table = &estate.tables[at];
        let vpc = &estate.vpcs[table.vpc];
        let deciding = |subnet: usize| estate.table_of(subnet) == at;
        let visible = |subnet: usize| {
            estate.subnets[subnet].vpc == table.vpc && estate.sees_subnet(view, subnet)
        };
        let for_guests = (0..estate.subnets.len()).any(|at| visible(at) && deciding(at));
        if !estate.owns_vpc(view, table.vpc) && !for_guests {
            return None;
        }
        let associated = |name: &str, id: &str, is_main: bool| {
            json!({"RouteTableId": table.id, "RouteTableAssociationId": format!("rtbassoc-{id}"), name: id,
                "Main": is_main, "AssociationState": {"State": "associated"}})
        };
        let mut associations = Vec::new();
        if vpc.main == at {
            associations.push(json!({"RouteTableId": table.id, "Main": true,
                "RouteTableAssociationId": format!("rtbassoc-{}", table.id), "AssociationState": {"State": "associated"}}));
        }
        for subnet in &estate.subnets {
            if subnet.table == Some(at) {
                associations.push(associated("SubnetId", &subnet.id, false));
            }
        }
        let mut routes: Vec<Value> = table
            .routes
            .iter()
            .map(|r| route(estate, table, r))
            .collect();
        if let Some(endpoint) = &vpc.s3_endpoint {
            routes.push(
                json!({"DestinationPrefixListId": "pl-63a5400a", "GatewayId": endpoint,
                "Origin": "CreateRoute", "State": "active"}),
            );
        }
        Some(json!({
            "RouteTableId": table.id, "VpcId": vpc.id, "OwnerId": estate.account_id(vpc.account),
            "Associations": associations, "Routes": routes, "PropagatingVgws": [], "Tags": [],
        }))
    };
    (0..estate.tables.len()).filter_map(table).collect()
}

fn route(estate: &Estate, table: &Table, route: &Route) -> Value {
    let vpc = &estate.vpcs[table.vpc];
    let text = |id: &Option<String>| id.clone().unwrap();
    let (member, target) = match route.target {
        Target::Local => ("GatewayId", "local".to_owned()),
        Target::InternetGateway => ("GatewayId", text(&vpc.internet_gateway)),
        Target::EgressOnly => ("EgressOnlyInternetGatewayId", text(&vpc.egress_only)),
        Target::Nat(at) => match &estate.interfaces[at].kind {
            Kind::Nat(id) => ("NatGatewayId", id.clone()),
            other => panic!("{other:?} is no NAT gateway"),
        },
        Target::VpnGateway => ("GatewayId", text(&vpc.vpn_gateway)),
        Target::Peering(at) => ("VpcPeeringConnectionId", estate.peerings[at].id.clone()),
        Target::Transit(at) => ("TransitGatewayId", estate.gateways[at].id.clone()),
    };
    let is_active = !matches!(route.target, Target::Peering(at) if !estate.peerings[at].active);
    let family = if route.to.is_v4() {
        "DestinationCidrBlock"
    } else {
        "DestinationIpv6CidrBlock"
    };
    json!({family: route.to.to_string(), member: target, "Origin": "CreateRoute",
        "State": if is_active { "active" } else { "blackhole" }})
}

fn own_vpcs<'e>(estate: &'e Estate, view: &View) -> Vec<&'e Vpc> {
    (0..estate.vpcs.len())
        .filter(|at| estate.owns_vpc(view, *at))
        .map(|at| &estate.vpcs[at])
        .collect()
}

fn internet_gateways(estate: &Estate, view: &View) -> Vec<Value> {
    let gateway = |vpc: &Vpc| {
        Some(
            json!({"InternetGatewayId": vpc.internet_gateway.as_ref()?, "OwnerId": estate.account_id(vpc.account),
            "Attachments": [{"VpcId": vpc.id, "State": "available"}]}),
        )
    };
    own_vpcs(estate, view)
        .into_iter()
        .filter_map(gateway)
        .collect()
}

fn egress_only(estate: &Estate, view: &View) -> Vec<Value> {
    let gateway = |vpc: &Vpc| {
        Some(
            json!({"EgressOnlyInternetGatewayId": vpc.egress_only.as_ref()?,
            "Attachments": [{"VpcId": vpc.id, "State": "attached"}]}),
        )
    };
    own_vpcs(estate, view)
        .into_iter()
        .filter_map(gateway)
        .collect()
}

fn nat_gateways(estate: &Estate, view: &View) -> Vec<Value> {
    let own = estate.visible_interfaces(view).into_iter();
    own.filter_map(|interface| {
        let Kind::Nat(id) = &interface.kind else {
            return None;
        };
        let subnet = &estate.subnets[interface.subnet];
        let is_own = estate.owns_vpc(view, subnet.vpc);
        is_own.then(|| {
            json!({
                "NatGatewayId": id, "VpcId": estate.vpcs[subnet.vpc].id, "SubnetId": subnet.id,
                "ConnectivityType": "public", "State": "available",
                "NatGatewayAddresses": [{"NetworkInterfaceId": interface.id, "PrivateIp": interface.v4[0],
                    "PublicIp": interface.public, "AllocationId": format!("eipalloc-{}", interface.id),
                    "IsPrimary": true, "Status": "succeeded"}],
            })
        })
    })
    .collect()
}

fn endpoints(estate: &Estate, view: &View) -> Vec<Value> {
    let region = REGIONS[view.region].0;
    let own = estate.visible_interfaces(view).into_iter();
    let interface = own.filter_map(|interface| {
        let Kind::Endpoint(id) = &interface.kind else {
            return None;
        };
        let subnet = &estate.subnets[interface.subnet];
        let is_own = interface.owner == view.account;
        is_own.then(|| {
            json!({
                "VpcEndpointId": id, "VpcEndpointType": "Interface", "VpcId": estate.vpcs[subnet.vpc].id,
                "OwnerId": estate.account_id(interface.owner), "State": "available",
                "ServiceName": format!("com.amazonaws.{region}.ssm"), "NetworkInterfaceIds": [interface.id],
                "SubnetIds": [subnet.id],
            })
        })
    });
    let gateway = own_vpcs(estate, view).into_iter().filter_map(|vpc| {
        Some(json!({
            "VpcEndpointId": vpc.s3_endpoint.as_ref()?, "VpcEndpointType": "Gateway", "VpcId": vpc.id,
            "OwnerId": estate.account_id(vpc.account), "State": "available",
            "ServiceName": format!("com.amazonaws.{region}.s3"),
        }))
    });
    interface.chain(gateway).collect()
}

fn peerings(estate: &Estate, view: &View) -> Vec<Value> {
    let visible = estate.peerings.iter().filter(|peering| {
        estate.owns_vpc(view, peering.requester) || estate.owns_vpc(view, peering.accepter)
    });
    visible
        .map(|peering| {
            let side = |vpc: usize| {
                let vpc = &estate.vpcs[vpc];
                let mut side = json!({"VpcId": vpc.id, "OwnerId": estate.account_id(vpc.account),
                    "Region": REGIONS[vpc.region].0});
                // Who has not agreed yet does not tell more.
                if peering.active {
                    let (v4, v6) = split(&vpc.blocks);
                    side["CidrBlock"] = v4[0].to_string().into();
                    side["CidrBlockSet"] = v4.iter().map(|b| json!({"CidrBlock": b.to_string()})).collect();
                    side["Ipv6CidrBlockSet"] = v6.iter().map(|b| json!({"Ipv6CidrBlock": b.to_string()})).collect();
                }
                side
            };
            json!({
                "VpcPeeringConnectionId": peering.id, "RequesterVpcInfo": side(peering.requester),
                "AccepterVpcInfo": side(peering.accepter),
                "Status": {"Code": if peering.active { "active" } else { "pending-acceptance" }, "Message": ""},
            })
        })
        .collect()
}

fn prefix_lists(_: &Estate, view: &View) -> Vec<Value> {
    let name = format!("com.amazonaws.{}.s3", REGIONS[view.region].0);
    vec![json!({"PrefixListId": "pl-63a5400a", "PrefixListName": name, "Cidrs": [S3]})]
}

fn vpn_gateways(estate: &Estate, view: &View) -> Vec<Value> {
    let gateway = |vpc: &Vpc| {
        Some(
            json!({"VpnGatewayId": vpc.vpn_gateway.as_ref()?, "State": "available", "Type": "ipsec.1",
            "VpcAttachments": [{"VpcId": vpc.id, "State": "attached"}]}),
        )
    };
    own_vpcs(estate, view)
        .into_iter()
        .filter_map(gateway)
        .collect()
}

fn vpn_connections(estate: &Estate, view: &View) -> Vec<Value> {
    let of_vpcs = own_vpcs(estate, view).into_iter().filter_map(|vpc| {
        let gateway = vpc.vpn_gateway.as_ref()?;
        Some(json!({"VpnConnectionId": format!("vpn-of-{gateway}"), "VpnGatewayId": gateway, "State": "available",
            "CustomerGatewayId": format!("cgw-of-{gateway}"), "Type": "ipsec.1"}))
    });
    let of_gateways = own_attachments(estate, view).into_iter().filter_map(|at| {
        let attachment = &estate.attachments[at];
        let Attached::Vpn { id, blocks } = &attachment.kind else {
            return None;
        };
        let routes: Vec<Value> = blocks
            .iter()
            .map(|b| json!({"DestinationCidrBlock": b.to_string(), "State": "available", "Source": "Static"}))
            .collect();
        Some(json!({"VpnConnectionId": id, "TransitGatewayId": estate.gateways[attachment.sides[0].0].id,
            "CustomerGatewayId": format!("cgw-of-{id}"), "State": "available", "Type": "ipsec.1", "Routes": routes}))
    });
    of_vpcs.chain(of_gateways).collect()
}

/// Attachments of the account's own transit gateways.
fn own_attachments(estate: &Estate, view: &View) -> Vec<usize> {
    (0..estate.attachments.len())
        .filter(|at| {
            let mut sides = estate.attachments[*at].sides.iter();
            sides.any(|(gateway, _)| estate.owns_gateway(view, *gateway))
        })
        .collect()
}

/// Attachments of the account's own transit gateways and VPCs.
fn seen_attachments(estate: &Estate, view: &View) -> Vec<usize> {
    let own = own_attachments(estate, view);
    (0..estate.attachments.len())
        .filter(|at| own.contains(at) || estate.attaches_own(view, *at))
        .collect()
}

fn transit_gateways(estate: &Estate, view: &View) -> Vec<Value> {
    let is_shared = |gateway: usize| {
        seen_attachments(estate, view).into_iter().any(|at| {
            let attachment = &estate.attachments[at];
            estate.attaches_own(view, at) && attachment.sides[0].0 == gateway
        })
    };
    (0..estate.gateways.len())
        .filter(|at| estate.owns_gateway(view, *at) || is_shared(*at))
        .map(|at| {
            let gateway = &estate.gateways[at];
            let owner = estate.account_id(gateway.account);
            json!({
                "TransitGatewayId": gateway.id, "OwnerId": owner, "State": "available",
                "TransitGatewayArn": format!("arn:aws:ec2:{}:{owner}:transit-gateway/{}", REGIONS[gateway.region].0, gateway.id),
                "Options": {"AmazonSideAsn": 64512, "DefaultRouteTableAssociation": "disable", "DefaultRouteTablePropagation": "disable"},
            })
        })
        .collect()
}

/// Type and id of what is attached, as a gateway calls it.
fn resource(estate: &Estate, attachment: usize, gateway: usize) -> (&'static str, String, usize) {
    let attachment = &estate.attachments[attachment];
    match &attachment.kind {
        Attached::Vpc { vpc, .. } => {
            let vpc = &estate.vpcs[*vpc];
            ("vpc", vpc.id.clone(), vpc.account)
        }
        Attached::Vpn { id, .. } => ("vpn", id.clone(), estate.gateways[gateway].account),
        Attached::Peering => {
            let mut sides = attachment.sides.iter().map(|(side, _)| *side);
            let other = sides.find(|side| *side != gateway).unwrap();
            let other = &estate.gateways[other];
            ("peering", other.id.clone(), other.account)
        }
    }
}

fn attachments(estate: &Estate, view: &View) -> Vec<Value> {
    let mut rows = Vec::new();
    for at in seen_attachments(estate, view) {
        let attachment = &estate.attachments[at];
        for (gateway, table) in &attachment.sides {
            if !estate.owns_gateway(view, *gateway) && !estate.attaches_own(view, at) {
                continue;
            }
            let (kind, id, owner) = resource(estate, at, *gateway);
            let mut row = json!({
                "TransitGatewayAttachmentId": attachment.id, "TransitGatewayId": estate.gateways[*gateway].id,
                "TransitGatewayOwnerId": estate.account_id(estate.gateways[*gateway].account),
                "ResourceOwnerId": estate.account_id(owner), "ResourceType": kind, "ResourceId": id, "State": "available",
            });
            if let Some(table) = table {
                row["Association"] = json!({"TransitGatewayRouteTableId": estate.transit_tables[*table].id, "State": "associated"});
            }
            rows.push(row);
        }
    }
    rows
}

fn vpc_attachments(estate: &Estate, view: &View) -> Vec<Value> {
    seen_attachments(estate, view)
        .into_iter()
        .filter_map(|at| {
            let attachment = &estate.attachments[at];
            let Attached::Vpc { vpc, subnets } = &attachment.kind else {
                return None;
            };
            let subnets: Vec<&str> = subnets.iter().map(|at| estate.subnets[*at].id.as_str()).collect();
            Some(json!({
                "TransitGatewayAttachmentId": attachment.id, "TransitGatewayId": estate.gateways[attachment.sides[0].0].id,
                "VpcId": estate.vpcs[*vpc].id, "VpcOwnerId": estate.account_id(estate.vpcs[*vpc].account),
                "State": "available", "SubnetIds": subnets, "Options": {"ApplianceModeSupport": "disable", "Ipv6Support": "enable"},
            }))
        })
        .collect()
}

fn peering_attachments(estate: &Estate, view: &View) -> Vec<Value> {
    own_attachments(estate, view)
        .into_iter()
        .filter_map(|at| {
            let attachment = &estate.attachments[at];
            let [(requester, _), (accepter, _)] = attachment.sides[..] else {
                return None;
            };
            let side = |gateway: usize| {
                let gateway = &estate.gateways[gateway];
                json!({"TransitGatewayId": gateway.id, "OwnerId": estate.account_id(gateway.account),
                    "Region": REGIONS[gateway.region].0})
            };
            Some(json!({"TransitGatewayAttachmentId": attachment.id, "State": "available",
                "RequesterTgwInfo": side(requester), "AccepterTgwInfo": side(accepter)}))
        })
        .collect()
}

fn own_tables<'e>(estate: &'e Estate, view: &View) -> Vec<(usize, &'e TransitTable)> {
    let tables = estate.transit_tables.iter().enumerate();
    tables
        .filter(|(_, table)| estate.owns_gateway(view, table.gateway))
        .collect()
}

fn transit_tables(estate: &Estate, view: &View) -> Vec<Value> {
    own_tables(estate, view)
        .into_iter()
        .map(|(_, table)| {
            json!({"TransitGatewayRouteTableId": table.id, "TransitGatewayId": estate.gateways[table.gateway].id,
                "State": "available", "DefaultAssociationRouteTable": false, "DefaultPropagationRouteTable": false})
        })
        .collect()
}

/// An attachment as route tables of a gateway name it.
fn link(estate: &Estate, attachment: usize, gateway: usize) -> Value {
    let (kind, id, _) = resource(estate, attachment, gateway);
    json!({"TransitGatewayAttachmentId": estate.attachments[attachment].id, "ResourceId": id, "ResourceType": kind})
}

fn associations(estate: &Estate, view: &View) -> Vec<Value> {
    own_tables(estate, view)
        .into_iter()
        .map(|(at, table)| {
            let associated = (0..estate.attachments.len()).filter(|attachment| {
                let sides = &estate.attachments[*attachment].sides;
                sides.contains(&(table.gateway, Some(at)))
            });
            let rows: Vec<Value> = associated
                .map(|attachment| {
                    let mut row = link(estate, attachment, table.gateway);
                    row["State"] = "associated".into();
                    row
                })
                .collect();
            json!({"TransitGatewayRouteTableId": table.id, "Associations": rows})
        })
        .collect()
}

fn propagations(estate: &Estate, view: &View) -> Vec<Value> {
    own_tables(estate, view)
        .into_iter()
        .map(|(_, table)| {
            let rows: Vec<Value> = table
                .propagating
                .iter()
                .map(|attachment| {
                    let mut row = link(estate, *attachment, table.gateway);
                    row["State"] = "enabled".into();
                    row
                })
                .collect();
            json!({"TransitGatewayRouteTableId": table.id, "TransitGatewayRouteTablePropagations": rows})
        })
        .collect()
}

fn transit_routes(estate: &Estate, view: &View) -> Vec<Value> {
    own_tables(estate, view)
        .into_iter()
        .map(|(_, table)| {
            let rows: Vec<Value> = table
                .routes
                .iter()
                .map(|route| {
                    let mut row = json!({"DestinationCidrBlock": route.to.to_string(),
                        "Type": if route.propagated { "propagated" } else { "static" },
                        "State": if route.attachment.is_some() { "active" } else { "blackhole" }});
                    if let Some(attachment) = route.attachment {
                        row["TransitGatewayAttachments"] = json!([link(estate, attachment, table.gateway)]);
                    }
                    row
                })
                .collect();
            json!({"TransitGatewayRouteTableId": table.id, "Routes": rows, "AdditionalRoutesAvailable": false})
        })
        .collect()
}
