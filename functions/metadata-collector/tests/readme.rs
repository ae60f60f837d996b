//! The tables of `docs/metadata.md` are the configuration's and the catalogue's own, and the sample
//! events are events.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::path::{Path, PathBuf};

use metadata_collector::config::VARIABLES;
use metadata_collector::job::{self, Export, Invocation};
use telemetry::describe::catalogue::{CATALOGUE, Endpoint, Per, Scope};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn guide() -> String {
    std::fs::read_to_string(project().join("docs/metadata.md")).expect("the guide is in docs/")
}

/// The rows of the table with that heading.
fn table(heading: &str) -> Vec<String> {
    let guide = guide();
    let from_heading = guide.lines().skip_while(|line| *line != heading);
    let rows = from_heading
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(str::to_owned).collect()
}

fn same(heading: &str, expected: &[String]) {
    assert!(
        table(heading) == expected,
        "the table should be:\n{}",
        expected.join("\n")
    );
}

#[test]
fn the_guide_lists_every_variable_as_the_configuration_has_it() {
    let rows = VARIABLES.iter().map(|variable| {
        let default = match variable.default {
            None => "required".to_owned(),
            Some("") => "none".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        format!(
            "| `{}` | {default} | {} | `{}` |",
            variable.name, variable.meaning, variable.example
        )
    });
    let expected: Vec<String> = rows.collect();
    same("| variable | default | meaning | example |", &expected);
}

#[test]
fn the_guide_lists_every_call_as_the_catalogue_has_it() {
    let scope = |endpoint: &Endpoint| {
        let scope = match endpoint.scope {
            Scope::Regional => "region",
            Scope::Global => "account",
        };
        match endpoint.per {
            None => scope.to_owned(),
            Some(Per::Row { section, .. }) => format!("{scope}, for each of `{section}`"),
            Some(Per::CoreNetworkEdge { section }) => {
                format!("{scope}, for each segment and edge of `{section}`")
            }
        }
    };
    let rows = CATALOGUE.iter().map(|endpoint| {
        format!(
            "| `{}` | `{}` | {} | {} |",
            endpoint.name(),
            endpoint.section,
            scope(endpoint),
            endpoint.purpose
        )
    });
    let expected: Vec<String> = rows.collect();
    same("| call | section | asked once a | what for |", &expected);
}

#[test]
fn the_guide_counts_the_calls_as_they_are() {
    let once = |scope: Scope| {
        let calls = CATALOGUE.iter();
        let calls = calls.filter(|e| e.scope == scope && e.per.is_none());
        // Asked in the one account that can list the organization's.
        calls.filter(|e| e.section != "Accounts").count()
    };
    let sentence = format!(
        "calls = accounts × ({} + {} × regions)",
        once(Scope::Global),
        once(Scope::Regional)
    );
    assert!(guide().contains(&sentence), "it should say: {sentence}");
    let readme = std::fs::read_to_string(project().join("README.md")).unwrap();
    let sentence = format!("{} calls", CATALOGUE.len());
    assert!(readme.contains(&sentence), "it should say: {sentence}");
}

#[test]
fn the_sample_events_are_taken() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut files: Vec<String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    files.sort();
    assert_eq!(
        files,
        ["job.json", "metrics.json", "schedule.json", "sqs.json"]
    );
    let event = |file: &str| {
        let text = std::fs::read_to_string(directory.join(file)).unwrap();
        job::read(&serde_json::from_str(&text).unwrap()).unwrap_or_else(|e| panic!("{file}: {e}"))
    };
    assert_eq!(
        event("schedule.json"),
        Invocation::Everything(Export::Metadata)
    );
    assert_eq!(
        event("metrics.json"),
        Invocation::Everything(Export::Metrics)
    );
    let Invocation::Job(job) = event("job.json") else {
        panic!("job.json is no job");
    };
    assert_eq!(job.target.account.as_deref(), Some("222222222222"));
    assert_eq!(job.parts.as_ref().unwrap().len(), 2);
    let Invocation::Queue(messages) = event("sqs.json") else {
        panic!("sqs.json is no message");
    };
    let taken: Vec<_> = messages.into_iter().map(|(_, taken)| taken).collect();
    assert_eq!(taken, [Ok(*job)], "the message asks for another job");
}
