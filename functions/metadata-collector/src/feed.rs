//! The change feed: what a run found changed, to the destinations.

use std::sync::Arc;

use delivery::batch::{Cutter, Encode};
use delivery::changes::ChangeEncoder;
use delivery::encoding::EncodingError;
use delivery::{Confirmation, DeliveryError, Lane, Origin, Outlet};
use futures_util::future::join_all;
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
    // None of the formats of changes has an answer that rejects single ones.
    deliver::<ChangeEncoder, _>(lanes, &origins, changes).await?;
    Ok(())
}

/// Items that destinations took note of within batches that they confirmed, and did not keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many, those of each destination.
    pub items: u64,
    /// What the first destination said of them.
    pub message: Option<String>,
}

impl Rejected {
    pub(crate) fn add(&mut self, other: Rejected) {
        self.items += other.items;
        self.message = self.message.take().or(other.message);
    }
}

impl From<Confirmation> for Rejected {
    fn from(confirmation: Confirmation) -> Rejected {
        let items = confirmation.rejected;
        Rejected {
            items,
            message: confirmation.message.filter(|_| items > 0),
        }
    }
}

/// Delivers items to every destination, which confirm them. One that fails does not keep the others from getting all.
///
/// # Errors
/// A destination did not confirm; others may have.
pub(crate) async fn deliver<'i, E, I>(
    lanes: &[Lane],
    origins: &Arc<[Origin]>,
    items: I,
) -> Result<Rejected, DeliveryError>
where
    E: Encode,
    I: IntoIterator<Item = E::Item<'i>> + Copy,
{
    let delivered = lanes.iter().map(|lane| to::<E>(lane, origins, items));
    let mut rejected = Rejected::default();
    for of_lane in join_all(delivered).await {
        rejected.add(of_lane?);
    }
    Ok(rejected)
}

/// Delivers items to every destination of a lane. Each batch is confirmed before the next is made; who fails gets no
/// more of them.
async fn to<'i, E: Encode>(
    lane: &Lane,
    origins: &Arc<[Origin]>,
    items: impl IntoIterator<Item = E::Item<'i>>,
) -> Result<Rejected, DeliveryError> {
    let mut cutter = Cutter::<E>::new(Arc::clone(origins), Arc::clone(&lane.packing));
    let mut takers: Vec<&Outlet> = lane.outlets.iter().collect();
    let mut outcome = Ok(Rejected::default());
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
            let deliveries = takers.iter().map(|outlet| outlet.deliver(&batch));
            let answers = join_all(deliveries).await;
            let mut confirmed = Vec::with_capacity(takers.len());
            for (outlet, answer) in takers.into_iter().zip(answers) {
                match (answer, &mut outcome) {
                    (Ok(confirmation), outcome) => {
                        confirmed.push(outlet);
                        if let Ok(rejected) = outcome {
                            rejected.add(confirmation.into());
                        }
                    }
                    (Err(error), Ok(_)) => outcome = Err(error),
                    (Err(_), Err(_)) => {}
                }
            }
            takers = confirmed;
        }
        if is_last || takers.is_empty() {
            return outcome;
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
