//! The deployment, with the tools a user has: `cargo lambda build` and `invoke`, then `sam build` and
//! `sam deploy` to an emulator of AWS, objects put into the log bucket that come out as records, and
//! what the emulator has of a network, which comes out as snapshots.
//!
//! The steps are Python programs in `deploy/`, since the emulator and the tools are. `tests/run` installs
//! them and names their place in `CLOUD_EXPORT_TEST_TOOLS`; without it this test says that it was
//! skipped.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use e2e::programs::{self, tools};
use e2e::project;
use e2e::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};
use serde_json::Value;

/// The release profile with what makes it slow to build left out: what is tested is the way, not
/// the speed.
const QUICK_RELEASE: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
];

/// Runs one of the programs; returns its report.
fn report(tools: &Path, program: &str, work: &Path, arguments: &[OsString]) -> Value {
    let root = project();
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let mut all: Vec<OsString> = vec!["--repo".into(), root.into(), "--work".into(), work.into()];
    all.extend_from_slice(arguments);
    let mut environment = vec![("CARGO_TARGET_DIR", target.join("deploy").into_os_string())];
    environment.extend(
        QUICK_RELEASE
            .iter()
            .map(|(name, value)| (*name, (*value).into())),
    );
    programs::report(tools, &format!("deploy/{program}"), &all, &environment)
}

#[test]
fn the_deployed_functions_turn_objects_into_records_and_a_network_into_snapshots() {
    let Some(tools) = tools() else { return };
    let work = tempfile::tempdir().unwrap();

    // Built by cargo-lambda, invoked by it with a sample event, reading from a real S3 server.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(S3Server::with_samples());
    let event = project().join("events/s3-everything.json");
    let settings = [
        "CLOUD_EXPORT_DESTINATIONS=stdout:".to_owned(),
        format!("AWS_ENDPOINT_URL={}", server.endpoint()),
        format!("AWS_ACCESS_KEY_ID={ACCESS_KEY}"),
        format!("AWS_SECRET_ACCESS_KEY={SECRET_KEY}"),
    ];
    let mut arguments: Vec<OsString> = vec!["--event".into(), event.into(), "--env".into()];
    arguments.extend(settings.map(OsString::from));
    let lambda = report(
        &tools,
        "cargo_lambda.py",
        &work.path().join("cargo-lambda"),
        &arguments,
    );
    assert_eq!(lambda["answer"], serde_json::json!({"status": "done"}));

    // Deployed with SAM, triggered by objects: text and Parquet, default and Hive-compatible keys.
    let samples = project().join("samples/flow-logs-use1");
    let keys = [
        (
            "AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20/123456789012_vpcflowlogs_us-east-1_fl-0a1b2c3d4e5f60718_20261120T1620Z_fe123456.log.gz",
            20,
        ),
        (
            "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=11/day=20/hour=16/123456789012_vpcflowlogs_us-east-1_fl-0b2c3d4e5f6071829_20261120T1620Z_2ad4bef5.log.gz",
            30,
        ),
        (
            "AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20/16/123456789012_vpcflowlogs_us-east-1_fl-0f60718293a4b5c6d_20261120T1620Z_a8b1c2d3.log.parquet",
            30,
        ),
    ];
    // The option is FILE=KEY: a file may have `=` in its own name, so each is copied to a plain one.
    let mut arguments: Vec<OsString> = Vec::new();
    for (number, (key, _)) in keys.iter().enumerate() {
        let copy = work.path().join(format!("sample-{number}"));
        std::fs::copy(samples.join(key), &copy).unwrap();
        arguments.extend([
            "--sample".into(),
            format!("{}={key}", copy.display()).into(),
        ]);
    }
    let records: u64 = keys.iter().map(|(_, records)| records).sum();
    arguments.extend(["--expect-records".into(), records.to_string().into()]);
    let deployed = report(
        &tools,
        "whole_way.py",
        &work.path().join("whole-way"),
        &arguments,
    );
    assert_eq!(deployed["records"], records);
    assert_eq!(
        (&deployed["idempotent"], &deployed["failed_invocation_kept"]),
        (&true.into(), &true.into())
    );
    let metadata = &deployed["metadata"];
    assert_eq!(metadata["queue_worked_off"], true);
    // What the emulator has, and what it lacks, which fails no run.
    let ended = |state: &str| metadata["states"][state].as_array().map_or(0, Vec::len);
    assert!(ended("ok") > 5 && ended("error") > 5, "{metadata:#}");
}
