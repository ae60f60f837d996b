//! Backfills, dead letters, the quarantine and deleting over real servers of S3 and SQS, with the built programs.
//!
//! `tests/run` installs moto and names its place in `CLOUD_EXPORT_TEST_TOOLS`; without it these tests say that they
//! were skipped.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::process::Stdio;

use e2e::binaries::{Function, cloud_export};
use e2e::fault_server::{Fault, FaultServer};
use e2e::programs::{ServerProgram, tools};
use e2e::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};
use e2e::within;
use flow_forwarder::event::ObjectRef;
use flow_forwarder::message_queue::{MessageQueue, Received};
use flow_forwarder::source::{ObjectSource, ReadObject, Removal, S3Source};
use serde_json::{Value, json};
use tokio::process::Command;

const FOLDER: &str = "AWSLogs/111111111111/vpcflowlogs/us-east-1/2026/11/20/";

/// AWS, as far as moto is it.
struct Aws {
    moto: ServerProgram,
    s3: aws_sdk_s3::Client,
}

impl Aws {
    fn start() -> Option<Aws> {
        let moto = ServerProgram::start(&tools()?, "aws_destinations/aws.py", &[]);
        let s3 = aws_sdk_s3::Client::new(&moto.sdk_config());
        Some(Aws { moto, s3 })
    }

    fn url(&self, name: &str) -> &str {
        self.moto.started()[name].as_str().unwrap()
    }

    fn queue(&self, name: &str) -> MessageQueue {
        MessageQueue::new(self.url(name), &self.moto.sdk_config()).unwrap()
    }

    async fn put(&self, bucket: &str, key: &str, content: impl Into<Vec<u8>>) {
        let put = self.s3.put_object().bucket(bucket).key(key);
        put.body(content.into().into()).send().await.unwrap();
    }

    async fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.s3.list_objects_v2().bucket(bucket).send().await;
        let listed = listed.unwrap();
        let keys = listed.contents().iter().filter_map(|object| object.key());
        keys.map(str::to_owned).collect()
    }

    /// The values of `bytes` of all records in the lake, in their order.
    async fn delivered(&self) -> Vec<u64> {
        let mut found = Vec::new();
        for key in self.keys("lake").await {
            let got = self.s3.get_object().bucket("lake").key(key).send().await;
            let content = got.unwrap().body.collect().await.unwrap().to_vec();
            found.extend(numbers(&content));
        }
        found.sort_unstable();
        found
    }

    /// The function, and what it is configured with.
    async fn function(&self, settings: &[(&str, &str)]) -> Function {
        // Nobody asks it: the settings name the other.
        let server = S3Server::empty(&[]).await;
        let endpoint = self.moto.endpoint();
        let settings = [
            &[
                ("AWS_ENDPOINT_URL", endpoint),
                ("AWS_ENDPOINT_URL_S3", endpoint),
            ],
            settings,
        ];
        Function::start(&server, &settings.concat()).await
    }

    /// Runs the command line program; whether it ended well, and what it said.
    async fn run(&self, settings: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
        let binary = tokio::task::spawn_blocking(cloud_export).await.unwrap();
        let mut command = Command::new(binary);
        command
            .env_clear()
            .args(arguments)
            .env("AWS_ENDPOINT_URL", self.moto.endpoint())
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(settings.iter().copied())
            .stdin(Stdio::null());
        let output = within("the program", command.output()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    }

    async fn done(&self, settings: &[(&str, &str)], arguments: &[&str]) {
        let (success, said) = self.run(settings, arguments).await;
        assert!(success, "{arguments:?}: {said}");
    }
}

/// The values of `bytes` in NDJSON.
fn numbers(ndjson: &[u8]) -> Vec<u64> {
    let lines = ndjson
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let records = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    records
        .map(|record| record["bytes"].as_u64().unwrap())
        .collect()
}

fn log(bytes: impl IntoIterator<Item = u64>) -> String {
    let rows = bytes
        .into_iter()
        .map(|bytes| format!("10.0.0.1 10.0.0.2 {bytes}\n"));
    "srcaddr dstaddr bytes\n".to_owned() + &rows.collect::<String>()
}

fn event(messages: &[Received]) -> Value {
    let records = messages.iter().map(|message| {
        json!({
            "messageId": message.id, "receiptHandle": message.receipt, "body": message.body,
            "attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs",
        })
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

/// Hands the function what is in the queue, and deletes what is done, as Lambda does.
async fn poll(queue: &MessageQueue, function: &mut Function) -> (usize, usize) {
    let received = queue.receive().await.unwrap();
    let answer = function.invoke(&event(&received)).await.response();
    let failed = answer["batchItemFailures"].as_array().unwrap();
    let is_done = |message: &&Received| !failed.iter().any(|f| f["itemIdentifier"] == *message.id);
    let done = received
        .iter()
        .filter(is_done)
        .map(|message| &*message.receipt);
    queue.delete(&done.collect::<Vec<_>>()).await.unwrap();
    (received.len(), failed.len())
}

const LAKE: &str = "s3://lake/flows?compression=none";

#[tokio::test]
async fn a_backfill_goes_through_the_queue_and_dead_letters_are_replayed() {
    let Some(aws) = Aws::start() else { return };
    for number in 0..12 {
        aws.put("logs", &format!("{FOLDER}{number:02}.log"), log([number]))
            .await;
    }
    // The second message names it.
    let cut = format!("{FOLDER}11.log");
    aws.put("logs", &cut, *b"\x1f\x8b\x08").await;
    let (queue, dead) = (aws.queue("queue"), aws.queue("dead"));
    let backfill = [
        "backfill",
        "s3://logs/AWSLogs/",
        "--enqueue",
        aws.url("queue"),
    ];
    aws.done(&[], &backfill).await;
    let mut function = aws.function(&[("CLOUD_EXPORT_DESTINATIONS", LAKE)]).await;
    assert_eq!(poll(&queue, &mut function).await, (2, 1));
    assert_eq!(aws.delivered().await, Vec::from_iter(0..11));

    // What failed is a dead letter, and stays one as long as the object is what it is.
    assert_eq!(queue.receive().await.unwrap(), []);
    let replay = ["replay", "--dead-letters", aws.url("dead")];
    let here = [&replay[..], &["--destination", LAKE]].concat();
    let (success, said) = aws.run(&[], &here).await;
    assert!(!success && said.contains("11.log"), "{said}");
    assert_eq!(dead.receive().await.unwrap().len(), 1);
    aws.put("logs", &cut, log([11])).await;
    aws.done(&[], &here).await;
    assert_eq!(dead.receive().await.unwrap(), []);
    assert_eq!(aws.delivered().await, Vec::from_iter(0..12));

    // Or it goes back to the queue, and the function has it again.
    aws.put("logs", &cut, log([12])).await;
    let message = json!({"backfill": {"objects": [{"bucket": "logs", "key": cut}]}});
    dead.send(&[message.to_string()]).await.unwrap();
    aws.done(&[], &[&replay[..], &["--to", aws.url("queue")]].concat())
        .await;
    assert_eq!(dead.receive().await.unwrap(), []);
    assert_eq!(poll(&queue, &mut function).await, (1, 0));
    assert_eq!(aws.delivered().await, Vec::from_iter(0..13));
    assert_eq!(queue.receive().await.unwrap(), []);
}

#[tokio::test]
async fn what_is_kept_in_a_bucket_is_replayed_and_what_arrived_whole_is_deleted() {
    let Some(aws) = Aws::start() else { return };
    let receiver = FaultServer::plain().await;
    let destinations = format!("{LAKE} {}", receiver.url("/in"));
    let settings = [
        ("CLOUD_EXPORT_DESTINATIONS", &*destinations),
        ("CLOUD_EXPORT_QUARANTINE", "s3://aside/flows"),
        ("CLOUD_EXPORT_DELETE_AFTER_READ", "on"),
        ("CLOUD_EXPORT_DELETE_PREFIXES", "s3://logs/AWSLogs"),
    ];
    let mut function = aws.function(&settings).await;
    let keys = ["whole.log", "rows.log", "cut.log"].map(|name| format!("{FOLDER}{name}"));
    let [whole, rows, cut] = &keys;
    let elsewhere = "elsewhere/whole.log".to_owned();
    aws.put("logs", whole, log([1])).await;
    aws.put("logs", &elsewhere, log([2])).await;
    aws.put("logs", rows, log([3]) + "10.0.0.1 10.0.0.2 ACCEPT 4\n")
        .await;
    aws.put("logs", cut, *b"\x1f\x8b\x08").await;
    let objects = |keys: &[&String]| {
        let objects = keys.iter().map(|key| json!({"bucket": "logs", "key": key}));
        json!({"backfill": {"objects": objects.collect::<Vec<_>>()}})
    };
    let answer = function
        .invoke(&objects(&[whole, &elsewhere, rows, cut]))
        .await;
    assert_eq!(answer.response(), json!({"status": "done"}));
    assert_eq!(aws.delivered().await, [1, 2, 3]);
    assert_eq!(
        aws.keys("logs").await,
        [cut, rows, &elsewhere].map(String::clone)
    );

    // A batch that the receiver refuses is kept, and its object stays.
    receiver.always(Fault::status(422));
    aws.put("logs", whole, log([5])).await;
    let answer = function.invoke(&objects(&[whole])).await;
    assert_eq!(answer.response(), json!({"status": "done"}));
    assert!(aws.keys("logs").await.contains(whole));
    let kept = |kind: &'static str, keys: Vec<String>| {
        let prefix = format!("flows/{kind}/");
        keys.iter().filter(|key| key.starts_with(&prefix)).count()
    };
    let counts = async || {
        let keys = aws.keys("aside").await;
        ["rows", "batches", "objects"].map(|kind| kept(kind, keys.clone()))
    };
    assert_eq!(counts().await, [1, 2, 1]);

    // While nothing is mended, all of it stays.
    let destinations = [("CLOUD_EXPORT_DESTINATIONS", &*destinations)];
    let replay = ["replay", "s3://aside/flows", "--delete"];
    let (success, said) = aws.run(&destinations, &replay).await;
    assert!(!success, "{said}");
    assert_eq!(counts().await, [1, 2, 1]);
    receiver.reset();
    let format = "${srcaddr} ${dstaddr} ${action} ${bytes}";
    let again = [&replay[..], &["--kind", "rows", "--format", format]].concat();
    aws.done(&destinations, &again).await;
    assert_eq!(counts().await, [0, 2, 1]);
    aws.done(
        &destinations,
        &[&replay[..], &["--kind", "batches"]].concat(),
    )
    .await;
    assert_eq!(counts().await, [0, 0, 1]);
    aws.put("logs", cut, log([6])).await;
    aws.done(&destinations, &replay).await;
    assert_eq!(aws.keys("aside").await, [""; 0]);
    assert_eq!(aws.delivered().await, [1, 2, 3, 4, 5, 6]);
    let mut received: Vec<u64> = receiver
        .taken()
        .iter()
        .flat_map(|r| numbers(&r.body))
        .collect();
    received.sort_unstable();
    assert_eq!(received, [4, 5, 6]);
}

#[tokio::test]
async fn only_what_was_read_is_deleted() {
    let Some(aws) = Aws::start() else { return };
    let source = S3Source::new(aws.moto.sdk_config());
    let read = async |bucket: &str| {
        let object = ObjectRef::new(bucket, "a b.log");
        ReadObject::new(&object, &source.open(&object).await.unwrap())
    };
    aws.put("logs", "a b.log", "one").await;
    let first = read("logs").await;
    aws.put("logs", "a b.log", "two").await;
    assert_eq!(source.delete(&first).await, Ok(Removal::Replaced));
    assert_eq!(aws.keys("logs").await, ["a b.log"]);
    let second = read("logs").await;
    for _ in 0..2 {
        assert_eq!(source.delete(&second).await, Ok(Removal::Done));
        assert_eq!(aws.keys("logs").await, [""; 0]);
    }

    // Of a bucket with versioning, the version that was read goes, and no marker comes.
    aws.put("versions", "a b.log", "one").await;
    let first = read("versions").await;
    aws.put("versions", "a b.log", "two").await;
    let second = read("versions").await;
    assert_eq!(source.delete(&first).await, Ok(Removal::Done));
    let listed = aws.s3.list_object_versions().bucket("versions").send();
    let listed = listed.await.unwrap();
    let versions = listed
        .versions()
        .iter()
        .filter_map(|version| version.version_id());
    assert_eq!(
        versions.collect::<Vec<_>>(),
        [second.version.as_deref().unwrap()]
    );
    assert!(listed.delete_markers().is_empty());
}
