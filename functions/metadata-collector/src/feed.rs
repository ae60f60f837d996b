//! The change feed: what a run found changed, to the destinations.

use std::sync::Arc;

use bytes::Bytes;
use delivery::compression::Compressor;
use delivery::encoding::{EncodingError, Format};
use delivery::parquet::ChangesEncoder;
use delivery::{Batch, DeliveryError, Destination, Lane, Origin, Packing};
use futures_util::future::try_join_all;
use jiff::tz::TimeZone;
use telemetry::FailureClass;
use telemetry::change::Change;
use telemetry::snapshot::{Snapshot, Unit};

/// The formats that changes can have.
pub const FORMATS: &[Format] = &[Format::Ndjson, Format::Parquet];

/// Delivers changes to every destination, which confirms them.
///
/// # Errors
/// A destination did not confirm; some may have, and get the changes again with the next run.
pub(crate) async fn tell(
    lanes: &[Lane],
    unit: &Unit,
    previous: &Snapshot,
    next: &Snapshot,
    changes: &[Change],
) -> Result<(), DeliveryError> {
    if changes.is_empty() {
        return Ok(());
    }
    let time = next.finished.to_zoned(TimeZone::UTC);
    let origins: Arc<[Origin]> = Arc::new([Origin {
        bucket: "changes".to_owned(),
        key: format!(
            "{}/{}/{}",
            unit.account,
            unit.region,
            time.strftime("%Y/%m/%d/%Y%m%dT%H%M%SZ")
        ),
        revision: previous.finished.to_string(),
    }]);
    for lane in lanes {
        let batches = batches(&origins, &lane.packing, changes);
        for batch in batches.map_err(|error| not_encoded(lane, &error))? {
            let outlets = lane.outlets.iter();
            try_join_all(outlets.map(|outlet| outlet.destination.deliver(&batch))).await?;
        }
    }
    Ok(())
}

fn not_encoded(lane: &Lane, error: &EncodingError) -> DeliveryError {
    let urls: Vec<&str> = lane.outlets.iter().map(|outlet| &*outlet.url).collect();
    DeliveryError {
        class: FailureClass::Poison,
        code: "Encoding".to_owned(),
        destination: urls.join(" "),
        reason: error.to_string(),
        retries: 0,
    }
}

/// Changes as a packing has them.
fn batches(
    origins: &Arc<[Origin]>,
    packing: &Packing,
    changes: &[Change],
) -> Result<Vec<Batch>, EncodingError> {
    let mut batches = Vec::new();
    let mut pending = changes.iter().peekable();
    while pending.peek().is_some() {
        let mut records = 0;
        let is_room =
            |bytes: usize, records: u64| bytes < packing.max_bytes && records < packing.max_records;
        let bytes = match packing.encoding.format {
            Format::Parquet => {
                let mut encoder = ChangesEncoder::new()?;
                while let Some(change) = pending.next_if(|_| is_room(encoder.len(), records)) {
                    encoder.write(change);
                    records += 1;
                }
                encoder.take(Vec::new())?
            }
            _ => {
                let mut lines = Vec::new();
                while let Some(change) = pending.next_if(|_| is_room(lines.len(), records)) {
                    lines.extend_from_slice(change.to_json().to_string().as_bytes());
                    lines.push(b'\n');
                    records += 1;
                }
                match Compressor::new(packing.encoding.compression)? {
                    None => lines,
                    Some(mut compressor) => {
                        compressor.write(&lines)?;
                        compressor.finish()?
                    }
                }
            }
        };
        batches.push(Batch {
            origins: Arc::clone(origins),
            partition: "".into(),
            sequence: batches.len() as u32,
            may_be_combined: false,
            records,
            encoding: packing.encoding,
            bytes: Bytes::from(bytes),
        });
    }
    Ok(batches)
}
