//! The status of a run, merged into the one of all runs, and the page of it.
//!
//! ```text
//! units, metrics of a run ─▶ Status ─▶ merged into status/status.json ─▶ status/index.html
//! ```
//!
//! A status that cannot be written fails nothing: the next run writes it.

use bytes::Bytes;
use delivery::Store;
use delivery::store::{Condition, Fetched};
use invocation::Budget;
use jiff::Timestamp;
use telemetry::snapshot::Unit;
use telemetry::status::{
    Entry, Export, Facts, Key, Measured, Outcome, PAGE_KEY, RunState, STATUS_KEY, Status,
    StatusError, page,
};

use crate::merging::{Shared, merge_into};
use crate::metrics::{MetricReport, MetricState};
use crate::report::{UnitReport, UnitState};

/// The document.
const DOCUMENT: Shared = Shared {
    key: STATUS_KEY,
    content_type: "application/json",
    limit: 64 << 20,
};

/// The media type of the page.
const PAGE_TYPE: &str = "text/html; charset=utf-8";

/// How often the page is written anew because another run wrote the document in the meantime.
const PAGES: u32 = 5;

/// What became of a unit: what its snapshot says, or why there is no newer one. Nothing where a later run was
/// faster, for that one tells.
pub(crate) fn of_unit(report: &UnitReport, observed: Option<Status>, at: Timestamp) -> Status {
    if report.state == UnitState::Superseded {
        return Status::default();
    }
    let chain = report.chain_failure.as_ref().map(ToString::to_string);
    let Some(mut status) = observed else {
        let outcome = outcome(&report.unit, at, RunState::Failed, report.error.clone());
        return entry(Export::Metadata, &report.unit, outcome, None);
    };
    for entry in status.entries.values_mut() {
        if entry.latest.state == RunState::Failed {
            entry.latest.error = chain.clone().or_else(|| entry.latest.error.take());
        }
    }
    status
}

/// What became of the metrics of an account and region. Nothing where another run is at it, for that one tells.
pub(crate) fn of_metrics(report: &MetricReport, at: Timestamp) -> Status {
    let state = match report.state {
        MetricState::Claimed => return Status::default(),
        MetricState::Read => RunState::Complete,
        MetricState::Idle => RunState::Idle,
        MetricState::Partial => RunState::Partial,
        MetricState::Failed => RunState::Failed,
        MetricState::Deferred => RunState::Deferred,
    };
    let unlisted = report.unlisted.first();
    let unlisted = unlisted.map(|(namespace, why)| format!("{namespace} is not listed: {why}"));
    let rejected = (report.rejected.items > 0).then(|| {
        let why = report.rejected.message.as_deref().unwrap_or("no reason");
        let count = report.rejected.items;
        format!("{count} datapoints were rejected by a destination: {why}")
    });
    let error = report.error.clone().or(unlisted).or(rejected);
    let facts = (state != RunState::Failed).then(|| {
        Facts::Metrics(Measured {
            lag_seconds: u64::try_from(report.lag_seconds).unwrap_or_default(),
            series: report.series as u64,
            requested: report.requested,
            datapoints: report.datapoints,
            owed: report.owed as u64,
            lost: report.lost(),
            left_out: report.left_out_queries(),
            skipped_seconds: u64::try_from(report.skipped_seconds).unwrap_or_default(),
        })
    });
    let outcome = outcome(&report.unit, at, state, error);
    entry(Export::Metrics, &report.unit, outcome, facts)
}

fn outcome(unit: &Unit, at: Timestamp, state: RunState, error: Option<String>) -> Outcome {
    Outcome {
        at,
        state,
        error,
        role: unit.roles.last().cloned(),
    }
}

fn entry(export: Export, unit: &Unit, outcome: Outcome, facts: Option<Facts>) -> Status {
    let key = Key::new(export, &unit.account, &unit.region);
    Status {
        entries: [(key, Entry::of(outcome, facts))].into(),
        ..Status::default()
    }
}

/// Merges what a run tells into the status of all runs, and writes the page. Nothing is written where it would tell
/// nothing new.
///
/// A document that cannot be read is replaced: the others are in it again after their next run. One of a newer release
/// is left alone.
///
/// # Errors
/// A sentence: the document, or the page, is as it was.
pub async fn write_status(
    objects: &Store,
    told: &Status,
    now: Timestamp,
    budget: &Budget,
) -> Result<(), String> {
    let who: Vec<&Key> = told.entries.keys().collect();
    let written = merge_into(objects, DOCUMENT, &who, budget, |before| {
        let mut status = match before.as_deref().map(Status::from_slice) {
            None => Status::default(),
            Some(Ok(before)) => before,
            Some(Err(error @ StatusError::Newer { .. })) => return Err(error),
            Some(Err(error)) => {
                let place = objects.place(STATUS_KEY);
                tracing::warn!(%place, %error, "replaced; what others did comes back with their next run");
                Status::default()
            }
        };
        if !status.is_news(told) {
            return Ok(None);
        }
        status.merge(told);
        Ok(Some(Bytes::from(status.to_json().to_string())))
    });
    let Some(written) = written.await? else {
        return Ok(());
    };
    let (mut document, mut revision) = (written.bytes, written.revision);
    for _ in 0..PAGES {
        let status = Status::from_slice(&document).map_err(|error| error.to_string())?;
        let html = Bytes::from(page(&status, now));
        let put = objects.put(PAGE_KEY, html, Condition::None, PAGE_TYPE);
        put.await.map_err(|error| error.to_string())?;
        // Whoever wrote the document last writes the page last, or finds here that it has to.
        let Some(known) = revision.as_deref() else {
            return Ok(());
        };
        let fetched = objects.get_at_most(STATUS_KEY, Some(known), DOCUMENT.limit);
        match fetched.await.map_err(|error| error.to_string())? {
            Fetched::Object {
                bytes,
                revision: newer,
            } => (document, revision) = (bytes, newer),
            Fetched::Unchanged | Fetched::Missing | Fetched::TooLarge { .. } => return Ok(()),
        }
    }
    Ok(())
}
