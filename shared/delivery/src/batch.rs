//! Encoded records, gathered into batches with a stable identity.
//!
//! ```text
//! record ─▶ Batcher ─▶ Cutter ─▶ of its partition: encoder ─▶ compressor ─▶ Batch
//! ```

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use telemetry::Record;
use telemetry::enrichment::{Enrichment, FieldSet, Level};

use crate::compression::Compressor;
use crate::directory::relative_path;
use crate::encoding::{Compression, Encoder, Encoding, EncodingError};
use crate::partition::{Partitioning, Spans};

mod cutter;

use cutter::compress_taken;
pub use cutter::{Cutter, Encode};

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
        let mut hash = Sha256::new();
        self.add_to(&mut hash);
        hexadecimal(hash, TAG_DIGITS / 2)
    }

    /// A name for this content as an object, below whatever prefix: bucket, key, and what tells this content from
    /// another. At most 900 bytes; the same in a directory and in a bucket, and nothing of it leads out of either.
    pub fn object_name(&self) -> String {
        let path = cut(relative_path(&format!("{}/{}", self.bucket, self.key)));
        // A name that begins with the dot would be that of a file that is being written.
        format!("{}.{}", path.trim_end_matches('/'), self.tag())
    }

    fn add_to(&self, hash: &mut Sha256) {
        for part in [&self.bucket, &self.key, &self.revision] {
            add_text(hash, part);
        }
    }
}

/// Lengths first, so that no two lists of texts hash the same bytes.
fn add_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}

/// What tells a list of texts from another, for a [revision](Origin::revision): 32 hexadecimal digits of a SHA-256.
pub fn digest<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        add_text(&mut hash, text.as_ref());
    }
    hexadecimal(hash, 16)
}

pub(crate) fn hexadecimal(hash: Sha256, bytes: usize) -> String {
    let digest = hash.finalize();
    digest
        .iter()
        .take(bytes)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// How records are packed: what is the same for all batches of a destination. Destinations with the same packing
/// share batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packing {
    /// What the batches are.
    pub encoding: Encoding,
    /// A batch is complete as soon as it holds this many bytes, as they are delivered.
    pub max_bytes: usize,
    /// It is complete as soon as it holds this many records.
    pub max_records: u64,
    /// Batches hold records of one partition.
    pub partitioning: Partitioning,
    /// Whether records of several small objects may share a batch.
    pub combines: bool,
    /// The enriched fields that records may have, which formats with columns have to know.
    pub fields: FieldSet,
}

impl Packing {
    /// Plain NDJSON in batches of so many bytes.
    pub fn ndjson(max_bytes: usize) -> Packing {
        Packing {
            encoding: Encoding::NDJSON,
            max_bytes,
            max_records: u64::MAX,
            partitioning: Partitioning::default(),
            combines: false,
            fields: FieldSet::of(Level::Standard),
        }
    }

    /// About how many bytes of memory the batches of one object take at once: those that wait to be delivered, the one
    /// that is filled, and the rows that are not encoded yet.
    pub fn memory_bytes(&self) -> usize {
        BATCHES_HELD * self.max_bytes + self.encoding.format.rows_bytes()
    }
}

/// Batches of one object that are in memory at once.
const BATCHES_HELD: usize = 4;

/// Encoded records, with an identity that is the same whenever and wherever the batch is made.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The object that the records came from, or several small ones.
    pub origins: Arc<[Origin]>,
    /// The path of its partition, without a slash at either end; empty without partitions.
    pub partition: Arc<str>,
    /// The batch's place among those of its origins and its partition, from 0.
    pub sequence: u32,
    /// Whether an attempt before may have delivered its records within a batch of several objects.
    pub may_be_combined: bool,
    /// How many records it holds.
    pub records: u64,
    /// What the bytes are.
    pub encoding: Encoding,
    /// The records, encoded.
    pub bytes: Bytes,
}

/// The longest key of an input that stands in a name as it is, in bytes.
const KEPT: usize = 800;

/// Leaves of a path what may stand in a name.
fn cut(mut path: String) -> String {
    if path.len() > KEPT {
        let end = (0..=KEPT).rev().find(|at| path.is_char_boundary(*at));
        path.truncate(end.unwrap_or(0));
    }
    path
}

/// Digits of the tag of an origin, and of a sequence, in names of batches.
const TAG_DIGITS: usize = 16;
const SEQUENCE_DIGITS: usize = 5;

impl Batch {
    /// The batch's identity: the same for the same content of the same objects at the same
    /// packing, whenever and wherever it is made. 32 hexadecimal digits.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for origin in self.origins.iter() {
            origin.add_to(&mut hash);
        }
        hash.update(self.partition.as_bytes());
        hash.update(self.sequence.to_be_bytes());
        hexadecimal(hash, 16)
    }

    /// A name for the batch as an object, below whatever prefix: its partition or the input's bucket, the input's
    /// key, then what tells this content and this batch. At most 1,000 bytes.
    pub fn object_name(&self) -> String {
        let Batch { sequence, .. } = self;
        let extension = self.encoding.extension();
        let tags: Vec<String> = self.origins.iter().map(Origin::tag).collect();
        let tags = tags.join("-");
        let (place, name) = match &*self.origins {
            [Origin { bucket, key, .. }] if self.partition.is_empty() => {
                (bucket.as_str(), key.as_str())
            }
            // The partition says what the key's folders say.
            [Origin { key, .. }] => (
                &*self.partition,
                key.rsplit('/').find(|part| !part.is_empty()).unwrap_or("_"),
            ),
            _ => (&*self.partition, COMBINED),
        };
        let path = cut(match place {
            "" => name.to_owned(),
            place => format!("{place}/{name}"),
        });
        format!("{path}.{tags}-{sequence:0SEQUENCE_DIGITS$}.{extension}")
    }

    /// Whether a key ends as [`Batch::object_name`] does, so that it may be one of our own objects: the tags of its
    /// origins, a sequence, and the extension of an encoding.
    pub fn is_object_name(key: &str) -> bool {
        let hexadecimal = |text: &str, digits: usize| {
            text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
        };
        let named = |extension: &str| {
            let name = key.strip_suffix(extension)?.strip_suffix('.')?;
            let (_, identity) = name.rsplit_once('.')?;
            let (tags, sequence) = identity.rsplit_once('-')?;
            let is_sequence = sequence.len() >= SEQUENCE_DIGITS
                && sequence.bytes().all(|digit| digit.is_ascii_digit());
            Some(is_sequence && tags.split('-').all(|tag| hexadecimal(tag, TAG_DIGITS)))
        };
        Encoding::all().any(|encoding| named(encoding.extension()) == Some(true))
    }

    /// What names of batches begin with that may hold the same records among those of other objects, as
    /// [`Batch::object_name`] has it. `None` when no attempt before can have left one.
    pub fn combined_prefix(&self) -> Option<String> {
        if !self.may_be_combined || self.origins.len() != 1 {
            return None;
        }
        Some(match &*self.partition {
            "" => format!("{COMBINED}."),
            partition => format!("{partition}/{COMBINED}."),
        })
    }

    /// Whether a batch of several objects, which its name tells, holds the records of this one.
    pub fn is_within(&self, object_name: &str) -> bool {
        let file = object_name.rsplit('/').next().unwrap_or_default();
        let tags = file
            .strip_prefix(COMBINED)
            .and_then(|rest| rest.split('.').nth(1));
        let mut origins = self.origins.iter();
        tags.is_some_and(|tags| {
            origins.all(|origin| {
                let own = origin.tag();
                tags.split('-').any(|tag| tag == own)
            })
        })
    }
}

/// What names of batches of several objects begin with.
pub const COMBINED: &str = "combined";

/// Spans of time that are open at once: the records of an object are of one hour or day, or of two when it lies at
/// their border.
pub const MAX_OPEN: usize = 4;

/// Encodes records and cuts them into batches.
#[derive(Debug)]
pub struct Batcher {
    cutter: Cutter<Encoder>,
}

impl Batcher {
    /// A batcher for the records of these objects. Those of several are never cut, whatever the packing says: the
    /// name of their batch tells all that was delivered of each.
    pub fn new(origins: Arc<[Origin]>, packing: Arc<Packing>) -> Batcher {
        Batcher {
            cutter: Cutter::new(origins, packing),
        }
    }

    /// Says whether an attempt before may have delivered the records within batches of several objects.
    #[must_use]
    pub fn after_a_failure(mut self, may_be_combined: bool) -> Batcher {
        self.cutter.may_be_combined = may_be_combined;
        self
    }

    /// Says that the next records are of another object. What came before must be finished.
    pub fn turn_to_object(&mut self, origin: Origin) {
        let packing = Arc::clone(&self.cutter.packing);
        let before = std::mem::replace(&mut self.cutter, Cutter::new(Arc::new([origin]), packing));
        self.cutter.spare = before.spare;
        self.cutter.complete = before.complete;
        self.cutter.may_be_combined = before.may_be_combined;
    }

    /// Adds a record, with what enrichment adds to it. It may complete batches: see [`Batcher::complete`].
    ///
    /// # Errors
    /// The format's own; see [`EncodingError`].
    #[inline]
    pub fn push(
        &mut self,
        record: &Record<'_>,
        enrichment: Option<&Enrichment<'_>>,
    ) -> Result<(), EncodingError> {
        self.cutter.push((record, enrichment))
    }

    /// Takes the next batch that is complete.
    #[inline]
    pub fn complete(&mut self) -> Option<Batch> {
        self.cutter.complete()
    }

    /// Completes the batches of the records that are left, if there are any.
    ///
    /// # Errors
    /// The format's own; see [`EncodingError`].
    pub fn finish(&mut self) -> Result<(), EncodingError> {
        self.cutter.finish()
    }

    /// Gives a delivered batch's memory back: see [`Cutter::recycle`].
    pub fn recycle(&mut self, batch: Batch) {
        self.cutter.recycle(batch);
    }
}

impl Encode for Encoder {
    type Item<'i> = (&'i Record<'i>, Option<&'i Enrichment<'i>>);

    /// The start of the span of time.
    type Section = Option<i64>;

    const MAX_OPEN: usize = MAX_OPEN;

    fn open(packing: &Packing, origins: &[Origin], room: usize) -> Result<Encoder, EncodingError> {
        let mut encoder = Encoder::new(packing.encoding.format, &packing.fields, room)?;
        // Objects that share batches are of one account and region.
        if let Some(log) = origins.first() {
            encoder.set_log(log);
        }
        Ok(encoder)
    }

    fn section((record, _): Self::Item<'_>, partitioning: &Partitioning) -> Option<i64> {
        start(record, partitioning.spans())
    }

    #[inline]
    fn is_of((record, _): Self::Item<'_>, section: &Option<i64>, spans: Spans) -> bool {
        *section == start(record, spans)
    }

    fn path(section: &Option<i64>, partitioning: &Partitioning, origins: &[Origin]) -> String {
        let log = origins.first();
        log.map_or(String::new(), |log| partitioning.path(log, *section))
    }

    #[inline]
    fn accepts(&self, (record, _): Self::Item<'_>) -> bool {
        Encoder::accepts(self, record)
    }

    #[inline]
    fn write(&mut self, (record, enrichment): Self::Item<'_>) {
        Encoder::write(self, record, enrichment);
    }

    #[inline]
    fn held(&self) -> usize {
        self.len()
    }

    fn take(&mut self, spare: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
        Encoder::take(self, spare)
    }

    fn is_lasting(&self) -> bool {
        !matches!(self, Encoder::Otlp(_))
    }

    fn compressor(
        &mut self,
        compression: Compression,
    ) -> Result<Option<Compressor>, EncodingError> {
        match (self, compression) {
            (Encoder::Ndjson(encoder), Compression::Zstd) => {
                encoder.note_repeats();
                Ok(Some(Compressor::of_noted_repeats()))
            }
            _ => Compressor::new(compression),
        }
    }

    fn compress(
        &mut self,
        compressor: &mut Compressor,
        spare: &mut Vec<u8>,
    ) -> Result<(), EncodingError> {
        let Encoder::Ndjson(encoder) = self else {
            return compress_taken(self, compressor, spare);
        };
        let (literals, sequences) = encoder.noted();
        compressor.write_noted(literals, sequences)?;
        encoder.clear();
        Ok(())
    }
}

#[inline]
fn start(record: &Record<'_>, spans: Spans) -> Option<i64> {
    match spans.is_one() {
        true => None,
        false => spans.start(record.time()?),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::encoding::{Compression, Content};
    use crate::parquet::tests::{enricher, generated};
    use std::io::Read;
    use telemetry::generate::LogFormat;
    use telemetry::{LogReader, ReadOptions, Row};

    /// A batch of these bytes.
    pub(crate) fn batch_of(bytes: impl Into<Bytes>) -> Batch {
        Batch {
            origins: [origin("a/b.log.gz")].into(),
            partition: "".into(),
            sequence: 0,
            may_be_combined: false,
            records: 1,
            encoding: Encoding::NDJSON,
            bytes: bytes.into(),
        }
    }

    fn origin(key: &str) -> Origin {
        Origin {
            bucket: "logs".into(),
            key: key.into(),
            revision: "etag-1".into(),
        }
    }

    fn batches(limit: usize) -> Vec<Batch> {
        let log = format!("srcport bytes\n{}", "443 1000\n".repeat(100));
        packed(&log, &["a/b.log.gz"], Packing::ndjson(limit))
    }

    fn packed(log: &str, keys: &[&str], packing: Packing) -> Vec<Batch> {
        let options = ReadOptions::new(std::env::temp_dir());
        let mut reader = LogReader::open(log.as_bytes(), &options).unwrap();
        let origins = keys.iter().map(|key| origin(key)).collect();
        let mut batcher = Batcher::new(origins, Arc::new(packing));
        let mut made = Vec::new();
        while let Some(Row::Record(record)) = reader.next_row().unwrap() {
            batcher.push(&record, None).unwrap();
            while let Some(batch) = batcher.complete() {
                made.push(Batch {
                    bytes: Bytes::copy_from_slice(&batch.bytes),
                    ..batch.clone()
                });
                batcher.recycle(batch);
            }
        }
        batcher.finish().unwrap();
        made.extend(std::iter::from_fn(|| batcher.complete()));
        batcher.finish().unwrap();
        assert!(batcher.complete().is_none());
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
            ..origin("a/b.log.gz")
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
    fn lists_that_read_the_same_in_one_have_other_digests() {
        assert_eq!(digest(["a", "bc"]), digest(["a", "bc"]));
        assert_ne!(digest(["a", "bc"]), digest(["ab", "c"]));
        assert_ne!(digest(["a"]), digest(["a", ""]));
        assert_eq!(digest([""; 0]).len(), 32);
    }

    #[test]
    fn batches_depend_on_their_own_records_alone() {
        let log = String::from_utf8(generated(LogFormat::VpcV5, 3000)).unwrap();
        // Rows that say that there is no data are no records.
        let lines = log.split_inclusive('\n');
        let log: String = lines.filter(|line| !line.contains("DATA")).collect();
        let (header, rows) = log.split_at(log.find('\n').unwrap() + 1);
        let rows: Vec<&str> = rows.lines().collect();
        for format in Content::Records.formats() {
            let packing = |max_records, max_bytes| {
                let encoding = Encoding {
                    format: *format,
                    ..Encoding::NDJSON
                };
                Packing {
                    encoding,
                    max_records,
                    ..Packing::ndjson(max_bytes)
                }
            };
            let parts = packed(&log, &["a"], packing(1000, 100_000));
            assert!(parts.len() > 2);
            let mut rows = rows.iter().copied();
            for part in parts {
                let own: Vec<&str> = rows.by_ref().take(part.records as usize).collect();
                let own = [header, &own.join("\n"), "\n"].concat();
                let alone = packed(&own, &["a"], packing(u64::MAX, usize::MAX));
                assert_eq!(alone.len(), 1);
                assert!(alone[0].bytes == part.bytes, "{format:?}");
            }
            assert_eq!(rows.next(), None);
        }
    }

    /// Enrichers give the same numbers to other sides.
    #[test]
    fn records_of_several_enrichers_may_be_in_one_batch() {
        let log = generated(LogFormat::VpcV5, 300);
        for format in Content::Records.formats() {
            let packing = Packing {
                encoding: Encoding {
                    format: *format,
                    compression: Compression::None,
                },
                ..Packing::ndjson(usize::MAX)
            };
            let packing = Arc::new(packing);
            let written = |records_each: u32| {
                let options = ReadOptions::new(std::env::temp_dir());
                let mut reader = LogReader::open(&*log, &options).unwrap();
                let mut batcher = Batcher::new([origin("a.gz")].into(), Arc::clone(&packing));
                let new = || enricher(packing.fields.clone());
                let mut enricher = new();
                let mut records = 0;
                while let Some(row) = reader.next_row().unwrap() {
                    let Row::Record(record) = row else { continue };
                    records += 1;
                    if records % records_each == 0 {
                        enricher = new();
                    }
                    batcher
                        .push(&record, Some(&enricher.enrich(&record)))
                        .unwrap();
                }
                batcher.finish().unwrap();
                batcher.complete().unwrap().bytes
            };
            assert!(written(20) == written(u32::MAX), "{}", format.label());
        }
    }

    #[test]
    fn object_names_stay_within_what_s3_takes() {
        let batch = Batch {
            origins: [origin(&"é".repeat(512))].into(),
            ..batches(500)[0].clone()
        };
        assert!(batch.object_name().len() <= 1000);
    }

    /// Rows of two days, a minute apart around midnight, in both orders.
    const MIDNIGHT: &str = "start bytes\n1795219140 1\n1795219200 2\n1795219141 3\n1795219201 4\n";

    fn lake(partition: &str) -> Packing {
        Packing {
            partitioning: Partitioning::parse(partition).unwrap(),
            combines: true,
            ..Packing::ndjson(1 << 20)
        }
    }

    #[test]
    fn records_go_to_the_partition_of_their_own_time() {
        let made = packed(MIDNIGHT, &["x/b.log.gz"], lake("day"));
        let names: Vec<String> = made.iter().map(Batch::object_name).collect();
        let tag = origin("x/b.log.gz").tag();
        assert_eq!(
            names,
            [
                format!("day=2026-11-20/b.log.gz.{tag}-00000.ndjson"),
                format!("day=2026-11-21/b.log.gz.{tag}-00000.ndjson"),
            ]
        );
        assert_eq!(
            made[0].bytes,
            "{\"start\":1795219140,\"bytes\":1}\n{\"start\":1795219141,\"bytes\":3}\n"
        );
        assert_ne!(made[0].id(), made[1].id());
    }

    /// The hour of several days is one partition, and what has no time is another.
    #[test]
    fn no_two_batches_have_the_same_name() {
        for (partition, files) in [("hour", 3), ("region,hour", 3), ("day", 4), ("day,hour", 5)] {
            let hours = [16, 17, 24 + 16, 48 + 16].map(|hour: u64| hour * 3_600);
            let log = format!(
                "start\n{}\n-\n-\n",
                hours.map(|time| time.to_string()).join("\n")
            );
            for keys in [&["a.log.gz"][..], &["a.log.gz", "b.log.gz"]] {
                let made = packed(&log, keys, lake(partition));
                assert_eq!(made.iter().map(|batch| batch.records).sum::<u64>(), 6);
                let mut names: Vec<String> = made.iter().map(Batch::object_name).collect();
                names.sort();
                names.dedup();
                assert_eq!((names.len(), made.len()), (files, files), "{partition}");
            }
        }
    }

    #[test]
    fn many_partitions_are_closed_and_opened_again_under_other_names() {
        let hours: Vec<String> = (0..50).map(|i| format!("{}", (i % 7) * 3_600)).collect();
        let log = format!("start\n{}\n", hours.join("\n"));
        let made = packed(&log, &["b.log.gz"], lake("hour"));
        assert_eq!(made.iter().map(|batch| batch.records).sum::<u64>(), 50);
        let mut names: Vec<String> = made.iter().map(Batch::object_name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), made.len());
    }

    #[test]
    fn batches_of_several_objects_name_them_all() {
        let made = packed(MIDNIGHT, &["a.log.gz", "b.log.gz"], lake("region"));
        let tags = ["a.log.gz", "b.log.gz"].map(|key| origin(key).tag());
        assert_eq!(
            made[0].object_name(),
            format!(
                "region=__HIVE_DEFAULT_PARTITION__/combined.{}-00000.ndjson",
                tags.join("-")
            )
        );
        assert_eq!(made[0].records, 4);
        let alone = |key: &str| Batch {
            may_be_combined: true,
            ..packed(MIDNIGHT, &[key], lake("region"))[0].clone()
        };
        let name = made[0].object_name();
        let second = alone("b.log.gz");
        assert!(name.starts_with(&second.combined_prefix().unwrap()));
        assert!(second.is_within(&name) && !alone("c.log.gz").is_within(&name));
        assert!(!second.is_within(&second.object_name()));
        assert_eq!(made[0].combined_prefix(), None);
    }

    #[test]
    fn compressed_batches_hold_the_same_and_are_cut_by_what_comes_out() {
        let log = format!("srcport bytes\n{}", "443 1000\n".repeat(200_000));
        let whole = packed(&log, &["a"], Packing::ndjson(usize::MAX));
        for compression in [Compression::Gzip, Compression::Zstd] {
            let packing = Packing {
                encoding: Encoding {
                    compression,
                    ..Encoding::NDJSON
                },
                ..Packing::ndjson(4_000)
            };
            let parts = packed(&log, &["a"], packing);
            assert_eq!(parts.iter().map(|b| b.records).sum::<u64>(), 200_000);
            let mut read = Vec::new();
            for part in &parts {
                let mut bytes: &[u8] = &part.bytes;
                let mut decoded = match compression {
                    Compression::Gzip => {
                        Box::new(flate2::read::GzDecoder::new(&mut bytes)) as Box<dyn Read>
                    }
                    _ => Box::new(zstd::stream::read::Decoder::new(&mut bytes).unwrap()),
                };
                decoded.read_to_end(&mut read).unwrap();
            }
            assert_eq!(read, whole[0].bytes);
        }
    }

    #[test]
    fn a_number_of_records_completes_a_batch_too() {
        let packing = Packing {
            max_records: 30,
            ..Packing::ndjson(1 << 20)
        };
        let log = format!("bytes\n{}", "1000\n".repeat(100));
        let made = packed(&log, &["a"], packing);
        let records: Vec<u64> = made.iter().map(|batch| batch.records).collect();
        assert_eq!(records, [30, 30, 30, 10]);
    }
}
