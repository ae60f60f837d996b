//! `cloud-export run`: the function's handler on this machine.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use flow_forwarder::config::{DESTINATIONS, FORMAT};
use flow_forwarder::event::{self, Request};
use flow_forwarder::source::{AnySource, DirectorySource, S3Source};
use flow_forwarder::{Answer, Config, Forwarder};
use invocation::{Budget, aws};
use serde_json::Value;
use telemetry::index::DocumentIndex;

use crate::args::{RunArguments, SAMPLES};
use crate::enrichment::{self, documents};
use crate::progress;
use crate::summary::{Summary, peak_memory};
use crate::{Stop, runtime};

/// Handles the event, and writes the summary and the function's answer to standard error.
pub fn run(arguments: &RunArguments) -> Result<(), Stop> {
    let event = read_event(&arguments.event)?;
    let config = Config::from_lookup(|name| setting(arguments, name))
        .map_err(|e| Stop::Usage(e.to_string()))?;
    if !arguments.aws && !arguments.buckets.is_dir() {
        return Err(Stop::Usage(format!(
            "{} is not a directory: --buckets names one that holds a directory for each bucket; the shipped one is samples/ in the project's root",
            arguments.buckets.display()
        )));
    }
    let inventory = inventory(arguments, &config);
    let documents = inventory.as_deref().map(documents).transpose()?;
    runtime()?.block_on(handle(arguments, config, documents, &event))
}

/// The documents that records are enriched from, where no index is set: those of the shipped samples belong
/// to the shipped logs.
fn inventory(arguments: &RunArguments, config: &Config) -> Option<PathBuf> {
    let given = arguments.enrichment.inventory.clone();
    let of_samples = || {
        let is_shipped = !arguments.aws && arguments.buckets == Path::new(SAMPLES);
        let metadata = arguments.buckets.join("metadata");
        let unset = config.enrichment.metadata.is_none();
        (is_shipped && unset && metadata.is_dir()).then_some(metadata)
    };
    let enriches = !config.enrichment.fields.is_empty();
    given.or_else(of_samples).filter(|_| enriches)
}

/// An option where one was given, else the function's environment variable.
fn setting(arguments: &RunArguments, name: &str) -> Option<String> {
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

async fn handle(
    arguments: &RunArguments,
    config: Config,
    documents: Option<DocumentIndex>,
    event: &Value,
) -> Result<(), Stop> {
    let aws = if arguments.aws || config.is_on_s3() {
        aws::sdk_config().await
    } else {
        // Looking for a region would ask the network.
        aws::no_services()
    };
    let source = if arguments.aws {
        AnySource::S3(Box::new(S3Source::new(aws.clone())))
    } else {
        AnySource::Directory(DirectorySource::new(arguments.buckets.clone()))
    };
    let index = config.enrichment.start(documents, &aws).await;
    let index = index.map_err(|error| Stop::Usage(error.to_string()))?;
    let variable = |name: &str| std::env::var(name).ok();
    let forwarder = Forwarder::new(config, source, index, &aws, &variable).await;
    let forwarder = forwarder.map_err(|error| Stop::Usage(error.to_string()))?;
    let requests = event::unwrap(event)
        .messages
        .into_iter()
        .flat_map(|message| message.requests);
    let (objects, others): (Vec<_>, Vec<_>) =
        requests.partition(|request| matches!(request, Request::Object(_)));
    let bar = progress::of_objects(objects.len() as u64);
    let started = Instant::now();
    let handled = forwarder
        .handle_observed(event, &Budget::UNLIMITED, |object| {
            bar.inc(1);
            bar.set_message(object.object.key.clone());
        })
        .await;
    let elapsed = started.elapsed();
    bar.finish_and_clear();
    let mut summary = Summary {
        unit: "objects",
        done: handled.report.objects,
        ..Summary::default()
    };
    for other in others {
        match other {
            Request::Ignored(reason) => summary
                .remarks
                .push(format!("nothing to forward: {reason}")),
            Request::Malformed(reason) => summary.failed.push(("message".to_owned(), reason)),
            Request::Object(_) => {}
        }
    }
    for object in &handled.objects {
        object
            .outcome
            .shortfalls
            .iter()
            .for_each(|text| summary.shortfall(text));
        if let Some(failure) = &object.outcome.failure {
            let name = format!("{}/{}", object.object.bucket, object.object.key);
            summary
                .failed
                .push((name, format!("{}: {failure}", failure.error_type())));
        }
    }
    summary.counts = handled.report.counts;
    summary.sides = handled.report.sides;
    summary.selection = handled.report.selection;
    summary.bytes_out = handled.report.delivered.bytes;
    eprint!("{}", summary.table(elapsed, peak_memory()));
    eprintln!("answer to Lambda: {}", answer_line(&handled.answer));
    if summary.failed.is_empty() {
        Ok(())
    } else {
        Err(Stop::SomeFailed)
    }
}

fn answer_line(answer: &Answer) -> String {
    match answer.clone().into_json() {
        Ok(json) => json.to_string(),
        Err(failure) => format!("error {}", failure.error_type()),
    }
}

fn read_event(file: &Path) -> Result<Value, Stop> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|content| text = content)
    };
    read.map_err(|e| {
        Stop::Usage(format!(
            "the event file {} cannot be read: {e}",
            file.display()
        ))
    })?;
    serde_json::from_str(&text).map_err(|e| {
        Stop::Usage(format!(
            "the event file {} is not JSON: {e}",
            file.display()
        ))
    })
}
