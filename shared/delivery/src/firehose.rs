//! Amazon Data Firehose: batches of lines, joined into records, in as few calls as its limits allow.
//!
//! ```text
//! Batch ─▶ lines ─▶ records: whole lines, up to 1,000 KiB ─▶ calls: up to 500 records and 4 MiB
//!                                                            └─ records that a call refused are sent again, alone
//! ```
//!
//! Firehose bills a record as a multiple of 5 KB, and counts records and calls for its quotas: joined
//! lines cost least. It knows no identity of records, so delivery is at least once: a batch that is delivered
//! again, or whose call broke off before its answer came, arrives twice. Records of a batch may
//! arrive in any order.

use std::sync::Arc;

use aws_smithy_types::base64;
use bytes::Bytes;
use invocation::JsonClient;
use serde_json::Value;
use telemetry::FailureClass;
use telemetry::describe::partition;

use crate::batch::Batch;
use crate::destination::{Confirmation, DeliveryError, Destination};
use crate::retry::{RetryPolicy, SystemTimer, Timer};
use crate::service_failure::{ServiceFailure, ServiceUse, printable};

// The limits of `PutRecordBatch` (*Firehose API Reference*). Bytes are counted before base64.

/// The largest record: 1,000 KiB.
const RECORD_BYTES: usize = 1_000 << 10;

/// Lines in a record, at most: streams that take records apart again take no more.
const RECORD_LINES: usize = 500;

/// Records in a call, at most.
const CALL_RECORDS: usize = 500;

/// Bytes of all records of a call, at most: 4 MiB.
const CALL_BYTES: usize = 4 << 20;

/// The longest name of a stream.
const NAME_BYTES: usize = 64;

/// Whether a text can be the name of a stream (`DeliveryStreamName`, *Firehose API Reference*).
pub fn is_stream_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(fits)
}

/// A line that no record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LongLine {
    /// Its place among the lines, from 1.
    line: usize,
    /// Its length, with the line end.
    bytes: usize,
}

/// Joins whole lines into records.
fn records(lines: &Bytes) -> Result<Vec<Bytes>, LongLine> {
    let mut records = Vec::new();
    let (mut start, mut end, mut joined) = (0, 0, 0);
    for (at, line) in lines.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.len() > RECORD_BYTES {
            return Err(LongLine {
                line: at + 1,
                bytes: line.len(),
            });
        }
        if joined == RECORD_LINES || end - start + line.len() > RECORD_BYTES {
            records.push(lines.slice(start..end));
            (start, joined) = (end, 0);
        }
        end += line.len();
        joined += 1;
    }
    if start < end {
        records.push(lines.slice(start..end));
    }
    Ok(records)
}

/// Gathers records into calls, in their order.
fn calls(records: Vec<Bytes>) -> Vec<Vec<Bytes>> {
    let mut calls: Vec<Vec<Bytes>> = Vec::new();
    let mut held = 0;
    for record in records {
        match calls.last_mut() {
            Some(call) if call.len() < CALL_RECORDS && held + record.len() <= CALL_BYTES => {
                held += record.len();
                call.push(record);
            }
            _ => {
                held = record.len();
                calls.push(vec![record]);
            }
        }
    }
    calls
}

/// The input of `PutRecordBatch`. The name of the stream and base64 need no escapes.
fn input(stream: &str, records: &[Bytes]) -> Vec<u8> {
    let bytes: usize = records
        .iter()
        .map(|r| base64::encoded_length(r.len()))
        .sum();
    let mut input = String::with_capacity(bytes + 12 * records.len() + 128);
    input.push_str(r#"{"DeliveryStreamName":""#);
    input.push_str(stream);
    input.push_str(r#"","Records":["#);
    for (at, record) in records.iter().enumerate() {
        input.push_str(if at == 0 {
            r#"{"Data":""#
        } else {
            r#",{"Data":""#
        });
        input.push_str(&base64::encode(record));
        input.push_str(r#""}"#);
    }
    input.push_str("]}");
    input.into_bytes()
}

/// Records that a call refused while it took others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    /// Their places in the call.
    places: Vec<usize>,
    /// The code and the message of the first.
    code: String,
    message: String,
}

/// Reads the answer to a call of so many records: `None` when all were taken. A record is taken when it
/// was given an id; the answer has a member for each, in their order.
fn refused(answer: &Value, records: usize) -> Result<Option<Refused>, String> {
    let responses = answer.get("RequestResponses").and_then(Value::as_array);
    let responses = responses.map_or(&[][..], Vec::as_slice);
    if responses.len() != records {
        return Err(format!(
            "it speaks of {} records where {records} were sent",
            responses.len()
        ));
    }
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    let failed = |response: &&Value| {
        text(response, "ErrorCode").is_some() || text(response, "RecordId").is_none()
    };
    let Some(first) = responses.iter().find(failed) else {
        return Ok(None);
    };
    let numbered = responses.iter().enumerate();
    Ok(Some(Refused {
        places: numbered
            .filter(|(_, r)| failed(r))
            .map(|(at, _)| at)
            .collect(),
        code: text(first, "ErrorCode").unwrap_or_else(|| "NoRecordId".to_owned()),
        message: text(first, "ErrorMessage").unwrap_or_default(),
    }))
}

/// Puts batches into a stream that takes "Direct PUT". See the module for what is promised.
#[derive(Debug)]
pub struct FirehoseDestination {
    client: JsonClient,
    stream: String,
    policy: RetryPolicy,
    timer: Arc<dyn Timer>,
}

impl FirehoseDestination {
    /// Records are put into a stream ([`is_stream_name`]) in the client's region.
    pub fn new(client: JsonClient, stream: String) -> FirehoseDestination {
        FirehoseDestination {
            client,
            stream,
            policy: RetryPolicy::default(),
            timer: Arc::new(SystemTimer),
        }
    }

    /// Changes when records are sent again that Firehose refused one by one, and where time comes from. Calls
    /// that fail as a whole are sent again as all calls of AWS are.
    pub fn retrying(self, policy: RetryPolicy, timer: Arc<dyn Timer>) -> FirehoseDestination {
        FirehoseDestination {
            policy,
            timer,
            ..self
        }
    }

    /// Puts the records of one call; adds to `retries` what was sent more than once.
    async fn put(&self, mut records: Vec<Bytes>, retries: &mut u32) -> Result<(), ServiceFailure> {
        let mut attempt = 1;
        loop {
            let input = input(&self.stream, &records);
            let answered = match self.client.call("PutRecordBatch", input).await {
                Ok(answered) => answered,
                Err(error) => {
                    *retries += error.attempts.saturating_sub(1);
                    return Err(self.failure(&error));
                }
            };
            *retries += answered.attempts.saturating_sub(1);
            let refused = match refused(&answered.value, records.len()) {
                Ok(None) => return Ok(()),
                Ok(Some(refused)) => refused,
                Err(problem) => {
                    return Err(ServiceFailure {
                        class: FailureClass::Retry,
                        code: "UnreadableAnswer".to_owned(),
                        reason: format!("the answer cannot be believed: {problem}"),
                    });
                }
            };
            let random = self.timer.random();
            let delay = self
                .policy
                .delay(attempt, FailureClass::Retry, None, random);
            let Some(delay) = delay else {
                let (left, said) = (refused.places.len(), printable(&refused.message));
                return Err(ServiceFailure {
                    class: FailureClass::Retry,
                    reason: format!(
                        "{left} of the Firehose records were refused {attempt} times, last with {}: {said}; a stream that is sent more than it takes needs a higher quota (Service Quotas, Amazon Data Firehose)",
                        refused.code
                    ),
                    code: refused.code,
                });
            };
            self.timer.sleep(delay).await;
            attempt += 1;
            *retries += 1;
            let places = refused.places.iter();
            records = places.filter_map(|at| records.get(*at).cloned()).collect();
        }
    }

    fn failure(&self, error: &invocation::service_call::CallError) -> ServiceFailure {
        let region = self.client.region();
        let partition = partition::of_region(region).map_or("aws", |partition| partition.name);
        let put = ServiceUse {
            action: "firehose:PutRecordBatch",
            what: &format!("stream {} in {region}", self.stream),
            resource: &format!(
                "arn:{partition}:firehose:{region}:*:deliverystream/{}",
                self.stream
            ),
        };
        put.failure(error)
    }
}

impl Destination for FirehoseDestination {
    /// Nothing is sent of a batch in which a line is too long for a record.
    async fn deliver(&self, batch: &Batch) -> Result<Confirmation, DeliveryError> {
        let failed = |failure: ServiceFailure, retries| DeliveryError {
            class: failure.class,
            code: failure.code,
            destination: format!("firehose://{}?region={}", self.stream, self.client.region()),
            reason: failure.reason,
            retries,
        };
        let records = records(&batch.bytes).map_err(|LongLine { line, bytes }| {
            let failure = ServiceFailure {
                class: FailureClass::Poison,
                code: "RecordTooLarge".to_owned(),
                reason: format!(
                    "record {line} of the batch has {bytes} bytes where Firehose takes {RECORD_BYTES}: enrich with less, or deliver to another kind of destination"
                ),
            };
            failed(failure, 0)
        })?;
        let mut retries = 0;
        for call in calls(records) {
            let put = self.put(call, &mut retries).await;
            put.map_err(|failure| failed(failure, retries))?;
        }
        Ok(Confirmation {
            retries,
            ..Confirmation::default()
        })
    }
}

#[cfg(test)]
mod tests;
