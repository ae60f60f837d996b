//! The domain of Cloud Export: what AWS writes about a network, read into typed records.
//!
//! ```text
//! bytes ─▶ decode ─▶ log ─┬─▶ flow::text      VPC and Transit Gateway flow logs, text
//!  (gzip, zstd, plain)    ├─▶ flow::parquet   the same as Parquet
//!                         └─▶ firewall        Network Firewall alert, flow and TLS logs
//!                                 │
//!                                 ▼
//!                              Record, and Counts of every row that is not one
//! ```
//!
//! Everything here takes readers and values and returns values: no AWS client, no async runtime,
//! no clock and no environment. [`log::LogReader`] is where to start.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::string_slice, clippy::get_unwrap)
)]

pub mod analysis;
pub mod change;
pub mod counts;
pub mod coverage;
pub mod decode;
pub mod describe;
pub mod diagnosis;
pub mod enrichment;
pub mod failure;
pub mod firewall;
pub mod flow;
pub mod generate;
pub mod index;
pub mod inventory;
pub mod log;
pub mod metrics;
pub mod object_key;
pub mod selection;
pub mod snapshot;
pub mod status;
pub mod target;

pub use counts::{Counts, RowError, RowErrorKind};
pub use decode::{DecodeLimits, ReadError};
pub use failure::FailureClass;
pub use firewall::FirewallRecord;
pub use flow::record::{Cell, Datum, FlowRecord, Value};
pub use flow::{field::Field, layout::Layout};
pub use log::{LogReader, ReadOptions, Record, Row};
pub use object_key::ObjectKey;
