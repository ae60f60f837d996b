use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use telemetry::enrichment::{Enricher, Enrichment, FieldSet, Level, Loaded, Options};
use telemetry::generate::{Generator, LogFormat};
use telemetry::metrics::{Datapoint, Measured, Statistic};
use telemetry::{LogReader, ReadOptions, Row};

use super::logs::Home;
use super::protobuf::{delimited, delimited_len, double, fixed64, integer, message, varint_len};
use super::*;

// ---- A reader of the wire format that shares nothing with the writer ----

#[derive(Debug, Clone, PartialEq)]
enum Wire {
    Varint(u64),
    Fixed64(u64),
    Bytes(Vec<u8>),
}

fn read_varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for place in 0.. {
        let (first, rest) = bytes.split_first().expect("a varint ends");
        *bytes = rest;
        value |= u64::from(first & 0x7f) << (7 * place);
        if *first < 0x80 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Vec<(u32, Wire)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = read_varint(&mut bytes);
        let value = match key & 7 {
            0 => Wire::Varint(read_varint(&mut bytes)),
            1 => {
                let (eight, rest) = bytes.split_first_chunk().expect("eight bytes");
                bytes = rest;
                Wire::Fixed64(u64::from_le_bytes(*eight))
            }
            2 => {
                let len = read_varint(&mut bytes) as usize;
                let (content, rest) = bytes.split_at(len);
                bytes = rest;
                Wire::Bytes(content.to_vec())
            }
            other => panic!("wire type {other}"),
        };
        found.push(((key >> 3) as u32, value));
    }
    found
}

/// The messages or texts of a field.
fn all(bytes: &[u8], number: u32) -> Vec<Vec<u8>> {
    let of = |(field, value)| match value {
        Wire::Bytes(content) if field == number => Some(content),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(of).collect()
}

fn text(bytes: &[u8], number: u32) -> String {
    String::from_utf8(all(bytes, number).remove(0)).unwrap()
}

fn number(bytes: &[u8], field: u32) -> u64 {
    let of = fields(bytes).into_iter().find(|(found, _)| *found == field);
    match of {
        Some((_, Wire::Varint(value) | Wire::Fixed64(value))) => value,
        other => panic!("field {field} is {other:?}"),
    }
}

/// An `AnyValue` as one would write it.
fn shown(value: &[u8]) -> String {
    match fields(value).as_slice() {
        [] => "nothing".to_owned(),
        [(1, Wire::Bytes(text))] => format!("{:?}", String::from_utf8_lossy(text)),
        [(2, Wire::Varint(is))] => format!("{}", *is == 1),
        [(3, Wire::Varint(number))] => format!("{}", *number as i64),
        [(4, Wire::Fixed64(bits))] => format!("{:?}", f64::from_bits(*bits)),
        [(5, Wire::Bytes(list))] => {
            let values = all(list, 1);
            let values: Vec<String> = values.iter().map(|value| shown(value)).collect();
            format!("[{}]", values.join(", "))
        }
        [(6, Wire::Bytes(list))] => format!("{:?}", attributes(list, 1)),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn attributes(bytes: &[u8], field: u32) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for attribute in all(bytes, field) {
        let value = shown(&all(&attribute, 2).remove(0));
        let before = found.insert(text(&attribute, 1), value);
        assert_eq!(before, None, "a key stands once");
    }
    found
}

/// The attributes of a resource, and the records of its scope.
pub(crate) type Resource = (BTreeMap<String, String>, Vec<Vec<u8>>);

pub(crate) fn resources(request: &[u8]) -> Vec<Resource> {
    all(request, 1)
        .iter()
        .map(|of| {
            let scope = all(of, 2).remove(0);
            assert_eq!(text(&all(&scope, 1).remove(0), 1), "cloud-export");
            assert_eq!(text(of, 3), "https://opentelemetry.io/schemas/1.44.0");
            (attributes(&all(of, 1).remove(0), 1), all(&scope, 2))
        })
        .collect()
}

/// A field of any shape.
#[derive(Debug, Clone)]
enum Tree {
    Integer(u32, u64),
    Fixed64(u32, u64),
    Double(u32, u64),
    Bytes(u32, Vec<u8>),
    Message(u32, Vec<Tree>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let number = || prop_oneof![1_u32..16, 1_u32..(1 << 29)];
    let value = || prop_oneof![any::<u64>(), 0_u64..300];
    let leaf = prop_oneof![
        (number(), value()).prop_map(|(n, v)| Tree::Integer(n, v)),
        (number(), value()).prop_map(|(n, v)| Tree::Fixed64(n, v)),
        (number(), value()).prop_map(|(n, v)| Tree::Double(n, v)),
        (number(), prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(n, b)| Tree::Bytes(n, b)),
    ];
    leaf.prop_recursive(4, 60, 8, move |inner| {
        (number(), prop::collection::vec(inner, 0..8))
            .prop_map(|(n, trees)| Tree::Message(n, trees))
    })
}

fn write(out: &mut Vec<u8>, trees: &[Tree]) {
    for tree in trees {
        match tree {
            Tree::Integer(n, value) => integer(out, *n, *value),
            Tree::Fixed64(n, value) => fixed64(out, *n, *value),
            Tree::Double(n, bits) => double(out, *n, f64::from_bits(*bits)),
            Tree::Bytes(n, bytes) => delimited(out, *n, bytes),
            Tree::Message(n, inner) => message(out, *n, |out| write(out, inner)),
        }
    }
}

fn assert_reads(bytes: &[u8], trees: &[Tree]) {
    let found = fields(bytes);
    assert_eq!(found.len(), trees.len());
    for ((found, value), tree) in found.iter().zip(trees) {
        let (number, same) = match tree {
            Tree::Integer(n, expected) => (n, *value == Wire::Varint(*expected)),
            Tree::Fixed64(n, bits) | Tree::Double(n, bits) => (n, *value == Wire::Fixed64(*bits)),
            Tree::Bytes(n, bytes) => (n, *value == Wire::Bytes(bytes.clone())),
            Tree::Message(n, inner) => {
                let Wire::Bytes(content) = value else {
                    panic!("{value:?}");
                };
                assert_reads(content, inner);
                (n, true)
            }
        };
        assert!(
            same && found == number,
            "{tree:?} is read as {found} {value:?}"
        );
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(trees in prop::collection::vec(tree(), 0..6)) {
        let mut out = Vec::new();
        write(&mut out, &trees);
        assert_reads(&out, &trees);
    }

    #[test]
    fn lengths_are_what_is_written(value: u64, n in 1_u32..(1 << 29), len in 0_usize..40_000) {
        let mut out = Vec::new();
        super::protobuf::varint(&mut out, value);
        prop_assert_eq!(varint_len(value), out.len());
        out.clear();
        delimited(&mut out, n, &vec![0; len]);
        prop_assert_eq!(delimited_len(n, len), out.len());
    }
}

// ---- Log records ----

/// Encodes a log; each record stands for `rate`.
fn encode(encoder: &mut OtlpLogsEncoder, log: &[u8], enrich: bool, rate: u32) -> Vec<u8> {
    let options = ReadOptions::new(std::env::temp_dir());
    let mut reader = LogReader::open(log, &options).unwrap();
    let fields = Arc::new(Options::new(FieldSet::of(Level::Full)));
    let load = Box::new(|_: &str, _: &str| Loaded::Missing);
    let mut enricher = Enricher::new(fields, Loaded::Missing, load);
    while let Some(row) = reader.next_row().unwrap() {
        if let Row::Record(record) = row {
            let mut enrichment = match enrich {
                true => Some(enricher.enrich(&record)),
                false => (rate > 1).then(|| Enrichment::sampled(rate)),
            };
            if let Some(enrichment) = &mut enrichment {
                enrichment.sample_rate = rate;
            }
            encoder.write(&record, enrichment.as_ref());
        }
    }
    encoder.take(Vec::new()).unwrap()
}

const FLOWS: &str = "\
version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status type region flow-direction zz-new
5 123456789012 eni-1 10.0.0.220 203.0.113.5 22061 443 6 12 1800 1795190400 1795190459 ACCEPT OK IPv4 us-east-1 egress a
5 210987654321 eni-2 2001:DB8::1 2001:db8::2 0 0 58 1 18446744073709551615 1795190400 1795190401 REJECT OK IPv6 us-east-1 ingress -
5 unknown eni-3 10.0.0.1 10.0.0.2 1 2 253 1 1 1795190400 - ACCEPT OK EFA - - -
5 123456789012 eni-1 203.0.113.5 10.0.0.220 443 22061 6 10 900 1795190400 1795190459 ACCEPT OK IPv4 us-east-1 ingress -
";

#[test]
fn flows_become_log_records_of_their_account() {
    let mut encoder = OtlpLogsEncoder::new();
    encoder.set_home(Home::new("999999999999", "eu-west-1"));
    let request = encode(&mut encoder, FLOWS.as_bytes(), false, 1);
    let resources = resources(&request);
    let homes: Vec<_> = resources
        .iter()
        .map(|(of, records)| {
            (
                of["cloud.account.id"].as_str(),
                of["cloud.region"].as_str(),
                records.len(),
            )
        })
        .collect();
    assert_eq!(
        homes,
        [
            ("\"123456789012\"", "\"us-east-1\"", 2),
            ("\"210987654321\"", "\"us-east-1\"", 1),
            ("\"999999999999\"", "\"eu-west-1\"", 1),
        ]
    );
    let first = &resources[0].1[0];
    assert_eq!(number(first, 1), 1_795_190_400_000_000_000);
    assert_eq!(number(first, 11), 1_795_190_459_000_000_000);
    assert_eq!((number(first, 2), text(first, 3)), (9, "INFO".to_owned()));
    assert_eq!(text(first, 12), "aws.vpc.flow");
    let body = shown(&all(first, 5).remove(0));
    assert_eq!(
        body,
        "\"ACCEPT 10.0.0.220:22061 -> 203.0.113.5:443 tcp 1800 B\""
    );
    let found = attributes(first, 6);
    let expected = [
        ("aws.vpc.flow.action", "\"ACCEPT\""),
        ("aws.vpc.flow.bytes", "1800"),
        ("aws.vpc.flow.column.zz_new", "\"a\""),
        ("aws.vpc.flow.end", "1795190459"),
        ("aws.vpc.flow.log.version", "5"),
        ("aws.vpc.flow.packets", "12"),
        ("aws.vpc.flow.protocol", "6"),
        ("aws.vpc.flow.start", "1795190400"),
        ("aws.vpc.flow.status", "\"OK\""),
        ("destination.address", "\"203.0.113.5\""),
        ("destination.port", "443"),
        ("network.interface.name", "\"eni-1\""),
        ("network.io.direction", "\"transmit\""),
        ("network.transport", "\"tcp\""),
        ("network.type", "\"ipv4\""),
        ("source.address", "\"10.0.0.220\""),
        ("source.port", "22061"),
    ];
    let found: Vec<_> = found
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(found, expected);

    let rejected = &resources[1].1[0];
    assert_eq!(
        (number(rejected, 2), text(rejected, 3)),
        (13, "WARN".to_owned())
    );
    let body = shown(&all(rejected, 5).remove(0));
    assert_eq!(
        body,
        "\"REJECT 2001:db8::1 -> 2001:db8::2 ipv6-icmp 18446744073709551615 B\""
    );
    let found = attributes(rejected, 6);
    assert_eq!(found["source.address"], "\"2001:db8::1\"");
    // More than an int64 has.
    assert_eq!(found["aws.vpc.flow.bytes"], "\"18446744073709551615\"");

    let odd = &resources[2].1[0];
    assert_eq!(number(odd, 11), 1_795_190_400_000_000_000);
    let found = attributes(odd, 6);
    assert_eq!(found["aws.vpc.flow.type"], "\"EFA\"");
    assert!(!found.contains_key("network.transport"));
    assert!(shown(&all(odd, 5).remove(0)).contains("protocol 253"));
}

#[test]
fn entries_of_firewalls_keep_their_structure() {
    let entry = r#"{"firewall_name":"fw","availability_zone":"us-east-1a","event_timestamp":"1795191631","event":{"timestamp":"2026-11-20T16:20:31.006481+0000","event_type":"alert","src_ip":"10.20.4.17","src_port":55555,"dest_ip":"192.0.2.16","dest_port":3389,"proto":"TCP","app_proto":"rdp","alert":{"action":"blocked","signature_id":7,"signature":"deny rdp"},"verdict":{"action":"drop"},"tls":{"sni":null,"ja3":{}},"odd":{"a.b":1,"c":[1.5,"x",{"y":-2}]}}}"#;
    let mut encoder = OtlpLogsEncoder::new();
    let request = encode(&mut encoder, entry.as_bytes(), false, 8);
    let mut resources = resources(&request);
    let (resource, records) = resources.remove(0);
    assert_eq!(resource.len(), 1, "neither account nor region is known");
    let record = &records[0];
    assert_eq!(number(record, 1), 1_795_191_631_006_481_000);
    assert_eq!(
        (number(record, 2), text(record, 12)),
        (13, "aws.networkfirewall.alert".to_owned())
    );
    let body = shown(&all(record, 5).remove(0));
    assert_eq!(
        body,
        "\"alert drop 10.20.4.17:55555 -> 192.0.2.16:3389 tcp: deny rdp\""
    );
    let found = attributes(record, 6);
    for (key, value) in [
        ("aws.networkfirewall.firewall_name", "\"fw\""),
        ("aws.networkfirewall.event_timestamp", "1795191631"),
        ("aws.networkfirewall.event.alert.signature_id", "7"),
        ("aws.networkfirewall.event.verdict.action", "\"drop\""),
        ("aws.networkfirewall.event.tls.sni", "nothing"),
        ("aws.networkfirewall.event.tls.ja3", "{}"),
        (
            "aws.networkfirewall.event.odd",
            r#"{"a.b": "1", "c": "[1.5, \"x\", {\"y\": \"-2\"}]"}"#,
        ),
        ("network.transport", "\"tcp\""),
        ("network.protocol.name", "\"rdp\""),
        ("source.port", "55555"),
        ("cloud_export.sample_rate", "8"),
    ] {
        assert_eq!(found.get(key).map(String::as_str), Some(value), "{key}");
    }
}

/// Names with dots could be paths of others: no key stands twice, whichever members have them, and nothing is lost.
#[test]
fn names_with_dots_make_a_list() {
    for (members, event, expected) in [
        (
            r#""a.b":0,"#,
            r#""src_ip":"10.0.0.1","x":{"a":5}"#,
            [Some("aws.networkfirewall"), None],
        ),
        (
            r#""event.x.a":0,"#,
            r#""a.b":1,"a":{"b":2},"src_ip":"10.0.0.1","x":{"a":5}"#,
            [
                Some("aws.networkfirewall"),
                Some("aws.networkfirewall.event"),
            ],
        ),
        ("", r#""src_ip":"10.0.0.1","x":{"a":5}"#, [None, None]),
    ] {
        let entry =
            format!(r#"{{{members}"firewall_name":"fw","event_timestamp":7,"event":{{{event}}}}}"#);
        let request = encode(&mut OtlpLogsEncoder::new(), entry.as_bytes(), false, 1);
        let found = attributes(&resources(&request)[0].1[0], 6);
        assert_eq!(found["source.address"], "\"10.0.0.1\"");
        let whole = "aws.networkfirewall.firewall_name";
        let inner = "aws.networkfirewall.event.x.a";
        match expected[0] {
            Some(list) => {
                assert!(found[list].contains("firewall_name") && !found.contains_key(whole))
            }
            None => assert_eq!(found[whole], "\"fw\""),
        }
        match expected[1] {
            Some(list) => assert_eq!(
                found[list],
                r#"{"a": "{\"b\": \"2\"}", "a.b": "1", "x": "{\"a\": \"5\"}"}"#
            ),
            None => assert_eq!(found[inner], "5"),
        }
    }
}

#[test]
fn what_was_refused_and_errors_of_tls_are_warnings() {
    for (event, severity) in [
        (
            r#"{"revocation_check":{"status":"REVOKED","action":"DROP"}}"#,
            13,
        ),
        (
            r#"{"revocation_check":{"status":"REVOKED","action":"REJECT"}}"#,
            13,
        ),
        (
            r#"{"revocation_check":{"status":"UNKNOWN","action":"PASS"}}"#,
            9,
        ),
        (r#"{"tls_error":{"error_message":"x"}}"#, 13),
        (r#"{"event_type":"tls"}"#, 9),
        (
            r#"{"event_type":"alert","verdict":{"action":"alert"},"alert":{"action":"allowed"}}"#,
            9,
        ),
        (r#"{"event_type":"alert","alert":{"action":"blocked"}}"#, 13),
    ] {
        let entry = format!(r#"{{"firewall_name":"fw","event_timestamp":7,"event":{event}}}"#);
        let request = encode(&mut OtlpLogsEncoder::new(), entry.as_bytes(), false, 1);
        assert_eq!(number(&resources(&request)[0].1[0], 2), severity, "{event}");
    }
}

#[test]
fn what_is_added_has_names_of_its_own() {
    let mut encoder = OtlpLogsEncoder::new();
    let request = encode(&mut encoder, FLOWS.as_bytes(), true, 1);
    let resources = resources(&request);
    let found = attributes(&resources[0].1[0], 6);
    assert_eq!(found["cloud_export.source.status"], "\"miss\"");
    assert_eq!(found["cloud_export.device"], "\"eni-1\"");
    assert_eq!(found["cloud_export.protocol_name"], "\"TCP\"");
    assert!(!found.contains_key("cloud_export.sample_rate"));
    // Sides that were written before are the same.
    let again = attributes(&resources[0].1[1], 6);
    assert_eq!(
        again["cloud_export.destination.how"],
        found["cloud_export.source.how"]
    );
}

#[test]
fn every_column_has_an_attribute_of_its_own() {
    // Keys stand once in each record, whatever the format: `attributes` asserts it.
    for format in LogFormat::ALL {
        let mut generator = Generator::new(*format, 5, 1_795_190_400);
        let mut log = generator
            .header()
            .map(|h| h + "\n")
            .unwrap_or_default()
            .into_bytes();
        for _ in 0..400 {
            generator.row(&mut log);
        }
        let mut encoder = OtlpLogsEncoder::new();
        let request = encode(&mut encoder, &log, true, 1);
        let records: Vec<_> = resources(&request)
            .into_iter()
            .flat_map(|(_, records)| records)
            .collect();
        assert!(records.len() > 300);
        for record in &records {
            assert!(attributes(record, 6).len() > 8);
        }
        assert_eq!(encoder.len(), 0);
        assert_eq!(
            encode(&mut encoder, &log, true, 1),
            request,
            "the same records, the same bytes"
        );
    }
}

#[test]
fn the_length_is_near_what_is_taken() {
    let mut encoder = OtlpLogsEncoder::new();
    assert!(encoder.is_empty());
    let empty = encoder.take(vec![7; 100]).unwrap();
    assert!(empty.is_empty());
    let options = ReadOptions::new(std::env::temp_dir());
    let mut reader = LogReader::open(FLOWS.as_bytes(), &options).unwrap();
    let mut before = 0;
    while let Some(row) = reader.next_row().unwrap() {
        if let Row::Record(record) = row {
            encoder.write(&record, None);
            assert!(encoder.len() > before, "it grows with each record");
            before = encoder.len();
        }
    }
    let taken = encoder.take(vec![7; 100]).unwrap().len();
    assert!(taken <= before && before < taken + 1024, "{before} {taken}");
}

// ---- Metrics ----

#[test]
fn datapoints_are_numbers_named_as_metric_streams_name_them() {
    let dimensions = [("NatGatewayId".to_owned(), "nat-1".to_owned())];
    let resource = Measured {
        kind: "nat-gateway",
        id: "nat-1".to_owned(),
        name: Some("egress".to_owned()),
        owner: None,
        vpc: Some("vpc-1".to_owned()),
        tags: vec![("team".to_owned(), "net".to_owned())],
    };
    let bytes = Datapoint {
        account: "123456789012",
        region: "us-east-1",
        namespace: "AWS/NATGateway",
        metric: "BytesOutToDestination",
        dimensions: &dimensions,
        statistic: Statistic::Sum,
        unit: "Bytes",
        adds_up: true,
        period: 60,
        time: 1_795_190_400,
        value: 0.0,
        resource: Some(&resource),
    };
    let later = Datapoint {
        time: bytes.time + 60,
        ..bytes
    };
    let mean = Datapoint {
        statistic: Statistic::Average,
        ..bytes
    };
    let open = Datapoint {
        metric: "ActiveConnectionCount",
        unit: "Count/Second",
        adds_up: false,
        ..bytes
    };
    let far = Datapoint {
        region: "eu-west-1",
        ..bytes
    };
    let mut encoder = OtlpMetricsEncoder::new();
    for point in [&bytes, &far, &mean, &open, &later] {
        encoder.write(point);
    }
    assert!(encoder.len() > 400);
    let request = encoder.take(Vec::new()).unwrap();
    assert!(encoder.is_empty());
    let resources = resources(&request);
    assert_eq!(resources.len(), 2);
    let metrics = &resources[0].1;
    // Name, unit, points as a gauge and points as a sum.
    let shape = |metric: &Vec<u8>| {
        let points = |kind| {
            all(metric, kind)
                .iter()
                .map(|data| all(data, 1).len())
                .sum()
        };
        (text(metric, 1), text(metric, 3), points(5), points(7))
    };
    let named = |name: &str, unit: &str, gauge: usize, sum: usize| {
        let name = format!("amazonaws.com/AWS/NATGateway/{name}");
        (name, unit.to_owned(), gauge, sum)
    };
    assert_eq!(
        metrics.iter().map(shape).collect::<Vec<_>>(),
        [
            named("BytesOutToDestination", "By", 0, 2),
            named("BytesOutToDestination", "By", 1, 0),
            named("ActiveConnectionCount", "{Count}/s", 1, 0),
        ]
    );
    let sum = all(&metrics[0], 7).remove(0);
    assert_eq!(
        (number(&sum, 2), number(&sum, 3)),
        (1, 1),
        "delta, monotonic"
    );
    let point = &all(&sum, 1)[1];
    assert_eq!(number(point, 2), 1_795_190_460_000_000_000);
    assert_eq!(number(point, 3), 1_795_190_520_000_000_000);
    // A zero is written: without it there would be no value.
    assert!(fields(point).contains(&(4, Wire::Fixed64(0))));
    let found = attributes(point, 7);
    assert!(found["Dimensions"].contains("nat-1"));
    for (key, value) in [
        ("Namespace", "AWS/NATGateway"),
        ("MetricName", "BytesOutToDestination"),
        ("Statistic", "Sum"),
        ("cloud_export.resource", "nat-1"),
        ("cloud_export.resource_type", "nat-gateway"),
        ("cloud_export.resource_name", "egress"),
        ("cloud_export.vpc", "vpc-1"),
        ("cloud_export.tag.team", "net"),
    ] {
        assert_eq!(found[key], format!("{value:?}"), "{key}");
    }
    assert_eq!(found.len(), 9);
}
