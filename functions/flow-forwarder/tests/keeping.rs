//! What cannot be delivered is kept aside, what is delivered may be deleted, and our own output is left alone:
//! over directories that stand for buckets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::path::Path;

use flow_forwarder::deletion::Deletion;
use flow_forwarder::event::ObjectRef;
use flow_forwarder::forwarder::Handled;
use flow_forwarder::quarantine::RowsFile;
use flow_forwarder::source::{
    AnySource, DirectorySource, ObjectSource, OpenObject, ReadObject, Removal,
};
use flow_forwarder::{Answer, Config, Forwarder};
use invocation::{Budget, aws};
use serde_json::{Value, json};

const KEY: &str = "AWSLogs/111111111111/vpcflowlogs/us-east-1/2026/11/20/111111111111_vpcflowlogs_us-east-1_fl-0a1b2c3d4e5f60718_20261120T1620Z_fe123456.log";
const LOG: &str =
    "srcaddr dstaddr bytes\n10.0.0.1 10.0.0.2 1\n10.0.0.1 10.0.0.2 x\n10.0.0.1 10.0.0.2 3\nshort\n";
const CLEAN: &str = "srcaddr dstaddr bytes\n10.0.0.1 10.0.0.2 1\n";

struct Place(tempfile::TempDir);

impl Place {
    fn with(objects: &[(&str, &[u8])]) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        for (key, content) in objects {
            place.put(key, content);
        }
        place
    }

    fn put(&self, key: &str, content: &[u8]) {
        let path = self.0.path().join("buckets/logs").join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn url(&self, below: &str) -> String {
        format!("file://{}", self.0.path().join(below).display())
    }

    fn source(&self) -> DirectorySource {
        DirectorySource::new(self.0.path().join("buckets"))
    }

    async fn run(&self, settings: &[(&str, &str)], keys: &[&str]) -> Handled {
        let out = self.url("out");
        let value = |name: &str| {
            let given = settings.iter().find(|(known, _)| *known == name);
            let fallback = (name == "CLOUD_EXPORT_DESTINATIONS").then(|| out.clone());
            given.map(|(_, value)| (*value).to_owned()).or(fallback)
        };
        let config = Config::from_lookup(value).unwrap();
        let source = AnySource::Directory(self.source());
        let sdk = aws::no_services();
        let forwarder = Forwarder::new(config, source, None, &sdk, &|_| None).await;
        let forwarder = forwarder.unwrap();
        let objects: Vec<Value> = keys
            .iter()
            .map(|key| json!({"bucket": "logs", "key": key}))
            .collect();
        let event = json!({"backfill": {"objects": objects}});
        forwarder.handle(&event, &Budget::UNLIMITED).await
    }

    /// Every file below a directory, by its path.
    fn files(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        fn add(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
            let Ok(entries) = std::fs::read_dir(directory) else {
                return;
            };
            for path in entries.map(|entry| entry.unwrap().path()) {
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

    fn lines_out(&self) -> usize {
        let files = self.files("out");
        let lines = |file: &Vec<u8>| file.iter().filter(|b| **b == b'\n').count();
        files.values().map(lines).sum()
    }
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_kept_with_their_reason_and_place() {
    let place = Place::with(&[(KEY, LOG.as_bytes())]);
    let quarantine = place.url("aside");
    let settings = [("CLOUD_EXPORT_QUARANTINE", quarantine.as_str())];
    let handled = place.run(&settings, &[KEY]).await;
    assert_eq!(
        (handled.answer, handled.report.rows_quarantined),
        (Answer::Done, 2)
    );
    assert_eq!(place.lines_out(), 2);
    let first = place.files("aside");
    let [(key, bytes)] = &Vec::from_iter(&first)[..] else {
        panic!("{:?}", first.keys());
    };
    assert!(key.starts_with(&format!("rows/logs/{KEY}.")) && key.ends_with(".ndjson.gz"));
    let file = RowsFile::from_bytes(bytes).unwrap();
    assert_eq!((&*file.origin.bucket, &*file.origin.key), ("logs", KEY));
    assert_eq!(file.format, "flow-text");
    assert_eq!(file.kept.layouts, [["srcaddr", "dstaddr", "bytes"]]);
    let rows = file.kept.rows.iter();
    let rows: Vec<_> = rows
        .map(|row| (row.row, &*row.reason, &*row.text, row.layout))
        .collect();
    assert_eq!(
        rows,
        [
            (3, "value", &b"10.0.0.1 10.0.0.2 x"[..], Some(0)),
            (5, "column_count", b"short", Some(0)),
        ]
    );
    assert_eq!((file.kept.left_out, file.malformed.len()), (0, 2));
    // Again gives the same.
    place.run(&settings, &[KEY]).await;
    assert_eq!(place.files("aside"), first);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_kept_instead_of_failing() {
    let cut = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";
    let place = Place::with(&[("cut.gz", cut), (KEY, CLEAN.as_bytes())]);
    let keys = ["cut.gz", KEY];
    let handled = place.run(&[], &keys).await;
    let Answer::Failed(failure) = handled.answer else {
        panic!("{:?}", handled.answer);
    };
    assert!(
        failure.error_type().starts_with("Poison.Read."),
        "{failure}"
    );
    let quarantine = place.url("aside");
    let settings = [("CLOUD_EXPORT_QUARANTINE", quarantine.as_str())];
    let handled = place.run(&settings, &keys).await;
    assert_eq!(handled.answer, Answer::Done);
    let report = &handled.report;
    assert_eq!((report.objects, report.objects_quarantined), (1, 1));
    let files = place.files("aside");
    let [(key, bytes)] = &Vec::from_iter(&files)[..] else {
        panic!("{:?}", files.keys());
    };
    assert!(key.starts_with("objects/logs/cut.gz."), "{key}");
    let file: Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(
        (&file["bucket"], &file["key"]),
        (&json!("logs"), &json!("cut.gz"))
    );
    assert_eq!(file["code"], json!(failure.code));
}

#[tokio::test]
async fn nothing_is_done_before_the_quarantine_has_it() {
    let place = Place::with(&[(KEY, LOG.as_bytes())]);
    std::fs::write(place.0.path().join("aside"), "no directory").unwrap();
    let quarantine = place.url("aside");
    let handled = place
        .run(&[("CLOUD_EXPORT_QUARANTINE", quarantine.as_str())], &[KEY])
        .await;
    let Answer::Failed(failure) = handled.answer else {
        panic!("{:?}", handled.answer);
    };
    assert_eq!(failure.error_type(), "Config.Quarantine");
}

#[tokio::test]
async fn only_what_is_whole_and_below_the_prefixes_is_deleted() {
    let objects = [
        (KEY, CLEAN.as_bytes()),
        ("AWSLogs/malformed.log", LOG.as_bytes()),
        ("elsewhere.log", CLEAN.as_bytes()),
        ("AWSLogs/cut.gz", b"\x1f\x8b\x08"),
    ];
    let place = Place::with(&objects);
    let quarantine = place.url("aside");
    let settings = [
        ("CLOUD_EXPORT_DELETE_AFTER_READ", "on"),
        ("CLOUD_EXPORT_DELETE_PREFIXES", "s3://logs/AWSLogs"),
        ("CLOUD_EXPORT_QUARANTINE", quarantine.as_str()),
    ];
    let keys = objects.map(|(key, _)| key);
    let handled = place.run(&settings, &keys).await;
    assert_eq!(handled.answer, Answer::Done);
    assert_eq!((handled.report.deleted, handled.report.not_deleted), (1, 1));
    let left: Vec<String> = place.files("buckets/logs").into_keys().collect();
    assert_eq!(
        left,
        ["AWSLogs/cut.gz", "AWSLogs/malformed.log", "elsewhere.log"]
    );
    // Its event comes again.
    let handled = place.run(&settings, &[KEY]).await;
    assert_eq!(handled.answer, Answer::Done);
    assert_eq!(
        handled.objects[0].outcome.deletion,
        Some(Deletion::DeletedBefore)
    );
    // Elsewhere, what is missing is missing.
    let missing = place.run(&settings[2..], &[KEY]).await;
    assert_eq!(missing.report.objects_quarantined, 1);
}

#[tokio::test]
async fn another_object_under_the_same_key_is_not_deleted() {
    let place = Place::with(&[(KEY, CLEAN.as_bytes())]);
    let source = place.source();
    let object = ObjectRef::new("logs", KEY);
    let opened: OpenObject = source.open(&object).await.unwrap();
    let read = ReadObject::new(&object, &opened);
    place.put(KEY, LOG.as_bytes());
    assert_eq!(source.delete(&read).await.unwrap(), Removal::Replaced);
    assert_eq!(place.files("buckets/logs").len(), 1);
    place.put(KEY, CLEAN.as_bytes());
    assert_eq!(source.delete(&read).await.unwrap(), Removal::Done);
    assert_eq!(source.delete(&read).await.unwrap(), Removal::Done);
}

#[tokio::test]
async fn our_own_output_is_not_forwarded_again() {
    let own = "flows/logs/a.log.gz.c74a43a89b26aa30-00001.ndjson";
    let place = Place::with(&[(own, CLEAN.as_bytes())]);
    let settings = [("CLOUD_EXPORT_DESTINATIONS", "s3://logs/flows")];
    let handled = place.run(&settings, &[own]).await;
    assert_eq!((handled.answer, handled.report.ignored), (Answer::Done, 1));
    assert!(handled.objects.is_empty());
}
