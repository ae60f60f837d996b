//! Test programs in Python, since AWS's own client library and its emulators are.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aws_config::SdkConfig;
use serde_json::Value;
use tempfile::TempDir;

use crate::{project, s3_server};

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

/// A server that is one of the test programs: it prints a line of JSON with its `port` when it has started, and ends when
/// its standard input does, or when this is dropped.
#[derive(Debug)]
pub struct ServerProgram {
    child: Child,
    started: Value,
    address: String,
}

impl ServerProgram {
    /// Starts a program below `tests/`.
    pub fn start(tools: &Path, program: &str, arguments: &[OsString]) -> ServerProgram {
        let mut child = Command::new(tools.join("bin/python"))
            .arg(project().join("tests").join(program))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the server says its port");
        let started: Value = serde_json::from_str(&line).expect("the server says its port");
        ServerProgram {
            address: format!("http://127.0.0.1:{}", started["port"]),
            child,
            started,
        }
    }

    /// What it said when it had started.
    pub fn started(&self) -> &Value {
        &self.started
    }

    /// Its URL.
    pub fn endpoint(&self) -> &str {
        &self.address
    }

    /// A configuration for clients of AWS for which it stands.
    pub fn sdk_config(&self) -> SdkConfig {
        s3_server::client_config(self.address.clone())
    }
}

impl Drop for ServerProgram {
    fn drop(&mut self) {
        // It ends by itself when its standard input is closed; this is for a server that hangs.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The server that answers every call of the catalogue by AWS's service models. It ends when it is
/// dropped.
#[derive(Debug)]
pub struct ReplayServer {
    server: ServerProgram,
    work: TempDir,
}

impl ReplayServer {
    /// Starts the server. What a scenario may say is told at the top of `cloud/replay.py`.
    pub fn start(tools: &Path, scenario: &Value) -> ReplayServer {
        let work = tempfile::tempdir().expect("a directory can be made");
        let scenario_file = work.path().join("scenario.json");
        std::fs::write(&scenario_file, scenario.to_string()).expect("a file can be written");
        let record = work.path().join("record.ndjson");
        let arguments = [
            "--scenario".into(),
            scenario_file.into(),
            "--record".into(),
            record.into(),
        ];
        ReplayServer {
            server: ServerProgram::start(tools, "cloud/replay.py", &arguments),
            work,
        }
    }

    /// The URL that stands for AWS.
    pub fn endpoint(&self) -> &str {
        self.server.endpoint()
    }

    /// The requests that came so far.
    pub fn requests(&self) -> Vec<Value> {
        let record = self.work.path().join("record.ndjson");
        let record = std::fs::read_to_string(record).expect("the record can be read");
        let lines = record.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("the record is JSON"))
            .collect()
    }
}
