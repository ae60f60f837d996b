//! The built command enriches records: from documents at hand, and from an index that it collected.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const EVENT: &str = "events/s3-everything.json";
const LOGS: &str = "samples/flow-logs-use1/AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20";

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloud-export"));
    command.current_dir(project()).stdin(Stdio::null());
    // The machine's own settings are not the test's.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CLOUD_EXPORT_")) {
        command.env_remove(name);
    }
    command.args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Lines of records, sorted: objects are done in any order.
fn records(arguments: &[&str]) -> Vec<String> {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut lines: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn has(record: &str, field: &str) -> bool {
    let record: Value = serde_json::from_str(record).unwrap();
    record.get(field).is_some()
}

/// Log files of the samples that hold VPC flow logs with interfaces.
fn logs() -> Vec<String> {
    let mut files: Vec<String> = std::fs::read_dir(project().join(LOGS))
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .filter(|path| path.ends_with(".gz"))
        .collect();
    files.sort();
    files
}

#[test]
fn run_enriches_the_shipped_samples_unless_told_not_to() {
    let enriched = records(&["run", EVENT]);
    let plain = records(&["run", EVENT, "--enrich", "none"]);
    assert_eq!((enriched.len(), plain.len()), (187, 187));
    assert!(enriched.iter().all(|record| has(record, "src_status")));
    assert!(plain.iter().all(|record| !has(record, "src_status")));
    // What AWS wrote comes first, unchanged.
    for (enriched, plain) in enriched.iter().zip(&plain) {
        assert!(
            enriched.starts_with(plain.strip_suffix('}').unwrap()),
            "{enriched}\n{plain}"
        );
    }
    let output = run(&["run", EVENT]);
    let summary = text(&output.stderr);
    for row in ["sides found", "sides stale", "sides not found"] {
        assert!(summary.contains(row), "{summary}");
    }
    assert!(!text(&run(&["run", EVENT, "--enrich", "none"]).stderr).contains("sides found"));
}

/// Members of two lines of JSON that differ: name, expected, found.
fn differences(expected: &str, found: &str) -> String {
    let members = |line: &str| match serde_json::from_str(line) {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let (expected, found) = (members(expected), members(found));
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    let lines = names.into_iter().filter_map(|name| {
        let (expected, found) = (expected.get(name), found.get(name));
        let differ = expected != found;
        differ.then(|| {
            format!(
                "  {name}: expected {}, found {}\n",
                shown(expected),
                shown(found)
            )
        })
    });
    lines.collect()
}

#[test]
fn the_shipped_samples_come_out_enriched_as_the_golden_file_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/samples-enriched.ndjson");
    let found = records(&["run", EVENT]);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found.join("\n") + "\n").unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let expected: Vec<&str> = golden.lines().collect();
    let wrong = expected.iter().zip(&found).filter(|(e, f)| *e != f);
    let wrong: Vec<String> = wrong
        .map(|(expected, found)| format!("{found}\n{}", differences(expected, found)))
        .collect();
    assert!(
        wrong.is_empty() && expected.len() == found.len(),
        "{}\n{} of {} records differ. If that is right, write the file anew with UPDATE_GOLDEN=1",
        wrong.first().map_or("", String::as_str),
        wrong.len(),
        found.len(),
    );
}

#[test]
fn the_readme_shows_a_record_and_a_summary_of_its_first_command() {
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let shown = readme.lines().find(|line| line.starts_with("{\"version\""));
    let output = run(&["run", EVENT]);
    let mut records = text(&output.stdout).lines();
    assert!(records.any(|record| Some(record) == shown), "{shown:?}");
    let summary = text(&output.stderr).lines();
    let counted = summary.skip_while(|line| !line.starts_with("objects "));
    for line in counted.take_while(|line| !line.starts_with("bytes in")) {
        assert!(readme.lines().any(|shown| shown == line), "{line}");
    }
}

#[test]
fn every_side_in_the_shipped_samples_is_known_but_those_that_nobody_has() {
    let records = records(&["run", EVENT]);
    let records = records.iter().map(|r| serde_json::from_str(r).unwrap());
    let records: Vec<Value> = records.collect();
    let missed: BTreeSet<String> = [("src_status", "srcaddr"), ("dst_status", "dstaddr")]
        .into_iter()
        .flat_map(|(status, address)| {
            let missed = records.iter().filter(move |r| r[status] == "miss");
            missed.map(move |r| r[address].to_string())
        })
        .collect();
    // One that no route leads to, and one behind a route that drops.
    let nobody = ["\"172.31.9.9\"", "\"192.168.99.4\""].map(String::from);
    assert_eq!(missed, BTreeSet::from(nobody));
    // Every rejected flow has a reason.
    let rejected = records.iter().filter(|r| r["action"] == "REJECT");
    let by: BTreeSet<&str> = rejected.map(|r| r["reject_by"].as_str().unwrap()).collect();
    let reasons = [
        "block-public-access",
        "encryption-controls",
        "network-acl",
        "security-group",
    ];
    assert_eq!(by, BTreeSet::from(reasons));
}

#[test]
fn parse_enriches_from_documents_as_from_the_index_that_is_collected_from_them() {
    let directory = tempfile::tempdir().unwrap();
    let metadata = format!("file://{}", directory.path().display());
    let collected = run(&[
        "collect",
        "--from",
        "samples/metadata",
        "--metadata",
        &metadata,
    ]);
    assert_eq!(
        collected.status.code(),
        Some(0),
        "{}",
        text(&collected.stderr)
    );
    let logs = logs();
    let logs: Vec<&str> = logs.iter().map(String::as_str).collect();
    let parse = |options: &[&str]| records(&[&["parse"], options, &logs[..]].concat());
    let plain = parse(&[]);
    assert!(plain.iter().all(|record| !has(record, "src_status")));
    let by_index = parse(&["--metadata", &metadata, "--enrich", "full"]);
    let by_documents = parse(&["--inventory", "samples/metadata", "--enrich", "full"]);
    assert_eq!(by_index, by_documents);
    let known = by_index.iter().filter(|record| has(record, "src_vpc_name"));
    assert!(known.count() > plain.len() / 3);
    // The same snapshots are documents too.
    let snapshots = directory.path().join("current").display().to_string();
    assert_eq!(
        by_index,
        parse(&["--inventory", &snapshots, "--enrich", "full"])
    );
}

#[test]
fn an_index_that_is_not_there_leaves_every_record_marked() {
    let empty = tempfile::tempdir().unwrap();
    let metadata = format!("file://{}", empty.path().display());
    let records = records(&["run", EVENT, "--metadata", &metadata]);
    assert_eq!(records.len(), 187);
    let flows = records.iter().filter(|record| has(record, "interface_id"));
    for record in flows {
        let record: Value = serde_json::from_str(record).unwrap();
        assert_eq!(record["metadata"], "missing", "{record}");
    }
}

#[test]
fn what_cannot_be_enriched_from_exits_with_two() {
    let empty = tempfile::tempdir().unwrap();
    let nothing = empty.path().to_str().unwrap();
    for arguments in [
        &["run", EVENT, "--inventory", nothing][..],
        &["run", EVENT, "--inventory", "no-such-directory"],
        &[
            "run",
            EVENT,
            "--inventory",
            nothing,
            "--metadata",
            "file:///x",
        ],
        &["run", EVENT, "--metadata", "stdout:"],
        &["run", EVENT, "--enrich", "src_nonsense"],
        &["run", EVENT, "--device", "router"],
        &["run", EVENT, "--prices", "no-such-file"],
        &["run", EVENT, "--geoip", "README.md"],
        &["parse", "--inventory", nothing],
        &["fields", "--level", "huge"],
    ] {
        let output = run(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn fields_lists_what_is_added() {
    let output = run(&["fields"]);
    assert_eq!(output.status.code(), Some(0));
    let all = text(&output.stdout);
    for field in [
        "src_vpc_id, dst_vpc_id",
        "gateway_type",
        "transfer_cost_usd",
    ] {
        assert!(all.contains(field), "{all}");
    }
    let minimal = run(&["fields", "--level", "minimal"]);
    assert!(!text(&minimal.stdout).contains("gateway_type"));
}
