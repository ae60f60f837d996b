use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use invocation::JsonService;
use invocation::scripted_http::{Arrived, Reply, ScriptedHttp};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::batch::tests::batch_of;

fn lines(lengths: &[usize]) -> Bytes {
    let mut bytes = Vec::new();
    for (at, length) in lengths.iter().enumerate() {
        // Numbered, so that no two are the same where there is room.
        let mut line = at.to_string().into_bytes();
        line.resize(length - 1, b'.');
        line.push(b'\n');
        bytes.extend(line);
    }
    Bytes::from(bytes)
}

fn line_count(record: &Bytes) -> usize {
    record.iter().filter(|byte| **byte == b'\n').count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_line_arrives_once_in_order_and_within_the_limits(
        small in prop::collection::vec(1..1500_usize, 0..2000),
        large in prop::collection::vec((0..2000_usize, 500_000..=RECORD_BYTES), 0..7),
    ) {
        let mut lengths = small;
        for (at, length) in large {
            lengths.insert(at.min(lengths.len()), length);
        }
        let bytes = lines(&lengths);
        let calls = calls(records(&bytes).unwrap());
        let records: Vec<&Bytes> = calls.iter().flatten().collect();
        let joined: Vec<&[u8]> = records.iter().map(|record| &record[..]).collect();
        let joined = joined.concat();
        prop_assert!(joined == bytes);
        for record in &records {
            prop_assert!(record.ends_with(b"\n") && record.len() <= RECORD_BYTES);
            prop_assert!(line_count(record) <= RECORD_LINES);
        }
        for (first, second) in records.iter().zip(records.iter().skip(1)) {
            let next = second.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let full = line_count(first) == RECORD_LINES || first.len() + next > RECORD_BYTES;
            prop_assert!(full, "another line would have fitted");
        }
        for call in &calls {
            prop_assert!((1..=CALL_RECORDS).contains(&call.len()));
            prop_assert!(call.iter().map(Bytes::len).sum::<usize>() <= CALL_BYTES);
        }
    }
}

#[test]
fn calls_hold_five_hundred_records() {
    let records = vec![Bytes::from_static(b"0123456789\n"); 1201];
    let lengths: Vec<usize> = calls(records).iter().map(Vec::len).collect();
    assert_eq!(lengths, [500, 500, 201]);
    // Four of the largest records fit into a call, since base64 is not counted.
    let records = vec![Bytes::from(vec![0; RECORD_BYTES]); 9];
    let lengths: Vec<usize> = calls(records).iter().map(Vec::len).collect();
    assert_eq!(lengths, [4, 4, 1]);
}

#[test]
fn the_longest_line_is_a_record_and_a_longer_one_is_none() {
    let bytes = lines(&[10, RECORD_BYTES, 10]);
    let lengths: Vec<usize> = records(&bytes).unwrap().iter().map(Bytes::len).collect();
    assert_eq!(lengths, [10, RECORD_BYTES, 10]);
    let found = records(&lines(&[10, 10, RECORD_BYTES + 1, 10]));
    let line = LongLine {
        line: 3,
        bytes: RECORD_BYTES + 1,
    };
    assert_eq!(found, Err(line));
    assert_eq!(records(&Bytes::new()), Ok(vec![]));
    // What has no line end is kept as it is.
    assert_eq!(records(&Bytes::from("a\nb")), Ok(vec![Bytes::from("a\nb")]));
}

#[test]
fn streams_have_names() {
    assert!(is_stream_name("flows_v1.use1-a"));
    for wrong in ["", "a b", "a/b", "\"", &"a".repeat(65)] {
        assert!(!is_stream_name(wrong), "{wrong}");
    }
}

async fn destination(http: &ScriptedHttp) -> FirehoseDestination {
    let sdk = http.sdk_config().await;
    let client = JsonClient::new(&sdk, JsonService::Firehose, None).unwrap();
    FirehoseDestination::new(client, "flows".to_owned())
}

/// The records in a call.
fn put(arrived: &Arrived) -> Vec<Vec<u8>> {
    let input: Value = serde_json::from_slice(&arrived.body).unwrap();
    assert_eq!(input["DeliveryStreamName"], "flows");
    let records = input["Records"].as_array().unwrap();
    let data = records
        .iter()
        .map(|record| record["Data"].as_str().unwrap());
    data.map(|data| base64::decode(data).unwrap()).collect()
}

fn taken() -> Value {
    json!({"RecordId": "shardId-000000000000"})
}

fn slow_down() -> Value {
    json!({"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."})
}

/// Firehose, which refuses as `refuse` says of the number of the record among all that arrive, and keeps the rest.
fn firehose(
    refuse: impl Fn(u64) -> bool + Send + Sync + 'static,
) -> (ScriptedHttp, Arc<Mutex<Vec<Vec<u8>>>>) {
    let kept: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let (keep, arrivals) = (Arc::clone(&kept), AtomicU64::new(0));
    let http = ScriptedHttp::answering(move |arrived| {
        let records = put(arrived);
        assert!(records.len() <= CALL_RECORDS);
        let answers = records.into_iter().map(|record| {
            if refuse(arrivals.fetch_add(1, Ordering::Relaxed)) {
                return slow_down();
            }
            keep.lock().unwrap().push(record);
            taken()
        });
        let answers: Vec<Value> = answers.collect();
        let failed = answers
            .iter()
            .filter(|a| a.get("ErrorCode").is_some())
            .count();
        let answer = json!({"FailedPutCount": failed, "RequestResponses": answers});
        Some(Reply::answer(200, answer))
    });
    (http, kept)
}

#[tokio::test(start_paused = true)]
async fn refused_records_are_sent_again_alone() {
    // Three lines of which two make no record of 1,000 KiB: records of a line each.
    let bytes = lines(&[600_000, 600_001, 600_002]);
    let (http, kept) = firehose(|arrival| (1..=3).contains(&arrival));
    let confirmed = destination(&http).await.deliver(&batch_of(bytes)).await;
    assert_eq!(confirmed.unwrap().retries, 2);
    let sent: Vec<Vec<usize>> = http
        .arrived()
        .iter()
        .map(|arrived| put(arrived).iter().map(Vec::len).collect())
        .collect();
    assert_eq!(
        sent,
        [
            vec![600_000, 600_001, 600_002],
            vec![600_001, 600_002],
            vec![600_001]
        ]
    );
    assert_eq!(kept.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn whatever_is_refused_every_line_arrives_once_or_the_batch_fails() {
    let lengths: Vec<usize> = (0..4000).map(|at| 8 + at * 7919 % 30).collect();
    let bytes = lines(&lengths);
    let mut expected: Vec<Vec<u8>> = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    expected.sort();
    let mut outcomes = [0, 0];
    for seed in 0..60_u64 {
        let (http, kept) = firehose(move |arrival| {
            // A linear congruential generator: any share of refusals, the same at each run.
            let drawn = (arrival ^ (seed << 20)).wrapping_mul(6_364_136_223_846_793_005);
            (drawn.wrapping_add(1_442_695_040_888_963_407) >> 33) % 100 < seed + 10
        });
        let delivered = destination(&http)
            .await
            .deliver(&batch_of(bytes.clone()))
            .await;
        let mut found: Vec<Vec<u8>> = Vec::new();
        for record in kept.lock().unwrap().iter() {
            found.extend(
                record
                    .split_inclusive(|byte| *byte == b'\n')
                    .map(<[u8]>::to_vec),
            );
        }
        found.sort();
        match delivered {
            Ok(_) => assert!(found == expected, "seed {seed}"),
            Err(error) => {
                assert_eq!(error.class, FailureClass::Retry, "seed {seed}: {error}");
                found.dedup();
                assert!(found.len() < expected.len(), "seed {seed}");
                let of_batch = |line: &Vec<u8>| expected.binary_search(line).is_ok();
                assert!(found.iter().all(of_batch), "seed {seed}");
            }
        }
        outcomes[usize::from(found == expected)] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_every_time_is_no_confirmation() {
    let (http, kept) = firehose(|_| true);
    let error = destination(&http)
        .await
        .deliver(&batch_of(lines(&[100; 3])))
        .await
        .unwrap_err();
    assert_eq!(error.class, FailureClass::Retry);
    assert_eq!(error.code, "ServiceUnavailableException");
    assert_eq!(error.destination, "firehose://flows?region=us-east-1");
    let attempts = RetryPolicy::default().attempts;
    assert_eq!(error.retries, attempts - 1);
    assert!(error.reason.contains("Slow down; a stream"), "{error}");
    assert_eq!(http.arrived().len(), attempts as usize);
    assert!(kept.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_as_a_whole_are_sent_again_or_explained() {
    use FailureClass::{Config, Retry};
    let all_taken = json!({"FailedPutCount": 0, "RequestResponses": [taken()]});
    let error = |code: &str, status| {
        let body = json!({"__type": format!("com.amazonaws.firehose#{code}"), "message": "so"});
        Reply::answer(status, body)
    };
    let unavailable = error("ServiceUnavailableException", 503);
    let http = ScriptedHttp::replies([
        unavailable.clone(),
        Reply::Cut,
        Reply::answer(200, &all_taken),
    ]);
    let batch = batch_of(lines(&[100]));
    let confirmed = destination(&http).await.deliver(&batch).await.unwrap();
    assert_eq!((confirmed.retries, confirmed.rejected), (2, 0));
    for (reply, class, code, sent) in [
        (unavailable, Retry, "ServiceUnavailableException", 4),
        (Reply::Refused, Retry, "Unreachable", 4),
        (Reply::answer(200, "{}"), Retry, "UnreadableAnswer", 1),
        (
            Reply::answer(200, json!({"FailedPutCount": 0, "RequestResponses": []})),
            Retry,
            "UnreadableAnswer",
            1,
        ),
        (
            error("ResourceNotFoundException", 400),
            Config,
            "ResourceNotFoundException",
            1,
        ),
        (
            error("AccessDeniedException", 400),
            Config,
            "AccessDeniedException",
            1,
        ),
        (
            error("InvalidKMSResourceException", 400),
            Config,
            "InvalidKMSResourceException",
            1,
        ),
        (
            error("InvalidArgumentException", 400),
            Config,
            "InvalidArgumentException",
            1,
        ),
    ] {
        let http = ScriptedHttp::answering(move |_| Some(reply.clone()));
        let error = destination(&http).await.deliver(&batch).await.unwrap_err();
        assert_eq!((error.class, &*error.code), (class, code), "{error}");
        assert_eq!(http.arrived().len(), sent, "{error}");
        assert_eq!(error.retries as usize, sent - 1, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_without_an_id_was_not_taken() {
    let unsure = json!({"FailedPutCount": 0, "RequestResponses": [{}]});
    let all_taken = json!({"FailedPutCount": 0, "RequestResponses": [taken()]});
    let replies = [unsure, all_taken].map(|answer| Reply::answer(200, answer));
    let http = ScriptedHttp::replies(replies);
    let batch = batch_of(lines(&[100]));
    let confirmed = destination(&http).await.deliver(&batch).await.unwrap();
    assert_eq!(confirmed.retries, 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_of_a_batch_with_a_line_that_is_too_long() {
    let (http, _) = firehose(|_| false);
    let batch = batch_of(lines(&[100, RECORD_BYTES + 1]));
    let error = destination(&http).await.deliver(&batch).await.unwrap_err();
    assert_eq!(
        (error.class, &*error.code),
        (FailureClass::Poison, "RecordTooLarge")
    );
    assert!(
        error
            .reason
            .starts_with("record 2 of the batch has 1024001 bytes"),
        "{error}"
    );
    assert!(http.arrived().is_empty());
}
