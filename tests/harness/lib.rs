//! What the end-to-end tests run the real programs against.
//!
//! ```text
//! test ─▶ RuntimeApi ◀─HTTP─ the built binary ─HTTP─▶ S3Server ─▶ s3s-fs, in a temporary directory
//! ```
//!
//! Nothing here waits by the clock: every wait ends with an answer, with the end of the program
//! under test, or with [`within`], which only catches hangs.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

pub mod binaries;
pub mod chance;
pub mod enrichers;
pub mod fault_server;
pub mod generated;
pub mod golden;
pub mod programs;
pub mod runtime_api;
pub mod s3_server;
pub mod samples;

use std::path::{Path, PathBuf};
use std::time::Duration;

/// The root of the workspace, where `events/` and `samples/` are.
pub fn project() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("the crate is a directory of the workspace")
        .to_owned()
}

/// The result of work that must end some time; the bound only catches hangs.
pub async fn within<F: Future>(what: &str, work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(900), work)
        .await
        .unwrap_or_else(|_| panic!("{what} did not end"))
}

/// Reads one of the sample events.
pub fn event(file: &str) -> serde_json::Value {
    let path = project().join("events").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
