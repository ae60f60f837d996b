//! A place for named objects: a directory, or a prefix of a bucket.
//!
//! ```text
//! URL ─▶ Store ── get(key, known revision) ─▶ Missing | Unchanged | Object (bytes, revision)
//!              ├─ put(key, bytes, condition)  replaces the object whole, or says that somebody else did
//!              └─ keys(below)
//! ```
//!
//! Keys are names with `/` between their parts, the same in both kinds of places. They are made by
//! programs, not by people: nothing guards against `..` in them.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::UNIX_EPOCH;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use bytes::Bytes;
use telemetry::FailureClass;

use crate::directory::written_beside;
use crate::s3::{S3Call, S3Failure, is_bucket_name};

/// How often an object is asked for whose bytes break off.
const ATTEMPTS: u32 = 3;

/// A place for objects, as it is written in a configuration: `file:///dir` or `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StoreUrl {
    /// `file:///absolute/dir`, or `file://dir` relative to the working directory.
    Directory(PathBuf),
    /// `s3://bucket/prefix`
    S3 {
        /// Bucket.
        bucket: String,
        /// What keys start with, without a slash at either end; may be empty.
        prefix: String,
    },
}

/// Why a text is no place for objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no place for objects: {reason}; write file:///dir or s3://bucket/prefix")]
pub struct StoreUrlError {
    url: String,
    reason: &'static str,
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(url: &str) -> Result<StoreUrl, StoreUrlError> {
        let read = || match url.split_once("://") {
            Some(("file", "")) => Err("the directory is missing"),
            Some(("file", path)) => Ok(StoreUrl::Directory(PathBuf::from(path))),
            Some(("s3", path)) => {
                let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
                match is_bucket_name(bucket) {
                    true => Ok(StoreUrl::S3 {
                        bucket: bucket.to_owned(),
                        prefix: prefix.trim_matches('/').to_owned(),
                    }),
                    false => Err("the bucket name is not one"),
                }
            }
            Some(_) => Err("nothing is kept at a place of its scheme"),
            None if url.starts_with("file:") || url.starts_with("s3:") => {
                Err("// is missing after the scheme")
            }
            None => Err("it has no scheme that anything is kept at"),
        };
        read().map_err(|reason| StoreUrlError {
            url: url.to_owned(),
            reason,
        })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Directory(path) => write!(f, "file://{}", path.display()),
            StoreUrl::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl StoreUrl {
    /// Whether the place needs an S3 client.
    pub fn is_s3(&self) -> bool {
        matches!(self, StoreUrl::S3 { .. })
    }
}

/// A place for objects.
#[derive(Debug, Clone)]
pub enum Store {
    /// A directory. Files are read and written where the call is made: it serves the command line and
    /// tests, not functions.
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

/// What became of asking for an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// There is none of that key.
    Missing,
    /// It is still the revision that was known.
    Unchanged,
    /// It is another, or none was known.
    Object {
        /// The object.
        bytes: Bytes,
        /// What tells it from a later one of the same key: the ETag, or what the file system knows of
        /// the file.
        revision: Option<String>,
    },
    /// It is larger than it may be.
    TooLarge {
        /// Its bytes.
        size: u64,
        /// What tells it from a later one under the same key.
        revision: Option<String>,
    },
}

/// What has to be so for a write.
///
/// In a directory nothing has to: files have no conditional writes, and the last writer wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'r> {
    /// Nothing.
    None,
    /// There is no object of the key.
    New,
    /// The object is still this revision, one that [`Store::get`] gave. Without one, nothing has to be so.
    Same(Option<&'r str>),
}

/// Why an object was not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The condition of a write is not met: somebody else wrote or deleted the object.
    #[error("another run replaced {0} in the meantime")]
    Replaced(String),
    /// The file system or S3 failed.
    #[error("{reason}")]
    Failed {
        /// What has to happen before it can work.
        class: FailureClass,
        /// What happened, where, and what to do.
        reason: String,
    },
}

impl StoreError {
    /// What has to happen before it can work.
    pub fn class(&self) -> FailureClass {
        match self {
            StoreError::Replaced(_) => FailureClass::Retry,
            StoreError::Failed { class, .. } => *class,
        }
    }

    fn file(path: &Path, what: &str, error: &io::Error) -> StoreError {
        StoreError::Failed {
            class: FailureClass::Config,
            reason: format!("{} could not be {what}: {error}", path.display()),
        }
    }
}

impl From<S3Failure> for StoreError {
    fn from(failure: S3Failure) -> StoreError {
        StoreError::Failed {
            class: failure.class,
            reason: failure.reason,
        }
    }
}

impl Store {
    /// The place that a URL names. `s3` makes the client, and is called for `s3://` only.
    pub fn open(url: &StoreUrl, s3: impl FnOnce() -> Client) -> Store {
        match url {
            StoreUrl::Directory(root) => Store::Directory(root.clone()),
            StoreUrl::S3 { bucket, prefix } => Store::S3 {
                client: s3(),
                bucket: bucket.clone(),
                prefix: prefix.clone(),
            },
        }
    }

    /// The place that a URL names, reached as the SDK is configured: `sdk` is a reference to the
    /// SDK's shared configuration, or one of S3 alone.
    pub fn on(url: &StoreUrl, sdk: impl Into<aws_sdk_s3::Config>) -> Store {
        Store::open(url, || Client::from_conf(sdk.into()))
    }

    /// The object of a key. With the revision that is `known`, an object that is still that one is
    /// not transferred again.
    ///
    /// # Errors
    /// It cannot be read. That there is none is no error.
    pub async fn get(&self, key: &str, known: Option<&str>) -> Result<Fetched, StoreError> {
        self.get_at_most(key, known, u64::MAX).await
    }

    /// The same for an object of at most `limit` bytes: of a larger one, nothing is read.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn get_at_most(
        &self,
        key: &str,
        known: Option<&str>,
        limit: u64,
    ) -> Result<Fetched, StoreError> {
        match self {
            Store::Directory(root) => {
                let path = root.join(key);
                match read_file(&path, known, limit) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Fetched::Missing),
                    read => read.map_err(|error| StoreError::file(&path, "read", &error)),
                }
            }
            Store::S3 {
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
                let mut attempt = 1;
                loop {
                    match s3_object(client, &call, known, limit).await? {
                        Ok(fetched) => return Ok(fetched),
                        // The SDK repeats requests, not answers that break.
                        Err(_) if attempt < ATTEMPTS => attempt += 1,
                        Err(error) => {
                            return Err(StoreError::Failed {
                                class: FailureClass::Retry,
                                reason: format!(
                                    "s3://{bucket}/{key} stopped in the middle {ATTEMPTS} times: {error}"
                                ),
                            });
                        }
                    }
                }
            }
        }
    }

    /// The object of a key and its revision; `None` when there is none.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn object(&self, key: &str) -> Result<Option<(Bytes, Option<String>)>, StoreError> {
        Ok(match self.get(key, None).await? {
            Fetched::Object { bytes, revision } => Some((bytes, revision)),
            Fetched::Missing | Fetched::Unchanged | Fetched::TooLarge { .. } => None,
        })
    }

    /// Writes an object: a reader finds the old one or the new one, whole. `content_type` is its media
    /// type, which a directory does not keep.
    ///
    /// Returns what tells it from a later one of the same key, as [`Store::get`] would; `None` in a directory.
    ///
    /// # Errors
    /// [`StoreError::Replaced`] when the condition is not met; then nothing is written.
    pub async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition<'_>,
        content_type: &str,
    ) -> Result<Option<String>, StoreError> {
        match self {
            Store::Directory(root) => {
                let path = root.join(key);
                let written = write_file(&path, &bytes);
                let written = written.map(|()| None);
                written.map_err(|error| StoreError::file(&path, "written", &error))
            }
            Store::S3 {
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
                    .content_type(content_type)
                    .body(ByteStream::from(bytes));
                let put = match condition {
                    Condition::None | Condition::Same(None) => put,
                    Condition::New => put.if_none_match("*"),
                    Condition::Same(Some(etag)) => put.if_match(etag),
                };
                let error = match put.send().await {
                    Ok(written) => return Ok(written.e_tag().map(str::to_owned)),
                    Err(error) => error,
                };
                let replaced = match error.code() {
                    Some("PreconditionFailed" | "ConditionalRequestConflict") => true,
                    // The object that was to be replaced is gone.
                    Some("NoSuchKey") => condition != Condition::None,
                    _ => false,
                };
                match replaced {
                    true => Err(StoreError::Replaced(format!("s3://{bucket}/{key}"))),
                    false => Err(call.failure(&error).into()),
                }
            }
        }
    }

    /// Deletes an object. That there is none of the key is no error.
    ///
    /// # Errors
    /// It is not deleted.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self {
            Store::Directory(root) => {
                let path = root.join(key);
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(StoreError::file(&path, "deleted", &error))
                    }
                    _ => Ok(()),
                }
            }
            Store::S3 {
                client,
                bucket,
                prefix,
            } => {
                let key = prefixed(prefix, key);
                let call = S3Call {
                    action: "s3:DeleteObject",
                    kms_action: "kms:Decrypt",
                    bucket,
                    key: &key,
                };
                let delete = client.delete_object().bucket(bucket).key(&key);
                let deleted = delete.send().await;
                deleted
                    .map(drop)
                    .map_err(|error| call.failure(&error).into())
            }
        }
    }

    /// The keys of all objects below a folder, sorted; `below` is its key with a slash at the end, or
    /// empty for everything. No folder is an empty one. Files whose names begin with a dot are left
    /// out: those that are being written do.
    ///
    /// # Errors
    /// The place cannot be listed.
    pub async fn keys(&self, below: &str) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        match self {
            Store::Directory(root) => {
                list_files(root, &root.join(below), &mut keys)
                    .map_err(|(path, error)| StoreError::file(&path, "listed", &error))?;
            }
            Store::S3 {
                client,
                bucket,
                prefix,
            } => {
                let below = prefixed(prefix, below);
                let call = S3Call {
                    action: "s3:ListBucket",
                    kms_action: "kms:Decrypt",
                    bucket,
                    key: &below,
                };
                let pages = client.list_objects_v2().bucket(bucket).prefix(&below);
                let mut pages = pages.into_paginator().send();
                let root = prefixed(prefix, "");
                while let Some(page) = pages.next().await {
                    let page = page.map_err(|error| StoreError::from(call.failure(&error)))?;
                    let found = page.contents().iter().filter_map(|object| object.key());
                    let relative = found.filter_map(|key| key.strip_prefix(root.as_str()));
                    keys.extend(relative.map(str::to_owned));
                }
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// Where a key is, for people.
    pub fn place(&self, key: &str) -> String {
        match self {
            Store::Directory(root) => root.join(key).display().to_string(),
            Store::S3 { bucket, prefix, .. } => {
                format!("s3://{bucket}/{}", prefixed(prefix, key))
            }
        }
    }
}

fn prefixed(prefix: &str, key: &str) -> String {
    match prefix {
        "" => key.to_owned(),
        prefix => format!("{prefix}/{key}"),
    }
}

/// Asks a bucket once for an object; the error within says that its bytes broke off.
async fn s3_object(
    client: &Client,
    call: &S3Call<'_>,
    known: Option<&str>,
    limit: u64,
) -> Result<Result<Fetched, ByteStreamError>, StoreError> {
    let get = client.get_object().bucket(call.bucket).key(call.key);
    let got = get.set_if_none_match(known.map(str::to_owned)).send().await;
    let object = match got {
        Ok(object) => object,
        Err(error) if error.code() == Some("NoSuchKey") => return Ok(Ok(Fetched::Missing)),
        Err(error) if known.is_some() && is_not_modified(&error) => {
            return Ok(Ok(Fetched::Unchanged));
        }
        Err(error) => return Err(call.failure(&error).into()),
    };
    let revision = object.e_tag().map(str::to_owned);
    let size = object.content_length().unwrap_or_default();
    let size = u64::try_from(size).unwrap_or_default();
    if size > limit {
        return Ok(Ok(Fetched::TooLarge { size, revision }));
    }
    let body = object.body.collect().await;
    Ok(body.map(|body| Fetched::Object {
        bytes: body.into_bytes(),
        revision,
    }))
}

/// 304 has no body, and so no error code.
fn is_not_modified<E>(error: &SdkError<E>) -> bool {
    let response = error.raw_response();
    response.is_some_and(|response| response.status().as_u16() == 304)
}

fn read_file(path: &Path, known: Option<&str>, limit: u64) -> io::Result<Fetched> {
    // Asked of the open file: the one of this name may be another by now.
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let revision = file_revision(&metadata);
    if known == Some(revision.as_str()) {
        return Ok(Fetched::Unchanged);
    }
    if metadata.len() > limit {
        return Ok(Fetched::TooLarge {
            size: metadata.len(),
            revision: Some(revision),
        });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(Fetched::Object {
        bytes: Bytes::from(bytes),
        revision: Some(revision),
    })
}

/// When the file was written, its length, and which one it is: files are replaced, not changed, so
/// that a later one has another inode even where the file system's clock is coarse.
fn file_revision(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let nanoseconds = since.map_or(0, |since| since.as_nanos());
    format!("{nanoseconds}-{}-{}", metadata.len(), inode(metadata))
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// Writes beside and renames, so that a reader sees the old file or the new one, also after a crash.
fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = written_beside(path, bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Adds the keys of the files below `directory`, relative to `root`. Names that are no text are not
/// keys.
fn list_files(
    root: &Path,
    directory: &Path,
    keys: &mut Vec<String>,
) -> Result<(), (PathBuf, io::Error)> {
    let failed = |error: io::Error| (directory.to_owned(), error);
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            list_files(root, &path, keys)?;
            continue;
        }
        let parts = path.strip_prefix(root).ok().map(Path::components);
        let parts = parts.into_iter().flatten();
        let parts: Option<Vec<&str>> = parts.map(|part| part.as_os_str().to_str()).collect();
        let hidden = |parts: &[&str]| parts.last().is_some_and(|name| name.starts_with('.'));
        keys.extend(
            parts
                .filter(|parts| !hidden(parts))
                .map(|parts| parts.join("/")),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, Store) {
        let root = tempfile::tempdir().unwrap();
        let store = Store::Directory(root.path().join("store"));
        (root, store)
    }

    async fn put(store: &Store, key: &str, text: &'static str) {
        let bytes = Bytes::from(text);
        let written = store.put(key, bytes, Condition::None, "text/plain").await;
        written.unwrap();
    }

    async fn revision(store: &Store, key: &str, text: &str) -> String {
        let Fetched::Object { bytes, revision } = store.get(key, None).await.unwrap() else {
            panic!("{key} is not there");
        };
        assert_eq!(bytes, text);
        revision.unwrap()
    }

    #[tokio::test]
    async fn an_object_is_missing_then_there_then_unchanged_then_another() {
        let (_root, store) = directory();
        let key = "index/111111111111/us-east-1.idx";
        for known in [None, Some("1-2-3")] {
            assert_eq!(store.get(key, known).await, Ok(Fetched::Missing));
        }
        put(&store, key, "first").await;
        let first = revision(&store, key, "first").await;
        let again = store.get(key, Some(&first)).await;
        assert_eq!(again, Ok(Fetched::Unchanged));
        // As long as the one before, and perhaps of the same time.
        put(&store, key, "other").await;
        let changed = store.get(key, Some(&first)).await.unwrap();
        let Fetched::Object { bytes, revision } = changed else {
            panic!("{changed:?}");
        };
        assert_eq!(bytes, "other");
        assert_ne!(revision, Some(first));
    }

    #[tokio::test]
    async fn keys_are_those_of_all_files_below_a_folder() {
        let (root, store) = directory();
        assert_eq!(store.keys("current/").await, Ok(vec![]));
        for key in ["b/2.gz", "b/c/1.gz", "a/3.gz", "top", "b/.tmpQ3x"] {
            put(&store, key, "").await;
        }
        let all = ["a/3.gz", "b/2.gz", "b/c/1.gz", "top"];
        assert_eq!(store.keys("").await.unwrap(), all);
        assert_eq!(store.keys("b/").await.unwrap(), ["b/2.gz", "b/c/1.gz"]);
        assert_eq!(store.keys("c/").await, Ok(vec![]));
        drop(root);
    }

    #[tokio::test]
    async fn what_cannot_be_read_or_written_is_said_with_its_place() {
        let (_root, store) = directory();
        put(&store, "a", "a file").await;
        let place = store.place("a/b");
        let written = store.put("a/b", Bytes::new(), Condition::None, "").await;
        let listed = store.keys("a/").await;
        for error in [written.unwrap_err(), listed.unwrap_err()] {
            assert_eq!(error.class(), FailureClass::Config);
            let directory = place.strip_suffix('b').unwrap();
            let said = error.to_string();
            assert!(said.starts_with(directory), "{said}");
        }
    }

    #[test]
    fn only_urls_of_directories_and_buckets_keep_something() {
        for (url, reason) in [
            ("stdout:", "no scheme that anything is kept at"),
            ("https://host/x", "nothing is kept"),
            ("file://", "directory is missing"),
            ("s3://B", "bucket name"),
            ("s3:bucket", "// is missing"),
        ] {
            let error = url.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(url), "{error}");
        }
        let no_client = || panic!("no bucket is named");
        let store = Store::open(&"file:///var/metadata".parse().unwrap(), no_client);
        assert_eq!(store.place("a/b"), "/var/metadata/a/b");
        let configuration = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .build();
        let store = Store::on(&"s3://metadata/network/".parse().unwrap(), configuration);
        assert_eq!(store.place("a/b"), "s3://metadata/network/a/b");
    }
}
