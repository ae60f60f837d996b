use super::*;
use crate::describe::catalogue::{CATALOGUE, Rows};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::Write;

fn from(account: &str, region: &str) -> Origin {
    Origin {
        account: Some(account.to_owned()),
        region: Some(region.to_owned()),
        seen: None,
    }
}

fn at(seen: &str, origin: Origin) -> Origin {
    Origin {
        seen: Some(seen.parse().unwrap()),
        ..origin
    }
}

fn inventory(documents: &[(Value, Origin)]) -> Inventory {
    let mut builder = InventoryBuilder::new();
    for (document, origin) in documents {
        builder.add(document, origin.clone());
    }
    builder.finish()
}

fn one(document: Value) -> Inventory {
    inventory(&[(document, Origin::default())])
}

fn place(account: &str, region: &str) -> Place {
    Place {
        account: Some(account.to_owned()),
        region: Some(region.to_owned()),
    }
}

const A: &str = "111111111111";
const B: &str = "222222222222";

/// What two accounts see of one network: a transit gateway, an attachment, a peering connection, a subnet
/// that is shared, and AWS's own prefix list.
fn shared() -> Vec<(Value, Origin)> {
    let seen_by = |account: &str, tag: &str| {
        json!({
            "TransitGateways": [{
                "TransitGatewayId": "tgw-1", "OwnerId": A, "Tags": [{"Key": "Name", "Value": tag}],
                "TransitGatewayArn": format!("arn:aws:ec2:us-east-1:{A}:transit-gateway/tgw-1"),
            }],
            "TransitGatewayAttachments": [{
                "TransitGatewayAttachmentId": "tgw-attach-1", "TransitGatewayId": "tgw-1",
                "TransitGatewayOwnerId": A, "ResourceOwnerId": B, "ResourceType": "vpc", "ResourceId": "vpc-1",
                "Association": {"TransitGatewayRouteTableId": "tgw-rtb-1", "State": "associated"},
            }],
            "TransitGatewayVpcAttachments": [{
                "TransitGatewayAttachmentId": "tgw-attach-1", "TransitGatewayId": "tgw-1",
                "VpcId": "vpc-1", "VpcOwnerId": B, "SubnetIds": [format!("subnet-of-{account}")],
                "Tags": [{"Key": "Name", "Value": tag}, {"Key": tag, "Value": ""}],
            }],
            "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "OwnerId": B,
                "CidrBlock": "10.0.0.0/24", "AvailabilityZone": format!("as {account} calls it")}],
            "VpcPeeringConnections": [{
                "VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "active", "Message": account},
                "RequesterVpcInfo": {"OwnerId": A, "VpcId": "vpc-0", "Region": "us-east-1"},
                "AccepterVpcInfo": {"OwnerId": B, "VpcId": "vpc-1", "Region": "us-east-1"},
            }],
            "PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.us-east-1.s3",
                "Cidrs": ["52.216.0.0/15"]}],
            "ManagedPrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "com.amazonaws.us-east-1.s3",
                "OwnerId": "AWS", "PrefixListArn": "arn:aws:ec2:us-east-1:aws:prefix-list/pl-1"}],
            "ManagedPrefixListEntries": [{"PrefixListId": "pl-1", "Entries": [{"Cidr": "3.5.0.0/19"},
                {"Cidr": if account == A { "1.0.0.0/8" } else { "2.0.0.0/8" }}]}],
            "AvailabilityZones": [{"ZoneId": "use1-az1", "ZoneName": tag, "RegionName": "us-east-1"}],
        })
    };
    vec![
        (
            seen_by(A, "a"),
            at("2026-11-20T10:00:00Z", from(A, "us-east-1")),
        ),
        (
            seen_by(B, "b"),
            at("2026-11-20T11:00:00Z", from(B, "us-east-1")),
        ),
    ]
}

#[test]
fn what_several_see_is_one_and_the_owners_view_counts() {
    let all = inventory(&shared());
    let both = vec![place(A, "us-east-1"), place(B, "us-east-1")];
    let gateway = all.transit_gateways.get("tgw-1").unwrap();
    assert_eq!(
        (gateway.name(), gateway.account.as_deref()),
        (Some("a"), Some(A))
    );
    assert_eq!(gateway.seen_from, both);
    let subnet = all.subnets.get("subnet-1").unwrap();
    assert_eq!(subnet.zone.as_deref(), Some("as 222222222222 calls it"));
    assert_eq!(subnet.seen_from, both);
    // The gateway's side is its owner's, the VPC's side is the VPC owner's, with the tags.
    let attachment = all.transit_gateway_attachments.get("tgw-attach-1").unwrap();
    assert_eq!(attachment.account.as_deref(), Some(A));
    assert_eq!(attachment.sides.len(), 1);
    assert_eq!(
        attachment.vpc.as_ref().unwrap().subnets,
        ["subnet-of-222222222222"]
    );
    assert_eq!(attachment.name(), Some("b"));
    assert_eq!(attachment.seen_from, both);
    assert_eq!(all.peerings.get("pcx-1").unwrap().seen_from, both);
    // AWS's own has no owner's view: the newest counts, whoever has it.
    let list = all.prefix_lists.get("pl-1").unwrap();
    assert_eq!(list.account.as_deref(), Some("AWS"));
    assert_eq!(list.seen_from, both);
    let entries = all.prefix_list_entries("pl-1").unwrap();
    let entries: Vec<_> = entries
        .iter()
        .map(|e| e.cidr.unwrap().to_string())
        .collect();
    assert_eq!(entries, ["2.0.0.0/8", "3.5.0.0/19"]);
    // Zones are named by account.
    let zone = |account: &str| {
        all.zones
            .get(&format!("{account}/use1-az1"))
            .unwrap()
            .name()
    };
    assert_eq!((zone(A), zone(B)), (Some("a"), Some("b")));
    assert_eq!(all.zones.len(), 2);
}

#[test]
fn of_views_that_are_nobodys_own_the_newest_counts_and_then_the_first_place() {
    let view = |text: &str, seen: Option<&str>, account: &str| {
        let origin = from(account, "us-east-1");
        let rows = json!({"Subnets": [{"SubnetId": "s", "OwnerId": A, "State": text}]});
        (rows, seen.map_or(origin.clone(), |seen| at(seen, origin)))
    };
    let state =
        |views: &[(Value, Origin)]| inventory(views).subnets.get("s").unwrap().state.clone();
    let old = view("old", Some("2026-01-01T00:00:00Z"), B);
    let new = view("new", Some("2026-01-02T00:00:00Z"), "333333333333");
    assert_eq!(state(&[old.clone(), new.clone()]).as_deref(), Some("new"));
    let undated = [view("b", None, B), view("c", None, "333333333333")];
    assert_eq!(state(&undated).as_deref(), Some("b"));
    // Also before a newer one.
    assert_eq!(state(&[new, view("own", None, A)]).as_deref(), Some("own"));
}

#[test]
fn peered_transit_gateways_have_one_attachment_with_two_sides() {
    let side = |gateway: &str, other: &str, table: &str| {
        json!({
            "TransitGatewayAttachments": [{
                "TransitGatewayAttachmentId": "tgw-attach-p", "TransitGatewayId": gateway,
                "TransitGatewayOwnerId": A, "ResourceType": "peering", "ResourceId": other,
                "Association": {"TransitGatewayRouteTableId": table, "State": "associated"},
            }],
            "TransitGatewayPeeringAttachments": [{
                "TransitGatewayAttachmentId": "tgw-attach-p", "State": "available",
                "RequesterTgwInfo": {"TransitGatewayId": "tgw-1", "OwnerId": A, "Region": "us-east-1"},
                "AccepterTgwInfo": {"TransitGatewayId": "tgw-2", "OwnerId": A, "Region": "eu-west-1"},
            }],
        })
    };
    let all = inventory(&[
        (side("tgw-2", "tgw-1", "tgw-rtb-2"), from(A, "eu-west-1")),
        (side("tgw-1", "tgw-2", "tgw-rtb-1"), from(A, "us-east-1")),
    ]);
    assert_eq!(all.transit_gateway_attachments.len(), 1);
    let attachment = all.transit_gateway_attachments.get("tgw-attach-p").unwrap();
    let tables: Vec<_> = attachment
        .sides
        .iter()
        .map(|s| s.route_table.as_deref())
        .collect();
    assert_eq!(tables, [Some("tgw-rtb-1"), Some("tgw-rtb-2")]);
    assert_eq!(
        attachment.seen_from,
        [place(A, "eu-west-1"), place(A, "us-east-1")]
    );
    let peering = attachment.peering.as_ref().unwrap();
    assert_eq!(peering.accepter.region.as_deref(), Some("eu-west-1"));
}

#[test]
fn a_snapshot_tells_account_region_and_what_is_stale() {
    let snapshot = json!({
        "Collection": {
            "Version": 1, "Account": A, "Region": "us-east-1", "Partition": "aws", "Roles": [],
            "Started": "2026-11-20T16:20:00+00:00", "Finished": "2026-11-20T16:21:00+00:00",
            "Endpoints": [
                {"Section": "Vpcs", "State": "ok", "Observed": "2026-11-20T16:20:30+00:00"},
                {"Section": "NatGateways", "State": "denied", "Observed": "2026-11-19T16:20:00+00:00",
                 "Stale": {"Since": "2026-11-19T16:20:00+00:00", "Why": "denied"}},
            ],
        },
        "Vpcs": [{"VpcId": "vpc-1", "OwnerId": A, "CidrBlock": "10.0.0.0/16"}],
        "NatGateways": [{"NatGatewayId": "nat-1", "VpcId": "vpc-1"}],
        "AccountAliases": ["prod"],
    });
    // What the caller believes counts less.
    let all = inventory(&[(snapshot, from("999999999999", "eu-west-1"))]);
    let vpc = all.vpcs.get("vpc-1").unwrap();
    assert_eq!(
        (vpc.region.as_deref(), vpc.stale_since),
        (Some("us-east-1"), None)
    );
    assert_eq!(vpc.seen.unwrap().to_string(), "2026-11-20T16:20:30Z");
    let nat = all.nat_gateways.get("nat-1").unwrap();
    assert_eq!(nat.stale_since.unwrap().to_string(), "2026-11-19T16:20:00Z");
    assert_eq!(
        (nat.account.as_deref(), nat.region.as_deref()),
        (Some(A), Some("us-east-1"))
    );
    let account = all.accounts.get(A).unwrap();
    assert_eq!(
        (account.alias.as_deref(), account.name()),
        (Some("prod"), Some("prod"))
    );
    assert_eq!(all.accounts.len(), 1);
    assert_eq!(all.read.unknown, BTreeMap::new());
}

/// A row for each section of the catalogue: the members that name it, and those of its parent.
fn row_of_each_section() -> Vec<(&'static str, Value)> {
    let rows = CATALOGUE.iter().map(|endpoint| {
        let mut row = serde_json::Map::new();
        for member in endpoint.identity {
            row.insert((*member).to_owned(), json!("x-1"));
        }
        match endpoint.section {
            "AccountAliases" => return (endpoint.section, json!("alias")),
            "Reservations" => return (endpoint.section, json!({"Instances": [row], "OwnerId": A})),
            "Listeners" => {
                row.insert("LoadBalancerArn".to_owned(), json!("x-0"));
            }
            "NetworkRoutes" => {
                let table = json!({"CoreNetworkNetworkFunctionGroup":
                    {"CoreNetworkId": "n", "NetworkFunctionGroupName": "f", "EdgeLocation": "us-east-1"}});
                row.insert("RouteTableIdentifier".to_owned(), table);
            }
            _ => {}
        }
        (endpoint.section, Value::Object(row))
    });
    rows.collect()
}

#[test]
fn every_section_of_the_catalogue_is_read() {
    for (section, row) in row_of_each_section() {
        let whole = CATALOGUE
            .iter()
            .any(|e| e.section == section && e.rows == Rows::Whole);
        let rows = if whole { row } else { json!([row]) };
        let all = inventory(&[(json!({ section: rows }), from(A, "us-east-1"))]);
        assert_eq!(all.read.unplaced, BTreeMap::new(), "{section}");
        assert_eq!(all.read.unreadable, [], "{section}");
        assert_eq!(
            all.read.rows,
            BTreeMap::from([(section.to_owned(), 1)]),
            "{section}"
        );
        let made: usize = Kind::ALL.iter().map(|kind| all.count(*kind)).sum();
        // The account that was asked is one, too.
        let expected = if section == "AccountAliases" { 1 } else { 2 };
        assert_eq!(made, expected, "{section}");
        for row in Kind::ALL.iter().flat_map(|kind| all.rows(*kind)) {
            assert!(!row.id.is_empty());
        }
    }
}

#[test]
fn rows_that_cannot_be_placed_are_counted_with_examples_and_the_rest_is_read() {
    for (section, row) in row_of_each_section() {
        let rows = match section {
            "Organization" => json!({"FeatureSet": "ALL"}),
            "Reservations" => json!([{"Instances": [{}, 7]}, row, "text"]),
            _ => json!([{}, 7, row]),
        };
        let all = inventory(&[(json!({ section: rows }), from(A, "us-east-1"))]);
        let unplaced: u64 = all.read.unplaced.values().map(|u| u.count).sum();
        let expected = match section {
            "Organization" => 1,
            "Reservations" => 3,
            _ => 2,
        };
        assert_eq!(unplaced, expected, "{section}: {:?}", all.read.unplaced);
    }
    // An organization that there is none of is no row.
    let none = inventory(&[(json!({"Organization": {}}), from(A, "us-east-1"))]);
    assert_eq!(none.read.unplaced, BTreeMap::new());
    let all = inventory(&[
        (json!([]), Origin::default()),
        (json!({"NextToken": "x"}), Origin::default()),
        (
            json!({"AccountAliases": ["x"], "Volumes": [1, 2]}),
            Origin::default(),
        ),
        (
            json!({"Vpcs": [{"CidrBlock": "10.0.0.0/8"}]}),
            from(A, "us-east-1"),
        ),
    ]);
    let told: Vec<_> = all
        .read
        .unplaced
        .iter()
        .map(|((s, why), u)| (s.as_str(), why.to_string(), u.count))
        .collect();
    assert_eq!(
        told,
        [
            ("", "it is not an object".to_owned(), 1),
            ("", "the document has no section".to_owned(), 1),
            (
                "AccountAliases",
                "the account it was asked for is not known".to_owned(),
                1
            ),
            ("Vpcs", "it has no VpcId".to_owned(), 1),
        ]
    );
    let key = ("Vpcs".to_owned(), Unplaceable::NoIdentity("VpcId"));
    let examples: Vec<_> = all.read.unplaced[&key].examples.iter().collect();
    assert_eq!(examples, ["111111111111/us-east-1: a row with CidrBlock"]);
    assert_eq!(
        all.read.unknown,
        BTreeMap::from([("Volumes".to_owned(), 2)])
    );
    assert_eq!(all.read.documents, 4);
}

#[test]
fn members_of_another_type_are_absent_and_counted() {
    let all = one(json!({"Subnets": [
        {"SubnetId": "s-1", "CidrBlock": "10.0.0.0/33", "VpcId": 7},
        {"SubnetId": "s-2", "CidrBlock": "10.0.0.0/24", "DefaultForAz": "perhaps"},
    ]}));
    assert_eq!(all.subnets.len(), 2);
    assert_eq!(all.subnets.get("s-1").unwrap().cidrs, []);
    let noted: Vec<_> = all
        .read
        .unreadable
        .iter()
        .map(|u| (u.path, u.count, u.example.as_str()))
        .collect();
    assert_eq!(
        noted,
        [
            ("CidrBlock", 1, "\"10.0.0.0/33\""),
            ("DefaultForAz", 1, "\"perhaps\"")
        ]
    );
}

#[test]
fn answers_about_one_parent_are_read_where_they_name_it() {
    let firewall = format!("arn:aws:network-firewall:us-east-1:{A}:firewall/f");
    let policy = format!("arn:aws:network-firewall:us-east-1:{A}:firewall-policy/p");
    let all = inventory(&[
        (
            json!({"UpdateToken": "x", "Firewall": {"FirewallArn": firewall, "VpcId": "vpc-1", "FirewallName": "f"},
            "FirewallStatus": {"Status": "READY", "SyncStates": {
                "us-east-1b": {"Attachment": {"EndpointId": "vpce-b", "SubnetId": "s-b"}},
                "us-east-1a": {"Attachment": {"EndpointId": "vpce-a", "SubnetId": "s-a"}}}}}),
            Origin::default(),
        ),
        (
            json!({"FirewallArn": firewall, "LoggingConfiguration": {"LogDestinationConfigs": [
            {"LogType": "FLOW", "LogDestinationType": "S3", "LogDestination": {"bucketName": "b", "prefix": "p"}}]}}),
            Origin::default(),
        ),
        (
            json!({"FirewallPolicyResponse": {"FirewallPolicyArn": policy}, "FirewallPolicy": {
            "StatelessDefaultActions": ["aws:forward_to_sfe"],
            "StatefulEngineOptions": {"RuleOrder": "STRICT_ORDER"}}}),
            Origin::default(),
        ),
        (
            json!({"CoreNetwork": {"CoreNetworkId": "core-network-1", "Segments": [{"Name": "prod"}],
            "CoreNetworkArn": format!("arn:aws:networkmanager::{A}:core-network/core-network-1")}}),
            Origin::default(),
        ),
        (
            json!({"CoreNetworkPolicy": {"CoreNetworkId": "core-network-1", "PolicyDocument": "{\"version\": \"2021.12\"}"}}),
            Origin::default(),
        ),
        (
            json!({"RouteTableType": "CORE_NETWORK_SEGMENT", "NetworkRoutes": [{"DestinationCidrBlock": "10.0.0.0/8"}],
            "CoreNetworkSegmentEdge": {"CoreNetworkId": "core-network-1", "SegmentName": "prod", "EdgeLocation": "eu-west-1"}}),
            Origin::default(),
        ),
        (
            json!({"TransitGatewayRouteTableId": "tgw-rtb-1", "Routes": [{"DestinationCidrBlock": "10.0.0.0/8"}],
            "AdditionalRoutesAvailable": true}),
            Origin::default(),
        ),
        (
            json!({"TransitGatewayPrefixListReferences": [
            {"TransitGatewayRouteTableId": "tgw-rtb-1", "PrefixListId": "pl-1"},
            {"TransitGatewayRouteTableId": "tgw-rtb-1", "PrefixListId": "pl-2"}]}),
            Origin::default(),
        ),
        (
            json!({"Entries": [{"Cidr": "10.0.0.0/8"}]}),
            Origin::default(),
        ),
    ]);
    let unplaced: Vec<_> = all
        .read
        .unplaced
        .keys()
        .map(|(s, why)| format!("{s}: {why}"))
        .collect();
    assert_eq!(
        unplaced,
        ["ManagedPrefixListEntries: it has no PrefixListId"]
    );
    assert_eq!(all.read.unknown, BTreeMap::new());
    let firewall = all.firewalls.get(&firewall).unwrap();
    let ends = &firewall.details.as_ref().unwrap().endpoints;
    let ends: Vec<_> = ends
        .iter()
        .map(|e| (e.zone.as_str(), e.endpoint.as_deref().unwrap()))
        .collect();
    assert_eq!(ends, [("us-east-1a", "vpce-a"), ("us-east-1b", "vpce-b")]);
    assert_eq!(
        firewall.logs.as_ref().unwrap()[0].destination.as_deref(),
        Some("b")
    );
    assert_eq!(
        (firewall.account.as_deref(), firewall.region.as_deref()),
        (Some(A), Some("us-east-1"))
    );
    assert_eq!(firewall.name(), Some("f"));
    let policy = all
        .firewall_policies
        .get(&policy)
        .unwrap()
        .details
        .as_ref()
        .unwrap();
    assert_eq!(policy.rule_order.as_deref(), Some("STRICT_ORDER"));
    let network = all.core_networks.get("core-network-1").unwrap();
    assert_eq!(network.segments[0].name, "prod");
    assert_eq!(
        network.policy.as_ref().unwrap().document.as_ref().unwrap()["version"],
        "2021.12"
    );
    assert_eq!(
        (network.account.as_deref(), network.region.as_deref()),
        (Some(A), None)
    );
    let routes = all
        .core_network_route_tables
        .get("core-network-1/segment/prod/eu-west-1")
        .unwrap();
    assert_eq!(routes.routes.len(), 1);
    let table = all.transit_gateway_route_tables.get("tgw-rtb-1").unwrap();
    assert_eq!(
        (
            table.routes.len(),
            table.routes_complete,
            table.references.len()
        ),
        (1, false, 2)
    );
}

#[test]
fn classic_load_balancers_have_their_arn_and_listeners_their_load_balancer() {
    let v2 = format!("arn:aws:elasticloadbalancing:us-west-2:{A}:loadbalancer/net/n/1");
    let all = one(json!({
        "LoadBalancerDescriptions": [{"LoadBalancerName": "old", "VPCId": "vpc-1", "AvailabilityZones": ["us-west-2a"],
            "SourceSecurityGroup": {"OwnerAlias": A, "GroupName": "g"}, "Instances": [{"InstanceId": "i-1"}],
            "ListenerDescriptions": [{"Listener": {"InstancePort": 8080, "LoadBalancerPort": 80, "Protocol": "HTTP"}}]}],
        "Listeners": [
            {"ListenerArn": "l-2", "LoadBalancerArn": v2, "Port": 443, "Protocol": "TLS", "DefaultActions": [
                {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "t-2"}, {"TargetGroupArn": "t-1"}]}}]},
            {"ListenerArn": "l-1", "LoadBalancerArn": v2, "Port": 80, "Protocol": "TCP"}],
    }));
    let old = format!("arn:aws:elasticloadbalancing:us-west-2:{A}:loadbalancer/old");
    let old = all.load_balancers.get(&old).unwrap();
    assert_eq!(old.balancer_type, Some(LoadBalancerType::Classic));
    assert_eq!(
        (old.instances.len(), old.zones.len(), old.listeners[0].port),
        (1, 1, Some(80))
    );
    assert_eq!(
        (old.account.as_deref(), old.region.as_deref()),
        (Some(A), Some("us-west-2"))
    );
    // Known by its listeners alone.
    let new = all.load_balancers.get(&v2).unwrap();
    assert_eq!(
        (new.account.as_deref(), new.region.as_deref()),
        (Some(A), Some("us-west-2"))
    );
    let ports: Vec<_> = new.listeners.iter().map(|l| l.port.unwrap()).collect();
    assert_eq!(ports, [80, 443]);
    assert_eq!(new.listeners[1].target_groups, ["t-1", "t-2"]);
}

#[test]
fn the_region_is_told_by_arn_zone_or_vpc() {
    let all = one(json!({
        "Vpcs": [{"VpcId": "vpc-1", "OwnerId": A}],
        "Subnets": [{"SubnetId": "s-1", "VpcId": "vpc-1", "AvailabilityZone": "us-gov-west-1a"}],
        "NatGateways": [{"NatGatewayId": "nat-1", "VpcId": "vpc-1"}],
        "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "AvailabilityZone": "us-west-2-lax-1a"}],
        "TransitGateways": [{"TransitGatewayId": "tgw-1",
            "TransitGatewayArn": format!("arn:aws-cn:ec2:cn-north-1:{B}:transit-gateway/tgw-1")}],
        "FlowLogs": [{"FlowLogId": "fl-1"}],
    }));
    for (kind, region) in [
        (Kind::Vpc, Some("us-gov-west-1")),
        (Kind::Subnet, Some("us-gov-west-1")),
        (Kind::NatGateway, Some("us-gov-west-1")),
        (Kind::Interface, Some("us-west-2")),
        (Kind::TransitGateway, Some("cn-north-1")),
        (Kind::FlowLog, None),
    ] {
        assert_eq!(
            all.rows(kind).next().unwrap().region,
            region,
            "{}",
            kind.label()
        );
    }
    assert_eq!(
        all.transit_gateways
            .get("tgw-1")
            .unwrap()
            .account
            .as_deref(),
        Some(B)
    );
    assert!(all.subnets.get("s-1").unwrap().seen_from.is_empty());
}

#[test]
fn what_is_global_has_no_region_wherever_it_was_asked_for() {
    let documents = json!({
        "directConnectGateways": [{"directConnectGatewayId": "d", "ownerAccount": A}],
        "Organization": {"Id": "o-1"},
        "Vpcs": [{"VpcId": "vpc-1"}],
    });
    let all = inventory(&[
        (documents.clone(), from(A, "us-east-1")),
        (documents, from(A, "eu-west-1")),
    ]);
    let gateway = all.direct_connect_gateways.get("d").unwrap();
    assert_eq!(gateway.region, None);
    let places = [place(A, "eu-west-1"), place(A, "us-east-1")];
    assert_eq!(gateway.seen_from, places);
    assert_eq!(all.organizations.get("o-1").unwrap().region, None);
    assert_eq!(
        all.vpcs.get("vpc-1").unwrap().region.as_deref(),
        Some("eu-west-1")
    );
}

#[test]
fn routes_lead_to_every_kind_of_target() {
    use TargetKind::*;
    let targets = [
        ("GatewayId", "local", Local),
        ("GatewayId", "igw-1", InternetGateway),
        ("GatewayId", "vgw-1", VpnGateway),
        ("GatewayId", "vpce-1", Endpoint),
        ("GatewayId", "x-1", Other),
        (
            "EgressOnlyInternetGatewayId",
            "eigw-1",
            EgressOnlyInternetGateway,
        ),
        ("NatGatewayId", "nat-1", NatGateway),
        ("TransitGatewayId", "tgw-1", TransitGateway),
        ("VpcPeeringConnectionId", "pcx-1", Peering),
        ("InstanceId", "i-1", Instance),
        ("NetworkInterfaceId", "eni-1", Interface),
        (
            "CoreNetworkArn",
            "arn:aws:networkmanager::1:core-network/c",
            CoreNetwork,
        ),
        ("CarrierGatewayId", "cagw-1", CarrierGateway),
        ("LocalGatewayId", "lgw-1", LocalGateway),
        (
            "OdbNetworkArn",
            "arn:aws:odb:us-east-1:1:odb-network/o",
            OdbNetwork,
        ),
        ("WormholeId", "wh-1", Other),
    ];
    let routes: Vec<Value> = targets
        .iter()
        .map(|(member, id, _)| json!({"DestinationPrefixListId": "pl-1", "InstanceOwnerId": A, *member: id}))
        .collect();
    let all = one(json!({"RouteTables": [{"RouteTableId": "rtb-1", "Routes": routes}]}));
    let table = all.route_tables.get("rtb-1").unwrap();
    for (route, (_, id, kind)) in table.routes.iter().zip(targets) {
        let expected = Target {
            kind,
            id: id.to_owned(),
        };
        assert_eq!(route.target, Some(expected));
        assert_eq!(
            route.destination,
            Some(Destination::PrefixList("pl-1".to_owned()))
        );
    }
    // An instance is reached through its interface.
    let both = one(json!({"RouteTables": [{"RouteTableId": "rtb-1", "Routes": [
        {"DestinationCidrBlock": "0.0.0.0/0", "InstanceId": "i-1", "NetworkInterfaceId": "eni-1"}, {}]}]}));
    let routes = &both.route_tables.get("rtb-1").unwrap().routes;
    assert_eq!(routes[0].target.as_ref().unwrap().kind, Interface);
    assert_eq!(routes[0].instance.as_deref(), Some("i-1"));
    // One that leads from nowhere to nowhere is there, and noted.
    assert_eq!((&routes[1].destination, &routes[1].target), (&None, &None));
    assert_eq!(both.read.unreadable.len(), 1);
}

#[test]
fn tunnels_show_options_and_state_together() {
    let all = one(json!({"VpnConnections": [{"VpnConnectionId": "vpn-1",
        "Options": {"TunnelOptions": [
            {"OutsideIpAddress": "203.0.113.5", "TunnelInsideCidr": "169.254.1.0/30", "PreSharedKey": "REDACTED"}]},
        "VgwTelemetry": [
            {"OutsideIpAddress": "203.0.113.5", "Status": "UP", "AcceptedRouteCount": 2},
            {"OutsideIpAddress": "203.0.113.3", "Status": "DOWN"}]}]}));
    let tunnels = &all.vpn_connections.get("vpn-1").unwrap().tunnels;
    let shown: Vec<_> = tunnels
        .iter()
        .map(|t| (t.status.as_deref(), t.inside.len(), t.accepted_routes))
        .collect();
    assert_eq!(shown, [(Some("DOWN"), 0, None), (Some("UP"), 1, Some(2))]);
}

#[test]
fn lookups_stay_within_their_vpc() {
    let interface = |id: &str, vpc: &str, address: &str, status: &str| {
        json!({"NetworkInterfaceId": id, "VpcId": vpc, "Status": status, "PrivateIpAddress": address,
            "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": true}]})
    };
    let mut node = interface("eni-node", "vpc-1", "10.0.1.9", "in-use");
    node["Ipv4Prefixes"] = json!([{"Ipv4Prefix": "10.0.1.16/28"}]);
    node["Ipv6Prefixes"] = json!([{"Ipv6Prefix": "2001:db8:0:1:8000::/80"}]);
    node["Ipv6Addresses"] = json!([{"Ipv6Address": "2001:db8:0:1::9"}]);
    let all = one(json!({
        "Vpcs": [
            {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "CidrBlockAssociationSet": [
                {"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}},
                {"CidrBlock": "100.64.0.0/16", "CidrBlockState": {"State": "associated"}},
                {"CidrBlock": "10.9.0.0/16", "CidrBlockState": {"State": "disassociated"}}],
             "Ipv6CidrBlockAssociationSet": [
                {"Ipv6CidrBlock": "2001:db8::/56", "Ipv6CidrBlockState": {"State": "associated"}}]},
            {"VpcId": "vpc-2", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [
            {"SubnetId": "s-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "Ipv6CidrBlockAssociationSet": [
                {"Ipv6CidrBlock": "2001:db8:0:1::/64", "Ipv6CidrBlockState": {"State": "associated"}}]},
            {"SubnetId": "s-2", "VpcId": "vpc-1", "CidrBlock": "10.0.2.0/24"},
            {"SubnetId": "s-3", "VpcId": "vpc-2", "CidrBlock": "10.0.0.0/16"}],
        "NetworkInterfaces": [
            node,
            interface("eni-idle", "vpc-1", "10.0.1.7", "available"),
            interface("eni-used", "vpc-1", "10.0.1.7", "in-use"),
            interface("eni-else", "vpc-2", "10.0.1.7", "in-use")],
        "RouteTables": [
            {"RouteTableId": "rtb-main", "VpcId": "vpc-1", "Associations": [{"Main": true}]},
            {"RouteTableId": "rtb-2", "VpcId": "vpc-1", "Associations": [
                {"Main": false, "SubnetId": "s-2", "AssociationState": {"State": "associated"}}]},
            {"RouteTableId": "rtb-gone", "VpcId": "vpc-1", "Associations": [
                {"Main": false, "SubnetId": "s-1", "AssociationState": {"State": "disassociated"}}]}],
    }));
    let cidrs: Vec<_> = all
        .vpcs
        .get("vpc-1")
        .unwrap()
        .cidrs
        .iter()
        .map(Cidr::to_string)
        .collect();
    assert_eq!(cidrs, ["10.0.0.0/16", "100.64.0.0/16", "2001:db8::/56"]);
    let ids: Vec<_> = all.interfaces_of("vpc-1").map(|i| i.id.as_str()).collect();
    assert_eq!(ids, ["eni-idle", "eni-node", "eni-used"]);
    assert_eq!(all.interfaces_of("vpc-9").count(), 0);
    let interface = |vpc: &str, address: &str| {
        let found = all.interface_at(vpc, address.parse().unwrap());
        found.map(|interface| interface.id.as_str())
    };
    for (vpc, address, expected) in [
        ("vpc-1", "10.0.1.7", Some("eni-used")),
        ("vpc-2", "10.0.1.7", Some("eni-else")),
        ("vpc-1", "10.0.1.9", Some("eni-node")),
        ("vpc-1", "10.0.1.31", Some("eni-node")),
        ("vpc-1", "10.0.1.32", None),
        ("vpc-1", "2001:db8:0:1::9", Some("eni-node")),
        ("vpc-1", "2001:db8:0:1:8000::77", Some("eni-node")),
        ("vpc-2", "10.0.1.9", None),
        ("vpc-9", "10.0.1.9", None),
    ] {
        assert_eq!(interface(vpc, address), expected, "{vpc} {address}");
    }
    let subnet = |vpc: &str, address: &str| {
        let found = all.subnet_at(vpc, address.parse().unwrap());
        found.map(|subnet| subnet.id.as_str())
    };
    for (vpc, address, expected) in [
        ("vpc-1", "10.0.1.255", Some("s-1")),
        ("vpc-1", "10.0.2.0", Some("s-2")),
        ("vpc-1", "10.0.3.0", None),
        ("vpc-1", "2001:db8:0:1::1", Some("s-1")),
        ("vpc-1", "0.0.0.0", None),
        ("vpc-2", "10.0.1.1", Some("s-3")),
    ] {
        assert_eq!(subnet(vpc, address), expected, "{vpc} {address}");
    }
    let table = |subnet: &str| all.route_table_of(subnet).map(|table| table.id.as_str());
    assert_eq!(
        ["s-1", "s-2", "s-3", "s-9"].map(table),
        [Some("rtb-main"), Some("rtb-2"), None, None]
    );
}

#[test]
fn kinds_have_names_of_their_own() {
    let labels: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.label()).collect();
    assert_eq!(labels.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.label()), Some(*kind));
    }
    assert_eq!(Kind::named("vpcs"), None);
}

#[test]
fn a_row_says_what_there_is_to_say() {
    let all = inventory(&[(
        json!({
            "Vpcs": [{"VpcId": "vpc-1", "OwnerId": A, "CidrBlock": "10.0.0.0/16", "IsDefault": true, "State": "available"}],
            "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "Status": "in-use",
                "InterfaceType": "lambda", "Description": "AWS Lambda VPC ENI-x", "OwnerId": A,
                "PrivateIpAddress": "10.0.0.7", "TagSet": [{"Key": "Name", "Value": "fn"}]}],
        }),
        from(A, "us-east-1"),
    )]);
    let row = all.rows(Kind::Vpc).next().unwrap();
    assert_eq!(
        (row.vpc, row.state, row.name),
        (Some("vpc-1"), Some("available"), None)
    );
    assert_eq!(row.what, "10.0.0.0/16 default");
    let row = all.rows(Kind::Interface).next().unwrap();
    assert_eq!(
        (row.account, row.region, row.name),
        (Some(A), Some("us-east-1"), Some("fn"))
    );
    assert_eq!(row.what, "lambda 10.0.0.7 AWS Lambda VPC ENI-x");
}

#[test]
fn paths_tell_account_and_region() {
    for (path, account, region) in [
        (
            "/x/aws_configs/accounts/111/us-west-1/Vpcs.json",
            Some("111"),
            Some("us-west-1"),
        ),
        ("aws_configs/us-west-1/Vpcs.json", None, Some("us-west-1")),
        ("aws_configs/Vpcs.json", None, None),
        (
            "m/current/111111111111/eu-west-1.json.gz",
            Some(A),
            Some("eu-west-1"),
        ),
        (
            "m/current/111111111111/global.json",
            Some(A),
            Some("global"),
        ),
        ("vpcs.json", None, None),
        ("", None, None),
        (
            "C:\\x\\aws_configs\\us-west-1\\Vpcs.json",
            None,
            Some("us-west-1"),
        ),
    ] {
        let origin = Origin::of_path(path);
        assert_eq!(
            (origin.account.as_deref(), origin.region.as_deref()),
            (account, region),
            "{path}"
        );
    }
}

#[test]
fn a_directory_is_read_once_and_what_fails_is_named() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &[u8]| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let vpc = |id: &str| json!({"Vpcs": [{"VpcId": id}]}).to_string();
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    write(
        "current/111111111111/eu-west-1.json.gz",
        &gzip(&vpc("vpc-now")),
    );
    write(
        "history/111111111111/eu-west-1/2026/11/20/x.json.gz",
        &gzip(&vpc("vpc-then")),
    );
    write(
        "loose/vpcs.json",
        format!("\u{feff}{}", vpc("vpc-loose")).as_bytes(),
    );
    write("loose/broken.json", b"{");
    write("loose/cut.json.gz", &gzip(&vpc("vpc-cut"))[..20]);
    write("loose/notes.txt", b"{");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root.path(), root.path().join("loose/loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.path().join("loose/gone.json")).unwrap();
    }
    let mut builder = InventoryBuilder::new();
    let reading = read_directory(root.path(), &mut builder);
    let all = builder.finish();
    assert_eq!(reading.documents, 2);
    let ids: Vec<_> = all
        .vpcs
        .iter()
        .map(|v| (v.id.as_str(), v.region.as_deref()))
        .collect();
    assert_eq!(ids, [("vpc-loose", None), ("vpc-now", Some("eu-west-1"))]);
    let failed: Vec<_> = reading.failed.iter().map(ToString::to_string).collect();
    for name in ["broken.json: not JSON", "cut.json.gz: "] {
        assert!(
            failed.iter().any(|error| error.contains(name)),
            "{failed:?}"
        );
    }
    assert_eq!(failed.len(), if cfg!(unix) { 3 } else { 2 }, "{failed:?}");
    // One file, whatever its name; and one that is not there.
    let mut builder = InventoryBuilder::new();
    let reading = read_directory(&root.path().join("loose/notes.txt"), &mut builder);
    assert_eq!((reading.documents, reading.failed.len()), (0, 1));
    let reading = read_directory(&root.path().join("nowhere"), &mut builder);
    assert!(reading.failed[0].to_string().contains("nowhere"));
}

#[test]
fn a_directory_that_never_ends_is_given_up() {
    let root = tempfile::tempdir().unwrap();
    let mut path = root.path().to_owned();
    for _ in 0..40 {
        path.push("d");
    }
    std::fs::create_dir_all(&path).unwrap();
    let reading = read_directory(root.path(), &mut InventoryBuilder::new());
    assert!(matches!(reading.failed[0].kind, DocumentErrorKind::TooMany));
}

/// Documents with what several see, some of it stale, dated or not, and some of it not readable.
fn documents() -> impl Strategy<Value = Vec<(Value, Origin)>> {
    let view = (0..4_u8, 0..3_u8, 0..3_u8, 0..4_u8).prop_map(|(account, region, time, variant)| {
        let accounts = [A, B, "333333333333", "444444444444"];
        let account = accounts[usize::from(account)];
        let region = ["us-east-1", "eu-west-1", "global"][usize::from(region)];
        let mut document = serde_json::Map::new();
        for (section, row) in row_of_each_section() {
            let mut row = row;
            if let Some(members) = row.as_object_mut() {
                for member in ["State", "Description", "associationState", "lagState"] {
                    members.insert(member.to_owned(), json!(format!("state {variant}")));
                }
                members.insert("Tags".to_owned(), json!([{"Key": "Name", "Value": account}]));
                let owner = accounts[usize::from(variant)];
                for member in ["OwnerId", "ownerAccount", "VpcOwnerId", "TransitGatewayOwnerId"] {
                    members.insert(member.to_owned(), json!(owner));
                }
                members.insert("Entries".to_owned(), json!([{"Cidr": format!("10.{variant}.0.0/16")}]));
                members.insert("CidrBlock".to_owned(), json!(["10.0.0.0/16", "x", "y"][usize::from(time)]));
            }
            let rows = if section == "Organization" { row } else { json!([row, {}, variant]) };
            document.insert(section.to_owned(), rows);
        }
        if variant == 0 {
            document.insert("Collection".to_owned(), json!({"Account": account, "Region": region, "Endpoints": [
                {"Section": "Vpcs", "Observed": "2026-11-20T00:00:00Z", "Stale": {"Since": "2026-11-19T00:00:00Z"}}]}));
        }
        let origin = from(account, region);
        let origin = match time {
            0 => origin,
            day => at(&format!("2026-11-2{day}T00:00:00Z"), origin),
        };
        (Value::Object(document), origin)
    });
    prop::collection::vec(view, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_documents_does_not_matter(
        (documents, shuffled) in documents().prop_flat_map(|documents| {
            (Just(documents.clone()), Just(documents).prop_shuffle())
        })
    ) {
        prop_assert!(inventory(&documents) == inventory(&shuffled));
    }

    #[test]
    fn nothing_is_lost_uncounted(documents in documents()) {
        let all = inventory(&documents);
        // Each section has a row that can be placed and two that cannot, but for the organization.
        let rows: u64 = all.read.rows.values().sum();
        let unplaced: u64 = all.read.unplaced.values().map(|u| u.count).sum();
        let sections = CATALOGUE.len() as u64;
        let of_each = documents.len() as u64;
        // A reservation that is an object is nothing but its instances.
        prop_assert_eq!(rows, of_each * (3 * sections - 2 - 1));
        prop_assert_eq!(unplaced, of_each * (2 * sections - 2 - 1));
    }

    #[test]
    fn any_document_is_read(text in "[{}\\[\\]\":,a-zA-Z0-9. ]{0,60}", section in 0..CATALOGUE.len()) {
        let anything: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let section = CATALOGUE[section].section;
        let all = inventory(&[
            (anything.clone(), Origin::default()),
            (json!({section: [anything.clone()], "Collection": anything.clone()}), Origin::default()),
            (json!({section: anything}), from(A, "global")),
        ]);
        prop_assert_eq!(all.read.documents, 3);
    }
}

#[test]
fn shared_things_do_not_depend_on_who_comes_first() {
    let mut documents = shared();
    let all = inventory(&documents);
    documents.reverse();
    assert_eq!(all, inventory(&documents));
    // Twice the same is the same, but for what was read.
    documents.extend(shared());
    let twice = inventory(&documents);
    for kind in Kind::ALL {
        assert!(all.rows(*kind).eq(twice.rows(*kind)));
    }
}
