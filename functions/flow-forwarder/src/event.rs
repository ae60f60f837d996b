//! From any accepted event to the objects it names.
//!
//! S3 notifications come directly, through SNS, through SQS, or through both with or without raw
//! delivery; EventBridge "Object Created" events come directly or through SQS; an operator may ask
//! for objects by name. One function unwraps them all.

use std::borrow::Cow;

use serde_json::Value;

use crate::listing::Listing;

/// An object to forward.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// Bucket.
    pub bucket: String,
    /// Key, decoded.
    pub key: String,
    /// Another form of the key, tried once when there is no object under the first. EventBridge
    /// does not say whether its keys are encoded.
    pub other_key: Option<String>,
    /// Version, in buckets with versioning.
    pub version: Option<String>,
    /// ETag, as far as the event tells it.
    pub etag: Option<String>,
    /// The bucket's region, as far as the event tells it.
    pub region: Option<String>,
    /// Its size in bytes, as far as the event tells it.
    pub size: Option<u64>,
}

impl ObjectRef {
    /// An object of which nothing but its place is known.
    pub fn new(bucket: &str, key: &str) -> ObjectRef {
        ObjectRef {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            other_key: None,
            version: None,
            etag: None,
            region: None,
            size: None,
        }
    }

    /// Whether it has the bucket and the key of another: it may be the same, as somebody else tells of it.
    pub fn has_key_of(&self, other: &ObjectRef) -> bool {
        self.bucket == other.bucket && self.key == other.key
    }

    /// The object as an element of `backfill.objects`, from which [`unwrap`] makes it again.
    pub fn to_json(&self) -> Value {
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        let members = [
            ("bucket", Some(self.bucket.as_str().into())),
            ("key", Some(self.key.as_str().into())),
            ("version", text(&self.version)),
            ("etag", text(&self.etag)),
            ("region", text(&self.region)),
            ("size", self.size.map(Value::from)),
        ];
        let members = members.into_iter();
        let members = members.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(members.collect())
    }
}

/// What part of an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// An object to forward.
    Object(ObjectRef),
    /// Objects that lie in a bucket already.
    Backfill(Listing),
    /// Nothing to do, and why: a test event, a deletion, another program's event.
    Ignored(String),
    /// It should have been an event and is none: nobody can process it.
    Malformed(String),
}

/// A part of the invocation that succeeds or fails by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The SQS message id; `None` when the invocation did not come from a queue.
    pub id: Option<String>,
    /// Whether what it asks for may have been processed before: the queue hands it out again, or it is of a backfill.
    pub again: bool,
    /// What it asks for.
    pub requests: Vec<Request>,
}

/// Where an invocation came from, which decides how failures are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// An SQS event source mapping: failed messages are named.
    Queue,
    /// Anything else: the invocation fails or succeeds as a whole.
    Direct,
}

/// An event, unwrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Where it came from.
    pub trigger: Trigger,
    /// Its messages; exactly one for [`Trigger::Direct`].
    pub messages: Vec<Message>,
}

impl Invocation {
    /// What all of its messages ask for.
    pub fn into_requests(self) -> impl Iterator<Item = Request> {
        let messages = self.messages.into_iter();
        messages.flat_map(|message| message.requests)
    }
}

/// Envelopes within envelopes, at most: SQS, SNS and the notification are three.
const MAX_DEPTH: usize = 5;

/// Unwraps an event.
pub fn unwrap(event: &Value) -> Invocation {
    let records = event.get("Records").and_then(Value::as_array);
    let from_queue =
        |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
    match records {
        Some(records) if records.first().is_some_and(from_queue) => Invocation {
            trigger: Trigger::Queue,
            messages: records.iter().map(queue_message).collect(),
        },
        _ => {
            let mut requests = Vec::new();
            unwrap_value(event, MAX_DEPTH, &mut requests);
            Invocation {
                trigger: Trigger::Direct,
                messages: vec![Message {
                    id: None,
                    again: is_of_backfill(event),
                    requests,
                }],
            }
        }
    }
}

fn queue_message(record: &Value) -> Message {
    let mut requests = Vec::new();
    let mut again = is_again(record);
    match record.get("body").and_then(Value::as_str) {
        Some(body) => {
            let event = unwrap_text(body, "the SQS message body", MAX_DEPTH, &mut requests);
            again |= event.is_some_and(|event| is_of_backfill(&event));
        }
        None => requests.push(Request::Malformed("the SQS record has no body".to_owned())),
    }
    Message {
        id: text(record, "messageId")
            .filter(|id| !id.is_empty())
            .map(str::to_owned),
        again,
        requests,
    }
}

/// Whether an event is our own request for what lies in a bucket already.
fn is_of_backfill(event: &Value) -> bool {
    event.get("backfill").is_some()
}

/// Whether the queue hands a message out again ("ReceiveMessage", *SQS API Reference*). One that does not say is
/// taken for one that does.
fn is_again(record: &Value) -> bool {
    let count = record.get("attributes");
    count.and_then(|attributes| text(attributes, "ApproximateReceiveCount")) != Some("1")
}

/// Unwraps an event that is a text, and returns it.
fn unwrap_text(body: &str, what: &str, depth: usize, requests: &mut Vec<Request>) -> Option<Value> {
    match serde_json::from_str::<Value>(body) {
        Ok(value @ Value::Object(_)) => {
            unwrap_value(&value, depth, requests);
            Some(value)
        }
        _ => {
            requests.push(Request::Malformed(format!("{what} is not a JSON object")));
            None
        }
    }
}

fn unwrap_value(value: &Value, depth: usize, requests: &mut Vec<Request>) {
    let Some(depth) = depth.checked_sub(1) else {
        requests.push(Request::Malformed(
            "the event has too many envelopes".to_owned(),
        ));
        return;
    };
    if let Some(records) = value.get("Records").and_then(Value::as_array) {
        if records.is_empty() {
            requests.push(Request::Ignored("an event without records".to_owned()));
        }
        for record in records {
            unwrap_record(record, depth, requests);
        }
    } else if text(value, "Event") == Some("s3:TestEvent") {
        requests.push(Request::Ignored("s3:TestEvent".to_owned()));
    } else if text(value, "Type") == Some("Notification")
        && let Some(message) = text(value, "Message")
    {
        unwrap_text(message, "the SNS message", depth, requests);
    } else if text(value, "source") == Some("aws.s3") {
        requests.push(object_created(value));
    } else if let Some(backfill) = value.get("backfill").and_then(Value::as_object)
        && let (Some(objects), 1) = (backfill.get("objects"), backfill.len())
    {
        named(objects, requests);
    } else if let Some(listing) = value.get("backfill").filter(|b| b.is_object()) {
        requests.push(match Listing::from_json(listing) {
            Ok(listing) => Request::Backfill(listing),
            Err(problem) => Request::Malformed(problem),
        });
    } else {
        requests.push(Request::Ignored(foreign(value)));
    }
}

fn unwrap_record(record: &Value, depth: usize, requests: &mut Vec<Request>) {
    match (text(record, "eventSource"), text(record, "EventSource")) {
        (Some("aws:s3"), _) => requests.push(notification(record)),
        (Some("aws:sqs"), _) => requests.extend(queue_message(record).requests),
        (_, Some("aws:sns")) => match record.get("Sns").and_then(|sns| text(sns, "Message")) {
            Some(message) => drop(unwrap_text(message, "the SNS message", depth, requests)),
            None => requests.push(Request::Malformed(
                "the SNS record has no message".to_owned(),
            )),
        },
        (source, other) => {
            let source = source.or(other).unwrap_or("unknown");
            requests.push(Request::Ignored(format!("a record of {source}")));
        }
    }
}

/// A record of an S3 event notification ("Event message structure", *S3 User Guide*): version 2,
/// the key encoded as in HTML forms.
fn notification(record: &Value) -> Request {
    let name = text(record, "eventName").unwrap_or_default();
    // Configurations write the name with a prefix, events without.
    if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
        return Request::Ignored(format!("S3 event {name}"));
    }
    let major = text(record, "eventVersion").and_then(|v| v.split('.').next());
    if major != Some("2") {
        return Request::Malformed(format!(
            "the S3 event has version {}, this program knows version 2",
            major.unwrap_or("none")
        ));
    }
    let s3 = record.get("s3");
    let bucket = s3
        .and_then(|s| s.get("bucket"))
        .and_then(|b| text(b, "name"));
    let object = s3.and_then(|s| s.get("object"));
    let key = object.and_then(|o| text(o, "key"));
    let (Some(bucket), Some(object), Some(key)) = (bucket, object, key) else {
        return Request::Malformed("the S3 event names no bucket and key".to_owned());
    };
    match form_decoded(key) {
        Some(key) => object_request(ObjectRef {
            bucket: bucket.to_owned(),
            key,
            other_key: None,
            version: text(object, "versionId").map(str::to_owned),
            etag: text(object, "eTag").map(str::to_owned),
            region: text(record, "awsRegion").map(str::to_owned),
            size: size(object),
        }),
        None => {
            Request::Malformed("the S3 event's key is not encoded as S3 encodes keys".to_owned())
        }
    }
}

/// An EventBridge event of S3 ("Object Created", *EventBridge* in the *S3 User Guide*): the key as
/// it is.
fn object_created(event: &Value) -> Request {
    let kind = text(event, "detail-type").unwrap_or_default();
    if kind != "Object Created" {
        return Request::Ignored(format!("S3 event {kind}"));
    }
    let detail = event.get("detail");
    let bucket = detail
        .and_then(|d| d.get("bucket"))
        .and_then(|b| text(b, "name"));
    let object = detail.and_then(|d| d.get("object"));
    let key = object.and_then(|o| text(o, "key"));
    let (Some(bucket), Some(object), Some(key)) = (bucket, object, key) else {
        return Request::Malformed("the EventBridge event names no bucket and key".to_owned());
    };
    object_request(ObjectRef {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        other_key: form_decoded(key).filter(|decoded| decoded != key),
        version: text(object, "version-id").map(str::to_owned),
        etag: text(object, "etag").map(str::to_owned),
        region: text(event, "region").map(str::to_owned),
        size: size(object),
    })
}

/// Our own request for objects by name: `{"backfill": {"objects": [{"bucket", "key"}]}}`, keys as they are; `version`,
/// `etag`, `region` and `size` may be told as well.
fn named(objects: &Value, requests: &mut Vec<Request>) {
    let Some(objects) = objects.as_array() else {
        requests.push(Request::Malformed(
            "backfill.objects is not a list".to_owned(),
        ));
        return;
    };
    for object in objects {
        let request = match (text(object, "bucket"), text(object, "key")) {
            (Some(bucket), Some(key)) => object_request(ObjectRef {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                other_key: None,
                version: text(object, "version").map(str::to_owned),
                etag: text(object, "etag").map(str::to_owned),
                region: text(object, "region").map(str::to_owned),
                size: size(object),
            }),
            _ => Request::Malformed("a backfill object lacks its bucket or key".to_owned()),
        };
        requests.push(request);
    }
}

/// Consoles make "folders" as empty objects whose key ends in a slash.
fn object_request(object: ObjectRef) -> Request {
    if object.key.ends_with('/') {
        return Request::Ignored("a folder marker".to_owned());
    }
    Request::Object(object)
}

/// What an event of another program is called in the log, without its content.
fn foreign(value: &Value) -> String {
    match (text(value, "source"), text(value, "detail-type")) {
        (Some(source), Some(kind)) => format!("an event of {source}: {kind}"),
        _ => "an event this program does not know".to_owned(),
    }
}

/// Notifications of both kinds tell the size as a number.
fn size(object: &Value) -> Option<u64> {
    object.get("size")?.as_u64()
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

/// Decodes `application/x-www-form-urlencoded` text: `+` is a space first, then `%XX`. `None` when
/// an escape is none or the bytes are not UTF-8.
fn form_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                (high * 16 + low) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A key as S3 notifications encode it; the reverse of what [`unwrap`] undoes.
pub fn form_encoded(key: &str) -> Cow<'_, str> {
    let literal =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'*' | b'/');
    if key.bytes().all(literal) {
        return Cow::Borrowed(key);
    }
    let encode = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if literal(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    Cow::Owned(key.bytes().map(encode).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn s3_record(key: &str) -> Value {
        json!({"eventVersion": "2.6", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventName": "ObjectCreated:Put",
               "s3": {"bucket": {"name": "logs"}, "object": {"key": key, "eTag": "e1", "versionId": "v1"}}})
    }

    fn keys(event: &Value) -> Vec<String> {
        let requests = unwrap(event).messages.into_iter().flat_map(|m| m.requests);
        requests
            .map(|request| match request {
                Request::Object(object) => object.key,
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn keys_of_notifications_are_decoded_plus_first() {
        let event = json!({"Records": [s3_record("a+b%2Bc/year%3D2026/%C3%A9.gz")]});
        assert_eq!(keys(&event), ["a b+c/year=2026/é.gz"]);
        assert!(keys(&json!({"Records": [s3_record("50%")]}))[0].starts_with("Malformed"));
        for key in ["a b+c/year=2026/é.gz", "plain/key-1_2.log.gz", "100%"] {
            assert_eq!(form_decoded(&form_encoded(key)).as_deref(), Some(key));
        }
    }

    #[test]
    fn eventbridge_keys_are_taken_as_they_are_with_the_decoded_form_in_reserve() {
        let event = json!({"source": "aws.s3", "detail-type": "Object Created", "region": "eu-west-3",
            "detail": {"bucket": {"name": "logs"}, "object": {"key": "a%3Db.gz", "etag": "e", "version-id": "v"}}});
        let Request::Object(object) = unwrap(&event).messages.remove(0).requests.remove(0) else {
            panic!("an object was expected");
        };
        assert_eq!(
            (object.key.as_str(), object.other_key.as_deref()),
            ("a%3Db.gz", Some("a=b.gz"))
        );
        assert_eq!(
            (object.region.as_deref(), object.version.as_deref()),
            (Some("eu-west-3"), Some("v"))
        );
    }

    #[test]
    fn every_nesting_gives_every_record() {
        let s3 = json!({"Records": [s3_record("1"), s3_record("2")]});
        let envelope = json!({"Type": "Notification", "Message": s3.to_string()});
        let sns =
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": s3.to_string()}}]});
        let sqs = |body: &Value| json!({"Records": [{"messageId": "m1", "eventSource": "aws:sqs", "body": body.to_string()}]});
        for event in [s3.clone(), sns, sqs(&s3), sqs(&envelope), envelope] {
            assert_eq!(keys(&event), ["1", "2"], "{event}");
        }
        let invocation = unwrap(&sqs(&s3));
        assert_eq!(invocation.trigger, Trigger::Queue);
        assert_eq!(invocation.messages[0].id.as_deref(), Some("m1"));
    }

    #[test]
    fn one_message_that_is_no_event_leaves_the_others_alone() {
        let good = json!({"Records": [s3_record("1")]}).to_string();
        let record =
            |id: &str, body: &str| json!({"messageId": id, "eventSource": "aws:sqs", "body": body});
        let event = json!({"Records": [record("a", "not json"), record("b", &good), record("c", "[]"), {"messageId": "d", "eventSource": "aws:sqs"}]});
        let messages = unwrap(&event).messages;
        assert_eq!(messages.len(), 4);
        for (index, malformed) in [true, false, true, true].into_iter().enumerate() {
            assert_eq!(
                matches!(messages[index].requests[..], [Request::Malformed(_)]),
                malformed,
                "{index}"
            );
        }
    }

    #[test]
    fn what_is_not_for_us_is_ignored_with_its_name() {
        for (event, name) in [
            (
                json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "logs"}),
                "s3:TestEvent",
            ),
            (
                json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification"}),
                "aws.ec2",
            ),
            (
                json!({"source": "aws.s3", "detail-type": "Object Deleted"}),
                "Object Deleted",
            ),
            (
                json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete"}]}),
                "ObjectRemoved",
            ),
            (
                json!({"Records": [{"eventSource": "aws:kinesis"}]}),
                "aws:kinesis",
            ),
            (json!({"Records": [s3_record("folder/")]}), "folder"),
            (json!({"Records": []}), "without records"),
            (json!({}), "does not know"),
            (json!([1, 2]), "does not know"),
            (json!(null), "does not know"),
        ] {
            let found = keys(&event);
            assert!(
                found[0].starts_with("Ignored") && found[0].contains(name),
                "{event} gave {found:?}"
            );
        }
    }

    #[test]
    fn other_major_versions_and_deep_envelopes_are_malformed() {
        let mut record = s3_record("1");
        record["eventVersion"] = "3.0".into();
        assert!(keys(&json!({"Records": [record]}))[0].contains("version 3"));
        let mut event = json!({"Records": [s3_record("1")]});
        for _ in 0..10 {
            event = json!({"Type": "Notification", "Message": event.to_string()});
        }
        assert!(keys(&event)[0].contains("too many envelopes"));
    }

    #[test]
    fn backfill_names_objects_with_plain_keys() {
        let event =
            json!({"backfill": {"objects": [{"bucket": "b", "key": "a+b"}, {"bucket": "b"}]}});
        let found = keys(&event);
        assert_eq!(found[0], "a+b");
        assert!(found[1].starts_with("Malformed"));
    }
}
