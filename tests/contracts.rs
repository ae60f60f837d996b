//! One suite for each trait, run against every implementation: what stands in for S3 on a
//! developer's machine behaves as S3 does.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_smithy_types::base64;
use bytes::Bytes;
use delivery::destination::Connections;
use delivery::directory::object_path;
use delivery::encoding::Encoding;
use delivery::http::{HttpClient, HttpDestination, HttpOptions};
use delivery::{AnyDestination, Batch, Destination, DestinationUrl, Origin};
use e2e::fault_server::{FaultServer, Request};
use e2e::s3_server::{Call, EVERY_TIME, Fault, S3Server};
use e2e::samples;
use flow_forwarder::Failure;
use flow_forwarder::event::ObjectRef;
use flow_forwarder::source::{Body, DirectorySource, ObjectSource, OpenObject, S3Source};
use futures_util::future::join_all;
use invocation::aws;
use invocation::scripted_http::{Reply, ScriptedHttp};
use serde_json::{Value, json};
use telemetry::FailureClass;
use tempfile::TempDir;

/// Keys that S3 takes and that are no good file names, or look like others. None is below another:
/// a directory cannot have `a` and `a/b`.
const ODD_KEYS: &[&str] = &[
    "plain.log",
    "with space/and + plus.log",
    "é/漢字/🙂.log",
    "double//slash.log",
    "/leading-slash.log",
    "dir/..",
    "../up.log",
    "a/../b.log",
    "a/./b.log",
    "./here.log",
    "trailing-dot.",
    "dots.../....",
    "%2E%2E/encoded.log",
    "50%",
    "%",
    "back\\slash.log",
    "quotes\"'`.log",
    "a=b&c=d?e#f.log",
    "tab\there.log",
    "UPPER.log",
    "upper.log",
    "~tilde/*star*.log",
    "-dash",
];

// Destinations.

/// Where a destination's batches can be looked at.
enum Place {
    Directory(TempDir),
    Bucket(S3Server, &'static str),
    /// Which keeps what came first under an `Idempotency-Key`, as receivers that know it do.
    Receiver(FaultServer),
    /// Which knows no batches: what comes twice is there twice, and the lines tell.
    Stream(Arc<Mutex<BTreeSet<Vec<u8>>>>),
}

/// A Firehose that takes everything, and the lines that it took.
fn firehose() -> (ScriptedHttp, Arc<Mutex<BTreeSet<Vec<u8>>>>) {
    let taken = Arc::<Mutex<BTreeSet<Vec<u8>>>>::default();
    let lines = Arc::clone(&taken);
    let http = ScriptedHttp::answering(move |arrived| {
        let input: Value = serde_json::from_slice(&arrived.body).unwrap();
        let records = input["Records"].as_array().unwrap().iter();
        let answers = records.map(|record| {
            let data = base64::decode(record["Data"].as_str().unwrap()).unwrap();
            let of_record = data.split_inclusive(|byte| *byte == b'\n');
            lines.lock().unwrap().extend(of_record.map(<[u8]>::to_vec));
            json!({"RecordId": "49570"})
        });
        let answers: Vec<Value> = answers.collect();
        let answer = json!({"FailedPutCount": 0, "RequestResponses": answers});
        Some(Reply::answer(200, answer))
    });
    (http, taken)
}

impl Place {
    /// The content of a batch.
    fn content(&self, batch: &Batch) -> Option<Vec<u8>> {
        let name = &batch.object_name();
        match self {
            Place::Directory(root) => {
                let (bucket, key) = name.split_once('/').unwrap();
                std::fs::read(object_path(root.path(), bucket, key)).ok()
            }
            Place::Bucket(server, prefix) => {
                server.objects("records").remove(&format!("{prefix}{name}"))
            }
            Place::Receiver(server) => {
                let taken = server.taken();
                let found = taken.iter().find(|request| request.key() == batch.id());
                found.map(|request| request.body.clone())
            }
            Place::Stream(lines) => {
                let lines = lines.lock().unwrap();
                let mut sent = batch.bytes.split_inclusive(|byte| *byte == b'\n');
                let is_there = sent.all(|line| lines.contains(line));
                is_there.then(|| batch.bytes.to_vec())
            }
        }
    }

    /// How many objects there are, whatever their names.
    fn count(&self) -> usize {
        match self {
            Place::Directory(root) => samples::files(root.path()).len(),
            Place::Bucket(server, _) => server.objects("records").len(),
            Place::Receiver(server) => {
                let taken = server.taken();
                let keys: BTreeSet<&str> = taken.iter().map(Request::key).collect();
                keys.len()
            }
            Place::Stream(lines) => lines.lock().unwrap().len(),
        }
    }
}

fn batch(key: &str, revision: &str, sequence: u32, content: &str) -> Batch {
    let origin = Origin {
        bucket: "logs".to_owned(),
        key: key.to_owned(),
        revision: revision.to_owned(),
    };
    Batch {
        origins: Arc::new([origin]),
        partition: "".into(),
        sequence,
        may_be_combined: false,
        encoding: Encoding::NDJSON,
        records: 1,
        bytes: Bytes::copy_from_slice(content.as_bytes()),
    }
}

fn directory(path: &Path) -> DestinationUrl {
    format!("file://{}", path.display()).parse().unwrap()
}

async fn open(url: &DestinationUrl, sdk: &SdkConfig) -> AnyDestination {
    let mut connections = Connections::to_aws(sdk);
    AnyDestination::open(url, &mut connections).await.unwrap()
}

async fn destination_suite(destination: &impl Destination, place: &Place) {
    // Confirmed is there; twice is once.
    let first = batch("a/b.log", "r1", 0, "{\"n\":1}\n");
    assert_eq!(place.content(&first), None);
    for _ in 0..2 {
        destination.deliver(&first).await.unwrap();
        assert_eq!(place.content(&first).unwrap(), first.bytes);
        assert_eq!(place.count(), 1);
    }

    // Another place, another revision, another key: each is another object.
    let others = [
        batch("a/b.log", "r1", 1, "{\"n\":2}\n"),
        batch("a/b.log", "r2", 0, "{\"n\":3}\n"),
        batch("a/b.log.gz", "r1", 0, "{\"n\":4}\n"),
        batch("a", "r1", 0, "{\"n\":5}\n"),
    ];
    for other in &others {
        destination.deliver(other).await.unwrap();
    }
    for batch in others.iter().chain([&first]) {
        assert_eq!(place.content(batch).unwrap(), batch.bytes);
    }
    assert_eq!(place.count(), 5);

    // Odd keys stay apart, each with its own content.
    let odd: Vec<Batch> = ODD_KEYS
        .iter()
        .map(|key| batch(key, "odd", 0, &format!("{{\"key\":{key:?}}}\n")))
        .collect();
    for batch in &odd {
        let delivered = destination.deliver(batch).await;
        assert!(delivered.is_ok(), "{}: {delivered:?}", batch.origins[0].key);
    }
    for batch in &odd {
        let content = place.content(batch);
        assert_eq!(
            content.as_deref(),
            Some(&batch.bytes[..]),
            "{}",
            batch.origins[0].key
        );
    }
    assert_eq!(place.count(), 5 + ODD_KEYS.len());

    // A long key is cut, and stays its own.
    let long = format!("{}/{}", "directory/".repeat(90), "é".repeat(50));
    let long = batch(&long, "long", 0, "{}\n");
    destination.deliver(&long).await.unwrap();
    assert_eq!(place.content(&long).unwrap(), long.bytes);

    // Many at once, some of them the same: each is whole, and there once.
    let before = place.count();
    let content =
        |sequence| format!("{{\"padding\":\"01234567\",\"n\":{sequence}}}\n").repeat(20_000);
    let many: Vec<Batch> = (0..48)
        .map(|n| batch("many.log", "r", n % 16, &content(n % 16)))
        .collect();
    let delivered = join_all(many.iter().map(|batch| destination.deliver(batch))).await;
    assert!(delivered.iter().all(Result::is_ok));
    for batch in &many {
        assert!(place.content(batch).unwrap() == batch.bytes);
    }
    assert_eq!(place.count(), before + 16);
}

#[tokio::test]
async fn a_directory_is_a_destination() {
    let root = tempfile::tempdir().unwrap();
    let url = directory(root.path());
    let destination = open(&url, &aws::no_services()).await;
    destination_suite(&destination, &Place::Directory(root)).await;
}

#[tokio::test]
async fn a_directory_that_is_not_there_yet_is_a_destination() {
    let root = tempfile::tempdir().unwrap();
    let url = directory(&root.path().join("new/one"));
    let destination = open(&url, &aws::no_services()).await;
    destination
        .deliver(&batch("a", "r", 0, "{}\n"))
        .await
        .unwrap();
    assert_eq!(Place::Directory(root).count(), 1);
}

#[tokio::test]
async fn a_directory_that_cannot_be_one_is_a_configuration_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let url = directory(file.path());
    let destination = open(&url, &aws::no_services()).await;
    let error = destination
        .deliver(&batch("a", "r", 0, "{}\n"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.class, &*error.code),
        (FailureClass::Config, "directory")
    );
    assert_eq!(std::fs::read(file.path()).unwrap(), b"");
}

async fn s3_suite(url: &str, prefix: &'static str) {
    let server = S3Server::empty(&["records"]).await;
    let url: DestinationUrl = url.parse().unwrap();
    let destination = open(&url, &server.client_config()).await;
    destination_suite(&destination, &Place::Bucket(server, prefix)).await;
}

#[tokio::test]
async fn a_bucket_is_a_destination() {
    s3_suite("s3://records", "").await;
}

#[tokio::test]
async fn a_prefix_of_a_bucket_is_a_destination() {
    s3_suite("s3://records/flows/v1", "flows/v1/").await;
}

#[tokio::test]
async fn a_receiver_over_http_is_a_destination() {
    let server = FaultServer::plain().await;
    let options = HttpOptions::new(server.url("/in").parse().unwrap());
    let destination = HttpDestination::new(options, HttpClient::new()).unwrap();
    destination_suite(&destination, &Place::Receiver(server)).await;
}

#[tokio::test]
async fn a_stream_is_a_destination() {
    let (http, taken) = firehose();
    let url = "firehose://flows?region=eu-west-1".parse().unwrap();
    let destination = open(&url, &http.sdk_config().await).await;
    destination_suite(&destination, &Place::Stream(taken)).await;
}

#[tokio::test]
async fn what_a_bucket_refuses_is_not_confirmed() {
    let server = S3Server::empty(&["records"]).await;
    let sdk = server.client_config();
    let open = async |url: &str| open(&url.parse().unwrap(), &sdk).await;
    let batch = batch("a.log", "r", 0, "{}\n");
    let error = open("s3://other/x")
        .await
        .deliver(&batch)
        .await
        .unwrap_err();
    assert_eq!(
        (error.class, &*error.code),
        (FailureClass::Config, "NoSuchBucket")
    );
    assert_eq!(error.destination, "s3://other/x");
    server.fault(Call::Put, "", Fault::ACCESS_DENIED, 1);
    let error = open("s3://records")
        .await
        .deliver(&batch)
        .await
        .unwrap_err();
    assert_eq!(
        (error.class, &*error.code),
        (FailureClass::Config, "AccessDenied")
    );
    server.fault(Call::Put, "", Fault::SLOW_DOWN, EVERY_TIME);
    let error = open("s3://records")
        .await
        .deliver(&batch)
        .await
        .unwrap_err();
    assert_eq!(
        (error.class, &*error.code),
        (FailureClass::Retry, "SlowDown")
    );
    assert!(server.objects("records").is_empty());
}

/// More than an object that is uploaded whole.
fn large_batch(sequence: u32) -> Batch {
    let content = "{\"padding\":\"0123456789abcdef\"}\n".repeat(560_000);
    batch("large.log", "r", sequence, &content)
}

#[tokio::test]
async fn large_batches_come_in_parts_and_twice_is_once() {
    let server = S3Server::empty(&["records"]).await;
    let url = "s3://records/flows".parse().unwrap();
    let destination = open(&url, &server.client_config()).await;
    let batch = large_batch(0);
    let key = format!("flows/{}", batch.object_name());
    for _ in 0..2 {
        destination.deliver(&batch).await.unwrap();
        let mut objects = server.objects("records");
        assert_eq!(objects.len(), 1);
        assert!(objects.remove(&key).unwrap() == batch.bytes);
    }
    assert_eq!(server.count(Call::Part, &key), 6);
    assert_eq!(server.count(Call::Abort, ""), 0);
}

#[tokio::test]
async fn a_part_that_is_refused_is_sent_again_alone_or_the_upload_is_given_up() {
    let server = S3Server::empty(&["records"]).await;
    let url = "s3://records".parse().unwrap();
    let destination = open(&url, &server.client_config()).await;
    server.fault(Call::Part, "", Fault::SLOW_DOWN, 1);
    let confirmed = destination.deliver(&large_batch(0)).await.unwrap();
    assert_eq!(confirmed.retries, 1);
    assert_eq!(server.count(Call::Part, ""), 4);
    server.fault(Call::Part, "-00001.", Fault::ACCESS_DENIED, 1);
    let error = destination.deliver(&large_batch(1)).await.unwrap_err();
    assert_eq!(
        (error.class, &*error.code),
        (FailureClass::Config, "AccessDenied")
    );
    assert_eq!(server.count(Call::Abort, "-00001."), 1);
    assert_eq!(server.count(Call::Complete, "-00001."), 0);
    assert_eq!(server.objects("records").len(), 1);
}

#[tokio::test]
async fn objects_in_a_bucket_tell_their_type_and_their_batch() {
    let server = S3Server::empty(&["records"]).await;
    // The server gives an object's file a name of its own, and keeps what the request said of it.
    let client = aws_sdk_s3::Client::new(&server.client_config());
    let url = "s3://records".parse().unwrap();
    let destination = open(&url, &server.client_config()).await;
    let batch = batch("a.log", "r", 0, "{}\n");
    destination.deliver(&batch).await.unwrap();
    let get = client
        .get_object()
        .bucket("records")
        .key(batch.object_name());
    let object = get.send().await.unwrap();
    assert_eq!(object.content_type(), Some("application/x-ndjson"));
    assert_eq!(object.metadata().unwrap()["batch-id"], batch.id());
}

// Sources.

/// Where a source's objects are put.
enum Store {
    Directory(PathBuf),
    Server(Arc<S3Server>),
}

impl Store {
    fn put(&self, key: &str, content: &[u8]) {
        match self {
            Store::Directory(root) => {
                let path = object_path(root, "logs", key);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
            Store::Server(server) => server.put("logs", key, content),
        }
    }
}

fn object(bucket: &str, key: &str) -> ObjectRef {
    ObjectRef {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        other_key: None,
        version: None,
        etag: None,
        region: None,
        size: None,
    }
}

async fn content(opened: OpenObject) -> Vec<u8> {
    match opened.body {
        Body::Stream(stream) => stream.collect().await.unwrap().to_vec(),
        Body::Blocking(mut reader) => {
            let mut content = Vec::new();
            reader.read_to_end(&mut content).unwrap();
            content
        }
    }
}

async fn source_suite(source: &impl ObjectSource, store: &Store) {
    let open = async |key: &str| -> OpenObject { source.open(&object("logs", key)).await.unwrap() };
    let fails = async |object: &ObjectRef| -> Failure {
        match source.open(object).await {
            Ok(opened) => panic!("{object:?} was opened: {opened:?}"),
            Err(failure) => failure,
        }
    };

    // What is there.
    store.put("2026/a.log", b"rows");
    let opened = open("2026/a.log").await;
    assert_eq!((&*opened.key, opened.size), ("2026/a.log", Some(4)));
    assert_eq!(content(opened).await, b"rows");
    store.put("empty", b"");
    let opened = open("empty").await;
    assert_eq!(opened.size, Some(0));
    assert_eq!(content(opened).await, b"");

    // What is not: the object, or its bucket. "2026" is no object, although others are below it.
    let long = "x".repeat(1_000);
    for key in [
        "2026/b.log",
        "2026/a.log/c.log",
        "2026",
        "no/such/object",
        &long,
    ] {
        let failure = fails(&object("logs", key)).await;
        let found = (failure.class, &*failure.code);
        assert_eq!(found, (FailureClass::Poison, "Source.NoSuchKey"), "{key}");
        assert!(failure.message.contains(key), "{}", failure.message);
    }
    let failure = fails(&object("no-such-bucket", "a")).await;
    let found = (failure.class, &*failure.code);
    assert_eq!(found, (FailureClass::Config, "Source.NoSuchBucket"));
    assert!(failure.message.contains("no-such-bucket"));

    // The other form of a key is asked for when there is nothing under the first.
    let two = |key: &str, other: &str| ObjectRef {
        other_key: Some(other.to_owned()),
        ..object("logs", key)
    };
    store.put("year=2026/a.log", b"other");
    let opened = source
        .open(&two("year%3D2026/a.log", "year=2026/a.log"))
        .await
        .unwrap();
    assert_eq!(opened.key, "year=2026/a.log");
    assert_eq!(content(opened).await, b"other");
    store.put("year%3D2026/a.log", b"first");
    let opened = source
        .open(&two("year%3D2026/a.log", "year=2026/a.log"))
        .await
        .unwrap();
    assert_eq!(opened.key, "year%3D2026/a.log");
    assert_eq!(content(opened).await, b"first");
    let failure = fails(&two("gone%3D", "gone=")).await;
    assert_eq!(failure.code, "Source.NoSuchKey");
    assert!(failure.message.contains("gone%3D"), "{}", failure.message);

    // Odd keys stay apart.
    for key in ODD_KEYS {
        store.put(key, key.as_bytes());
    }
    for key in ODD_KEYS {
        let opened = open(key).await;
        assert_eq!(opened.key, *key);
        assert_eq!(content(opened).await, key.as_bytes(), "{key}");
    }

    // The revision is the content's: the same as long as that is the same, another after.
    let revision = open("2026/a.log").await.revision;
    assert!(!revision.is_empty());
    assert_eq!(open("2026/a.log").await.revision, revision);
    store.put("2026/a.log", b"more rows");
    assert_ne!(open("2026/a.log").await.revision, revision);

    // A large object arrives whole.
    let large: Vec<u8> = (0..6_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    store.put("large", &large);
    let opened = open("large").await;
    assert_eq!(opened.size, Some(large.len() as u64));
    assert!(content(opened).await == large);

    // Many at once.
    let objects: Vec<ObjectRef> = ODD_KEYS.iter().map(|key| object("logs", key)).collect();
    let opened = join_all(objects.iter().map(|object| source.open(object))).await;
    for (key, opened) in ODD_KEYS.iter().zip(opened) {
        assert_eq!(content(opened.unwrap()).await, key.as_bytes());
    }
}

#[tokio::test]
async fn s3_is_a_source() {
    let server = Arc::new(S3Server::empty(&["logs"]).await);
    let source = S3Source::new(server.client_config());
    source_suite(&source, &Store::Server(Arc::clone(&server))).await;
}

#[tokio::test]
async fn a_directory_is_a_source() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("logs")).unwrap();
    let source = DirectorySource::new(root.path().to_owned());
    source_suite(&source, &Store::Directory(root.path().to_owned())).await;
}

#[tokio::test]
async fn s3_is_asked_for_the_version_that_the_event_names_and_in_its_region() {
    let server = S3Server::empty(&["logs"]).await;
    server.put("logs", "a", b"rows");
    let source = S3Source::new(server.client_config());
    let named = ObjectRef {
        version: Some("3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY".to_owned()),
        region: Some("eu-west-3".to_owned()),
        ..object("logs", "a")
    };
    source.open(&named).await.unwrap();
    server.fault(Call::Get, "a", Fault::ACCESS_DENIED, 1);
    let failure = source.open(&named).await.unwrap_err();
    assert!(
        failure.message.contains("s3:GetObjectVersion"),
        "{}",
        failure.message
    );
    let arrived = &server.arrived()[0];
    assert_eq!(
        (&arrived.version, &*arrived.region),
        (&named.version, "eu-west-3")
    );
}
