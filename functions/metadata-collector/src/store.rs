//! Where snapshots are kept: a layer on the place for objects that knows their keys, compression and
//! conditions.
//!
//! ```text
//! current/<account>/<region>.json.gz                                   the newest
//! history/<account>/<region>/<yyyy>/<mm>/<dd>/<yyyymmddThhmmssZ>.json.gz   each one
//! ```

use std::io::{self, Read};

use aws_config::SdkConfig;
use bytes::Bytes;
use delivery::store::{self, Condition};
use delivery::{Store, StoreUrl};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use telemetry::FailureClass;
use telemetry::snapshot::{Snapshot, Unit};

/// The most bytes a stored snapshot may have once decompressed.
const MAX_SNAPSHOT_BYTES: u64 = 1 << 30;

/// The media type of a stored snapshot.
const CONTENT_TYPE: &str = "application/gzip";

/// A place for snapshots.
#[derive(Debug)]
pub struct SnapshotStore(Store);

/// A snapshot that was kept, and what tells it from a later one in the same place.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// As [`Store::get`] gives it.
    revision: Option<String>,
}

/// Why a snapshot was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another run wrote the current snapshot since it was read.
    #[error("another run replaced {0} in the meantime")]
    Replaced(String),
    /// What is there is nothing that this program reads.
    #[error("{place} is not a {what}: {reason}. Move it away to start anew")]
    Unreadable {
        /// The file or object.
        place: String,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system or S3 failed.
    #[error("{reason}")]
    Failed {
        /// What has to happen before it can work.
        class: FailureClass,
        /// What happened, where.
        reason: String,
    },
}

impl StoreError {
    /// What has to happen before it can work.
    pub fn class(&self) -> FailureClass {
        match self {
            StoreError::Replaced(_) => FailureClass::Retry,
            StoreError::Unreadable { .. } => FailureClass::Config,
            StoreError::Failed { class, .. } => *class,
        }
    }
}

impl From<store::StoreError> for StoreError {
    fn from(error: store::StoreError) -> StoreError {
        match error {
            store::StoreError::Replaced(place) => StoreError::Replaced(place),
            store::StoreError::Failed { class, reason } => StoreError::Failed { class, reason },
        }
    }
}

impl From<Store> for SnapshotStore {
    fn from(objects: Store) -> SnapshotStore {
        SnapshotStore(objects)
    }
}

/// The key of a unit's current snapshot.
pub fn current_key(account: &str, region: &str) -> String {
    format!("current/{account}/{region}.json.gz")
}

fn history_key(unit: &Unit, finished: Timestamp) -> String {
    let time = finished.to_zoned(TimeZone::UTC);
    format!(
        "history/{}/{}/{}.json.gz",
        unit.account,
        unit.region,
        time.strftime("%Y/%m/%d/%Y%m%dT%H%M%SZ")
    )
}

impl SnapshotStore {
    /// The place that a URL names, reached as the SDK is configured.
    pub fn on(url: &StoreUrl, sdk: &SdkConfig) -> SnapshotStore {
        SnapshotStore(Store::on(url, sdk))
    }

    /// The place for objects of any kind that this is: what else is kept beside the snapshots.
    pub fn objects(&self) -> &Store {
        &self.0
    }

    /// The unit's current snapshot; `None` when there is none yet.
    ///
    /// # Errors
    /// It cannot be read, or is no snapshot.
    pub async fn current(&self, account: &str, region: &str) -> Result<Option<Kept>, StoreError> {
        let key = current_key(account, region);
        let Some((bytes, revision)) = self.objects().object(&key).await? else {
            return Ok(None);
        };
        let document = self.decompressed(&key, &bytes)?;
        let snapshot = Snapshot::from_slice(&document)
            .map_err(|error| self.unreadable(&key, error.to_string()))?;
        Ok(Some(Kept { snapshot, revision }))
    }

    /// Writes a snapshot: a dated one, then the current one, which must still be `previous`.
    ///
    /// # Errors
    /// [`StoreError::Replaced`] when another run wrote the current one first; then nothing of this
    /// run is current.
    pub async fn write(
        &self,
        snapshot: &Snapshot,
        previous: Option<&Kept>,
    ) -> Result<(), StoreError> {
        let bytes = compressed("snapshot", |gzip| snapshot.to_writer(gzip))?;
        let dated = history_key(&snapshot.unit, snapshot.finished);
        let objects = self.objects();
        let put = objects.put(&dated, bytes.clone(), Condition::None, CONTENT_TYPE);
        put.await?;
        let current = current_key(&snapshot.unit.account, &snapshot.unit.region);
        let condition = match previous {
            None => Condition::New,
            Some(kept) => Condition::Same(kept.revision.as_deref()),
        };
        objects
            .put(&current, bytes, condition, CONTENT_TYPE)
            .await?;
        Ok(())
    }

    /// The keys of all current snapshots, sorted.
    ///
    /// # Errors
    /// The place cannot be listed.
    pub async fn current_keys(&self) -> Result<Vec<String>, StoreError> {
        let mut keys = self.objects().keys("current/").await?;
        keys.retain(|key| key.ends_with(".json.gz"));
        Ok(keys)
    }

    /// The document of a key of [`SnapshotStore::current_keys`]; `None` when it is gone.
    ///
    /// # Errors
    /// It cannot be read, or is no JSON.
    pub async fn document(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let Some((bytes, _)) = self.objects().object(key).await? else {
            return Ok(None);
        };
        let document = self.decompressed(key, &bytes)?;
        serde_json::from_slice(&document)
            .map(Some)
            .map_err(|error| self.unreadable(key, error.to_string()))
    }

    fn decompressed(&self, key: &str, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        decompressed(bytes, MAX_SNAPSHOT_BYTES)
            .map_err(|error| self.unreadable(key, error.to_string()))
    }

    fn unreadable(&self, key: &str, reason: String) -> StoreError {
        StoreError::Unreadable {
            place: self.objects().place(key),
            what: "snapshot",
            reason,
        }
    }
}

/// What is written, as gzip; `what` names it in the error.
pub(crate) fn compressed(
    what: &str,
    write: impl FnOnce(&mut GzEncoder<Vec<u8>>) -> io::Result<()>,
) -> Result<Bytes, StoreError> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let written = write(&mut gzip).and_then(|()| gzip.finish());
    written
        .map(Bytes::from)
        .map_err(|error| StoreError::Failed {
            class: FailureClass::Retry,
            reason: format!("the {what} could not be compressed: {error}"),
        })
}

/// What gzip holds, up to so many bytes.
pub(crate) fn decompressed(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut document = Vec::new();
    GzDecoder::new(bytes)
        .take(limit)
        .read_to_end(&mut document)?;
    Ok(document)
}
