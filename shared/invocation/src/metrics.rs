//! A function's own metrics in CloudWatch's embedded metric format.

use serde_json::{Value, json};

/// The record of an invocation: one line of JSON for standard output ("Embedded metric format",
/// *CloudWatch User Guide*). `measured` are names, units and values; `time_ms` is Unix time in
/// milliseconds. Members may be added: they are searchable properties, not metrics.
pub fn record<'m>(
    namespace: &str,
    function: &str,
    time_ms: u64,
    measured: impl IntoIterator<Item = (&'m (&'m str, &'m str), u64)>,
) -> Value {
    let (mut definitions, mut values) = (Vec::new(), Vec::new());
    for ((name, unit), value) in measured {
        definitions.push(json!({"Name": name, "Unit": unit}));
        values.push(((*name).to_owned(), Value::from(value)));
    }
    let mut record = json!({
        "_aws": {
            "Timestamp": time_ms,
            "CloudWatchMetrics": [{
                "Namespace": namespace,
                "Dimensions": [["FunctionName"]],
                "Metrics": definitions,
            }],
        },
        "FunctionName": function,
    });
    if let Some(members) = record.as_object_mut() {
        members.extend(values);
    }
    record
}
