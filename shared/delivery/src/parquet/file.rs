//! A Parquet file that grows in memory, row group by row group.
//!
//! Row groups may have different columns: the schema is told at the end, and a column that a row group lacks is
//! null in all its rows.

use std::collections::HashMap;
use std::sync::Arc;

use parquet::basic::{
    Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType, ZstdLevel,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataWriter,
    RowGroupMetaData, SortingColumn,
};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::chunk::{Chunk, ChunkWriter};
use super::columns::{Column, ColumnType, NONE, Source};

/// The version of the Parquet format that is written: the first, which every reader knows.
const FORMAT_VERSION: i32 = 1;

/// Who writes the file, in the form readers take versions from.
const CREATED_BY: &str = concat!("cloud-export version ", env!("CARGO_PKG_VERSION"));

/// What a Parquet file starts and ends with.
const MAGIC: &[u8] = b"PAR1";

/// Bytes that the footer has for a column of a row group, about.
const FOOTER_BYTES: usize = 110;

/// Files become larger than was expected, by a part like this: the last row group is estimated.
const OVER: usize = 8;

/// A Parquet file in the making.
pub struct FileWriter {
    output: Vec<u8>,
    /// Room that the output has from the first row group on.
    room: usize,
    groups: Vec<Group>,
    chunks: ChunkWriter,
    level: ZstdLevel,
    columns: usize,
}

struct Group {
    rows: usize,
    chunks: HashMap<Box<str>, Chunk>,
    sorted_by: Option<Box<str>>,
}

impl FileWriter {
    /// A writer that compresses pages at this level of zstd.
    ///
    /// # Errors
    /// There is no such level.
    pub fn new(level: i32) -> Result<FileWriter, ParquetError> {
        Ok(FileWriter {
            output: Vec::new(),
            room: 0,
            groups: Vec::new(),
            chunks: ChunkWriter::new(level)?,
            level: ZstdLevel::try_new(level)?,
            columns: 0,
        })
    }

    /// Says that files are finished when they have about this many bytes.
    pub fn expect(&mut self, bytes: usize) {
        self.room = bytes.saturating_add(bytes / OVER);
    }

    /// Bytes written, and about those of the footer.
    pub fn len(&self) -> usize {
        self.output.len() + self.columns * FOOTER_BYTES
    }

    /// Whether no row group was written.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Writes a row group. Each source has one row of its table for each of the `rows` rows. `sorted_by` names
    /// the column by which they are in ascending order, null last.
    ///
    /// # Errors
    /// The page headers cannot be written, which is a defect.
    pub fn write_group<'s>(
        &mut self,
        rows: usize,
        sources: impl IntoIterator<Item = Source<'s>>,
        sorted_by: Option<&str>,
    ) -> Result<(), ParquetError> {
        if self.output.is_empty() {
            // A buffer that grows by doubling has twice the room, and both at once for a moment. Where there is no
            // such room, since nothing bounds the file, it grows all the same.
            drop(self.output.try_reserve_exact(self.room));
            self.output.extend_from_slice(MAGIC);
        }
        self.chunks.begin();
        let mut chunks = HashMap::new();
        for source in sources {
            let chunk = self.chunks.write(&mut self.output, &source)?;
            chunks.insert(source.name.into(), chunk);
        }
        self.columns += chunks.len();
        self.groups.push(Group {
            rows,
            chunks,
            sorted_by: sorted_by.map(Into::into),
        });
        Ok(())
    }

    /// Ends the file and returns it; `spare` becomes the next one's buffer. `schema` has every column that was
    /// written, in the order of the file; `metadata` are keys and values.
    ///
    /// # Errors
    /// A name stands twice in the schema, or the footer cannot be written; both are defects.
    pub fn finish<'c>(
        &mut self,
        schema: impl IntoIterator<Item = (&'c str, ColumnType)>,
        metadata: impl IntoIterator<Item = (&'static str, String)>,
        spare: Vec<u8>,
    ) -> Result<Vec<u8>, ParquetError> {
        let columns: Vec<(&str, ColumnType)> = schema.into_iter().collect();
        let fields = columns
            .iter()
            .map(|(name, column_type)| field(name, *column_type));
        let root = Type::group_type_builder("record")
            .with_fields(fields.collect::<Result<_, _>>()?)
            .build()?;
        self.finish_as(root, &columns, metadata, spare)
    }

    /// Ends the file as [`FileWriter::finish`] does, with a schema of one's own: its leaves are the columns, in this
    /// order. Groups are required, and lists and maps optional with required members, so that the levels of a
    /// column do not depend on the groups it is in.
    ///
    /// # Errors
    /// As there.
    pub fn finish_as(
        &mut self,
        root: Type,
        columns: &[(&str, ColumnType)],
        metadata: impl IntoIterator<Item = (&'static str, String)>,
        mut spare: Vec<u8>,
    ) -> Result<Vec<u8>, ParquetError> {
        spare.clear();
        let mut groups = std::mem::take(&mut self.groups);
        let mut file = std::mem::replace(&mut self.output, spare);
        self.columns = 0;
        if file.is_empty() {
            file.extend_from_slice(MAGIC);
        }
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(root)));
        let mut row_groups = Vec::with_capacity(groups.len());
        for (ordinal, group) in groups.iter_mut().enumerate() {
            row_groups.push(self.row_group(&mut file, group, ordinal, columns, &schema)?);
        }
        let rows: usize = groups.iter().map(|group| group.rows).sum();
        let metadata = metadata.into_iter();
        let metadata = metadata.map(|(key, value)| KeyValue::new(key.to_owned(), value));
        let described = FileMetaData::new(
            FORMAT_VERSION,
            rows as i64,
            Some(CREATED_BY.to_owned()),
            Some(metadata.collect()),
            schema,
            None,
        );
        let described = ParquetMetaData::new(described, row_groups);
        ParquetMetaDataWriter::new(&mut file, &described).finish()?;
        Ok(file)
    }

    /// Forgets what was written.
    pub fn clear(&mut self) {
        self.output.clear();
        self.groups.clear();
        self.columns = 0;
    }

    fn row_group(
        &mut self,
        file: &mut Vec<u8>,
        group: &mut Group,
        ordinal: usize,
        columns: &[(&str, ColumnType)],
        schema: &Arc<SchemaDescriptor>,
    ) -> Result<RowGroupMetaData, ParquetError> {
        let mut described = RowGroupMetaData::builder(Arc::clone(schema));
        let (mut uncompressed, mut first) = (0, usize::MAX);
        for (place, (name, column_type)) in columns.iter().enumerate() {
            let chunk = match group.chunks.remove(*name) {
                Some(chunk) => chunk,
                None => self.nulls(file, group.rows, name, *column_type)?,
            };
            uncompressed += chunk.uncompressed;
            first = first.min(chunk.dictionary_offset.unwrap_or(chunk.data_offset));
            let column = ColumnChunkMetaData::builder(schema.column(place))
                .set_compression(Compression::ZSTD(self.level))
                .set_encodings(chunk.encodings)
                .set_num_values(chunk.values as i64)
                .set_dictionary_page_offset(chunk.dictionary_offset.map(|offset| offset as i64))
                .set_data_page_offset(chunk.data_offset as i64)
                .set_total_compressed_size(chunk.compressed as i64)
                .set_total_uncompressed_size(chunk.uncompressed as i64);
            let column = match chunk.statistics {
                Some(statistics) => column.set_statistics(statistics),
                None => column,
            };
            described = described.add_column_metadata(column.build()?);
        }
        if let Some(name) = group.chunks.keys().next() {
            return Err(ParquetError::General(format!(
                "column {name} was written and is not in the schema"
            )));
        }
        let sorted_by = group.sorted_by.as_deref();
        let sorted_by = sorted_by.and_then(|by| columns.iter().position(|(name, _)| *name == by));
        let sorting = sorted_by.map(|place| SortingColumn {
            column_idx: place as i32,
            descending: false,
            nulls_first: false,
        });
        let described = described
            .set_num_rows(group.rows as i64)
            .set_total_byte_size(uncompressed as i64)
            .set_sorting_columns(sorting.map(|column| vec![column]))
            .set_ordinal(i32::from(ordinal as i16));
        let described = match first {
            usize::MAX => described,
            first => described.set_file_offset(first as i64),
        };
        described.build()
    }

    /// A column that is null in all rows.
    #[cold]
    fn nulls(
        &mut self,
        file: &mut Vec<u8>,
        rows: usize,
        name: &str,
        column_type: ColumnType,
    ) -> Result<Chunk, ParquetError> {
        let absent = vec![NONE; rows];
        let source = Source {
            name,
            column: &Column::new(name, column_type),
            rows: (&absent).into(),
        };
        self.chunks.write(file, &source)
    }
}

/// A column of a schema.
///
/// # Errors
/// Never, with these types.
pub fn field(name: &str, column_type: ColumnType) -> Result<Arc<Type>, ParquetError> {
    let time = |unit| LogicalType::timestamp(true, unit);
    let (physical, logical) = match column_type {
        ColumnType::Text | ColumnType::Document | ColumnType::Address => {
            (PhysicalType::BYTE_ARRAY, Some(LogicalType::String))
        }
        ColumnType::Int32 => (PhysicalType::INT32, None),
        ColumnType::Int64 => (PhysicalType::INT64, None),
        ColumnType::UInt64 => (PhysicalType::INT64, Some(LogicalType::integer(64, false))),
        ColumnType::Seconds => (PhysicalType::INT64, Some(time(TimeUnit::MILLIS))),
        ColumnType::Microseconds => (PhysicalType::INT64, Some(time(TimeUnit::MICROS))),
        ColumnType::Double => (PhysicalType::DOUBLE, None),
        ColumnType::Boolean => (PhysicalType::BOOLEAN, None),
        ColumnType::Texts => {
            return list(name, PhysicalType::BYTE_ARRAY, Some(LogicalType::String));
        }
        ColumnType::Integers => return list(name, PhysicalType::INT32, None),
    };
    let field = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical);
    field.build().map(Arc::new)
}

/// A list in the one form that the specification wants ("Lists", *Parquet logical types*).
fn list(
    name: &str,
    physical: PhysicalType,
    logical: Option<LogicalType>,
) -> Result<Arc<Type>, ParquetError> {
    let element = Type::primitive_type_builder("element", physical)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(logical)
        .build()?;
    let items = Type::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![Arc::new(element)])
        .build()?;
    let list = Type::group_type_builder(name)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(items)]);
    list.build().map(Arc::new)
}
