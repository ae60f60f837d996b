//! Datapoints of metrics as JSON objects.

use jiff::Timestamp;
use telemetry::metrics::Datapoint;

use super::write_string;

/// Appends a datapoint as a JSON object and a line feed. Its value must be finite and its time one of a calendar.
pub(crate) fn write_datapoint(out: &mut Vec<u8>, point: &Datapoint<'_>) {
    let time = Timestamp::from_second(point.time).unwrap_or_default();
    out.extend_from_slice(b"{\"time\":");
    write_string(out, &time.to_string());
    out.extend_from_slice(b",\"period\":");
    out.extend_from_slice(point.period.to_string().as_bytes());
    write_text(out, "account", point.account);
    write_text(out, "region", point.region);
    write_text(out, "namespace", point.namespace);
    write_text(out, "metric", point.metric);
    out.extend_from_slice(b",\"dimensions\":");
    write_pairs(out, point.dimensions);
    write_text(out, "statistic", &point.statistic.to_string());
    write_text(out, "unit", point.unit);
    out.extend_from_slice(b",\"value\":");
    // Writing a number to a vector does not fail; the shortest text that is read as this number again.
    drop(serde_json::to_writer(&mut *out, &point.value));
    if let Some(resource) = point.resource {
        write_text(out, "resource", &resource.id);
        write_text(out, "resource_type", resource.kind);
        let known = [
            ("resource_name", &resource.name),
            ("resource_owner", &resource.owner),
            ("vpc", &resource.vpc),
        ];
        for (name, text) in known {
            if let Some(text) = text {
                write_text(out, name, text);
            }
        }
        out.extend_from_slice(b",\"tags\":");
        write_pairs(out, &resource.tags);
    }
    out.extend_from_slice(b"}\n");
}

/// Appends a comma and a member; its name needs no escape.
fn write_text(out: &mut Vec<u8>, name: &str, text: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_string(out, text);
}

/// Appends names and texts as a JSON object.
pub(crate) fn write_pairs(out: &mut Vec<u8>, pairs: &[(String, String)]) {
    out.push(b'{');
    for (place, (name, text)) in pairs.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_string(out, name);
        out.push(b':');
        write_string(out, text);
    }
    out.push(b'}');
}
