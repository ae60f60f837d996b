//! Enriches records as they are ready, one after another. Records that are alike are looked up once.
//!
//! ```text
//! record ─▶ memo of the columns that decide ─┬─ known ─▶ two sides, facts of the flow
//!                                            └─ new ───▶ resolution, classes ─▶ sides and facts, each kept once
//! ```
//!
//! Sides and facts are numbered, so that an encoder can keep what it made of them: the numbers hold until
//! [`Enrichment::generation`] changes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::aws_ranges::AwsRanges;
use super::field::{End, FieldSet, FieldValue, FlowField, SideField};
use super::geography::Geography;
use super::price::PriceTable;
use super::protocol::{protocol_name, tcp_flag_names};
use super::resolution::{Found, LoadShard, Loaded, NONE, Near, Resolver, Told, is_public};
use super::side::{How, Side};
use super::transfer::{
    self, Attachment, Hop, HopSource, InterfaceKind, Log, Place, RouteTarget, Sighting, Transfer,
};
use crate::firewall::{FirewallLogType, FirewallRecord};
use crate::flow::field::Field;
use crate::flow::layout::{FlowLogKind, Layout};
use crate::flow::record::{Action, FlowDirection, FlowRecord};
use crate::index::directory::Directory;
use crate::index::format::{Link, Text};
use crate::index::shard::{GatewayKind, Range32, SubnetRow};
use crate::log::Record;

mod explanation;

/// What `device` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The VPC.
    Vpc,
    /// The subnet.
    Subnet,
    /// The interface.
    Interface,
    /// The folder of the log object.
    Folder,
}

/// How records are enriched.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is added.
    pub fields: FieldSet,
    /// What logged a flow of a VPC.
    pub device: Device,
    /// What data transfer costs.
    pub prices: Arc<PriceTable>,
    /// Addresses of AWS's services.
    pub ranges: Option<Arc<AwsRanges>>,
    /// Countries and autonomous systems.
    pub geography: Option<Arc<Geography>>,
    /// Seconds after which what was collected counts as stale.
    pub max_age: u32,
}

impl Options {
    /// These fields, and the defaults for the rest.
    pub fn new(fields: FieldSet) -> Options {
        Options {
            fields,
            device: Device::Vpc,
            prices: Arc::new(PriceTable::shipped()),
            ranges: None,
            geography: None,
            max_age: Options::DEFAULT_MAX_AGE,
        }
    }

    /// A day: runs are an hour apart, and one or the other may fail.
    pub const DEFAULT_MAX_AGE: u32 = 24 * 3600;
}

/// What the log object's key tells; hints for what its records do not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The account.
    pub account: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The folder.
    pub folder: String,
}

/// What is known of a flow beside its sides; the same for all records that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What logged it.
    pub device: Option<Box<str>>,
    /// What that is.
    pub device_type: Option<&'static str>,
    /// Its name.
    pub device_name: Option<Box<str>>,
    /// The direction as seen from there.
    pub direction: Option<FlowDirection>,
    /// The gateway on the way.
    pub gateway: Option<(GatewayKind, Box<str>)>,
    /// The class of data transfer.
    pub transfer: Option<Transfer>,
    /// What is metered at this place for a GB of 2^30 bytes, USD.
    pub per_gb: Option<f64>,
    /// Whether to count it for volume.
    pub count_volume: Option<bool>,
    /// Why the index could not be used in full.
    pub metadata: Option<&'static str>,
}

impl Facts {
    fn value(&self, field: FlowField) -> Option<FieldValue<'_>> {
        let text = FieldValue::Text;
        match field {
            FlowField::Device => self.device.as_deref().map(text),
            FlowField::DeviceType => self.device_type.map(text),
            FlowField::DeviceName => self.device_name.as_deref().map(text),
            FlowField::Direction => self.direction.map(|direction| {
                text(match direction {
                    FlowDirection::Ingress => "ingress",
                    FlowDirection::Egress => "egress",
                })
            }),
            FlowField::GatewayType => self.gateway.as_ref().map(|(kind, _)| text(kind.label())),
            FlowField::GatewayId => self.gateway.as_ref().map(|(_, id)| text(id)),
            FlowField::Via => self.transfer.map(|t| text(t.via.as_str())),
            FlowField::Scope => self.transfer.map(|t| text(t.scope.as_str())),
            FlowField::Confidence => self.transfer.map(|t| text(t.confidence.as_str())),
            FlowField::CountVolume => self.count_volume.map(FieldValue::Boolean),
            FlowField::Metadata => self.metadata.map(text),
            FlowField::TransferCostUsd
            | FlowField::ProtocolName
            | FlowField::TcpFlagNames
            | FlowField::RejectBy
            | FlowField::RejectId
            | FlowField::RejectRule
            | FlowField::RejectExplanation => None,
        }
    }
}

/// Why a record was rejected, as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejection {
    /// What rejects.
    pub by: &'static str,
    /// Its id, or ids.
    pub id: String,
    /// The network ACL's entry.
    pub rule: String,
    /// The reason as a sentence.
    pub explanation: String,
}

/// What is added to a record.
#[derive(Debug, Clone, Copy)]
pub struct Enrichment<'e> {
    /// The fields that are chosen.
    pub fields: &'e FieldSet,
    /// Changes when numbers of sides and facts are given anew.
    pub generation: u64,
    /// The source's number.
    pub source: u32,
    /// The destination's number.
    pub destination: u32,
    /// The facts' number.
    pub facts: u32,
    /// The price of the transfer, USD.
    pub cost: Option<f64>,
    /// The protocol's name.
    pub protocol_name: Option<&'static str>,
    /// Names of TCP flags.
    pub tcp_flag_names: Option<&'static str>,
    /// Why it was rejected.
    pub rejection: Option<&'e Rejection>,
    enricher: &'e Kept,
}

impl<'e> Enrichment<'e> {
    /// A side.
    pub fn side(&self, end: End) -> Option<&'e Side> {
        let number = match end {
            End::Source => self.source,
            End::Destination => self.destination,
        };
        self.enricher.sides.get(number as usize)
    }

    /// What is known of the flow beside its sides.
    pub fn facts(&self) -> Option<&'e Facts> {
        self.enricher.facts.get(self.facts as usize)
    }

    /// The values of a side, without tags, in the order of the dictionary.
    pub fn side_values(
        &self,
        end: End,
    ) -> impl Iterator<Item = (SideField, FieldValue<'e>)> + use<'e> {
        let (fields, side) = (self.fields, self.side(end));
        let chosen = SideField::ALL
            .iter()
            .filter(move |field| fields.has_side(end, **field));
        chosen.filter_map(move |field| Some((*field, side?.value(*field)?)))
    }

    /// The tags of a side that are chosen and there: keys and values.
    pub fn tags(&self, end: End) -> impl Iterator<Item = (&'e str, &'e str)> + use<'e> {
        let tags = self.side(end).map(|side| &*side.tags).unwrap_or_default();
        tags.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Values of the flow that are the same for all records alike, in the order of the dictionary.
    pub fn fact_values(&self) -> impl Iterator<Item = (FlowField, FieldValue<'e>)> + use<'e> {
        let (fields, facts) = (self.fields, self.facts());
        let chosen = FlowField::ALL.iter().filter(|f| fields.has_flow(**f));
        chosen.filter_map(move |field| Some((*field, facts?.value(*field)?)))
    }

    /// Values of the flow that are this record's own, in the order of the dictionary.
    #[inline]
    pub fn own_values(&self) -> impl Iterator<Item = (FlowField, FieldValue<'e>)> + use<'e> {
        let rejection = self.rejection;
        let text = |text: &'e str| (!text.is_empty()).then_some(FieldValue::Text(text));
        let values = [
            (
                FlowField::TransferCostUsd,
                self.cost.map(FieldValue::Decimal),
            ),
            (
                FlowField::ProtocolName,
                self.protocol_name.map(FieldValue::Text),
            ),
            (FlowField::TcpFlagNames, self.tcp_flag_names.and_then(text)),
            (FlowField::RejectBy, rejection.and_then(|r| text(r.by))),
            (FlowField::RejectId, rejection.and_then(|r| text(&r.id))),
            (FlowField::RejectRule, rejection.and_then(|r| text(&r.rule))),
            (
                FlowField::RejectExplanation,
                rejection.and_then(|r| text(&r.explanation)),
            ),
        ];
        values
            .into_iter()
            .filter_map(|(f, value)| Some((f, value?)))
    }
}

/// Sides and facts by their numbers.
#[derive(Debug, Default)]
struct Kept {
    sides: Vec<Side>,
    facts: Vec<Facts>,
}

/// What records that are alike have in common.
#[derive(Debug, Clone, Copy)]
struct Resolved {
    source: u32,
    destination: u32,
    facts: u32,
    /// When it holds: addresses change hands.
    valid: Range32,
    /// What rejections are explained by.
    near: Near,
    far: Found,
    rejected: bool,
}

/// A place of the memo: the columns that decide, and what they gave.
#[derive(Debug, Clone)]
struct Slot {
    hash: u64,
    key: Box<[u8]>,
    resolved: Resolved,
}

/// Places of the memo. More than an object usually has of ends that talk; a power of two.
const SLOTS: usize = 1 << 15;

/// Sides and facts that are kept at most. Beyond it, all are made anew: it bounds memory.
const MAX_KEPT: usize = 1 << 15;

/// What facts depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct FactsKey {
    source: u32,
    destination: u32,
    hop: u32,
    hop_by: Option<u8>,
    direction: Option<bool>,
    path: Option<u8>,
    rejected: bool,
    log: u64,
    shard: u16,
    route: Option<(u32, u32)>,
    own: u32,
}

/// Enriches records.
pub struct Enricher {
    options: Arc<Options>,
    resolver: Resolver,
    origin: Origin,
    generation: u64,
    kept: Kept,
    side_numbers: HashMap<Found, u32>,
    fact_numbers: HashMap<FactsKey, u32>,
    slots: Vec<Option<Slot>>,
    plan: Option<Plan>,
    key: Vec<u8>,
    rejection: Rejection,
}

/// Which columns of a layout decide on sides and facts: runs of columns that stand side by side.
struct Plan {
    layout: Arc<Layout>,
    runs: Vec<(usize, usize)>,
    start: Option<usize>,
    bytes: Option<usize>,
    protocol: Option<usize>,
    tcp_flags: Option<usize>,
}

/// Columns that do not: counters, times, ports and the like.
const UNDECIDING: &[Field] = &[
    Field::Version,
    Field::Srcport,
    Field::Dstport,
    Field::Protocol,
    Field::Packets,
    Field::Bytes,
    Field::Start,
    Field::End,
    Field::LogStatus,
    Field::TcpFlags,
    Field::Type,
    Field::RejectReason,
    Field::EncryptionStatus,
    Field::PacketsLostNoRoute,
    Field::PacketsLostBlackhole,
    Field::PacketsLostMtuExceeded,
    Field::PacketsLostTtlExpired,
    Field::SublocationId,
    Field::SublocationType,
    Field::EcsContainerId,
    Field::EcsSecondContainerId,
    Field::EcsContainerInstanceArn,
    Field::EcsContainerInstanceId,
    Field::InstanceTag,
    Field::InstanceTag2,
    Field::InterfaceTag,
    Field::InterfaceTag2,
    Field::AsgTag,
    Field::AsgTag2,
];

impl Plan {
    fn new(layout: &Arc<Layout>) -> Plan {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (place, column) in layout.columns().iter().enumerate() {
            let Some(field) = column.field else { continue };
            if UNDECIDING.contains(&field) {
                continue;
            }
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == place => *last = place,
                _ => runs.push((place, place)),
            }
        }
        Plan {
            layout: Arc::clone(layout),
            runs,
            start: layout.place(Field::Start),
            bytes: layout.place(Field::Bytes),
            protocol: layout.place(Field::Protocol),
            tcp_flags: layout.place(Field::TcpFlags),
        }
    }
}

/// A fast hash for tables in memory.
#[inline]
fn mix(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = bytes.len() as u64;
    for word in words {
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
    }
    let mut tail = [0; 8];
    tail.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    hash = (hash.rotate_left(5) ^ u64::from_le_bytes(tail)).wrapping_mul(FACTOR);
    hash ^ (hash >> 32)
}

impl Enricher {
    /// An enricher over an index: its directory, and how shards are loaded when they are needed.
    pub fn new(options: Arc<Options>, directory: Loaded<Directory>, load: LoadShard) -> Enricher {
        let resolver = Resolver::new(
            directory,
            load,
            options.ranges.clone(),
            options.geography.clone(),
            options.max_age,
        );
        Enricher {
            options,
            resolver,
            origin: Origin::default(),
            generation: 0,
            kept: Kept::default(),
            side_numbers: HashMap::new(),
            fact_numbers: HashMap::new(),
            slots: Vec::new(),
            plan: None,
            key: Vec::new(),
            rejection: Rejection::default(),
        }
    }

    /// What is added.
    pub fn options(&self) -> &Arc<Options> {
        &self.options
    }

    /// Says which object the next records are of.
    pub fn begin(&mut self, origin: Origin) {
        if self.origin != origin {
            self.origin = origin;
            self.forget();
        }
    }

    /// Forgets what is kept, which gives all numbers anew.
    fn forget(&mut self) {
        self.generation += 1;
        self.kept.sides.clear();
        self.kept.facts.clear();
        self.side_numbers.clear();
        self.fact_numbers.clear();
        self.slots.fill(None);
        self.resolver.forget();
    }

    /// Enriches a record.
    #[inline]
    pub fn enrich(&mut self, record: &Record<'_>) -> Enrichment<'_> {
        match record {
            Record::Flow(flow) => self.flow(flow),
            Record::Firewall(entry) => self.firewall(entry),
        }
    }

    #[inline]
    fn flow(&mut self, flow: &FlowRecord<'_>) -> Enrichment<'_> {
        let known = self.plan.as_ref();
        if !known.is_some_and(|plan| Arc::ptr_eq(&plan.layout, flow.layout())) {
            self.plan = Some(Plan::new(flow.layout()));
            // The same bytes in other columns are another key.
            self.slots.fill(None);
        }
        let (cells, buffer) = (flow.cells(), flow.buffer());
        let integer = |place: Option<usize>| match cells.get(place?)?.datum(buffer) {
            crate::Datum::Integer(value) => Some(value),
            _ => None,
        };
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        let (mut time, mut bytes, mut protocol, mut flags) = (None, None, None, None);
        if let Some(plan) = &self.plan {
            for (first, last) in &plan.runs {
                if let (Some(first), Some(last)) = (cells.get(*first), cells.get(*last)) {
                    let run = buffer.get(first.span().start..last.span().end);
                    key.extend_from_slice(run.unwrap_or_default());
                    key.push(b'\n');
                }
            }
            time = integer(plan.start);
            bytes = integer(plan.bytes);
            protocol = integer(plan.protocol);
            flags = integer(plan.tcp_flags);
        }
        let time = u32::try_from(time.unwrap_or_default()).unwrap_or(u32::MAX);
        let hash = mix(&key);
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, None);
        }
        let place = hash as usize & (SLOTS - 1);
        let known = self.slots.get(place).and_then(Option::as_ref);
        let known = known.filter(|slot| {
            slot.hash == hash && slot.resolved.valid.contains(time) && *slot.key == *key
        });
        let resolved = match known {
            Some(slot) => slot.resolved,
            None => self.fill(place, hash, &key, flow, time),
        };
        self.key = key;
        let rejected = resolved.rejected && self.explains();
        if rejected {
            self.explain(flow, &resolved);
        }
        let cost = self.cost(&resolved, bytes);
        let protocol = protocol.and_then(|number| u8::try_from(number).ok());
        let fields = &self.options.fields;
        Enrichment {
            fields,
            generation: self.generation,
            source: resolved.source,
            destination: resolved.destination,
            facts: resolved.facts,
            cost,
            protocol_name: match fields.has_flow(FlowField::ProtocolName) {
                true => protocol.and_then(protocol_name),
                false => None,
            },
            tcp_flag_names: match fields.has_flow(FlowField::TcpFlagNames) {
                true => flags
                    .and_then(|flags| u8::try_from(flags).ok())
                    .map(tcp_flag_names),
                false => None,
            },
            rejection: rejected.then_some(&self.rejection),
            enricher: &self.kept,
        }
    }

    fn cost(&self, resolved: &Resolved, bytes: Option<u64>) -> Option<f64> {
        if !self.options.fields.has_flow(FlowField::TransferCostUsd) {
            return None;
        }
        let facts = self.kept.facts.get(resolved.facts as usize)?;
        Some(facts.per_gb? * (bytes? as f64 / f64::from(1 << 30)))
    }

    fn explains(&self) -> bool {
        let fields = [
            FlowField::RejectBy,
            FlowField::RejectId,
            FlowField::RejectRule,
            FlowField::RejectExplanation,
        ];
        fields
            .iter()
            .any(|field| self.options.fields.has_flow(*field))
    }

    #[cold]
    #[inline(never)]
    fn fill(
        &mut self,
        place: usize,
        hash: u64,
        key: &[u8],
        flow: &FlowRecord<'_>,
        time: u32,
    ) -> Resolved {
        if self.kept.sides.len().max(self.kept.facts.len()) > MAX_KEPT {
            self.forget();
        }
        let resolved = match flow.layout().kind() {
            FlowLogKind::TransitGateway => self.transit_gateway(flow, time),
            FlowLogKind::Vpc => self.vpc(flow, time),
        };
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Some(Slot {
                hash,
                key: key.into(),
                resolved,
            });
        }
        resolved
    }

    /// Gives a side a number.
    fn number(&mut self, found: Found) -> u32 {
        if let Some(number) = self.side_numbers.get(&found) {
            return *number;
        }
        let side = self.resolver.side(&found, self.options.fields.tags());
        let number = self.kept.sides.len() as u32;
        self.kept.sides.push(side);
        self.side_numbers.insert(found, number);
        number
    }

    fn side(&self, number: u32) -> Option<&Side> {
        self.kept.sides.get(number as usize)
    }

    /// A record of a VPC flow log.
    fn vpc(&mut self, flow: &FlowRecord<'_>, time: u32) -> Resolved {
        let text = |field| flow.text(field);
        let account = text(Field::AccountId).filter(|id| *id != "unknown");
        let hint = self.origin.clone();
        let region = text(Field::Region).or(hint.region.as_deref());
        let told = self.resolver.tell(told_by(flow, account));
        let near = self.resolver.near(
            account.or(hint.account.as_deref()),
            region,
            text(Field::InterfaceId),
            told,
        );
        let (own, mut valid) = self.resolver.own(&near, time);
        let (source, destination) = (flow.address(Field::Srcaddr), flow.address(Field::Dstaddr));
        let direction = flow
            .direction()
            .or_else(|| self.direction(&near, source, destination, time));
        // Who talks to whom, and which hop the interface saw.
        let sender = flow.address(Field::PktSrcaddr).or(source);
        let receiver = flow.address(Field::PktDstaddr).or(destination);
        let service = |field| text(field).filter(|service| *service != "-");
        let mut ends = [
            (sender, source, service(Field::PktSrcAwsService)),
            (receiver, destination, service(Field::PktDstAwsService)),
        ]
        .into_iter()
        .zip([FlowDirection::Egress, FlowDirection::Ingress])
        .map(|((address, seen, service), side)| {
            let is_near = direction == Some(side) && address == seen;
            match address {
                Some(_) if is_near => (own, Range32::ALWAYS),
                Some(address) => self.far(&near, &own, address, time, service),
                None => (nothing(How::NoAddress), Range32::ALWAYS),
            }
        })
        .collect::<Vec<_>>();
        let (Some(receiver_found), Some(sender_found)) = (ends.pop(), ends.pop()) else {
            return self.nothing();
        };
        let (mut sender_found, mut receiver_found) = (sender_found, receiver_found);
        let hop = direction.and_then(|direction| {
            let (talks, seen) = match direction {
                FlowDirection::Egress => (receiver, destination),
                FlowDirection::Ingress => (sender, source),
            };
            self.hop(flow, &near, direction, talks, seen, time)
        });
        // The next hop that the record tells is the far end itself, where no other is on the way.
        if let (Some(direction), Some((told, carrier))) = (direction, next_hop(flow))
            && (!carrier || told.interface_type.as_deref() == Some("vpc_endpoint"))
        {
            let (far, talks, seen) = match direction {
                FlowDirection::Egress => (&mut receiver_found, receiver, destination),
                FlowDirection::Ingress => (&mut sender_found, sender, source),
            };
            if far.0.interface == NONE && talks == seen && is_inside(far.0.place) {
                let told = self.resolver.tell(told);
                far.0 = self.resolver.told_side(far.0, told);
            }
        }
        valid = valid.and(sender_found.1).and(receiver_found.1);
        let far_address = match direction {
            Some(FlowDirection::Egress) => receiver,
            Some(FlowDirection::Ingress) => sender,
            None => None,
        };
        let route = far_address.and_then(|address| self.resolver.route(&near, address));
        let rejected = flow.action() == Some(Action::Reject);
        let numbers = [
            self.number(sender_found.0),
            self.number(receiver_found.0),
            self.number(own),
        ];
        let [source, destination, own_number] = numbers;
        let hop = hop.map(|(found, by)| (self.number(found), by));
        let key = FactsKey {
            source,
            destination,
            hop: hop.map_or(NONE, |(number, _)| number),
            hop_by: hop.map(|(_, by)| by as u8),
            direction: direction.map(|d| d == FlowDirection::Egress),
            path: flow
                .integer(Field::TrafficPath)
                .and_then(|path| u8::try_from(path).ok()),
            rejected,
            log: 0,
            shard: near.shard.unwrap_or(u16::MAX),
            route: route.map(|route| (route.kind, word(route.gateway))),
            own: own_number,
        };
        let far = match direction {
            Some(FlowDirection::Ingress) => sender_found.0,
            _ => receiver_found.0,
        };
        let facts = match self.fact_numbers.get(&key) {
            Some(number) => *number,
            None => {
                let facts = self.vpc_facts(&key, &near, route, hop);
                self.keep(key, facts)
            }
        };
        Resolved {
            source,
            destination,
            facts,
            valid,
            near,
            far,
            rejected,
        }
    }

    fn keep(&mut self, key: FactsKey, facts: Facts) -> u32 {
        let number = self.kept.facts.len() as u32;
        self.kept.facts.push(facts);
        self.fact_numbers.insert(key, number);
        number
    }

    /// An address that is not the logging interface's by its place in the record.
    fn far(
        &mut self,
        near: &Near,
        own: &Found,
        address: IpAddr,
        time: u32,
        service: Option<&str>,
    ) -> (Found, Range32) {
        let (found, valid) = self.resolver.far(near, address, time, service);
        // Both directions of a packet within an interface, or one whose direction is not known.
        match found.interface != NONE && self.resolver.same_interface(&found, own) {
            true => (*own, valid),
            false => (found, valid),
        }
    }

    /// Which way packets went, by which of the addresses is the interface's.
    fn direction(
        &mut self,
        near: &Near,
        source: Option<IpAddr>,
        destination: Option<IpAddr>,
        time: u32,
    ) -> Option<FlowDirection> {
        let (source, destination) = (source?, destination?);
        let mut has = |address| match near.interface {
            NONE => false,
            interface => {
                let (found, _) = self.resolver.far(near, address, time, None);
                found.interface == interface
            }
        };
        match (has(source), has(destination)) {
            (true, false) => return Some(FlowDirection::Egress),
            (false, true) => return Some(FlowDirection::Ingress),
            _ => {}
        }
        // An interface's own address is always private or IPv6 of its VPC.
        if source.is_ipv4() {
            return match (is_public(source), is_public(destination)) {
                (false, true) => Some(FlowDirection::Egress),
                (true, false) => Some(FlowDirection::Ingress),
                _ => self.resolver.inside(near, source, destination),
            };
        }
        self.resolver.inside(near, source, destination)
    }

    /// The next hop, or the previous one.
    fn hop(
        &mut self,
        flow: &FlowRecord<'_>,
        near: &Near,
        direction: FlowDirection,
        talks: Option<IpAddr>,
        seen: Option<IpAddr>,
        time: u32,
    ) -> Option<(Found, HopSource)> {
        if let Some((told, true)) = next_hop(flow) {
            let told = self.resolver.tell(told);
            let found = Found::of_record(told);
            return Some((found, HopSource::Record));
        }
        if let (Some(talks), Some(seen)) = (talks, seen)
            && talks != seen
        {
            let (found, _) = self.resolver.far(near, seen, time, None);
            return Some((found, HopSource::Address));
        }
        let _ = direction;
        let found = self.resolver.hop_of_route(near, talks?)?;
        Some((found, HopSource::Route))
    }

    fn vpc_facts(
        &self,
        key: &FactsKey,
        near: &Near,
        route: Option<crate::index::shard::RouteRow>,
        hop: Option<(u32, HopSource)>,
    ) -> Facts {
        let own = self.side(key.own);
        let (source, destination) = (self.side(key.source), self.side(key.destination));
        let shard = near.shard.and_then(|shard| self.resolver.shard(shard));
        let gateway_id = route.and_then(|route| shard?.file().text(route.gateway));
        let kind = route.map(|route| GatewayKind::of(route.kind));
        let kind = kind.filter(|kind| *kind != GatewayKind::Local);
        let gateway = kind.zip(gateway_id.map(Into::into));
        let direction = match key.direction {
            Some(true) => Some(FlowDirection::Egress),
            Some(false) => Some(FlowDirection::Ingress),
            None => None,
        };
        let here = self.here(own, near);
        let logged_gateway = gateway_id
            .filter(|_| kind == Some(GatewayKind::Transit))
            .and_then(|id| Some(self.resolver.directory()?.is_logged(id)));
        let (mut transfer, mut per_gb) = (None, None);
        let mut counted = None;
        if let (Some(direction), Some(source), Some(destination)) = (direction, source, destination)
        {
            let hop = hop.and_then(|(number, by)| {
                Some(Hop {
                    end: self.side(number)?.end(),
                    by,
                })
            });
            let sighting = Sighting {
                log: Log::Vpc,
                direction,
                rejected: key.rejected,
                path: key.path,
                here,
                source: source.end(),
                destination: destination.end(),
                hop,
                route: self.route_target(route.map(|r| r.kind), gateway_id),
                gateway_logged: logged_gateway.unwrap_or(true),
            };
            let class = transfer::classify(&sighting);
            per_gb = self.options.prices.per_gb(&sighting, &class);
            transfer = Some(class);
            counted = Some(count_volume(
                &sighting,
                &class,
                source.logged,
                own.and_then(|own| own.logged) == Some(true),
            ));
        }
        let (device, device_type) = self.device(own, near);
        let device_name = match device_type {
            Some("vpc") => own.and_then(|own| own.vpc_name.clone()),
            Some("subnet") => own.and_then(|own| own.subnet_name.clone()),
            Some("interface") => own.and_then(|own| own.resource_name.clone()),
            _ => None,
        };
        let stale = own.is_some_and(|own| own.status == super::side::Status::Stale);
        Facts {
            device,
            device_type,
            device_name,
            direction,
            gateway,
            transfer,
            per_gb,
            count_volume: counted,
            metadata: near.trouble.or(stale.then_some("stale")),
        }
    }

    /// The logging interface for the classes of data transfer.
    fn here<'s>(&'s self, own: Option<&'s Side>, near: &Near) -> transfer::End<'s> {
        let mut here = own.map(Side::end).unwrap_or_default();
        if near.kind != InterfaceKind::Unknown {
            here.kind = near.kind;
        }
        here
    }

    fn device(&self, own: Option<&Side>, near: &Near) -> (Option<Box<str>>, Option<&'static str>) {
        let told = self.resolver.told(near.told);
        let of = |id: Option<&Box<str>>, kind| (id.cloned(), id.map(|_| kind));
        let vpc = own.and_then(|own| own.vpc_id.as_ref());
        let subnet = own.and_then(|own| own.subnet_id.as_ref());
        let interface = told.and_then(|told| told.interface_id.as_ref());
        match self.options.device {
            Device::Folder => (Some(self.origin.folder.as_str().into()), Some("folder")),
            Device::Vpc if vpc.is_some() => of(vpc, "vpc"),
            Device::Subnet if subnet.is_some() => of(subnet, "subnet"),
            // What is asked for is not known; the interface always is.
            _ if interface.is_some() => of(interface, "interface"),
            _ => of(
                told.and_then(|told| told.resource_id.as_ref()),
                "nat-gateway",
            ),
        }
    }

    fn route_target(&self, kind: Option<u32>, gateway: Option<&str>) -> RouteTarget {
        let Some(kind) = kind else {
            return RouteTarget::Unknown;
        };
        match GatewayKind::of(kind) {
            GatewayKind::Local => RouteTarget::Local,
            GatewayKind::Internet => RouteTarget::InternetGateway,
            GatewayKind::EgressOnly => RouteTarget::EgressOnly,
            GatewayKind::Nat => RouteTarget::NatGateway,
            GatewayKind::VirtualPrivate => {
                let hybrid = gateway.map(|id| self.resolver.hybrid(id));
                RouteTarget::VirtualPrivateGateway(hybrid.unwrap_or_default())
            }
            GatewayKind::Transit => RouteTarget::TransitGateway,
            GatewayKind::Peering => RouteTarget::Peering,
            GatewayKind::GatewayEndpoint => RouteTarget::GatewayEndpoint,
            GatewayKind::LoadBalancerEndpoint => RouteTarget::GatewayLoadBalancerEndpoint,
            GatewayKind::Firewall => RouteTarget::FirewallEndpoint,
            GatewayKind::Interface => RouteTarget::Interface,
            GatewayKind::CoreNetwork => RouteTarget::CoreNetwork,
            GatewayKind::Carrier => RouteTarget::CarrierGateway,
            GatewayKind::LocalGateway => RouteTarget::LocalGateway,
            GatewayKind::InterfaceEndpoint | GatewayKind::Other => RouteTarget::Unknown,
        }
    }

    /// A record of a Transit Gateway flow log.
    fn transit_gateway(&mut self, flow: &FlowRecord<'_>, time: u32) -> Resolved {
        let text = |field| flow.text(field);
        let egress = flow.direction() == Some(FlowDirection::Egress);
        let (here, there) = (
            text(Field::TgwAttachmentId),
            text(Field::TgwPairAttachmentId),
        );
        let (entered, left) = match egress {
            true => (there, here),
            false => (here, there),
        };
        let gateway = text(Field::TgwId);
        let sender = self.attached(
            flow.address(Field::Srcaddr),
            [
                text(Field::TgwSrcVpcId),
                text(Field::TgwSrcVpcAccountId),
                text(Field::TgwSrcAzId),
            ],
            entered,
            left,
            (gateway, text(Field::Region)),
            time,
            text(Field::PktSrcAwsService),
        );
        let receiver = self.attached(
            flow.address(Field::Dstaddr),
            [
                text(Field::TgwDstVpcId),
                text(Field::TgwDstVpcAccountId),
                text(Field::TgwDstAzId),
            ],
            left,
            entered,
            (gateway, text(Field::Region)),
            time,
            text(Field::PktDstAwsService),
        );
        let near = self.resolver.nowhere(How::UnknownVpc);
        let (source, destination) = (self.number(sender.0), self.number(receiver.0));
        let kinds = [
            self.attachment_kind(gateway, entered),
            self.attachment_kind(gateway, left),
        ];
        let direction = flow.direction();
        let key = FactsKey {
            source,
            destination,
            hop: NONE,
            hop_by: None,
            direction: direction.map(|d| d == FlowDirection::Egress),
            path: None,
            rejected: false,
            log: mix(gateway.unwrap_or_default().as_bytes()) | 1,
            shard: u16::MAX,
            route: Some((kinds[0] as u32, kinds[1] as u32)),
            own: NONE,
        };
        let facts = match self.fact_numbers.get(&key) {
            Some(number) => *number,
            None => {
                let facts = self.transit_facts(
                    &key,
                    direction,
                    (gateway, text(Field::Region)),
                    kinds,
                    near.trouble,
                );
                self.keep(key, facts)
            }
        };
        Resolved {
            source,
            destination,
            facts,
            valid: sender.1.and(receiver.1),
            near,
            far: receiver.0,
            rejected: false,
        }
    }

    /// A side of a transit gateway's record: in the VPC that the record names, or where an attachment leads to.
    #[allow(clippy::too_many_arguments)]
    fn attached(
        &mut self,
        address: Option<IpAddr>,
        [vpc, account, zone]: [Option<&str>; 3],
        own: Option<&str>,
        other: Option<&str>,
        (gateway, region): (Option<&str>, Option<&str>),
        time: u32,
        service: Option<&str>,
    ) -> (Found, Range32) {
        let Some(address) = address else {
            return (nothing(How::NoAddress), Range32::ALWAYS);
        };
        if let Some(vpc) = vpc {
            let (found, valid) =
                self.resolver
                    .in_vpc_of(vpc, account, region, address, time, How::TransitGateway);
            // A VPC on the way to somewhere else: the record names it, and it does not have the address.
            let passes = is_public(address) || found.interface == NONE;
            if passes && !self.resolver.vpc_has(vpc, address) {
                return match is_public(address) {
                    true => self.resolver.anywhere(address, time, service),
                    false => (nothing(How::UnknownAddress), Range32::ALWAYS),
                };
            }
            if found.interface != NONE {
                return (found, valid);
            }
            let told = self.resolver.tell(Told {
                vpc_id: Some(vpc.into()),
                account_id: account.map(Into::into),
                region: region.map(Into::into),
                az_id: zone.map(Into::into),
                ..Told::default()
            });
            return (self.resolver.told_side(found, told), valid);
        }
        if let Some(found) = own.and_then(|own| {
            self.resolver
                .behind_attachment(own, gateway, address, time, service)
        }) {
            return found;
        }
        match other {
            Some(other) => self
                .resolver
                .through_attachment(other, address, time, service),
            None => self.resolver.anywhere(address, time, service),
        }
    }

    fn attachment_kind(&self, gateway: Option<&str>, id: Option<&str>) -> Attachment {
        let directory = self.resolver.directory();
        let kind = id.and_then(|id| {
            let directory = directory?;
            let text = |text: Text| directory.file().text(text);
            let mut sides = directory.attachments(id);
            let side = sides.find(|side| text(side.gateway) == gateway)?;
            text(side.kind)
        });
        match kind {
            Some("vpc") => Attachment::Vpc,
            Some("vpn" | "vpn-concentrator") => Attachment::Vpn,
            Some("direct-connect-gateway") => Attachment::DirectConnect,
            Some("peering" | "tgw-peering") => Attachment::Peering,
            Some(_) => Attachment::Other,
            None => Attachment::Unknown,
        }
    }

    fn transit_facts(
        &self,
        key: &FactsKey,
        direction: Option<FlowDirection>,
        (gateway, region): (Option<&str>, Option<&str>),
        [entered, left]: [Attachment; 2],
        trouble: Option<&'static str>,
    ) -> Facts {
        let directory = self.resolver.directory();
        let row = gateway.and_then(|id| directory?.transit_gateway(id));
        let (mut transfer, mut per_gb, mut counted) = (None, None, None);
        let ends = (self.side(key.source), self.side(key.destination));
        if let (Some(direction), (Some(source), Some(destination))) = (direction, ends) {
            let sighting = Sighting {
                log: Log::TransitGateway { entered, left },
                direction,
                rejected: false,
                path: None,
                here: transfer::End {
                    kind: InterfaceKind::TransitGateway,
                    region,
                    ..transfer::End::default()
                },
                source: source.end(),
                destination: destination.end(),
                hop: None,
                route: RouteTarget::Unknown,
                gateway_logged: true,
            };
            let class = transfer::classify(&sighting);
            per_gb = self.options.prices.per_gb(&sighting, &class);
            transfer = Some(class);
            // What came in was counted where it was sent, or else here; what goes out came in.
            let unseen = source.logged != Some(true);
            counted = Some(direction == FlowDirection::Ingress && unseen);
        }
        let (device, device_type) = match self.options.device {
            Device::Folder => (Some(self.origin.folder.as_str().into()), "folder"),
            _ => (gateway.map(Into::into), "transit-gateway"),
        };
        Facts {
            device_type: device.as_ref().map(|_| device_type),
            device,
            device_name: row
                .and_then(|row| directory?.file().text(row.name))
                .map(Into::into),
            direction,
            gateway: gateway.map(|id| (GatewayKind::Transit, id.into())),
            transfer,
            per_gb,
            count_volume: counted,
            metadata: trouble,
        }
    }

    /// An entry of a Network Firewall log.
    fn firewall(&mut self, entry: &FirewallRecord) -> Enrichment<'_> {
        if self.kept.sides.len().max(self.kept.facts.len()) > MAX_KEPT {
            self.forget();
        }
        let resolved = self.firewall_resolved(entry);
        let cost = self.cost(&resolved, entry.bytes());
        let fields = &self.options.fields;
        let protocol = entry.event(&["proto"]).and_then(|proto| proto.as_str());
        let flags = entry.tcp_flags();
        Enrichment {
            fields,
            generation: self.generation,
            source: resolved.source,
            destination: resolved.destination,
            facts: resolved.facts,
            cost,
            protocol_name: match fields.has_flow(FlowField::ProtocolName) {
                true => protocol.and_then(super::protocol::keyword),
                false => None,
            },
            tcp_flag_names: match fields.has_flow(FlowField::TcpFlagNames) {
                true => flags.map(tcp_flag_names),
                false => None,
            },
            rejection: None,
            enricher: &self.kept,
        }
    }

    fn firewall_resolved(&mut self, entry: &FirewallRecord) -> Resolved {
        let time = u32::try_from(entry.event_timestamp()).unwrap_or_default();
        let place = self.firewall_place(entry);
        let (sender, receiver) = match &place {
            FirewallPlace::At(near, _) => {
                let near = *near;
                let mut end = |address: Option<IpAddr>| match address {
                    Some(address) => self.resolver.far(&near, address, time, None),
                    None => (nothing(How::NoAddress), Range32::ALWAYS),
                };
                (end(entry.src_ip()), end(entry.dest_ip()))
            }
            FirewallPlace::Attached(attachment, _) => {
                let attachment = attachment.clone();
                let mut end = |address: Option<IpAddr>| match address {
                    Some(address) => {
                        self.resolver
                            .through_attachment(&attachment, address, time, None)
                    }
                    None => (nothing(How::NoAddress), Range32::ALWAYS),
                };
                (end(entry.src_ip()), end(entry.dest_ip()))
            }
        };
        let (source, destination) = (self.number(sender.0), self.number(receiver.0));
        let (near, endpoint) = match place {
            FirewallPlace::At(near, endpoint) => (near, endpoint),
            FirewallPlace::Attached(_, endpoint) => {
                (self.resolver.nowhere(How::UnknownVpc), endpoint)
            }
        };
        let name = entry.firewall_name();
        let flow = entry.log_type() == FirewallLogType::Flow;
        let key = FactsKey {
            source,
            destination,
            hop: NONE,
            hop_by: None,
            direction: None,
            path: None,
            rejected: flow,
            log: mix(name.as_bytes()) | 2,
            shard: near.shard.unwrap_or(u16::MAX),
            route: Some((near.vpc, near.subnet)),
            own: NONE,
        };
        let facts = match self.fact_numbers.get(&key) {
            Some(number) => *number,
            None => {
                let facts = self.firewall_facts(&key, name, &near, endpoint, flow);
                self.keep(key, facts)
            }
        };
        Resolved {
            source,
            destination,
            facts,
            valid: sender.1.and(receiver.1),
            near,
            far: receiver.0,
            rejected: false,
        }
    }

    fn firewall_facts(
        &self,
        key: &FactsKey,
        name: &str,
        near: &Near,
        endpoint: Option<Box<str>>,
        flow: bool,
    ) -> Facts {
        let shard = near.shard.and_then(|shard| self.resolver.shard(shard));
        let region = shard.and_then(|shard| shard.file().text(shard.unit()?.region));
        let (mut transfer, mut per_gb, mut counted) = (None, None, None);
        if let (Some(source), Some(destination)) =
            (self.side(key.source), self.side(key.destination))
        {
            let sighting = Sighting {
                log: Log::Firewall,
                direction: FlowDirection::Ingress,
                rejected: false,
                path: None,
                here: transfer::End {
                    kind: InterfaceKind::FirewallEndpoint,
                    region,
                    ..transfer::End::default()
                },
                source: source.end(),
                destination: destination.end(),
                hop: None,
                route: RouteTarget::Unknown,
                gateway_logged: true,
            };
            let class = transfer::classify(&sighting);
            per_gb = self.options.prices.per_gb(&sighting, &class);
            transfer = Some(class);
            let unseen = [source, destination]
                .iter()
                .all(|side| side.logged != Some(true));
            counted = flow.then_some(unseen);
        }
        let subnet = shard.and_then(|shard| {
            let row: SubnetRow = shard.file().follow(Link::to(near.subnet))?;
            shard.file().text(row.id)
        });
        let vpc = shard.and_then(|shard| {
            let row: crate::index::shard::VpcRow = shard.file().follow(Link::to(near.vpc))?;
            shard.file().text(row.id)
        });
        let (device, device_type) = match self.options.device {
            Device::Folder => (Some(self.origin.folder.as_str()), "folder"),
            Device::Vpc if vpc.is_some() => (vpc, "vpc"),
            Device::Subnet if subnet.is_some() => (subnet, "subnet"),
            _ => (Some(name), "firewall"),
        };
        Facts {
            device: device.map(Into::into),
            device_type: Some(device_type),
            device_name: Some(name.into()),
            direction: None,
            gateway: endpoint.map(|id| (GatewayKind::Firewall, id)),
            transfer,
            per_gb,
            count_volume: counted,
            metadata: near.trouble,
        }
    }

    /// Where a firewall stands: by its name, in the account and region that the log's key tells where several
    /// have it; and its endpoint in the entry's zone.
    fn firewall_place(&mut self, entry: &FirewallRecord) -> FirewallPlace {
        let unknown = |resolver: &Resolver| {
            let how = match resolver.directory() {
                Some(_) => How::UnknownVpc,
                None => How::NoIndex,
            };
            FirewallPlace::At(resolver.nowhere(how), None)
        };
        let Some(directory) = self.resolver.directory().map(Arc::clone) else {
            return unknown(&self.resolver);
        };
        let text = |text: Text| directory.file().text(text);
        let mut firewalls: Vec<_> = directory.firewalls(entry.firewall_name()).collect();
        let hint = &self.origin;
        if let Some(account) = hint.account.as_deref() {
            firewalls.retain(|row| text(row.owner) == Some(account));
        }
        if let Some(region) = hint.region.as_deref() {
            firewalls.retain(|row| text(row.by.region) == Some(region));
        }
        firewalls.dedup_by(|a, b| text(a.arn) == text(b.arn));
        let [firewall] = firewalls.as_slice() else {
            return unknown(&self.resolver);
        };
        let arn = text(firewall.arn).unwrap_or_default();
        let zone = entry.availability_zone();
        let endpoint = directory
            .firewall_endpoints(arn)
            .find(|row| text(row.zone) == zone);
        let id = endpoint.and_then(|row| text(row.endpoint)).map(Into::into);
        if let Some(attachment) = text(firewall.attachment) {
            return FirewallPlace::Attached(attachment.to_owned(), id);
        }
        let (account, region) = (text(firewall.by.account), text(firewall.by.region));
        let (Some(account), Some(region), Some(vpc)) = (account, region, text(firewall.vpc)) else {
            return unknown(&self.resolver);
        };
        let subnet = endpoint.and_then(|row| text(row.subnet));
        let near = self.resolver.place(account, region, vpc, subnet);
        FirewallPlace::At(near, id)
    }

    fn nothing(&mut self) -> Resolved {
        let found = nothing(How::NoAddress);
        let number = self.number(found);
        Resolved {
            source: number,
            destination: number,
            facts: NONE,
            valid: Range32::ALWAYS,
            near: self.resolver.nowhere(How::NoAddress),
            far: found,
            rejected: false,
        }
    }
}

/// Where a firewall stands, and the endpoint on the way.
enum FirewallPlace {
    At(Near, Option<Box<str>>),
    Attached(String, Option<Box<str>>),
}

fn nothing(how: How) -> Found {
    Found::unknown(how, Place::Unknown, 0)
}

/// Whether an interface of the VPC may have the address.
fn is_inside(place: Place) -> bool {
    matches!(place, Place::Vpc | Place::Unknown)
}

fn word(text: Text) -> u32 {
    text.word()
}

/// What the columns of a VPC flow record tell of the interface that logged it.
fn told_by(flow: &FlowRecord<'_>, account: Option<&str>) -> Told {
    let text = |field| flow.text(field).map(Box::<str>::from);
    let mut told = Told {
        account_id: account.map(Into::into),
        region: text(Field::Region),
        az_id: text(Field::AzId),
        vpc_id: text(Field::VpcId),
        subnet_id: text(Field::SubnetId),
        interface_id: text(Field::InterfaceId),
        interface_type: text(Field::InterfaceType),
        instance_id: text(Field::InstanceId),
        ..Told::default()
    };
    if let Some(task) = text(Field::EcsTaskArn).or_else(|| text(Field::EcsTaskId)) {
        told.resource_type = Some("ecs-task".into());
        told.resource_id = Some(task);
        told.resource_name = text(Field::EcsServiceName);
    } else if let Some(gateway) = text(Field::ResourceId) {
        told.resource_type = Some("regional-nat-gateway".into());
        told.resource_id = Some(gateway);
    }
    told
}

/// The next hop as the record tells it, and whether it carries others' traffic.
fn next_hop(flow: &FlowRecord<'_>) -> Option<(Told, bool)> {
    let text = |field| flow.text(field).map(Box::<str>::from);
    let interface_type = text(Field::NextHopInterfaceType);
    let told = Told {
        interface_id: Some(text(Field::NextHopInterfaceId)?),
        subnet_id: text(Field::NextHopSubnetId),
        az_id: text(Field::NextHopAzId),
        vpc_id: text(Field::NextHopVpcId),
        region: text(Field::Region),
        ..Told::default()
    };
    let carriers = [
        "nat_gateway",
        "transit_gateway",
        "vpc_endpoint",
        "gateway_load_balancer_endpoint",
    ];
    let kind = interface_type.as_deref();
    let carrier = kind.is_some_and(|kind| carriers.contains(&kind));
    let told = Told {
        interface_type,
        ..told
    };
    Some((told, carrier))
}

/// Whether a record of a VPC flow log is the first sighting of its packets, and so the one to count.
///
/// A stream between two logged interfaces appears at both, and once more at each interface in between: it
/// counts where it is sent, or else where it is first seen ("Double counting" in the documentation).
fn count_volume(
    sighting: &Sighting<'_>,
    class: &Transfer,
    sender_logged: Option<bool>,
    vpc_logged: bool,
) -> bool {
    let here = sighting.here.kind;
    match sighting.direction {
        FlowDirection::Egress if !is_carrier(here) => true,
        // What a transit gateway brings in was not seen in this VPC before.
        FlowDirection::Egress if here == InterfaceKind::TransitGateway => {
            sender_logged != Some(true)
        }
        FlowDirection::Egress => false,
        FlowDirection::Ingress => {
            let carried = matches!(
                class.leg.over,
                transfer::Via::NatGateway
                    | transfer::Via::TransitGateway
                    | transfer::Via::GatewayLoadBalancerEndpoint
                    | transfer::Via::NetworkFirewall
            );
            // The carrier's own interface, in the same VPC, saw it before.
            let seen = carried && vpc_logged && !is_carrier(here);
            sender_logged != Some(true) && !seen
        }
    }
}

fn is_carrier(kind: InterfaceKind) -> bool {
    matches!(
        kind,
        InterfaceKind::NatGateway
            | InterfaceKind::RegionalNatGateway
            | InterfaceKind::TransitGateway
            | InterfaceKind::GatewayLoadBalancerEndpoint
            | InterfaceKind::FirewallEndpoint
    )
}
