//! Enriches records, one after another. What they have in common is looked up once.
//!
//! ```text
//! record ─┬─▶ seat: where it was logged ─▶ ground: blocks and routes there ─┬─▶ two sides ─┐
//!         └─▶ addresses ────────────────────────────────────────────────────┘              ├─▶ Enrichment
//!                                        classes of the sides, route, direction ─▶ facts ──┘
//! ```
//!
//! Sides and facts are numbered, so that an encoder can keep what it made of them: the numbers hold until
//! [`Enrichment::generation`] changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::aws_ranges::AwsRanges;
use super::field::{End, FieldSet, FieldValue, FlowField, SideField};
use super::geography::Geography;
use super::price::PriceTable;
use super::protocol::{protocol_name, tcp_flag_names};
use super::resolution::{Found, Interface, LoadShard, Loaded, NONE, Near, Resolver};
use super::side::{How, Side};
use super::transfer::Place;
use crate::flow::record::FlowRecord;
use crate::index::directory::Directory;
use crate::log::Record;

mod class;
mod explanation;
mod facts;
mod firewall;
mod memo;
mod plan;
mod reached;
mod seat;
mod transit_gateway;
mod vpc;

use class::Classes;
use explanation::Guards;
pub use facts::Facts;
use facts::{CarriedKey, DeviceFacts, ShownKey, Standing};
pub(super) use memo::Mixing;
use memo::{Numbered, Slots};
use plan::{Plan, Values};
use reached::Reached;
use seat::{Ground, Seats};

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
    /// Whether facts are made even where no field shows them: a selection may decide by them.
    pub decides: bool,
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
            decides: false,
        }
    }

    /// Whether anything depends on what is known of a flow beside its sides.
    fn asks_facts(&self) -> bool {
        let is_of_record_alone = |field: &FlowField| {
            matches!(
                field,
                FlowField::ProtocolName | FlowField::TcpFlagNames | FlowField::SampleRate
            )
        };
        // Those of rejections are of facts: which rules are asked depends on the direction.
        let mut chosen = FlowField::ALL.iter().filter(|f| self.fields.has_flow(**f));
        self.decides || chosen.any(|field| !is_of_record_alone(field))
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
    /// Changes when numbers of sides and facts are given anew. No two enrichers of a process have the same one.
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
    /// How many records it stands for, itself included: the rate it was sampled at.
    pub sample_rate: u32,
    enricher: &'e Kept,
}

/// What is known of a record that nothing is known of.
static NOTHING_KEPT: Kept = Kept {
    sides: Vec::new(),
    facts: Vec::new(),
};

/// Nothing is chosen.
static NO_FIELDS: FieldSet = FieldSet::NONE;

/// The number that no side and no facts have.
const NO_NUMBER: u32 = u32::MAX;

impl Enrichment<'static> {
    /// The enrichment of a record that is not enriched, but was sampled.
    pub fn sampled(rate: u32) -> Enrichment<'static> {
        Enrichment {
            fields: &NO_FIELDS,
            generation: 0,
            source: NO_NUMBER,
            destination: NO_NUMBER,
            facts: NO_NUMBER,
            cost: None,
            protocol_name: None,
            tcp_flag_names: None,
            rejection: None,
            sample_rate: rate,
            enricher: &NOTHING_KEPT,
        }
    }
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
        let tags = self
            .side(end)
            .map(|side| &*side.party.tags)
            .unwrap_or_default();
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
        let this = *self;
        let own = FlowField::OWN.into_iter();
        own.filter_map(move |field| Some((field, this.own_value(field)?)))
    }

    /// A value of the flow that is this record's own; `None` of fields that are not [`FlowField::OWN`].
    #[inline]
    pub fn own_value(&self, field: FlowField) -> Option<FieldValue<'e>> {
        let text = |text: &'e str| (!text.is_empty()).then_some(FieldValue::Text(text));
        // A rejection is explained as a whole, whichever of its fields is chosen.
        let rejection = || self.rejection.filter(|_| self.fields.has_flow(field));
        match field {
            FlowField::TransferCostUsd => self.cost.map(FieldValue::Decimal),
            FlowField::ProtocolName => self.protocol_name.map(FieldValue::Text),
            FlowField::TcpFlagNames => text(self.tcp_flag_names?),
            FlowField::RejectBy => text(rejection()?.by),
            FlowField::RejectId => text(&rejection()?.id),
            FlowField::RejectRule => text(&rejection()?.rule),
            FlowField::RejectExplanation => text(&rejection()?.explanation),
            FlowField::SampleRate => {
                (self.sample_rate > 1).then(|| FieldValue::Integer(self.sample_rate.into()))
            }
            _ => None,
        }
    }
}

/// Sides and facts by their numbers.
#[derive(Debug, Default)]
struct Kept {
    sides: Vec<Side>,
    facts: Vec<Facts>,
}

/// What is known of a record.
#[derive(Debug, Clone, Copy)]
struct Resolved {
    source: u32,
    destination: u32,
    facts: u32,
    /// What rejections are explained by: the number of the seat, and that of the far side.
    seat: u32,
    far: u32,
    rejected: bool,
}

/// What of a side records are asked for.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// The number of its class.
    class: u32,
    /// The interface that it is.
    interface: Interface,
}

/// What of a record is its own.
#[derive(Debug, Clone, Copy)]
struct Own {
    bytes: Option<u64>,
    protocol: Option<&'static str>,
    tcp_flags: Option<u8>,
    rejected: bool,
}

/// Parties, facts and seats that are kept at most. Beyond it, all are made anew: it bounds memory. A record adds a few,
/// for which lists that double do not double once more.
const MAX_KEPT: usize = (1 << 14) - 16;

/// The same of sides, which are small, and of which each party has some: as many as ways it is found in.
const MAX_SIDES: usize = (1 << 16) - 16;

/// Slots of what was shown, at most: there are few ways to show something.
const MOST_SHOWN: usize = 1 << 13;

/// Enriches records.
pub struct Enricher {
    options: Arc<Options>,
    resolver: Resolver,
    origin: Origin,
    generation: u64,
    kept: Kept,
    side_numbers: HashMap<Found, u32, Mixing>,
    /// The mark of each side, by the side's number.
    marks: Vec<Mark>,
    /// What each side was found to be, by the side's number.
    founds: Vec<Found>,
    classes: Classes,
    devices: Numbered<DeviceFacts>,
    places: Numbered<(u8, u16, u32, u32, Near)>,
    grounds: Vec<Ground>,
    ground_numbers: HashMap<Near, u32, Mixing>,
    names: Numbered<Box<str>>,
    carried_numbers: HashMap<CarriedKey, u32, Mixing>,
    shown_numbers: HashMap<ShownKey, u32, Mixing>,
    /// The first facts of a hash.
    facts_by_hash: HashMap<u64, u32, Mixing>,
    /// Facts of what was shown lately.
    shown: Slots<ShownKey, u32, MOST_SHOWN>,
    standings: Numbered<Standing>,
    seats: Seats,
    reached: Reached,
    plan: Plan,
    asks_facts: bool,
    rejection: Rejection,
    guards: Guards,
}

impl Enricher {
    /// An enricher over an index: its directory, and how shards are loaded when they are needed.
    pub fn new(options: Arc<Options>, directory: Loaded<Directory>, load: LoadShard) -> Enricher {
        let asks_facts = options.asks_facts();
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
            generation: next_generation(),
            kept: Kept::default(),
            side_numbers: HashMap::default(),
            marks: Vec::new(),
            founds: Vec::new(),
            classes: Classes::default(),
            devices: Numbered::default(),
            places: Numbered::default(),
            grounds: Vec::new(),
            ground_numbers: HashMap::default(),
            names: Numbered::default(),
            carried_numbers: HashMap::default(),
            shown_numbers: HashMap::default(),
            facts_by_hash: HashMap::default(),
            shown: Slots::default(),
            standings: Numbered::default(),
            seats: Seats::default(),
            reached: Reached::default(),
            plan: Plan::default(),
            asks_facts,
            rejection: Rejection::default(),
            guards: Guards::default(),
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

    /// Forgets what is kept, if it is too much.
    #[inline]
    fn make_room(&mut self) {
        let others = self.kept.facts.len().max(self.seats.len());
        if self.kept.sides.len() > MAX_SIDES || others.max(self.resolver.parties()) > MAX_KEPT {
            self.forget();
        }
    }

    /// Forgets what is kept, which gives all numbers anew.
    fn forget(&mut self) {
        self.generation = next_generation();
        self.kept.sides.clear();
        self.kept.facts.clear();
        self.side_numbers.clear();
        self.marks.clear();
        self.founds.clear();
        self.classes.clear();
        self.devices.clear();
        self.places.clear();
        self.grounds.clear();
        self.ground_numbers.clear();
        self.names.clear();
        self.carried_numbers.clear();
        self.shown_numbers.clear();
        self.facts_by_hash.clear();
        self.shown.clear();
        self.standings.clear();
        self.seats.clear();
        self.reached.clear();
        self.guards.clear();
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
        if !self.plan.is_of(flow.layout()) {
            self.plan = Plan::new(flow.layout());
            // The same bytes in other columns say something else.
            self.seats.clear();
        }
        self.make_room();
        let (values, columns) = (Values::of(flow), self.plan.columns);
        // Of a flow that tells no time, what was known last is told as stale.
        let told = values.integer(columns.start);
        let told = told.or_else(|| values.integer(columns.end));
        let time = told.map_or(u32::MAX, |time| u32::try_from(time).unwrap_or(u32::MAX));
        let resolved = match self.plan.is_transit_gateway {
            true => self.transit_gateway(flow, time),
            false => self.vpc(flow, time),
        };
        let rejected = resolved.rejected && self.explains();
        if rejected {
            self.explain(flow, &resolved);
        }
        let own = Own {
            bytes: values.integer(columns.bytes),
            protocol: values.octet(columns.protocol).and_then(protocol_name),
            tcp_flags: values.octet(columns.tcp_flags),
            rejected,
        };
        self.enrichment(&resolved, own)
    }

    /// What is added to a record: what is known of it, and what is its own.
    #[inline]
    fn enrichment(&self, resolved: &Resolved, own: Own) -> Enrichment<'_> {
        let fields = &self.options.fields;
        let chosen = |field| fields.has_flow(field).then_some(());
        Enrichment {
            fields,
            generation: self.generation,
            source: resolved.source,
            destination: resolved.destination,
            facts: resolved.facts,
            cost: self.cost(resolved, own.bytes),
            protocol_name: chosen(FlowField::ProtocolName).and(own.protocol),
            tcp_flag_names: chosen(FlowField::TcpFlagNames)
                .and(own.tcp_flags)
                .map(tcp_flag_names),
            rejection: own.rejected.then_some(&self.rejection),
            sample_rate: 1,
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

    /// Gives a side a number.
    fn number(&mut self, found: Found) -> u32 {
        if let Some(number) = self.side_numbers.get(&found) {
            return *number;
        }
        let side = self.resolver.side(&found, self.options.fields.tags());
        let number = self.kept.sides.len() as u32;
        self.marks.push(Mark {
            class: match self.asks_facts {
                true => self.classes.number(&side),
                false => NONE,
            },
            interface: found.interface(),
        });
        self.kept.sides.push(side);
        self.founds.push(found);
        self.side_numbers.insert(found, number);
        number
    }

    #[inline]
    fn mark(&self, side: u32) -> Mark {
        let mark = self.marks.get(side as usize).copied();
        mark.unwrap_or(Mark {
            class: NONE,
            interface: Interface::NONE,
        })
    }

    fn side(&self, number: u32) -> Option<&Side> {
        self.kept.sides.get(number as usize)
    }
}

/// A generation that there was not yet. None is zero, which is that of records without sides and facts.
fn next_generation() -> u64 {
    static GIVEN: AtomicU64 = AtomicU64::new(0);
    GIVEN.fetch_add(1, Ordering::Relaxed) + 1
}

fn nothing(how: How) -> Found {
    Found::unknown(how, Place::Unknown, 0)
}
