//! Entries of Network Firewall logs: what becomes of their members.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use telemetry::FirewallRecord;
use telemetry::firewall::FirewallLogType;

use super::attribute::{Attribute, AttributeType, Source};
use super::event::{Decision, Event, LAST_SECOND, Name, Rest, Value, is_number, protocol_number};

/// A member's path from the entry.
type Path = &'static [&'static str];

impl<'e> Event<'e> {
    /// Takes the members of an entry that have an attribute.
    pub(super) fn take_entry(&mut self, entry: &'e FirewallRecord) {
        use Attribute as A;
        let log_type = entry.log_type();
        self.set(A::ProductName, Value::Plain("AWS Network Firewall"));
        for attribute in Attribute::ALL {
            for source in attribute.sources() {
                if let Source::Member(path) = source
                    && let Some(value) = member(entry, path).and_then(|m| value(m, *attribute))
                    && self.offer(*attribute, value)
                {
                    self.took(path);
                }
            }
        }
        self.take_feature(entry, log_type);
        self.take_times(entry, log_type);
        if let Some(number) = text(entry, &["event", "proto"]).and_then(protocol_number) {
            self.set_protocol(number);
            self.took(&["event", "proto"]);
        }
        if let Some(ip) = entry.src_ip().or(entry.dest_ip()) {
            self.set_version(if ip.is_ipv6() { 6 } else { 4 });
        }
        // Suricata's 1 is the most severe, OCSF's the least.
        if let Some(severity @ 1..=4) =
            member(entry, &["event", "alert", "severity"]).and_then(Json::as_i64)
        {
            self.set_severity(5 - severity);
            self.took(&["event", "alert", "severity"]);
        }
        if let Some(sni) = text(entry, &["event", "tls", "sni"])
            && !self.value(A::TlsVersion).is_absent()
        {
            self.set(A::TlsSni, Value::Text(sni));
            self.took(&["event", "tls", "sni"]);
        }
        if let Some(sni) = text(entry, &["event", "sni"]).filter(|sni| is_hostname(sni)) {
            self.set(A::DstHostname, Value::Plain(sni));
            self.took(&["event", "sni"]);
        }
        // The rule's uid or name is what makes it one.
        if self.value(A::RuleUid).is_absent() && self.value(A::RuleName).is_absent() {
            for (attribute, path) in [
                (A::RuleCategory, &["event", "alert", "category"]),
                (A::RuleVersion, &["event", "alert", "rev"]),
            ] {
                self.set(attribute, Value::Absent);
                self.gave_back(path);
            }
        }
        // Decisions stay among what is unmapped as well: a verdict and a rule's action are two things.
        let failed = entry.event(&["tls_error"]).is_some();
        match entry.action() {
            Some(action) => self.decide(Decision::of_firewall(entry.ruling(), action)),
            None if failed => self.decide(Decision::FAILED),
            None => {}
        }
    }

    fn take_feature(&mut self, entry: &'e FirewallRecord, log_type: FirewallLogType) {
        let event_type = text(entry, &["event", "event_type"]);
        let feature = match (log_type, event_type) {
            (FirewallLogType::Alert, _) => Value::Plain("Alert"),
            (FirewallLogType::Flow, _) => Value::Plain("Flow"),
            (FirewallLogType::Tls, _) => Value::Plain("TLS"),
            (FirewallLogType::Other, Some(event_type)) => Value::Text(event_type),
            (FirewallLogType::Other, None) => return,
        };
        self.set(Attribute::FeatureName, feature);
        if event_type.is_some() {
            self.took(&["event", "event_type"]);
        }
    }

    fn take_times(&mut self, entry: &'e FirewallRecord, log_type: FirewallLogType) {
        use Attribute as A;
        for (homes, path) in [
            ([A::StartTime, A::StartTimeDt], START),
            ([A::EndTime, A::EndTimeDt], END),
        ] {
            if let Some(time) = text(entry, path).and_then(micros) {
                self.set_both(homes, Value::Time(time));
                self.took(path);
            }
        }
        // A flow is of its start; when it was written is another time.
        let is_flow = log_type == FirewallLogType::Flow && !self.value(A::StartTime).is_absent();
        let written = text(entry, TIMESTAMP).and_then(micros);
        let seconds = entry.event_timestamp();
        let logged = seconds.map(|s| Value::Time(s.saturating_mul(1_000_000)));
        if let Some(logged) = logged {
            self.set(A::MetadataLoggedTime, logged);
            self.took(&["event_timestamp"]);
        }
        if is_flow {
            return;
        }
        if let Some(written) = written {
            self.took(TIMESTAMP);
            self.set_both([A::Time, A::TimeDt], Value::Time(written));
        } else if let Some(logged) = logged {
            self.set_both([A::Time, A::TimeDt], logged);
        }
    }
}

const TIMESTAMP: Path = &["event", "timestamp"];
const START: Path = &["event", "netflow", "start"];
const END: Path = &["event", "netflow", "end"];

fn member<'e>(entry: &'e FirewallRecord, path: &[&str]) -> Option<&'e Json> {
    let (first, rest) = path.split_first()?;
    let first = entry.entry().get(*first)?;
    rest.iter().try_fold(first, |value, name| value.get(name))
}

fn text<'e>(entry: &'e FirewallRecord, path: &[&str]) -> Option<&'e str> {
    member(entry, path)?.as_str()
}

/// A member's value as the attribute can have it. Empty texts, which Suricata writes, tell nothing.
fn value(member: &Json, attribute: Attribute) -> Option<Value<'_>> {
    match member {
        Json::String(text) if text.is_empty() || is_number(attribute.attribute_type()) => None,
        Json::String(text) => Some(Value::Text(text)),
        Json::Number(number) => {
            let fits = |number: &i64| match attribute.attribute_type() {
                AttributeType::Integer => (0..=i64::from(i32::MAX)).contains(number),
                _ => true,
            };
            number.as_i64().filter(fits).map(Value::Integer)
        }
        _ => None,
    }
}

/// A time that the reader has brought to RFC 3339, in microseconds since 1970. `None` before 1970 and for what
/// microseconds cannot tell.
fn micros(text: &str) -> Option<i64> {
    let time: Timestamp = text.parse().ok()?;
    let whole = time.subsec_nanosecond() % 1000 == 0;
    let micros = time.as_microsecond();
    (whole && (0..=LAST_SECOND as i64 * 1_000_000).contains(&micros)).then_some(micros)
}

/// Whether a text is a host's name as OCSF's `hostname_t` allows it: labels of letters, digits and inner hyphens.
fn is_hostname(text: &str) -> bool {
    text.split('.').all(|label| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(allowed)
    })
}

/// Tells the members of an entry that no attribute took. Empty texts tell nothing.
pub(super) fn rest(
    entry: &FirewallRecord,
    taken: &[Path],
    tell: &mut impl FnMut(Name<'_>, Rest<'_>),
) {
    let mut path = Vec::new();
    let mut json = Vec::new();
    for (name, value) in entry.entry() {
        path.push(name.as_str());
        match value {
            Json::String(text) if !text.is_empty() && !taken.contains(&path.as_slice()) => {
                tell(["", "", name], Rest::Text(text));
            }
            _ => {
                json.clear();
                if write_rest(&mut json, value, &mut path, taken) {
                    tell(["", "", name], Rest::Json(&json));
                }
            }
        }
        path.pop();
    }
}

/// Appends what is left of a value as JSON. False when nothing is.
fn write_rest<'e>(
    out: &mut Vec<u8>,
    value: &'e Json,
    path: &mut Vec<&'e str>,
    taken: &[Path],
) -> bool {
    if taken.contains(&path.as_slice()) {
        return false;
    }
    match value {
        Json::String(text) if text.is_empty() => false,
        Json::Object(members) if !members.is_empty() => write_members(out, members, path, taken),
        _ => {
            // Writing a JSON value to a vector does not fail.
            drop(serde_json::to_writer(out, value));
            true
        }
    }
}

fn write_members<'e>(
    out: &mut Vec<u8>,
    members: &'e Map<String, Json>,
    path: &mut Vec<&'e str>,
    taken: &[Path],
) -> bool {
    let start = out.len();
    out.push(b'{');
    for (name, value) in members {
        let before = out.len();
        // Writing a string to a vector does not fail.
        drop(serde_json::to_writer(&mut *out, name));
        out.push(b':');
        path.push(name);
        let written = write_rest(out, value, path, taken);
        path.pop();
        if written {
            out.push(b',');
        } else {
            out.truncate(before);
        }
    }
    if out.len() == start + 1 {
        out.truncate(start);
        return false;
    }
    if let Some(last) = out.last_mut() {
        *last = b'}';
    }
    true
}
