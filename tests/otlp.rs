//! OTLP as the official protobuf definitions read it, against NDJSON of the same records.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use delivery::ndjson::NdjsonEncoder;
use delivery::otlp::logs::Home;
use delivery::otlp::{OtlpLogsEncoder, OtlpMetricsEncoder};
use e2e::{programs, project, samples};
use serde_json::json;
use telemetry::enrichment::{Enricher, FieldSet, Level, Loaded, Options};
use telemetry::generate::{Generator, LogFormat};
use telemetry::index::{Directory, Shard, of_documents};
use telemetry::metrics::{Datapoint, Measured, Statistic};
use telemetry::{LogReader, ReadOptions, Row};

const HOME: (&str, &str) = ("999999999999", "eu-central-1");

/// The index of the samples' estate.
struct Estate {
    directory: Arc<Directory>,
    shards: BTreeMap<(String, String), Arc<Shard>>,
}

impl Estate {
    fn of_the_samples() -> Estate {
        let index = of_documents(&project().join("samples/metadata"), 1_795_190_000);
        let shards = index.shards.into_iter();
        Estate {
            directory: Arc::new(index.directory.unwrap()),
            shards: shards.map(|(key, shard)| (key, Arc::new(shard))).collect(),
        }
    }

    fn enricher(&self) -> Enricher {
        let shards = self.shards.clone();
        let load = move |account: &str, region: &str| {
            let shard = shards.get(&(account.to_owned(), region.to_owned()));
            shard.map_or(Loaded::Missing, |shard| Loaded::Ready(Arc::clone(shard)))
        };
        let fields = FieldSet::of(Level::Full).with_tags(["Name", "team"]);
        let options = Arc::new(Options::new(fields));
        Enricher::new(
            options,
            Loaded::Ready(Arc::clone(&self.directory)),
            Box::new(load),
        )
    }
}

/// Both encodings of a log, and how many records it has.
fn encode(log: &[u8], enricher: &mut Enricher) -> (Vec<u8>, Vec<u8>, u64) {
    let options = ReadOptions::new(std::env::temp_dir());
    let mut reader = LogReader::open(log, &options).unwrap();
    let mut otlp = OtlpLogsEncoder::new();
    otlp.set_home(Home::new(HOME.0, HOME.1));
    let mut ndjson = NdjsonEncoder::new(1 << 20);
    while let Some(row) = reader.next_row().unwrap() {
        if let Row::Record(record) = row {
            let enrichment = enricher.enrich(&record);
            otlp.write(&record, Some(&enrichment));
            ndjson.write(&record, Some(&enrichment));
        }
    }
    let records = reader.counts().records;
    (
        otlp.take(Vec::new()).unwrap(),
        ndjson.take(Vec::new()),
        records,
    )
}

#[test]
fn the_official_definitions_read_what_ndjson_says() {
    let Some(tools) = programs::tools() else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(work.path().join(name), bytes).unwrap();
    let estate = Estate::of_the_samples();
    let mut expected = BTreeMap::new();
    let mut add = |name: &str, log: &[u8]| {
        let (otlp, ndjson, records) = encode(log, &mut estate.enricher());
        write(&format!("{name}.binpb"), &otlp);
        write(&format!("{name}.ndjson"), &ndjson);
        expected.insert(name.to_owned(), records);
    };
    for (name, _) in samples::NAMES {
        add(name, &fs::read(samples::named(name).path).unwrap());
    }
    for format in LogFormat::ALL {
        let mut generator = Generator::new(*format, 20, 1_795_190_400);
        let mut log = generator
            .header()
            .map(|h| h + "\n")
            .unwrap_or_default()
            .into_bytes();
        for _ in 0..500 {
            generator.row(&mut log);
        }
        add(&format!("generated-{}", format.name()), &log);
    }
    write("home.json", json!([HOME.0, HOME.1]).to_string().as_bytes());

    let mut metrics = OtlpMetricsEncoder::new();
    let mut points = Vec::new();
    for n in 0..50_u32 {
        let gateway = format!("nat-{}", n % 5);
        let account = format!("11111111111{}", n % 3);
        let is_bytes = n % 2 == 0;
        let statistic = [Statistic::Sum, Statistic::Average][n as usize / 2 % 2];
        let time = 1_795_190_400 + i64::from(n / 10) * 60;
        let resource = Measured {
            kind: "nat-gateway",
            id: gateway.clone(),
            vpc: Some("vpc-1".to_owned()),
            tags: vec![("team".to_owned(), "net".to_owned())],
            ..Measured::default()
        };
        let dimensions = [("NatGatewayId".to_owned(), gateway.clone())];
        let point = Datapoint {
            account: &account,
            region: "us-east-1",
            namespace: "AWS/NATGateway",
            metric: ["ActiveConnectionCount", "BytesOutToDestination"][usize::from(is_bytes)],
            dimensions: &dimensions,
            statistic,
            unit: ["Count", "Bytes"][usize::from(is_bytes)],
            adds_up: is_bytes,
            period: 60,
            time,
            value: f64::from(n) * 1.5,
            resource: (n % 3 > 0).then_some(&resource),
        };
        metrics.write(&point);
        let mut attributes = json!({
            "Namespace": "AWS/NATGateway", "MetricName": point.metric,
            "Dimensions": {"NatGatewayId": gateway}, "Statistic": statistic.to_string(),
        });
        if point.resource.is_some() {
            let added = [
                ("resource", &*gateway),
                ("resource_type", "nat-gateway"),
                ("vpc", "vpc-1"),
                ("tag.team", "net"),
            ];
            for (key, value) in added {
                attributes[format!("cloud_export.{key}")] = json!(value);
            }
        }
        points.push(json!({
            "account": account, "region": "us-east-1",
            "name": format!("amazonaws.com/AWS/NATGateway/{}", point.metric),
            "unit": if is_bytes { "By" } else { "{Count}" },
            "sum": is_bytes && statistic == Statistic::Sum,
            "start": time, "end": time + 60, "value": point.value, "attributes": attributes,
        }));
    }
    expected.insert("metrics".to_owned(), 50);
    write("metrics.binpb", &metrics.take(Vec::new()).unwrap());
    write("metrics.json", json!(points).to_string().as_bytes());

    let arguments = [
        work.path().as_os_str().to_owned(),
        project().join("docs/otlp.md").into_os_string(),
    ];
    let report = programs::report(&tools, "otlp/compare.py", &arguments, &[]);
    assert_eq!(report["differences"], json!([]), "{report:#}");
    assert_eq!(report["records"], json!(expected));
}
