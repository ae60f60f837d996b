//! What is said of the metrics of an account and region, and of all of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use telemetry::metrics::cost::{Estimate, LIST_PRICE};
use telemetry::snapshot::Unit;

use crate::feed::Rejected;

/// What became of an account and region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricState {
    /// What was due is delivered.
    Read,
    /// Nothing was due.
    Idle,
    /// Another run is at it.
    Claimed,
    /// Part of it could not be read, and is read another time.
    Partial,
    /// Nothing more could be read or delivered; what is not confirmed is read again.
    Failed,
    /// Time was over; the rest is handed on.
    Deferred,
}

impl MetricState {
    /// Every state.
    pub const ALL: [MetricState; 6] = [
        MetricState::Read,
        MetricState::Idle,
        MetricState::Claimed,
        MetricState::Partial,
        MetricState::Failed,
        MetricState::Deferred,
    ];

    /// The name in reports.
    pub const fn label(self) -> &'static str {
        match self {
            MetricState::Read => "read",
            MetricState::Idle => "idle",
            MetricState::Claimed => "claimed",
            MetricState::Partial => "partial",
            MetricState::Failed => "failed",
            MetricState::Deferred => "deferred",
        }
    }

    /// Whether nothing is left for anybody to look at.
    pub const fn is_fine(self) -> bool {
        matches!(
            self,
            MetricState::Read | MetricState::Idle | MetricState::Claimed
        )
    }
}

/// Queries of a metric that are not asked, for the budget does not pay them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The namespace.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// How many queries.
    pub queries: u64,
}

/// What reading the metrics of an account and region gave.
#[derive(Debug, Clone)]
pub struct MetricReport {
    /// The account, the region and the roles.
    pub unit: Unit,
    /// What became of it.
    pub state: MetricState,
    /// Windows that are confirmed: period, start and end, the last two Unix seconds.
    pub windows: Vec<(u32, i64, i64)>,
    /// Series that are listed.
    pub series: usize,
    /// Metrics requested, as CloudWatch charges them.
    pub requested: u64,
    /// Calls made.
    pub calls: u64,
    /// Datapoints delivered.
    pub datapoints: u64,
    /// Those of them that destinations confirmed and did not keep.
    pub rejected: Rejected,
    /// Queries that were not answered in full, and are asked again.
    pub owed: usize,
    /// Queries that CloudWatch refuses or forbids, by its code.
    pub refused: BTreeMap<String, u64>,
    /// Queries whose datapoints were asked for so often, or in vain for so long, that they are given up.
    pub given_up: u64,
    /// Queries that are not asked any more, for their resources are gone.
    pub gone: u64,
    /// What is left out because of the budget.
    pub left_out: Vec<LeftOut>,
    /// Seconds that are not read, for they lie too far back: of the namespace with the most.
    pub skipped_seconds: i64,
    /// How far the oldest namespace is behind what is settled, in seconds.
    pub lag_seconds: i64,
    /// Namespaces that could not be listed, and why: a code and a message.
    pub unlisted: Vec<(String, String)>,
    /// Why nothing more could be read or delivered.
    pub error: Option<String>,
    /// How long it took.
    pub duration: Duration,
}

impl MetricReport {
    /// A report of nothing yet.
    pub fn new(unit: Unit) -> MetricReport {
        MetricReport {
            unit,
            state: MetricState::Idle,
            windows: Vec::new(),
            series: 0,
            requested: 0,
            calls: 0,
            datapoints: 0,
            rejected: Rejected::default(),
            owed: 0,
            refused: BTreeMap::new(),
            given_up: 0,
            gone: 0,
            left_out: Vec::new(),
            skipped_seconds: 0,
            lag_seconds: 0,
            unlisted: Vec::new(),
            error: None,
            duration: Duration::ZERO,
        }
    }

    /// A report of a unit that nobody could ask for.
    pub fn failed(unit: Unit, error: String) -> MetricReport {
        MetricReport {
            state: MetricState::Failed,
            error: Some(error),
            ..MetricReport::new(unit)
        }
    }

    /// Queries that are left out.
    pub fn left_out_queries(&self) -> u64 {
        self.left_out.iter().map(|left| left.queries).sum()
    }

    /// Queries that are refused, forbidden or given up.
    pub fn lost(&self) -> u64 {
        self.refused.values().sum::<u64>() + self.given_up
    }

    /// The report as one line of JSON.
    pub fn to_json(&self) -> Value {
        let windows = |(period, start, end): &(u32, i64, i64)| json!({"period": period, "start": start, "end": end});
        json!({
            "account": self.unit.account,
            "region": self.unit.region,
            "role": self.unit.roles.last(),
            "state": self.state.label(),
            "windows": self.windows.iter().map(windows).collect::<Vec<_>>(),
            "series": self.series,
            "requested": self.requested,
            "calls": self.calls,
            "datapoints": self.datapoints,
            "rejected": self.rejected.items,
            "rejected_message": self.rejected.message,
            "owed": self.owed,
            "refused": self.refused,
            "given_up": self.given_up,
            "gone": self.gone,
            "left_out": self.left_out.iter().map(LeftOut::to_json).collect::<Vec<_>>(),
            "skipped_seconds": self.skipped_seconds,
            "lag_seconds": self.lag_seconds,
            "unlisted": unlisted_json(&self.unlisted),
            "error": self.error,
            "duration_ms": self.duration.as_millis() as u64,
        })
    }

    /// Writes the log line. Names, codes and counts only.
    pub fn log(&self) {
        let unlisted: Vec<String> = self
            .unlisted
            .iter()
            .map(|(namespace, why)| format!("{namespace}: {why}"))
            .collect();
        let unlisted = unlisted.join("; ");
        let refused = json!(self.refused).to_string();
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    account = self.unit.account,
                    region = self.unit.region,
                    role = self.unit.roles.last().map(String::as_str),
                    state = self.state.label(),
                    windows = self.windows.len(),
                    series = self.series,
                    requested = self.requested,
                    calls = self.calls,
                    datapoints = self.datapoints,
                    rejected = self.rejected.items,
                    rejected_message = self.rejected.message,
                    owed = self.owed,
                    refused,
                    given_up = self.given_up,
                    gone = self.gone,
                    left_out = self.left_out_queries(),
                    skipped_seconds = self.skipped_seconds,
                    lag_seconds = self.lag_seconds,
                    unlisted,
                    error = self.error.as_deref(),
                    duration_ms = self.duration.as_millis() as u64,
                    $message
                )
            };
        }
        match self.state {
            MetricState::Read => line!(info, "metrics read"),
            MetricState::Idle => line!(debug, "no metrics are due"),
            MetricState::Claimed => line!(info, "another run reads these metrics"),
            MetricState::Partial => line!(warn, "metrics read in part, the rest is read again"),
            MetricState::Failed => line!(error, "metrics not read, the next run reads them"),
            MetricState::Deferred => line!(warn, "metrics read in part, the rest is handed on"),
        }
        if self.skipped_seconds > 0 {
            tracing::warn!(
                account = self.unit.account,
                region = self.unit.region,
                seconds = self.skipped_seconds,
                "metrics of that time are not read, since it lies further back than CLOUD_EXPORT_METRIC_CATCH_UP_HOURS"
            );
        }
        if !self.left_out.is_empty() {
            let names: Vec<String> = self
                .left_out
                .iter()
                .map(|left| format!("{} {} ({})", left.namespace, left.metric, left.queries))
                .collect();
            tracing::warn!(
                account = self.unit.account,
                region = self.unit.region,
                left_out = names.join(", "),
                "CLOUD_EXPORT_METRIC_BUDGET does not pay these metrics"
            );
        }
    }
}

/// What reading the metrics of an account and region would take.
#[derive(Debug, Clone)]
pub struct MetricPlan {
    /// The account, the region and the roles.
    pub unit: Unit,
    /// Series that are listed.
    pub series: usize,
    /// What a month costs.
    pub estimate: Estimate,
    /// What is left out because of the budget.
    pub left_out: Vec<LeftOut>,
    /// Namespaces that could not be listed, and why.
    pub unlisted: Vec<(String, String)>,
    /// Why nothing is known.
    pub error: Option<String>,
}

impl MetricPlan {
    /// A plan of a unit that nobody could ask for.
    pub fn failed(unit: Unit, error: String) -> MetricPlan {
        MetricPlan {
            unit,
            series: 0,
            estimate: Estimate::default(),
            left_out: Vec::new(),
            unlisted: Vec::new(),
            error: Some(error),
        }
    }

    /// The plan as one line of JSON.
    pub fn to_json(&self) -> Value {
        let namespaces = self.estimate.by_namespace.iter();
        let namespaces = namespaces.map(|((namespace, period), monthly)| {
            json!({
                "namespace": namespace,
                "period": period,
                "metrics": monthly.metrics,
                "requested_per_month": monthly.requested,
                "usd_per_month": monthly.cost.as_dollars(),
            })
        });
        json!({
            "account": self.unit.account,
            "region": self.unit.region,
            "series": self.series,
            "namespaces": namespaces.collect::<Vec<_>>(),
            "usd_per_month": self.estimate.cost_per_month(&LIST_PRICE).as_dollars(),
            "left_out": self.left_out.iter().map(LeftOut::to_json).collect::<Vec<_>>(),
            "unlisted": unlisted_json(&self.unlisted),
            "error": self.error,
        })
    }
}

impl LeftOut {
    fn to_json(&self) -> Value {
        json!({"namespace": self.namespace, "metric": self.metric, "queries": self.queries})
    }
}

fn unlisted_json(unlisted: &[(String, String)]) -> Vec<Value> {
    let unlisted = unlisted.iter();
    let unlisted = unlisted.map(|(namespace, why)| json!({"namespace": namespace, "error": why}));
    unlisted.collect()
}

/// The metrics of a run, summed up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricSummary {
    /// Accounts and regions by what became of them, in the order of [`MetricState::ALL`].
    pub units: [u64; 6],
    /// Metrics requested.
    pub requested: u64,
    /// Calls made.
    pub calls: u64,
    /// Datapoints delivered.
    pub datapoints: u64,
    /// Those of them that destinations did not keep.
    pub rejected: u64,
    /// Queries that are asked again.
    pub owed: u64,
    /// Queries that are refused, forbidden or given up.
    pub lost: u64,
    /// Queries that are left out because of the budget.
    pub left_out: u64,
    /// Seconds that lie too far back: of the account and region with the most.
    pub skipped_seconds: u64,
    /// How far the oldest is behind, in seconds.
    pub lag_seconds: u64,
}

/// Metric names and units ("Embedded metric format", *CloudWatch User Guide*). Names are stable.
pub(crate) const METRICS: [(&str, &str); 11] = [
    ("MetricUnitsRead", "Count"),
    ("MetricUnitsFailed", "Count"),
    ("MetricsRequested", "Count"),
    ("MetricCalls", "Count"),
    ("MetricDatapoints", "Count"),
    ("MetricDatapointsRejected", "Count"),
    ("MetricsOwed", "Count"),
    ("MetricsLost", "Count"),
    ("MetricsLeftOut", "Count"),
    ("MetricSecondsSkipped", "Seconds"),
    ("MetricLagSeconds", "Seconds"),
];

impl MetricSummary {
    /// Adds an account and region.
    pub fn add(&mut self, report: &MetricReport) {
        for (state, count) in MetricState::ALL.iter().zip(&mut self.units) {
            *count += u64::from(report.state == *state);
        }
        self.requested += report.requested;
        self.calls += report.calls;
        self.datapoints += report.datapoints;
        self.rejected += report.rejected.items;
        self.owed += report.owed as u64;
        self.lost += report.lost();
        self.left_out += report.left_out_queries();
        self.skipped_seconds = self
            .skipped_seconds
            .max(report.skipped_seconds.unsigned_abs());
        self.lag_seconds = self.lag_seconds.max(report.lag_seconds.unsigned_abs());
    }

    /// Adds what another part of the run did.
    pub fn join(&mut self, other: &MetricSummary) {
        for (count, more) in self.units.iter_mut().zip(other.units) {
            *count += more;
        }
        self.requested += other.requested;
        self.calls += other.calls;
        self.datapoints += other.datapoints;
        self.rejected += other.rejected;
        self.owed += other.owed;
        self.lost += other.lost;
        self.left_out += other.left_out;
        self.skipped_seconds = self.skipped_seconds.max(other.skipped_seconds);
        self.lag_seconds = self.lag_seconds.max(other.lag_seconds);
    }

    /// Accounts and regions that became this.
    pub fn units(&self, state: MetricState) -> u64 {
        let counts = MetricState::ALL.iter().zip(&self.units);
        counts.filter(|(s, _)| **s == state).map(|(_, n)| *n).sum()
    }

    /// Whether any account and region was asked.
    pub fn is_empty(&self) -> bool {
        self.units.iter().all(|count| *count == 0)
    }

    /// Whether everything is fine.
    pub fn is_fine(&self) -> bool {
        let mut states = MetricState::ALL.iter();
        states.all(|state| state.is_fine() || self.units(*state) == 0)
    }

    /// The values of [`METRICS`].
    pub(crate) fn values(&self) -> [u64; 11] {
        [
            self.units(MetricState::Read) + self.units(MetricState::Idle),
            self.units(MetricState::Failed) + self.units(MetricState::Partial),
            self.requested,
            self.calls,
            self.datapoints,
            self.rejected,
            self.owed,
            self.lost,
            self.left_out,
            self.skipped_seconds,
            self.lag_seconds,
        ]
    }

    /// The summary as JSON.
    pub fn to_json(&self) -> Value {
        let states: BTreeMap<&str, u64> = MetricState::ALL
            .iter()
            .zip(self.units)
            .filter(|(_, count)| *count > 0)
            .map(|(state, count)| (state.label(), count))
            .collect();
        json!({
            "units": self.units.iter().sum::<u64>(),
            "states": states,
            "requested": self.requested,
            "calls": self.calls,
            "datapoints": self.datapoints,
            "rejected": self.rejected,
            "owed": self.owed,
            "lost": self.lost,
            "left_out": self.left_out,
            "skipped_seconds": self.skipped_seconds,
            "lag_seconds": self.lag_seconds,
        })
    }
}
