//! Resources: whose network it is. What is of one account and region stands together.
//!
//! Logs and metrics have messages of the same numbers here: `Resource`, `InstrumentationScope`, and the records of a
//! scope.

use std::collections::HashMap;

use super::attribute::{AnyValue, attribute};
use super::protobuf::{FieldNumber, delimited, delimited_len, header, message};

/// The conventions that names of attributes follow.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// `resource_logs` and `resource_metrics`.
const OF_RESOURCE: FieldNumber = 1;
const RESOURCE: FieldNumber = 1;
const RESOURCE_ATTRIBUTES: FieldNumber = 1;
const OF_SCOPE: FieldNumber = 2;
const SCOPE: FieldNumber = 1;
const RESOURCE_SCHEMA_URL: FieldNumber = 3;
const SCOPE_NAME: FieldNumber = 1;
const SCOPE_VERSION: FieldNumber = 2;

/// `log_records` and `metrics` of a scope.
pub(super) const RECORDS: FieldNumber = 2;

/// What a resource takes beside its records, about.
const OVERHEAD: usize = 256;

/// Whose network it is, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Home {
    /// The account's 12 digits; empty when it is not known.
    pub account: Box<str>,
    /// The region's name, such as `us-east-1`; empty when it is not known.
    pub region: Box<str>,
}

impl Home {
    /// An account and a region; empty where they are not known.
    pub fn new(account: &str, region: &str) -> Home {
        Home {
            account: account.into(),
            region: region.into(),
        }
    }

    fn is(&self, account: &str, region: &str) -> bool {
        *self.account == *account && *self.region == *region
    }
}

/// Things of one account and region each, in the order that they were met.
#[derive(Debug, Default)]
pub(super) struct ByHome<T> {
    groups: Vec<(Home, T)>,
    numbers: HashMap<Home, usize>,
    last: usize,
}

impl<T: Default> ByHome<T> {
    /// What is of an account and region.
    #[inline]
    pub(super) fn entry(&mut self, account: &str, region: &str) -> Option<&mut T> {
        let last = self.groups.get(self.last);
        if !last.is_some_and(|(home, _)| home.is(account, region)) {
            self.last = self.find(Home::new(account, region));
        }
        self.groups.get_mut(self.last).map(|(_, of)| of)
    }

    #[cold]
    fn find(&mut self, home: Home) -> usize {
        if let Some(number) = self.numbers.get(&home) {
            return *number;
        }
        self.numbers.insert(home.clone(), self.groups.len());
        self.groups.push((home, T::default()));
        self.groups.len() - 1
    }

    /// About how many bytes stand around the records.
    pub(super) fn overhead(&self) -> usize {
        self.groups.len() * OVERHEAD
    }

    /// Appends a request of all groups to `out`, and forgets them. `records` gives the fields of a scope.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, records: impl Fn(T) -> Vec<u8>) {
        self.numbers.clear();
        self.last = 0;
        for (home, of) in self.groups.drain(..) {
            let records = records(of);
            let resource = resource(&home);
            let scope = scope();
            // The records are long: lengths are added up instead of moving them.
            let of_scope = scope.len() + records.len();
            let schema_len = delimited_len(RESOURCE_SCHEMA_URL, SCHEMA_URL.len());
            let of_resource = resource.len() + delimited_len(OF_SCOPE, of_scope) + schema_len;
            out.reserve(of_resource + 16);
            header(out, OF_RESOURCE, of_resource);
            out.extend_from_slice(&resource);
            header(out, OF_SCOPE, of_scope);
            out.extend_from_slice(&scope);
            out.extend_from_slice(&records);
            delimited(out, RESOURCE_SCHEMA_URL, SCHEMA_URL.as_bytes());
        }
    }
}

fn resource(home: &Home) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, RESOURCE, |out| {
        let known = [
            ("cloud.provider", "aws"),
            ("cloud.account.id", &home.account),
            ("cloud.region", &home.region),
        ];
        for (key, text) in known.into_iter().filter(|(_, text)| !text.is_empty()) {
            attribute(out, RESOURCE_ATTRIBUTES, key, AnyValue::Text(text));
        }
    });
    out
}

fn scope() -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, SCOPE, |out| {
        delimited(out, SCOPE_NAME, b"cloud-export");
        delimited(out, SCOPE_VERSION, env!("CARGO_PKG_VERSION").as_bytes());
    });
    out
}
