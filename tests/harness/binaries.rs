//! The real programs: built once, started with a chosen environment, never left running.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::runtime_api::{Answer, RuntimeApi};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};
use crate::within;

/// Names the forwarder to test instead of the one built here, such as a release build.
pub const FORWARDER_TO_TEST: &str = "E2E_FLOW_FORWARDER";

/// The forwarder as Lambda runs it.
pub fn flow_forwarder() -> &'static Path {
    static CHOSEN: OnceLock<Option<PathBuf>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var_os(FORWARDER_TO_TEST).map(PathBuf::from));
    chosen
        .as_deref()
        .unwrap_or_else(|| &built()["flow-forwarder"])
}

/// The collector as Lambda runs it.
pub fn metadata_collector() -> &'static Path {
    &built()["metadata-collector"]
}

/// The command line program.
pub fn cloud_export() -> &'static Path {
    &built()["cloud-export"]
}

/// The programs by name: built, and asked of cargo, so that every way of choosing a target directory is honoured.
///
/// What is built is the workspace and its tests, as `cargo test --workspace` does it: cargo then finds all of it
/// done. A package alone would have other features of its dependencies, and build those once more.
fn built() -> &'static BTreeMap<String, PathBuf> {
    static PROGRAMS: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = std::process::Command::new(cargo)
            .args(["build", "--workspace", "--bins", "--test", "end_to_end"])
            .args(["--locked", "--message-format=json-render-diagnostics"])
            .current_dir(crate::project())
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo starts");
        assert!(output.status.success(), "the programs do not build");
        let messages = String::from_utf8(output.stdout).unwrap();
        messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["target"]["kind"][0] == "bin")
            .filter_map(|message| {
                let name = message["target"]["name"].as_str()?.to_owned();
                Some((name, message["executable"].as_str()?.into()))
            })
            .collect()
    })
}

/// A running function.
#[derive(Debug)]
pub struct Function {
    /// The Runtime API it talks to.
    pub api: RuntimeApi,
    /// From the start of the process to its first request for an event.
    pub init: Duration,
    process: Process,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    // Dropped after the process, which has its home and its spool in it.
    _home: TempDir,
}

/// A process that does not outlive its handle, however the test ends.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when the process has ended already.
        drop(self.0.start_kill());
        while let Ok(None) = self.0.try_wait() {
            std::thread::yield_now();
        }
    }
}

/// What a program wrote.
#[derive(Debug)]
pub struct Output {
    /// Whether it ended by itself, and well.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Lines of standard output that are records in embedded metric format.
    pub fn metrics(&self) -> Vec<Value> {
        self.json(|line| !line["_aws"].is_null())
    }

    /// Log lines: everything else on standard output. A line that is no JSON is a failed test.
    pub fn logs(&self) -> Vec<Value> {
        self.json(|line| line["_aws"].is_null())
    }

    /// Log lines of objects, forwarded or not.
    pub fn object_logs(&self) -> Vec<Value> {
        let fields = self.logs().into_iter().map(|log| log["fields"].clone());
        fields
            .filter(|fields| fields["bucket"].is_string())
            .collect()
    }

    fn json(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .filter(wanted)
            .collect()
    }
}

/// The environment of a function: Lambda's variables, the S3 server's address, dummy credentials
/// and these settings.
fn environment(
    api: &RuntimeApi,
    server: &S3Server,
    home: &Path,
    settings: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let home = home.to_str().unwrap();
    let fixed = [
        ("AWS_LAMBDA_RUNTIME_API", &*api.address()),
        ("AWS_LAMBDA_FUNCTION_NAME", "flow-forwarder"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/flow-forwarder"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/20/[$LATEST]1"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ENDPOINT_URL_S3", &*server.endpoint()),
        ("HOME", home),
        ("CLOUD_EXPORT_SPOOL", home),
        (
            "CLOUD_EXPORT_DESTINATIONS",
            "s3://records-use1/flows?compression=none",
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut environment = BTreeMap::from(fixed);
    for (name, value) in settings {
        environment.insert((*name).to_owned(), (*value).to_owned());
    }
    environment
}

impl Function {
    /// Starts the forwarder and waits until it asks for its first event.
    pub async fn start(server: &S3Server, settings: &[(&str, &str)]) -> Function {
        Function::start_of(flow_forwarder, server, settings).await
    }

    /// Starts a function and waits until it asks for its first event. What names the program may first build it.
    pub async fn start_of<P: AsRef<OsStr> + Send + 'static>(
        binary: impl FnOnce() -> P + Send + 'static,
        server: &S3Server,
        settings: &[(&str, &str)],
    ) -> Function {
        let started = Instant::now();
        let mut function = Function::spawn(binary, server, settings).await;
        let polled = within("the function's initialisation", async {
            tokio::select! {
                () = function.api.polled() => true,
                _ = function.process.0.wait() => false,
            }
        });
        if !polled.await {
            let output = function.finish().await;
            panic!("the function ended before its first event: {output:?}");
        }
        function.init = started.elapsed();
        function
    }

    /// Starts the forwarder, which is expected to end by itself.
    pub async fn start_in_vain(
        server: &S3Server,
        settings: &[(&str, &str)],
    ) -> (Output, Vec<Value>) {
        let mut function = Function::spawn(flow_forwarder, server, settings).await;
        let ended = within("the function", async {
            tokio::select! {
                () = function.api.polled() => None,
                status = function.process.0.wait() => Some(status.unwrap()),
            }
        });
        let status = ended
            .await
            .expect("the function asked for an event, but was to end");
        let init_errors = function.api.init_errors();
        let mut output = function.finish().await;
        output.success = status.success();
        (output, init_errors)
    }

    async fn spawn<P: AsRef<OsStr> + Send + 'static>(
        binary: impl FnOnce() -> P + Send + 'static,
        server: &S3Server,
        settings: &[(&str, &str)],
    ) -> Function {
        let binary = tokio::task::spawn_blocking(binary).await.unwrap();
        let api = RuntimeApi::start().await;
        let home = tempfile::tempdir().unwrap();
        let mut child = Command::new(binary)
            .env_clear()
            .envs(environment(&api, server, home.path(), settings))
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = tokio::spawn(read_all(child.stdout.take().unwrap()));
        let stderr = tokio::spawn(read_all(child.stderr.take().unwrap()));
        Function {
            api,
            init: Duration::ZERO,
            process: Process(child),
            stdout,
            stderr,
            _home: home,
        }
    }

    /// Invokes the function with five minutes to its deadline, which is enough beside many other tests.
    pub async fn invoke(&mut self, event: &Value) -> Answer {
        self.invoke_for(event, Duration::from_secs(300)).await
    }

    /// Invokes the function with this long to its deadline.
    pub async fn invoke_for(&mut self, event: &Value, remaining: Duration) -> Answer {
        let body = event.to_string();
        let answered = within("the invocation", async {
            tokio::select! {
                answer = self.api.invoke(body, remaining) => Some(answer),
                _ = self.process.0.wait() => None,
            }
        });
        match answered.await {
            Some(answer) => answer,
            None => panic!("the function died"),
        }
    }

    /// Invokes the function and kills it (SIGKILL) at a moment; returns whether it had answered by then.
    pub async fn kill_at(mut self, event: &Value, moment: impl Future<Output = ()>) -> bool {
        let body = event.to_string();
        let answered = within("the invocation or its end", async {
            tokio::select! {
                _ = self.api.invoke(body, Duration::from_secs(60)) => true,
                () = moment => false,
            }
        });
        let answered = answered.await;
        self.process.0.kill().await.unwrap();
        answered
    }

    /// The most memory the process has used so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let id = self.process.0.id().expect("the function runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.trim().strip_suffix(" kB")).unwrap();
        kib.trim().parse::<u64>().unwrap() << 10
    }

    /// Ends the process and gives all that it wrote.
    pub async fn finish(mut self) -> Output {
        self.process.0.kill().await.unwrap();
        Output {
            success: false,
            stdout: self.stdout.await.unwrap(),
            stderr: self.stderr.await.unwrap(),
        }
    }
}

async fn read_all(mut pipe: impl AsyncRead + Unpin) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).await.unwrap();
    text
}
