//! Answers of receivers, and what they say.

use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::Value as Json;

use super::protobuf::{Fields, Malformed, Value};

/// How much of a receiver's words is repeated, in characters.
const WORDS: usize = 300;

/// An answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    /// Where a redirect leads, without what could be secret in it.
    pub(super) location: Option<String>,
    pub(super) body: Body,
}

/// The body of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) form: Form,
    pub(super) bytes: Vec<u8>,
    /// Whether it was longer than what was read.
    pub(super) cut: bool,
}

/// What an answer's `Content-Type` calls its body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// Protobuf, or it does not say.
    #[default]
    Protobuf,
    Json,
    Page,
    Other,
}

/// Media types and suffixes of them.
const FORMS: &[(&str, Form)] = &[
    ("application/x-protobuf", Form::Protobuf),
    ("application/protobuf", Form::Protobuf),
    ("application/octet-stream", Form::Protobuf),
    ("application/json", Form::Json),
    ("+json", Form::Json),
    ("text/html", Form::Page),
];

impl Form {
    fn of(content_type: Option<&str>) -> Form {
        let Some(content_type) = content_type else {
            return Form::Protobuf;
        };
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let media_type = media_type.to_ascii_lowercase();
        let known = FORMS.iter().find(|(name, _)| media_type.ends_with(name));
        known.map_or(Form::Other, |(_, form)| *form)
    }
}

/// What an OTLP receiver did not keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PartialSuccess {
    pub(super) rejected: u64,
    pub(super) message: Option<String>,
}

impl Answer {
    /// Reads an answer with at most `limit` bytes of its body.
    ///
    /// # Errors
    /// The connection ended before the body did.
    pub(super) async fn read(
        response: HttpResponse,
        limit: usize,
    ) -> Result<Answer, ByteStreamError> {
        let header = |name| response.headers().get(name);
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: header("retry-after").map(str::to_owned),
            location: header("location").and_then(place),
            body: Body {
                form: Form::of(header("content-type")),
                ..Body::default()
            },
        };
        let mut stream = ByteStream::new(response.into_body());
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            let room = limit - answer.body.bytes.len();
            answer
                .body
                .bytes
                .extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if chunk.len() > room {
                answer.body.cut = true;
                break;
            }
        }
        Ok(answer)
    }
}

impl Body {
    /// What `ExportLogsServiceResponse` or `ExportMetricsServiceResponse` says of records that were not kept.
    ///
    /// # Errors
    /// The body is not what its type says.
    pub(super) fn partial_success(&self) -> Result<PartialSuccess, Malformed> {
        if self.bytes.is_empty() {
            return Ok(PartialSuccess::default());
        }
        match self.form {
            Form::Protobuf => self.partial_success_of_protobuf(),
            Form::Json => {
                let json: Json = serde_json::from_slice(&self.bytes).map_err(|_| Malformed)?;
                let partial = &json["partialSuccess"];
                let rejected =
                    ["rejectedLogRecords", "rejectedDataPoints"].map(|name| &partial[name]);
                let rejected = rejected.into_iter().find(|value| !value.is_null());
                Ok(PartialSuccess {
                    // 64-bit integers are texts in JSON, and numbers are understood.
                    rejected: match rejected {
                        Some(Json::String(text)) => text.parse().map_err(|_| Malformed)?,
                        Some(number) => number.as_u64().ok_or(Malformed)?,
                        None => 0,
                    },
                    message: partial["errorMessage"].as_str().and_then(words),
                })
            }
            Form::Page => Err(Malformed),
            Form::Other => Ok(PartialSuccess::default()),
        }
    }

    fn partial_success_of_protobuf(&self) -> Result<PartialSuccess, Malformed> {
        let mut partial = PartialSuccess::default();
        for field in Fields::of(&self.bytes) {
            let field = field?;
            let (1, Value::Bytes(message)) = (field.number, field.value) else {
                continue;
            };
            for field in Fields::of(message) {
                let field = field?;
                match (field.number, field.value) {
                    // A signed number; a negative one counts nothing.
                    (1, Value::Varint(rejected)) => {
                        partial.rejected = u64::try_from(rejected as i64).unwrap_or(0);
                    }
                    (2, Value::Bytes(text)) => {
                        partial.message = words(&String::from_utf8_lossy(text))
                    }
                    _ => {}
                }
            }
        }
        Ok(partial)
    }

    /// Whether it is made for a browser.
    pub(super) fn is_page(&self) -> bool {
        self.form == Form::Page
    }

    /// Why a receiver failed, in its words: the message of a `google.rpc.Status`, of problem details
    /// (RFC 9457), or a member of JSON that usually is one. Other bodies are not repeated.
    pub(super) fn reason(&self) -> Option<String> {
        match self.form {
            Form::Protobuf => {
                let fields = Fields::of(&self.bytes)
                    .collect::<Result<Vec<_>, _>>()
                    .ok()?;
                let message = fields
                    .iter()
                    .find_map(|field| match (field.number, field.value) {
                        (2, Value::Bytes(text)) => std::str::from_utf8(text).ok(),
                        _ => None,
                    });
                message.and_then(words)
            }
            Form::Json => {
                let json: Json = serde_json::from_slice(&self.bytes).ok()?;
                said(&json).or_else(|| said(&json["error"])).and_then(words)
            }
            Form::Page | Form::Other => None,
        }
    }
}

/// Members in which a JSON answer says why.
fn said(json: &Json) -> Option<&str> {
    ["detail", "message", "error", "reason", "text", "title"]
        .iter()
        .find_map(|name| json[*name].as_str())
}

/// A receiver's words as they can stand in a log line. `None` when there are none.
fn words(text: &str) -> Option<String> {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.trim().chars().take(WORDS).map(printable).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    (!short.is_empty()).then_some(short)
}

/// Where a redirect leads: its URL up to the query, if it holds no credentials.
fn place(location: &str) -> Option<String> {
    let place = location.split(['?', '#']).next().unwrap_or_default();
    (!place.contains('@')).then(|| words(place)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(content_type: &str, bytes: &[u8]) -> Body {
        Body {
            form: Form::of((!content_type.is_empty()).then_some(content_type)),
            bytes: bytes.to_vec(),
            cut: false,
        }
    }

    fn partial(rejected: u64, message: Option<&str>) -> Result<PartialSuccess, Malformed> {
        let message = message.map(str::to_owned);
        Ok(PartialSuccess { rejected, message })
    }

    #[test]
    fn otlp_receivers_say_what_they_did_not_keep() {
        let protobuf = b"\x0a\x15\x08\x02\x12\x11timestamp too old";
        let json =
            br#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"timestamp too old"}}"#;
        let points =
            br#"{"partialSuccess":{"rejectedDataPoints":2,"errorMessage":"timestamp too old"}}"#;
        for body in [
            body("application/x-protobuf", protobuf),
            body("", protobuf),
            body("application/json", json),
            body("Application/JSON; charset=utf-8", points),
        ] {
            assert_eq!(
                body.partial_success(),
                partial(2, Some("timestamp too old"))
            );
        }
        for whole in [
            body("application/x-protobuf", b""),
            body("application/x-protobuf", b"\x0a\0"),
            body("application/json", b"{}"),
            body("application/json", b""),
            body("application/json", br#"{"partialSuccess":{}}"#),
            body("text/plain", b"ok"),
        ] {
            assert_eq!(whole.partial_success(), partial(0, None), "{whole:?}");
        }
        let warning = body("", b"\x0a\x06\x12\x04mind");
        assert_eq!(warning.partial_success(), partial(0, Some("mind")));
        let negative = body("", b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(negative.partial_success(), partial(0, None));
    }

    #[test]
    fn answers_that_are_not_what_they_say_are_none() {
        for wrong in [
            body("application/x-protobuf", b"ok"),
            body("", b"<html>"),
            body("application/json", b"ok"),
            body(
                "application/json",
                br#"{"partialSuccess":{"rejectedLogRecords":"many"}}"#,
            ),
            body("text/html; charset=utf-8", b"\x0a\0"),
        ] {
            assert_eq!(wrong.partial_success(), Err(Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn reasons_are_the_receivers_words() {
        let status = b"\x08\x08\x12\x0aqueue full\x1a\x02ab";
        for (content_type, bytes, reason) in [
            ("application/x-protobuf", &status[..], Some("queue full")),
            (
                "application/json",
                br#"{"code":8,"message":"queue full"}"#,
                Some("queue full"),
            ),
            (
                "application/problem+json",
                br#"{"title":"Full","detail":"queue full"}"#,
                Some("queue full"),
            ),
            (
                "application/json",
                br#"{"error":"queue full"}"#,
                Some("queue full"),
            ),
            (
                "application/json",
                br#"{"error":{"type":"x","reason":"queue full"}}"#,
                Some("queue full"),
            ),
            (
                "application/json",
                br#"{"text":"queue\nfull","code":9}"#,
                Some("queue full"),
            ),
            ("application/json", b"[1]", None),
            ("application/json", b"{", None),
            ("text/plain", b"queue full", None),
            ("text/html", b"<html>", None),
            ("", b"queue full", None),
            ("", b"", None),
        ] {
            let reason = reason.map(str::to_owned);
            assert_eq!(body(content_type, bytes).reason(), reason, "{content_type}");
        }
        let long = format!("{{\"message\":\"{}\"}}", "é".repeat(1000));
        let short = body("application/json", long.as_bytes()).reason().unwrap();
        assert_eq!(short.chars().count(), WORDS + 1);
    }

    #[test]
    fn redirects_name_places_without_secrets() {
        assert_eq!(
            place("https://new/in?token=x#y").as_deref(),
            Some("https://new/in")
        );
        assert_eq!(place("https://u:p@new/"), None);
        assert_eq!(place("?token=x"), None);
    }

    proptest! {
        #[test]
        fn any_body_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            for content_type in ["", "application/json", "text/plain"] {
                let body = body(content_type, &bytes);
                drop(body.partial_success());
                if let Some(reason) = body.reason() {
                    prop_assert!(!reason.chars().any(char::is_control));
                }
            }
        }
    }
}
