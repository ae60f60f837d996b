//! Every sample object gives exactly what the table in `samples/README.md` says of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "../fuzz/reference.rs"]
mod reference;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reference::{Item, Outcome, Plain, options, read};
use telemetry::flow::layout::FlowLogKind;
use telemetry::log::LogFormat;
use telemetry::{LogReader, ObjectKey, ReadError};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples")
}

/// A line of the tables: the object, and its counts where the table has any.
struct Listed {
    bucket: String,
    key: String,
    rows: Option<u64>,
    no_data: u64,
    skip_data: u64,
    malformed: u64,
}

impl Listed {
    fn bytes(&self) -> Vec<u8> {
        std::fs::read(samples().join(&self.bucket).join(&self.key)).unwrap()
    }

    fn read(&self) -> Outcome {
        read(&self.bytes()[..], &options())
    }
}

/// The tables of the README, which are what readers of the samples rely on.
fn listed() -> Vec<Listed> {
    let readme = std::fs::read_to_string(samples().join("README.md")).unwrap();
    let mut bucket = String::new();
    let mut listed = Vec::new();
    for line in readme.lines() {
        if let Some(name) = line.strip_prefix("## `") {
            bucket = name.trim_end_matches('`').to_owned();
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", key, _, rows, no_data, skip_data, malformed, ""] = cells[..] else {
            continue;
        };
        let Some(key) = key.strip_prefix('`') else {
            continue;
        };
        // `1 too short, 1 bad port` is two; `-` is nothing to count.
        let first = |text: &str| text.split(' ').next().and_then(|n| n.parse::<u64>().ok());
        let sum = |text: &str| text.split(", ").filter_map(first).sum();
        listed.push(Listed {
            bucket: bucket.clone(),
            key: key.trim_end_matches('`').to_owned(),
            rows: first(rows),
            no_data: sum(no_data),
            skip_data: sum(skip_data),
            malformed: sum(malformed),
        });
    }
    listed
}

/// The one sample whose key holds this text.
fn sample(part: &str) -> Listed {
    let mut found = listed().into_iter().filter(|l| l.key.contains(part));
    let (first, more) = (found.next(), found.next());
    assert!(more.is_none(), "{part} names several");
    first.unwrap_or_else(|| panic!("no sample {part}"))
}

fn firewall(outcome: &Outcome) -> impl Iterator<Item = &serde_json::Value> {
    outcome.items.iter().map(|item| match item {
        Item::Firewall(_, entry) => entry,
        other => panic!("{other:?}"),
    })
}

/// The values of one column, absent ones too.
fn column<'o>(outcome: &'o Outcome, name: &str) -> Vec<&'o Plain> {
    let value = |item: &'o Item| match item {
        Item::Flow(_, values) => values
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value),
        _ => None,
    };
    outcome.items.iter().filter_map(value).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn the_tables_list_every_object() {
    let mut found = Vec::new();
    for bucket in ["flow-logs-use1", "flow-logs-broken"] {
        files(&samples().join(bucket), &mut found);
    }
    let found: BTreeSet<PathBuf> = found.into_iter().collect();
    let path = |l: &Listed| samples().join(&l.bucket).join(&l.key);
    let told: BTreeSet<PathBuf> = listed().iter().map(path).collect();
    assert_eq!(found, told);
    assert_eq!(told.len(), 13);
}

#[test]
fn every_good_object_has_the_counts_of_its_line() {
    for listed in listed().iter().filter(|l| l.bucket == "flow-logs-use1") {
        let outcome = listed.read();
        assert!(
            outcome.error.is_none(),
            "{}: {:?}",
            listed.key,
            outcome.error
        );
        let counts = &outcome.counts;
        let told = (
            listed.rows,
            listed.no_data,
            listed.skip_data,
            listed.malformed,
        );
        let found = (
            Some(counts.rows),
            counts.no_data,
            counts.skip_data,
            counts.malformed(),
        );
        assert_eq!(found, told, "{}", listed.key);
        let key = ObjectKey::parse(&listed.key).expect("its key follows AWS's layouts");
        assert_eq!(key.time, Some(1_795_191_600), "{}", listed.key);
        // Everything in the samples happens in the hours around the time of the key.
        let newest = counts.newest.unwrap();
        assert!(
            (1_795_184_000..1_795_199_000).contains(&newest),
            "{}",
            listed.key
        );
    }
}

#[test]
fn a_truncated_object_is_an_error_of_gzip() {
    let outcome = sample("truncated.log.gz").read();
    assert!(
        matches!(
            outcome.error,
            Some(ReadError::Corrupt {
                encoding: "gzip",
                ..
            })
        ),
        "{:?}",
        outcome.error
    );
    assert!(outcome.counts.rows < 23);
}

#[test]
fn a_wrong_checksum_is_an_error_after_all_rows() {
    let listed = sample("corrupt-crc.log.gz");
    let outcome = listed.read();
    assert!(
        matches!(
            outcome.error,
            Some(ReadError::Corrupt {
                encoding: "gzip",
                ..
            })
        ),
        "{:?}",
        outcome.error
    );
    let (counts, rows) = (&outcome.counts, listed.rows.unwrap());
    assert_eq!(
        (counts.rows, counts.no_data, counts.skip_data),
        (rows, 2, 1)
    );
    assert_eq!(outcome.items, sample("fe123456").read().items);
}

#[test]
fn another_log_is_no_flow_log() {
    let listed = sample("not-a-flow-log.log.gz");
    let outcome = listed.read();
    let told = (listed.rows.unwrap(), listed.malformed);
    assert_eq!((outcome.counts.rows, outcome.counts.malformed()), told);
    let error = outcome.error.expect("it is no log of ours");
    assert!(matches!(error, ReadError::NotALog(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("none of its first 10 rows") && text.contains("configure"),
        "{text}"
    );
}

#[test]
fn the_parquet_object_holds_the_rows_of_the_second_text_object() {
    let (text, columns) = (sample("2ad4bef5").read(), sample("a8b1c2d3").read());
    let rows = |outcome: &Outcome| -> Vec<_> {
        let values = |item: &Item| match item {
            Item::Flow(row, values) => (*row, values.clone()),
            other => panic!("{other:?}"),
        };
        outcome.items.iter().map(values).collect()
    };
    let (text_rows, column_rows) = (rows(&text), rows(&columns));
    assert_eq!(text_rows.len(), 30);
    assert_eq!(column_rows.len(), 30);
    for ((line, one), (row, other)) in text_rows.iter().zip(&column_rows) {
        // The text has a header line.
        assert_eq!((line - 1, one), (*row, other));
    }
    assert_eq!(text.counts.newest, columns.counts.newest);
}

#[test]
fn the_custom_object_names_its_unknown_column_and_its_bad_rows() {
    let outcome = sample("91b3c4d5").read();
    assert_eq!(outcome.counts.unknown_columns, ["zz_future_field"]);
    assert_eq!(outcome.counts.headers, 2);
    let reasons: Vec<_> = outcome.counts.malformed_by_reason().collect();
    assert_eq!(reasons, [("column_count", 1), ("value", 1)]);
    let examples: Vec<String> = outcome
        .counts
        .examples
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(examples.len(), 2);
    assert!(
        examples.iter().any(|e| e.contains("9 columns where")),
        "{examples:?}"
    );
    assert!(
        examples.iter().any(|e| e.contains("column dstport is not")),
        "{examples:?}"
    );
    // The unknown column is delivered as text.
    let values = column(&outcome, "zz_future_field");
    assert!(values.iter().any(|v| matches!(v, Plain::Text(_))));
    let last = sample("91b3c4d5").bytes();
    assert_ne!(last.last(), Some(&b'\n'));
}

#[test]
fn the_default_objects_hold_what_their_lines_promise() {
    let outcome = sample("fe123456").read();
    let large = |v: &&&Plain| matches!(v, Plain::Integer(n) if *n > u64::from(u32::MAX));
    assert!(column(&outcome, "bytes").iter().filter(large).count() >= 1);
    let v6 = |v: &&&Plain| matches!(v, Plain::Address(a) if a.is_ipv6());
    assert!(column(&outcome, "srcaddr").iter().filter(v6).count() >= 1);

    // Rejected by Block Public Access: a flow without a byte count.
    let outcome = sample("7c09d1e2").read();
    let reasons = column(&outcome, "reject_reason");
    let bytes = column(&outcome, "bytes");
    let blocked = reasons
        .iter()
        .zip(&bytes)
        .filter(|(r, _)| ***r == Plain::Text("BPA".into()));
    assert!(blocked.clone().count() >= 1);
    assert!(
        blocked
            .into_iter()
            .all(|(_, bytes)| **bytes == Plain::Absent)
    );

    let gateway = sample("0c44aa17").bytes();
    let options = options();
    let mut reader = LogReader::open(&gateway[..], &options).unwrap();
    while reader.next_row().unwrap().is_some() {}
    assert_eq!(reader.layouts()[0].kind(), FlowLogKind::TransitGateway);
}

#[test]
fn formats_are_told_by_content() {
    let format = |part: &str| {
        let bytes = sample(part).bytes();
        LogReader::open(&bytes[..], &options()).unwrap().format()
    };
    assert_eq!(format("fe123456"), LogFormat::FlowText);
    assert_eq!(format("b7c8d9ea"), LogFormat::FlowText);
    assert_eq!(format("a8b1c2d3"), LogFormat::FlowParquet);
    assert_eq!(format("5d2e8f10"), LogFormat::Firewall);
}

#[test]
fn firewall_objects_are_brought_to_one_form() {
    // A member written twice in one object is tolerated.
    let outcome = sample("5d2e8f10").read();
    let repeated = firewall(&outcome)
        .find(|e| e["event"]["tls"]["subject"].is_string())
        .unwrap();
    assert_eq!(repeated["event"]["tls"]["subject"], "CN=shop.example.com");
    let mut text = String::new();
    let bytes = sample("5d2e8f10").bytes();
    let mut decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
    std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
    assert!(
        text.lines()
            .any(|line| line.matches("\"subject\":").count() == 2)
    );
    let categories: Vec<_> = firewall(&outcome)
        .map(|e| &e["event"]["aws_category"])
        .collect();
    assert!(categories.iter().any(|c| c.is_array()));

    let outcome = sample("6e3f9021").read();
    let bytes = |e: &serde_json::Value| e["event"]["netflow"]["bytes"].as_u64().unwrap();
    assert!(firewall(&outcome).any(|e| bytes(e) > u64::from(u32::MAX)));
    let flags: Vec<_> = firewall(&outcome)
        .map(|e| &e["event"]["tcp"]["tcp_flags"])
        .collect();
    assert!(flags.iter().all(|f| f.is_null() || f.is_u64()), "{flags:?}");
    assert!(flags.iter().any(|f| **f == 0) && flags.iter().any(|f| **f == 0x1b));

    let outcome = sample("7f40a132").read();
    for entry in firewall(&outcome) {
        assert!(entry["event"]["src_port"].is_u64() && entry["event"]["dest_port"] == 443);
        assert!(entry["event_timestamp"].is_u64());
    }
}
