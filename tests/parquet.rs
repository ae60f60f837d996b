//! Parquet as others read it: every sample and generated logs, enriched, read by DuckDB, pyarrow and Polars, and
//! compared in value and type with the NDJSON of the same records.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use delivery::ndjson::NdjsonEncoder;
use delivery::parquet::{ParquetEncoder, RecordKind};
use e2e::programs::{report, tools};
use e2e::{generated, project, samples};
use telemetry::enrichment::{Enricher, FieldSet, Level, Loaded, Options};
use telemetry::generate::{self, LogFormat};
use telemetry::index::{DocumentIndex, Documents, of_documents};
use telemetry::{LogReader, ReadOptions, Row};

/// 2026-11-20T16:25:00Z, when the samples are from.
const NOW: u32 = 1_795_191_900;

fn fields() -> FieldSet {
    FieldSet::of(Level::Full).with_tags(["Name", "team"])
}

fn enricher(index: DocumentIndex) -> Enricher {
    let shards: Vec<_> = index
        .shards
        .into_iter()
        .map(|(place, shard)| (place, Arc::new(shard)))
        .collect();
    let load = move |account: &str, region: &str| {
        let found = shards
            .iter()
            .find(|((of, at), _)| of == account && at == region);
        found.map_or(Loaded::Missing, |(_, shard)| {
            Loaded::Ready(Arc::clone(shard))
        })
    };
    let directory = Loaded::Ready(Arc::new(index.directory.unwrap()));
    Enricher::new(Arc::new(Options::new(fields())), directory, Box::new(load))
}

/// Writes a log's records as `<kind>/<name>.parquet` and `.ndjson`.
fn write(directory: &Path, name: &str, log: &[u8], enricher: &mut Enricher) {
    let mut ndjson = NdjsonEncoder::default();
    let mut encoder = ParquetEncoder::new(fields()).unwrap();
    let mut kind = None;
    let mut reader = LogReader::open(log, &ReadOptions::new(directory.to_owned())).unwrap();
    while let Some(row) = reader.next_row().unwrap() {
        if let Row::Record(record) = row {
            let enrichment = enricher.enrich(&record);
            assert!(encoder.accepts(&record), "{name} changes its kind");
            ndjson.write(&record, Some(&enrichment));
            encoder.write(&record, Some(&enrichment));
            kind = Some(RecordKind::of(&record));
        }
    }
    let kind = match kind.unwrap() {
        RecordKind::VpcFlow | RecordKind::TransitGatewayFlow => "flows",
        RecordKind::Firewall => "firewall",
    };
    let place =
        |extension: &str| -> PathBuf { directory.join(kind).join(format!("{name}.{extension}")) };
    std::fs::create_dir_all(directory.join(kind)).unwrap();
    std::fs::write(place("ndjson"), ndjson.bytes()).unwrap();
    std::fs::write(place("parquet"), encoder.take(Vec::new()).unwrap()).unwrap();
}

#[test]
fn others_read_what_ndjson_says() {
    let Some(tools) = tools() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut at_hand = enricher(of_documents(&project().join("samples/metadata"), NOW));
    for (name, _) in samples::NAMES {
        let log = std::fs::read(samples::named(name).path).unwrap();
        write(directory.path(), name, &log, &mut at_hand);
    }
    let mut documents = Documents::new(NOW);
    documents.add(generate::ANSWERS_PATH, generate::answers());
    let mut estate = enricher(documents.finish());
    for (name, format) in [
        ("generated-v2", LogFormat::VpcV2),
        ("generated-v11", LogFormat::VpcV11),
        ("generated-gateway", LogFormat::TransitGateway),
    ] {
        write(
            directory.path(),
            name,
            &generated::gzip(format, 3000),
            &mut estate,
        );
    }
    let documentation = project().join("docs/parquet.md");
    let arguments = [directory.path().into(), documentation.into()];
    let told = report(&tools, "parquet/compare.py", &arguments, &[]);
    assert_eq!(told["differences"], serde_json::json!([]), "{told:#}");
    assert_eq!(told["files"], samples::NAMES.len() + 3);
    assert!(told["values"].as_u64().unwrap() > 1_000_000, "{told}");
}
