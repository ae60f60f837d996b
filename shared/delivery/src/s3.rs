//! Amazon S3: writing batches, and what its errors mean for readers and writers.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use telemetry::FailureClass;

use crate::batch::Batch;
use crate::destination::{Confirmation, DeliveryError, Destination};

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
}

/// S3's and KMS's error codes that no retry cures ("Error responses", *S3 API Reference*).
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
            _ => "Unknown",
        });
        let known = MEANINGS.iter().find(|(name, ..)| *name == code);
        let (class, advice) = match known {
            Some((_, class, meaning)) => (*class, self.advice(meaning, message)),
            None if status >= 500 || matches!(status, 408 | 429) => (
                FailureClass::Retry,
                "the service asks to try again".to_owned(),
            ),
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
/// The key is the prefix and [`Batch::object_name`], so that delivering a batch again overwrites it.
#[derive(Debug)]
pub struct S3Destination {
    client: Client,
    bucket: String,
    prefix: String,
}

impl S3Destination {
    /// Objects are put into `bucket` under `prefix`, which has no slash at either end.
    pub fn new(client: Client, bucket: String, prefix: String) -> S3Destination {
        S3Destination {
            client,
            bucket,
            prefix,
        }
    }
}

impl Destination for S3Destination {
    async fn deliver(&self, batch: &Batch) -> Result<Confirmation, DeliveryError> {
        let separator = if self.prefix.is_empty() { "" } else { "/" };
        let key = format!("{}{separator}{}", self.prefix, batch.object_name());
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(&key)
            .content_type(batch.encoding.content_type())
            .metadata("batch-id", batch.id())
            .body(ByteStream::from(batch.bytes.clone()));
        let call = S3Call {
            action: "s3:PutObject",
            kms_action: "kms:GenerateDataKey",
            bucket: &self.bucket,
            key: &key,
        };
        put.send()
            .await
            .map(|_| Confirmation::default())
            .map_err(|error| {
                let S3Failure {
                    class,
                    code,
                    reason,
                } = call.failure(&error);
                // A destination that is not there is never the batch's fault.
                let class = if class == FailureClass::Poison {
                    FailureClass::Config
                } else {
                    class
                };
                DeliveryError {
                    class,
                    code,
                    destination: format!("s3://{}/{}", self.bucket, self.prefix),
                    reason,
                    retries: 0,
                }
            })
    }
}
