//! `cloud-export status`: what became of each export in each account and region.

use std::collections::BTreeMap;

use delivery::store::Fetched;
use jiff::Timestamp;
use serde_json::{Value, json};
use telemetry::status::{Entry, Export, Facts, Issue, Key, STATUS_KEY, Severity, Status, page};

use crate::args::StatusArguments;
use crate::summary::{grouped, say, text_table};
use crate::{Stop, metadata, runtime};

/// The places of an issue that are printed.
const PLACES: usize = 8;

/// Prints the status, or writes its page.
pub fn status(arguments: &StatusArguments) -> Result<(), Stop> {
    let status = read(arguments)?;
    let now = Timestamp::now();
    let issues = status.issues(now);
    if let Some(file) = &arguments.html {
        std::fs::write(file, page(&status, now))
            .map_err(|e| Stop::Failed(format!("{} could not be written: {e}", file.display())))?;
        eprintln!("the page is {}", file.display());
    } else if arguments.json {
        say(&document(&status, &issues).to_string());
    } else {
        say(text(&status, &issues, now).trim_end());
    }
    match issues.iter().any(|i| i.severity() == Severity::Failing) {
        true => Err(Stop::SomeFailed),
        false => Ok(()),
    }
}

fn read(arguments: &StatusArguments) -> Result<Status, Stop> {
    let url = metadata::url(arguments.metadata.as_ref())?;
    let fetched = runtime()?.block_on(async {
        let store = metadata::open(&url).await;
        store.objects().get(STATUS_KEY, None).await
    });
    match fetched.map_err(|error| Stop::Failed(error.to_string()))? {
        Fetched::Object { bytes, .. } => Status::from_slice(&bytes)
            .map_err(|error| Stop::Failed(format!("{STATUS_KEY} below {url}: {error}"))),
        _ => Err(Stop::Failed(format!(
            "there is no {STATUS_KEY} below {url}; a run of the collector, or cloud-export collect, writes it"
        ))),
    }
}

/// The document, with the issues that it gives.
fn document(status: &Status, issues: &[Issue]) -> Value {
    let issues = issues.iter().map(|issue| {
        json!({
            "severity": issue.severity().label(),
            "kind": issue.kind.label(),
            "export": issue.export.label(),
            "what": issue.what,
            "places": issue.places,
            "todo": issue.kind.todo(),
        })
    });
    let issues = issues.collect();
    let mut document = status.to_json();
    if let Some(members) = document.as_object_mut() {
        members.insert("issues".to_owned(), issues);
    }
    document
}

fn minute(time: Option<Timestamp>) -> String {
    time.map_or_else(
        || "never".to_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// What a person reads: issues, exports, accounts and regions, devices.
fn text(status: &Status, issues: &[Issue], now: Timestamp) -> String {
    let mut parts = vec![format!("as of {}\n", minute(status.as_of()))];
    parts.extend(issues.iter().map(issue_text));
    if issues.is_empty() {
        parts.push("no issues\n".to_owned());
    }
    parts.push(exports(status, now));
    parts.push(places(status));
    parts.push(devices(status));
    parts.join("\n")
}

fn issue_text(issue: &Issue) -> String {
    let severity = issue.severity().label();
    let mut text = format!("{severity}: {}: {}\n", issue.export.title(), issue.what);
    for place in issue.places.iter().take(PLACES) {
        text.push_str(&format!("    {place}\n"));
    }
    if let Some(more) = issue.places.len().checked_sub(PLACES).filter(|m| *m > 0) {
        text.push_str(&format!("    and {} more\n", grouped(more as u64)));
    }
    text.push_str(&format!("    What to do: {}\n", issue.kind.todo()));
    text
}

fn label(status: &Status, key: &Key, entry: &Entry) -> &'static str {
    match status.is_stale(key) {
        true => "stale",
        false => entry.latest.state.label(),
    }
}

fn exports(status: &Status, now: Timestamp) -> String {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for export in Export::ALL {
        let entries = status
            .entries
            .iter()
            .filter(|(key, _)| key.export == *export);
        let mut states: BTreeMap<&str, u64> = BTreeMap::new();
        let (mut latest, mut success) = (None, None);
        for (key, entry) in entries {
            *states.entry(label(status, key, entry)).or_default() += 1;
            latest = latest.max(Some(entry.latest.at));
            success = success.max(entry.last_success);
        }
        let course = status.exports.get(export);
        if course.is_none() && states.is_empty() {
            continue;
        }
        let states = states.into_iter().map(|(state, n)| format!("{n} {state}"));
        let mut states: Vec<String> = states.collect();
        if status.is_silent(export.told_by(), now) {
            states.push("no run comes".to_owned());
        }
        rows.push([
            export.label().to_owned(),
            states.join(", "),
            minute(latest.max(course.map(|course| course.latest.at))),
            minute(success),
        ]);
    }
    let rows: Vec<&[String]> = rows.iter().map(<[String; 4]>::as_slice).collect();
    text_table(
        &[
            "export",
            "accounts and regions",
            "last run",
            "last without a gap",
        ],
        &rows,
    )
}

fn places(status: &Status) -> String {
    let mut rows: BTreeMap<(&str, &str), [String; 7]> = BTreeMap::new();
    for (key, entry) in &status.entries {
        let row = rows.entry((&key.account, &key.region)).or_insert_with(|| {
            let name = status.name_of(&key.account).unwrap_or_default();
            let none = String::new;
            [
                key.account.clone(),
                name.to_owned(),
                key.region.clone(),
                none(),
                none(),
                none(),
                none(),
            ]
        });
        let [.., metadata, flow_logs, metrics, last] = row;
        let (cell, more) = match (key.export, entry.facts()) {
            (Export::Metadata, Some(Facts::Metadata(facts))) => {
                (metadata, format!(", {} rows", grouped(facts.rows)))
            }
            (Export::FlowLogs, Some(Facts::FlowLogs(facts))) if facts.vpcs.of > 0 => {
                let vpcs = &facts.vpcs;
                (flow_logs, format!(", {} of {} VPCs", vpcs.logged, vpcs.of))
            }
            (Export::Metrics, Some(Facts::Metrics(facts))) => (
                metrics,
                format!(", {} s behind", grouped(facts.lag_seconds)),
            ),
            (Export::Metadata, _) => (metadata, String::new()),
            (Export::FlowLogs, _) => (flow_logs, String::new()),
            (Export::Metrics, _) => (metrics, String::new()),
        };
        *cell = format!("{}{more}", label(status, key, entry));
        let at = minute(Some(entry.latest.at));
        if at > *last {
            *last = at;
        }
    }
    let rows: Vec<&[String]> = rows.values().map(<[String; 7]>::as_slice).collect();
    let header = [
        "account",
        "name",
        "region",
        "metadata",
        "flow logs",
        "metrics",
        "last run",
    ];
    text_table(&header, &rows)
}

fn devices(status: &Status) -> String {
    let rows: Vec<[String; 2]> = status
        .devices()
        .into_iter()
        .map(|(kind, count)| [kind.to_owned(), grouped(count)])
        .collect();
    let rows: Vec<&[String]> = rows.iter().map(<[String; 2]>::as_slice).collect();
    text_table(&["device", "count"], &rows)
}
