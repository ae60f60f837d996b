//! Compression of encoded records as a whole.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::encoding::{Compression, EncodingError};
use crate::zstandard::{Frame, Sequence, Unsound};

/// The level of gzip: most of what level 6 saves, at a third of its time.
const GZIP_LEVEL: u32 = 3;

/// The level of Zstandard: on records it is faster and smaller than any level of gzip.
const ZSTD_LEVEL: i32 = 1;

/// Compresses bytes as they come.
pub struct Compressor(Kind);

enum Kind {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
    /// Zstandard of texts whose repeats are known.
    Noted(Box<Frame>),
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.0 {
            Kind::Gzip(_) => Compression::Gzip,
            Kind::Zstd(_) | Kind::Noted(_) => Compression::Zstd,
        };
        f.debug_tuple("Compressor").field(&kind).finish()
    }
}

impl Compressor {
    /// A compressor; `None` for no compression.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(compression: Compression) -> Result<Option<Compressor>, EncodingError> {
        Ok(match compression {
            Compression::None => None,
            Compression::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                Some(Compressor(Kind::Gzip(GzEncoder::new(Vec::new(), level))))
            }
            Compression::Zstd => {
                let encoder = ZstdEncoder::new(Vec::new(), ZSTD_LEVEL);
                Some(Compressor(Kind::Zstd(encoder.map_err(failed)?)))
            }
        })
    }

    /// A compressor in the format of Zstandard that searches for nothing: see [`Compressor::write_noted`].
    pub(crate) fn of_noted_repeats() -> Compressor {
        Compressor(Kind::Noted(Box::new(Frame::new())))
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// The library fails, which writing to memory gives it no reason for.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), EncodingError> {
        self.write_noted(bytes, &mut [])
    }

    /// Adds a text as what is new in it and what stood before, which is changed. Only a compressor [of noted
    /// repeats](Compressor::of_noted_repeats) can take any of the latter.
    ///
    /// # Errors
    /// As [`Compressor::write`], and if a repeat cannot be.
    pub(crate) fn write_noted(
        &mut self,
        literals: &[u8],
        sequences: &mut [Sequence],
    ) -> Result<(), EncodingError> {
        let written = match &mut self.0 {
            Kind::Noted(frame) => frame.write(literals, sequences).map_err(io::Error::other),
            _ if !sequences.is_empty() => Err(io::Error::other(Unsound)),
            Kind::Gzip(encoder) => encoder.write_all(literals),
            Kind::Zstd(encoder) => encoder.write_all(literals),
        };
        written.map_err(failed)
    }

    /// How many compressed bytes have come out so far.
    pub fn written(&self) -> usize {
        match &self.0 {
            Kind::Gzip(encoder) => encoder.get_ref().len(),
            Kind::Zstd(encoder) => encoder.get_ref().len(),
            Kind::Noted(frame) => frame.written(),
        }
    }

    /// The compressed bytes, complete.
    ///
    /// # Errors
    /// As [`Compressor::write`].
    pub fn finish(self) -> Result<Vec<u8>, EncodingError> {
        let finished = match self.0 {
            Kind::Gzip(encoder) => encoder.finish(),
            Kind::Zstd(encoder) => encoder.finish(),
            Kind::Noted(frame) => Ok(frame.finish()),
        };
        finished.map_err(failed)
    }
}

fn failed(error: io::Error) -> EncodingError {
    EncodingError {
        format: "compressed records",
        reason: error.to_string(),
    }
}
