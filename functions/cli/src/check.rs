//! `cloud-export check`: what is wrong with a deployment, and what mends it.

mod accounts;
mod buckets;
mod flow_logs;
mod report;

use std::sync::Arc;

use aws_config::SdkConfig;
use delivery::StoreUrl;
use flow_forwarder::deletion::DeletionSettings;
use futures_util::future::join_all;
use invocation::{SettingError, aws};
use jiff::Timestamp;
use metadata_collector::aws_cloud::AwsCloud;
use metadata_collector::collector::Outputs;
use metadata_collector::config::{DESTINATIONS, METADATA};
use metadata_collector::glance::Glance;
use metadata_collector::store::SnapshotStore;
use metadata_collector::{Collector, Config};
use telemetry::diagnosis::{
    LogDestination, Observations, SECTIONS, Severity, diagnose, missing_flow_logs,
};

use crate::args::CheckArguments;
use crate::collect::DEFAULT_METADATA;
use crate::summary::say;
use crate::{Stop, environment, runtime};
use buckets::LogPlace;

/// AWS, of which only what conclusions are drawn from is wanted in full.
type Asked = Glance<AwsCloud>;

/// What is to be checked.
struct Plan {
    collector: Config,
    logs: Vec<LogPlace>,
    metadata: Option<StoreUrl>,
    deletion: Option<DeletionSettings>,
    destination: LogDestination,
}

/// Asks, concludes, and writes what was found.
pub fn check(arguments: &CheckArguments) -> Result<(), Stop> {
    let plan = plan(arguments)?;
    runtime()?.block_on(run(arguments, plan))
}

fn usage(error: impl std::fmt::Display) -> Stop {
    Stop::Usage(error.to_string())
}

fn plan(arguments: &CheckArguments) -> Result<Plan, Stop> {
    let metadata = arguments
        .metadata
        .clone()
        .or_else(|| environment(METADATA.name));
    let collector = Config::from_lookup(|name| match name {
        // Snapshots are not written, and changes not told.
        name if name == METADATA.name => Some(
            metadata
                .clone()
                .unwrap_or_else(|| DEFAULT_METADATA.to_owned()),
        ),
        name if name == DESTINATIONS.name => None,
        name => arguments.estate.setting(name).or_else(|| environment(name)),
    })
    .map_err(usage)?;
    let logs: Vec<LogPlace> = arguments
        .logs
        .iter()
        .map(|url| LogPlace::parse(url))
        .collect::<Result<_, _>>()
        .map_err(|error| Stop::Usage(format!("--logs: {error}")))?;
    let file_format = arguments
        .file_format
        .parse()
        .map_err(|error| Stop::Usage(format!("--file-format: {error}")))?;
    let first = logs.first();
    if arguments.yes && first.is_none() {
        return Err(Stop::Usage(
            "--yes: say with --logs s3://bucket/prefix where new flow logs go".to_owned(),
        ));
    }
    Ok(Plan {
        metadata: metadata.is_some().then(|| collector.metadata.clone()),
        collector,
        deletion: forwarder()?.and_then(|config| config.deletion),
        destination: LogDestination {
            bucket: first.map(|place| place.bucket.clone()),
            prefix: first.map_or_else(String::new, |place| place.prefix.clone()),
            file_format,
            hive: arguments.hive,
            hourly: arguments.hourly,
        },
        logs,
    })
}

/// The forwarder's configuration, where its variables are set.
fn forwarder() -> Result<Option<flow_forwarder::Config>, Stop> {
    use flow_forwarder::config::DESTINATIONS;
    match environment(DESTINATIONS.name) {
        None => Ok(None),
        Some(_) => flow_forwarder::Config::from_lookup(environment)
            .map(Some)
            .map_err(|error: SettingError| usage(error)),
    }
}

async fn run(arguments: &CheckArguments, plan: Plan) -> Result<(), Stop> {
    let http = aws::http_client();
    let sdk = aws::sdk_config_over(http.clone()).await;
    let attempts = plan.collector.attempts;
    let cloud = Arc::new(Glance::new(
        AwsCloud::new(sdk.clone(), http, attempts),
        &SECTIONS,
    ));
    let region = sdk.region().ok_or_else(|| {
        usage("no AWS region is configured: set AWS_REGION to the one that the functions run in")
    })?;
    let collector = Collector::new(
        Arc::clone(&cloud),
        Outputs::of(SnapshotStore::on(&plan.collector.metadata, &sdk)),
        plan.collector.clone(),
        region.to_string(),
        Timestamp::now,
    );
    let seen = observe(&cloud, &collector, &sdk, &plan).await;
    let findings = diagnose(&seen, &plan.destination);
    let orders = match arguments.fix_flow_logs {
        true => missing_flow_logs(&seen, &plan.destination),
        false => Vec::new(),
    };
    let done = match arguments.yes {
        true => flow_logs::create(&cloud, collector.sessions(), &orders).await,
        false => Vec::new(),
    };
    if arguments.json {
        let document = report::document(&seen, &findings, &orders, &done);
        say(&document.to_string());
    } else if arguments.fix_flow_logs {
        say(flow_logs::text(&orders, &done).trim_end());
    } else {
        say(report::text(&seen, &findings, arguments.all).trim_end());
    }
    if arguments.fix_flow_logs && !arguments.json {
        let failed = done.iter().any(flow_logs::Created::has_failed);
        return if failed {
            Err(Stop::SomeFailed)
        } else {
            Ok(())
        };
    }
    let worst = findings.iter().map(|finding| finding.severity()).max();
    match worst {
        Some(worst) if worst > Severity::Info => Err(Stop::SomeFailed),
        _ => Ok(()),
    }
}

async fn observe(
    cloud: &Asked,
    collector: &Collector<Asked>,
    sdk: &SdkConfig,
    plan: &Plan,
) -> Observations {
    let entering = accounts::observe(cloud, collector);
    let buckets = plan
        .logs
        .iter()
        .map(|place| buckets::observe(sdk, place, plan.deletion.as_ref()));
    let metadata = async {
        match &plan.metadata {
            Some(url) => Some(buckets::metadata(sdk, url).await),
            None => None,
        }
    };
    let (entered, buckets, metadata) = futures_util::join!(entering, join_all(buckets), metadata);
    Observations {
        now: Timestamp::now(),
        identity: entered.identity,
        roles: entered.roles,
        accounts_unlisted: entered.unlisted,
        accounts: entered.accounts,
        buckets,
        metadata,
    }
}
