//! What the deployment template and the function have to agree on.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use flow_forwarder::config::VARIABLES;

fn template() -> String {
    let path = e2e::project().join("template.yaml");
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What stands after `name:` on every line that begins with it.
fn values<'t>(template: &'t str, name: &str) -> Vec<&'t str> {
    let lines = template.lines().map(str::trim_start);
    lines
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
        .collect()
}

#[test]
fn the_queue_is_told_which_messages_failed() {
    // Without it the answer is ignored, and failed messages are deleted with the others.
    let template = template();
    let types = values(&template, "FunctionResponseTypes");
    assert_eq!(types, ["[ReportBatchItemFailures]"]);
}

#[test]
fn messages_stay_hidden_for_six_timeouts() {
    // Less, and a message comes back while it is still worked on ("Using Lambda with SQS").
    let template = template();
    assert_eq!(
        values(&template, "VisibilityTimeout"),
        ["!FindInMap [Timeouts, !Ref FunctionTimeout, Visibility]"]
    );
    assert!(values(&template, "Timeout").contains(&"!Ref FunctionTimeout"));
    let allowed = template.split("\n  FunctionTimeout:").nth(1).unwrap();
    let allowed = values(allowed, "AllowedValues")[0].trim_matches(['[', ']']);
    for timeout in allowed.split(", ") {
        let visibility = values(&template, &format!("{timeout:?}"));
        let [visibility] = visibility[..] else {
            panic!("{timeout} has no visibility timeout");
        };
        let seconds = visibility
            .trim_matches(['{', '}', ' '])
            .strip_prefix("Visibility: ");
        let seconds: u64 = seconds.unwrap().parse().unwrap();
        assert!(seconds >= 6 * timeout.parse::<u64>().unwrap(), "{timeout}");
    }
}

#[test]
fn the_variables_are_those_of_the_function() {
    let template = template();
    let words = template.split(|c: char| !c.is_ascii_uppercase() && c != '_');
    let named: Vec<&str> = words.filter(|w| w.starts_with("CLOUD_EXPORT_")).collect();
    assert!(named.contains(&"CLOUD_EXPORT_DESTINATIONS"));
    for name in named {
        assert!(
            VARIABLES.iter().any(|v| v.name == name),
            "{name} is no variable of the function"
        );
    }
}
