//! A backfill that is stopped and goes on where it stopped delivers what one that was left alone does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use flow_forwarder::source::{AnySource, DirectorySource};
use flow_forwarder::{Answer, Config, Forwarder};
use invocation::{Budget, aws};
use serde_json::{Value, json};

const OBJECTS: usize = 150;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        let folder = place.0.path().join("buckets/logs/AWSLogs");
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..OBJECTS {
            let log = format!("srcport bytes\n443 {number}\n");
            std::fs::write(folder.join(format!("{number:04}.log")), log).unwrap();
        }
        place
    }

    async fn forwarder(&self, out: &str) -> Forwarder {
        let url = format!("file://{}", self.0.path().join(out).display());
        let value = |name: &str| (name == "CLOUD_EXPORT_DESTINATIONS").then(|| url.clone());
        let config = Config::from_lookup(value).unwrap();
        let source = DirectorySource::new(self.0.path().join("buckets"));
        let aws = aws::no_services();
        let source = AnySource::Directory(source);
        let forwarder = Forwarder::new(config, source, None, &aws, &|_| None);
        forwarder.await.unwrap()
    }

    fn delivered(&self, out: &str) -> BTreeSet<String> {
        fn add(directory: &Path, names: &mut BTreeSet<String>) {
            for path in std::fs::read_dir(directory).into_iter().flatten() {
                let path = path.unwrap().path();
                match path.is_dir() {
                    true => add(&path, names),
                    false => {
                        let name = path.file_name().unwrap().to_str().unwrap();
                        names.insert(format!(
                            "{name} {}",
                            std::fs::read_to_string(&path).unwrap()
                        ));
                    }
                }
            }
        }
        let mut names = BTreeSet::new();
        add(&self.0.path().join(out), &mut names);
        names
    }
}

/// Lets time pass while nothing waits for it.
fn pass(duration: Duration) {
    let advancing = pin!(tokio::time::advance(duration));
    let _ = advancing.poll(&mut Context::from_waker(Waker::noop()));
}

fn backfill(after: Option<&str>) -> Value {
    json!({"backfill": {"bucket": "logs", "prefix": "AWSLogs/", "after": after}})
}

#[tokio::test(start_paused = true)]
async fn what_is_left_when_the_time_is_over_is_told_and_can_be_asked_for() {
    let place = Place::new();
    let whole = place.forwarder("whole").await;
    let handled = whole.handle(&backfill(None), &Budget::UNLIMITED).await;
    assert_eq!(handled.answer, Answer::Done);
    assert_eq!(handled.report.objects, OBJECTS as u64);

    let parts = place.forwarder("parts").await;
    let budget = Budget::new(Duration::from_secs(10), Duration::ZERO);
    let mut done = 0;
    let event = backfill(None);
    let handled = parts.handle_observed(&event, &budget, |_| {
        done += 1;
        if done == 70 {
            pass(Duration::from_secs(11));
        }
    });
    let Answer::More { after, .. } = handled.await.answer else {
        panic!("it is not all done");
    };
    assert_eq!(after, "AWSLogs/0063.log");
    assert!(place.delivered("parts").len() < OBJECTS);
    let rest = parts
        .handle(&backfill(Some(&after)), &Budget::UNLIMITED)
        .await;
    assert_eq!(rest.answer, Answer::Done);
    assert_eq!(rest.report.objects, OBJECTS as u64 - 64);
    assert_eq!(place.delivered("parts"), place.delivered("whole"));
}

/// What can never be read does not keep the rest from being asked for.
#[tokio::test(start_paused = true)]
async fn what_failed_before_the_time_was_over_is_told_with_where_to_go_on() {
    let place = Place::new();
    let bad = place.0.path().join("buckets/logs/AWSLogs/0003.log");
    std::fs::write(bad, b"\x1f\x8b\x08").unwrap();
    let forwarder = place.forwarder("out").await;
    let budget = Budget::new(Duration::from_secs(10), Duration::ZERO);
    let mut done = 0;
    let event = backfill(None);
    let handled = forwarder.handle_observed(&event, &budget, |_| {
        done += 1;
        if done == 70 {
            pass(Duration::from_secs(11));
        }
    });
    let answer = handled.await.answer.into_json().unwrap();
    assert_eq!(answer["status"], "more");
    assert_eq!(answer["after"], "AWSLogs/0063.log");
    assert_eq!(answer["failed"][0]["object"], "logs/AWSLogs/0003.log");
    assert_eq!(answer["failed"][0]["errorType"], "Poison.Read.corrupt");
    let rest = backfill(Some("AWSLogs/0063.log"));
    let handled = forwarder.handle(&rest, &Budget::UNLIMITED).await;
    assert_eq!(handled.answer, Answer::Done);
    assert_eq!(place.delivered("out").len(), OBJECTS - 1);
    // When all is done, the failure is the answer, and says of what.
    let handled = forwarder.handle(&event, &Budget::UNLIMITED).await;
    let failure = handled.answer.into_json().unwrap_err();
    assert!(
        failure.message.contains("logs/AWSLogs/0003.log"),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_backfill_that_comes_no_further_fails() {
    let place = Place::new();
    let spent = Budget::new(Duration::ZERO, Duration::ZERO);
    let handled = place
        .forwarder("out")
        .await
        .handle(&backfill(None), &spent)
        .await;
    let Answer::Failed(failure) = handled.answer else {
        panic!("{:?}", handled.answer);
    };
    assert_eq!(failure.error_type(), "Retry.Deadline");
    // Through a queue nobody is there to go on: the message comes again.
    let body = backfill(None).to_string();
    let event = json!({"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": body}]});
    let handled = place.forwarder("out").await.handle(&event, &spent).await;
    assert_eq!(handled.answer, Answer::Queue(vec!["m".into()]));
    let none = place
        .forwarder("out")
        .await
        .handle(&event, &Budget::UNLIMITED)
        .await;
    assert_eq!(none.answer, Answer::Queue(vec![]));
}

#[tokio::test]
async fn a_listing_that_cannot_be_understood_is_malformed() {
    let place = Place::new();
    let event = json!({"backfill": {"bucket": "logs", "from": "yesterday"}});
    let handled = place
        .forwarder("out")
        .await
        .handle(&event, &Budget::UNLIMITED)
        .await;
    let Answer::Failed(failure) = handled.answer else {
        panic!("{:?}", handled.answer);
    };
    assert!(failure.message.contains("2026-11-20"), "{failure}");
}
