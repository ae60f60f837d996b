//! Encodings: what is delivered, apart from where to.

use std::str::FromStr;

use telemetry::enrichment::{Enrichment, FieldSet};
use telemetry::{ObjectKey, Record};

use crate::batch::Origin;
use crate::ndjson::NdjsonEncoder;
use crate::ocsf::{OcsfEncoder, OcsfParquetEncoder};
use crate::otlp::{Home, OtlpLogsEncoder};
use crate::parquet::ParquetEncoder;
use crate::{ocsf, parquet};

#[cfg(test)]
mod tests;

/// The shape that records are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Newline-delimited JSON in the native schema.
    Ndjson,
    /// Parquet in the native schema.
    Parquet,
    /// OCSF Network Activity as newline-delimited JSON.
    Ocsf,
    /// OCSF Network Activity as Parquet, as a custom source of Security Lake writes it.
    OcsfParquet,
    /// OTLP: log records or metrics as protobuf.
    Otlp,
    /// InfluxDB's line protocol.
    Influx,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 6] = [
        Format::Ndjson,
        Format::Parquet,
        Format::Ocsf,
        Format::OcsfParquet,
        Format::Otlp,
        Format::Influx,
    ];

    /// As a destination's URL spells it.
    pub const fn label(self) -> &'static str {
        match self {
            Format::Ndjson => "ndjson",
            Format::Parquet => "parquet",
            Format::Ocsf => "ocsf",
            Format::OcsfParquet => "ocsf-parquet",
            Format::Otlp => "otlp",
            Format::Influx => "influx",
        }
    }
}

impl Format {
    /// Whether files of the format are compressed inside, so that compressing them again is no use.
    pub const fn is_compressed(self) -> bool {
        matches!(self, Format::Parquet | Format::OcsfParquet)
    }

    /// Memory of rows that wait to be encoded together, at most, in bytes.
    pub(crate) const fn rows_bytes(self) -> usize {
        match self {
            Format::Parquet => parquet::ROWS_BYTES,
            Format::OcsfParquet => ocsf::parquet::GROUP_BYTES,
            Format::Ndjson | Format::Ocsf | Format::Otlp | Format::Influx => 0,
        }
    }
}

/// What is delivered. It decides the formats, and where a receiver of OTLP takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// Records of logs.
    Records,
    /// Changes of resources.
    Changes,
    /// Datapoints of metrics.
    Datapoints,
}

impl Content {
    /// As messages call it.
    pub const fn label(self) -> &'static str {
        match self {
            Content::Records => "records",
            Content::Changes => "changes",
            Content::Datapoints => "datapoints",
        }
    }

    /// The formats it has.
    pub const fn formats(self) -> &'static [Format] {
        match self {
            Content::Records => &[
                Format::Ndjson,
                Format::Parquet,
                Format::Ocsf,
                Format::OcsfParquet,
                Format::Otlp,
            ],
            Content::Changes => &[Format::Ndjson, Format::Parquet],
            Content::Datapoints => &[
                Format::Ndjson,
                Format::Parquet,
                Format::Otlp,
                Format::Influx,
            ],
        }
    }

    /// What to say of a format that is not among its own.
    pub fn refusal(self, format: Format) -> String {
        let known: Vec<&str> = self.formats().iter().map(|one| one.label()).collect();
        let (content, known) = (self.label(), known.join(", "));
        format!(
            "{content} are not written as {}; choose from {known}",
            format.label()
        )
    }

    pub(crate) fn refuses(self, format: Format) -> EncodingError {
        EncodingError {
            format: format.label(),
            reason: self.refusal(format),
        }
    }
}

/// How encoded records are compressed as a whole. Parquet compresses its pages itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// They are not.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
}

impl Compression {
    /// Every compression.
    pub const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

    /// As a destination's URL and HTTP's `Content-Encoding` spell it.
    pub const fn label(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }
}

/// What is delivered: a format, and how the whole is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// The format.
    pub format: Format,
    /// The compression of the whole.
    pub compression: Compression,
}

impl Encoding {
    /// Newline-delimited JSON as it is.
    pub const NDJSON: Encoding = Encoding {
        format: Format::Ndjson,
        compression: Compression::None,
    };

    /// Every encoding.
    pub fn all() -> impl Iterator<Item = Encoding> {
        Format::ALL.into_iter().flat_map(|format| {
            Compression::ALL
                .into_iter()
                .map(move |compression| Encoding {
                    format,
                    compression,
                })
        })
    }

    /// Whether memory of delivered batches is worth being kept for the next ones: it is where touching fresh memory
    /// takes longer than encoding into it.
    pub const fn reuses_memory(self) -> bool {
        matches!(self.compression, Compression::None) && !self.format.is_compressed()
    }

    /// The media type of the format, compressed or not.
    pub const fn content_type(self) -> &'static str {
        match self.format {
            Format::Ndjson | Format::Ocsf => "application/x-ndjson",
            Format::Parquet | Format::OcsfParquet => "application/vnd.apache.parquet",
            Format::Otlp => "application/x-protobuf",
            Format::Influx => "text/plain; charset=utf-8",
        }
    }

    /// What names of files end with, without the first dot.
    pub const fn extension(self) -> &'static str {
        match (self.format, self.compression) {
            (Format::Parquet | Format::OcsfParquet, _) => "parquet",
            (Format::Ndjson | Format::Ocsf, Compression::None) => "ndjson",
            (Format::Ndjson | Format::Ocsf, Compression::Gzip) => "ndjson.gz",
            (Format::Ndjson | Format::Ocsf, Compression::Zstd) => "ndjson.zst",
            (Format::Otlp, Compression::None) => "binpb",
            (Format::Otlp, Compression::Gzip) => "binpb.gz",
            (Format::Otlp, Compression::Zstd) => "binpb.zst",
            (Format::Influx, Compression::None) => "lp",
            (Format::Influx, Compression::Gzip) => "lp.gz",
            (Format::Influx, Compression::Zstd) => "lp.zst",
        }
    }
}

/// A name that no encoding has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is none of {known}")]
pub struct UnknownName {
    name: String,
    known: String,
}

fn named<T: Copy>(
    name: &str,
    all: &[T],
    label: impl Fn(T) -> &'static str,
) -> Result<T, UnknownName> {
    let found = all.iter().copied().find(|one| label(*one) == name);
    found.ok_or_else(|| UnknownName {
        name: name.to_owned(),
        known: all
            .iter()
            .map(|one| label(*one))
            .collect::<Vec<_>>()
            .join(", "),
    })
}

impl FromStr for Format {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Format, UnknownName> {
        named(name, &Format::ALL, Format::label)
    }
}

impl FromStr for Compression {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Compression, UnknownName> {
        named(name, &Compression::ALL, Compression::label)
    }
}

/// Records that could not be encoded. It is a defect of an encoder, met on records that a reader let pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the records cannot be written as {format}: {reason}")]
pub struct EncodingError {
    /// The format, as URLs spell it.
    pub format: &'static str,
    /// What happened.
    pub reason: String,
}

/// Writes records in one of the formats.
///
/// The same records give the same bytes: destinations that replace rely on it.
#[derive(Debug)]
pub enum Encoder {
    /// [`Format::Ndjson`].
    Ndjson(Box<NdjsonEncoder>),
    /// [`Format::Parquet`].
    Parquet(Box<ParquetEncoder>),
    /// [`Format::Ocsf`].
    Ocsf(Box<OcsfEncoder>),
    /// [`Format::OcsfParquet`].
    OcsfParquet(Box<OcsfParquetEncoder>),
    /// [`Format::Otlp`].
    Otlp(Box<OtlpLogsEncoder>),
}

impl Encoder {
    /// An encoder of records with these enriched fields, which is expected to be taken when it holds about this many
    /// bytes.
    ///
    /// # Errors
    /// Records are not written in this format, or there is no memory for it.
    pub fn new(format: Format, fields: &FieldSet, bytes: usize) -> Result<Encoder, EncodingError> {
        Ok(match format {
            Format::Ndjson => Encoder::Ndjson(Box::new(NdjsonEncoder::new(bytes))),
            Format::Parquet => {
                let encoder = ParquetEncoder::new(fields.clone())?.with_room(bytes);
                Encoder::Parquet(Box::new(encoder))
            }
            Format::Ocsf => Encoder::Ocsf(Box::new(OcsfEncoder::new(bytes))),
            Format::OcsfParquet => {
                let encoder = OcsfParquetEncoder::new()?.with_room(bytes);
                Encoder::OcsfParquet(Box::new(encoder))
            }
            Format::Otlp => Encoder::Otlp(Box::default()),
            Format::Influx => return Err(Content::Records.refuses(format)),
        })
    }

    /// Says which log the next records are of, for formats whose records have to name their account and region.
    pub fn set_log(&mut self, log: &Origin) {
        if let Encoder::Otlp(encoder) = self {
            let home = ObjectKey::parse(&log.key).map(|key| Home::new(key.account, key.region));
            encoder.set_home(home.unwrap_or_default());
        }
    }

    /// Whether what is written so far and the record can be one output. A file of columns holds one kind of record.
    #[inline]
    pub fn accepts(&self, record: &Record<'_>) -> bool {
        match self {
            Encoder::Parquet(encoder) => encoder.accepts(record),
            _ => true,
        }
    }

    /// Appends a record.
    #[inline]
    pub fn write(&mut self, record: &Record<'_>, enrichment: Option<&Enrichment<'_>>) {
        match self {
            Encoder::Ndjson(encoder) => encoder.write(record, enrichment),
            Encoder::Parquet(encoder) => encoder.write(record, enrichment),
            Encoder::Ocsf(encoder) => encoder.write(record, enrichment),
            Encoder::OcsfParquet(encoder) => encoder.write(record, enrichment),
            Encoder::Otlp(encoder) => encoder.write(record, enrichment),
        }
    }

    /// About how many bytes would be taken now.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Encoder::Ndjson(encoder) => encoder.len(),
            Encoder::Parquet(encoder) => encoder.len(),
            Encoder::Ocsf(encoder) => encoder.len(),
            Encoder::OcsfParquet(encoder) => encoder.len(),
            Encoder::Otlp(encoder) => encoder.len(),
        }
    }

    /// Whether nothing was written since it was last taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes what was written, complete in its format; the next record starts anew. `spare` is memory to use again;
    /// its content does not matter.
    ///
    /// # Errors
    /// The format's own; see [`EncodingError`].
    pub fn take(&mut self, spare: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
        match self {
            Encoder::Ndjson(encoder) => Ok(encoder.take(spare)),
            Encoder::Parquet(encoder) => encoder.take(spare),
            Encoder::Ocsf(encoder) => encoder.take(spare),
            Encoder::OcsfParquet(encoder) => encoder.take(spare),
            Encoder::Otlp(encoder) => encoder.take(spare),
        }
    }
}
