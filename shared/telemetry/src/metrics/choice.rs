//! Which metrics are asked for.
//!
//! ```text
//! none, default or all ─▶ rules in their order: include adds, exclude takes away, only keeps ─▶ statistics
//! ```
//!
//! Rules are text of one setting, such as `include namespace=AWS/EC2 metric=EBS* statistic=Sum,p99; exclude tag:env=dev`.
//! They decide for each metric at each set of dimensions which statistics are asked for. What a rule does not say is
//! for `include` as by default, and for `exclude` and `only` anything. `docs/metrics.md` tells the language.

mod condition;
mod near;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use condition::{Condition, Series, Subject};

use super::{Catalogue, Measured, Metric, Namespace, Set, Statistic};
use crate::selection::{SelectionError, Slip, Word, parse_with};

/// Which metrics are asked for, read from its text.
///
/// ```
/// use telemetry::metrics::{Catalogue, Choice};
///
/// let choice: Choice = "exclude namespace=AWS/S3; include metric=CPUUtilization statistic=p99".parse()?;
/// let ec2 = Catalogue::get()?.of("AWS/EC2").ok_or("no EC2")?;
/// let (metric, set) = (ec2.metric("CPUUtilization"), ec2.set("instance"));
/// let statistics = choice.statistics(ec2, metric.ok_or("no metric")?, set.ok_or("no set")?);
/// assert_eq!(statistics.len(), 2, "the default, and the percentile");
///
/// let slip = "include metric=CPUUtilisation".parse::<Choice>();
/// assert!(slip.unwrap_err().reason.contains("CPUUtilization"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    start: Start,
    rules: Vec<Rule>,
}

/// What is asked for before any rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Nothing.
    None,
    /// What the catalogue says.
    Default,
    /// All that the catalogue lists, at all sets.
    All,
}

/// What a rule does with what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Include,
    Exclude,
    Only,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    action: Action,
    conditions: Vec<Condition>,
}

/// What a rule of the text is: rules, or where to start.
enum Part {
    Start(Start),
    Rule(Rule),
}

const STARTS: [(&str, Start); 3] = [
    ("none", Start::None),
    ("default", Start::Default),
    ("all", Start::All),
];

const ACTIONS: [(&str, Action); 3] = [
    ("include", Action::Include),
    ("exclude", Action::Exclude),
    ("only", Action::Only),
];

/// What is known of the resource behind a series.
#[derive(Debug, Clone, Copy)]
enum Known<'m> {
    /// Nothing yet: it may be any.
    Any,
    /// What it is, or that it is not known.
    Resource(Option<&'m Measured>),
}

impl Default for Choice {
    /// What the catalogue asks for by default.
    fn default() -> Choice {
        Choice {
            start: Start::Default,
            rules: Vec::new(),
        }
    }
}

impl Choice {
    /// Reads rules; a text without any is the default choice.
    ///
    /// # Errors
    /// A rule that cannot be understood, or that names what the catalogue does not have: which, where, and what would
    /// be right.
    pub fn parse(text: &str) -> Result<Choice, SelectionError> {
        let mut is_first = true;
        let parts = parse_with(text, |_, words| {
            let part = part(words, is_first);
            is_first = false;
            part
        })?;
        let mut choice = Choice::default();
        for part in parts {
            match part {
                Part::Start(start) => choice.start = start,
                Part::Rule(rule) => choice.rules.push(rule),
            }
        }
        Ok(choice)
    }

    /// The statistics that are asked for of some resource at least, in order of importance; the first step, when the
    /// resource is not known yet.
    pub fn statistics(&self, namespace: &Namespace, metric: &Metric, set: &Set) -> Vec<Statistic> {
        self.decide(namespace, metric, set, Known::Any)
    }

    /// The statistics that are asked for of a resource, in order of importance: some of those of
    /// [`statistics`](Choice::statistics). A resource that is not known has no id, name or tag.
    pub fn of(
        &self,
        namespace: &Namespace,
        metric: &Metric,
        set: &Set,
        resource: Option<&Measured>,
    ) -> Vec<Statistic> {
        self.decide(namespace, metric, set, Known::Resource(resource))
    }

    /// Whether anything of a namespace may be asked for.
    pub fn wants(&self, namespace: &Namespace) -> bool {
        let unlisted = |rule: &Rule| {
            let mut named = rule.of(&Subject::Namespace);
            rule.adds_unlisted() && named.all(|condition| condition.holds_of(namespace))
        };
        self.rules.iter().any(unlisted)
            || namespace.metrics.iter().any(|metric| {
                // All of them: a rule may name a set that the catalogue does not have the metric at.
                let mut sets = namespace.sets.iter();
                sets.any(|set| !self.statistics(namespace, metric, set).is_empty())
            })
    }

    fn decide(
        &self,
        namespace: &Namespace,
        metric: &Metric,
        set: &Set,
        known: Known<'_>,
    ) -> Vec<Statistic> {
        let is_listed = namespace.metric(&metric.name).is_some();
        let mut chosen = match self.start {
            Start::All if is_listed && metric.sets.contains(&set.label) => {
                metric.statistics.clone()
            }
            Start::Default if metric.default_sets.contains(&set.label) => {
                metric.default_statistics.clone()
            }
            _ => Vec::new(),
        };
        let series = Series {
            namespace,
            metric,
            set,
        };
        for rule in &self.rules {
            match rule.action {
                Action::Include if !is_listed && !rule.adds_unlisted() => {}
                Action::Include if rule.is_for(&series, known, true) => {
                    chosen.extend(rule.added(&series));
                }
                Action::Exclude if rule.is_for(&series, known, false) => {
                    chosen.retain(|statistic| !rule.has(*statistic));
                }
                Action::Only if rule.is_for(&series, known, true) => {
                    chosen.retain(|statistic| rule.has(*statistic));
                }
                Action::Only => chosen.clear(),
                Action::Include | Action::Exclude => {}
            }
        }
        let place = |statistic: &Statistic| {
            let mut known = metric.statistics.iter();
            let place = known.position(|one| one == statistic);
            (place.unwrap_or(metric.statistics.len()), *statistic)
        };
        chosen.sort_by_key(place);
        chosen.dedup();
        chosen
    }
}

impl Rule {
    fn of(&self, subject: &Subject) -> impl Iterator<Item = &Condition> {
        let of_it = move |condition: &&Condition| condition.subject == *subject;
        self.conditions.iter().filter(of_it)
    }

    fn says(&self, subject: &Subject) -> bool {
        self.of(subject).next().is_some()
    }

    /// Whether it may add metrics that are not listed: by their name and that of the namespace.
    fn adds_unlisted(&self) -> bool {
        let names = |subject| self.of(subject).any(Condition::names);
        self.action == Action::Include && names(&Subject::Namespace) && names(&Subject::Metric)
    }

    /// Whether all conditions hold, those on the statistic aside. What is not known of a resource yet holds or not as
    /// `unknown` says.
    fn is_for(&self, series: &Series<'_>, known: Known<'_>, unknown: bool) -> bool {
        self.conditions.iter().all(|condition| match known {
            Known::Any if condition.subject.is_of_resource() => unknown,
            Known::Any => condition.holds(series, None),
            Known::Resource(resource) => condition.holds(series, resource),
        })
    }

    /// Whether the conditions on the statistic hold.
    fn has(&self, statistic: Statistic) -> bool {
        let mut conditions = self.of(&Subject::Statistic);
        conditions.all(|condition| condition.has(statistic))
    }

    /// What an include adds: of what it does not say, the usual.
    fn added(&self, series: &Series<'_>) -> Vec<Statistic> {
        let metric = series.metric;
        let usual = match metric.default_statistics.as_slice() {
            [] if self.says(&Subject::Metric) => metric.statistics.get(..1).unwrap_or_default(),
            usual => usual,
        };
        let is_usual_set = metric.default_sets.contains(&series.set.label);
        if usual.is_empty() || !(is_usual_set || self.says(&Subject::Set)) {
            return Vec::new();
        }
        if !self.says(&Subject::Statistic) {
            return usual.to_vec();
        }
        // Those that are named outright need not be listed.
        let named = self.of(&Subject::Statistic).flat_map(Condition::statistics);
        let all = named.chain(metric.statistics.iter().copied());
        all.filter(|statistic| self.has(*statistic)).collect()
    }
}

/// Reads a rule, or where to start.
fn part<'t>(words: &[Word<'t>], is_first: bool) -> Result<Part, Slip<'t>> {
    let mut rest = words.iter().copied().peekable();
    let first = rest.next().unwrap_or_default();
    let word = first.1.to_ascii_lowercase();
    let slip = |word, reason: &str| Err((word, reason.to_owned()));
    if let Some((_, start)) = STARTS.iter().find(|(name, _)| *name == word) {
        return match rest.next() {
            None if is_first => Ok(Part::Start(*start)),
            None => slip(
                first,
                "none, default and all say what rules start from: they come first",
            ),
            Some(next) => slip(
                next,
                "nothing stands after none, default and all but the next rule, after a ;",
            ),
        };
    }
    let Some((_, action)) = ACTIONS.iter().find(|(name, _)| *name == word) else {
        return slip(
            first,
            "rules start with include, exclude or only, as in exclude namespace=AWS/S3; before them may stand none, default or all",
        );
    };
    rest.next_if(|(_, word)| *word == "where");
    let mut conditions = Vec::new();
    for word in rest {
        let condition = Condition::parse(word.1).map_err(|reason| (word, reason))?;
        conditions.push((word, condition));
    }
    if conditions.is_empty() {
        return slip(
            first,
            "it is not said what the rule is for, as in only namespace=AWS/VPN",
        );
    }
    let catalogue = Catalogue::get().map_err(|error| (first, error.to_string()))?;
    let namespaces: Vec<&Namespace> = catalogue
        .namespaces()
        .iter()
        .filter(|namespace| {
            let mut on_namespace = conditions.iter().map(|(_, condition)| condition);
            on_namespace.all(|one| one.subject != Subject::Namespace || one.holds_of(namespace))
        })
        .collect();
    for (word, condition) in &conditions {
        let all = match condition.subject {
            // The others of the rule do not matter for what namespaces there are.
            Subject::Namespace => catalogue.namespaces().iter().collect(),
            _ => namespaces.clone(),
        };
        condition.check(&all).map_err(|reason| (*word, reason))?;
    }
    Ok(Part::Rule(Rule {
        action: *action,
        conditions: conditions
            .into_iter()
            .map(|(_, condition)| condition)
            .collect(),
    }))
}

impl FromStr for Choice {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Choice, SelectionError> {
        Choice::parse(text)
    }
}

impl fmt::Display for Choice {
    /// As it is read, the start first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = STARTS.iter().find(|(_, start)| *start == self.start);
        f.write_str(start.map_or("", |(name, _)| name))?;
        for rule in &self.rules {
            let action = ACTIONS.iter().find(|(_, action)| *action == rule.action);
            write!(f, "; {}", action.map_or("", |(name, _)| name))?;
            for condition in &rule.conditions {
                write!(f, " {condition}")?;
            }
        }
        Ok(())
    }
}
