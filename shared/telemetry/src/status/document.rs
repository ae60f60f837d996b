//! The JSON document of a status, read and written.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{AccountName, Course, Entry, Export, Facts, Key, Known, Status};

/// The version of the document that is written, and the newest that is read.
pub const VERSION: u64 = 1;

/// Why a document is not a status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// It is not JSON.
    #[error("the status is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON, but not an object with a version.
    #[error("the document is not a status: it has no version")]
    NotStatus,
    /// A newer release wrote it.
    #[error(
        "the status has version {found} and this release reads up to {VERSION}: update Cloud Export"
    )]
    Newer {
        /// The document's version.
        found: u64,
    },
}

/// What the document holds. What is missing or of another type has its default.
pub(super) trait Datum: Sized {
    fn write(&self) -> Value;
    fn read(value: &Value) -> Option<Self>;
}

/// Data with a name in the document for each member.
macro_rules! record {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$of:meta])* $member:ident: $type:ty, )+ } )+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name { $( $(#[$of])* pub $member: $type, )+ }

        impl $crate::status::document::Datum for $name {
            fn write(&self) -> serde_json::Value {
                let members = [$( (stringify!($member).to_owned(), self.$member.write()), )+];
                serde_json::Value::Object(serde_json::Map::from_iter(members))
            }

            fn read(value: &serde_json::Value) -> Option<Self> {
                let members = value.as_object()?;
                Some($name { $(
                    $member: members
                        .get(stringify!($member))
                        .and_then($crate::status::document::Datum::read)
                        .unwrap_or_default(),
                )+ })
            }
        }
    )+};
}

/// Names: the first one is meant where none is said.
macro_rules! labels {
    ($( $(#[$doc:meta])* $name:ident { $(#[$first_doc:meta])* $first:ident = $first_label:literal,
        $( $(#[$of:meta])* $case:ident = $label:literal, )+ } )+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $(#[$first_doc])* #[default] $first, $( $(#[$of])* $case, )+ }

        impl $name {
            /// Every one.
            pub const ALL: &'static [$name] = &[$name::$first, $( $name::$case, )+];

            /// The name in documents and reports.
            pub const fn label(self) -> &'static str {
                match self { $name::$first => $first_label, $( $name::$case => $label, )+ }
            }
        }

        impl $crate::status::document::Datum for $name {
            fn write(&self) -> serde_json::Value {
                serde_json::Value::from(self.label())
            }

            fn read(value: &serde_json::Value) -> Option<Self> {
                let label = value.as_str()?;
                $name::ALL.iter().copied().find(|name| name.label() == label)
            }
        }
    )+};
}

pub(super) use {labels, record};

impl Datum for u64 {
    fn write(&self) -> Value {
        Value::from(*self)
    }

    fn read(value: &Value) -> Option<u64> {
        value.as_u64()
    }
}

impl Datum for bool {
    fn write(&self) -> Value {
        Value::from(*self)
    }

    fn read(value: &Value) -> Option<bool> {
        value.as_bool()
    }
}

impl Datum for String {
    fn write(&self) -> Value {
        Value::from(self.as_str())
    }

    fn read(value: &Value) -> Option<String> {
        value.as_str().map(str::to_owned)
    }
}

impl Datum for Timestamp {
    fn write(&self) -> Value {
        Value::from(self.to_string())
    }

    fn read(value: &Value) -> Option<Timestamp> {
        value.as_str()?.parse().ok()
    }
}

impl<T: Datum> Datum for Option<T> {
    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, Datum::write)
    }

    fn read(value: &Value) -> Option<Option<T>> {
        Some(T::read(value))
    }
}

impl<T: Datum> Datum for Vec<T> {
    fn write(&self) -> Value {
        self.iter().map(Datum::write).collect()
    }

    fn read(value: &Value) -> Option<Vec<T>> {
        Some(value.as_array()?.iter().filter_map(T::read).collect())
    }
}

impl<T: Datum + Ord> Datum for BTreeSet<T> {
    fn write(&self) -> Value {
        self.iter().map(Datum::write).collect()
    }

    fn read(value: &Value) -> Option<BTreeSet<T>> {
        Some(value.as_array()?.iter().filter_map(T::read).collect())
    }
}

impl<T: Datum> Datum for BTreeMap<String, T> {
    fn write(&self) -> Value {
        let members = self
            .iter()
            .map(|(name, value)| (name.clone(), value.write()));
        Value::Object(members.collect())
    }

    fn read(value: &Value) -> Option<BTreeMap<String, T>> {
        let members = value.as_object()?.iter();
        Some(
            members
                .filter_map(|(name, value)| Some((name.clone(), T::read(value)?)))
                .collect(),
        )
    }
}

impl Facts {
    fn export(&self) -> Export {
        match self {
            Facts::Metadata(_) => Export::Metadata,
            Facts::Metrics(_) => Export::Metrics,
            Facts::FlowLogs(_) => Export::FlowLogs,
        }
    }
}

impl Datum for Known {
    fn write(&self) -> Value {
        let facts = match &self.facts {
            Facts::Metadata(facts) => facts.write(),
            Facts::Metrics(facts) => facts.write(),
            Facts::FlowLogs(facts) => facts.write(),
        };
        json!({"at": self.at.write(), self.facts.export().label(): facts})
    }

    fn read(value: &Value) -> Option<Known> {
        let of = |export: Export| value.get(export.label());
        let metadata = || Some(Facts::Metadata(Datum::read(of(Export::Metadata)?)?));
        let metrics = || Some(Facts::Metrics(Datum::read(of(Export::Metrics)?)?));
        let flow_logs = || Some(Facts::FlowLogs(Datum::read(of(Export::FlowLogs)?)?));
        Some(Known {
            at: Datum::read(value.get("at")?)?,
            facts: metadata().or_else(metrics).or_else(flow_logs)?,
        })
    }
}

/// An object with the members that name it before its own.
fn named<const N: usize>(names: [(&str, &str); N], value: &impl Datum) -> Value {
    let names = names.map(|(name, value)| (name.to_owned(), Value::from(value)));
    let mut members = Map::from_iter(names);
    if let Value::Object(own) = value.write() {
        members.extend(own);
    }
    Value::Object(members)
}

impl Status {
    /// The document.
    pub fn to_json(&self) -> Value {
        let exports = self.exports.iter();
        let accounts = self.accounts.iter();
        let entries = self.entries.iter().map(|(key, entry)| {
            let names = [
                ("export", key.export.label()),
                ("account", &key.account),
                ("region", &key.region),
            ];
            named(names, entry)
        });
        json!({
            "version": VERSION,
            "exports": exports.map(|(export, c)| named([("export", export.label())], c)).collect::<Vec<_>>(),
            "accounts": accounts.map(|(id, name)| named([("account", id)], name)).collect::<Vec<_>>(),
            "entries": entries.collect::<Vec<_>>(),
        })
    }

    /// Reads the text of a document. Members that are unknown are ignored, what cannot be read is left out.
    ///
    /// # Errors
    /// It is not JSON, no status, or of a newer version.
    pub fn from_slice(document: &[u8]) -> Result<Status, StatusError> {
        let document: Value = serde_json::from_slice(document)?;
        let found = document.get("version").and_then(Value::as_u64);
        match found.ok_or(StatusError::NotStatus)? {
            found if found > VERSION => return Err(StatusError::Newer { found }),
            _ => {}
        }
        let list = |name: &str| {
            let list = document.get(name).and_then(Value::as_array);
            list.map_or(&[][..], Vec::as_slice)
        };
        let text = |value: &Value, name: &str| String::read(value.get(name)?);
        let export = |value: &Value| Export::read(value.get("export")?);
        let course = |value| Some((export(value)?, Course::read(value)?));
        let account = |value| Some((text(value, "account")?, AccountName::read(value)?));
        let entry = |value| {
            let key = Key {
                account: text(value, "account")?,
                region: text(value, "region")?,
                export: export(value)?,
            };
            Some((key, Entry::read(value)?))
        };
        Ok(Status {
            exports: list("exports").iter().filter_map(course).collect(),
            accounts: list("accounts").iter().filter_map(account).collect(),
            entries: list("entries").iter().filter_map(entry).collect(),
        })
    }
}
