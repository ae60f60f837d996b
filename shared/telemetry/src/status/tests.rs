//! Laws of merging, what snapshots say, issues, and the page of a small estate.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::snapshot::Snapshot;

const A: &str = "111111111111";
const B: &str = "222222222222";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_190_400 + second).unwrap()
}

fn outcome(second: i64, state: RunState) -> Outcome {
    Outcome {
        at: at(second),
        state,
        error: (state == RunState::Failed).then(|| "no".to_owned()),
        role: None,
    }
}

fn entry(export: Export, account: &str, latest: Outcome) -> Status {
    let key = Key::new(export, account, "us-east-1");
    Status {
        entries: [(key, Entry::of(latest, None))].into(),
        ..Status::default()
    }
}

fn merged<'s>(all: impl IntoIterator<Item = &'s Status>) -> Status {
    let mut status = Status::default();
    all.into_iter().for_each(|other| status.merge(other));
    status
}

fn of_run(hours: i64) -> Status {
    Status::of_run(Export::Metadata, at(hours * 3600), None)
}

fn any_status() -> impl Strategy<Value = Status> {
    let state = prop::sample::select(RunState::ALL);
    let export = prop::sample::select(Export::ALL);
    let account = prop::sample::select(vec![A, B]);
    let one = (export, account, state, 0i64..4, prop::option::of(0u64..3));
    let one = one.prop_map(|(export, account, state, hour, rows)| {
        let facts = rows.map(|rows| match export {
            Export::Metadata => Facts::Metadata(Inventoried {
                rows,
                ..Inventoried::default()
            }),
            Export::Metrics => Facts::Metrics(Measured {
                requested: rows,
                ..Measured::default()
            }),
            Export::FlowLogs => Facts::FlowLogs(Logged {
                logs: rows,
                ..Logged::default()
            }),
        });
        let name = AccountName {
            at: at(hour),
            name: format!("name-{hour}"),
        };
        let latest = outcome(hour * 3600, state);
        Status {
            exports: [(export, Course::of(latest.clone()))].into(),
            entries: [(
                Key::new(export, account, "us-east-1"),
                Entry::of(latest, facts),
            )]
            .into(),
            accounts: [(account.to_owned(), name)].into(),
        }
    });
    prop::collection::vec(one, 0..6).prop_map(|all| merged(&all))
}

proptest! {
    #[test]
    fn it_does_not_matter_in_which_order_runs_are_merged_nor_how_often(
        a in any_status(), b in any_status(), c in any_status()
    ) {
        prop_assert_eq!(merged([&a, &b]), merged([&b, &a]));
        prop_assert_eq!(merged([&merged([&a, &b]), &c]), merged([&a, &merged([&b, &c])]));
        prop_assert_eq!(merged([&a, &a]), a.clone());
        let all = merged([&a, &b]);
        prop_assert_eq!(merged([&all, &b]), all);
    }

    #[test]
    fn a_document_says_all_of_its_status(status in any_status()) {
        let text = status.to_json().to_string();
        prop_assert_eq!(Status::from_slice(text.as_bytes()).unwrap(), status);
    }

    #[test]
    fn whatever_is_said_stays_text(said in "\\PC{0,40}|[<>&\"'/a-z=! -]{0,40}|(</script>|<img src=x>|\u{202e}|\0){1,3}") {
        let mut status = any_said(&said);
        status.merge(&sample());
        let html = page(&status, at(0));
        let without = page(&merged([&any_said(""), &sample()]), at(0));
        // The same markup, whatever the text is.
        prop_assert_eq!(markup(&html), markup(&without));
        let deceives = ['\u{202e}', '\0'].iter().any(|c| html.contains(*c));
        prop_assert!(!deceives);
    }
}

/// A status in which everything that can be any text is this one.
fn any_said(said: &str) -> Status {
    let latest = Outcome {
        error: Some(said.to_owned()),
        ..outcome(0, RunState::Failed)
    };
    let mut status = entry(Export::Metadata, A, latest);
    let network = Network {
        vpc: said.to_owned(),
        name: Some(said.to_owned()),
        cidrs: vec![said.to_owned()],
        ..Network::default()
    };
    let logged = Facts::FlowLogs(Logged {
        networks: vec![network],
        failing: vec![FailingLog {
            log: said.to_owned(),
            resource: said.to_owned(),
            destination: said.to_owned(),
            error: format!("e{said}"),
        }],
        ..Logged::default()
    });
    let failing = Entry::of(outcome(0, RunState::Failed), Some(logged));
    status
        .entries
        .insert(Key::new(Export::FlowLogs, A, "us-east-1"), failing);
    let name = AccountName {
        at: at(9_999_999),
        name: said.to_owned(),
    };
    status.accounts.insert(A.to_owned(), name);
    status
}

/// How often each kind of tag and quote is there.
fn markup(html: &str) -> Vec<usize> {
    let parts = ["<", ">", "\"", "<script", "<img", "<li", "<td"];
    parts
        .iter()
        .map(|part| html.matches(part).count())
        .collect()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/status")
}

fn sample() -> Status {
    let document = std::fs::read(directory().join("status.json")).unwrap();
    Status::from_slice(&document).unwrap()
}

const SAMPLE_TIME: &str = "2026-11-20T16:25:00Z";

#[test]
fn the_page_of_the_sample_is_as_it_was() {
    let html = page(&sample(), SAMPLE_TIME.parse().unwrap());
    let golden = directory().join("index.html");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &html).unwrap();
    }
    // UPDATE_GOLDEN=1 writes it anew; look at it in a browser before it is committed.
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(html == expected, "the page is not {}", golden.display());
}

#[test]
fn the_sample_is_read_without_loss() {
    let document = std::fs::read(directory().join("status.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(sample().to_json(), document);
}

#[test]
fn the_worst_comes_first_and_says_what_to_do() {
    let issues = sample().issues(SAMPLE_TIME.parse().unwrap());
    let kinds: Vec<&str> = issues.iter().map(|issue| issue.kind.label()).collect();
    assert_eq!(
        kinds,
        [
            "failed",
            "failed",
            "stale",
            "delivery-fails",
            "denied",
            "denied",
            "not-logged",
            "not-logged",
            "lagging",
            "left-out",
            "region-disabled",
        ]
    );
    let denied = issues.iter().find(|i| i.kind == IssueKind::Denied).unwrap();
    assert_eq!(
        (denied.what.as_str(), denied.places.len()),
        (
            "elbv2:DescribeTargetHealth is denied (UnauthorizedOperation)",
            2
        )
    );
    assert!(issues.iter().all(|issue| issue.kind.todo().ends_with('.')));
}

#[test]
fn what_no_run_asks_for_any_more_is_stale_and_stays() {
    let key = Key::new(Export::Metadata, A, "us-east-1");
    let mut status = merged([
        &of_run(0),
        &entry(Export::Metadata, A, outcome(5, RunState::Complete)),
    ]);
    for hours in 1..=2 {
        status.merge(&of_run(hours));
        assert!(!status.is_stale(&key), "{hours}");
    }
    status.merge(&of_run(3));
    assert!(status.is_stale(&key));
    let issues = status.issues(at(3 * 3600));
    assert_eq!(issues.len(), 1);
    assert_eq!(
        (issues[0].kind, issues[0].severity()),
        (IssueKind::Stale, Severity::Failing)
    );
    status.merge(&entry(
        Export::Metadata,
        A,
        outcome(4 * 3600, RunState::Complete),
    ));
    assert!(!status.is_stale(&key) && status.issues(at(4 * 3600)).is_empty());
}

#[test]
fn that_no_run_comes_is_seen_from_the_time_between_them() {
    let status = merged([&of_run(0), &of_run(1), &of_run(2)]);
    assert!(!status.is_silent(Export::Metadata, at(5 * 3600)));
    assert!(status.is_silent(Export::Metadata, at(5 * 3600 + 301)));
    assert!(!status.is_silent(Export::Metrics, at(1_000_000)));
    // One run alone says nothing of when the next is due.
    assert!(!of_run(0).is_silent(Export::Metadata, at(23 * 3600)));
    assert!(of_run(0).is_silent(Export::Metadata, at(25 * 3600)));
}

#[test]
fn a_failure_keeps_what_was_known_and_when_it_last_worked() {
    let known = Facts::Metadata(Inventoried {
        rows: 7,
        ..Inventoried::default()
    });
    let key = Key::new(Export::Metadata, A, "us-east-1");
    let mut status = Status::default();
    let before = Entry::of(outcome(0, RunState::Complete), Some(known.clone()));
    status.entries.insert(key.clone(), before);
    status.merge(&entry(Export::Metadata, A, outcome(60, RunState::Failed)));
    let entry = &status.entries[&key];
    assert_eq!(entry.latest.state, RunState::Failed);
    assert_eq!(
        (entry.last_success, entry.facts()),
        (Some(at(0)), Some(&known))
    );
}

#[test]
fn what_says_the_same_again_at_once_is_no_news() {
    let idle = |second| entry(Export::Metrics, A, outcome(second, RunState::Idle));
    let status = idle(0);
    assert!(!status.is_news(&idle(60)) && !status.is_news(&Status::default()));
    assert!(status.is_news(&idle(900)));
    assert!(status.is_news(&entry(Export::Metrics, A, outcome(60, RunState::Failed))));
    assert!(status.is_news(&entry(Export::Metrics, B, outcome(60, RunState::Idle))));
}

#[test]
fn documents_of_others_are_refused() {
    let refused = |text: &str| Status::from_slice(text.as_bytes()).unwrap_err().to_string();
    assert!(refused("{").starts_with("the status is not JSON"));
    assert!(refused("[]").contains("it has no version"));
    assert!(refused(r#"{"version": 2}"#).contains("update Cloud Export"));
    let odd = json!({"version": 1, "entries": [7, {"export": "metadata"}], "exports": {}});
    assert!(
        Status::from_slice(odd.to_string().as_bytes())
            .unwrap()
            .is_empty()
    );
}

fn snapshot(sections: Value, failures: Value) -> Snapshot {
    let mut document = json!({"Collection": {
        "Version": 1, "Account": A, "Region": "us-east-1", "Roles": ["arn:aws:iam::111111111111:role/r"],
        "Started": "2026-11-20T16:20:00+00:00", "Finished": "2026-11-20T16:20:01+00:00",
        "Endpoints": failures,
    }});
    let members = document.as_object_mut().unwrap();
    members.extend(sections.as_object().unwrap().clone());
    Snapshot::from_json(&document).unwrap()
}

fn observed(snapshot: &Snapshot) -> Status {
    Status::of_snapshot(snapshot, &snapshot.inventory())
}

fn endpoint(section: &str, operation: &str, state: &str, code: Option<&str>) -> Value {
    let failures = code.map(|code| json!({"State": state, "Code": code, "Message": "no"}));
    json!({"Section": section, "Service": "ec2", "Operation": operation, "State": state, "Count": 1,
           "Observed": "2026-11-20T16:20:01+00:00", "Failures": failures.into_iter().collect::<Vec<_>>()})
}

fn logged(sections: Value) -> (RunState, Option<String>, Option<Logged>) {
    let status = observed(&snapshot(sections, json!([])));
    let entry = &status.entries[&Key::new(Export::FlowLogs, A, "us-east-1")];
    let facts = match entry.facts() {
        Some(Facts::FlowLogs(facts)) => Some(facts.clone()),
        _ => None,
    };
    (entry.latest.state, entry.latest.error.clone(), facts)
}

fn network(flow_logs: Value) -> Value {
    json!({
        "Vpcs": [{"VpcId": "vpc-1", "OwnerId": A, "CidrBlock": "10.0.0.0/16"}, {"VpcId": "vpc-2", "OwnerId": B}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "OwnerId": A},
                    {"SubnetId": "subnet-2", "VpcId": "vpc-1", "OwnerId": A}],
        "NetworkInterfaces": [
            {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "OwnerId": A},
            {"NetworkInterfaceId": "eni-2", "VpcId": "vpc-1", "SubnetId": "subnet-2", "OwnerId": A},
            {"NetworkInterfaceId": "eni-3", "VpcId": "vpc-2", "SubnetId": "subnet-3", "OwnerId": A}],
        "FlowLogs": flow_logs,
    })
}

#[test]
fn a_flow_log_covers_what_is_in_what_it_is_of() {
    let log = |resource: &str, destination: &str| {
        json!([{"FlowLogId": "fl-1", "ResourceId": resource, "LogDestinationType": destination,
                "LogDestination": "arn:aws:s3:::b", "FlowLogStatus": "ACTIVE"}])
    };
    for (flow_logs, state, subnets, interfaces) in [
        (log("vpc-1", "s3"), RunState::Complete, 2, 2),
        (log("subnet-1", "s3"), RunState::Partial, 1, 1),
        (log("eni-2", "s3"), RunState::Partial, 0, 1),
        (log("vpc-1", "cloud-watch-logs"), RunState::Partial, 0, 0),
        (json!([]), RunState::Partial, 0, 0),
    ] {
        let (found, _, facts) = logged(network(flow_logs.clone()));
        let facts = facts.unwrap();
        assert_eq!(found, state, "{flow_logs}");
        // What another account shares is its own affair.
        assert_eq!(
            (facts.vpcs.of, facts.subnets.of, facts.interfaces.of),
            (1, 2, 2)
        );
        assert_eq!(
            (facts.subnets.logged, facts.interfaces.logged),
            (subnets, interfaces)
        );
        assert_eq!(facts.networks[0].flow_found, interfaces > 0);
    }
}

#[test]
fn flow_logs_that_fail_or_are_not_known_say_so() {
    let failing = json!([{"FlowLogId": "fl-1", "ResourceId": "vpc-1", "LogDestinationType": "s3",
        "DeliverLogsStatus": "FAILED", "DeliverLogsErrorMessage": "Access error"}]);
    let (state, error, facts) = logged(network(failing));
    assert_eq!(state, RunState::Failed);
    assert_eq!(error.unwrap(), "the delivery of fl-1 fails: Access error");
    assert_eq!(facts.unwrap().failing.len(), 1);
    let (state, error, facts) = logged(json!({"Vpcs": []}));
    assert_eq!((state, facts), (RunState::Partial, None));
    assert_eq!(error.unwrap(), "ec2:DescribeFlowLogs is not answered");
    // What cannot be there is not missed.
    let off = json!([endpoint(
        "Vpcs",
        "DescribeVpcs",
        "region-disabled",
        Some("AuthFailure")
    )]);
    let status = observed(&snapshot(json!({}), off));
    let states = status.entries.values().map(|entry| entry.latest.state);
    assert_eq!(states.collect::<Vec<_>>(), [RunState::Idle]);
    assert_eq!(status.issues(at(0))[0].kind, IssueKind::RegionDisabled);
    let (state, _, _) = logged(json!({"Vpcs": [], "FlowLogs": []}));
    assert_eq!(state, RunState::Idle);
}

#[test]
fn a_snapshot_says_what_was_denied_and_what_there_is() {
    let denied = Some("UnauthorizedOperation");
    let endpoints = json!([
        endpoint("Vpcs", "DescribeVpcs", "ok", None),
        endpoint("Subnets", "DescribeSubnets", "denied", denied),
        endpoint("Instances", "DescribeInstances", "denied", denied),
    ]);
    let status = observed(&snapshot(network(json!([])), endpoints));
    let entry = &status.entries[&Key::new(Export::Metadata, A, "us-east-1")];
    assert_eq!(entry.latest.state, RunState::Partial);
    assert_eq!(entry.last_success, None);
    let Some(Facts::Metadata(facts)) = entry.facts() else {
        panic!("{entry:?}");
    };
    assert_eq!(facts.unanswered.len(), 1);
    assert_eq!(
        facts.unanswered[0].calls,
        ["ec2:DescribeSubnets", "ec2:DescribeInstances"]
    );
    assert_eq!((facts.devices["vpc"], facts.devices["interface"]), (1, 3));
    let issues = status.issues(at(0));
    assert_eq!(
        issues
            .iter()
            .filter(|i| i.kind == IssueKind::Denied)
            .count(),
        2
    );
}

#[test]
fn a_page_of_thousands_of_accounts_is_bounded_and_shows_what_fails() {
    let mut status = of_run(0);
    for account in 0..3000_u64 {
        let state = match account {
            2999 => RunState::Failed,
            _ => RunState::Complete,
        };
        status.merge(&entry(
            Export::Metadata,
            &format!("{account:012}"),
            outcome(0, state),
        ));
    }
    let html = page(&status, at(0));
    assert_eq!(
        html.matches("<tr><th scope=\"row\"><span class=\"mono place\">")
            .count(),
        MAX_ROWS
    );
    assert!(html.contains("<span class=\"mono place\">000000002999</span>"));
    assert!(html.contains("2,000 of 3,000 accounts and regions"));
    assert!(html.len() < 2 << 20, "{} bytes", html.len());
}

#[test]
fn everything_that_is_wrong_has_its_own_name() {
    let labels: BTreeSet<&str> = IssueKind::ALL.iter().map(|kind| kind.label()).collect();
    assert_eq!(labels.len(), IssueKind::ALL.len());
}

#[test]
fn the_documentation_has_every_issue() {
    let mut table = "| | issue | what to do |\n| --- | --- | --- |\n".to_owned();
    for kind in IssueKind::ALL {
        let (severity, label) = (kind.severity().label(), kind.label());
        table.push_str(&format!("| {severity} | `{label}` | {} |\n", kind.todo()));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/status.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, found) = text.split_once("## Issues\n\n").unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{before}## Issues\n\n{table}")).unwrap();
        return;
    }
    assert_eq!(found, table, "UPDATE_GOLDEN=1 writes the table anew");
}
