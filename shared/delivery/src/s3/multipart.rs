//! Large objects in parts ("Uploading and copying objects using multipart upload", *S3 User Guide*).
//!
//! ```text
//! CreateMultipartUpload ─▶ UploadPart, some at once ─▶ CompleteMultipartUpload
//!                          └──── any of them fails ─▶ AbortMultipartUpload
//! ```
//!
//! The object is there when the upload is complete, and not before. An upload that is given up in the middle, as by the
//! end of the invocation, leaves parts that are billed and in no listing: the bucket needs a lifecycle rule with
//! `AbortIncompleteMultipartUpload`.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use invocation::service_call::AttemptCounter;
use telemetry::FailureClass;
use tokio::task::JoinSet;

use super::{ObjectHead, S3Call, S3Failure};

/// When objects are uploaded in parts, and in which.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Objects that are larger are uploaded in parts, in bytes.
    pub threshold: usize,
    /// The size of a part but the last, in bytes; S3 takes 5 MiB to 5 GiB.
    pub part: usize,
}

impl Sizes {
    /// Those that suit S3: requests that are worth sending again alone.
    pub const S3: Sizes = Sizes {
        threshold: 16 << 20,
        part: 8 << 20,
    };

    /// Whether an object of so many bytes is uploaded in parts.
    pub fn split(&self, bytes: usize) -> bool {
        bytes > self.threshold
    }
}

/// Parts that are on their way at once.
const AT_ONCE: usize = 4;

/// Uploads an object; counts attempts of each request with `counter`.
///
/// A part that fails is sent again alone, as every request of the SDK is. What fails for good is followed by an attempt
/// to remove the parts that arrived.
pub(super) async fn upload(
    client: &Client,
    call: &S3Call<'_>,
    head: &ObjectHead<'_>,
    bytes: &Bytes,
    sizes: Sizes,
    counter: &AttemptCounter,
) -> Result<(), S3Failure> {
    let created = client
        .create_multipart_upload()
        .bucket(call.bucket)
        .key(call.key)
        .content_type(head.content_type)
        .metadata("batch-id", &head.batch_id)
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .set_storage_class(head.storage_class())
        .set_server_side_encryption(head.encryption())
        .set_ssekms_key_id(head.kms_key())
        .set_bucket_key_enabled(head.encryption().map(|_| true))
        .customize()
        .interceptor(counter.clone())
        .send()
        .await
        .map_err(|error| call.failure(&error))?;
    let Some(id) = created.upload_id() else {
        return Err(S3Failure {
            class: FailureClass::Retry,
            code: "NoUploadId".to_owned(),
            reason: format!(
                "s3://{}/{}: S3 began an upload and did not say its id",
                call.bucket, call.key
            ),
        });
    };
    let done = match parts(client, call, id, bytes, sizes, counter).await {
        Ok(parts) => complete(client, call, id, parts, counter).await,
        Err(failure) => Err(failure),
    };
    let Err(mut failure) = done else {
        return Ok(());
    };
    let abort = client.abort_multipart_upload().upload_id(id);
    let aborted = abort.bucket(call.bucket).key(call.key).send().await;
    if let Err(error) = aborted.as_ref().map_err(|error| call.failure(error)) {
        // Nothing is left of an upload that is not there.
        if error.code != "NoSuchUpload" {
            failure.reason.push_str("; the parts that arrived could not be removed: allow s3:AbortMultipartUpload, and let a lifecycle rule of the bucket abort incomplete uploads");
        }
    }
    Err(failure)
}

/// Uploads the parts. Dropping the future, or a part that fails, stops those that are on their way.
async fn parts(
    client: &Client,
    call: &S3Call<'_>,
    id: &str,
    bytes: &Bytes,
    sizes: Sizes,
    counter: &AttemptCounter,
) -> Result<Vec<CompletedPart>, S3Failure> {
    let mut waiting = (1..).zip((0..bytes.len()).step_by(sizes.part));
    let mut uploads = JoinSet::new();
    let mut done: Vec<CompletedPart> = Vec::new();
    loop {
        while uploads.len() < AT_ONCE
            && let Some((number, start)) = waiting.next()
        {
            let end = bytes.len().min(start + sizes.part);
            let upload = client
                .upload_part()
                .bucket(call.bucket)
                .key(call.key)
                .upload_id(id)
                .part_number(number)
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .body(ByteStream::from(bytes.slice(start..end)))
                .customize()
                .interceptor(counter.clone());
            uploads.spawn(async move { (number, upload.send().await) });
        }
        let Some(uploaded) = uploads.join_next().await else {
            break;
        };
        let (number, uploaded) = uploaded.map_err(|error| S3Failure {
            class: FailureClass::Retry,
            code: "Upload".to_owned(),
            reason: format!(
                "a part of s3://{}/{} was not uploaded: {error}",
                call.bucket, call.key
            ),
        })?;
        let part = uploaded.map_err(|error| call.failure(&error))?;
        done.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(part.e_tag)
                .set_checksum_crc32(part.checksum_crc32)
                .build(),
        );
    }
    done.sort_by_key(|part| part.part_number());
    Ok(done)
}

async fn complete(
    client: &Client,
    call: &S3Call<'_>,
    id: &str,
    parts: Vec<CompletedPart>,
    counter: &AttemptCounter,
) -> Result<(), S3Failure> {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts));
    // An error can come with status 200, since S3 answers before it knows; the SDK looks into the body.
    let completed = client
        .complete_multipart_upload()
        .bucket(call.bucket)
        .key(call.key)
        .upload_id(id)
        .multipart_upload(parts.build())
        .customize()
        .interceptor(counter.clone())
        .send()
        .await;
    completed.map(drop).map_err(|error| call.failure(&error))
}
