//! OTLP as the official protobuf definitions and a receiver of others read it, against NDJSON of the same records.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use delivery::encoding::{Compression, Encoding, Format};
use delivery::http::{HttpClient, HttpDestination, HttpOptions};
use delivery::ndjson::NdjsonEncoder;
use delivery::otlp::logs::Home;
use delivery::otlp::{OtlpLogsEncoder, OtlpMetricsEncoder};
use delivery::{Batch, Destination, Origin};
use e2e::{binaries, programs, project, samples, within};
use serde_json::{Value, json};
use telemetry::FailureClass;
use telemetry::enrichment::{Enricher, FieldSet, Level, Loaded, Options};
use telemetry::generate::{Generator, LogFormat};
use telemetry::index::{Directory, Shard, of_documents};
use telemetry::metrics::{Datapoint, Measured, Statistic};
use telemetry::{LogReader, ReadOptions, Row};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

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

/// Rotel, an OpenTelemetry collector, which prints what it takes. It ends when this is dropped.
struct Rotel {
    child: Child,
    address: SocketAddr,
    said: Lines<BufReader<ChildStdout>>,
    _work: tempfile::TempDir,
}

impl Rotel {
    async fn start(tools: &Path) -> Rotel {
        let place = "import os, rotel; print(os.path.dirname(rotel.__file__))";
        let found = Command::new(tools.join("bin/python"))
            .args(["-c", place])
            .output();
        let found = String::from_utf8(found.await.unwrap().stdout).unwrap();
        // It cannot choose ports for itself.
        let [grpc, http] = [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
        let [grpc, address] = [grpc, http].map(|free| free.local_addr().unwrap());
        let work = tempfile::tempdir().unwrap();
        let mut child = Command::new(Path::new(found.trim()).join("rotel-agent"))
            .arg("start")
            .args(["--otlp-grpc-endpoint", &grpc.to_string()])
            .args(["--otlp-http-endpoint", &address.to_string()])
            .args(["--exporter", "blackhole", "--debug-log", "logs"])
            .args(["--debug-log-verbosity", "detailed", "--log-format", "json"])
            .arg("--pid-file")
            .arg(work.path().join("pid"))
            .current_dir(work.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        // It does not say when it listens.
        while TcpStream::connect(address).is_err() {
            assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
            tokio::task::yield_now().await;
        }
        Rotel {
            child,
            address,
            said,
            _work: work,
        }
    }

    /// The values of an attribute of the records it takes, once there are so many.
    async fn values(&mut self, attribute: &str, count: usize) -> Vec<u64> {
        let mut values = Vec::new();
        while values.len() < count {
            let line = within("what the receiver says", self.said.next_line()).await;
            let line = line.unwrap().expect("it goes on");
            let value = line.trim().strip_prefix(&format!("-> {attribute}: Int("));
            values.extend(value.map(|value| value.trim_end_matches(')').parse::<u64>().unwrap()));
        }
        values
    }
}

#[tokio::test]
async fn a_collector_takes_our_records_and_refuses_what_is_none() {
    let Some(tools) = programs::tools() else {
        return;
    };
    let mut rotel = within("the receiver's start", Rotel::start(&tools)).await;
    let url = format!("otlp+http://{}", rotel.address);
    let binary = tokio::task::spawn_blocking(binaries::cloud_export)
        .await
        .unwrap();
    let run = |destination: &str| {
        Command::new(binary)
            .args(["run", "events/s3-put.json", "--destination", destination])
            .current_dir(project())
            .stdin(Stdio::null())
            .output()
    };
    let sent = within("the program", run(&url)).await.unwrap();
    assert!(
        sent.status.success(),
        "{}",
        String::from_utf8_lossy(&sent.stderr)
    );
    let ndjson = within("the program", run("stdout:")).await.unwrap().stdout;
    let records = ndjson
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let records = records.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let expected: Vec<u64> = records
        .map(|record| record["bytes"].as_u64().unwrap())
        .collect();
    assert!(expected.len() > 10, "{expected:?}");
    let found = rotel.values("aws.vpc.flow.bytes", expected.len()).await;
    assert_eq!(found, expected);

    let options = HttpOptions::new(url.parse().unwrap());
    let destination = HttpDestination::new(options, HttpClient::new()).unwrap();
    let junk = Batch {
        origins: Arc::new([Origin {
            bucket: "logs".to_owned(),
            key: "a.log".to_owned(),
            revision: "r".to_owned(),
        }]),
        partition: "".into(),
        sequence: 0,
        may_be_combined: false,
        records: 1,
        encoding: Encoding {
            format: Format::Otlp,
            compression: Compression::None,
        },
        bytes: Bytes::from_static(b"junk"),
    };
    let refused = within("a delivery", destination.deliver(&junk))
        .await
        .unwrap_err();
    let found = (refused.class, &*refused.code, refused.retries);
    assert_eq!(found, (FailureClass::Poison, "Status400", 0), "{refused}");
    rotel.child.kill().await.unwrap();
}
