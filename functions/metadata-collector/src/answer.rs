//! The answer to an invocation.

use invocation::Budget;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::collector::{Collector, RunError};
use crate::job::{self, Invocation};
use crate::report::{Report, Summary};
use telemetry::FailureClass;

/// What an invocation did, and what its caller is told.
#[derive(Debug)]
pub struct Answer {
    /// What was done.
    pub summary: Summary,
    /// The answer, or the failure of the whole invocation.
    pub result: Result<Value, RunError>,
}

impl RunError {
    /// The error type for Lambda: `Config.Role`.
    pub fn error_type(&self) -> String {
        format!("{}.{}", self.class, self.code)
    }
}

impl<C: Cloud> Collector<C> {
    /// Handles an event: the schedule, a job, or messages of the queue.
    ///
    /// Messages fail one by one; a message that is no job fails until the queue gives it up.
    pub async fn handle(&self, event: &Value, budget: &Budget) -> Answer {
        let invocation = match job::read(event) {
            Ok(invocation) => invocation,
            Err(message) => {
                return Answer {
                    summary: Summary::default(),
                    result: Err(RunError {
                        class: FailureClass::Poison,
                        code: "Event",
                        message,
                    }),
                };
            }
        };
        let observe = &|_: Report<'_>| {};
        let done = match invocation {
            Invocation::Everything(export) => self.everything(export, budget, observe).await,
            Invocation::Job(job) => self.jobs(vec![*job], budget, observe).await,
            Invocation::Queue(messages) => return self.messages(messages, budget).await,
        };
        match done {
            Ok(summary) => Answer {
                result: Ok(summary.to_json()),
                summary,
            },
            Err(error) => {
                tracing::error!(error_type = error.error_type(), %error, "the run failed");
                Answer {
                    summary: Summary::default(),
                    result: Err(error),
                }
            }
        }
    }

    async fn messages(
        &self,
        messages: Vec<(String, Result<job::Job, String>)>,
        budget: &Budget,
    ) -> Answer {
        let mut summary = Summary::default();
        let mut failed = Vec::new();
        for (id, job) in messages {
            let done = match job {
                Ok(job) => self.jobs(vec![job], budget, &|_: Report<'_>| {}).await,
                Err(reason) => Err(RunError {
                    class: FailureClass::Poison,
                    code: "Message",
                    message: format!("the message is no job: {reason}"),
                }),
            };
            match done {
                Ok(done) => summary.join(&done),
                Err(error) => {
                    tracing::error!(
                        message_id = id,
                        error_type = error.error_type(),
                        %error,
                        "the message failed"
                    );
                    failed.push(json!({"itemIdentifier": id}));
                }
            }
        }
        Answer {
            summary,
            result: Ok(json!({"batchItemFailures": failed})),
        }
    }
}
