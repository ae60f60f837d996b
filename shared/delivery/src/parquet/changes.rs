//! Changes of resources as Parquet.

use jiff::Timestamp;
use serde_json::Value;
use telemetry::change::Change;

use super::columns::{Column, ColumnType, ColumnValue, Source, Table};
use super::file::FileWriter;
use super::{ZSTD_LEVEL, failed, metadata};
use crate::encoding::EncodingError;

/// The columns, in the order of the record.
const COLUMNS: [(&str, ColumnType); 12] = [
    ("observed", ColumnType::Microseconds),
    ("previously_observed", ColumnType::Microseconds),
    ("account", ColumnType::Text),
    ("region", ColumnType::Text),
    ("service", ColumnType::Text),
    ("operation", ColumnType::Text),
    ("section", ColumnType::Text),
    ("resource", ColumnType::Text),
    ("owner", ColumnType::Text),
    ("kind", ColumnType::Text),
    ("members", ColumnType::Document),
    ("row", ColumnType::Document),
];

/// Changes of a row group at most; their documents are what takes memory.
const GROUP_ROWS: usize = 16 * 1024;

/// Memory of a row group's texts at most.
const GROUP_BYTES: usize = 16 << 20;

/// Writes changes to a Parquet file in memory: a change is a row, its members and its resource are JSON texts.
pub struct ChangesEncoder {
    table: Table,
    rows: Vec<u32>,
    file: FileWriter,
    defect: Option<String>,
}

impl ChangesEncoder {
    /// An encoder without changes.
    ///
    /// # Errors
    /// The compression cannot be set up, for want of memory.
    pub fn new() -> Result<ChangesEncoder, EncodingError> {
        Ok(ChangesEncoder {
            table: Table::new(COLUMNS.map(|(name, column_type)| Column::new(name, column_type))),
            rows: Vec::new(),
            file: FileWriter::new(ZSTD_LEVEL).map_err(failed)?,
            defect: None,
        })
    }

    /// About how many bytes the file has so far; documents are compressed to a tenth and less.
    pub fn len(&self) -> usize {
        self.file.len() + self.table.text_bytes() / 10 + self.table.rows() * 8
    }

    /// Whether nothing was written since the file was last taken.
    pub fn is_empty(&self) -> bool {
        self.file.is_empty() && self.table.rows() == 0
    }

    /// Adds a change.
    pub fn write(&mut self, change: &Change) {
        let time = |time: Timestamp| Some(ColumnValue::Integer(time.as_microsecond()));
        let json = change.to_json();
        let member = |name: &str| json.get(name).map(Value::to_string);
        let (members, row) = (member("members"), member("row"));
        let values = [
            time(change.observed),
            time(change.previously_observed),
            Some(ColumnValue::Text(&change.account)),
            Some(ColumnValue::Text(&change.region)),
            Some(ColumnValue::Text(change.service)),
            Some(ColumnValue::Text(change.operation)),
            Some(ColumnValue::Text(change.section)),
            Some(ColumnValue::Text(&change.resource)),
            change.owner.as_deref().map(ColumnValue::Text),
            Some(ColumnValue::Text(change.kind.label())),
            members.as_deref().map(ColumnValue::Text),
            row.as_deref().map(ColumnValue::Text),
        ];
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
            rows: &self.rows,
        });
        if let Err(error) = self.file.write_group(rows, sources, None) {
            self.defect.get_or_insert(error.to_string());
        }
        self.table.clear();
    }

    /// Ends the file and takes it; empty when no change was written. `spare` becomes the next file's buffer.
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
        self.file
            .finish(COLUMNS, metadata("change"), spare)
            .map_err(failed)
    }
}
