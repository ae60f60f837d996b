//! What differs between the protocols that are spoken over HTTP, as tables.

use std::ops::RangeInclusive;

use super::split::{Framing, OTLP_LOGS as OTLP_LOGS_FRAMING, OTLP_METRICS as OTLP_METRICS_FRAMING};
use crate::encoding::{Compression, Content, Encoding, Format};

/// What a receiver speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpKind {
    /// Newline-delimited JSON; any 2xx confirms.
    Ndjson,
    /// InfluxDB's line protocol, as `/api/v2/write` takes it; any 2xx confirms.
    Influx,
    /// OTLP/HTTP with protobuf: log records.
    OtlpLogs,
    /// OTLP/HTTP with protobuf: metrics.
    OtlpMetrics,
}

/// One of the protocols.
#[derive(Debug)]
pub(super) struct Protocol {
    /// `Content-Type` of requests.
    pub(super) content_type: &'static str,
    /// What comes after the path of the URL.
    pub(super) path: &'static str,
    /// How bodies are compressed unless the configuration says otherwise.
    pub(super) compression: Compression,
    /// What the statuses mean; the first row that has it counts.
    pub(super) statuses: &'static [(RangeInclusive<u16>, Meaning)],
    /// How a body is halved.
    pub(super) framing: Framing,
    /// How much of an answer is read, in bytes.
    pub(super) answer_limit: usize,
    /// What an answer's body says.
    pub(super) answer: AnswerForm,
}

/// What a status means for the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It is taken.
    Taken,
    /// Time may cure it.
    Retry,
    /// It would be taken in smaller parts.
    TooLarge,
    /// These records will never be taken.
    Poison(&'static str),
    /// A person has to mend something.
    Config(&'static str),
}

/// What the body of an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerForm {
    /// Of a 2xx nothing; of an error perhaps why, as JSON.
    Free,
    /// `ExportLogsServiceResponse` and the like, or `google.rpc.Status`; longer than the limit is an error.
    Otlp,
}

const REFUSED: Meaning =
    Meaning::Poison("the receiver finds the records wrong; they will never be taken as they are");
const NOT_AGAIN: Meaning = Meaning::Poison(
    "OTLP forbids to send it again after this status; replay it when the receiver is mended",
);
const REDIRECT: Meaning = Meaning::Config(
    "the receiver is elsewhere, and records are not sent after redirects; write the URL that it names",
);
const DENIED: Meaning =
    Meaning::Config("check the credentials in the headers, and what they permit");
const NOT_HERE: Meaning = Meaning::Config("nothing takes records under this path; check the URL");
const TYPE: Meaning = Meaning::Config(
    "the receiver does not take this content type or compression; set compression=none, or check the URL",
);
const HEADERS: Meaning = Meaning::Config(
    "the receiver does not take the request's headers or URL; check those that are configured",
);
const BILL: Meaning = Meaning::Config("the receiver asks for payment; check the account there");

/// Statuses that ask a person for something, for both protocols (RFC 9110, section 15).
macro_rules! with_common {
    ($($row:expr),+ $(,)?) => {
        &[
            (200..=299, Meaning::Taken),
            (300..=399, REDIRECT),
            (401..=401, DENIED),
            (402..=402, BILL),
            (403..=403, DENIED),
            (404..=405, NOT_HERE),
            (406..=406, TYPE),
            (407..=407, DENIED),
            (410..=410, NOT_HERE),
            (411..=411, HEADERS),
            (413..=413, Meaning::TooLarge),
            (414..=414, HEADERS),
            (415..=415, TYPE),
            (417..=417, HEADERS),
            (426..=426, HEADERS),
            (428..=428, HEADERS),
            (431..=431, HEADERS),
            (511..=511, DENIED),
            $($row),+
        ]
    };
}

/// What any receiver means. 409 is "the first request with this `Idempotency-Key` is not done yet"
/// (IETF draft "The Idempotency-Key HTTP Header Field"), 421 asks for another connection.
const STATUSES: &[(RangeInclusive<u16>, Meaning)] = with_common![
    (408..=409, Meaning::Retry),
    (421..=421, Meaning::Retry),
    (423..=423, Meaning::Retry),
    (425..=425, Meaning::Retry),
    (429..=429, Meaning::Retry),
    (400..=499, REFUSED),
    (500..=599, Meaning::Retry),
];

/// What OTLP receivers mean: only 429, 502, 503 and 504 may be sent again (OTLP specification, "OTLP/HTTP
/// Response", "Failures").
const OTLP_STATUSES: &[(RangeInclusive<u16>, Meaning)] = with_common![
    (429..=429, Meaning::Retry),
    (502..=504, Meaning::Retry),
    (408..=409, NOT_AGAIN),
    (421..=421, NOT_AGAIN),
    (423..=423, NOT_AGAIN),
    (425..=425, NOT_AGAIN),
    (400..=499, REFUSED),
    (500..=599, NOT_AGAIN),
];

/// Statuses that no protocol has.
const UNKNOWN: Meaning = Meaning::Retry;

const fn content_type(format: Format) -> &'static str {
    let encoding = Encoding {
        format,
        compression: Compression::None,
    };
    encoding.content_type()
}

const NDJSON: Protocol = Protocol {
    content_type: content_type(Format::Ndjson),
    path: "",
    compression: Compression::Gzip,
    statuses: STATUSES,
    framing: Framing::Lines,
    answer_limit: 64 * 1024,
    answer: AnswerForm::Free,
};

/// InfluxDB's answers mean what those of others do: 400 are points that it finds wrong, 404 a bucket that is not there,
/// 413 too much at once, 429 and 503 come with `Retry-After` ("Write data", *InfluxDB v2 API*).
const INFLUX: Protocol = Protocol {
    content_type: content_type(Format::Influx),
    ..NDJSON
};

const OTLP_LOGS: Protocol = Protocol {
    content_type: content_type(Format::Otlp),
    path: "/v1/logs",
    compression: Compression::Gzip,
    statuses: OTLP_STATUSES,
    framing: OTLP_LOGS_FRAMING,
    // "OTLP/HTTP Response": what a client reads at most.
    answer_limit: 4 * 1024 * 1024,
    answer: AnswerForm::Otlp,
};

const OTLP_METRICS: Protocol = Protocol {
    path: "/v1/metrics",
    framing: OTLP_METRICS_FRAMING,
    ..OTLP_LOGS
};

impl HttpKind {
    pub(super) fn protocol(self) -> &'static Protocol {
        match self {
            HttpKind::Ndjson => &NDJSON,
            HttpKind::Influx => &INFLUX,
            HttpKind::OtlpLogs => &OTLP_LOGS,
            HttpKind::OtlpMetrics => &OTLP_METRICS,
        }
    }

    /// What a receiver speaks that is sent this content in this format.
    pub fn of(format: Format, content: Content) -> HttpKind {
        match (format, content) {
            (Format::Otlp, Content::Datapoints) => HttpKind::OtlpMetrics,
            (Format::Otlp, _) => HttpKind::OtlpLogs,
            (Format::Influx, _) => HttpKind::Influx,
            _ => HttpKind::Ndjson,
        }
    }

    /// Whether it is OTLP.
    pub fn is_otlp(self) -> bool {
        self.protocol().answer == AnswerForm::Otlp
    }
}

impl Protocol {
    pub(super) fn meaning(&self, status: u16) -> Meaning {
        let row = self
            .statuses
            .iter()
            .find(|(statuses, _)| statuses.contains(&status));
        row.map_or(UNKNOWN, |(_, meaning)| *meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statuses of errors that have a meaning.
    fn those(kind: HttpKind, is: fn(Meaning) -> bool) -> Vec<u16> {
        let errors = 400..=599;
        errors
            .filter(|status| is(kind.protocol().meaning(*status)))
            .collect()
    }

    const KINDS: [HttpKind; 4] = [
        HttpKind::Ndjson,
        HttpKind::Influx,
        HttpKind::OtlpLogs,
        HttpKind::OtlpMetrics,
    ];

    #[test]
    fn each_kind_retries_what_its_specification_says() {
        let is_retry = |meaning| meaning == Meaning::Retry;
        let server = (500..=599).filter(|status| *status != 511);
        let all: Vec<u16> = [408, 409, 421, 423, 425, 429]
            .into_iter()
            .chain(server)
            .collect();
        assert_eq!(those(HttpKind::Ndjson, is_retry), all);
        assert_eq!(those(HttpKind::OtlpLogs, is_retry), [429, 502, 503, 504]);
        assert_eq!(those(HttpKind::OtlpMetrics, is_retry), [429, 502, 503, 504]);
    }

    #[test]
    fn what_people_have_to_mend_is_the_same_for_all() {
        for kind in KINDS {
            assert_eq!(
                those(kind, |meaning| matches!(meaning, Meaning::Config(_))),
                [
                    401, 402, 403, 404, 405, 406, 407, 410, 411, 414, 415, 417, 426, 428, 431, 511
                ]
            );
            assert_eq!(those(kind, |meaning| meaning == Meaning::TooLarge), [413]);
        }
    }

    #[test]
    fn the_other_errors_are_the_records_fault() {
        for (kind, examples) in [
            (HttpKind::Ndjson, &[400, 412, 416, 418, 422, 451, 499][..]),
            (
                HttpKind::OtlpLogs,
                &[400, 408, 409, 422, 425, 500, 501, 505, 599],
            ),
        ] {
            for status in examples {
                let meaning = kind.protocol().meaning(*status);
                assert!(matches!(meaning, Meaning::Poison(_)), "{status}");
            }
        }
    }

    #[test]
    fn two_hundred_confirms_redirects_do_not_and_other_numbers_are_no_answer() {
        for kind in KINDS {
            let meaning = |status| kind.protocol().meaning(status);
            assert!((200..=299).all(|status| meaning(status) == Meaning::Taken));
            assert!((300..=399).all(|status| matches!(meaning(status), Meaning::Config(_))));
            assert!(
                [0, 100, 199, 600, 999]
                    .iter()
                    .all(|status| meaning(*status) == Meaning::Retry)
            );
        }
    }
}
