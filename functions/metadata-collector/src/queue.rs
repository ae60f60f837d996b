//! Handing work on: messages to the SQS queue whose messages this function gets.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use telemetry::describe::service::Service;

use crate::aws_cloud::AwsCloud;
use crate::cloud::{Cloud, Place};
use crate::job::Job;

/// Messages in one call, at most (`SendMessageBatch`, *SQS API Reference*).
const MESSAGES_AT_ONCE: usize = 10;

/// Attempts for messages that SQS did not take while it took others.
const ATTEMPTS: usize = 3;

/// The queue.
#[derive(Debug)]
pub struct Queue {
    cloud: Arc<AwsCloud>,
    url: String,
    region: String,
}

impl Queue {
    /// The queue with that URL, in the region of the function.
    pub fn new(cloud: Arc<AwsCloud>, url: String, region: String) -> Queue {
        Queue { cloud, url, region }
    }

    /// Hands jobs on.
    ///
    /// # Errors
    /// A sentence about the first message that was not taken; those before it were.
    pub async fn send(&self, jobs: &[Job]) -> Result<(), String> {
        let failed = |reason: String| {
            format!(
                "work could not be handed on to the queue {}: {reason}",
                self.url
            )
        };
        let own = self
            .cloud
            .own()
            .await
            .map_err(|error| failed(error.to_string()))?;
        let lane = self.cloud.lane(Place {
            account: String::new(),
            region: self.region.clone(),
            service: Service::Sqs,
        });
        for batch in jobs.chunks(MESSAGES_AT_ONCE) {
            let mut entries: Vec<Value> = batch
                .iter()
                .enumerate()
                .map(|(id, job)| {
                    json!({"Id": id.to_string(), "MessageBody": job.to_json().to_string()})
                })
                .collect();
            let mut attempt = 0;
            while !entries.is_empty() {
                attempt += 1;
                let parameters = Map::from_iter([
                    ("QueueUrl".to_owned(), json!(self.url)),
                    ("Entries".to_owned(), json!(entries)),
                ]);
                let answer = self
                    .cloud
                    .ask(&lane, &own.credentials, "SendMessageBatch", &parameters)
                    .await
                    .map_err(|error| failed(error.to_string()))?;
                let refused = answer.get("Failed").and_then(Value::as_array);
                let Some(first) = refused.and_then(|refused| refused.first()) else {
                    break;
                };
                if attempt == ATTEMPTS {
                    let code = first.get("Code").and_then(Value::as_str);
                    return Err(failed(code.unwrap_or("unknown error").to_owned()));
                }
                let again: Vec<&str> = refused
                    .into_iter()
                    .flatten()
                    .filter_map(|failed| failed.get("Id")?.as_str())
                    .collect();
                entries.retain(|entry| {
                    entry
                        .get("Id")
                        .and_then(Value::as_str)
                        .is_some_and(|id| again.contains(&id))
                });
            }
        }
        Ok(())
    }
}
