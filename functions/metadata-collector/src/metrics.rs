//! The metrics of an account and region: read from CloudWatch, and told to the destinations, each datapoint once.
//!
//! ```text
//! order ─▶ store: ledger, series ─▶ ListMetrics ─▶ claim ─▶ part: GetMetricData ─▶ datapoints ─▶ destinations
//!             ▲                                                                                      │ confirmed
//!             └──────────────────────────── settle: cursors moved ◀──────────────────────────────────┘
//! ```
//!
//! What is asked, in which windows, and what an answer means is decided in [`telemetry::metrics`].

mod delivery;
mod measuring;
mod report;
mod store;

pub use crate::feed::Rejected;
pub(crate) use measuring::{Measuring, MetricOrder, parts};
pub(crate) use report::METRICS;
pub use report::{LeftOut, MetricPlan, MetricReport, MetricState, MetricSummary};
pub use store::{MetricStore, ledger_key, series_key};
