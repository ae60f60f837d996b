//! A column of a row group as pages: values in the file's order, in the encoding that takes the least room.
//!
//! Texts and addresses go through a dictionary, unless hardly any repeats. Integers are tried as a dictionary, as
//! differences (DELTA_BINARY_PACKED) and plain. Dictionaries are in the order in which their values first stand
//! in the rows, so that the same rows give the same bytes whatever was written before.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};

use super::columns::{ColumnType, Lists, NONE, Selection, Six, Source, Values, wide};
use super::{delta, rle};
use crate::texts::Texts;

/// Bytes of a data page before compression, at most; one value that has more is a page.
const PAGE_BYTES: usize = 1 << 20;

/// Texts longer than this are left out of the statistics.
const STATISTICS_BYTES: usize = 256;

/// Values that a dictionary of integers has at most: beyond it, an index takes hardly less than the value.
const MAX_INTEGERS: usize = 1 << 15;

/// What the footer tells of a column of a row group. Offsets are those in the file.
#[derive(Debug)]
pub(super) struct Chunk {
    pub values: usize,
    pub dictionary_offset: Option<usize>,
    pub data_offset: usize,
    pub compressed: usize,
    pub uncompressed: usize,
    pub encodings: Vec<Encoding>,
    pub statistics: Option<Statistics>,
}

/// How the values of a column stand in its data pages.
enum Body<'b> {
    /// Indices of so many bits into a dictionary of so many values.
    Indices { width: u8, entries: usize },
    /// Texts.
    Texts(&'b Texts),
    /// Documents, each a part of these bytes.
    Documents(&'b [u8]),
    /// Integers of 32 bits.
    Plain32,
    /// Integers or numbers of 64 bits.
    Plain64,
    /// Integers as differences.
    Delta,
    /// Booleans.
    Bits,
}

impl Body<'_> {
    fn encoding(&self) -> Encoding {
        match self {
            Body::Indices { .. } => Encoding::RLE_DICTIONARY,
            Body::Delta => Encoding::DELTA_BINARY_PACKED,
            _ => Encoding::PLAIN,
        }
    }
}

/// A column of texts that was written, which others of the row group may be alike: where there is an id, there is a
/// name, and one changes when the other does. Their data pages are the same, since dictionaries are in the order of the
/// rows.
struct Written {
    /// Which rows of the table the rows of the file are, by its place in memory.
    rows: usize,
    /// The index of each row of the table that is asked for.
    cells: Vec<u32>,
    pages: Pages,
}

/// The data pages of a column.
#[derive(Clone)]
struct Pages {
    nulls: usize,
    /// Where they are in the file.
    place: Range<usize>,
    /// Their bytes before compression.
    uncompressed: usize,
}

/// What the column at hand has to do with others of the row group.
enum Kin {
    /// Nothing.
    None,
    /// Its data pages are the same as these.
    Alike(Pages),
    /// Others may be alike, if their rows are those at that place in memory.
    First(usize),
}

/// Writes columns, one after the other. Its buffers are kept.
pub(super) struct ChunkWriter {
    compressor: zstd::bulk::Compressor<'static>,
    /// Rows, and elements of lists.
    entries: usize,
    /// Only of lists: 0 where a row starts.
    repetition: Vec<u32>,
    /// The highest level where there is a value. Left out, except of lists, where all are there or none.
    definition: Vec<u32>,
    nulls: usize,
    /// The index of each row of a table that is asked for, [`NONE`] where there is no value.
    cells: Vec<u32>,
    /// Columns of the row group that others may be alike.
    written: Vec<Written>,
    kin: Kin,
    /// Indices into the dictionary, of the values that are there.
    indices: Vec<u32>,
    /// Numbers of texts in the dictionary's order.
    order: Vec<u32>,
    /// The index of each number of a text.
    places: Vec<u32>,
    /// Values that are there, or where documents stand.
    numbers: Vec<u64>,
    distinct: Distinct,
    dictionary: Vec<u8>,
    page: Vec<u8>,
}

impl ChunkWriter {
    /// A writer that compresses pages at this level of zstd.
    pub fn new(level: i32) -> std::io::Result<ChunkWriter> {
        Ok(ChunkWriter {
            compressor: zstd::bulk::Compressor::new(level)?,
            entries: 0,
            repetition: Vec::new(),
            definition: Vec::new(),
            nulls: 0,
            cells: Vec::new(),
            written: Vec::new(),
            kin: Kin::None,
            indices: Vec::new(),
            order: Vec::new(),
            places: Vec::new(),
            numbers: Vec::new(),
            distinct: Distinct::default(),
            dictionary: Vec::new(),
            page: Vec::new(),
        })
    }

    /// Begins a row group.
    pub fn begin(&mut self) {
        self.written.clear();
    }

    /// Appends a column of the row group to the file.
    pub fn write(
        &mut self,
        file: &mut Vec<u8>,
        source: &Source<'_>,
    ) -> Result<Chunk, ParquetError> {
        self.repetition.clear();
        self.nulls = 0;
        self.kin = Kin::None;
        self.order.clear();
        self.dictionary.clear();
        let (rows, column_type) = (source.rows, source.column.column_type());
        let (body, statistics) = match &source.column.values {
            Values::Texts { numbers, texts } => self.texts(rows, numbers, texts),
            Values::Documents { places, bytes } => self.documents(rows, places, bytes),
            Values::Addresses { values, six } => self.addresses(rows, values, six),
            Values::Narrow(values) => {
                let values = values.as_slice();
                self.gather(rows, |row| {
                    let value = values.get(row).copied().unwrap_or(NONE);
                    (value.into(), value != NONE)
                });
                if column_type == ColumnType::Boolean {
                    (Body::Bits, Some(self.booleans()))
                } else {
                    let range = range(&self.numbers);
                    let body = self.integers(Body::Plain32, 4, range);
                    (body, Some(self.statistics32(range)))
                }
            }
            Values::Wide { bits, nulls } => {
                let (bits, nulls) = (bits.as_slice(), nulls.as_slice());
                self.gather(rows, |row| {
                    let value = wide(bits, nulls, row);
                    (value.unwrap_or_default(), value.is_some())
                });
                if column_type == ColumnType::Seconds {
                    let milliseconds =
                        |seconds: &u64| (*seconds as i64).saturating_mul(1000) as u64;
                    let numbers = self.numbers.iter_mut();
                    numbers.for_each(|seconds| *seconds = milliseconds(seconds));
                }
                if column_type == ColumnType::Double {
                    let body = self.dictionary_or(Body::Plain64, 8, ANY, usize::MAX);
                    (body, self.statistics_of_doubles())
                } else {
                    let range = range(&self.numbers);
                    let body = self.integers(Body::Plain64, 8, range);
                    (body, Some(self.statistics64(column_type, range)))
                }
            }
            Values::Lists { numbers, lists } => self.lists(rows, numbers, lists, column_type),
        };
        let chunk = self.pages(file, &body)?;
        Ok(Chunk {
            statistics,
            ..chunk
        })
    }

    /// The values of rows, by what they are in their table, and whether they are there.
    #[inline]
    fn gather(&mut self, selection: Selection<'_>, value: impl Fn(usize) -> (u64, bool)) {
        let Self {
            numbers,
            definition,
            ..
        } = self;
        match selection {
            Selection::Each(rows) => {
                let values = rows.iter().map(|row| value(*row as usize));
                split(values, numbers, definition);
            }
            Selection::Again(recurring) => {
                let rows = selection.rows();
                let row = |place: &u32| rows.get(*place as usize).copied().unwrap_or(NONE);
                if rows.iter().any(|row| value(*row as usize).1) {
                    let rows = recurring.places.iter().map(row);
                    split(rows.map(|row| value(row as usize)), numbers, definition);
                } else {
                    numbers.clear();
                }
            }
        }
        self.level(selection.len(), self.numbers.len());
    }

    /// Counts entries and those that are null. Levels are left out where they are all the same.
    fn level(&mut self, entries: usize, values: usize) {
        (self.entries, self.nulls) = (entries, entries - values);
        if self.nulls == 0 || values == 0 {
            self.definition.clear();
        }
    }

    // --- Texts ------------------------------------------------------------------------------------------------------

    fn texts<'b>(
        &mut self,
        selection: Selection<'_>,
        numbers: &[u32],
        texts: &'b Texts,
    ) -> (Body<'b>, Option<Statistics>) {
        self.places.clear();
        self.places.resize(texts.len(), NONE);
        let places = self.places.as_mut_slice();
        let order = &mut self.order;
        self.cells.clear();
        self.cells.extend(selection.rows().iter().map(|row| {
            let number = numbers.get(*row as usize).copied();
            index(places, order, number.unwrap_or(NONE))
        }));
        match selection {
            Selection::Each(_) => self.spread(selection),
            Selection::Again(recurring) => {
                let rows = std::ptr::from_ref(recurring).addr();
                match self.find_alike(rows) {
                    Some(pages) => {
                        (self.entries, self.nulls) = (selection.len(), pages.nulls);
                        self.kin = Kin::Alike(pages);
                    }
                    None => {
                        self.spread(selection);
                        if !self.may_be_plain() {
                            self.kin = Kin::First(rows);
                        }
                    }
                }
            }
        }
        let mut bounds = Bounds::default();
        self.order
            .iter()
            .for_each(|number| bounds.add(texts.get(*number)));
        let statistics = bounds.statistics(self.nulls);
        (self.dictionary_of(texts), statistics)
    }

    /// The data pages of a column that was written, if the indices at hand are the same.
    fn find_alike(&self, rows: usize) -> Option<Pages> {
        let is_alike = |written: &&Written| written.rows == rows && written.cells == self.cells;
        let alike = self.written.iter().find(is_alike)?;
        Some(alike.pages.clone())
    }

    /// Gives each row of the file its index, from those of the rows of the table.
    fn spread(&mut self, selection: Selection<'_>) {
        let (indices, levels) = (&mut self.indices, &mut self.definition);
        let cells = self.cells.as_slice();
        let cell = |index: u32| (index, index != NONE);
        match selection {
            _ if cells.iter().all(|cell| *cell == NONE) => indices.clear(),
            Selection::Each(_) => split(cells.iter().map(|index| cell(*index)), indices, levels),
            Selection::Again(recurring) => {
                let at = |place: &u32| cells.get(*place as usize).copied().unwrap_or(NONE);
                let cells = recurring.places.iter().map(|place| cell(at(place)));
                split(cells, indices, levels);
            }
        }
        self.level(selection.len(), self.indices.len());
    }

    /// The texts as a dictionary, or as they are where that takes less.
    fn dictionary_of<'b>(&mut self, texts: &'b Texts) -> Body<'b> {
        let entries = self.order.len();
        let width = index_width(entries);
        if self.may_be_plain() {
            let size = |number: &u32| 4 + texts.get(*number).len();
            let sizes: Vec<usize> = self.order.iter().map(size).collect();
            let of = |index: &u32| sizes.get(*index as usize).copied().unwrap_or_default();
            let plain: usize = self.indices.iter().map(of).sum();
            let whole = sizes.iter().sum::<usize>() + rle::bound(self.indices.len(), width);
            if plain <= whole {
                return Body::Texts(texts);
            }
        }
        for number in &self.order {
            push_text(&mut self.dictionary, texts.get(*number));
        }
        Body::Indices { width, entries }
    }

    /// Whether texts may take less as they are than with a dictionary: hardly any of them repeats.
    fn may_be_plain(&self) -> bool {
        !matches!(self.kin, Kin::Alike(_)) && self.order.len() * 2 > self.indices.len()
    }

    fn documents<'b>(
        &mut self,
        rows: Selection<'_>,
        places: &[(u32, u32)],
        bytes: &'b [u8],
    ) -> (Body<'b>, Option<Statistics>) {
        self.gather(rows, |row| {
            let (start, len) = places.get(row).copied().unwrap_or((NONE, 0));
            (u64::from(start) << 32 | u64::from(len), start != NONE)
        });
        (Body::Documents(bytes), None)
    }

    fn addresses<'b>(
        &mut self,
        rows: Selection<'_>,
        values: &[u64],
        six: &Six,
    ) -> (Body<'b>, Option<Statistics>) {
        self.gather(rows, |row| {
            let value = values.get(row).copied().unwrap_or(u64::MAX);
            (value, value != u64::MAX)
        });
        self.distinct
            .index(&self.numbers, ANY, &mut self.indices, |_, _| true);
        let mut bounds = Bounds::default();
        let mut text = Vec::new();
        for value in &self.distinct.values {
            text.clear();
            match six.address(*value) {
                IpAddr::V4(address) => push_ipv4(&mut text, address),
                IpAddr::V6(address) => text.extend_from_slice(address.to_string().as_bytes()),
            }
            bounds.add(&text);
            push_text(&mut self.dictionary, &text);
        }
        let statistics = bounds.statistics(self.nulls);
        let entries = self.distinct.values.len();
        let width = index_width(entries);
        (Body::Indices { width, entries }, statistics)
    }

    fn lists<'b>(
        &mut self,
        selection: Selection<'_>,
        numbers: &[u32],
        lists: &'b Lists,
        column_type: ColumnType,
    ) -> (Body<'b>, Option<Statistics>) {
        let are_integers = column_type == ColumnType::Integers;
        self.places.clear();
        self.places.resize(lists.texts.len(), NONE);
        self.definition.clear();
        self.indices.clear();
        self.numbers.clear();
        match selection {
            Selection::Each(rows) => rows
                .iter()
                .for_each(|row| self.list(*row, numbers, lists, are_integers)),
            Selection::Again(recurring) => recurring.places.iter().for_each(|place| {
                let row = selection.rows().get(*place as usize).copied();
                self.list(row.unwrap_or(NONE), numbers, lists, are_integers);
            }),
        }
        self.entries = self.definition.len();
        if are_integers {
            let range = range(&self.numbers);
            return (self.integers(Body::Plain32, 4, range), None);
        }
        (self.dictionary_of(&lists.texts), None)
    }

    /// Adds the list of a row.
    fn list(&mut self, row: u32, numbers: &[u32], lists: &Lists, are_integers: bool) {
        let number = numbers.get(row as usize).copied().unwrap_or(NONE);
        // 0: no list; 1: an empty one; 2: an element.
        let items = lists.items(number);
        if items.is_empty() {
            self.repetition.push(0);
            self.definition.push(u32::from(number != NONE));
        }
        for (place, item) in items.iter().enumerate() {
            self.repetition.push(u32::from(place > 0));
            self.definition.push(2);
            if are_integers {
                self.numbers.push(u64::from(*item));
            } else {
                let index = index(&mut self.places, &mut self.order, *item);
                self.indices.push(index);
            }
        }
    }

    // --- Numbers ----------------------------------------------------------------------------------------------------

    /// The integers in the encoding that takes the least.
    fn integers<'b>(&mut self, plain: Body<'b>, bytes: usize, range: (u64, u64)) -> Body<'b> {
        self.dictionary_or(plain, bytes, range, delta::size(&self.numbers))
    }

    /// The numbers as a dictionary, or plain, or in as many bytes as differences.
    fn dictionary_or<'b>(
        &mut self,
        plain: Body<'b>,
        bytes: usize,
        range: (u64, u64),
        as_delta: usize,
    ) -> Body<'b> {
        let values = self.numbers.len();
        let as_plain = values * bytes;
        let most = MAX_INTEGERS.min(values / 2);
        let least = as_delta.min(as_plain);
        let distinct = &mut self.distinct;
        let is_indexed = distinct.index(
            &self.numbers,
            range,
            &mut self.indices,
            |entries, places| {
                let indices = rle::size(places, index_width(entries));
                entries <= most && entries * bytes + indices * values / places.len() <= least
            },
        );
        let entries = self.distinct.values.len();
        let width = index_width(entries);
        let as_dictionary = if is_indexed && entries <= most {
            rle::size(&self.indices, width) + entries * bytes
        } else {
            usize::MAX
        };
        if as_dictionary <= as_delta.min(as_plain) && values > 0 {
            for value in &self.distinct.values {
                let value = value.to_le_bytes();
                self.dictionary
                    .extend_from_slice(value.get(..bytes).unwrap_or_default());
            }
            return Body::Indices { width, entries };
        }
        if as_delta < as_plain {
            Body::Delta
        } else {
            plain
        }
    }

    fn booleans(&self) -> Statistics {
        let all = self.numbers.iter().map(|value| *value != 0);
        let (least, most) = (all.clone().min(), all.max());
        Statistics::Boolean(statistics(least, most, self.nulls))
    }

    fn statistics32(&self, (least, greatest): (u64, u64)) -> Statistics {
        let of = |value: u64| (!self.numbers.is_empty()).then_some(value as i32);
        Statistics::Int32(statistics(of(least), of(greatest), self.nulls))
    }

    fn statistics64(&self, column_type: ColumnType, (least, greatest): (u64, u64)) -> Statistics {
        let of = |value: u64| (!self.numbers.is_empty()).then_some(value as i64);
        // Those with a sign are in another order where one of them is negative.
        let (least, greatest) = match i64::try_from(greatest).is_ok() {
            false if column_type != ColumnType::UInt64 => {
                let all = self.numbers.iter().map(|value| *value as i64);
                (all.clone().min(), all.max())
            }
            _ => (of(least), of(greatest)),
        };
        Statistics::Int64(statistics(least, greatest, self.nulls))
    }

    fn statistics_of_doubles(&self) -> Option<Statistics> {
        let all = self.numbers.iter().map(|bits| f64::from_bits(*bits));
        // Zero has two signs and NaN no place.
        if all.clone().any(f64::is_nan) {
            return None;
        }
        let least = all.clone().reduce(f64::min);
        let least = least.map(|n| if n == 0.0 { -0.0 } else { n });
        let greatest = all.reduce(f64::max);
        let greatest = greatest.map(|n| if n == 0.0 { 0.0 } else { n });
        Some(Statistics::Double(statistics(least, greatest, self.nulls)))
    }

    // --- Pages ------------------------------------------------------------------------------------------------------

    fn pages(&mut self, file: &mut Vec<u8>, body: &Body<'_>) -> Result<Chunk, ParquetError> {
        let start = file.len();
        let mut output = TrackedWrite::new(&mut *file);
        let mut writer = SerializedPageWriter::new(&mut output);
        let mut encodings = vec![Encoding::RLE];
        let (mut data_offset, mut uncompressed) = (start, 0);
        let mut dictionary_offset = None;
        if let Body::Indices { entries, .. } = body {
            let page = Page::DictionaryPage {
                buf: compress(&mut self.compressor, &self.dictionary)?,
                num_values: *entries as u32,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            let written = writer.write_page(CompressedPage::new(page, self.dictionary.len()))?;
            data_offset += written.compressed_size;
            uncompressed += written.uncompressed_size;
            dictionary_offset = Some(start);
            encodings.push(Encoding::PLAIN);
        }
        encodings.push(body.encoding());
        let mut uncompressed_data = 0;
        let (mut entries, mut values) = (0..0, 0..0);
        while !matches!(self.kin, Kin::Alike(_)) {
            (entries, values) = self.next_page(body, entries.end, values.end);
            self.page.clear();
            self.levels(entries.clone());
            self.values(body, values.clone());
            let page = Page::DataPage {
                buf: compress(&mut self.compressor, &self.page)?,
                num_values: entries.len() as u32,
                encoding: body.encoding(),
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            let written = writer.write_page(CompressedPage::new(page, self.page.len()))?;
            uncompressed_data += written.uncompressed_size;
            if entries.end >= self.entries {
                break;
            }
        }
        writer.close()?;
        drop(output);
        if let Kin::Alike(pages) = &self.kin {
            file.extend_from_within(pages.place.clone());
            uncompressed_data = pages.uncompressed;
        }
        if let Kin::First(rows) = self.kin {
            self.written.push(Written {
                rows,
                cells: std::mem::take(&mut self.cells),
                pages: Pages {
                    nulls: self.nulls,
                    place: data_offset..file.len(),
                    uncompressed: uncompressed_data,
                },
            });
        }
        Ok(Chunk {
            values: self.entries,
            dictionary_offset,
            data_offset,
            compressed: file.len() - start,
            uncompressed: uncompressed + uncompressed_data,
            encodings,
            statistics: None,
        })
    }

    /// The entries and the values of the page that follows these.
    fn next_page(
        &self,
        body: &Body<'_>,
        entry: usize,
        value: usize,
    ) -> (Range<usize>, Range<usize>) {
        let all = match body {
            Body::Indices { .. } | Body::Texts(_) => self.indices.len(),
            _ => self.numbers.len(),
        };
        let fits = match body {
            Body::Indices { width, .. } => PAGE_BYTES * 8 / usize::from(*width).max(1),
            Body::Plain32 => PAGE_BYTES / 4,
            Body::Plain64 | Body::Delta => PAGE_BYTES / 8,
            Body::Bits => PAGE_BYTES * 8,
            Body::Texts(_) | Body::Documents(_) => {
                let mut room = PAGE_BYTES;
                let fits = (value..all).take_while(|value| {
                    let rest = room.checked_sub(self.text(body, *value).len() + 4);
                    room = rest.unwrap_or_default();
                    rest.is_some()
                });
                fits.count().max(1)
            }
        };
        if all - value <= fits {
            return (entry..self.entries, value..all);
        }
        if self.definition.is_empty() {
            return (entry..entry + fits, value..value + fits);
        }
        // As many entries as these values have, and on to where a row starts.
        let highest = if self.repetition.is_empty() { 1 } else { 2 };
        let (mut entries, mut values) = (entry, value);
        for (place, level) in self.definition.iter().enumerate().skip(entry) {
            let starts_row = self.repetition.get(place).is_none_or(|level| *level == 0);
            if values - value >= fits && starts_row {
                break;
            }
            entries += 1;
            values += usize::from(*level == highest);
        }
        (entry..entries, value..values)
    }

    /// A text or document.
    fn text<'t>(&self, body: &Body<'t>, value: usize) -> &'t [u8] {
        match body {
            Body::Texts(texts) => {
                let index = self.indices.get(value).copied().unwrap_or_default();
                let number = self.order.get(index as usize).copied();
                texts.get(number.unwrap_or(NONE))
            }
            Body::Documents(bytes) => {
                let place = self.numbers.get(value).copied().unwrap_or_default();
                let (start, len) = ((place >> 32) as usize, place as u32 as usize);
                bytes.get(start..start + len).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Appends the levels of a page: each kind with its length before it.
    fn levels(&mut self, entries: Range<usize>) {
        let nested = !self.repetition.is_empty();
        let kinds = [
            (&self.repetition, 1, nested),
            (&self.definition, 1 + u8::from(nested), true),
        ];
        for (levels, width, there) in kinds {
            if !there {
                continue;
            }
            let start = self.page.len();
            self.page.extend_from_slice(&[0; 4]);
            if self.definition.is_empty() {
                let level = u32::from(self.nulls == 0);
                rle::repeat(level, entries.len(), width, &mut self.page);
            } else {
                let levels = levels.get(entries.clone()).unwrap_or_default();
                rle::encode(levels, width, &mut self.page);
            }
            let len = (self.page.len() - start - 4) as u32;
            if let Some(place) = self.page.get_mut(start..start + 4) {
                place.copy_from_slice(&len.to_le_bytes());
            }
        }
    }

    /// Appends the values of a page.
    fn values(&mut self, body: &Body<'_>, range: Range<usize>) {
        let mut page = std::mem::take(&mut self.page);
        let numbers = || self.numbers.get(range.clone()).unwrap_or_default();
        match body {
            Body::Indices { width, .. } => {
                let indices = self.indices.get(range).unwrap_or_default();
                page.push(*width);
                rle::encode(indices, *width, &mut page);
            }
            Body::Texts(_) | Body::Documents(_) => {
                range.for_each(|value| push_text(&mut page, self.text(body, value)));
            }
            Body::Plain32 => {
                let bytes = numbers()
                    .iter()
                    .map(|number| (*number as u32).to_le_bytes());
                bytes.for_each(|bytes| page.extend_from_slice(&bytes));
            }
            Body::Plain64 => {
                let bytes = numbers().iter().map(|number| number.to_le_bytes());
                bytes.for_each(|bytes| page.extend_from_slice(&bytes));
            }
            Body::Delta => delta::encode(numbers(), &mut page),
            Body::Bits => {
                for bits in numbers().chunks(8) {
                    let bits = bits.iter().enumerate();
                    page.push(bits.fold(0, |byte, (at, bit)| byte | (*bit as u8) << at));
                }
            }
        }
        self.page = page;
    }
}

/// The index of a text, which gets one when it has none; [`NONE`] of no text.
#[inline]
fn index(places: &mut [u32], order: &mut Vec<u32>, number: u32) -> u32 {
    let Some(place) = places.get_mut(number as usize) else {
        return NONE;
    };
    if *place == NONE {
        *place = order.len() as u32;
        order.push(number);
    }
    *place
}

/// Cells that are looked at before it is supposed that all are there.
const LOOKED_AT: usize = 1 << 10;

/// Parts cells, of which some are there, into the values that are and the level of each. Where all are there, there are
/// no levels.
fn split<T: Copy + Default>(
    cells: impl ExactSizeIterator<Item = (T, bool)> + Clone,
    values: &mut Vec<T>,
    levels: &mut Vec<u32>,
) {
    if cells.clone().take(LOOKED_AT).all(|(_, is_there)| is_there) {
        let mut all = true;
        values.clear();
        values.extend(cells.clone().map(|(value, is_there)| {
            all &= is_there;
            value
        }));
        if all {
            levels.clear();
            return;
        }
    }
    // Without a branch: what is not there is written as well, and the next one over it.
    values.resize(cells.len(), T::default());
    levels.resize(cells.len(), 0);
    let mut there = 0;
    let all = values.as_mut_slice();
    for ((value, is_there), level) in cells.zip(levels.as_mut_slice()) {
        if let Some(place) = all.get_mut(there) {
            *place = value;
        }
        there += usize::from(is_there);
        *level = is_there.into();
    }
    values.truncate(there);
}

fn compress(
    compressor: &mut zstd::bulk::Compressor<'_>,
    page: &[u8],
) -> Result<Bytes, ParquetError> {
    Ok(Bytes::from(compressor.compress(page)?))
}

/// Bits of an index into so many values.
fn index_width(entries: usize) -> u8 {
    rle::bit_width(entries.saturating_sub(1) as u32)
}

/// Appends the text of an IPv4 address, which a row group has tens of thousands of.
fn push_ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    let [first, others @ ..] = address.octets();
    push_octet(out, first);
    for octet in others {
        out.push(b'.');
        push_octet(out, octet);
    }
}

fn push_octet(out: &mut Vec<u8>, octet: u8) {
    if octet >= 100 {
        out.push(b'0' + octet / 100);
    }
    if octet >= 10 {
        out.push(b'0' + octet / 10 % 10);
    }
    out.push(b'0' + octet % 10);
}

/// Appends a text as PLAIN has it: its length, four bytes, before it.
fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text);
}

fn statistics<T>(least: Option<T>, most: Option<T>, nulls: usize) -> ValueStatistics<T> {
    ValueStatistics::new(least, most, None, Some(nulls as u64), false)
}

/// The first bytes of a text, in the order of texts.
#[inline]
fn head(text: &[u8]) -> Option<u64> {
    text.first_chunk().map(|head| u64::from_be_bytes(*head))
}

/// The least and the greatest of texts, by their bytes.
#[derive(Default)]
struct Bounds {
    edges: Option<(Vec<u8>, Vec<u8>)>,
    /// How these begin, so that most texts need not be compared.
    heads: Option<(u64, u64)>,
}

impl Bounds {
    fn add(&mut self, text: &[u8]) {
        match (head(text), self.heads) {
            (Some(head), Some((least, most))) if least < head && head < most => {}
            _ => self.compare(text),
        }
    }

    fn compare(&mut self, text: &[u8]) {
        let Some((least, most)) = &mut self.edges else {
            self.edges = Some((text.to_vec(), text.to_vec()));
            return;
        };
        if text < &**least {
            least.clear();
            least.extend_from_slice(text);
        } else if text > &**most {
            most.clear();
            most.extend_from_slice(text);
        }
        self.heads = head(least).zip(head(most));
    }

    fn statistics(self, nulls: usize) -> Option<Statistics> {
        let (least, most) = self.edges.unzip();
        let is_long = |text: &Option<Vec<u8>>| {
            text.as_ref()
                .is_some_and(|text| text.len() > STATISTICS_BYTES)
        };
        let known = !is_long(&least) && !is_long(&most);
        let (least, most) = (least.filter(|_| known), most.filter(|_| known));
        let (least, most) = (least.map(ByteArray::from), most.map(ByteArray::from));
        Some(Statistics::ByteArray(statistics(least, most, nulls)))
    }
}

/// The values of a list of numbers, each once, in the order they come.
#[derive(Default)]
struct Distinct {
    values: Vec<u64>,
    /// A value's place plus one; zero is free. By the values' hashes, or by their distance from the least.
    slots: Vec<u32>,
}

/// Slots at first; a power of two.
const FIRST_SLOTS: usize = 1 << 10;

/// Between the least and the greatest number, less than this: each number there has a slot of its own. Ports have.
const DIRECT: u64 = 1 << 16;

/// Numbers that are taken before it is asked for the first time whether that is worth it; then after each as many again
/// as there are.
const ASKED_AFTER: usize = 1 << 12;

impl Distinct {
    /// Gives the place of each number among the values. False, and no places, once that is no longer worth it: this is
    /// asked now and then, with how many values there are and the places so far. The numbers are in this range.
    fn index(
        &mut self,
        numbers: &[u64],
        (least, greatest): (u64, u64),
        places: &mut Vec<u32>,
        is_worth: impl Fn(usize, &[u32]) -> bool,
    ) -> bool {
        self.values.clear();
        self.slots.clear();
        places.clear();
        let span = greatest.saturating_sub(least);
        let is_direct = span < DIRECT;
        let slots = if is_direct {
            span as usize + 1
        } else {
            FIRST_SLOTS
        };
        self.slots.resize(slots, 0);
        let (mut rest, mut count) = (numbers, ASKED_AFTER);
        while !rest.is_empty() {
            let part;
            (part, rest) = rest.split_at(count.min(rest.len()));
            if is_direct {
                places.extend(part.iter().map(|number| self.place_from(least, *number)));
            } else {
                let mut last = None;
                places.extend(part.iter().map(|number| {
                    let place = match last {
                        Some((known, place)) if known == *number => place,
                        _ => self.place(*number),
                    };
                    last = Some((*number, place));
                    place
                }));
            }
            count = places.len();
            if !rest.is_empty() && !is_worth(self.values.len(), places) {
                places.clear();
                return false;
            }
        }
        true
    }

    /// The place of a number, where each number from the least on has a slot of its own.
    #[inline]
    fn place_from(&mut self, least: u64, number: u64) -> u32 {
        let Some(slot) = self.slots.get_mut((number - least) as usize) else {
            return 0;
        };
        if *slot == 0 {
            self.values.push(number);
            *slot = self.values.len() as u32;
        }
        *slot - 1
    }

    fn place(&mut self, number: u64) -> u32 {
        let at = match self.search(number) {
            Ok(place) => return place,
            Err(at) => at,
        };
        let place = self.values.len() as u32;
        self.values.push(number);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = place + 1;
        }
        if self.values.len() * 2 > self.slots.len() {
            let slots = self.slots.len() * 4;
            self.slots.clear();
            self.slots.resize(slots, 0);
            for place in 0..self.values.len() {
                let number = self.values.get(place).copied().unwrap_or_default();
                let free = self.search(number).err();
                if let Some(slot) = free.and_then(|at| self.slots.get_mut(at)) {
                    *slot = place as u32 + 1;
                }
            }
        }
        place
    }

    /// The place of a number, or the slot where it belongs.
    #[inline]
    fn search(&self, number: u64) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = (hash ^ hash >> 32) as usize & mask;
        loop {
            let slot = self.slots.get(at).copied().unwrap_or_default();
            if slot == 0 {
                return Err(at);
            }
            if self.values.get(slot as usize - 1) == Some(&number) {
                return Ok(slot - 1);
            }
            at = (at + 1) & mask;
        }
    }
}

/// The range of numbers that may be any.
const ANY: (u64, u64) = (0, u64::MAX);

/// The least and the greatest of numbers; of none, the other way round.
fn range(numbers: &[u64]) -> (u64, u64) {
    numbers
        .iter()
        .fold((u64::MAX, 0), |(least, greatest), number| {
            (least.min(*number), greatest.max(*number))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn addresses_have_their_usual_texts(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            let mut text = Vec::new();
            push_ipv4(&mut text, address);
            prop_assert_eq!(text, address.to_string().into_bytes());
        }
    }
}
