//! The flow forwarder: what happens between an S3 event and delivered records.
//!
//! ```text
//! event ─▶ work ─▶ source ─▶ pipeline (decode ─▶ read ─▶ encode ─▶ batch) ─▶ destinations ─▶ answer
//! ```
//!
//! `main.rs` runs [`Forwarder::handle`] under the Lambda runtime; the command line and the tests
//! call the same method.

pub mod answer;
pub mod config;
pub mod event;
pub mod failure;
pub mod forwarder;
pub mod pipeline;
pub mod report;
pub mod source;

pub use answer::Answer;
pub use config::Config;
pub use failure::Failure;
pub use forwarder::Forwarder;
