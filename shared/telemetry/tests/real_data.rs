//! Logs that others wrote, counted independently of the reader. They are not part of the
//! repository: where they are not at hand, these tests say so and pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../fuzz/reference.rs"]
mod reference;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Row;
use reference::{Item, Outcome, Plain, options, read};
use telemetry::ReadError;

/// The files, and how many of their rows are NODATA; nothing in them is malformed.
const TEXT: &[(&str, u64)] = &[
    ("vpc/centralized-logging-vpcflow.log", 7),
    ("vpc/coralogix-vpcflow.log.gz", 0),
    ("vpc/lambda-promtail-vpcflowlog.log.gz", 0),
    ("vpc/otel-vpc-multi.log", 0),
    ("tgw/otel-tgw.log", 0),
];
const PARQUET: &[(&str, u64)] = &[
    ("parquet/flowlogs-reader-flows.parquet", 2),
    ("parquet/security-lake-input0.parquet", 0),
    ("parquet/security-lake-input1.parquet", 0),
    ("parquet/security-lake-input3.parquet", 1),
];
const FIREWALL: &[&str] = &[
    "firewall/otel-alert_log.json",
    "firewall/otel-alert_with_metadata_log.json",
    "firewall/otel-flow_log.json",
    "firewall/otel-tls_log.json",
    "firewall/otel-tls_with_revocation_log.json",
];
const OTHER: &[&str] = &[
    "ocsf/security-lake-example0.gz.parquet",
    "ocsf/security-lake-example1.gz.parquet",
];

/// The directory of the logs, if it is here.
fn flow() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/flow");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: ../shared/data is not here");
    None
}

/// Reads a file that has to be read without fault.
fn good(path: &Path) -> Outcome {
    let outcome = read(File::open(path).unwrap(), &options());
    assert!(
        outcome.error.is_none(),
        "{}: {:?}",
        path.display(),
        outcome.error
    );
    assert_eq!(outcome.counts.malformed(), 0, "{}", path.display());
    let size = std::fs::metadata(path).unwrap().len();
    assert_eq!(outcome.counts.bytes_in, size, "{}", path.display());
    outcome
}

/// The text of a file as `zcat -f` shows it.
fn text(path: &Path) -> String {
    let mut text = String::new();
    let mut file = File::open(path).unwrap();
    if path.extension().is_some_and(|e| e == "gz") {
        flate2::read::MultiGzDecoder::new(file)
            .read_to_string(&mut text)
            .unwrap();
    } else {
        file.read_to_string(&mut text).unwrap();
    }
    text
}

/// The values of one column, as text.
fn column(outcome: &Outcome, name: &str) -> Vec<String> {
    let value = |item: &Item| match item {
        Item::Flow(_, values) => {
            match values
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value)
            {
                Some(Plain::Integer(value)) => value.to_string(),
                Some(Plain::Address(value)) => value.to_string(),
                Some(Plain::Text(value)) => value.clone(),
                Some(Plain::Absent) => "-".to_owned(),
                None => panic!("no column {name}"),
            }
        }
        other => panic!("{other:?}"),
    };
    outcome.items.iter().map(value).collect()
}

fn sum(values: &[String]) -> u64 {
    values.iter().map(|v| v.parse::<u64>().unwrap()).sum()
}

/// The rows of a Parquet file as the library itself tells them.
fn parquet_rows(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let rows: Vec<Row> = reader
        .get_row_iter(None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let told = reader.metadata().file_metadata().num_rows();
    assert_eq!(rows.len(), usize::try_from(told).unwrap());
    rows
}

/// What the library shows in a column of a row.
fn shown(row: &Row, name: &str) -> String {
    let field = row.get_column_iter().find(|(n, _)| *n == name);
    field.unwrap().1.to_string().trim_matches('"').to_owned()
}

#[test]
fn every_file_is_known_to_these_tests() {
    let Some(flow) = flow() else { return };
    let mut found = BTreeSet::new();
    for folder in std::fs::read_dir(&flow).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(&flow).unwrap();
            found.insert(name.to_str().unwrap().to_owned());
        }
    }
    let counted = TEXT.iter().chain(PARQUET).map(|(name, _)| *name);
    let told = counted
        .chain(FIREWALL.iter().copied())
        .chain(OTHER.iter().copied());
    assert_eq!(found, told.map(str::to_owned).collect());
}

#[test]
fn text_logs_have_the_rows_that_lines_tell() {
    let Some(flow) = flow() else { return };
    for (name, no_data) in TEXT {
        let path = flow.join(name);
        let (outcome, text) = (good(&path), text(&path));
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let idle = lines.clone().filter(|line| line.contains("NODATA")).count() as u64;
        let counts = &outcome.counts;
        assert_eq!(counts.headers, 1, "{name}");
        assert_eq!(counts.rows, lines.count() as u64 - 1, "{name}");
        assert_eq!((counts.no_data, counts.skip_data), (*no_data, 0), "{name}");
        assert_eq!(idle, *no_data, "{name}");
        assert_eq!(counts.bytes_decoded, text.len() as u64, "{name}");
        assert!(counts.unknown_columns.is_empty(), "{name}");
        // Each row holds the values of its line, in its order.
        let rows = text
            .lines()
            .skip(1)
            .filter(|l| !l.contains("NODATA") && !l.trim().is_empty());
        for (line, item) in rows.zip(&outcome.items) {
            let Item::Flow(_, values) = item else {
                panic!("{item:?}")
            };
            for (token, (column, value)) in line.split_whitespace().zip(values) {
                let same = match value {
                    Plain::Integer(value) => token.parse() == Ok(*value),
                    Plain::Address(value) => token.parse() == Ok(*value),
                    Plain::Text(value) => token == value,
                    Plain::Absent => token == "-",
                };
                assert!(same, "{name}: {column} is {value:?}, not {token}");
            }
        }
    }
}

#[test]
fn text_logs_hold_the_values_they_show() {
    let Some(flow) = flow() else { return };
    let outcome = good(&flow.join("vpc/centralized-logging-vpcflow.log"));
    assert_eq!(outcome.counts.newest, Some(1_651_646_688));
    assert_eq!(column(&outcome, "srcport")[0], "52284");
    let outcome = good(&flow.join("vpc/coralogix-vpcflow.log.gz"));
    assert_eq!(sum(&column(&outcome, "bytes")), 4096 + 5060);
    let outcome = good(&flow.join("vpc/lambda-promtail-vpcflowlog.log.gz"));
    assert_eq!(sum(&column(&outcome, "bytes")), 21_869 + 12_071 + 112);
    assert_eq!(column(&outcome, "account_id"), ["123456789012"; 3]);
    let outcome = good(&flow.join("vpc/otel-vpc-multi.log"));
    assert_eq!(column(&outcome, "action"), ["ACCEPT", "REJECT"]);
    let outcome = good(&flow.join("tgw/otel-tgw.log"));
    let lost = ["no_route", "blackhole", "mtu_exceeded", "ttl_expired"];
    let lost = lost.map(|why| column(&outcome, &format!("packets_lost_{why}")).remove(0));
    assert_eq!(lost, ["1", "2", "3", "4"]);
    assert_eq!(
        column(&outcome, "tgw_pair_attachment_id"),
        ["tgw-attach-0def12345abc67890"]
    );
}

#[test]
fn parquet_logs_have_the_rows_of_their_metadata() {
    let Some(flow) = flow() else { return };
    for (name, no_data) in PARQUET {
        let path = flow.join(name);
        let (counts, rows) = (good(&path).counts, parquet_rows(&path));
        assert_eq!(counts.rows, rows.len() as u64, "{name}");
        let idle = rows
            .iter()
            .filter(|row| shown(row, "log_status") == "NODATA");
        assert_eq!(
            (counts.no_data, idle.count() as u64),
            (*no_data, *no_data),
            "{name}"
        );
        assert_eq!(counts.skip_data, 0);
        assert!(counts.unknown_columns.is_empty(), "{name}");
    }
}

#[test]
fn parquet_logs_hold_the_values_they_show() {
    let Some(flow) = flow() else { return };
    let path = flow.join("parquet/flowlogs-reader-flows.parquet");
    let (outcome, rows) = (good(&path), parquet_rows(&path));
    // The account is a number here, and twelve digits of text afterwards.
    assert_eq!(
        rows[0].get_column_iter().nth(1).unwrap().1.to_string(),
        "123456789010"
    );
    assert_eq!(column(&outcome, "account_id"), ["123456789010"]);
    assert_eq!(column(&outcome, "bytes"), ["840"]);
    assert_eq!(column(&outcome, "srcport"), ["443"]);
    // Rows without data have words where numbers should be, and one has ports all the same.
    let words = ["srcport", "bytes"].map(|name| [&rows[1], &rows[2]].map(|row| shown(row, name)));
    assert_eq!(words, [["None", "80"], ["None", "None"]]);
    assert_eq!(shown(&rows[2], "protocol"), "8080");

    let outcome = good(&flow.join("parquet/security-lake-input0.parquet"));
    let values = ["account_id", "bytes", "dstport", "az_id", "traffic_path"];
    let values = values.map(|name| column(&outcome, name).remove(0));
    assert_eq!(values, ["123456789012", "40", "39938", "use1-az1", "-"]);
    let outcome = good(&flow.join("parquet/security-lake-input1.parquet"));
    assert_eq!(column(&outcome, "flow_direction"), ["egress"]);
}

#[test]
fn firewall_files_have_an_entry_for_each_object() {
    let Some(flow) = flow() else { return };
    for name in FIREWALL {
        let path = flow.join(name);
        let (outcome, text) = (good(&path), text(&path));
        let objects = text.lines().filter(|line| *line == "{").count();
        assert_eq!((outcome.counts.rows, objects), (1, 1), "{name}");
        let Item::Firewall(1, entry) = &outcome.items[0] else {
            panic!("{:?}", outcome.items);
        };
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        // Everything is as it stood there but what is brought to one form.
        assert_eq!(entry["event_timestamp"], 1_760_956_245);
        assert_eq!(entry["firewall_name"], told["firewall_name"]);
        let (event, told) = (&entry["event"], &told["event"]);
        for (member, value) in told.as_object().unwrap() {
            if member == "netflow" {
                assert_eq!(event[member]["bytes"], 45_000);
                assert_eq!(event[member]["start"], "2025-10-20T10:30:40.000000Z");
            } else {
                assert_eq!(event[member], *value, "{name}: {member}");
            }
        }
    }
}

#[test]
fn other_parquet_is_refused_with_its_reason() {
    let Some(flow) = flow() else { return };
    for name in OTHER {
        let outcome = read(File::open(flow.join(name)).unwrap(), &options());
        let error = outcome.error.expect("these are no flow logs");
        assert!(matches!(error, ReadError::NotALog(_)), "{error}");
        let text = error.to_string();
        assert!(
            text.contains("not a log") && text.contains("is nested"),
            "{text}"
        );
        assert_eq!(outcome.counts.rows, 0);
    }
}
