//! Where snapshots are kept: below a directory or a prefix of a bucket.
//!
//! ```text
//! current/<account>/<region>.json.gz                                   the newest
//! history/<account>/<region>/<yyyy>/<mm>/<dd>/<yyyymmddThhmmssZ>.json.gz   each one
//! ```

use std::io::Read;
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use delivery::DestinationUrl;
use delivery::directory::written_beside;
use delivery::s3::S3Call;
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

/// A place for snapshots.
#[derive(Debug)]
pub enum SnapshotStore {
    /// A directory.
    Directory(PathBuf),
    /// A prefix in a bucket.
    S3 {
        /// The client.
        client: Client,
        /// The bucket.
        bucket: String,
        /// What keys start with, without a slash at either end; may be empty.
        prefix: String,
    },
}

/// A snapshot that was kept, and what tells it from a later one in the same place.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Its ETag; `None` in a directory.
    revision: Option<String>,
}

/// Why a snapshot was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another run wrote the current snapshot since it was read.
    #[error("another run replaced {0} in the meantime")]
    Replaced(String),
    /// What is there is no snapshot that this program reads.
    #[error("{place} is not a snapshot: {reason}. Move it away to start anew")]
    Unreadable {
        /// The file or object.
        place: String,
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
    /// The place that a URL names; `None` for one that cannot keep anything. `s3` makes the client,
    /// and is called for `s3://` only.
    pub fn open(url: &DestinationUrl, s3: impl FnOnce() -> Client) -> Option<SnapshotStore> {
        match url {
            DestinationUrl::Stdout => None,
            DestinationUrl::Directory(root) => Some(SnapshotStore::Directory(root.clone())),
            DestinationUrl::S3 { bucket, prefix } => Some(SnapshotStore::S3 {
                client: s3(),
                bucket: bucket.clone(),
                prefix: prefix.clone(),
            }),
        }
    }

    /// The place that a URL names, reached as the SDK is configured.
    pub fn on(url: &DestinationUrl, sdk: &SdkConfig) -> Option<SnapshotStore> {
        SnapshotStore::open(url, || Client::new(sdk))
    }

    /// The unit's current snapshot; `None` when there is none yet.
    ///
    /// # Errors
    /// It cannot be read, or is no snapshot.
    pub async fn current(&self, account: &str, region: &str) -> Result<Option<Kept>, StoreError> {
        let key = current_key(account, region);
        let Some((bytes, revision)) = self.read(&key).await? else {
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
        let bytes = Bytes::from(compressed(snapshot).map_err(|error| StoreError::Failed {
            class: FailureClass::Retry,
            reason: format!("the snapshot could not be compressed: {error}"),
        })?);
        let dated = history_key(&snapshot.unit, snapshot.finished);
        self.put(&dated, bytes.clone(), Condition::None).await?;
        let current = current_key(&snapshot.unit.account, &snapshot.unit.region);
        let condition = match previous {
            None => Condition::New,
            Some(kept) => Condition::Same(kept.revision.as_deref()),
        };
        self.put(&current, bytes, condition).await
    }

    /// The keys of all current snapshots, sorted.
    ///
    /// # Errors
    /// The place cannot be listed.
    pub async fn current_keys(&self) -> Result<Vec<String>, StoreError> {
        const CURRENT: &str = "current/";
        let mut keys = Vec::new();
        match self {
            SnapshotStore::Directory(root) => {
                let failed = |error: &std::io::Error| file_failed(root, "listed", error);
                let accounts = match std::fs::read_dir(root.join(CURRENT)) {
                    Ok(accounts) => accounts,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(keys),
                    Err(error) => return Err(failed(&error)),
                };
                for account in accounts {
                    let account = account.map_err(|error| failed(&error))?.path();
                    for file in std::fs::read_dir(&account).into_iter().flatten() {
                        let path = file.map_err(|error| failed(&error))?.path();
                        let key = path.strip_prefix(root).ok().and_then(Path::to_str);
                        keys.extend(key.map(str::to_owned));
                    }
                }
            }
            SnapshotStore::S3 {
                client,
                bucket,
                prefix,
            } => {
                let below = prefixed(prefix, CURRENT);
                let call = S3Call {
                    action: "s3:ListBucket",
                    kms_action: "kms:Decrypt",
                    bucket,
                    key: &below,
                };
                let pages = client.list_objects_v2().bucket(bucket).prefix(&below);
                let mut pages = pages.into_paginator().send();
                while let Some(page) = pages.next().await {
                    let page = page.map_err(|error| s3_failed(call.failure(&error)))?;
                    let found = page.contents().iter().filter_map(|object| object.key());
                    let relative = found.filter_map(|key| {
                        let key = key.strip_prefix(prefix.as_str())?;
                        Some(key.trim_start_matches('/').to_owned())
                    });
                    keys.extend(relative);
                }
            }
        }
        keys.retain(|key| key.ends_with(".json.gz"));
        keys.sort();
        Ok(keys)
    }

    /// The document of a key of [`SnapshotStore::current_keys`]; `None` when it is gone.
    ///
    /// # Errors
    /// It cannot be read, or is no JSON.
    pub async fn document(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let Some((bytes, _)) = self.read(key).await? else {
            return Ok(None);
        };
        let document = self.decompressed(key, &bytes)?;
        serde_json::from_slice(&document)
            .map(Some)
            .map_err(|error| self.unreadable(key, error.to_string()))
    }

    fn decompressed(&self, key: &str, bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut document = Vec::new();
        GzDecoder::new(bytes)
            .take(MAX_SNAPSHOT_BYTES)
            .read_to_end(&mut document)
            .map_err(|error| self.unreadable(key, error.to_string()))?;
        Ok(document)
    }

    fn unreadable(&self, key: &str, reason: String) -> StoreError {
        StoreError::Unreadable {
            place: self.place(key),
            reason,
        }
    }

    /// Where a key is, for people.
    fn place(&self, key: &str) -> String {
        match self {
            SnapshotStore::Directory(root) => root.join(key).display().to_string(),
            SnapshotStore::S3 { bucket, prefix, .. } => {
                format!("s3://{bucket}/{}", prefixed(prefix, key))
            }
        }
    }

    async fn read(&self, key: &str) -> Result<Option<(Bytes, Option<String>)>, StoreError> {
        match self {
            SnapshotStore::Directory(root) => match std::fs::read(root.join(key)) {
                Ok(bytes) => Ok(Some((Bytes::from(bytes), None))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(file_failed(&root.join(key), "read", &error)),
            },
            SnapshotStore::S3 {
                client,
                bucket,
                prefix,
            } => {
                let key = prefixed(prefix, key);
                let call = S3Call {
                    action: "s3:GetObject",
                    kms_action: "kms:Decrypt",
                    bucket,
                    key: &key,
                };
                let got = client.get_object().bucket(bucket).key(&key).send().await;
                let object = match got {
                    Ok(object) => object,
                    Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
                    Err(error) => return Err(s3_failed(call.failure(&error))),
                };
                let revision = object.e_tag().map(str::to_owned);
                let bytes = object
                    .body
                    .collect()
                    .await
                    .map_err(|error| StoreError::Failed {
                        class: FailureClass::Retry,
                        reason: format!("s3://{bucket}/{key} stopped in the middle: {error}"),
                    })?;
                Ok(Some((bytes.into_bytes(), revision)))
            }
        }
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition<'_>,
    ) -> Result<(), StoreError> {
        match self {
            SnapshotStore::Directory(root) => {
                let path = root.join(key);
                write_file(&path, &bytes).map_err(|error| file_failed(&path, "written", &error))
            }
            SnapshotStore::S3 {
                client,
                bucket,
                prefix,
            } => {
                let key = prefixed(prefix, key);
                let call = S3Call {
                    action: "s3:PutObject",
                    kms_action: "kms:GenerateDataKey",
                    bucket,
                    key: &key,
                };
                let put = client
                    .put_object()
                    .bucket(bucket)
                    .key(&key)
                    .content_type("application/gzip")
                    .body(ByteStream::from(bytes));
                let put = match condition {
                    Condition::None | Condition::Same(None) => put,
                    Condition::New => put.if_none_match("*"),
                    Condition::Same(Some(etag)) => put.if_match(etag),
                };
                match put.send().await {
                    Ok(_) => Ok(()),
                    Err(error)
                        if matches!(
                            error.code(),
                            Some("PreconditionFailed" | "ConditionalRequestConflict")
                        ) =>
                    {
                        Err(StoreError::Replaced(format!("s3://{bucket}/{key}")))
                    }
                    Err(error) => Err(s3_failed(call.failure(&error))),
                }
            }
        }
    }
}

/// What has to be so for a write.
#[derive(Debug, Clone, Copy)]
enum Condition<'r> {
    None,
    New,
    Same(Option<&'r str>),
}

fn prefixed(prefix: &str, key: &str) -> String {
    match prefix {
        "" => key.to_owned(),
        prefix => format!("{prefix}/{key}"),
    }
}

fn compressed(snapshot: &Snapshot) -> std::io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    snapshot.to_writer(&mut gzip)?;
    gzip.finish()
}

/// Writes beside and renames, so that a reader sees the old file or the new one, also after a crash.
fn write_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let file = written_beside(path, bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn file_failed(path: &Path, what: &str, error: &std::io::Error) -> StoreError {
    StoreError::Failed {
        class: FailureClass::Config,
        reason: format!("{} could not be {what}: {error}", path.display()),
    }
}

fn s3_failed(failure: delivery::s3::S3Failure) -> StoreError {
    StoreError::Failed {
        class: failure.class,
        reason: failure.reason,
    }
}
