//! Volume control: which records are kept, and how many others each of them stands for.
//!
//! ```text
//! record ─▶ rules: the first whose conditions hold ─┬─▶ drop
//!  and its enrichment                               ├─▶ keep ──────────┐
//!                                                   └─▶ sample 1/n ────┴─▶ limits ─▶ kept, at a rate
//! ```
//!
//! Rules are text of one setting, such as `keep action=REJECT; drop port=53 protocol=udp; sample 1/10; limit 500/s
//! per device`. Sampling is by flow and depends on the flow alone, so that both directions, all windows and all
//! logs of a connection are kept or left out together. A limit raises the rate instead of cutting off. Each kept
//! record has its rate, by which totals are scaled back; each other one is counted by its rule.
//!
//! `docs/selection.md` tells the language.

use std::sync::Arc;

mod condition;
mod counts;
mod identity;
mod limit;
mod observed;
mod ranges;
mod rule;
mod selector;
#[cfg(test)]
mod tests;

pub use counts::{Limited, MAX_LIMITED, SelectionCounts};
pub use rule::SelectionError;
pub(crate) use rule::{Slip, Word, parse_with};
pub use selector::Selector;

use rule::{Action, Per, Rule};

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is kept.
    Keep {
        /// How many records it stands for, 1 where only it: packets, bytes and counts times this are what the whole
        /// has on average.
        rate: u32,
    },
    /// It is not.
    Drop {
        /// The number of the rule that says so, see [`Selection::rules`].
        rule: usize,
    },
}

/// Which records are kept, read from its text.
///
/// ```
/// use telemetry::selection::Selection;
///
/// let selection: Selection = "keep action=REJECT; sample 1/10".parse()?;
/// assert_eq!(selection.rules().count(), 2);
///
/// let slip = "keep action=REJECT; drop dstprt=53".parse::<Selection>();
/// assert_eq!(slip.unwrap_err().character, 26);
/// # Ok::<(), telemetry::selection::SelectionError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    rules: Vec<Rule>,
}

impl Selection {
    /// Reads rules; a text without any keeps all records.
    ///
    /// # Errors
    /// A rule that cannot be understood: which, where, and what would be right.
    pub fn parse(text: &str) -> Result<Selection, SelectionError> {
        rule::parse(text).map(|rules| Selection { rules })
    }

    /// Whether there are no rules: then all records are kept, and a [`Selector`] is not worth its call.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules as they are written. Decisions and counts name them by their place here, counted from 0.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| &*rule.text)
    }

    /// The first rule that only enrichment can decide, if there is one. Without enrichment it is for no record.
    pub fn needs_enrichment(&self) -> Option<&str> {
        let needs = |rule: &&Rule| {
            let mut conditions = rule.conditions.iter();
            conditions.any(|condition| condition.subject.is_added())
        };
        self.rules.iter().find(needs).map(|rule| &*rule.text)
    }

    /// Whether decisions may depend on a record's enrichment: by a condition, by the direction, which enrichment
    /// knows better, or by a limit per device. Else records may be decided on before they are enriched.
    pub fn uses_enrichment(&self) -> bool {
        self.rules.iter().any(|rule| {
            let mut conditions = rule.conditions.iter();
            matches!(rule.action, Action::Limit(_, Per::Device))
                || conditions.any(|condition| condition.subject.is_improved())
        })
    }

    /// Whether kept records may stand for others: an encoder then writes the rate on each.
    pub fn samples(&self) -> bool {
        let samples = |rule: &Rule| matches!(rule.action, Action::Sample(_) | Action::Limit(..));
        self.rules.iter().any(samples)
    }

    /// A selector for the records of one object; `None` when all are kept.
    pub fn selector(self: &Arc<Selection>) -> Option<Selector> {
        (!self.is_empty()).then(|| Selector::new(Arc::clone(self)))
    }
}

impl std::str::FromStr for Selection {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Selection, SelectionError> {
        Selection::parse(text)
    }
}
