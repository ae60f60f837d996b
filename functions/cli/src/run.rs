//! `cloud-export run`: the function's handler on this machine.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use flow_forwarder::event::{self, Request};
use flow_forwarder::{Answer, Config};
use invocation::Budget;
use serde_json::Value;
use telemetry::index::DocumentIndex;

use crate::args::{RunArguments, SAMPLES};
use crate::enrichment::documents;
use crate::forwarding::{self, setting};
use crate::progress;
use crate::summary::Summary;
use crate::{Stop, runtime};

/// Handles the event, and writes the summary and the function's answer to standard error.
pub fn run(arguments: &RunArguments) -> Result<(), Stop> {
    let event = read_event(&arguments.event)?;
    let config = forwarding::config(|name| setting(&arguments.forwarding, name))?;
    let inventory = inventory(arguments, &config);
    let documents = inventory.as_deref().map(documents).transpose()?;
    runtime()?.block_on(handle(arguments, config, documents, &event))
}

/// The documents that records are enriched from, where no index is set: those of the shipped samples belong
/// to the shipped logs.
fn inventory(arguments: &RunArguments, config: &Config) -> Option<PathBuf> {
    let given = arguments.forwarding.enrichment.inventory.clone();
    let of_samples = || {
        let is_shipped = !arguments.aws && arguments.buckets == Path::new(SAMPLES);
        let metadata = arguments.buckets.join("metadata");
        let unset = config.enrichment.metadata.is_none();
        (is_shipped && unset && metadata.is_dir()).then_some(metadata)
    };
    let is_of_use = config.enrichment.is_of_use();
    given.or_else(of_samples).filter(|_| is_of_use)
}

async fn handle(
    arguments: &RunArguments,
    config: Config,
    documents: Option<DocumentIndex>,
    event: &Value,
) -> Result<(), Stop> {
    let buckets = (!arguments.aws).then_some(arguments.buckets.as_path());
    let forwarder = forwarding::forwarder(config, buckets, documents).await?;
    let requests = event::unwrap(event).into_requests();
    let (objects, others): (Vec<_>, Vec<_>) =
        requests.partition(|request| matches!(request, Request::Object(_) | Request::Backfill(_)));
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
        ..Summary::default()
    };
    for other in others {
        match other {
            Request::Ignored(reason) => summary
                .remarks
                .push(format!("nothing to forward: {reason}")),
            Request::Malformed(reason) => summary.failed.push(("message".to_owned(), reason)),
            Request::Object(_) | Request::Backfill(_) => {}
        }
    }
    forwarding::add(&mut summary, &handled);
    let finished = forwarding::finish(&summary, elapsed);
    eprintln!("answer to Lambda: {}", answer_line(&handled.answer));
    finished
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
