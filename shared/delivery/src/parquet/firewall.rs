//! Entries of Network Firewall logs: the members that queries ask for as typed columns, and the whole entry as JSON.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use telemetry::FirewallRecord;

use super::columns::{ColumnType, ColumnValue, Table};

/// Where a column has its value: the first of these members that is there, by path.
type Paths = &'static [&'static [&'static str]];

/// The columns: name, type, and members of the entry. Member names are those of Suricata's EVE output, as AWS
/// passes them on ("Contents of a Network Firewall log", *Network Firewall Developer Guide*).
#[rustfmt::skip]
pub(super) const COLUMNS: &[(&str, ColumnType, Paths)] = &[
    ("event_timestamp", ColumnType::Seconds, &[&["event_timestamp"]]),
    ("firewall_name", ColumnType::Text, &[&["firewall_name"]]),
    ("availability_zone", ColumnType::Text, &[&["availability_zone"]]),
    ("event_type", ColumnType::Text, &[&["event", "event_type"]]),
    ("timestamp", ColumnType::Microseconds, &[&["event", "timestamp"]]),
    ("flow_id", ColumnType::UInt64, &[&["event", "flow_id"]]),
    ("src_ip", ColumnType::Address, &[&["event", "src_ip"]]),
    ("src_port", ColumnType::Int32, &[&["event", "src_port"]]),
    ("dest_ip", ColumnType::Address, &[&["event", "dest_ip"]]),
    ("dest_port", ColumnType::Int32, &[&["event", "dest_port"]]),
    ("proto", ColumnType::Text, &[&["event", "proto"]]),
    ("app_proto", ColumnType::Text, &[&["event", "app_proto"]]),
    ("packet_direction", ColumnType::Text, &[&["event", "direction"]]),
    ("icmp_type", ColumnType::Int32, &[&["event", "icmp_type"]]),
    ("icmp_code", ColumnType::Int32, &[&["event", "icmp_code"]]),
    ("packets", ColumnType::UInt64, &[&["event", "netflow", "pkts"]]),
    ("bytes", ColumnType::UInt64, &[&["event", "netflow", "bytes"]]),
    ("start", ColumnType::Microseconds, &[&["event", "netflow", "start"]]),
    ("end", ColumnType::Microseconds, &[&["event", "netflow", "end"]]),
    ("age", ColumnType::Int64, &[&["event", "netflow", "age"]]),
    ("min_ttl", ColumnType::Int32, &[&["event", "netflow", "min_ttl"]]),
    ("max_ttl", ColumnType::Int32, &[&["event", "netflow", "max_ttl"]]),
    ("tcp_flags", ColumnType::Int32, &[&["event", "tcp", "tcp_flags"], &["event", "netflow", "tcp_flags"]]),
    ("action", ColumnType::Text, &[&["event", "verdict", "action"], &["event", "alert", "action"], &["event", "revocation_check", "action"]]),
    ("signature_id", ColumnType::Int64, &[&["event", "alert", "signature_id"]]),
    ("signature", ColumnType::Text, &[&["event", "alert", "signature"]]),
    ("signature_rev", ColumnType::Int64, &[&["event", "alert", "rev"]]),
    ("signature_gid", ColumnType::Int64, &[&["event", "alert", "gid"]]),
    ("category", ColumnType::Text, &[&["event", "alert", "category"]]),
    ("severity", ColumnType::Int32, &[&["event", "alert", "severity"]]),
    ("rule_group_arn", ColumnType::Text, &[&["event", "aws_metadata", "resource_arn"]]),
    ("aws_category", ColumnType::Texts, &[&["event", "aws_category"]]),
    ("sni", ColumnType::Text, &[&["event", "tls", "sni"], &["event", "sni"]]),
    ("tls_version", ColumnType::Text, &[&["event", "tls", "version"]]),
    ("tls_subject", ColumnType::Text, &[&["event", "tls", "subject"]]),
    ("tls_issuer", ColumnType::Text, &[&["event", "tls", "issuerdn"]]),
    ("tls_inspected", ColumnType::Boolean, &[&["event", "tls_inspected"]]),
    ("tls_error", ColumnType::Text, &[&["event", "tls_error", "error_message"]]),
    ("revocation_status", ColumnType::Text, &[&["event", "revocation_check", "status"]]),
    ("http_hostname", ColumnType::Text, &[&["event", "http", "hostname"]]),
    ("http_method", ColumnType::Text, &[&["event", "http", "http_method"]]),
    ("http_url", ColumnType::Text, &[&["event", "http", "url"]]),
    ("http_user_agent", ColumnType::Text, &[&["event", "http", "http_user_agent"]]),
    ("http_status", ColumnType::Int32, &[&["event", "http", "status"]]),
    ("entry", ColumnType::Document, &[]),
];

/// Puts an entry into the open row of a table, which has [`COLUMNS`] at these places; returns how long the entry's
/// text is. A member of another type than its column stands in `entry` alone.
pub(super) fn write(table: &mut Table, places: &[usize], record: &FirewallRecord) -> usize {
    let whole = record.entry();
    for ((_, column_type, paths), place) in COLUMNS.iter().zip(places) {
        let found = paths.iter().find_map(|path| {
            let (first, rest) = path.split_first()?;
            let value = rest
                .iter()
                .try_fold(whole.get(*first)?, |value, name| value.get(name));
            value.filter(|value| !value.is_null())
        });
        if let Some(value) = found {
            put(table, *place, *column_type, value);
        }
    }
    // Writing a JSON value to text does not fail.
    let text = serde_json::to_string(whole).unwrap_or_default();
    if let Some(place) = places.last() {
        table.put(*place, ColumnValue::Text(&text));
    }
    text.len()
}

fn put(table: &mut Table, place: usize, column_type: ColumnType, value: &Value) {
    let value = match column_type {
        ColumnType::Text => value.as_str().map(ColumnValue::Text),
        ColumnType::Address => {
            let address = value.as_str().and_then(|text| text.parse().ok());
            address.map(ColumnValue::Address)
        }
        ColumnType::Int32 => {
            let number = value.as_u64().filter(|number| *number <= i32::MAX as u64);
            number.map(ColumnValue::Unsigned)
        }
        ColumnType::Int64 => value.as_i64().map(ColumnValue::Integer),
        // The reader brought what is a time to seconds; what is left below zero or with a fraction is none.
        ColumnType::Seconds | ColumnType::UInt64 => value.as_u64().map(ColumnValue::Unsigned),
        ColumnType::Microseconds => {
            let time = value
                .as_str()
                .and_then(|text| text.parse::<Timestamp>().ok());
            time.map(|time| ColumnValue::Integer(time.as_microsecond()))
        }
        ColumnType::Boolean => value.as_bool().map(ColumnValue::Boolean),
        ColumnType::Texts => {
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            let texts = items.iter().map(|item| item.as_str().map(Arc::from));
            let texts: Option<Vec<_>> = texts.collect();
            if let Some(texts) = texts.filter(|texts| !texts.is_empty()) {
                table.put(place, ColumnValue::Texts(&texts));
            }
            None
        }
        ColumnType::Double | ColumnType::Document | ColumnType::Integers => None,
    };
    if let Some(value) = value {
        table.put(place, value);
    }
}
