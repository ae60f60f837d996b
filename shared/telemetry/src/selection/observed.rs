//! What a condition sees of a record.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::enrichment::field::FieldValue;
use crate::enrichment::protocol::{keyword, protocol_name};
use crate::firewall::{FirewallLogType, FirewallRecord};
use crate::flow::field::Field;
use crate::flow::layout::FlowLogKind;
use crate::flow::record::{Datum, FlowRecord};

/// A value of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Observed<'r> {
    /// There is none.
    Absent,
    /// A number.
    Integer(u64),
    /// An address.
    Address(IpAddr),
    /// Text.
    Text(&'r [u8]),
    /// A list of texts.
    Texts(&'r [Arc<str>]),
}

impl<'r> Observed<'r> {
    /// The value of a column.
    #[inline]
    pub(super) fn column(flow: &FlowRecord<'r>, place: Option<usize>) -> Observed<'r> {
        let Some(cell) = place.and_then(|place| flow.cells().get(place)) else {
            return Observed::Absent;
        };
        let buffer = flow.buffer();
        match cell.datum(buffer) {
            Datum::Absent => Observed::Absent,
            Datum::Integer(value) => Observed::Integer(value),
            Datum::Address(address) => Observed::Address(address),
            Datum::Text => Observed::Text(cell.text(buffer)),
        }
    }

    /// A value that enrichment adds.
    pub(super) fn added(value: Option<FieldValue<'r>>) -> Observed<'r> {
        match value {
            // Nothing is selected by amounts.
            None | Some(FieldValue::Decimal(_)) => Observed::Absent,
            Some(FieldValue::Text(text)) => Observed::Text(text.as_bytes()),
            Some(FieldValue::Texts(texts)) => Observed::Texts(texts),
            Some(FieldValue::Integer(value)) => Observed::Integer(value),
            Some(FieldValue::Boolean(true)) => Observed::Text(b"true"),
            Some(FieldValue::Boolean(false)) => Observed::Text(b"false"),
        }
    }

    /// What an entry of a firewall log has where a flow log has this field; for the action, the word that flow
    /// logs have for it.
    pub(super) fn entry(entry: &'r FirewallRecord, field: Field) -> Observed<'r> {
        let integer = |value: Option<u64>| value.map_or(Observed::Absent, Observed::Integer);
        let address = |value: Option<IpAddr>| value.map_or(Observed::Absent, Observed::Address);
        match field {
            Field::Srcaddr => address(entry.src_ip()),
            Field::Dstaddr => address(entry.dest_ip()),
            Field::Srcport => integer(entry.src_port().map(u64::from)),
            Field::Dstport => integer(entry.dest_port().map(u64::from)),
            Field::Protocol => integer(protocol(entry).map(u64::from)),
            Field::TcpFlags => integer(entry.tcp_flags().map(u64::from)),
            Field::Packets => integer(entry.packets()),
            Field::Bytes => integer(entry.bytes()),
            Field::Action => match (entry.ruling(), entry.action()) {
                (Some(ruling), _) if ruling.is_refusal() => Observed::Text(b"REJECT"),
                (Some(_), _) => Observed::Text(b"ACCEPT"),
                (None, Some(other)) => Observed::Text(other.as_bytes()),
                (None, None) => Observed::Absent,
            },
            _ => Observed::Absent,
        }
    }

    /// A member of an entry of a firewall log.
    pub(super) fn member(entry: &'r FirewallRecord, path: &[&str]) -> Observed<'r> {
        let mut members = path.iter();
        let first = members.next().and_then(|name| entry.entry().get(*name));
        let found = members.try_fold(first, |value, name| Some(value?.get(name)));
        match found.flatten() {
            Some(Json::String(text)) => Observed::Text(text.as_bytes()),
            Some(Json::Number(number)) => {
                number.as_u64().map_or(Observed::Absent, Observed::Integer)
            }
            _ => Observed::Absent,
        }
    }
}

/// The protocol's number of an entry of a firewall log.
pub(super) fn protocol(entry: &FirewallRecord) -> Option<u8> {
    protocol_number(entry.event(&["proto"])?.as_str()?)
}

/// The number of a protocol by IANA's keyword, in any case.
pub(super) fn protocol_number(name: &str) -> Option<u8> {
    let keyword = keyword(name)?;
    (0..=u8::MAX).find(|number| protocol_name(*number) == Some(keyword))
}

/// The name of a kind of flow log.
pub(super) fn flow_class(kind: FlowLogKind) -> &'static str {
    match kind {
        FlowLogKind::Vpc => "vpc",
        FlowLogKind::TransitGateway => "transit-gateway",
    }
}

/// The name of a kind of firewall log.
pub(super) fn entry_class(log_type: FirewallLogType) -> &'static str {
    match log_type {
        FirewallLogType::Alert => "firewall-alert",
        FirewallLogType::Flow => "firewall-flow",
        FirewallLogType::Tls => "firewall-tls",
        FirewallLogType::Other => "firewall-other",
    }
}
