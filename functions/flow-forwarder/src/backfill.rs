//! Backfills: objects that lie in a bucket already, forwarded in the order of their keys until there are no more or
//! the time is over. What is left then is told by the last key that is done.

use crate::event::ObjectRef;
use crate::failure::Failure;
use crate::forwarder::{Forwarder, Progress};
use crate::listing::Listing;
use crate::message_queue::messages;
use crate::source::ObjectSource;
use invocation::Budget;
use serde_json::json;

use crate::answer::worst;
use crate::group::Asked;

/// Objects that are forwarded before it is noted how far a backfill is.
const OBJECTS_AT_ONCE: usize = 64;

/// What became of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Walked {
    /// All of it is done.
    Done,
    /// The time was over.
    Until {
        /// What lies behind this key is not done.
        after: String,
        /// Objects up to it that failed, by bucket and key.
        failed: Vec<(String, Failure)>,
    },
}

impl Forwarder {
    /// Forwards what a backfill asks for, or hands it to the queue for backfills, where there is one.
    ///
    /// # Errors
    /// The bucket cannot be listed, or the worst failure of an object. All before it may be done.
    pub(crate) async fn walk(
        &self,
        listing: &Listing,
        budget: &Budget,
        progress: &mut Progress<'_>,
    ) -> Result<Walked, Failure> {
        let queue = self.backfill_queue()?;
        let mut place = listing.clone();
        let mut failures: Vec<(String, Failure)> = Vec::new();
        'listing: loop {
            let Some(page) = budget.run(self.source().list(&place)).await else {
                break;
            };
            let page = page?;
            for chunk in page.listed.chunks(OBJECTS_AT_ONCE) {
                if budget.is_spent() {
                    break 'listing;
                }
                let own = |object: &ObjectRef| {
                    let own = self.config().guard.own(&object.bucket, &object.key);
                    own.is_some()
                };
                let chosen = chunk.iter().filter(|listed| listing.chooses(listed));
                let chosen = chosen.map(|listed| &listed.object);
                let (own, chosen): (Vec<_>, Vec<_>) = chosen.partition(|object| own(object));
                progress.report.ignored += own.len() as u64;
                if let Some(queue) = &queue {
                    queue.send(&messages(chosen)).await?;
                    let last = chunk.last().map(|listed| listed.object.key.clone());
                    place.after = last.or(place.after);
                    continue;
                }
                // They may have been forwarded as they were written, among others.
                let asked = chosen.into_iter().map(|object| Asked {
                    object,
                    again: true,
                });
                let before = progress.objects.len();
                self.forward(asked.collect(), 1, budget, progress).await;
                let done = progress.objects.iter().skip(before);
                let failed = done.filter_map(|report| {
                    let name = format!("{}/{}", report.object.bucket, report.object.key);
                    Some((name, report.outcome.failure.clone()?))
                });
                let failed: Vec<(String, Failure)> = failed.collect();
                // All of the chunk is asked for again then.
                if failed.iter().any(|(_, failure)| failure.is_deadline()) {
                    break 'listing;
                }
                failures.extend(failed);
                let last = chunk.last().map(|listed| listed.object.key.clone());
                place.after = last.or(place.after);
            }
            if !page.is_cut || page.listed.is_empty() {
                return match worst_named(&failures) {
                    None => Ok(Walked::Done),
                    Some(failure) => Err(failure),
                };
            }
        }
        if let Some(queue) = &queue {
            let rest = json!({"backfill": place.to_json()}).to_string();
            queue.send(&[rest]).await?;
            return Ok(Walked::Done);
        }
        match place.after {
            Some(after) if Some(&after) != listing.after.as_ref() => Ok(Walked::Until {
                after,
                failed: failures,
            }),
            // Another attempt would not come any further.
            _ => Err(Failure::deadline()),
        }
    }
}

/// The failure that speaks for several, with the object that it is of.
fn worst_named(failures: &[(String, Failure)]) -> Option<Failure> {
    let worst = worst(failures.iter().map(|(_, failure)| failure))?;
    let (object, _) = failures.iter().find(|(_, failure)| failure == worst)?;
    let others = match failures.len() {
        1 => String::new(),
        all => format!(", and {} others failed", all - 1),
    };
    Some(Failure {
        message: format!("{object}: {}{others}", worst.message),
        ..worst.clone()
    })
}
