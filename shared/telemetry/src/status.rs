//! Status: what became of each export in each account and region, for a person to look at.
//!
//! ```text
//! snapshot, reports of a run ─▶ Status of the run ─▶ merged into the one of all runs ─┬─▶ status/status.json
//!                                                                                     └─▶ page ─▶ status/index.html
//! ```
//!
//! A run knows what it did itself, so statuses are merged: of each export, account and region the newest counts.
//! [`Status::merge`] does not care in which order runs come, nor whether one comes twice. Nothing is
//! dropped: what no run asks for any more is shown as [stale](Status::is_stale).
//!
//! ```json
//! {
//!   "version": 1,
//!   "exports": [{"export": "metadata", "runs": ["2026-11-20T16:20:00Z"], "last_success": "2026-11-20T16:20:00Z",
//!                "latest": {"at": "2026-11-20T16:20:00Z", "state": "complete", "error": null, "role": null}}],
//!   "accounts": [{"account": "111111111111", "at": "2026-11-20T16:20:02Z", "name": "network"}],
//!   "entries": [{"export": "metadata", "account": "111111111111", "region": "us-east-1",
//!                "latest": {"at": "2026-11-20T16:20:02Z", "state": "partial", "error": null,
//!                           "role": "arn:aws:iam::111111111111:role/network-reader"},
//!                "last_success": "2026-11-20T15:20:02Z",
//!                "known": {"at": "2026-11-20T16:20:02Z", "metadata": {"rows": 76, "calls": {"ok": 34, "denied": 1},
//!                          "unanswered": [{"state": "denied", "code": "UnauthorizedOperation", "message": "…",
//!                                          "calls": ["ec2 DescribeFlowLogs"]}],
//!                          "devices": {"vpc": 1}}}}]
//! }
//! ```

mod document;
mod issues;
mod observed;
mod page;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use document::{labels, record};

use crate::inventory::Kind;

pub use document::{StatusError, VERSION};
pub use issues::{Issue, IssueKind, Severity};
pub use page::{MAX_ROWS, page};

/// The key of the document.
pub const STATUS_KEY: &str = "status/status.json";

/// The key of the page.
pub const PAGE_KEY: &str = "status/index.html";

/// How many runs of an export are remembered.
const RUNS: usize = 8;

/// After how many runs that an account and region had no part in it is stale.
const STALE_RUNS: usize = 3;

/// How far apart the runs of an export are as long as that is not known.
const UNKNOWN_INTERVAL: SignedDuration = SignedDuration::from_hours(8);

/// What a run may be late.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// How long a status that says the same as before is not written again: runs may be minutes apart, and
/// of many accounts.
const NEWS_AFTER: SignedDuration = SignedDuration::from_mins(15);

labels! {
    /// What is exported.
    Export {
        /// What the network consists of, as the collector asked.
        Metadata = "metadata",
        /// What CloudWatch measured of it, as the collector read it.
        Metrics = "metrics",
        /// What AWS says of the flow logs: which there are, and whether their delivery works. That their
        /// records arrive is not known here; the forwarder's metrics tell.
        FlowLogs = "flow-logs",
    }

    /// What became of an account and region, the best first.
    RunState {
        /// Everything was done.
        Complete = "complete",
        /// Nothing was due.
        Idle = "idle",
        /// Time was over; the rest is handed on.
        Deferred = "deferred",
        /// Something is missing.
        Partial = "partial",
        /// Nothing was done.
        Failed = "failed",
    }
}

impl RunState {
    /// Whether nothing is missing.
    pub const fn is_success(self) -> bool {
        matches!(self, RunState::Complete | RunState::Idle)
    }
}

impl Export {
    /// The name on the page.
    pub const fn title(self) -> &'static str {
        match self {
            Export::Metadata => "Metadata",
            Export::Metrics => "Metrics",
            Export::FlowLogs => "Flow logs",
        }
    }

    /// The export whose runs find it out.
    pub const fn told_by(self) -> Export {
        match self {
            Export::FlowLogs => Export::Metadata,
            export => export,
        }
    }
}

record! {
    /// How a run ended. The later one is the greater.
    Outcome {
        /// When.
        at: Timestamp,
        /// How.
        state: RunState,
        /// Why, as a sentence, where it is no success.
        error: Option<String>,
        /// The last role on the way into the account.
        role: Option<String>,
    }

    /// The runs of an export: how finding out what is to do ended.
    Course {
        /// When the newest of them were.
        runs: BTreeSet<Timestamp>,
        /// How the newest one ended.
        latest: Outcome,
        /// When one last had nothing missing.
        last_success: Option<Timestamp>,
    }

    /// An export in an account and region.
    Entry {
        /// How the newest run ended.
        latest: Outcome,
        /// When one last had nothing missing.
        last_success: Option<Timestamp>,
        /// What is known, perhaps from an earlier run.
        known: Option<Known>,
    }

    /// The name of an account. The later one is the greater.
    AccountName {
        /// When it was seen.
        at: Timestamp,
        /// The name that the organization gave it.
        name: String,
    }

    /// What the snapshot of an account and region holds.
    Inventoried {
        /// Rows.
        rows: u64,
        /// Calls of the catalogue by how they ended.
        calls: BTreeMap<String, u64>,
        /// Those that were not answered, by reason.
        unanswered: Vec<Unanswered>,
        /// What is there, by kind: what the account owns, so that what is shared counts once.
        devices: BTreeMap<String, u64>,
    }

    /// Calls that were not answered for one reason.
    Unanswered {
        /// The state: one of [`State`](crate::describe::state::State)'s labels.
        state: String,
        /// AWS's error code.
        code: String,
        /// One of the messages.
        message: String,
        /// The calls.
        calls: Vec<String>,
    }

    /// What was read of metrics.
    Measured {
        /// How far the oldest namespace is behind what is settled, in seconds.
        lag_seconds: u64,
        /// Series that are listed.
        series: u64,
        /// Metrics requested.
        requested: u64,
        /// Datapoints delivered.
        datapoints: u64,
        /// Queries that were not answered in full, and are asked again.
        owed: u64,
        /// Queries that are refused or given up.
        lost: u64,
        /// Queries that the budget does not pay.
        left_out: u64,
        /// Seconds that lie too far back to be read.
        skipped_seconds: u64,
    }

    /// What AWS says of the flow logs.
    Logged {
        /// Flow logs.
        logs: u64,
        /// VPCs of the account that have a flow log to S3, or parts of which have.
        vpcs: Covered,
        /// Subnets in them.
        subnets: Covered,
        /// Interfaces in them.
        interfaces: Covered,
        /// Where they go, and how many do.
        destinations: BTreeMap<String, u64>,
        /// Those that AWS cannot deliver.
        failing: Vec<FailingLog>,
        /// VPCs, those without a flow log first.
        networks: Vec<Network>,
        /// VPCs that are not in the list, for there are too many.
        more_networks: u64,
    }

    /// How many of something a flow log to S3 covers.
    Covered {
        /// Of how many.
        of: u64,
        /// How many.
        logged: u64,
    }

    /// A flow log that is not delivered (`DeliverLogsStatus`, *EC2 API Reference*).
    FailingLog {
        /// The flow log.
        log: String,
        /// What it is of.
        resource: String,
        /// Where it should go.
        destination: String,
        /// AWS's reason.
        error: String,
    }

    /// A VPC.
    Network {
        /// Its id.
        vpc: String,
        /// Its name.
        name: Option<String>,
        /// Its blocks.
        cidrs: Vec<String>,
        /// Whether there is a flow log to S3 of it or of something in it.
        flow_found: bool,
        /// Its interfaces.
        interfaces: Covered,
    }
}

/// What is known of an account and region. The later one is the greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// Since when.
    pub at: Timestamp,
    /// What.
    pub facts: Facts,
}

/// What is known of an export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facts {
    /// Of metadata.
    Metadata(Inventoried),
    /// Of metrics.
    Metrics(Measured),
    /// Of flow logs.
    FlowLogs(Logged),
}

/// Which entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The account; `unknown` where nobody could find it out.
    pub account: String,
    /// The region, or `global`.
    pub region: String,
    /// The export.
    pub export: Export,
}

/// What became of each export in each account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The runs of each export.
    pub exports: BTreeMap<Export, Course>,
    /// What became of it where.
    pub entries: BTreeMap<Key, Entry>,
    /// Names of accounts.
    pub accounts: BTreeMap<String, AccountName>,
}

impl Outcome {
    fn success(&self) -> Option<Timestamp> {
        self.state.is_success().then_some(self.at)
    }
}

impl Course {
    /// One run.
    pub fn of(latest: Outcome) -> Course {
        Course {
            runs: BTreeSet::from([latest.at]),
            last_success: latest.success(),
            latest,
        }
    }

    fn merge(&mut self, other: &Course) {
        self.runs.extend(&other.runs);
        while self.runs.len() > RUNS {
            self.runs.pop_first();
        }
        raise(&mut self.latest, &other.latest);
        raise(&mut self.last_success, &other.last_success);
    }

    /// The longest time between two of the runs that are remembered.
    fn interval(&self) -> SignedDuration {
        let later = self.runs.iter().skip(1);
        let gaps = self.runs.iter().zip(later);
        let longest = gaps.map(|(run, next)| next.duration_since(*run)).max();
        longest.unwrap_or(UNKNOWN_INTERVAL)
    }
}

impl Entry {
    /// What became of one run, and what it found out.
    pub fn of(latest: Outcome, facts: Option<Facts>) -> Entry {
        let at = latest.at;
        Entry {
            last_success: latest.success(),
            known: facts.map(|facts| Known { at, facts }),
            latest,
        }
    }

    fn merge(&mut self, other: &Entry) {
        raise(&mut self.latest, &other.latest);
        raise(&mut self.last_success, &other.last_success);
        raise(&mut self.known, &other.known);
    }

    /// What is known.
    pub fn facts(&self) -> Option<&Facts> {
        self.known.as_ref().map(|known| &known.facts)
    }
}

/// The greater of two.
fn raise<T: Ord + Clone>(kept: &mut T, other: &T) {
    if other > kept {
        *kept = other.clone();
    }
}

/// Puts what another map has into one, merging what both have.
fn join<K: Ord + Clone, V: Clone>(
    kept: &mut BTreeMap<K, V>,
    other: &BTreeMap<K, V>,
    merge: fn(&mut V, &V),
) {
    for (key, value) in other {
        let entry = kept.entry(key.clone());
        entry
            .and_modify(|kept| merge(kept, value))
            .or_insert_with(|| value.clone());
    }
}

impl Status {
    /// A status that says only how finding out what is to do ended: that a run began, or why none could.
    pub fn of_run(export: Export, at: Timestamp, error: Option<String>) -> Status {
        let state = match &error {
            None => RunState::Complete,
            Some(_) => RunState::Failed,
        };
        let latest = Outcome {
            at,
            state,
            error,
            role: None,
        };
        Status {
            exports: BTreeMap::from([(export, Course::of(latest))]),
            ..Status::default()
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.exports.is_empty() && self.entries.is_empty() && self.accounts.is_empty()
    }

    /// Puts another one in: of what both have, the newest counts.
    pub fn merge(&mut self, other: &Status) {
        join(&mut self.exports, &other.exports, Course::merge);
        join(&mut self.entries, &other.entries, Entry::merge);
        join(&mut self.accounts, &other.accounts, raise);
    }

    /// Whether merging another one in would tell anybody something: a state that is not there or is another one, or
    /// that was last told long ago.
    pub fn is_news(&self, other: &Status) -> bool {
        let differs = |kept: Option<&Outcome>, other: &Outcome| {
            kept.is_none_or(|kept| {
                (kept.state, &kept.error) != (other.state, &other.error)
                    || other.at.duration_since(kept.at) >= NEWS_AFTER
            })
        };
        let course = |export| self.exports.get(export).map(|course| &course.latest);
        let entry = |key| self.entries.get(key).map(|entry| &entry.latest);
        let mut courses = other.exports.iter();
        let mut entries = other.entries.iter();
        courses.any(|(export, c)| differs(course(export), &c.latest))
            || entries.any(|(key, e)| differs(entry(key), &e.latest))
    }

    /// When the newest run was.
    pub fn as_of(&self) -> Option<Timestamp> {
        let courses = self.exports.values().map(|course| course.latest.at);
        courses
            .chain(self.entries.values().map(|entry| entry.latest.at))
            .max()
    }

    /// Whether the account and region had no part in the last three runs of its export.
    pub fn is_stale(&self, key: &Key) -> bool {
        let (Some(entry), Some(course)) = (
            self.entries.get(key),
            self.exports.get(&key.export.told_by()),
        ) else {
            return false;
        };
        let since = course.runs.iter().filter(|run| **run > entry.latest.at);
        since.count() >= STALE_RUNS
    }

    /// Whether no run of the export came although three were due.
    pub fn is_silent(&self, export: Export, now: Timestamp) -> bool {
        let due = self.due(export);
        due.is_some_and(|due| now > due)
    }

    /// When an export of which no run comes is silent. `None` where none ever came.
    fn due(&self, export: Export) -> Option<Timestamp> {
        let course = self.exports.get(&export)?;
        let patience = course.interval().saturating_mul(STALE_RUNS as i32);
        let due = course.latest.at.saturating_add(patience).ok()?;
        due.saturating_add(LATE).ok()
    }

    /// What is known of the metadata, of each account and region.
    pub fn inventoried(&self) -> impl Iterator<Item = &Inventoried> {
        self.entries
            .values()
            .filter_map(|entry| match entry.facts() {
                Some(Facts::Metadata(facts)) => Some(facts),
                _ => None,
            })
    }

    /// What is known of the flow logs, of each account and region.
    pub fn logged(&self) -> impl Iterator<Item = (&Key, &Logged)> {
        let entries = self.entries.iter();
        entries.filter_map(|(key, entry)| match entry.facts() {
            Some(Facts::FlowLogs(facts)) => Some((key, facts)),
            _ => None,
        })
    }

    /// How many devices of each kind there are, in the order of the inventory.
    pub fn devices(&self) -> Vec<(&str, u64)> {
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for facts in self.inventoried() {
            for (kind, count) in &facts.devices {
                *kinds.entry(kind).or_default() += count;
            }
        }
        let place = |label: &str| Kind::ALL.iter().position(|kind| kind.label() == label);
        let mut kinds: Vec<(&str, u64)> = kinds.into_iter().collect();
        kinds.sort_by_key(|(label, _)| (place(label).is_none(), place(label)));
        kinds
    }

    /// The name of an account.
    pub fn name_of(&self, account: &str) -> Option<&str> {
        self.accounts.get(account).map(|named| named.name.as_str())
    }
}

#[cfg(test)]
mod tests;
