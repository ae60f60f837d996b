//! What one record is in every format, side by side.

use serde_json::{Map, Value, json};
use telemetry::enrichment::{FieldSet, Level};
use telemetry::generate::LogFormat;
use telemetry::{LogReader, ReadOptions, Record, Row};

use super::{Encoder, Format};
use crate::otlp::tests::{attributes, resources};
use crate::parquet::tests::{Rows, enricher, generated, read};

/// Members that stand in an entry beside AWS's own, with names of enriched fields and with others.
const OWN: [&str; 9] = [
    "via",
    "device",
    "src_vpc_id",
    "dst_how",
    "dst_tag_team",
    "protocol_name",
    "transfer_cost_usd",
    "src_status",
    "other",
];

/// Entries of all kinds, one of which has each of the names, one has all of them, and the others have none.
fn log() -> Vec<u8> {
    let formats = [
        LogFormat::FirewallAlert,
        LogFormat::FirewallFlow,
        LogFormat::FirewallTls,
    ];
    let mut log = Vec::new();
    for format in formats {
        let rows = generated(format, 3 * OWN.len());
        let lines = rows
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        for (number, line) in lines.enumerate() {
            let mut entry: Map<String, Value> = serde_json::from_slice(line).unwrap();
            for (place, name) in OWN.iter().enumerate() {
                if number == 2 * place || number == 2 * OWN.len() {
                    entry.insert((*name).to_owned(), json!(format!("own-{name}")));
                }
            }
            serde_json::to_writer(&mut log, &entry).unwrap();
            log.push(b'\n');
        }
    }
    log
}

fn fields() -> FieldSet {
    FieldSet::of(Level::Full).with_tags(["team"])
}

/// A log in a format: each record as an output of its own, with its entry, and all of them as one.
fn encode(format: Format, log: &[u8]) -> (Vec<(Value, Vec<u8>)>, Vec<u8>) {
    let options = ReadOptions::new(std::env::temp_dir());
    let mut reader = LogReader::open(log, &options).unwrap();
    let mut enricher = enricher(fields());
    let encoder = || Encoder::new(format, &fields(), 0).unwrap();
    let (mut all, mut alone) = (encoder(), Vec::new());
    while let Some(row) = reader.next_row().unwrap() {
        let Row::Record(record) = row else {
            panic!("each row is one")
        };
        let enrichment = enricher.enrich(&record);
        let mut one = encoder();
        one.write(&record, Some(&enrichment));
        all.write(&record, Some(&enrichment));
        let entry = match &record {
            Record::Firewall(entry) => json!(entry.entry()),
            Record::Flow(_) => Value::Null,
        };
        alone.push((entry, one.take(Vec::new()).unwrap()));
    }
    (alone, all.take(Vec::new()).unwrap())
}

fn lines(text: &[u8]) -> Rows {
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// Rows in an order of their own: files of columns sort by time.
fn sorted(rows: impl IntoIterator<Item = Map<String, Value>>) -> Vec<String> {
    let texts = rows.into_iter().map(|row| json!(row).to_string());
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts
}

#[test]
fn a_name_that_an_entry_has_itself_is_its_own_in_every_format() {
    let log = log();
    let (ndjson, all) = encode(Format::Ndjson, &log);
    let one = |output: &[u8]| lines(output).remove(0);
    assert_eq!(
        sorted(ndjson.iter().map(|(_, one)| lines(one).remove(0))),
        sorted(lines(&all))
    );
    let (parquet, all) = encode(Format::Parquet, &log);
    assert_eq!(
        sorted(parquet.iter().map(|(_, one)| read(one).remove(0))),
        sorted(read(&all))
    );
    let (ocsf, all) = encode(Format::Ocsf, &log);
    assert_eq!(
        sorted(ocsf.iter().map(|(_, one)| lines(one).remove(0))),
        sorted(lines(&all))
    );
    let (otlp, _) = encode(Format::Otlp, &log);
    let mut hidden = 0;
    for (((entry, ndjson), (_, parquet)), ((_, ocsf), (_, otlp))) in
        ndjson.iter().zip(&parquet).zip(ocsf.iter().zip(&otlp))
    {
        let (told, event) = (one(ndjson), one(ocsf));
        let mut row = read(parquet).remove(0);
        let whole = row.remove("entry").unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(whole.as_str().unwrap()).unwrap(),
            *entry
        );
        let (_, records) = resources(otlp).remove(0);
        let attributes = attributes(&records[0], 6);
        for name in OWN {
            let Some(own) = entry.get(name) else { continue };
            assert_eq!(told[name], *own);
            assert_eq!(event["unmapped"][name], *own);
            assert_eq!(
                attributes[&format!("aws.networkfirewall.{name}")],
                own.to_string()
            );
            assert!(!row.contains_key(name), "{name}");
            hidden += 1;
        }
        // What is added is the same: what NDJSON has beside the entry.
        let added = told.iter().filter(|(name, _)| entry.get(name).is_none());
        let mut count = 0;
        for (name, value) in added {
            count += 1;
            match name.as_str() {
                "transfer_cost_usd" => {
                    let apart = row[name].as_f64().unwrap() - value.as_f64().unwrap();
                    assert!(apart.abs() < 1e-12);
                }
                _ => assert_eq!(row.get(name), Some(value), "{name}"),
            }
        }
        assert!(count > 3, "{told:?}");
        // And nothing else is: the other columns are of the entry.
        let added = |name: &&String| crate::ndjson::is_enriched(name);
        assert!(row.keys().filter(added).all(|name| told.contains_key(name)));
    }
    assert_eq!(hidden, 3 * 2 * OWN.len());
}
