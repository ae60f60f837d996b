//! OpenTelemetry: log records and metrics as the protobuf messages of OTLP 1.x.
//!
//! ```text
//! Record ────▶ logs ────┐
//!                       ├─▶ resource: one of each account and region ─▶ ExportLogsServiceRequest
//! Datapoint ─▶ metrics ─┘                                               ExportMetricsServiceRequest
//! ```
//!
//! Messages and field numbers are those of opentelemetry-proto 1.x, names of attributes those of the semantic
//! conventions 1.44.0 where they have one; `docs/otlp.md` tells them all.

mod attribute;
mod firewall;
mod flow;
pub mod logs;
pub mod metrics;
mod protobuf;
mod resource;
#[cfg(test)]
pub(crate) mod tests;

pub use logs::OtlpLogsEncoder;
pub use metrics::OtlpMetricsEncoder;
pub use resource::Home;
