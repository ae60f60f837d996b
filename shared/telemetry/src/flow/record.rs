//! One flow: typed values in the columns of its layout.

use std::net::IpAddr;

use super::field::{Field, FieldType};
use super::layout::{Column, Layout};
use super::number::{address, epoch_seconds, integer};

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

/// One column of one row: its typed value, and where its text stands.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The value.
    pub datum: Datum,
    /// Whether the text is the value's canonical form, so that it can be copied instead of
    /// formatted. Never so for a number with leading zeros or a time in milliseconds.
    pub verbatim: bool,
}

impl Cell {
    pub(super) const ABSENT: Cell = Cell {
        start: 0,
        end: 0,
        datum: Datum::Absent,
        verbatim: false,
    };

    /// Reads `text[start..end]` as a value of this type.
    ///
    /// Returns `None` when the text is none.
    #[inline(always)]
    pub(super) fn read(
        field_type: FieldType,
        text: &[u8],
        start: usize,
        end: usize,
    ) -> Option<Cell> {
        let first = text.get(start).copied().unwrap_or(b'-');
        let span = |datum, verbatim| {
            Some(Cell {
                start: start as u32,
                end: end as u32,
                datum,
                verbatim,
            })
        };
        if end == start || (first == b'-' && end - start == 1) {
            return Some(Cell::ABSENT);
        }
        match field_type {
            FieldType::Text => span(Datum::Text, true),
            FieldType::Integer(max) => {
                let value = integer(text, start, end)?;
                if value > max {
                    return None;
                }
                span(Datum::Integer(value), first != b'0' || end - start == 1)
            }
            FieldType::Epoch => {
                let (value, converted) = epoch_seconds(integer(text, start, end)?);
                span(Datum::Integer(value), first != b'0' && !converted)
            }
            FieldType::Address => {
                let value = address(text, start, end)?;
                // IPv6 has many spellings: only one leaves here.
                span(Datum::Address(value), value.is_ipv4())
            }
        }
    }

    /// The bytes the value was read from; `buffer` is [`FlowRecord::buffer`].
    #[inline(always)]
    pub fn text<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        buffer
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowDirection {
    /// Into the interface or the transit gateway.
    Ingress,
    /// Out of it.
    Egress,
}

/// One flow of a VPC or Transit Gateway flow log, borrowed from the reader until its next row.
#[derive(Debug, Clone, Copy)]
pub struct FlowRecord<'r> {
    pub(super) layout: &'r Layout,
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
    pub fn layout(&self) -> &'r Layout {
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
        match cell.datum {
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
