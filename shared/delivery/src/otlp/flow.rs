//! Attributes of VPC and Transit Gateway flow logs.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use telemetry::enrichment::protocol::protocol_name;
use telemetry::flow::field::Offered;
use telemetry::flow::layout::{Column, FlowLogKind};
use telemetry::flow::record::Action;
use telemetry::{Datum, Field, FlowRecord, Layout};

use super::attribute::{AnyValue, attribute};
use super::logs::{ATTRIBUTES, Envelope, Severity, write_ends};

/// Fields whose attribute is not named after the column: by the semantic conventions, else as the OpenTelemetry
/// Collector names them (`awslogsencodingextension`).
const NAMED: &[(Field, &str)] = &[
    (Field::Version, "aws.vpc.flow.log.version"),
    (Field::InterfaceId, "network.interface.name"),
    (Field::Srcaddr, "source.address"),
    (Field::Dstaddr, "destination.address"),
    (Field::Srcport, "source.port"),
    (Field::Dstport, "destination.port"),
    (Field::LogStatus, "aws.vpc.flow.status"),
    (Field::VpcId, "aws.vpc.id"),
    (Field::SubnetId, "aws.vpc.subnet.id"),
    (Field::InstanceId, "host.id"),
    (Field::TcpFlags, "network.tcp.flags"),
    (Field::AzId, "aws.az.id"),
    (Field::SublocationType, "aws.sublocation.type"),
    (Field::SublocationId, "aws.sublocation.id"),
    (Field::PktSrcAwsService, "aws.vpc.flow.source.service"),
    (Field::PktDstAwsService, "aws.vpc.flow.destination.service"),
    (Field::EcsClusterArn, "aws.ecs.cluster.arn"),
    (Field::EcsTaskArn, "aws.ecs.task.arn"),
    (Field::EcsTaskId, "aws.ecs.task.id"),
];

/// What a column's values become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// An attribute under the column's key.
    Value,
    /// The number under the key, and its keyword as `network.transport`.
    Protocol,
    /// `network.type`; other kinds of traffic under the key.
    Type,
    /// `network.io.direction`; other words under the key.
    Direction,
    /// Part of the resource; `unknown` is nobody's account.
    Resource,
}

/// The attributes of flows, by the layout of their columns.
#[derive(Debug, Default)]
pub(super) struct FlowAttributes {
    layout: Option<Arc<Layout>>,
    columns: Vec<(Box<str>, Use)>,
}

/// The attribute that a column becomes.
fn attribute_key(column: &Column) -> Box<str> {
    let Some(field) = column.field else {
        return format!("aws.vpc.flow.column.{}", column.name).into();
    };
    if let Some((_, name)) = NAMED.iter().find(|(named, _)| *named == field) {
        return (*name).into();
    }
    match field.info().offered {
        Offered::TransitGateway => {
            let name = field.column();
            format!("aws.tgw.{}", name.strip_prefix("tgw_").unwrap_or(name)).into()
        }
        _ => format!("aws.vpc.flow.{}", field.column()).into(),
    }
}

fn use_of(column: &Column) -> Use {
    match column.field {
        Some(Field::Protocol) => Use::Protocol,
        Some(Field::Type) => Use::Type,
        Some(Field::FlowDirection) => Use::Direction,
        Some(Field::AccountId | Field::Region) => Use::Resource,
        _ => Use::Value,
    }
}

impl FlowAttributes {
    /// Appends the attributes of a flow, and its body.
    pub(super) fn write<'r>(
        &mut self,
        flow: &FlowRecord<'r>,
        out: &mut Vec<u8>,
        body: &mut String,
    ) -> Envelope<'r> {
        let layout = flow.layout();
        if !self.layout.as_ref().is_some_and(|l| Arc::ptr_eq(l, layout)) {
            let columns = layout.columns().iter();
            self.columns = columns.map(|c| (attribute_key(c), use_of(c))).collect();
            self.layout = Some(Arc::clone(layout));
        }
        let buffer = flow.buffer();
        for (cell, (key, usage)) in flow.cells().iter().zip(&self.columns) {
            // Rows that are not UTF-8 are refused by the reader.
            let text = || std::str::from_utf8(cell.text(buffer)).unwrap_or_default();
            let mut put = |key: &str, value| attribute(out, ATTRIBUTES, key, value);
            match (cell.datum(buffer), usage) {
                (Datum::Absent, _) | (_, Use::Resource) => {}
                (Datum::Integer(value), usage) => {
                    put(key, AnyValue::Integer(value));
                    let protocol = u8::try_from(value).ok().and_then(protocol_name);
                    if let (Use::Protocol, Some(name)) = (usage, protocol) {
                        let transport = name.to_ascii_lowercase();
                        put("network.transport", AnyValue::Text(&transport));
                    }
                }
                (Datum::Address(_), _) if cell.is_verbatim() => put(key, AnyValue::Text(text())),
                (Datum::Address(address), _) => put(key, AnyValue::Text(&address.to_string())),
                (Datum::Text, usage) => {
                    let (key, text) = match (usage, text()) {
                        (Use::Type, "IPv4") => ("network.type", "ipv4"),
                        (Use::Type, "IPv6") => ("network.type", "ipv6"),
                        (Use::Direction, "ingress") => ("network.io.direction", "receive"),
                        (Use::Direction, "egress") => ("network.io.direction", "transmit"),
                        (_, text) => (&**key, text),
                    };
                    put(key, AnyValue::Text(text));
                }
            }
        }
        write_body(flow, body);
        let nanoseconds = |seconds: u64| seconds.saturating_mul(1_000_000_000);
        let start = flow.integer(Field::Start);
        let end = flow.integer(Field::End);
        Envelope {
            time: start.or(end).map_or(0, nanoseconds),
            observed: end.or(start).map_or(0, nanoseconds),
            severity: match flow.action() {
                Some(Action::Reject) => Severity::Warn,
                _ => Severity::Info,
            },
            event_name: match layout.kind() {
                FlowLogKind::Vpc => "aws.vpc.flow",
                FlowLogKind::TransitGateway => "aws.tgw.flow",
            },
            account: flow.text(Field::AccountId).filter(|id| *id != "unknown"),
            region: flow.text(Field::Region),
        }
    }
}

/// `ACCEPT 10.0.0.220:22061 -> 203.0.113.5:443 tcp 1800 B`.
fn write_body(flow: &FlowRecord<'_>, body: &mut String) {
    if let Some(action) = flow.text(Field::Action) {
        body.push_str(action);
        body.push(' ');
    }
    let end = |address, port| -> (Option<IpAddr>, Option<u64>) {
        (flow.address(address), flow.integer(port))
    };
    let source = end(Field::Srcaddr, Field::Srcport);
    let destination = end(Field::Dstaddr, Field::Dstport);
    write_ends(body, [source, destination]);
    if let Some(number) = flow.integer(Field::Protocol) {
        // Writing to a string does not fail.
        let _ = match u8::try_from(number).ok().and_then(protocol_name) {
            Some(name) => write!(body, " {}", name.to_ascii_lowercase()),
            None => write!(body, " protocol {number}"),
        };
    }
    if let Some(bytes) = flow.integer(Field::Bytes) {
        let _ = write!(body, " {bytes} B");
    }
}
