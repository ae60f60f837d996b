//! Flow logs as Parquet: read by column, told by row.
//!
//! Each value is brought to the text that a text log would show and read by the same rules, so
//! that both forms of the same rows give the same records, and columns may come as any of the
//! types seen in the field: INT32, INT64, FLOAT, DOUBLE or strings.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use super::field::Field;
use super::layout::{Layout, LayoutOrigin};
use super::number::RecentAddresses;
use super::record::{Cell, FlowRecord};
use super::separators::is_plain;
use super::text::{RowPlan, RowState, Step};
use crate::counts::{Counts, RowError, RowErrorKind};
use crate::decode::ReadError;

/// Rows taken from every column at a time.
const BATCH_ROWS: usize = 1024;

/// Account ids are 12 digits; a numeric column loses their leading zeros.
const ACCOUNT_DIGITS: usize = 12;

/// Reads a Parquet flow log, row by row.
pub(crate) struct ParquetReader {
    file: SerializedFileReader<File>,
    plan: RowPlan,
    columns: Vec<ColumnBatch>,
    next_group: usize,
    /// Rows of the current group that are not in a batch yet.
    rows_left: usize,
    batch: std::ops::Range<usize>,
    text: Vec<u8>,
    spans: Vec<(usize, usize)>,
    cells: Vec<Cell>,
    recent: RecentAddresses,
    plain: bool,
    row: u64,
    error: RowError,
}

/// One column of the current row group, and its values for the current batch.
struct ColumnBatch {
    account: bool,
    unsigned: bool,
    reader: Option<ColumnReader>,
    levels: Vec<i16>,
    max_level: i16,
    values: Values,
    /// The next value; nulls take none.
    next: usize,
}

enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
}

impl ParquetReader {
    /// Opens a Parquet file of flow logs.
    ///
    /// # Errors
    /// When the file is damaged, its columns are no flow log's, or it declares more than
    /// `max_decoded_bytes` of data.
    pub(crate) fn open(
        file: File,
        max_decoded_bytes: u64,
        counts: &mut Counts,
    ) -> Result<ParquetReader, ReadError> {
        let file = SerializedFileReader::new(file).map_err(|e| corrupt(&e, 0))?;
        let metadata = file.metadata();
        let declared = metadata
            .row_groups()
            .iter()
            .map(|g| u64::try_from(g.total_byte_size()).unwrap_or(u64::MAX));
        let declared = declared.fold(0_u64, u64::saturating_add);
        if declared > max_decoded_bytes {
            return Err(ReadError::TooLarge {
                limit: max_decoded_bytes,
            });
        }
        counts.bytes_decoded += declared;
        let schema = metadata.file_metadata().schema_descr();
        if let Some(nested) = schema
            .columns()
            .iter()
            .find(|c| c.max_rep_level() > 0 || c.max_def_level() > 1)
        {
            return Err(ReadError::NotALog(format!(
                "its Parquet column {} is nested",
                nested.path()
            )));
        }
        let names = schema.columns().iter().map(|c| c.name());
        let layout = Arc::new(Layout::new(names, LayoutOrigin::Header)?);
        layout.unknown().for_each(|name| counts.unknown(name));
        let columns = schema
            .columns()
            .iter()
            .zip(layout.columns())
            .map(|(descriptor, column)| ColumnBatch::new(descriptor, column.field))
            .collect::<Result<_, _>>()?;
        Ok(ParquetReader {
            cells: vec![Cell::ABSENT; layout.columns().len()],
            plan: RowPlan::new(layout),
            file,
            columns,
            next_group: 0,
            rows_left: 0,
            batch: 0..0,
            text: Vec::new(),
            spans: Vec::new(),
            recent: RecentAddresses::default(),
            plain: true,
            row: 0,
            error: RowError {
                line: 0,
                kind: RowErrorKind::NoLayout,
            },
        })
    }

    pub(crate) fn layout(&self) -> &Arc<Layout> {
        &self.plan.layout
    }

    /// Reads to the next record or malformed row; rows without data are passed over, and counted.
    pub(crate) fn step(&mut self, counts: &mut Counts) -> Result<Step, ReadError> {
        loop {
            if self.batch.is_empty() && !self.next_batch()? {
                return Ok(Step::End);
            }
            let index = self.batch.start;
            self.batch.start += 1;
            self.row += 1;
            match self.read_row(index) {
                Ok(state) => {
                    self.plan.count(state, &self.cells, counts);
                    if state == RowState::Flow {
                        return Ok(Step::Record);
                    }
                }
                Err(kind) => {
                    self.error = RowError {
                        line: self.row,
                        kind,
                    };
                    counts.malformed_row(&self.error);
                    return Ok(Step::Malformed);
                }
            }
        }
    }

    pub(crate) fn record(&self) -> FlowRecord<'_> {
        FlowRecord {
            layout: &self.plan.layout,
            cells: &self.cells,
            buffer: &self.text,
            row: self.row,
            plain: self.plain,
        }
    }

    pub(crate) fn error(&self) -> &RowError {
        &self.error
    }

    /// The row as text, columns separated by spaces.
    pub(crate) fn row_text(&self) -> &[u8] {
        &self.text
    }

    /// Loads the next rows of every column. False after the last row.
    fn next_batch(&mut self) -> Result<bool, ReadError> {
        while self.rows_left == 0 {
            if self.next_group >= self.file.num_row_groups() {
                return Ok(false);
            }
            let group = self
                .file
                .get_row_group(self.next_group)
                .map_err(|e| corrupt(&e, self.row))?;
            for (index, column) in self.columns.iter_mut().enumerate() {
                column.reader = Some(
                    group
                        .get_column_reader(index)
                        .map_err(|e| corrupt(&e, self.row))?,
                );
            }
            self.rows_left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            self.next_group += 1;
        }
        let rows = self.rows_left.min(BATCH_ROWS);
        for column in &mut self.columns {
            let read = column.load(rows).map_err(|e| corrupt(&e, self.row))?;
            if read != rows {
                return Err(ReadError::Corrupt {
                    encoding: "Parquet",
                    decoded: 0,
                    detail: format!(
                        "a column ends after row {} of its group's {}",
                        self.row + read as u64,
                        self.rows_left
                    ),
                });
            }
        }
        self.rows_left -= rows;
        self.batch = 0..rows;
        Ok(true)
    }

    fn read_row(&mut self, index: usize) -> Result<RowState, RowErrorKind> {
        self.text.clear();
        self.spans.clear();
        for column in &mut self.columns {
            let start = self.text.len();
            column.write_text(index, &mut self.text);
            self.spans.push((start, self.text.len()));
            self.text.push(b' ');
        }
        if std::str::from_utf8(&self.text).is_err() {
            return Err(RowErrorKind::NotUtf8);
        }
        self.plain = is_plain(&self.text) && self.text.iter().all(|b| *b >= b' ');
        let columns = self
            .plan
            .types()
            .iter()
            .zip(&self.spans)
            .zip(&mut self.cells);
        for (place, ((cell_type, (start, end)), cell)) in columns.enumerate() {
            if !cell.read(cell_type, &self.text, *start, *end, &mut self.recent) {
                let status = self.plan.status_place().and_then(|s| self.spans.get(s));
                let status = status.and_then(|(start, end)| self.text.get(*start..*end));
                return self.plan.unreadable(place, status);
            }
        }
        Ok(self.plan.state(&self.cells, &self.text))
    }
}

fn corrupt(error: &ParquetError, row: u64) -> ReadError {
    ReadError::Corrupt {
        encoding: "Parquet",
        decoded: row,
        detail: error.to_string(),
    }
}

impl ColumnBatch {
    fn new(descriptor: &ColumnDescriptor, field: Option<Field>) -> Result<ColumnBatch, ReadError> {
        use parquet::basic::Type;
        let values = match descriptor.physical_type() {
            Type::BOOLEAN => Values::Bool(Vec::new()),
            Type::INT32 => Values::Int32(Vec::new()),
            Type::INT64 => Values::Int64(Vec::new()),
            Type::FLOAT => Values::Float(Vec::new()),
            Type::DOUBLE => Values::Double(Vec::new()),
            Type::BYTE_ARRAY => Values::Bytes(Vec::new()),
            other => {
                let name = descriptor.name();
                return Err(ReadError::NotALog(format!(
                    "its Parquet column {name} is {other}, which no flow log has"
                )));
            }
        };
        let unsigned = match descriptor.logical_type_ref() {
            Some(LogicalType::Integer(integer)) => !integer.is_signed,
            _ => matches!(
                descriptor.converted_type(),
                ConvertedType::UINT_32 | ConvertedType::UINT_64
            ),
        };
        let account = matches!(
            field,
            Some(Field::AccountId | Field::TgwSrcVpcAccountId | Field::TgwDstVpcAccountId)
        );
        Ok(ColumnBatch {
            account,
            unsigned,
            reader: None,
            levels: Vec::new(),
            max_level: descriptor.max_def_level(),
            values,
            next: 0,
        })
    }

    /// Reads the column's next rows; returns how many there were.
    fn load(&mut self, rows: usize) -> Result<usize, ParquetError> {
        fn read<T: DataType>(
            reader: &mut ColumnReaderImpl<T>,
            rows: usize,
            levels: &mut Vec<i16>,
            values: &mut Vec<T::T>,
        ) -> Result<usize, ParquetError> {
            values.clear();
            levels.clear();
            let mut read = 0;
            while read < rows {
                let (records, _, _) =
                    reader.read_records(rows - read, Some(levels), None, values)?;
                if records == 0 {
                    break;
                }
                read += records;
            }
            Ok(read)
        }
        self.next = 0;
        let levels = &mut self.levels;
        match (&mut self.reader, &mut self.values) {
            (Some(ColumnReader::BoolColumnReader(r)), Values::Bool(v)) => read(r, rows, levels, v),
            (Some(ColumnReader::Int32ColumnReader(r)), Values::Int32(v)) => {
                read(r, rows, levels, v)
            }
            (Some(ColumnReader::Int64ColumnReader(r)), Values::Int64(v)) => {
                read(r, rows, levels, v)
            }
            (Some(ColumnReader::FloatColumnReader(r)), Values::Float(v)) => {
                read(r, rows, levels, v)
            }
            (Some(ColumnReader::DoubleColumnReader(r)), Values::Double(v)) => {
                read(r, rows, levels, v)
            }
            (Some(ColumnReader::ByteArrayColumnReader(r)), Values::Bytes(v)) => {
                read(r, rows, levels, v)
            }
            _ => Err(ParquetError::General(
                "the column changes its type between row groups".to_owned(),
            )),
        }
    }

    /// Appends the value of the batch's row as a text log would show it.
    fn write_text(&mut self, row: usize, text: &mut Vec<u8>) {
        let present = self.max_level == 0 || self.levels.get(row) == Some(&self.max_level);
        if !present {
            text.push(b'-');
            return;
        }
        let index = self.next;
        self.next += 1;
        match &self.values {
            Values::Bool(v) => display(v.get(index), text),
            Values::Int32(v) if self.unsigned => display(v.get(index).map(|v| *v as u32), text),
            Values::Int32(v) => display(v.get(index), text),
            Values::Int64(v) if self.account => account(v.get(index), text),
            Values::Double(v) if self.account => {
                account(v.get(index).filter(|v| !v.is_nan()), text)
            }
            Values::Int64(v) if self.unsigned => display(v.get(index).map(|v| *v as u64), text),
            Values::Int64(v) => display(v.get(index), text),
            Values::Float(v) => number(v.get(index).map(|v| f64::from(*v)), text),
            Values::Double(v) => number(v.get(index).copied(), text),
            Values::Bytes(v) => {
                text.extend_from_slice(v.get(index).map_or(b"-", |bytes| bytes.data()))
            }
        }
    }
}

fn display(value: Option<impl std::fmt::Display>, text: &mut Vec<u8>) {
    match value {
        // Writing to a vector does not fail.
        Some(value) => drop(write!(text, "{value}")),
        None => text.push(b'-'),
    }
}

/// An account id from a number, with its leading zeros.
fn account(value: Option<impl std::fmt::Display>, text: &mut Vec<u8>) {
    match value {
        // Writing to a vector does not fail.
        Some(value) => drop(write!(text, "{value:0ACCOUNT_DIGITS$}")),
        None => text.push(b'-'),
    }
}

/// A floating-point number that stands for an integer, as data frames write columns with nulls.
fn number(value: Option<f64>, text: &mut Vec<u8>) {
    match value {
        Some(value) if value.is_nan() => text.push(b'-'),
        other => display(other, text),
    }
}
