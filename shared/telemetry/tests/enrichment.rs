//! The shipped logs, enriched by the shipped estate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use telemetry::enrichment::field::End;
use telemetry::enrichment::price::PriceTable;
use telemetry::enrichment::{
    Device, Enricher, Enrichment, FieldSet, FieldValue, FlowField, How, Level, Loaded, Options,
    Party, SideField,
};
use telemetry::flow::field::Field;
use telemetry::flow::layout::FlowLogKind;
use telemetry::generate::{self, Generator, LogFormat};
use telemetry::index::{self, Directory, IndexUnit, Shard};
use telemetry::inventory::{InventoryBuilder, Origin as Where};
use telemetry::{LogReader, ReadOptions, Record, Row};

/// Rows of a generated log.
const ROWS: usize = 2_000;
/// The account that has most, and when it was collected.
const OWNER: &str = "123456789012";
const COLLECTED: u32 = 1_795_190_000;
/// The columns of version 2.
const V2: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
    action log-status\n";

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples")
}

fn enricher(fields: FieldSet) -> Enricher {
    enricher_with(Options::new(fields))
}

fn enricher_with(options: Options) -> Enricher {
    static INDEX: LazyLock<(Shards, Arc<Directory>)> = LazyLock::new(index_of_samples);
    let (shards, directory) = &*INDEX;
    let load = |account: &str, region: &str| {
        let key = (account.to_owned(), region.to_owned());
        shards
            .get(&key)
            .map_or(Loaded::Missing, |shard| Loaded::Ready(Arc::clone(shard)))
    };
    let directory = Loaded::Ready(Arc::clone(directory));
    Enricher::new(Arc::new(options), directory, Box::new(load))
}

/// Shards by account and region.
type Shards = HashMap<(String, String), Arc<Shard>>;

fn index_of_samples() -> (Shards, Arc<Directory>) {
    let accounts = samples().join("metadata/aws_configs/accounts");
    let mut shards = HashMap::new();
    let mut parts = Vec::new();
    for account in ["123456789012", "210987654321"] {
        for region in ["us-east-1", "global"] {
            let path = accounts.join(account).join(region).join("answers.json");
            let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            let mut builder = InventoryBuilder::new();
            let place = format!("aws_configs/accounts/{account}/{region}/answers.json");
            builder.add(&document, Where::of_path(&place));
            let inventory = builder.finish();
            let unit = IndexUnit {
                account,
                region,
                collected: COLLECTED,
            };
            let part = index::directory_part(&inventory, unit, None).unwrap();
            parts.push(Directory::open(part).unwrap());
            let shard = index::shard(&inventory, unit, None, 0).unwrap();
            let shard = Arc::new(Shard::open(shard).unwrap());
            shards.insert((account.to_owned(), region.to_owned()), shard);
        }
    }
    let directory = Directory::open(Directory::merge(&parts).unwrap()).unwrap();
    (shards, Arc::new(directory))
}

/// All that is added, as an encoder sees it.
fn added(enrichment: &Enrichment<'_>) -> Map<String, Value> {
    let value = |value: FieldValue<'_>| match value {
        FieldValue::Text(text) => json!(text),
        FieldValue::Integer(number) => json!(number),
        FieldValue::Decimal(number) => json!((number * 1e9).round() / 1e9),
        FieldValue::Boolean(is) => json!(is),
        FieldValue::Texts(texts) => json!(texts.iter().map(|text| &**text).collect::<Vec<_>>()),
    };
    let mut members = Map::new();
    for end in End::BOTH {
        for (field, of) in enrichment.side_values(end) {
            members.insert(format!("{}{}", end.prefix(), field.name()), value(of));
        }
    }
    let flow = enrichment.fact_values().chain(enrichment.own_values());
    members.extend(flow.map(|(field, of)| (field.name().to_owned(), value(of))));
    members
}

/// The shipped logs.
fn logs() -> Vec<Vec<u8>> {
    let mut logs = Vec::new();
    let mut directories = vec![samples().join("flow-logs-use1")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => directories.push(path),
                false => logs.push(std::fs::read(path).unwrap()),
            }
        }
    }
    logs
}

/// A generated log of so many rows.
fn generated(format: LogFormat, rows: usize) -> Vec<u8> {
    let mut generator = Generator::new(format, 1, 1_795_190_000);
    let header = generator.header().map(|header| header + "\n");
    let mut log = header.unwrap_or_default().into_bytes();
    for _ in 0..rows {
        generator.row(&mut log);
    }
    log
}

/// How many records of a log have two sides that are found; each is enriched as if it were the only one.
fn found_alike(log: &[u8], enricher: impl Fn() -> Enricher) -> usize {
    let mut warm = enricher();
    let mut log = LogReader::open(log, &ReadOptions::new(std::env::temp_dir())).unwrap();
    let mut hits = 0;
    while let Some(row) = log.next_row().unwrap() {
        let Row::Record(record) = row else { continue };
        let alone = added(&enricher().enrich(&record));
        for _ in 0..2 {
            assert_eq!(added(&warm.enrich(&record)), alone);
        }
        hits += usize::from(alone["src_status"] == "hit" && alone["dst_status"] == "hit");
    }
    hits
}

#[test]
fn a_record_is_enriched_alike_whatever_came_before_it() {
    let logs = logs().into_iter();
    let hits: usize = logs
        .map(|log| found_alike(&log, || enricher(FieldSet::of(Level::Full))))
        .sum();
    assert!(hits > 100, "{hits}");
}

/// Names of all fields, of sides with the side's prefix.
fn names() -> Vec<String> {
    let mut names: Vec<String> = FlowField::ALL.iter().map(|f| f.name().to_owned()).collect();
    for end in End::BOTH {
        let of_side = SideField::ALL.iter();
        names.extend(of_side.map(|field| format!("{}{}", end.prefix(), field.name())));
    }
    names
}

/// Asserts that what is added of each choice of names is what all have of these; returns names that were seen.
fn assert_only_chosen(
    log: &[u8],
    enricher: impl Fn(FieldSet) -> Enricher,
    choices: &[Vec<String>],
) -> HashSet<String> {
    let mut full = enricher(FieldSet::of(Level::Full));
    let choices = choices.iter().map(|names| {
        let fields = FieldSet::parse(&names.join(",")).unwrap();
        (names, enricher(fields))
    });
    let mut choices: Vec<(&Vec<String>, Enricher)> = choices.collect();
    let mut seen = HashSet::new();
    let mut log = LogReader::open(log, &ReadOptions::new(std::env::temp_dir())).unwrap();
    while let Some(row) = log.next_row().unwrap() {
        let Row::Record(record) = row else { continue };
        let all = added(&full.enrich(&record));
        for (names, enricher) in &mut choices {
            let of = |name: &String| Some((name.clone(), all.get(name)?.clone()));
            let expected: Map<String, Value> = names.iter().filter_map(of).collect();
            assert_eq!(added(&enricher.enrich(&record)), expected, "{names:?}");
            seen.extend(expected.keys().cloned());
        }
    }
    seen
}

#[test]
fn each_field_has_the_same_value_alone_as_among_all() {
    let alone: Vec<Vec<String>> = names().into_iter().map(|name| vec![name]).collect();
    let mut seen = HashSet::new();
    for (device, decides) in [
        (Device::Vpc, false),
        (Device::Vpc, true),
        (Device::Subnet, false),
        (Device::Interface, false),
        (Device::Folder, false),
    ] {
        let enricher = |fields| {
            enricher_with(Options {
                device,
                decides,
                ..Options::new(fields)
            })
        };
        for log in logs() {
            seen.extend(assert_only_chosen(&log, enricher, &alone));
        }
    }
    assert!(seen.len() > alone.len() / 2, "{} are seen", seen.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_choice_of_fields_changes_a_value(names in prop::sample::subsequence(names(), 1..60)) {
        type Enrichers = Box<dyn Fn(FieldSet) -> Enricher + Send + Sync>;
        static ENRICHERS: LazyLock<Enrichers> =
            LazyLock::new(|| Box::new(enrichers(&generate::answers())));
        let choices = [names];
        for format in [LogFormat::VpcV2, LogFormat::VpcV11, LogFormat::TransitGateway] {
            assert_only_chosen(&generated(format, 200), &**ENRICHERS, &choices);
        }
    }
}

/// Enrichers over the index of one account and region.
fn enrichers(answers: &Value) -> impl Fn(FieldSet) -> Enricher + use<> {
    enrichers_of(&[(OWNER, answers)])
}

/// Enrichers over the index of accounts in one region.
fn enrichers_of(accounts: &[(&str, &Value)]) -> impl Fn(FieldSet) -> Enricher + use<> {
    let enrichers = enrichers_with(accounts);
    move |fields| enrichers(Arc::new(Options::new(fields)))
}

/// Enrichers over the index of accounts in one region. One that is there again was collected again, an hour later.
fn enrichers_with(accounts: &[(&str, &Value)]) -> impl Fn(Arc<Options>) -> Enricher + use<> {
    let mut shards: HashMap<String, Arc<Shard>> = HashMap::new();
    let mut parts = HashMap::new();
    for (account, answers) in accounts {
        let mut builder = InventoryBuilder::new();
        let path = format!("aws_configs/accounts/{account}/us-east-1/answers.json");
        builder.add_path_document(&path, answers);
        let inventory = builder.finish();
        let before = shards.get(*account).cloned();
        let unit = IndexUnit {
            account,
            region: "us-east-1",
            collected: COLLECTED + before.as_ref().map_or(0, |_| 3_600),
        };
        let shard = index::shard(&inventory, unit, before.as_deref(), 24 * 3_600).unwrap();
        let shard = Shard::open(shard).unwrap();
        let part = index::directory_part(&inventory, unit, Some(&shard)).unwrap();
        parts.insert(*account, Directory::open(part).unwrap());
        shards.insert((*account).to_owned(), Arc::new(shard));
    }
    let parts: Vec<Directory> = parts.into_values().collect();
    let directory = Arc::new(Directory::open(Directory::merge(&parts).unwrap()).unwrap());
    move |options| {
        let shards = shards.clone();
        let load = Box::new(move |account: &str, _: &str| {
            let shard = shards.get(account).map(Arc::clone);
            shard.map_or(Loaded::Missing, Loaded::Ready)
        });
        let directory = Loaded::Ready(Arc::clone(&directory));
        Enricher::new(options, directory, load)
    }
}

#[test]
fn so_it_is_in_an_estate_of_thousands_of_interfaces() {
    let log = generated(LogFormat::VpcV5, ROWS);
    let enrichers = enrichers(&generate::answers());
    let hits = found_alike(&log, || enrichers(FieldSet::of(Level::Full)));
    assert!(hits > ROWS / 4, "{hits}");
}

#[test]
fn all_ways_that_an_interface_is_found_in_share_what_is_known_of_it() {
    let log = generated(LogFormat::VpcV5, 20 * ROWS);
    let mut enricher = enrichers(&generate::answers())(FieldSet::of(Level::Full));
    let mut ways: HashMap<*const Party, HashSet<How>> = HashMap::new();
    let mut log = LogReader::open(&log[..], &ReadOptions::new(std::env::temp_dir())).unwrap();
    while let Some(row) = log.next_row().unwrap() {
        let Row::Record(record) = row else { continue };
        let enrichment = enricher.enrich(&record);
        for side in End::BOTH.map(|end| enrichment.side(end).unwrap()) {
            let party = Arc::as_ptr(&side.party);
            ways.entry(party).or_default().insert(side.how);
        }
    }
    let several = ways.values().filter(|ways| ways.len() > 1).count();
    assert!(several > 10, "{several} of {}", ways.len());
}

/// More interfaces than are kept: sides get numbers anew now and then, and are right before and after.
#[test]
fn numbers_of_sides_hold_until_they_are_given_anew() {
    let mut enricher = enricher(FieldSet::parse("interface_id,account_id").unwrap());
    let mut log = "version account-id interface-id srcaddr dstaddr start action\n".to_owned();
    let interfaces = 20_000;
    for at in (0..interfaces).chain(0..100) {
        let [.., high, low] = u32::to_be_bytes(at);
        log += &format!("2 123456789012 eni-{at} 10.0.{high}.{low} 192.0.2.1 1795189000 ACCEPT\n");
    }
    let mut sides = HashMap::new();
    let mut generations = HashSet::new();
    let mut most = 0;
    let mut log = LogReader::open(log.as_bytes(), &ReadOptions::new(std::env::temp_dir())).unwrap();
    while let Some(row) = log.next_row().unwrap() {
        let Row::Record(Record::Flow(flow)) = row else {
            panic!("no record");
        };
        let enrichment = enricher.enrich(&Record::Flow(flow));
        let side = enrichment.side(End::Source).unwrap();
        assert_eq!(
            side.party.interface_id.as_deref(),
            flow.text(Field::InterfaceId)
        );
        for (number, end) in [enrichment.source, enrichment.destination]
            .into_iter()
            .zip(End::BOTH)
        {
            let side = enrichment.side(end).unwrap();
            let known = sides.entry((enrichment.generation, number));
            assert_eq!(known.or_insert_with(|| side.clone()), side);
            most = most.max(number);
        }
        generations.insert(enrichment.generation);
    }
    assert_eq!(generations.len(), 2);
    assert!((10_000..interfaces).contains(&most), "{most}");
}

/// The same address is somebody else's behind another peering connection, and nobody's where routes to it drop.
#[test]
fn route_tables_of_a_vpc_lead_to_different_owners_of_an_address() {
    let vpcs = [
        ("a", "10.1.0.0/16"),
        ("b", "10.2.0.0/16"),
        ("c", "10.2.0.0/16"),
    ];
    let subnets = [
        ("b", "a", "10.1.0.0/24"),
        ("c", "a", "10.1.1.0/24"),
        ("same", "a", "10.1.2.0/24"),
        ("dropped", "a", "10.1.3.0/24"),
        ("in-b", "b", "10.2.0.0/24"),
        ("in-c", "c", "10.2.0.0/24"),
    ];
    let tables = [
        ("b", "b", "active"),
        ("c", "c", "active"),
        ("same", "b", "active"),
        ("dropped", "b", "blackhole"),
    ];
    let interfaces = [
        ("b", "10.1.0.4"),
        ("c", "10.1.1.4"),
        ("same", "10.1.2.4"),
        ("dropped", "10.1.3.4"),
        ("in-b", "10.2.0.5"),
        ("in-c", "10.2.0.5"),
    ];
    let peers = ["b", "c"];
    let owner = OWNER;
    let vpc_of = |subnet: &str| subnets.iter().find(|(name, ..)| *name == subnet).unwrap().1;
    let answers = json!({
        "Vpcs": vpcs.map(|(vpc, block)| json!({
            "VpcId": format!("vpc-{vpc}"),
            "OwnerId": owner,
            "CidrBlock": block,
            "CidrBlockAssociationSet": [{"CidrBlock": block, "CidrBlockState": {"State": "associated"}}],
        })),
        "Subnets": subnets.map(|(subnet, vpc, block)| json!({
            "SubnetId": format!("subnet-{subnet}"),
            "VpcId": format!("vpc-{vpc}"),
            "OwnerId": owner,
            "CidrBlock": block,
            "AvailabilityZone": "us-east-1a",
        })),
        "RouteTables": tables.map(|(subnet, other, state)| json!({
            "RouteTableId": format!("rtb-{subnet}"),
            "VpcId": "vpc-a",
            "OwnerId": owner,
            "Associations": [{"RouteTableId": format!("rtb-{subnet}"), "SubnetId": format!("subnet-{subnet}")}],
            "Routes": [{
                "DestinationCidrBlock": "10.2.0.0/16",
                "VpcPeeringConnectionId": format!("pcx-{other}"),
                "State": state,
            }],
        })),
        "VpcPeeringConnections": peers.map(|other| json!({
            "VpcPeeringConnectionId": format!("pcx-{other}"),
            "Status": {"Code": "active"},
            "RequesterVpcInfo": {"VpcId": "vpc-a", "OwnerId": owner, "Region": "us-east-1"},
            "AccepterVpcInfo": {"VpcId": format!("vpc-{other}"), "OwnerId": owner, "Region": "us-east-1"},
        })),
        "NetworkInterfaces": interfaces.map(|(subnet, address)| json!({
            "NetworkInterfaceId": format!("eni-{subnet}"),
            "InterfaceType": "interface",
            "SubnetId": format!("subnet-{subnet}"),
            "VpcId": format!("vpc-{}", vpc_of(subnet)),
            "OwnerId": owner,
            "PrivateIpAddress": address,
            "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": true}],
        })),
    });
    let mut enricher = enrichers(&answers)(FieldSet::of(Level::Full));
    let mut expect = |from: &str, there: Option<&str>| {
        let (_, address) = interfaces.iter().find(|(name, _)| *name == from).unwrap();
        let log = format!(
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n\
             2 {owner} eni-{from} {address} 10.2.0.5 40000 443 6 1 40 1795189000 1795189060 ACCEPT OK\n"
        );
        let mut log =
            LogReader::open(log.as_bytes(), &ReadOptions::new(std::env::temp_dir())).unwrap();
        let Some(Row::Record(record)) = log.next_row().unwrap() else {
            panic!("no record");
        };
        let added = added(&enricher.enrich(&record));
        let found = added.get("dst_interface_id").and_then(Value::as_str);
        assert_eq!(found, there, "from {from}: {added:?}");
    };
    for _ in 0..2 {
        expect("b", Some("eni-in-b"));
        expect("same", Some("eni-in-b"));
        expect("c", Some("eni-in-c"));
        expect("dropped", None);
    }
}

/// An interface of a VPC as AWS tells it, with its addresses and since when it is attached.
fn attached(id: &str, subnet: &str, addresses: &[&str], since: &str) -> Value {
    let listed = addresses
        .iter()
        .enumerate()
        .map(|(at, address)| json!({"PrivateIpAddress": address, "Primary": at == 0}));
    json!({
        "NetworkInterfaceId": id,
        "InterfaceType": "interface",
        "Status": "in-use",
        "SubnetId": subnet,
        "VpcId": "vpc-a",
        "OwnerId": OWNER,
        "PrivateIpAddress": addresses[0],
        "PrivateIpAddresses": listed.collect::<Vec<_>>(),
        "Attachment": {"AttachTime": since, "Status": "attached"},
    })
}

/// The VPC `vpc-a`, and its subnets `subnet-a` and `subnet-b`, as AWS tells them.
fn vpc_and_subnets() -> (Value, [Value; 2]) {
    let block = "10.0.0.0/16";
    let vpc = json!({
        "VpcId": "vpc-a",
        "OwnerId": OWNER,
        "CidrBlock": block,
        "CidrBlockAssociationSet": [{"CidrBlock": block, "CidrBlockState": {"State": "associated"}}],
    });
    let subnets = [("subnet-a", "10.0.0.0/24"), ("subnet-b", "10.0.1.0/24")];
    let subnets = subnets.map(|(id, block)| {
        json!({
            "SubnetId": id,
            "VpcId": "vpc-a",
            "OwnerId": OWNER,
            "CidrBlock": block,
            "AvailabilityZone": "us-east-1a",
        })
    });
    (vpc, subnets)
}

/// An address is asked for before, when and after an interface is attached that has it: the answer to one does not
/// stand in for that to another, whoever tells of the interface.
#[test]
fn nobody_at_one_time_is_somebody_at_another() {
    let attach: u32 = 1_793_491_200;
    let near = attached(
        "eni-near",
        "subnet-a",
        &["10.0.0.10"],
        "2026-01-01T00:00:00Z",
    );
    let far = attached(
        "eni-far",
        "subnet-b",
        &["10.0.1.11"],
        "2026-11-01T00:00:00Z",
    );
    let (vpc, [ours, theirs]) = vpc_and_subnets();
    let ground = |interfaces: &[&Value], subnets: &[&Value]| json!({"Vpcs": [vpc], "Subnets": subnets, "NetworkInterfaces": interfaces});
    let interfaces_only = json!({"NetworkInterfaces": [near, far]});
    let without_subnet = ground(&[&near, &far], &[&ours]);
    let whole = ground(&[&near, &far], &[&ours, &theirs]);
    let near_only = ground(&[&near], &[&ours, &theirs]);
    let near_without_subnet = ground(&[&near], &[&ours]);
    let far_only = ground(&[&far], &[&ours, &theirs]);
    let far_without_subnet = ground(&[&far], &[&ours]);
    // A participant of the VPC; one more sees nothing of either interface.
    let (participant, other) = ("210987654321", "345678901234");
    let estates: [&[(&str, &Value)]; 6] = [
        &[(OWNER, &interfaces_only)],
        &[(OWNER, &without_subnet)],
        &[(OWNER, &whole)],
        &[(OWNER, &near_only), (participant, &far_only)],
        &[
            (OWNER, &near_without_subnet),
            (participant, &far_without_subnet),
        ],
        &[
            (OWNER, &near_only),
            (participant, &ground(&[], &[&theirs])),
            (other, &far_only),
        ],
    ];
    let stale = COLLECTED + Options::DEFAULT_MAX_AGE + 1;
    let times = [attach - 100, attach - 1, attach, attach + 100, stale];
    for accounts in estates {
        let enrichers = enrichers_of(accounts);
        let full = || enrichers(FieldSet::of(Level::Full));
        let row = |time: u32| {
            format!(
                "2 {OWNER} eni-near 10.0.0.10 10.0.1.11 40000 443 6 1 40 {time} {} ACCEPT OK\n",
                time + 60
            )
        };
        for time in times {
            let found = only(full(), &format!("{V2}{}", row(time)));
            let interface = found.get("dst_interface_id").and_then(Value::as_str);
            assert_eq!(
                interface,
                (time >= attach).then_some("eni-far"),
                "{found:?}"
            );
            for other in times {
                found_alike(format!("{V2}{}{}", row(time), row(other)).as_bytes(), full);
            }
        }
    }
}

/// Between two addresses of the interface that logs no record tells the way, whichever of them others showed; between
/// one that it has and one that went on to another, who has them then does.
#[test]
fn records_before_do_not_decide_which_way_packets_go() {
    let since = "2026-01-01T00:00:00Z";
    let (vpc, subnets) = vpc_and_subnets();
    let estate = |near: &[&str], far: &[&str]| {
        let near = attached("eni-near", "subnet-a", near, since);
        let far = attached("eni-far", "subnet-a", far, since);
        json!({"Vpcs": [vpc], "Subnets": subnets, "NetworkInterfaces": [near, far]})
    };
    let before = estate(&["10.0.0.10", "10.0.0.100"], &["10.0.0.11"]);
    let after = estate(&["10.0.0.10"], &["10.0.0.11", "10.0.0.100"]);
    let hosts = ["10.0.0.10", "10.0.0.100", "10.0.0.11", "10.0.0.12"];
    let row = |source: &str, destination: &str, time: u32| {
        let end = time + 60;
        format!(
            "2 {OWNER} eni-near {source} {destination} 40000 443 6 1 40 {time} {end} ACCEPT OK\n"
        )
    };
    let (once, again) = (COLLECTED - 600, COLLECTED + 2 * 3_600);
    let moved = [(OWNER, &before), (OWNER, &after)];
    for (accounts, at_once, at_again) in [
        (&moved[..1], None, None),
        (&moved, None, Some("egress")),
        (&moved[1..], Some("egress"), Some("egress")),
    ] {
        let enrichers = enrichers_of(accounts);
        let full = || enrichers(FieldSet::of(Level::Full));
        let pairs = hosts
            .iter()
            .flat_map(|a| hosts.iter().map(move |b| (*a, *b)));
        let rows: Vec<String> = [once, again]
            .iter()
            .flat_map(|time| pairs.clone().map(|(a, b)| row(a, b, *time)))
            .collect();
        for first in &rows {
            let then: String = rows.iter().map(|row| format!("{first}{row}")).collect();
            found_alike(format!("{V2}{first}{then}").as_bytes(), full);
        }
        let direction = |source, destination, time| {
            let added = only(full(), &format!("{V2}{}", row(source, destination, time)));
            added
                .get("direction")
                .map(|direction| direction.as_str().unwrap().to_owned())
        };
        let [own, other, far, _] = hosts;
        assert_eq!(direction(own, other, once).as_deref(), at_once);
        assert_eq!(direction(own, other, again).as_deref(), at_again);
        assert_eq!(direction(own, own, again), None);
        assert_eq!(direction(own, far, again).as_deref(), Some("egress"));
        assert_eq!(direction(far, own, again).as_deref(), Some("ingress"));
    }
}

/// What is added to each record of logs, by one enricher.
fn all_added(enricher: &mut Enricher, logs: &[String]) -> Vec<Map<String, Value>> {
    let mut all = Vec::new();
    for log in logs {
        let read = ReadOptions::new(std::env::temp_dir());
        let mut log = LogReader::open(log.as_bytes(), &read).unwrap();
        while let Some(row) = log.next_row().unwrap() {
            let Row::Record(record) = row else {
                panic!("no record");
            };
            all.push(added(&enricher.enrich(&record)));
        }
    }
    all
}

/// Asserts that logs of one record each are enriched as if each were the only one, in both orders, and returns what is
/// added to each.
fn alone_as_among(logs: &[String], enricher: impl Fn() -> Enricher) -> Vec<Map<String, Value>> {
    let alone = logs.iter().map(|log| only(enricher(), log));
    let mut alone: Vec<_> = alone.collect();
    let mut logs = logs.to_vec();
    for _ in 0..2 {
        assert_eq!(all_added(&mut enricher(), &logs), alone);
        logs.reverse();
        alone.reverse();
    }
    alone
}

/// Formats with and without the region, of one transit gateway: the region has its own price.
#[test]
fn a_transit_gateways_price_is_that_of_the_region_that_its_record_tells() {
    let since = "2026-01-01T00:00:00Z";
    let (vpc, subnets) = vpc_and_subnets();
    let attachment = |number: u8| {
        json!({
            "TransitGatewayAttachmentId": format!("tgw-attach-{number}"),
            "TransitGatewayId": "tgw-1",
            "ResourceType": "vpc",
            "ResourceId": "vpc-a",
            "ResourceOwnerId": OWNER,
            "State": "available",
        })
    };
    // The sides are the same whatever region the record tells.
    let answers = json!({
        "Vpcs": [vpc],
        "Subnets": subnets,
        "NetworkInterfaces": [
            attached("eni-near", "subnet-a", &["10.0.0.10"], since),
            attached("eni-far", "subnet-b", &["10.0.1.10"], since),
        ],
        "TransitGateways": [{"TransitGatewayId": "tgw-1", "OwnerId": OWNER, "State": "available"}],
        "TransitGatewayAttachments": [attachment(1), attachment(2)],
    });
    let with_options = enrichers_with(&[(OWNER, &answers)]);
    let prices = json!({
        "date": "2026-01-01",
        "currency": "USD",
        "source": "test",
        "default": "us-east-1",
        "regions": {"us-east-1": {"transit-gateway": 0.02}, "eu-west-1": {"transit-gateway": 0.05}},
    });
    let prices = PriceTable::from_slice(&serde_json::to_vec(&prices).unwrap()).unwrap();
    let options = Arc::new(Options {
        prices: Arc::new(prices),
        ..Options::new(FieldSet::of(Level::Full))
    });
    let columns = "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-id tgw-dst-vpc-id \
        tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end log-status \
        flow-direction";
    let row = "6 TransitGateway 123456789012 tgw-1 tgw-attach-1 vpc-a vpc-a tgw-attach-2 10.0.0.10 10.0.1.10 1 2 6 1 \
        1073741824 1793491300 1793491360 OK ingress";
    let logs = [
        format!("{columns}\n{row}\n"),
        format!("{columns} region\n{row} eu-west-1\n"),
        format!("{columns} region\n{row} us-east-1\n"),
        format!("{columns} region\n{row} -\n"),
    ];
    let added = alone_as_among(&logs, || with_options(Arc::clone(&options)));
    let costs: Vec<_> = added
        .iter()
        .map(|added| added["transfer_cost_usd"].as_f64())
        .collect();
    assert_eq!(costs, [0.02, 0.05, 0.02, 0.02].map(Some));
}

/// The endpoints of a firewall in two zones, of whose subnets nothing is known.
#[test]
fn an_entry_of_a_firewall_names_the_endpoint_of_its_zone() {
    let arn = "arn:aws:network-firewall:us-east-1:123456789012:firewall/inspect";
    let endpoint = |id: &str| json!({"Attachment": {"SubnetId": format!("subnet-{id}"), "EndpointId": format!("vpce-{id}"), "Status": "READY"}});
    let answers = json!({
        "Firewalls": [{"FirewallName": "inspect", "FirewallArn": arn}],
        "FirewallDetails": [{
            "FirewallArn": arn,
            "Firewall": {"FirewallName": "inspect", "FirewallArn": arn, "VpcId": "vpc-a"},
            "FirewallStatus": {"SyncStates": {"us-east-1a": endpoint("a"), "us-east-1b": endpoint("b")}},
        }],
    });
    let enrichers = enrichers(&answers);
    let logs = ["us-east-1a", "us-east-1b"].map(|zone| {
        let entry = json!({
            "firewall_name": "inspect",
            "availability_zone": zone,
            "event_timestamp": "1793491300",
            "event": {
                "event_type": "netflow",
                "src_ip": "10.20.4.17",
                "src_port": 1,
                "dest_ip": "198.51.100.77",
                "dest_port": 2,
                "proto": "TCP",
                "timestamp": "2026-11-01T00:00:00.000000+0000",
                "netflow": {"pkts": 1, "bytes": 100},
            },
        });
        format!("{entry}\n")
    });
    let added = alone_as_among(&logs, || enrichers(FieldSet::of(Level::Full)));
    let gateways: Vec<_> = added
        .iter()
        .map(|added| added["gateway_id"].as_str().unwrap())
        .collect();
    assert_eq!(gateways, ["vpce-a", "vpce-b"]);
}

/// Addresses of IPv4, and the same written as ones of IPv6.
#[test]
fn an_address_of_ipv4_is_the_same_as_its_mapped_one() {
    let attach = "2026-01-01T00:00:00Z";
    let (vpc, subnets) = vpc_and_subnets();
    let answers = json!({
        "Vpcs": [vpc],
        "Subnets": subnets,
        "NetworkInterfaces": [
            attached("eni-near", "subnet-a", &["10.0.0.10"], attach),
            attached("eni-far", "subnet-b", &["10.0.1.10"], attach),
        ],
    });
    let enrichers = enrichers(&answers);
    let far = [
        "10.0.1.10",
        "10.0.1.11",
        "10.9.0.1",
        "198.51.100.7",
        "52.94.0.1",
    ];
    let gateways = "resource-type tgw-id tgw-src-vpc-id tgw-dst-vpc-id srcaddr dstaddr start end flow-direction";
    let entry = |source: &str, destination: &str| {
        let event = json!({"event_type": "netflow", "src_ip": source, "dest_ip": destination, "proto": "TCP"});
        json!({"firewall_name": "inspect", "event_timestamp": COLLECTED, "event": event})
    };
    let write = |source: &str, destination: &str| {
        [
            format!(
                "{V2}2 {OWNER} eni-near {source} {destination} 1 2 6 1 40 {COLLECTED} {COLLECTED} REJECT OK\n"
            ),
            format!(
                "{gateways}\nTransitGateway tgw-1 vpc-a vpc-a {source} {destination} {COLLECTED} {COLLECTED} ingress\n"
            ),
            format!("{}\n", entry(source, destination)),
        ]
    };
    for far in far {
        let mapped = |address: &str| format!("::ffff:{address}");
        let near = "10.0.0.10";
        let plain = write(near, far);
        for other in [
            write(near, &mapped(far)),
            write(&mapped(near), far),
            write(&mapped(near), &mapped(far)),
        ] {
            for (plain, other) in plain.iter().zip(other) {
                let logs = [plain.clone(), other];
                let added = alone_as_among(&logs, || enrichers(FieldSet::of(Level::Full)));
                assert_eq!(added[0], added[1], "{}", logs[1]);
            }
        }
    }
}

/// What tells no start is looked up at its end; what tells no time, by what was known last, and that is stale.
#[test]
fn flows_without_a_start_are_looked_up_at_their_end() {
    let attach = COLLECTED - 1_000;
    let (vpc, subnets) = vpc_and_subnets();
    let since = jiff::Timestamp::from_second(attach.into()).unwrap();
    let arn = "arn:aws:network-firewall:us-east-1:123456789012:firewall/inspect";
    let answers = json!({
        "Vpcs": [vpc],
        "Subnets": subnets,
        "NetworkInterfaces": [
            attached("eni-near", "subnet-a", &["10.0.0.10"], &since.to_string()),
            attached("eni-far", "subnet-b", &["10.0.1.10"], &since.to_string()),
        ],
        "Firewalls": [{"FirewallName": "inspect", "FirewallArn": arn}],
        "FirewallDetails": [{
            "FirewallArn": arn,
            "Firewall": {"FirewallName": "inspect", "FirewallArn": arn, "VpcId": "vpc-a"},
        }],
    });
    let enrichers = enrichers(&answers);
    let full = || enrichers(FieldSet::of(Level::Full));
    let log = |columns: &str, times: &str| {
        let header =
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol bytes action";
        format!(
            "{header} {columns}\n2 {OWNER} eni-near 10.0.0.10 10.0.1.10 40000 443 6 40 ACCEPT {times}\n"
        )
    };
    for time in [attach - 1, attach, COLLECTED] {
        let alike = [
            log("start", &format!("{time}")),
            log("end", &format!("{time}")),
            log("start end", &format!("- {time}")),
            log("start end", &format!("{time} {}", time + 600)),
        ];
        let added = alone_as_among(&alike, full);
        for (log, added) in alike.iter().zip(&added) {
            let found = added.get("dst_interface_id").is_some();
            assert_eq!(found, time >= attach, "{log}{added:?}");
        }
        for log in &alike {
            let read = ReadOptions::new(std::env::temp_dir());
            let mut log = LogReader::open(log.as_bytes(), &read).unwrap();
            let Some(Row::Record(record)) = log.next_row().unwrap() else {
                panic!("no record");
            };
            assert_eq!(record.time(), Some(i64::from(time)));
        }
    }
    let entry = json!({
        "firewall_name": "inspect", "event_timestamp": -5,
        "event": {"event_type": "netflow", "src_ip": "10.0.0.10", "dest_ip": "10.0.1.10", "proto": "TCP"},
    });
    let timeless = [
        log("start", "-"),
        log("vpc-id", "vpc-a"),
        format!("{entry}\n"),
    ];
    let timeless = alone_as_among(&timeless, full);
    for added in timeless {
        assert_eq!(added["dst_interface_id"], "eni-far");
        assert_eq!(
            (&added["src_status"], &added["dst_status"]),
            (&json!("stale"), &json!("stale"))
        );
    }
}

/// What is added to the only record of a log.
fn only(mut enricher: Enricher, log: &str) -> Map<String, Value> {
    let mut log = LogReader::open(log.as_bytes(), &ReadOptions::new(std::env::temp_dir())).unwrap();
    let Some(Row::Record(record)) = log.next_row().unwrap() else {
        panic!("no record");
    };
    added(&enricher.enrich(&record))
}

#[test]
fn facts_that_nobody_asks_for_are_not_made_and_sides_stay_the_same() {
    let chosen = || FieldSet::parse("interface_id,vpc_name,how,protocol_name").unwrap();
    let mut whole = enricher(FieldSet::of(Level::Full));
    let mut sides = enricher(chosen());
    let mut decides = enricher_with(Options {
        decides: true,
        ..Options::new(chosen())
    });
    let mut records = 0;
    for log in logs() {
        let mut log = LogReader::open(&log[..], &ReadOptions::new(std::env::temp_dir())).unwrap();
        while let Some(row) = log.next_row().unwrap() {
            let Row::Record(record) = row else { continue };
            let all = whole.enrich(&record);
            let [sides, decides] = [&mut sides, &mut decides].map(|it| it.enrich(&record));
            let added = [&all, &sides, &decides].map(added);
            for field in chosen_names(&added[0]) {
                assert_eq!(added[1].get(field), added[0].get(field), "{field}");
            }
            assert_eq!(added[1], added[2]);
            assert_eq!(decides.facts(), all.facts());
            if matches!(record, Record::Flow(flow) if flow.layout().kind() == FlowLogKind::Vpc) {
                assert_eq!(sides.facts(), None);
                records += 1;
            }
        }
    }
    assert!(records > 100, "{records}");
}

fn chosen_names(added: &Map<String, Value>) -> impl Iterator<Item = &String> {
    let chosen = ["interface_id", "vpc_name", "how", "protocol_name"];
    let is_chosen = move |name: &&String| {
        let plain = name.strip_prefix("src_").or(name.strip_prefix("dst_"));
        chosen.contains(&plain.unwrap_or(name))
    };
    added.keys().filter(is_chosen)
}

#[test]
fn without_an_index_the_record_still_tells_what_it_can() {
    let load = |_: &str, _: &str| Loaded::Missing;
    let options = Arc::new(Options::new(FieldSet::of(Level::Full)));
    let mut enricher = Enricher::new(options, Loaded::Missing, Box::new(load));
    let read = ReadOptions::new(std::env::temp_dir());
    let log = "version account-id interface-id srcaddr dstaddr vpc-id subnet-id az-id region flow-direction traffic-path bytes protocol action\n\
        5 123456789012 eni-1 10.0.0.7 203.0.113.5 vpc-1 subnet-1 use1-az1 us-east-1 egress 8 1073741824 6 ACCEPT\n";
    let mut log = LogReader::open(log.as_bytes(), &read).unwrap();
    let Some(Row::Record(record)) = log.next_row().unwrap() else {
        panic!("no record")
    };
    let added = Value::Object(added(&enricher.enrich(&record)));
    let expected = json!({
        "src_status": "hit", "src_how": "record", "src_account_id": "123456789012",
        "src_region": "us-east-1", "src_az_id": "use1-az1", "src_vpc_id": "vpc-1",
        "src_subnet_id": "subnet-1", "src_interface_id": "eni-1",
        "dst_status": "hit", "dst_how": "public",
        "device": "vpc-1", "device_type": "vpc", "direction": "egress",
        "via": "internet-gateway", "scope": "internet", "confidence": "high",
        "count_volume": true, "metadata": "missing", "transfer_cost_usd": 0.09,
        "protocol_name": "TCP",
    });
    assert_eq!(added, expected);
}
