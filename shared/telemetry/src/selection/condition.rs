//! Conditions: what of a record is looked at, and which values hold.

use super::observed::{Observed, protocol_number};
use super::ranges::{Blocks, Ranges};
use crate::enrichment::field::{End, FlowField, SideField, ValueType};
use crate::enrichment::transfer::{Confidence, Scope, Via};
use crate::enrichment::{How, Status};
use crate::flow::field::{Field, FieldType};
use crate::index::shard::GatewayKind;
use crate::inventory::Cidr;

/// What of a record is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A field of flow logs, and what firewall logs have for it.
    Column(Field),
    /// Either of two.
    Either(Field, Field),
    /// The kind of log.
    Class,
    /// The direction that enrichment knows, else the column's.
    Direction,
    /// A member of a firewall's entry.
    Member(&'static [&'static str]),
    /// A field that enrichment adds of a side.
    Side(End, SideField),
    /// A field that enrichment adds of the flow.
    Flow(FlowField),
}

/// Short names, and what is a field of no table.
const NAMES: &[(&str, Subject)] = &[
    ("log", Subject::Class),
    ("direction", Subject::Direction),
    ("addr", Subject::Either(Field::Srcaddr, Field::Dstaddr)),
    ("port", Subject::Either(Field::Srcport, Field::Dstport)),
    (
        "pkt_addr",
        Subject::Either(Field::PktSrcaddr, Field::PktDstaddr),
    ),
    ("account", Subject::Column(Field::AccountId)),
    ("interface", Subject::Column(Field::InterfaceId)),
    ("subnet", Subject::Column(Field::SubnetId)),
    ("vpc", Subject::Column(Field::VpcId)),
    ("status", Subject::Column(Field::LogStatus)),
    ("firewall", Subject::Member(&["firewall_name"])),
    ("app_proto", Subject::Member(&["event", "app_proto"])),
    ("signature_id", Subject::Member(SIGNATURE_ID)),
];

const SIGNATURE_ID: &[&str] = &["event", "alert", "signature_id"];

/// Fields of the flow that records are selected by: those that do not depend on what is delivered.
const ADDED: &[FlowField] = &[
    FlowField::Device,
    FlowField::DeviceType,
    FlowField::DeviceName,
    FlowField::GatewayType,
    FlowField::GatewayId,
    FlowField::Via,
    FlowField::Scope,
    FlowField::Confidence,
    FlowField::CountVolume,
    FlowField::Metadata,
];

/// What values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer(u64),
    Protocol,
    Address,
    Text,
}

impl Subject {
    /// The subject of a name, with `_` or `-` between its words.
    pub(super) fn from_name(name: &str) -> Option<Subject> {
        let name = name.replace('-', "_");
        if let Some((_, subject)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Some(*subject);
        }
        if let Some(field) = Field::from_name(&name) {
            return Some(Subject::Column(field));
        }
        if let Some(field) = ADDED.iter().find(|field| field.name() == name) {
            return Some(Subject::Flow(*field));
        }
        End::BOTH.into_iter().find_map(|end| {
            let name = name.strip_prefix(end.prefix())?;
            let field = SideField::ALL.iter().find(|field| field.name() == name)?;
            Some(Subject::Side(end, *field))
        })
    }

    /// Whether only enrichment knows it.
    pub(super) fn is_added(self) -> bool {
        matches!(self, Subject::Side(..) | Subject::Flow(_))
    }

    /// Whether enrichment may change what is seen of it.
    pub(super) fn is_improved(self) -> bool {
        self.is_added() || self == Subject::Direction
    }

    fn kind(self) -> Kind {
        let of_value = |value_type| match value_type {
            ValueType::Integer => Kind::Integer(u64::MAX),
            _ => Kind::Text,
        };
        match self {
            Subject::Column(Field::Protocol) => Kind::Protocol,
            Subject::Column(field) | Subject::Either(field, _) => match field.info().field_type {
                FieldType::Integer(most) => Kind::Integer(most),
                FieldType::Epoch => Kind::Integer(u64::MAX),
                FieldType::Address => Kind::Address,
                FieldType::Text => Kind::Text,
            },
            Subject::Member(SIGNATURE_ID) => Kind::Integer(u64::MAX),
            Subject::Class | Subject::Direction | Subject::Member(_) => Kind::Text,
            Subject::Side(_, field) => of_value(field.value_type()),
            Subject::Flow(field) => of_value(field.value_type()),
        }
    }

    /// The only values there are, where others can only be a slip.
    fn known(self) -> Option<Vec<&'static str>> {
        match self {
            Subject::Class => Some(vec![
                "vpc",
                "transit-gateway",
                "firewall-alert",
                "firewall-flow",
                "firewall-tls",
                "firewall-other",
            ]),
            Subject::Direction | Subject::Column(Field::FlowDirection) => {
                Some(vec!["ingress", "egress"])
            }
            Subject::Column(Field::Action) => Some(vec!["ACCEPT", "REJECT"]),
            Subject::Column(Field::LogStatus) => Some(vec!["OK", "NODATA", "SKIPDATA"]),
            Subject::Flow(FlowField::CountVolume) => Some(vec!["true", "false"]),
            Subject::Flow(FlowField::Via) => {
                Some(Via::ALL.iter().map(|via| via.as_str()).collect())
            }
            Subject::Flow(FlowField::Scope) => {
                Some(Scope::ALL.iter().map(|scope| scope.as_str()).collect())
            }
            Subject::Flow(FlowField::Confidence) => {
                let all = Confidence::ALL.iter();
                Some(all.map(|confidence| confidence.as_str()).collect())
            }
            Subject::Flow(FlowField::GatewayType) => {
                let others = GatewayKind::ALL
                    .iter()
                    .filter(|k| **k != GatewayKind::Local);
                Some(others.map(|kind| kind.label()).collect())
            }
            Subject::Side(_, SideField::How) => {
                Some(How::ALL.iter().map(|how| how.label()).collect())
            }
            Subject::Side(_, SideField::Status) => {
                let all = [Status::Hit, Status::Stale, Status::Miss];
                Some(all.map(Status::label).to_vec())
            }
            _ => None,
        }
    }
}

/// A text, or all texts that start with it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: Box<[u8]>,
    prefix: bool,
}

impl Pattern {
    #[inline]
    fn has(&self, text: &[u8]) -> bool {
        if self.prefix {
            let start = text.get(..self.text.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(&self.text))
        } else {
            text.eq_ignore_ascii_case(&self.text)
        }
    }
}

/// A set of values.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Set {
    Integers(Ranges<u64>),
    Addresses(Blocks),
    Texts(Box<[Pattern]>),
}

/// A condition on one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) subject: Subject,
    /// Whether the values are those that do not hold.
    not: bool,
    /// Whether the absence of a value is one of them.
    absent: bool,
    set: Set,
}

impl Condition {
    /// A condition as it is written: `name=value,value` or `name!=value,value`.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub(super) fn parse(text: &str) -> Result<Condition, String> {
        let Some((name, values)) = text.split_once('=') else {
            return Err(
                "conditions are a name, = or !=, and values, without spaces between them, as in dstport=53,5353"
                    .to_owned(),
            );
        };
        let (name, not) = match name.strip_suffix('!') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let Some(subject) = Subject::from_name(name) else {
            return Err(format!(
                "nothing is named {name:?}: use names such as action, direction, addr, srcaddr, port, dstport, protocol, account, vpc, subnet, interface, log, status, src_service, via or scope; docs/selection.md lists them"
            ));
        };
        let all: Vec<&str> = values.split(',').collect();
        if all.iter().any(|value| value.is_empty()) {
            return Err(format!(
                "a value is missing: values stand after the = with commas between them; {name}=- is for records that have none"
            ));
        }
        let values = all.iter().copied().filter(|value| *value != "-");
        let set = match subject.kind() {
            Kind::Integer(most) => Set::Integers(Ranges::new(
                values
                    .map(|value| range(value, most))
                    .collect::<Result<_, _>>()?,
            )),
            Kind::Protocol => Set::Integers(Ranges::new(
                values
                    .map(|value| match protocol_number(value) {
                        Some(number) => Ok((number.into(), number.into())),
                        None => range(value, u8::MAX.into()).map_err(|_| {
                            format!("{value:?} is no protocol: use a number of IANA or its keyword, as in protocol=6 or protocol=tcp,udp")
                        }),
                    })
                    .collect::<Result<_, _>>()?,
            )),
            Kind::Address => {
                let blocks = values.map(|value| {
                    value.parse::<Cidr>().map_err(|_| {
                        format!("{value:?} is neither an address nor a block of them, as in {name}=10.0.0.0/8,2001:db8::1")
                    })
                });
                Set::Addresses(Blocks::new(&blocks.collect::<Result<Vec<_>, _>>()?))
            }
            Kind::Text => {
                let known = subject.known();
                let patterns = values.map(|value| {
                    let pattern = pattern(value);
                    match &known {
                        Some(known) if !known.iter().any(|one| pattern.has(one.as_bytes())) => {
                            Err(format!("{name} is never {value:?}: it is one of {}", known.join(", ")))
                        }
                        _ => Ok(pattern),
                    }
                });
                Set::Texts(patterns.collect::<Result<_, _>>()?)
            }
        };
        Ok(Condition {
            subject,
            not,
            absent: all.contains(&"-"),
            set,
        })
    }

    /// Whether it holds for what is seen of its subject, which for some are two values.
    ///
    /// What is absent decides nothing: neither `=` nor `!=` holds, unless it is asked for.
    #[inline]
    pub(super) fn holds(&self, seen: [Observed<'_>; 2]) -> bool {
        match seen {
            [Observed::Absent, Observed::Absent] => self.absent && !self.not,
            [value, Observed::Absent] => self.has(value) != self.not,
            [first, second] => (self.has(first) || self.has(second)) != self.not,
        }
    }

    #[inline]
    fn has(&self, value: Observed<'_>) -> bool {
        match (&self.set, value) {
            (Set::Integers(ranges), Observed::Integer(value)) => ranges.contains(value),
            (Set::Addresses(blocks), Observed::Address(address)) => blocks.contains(address),
            (Set::Texts(patterns), Observed::Text(text)) => patterns.iter().any(|p| p.has(text)),
            (Set::Texts(patterns), Observed::Texts(texts)) => texts
                .iter()
                .any(|text| patterns.iter().any(|p| p.has(text.as_bytes()))),
            _ => false,
        }
    }
}

fn pattern(value: &str) -> Pattern {
    let (text, prefix) = match value.strip_suffix('*') {
        Some(text) => (text, true),
        None => (value, false),
    };
    Pattern {
        text: text.as_bytes().into(),
        prefix,
    }
}

/// A number, or a range of them: `53`, `1024-65535`.
fn range(value: &str, most: u64) -> Result<(u64, u64), String> {
    let number = |text: &str| text.parse().ok().filter(|number| *number <= most);
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        _ => Err(format!(
            "{value:?} is neither a number up to {most} nor a range of them, as in 53 or 0-1023"
        )),
    }
}
