//! What a run says of itself: one report for each unit, one summary for the run.

use std::time::Duration;

use invocation::metrics;
use serde_json::{Map, Value, json};
use telemetry::describe::state::State;
use telemetry::snapshot::{Collected, Unit};

use crate::metrics::{METRICS as METRIC_METRICS, MetricReport, MetricSummary};
use crate::sessions::ChainFailure;

/// What is told of a run while it goes on.
#[derive(Debug, Clone, Copy)]
pub enum Report<'r> {
    /// A unit of metadata is done.
    Unit(&'r UnitReport),
    /// The metrics of an account and region are done.
    Metrics(&'r MetricReport),
}

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnitState {
    /// Every endpoint was answered.
    Complete,
    /// Some were; the rest keeps what was known before.
    Partial,
    /// Nothing was answered; everything is kept as it was.
    Failed,
    /// Part of it was not asked for want of time, and is handed on.
    Deferred,
    /// A later run wrote its snapshot first; this one's answers are dropped.
    Superseded,
}

impl UnitState {
    /// Every state.
    pub const ALL: [UnitState; 5] = [
        UnitState::Complete,
        UnitState::Partial,
        UnitState::Failed,
        UnitState::Deferred,
        UnitState::Superseded,
    ];

    /// The name in reports.
    pub const fn label(self) -> &'static str {
        match self {
            UnitState::Complete => "complete",
            UnitState::Partial => "partial",
            UnitState::Failed => "failed",
            UnitState::Deferred => "deferred",
            UnitState::Superseded => "superseded",
        }
    }

    /// Whether nothing is left for anybody to look at.
    pub const fn is_fine(self) -> bool {
        matches!(self, UnitState::Complete | UnitState::Superseded)
    }
}

/// What was written of a unit to the index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Indexed {
    /// Bytes of its shard.
    pub bytes: usize,
    /// Interfaces in it, those that vanished included.
    pub interfaces: usize,
}

/// What collecting a unit gave.
#[derive(Debug, Clone)]
pub struct UnitReport {
    /// The unit.
    pub unit: Unit,
    /// What became of it.
    pub state: UnitState,
    /// How many endpoints ended in each state, in this run.
    pub endpoints: Vec<(State, usize)>,
    /// Rows of the snapshot.
    pub rows: usize,
    /// Calls made.
    pub calls: u64,
    /// Changes since the snapshot before.
    pub changes: usize,
    /// What was not answered: section, item, and why.
    pub failures: Vec<(String, telemetry::snapshot::Failure)>,
    /// The role on the way that was refused, when that is why.
    pub chain_failure: Option<ChainFailure>,
    /// Why the snapshot could not be kept, when that is so.
    pub error: Option<String>,
    /// What was written to the index; nothing where no shard was.
    pub indexed: Indexed,
    /// Why the index has nothing newer of the unit, when that is so.
    pub index_error: Option<String>,
    /// How long it took.
    pub duration: Duration,
}

impl UnitReport {
    /// The report of a unit, by what was asked.
    pub fn of(
        unit: Unit,
        collected: &[Reported],
        chain_failure: Option<ChainFailure>,
        duration: Duration,
    ) -> UnitReport {
        let endpoints: Vec<(State, usize)> = State::ALL
            .into_iter()
            .map(|state| (state, collected.iter().filter(|c| c.state == state).count()))
            .filter(|(_, count)| *count > 0)
            .collect();
        let answered = collected.iter().any(|c| c.state.is_answered());
        let state = if collected.iter().any(|c| c.state == State::Deferred) {
            UnitState::Deferred
        } else if collected.iter().all(|c| c.state.is_answered()) {
            UnitState::Complete
        } else if answered {
            UnitState::Partial
        } else {
            UnitState::Failed
        };
        UnitReport {
            unit,
            state,
            endpoints,
            rows: 0,
            calls: collected.iter().map(|c| u64::from(c.calls)).sum(),
            changes: 0,
            failures: collected
                .iter()
                .flat_map(|c| {
                    let section = &c.section;
                    c.failures
                        .iter()
                        .map(|failure| (section.to_string(), failure.clone()))
                })
                .collect(),
            chain_failure,
            error: None,
            indexed: Indexed::default(),
            index_error: None,
            duration,
        }
    }

    /// The report as one line of JSON.
    pub fn to_json(&self) -> Value {
        let role = self.unit.roles.last();
        let endpoints: Map<String, Value> = self
            .endpoints
            .iter()
            .map(|(state, count)| (state.label().to_owned(), json!(count)))
            .collect();
        let failure = |(section, failed): &(String, telemetry::snapshot::Failure)| {
            let chain = self.chain_failure.as_ref();
            json!({
                "section": section,
                "item": failed.item,
                "state": failed.failure.state.label(),
                "code": failed.failure.code,
                "message": failed.failure.message,
                "request_id": failed.failure.request_id,
                "role": chain.map_or(role, |chain| chain.role.as_ref()),
                "hop": chain.map(|chain| chain.hop),
            })
        };
        json!({
            "account": self.unit.account,
            "region": self.unit.region,
            "role": role,
            "state": self.state.label(),
            "endpoints": endpoints,
            "rows": self.rows,
            "calls": self.calls,
            "changes": self.changes,
            "duration_ms": self.duration.as_millis() as u64,
            "error": self.error,
            "index_bytes": self.indexed.bytes,
            "interfaces": self.indexed.interfaces,
            "index_error": self.index_error,
            "chain": self.chain_failure.as_ref().map(ToString::to_string),
            "failures": self.failures.iter().map(failure).collect::<Vec<_>>(),
        })
    }

    /// Writes the unit's log line. Names, codes and counts only: no row, no credential.
    pub fn log(&self) {
        let endpoints: Vec<String> = self
            .endpoints
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        // What fails for one reason fails everywhere: one line a reason.
        let mut reasons: Vec<String> = Vec::new();
        for (section, failed) in &self.failures {
            let reason = match &failed.item {
                Some(item) => format!("{section} of {item}: {}", failed.failure),
                None => format!("{section}: {}", failed.failure),
            };
            if reasons.len() < 10 {
                reasons.push(reason);
            }
        }
        let reasons = json!(reasons).to_string();
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    account = self.unit.account,
                    region = self.unit.region,
                    role = self.unit.roles.last().map(String::as_str),
                    state = self.state.label(),
                    endpoints = endpoints.join(", "),
                    rows = self.rows,
                    calls = self.calls,
                    changes = self.changes,
                    index_bytes = self.indexed.bytes,
                    interfaces = self.indexed.interfaces,
                    duration_ms = self.duration.as_millis() as u64,
                    unanswered = self.failures.len(),
                    reasons,
                    chain = self.chain_failure.as_ref().map(ToString::to_string),
                    error = self.error.as_deref(),
                    $message
                )
            };
        }
        match self.state {
            UnitState::Complete => line!(info, "collected"),
            UnitState::Superseded => line!(info, "a later run was faster"),
            UnitState::Deferred => line!(warn, "collected in part, the rest is handed on"),
            UnitState::Partial => line!(warn, "collected in part, the rest is kept from before"),
            UnitState::Failed => line!(error, "not collected, everything is kept from before"),
        }
        if let Some(index_error) = &self.index_error {
            tracing::warn!(
                account = self.unit.account,
                region = self.unit.region,
                index_error,
                "collected, but the index is as it was before; the next run writes it"
            );
        }
    }
}

/// What is reported of an endpoint, without its rows.
#[derive(Debug, Clone)]
pub struct Reported {
    section: &'static str,
    state: State,
    calls: u32,
    failures: Vec<telemetry::snapshot::Failure>,
}

impl From<&Collected> for Reported {
    fn from(collected: &Collected) -> Reported {
        Reported {
            section: collected.endpoint.section,
            state: collected.state,
            calls: collected.calls,
            failures: collected.failures.clone(),
        }
    }
}

/// A run, summed up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Units by what became of them, in the order of [`UnitState::ALL`].
    pub units: [u64; 5],
    /// Endpoints by how they ended, in the order of [`State::ALL`].
    pub endpoints: [u64; 7],
    /// Rows of the snapshots.
    pub rows: u64,
    /// Calls made.
    pub calls: u64,
    /// Changes delivered.
    pub changes: u64,
    /// Jobs handed on to further invocations.
    pub handed_on: u64,
    /// Bytes of the shards that were written to the index.
    pub index_bytes: u64,
    /// Interfaces in them, those that vanished included.
    pub interfaces: u64,
    /// Shards that could not be written, and directories.
    pub index_errors: u64,
    /// Times that the status could not be written.
    pub status_errors: u64,
    /// What became of metrics.
    pub metrics: MetricSummary,
}

/// Metric names and units ("Embedded metric format", *CloudWatch User Guide*). Names are stable.
const METRICS: &[(&str, &str)] = &[
    ("UnitsCollected", "Count"),
    ("UnitsComplete", "Count"),
    ("UnitsPartial", "Count"),
    ("UnitsFailed", "Count"),
    ("UnitsDeferred", "Count"),
    ("EndpointsDenied", "Count"),
    ("EndpointsThrottled", "Count"),
    ("EndpointsFailed", "Count"),
    ("Calls", "Count"),
    ("Rows", "Count"),
    ("Changes", "Count"),
    ("JobsHandedOn", "Count"),
    ("IndexBytes", "Bytes"),
    ("IndexInterfaces", "Count"),
    ("IndexErrors", "Count"),
    ("StatusErrors", "Count"),
    ("Duration", "Milliseconds"),
];

impl Summary {
    /// Adds a unit.
    pub fn add(&mut self, report: &UnitReport) {
        for (state, count) in UnitState::ALL.iter().zip(&mut self.units) {
            *count += u64::from(report.state == *state);
        }
        for (state, total) in State::ALL.iter().zip(&mut self.endpoints) {
            let of_unit = report.endpoints.iter().filter(|(s, _)| s == state);
            *total += of_unit.map(|(_, count)| *count as u64).sum::<u64>();
        }
        self.rows += report.rows as u64;
        self.calls += report.calls;
        self.changes += report.changes as u64;
        self.index_bytes += report.indexed.bytes as u64;
        self.interfaces += report.indexed.interfaces as u64;
        self.index_errors += u64::from(report.index_error.is_some());
    }

    /// Adds what another part of the run did.
    pub fn join(&mut self, other: &Summary) {
        let pairs = self.units.iter_mut().zip(other.units);
        let pairs = pairs.chain(self.endpoints.iter_mut().zip(other.endpoints));
        for (count, more) in pairs {
            *count += more;
        }
        self.rows += other.rows;
        self.calls += other.calls;
        self.changes += other.changes;
        self.handed_on += other.handed_on;
        self.index_bytes += other.index_bytes;
        self.interfaces += other.interfaces;
        self.index_errors += other.index_errors;
        self.status_errors += other.status_errors;
        self.metrics.join(&other.metrics);
    }

    /// Units that became this.
    pub fn units(&self, state: UnitState) -> u64 {
        let counts = UnitState::ALL.iter().zip(&self.units);
        counts.filter(|(s, _)| **s == state).map(|(_, n)| *n).sum()
    }

    fn endpoints(&self, state: State) -> u64 {
        let counts = State::ALL.iter().zip(&self.endpoints);
        counts.filter(|(s, _)| **s == state).map(|(_, n)| *n).sum()
    }

    /// Whether every unit is fine.
    pub fn is_fine(&self) -> bool {
        UnitState::ALL
            .iter()
            .all(|state| state.is_fine() || self.units(*state) == 0)
            && self.metrics.is_fine()
    }

    /// The summary as JSON.
    pub fn to_json(&self) -> Value {
        let units: Map<String, Value> = UnitState::ALL
            .iter()
            .zip(self.units)
            .filter(|(_, count)| *count > 0)
            .map(|(state, count)| (state.label().to_owned(), json!(count)))
            .collect();
        let mut summary = json!({
            "units": self.units.iter().sum::<u64>(),
            "states": units,
            "rows": self.rows,
            "calls": self.calls,
            "changes": self.changes,
            "handed_on": self.handed_on,
            "index_bytes": self.index_bytes,
            "interfaces": self.interfaces,
            "index_errors": self.index_errors,
            "status_errors": self.status_errors,
        });
        if let (false, Some(members)) = (self.metrics.is_empty(), summary.as_object_mut()) {
            members.insert("metrics".to_owned(), self.metrics.to_json());
        }
        summary
    }

    /// The metrics record of an invocation: one line for standard output.
    pub fn metrics(
        &self,
        namespace: &str,
        function: &str,
        time_ms: u64,
        duration: Duration,
    ) -> Value {
        let complete = self.units(UnitState::Complete) + self.units(UnitState::Superseded);
        let in_part = self.units(UnitState::Partial) + self.units(UnitState::Deferred);
        let values = [
            complete + in_part,
            complete,
            self.units(UnitState::Partial),
            self.units(UnitState::Failed),
            self.units(UnitState::Deferred),
            self.endpoints(State::Denied) + self.endpoints(State::RegionDisabled),
            self.endpoints(State::Throttled),
            self.endpoints(State::Error),
            self.calls,
            self.rows,
            self.changes,
            self.handed_on,
            self.index_bytes,
            self.interfaces,
            self.index_errors,
            self.status_errors,
            duration.as_millis() as u64,
        ];
        let own = METRICS.iter().zip(values);
        // A run is of one export, and its zeros say nothing of the other.
        let of_metrics = METRIC_METRICS.iter().zip(self.metrics.values());
        match (
            self.metrics.is_empty(),
            self.units.iter().all(|count| *count == 0),
        ) {
            (true, _) => metrics::record(namespace, function, time_ms, own),
            (false, true) => {
                let duration = METRICS
                    .last()
                    .into_iter()
                    .zip([duration.as_millis() as u64]);
                let both = ["JobsHandedOn", "StatusErrors"];
                let own = own.filter(|((name, _), _)| both.contains(name));
                let all = of_metrics.chain(own).chain(duration);
                metrics::record(namespace, function, time_ms, all)
            }
            (false, false) => metrics::record(namespace, function, time_ms, own.chain(of_metrics)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_collected_in_part_counts_as_collected() {
        let summary = Summary {
            units: [5, 4, 3, 2, 1],
            ..Summary::default()
        };
        let record = summary.metrics("CloudExport", "collector", 0, Duration::ZERO);
        let count = |name: &str| record[name].as_u64().unwrap();
        assert_eq!(count("UnitsCollected"), 5 + 4 + 2 + 1);
        assert_eq!(
            [
                "UnitsComplete",
                "UnitsPartial",
                "UnitsFailed",
                "UnitsDeferred"
            ]
            .map(count),
            [5 + 1, 4, 3, 2]
        );
        let metrics = &record["_aws"]["CloudWatchMetrics"][0]["Metrics"];
        assert_eq!(metrics.as_array().unwrap().len(), METRICS.len());
    }
}
