//! Destinations and credentials of AWS against moto, which keeps what arrives: the stream, the bucket and its
//! encryption, secrets and parameters.
//!
//! `tests/run` installs moto and names its place in `CLOUD_EXPORT_TEST_TOOLS`; without it these tests say that they
//! were skipped.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use aws_config::SdkConfig;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use bytes::Bytes;
use delivery::credential::Credential;
use delivery::encoding::Encoding;
use delivery::firehose::FirehoseDestination;
use delivery::s3::{S3Destination, S3Options, StorageClass};
use delivery::{Batch, Destination, Origin};
use e2e::programs::{ServerProgram, tools};
use invocation::{JsonClient, JsonService};
use telemetry::FailureClass;

fn batch(sequence: u32, bytes: impl Into<Bytes>) -> Batch {
    let origin = Origin {
        bucket: "logs".to_owned(),
        key: "a/b.log.gz".to_owned(),
        revision: "r1".to_owned(),
    };
    Batch {
        origins: [origin].into(),
        partition: "".into(),
        may_be_combined: false,
        sequence,
        records: 1,
        encoding: Encoding::NDJSON,
        bytes: bytes.into(),
    }
}

/// Lines that are all different, of so many bytes together at least.
fn lines(bytes: usize) -> String {
    let mut lines = String::new();
    for number in 0.. {
        if lines.len() >= bytes {
            break;
        }
        lines.push_str(&format!(
            "{{\"number\":{number},\"padding\":\"0123456789abcdef\"}}\n"
        ));
    }
    lines
}

async fn content(client: &aws_sdk_s3::Client, bucket: &str, key: &str) -> Bytes {
    let got = client.get_object().bucket(bucket).key(key).send().await;
    got.unwrap().body.collect().await.unwrap().into_bytes()
}

async fn keys(client: &aws_sdk_s3::Client, bucket: &str) -> Vec<String> {
    let listed = client
        .list_objects_v2()
        .bucket(bucket)
        .send()
        .await
        .unwrap();
    let keys = listed.contents().iter().filter_map(|object| object.key());
    keys.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_stream_takes_every_line_of_a_batch() {
    let Some(tools) = tools() else { return };
    let aws = ServerProgram::start(&tools, "aws_destinations/aws.py", &[]);
    let sdk = aws.sdk_config();
    let client = JsonClient::new(&sdk, JsonService::Firehose, None).unwrap();
    let stream = FirehoseDestination::new(client.clone(), "flows".to_owned());
    // More than one call holds.
    let sent = lines(9 << 20);
    let confirmed = stream.deliver(&batch(0, sent.clone())).await.unwrap();
    assert_eq!((confirmed.retries, confirmed.rejected), (0, 0));
    let s3 = aws_sdk_s3::Client::new(&sdk);
    let objects = keys(&s3, "landing").await;
    assert!(objects.len() > 1, "{objects:?}");
    let mut found: Vec<String> = Vec::new();
    for key in &objects {
        let content = content(&s3, "landing", key).await;
        found.extend(String::from_utf8_lossy(&content).lines().map(str::to_owned));
    }
    found.sort();
    let mut expected: Vec<&str> = sent.lines().collect();
    expected.sort_unstable();
    assert!(
        found == expected,
        "{} of {} lines",
        found.len(),
        expected.len()
    );

    let absent = FirehoseDestination::new(client, "absent".to_owned());
    let error = absent.deliver(&batch(0, "{}\n")).await.unwrap_err();
    assert_eq!(
        (error.class, &*error.code),
        (FailureClass::Config, "ResourceNotFoundException")
    );
    let reason = "there is no stream absent in us-east-1";
    assert!(error.reason.contains(reason), "{error}");
}

#[tokio::test]
async fn a_bucket_keeps_objects_as_the_options_say_small_and_large() {
    let Some(tools) = tools() else { return };
    let aws = ServerProgram::start(&tools, "aws_destinations/aws.py", &[]);
    let key = aws.started()["key"].as_str().unwrap();
    let sdk = aws.sdk_config();
    let s3 = aws_sdk_s3::Client::new(&sdk);
    let bucket = |options| S3Destination::new(s3.clone(), "lake".into(), "flows".into(), options);
    let chosen = S3Options {
        kms_key: Some(key.parse().unwrap()),
        storage_class: Some(StorageClass::StandardIa),
    };
    let large = lines(20 << 20);
    for (sequence, sent) in [(0, "{}\n"), (1, &*large)] {
        let batch = batch(sequence, sent.to_owned());
        let name = format!("flows/{}", batch.object_name());
        // A second attempt, with other options, replaces the first.
        for options in [S3Options::default(), chosen.clone()] {
            bucket(options).deliver(&batch).await.unwrap();
        }
        assert!(content(&s3, "lake", &name).await == sent.as_bytes());
        let head: HeadObjectOutput = s3
            .head_object()
            .bucket("lake")
            .key(&name)
            .send()
            .await
            .unwrap();
        let encryption = head.server_side_encryption().map(|e| e.as_str());
        assert_eq!(encryption, Some("aws:kms"));
        assert_eq!(head.ssekms_key_id(), Some(key));
        // Of objects in parts, moto forgets it.
        let bucket_key = (sequence == 0).then_some(true);
        assert_eq!(head.bucket_key_enabled(), bucket_key);
        assert_eq!(
            head.storage_class().map(|class| class.as_str()),
            Some("STANDARD_IA")
        );
        assert_eq!(head.content_type(), Some("application/x-ndjson"));
        assert_eq!(head.content_encoding(), None);
        assert_eq!(head.metadata().unwrap()["batch-id"], batch.id());
        // The ETag of an object in parts names their number.
        let parts = head.e_tag().unwrap().contains("-3");
        assert_eq!(parts, sent.len() > 1 << 20, "{:?}", head.e_tag());
    }
    assert_eq!(keys(&s3, "lake").await.len(), 2);
    let uploads = s3.list_multipart_uploads().bucket("lake").send().await;
    assert!(uploads.unwrap().uploads().is_empty());
}

async fn read(text: &str, sdk: &SdkConfig) -> Result<String, String> {
    let credential: Credential = text.parse().unwrap();
    let secret = credential.read(|_| None, sdk).await;
    secret
        .map(|secret| secret.expose().to_owned())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn credentials_are_read_from_secrets_manager_and_the_parameter_store() {
    let Some(tools) = tools() else { return };
    let aws = ServerProgram::start(&tools, "aws_destinations/aws.py", &[]);
    let sdk = aws.sdk_config();
    let token = aws.started()["token"].as_str().unwrap();
    let object = aws.started()["object"].as_str().unwrap();
    for text in [
        "secretsmanager:prod/token",
        "secretsmanager:prod/bytes",
        "secretsmanager:prod/object#hec_token",
        &format!("secretsmanager:{object}#hec_token"),
        "ssm:/prod/token",
        "ssm:/prod/token:2",
        "ssm:arn:aws:ssm:us-east-1:123456789012:parameter/prod/token",
    ] {
        assert_eq!(read(text, &sdk).await.as_deref(), Ok(token), "{text}");
    }
    assert_eq!(read("ssm:/prod/token:1", &sdk).await.unwrap(), "before");
    for (text, said) in [
        (
            "secretsmanager:absent",
            "there is no secret absent in us-east-1",
        ),
        (
            "secretsmanager:prod/object#absent",
            "it has no member absent",
        ),
        ("ssm:/absent", "there is no parameter /absent in us-east-1"),
    ] {
        let error = read(text, &sdk).await.unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}
