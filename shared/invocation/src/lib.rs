//! What both functions run in: settings from the environment, the time an invocation has left, log
//! lines, metrics, and the way to AWS.

pub mod aws;
pub mod budget;
pub mod json_client;
pub mod logging;
pub mod metrics;
#[cfg(any(test, feature = "scripted-http"))]
pub mod scripted_http;
pub mod service_call;
pub mod settings;

pub use budget::Budget;
pub use json_client::{JsonClient, JsonClientError, JsonService};
pub use settings::{SettingError, Variable};
