//! Conditions: what of a series is looked at, and which values hold.

use std::fmt;

use super::near::nearest;
use crate::metrics::{Measured, Metric, Namespace, Set, Statistic};

/// What of a series is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// The namespace, by its label or by what CloudWatch calls it.
    Namespace,
    /// The metric's name.
    Metric,
    /// The statistic.
    Statistic,
    /// The label of the set of dimensions.
    Set,
    /// The resource's id or name.
    Resource,
    /// The value of the resource's tag of that key.
    Tag(Box<str>),
}

/// The subjects that have a name of their own.
const NAMED: [(&str, Subject); 5] = [
    ("namespace", Subject::Namespace),
    ("metric", Subject::Metric),
    ("statistic", Subject::Statistic),
    ("set", Subject::Set),
    ("resource", Subject::Resource),
];

const TAG: &str = "tag:";

/// What is decided on: one metric at one set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series<'s> {
    pub(super) namespace: &'s Namespace,
    pub(super) metric: &'s Metric,
    pub(super) set: &'s Set,
}

/// A text in upper or lower case, in which `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// As it is written.
    text: Box<str>,
    /// In lower case.
    lower: Box<str>,
}

/// A condition on one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) subject: Subject,
    /// Whether the values are those that do not hold.
    not: bool,
    patterns: Vec<Pattern>,
    /// Of a condition on the statistic, those that are named outright.
    statistics: Vec<Statistic>,
    /// Whether the absence of a value is one of them: it is written as `-`.
    absent: bool,
}

impl Subject {
    fn from_name(name: &str) -> Option<Subject> {
        if let Some(key) = name.strip_prefix(TAG) {
            return (!key.is_empty()).then(|| Subject::Tag(key.into()));
        }
        let named = NAMED.iter().find(|(known, _)| *known == name);
        named.map(|(_, subject)| subject.clone())
    }

    /// Whether it is of the resource, which is known last.
    pub(super) fn is_of_resource(&self) -> bool {
        matches!(self, Subject::Resource | Subject::Tag(_))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Tag(key) => write!(f, "{TAG}{key}"),
            named => {
                let name = NAMED.iter().find(|(_, subject)| subject == named);
                f.write_str(name.map_or("", |(name, _)| name))
            }
        }
    }
}

impl Pattern {
    fn new(text: &str) -> Pattern {
        Pattern {
            text: text.into(),
            lower: text.to_lowercase().into(),
        }
    }

    fn is_open(&self) -> bool {
        self.text.contains('*')
    }

    fn has(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let Some((start, rest)) = self.lower.split_once('*') else {
            return *self.lower == text;
        };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        let inner = text.strip_prefix(start).and_then(|t| t.strip_suffix(end));
        let Some(mut inner) = inner else {
            return false;
        };
        // The first place that fits leaves the most to the others.
        middle.split('*').all(|part| match inner.split_once(part) {
            Some((_, after)) => {
                inner = after;
                true
            }
            None => false,
        })
    }
}

impl Condition {
    /// A condition as it is written: `name=value,value` or `name!=value,value`.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub(super) fn parse(text: &str) -> Result<Condition, String> {
        let Some((name, values)) = text.split_once('=') else {
            return Err("conditions are a name, = or !=, and values, without spaces between them, as in metric=Bytes*,Packets*".to_owned());
        };
        let (name, not) = match name.strip_suffix('!') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let subject = Subject::from_name(name).ok_or_else(|| {
            format!("nothing is named {name:?}: use namespace, metric, statistic, set, resource, or tag: and a key, as in tag:env=prod")
        })?;
        let mut condition = Condition {
            subject,
            not,
            patterns: Vec::new(),
            statistics: Vec::new(),
            absent: false,
        };
        for value in values.split(',') {
            match value {
                "" => {
                    return Err(format!(
                        "a value is missing: values stand after the = with commas between them, as in {name}=*"
                    ));
                }
                "-" if condition.subject.is_of_resource() => condition.absent = true,
                value => {
                    let pattern = Pattern::new(value);
                    if condition.subject == Subject::Statistic && !pattern.is_open() {
                        let statistic: Statistic =
                            value.parse().map_err(|error| format!("{error}"))?;
                        condition.statistics.push(statistic);
                    } else {
                        condition.patterns.push(pattern);
                    }
                }
            }
        }
        Ok(condition)
    }

    /// Checks that what it names is there, in these namespaces.
    ///
    /// # Errors
    /// What is not there, and what is like it.
    pub(super) fn check(&self, namespaces: &[&Namespace]) -> Result<(), String> {
        let all = namespaces.iter();
        let known: Vec<&String> = match self.subject {
            Subject::Namespace => all
                .flat_map(|n| std::iter::once(&n.label).chain(&n.names))
                .collect(),
            Subject::Metric => all
                .flat_map(|n| n.metrics.iter().map(|metric| &metric.name))
                .collect(),
            Subject::Set => all
                .flat_map(|n| n.sets.iter().map(|set| &set.label))
                .collect(),
            Subject::Statistic | Subject::Resource | Subject::Tag(_) => return Ok(()),
        };
        for pattern in &self.patterns {
            // A metric may be newer than the catalogue: a pattern asks for it all the same.
            let may_be_new = self.subject == Subject::Metric && pattern.is_open();
            if may_be_new || known.iter().any(|one| pattern.has(one)) {
                continue;
            }
            let text = &pattern.text;
            let like = match nearest(text, known.iter().map(|name| name.as_str())) {
                like if like.is_empty() => "docs/metrics-catalogue.md lists them".to_owned(),
                like => format!("is it {}?", like.join(" or ")),
            };
            let newer = match self.subject {
                Subject::Metric => format!(
                    " A metric that this program does not know yet is asked for as {text}*, with its namespace"
                ),
                _ => String::new(),
            };
            return Err(format!(
                "no {} is named {text:?}: {like}{newer}",
                self.subject
            ));
        }
        Ok(())
    }

    /// Whether it names values that hold, by more than a lone `*`.
    pub(super) fn names(&self) -> bool {
        !self.not
            && self
                .patterns
                .iter()
                .any(|pattern| pattern.text.contains(|c| c != '*'))
    }

    /// Whether it holds for a namespace, if it is on that.
    pub(super) fn holds_of(&self, namespace: &Namespace) -> bool {
        let label = namespace.label.as_str();
        self.holds_for(std::iter::once(label).chain(namespace.names.iter().map(String::as_str)))
    }

    /// Whether it holds for a series. One on the statistic is decided for each of them, see [`Condition::has`].
    pub(super) fn holds(&self, series: &Series<'_>, resource: Option<&Measured>) -> bool {
        match &self.subject {
            Subject::Namespace => self.holds_of(series.namespace),
            Subject::Metric => self.holds_for([series.metric.name.as_str()]),
            Subject::Set => self.holds_for([series.set.label.as_str()]),
            Subject::Statistic => true,
            Subject::Resource => self.holds_for(resource.into_iter().flat_map(|resource| {
                std::iter::once(resource.id.as_str()).chain(resource.name.as_deref())
            })),
            Subject::Tag(key) => self.holds_for(resource.into_iter().flat_map(|resource| {
                let tags = resource.tags.iter().filter(|(name, _)| **name == **key);
                tags.map(|(_, value)| value.as_str())
            })),
        }
    }

    /// Whether it holds for what is seen of its subject. What is absent decides nothing, unless it is asked for.
    fn holds_for<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> bool {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return self.absent && !self.not;
        }
        let found = values.any(|value| self.patterns.iter().any(|pattern| pattern.has(value)));
        found != self.not
    }

    /// The statistics that it names outright and that hold.
    pub(super) fn statistics(&self) -> impl Iterator<Item = Statistic> {
        let named = if self.not { &[][..] } else { &self.statistics };
        named.iter().copied()
    }

    /// Whether a condition on the statistic holds for one.
    pub(super) fn has(&self, statistic: Statistic) -> bool {
        let text = statistic.to_string();
        let found = self.statistics.contains(&statistic)
            || self.patterns.iter().any(|pattern| pattern.has(&text));
        found != self.not
    }
}

impl fmt::Display for Condition {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.patterns.iter().map(|pattern| pattern.text.to_string());
        let statistics = self.statistics.iter().map(Statistic::to_string);
        let absent = self.absent.then(|| "-".to_owned());
        let values: Vec<String> = patterns.chain(statistics).chain(absent).collect();
        let equals = if self.not { "!=" } else { "=" };
        write!(f, "{}{equals}{}", self.subject, values.join(","))
    }
}
