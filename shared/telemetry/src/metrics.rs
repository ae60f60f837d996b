//! Metrics: what CloudWatch measured of a network, each datapoint once.
//!
//! ```text
//! catalogue ─▶ choice ─┐
//! ListMetrics ─▶ series ─▶ joined to the inventory ─▶ cost ─▶ windows (ledger) ─▶ reading ─▶ datapoints
//! ```
//!
//! What there is to measure is data; what is asked, when, and what an answer means is decided here. Who
//! asks, and where the datapoints and the ledger go, is not.

pub mod catalogue;
pub mod choice;
pub mod cost;
pub mod datapoint;
pub mod discovery;
pub mod ledger;
pub mod reading;
pub mod resources;
pub mod series;
pub mod statistic;
pub mod survey;

pub use catalogue::{Catalogue, Metric, Namespace, Set};
pub use choice::Choice;
pub use datapoint::{Datapoint, Measured};
pub use discovery::{Discovery, Listing};
pub use ledger::{Ledger, Reach};
pub use reading::{Query, Reading, Span};
pub use series::{Series, SeriesList};
pub use statistic::{Statistic, UnknownStatistic};
