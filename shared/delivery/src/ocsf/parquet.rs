//! Events as Parquet, as a custom source of Security Lake has them: a column for every attribute of the table, in
//! groups as the objects are; zstd; rows sorted by time.
//!
//! The schema is the same for every file. `observables` is a list of groups, `unmapped` a map from names to texts:
//! what is not text stands there as JSON.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, LazyLock};

use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::schema::types::Type;
use telemetry::Record;
use telemetry::enrichment::Enrichment;

use super::attribute::{Attribute, AttributeType, OBSERVABLES};
use super::event::{Event, Mapper, Value};
use super::json::write_rest_value;
use crate::encoding::{EncodingError, Format};
use crate::parquet::columns::{Column, ColumnType, ColumnValue, Source, Table};
use crate::parquet::{FileWriter, ZSTD_LEVEL, field, metadata};

/// Rows of a row group at most.
const GROUP_ROWS: usize = 128 * 1024;

/// Memory of the rows and texts of a row group at most.
pub(crate) const GROUP_BYTES: usize = 32 << 20;

/// Rows after which the memory is looked at.
const LOOK_EVERY: usize = 1024;

/// Bytes of a row in the file, about, until a row group has shown it.
const FIRST_ESTIMATE: usize = 60;

/// Columns behind those of the attributes: the members of observables, and of the map of what is unmapped.
const OBSERVABLE_COLUMNS: [(&str, ColumnType); 4] = [
    ("observables.name", ColumnType::Texts),
    ("observables.type", ColumnType::Texts),
    ("observables.type_id", ColumnType::Integers),
    ("observables.value", ColumnType::Texts),
];
const UNMAPPED_COLUMNS: [(&str, ColumnType); 2] = [
    ("unmapped.key", ColumnType::Texts),
    ("unmapped.value", ColumnType::Texts),
];

/// Every column of a file, by the paths of attributes.
static COLUMNS: LazyLock<Vec<(&str, ColumnType)>> = LazyLock::new(|| {
    let attributes = Attribute::ALL.iter();
    let attributes = attributes.map(|a| (a.path(), column_type(a.attribute_type())));
    let columns = attributes.chain(OBSERVABLE_COLUMNS);
    columns.chain(UNMAPPED_COLUMNS).collect()
});

const fn column_type(attribute_type: AttributeType) -> ColumnType {
    match attribute_type {
        AttributeType::Text | AttributeType::Address => ColumnType::Text,
        AttributeType::Integer => ColumnType::Int32,
        AttributeType::Long | AttributeType::Timestamp => ColumnType::Int64,
        AttributeType::DateTime => ColumnType::Microseconds,
        AttributeType::Addresses | AttributeType::Texts => ColumnType::Texts,
    }
}

/// Gathers records as OCSF events, and writes them as a Parquet file.
pub struct OcsfParquetEncoder {
    mapper: Mapper,
    table: Table,
    /// The time of each row that no row group has yet, milliseconds.
    times: Vec<i64>,
    file: FileWriter,
    /// Bytes of a row in the file, as the last row group had it.
    estimate: usize,
    group_rows: usize,
    texts: Texts,
    numbers: Vec<u32>,
    order: Vec<u32>,
    /// Why the file cannot be put together.
    defect: Option<String>,
}

impl fmt::Debug for OcsfParquetEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OcsfParquetEncoder")
            .field("rows", &self.times.len())
            .field("bytes", &self.len())
            .finish_non_exhaustive()
    }
}

/// Texts of a row, one behind the other.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    /// Where each ends.
    names: Vec<usize>,
    values: Vec<usize>,
}

impl OcsfParquetEncoder {
    /// An encoder without rows.
    ///
    /// # Errors
    /// Never: the level of compression is one that zstd has.
    pub fn new() -> Result<OcsfParquetEncoder, EncodingError> {
        Ok(OcsfParquetEncoder {
            mapper: Mapper::default(),
            table: table(),
            times: Vec::new(),
            file: FileWriter::new(ZSTD_LEVEL).map_err(failed)?,
            estimate: FIRST_ESTIMATE,
            group_rows: GROUP_ROWS,
            texts: Texts::default(),
            numbers: Vec::new(),
            order: Vec::new(),
            defect: None,
        })
    }

    /// The same for files that are expected to be taken when they have about this many bytes: their buffer need not
    /// grow.
    #[must_use]
    pub fn with_room(mut self, bytes: usize) -> OcsfParquetEncoder {
        self.file.expect(bytes);
        self
    }

    /// About the bytes that the file would have now.
    pub fn len(&self) -> usize {
        self.file.len() + self.times.len() * self.estimate
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty() && self.file.is_empty()
    }

    /// Adds one record, with what enrichment adds to it, as an event.
    pub fn write(&mut self, record: &Record<'_>, enrichment: Option<&Enrichment<'_>>) {
        let event = self.mapper.map(record, enrichment);
        for (place, attribute) in Attribute::ALL.iter().enumerate() {
            let value = event.value(*attribute);
            if !value.is_absent() {
                put(&mut self.table, place, value, attribute.attribute_type());
            }
        }
        put_observables(&mut self.table, &event, &mut self.texts, &mut self.numbers);
        put_unmapped(&mut self.table, &event, &mut self.texts);
        self.table.end_row();
        self.times.push(match event.value(Attribute::Time) {
            Value::Time(micros) => micros.div_euclid(1000),
            _ => 0,
        });
        let rows = self.times.len();
        if rows >= self.group_rows || rows.is_multiple_of(LOOK_EVERY) {
            let bytes = self.table.row_bytes() * rows + self.table.text_bytes();
            if rows >= self.group_rows || bytes > GROUP_BYTES {
                self.write_group();
            }
        }
    }

    /// Ends the file and takes it; empty when there are no rows. `spare` becomes the next file's buffer; its content
    /// does not matter.
    ///
    /// # Errors
    /// A value is none of its column's type, or the file cannot be put together; both are defects. The encoder is
    /// empty then, too.
    pub fn take(&mut self, spare: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
        self.write_group();
        // When a file is full shall not depend on the one before.
        self.estimate = FIRST_ESTIMATE;
        if let Some(reason) = self.defect.take() {
            self.file.clear();
            return Err(failed(reason));
        }
        if self.file.is_empty() {
            return Ok(Vec::new());
        }
        let root = schema().map_err(failed)?;
        let metadata = metadata("ocsf-network-activity");
        let file = self.file.finish_as(root, &COLUMNS, metadata, spare);
        file.map_err(failed)
    }

    fn write_group(&mut self) {
        let rows = self.times.len();
        if rows == 0 {
            return;
        }
        if let Some(name) = self.table.defect() {
            let reason = format!("column {name} was given a value of another type");
            self.defect.get_or_insert(reason);
        }
        self.order.clear();
        self.order.extend(0..rows as u32);
        let times = &self.times;
        // Rows of the same time stay as they came.
        self.order.sort_by_key(|row| times.get(*row as usize));
        let before = self.file.len();
        let columns = self.table.columns().iter();
        let sources = columns.map(|column| Source {
            name: column.name(),
            column,
            rows: (&self.order).into(),
        });
        let sorted_by = Some(Attribute::Time.path());
        if let Err(error) = self.file.write_group(rows, sources, sorted_by) {
            self.defect.get_or_insert(error.to_string());
        }
        self.estimate = (self.file.len() - before).div_ceil(rows);
        self.times.clear();
        // Texts go as well, so that the same rows give the same bytes whatever was written before.
        self.table.clear();
    }
}

fn table() -> Table {
    let columns = COLUMNS.iter();
    Table::new(columns.map(|(name, column_type)| Column::new(*name, *column_type)))
}

/// Puts an attribute's value into its column.
fn put(table: &mut Table, place: usize, value: Value<'_>, attribute_type: AttributeType) {
    let is_list = matches!(
        attribute_type,
        AttributeType::Addresses | AttributeType::Texts
    );
    let mut digits = [0; 40];
    match value {
        Value::Absent => {}
        Value::Texts(texts) => table.put_list(place, texts.iter().map(|text| text.as_bytes())),
        Value::Integer(number) if attribute_type != AttributeType::Text => {
            table.put(place, ColumnValue::Integer(number));
        }
        Value::Time(micros) if attribute_type == AttributeType::DateTime => {
            table.put(place, ColumnValue::Integer(micros));
        }
        Value::Time(micros) => table.put(place, ColumnValue::Integer(micros.div_euclid(1000))),
        value => {
            let text = text(value, &mut digits);
            if is_list {
                table.put_list(place, [text.as_bytes()]);
            } else {
                table.put(place, ColumnValue::Text(text));
            }
        }
    }
}

/// A value as text; numbers and addresses are written into `room`.
fn text<'t>(value: Value<'t>, room: &'t mut [u8; 40]) -> &'t str {
    if let Some(text) = value.text() {
        return text;
    }
    let mut left = &mut room[..];
    // The longest number and the longest address both fit.
    drop(match value {
        Value::Integer(number) => write!(left, "{number}"),
        Value::Address(address) => write!(left, "{address}"),
        _ => Ok(()),
    });
    let written = 40 - left.len();
    let text = room.get(..written).unwrap_or_default();
    std::str::from_utf8(text).unwrap_or_default()
}

fn put_observables(
    table: &mut Table,
    event: &Event<'_>,
    texts: &mut Texts,
    numbers: &mut Vec<u32>,
) {
    texts.clear();
    numbers.clear();
    let mut there = [("", ""); OBSERVABLES.len()];
    for (attribute, name, (number, caption)) in OBSERVABLES {
        let value = event.value(*attribute);
        if let Some(place) = there.get_mut(numbers.len())
            && !value.is_absent()
        {
            *place = (*name, *caption);
            numbers.push(*number as u32);
            texts
                .bytes
                .extend_from_slice(text(value, &mut [0; 40]).as_bytes());
            texts.values.push(texts.bytes.len());
        }
    }
    let Some(there) = there.get(..numbers.len()).filter(|there| !there.is_empty()) else {
        return;
    };
    let first = Attribute::ALL.len();
    table.put_list(first, there.iter().map(|(name, _)| name.as_bytes()));
    table.put_list(
        first + 1,
        there.iter().map(|(_, caption)| caption.as_bytes()),
    );
    table.put(first + 2, ColumnValue::Integers(numbers));
    table.put_list(first + 3, parts(&texts.bytes, &texts.values));
}

fn put_unmapped(table: &mut Table, event: &Event<'_>, texts: &mut Texts) {
    texts.clear();
    let mut values = Vec::new();
    event.unmapped(&mut |name, value| {
        name.iter()
            .for_each(|part| texts.bytes.extend_from_slice(part.as_bytes()));
        texts.names.push(texts.bytes.len());
        write_rest_value(&mut values, value);
        texts.values.push(values.len());
    });
    if texts.names.is_empty() {
        return;
    }
    let first = Attribute::ALL.len() + OBSERVABLE_COLUMNS.len();
    table.put_list(first, parts(&texts.bytes, &texts.names));
    table.put_list(first + 1, parts(&values, &texts.values));
}

/// The parts of bytes that end there.
fn parts<'t>(bytes: &'t [u8], ends: &'t [usize]) -> impl Iterator<Item = &'t [u8]> {
    let mut start = 0;
    ends.iter().map(move |end| {
        let part = bytes.get(start..*end).unwrap_or_default();
        start = *end;
        part
    })
}

impl Texts {
    fn clear(&mut self) {
        self.bytes.clear();
        self.names.clear();
        self.values.clear();
    }
}

// --- The schema -----------------------------------------------------------------------------------------------------

/// The schema of files: the attributes in groups, then the list of observables and the map.
fn schema() -> Result<Type, ParquetError> {
    let mut fields = members(Attribute::ALL, 0)?;
    let text = Some(LogicalType::String);
    let observable = group(
        "element",
        Repetition::REQUIRED,
        None,
        vec![
            required("name", PhysicalType::BYTE_ARRAY, text.clone())?,
            required("type", PhysicalType::BYTE_ARRAY, text.clone())?,
            required("type_id", PhysicalType::INT32, None)?,
            required("value", PhysicalType::BYTE_ARRAY, text.clone())?,
        ],
    )?;
    let list = group("list", Repetition::REPEATED, None, vec![observable])?;
    let list_type = Some(LogicalType::List);
    fields.push(group(
        "observables",
        Repetition::OPTIONAL,
        list_type,
        vec![list],
    )?);
    let pair = group(
        "key_value",
        Repetition::REPEATED,
        None,
        vec![
            required("key", PhysicalType::BYTE_ARRAY, text.clone())?,
            required("value", PhysicalType::BYTE_ARRAY, text)?,
        ],
    )?;
    let map_type = Some(LogicalType::Map);
    fields.push(group(
        "unmapped",
        Repetition::OPTIONAL,
        map_type,
        vec![pair],
    )?);
    Type::group_type_builder("network_activity")
        .with_fields(fields)
        .build()
}

/// The members of the object that some attributes are of; `depth` names of their paths lead to it.
fn members(attributes: &[Attribute], depth: usize) -> Result<Vec<Arc<Type>>, ParquetError> {
    let part = |attribute: &Attribute, depth: usize| attribute.path().split('.').nth(depth);
    let groups = attributes.chunk_by(|one, other| part(one, depth) == part(other, depth));
    let groups = groups.filter_map(|members| Some((members.first()?, members)));
    groups
        .map(|(first, inner)| {
            let name = part(first, depth).unwrap_or_default();
            if part(first, depth + 1).is_some() {
                group(name, Repetition::REQUIRED, None, members(inner, depth + 1)?)
            } else {
                field(name, column_type(first.attribute_type()))
            }
        })
        .collect()
}

fn group(
    name: &str,
    repetition: Repetition,
    logical: Option<LogicalType>,
    fields: Vec<Arc<Type>>,
) -> Result<Arc<Type>, ParquetError> {
    let group = Type::group_type_builder(name)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .with_fields(fields);
    group.build().map(Arc::new)
}

fn required(
    name: &str,
    physical: PhysicalType,
    logical: Option<LogicalType>,
) -> Result<Arc<Type>, ParquetError> {
    let field = Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(logical);
    field.build().map(Arc::new)
}

fn failed(error: impl std::fmt::Display) -> EncodingError {
    EncodingError {
        format: Format::OcsfParquet.label(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    use telemetry::generate::{Generator, LogFormat};
    use telemetry::{LogReader, ReadOptions, Row};

    fn write(encoder: &mut OcsfParquetEncoder, seed: u64, rows: usize) -> Vec<u8> {
        let mut generator = Generator::new(LogFormat::VpcV5, seed, 1_795_190_400);
        let mut log = generator.header().unwrap().into_bytes();
        log.push(b'\n');
        for _ in 0..rows {
            generator.row(&mut log);
        }
        let options = ReadOptions::new(std::env::temp_dir());
        let mut reader = LogReader::open(&log[..], &options).unwrap();
        while let Some(row) = reader.next_row().unwrap() {
            if let Row::Record(record) = row {
                encoder.write(&record, None);
            }
        }
        encoder.take(Vec::new()).unwrap()
    }

    #[test]
    fn columns_of_the_schema_are_those_of_the_table() {
        let schema = parquet::schema::types::SchemaDescriptor::new(Arc::new(schema().unwrap()));
        assert_eq!(schema.num_columns(), COLUMNS.len());
        for (place, attribute) in Attribute::ALL.iter().enumerate() {
            let path = schema.column(place).path().string();
            let path = path.strip_suffix(".list.element").unwrap_or(&path);
            assert_eq!(path, attribute.path());
        }
    }

    #[test]
    fn the_same_rows_give_the_same_bytes_whatever_came_before() {
        let mut encoder = OcsfParquetEncoder::new().unwrap();
        assert!(encoder.is_empty() && encoder.take(Vec::new()).unwrap().is_empty());
        let first = write(&mut encoder, 1, 1000);
        let other = write(&mut encoder, 2, 1500);
        assert_ne!(first, other);
        assert_eq!(write(&mut encoder, 1, 1000), first);
        assert_eq!(
            write(&mut OcsfParquetEncoder::new().unwrap(), 1, 1000),
            first
        );
    }

    #[test]
    fn row_groups_are_bounded_and_each_is_sorted() {
        let mut encoder = OcsfParquetEncoder::new().unwrap();
        encoder.group_rows = 300;
        let file = write(&mut encoder, 1, 1000);
        let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
        let metadata = reader.metadata();
        assert_eq!(metadata.num_row_groups(), 4);
        let rows = metadata.row_groups().iter().map(|group| group.num_rows());
        assert!(rows.max() == Some(300));
        let place = Attribute::Time as i32;
        let sorted = |group: &parquet::file::metadata::RowGroupMetaData| {
            let columns = group.sorting_columns().unwrap();
            columns.len() == 1 && columns[0].column_idx == place && !columns[0].descending
        };
        assert!(metadata.row_groups().iter().all(sorted));
        let mut times = Vec::new();
        for row in reader.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let place = row.get_column_iter().position(|(name, _)| name == "time");
            times.push(row.get_long(place.unwrap()).unwrap());
        }
        assert!(times.chunks(300).all(|group| group.is_sorted()));
    }
}
