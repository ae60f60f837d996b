//! What both functions run in: settings from the environment, the time an invocation has left, log
//! lines, metrics, and the way to AWS.

pub mod aws;
pub mod budget;
pub mod logging;
pub mod metrics;
pub mod settings;

pub use budget::Budget;
pub use settings::{SettingError, Variable};
