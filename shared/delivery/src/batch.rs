//! Records of one object, gathered into batches with a stable identity.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use telemetry::Record;
use telemetry::enrichment::Enrichment;

use crate::ndjson::{self, NdjsonEncoder};

/// The object that records came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Bucket.
    pub bucket: String,
    /// Key, decoded.
    pub key: String,
    /// What tells this content from another under the same key: version id or ETag.
    pub revision: String,
}

impl Origin {
    /// A short name for this content under this key: 16 hexadecimal digits of a SHA-256.
    pub fn tag(&self) -> String {
        self.digest(None, 8)
    }

    fn digest(&self, sequence: Option<u32>, bytes: usize) -> String {
        let mut hash = Sha256::new();
        for part in [&self.bucket, &self.key, &self.revision] {
            // Lengths first, so that no two origins hash the same bytes.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        if let Some(sequence) = sequence {
            hash.update(sequence.to_be_bytes());
        }
        hash.finalize()
            .iter()
            .take(bytes)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Encoded records of one object.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The object the records came from.
    pub origin: Arc<Origin>,
    /// The batch's place among those of the object, from 0.
    pub sequence: u32,
    /// How many records it holds.
    pub records: u64,
    /// The records, encoded.
    pub bytes: Bytes,
}

impl Batch {
    /// The batch's identity: the same for the same content of the same object at the same batch
    /// size, whenever and wherever it is made. 32 hexadecimal digits.
    pub fn id(&self) -> String {
        self.origin.digest(Some(self.sequence), 16)
    }

    /// A name for the batch as an object, below whatever prefix: the input's bucket and key, then
    /// what tells this content and this batch. At most 900 bytes.
    pub fn object_name(&self) -> String {
        const KEPT: usize = 800;
        let Origin { bucket, key, .. } = &*self.origin;
        let mut path = format!("{bucket}/{key}");
        if path.len() > KEPT {
            let cut = (0..=KEPT)
                .rev()
                .find(|at| path.is_char_boundary(*at))
                .unwrap_or(0);
            path.truncate(cut);
        }
        format!(
            "{path}.{}-{:05}.{}",
            self.origin.tag(),
            self.sequence,
            ndjson::EXTENSION
        )
    }
}

/// Encodes records and cuts them into batches.
#[derive(Debug)]
pub struct Batcher {
    origin: Arc<Origin>,
    encoder: NdjsonEncoder,
    limit: usize,
    sequence: u32,
    records: u64,
    spare: Vec<u8>,
}

impl Batcher {
    /// A batcher for one object. A batch is complete as soon as it holds `limit` bytes.
    pub fn new(origin: Arc<Origin>, limit: usize) -> Batcher {
        Batcher {
            origin,
            encoder: NdjsonEncoder::new(limit),
            limit,
            sequence: 0,
            records: 0,
            spare: Vec::new(),
        }
    }

    /// Adds a record; returns the batch it completes.
    #[inline]
    pub fn push(&mut self, record: &Record<'_>) -> Option<Batch> {
        self.encoder.write(record);
        self.pushed()
    }

    /// Adds a record with what enrichment adds to it; returns the batch it completes.
    #[inline]
    pub fn push_enriched(
        &mut self,
        record: &Record<'_>,
        enrichment: &Enrichment<'_>,
    ) -> Option<Batch> {
        self.encoder.write_enriched(record, enrichment);
        self.pushed()
    }

    #[inline]
    fn pushed(&mut self) -> Option<Batch> {
        self.records += 1;
        if self.encoder.len() < self.limit {
            return None;
        }
        self.finish()
    }

    /// The batch of the records that are left, if there are any.
    pub fn finish(&mut self) -> Option<Batch> {
        if self.records == 0 {
            return None;
        }
        let spare = std::mem::take(&mut self.spare);
        let batch = Batch {
            origin: Arc::clone(&self.origin),
            sequence: self.sequence,
            records: std::mem::take(&mut self.records),
            bytes: Bytes::from(self.encoder.take(spare)),
        };
        self.sequence += 1;
        Some(batch)
    }

    /// Gives a delivered batch's memory back. Without it every batch takes fresh memory, and
    /// touching that costs more than encoding into it.
    pub fn recycle(&mut self, batch: Batch) {
        if let Ok(bytes) = batch.bytes.try_into_mut() {
            self.spare = bytes.into();
            let capacity = self.spare.capacity();
            self.spare.resize(capacity, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry::{LogReader, ReadOptions, Row};

    fn origin(key: &str) -> Arc<Origin> {
        Arc::new(Origin {
            bucket: "logs".into(),
            key: key.into(),
            revision: "etag-1".into(),
        })
    }

    fn batches(limit: usize) -> Vec<Batch> {
        let log = format!("srcport bytes\n{}", "443 1000\n".repeat(100));
        let options = ReadOptions::new(std::env::temp_dir());
        let mut reader = LogReader::open(log.as_bytes(), &options).unwrap();
        let mut batcher = Batcher::new(origin("a/b.log.gz"), limit);
        let mut made = Vec::new();
        while let Some(Row::Record(record)) = reader.next_row().unwrap() {
            if let Some(batch) = batcher.push(&record) {
                made.push(Batch {
                    bytes: Bytes::copy_from_slice(&batch.bytes),
                    ..batch.clone()
                });
                batcher.recycle(batch);
            }
        }
        made.extend(batcher.finish());
        assert!(batcher.finish().is_none());
        made
    }

    #[test]
    fn batches_hold_every_record_once_and_in_order() {
        let whole = batches(usize::MAX);
        assert_eq!((whole.len(), whole[0].records), (1, 100));
        let parts = batches(500);
        assert!(parts.len() > 3);
        assert_eq!(parts.iter().map(|b| b.records).sum::<u64>(), 100);
        let joined: Vec<u8> = parts.iter().flat_map(|b| b.bytes.to_vec()).collect();
        assert_eq!(joined, whole[0].bytes);
    }

    #[test]
    fn identity_depends_on_the_object_its_content_and_the_place() {
        let again = batches(500);
        for (first, second) in batches(500).iter().zip(&again) {
            assert_eq!(
                (first.id(), first.object_name()),
                (second.id(), second.object_name())
            );
        }
        assert_ne!(again[0].id(), again[1].id());
        assert_eq!(
            again[1].object_name(),
            "logs/a/b.log.gz.c74a43a89b26aa30-00001.ndjson"
        );
        let other = Origin {
            revision: "etag-2".into(),
            ..Origin::clone(&origin("a/b.log.gz"))
        };
        assert_ne!(other.tag(), origin("a/b.log.gz").tag());
        assert_ne!(
            origin("a").tag(),
            Origin {
                bucket: "logsa".into(),
                key: String::new(),
                revision: "etag-1".into()
            }
            .tag()
        );
    }

    #[test]
    fn object_names_stay_within_what_s3_takes() {
        let batch = Batch {
            origin: origin(&"é".repeat(512)),
            ..batches(500)[0].clone()
        };
        assert!(batch.object_name().len() <= 900);
    }
}
