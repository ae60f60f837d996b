//! Measuring: the metrics of one account in one region.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use delivery::{DeliveryError, Lane};
use invocation::Budget;
use jiff::Timestamp;
use serde_json::{Map, Value};
use telemetry::describe::state::{CallFailure, State};
use telemetry::inventory::{InventoryBuilder, Origin};
use telemetry::metrics::catalogue::{AskedIn, Catalogue};
use telemetry::metrics::cost::{self, Estimate, LIST_PRICE};
use telemetry::metrics::ledger::{Asked, Claim, Group, Window, Work};
use telemetry::metrics::reading::{Query, Read, Unread};
use telemetry::metrics::resources::{self, Resources};
use telemetry::metrics::survey::{Survey, Wanted};
use telemetry::metrics::{Discovery, Ledger, Listing, Reach, Reading, SeriesList, Span};
use telemetry::metrics::{discovery, reading};
use telemetry::snapshot::{GLOBAL, Snapshot, Unit};
use telemetry::target::Hop;
use tokio::time::Instant;

use super::delivery::{Origins, deliver};
use super::report::{LeftOut, MetricPlan, MetricReport, MetricState};
use super::store::{Held, MetricStore};
use crate::cloud::Cloud;
use crate::config::MetricConfig;
use crate::job::Part;
use crate::sessions::{Asked as Call, Sessions};
use crate::store::{SnapshotStore, StoreError};

/// Lists in a month.
const LISTINGS_A_MONTH: u64 = 30 * 24;

/// How long a list of series is good, in seconds. A series that comes in the meantime is read from its beginning.
const LIST_SECONDS: i64 = 3_600;

/// The same for a namespace that was empty; less than what is made up for.
const EMPTY_LIST_SECONDS: i64 = 7_200;

/// How old a snapshot may be to conclude from it that there is nothing to measure, in seconds.
const SNAPSHOT_SECONDS: i64 = 3 * 3_600;

/// The longest period that `RecentlyActive` is asked for with, in seconds.
const RECENT_PERIOD: u32 = 300;

/// Datapoints that a part of a window is made for.
const PART_DATAPOINTS: usize = 50_000;

/// How long a claim holds where an invocation has no deadline, and what it holds longer than one, in seconds.
const LEASE_SECONDS: u64 = 900;
const LEASE_MARGIN_SECONDS: u64 = 30;

/// An account and region to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MetricOrder {
    /// The account, the region and the roles.
    pub unit: Unit,
    /// The roles on the way to the account.
    pub chain: Vec<Hop>,
    /// The namespaces; `None` for all.
    pub namespaces: Option<Vec<String>>,
    /// Whether accounts that are linked to this one are asked for too.
    pub with_linked: bool,
    /// Accounts that are read by themselves.
    pub elsewhere: Vec<String>,
}

/// The parts of an account that its metrics are read in: its regions, and those that have metrics of resources everywhere.
pub(crate) fn parts(regions: Vec<String>, config: &MetricConfig) -> Vec<Part> {
    let part = |region: &String| Part {
        region: region.clone(),
        sections: config.namespaces.clone(),
    };
    let mut parts: Vec<Part> = regions.iter().map(part).collect();
    let is_wanted = |label: &String| {
        let mut only = config.namespaces.iter();
        only.all(|labels| labels.contains(label))
    };
    let mut everywhere: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    // A broken catalogue is told by each of the parts.
    let namespaces = Catalogue::get().map_or(&[][..], Catalogue::namespaces);
    for namespace in namespaces {
        if let AskedIn::Region(region) = &namespace.place
            && !regions.contains(region)
            && is_wanted(&namespace.label)
            && config.choice.wants(namespace)
        {
            let labels = everywhere.entry(region).or_default();
            labels.push(namespace.label.clone());
        }
    }
    parts.extend(everywhere.into_iter().map(|(region, labels)| Part {
        region: region.clone(),
        sections: Some(labels),
    }));
    parts
}

/// Why an account and region is left as it is.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("time was over before it was done")]
    Deadline,
    #[error("another run has the work")]
    Claimed,
    #[error("{0}")]
    Failed(String),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        match error {
            StoreError::Replaced(_) => Stop::Claimed,
            error => Stop::Failed(error.to_string()),
        }
    }
}

impl From<CallFailure> for Stop {
    fn from(failure: CallFailure) -> Stop {
        match failure.state {
            State::Deferred => Stop::Deadline,
            _ => Stop::Failed(failure.to_string()),
        }
    }
}

impl From<DeliveryError> for Stop {
    fn from(error: DeliveryError) -> Stop {
        Stop::Failed(error.to_string())
    }
}

/// What it takes to measure.
pub(crate) struct Measuring<'a, C: Cloud> {
    pub sessions: &'a Sessions<C>,
    pub snapshots: &'a SnapshotStore,
    pub lanes: &'a [Lane],
    pub config: &'a MetricConfig,
    pub order: &'a MetricOrder,
    pub budget: &'a Budget,
    pub now: fn() -> Timestamp,
    /// The way to CloudWatch in the account and region.
    pub lane: C::Lane,
}

/// Work at a window, with its queries.
struct Planned {
    work: Work,
    queries: Vec<Query>,
}

impl<C: Cloud> Measuring<'_, C> {
    /// Measures what is due.
    pub async fn run(&self) -> MetricReport {
        let clock = Instant::now();
        let mut report = MetricReport::new(self.order.unit.clone());
        let outcome = self.measure(&mut report).await;
        report.state = match outcome {
            Ok(()) if report.windows.is_empty() && report.unlisted.is_empty() => MetricState::Idle,
            Ok(()) if report.is_whole() => MetricState::Read,
            Ok(()) => MetricState::Partial,
            Err(Stop::Deadline) => MetricState::Deferred,
            Err(Stop::Claimed) => MetricState::Claimed,
            Err(Stop::Failed(reason)) => {
                report.error = Some(reason);
                MetricState::Failed
            }
        };
        report.duration = clock.elapsed();
        report
    }

    /// What measuring would take: lists what there is, reads nothing, and writes nothing.
    pub async fn plan_only(&self) -> MetricPlan {
        let mut report = MetricReport::new(self.order.unit.clone());
        let wanted = match self.surveyed(&mut report).await {
            Ok(wanted) => wanted,
            Err(stop) => {
                return MetricPlan::failed(self.order.unit.clone(), stop.to_string());
            }
        };
        let (kept, left_out) = self.bounded(&wanted);
        let queries = wanted.iter().take(kept).map(Wanted::cost);
        let listings = report.calls * LISTINGS_A_MONTH;
        MetricPlan {
            unit: report.unit,
            series: report.series,
            estimate: Estimate::new(queries, self.config.interval, listings, &LIST_PRICE),
            left_out,
            unlisted: report.unlisted,
            error: None,
        }
    }

    async fn surveyed(&self, report: &mut MetricReport) -> Result<Vec<Wanted>, Stop> {
        let catalogue = catalogue()?;
        let resources = self.resources(catalogue).await?;
        let survey = self.survey(catalogue, &resources);
        let groups = survey.groups();
        let (mut list, mut ledger) = (SeriesList::default(), Ledger::default());
        self.list(&survey, &groups, &mut list, &mut ledger, report)
            .await?;
        report.series = list.iter().count();
        Ok(survey.wanted(&list))
    }

    fn survey<'s>(&'s self, catalogue: &'s Catalogue, resources: &'s Resources) -> Survey<'s> {
        Survey {
            catalogue,
            choice: &self.config.choice,
            region: &self.order.unit.region,
            only: self.order.namespaces.as_deref(),
            resources,
        }
    }

    fn seconds(&self) -> i64 {
        (self.now)().as_second()
    }

    async fn measure(&self, report: &mut MetricReport) -> Result<(), Stop> {
        let catalogue = catalogue()?;
        let unit = &self.order.unit;
        let store = MetricStore::new(self.snapshots.objects(), &unit.account, &unit.region);
        let mut ledger = store.ledger().await?;
        let now = self.seconds();
        if ledger
            .value
            .claim
            .as_ref()
            .is_some_and(|claim| claim.until > now)
        {
            return Err(Stop::Claimed);
        }
        let mut list = store.series().await?;
        let resources = self.resources(catalogue).await?;
        let survey = self.survey(catalogue, &resources);
        let groups = survey.groups();
        if ledger.value.claim.is_some() {
            // A run died: what it may have delivered is delivered again, under the same names.
            let planned = self.repeat(&mut ledger.value, &survey, &groups, &list, report);
            store.write_ledger(&mut ledger).await?;
            self.work(&store, &mut ledger, planned, &survey, report)
                .await?;
        }
        let reach = self.reach();
        // Before anything more is owed: what is new is asked for once, however old it is.
        let kept_since = |period| reach.kept_since(&groups, period);
        let given_up = ledger.value.give_up_before(kept_since);
        let is_listed = self
            .list(&survey, &groups, &mut list, &mut ledger.value, report)
            .await?;
        report.given_up += given_up;
        report.series = list.iter().count();
        report.lag_seconds = ledger.value.lag(&groups, now);
        let planned = self.plan(&mut ledger.value, &survey, &groups, &reach, &list, report);
        if planned.iter().all(|planned| planned.queries.is_empty()) {
            // Nothing to ask: cursors move now and then, so that they do not fall behind.
            let is_far = groups.iter().any(|group| {
                let cursor = ledger.value.cursor(&group.namespace, group.period);
                let far = i64::from(self.config.catch_up / 2).max(i64::from(group.period));
                cursor.is_none_or(|cursor| cursor < reach.settled(group) - far)
            });
            let moves = is_far && !planned.is_empty();
            if moves {
                ledger.value.claim = Some(self.claim(&planned));
                ledger.value.settle();
            }
            if moves || given_up > 0 {
                store.write_ledger(&mut ledger).await?;
            }
            if is_listed {
                store.write_series(&list).await?;
            }
            report.lag_seconds = 0;
            return Ok(());
        }
        ledger.value.claim = Some(self.claim(&planned));
        store.write_ledger(&mut ledger).await?;
        // After the ledger, which says what of new series is owed: whoever knows them owes it.
        if is_listed && let Err(error) = store.write_series(&list).await {
            self.give_back(&store, &mut ledger).await;
            return Err(error.into());
        }
        self.work(&store, &mut ledger, planned, &survey, report)
            .await?;
        report.lag_seconds = ledger.value.lag(&groups, now);
        Ok(())
    }

    fn reach(&self) -> Reach {
        Reach {
            now: self.seconds(),
            interval: self.config.interval,
            catch_up: self.config.catch_up,
            since: self.config.since,
        }
    }

    /// What the collected metadata know of the account and region.
    async fn resources(&self, catalogue: &Catalogue) -> Result<Resources, Stop> {
        let unit = &self.order.unit;
        let mut inventory = InventoryBuilder::new();
        let mut observed: BTreeMap<String, i64> = BTreeMap::new();
        for region in [unit.region.as_str(), GLOBAL] {
            // Without metadata, datapoints carry what their dimensions say.
            let Ok(Some(kept)) = self.snapshots.current(&unit.account, region).await else {
                continue;
            };
            let mut snapshot: Snapshot = kept.snapshot;
            for report in snapshot
                .endpoints
                .iter()
                .filter(|report| report.is_complete())
            {
                let at = report.observed.map(Timestamp::as_second);
                observed.extend(at.map(|at| (report.section.clone(), at)));
            }
            snapshot
                .sections
                .retain(|section, _| resources::is_about(section));
            inventory.add(&snapshot.to_json(), Origin::default());
        }
        let at = |section: &str| observed.get(section).copied();
        Ok(Resources::new(catalogue, &inventory.finish(), at))
    }

    /// Lists what has to be listed again, and owes what was missed. Returns whether the list is another one.
    async fn list(
        &self,
        survey: &Survey<'_>,
        groups: &[Group],
        list: &mut SeriesList,
        ledger: &mut Ledger,
        report: &mut MetricReport,
    ) -> Result<bool, Stop> {
        let now = self.seconds();
        let mut listings = Vec::new();
        let mut is_changed = false;
        let filled: BTreeSet<String> = list.iter().map(|(s, _)| s.namespace.clone()).collect();
        for namespace in survey.namespaces() {
            let mut of_namespace = groups.iter().filter(|g| g.namespace == namespace.label);
            let is_recent = of_namespace.all(|group| group.period <= RECENT_PERIOD);
            for name in &namespace.names {
                let is_empty = !filled.contains(name);
                let good_for = match is_empty {
                    true => EMPTY_LIST_SECONDS,
                    false => LIST_SECONDS,
                };
                if list.is_listed_since(name, now - good_for + 1) {
                    continue;
                }
                let with_linked = self.order.with_linked;
                if is_empty
                    && !with_linked
                    && !survey.resources.may_have(namespace, now - SNAPSHOT_SECONDS)
                {
                    if !list.is_listed_since(name, 0) {
                        list.list(name, BTreeSet::new(), now, |_| None);
                        is_changed = true;
                    }
                    continue;
                }
                listings.push(Listing {
                    namespace: name.clone(),
                    is_recent,
                    with_linked,
                });
            }
        }
        if listings.is_empty() {
            return Ok(is_changed);
        }
        let mut discovery = Discovery::new(&self.order.unit.account, listings);
        while let Some(parameters) = discovery.next_call() {
            let answer = self.ask(discovery::OPERATION, &parameters).await?;
            discovery.answer(answer);
        }
        report.calls += discovery.calls;
        let reach = self.reach();
        let read: BTreeMap<&Group, i64> = groups
            .iter()
            .map(|group| {
                let cursor = ledger.cursor(&group.namespace, group.period);
                (group, cursor.unwrap_or_else(|| reach.first(group)))
            })
            .collect();
        let mut missed = Vec::new();
        for listed in discovery.finish() {
            match listed.series {
                Err(failure) => {
                    report
                        .unlisted
                        .push((listed.namespace, failure.to_string()));
                }
                Ok(mut series) => {
                    let is_elsewhere = |owner: &String| self.order.elsewhere.contains(owner);
                    series.retain(|series| !series.owner.as_ref().is_some_and(is_elsewhere));
                    let until = |series: &_| read.get(&survey.group_of(series)?).copied();
                    missed.extend(list.list(&listed.namespace, series, now, until));
                    is_changed = true;
                }
            }
        }
        for missed in missed {
            let group = survey.group_of(&missed.series);
            let group = group.and_then(|group| Some((*read.get(&group)?, group)));
            let span = group.and_then(|(until, group)| reach.missed(&group, missed.since, until));
            let Some(span) = span else {
                continue;
            };
            for statistic in survey.statistics_of(&missed.series) {
                let query = Query {
                    series: missed.series.clone(),
                    statistic,
                };
                ledger.owe(query, span);
            }
        }
        list.forget_before(now - i64::from(self.config.catch_up) - LIST_SECONDS);
        Ok(is_changed)
    }

    /// What is due, with the queries that the budget pays.
    fn plan(
        &self,
        ledger: &mut Ledger,
        survey: &Survey<'_>,
        groups: &[Group],
        reach: &Reach,
        list: &SeriesList,
        report: &mut MetricReport,
    ) -> Vec<Planned> {
        let (due, skipped) = ledger.due(groups, reach);
        let wanted = survey.wanted(list);
        let has_queries = |namespace: &String| wanted.iter().any(|w| w.group.0 == *namespace);
        let skipped = skipped
            .iter()
            .filter(|skipped| has_queries(&skipped.namespace));
        let skipped = skipped
            .map(|skipped| skipped.span.end - skipped.span.start)
            .max();
        report.skipped_seconds = report.skipped_seconds.max(skipped.unwrap_or(0));
        let wanted = self.paid(wanted, report);
        let windows = ledger.owed_windows().into_iter().chain(due);
        let planned = windows.map(|window| {
            let queries = queries(&window, ledger, &wanted, report);
            let cuts = cuts(&queries, window.span);
            Planned {
                work: Work {
                    window,
                    cuts,
                    done: 0,
                },
                queries,
            }
        });
        planned.collect()
    }

    /// The work of a claim whose run died.
    fn repeat(
        &self,
        ledger: &mut Ledger,
        survey: &Survey<'_>,
        groups: &[Group],
        list: &SeriesList,
        report: &mut MetricReport,
    ) -> Vec<Planned> {
        let reach = self.reach();
        let wanted = self.paid(survey.wanted(list), report);
        let works = ledger
            .claim
            .as_ref()
            .map_or(Vec::new(), |claim| claim.work.clone());
        // What no destination takes for so long is not tried for ever.
        let (works, given_up): (Vec<Work>, Vec<Work>) =
            works.into_iter().partition(|Work { window, .. }| {
                window.span.end >= reach.kept_since(groups, window.span.period)
            });
        let spans = given_up
            .iter()
            .map(|work| work.window.span.end - work.window.span.start);
        report.skipped_seconds = report.skipped_seconds.max(spans.max().unwrap_or(0));
        let planned: Vec<Planned> = works
            .into_iter()
            .map(|work| Planned {
                queries: queries(&work.window, ledger, &wanted, report),
                work,
            })
            .collect();
        let renewed = self.claim(&planned);
        if let Some(claim) = &mut ledger.claim {
            *claim = Claim {
                unread: std::mem::take(&mut claim.unread),
                ..renewed
            };
        }
        planned
    }

    /// The queries that the budget pays, and a report of the others.
    fn paid(&self, mut wanted: Vec<Wanted>, report: &mut MetricReport) -> Vec<Wanted> {
        let (kept, left_out) = self.bounded(&wanted);
        report.left_out = left_out;
        wanted.truncate(kept);
        wanted
    }

    /// How many queries the budget pays, the most important first, and the others.
    fn bounded(&self, wanted: &[Wanted]) -> (usize, Vec<LeftOut>) {
        let MetricConfig {
            interval, budget, ..
        } = *self.config;
        let queries = wanted.iter().map(Wanted::cost);
        let bounded = cost::bound(queries, interval, budget, &LIST_PRICE);
        let left_out = bounded.left_out.into_iter();
        let left_out = left_out.map(|((namespace, metric), queries)| LeftOut {
            namespace,
            metric,
            queries,
        });
        (bounded.kept, left_out.collect())
    }

    fn claim(&self, planned: &[Planned]) -> Claim {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let now = (self.now)();
        let lease = match self.budget.remaining() {
            Some(remaining) => remaining.as_secs().min(LEASE_SECONDS) + LEASE_MARGIN_SECONDS,
            None => LEASE_SECONDS,
        };
        Claim {
            run: format!(
                "{}-{}-{}",
                now.as_nanosecond(),
                std::process::id(),
                RUNS.fetch_add(1, Ordering::Relaxed)
            ),
            until: now.as_second().saturating_add_unsigned(lease),
            work: planned.iter().map(|planned| planned.work.clone()).collect(),
            unread: Vec::new(),
        }
    }

    /// Does the work of the claim, which is written, and writes what is settled after.
    async fn work(
        &self,
        store: &MetricStore<'_>,
        ledger: &mut Held<Ledger>,
        planned: Vec<Planned>,
        survey: &Survey<'_>,
        report: &mut MetricReport,
    ) -> Result<(), Stop> {
        for (at, planned) in planned.iter().enumerate() {
            let done = self.window(store, ledger, at, planned, survey, report);
            if let Err(stop) = done.await {
                self.give_back(store, ledger).await;
                return Err(stop);
            }
        }
        ledger.value.settle();
        store.write_ledger(ledger).await?;
        report.owed = ledger.value.owed();
        report.windows.extend(planned.iter().map(|planned| {
            let Span { period, start, end } = planned.work.window.span;
            (period, start, end)
        }));
        Ok(())
    }

    /// Leaves the claim to the next run, with the parts that are done.
    async fn give_back(&self, store: &MetricStore<'_>, ledger: &mut Held<Ledger>) {
        if let Some(claim) = &mut ledger.value.claim {
            claim.until = 0;
        }
        if let Err(error) = store.write_ledger(ledger).await {
            tracing::warn!(
                account = self.order.unit.account,
                region = self.order.unit.region,
                %error,
                "the claim on the metrics stays until it ends; then they are read again"
            );
        }
    }

    async fn window(
        &self,
        store: &MetricStore<'_>,
        ledger: &mut Held<Ledger>,
        at: usize,
        planned: &Planned,
        survey: &Survey<'_>,
        report: &mut MetricReport,
    ) -> Result<(), Stop> {
        let window = &planned.work.window;
        let unit = &self.order.unit;
        let parts = planned.work.parts(&planned.queries);
        for (part, queries) in parts
            .into_iter()
            .enumerate()
            .skip(planned.work.done as usize)
        {
            if self.budget.is_spent() {
                return Err(Stop::Deadline);
            }
            if !queries.is_empty() {
                let read = self.read(queries, window.span, report).await?;
                let origins = Origins {
                    account: &unit.account,
                    region: &unit.region,
                    window,
                    part,
                };
                let about = |query: &Query| survey.about(&query.series);
                let delivery = deliver(self.lanes, origins, queries, &read, about);
                let delivered = self.budget.run(delivery).await.ok_or(Stop::Deadline)?;
                let (datapoints, rejected) = delivered?;
                report.datapoints += datapoints;
                report.rejected.add(rejected);
                self.note(&read, queries, window.span, ledger, report);
            }
            let Some(claim) = &mut ledger.value.claim else {
                continue;
            };
            if let Some(work) = claim.work.get_mut(at) {
                work.done += 1;
            }
            if self.is_ending(claim) {
                claim.until = self.claim(&[]).until;
                store.write_ledger(ledger).await?;
            }
        }
        Ok(())
    }

    /// Whether more than half of a claim's time is over.
    fn is_ending(&self, claim: &Claim) -> bool {
        let half = i64::try_from(LEASE_SECONDS / 2).unwrap_or_default();
        self.budget.remaining().is_none() && claim.until - self.seconds() < half
    }

    async fn read(
        &self,
        queries: &[Query],
        span: Span,
        report: &mut MetricReport,
    ) -> Result<Read, Stop> {
        let mut reading = Reading::new(queries, span);
        let failed = loop {
            let Some(parameters) = reading.next_call() else {
                break Ok(());
            };
            let answered = match self.ask(reading::OPERATION, &parameters).await {
                Ok(answer) => reading.answer(answer).map_err(Stop::from),
                Err(stop) => Err(stop),
            };
            if answered.is_err() {
                break answered;
            }
        };
        let read = reading.finish();
        report.calls += read.calls;
        report.requested += read.requested;
        failed.map(|()| read)
    }

    /// Notes what was not read.
    fn note(
        &self,
        read: &Read,
        queries: &[Query],
        span: Span,
        ledger: &mut Held<Ledger>,
        report: &mut MetricReport,
    ) {
        for (place, why) in &read.unread {
            match (why, queries.get(*place), &mut ledger.value.claim) {
                (Unread::Incomplete(_), Some(query), Some(claim)) => {
                    claim.unread.push((query.clone(), span));
                }
                // A person has to act; asking again does not help.
                _ => *report.refused.entry(why.code().to_owned()).or_default() += 1,
            }
        }
    }

    /// Asks CloudWatch. That the account cannot be entered is an answer as well.
    async fn ask(
        &self,
        operation: &str,
        parameters: &Map<String, Value>,
    ) -> Result<Result<Value, CallFailure>, Stop> {
        let call = Call::Operation(operation, parameters);
        let asked = self.sessions.ask(&self.order.chain, &self.lane, call);
        match self.budget.run(asked).await {
            None => Err(Stop::Deadline),
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refused)) => Err(Stop::Failed(refused.to_string())),
        }
    }
}

fn catalogue() -> Result<&'static Catalogue, Stop> {
    Catalogue::get().map_err(|error| Stop::Failed(error.to_string()))
}

/// The queries of a window, sorted by their keys; those of resources that are gone are counted and left out.
fn queries(
    window: &Window,
    ledger: &Ledger,
    wanted: &[Wanted],
    report: &mut MetricReport,
) -> Vec<Query> {
    let span = window.span;
    let mut queries = match &window.asked {
        Asked::Owed => ledger.owed_in(span),
        Asked::Namespaces(namespaces) => {
            let of_window = |wanted: &&Wanted| {
                let (namespace, period) = &wanted.group;
                *period == span.period && namespaces.contains(namespace)
            };
            let (gone, asked): (Vec<&Wanted>, Vec<&Wanted>) = wanted
                .iter()
                .filter(of_window)
                .partition(|wanted| wanted.is_gone(span.start));
            report.gone += gone.len() as u64;
            asked
                .into_iter()
                .map(|wanted| wanted.query.clone())
                .collect()
        }
    };
    queries.sort_by_cached_key(Query::key);
    queries
}

/// Where the parts of a window begin: each has whole calls.
fn cuts(queries: &[Query], span: Span) -> Vec<String> {
    let in_call = span.queries_per_call();
    let calls = PART_DATAPOINTS / (in_call * span.periods()).max(1);
    let parts = queries.chunks(in_call * calls.max(1)).skip(1);
    parts
        .filter_map(|part| part.first())
        .map(Query::key)
        .collect()
}

impl MetricReport {
    /// Whether nothing is left to be read, and all that was read is kept.
    pub(super) fn is_whole(&self) -> bool {
        self.owed == 0
            && self.refused.is_empty()
            && self.unlisted.is_empty()
            && self.rejected.items == 0
    }
}
