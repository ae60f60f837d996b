//! Decides on the records of one object, one after another.

use std::collections::HashMap;
use std::sync::Arc;

use super::condition::{Condition, Subject};
use super::counts::SelectionCounts;
use super::identity::{FlowNumber, IdentityPlaces};
use super::limit::{Limit, Place};
use super::observed::{Observed, entry_class, flow_class};
use super::rule::{Action, Per};
use super::{Decision, Selection};
use crate::enrichment::Enrichment;
use crate::enrichment::field::{End, FlowField, SideField};
use crate::firewall::FirewallRecord;
use crate::flow::field::Field;
use crate::flow::layout::Layout;
use crate::log::Record;

/// Decides which records of one object are kept. What it counts for limits is of this object alone, so that the
/// same object gives the same records whenever it is read.
#[derive(Debug)]
pub struct Selector {
    selection: Arc<Selection>,
    flows: Option<Plan>,
    entries: Option<Plan>,
    /// What was decided for sides and facts, by the number of the condition.
    memos: Vec<Memo>,
    generation: u64,
    limits: Vec<Limit>,
    /// The windows that the record at hand counts for, each with its rule and its level.
    windows: Vec<(usize, usize, Place, u32)>,
    devices: Devices,
    counts: SelectionCounts,
}

/// The rules for records of one layout, or for entries of firewall logs.
#[derive(Debug)]
struct Plan {
    layout: Option<Arc<Layout>>,
    rules: Vec<PlannedRule>,
    limits: Vec<PlannedLimit>,
    identity: Option<IdentityPlaces>,
    device: Option<usize>,
}

#[derive(Debug)]
struct PlannedRule {
    rule: usize,
    verdict: Verdict,
    tests: Vec<Test>,
}

/// What a rule says of its records.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    Drop,
    /// One flow in so many is kept.
    Keep(u32),
}

#[derive(Debug)]
struct PlannedLimit {
    /// Its number among the limits.
    limit: usize,
    rule: usize,
    per: Per,
    tests: Vec<Test>,
}

/// A condition, and where its subject stands.
#[derive(Debug)]
struct Test {
    condition: Arc<Condition>,
    operand: Operand,
}

#[derive(Debug, Clone, Copy)]
enum Operand {
    /// Columns of the layout.
    Columns([Option<usize>; 2]),
    /// What a firewall's entry has.
    Entry(Subject),
    /// A side, and the number of the memo.
    Side(End, SideField, usize),
    /// A fact, the number of the memo, and the column that tells it without enrichment.
    Fact(FlowField, usize, Option<usize>),
}

/// The verdicts on a condition, by the numbers of sides or facts.
#[derive(Debug, Default)]
struct Memo(Vec<Option<bool>>);

impl Memo {
    fn get(&self, number: u32) -> Option<bool> {
        self.0.get(number as usize).copied().flatten()
    }

    fn put(&mut self, number: u32, verdict: bool) {
        // A number that nothing has gets no place: it would take as many as the number says.
        if number == u32::MAX {
            return;
        }
        let place = number as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        if let Some(slot) = self.0.get_mut(place) {
            *slot = Some(verdict);
        }
    }
}

/// Devices by numbers.
#[derive(Debug, Default)]
struct Devices {
    numbers: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
    /// The device of each fact, by the fact's number.
    of_facts: Vec<Option<u32>>,
    last: u32,
}

impl Devices {
    fn number(&mut self, name: &str) -> u32 {
        // Records of a device come in bursts.
        let last = self.names.get(self.last as usize);
        if last.is_some_and(|last| **last == *name) {
            return self.last;
        }
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                let number = self.names.len() as u32;
                self.names.push(name.into());
                self.numbers.insert(name.into(), number);
                number
            }
        };
        self.last = number;
        number
    }

    /// The device that enrichment knows.
    fn of_facts(&mut self, enrichment: &Enrichment<'_>) -> Option<u32> {
        let place = enrichment.facts as usize;
        if let Some(Some(known)) = self.of_facts.get(place) {
            return Some(*known);
        }
        let number = self.number(enrichment.facts()?.device.as_deref()?);
        if self.of_facts.len() <= place {
            self.of_facts.resize(place + 1, None);
        }
        if let Some(slot) = self.of_facts.get_mut(place) {
            *slot = Some(number);
        }
        Some(number)
    }
}

impl Selector {
    pub(super) fn new(selection: Arc<Selection>) -> Selector {
        let conditions = selection.rules.iter().map(|rule| rule.conditions.len());
        let memos = conditions.sum::<usize>();
        let limits = selection.rules.iter().filter_map(|rule| match rule.action {
            Action::Limit(budget, _) => Some(Limit::new(budget)),
            _ => None,
        });
        Selector {
            flows: None,
            entries: None,
            memos: (0..memos).map(|_| Memo::default()).collect(),
            generation: 0,
            limits: limits.collect(),
            windows: Vec::new(),
            devices: Devices::default(),
            counts: SelectionCounts::default(),
            selection,
        }
    }

    /// Decides on a record, and counts it.
    #[inline]
    pub fn decide(&mut self, record: &Record<'_>, enrichment: Option<&Enrichment<'_>>) -> Decision {
        if let Some(enrichment) = enrichment
            && enrichment.generation != self.generation
        {
            self.generation = enrichment.generation;
            self.memos.iter_mut().for_each(|memo| memo.0.clear());
            self.devices.of_facts.clear();
        }
        let decision = self.settle(record, enrichment);
        match decision {
            Decision::Keep { rate } => self.counts.keep(rate),
            Decision::Drop { rule } => self.counts.drop(rule),
        }
        decision
    }

    /// What became of the records.
    pub fn finish(self) -> SelectionCounts {
        let mut counts = self.counts;
        let rules = self.selection.rules.iter().enumerate();
        let rules = rules.filter(|(_, rule)| matches!(rule.action, Action::Limit(..)));
        for ((number, _), limit) in rules.zip(&self.limits) {
            counts.limit(limit.exceeded(number, &self.devices.names));
        }
        counts
    }

    #[inline]
    fn settle(&mut self, record: &Record<'_>, enrichment: Option<&Enrichment<'_>>) -> Decision {
        let plan = match record {
            Record::Flow(flow) => {
                let layout = flow.layout();
                self.flows
                    .take_if(|plan| !plan.layout.as_ref().is_some_and(|l| Arc::ptr_eq(l, layout)));
                self.flows
                    .get_or_insert_with(|| Plan::new(&self.selection, Some(layout)))
            }
            Record::Firewall(_) => self
                .entries
                .get_or_insert_with(|| Plan::new(&self.selection, None)),
        };
        let memos = &mut self.memos;
        let mut rules = plan.rules.iter();
        let first = rules.find(|rule| holds(&rule.tests, record, enrichment, memos));
        let (mut rate, mut by) = (1, None);
        if let Some(PlannedRule { rule, verdict, .. }) = first {
            match verdict {
                Verdict::Drop => return Decision::Drop { rule: *rule },
                Verdict::Keep(kept) => (rate, by) = (*kept, Some(*rule)),
            }
        }
        if rate == 1 && plan.limits.is_empty() {
            return Decision::Keep { rate };
        }
        let number = plan.number(record);
        if let Some(rule) = by.filter(|_| !number.is_kept(rate)) {
            return Decision::Drop { rule };
        }
        self.windows.clear();
        for planned in &plan.limits {
            if !holds(&planned.tests, record, enrichment, memos) {
                continue;
            }
            let device = match planned.per {
                Per::Export => EXPORT,
                Per::Device => {
                    let known = enrichment.and_then(|known| self.devices.of_facts(known));
                    known.unwrap_or_else(|| self.devices.number(plan.device(record)))
                }
            };
            if let Some(limit) = self.limits.get_mut(planned.limit) {
                // What tells no time shares a minute.
                let time = record.time().and_then(|s| u64::try_from(s).ok());
                let (place, level) = limit.window(device, time.unwrap_or(0));
                self.windows
                    .push((planned.rule, planned.limit, place, level));
            }
        }
        // One flow in a power of two of those that the rules keep: the highest of all limits.
        let raised = self.windows.iter().map(|(.., level)| rate << level);
        let raised = raised.max().unwrap_or(rate);
        if number.is_kept(raised) {
            for (_, limit, place, _) in &self.windows {
                if let Some(limit) = self.limits.get_mut(*limit) {
                    limit.keep(*place);
                }
            }
            return Decision::Keep { rate: raised };
        }
        let mut windows = self.windows.iter();
        let excluding = windows.find(|(.., level)| !number.is_kept(rate << level));
        let Some((rule, limit, place, _)) = excluding else {
            return Decision::Keep { rate: raised };
        };
        if let Some(limit) = self.limits.get_mut(*limit) {
            limit.leave_out(*place);
        }
        Decision::Drop { rule: *rule }
    }
}

/// The device of limits of a whole export.
const EXPORT: u32 = u32::MAX;

impl Plan {
    /// Looks up once what is the same for all records of a layout; `None` is for entries of firewall logs.
    #[cold]
    fn new(selection: &Selection, layout: Option<&Arc<Layout>>) -> Plan {
        let place = |field| layout.and_then(|layout| layout.place(field));
        let device = [
            Field::InterfaceId,
            Field::TgwId,
            Field::ResourceId,
            Field::AccountId,
        ];
        let mut plan = Plan {
            rules: Vec::new(),
            limits: Vec::new(),
            identity: layout.map(|layout| IdentityPlaces::new(layout)),
            device: device.into_iter().find_map(place),
            layout: layout.map(Arc::clone),
        };
        let (mut memo, mut limit) = (0, 0);
        for (rule, written) in selection.rules.iter().enumerate() {
            let mut tests = Some(Vec::new());
            for condition in &written.conditions {
                let operand = plan.operand(condition.subject, memo);
                memo += 1;
                match plan.settled(condition, operand) {
                    Some(true) => {}
                    // It is for no record of the layout.
                    Some(false) => tests = None,
                    None => {
                        let condition = Arc::clone(condition);
                        tests
                            .as_mut()
                            .map(|t| t.push(Test { condition, operand }))
                            .unwrap_or_default();
                    }
                }
            }
            let verdict = match written.action {
                Action::Keep => Verdict::Keep(1),
                Action::Drop => Verdict::Drop,
                Action::Sample(rate) => Verdict::Keep(rate),
                Action::Limit(_, per) => {
                    if let Some(tests) = tests {
                        plan.limits.push(PlannedLimit {
                            limit,
                            rule,
                            per,
                            tests,
                        });
                    }
                    limit += 1;
                    continue;
                }
            };
            if let Some(tests) = tests {
                plan.rules.push(PlannedRule {
                    rule,
                    verdict,
                    tests,
                });
            }
        }
        plan
    }

    fn operand(&self, subject: Subject, memo: usize) -> Operand {
        let place = |field| self.layout.as_ref().and_then(|layout| layout.place(field));
        match subject {
            Subject::Side(end, field) => Operand::Side(end, field, memo),
            Subject::Flow(field) => Operand::Fact(field, memo, None),
            Subject::Direction => {
                Operand::Fact(FlowField::Direction, memo, place(Field::FlowDirection))
            }
            subject if self.layout.is_none() => Operand::Entry(subject),
            Subject::Column(field) => Operand::Columns([place(field), None]),
            Subject::Either(one, other) => Operand::Columns([place(one), place(other)]),
            Subject::Class | Subject::Member(_) => Operand::Columns([None; 2]),
        }
    }

    /// Whether a condition holds for all records of the layout, or for none.
    fn settled(&self, condition: &Condition, operand: Operand) -> Option<bool> {
        match (operand, self.layout.as_ref()) {
            (Operand::Columns([None, None]), Some(layout)) => {
                let seen = match condition.subject {
                    Subject::Class => Observed::Text(flow_class(layout.kind()).as_bytes()),
                    _ => Observed::Absent,
                };
                Some(condition.holds([seen, Observed::Absent]))
            }
            _ => None,
        }
    }

    #[inline]
    fn number(&self, record: &Record<'_>) -> FlowNumber {
        match (record, &self.identity) {
            (Record::Flow(flow), Some(identity)) => identity.number(flow),
            (Record::Flow(flow), None) => FlowNumber::of_record(flow),
            (Record::Firewall(entry), _) => FlowNumber::of_entry(entry),
        }
    }

    /// What logged the record, as far as it tells by itself.
    #[inline]
    fn device<'r>(&self, record: &Record<'r>) -> &'r str {
        match record {
            Record::Flow(flow) => match Observed::column(flow, self.device) {
                Observed::Text(text) => std::str::from_utf8(text).unwrap_or_default(),
                _ => "",
            },
            Record::Firewall(entry) => entry.firewall_name(),
        }
    }
}

/// Whether all conditions hold.
#[inline]
fn holds(
    tests: &[Test],
    record: &Record<'_>,
    enrichment: Option<&Enrichment<'_>>,
    memos: &mut [Memo],
) -> bool {
    tests
        .iter()
        .all(|test| test.holds(record, enrichment, memos))
}

impl Test {
    #[inline]
    fn holds(
        &self,
        record: &Record<'_>,
        enrichment: Option<&Enrichment<'_>>,
        memos: &mut [Memo],
    ) -> bool {
        let alone = |seen| self.condition.holds([seen, Observed::Absent]);
        match (self.operand, record) {
            (Operand::Columns(places), Record::Flow(flow)) => {
                let seen = places.map(|place| Observed::column(flow, place));
                self.condition.holds(seen)
            }
            (Operand::Entry(subject), Record::Firewall(entry)) => {
                self.condition.holds(entry_values(entry, subject))
            }
            (Operand::Side(end, field, memo), _) => {
                let Some(enrichment) = enrichment else {
                    return alone(Observed::Absent);
                };
                let number = match end {
                    End::Source => enrichment.source,
                    End::Destination => enrichment.destination,
                };
                remembered(memos, memo, number, || {
                    let side = enrichment.side(end);
                    alone(Observed::added(side.and_then(|side| side.value(field))))
                })
            }
            (Operand::Fact(field, memo, column), record) => match (enrichment, record) {
                (Some(enrichment), _) => remembered(memos, memo, enrichment.facts, || {
                    let facts = enrichment.facts();
                    alone(Observed::added(facts.and_then(|facts| facts.value(field))))
                }),
                (None, Record::Flow(flow)) => alone(Observed::column(flow, column)),
                (None, Record::Firewall(_)) => alone(Observed::Absent),
            },
            // A plan is made for the one or the other.
            _ => false,
        }
    }
}

/// The verdict of a memo, found and kept where it is not there.
#[inline]
fn remembered(memos: &mut [Memo], memo: usize, number: u32, find: impl FnOnce() -> bool) -> bool {
    let Some(memo) = memos.get_mut(memo) else {
        return find();
    };
    memo.get(number).unwrap_or_else(|| {
        let verdict = find();
        memo.put(number, verdict);
        verdict
    })
}

/// What a firewall's entry has for a subject.
fn entry_values(entry: &FirewallRecord, subject: Subject) -> [Observed<'_>; 2] {
    let value = match subject {
        Subject::Column(field) => Observed::entry(entry, field),
        Subject::Either(one, other) => {
            return [one, other].map(|field| Observed::entry(entry, field));
        }
        Subject::Class => Observed::Text(entry_class(entry.log_type()).as_bytes()),
        Subject::Member(path) => Observed::member(entry, path),
        Subject::Direction | Subject::Side(..) | Subject::Flow(_) => Observed::Absent,
    };
    [value, Observed::Absent]
}
