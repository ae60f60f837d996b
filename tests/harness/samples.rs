//! The sample objects, by short names, and what their README counts in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::project;

/// The bucket of the good samples.
pub const BUCKET: &str = "flow-logs-use1";
/// The bucket of the broken ones.
pub const BROKEN: &str = "flow-logs-broken";

/// Short names of the good samples, and what in a key tells which is meant.
pub const NAMES: &[(&str, &str)] = &[
    ("vpc-v2", "fl-0a1b2c3d4e5f60718"),
    ("vpc-v5-hive", "fl-0b2c3d4e5f6071829"),
    ("vpc-v11", "fl-0c3d4e5f60718293a"),
    ("vpc-custom", "fl-0d4e5f60718293a4b"),
    ("transit-gateway", "fl-0e5f60718293a4b5c"),
    ("firewall-alert", "_alert_"),
    ("firewall-flow", "network-firewall_flow_"),
    ("firewall-tls", "_tls_"),
    ("vpc-v5-parquet", "fl-0f60718293a4b5c6d"),
    ("vpc-v2-zstd", "fl-060718293a4b5c6d7"),
];

/// A sample object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Every sample object.
pub fn all() -> Vec<Sample> {
    let mut samples = Vec::new();
    for bucket in [BUCKET, BROKEN] {
        let root = project().join("samples").join(bucket);
        for path in files(&root) {
            let key = path.strip_prefix(&root).unwrap().to_str().unwrap();
            samples.push(Sample {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                path,
            });
        }
    }
    samples
}

/// A good sample by its short name.
pub fn named(name: &str) -> Sample {
    let (_, mark) = NAMES.iter().find(|(n, _)| *n == name).unwrap();
    let mut found = all()
        .into_iter()
        .filter(|s| s.bucket == BUCKET && s.key.contains(mark));
    let sample = found
        .next()
        .unwrap_or_else(|| panic!("there is no sample for {name}"));
    assert!(found.next().is_none(), "{name} names two samples");
    sample
}

/// What the README of the samples counts in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub rows: u64,
    pub no_data: u64,
    pub skip_data: u64,
    pub malformed: u64,
}

/// The tables of the README, by key.
pub fn counted() -> BTreeMap<String, Expected> {
    let readme = std::fs::read_to_string(project().join("samples/README.md")).unwrap();
    let mut counted = BTreeMap::new();
    for line in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [key, _, rows, no_data, skip_data, malformed] = cells[..] else {
            panic!("the table has other columns: {line}");
        };
        // "1 too short, 1 bad port" are two; "-" is none.
        let number = |cell: &str| -> u64 {
            let words = cell.split([' ', ',']);
            words.filter_map(|word| word.parse::<u64>().ok()).sum()
        };
        let expected = Expected {
            rows: number(rows),
            no_data: number(no_data),
            skip_data: number(skip_data),
            malformed: number(malformed),
        };
        counted.insert(key.trim_matches('`').to_owned(), expected);
    }
    counted
}

/// Every file below a directory, in the order of their paths.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
