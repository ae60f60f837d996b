//! What an invocation answers.

use serde_json::{Value, json};
use telemetry::FailureClass;

use crate::event::Trigger;
use crate::failure::Failure;

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageOutcome {
    /// The SQS message id, if it came from a queue.
    pub id: Option<String>,
    /// Why it is not done; the worst failure of its objects.
    pub failure: Option<Failure>,
}

/// The answer to Lambda.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To an SQS event source mapping: the messages that are not done.
    Queue(Vec<String>),
    /// To any other caller: all is done.
    Done,
    /// To a caller that asked for a backfill: what lies behind a key is not done, and has to be asked for again.
    More {
        /// The key.
        after: String,
        /// Objects up to that key that are not done either, by bucket and key, and why. They are not asked for again.
        failed: Vec<(String, Failure)>,
    },
    /// The invocation fails: nothing of it may be taken for done.
    Failed(Failure),
}

impl Answer {
    /// The answer to these outcomes.
    ///
    /// A queue is told the exact messages that failed, of whatever class: those that can succeed
    /// come back, the others end in the dead-letter queue, none is lost. Without a queue any
    /// failure fails the invocation, which Lambda repeats and then sends to the on-failure
    /// destination.
    pub fn new(trigger: Trigger, messages: &[MessageOutcome]) -> Answer {
        let failed = messages.iter().filter(|message| message.failure.is_some());
        let Some(worst) = worst(failed.clone().filter_map(|m| m.failure.as_ref())) else {
            return match trigger {
                Trigger::Queue => Answer::Queue(Vec::new()),
                Trigger::Direct => Answer::Done,
            };
        };
        let ids: Option<Vec<String>> = failed.map(|message| message.id.clone()).collect();
        match (trigger, ids) {
            (Trigger::Queue, Some(ids)) => Answer::Queue(ids),
            // A failed message without an id cannot be named: the whole batch has to come back.
            _ => Answer::Failed(worst.clone()),
        }
    }

    /// The answer as JSON ("Reporting batch item failures", *Lambda Developer Guide*).
    ///
    /// # Errors
    /// The failure, when the invocation fails.
    pub fn into_json(self) -> Result<Value, Failure> {
        match self {
            Answer::Queue(ids) => {
                let failures: Vec<Value> = ids
                    .into_iter()
                    .map(|id| json!({ "itemIdentifier": id }))
                    .collect();
                Ok(json!({ "batchItemFailures": failures }))
            }
            Answer::Done => Ok(json!({ "status": "done" })),
            Answer::More { after, failed } if failed.is_empty() => {
                Ok(json!({ "status": "more", "after": after }))
            }
            Answer::More { after, failed } => {
                let failed = failed.into_iter().map(|(object, failure)| {
                    json!({
                        "object": object,
                        "errorType": failure.error_type(),
                        "errorMessage": failure.to_string(),
                    })
                });
                let failed: Vec<Value> = failed.collect();
                Ok(json!({ "status": "more", "after": after, "failed": failed }))
            }
            Answer::Failed(failure) => Err(failure),
        }
    }
}

/// The failure that speaks for several: one that needs a person first, then one that time heals.
pub fn worst<'f>(failures: impl Iterator<Item = &'f Failure>) -> Option<&'f Failure> {
    failures.min_by_key(|failure| match failure.class {
        FailureClass::Config => 0,
        FailureClass::Retry => 1,
        FailureClass::Poison => 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(id: Option<&str>, class: Option<FailureClass>) -> MessageOutcome {
        let failure = class.map(|class| Failure {
            class,
            code: "X".to_owned(),
            message: "why".to_owned(),
        });
        MessageOutcome {
            id: id.map(str::to_owned),
            failure,
        }
    }

    #[test]
    fn a_queue_is_told_the_messages_that_failed() {
        let messages = [
            outcome(Some("a"), None),
            outcome(Some("b"), Some(FailureClass::Poison)),
            outcome(Some("c"), Some(FailureClass::Retry)),
        ];
        let json = Answer::new(Trigger::Queue, &messages).into_json().unwrap();
        assert_eq!(
            json,
            json!({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "c"}]})
        );
        let json = Answer::new(Trigger::Queue, &messages[..1])
            .into_json()
            .unwrap();
        assert_eq!(json, json!({"batchItemFailures": []}));
    }

    #[test]
    fn a_failed_message_without_id_fails_the_batch() {
        let messages = [
            outcome(Some("a"), None),
            outcome(None, Some(FailureClass::Poison)),
        ];
        assert!(matches!(
            Answer::new(Trigger::Queue, &messages),
            Answer::Failed(_)
        ));
    }

    #[test]
    fn a_direct_invocation_fails_with_what_speaks_for_all() {
        assert_eq!(
            Answer::new(Trigger::Direct, &[outcome(None, None)]),
            Answer::Done
        );
        let messages = [
            outcome(None, Some(FailureClass::Retry)),
            outcome(None, Some(FailureClass::Config)),
        ];
        let failure = Answer::new(Trigger::Direct, &messages)
            .into_json()
            .unwrap_err();
        assert_eq!(failure.error_type(), "Config.X");
    }
}
