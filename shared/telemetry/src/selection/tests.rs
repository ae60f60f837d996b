use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::enrichment::{Enricher, FieldSet, Level, Loaded, Options};
use crate::generate::{Generator, LogFormat};
use crate::log::{LogReader, ReadOptions, Record, Row};
use crate::{Field, FlowRecord};

/// A log of many kinds of rows, by line.
const FLOWS: &str = "\
account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start action log-status vpc-id flow-direction
123456789012 eni-1 10.0.0.1 192.168.9.9 40000 53 17 1 80 1795190400 ACCEPT OK vpc-1 egress
123456789012 eni-1 192.168.9.9 10.0.0.1 53 40000 17 1 90 1795190400 ACCEPT OK vpc-1 ingress
210987654321 eni-2 203.0.113.7 10.0.0.2 50000 22 6 1 40 1795190460 REJECT OK vpc-2 ingress
210987654321 eni-2 2001:db8::1 2001:db8::2 50001 443 6 9 900 1795190460 ACCEPT OK - -
210987654321 eni-2 - - - - - - - 1795190460 - NODATA - ingress
";

/// Two entries: an alert that was dropped, and a flow.
const ENTRIES: &str = r#"{"firewall_name":"inspect","event_timestamp":1795190400,"event":{"event_type":"alert","src_ip":"10.0.0.1","src_port":4000,"dest_ip":"192.0.2.1","dest_port":3389,"proto":"TCP","alert":{"action":"allowed","signature_id":1000012},"verdict":{"action":"drop"},"app_proto":"rdp"}}
{"firewall_name":"inspect","event_timestamp":1795190401,"event":{"event_type":"netflow","src_ip":"192.0.2.1","src_port":3389,"dest_ip":"10.0.0.1","dest_port":4000,"proto":"TCP","netflow":{"pkts":1,"bytes":40}}}
"#;

fn each(log: &[u8], mut see: impl FnMut(&Record<'_>)) {
    let options = ReadOptions::new(std::env::temp_dir());
    let mut reader = LogReader::open(log, &options).unwrap();
    while let Some(row) = reader.next_row().unwrap() {
        if let Row::Record(record) = row {
            see(&record);
        }
    }
}

fn selector(text: &str) -> Selector {
    let selection = Selection::parse(text).unwrap_or_else(|error| panic!("{error}"));
    Arc::new(selection).selector().unwrap()
}

/// What is decided on each record of a log, and what is counted.
fn decide(text: &str, log: &[u8]) -> (Vec<Decision>, SelectionCounts) {
    let mut selector = selector(text);
    let mut decisions = Vec::new();
    each(log, |record| decisions.push(selector.decide(record, None)));
    (decisions, selector.finish())
}

/// The numbers of the records that are kept, from 1.
fn kept(text: &str, log: &str) -> Vec<usize> {
    let (decisions, _) = decide(text, log.as_bytes());
    let numbers = (1..).zip(decisions);
    let kept = numbers.filter(|(_, decision)| matches!(decision, Decision::Keep { .. }));
    kept.map(|(number, _)| number).collect()
}

#[test]
fn conditions_are_for_the_records_they_say() {
    // NODATA rows are no records.
    for (condition, expected) in [
        ("action=REJECT", &[3][..]),
        ("action=reject", &[3]),
        ("action!=REJECT", &[1, 2, 4]),
        ("direction=ingress", &[2, 3]),
        ("flow-direction!=ingress", &[1]),
        ("flow_direction=-", &[4]),
        ("flow_direction=-,egress", &[1, 4]),
        ("flow_direction!=-", &[1, 2, 3]),
        ("flow_direction!=-,egress", &[2, 3]),
        ("addr=10.0.0.0/8", &[1, 2, 3]),
        ("addr!=10.0.0.1", &[3, 4]),
        ("srcaddr=10.0.0.0/8,2001:db8::/32", &[1, 4]),
        ("dstaddr=192.168.0.0/16", &[1]),
        ("port=53", &[1, 2]),
        ("srcport=0-1023", &[2]),
        ("dstport=22,443", &[3, 4]),
        ("port!=40000", &[3, 4]),
        ("protocol=tcp", &[3, 4]),
        ("protocol=17,50-51", &[1, 2]),
        ("account=123456789012", &[1, 2]),
        ("vpc=vpc-*", &[1, 2, 3]),
        ("vpc_id=vpc-2", &[3]),
        ("vpc=-", &[4]),
        ("interface=eni-2,eni-9", &[3, 4]),
        ("subnet=-", &[1, 2, 3, 4]),
        ("subnet!=subnet-1", &[]),
        ("bytes=100-18446744073709551615", &[4]),
        ("log=vpc", &[1, 2, 3, 4]),
        ("log!=transit-gateway,firewall-flow", &[1, 2, 3, 4]),
        ("log=firewall-alert", &[]),
        ("firewall=inspect", &[]),
        ("status=ok", &[1, 2, 3, 4]),
        ("action=ACCEPT protocol=udp srcport=53", &[2]),
    ] {
        assert_eq!(
            kept(&format!("keep {condition}; drop"), FLOWS),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn entries_of_firewalls_have_what_flow_logs_name() {
    for (condition, expected) in [
        ("log=firewall-alert", &[1][..]),
        ("log=firewall-flow", &[2]),
        ("log=vpc", &[]),
        ("action=REJECT", &[1]),
        ("action!=REJECT", &[]),
        ("action=-", &[2]),
        ("addr=192.0.2.0/24", &[1, 2]),
        ("srcaddr=192.0.2.0/24", &[2]),
        ("dstport=3389", &[1]),
        ("protocol=tcp", &[1, 2]),
        ("bytes=40", &[2]),
        ("firewall=INSPECT", &[1, 2]),
        ("app_proto=rdp", &[1]),
        ("signature_id=1000000-1999999", &[1]),
        ("vpc_id=-", &[1, 2]),
    ] {
        assert_eq!(
            kept(&format!("keep {condition}; drop"), ENTRIES),
            expected,
            "{condition}"
        );
    }
}

#[test]
fn what_a_firewall_did_is_accept_or_reject_wherever_it_stands() {
    for (event, expected) in [
        (
            r#"{"verdict":{"action":"drop"},"alert":{"action":"allowed"}}"#,
            "REJECT",
        ),
        (r#"{"alert":{"action":"blocked"}}"#, "REJECT"),
        (
            r#"{"verdict":{"action":null},"alert":{"action":"blocked"}}"#,
            "REJECT",
        ),
        (r#"{"revocation_check":{"action":"DROP"}}"#, "REJECT"),
        (r#"{"revocation_check":{"action":"REJECT"}}"#, "REJECT"),
        (r#"{"revocation_check":{"action":"PASS"}}"#, "ACCEPT"),
        (r#"{"verdict":{"action":"alert"}}"#, "ACCEPT"),
        (r#"{"verdict":{"action":"bypass"}}"#, "bypass"),
        (r#"{"tls_error":{"error_message":"x"}}"#, "-"),
    ] {
        let entry = format!(r#"{{"firewall_name":"fw","event_timestamp":1,"event":{event}}}"#);
        for action in ["REJECT", "ACCEPT", "-"] {
            let kept = kept(&format!("keep action={action}; drop"), &entry);
            assert_eq!(!kept.is_empty(), action == expected, "{action}: {event}");
        }
    }
}

#[test]
fn the_first_rule_that_fits_decides_and_each_record_not_kept_is_counted() {
    let rules = "keep srcport=53\n drop where port=53 ; drop protocol=6 action=REJECT;;";
    let (decisions, counts) = decide(rules, FLOWS.as_bytes());
    assert_eq!(
        decisions,
        [
            Decision::Drop { rule: 1 },
            Decision::Keep { rate: 1 },
            Decision::Drop { rule: 2 },
            Decision::Keep { rate: 1 },
        ]
    );
    assert_eq!(
        counts.dropped_by_rule().collect::<Vec<_>>(),
        [(1, 1), (2, 1)]
    );
    assert_eq!((counts.kept, counts.sampled, counts.represented), (2, 0, 2));
    let selection = Selection::parse(rules).unwrap();
    let names: Vec<&str> = selection.rules().collect();
    assert_eq!(
        names,
        [
            "keep srcport=53",
            "drop where port=53",
            "drop protocol=6 action=REJECT"
        ]
    );
}

#[test]
fn a_selection_says_what_it_takes() {
    for (text, needs, uses, samples) in [
        ("", None, false, false),
        ("drop port=53", None, false, false),
        ("keep direction=ingress", None, true, false),
        (
            "keep; sample 1/10 via=vpc",
            Some("sample 1/10 via=vpc"),
            true,
            true,
        ),
        (
            "drop src_country=DE",
            Some("drop src_country=DE"),
            true,
            false,
        ),
        ("limit 5/s per device", None, true, true),
        ("limit 5/s per export", None, false, true),
    ] {
        let selection = Selection::parse(text).unwrap();
        assert_eq!(selection.needs_enrichment(), needs, "{text}");
        assert_eq!(selection.uses_enrichment(), uses, "{text}");
        assert_eq!(selection.samples(), samples, "{text}");
    }
    assert!(
        Arc::new(Selection::parse(" \n; ").unwrap())
            .selector()
            .is_none()
    );
}

#[test]
fn slips_are_told_with_their_place_and_what_would_be_right() {
    let mut told = String::new();
    for text in [
        "kep action=REJECT",
        "drop dstprt=53",
        "keep action=REJECT; drop dstport = 53",
        "drop dstport=http",
        "drop dstport=70000",
        "drop port=9-1",
        "drop protocol=tpc",
        "drop addr=10.0.0.0/33",
        "drop addr=10.0.0.0/8,",
        "drop action=DENY",
        "drop via=nat",
        "drop gateway_type=nat-gatway",
        "drop src_how=near*",
        "drop dst_status=found",
        "drop confidence=sure",
        "drop log=alb",
        "drop é=1",
        "sample",
        "sample 10",
        "sample 1/0",
        "sample 1/20000 action=ACCEPT",
        "limit 100 per device",
        "limit 100/h per device",
        "limit 0/s per device",
        "limit 100/s per interface",
        "limit 100/s",
        "drop src_transfer=1",
        "drop transfer_cost_usd=0",
    ] {
        let error = Selection::parse(text).unwrap_err();
        told.push_str(&format!("{text}\n  {error}\n"));
    }
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = directory.join("tests/golden/selection-slips.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    // UPDATE_GOLDEN=1 writes it anew; read the difference before it is committed.
    assert_eq!(told, std::fs::read_to_string(path).unwrap());
}

#[test]
fn what_enrichment_knows_decides_too() {
    let options = Arc::new(Options::new(FieldSet::of(Level::Minimal)));
    let load = Box::new(|_: &str, _: &str| Loaded::Missing);
    let mut enricher = Enricher::new(options, Loaded::Missing, load);
    // With enrichment, and by the record alone.
    for (condition, expected, alone) in [
        ("src_status=miss", &[2][..], &[][..]),
        ("src_status!=miss", &[1, 3, 4], &[]),
        ("src_vpc_id=vpc-1", &[1], &[]),
        ("dst_vpc_id=-", &[1, 4], &[1, 2, 3, 4]),
        ("device=vpc-1", &[1, 2], &[]),
        ("device=eni-*", &[4], &[]),
        ("src_status=m*", &[2], &[]),
        ("direction=ingress", &[2, 3], &[2, 3]),
        ("metadata=missing", &[1, 2, 3, 4], &[]),
        ("count_volume=false", &[], &[]),
    ] {
        let rules = format!("keep {condition}; drop");
        assert_eq!(kept(&rules, FLOWS), alone, "{condition}, alone");
        let mut selector = selector(&rules);
        let mut found = Vec::new();
        let mut number = 0;
        each(FLOWS.as_bytes(), |record| {
            number += 1;
            let enrichment = enricher.enrich(record);
            let decision = selector.decide(record, Some(&enrichment));
            if decision == (Decision::Keep { rate: 1 }) {
                found.push(number);
            }
            // Asked again, it is remembered.
            assert_eq!(selector.decide(record, Some(&enrichment)), decision);
        });
        assert_eq!(found, expected, "{condition}");
    }
}

#[test]
fn the_device_of_a_limit_is_the_one_that_enrichment_knows() {
    let options = Arc::new(Options::new(FieldSet::of(Level::Minimal)));
    let load = Box::new(|_: &str, _: &str| Loaded::Missing);
    let mut enricher = Enricher::new(options, Loaded::Missing, load);
    let rows: String = (0..50)
        .map(|n| format!("eni-{n} vpc-7 10.0.0.1 10.0.0.2 {n} 443 6 1795190400\n"))
        .collect();
    let log = format!("interface-id vpc-id srcaddr dstaddr srcport dstport protocol start\n{rows}");
    let mut selector = selector("limit 10/min per device");
    each(log.as_bytes(), |record| {
        let enrichment = enricher.enrich(record);
        selector.decide(record, Some(&enrichment));
    });
    let counts = selector.finish();
    let devices: Vec<_> = counts
        .limited()
        .iter()
        .map(|l| l.device.as_deref())
        .collect();
    assert_eq!(devices, [Some("vpc-7")]);
    // Each interface for itself is below the limit.
    assert_eq!(decide("limit 10/min per device", log.as_bytes()).1.kept, 50);
}

// ---- Sampling ----

type Flow = (IpAddr, IpAddr, u64, u64, u64);

/// The flow that a record is of, the same for both directions.
fn flow_of(flow: &FlowRecord<'_>) -> Flow {
    let address = |field| flow.address(field).unwrap();
    let integer = |field| flow.integer(field).unwrap_or(0);
    let source = (address(Field::Srcaddr), integer(Field::Srcport));
    let destination = (address(Field::Dstaddr), integer(Field::Dstport));
    let (low, high) = (source.min(destination), source.max(destination));
    (low.0, high.0, low.1, high.1, integer(Field::Protocol))
}

/// Generated rows, and their header.
fn generated(format: LogFormat, seed: u64, rows: usize) -> (String, Vec<String>) {
    let mut generator = Generator::new(format, seed, 1_795_190_400);
    let mut text = Vec::new();
    for _ in 0..rows {
        generator.row(&mut text);
    }
    let rows = String::from_utf8(text).unwrap();
    let header = generator.header().unwrap_or_default();
    (header, rows.lines().map(str::to_owned).collect())
}

fn log(header: &str, rows: &[String]) -> Vec<u8> {
    format!("{header}\n{}\n", rows.join("\n")).into_bytes()
}

#[test]
fn flows_are_kept_whole_and_totals_scale_back() {
    let (header, rows) = generated(LogFormat::VpcV5, 7, 60_000);
    let log = log(&header, &rows);
    let mut sizes: HashMap<Flow, (u64, u64)> = HashMap::new();
    each(&log, |record| {
        if let Record::Flow(flow) = record {
            let size = sizes.entry(flow_of(flow)).or_default();
            size.0 += 1;
            size.1 += flow.integer(Field::Packets).unwrap_or(0).min(1000);
        }
    });
    for rate in [2_u32, 10, 100] {
        let mut selector = selector(&format!("sample 1/{rate}"));
        let mut decided: HashMap<Flow, Decision> = HashMap::new();
        let (mut records, mut packets) = (0, 0);
        each(&log, |record| {
            let decision = selector.decide(record, None);
            let Record::Flow(flow) = record else { return };
            let first = *decided.entry(flow_of(flow)).or_insert(decision);
            assert_eq!(first, decision, "a flow is kept or left out as a whole");
            if let Decision::Keep { rate: kept } = decision {
                assert_eq!(kept, rate);
                records += u64::from(kept);
                packets += u64::from(kept) * flow.integer(Field::Packets).unwrap_or(0).min(1000);
            }
        });
        let counts = selector.finish();
        assert_eq!(counts.represented, records);
        // Each flow is left out or counts so many times: that is the variance of the sum.
        let check = |name, found: u64, of: fn(&(u64, u64)) -> u64| {
            let sum = |f: &dyn Fn(f64) -> f64| sizes.values().map(|s| f(of(s) as f64)).sum::<f64>();
            let (whole, squares) = (sum(&|size| size), sum(&|size| size * size));
            let deviation = (squares * f64::from(rate - 1)).sqrt();
            assert!(
                (found as f64 - whole).abs() < 5.0 * deviation,
                "1/{rate}: {found} {name} where there are {whole}, {deviation} is the deviation"
            );
        };
        check("records", records, |size| size.0);
        check("packets", packets, |size| size.1);
    }
}

/// Rules that decide by the record alone, in any number and order.
fn rules() -> impl Strategy<Value = String> {
    let condition = prop::sample::select(vec![
        "",
        "action=REJECT",
        "direction=egress",
        "addr=10.0.0.0/8",
        "dstport=0-1023",
        "protocol=tcp,udp",
        "log=vpc",
        "vpc=vpc-0*",
        "bytes!=0-99",
    ]);
    let action = prop::sample::select(vec!["keep", "drop", "sample 1/3", "sample 1/10"]);
    let rule = (action, condition).prop_map(|(action, condition)| format!("{action} {condition}"));
    prop::collection::vec(rule, 1..5).prop_map(|rules| rules.join("; "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_record_is_kept_or_counted_and_order_does_not_matter(
        rules in rules(), limit: bool, seed: u64, format in prop::sample::select(LogFormat::ALL.to_vec()),
        order in prop::collection::vec(any::<u32>(), 300),
    ) {
        let (header, rows) = generated(format, seed, 300);
        let selection = if limit { format!("{rules}; limit 10/min per device; limit 1/s per export") } else { rules };
        let of_rows = |rows: &[String]| {
            let (decisions, counts) = decide(&selection, &log(&header, rows));
            let rates = decisions.iter().map(|decision| match decision {
                Decision::Keep { rate } => u64::from(*rate),
                Decision::Drop { .. } => 0,
            });
            prop_assert_eq!(counts.kept + counts.dropped(), decisions.len() as u64);
            prop_assert_eq!(rates.sum::<u64>(), counts.represented);
            Ok((decisions, counts))
        };
        let (decisions, counts) = of_rows(&rows)?;
        prop_assert_eq!(&of_rows(&rows)?, &(decisions.clone(), counts), "the same rows give the same");
        if !limit {
            // Rows without a flow are passed over by the reader, so records stand for themselves.
            let mut by_row: BTreeMap<&String, Decision> = BTreeMap::new();
            let mut single = selector(&selection);
            for row in &rows {
                each(&log(&header, std::slice::from_ref(row)), |record| {
                    by_row.insert(row, single.decide(record, None));
                });
            }
            let mut shuffled: Vec<(u32, &String)> = order.iter().copied().zip(&rows).collect();
            shuffled.sort();
            let shuffled: Vec<String> = shuffled.into_iter().map(|(_, row)| row.clone()).collect();
            let (decisions, _) = of_rows(&shuffled)?;
            let expected: Vec<Decision> =
                shuffled.iter().filter_map(|row| by_row.get(row).copied()).collect();
            prop_assert_eq!(decisions, expected);
        }
    }
}

// ---- Limits ----

/// A log of one interface in one minute: so many connections, each with one record.
fn burst(interface: &str, connections: u32, start: u64) -> String {
    let mut text = String::new();
    for n in 0..connections {
        let (high, low) = (n >> 14, 32_768 + (n & 0x3fff));
        text.push_str(&format!(
            "{interface} 198.51.100.{high} 10.0.0.9 {low} 443 6 {start}\n"
        ));
    }
    text
}

const BURST: &str = "interface-id srcaddr dstaddr srcport dstport protocol start\n";

#[test]
fn a_limit_raises_the_rate_and_says_so() {
    // 10 a second are 600 in the minute.
    for (connections, most) in [
        (100, 100),
        (600, 600),
        (1_200, 750),
        (6_000, 860),
        (60_000, 1_000),
    ] {
        let log = format!("{BURST}{}", burst("eni-1", connections, 1_795_190_405));
        let (decisions, counts) = decide("limit 10/s per device", log.as_bytes());
        assert!(counts.kept <= most, "{connections}: {}", counts.kept);
        assert!(counts.kept >= u64::from(connections).min(600));
        let whole = f64::from(connections);
        let off = (counts.represented as f64 - whole).abs() / whole;
        assert!(off < 0.25, "{} stand for {connections}", counts.represented);
        // The rate never falls, by powers of two.
        let rates: Vec<u32> = decisions
            .iter()
            .filter_map(|decision| match decision {
                Decision::Keep { rate } => Some(*rate),
                Decision::Drop { .. } => None,
            })
            .collect();
        assert!(rates.is_sorted() && rates.iter().all(|rate| rate.is_power_of_two()));
        match counts.limited() {
            [] => assert!(connections <= 600, "{connections}"),
            [limited] => {
                assert_eq!(limited.device.as_deref(), Some("eni-1"));
                assert_eq!((limited.minute, limited.rule), (1_795_190_400, 0));
                assert_eq!(limited.left_out, u64::from(connections) - counts.kept);
                assert!(limited.rate >= *rates.last().unwrap());
            }
            more => panic!("{more:?}"),
        }
    }
}

#[test]
fn limits_are_of_each_device_and_minute_and_of_the_export() {
    let rows = [
        burst("eni-1", 100, 1_795_190_405),
        burst("eni-2", 10, 1_795_190_405),
        burst("eni-1", 10, 1_795_190_460),
    ];
    let log = format!("{BURST}{}", rows.concat());
    let (_, counts) = decide("limit 20/min per device", log.as_bytes());
    let [limited] = counts.limited() else {
        panic!("{:?}", counts.limited());
    };
    assert_eq!(limited.device.as_deref(), Some("eni-1"));
    assert_eq!(counts.kept, 120 - limited.left_out);

    let (_, counts) = decide("limit 20/min per export", log.as_bytes());
    let minutes: Vec<_> = counts
        .limited()
        .iter()
        .map(|l| (l.minute, l.device.clone()))
        .collect();
    assert_eq!(minutes, [(1_795_190_400, None)]);

    // A limit may be for some records only, and adds to what a rule samples.
    let (decisions, counts) = decide(
        "sample 1/3; limit 20/min per device where interface=eni-1; limit 1000/s per export",
        log.as_bytes(),
    );
    for (row, decision) in decisions.iter().enumerate() {
        if let Decision::Keep { rate } = decision {
            assert!(rate % 3 == 0 && (rate / 3).is_power_of_two());
            assert!(*rate == 3 || row < 100, "{row}");
        }
    }
    assert!(counts.dropped_by_rule().all(|(rule, _)| rule < 2));

    let mut both = SelectionCounts::default();
    both.add(&counts);
    both.add(&counts);
    assert_eq!(both.kept, 2 * counts.kept);
    assert_eq!(both.dropped(), 2 * counts.dropped());
    assert_eq!(both.limited().len(), 2 * counts.limited().len());
}

#[test]
fn scaled_counts_under_a_limit_are_right_on_average() {
    // Many devices, each far above its limit: errors of one level out.
    let mut log = BURST.to_owned();
    let devices = 200;
    for device in 0..devices {
        let rows = burst("eni-x", 500, 1_795_190_405);
        let address = format!(" 10.0.{device}.9 ");
        log.push_str(
            &rows
                .replace("eni-x", &format!("eni-{device}"))
                .replace(" 10.0.0.9 ", &address),
        );
    }
    let (_, counts) = decide("limit 64/min per device", log.as_bytes());
    let whole = f64::from(devices) * 500.0;
    let off = (counts.represented as f64 - whole) / whole;
    assert!(off.abs() < 0.03, "{} stand for {whole}", counts.represented);
    assert_eq!(counts.windows_limited, devices as u64);
    assert_eq!(counts.limited().len(), MAX_LIMITED);
}

#[test]
fn records_without_addresses_are_sampled_by_all_that_they_say() {
    let rows: String = (0..20_000)
        .map(|n| format!("eni-{} {n}\n", n % 7))
        .collect();
    let log = format!("interface-id bytes\n{rows}");
    let (_, counts) = decide("sample 1/10", log.as_bytes());
    assert!((1800..2200).contains(&counts.kept), "{}", counts.kept);
}

#[test]
fn the_documents_examples_are_understood() {
    let text = include_str!("../../../../docs/selection.md");
    let blocks = text.split("```").skip(1).step_by(2);
    let examples: Vec<&str> = blocks
        .filter_map(|block| block.strip_prefix("text\n"))
        .collect();
    assert!(examples.len() >= 4);
    for example in examples {
        let selection = Selection::parse(example).unwrap_or_else(|e| panic!("{example}{e}"));
        assert!(!selection.is_empty());
    }
    // Each name of the tables is one.
    let (_, conditions) = text.split_once("\n## Conditions").unwrap();
    let (conditions, _) = conditions.split_once("\n## ").unwrap();
    let rows = conditions
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split_once(" | ")?.0.strip_suffix('`'));
    let names: Vec<&str> = names.flat_map(|names| names.split("`, `")).collect();
    assert!(names.len() > 20);
    for name in names {
        let subject = condition::Subject::from_name(name);
        assert!(subject.is_some(), "{name} is no name");
    }
}
