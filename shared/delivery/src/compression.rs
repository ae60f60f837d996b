//! Compression of encoded records as a whole.

use std::io::Write;

use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::encoding::{Compression, EncodingError};

/// The level of gzip: most of what level 6 saves, at a third of its time.
const GZIP_LEVEL: u32 = 3;

/// The level of Zstandard: on records it is faster and smaller than any level of gzip.
const ZSTD_LEVEL: i32 = 1;

/// Compresses bytes as they come.
pub struct Compressor(Kind);

enum Kind {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.0 {
            Kind::Gzip(_) => Compression::Gzip,
            Kind::Zstd(_) => Compression::Zstd,
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

    /// Adds bytes.
    ///
    /// # Errors
    /// The library fails, which writing to memory gives it no reason for.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), EncodingError> {
        let written = match &mut self.0 {
            Kind::Gzip(encoder) => encoder.write_all(bytes),
            Kind::Zstd(encoder) => encoder.write_all(bytes),
        };
        written.map_err(failed)
    }

    /// How many compressed bytes have come out so far.
    pub fn written(&self) -> usize {
        match &self.0 {
            Kind::Gzip(encoder) => encoder.get_ref().len(),
            Kind::Zstd(encoder) => encoder.get_ref().len(),
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
        };
        finished.map_err(failed)
    }
}

fn failed(error: std::io::Error) -> EncodingError {
    EncodingError {
        format: "compressed records",
        reason: error.to_string(),
    }
}
