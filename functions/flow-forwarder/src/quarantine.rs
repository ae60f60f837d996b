//! The quarantine: what can never be delivered as it is, kept aside with its reason and its place.
//!
//! ```text
//! rows/<bucket>/<key>.<tag>.ndjson.gz    rows of an object that could not be read; the object itself is done
//! batches/<destination>/<batch>          a batch that a destination refused for good, and beside it
//! batches/<destination>/<batch>.json     which batch, where to, and why
//! objects/<bucket>/<key>.<tag>.json      an object that cannot be read: where it is, and why
//! ```
//!
//! What is kept of the same content is the same, byte by byte, under the same key, whenever it is kept: an attempt
//! after another replaces what the first one left.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use delivery::directory::relative_path;
use delivery::encoding::{Compression, Encoding, Format};
use delivery::lane::Refusals;
use delivery::store::{Condition, StoreError};
use delivery::{Batch, DeliveryError, Origin, Outlet, Store};
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};
use telemetry::counts::RowError;
use telemetry::{Counts, FailureClass, Layout};

use crate::event::ObjectRef;
use crate::failure::Failure;

/// The folder of rows.
pub const ROWS: &str = "rows/";
/// The folder of batches.
pub const BATCHES: &str = "batches/";
/// The folder of objects.
pub const OBJECTS: &str = "objects/";

/// Every folder.
pub const FOLDERS: &[&str] = &[ROWS, BATCHES, OBJECTS];

/// Text of rows that is kept of one object, in bytes. What goes beyond is counted, and stays in the object.
const MOST_TEXT: usize = 1 << 20;

/// The most rows that are kept of one object.
const MOST_ROWS: usize = 10_000;

/// What a file of the quarantine may have at most once it is decompressed, in bytes: rows, their reasons, and what
/// JSON adds to both.
const MOST_DECODED: u64 = 64 << 20;

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRow {
    /// Its line, or its row in a Parquet file, from 1.
    pub row: u64,
    /// The reason's short name.
    pub reason: String,
    /// The reason in words.
    pub detail: String,
    /// The row as it stands in the log.
    pub text: Vec<u8>,
    /// Its layout's place among those of the object; `None` when none was known.
    pub layout: Option<usize>,
}

/// The rows of one object that could not be read, as many as are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptRows {
    /// The layouts that the rows were read by: names of columns, in their order.
    pub layouts: Vec<Vec<String>>,
    /// The rows.
    pub rows: Vec<KeptRow>,
    /// How many more there are.
    pub left_out: u64,
    text_bytes: usize,
}

impl KeptRows {
    /// A copy of a row, if there is room for one more.
    pub fn copy(&mut self, error: &RowError, text: &[u8]) -> Option<KeptRow> {
        if self.rows.len() >= MOST_ROWS || self.text_bytes + text.len() > MOST_TEXT {
            self.left_out += 1;
            return None;
        }
        self.text_bytes += text.len();
        Some(KeptRow {
            row: error.line,
            reason: error.kind.label().to_owned(),
            detail: error.kind.to_string(),
            text: text.to_vec(),
            layout: None,
        })
    }

    /// Keeps a row, with the layout that it was read by.
    pub fn push(&mut self, row: KeptRow, layout: Option<&Arc<Layout>>) {
        let layout = layout.map(|layout| {
            let names = layout.columns().iter().map(|column| &*column.name);
            let known = self
                .layouts
                .iter()
                .position(|known| names.clone().eq(known));
            known.unwrap_or_else(|| {
                self.layouts.push(names.map(str::to_owned).collect());
                self.layouts.len() - 1
            })
        });
        self.rows.push(KeptRow { layout, ..row });
    }
}

/// A file of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsFile {
    /// The object that they are of.
    pub origin: Origin,
    /// The object's format, as log lines name it.
    pub format: String,
    /// How many rows could not be read, by reason.
    pub malformed: Vec<(String, u64)>,
    /// The rows.
    pub kept: KeptRows,
}

/// Why a file of the quarantine cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; it was not written by the quarantine, or changed since")]
pub struct FileError(String);

impl From<&str> for FileError {
    fn from(reason: &str) -> FileError {
        FileError(reason.to_owned())
    }
}

impl RowsFile {
    /// The key of the file, below the quarantine.
    pub fn key(&self) -> String {
        format!("{ROWS}{}.ndjson.gz", self.origin.object_name())
    }

    /// JSON lines, the first of which tells what the others are of, compressed with gzip.
    ///
    /// # Errors
    /// None that memory gives.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let RowsFile {
            origin,
            format,
            malformed,
            kept,
        } = self;
        let counts: Map<String, Value> = malformed
            .iter()
            .map(|(reason, count)| (reason.clone(), Value::from(*count)))
            .collect();
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
        let header = json!({
            "bucket": origin.bucket,
            "key": origin.key,
            "revision": origin.revision,
            "format": format,
            "layouts": kept.layouts,
            "malformed": counts,
            "left_out": kept.left_out,
        });
        writeln!(gzip, "{header}")?;
        for row in &kept.rows {
            let mut line = Map::new();
            line.insert("row".to_owned(), row.row.into());
            line.insert("reason".to_owned(), row.reason.as_str().into());
            line.insert("detail".to_owned(), row.detail.as_str().into());
            if let Some(layout) = row.layout {
                line.insert("layout".to_owned(), layout.into());
            }
            match std::str::from_utf8(&row.text) {
                Ok(text) => line.insert("text".to_owned(), text.into()),
                Err(_) => line.insert("hex".to_owned(), hexadecimal(&row.text).into()),
            };
            writeln!(gzip, "{}", Value::Object(line))?;
        }
        gzip.finish()
    }

    /// Reads what [`RowsFile::to_bytes`] wrote.
    ///
    /// # Errors
    /// It is something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<RowsFile, FileError> {
        let mut text = String::new();
        let mut decoded = MultiGzDecoder::new(bytes).take(MOST_DECODED);
        decoded
            .read_to_string(&mut text)
            .map_err(|error| FileError(format!("it cannot be decompressed: {error}")))?;
        let mut lines = text.lines().map(|line| {
            let value: Result<Value, _> = serde_json::from_str(line);
            value.map_err(|error| FileError(format!("a line of it is not JSON: {error}")))
        });
        let header = lines.next().ok_or("it is empty")??;
        let malformed = header.get("malformed").and_then(Value::as_object);
        let layouts = header.get("layouts").and_then(Value::as_array);
        let names = |layout: &Value| {
            let names = layout.as_array().into_iter().flatten();
            names
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect()
        };
        let mut kept = KeptRows {
            layouts: layouts.into_iter().flatten().map(names).collect(),
            left_out: number(&header, "left_out").unwrap_or_default(),
            ..KeptRows::default()
        };
        for line in lines {
            let line = line?;
            let text = match (string(&line, "text"), string(&line, "hex")) {
                (Ok(text), _) => text.into_bytes(),
                (_, Ok(hex)) => of_hexadecimal(&hex).ok_or("a row of it is no hexadecimal text")?,
                _ => return Err("a row of it has no text".into()),
            };
            let layout = number(&line, "layout").map(usize::try_from);
            kept.text_bytes += text.len();
            kept.rows.push(KeptRow {
                row: number(&line, "row").ok_or("a row of it has no number")?,
                reason: string(&line, "reason")?,
                detail: string(&line, "detail")?,
                text,
                layout: layout
                    .transpose()
                    .map_err(|_| "a row's layout is no number")?,
            });
        }
        Ok(RowsFile {
            origin: origin(&header)?,
            format: string(&header, "format")?,
            malformed: malformed
                .into_iter()
                .flatten()
                .filter_map(|(reason, count)| Some((reason.clone(), count.as_u64()?)))
                .collect(),
            kept,
        })
    }
}

/// A batch that a destination refused: what stands beside its bytes.
#[derive(Debug, Clone)]
pub struct BatchFile {
    /// The destination's URL, without anything secret.
    pub destination: String,
    /// The destination's tag, which tells it from others at that URL.
    pub tag: String,
    /// The batch, with its bytes.
    pub batch: Batch,
    /// What the destination answered, as a short name.
    pub code: String,
    /// What it said.
    pub reason: String,
}

impl BatchFile {
    /// The key of the bytes, below the quarantine. With `.json` it is that of the header.
    pub fn key(&self) -> String {
        let name = relative_path(&self.batch.object_name());
        format!("{BATCHES}{}/{name}", self.tag)
    }

    /// The header.
    pub fn header(&self) -> Value {
        let Batch {
            origins,
            partition,
            sequence,
            records,
            encoding,
            ..
        } = &self.batch;
        let origins: Vec<Value> = origins.iter().map(origin_json).collect();
        json!({
            "destination": self.destination,
            "tag": self.tag,
            "batch": self.batch.id(),
            "origins": origins,
            "partition": &**partition,
            "sequence": sequence,
            "records": records,
            "format": encoding.format.label(),
            "compression": encoding.compression.label(),
            "code": self.code,
            "reason": self.reason,
        })
    }

    /// Puts a header and the bytes beside it together again.
    ///
    /// # Errors
    /// They are something else, or do not belong together.
    pub fn of(header: &Value, bytes: Bytes) -> Result<BatchFile, FileError> {
        let unknown = |error: &dyn std::fmt::Display| FileError(error.to_string());
        let format: Format = string(header, "format")?
            .parse()
            .map_err(|error| unknown(&error))?;
        let compression: Compression = string(header, "compression")?
            .parse()
            .map_err(|error| unknown(&error))?;
        let origins = header.get("origins").and_then(Value::as_array);
        let origins = origins.ok_or("it names no origins")?.iter().map(origin);
        let sequence = number(header, "sequence").and_then(|number| u32::try_from(number).ok());
        let batch = Batch {
            origins: origins.collect::<Result<_, _>>()?,
            partition: string(header, "partition")?.into(),
            sequence: sequence.ok_or("it has no sequence")?,
            // Where it was refused, it was refused as it is.
            may_be_combined: false,
            records: number(header, "records")
                .ok_or("it does not say how many records it is of")?,
            encoding: Encoding {
                format,
                compression,
            },
            bytes,
        };
        match string(header, "batch")? == batch.id() {
            true => Ok(BatchFile {
                destination: string(header, "destination")?,
                tag: string(header, "tag")?,
                batch,
                code: string(header, "code")?,
                reason: string(header, "reason")?,
            }),
            false => Err("its id is not that of the batch that it tells of".into()),
        }
    }
}

/// An object that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFile {
    /// The object, as it can be asked for again.
    pub object: ObjectRef,
    /// What tells its content from another; empty when it was not even opened.
    pub revision: String,
    /// What it failed with.
    pub code: String,
    /// What that means.
    pub reason: String,
}

impl ObjectFile {
    /// The key of the file, below the quarantine.
    pub fn key(&self) -> String {
        let origin = Origin {
            bucket: self.object.bucket.clone(),
            key: self.object.key.clone(),
            revision: self.revision.clone(),
        };
        format!("{OBJECTS}{}.json", origin.object_name())
    }

    /// The file. It is an element of an event for a backfill as well.
    pub fn to_json(&self) -> Value {
        let mut file = self.object.to_json();
        if let Value::Object(members) = &mut file {
            for (name, value) in [
                ("revision", &self.revision),
                ("code", &self.code),
                ("reason", &self.reason),
            ] {
                members.insert(name.to_owned(), value.as_str().into());
            }
        }
        file
    }
}

/// Where things are kept aside.
#[derive(Debug, Clone)]
pub struct Quarantine {
    store: Store,
}

impl Quarantine {
    /// A quarantine at this place.
    pub fn new(store: Store) -> Quarantine {
        Quarantine { store }
    }

    /// Keeps the rows of an object that could not be read.
    ///
    /// # Errors
    /// They are not kept, and the object is not done.
    pub async fn keep_rows(
        &self,
        origin: &Origin,
        format: &str,
        counts: &Counts,
        kept: KeptRows,
    ) -> Result<(), Failure> {
        let malformed = counts.malformed_by_reason();
        let file = RowsFile {
            origin: origin.clone(),
            format: format.to_owned(),
            malformed: malformed
                .map(|(reason, count)| (reason.to_owned(), count))
                .collect(),
            kept,
        };
        let bytes = file.to_bytes().map_err(|error| Failure {
            class: FailureClass::Retry,
            code: CODE.to_owned(),
            message: format!("rows could not be packed for the quarantine: {error}"),
        })?;
        self.put(&file.key(), bytes, "application/x-ndjson").await
    }

    /// Keeps what is known of an object that cannot be read.
    ///
    /// # Errors
    /// It is not kept, and the object is not done.
    pub async fn keep_object(
        &self,
        object: &ObjectRef,
        revision: &str,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let file = ObjectFile {
            object: object.clone(),
            revision: revision.to_owned(),
            code: failure.code.clone(),
            reason: failure.message.clone(),
        };
        let bytes = format!("{}\n", file.to_json());
        self.put(&file.key(), bytes.into_bytes(), JSON).await
    }

    /// Keeps a batch: its bytes first, so that a header never stands alone.
    async fn keep_batch(
        &self,
        batch: &Batch,
        outlet: &Outlet,
        error: &DeliveryError,
    ) -> Result<(), Failure> {
        let file = BatchFile {
            destination: outlet.url.clone(),
            tag: outlet.tag.clone(),
            batch: batch.clone(),
            code: error.code.clone(),
            reason: error.reason.clone(),
        };
        let key = file.key();
        let bytes = batch.bytes.clone();
        self.put(&key, bytes, batch.encoding.content_type()).await?;
        let header = format!("{}\n", file.header());
        self.put(&format!("{key}.json"), header, JSON).await
    }

    async fn put(
        &self,
        key: &str,
        bytes: impl Into<Bytes>,
        content_type: &str,
    ) -> Result<(), Failure> {
        let put = self
            .store
            .put(key, bytes.into(), Condition::None, content_type);
        put.await.map(drop).map_err(|error| not_kept(&error))
    }
}

const JSON: &str = "application/json";

/// The code of failures to keep something.
const CODE: &str = "Quarantine";

fn not_kept(error: &StoreError) -> Failure {
    let class = match error.class() {
        FailureClass::Retry => FailureClass::Retry,
        // What is to be kept is not at fault.
        FailureClass::Config | FailureClass::Poison => FailureClass::Config,
    };
    Failure {
        class,
        code: CODE.to_owned(),
        message: format!("what cannot be delivered could not be kept aside: {error}"),
    }
}

/// Keeps batches that are refused, where there is a quarantine.
#[derive(Debug, Clone, Copy)]
pub struct RefusedBatches<'q>(pub Option<&'q Quarantine>);

impl Refusals for RefusedBatches<'_> {
    async fn keep(
        &self,
        batch: &Batch,
        outlet: &Outlet,
        error: DeliveryError,
    ) -> Result<(), DeliveryError> {
        let RefusedBatches(Some(quarantine)) = self else {
            return Err(error);
        };
        tracing::warn!(
            destination = outlet.url,
            batch = batch.id(),
            records = batch.records,
            code = error.code,
            reason = error.reason,
            "the destination refused a batch for good; it is kept in quarantine"
        );
        let kept = quarantine.keep_batch(batch, outlet, &error).await;
        kept.map_err(|failure| DeliveryError {
            class: failure.class,
            code: failure.code,
            reason: format!("{}; {}", error.reason, failure.message),
            ..error
        })
    }
}

fn origin_json(origin: &Origin) -> Value {
    json!({"bucket": origin.bucket, "key": origin.key, "revision": origin.revision})
}

fn origin(value: &Value) -> Result<Origin, FileError> {
    Ok(Origin {
        bucket: string(value, "bucket")?,
        key: string(value, "key")?,
        revision: string(value, "revision")?,
    })
}

fn string(value: &Value, name: &str) -> Result<String, FileError> {
    let text = value.get(name).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| FileError(format!("it has no {name}")))
}

fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name)?.as_u64()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
    };
    let bytes = pairs.iter().map(byte).collect();
    rest.is_empty().then_some(bytes).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use delivery::store::Fetched;
    use telemetry::counts::RowErrorKind;

    fn sample() -> Origin {
        Origin {
            bucket: "logs".into(),
            key: "../a/b.log.gz".into(),
            revision: "v1".into(),
        }
    }

    fn malformed(line: u64) -> RowError {
        RowError {
            line,
            kind: RowErrorKind::NotUtf8,
        }
    }

    fn rows(layouts: &[&str], texts: &[&[u8]]) -> KeptRows {
        let mut kept = KeptRows::default();
        for (number, text) in texts.iter().enumerate() {
            let row = kept.copy(&malformed(number as u64 + 1), text).unwrap();
            let layout = layouts
                .get(number)
                .map(|format| Layout::from_format(format));
            let layout = layout.map(|layout| Arc::new(layout.unwrap()));
            kept.push(row, layout.as_ref());
        }
        kept
    }

    #[test]
    fn rows_are_read_back_as_they_were_and_are_the_same_bytes_every_time() {
        let kept = rows(
            &["srcaddr dstaddr", "srcaddr bytes", "srcaddr dstaddr"],
            &[b"a b", b"\xff \x00", "é \"\\ \t".as_bytes(), b""],
        );
        assert_eq!(kept.layouts.len(), 2);
        let places: Vec<_> = kept.rows.iter().map(|row| row.layout).collect();
        assert_eq!(places, [Some(0), Some(1), Some(0), None]);
        let file = RowsFile {
            origin: sample(),
            format: "flow-text".into(),
            malformed: vec![("not_utf8".into(), 4)],
            kept,
        };
        let bytes = file.to_bytes().unwrap();
        assert_eq!(bytes, file.to_bytes().unwrap());
        assert_eq!(RowsFile::from_bytes(&bytes), Ok(file.clone()));
        assert!(file.key().starts_with("rows/logs/%2E%2E/a/b.log.gz."));
        for cut in [0, 5, bytes.len() - 9] {
            assert!(RowsFile::from_bytes(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_is_kept_of_one_object_is_bounded_and_the_rest_counted() {
        let mut kept = KeptRows::default();
        let long = vec![b'x'; MOST_TEXT / 4];
        for line in 0..6 {
            if let Some(row) = kept.copy(&malformed(line), &long) {
                kept.push(row, None);
            }
        }
        assert_eq!((kept.rows.len(), kept.left_out), (4, 2));
        let mut kept = KeptRows::default();
        for line in 0..MOST_ROWS as u64 + 3 {
            if let Some(row) = kept.copy(&malformed(line), b"") {
                kept.push(row, None);
            }
        }
        assert_eq!((kept.rows.len(), kept.left_out), (MOST_ROWS, 3));
    }

    #[tokio::test]
    async fn a_refused_batch_is_put_together_again() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::Directory(root.path().to_owned());
        let quarantine = Quarantine::new(store.clone());
        let url: delivery::DestinationUrl = "file:///out".parse().unwrap();
        let sdk = invocation::aws::no_services();
        let mut connections = delivery::destination::Connections::to_aws(&sdk);
        let lanes = delivery::lane::open(&[url], &mut connections)
            .await
            .unwrap();
        let outlet = &lanes[0].outlets[0];
        let batch = Batch {
            origins: [sample()].into(),
            partition: "".into(),
            sequence: 7,
            may_be_combined: true,
            records: 3,
            encoding: Encoding::NDJSON,
            bytes: Bytes::from_static(b"{}\n{}\n{}\n"),
        };
        let error = DeliveryError {
            class: FailureClass::Poison,
            code: "400".into(),
            destination: outlet.url.clone(),
            reason: "field x".into(),
            retries: 0,
        };
        let refused = RefusedBatches(None)
            .keep(&batch, outlet, error.clone())
            .await;
        assert_eq!(refused, Err(error.clone()));
        let refusals = RefusedBatches(Some(&quarantine));
        refusals.keep(&batch, outlet, error.clone()).await.unwrap();
        let keys = store.keys(BATCHES).await.unwrap();
        let [bytes_key, header_key] = &keys[..] else {
            panic!("{keys:?}");
        };
        assert_eq!(header_key, &format!("{bytes_key}.json"));
        let read = async |key: &str| match store.get(key, None).await {
            Ok(Fetched::Object { bytes, .. }) => bytes,
            other => panic!("{other:?}"),
        };
        let mut header: Value = serde_json::from_slice(&read(header_key).await).unwrap();
        let file = BatchFile::of(&header, read(bytes_key).await).unwrap();
        assert_eq!(
            (file.batch.id(), &file.batch.bytes),
            (batch.id(), &batch.bytes)
        );
        assert_eq!(
            (file.destination, file.code),
            ("file:///out".into(), "400".into())
        );
        header["sequence"] = 8.into();
        assert!(BatchFile::of(&header, Bytes::new()).is_err());
    }

    #[tokio::test]
    async fn a_quarantine_that_cannot_be_written_fails_as_the_place_says() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("objects"), "a file").unwrap();
        let quarantine = Quarantine::new(Store::Directory(root.path().to_owned()));
        let object = ObjectRef::new("logs", "a.log.gz");
        let failure = Failure::event("x");
        let kept = quarantine.keep_object(&object, "v1", &failure).await;
        let failure = kept.unwrap_err();
        assert_eq!(failure.error_type(), "Config.Quarantine");
        assert!(failure.message.contains("objects"), "{failure}");
    }

    #[test]
    fn an_object_that_is_kept_can_be_asked_for_again() {
        let object = ObjectRef {
            version: Some("v1".into()),
            ..ObjectRef::new("logs", "a b.gz")
        };
        let file = ObjectFile {
            object: object.clone(),
            revision: "v1".into(),
            code: "Read.corrupt".into(),
            reason: "why".into(),
        };
        let event = json!({"backfill": {"objects": [file.to_json()]}});
        let requests = crate::event::unwrap(&event).messages.remove(0).requests;
        assert_eq!(requests, [crate::event::Request::Object(object)]);
        assert!(file.key().starts_with("objects/logs/a b.gz."));
    }
}
