// What must hold for any bytes taken as an event. Shared by the fuzz target and the replay of its
// corpus in the normal tests.

use flow_forwarder::event::{Request, Trigger, form_encoded, unwrap};
use serde_json::{Value, json};

/// No event panics; every message of a queue has its outcome, in order; an object that is named
/// can be named again and is found under the same key.
pub fn event(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let invocation = unwrap(&event);
    let records = event.get("Records").and_then(Value::as_array);
    match invocation.trigger {
        Trigger::Queue => {
            assert_eq!(invocation.messages.len(), records.map_or(0, Vec::len));
            for (message, record) in invocation
                .messages
                .iter()
                .zip(records.into_iter().flatten())
            {
                let id = record.get("messageId").and_then(Value::as_str);
                assert_eq!(message.id.as_deref(), id.filter(|id| !id.is_empty()));
            }
        }
        Trigger::Direct => assert_eq!(invocation.messages.len(), 1),
    }
    for message in invocation.messages {
        assert!(
            !message.requests.is_empty(),
            "a message asks for something or is ignored"
        );
        for request in message.requests {
            let Request::Object(object) = request else {
                continue;
            };
            let again = json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": object.bucket}, "object": {"key": form_encoded(&object.key)}}}]});
            let requests = unwrap(&again).messages.remove(0).requests;
            assert!(
                matches!(&requests[..], [Request::Object(found)] if found.key == object.key && found.bucket == object.bucket)
            );
        }
    }
}
