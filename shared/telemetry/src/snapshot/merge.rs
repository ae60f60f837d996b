//! The next snapshot from the last one and what a run gave.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::document::{place, to_microseconds};
use super::fan_out::{self, Unanswered};
use super::{Collected, EndpointReport, Failure, Snapshot, Stale, Unit, rows};
use crate::describe::catalogue::{CATALOGUE, Endpoint, Per, Rows};
use crate::describe::state::State;

impl Snapshot {
    /// The snapshot after a run that began and ended at these times. `previous` is the unit's last
    /// one; that of another account or region is not used.
    ///
    /// - An answer replaces its section.
    /// - A failure keeps the section as it was and marks it stale, since when its rows were last seen.
    /// - When some of an endpoint's calls failed, the rows they gave before are kept, and marked; the
    ///   rest is replaced.
    /// - When the rows that an endpoint is repeated for were not answered, whatever depends on them is
    ///   kept and marked: nobody can tell what should have been asked.
    /// - What was not asked in this run stays, with its report.
    pub fn merge(
        unit: Unit,
        started: Timestamp,
        finished: Timestamp,
        collected: Vec<Collected>,
        previous: Option<&Snapshot>,
    ) -> Snapshot {
        let previous =
            previous.filter(|p| p.unit.account == unit.account && p.unit.region == unit.region);
        let mut collected: HashMap<&str, Collected> = collected
            .into_iter()
            .map(|collected| (collected.endpoint.section, collected))
            .collect();
        let mut merger = Merger {
            role: match unit.roles.last() {
                Some(role) => format!("role {role}"),
                None => "own credentials".to_owned(),
            },
            previous,
            outcomes: HashMap::new(),
            endpoints: Vec::new(),
            sections: Map::new(),
        };
        for endpoint in CATALOGUE {
            merger.endpoint(endpoint, collected.remove(endpoint.section));
        }
        merger.keep_unknown();
        Snapshot {
            unit,
            started: to_microseconds(started),
            finished: to_microseconds(finished),
            endpoints: merger.endpoints,
            sections: merger.sections,
        }
    }
}

/// What became of a section in this run, as far as it matters to what depends on its rows.
enum Outcome {
    /// Nothing is known of it, and why.
    Failed(State, String),
    /// These rows were kept, because of this.
    Kept(Vec<Value>, String),
}

struct Merger<'p> {
    /// Who asked, for sentences.
    role: String,
    previous: Option<&'p Snapshot>,
    outcomes: HashMap<&'static str, Outcome>,
    endpoints: Vec<EndpointReport>,
    sections: Map<String, Value>,
}

/// What the last snapshot has of an endpoint.
struct Before<'p> {
    section: Option<&'p Value>,
    report: Option<&'p EndpointReport>,
    /// For sections without a time of their own.
    finished: Option<Timestamp>,
}

impl Before<'_> {
    /// When the oldest of the rows was last seen in an answer.
    fn since<'r>(
        &self,
        endpoint: &Endpoint,
        rows: impl IntoIterator<Item = &'r Value>,
    ) -> Option<Timestamp> {
        let Some(report) = self.report else {
            return self.finished;
        };
        let unanswered = Unanswered::of_report(endpoint, report);
        let times = rows.into_iter().map(|row| {
            report
                .row_observed(endpoint, &unanswered, row)
                .or(self.finished)
        });
        times.min().flatten()
    }

    /// When the section was last known to be as it is, whether it has rows or not.
    fn section_since(&self) -> Option<Timestamp> {
        let report = self.report;
        let since = report.and_then(|r| r.stale.as_ref()).map(|s| s.since);
        since
            .or(report.and_then(|report| report.observed))
            .or(self.finished)
    }
}

impl<'p> Merger<'p> {
    fn before(&self, endpoint: &Endpoint) -> Before<'p> {
        Before {
            section: self.previous.and_then(|p| p.sections.get(endpoint.section)),
            report: self.previous.and_then(|p| p.report(endpoint.section)),
            finished: self.previous.map(|p| p.finished),
        }
    }

    fn endpoint(&mut self, endpoint: &'static Endpoint, collected: Option<Collected>) {
        let parents = endpoint.parent().and_then(|s| self.outcomes.get(s));
        if let Some(Outcome::Failed(state, why)) = parents {
            let (state, why) = (*state, why.clone());
            return self.failed(endpoint, collected, Some((state, why)));
        }
        let Some(collected) = collected else {
            return self.not_asked(endpoint);
        };
        match Unanswered::new(endpoint, collected.state, &collected.failures) {
            Unanswered::Everything => self.failed(endpoint, Some(collected), None),
            unanswered => self.answered(endpoint, collected, &unanswered),
        }
    }

    /// Everything stays as it was.
    fn not_asked(&mut self, endpoint: &'static Endpoint) {
        let before = self.before(endpoint);
        if let Some(rows) = before.section {
            self.sections.insert(endpoint.section.into(), rows.clone());
        }
        self.endpoints.extend(before.report.cloned());
    }

    /// The rows stay as they were; `parents` says how the section went that tells what to ask.
    fn failed(
        &mut self,
        endpoint: &'static Endpoint,
        collected: Option<Collected>,
        parents: Option<(State, String)>,
    ) {
        let before = self.before(endpoint);
        let (state, failures, calls, duration) = match collected {
            Some(c) => (c.state, c.failures, c.calls, c.duration),
            None => (State::Ok, Vec::new(), 0, Duration::ZERO),
        };
        // The first reason in a chain is the one that helps.
        let (state, why, reason) = match parents {
            Some((parent, why)) if state.is_answered() => (parent, why.clone(), why),
            _ => {
                let why = self.why(endpoint, state, &failures);
                let reason = format!("{} was not answered: {why}", endpoint.section);
                (state_of(state, &failures), why, reason)
            }
        };
        let stale = before.section.map(|_| Stale {
            since: before.section_since().unwrap_or(Timestamp::UNIX_EPOCH),
            why,
        });
        self.endpoints.push(EndpointReport {
            section: endpoint.section.to_owned(),
            service: endpoint.service.id().to_owned(),
            operation: endpoint.operation.to_owned(),
            state,
            count: before.section.map_or(0, |section| rows(section).len()),
            calls,
            duration: milliseconds(duration),
            observed: before.report.and_then(|report| report.observed),
            failures,
            stale,
        });
        if let Some(rows) = before.section {
            self.sections.insert(endpoint.section.into(), rows.clone());
        }
        self.outcomes
            .insert(endpoint.section, Outcome::Failed(state, reason));
    }

    /// The rows are replaced, but for those of calls that failed, or of parents that were kept.
    fn answered(
        &mut self,
        endpoint: &'static Endpoint,
        collected: Collected,
        unanswered: &Unanswered,
    ) {
        let before = self.before(endpoint);
        let mut section = match (collected.rows, endpoint.rows) {
            (Value::Null, Rows::Whole) => json!({}),
            (Value::Null, Rows::Flat | Rows::Nested) => json!([]),
            (rows, _) => rows,
        };
        let mut kept = Vec::new();
        if let (Value::Array(fresh), Some(per)) = (&mut section, endpoint.per) {
            // Part of an answer is none.
            fresh.retain(|row| !unanswered.holds(endpoint, row));
            kept = self.kept_rows(endpoint, per, fresh, unanswered, rows_of(&before));
        }
        let any_answer = !rows(&section).is_empty() || *unanswered == Unanswered::Nothing;
        let mut why = self.why(endpoint, collected.state, &collected.failures);
        if collected.failures.is_empty() {
            let parents = endpoint.parent().and_then(|s| self.outcomes.get(s));
            if let Some(Outcome::Kept(_, reason)) = parents {
                why.clone_from(reason);
            }
        }
        let stale = before
            .since(endpoint, kept.iter())
            .filter(|_| !kept.is_empty())
            .map(|since| Stale {
                since,
                why: why.clone(),
            });
        if let Value::Array(rows) = &mut section {
            rows.extend(kept.iter().cloned());
        }
        self.endpoints.push(EndpointReport {
            section: endpoint.section.to_owned(),
            service: endpoint.service.id().to_owned(),
            operation: endpoint.operation.to_owned(),
            state: state_of(collected.state, &collected.failures),
            count: rows(&section).len(),
            calls: collected.calls,
            duration: milliseconds(collected.duration),
            observed: match any_answer {
                true => Some(to_microseconds(collected.observed)),
                false => before.report.and_then(|report| report.observed),
            },
            failures: collected.failures,
            stale,
        });
        if any_answer || before.section.is_some() {
            self.sections.insert(endpoint.section.into(), section);
        }
        if *unanswered != Unanswered::Nothing || !kept.is_empty() {
            let why = format!("{} was answered in part: {why}", endpoint.section);
            self.outcomes
                .insert(endpoint.section, Outcome::Kept(kept, why));
        }
    }

    /// The rows of before that nothing newer is known of.
    fn kept_rows(
        &self,
        endpoint: &Endpoint,
        per: Per,
        fresh: &[Value],
        unanswered: &Unanswered,
        before: &[Value],
    ) -> Vec<Value> {
        // Parents that were not answered themselves, and so were perhaps not asked about.
        let parents: HashSet<String> = match endpoint
            .parent()
            .and_then(|section| self.outcomes.get(section))
        {
            Some(Outcome::Kept(parents, _)) => parents
                .iter()
                .filter_map(|parent| fan_out::name_of_parent(per, parent))
                .collect(),
            _ => HashSet::new(),
        };
        if parents.is_empty() && *unanswered == Unanswered::Nothing {
            return Vec::new();
        }
        let asked: HashSet<String> = fresh
            .iter()
            .filter_map(|row| fan_out::call_of_row(per, row))
            .collect();
        let is_kept = |row: &Value| {
            let of_kept_parent = || {
                fan_out::parent_of_row(per, row).is_some_and(|parent| parents.contains(&parent))
                    && fan_out::call_of_row(per, row).is_some_and(|call| !asked.contains(&call))
            };
            unanswered.holds(endpoint, row) || of_kept_parent()
        };
        before.iter().filter(|row| is_kept(row)).cloned().collect()
    }

    /// What happened, as a sentence.
    fn why(&self, endpoint: &Endpoint, state: State, failures: &[Failure]) -> String {
        let Some(first) = failures.first() else {
            return match state {
                State::Deferred => "There was no time left to ask.".to_owned(),
                _ => format!("{} ended as {state} ({}).", endpoint.name(), self.role),
            };
        };
        let mut why = format!("{} ({})", first.failure, self.role);
        if let Some(item) = &first.item {
            why = format!("{item}: {why}");
        }
        if let more @ 1.. = failures.len() - 1 {
            why = format!("{why}, and {more} more");
        }
        why
    }

    /// What a newer release asked for, or an older one.
    fn keep_unknown(&mut self) {
        let Some(previous) = self.previous else {
            return;
        };
        let is_unknown = |section: &str| !CATALOGUE.iter().any(|e| e.section == section);
        let reports = previous.endpoints.iter();
        let mut reports: Vec<_> = reports.filter(|r| is_unknown(&r.section)).collect();
        reports.sort_by_cached_key(|report| place(&report.section));
        self.endpoints.extend(reports.into_iter().cloned());
        let sections = previous.sections.iter();
        let mut sections: Vec<_> = sections.filter(|(name, _)| is_unknown(name)).collect();
        sections.sort_by_key(|(name, _)| *name);
        for (name, rows) in sections {
            self.sections.insert(name.clone(), rows.clone());
        }
    }
}

fn rows_of<'p>(before: &Before<'p>) -> &'p [Value] {
    before.section.map_or(&[], rows)
}

/// The state of the first failure, where the state given is not of one.
fn state_of(state: State, failures: &[Failure]) -> State {
    match failures.first() {
        Some(first) if state.is_answered() => first.failure.state,
        _ => state,
    }
}

fn milliseconds(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
