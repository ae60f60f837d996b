//! The forwarder killed at random points and run on the same event again: what is in the bucket is what an
//! undisturbed run leaves there.
//!
//! A round that fails is repeated by its seed: `E2E_SEED=7 cargo test --workspace --test end_to_end restart::`.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::binaries::Function;
use e2e::generated;
use e2e::s3_server::S3Server;
use flow_forwarder::event::form_encoded;
use serde_json::{Value, json};
use telemetry::generate::LogFormat;

const LOGS: &str = "flow-logs-use1";

/// Small objects of two accounts, which share batches in the lake, and a larger one.
fn objects() -> Vec<(String, Vec<u8>)> {
    let key = |account: &str, number: usize| {
        format!(
            "AWSLogs/{account}/vpcflowlogs/us-east-1/2026/11/20/{account}_vpcflowlogs_us-east-1_fl-0a1b2c3d4e5f60718_20261120T1600Z_{number:08x}.log.gz"
        )
    };
    let mut objects = Vec::new();
    for number in 0..5 {
        for account in ["111111111111", "222222222222"] {
            let rows = 50 + 40 * number;
            objects.push((
                key(account, number),
                generated::gzip(LogFormat::VpcV5, rows),
            ));
        }
    }
    let large = generated::gzip(LogFormat::VpcV2, 3_000);
    objects.push((key("111111111111", 99), large));
    objects
}

/// The event of a queue that names the objects, each in a message of its own, handed out for the first time. It does
/// not tell the size of the last one, which so has batches of its own.
fn event(objects: &[(String, Vec<u8>)]) -> Value {
    let messages = objects.iter().enumerate().map(|(number, (key, content))| {
        let size = (number + 1 < objects.len()).then_some(content.len());
        let record = json!({
            "eventSource": "aws:s3", "eventVersion": "2.1", "eventName": "ObjectCreated:Put",
            "awsRegion": "us-east-1",
            "s3": {
                "bucket": {"name": LOGS},
                "object": {"key": form_encoded(key), "size": size},
            },
        });
        json!({
            "eventSource": "aws:sqs",
            "messageId": format!("message-{number}"),
            "attributes": {"ApproximateReceiveCount": "1"},
            "body": json!({"Records": [record]}).to_string(),
        })
    });
    json!({"Records": messages.collect::<Vec<_>>()})
}

const SETTINGS: &[(&str, &str)] = &[
    (
        "CLOUD_EXPORT_DESTINATIONS",
        "s3://lake-use1/flows?partition=account,region,day,hour&compression=zstd s3://copies-use1?compression=none",
    ),
    ("CLOUD_EXPORT_BATCH_BYTES", "65536"),
    ("CLOUD_EXPORT_CONCURRENCY", "3"),
];

type Content = BTreeMap<String, Vec<u8>>;

fn content(server: &S3Server) -> [Content; 2] {
    ["lake-use1", "copies-use1"].map(|bucket| server.objects(bucket))
}

async fn server(objects: &[(String, Vec<u8>)]) -> S3Server {
    let server = S3Server::empty(&[LOGS, "lake-use1", "copies-use1"]).await;
    for (key, content) in objects {
        server.put(LOGS, key, content);
    }
    server
}

/// SplitMix64: rounds differ, and are the same for the same seed.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[tokio::test]
async fn killed_two_hundred_times_the_bucket_is_as_if_nothing_had_happened() {
    let seed = std::env::var("E2E_SEED").ok();
    let mut state: u64 = seed.map_or(1, |seed| seed.parse().unwrap());
    println!("E2E_SEED={state}");
    let objects = objects();
    let event = event(&objects);

    let undisturbed = server(&objects).await;
    let mut function = Function::start(&undisturbed, SETTINGS).await;
    let answer = function.invoke(&event).await;
    assert_eq!(answer.response(), json!({"batchItemFailures": []}));
    let calls = undisturbed.arrived().len() as u64;
    let expected = content(&undisturbed);
    let [lake, copies] = &expected;
    // Five small objects of each account share batches; the large one has many.
    let combined = lake.keys().filter(|key| key.contains("/combined."));
    assert_eq!(combined.count(), 2, "{:?}", lake.keys());
    assert!(
        lake.len() == 4 && copies.len() > 15,
        "{} {}",
        lake.len(),
        copies.len()
    );
    // Another function may write the same to another place: names and bytes do not depend on it.
    function.finish().await;

    let disturbed = server(&objects).await;
    let (mut finished, mut partial) = (0, 0);
    for round in 0..200 {
        let before = disturbed.arrived().len() as u64;
        let last_call = before + random(&mut state) % (calls + 4);
        // Within a call, or between two.
        let later = Duration::from_micros(random(&mut state) % 3_000);
        let function = Function::start(&disturbed, SETTINGS).await;
        let moment = async {
            disturbed.arrival(last_call as usize).await;
            tokio::time::sleep(later).await;
        };
        finished += u64::from(function.kill_at(&event, moment).await);
        let left = content(&disturbed);
        for (left, expected) in left.iter().zip(&expected) {
            for (key, bytes) in left {
                assert_eq!(Some(bytes), expected.get(key), "round {round}: {key}");
            }
            partial += u64::from(left.len() < expected.len());
        }
    }
    println!("{finished} of 200 runs ended before they were killed; {partial} places were partial");
    assert!(finished < 150 && partial > 0);

    let mut function = Function::start(&disturbed, SETTINGS).await;
    let answer = function.invoke(&event).await;
    assert_eq!(answer.response(), json!({"batchItemFailures": []}));
    assert!(content(&disturbed) == expected);
}
