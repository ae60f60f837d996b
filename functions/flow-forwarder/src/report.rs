//! What the function says of itself: one log line per object, one metrics record per invocation.

use std::time::Duration;

use delivery::OutletCounts;
use invocation::metrics;
use serde_json::{Map, Value, json};
use telemetry::selection::SelectionCounts;
use telemetry::{Counts, FailureClass, ObjectKey, RowErrorKind};

use crate::deletion::Deletion;
use crate::event::ObjectRef;
use crate::pipeline::ObjectOutcome;
use crate::sides::SideCounts;

/// A forwarded or failed object, with all that is said of it.
#[derive(Debug, Clone)]
pub struct ObjectReport {
    /// The object.
    pub object: ObjectRef,
    /// What became of it.
    pub outcome: ObjectOutcome,
    /// How long it took.
    pub duration: Duration,
}

impl ObjectReport {
    /// Writes the object's log line. Keys and counts only: no row, no address, no credential.
    pub fn log(&self) {
        let ObjectOutcome {
            counts,
            format,
            shortfalls,
            sides,
            selection,
            outlets,
            failure,
            rows_kept,
            quarantined,
            deletion,
            ..
        } = &self.outcome;
        let delivered = total(outlets);
        let skipped: Map<String, Value> = counts
            .malformed_by_reason()
            .map(|(reason, n)| (reason.to_owned(), n.into()))
            .collect();
        let skipped = Value::Object(skipped).to_string();
        let unenriched = sides.as_ref().map(|sides| {
            let reasons = sides.misses_by_reason();
            let reasons = reasons.map(|(reason, n)| (reason.to_owned(), n.into()));
            Value::Object(reasons.collect()).to_string()
        });
        let sides = sides.as_ref();
        let selection = selection.as_ref();
        let left_out = selection.map(|selection| {
            let rules = selection.dropped_by_rule();
            let rules = rules.map(|(rule, n)| ((rule + 1).to_string(), n.into()));
            Value::Object(rules.collect()).to_string()
        });
        let limited = selection
            .filter(|selection| selection.windows_limited > 0)
            .map(|selection| limits(selection).to_string());
        let examples: Vec<String> = counts.examples.iter().map(ToString::to_string).collect();
        let examples = Value::from(examples).to_string();
        // What the key tells is a hint for whoever searches the log; the content decided the rest.
        let hint = ObjectKey::parse(&self.object.key);
        macro_rules! line {
            ($level:ident, $message:literal $(, $field:ident = $value:expr)*) => {
                tracing::$level!(
                    bucket = self.object.bucket,
                    key = self.object.key,
                    log_account = hint.as_ref().map(|hint| hint.account),
                    log_region = hint.as_ref().map(|hint| hint.region),
                    log_source = hint.as_ref().map(|hint| hint.source),
                    format = format.map_or("unknown", |f| f.label()),
                    rows = counts.rows,
                    records = counts.records,
                    no_data = counts.no_data,
                    skip_data = counts.skip_data,
                    malformed = counts.malformed(),
                    skipped,
                    examples,
                    unknown_columns = counts.unknown_columns.join(" "),
                    shortfall = shortfalls.join("; "),
                    hits = sides.map(SideCounts::hits),
                    stale = sides.map(SideCounts::stale),
                    misses = sides.map(SideCounts::misses),
                    unenriched,
                    selected = selection.map(|selection| selection.kept),
                    sampled = selection.map(|selection| selection.sampled),
                    left_out,
                    limited,
                    bytes_in = counts.bytes_in,
                    bytes_decoded = counts.bytes_decoded,
                    bytes_out = delivered.bytes,
                    batches = delivered.batches,
                    retries = delivered.retries,
                    rejected = delivered.rejected,
                    rows_quarantined = rows_kept,
                    batches_quarantined = delivered.quarantined,
                    deletion = deletion.as_ref().map(Deletion::label),
                    newest_epoch_s = counts.newest,
                    duration_ms = self.duration.as_millis() as u64,
                    $($field = $value,)*
                    $message
                )
            };
        }
        if let Some(Deletion::Failed(failure)) = deletion {
            tracing::warn!(
                bucket = self.object.bucket,
                key = self.object.key,
                error_type = failure.error_type(),
                error = failure.message,
                "object is delivered but could not be deleted; it stays"
            );
        }
        if let Some(reason) = quarantined {
            line!(
                error,
                "object cannot be read and is in quarantine",
                error_type = reason.error_type(),
                error = reason.message
            );
            return;
        }
        match failure {
            None if *deletion == Some(Deletion::DeletedBefore) => {
                line!(info, "object was delivered and deleted before")
            }
            None if *rows_kept > 0 => {
                line!(warn, "object forwarded, malformed rows are in quarantine")
            }
            None if counts.malformed() > 0 => {
                line!(warn, "object forwarded, malformed rows were skipped")
            }
            None => line!(info, "object forwarded"),
            Some(failure) => line!(
                error,
                "object not forwarded",
                error_type = failure.error_type(),
                error = failure.message
            ),
        }
    }
}

/// The minutes in which limits left records out: rules are counted from 1, as messages about them do.
fn limits(selection: &SelectionCounts) -> Value {
    let limited = selection.limited().iter().map(|limited| {
        json!({
            "rule": limited.rule + 1,
            "device": limited.device,
            "minute_epoch_s": limited.minute,
            "rate": limited.rate,
            "left_out": limited.left_out,
        })
    });
    limited.collect()
}

/// What an invocation did, summed up.
#[derive(Debug, Clone, Default)]
pub struct InvocationReport {
    /// Objects done.
    pub objects: u64,
    /// Objects not done, by class of failure: retry, poison, config.
    pub failed: [u64; 3],
    /// Parts of the event that asked for nothing.
    pub ignored: u64,
    /// Messages that were no event.
    pub malformed_messages: u64,
    /// What was read.
    pub counts: Counts,
    /// What became of the sides of records; `None` when none was enriched.
    pub sides: Option<SideCounts>,
    /// Which records were kept; `None` when all were.
    pub selection: Option<SelectionCounts>,
    /// Bytes of the index that were fetched; `None` when there is none.
    pub index_bytes: Option<u64>,
    /// What destinations took, all together.
    pub delivered: OutletCounts,
    /// Whether there is a quarantine.
    pub quarantines: bool,
    /// Rows in quarantine.
    pub rows_quarantined: u64,
    /// Objects in quarantine.
    pub objects_quarantined: u64,
    /// Whether objects are deleted.
    pub deletes: bool,
    /// Objects that were deleted.
    pub deleted: u64,
    /// Objects that should have been deleted and stay: they could not be, or not all of them arrived.
    pub not_deleted: u64,
}

fn total(outlets: &[OutletCounts]) -> OutletCounts {
    let mut total = OutletCounts::default();
    outlets.iter().for_each(|outlet| total.add(outlet));
    total
}

/// Metric names and units ("Embedded metric format", *CloudWatch User Guide*). Names are stable.
const METRICS: &[(&str, &str)] = &[
    ("ObjectsForwarded", "Count"),
    ("ObjectsRetried", "Count"),
    ("ObjectsPoisoned", "Count"),
    ("ObjectsMisconfigured", "Count"),
    ("MessagesMalformed", "Count"),
    ("EventsIgnored", "Count"),
    ("RowsRead", "Count"),
    ("RecordsForwarded", "Count"),
    ("RowsNoData", "Count"),
    ("RowsSkipData", "Count"),
    ("RowsMalformed", "Count"),
    ("BytesIn", "Bytes"),
    ("BytesDecoded", "Bytes"),
    ("BytesOut", "Bytes"),
    ("BatchesDelivered", "Count"),
    ("DeliveryRetries", "Count"),
    ("RecordsRejected", "Count"),
    ("RowsQuarantined", "Count"),
    ("BatchesQuarantined", "Count"),
    ("ObjectsQuarantined", "Count"),
    ("ObjectsDeleted", "Count"),
    ("ObjectsNotDeleted", "Count"),
    ("SidesHit", "Count"),
    ("SidesStale", "Count"),
    ("SidesMissed", "Count"),
    ("RecordsLeftOut", "Count"),
    ("MinutesLimited", "Count"),
    ("IndexLoaded", "Bytes"),
    ("Lag", "Seconds"),
    ("Duration", "Milliseconds"),
];

impl InvocationReport {
    /// Adds one object.
    pub fn add(&mut self, outcome: &ObjectOutcome) {
        match &outcome.failure {
            None if outcome.quarantined.is_some() => {}
            None => self.objects += 1,
            Some(failure) => self.failed[failure.class as usize] += 1,
        }
        self.rows_quarantined += outcome.rows_kept;
        self.objects_quarantined += u64::from(outcome.quarantined.is_some());
        match outcome.deletion {
            Some(Deletion::Deleted) => self.deleted += 1,
            Some(Deletion::Incomplete | Deletion::Failed(_)) => self.not_deleted += 1,
            Some(Deletion::DeletedBefore | Deletion::Replaced) | None => {}
        }
        self.counts.add(&outcome.counts);
        if let Some(sides) = &outcome.sides {
            self.sides.get_or_insert_default().add(sides);
        }
        if let Some(selection) = &outcome.selection {
            self.selection.get_or_insert_default().add(selection);
        }
        self.delivered.add(&total(&outcome.outlets));
    }

    /// Objects not done for a reason of this class.
    pub fn failed(&self, class: FailureClass) -> u64 {
        self.failed[class as usize]
    }

    /// The invocation's record in CloudWatch's embedded metric format, one line of JSON.
    ///
    /// `now_ms` is Unix time in milliseconds. `Lag` is how far the newest record lies behind it,
    /// and left out when there was none. What enrichment, the quarantine and deleting did is left out where there is
    /// none of them.
    pub fn metrics(
        &self,
        namespace: &str,
        function: &str,
        now_ms: u64,
        duration: Duration,
    ) -> String {
        let Counts {
            rows,
            records,
            no_data,
            skip_data,
            bytes_in,
            bytes_decoded,
            newest,
            ..
        } = &self.counts;
        let lag = newest.map(|newest| (now_ms / 1000).saturating_sub(newest));
        let values = [
            Some(self.objects),
            Some(self.failed(FailureClass::Retry)),
            Some(self.failed(FailureClass::Poison)),
            Some(self.failed(FailureClass::Config)),
            Some(self.malformed_messages),
            Some(self.ignored),
            Some(*rows),
            Some(*records),
            Some(*no_data),
            Some(*skip_data),
            Some(self.counts.malformed()),
            Some(*bytes_in),
            Some(*bytes_decoded),
            Some(self.delivered.bytes),
            Some(self.delivered.batches),
            Some(self.delivered.retries),
            Some(self.delivered.rejected),
            self.quarantines.then_some(self.rows_quarantined),
            self.quarantines.then_some(self.delivered.quarantined),
            self.quarantines.then_some(self.objects_quarantined),
            self.deletes.then_some(self.deleted),
            self.deletes.then_some(self.not_deleted),
            self.sides.as_ref().map(SideCounts::hits),
            self.sides.as_ref().map(SideCounts::stale),
            self.sides.as_ref().map(SideCounts::misses),
            self.selection.as_ref().map(SelectionCounts::dropped),
            self.selection.as_ref().map(|s| s.windows_limited),
            self.index_bytes,
            lag,
            Some(duration.as_millis() as u64),
        ];
        let measured = METRICS
            .iter()
            .zip(values)
            .filter_map(|(metric, value)| Some((metric, value?)));
        let mut record = metrics::record(namespace, function, now_ms, measured);
        // Reasons are searchable properties, not metrics: each metric costs money.
        for label in RowErrorKind::LABELS {
            let count = self
                .counts
                .malformed_by_reason()
                .find(|(reason, _)| reason == label);
            if let Some((_, count)) = count {
                record[format!("malformed_{label}")] = count.into();
            }
        }
        record.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    #[test]
    fn the_metrics_record_is_valid_embedded_metric_format() {
        let mut report = InvocationReport::default();
        let mut counts = Counts::default();
        (counts.rows, counts.records, counts.no_data) = (10, 8, 2);
        counts.newest = Some(1_795_190_400);
        report.add(&ObjectOutcome {
            counts,
            outlets: vec![OutletCounts {
                batches: 1,
                bytes: 500,
                ..OutletCounts::default()
            }],
            ..ObjectOutcome::default()
        });
        report.add(&ObjectOutcome {
            failure: Some(Failure::event("x")),
            ..ObjectOutcome::default()
        });
        let line = report.metrics(
            "CloudExport",
            "fwd",
            1_795_190_460_000,
            Duration::from_millis(12),
        );
        let record: Value = serde_json::from_str(&line).unwrap();
        let directive = &record["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "CloudExport");
        for dimension in directive["Dimensions"][0].as_array().unwrap() {
            assert!(record[dimension.as_str().unwrap()].is_string());
        }
        for metric in directive["Metrics"].as_array().unwrap() {
            assert!(
                record[metric["Name"].as_str().unwrap()].is_u64(),
                "{metric}"
            );
        }
        assert_eq!(
            (
                &record["Lag"],
                &record["ObjectsForwarded"],
                &record["ObjectsPoisoned"]
            ),
            (&json!(60), &json!(1), &json!(1))
        );
        assert!(!line.contains('\n'));
    }

    #[test]
    fn lag_is_left_out_when_nothing_was_read() {
        let line = InvocationReport::default().metrics("n", "f", 0, Duration::ZERO);
        assert!(!line.contains("Lag"));
    }
}
