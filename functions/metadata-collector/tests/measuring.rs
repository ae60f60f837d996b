//! Metrics over a cloud whose lists and answers are made here.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use delivery::destination::Connections;
use delivery::{Store, lane};
use invocation::{Budget, aws};
use jiff::Timestamp;
use metadata_collector::cloud::{Cloud, Granted, Place};
use metadata_collector::collector::Outputs;
use metadata_collector::job::Export;
use metadata_collector::recorded_cloud::RecordedCloud;
use metadata_collector::report::Report;
use metadata_collector::store::SnapshotStore;
use metadata_collector::{Collector, Config};
use serde_json::{Map, Value, json};
use telemetry::describe::catalogue::Endpoint;
use telemetry::describe::state::CallFailure;
use telemetry::describe::walk::Call;
use telemetry::target::Hop;

const ACCOUNT: &str = "111111111111";

const DAY: i64 = 86_400;

/// Seconds since 1970.
static CLOCK: AtomicI64 = AtomicI64::new(1_795_190_400);

fn now() -> Timestamp {
    Timestamp::from_second(CLOCK.load(Ordering::Relaxed)).unwrap()
}

/// A NAT gateway, what is asked of it, and since when.
type Asked = (String, i64);

/// A cloud with NAT gateways, whose metrics have no datapoints.
struct Gateways {
    cloud: RecordedCloud,
    names: Vec<&'static str>,
    asked: Mutex<Vec<Asked>>,
}

impl Cloud for Gateways {
    type Credentials = String;
    type Lane = Place;

    async fn own(&self) -> Result<Granted<String>, CallFailure> {
        self.cloud.own().await
    }

    async fn account(&self, with: &String) -> Result<(String, String), CallFailure> {
        self.cloud.account(with).await
    }

    async fn assume(&self, with: &String, hop: &Hop) -> Result<Granted<String>, CallFailure> {
        self.cloud.assume(with, hop).await
    }

    fn has(&self, place: &Place, endpoint: &Endpoint) -> bool {
        self.cloud.has(place, endpoint)
    }

    fn lane(&self, place: Place) -> Place {
        place
    }

    async fn call(&self, place: &Place, with: &String, call: &Call) -> Result<Value, CallFailure> {
        self.cloud.call(place, with, call).await
    }

    async fn ask(
        &self,
        _: &Place,
        _: &String,
        operation: &str,
        parameters: &Map<String, Value>,
    ) -> Result<Value, CallFailure> {
        if operation == "ListMetrics" {
            let metrics: Vec<Value> = self
                .names
                .iter()
                .filter(|_| parameters["Namespace"] == "AWS/NATGateway")
                .map(|name| {
                    json!({
                        "Namespace": "AWS/NATGateway",
                        "MetricName": "ErrorPortAllocation",
                        "Dimensions": [{"Name": "NatGatewayId", "Value": name}],
                    })
                })
                .collect();
            return Ok(json!({"Metrics": metrics}));
        }
        let queries = parameters["MetricDataQueries"].as_array().unwrap();
        let results = queries.iter().map(|query| {
            let dimensions = &query["MetricStat"]["Metric"]["Dimensions"];
            let name = dimensions[0]["Value"].as_str().unwrap().to_owned();
            let since = parameters["StartTime"].as_i64().unwrap();
            self.asked.lock().unwrap().push((name, since));
            json!({"Id": query["Id"], "StatusCode": "Complete", "Timestamps": [], "Values": []})
        });
        Ok(json!({"MetricDataResults": results.collect::<Vec<_>>()}))
    }
}

/// Runs once; returns what was asked and the reports.
async fn run(root: &Path, names: &[&'static str]) -> (Vec<Asked>, Vec<Value>) {
    let metadata = format!("file://{}", root.join("metadata").display());
    let destination = format!("file://{}", root.join("metrics").display());
    let config = Config::from_lookup(|name| match name {
        "CLOUD_EXPORT_METADATA" => Some(metadata.clone()),
        "CLOUD_EXPORT_METRIC_DESTINATIONS" => Some(destination.clone()),
        "CLOUD_EXPORT_METRIC_SELECT" => Some("none; include metric=ErrorPortAllocation".into()),
        "CLOUD_EXPORT_REGIONS" => Some("us-east-1".into()),
        _ => None,
    })
    .unwrap();
    let store = SnapshotStore::from(Store::open(&config.metadata, || {
        panic!("no bucket is used")
    }));
    let sdk = aws::no_services();
    let mut connections = Connections::to_aws(&sdk);
    let lanes = lane::open(&config.metrics.destinations, &mut connections).await;
    let cloud = Arc::new(Gateways {
        cloud: RecordedCloud::new(ACCOUNT),
        names: names.to_vec(),
        asked: Mutex::default(),
    });
    let outputs = Outputs {
        metrics: lanes.unwrap(),
        ..Outputs::of(store)
    };
    let collector = Collector::new(Arc::clone(&cloud), outputs, config, "us-east-1".into(), now);
    let reports = Mutex::new(Vec::new());
    let observe = |report: Report<'_>| {
        if let Report::Metrics(report) = report {
            reports.lock().unwrap().push(report.to_json());
        }
    };
    let done = collector.everything(Export::Metrics, &Budget::UNLIMITED, &observe);
    done.await.unwrap();
    let asked = cloud.asked.lock().unwrap().clone();
    (asked, reports.into_inner().unwrap())
}

/// After an outage of days, what a new series owes from before it is older than what is kept.
#[tokio::test]
async fn what_is_new_is_asked_for_before_it_is_given_up() {
    let root = tempfile::tempdir().unwrap();
    let (asked, reports) = run(root.path(), &["nat-a"]).await;
    assert!(!asked.is_empty(), "{reports:?}");
    let read_until = CLOCK.fetch_add(5 * DAY, Ordering::Relaxed) - 120;
    let (asked, reports) = run(root.path(), &["nat-a", "nat-b"]).await;
    let before = |(name, since): &&Asked| name == "nat-b" && *since < read_until;
    assert!(asked.iter().any(|asked| before(&asked)), "{asked:?}");
    assert!(
        reports.iter().all(|report| report["given_up"] == 0),
        "{reports:?}"
    );
}
