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

pub mod catalogue;
pub mod partition;
pub mod service;
pub mod state;
