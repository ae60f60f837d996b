//! What differs between two JSON values, where the order of lists means nothing.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::MemberChange;
use super::element::ElementKey;
use crate::snapshot::canonical::canonical;

/// What differs between two descriptions of a resource but for `volatile` members of it, by path.
/// Nothing exactly when they are equal up to the order of lists and lists that are empty or absent.
pub(super) fn members(old: &Value, new: &Value, volatile: &[&str]) -> Vec<MemberChange> {
    let mut difference = Difference {
        volatile,
        found: Vec::new(),
    };
    if old != new {
        difference.values(&mut String::new(), Some(old), Some(new));
    }
    let mut found = difference.found;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

struct Difference<'v> {
    volatile: &'v [&'v str],
    found: Vec<MemberChange>,
}

impl Difference<'_> {
    fn values(&mut self, path: &mut String, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (Some(old), Some(new)) if old == new => {}
            (Some(Value::Object(old)), Some(Value::Object(new))) => self.objects(path, old, new),
            (Some(Value::Array(old)), Some(Value::Array(new))) => self.lists(path, old, new),
            (Some(Value::Array(old)), None) => self.lists(path, old, &[]),
            (None, Some(Value::Array(new))) => self.lists(path, &[], new),
            (None, None) => {}
            (old, new) => self.found.push(MemberChange {
                path: path.clone(),
                old: old.cloned(),
                new: new.cloned(),
            }),
        }
    }

    fn objects(&mut self, path: &mut String, old: &Map<String, Value>, new: &Map<String, Value>) {
        let is_row = path.is_empty();
        let added = new.keys().filter(|name| !old.contains_key(*name));
        for name in old.keys().chain(added) {
            if is_row && self.volatile.contains(&name.as_str()) {
                continue;
            }
            let dot = if is_row { "" } else { "." };
            self.at(path, &[dot, name], old.get(name), new.get(name));
        }
    }

    fn lists(&mut self, path: &mut String, old: &[Value], new: &[Value]) {
        if let Some(key) = ElementKey::of(old, new) {
            return self.identified(path, &key, old, new);
        }
        if let ([old], [new]) = (old, new)
            && old.is_object()
            && new.is_object()
        {
            return self.at(path, &["[]"], Some(old), Some(new));
        }
        self.multisets(path, old, new);
    }

    /// Elements with the same key are the same element.
    fn identified(&mut self, path: &mut String, key: &ElementKey, old: &[Value], new: &[Value]) {
        let by_key = |list| keyed(key, list);
        let (old, mut new): (Vec<_>, HashMap<_, _>) =
            (by_key(old).collect(), by_key(new).collect());
        for (name, old) in old {
            let new = new.remove(&name);
            self.element(path, &name, Some(old), new);
        }
        for (name, new) in new {
            self.element(path, &name, None, Some(new));
        }
    }

    /// Elements are the same when they are equal.
    fn multisets(&mut self, path: &mut String, old: &[Value], new: &[Value]) {
        // For each distinct element one of its kind, and how many more there are than before.
        let mut counts: BTreeMap<String, (&Value, isize)> = BTreeMap::new();
        for (list, step) in [(old, -1), (new, 1)] {
            for element in list {
                let (_, count) = counts.entry(canonical(element)).or_insert((element, 0));
                *count += step;
            }
        }
        for (element, count) in counts.into_values() {
            let name = match element {
                Value::String(text) => text.clone(),
                Value::Object(_) | Value::Array(_) => String::new(),
                scalar => scalar.to_string(),
            };
            for _ in 0..count.unsigned_abs() {
                match count {
                    ..0 => self.element(path, &name, Some(element), None),
                    0.. => self.element(path, &name, None, Some(element)),
                }
            }
        }
    }

    /// An element of a list that is there or not is one change, even when it is a list.
    fn element(&mut self, path: &mut String, name: &str, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (Some(_), Some(_)) => self.at(path, &["[", name, "]"], old, new),
            _ => self.found.push(MemberChange {
                path: format!("{path}[{name}]"),
                old: old.cloned(),
                new: new.cloned(),
            }),
        }
    }

    fn at(
        &mut self,
        path: &mut String,
        further: &[&str],
        old: Option<&Value>,
        new: Option<&Value>,
    ) {
        let len = path.len();
        path.extend(further.iter().copied());
        self.values(path, old, new);
        path.truncate(len);
    }
}

fn keyed<'l>(key: &'l ElementKey, list: &'l [Value]) -> impl Iterator<Item = (String, &'l Value)> {
    // Every element has its key, as the key was chosen for that.
    list.iter()
        .map(|element| (key.text(element).unwrap_or_default(), element))
}
