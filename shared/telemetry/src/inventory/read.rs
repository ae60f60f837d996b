//! Reading rows of Describe answers by tables: each field of an entity names the members it is read from.
//!
//! A path is members joined by dots; `[]` after a member goes through its list; an empty path is the row
//! itself. What is missing, `null` or an empty text is absent. What is of another type is absent
//! too, and noted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use jiff::Timestamp;
use serde_json::Value;

use super::cidr::Cidr;

/// How one field is read: from a path, from several, or by a function.
macro_rules! field {
    ($row:ident, $path:literal) => {
        $crate::inventory::read::Member::member($row, &[$path])
    };
    ($row:ident, [$($path:literal),+]) => {
        $crate::inventory::read::Member::member($row, &[$($path),+])
    };
    ($row:ident, ($function:expr)) => {
        $function($row)
    };
}

/// A structure and the members its fields are read from.
macro_rules! entity {
    ($(
        $(#[$doc:meta])*
        $name:ident { $( $(#[$field_doc:meta])* $field:ident: $type:ty = $how:tt, )* }
    )+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type, )* }

        impl $crate::inventory::read::Element for $name {
            fn element(row: $crate::inventory::read::Row<'_>) -> Option<Self> {
                if !row.value.is_object() {
                    return None;
                }
                Some($name { $( $field: $crate::inventory::read::field!(row, $how), )* })
            }
        }

        impl $crate::inventory::read::Member for $name {
            fn member(row: $crate::inventory::read::Row<'_>, paths: &[&'static str]) -> Self {
                row.get::<Option<$name>>(paths).unwrap_or_default()
            }
        }
    )+};
}

/// An enumeration of texts that AWS writes, which keeps those it does not know.
macro_rules! texts {
    (
        $(#[$doc:meta])*
        $name:ident { $( $(#[$variant_doc:meta])* $variant:ident = $text:literal $(| $other:literal)*, )* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[$variant_doc])* $variant, )*
            /// A text that is not known here, as AWS writes it.
            Other(String),
        }

        impl $name {
            /// As AWS writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $( $name::$variant => $text, )*
                    $name::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                match text {
                    $( $text $(| $other)* => $name::$variant, )*
                    other => $name::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::inventory::read::Element for $name {
            fn element(row: $crate::inventory::read::Row<'_>) -> Option<Self> {
                row.value.as_str().map($name::from)
            }
        }
    };
}

pub(super) use {entity, field, texts};

/// Members that were there and could not be read: by section and path, how many and the smallest example.
pub(super) type Unreadable = BTreeMap<(String, &'static str), (u64, String)>;

/// How much of a value is shown as an example.
const EXAMPLE: usize = 60;

/// A row of a section, or an object within one.
#[derive(Clone, Copy)]
pub(super) struct Row<'v> {
    pub section: &'v str,
    pub value: &'v Value,
    notes: &'v RefCell<Unreadable>,
}

impl<'v> Row<'v> {
    pub fn new(section: &'v str, value: &'v Value, notes: &'v RefCell<Unreadable>) -> Row<'v> {
        Row {
            section,
            value,
            notes,
        }
    }

    /// Another value of the same section.
    pub fn with(self, value: &'v Value) -> Row<'v> {
        Row { value, ..self }
    }

    pub fn has(self, member: &str) -> bool {
        self.value
            .get(member)
            .is_some_and(|value| !is_absent(value))
    }

    pub fn get<T: Member>(self, paths: &[&'static str]) -> T {
        T::member(self, paths)
    }

    pub fn text(self, path: &'static str) -> Option<String> {
        self.get(&[path])
    }

    /// Calls `found` for each value at a path; those of a list at its end one by one.
    fn visit(self, path: &'static str, found: &mut dyn FnMut(&'v Value)) {
        self.step(self.value, path, path, found);
    }

    fn step(
        self,
        value: &'v Value,
        rest: &str,
        path: &'static str,
        found: &mut dyn FnMut(&'v Value),
    ) {
        if is_absent(value) {
            return;
        }
        if rest.is_empty() {
            match value {
                Value::Array(list) => list.iter().filter(|v| !is_absent(v)).for_each(found),
                other => found(other),
            }
            return;
        }
        let (member, rest) = rest.split_once('.').unwrap_or((rest, ""));
        let (member, in_list) = match member.strip_suffix("[]") {
            Some(member) => (member, true),
            None => (member, false),
        };
        let Some(members) = value.as_object() else {
            return self.note(path, value);
        };
        match members.get(member) {
            Some(Value::Array(list)) if in_list => {
                for value in list {
                    self.step(value, rest, path, found);
                }
            }
            Some(value) if in_list && !is_absent(value) => self.note(path, value),
            Some(value) => self.step(value, rest, path, found),
            None => {}
        }
    }

    fn note(self, path: &'static str, value: &Value) {
        let shown: String = value.to_string().chars().take(EXAMPLE).collect();
        let mut notes = self.notes.borrow_mut();
        let (count, example) = notes
            .entry((self.section.to_owned(), path))
            .or_insert_with(|| (0, shown.clone()));
        *count += 1;
        if shown < *example {
            *example = shown;
        }
    }
}

fn is_absent(value: &Value) -> bool {
    matches!(value, Value::Null) || value.as_str().is_some_and(str::is_empty)
}

/// A value that a member may hold.
pub(super) trait Element: Sized {
    /// Whether a list of them names each once.
    const DISTINCT: bool = false;
    /// `None` when it is of another type.
    fn element(row: Row<'_>) -> Option<Self>;
}

/// What a field may be.
pub(super) trait Member {
    /// Reads it from the first path that holds one, or from all of them when the field is a list.
    fn member(row: Row<'_>, paths: &[&'static str]) -> Self;
}

impl<E: Element> Member for Option<E> {
    fn member(row: Row<'_>, paths: &[&'static str]) -> Self {
        let mut read = None;
        for path in paths {
            row.visit(path, &mut |value| {
                if read.is_none() {
                    read = E::element(row.with(value));
                    if read.is_none() {
                        row.note(path, value);
                    }
                }
            });
        }
        read
    }
}

impl<E: Element + PartialEq> Member for Vec<E> {
    fn member(row: Row<'_>, paths: &[&'static str]) -> Self {
        let mut read = Vec::new();
        for path in paths {
            row.visit(path, &mut |value| match E::element(row.with(value)) {
                Some(element) if E::DISTINCT && read.contains(&element) => {}
                Some(element) => read.push(element),
                None => row.note(path, value),
            });
        }
        read
    }
}

/// False when it is not said.
impl Member for bool {
    fn member(row: Row<'_>, paths: &[&'static str]) -> Self {
        row.get::<Option<bool>>(paths).unwrap_or(false)
    }
}

/// Empty when it is not said.
impl Member for String {
    fn member(row: Row<'_>, paths: &[&'static str]) -> Self {
        row.get::<Option<String>>(paths).unwrap_or_default()
    }
}

impl Element for String {
    fn element(row: Row<'_>) -> Option<Self> {
        match row.value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

impl Element for bool {
    fn element(row: Row<'_>) -> Option<Self> {
        match row.value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => match text.as_str() {
                "true" | "enable" => Some(true),
                "false" | "disable" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A number, also where AWS writes it as text.
impl Element for i64 {
    fn element(row: Row<'_>) -> Option<Self> {
        match row.value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl Element for u32 {
    fn element(row: Row<'_>) -> Option<Self> {
        i64::element(row)?.try_into().ok()
    }
}

/// An address; a prefix length behind it, as Direct Connect writes, is left out.
impl Element for IpAddr {
    fn element(row: Row<'_>) -> Option<Self> {
        row.value.as_str()?.split('/').next()?.parse().ok()
    }
}

impl Element for Ipv6Addr {
    fn element(row: Row<'_>) -> Option<Self> {
        row.value.as_str()?.parse().ok()
    }
}

/// The blocks of a VPC or subnet: its own and those associated with it, without those that no longer are.
pub(super) fn associated(row: Row<'_>) -> Vec<Cidr> {
    const GONE: [&str; 4] = ["disassociating", "disassociated", "failing", "failed"];
    let mut blocks: Vec<Cidr> = row.get(&["CidrBlock"]);
    let sets = ["CidrBlockAssociationSet", "Ipv6CidrBlockAssociationSet"];
    for Association { block, state } in row.get::<Vec<Association>>(&sets) {
        let gone = state.is_some_and(|state| GONE.contains(&state.as_str()));
        blocks.extend(block.filter(|block| !gone && !blocks.contains(block)));
    }
    blocks
}

entity! {
    /// A block that is or was associated with a VPC or subnet.
    Association {
        /// The block.
        block: Option<Cidr> = ["CidrBlock", "Ipv6CidrBlock"],
        /// `associated` and others.
        state: Option<String> = ["CidrBlockState.State", "Ipv6CidrBlockState.State"],
    }
}

impl Element for Cidr {
    const DISTINCT: bool = true;

    fn element(row: Row<'_>) -> Option<Self> {
        row.value.as_str()?.parse().ok()
    }
}

/// ISO 8601, as AWS's tools and Python print it, or seconds since 1970.
impl Element for Timestamp {
    fn element(row: Row<'_>) -> Option<Self> {
        match row.value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => {
                // Well below 2^53 microseconds for any time that AWS writes.
                let microseconds = (number.as_f64()? * 1e6).round();
                Timestamp::from_microsecond(microseconds as i64).ok()
            }
            _ => None,
        }
    }
}

/// Whatever it is; a JSON document written as text is parsed.
impl Element for Value {
    fn element(row: Row<'_>) -> Option<Self> {
        match row.value {
            Value::String(text) => serde_json::from_str(text).ok(),
            other => Some(other.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    entity! {
        Thing {
            name: String = "Name",
            size: Option<i64> = ["Size", "Spec.Size"],
            ids: Vec<String> = ["Id", "Parts[].Id"],
            parts: Vec<Part> = "Parts",
            created: Option<Timestamp> = "Created",
            on: bool = "On",
            doubled: Option<i64> = (|row: Row<'_>| row.get::<Option<i64>>(&["Size"]).map(|n| n * 2)),
        }
        Part { id: Option<String> = "Id", at: Option<IpAddr> = "At", }
    }

    fn read(value: Value) -> (Option<Thing>, Unreadable) {
        let notes = RefCell::default();
        let thing = Thing::element(Row::new("Things", &value, &notes));
        (thing, notes.into_inner())
    }

    #[test]
    fn fields_are_read_from_their_paths() {
        let (thing, notes) = read(json!({
            "Name": "x", "Spec": {"Size": "7"}, "Id": "a", "On": "enable", "Unknown": [1],
            "Parts": [{"Id": "b", "At": "192.168.1.2/30"}, {"Id": ""}, null],
            "Created": "2020-04-28 22:12:29+00:00",
        }));
        let thing = thing.unwrap();
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(
            (thing.name.as_str(), thing.size, thing.on),
            ("x", Some(7), true)
        );
        assert_eq!(
            (thing.ids, thing.doubled),
            (vec!["a".into(), "b".into()], None)
        );
        assert_eq!(thing.parts.len(), 2);
        assert_eq!(thing.parts[0].at, Some("192.168.1.2".parse().unwrap()));
        assert_eq!(thing.created.unwrap().as_second(), 1_588_111_949);
        // A number of seconds, as AWS's older tools print.
        let (thing, _) = read(json!({"Created": 1_481_830_215.45}));
        assert_eq!(
            thing.unwrap().created.unwrap().to_string(),
            "2016-12-15T19:30:15.45Z"
        );
    }

    #[test]
    fn what_is_of_another_type_is_left_out_and_noted() {
        let (thing, notes) = read(json!({
            "Name": ["x", "y"], "Size": {}, "On": 3, "Created": "yesterday",
            "Parts": [{"At": "10-0-0-157"}, "part", {"At": "10-0-0-1"}],
        }));
        let thing = thing.unwrap();
        assert_eq!(
            (thing.name.as_str(), thing.size, thing.on),
            ("x", None, false)
        );
        assert_eq!((thing.parts.len(), thing.created), (2, None));
        let noted: Vec<_> = notes
            .into_iter()
            .map(|((_, path), (count, example))| (path, count, example))
            .collect();
        let expected = [
            ("At", 2, "\"10-0-0-1\""),
            ("Created", 1, "\"yesterday\""),
            ("On", 1, "3"),
            ("Parts", 1, "\"part\""),
            ("Parts[].Id", 1, "\"part\""),
            // Once for the field, once for the function.
            ("Size", 2, "{}"),
        ];
        assert_eq!(noted, expected.map(|(p, n, e)| (p, n, e.to_owned())));
        assert_eq!(read(json!("no object")).0, None);
    }
}
