//! The recorded estate and the flows through every path of it, enriched.
//!
//! ```text
//! estate/aws_configs ─▶ a shard for each account and region, one directory ─┐
//! estate/before ──────▶ the shard of an hour before                         ├─▶ enriched ─┬─ *.expected: what a person expects
//! estate/flows/*.log, *.ndjson ─────────────────────────────────────────────┘             └─ *.golden.ndjson: all of it
//! ```
//!
//! `estate/make.py` and `estate/rows.py` write all files but the golden ones, which `UPDATE_GOLDEN=1` writes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use telemetry::enrichment::aws_ranges::AwsRanges;
use telemetry::enrichment::field::End;
use telemetry::enrichment::transfer::{Scope, Via};
use telemetry::enrichment::{
    Enricher, Enrichment, FieldSet, FieldValue, Level, Loaded, Options, Origin,
};
use telemetry::index::{self, Directory, IndexUnit, Shard};
use telemetry::inventory::{Inventory, InventoryBuilder, read_document};
use telemetry::{LogReader, ReadOptions, Record, Row};

/// When AWS answered what is in `aws_configs`, and an hour before the flows what is in `before`. `rows.py` has the
/// same times.
const COLLECTED: u32 = 1_795_192_200;
const BEFORE: u32 = 1_795_188_000;

/// How long interfaces are kept that have vanished.
const KEEP: u32 = 7 * 24 * 3600;

fn estate() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/estate")
}

/// The inventory of each account and region below a directory.
fn units(root: &Path) -> Vec<((String, String), Inventory)> {
    let mut units = Vec::new();
    for account in sorted(&root.join("aws_configs/accounts")) {
        for region in sorted(&account) {
            let file = region.join("answers.json");
            let mut builder = InventoryBuilder::new();
            builder.add_path_document(&file.to_string_lossy(), &read_document(&file).unwrap());
            let inventory = builder.finish();
            let read = &inventory.read;
            assert_eq!(read.unplaced, BTreeMap::new(), "{}", file.display());
            assert_eq!(read.unreadable, [], "{}", file.display());
            assert_eq!(read.unknown, BTreeMap::new(), "{}", file.display());
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            units.push(((name(&account), name(&region)), inventory));
        }
    }
    assert!(!units.is_empty());
    units
}

fn sorted(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The index of the estate.
struct Indexed {
    directory: Arc<Directory>,
    shards: HashMap<(String, String), Arc<Shard>>,
}

impl Indexed {
    fn new() -> Indexed {
        let shard = |((account, region), inventory): &((String, String), Inventory),
                     collected,
                     previous: Option<&Shard>| {
            let unit = IndexUnit {
                account,
                region,
                collected,
            };
            let shard = index::shard(inventory, unit, previous, KEEP).unwrap();
            (
                (account.clone(), region.clone()),
                Arc::new(Shard::open(shard).unwrap()),
            )
        };
        let before = units(&estate().join("before"));
        let before: HashMap<_, _> = before
            .iter()
            .map(|unit| shard(unit, BEFORE, None))
            .collect();
        let now = units(&estate());
        let shards = now.iter().map(|unit| {
            let previous = before.get(&unit.0).map(|shard| &**shard);
            shard(unit, COLLECTED, previous)
        });
        let parts = now.iter().map(|((account, region), inventory)| {
            let unit = IndexUnit {
                account,
                region,
                collected: COLLECTED,
            };
            Directory::open(index::directory_part(inventory, unit, None).unwrap()).unwrap()
        });
        let parts: Vec<Directory> = parts.collect();
        Indexed {
            directory: Arc::new(Directory::open(Directory::merge(&parts).unwrap()).unwrap()),
            shards: shards.collect(),
        }
    }

    fn enricher(&self) -> Enricher {
        let ranges = std::fs::read(estate().join("ip-ranges.json")).unwrap();
        let mut options = Options::new(FieldSet::of(Level::Full).with_tags(["team"]));
        options.ranges = Some(Arc::new(AwsRanges::from_slice(&ranges).unwrap()));
        let shards = self.shards.clone();
        let load = move |account: &str, region: &str| {
            let key = (account.to_owned(), region.to_owned());
            match shards.get(&key) {
                Some(shard) => Loaded::Ready(Arc::clone(shard)),
                None => Loaded::Missing,
            }
        };
        let directory = Loaded::Ready(Arc::clone(&self.directory));
        let mut enricher = Enricher::new(Arc::new(options), directory, Box::new(load));
        enricher.begin(Origin {
            account: None,
            region: Some("us-east-1".to_owned()),
            folder: "flows".to_owned(),
        });
        enricher
    }
}

/// What is added to a record, by the names of fields.
fn added(enriched: &Enrichment<'_>) -> Map<String, Value> {
    let value = |value: FieldValue<'_>| match value {
        FieldValue::Text(text) => json!(text),
        FieldValue::Integer(number) => json!(number),
        FieldValue::Decimal(number) => json!(number),
        FieldValue::Boolean(truth) => json!(truth),
        FieldValue::Texts(texts) => json!(texts.iter().map(|text| &**text).collect::<Vec<_>>()),
    };
    let mut all = Map::new();
    let mut put = |name: String, value: Value| {
        assert!(
            all.insert(name.clone(), value).is_none(),
            "{name} is added twice"
        );
    };
    for end in End::BOTH {
        for (field, told) in enriched.side_values(end) {
            put(format!("{}{}", end.prefix(), field.name()), value(told));
        }
        for (key, tag) in enriched.tags(end) {
            put(format!("{}tag_{key}", end.prefix()), json!(tag));
        }
    }
    for (field, told) in enriched.fact_values().chain(enriched.own_values()) {
        put(field.name().to_owned(), value(told));
    }
    all
}

/// The record's own columns.
fn columns(record: &Record<'_>) -> Map<String, Value> {
    match record {
        Record::Flow(flow) => {
            let columns = flow.columns();
            let told = columns.filter_map(|(column, value)| {
                let value = match value? {
                    telemetry::Value::Text(text) => json!(text),
                    telemetry::Value::Integer(number) => json!(number),
                    telemetry::Value::Address(address) => json!(address),
                };
                Some((column.name.to_string(), value))
            });
            told.collect()
        }
        Record::Firewall(entry) => entry.entry().clone(),
    }
}

/// A record of a log: its columns, and what is added.
struct Enriched {
    record: Map<String, Value>,
    added: Map<String, Value>,
}

/// A log, what is expected of its records, and what they became.
struct Log {
    name: String,
    expected: Vec<BTreeMap<String, String>>,
    records: Vec<Enriched>,
}

/// The files with logs.
fn logs() -> Vec<PathBuf> {
    let files = sorted(&estate().join("flows")).into_iter();
    let name = |path: &PathBuf| path.to_string_lossy().into_owned();
    let is_log = |path: &PathBuf| {
        let name = name(path);
        (name.ends_with(".log") || name.ends_with(".ndjson")) && !name.ends_with(".golden.ndjson")
    };
    files.filter(is_log).collect()
}

/// Enriches the records of a log; `again` makes the enricher for each record, or once.
fn enriched(path: &Path, again: bool, enricher: impl Fn() -> Enricher) -> Vec<Enriched> {
    let text = std::fs::read(path).unwrap();
    let options = ReadOptions::new(std::env::temp_dir());
    let mut reader = LogReader::open(&text[..], &options).unwrap();
    let mut one = enricher();
    let mut records = Vec::new();
    while let Some(row) = reader.next_row().unwrap() {
        let Row::Record(record) = row else {
            panic!("{} has a row that cannot be read", path.display());
        };
        if again {
            one = enricher();
        }
        records.push(Enriched {
            record: columns(&record),
            added: added(&one.enrich(&record)),
        });
    }
    records
}

/// The expectations of a log: a line for each record, a column for each field.
fn expected(path: &Path) -> Vec<BTreeMap<String, String>> {
    let path = format!("{}.expected", path.display());
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut lines = text.lines().map(|line| line.split('\t'));
    let names: Vec<&str> = lines.next().unwrap().collect();
    let rows = lines.map(|cells| {
        let cells = names.iter().zip(cells);
        let told = cells.filter(|(_, cell)| !cell.is_empty());
        told.map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
            .collect()
    });
    rows.collect()
}

fn all() -> Vec<Log> {
    let indexed = Indexed::new();
    let logs = logs().into_iter().map(|path| {
        let (expected, records) = (
            expected(&path),
            enriched(&path, false, || indexed.enricher()),
        );
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(expected.len(), records.len(), "{name}");
        Log {
            name,
            expected,
            records,
        }
    });
    logs.collect()
}

/// Whether a field is as expected: `-` is absent, numbers count to six digits, lists are written with commas.
fn fits(expected: &str, found: Option<&Value>) -> bool {
    match found {
        None => expected == "-",
        Some(Value::String(text)) => text == expected,
        Some(Value::Array(texts)) => {
            let mut texts: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
            let mut wanted: Vec<&str> = expected.split(',').collect();
            texts.sort_unstable();
            wanted.sort_unstable();
            texts == wanted
        }
        Some(Value::Number(number)) => {
            let wanted: Option<f64> = expected.parse().ok();
            wanted.is_some_and(|wanted| (number.as_f64().unwrap() - wanted).abs() < 5e-7)
        }
        Some(Value::Bool(truth)) => expected.parse() == Ok(*truth),
        Some(_) => false,
    }
}

#[test]
fn every_row_is_what_a_person_expects_of_it() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for log in all() {
        for (expected, Enriched { added, .. }) in log.expected.iter().zip(&log.records) {
            let row = &expected["row"];
            for (field, expected) in expected.iter().filter(|(field, _)| *field != "row") {
                checked += 1;
                let found = added.get(field);
                if !fits(expected, found) {
                    let found = found.map_or("nothing".to_owned(), Value::to_string);
                    wrong.push(format!(
                        "{}: {row}: {field} is {found}, expected {expected}",
                        log.name
                    ));
                }
            }
        }
    }
    assert!(checked > 3000, "{checked} fields were compared");
    assert!(
        wrong.is_empty(),
        "{} of {checked}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn what_is_added_is_as_in_the_golden_files() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for log in all() {
        let path = estate().join(format!("flows/{}.golden.ndjson", log.name));
        let mut found = String::new();
        for (expected, Enriched { record, added }) in log.expected.iter().zip(&log.records) {
            let line = json!({"row": expected["row"], "added": added, "record": record});
            found.push_str(&line.to_string());
            found.push('\n');
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        if golden == found {
            continue;
        }
        if update {
            std::fs::write(&path, &found).unwrap();
            continue;
        }
        let same = |(golden, found): &(&str, &str)| golden == found;
        let line = golden.lines().zip(found.lines()).take_while(same).count();
        wrong.push(format!(
            "{}, line {}:\n  expected {}\n  found    {}",
            log.name,
            line + 1,
            golden.lines().nth(line).unwrap_or("the end"),
            found.lines().nth(line).unwrap_or("the end"),
        ));
    }
    let names: BTreeSet<PathBuf> = logs()
        .iter()
        .map(|path| PathBuf::from(format!("{}.golden.ndjson", path.display())))
        .collect();
    for file in sorted(&estate().join("flows")) {
        let is_golden = file.to_string_lossy().ends_with(".golden.ndjson");
        assert!(
            !is_golden || names.contains(&file),
            "{} is a golden file that nothing is compared with",
            file.display()
        );
    }
    assert!(
        wrong.is_empty(),
        "{}\nIf that is right, write the files anew with UPDATE_GOLDEN=1",
        wrong.join("\n")
    );
}

#[test]
fn every_class_of_data_transfer_is_expected_somewhere() {
    let mut told: BTreeSet<String> = BTreeSet::new();
    for path in logs() {
        for row in expected(&path) {
            told.extend(row.get("via").map(|via| format!("via {via}")));
            told.extend(row.get("scope").map(|scope| format!("scope {scope}")));
        }
    }
    let vias = Via::ALL.iter().map(|via| format!("via {}", via.as_str()));
    let scopes = Scope::ALL
        .iter()
        .map(|scope| format!("scope {}", scope.as_str()));
    let missing: Vec<String> = vias
        .chain(scopes)
        .filter(|class| !told.contains(class))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_worked_example_costs_what_it_should_and_the_endpoint_nothing() {
    let logs = all();
    let log = logs.iter().find(|log| log.name == "vpc-v5.log").unwrap();
    let cost = |start: &str| -> Vec<f64> {
        let rows = log.expected.iter().zip(&log.records);
        let rows = rows.filter(|(expected, _)| expected["row"].starts_with(start));
        rows.map(|(_, row)| row.added["transfer_cost_usd"].as_f64().unwrap())
            .collect()
    };
    let walk: Vec<f64> = (1..=6)
        .flat_map(|step| cost(&format!("nat-{step}-")))
        .collect();
    assert_eq!(walk.len(), 6);
    let total: f64 = walk.iter().sum();
    // Processing 10.1 GB, 0.1 GB to the internet, 10.1 GB to another zone and paid at both ends.
    let by_hand = 10.1 * 0.045 + 0.1 * 0.09 + 10.1 * 0.02;
    assert!(
        (total - by_hand).abs() < 1e-6,
        "{walk:?} is {total}, not {by_hand}"
    );
    assert_eq!(cost("s3-endpoint-"), [0.0, 0.0, 0.0]);
}

#[test]
fn a_record_is_enriched_the_same_alone_as_among_others() {
    let indexed = Indexed::new();
    for path in logs() {
        let together = enriched(&path, false, || indexed.enricher());
        let alone = enriched(&path, true, || indexed.enricher());
        for (together, alone) in together.iter().zip(&alone) {
            assert_eq!(
                together.added,
                alone.added,
                "{}: {:?}",
                path.display(),
                alone.record
            );
        }
    }
}
