//! Changes of resources as Parquet: a change is a row, its members and its resource are JSON texts.

use jiff::Timestamp;
use serde_json::Value;
use telemetry::change::Change;

use super::columns::{ColumnType, ColumnValue};
use super::rows::{RowKind, RowsEncoder};

/// The columns, in the order of the record.
pub const CHANGES: RowKind = RowKind {
    label: "change",
    columns: &[
        ("observed", ColumnType::Microseconds),
        ("previously_observed", ColumnType::Microseconds),
        ("account", ColumnType::Text),
        ("region", ColumnType::Text),
        ("service", ColumnType::Text),
        ("operation", ColumnType::Text),
        ("section", ColumnType::Text),
        ("resource", ColumnType::Text),
        ("owner", ColumnType::Text),
        ("kind", ColumnType::Text),
        ("members", ColumnType::Document),
        ("row", ColumnType::Document),
    ],
};

impl RowsEncoder {
    /// Adds a change to a file of [`CHANGES`].
    pub fn write_change(&mut self, change: &Change) {
        let time = |time: Timestamp| Some(ColumnValue::Integer(time.as_microsecond()));
        let json = change.to_json();
        let member = |name: &str| json.get(name).map(Value::to_string);
        let (members, row) = (member("members"), member("row"));
        self.write([
            time(change.observed),
            time(change.previously_observed),
            Some(ColumnValue::Text(&change.account)),
            Some(ColumnValue::Text(&change.region)),
            Some(ColumnValue::Text(change.service)),
            Some(ColumnValue::Text(change.operation)),
            Some(ColumnValue::Text(change.section)),
            Some(ColumnValue::Text(&change.resource)),
            change.owner.as_deref().map(ColumnValue::Text),
            Some(ColumnValue::Text(change.kind.label())),
            members.as_deref().map(ColumnValue::Text),
            row.as_deref().map(ColumnValue::Text),
        ]);
    }
}
