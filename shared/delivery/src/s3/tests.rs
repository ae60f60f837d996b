use aws_smithy_types::base64;
use bytes::Bytes;
use invocation::scripted_http::{Arrived, Reply, ScriptedHttp};

use super::*;
use crate::batch::tests::batch_of;
use crate::encoding::Format;

/// As [`multipart::Sizes::S3`], scaled down: what is tested is the protocol.
const SMALL: multipart::Sizes = multipart::Sizes {
    threshold: 16,
    part: 8,
};

const KEY: &str = "alias/lake";

fn options() -> S3Options {
    S3Options {
        kms_key: Some(KEY.parse().unwrap()),
        storage_class: Some(StorageClass::IntelligentTiering),
    }
}

async fn destination(http: &ScriptedHttp, options: S3Options) -> S3Destination {
    let client = Client::new(&http.sdk_config().await);
    S3Destination {
        sizes: SMALL,
        ..S3Destination::new(client, "records".to_owned(), "flows".to_owned(), options)
    }
}

/// The request of an upload in parts that this one is.
fn step(request: &Arrived) -> &'static str {
    let has = |name: &str| request.url.contains(name);
    match &*request.method {
        "POST" if has("?uploads") => "create",
        "PUT" if has("partNumber=") => "part",
        "POST" if has("uploadId=") => "complete",
        "DELETE" if has("uploadId=") => "abort",
        "PUT" => "put",
        _ => "other",
    }
}

fn error(status: u16, code: &str) -> Reply {
    let message = "<Message>so</Message>";
    Reply::answer(
        status,
        format!("<Error><Code>{code}</Code>{message}</Error>"),
    )
}

/// S3, but for what `fault` answers to the step of that name, of which so many came before.
fn s3(fault: impl Fn(&str, usize) -> Option<Reply> + Send + Sync + 'static) -> ScriptedHttp {
    let before = std::sync::Mutex::new(std::collections::HashMap::new());
    ScriptedHttp::answering(move |request| {
        let step = step(request);
        let mut before = before.lock().unwrap();
        let count: &mut usize = before.entry(step).or_default();
        *count += 1;
        let answer = match step {
            "create" => {
                "<InitiateMultipartUploadResult><UploadId>up</UploadId></InitiateMultipartUploadResult>"
            }
            "complete" => {
                "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>"
            }
            _ => "",
        };
        fault(step, *count - 1).or_else(|| Some(Reply::answer(200, answer)))
    })
}

/// A batch of three parts.
fn large() -> Batch {
    batch_of(Bytes::from(vec![b'\n'; SMALL.threshold + 1]))
}

fn steps(http: &ScriptedHttp) -> Vec<&'static str> {
    let mut steps: Vec<&str> = http.arrived().iter().map(step).collect();
    steps.sort_unstable();
    steps
}

#[tokio::test(start_paused = true)]
async fn objects_are_kept_as_the_options_say() {
    for (batch, first) in [(batch_of(Bytes::from("{}\n")), "put"), (large(), "create")] {
        let http = s3(|_, _| None);
        destination(&http, options())
            .await
            .deliver(&batch)
            .await
            .unwrap();
        let request = &http.arrived()[0];
        assert_eq!(step(request), first);
        for (header, value) in [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", KEY),
            ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
            ("x-amz-storage-class", "INTELLIGENT_TIERING"),
            ("x-amz-meta-batch-id", &batch.id()),
            ("content-type", "application/x-ndjson"),
        ] {
            assert_eq!(request.header(header), Some(value), "{header}");
        }
        let http = s3(|_, _| None);
        let plain = destination(&http, S3Options::default()).await;
        plain.deliver(&batch).await.unwrap();
        let request = &http.arrived()[0];
        let chosen = [
            "x-amz-server-side-encryption",
            "x-amz-storage-class",
            "content-encoding",
        ];
        assert!(chosen.iter().all(|header| request.header(header).is_none()));
    }
}

#[tokio::test(start_paused = true)]
async fn compressed_objects_have_the_type_of_their_compression_and_no_content_encoding() {
    for (format, compression, media_type) in [
        (Format::Ndjson, Compression::None, "application/x-ndjson"),
        (Format::Ndjson, Compression::Gzip, "application/gzip"),
        (Format::Ocsf, Compression::Zstd, "application/zstd"),
        (
            Format::Parquet,
            Compression::None,
            "application/vnd.apache.parquet",
        ),
    ] {
        let batch = Batch {
            encoding: Encoding {
                format,
                compression,
            },
            ..batch_of("{}\n")
        };
        let http = s3(|_, _| None);
        let plain = destination(&http, S3Options::default()).await;
        plain.deliver(&batch).await.unwrap();
        let request = &http.arrived()[0];
        assert_eq!(request.header("content-type"), Some(media_type));
        assert_eq!(request.header("content-encoding"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn small_objects_carry_their_checksum() {
    let http = s3(|_, _| None);
    let plain = destination(&http, S3Options::default()).await;
    let check = batch_of(Bytes::from("123456789"));
    plain.deliver(&check).await.unwrap();
    // The check value of CRC-32, big-endian.
    let crc = base64::encode(0xcbf4_3926_u32.to_be_bytes());
    assert_eq!(
        http.arrived()[0].header("x-amz-checksum-crc32"),
        Some(&*crc)
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_is_sent_again_alone() {
    let http = s3(|step, count| (step == "part" && count == 1).then(|| error(503, "SlowDown")));
    let delivered = destination(&http, S3Options::default())
        .await
        .deliver(&large())
        .await;
    assert_eq!(delivered.unwrap().retries, 1);
    assert_eq!(
        steps(&http),
        ["complete", "create", "part", "part", "part", "part"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_fails_is_aborted_and_explained() {
    use FailureClass::{Config, Retry};
    for (at, fault, class, code, aborted) in [
        (
            "create",
            error(403, "AccessDenied"),
            Config,
            "AccessDenied",
            0,
        ),
        (
            "create",
            Reply::answer(200, "<a></a>"),
            Retry,
            "UnreadableAnswer",
            0,
        ),
        (
            "create",
            Reply::answer(
                200,
                "<InitiateMultipartUploadResult></InitiateMultipartUploadResult>",
            ),
            Retry,
            "NoUploadId",
            0,
        ),
        ("part", Reply::Cut, Retry, "Dispatch", 1),
        (
            "part",
            error(403, "AccessDenied"),
            Config,
            "AccessDenied",
            1,
        ),
        ("part", error(503, "SlowDown"), Retry, "SlowDown", 1),
        ("part", error(400, "BadDigest"), Retry, "BadDigest", 1),
        ("part", Reply::Refused, Retry, "Dispatch", 1),
        // S3 may answer 200 before it knows that it cannot.
        (
            "complete",
            error(200, "InternalError"),
            Retry,
            "InternalError",
            1,
        ),
        (
            "complete",
            error(500, "InternalError"),
            Retry,
            "InternalError",
            1,
        ),
        (
            "complete",
            error(404, "NoSuchUpload"),
            Retry,
            "NoSuchUpload",
            1,
        ),
        (
            "complete",
            error(400, "InvalidPart"),
            Retry,
            "InvalidPart",
            1,
        ),
        (
            "complete",
            error(403, "AccessDenied"),
            Config,
            "AccessDenied",
            1,
        ),
    ] {
        let http = s3(move |step, _| (step == at).then(|| fault.clone()));
        let delivered = destination(&http, S3Options::default())
            .await
            .deliver(&large())
            .await;
        let error = delivered.unwrap_err();
        assert_eq!((error.class, &*error.code), (class, code), "{at}: {error}");
        let aborts = steps(&http).iter().filter(|step| **step == "abort").count();
        assert_eq!(aborts, aborted, "{at}: {error}");
        assert!(
            !error.reason.contains("lifecycle rule of the bucket"),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn parts_that_stay_are_spoken_of() {
    for (abort, said) in [("AccessDenied", true), ("NoSuchUpload", false)] {
        let http = s3(move |step, _| match step {
            "complete" => Some(error(400, "InvalidPart")),
            "abort" => Some(error(403, abort)),
            _ => None,
        });
        let delivered = destination(&http, S3Options::default())
            .await
            .deliver(&large())
            .await;
        let reason = delivered.unwrap_err().reason;
        assert_eq!(
            reason.contains("allow s3:AbortMultipartUpload"),
            said,
            "{reason}"
        );
    }
}

#[test]
fn no_error_code_stands_twice() {
    for (at, (code, ..)) in MEANINGS.iter().enumerate() {
        assert!(
            MEANINGS
                .iter()
                .skip(at + 1)
                .all(|(other, ..)| other != code)
        );
    }
}
