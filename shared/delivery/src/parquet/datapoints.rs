//! Datapoints as Parquet: a datapoint is a row, its dimensions and tags are JSON texts.

use telemetry::metrics::Datapoint;

use super::columns::{ColumnType, ColumnValue};
use super::rows::{RowKind, RowsEncoder};
use crate::ndjson::write_pairs;

/// The columns, in the order of the record in NDJSON. Dimensions and tags are the same for all datapoints of a series,
/// so they go through a dictionary as other texts do.
pub const DATAPOINTS: RowKind = RowKind {
    label: "datapoint",
    columns: &[
        ("time", ColumnType::Seconds),
        ("period", ColumnType::Int32),
        ("account", ColumnType::Text),
        ("region", ColumnType::Text),
        ("namespace", ColumnType::Text),
        ("metric", ColumnType::Text),
        ("dimensions", ColumnType::Text),
        ("statistic", ColumnType::Text),
        ("unit", ColumnType::Text),
        ("value", ColumnType::Double),
        ("resource", ColumnType::Text),
        ("resource_type", ColumnType::Text),
        ("resource_name", ColumnType::Text),
        ("resource_owner", ColumnType::Text),
        ("vpc", ColumnType::Text),
        ("tags", ColumnType::Text),
    ],
};

impl RowsEncoder {
    /// Adds a datapoint to a file of [`DATAPOINTS`].
    pub fn write_datapoint(&mut self, point: &Datapoint<'_>) {
        let resource = point.resource;
        let dimensions = document(point.dimensions);
        let tags = resource.map(|resource| document(&resource.tags));
        let statistic = point.statistic.to_string();
        self.write([
            Some(ColumnValue::Integer(point.time)),
            Some(ColumnValue::Unsigned(point.period.into())),
            Some(ColumnValue::Text(point.account)),
            Some(ColumnValue::Text(point.region)),
            Some(ColumnValue::Text(point.namespace)),
            Some(ColumnValue::Text(point.metric)),
            Some(ColumnValue::Text(&dimensions)),
            Some(ColumnValue::Text(&statistic)),
            Some(ColumnValue::Text(point.unit)),
            Some(ColumnValue::Double(point.value)),
            resource.map(|of| ColumnValue::Text(&of.id)),
            resource.map(|of| ColumnValue::Text(of.kind)),
            resource
                .and_then(|of| of.name.as_deref())
                .map(ColumnValue::Text),
            resource
                .and_then(|of| of.owner.as_deref())
                .map(ColumnValue::Text),
            resource
                .and_then(|of| of.vpc.as_deref())
                .map(ColumnValue::Text),
            tags.as_deref().map(ColumnValue::Text),
        ]);
    }
}

fn document(pairs: &[(String, String)]) -> String {
    let mut out = Vec::new();
    write_pairs(&mut out, pairs);
    // JSON of texts is UTF-8.
    String::from_utf8(out).unwrap_or_default()
}
