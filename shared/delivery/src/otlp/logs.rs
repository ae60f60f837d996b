//! Records as OTLP log records: `opentelemetry/proto/logs/v1/logs.proto`.

use std::fmt::Write;
use std::net::IpAddr;

use telemetry::Record;
use telemetry::enrichment::Enrichment;
use telemetry::enrichment::field::{End, FlowField};

use super::attribute::{AnyValue, attribute};
use super::firewall;
use super::flow::FlowAttributes;
use super::protobuf::{FieldNumber, delimited, fixed64, integer, message};
pub use super::resource::Home;
use super::resource::{ByHome, RECORDS};
use crate::encoding::EncodingError;

const TIME: FieldNumber = 1;
const SEVERITY_NUMBER: FieldNumber = 2;
const SEVERITY_TEXT: FieldNumber = 3;
const BODY: FieldNumber = 5;
pub(super) const ATTRIBUTES: FieldNumber = 6;
const OBSERVED_TIME: FieldNumber = 11;
const EVENT_NAME: FieldNumber = 12;

/// How much a record matters, by the numbers of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Info,
    Warn,
}

impl Severity {
    const fn number_and_text(self) -> (u64, &'static str) {
        match self {
            Severity::Info => (9, "INFO"),
            Severity::Warn => (13, "WARN"),
        }
    }
}

/// What every log record has.
#[derive(Debug)]
pub(super) struct Envelope<'r> {
    /// When it happened, nanoseconds since 1970; 0 when it is not known.
    pub time: u64,
    /// When AWS had seen it.
    pub observed: u64,
    pub severity: Severity,
    /// What kind of event it is.
    pub event_name: &'static str,
    /// The account, where the record tells it.
    pub account: Option<&'r str>,
    pub region: Option<&'r str>,
}

/// Writes records as `ExportLogsServiceRequest`: log records, those of an account and region together.
///
/// The same records give the same bytes. So the time that a record was observed is not now but when AWS's window for
/// it ended.
#[derive(Debug, Default)]
pub struct OtlpLogsEncoder {
    home: Home,
    records: ByHome<Vec<u8>>,
    written: usize,
    flow: FlowAttributes,
    additions: Additions,
    /// The record at hand, and the sentence that is its body.
    record: Vec<u8>,
    body: String,
}

impl OtlpLogsEncoder {
    /// An encoder without records.
    pub fn new() -> OtlpLogsEncoder {
        OtlpLogsEncoder::default()
    }

    /// Says which account and region records are of that do not tell theirs, as the log object's key has them.
    pub fn set_home(&mut self, home: Home) {
        self.home = home;
    }

    /// About how many bytes [`take`](Self::take) gives.
    pub fn len(&self) -> usize {
        match self.written {
            0 => 0,
            written => written + self.records.overhead(),
        }
    }

    /// Whether nothing was written since it was last taken.
    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// Appends a record, with what enrichment adds to it.
    pub fn write(&mut self, record: &Record<'_>, enrichment: Option<&Enrichment<'_>>) {
        self.body.clear();
        let mut attributes = std::mem::take(&mut self.record);
        attributes.clear();
        let envelope = match record {
            Record::Flow(flow) => self.flow.write(flow, &mut attributes, &mut self.body),
            Record::Firewall(entry) => firewall::write(entry, &mut attributes, &mut self.body),
        };
        if let Some(enrichment) = enrichment {
            self.additions.write(enrichment, &mut attributes);
        }
        let account = envelope.account.unwrap_or(&self.home.account);
        let region = envelope.region.unwrap_or(&self.home.region);
        if let Some(records) = self.records.entry(account, region) {
            let before = records.len();
            message(records, RECORDS, |out| {
                if envelope.time > 0 {
                    fixed64(out, TIME, envelope.time);
                }
                let (number, text) = envelope.severity.number_and_text();
                integer(out, SEVERITY_NUMBER, number);
                delimited(out, SEVERITY_TEXT, text.as_bytes());
                message(out, BODY, |out| AnyValue::Text(&self.body).write(out));
                out.extend_from_slice(&attributes);
                if envelope.observed > 0 {
                    fixed64(out, OBSERVED_TIME, envelope.observed);
                }
                delimited(out, EVENT_NAME, envelope.event_name.as_bytes());
            });
            self.written += records.len() - before;
        }
        self.record = attributes;
    }

    /// Takes the request. `spare` is memory to use again; its content does not matter.
    ///
    /// # Errors
    /// None: it is of the form that all encoders have.
    pub fn take(&mut self, mut spare: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
        spare.clear();
        self.records.write(&mut spare, |records| records);
        self.written = 0;
        Ok(spare)
    }
}

/// What enrichment adds, as attributes. Sides and facts are the same for many records: each is written once and copied
/// from then on.
#[derive(Debug, Default)]
struct Additions {
    generation: u64,
    /// Those of sources, destinations and facts, by their numbers.
    parts: [Vec<Option<Box<[u8]>>>; 3],
}

impl Additions {
    fn write(&mut self, enrichment: &Enrichment<'_>, out: &mut Vec<u8>) {
        if self.generation != enrichment.generation {
            self.generation = enrichment.generation;
            self.parts.iter_mut().for_each(Vec::clear);
        }
        let numbers = [enrichment.source, enrichment.destination, enrichment.facts];
        for (part, (number, kept)) in numbers.into_iter().zip(&mut self.parts).enumerate() {
            let place = number as usize;
            if let Some(Some(known)) = kept.get(place) {
                out.extend_from_slice(known);
                continue;
            }
            let start = out.len();
            match End::BOTH.get(part) {
                Some(end) => write_side(enrichment, *end, out),
                None => {
                    for (field, value) in enrichment.fact_values() {
                        write_flow_field(field, value.into(), out);
                    }
                }
            }
            // A number that nothing has gets no place: it would take as many as the number says.
            if number != u32::MAX {
                if kept.len() <= place {
                    kept.resize(place + 1, None);
                }
                if let (Some(slot), Some(written)) = (kept.get_mut(place), out.get(start..)) {
                    *slot = Some(written.into());
                }
            }
        }
        for (field, value) in enrichment.own_values() {
            write_flow_field(field, value.into(), out);
        }
    }
}

fn write_side(enrichment: &Enrichment<'_>, end: End, out: &mut Vec<u8>) {
    let prefix = match end {
        End::Source => "cloud_export.source",
        End::Destination => "cloud_export.destination",
    };
    for (field, value) in enrichment.side_values(end) {
        let key = format!("{prefix}.{}", field.name());
        attribute(out, ATTRIBUTES, &key, value.into());
    }
    for (tag, text) in enrichment.tags(end) {
        let key = format!("{prefix}.tag.{tag}");
        attribute(out, ATTRIBUTES, &key, AnyValue::Text(text));
    }
}

fn write_flow_field(field: FlowField, value: AnyValue<'_>, out: &mut Vec<u8>) {
    let key = ["cloud_export.", field.name()].concat();
    attribute(out, ATTRIBUTES, &key, value);
}

/// Writes who talked to whom: `10.0.0.220:22061 -> 203.0.113.5:443`. What is not known is `?`.
pub(super) fn write_ends(body: &mut String, ends: [(Option<IpAddr>, Option<u64>); 2]) {
    for (place, (address, port)) in ends.into_iter().enumerate() {
        if place > 0 {
            body.push_str(" -> ");
        }
        // Writing to a string does not fail.
        let _ = match (address, port.filter(|port| *port > 0)) {
            (None, _) => write!(body, "?"),
            (Some(address), None) => write!(body, "{address}"),
            (Some(IpAddr::V4(address)), Some(port)) => write!(body, "{address}:{port}"),
            (Some(IpAddr::V6(address)), Some(port)) => write!(body, "[{address}]:{port}"),
        };
    }
}
