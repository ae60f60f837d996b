//! Metrics as CloudWatch metric streams write them in OpenTelemetry 1.0 format: who reads the one can read the other.
//!
//! Each metric is a summary named `amazonaws.com/<Namespace>/<MetricName>`: the count and sum of the samples, the
//! minimum as quantile 0 and the maximum as quantile 1, further percentiles between ("CloudWatch metric streams in
//! OpenTelemetry 1.0.0 format", *Amazon CloudWatch User Guide*). Messages are those of
//! `opentelemetry/proto/metrics/v1/metrics.proto`.

use std::collections::HashMap;

use super::attribute::{AnyValue, attribute};
use super::protobuf::{FieldNumber, delimited, double, fixed64, header, message};
use super::resource::{ByHome, RECORDS};
use crate::encoding::EncodingError;

const METRIC_NAME: FieldNumber = 1;
const METRIC_UNIT: FieldNumber = 3;
const SUMMARY: FieldNumber = 11;
const DATA_POINTS: FieldNumber = 1;
const START: FieldNumber = 2;
const TIME: FieldNumber = 3;
const COUNT: FieldNumber = 4;
const SUM: FieldNumber = 5;
const QUANTILES: FieldNumber = 6;
const ATTRIBUTES: FieldNumber = 7;
const QUANTILE: FieldNumber = 1;
const QUANTILE_VALUE: FieldNumber = 2;

/// CloudWatch's units (`StandardUnit`), and how UCUM writes them.
const UNITS: &[(&str, &str)] = &[
    ("Seconds", "s"),
    ("Microseconds", "us"),
    ("Milliseconds", "ms"),
    ("Bytes", "By"),
    ("Kilobytes", "kBy"),
    ("Megabytes", "MBy"),
    ("Gigabytes", "GBy"),
    ("Terabytes", "TBy"),
    ("Bits", "bit"),
    ("Kilobits", "kbit"),
    ("Megabits", "MBit"),
    ("Gigabits", "GBit"),
    ("Terabits", "Tbit"),
    ("Percent", "%"),
    ("Count", "{Count}"),
    ("None", "1"),
];

/// What was measured over one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics<'p> {
    /// How many samples there were.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The smallest.
    pub minimum: f64,
    /// The largest.
    pub maximum: f64,
    /// Percentiles between, from 0 to 1: `(0.99, 12.5)`.
    pub percentiles: &'p [(f64, f64)],
}

/// One datapoint of a CloudWatch metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricPoint<'p> {
    /// The account's 12 digits; empty when it is not known.
    pub account: &'p str,
    /// The region's name.
    pub region: &'p str,
    /// CloudWatch's namespace, such as `AWS/NATGateway`.
    pub namespace: &'p str,
    /// The metric's name, such as `BytesOutToDestination`.
    pub name: &'p str,
    /// Names and values of its dimensions.
    pub dimensions: &'p [(&'p str, &'p str)],
    /// CloudWatch's unit, such as `Bytes/Second`.
    pub unit: &'p str,
    /// The period's start, Unix seconds.
    pub start: u64,
    /// The period's end, Unix seconds.
    pub end: u64,
    /// What was measured.
    pub statistics: Statistics<'p>,
    /// Keys and texts that are added to the point, such as names of resources. Metric streams have none.
    pub attributes: &'p [(&'p str, &'p str)],
}

/// UCUM's name of a unit of CloudWatch; of other texts the text as an annotation.
fn ucum(unit: &str) -> String {
    let (amount, rate) = match unit.strip_suffix("/Second") {
        Some(amount) => (amount, "/s"),
        None => (unit, ""),
    };
    match UNITS.iter().find(|(known, _)| *known == amount) {
        Some((_, ucum)) => format!("{ucum}{rate}"),
        None => format!("{{{amount}}}{rate}"),
    }
}

/// The points of metrics, by name and unit, in the order that these were met.
#[derive(Debug, Default)]
struct Metrics {
    points: Vec<((String, String), Vec<u8>)>,
    numbers: HashMap<(String, String), usize>,
}

impl Metrics {
    fn points(&mut self, name: (String, String)) -> Option<&mut Vec<u8>> {
        let next = self.points.len();
        let number = *self.numbers.entry(name.clone()).or_insert(next);
        if number == next {
            self.points.push((name, Vec::new()));
        }
        self.points.get_mut(number).map(|(_, points)| points)
    }

    /// The metrics as fields of a scope.
    fn fields(self) -> Vec<u8> {
        let mut out = Vec::new();
        for ((name, unit), points) in self.points {
            let mut before = Vec::new();
            delimited(&mut before, METRIC_NAME, name.as_bytes());
            delimited(&mut before, METRIC_UNIT, unit.as_bytes());
            header(&mut before, SUMMARY, points.len());
            header(&mut out, RECORDS, before.len() + points.len());
            out.extend_from_slice(&before);
            out.extend_from_slice(&points);
        }
        out
    }
}

/// Writes datapoints as `ExportMetricsServiceRequest`: those of an account and region, and of a metric, together.
#[derive(Debug, Default)]
pub struct OtlpMetricsEncoder {
    metrics: ByHome<Metrics>,
    written: usize,
}

impl OtlpMetricsEncoder {
    /// An encoder without datapoints.
    pub fn new() -> OtlpMetricsEncoder {
        OtlpMetricsEncoder::default()
    }

    /// About how many bytes [`take`](Self::take) gives.
    pub fn len(&self) -> usize {
        match self.written {
            0 => 0,
            written => written + self.metrics.overhead(),
        }
    }

    /// Whether nothing was written since it was last taken.
    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// Appends a datapoint.
    pub fn write(&mut self, point: &MetricPoint<'_>) {
        let name = format!("amazonaws.com/{}/{}", point.namespace, point.name);
        let metrics = self.metrics.entry(point.account, point.region);
        let Some(points) = metrics.and_then(|of| of.points((name, ucum(point.unit)))) else {
            return;
        };
        let before = points.len();
        message(points, DATA_POINTS, |out| write_point(out, point));
        self.written += points.len() - before;
    }

    /// Takes the request. `spare` is memory to use again; its content does not matter.
    ///
    /// # Errors
    /// None: it is of the form that all encoders have.
    pub fn take(&mut self, mut spare: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
        spare.clear();
        self.metrics.write(&mut spare, Metrics::fields);
        self.written = 0;
        Ok(spare)
    }
}

fn write_point(out: &mut Vec<u8>, point: &MetricPoint<'_>) {
    let Statistics {
        count,
        sum,
        minimum,
        maximum,
        percentiles,
    } = point.statistics;
    fixed64(out, START, point.start.saturating_mul(1_000_000_000));
    fixed64(out, TIME, point.end.saturating_mul(1_000_000_000));
    if count > 0 {
        fixed64(out, COUNT, count);
    }
    nonzero(out, SUM, sum);
    let between = percentiles.iter().copied();
    let quantiles = [(0.0, minimum)].into_iter().chain(between);
    for (quantile, value) in quantiles.chain([(1.0, maximum)]) {
        message(out, QUANTILES, |out| {
            nonzero(out, QUANTILE, quantile);
            nonzero(out, QUANTILE_VALUE, value);
        });
    }
    attribute(
        out,
        ATTRIBUTES,
        "Namespace",
        AnyValue::Text(point.namespace),
    );
    attribute(out, ATTRIBUTES, "MetricName", AnyValue::Text(point.name));
    attribute(
        out,
        ATTRIBUTES,
        "Dimensions",
        AnyValue::Pairs(point.dimensions),
    );
    for (key, text) in point.attributes {
        attribute(out, ATTRIBUTES, key, AnyValue::Text(text));
    }
}

/// Zero is what a number is that is not there.
fn nonzero(out: &mut Vec<u8>, field: FieldNumber, value: f64) {
    if value.to_bits() != 0 {
        double(out, field, value);
    }
}
