//! Where objects are read from: S3, or a directory that stands for its buckets.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use delivery::Origin;
use delivery::directory::object_path;
use delivery::s3::S3Call;
use telemetry::FailureClass;

use crate::event::ObjectRef;
use crate::failure::Failure;

/// Opens objects for reading.
pub trait ObjectSource {
    /// Opens an object.
    ///
    /// # Errors
    /// A failure says whether the object is missing, may not be read, or could not be reached.
    fn open(&self, object: &ObjectRef) -> impl Future<Output = Result<OpenObject, Failure>> + Send;

    /// Deletes an object if it is still the one that was read.
    ///
    /// # Errors
    /// It could not be deleted, or may not be.
    fn delete(&self, read: &ReadObject) -> impl Future<Output = Result<Removal, Failure>> + Send;
}

/// An object as it was opened: enough to tell it from what has its key later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadObject {
    /// Bucket.
    pub bucket: String,
    /// The key under which it was found.
    pub key: String,
    /// The bucket's region, as far as the event told it.
    pub region: Option<String>,
    /// Version id, in buckets with versioning.
    pub version: Option<String>,
    /// ETag.
    pub etag: Option<String>,
    /// What tells its content from another: version id or ETag, or what the file system knows.
    pub revision: String,
}

impl ReadObject {
    /// What an object was opened as.
    pub fn new(object: &ObjectRef, opened: &OpenObject) -> ReadObject {
        ReadObject {
            bucket: object.bucket.clone(),
            key: opened.key.clone(),
            region: object.region.clone(),
            version: opened.version.clone(),
            etag: opened.etag.clone(),
            revision: opened.revision.clone(),
        }
    }

    /// The object as the origin of batches.
    pub fn origin(&self) -> Origin {
        Origin {
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            revision: self.revision.clone(),
        }
    }
}

/// What became of an object that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Done,
    /// Another one has its key by now, and stays.
    Replaced,
}

/// An object that is being read.
#[derive(Debug)]
pub struct OpenObject {
    /// The key under which it was found.
    pub key: String,
    /// Version id or ETag of what is being read.
    pub revision: String,
    /// Its version id, in buckets with versioning.
    pub version: Option<String>,
    /// Its ETag.
    pub etag: Option<String>,
    /// Size in bytes, as it is stored.
    pub size: Option<u64>,
    /// The content.
    pub body: Body,
}

/// The content of an object.
pub enum Body {
    /// Chunks that arrive over the network.
    Stream(ByteStream),
    /// A file, or anything else that blocks while it is read.
    Blocking(Box<dyn Read + Send>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Body::Stream(_) => "Stream",
            Body::Blocking(_) => "Blocking",
        })
    }
}

/// Any of the sources.
#[derive(Debug)]
pub enum AnySource {
    /// Amazon S3.
    S3(Box<S3Source>),
    /// A directory.
    Directory(DirectorySource),
}

impl ObjectSource for AnySource {
    async fn open(&self, object: &ObjectRef) -> Result<OpenObject, Failure> {
        match self {
            AnySource::S3(source) => source.open(object).await,
            AnySource::Directory(source) => source.open(object).await,
        }
    }

    async fn delete(&self, read: &ReadObject) -> Result<Removal, Failure> {
        match self {
            AnySource::S3(source) => source.delete(read).await,
            AnySource::Directory(source) => source.delete(read).await,
        }
    }
}

/// Reads from Amazon S3, each bucket in its own region.
#[derive(Debug)]
pub struct S3Source {
    config: SdkConfig,
    client: Client,
    /// Clients for regions other than the configured one.
    elsewhere: Mutex<HashMap<String, Client>>,
}

impl S3Source {
    /// A source with these credentials, endpoint and region.
    pub fn new(config: SdkConfig) -> S3Source {
        S3Source {
            client: Client::new(&config),
            config,
            elsewhere: Mutex::default(),
        }
    }

    fn client(&self, region: Option<&str>) -> Client {
        let own = self.config.region().map(Region::as_ref);
        let Some(region) = region.filter(|region| Some(*region) != own) else {
            return self.client.clone();
        };
        let mut elsewhere = self
            .elsewhere
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let client = elsewhere.entry(region.to_owned()).or_insert_with(|| {
            let config = self
                .config
                .to_builder()
                .region(Region::new(region.to_owned()))
                .build();
            Client::new(&config)
        });
        client.clone()
    }

    async fn get(&self, object: &ObjectRef, key: &str) -> Result<OpenObject, Failure> {
        let client = self.client(object.region.as_deref());
        let get = client
            .get_object()
            .bucket(&object.bucket)
            .key(key)
            .set_version_id(object.version.clone());
        let call = S3Call {
            action: if object.version.is_some() {
                "s3:GetObjectVersion"
            } else {
                "s3:GetObject"
            },
            kms_action: "kms:Decrypt",
            bucket: &object.bucket,
            key,
        };
        let answer = get
            .send()
            .await
            .map_err(|error| Failure::from(call.failure(&error)))?;
        // Where versioning is suspended, every object has the version `null`, which tells none from another.
        let version = answer.version_id.filter(|version| version != "null");
        let revision = version.clone().or_else(|| answer.e_tag.clone());
        let revision = revision.or_else(|| object.etag.clone());
        Ok(OpenObject {
            key: key.to_owned(),
            revision: revision.unwrap_or_default(),
            version,
            etag: answer.e_tag,
            size: answer
                .content_length
                .and_then(|length| u64::try_from(length).ok()),
            body: Body::Stream(answer.body),
        })
    }
}

impl ObjectSource for S3Source {
    async fn open(&self, object: &ObjectRef) -> Result<OpenObject, Failure> {
        let first = self.get(object, &object.key).await;
        match (&first, &object.other_key) {
            (Err(failure), Some(other)) if failure.code == "Source.NoSuchKey" => {
                // The failure to report is the one of the key that the event named.
                self.get(object, other).await.or(first)
            }
            _ => first,
        }
    }

    /// Deletes the very version that was read, in a bucket with versioning; else the object if its ETag is still the
    /// one that was read, which S3 checks as it deletes ("Conditional deletes", *S3 User Guide*).
    ///
    /// Other servers that speak S3's protocol may not know the condition and delete without it. They are asked for
    /// the ETag first; what is written between the two calls is then deleted unread.
    async fn delete(&self, read: &ReadObject) -> Result<Removal, Failure> {
        let ReadObject { bucket, key, .. } = read;
        let client = self.client(read.region.as_deref());
        let call = S3Call {
            action: match read.version {
                Some(_) => "s3:DeleteObjectVersion",
                None => "s3:DeleteObject",
            },
            kms_action: "kms:Decrypt",
            bucket,
            key,
        };
        let delete = client.delete_object().bucket(bucket).key(key);
        let delete = match (&read.version, &read.etag) {
            (Some(version), _) => delete.version_id(version),
            (None, Some(etag)) => {
                if self.config.endpoint_url().is_some() {
                    let head = client.head_object().bucket(bucket).key(key).send().await;
                    match head {
                        Ok(now) if now.e_tag() == Some(etag) => {}
                        Ok(_) => return Ok(Removal::Replaced),
                        Err(error) if status(&error) == Some(404) => return Ok(Removal::Done),
                        Err(error) => return Err(call.failure(&error).into()),
                    }
                }
                delete.if_match(etag)
            }
            // Nothing says that it is still the same.
            (None, None) => return Ok(Removal::Replaced),
        };
        match delete.send().await {
            Ok(_) => Ok(Removal::Done),
            Err(error) => match status(&error) {
                Some(404) => Ok(Removal::Done),
                Some(409 | 412) => Ok(Removal::Replaced),
                _ => Err(call.failure(&error).into()),
            },
        }
    }
}

/// The HTTP status of a call that failed; `None` when nothing was answered.
fn status<E>(error: &SdkError<E>) -> Option<u16> {
    Some(error.raw_response()?.status().as_u16())
}

/// Reads from a directory: `<root>/<bucket>/<key>`.
#[derive(Debug)]
pub struct DirectorySource {
    root: PathBuf,
}

impl DirectorySource {
    /// A source below `root`.
    pub fn new(root: PathBuf) -> DirectorySource {
        DirectorySource { root }
    }

    fn open_file(&self, bucket: &str, key: &str) -> io::Result<OpenObject> {
        // A key below another object's, or too long for a file's name, has no file: to S3 it is
        // a key like any other.
        let file = File::open(object_path(&self.root, bucket, key)).map_err(|error| match error
            .kind()
        {
            io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
                io::ErrorKind::NotFound.into()
            }
            _ => error,
        })?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        Ok(OpenObject {
            key: key.to_owned(),
            // Files have no ETag; the size tells most changes and is the same on every machine.
            revision: format!("{} bytes", metadata.len()),
            version: None,
            etag: None,
            size: Some(metadata.len()),
            body: Body::Blocking(Box::new(file)),
        })
    }
}

impl ObjectSource for DirectorySource {
    async fn open(&self, object: &ObjectRef) -> Result<OpenObject, Failure> {
        let ObjectRef { bucket, key, .. } = object;
        let opened = self
            .open_file(bucket, key)
            .or_else(|error| match &object.other_key {
                Some(other) if error.kind() == io::ErrorKind::NotFound => {
                    self.open_file(bucket, other).map_err(|_| error)
                }
                _ => Err(error),
            });
        opened.map_err(|error| {
            let bucket_exists = self.root.join(bucket).is_dir();
            let (class, code, advice) = match error.kind() {
                io::ErrorKind::NotFound if bucket_exists => (
                    FailureClass::Poison,
                    "NoSuchKey",
                    "the object does not exist".to_owned(),
                ),
                io::ErrorKind::NotFound => (
                    FailureClass::Config,
                    "NoSuchBucket",
                    format!(
                        "there is no directory {} to stand for the bucket",
                        self.root.join(bucket).display()
                    ),
                ),
                io::ErrorKind::PermissionDenied => (
                    FailureClass::Config,
                    "AccessDenied",
                    "the file may not be read by this user".to_owned(),
                ),
                _ => (FailureClass::Retry, "Io", error.to_string()),
            };
            Failure {
                class,
                code: format!("Source.{code}"),
                message: format!(
                    "{bucket}/{key} in {} cannot be read: {advice}",
                    self.root.display()
                ),
            }
        })
    }

    async fn delete(&self, read: &ReadObject) -> Result<Removal, Failure> {
        let path = object_path(&self.root, &read.bucket, &read.key);
        match self.open_file(&read.bucket, &read.key) {
            Ok(now) if now.revision == read.revision => {}
            Ok(_) => return Ok(Removal::Replaced),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Removal::Done),
            Err(_) => {}
        }
        let removed = std::fs::remove_file(&path);
        removed.map(|()| Removal::Done).map_err(|error| Failure {
            class: FailureClass::Config,
            code: "Source.Delete".to_owned(),
            message: format!(
                "{} could not be deleted: {error}; its directory must be writable",
                path.display()
            ),
        })
    }
}
