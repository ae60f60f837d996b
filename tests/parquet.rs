//! Parquet as others read it: every sample and generated logs, enriched, read by DuckDB, pyarrow and Polars, and
//! compared in value and type with the NDJSON of the same records; and datapoints of metrics in the same way.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use delivery::encoding::Format;
use delivery::ndjson::NdjsonEncoder;
use delivery::parquet::{ParquetEncoder, RecordKind};
use delivery::{DatapointBatcher, Origin, Packing};
use e2e::programs::{report, tools};
use e2e::{generated, project, samples};
use telemetry::enrichment::{Enricher, FieldSet, Level, Loaded, Options};
use telemetry::generate::{self, LogFormat};
use telemetry::index::{DocumentIndex, Documents, of_documents};
use telemetry::metrics::{Datapoint, Measured, Statistic};
use telemetry::{LogReader, ReadOptions, Row};

/// Writes datapoints of gateways as `datapoints/gateways.parquet` and `.ndjson`.
fn write_datapoints(directory: &Path) {
    let origin = || Origin {
        bucket: "metrics".to_owned(),
        key: "111111111111/us-east-1/2026/11/20/60s-1795190400-1795194000/0".to_owned(),
        revision: "1".to_owned(),
    };
    std::fs::create_dir_all(directory.join("datapoints")).unwrap();
    for format in [Format::Ndjson, Format::Parquet] {
        let mut packing = Packing::ndjson(usize::MAX);
        packing.encoding.format = format;
        let mut batcher = DatapointBatcher::new(Arc::new([origin()]), Arc::new(packing));
        for n in 0..600_u32 {
            let gateway = format!("nat-{}", n % 10);
            let dimensions = [("NatGatewayId".to_owned(), gateway.clone())];
            let resource = Measured {
                kind: "nat-gateway",
                id: gateway,
                name: (n % 10 < 5).then(|| format!("egress \"{}\"", n % 10)),
                owner: None,
                vpc: Some("vpc-1".to_owned()),
                tags: vec![("team".to_owned(), "net".to_owned())],
            };
            let point = Datapoint {
                account: "111111111111",
                region: "us-east-1",
                namespace: "AWS/NATGateway",
                metric: "BytesOutToDestination",
                dimensions: &dimensions,
                statistic: Statistic::Sum,
                unit: "Bytes",
                adds_up: true,
                period: 60,
                time: 1_795_190_400 + i64::from(n / 10) * 60,
                value: f64::from(n * n) / 7.0,
                resource: (n % 10 < 8).then_some(&resource),
            };
            batcher.push(&point).unwrap();
        }
        batcher.finish().unwrap();
        let batch = batcher.complete().unwrap();
        assert_eq!((batch.records, batcher.complete().is_none()), (600, true));
        let name = format!("datapoints/gateways.{}", batch.encoding.extension());
        std::fs::write(directory.join(name), &batch.bytes).unwrap();
    }
}

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
    write_datapoints(directory.path());
    let documentation = project().join("docs/parquet.md");
    let arguments = [directory.path().into(), documentation.into()];
    let told = report(&tools, "parquet/compare.py", &arguments, &[]);
    assert_eq!(told["differences"], serde_json::json!([]), "{told:#}");
    assert_eq!(told["files"], samples::NAMES.len() + 4);
    assert!(told["values"].as_u64().unwrap() > 1_000_000, "{told}");
}
