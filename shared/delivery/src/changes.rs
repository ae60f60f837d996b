//! Changes of resources, encoded and gathered into batches.

use telemetry::change::Change;

use crate::batch::{Cutter, Encode, Origin, Packing};
use crate::encoding::{Content, EncodingError, Format};
use crate::parquet::{CHANGES, RowsEncoder};
use crate::partition::{Partitioning, Spans};

/// Cuts changes into batches. Their origin tells their account, region and day: they have no partitions.
pub type ChangeBatcher = Cutter<ChangeEncoder>;

/// Writes changes in one of their formats, [`Content::Changes`].
#[derive(Debug)]
pub enum ChangeEncoder {
    /// [`Format::Ndjson`].
    Ndjson(Vec<u8>),
    /// [`Format::Parquet`].
    Parquet(Box<RowsEncoder>),
}

impl Encode for ChangeEncoder {
    type Item<'i> = &'i Change;
    type Section = ();

    const MAX_OPEN: usize = 1;

    fn open(packing: &Packing, _: &[Origin], _: usize) -> Result<ChangeEncoder, EncodingError> {
        match packing.encoding.format {
            Format::Ndjson => Ok(ChangeEncoder::Ndjson(Vec::new())),
            Format::Parquet => Ok(ChangeEncoder::Parquet(Box::new(RowsEncoder::new(
                &CHANGES,
            )?))),
            other => Err(Content::Changes.refuses(other)),
        }
    }

    fn section(_: &Change, _: &Partitioning) {}

    fn is_of(_: &Change, _: &(), _: Spans) -> bool {
        true
    }

    fn path(_: &(), _: &Partitioning, _: &[Origin]) -> String {
        String::new()
    }

    fn write(&mut self, change: &Change) {
        match self {
            ChangeEncoder::Ndjson(lines) => {
                lines.extend_from_slice(change.to_json().to_string().as_bytes());
                lines.push(b'\n');
            }
            ChangeEncoder::Parquet(rows) => rows.write_change(change),
        }
    }

    fn held(&self) -> usize {
        match self {
            ChangeEncoder::Ndjson(lines) => lines.len(),
            ChangeEncoder::Parquet(rows) => rows.len(),
        }
    }

    fn take(&mut self, mut spare: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
        match self {
            ChangeEncoder::Ndjson(lines) => {
                spare.clear();
                Ok(std::mem::replace(lines, spare))
            }
            ChangeEncoder::Parquet(rows) => rows.take(spare),
        }
    }
}
