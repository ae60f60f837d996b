//! The built command as a user meets it: what it prints where, and how it exits.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn cloud_export() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloud-export"));
    command.current_dir(project());
    // The machine's own settings are not the test's.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CLOUD_EXPORT_")) {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    cloud_export()
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn run_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = cloud_export()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn summary_value<'o>(output: &'o Output, name: &str) -> &'o str {
    let line = text(&output.stderr)
        .lines()
        .find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name:?} in {}", text(&output.stderr)))
        .trim()
}

fn lines(output: &Output) -> usize {
    text(&output.stdout).lines().count()
}

#[test]
fn parse_reads_standard_input_in_a_pipe() {
    let log = b"version srcaddr bytes action\n2 10.0.0.7 840 ACCEPT\n2 10.0.0.8 x ACCEPT\n";
    for arguments in [&["parse"][..], &["parse", "-"]] {
        let output = run_with_input(arguments, log);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(
            text(&output.stdout),
            "{\"version\":2,\"srcaddr\":\"10.0.0.7\",\"bytes\":840,\"action\":\"ACCEPT\"}\n"
        );
        assert_eq!(
            (
                summary_value(&output, "rows read"),
                summary_value(&output, "malformed rows")
            ),
            ("2", "1")
        );
        assert!(text(&output.stderr).contains("skipped: line 3: column bytes is not"));
    }
    let quiet = run_with_input(&["parse", "--quiet"], log);
    assert_eq!((lines(&quiet), quiet.stderr.len()), (1, 0));
}

#[test]
fn parse_reads_rows_of_a_given_format() {
    let output = run_with_input(
        &["parse", "--format", "${srcaddr} ${bytes}"],
        b"10.0.0.7 840\n",
    );
    assert_eq!(
        text(&output.stdout),
        "{\"srcaddr\":\"10.0.0.7\",\"bytes\":840}\n"
    );
    let wrong = run(&["parse", "--format", "${nonsense}"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("--format"));
}

#[test]
fn parse_goes_on_after_a_file_that_fails_and_exits_with_one() {
    let output = run(&[
        "parse",
        "samples/flow-logs-broken/truncated.log.gz",
        "no-such-file",
        "samples/flow-logs-use1/AWSLogs/210987654321/vpcflowlogs/us-east-1/2026/11/20/210987654321_vpcflowlogs_us-east-1_fl-060718293a4b5c6d7_20261120T1620Z_b7c8d9ea.log.zst",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        (
            summary_value(&output, "files  "),
            summary_value(&output, "files failed")
        ),
        ("1", "2")
    );
    let errors = text(&output.stderr);
    assert!(
        errors.contains("truncated.log.gz: the gzip data is truncated or corrupt"),
        "{errors}"
    );
    assert!(errors.contains("no-such-file: "), "{errors}");
    // Records before the fault are good ones, and the whole file's are there.
    assert!(lines(&output) >= 9);
}

#[test]
fn parse_ends_quietly_when_its_reader_does() {
    let log = run(&["generate", "--rows", "200000", "vpc-v2"]).stdout;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), log).unwrap();
    let mut child = cloud_export()
        .args(["parse", "--quiet"])
        .arg(file.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(first.starts_with("{\"version\":2"));
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn run_handles_the_shipped_event() {
    let output = run(&["run", "events/s3-everything.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        (
            summary_value(&output, "objects"),
            summary_value(&output, "records")
        ),
        ("10", "187")
    );
    assert_eq!(lines(&output), 187);
    assert!(text(&output.stderr).contains("answer to Lambda: {\"status\":\"done\"}"));
}

#[test]
fn run_says_what_failed_and_exits_with_one() {
    let output = run(&["run", "events/sqs-batch-partial.json"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    let answer = errors
        .lines()
        .find_map(|line| line.strip_prefix("answer to Lambda: "))
        .unwrap();
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 3);
    assert!(
        errors.contains("Poison.Read.corrupt") && errors.contains("Poison.Source.NoSuchKey"),
        "{errors}"
    );
}

#[test]
fn run_leaves_the_same_files_however_often() {
    let directory = tempfile::tempdir().unwrap();
    let destination = format!("file://{}", directory.path().display());
    let arguments = [
        "run",
        "events/s3-everything.json",
        "--destination",
        &destination,
    ];
    let files = || {
        let mut found = Vec::new();
        let mut directories = vec![directory.path().to_owned()];
        while let Some(next) = directories.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    found.push((path.clone(), std::fs::read(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    };
    assert_eq!(run(&arguments).status.code(), Some(0));
    let first = files();
    assert_eq!(first.len(), 10);
    assert_eq!(run(&arguments).status.code(), Some(0));
    assert_eq!(files(), first);
}

#[test]
fn run_takes_settings_from_the_environment() {
    let output = cloud_export()
        .args(["run", "events/s3-put.json"])
        .env("CLOUD_EXPORT_BATCH_BYTES", "many")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("CLOUD_EXPORT_BATCH_BYTES: \"many\" is not a whole number")
    );
}

#[test]
fn what_cannot_be_carried_out_exits_with_two() {
    for arguments in [
        &["run"][..],
        &["run", "no-such-event.json"],
        &["run", "README.md"],
        &[
            "run",
            "events/s3-put.json",
            "--buckets",
            "no-such-directory",
        ],
        &["backfill", "s3://logs/", "--buckets", "no-such-directory"],
        &["replay", "file:///no-such-directory"],
        &[
            "replay",
            "--dead-letters",
            "http://127.0.0.1:1/queue",
            "--to",
            "http://127.0.0.1:1/queue",
        ],
        &["run", "events/s3-put.json", "--destination", "kafka://x"],
        &["parse", "--no-such-option"],
        &["generate", "vpc-v2"],
        &["generate", "--rows", "1", "vpc-v99"],
        &["frobnicate"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text(&output.stderr).starts_with("error: ") || output.stderr.starts_with(b"Reads AWS"),
            "{arguments:?}"
        );
    }
}

#[test]
fn generate_makes_what_parse_reads() {
    for log in [
        "vpc-v2",
        "vpc-v5",
        "vpc-v11",
        "tgw",
        "firewall-alert",
        "firewall-flow",
        "firewall-tls",
    ] {
        let made = run(&["generate", "--rows", "500", "--encoding", "gzip", log]);
        assert_eq!(made.status.code(), Some(0));
        assert_eq!(
            made.stdout,
            run(&["generate", "--rows", "500", "--encoding", "gzip", log]).stdout
        );
        let read = run_with_input(&["parse"], &made.stdout);
        assert_eq!(
            (read.status.code(), summary_value(&read, "rows read")),
            (Some(0), "500"),
            "{log}"
        );
        assert_eq!(summary_value(&read, "malformed rows"), "0", "{log}");
    }
}

#[test]
fn generate_makes_metadata_that_collect_and_inventory_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let made = run(&["generate", "metadata", "--output", path]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let file = directory.path().join(telemetry::generate::ANSWERS_PATH);
    let printed = run(&["generate", "metadata"]).stdout;
    assert_eq!(std::fs::read(file).unwrap(), printed);
    let told = run(&["inventory", "--from", path]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told.stderr));
    let interfaces = text(&told.stdout)
        .lines()
        .find(|line| line.starts_with("interface "))
        .map(|line| line.split_whitespace().nth(1).unwrap().to_owned());
    assert_eq!(interfaces.as_deref(), Some("5,018"));
}

#[test]
fn generate_makes_parquet_of_the_same_rows() {
    let make = |encoding| {
        run(&[
            "generate",
            "--rows",
            "2000",
            "--encoding",
            encoding,
            "vpc-v5",
        ])
        .stdout
    };
    let text = run_with_input(&["parse"], &make("plain"));
    let parquet = run_with_input(&["parse"], &make("parquet"));
    assert_eq!(summary_value(&parquet, "rows read"), "2,000");
    assert_eq!(parquet.stdout, text.stdout);
    let firewall = run(&[
        "generate",
        "--rows",
        "1",
        "--encoding",
        "parquet",
        "firewall-tls",
    ]);
    assert_eq!(firewall.status.code(), Some(1));
}

#[test]
fn generate_stops_at_a_size_and_compresses_by_name() {
    let directory = tempfile::tempdir().unwrap();
    for (name, magic) in [
        ("a.log.gz", &[0x1f, 0x8b][..]),
        ("a.log.zst", &[0x28, 0xb5]),
        ("a.log", b"version "),
    ] {
        let path = directory.path().join(name);
        let output = run(&[
            "generate",
            "--bytes",
            "200KB",
            "--output",
            path.to_str().unwrap(),
            "vpc-v5",
        ]);
        assert_eq!(output.status.code(), Some(0));
        let made = std::fs::read(&path).unwrap();
        assert!(made.starts_with(magic), "{name}");
        assert!(
            (190_000..400_000).contains(&made.len()),
            "{name} has {} bytes",
            made.len()
        );
        assert_eq!(
            run(&["parse", path.to_str().unwrap()]).status.code(),
            Some(0)
        );
    }
}
