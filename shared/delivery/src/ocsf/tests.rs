use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use telemetry::enrichment::field::{End, FieldValue};
use telemetry::enrichment::{Enricher, FieldSet, FlowField, Level, Loaded, Options, SideField};
use telemetry::generate::{self, Generator, LogFormat};
use telemetry::index::Documents;
use telemetry::{Field, FlowRecord, LogReader, ReadOptions, Record, Row, Value as Cell};

use super::OcsfEncoder;
use super::attribute::{Attribute, OBSERVABLES, Source};
use super::event::protocol_number;

const FORMATS: [LogFormat; 7] = [
    LogFormat::VpcV2,
    LogFormat::VpcV5,
    LogFormat::VpcV11,
    LogFormat::TransitGateway,
    LogFormat::FirewallAlert,
    LogFormat::FirewallFlow,
    LogFormat::FirewallTls,
];

/// 2026-11-20T16:00:00Z.
const START: u64 = 1_795_190_400;

fn generated(format: LogFormat, rows: usize) -> Vec<u8> {
    let mut generator = Generator::new(format, 1, START);
    let header = generator.header().map(|header| header + "\n");
    let mut log = header.unwrap_or_default().into_bytes();
    for _ in 0..rows {
        generator.row(&mut log);
    }
    log
}

/// An enricher over the estate that generated logs tell of.
fn enricher() -> Enricher {
    let mut documents = Documents::new(START as u32);
    documents.add(generate::ANSWERS_PATH, generate::answers());
    let index = documents.finish();
    let mut shards = index.shards.into_values();
    let shard = Arc::new(shards.next().unwrap());
    let directory = Loaded::Ready(Arc::new(index.directory.unwrap()));
    let options = Arc::new(Options::new(FieldSet::of(Level::Full)));
    let load = move |_: &str, _: &str| Loaded::Ready(Arc::clone(&shard));
    Enricher::new(options, directory, Box::new(load))
}

/// Encodes each record of a log, and shows the record and its event.
fn each(log: &[u8], mut enricher: Option<Enricher>, mut see: impl FnMut(&Record<'_>, &Value)) {
    let options = ReadOptions::new(std::env::temp_dir());
    let mut reader = LogReader::open(log, &options).unwrap();
    let mut encoder = OcsfEncoder::new(0);
    while let Some(row) = reader.next_row().unwrap() {
        if let Row::Record(record) = row {
            let enrichment = enricher.as_mut().map(|e| e.enrich(&record));
            encoder.write(&record, enrichment.as_ref());
            let line = encoder.take(Vec::new()).unwrap();
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let event: Value = serde_json::from_slice(&line).unwrap();
            if let Some(enrichment) = &enrichment {
                nothing_is_lost_of_sides(&event, enrichment);
            }
            see(&record, &event);
        }
    }
}

fn event(log: &str) -> Value {
    let mut found = Value::Null;
    each(log.as_bytes(), None, |_, event| found = event.clone());
    found
}

/// What stands at a path.
fn at<'e>(event: &'e Value, path: &str) -> &'e Value {
    path.split('.').fold(event, |value, name| &value[name])
}

/// Values as texts, since OCSF has some numbers as texts.
fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn homes(wanted: impl Fn(&Source) -> bool) -> Vec<&'static str> {
    let has = |attribute: &&Attribute| attribute.sources().iter().any(&wanted);
    let found = Attribute::ALL.iter().filter(has);
    found.map(|attribute| attribute.path()).collect()
}

/// Whether an event tells a flow's value.
fn tells(event: &Value, field: Field, value: Cell<'_>) -> bool {
    let text = match value {
        Cell::Integer(number) => number.to_string(),
        Cell::Address(address) => address.to_string(),
        Cell::Text(text) => text.to_owned(),
    };
    let is = |path: &str| shown(at(event, path)) == text;
    let time = |path: &str| {
        at(event, path).as_u64().map(|ms| (ms / 1000).to_string()) == Some(text.clone())
    };
    match field {
        Field::Srcaddr => {
            is("src_endpoint.ip") || at(event, "src_endpoint.intermediate_ips")[0] == *text
        }
        Field::Dstaddr => {
            is("dst_endpoint.ip") || at(event, "dst_endpoint.intermediate_ips")[0] == *text
        }
        Field::PktSrcaddr => is("src_endpoint.ip"),
        Field::PktDstaddr => is("dst_endpoint.ip"),
        Field::Start => time("start_time"),
        Field::End => time("end_time"),
        Field::Protocol => is("connection_info.protocol_num"),
        Field::Type => is("connection_info.protocol_ver"),
        Field::Action => match &*text {
            "ACCEPT" => event["action_id"] == 1 && event["activity_id"] == 6,
            "REJECT" => event["action_id"] == 2 && event["activity_id"] == 5,
            _ => is("action") && event["action_id"] == 99,
        },
        Field::FlowDirection => match &*text {
            "ingress" => at(event, "connection_info.direction_id") == 1,
            "egress" => at(event, "connection_info.direction_id") == 2,
            _ => false,
        },
        Field::TrafficPath => match text.parse::<u64>().unwrap() {
            path @ 1..=8 => *at(event, "connection_info.boundary_id") == path + 3,
            _ => is("connection_info.boundary") && at(event, "connection_info.boundary_id") == 99,
        },
        _ => homes(|source| match source {
            Source::Column(of) | Source::Interface(_, of) => *of == field,
            _ => false,
        })
        .into_iter()
        .any(is),
    }
}

fn nothing_is_lost_of_a_flow(flow: &FlowRecord<'_>, event: &Value) {
    for (column, value) in flow.columns() {
        let Some(value) = value else { continue };
        let unmapped = &event["unmapped"][&*column.name];
        let expected = match value {
            Cell::Integer(number) => Value::from(number),
            Cell::Address(address) => Value::from(address.to_string()),
            Cell::Text(text) => Value::from(text),
        };
        let told = column.field.is_some_and(|field| tells(event, field, value));
        assert!(
            told || *unmapped == expected,
            "{} is {expected}, which is not told: {event:#}",
            column.name
        );
    }
}

fn nothing_is_lost_of_an_entry(entry: &Value, event: &Value, path: &mut Vec<String>) {
    if let Value::Object(members) = entry {
        for (name, member) in members {
            path.push(name.clone());
            nothing_is_lost_of_an_entry(member, event, path);
            path.pop();
        }
        return;
    }
    if entry == "" {
        return;
    }
    let rest = path
        .iter()
        .fold(&event["unmapped"], |value, name| &value[name]);
    if rest == entry {
        return;
    }
    let text = shown(entry);
    let is = |at_path: &str| shown(at(event, at_path)) == text;
    let dotted = path.join(".");
    let told = match &*dotted {
        "event_timestamp" => {
            at(event, "metadata.logged_time").as_u64() == Some(text.parse::<u64>().unwrap() * 1000)
        }
        "event.timestamp" => is_time(&event["time_dt"], &text),
        "event.netflow.start" => is_time(&event["start_time_dt"], &text),
        "event.netflow.end" => is_time(&event["end_time_dt"], &text),
        "event.event_type" => !at(event, "metadata.product.feature.name").is_null(),
        "event.proto" => {
            at(event, "connection_info.protocol_num").as_u64()
                == protocol_number(&text).map(u64::from)
        }
        "event.alert.severity" => {
            event["severity_id"].as_i64() == text.parse::<i64>().ok().map(|s| 5 - s)
        }
        "event.tls.sni" => is("tls.sni"),
        "event.sni" => is("dst_endpoint.hostname"),
        _ => homes(|source| match source {
            Source::Member(member) => member.iter().eq(path.iter()),
            _ => false,
        })
        .into_iter()
        .any(is),
    };
    assert!(told, "{dotted} is {text}, which is not told: {event:#}");
}

fn is_time(found: &Value, text: &str) -> bool {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    found.as_str().and_then(time) == time(text)
}

fn nothing_is_lost_of_sides(event: &Value, enrichment: &telemetry::enrichment::Enrichment<'_>) {
    let json = |value: FieldValue<'_>| match value {
        FieldValue::Text(text) => json!(text),
        FieldValue::Integer(number) => json!(number),
        FieldValue::Decimal(_) => Value::Null,
        FieldValue::Boolean(truth) => json!(truth),
        FieldValue::Texts(texts) => json!(texts.iter().map(|text| &**text).collect::<Vec<_>>()),
    };
    for end in End::BOTH {
        for (field, value) in enrichment.side_values(end) {
            let (value, name) = (json(value), format!("{}{}", end.prefix(), field.name()));
            let mut paths = homes(|source| *source == Source::Side(end, field));
            if field == SideField::ResourceType {
                paths.push(
                    ["src_endpoint.type", "dst_endpoint.type"]
                        [usize::from(end == End::Destination)],
                );
            }
            let told = paths.iter().any(|path| *at(event, path) == value);
            assert!(
                told || event["unmapped"][&name] == value,
                "{name} is {value}: {event:#}"
            );
        }
    }
    for (field, value) in enrichment.fact_values().chain(enrichment.own_values()) {
        let value = json(value);
        let mut paths = homes(|source| *source == Source::Flow(field));
        let told = match field {
            FlowField::Direction => at(event, "connection_info.direction_id") != 0,
            FlowField::ProtocolName => {
                *at(event, "connection_info.protocol_name") == shown(&value).to_lowercase()
            }
            FlowField::TransferCostUsd => event["unmapped"]["transfer_cost_usd"].is_number(),
            FlowField::RejectBy => {
                paths.push("firewall_rule.type");
                false
            }
            _ => false,
        };
        let told = told || paths.iter().any(|path| *at(event, path) == value);
        assert!(
            told || event["unmapped"][field.name()] == value,
            "{} is {value}: {event:#}",
            field.name()
        );
    }
}

fn nothing_is_lost(record: &Record<'_>, event: &Value) {
    match record {
        Record::Flow(flow) => nothing_is_lost_of_a_flow(flow, event),
        Record::Firewall(entry) => {
            nothing_is_lost_of_an_entry(
                &Value::Object(entry.entry().clone()),
                event,
                &mut Vec::new(),
            );
        }
    }
}

#[test]
fn nothing_of_generated_records_is_lost() {
    for format in FORMATS {
        let log = generated(format, 400);
        let mut records = 0;
        each(&log, None, |record, event| {
            records += 1;
            nothing_is_lost(record, event);
            let Record::Flow(flow) = record else { return };
            for (column, value) in flow.columns() {
                // A value that has a home is not told twice.
                let (Some(value), Some(field)) = (value, column.field) else {
                    continue;
                };
                let unmapped = !event["unmapped"][&*column.name].is_null();
                assert!(tells(event, field, value) != unmapped, "{}", column.name);
            }
        });
        assert!(records > 300, "{format:?}: {records}");
    }
}

/// Whatever stands where an entry has its time: it is told once, as a time or as it is.
#[test]
fn the_time_of_an_entry_is_told_or_stands_unmapped() {
    for (time, seconds) in [
        ("1795191631", Some(1_795_191_631_u64)),
        ("\"1795191631123456789\"", Some(1_795_191_631)),
        ("\"9223372036854775807\"", Some(9_223_372_036)),
        ("253402300800", Some(253_402_300)),
        ("1e300", None),
        ("-5", None),
    ] {
        let log = format!(r#"{{"firewall_name":"fw","event_timestamp":{time},"event":{{}}}}"#);
        let event = event(&log);
        let logged = seconds.map(|seconds| seconds * 1000);
        assert_eq!(
            at(&event, "metadata.logged_time").as_u64(),
            logged,
            "{time}"
        );
        assert_eq!(event["time"], logged.unwrap_or(0), "{time}");
        let unmapped = match seconds {
            Some(_) => Value::Null,
            None => serde_json::from_str(time).unwrap(),
        };
        assert_eq!(event["unmapped"]["event_timestamp"], unmapped, "{time}");
    }
}

#[test]
fn empty_texts_of_an_entry_are_left_out() {
    let event = event(
        r#"{"firewall_name":"fw","event_timestamp":1,"note":"","event":{"app_proto":"","http":{"url":"","length":0,"x":{}},"dns":{"rrname":""},"list":["",1],"src_ip":"10.0.0.1"}}"#,
    );
    assert_eq!(
        event["unmapped"],
        json!({"firewall_name": "fw", "event": {"http": {"length": 0, "x": {}}, "list": ["", 1]}})
    );
}

#[test]
fn enrichment_finds_its_homes_and_the_rest_stays() {
    let log = generated(LogFormat::VpcV11, 400);
    let (mut named, mut owned) = (0, 0);
    each(&log, Some(enricher()), |record, event| {
        let Record::Flow(flow) = record else { return };
        // Values of the logging interface may be told twice: the endpoint may be another one.
        for (column, value) in flow.columns() {
            let (Some(value), Some(field)) = (value, column.field) else {
                continue;
            };
            let unmapped = !event["unmapped"][&*column.name].is_null();
            assert!(tells(event, field, value) || unmapped, "{}", column.name);
        }
        named += u32::from(!at(event, "src_endpoint.name").is_null());
        owned += u32::from(at(event, "src_endpoint.owner.account.type") == "AWS Account");
    });
    assert!(named > 50 && owned > 50, "{named} {owned}");
}

#[test]
fn a_flow_is_the_event_of_the_mapping() {
    let event = event(
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status vpc-id subnet-id type pkt-srcaddr pkt-dstaddr region az-id flow-direction traffic-path tcp-flags\n\
         5 012345678901 eni-1 10.0.0.220 203.0.113.5 22061 443 6 12 1800 1795190400 1795190455 ACCEPT OK vpc-1 subnet-1 IPv4 10.0.0.9 203.0.113.5 us-east-1 use1-az1 egress 8 3\n",
    );
    assert_eq!(
        event,
        json!({
            "activity_id": 6, "activity_name": "Traffic",
            "category_uid": 4, "category_name": "Network Activity",
            "class_uid": 4001, "class_name": "Network Activity",
            "type_uid": 400106, "type_name": "Network Activity: Traffic",
            "severity_id": 1, "severity": "Informational",
            "time": 1_795_190_400_000_u64, "time_dt": "2026-11-20T16:00:00Z",
            "start_time": 1_795_190_400_000_u64, "start_time_dt": "2026-11-20T16:00:00Z",
            "end_time": 1_795_190_455_000_u64, "end_time_dt": "2026-11-20T16:00:55Z",
            "status_id": 1, "status": "Success", "status_code": "OK",
            "action_id": 1, "action": "Allowed",
            "disposition_id": 1, "disposition": "Allowed",
            "cloud": {"provider": "AWS", "region": "us-east-1", "zone": "use1-az1",
                "account": {"uid": "012345678901", "type_id": 10, "type": "AWS Account"}},
            "connection_info": {"direction_id": 2, "direction": "Outbound", "boundary_id": 11,
                "boundary": "Internet Gateway", "protocol_num": 6, "protocol_name": "tcp",
                "protocol_ver": "IPv4", "protocol_ver_id": 4, "tcp_flags": 3},
            "src_endpoint": {"ip": "10.0.0.9", "intermediate_ips": ["10.0.0.220"], "port": 22061,
                "interface_uid": "eni-1", "subnet_uid": "subnet-1", "vpc_uid": "vpc-1"},
            "dst_endpoint": {"ip": "203.0.113.5", "port": 443},
            "traffic": {"bytes": 1800, "bytes_out": 1800, "packets": 12, "packets_out": 12},
            "metadata": {"version": "1.3.0", "profiles": ["cloud", "datetime", "security_control"],
                "product": {"name": "Amazon VPC", "vendor_name": "AWS", "version": "5",
                    "feature": {"name": "Flowlogs"}}},
            "observables": [
                {"name": "src_endpoint.ip", "type": "IP Address", "type_id": 2, "value": "10.0.0.9"},
                {"name": "src_endpoint.intermediate_ips[]", "type": "IP Address", "type_id": 2, "value": "10.0.0.220"},
                {"name": "dst_endpoint.ip", "type": "IP Address", "type_id": 2, "value": "203.0.113.5"},
            ],
        })
    );
}

#[test]
fn a_rejected_flow_is_refused_denied_and_blocked() {
    let event = event("srcaddr dstaddr action start\n10.0.0.1 10.0.0.2 REJECT 1795190400\n");
    let numbers = [
        "activity_id",
        "type_uid",
        "action_id",
        "disposition_id",
        "status_id",
    ];
    assert_eq!(
        numbers.map(|name| event[name].as_i64().unwrap()),
        [5, 400_105, 2, 2, 2]
    );
    assert_eq!(event["activity_name"], "Refuse");
}

#[test]
fn what_a_record_does_not_tell_is_unknown() {
    // No decision was recorded, and none was to be.
    assert_eq!(event("srcaddr action\n10.0.0.1 -\n")["activity_id"], 0);
    let event = event("srcaddr bytes\n10.0.0.1 7\n");
    assert_eq!(
        (&event["activity_id"], &event["action_id"]),
        (&json!(6), &json!(0))
    );
    // The schema demands these.
    assert_eq!(event["time"], 0);
    assert_eq!(event["dst_endpoint"], json!({"name": "Unknown"}));
    assert_eq!(at(&event, "connection_info.direction"), "Unknown");
    assert_eq!(event.get("unmapped"), None);
}

#[test]
fn values_that_an_attribute_cannot_have_are_unmapped() {
    let event = event(&format!(
        "account-id srcaddr bytes flow-direction interface-id traffic-path\n\
         unknown 10.0.0.1 {} sideways eni-1 9\n",
        u64::MAX
    ));
    assert_eq!(
        event["unmapped"],
        json!({"account_id": "unknown", "bytes": u64::MAX,
            "flow_direction": "sideways", "interface_id": "eni-1"})
    );
    assert_eq!(at(&event, "connection_info.boundary_id"), 99);
    assert_eq!(at(&event, "connection_info.boundary"), "9");
}

#[test]
fn a_firewalls_verdict_decides() {
    let alert = |verdict: &str, alert: &str| {
        event(&format!(
            r#"{{"firewall_name":"f","event_timestamp":"1795191631","event":{{"timestamp":"2026-11-20T16:20:31.006481+0000","event_type":"alert","src_ip":"10.0.0.1","dest_ip":"2001:db8::1","proto":"TCP","alert":{{"action":"{alert}","signature_id":7,"severity":1}}{verdict}}}}}"#
        ))
    };
    for (verdict, action, expected) in [
        (r#","verdict":{"action":"drop"}"#, "blocked", [5, 2, 6, 2]),
        (r#","verdict":{"action":"reject"}"#, "blocked", [5, 2, 2, 2]),
        (r#","verdict":{"action":"alert"}"#, "allowed", [6, 1, 19, 1]),
        (r#","verdict":{"action":"pass"}"#, "allowed", [6, 1, 1, 1]),
        ("", "blocked", [5, 2, 2, 2]),
        ("", "allowed", [6, 1, 1, 1]),
        ("", "something", [6, 99, 99, 0]),
    ] {
        let event = alert(verdict, action);
        let numbers = ["activity_id", "action_id", "disposition_id", "status_id"];
        assert_eq!(numbers.map(|name| event[name].as_i64().unwrap()), expected);
        assert_eq!(
            (&event["severity"], &event["time_dt"]),
            (&json!("High"), &json!("2026-11-20T16:20:31.006481Z"))
        );
        assert_eq!(event["firewall_rule"], json!({"uid": "7"}));
        assert_eq!(
            at(&event, "unmapped.event.alert"),
            &json!({"action": action})
        );
    }
}

#[test]
fn observables_are_named_by_their_attributes() {
    for (attribute, name, _) in OBSERVABLES {
        assert_eq!(name.trim_end_matches("[]"), attribute.path());
    }
}

/// A value of a cell: short texts of any kind, numbers, addresses, or none.
fn cell(field: Option<Field>) -> BoxedStrategy<String> {
    use telemetry::flow::field::FieldType;
    let text = "[a-zA-Z0-9\"\\\\é%.:/_-]{1,12}".prop_map(String::from);
    let value = match field.map(|field| field.info().field_type) {
        Some(FieldType::Integer(max)) => (0..=max).prop_map(|n| n.to_string()).boxed(),
        Some(FieldType::Epoch) => prop_oneof![0_u64..4_000_000_000, any::<u64>()]
            .prop_map(|n| n.to_string())
            .boxed(),
        Some(FieldType::Address) => any::<std::net::IpAddr>()
            .prop_map(|a| a.to_string())
            .boxed(),
        Some(FieldType::Text) => prop_oneof![
            text,
            Just("egress".to_owned()),
            Just("ingress".to_owned()),
            Just("ACCEPT".to_owned()),
            Just("IPv6".to_owned()),
            Just("unknown".to_owned()),
        ]
        .boxed(),
        None => text.boxed(),
    };
    prop_oneof![1 => Just("-".to_owned()), 4 => value].boxed()
}

fn log() -> impl Strategy<Value = String> {
    let fields: Vec<Field> = telemetry::flow::field::FIELDS
        .iter()
        .map(|info| info.field)
        .collect();
    proptest::sample::subsequence(fields, 3..60).prop_flat_map(|fields| {
        let mut cells: Vec<_> = fields.iter().map(|field| cell(Some(*field))).collect();
        cells.push(cell(None));
        let mut header: Vec<&str> = fields.iter().map(|field| field.name()).collect();
        header.push("src_how");
        let header = header.join(" ");
        cells.prop_map(move |cells| format!("{header}\n{}\n", cells.join(" ")))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_of_any_flow_is_lost(log in log()) {
        each(log.as_bytes(), None, nothing_is_lost);
    }
}

/// A source as the documentation tells it.
fn described(source: &Source) -> String {
    let end = |end: &End| match end {
        End::Source => "egress",
        End::Destination => "ingress",
    };
    match source {
        Source::Constant(text) => format!("always `{text}`"),
        Source::Number(number) => format!("always {number}"),
        Source::List(texts) => format!("always `{}`", texts.join("`, `")),
        Source::Side(end, field) => format!("enriched `{}{}`", end.prefix(), field.name()),
        Source::Flow(field) => format!("enriched `{}`", field.name()),
        Source::Column(field) => format!("`{}`", field.name()),
        Source::Interface(of, field) => format!("`{}` on {}", field.name(), end(of)),
        Source::Member(path) => format!("firewall: `{}`", path.join(".")),
        Source::Made(how) => (*how).to_owned(),
    }
}

/// The table of the documentation.
fn table() -> String {
    let mut table = "\n| attribute | type | from |\n| --- | --- | --- |\n".to_owned();
    for attribute in Attribute::ALL {
        let sources: Vec<String> = attribute.sources().iter().map(described).collect();
        let (path, label) = (attribute.path(), attribute.attribute_type().label());
        table.push_str(&format!(
            "| `{path}` | {label} | {} |\n",
            sources.join("; ")
        ));
    }
    table.push('\n');
    table
}

#[test]
fn the_documentation_has_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ocsf.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once("ocsf -->\n").unwrap();
    let (found, after) = rest.split_once("<!-- end -->").unwrap();
    if found == table() {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_GOLDEN").is_some(),
        "docs/ocsf.md has another table; UPDATE_GOLDEN=1 writes it anew"
    );
    let text = format!("{before}ocsf -->\n{}<!-- end -->{after}", table());
    std::fs::write(path, text).unwrap();
}
