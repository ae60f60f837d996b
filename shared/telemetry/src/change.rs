//! What changed in a unit between two snapshots: resources created, changed and deleted.
//!
//! One change is one record, with the members of the other records of this project in mind:
//!
//! ```json
//! {"type": "change", "observed": "2026-11-20T16:20:00Z", "previously_observed": "2026-11-20T16:10:00Z",
//!  "account": "111111111111", "region": "us-east-1",
//!  "service": "ec2", "operation": "DescribeRouteTables", "section": "RouteTables",
//!  "resource": "rtb-1", "owner": "111111111111", "kind": "changed",
//!  "members": [{"path": "Routes[10.9.0.0/16].State", "old": "active", "new": "blackhole"}]}
//! ```
//!
//! It happened between the two times. `kind` is `created` or `deleted`, with the resource in `row`, or
//! `changed`, with the members that did. Of a member that was not there before, `old` is left out, and
//! `new` of one that is gone.
//!
//! What is a change, and what is none:
//! - A resource is deleted when a complete answer lacks it. Nothing that is kept from before, because
//!   a call failed, gives a change.
//! - What was never observed before is a baseline, not created: a section, or the rows of one of
//!   several calls that never was answered.
//! - AWS promises no order, so lists are sets: elements are told apart by what identifies them, and
//!   that stands in the path, `Tags[Name].Value`. An element that nothing identifies is `[]`, and is
//!   the same as another only when it is equal.
//! - A list that is absent is an empty one.
//! - Members that change by themselves ([`Endpoint::volatile`]) are left out.

mod difference;
mod element;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::describe::catalogue::{self, Endpoint, Owner};
use crate::describe::redaction::redact;
use crate::snapshot::canonical::{canonical, canonical_without};
use crate::snapshot::fan_out::{self, Unanswered};
use crate::snapshot::{EndpointReport, Snapshot};

/// What happened to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// Some of its members are not what they were.
    Changed,
    /// It is gone.
    Deleted,
}

impl ChangeKind {
    /// The name in records.
    pub const fn label(self) -> &'static str {
        match self {
            ChangeKind::Created => "created",
            ChangeKind::Changed => "changed",
            ChangeKind::Deleted => "deleted",
        }
    }
}

/// A member of a resource, or an element of one of its lists, that is not what it was.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberChange {
    /// Where it is: members joined by dots, elements of lists in brackets.
    pub path: String,
    /// What it was; `None` when it was not there.
    pub old: Option<Value>,
    /// What it is; `None` when it is gone.
    pub new: Option<Value>,
}

/// What happened to one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When it was seen as it is now.
    pub observed: Timestamp,
    /// When it was last seen as it was before.
    pub previously_observed: Timestamp,
    /// The account that was asked.
    pub account: String,
    /// The region that was asked, or `global`.
    pub region: String,
    /// The service, as the AWS CLI calls it.
    pub service: &'static str,
    /// The operation that shows the resource.
    pub operation: &'static str,
    /// The section of the snapshot.
    pub section: &'static str,
    /// What names the resource: its id, or several joined by `/`.
    pub resource: String,
    /// The account whose resource it is, as far as the row says.
    pub owner: Option<String>,
    /// What happened.
    pub kind: ChangeKind,
    /// The members that changed, by path; none unless the kind is [`ChangeKind::Changed`].
    pub members: Vec<MemberChange>,
    /// The resource when it was created, and what it was when it was deleted.
    pub row: Option<Value>,
}

impl Change {
    /// The record; what is absent is left out.
    pub fn to_json(&self) -> Value {
        let text = |text: &str| Some(Value::from(text));
        let members = || {
            let members = self.members.iter().map(MemberChange::to_json);
            Value::Array(members.collect())
        };
        let record = [
            ("type", text("change")),
            ("observed", text(&self.observed.to_string())),
            (
                "previously_observed",
                text(&self.previously_observed.to_string()),
            ),
            ("account", text(&self.account)),
            ("region", text(&self.region)),
            ("service", text(self.service)),
            ("operation", text(self.operation)),
            ("section", text(self.section)),
            ("resource", text(&self.resource)),
            ("owner", self.owner.as_deref().and_then(text)),
            ("kind", text(self.kind.label())),
            ("members", (self.kind == ChangeKind::Changed).then(members)),
            ("row", self.row.clone()),
        ];
        object(record)
    }
}

impl MemberChange {
    fn to_json(&self) -> Value {
        object([
            ("path", Some(Value::from(self.path.as_str()))),
            ("old", self.old.clone()),
            ("new", self.new.clone()),
        ])
    }
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<Map<String, Value>>()
        .into()
}

/// What changed from one snapshot of a unit to the next: by section in the catalogue's order, then by
/// resource. Sections that the catalogue does not know are not compared.
pub fn changes(previous: &Snapshot, next: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    for endpoint in catalogue::CATALOGUE {
        let known = |snapshot: &Snapshot| snapshot.sections.contains_key(endpoint.section);
        if known(previous) && known(next) {
            let comparison = Comparison::new(endpoint, previous, next);
            changes.extend(comparison.changes());
        }
    }
    changes
}

/// One section in both snapshots.
struct Comparison<'s> {
    endpoint: &'static Endpoint,
    previous: &'s Snapshot,
    next: &'s Snapshot,
    previous_report: Option<&'s EndpointReport>,
    previous_unanswered: Unanswered,
    next_unanswered: Unanswered,
    is_reported: bool,
    observed: Timestamp,
}

/// A resource in one of the snapshots.
#[derive(Clone, Copy)]
struct Resource<'r> {
    /// The row of the section, which may hold several resources.
    row: &'r Value,
    /// What describes the resource.
    value: &'r Value,
}

impl<'s> Comparison<'s> {
    fn new(
        endpoint: &'static Endpoint,
        previous: &'s Snapshot,
        next: &'s Snapshot,
    ) -> Comparison<'s> {
        let unanswered = |report: Option<&EndpointReport>| {
            report.map_or(Unanswered::Nothing, |r| Unanswered::of_report(endpoint, r))
        };
        let (previous_report, report) = (
            previous.report(endpoint.section),
            next.report(endpoint.section),
        );
        Comparison {
            endpoint,
            previous,
            next,
            previous_report,
            previous_unanswered: unanswered(previous_report),
            next_unanswered: unanswered(report),
            is_reported: report.is_some(),
            observed: report.and_then(|r| r.observed).unwrap_or(next.finished),
        }
    }

    fn changes(&self) -> Vec<Change> {
        let section = self.endpoint.section;
        let (old, new) = (self.previous.rows_of(section), self.next.rows_of(section));
        if self.next_unanswered == Unanswered::Everything || old == new {
            return Vec::new();
        }
        let (old, new) = (self.redacted(old), self.redacted(new));
        let never_answered = self.never_answered(&old);
        let mut changes = Vec::new();
        for (resource, (old, new)) in self.pairs(&old, &new) {
            let (common, old_rest, new_rest) = self.matched(&old, &new);
            for (old, new) in common {
                let members = difference::members(old.value, new.value, self.endpoint.volatile);
                if !members.is_empty() {
                    let mut change = self.change(&resource, ChangeKind::Changed, new);
                    change.members = members;
                    changes.push(change);
                }
            }
            for new in new_rest {
                if self.is_baseline(&never_answered, new.row) {
                    continue;
                }
                let mut change = self.change(&resource, ChangeKind::Created, new);
                change.row = Some(new.value.clone());
                changes.push(change);
            }
            // Of rows that nobody says were answered, nothing follows from what is missing.
            for old in old_rest.into_iter().filter(|_| self.is_reported) {
                let mut change = self.change(&resource, ChangeKind::Deleted, old);
                change.row = Some(old.value.clone());
                changes.push(change);
            }
        }
        changes.sort_by(|a, b| (&a.resource, a.kind).cmp(&(&b.resource, b.kind)));
        changes
    }

    /// The rows without secrets, in case that they were not redacted when they were answered.
    fn redacted(&self, rows: &'s [Value]) -> Cow<'s, [Value]> {
        if self.endpoint.secrets.is_empty() {
            return Cow::Borrowed(rows);
        }
        let mut rows = rows.to_vec();
        for row in &mut rows {
            redact(self.endpoint, row);
        }
        Cow::Owned(rows)
    }

    /// The calls that `previous` has no answer of, not even an old one.
    fn never_answered(&self, old: &[Value]) -> HashSet<String> {
        let (Unanswered::Calls(calls), Some(per)) = (&self.previous_unanswered, self.endpoint.per)
        else {
            return HashSet::new();
        };
        let mut calls = calls.clone();
        for call in old.iter().filter_map(|row| fan_out::call_of_row(per, row)) {
            calls.remove(&call);
        }
        calls
    }

    fn is_baseline(&self, never_answered: &HashSet<String>, row: &Value) -> bool {
        let call = || fan_out::call_of_row(self.endpoint.per?, row);
        !never_answered.is_empty() && call().is_some_and(|call| never_answered.contains(&call))
    }

    /// When a row of `previous` was last seen, or would have been.
    fn previously_observed(&self, row: &Value) -> Timestamp {
        self.previous_report
            .and_then(|r| r.row_observed(self.endpoint, &self.previous_unanswered, row))
            .unwrap_or(self.previous.finished)
    }

    /// The resources of both by what names them.
    fn pairs<'r>(
        &self,
        old: &'r [Value],
        new: &'r [Value],
    ) -> HashMap<String, (Vec<Resource<'r>>, Vec<Resource<'r>>)> {
        let mut pairs: HashMap<String, (Vec<_>, Vec<_>)> = HashMap::new();
        for resource in self.resources(old) {
            let (old, _) = pairs.entry(self.name(resource.value)).or_default();
            old.push(resource);
        }
        for resource in self.resources(new) {
            let (_, new) = pairs.entry(self.name(resource.value)).or_default();
            new.push(resource);
        }
        pairs
    }

    /// The resources that rows hold, without those that are kept from before.
    fn resources<'r>(&self, rows: &'r [Value]) -> impl Iterator<Item = Resource<'r>> {
        rows.iter()
            .filter(|row| !self.next_unanswered.holds(self.endpoint, row))
            .flat_map(|row| {
                let values = match self.endpoint.within {
                    Some(member) => row
                        .get(member)
                        .and_then(Value::as_array)
                        .map_or(&[][..], Vec::as_slice),
                    None => std::slice::from_ref(row),
                };
                values.iter().map(move |value| Resource { row, value })
            })
    }

    /// What names a resource; what has no name is named by all of it.
    fn name(&self, resource: &Value) -> String {
        let parts: Vec<String> = self
            .endpoint
            .identity
            .iter()
            .filter_map(|member| resource.get(member))
            .map(name_text)
            .collect();
        match parts.is_empty() {
            true => name_text(resource),
            false => parts.join("/"),
        }
    }

    /// Resources of one name: which were which, and what is left of the old and the new. There is
    /// hardly ever more than one of a name; those are taken in an order of their own, not AWS's.
    fn matched<'r>(
        &self,
        old: &[Resource<'r>],
        new: &[Resource<'r>],
    ) -> (
        Vec<(Resource<'r>, Resource<'r>)>,
        Vec<Resource<'r>>,
        Vec<Resource<'r>>,
    ) {
        if let ([old], [new]) = (old, new) {
            return (vec![(*old, *new)], Vec::new(), Vec::new());
        }
        let sorted = |resources: &[Resource<'r>]| {
            let mut resources = resources.to_vec();
            resources.sort_by_cached_key(|resource| self.text(*resource));
            resources
        };
        let (mut old, mut new) = (sorted(old), sorted(new));
        let both = old.len().min(new.len());
        let (old_rest, new_rest) = (old.split_off(both), new.split_off(both));
        (old.into_iter().zip(new).collect(), old_rest, new_rest)
    }

    fn text(&self, resource: Resource<'_>) -> String {
        canonical_without(resource.value, self.endpoint.volatile)
    }

    fn change(&self, resource: &str, kind: ChangeKind, of: Resource<'_>) -> Change {
        Change {
            observed: self.observed,
            previously_observed: self.previously_observed(of.row),
            account: self.next.unit.account.clone(),
            region: self.next.unit.region.clone(),
            service: self.endpoint.service.id(),
            operation: self.endpoint.operation,
            section: self.endpoint.section,
            resource: resource.to_owned(),
            owner: self.owner(of),
            kind,
            members: Vec::new(),
            row: None,
        }
    }

    fn owner(&self, resource: Resource<'_>) -> Option<String> {
        let path = match self.endpoint.owner {
            Owner::Asked => return Some(self.next.unit.account.clone()),
            Owner::Member(path) => path,
        };
        let owner = |value: &Value| {
            let member = path
                .split('.')
                .try_fold(value, |value, name| value.get(name))?;
            let text = member.as_str()?;
            // arn:partition:service:region:account:resource
            let account = match text.starts_with("arn:") {
                true => text.split(':').nth(4)?,
                false => text,
            };
            (!account.is_empty()).then(|| account.to_owned())
        };
        owner(resource.value).or_else(|| owner(resource.row))
    }
}

fn name_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => canonical(other),
    }
}

#[cfg(test)]
mod tests;
