//! Whether records arrive, and how late: by the time that keys tell, against now.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::check::Check;
use super::finding::Finding;
use super::flow_log::{Delivery, deliveries, is_answered, is_idle, of_unit};
use super::observation::{BucketObservation, Observations};
use crate::object_key::{KeyKind, ObjectKey};

/// What a file covers: five minutes from the time in its name.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// How long after its window a file may come. AWS says about ten minutes, and promises nothing.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// How long a flow log may be without a first file.
const YOUNG: SignedDuration = SignedDuration::from_mins(30);

/// Of some keys, the newest of each account, region, kind and source.
pub fn newest<'k>(keys: impl Iterator<Item = &'k str>) -> Vec<String> {
    let mut newest: BTreeMap<(&str, &str, u8, &str), (i64, &str)> = BTreeMap::new();
    for key in keys {
        let Some(read) = ObjectKey::parse(key) else {
            continue;
        };
        let Some(time) = read.time else { continue };
        let place = (read.account, read.region, read.kind as u8, read.source);
        let found = newest.entry(place).or_insert((time, key));
        *found = (*found).max((time, key));
    }
    newest
        .into_values()
        .map(|(_, key)| key.to_owned())
        .collect()
}

/// How long after the end of what it covers now is.
fn lateness(now: Timestamp, time: i64) -> Option<SignedDuration> {
    let end = Timestamp::from_second(time).ok()? + WINDOW;
    Some(now.duration_since(end))
}

/// A duration for people: 7 min, 3 h, 2 d.
pub(super) fn spoken(duration: SignedDuration) -> String {
    match duration.as_mins().max(0) {
        minutes if minutes < 120 => format!("{minutes} min"),
        minutes if minutes < 48 * 60 => format!("{} h", minutes / 60),
        minutes => format!("{} d", minutes / (24 * 60)),
    }
}

fn listed(bucket: &BucketObservation) -> Option<(Vec<ObjectKey<'_>>, bool)> {
    let listing = bucket.listing.as_ref()?.as_ref().ok()?;
    let keys = listing.newest.iter();
    let keys = keys.filter_map(|key| ObjectKey::parse(key)).collect();
    Some((keys, listing.is_complete))
}

/// Findings about what arrives.
pub(super) fn findings(seen: &Observations) -> Vec<Finding> {
    let mut findings = flow_logs(seen);
    for bucket in &seen.buckets {
        let Some((keys, _)) = listed(bucket) else {
            continue;
        };
        for key in keys {
            findings.extend(of_key(seen, bucket, &key));
        }
    }
    findings
}

/// Flow logs of which nothing has come.
fn flow_logs(seen: &Observations) -> Vec<Finding> {
    let missing = deliveries(seen).filter_map(|delivery| {
        let Delivery {
            unit,
            log,
            bucket,
            writing,
        } = delivery;
        let (keys, complete) = listed(bucket)?;
        let created = log.created()?;
        let young = seen.now.duration_since(created) < YOUNG;
        let arrives = keys.iter().any(|key| key.source == log.id());
        if arrives || young || !complete || is_idle(unit, &log) || log.is_failing() {
            return None;
        }
        let what = format!("nothing of {} is in s3://{}", log.id(), writing.bucket);
        Some(
            Finding::of(Check::ArrivalNone)
                .account(writing.account)
                .region(writing.region)
                .resource(log.id())
                .what(what)
                .with("flow-log", log.id())
                .with("delivery-policy", &writing.policy()),
        )
    });
    missing.collect()
}

fn of_key(seen: &Observations, bucket: &BucketObservation, key: &ObjectKey<'_>) -> Option<Finding> {
    let late = lateness(seen.now, key.time?)?;
    let mut accounts = seen.accounts.iter();
    let account = accounts.find(|account| account.account == key.account);
    let mut units = account.iter().flat_map(|account| &account.units);
    let unit = units.find(|unit| unit.region == key.region);
    let asked = unit.is_some();
    if let Some(unit) = unit.filter(|unit| is_answered(unit, "FlowLogs"))
        && key.kind == KeyKind::FlowLog
        && !of_unit(unit).any(|log| log.id() == key.source && log.is_active())
    {
        // Of a flow log that was deleted since.
        return None;
    }
    let kind = match key.kind {
        KeyKind::FlowLog => "flow log",
        KeyKind::FirewallAlert => "firewall alert log",
        KeyKind::FirewallFlow => "firewall flow log",
        KeyKind::FirewallTls => "firewall TLS log",
    };
    // Firewalls write when there is something to write.
    let check = match (asked, late > LATE && key.kind == KeyKind::FlowLog) {
        (_, true) => Check::ArrivalLate,
        (false, false) => Check::ArrivalUnasked,
        (true, false) => Check::ArrivalOk,
    };
    let what = format!(
        "the newest {kind} of {} in s3://{} ended {} ago",
        key.source,
        bucket.bucket,
        spoken(late)
    );
    Some(
        Finding::of(check)
            .account(key.account)
            .region(key.region)
            .resource(key.source)
            .what(what)
            .with("flow-log", key.source),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_keys_the_newest_of_each_source_are_kept() {
        let key = |region: &str, source: &str, time: &str| {
            format!(
                "AWSLogs/111111111111/vpcflowlogs/{region}/2026/11/20/111111111111_vpcflowlogs_{region}_{source}_{time}_0a1b2c3d.log.gz"
            )
        };
        let keys = [
            key("us-east-1", "fl-0a", "20261120T1620Z"),
            key("us-east-1", "fl-0a", "20261120T1625Z"),
            key("us-east-1", "fl-0b", "20261120T1600Z"),
            key("eu-west-1", "fl-0a", "20261120T1500Z"),
            "AWSLogs/notes.txt".to_owned(),
        ];
        let found = newest(keys.iter().map(String::as_str));
        assert_eq!(found, [keys[3].clone(), keys[1].clone(), keys[2].clone()]);
    }

    #[test]
    fn durations_are_said_as_people_do() {
        let said = [5, 119, 120, 2879, 2880].map(|m| spoken(SignedDuration::from_mins(m)));
        assert_eq!(said, ["5 min", "119 min", "2 h", "47 h", "2 d"]);
    }
}
