//! The README's table of environment variables is the configuration's own.

#![allow(clippy::expect_used, missing_docs, reason = "tests")]

use flow_forwarder::config::VARIABLES;

#[test]
fn the_readme_lists_every_variable_as_the_configuration_has_it() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"))
        .expect("the README is in the project's root");
    let listed: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| `CLOUD_EXPORT_"))
        .collect();
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
    assert_eq!(
        listed,
        expected,
        "the table should be:\n{}",
        expected.join("\n")
    );
}
