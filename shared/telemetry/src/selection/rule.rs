//! Rules, and the text they are written in.

use std::sync::Arc;

use super::condition::Condition;

/// The highest rate that a rule may sample at; limits raise it further.
pub(super) const MAX_RATE: u32 = 10_000;

/// What a limit is a limit of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Per {
    /// Each device.
    Device,
    /// All records of an object.
    Export,
}

/// What becomes of records that a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Keep,
    Drop,
    /// One flow in so many is kept.
    Sample(u32),
    /// So many records a minute are kept.
    Limit(u64, Per),
}

/// One rule: it is for records that all its conditions hold for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) text: Box<str>,
    pub(super) action: Action,
    pub(super) conditions: Vec<Arc<Condition>>,
}

/// Rules that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}, at character {character} of the selection, {part:?}: {reason}")]
pub struct SelectionError {
    /// Which rule, counted from 1.
    pub rule: usize,
    /// Where the part starts, in characters counted from 1.
    pub character: usize,
    /// The part that is not understood.
    pub part: String,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

/// A word and where it starts, in bytes of the whole text.
pub(crate) type Word<'t> = (usize, &'t str);

/// Why a word is wrong, as a sentence.
pub(crate) type Slip<'t> = (Word<'t>, String);

/// Reads rules: they are separated by `;` or stand on lines of their own.
pub(super) fn parse(text: &str) -> Result<Vec<Rule>, SelectionError> {
    parse_with(text, rule)
}

/// Reads rules of which each is read by `rule`, from its text and its words, of which there is at least one.
pub(crate) fn parse_with<'t, R>(
    text: &'t str,
    mut rule: impl FnMut(&'t str, &[Word<'t>]) -> Result<R, Slip<'t>>,
) -> Result<Vec<R>, SelectionError> {
    let mut rules = Vec::new();
    let mut start = 0;
    for part in text.split([';', '\n']) {
        let words = words(part, start);
        start += part.len() + 1;
        if words.is_empty() {
            continue;
        }
        let rule = rule(part.trim(), &words).map_err(|((at, word), reason)| SelectionError {
            rule: rules.len() + 1,
            character: text.get(..at).unwrap_or_default().chars().count() + 1,
            part: word.to_owned(),
            reason,
        })?;
        rules.push(rule);
    }
    Ok(rules)
}

fn words(text: &str, start: usize) -> Vec<Word<'_>> {
    let mut at = start;
    let mut words = Vec::new();
    for word in text.split(char::is_whitespace) {
        if !word.is_empty() {
            words.push((at, word));
        }
        // Whitespace may be longer than a byte.
        let after = text.get(at - start + word.len()..).unwrap_or_default();
        at += word.len() + after.chars().next().map_or(0, char::len_utf8);
    }
    words
}

fn rule<'t>(text: &str, words: &[Word<'t>]) -> Result<Rule, Slip<'t>> {
    let mut rest = words.iter().copied();
    let first = rest.next().unwrap_or_default();
    let action = match first.1.to_ascii_lowercase().as_str() {
        "keep" => Action::Keep,
        "drop" => Action::Drop,
        "sample" => Action::Sample(rate(rest.next().unwrap_or(first))?),
        "limit" => {
            let count = count(rest.next().unwrap_or(first))?;
            let [per, of] = [rest.next().unwrap_or(first), rest.next().unwrap_or(first)];
            let per = match (per.1, of.1) {
                ("per", "device") => Per::Device,
                ("per", "export") => Per::Export,
                _ => {
                    let reason =
                        "a limit is one per device or per export, as in limit 500/s per device";
                    return Err((per, reason.to_owned()));
                }
            };
            Action::Limit(count, per)
        }
        _ => {
            let reason = "rules start with keep, drop, sample or limit, as in drop dstport=53 protocol=udp; sample 1/10 action=ACCEPT";
            return Err((first, reason.to_owned()));
        }
    };
    let mut rest = rest.peekable();
    rest.next_if(|(_, word)| *word == "where");
    let conditions = rest
        .map(|word| match Condition::parse(word.1) {
            Ok(condition) => Ok(Arc::new(condition)),
            Err(reason) => Err((word, reason)),
        })
        .collect::<Result<_, _>>()?;
    Ok(Rule {
        text: text.into(),
        action,
        conditions,
    })
}

/// `1/10`.
fn rate(word: Word<'_>) -> Result<u32, Slip<'_>> {
    let rate = word.1.strip_prefix("1/").and_then(|rate| rate.parse().ok());
    rate.filter(|rate| (1..=MAX_RATE).contains(rate))
        .ok_or_else(|| {
            let reason = format!(
                "a share of the flows is written as 1/10, from 1/1 to 1/{MAX_RATE}, as in sample 1/10 action=ACCEPT"
            );
            (word, reason)
        })
}

/// `500/s` or `500/min`, as records a minute.
fn count(word: Word<'_>) -> Result<u64, Slip<'_>> {
    let parts = word.1.split_once('/').and_then(|(count, unit)| {
        let minute = match unit {
            "s" => 60,
            "min" => 1,
            _ => return None,
        };
        count.parse::<u32>().ok()?.checked_mul(minute)
    });
    parts
        .filter(|count| *count > 0)
        .map(u64::from)
        .ok_or_else(|| {
            let reason = "a limit is a number of records a second or minute of the flows' time, as in limit 500/s per device or limit 20/min per device";
            (word, reason.to_owned())
        })
}
