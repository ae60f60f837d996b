//! Where objects are read from: S3, or a directory that stands for its buckets.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use delivery::directory::object_path;
use delivery::s3::S3Call;
use delivery::{Origin, Store};
use telemetry::FailureClass;

use crate::event::ObjectRef;
use crate::failure::Failure;
use crate::listing::{Listed, Listing, Page};

/// Opens objects for reading.
pub trait ObjectSource {
    /// Opens an object.
    ///
    /// # Errors
    /// A failure says whether the object is missing, may not be read, or could not be reached.
    fn open(&self, object: &ObjectRef) -> impl Future<Output = Result<OpenObject, Failure>> + Send;

    /// Lists objects behind `listing.after` whose keys begin with its prefix, in the order of their keys, some of
    /// them at once. Times and kinds are not looked at.
    ///
    /// # Errors
    /// The bucket cannot be listed.
    fn list(&self, listing: &Listing) -> impl Future<Output = Result<Page, Failure>> + Send;

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
    /// Memory.
    Held(HeldSource),
}

impl ObjectSource for AnySource {
    async fn open(&self, object: &ObjectRef) -> Result<OpenObject, Failure> {
        match self {
            AnySource::S3(source) => source.open(object).await,
            AnySource::Directory(source) => source.open(object).await,
            AnySource::Held(source) => source.open(object).await,
        }
    }

    async fn list(&self, listing: &Listing) -> Result<Page, Failure> {
        match self {
            AnySource::S3(source) => source.list(listing).await,
            AnySource::Directory(source) => source.list(listing).await,
            AnySource::Held(source) => source.list(listing).await,
        }
    }

    async fn delete(&self, read: &ReadObject) -> Result<Removal, Failure> {
        match self {
            AnySource::Held(source) => source.delete(read).await,
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

    async fn list(&self, listing: &Listing) -> Result<Page, Failure> {
        let client = self.client(listing.region.as_deref());
        let call = S3Call {
            action: "s3:ListBucket",
            kms_action: "kms:Decrypt",
            bucket: &listing.bucket,
            key: &listing.prefix,
        };
        let list = client
            .list_objects_v2()
            .bucket(&listing.bucket)
            .prefix(&listing.prefix)
            .set_start_after(listing.after.clone());
        let answer = list.send().await;
        let answer = answer.map_err(|error| Failure::from(call.failure(&error)))?;
        let listed = answer.contents().iter().filter_map(|found| {
            let mut object = ObjectRef::new(&listing.bucket, found.key()?);
            object.region = listing.region.clone();
            object.etag = found.e_tag().map(str::to_owned);
            object.size = found.size().and_then(|size| u64::try_from(size).ok());
            Some(Listed {
                object,
                modified: found.last_modified().map(|time| time.secs()),
            })
        });
        Ok(Page {
            listed: listed.collect(),
            is_cut: answer.is_truncated().unwrap_or(false),
        })
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

    async fn list(&self, listing: &Listing) -> Result<Page, Failure> {
        let failed = |class, message| Failure {
            class,
            code: "Source.List".to_owned(),
            message,
        };
        let bucket = self.root.join(&listing.bucket);
        if !bucket.is_dir() {
            let message = format!(
                "{} is not a directory, but stands for the bucket {}",
                bucket.display(),
                listing.bucket
            );
            return Err(failed(FailureClass::Config, message));
        }
        let keys = Store::Directory(bucket).keys("").await;
        let keys = keys.map_err(|error| failed(error.class(), error.to_string()))?;
        let wanted = keys.into_iter().filter(|key| {
            let is_behind = listing.after.as_ref().is_none_or(|after| key > after);
            is_behind && key.starts_with(&listing.prefix)
        });
        let listed = wanted.map(|key| {
            let path = object_path(&self.root, &listing.bucket, &key);
            let metadata = path.metadata().ok();
            let modified = metadata.as_ref().and_then(|metadata| {
                let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
                i64::try_from(since.as_secs()).ok()
            });
            let mut object = ObjectRef::new(&listing.bucket, &key);
            object.size = metadata.map(|metadata| metadata.len());
            Listed { object, modified }
        });
        Ok(Page {
            listed: listed.collect(),
            is_cut: false,
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

/// Objects that are in memory: parts of other objects, put together to be read again.
#[derive(Debug, Default)]
pub struct HeldSource {
    objects: Vec<(Origin, Bytes)>,
}

impl HeldSource {
    /// A source of these objects.
    pub fn new(objects: Vec<(Origin, Bytes)>) -> HeldSource {
        HeldSource { objects }
    }
}

impl ObjectSource for HeldSource {
    async fn open(&self, object: &ObjectRef) -> Result<OpenObject, Failure> {
        let named = |(origin, _): &&(Origin, Bytes)| {
            origin.bucket == object.bucket && origin.key == object.key
        };
        let Some((origin, bytes)) = self.objects.iter().find(named) else {
            return Err(Failure {
                class: FailureClass::Poison,
                code: "Source.NoSuchKey".to_owned(),
                message: format!("{}/{} is not held", object.bucket, object.key),
            });
        };
        Ok(OpenObject {
            key: origin.key.clone(),
            revision: origin.revision.clone(),
            version: None,
            etag: None,
            size: Some(bytes.len() as u64),
            body: Body::Blocking(Box::new(io::Cursor::new(bytes.clone()))),
        })
    }

    async fn list(&self, _: &Listing) -> Result<Page, Failure> {
        Ok(Page::default())
    }

    async fn delete(&self, _: &ReadObject) -> Result<Removal, Failure> {
        Ok(Removal::Replaced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use invocation::scripted_http::{Reply, ScriptedHttp};

    fn read(version: Option<&str>, etag: Option<&str>) -> ReadObject {
        ReadObject {
            bucket: "logs".into(),
            key: "a b.log".into(),
            region: None,
            version: version.map(str::to_owned),
            etag: etag.map(str::to_owned),
            revision: String::new(),
        }
    }

    async fn delete(
        http: &ScriptedHttp,
        read: &ReadObject,
        endpoint: bool,
    ) -> Result<Removal, Failure> {
        let mut sdk = http.sdk_config().await.into_builder();
        if endpoint {
            sdk = sdk.endpoint_url("https://store.example.org");
        }
        S3Source::new(sdk.build()).delete(read).await
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_version_or_the_etag_that_was_read_is_deleted() {
        let http = ScriptedHttp::replies([Reply::answer(204, ""), Reply::answer(204, "")]);
        for (version, etag) in [(Some("v1"), Some("\"e\"")), (None, Some("\"e\""))] {
            let deleted = delete(&http, &read(version, etag), false).await;
            assert_eq!(deleted, Ok(Removal::Done));
        }
        let [by_version, by_etag] = &http.arrived()[..] else {
            panic!("two requests");
        };
        assert_eq!(by_version.method, "DELETE");
        assert!(
            by_version.url.contains("versionId=v1"),
            "{}",
            by_version.url
        );
        assert_eq!(by_version.header("if-match"), None);
        assert_eq!(by_etag.header("if-match"), Some("\"e\""));
        assert!(!by_etag.url.contains("versionId"), "{}", by_etag.url);
        // Nothing is known of it: no request.
        let deleted = delete(&http, &read(None, None), false).await;
        assert_eq!(deleted, Ok(Removal::Replaced));
        assert_eq!(http.arrived().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_replaced_stays_and_what_is_denied_is_said() {
        for (status, code, expected) in [
            (412, "PreconditionFailed", Ok(Removal::Replaced)),
            (409, "ConditionalRequestConflict", Ok(Removal::Replaced)),
            (404, "NoSuchKey", Ok(Removal::Done)),
            (403, "AccessDenied", Err("Config.Source.AccessDenied")),
        ] {
            let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
            let http = ScriptedHttp::answering(move |_| Some(Reply::answer(status, &body)));
            let deleted = delete(&http, &read(None, Some("\"e\"")), false).await;
            let deleted = deleted.map_err(|failure| {
                assert!(
                    failure.message.contains("allow s3:DeleteObject on"),
                    "{failure}"
                );
                failure.error_type()
            });
            assert_eq!(deleted, expected.map_err(str::to_owned), "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_may_not_know_the_condition_are_asked_first() {
        // Neither answer tells the ETag that was read.
        let http = ScriptedHttp::replies([Reply::answer(200, ""), Reply::answer(404, "")]);
        let object = read(None, Some("\"e\""));
        assert_eq!(delete(&http, &object, true).await, Ok(Removal::Replaced));
        assert_eq!(delete(&http, &object, true).await, Ok(Removal::Done));
        let methods: Vec<String> = http.arrived().iter().map(|r| r.method.clone()).collect();
        assert_eq!(methods, ["HEAD", "HEAD"]);
    }
}
