//! Small objects share files, and each row stands once however often, and by whom, its object is announced.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::path::Path;

use flow_forwarder::source::{AnySource, DirectorySource};
use flow_forwarder::{Answer, Config, Forwarder};
use invocation::{Budget, aws};
use serde_json::{Value, json};

/// 2026-11-20T16:00:00Z.
const START: u64 = 1_795_190_400;
const DAY: u64 = 86_400;

struct Place(tempfile::TempDir);

fn key(number: usize) -> String {
    format!(
        "AWSLogs/111111111111/vpcflowlogs/us-east-1/2026/11/20/111111111111_vpcflowlogs_us-east-1_fl-1_20261120T1600Z_{number:08}.log"
    )
}

impl Place {
    /// A bucket of small logs, the records of each begin at its time.
    fn with(times: &[u64]) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        for (number, time) in times.iter().enumerate() {
            let path = place.0.path().join("buckets/logs").join(key(number));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let log = format!("srcport bytes start\n{number} 1 {time}\n{number} 2 {time}\n");
            std::fs::write(path, log).unwrap();
        }
        place
    }

    async fn forwarder(&self, options: &str) -> Forwarder {
        let url = format!("file://{}{options}", self.0.path().join("out").display());
        let value = |name: &str| (name == "CLOUD_EXPORT_DESTINATIONS").then(|| url.clone());
        let config = Config::from_lookup(value).unwrap();
        let source = AnySource::Directory(DirectorySource::new(self.0.path().join("buckets")));
        let sdk = aws::no_services();
        let forwarder = Forwarder::new(config, source, None, &sdk, &|_| None);
        forwarder.await.unwrap()
    }

    /// How often each record stands in the output, and how many files there are.
    fn delivered(&self) -> (BTreeMap<String, usize>, usize) {
        fn add(directory: &Path, lines: &mut BTreeMap<String, usize>, files: &mut usize) {
            for path in std::fs::read_dir(directory).into_iter().flatten() {
                let path = path.unwrap().path();
                if path.is_dir() {
                    add(&path, lines, files);
                    continue;
                }
                *files += 1;
                for line in std::fs::read_to_string(&path).unwrap().lines() {
                    *lines.entry(line.to_owned()).or_default() += 1;
                }
            }
        }
        let (mut lines, mut files) = (BTreeMap::new(), 0);
        add(&self.0.path().join("out"), &mut lines, &mut files);
        (lines, files)
    }

    /// Asserts that all records of so many objects stand once, and returns how many files there are.
    fn assert_once(&self, objects: usize) -> usize {
        let (lines, files) = self.delivered();
        assert_eq!(lines.len(), 2 * objects);
        assert!(lines.values().all(|times| *times == 1), "{lines:?}");
        files
    }
}

fn notification(number: usize, etag: &str) -> Value {
    let object = json!({"key": key(number), "size": 60, "eTag": etag});
    let s3 = json!({"bucket": {"name": "logs"}, "object": object});
    json!({"Records": [
        {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3},
    ]})
}

fn by_name(number: usize) -> Value {
    json!({"backfill": {"objects": [{"bucket": "logs", "key": key(number), "size": 60}]}})
}

/// What a queue hands out for the first time, or again.
fn queue(bodies: impl IntoIterator<Item = Value>, times: u32) -> Value {
    let record = |(number, body): (usize, Value)| {
        json!({
            "messageId": number.to_string(),
            "eventSource": "aws:sqs",
            "body": body.to_string(),
            "attributes": {"ApproximateReceiveCount": times.to_string()},
        })
    };
    let records: Vec<Value> = bodies.into_iter().enumerate().map(record).collect();
    json!({ "Records": records })
}

async fn done(forwarder: &Forwarder, event: &Value) {
    let handled = forwarder.handle(event, &Budget::UNLIMITED).await;
    let is_done = matches!(&handled.answer, Answer::Done)
        || matches!(&handled.answer, Answer::Queue(failed) if failed.is_empty());
    assert!(is_done, "{:?}", handled.answer);
}

#[tokio::test]
async fn an_object_that_several_messages_of_a_batch_name_stands_once() {
    for options in ["?partition=day", "?combine=on", ""] {
        for other in [by_name(0), notification(0, "another")] {
            let place = Place::with(&[START; 2]);
            let forwarder = place.forwarder(options).await;
            let bodies = [notification(0, "e"), notification(1, "f"), other];
            done(&forwarder, &queue(bodies, 1)).await;
            place.assert_once(2);
        }
    }
}

#[tokio::test]
async fn what_is_in_a_file_of_several_objects_is_not_written_again() {
    for options in ["?partition=day", "?partition=account,hour", "?combine=on"] {
        let again = [
            queue([notification(0, "e")], 2),
            queue([by_name(1)], 1),
            by_name(0),
            json!({"backfill": {"bucket": "logs", "prefix": "AWSLogs/"}}),
            queue(
                [json!({"backfill": {"bucket": "logs", "prefix": "AWSLogs/"}})],
                1,
            ),
        ];
        for event in again {
            let place = Place::with(&[START, START + DAY]);
            let forwarder = place.forwarder(options).await;
            let first = [notification(0, "e"), notification(1, "f")];
            done(&forwarder, &queue(first, 1)).await;
            let files = place.assert_once(2);
            done(&forwarder, &event).await;
            assert_eq!(place.assert_once(2), files, "{options} {event}");
        }
    }
}

#[tokio::test]
async fn objects_of_several_days_keep_their_records_where_the_path_has_no_day() {
    let place = Place::with(&[START, START + DAY, START + 2 * DAY + 3_600]);
    let forwarder = place.forwarder("?partition=account,hour").await;
    let bodies = (0..3).map(|number| notification(number, "e"));
    done(&forwarder, &queue(bodies, 1)).await;
    assert_eq!(place.assert_once(3), 2);
}

#[tokio::test]
async fn many_objects_fit_the_names_of_files() {
    let place = Place::with(&[START; 40]);
    let forwarder = place.forwarder("?partition=account,region,day").await;
    let bodies = (0..40).map(|number| notification(number, "e"));
    done(&forwarder, &queue(bodies, 1)).await;
    assert_eq!(place.assert_once(40), 4);
}
