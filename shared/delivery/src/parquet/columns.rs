//! Columns of typed values, before they become Parquet: what flows, firewall entries, changes and datapoints
//! have in common.
//!
//! A [`Table`] is a list of named and typed columns that grows row by row. A row has a value in some of the
//! columns; what is not put is null. A table need not hold the rows of the file: a column of the file takes its
//! values from any rows of a table, so that what many records share is stored once.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use crate::texts::Texts;

/// The type of a column, and how Parquet tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// BYTE_ARRAY, STRING: texts of which there are fewer than rows.
    Text,
    /// BYTE_ARRAY, STRING: texts that are different in each row.
    Document,
    /// BYTE_ARRAY, STRING: the canonical text of an IPv4 or IPv6 address (RFC 5952).
    Address,
    /// INT32: whole numbers from 0 on.
    Int32,
    /// INT64.
    Int64,
    /// INT64, INTEGER(64, unsigned).
    UInt64,
    /// INT64, TIMESTAMP(MILLIS, UTC), from seconds.
    Seconds,
    /// INT64, TIMESTAMP(MICROS, UTC), from microseconds.
    Microseconds,
    /// DOUBLE.
    Double,
    /// BOOLEAN.
    Boolean,
    /// LIST of BYTE_ARRAY, STRING.
    Texts,
    /// LIST of INT32: whole numbers from 0 on.
    Integers,
}

/// A value of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ColumnValue<'v> {
    /// Of a text or a document.
    Text(&'v str),
    /// An address.
    Address(IpAddr),
    /// A whole number, or a time in the column's unit.
    Integer(i64),
    /// A whole number without a sign, or a time in the column's unit.
    Unsigned(u64),
    /// A number.
    Double(f64),
    /// True or false.
    Boolean(bool),
    /// A list of texts.
    Texts(&'v [Arc<str>]),
    /// A list of whole numbers of less than 32 bits.
    Integers(&'v [u32]),
}

impl ColumnValue<'_> {
    /// Bytes of its texts and of what is kept of a list.
    pub(super) fn text_bytes(self) -> usize {
        match self {
            ColumnValue::Text(text) => text.len(),
            ColumnValue::Texts(list) => {
                let texts = list.iter().map(|text| text.len() + size_of::<u32>());
                size_of::<Range<usize>>() + texts.sum::<usize>()
            }
            ColumnValue::Integers(list) => size_of::<Range<usize>>() + size_of_val(list),
            _ => 0,
        }
    }
}

/// Equal values of one column have equal hashes.
impl Hash for ColumnValue<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            ColumnValue::Text(text) => text.hash(state),
            ColumnValue::Address(address) => address.hash(state),
            ColumnValue::Integer(value) => (*value as u64).hash(state),
            ColumnValue::Unsigned(value) => value.hash(state),
            ColumnValue::Double(value) => value.to_bits().hash(state),
            ColumnValue::Boolean(value) => u64::from(*value).hash(state),
            ColumnValue::Texts(list) => list.hash(state),
            ColumnValue::Integers(list) => list.hash(state),
        }
    }
}

/// No value, where values are numbers of texts or small ones.
pub(super) const NONE: u32 = u32::MAX;

/// Bit that tells the number of an IPv6 address from an IPv4 address.
pub(super) const SIX: u64 = 1 << 32;

/// A column of a table.
#[derive(Debug)]
pub struct Column {
    name: Box<str>,
    column_type: ColumnType,
    pub(super) values: Values,
}

/// Values by row, those of the last rows left out when there are none. Every value that is put asks which they are: the
/// answer is a byte of its own, and not hidden in what a part of them cannot be.
#[derive(Debug)]
#[repr(u8)]
pub(super) enum Values {
    /// Numbers of texts.
    Texts { numbers: Vec<u32>, texts: Texts },
    /// Where each document stands.
    Documents {
        places: Vec<(u32, u32)>,
        bytes: Vec<u8>,
    },
    /// IPv4 addresses, and numbers of IPv6 addresses.
    Addresses { values: Vec<u64>, six: Six },
    /// Integers of less than 32 bits, and booleans.
    Narrow(Vec<u32>),
    /// Bits of anything that takes 64, and rows of them that are null; none are behind the end of the list.
    Wide { bits: Vec<u64>, nulls: Vec<bool> },
    /// Numbers of lists, and the numbers of the texts in each, or the integers.
    Lists { numbers: Vec<u32>, lists: Lists },
}

/// IPv6 addresses with numbers.
#[derive(Debug, Default)]
pub(super) struct Six {
    addresses: Vec<Ipv6Addr>,
    numbers: HashMap<Ipv6Addr, u32>,
}

impl Six {
    fn number(&mut self, address: Ipv6Addr) -> u64 {
        let next = self.addresses.len() as u32;
        let number = *self.numbers.entry(address).or_insert(next);
        if number == next {
            self.addresses.push(address);
        }
        SIX | u64::from(number)
    }

    /// The address that a value stands for.
    pub fn address(&self, value: u64) -> IpAddr {
        match self.addresses.get(value as u32 as usize) {
            Some(address) if value & SIX != 0 => IpAddr::V6(*address),
            _ => IpAddr::V4((value as u32).into()),
        }
    }
}

/// Lists of texts, or of integers.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub texts: Texts,
    items: Vec<u32>,
    places: Vec<Range<usize>>,
}

impl Lists {
    fn add<'t>(&mut self, list: impl IntoIterator<Item = &'t [u8]>) -> u32 {
        let start = self.items.len();
        for text in list {
            self.items.push(self.texts.number(text));
        }
        self.end(start)
    }

    fn add_integers(&mut self, list: &[u32]) -> u32 {
        let start = self.items.len();
        self.items.extend_from_slice(list);
        self.end(start)
    }

    /// The number of the list that starts there; one that is the last one again is kept once.
    fn end(&mut self, start: usize) -> u32 {
        let new = self.items.get(start..).unwrap_or_default();
        let last = self.places.last().cloned();
        match last.and_then(|last| self.items.get(last)) {
            Some(last) if last == new => self.items.truncate(start),
            _ => self.places.push(start..self.items.len()),
        }
        self.places.len() as u32 - 1
    }

    /// Bytes of the texts and of what is kept of each list.
    fn size(&self) -> usize {
        self.texts.size() + size_of_val(&*self.items) + size_of_val(&*self.places)
    }

    /// The numbers of a list's texts.
    pub fn items(&self, number: u32) -> &[u32] {
        let place = self.places.get(number as usize).cloned();
        self.items
            .get(place.unwrap_or_default())
            .unwrap_or_default()
    }
}

impl Values {
    fn new(column_type: ColumnType) -> Values {
        match column_type {
            ColumnType::Text => Values::Texts {
                numbers: Vec::new(),
                texts: Texts::default(),
            },
            ColumnType::Document => Values::Documents {
                places: Vec::new(),
                bytes: Vec::new(),
            },
            ColumnType::Address => Values::Addresses {
                values: Vec::new(),
                six: Six::default(),
            },
            ColumnType::Int32 | ColumnType::Boolean => Values::Narrow(Vec::new()),
            ColumnType::Int64
            | ColumnType::UInt64
            | ColumnType::Seconds
            | ColumnType::Microseconds
            | ColumnType::Double => Values::Wide {
                bits: Vec::new(),
                nulls: Vec::new(),
            },
            ColumnType::Texts | ColumnType::Integers => Values::Lists {
                numbers: Vec::new(),
                lists: Lists::default(),
            },
        }
    }

    /// Bytes of the texts.
    fn text_bytes(&self) -> usize {
        match self {
            Values::Texts { texts, .. } => texts.size(),
            Values::Documents { bytes, .. } => bytes.len(),
            Values::Lists { lists, .. } => lists.size(),
            _ => 0,
        }
    }

    /// Bytes of a row.
    fn row_bytes(&self) -> usize {
        match self {
            Values::Texts { .. } | Values::Narrow(_) | Values::Lists { .. } => 4,
            Values::Documents { .. } | Values::Addresses { .. } => 8,
            Values::Wide { .. } => 9,
        }
    }

    fn clear_rows(&mut self) {
        match self {
            Values::Texts { numbers, .. } | Values::Narrow(numbers) => numbers.clear(),
            Values::Documents { places, bytes } => {
                places.clear();
                bytes.clear();
            }
            Values::Addresses { values, .. } => values.clear(),
            Values::Wide { bits, nulls } => {
                bits.clear();
                nulls.clear();
            }
            Values::Lists { numbers, .. } => numbers.clear(),
        }
    }

    fn clear_texts(&mut self) {
        match self {
            Values::Texts { texts, .. } => texts.clear(),
            Values::Addresses { six, .. } => {
                six.addresses.clear();
                six.numbers.clear();
            }
            Values::Lists { lists, .. } => {
                lists.texts.clear();
                lists.items.clear();
                lists.places.clear();
            }
            _ => {}
        }
    }
}

/// Puts a value into a row that may lie behind the last one.
#[inline]
fn put<T: Copy>(values: &mut Vec<T>, row: usize, none: T, value: T) {
    if values.len() != row {
        values.resize(row, none);
    }
    values.push(value);
}

/// The value of a row.
#[inline]
pub(super) fn wide(bits: &[u64], nulls: &[bool], row: usize) -> Option<u64> {
    match nulls.get(row) {
        Some(true) => None,
        _ => bits.get(row).copied(),
    }
}

impl Column {
    /// A column without values.
    pub fn new(name: impl Into<Box<str>>, column_type: ColumnType) -> Column {
        Column {
            name: name.into(),
            column_type,
            values: Values::new(column_type),
        }
    }

    /// The name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type in the file.
    pub fn column_type(&self) -> ColumnType {
        self.column_type
    }

    /// Puts a whole number or a time into a row.
    #[inline]
    pub(super) fn put_integer(&mut self, row: usize, value: u64) -> bool {
        match &mut self.values {
            Values::Narrow(values) => {
                let fits = value <= i32::MAX as u64;
                put(values, row, NONE, if fits { value as u32 } else { NONE });
                fits
            }
            Values::Wide { bits, nulls } => {
                if bits.len() < row {
                    nulls.resize(bits.len(), false);
                    nulls.resize(row, true);
                }
                put(bits, row, 0, value);
                true
            }
            _ => false,
        }
    }

    /// Puts an address into a row.
    #[inline]
    pub(super) fn put_address(&mut self, row: usize, address: IpAddr) -> bool {
        let Values::Addresses { values, six } = &mut self.values else {
            return false;
        };
        let value = match address {
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(address) => six.number(address),
        };
        put(values, row, u64::MAX, value);
        true
    }

    /// Puts the text that stands there in a buffer into a row. It must be UTF-8.
    #[inline]
    pub(super) fn put_text(&mut self, row: usize, buffer: &[u8], span: Range<usize>) -> bool {
        match &mut self.values {
            Values::Texts { numbers, texts } => {
                let number = texts.number_in(buffer, span);
                put(numbers, row, NONE, number);
                true
            }
            Values::Documents { places, bytes } => {
                let start = bytes.len() as u32;
                bytes.extend_from_slice(buffer.get(span).unwrap_or_default());
                let len = bytes.len() as u32 - start;
                put(places, row, (NONE, 0), (start, len));
                true
            }
            _ => false,
        }
    }

    /// Puts a list of texts into a row.
    fn put_list<'t>(&mut self, row: usize, list: impl IntoIterator<Item = &'t [u8]>) -> bool {
        match &mut self.values {
            Values::Lists { numbers, lists } if self.column_type == ColumnType::Texts => {
                put(numbers, row, NONE, lists.add(list));
                true
            }
            _ => false,
        }
    }

    /// Puts a value into a row; false when the column cannot hold it.
    pub fn put(&mut self, row: usize, value: ColumnValue<'_>) -> bool {
        let double = self.column_type == ColumnType::Double;
        let boolean = self.column_type == ColumnType::Boolean;
        let integers = self.column_type == ColumnType::Integers;
        match (value, &mut self.values) {
            (ColumnValue::Text(text), _) => self.put_text(row, text.as_bytes(), 0..text.len()),
            (ColumnValue::Address(address), _) => self.put_address(row, address),
            (ColumnValue::Double(value), Values::Wide { .. }) if double => {
                self.put_integer(row, value.to_bits())
            }
            (ColumnValue::Boolean(value), Values::Narrow(_)) if boolean => {
                self.put_integer(row, value.into())
            }
            (ColumnValue::Integer(value), Values::Narrow(_)) if !boolean => {
                u64::try_from(value).is_ok_and(|value| self.put_integer(row, value))
            }
            (ColumnValue::Integer(value), Values::Wide { .. }) if !double => {
                self.put_integer(row, value as u64)
            }
            (ColumnValue::Unsigned(value), _) if !double && !boolean => {
                self.put_integer(row, value)
            }
            (ColumnValue::Texts(list), Values::Lists { numbers, lists }) if !integers => {
                let list = list.iter().map(|text| text.as_bytes());
                put(numbers, row, NONE, lists.add(list));
                true
            }
            (ColumnValue::Integers(list), Values::Lists { numbers, lists }) if integers => {
                put(numbers, row, NONE, lists.add_integers(list));
                true
            }
            _ => false,
        }
    }

    /// Whether a row has a value.
    fn has(&self, row: usize) -> bool {
        match &self.values {
            Values::Texts { numbers, .. }
            | Values::Narrow(numbers)
            | Values::Lists { numbers, .. } => {
                numbers.get(row).is_some_and(|number| *number != NONE)
            }
            Values::Documents { places, .. } => {
                places.get(row).is_some_and(|(start, _)| *start != NONE)
            }
            Values::Addresses { values, .. } => {
                values.get(row).is_some_and(|value| *value != u64::MAX)
            }
            Values::Wide { bits, nulls } => wide(bits, nulls, row).is_some(),
        }
    }

    /// Whether a row has this value.
    fn holds(&self, row: usize, value: ColumnValue<'_>) -> bool {
        if !self.has(row) {
            return false;
        }
        let number = |numbers: &[u32]| numbers.get(row).copied().unwrap_or(NONE);
        match (&self.values, value) {
            (Values::Texts { numbers, texts }, ColumnValue::Text(text)) => {
                texts.get(number(numbers)) == text.as_bytes()
            }
            (Values::Documents { places, bytes }, ColumnValue::Text(text)) => {
                let (start, len) = places.get(row).copied().unwrap_or_default();
                let (start, len) = (start as usize, len as usize);
                bytes.get(start..start + len) == Some(text.as_bytes())
            }
            (Values::Addresses { values, six }, ColumnValue::Address(address)) => values
                .get(row)
                .is_some_and(|value| six.address(*value) == address),
            (Values::Narrow(values), ColumnValue::Integer(value)) => {
                i64::from(number(values)) == value
            }
            (Values::Narrow(values), ColumnValue::Unsigned(value)) => {
                u64::from(number(values)) == value
            }
            (Values::Narrow(values), ColumnValue::Boolean(value)) => {
                number(values) == u32::from(value)
            }
            (Values::Wide { bits, .. }, value) => {
                let bits = bits.get(row).copied();
                match value {
                    ColumnValue::Integer(value) => bits == Some(value as u64),
                    ColumnValue::Unsigned(value) => bits == Some(value),
                    ColumnValue::Double(value) => bits == Some(value.to_bits()),
                    _ => false,
                }
            }
            (Values::Lists { numbers, lists }, ColumnValue::Texts(list)) => {
                let items = lists.items(number(numbers));
                let texts = items.iter().map(|item| lists.texts.get(*item));
                texts.eq(list.iter().map(|text| text.as_bytes()))
            }
            (Values::Lists { numbers, lists }, ColumnValue::Integers(list)) => {
                lists.items(number(numbers)) == list
            }
            _ => false,
        }
    }
}

/// Columns that grow row by row.
#[derive(Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: usize,
    /// A column that could not hold a value.
    defect: Option<Box<str>>,
}

impl Table {
    /// A table of these columns, without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table {
            columns: columns.into_iter().collect(),
            ..Table::default()
        }
    }

    /// Adds a column, null in all rows so far; returns where it is.
    pub fn add(&mut self, column: Column) -> usize {
        self.columns.push(column);
        self.columns.len() - 1
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many rows there are, the open one not counted.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Ends the open row; returns its number, from zero.
    pub fn end_row(&mut self) -> usize {
        self.rows += 1;
        self.rows - 1
    }

    /// Puts a value into the open row. A column's first value of a row must be its last one.
    pub fn put(&mut self, place: usize, value: ColumnValue<'_>) {
        self.fill(place, |column, row| column.put(row, value));
    }

    /// Puts a list of texts into the open row. They must be UTF-8.
    pub fn put_list<'t>(&mut self, place: usize, list: impl IntoIterator<Item = &'t [u8]>) {
        self.fill(place, |column, row| column.put_list(row, list));
    }

    #[inline]
    pub(super) fn fill(&mut self, place: usize, fill: impl FnOnce(&mut Column, usize) -> bool) {
        let Some(column) = self.columns.get_mut(place) else {
            return;
        };
        if !fill(column, self.rows) && self.defect.is_none() {
            self.defect = Some(column.name.clone());
        }
    }

    /// Whether a row has these values and no others.
    pub(super) fn is_row<'v>(
        &self,
        row: usize,
        values: impl Iterator<Item = (usize, ColumnValue<'v>)>,
    ) -> bool {
        let mut there = 0;
        for (place, value) in values {
            let column = self.columns.get(place);
            if !column.is_some_and(|column| column.holds(row, value)) {
                return false;
            }
            there += 1;
        }
        let all = self.columns.iter().filter(|column| column.has(row));
        all.count() == there
    }

    /// The first column that was given a value it cannot hold, if any was.
    pub fn defect(&self) -> Option<&str> {
        self.defect.as_deref()
    }

    /// Bytes of all texts.
    pub(crate) fn text_bytes(&self) -> usize {
        let columns = self.columns.iter();
        columns.map(|column| column.values.text_bytes()).sum()
    }

    /// Bytes of a row without texts.
    pub(crate) fn row_bytes(&self) -> usize {
        let columns = self.columns.iter();
        columns.map(|column| column.values.row_bytes()).sum()
    }

    /// Removes all rows, and keeps columns and texts.
    pub fn clear_rows(&mut self) {
        self.rows = 0;
        self.defect = None;
        let columns = self.columns.iter_mut();
        columns.for_each(|column| column.values.clear_rows());
    }

    /// Removes all rows and texts, and keeps the columns.
    pub fn clear(&mut self) {
        self.clear_rows();
        let columns = self.columns.iter_mut();
        columns.for_each(|column| column.values.clear_texts());
    }
}

/// A column of the file in one row group: a column of a table, and which of its rows.
#[derive(Debug, Clone, Copy)]
pub struct Source<'s> {
    /// The name in the file, which need not be that in the table.
    pub name: &'s str,
    /// Where the values are.
    pub column: &'s Column,
    /// Which rows of the table it has.
    pub rows: Selection<'s>,
}

/// Which rows of a table the rows of the file are. A row that the table does not have is null.
#[derive(Debug, Clone, Copy)]
pub enum Selection<'s> {
    /// One for each row of the file.
    Each(&'s [u32]),
    /// Rows that come again and again.
    Again(&'s Recurring),
}

impl<'s> Selection<'s> {
    /// The rows of the table: one for each row of the file, or each that comes again once.
    pub(super) fn rows(self) -> &'s [u32] {
        match self {
            Selection::Each(rows) => rows,
            Selection::Again(recurring) => &recurring.rows,
        }
    }

    /// How many rows the file has.
    pub(super) fn len(self) -> usize {
        match self {
            Selection::Each(rows) => rows.len(),
            Selection::Again(recurring) => recurring.places.len(),
        }
    }
}

impl<'s> From<&'s Vec<u32>> for Selection<'s> {
    fn from(rows: &'s Vec<u32>) -> Selection<'s> {
        Selection::Each(rows)
    }
}

/// Rows of a table that come again and again: a column is asked for each of them once.
#[derive(Debug, Default)]
pub struct Recurring {
    /// The rows, in the order in which they first come.
    rows: Vec<u32>,
    /// For each row of the file, the place of its row among them.
    pub(super) places: Vec<u32>,
    /// The place of each row of the table.
    known: Vec<u32>,
}

impl Recurring {
    /// Takes these rows of a table that has so many.
    pub(super) fn set(&mut self, count: usize, rows: impl IntoIterator<Item = u32>) {
        self.rows.clear();
        self.places.clear();
        self.known.clear();
        // Rows that the table does not have are alike.
        self.known.resize(count + 1, NONE);
        for row in rows {
            let row = row.min(count as u32);
            let next = self.rows.len() as u32;
            let Some(place) = self.known.get_mut(row as usize) else {
                continue;
            };
            if *place == NONE {
                *place = next;
                self.rows.push(row);
            }
            self.places.push(*place);
        }
    }
}
