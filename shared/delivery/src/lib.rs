//! Where records go.
//!
//! ```text
//! Record, Change, Datapoint ─▶ encoding ─▶ compression ─▶ batch ─▶ destination: stdout | directory | s3 | http
//! ```
//!
//! What is delivered (the encoding) and where to (the destination) are separate. A [`Batch`] has an
//! identity derived from the object its records came from, so that delivering it again replaces
//! the earlier attempt wherever the destination can.

pub mod batch;
pub mod changes;
pub mod compression;
pub mod credential;
pub mod datapoints;
pub mod destination;
pub mod directory;
pub mod encoding;
pub mod firehose;
pub mod http;
mod influx;
pub mod lane;
pub mod ndjson;
pub mod ocsf;
pub mod otlp;
pub mod parquet;
pub mod partition;
pub mod retry;
pub mod s3;
pub mod secret;
pub mod service_failure;
mod stdout;
pub mod store;
mod texts;
mod zstandard;

pub use batch::{Batch, Batcher, Origin, Packing};
pub use changes::ChangeBatcher;
pub use datapoints::DatapointBatcher;
pub use destination::{AnyDestination, Confirmation, DeliveryError, Destination, DestinationUrl};
pub use lane::{Lane, Outlet, OutletCounts, Refusals};
pub use store::{Store, StoreUrl, StoreUrlError};
