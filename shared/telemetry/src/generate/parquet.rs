//! Generated flow logs as Parquet, in the form AWS documents for it: columns named with `_`, INT32
//! and INT64 for numbers, strings for the rest, gzip pages, null for what is missing.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, GzipLevel, Repetition, Type as PhysicalType};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::flow::field::FieldType;
use crate::flow::layout::{Column, Layout};

/// Rows of one row group.
const GROUP_ROWS: usize = 50_000;

/// Writes text rows of a flow log as Parquet.
pub struct ParquetLog<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Pending>,
    rows: usize,
}

/// The values of a column that wait for their row group to be complete.
struct Pending {
    /// 1 for a value, 0 for null.
    levels: Vec<i16>,
    values: Values,
}

enum Values {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Text(Vec<ByteArray>),
}

impl<W: Write + Send> ParquetLog<W> {
    /// A Parquet file with the columns of this layout.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(layout: &Layout, output: W) -> Result<ParquetLog<W>, ParquetError> {
        let fields = layout
            .columns()
            .iter()
            .map(field)
            .collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("flow_log")
            .with_fields(fields)
            .build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::GZIP(GzipLevel::default()))
            .set_created_by("cloud-export".to_owned())
            .build();
        let columns = layout.columns().iter().map(|column| Pending {
            levels: Vec::new(),
            values: match physical_type(column) {
                PhysicalType::INT32 => Values::Int32(Vec::new()),
                PhysicalType::INT64 => Values::Int64(Vec::new()),
                _ => Values::Text(Vec::new()),
            },
        });
        Ok(ParquetLog {
            columns: columns.collect(),
            writer: SerializedFileWriter::new(output, Arc::new(schema), Arc::new(properties))?,
            rows: 0,
        })
    }

    /// Adds a row: its columns as text, separated by single spaces.
    ///
    /// # Errors
    /// When a number is none, and those of the output.
    pub fn row(&mut self, row: &str) -> Result<(), ParquetError> {
        for (column, text) in self.columns.iter_mut().zip(row.split(' ')) {
            column.levels.push(i16::from(text != "-"));
            if text == "-" {
                continue;
            }
            let wrong = |_| ParquetError::General(format!("{text:?} is no number for its column"));
            match &mut column.values {
                Values::Int32(values) => values.push(text.parse().map_err(wrong)?),
                Values::Int64(values) => values.push(text.parse().map_err(wrong)?),
                Values::Text(values) => values.push(ByteArray::from(text)),
            }
        }
        self.rows += 1;
        if self.rows.is_multiple_of(GROUP_ROWS) {
            self.write_group()?;
        }
        Ok(())
    }

    /// Bytes written so far; rows of an incomplete group are not among them.
    pub fn bytes_written(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Writes what is left, and the footer; returns the output.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> Result<W, ParquetError> {
        self.write_group()?;
        self.writer.into_inner()
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self
            .columns
            .first()
            .is_none_or(|column| column.levels.is_empty())
        {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            let Some(mut open) = group.next_column()? else {
                break;
            };
            let levels = Some(&column.levels[..]);
            match (open.untyped(), &mut column.values) {
                (ColumnWriter::Int32ColumnWriter(w), Values::Int32(v)) => {
                    w.write_batch(v, levels, None)?;
                    v.clear();
                }
                (ColumnWriter::Int64ColumnWriter(w), Values::Int64(v)) => {
                    w.write_batch(v, levels, None)?;
                    v.clear();
                }
                (ColumnWriter::ByteArrayColumnWriter(w), Values::Text(v)) => {
                    w.write_batch(v, levels, None)?;
                    v.clear();
                }
                _ => {
                    return Err(ParquetError::General(
                        "a column has another type than its schema".to_owned(),
                    ));
                }
            }
            column.levels.clear();
            open.close()?;
        }
        group.close().map(drop)
    }
}

/// The physical types that AWS documents for flow logs in Parquet.
fn physical_type(column: &Column) -> PhysicalType {
    match column.field_type() {
        FieldType::Integer(max) if max <= i32::MAX as u64 => PhysicalType::INT32,
        FieldType::Integer(_) | FieldType::Epoch => PhysicalType::INT64,
        FieldType::Address | FieldType::Text => PhysicalType::BYTE_ARRAY,
    }
}

fn field(column: &Column) -> Result<Arc<Type>, ParquetError> {
    let physical = physical_type(column);
    let builder =
        Type::primitive_type_builder(&column.name, physical).with_repetition(Repetition::OPTIONAL);
    let builder = match physical {
        PhysicalType::BYTE_ARRAY => builder.with_converted_type(ConvertedType::UTF8),
        _ => builder,
    };
    builder.build().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Generator, LogFormat};
    use crate::{LogReader, ReadOptions, Record, Row, Value};

    /// Every record of a log, as the names and values that are there.
    fn records(log: &[u8]) -> Vec<String> {
        let options = ReadOptions::new(std::env::temp_dir());
        let mut reader = LogReader::open(log, &options).unwrap();
        let mut found = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            let Row::Record(Record::Flow(flow)) = row else {
                panic!("every generated row is a flow");
            };
            let values = flow.columns().filter_map(|(column, value)| {
                let value: Value<'_> = value?;
                Some(format!("{}={value:?}", column.name))
            });
            found.push(values.collect::<Vec<_>>().join(" "));
        }
        found
    }

    #[test]
    fn text_and_parquet_of_the_same_rows_are_the_same_records() {
        for format in [
            LogFormat::VpcV2,
            LogFormat::VpcV11,
            LogFormat::TransitGateway,
        ] {
            let mut generator = Generator::new(format, 3, 1_795_190_400);
            let header = generator.header().unwrap();
            let mut text = format!("{header}\n").into_bytes();
            for _ in 0..700 {
                generator.row(&mut text);
            }
            let layout = Layout::from_format(&header).unwrap();
            let mut parquet = ParquetLog::new(&layout, Vec::new()).unwrap();
            for row in std::str::from_utf8(&text).unwrap().lines().skip(1) {
                parquet.row(row).unwrap();
            }
            assert_eq!(records(&parquet.finish().unwrap()), records(&text));
        }
    }
}
