//! Backfills that stop and go on, and what was in quarantine, end in what an undisturbed run gives.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

const CLEAN: &str = "srcaddr dstaddr bytes\n10.0.0.1 10.0.0.2 1\n10.0.0.1 10.0.0.2 2\n";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn put(&self, key: &str, content: &[u8]) {
        let path = self.0.path().join("buckets/logs").join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn run(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloud-export"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CLOUD_EXPORT_")) {
            command.env_remove(name);
        }
        command
            .current_dir(self.0.path())
            .args(arguments)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn done(&self, settings: &[(&str, &str)], arguments: &[&str]) -> String {
        let output = self.run(settings, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn files(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        fn add(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
            for entry in std::fs::read_dir(directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => add(root, &path, files),
                    false => {
                        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                        files.insert(name.to_owned(), std::fs::read(&path).unwrap());
                    }
                }
            }
        }
        let root = self.0.path().join(below);
        let mut files = BTreeMap::new();
        add(&root, &root, &mut files);
        files
    }

    fn lines(&self, below: &str) -> usize {
        let lines = |file: &Vec<u8>| file.iter().filter(|byte| **byte == b'\n').count();
        self.files(below).values().map(lines).sum()
    }
}

const BACKFILL: [&str; 5] = [
    "backfill",
    "s3://logs/AWSLogs/",
    "--buckets",
    "buckets",
    "--run",
];

#[test]
fn a_backfill_in_steps_is_the_same_as_one_in_one_go() {
    let place = Place::new();
    for number in 0..7 {
        place.put(&format!("AWSLogs/{number}.log"), CLEAN.as_bytes());
    }
    place.put("elsewhere.log", CLEAN.as_bytes());
    let planned = place.done(&[], &BACKFILL[..4]);
    assert!(planned.starts_with("7 objects, "), "{planned}");
    let misspelt = place.run(&[], &["backfill", "s3://log/", "--buckets", "buckets"]);
    assert_eq!(misspelt.status.code(), Some(1));
    let whole = [&BACKFILL[..], &["--destination", "file://whole"]].concat();
    place.done(&[], &whole);
    let step = [
        "--destination",
        "file://parts",
        "--state",
        "state.json",
        "--limit",
        "3",
    ];
    let step = [&BACKFILL[..], &step].concat();
    for delivered in [3, 6, 7, 7] {
        place.done(&[], &step);
        assert_eq!(place.files("parts").len(), delivered);
    }
    assert_eq!(place.files("parts"), place.files("whole"));
    // The file belongs to what it was begun for.
    let other = [&step[..], &["--from", "2026-11-20"]].concat();
    assert_eq!(place.run(&[], &other).status.code(), Some(2));
    let nothing = ["--from", "2026-11-20", "--to", "2026-11-19"];
    let nothing = [&BACKFILL[..4], &nothing].concat();
    assert_eq!(place.run(&[], &nothing).status.code(), Some(2));
}

#[test]
fn what_failed_in_a_backfill_is_tried_again_first() {
    let place = Place::new();
    place.put("AWSLogs/1.log", b"\x1f\x8b\x08");
    place.put("AWSLogs/2.log", CLEAN.as_bytes());
    let run = ["--destination", "file://out", "--state", "state.json"];
    let run = [&BACKFILL[..], &run].concat();
    assert_eq!(place.run(&[], &run).status.code(), Some(1));
    assert_eq!(place.files("out").len(), 1);
    place.put("AWSLogs/1.log", CLEAN.as_bytes());
    // It is part of what there is to do.
    let state = ["--state", "state.json"];
    let planned = place.done(&[], &[&BACKFILL[..4], &state].concat());
    assert!(planned.starts_with("1 objects, "), "{planned}");
    let after = [&run[..], &["--after", "AWSLogs/1.log"]].concat();
    assert_eq!(place.run(&[], &after).status.code(), Some(2));
    place.done(&[], &run);
    assert_eq!(place.files("out").len(), 2);
}

#[test]
fn the_summary_tells_the_minutes_in_which_a_limit_left_records_out() {
    let place = Place::new();
    let mut log = "interface-id srcaddr dstaddr srcport dstport protocol start\n".to_owned();
    for port in 1..=500 {
        log += &format!("eni-1 10.0.0.1 10.0.0.2 {port} 443 6 1795190460\n");
    }
    place.put("AWSLogs/1.log", log.as_bytes());
    let rules = [("CLOUD_EXPORT_SELECT", "limit 1/s per device")];
    let output = place.run(&rules, &BACKFILL);
    let said = String::from_utf8(output.stderr).unwrap();
    let limited = said
        .lines()
        .find(|line| line.starts_with("limited by rule 1: 1/"));
    let limited = limited.unwrap_or_else(|| panic!("{said}"));
    let minute = "of eni-1 in the minute of 2026-11-20T16:01:00Z, ";
    let (_, left_out) = limited.split_once(minute).unwrap();
    let left_out: usize = left_out
        .trim_end_matches(" records left out")
        .parse()
        .unwrap();
    let kept = output.stdout.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(kept + left_out, 500);
}

/// A receiver on this machine, and the targets of its requests so far. `answer` gives status and body by the number of the
/// request.
fn receiver(
    answer: impl Fn(usize) -> (&'static str, &'static [u8]) + Send + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let targets: Arc<Mutex<Vec<String>>> = Arc::default();
    let asked = Arc::clone(&targets);
    std::thread::spawn(move || {
        for (number, connection) in listener.incoming().enumerate() {
            let mut connection = BufReader::new(connection.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            connection.read_line(&mut line).unwrap();
            let target = line.split(' ').nth(1).unwrap().to_owned();
            line.clear();
            while connection.read_line(&mut line).unwrap() > 2 {
                let lower = line.to_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            connection.read_exact(&mut vec![0; length]).unwrap();
            asked.lock().unwrap().push(target);
            let (status, body) = answer(number);
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let mut connection = connection.into_inner();
            connection.write_all(head.as_bytes()).unwrap();
            connection.write_all(body).unwrap();
        }
    });
    (url, targets)
}

/// Receivers that only their query tells apart get what they refused themselves.
#[test]
fn a_batch_goes_back_to_the_receiver_that_refused_it() {
    let place = Place::new();
    place.put("AWSLogs/1.log", CLEAN.as_bytes());
    let settings = [("CLOUD_EXPORT_QUARANTINE", "file://aside")];
    let (url, targets) = receiver(|number| match number {
        0..3 => ("400 Bad Request", &[]),
        _ => ("200 OK", &[]),
    });
    let urls = [7, 8, 9].map(|tenant| format!("{url}/in?tenant={tenant}"));
    let to: Vec<&str> = urls.iter().flat_map(|url| ["--destination", url]).collect();
    place.done(&settings, &[&BACKFILL[..], &to].concat());
    assert_eq!(place.files("aside").len(), 6);
    targets.lock().unwrap().clear();
    // One of them is no destination any more: its batch stays.
    let replay = [&["replay", "file://aside", "--delete"][..], &to[2..]].concat();
    assert_eq!(place.run(&settings, &replay).status.code(), Some(1));
    let mut asked = targets.lock().unwrap().clone();
    asked.sort();
    assert_eq!(asked, ["/in?tenant=8", "/in?tenant=9"]);
    assert_eq!(place.files("aside").len(), 2);
    // Nor does it go to the only other one.
    let replay = [&["replay", "file://aside", "--delete"][..], &to[4..]].concat();
    assert_eq!(place.run(&settings, &replay).status.code(), Some(1));
    assert_eq!(targets.lock().unwrap().len(), 2);
}

#[test]
fn what_a_receiver_takes_and_does_not_keep_stays_in_quarantine() {
    for kept in [false, true] {
        let place = Place::new();
        place.put("AWSLogs/1.log", CLEAN.as_bytes());
        let settings = [("CLOUD_EXPORT_QUARANTINE", "file://aside")];
        // partial_success { rejected_log_records: 2, error_message: "old" }
        let refused: &[u8] = &[10, 7, 8, 2, 18, 3, b'o', b'l', b'd'];
        let (url, _) = receiver(move |number| match (number, kept) {
            (0, _) => ("400 Bad Request", &[]),
            (_, false) => ("200 OK", refused),
            (_, true) => ("200 OK", &[]),
        });
        let url = format!("otlp+{url}");
        let to = ["--destination", &url];
        place.done(&settings, &[&BACKFILL[..], &to].concat());
        assert_eq!(place.files("aside").len(), 2);
        let replay = [&["replay", "file://aside", "--delete"][..], &to].concat();
        let output = place.run(&settings, &replay);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(!kept)), "{said}");
        assert_eq!(
            said.contains("2 of its records were refused: "),
            !kept,
            "{said}"
        );
        assert_eq!(place.files("aside").len(), if kept { 0 } else { 2 });
    }
}

/// Each format gives records of its own.
#[test]
fn rows_of_two_formats_stand_beside_one_another() {
    let place = Place::new();
    let rows = format!("{CLEAN}10.9.9.9 10.0.0.2 ACCEPT 3\n10.7.7.7 10.0.0.2 REJECT 4 6\n");
    place.put("AWSLogs/rows.log", rows.as_bytes());
    let settings = [("CLOUD_EXPORT_QUARANTINE", "file://aside")];
    let to = ["--destination", "file://out"];
    place.done(&settings, &[&BACKFILL[..], &to].concat());
    for format in [
        "${srcaddr} ${dstaddr} ${action} ${bytes}",
        "${srcaddr} ${dstaddr} ${action} ${bytes} ${protocol}",
    ] {
        let replay = ["replay", "file://aside", "--format", format];
        let replay = [&replay[..], &to].concat();
        // The row of the other format stays.
        assert_eq!(place.run(&settings, &replay).status.code(), Some(1));
        place.run(&settings, &replay);
    }
    assert_eq!(place.lines("out"), 4);
    for address in ["10.9.9.9", "10.7.7.7"] {
        let has = |file: &Vec<u8>| String::from_utf8_lossy(file).contains(address);
        assert_eq!(
            place.files("out").values().filter(|file| has(file)).count(),
            1
        );
    }
}

#[test]
fn what_was_in_quarantine_is_delivered_once_it_can_be() {
    let place = Place::new();
    place.put("AWSLogs/cut.log", b"\x1f\x8b\x08");
    let rows = format!("{CLEAN}10.0.0.1 10.0.0.2 ACCEPT 3\n10.0.0.1 10.0.0.2 REJECT 4\n");
    place.put("AWSLogs/rows.log", rows.as_bytes());
    let settings = [("CLOUD_EXPORT_QUARANTINE", "file://aside")];
    let run = [&BACKFILL[..], &["--destination", "file://out"]].concat();
    place.done(&settings, &run);
    assert_eq!((place.lines("out"), place.files("aside").len()), (2, 2));

    // As long as nothing is mended, all stays.
    let replay = ["replay", "file://aside", "--delete", "--buckets", "buckets"];
    let replay = [&replay[..], &["--destination", "file://out"]].concat();
    assert_eq!(place.run(&settings, &replay).status.code(), Some(1));
    assert_eq!((place.lines("out"), place.files("aside").len()), (2, 2));

    let format = [
        "--kind",
        "rows",
        "--format",
        "${srcaddr} ${dstaddr} ${action} ${bytes}",
    ];
    place.done(&settings, &[&replay[..], &format].concat());
    assert_eq!((place.lines("out"), place.files("aside").len()), (4, 1));
    place.put("AWSLogs/cut.log", CLEAN.as_bytes());
    place.done(&settings, &replay);
    assert_eq!((place.lines("out"), place.files("aside").len()), (6, 0));
}
