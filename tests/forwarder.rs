//! The built function against a Runtime API and an S3 server: what it answers, what it writes, what
//! it says of itself, and what it uses.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use e2e::binaries::{Function, Output};
use e2e::golden::Golden;
use e2e::runtime_api::Answer;
use e2e::s3_server::{ACCESS_KEY, Call, EVERY_TIME, Fault, S3Server, SECRET_KEY};
use e2e::{event, generated, samples};
use flow_forwarder::event::form_encoded;
use serde_json::{Value, json};
use telemetry::generate::LogFormat;

const RECORDS: &str = "records-use1";

/// A notification of S3 for objects by bucket and key.
pub(crate) fn notification(objects: &[(&str, &str)]) -> Value {
    let records: Vec<Value> = objects
        .iter()
        .map(|(bucket, key)| {
            json!({
                "eventVersion": "2.6", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": form_encoded(key)}},
            })
        })
        .collect();
    json!({ "Records": records })
}

/// A batch of SQS messages, by id and body.
fn queue(messages: &[(&str, &str)]) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|(id, body)| json!({"messageId": id, "eventSource": "aws:sqs", "body": body}))
        .collect();
    json!({ "Records": records })
}

/// A batch of SQS messages that each announce one object, by id, bucket and key.
fn announced(messages: &[(&str, &str, &str)]) -> Value {
    let bodies: Vec<(&str, String)> = messages
        .iter()
        .map(|(id, bucket, key)| (*id, notification(&[(bucket, key)]).to_string()))
        .collect();
    let bodies: Vec<(&str, &str)> = bodies.iter().map(|(id, body)| (*id, &**body)).collect();
    queue(&bodies)
}

fn not_done(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({ "batchItemFailures": failures })
}

fn done() -> Value {
    json!({"status": "done"})
}

pub(crate) fn named(name: &str) -> (String, String) {
    let sample = samples::named(name);
    (sample.bucket, sample.key)
}

/// What was written for each input, by its bucket and key: the batches joined in their order.
/// Checks that every output object is named after its input, a tag of its content, and its place.
pub(crate) fn written(server: &S3Server) -> BTreeMap<String, String> {
    let mut written: BTreeMap<String, (u32, String, String)> = BTreeMap::new();
    for (key, content) in server.objects(RECORDS) {
        let name = key.strip_prefix("flows/").expect(&key);
        let (input, identity) = name
            .strip_suffix(".ndjson")
            .unwrap()
            .rsplit_once('.')
            .unwrap();
        let (tag, sequence) = identity.split_once('-').unwrap();
        assert!(
            tag.len() == 16 && tag.bytes().all(|b| b.is_ascii_hexdigit()),
            "{key}"
        );
        let content = String::from_utf8(content).unwrap();
        assert!(content.ends_with('\n'), "{key} ends within a line");
        // Keys come in their order, so that batches do.
        let (next, first_tag, joined) = written
            .entry(input.to_owned())
            .or_insert_with(|| (0, tag.to_owned(), String::new()));
        assert_eq!((sequence.parse(), &**first_tag), (Ok(*next), tag), "{key}");
        *next += 1;
        joined.push_str(&content);
    }
    let joined = written
        .into_iter()
        .map(|(input, (_, _, text))| (input, text));
    joined.collect()
}

/// What has to be written for these samples.
pub(crate) fn golden(names: &[&str]) -> BTreeMap<String, String> {
    let golden = Golden::open();
    let expected = names.iter().map(|name| {
        let (bucket, key) = named(name);
        (
            format!("{bucket}/{key}"),
            golden.read(&format!("{name}.ndjson")),
        )
    });
    expected.collect()
}

/// Asserts that one metrics record fits what the log lines and the output objects say.
fn check_metrics(output: &Output, server: &S3Server) {
    let metrics = output.metrics();
    let [metrics] = &metrics[..] else {
        panic!("one invocation, one record: {metrics:?}");
    };
    let number = |name: &str| metrics[name].as_u64().expect(name);
    let directive = &metrics["_aws"]["CloudWatchMetrics"][0];
    for metric in directive["Metrics"].as_array().unwrap() {
        number(metric["Name"].as_str().unwrap());
    }
    assert_eq!(directive["Namespace"], "CloudExport");
    assert_eq!(metrics["FunctionName"], "flow-forwarder");
    let explained = number("RecordsForwarded")
        + number("RowsNoData")
        + number("RowsSkipData")
        + number("RowsMalformed");
    assert_eq!(number("RowsRead"), explained);
    let objects = output.object_logs();
    let sum = |name: &str| {
        objects
            .iter()
            .map(|o| o[name].as_u64().unwrap())
            .sum::<u64>()
    };
    for (metric, field) in [
        ("RowsRead", "rows"),
        ("RecordsForwarded", "records"),
        ("RowsNoData", "no_data"),
        ("RowsSkipData", "skip_data"),
        ("RowsMalformed", "malformed"),
        ("BytesIn", "bytes_in"),
        ("BytesDecoded", "bytes_decoded"),
        ("BytesOut", "bytes_out"),
        ("BatchesDelivered", "batches"),
    ] {
        assert_eq!(number(metric), sum(field), "{metric}");
    }
    let failed =
        number("ObjectsRetried") + number("ObjectsPoisoned") + number("ObjectsMisconfigured");
    let told = objects
        .iter()
        .filter(|o| !o["error_type"].is_null())
        .count();
    assert_eq!(failed, told as u64);
    assert_eq!(number("ObjectsForwarded") + failed, objects.len() as u64);
    let outputs = server.objects(RECORDS);
    let bytes: usize = outputs.values().map(Vec::len).sum();
    assert_eq!(number("BatchesDelivered"), outputs.len() as u64);
    assert_eq!(number("BytesOut"), bytes as u64);
}

/// Asserts that nothing the program wrote tells an address of a record, or a credential.
fn check_secrets(output: &Output) {
    let mut secrets = BTreeSet::from([ACCESS_KEY.to_owned(), SECRET_KEY.to_owned()]);
    let golden = Golden::open();
    for (name, _) in samples::NAMES {
        for line in golden.read(&format!("{name}.ndjson")).lines() {
            addresses(&serde_json::from_str(line).unwrap(), &mut secrets);
        }
    }
    assert!(secrets.len() > 30);
    for secret in secrets {
        assert!(!output.stdout.contains(&secret), "{secret} is in the logs");
        assert!(!output.stderr.contains(&secret), "{secret} is in the logs");
    }
}

fn addresses(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.parse::<IpAddr>().is_ok() => {
            found.insert(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|v| addresses(v, found)),
        Value::Object(members) => members.values().for_each(|v| addresses(v, found)),
        _ => {}
    }
}

// Each sample event.

/// What an event asks of the function: the answer, and the samples whose records are written.
type Row = (&'static str, fn() -> Value, &'static [&'static str]);

/// One row for each file of `events/`.
const EVENTS: &[Row] = &[
    (
        "backfill.json",
        done,
        &["vpc-v2", "vpc-v5-hive", "vpc-v5-parquet", "firewall-alert"],
    ),
    ("eventbridge-object-created.json", done, &["vpc-v5-hive"]),
    ("foreign.json", done, &[]),
    (
        "s3-everything.json",
        done,
        &[
            "vpc-v2",
            "vpc-v5-hive",
            "vpc-v11",
            "vpc-custom",
            "transit-gateway",
            "firewall-alert",
            "firewall-flow",
            "firewall-tls",
            "vpc-v5-parquet",
            "vpc-v2-zstd",
        ],
    ),
    ("s3-hive-encoded.json", done, &["vpc-v5-hive"]),
    ("s3-object-removed.json", done, &[]),
    ("s3-put.json", done, &["vpc-v2"]),
    ("s3-test-event.json", done, &[]),
    ("s3-two-records.json", done, &["vpc-v2", "transit-gateway"]),
    ("schedule.json", done, &[]),
    ("sns-s3.json", done, &["vpc-v11"]),
    ("sqs-batch-partial.json", partial, &["vpc-v2"]),
    ("sqs-eventbridge-s3.json", all_messages, &["vpc-v5-parquet"]),
    ("sqs-s3.json", all_messages, &["vpc-v2"]),
    ("sqs-sns-raw-s3.json", all_messages, &["firewall-flow"]),
    ("sqs-sns-s3.json", all_messages, &["vpc-v5-hive"]),
    ("sqs-test-event.json", all_messages, &[]),
];

fn all_messages() -> Value {
    not_done(&[])
}

fn partial() -> Value {
    not_done(&[
        "d04a0ae0-e890-44ae-9a7a-5c8fe64f0e87",
        "1456138c-adea-4c6a-9516-3f7b09b64900",
        "c923d89f-ad59-42e8-9fe6-7ad2ad3496d7",
    ])
}

#[test]
fn every_sample_event_has_a_row_and_every_sample_a_name() {
    let events = e2e::project().join("events");
    let files: Vec<String> = samples::files(&events)
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "README.md")
        .collect();
    let rows: Vec<&str> = EVENTS.iter().map(|(file, ..)| *file).collect();
    assert_eq!(files, rows);
    let good = samples::all()
        .into_iter()
        .filter(|s| s.bucket == samples::BUCKET);
    let mut keys: Vec<String> = samples::NAMES
        .iter()
        .map(|(name, _)| named(name).1)
        .collect();
    keys.sort();
    assert_eq!(good.map(|s| s.key).collect::<Vec<_>>(), keys);
}

#[tokio::test]
async fn sample_events_are_answered_and_written_as_the_table_says() {
    for (file, answer, names) in EVENTS {
        let server = S3Server::with_samples().await;
        let mut function = Function::start(&server, &[]).await;
        let found = function.invoke(&event(file)).await;
        assert_eq!(found, Answer::Response(answer()), "{file}");
        let output = function.finish().await;
        let (written, expected) = (written(&server), golden(names));
        assert_eq!(
            written.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "{file}"
        );
        assert!(
            written == expected,
            "{file}: other records than in the golden files"
        );
        check_metrics(&output, &server);
        check_secrets(&output);
        if names.is_empty() {
            assert_eq!(server.arrived(), [], "{file}");
        }
    }
}

// The record itself.

#[tokio::test]
async fn records_of_the_samples_are_those_of_the_golden_files() {
    let server = S3Server::with_samples().await;
    let mut function = Function::start(&server, &[]).await;
    let answer = function.invoke(&event("s3-everything.json")).await;
    assert_eq!(answer.response(), done());
    drop(function);
    let written = written(&server);
    let mut golden = Golden::open();
    for (name, _) in samples::NAMES {
        let (bucket, key) = named(name);
        golden.compare(
            &format!("{name}.ndjson"),
            &written[&format!("{bucket}/{key}")],
        );
    }
    golden.finish();
}

#[tokio::test]
async fn each_object_is_logged_once_with_the_counts_of_the_samples_readme() {
    let server = S3Server::with_samples().await;
    let mut function = Function::start(&server, &[]).await;
    let mut objects: Vec<(String, String)> = samples::NAMES.iter().map(|(n, _)| named(n)).collect();
    objects.push((samples::BROKEN.to_owned(), "corrupt-crc.log.gz".to_owned()));
    objects.push((
        samples::BROKEN.to_owned(),
        "not-a-flow-log.log.gz".to_owned(),
    ));
    let by_ref: Vec<(&str, &str)> = objects.iter().map(|(b, k)| (&**b, &**k)).collect();
    function.invoke(&notification(&by_ref)).await.error();
    let output = function.finish().await;
    let logs = output.object_logs();
    assert_eq!(logs.len(), objects.len());
    let counted = samples::counted();
    for (bucket, key) in &objects {
        let of_object: Vec<&Value> = logs
            .iter()
            .filter(|l| l["bucket"] == **bucket && l["key"] == **key)
            .collect();
        let [log] = of_object[..] else {
            panic!("{key} is logged {} times", of_object.len());
        };
        let number = |name: &str| log[name].as_u64().unwrap();
        let found = samples::Expected {
            rows: number("rows"),
            no_data: number("no_data"),
            skip_data: number("skip_data"),
            malformed: number("malformed"),
        };
        assert_eq!(found, counted[key], "{key}");
        let malformed = found.malformed > 0;
        let skipped: Value = serde_json::from_str(log["skipped"].as_str().unwrap()).unwrap();
        let reasons = skipped
            .as_object()
            .unwrap()
            .values()
            .map(|n| n.as_u64().unwrap());
        assert_eq!(reasons.sum::<u64>(), found.malformed, "{key}");
        assert_eq!(
            log["examples"].as_str().unwrap() != "[]",
            malformed,
            "{key}"
        );
        assert!(
            number("bytes_in") > 0 && log["duration_ms"].is_u64(),
            "{key}"
        );
    }
    check_metrics(&output, &server);
    check_secrets(&output);
    for log in output.logs() {
        assert!(
            log["level"].is_string() && log["span"]["requestId"].is_string(),
            "{log}"
        );
    }
}

// What fails, and as what.

#[tokio::test]
async fn failures_have_their_type_name_what_to_do_and_leave_the_function_working() {
    let server = S3Server::with_samples().await;
    let content = std::fs::read(samples::named("vpc-v2").path).unwrap();
    for key in [
        "get-denied",
        "kms",
        "customer-key",
        "archived",
        "cut",
        "put-denied",
    ] {
        server.put(samples::BUCKET, key, &content);
    }
    server.fault(Call::Get, "get-denied", Fault::ACCESS_DENIED, EVERY_TIME);
    server.fault(Call::Get, "kms", Fault::KMS_DENIED, EVERY_TIME);
    server.fault(Call::Get, "customer-key", Fault::CUSTOMER_KEY, EVERY_TIME);
    server.fault(Call::Get, "archived", Fault::ARCHIVED, EVERY_TIME);
    server.fault(Call::Get, "cut", Fault::CutShort, EVERY_TIME);
    server.fault(Call::Put, "put-denied", Fault::ACCESS_DENIED, EVERY_TIME);
    let (good, broken) = (samples::BUCKET, samples::BROKEN);
    let mut function = Function::start(&server, &[]).await;
    for (bucket, key, error_type, named) in [
        (
            broken,
            "truncated.log.gz",
            "Poison.Read.corrupt",
            "truncated",
        ),
        (
            broken,
            "corrupt-crc.log.gz",
            "Poison.Read.corrupt",
            "corrupt",
        ),
        (
            broken,
            "not-a-flow-log.log.gz",
            "Poison.Read.not_a_log",
            "not a log",
        ),
        (
            good,
            "no/such/object",
            "Poison.Source.NoSuchKey",
            "s3:GetObject",
        ),
        (
            "no-such-bucket",
            "a",
            "Config.Source.NoSuchBucket",
            "no-such-bucket",
        ),
        (
            good,
            "get-denied",
            "Config.Source.AccessDenied",
            "allow s3:GetObject on arn:aws:s3:::flow-logs-use1/get-denied",
        ),
        (good, "kms", "Config.Source.AccessDenied", "kms:Decrypt"),
        (
            good,
            "customer-key",
            "Config.Source.InvalidRequest",
            "SSE-C",
        ),
        (
            good,
            "archived",
            "Config.Source.InvalidObjectState",
            "restore",
        ),
        (good, "cut", "Retry.Read.source", "could not be read"),
        (
            good,
            "put-denied",
            "Config.Delivery.AccessDenied",
            "allow s3:PutObject on arn:aws:s3:::records-use1/flows/flow-logs-use1/put-denied",
        ),
    ] {
        let direct = function.invoke(&notification(&[(bucket, key)])).await;
        let (found, message) = direct.error();
        assert_eq!(found, error_type, "{key}: {message}");
        assert!(message.contains(named), "{key}: {message}");
        let queued = announced(&[("the-message", bucket, key)]);
        let answer = function.invoke(&queued).await.response();
        assert_eq!(answer, not_done(&["the-message"]), "{key}");
    }
    assert_eq!(
        server.objects(RECORDS).len(),
        0,
        "nothing of a failed object is delivered"
    );
    let answer = function.invoke(&event("s3-put.json")).await;
    assert_eq!(answer.response(), done());
    let output = function.finish().await;
    check_secrets(&output);
    for log in output.object_logs() {
        if log["error_type"].is_null() {
            continue;
        }
        assert!(log["error"].as_str().unwrap().len() > 20, "{log}");
    }
}

#[tokio::test]
async fn throttling_that_stays_is_for_another_time() {
    tokio::join!(
        throttled(Call::Get, "Retry.Source.SlowDown"),
        throttled(Call::Put, "Retry.Delivery.SlowDown"),
    );
}

async fn throttled(call: Call, error_type: &str) {
    let server = S3Server::with_samples().await;
    server.fault(call, "", Fault::SLOW_DOWN, EVERY_TIME);
    let mut function = Function::start(&server, &[]).await;
    let (found, message) = function.invoke(&event("s3-put.json")).await.error();
    assert_eq!(found, error_type, "{message}");
    assert!(message.contains("503"), "{message}");
    assert!(
        server.count(call, "") > 1,
        "it is tried again at once, some times"
    );
    assert!(server.objects(RECORDS).is_empty());
}

#[tokio::test]
async fn throttling_that_passes_is_not_a_failure() {
    let server = S3Server::with_samples().await;
    server.fault(Call::Get, "fl-0a1b2c3d4e5f60718", Fault::SLOW_DOWN, 2);
    server.fault(Call::Put, "fl-0a1b2c3d4e5f60718", Fault::SLOW_DOWN, 2);
    let mut function = Function::start(&server, &[]).await;
    let answer = function.invoke(&event("s3-put.json")).await;
    assert_eq!(answer.response(), done());
    assert!(written(&server) == golden(&["vpc-v2"]));
    let counts = [Call::Get, Call::Put].map(|call| server.count(call, ""));
    assert_eq!(counts, [3, 3]);
}

#[tokio::test]
async fn an_object_that_arrives_whole_the_second_time_is_forwarded_then() {
    let server = S3Server::with_samples().await;
    let (bucket, key) = named("vpc-v2");
    server.fault(Call::Get, &key, Fault::CutShort, 1);
    let mut function = Function::start(&server, &[]).await;
    let event = announced(&[("m1", &bucket, &key)]);
    assert_eq!(function.invoke(&event).await.response(), not_done(&["m1"]));
    assert_eq!(server.objects(RECORDS).len(), 0);
    assert_eq!(function.invoke(&event).await.response(), not_done(&[]));
    assert!(written(&server) == golden(&["vpc-v2"]));
}

#[tokio::test]
async fn an_uncompressed_object_cut_between_rows_is_not_taken_for_a_whole_one() {
    // Nothing in plain text tells its end: only the length that S3 announced does.
    let server = S3Server::empty(&["logs", RECORDS]).await;
    let rows =
        "2 - eni-1 10.0.0.1 10.0.0.2 1 2 6 1 40 1795190400 1795190460 ACCEPT OK\n".repeat(100);
    server.put("logs", "plain.log", rows.as_bytes());
    server.fault(Call::Get, "plain.log", Fault::CutShort, 1);
    let mut function = Function::start(&server, &[]).await;
    let event = notification(&[("logs", "plain.log")]);
    let (error_type, message) = function.invoke(&event).await.error();
    assert!(error_type.starts_with("Retry."), "{error_type}: {message}");
    assert_eq!(server.objects(RECORDS).len(), 0);
}

#[tokio::test]
async fn of_a_batch_exactly_the_messages_that_failed_come_back() {
    let server = S3Server::with_samples().await;
    let (bucket, v2) = named("vpc-v2");
    let (_, custom) = named("vpc-custom");
    let (_, tls) = named("firewall-tls");
    server.fault(Call::Get, &tls, Fault::ACCESS_DENIED, EVERY_TIME);
    let two = notification(&[(&bucket, &v2), (samples::BROKEN, "truncated.log.gz")]).to_string();
    let one = |key: &str| notification(&[(&bucket, key)]).to_string();
    let event = queue(&[
        ("good", &one(&v2)),
        ("half", &two),
        ("denied", &one(&tls)),
        ("text", "this is no JSON"),
        ("list", "[]"),
        (
            "test",
            r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"flow-logs-use1"}"#,
        ),
        (
            "other",
            r#"{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification"}"#,
        ),
        ("also-good", &one(&custom)),
    ]);
    let mut function = Function::start(&server, &[]).await;
    let answer = function.invoke(&event).await.response();
    assert_eq!(answer, not_done(&["half", "denied", "text", "list"]));
    assert!(written(&server) == golden(&["vpc-v2", "vpc-custom"]));
    let output = function.finish().await;
    let metrics = output.metrics().remove(0);
    for (name, count) in [
        ("ObjectsForwarded", 2),
        ("ObjectsPoisoned", 1),
        ("ObjectsMisconfigured", 1),
        ("MessagesMalformed", 2),
        ("EventsIgnored", 2),
    ] {
        assert_eq!(metrics[name], count, "{name}");
    }
    check_metrics(&output, &server);
    check_secrets(&output);
}

#[tokio::test]
async fn a_failed_message_without_an_id_fails_the_whole_batch() {
    let server = S3Server::with_samples().await;
    let (bucket, key) = named("vpc-v2");
    let mut function = Function::start(&server, &[]).await;
    for id in [Value::Null, json!(""), json!(7)] {
        let mut event = announced(&[("good", &bucket, &key), ("bad", &bucket, "none")]);
        event["Records"][1]["messageId"] = id;
        let (error_type, _) = function.invoke(&event).await.error();
        assert_eq!(error_type, "Poison.Source.NoSuchKey");
    }
}

// Time.

/// So much of the invocation's time is kept for the answer that only a hang can use it up.
const RESERVE: (&str, &str) = ("CLOUD_EXPORT_DEADLINE_RESERVE_MS", "60000");
const RESERVED: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_hangs_is_handed_back_before_the_deadline_and_the_rest_is_done() {
    tokio::join!(
        hangs(Call::Get, Fault::Stalled),
        hangs(Call::Get, Fault::Silent),
        hangs(Call::Put, Fault::Silent),
    );
}

async fn hangs(call: Call, fault: Fault) {
    let server = S3Server::with_samples().await;
    let (bucket, v2) = named("vpc-v2");
    let (_, hangs) = named("vpc-v11");
    server.fault(call, &hangs, fault.clone(), 1);
    let mut function = Function::start(&server, &[RESERVE]).await;
    let event = announced(&[("good", &bucket, &v2), ("hangs", &bucket, &hangs)]);
    let remaining = RESERVED + Duration::from_secs(5);
    let started = Instant::now();
    let answer = function.invoke_for(&event, remaining).await.response();
    assert_eq!(answer, not_done(&["hangs"]), "{fault:?}");
    assert!(started.elapsed() < remaining - RESERVED / 2, "{fault:?}");
    assert!(written(&server) == golden(&["vpc-v2"]), "{fault:?}");
    // The same process does it the next time.
    let answer = function.invoke_for(&event, RESERVED * 2).await.response();
    assert_eq!(answer, not_done(&[]), "{fault:?}");
    assert!(
        written(&server) == golden(&["vpc-v2", "vpc-v11"]),
        "{fault:?}"
    );
    let mut failed = function.finish().await.object_logs();
    failed.retain(|log| !log["error_type"].is_null());
    assert_eq!(failed.len(), 1, "{fault:?}");
    assert_eq!(failed[0]["error_type"], "Retry.Deadline");
}

#[tokio::test]
async fn work_that_cannot_start_in_time_is_handed_back_untouched() {
    let server = S3Server::with_samples().await;
    let (bucket, first) = named("vpc-v2");
    let (_, second) = named("vpc-v11");
    let event = announced(&[("m1", &bucket, &first), ("m2", &bucket, &second)]);
    let mut function =
        Function::start(&server, &[RESERVE, ("CLOUD_EXPORT_CONCURRENCY", "1")]).await;
    // The reserve is all the time there is.
    let answer = function.invoke_for(&event, RESERVED / 2).await.response();
    assert_eq!(answer, not_done(&["m1", "m2"]));
    assert_eq!(server.arrived(), []);
    // The first object uses up the time of the second.
    server.fault(Call::Get, &first, Fault::Stalled, 1);
    let answer = function
        .invoke_for(&event, RESERVED + Duration::from_secs(1))
        .await
        .response();
    assert_eq!(answer, not_done(&["m1", "m2"]));
    assert_eq!(server.count(Call::Get, &second), 0);
    let direct = notification(&[(&bucket, &first)]);
    let (error_type, message) = function.invoke_for(&direct, RESERVED / 2).await.error();
    assert_eq!(error_type, "Retry.Deadline");
    assert!(message.contains("timeout"), "{message}");
    assert_eq!(server.objects(RECORDS).len(), 0);
}

// Again and again.

#[tokio::test]
async fn the_same_event_again_leaves_the_same_objects() {
    let server = S3Server::empty(&["logs", RECORDS]).await;
    server.put(
        "logs",
        "v5.log.gz",
        &generated::gzip(LogFormat::VpcV5, 1_000),
    );
    server.put(
        "logs",
        "tls.log.gz",
        &generated::gzip(LogFormat::FirewallTls, 300),
    );
    let event = notification(&[("logs", "v5.log.gz"), ("logs", "tls.log.gz")]);
    let settings = [("CLOUD_EXPORT_BATCH_BYTES", "65536")];
    let mut outputs = Vec::new();
    for _ in 0..2 {
        let mut function = Function::start(&server, &settings).await;
        for _ in 0..2 {
            assert_eq!(function.invoke(&event).await.response(), done());
            outputs.push(server.objects(RECORDS));
        }
    }
    assert!(outputs[0].len() > 5, "{} objects", outputs[0].len());
    assert!(outputs.iter().all(|output| *output == outputs[0]));
    let lines: usize = written(&server)
        .values()
        .map(|text| text.lines().count())
        .sum();
    assert!(lines > 1_000, "{lines}");
    // Another content under the same key is another object: nothing of the old one is overwritten.
    server.put(
        "logs",
        "v5.log.gz",
        &generated::gzip(LogFormat::VpcV5, 2_000),
    );
    let mut function = Function::start(&server, &settings).await;
    assert_eq!(function.invoke(&event).await.response(), done());
    let after = server.objects(RECORDS);
    assert!(after.len() > outputs[0].len());
    assert!(
        outputs[0]
            .iter()
            .all(|(key, content)| after[key] == *content)
    );
}

#[tokio::test]
async fn an_attempt_that_failed_midway_leaves_nothing_the_next_does_not_overwrite() {
    let object = generated::gzip(LogFormat::VpcV2, 5_000);
    let settings = [("CLOUD_EXPORT_BATCH_BYTES", "65536")];
    let event = notification(&[("logs", "v2.log.gz")]);
    let mut outputs = Vec::new();
    for faults in [0, 1] {
        let server = S3Server::empty(&["logs", RECORDS]).await;
        server.put("logs", "v2.log.gz", &object);
        server.fault(Call::Get, "v2.log.gz", Fault::CutShort, faults);
        let mut function = Function::start(&server, &settings).await;
        for _ in 0..faults {
            let (error_type, _) = function.invoke(&event).await.error();
            assert_eq!(error_type, "Retry.Read.source");
            // Batches that were complete before the cut are delivered: at least once is the promise.
            assert!(!server.objects(RECORDS).is_empty());
        }
        assert_eq!(function.invoke(&event).await.response(), done());
        outputs.push(server.objects(RECORDS));
    }
    assert!(outputs[0].len() > 5);
    assert!(outputs[0] == outputs[1]);
}

#[tokio::test]
async fn an_object_named_twice_is_read_once_and_answers_for_both() {
    let server = S3Server::with_samples().await;
    let (bucket, key) = named("vpc-v2");
    let mut function = Function::start(&server, &[]).await;
    let answer = function
        .invoke(&notification(&[(&bucket, &key), (&bucket, &key)]))
        .await;
    assert_eq!(answer.response(), done());
    assert_eq!(
        (server.count(Call::Get, &key), server.objects(RECORDS).len()),
        (1, 1)
    );
    let event = announced(&[
        ("a", &bucket, "gone"),
        ("b", &bucket, &key),
        ("c", &bucket, "gone"),
    ]);
    assert_eq!(
        function.invoke(&event).await.response(),
        not_done(&["a", "c"])
    );
    assert_eq!(server.count(Call::Get, "gone"), 1);
}

#[tokio::test]
async fn keys_with_odd_characters_are_read_and_written_under_their_own_names() {
    let keys = [
        "a b+c/é 漢字.log",
        "x//y.log",
        "../up.log",
        "50%/dots...",
        "%2B.log",
        "a=b&c.log",
    ];
    let server = S3Server::empty(&["logs", RECORDS]).await;
    let row = "2 - eni-1 10.0.0.1 10.0.0.2 1 2 6 1 40 1795190400 1795190460 ACCEPT OK\n";
    let mut event = Vec::new();
    for key in keys {
        server.put("logs", key, row.as_bytes());
        event.push(("logs", key));
    }
    let mut function = Function::start(&server, &[]).await;
    assert_eq!(
        function.invoke(&notification(&event)).await.response(),
        done()
    );
    let written: BTreeSet<String> = written(&server).into_keys().collect();
    assert_eq!(written, keys.map(|key| format!("logs/{key}")).into());
}

// What is no event, and no configuration.

#[tokio::test]
async fn any_json_is_answered_without_a_panic() {
    let server = S3Server::with_samples().await;
    let mut function = Function::start(&server, &[]).await;
    let s3 = |record: Value| json!({"Records": [record]});
    let foreign = [
        json!(null),
        json!(true),
        json!(0),
        json!("text"),
        json!([]),
        json!([[[]]]),
        json!({}),
        json!({"Records": null}),
        json!({"Records": {}}),
        json!({"Records": "x"}),
        s3(json!(null)),
        s3(json!(7)),
        s3(json!([])),
        s3(json!({})),
        s3(json!({"eventSource": 7})),
        s3(json!({"eventSource": "aws:s3"})),
        s3(json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": 2})),
        s3(
            json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": "2.1", "s3": []}),
        ),
        s3(
            json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": "2.1",
                  "s3": {"bucket": {"name": ""}, "object": {"key": ""}}}),
        ),
        s3(
            json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": "2.1",
                  "s3": {"bucket": {"name": "NOT A BUCKET/../x"}, "object": {"key": "%00%0a"}}}),
        ),
        s3(json!({"eventSource": "aws:sqs"})),
        s3(json!({"eventSource": "aws:sqs", "body": 7})),
        s3(json!({"eventSource": "aws:sqs", "messageId": "m", "body": "{"})),
        s3(json!({"EventSource": "aws:sns"})),
        s3(json!({"EventSource": "aws:sns", "Sns": {"Message": "x"}})),
        json!({"source": "aws.s3"}),
        json!({"source": "aws.s3", "detail-type": "Object Created", "detail": 7}),
        json!({"backfill": 7}),
        json!({"backfill": {"objects": {}}}),
        json!({"backfill": {"objects": [7, null]}}),
        json!({"Type": "Notification", "Message": "{\"Type\":\"Notification\"}"}),
    ];
    for event in &foreign {
        match function.invoke(event).await {
            Answer::Response(answer) => {
                assert!(
                    answer == done() || answer["batchItemFailures"].is_array(),
                    "{event}"
                );
            }
            Answer::Error {
                error_type,
                message,
            } => {
                let class = error_type.split('.').next().unwrap();
                assert!(
                    matches!(class, "Poison" | "Config"),
                    "{event}: {error_type}: {message}"
                );
            }
        }
    }
    let answer = function.invoke(&event("s3-put.json")).await;
    assert_eq!(answer.response(), done());
    let output = function.finish().await;
    assert!(!output.stdout.contains("panicked") && !output.stderr.contains("panicked"));
    assert_eq!(output.metrics().len(), foreign.len() + 1);
}

#[tokio::test]
async fn a_wrong_configuration_ends_the_start_and_names_the_variable() {
    let server = S3Server::empty(&[]).await;
    for (name, value, said) in [
        ("CLOUD_EXPORT_DESTINATIONS", "", "not set"),
        (
            "CLOUD_EXPORT_DESTINATIONS",
            "s3://records-use1 kafka://x",
            "kafka://x",
        ),
        ("CLOUD_EXPORT_BATCH_BYTES", "4MB", "4MB"),
        ("CLOUD_EXPORT_CONCURRENCY", "-1", "-1"),
        ("CLOUD_EXPORT_FORMAT", "${nonsense}", "flow-log field"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "64", "128"),
    ] {
        let (output, _) = Function::start_in_vain(&server, &[(name, value)]).await;
        assert!(!output.success, "{name}");
        let logs = output.logs();
        let error = logs
            .iter()
            .find(|log| log["fields"]["error_type"] == "Config.Environment");
        let error = error.unwrap_or_else(|| panic!("{name}: {output:?}"));
        let text = error["fields"]["error"].as_str().unwrap();
        assert!(text.contains(name) && text.contains(said), "{text}");
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    }
}

#[tokio::test]
async fn a_destination_bucket_that_is_not_there_is_a_configuration_error() {
    let server = S3Server::with_samples().await;
    let settings = [("CLOUD_EXPORT_DESTINATIONS", "s3://no-such-bucket")];
    let mut function = Function::start(&server, &settings).await;
    let (error_type, message) = function.invoke(&event("s3-put.json")).await.error();
    assert_eq!(error_type, "Config.Delivery.NoSuchBucket");
    assert!(message.contains("no-such-bucket"), "{message}");
}

#[tokio::test]
async fn of_several_destinations_all_have_to_confirm() {
    let server = S3Server::with_samples().await;
    let directory = tempfile::tempdir().unwrap();
    let url = format!(
        "file://{} s3://{RECORDS}/flows?compression=none",
        directory.path().display()
    );
    let settings = [("CLOUD_EXPORT_DESTINATIONS", &*url)];
    server.fault(Call::Put, "", Fault::ACCESS_DENIED, 1);
    let mut function = Function::start(&server, &settings).await;
    let (bucket, key) = named("vpc-v2");
    let event = announced(&[("m", &bucket, &key)]);
    assert_eq!(function.invoke(&event).await.response(), not_done(&["m"]));
    assert_eq!(function.invoke(&event).await.response(), not_done(&[]));
    let expected = golden(&["vpc-v2"]);
    assert!(written(&server) == expected);
    let [file] = &samples::files(directory.path())[..] else {
        panic!("the directory has one copy");
    };
    assert_eq!(
        expected[&format!("{bucket}/{key}")],
        std::fs::read_to_string(file).unwrap()
    );
}

// Memory.

#[tokio::test]
async fn memory_does_not_grow_with_the_object() {
    const MIB: u64 = 1 << 20;
    let small = generated::gzip(LogFormat::VpcV5, 2_500);
    // A second member begins with the header line again, as in a file that was appended to.
    let large = small.repeat(80);
    let mut peaks = Vec::new();
    for (object, rows) in [(&small, 2_500), (&large, 200_000)] {
        let server = S3Server::empty(&["logs", RECORDS]).await;
        server.put("logs", "v5.log.gz", object);
        // Batches small enough for the small object to fill as many as are ever held.
        let settings = [("CLOUD_EXPORT_BATCH_BYTES", "131072")];
        let mut function = Function::start(&server, &settings).await;
        let init = function.init;
        let event = notification(&[("logs", "v5.log.gz")]);
        let answer = function.invoke_for(&event, Duration::from_secs(600)).await;
        assert_eq!(answer.response(), done());
        let peak = function.peak_memory();
        let output = function.finish().await;
        assert_eq!(output.metrics()[0]["RowsRead"], rows);
        println!(
            "{} bytes: peak {:.1} MiB, initialised in {init:?}, invocation {} ms",
            object.len(),
            peak as f64 / MIB as f64,
            output.metrics()[0]["Duration"],
        );
        peaks.push(peak);
    }
    assert!(peaks[1] < peaks[0] + 8 * MIB, "{peaks:?}");
    assert!(peaks[1] < 40 * MIB, "{peaks:?}");
}
