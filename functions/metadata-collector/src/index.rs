//! The index of what was collected, which flows are enriched from: a shard for each account and region,
//! and one directory of all.
//!
//! ```text
//! snapshot ─▶ Inventory ─┬─▶ shard, with what vanished since the one before ─▶ index/<account>/<region>.idx
//!                        └─▶ part ─▶ the parts of an invocation ─▶ merged into index/directory.idx
//! ```
//!
//! Nothing of it is lost for good when it cannot be written: the next run makes it anew from its snapshots.

use std::time::Duration;

use bytes::Bytes;
use delivery::Store;
use delivery::store::StoreError;
use invocation::Budget;
use telemetry::describe::catalogue::Scope;
use telemetry::index::{self, DIRECTORY_KEY, Directory, IndexUnit, Shard, shard_key};
use telemetry::inventory::Inventory;
use telemetry::snapshot::Snapshot;

use crate::merging::{Shared, condition, merge_into};
use crate::report::Indexed;

/// The media type of an index file.
const CONTENT_TYPE: &str = "application/octet-stream";

/// The directory of the index.
const DIRECTORY: Shared = Shared {
    key: DIRECTORY_KEY,
    content_type: CONTENT_TYPE,
    limit: u64::MAX,
};

const TOO_LARGE: &str = "it would be larger than an index file can be";

/// Writes the shard of a unit whose snapshot was kept, by its inventory; interfaces that vanished stay in it for `keep`.
/// The unit `global` has none.
///
/// Returns the unit's part of the directory, which is there without the shard too, and what was written
/// or why nothing was, as a sentence.
pub async fn write_unit(
    objects: &Store,
    snapshot: &Snapshot,
    inventory: Inventory,
    keep: Duration,
) -> (Option<Directory>, Result<Indexed, String>) {
    let unit = &snapshot.unit;
    let key = shard_key(&unit.account, &unit.region);
    let previous = match unit.scope() {
        Scope::Global => None,
        Scope::Regional => Some(previous_shard(objects, &key).await),
    };
    let (part, shard) = made(snapshot, inventory, previous.as_ref(), keep);
    let written = match (previous, shard) {
        (None, _) => Ok(Indexed::default()),
        (Some(Err(error)), _) => Err(error.to_string()),
        (Some(Ok(_)), None) => Err(format!("{}: {TOO_LARGE}", objects.place(&key))),
        (Some(Ok(previous)), Some(bytes)) => previous.replace(objects, &key, bytes).await,
    };
    match part {
        Ok(part) => (Some(part), written),
        Err(reason) => (None, written.and(Err(reason))),
    }
}

/// The shard that is there before a new one is written.
struct Previous {
    /// The shard; `None` when there is none that can be read.
    shard: Option<Shard>,
    /// What is there; `None` for nothing.
    object: Option<Option<String>>,
}

async fn previous_shard(objects: &Store, key: &str) -> Result<Previous, StoreError> {
    let Some((bytes, revision)) = objects.object(key).await? else {
        return Ok(Previous {
            shard: None,
            object: None,
        });
    };
    let shard = Shard::open(bytes)
        .inspect_err(|error| {
            let place = objects.place(key);
            tracing::warn!(%place, %error, "replaced; interfaces that vanished are forgotten");
        })
        .ok();
    Ok(Previous {
        shard,
        object: Some(revision),
    })
}

impl Previous {
    async fn replace(self, objects: &Store, key: &str, bytes: Bytes) -> Result<Indexed, String> {
        let indexed = Indexed {
            bytes: bytes.len(),
            interfaces: Shard::open(bytes.clone())
                .map_err(|error| error.to_string())?
                .interfaces()
                .len() as usize,
        };
        let condition = condition(self.object.as_ref());
        let put = objects.put(key, bytes, condition, CONTENT_TYPE).await;
        put.map(|_| indexed).map_err(|error| error.to_string())
    }
}

/// Makes the unit's part of the directory, and its shard where that is wanted.
fn made(
    snapshot: &Snapshot,
    inventory: Inventory,
    previous: Option<&Result<Previous, StoreError>>,
    keep: Duration,
) -> (Result<Directory, String>, Option<Bytes>) {
    // Times at which interfaces come and go are told by when AWS was asked for them.
    let interfaces = snapshot.report("NetworkInterfaces");
    let asked = interfaces.and_then(|report| report.observed);
    let asked = asked.unwrap_or(snapshot.started).as_second();
    let unit = IndexUnit {
        account: &snapshot.unit.account,
        region: &snapshot.unit.region,
        collected: u32::try_from(asked.max(0)).unwrap_or(u32::MAX),
    };
    let shard = previous.and_then(|previous| {
        let before = previous.as_ref().ok()?.shard.as_ref();
        let keep = u32::try_from(keep.as_secs()).unwrap_or(u32::MAX);
        index::shard(&inventory, unit, before, keep)
    });
    let told = shard.clone().and_then(|bytes| Shard::open(bytes).ok());
    let part = index::directory_part(&inventory, unit, told.as_ref())
        .ok_or_else(|| format!("the unit's part of the directory: {TOO_LARGE}"))
        .and_then(|bytes| Directory::open(bytes).map_err(|error| error.to_string()));
    (part, shard)
}

/// Puts parts into the directory of all accounts and regions. Others do so at the same time: what they
/// wrote in the meantime is merged anew, until the budget is spent.
///
/// A directory that cannot be read is replaced: the other units are in it again after their next run.
///
/// # Errors
/// A sentence: the directory is as it was.
pub async fn write_directory(
    objects: &Store,
    parts: &[Directory],
    budget: &Budget,
) -> Result<(), String> {
    let units = parts.iter().flat_map(|part| part.units());
    let who: Vec<(&str, &str)> = units
        .map(|(account, region, _)| (account, region))
        .collect();
    let written = merge_into(objects, DIRECTORY, &who, budget, |before| {
        let mut all = Vec::new();
        if let Some(bytes) = before {
            match Directory::open(bytes) {
                Ok(before) => all.push(before),
                Err(error) => {
                    let place = objects.place(DIRECTORY_KEY);
                    tracing::warn!(%place, %error, "replaced; what others collected comes back with their next run");
                }
            }
        }
        all.extend_from_slice(parts);
        Directory::merge(&all).map(Some).ok_or(TOO_LARGE)
    });
    written.await.map(|_| ())
}
