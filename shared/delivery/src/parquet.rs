//! Records as Parquet: typed columns, one kind of record a file.
//!
//! ```text
//! record ──────▶ records ─┐
//! its source ──▶ sides ───┤                      ┌─▶ dictionary, pages ─▶ zstd ─┐
//! destination ─▶ sides ───┼─▶ a row group's rows ┤   one column after the other ├─▶ file
//! facts ───────▶ facts ───┘   sorted by time     └─▶ statistics ────────────────┘
//! ```
//!
//! A column is a known field of the layout, in the order of the field table; a column that is not known, as text
//! under its own name; or an enriched field that is chosen. What enrichment numbers, sides and facts, is stored
//! once for all rows that have it, and put into rows only when a row group is written.
//!
//! The writer makes pages itself and leaves headers and footer to the `parquet` crate: a text is hashed once, when
//! its record is written, and where enrichment has a number not even that.
//!
//! [`columns`] and [`FileWriter`] serve any kind of record.

use std::fmt;
use std::sync::Arc;

use telemetry::enrichment::field::{End, FieldSet, FieldValue, FlowField, SideField, ValueType};
use telemetry::enrichment::{Enrichment, Side};
use telemetry::flow::field::FieldType;
use telemetry::flow::layout::{Column as LayoutColumn, FlowLogKind};
use telemetry::{Datum, FirewallRecord, FlowRecord, Layout, Record};

use crate::encoding::{EncodingError, Format};
use crate::ndjson::is_enriched;

mod changes;
mod chunk;
pub mod columns;
mod datapoints;
mod delta;
mod file;
mod firewall;
mod rle;
mod rows;
mod shared;
#[cfg(test)]
pub(crate) mod tests;

pub use changes::CHANGES;
pub use datapoints::DATAPOINTS;
pub use file::{FileWriter, field};
pub use rows::{RowKind, RowsEncoder};

use columns::{
    Column, ColumnType, ColumnValue, NONE, Recurring, Selection, Source, Table, Values, wide,
};
use shared::{Cell, Shared};

/// The version of the schema, in each file's metadata: it changes when a column changes its name, type or meaning,
/// and not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// The level of zstd: on flow logs, the next ones take more time and save next to nothing.
pub(crate) const ZSTD_LEVEL: i32 = 1;

/// Rows of a row group at most.
const GROUP_ROWS: usize = 64 * 1024;

/// Memory of the rows and texts of a row group at most.
const GROUP_BYTES: usize = 12 << 20;

/// Memory of rows and texts at most: those of the row group, and sides and facts of those before.
pub(crate) const ROWS_BYTES: usize = GROUP_BYTES + KEPT_BYTES;

/// How often the memory of a row group is looked at until it is what it may be.
const LOOKS: usize = 12;

/// Texts of records that are kept from one row group to the next, at most, and what is kept of sides and facts.
const KEPT_BYTES: usize = 4 << 20;

/// Bytes a column takes of a row, about, in hundredths, until a row group has shown it.
const FIRST_ESTIMATE: usize = 45;

/// What a file can hold the records of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// Flows of VPC flow logs.
    VpcFlow,
    /// Flows of Transit Gateway flow logs.
    TransitGatewayFlow,
    /// Entries of Network Firewall logs.
    Firewall,
}

impl RecordKind {
    /// The kind of a record.
    pub fn of(record: &Record<'_>) -> RecordKind {
        match record {
            Record::Flow(flow) => match flow.layout().kind() {
                FlowLogKind::Vpc => RecordKind::VpcFlow,
                FlowLogKind::TransitGateway => RecordKind::TransitGatewayFlow,
            },
            Record::Firewall(_) => RecordKind::Firewall,
        }
    }

    /// As the file's metadata has it.
    pub const fn label(self) -> &'static str {
        match self {
            RecordKind::VpcFlow => "vpc-flow",
            RecordKind::TransitGatewayFlow => "transit-gateway-flow",
            RecordKind::Firewall => "network-firewall",
        }
    }
}

/// Where a column of the file has its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Record,
    Source,
    Destination,
    Facts,
}

/// A column of the file.
#[derive(Debug)]
struct FileColumn {
    /// Its place among the others: known fields by their table, unknown ones by name, then enriched fields.
    rank: (u8, usize),
    name: Box<str>,
    column_type: ColumnType,
    part: Part,
    /// Where it stands in the part's table.
    place: usize,
}

/// Writes records to a Parquet file in memory.
pub struct ParquetEncoder {
    fields: FieldSet,
    group_rows: usize,
    group_bytes: usize,
    file: FileWriter,
    kind: Option<RecordKind>,
    layout: Option<Arc<Layout>>,
    /// Where each column of the layout, or of firewall entries, stands among those of records.
    places: Vec<usize>,
    /// Names of columns that records have themselves and enriched fields have as well.
    taken: Vec<Box<str>>,
    columns: Vec<FileColumn>,
    records: Table,
    /// Values of the flow that are the record's own, and where they stand.
    own: Vec<(FlowField, usize)>,
    sides: Shared,
    /// Fields of sides that are chosen for one of them at least: the columns of `sides`, before those of tags.
    side_fields: Vec<SideField>,
    facts: Shared,
    /// Whether flows of several layouts were written since columns were made.
    is_mixed: bool,
    /// For each row, the rows of sides and facts.
    parts: [Vec<u32>; 3],
    /// Whether a column shows facts.
    shows_facts: bool,
    /// Bytes of a row in hundredths, by the row group before.
    estimate: Option<usize>,
    /// Bytes of records since the memory was looked at.
    unseen: usize,
    order: Order,
    defect: Option<String>,
}

impl fmt::Debug for ParquetEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetEncoder")
            .field("kind", &self.kind)
            .field("open_rows", &self.open_rows())
            .finish_non_exhaustive()
    }
}

/// Seconds between the first and the last row of a row group up to which rows are sorted by counting.
const MOST_TIMES: u64 = 1 << 14;

/// Rows of a row group in the order of the file.
#[derive(Debug, Default)]
struct Order {
    keys: Vec<(u64, u32)>,
    /// Where rows of each time go.
    starts: Vec<u32>,
    /// Rows of the records' own table.
    own: Vec<u32>,
    /// Rows of sides, for source and destination, and of facts.
    shared: [Recurring; 3],
}

impl ParquetEncoder {
    /// An encoder of records, with these enriched fields.
    ///
    /// # Errors
    /// The compression cannot be set up, for want of memory.
    pub fn new(fields: FieldSet) -> Result<ParquetEncoder, EncodingError> {
        let tags = fields.tags().iter();
        let tags = tags.map(|key| Column::new(key.clone(), ColumnType::Text));
        let side_fields = SideField::ALL.iter().copied().filter(|field| {
            let mut ends = End::BOTH.into_iter();
            ends.any(|end| fields.has_side(end, *field))
        });
        let side_fields: Vec<SideField> = side_fields.collect();
        let sides = side_fields
            .iter()
            .map(|field| Column::new(field.name(), column_type(field.value_type())));
        let facts = FlowField::ALL
            .iter()
            .map(|field| Column::new(field.name(), column_type(field.value_type())));
        Ok(ParquetEncoder {
            sides: Shared::new(sides.chain(tags)),
            facts: Shared::new(facts),
            side_fields,
            fields,
            group_rows: GROUP_ROWS,
            group_bytes: GROUP_BYTES,
            file: FileWriter::new(ZSTD_LEVEL).map_err(failed)?,
            kind: None,
            layout: None,
            places: Vec::new(),
            taken: Vec::new(),
            columns: Vec::new(),
            records: Table::default(),
            own: Vec::new(),
            is_mixed: false,
            parts: Default::default(),
            shows_facts: false,
            estimate: None,
            unseen: 0,
            order: Order::default(),
            defect: None,
        })
    }

    /// The same with row groups of at most this many rows, 65,536 unless it is said.
    #[must_use]
    pub fn with_group_rows(mut self, rows: usize) -> ParquetEncoder {
        self.group_rows = rows.max(1);
        self
    }

    /// The same for files that are expected to be taken when they have about this many bytes: their buffer need not
    /// grow.
    #[must_use]
    pub fn with_room(mut self, bytes: usize) -> ParquetEncoder {
        self.file.expect(bytes);
        self
    }

    /// Whether a record can be written to the file that is open: it is of the same kind, and its own columns leave
    /// the same enriched fields their names. Otherwise the file must be taken first.
    #[inline]
    pub fn accepts(&self, record: &Record<'_>) -> bool {
        match (record, &self.layout) {
            (Record::Flow(flow), Some(layout)) if Arc::ptr_eq(flow.layout(), layout) => true,
            _ => self.accepts_layout(record),
        }
    }

    fn accepts_layout(&self, record: &Record<'_>) -> bool {
        if self.is_empty() {
            return true;
        }
        self.kind.is_none_or(|kind| kind == RecordKind::of(record))
            && match record {
                Record::Flow(flow) => self.layout.is_none() || taken(flow.layout()) == self.taken,
                Record::Firewall(_) => true,
            }
    }

    /// About how many bytes the file has so far: exact for row groups that are written, and for the open one as
    /// many a row as the one before had.
    pub fn len(&self) -> usize {
        self.file.len() + self.open_rows() * self.row_estimate() / 100
    }

    fn row_estimate(&self) -> usize {
        let first = self.columns.len() * FIRST_ESTIMATE;
        self.estimate.unwrap_or(first).max(100)
    }

    fn open_rows(&self) -> usize {
        self.records.rows()
    }

    /// Whether nothing was written since the file was last taken.
    pub fn is_empty(&self) -> bool {
        self.file.is_empty() && self.open_rows() == 0 && self.defect.is_none()
    }

    /// Adds a record, with what enrichment adds to it. It must be accepted; one that is not makes
    /// [`take`](Self::take) fail.
    #[inline]
    pub fn write(&mut self, record: &Record<'_>, enrichment: Option<&Enrichment<'_>>) {
        match record {
            Record::Flow(flow) => {
                let layout = flow.layout();
                if !self
                    .layout
                    .as_ref()
                    .is_some_and(|known| Arc::ptr_eq(known, layout))
                    && !self.open_flows(record, layout)
                {
                    return;
                }
                self.unseen += self.write_flow(flow);
            }
            Record::Firewall(entry) => {
                if !self.open_firewall(record) {
                    return;
                }
                self.unseen += firewall::write(&mut self.records, &self.places, entry);
            }
        }
        let rows = match (enrichment, record) {
            (None, _) => [NONE; 3],
            (Some(enrichment), Record::Firewall(entry)) if has_enriched(entry) => {
                self.write_beside(entry, enrichment)
            }
            (Some(enrichment), _) => self.write_enriched(enrichment),
        };
        for (part, row) in self.parts.iter_mut().zip(rows) {
            part.push(row);
        }
        let rows = self.records.end_row() + 1;
        if self.unseen >= self.group_bytes / LOOKS || rows >= self.group_rows {
            self.look();
        }
    }

    /// Puts what enrichment adds into the open row; returns the rows of its source, destination and facts.
    #[inline]
    fn write_enriched(&mut self, enrichment: &Enrichment<'_>) -> [u32; 3] {
        let (generation, keys) = (enrichment.generation, self.fields.tags());
        let fields = &*self.side_fields;
        let side = |end| move || Some(side_cells(enrichment.side(end)?, fields, keys));
        let source = side(End::Source);
        let source = self.sides.row(generation, enrichment.source, source);
        let destination = side(End::Destination);
        let destination = self
            .sides
            .row(generation, enrichment.destination, destination);
        let mut facts = NONE;
        if self.shows_facts {
            facts = self.facts.row(generation, enrichment.facts, || {
                enrichment.facts().map(|_| fact_cells(enrichment))
            });
        }
        for (field, place) in &self.own {
            if let Some(value) = enrichment.own_value(*field) {
                self.records.put(*place, value.into());
            }
        }
        [source, destination, facts]
    }

    /// The same for an entry that has members with names of enriched fields: the row has no such field, because the
    /// entry's own stands in the column `entry`.
    #[cold]
    fn write_beside(&mut self, entry: &FirewallRecord, enrichment: &Enrichment<'_>) -> [u32; 3] {
        let is_free = |name: &str| !entry.entry().contains_key(name);
        let (fields, keys) = (&*self.side_fields, self.fields.tags());
        let [source, destination] = End::BOTH.map(|end| {
            let Some(side) = enrichment.side(end) else {
                return NONE;
            };
            self.sides.row_of(|| {
                let free =
                    move |(place, _): &Cell<'_>| is_free(&side_name(end, *place, fields, keys));
                side_cells(side, fields, keys).filter(free)
            })
        });
        let mut facts = NONE;
        if self.shows_facts && enrichment.facts().is_some() {
            facts = self.facts.row_of(|| {
                let field = |place: usize| FlowField::ALL.get(place);
                let free =
                    move |(place, _): &Cell<'_>| field(*place).is_some_and(|f| is_free(f.name()));
                fact_cells(enrichment).filter(free)
            });
        }
        for (field, place) in &self.own {
            if let Some(value) = enrichment
                .own_value(*field)
                .filter(|_| is_free(field.name()))
            {
                self.records.put(*place, value.into());
            }
        }
        [source, destination, facts]
    }

    /// Puts a flow's values into the open row; returns how long its text is.
    #[inline]
    fn write_flow(&mut self, flow: &FlowRecord<'_>) -> usize {
        let buffer = flow.buffer();
        for (cell, place) in flow.cells().iter().zip(&self.places) {
            match cell.datum(buffer) {
                Datum::Absent => {}
                Datum::Integer(value) => {
                    let fill = |column: &mut Column, row| column.put_integer(row, value);
                    self.records.fill(*place, fill);
                }
                Datum::Address(address) => {
                    let fill = |column: &mut Column, row| column.put_address(row, address);
                    self.records.fill(*place, fill);
                }
                Datum::Text => {
                    let fill = |column: &mut Column, row| column.put_text(row, buffer, cell.span());
                    self.records.fill(*place, fill);
                }
            }
        }
        let (first, last) = (flow.cells().first(), flow.cells().last());
        let start = first.map_or(0, |cell| cell.span().start);
        last.map_or(0, |cell| cell.span().end.saturating_sub(start))
    }

    /// Writes the row group when it is as large as it may be.
    #[cold]
    fn look(&mut self) {
        self.unseen = 0;
        let rows = self.open_rows();
        let row = self.records.row_bytes() + 12;
        let shared = self.sides.held() + self.facts.held();
        let held = rows * row + self.records.text_bytes() + shared;
        if rows >= self.group_rows || held > self.group_bytes {
            self.write_group();
        }
    }

    // --- Columns ----------------------------------------------------------------------------------------------------

    /// Makes the file ready for flows of a layout; false when it cannot take them.
    #[cold]
    fn open_flows(&mut self, record: &Record<'_>, layout: &Arc<Layout>) -> bool {
        if !self.open(record, || taken(layout)) {
            return false;
        }
        self.is_mixed = self.layout.is_some();
        self.layout = Some(Arc::clone(layout));
        self.places = layout
            .columns()
            .iter()
            .map(|column| self.place(column))
            .collect();
        self.arrange();
        true
    }

    #[inline]
    fn open_firewall(&mut self, record: &Record<'_>) -> bool {
        if self.kind == Some(RecordKind::Firewall) {
            return true;
        }
        if !self.open(record, Vec::new) {
            return false;
        }
        self.places.clear();
        for (rank, (name, column_type, _)) in firewall::COLUMNS.iter().enumerate() {
            let place = self.add_own((0, rank), name, *column_type);
            self.places.push(place);
        }
        self.arrange();
        true
    }

    fn open(&mut self, record: &Record<'_>, taken: impl FnOnce() -> Vec<Box<str>>) -> bool {
        if !self.accepts(record) {
            let holds = self.kind.map_or("nothing", RecordKind::label);
            let comes = RecordKind::of(record).label();
            self.fail(format!(
                "a {comes} record came to a file of {holds} records with other columns; it must be taken first"
            ));
            return false;
        }
        if self.is_empty() {
            self.forget_columns();
        }
        if self.kind.is_none() {
            self.kind = Some(RecordKind::of(record));
            self.taken = taken();
            self.add_enriched();
        }
        true
    }

    /// Where a column of a layout stands among those of records.
    fn place(&mut self, column: &LayoutColumn) -> usize {
        let own = self
            .columns
            .iter()
            .filter(|known| known.part == Part::Record);
        if let Some(known) = own.into_iter().find(|known| known.name == column.name) {
            return known.place;
        }
        let column_type = match column.field_type() {
            FieldType::Integer(max) if max <= i32::MAX as u64 => ColumnType::Int32,
            FieldType::Integer(_) => ColumnType::UInt64,
            FieldType::Epoch => ColumnType::Seconds,
            FieldType::Address => ColumnType::Address,
            FieldType::Text => ColumnType::Text,
        };
        let rank = column.field.map_or((1, 0), |field| (0, field as usize));
        self.add_own(rank, &column.name, column_type)
    }

    fn add_own(&mut self, rank: (u8, usize), name: &str, column_type: ColumnType) -> usize {
        let place = self.records.add(Column::new(name, column_type));
        self.columns.push(FileColumn {
            rank,
            name: name.into(),
            column_type,
            part: Part::Record,
            place,
        });
        place
    }

    /// Adds the columns of enriched fields, in the order in which they are delivered.
    fn add_enriched(&mut self) {
        let fields = self.fields.clone();
        for (end, part) in End::BOTH.into_iter().zip([Part::Source, Part::Destination]) {
            let section = 2 + part as u8;
            let side_fields = self.side_fields.clone();
            for (place, field) in side_fields.iter().enumerate() {
                if fields.has_side(end, *field) {
                    let name = [end.prefix(), field.name()].concat();
                    let column_type = column_type(field.value_type());
                    self.add_shared((section, place), name, column_type, part, place);
                }
            }
            for (number, key) in fields.tags().iter().enumerate() {
                let name = [end.prefix(), "tag_", key].concat();
                let place = side_fields.len() + number;
                self.add_shared((section, place), name, ColumnType::Text, part, place);
            }
        }
        for (place, field) in FlowField::ALL.iter().enumerate() {
            let column_type = column_type(field.value_type());
            let rank = (6, place);
            let is_chosen = fields.has_flow(*field) && !self.is_taken(field.name());
            if is_chosen && FlowField::OWN.contains(field) {
                let place = self.add_own(rank, field.name(), column_type);
                self.own.push((*field, place));
            } else if is_chosen {
                self.add_shared(
                    rank,
                    field.name().to_owned(),
                    column_type,
                    Part::Facts,
                    place,
                );
            }
        }
    }

    fn add_shared(
        &mut self,
        rank: (u8, usize),
        name: String,
        column_type: ColumnType,
        part: Part,
        place: usize,
    ) {
        if !self.is_taken(&name) {
            self.columns.push(FileColumn {
                rank,
                name: name.into(),
                column_type,
                part,
                place,
            });
        }
    }

    fn is_taken(&self, name: &str) -> bool {
        self.taken.iter().any(|taken| **taken == *name)
    }

    /// Brings the columns in the order of the file.
    fn arrange(&mut self) {
        self.columns
            .sort_by(|a, b| (a.rank, &a.name).cmp(&(b.rank, &b.name)));
        let mut columns = self.columns.iter();
        self.shows_facts = columns.any(|column| column.part == Part::Facts);
    }

    // --- Row groups -------------------------------------------------------------------------------------------------

    fn write_group(&mut self) {
        let rows = self.open_rows();
        if rows == 0 {
            return;
        }
        self.check();
        let mut order = std::mem::take(&mut self.order);
        let time = self.kind.and_then(|kind| time_column(kind, &self.columns));
        let times = time.and_then(|time| self.records.columns().get(time.place));
        order.sort(rows, times);
        let tables = [self.sides.table(), self.sides.table(), self.facts.table()];
        order.share(&self.parts, tables.map(Table::rows));
        let before = self.file.len();
        let [source, destination, facts] = &order.shared;
        let sources = self.columns.iter().filter_map(|column| {
            let (table, rows) = match column.part {
                Part::Record => (&self.records, (&order.own).into()),
                Part::Source => (self.sides.table(), Selection::Again(source)),
                Part::Destination => (self.sides.table(), Selection::Again(destination)),
                Part::Facts => (self.facts.table(), Selection::Again(facts)),
            };
            Some(Source {
                name: &column.name,
                column: table.columns().get(column.place)?,
                rows,
            })
        });
        let sorted_by = time.map(|time| &*time.name);
        if let Err(error) = self.file.write_group(rows, sources, sorted_by) {
            self.fail(error.to_string());
        }
        self.estimate = Some((self.file.len() - before) * 100 / rows);
        self.order = order;
        self.parts.iter_mut().for_each(Vec::clear);
        if self.records.text_bytes() > KEPT_BYTES {
            self.records.clear();
        }
        self.records.clear_rows();
        self.sides.next_group();
        self.facts.next_group();
        if self.sides.kept() + self.facts.kept() > KEPT_BYTES {
            self.sides.forget();
            self.facts.forget();
        }
    }

    /// Remembers that a column was given what it cannot hold.
    fn check(&mut self) {
        let tables = [&self.records, self.sides.table(), self.facts.table()];
        let defect = tables.into_iter().find_map(Table::defect);
        if let Some(name) = defect.map(str::to_owned) {
            self.fail(format!("column {name} was given a value of another type"));
        }
    }

    #[cold]
    fn fail(&mut self, reason: String) {
        self.defect.get_or_insert(reason);
    }

    /// Ends the file and takes it; empty when no record was written. `spare` becomes the next file's buffer; its
    /// content does not matter.
    ///
    /// # Errors
    /// A record was written that was not accepted, or the file cannot be put together. The encoder is empty then,
    /// too.
    pub fn take(&mut self, spare: Vec<u8>) -> Result<Vec<u8>, EncodingError> {
        self.write_group();
        let defect = self.defect.take();
        self.estimate = None;
        self.unseen = 0;
        let taken = match (self.kind, defect) {
            (_, Some(reason)) => {
                self.file.clear();
                Err(failed(reason))
            }
            (Some(kind), None) if !self.file.is_empty() => {
                let columns = self.columns.iter();
                let schema = columns.map(|column| (&*column.name, column.column_type));
                let file = self.file.finish(schema, metadata(kind.label()), spare);
                file.map_err(failed)
            }
            _ => Ok(Vec::new()),
        };
        // Texts go as well: where row groups are cut shall not depend on the file before.
        self.records.clear();
        if self.is_mixed {
            self.forget_columns();
        }
        taken
    }

    /// Forgets the columns: those of the next file are others.
    fn forget_columns(&mut self) {
        self.kind = None;
        self.layout = None;
        self.is_mixed = false;
        self.columns.clear();
        self.records = Table::default();
        self.own.clear();
    }
}

/// The column that rows are sorted by.
fn time_column(kind: RecordKind, columns: &[FileColumn]) -> Option<&FileColumn> {
    let name = match kind {
        RecordKind::Firewall => "event_timestamp",
        RecordKind::VpcFlow | RecordKind::TransitGatewayFlow => "start",
    };
    let mut own = columns.iter().filter(|column| column.part == Part::Record);
    own.find(|column| *column.name == *name)
}

impl Order {
    /// Sorts rows by time, rows of the same time as they came, those without one last.
    fn sort(&mut self, rows: usize, times: Option<&Column>) {
        self.own.clear();
        match times.map(|column| &column.values) {
            Some(Values::Wide { bits, nulls }) => {
                let time = |row: usize| wide(bits, nulls, row).unwrap_or(u64::MAX);
                self.keys.clear();
                self.keys
                    .extend((0..rows).map(|row| (time(row), row as u32)));
                self.sort_keys();
            }
            _ => self.own.extend(0..rows as u32),
        }
    }

    /// Sorts rows by their keys: by counting, since the times of a row group are seldom more than minutes apart.
    fn sort_keys(&mut self) {
        let times = self.keys.iter().map(|(time, _)| *time);
        let there = times.clone().filter(|time| *time != u64::MAX);
        let least = there.clone().min().unwrap_or_default();
        let span = there.max().unwrap_or_default() - least;
        if span > MOST_TIMES {
            self.keys.sort_unstable();
            self.own.extend(self.keys.iter().map(|(_, row)| *row));
            return;
        }
        // Rows without a time come behind the last one.
        let place = |time: u64| time.saturating_sub(least).min(span + 1) as usize;
        self.starts.clear();
        self.starts.resize(span as usize + 3, 0);
        for time in times {
            if let Some(count) = self.starts.get_mut(place(time) + 1) {
                *count += 1;
            }
        }
        let mut before = 0;
        for start in &mut self.starts {
            before += *start;
            *start = before;
        }
        self.own.resize(self.keys.len(), 0);
        for (time, row) in &self.keys {
            let next = self.starts.get_mut(place(*time));
            if let Some(next) = next {
                if let Some(own) = self.own.get_mut(*next as usize) {
                    *own = *row;
                }
                *next += 1;
            }
        }
    }

    /// Brings what records share into their order. `counts` are the rows of the tables.
    fn share(&mut self, parts: &[Vec<u32>; 3], counts: [usize; 3]) {
        for ((recurring, part), count) in self.shared.iter_mut().zip(parts).zip(counts) {
            let row = |row: &u32| part.get(*row as usize).copied().unwrap_or(NONE);
            recurring.set(count, self.own.iter().map(row));
        }
    }
}

/// The values of a side: these fields, then the tags of these keys.
fn side_cells<'s>(
    side: &'s Side,
    fields: &'s [SideField],
    keys: &'s [Box<str>],
) -> impl Iterator<Item = Cell<'s>> + use<'s> {
    let values = fields.iter().enumerate();
    let values = values.filter_map(|(place, field)| Some((place, side.value(*field)?.into())));
    let tags = side.party.tags.iter().filter_map(|(key, value)| {
        let number = keys.iter().position(|known| **known == **key)?;
        Some((fields.len() + number, ColumnValue::Text(value)))
    });
    values.chain(tags)
}

/// The name of a place of [`side_cells`].
fn side_name(end: End, place: usize, fields: &[SideField], keys: &[Box<str>]) -> String {
    match fields.get(place) {
        Some(field) => [end.prefix(), field.name()].concat(),
        None => {
            let key = keys.get(place.saturating_sub(fields.len()));
            [end.prefix(), "tag_", key.map_or("", |key| key)].concat()
        }
    }
}

/// The values of facts.
fn fact_cells<'e>(enrichment: &Enrichment<'e>) -> impl Iterator<Item = Cell<'e>> + use<'e> {
    let values = enrichment.fact_values();
    values.map(|(field, value)| (field as usize, value.into()))
}

/// Whether an entry has members with names of enriched fields.
fn has_enriched(entry: &FirewallRecord) -> bool {
    entry.entry().keys().any(|name| is_enriched(name))
}

/// Names of a layout's columns that are no known fields but those of enriched fields.
fn taken(layout: &Layout) -> Vec<Box<str>> {
    let names = layout.unknown().filter(|name| is_enriched(name));
    let mut taken: Vec<Box<str>> = names.map(Into::into).collect();
    taken.sort();
    taken
}

fn column_type(value_type: ValueType) -> ColumnType {
    match value_type {
        ValueType::Text => ColumnType::Text,
        ValueType::Integer => ColumnType::Int64,
        ValueType::Decimal => ColumnType::Double,
        ValueType::Boolean => ColumnType::Boolean,
        ValueType::Texts => ColumnType::Texts,
    }
}

impl<'v> From<FieldValue<'v>> for ColumnValue<'v> {
    fn from(value: FieldValue<'v>) -> ColumnValue<'v> {
        match value {
            FieldValue::Text(text) => ColumnValue::Text(text),
            FieldValue::Integer(number) => ColumnValue::Unsigned(number),
            FieldValue::Decimal(number) => ColumnValue::Double(number),
            FieldValue::Boolean(value) => ColumnValue::Boolean(value),
            FieldValue::Texts(texts) => ColumnValue::Texts(texts),
        }
    }
}

/// The metadata of a file.
pub(crate) fn metadata(kind: &str) -> [(&'static str, String); 3] {
    [
        ("cloud-export.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("cloud-export.schema", SCHEMA_VERSION.to_string()),
        ("cloud-export.records", kind.to_owned()),
    ]
}

pub(crate) fn failed(error: impl std::fmt::Display) -> EncodingError {
    EncodingError {
        format: Format::Parquet.label(),
        reason: error.to_string(),
    }
}
