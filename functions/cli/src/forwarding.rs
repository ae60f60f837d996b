//! The forwarder on this machine, as options and the function's environment variables say.

use std::path::Path;
use std::time::Duration;

use flow_forwarder::config::{DESTINATIONS, FORMAT};
use flow_forwarder::forwarder::Handled;
use flow_forwarder::source::{AnySource, DirectorySource, S3Source};
use flow_forwarder::{Config, Forwarder};
use invocation::{SettingError, aws};
use telemetry::index::DocumentIndex;

use crate::args::ForwardingArguments;
use crate::enrichment;
use crate::summary::{Summary, peak_memory};
use crate::{Stop, environment};

/// The value of a setting: an option where one was given, else the function's environment variable.
pub fn setting(arguments: &ForwardingArguments, name: &str) -> Option<String> {
    let option = match name {
        name if name == DESTINATIONS.name => {
            Some(arguments.destination.join(" ")).filter(|urls| !urls.is_empty())
        }
        name if name == FORMAT.name => arguments.format.clone(),
        _ => None,
    };
    let fallback = || (name == DESTINATIONS.name).then(|| "stdout:".to_owned());
    let other = || enrichment::setting(&arguments.enrichment, name);
    option.or_else(other).or_else(fallback)
}

/// The configuration that the settings give.
pub fn config(setting: impl Fn(&str) -> Option<String>) -> Result<Config, Stop> {
    Config::from_lookup(setting).map_err(|error| Stop::Usage(error.to_string()))
}

/// A forwarder that reads from a directory that stands for the buckets, or else from Amazon S3.
pub async fn forwarder(
    config: Config,
    buckets: Option<&Path>,
    documents: Option<DocumentIndex>,
) -> Result<Forwarder, Stop> {
    let source = match buckets {
        Some(buckets) if !buckets.is_dir() => {
            return Err(Stop::Usage(format!(
                "{} is not a directory: --buckets names one that holds a directory for each bucket; the shipped one is samples/ in the project's root",
                buckets.display()
            )));
        }
        Some(buckets) => AnySource::Directory(DirectorySource::new(buckets.to_owned())),
        None => AnySource::S3(Box::new(S3Source::new(aws::sdk_config().await))),
    };
    let forwarder = forwarder_of(config, source, documents).await;
    forwarder.map_err(|error| Stop::Usage(error.to_string()))
}

/// A forwarder that reads from this source.
pub async fn forwarder_of(
    config: Config,
    source: AnySource,
    documents: Option<DocumentIndex>,
) -> Result<Forwarder, SettingError> {
    let aws = match config.is_on_s3() {
        true => aws::sdk_config().await,
        // Looking for a region would ask the network.
        false => aws::no_services(),
    };
    let index = config.enrichment.start(documents, &aws).await?;
    Forwarder::new(config, source, index, &aws, &environment).await
}

/// Adds what an event gave to the summary of several.
pub fn add(summary: &mut Summary, handled: &Handled) {
    summary.done += handled.report.objects;
    summary.counts.add(&handled.report.counts);
    if let Some(sides) = &handled.report.sides {
        summary.sides.get_or_insert_default().add(sides);
    }
    summary.bytes_out += handled.report.delivered.bytes;
    for object in &handled.objects {
        let outcome = &object.outcome;
        let shortfalls = outcome.shortfalls.iter();
        shortfalls.for_each(|text| summary.shortfall(text));
        if let Some(selection) = &outcome.selection {
            summary.selection.get_or_insert_default().add(selection);
        }
        let name = || format!("{}/{}", object.object.bucket, object.object.key);
        if let Some(reason) = &outcome.quarantined {
            let kept = format!("in quarantine: {}: {reason}", name());
            summary.remarks.push(kept);
        }
        if let Some(failure) = &outcome.failure {
            let reason = format!("{}: {failure}", failure.error_type());
            summary.failed.push((name(), reason));
        }
    }
}

/// Writes the summary to standard error; a failure in it is the command's.
pub fn finish(summary: &Summary, elapsed: Duration) -> Result<(), Stop> {
    eprint!("{}", summary.table(elapsed, peak_memory()));
    match summary.failed.is_empty() {
        true => Ok(()),
        false => Err(Stop::SomeFailed),
    }
}
