//! An S3 server over TCP: the protocol, signatures and storage are `s3s` and `s3s-fs`, in front of
//! which stands a layer that counts requests and answers some of them wrongly.
//!
//! `s3s-fs` keeps an object in a file of the key's name. S3 keys are any text, so the layer gives
//! each key a file name of its own; and it answers `NoSuchBucket` where S3 does.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    GetObjectInput, GetObjectOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
    PutObjectInput, PutObjectOutput, StreamingBlob, UploadPartInput, UploadPartOutput,
};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::samples;

/// The only access key the server knows.
pub const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// Its secret.
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A call that can be answered wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Get,
    Put,
    /// One part of an upload in parts.
    Part,
    /// The end of an upload in parts.
    Complete,
    /// An upload in parts that is given up.
    Abort,
}

/// A wrong answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// An error of S3.
    Error(S3ErrorCode, &'static str),
    /// A body that ends before its Content-Length.
    CutShort,
    /// A body that begins and never goes on.
    Stalled,
    /// No answer at all.
    Silent,
}

impl Fault {
    /// 503, asking to slow down.
    pub const SLOW_DOWN: Fault =
        Fault::Error(S3ErrorCode::SlowDown, "Please reduce your request rate.");
    /// 403, as it is said of a missing permission.
    pub const ACCESS_DENIED: Fault = Fault::Error(S3ErrorCode::AccessDenied, "Access Denied");
    /// 403, as it is said of a KMS key.
    pub const KMS_DENIED: Fault = Fault::Error(
        S3ErrorCode::AccessDenied,
        "User: arn:aws:sts::123456789012:assumed-role/forwarder/forwarder is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext because no identity-based policy allows the kms:Decrypt action",
    );
    /// 403, as it is said of an object in Glacier.
    pub const ARCHIVED: Fault = Fault::Error(
        S3ErrorCode::InvalidObjectState,
        "The operation is not valid for the object's storage class",
    );
    /// 400, as it is said of an object encrypted with a key the caller has to bring.
    pub const CUSTOMER_KEY: Fault = Fault::Error(
        S3ErrorCode::InvalidRequest,
        "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
    );
}

/// For [`S3Server::fault`]: every time.
pub const EVERY_TIME: usize = usize::MAX;

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    pub call: Call,
    pub bucket: String,
    pub key: String,
    pub version: Option<String>,
    /// The region the request was signed for.
    pub region: String,
}

/// The server. It stops when it is dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    store: Arc<Store>,
    server: JoinHandle<()>,
    _root: TempDir,
}

#[derive(Debug)]
struct Store {
    files: FileSystem,
    root: PathBuf,
    /// The file name of each object, by bucket and key.
    names: Mutex<BTreeMap<(String, String), String>>,
    faults: Mutex<Vec<Planned>>,
    arrived: Mutex<Vec<Arrived>>,
    arrivals: tokio::sync::watch::Sender<usize>,
    /// Held while an object is written, and while one is opened: `s3s-fs` looks at a condition first
    /// and writes later, and it keeps a checksum in a file of its own, beside the object's.
    objects: tokio::sync::RwLock<()>,
}

#[derive(Debug)]
struct Planned {
    call: Call,
    part_of_key: String,
    fault: Fault,
    /// How many calls pass before.
    skip: usize,
    times: usize,
}

impl S3Server {
    /// A server with the sample buckets and an empty bucket `records-use1`.
    pub async fn with_samples() -> S3Server {
        let server = S3Server::empty(&[samples::BUCKET, samples::BROKEN, "records-use1"]).await;
        for sample in samples::all() {
            let content = std::fs::read(&sample.path).unwrap();
            server.put(&sample.bucket, &sample.key, &content);
        }
        server
    }

    /// A server with these empty buckets.
    pub async fn empty(buckets: &[&str]) -> S3Server {
        let root = tempfile::tempdir().unwrap();
        for bucket in buckets {
            std::fs::create_dir(root.path().join(bucket)).unwrap();
        }
        let store = Arc::new(Store {
            files: FileSystem::new(root.path()).unwrap(),
            root: root.path().to_owned(),
            names: Mutex::default(),
            faults: Mutex::default(),
            arrived: Mutex::default(),
            arrivals: tokio::sync::watch::Sender::new(0),
            objects: tokio::sync::RwLock::default(),
        });
        let mut service = S3ServiceBuilder::new(Layer(Arc::clone(&store)));
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(connection), service.clone()),
                );
            }
        });
        S3Server {
            address,
            store,
            server,
            _root: root,
        }
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A configuration for clients of this server.
    pub fn client_config(&self) -> SdkConfig {
        client_config(self.endpoint())
    }

    /// Stores an object, past the protocol.
    pub fn put(&self, bucket: &str, key: &str, content: &[u8]) {
        let name = self.store.name(bucket, key);
        std::fs::write(self.store.root.join(bucket).join(name), content).unwrap();
    }

    /// Every object of a bucket, by key.
    pub fn objects(&self, bucket: &str) -> BTreeMap<String, Vec<u8>> {
        let names = self.store.names.lock().unwrap();
        let of_bucket = names.iter().filter(|((b, _), _)| b == bucket);
        of_bucket
            .filter_map(|((_, key), name)| {
                let content = std::fs::read(self.store.root.join(bucket).join(name)).ok()?;
                Some((key.clone(), content))
            })
            .collect()
    }

    /// Answers the next `times` calls on keys that contain `part_of_key` with a fault. Of several
    /// faults that fit, the first planned comes first.
    pub fn fault(&self, call: Call, part_of_key: &str, fault: Fault, times: usize) {
        self.fault_after(0, call, part_of_key, fault, times);
    }

    /// The same, after so many calls that pass.
    pub fn fault_after(
        &self,
        skip: usize,
        call: Call,
        part_of_key: &str,
        fault: Fault,
        times: usize,
    ) {
        self.store.faults.lock().unwrap().push(Planned {
            call,
            part_of_key: part_of_key.to_owned(),
            fault,
            skip,
            times,
        });
    }

    /// The requests that arrived so far.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.store.arrived.lock().unwrap().clone()
    }

    /// Waits until so many requests have arrived.
    pub async fn arrival(&self, count: usize) {
        let mut arrivals = self.store.arrivals.subscribe();
        let waited = arrivals.wait_for(|arrived| *arrived >= count).await;
        waited.expect("the server outlives its clients");
    }

    /// How many of them were of this kind, on keys that contain this.
    pub fn count(&self, call: Call, part_of_key: &str) -> usize {
        let arrived = self.store.arrived.lock().unwrap();
        let fits = |a: &&Arrived| a.call == call && a.key.contains(part_of_key);
        arrived.iter().filter(fits).count()
    }
}

/// A configuration for clients of a server that stands for AWS.
pub fn client_config(endpoint: String) -> SdkConfig {
    let credentials = Credentials::builder()
        .access_key_id(ACCESS_KEY)
        .secret_access_key(SECRET_KEY)
        .provider_name("tests")
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Store {
    /// The file name of an object.
    fn name(&self, bucket: &str, key: &str) -> String {
        let mut names = self.names.lock().unwrap();
        let next = format!("object-{}", names.len());
        names
            .entry((bucket.to_owned(), key.to_owned()))
            .or_insert(next)
            .clone()
    }

    fn known(&self, bucket: &str, key: &str) -> Option<String> {
        let at = (bucket.to_owned(), key.to_owned());
        self.names.lock().unwrap().get(&at).cloned()
    }

    fn has_bucket(&self, bucket: &str) -> S3Result<()> {
        if self.root.join(bucket).is_dir() {
            return Ok(());
        }
        Err(S3Error::with_message(
            S3ErrorCode::NoSuchBucket,
            "The specified bucket does not exist",
        ))
    }

    /// Notes a request that writes and acts as planned for it; the file name of its object.
    async fn write(&self, call: Call, bucket: &str, key: &str, region: String) -> S3Result<String> {
        let fault = self.arrive(Arrived {
            call,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: None,
            region,
        });
        self.has_bucket(bucket)?;
        match fault {
            None => Ok(self.name(bucket, key)),
            Some(Fault::Error(code, message)) => Err(S3Error::with_message(code, message)),
            Some(_) => std::future::pending().await,
        }
    }

    /// Notes a request, and takes the fault that was planned for it.
    fn arrive(&self, arrived: Arrived) -> Option<Fault> {
        let Arrived { call, key, .. } = arrived.clone();
        let mut all = self.arrived.lock().unwrap();
        all.push(arrived);
        self.arrivals.send_replace(all.len());
        drop(all);
        let mut faults = self.faults.lock().unwrap();
        let fits = |p: &&mut Planned| p.call == call && p.times > 0 && key.contains(&p.part_of_key);
        let planned = faults.iter_mut().find(fits)?;
        if planned.skip > 0 {
            planned.skip -= 1;
            return None;
        }
        if planned.times != EVERY_TIME {
            planned.times -= 1;
        }
        Some(planned.fault.clone())
    }
}

fn signed_for<T>(request: &S3Request<T>) -> String {
    let region = request.region.as_ref();
    region.map(ToString::to_string).unwrap_or_default()
}

/// The layer before the storage.
struct Layer(Arc<Store>);

#[async_trait]
impl S3 for Layer {
    async fn get_object(
        &self,
        mut request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let Layer(store) = self;
        let GetObjectInput {
            bucket,
            key,
            version_id,
            ..
        } = &request.input;
        let fault = store.arrive(Arrived {
            call: Call::Get,
            bucket: bucket.clone(),
            key: key.clone(),
            version: version_id.clone(),
            region: signed_for(&request),
        });
        store.has_bucket(bucket)?;
        let body = match fault {
            None => None,
            Some(Fault::Error(code, message)) => return Err(S3Error::with_message(code, message)),
            Some(Fault::Silent) => std::future::pending().await,
            Some(fault) => Some(fault),
        };
        let missing =
            || S3Error::with_message(S3ErrorCode::NoSuchKey, "The specified key does not exist.");
        let name = store.known(bucket, key).ok_or_else(missing)?;
        let path = store.root.join(&request.input.bucket).join(&name);
        request.input.key = name;
        let known = request.input.if_none_match.take();
        let reading = store.objects.read().await;
        let mut response = store.files.get_object(request).await?;
        drop(reading);
        // Which `s3s-fs` does not look at.
        let known = known.as_ref().and_then(|known| known.as_etag());
        if known.is_some() && known == response.output.e_tag.as_ref() {
            return Err(S3Error::new(S3ErrorCode::NotModified));
        }
        if let Some(fault) = body {
            let mut half = Vec::new();
            let file = std::fs::File::open(&path).unwrap();
            let length = file.metadata().unwrap().len();
            file.take(length / 2).read_to_end(&mut half).unwrap();
            let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from(half))]);
            // The half has to be on its way before the connection breaks, or it would break
            // before the answer began.
            let breaks =
                stream::once(tokio::task::yield_now()).filter_map(|()| std::future::ready(None));
            response.output.body = Some(match fault {
                Fault::CutShort => StreamingBlob::wrap(begun.chain(breaks)),
                _ => StreamingBlob::wrap(begun.chain(stream::pending())),
            });
        }
        Ok(response)
    }

    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let Layer(store) = self;
        let PutObjectInput { bucket, key, .. } = &request.input;
        let name = store.write(Call::Put, bucket, key, signed_for(&request));
        request.input.key = name.await?;
        let store = Arc::clone(store);
        // In a task of its own: who hangs up must not leave an object with the checksum of the one before.
        let put = tokio::spawn(async move {
            let _writing = store.objects.write().await;
            store.files.put_object(request).await
        });
        put.await.unwrap_or_else(|error| {
            Err(S3Error::with_source(
                S3ErrorCode::InternalError,
                error.into(),
            ))
        })
    }

    async fn create_multipart_upload(
        &self,
        mut request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let Layer(store) = self;
        let CreateMultipartUploadInput { bucket, key, .. } = &request.input;
        let name = store.write(Call::Put, bucket, key, signed_for(&request));
        request.input.key = name.await?;
        store.files.create_multipart_upload(request).await
    }

    async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let Layer(store) = self;
        let UploadPartInput { bucket, key, .. } = &request.input;
        let name = store.write(Call::Part, bucket, key, signed_for(&request));
        request.input.key = name.await?;
        store.files.upload_part(request).await
    }

    async fn complete_multipart_upload(
        &self,
        mut request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let Layer(store) = self;
        let CompleteMultipartUploadInput { bucket, key, .. } = &request.input;
        let name = store.write(Call::Complete, bucket, key, signed_for(&request));
        request.input.key = name.await?;
        let _writing = store.objects.write().await;
        store.files.complete_multipart_upload(request).await
    }

    async fn abort_multipart_upload(
        &self,
        mut request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let Layer(store) = self;
        let AbortMultipartUploadInput { bucket, key, .. } = &request.input;
        let name = store.write(Call::Abort, bucket, key, signed_for(&request));
        request.input.key = name.await?;
        store.files.abort_multipart_upload(request).await
    }

    /// In pages of two, which S3 may always do.
    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        const PAGE: usize = 2;
        let Layer(store) = self;
        let ListObjectsV2Input {
            bucket,
            prefix,
            continuation_token,
            ..
        } = &request.input;
        store.has_bucket(bucket)?;
        let prefix = prefix.clone().unwrap_or_default();
        let after = continuation_token.clone().unwrap_or_default();
        let names = store.names.lock().unwrap();
        let mut keys: Vec<String> = names
            .keys()
            .filter(|(of, key)| of == bucket && key.starts_with(&prefix) && *key > after)
            .map(|(_, key)| key.clone())
            .collect();
        let more = keys.len() > PAGE;
        keys.truncate(PAGE);
        Ok(S3Response::new(ListObjectsV2Output {
            is_truncated: Some(more),
            next_continuation_token: keys.last().filter(|_| more).cloned(),
            contents: Some(
                keys.into_iter()
                    .map(|key| Object {
                        key: Some(key),
                        ..Object::default()
                    })
                    .collect(),
            ),
            ..ListObjectsV2Output::default()
        }))
    }
}
