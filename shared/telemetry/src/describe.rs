//! What AWS is asked about a network, and how its answers are read.
//!
//! ```text
//! catalogue ─▶ walk ─▶ Call ─▶ request ─▶ (sent by the caller) ─▶ answer ─▶ walk ─▶ rows of a section
//!    │                            ▲                                  ▲
//!    ├─▶ policy                   └──────────── model ───────────────┘
//!    └─▶ sections of a snapshot            shapes of AWS's services
//! ```
//!
//! Nothing here sends anything: requests and answers are values.

pub mod answer;
pub mod catalogue;
mod model;
pub mod partition;
pub mod policy;
pub mod redaction;
pub mod request;
mod route_search;
pub mod scalar;
pub mod service;
pub mod state;
pub mod walk;
mod xml;

pub use model::ModelError;
