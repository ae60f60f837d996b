//! The flow forwarder: what happens between an S3 event and delivered records.
//!
//! ```text
//! event ─▶ groups ─▶ source ─▶ pipeline: reading (decode ─▶ read ─▶ enrich ─▶ encode ─▶ batch) ─▶ outlets ─▶ answer
//!                                                                  │
//!                                  index: directory and shards ────┘
//! ```
//!
//! `main.rs` runs [`Forwarder::handle`] under the Lambda runtime; the command line and the tests
//! call the same method.

pub mod answer;
mod backfill;
pub mod config;
pub mod deletion;
pub mod enrichment;
pub mod event;
pub mod failure;
pub mod forwarder;
mod group;
pub mod index;
pub mod listing;
pub mod loop_guard;
pub mod message_queue;
pub mod pipeline;
pub mod prefix;
pub mod quarantine;
pub mod reading;
pub mod report;
pub mod sides;
pub mod source;

pub use answer::Answer;
pub use config::Config;
pub use failure::Failure;
pub use forwarder::Forwarder;
pub use index::Index;
