//! Records as events of OCSF, class Network Activity (4001): one JSON object a line, or Parquet as a custom source of
//! Security Lake has it.
//!
//! ```text
//! record, enrichment ─▶ event ─┬─▶ json      by one table: attribute
//!                              └─▶ parquet
//! ```
//!
//! Nothing of a record or its enrichment is lost: what has no attribute is in `unmapped` under its own name.

pub mod attribute;
mod caption;
mod entry;
mod event;
mod json;
pub mod parquet;
#[cfg(test)]
mod tests;

use telemetry::Record;
use telemetry::enrichment::Enrichment;

use crate::encoding::EncodingError;
use event::Mapper;
use json::Times;
pub use parquet::OcsfParquetEncoder;

/// Writes records as OCSF events to a buffer, one JSON object per line.
#[derive(Debug, Default)]
pub struct OcsfEncoder {
    buffer: Vec<u8>,
    mapper: Mapper,
    times: Times,
}

impl OcsfEncoder {
    /// An encoder whose buffer is taken when it holds about this many bytes.
    pub fn new(bytes: usize) -> OcsfEncoder {
        OcsfEncoder {
            buffer: Vec::with_capacity(bytes.min(FIRST_ROOM)),
            ..OcsfEncoder::default()
        }
    }

    /// Bytes written since the buffer was last taken.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing was written since the buffer was last taken.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Appends one record, with what enrichment adds to it, as an event and a line feed.
    pub fn write(&mut self, record: &Record<'_>, enrichment: Option<&Enrichment<'_>>) {
        let event = self.mapper.map(record, enrichment);
        json::write(&mut self.buffer, &event, &mut self.times);
        self.buffer.push(b'\n');
    }

    /// Takes what was written. `spare` becomes the next buffer; its content does not matter.
    ///
    /// # Errors
    /// Never; it is as the other encoders have it.
    pub fn take(&mut self, mut spare: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
        spare.clear();
        Ok(std::mem::replace(&mut self.buffer, spare))
    }
}

/// Room that a buffer begins with.
const FIRST_ROOM: usize = 16 * 1024;
