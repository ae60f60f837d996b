//! The collector against clouds that nobody here wrote: moto, and a server that answers every call of
//! the catalogue by AWS's own service models.
//!
//! The servers and what checks the snapshots are Python programs in `cloud/`: botocore is the oracle.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use delivery::store::{Condition, Fetched, Store};
use e2e::binaries::{Function, cloud_export, metadata_collector};
use e2e::programs::{ReplayServer, report, tools};
use e2e::s3_server::{Call, EVERY_TIME, Fault, S3Server};
use invocation::Budget;
use jiff::Timestamp;
use metadata_collector::index::{write_directory, write_unit};
use metadata_collector::store::{SnapshotStore, StoreError, current_key};
use serde_json::{Value, json};
use telemetry::describe::catalogue::CATALOGUE;
use telemetry::index::{DIRECTORY_KEY, Directory};
use telemetry::snapshot::{Snapshot, Unit};

fn run(tools: &Path, program: &str) -> Value {
    let work = tempfile::tempdir().unwrap();
    let arguments = [
        "--cloud-export".into(),
        cloud_export().into(),
        "--work".into(),
        work.path().into(),
    ];
    report(tools, program, &arguments, &[])
}

#[test]
fn snapshots_are_what_boto3_returns_for_everything_moto_can_make() {
    let Some(tools) = tools() else { return };
    let report = run(&tools, "cloud/moto_compare.py");
    let compared = report["compared"].as_object().unwrap();
    let lacking = report["lacking"].as_array().unwrap();
    for (operation, rows) in compared {
        println!("{rows:>6} rows of {operation} are equal");
    }
    println!("moto lacks {}", report["lacking"]);
    assert_eq!(compared.len() + lacking.len(), CATALOGUE.len());
    assert!(compared.values().all(|rows| rows.as_u64() > Some(0)));
    assert_eq!(report["difference_count"], 0);
}

#[test]
fn no_member_of_any_answer_is_lost_and_no_secret_is_kept() {
    let Some(tools) = tools() else { return };
    let report = run(&tools, "cloud/full_shape.py");
    let operations = report["operations"].as_object().unwrap();
    println!("{} calls: {report:#}", operations.len());
    assert_eq!(operations.len(), CATALOGUE.len());
}

#[test]
fn what_goes_wrong_is_reported_and_nothing_is_lost() {
    let Some(tools) = tools() else { return };
    let report = run(&tools, "cloud/faults.py");
    let scenarios = report["scenarios"].as_object().unwrap();
    println!("{} scenarios: {report:#}", scenarios.len());
    assert!(scenarios.len() >= 15, "{report:#}");
}

/// Three accounts behind a primary role, and a queue: more than one invocation is to do.
const SPREAD: &[(&str, &str)] = &[
    (
        "CLOUD_EXPORT_PRIMARY_ROLE",
        "arn:aws:iam::222222222222:role/primary",
    ),
    ("CLOUD_EXPORT_ACCOUNTS", "333333333333,444444444444"),
    ("CLOUD_EXPORT_ROLE", "reader"),
    ("CLOUD_EXPORT_REGIONS", "us-east-1"),
    ("CLOUD_EXPORT_FAN_OUT_ABOVE", "1"),
    ("CLOUD_EXPORT_DESTINATIONS", ""),
    ("AWS_ACCESS_KEY_ID", "AKIA111111111111BASE"),
    ("AWS_SECRET_ACCESS_KEY", "secret-of-the-base-key"),
];

#[tokio::test]
async fn the_function_hands_accounts_on_and_does_them_message_by_message() {
    let Some(tools) = tools() else { return };
    hands_accounts_on(metadata_collector, &tools).await;
}

/// Has a collector spread three accounts over invocations; returns what its initialisation took.
pub(crate) async fn hands_accounts_on<P: AsRef<OsStr> + Send + 'static>(
    collector: impl FnOnce() -> P + Send + 'static,
    tools: &Path,
) -> Duration {
    let scenario = json!({"rows": 2, "record_answers": false,
        "secrets": {"AKIA111111111111BASE": "secret-of-the-base-key"}});
    let aws = ReplayServer::start(tools, &scenario);
    let work = tempfile::tempdir().unwrap();
    let metadata = format!("file://{}", work.path().display());
    let queue = format!("{}/111111111111/units", aws.endpoint());
    let mut settings = SPREAD.to_vec();
    settings.extend([
        ("AWS_ENDPOINT_URL", aws.endpoint()),
        ("CLOUD_EXPORT_METADATA", &metadata),
        ("CLOUD_EXPORT_FAN_OUT_QUEUE", &queue),
    ]);
    let s3 = S3Server::empty(&[]).await;
    let mut function = Function::start_of(collector, &s3, &settings).await;
    let planned = function.invoke(&json!({"source": "aws.scheduler"})).await;
    assert_eq!(planned.response()["handed_on"], 3);
    let sent: Vec<Value> = aws
        .requests()
        .iter()
        .filter(|request| request["operation"] == "SendMessageBatch")
        .flat_map(|request| request["parameters"]["Entries"].as_array().unwrap().clone())
        .collect();
    assert_eq!(sent.len(), 3);
    let records: Vec<Value> = std::iter::once(json!("no job"))
        .chain(sent.iter().map(|entry| entry["MessageBody"].clone()))
        .enumerate()
        .map(|(at, body)| {
            json!({"eventSource": "aws:sqs", "messageId": format!("m{at}"), "body": body})
        })
        .collect();
    let done = function.invoke(&json!({"Records": records})).await;
    assert_eq!(
        done.response(),
        json!({"batchItemFailures": [{"itemIdentifier": "m0"}]})
    );
    for account in ["222222222222", "333333333333", "444444444444"] {
        for region in ["global", "us-east-1"] {
            let file = work.path().join(current_key(account, region));
            assert!(file.is_file(), "{}", file.display());
        }
    }
    // Not a second of the time is left to work in: everything is handed on again.
    let job = json!({"Records": [records[1]]});
    let late = function.invoke_for(&job, Duration::from_secs(1)).await;
    assert_eq!(late.response(), json!({"batchItemFailures": []}));
    let again = aws.requests();
    let again = again
        .iter()
        .rfind(|r| r["operation"] == "SendMessageBatch")
        .unwrap();
    assert_eq!(
        again["parameters"]["Entries"][0]["MessageBody"],
        records[1]["body"]
    );
    let init = function.init;
    let output = function.finish().await;
    let metrics = output.metrics();
    let metric = |at: usize, name: &str| metrics[at][name].as_u64().unwrap();
    assert_eq!(
        (metric(0, "JobsHandedOn"), metric(2, "JobsHandedOn")),
        (3, 1)
    );
    assert_eq!(metric(1, "UnitsComplete") + metric(1, "UnitsPartial"), 6);
    init
}

fn snapshot(second: i64) -> Snapshot {
    let unit = Unit {
        account: "111111111111".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
        roles: Vec::new(),
    };
    let time = |second| Timestamp::from_second(1_795_190_400 + second).unwrap();
    Snapshot::merge(unit, time(second), time(second + 1), Vec::new(), None)
}

#[tokio::test]
async fn a_snapshot_in_a_bucket_replaces_only_the_one_it_was_made_from() {
    let server = S3Server::empty(&["metadata"]).await;
    for prefix in ["", "network/a b"] {
        let store = SnapshotStore::from(Store::S3 {
            client: aws_sdk_s3::Client::new(&server.client_config()),
            bucket: "metadata".into(),
            prefix: prefix.into(),
        });
        let current = || store.current("111111111111", "us-east-1");
        assert!(current().await.unwrap().is_none());
        store.write(&snapshot(0), None).await.unwrap();
        let error = store.write(&snapshot(10), None).await.unwrap_err();
        assert!(matches!(error, StoreError::Replaced(_)), "{error}");
        let kept = current().await.unwrap().unwrap();
        assert_eq!(kept.snapshot, snapshot(0));
        store.write(&snapshot(10), Some(&kept)).await.unwrap();
        assert_eq!(current().await.unwrap().unwrap().snapshot, snapshot(10));
        let error = store.write(&snapshot(20), Some(&kept)).await.unwrap_err();
        assert!(matches!(error, StoreError::Replaced(_)), "{error}");
        for region in ["a-1", "b-1", "c-1"] {
            let unit = Unit {
                region: region.into(),
                ..snapshot(0).unit
            };
            let other = Snapshot {
                unit,
                ..snapshot(0)
            };
            store.write(&other, None).await.unwrap();
        }
        let keys = store.current_keys().await.unwrap();
        let regions: Vec<_> = keys
            .iter()
            .map(|key| key.rsplit('/').next().unwrap())
            .collect();
        let expected = [
            "a-1.json.gz",
            "b-1.json.gz",
            "c-1.json.gz",
            "us-east-1.json.gz",
        ];
        assert_eq!(regions, expected, "{keys:?}");
        let document = store.document(&keys[0]).await.unwrap().unwrap();
        assert_eq!(document["Collection"]["Account"], "111111111111");
    }
}

fn bucket(server: &S3Server) -> Store {
    let url = "s3://metadata/network".parse().unwrap();
    Store::on(&url, &server.client_config())
}

#[tokio::test]
async fn an_object_that_is_known_is_not_transferred_again() {
    let server = S3Server::empty(&["metadata"]).await;
    let store = bucket(&server);
    assert_eq!(store.get("index/a", None).await, Ok(Fetched::Missing));
    assert_eq!(
        store.get("index/a", Some("\"0\"")).await,
        Ok(Fetched::Missing)
    );
    let put = |text: &'static str| store.put("index/a", text.into(), Condition::None, "text/plain");
    put("first").await.unwrap();
    let Ok(Fetched::Object { bytes, revision }) = store.get("index/a", None).await else {
        panic!("the object is not there");
    };
    assert_eq!(bytes, "first");
    let known = revision.as_deref();
    assert_eq!(store.get("index/a", known).await, Ok(Fetched::Unchanged));
    put("other").await.unwrap();
    let again = store.get("index/a", known).await.unwrap();
    assert!(matches!(again, Fetched::Object { .. }), "{again:?}");
}

#[tokio::test]
async fn an_object_that_breaks_off_is_asked_for_again() {
    let server = S3Server::empty(&["metadata"]).await;
    let store = bucket(&server);
    let text = "a text of which a half can be sent";
    let put = store.put("index/a", text.into(), Condition::None, "text/plain");
    put.await.unwrap();
    server.fault(Call::Get, "index/a", Fault::CutShort, 2);
    let Ok(Fetched::Object { bytes, .. }) = store.get("index/a", None).await else {
        panic!("the object was not read");
    };
    assert_eq!(
        (bytes, server.count(Call::Get, "index/a")),
        (text.into(), 3)
    );
    server.fault(Call::Get, "index/a", Fault::CutShort, EVERY_TIME);
    let error = store.get("index/a", None).await.unwrap_err().to_string();
    let told = "s3://metadata/network/index/a stopped in the middle 3 times: ";
    assert!(error.starts_with(told), "{error}");
    assert_eq!(server.count(Call::Get, "index/a"), 3 + 3);
}

#[tokio::test]
async fn a_directory_that_another_run_wrote_in_the_meantime_is_merged_anew() {
    let server = S3Server::empty(&["metadata"]).await;
    let store = bucket(&server);
    let part = async |account: &str| {
        let unit = Unit {
            account: account.into(),
            ..snapshot(0).unit
        };
        let taken = Snapshot {
            unit,
            ..snapshot(0)
        };
        let (part, written) =
            write_unit(&store, &taken, taken.inventory(), Duration::from_secs(60)).await;
        written.unwrap();
        part.unwrap()
    };
    let replaced = Fault::Error(
        s3s::S3ErrorCode::PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold",
    );
    for (account, times) in [("111111111111", 0), ("222222222222", 3)] {
        let part = part(account).await;
        server.fault(Call::Put, DIRECTORY_KEY, replaced.clone(), times);
        let written = write_directory(&store, &[part], &Budget::UNLIMITED).await;
        assert_eq!(written, Ok(()));
    }
    assert_eq!(server.count(Call::Put, DIRECTORY_KEY), 1 + 4);
    assert_eq!(server.count(Call::Get, DIRECTORY_KEY), 1 + 4);
    let Ok(Fetched::Object { bytes, .. }) = store.get(DIRECTORY_KEY, None).await else {
        panic!("there is no directory");
    };
    assert_eq!(Directory::open(bytes).unwrap().units().count(), 2);
    // No time for a second attempt.
    let part = part("333333333333").await;
    server.fault(Call::Put, DIRECTORY_KEY, replaced, 1);
    let budget = Budget::new(Duration::ZERO, Duration::ZERO);
    let error = write_directory(&store, &[part], &budget).await.unwrap_err();
    assert!(error.contains("another run replaced"), "{error}");
    // A shard is replaced by its next one only.
    assert_eq!(
        server.count(Call::Put, "index/111111111111/us-east-1.idx"),
        1
    );
}
