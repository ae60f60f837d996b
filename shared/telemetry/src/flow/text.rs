//! Flow logs as text: a header line of field names, then one row per line.
//!
//! The reader works on one block of decompressed bytes at a time, finds separators with a bit mask
//! and turns each column into a value where it stands. Nothing is allocated per row.

use std::io::{self, Read};
use std::sync::Arc;

use super::field::{Field, FieldType};
use super::layout::{Layout, LayoutError, LayoutOrigin, MAX_COLUMNS};
use super::number::RecentAddresses;
use super::record::{Cell, CellType, FlowRecord};
use super::separators::{MASK_BYTES, is_plain, separators};
use crate::counts::{Counts, RowError, RowErrorKind};

/// The most bytes a line may have.
pub(crate) const MAX_LINE: usize = 256 * 1024;

/// Bytes beyond the data, so that masks and words may be read past the last line.
const PAD: usize = 2 * MASK_BYTES;

/// What a row is, once its cells are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowState {
    Flow,
    NoData,
    SkipData,
}

/// The layout with what the hot loop needs of it laid out flat.
#[derive(Debug)]
pub(super) struct RowPlan {
    pub(super) layout: Arc<Layout>,
    types: Vec<CellType>,
    /// Whether some column is no text, so that no header can pass for a row.
    typed: bool,
    status: Option<usize>,
    end: Option<usize>,
    /// Columns that say something of a flow; a row without any of them tells of none.
    flow: Vec<usize>,
}

impl RowPlan {
    pub(super) fn new(layout: Arc<Layout>) -> RowPlan {
        let flow = [
            Field::Srcaddr,
            Field::Dstaddr,
            Field::PktSrcaddr,
            Field::PktDstaddr,
            Field::Srcport,
            Field::Dstport,
            Field::Protocol,
            Field::Packets,
            Field::Bytes,
            Field::Action,
        ];
        let types: Vec<CellType> = layout
            .columns()
            .iter()
            .map(|c| CellType::new(c.field_type()))
            .collect();
        RowPlan {
            typed: types.iter().any(|t| !t.is_text()),
            types,
            status: layout.place(Field::LogStatus),
            end: layout.place(Field::End),
            flow: flow.into_iter().filter_map(|f| layout.place(f)).collect(),
            layout,
        }
    }

    pub(super) fn types(&self) -> &[CellType] {
        &self.types
    }

    /// What a row of these cells is: NODATA and SKIPDATA rows that carry a flow all the same are
    /// flows, with their status; rows that carry none are none, whatever else they say.
    #[inline(always)]
    pub(super) fn state(&self, cells: &[Cell], buffer: &[u8]) -> RowState {
        let status = self.status.and_then(|place| cells.get(place));
        let status = status.map_or(&b""[..], |cell| cell.text(buffer));
        if status == b"OK" {
            return RowState::Flow;
        }
        let present = |place: &usize| cells.get(*place).is_some_and(|c| !c.is_absent());
        let has_flow = self.flow.iter().any(present);
        match Self::status(status) {
            Some(state) if !has_flow => state,
            None if !has_flow && !self.flow.is_empty() => RowState::NoData,
            _ => RowState::Flow,
        }
    }

    /// The state that a log status names, if it is NODATA or SKIPDATA.
    fn status(text: &[u8]) -> Option<RowState> {
        match text {
            b"NODATA" => Some(RowState::NoData),
            b"SKIPDATA" => Some(RowState::SkipData),
            _ => None,
        }
    }

    /// The place of the log status.
    pub(super) fn status_place(&self) -> Option<usize> {
        self.status
    }

    /// What a row is whose column at `place` cannot be read; `status` is the text of its log
    /// status. If that says NODATA or SKIPDATA, the columns mean nothing (some writers put words
    /// into them) and the row is counted as what it says.
    #[cold]
    pub(super) fn unreadable(
        &self,
        place: usize,
        status: Option<&[u8]>,
    ) -> Result<RowState, RowErrorKind> {
        status
            .and_then(RowPlan::status)
            .ok_or_else(|| self.value_error(place))
    }

    #[inline(always)]
    pub(super) fn count(&self, state: RowState, cells: &[Cell], counts: &mut Counts) {
        counts.rows += 1;
        match state {
            RowState::Flow => {
                counts.records += 1;
                let end = self
                    .end
                    .and_then(|place| cells.get(place))
                    .and_then(Cell::integer);
                counts.newest = counts.newest.max(end);
            }
            RowState::NoData => counts.no_data += 1,
            RowState::SkipData => counts.skip_data += 1,
        }
    }

    fn value_error(&self, place: usize) -> RowErrorKind {
        let column = self.layout.columns().get(place);
        RowErrorKind::Value {
            column: column.map_or_else(String::new, |c| c.name.to_string()),
            expected: match column.map(|c| c.field_type()) {
                Some(FieldType::Address) => "an IPv4 or IPv6 address",
                Some(FieldType::Epoch) => "a Unix time",
                _ => "an unsigned integer in the field's range",
            },
        }
    }
}

/// Where the columns of the current line start and end.
#[derive(Debug)]
struct Spans {
    spans: [(u32, u32); MAX_COLUMNS],
    /// Columns of the line; may exceed the spans kept.
    count: usize,
}

impl Spans {
    fn tokens<'b>(&self, block: &'b [u8]) -> impl Iterator<Item = &'b [u8]> + Clone + use<'b, '_> {
        let kept = self.spans.iter().take(self.count);
        let token = |(start, end): &(u32, u32)| {
            block
                .get(*start as usize..*end as usize)
                .unwrap_or_default()
        };
        kept.map(token)
    }
}

/// Reads a text flow log, row by row.
#[derive(Debug)]
pub(crate) struct TextReader<R> {
    input: R,
    block: Vec<u8>,
    /// The bytes of the block that hold data.
    filled: usize,
    /// Where the next line starts.
    next: usize,
    at_end: bool,
    /// Whether the whole block is plain; else each row is looked at.
    plain_block: bool,
    /// The current line.
    line: u64,
    start: usize,
    end: usize,
    spans: Box<Spans>,
    cells: Vec<Cell>,
    recent: RecentAddresses,
    plan: Option<RowPlan>,
    configured: Option<Arc<Layout>>,
    /// Why the last header makes no layout: there is none until the next.
    refused: Option<LayoutError>,
    error: RowError,
    plain_row: bool,
    layouts: Vec<Arc<Layout>>,
}

/// What a step of a reader found; the data is then borrowed from the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Record,
    Malformed,
    End,
}

/// What stands at the place the reader has come to.
enum Split {
    /// A line, split into its columns.
    Whole,
    /// A line that does not fit the block: counted, and passed over to its end.
    TooLong,
    /// Nothing more.
    End,
}

/// What a line turned out to be.
enum Line {
    Row(RowState),
    Malformed,
    /// Blank, or a header.
    NoRow,
    End,
}

/// The most different layouts that are remembered for the analysis of an object.
const MAX_LAYOUTS: usize = 16;

impl<R: Read> TextReader<R> {
    /// A reader of decompressed text. `configured` is used for rows before any header.
    pub(crate) fn new(input: R, configured: Option<Arc<Layout>>) -> TextReader<R> {
        TextReader {
            input,
            block: vec![0; MAX_LINE + PAD],
            filled: 0,
            next: 0,
            at_end: false,
            plain_block: true,
            line: 0,
            start: 0,
            end: 0,
            spans: Box::new(Spans {
                spans: [(0, 0); MAX_COLUMNS],
                count: 0,
            }),
            cells: Vec::new(),
            recent: RecentAddresses::default(),
            plan: None,
            configured,
            refused: None,
            error: RowError {
                line: 0,
                kind: RowErrorKind::NoLayout,
            },
            plain_row: true,
            layouts: Vec::new(),
        }
    }

    /// What is read from.
    pub(crate) fn input(&self) -> &R {
        &self.input
    }

    /// The layouts the object used, in their order.
    pub(crate) fn layouts(&self) -> &[Arc<Layout>] {
        &self.layouts
    }

    /// The layout of the rows at hand, once one is known.
    pub(crate) fn layout(&self) -> Option<&Arc<Layout>> {
        self.plan.as_ref().map(|plan| &plan.layout)
    }

    /// Reads to the next record or malformed row. Blank lines, headers and rows without data are
    /// passed over, and counted.
    ///
    /// # Errors
    /// Those of the input.
    #[inline]
    pub(crate) fn step(&mut self, counts: &mut Counts) -> io::Result<Step> {
        loop {
            let state = match self.regular_row() {
                Some(state) => state,
                None => match self.any_line(counts)? {
                    Line::Row(state) => state,
                    Line::Malformed => return Ok(Step::Malformed),
                    Line::NoRow => continue,
                    Line::End => return Ok(Step::End),
                },
            };
            if let Some(plan) = &self.plan {
                plan.count(state, &self.cells, counts);
            }
            if state == RowState::Flow {
                return Ok(Step::Record);
            }
        }
    }

    /// Reads the next line if it is as AWS writes rows: single spaces, as many columns as the
    /// layout, each of its type. `None` leaves the line where it was; whatever else it may be,
    /// [`TextReader::any_line`] finds out.
    #[inline(always)]
    fn regular_row(&mut self) -> Option<RowState> {
        let plan = self.plan.as_ref().filter(|plan| plan.typed)?;
        let block = self.block.as_slice();
        let start = self.next;
        let (mut token, mut base, mut at) = (start, start, start);
        let mut separator = b' ';
        let mut mask = separators(block.get(base..)?.first_chunk()?);
        // Not zipped, which would count both by one number that is multiplied for each.
        let mut types = plan.types.iter();
        for cell in &mut self.cells {
            let cell_type = types.next()?;
            // The line ended before its columns did.
            if separator == b'\n' {
                return None;
            }
            while mask == 0 {
                base += MASK_BYTES;
                mask = separators(block.get(base..)?.first_chunk()?);
            }
            at = base + mask.trailing_zeros() as usize;
            mask &= mask - 1;
            separator = *block.get(at)?;
            // Two separators in a row: a blank line, or a column that is not there.
            if at == token || !cell.read(cell_type, block, token, at, &mut self.recent) {
                return None;
            }
            token = at + 1;
        }
        let next = match block.get(at..)? {
            [b'\n', ..] => at + 1,
            [b'\r', b'\n', ..] => at + 2,
            _ => return None,
        };
        if next > self.filled {
            return None;
        }
        self.plain_row = self.plain_block || is_plain(block.get(start..at)?);
        if !self.plain_row && std::str::from_utf8(block.get(start..at)?).is_err() {
            return None;
        }
        (self.start, self.end, self.next) = (start, at, next);
        self.line += 1;
        Some(plan.state(&self.cells, block))
    }

    /// Reads the next line, whatever it is.
    fn any_line(&mut self, counts: &mut Counts) -> io::Result<Line> {
        match self.split_line(counts)? {
            Split::Whole => {}
            Split::TooLong => return Ok(Line::Malformed),
            Split::End => return Ok(Line::End),
        }
        if self.spans.count == 0 {
            return Ok(Line::NoRow);
        }
        let first = self.spans.spans.first();
        let first = first.and_then(|(start, _)| self.block.get(*start as usize));
        if first.is_some_and(u8::is_ascii_lowercase) && self.header(counts) {
            return Ok(Line::NoRow);
        }
        Ok(match self.read_row() {
            Ok(state) => Line::Row(state),
            Err(kind) => {
                self.malformed(kind, counts);
                Line::Malformed
            }
        })
    }

    /// The record of the last step.
    #[inline(always)]
    pub(crate) fn record(&self) -> Option<FlowRecord<'_>> {
        Some(FlowRecord {
            layout: &self.plan.as_ref()?.layout,
            cells: &self.cells,
            buffer: &self.block,
            row: self.line,
            plain: self.plain_row,
        })
    }

    /// The error of the last step.
    pub(crate) fn error(&self) -> &RowError {
        &self.error
    }

    /// The line of the last step, without its end.
    pub(crate) fn line_text(&self) -> &[u8] {
        self.block.get(self.start..self.end).unwrap_or_default()
    }

    fn malformed(&mut self, kind: RowErrorKind, counts: &mut Counts) {
        self.error = RowError {
            line: self.line,
            kind,
        };
        counts.malformed_row(&self.error);
    }

    /// Finds the next line and its columns.
    fn split_line(&mut self, counts: &mut Counts) -> io::Result<Split> {
        loop {
            if self.find_columns() {
                self.line += 1;
                return Ok(Split::Whole);
            }
            // The line is not complete in the block.
            if self.at_end {
                if self.next >= self.filled {
                    return Ok(Split::End);
                }
                // The last line lacks its line feed; the padding has room for it.
                if let Some(byte) = self.block.get_mut(self.filled) {
                    *byte = b'\n';
                    self.filled += 1;
                }
                continue;
            }
            if self.next == 0 && self.filled >= MAX_LINE {
                self.line += 1;
                self.skip_long_line(counts)?;
                return Ok(Split::TooLong);
            }
            self.refill(counts)?;
        }
    }

    /// Splits the line at `next`; false when no line feed is in the block.
    fn find_columns(&mut self) -> bool {
        let block = self.block.as_slice();
        let spans = &mut *self.spans;
        let mut count = 0;
        let mut token = self.next;
        let mut base = self.next;
        while base < self.filled {
            let Some(window) = block.get(base..).and_then(|b| b.first_chunk()) else {
                return false;
            };
            let mut mask = separators(window);
            while mask != 0 {
                let at = base + mask.trailing_zeros() as usize;
                mask &= mask - 1;
                if at >= self.filled {
                    return false;
                }
                if at > token {
                    if let Some(span) = spans.spans.get_mut(count) {
                        *span = (token as u32, at as u32);
                    }
                    count += 1;
                }
                token = at + 1;
                if block.get(at) == Some(&b'\n') {
                    spans.count = count;
                    self.start = self.next;
                    self.end = at;
                    self.next = token;
                    return true;
                }
            }
            base += MASK_BYTES;
        }
        false
    }

    /// Moves the incomplete line to the front and reads more behind it.
    fn refill(&mut self, counts: &mut Counts) -> io::Result<()> {
        if self.next > 0 {
            self.block.copy_within(self.next..self.filled, 0);
            self.filled -= self.next;
            self.next = 0;
        }
        let carried = self.filled;
        let room = self.block.get_mut(carried..MAX_LINE).unwrap_or_default();
        let read = loop {
            match self.input.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        counts.bytes_decoded += read as u64;
        self.at_end = read == 0;
        self.filled += read;
        // Only what is new is looked at: a small input must not make this quadratic.
        let new = self.block.get(carried..self.filled).unwrap_or_default();
        self.plain_block = (self.plain_block || carried == 0) && is_plain(new);
        Ok(())
    }

    /// Counts a line that does not fit the block and reads on to its end.
    fn skip_long_line(&mut self, counts: &mut Counts) -> io::Result<()> {
        (self.start, self.end) = (0, 0);
        self.malformed(RowErrorKind::TooLong { limit: MAX_LINE }, counts);
        loop {
            let feed = self
                .block
                .get(..self.filled)
                .unwrap_or_default()
                .iter()
                .position(|b| *b == b'\n');
            if let Some(feed) = feed {
                self.next = feed + 1;
                return Ok(());
            }
            self.next = self.filled;
            if self.at_end {
                return Ok(());
            }
            self.refill(counts)?;
        }
    }

    /// Takes the line as a header, if it is one.
    #[cold]
    fn header(&mut self, counts: &mut Counts) -> bool {
        // A data row has a value that starts with a digit, a dash or a capital; look at that
        // first, since every row of a format whose first column is text comes here.
        let names = |token: &[u8]| token.first().is_some_and(u8::is_ascii_lowercase);
        if !self.spans.tokens(&self.block).all(names) {
            return false;
        }
        if let Some(plan) = &self.plan
            && plan.layout.columns().len() == self.spans.count
            && plan.layout.origin() == LayoutOrigin::Header
        {
            // The same header again, as some writers put before every row.
            let same = (plan
                .layout
                .columns()
                .iter()
                .zip(self.spans.tokens(&self.block)))
            .all(|(column, token)| column.field.is_some_and(|f| f.name().as_bytes() == token));
            if same {
                counts.headers += 1;
                return true;
            }
        }
        let layout = match Layout::from_header(self.spans.tokens(&self.block)) {
            None => return false,
            Some(_) if self.spans.count > MAX_COLUMNS => {
                Err(LayoutError::TooMany(self.spans.count))
            }
            Some(layout) => layout,
        };
        match layout {
            Ok(layout) => {
                counts.headers += 1;
                self.use_layout(Arc::new(layout), counts);
                true
            }
            // Its rows are not those of the layout before it.
            Err(error) => {
                self.plan = None;
                self.refused = Some(error);
                false
            }
        }
    }

    fn use_layout(&mut self, layout: Arc<Layout>, counts: &mut Counts) {
        layout.unknown().for_each(|name| counts.unknown(name));
        if self.layouts.len() < MAX_LAYOUTS && !self.layouts.contains(&layout) {
            self.layouts.push(Arc::clone(&layout));
        }
        self.cells = vec![Cell::ABSENT; layout.columns().len()];
        self.plan = Some(RowPlan::new(layout));
        self.refused = None;
    }

    /// The layout for rows that no header describes: the configured one, else the default one
    /// that the row fits. Without headers, VPC and transit gateway rows may alternate.
    #[cold]
    fn layout_without_header(&self) -> Option<Arc<Layout>> {
        if let Some(layout) = &self.configured {
            return Some(Arc::clone(layout));
        }
        Layout::default_for_row(self.spans.tokens(&self.block))
    }

    fn read_row(&mut self) -> Result<RowState, RowErrorKind> {
        let found = self.spans.count;
        let fits = |plan: &RowPlan| plan.types.len() == found;
        if !self.plan.as_ref().is_some_and(fits) {
            self.other_layout(found)?;
        }
        let Some(plan) = &self.plan else {
            return Err(RowErrorKind::NoLayout);
        };
        self.plain_row =
            self.plain_block || is_plain(self.block.get(self.start..self.end).unwrap_or_default());
        if !self.plain_row
            && std::str::from_utf8(self.block.get(self.start..self.end).unwrap_or_default())
                .is_err()
        {
            return Err(RowErrorKind::NotUtf8);
        }
        let block = self.block.as_slice();
        let columns = plan
            .types
            .iter()
            .zip(&self.spans.spans)
            .zip(&mut self.cells);
        for (place, ((cell_type, (start, end)), cell)) in columns.enumerate() {
            let (start, end) = (*start as usize, *end as usize);
            if !cell.read(cell_type, block, start, end, &mut self.recent) {
                let status = plan.status_place().and_then(|s| self.spans.spans.get(s));
                let status =
                    status.and_then(|(start, end)| block.get(*start as usize..*end as usize));
                return plan.unreadable(place, status);
            }
        }
        Ok(plan.state(&self.cells, block))
    }

    /// The row does not fit the layout in use: another may, if no header named this one.
    #[cold]
    fn other_layout(&mut self, found: usize) -> Result<(), RowErrorKind> {
        if let Some(reason) = &self.refused {
            return Err(RowErrorKind::Header(reason.clone()));
        }
        let expected = match &self.plan {
            Some(plan) if plan.layout.origin() != LayoutOrigin::Default => Some(plan.types.len()),
            _ => None,
        };
        if expected.is_none()
            && let Some(layout) = self.layout_without_header()
        {
            let mut unknown = Counts::default();
            let columns = layout.columns().len();
            self.use_layout(layout, &mut unknown);
            if columns == found {
                return Ok(());
            }
        }
        let expected = expected.or(self.plan.as_ref().map(|plan| plan.types.len()));
        match expected {
            Some(expected) => Err(RowErrorKind::ColumnCount { expected, found }),
            None => Err(RowErrorKind::NoLayout),
        }
    }
}
