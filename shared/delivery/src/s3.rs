//! Amazon S3: writing batches, and what its errors mean for readers and writers.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{self, ChecksumAlgorithm, ServerSideEncryption};
use invocation::service_call::AttemptCounter;
use telemetry::FailureClass;

use crate::batch::Batch;
use crate::destination::{Confirmation, DeliveryError, Destination};
use crate::encoding::{Compression, Encoding};

mod multipart;
mod options;

pub use options::{KmsKey, KmsKeyError, S3Options, StorageClass, StorageClassError};

/// An S3 call that failed, explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct S3Failure {
    /// What has to happen before the call can succeed.
    pub class: FailureClass,
    /// S3's error code, or what kept the call from reaching it.
    pub code: String,
    /// What happened, and what to do.
    pub reason: String,
}

/// The call that failed, for the explanation.
#[derive(Debug, Clone, Copy)]
pub struct S3Call<'c> {
    /// The IAM action, such as `s3:GetObject`.
    pub action: &'c str,
    /// The KMS action that the call needs on an encrypted object.
    pub kms_action: &'c str,
    /// Bucket.
    pub bucket: &'c str,
    /// Key.
    pub key: &'c str,
}

/// What a row of the table below asks of the operator.
enum Meaning {
    Missing,
    MissingBucket,
    Denied,
    Kms,
    CustomerKey,
    Archived,
    OtherRegion,
    Again,
    UploadGone,
}

/// S3's and KMS's error codes whose status does not say what to do ("Error responses", *S3 API Reference*).
const MEANINGS: &[(&str, FailureClass, Meaning)] = &[
    ("NoSuchKey", FailureClass::Poison, Meaning::Missing),
    ("NoSuchVersion", FailureClass::Poison, Meaning::Missing),
    ("NoSuchBucket", FailureClass::Config, Meaning::MissingBucket),
    ("AccessDenied", FailureClass::Config, Meaning::Denied),
    ("AllAccessDisabled", FailureClass::Config, Meaning::Denied),
    ("InvalidAccessKeyId", FailureClass::Config, Meaning::Denied),
    (
        "SignatureDoesNotMatch",
        FailureClass::Config,
        Meaning::Denied,
    ),
    ("KMS.DisabledException", FailureClass::Config, Meaning::Kms),
    ("KMS.NotFoundException", FailureClass::Config, Meaning::Kms),
    (
        "KMS.KMSInvalidStateException",
        FailureClass::Config,
        Meaning::Kms,
    ),
    (
        "KMS.AccessDeniedException",
        FailureClass::Config,
        Meaning::Kms,
    ),
    ("InvalidRequest", FailureClass::Config, Meaning::CustomerKey),
    (
        "InvalidObjectState",
        FailureClass::Config,
        Meaning::Archived,
    ),
    (
        "PermanentRedirect",
        FailureClass::Config,
        Meaning::OtherRegion,
    ),
    (
        "AuthorizationHeaderMalformed",
        FailureClass::Config,
        Meaning::OtherRegion,
    ),
    (
        "IllegalLocationConstraintException",
        FailureClass::Config,
        Meaning::OtherRegion,
    ),
    // Broken on the way, each with a status of 400.
    ("RequestTimeout", FailureClass::Retry, Meaning::Again),
    ("IncompleteBody", FailureClass::Retry, Meaning::Again),
    ("BadDigest", FailureClass::Retry, Meaning::Again),
    (
        "XAmzContentChecksumMismatch",
        FailureClass::Retry,
        Meaning::Again,
    ),
    ("UnreadableAnswer", FailureClass::Retry, Meaning::Again),
    // Said of an upload in parts. InternalError comes with status 200 too.
    ("InternalError", FailureClass::Retry, Meaning::Again),
    ("OperationAborted", FailureClass::Retry, Meaning::Again),
    ("NoSuchUpload", FailureClass::Retry, Meaning::UploadGone),
    ("InvalidPart", FailureClass::Retry, Meaning::UploadGone),
    ("InvalidPartOrder", FailureClass::Retry, Meaning::UploadGone),
];

impl S3Call<'_> {
    /// Explains an error of this call.
    pub fn failure<E>(&self, error: &SdkError<E>) -> S3Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let S3Call {
            action,
            bucket,
            key,
            ..
        } = self;
        let at = format!("{action} on s3://{bucket}/{key}");
        let Some(response) = error.raw_response() else {
            // Nothing came back: the network, a timeout, or no credentials.
            let (class, code) = match error {
                SdkError::ConstructionFailure(_) => (FailureClass::Config, "Construction"),
                SdkError::TimeoutError(_) => (FailureClass::Retry, "Timeout"),
                _ => (FailureClass::Retry, "Dispatch"),
            };
            return S3Failure {
                class,
                code: code.to_owned(),
                reason: format!("{at} got no answer: {}", causes(error)),
            };
        };
        let status = response.status().as_u16();
        let message = error.meta().message().unwrap_or_default();
        // Without a body (HEAD, some proxies) there is only the status to go by.
        let code = error.meta().code().unwrap_or(match status {
            403 => "AccessDenied",
            404 => "NoSuchKey",
            301 => "PermanentRedirect",
            200..=299 => "UnreadableAnswer",
            _ => "Unknown",
        });
        let known = MEANINGS.iter().find(|(name, ..)| *name == code);
        let (class, advice) = match known {
            Some((_, class, meaning)) => (*class, self.advice(meaning, message)),
            None if status >= 500 || matches!(status, 408 | 429) => {
                (FailureClass::Retry, self.advice(&Meaning::Again, message))
            }
            None => (
                FailureClass::Config,
                "see the error code in the S3 API Reference".to_owned(),
            ),
        };
        S3Failure {
            class,
            code: code.to_owned(),
            reason: format!("{at} was answered {status} {code}: {advice}"),
        }
    }

    fn advice(&self, meaning: &Meaning, message: &str) -> String {
        let S3Call {
            action,
            kms_action,
            bucket,
            key,
        } = self;
        match meaning {
            Meaning::Missing => "the object does not exist (any more): it was deleted before it was read, or the event names another key".to_owned(),
            Meaning::MissingBucket => format!("there is no bucket {bucket}: check its name and region"),
            // The text only chooses which permission to name first; the class is the same.
            Meaning::Denied if message.contains("kms:") => self.advice(&Meaning::Kms, ""),
            Meaning::Denied => format!(
                "allow {action} on arn:aws:s3:::{bucket}/{key} in the function's role and in the bucket policy, and {kms_action} on the key if the bucket is encrypted with SSE-KMS; without s3:ListBucket on arn:aws:s3:::{bucket} a missing object is answered so too"
            ),
            Meaning::Kms => format!(
                "the object's KMS key cannot be used: allow {kms_action} in the key policy and in the function's role, and check that the key is enabled"
            ),
            Meaning::CustomerKey => "the request is refused as it stands: objects encrypted with customer-provided keys (SSE-C) cannot be read or written; use SSE-S3 or SSE-KMS".to_owned(),
            Meaning::Archived => "the object is archived: restore it (s3:RestoreObject), then send its event again".to_owned(),
            Meaning::Again => "the same may succeed at another time".to_owned(),
            Meaning::UploadGone => "the upload was aborted by somebody else, as by a lifecycle rule, or is complete already; delivering again replaces the object".to_owned(),
            Meaning::OtherRegion => format!("bucket {bucket} is in another region than the request went to: use the bucket's region"),
        }
    }
}

/// The rules of general-purpose buckets that matter to a URL ("Bucket naming rules", *S3 User
/// Guide*).
pub(crate) fn is_bucket_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// An error and what caused it, in words.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Writes each batch to an object of its own.
///
/// The key is the prefix and [`Batch::object_name`], so that delivering a batch again overwrites it. Large batches are
/// uploaded in parts. S3 checks each request, and each part, against its CRC-32.
///
/// Objects of compressed batches have no `Content-Encoding`: engines such as Athena and Spark go by the extension, and
/// HTTP clients that go by the header would hand out unpacked bytes under a name that ends in `.gz`. Their content type
/// is that of the compressed file.
#[derive(Debug)]
pub struct S3Destination {
    client: Client,
    bucket: String,
    prefix: String,
    options: S3Options,
    sizes: multipart::Sizes,
}

/// What an object is said to be when it is written.
struct ObjectHead<'h> {
    content_type: &'static str,
    batch_id: String,
    options: &'h S3Options,
}

impl ObjectHead<'_> {
    fn storage_class(&self) -> Option<types::StorageClass> {
        self.options.storage_class.map(StorageClass::to_sdk)
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        let key = self.options.kms_key.as_ref();
        key.map(|_| ServerSideEncryption::AwsKms)
    }

    fn kms_key(&self) -> Option<String> {
        let key = self.options.kms_key.as_ref();
        key.map(|key| key.as_str().to_owned())
    }
}

impl S3Destination {
    /// Objects are put into `bucket` under `prefix`, which has no slash at either end.
    pub fn new(
        client: Client,
        bucket: String,
        prefix: String,
        options: S3Options,
    ) -> S3Destination {
        S3Destination {
            client,
            bucket,
            prefix,
            options,
            sizes: multipart::Sizes::S3,
        }
    }

    fn key(&self, name: &str) -> String {
        match &*self.prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }

    /// Whether an attempt before has put the batch's records among those of other objects.
    async fn holds_combined(&self, batch: &Batch) -> Result<bool, S3Failure> {
        let Some(prefix) = batch.combined_prefix() else {
            return Ok(false);
        };
        let prefix = self.key(&prefix);
        let call = S3Call {
            action: "s3:ListBucket",
            kms_action: "kms:Decrypt",
            bucket: &self.bucket,
            key: &prefix,
        };
        let list = self.client.list_objects_v2();
        let list = list.bucket(&self.bucket).prefix(&prefix);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call.failure(&error))?;
            let mut keys = page.contents().iter().filter_map(|object| object.key());
            if keys.any(|key| batch.is_within(key)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn put(
        &self,
        call: &S3Call<'_>,
        batch: &Batch,
        counter: &AttemptCounter,
    ) -> Result<(), S3Failure> {
        if self.holds_combined(batch).await? {
            return Ok(());
        }
        let head = ObjectHead {
            content_type: content_type(batch.encoding),
            batch_id: batch.id(),
            options: &self.options,
        };
        let (bytes, sizes) = (&batch.bytes, self.sizes);
        if sizes.split(bytes.len()) {
            return multipart::upload(&self.client, call, &head, bytes, sizes, counter).await;
        }
        let put = self
            .client
            .put_object()
            .bucket(call.bucket)
            .key(call.key)
            .content_type(head.content_type)
            .metadata("batch-id", &head.batch_id)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .set_storage_class(head.storage_class())
            .set_server_side_encryption(head.encryption())
            .set_ssekms_key_id(head.kms_key())
            // Calls of KMS for each object would cost more than S3.
            .set_bucket_key_enabled(head.encryption().map(|_| true))
            .body(ByteStream::from(bytes.clone()))
            .customize()
            .interceptor(counter.clone());
        let put = put.send().await;
        put.map(drop).map_err(|error| call.failure(&error))
    }
}

/// The media type of a batch as a file: of the compression, where the whole is compressed.
fn content_type(encoding: Encoding) -> &'static str {
    match encoding.compression {
        Compression::None => encoding.content_type(),
        Compression::Gzip => "application/gzip",
        Compression::Zstd => "application/zstd",
    }
}

impl Destination for S3Destination {
    async fn deliver(&self, batch: &Batch) -> Result<Confirmation, DeliveryError> {
        let key = self.key(&batch.object_name());
        let call = S3Call {
            action: "s3:PutObject",
            kms_action: match self.sizes.split(batch.bytes.len()) {
                // S3 reads the parts again to put them together.
                true => "kms:GenerateDataKey and kms:Decrypt",
                false => "kms:GenerateDataKey",
            },
            bucket: &self.bucket,
            key: &key,
        };
        let counter = AttemptCounter::default();
        match self.put(&call, batch, &counter).await {
            Ok(()) => Ok(Confirmation {
                retries: counter.retries(),
                ..Confirmation::default()
            }),
            Err(S3Failure {
                class,
                code,
                reason,
            }) => Err(DeliveryError {
                // A destination that is not there is never the batch's fault.
                class: match class {
                    FailureClass::Poison => FailureClass::Config,
                    class => class,
                },
                code,
                destination: format!("s3://{}/{}", self.bucket, self.prefix),
                reason,
                retries: counter.retries(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
