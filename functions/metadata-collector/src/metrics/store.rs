//! Where ledgers and lists of series are kept: beside the snapshots.
//!
//! ```text
//! metrics/ledger/<account>/<region>.json
//! metrics/series/<account>/<region>.json.gz
//! ```

use std::io::Write;

use bytes::Bytes;
use delivery::Store;
use delivery::store::Condition;
use serde_json::Value;
use telemetry::metrics::{Ledger, SeriesList};

use crate::merging::condition;
use crate::store::{StoreError, compressed, decompressed};

/// The most bytes a list of series may have once decompressed.
const MAX_LIST_BYTES: u64 = 1 << 28;

/// The key of the ledger of an account and region.
pub fn ledger_key(account: &str, region: &str) -> String {
    format!("metrics/ledger/{account}/{region}.json")
}

/// The key of its list of series.
pub fn series_key(account: &str, region: &str) -> String {
    format!("metrics/series/{account}/{region}.json.gz")
}

/// The place for what is remembered of one account and region.
#[derive(Debug)]
pub struct MetricStore<'s> {
    objects: &'s Store,
    account: &'s str,
    region: &'s str,
}

/// What was read, and what tells it from what others write: `None` when there was nothing.
#[derive(Debug, Clone)]
pub struct Held<T> {
    /// The value.
    pub value: T,
    object: Option<Option<String>>,
}

impl<'s> MetricStore<'s> {
    /// The place in a store.
    pub fn new(objects: &'s Store, account: &'s str, region: &'s str) -> MetricStore<'s> {
        MetricStore {
            objects,
            account,
            region,
        }
    }

    /// The ledger; an empty one when there is none yet.
    ///
    /// # Errors
    /// It cannot be read, or is none: to begin anew would read again what was delivered.
    pub async fn ledger(&self) -> Result<Held<Ledger>, StoreError> {
        let key = ledger_key(self.account, self.region);
        let Some((bytes, revision)) = self.objects.object(&key).await? else {
            return Ok(Held {
                value: Ledger::default(),
                object: None,
            });
        };
        let unreadable = |reason: String| StoreError::Unreadable {
            place: self.objects.place(&key),
            what: "ledger of metrics",
            reason,
        };
        let document: Value =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        let ledger = Ledger::from_json(&document).map_err(|error| unreadable(error.to_string()))?;
        Ok(Held {
            value: ledger,
            object: Some(revision),
        })
    }

    /// Writes the ledger, which must still be as it was read or last written.
    ///
    /// # Errors
    /// [`StoreError::Replaced`] when another run wrote it.
    pub async fn write_ledger(&self, held: &mut Held<Ledger>) -> Result<(), StoreError> {
        let bytes = Bytes::from(held.value.to_json().to_string());
        let condition = condition(held.object.as_ref());
        let key = ledger_key(self.account, self.region);
        let put = self.objects.put(&key, bytes, condition, "application/json");
        held.object = Some(put.await?);
        Ok(())
    }

    /// The list of series; an empty one when there is none that can be read: then everything is listed anew, and nothing
    /// is taken for new.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn series(&self) -> Result<SeriesList, StoreError> {
        let key = series_key(self.account, self.region);
        let Some((bytes, _)) = self.objects.object(&key).await? else {
            return Ok(SeriesList::default());
        };
        let list = decompressed(&bytes, MAX_LIST_BYTES).and_then(|document| {
            let document: Value = serde_json::from_slice(&document)?;
            SeriesList::from_json(&document).map_err(std::io::Error::other)
        });
        Ok(list.unwrap_or_else(|error| {
            let place = self.objects.place(&key);
            tracing::warn!(%place, %error, "replaced; metrics are listed anew");
            SeriesList::default()
        }))
    }

    /// Writes the list of series.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn write_series(&self, list: &SeriesList) -> Result<(), StoreError> {
        let document = list.to_json().to_string();
        let bytes = compressed("list of series", |gzip| gzip.write_all(document.as_bytes()))?;
        let key = series_key(self.account, self.region);
        let put = self
            .objects
            .put(&key, bytes, Condition::None, "application/gzip");
        put.await?;
        Ok(())
    }
}
