//! Generated log objects of a chosen size.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use telemetry::generate::{Generator, LogFormat};

/// 2026-11-20T16:00:00Z.
const START: u64 = 1_795_190_400;

/// A log of `rows` rows as one gzip member, header line first.
pub fn gzip(format: LogFormat, rows: usize) -> Vec<u8> {
    let mut generator = Generator::new(format, 1, START);
    let mut text = generator.header().unwrap_or_default().into_bytes();
    if !text.is_empty() {
        text.push(b'\n');
    }
    for _ in 0..rows {
        generator.row(&mut text);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&text).unwrap();
    encoder.finish().unwrap()
}
