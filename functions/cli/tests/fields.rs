//! The data dictionary in the documentation is the code's own.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::path::Path;
use std::process::Command;

fn printed(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloud-export"));
    let output = command.arg("fields").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_data_dictionary_is_as_the_command_prints_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fields.md");
    let page = printed(&["--markdown"]);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differ = kept.lines().zip(page.lines()).position(|(a, b)| a != b);
    assert!(
        kept == page,
        "docs/fields.md is not what the code makes, from line {} on; UPDATE_GOLDEN=1 writes it anew",
        differ.unwrap_or(kept.lines().count().min(page.lines().count())) + 1
    );
}

#[test]
fn the_table_of_fields_is_plain_text_of_one_level_and_those_before() {
    let all = printed(&[]);
    assert!(
        all.contains("How it was found, or why not: see how a side is found"),
        "{all}"
    );
    assert!(!all.contains(['`', '[']), "{all}");
    let minimal = printed(&["--level", "minimal"]);
    assert!(minimal.contains("src_vpc_id, dst_vpc_id") && !minimal.contains("src_vpc_name"));
}
