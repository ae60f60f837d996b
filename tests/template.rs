//! What the deployment template and the functions have to agree on.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeSet;

use e2e::programs::{self, tools};
use flow_forwarder::config::VARIABLES as OF_FORWARDER;
use metadata_collector::config::VARIABLES as OF_COLLECTOR;
use serde_json::Value;
use telemetry::describe::policy;
use telemetry::flow::field::{FIELDS, Offered};
use telemetry::selection::Selection;

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
    assert_eq!(types, ["[ReportBatchItemFailures]"; 2]);
    for function in ["FlowForwarder", "MetadataCollector"] {
        assert!(resource(&template, function).contains("FunctionResponseTypes"));
    }
}

/// A resource of the template, without its name.
fn resource<'t>(template: &'t str, name: &str) -> &'t str {
    let all = resources(template);
    let found = all.iter().find(|(resource, _)| *resource == name);
    found.unwrap_or_else(|| panic!("there is no {name}")).1
}

/// Every resource: its name, and what is indented below it.
fn resources(template: &str) -> Vec<(&str, &str)> {
    let section = template.split("\nResources:\n").nth(1).unwrap();
    let section = section.split("\nOutputs:\n").next().unwrap();
    let is_name = |line: &str| line.starts_with("  ") && line.as_bytes()[2].is_ascii_uppercase();
    let mut starts = Vec::new();
    let mut at = 0;
    for line in section.split_inclusive('\n') {
        if line.len() > 2 && is_name(line) {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([section.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| section[*start..end].trim_start().split_once(":\n").unwrap())
        .collect()
}

/// The actions that a text allows or denies, those in brackets and those below `Action:`.
fn actions(text: &str) -> Vec<&str> {
    let mut actions = Vec::new();
    let mut in_list = false;
    for line in text.lines().map(str::trim) {
        let item = line.strip_prefix("- ").filter(|_| in_list);
        let inline = line.strip_prefix("Action:").map(str::trim);
        in_list = item.is_some() || inline == Some("");
        let listed = item.or(inline).unwrap_or_default();
        actions.extend(
            listed
                .trim_matches(['[', ']'])
                .split(", ")
                .filter(|a| !a.is_empty()),
        );
    }
    actions
}

#[test]
fn messages_stay_hidden_for_six_timeouts() {
    // Less, and a message comes back while it is still worked on ("Using Lambda with SQS").
    let template = template();
    for (function, queue, timeout) in [
        ("FlowForwarder", "LogQueue", "FunctionTimeout"),
        ("MetadataCollector", "MetadataQueue", "MetadataTimeout"),
    ] {
        assert_eq!(
            values(resource(&template, queue), "VisibilityTimeout"),
            [format!("!FindInMap [Timeouts, !Ref {timeout}, Visibility]")]
        );
        let function = resource(&template, function);
        assert_eq!(values(function, "Timeout"), [format!("!Ref {timeout}")]);
        assert!(values(function, "Queue").contains(&format!("!GetAtt {queue}.Arn").as_str()));
        let allowed = template.split(&format!("\n  {timeout}:")).nth(1).unwrap();
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
}

#[test]
fn a_unit_of_work_has_an_invocation_to_itself() {
    let template = template();
    let collector = resource(&template, "MetadataCollector");
    assert_eq!(values(collector, "BatchSize"), ["1"]);
    assert_eq!(
        values(collector, "MaximumConcurrency"),
        ["!Ref MetadataMaximumConcurrency"]
    );
}

/// The variables that a function of the template is given.
fn environment<'t>(template: &'t str, function: &str) -> Vec<&'t str> {
    let function = resource(template, function);
    let variables = function.split("\n        Variables:\n").nth(1).unwrap();
    let lines = variables.lines();
    let lines = lines.take_while(|line| line.starts_with("          "));
    let names = lines.filter_map(|line| line.strip_prefix("          ")?.split_once(':'));
    let names = names.map(|(name, _)| name);
    names
        .filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
        .collect()
}

#[test]
fn the_variables_are_those_of_the_functions() {
    let template = template();
    for (function, variables, required) in [
        ("FlowForwarder", OF_FORWARDER, "CLOUD_EXPORT_DESTINATIONS"),
        ("MetadataCollector", OF_COLLECTOR, "CLOUD_EXPORT_METADATA"),
    ] {
        let given = environment(&template, function);
        assert!(given.contains(&required), "{given:?}");
        for name in given {
            assert!(
                variables.iter().any(|v| v.name == name),
                "{name} is no variable of {function}"
            );
        }
    }
    // Whatever can be set of the functions can be set in the deployment, but for the place of temporary files.
    for (function, variables) in [
        ("FlowForwarder", OF_FORWARDER),
        ("MetadataCollector", OF_COLLECTOR),
    ] {
        let given = environment(&template, function);
        let settable = variables.iter().filter(|v| v.name != "CLOUD_EXPORT_SPOOL");
        for variable in settable {
            assert!(given.contains(&variable.name), "{}", variable.name);
        }
    }
    // Descriptions of parameters name them as well.
    let words = template.split(|c: char| !c.is_ascii_uppercase() && c != '_');
    for name in words.filter(|w| w.starts_with("CLOUD_EXPORT_") || w.starts_with("AWS_")) {
        let known = OF_FORWARDER.iter().chain(OF_COLLECTOR);
        assert!(
            known.into_iter().any(|v| v.name == name),
            "{name} is no variable of a function"
        );
    }
}

#[test]
fn the_collector_may_ask_what_the_catalogue_asks_and_nothing_else() {
    let template = template();
    let role = resource(&template, "MetadataCollectorRole");
    let statement = role.split("Sid: ReadNetworkMetadata\n").nth(1).unwrap();
    let allowed = actions(statement);
    let once: BTreeSet<String> = allowed.iter().map(|&action| action.to_owned()).collect();
    assert_eq!(allowed.len(), once.len(), "an action stands there twice");
    assert_eq!(once, policy::actions());
}

#[test]
fn roles_allow_single_actions_and_name_what_they_are_allowed_on() {
    let template = template();
    let all = resources(&template);
    let roles = all
        .iter()
        .filter(|(_, r)| r.contains("Type: AWS::IAM::Role"));
    let roles: Vec<_> = roles.collect();
    assert_eq!(roles.len(), 2);
    for (name, role) in roles {
        let allowed = actions(role);
        assert!(allowed.len() > 5, "{name}: {allowed:?}");
        for action in allowed {
            let (service, operation) = action.split_once(':').unwrap();
            assert!(
                !service.contains('*') && !operation.contains('*'),
                "{name}: {action}"
            );
        }
        // AWS offers nothing narrower for most calls of the catalogue, and for those of CloudWatch.
        let everywhere = role.matches("Resource: \"*\"").count();
        assert_eq!(
            everywhere,
            2 * usize::from(*name == "MetadataCollectorRole"),
            "{name}"
        );
    }
    // AssumeRole is allowed on roles that parameters name.
    let collector = resource(&template, "MetadataCollectorRole");
    let statements: Vec<&str> = collector.split("- Sid: ").collect();
    let assuming = statements.iter().filter(|statement| {
        statement.starts_with("Assume") && statement.contains("Action: sts:AssumeRole")
    });
    let resources: Vec<&str> = assuming.flat_map(|s| values(s, "Resource")).collect();
    assert_eq!(
        resources,
        [
            "!Ref MetadataPrimaryRole",
            "!Sub arn:${AWS::Partition}:iam::*:role/${MetadataRole}",
            "!Ref MetadataTargetRoles",
        ]
    );
    // One more: the trust policy, for Lambda.
    assert_eq!(collector.matches("sts:AssumeRole").count(), 4);
}

/// Every field of flow logs that a format can name, as a set.
fn fields(offered: Offered) -> BTreeSet<String> {
    let fields = FIELDS.iter().filter(|field| {
        // The values of tags take tags to be named when the flow log is made, which no template can.
        (field.offered == offered || field.offered == Offered::Both) && !field.name.contains("-tag")
    });
    fields.map(|field| format!("${{{}}}", field.name)).collect()
}

#[test]
fn the_templates_are_what_linters_and_the_functions_take() {
    let Some(tools) = tools() else { return };
    let arguments = ["--repo".into(), e2e::project().into()];
    let report = programs::report(&tools, "deploy/templates.py", &arguments, &[]);
    let texts = |value: &Value| -> Vec<String> {
        let texts = value.as_array().unwrap().iter();
        texts
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };

    // The role of an account may ask what the catalogue asks, and the primary role assume others besides.
    let readers = report["reader"].as_array().unwrap();
    assert_eq!(readers.len(), 2);
    for (reader, statements) in readers.iter().zip([1, 3]) {
        assert_eq!(reader.as_object().unwrap().len(), statements);
        let allowed: BTreeSet<String> = texts(&reader["ReadNetworkMetadata"]).into_iter().collect();
        assert_eq!(allowed, policy::actions());
    }

    // Flow logs have every field.
    let formats: BTreeSet<BTreeSet<String>> = texts(&report["formats"])
        .iter()
        .map(|format| format.split_whitespace().map(str::to_owned).collect())
        .collect();
    let known = [Offered::Vpc, Offered::TransitGateway].map(fields);
    assert_eq!(formats, BTreeSet::from(known));

    // What leaves out a kind of logs is a selection.
    let selections = report["selections"].as_object().unwrap();
    let given = selections.values().filter_map(Value::as_str);
    let given: BTreeSet<&str> = given.collect();
    assert_eq!(given.len(), 2, "{given:?}");
    for selection in given {
        Selection::parse(selection).unwrap_or_else(|error| panic!("{selection}: {error}"));
    }
}

#[test]
fn the_terraform_module_is_what_the_functions_and_the_template_are() {
    let Some(tools) = tools() else { return };
    let arguments = ["--repo".into(), e2e::project().into()];
    let report = programs::report(&tools, "deploy/terraform.py", &arguments, &[]);
    if let Some(skipped) = report["skipped"].as_str() {
        eprintln!("skipped in part: {skipped}");
    }
    let texts = |value: &Value| -> BTreeSet<String> {
        let texts = value.as_array().unwrap().iter();
        texts
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };
    for (function, variables) in [
        ("flow-forwarder", OF_FORWARDER),
        ("metadata-collector", OF_COLLECTOR),
    ] {
        let known = variables.iter().map(|v| v.name.to_owned());
        assert_eq!(
            texts(&report["settings"][function]),
            known.collect(),
            "{function}"
        );
    }
    assert_eq!(report["reader"], policy::reader());
    let known = [Offered::Vpc, Offered::TransitGateway].map(fields);
    for (given, known) in report["fields"].as_array().unwrap().iter().zip(known) {
        let given = texts(given);
        let given: BTreeSet<String> = given.iter().map(|name| format!("${{{name}}}")).collect();
        assert_eq!(given, known);
    }
    let template = template();
    let alarms = resources(&template).into_iter();
    let alarms =
        alarms.filter(|(_, resource)| resource.starts_with("    Type: AWS::CloudWatch::Alarm"));
    let alarms: BTreeSet<String> = alarms
        .map(|(name, _)| name.trim_end_matches("Alarm").to_owned())
        .collect();
    assert_eq!(texts(&report["alarms"]), alarms);
}
