//! Encodings: what is delivered, apart from where to.

use std::str::FromStr;

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
    /// OTLP: log records as protobuf.
    Otlp,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] = [
        Format::Ndjson,
        Format::Parquet,
        Format::Ocsf,
        Format::OcsfParquet,
        Format::Otlp,
    ];

    /// As a destination's URL spells it.
    pub const fn label(self) -> &'static str {
        match self {
            Format::Ndjson => "ndjson",
            Format::Parquet => "parquet",
            Format::Ocsf => "ocsf",
            Format::OcsfParquet => "ocsf-parquet",
            Format::Otlp => "otlp",
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
