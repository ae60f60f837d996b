//! The change feed: what a run found changed, as lines of JSON to the destinations.

use std::sync::Arc;

use bytes::Bytes;
use delivery::encoding::Encoding;
use delivery::{AnyDestination, Batch, DeliveryError, Destination, Origin};
use futures_util::future::try_join_all;
use jiff::tz::TimeZone;
use telemetry::change::Change;
use telemetry::snapshot::{Snapshot, Unit};

/// Bytes of changes delivered at once.
const BATCH_BYTES: usize = 4 << 20;

/// Delivers changes to every destination, which confirms them.
///
/// # Errors
/// A destination did not confirm; some may have, and get the changes again with the next run.
pub(crate) async fn tell(
    destinations: &[AnyDestination],
    unit: &Unit,
    previous: &Snapshot,
    next: &Snapshot,
    changes: &[Change],
) -> Result<(), DeliveryError> {
    if changes.is_empty() || destinations.is_empty() {
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
    let mut sequence = 0;
    let mut pending = changes.iter().peekable();
    while pending.peek().is_some() {
        let (mut lines, mut records) = (Vec::new(), 0);
        while let Some(change) = pending.next_if(|_| lines.len() < BATCH_BYTES) {
            lines.extend_from_slice(change.to_json().to_string().as_bytes());
            lines.push(b'\n');
            records += 1;
        }
        let batch = Batch {
            origins: Arc::clone(&origins),
            partition: "".into(),
            sequence,
            may_be_combined: false,
            encoding: Encoding::NDJSON,
            records,
            bytes: Bytes::from(lines),
        };
        sequence += 1;
        try_join_all(destinations.iter().map(|d| d.deliver(&batch))).await?;
    }
    Ok(())
}
