//! Lanes: destinations that records are packed for in the same way, and so share batches.
//!
//! ```text
//! record ─┬─▶ lane: batcher ─▶ batch ─┬─▶ queue ─▶ outlet
//!         │                           └─▶ queue ─▶ outlet
//!         └─▶ lane: batcher ─▶ batch ───▶ queue ─▶ outlet
//! ```

use std::sync::Arc;

use telemetry::FailureClass;
use tokio::sync::mpsc;

use crate::batch::{Batch, Packing};
use crate::destination::{
    AnyDestination, Confirmation, Connections, DeliveryError, Destination, DestinationUrl,
    OpenError,
};

/// A destination, and what messages call it.
#[derive(Debug)]
pub struct Outlet {
    /// Its URL, without anything secret.
    pub url: String,
    /// What tells it from others at the same URL, as [`DestinationUrl::tag`] says.
    pub tag: String,
    /// The destination.
    pub destination: AnyDestination,
}

/// Destinations with the same packing.
#[derive(Debug)]
pub struct Lane {
    /// How records are packed.
    pub packing: Arc<Packing>,
    /// Where every batch goes.
    pub outlets: Vec<Outlet>,
}

/// What is done with a batch that a destination refuses for good: an error of the class
/// [`FailureClass::Poison`].
pub trait Refusals: Sync {
    /// Keeps the batch aside, with what the destination said of it; the batch then counts as done.
    ///
    /// # Errors
    /// It is not kept, and this is what its objects fail with.
    fn keep(
        &self,
        batch: &Batch,
        outlet: &Outlet,
        error: DeliveryError,
    ) -> impl Future<Output = Result<(), DeliveryError>> + Send;
}

/// What an outlet took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutletCounts {
    /// Batches it confirmed.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Attempts that failed and were made again.
    pub retries: u64,
    /// Records that it refused for good within batches that it confirmed.
    pub rejected: u64,
    /// Batches that it refused for good, and that are kept aside.
    pub quarantined: u64,
    /// Records in them.
    pub quarantined_records: u64,
}

impl OutletCounts {
    /// Adds other counts.
    pub fn add(&mut self, other: &OutletCounts) {
        self.batches += other.batches;
        self.records += other.records;
        self.bytes += other.bytes;
        self.retries += other.retries;
        self.rejected += other.rejected;
        self.quarantined += other.quarantined;
        self.quarantined_records += other.quarantined_records;
    }
}

/// Opens destinations and puts them into lanes, both in the order they are written.
///
/// # Errors
/// The first destination that cannot be opened.
pub async fn open(
    urls: &[DestinationUrl],
    connections: &mut Connections<'_>,
) -> Result<Vec<Lane>, OpenError> {
    let mut lanes: Vec<Lane> = Vec::new();
    for url in urls {
        let outlet = Outlet {
            url: url.to_string(),
            tag: url.tag(),
            destination: AnyDestination::open(url, connections).await?,
        };
        match lanes.iter_mut().find(|lane| *lane.packing == url.packing) {
            Some(lane) => lane.outlets.push(outlet),
            None => lanes.push(Lane {
                packing: Arc::new(url.packing.clone()),
                outlets: vec![outlet],
            }),
        }
    }
    Ok(lanes)
}

impl Outlet {
    /// Delivers a batch, and writes to the log what the destination said of it, of records that it did not keep for
    /// instance.
    ///
    /// # Errors
    /// The destination did not confirm it.
    pub async fn deliver(&self, batch: &Batch) -> Result<Confirmation, DeliveryError> {
        let confirmation = self.destination.deliver(batch).await?;
        if confirmation.rejected > 0 || confirmation.message.is_some() {
            tracing::warn!(
                destination = self.url,
                batch = batch.id(),
                records = batch.records,
                rejected = confirmation.rejected,
                message = confirmation.message,
                "the destination took a batch and said something of it"
            );
        }
        Ok(confirmation)
    }

    /// Delivers the batches of a queue one after the other, until the queue ends or a batch is not confirmed. Then
    /// the queue is closed, which tells whoever fills it. Batches that are done go to `returned`; those that are
    /// refused for good go through `refusals` first.
    pub async fn drain(
        &self,
        mut queue: mpsc::Receiver<Batch>,
        returned: impl Fn(Batch),
        refusals: &impl Refusals,
    ) -> (OutletCounts, Result<(), DeliveryError>) {
        let mut counts = OutletCounts::default();
        while let Some(batch) = queue.recv().await {
            match self.deliver(&batch).await {
                Ok(confirmation) => {
                    counts.batches += 1;
                    counts.records += batch.records;
                    counts.bytes += batch.bytes.len() as u64;
                    counts.retries += u64::from(confirmation.retries);
                    counts.rejected += confirmation.rejected;
                    returned(batch);
                }
                Err(error) => {
                    counts.retries += u64::from(error.retries);
                    if error.class != FailureClass::Poison {
                        return (counts, Err(error));
                    }
                    if let Err(error) = refusals.keep(&batch, self, error).await {
                        return (counts, Err(error));
                    }
                    counts.quarantined += 1;
                    counts.quarantined_records += batch.records;
                    returned(batch);
                }
            }
        }
        (counts, Ok(()))
    }
}
