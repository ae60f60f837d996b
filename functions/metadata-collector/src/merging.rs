//! Objects that every run puts its part into: read, merged, and written unless somebody else wrote in the
//! meantime.

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;
use delivery::Store;
use delivery::store::{Condition, Fetched, StoreError};
use invocation::Budget;

/// How often an object is merged anew because others wrote it in the meantime.
const ATTEMPTS: u32 = 10;

/// The longest pause before an object is merged for the second time; those after grow.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause of all.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// An object that runs share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared {
    /// Its key.
    pub key: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// The most bytes it may have to be read.
    pub limit: u64,
}

/// An object as it was written.
#[derive(Debug)]
pub(crate) struct Written {
    /// What is in it.
    pub bytes: Bytes,
    /// What tells it from a later one; `None` where that cannot be told.
    pub revision: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum MergeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{place}: {reason}")]
    NotMerged { place: String, reason: String },
}

/// Merges into an object what `merge` makes of what is there. Others do so at the same time: what they wrote in
/// the meantime is merged anew, until the budget is spent. `who` tells runs apart, so that those who met do not meet
/// again.
///
/// Returns what was written; `None` when `merge` gave nothing to write.
///
/// # Errors
/// A sentence: the object is as it was.
pub(crate) async fn merge_into<E: Display>(
    objects: &Store,
    shared: Shared,
    who: &impl Hash,
    budget: &Budget,
    merge: impl Fn(Option<Bytes>) -> Result<Option<Bytes>, E>,
) -> Result<Option<Written>, String> {
    let mut attempt = 0;
    loop {
        let error = match once(objects, shared, &merge).await {
            Ok(written) => {
                let bytes = written.as_ref().map_or(0, |written| written.bytes.len());
                tracing::debug!(key = shared.key, bytes, attempt, "merged");
                return Ok(written);
            }
            Err(error @ MergeError::Store(StoreError::Replaced(_))) => error,
            Err(error) => return Err(error.to_string()),
        };
        attempt += 1;
        let rested = budget.run(tokio::time::sleep(pause(attempt, who)));
        if attempt == ATTEMPTS || rested.await.is_none() {
            return Err(format!("{error}, {attempt} times"));
        }
    }
}

async fn once<E: Display>(
    objects: &Store,
    shared: Shared,
    merge: &impl Fn(Option<Bytes>) -> Result<Option<Bytes>, E>,
) -> Result<Option<Written>, MergeError> {
    let not_merged = |reason: String| MergeError::NotMerged {
        place: objects.place(shared.key),
        reason,
    };
    let (before, object) = match objects.get_at_most(shared.key, None, shared.limit).await? {
        Fetched::Object { bytes, revision } => (Some(bytes), Some(revision)),
        Fetched::Missing | Fetched::Unchanged => (None, None),
        Fetched::TooLarge { size, .. } => {
            return Err(not_merged(format!(
                "it has {size} bytes, and is not read above {}",
                shared.limit
            )));
        }
    };
    let merged = merge(before).map_err(|error| not_merged(error.to_string()))?;
    let Some(bytes) = merged else {
        return Ok(None);
    };
    let condition = condition(object.as_ref());
    let put = objects.put(shared.key, bytes.clone(), condition, shared.content_type);
    let revision = put.await?;
    Ok(Some(Written { bytes, revision }))
}

/// The condition under which an object is still as it was read; `None` for one that was not there.
pub(crate) fn condition(object: Option<&Option<String>>) -> Condition<'_> {
    match object {
        None => Condition::New,
        Some(revision) => Condition::Same(revision.as_deref()),
    }
}

/// How long to wait before an attempt: longer each time, and of another length for each run, so that
/// those who met do not meet again.
fn pause(attempt: u32, who: &impl Hash) -> Duration {
    let mut hasher = DefaultHasher::new();
    attempt.hash(&mut hasher);
    who.hash(&mut hasher);
    let longest = FIRST_PAUSE
        .saturating_mul(1 << attempt.saturating_sub(1).min(16))
        .min(LONGEST_PAUSE);
    let share = u32::try_from(hasher.finish() % 1024).unwrap_or_default();
    longest / 2 + longest.saturating_mul(share) / 2048
}
