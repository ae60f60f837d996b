//! Firewall logs: whether Network Firewall logs what it does, and to where.

use serde_json::{Value, json};

use super::access::last_role;
use super::check::Check;
use super::finding::Finding;
use super::flow_log::reader;
use super::observation::{AccountObservation, Observations, UnitObservation};
use super::remedy::LogDestination;
use crate::describe::state::State;
use crate::snapshot::GLOBAL;

/// The kinds of log that a firewall should have. `TLS` takes TLS inspection, which few use.
const KINDS: [&str; 2] = ["ALERT", "FLOW"];

/// Findings about firewalls.
pub(super) fn findings(seen: &Observations, destination: &LogDestination) -> Vec<Finding> {
    let units = |account: &'_ AccountObservation| {
        let units = account.units.iter().filter(|unit| unit.region != GLOBAL);
        let found = units.flat_map(|unit| of_unit(seen, account, unit, destination));
        found.collect::<Vec<_>>()
    };
    seen.accounts.iter().flat_map(units).collect()
}

fn of_unit(
    seen: &Observations,
    account: &AccountObservation,
    unit: &UnitObservation,
    destination: &LogDestination,
) -> Vec<Finding> {
    let mut collected = unit.collected.iter();
    let Some(collected) = collected.find(|c| c.endpoint.section == "FirewallLoggingConfigurations")
    else {
        return Vec::new();
    };
    let unknown = collected.state == State::Denied;
    if unknown {
        let (role, _) = last_role(account);
        let finding = Finding::of(Check::FirewallLogUnknown)
            .account(&account.account)
            .region(&unit.region);
        return vec![finding.with("role", &role)];
    }
    let rows = collected.rows.as_array().map_or(&[][..], Vec::as_slice);
    let findings = rows.iter().filter_map(|row| {
        let arn = row.get("FirewallArn").and_then(Value::as_str)?;
        let logging = row.get("LoggingConfiguration");
        let logs = logging.and_then(|logging| logging.get("LogDestinationConfigs"));
        let logs = logs
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let (check, what, kind) = judged(seen, logs);
        let bucket = destination.bucket.as_deref().unwrap_or("<log-bucket>");
        let place = match destination.prefix.as_str() {
            "" => json!({"bucketName": bucket}),
            prefix => json!({"bucketName": bucket, "prefix": prefix}),
        };
        let entry = json!({"LogType": kind, "LogDestinationType": "S3", "LogDestination": place});
        let others = logs.iter().filter(|log| text(log, "LogType") != Some(kind));
        let entries: Vec<Value> = others.cloned().chain([entry]).collect();
        let name = arn.rsplit('/').next().unwrap_or(arn);
        Some(
            Finding::of(check)
                .account(&account.account)
                .region(&unit.region)
                .resource(name)
                .what(format!("{name}: {what}"))
                .with("firewall", arn)
                .with(
                    "logging-configuration",
                    &json!({"LogDestinationConfigs": entries}).to_string(),
                ),
        )
    });
    findings.collect()
}

fn text<'r>(row: &'r Value, name: &str) -> Option<&'r str> {
    row.get(name).and_then(Value::as_str)
}

/// What is so of a firewall with these logs, and the kind of log to mend first.
fn judged(seen: &Observations, logs: &[Value]) -> (Check, String, &'static str) {
    let [first, second] = KINDS;
    if logs.is_empty() {
        return (Check::FirewallLogNone, "no logs".to_owned(), first);
    }
    let of_kind = |kind: &str| logs.iter().find(|log| text(log, "LogType") == Some(kind));
    for kind in [first, second] {
        let Some(log) = of_kind(kind) else { continue };
        if text(log, "LogDestinationType") != Some("S3") {
            let to = text(log, "LogDestinationType").unwrap_or("nowhere");
            let what = format!("the {kind} log goes to {to}");
            return (Check::FirewallLogElsewhere, what, kind);
        }
        let place = log.get("LogDestination");
        let member = |name: &str| {
            place
                .and_then(|place| text(place, name))
                .unwrap_or_default()
        };
        let (bucket, prefix) = (member("bucketName"), member("prefix"));
        if !seen.buckets.is_empty() && reader(seen, (bucket, prefix.trim_matches('/'))).is_none() {
            let what = format!("the {kind} log goes to s3://{bucket}/{prefix}, which is not read");
            return (Check::FirewallLogElsewhere, what, kind);
        }
    }
    match [first, second]
        .into_iter()
        .find(|kind| of_kind(kind).is_none())
    {
        Some(kind) => {
            let what = format!("there is no {kind} log");
            (Check::FirewallLogPartial, what, kind)
        }
        None => (
            Check::FirewallLogOk,
            "alerts and flows are logged".to_owned(),
            first,
        ),
    }
}
