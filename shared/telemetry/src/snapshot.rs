//! What is known of one account in one region: the rows AWS answered with, and how each call ended.
//!
//! A snapshot is one JSON document. Its sections are what boto3 and AWS CLI v2 give for the same
//! calls, member for member, so that whatever reads those reads these; `Collection` says where they
//! come from:
//!
//! ```json
//! {
//!   "Collection": {
//!     "Version": 1,
//!     "Account": "111111111111", "Region": "us-east-1", "Partition": "aws",
//!     "Roles": ["arn:aws:iam::111111111111:role/network-reader"],
//!     "Started": "2026-11-20T16:20:00+00:00", "Finished": "2026-11-20T16:20:02.500000+00:00",
//!     "Endpoints": [
//!       {"Section": "Vpcs", "Service": "ec2", "Operation": "DescribeVpcs", "State": "ok",
//!        "Count": 1, "Calls": 1, "DurationMs": 12, "Observed": "2026-11-20T16:20:01+00:00",
//!        "Failures": []},
//!       {"Section": "Subnets", "Service": "ec2", "Operation": "DescribeSubnets", "State": "denied",
//!        "Count": 1, "Calls": 1, "DurationMs": 9, "Observed": "2026-11-20T16:10:01+00:00",
//!        "Failures": [{"State": "denied", "Code": "UnauthorizedOperation", "Message": "…"}],
//!        "Stale": {"Since": "2026-11-20T16:10:01+00:00",
//!                  "Why": "UnauthorizedOperation: … (role arn:aws:iam::111111111111:role/network-reader)"}}
//!     ]
//!   },
//!   "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
//!   "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1"}]
//! }
//! ```
//!
//! - A section is present when it was ever answered: `[]` says that there are none, `{}` the same of
//!   a section that is one object. A section that is absent is unknown.
//! - `State` is one of [`State`]'s labels. An item in `Failures` names the one of several calls that
//!   failed; without it, the whole endpoint did.
//! - `Stale` says that rows are kept from an earlier run, all of them or those of the failed items:
//!   since when nothing newer is known of them, and why. `Observed` is when AWS last answered with
//!   rows of the section.
//! - Times are as AWS CLI v2 prints them, in UTC, with microseconds where there are any.
//! - Sections and endpoints stand in the catalogue's order; what the catalogue does not know, last,
//!   by name.
//!
//! [`Snapshot::merge`] makes the next document of the last one and the answers of a run. A failure
//! never takes rows away: they are replaced by an answer only.

pub(crate) mod canonical;
mod document;
pub(crate) mod fan_out;
mod merge;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::describe::catalogue::{Endpoint, Scope};
use crate::describe::state::{CallFailure, State};
use crate::inventory::{Inventory, InventoryBuilder, Origin};
use crate::target::Hop;

pub use document::{SnapshotError, VERSION};

/// The region of what is the same wherever in the account it is asked for.
pub const GLOBAL: &str = "global";

/// What is collected at once: one account in one region, and the way into it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Unit {
    /// The account: 12 digits.
    pub account: String,
    /// The region, or [`GLOBAL`].
    pub region: String,
    /// The partition: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The roles that were assumed one from the other, ARNs, outermost first. Empty when the
    /// program's own credentials were used.
    pub roles: Vec<String>,
}

impl Unit {
    /// A region of an account, which is entered through these roles.
    pub fn new(
        (account, partition): (&str, &str),
        region: impl Into<String>,
        chain: &[Hop],
    ) -> Unit {
        Unit {
            account: account.to_owned(),
            region: region.into(),
            partition: partition.to_owned(),
            roles: chain.iter().map(|hop| hop.role.to_string()).collect(),
        }
    }

    /// Which endpoints are asked in the unit.
    pub fn scope(&self) -> Scope {
        match self.region.as_str() {
            GLOBAL => Scope::Global,
            _ => Scope::Regional,
        }
    }
}

/// A call that gave no answer, and which one of its endpoint it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The parent the call was made for: its id, or the JSON text of the parameters that name it.
    /// `None` when the endpoint as a whole was not answered.
    pub item: Option<String>,
    /// What happened.
    pub failure: CallFailure,
}

/// What one endpoint gave in one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Collected {
    /// The endpoint: one of the catalogue.
    pub endpoint: &'static Endpoint,
    /// How it ended: that of the first failure, where there is one.
    pub state: State,
    /// The rows of what was answered: a list, or the one object of
    /// [`Rows::Whole`](crate::describe::catalogue::Rows::Whole). Null for none.
    pub rows: Value,
    /// What was not answered. `rows` hold nothing of it.
    pub failures: Vec<Failure>,
    /// Parents that were gone when they were asked about.
    pub vanished: u32,
    /// Calls made.
    pub calls: u32,
    /// From the first call to the last answer.
    pub duration: Duration,
    /// When the last answer came.
    pub observed: Timestamp,
}

/// Why the rows of a section are older than the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// When the oldest of the rows that were kept were last seen in an answer.
    pub since: Timestamp,
    /// What kept newer ones from coming, as a sentence.
    pub why: String,
}

/// How one endpoint ended, and how old the rows of its section are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointReport {
    /// The section of the snapshot.
    pub section: String,
    /// The service, as the AWS CLI calls it.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// How the last run that asked the endpoint ended.
    pub state: State,
    /// Rows in the section, those that were kept included.
    pub count: usize,
    /// Calls made in that run.
    pub calls: u32,
    /// How long they took together; the document holds milliseconds.
    pub duration: Duration,
    /// When AWS last answered with rows of the section; `None` when it never did.
    pub observed: Option<Timestamp>,
    /// The calls of that run that were not answered.
    pub failures: Vec<Failure>,
    /// Set when rows are kept from before.
    pub stale: Option<Stale>,
}

impl EndpointReport {
    /// Whether everything that was asked was answered, so that what is missing does not exist.
    pub fn is_complete(&self) -> bool {
        self.state.is_answered() && self.failures.is_empty() && self.stale.is_none()
    }
}

/// What is known of a unit.
///
/// The document holds times to the microsecond and durations to the millisecond, and
/// [`Snapshot::merge`] makes nothing finer.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The account, the region and the roles.
    pub unit: Unit,
    /// When the last run began.
    pub started: Timestamp,
    /// When the last run ended.
    pub finished: Timestamp,
    /// How each endpoint ended, no section twice.
    pub endpoints: Vec<EndpointReport>,
    /// The sections by name.
    pub sections: Map<String, Value>,
}

impl Snapshot {
    /// What there is, by the snapshot.
    pub fn inventory(&self) -> Inventory {
        let mut inventory = InventoryBuilder::new();
        inventory.add(&self.to_json(), Origin::default());
        inventory.finish()
    }

    /// The rows of a section: the elements of a list, or the one object. None when the section is
    /// empty or unknown.
    pub fn rows_of(&self, section: &str) -> &[Value] {
        self.sections.get(section).map_or(&[], rows)
    }

    /// How the endpoint of a section ended. `None` when it was never asked.
    pub fn report(&self, section: &str) -> Option<&EndpointReport> {
        self.endpoints
            .iter()
            .find(|report| report.section == section)
    }

    /// Whether there are reports, and every one of them is of a complete answer.
    pub fn is_complete(&self) -> bool {
        !self.endpoints.is_empty() && self.endpoints.iter().all(EndpointReport::is_complete)
    }

    /// How many endpoints ended in each state, in the order of [`State::ALL`], zeros left out.
    pub fn states(&self) -> impl Iterator<Item = (State, usize)> {
        State::ALL
            .into_iter()
            .map(|state| {
                let ended = self.endpoints.iter().filter(|r| r.state == state);
                (state, ended.count())
            })
            .filter(|(_, count)| *count > 0)
    }

    /// Rows of all sections together.
    pub fn rows(&self) -> usize {
        self.sections.values().map(|value| rows(value).len()).sum()
    }

    /// How long ago the last run ended. Zero when `now` is before that, as clocks differ.
    pub fn age(&self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.finished)).unwrap_or_default()
    }
}

/// The rows of a section's value.
fn rows(section: &Value) -> &[Value] {
    match section {
        Value::Array(rows) => rows,
        Value::Object(members) if !members.is_empty() => std::slice::from_ref(section),
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_are_those_of_lists_and_of_whole_objects() {
        let snapshot = Snapshot::from_json(&json!({
            "Collection": {"Finished": "2026-11-20T16:20:00+00:00"},
            "Vpcs": [{"VpcId": "vpc-1"}, {"VpcId": "vpc-2"}],
            "Subnets": [],
            "Organization": {"Id": "o-1"},
        }))
        .unwrap();
        assert_eq!(snapshot.rows_of("Vpcs").len(), 2);
        assert_eq!(snapshot.rows_of("Subnets").len(), 0);
        assert_eq!(snapshot.rows_of("Organization"), [json!({"Id": "o-1"})]);
        assert_eq!(snapshot.rows_of("RouteTables").len(), 0);
        assert_eq!(snapshot.rows(), 3);
        let at = |text: &str| snapshot.age(text.parse().unwrap());
        assert_eq!(at("2026-11-20T16:21:30Z"), Duration::from_secs(90));
        assert_eq!(at("2026-11-20T16:19:59Z"), Duration::ZERO);
    }
}
