//! Every end-to-end test, in one program. A file beside this one is a module of it: a new one needs its line here.
//!
//! Tests run at once, more of them than there are cores, since many wait: for servers to start, for pauses between
//! attempts. So a test has its servers, ports and directories to itself, changes nothing of the process, and asserts
//! nothing about how long it took.

mod aws_destinations;
mod check;
mod collector;
mod contracts;
mod deploy;
mod enrichment;
mod faults;
mod forwarder;
mod http;
mod metrics;
mod ocsf;
mod otlp;
mod parquet;
mod release;
mod replay;
mod restart;
mod status;
mod template;
