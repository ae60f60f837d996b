//! S3 and receivers over HTTP, in memory, which fail as chance has it: what arrives stays, and what should not have
//! been asked is noted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::sync::Arc;

use e2e::chance::Chance;
use flate2::read::MultiGzDecoder;
use invocation::scripted_http::{Arrived, Reply};
use serde_json::Value;
use tokio::sync::Notify;

/// The bucket of logs.
pub const LOGS: &str = "logs";
/// The bucket that records go to.
pub const LAKE: &str = "lake";
/// The bucket of the quarantine.
pub const ASIDE: &str = "aside";
/// What objects may be deleted below, in the bucket of logs.
pub const DELETABLE: &str = "AWSLogs/111111111111/";

/// The content of an object of the bucket of logs.
#[derive(Debug, Clone)]
pub struct Log {
    /// Its key.
    pub key: String,
    /// Its ETag.
    pub etag: String,
    /// Its version id, in a bucket with versioning.
    pub version: Option<String>,
    /// Its place among all that was ever written.
    pub number: usize,
    pub bytes: Vec<u8>,
    /// The numbers of rows that can be read.
    pub good: Vec<u64>,
    /// The numbers of rows that cannot.
    pub bad: Vec<u64>,
    /// Whether it can be read to its end.
    pub is_readable: bool,
}

impl Log {
    /// What tells it from others under its key.
    pub fn revision(&self) -> &str {
        self.version.as_ref().unwrap_or(&self.etag)
    }
}

/// What fails, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Source,
    Lake,
    Aside,
    Receiver,
}

/// How often it fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trouble {
    #[default]
    Never,
    Sometimes,
    Always,
}

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// An answer of S3's, or a status of a receiver's.
    Says(u16, &'static str),
    /// Nothing arrives, and the connection breaks.
    Cut,
    /// It is done, and then the connection breaks.
    CutWhenDone,
    /// It is done, and 500 is the answer.
    FailsWhenDone,
    /// The body breaks in the middle.
    Breaks,
    /// Another object is under the key when it is read, or after.
    ReplacedBefore,
    ReplacedAfter,
}

const SLOW_DOWN: Fault = Fault::Says(503, "SlowDown");
const DENIED: Fault = Fault::Says(403, "AccessDenied");

const READING: &[Fault] = &[
    SLOW_DOWN,
    Fault::Says(500, "InternalError"),
    Fault::Cut,
    Fault::Breaks,
    DENIED,
    // Archived, and encrypted with a key of the customer's.
    Fault::Says(403, "InvalidObjectState"),
    Fault::Says(400, "InvalidRequest"),
    Fault::ReplacedBefore,
    Fault::ReplacedAfter,
];
const DELETING: &[Fault] = &[SLOW_DOWN, DENIED, Fault::Cut, Fault::CutWhenDone];
const LISTING: &[Fault] = &[SLOW_DOWN, DENIED, Fault::Cut];
const WRITING: &[Fault] = &[
    SLOW_DOWN,
    DENIED,
    Fault::Says(404, "NoSuchBucket"),
    Fault::Says(400, "RequestTimeout"),
    Fault::Cut,
    Fault::CutWhenDone,
    Fault::FailsWhenDone,
];
const RECEIVING: &[Fault] = &[
    Fault::Says(429, ""),
    Fault::Says(503, ""),
    Fault::Says(401, ""),
    Fault::Cut,
    Fault::CutWhenDone,
    Fault::FailsWhenDone,
];

/// A receiver refuses for good what has such a row.
pub fn is_poison(row: u64) -> bool {
    row.is_multiple_of(23)
}

/// An object that was written.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What its metadata call the batch.
    pub batch: Option<String>,
    pub bytes: Vec<u8>,
}

/// All of it.
#[derive(Debug, Default)]
pub struct World {
    chance: u64,
    /// By [`Place`].
    pub trouble: [Trouble; 4],
    pub is_versioned: bool,
    /// The logs that are there, by key, the newest last.
    pub logs: BTreeMap<String, Vec<Arc<Log>>>,
    /// All that ever were there, by their numbers.
    pub history: Vec<Arc<Log>>,
    /// Those that nobody was told of yet.
    pub unannounced: Vec<usize>,
    /// Objects of the other buckets.
    pub stored: BTreeMap<(String, String), Stored>,
    /// Bodies that receivers took, by host and `Idempotency-Key`.
    pub received: BTreeMap<(String, String), Vec<u8>>,
    /// The destinations' URLs.
    pub destinations: Vec<String>,
    /// The numbers of the logs that were deleted.
    pub deleted: Vec<usize>,
    /// What should never have come.
    pub wrong: Vec<String>,
    /// How often each was asked.
    asked: HashMap<String, u64>,
    /// Requests until all ends.
    pub left: Option<u64>,
    pub ended: Arc<Notify>,
    /// How often something happened.
    pub seen: BTreeMap<&'static str, u64>,
}

impl World {
    /// A world without objects.
    pub fn new(chance: &mut Chance) -> World {
        World {
            chance: chance.below(usize::MAX) as u64,
            ..World::default()
        }
    }

    /// Puts a log under a key.
    pub fn put(&mut self, key: &str, make: impl FnOnce(usize, &mut Chance) -> LogContent) -> usize {
        let number = self.history.len();
        let mut chance = Chance(self.chance ^ number as u64);
        let LogContent {
            bytes,
            good,
            bad,
            is_readable,
        } = make(number, &mut chance);
        let log = Arc::new(Log {
            key: key.to_owned(),
            etag: format!("\"{number:032x}\""),
            version: self.is_versioned.then(|| format!("v{number}")),
            number,
            bytes,
            good,
            bad,
            is_readable,
        });
        self.history.push(Arc::clone(&log));
        let versions = self.logs.entry(key.to_owned()).or_default();
        if !self.is_versioned {
            versions.clear();
        }
        versions.push(log);
        number
    }

    /// Nothing fails any more.
    pub fn heal(&mut self) {
        self.trouble = [Trouble::Never; 4];
        self.left = None;
    }

    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// The fault that a request meets. It is the same whatever other requests came before it.
    fn fault(&mut self, place: Place, what: &str, faults: &[Fault]) -> Option<Fault> {
        let asked = self.asked.entry(what.to_owned()).or_default();
        *asked += 1;
        let trouble = self.trouble[place as usize];
        let (number, share) = match trouble {
            Trouble::Never => return None,
            Trouble::Sometimes => (*asked, 3),
            Trouble::Always => (0, 1),
        };
        let text = what.bytes().fold(self.chance ^ number, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut chance = Chance(text);
        let fault = faults[chance.below(faults.len())];
        (chance.below(share) == 0).then_some(fault)
    }

    /// Answers a request; `None` refuses the connection.
    pub fn answer(&mut self, arrived: &Arrived) -> Option<Reply> {
        if let Some(left) = &mut self.left {
            if *left == 0 {
                self.ended.notify_one();
                return Some(Reply::Silence);
            }
            *left -= 1;
        }
        let url = arrived.url.strip_prefix("https://")?;
        let (host, path) = url.split_once('/')?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let key = decoded(path);
        let query: BTreeMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, decoded(value)))
            .collect();
        let bucket = host.strip_suffix(".s3.us-east-1.amazonaws.com");
        match (bucket, &*arrived.method) {
            (Some(LOGS), "GET") => Some(self.read(&key, query.get("versionId"))),
            (Some(LOGS), "DELETE") => Some(self.delete(&key, query.get("versionId"), arrived)),
            (Some(LAKE), "GET") => Some(self.list(query.get("prefix")?)),
            (Some(bucket @ (LAKE | ASIDE)), "PUT") => Some(self.write(bucket, &key, arrived)),
            (None, "POST") => Some(self.receive(host, arrived)),
            _ => {
                self.wrong
                    .push(format!("{} {}", arrived.method, arrived.url));
                None
            }
        }
    }

    fn read(&mut self, key: &str, version: Option<&String>) -> Reply {
        let fault = self.fault(Place::Source, key, READING);
        if fault == Some(Fault::ReplacedBefore) {
            self.replace(key);
        }
        let versions = self.logs.get(key).map_or(&[][..], Vec::as_slice);
        let found = match version {
            Some(version) => versions
                .iter()
                .find(|log| log.version.as_ref() == Some(version)),
            None => versions.last(),
        };
        let Some(log) = found.cloned() else {
            self.count("missing");
            return says(
                404,
                if version.is_some() {
                    "NoSuchVersion"
                } else {
                    "NoSuchKey"
                },
            );
        };
        let mut breaks_at = None;
        match fault {
            Some(Fault::Says(status, code)) => return says(status, code),
            Some(Fault::Cut) => return Reply::Cut,
            Some(Fault::Breaks) => {
                self.count("broken in the middle");
                breaks_at = Some(log.bytes.len() / 2);
            }
            Some(Fault::ReplacedAfter) => self.replace(key),
            _ => {}
        }
        let mut headers = vec![
            ("etag", log.etag.clone()),
            ("content-length", log.bytes.len().to_string()),
        ];
        headers.extend(log.version.clone().map(|id| ("x-amz-version-id", id)));
        Reply::Whole {
            status: 200,
            headers,
            body: log.bytes.clone(),
            breaks_at,
        }
    }

    /// Somebody writes another log under a key, once.
    fn replace(&mut self, key: &str) {
        let written = self.history.iter().filter(|log| log.key == key).count();
        if written == 1 {
            let number = self.put(key, content);
            self.unannounced.push(number);
            self.count("replaced");
        }
    }

    fn delete(&mut self, key: &str, version: Option<&String>, arrived: &Arrived) -> Reply {
        let fault = self.fault(Place::Source, &format!("DELETE {key}"), DELETING);
        match fault {
            Some(Fault::Says(status, code)) => return says(status, code),
            Some(Fault::Cut) => return Reply::Cut,
            _ => {}
        }
        let condition = arrived.header("if-match");
        let versions = self.logs.get(key).map_or(&[][..], Vec::as_slice);
        let found = match (version, condition) {
            (Some(version), None) => versions
                .iter()
                .position(|log| log.version.as_ref() == Some(version)),
            (None, Some(etag)) if !self.is_versioned => match versions.last() {
                Some(log) if log.etag != etag => {
                    self.count("replaced and not deleted");
                    return says(412, "PreconditionFailed");
                }
                Some(_) => Some(versions.len() - 1),
                None => return says(404, "NoSuchKey"),
            },
            _ => {
                self.wrong
                    .push(format!("{key} is deleted without a condition"));
                None
            }
        };
        if let (Some(at), Some(versions)) = (found, self.logs.get_mut(key)) {
            let log = versions.remove(at);
            self.may_be_deleted(&log);
            self.deleted.push(log.number);
            self.count("deleted");
        }
        match fault {
            Some(Fault::CutWhenDone) => Reply::Cut,
            _ => Reply::answer(204, ""),
        }
    }

    /// Notes it when a log is deleted that should stay.
    fn may_be_deleted(&mut self, log: &Log) {
        let mut missing: Vec<u64> = Vec::new();
        for url in &self.destinations {
            let delivered = self.delivered(url);
            missing.extend(log.good.iter().filter(|row| !delivered.contains_key(*row)));
        }
        let is_whole = missing.is_empty() && log.bad.is_empty() && log.is_readable;
        if !log.key.starts_with(DELETABLE) || !is_whole {
            self.wrong.push(format!(
                "{} is deleted, without rows {missing:?} at its destinations, and {:?} of it cannot be read",
                log.key, log.bad
            ));
        }
    }

    fn list(&mut self, prefix: &str) -> Reply {
        match self.fault(Place::Lake, &format!("LIST {prefix}"), LISTING) {
            Some(Fault::Says(status, code)) => return says(status, code),
            Some(_) => return Reply::Cut,
            None => {}
        }
        let of_lake = self.stored.keys().filter(|(bucket, _)| bucket == LAKE);
        let keys = of_lake.filter(|(_, key)| key.starts_with(prefix));
        let keys: String = keys
            .map(|(_, key)| format!("<Contents><Key>{key}</Key></Contents>"))
            .collect();
        self.count("listed");
        Reply::answer(
            200,
            format!("<ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>"),
        )
    }

    fn write(&mut self, bucket: &str, key: &str, arrived: &Arrived) -> Reply {
        let place = if bucket == LAKE {
            Place::Lake
        } else {
            Place::Aside
        };
        let fault = self.fault(place, &format!("PUT {bucket}/{key}"), WRITING);
        match fault {
            Some(Fault::Says(status, code)) => return says(status, code),
            Some(Fault::Cut) => return Reply::Cut,
            _ => {}
        }
        let batch = arrived.header("x-amz-meta-batch-id").map(str::to_owned);
        let stored = Stored {
            batch,
            bytes: arrived.body.clone(),
        };
        let place = (bucket.to_owned(), key.to_owned());
        if let Some(before) = self.stored.insert(place, stored.clone()) {
            self.count("written again");
            // What is told of an object is what its event told, of which there may be several.
            let is_told = key.starts_with("q/objects/");
            if !is_told && (before.batch != stored.batch || before.bytes != stored.bytes) {
                self.wrong
                    .push(format!("{bucket}/{key} is written with other content"));
            }
        }
        when_done(fault, Reply::answer(200, ""))
    }

    fn receive(&mut self, host: &str, arrived: &Arrived) -> Reply {
        let key = arrived.header("idempotency-key").unwrap_or_default();
        let fault = self.fault(Place::Receiver, &format!("POST {host} {key}"), RECEIVING);
        match fault {
            Some(Fault::Says(status, _)) => return Reply::answer(status, ""),
            Some(Fault::Cut) => return Reply::Cut,
            _ => {}
        }
        if rows(&arrived.body).iter().copied().any(is_poison) {
            return Reply::answer(422, "a record is wrong");
        }
        let place = (host.to_owned(), key.to_owned());
        let before = self.received.insert(place, arrived.body.clone());
        if before.is_some() {
            self.count("received again");
        }
        if before.is_some_and(|before| rows(&before) != rows(&arrived.body)) {
            self.wrong.push(format!("{key} is sent with other records"));
        }
        when_done(fault, Reply::answer(200, ""))
    }

    /// The rows that the destination at a URL holds, each with the names of the batches that hold it.
    pub fn delivered(&self, url: &str) -> BTreeMap<u64, BTreeSet<&str>> {
        let mut found = BTreeMap::<u64, BTreeSet<&str>>::new();
        let mut add = |name, bytes: &[u8]| {
            for row in rows(bytes) {
                found.entry(row).or_default().insert(name);
            }
        };
        match url.strip_prefix("s3://lake/") {
            Some(prefix) => {
                for ((bucket, key), stored) in &self.stored {
                    if bucket == LAKE && key.starts_with(prefix) {
                        add(key, &stored.bytes);
                    }
                }
            }
            None => {
                for ((host, key), body) in &self.received {
                    if url.contains(host.as_str()) {
                        add(key, body);
                    }
                }
            }
        }
        found
    }

    fn aside(&self, folder: &str) -> impl Iterator<Item = (&str, &[u8])> {
        let prefix = format!("q/{folder}/");
        let aside = self
            .stored
            .iter()
            .filter(|((bucket, _), _)| bucket == ASIDE);
        aside.filter_map(move |((_, key), stored)| {
            Some((key.strip_prefix(&prefix)?, &*stored.bytes))
        })
    }

    /// The rows of batches in quarantine that were for a URL, with the names of the batches.
    pub fn refused(&self, url: &str) -> BTreeMap<u64, BTreeSet<String>> {
        let mut found = BTreeMap::<u64, BTreeSet<String>>::new();
        let batches: BTreeMap<&str, &[u8]> = self.aside("batches").collect();
        for (key, bytes) in &batches {
            let Some(header) = batches.get(&*format!("{key}.json")) else {
                continue;
            };
            let header: Value = serde_json::from_slice(header).unwrap();
            if header["destination"] == url {
                for row in rows(bytes) {
                    found
                        .entry(row)
                        .or_default()
                        .insert(header["batch"].to_string());
                }
            }
        }
        found
    }

    /// The rows in quarantine that could not be read, with the files that hold them.
    pub fn unread(&self) -> BTreeMap<u64, BTreeSet<&str>> {
        let mut found = BTreeMap::<u64, BTreeSet<&str>>::new();
        for (key, bytes) in self.aside("rows") {
            for word in text(bytes).split_whitespace() {
                if let Some(row) = word.strip_prefix('x').and_then(|row| row.parse().ok()) {
                    found.entry(row).or_default().insert(key);
                }
            }
        }
        found
    }

    /// The revisions of the objects in quarantine under a key.
    pub fn unreadable(&self, key: &str) -> Vec<String> {
        let files = self.aside("objects");
        let files = files.map(|(_, bytes)| serde_json::from_slice::<Value>(bytes).unwrap());
        files
            .filter(|file| file["key"] == key)
            .map(|file| file["revision"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn when_done(fault: Option<Fault>, reply: Reply) -> Reply {
    match fault {
        Some(Fault::CutWhenDone) => Reply::Cut,
        Some(Fault::FailsWhenDone) => says(500, "InternalError"),
        _ => reply,
    }
}

fn says(status: u16, code: &str) -> Reply {
    Reply::answer(
        status,
        format!("<Error><Code>{code}</Code><Message>As it is said.</Message></Error>"),
    )
}

/// What stands in a URL for a key.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}

/// A text, without its compression.
fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    match bytes.starts_with(b"\x1f\x8b") {
        true => drop(
            MultiGzDecoder::new(bytes)
                .read_to_string(&mut text)
                .unwrap(),
        ),
        false => text.push_str(std::str::from_utf8(bytes).unwrap()),
    }
    text
}

/// The rows of NDJSON: their numbers are in `bytes`.
pub fn rows(bytes: &[u8]) -> Vec<u64> {
    let text = text(bytes);
    let parts = text.split("\"bytes\":").skip(1);
    let number = |part: &str| part.split([',', '}']).next().unwrap().parse().unwrap();
    parts.map(number).collect()
}

/// What stands in a log.
#[derive(Debug)]
pub struct LogContent {
    pub bytes: Vec<u8>,
    pub good: Vec<u64>,
    pub bad: Vec<u64>,
    pub is_readable: bool,
}

/// A log with rows of its own: plain or gzip, whole or broken.
pub fn content(number: usize, chance: &mut Chance) -> LogContent {
    let mut log = String::from("srcaddr dstaddr bytes start end\n");
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let has_bad = chance.below(4) == 0;
    for place in 0..chance.below(10) as u64 {
        let row = 100 * (number as u64 + 1) + place;
        // The rows of a log are of two hours.
        let start = 1_795_190_400 + 1_800 * chance.below(4);
        let mark = match has_bad && chance.below(3) == 0 {
            true => {
                bad.push(row);
                "x"
            }
            false => {
                good.push(row);
                ""
            }
        };
        log.push_str(&format!(
            "10.0.0.1 10.0.0.2 {mark}{row} {start} {}\n",
            start + 60
        ));
    }
    let kind = chance.below(12);
    let mut bytes = match kind {
        0..3 => log.into_bytes(),
        _ => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gzip, log.as_bytes()).unwrap();
            gzip.finish().unwrap()
        }
    };
    let length = bytes.len();
    match kind {
        3 => bytes.truncate(length - 1 - chance.below(length - 2)),
        // A checksum that is another.
        4 => bytes[length - 6] ^= 1,
        _ => {}
    }
    // Of which no row can be read is no log.
    let is_log = bad.is_empty() || !good.is_empty();
    LogContent {
        bytes,
        good,
        bad,
        is_readable: is_log && !matches!(kind, 3 | 4),
    }
}
