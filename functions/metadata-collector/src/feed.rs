//! The change feed: what a run found changed, to the destinations.

use std::sync::Arc;

use delivery::batch::{Cutter, Encode};
use delivery::changes::ChangeEncoder;
use delivery::encoding::EncodingError;
use delivery::{DeliveryError, Destination, Lane, Origin};
use futures_util::future::try_join_all;
use jiff::tz::TimeZone;
use telemetry::FailureClass;
use telemetry::change::Change;
use telemetry::snapshot::{Snapshot, Unit};

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
        deliver::<ChangeEncoder>(lane, &origins, changes).await?;
    }
    Ok(())
}

/// Delivers items to every destination of a lane, which confirm each batch before the next is made.
///
/// # Errors
/// A destination did not confirm; some may have.
pub(crate) async fn deliver<'i, E: Encode>(
    lane: &Lane,
    origins: &Arc<[Origin]>,
    items: impl IntoIterator<Item = E::Item<'i>>,
) -> Result<(), DeliveryError> {
    let mut cutter = Cutter::<E>::new(Arc::clone(origins), Arc::clone(&lane.packing));
    let mut items = items.into_iter();
    loop {
        let item = items.next();
        let is_last = item.is_none();
        let written = match item {
            Some(item) => cutter.push(item),
            None => cutter.finish(),
        };
        written.map_err(|error| not_encoded(lane, &error))?;
        while let Some(batch) = cutter.complete() {
            let outlets = lane.outlets.iter();
            try_join_all(outlets.map(|outlet| outlet.destination.deliver(&batch))).await?;
        }
        if is_last {
            return Ok(());
        }
    }
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
