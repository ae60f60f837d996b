//! Enrichment: who the two sides of a flow are, which way it took, what it costs and why it was rejected.
//!
//! ```text
//! record ─▶ near: the interface that logged it ─▶ resolution of both sides ─▶ classes of data transfer ─▶ cost
//!              │                                                         └─▶ rejection
//!              └─ index: shards and directory
//! ```
//!
//! [`enricher::Enricher`] is where to start. What is added is listed in [`field`]; AWS's own fields are never
//! changed.

pub mod aws_ranges;
pub mod dictionary;
pub mod enricher;
pub mod field;
pub mod geography;
pub mod price;
pub mod protocol;
pub mod rejection;
mod resolution;
pub mod side;
pub mod transfer;

pub use enricher::{Device, Enricher, Enrichment, Options, Origin};
pub use field::{FieldSet, FieldValue, FlowField, Level, SideField};
pub use resolution::{LoadShard, Loaded};
pub use side::{How, Party, Side, Status};
