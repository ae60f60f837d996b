//! Rows of columns that are always the same, as Parquet: changes and datapoints.

use std::fmt;

use super::columns::{Column, ColumnType, ColumnValue, Source, Table};
use super::file::FileWriter;
use super::{ZSTD_LEVEL, failed, metadata};
use crate::encoding::EncodingError;

/// Rows of a row group at most.
const GROUP_ROWS: usize = 16 * 1024;

/// Memory of a row group's texts at most.
const GROUP_BYTES: usize = 16 << 20;

/// What a file of such rows holds.
#[derive(Debug)]
pub struct RowKind {
    /// As the file's metadata has it.
    pub label: &'static str,
    /// The columns, in their order.
    pub columns: &'static [(&'static str, ColumnType)],
}

/// Writes rows to a Parquet file in memory.
pub struct RowsEncoder {
    kind: &'static RowKind,
    table: Table,
    rows: Vec<u32>,
    file: FileWriter,
    defect: Option<String>,
}

impl fmt::Debug for RowsEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowsEncoder")
            .field("kind", &self.kind.label)
            .field("open_rows", &self.table.rows())
            .finish_non_exhaustive()
    }
}

impl RowsEncoder {
    /// An encoder without rows.
    ///
    /// # Errors
    /// The compression cannot be set up, for want of memory.
    pub fn new(kind: &'static RowKind) -> Result<RowsEncoder, EncodingError> {
        let columns = kind.columns.iter();
        let columns = columns.map(|(name, column_type)| Column::new(*name, *column_type));
        Ok(RowsEncoder {
            kind,
            table: Table::new(columns),
            rows: Vec::new(),
            file: FileWriter::new(ZSTD_LEVEL).map_err(failed)?,
            defect: None,
        })
    }

    /// About how many bytes the file has so far; texts are compressed to a tenth and less.
    pub fn len(&self) -> usize {
        self.file.len() + self.table.text_bytes() / 10 + self.table.rows() * 8
    }

    /// Whether nothing was written since the file was last taken.
    pub fn is_empty(&self) -> bool {
        self.file.is_empty() && self.table.rows() == 0
    }

    /// Adds a row: a value for each column, in their order.
    pub fn write<'v>(&mut self, values: impl IntoIterator<Item = Option<ColumnValue<'v>>>) {
        for (place, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                self.table.put(place, value);
            }
        }
        let row = self.table.end_row();
        if row + 1 >= GROUP_ROWS || self.table.text_bytes() > GROUP_BYTES {
            self.write_group();
        }
    }

    fn write_group(&mut self) {
        let rows = self.table.rows();
        if rows == 0 {
            return;
        }
        self.rows.clear();
        self.rows.extend(0..rows as u32);
        let sources = self.table.columns().iter().map(|column| Source {
            name: column.name(),
            column,
            rows: (&self.rows).into(),
        });
        if let Err(error) = self.file.write_group(rows, sources, None) {
            self.defect.get_or_insert(error.to_string());
        }
        self.table.clear();
    }

    /// Ends the file and takes it; empty when no row was written. `spare` becomes the next file's buffer.
    ///
    /// # Errors
    /// The file cannot be put together. The encoder is empty then, too.
    pub fn take(&mut self, spare: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
        self.write_group();
        if let Some(reason) = self.defect.take() {
            self.file.clear();
            return Err(failed(reason));
        }
        if self.file.is_empty() {
            return Ok(Vec::new());
        }
        let columns = self.kind.columns.iter().copied();
        self.file
            .finish(columns, metadata(self.kind.label), spare)
            .map_err(failed)
    }
}
