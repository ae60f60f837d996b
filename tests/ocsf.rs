//! OCSF output, held against the published schema and against what Security Lake made of the same records.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use std::fs::{self, File};
use std::io::Read;

use delivery::ocsf::{OcsfEncoder, OcsfParquetEncoder};
use e2e::enrichers::Estate;
use e2e::generated;
use e2e::golden::Golden;
use e2e::programs::{report, tools};
use e2e::samples;
use serde_json::Value;
use telemetry::enrichment::{Enricher, FieldSet, Level};
use telemetry::generate::LogFormat;
use telemetry::{LogReader, ReadOptions, Row};

const FORMATS: &[LogFormat] = &[
    LogFormat::VpcV2,
    LogFormat::VpcV5,
    LogFormat::VpcV11,
    LogFormat::TransitGateway,
    LogFormat::FirewallAlert,
    LogFormat::FirewallFlow,
    LogFormat::FirewallTls,
];

/// The records of a log as events: an event a line, and a Parquet file.
fn encoded(log: impl Read, mut enricher: Option<&mut Enricher>) -> (String, Vec<u8>) {
    let options = ReadOptions::new(std::env::temp_dir());
    let mut reader = LogReader::open(log, &options).unwrap();
    let mut json = OcsfEncoder::new(0);
    let mut parquet = OcsfParquetEncoder::new().unwrap();
    while let Some(row) = reader.next_row().unwrap() {
        if let Row::Record(record) = row {
            let enrichment = enricher.as_mut().map(|enricher| enricher.enrich(&record));
            json.write(&record, enrichment.as_ref());
            parquet.write(&record, enrichment.as_ref());
        }
    }
    let json = json.take(Vec::new()).unwrap();
    let parquet = parquet.take(Vec::new()).unwrap();
    (String::from_utf8(json).unwrap(), parquet)
}

fn events(log: impl Read, enricher: Option<&mut Enricher>) -> String {
    encoded(log, enricher).0
}

fn sample(name: &str, enricher: Option<&mut Enricher>) -> String {
    events(File::open(samples::named(name).path).unwrap(), enricher)
}

/// Everything that can be had, with a tag.
fn everything() -> FieldSet {
    FieldSet::of(Level::Full).with_tags(["Name"])
}

#[test]
fn every_event_is_valid_by_the_published_schema() {
    let Some(tools) = tools() else { return };
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, events: &str| {
        fs::write(directory.path().join(name), events).unwrap();
        events.lines().count() as u64
    };
    let mut expected = 0;
    let estate = Estate::samples();
    for (name, _) in samples::NAMES {
        let mut enricher = estate.enricher(everything());
        expected += write(&format!("{name}-plain"), &sample(name, None));
        expected += write(
            &format!("{name}-enriched"),
            &sample(name, Some(&mut enricher)),
        );
    }
    let estate = Estate::generated();
    for format in FORMATS {
        let log = generated::gzip(*format, 40);
        let mut enricher = estate.enricher(everything());
        let name = format.name();
        expected += write(&format!("{name}-generated"), &events(&log[..], None));
        let enriched = events(&log[..], Some(&mut enricher));
        expected += write(&format!("{name}-generated-enriched"), &enriched);
    }
    // What is wrong is seen.
    let broken = sample("vpc-v2", None);
    let broken = broken.lines().next().unwrap();
    for (name, wrong, right) in [
        ("type", "\"severity_id\":\"1\"", "\"severity_id\":1"),
        ("name", "\"src_address\":{", "\"src_endpoint\":{"),
        ("number", "\"activity_id\":98", "\"activity_id\":6"),
        ("caption", "\"action\":\"Denied\"", "\"action\":\"Allowed\""),
        ("none", "\"status_code\":\"-\"", "\"status_code\":\"OK\""),
    ] {
        let line = broken.replacen(right, wrong, 1);
        assert_ne!(line, broken);
        expected += write(&format!("zz-broken-{name}"), &line);
    }
    let mut report = report(&tools, "ocsf/validate.py", &[directory.path().into()], &[]);
    let wrong = report["wrong"].take();
    let wrong = wrong
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap());
    let (broken, wrong): (Vec<&str>, Vec<&str>) =
        wrong.partition(|line| line.starts_with("zz-broken-"));
    assert!(wrong.is_empty(), "{wrong:#?}");
    for name in ["type", "name", "number", "caption", "none"] {
        let name = format!("zz-broken-{name}:");
        assert!(
            broken.iter().any(|line| line.starts_with(&name)),
            "{name} {broken:#?}"
        );
    }
    let counts = report["events"].as_object().unwrap().values();
    let validated: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(validated, expected);
    assert!(expected > 800, "{expected}");
    assert_eq!(report["versions"], serde_json::json!(["1.3.0"]));
}

#[test]
fn one_event_of_each_kind_reads_as_the_golden_files_say() {
    let mut golden = Golden::at("tests/ocsf/golden");
    let estate = Estate::samples();
    for (name, line) in [
        ("vpc-v2", 0),
        ("vpc-v5-hive", 3),
        ("vpc-v11", 0),
        ("transit-gateway", 0),
        ("firewall-alert", 0),
        ("firewall-flow", 0),
        ("firewall-tls", 0),
    ] {
        let mut enricher = estate.enricher(everything());
        let events = sample(name, Some(&mut enricher));
        let event: Value = serde_json::from_str(events.lines().nth(line).unwrap()).unwrap();
        let text = serde_json::to_string_pretty(&event).unwrap();
        golden.compare(&format!("{name}.json"), &format!("{text}\n"));
    }
    golden.finish();
}

#[test]
fn parquet_is_read_back_as_the_same_events() {
    let Some(tools) = tools() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut expected = 0;
    let mut write = |name: &str, (json, parquet): (String, Vec<u8>)| {
        expected += json.lines().count() as u64;
        let path = directory.path().join(name);
        fs::write(path.with_extension("ndjson"), json).unwrap();
        fs::write(path.with_extension("parquet"), parquet).unwrap();
    };
    let estate = Estate::samples();
    for (name, _) in samples::NAMES {
        let mut enricher = estate.enricher(everything());
        let log = || File::open(samples::named(name).path).unwrap();
        write(&format!("{name}-plain"), encoded(log(), None));
        write(
            &format!("{name}-enriched"),
            encoded(log(), Some(&mut enricher)),
        );
    }
    let estate = Estate::generated();
    for format in FORMATS {
        let log = generated::gzip(*format, 800);
        let mut enricher = estate.enricher(everything());
        write(format.name(), encoded(&log[..], Some(&mut enricher)));
    }
    let report = report(&tools, "ocsf/readback.py", &[directory.path().into()], &[]);
    assert_eq!(report["wrong"], Value::Array(Vec::new()));
    let counts = report["equal"].as_object().unwrap().values();
    let equal: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(equal, expected);
    assert!(expected > 4_000, "{expected}");
}

/// Attributes that Security Lake's own events have otherwise, and why. A path that ends with a point stands for all
/// below it.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "action",
        "it came with OCSF 1.1 as the decision; 1.0.0-rc.2 has the disposition alone",
    ),
    ("action_id", "the same"),
    (
        "cloud.account.",
        "OCSF 1.0.0 moved account_uid into an account",
    ),
    ("cloud.account_uid", "the same"),
    (
        "connection_info.boundary",
        "`-` is no boundary: OCSF has 0, Unknown",
    ),
    ("connection_info.boundary_id", "the same"),
    ("connection_info.protocol_name", "told beside the number"),
    (
        "connection_info.protocol_ver_id",
        "the number that belongs to protocol_ver",
    ),
    ("dst_endpoint.svc_name", "`-` is no service"),
    ("end_time_dt", "attribute of the datetime profile"),
    ("metadata.profiles", "the datetime profile is one more"),
    ("metadata.version", "another version of the schema"),
    ("observables", "listed since source version 2"),
    ("src_endpoint.svc_name", "`-` is no service"),
    ("start_time_dt", "attribute of the datetime profile"),
    ("status", "what the decision means for the flow"),
    ("status_id", "the same"),
    ("time_dt", "attribute of the datetime profile"),
    (
        "traffic.bytes_out",
        "all bytes go from the source to the destination",
    ),
    ("traffic.packets_out", "the same of packets"),
    ("unmapped.sublocation_id", "`-` is no sublocation"),
    ("unmapped.sublocation_type", "the same"),
];

#[test]
fn events_are_those_of_security_lake_but_for_what_is_explained() {
    let Some(tools) = tools() else { return };
    let data = e2e::project().join("../shared/data/flow");
    let directory = tempfile::tempdir().unwrap();
    let mut arguments = Vec::new();
    for number in 0..2 {
        let input = data.join(format!("parquet/security-lake-input{number}.parquet"));
        let Ok(input) = File::open(&input) else {
            eprintln!("skipped: {} is not there", input.display());
            return;
        };
        let events = directory.path().join(format!("{number}.ndjson"));
        fs::write(&events, encoded(input, None).0).unwrap();
        let example = data.join(format!("ocsf/security-lake-example{number}.gz.parquet"));
        arguments.extend([events.into_os_string(), example.into_os_string()]);
    }
    let report = report(&tools, "ocsf/security_lake.py", &arguments, &[]);
    let rows = report["differences"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let mut used = vec![false; EXPLAINED.len()];
    for difference in rows.iter().flat_map(|row| row.as_array().unwrap()) {
        let path = difference[0].as_str().unwrap();
        let explained = EXPLAINED.iter().position(|(known, _)| {
            *known == path || known.ends_with('.') && path.starts_with(known)
        });
        let place = explained.unwrap_or_else(|| panic!("not explained: {difference}"));
        used[place] = true;
    }
    for ((path, why), used) in EXPLAINED.iter().zip(used) {
        assert!(used, "{path} does not differ any more: {why}");
    }
}
