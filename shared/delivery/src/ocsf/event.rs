//! One event: the attributes that a record and its enrichment give, and what has no attribute.
//!
//! Where a record and its enrichment both tell an attribute, the enrichment's value stands, because it is of the
//! address that the endpoint shows; a record's that differs is told in `unmapped`, as is all that has no attribute.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use telemetry::enrichment::field::{End, FieldValue};
use telemetry::enrichment::protocol::{keyword, protocol_name};
use telemetry::enrichment::{Enrichment, FlowField, SideField};
use telemetry::firewall::Ruling;
use telemetry::flow::layout::FlowLogKind;
use telemetry::flow::record::FlowDirection;
use telemetry::{Cell, Datum, Field, FlowRecord, Layout, Record};

use super::attribute::{Attribute, AttributeType, COUNT, Source};
use super::caption::{self, AWS_ACCOUNT, Captions, OTHER, caption};
use super::entry;

/// The value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'v> {
    /// There is none.
    Absent,
    /// Text.
    Text(&'v str),
    /// Text that JSON needs no escape for.
    Plain(&'v str),
    /// A number; of attributes that are texts, its decimal digits.
    Integer(i64),
    /// A time in microseconds since 1970; of attributes that are timestamps, its milliseconds.
    Time(i64),
    /// An address.
    Address(IpAddr),
    /// A list of texts that JSON needs no escape for.
    Texts(&'static [&'static str]),
}

impl<'v> Value<'v> {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Value::Absent)
    }

    pub(super) fn text(&self) -> Option<&'v str> {
        match *self {
            Value::Text(text) | Value::Plain(text) => Some(text),
            _ => None,
        }
    }

    /// Whether both are written alike.
    fn is(&self, other: &Value<'_>) -> bool {
        match (self.text(), other.text()) {
            (Some(one), Some(other)) => one == other,
            (Some(text), None) | (None, Some(text)) => {
                let number = match (self, other) {
                    (Value::Integer(number), _) | (_, Value::Integer(number)) => *number,
                    _ => return false,
                };
                text.parse() == Ok(number)
            }
            (None, None) => self == other,
        }
    }
}

/// What has no attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rest<'r> {
    /// Text.
    Text(&'r str),
    /// Text that JSON needs no escape for.
    Plain(&'r str),
    /// A number.
    Integer(u64),
    /// An address.
    Address(IpAddr),
    /// An amount.
    Decimal(f64),
    /// True or false.
    Boolean(bool),
    /// A list of texts.
    Texts(&'r [Arc<str>]),
    /// A value as JSON.
    Json(&'r [u8]),
}

impl<'r> From<FieldValue<'r>> for Rest<'r> {
    fn from(value: FieldValue<'r>) -> Rest<'r> {
        match value {
            FieldValue::Text(text) => Rest::Text(text),
            FieldValue::Integer(number) => Rest::Integer(number),
            FieldValue::Decimal(amount) => Rest::Decimal(amount),
            FieldValue::Boolean(truth) => Rest::Boolean(truth),
            FieldValue::Texts(texts) => Rest::Texts(texts),
        }
    }
}

/// The name of what has no attribute, in parts.
pub(super) type Name<'n> = [&'n str; 3];

/// Columns that rules make attributes of, by their places in [`Parts`].
const MADE: [Field; 11] = [
    Field::Srcaddr,
    Field::PktSrcaddr,
    Field::Dstaddr,
    Field::PktDstaddr,
    Field::Start,
    Field::End,
    Field::Action,
    Field::Protocol,
    Field::Type,
    Field::FlowDirection,
    Field::TrafficPath,
];

/// The cells of those columns: the column and its cell, where the layout has it.
type Parts<'r> = [Option<(usize, &'r Cell)>; MADE.len()];

/// What becomes of a column.
#[derive(Debug, Clone, Copy)]
enum Use {
    /// It has no attribute.
    Unmapped,
    /// It is an attribute's value.
    Home(Attribute),
    /// It tells of the logging interface: an attribute of the source or the destination.
    Interface([Attribute; 2]),
    /// Rules make attributes of it.
    Made(usize),
}

impl Use {
    fn of(field: Field) -> Use {
        if let Some(place) = MADE.iter().position(|made| *made == field) {
            return Use::Made(place);
        }
        let home = |wanted: Source| {
            let has = |a: &&Attribute| a.sources().contains(&wanted);
            Attribute::ALL.iter().copied().find(|a| has(&a))
        };
        let ends = End::BOTH.map(|end| home(Source::Interface(end, field)));
        match (home(Source::Column(field)), ends) {
            (Some(attribute), _) => Use::Home(attribute),
            (None, [Some(source), Some(destination)]) => Use::Interface([source, destination]),
            _ => Use::Unmapped,
        }
    }
}

/// The attributes of a side's fields, by the fields' order, for the source and the destination.
static SIDES: LazyLock<Vec<[Option<Attribute>; 2]>> = LazyLock::new(|| {
    let home = |end: End, field: SideField| {
        let wanted = Source::Side(end, field);
        let has = |a: &&Attribute| a.sources().contains(&wanted);
        Attribute::ALL.iter().copied().find(|a| has(&a))
    };
    let fields = SideField::ALL.iter();
    fields
        .map(|field| End::BOTH.map(|end| home(end, *field)))
        .collect()
});

/// Every protocol's keyword in lower case, by its number; empty where there is none.
static PROTOCOLS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let name = |number| {
        protocol_name(number)
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    (0..=u8::MAX).map(name).collect()
});

/// The values that every event has.
static CONSTANTS: LazyLock<[Value<'static>; COUNT]> = LazyLock::new(|| {
    let mut values = [Value::Absent; COUNT];
    for (attribute, value) in Attribute::ALL.iter().zip(&mut values) {
        *value = match attribute.sources() {
            [Source::Constant(text)] => Value::Plain(text),
            [Source::Number(number)] => Value::Integer(*number),
            [Source::List(texts)] => Value::Texts(texts),
            _ => Value::Absent,
        };
    }
    values
});

/// Maps records. It keeps what is the same for all rows of a layout.
#[derive(Debug, Default)]
pub(super) struct Mapper {
    layout: Option<Arc<Layout>>,
    uses: Vec<Use>,
    /// Names of columns that enriched fields may have as well: the record's stands.
    unknown: Vec<Box<str>>,
}

/// One event.
#[derive(Debug)]
pub(super) struct Event<'e> {
    values: [Value<'e>; COUNT],
    record: Record<'e>,
    enrichment: Option<&'e Enrichment<'e>>,
    /// Columns of a flow that no attribute took: a bit for each.
    columns: u128,
    /// Members of a firewall's entry that an attribute took.
    members: Vec<&'static [&'static str]>,
    /// Enriched fields of the sides and of the flow that no attribute took: a bit for each.
    sides: [u32; 2],
    flow: u32,
    unknown: &'e [Box<str>],
}

impl Mapper {
    /// The event of a record.
    pub(super) fn map<'e>(
        &'e mut self,
        record: &Record<'e>,
        enrichment: Option<&'e Enrichment<'e>>,
    ) -> Event<'e> {
        if let Record::Flow(flow) = record {
            self.use_layout(flow.layout());
        }
        let mut event = Event {
            values: *CONSTANTS,
            record: *record,
            enrichment,
            columns: 0,
            members: Vec::new(),
            sides: [0; 2],
            flow: 0,
            unknown: &self.unknown,
        };
        let direction = match record {
            Record::Flow(flow) => {
                event.take_enrichment();
                event.take_flow(flow, &self.uses)
            }
            Record::Firewall(entry) => {
                event.take_entry(entry);
                event.take_enrichment();
                None
            }
        };
        event.finish(direction);
        event
    }

    fn use_layout(&mut self, layout: &Arc<Layout>) {
        if self.layout.as_ref().is_some_and(|l| Arc::ptr_eq(l, layout)) {
            return;
        }
        let columns = layout.columns().iter();
        self.uses = columns
            .map(|column| column.field.map_or(Use::Unmapped, Use::of))
            .collect();
        self.unknown = layout.unknown().map(Into::into).collect();
        self.layout = Some(Arc::clone(layout));
    }
}

impl<'e> Event<'e> {
    /// The value of an attribute.
    #[inline]
    pub(super) fn value(&self, attribute: Attribute) -> Value<'e> {
        let value = self.values.get(attribute as usize);
        value.copied().unwrap_or(Value::Absent)
    }

    #[inline]
    pub(super) fn set(&mut self, attribute: Attribute, value: Value<'e>) {
        if let Some(place) = self.values.get_mut(attribute as usize) {
            *place = value;
        }
    }

    /// Gives a time to its two attributes.
    pub(super) fn set_both(&mut self, [timestamp, datetime]: [Attribute; 2], time: Value<'e>) {
        self.set(timestamp, time);
        self.set(datetime, time);
    }

    /// Gives an attribute a value, if it has none. Whether the value is there now.
    #[inline]
    pub(super) fn offer(&mut self, attribute: Attribute, value: Value<'e>) -> bool {
        let Some(place) = self.values.get_mut(attribute as usize) else {
            return false;
        };
        if place.is_absent() {
            *place = value;
            return true;
        }
        place.is(&value)
    }

    /// Gives a number and its caption.
    fn choose(&mut self, [id, name]: [Attribute; 2], captions: Captions, number: i64) {
        self.set(id, Value::Integer(number));
        self.set(name, Value::Plain(caption(captions, number)));
    }

    /// Says that a member of a firewall's entry is an attribute's value.
    pub(super) fn took(&mut self, member: &'static [&'static str]) {
        self.members.push(member);
    }

    /// Says that it is not any more.
    pub(super) fn gave_back(&mut self, member: &[&str]) {
        self.members.retain(|taken| *taken != member);
    }

    // --- Enrichment -------------------------------------------------------------------------------------------------

    fn take_enrichment(&mut self) {
        let Some(enrichment) = self.enrichment else {
            return;
        };
        for (place, end) in End::BOTH.into_iter().enumerate() {
            let mut rest = 0;
            for (field, value) in enrichment.side_values(end) {
                let home = SIDES.get(field as usize).and_then(|homes| homes[place]);
                let taken = match (home, value) {
                    (Some(home), FieldValue::Text(text)) => self.offer(home, Value::Text(text)),
                    (Some(home), FieldValue::Integer(number)) => {
                        i64::try_from(number).is_ok_and(|n| self.offer(home, Value::Integer(n)))
                    }
                    (None, FieldValue::Text(text)) if field == SideField::ResourceType => {
                        self.take_resource_type(place, text)
                    }
                    _ => false,
                };
                rest |= u32::from(!taken) << field as u8;
            }
            self.sides[place] = rest;
        }
        let values = enrichment.fact_values().chain(enrichment.own_values());
        for (field, value) in values {
            let FieldValue::Text(text) = value else {
                self.flow |= 1 << field as u8;
                continue;
            };
            let taken = match field {
                // Told by the protocol's number already.
                FlowField::ProtocolName => true,
                FlowField::Direction => self.take_direction(text),
                FlowField::RejectId => self.offer(Attribute::RuleUid, Value::Text(text)),
                FlowField::RejectRule => {
                    let rule = self.value(Attribute::RuleUid);
                    !rule.is_absent() && self.offer(Attribute::RuleName, Value::Text(text))
                }
                FlowField::RejectExplanation => {
                    self.offer(Attribute::StatusDetail, Value::Text(text))
                }
                _ => false,
            };
            self.flow |= u32::from(!taken) << field as u8;
        }
        if let Some(rejection) = enrichment.rejection {
            let bit = 1 << FlowField::RejectBy as u8;
            let is_rule = self
                .value(Attribute::RuleUid)
                .is(&Value::Text(&rejection.id));
            if is_rule && self.flow & bit != 0 {
                self.set(Attribute::RuleType, Value::Plain(rejection.by));
                self.flow &= !bit;
            }
        }
    }

    fn take_resource_type(&mut self, place: usize, resource: &'e str) -> bool {
        let known = caption::ENDPOINTS.iter().find(|(r, _)| *r == resource);
        let (number, name) = known.map_or((OTHER, resource), |(_, endpoint)| *endpoint);
        let [id, text] = [
            [Attribute::SrcTypeId, Attribute::SrcType],
            [Attribute::DstTypeId, Attribute::DstType],
        ][place];
        self.set(id, Value::Integer(number));
        self.set(text, Value::Text(name));
        number == OTHER
    }

    /// Whether the direction is one that OCSF has.
    fn take_direction(&mut self, direction: &'e str) -> bool {
        let number = match direction {
            "ingress" => 1,
            "egress" => 2,
            _ => return false,
        };
        let number = Value::Integer(number);
        self.offer(Attribute::DirectionId, number)
    }

    // --- Flow logs --------------------------------------------------------------------------------------------------

    /// Takes the columns of a flow; returns whether a decision was to be expected of it.
    fn take_flow(&mut self, flow: &FlowRecord<'e>, uses: &[Use]) -> Option<Decision<'e>> {
        let buffer = flow.buffer();
        let plain = flow.is_plain();
        // The record's own direction before the enrichment's.
        let enriched = self.value(Attribute::DirectionId);
        let end = match (flow.direction(), enriched) {
            (Some(FlowDirection::Egress), _) | (None, Value::Integer(2)) => Some(0),
            (Some(FlowDirection::Ingress), _) | (None, Value::Integer(1)) => Some(1),
            _ => None,
        };
        let mut parts: Parts<'e> = [None; MADE.len()];
        for (at, (column, cell)) in uses.iter().zip(flow.cells()).enumerate() {
            if let Use::Made(part) = column {
                parts[*part] = Some((at, cell));
                continue;
            }
            if cell.is_absent() {
                continue;
            }
            let home = match column {
                Use::Home(home) => Some(*home),
                Use::Interface(homes) => end.map(|end: usize| homes[end]),
                _ => None,
            };
            let taken = match (home, value(cell, buffer, plain)) {
                (None, _) | (_, Value::Absent) => false,
                // What AWS writes when it does not know the account.
                (Some(Attribute::CloudAccountUid), Value::Plain("unknown")) => false,
                (Some(home), value) => self.offer(home, value),
            };
            self.columns |= u128::from(!taken) << at;
        }
        let [source, pkt_source, destination, pkt_destination, ..] = parts;
        let family = self.take_addresses(
            [Attribute::SrcIp, Attribute::SrcIntermediateIps],
            [pkt_source, source],
            buffer,
        );
        let family = self
            .take_addresses(
                [Attribute::DstIp, Attribute::DstIntermediateIps],
                [pkt_destination, destination],
                buffer,
            )
            .or(family);
        let [
            _,
            _,
            _,
            _,
            start,
            ended,
            action,
            protocol,
            version,
            direction,
            path,
        ] = parts;
        self.take_flow_time([Attribute::StartTime, Attribute::StartTimeDt], start);
        self.take_flow_time([Attribute::EndTime, Attribute::EndTimeDt], ended);
        self.take_protocol(protocol);
        self.take_version(version, family, buffer);
        self.take_path(path);
        if let Some((at, cell)) = direction.filter(|(_, cell)| !cell.is_absent()) {
            let text = std::str::from_utf8(cell.text(buffer)).unwrap_or_default();
            if flow.direction().is_some() {
                // It stands before the enrichment's, which was made of it.
                self.set(Attribute::DirectionId, Value::Absent);
            }
            if !self.take_direction(text) {
                self.columns |= 1 << at;
            }
        }
        self.set(
            Attribute::ProductName,
            Value::Plain(match flow.layout().kind() {
                FlowLogKind::Vpc => "Amazon VPC",
                FlowLogKind::TransitGateway => "AWS Transit Gateway",
            }),
        );
        self.set(Attribute::FeatureName, Value::Plain("Flowlogs"));
        action.map(|(_, cell)| {
            let text = value(cell, buffer, plain);
            Decision::of_flow(text)
        })
    }

    /// Takes an address and the one it had in the packet; returns the version of IP.
    fn take_addresses(
        &mut self,
        [home, intermediate]: [Attribute; 2],
        cells: [Option<(usize, &'e Cell)>; 2],
        buffer: &'e [u8],
    ) -> Option<i64> {
        let [packet, seen] = cells.map(|c| c.map(|(_, cell)| cell).filter(|c| !c.is_absent()));
        let shown = packet.or(seen)?;
        self.set(home, address(shown, buffer));
        if let (Some(packet), Some(seen)) = (packet, seen) {
            let same = packet.text(buffer) == seen.text(buffer)
                || packet.datum(buffer) == seen.datum(buffer);
            if !same {
                self.set(intermediate, address(seen, buffer));
            }
        }
        match shown.datum(buffer) {
            Datum::Address(IpAddr::V4(_)) => Some(4),
            Datum::Address(IpAddr::V6(_)) => Some(6),
            _ => None,
        }
    }

    /// Takes a time of a flow log.
    fn take_flow_time(&mut self, homes: [Attribute; 2], part: Option<(usize, &Cell)>) {
        let Some((at, Datum::Integer(seconds))) = part.map(|(at, cell)| (at, cell.datum(&[])))
        else {
            return;
        };
        // What RFC 3339 cannot write is no time.
        let micros = (seconds <= LAST_SECOND)
            .then(|| i64::try_from(seconds).ok())
            .flatten()
            .and_then(|seconds| seconds.checked_mul(1_000_000));
        match micros {
            Some(micros) => self.set_both(homes, Value::Time(micros)),
            None => self.columns |= 1 << at,
        }
    }

    fn take_protocol(&mut self, part: Option<(usize, &Cell)>) {
        let Some((_, Datum::Integer(number))) = part.map(|(at, cell)| (at, cell.datum(&[]))) else {
            return;
        };
        if let Ok(number) = u8::try_from(number) {
            self.set_protocol(number);
        }
    }

    pub(super) fn set_protocol(&mut self, number: u8) {
        self.set(Attribute::ProtocolNum, Value::Integer(number.into()));
        if let Some(name) = PROTOCOLS.get(usize::from(number)).filter(|n| !n.is_empty()) {
            self.set(Attribute::ProtocolName, Value::Plain(name));
        }
    }

    fn take_version(
        &mut self,
        part: Option<(usize, &'e Cell)>,
        family: Option<i64>,
        buffer: &'e [u8],
    ) {
        let text = part.map(|(_, cell)| std::str::from_utf8(cell.text(buffer)).unwrap_or_default());
        let absent = part.is_none_or(|(_, cell)| cell.is_absent());
        match text.filter(|_| !absent) {
            Some("IPv4") => self.set_version(4),
            Some("IPv6") => self.set_version(6),
            Some(other) => {
                self.set(Attribute::ProtocolVer, Value::Text(other));
                self.set(Attribute::ProtocolVerId, Value::Integer(OTHER));
            }
            None => family
                .into_iter()
                .for_each(|family| self.set_version(family)),
        }
    }

    /// The version of IP.
    pub(super) fn set_version(&mut self, version: i64) {
        let name = if version == 6 { "IPv6" } else { "IPv4" };
        self.set(Attribute::ProtocolVer, Value::Plain(name));
        self.set(Attribute::ProtocolVerId, Value::Integer(version));
    }

    fn take_path(&mut self, part: Option<(usize, &Cell)>) {
        let path = part.map(|(_, cell)| cell.datum(&[]));
        let boundary = [Attribute::BoundaryId, Attribute::Boundary];
        match path {
            Some(Datum::Integer(path @ 1..=8)) => {
                self.choose(boundary, caption::BOUNDARIES, path as i64 + 3);
            }
            Some(Datum::Integer(path)) => {
                self.set(Attribute::BoundaryId, Value::Integer(OTHER));
                self.set(Attribute::Boundary, Value::Integer(path as i64));
            }
            _ => {
                let via = self.enrichment.map_or(0, boundary_of);
                self.choose(boundary, caption::BOUNDARIES, via);
            }
        }
    }

    // --- The same for all -------------------------------------------------------------------------------------------

    /// Says what was decided.
    pub(super) fn decide(&mut self, decision: Decision<'e>) {
        let Decision {
            text,
            activity,
            action,
            disposition,
            status,
        } = decision;
        use Attribute as A;
        self.choose(
            [A::ActivityId, A::ActivityName],
            caption::ACTIVITIES,
            activity,
        );
        self.choose([A::TypeUid, A::TypeName], caption::TYPES, activity);
        self.set(A::TypeUid, Value::Integer(400_100 + activity));
        self.choose([A::ActionId, A::Action], caption::ACTIONS, action);
        self.choose(
            [A::DispositionId, A::Disposition],
            caption::DISPOSITIONS,
            disposition,
        );
        self.choose([A::StatusId, A::Status], caption::STATUSES, status);
        if action == OTHER {
            self.set(A::Action, text);
            self.set(A::Disposition, text);
        }
    }

    /// A number from 1 to 4.
    pub(super) fn set_severity(&mut self, severity: i64) {
        self.choose(
            [Attribute::SeverityId, Attribute::Severity],
            caption::SEVERITIES,
            severity,
        );
    }

    /// Adds what follows from the other attributes.
    fn finish(&mut self, decision: Option<Decision<'e>>) {
        use Attribute as A;
        if self.value(A::ActivityId).is_absent() {
            self.decide(decision.unwrap_or(Decision::NONE));
        }
        if self.value(A::SeverityId).is_absent() {
            self.set_severity(1);
        }
        if self.value(A::Time).is_absent() {
            let start = self.value(A::StartTime);
            let end = self.value(A::EndTime);
            let time = if start.is_absent() { end } else { start };
            if time.is_absent() {
                // The schema demands a time; the record has none.
                self.set(A::Time, Value::Time(0));
            } else {
                self.set(A::Time, time);
                self.set(A::TimeDt, time);
            }
        }
        let direction = match self.value(A::DirectionId) {
            Value::Integer(direction) => direction,
            _ => 0,
        };
        self.choose(
            [A::DirectionId, A::Direction],
            caption::DIRECTIONS,
            direction,
        );
        for (counted, out) in [
            (A::TrafficBytes, A::TrafficBytesOut),
            (A::TrafficPackets, A::TrafficPacketsOut),
        ] {
            self.set(out, self.value(counted));
        }
        for (uid, name, type_id, text) in [
            (
                A::CloudAccountUid,
                A::CloudAccountUid,
                A::CloudAccountTypeId,
                A::CloudAccountType,
            ),
            (
                A::SrcOwnerAccountUid,
                A::SrcOwnerAccountName,
                A::SrcOwnerAccountTypeId,
                A::SrcOwnerAccountType,
            ),
            (
                A::DstOwnerAccountUid,
                A::DstOwnerAccountName,
                A::DstOwnerAccountTypeId,
                A::DstOwnerAccountType,
            ),
        ] {
            if !(self.value(uid).is_absent() && self.value(name).is_absent()) {
                self.set(type_id, Value::Integer(AWS_ACCOUNT.0));
                self.set(text, Value::Plain(AWS_ACCOUNT.1));
            }
        }
        for (identity, name) in [
            (&SOURCE_IDENTITY[..], A::SrcName),
            (&DESTINATION_IDENTITY[..], A::DstName),
        ] {
            if identity.iter().all(|a| self.value(*a).is_absent()) {
                self.set(name, Value::Plain("Unknown"));
            }
        }
    }

    // --- What is left -----------------------------------------------------------------------------------------------

    /// Tells all that no attribute has: names in parts, and values.
    pub(super) fn unmapped(&self, tell: &mut impl FnMut(Name<'_>, Rest<'_>)) {
        match &self.record {
            Record::Flow(flow) => {
                let mut left = self.columns;
                while left != 0 {
                    let at = left.trailing_zeros() as usize;
                    left &= left - 1;
                    let column = flow.layout().columns().get(at);
                    let Some((column, cell)) = column.zip(flow.cells().get(at)) else {
                        continue;
                    };
                    let value = match cell.datum(flow.buffer()) {
                        Datum::Absent => continue,
                        Datum::Integer(number) => Rest::Integer(number),
                        Datum::Address(address) => Rest::Address(address),
                        Datum::Text => {
                            let text = std::str::from_utf8(cell.text(flow.buffer()));
                            let text = text.unwrap_or_default();
                            if flow.is_plain() {
                                Rest::Plain(text)
                            } else {
                                Rest::Text(text)
                            }
                        }
                    };
                    tell(["", "", &column.name], value);
                }
            }
            Record::Firewall(entry) => entry::rest(entry, &self.members, tell),
        }
        let Some(enrichment) = self.enrichment else {
            return;
        };
        let mut tell = |name: Name<'_>, value: Rest<'_>| {
            if !self.is_records(name) {
                tell(name, value);
            }
        };
        for (place, end) in End::BOTH.into_iter().enumerate() {
            for (field, value) in enrichment.side_values(end) {
                if self.sides[place] >> field as u8 & 1 == 1 {
                    tell([end.prefix(), "", field.name()], value.into());
                }
            }
            for (key, value) in enrichment.tags(end) {
                tell([end.prefix(), "tag_", key], Rest::Text(value));
            }
        }
        let values = enrichment.fact_values().chain(enrichment.own_values());
        for (field, value) in values {
            if self.flow >> field as u8 & 1 == 1 {
                tell(["", "", field.name()], value.into());
            }
        }
    }

    /// Whether a record has something of its own under this name.
    fn is_records(&self, name: Name<'_>) -> bool {
        match &self.record {
            Record::Flow(_) => {
                !self.unknown.is_empty() && {
                    let name = name.concat();
                    self.unknown.iter().any(|unknown| **unknown == *name)
                }
            }
            Record::Firewall(entry) => entry.entry().contains_key(&name.concat()),
        }
    }
}

/// The last second that RFC 3339 can write: the end of the year 9999.
pub(super) const LAST_SECOND: u64 = 253_402_300_799;

/// What identifies an endpoint; the schema demands at least one of them.
const SOURCE_IDENTITY: [Attribute; 6] = [
    Attribute::SrcIp,
    Attribute::SrcUid,
    Attribute::SrcName,
    Attribute::SrcSvcName,
    Attribute::SrcInstanceUid,
    Attribute::SrcInterfaceUid,
];
const DESTINATION_IDENTITY: [Attribute; 7] = [
    Attribute::DstIp,
    Attribute::DstUid,
    Attribute::DstName,
    Attribute::DstHostname,
    Attribute::DstSvcName,
    Attribute::DstInstanceUid,
    Attribute::DstInterfaceUid,
];

/// What was decided on a flow or packet, in OCSF's numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decision<'d> {
    /// The decision itself.
    pub text: Value<'d>,
    /// 4 failed, 5 refused, 6 passed, 0 not known.
    pub activity: i64,
    /// 1 allowed, 2 denied.
    pub action: i64,
    /// How.
    pub disposition: i64,
    /// 1 success, 2 failure.
    pub status: i64,
}

impl<'d> Decision<'d> {
    const fn new(activity: i64, action: i64, disposition: i64, status: i64) -> Decision<'d> {
        Decision {
            text: Value::Absent,
            activity,
            action,
            disposition,
            status,
        }
    }

    /// None is told: there was traffic.
    pub(super) const NONE: Decision<'static> = Decision::new(6, 0, 0, 0);

    /// A connection that could not be made.
    pub(super) const FAILED: Decision<'static> = Decision::new(4, 0, 0, 2);

    /// The decision of a flow log's action.
    fn of_flow(text: Value<'d>) -> Decision<'d> {
        let decision = match text.text() {
            None => Decision::new(0, 0, 0, 0),
            Some("ACCEPT") => Decision::new(6, 1, 1, 1),
            Some("REJECT") => Decision::new(5, 2, 2, 2),
            Some(_) => Decision::new(6, OTHER, OTHER, 0),
        };
        Decision { text, ..decision }
    }

    /// The decision of a firewall: what its action says, and the action itself.
    pub(super) fn of_firewall(ruling: Option<Ruling>, action: &'d str) -> Decision<'d> {
        let decision = match ruling {
            Some(Ruling::Passed) => Decision::new(6, 1, 1, 1),
            Some(Ruling::Alerted) => Decision::new(6, 1, 19, 1),
            Some(Ruling::Rejected) => Decision::new(5, 2, 2, 2),
            Some(Ruling::Dropped) => Decision::new(5, 2, 6, 2),
            None => Decision::new(6, OTHER, OTHER, 0),
        };
        Decision {
            text: Value::Text(action),
            ..decision
        }
    }
}

/// The boundary that the enriched way leads through; 0 when OCSF has none for it.
fn boundary_of(enrichment: &Enrichment<'_>) -> i64 {
    let (mut via, mut scope) = ("", "");
    for (field, value) in enrichment.fact_values() {
        match (field, value) {
            (FlowField::Via, FieldValue::Text(text)) => via = text,
            (FlowField::Scope, FieldValue::Text(text)) => scope = text,
            _ => {}
        }
    }
    match (via, scope) {
        ("vpc", _) => 4,
        ("vpn" | "direct-connect" | "hybrid-vgw", _) => 6,
        ("peering", "inter-region") => 8,
        ("peering", "intra-az" | "inter-az" | "intra-region") => 7,
        ("local-gateway", _) => 9,
        ("gateway-endpoint", _) => 10,
        ("internet-gateway", _) => 11,
        _ => 0,
    }
}

/// A cell's value, as far as attributes can have it.
#[inline]
fn value<'e>(cell: &Cell, buffer: &'e [u8], plain: bool) -> Value<'e> {
    match cell.datum(buffer) {
        Datum::Absent => Value::Absent,
        Datum::Integer(number) => i64::try_from(number).map_or(Value::Absent, Value::Integer),
        Datum::Address(_) => address(cell, buffer),
        // The reader refuses rows that are not UTF-8.
        Datum::Text => match std::str::from_utf8(cell.text(buffer)) {
            Ok(text) if plain => Value::Plain(text),
            Ok(text) => Value::Text(text),
            Err(_) => Value::Absent,
        },
    }
}

/// A cell's address: its text where that is the one spelling that leaves here.
#[inline]
fn address<'e>(cell: &Cell, buffer: &'e [u8]) -> Value<'e> {
    let text = cell
        .is_verbatim()
        .then(|| std::str::from_utf8(cell.text(buffer)).ok())
        .flatten();
    match (text, cell.datum(buffer)) {
        (Some(text), _) => Value::Plain(text),
        (None, Datum::Address(address)) => Value::Address(address),
        (None, _) => Value::Absent,
    }
}

/// The number of a protocol's name.
pub(super) fn protocol_number(name: &str) -> Option<u8> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let keyword = keyword(name)?;
    (0..=u8::MAX).find(|number| protocol_name(*number) == Some(keyword))
}

/// Whether an attribute's values are numbers.
pub(super) const fn is_number(attribute_type: AttributeType) -> bool {
    matches!(
        attribute_type,
        AttributeType::Integer | AttributeType::Long | AttributeType::Timestamp
    )
}
