//! Objects forwarded with an index that is good, old, missing, damaged or of another version: every row
//! arrives, and is marked.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use flow_forwarder::forwarder::Handled;
use flow_forwarder::source::{AnySource, DirectorySource};
use flow_forwarder::{Config, Forwarder};
use invocation::{Budget, aws};
use serde_json::{Value, json};
use telemetry::index::{DIRECTORY_KEY, IndexUnit, directory_part, shard, shard_key};
use telemetry::inventory::{InventoryBuilder, Origin};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-east-1";
const KEY: &str = "AWSLogs/111111111111/vpcflowlogs/us-east-1/2026/11/20/111111111111_vpcflowlogs_us-east-1_fl-0a1b2c3d4e5f60718_20261120T1620Z_fe123456.log";
/// When the rows begin.
const FLOWS: u32 = 1_795_190_400;
const ROWS: usize = 2_000;

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let root = tempfile::tempdir().unwrap();
        let place = Place { root };
        let mut log = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n".to_owned();
        for row in 0..ROWS {
            let (from, to) = match row % 2 {
                0 => ("10.0.0.7", "10.0.0.8"),
                _ => ("10.0.0.8", "10.0.0.7"),
            };
            let start = FLOWS + row as u32 / 100;
            log += &format!(
                "2 {ACCOUNT} eni-1 {from} {to} {} 5432 6 10 {row} {start} {} ACCEPT OK\n",
                40_000 + row,
                start + 60
            );
        }
        place.write("buckets/logs", KEY, log.as_bytes());
        place
    }

    fn write(&self, below: &str, key: &str, bytes: &[u8]) {
        let path = self.root.path().join(below).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn url(&self, below: &str) -> String {
        format!("file://{}", self.root.path().join(below).display())
    }

    /// Writes the index of an account with two interfaces; `change` alters the shard.
    fn index(&self, collected: u32, change: impl FnOnce(&mut Vec<u8>)) {
        let interface = |number: u8| {
            let address = format!("10.0.0.{}", 6 + number);
            json!({
                "NetworkInterfaceId": format!("eni-{number}"), "OwnerId": ACCOUNT, "VpcId": "vpc-1",
                "SubnetId": "subnet-1", "AvailabilityZone": "us-east-1a", "PrivateIpAddress": address,
                "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": true}],
                "TagSet": [{"Key": "team", "Value": format!("net-{number}")}],
            })
        };
        let document = json!({
            "Vpcs": [{"VpcId": "vpc-1", "OwnerId": ACCOUNT, "CidrBlock": "10.0.0.0/16",
                "Tags": [{"Key": "Name", "Value": "prod"}]}],
            "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "OwnerId": ACCOUNT,
                "CidrBlock": "10.0.0.0/24"}],
            "NetworkInterfaces": [interface(1), interface(2)],
        });
        let mut builder = InventoryBuilder::new();
        let origin = Origin {
            account: Some(ACCOUNT.to_owned()),
            region: Some(REGION.to_owned()),
            seen: None,
        };
        builder.add(&document, origin);
        let inventory = builder.finish();
        let unit = IndexUnit {
            account: ACCOUNT,
            region: REGION,
            collected,
        };
        let directory = directory_part(&inventory, unit, None).unwrap();
        self.write("metadata", DIRECTORY_KEY, &directory);
        let mut bytes = shard(&inventory, unit, None, 0).unwrap().to_vec();
        change(&mut bytes);
        self.write("metadata", &shard_key(ACCOUNT, REGION), &bytes);
    }

    /// Forwards the object; returns what became of it, and the records.
    async fn forward(&self, settings: &[(&str, &str)]) -> (Handled, Vec<String>) {
        let output = tempfile::tempdir().unwrap();
        let lookup = |name: &str| match name {
            "CLOUD_EXPORT_DESTINATIONS" => Some(format!("file://{}", output.path().display())),
            // Several batches.
            "CLOUD_EXPORT_BATCH_BYTES" => Some("65536".to_owned()),
            name => {
                let set = settings.iter().find(|(known, _)| *known == name);
                set.map(|(_, value)| (*value).to_owned())
            }
        };
        let config = Config::from_lookup(lookup).unwrap();
        let sdk = aws::no_services();
        let index = config.enrichment.start(None, &sdk).await.unwrap();
        let source = DirectorySource::new(self.root.path().join("buckets"));
        let source = AnySource::Directory(source);
        let forwarder = Forwarder::new(config, source, index, &sdk, &|_| None).await;
        let forwarder = forwarder.unwrap();
        let event = json!({"backfill": {"objects": [{"bucket": "logs", "key": KEY}]}});
        let handled = forwarder.handle(&event, &Budget::UNLIMITED).await;
        let mut files = Vec::new();
        list(output.path(), &mut files);
        files.sort();
        let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).unwrap();
        let text: String = files.iter().map(read).collect();
        (handled, text.lines().map(str::to_owned).collect())
    }
}

fn list(directory: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => list(&path, files),
            false => files.push(path),
        }
    }
}

fn metrics(handled: &Handled) -> Value {
    let metrics = handled.report.metrics("n", "f", 0, Duration::ZERO);
    serde_json::from_str(&metrics).unwrap()
}

/// The runtime of the function has one thread.
#[tokio::test(flavor = "current_thread")]
async fn every_row_arrives_whatever_the_index_is_like() {
    let place = Place::new();
    let (plain, as_they_are) = place.forward(&[]).await;
    assert_eq!(as_they_are.len(), ROWS);
    assert!(plain.report.sides.is_none());
    assert!(metrics(&plain).get("SidesHit").is_none());
    let metadata = place.url("metadata");
    let settings = [("CLOUD_EXPORT_METADATA", metadata.as_str())];
    type Change = fn(&mut Vec<u8>);
    let same: Change = |_| {};
    let damaged: Change = |bytes| *bytes.last_mut().unwrap() ^= 1;
    let cut: Change = |bytes| bytes.truncate(bytes.len() / 2);
    let newer: Change = |bytes| bytes[8] = 2;
    let now = Some(FLOWS - 3600);
    let cases: [(&str, Option<u32>, Change, [u64; 3]); 6] = [
        ("", now, same, [2, 0, 0]),
        ("stale", Some(FLOWS - 25 * 3600), same, [0, 2, 0]),
        ("missing", None, same, [0, 0, 2]),
        ("corrupt", now, damaged, [0, 0, 2]),
        ("corrupt", now, cut, [0, 0, 2]),
        ("newer", now, newer, [0, 0, 2]),
    ];
    for (mark, collected, change, sides) in cases {
        match collected {
            Some(collected) => place.index(collected, change),
            None => std::fs::remove_dir_all(place.root.path().join("metadata")).unwrap(),
        }
        let (handled, records) = place.forward(&settings).await;
        assert_eq!(records.len(), ROWS, "{mark}");
        for (record, plain) in records.iter().zip(&as_they_are) {
            // What AWS wrote comes first, unchanged.
            let plain = plain.strip_suffix('}').unwrap();
            assert!(record.starts_with(plain), "{record}");
            let record: Value = serde_json::from_str(record).unwrap();
            let told = record.get("metadata").and_then(Value::as_str);
            assert_eq!(told.unwrap_or_default(), mark, "{record}");
            let known = sides[2] == 0;
            assert_eq!(
                record.get("src_vpc_name"),
                known.then_some(&json!("prod")),
                "{record}"
            );
            assert_eq!(record.get("dst_interface_id").is_some(), known, "{record}");
        }
        let metrics = metrics(&handled);
        let counted = ["SidesHit", "SidesStale", "SidesMissed"].map(|name| metrics[name].as_u64());
        assert_eq!(
            counted,
            sides.map(|each| Some(each * ROWS as u64)),
            "{mark}"
        );
        let loaded = metrics["IndexLoaded"].as_u64().unwrap();
        assert_eq!(loaded > 0, mark != "missing", "{mark}");
        let reasons = handled.objects[0].outcome.sides.as_ref().unwrap();
        assert_eq!(
            reasons.misses_by_reason().count(),
            usize::from(sides[2] > 0)
        );
    }
}

#[tokio::test]
async fn records_are_marked_without_an_index_when_fields_are_chosen() {
    let place = Place::new();
    for fields in ["none", ""] {
        let (handled, records) = place.forward(&[("CLOUD_EXPORT_ENRICH", fields)]).await;
        assert!(handled.report.sides.is_none());
        assert!(!records[0].contains("metadata"), "{}", records[0]);
    }
    let (handled, records) = place.forward(&[("CLOUD_EXPORT_ENRICH", "minimal")]).await;
    assert_eq!(handled.report.sides.unwrap().misses(), 2 * ROWS as u64);
    for record in records {
        assert!(record.contains("\"metadata\":\"missing\""), "{record}");
    }
}

#[tokio::test]
async fn tags_are_added_whatever_else_is() {
    let place = Place::new();
    place.index(FLOWS - 3600, |_| {});
    let metadata = place.url("metadata");
    let tags = |record: &str| {
        let record: serde_json::Map<_, _> = serde_json::from_str(record).unwrap();
        let tags = record.into_iter();
        tags.filter(|(name, _)| name.contains("_tag_"))
            .collect::<Vec<_>>()
    };
    let forward = async |fields| {
        let (_, records) = place
            .forward(&[
                ("CLOUD_EXPORT_METADATA", &metadata),
                ("CLOUD_EXPORT_ENRICH", fields),
                ("CLOUD_EXPORT_TAGS", "team"),
            ])
            .await;
        records
    };
    let (plain, minimal) = (forward("none").await, forward("minimal").await);
    assert_eq!(tags(&plain[0]).len(), 2, "{}", plain[0]);
    assert!(!plain[0].contains("src_status"), "{}", plain[0]);
    assert!(
        plain
            .iter()
            .map(|r| tags(r))
            .eq(minimal.iter().map(|r| tags(r)))
    );
}

#[tokio::test]
async fn rules_ask_for_what_is_known_whether_it_is_added_or_not() {
    let place = Place::new();
    place.index(FLOWS - 3600, |_| {});
    let metadata = place.url("metadata");
    let mut kept = Vec::new();
    for rules in [
        "keep src_interface_id=eni-1; drop",
        "drop src_interface_id=eni-1",
    ] {
        let forward = async |fields| {
            let settings = [
                ("CLOUD_EXPORT_METADATA", &*metadata),
                ("CLOUD_EXPORT_ENRICH", fields),
                ("CLOUD_EXPORT_SELECT", rules),
            ];
            place.forward(&settings).await.1
        };
        let (plain, full) = (forward("none").await, forward("full").await);
        assert_eq!(plain.len(), full.len(), "{rules}");
        assert!(!plain.iter().any(|record| record.contains("src_")));
        kept.push(plain.len());
    }
    assert!(kept.iter().all(|kept| *kept > 0), "{kept:?}");
    assert_eq!(kept.iter().sum::<usize>(), ROWS);
}

#[tokio::test]
async fn rules_that_ask_for_what_nothing_tells_stop_the_start_with_a_sentence() {
    let place = Place::new();
    let metadata = place.url("metadata");
    for (fields, metadata, is_met) in [
        ("", "", false),
        ("none", "", false),
        ("standard", "", true),
        ("none", &metadata, true),
    ] {
        let lookup = |name: &str| match name {
            "CLOUD_EXPORT_DESTINATIONS" => Some("stdout:".to_owned()),
            "CLOUD_EXPORT_ENRICH" => Some(fields.to_owned()),
            "CLOUD_EXPORT_METADATA" => Some(metadata.to_owned()),
            "CLOUD_EXPORT_SELECT" => {
                Some("drop action=REJECT; keep scope=internet; drop".to_owned())
            }
            _ => None,
        };
        let config = Config::from_lookup(lookup).unwrap();
        let sdk = aws::no_services();
        let index = config.enrichment.start(None, &sdk).await.unwrap();
        let source = DirectorySource::new(place.root.path().join("buckets"));
        let source = AnySource::Directory(source);
        match Forwarder::new(config, source, index, &sdk, &|_| None).await {
            Ok(_) => assert!(is_met, "{fields:?} {metadata:?}"),
            Err(error) => {
                let error = error.to_string();
                assert!(!is_met, "{error}");
                assert!(
                    error.contains("\"keep scope=internet\" asks for"),
                    "{error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_stop_the_start_with_a_sentence() {
    let root = tempfile::tempdir().unwrap();
    let wrong = root.path().join("wrong");
    std::fs::write(&wrong, "no such thing").unwrap();
    for name in [
        "CLOUD_EXPORT_PRICES",
        "CLOUD_EXPORT_AWS_RANGES",
        "CLOUD_EXPORT_GEOIP",
    ] {
        for path in [&wrong, &root.path().join("nothing")] {
            let lookup = |asked: &str| match asked {
                "CLOUD_EXPORT_DESTINATIONS" => Some("stdout:".to_owned()),
                asked if asked == name => Some(path.display().to_string()),
                _ => None,
            };
            let config = Config::from_lookup(lookup).unwrap();
            let started = config.enrichment.start(None, &aws::no_services()).await;
            let said = started.unwrap_err().to_string();
            let expected = format!("{name}: {}", path.display());
            assert!(said.starts_with(&expected), "{said}");
            assert!(said.contains(". A valid value: "), "{said}");
        }
    }
}
