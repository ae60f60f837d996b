//! What `run` and `parse` enrich records from: options, the function's variables, documents at hand.

use std::path::Path;

use flow_forwarder::config::{
    AWS_RANGES, DEVICE, ENRICH, GEOIP, MEMORY_SIZE, METADATA, PRICES, TAGS,
};
use jiff::Timestamp;
use telemetry::index::{DocumentIndex, of_documents};

use crate::args::EnrichmentArguments;
use crate::{Stop, environment};

/// The memory that limits are chosen by, in MiB: a machine where people work has more than a function.
const MEMORY_MIB: &str = "8192";

/// The value of a setting about enrichment: an option where one was given, else the environment variable.
pub fn setting(arguments: &EnrichmentArguments, name: &str) -> Option<String> {
    let geoip = Some(arguments.geoip.join(" ")).filter(|files| !files.is_empty());
    let options = [
        (METADATA, &arguments.metadata),
        (ENRICH, &arguments.enrich),
        (TAGS, &arguments.tags),
        (DEVICE, &arguments.device),
        (GEOIP, &geoip),
        (PRICES, &arguments.prices),
        (AWS_RANGES, &arguments.aws_ranges),
    ];
    let option = options.iter().find(|(variable, _)| variable.name == name);
    let given = option.and_then(|(_, value)| (*value).clone());
    let fallback = || (name == MEMORY_SIZE.name).then(|| MEMORY_MIB.to_owned());
    given.or_else(|| environment(name)).or_else(fallback)
}

/// The index of documents, made in memory. What is left out is told on standard error.
pub fn documents(path: &Path) -> Result<DocumentIndex, Stop> {
    let now = Timestamp::now().as_second();
    let index = of_documents(path, u32::try_from(now.max(0)).unwrap_or(u32::MAX));
    for left_out in &index.left_out {
        eprintln!("{left_out}");
    }
    match index.directory {
        Some(_) => Ok(index),
        None => Err(Stop::Usage(format!(
            "--inventory: {} holds no document that records can be enriched from",
            path.display()
        ))),
    }
}
