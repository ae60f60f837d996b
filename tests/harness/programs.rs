//! Test programs in Python, since AWS's own client library and its emulators are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::project;

/// Where `tests/run` installed the tools; without them, a test says that it was skipped.
pub fn tools() -> Option<PathBuf> {
    let tools = std::env::var_os("CLOUD_EXPORT_TEST_TOOLS").map(PathBuf::from);
    if tools.is_none() {
        eprintln!(
            "skipped: CLOUD_EXPORT_TEST_TOOLS is not set; tests/run installs the tools and sets it"
        );
    }
    tools
}

/// Runs a program below `tests/`; returns the report that it prints.
///
/// # Panics
/// The program fails, or prints no report.
pub fn report(
    tools: &Path,
    program: &str,
    arguments: &[OsString],
    environment: &[(&str, OsString)],
) -> Value {
    let mut path = OsString::from(tools.join("bin"));
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let output = Command::new(tools.join("bin/python"))
        .arg(project().join("tests").join(program))
        .args(arguments)
        .env("PATH", path)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("Python starts");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!(
            "{program} printed no report ({e}), status {}",
            output.status
        )
    });
    assert!(output.status.success(), "{program}: {report:#}");
    report
}
