//! An SQS queue: what a backfill hands on, and what failed before.

use aws_config::SdkConfig;
use delivery::service_failure::ServiceUse;
use invocation::json_client::{JsonClient, JsonClientError, JsonService};
use serde_json::{Value, json};
use telemetry::FailureClass;

use crate::event::ObjectRef;
use crate::failure::Failure;

/// Messages in one call, at most (`SendMessageBatch`, *SQS API Reference*).
const MESSAGES_AT_ONCE: usize = 10;

/// Bytes of one call's messages together, at most. Queues may take more by now; each of them takes as much.
const BYTES_AT_ONCE: usize = 256 << 10;

/// Attempts for messages that SQS did not take while it took others.
const ATTEMPTS: usize = 3;

/// Objects that one message names. It is done when all of them are, so that they are few.
const OBJECTS_OF_A_MESSAGE: usize = 10;

/// A queue.
#[derive(Debug, Clone)]
pub struct MessageQueue {
    client: JsonClient,
    url: String,
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its id.
    pub id: String,
    /// What it is deleted by.
    pub receipt: String,
    /// What it says.
    pub body: String,
}

/// Messages that ask for these objects, a few each; events that the forwarder takes.
pub fn messages<'o>(objects: impl IntoIterator<Item = &'o ObjectRef>) -> Vec<String> {
    let objects: Vec<Value> = objects.into_iter().map(ObjectRef::to_json).collect();
    objects
        .chunks(OBJECTS_OF_A_MESSAGE)
        .map(|objects| json!({"backfill": {"objects": objects}}).to_string())
        .collect()
}

/// Cuts messages into calls, in their order.
fn calls(messages: &[String]) -> Vec<&[String]> {
    let mut calls = Vec::new();
    let mut rest = messages;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |message: &&String| {
            bytes += message.len();
            bytes <= BYTES_AT_ONCE
        };
        let count = rest.iter().take(MESSAGES_AT_ONCE).take_while(fits).count();
        // One that is too large by itself is for SQS to refuse.
        let (call, others) = rest.split_at(count.max(1).min(rest.len()));
        calls.push(call);
        rest = others;
    }
    calls
}

/// The region in a queue's URL, `https://sqs.us-east-1.amazonaws.com/123456789012/name`.
fn region(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1;
    host.strip_prefix("sqs.")?.split('.').next()
}

impl MessageQueue {
    /// The queue with that URL.
    ///
    /// # Errors
    /// Neither the URL nor the configuration names a region, or there are no credentials.
    pub fn new(url: &str, sdk: &SdkConfig) -> Result<MessageQueue, JsonClientError> {
        Ok(MessageQueue {
            client: JsonClient::new(sdk, JsonService::Sqs, region(url))?,
            url: url.to_owned(),
        })
    }

    async fn call(&self, operation: &'static str, input: &Value) -> Result<Value, Failure> {
        let answer = self.client.call(operation, input.to_string().into_bytes());
        match answer.await {
            Ok(answered) => Ok(answered.value),
            Err(error) => {
                let used = ServiceUse {
                    // Batches of calls are allowed by the single call's action.
                    action: &format!("sqs:{}", operation.trim_end_matches("Batch")),
                    what: &format!("the queue {}", self.url),
                    resource: &self.url,
                };
                let failure = used.failure(&error);
                Err(self.failure(failure.class, failure.reason))
            }
        }
    }

    fn failure(&self, class: FailureClass, reason: String) -> Failure {
        Failure {
            class: match class {
                // A queue is never a message's fault.
                FailureClass::Poison => FailureClass::Config,
                class => class,
            },
            code: "Queue".to_owned(),
            message: reason,
        }
    }

    /// Sends messages.
    ///
    /// # Errors
    /// Some were not taken; others may have been.
    pub async fn send(&self, messages: &[String]) -> Result<(), Failure> {
        for call in calls(messages) {
            let entry =
                |(id, body): (usize, &String)| json!({"Id": id.to_string(), "MessageBody": body});
            let entries = call.iter().enumerate().map(entry).collect();
            self.each("SendMessageBatch", entries).await?;
        }
        Ok(())
    }

    /// Receives some messages, which stay hidden for as long as the queue hides them; none when there are none.
    ///
    /// # Errors
    /// The queue cannot be read.
    pub async fn receive(&self) -> Result<Vec<Received>, Failure> {
        let input = json!({
            "QueueUrl": self.url,
            "MaxNumberOfMessages": MESSAGES_AT_ONCE,
            // Waiting asks all of the queue's servers, not some of them.
            "WaitTimeSeconds": 1,
        });
        let answer = self.call("ReceiveMessage", &input).await?;
        let messages = answer.get("Messages").and_then(Value::as_array);
        let text = |message: &Value, name: &str| Some(message.get(name)?.as_str()?.to_owned());
        let messages = messages.into_iter().flatten().filter_map(|message| {
            Some(Received {
                id: text(message, "MessageId")?,
                receipt: text(message, "ReceiptHandle")?,
                body: text(message, "Body")?,
            })
        });
        Ok(messages.collect())
    }

    /// Deletes messages that were received, ten at most.
    ///
    /// # Errors
    /// Some stay, and come again.
    pub async fn delete(&self, receipts: &[&str]) -> Result<(), Failure> {
        let entry =
            |(id, receipt): (usize, &&str)| json!({"Id": id.to_string(), "ReceiptHandle": receipt});
        let entries: Vec<Value> = receipts.iter().enumerate().map(entry).collect();
        match entries.is_empty() {
            true => Ok(()),
            false => self.each("DeleteMessageBatch", entries).await,
        }
    }

    /// Calls an operation on entries, those again that fail.
    async fn each(&self, operation: &'static str, mut entries: Vec<Value>) -> Result<(), Failure> {
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            let input = json!({"QueueUrl": self.url, "Entries": entries});
            let answer = self.call(operation, &input).await?;
            let failed = answer.get("Failed").and_then(Value::as_array);
            let Some((first, _)) = failed.and_then(|failed| failed.split_first()) else {
                return Ok(());
            };
            let code = first.get("Code").and_then(Value::as_str);
            reason = code.unwrap_or("an unknown error").to_owned();
            let again: Vec<&Value> = failed
                .into_iter()
                .flatten()
                .filter_map(|f| f.get("Id"))
                .collect();
            entries.retain(|entry| entry.get("Id").is_some_and(|id| again.contains(&id)));
        }
        let reason = format!(
            "{operation} on the queue {} answered {reason} for {} messages {ATTEMPTS} times",
            self.url,
            entries.len()
        );
        Err(self.failure(FailureClass::Retry, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Request, unwrap};
    use invocation::scripted_http::{Reply, ScriptedHttp};

    const URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/backfill";

    #[test]
    fn messages_are_events_for_the_objects_in_their_order() {
        let objects: Vec<ObjectRef> = (0..25)
            .map(|number| ObjectRef {
                etag: Some("\"e\"".into()),
                size: Some(number),
                ..ObjectRef::new("logs", &format!("a b/{number}"))
            })
            .collect();
        let messages = messages(&objects);
        assert_eq!(messages.len(), 3);
        let asked = messages.iter().flat_map(|message| {
            let event: Value = serde_json::from_str(message).unwrap();
            unwrap(&event).messages.remove(0).requests
        });
        let expected = objects.into_iter().map(Request::Object);
        assert!(asked.eq(expected));
    }

    #[test]
    fn calls_are_bounded_by_messages_and_bytes() {
        let sizes = |messages: &[String]| -> Vec<usize> {
            calls(messages).iter().map(|call| call.len()).collect()
        };
        assert_eq!(sizes(&vec![String::new(); 25]), [10, 10, 5]);
        assert_eq!(sizes(&vec!["x".repeat(100 << 10); 5]), [2, 2, 1]);
        assert_eq!(sizes(&vec!["x".repeat(300 << 10); 2]), [1, 1]);
        assert!(calls(&[]).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn entries_that_fail_are_sent_again_alone() {
        let http = ScriptedHttp::replies([
            Reply::answer(
                200,
                r#"{"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","Code":"InternalError"}]}"#,
            ),
            Reply::answer(200, r#"{"Successful":[{"Id":"1"}]}"#),
        ]);
        let queue = MessageQueue::new(URL, &http.sdk_config().await).unwrap();
        queue.send(&["a".into(), "b".into()]).await.unwrap();
        let [first, second] = &http.arrived()[..] else {
            panic!("two requests");
        };
        assert_eq!(first.url, "https://sqs.eu-west-1.amazonaws.com/");
        assert_eq!(
            first.header("x-amz-target"),
            Some("AmazonSQS.SendMessageBatch")
        );
        assert_eq!(
            first.header("content-type"),
            Some("application/x-amz-json-1.0")
        );
        let body: Value = serde_json::from_slice(&second.body).unwrap();
        assert_eq!(
            body,
            json!({"QueueUrl": URL, "Entries": [{"Id": "1", "MessageBody": "b"}]})
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_stays_refused_fails_with_the_code_and_the_queue() {
        let refused = r#"{"Failed":[{"Id":"0","Code":"InternalError"}]}"#;
        let http = ScriptedHttp::answering(move |_| Some(Reply::answer(200, refused)));
        let queue = MessageQueue::new(URL, &http.sdk_config().await).unwrap();
        let failure = queue.send(&["a".into()]).await.unwrap_err();
        assert_eq!(failure.error_type(), "Retry.Queue");
        assert!(failure.message.contains(URL) && failure.message.contains("InternalError"));
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_received_and_deleted() {
        let http = ScriptedHttp::replies([
            Reply::answer(
                200,
                r#"{"Messages":[{"MessageId":"m","ReceiptHandle":"r","Body":"b"}]}"#,
            ),
            Reply::answer(200, r#"{"Successful":[{"Id":"0"}]}"#),
            Reply::answer(200, "{}"),
        ]);
        let queue = MessageQueue::new(URL, &http.sdk_config().await).unwrap();
        let received = queue.receive().await.unwrap();
        assert_eq!(
            received,
            [Received {
                id: "m".into(),
                receipt: "r".into(),
                body: "b".into()
            }]
        );
        queue.delete(&["r"]).await.unwrap();
        assert_eq!(queue.receive().await, Ok(vec![]));
        queue.delete(&[]).await.unwrap();
        assert_eq!(http.arrived().len(), 3);
    }
}
