//! What is wrong, worst first, and what to do about it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Entry, Export, Facts, Inventoried, Key, Logged, Measured, RunState, Status};
use crate::describe::state::State;

/// How far metrics may be behind, in seconds.
const LAG_SECONDS: u64 = 3600;

/// How much something matters, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something is not exported at all.
    Failing,
    /// Something is missing.
    Warning,
    /// Somebody may want to know.
    Note,
}

impl Severity {
    /// Every severity, the worst first.
    pub const ALL: [Severity; 3] = [Severity::Failing, Severity::Warning, Severity::Note];

    /// The name in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Severity::Failing => "failing",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// Kinds of issues: how much each matters, its name in reports, and what to do.
macro_rules! kinds {
    ($( $(#[$doc:meta])* $kind:ident = $severity:ident $label:literal $todo:literal; )+) => {
        /// What is wrong. In the order in which issues are shown.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum IssueKind { $( $(#[$doc])* $kind, )+ }

        impl IssueKind {
            /// Every kind.
            pub const ALL: &'static [IssueKind] = &[$( IssueKind::$kind, )+];

            /// How much it matters.
            pub const fn severity(self) -> Severity {
                match self { $( IssueKind::$kind => Severity::$severity, )+ }
            }

            /// The name in reports.
            pub const fn label(self) -> &'static str {
                match self { $( IssueKind::$kind => $label, )+ }
            }

            /// What to do, as a sentence.
            pub const fn todo(self) -> &'static str {
                match self { $( IssueKind::$kind => $todo, )+ }
            }
        }
    };
}

kinds! {
    /// A run could not find out what is to do.
    NotPlanned = Failing "not-planned"
        "Check the primary role, its trust policy and external id, and that it may list the organization's accounts.";
    /// No run comes.
    Silent = Failing "silent"
        "Check that the schedule is enabled, and look for errors in the log of the collector.";
    /// Nothing of an account and region could be done.
    Failed = Failing "failed"
        "Check that the role exists, that its trust policy names the role before it, and its external id; then compare its policy with `cloud-export policy`.";
    /// An account and region that no run asks for any more.
    Stale = Failing "stale"
        "If it is meant to be left out, delete status/status.json: the next run writes it anew. If not, check that the account is active and not blocked, that its region is chosen, and the dead-letter queue of the collector.";
    /// AWS cannot deliver a flow log.
    DeliveryFails = Failing "delivery-fails"
        "Access error: let delivery.logs.amazonaws.com write, in the policy of the bucket and of its KMS key. Other reasons pass, or are in the flow log's settings.";
    /// A permission is missing.
    Denied = Warning "denied"
        "Compare the role's policy with `cloud-export policy`, and look for a service control policy that forbids it. What was known before is kept.";
    /// Calls that gave no answer.
    Unanswered = Warning "unanswered"
        "Nothing at first: the next run asks again, and what was known before is kept. If it stays, run less often, or look at the network of the function.";
    /// VPCs whose traffic nobody logs.
    NotLogged = Warning "not-logged"
        "Create a flow log of the VPC to S3, with all fields and 60 seconds of aggregation.";
    /// Metrics come late.
    Lagging = Warning "lagging"
        "Raise the collector's timeout or concurrency; if CloudWatch throttles, lengthen CLOUD_EXPORT_METRIC_INTERVAL.";
    /// Metrics lie too far back.
    Skipped = Warning "skipped"
        "Raise CLOUD_EXPORT_METRIC_CATCH_UP_HOURS if outages may be that long. What is skipped stays a gap.";
    /// Metrics that are refused or given up.
    Lost = Warning "lost"
        "Look at the collector's log line of the account and region: it has CloudWatch's codes.";
    /// Part of something is missing for another reason.
    Partial = Warning "partial"
        "Look at the collector's log line of the account and region.";
    /// Metrics that cost too much.
    LeftOut = Note "left-out"
        "Raise CLOUD_EXPORT_METRIC_BUDGET, or choose fewer with CLOUD_EXPORT_METRIC_SELECT.";
    /// A region that an account has not enabled.
    RegionDisabled = Note "region-disabled"
        "Nothing, or leave the region out.";
    /// What had to wait.
    Deferred = Note "deferred"
        "Nothing: the rest is handed on. If it stays, raise the collector's timeout.";
}

/// Something that is wrong, in all places where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// What kind.
    pub kind: IssueKind,
    /// The export.
    pub export: Export,
    /// What is wrong, as a sentence.
    pub what: String,
    /// Where: accounts with regions, and what of them.
    pub places: Vec<String>,
}

impl Issue {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }
}

/// Issues in the making, those that say the same put together.
#[derive(Default)]
struct Issues(BTreeMap<(Severity, IssueKind, Export, String), Vec<String>>);

impl Issues {
    fn add(
        &mut self,
        kind: IssueKind,
        export: Export,
        what: impl Into<String>,
        place: Option<String>,
    ) {
        let key = (kind.severity(), kind, export, what.into());
        self.0.entry(key).or_default().extend(place);
    }

    /// The worst first, of those the one of most places.
    fn finish(self) -> Vec<Issue> {
        let issue = |((_, kind, export, what), places)| Issue {
            kind,
            export,
            what,
            places,
        };
        let mut issues: Vec<Issue> = self.0.into_iter().map(issue).collect();
        issues.sort_by_key(|issue| {
            let places = std::cmp::Reverse(issue.places.len());
            (issue.severity(), issue.kind, places)
        });
        issues
    }
}

impl Status {
    /// What is wrong, the worst first.
    pub fn issues(&self, now: Timestamp) -> Vec<Issue> {
        let mut issues = Issues::default();
        for (export, course) in &self.exports {
            if let (RunState::Failed, Some(error)) = (course.latest.state, &course.latest.error) {
                let what = format!("Nobody could be asked: {error}");
                issues.add(IssueKind::NotPlanned, *export, what, None);
            }
            if self.is_silent(*export, now) {
                let what = format!("No run came since {}", minute(course.latest.at));
                issues.add(IssueKind::Silent, *export, what, None);
            }
        }
        for (key, entry) in &self.entries {
            let place = self.place(key);
            if self.is_stale(key) {
                let what = "Runs come, and have no part of it any more";
                let since = format!("{place}, since {}", minute(entry.latest.at));
                // What another export's runs find out is stale with it.
                if key.export == key.export.told_by() {
                    issues.add(IssueKind::Stale, key.export, what, Some(since));
                }
                continue;
            }
            issues.of_entry(key, entry, &place);
        }
        issues.finish()
    }

    /// An account and region, as they are shown.
    pub fn place(&self, key: &Key) -> String {
        let Key {
            account, region, ..
        } = key;
        match self.name_of(account) {
            None => format!("{account} {region}"),
            Some(name) => format!("{account} ({name}) {region}"),
        }
    }
}

/// A time to the minute, in UTC.
pub(super) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

impl Issues {
    fn of_entry(&mut self, key: &Key, entry: &Entry, place: &str) {
        let state = entry.latest.state;
        let error = entry.latest.error.as_deref();
        match (key.export, state) {
            (Export::Metadata | Export::Metrics, RunState::Failed) => {
                let what = error.unwrap_or("Nothing was answered");
                return self.add(IssueKind::Failed, key.export, what, Some(place.to_owned()));
            }
            (_, RunState::Deferred) => {
                let what = "Time was over before everything was asked for";
                self.add(
                    IssueKind::Deferred,
                    key.export,
                    what,
                    Some(place.to_owned()),
                );
            }
            _ => {}
        }
        let before = self.0.values().map(Vec::len).sum::<usize>();
        match entry.facts() {
            Some(Facts::Metadata(facts)) => self.of_metadata(key.export, facts, place),
            Some(Facts::Metrics(facts)) => self.of_metrics(key.export, facts, place),
            Some(Facts::FlowLogs(facts)) => self.of_flow_logs(key.export, facts, place),
            None => {}
        }
        let is_told = self.0.values().map(Vec::len).sum::<usize>() > before;
        if state == RunState::Partial && !is_told {
            let what = error.unwrap_or("Something is missing");
            self.add(IssueKind::Partial, key.export, what, Some(place.to_owned()));
        }
    }

    fn of_metadata(&mut self, export: Export, facts: &Inventoried, place: &str) {
        for unanswered in &facts.unanswered {
            let (kind, verb) = match State::named(&unanswered.state) {
                Some(State::Denied) => (IssueKind::Denied, "denied"),
                Some(State::RegionDisabled) => (IssueKind::RegionDisabled, "refused"),
                Some(State::Deferred) => continue,
                _ => (IssueKind::Unanswered, "not answered"),
            };
            for call in &unanswered.calls {
                let what = match kind {
                    // All calls there say the same.
                    IssueKind::RegionDisabled => "The region is not enabled".to_owned(),
                    _ => format!("{call} is {verb} ({})", unanswered.code),
                };
                let key = (kind.severity(), kind, export, what);
                let places = self.0.entry(key).or_default();
                if places.last().map(String::as_str) != Some(place) {
                    places.push(place.to_owned());
                }
            }
        }
    }

    fn of_metrics(&mut self, export: Export, facts: &Measured, place: &str) {
        let told = [
            (
                facts.lag_seconds > LAG_SECONDS,
                IssueKind::Lagging,
                "Metrics come more than an hour late",
                format!("{place}: {} behind", span(facts.lag_seconds)),
            ),
            (
                facts.skipped_seconds > 0,
                IssueKind::Skipped,
                "Metrics lie too far back to be read",
                format!("{place}: {} of them", span(facts.skipped_seconds)),
            ),
            (
                facts.lost > 0,
                IssueKind::Lost,
                "CloudWatch refuses metrics, or never answered for them",
                format!("{place}: {} queries", facts.lost),
            ),
            (
                facts.left_out > 0,
                IssueKind::LeftOut,
                "The budget does not pay all metrics",
                format!("{place}: {} queries", facts.left_out),
            ),
        ];
        for (is_so, kind, what, place) in told {
            if is_so {
                self.add(kind, export, what, Some(place));
            }
        }
    }

    fn of_flow_logs(&mut self, export: Export, facts: &Logged, place: &str) {
        for failing in &facts.failing {
            let reason = match failing.error.as_str() {
                "" => "no reason is told",
                error => error,
            };
            let what = format!(
                "AWS does not deliver flow logs to {}: {reason}",
                failing.destination
            );
            let place = format!("{place}: {} of {}", failing.log, failing.resource);
            self.add(IssueKind::DeliveryFails, export, what, Some(place));
        }
        for network in facts.networks.iter().filter(|network| network.is_lacking()) {
            let what = match network.flow_found {
                false => "VPCs with interfaces have no flow log to S3",
                true => "VPCs have flow logs to S3 of a part only",
            };
            let named = network.name.as_ref();
            let named = named.map_or_else(String::new, |name| format!(" ({name})"));
            let lacking = network.interfaces.of - network.interfaces.logged;
            let place = format!("{}{named} in {place}: {lacking} interfaces", network.vpc);
            self.add(IssueKind::NotLogged, export, what, Some(place));
        }
    }
}

/// A time span, in the largest unit that is reasonable.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
