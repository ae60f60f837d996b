//! `cloud-export metrics`: the collector's reading of metrics on this machine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use flow_forwarder::listing;
use invocation::{Budget, aws};
use jiff::Timestamp;
use metadata_collector::aws_cloud::AwsCloud;
use metadata_collector::config::{METADATA, METRIC_DESTINATIONS, METRIC_SELECT, MetricConfig};
use metadata_collector::job::Export;
use metadata_collector::metrics::{LeftOut, MetricPlan, MetricReport, MetricSummary};
use metadata_collector::report::Report;
use metadata_collector::{Collector, Config};
use serde_json::json;
use telemetry::metrics::Catalogue;
use telemetry::metrics::cost::{Estimate, LIST_PRICE};

use crate::args::MetricsArguments;
use crate::collect::DEFAULT_METADATA;
use crate::estate::option;
use crate::summary::{grouped, peak_memory, say, text_table};
use crate::{Stop, environment, runtime};

/// Reads metrics, or says what that would cost.
pub fn metrics(arguments: &MetricsArguments) -> Result<(), Stop> {
    let config = Config::from_lookup(|name| setting(arguments, name))
        .map_err(|error| Stop::Usage(error.to_string()))?;
    let since = arguments.since.as_deref().map(listing::time).transpose();
    let since = since.map_err(|problem| Stop::Usage(format!("--since: {problem}")))?;
    let config = Config {
        // No deadline here: nothing has to be handed on.
        fan_out_queue: None,
        metrics: MetricConfig {
            since,
            namespaces: namespaces(&arguments.namespace)?,
            ..config.metrics
        },
        ..config
    };
    runtime()?.block_on(async {
        let http = aws::http_client();
        let sdk = aws::sdk_config_over(http.clone()).await;
        let cloud = Arc::new(AwsCloud::new(sdk.clone(), http, config.attempts));
        let collector = Collector::on_aws(cloud, &sdk, config, &environment, Timestamp::now);
        let collector = collector
            .await
            .map_err(|error| Stop::Usage(error.to_string()))?;
        match arguments.plan {
            true => plan(arguments, &collector).await,
            false => read(arguments, &collector).await,
        }
    })
}

/// An option where one was given, else the function's environment variable.
fn setting(arguments: &MetricsArguments, name: &str) -> Option<String> {
    let destinations = Some(arguments.destination.join(" ")).filter(|urls| !urls.is_empty());
    let own = [
        (METADATA, &arguments.metadata),
        (METRIC_DESTINATIONS, &destinations),
        (METRIC_SELECT, &arguments.select),
    ];
    let given = option(&own, name).or_else(|| arguments.estate.setting(name));
    let fallback = || match name {
        _ if name == METADATA.name => Some(DEFAULT_METADATA.to_owned()),
        _ if name == METRIC_DESTINATIONS.name => Some("stdout:".to_owned()),
        _ => None,
    };
    given.or_else(|| environment(name)).or_else(fallback)
}

/// The labels of namespaces, which may be given as CloudWatch calls them too.
fn namespaces(names: &[String]) -> Result<Option<Vec<String>>, Stop> {
    let catalogue = Catalogue::get().map_err(|error| Stop::Failed(error.to_string()))?;
    let label = |name: &String| {
        let mut known = catalogue.namespaces().iter();
        let named =
            known.find(|namespace| namespace.label == *name || namespace.names.contains(name));
        named
            .map(|namespace| namespace.label.clone())
            .ok_or_else(|| {
                let labels: Vec<&str> = catalogue.namespaces().iter().map(|n| &*n.label).collect();
                Stop::Usage(format!(
                    "--namespace: {name:?} is none of {}",
                    labels.join(", ")
                ))
            })
    };
    let labels = names.iter().map(label).collect::<Result<Vec<_>, Stop>>()?;
    Ok((!labels.is_empty()).then_some(labels))
}

/// Reads, and writes what became of each account and region.
async fn read(arguments: &MetricsArguments, collector: &Collector<AwsCloud>) -> Result<(), Stop> {
    let started = Instant::now();
    let observe = |report: Report<'_>| {
        let Report::Metrics(report) = report else {
            return;
        };
        match arguments.json {
            // Datapoints may go to standard output: what is said of them does not.
            true => eprintln!("{}", report.to_json()),
            false => tell(report),
        }
    };
    let done = collector
        .everything(Export::Metrics, &Budget::UNLIMITED, &observe)
        .await;
    let summary = done.map_err(|error| Stop::Failed(error.to_string()))?;
    match arguments.json {
        true => eprintln!("{}", json!({"summary": summary.metrics.to_json()})),
        false => eprintln!("{}", closing(&summary.metrics, started)),
    }
    match summary.is_fine() {
        true => Ok(()),
        false => Err(Stop::SomeFailed),
    }
}

fn tell(report: &MetricReport) {
    let mut line = format!(
        "{} {}: {}, {} datapoints of {} metrics requested in {} calls",
        report.unit.account,
        report.unit.region,
        report.state.label(),
        grouped(report.datapoints),
        grouped(report.requested),
        grouped(report.calls),
    );
    let mut say = |what: String| line.push_str(&format!("\n    {what}"));
    if let Some(error) = &report.error {
        say(error.clone());
    }
    for (namespace, why) in &report.unlisted {
        say(format!("{namespace} could not be listed: {why}"));
    }
    if report.owed > 0 {
        say(format!(
            "{} were not answered in full, and are asked again",
            grouped(report.owed as u64)
        ));
    }
    if report.rejected.items > 0 {
        say(format!(
            "{} datapoints were rejected by a destination: {}",
            grouped(report.rejected.items),
            report.rejected.message.as_deref().unwrap_or("no reason")
        ));
    }
    for (code, queries) in &report.refused {
        say(format!("{} are refused: {code}", grouped(*queries)));
    }
    if report.skipped_seconds > 0 {
        say(format!(
            "{} s lie too far back and are not read; --since reads further",
            grouped(report.skipped_seconds.unsigned_abs())
        ));
    }
    if !report.left_out.is_empty() {
        say(unpaid(&report.left_out));
    }
    eprintln!("{line}");
}

fn unpaid(left_out: &[LeftOut]) -> String {
    let named = left_out.iter().map(|left| {
        format!(
            "{} {} ({})",
            left.namespace,
            left.metric,
            grouped(left.queries)
        )
    });
    let named: Vec<String> = named.collect();
    format!(
        "CLOUD_EXPORT_METRIC_BUDGET does not pay: {}",
        named.join(", ")
    )
}

fn closing(summary: &MetricSummary, started: Instant) -> String {
    let memory = peak_memory().map_or_else(String::new, |bytes| {
        format!(", {} MiB of memory at most", bytes >> 20)
    });
    format!(
        "{} accounts and regions, {} datapoints of {} metrics requested in {} calls in {:.1} s{memory}",
        grouped(summary.units.iter().sum()),
        grouped(summary.datapoints),
        grouped(summary.requested),
        grouped(summary.calls),
        started.elapsed().as_secs_f64(),
    )
}

/// Says what reading costs.
async fn plan(arguments: &MetricsArguments, collector: &Collector<AwsCloud>) -> Result<(), Stop> {
    let plans = Mutex::new(Vec::new());
    let observe = |plan: &MetricPlan| {
        let mut plans = plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.push(plan.clone());
    };
    let done = collector.metric_plans(&Budget::UNLIMITED, &observe).await;
    done.map_err(|error| Stop::Failed(error.to_string()))?;
    let mut plans = plans.into_inner().unwrap_or_else(PoisonError::into_inner);
    plans.sort_by(|a, b| (&a.unit.account, &a.unit.region).cmp(&(&b.unit.account, &b.unit.region)));
    let mut all = Estimate::default();
    for plan in &plans {
        all.add(&plan.estimate);
        if arguments.json {
            say(&plan.to_json().to_string());
        }
    }
    let cost = all.cost_per_month(&LIST_PRICE);
    if arguments.json {
        say(&json!({"usd_per_month": cost.as_dollars(), "prices_of": LIST_PRICE.date}).to_string());
    } else {
        say(table(&plans).trim_end());
        say(&format!(
            "\n{} metrics requested in a run, {} in a month of a run each {} s: {cost} a month by CloudWatch's list price of {}",
            grouped(all.metrics_per_run),
            grouped(all.requested_per_month()),
            collector.config().metrics.interval,
            LIST_PRICE.date,
        ));
    }
    match plans
        .iter()
        .all(|plan| plan.error.is_none() && plan.unlisted.is_empty())
    {
        true => Ok(()),
        false => Err(Stop::SomeFailed),
    }
}

fn table(plans: &[MetricPlan]) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut notes = String::new();
    for plan in plans {
        let place = [plan.unit.account.clone(), plan.unit.region.clone()];
        for ((namespace, period), monthly) in &plan.estimate.by_namespace {
            let mut row = place.to_vec();
            row.extend([
                namespace.clone(),
                format!("{period} s"),
                grouped(monthly.metrics),
                grouped(monthly.requested),
                monthly.cost.to_string(),
            ]);
            rows.push(row);
        }
        let mut note = |what: &str| notes.push_str(&format!("\n{}: {what}", place.join(" ")));
        if let Some(error) = &plan.error {
            note(error);
        }
        for (namespace, why) in &plan.unlisted {
            note(&format!("{namespace} could not be listed: {why}"));
        }
        if !plan.left_out.is_empty() {
            note(&unpaid(&plan.left_out));
        }
    }
    let header = [
        "account",
        "region",
        "namespace",
        "period",
        "metrics",
        "a month",
        "cost",
    ];
    let rows: Vec<&[String]> = rows.iter().map(Vec::as_slice).collect();
    format!("{}{notes}", text_table(&header, &rows))
}
