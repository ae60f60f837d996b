//! The metadata collector: what AWS knows about a network, asked in every account and region, and
//! kept.
//!
//! ```text
//! job ─▶ collector ─▶ plan ─▶ sessions (role chains) ─▶ unit (account, region) ─▶ snapshot ─▶ store
//!            │                                            │    ▲                     │
//!            └─▶ queue (what is handed on)                ▼    │                     ├─▶ feed ─▶ destinations
//!                                  cloud: aws_cloud (at its pace) or recorded_cloud  ├─▶ index (shards, directory)
//!                                                                                └─▶ status (document, page)
//! ```
//!
//! What is asked and how answers are read is data of the [`telemetry::describe`] module; here is who
//! asks, with which credentials, at which pace, and until when.

pub mod answer;
pub mod aws_cloud;
pub mod cloud;
pub mod collector;
pub mod config;
mod feed;
pub mod glance;
pub mod index;
pub mod job;
mod merging;
pub mod metrics;
pub mod pace;
mod plan;
pub mod queue;
pub mod recorded_cloud;
pub mod report;
pub mod sessions;
pub mod status;
pub mod store;
pub mod unit;

pub use answer::Answer;
pub use collector::Collector;
pub use config::Config;
