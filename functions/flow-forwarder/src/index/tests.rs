//! What is in memory of an index, in a directory and in a bucket.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use aws_sdk_s3::config::{BehaviorVersion, Region};
use serde_json::json;
use telemetry::enrichment::field::End;
use telemetry::enrichment::{FieldSet, How, Level, Status};
use telemetry::index::{IndexUnit, directory_part, shard};
use telemetry::inventory::{Inventory, InventoryBuilder, Origin as DocumentOrigin};
use telemetry::{LogReader, ReadOptions, Row};

use super::*;

const ACCOUNTS: [&str; 3] = ["111111111111", "222222222222", "333333333333"];
const REGION: &str = "us-east-1";
const COLLECTED: u32 = 1_795_190_000;
const REFRESH: Duration = Duration::from_secs(300);

/// An account with one interface, which has the address 10.0.0.7.
fn inventory(account: &str, interfaces: usize) -> Inventory {
    let interface = |number: usize| {
        json!({
            "NetworkInterfaceId": format!("eni-{account}{number}"), "OwnerId": account,
            "VpcId": format!("vpc-{account}"), "SubnetId": format!("subnet-{account}"),
            "AvailabilityZone": "us-east-1a", "PrivateIpAddress": format!("10.0.0.{}", 7 + number),
            "PrivateIpAddresses": [{"PrivateIpAddress": format!("10.0.0.{}", 7 + number), "Primary": true}],
        })
    };
    let document = json!({
        "Vpcs": [{"VpcId": format!("vpc-{account}"), "OwnerId": account, "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": format!("subnet-{account}"), "VpcId": format!("vpc-{account}"),
            "OwnerId": account, "CidrBlock": "10.0.0.0/24"}],
        "NetworkInterfaces": (0..interfaces).map(interface).collect::<Vec<_>>(),
    });
    let mut builder = InventoryBuilder::new();
    let origin = DocumentOrigin {
        account: Some(account.to_owned()),
        region: Some(REGION.to_owned()),
        seen: None,
    };
    builder.add(&document, origin);
    builder.finish()
}

fn unit(account: &str) -> IndexUnit<'_> {
    IndexUnit {
        account,
        region: REGION,
        collected: COLLECTED,
    }
}

fn shard_bytes(account: &str, interfaces: usize) -> Bytes {
    shard(&inventory(account, interfaces), unit(account), None, 0).unwrap()
}

fn directory_bytes() -> Bytes {
    let part = |account: &&str| {
        let part = directory_part(&inventory(account, 1), unit(account), None).unwrap();
        Directory::open(part).unwrap()
    };
    let parts: Vec<Directory> = ACCOUNTS.iter().map(part).collect();
    Directory::merge(&parts).unwrap()
}

/// A place with the index of all accounts, and a clock.
struct Place {
    root: tempfile::TempDir,
    clock: Arc<Mutex<Instant>>,
}

impl Place {
    fn empty() -> Place {
        Place {
            root: tempfile::tempdir().unwrap(),
            clock: Arc::new(Mutex::new(Instant::now())),
        }
    }

    fn whole() -> Place {
        let place = Place::empty();
        place.write(DIRECTORY_KEY, &directory_bytes());
        for account in ACCOUNTS {
            place.write(&shard_key(account, REGION), &shard_bytes(account, 1));
        }
        place
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.path().join(key)
    }

    fn write(&self, key: &str, bytes: &[u8]) {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Another file each time, as the collector writes: the revision tells them apart.
        let beside = path.with_extension("new");
        std::fs::write(&beside, bytes).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    fn pass(&self, time: Duration) {
        *self.clock.lock().unwrap() += time;
    }

    fn index(&self, bytes: usize) -> Arc<Index> {
        let store = Store::Directory(self.root.path().to_owned());
        let clock = Arc::clone(&self.clock);
        let limits = Limits {
            bytes,
            refresh: REFRESH,
            ..Limits::default()
        };
        let now = move || *clock.lock().unwrap();
        Index::with_clock(IndexPlace::Store(store), options(), limits, now)
    }
}

fn options() -> Options {
    Options::new(FieldSet::of(Level::Standard))
}

const ROOM: usize = 1 << 20;

/// Enriches a record of an account's interface, as the pipeline does: what became of its source.
async fn source(index: &Arc<Index>, account: &str) -> (Status, How) {
    let (lease, found) = enriched(index.enricher(Origin::default()).await, account).await;
    index.take_back(lease);
    found
}

async fn enriched(mut lease: Lease, account: &str) -> (Lease, (Status, How)) {
    let log = format!(
        "account-id interface-id srcaddr dstaddr start end flow-direction region\n{account} eni-{account}0 10.0.0.7 10.0.0.9 1795190400 1795190460 egress {REGION}\n"
    );
    let thread = tokio::task::spawn_blocking(move || {
        let options = ReadOptions::new(std::env::temp_dir());
        let mut log = LogReader::open(log.as_bytes(), &options).unwrap();
        let Some(Row::Record(record)) = log.next_row().unwrap() else {
            panic!("there is no record");
        };
        let enrichment = lease.enrich(&record);
        let side = enrichment.side(End::Source).unwrap();
        let found = (side.status, side.how);
        (lease, found)
    });
    thread.await.unwrap()
}

const FOUND: (Status, How) = (Status::Hit, How::Interface);
const MISSING: (Status, How) = (Status::Miss, How::NoIndex);
const CORRUPT: (Status, How) = (Status::Miss, How::IndexCorrupt);
const NEWER: (Status, How) = (Status::Miss, How::IndexNewer);
const UNREADABLE: (Status, How) = (Status::Miss, How::IndexUnreadable);

/// Units that are in memory.
fn held(index: &Index) -> Vec<String> {
    let state = index.state();
    let ready = state.shards.iter().filter(|(_, part)| part.bytes > 0);
    let mut accounts: Vec<String> = ready.map(|((account, _), _)| account.clone()).collect();
    accounts.sort();
    accounts
}

#[tokio::test]
async fn only_what_records_need_is_loaded_and_that_once() {
    let place = Place::whole();
    let index = place.index(ROOM);
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(index.fetched(), 0);
    for _ in 0..2 {
        assert_eq!(source(&index, ACCOUNTS[0]).await, FOUND);
        assert_eq!(held(&index), [ACCOUNTS[0]]);
    }
    let files = directory_bytes().len() + shard_bytes(ACCOUNTS[0], 1).len();
    assert_eq!(index.fetched(), files as u64);
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(index.fetched(), 0);
}

#[tokio::test]
async fn what_is_missing_is_missing_until_it_is_asked_for_anew() {
    let place = Place::empty();
    let index = place.index(ROOM);
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(source(&index, ACCOUNTS[0]).await, MISSING);
    place.write(DIRECTORY_KEY, &directory_bytes());
    place.write(
        &shard_key(ACCOUNTS[0], REGION),
        &shard_bytes(ACCOUNTS[0], 1),
    );
    place.pass(REFRESH - Duration::from_secs(1));
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(source(&index, ACCOUNTS[0]).await, MISSING);
    place.pass(Duration::from_secs(1));
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(source(&index, ACCOUNTS[0]).await, FOUND);
}

#[tokio::test]
async fn damaged_files_and_those_of_a_newer_version_are_told_apart() {
    let place = Place::whole();
    let key = shard_key(ACCOUNTS[0], REGION);
    let good = shard_bytes(ACCOUNTS[0], 1);
    let mut newer = good.to_vec();
    newer[8] = 99;
    let mut damaged = good.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let index = place.index(ROOM);
    for (bytes, expected) in [
        (&damaged[..], CORRUPT),
        (&good[..40], CORRUPT),
        (b"", CORRUPT),
        (&newer, NEWER),
        (&good, FOUND),
        (&newer, NEWER),
    ] {
        place.write(&key, bytes);
        place.pass(REFRESH);
        index.begin(&Budget::UNLIMITED).await;
        assert_eq!(source(&index, ACCOUNTS[0]).await, expected);
        // The other accounts are as they were.
        assert_eq!(source(&index, ACCOUNTS[1]).await, FOUND);
    }
    // Without the directory, the record's own account and region still lead to its shard.
    place.write(DIRECTORY_KEY, b"no directory");
    place.pass(REFRESH);
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(source(&index, ACCOUNTS[1]).await, FOUND);
}

#[tokio::test]
async fn enrichers_are_used_again_until_something_changes() {
    let place = Place::whole();
    let index = place.index(ROOM);
    let idle = |index: &Index| index.idle().len();
    for _ in 0..3 {
        index.begin(&Budget::UNLIMITED).await;
        assert_eq!(source(&index, ACCOUNTS[0]).await, FOUND);
        place.pass(REFRESH);
        assert_eq!(idle(&index), 1);
    }
    // One of an object that is in work while something changes is of the past.
    let lease = index.enricher(Origin::default()).await;
    place.write(
        &shard_key(ACCOUNTS[0], REGION),
        &shard_bytes(ACCOUNTS[0], 2),
    );
    index.begin(&Budget::UNLIMITED).await;
    index.take_back(lease);
    assert_eq!(idle(&index), 0);
    let bytes = shard_bytes(ACCOUNTS[0], 2).len();
    assert_eq!(index.fetched(), bytes as u64);
}

#[tokio::test]
async fn what_is_there_stays_when_it_cannot_be_asked_for_anew() {
    let place = Place::whole();
    let index = place.index(ROOM);
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(source(&index, ACCOUNTS[0]).await, FOUND);
    // A directory in place of a file cannot be read.
    let unreadable = |account| {
        let path = place.path(&shard_key(account, REGION));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        path
    };
    let paths = [ACCOUNTS[0], ACCOUNTS[1]].map(unreadable);
    place.pass(REFRESH);
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(source(&index, ACCOUNTS[0]).await, FOUND);
    assert_eq!(source(&index, ACCOUNTS[1]).await, UNREADABLE);
    for path in paths {
        std::fs::remove_dir(path).unwrap();
    }
    place.write(
        &shard_key(ACCOUNTS[1], REGION),
        &shard_bytes(ACCOUNTS[1], 1),
    );
    place.pass(REFRESH);
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(source(&index, ACCOUNTS[0]).await, MISSING);
    assert_eq!(source(&index, ACCOUNTS[1]).await, FOUND);
}

#[tokio::test]
async fn shards_used_longest_ago_make_room() {
    let place = Place::whole();
    let shards = ACCOUNTS.map(|account| shard_bytes(account, 1).len());
    let room = directory_bytes().len() + shards[0] + shards[1];
    let index = place.index(room);
    for (account, expected) in [
        (0, &[0][..]),
        (1, &[0, 1]),
        (0, &[0, 1]),
        (2, &[0, 2]),
        (1, &[1, 2]),
        (0, &[0, 1]),
    ] {
        assert_eq!(source(&index, ACCOUNTS[account]).await, FOUND);
        // Memory is short: an enricher that is kept would keep its shards.
        assert_eq!(index.idle().len(), 0);
        let expected: Vec<&str> = expected.iter().map(|at| ACCOUNTS[*at]).collect();
        assert_eq!(held(&index), expected, "after {account}");
        assert!(index.state().bytes() <= room);
    }
}

#[tokio::test]
async fn the_budget_holds_whatever_objects_need() {
    let place = Place::whole();
    let room = directory_bytes().len() + shard_bytes(ACCOUNTS[0], 1).len();
    let index = place.index(room);
    let lease = index.enricher(Origin::default()).await;
    let (lease, found) = enriched(lease, ACCOUNTS[0]).await;
    assert_eq!(found, FOUND);
    // In use: another object gets nothing, for now.
    assert_eq!(source(&index, ACCOUNTS[1]).await, UNREADABLE);
    assert_eq!(index.idle().len(), 0);
    index.take_back(lease);
    assert_eq!(source(&index, ACCOUNTS[1]).await, FOUND);
    assert_eq!(held(&index), [ACCOUNTS[1]]);
    // Larger than all the room there is.
    place.write(
        &shard_key(ACCOUNTS[2], REGION),
        &shard_bytes(ACCOUNTS[2], 50),
    );
    assert_eq!(source(&index, ACCOUNTS[2]).await, UNREADABLE);
    assert!(index.state().bytes() <= room);
}

#[tokio::test]
async fn an_index_in_memory_is_used_as_it_is() {
    let mut documents = DocumentIndex::default();
    let opened = Shard::open(shard_bytes(ACCOUNTS[0], 1)).unwrap();
    let unit = (ACCOUNTS[0].to_owned(), REGION.to_owned());
    documents.shards.insert(unit, opened);
    documents.directory = Some(Directory::open(directory_bytes()).unwrap());
    let index = Index::new(
        IndexPlace::Memory(Box::new(documents)),
        options(),
        Limits::default(),
    );
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(source(&index, ACCOUNTS[0]).await, FOUND);
    assert_eq!(source(&index, ACCOUNTS[1]).await, MISSING);
    let nothing = IndexPlace::Memory(Box::default());
    let index = Index::new(nothing, options(), Limits::default());
    assert_eq!(source(&index, ACCOUNTS[0]).await, MISSING);
}

/// A bucket on this machine: what it holds, and what it was asked for.
#[derive(Default)]
struct Bucket {
    objects: HashMap<String, Bytes>,
    asked: Vec<String>,
    hangs: bool,
}

/// Serves the bucket; returns a store on it.
fn serve(bucket: Arc<Mutex<Bucket>>) -> Store {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut hanging = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let Some(path) = head.first().and_then(|line| line.split([' ', '?']).nth(1)) else {
                continue;
            };
            let key = path.trim_start_matches("/metadata/").to_owned();
            let condition = head
                .iter()
                .find_map(|line| line.strip_prefix("if-none-match: "));
            let mut bucket = bucket.lock().unwrap();
            bucket.asked.push(key.clone());
            if bucket.hangs {
                hanging.push(stream);
                continue;
            }
            let object = bucket.objects.get(&key);
            let tag = object.map(|bytes| format!("\"{}\"", bytes.len()));
            let (status, body) = match object {
                None => (
                    "404 Not Found",
                    Bytes::from_static(b"<Error><Code>NoSuchKey</Code></Error>"),
                ),
                Some(_) if condition == tag.as_deref() => ("304 Not Modified", Bytes::new()),
                Some(bytes) => ("200 OK", bytes.clone()),
            };
            let tag = tag.unwrap_or_default();
            let head = format!(
                "HTTP/1.1 {status}\r\nETag: {tag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            _ = stream.write_all(head.as_bytes());
            _ = stream.write_all(&body);
        }
    });
    let configuration = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(format!("http://{address}"))
        .force_path_style(true)
        .allow_no_auth()
        .build();
    Store::on(&"s3://metadata".parse().unwrap(), configuration)
}

/// The runtime of a function has one thread, which moves the bytes that blocking threads wait for.
#[tokio::test(flavor = "current_thread")]
async fn shards_come_from_a_bucket_while_a_blocking_thread_waits() {
    let bucket = Arc::new(Mutex::new(Bucket::default()));
    let store = serve(Arc::clone(&bucket));
    let put = |account: &str, interfaces| {
        let key = shard_key(account, REGION);
        let bytes = shard_bytes(account, interfaces);
        bucket.lock().unwrap().objects.insert(key, bytes);
    };
    let asked = || {
        let mut asked = std::mem::take(&mut bucket.lock().unwrap().asked);
        asked.sort();
        asked
    };
    let clock = Arc::new(Mutex::new(Instant::now()));
    let now = {
        let clock = Arc::clone(&clock);
        move || *clock.lock().unwrap()
    };
    bucket
        .lock()
        .unwrap()
        .objects
        .insert(DIRECTORY_KEY.to_owned(), directory_bytes());
    put(ACCOUNTS[0], 1);
    let index = Index::with_clock(IndexPlace::Store(store), options(), Limits::default(), now);
    index.begin(&Budget::UNLIMITED).await;
    // What several objects need at once is fetched once.
    let (first, second) = tokio::join!(source(&index, ACCOUNTS[0]), source(&index, ACCOUNTS[0]));
    assert_eq!((first, second), (FOUND, FOUND));
    assert_eq!(source(&index, ACCOUNTS[1]).await, MISSING);
    // The directory tells of accounts that are not collected.
    assert_eq!(source(&index, "999999999999").await, MISSING);
    let keys = ACCOUNTS.map(|account| shard_key(account, REGION));
    assert_eq!(asked(), [&keys[0], &keys[1], DIRECTORY_KEY]);
    // What did not change is not transferred again.
    put(ACCOUNTS[1], 1);
    *clock.lock().unwrap() += REFRESH;
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(asked(), [&keys[0], &keys[1], DIRECTORY_KEY]);
    assert_eq!(index.fetched(), shard_bytes(ACCOUNTS[1], 1).len() as u64);
    assert_eq!(source(&index, ACCOUNTS[1]).await, FOUND);
    assert_eq!(asked(), [""; 0]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_bucket_that_hangs_costs_its_time_once() {
    let bucket = Arc::new(Mutex::new(Bucket {
        hangs: true,
        ..Bucket::default()
    }));
    let store = serve(Arc::clone(&bucket));
    let clock = Arc::new(Mutex::new(Instant::now()));
    let now = {
        let clock = Arc::clone(&clock);
        move || *clock.lock().unwrap()
    };
    let limits = Limits {
        fetch: Duration::from_millis(50),
        ..Limits::default()
    };
    let index = Index::with_clock(IndexPlace::Store(store), options(), limits, now);
    index.begin(&Budget::UNLIMITED).await;
    for account in ACCOUNTS {
        assert_eq!(source(&index, account).await, UNREADABLE);
    }
    assert_eq!(bucket.lock().unwrap().asked, [DIRECTORY_KEY]);
    // It is tried again after a while.
    {
        let mut bucket = bucket.lock().unwrap();
        bucket.hangs = false;
        bucket
            .objects
            .insert(shard_key(ACCOUNTS[0], REGION), shard_bytes(ACCOUNTS[0], 1));
    }
    *clock.lock().unwrap() += REFRESH;
    index.begin(&Budget::UNLIMITED).await;
    assert_eq!(source(&index, ACCOUNTS[0]).await, FOUND);
}

#[test]
fn keys_tell_the_account_the_region_and_the_folder() {
    let key = "logs/AWSLogs/111111111111/vpcflowlogs/eu-west-1/2026/11/20/111111111111_vpcflowlogs_eu-west-1_fl-0a1b2c3d4e5f60718_20261120T1620Z_fe123456.log.gz";
    let told = origin(key);
    assert_eq!(told.account.as_deref(), Some("111111111111"));
    assert_eq!(told.region.as_deref(), Some("eu-west-1"));
    assert_eq!(Path::new(key).parent(), Some(Path::new(&told.folder)));
    assert_eq!(origin("x.log"), Origin::default());
}
