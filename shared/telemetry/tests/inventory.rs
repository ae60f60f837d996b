//! Describe answers that others recorded, documented or keep as test networks. They are not part of the
//! repository: where they are not at hand, these tests say so and pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use telemetry::describe::catalogue::CATALOGUE;
use telemetry::inventory::{
    InterfaceType, Inventory, InventoryBuilder, Kind, LoadBalancerType, Origin, Place, TargetKind,
    read_directory,
};

/// The directory of the answers, if it is here.
fn describe() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/describe");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: ../shared/data is not here");
    None
}

/// The files of a tar archive (ustar), by path.
fn tar(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let archive = std::fs::read(path).unwrap();
    let text = |field: &[u8]| {
        let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
        String::from_utf8(field[..end].to_vec()).unwrap()
    };
    let mut files = BTreeMap::new();
    let mut at = 0;
    let mut long_name = None;
    while archive[at] != 0 {
        let header = &archive[at..at + 512];
        let size = usize::from_str_radix(text(&header[124..136]).trim(), 8).unwrap();
        let content = &archive[at + 512..at + 512 + size];
        let prefix = text(&header[345..500]);
        let name = text(&header[..100]);
        let name = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}/{name}")
        };
        match header[156] {
            // A long name stands before the file it is for.
            b'L' => long_name = Some(text(content)),
            b'x' => {
                let records = String::from_utf8_lossy(content).into_owned();
                let path = records.lines().find_map(|line| line.split_once(" path="));
                long_name = path.map(|(_, path)| path.to_owned());
            }
            b'0' | 0 => {
                files.insert(long_name.take().unwrap_or(name), content.to_vec());
            }
            _ => long_name = None,
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    files
}

/// One of Batfish's networks.
fn network(name: &str) -> Option<Inventory> {
    let archive = describe()?.join("batfish").join(format!("{name}.tar"));
    let mut builder = InventoryBuilder::new();
    for (path, text) in tar(&archive) {
        if path.ends_with(".json") {
            builder.add_path_document(&path, &serde_json::from_slice(&text).unwrap());
        }
    }
    let all = builder.finish();
    assert_eq!(all.read.unplaced, BTreeMap::new(), "{name}");
    assert_eq!(all.read.unreadable, [], "{name}");
    Some(all)
}

/// How many entities there are of each kind that has any.
fn counts(all: &Inventory) -> Vec<(&'static str, usize)> {
    let counts = Kind::ALL
        .iter()
        .map(|kind| (kind.label(), all.count(*kind)));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// Destination and target of each route of a table.
fn routes(all: &Inventory, table: &str) -> Vec<(String, TargetKind, String)> {
    let table = all.route_tables.get(table).unwrap();
    let routes = table.routes.iter().map(|route| {
        let target = route.target.as_ref().unwrap();
        let destination = route.destination.as_ref().unwrap().to_string();
        (destination, target.kind, target.id.clone())
    });
    routes.collect()
}

fn route(destination: &str, kind: TargetKind, id: &str) -> (String, TargetKind, String) {
    (destination.to_owned(), kind, id.to_owned())
}

fn place(account: &str, region: &str) -> Place {
    Place {
        account: Some(account.to_owned()),
        region: Some(region.to_owned()),
    }
}

#[test]
fn a_shared_transit_gateway_is_one_and_both_accounts_see_it() {
    let Some(all) = network("test-transit-gateway-multi-account") else {
        return;
    };
    let (bat, fish) = ("028403472736", "951601349076");
    assert_eq!(
        counts(&all),
        [
            ("account", 2),
            ("vpc", 2),
            ("subnet", 4),
            ("interface", 4),
            ("instance", 4),
            ("security-group", 4),
            ("route-table", 4),
            ("transit-gateway", 1),
            ("transit-gateway-attachment", 2),
            ("transit-gateway-route-table", 1),
        ]
    );
    let both = [place(bat, "us-east-1"), place(fish, "us-east-1")];
    let gateway = all.transit_gateways.get("tgw-0efdeab79e9a8e490").unwrap();
    assert_eq!(gateway.seen_from, both);
    assert_eq!(gateway.account.as_deref(), Some(bat));
    // The other account sees no tags.
    assert_eq!(gateway.name(), Some("tgw-batfish"));
    assert_eq!(gateway.asn, Some(64512));
    let table = "tgw-rtb-0b2c8eeefcf19371b";
    assert_eq!(gateway.association_table.as_deref(), Some(table));

    let far = all
        .transit_gateway_attachments
        .get("tgw-attach-0f8397dbb9b9bce0d");
    let far = far.unwrap();
    assert_eq!(far.seen_from, both);
    assert_eq!(far.name(), Some("tgw-att-fish"));
    assert_eq!(far.sides[0].route_table.as_deref(), Some(table));
    let vpc = far.vpc.as_ref().unwrap();
    assert_eq!(vpc.vpc.as_deref(), Some("vpc-08287a9084472b276"));
    assert_eq!(vpc.vpc_owner.as_deref(), Some(fish));
    assert_eq!(vpc.subnets, ["subnet-0ffa87ae0b553703e"]);
    let near = all
        .transit_gateway_attachments
        .get("tgw-attach-0f832eb2ca4a975a4");
    assert_eq!(near.unwrap().seen_from, both[..1]);

    let table = all.transit_gateway_route_tables.get(table).unwrap();
    let learned: BTreeSet<_> = table
        .propagations
        .iter()
        .filter_map(|p| p.resource.as_deref())
        .collect();
    assert_eq!(
        learned,
        BTreeSet::from(["vpc-04048d4bfba9c2289", "vpc-08287a9084472b276"])
    );
    // Batfish asks for the static routes only.
    assert!(table.routes.is_empty() && !table.routes_complete);
    assert!(table.default_association);

    let subnet = all.subnets.get("subnet-0a68915f31d3ca69f").unwrap();
    assert_eq!(subnet.vpc.as_deref(), Some("vpc-04048d4bfba9c2289"));
    let table = all.route_table_of(&subnet.id).unwrap();
    assert_eq!(table.name(), Some("bat-igw"));
    assert_eq!(
        routes(&all, &table.id),
        [
            route("10.1.0.0/16", TargetKind::Local, "local"),
            route(
                "10.2.0.0/16",
                TargetKind::TransitGateway,
                "tgw-0efdeab79e9a8e490"
            ),
            route(
                "0.0.0.0/0",
                TargetKind::InternetGateway,
                "igw-06754039f5006fdfe"
            ),
        ]
    );
    for interface in &all.interfaces {
        let vpc = interface.vpc.as_deref().unwrap();
        let address = interface.addresses[0].address.unwrap();
        assert_eq!(all.interface_at(vpc, address).unwrap().id, interface.id);
        let subnet = all.subnet_at(vpc, address).unwrap();
        assert_eq!(Some(&subnet.id), interface.subnet.as_ref());
        assert_eq!(subnet.account, interface.account);
    }
}

#[test]
fn accounts_and_regions_are_told_by_the_path() {
    let Some(all) = network("test-multi-account") else {
        return;
    };
    assert_eq!(counts(&all), [("account", 2), ("vpc", 2)]);
    let accounts: Vec<_> = all.accounts.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(accounts, ["111", "222"]);
    for (vpc, account, region) in [
        ("vpc-015b20578b48c1349", "111", "us-west-1"),
        ("vpc-0008a7b45e3ddf1dd", "222", "us-west-2"),
    ] {
        let vpc = all.vpcs.get(vpc).unwrap();
        assert_eq!(vpc.region.as_deref(), Some(region));
        assert_eq!(vpc.seen_from, [place(account, region)]);
        // The files were renamed; whose the VPC is, its row tells.
        assert_eq!(vpc.account.as_deref(), Some("554773406868"));
    }
}

#[test]
fn a_nat_gateway_has_its_interface_and_the_routes_that_lead_to_it() {
    let Some(all) = network("test-nat-gateway") else {
        return;
    };
    assert_eq!(
        counts(&all),
        [
            ("vpc", 1),
            ("subnet", 3),
            ("interface", 4),
            ("instance", 3),
            ("security-group", 3),
            ("network-acl", 2),
            ("route-table", 3),
            ("internet-gateway", 1),
            ("nat-gateway", 1),
        ]
    );
    let vpc = "vpc-0008a7b45e3ddf1dd";
    let nat = all.nat_gateways.get("nat-07ab4846da51f4612").unwrap();
    // Only the zones of the VPC's subnets tell the region.
    assert_eq!(nat.region.as_deref(), Some("us-east-2"));
    let address = &nat.addresses[0];
    assert_eq!(address.public, Some("3.135.127.225".parse().unwrap()));
    let interface = all.interface_at(vpc, address.private.unwrap()).unwrap();
    assert_eq!(Some(&interface.id), address.interface.as_ref());
    assert_eq!(interface.interface_type, Some(InterfaceType::NatGateway));
    assert_eq!(interface.addresses[0].public, address.public);
    assert_eq!(all.interfaces_of(vpc).count(), 4);

    let table = |subnet: &str| all.route_table_of(subnet).unwrap().id.as_str();
    let private = table("subnet-06f469bcee42e408e");
    let target = route("0.0.0.0/0", TargetKind::NatGateway, "nat-07ab4846da51f4612");
    assert!(routes(&all, private).contains(&target));
    let public = table("subnet-0428892a357fa1f94");
    let target = route(
        "0.0.0.0/0",
        TargetKind::InternetGateway,
        "igw-071753b9c23d8a9b2",
    );
    assert!(routes(&all, public).contains(&target));
    // The third subnet names none: the main table has the VPC's own route only.
    let named = ["subnet-06f469bcee42e408e", "subnet-0428892a357fa1f94"];
    let third = all.subnets.iter().find(|s| !named.contains(&s.id.as_str()));
    let main = table(&third.unwrap().id);
    assert_eq!(
        routes(&all, main),
        [route("10.1.0.0/16", TargetKind::Local, "local")]
    );
}

#[test]
fn a_load_balancer_has_listeners_targets_and_attributes() {
    let Some(all) = network("test-load-balancer") else {
        return;
    };
    assert_eq!(
        counts(&all),
        [
            ("zone", 3),
            ("vpc", 1),
            ("subnet", 3),
            ("interface", 5),
            ("instance", 3),
            ("security-group", 3),
            ("network-acl", 1),
            ("route-table", 2),
            ("prefix-list", 2),
            ("internet-gateway", 1),
            ("load-balancer", 1),
            ("target-group", 4),
        ]
    );
    let unknown = [("ServiceDetails", 64), ("ServiceNames", 64)];
    let unknown = unknown.map(|(section, rows)| (section.to_owned(), rows));
    assert_eq!(all.read.unknown, BTreeMap::from(unknown));
    let balancer = all.load_balancers.iter().next().unwrap();
    assert_eq!(
        (balancer.name(), &balancer.balancer_type),
        (Some("test-lb"), &Some(LoadBalancerType::Network))
    );
    assert_eq!((balancer.zones.len(), balancer.subnets.len()), (2, 2));
    assert_eq!(balancer.account.as_deref(), Some("554773406868"));
    assert!(
        balancer
            .attributes
            .iter()
            .any(|a| a.key == "load_balancing.cross_zone.enabled")
    );
    let [listener] = balancer.listeners.as_slice() else {
        panic!("{:?}", balancer.listeners);
    };
    assert_eq!(
        (listener.port, listener.protocol.as_deref()),
        (Some(80), Some("TCP"))
    );
    let group = all.target_groups.get(&listener.target_groups[0]).unwrap();
    let targets = group.targets.as_ref().unwrap();
    let targets: Vec<_> = targets
        .iter()
        .map(|t| (t.id.as_str(), t.port, t.state.as_deref()))
        .collect();
    assert_eq!(
        targets,
        [
            ("i-055b0db7be365202c", Some(22), Some("healthy")),
            ("i-0f4af951d61a19245", Some(22), Some("healthy")),
        ]
    );
    // Batfish asked for the health of one group only: that of the others is not known.
    assert_eq!(
        all.target_groups
            .iter()
            .filter(|g| g.targets.is_none())
            .count(),
        3
    );
    let s3 = all.prefix_list_entries("pl-7ba54012").unwrap();
    let s3: Vec<_> = s3.iter().map(|e| e.cidr.unwrap().to_string()).collect();
    assert_eq!(
        s3,
        [
            "3.5.128.0/22",
            "3.5.132.0/23",
            "52.92.76.0/22",
            "52.219.80.0/20",
            "52.219.96.0/20"
        ]
    );
    let group = all
        .security_groups
        .iter()
        .find(|g| g.name() == Some("vpc_a_jump"))
        .unwrap();
    let ssh = group
        .ingress
        .iter()
        .find(|rule| rule.from_port == Some(22))
        .unwrap();
    assert_eq!((ssh.protocol.as_str(), ssh.to_port), ("tcp", Some(22)));
    let acl = all.network_acls.iter().next().unwrap();
    let tried: Vec<_> = acl
        .entries
        .iter()
        .map(|e| (e.egress, e.number, e.allows))
        .collect();
    assert_eq!(
        tried,
        [
            (false, 100, true),
            (false, 32767, false),
            (true, 100, true),
            (true, 32767, false)
        ]
    );
}

#[test]
fn peered_vpcs_have_overlapping_blocks_and_stay_apart() {
    let Some(all) = network("test-vpc-peering") else {
        return;
    };
    assert_eq!(
        (all.vpcs.len(), all.peerings.len(), all.interfaces.len()),
        (3, 2, 3)
    );
    let (a, b, c) = (
        "vpc-0404e08ceddf7f650",
        "vpc-00a31ce9d0c06675c",
        "vpc-09095dbf2886404ee",
    );
    for (peering, accepter, name) in [
        ("pcx-0b89b559e3319d6cf", b, "A-B"),
        ("pcx-0d5b836985ac8ca8c", c, "A-C"),
    ] {
        let peering = all.peerings.get(peering).unwrap();
        assert_eq!(
            (peering.name(), peering.state.as_deref()),
            (Some(name), Some("active"))
        );
        assert_eq!(peering.requester.vpc.as_deref(), Some(a));
        assert_eq!(peering.accepter.vpc.as_deref(), Some(accepter));
        assert_eq!(peering.region.as_deref(), Some("us-east-2"));
        assert_eq!(peering.accepter.cidrs[0].to_string(), "192.168.0.0/16");
    }
    assert_eq!(
        routes(&all, "rtb-0891861fffaea6d52"),
        [
            route(
                "192.168.1.0/24",
                TargetKind::Peering,
                "pcx-0b89b559e3319d6cf"
            ),
            route(
                "192.168.2.0/24",
                TargetKind::Peering,
                "pcx-0d5b836985ac8ca8c"
            ),
            route("10.10.0.0/16", TargetKind::Local, "local"),
        ]
    );
    // B and C have the same block: an address finds an interface in its own VPC only.
    for interface in &all.interfaces {
        let address = interface.addresses[0].address.unwrap();
        let found = [a, b, c].map(|vpc| all.interface_at(vpc, address).is_some());
        assert_eq!(found.iter().filter(|found| **found).count(), 1, "{address}");
    }
}

#[test]
fn a_directory_reads_as_its_documents_do() {
    let Some(describe) = describe() else { return };
    for archive in std::fs::read_dir(describe.join("batfish")).unwrap() {
        let archive = archive.unwrap().path();
        let name = archive.file_stem().unwrap().to_str().unwrap();
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in tar(&archive) {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut builder = InventoryBuilder::new();
        let reading = read_directory(directory.path(), &mut builder);
        assert!(reading.failed.is_empty(), "{:?}", reading.failed);
        assert!(builder.finish() == network(name).unwrap(), "{name}");
    }
}

/// What the documentation shows and the inventory cannot have.
const UNPLACED: &[&str] = &[
    // The answer to a query for the placement of one instance.
    "ec2:DescribeInstances: the document has no section",
    // Answers about one parent, whose name is in the request.
    "ec2:GetManagedPrefixListEntries ManagedPrefixListEntries: it has no PrefixListId",
    "ec2:GetTransitGatewayRouteTableAssociations TransitGatewayRouteTableAssociations: it has no TransitGatewayRouteTableId",
    "ec2:GetTransitGatewayRouteTablePropagations TransitGatewayPropagations: it has no TransitGatewayRouteTableId",
    "ec2:SearchTransitGatewayRoutes TransitGatewayRoutes: it has no TransitGatewayRouteTableId",
    "elbv2:DescribeTargetHealth LoadBalancerTargetHealth: it has no TargetGroupArn",
    "iam:ListAccountAliases AccountAliases: the account it was asked for is not known",
];
/// A member whose documented value is a mistake.
const UNREADABLE: &[&str] = &["ec2:DescribeInstances PrivateIpAddress: \"10-0-0-157\""];

#[test]
fn what_is_documented_is_read() {
    let Some(describe) = describe() else { return };
    let text = std::fs::read(describe.join("documented/aws-cli-examples.json")).unwrap();
    let operations: BTreeMap<String, Value> = serde_json::from_slice(&text).unwrap();
    let mut unplaced = BTreeSet::new();
    let mut unreadable = BTreeSet::new();
    let (mut outputs, mut placed) = (0, 0);
    for (operation, example) in &operations {
        if !CATALOGUE
            .iter()
            .any(|endpoint| endpoint.name() == *operation)
        {
            continue;
        }
        for output in example["outputs"].as_array().unwrap() {
            if output.get("_unparsed").is_some() {
                continue;
            }
            let mut builder = InventoryBuilder::new();
            builder.add(output, Origin::default());
            let all = builder.finish();
            outputs += 1;
            let missing: u64 = all.read.unplaced.values().map(|u| u.count).sum();
            placed += all.read.rows.values().sum::<u64>().saturating_sub(missing);
            for (section, why) in all.read.unplaced.keys() {
                let section = if section.is_empty() {
                    String::new()
                } else {
                    format!(" {section}")
                };
                unplaced.insert(format!("{operation}{section}: {why}"));
            }
            for note in &all.read.unreadable {
                unreadable.insert(format!("{operation} {}: {}", note.path, note.example));
            }
            assert_eq!(all.read.unknown, BTreeMap::new(), "{operation}");
        }
    }
    assert_eq!(unplaced, UNPLACED.iter().map(|s| (*s).to_owned()).collect());
    assert_eq!(
        unreadable,
        UNREADABLE.iter().map(|s| (*s).to_owned()).collect()
    );
    assert_eq!((outputs, placed), (65, 116));
}

/// A recorded answer, its times as text.
fn recorded(value: Value) -> Value {
    match value {
        Value::Object(members) if members.get("__class__") == Some(&json!("datetime")) => {
            let part = |name: &str| members[name].as_i64().unwrap();
            json!(format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00",
                part("year"),
                part("month"),
                part("day"),
                part("hour"),
                part("minute"),
                part("second"),
                part("microsecond"),
            ))
        }
        Value::Object(members) => members.into_iter().map(|(k, v)| (k, recorded(v))).collect(),
        Value::Array(list) => list.into_iter().map(recorded).collect(),
        other => other,
    }
}

#[test]
fn what_was_recorded_is_read() {
    let Some(describe) = describe() else { return };
    let (account, region) = ("644160558196", "us-east-1");
    let origin = Origin {
        account: Some(account.to_owned()),
        region: Some(region.to_owned()),
        seen: None,
    };
    let archives = [
        "ec2-network",
        "network-firewall",
        "networkmanager",
        "organizations",
        "iam-alias-sts",
    ];
    let mut builder = InventoryBuilder::new();
    for archive in archives {
        for (path, text) in tar(&describe.join("recorded").join(format!("{archive}.tar"))) {
            let name = path.rsplit('/').next().unwrap();
            let operation = name.rsplit_once('_').unwrap().0.replace('.', ":");
            let answer: Value = serde_json::from_slice(&text).unwrap();
            let known = CATALOGUE
                .iter()
                .any(|endpoint| endpoint.name() == operation);
            if known && answer["status_code"] == 200 {
                builder.add(&recorded(answer["data"].clone()), origin.clone());
            }
        }
    }
    let all = builder.finish();
    assert_eq!(all.read.documents, 370);
    assert_eq!(all.read.rows.values().sum::<u64>(), 591);
    let unplaced = all.read.unplaced.iter();
    let unplaced: Vec<_> = unplaced
        .map(|((s, why), u)| (format!("{s}: {why}"), u.count))
        .collect();
    // The list is named in the request.
    assert_eq!(
        unplaced,
        [(
            "ManagedPrefixListEntries: it has no PrefixListId".to_owned(),
            2
        )]
    );
    assert_eq!(
        (&all.read.unreadable, &all.read.unknown),
        (&vec![], &BTreeMap::new())
    );
    assert_eq!(
        counts(&all),
        [
            ("account", 1),
            ("organization", 1),
            ("vpc", 30),
            ("subnet", 94),
            ("address", 19),
            ("network-acl", 2),
            ("route-table", 51),
            ("prefix-list", 4),
            ("internet-gateway", 8),
            ("nat-gateway", 5),
            ("endpoint", 19),
            ("endpoint-service", 1),
            ("peering", 2),
            ("transit-gateway", 8),
            ("transit-gateway-attachment", 7),
            ("firewall", 4),
            ("global-network", 5),
            ("core-network", 4),
            ("flow-log", 11),
        ]
    );
    let arn = format!("arn:aws:network-firewall:{region}:{account}:firewall/test-firewall-1");
    let firewall = all.firewalls.get(&arn).unwrap();
    assert_eq!(firewall.name(), Some("test-firewall-1"));
    let details = firewall.details.as_ref().unwrap();
    assert_eq!(details.state.as_deref(), Some("READY"));
    assert_eq!(details.endpoints[0].zone, "us-east-1a");
    assert!(
        details.endpoints[0]
            .endpoint
            .as_ref()
            .unwrap()
            .starts_with("vpce-")
    );
    let network = all
        .core_networks
        .get("core-network-05a10a1f03678bccb")
        .unwrap();
    assert_eq!(
        (network.segments[0].name.as_str(), network.edges[0].asn),
        ("testcloudwan", Some(64512))
    );
    assert_eq!(network.edges[0].region, "us-east-1");
    let s3 = all.prefix_lists.get("pl-63a5400a").unwrap();
    assert_eq!(
        (s3.account.as_deref(), s3.name()),
        (Some("AWS"), Some("com.amazonaws.us-east-1.s3"))
    );
    assert_eq!(s3.entries.as_ref().unwrap().len(), 2);
    let peering = all.peerings.get("pcx-f368979b").unwrap();
    assert_eq!(peering.account.as_deref(), Some("185106417252"));
    let account = all.accounts.get(account).unwrap();
    assert_eq!(account.organization.as_deref(), Some("o-r2x4ytpwhl"));
    assert_eq!(account.name(), Some("Sandbox-Kapil"));
    assert!(account.alias.is_some());
    assert!(
        all.flow_logs
            .iter()
            .all(|log| log.delivery.is_some() || log.status.is_some())
    );
}
