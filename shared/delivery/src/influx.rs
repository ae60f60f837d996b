//! Datapoints as InfluxDB's line protocol ("Line protocol reference", *InfluxDB OSS v2 documentation*), laid out as
//! Telegraf's CloudWatch input does it, so that dashboards made for that one fit:
//!
//! ```text
//! cloudwatch_aws_nat_gateway,account=111111111111,nat_gateway_id=nat-1,region=us-east-1 bytes_out_to_destination_sum=1500.0 1795190400000000000
//! └─ namespace               └─ tags: where, dimensions, resource                       └─ metric and statistic              └─ start of the period
//! ```
//!
//! A datapoint is a line. InfluxDB joins lines of the same measurement, tags and time to one point with several fields,
//! and one that comes again replaces itself.

use std::collections::BTreeMap;

use telemetry::metrics::Datapoint;

/// Names that a dimension cannot have as a tag: `time` is InfluxDB's own, the others stand for something else.
const TAKEN: [&str; 8] = [
    "account",
    "region",
    "resource",
    "resource_name",
    "resource_owner",
    "resource_type",
    "time",
    "vpc",
];

/// Appends a datapoint as a line. Its value must be finite.
pub(crate) fn write_line(out: &mut Vec<u8>, point: &Datapoint<'_>) {
    let measurement = format!(
        "cloudwatch_{}",
        snake_case(&point.namespace.replace('/', "_"))
    );
    // An equals sign needs no escape there, and may have one nowhere else.
    escape(out, &measurement, b", ");
    for (name, text) in tags(point) {
        out.push(b',');
        escape(out, &name, SPECIAL);
        out.push(b'=');
        escape(out, &text, SPECIAL);
    }
    out.push(b' ');
    let statistic = point.statistic.to_string().replace('.', "_");
    escape(
        out,
        &snake_case(&format!("{}_{statistic}", point.metric)),
        SPECIAL,
    );
    out.push(b'=');
    // Writing a number to a vector does not fail; numbers without an `i` behind them are floats.
    drop(serde_json::to_writer(&mut *out, &point.value));
    let time = point.time.saturating_mul(1_000_000_000);
    out.extend_from_slice(format!(" {time}\n").as_bytes());
}

/// What a backslash stands before in keys and values of tags, and in keys of fields.
const SPECIAL: &[u8] = b",= ";

/// The tags by their names; those without a value are none.
fn tags(point: &Datapoint<'_>) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let mut add = |name: &str, text: Option<&str>| {
        let text = text.map(value).filter(|text| !text.is_empty());
        if let Some(text) = text {
            tags.insert(name.to_owned(), text);
        }
    };
    add("account", Some(point.account));
    add("region", Some(point.region));
    if let Some(resource) = point.resource {
        add("resource", Some(&resource.id));
        add("resource_name", resource.name.as_deref());
        add("resource_owner", resource.owner.as_deref());
        add("resource_type", Some(resource.kind));
        add("vpc", resource.vpc.as_deref());
    }
    for (name, text) in point.dimensions {
        let text = value(text);
        if text.is_empty() {
            continue;
        }
        let mut name = value(&snake_case(name));
        // Names that begin with an underscore are InfluxDB's.
        if TAKEN.contains(&&*name) || name.starts_with('_') || name.is_empty() {
            name = format!("dimension_{name}");
        }
        while tags.contains_key(&name) {
            name = format!("dimension_{name}");
        }
        tags.insert(name, text);
    }
    tags
}

/// A text as a line can hold it: line ends would end the line, and a backslash at the end would escape what follows.
fn value(text: &str) -> String {
    let text = text.replace(|c: char| c.is_control(), " ");
    text.trim_end_matches('\\').to_owned()
}

fn escape(out: &mut Vec<u8>, text: &str, special: &[u8]) {
    for byte in text.bytes() {
        if special.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

/// `BytesOutToDestination` as `bytes_out_to_destination`, as Telegraf writes names: a capital begins a word when a small
/// letter is before or behind it, and so do spaces.
fn snake_case(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = None;
    for (at, letter) in letters.iter().copied().enumerate() {
        let behind = letters.get(at + 1);
        let begins =
            before.is_some_and(char::is_lowercase) || behind.is_some_and(|c| c.is_lowercase());
        if letter.is_uppercase() && before.is_some() && begins {
            out.push('_');
        }
        match letter {
            ' ' => out.push('_'),
            letter => out.extend(letter.to_lowercase()),
        }
        before = Some(letter);
    }
    out.replace("__", "_")
}

#[cfg(test)]
mod tests;
