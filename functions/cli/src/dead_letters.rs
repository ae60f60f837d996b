//! Dead letters: messages that failed too often, moved back or handled here.

use std::time::Instant;

use flow_forwarder::Forwarder;
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

/// Sends messages before it deletes them: what is interrupted between is there twice.
async fn move_back(from: &MessageQueue, to: &MessageQueue) -> Result<(), Stop> {
    let failed = |failure: flow_forwarder::Failure| Stop::Failed(failure.to_string());
    let mut moved = 0;
    loop {
        let received = from.receive().await.map_err(failed)?;
        if received.is_empty() {
            break;
        }
        let bodies: Vec<String> = received.iter().map(|m| event_of(&m.body)).collect();
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
                false if summary.failed.is_empty() => {
                    let reason = "it cannot be processed".to_owned();
                    summary.failed.push((format!("message {id}"), reason));
                }
                false => {}
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
}
