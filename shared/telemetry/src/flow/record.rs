//! One flow: typed values in the columns of its layout.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::field::{Field, FieldType};
use super::layout::{Column, Layout};
use super::number::{RecentAddresses, epoch_seconds, integer, ipv6};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datum {
    /// Nothing: `-` in text, null in Parquet.
    Absent,
    /// An unsigned integer, or a time in Unix seconds.
    Integer(u64),
    /// An address.
    Address(IpAddr),
    /// Text, to be found in [`Cell::text`].
    Text,
}

/// What a [`Cell`] holds; the value itself is made on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    Absent,
    Integer,
    Ipv4,
    Ipv6,
    Text,
}

/// How a column is read, laid out for the hot loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct CellType {
    kind: CellKind,
    epoch: bool,
    max: u64,
}

impl CellType {
    pub(super) fn new(field_type: FieldType) -> CellType {
        let (kind, epoch, max) = match field_type {
            FieldType::Integer(max) => (CellKind::Integer, false, max),
            FieldType::Epoch => (CellKind::Integer, true, u64::MAX),
            FieldType::Address => (CellKind::Ipv4, false, 0),
            FieldType::Text => (CellKind::Text, false, 0),
        };
        CellType { kind, epoch, max }
    }

    pub(super) fn is_text(self) -> bool {
        self.kind == CellKind::Text
    }
}

/// One column of one row: its typed value, and where its text stands.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    start: u32,
    end: u32,
    value: u64,
    kind: CellKind,
    verbatim: bool,
}

impl Cell {
    pub(super) const ABSENT: Cell = Cell {
        start: 0,
        end: 0,
        value: 0,
        kind: CellKind::Absent,
        verbatim: false,
    };

    /// Reads `text[start..end]` as a value of this type, in place. False when the text is none. `recent` are addresses
    /// that were read before.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        cell_type: &CellType,
        text: &[u8],
        start: usize,
        end: usize,
        recent: &mut RecentAddresses,
    ) -> bool {
        let Some(rest @ [first, ..]) = text.get(start..) else {
            return false;
        };
        let (first, len) = (*first, end - start);
        (self.start, self.end) = (start as u32, end as u32);
        if len == 0 || (first == b'-' && len == 1) {
            (self.kind, self.verbatim) = (CellKind::Absent, false);
            return true;
        }
        self.kind = cell_type.kind;
        self.verbatim = true;
        match cell_type.kind {
            CellKind::Integer => {
                let Some(value) = integer(rest, len) else {
                    return false;
                };
                self.value = value;
                self.verbatim = first != b'0' || len == 1;
                if cell_type.epoch {
                    let (seconds, converted) = epoch_seconds(value);
                    self.value = seconds;
                    self.verbatim &= !converted;
                }
                self.value <= cell_type.max
            }
            CellKind::Ipv4 => match recent.ipv4(rest, len) {
                Some(address) => {
                    self.value = u64::from(address);
                    true
                }
                None => {
                    self.kind = CellKind::Ipv6;
                    let Some((_, is_recommended)) = rest.get(..len).and_then(ipv6) else {
                        return false;
                    };
                    // IPv6 has many spellings: only one leaves here.
                    self.verbatim = is_recommended;
                    true
                }
            },
            _ => true,
        }
    }

    /// The value. `buffer` is [`FlowRecord::buffer`].
    #[inline]
    pub fn datum(&self, buffer: &[u8]) -> Datum {
        match self.kind {
            CellKind::Absent => Datum::Absent,
            CellKind::Integer => Datum::Integer(self.value),
            CellKind::Ipv4 => Datum::Address(IpAddr::V4(Ipv4Addr::from_bits(self.value as u32))),
            // The text was read as an address before.
            CellKind::Ipv6 => {
                let read = ipv6(self.text(buffer));
                read.map_or(Datum::Absent, |(address, _)| Datum::Address(address.into()))
            }
            CellKind::Text => Datum::Text,
        }
    }

    /// Whether the column has no value.
    #[inline(always)]
    pub fn is_absent(&self) -> bool {
        self.kind == CellKind::Absent
    }

    /// The value of an integer column.
    #[inline(always)]
    pub(super) fn integer(&self) -> Option<u64> {
        (self.kind == CellKind::Integer).then_some(self.value)
    }

    /// Whether the text is the value's canonical form, so that it can be copied instead of
    /// formatted. Never so for absent values, numbers with leading zeros, times in milliseconds
    /// and other spellings of IPv6 addresses than RFC 5952's. Text may still need an escape, see [`FlowRecord::is_plain`].
    #[inline(always)]
    pub fn is_verbatim(&self) -> bool {
        self.verbatim
    }

    /// The bytes the value was read from; `buffer` is [`FlowRecord::buffer`].
    #[inline(always)]
    pub fn text<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        buffer.get(self.span()).unwrap_or_default()
    }

    /// Where in [`FlowRecord::buffer`] the text stands.
    #[inline(always)]
    pub fn span(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A typed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'r> {
    /// An unsigned integer, or a time in Unix seconds.
    Integer(u64),
    /// An address.
    Address(IpAddr),
    /// Text: an identifier, a name, an enumeration's value.
    Text(&'r str),
}

/// The decision on a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Accepted by the security groups and network ACLs.
    Accept,
    /// Rejected.
    Reject,
}

/// The side of the interface or gateway a flow was seen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlowDirection {
    /// Into the interface or the transit gateway.
    Ingress,
    /// Out of it.
    Egress,
}

/// One flow of a VPC or Transit Gateway flow log, borrowed from the reader until its next row.
#[derive(Debug, Clone, Copy)]
pub struct FlowRecord<'r> {
    pub(super) layout: &'r Arc<Layout>,
    pub(super) cells: &'r [Cell],
    pub(super) buffer: &'r [u8],
    pub(super) row: u64,
    pub(super) plain: bool,
}

impl<'r> FlowRecord<'r> {
    /// The line of the text file, or the row of the Parquet file, counted from 1.
    pub fn row(&self) -> u64 {
        self.row
    }

    /// The columns the record's cells stand in.
    pub fn layout(&self) -> &'r Arc<Layout> {
        self.layout
    }

    /// The cells, one for each column of the layout.
    #[inline(always)]
    pub fn cells(&self) -> &'r [Cell] {
        self.cells
    }

    /// The bytes that [`Cell::span`] points into. More bytes may follow the last cell.
    #[inline(always)]
    pub fn buffer(&self) -> &'r [u8] {
        self.buffer
    }

    /// Whether every text of the record can stand between JSON quotes without an escape.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// A field's value; `None` when the layout lacks it or the record has none.
    pub fn get(&self, field: Field) -> Option<Value<'r>> {
        self.value(*self.cells.get(self.layout.place(field)?)?)
    }

    /// The columns with their values, absent ones included.
    pub fn columns(&self) -> impl Iterator<Item = (&'r Column, Option<Value<'r>>)> {
        let record = *self;
        let cells = record.cells.iter();
        (record.layout.columns().iter().zip(cells))
            .map(move |(column, cell)| (column, record.value(*cell)))
    }

    fn value(&self, cell: Cell) -> Option<Value<'r>> {
        match cell.datum(self.buffer) {
            Datum::Absent => None,
            Datum::Integer(value) => Some(Value::Integer(value)),
            Datum::Address(value) => Some(Value::Address(value)),
            // The reader refused rows that are not UTF-8.
            Datum::Text => std::str::from_utf8(cell.text(self.buffer))
                .ok()
                .map(Value::Text),
        }
    }

    /// An integer field's value.
    pub fn integer(&self, field: Field) -> Option<u64> {
        match self.get(field)? {
            Value::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// When the flow happened, Unix seconds: the start of its window, or the end where no start is told.
    pub fn time(&self) -> Option<u64> {
        self.integer(Field::Start)
            .or_else(|| self.integer(Field::End))
    }

    /// An address field's value.
    pub fn address(&self, field: Field) -> Option<IpAddr> {
        match self.get(field)? {
            Value::Address(value) => Some(value),
            _ => None,
        }
    }

    /// A text field's value.
    pub fn text(&self, field: Field) -> Option<&'r str> {
        match self.get(field)? {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }

    /// The decision, where the log has one.
    pub fn action(&self) -> Option<Action> {
        match self.text(Field::Action)? {
            "ACCEPT" => Some(Action::Accept),
            "REJECT" => Some(Action::Reject),
            _ => None,
        }
    }

    /// The direction, where the log has one.
    pub fn direction(&self) -> Option<FlowDirection> {
        match self.text(Field::FlowDirection)? {
            "ingress" => Some(FlowDirection::Ingress),
            "egress" => Some(FlowDirection::Egress),
            _ => None,
        }
    }
}
