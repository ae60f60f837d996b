//! What of a layout records are asked for, found once for all records of the layout.

use std::net::IpAddr;
use std::sync::Arc;

use crate::flow::field::Field;
use crate::flow::layout::{FlowLogKind, Layout};
use crate::flow::record::{Cell, Datum, FlowRecord};

/// The columns of a VPC flow log that say where a record was logged.
const OF_THE_SEAT: &[Field] = &[
    Field::AccountId,
    Field::InterfaceId,
    Field::VpcId,
    Field::SubnetId,
    Field::InstanceId,
    Field::Region,
    Field::AzId,
    Field::InterfaceType,
    Field::ResourceId,
    Field::EcsTaskArn,
    Field::EcsTaskId,
    Field::EcsServiceName,
    Field::EcsClusterName,
];

/// Which columns of a layout say what.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// `None` before the first record.
    layout: Option<Arc<Layout>>,
    pub(super) is_transit_gateway: bool,
    /// Runs of columns, first and last, that stand side by side and say where a record was logged.
    pub(super) runs: Vec<(usize, usize)>,
    pub(super) columns: Columns,
}

/// A column's place; one that no layout has where the column is absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column(u8);

impl Default for Column {
    fn default() -> Self {
        Column(u8::MAX)
    }
}

/// The columns that every record is asked for.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Columns {
    pub(super) start: Column,
    pub(super) end: Column,
    pub(super) bytes: Column,
    pub(super) protocol: Column,
    pub(super) tcp_flags: Column,
    pub(super) source: Column,
    pub(super) destination: Column,
    pub(super) packet_source: Column,
    pub(super) packet_destination: Column,
    pub(super) source_service: Column,
    pub(super) destination_service: Column,
    pub(super) direction: Column,
    pub(super) action: Column,
    pub(super) traffic_path: Column,
    pub(super) next_hop: Column,
}

impl Plan {
    /// Whether the plan is of a layout.
    #[inline]
    pub(super) fn is_of(&self, layout: &Arc<Layout>) -> bool {
        let known = self.layout.as_ref();
        known.is_some_and(|known| Arc::ptr_eq(known, layout))
    }

    pub(super) fn new(layout: &Arc<Layout>) -> Plan {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for (place, column) in layout.columns().iter().enumerate() {
            if !column
                .field
                .is_some_and(|field| OF_THE_SEAT.contains(&field))
            {
                continue;
            }
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == place => *last = place,
                _ => runs.push((place, place)),
            }
        }
        let column = |field| {
            let place = layout.place(field);
            let place = place.and_then(|place| u8::try_from(place).ok());
            place.map_or(Column::default(), Column)
        };
        Plan {
            is_transit_gateway: layout.kind() == FlowLogKind::TransitGateway,
            runs,
            columns: Columns {
                start: column(Field::Start),
                end: column(Field::End),
                bytes: column(Field::Bytes),
                protocol: column(Field::Protocol),
                tcp_flags: column(Field::TcpFlags),
                source: column(Field::Srcaddr),
                destination: column(Field::Dstaddr),
                packet_source: column(Field::PktSrcaddr),
                packet_destination: column(Field::PktDstaddr),
                source_service: column(Field::PktSrcAwsService),
                destination_service: column(Field::PktDstAwsService),
                direction: column(Field::FlowDirection),
                action: column(Field::Action),
                traffic_path: column(Field::TrafficPath),
                next_hop: column(Field::NextHopInterfaceId),
            },
            layout: Some(Arc::clone(layout)),
        }
    }
}

/// The values of a record, by their columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'r> {
    cells: &'r [Cell],
    buffer: &'r [u8],
}

impl<'r> Values<'r> {
    #[inline]
    pub(super) fn of(flow: &FlowRecord<'r>) -> Values<'r> {
        Values {
            cells: flow.cells(),
            buffer: flow.buffer(),
        }
    }

    #[inline]
    fn cell(self, column: Column) -> Option<&'r Cell> {
        self.cells.get(usize::from(column.0))
    }

    #[inline]
    pub(super) fn integer(self, column: Column) -> Option<u64> {
        match self.cell(column)?.datum(self.buffer) {
            Datum::Integer(value) => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn octet(self, column: Column) -> Option<u8> {
        u8::try_from(self.integer(column)?).ok()
    }

    /// An address; one of IPv4 that is written as one of IPv6 (RFC 4291, 2.5.5.2) is the same as that of IPv4.
    #[inline(always)]
    pub(super) fn address(self, column: Column) -> Option<IpAddr> {
        match self.cell(column)?.datum(self.buffer) {
            Datum::Address(address) => Some(address.to_canonical()),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn text(self, column: Column) -> Option<&'r [u8]> {
        let cell = self.cell(column)?;
        match cell.datum(self.buffer) {
            Datum::Text => Some(cell.text(self.buffer)),
            _ => None,
        }
    }

    /// The bytes of columns that stand side by side, with what is between them.
    #[inline]
    pub(super) fn run(self, (first, last): (usize, usize)) -> Option<&'r [u8]> {
        let (first, last) = (self.cells.get(first)?, self.cells.get(last)?);
        let run = self.buffer.get(first.span().start..last.span().end);
        Some(run.unwrap_or_default())
    }
}
