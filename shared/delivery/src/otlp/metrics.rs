//! Datapoints as OTLP metrics, named as CloudWatch metric streams name them in OpenTelemetry 1.0 format.
//!
//! Metric streams write a summary of all statistics; here each statistic that was asked for is a number of its own,
//! under `amazonaws.com/<Namespace>/<MetricName>` and with the attribute `Statistic`. The sum of what adds up over time
//! is a monotonic sum of delta temporality, everything else a gauge. Messages are those of
//! `opentelemetry/proto/metrics/v1/metrics.proto`.

use std::collections::HashMap;

use telemetry::metrics::{Datapoint, Statistic};

use super::attribute::{AnyValue, attribute};
use super::protobuf::{FieldNumber, delimited, double, fixed64, header, integer, message};
use super::resource::{ByHome, RECORDS};
use crate::encoding::EncodingError;

const METRIC_NAME: FieldNumber = 1;
const METRIC_UNIT: FieldNumber = 3;
const GAUGE: FieldNumber = 5;
const SUM: FieldNumber = 7;
const DATA_POINTS: FieldNumber = 1;
const TEMPORALITY: FieldNumber = 2;
const IS_MONOTONIC: FieldNumber = 3;
const START: FieldNumber = 2;
const TIME: FieldNumber = 3;
const AS_DOUBLE: FieldNumber = 4;
const ATTRIBUTES: FieldNumber = 7;

/// `AGGREGATION_TEMPORALITY_DELTA`.
const DELTA: u64 = 1;

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

/// What datapoints stand together by: the name and the unit of their metric, and whether they are sums.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct MetricKey {
    name: String,
    unit: String,
    is_sum: bool,
}

/// The points of metrics, in the order that these were met.
#[derive(Debug, Default)]
struct Metrics {
    points: Vec<(MetricKey, Vec<u8>)>,
    numbers: HashMap<MetricKey, usize>,
}

impl Metrics {
    fn points(&mut self, key: MetricKey) -> Option<&mut Vec<u8>> {
        let next = self.points.len();
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => {
                self.numbers.insert(key.clone(), next);
                self.points.push((key, Vec::new()));
                next
            }
        };
        self.points.get_mut(number).map(|(_, points)| points)
    }

    /// The metrics as fields of a scope.
    fn fields(self) -> Vec<u8> {
        let mut out = Vec::new();
        for (key, mut points) in self.points {
            let mut before = Vec::new();
            delimited(&mut before, METRIC_NAME, key.name.as_bytes());
            delimited(&mut before, METRIC_UNIT, key.unit.as_bytes());
            if key.is_sum {
                integer(&mut points, TEMPORALITY, DELTA);
                integer(&mut points, IS_MONOTONIC, true.into());
            }
            let data = if key.is_sum { SUM } else { GAUGE };
            header(&mut before, data, points.len());
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
    pub fn write(&mut self, point: &Datapoint<'_>) {
        let key = MetricKey {
            name: format!("amazonaws.com/{}/{}", point.namespace, point.metric),
            unit: ucum(point.unit),
            is_sum: point.adds_up && point.statistic == Statistic::Sum,
        };
        let metrics = self.metrics.entry(point.account, point.region);
        let Some(points) = metrics.and_then(|of| of.points(key)) else {
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

fn write_point(out: &mut Vec<u8>, point: &Datapoint<'_>) {
    let end = point.time.saturating_add(point.period.into());
    for (field, time) in [(START, point.time), (TIME, end)] {
        let time = u64::try_from(time).unwrap_or_default();
        fixed64(out, field, time.saturating_mul(1_000_000_000));
    }
    double(out, AS_DOUBLE, point.value);
    let statistic = point.statistic.to_string();
    let mut add = |key: &str, value: AnyValue<'_>| attribute(out, ATTRIBUTES, key, value);
    add("Namespace", AnyValue::Text(point.namespace));
    add("MetricName", AnyValue::Text(point.metric));
    add("Dimensions", AnyValue::Pairs(point.dimensions));
    add("Statistic", AnyValue::Text(&statistic));
    let Some(resource) = point.resource else {
        return;
    };
    let known = [
        ("cloud_export.resource", Some(&*resource.id)),
        ("cloud_export.resource_type", Some(resource.kind)),
        ("cloud_export.resource_name", resource.name.as_deref()),
        ("cloud_export.resource_owner", resource.owner.as_deref()),
        ("cloud_export.vpc", resource.vpc.as_deref()),
    ];
    for (key, text) in known {
        if let Some(text) = text {
            add(key, AnyValue::Text(text));
        }
    }
    for (tag, text) in &resource.tags {
        add(&format!("cloud_export.tag.{tag}"), AnyValue::Text(text));
    }
}
