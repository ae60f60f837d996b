//! Deleting what was read: what every destination confirmed, what is still the same, and nothing outside the
//! prefixes that were named.
//!
//! Deleting comes last, and what comes last may not come at all. An object that stays costs its storage; one that
//! is announced again after it was deleted is done already.

use invocation::SettingError;

use crate::config::{DELETE_AFTER_READ, DELETE_PREFIXES, DESTINATIONS};
use crate::failure::Failure;
use crate::loop_guard::LoopGuard;
use crate::prefix::Prefix;
use delivery::DestinationUrl;
use delivery::destination::Place;

/// Which objects are deleted once they are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionSettings {
    /// Only objects below one of these; at least one.
    prefixes: Vec<Prefix>,
}

impl DeletionSettings {
    /// Reads the settings; `None` when nothing is deleted. `lookup` gives a variable's value.
    ///
    /// # Errors
    /// A variable whose value cannot be used, and what cannot be reconciled with deleting: a destination that does
    /// not confirm, or one whose own objects lie below the prefixes.
    pub fn from_lookup(
        lookup: &impl Fn(&str) -> Option<String>,
        destinations: &[DestinationUrl],
        guard: &LoopGuard,
    ) -> Result<Option<DeletionSettings>, SettingError> {
        let prefixes = DELETE_PREFIXES.value(lookup)?;
        let prefixes = prefixes.split_whitespace().map(Prefix::parse);
        let prefixes: Vec<Prefix> = prefixes
            .collect::<Result<_, _>>()
            .map_err(|problem| DELETE_PREFIXES.error(problem))?;
        match DELETE_AFTER_READ.value(lookup)?.trim() {
            "off" => return Ok(None),
            "on" => {}
            other => {
                return Err(DELETE_AFTER_READ.error(format!("{other:?} is neither on nor off")));
            }
        }
        if prefixes.is_empty() {
            return Err(DELETE_PREFIXES.error(format!(
                "{} is on, and nothing says which objects may be deleted",
                DELETE_AFTER_READ.name
            )));
        }
        if let Some(url) = destinations.iter().find(|url| url.place == Place::Stdout) {
            return Err(DESTINATIONS.error(format!(
                "{url} cannot confirm that records are kept, so {} must be off",
                DELETE_AFTER_READ.name
            )));
        }
        for prefix in &prefixes {
            if let Some(place) = guard.places().find(|place| place.overlaps(prefix)) {
                return Err(DELETE_PREFIXES.error(format!(
                    "{prefix} and {place}, where this function writes, overlap: it would read and delete its own output"
                )));
            }
        }
        Ok(Some(DeletionSettings { prefixes }))
    }

    /// Whether an object may be deleted.
    pub fn covers(&self, bucket: &str, key: &str) -> bool {
        self.prefixes
            .iter()
            .any(|prefix| prefix.contains(bucket, key))
    }
}

/// What became of deleting an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// It is deleted.
    Deleted,
    /// It was gone before it was read: an earlier attempt deleted it, and its event came again.
    DeletedBefore,
    /// Another object has its key by now, and stays.
    Replaced,
    /// It stays, because not all of it was delivered: rows of it or batches are kept aside, or were refused.
    Incomplete,
    /// It stays, because it could not be deleted.
    Failed(Failure),
}

impl Deletion {
    /// A short, stable name for log fields.
    pub fn label(&self) -> &'static str {
        match self {
            Deletion::Deleted => "deleted",
            Deletion::DeletedBefore => "deleted-before",
            Deletion::Replaced => "replaced",
            Deletion::Incomplete => "incomplete",
            Deletion::Failed(_) => "failed",
        }
    }
}
