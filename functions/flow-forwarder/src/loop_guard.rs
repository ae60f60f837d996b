//! The loop guard: what this program writes must not be what it reads.
//!
//! A notification of a bucket that records are written to would announce them to the function, which would write
//! them again, for ever. What is our own is told by where it lies and what it is called, so that logs below the
//! same prefix are not taken for it.

use delivery::{Batch, DestinationUrl, StoreUrl};

use crate::prefix::Prefix;
use crate::quarantine;

/// Folders that the collector keeps below its place (docs/metadata.md).
const METADATA: &[&str] = &["current/", "history/", "index/", "changes/"];

/// Knows our own objects.
#[derive(Debug, Clone, Default)]
pub struct LoopGuard {
    /// Where batches are written.
    batches: Vec<Prefix>,
    /// Where else objects are written, and in which folders.
    folders: Vec<(Prefix, &'static [&'static str])>,
}

impl LoopGuard {
    /// A guard for these places.
    pub fn new(
        destinations: &[DestinationUrl],
        quarantine: Option<&StoreUrl>,
        metadata: Option<&StoreUrl>,
    ) -> LoopGuard {
        let batches = destinations.iter().map(|url| Prefix::of_place(&url.place));
        let folders = [(quarantine, quarantine::FOLDERS), (metadata, METADATA)];
        let folders = folders.into_iter().filter_map(|(url, folders)| {
            let prefix = Prefix::of_store(url?)?;
            Some((prefix, folders))
        });
        LoopGuard {
            batches: batches.flatten().collect(),
            folders: folders.collect(),
        }
    }

    /// Where objects are written, all of them.
    pub fn places(&self) -> impl Iterator<Item = &Prefix> {
        let folders = self.folders.iter().map(|(prefix, _)| prefix);
        self.batches.iter().chain(folders)
    }

    /// The place that an object was written to by this program; `None` for any other object.
    pub fn own(&self, bucket: &str, key: &str) -> Option<&Prefix> {
        let is_batch =
            |prefix: &&Prefix| prefix.contains(bucket, key) && Batch::is_object_name(key);
        let in_folder = |(prefix, folders): &&(Prefix, &[&str])| {
            let below = prefix.below(bucket, key);
            below.is_some_and(|key| folders.iter().any(|folder| key.starts_with(folder)))
        };
        let batch = self.batches.iter().find(is_batch);
        batch.or_else(|| {
            self.folders
                .iter()
                .find(in_folder)
                .map(|(prefix, _)| prefix)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use delivery::encoding::Content;

    #[test]
    fn our_own_objects_are_told_from_logs() {
        let destinations =
            DestinationUrl::list("s3://logs/out s3://lake stdout:", 65_536, Content::Records)
                .unwrap();
        let quarantine: StoreUrl = "s3://logs/aside".parse().unwrap();
        let metadata: StoreUrl = "s3://logs".parse().unwrap();
        let guard = LoopGuard::new(&destinations, Some(&quarantine), Some(&metadata));
        let batch = "logs/a.log.gz.c74a43a89b26aa30-00001.ndjson";
        let combined = "day=2026-11-20/combined.c74a43a89b26aa30-c74a43a89b26aa31-00000.parquet";
        for (bucket, key, own) in [
            ("logs", format!("out/{batch}"), true),
            ("logs", format!("out/{combined}"), true),
            ("lake", format!("{batch}.zst"), true),
            ("logs", format!("elsewhere/{batch}"), false),
            ("logs", "out/AWSLogs/a.log.gz".to_owned(), false),
            ("lake", "AWSLogs/a.log.gz".to_owned(), false),
            (
                "logs",
                "aside/rows/logs/a.gz.c74a43a89b26aa30.ndjson.gz".to_owned(),
                true,
            ),
            ("logs", "aside/AWSLogs/a.log.gz".to_owned(), false),
            ("logs", "index/111111111111/us-east-1.idx".to_owned(), true),
            (
                "other",
                "index/111111111111/us-east-1.idx".to_owned(),
                false,
            ),
        ] {
            assert_eq!(guard.own(bucket, &key).is_some(), own, "{bucket}/{key}");
        }
        assert_eq!(guard.places().count(), 4);
    }
}
