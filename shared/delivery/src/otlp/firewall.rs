//! Attributes of Network Firewall logs.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::{Map, Value};
use telemetry::FirewallRecord;
use telemetry::firewall::{FirewallLogType, Ruling};

use super::attribute::{AnyValue, attribute};
use super::logs::{ATTRIBUTES, Envelope, Severity, write_ends};

/// Where all members stand that the conventions have no name for.
const PREFIX: &str = "aws.networkfirewall";

/// Members of the event that the semantic conventions have a name for.
const NAMED: &[(&str, &str)] = &[
    ("src_ip", "source.address"),
    ("src_port", "source.port"),
    ("dest_ip", "destination.address"),
    ("dest_port", "destination.port"),
    ("proto", "network.transport"),
    ("app_proto", "network.protocol.name"),
];

/// Appends the attributes of an entry, and its body.
pub(super) fn write<'r>(
    entry: &'r FirewallRecord,
    out: &mut Vec<u8>,
    body: &mut String,
) -> Envelope<'r> {
    let others = |name: &str| name != "event";
    write_members(entry.entry(), others, out, &mut PREFIX.to_owned());
    if let Some(Value::Object(event)) = entry.event(&[]) {
        write_event(event, out);
    }
    write_body(entry, body);
    let seconds = entry.event_timestamp().and_then(|s| u64::try_from(s).ok());
    let logged = seconds.and_then(|s| s.checked_mul(1_000_000_000));
    let observed = time(entry, &["timestamp"]).or(logged).unwrap_or_default();
    let started = time(entry, &["netflow", "start"]);
    let (event_name, _) = names(entry.log_type());
    let refused = entry.ruling().is_some_and(Ruling::is_refusal);
    let failed = entry.event(&["tls_error"]).is_some();
    let severity = match refused || failed {
        true => Severity::Warn,
        false => Severity::Info,
    };
    Envelope {
        time: started.unwrap_or(observed),
        observed,
        severity,
        event_name,
        account: None,
        region: None,
    }
}

/// The name of the event, and how the body calls it.
const fn names(log_type: FirewallLogType) -> (&'static str, &'static str) {
    match log_type {
        FirewallLogType::Alert => ("aws.networkfirewall.alert", "alert"),
        FirewallLogType::Flow => ("aws.networkfirewall.flow", "flow"),
        FirewallLogType::Tls => ("aws.networkfirewall.tls", "tls"),
        FirewallLogType::Other => ("aws.networkfirewall.event", "event"),
    }
}

fn write_event(event: &Map<String, Value>, out: &mut Vec<u8>) {
    for (name, value) in event {
        match (named(name), value) {
            (None, _) => {}
            (Some(key @ "network.transport"), Value::String(protocol)) => {
                let transport = protocol.to_ascii_lowercase();
                attribute(out, ATTRIBUTES, key, AnyValue::Text(&transport));
            }
            (Some(key), value) => attribute(out, ATTRIBUTES, key, AnyValue::Json(value)),
        }
    }
    let others = |name: &str| named(name).is_none();
    write_members(event, others, out, &mut format!("{PREFIX}.event"));
}

/// The name that the conventions have for a member of the event.
fn named(member: &str) -> Option<&'static str> {
    let mut named = NAMED.iter();
    let (_, key) = named.find(|(name, _)| *name == member)?;
    Some(key)
}

/// Appends those members that `is_meant` says under the path of their object, or as one list when one of them has a
/// dot in its name.
fn write_members(
    members: &Map<String, Value>,
    is_meant: impl Fn(&str) -> bool,
    out: &mut Vec<u8>,
    path: &mut String,
) {
    let meant = || members.iter().filter(|(name, _)| is_meant(name));
    if meant().any(|(name, _)| name.contains('.')) {
        let list = meant().map(|(name, value)| (name.clone(), value.clone()));
        let list = Value::Object(list.collect());
        attribute(out, ATTRIBUTES, path, AnyValue::Json(&list));
        return;
    }
    for (name, value) in meant() {
        let len = path.len();
        path.push('.');
        path.push_str(name);
        write_member(out, path, value);
        path.truncate(len);
    }
}

/// Appends a member under its path, its own members each under theirs. An object in which a name has a dot, or that
/// is empty, stays one: its members' paths could be those of others.
fn write_member(out: &mut Vec<u8>, path: &mut String, value: &Value) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            write_members(members, |_| true, out, path);
        }
        value => attribute(out, ATTRIBUTES, path, AnyValue::Json(value)),
    }
}

/// A time of the event, nanoseconds since 1970. The reader brought it to RFC 3339.
fn time(entry: &FirewallRecord, path: &[&str]) -> Option<u64> {
    let time: Timestamp = entry.event(path)?.as_str()?.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}

/// `alert drop 10.20.4.17:55555 -> 192.0.2.16:3389 tcp: deny rdp to internet`.
fn write_body(entry: &FirewallRecord, body: &mut String) {
    let (_, kind) = names(entry.log_type());
    let words = [Some(kind), entry.action()];
    for word in words.into_iter().flatten() {
        body.push_str(word);
        body.push(' ');
    }
    let source = (entry.src_ip(), entry.src_port().map(u64::from));
    let destination = (entry.dest_ip(), entry.dest_port().map(u64::from));
    write_ends(body, [source, destination]);
    let text = |path: &[&str]| entry.event(path).and_then(Value::as_str);
    if let Some(protocol) = text(&["proto"]) {
        body.push(' ');
        body.push_str(&protocol.to_ascii_lowercase());
    }
    if let Some(bytes) = entry.bytes() {
        // Writing to a string does not fail.
        let _ = write!(body, " {bytes} B");
    }
    let reason = text(&["alert", "signature"])
        .or_else(|| text(&["tls_error", "error_message"]))
        .or_else(|| text(&["revocation_check", "status"]));
    if let Some(reason) = reason {
        body.push_str(": ");
        body.push_str(reason);
    }
}
