//! The index: what flows are enriched from, as the collector writes it and the forwarder reads it.
//!
//! ```text
//! a unit's snapshot ─▶ Inventory ─▶ builder ─┬─▶ Shard      index/<account>/<region>.idx
//!                        the shard before ───┘
//!                                            └─▶ Directory  a part for each unit, merged: index/directory.idx
//! ```
//!
//! A [`Shard`] is what one account has in one region: interfaces with their addresses, subnets, route
//! tables, rules. The [`Directory`] says what is where, over all accounts and regions: VPCs, who is
//! connected with whom, public addresses, names of accounts. Both are used as they are read, see [`mod@format`].
//! Interfaces that vanished stay in the shards for a time, and every address has the times it was held at.

pub mod builder;
pub mod directory;
pub mod documents;
pub mod format;
pub mod resource;
pub mod shard;

pub use builder::{IndexUnit, directory_part, shard};
pub use directory::Directory;
pub use documents::{DocumentIndex, Documents, of_documents};
pub use format::FormatError;
pub use shard::{GatewayKind, Holder, Shard};

/// The key of the directory, below the place that metadata are kept in.
pub const DIRECTORY_KEY: &str = "index/directory.idx";

/// The key of a unit's shard, below the place that metadata are kept in.
pub fn shard_key(account: &str, region: &str) -> String {
    format!("index/{account}/{region}.idx")
}

#[cfg(test)]
mod tests;
