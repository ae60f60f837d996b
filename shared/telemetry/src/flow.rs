//! VPC and Transit Gateway flow logs: fields, layouts, records, and the two readers.

pub mod field;
pub mod layout;
pub(crate) mod number;
pub(crate) mod parquet;
pub mod record;
mod separators;
pub(crate) mod text;
