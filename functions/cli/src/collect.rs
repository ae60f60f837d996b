//! `cloud-export collect`: the collector's handler on this machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use invocation::{Budget, aws};
use jiff::Timestamp;
use metadata_collector::aws_cloud::AwsCloud;
use metadata_collector::cloud::Cloud;
use metadata_collector::config::{DESTINATIONS, Estate, METADATA};
use metadata_collector::job::Export;
use metadata_collector::recorded_cloud::RecordedCloud;
use metadata_collector::report::{Report, Summary, UnitReport};
use metadata_collector::{Collector, Config};
use serde_json::json;
use telemetry::target::Accounts;

use crate::args::CollectArguments;
use crate::estate::option;
use crate::summary::{grouped, peak_memory, say, text_table};
use crate::{Stop, environment, runtime};

/// Where snapshots are kept unless something else is said.
pub const DEFAULT_METADATA: &str = "file://metadata";

/// Collects, and writes what became of each account and region.
pub fn collect(arguments: &CollectArguments) -> Result<(), Stop> {
    let config = Config::from_lookup(|name| setting(arguments, name))
        .map_err(|error| Stop::Usage(error.to_string()))?;
    runtime()?.block_on(run(arguments, config))
}

/// An option where one was given, else the function's environment variable.
fn setting(arguments: &CollectArguments, name: &str) -> Option<String> {
    let destinations = Some(arguments.destination.join(" ")).filter(|urls| !urls.is_empty());
    let own = [
        (METADATA, &arguments.metadata),
        (DESTINATIONS, &destinations),
    ];
    let fallback = || (name == METADATA.name).then(|| DEFAULT_METADATA.to_owned());
    let given = option(&own, name).or_else(|| arguments.estate.setting(name));
    given.or_else(|| environment(name)).or_else(fallback)
}

async fn run(arguments: &CollectArguments, config: Config) -> Result<(), Stop> {
    // No deadline here: nothing has to be handed on.
    let config = Config {
        fan_out_queue: None,
        ..config
    };
    let Some(path) = &arguments.from else {
        let http = aws::http_client();
        let sdk = aws::sdk_config_over(http.clone()).await;
        let cloud = Arc::new(AwsCloud::new(sdk.clone(), http, config.attempts));
        let collector = Collector::on_aws(cloud, &sdk, config, &environment, Timestamp::now);
        let collector = collector
            .await
            .map_err(|error| Stop::Usage(error.to_string()))?;
        return told(arguments, &collector).await;
    };
    let (cloud, failed) = RecordedCloud::read(path).map_err(Stop::Usage)?;
    for failed in failed {
        eprintln!("not read: {failed}");
    }
    let sdk = aws::no_services();
    let outputs = Collector::<RecordedCloud>::outputs(&sdk, &config, &environment).await;
    let outputs = outputs.map_err(|error| Stop::Usage(error.to_string()))?;
    let estate = match config.estate {
        // Every account that was recorded, unless some are named.
        Estate::Accounts(reach) if reach.accounts == Accounts::Own && reach.primary.is_none() => {
            Estate::Targets(cloud.targets(&reach.regions))
        }
        estate => estate,
    };
    let config = Config { estate, ..config };
    let region = cloud.home_region();
    let cloud = Arc::new(cloud);
    let collector = Collector::new(cloud, outputs, config, region, Timestamp::now);
    told(arguments, &collector).await
}

/// Collects, and writes what became of each account and region.
async fn told<C: Cloud>(
    arguments: &CollectArguments,
    collector: &Collector<C>,
) -> Result<(), Stop> {
    let metadata = collector.config().metadata.to_string();
    let started = Instant::now();
    let table = Mutex::new(Table::default());
    let observe = |report: Report<'_>| {
        let Report::Unit(report) = report else {
            return;
        };
        if arguments.json {
            say(&report.to_json().to_string());
            return;
        }
        eprintln!(
            "{} {}: {}, {} rows, {} calls",
            report.unit.account,
            report.unit.region,
            report.state.label(),
            grouped(report.rows as u64),
            grouped(report.calls)
        );
        table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(report);
    };
    let done = collector
        .everything(Export::Metadata, &Budget::UNLIMITED, &observe)
        .await;
    let table = table.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !table.rows.is_empty() {
        say(table.text().trim_end());
    }
    let summary = done.map_err(|error| Stop::Failed(error.to_string()))?;
    if arguments.json {
        say(&json!({"summary": summary.to_json()}).to_string());
    } else {
        eprintln!("{}", closing(&summary, started, &metadata));
    }
    match summary.is_fine() {
        true => Ok(()),
        false => Err(Stop::SomeFailed),
    }
}

fn closing(summary: &Summary, started: Instant, metadata: &str) -> String {
    let units: u64 = summary.units.iter().sum();
    let memory = peak_memory().map_or_else(String::new, |bytes| {
        format!(", {} MiB of memory at most", bytes >> 20)
    });
    format!(
        "{} units, {} rows, {} calls, {} changes in {:.1} s{memory}; snapshots are below {metadata}",
        grouped(units),
        grouped(summary.rows),
        grouped(summary.calls),
        grouped(summary.changes),
        started.elapsed().as_secs_f64(),
    )
}

/// The table of accounts, regions and states, and why what failed failed.
#[derive(Debug, Default)]
struct Table {
    rows: BTreeMap<(String, String), [String; 6]>,
    reasons: BTreeMap<String, Vec<String>>,
}

impl Table {
    fn add(&mut self, report: &UnitReport) {
        let key = (report.unit.account.clone(), report.unit.region.clone());
        let endpoints: Vec<String> = report
            .endpoints
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        let cells = [
            key.0.clone(),
            key.1.clone(),
            report.state.label().to_owned(),
            endpoints.join(", "),
            grouped(report.rows as u64),
            grouped(report.calls),
        ];
        let place = format!("{} {}", key.0, key.1);
        self.rows.insert(key, cells);
        if let Some(error) = &report.error {
            self.reasons
                .entry(error.clone())
                .or_default()
                .push(place.clone());
        }
        if let Some(chain) = &report.chain_failure {
            self.reasons
                .entry(chain.to_string())
                .or_default()
                .push(place);
            return;
        }
        for (section, failed) in &report.failures {
            let item = failed
                .item
                .as_ref()
                .map_or_else(String::new, |item| format!(" of {item}"));
            let role = report.unit.roles.last().map_or("", String::as_str);
            let reason = format!("{} {role}", failed.failure);
            let places = self.reasons.entry(reason).or_default();
            places.push(format!("{place} {section}{item}"));
        }
    }

    fn text(&self) -> String {
        const PLACES: usize = 8;
        let header = ["account", "region", "state", "endpoints", "rows", "calls"];
        let rows: Vec<&[String]> = self.rows.values().map(<[String; 6]>::as_slice).collect();
        let mut text = text_table(&header, &rows);
        for (reason, places) in &self.reasons {
            text.push_str(&format!("\n{}\n", reason.trim_end()));
            for place in places.iter().take(PLACES) {
                text.push_str(&format!("    {place}\n"));
            }
            if let Some(more) = places.len().checked_sub(PLACES).filter(|more| *more > 0) {
                text.push_str(&format!("    and {more} more\n"));
            }
        }
        text
    }
}
