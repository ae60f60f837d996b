//! AWS Network Firewall logs: alert, flow (netflow) and TLS entries.
//!
//! Each entry is a JSON object with a small envelope and, in `event`, what Suricata calls EVE
//! ("Logging network traffic from AWS Network Firewall", *Network Firewall Developer Guide*). The
//! envelope is read strictly, the event loosely: members that are known become typed values in
//! place, all others stay as they are, so that a newer engine's additions arrive too.
//!
//! What is brought to one form:
//! - `event_timestamp`: Unix seconds, from a string or number of seconds, milli-, micro- or nanoseconds, or an RFC 3339
//!   time;
//! - `timestamp`, `start`, `end`: RFC 3339 in UTC, from AWS's `+0000` offsets;
//! - `src_port`, `dest_port`: numbers, from the strings of TLS logs;
//! - `tcp_flags`: a number as in VPC flow logs, from hexadecimal text;
//! - `aws_category`: the list that its text holds.

use std::io::{self, BufRead, Read};
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use crate::counts::{Counts, RowError, RowErrorKind};
use crate::flow::number::epoch_seconds;
use crate::flow::text::{MAX_LINE, Step};

/// The kind of a firewall log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirewallLogType {
    /// A stateful rule raised an alert.
    Alert,
    /// A flow ended; one entry for each direction that had packets.
    Flow,
    /// TLS inspection refused or could not inspect a connection.
    Tls,
    /// Another event type, kept as it is.
    Other,
}

/// What a firewall decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It let pass.
    Passed,
    /// It let pass, and told of it.
    Alerted,
    /// It refused, and told the sender.
    Rejected,
    /// It refused in silence.
    Dropped,
}

impl Ruling {
    /// Whether what it is about did not pass.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Ruling::Rejected | Ruling::Dropped)
    }
}

/// The words of verdicts, of actions of rules, and, in capitals, of TLS entries.
const RULINGS: [(&str, Ruling); 6] = [
    ("pass", Ruling::Passed),
    ("allowed", Ruling::Passed),
    ("alert", Ruling::Alerted),
    ("reject", Ruling::Rejected),
    ("blocked", Ruling::Rejected),
    ("drop", Ruling::Dropped),
];

/// One entry of a Network Firewall log.
#[derive(Debug, Clone, PartialEq)]
pub struct FirewallRecord {
    row: u64,
    log_type: FirewallLogType,
    event_timestamp: Option<i64>,
    entry: Map<String, Value>,
}

impl FirewallRecord {
    /// Reads an entry from its JSON object. `row` is the line it starts on.
    ///
    /// # Errors
    /// When a member of the envelope, an address or a port is missing or of another type.
    pub fn from_json(
        mut entry: Map<String, Value>,
        row: u64,
    ) -> Result<FirewallRecord, RowErrorKind> {
        let member = |path, expected| RowErrorKind::Member { path, expected };
        if !entry.get("firewall_name").is_some_and(Value::is_string) {
            return Err(member("firewall_name", "text"));
        }
        let event_timestamp = entry
            .get("event_timestamp")
            .and_then(written)
            .ok_or(member("event_timestamp", "a time"))?;
        if let Some(seconds) = event_timestamp {
            entry.insert("event_timestamp".to_owned(), Value::from(seconds));
        }
        let Some(Value::Object(event)) = entry.get_mut("event") else {
            return Err(member("event", "an object"));
        };
        for (name, path) in [("src_ip", "event.src_ip"), ("dest_ip", "event.dest_ip")] {
            match event.get(name) {
                Some(Value::String(text)) if text.parse::<IpAddr>().is_ok() => {}
                None => {}
                Some(_) => return Err(member(path, "an IPv4 or IPv6 address")),
            }
        }
        for (name, path) in [
            ("src_port", "event.src_port"),
            ("dest_port", "event.dest_port"),
        ] {
            if let Some(value) = event.get_mut(name) {
                let port = match &*value {
                    Value::String(text) => text.parse().ok(),
                    other => other.as_u64().and_then(|n| u16::try_from(n).ok()),
                };
                *value = Value::from(port.ok_or(member(path, "a port"))?);
            }
        }
        let log_type = log_type(event);
        normalise(event);
        Ok(FirewallRecord {
            row,
            log_type,
            event_timestamp,
            entry,
        })
    }

    /// The line the entry starts on, counted from 1.
    pub fn row(&self) -> u64 {
        self.row
    }

    /// Alert, flow or TLS.
    pub fn log_type(&self) -> FirewallLogType {
        self.log_type
    }

    /// The firewall's name, unique in its account and region.
    pub fn firewall_name(&self) -> &str {
        self.entry
            .get("firewall_name")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The name (not the id) of the firewall endpoint's Availability Zone.
    pub fn availability_zone(&self) -> Option<&str> {
        self.entry.get("availability_zone")?.as_str()
    }

    /// When the entry was written, Unix seconds from 1970 to the year 9999. `None` for a number that is no time, such
    /// as one below zero: it stays in the entry as it is.
    pub fn event_timestamp(&self) -> Option<i64> {
        self.event_timestamp
    }

    /// The whole entry as it is delivered.
    pub fn entry(&self) -> &Map<String, Value> {
        &self.entry
    }

    /// A member of the event by its path, such as `["netflow", "bytes"]`.
    pub fn event(&self, path: &[&str]) -> Option<&Value> {
        path.iter()
            .try_fold(self.entry.get("event")?, |value, name| value.get(name))
    }

    /// Source address.
    pub fn src_ip(&self) -> Option<IpAddr> {
        self.event(&["src_ip"])?.as_str()?.parse().ok()
    }

    /// Destination address.
    pub fn dest_ip(&self) -> Option<IpAddr> {
        self.event(&["dest_ip"])?.as_str()?.parse().ok()
    }

    /// Source port, where the protocol has one.
    pub fn src_port(&self) -> Option<u16> {
        u16::try_from(self.event(&["src_port"])?.as_u64()?).ok()
    }

    /// Destination port, where the protocol has one.
    pub fn dest_port(&self) -> Option<u16> {
        u16::try_from(self.event(&["dest_port"])?.as_u64()?).ok()
    }

    /// Packets of this direction, in flow entries.
    pub fn packets(&self) -> Option<u64> {
        self.event(&["netflow", "pkts"])?.as_u64()
    }

    /// Bytes of this direction, in flow entries.
    pub fn bytes(&self) -> Option<u64> {
        self.event(&["netflow", "bytes"])?.as_u64()
    }

    /// OR of the TCP flags of the whole flow: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32.
    pub fn tcp_flags(&self) -> Option<u8> {
        let flags = self
            .event(&["tcp", "tcp_flags"])
            .or_else(|| self.event(&["netflow", "tcp_flags"]));
        u8::try_from(flags?.as_u64()?).ok()
    }

    /// What the firewall did: the verdict, else the rule's action, else that of a TLS entry.
    pub fn action(&self) -> Option<&str> {
        let actions = ["verdict", "alert", "revocation_check"];
        let mut actions = actions.iter().filter_map(|of| self.event(&[of, "action"]));
        actions.find(|action| !action.is_null())?.as_str()
    }

    /// What the action says, in upper or lower case; `None` when there is none, or another one.
    pub fn ruling(&self) -> Option<Ruling> {
        let action = self.action()?;
        let mut known = RULINGS.iter();
        let (_, ruling) = known.find(|(word, _)| action.eq_ignore_ascii_case(word))?;
        Some(*ruling)
    }
}

/// The kind of an event: by its type, or by the members that only TLS entries have.
fn log_type(event: &Map<String, Value>) -> FirewallLogType {
    match event.get("event_type").and_then(Value::as_str) {
        Some("alert") => FirewallLogType::Alert,
        Some("netflow") => FirewallLogType::Flow,
        Some("tls") => FirewallLogType::Tls,
        None if event.contains_key("tls_error") || event.contains_key("revocation_check") => {
            FirewallLogType::Tls
        }
        _ => FirewallLogType::Other,
    }
}

/// Brings the event's known members to one form; what does not read stays as it is.
fn normalise(event: &mut Map<String, Value>) {
    let rfc3339 = |value: &mut Value| {
        if let Some(time) = value.as_str().and_then(timestamp) {
            // Microseconds, as AWS writes them.
            *value = Value::from(format!("{time:.6}"));
        }
    };
    let hexadecimal = |value: &mut Value| {
        let flags = value
            .as_str()
            .and_then(|text| u8::from_str_radix(text, 16).ok());
        if let Some(flags) = flags {
            *value = Value::from(flags);
        }
    };
    event.get_mut("timestamp").map(rfc3339);
    if let Some(netflow) = event.get_mut("netflow") {
        netflow.get_mut("start").map(rfc3339);
        netflow.get_mut("end").map(rfc3339);
        netflow.get_mut("tcp_flags").map(hexadecimal);
    }
    if let Some(tcp) = event.get_mut("tcp") {
        tcp.get_mut("tcp_flags").map(hexadecimal);
    }
    if let Some(category) = event.get_mut("aws_category") {
        let list = category
            .as_str()
            .and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
        if let Some(list) = list {
            *category = Value::from(list);
        }
    }
}

/// A time as AWS writes it in events: `2026-11-20T16:25:31.006481+0000`, or with `Z`.
fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Unix seconds from a number, a number in text, or an RFC 3339 time; `None` for what is none of them. A number that is
/// no time gives no seconds.
fn written(value: &Value) -> Option<Option<i64>> {
    match value {
        Value::Number(number) => Some(seconds(number)),
        Value::String(text) => {
            let digits = text.parse().map(|value: u64| seconds(&value.into()));
            let number = || text.parse().map(|number| seconds(&number));
            let time = timestamp(text).map(|time| Some(time.as_second()).filter(|s| *s >= 0));
            digits.or_else(|_| number()).ok().or(time)
        }
        _ => None,
    }
}

/// Unix seconds from a number of any unit, as in flow logs.
fn seconds(number: &Number) -> Option<i64> {
    let whole = number.as_u64().or_else(|| {
        let fits = |value: &f64| (0.0..u64::MAX as f64).contains(value);
        number.as_f64().filter(fits).map(|value| value as u64)
    })?;
    i64::try_from(epoch_seconds(whole).0).ok()
}

/// Reads a firewall log, entry by entry. Entries are lines; one that is spread over several lines,
/// as people store them for reading, is put together.
pub(crate) struct FirewallReader<R> {
    input: R,
    line: u64,
    /// The text of the entry being read, and the line it starts on.
    row: Vec<u8>,
    first_line: u64,
    /// A line that was read but belongs to the next entry.
    ahead: Option<Vec<u8>>,
    record: Option<FirewallRecord>,
    error: RowError,
}

/// What the text collected so far is.
enum Entry {
    Whole(Map<String, Value>),
    Incomplete,
    Wrong(RowErrorKind),
}

impl<R: BufRead> FirewallReader<R> {
    pub(crate) fn new(input: R) -> FirewallReader<R> {
        FirewallReader {
            input,
            line: 0,
            row: Vec::new(),
            first_line: 0,
            ahead: None,
            record: None,
            error: RowError {
                line: 0,
                kind: RowErrorKind::NotUtf8,
            },
        }
    }

    pub(crate) fn input(&self) -> &R {
        &self.input
    }

    pub(crate) fn record(&self) -> Option<&FirewallRecord> {
        self.record.as_ref()
    }

    pub(crate) fn error(&self) -> &RowError {
        &self.error
    }

    pub(crate) fn row_text(&self) -> &[u8] {
        self.row.trim_ascii()
    }

    /// Reads to the next entry, or to text that should have been one.
    pub(crate) fn step(&mut self, counts: &mut Counts) -> io::Result<Step> {
        self.row.clear();
        // How much of the entry the parser has seen without finding its end.
        let mut parsed_length = 0;
        loop {
            let more = self.next_line(counts)?;
            if self.row.len() > MAX_LINE {
                // The line may be here to its end already; the next one is not part of it.
                if self.row.last() != Some(&b'\n') {
                    self.skip_line(counts)?;
                }
                self.row.clear();
                return Ok(self.malformed(RowErrorKind::TooLong { limit: MAX_LINE }, counts));
            }
            if self.row.trim_ascii().is_empty() {
                if !more {
                    return Ok(Step::End);
                }
                self.row.clear();
                continue;
            }
            // Each line may complete the entry, but parsing after each would take the square of
            // its length: only a closing brace can be its end, and doubling finds what is wrong.
            let closes = self.row.trim_ascii_end().last() == Some(&b'}');
            let parsed = if more && !closes && self.row.len() < 2 * parsed_length {
                Entry::Incomplete
            } else {
                parsed_length = self.row.len();
                parse(&self.row)
            };
            let entry = match parsed {
                // A line that starts with a brace starts an entry: what came before is cut off.
                Entry::Incomplete if more && !self.entry_is_ahead(counts)? => continue,
                Entry::Incomplete => Err(RowErrorKind::NotJson {
                    detail: "it ends in the middle".to_owned(),
                }),
                Entry::Wrong(kind) => Err(kind),
                Entry::Whole(entry) => FirewallRecord::from_json(entry, self.first_line),
            };
            return Ok(match entry {
                Ok(record) => {
                    counts.rows += 1;
                    counts.records += 1;
                    let written = record.event_timestamp.and_then(|s| u64::try_from(s).ok());
                    counts.newest = counts.newest.max(written);
                    self.record = Some(record);
                    Step::Record
                }
                Err(kind) => self.malformed(kind, counts),
            });
        }
    }

    fn malformed(&mut self, kind: RowErrorKind, counts: &mut Counts) -> Step {
        self.error = RowError {
            line: self.first_line,
            kind,
        };
        counts.malformed_row(&self.error);
        Step::Malformed
    }

    /// Appends the next line to the entry; false at the end of the input.
    fn next_line(&mut self, counts: &mut Counts) -> io::Result<bool> {
        if self.row.is_empty() {
            self.first_line = self.line + 1;
        }
        if let Some(mut ahead) = self.ahead.take() {
            self.row.append(&mut ahead);
            self.line += 1;
            return Ok(true);
        }
        let room = (MAX_LINE + 1).saturating_sub(self.row.len()) as u64;
        let read = self
            .input
            .by_ref()
            .take(room)
            .read_until(b'\n', &mut self.row)?;
        counts.bytes_decoded += read as u64;
        self.line += u64::from(read > 0);
        Ok(read > 0)
    }

    /// Looks whether the next line starts an entry of its own.
    fn entry_is_ahead(&mut self, counts: &mut Counts) -> io::Result<bool> {
        let mut next = Vec::new();
        let read = self
            .input
            .by_ref()
            .take(MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut next)?;
        counts.bytes_decoded += read as u64;
        let starts = next.starts_with(b"{");
        if read > 0 {
            self.ahead = Some(next);
        }
        Ok(starts)
    }

    /// Reads on to the end of a line that is too long to be held.
    fn skip_line(&mut self, counts: &mut Counts) -> io::Result<()> {
        loop {
            let buffer = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let feed = buffer.iter().position(|b| *b == b'\n');
            let used = feed.map_or(buffer.len(), |at| at + 1);
            self.input.consume(used);
            counts.bytes_decoded += used as u64;
            if feed.is_some() || used == 0 {
                return Ok(());
            }
        }
    }
}

/// Reads the text as one JSON object. Repeated members, which Suricata writes, are tolerated: the
/// last one counts.
fn parse(text: &[u8]) -> Entry {
    match serde_json::from_slice::<Value>(text) {
        Ok(Value::Object(entry)) => Entry::Whole(entry),
        Ok(_) => Entry::Wrong(RowErrorKind::NotJson {
            detail: "it is another kind of value".to_owned(),
        }),
        Err(error) if error.is_eof() => Entry::Incomplete,
        Err(_) if std::str::from_utf8(text).is_err() => Entry::Wrong(RowErrorKind::NotUtf8),
        Err(error) => Entry::Wrong(RowErrorKind::NotJson {
            detail: format!("{} at column {}", reason(&error), error.column()),
        }),
    }
}

/// The parser's reason without its position and without any text of the row.
fn reason(error: &serde_json::Error) -> &'static str {
    use serde_json::error::Category;
    match error.classify() {
        Category::Syntax => "its syntax is wrong",
        Category::Data => "a value is out of range",
        Category::Eof => "it ends in the middle",
        Category::Io => "it cannot be read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<FirewallRecord>, Counts, Vec<RowError>) {
        let mut reader = FirewallReader::new(text.as_bytes());
        let (mut records, mut errors, mut counts) = (Vec::new(), Vec::new(), Counts::default());
        loop {
            match reader.step(&mut counts).unwrap() {
                Step::Record => records.push(reader.record().unwrap().clone()),
                Step::Malformed => errors.push(reader.error().clone()),
                Step::End => break,
            }
        }
        assert_eq!(counts.rows, counts.records + counts.malformed());
        assert_eq!(counts.bytes_decoded, text.len() as u64);
        (records, counts, errors)
    }

    fn entry(event: &str) -> String {
        format!(
            r#"{{"firewall_name":"fw-1","availability_zone":"us-east-1a","event_timestamp":"1795191900","event":{event}}}"#
        )
    }

    #[test]
    fn a_netflow_entry_becomes_typed_values() {
        let (records, counts, _) = read(&entry(
            r#"{"event_type":"netflow","src_ip":"10.20.4.17","src_port":49152,"dest_ip":"2001:db8::7","dest_port":443,"proto":"TCP","tcp":{"tcp_flags":"1b"},"timestamp":"2026-11-20T16:25:00.499742+0000","netflow":{"pkts":14,"bytes":2310,"start":"2026-11-20T16:20:11.204417+0000","end":"2026-11-20T16:20:31.902210+0000"}}"#,
        ));
        let record = &records[0];
        assert_eq!(record.log_type(), FirewallLogType::Flow);
        assert_eq!(
            (record.firewall_name(), record.availability_zone()),
            ("fw-1", Some("us-east-1a"))
        );
        assert_eq!(
            (record.src_port(), record.dest_port()),
            (Some(49152), Some(443))
        );
        assert_eq!((record.packets(), record.bytes()), (Some(14), Some(2310)));
        assert_eq!(record.tcp_flags(), Some(0x1b));
        assert_eq!(record.dest_ip(), "2001:db8::7".parse().ok());
        assert_eq!(
            record.event(&["netflow", "start"]).unwrap(),
            "2026-11-20T16:20:11.204417Z"
        );
        assert_eq!(
            record.event(&["timestamp"]).unwrap(),
            "2026-11-20T16:25:00.499742Z"
        );
        assert_eq!(counts.newest, Some(1_795_191_900));
    }

    #[test]
    fn tls_entries_have_ports_as_text_and_times_as_numbers() {
        let text = r#"{"firewall_name":"fw","event_timestamp":1795192189,"event":{"src_ip":"10.0.2.53","src_port":"55930","revocation_check":{"status":"REVOKED","action":"DROP"},"dest_port":"443"}}"#;
        let (records, ..) = read(text);
        assert_eq!(records[0].log_type(), FirewallLogType::Tls);
        assert_eq!(records[0].src_port(), Some(55930));
        assert_eq!(records[0].event_timestamp(), Some(1_795_192_189));
    }

    /// What an entry's time is, and what stands in the entry.
    #[test]
    fn times_of_any_unit_become_seconds_and_no_time_stays_as_it_is() {
        let read = |time: &str| {
            let text = format!(r#"{{"firewall_name":"fw","event_timestamp":{time},"event":{{}}}}"#);
            let (records, counts, _) = read(&text);
            let record = records.first()?;
            assert_eq!(counts.newest.map(|s| s as i64), record.event_timestamp());
            Some((
                record.event_timestamp(),
                record.entry()["event_timestamp"].clone(),
            ))
        };
        for unit in ["", "123", "123456", "123456789", ".5"] {
            for quote in ["", "\""] {
                let time = format!("{quote}1795191900{unit}{quote}");
                let expected = (Some(1_795_191_900), Value::from(1_795_191_900));
                assert_eq!(read(&time), Some(expected), "{time}");
            }
        }
        for time in [
            "1e300",
            "-5",
            "-0.5",
            "99999999999999999999",
            "\"-5\"",
            "\"1e300\"",
            "\"1960-01-01T00:00:00Z\"",
        ] {
            let as_it_is = serde_json::from_str(time).unwrap();
            assert_eq!(read(time), Some((None, as_it_is)), "{time}");
        }
        // As far as years have four digits.
        for time in [u64::MAX, i64::MAX as u64, 253_402_300_800] {
            let (seconds, _) = read(&time.to_string()).unwrap();
            assert!(seconds.unwrap() <= 253_402_300_799, "{time}");
        }
        assert_eq!(read("\"01795191900\"").unwrap().0, Some(1_795_191_900));
        for time in ["\"x\"", "\"\"", "null", "[1]"] {
            assert_eq!(read(time), None, "{time}");
        }
    }

    #[test]
    fn alerts_tolerate_repeated_members_and_lists_in_text() {
        let (records, ..) = read(&entry(
            r#"{"event_type":"alert","src_ip":"10.0.0.1","alert":{"action":"allowed"},"verdict":{"action":"drop"},"tls":{"subject":"a","subject":"b"},"aws_category":"[\"News\"]"}"#,
        ));
        assert_eq!(records[0].action(), Some("drop"));
        assert_eq!(records[0].event(&["tls", "subject"]).unwrap(), "b");
        assert_eq!(
            records[0].event(&["aws_category"]).unwrap(),
            &serde_json::json!(["News"])
        );
    }

    #[test]
    fn entries_over_several_lines_are_put_together() {
        let pretty = "{\n  \"firewall_name\": \"fw\",\n\n  \"event_timestamp\": \"2025-10-20T10:30:45.123Z\",\n  \"event\": {}\n}\n";
        let (records, ..) = read(&format!("\n{pretty}{pretty}{}\n", entry("{}")));
        assert_eq!(
            records.iter().map(FirewallRecord::row).collect::<Vec<_>>(),
            [2, 8, 14]
        );
        assert_eq!(records[0].event_timestamp(), Some(1_760_956_245));
    }

    #[test]
    fn a_cut_or_wrong_line_does_not_take_the_next_with_it() {
        let good = entry("{}");
        let cut = &good[..good.len() - 3];
        let text = format!("{good}\n{cut}\n{good}\nnot json\n[1]\n{{\"a\":1}}\n{good}\n{cut}");
        let (records, counts, errors) = read(&text);
        assert_eq!(records.len(), 3);
        assert_eq!(
            errors.iter().map(|e| e.line).collect::<Vec<_>>(),
            [2, 4, 5, 6, 8]
        );
        assert_eq!(
            counts.malformed_by_reason().collect::<Vec<_>>(),
            [("not_json", 4), ("member", 1)]
        );
    }

    #[test]
    fn addresses_and_ports_are_checked() {
        for event in [
            r#"{"src_ip":"10.0.0"}"#,
            r#"{"dest_port":70000}"#,
            r#"{"src_port":"x"}"#,
            r#"{"dest_ip":7}"#,
        ] {
            let (records, counts, _) = read(&entry(event));
            assert_eq!((records.len(), counts.malformed()), (0, 1), "{event}");
        }
    }

    #[test]
    fn an_endless_line_is_counted_and_passed_over() {
        let good = entry("{}");
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2 * MAX_LINE));
        let (records, counts, _) = read(&format!("{long}\n{good}\n{long}"));
        assert_eq!((records.len(), counts.malformed()), (1, 2));
        assert_eq!(records[0].row(), 2);
    }
}
