//! Datapoints of metrics, encoded and gathered into batches.
//!
//! ```text
//! Datapoint ─▶ Cutter ─▶ of its partition: NDJSON | Parquet | OTLP | Influx ─▶ compressor ─▶ Batch
//! ```
//!
//! A datapoint whose value is no finite number, which none of the formats can hold, is left out; CloudWatch has none.

use jiff::Timestamp;
use telemetry::metrics::Datapoint;

use crate::batch::{Cutter, Encode, Origin, Packing};
use crate::encoding::{Content, EncodingError, Format};
use crate::influx;
use crate::ndjson::write_datapoint;
use crate::otlp::OtlpMetricsEncoder;
use crate::parquet::{DATAPOINTS, RowsEncoder};
use crate::partition::{Partitioning, Spans};

/// Cuts datapoints into batches: those of one part of a window, which the origin names.
///
/// ```
/// use std::sync::Arc;
/// use delivery::datapoints::DatapointBatcher;
/// use delivery::{Origin, Packing};
///
/// let origin = Origin {
///     bucket: "metrics".to_owned(),
///     key: "111111111111/us-east-1/2026/11/20/60s-1795190400-1795190700/0".to_owned(),
///     revision: "1".to_owned(),
/// };
/// let mut batcher = DatapointBatcher::new(Arc::new([origin]), Arc::new(Packing::ndjson(1 << 20)));
/// # let datapoints: [telemetry::metrics::Datapoint<'_>; 0] = [];
/// for datapoint in &datapoints {
///     batcher.push(datapoint)?;
///     while let Some(batch) = batcher.complete() {
///         // deliver it
///     }
/// }
/// batcher.finish()?;
/// while let Some(batch) = batcher.complete() {
///     // deliver it
/// }
/// # Ok::<(), delivery::encoding::EncodingError>(())
/// ```
pub type DatapointBatcher = Cutter<DatapointEncoder>;

/// Writes datapoints in one of their formats, [`Content::Datapoints`].
#[derive(Debug)]
pub enum DatapointEncoder {
    /// [`Format::Ndjson`].
    Ndjson(Vec<u8>),
    /// [`Format::Influx`].
    Influx(Vec<u8>),
    /// [`Format::Parquet`].
    Parquet(Box<RowsEncoder>),
    /// [`Format::Otlp`].
    Otlp(Box<OtlpMetricsEncoder>),
}

/// The partition of a datapoint, as far as the partitioning asks for it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Section {
    account: Option<Box<str>>,
    region: Option<Box<str>>,
    /// The start of its span of time, Unix seconds.
    time: Option<i64>,
}

impl Encode for DatapointEncoder {
    type Item<'i> = &'i Datapoint<'i>;
    type Section = Section;

    /// Datapoints of a monitoring account are of several accounts.
    const MAX_OPEN: usize = 16;

    fn open(packing: &Packing, _: &[Origin], _: usize) -> Result<DatapointEncoder, EncodingError> {
        Ok(match packing.encoding.format {
            Format::Ndjson => DatapointEncoder::Ndjson(Vec::new()),
            Format::Influx => DatapointEncoder::Influx(Vec::new()),
            Format::Parquet => DatapointEncoder::Parquet(Box::new(RowsEncoder::new(&DATAPOINTS)?)),
            Format::Otlp => DatapointEncoder::Otlp(Box::default()),
            other => return Err(Content::Datapoints.refuses(other)),
        })
    }

    fn section(point: &Datapoint<'_>, partitioning: &Partitioning) -> Section {
        Section {
            account: partitioning.has_account().then(|| point.account.into()),
            region: partitioning.has_region().then(|| point.region.into()),
            time: partitioning.spans().start(point.time),
        }
    }

    #[inline]
    fn is_of(point: &Datapoint<'_>, section: &Section, spans: Spans) -> bool {
        let is = |own: &Option<Box<str>>, text: &str| own.as_deref().is_none_or(|own| own == text);
        section.time == spans.start(point.time)
            && is(&section.account, point.account)
            && is(&section.region, point.region)
    }

    fn path(section: &Section, partitioning: &Partitioning, _: &[Origin]) -> String {
        let (account, region) = (section.account.as_deref(), section.region.as_deref());
        partitioning.path_of(account, region, section.time)
    }

    fn is_writable(point: &Datapoint<'_>) -> bool {
        point.value.is_finite() && Timestamp::from_second(point.time).is_ok()
    }

    fn write(&mut self, point: &Datapoint<'_>) {
        match self {
            DatapointEncoder::Ndjson(lines) => write_datapoint(lines, point),
            DatapointEncoder::Influx(lines) => influx::write_line(lines, point),
            DatapointEncoder::Parquet(rows) => rows.write_datapoint(point),
            DatapointEncoder::Otlp(metrics) => metrics.write(point),
        }
    }

    fn held(&self) -> usize {
        match self {
            DatapointEncoder::Ndjson(lines) | DatapointEncoder::Influx(lines) => lines.len(),
            DatapointEncoder::Parquet(rows) => rows.len(),
            DatapointEncoder::Otlp(metrics) => metrics.len(),
        }
    }

    fn take(&mut self, mut spare: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
        match self {
            DatapointEncoder::Ndjson(lines) | DatapointEncoder::Influx(lines) => {
                spare.clear();
                Ok(std::mem::replace(lines, spare))
            }
            DatapointEncoder::Parquet(rows) => rows.take(spare),
            DatapointEncoder::Otlp(metrics) => metrics.take(spare),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
