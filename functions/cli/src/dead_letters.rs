//! Dead letters: messages that failed too often, moved back or handled here.

use std::time::Instant;

use flow_forwarder::Forwarder;
use flow_forwarder::event::{self, Request};
use flow_forwarder::message_queue::{MessageQueue, Received};
use invocation::Budget;
use serde_json::{Value, json};

use crate::args::ReplayArguments;
use crate::forwarding::{self, setting};
use crate::summary::{Summary, grouped, say};
use crate::{Stop, queue, runtime};

/// Replays the messages of the queue at `url`.
pub fn replay(arguments: &ReplayArguments, url: &str) -> Result<(), Stop> {
    runtime()?.block_on(async {
        if arguments.to.as_deref() == Some(url) {
            return Err(Stop::Usage(format!(
                "--to names the queue of the dead letters itself, {url}: name the queue that the function reads, or leave --to out to handle them here"
            )));
        }
        let from = queue::open(url).await?;
        match &arguments.to {
            Some(to) => move_back(&from, &queue::open(to).await?).await,
            None => {
                let config = forwarding::config(|name| setting(&arguments.forwarding, name))?;
                let buckets = arguments.buckets.as_deref();
                let forwarder = forwarding::forwarder(config, buckets, None).await?;
                handle(&from, &forwarder).await
            }
        }
    })
}

/// What a message asks for. What Lambda sends of a failed invocation is a report around the event ("Retaining records
/// of asynchronous invocations", *Lambda Developer Guide*).
fn event_of(body: &str) -> String {
    let report: Option<Value> = serde_json::from_str(body).ok();
    match report
        .as_ref()
        .and_then(|report| report.get("requestPayload"))
    {
        Some(event) => event.to_string(),
        None => body.to_owned(),
    }
}

/// Why a message fails without an object that does.
fn problem(event: &Value) -> String {
    let problem = event::unwrap(event)
        .into_requests()
        .find_map(|request| match request {
            Request::Malformed(problem) => Some(problem),
            _ => None,
        });
    problem.unwrap_or_else(|| "it cannot be processed".to_owned())
}

/// What is sent instead of a message that failed: the objects it names, as a backfill asks for them. They may have been
/// delivered, in part or among others, and the queue will not tell.
fn message_of(body: &str) -> String {
    let event = event_of(body);
    let record = json!({"eventSource": "aws:sqs", "body": event});
    let requests = event::unwrap(&json!({"Records": [record]})).into_requests();
    let requests = requests.filter(|request| !matches!(request, Request::Ignored(_)));
    let objects = requests.map(|request| match request {
        // A second form of the key cannot be asked for so.
        Request::Object(object) if object.other_key.is_none() => Some(object.to_json()),
        _ => None,
    });
    match objects.collect::<Option<Vec<Value>>>() {
        Some(objects) if !objects.is_empty() => {
            json!({"backfill": {"objects": objects}}).to_string()
        }
        _ => event,
    }
}

/// Sends messages before it deletes them: what is interrupted between is there twice.
async fn move_back(from: &MessageQueue, to: &MessageQueue) -> Result<(), Stop> {
    let failed = |failure: flow_forwarder::Failure| Stop::Failed(failure.to_string());
    let mut moved = 0;
    loop {
        let received = from.receive().await.map_err(failed)?;
        if received.is_empty() {
            break;
        }
        let bodies: Vec<String> = received.iter().map(|m| message_of(&m.body)).collect();
        to.send(&bodies).await.map_err(failed)?;
        let receipts: Vec<&str> = received.iter().map(|m| m.receipt.as_str()).collect();
        from.delete(&receipts).await.map_err(failed)?;
        moved += received.len() as u64;
    }
    say(&format!("{} messages are moved", grouped(moved)));
    Ok(())
}

/// Handles messages as the function would, and deletes those that are done. A message that comes again is not
/// handled twice.
async fn handle(from: &MessageQueue, forwarder: &Forwarder) -> Result<(), Stop> {
    let failed = |failure: flow_forwarder::Failure| Stop::Failed(failure.to_string());
    let started = Instant::now();
    let mut summary = Summary {
        unit: "objects",
        ..Summary::default()
    };
    let mut seen: Vec<String> = Vec::new();
    loop {
        let mut received = from.receive().await.map_err(failed)?;
        received.retain(|message| !seen.contains(&message.id));
        if received.is_empty() {
            break;
        }
        for Received { id, receipt, body } in received {
            let record =
                json!({"messageId": id, "eventSource": "aws:sqs", "body": event_of(&body)});
            let event = json!({"Records": [record]});
            let handled = forwarder.handle(&event, &Budget::UNLIMITED).await;
            forwarding::add(&mut summary, &handled);
            let answer = handled.answer.into_json();
            let is_done = answer.is_ok_and(|answer| answer == json!({"batchItemFailures": []}));
            match is_done {
                true => from.delete(&[&receipt]).await.map_err(failed)?,
                // Objects that failed are named already.
                false if handled.objects.iter().any(|o| o.outcome.failure.is_some()) => {}
                false => {
                    let reason = problem(&event);
                    summary.failed.push((format!("message {id}"), reason));
                }
            }
            seen.push(id);
        }
    }
    forwarding::finish(&summary, started.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_taken_out_of_a_report_of_lambda() {
        assert_eq!(event_of("{\"Records\":[]}"), "{\"Records\":[]}");
        let report = r#"{"version":"1.0","requestPayload":{"backfill":{}},"responsePayload":{}}"#;
        assert_eq!(event_of(report), r#"{"backfill":{}}"#);
        assert_eq!(event_of("no JSON"), "no JSON");
    }

    #[test]
    fn what_is_moved_back_says_that_it_was_tried_before() {
        let s3 =
            json!({"bucket": {"name": "logs"}, "object": {"key": "a+b", "size": 7, "eTag": "e"}});
        let record = json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": s3,
        });
        let moved = message_of(&json!({"Records": [record]}).to_string());
        let moved: Value = serde_json::from_str(&moved).unwrap();
        assert_eq!(
            moved,
            json!({"backfill": {"objects": [
                {"bucket": "logs", "key": "a b", "etag": "e", "size": 7},
            ]}})
        );
        for kept in [
            "no JSON",
            "{}",
            r#"{"backfill":{"bucket":"logs","prefix":"a/"}}"#,
        ] {
            assert_eq!(message_of(kept), kept);
        }
    }

    #[test]
    fn the_problem_of_a_message_is_told() {
        let event = |body: &str| json!({"Records": [{"eventSource": "aws:sqs", "body": body}]});
        assert!(problem(&event("no JSON")).contains("not a JSON object"));
    }
}
