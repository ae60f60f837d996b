//! The collector: from who is to be asked, to snapshots that are kept and changes that are told.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use delivery::destination::{Connections, OpenError};
use delivery::{Lane, lane};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use invocation::Budget;
use jiff::Timestamp;
use telemetry::FailureClass;
use telemetry::change::changes;
use telemetry::describe::service::Service;
use telemetry::describe::state::CallFailure;
use telemetry::index::Directory;
use telemetry::inventory::Inventory;
use telemetry::snapshot::{GLOBAL, Snapshot, Unit};
use telemetry::status::{self as told, Status};
use telemetry::target::Hop;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::aws_cloud::AwsCloud;
use crate::cloud::{Cloud, Lanes, Place};
use crate::config::{Config, METRIC_DESTINATIONS};
use crate::feed;
use crate::index::{write_directory, write_unit};
use crate::job::{Export, Job, Part};
use crate::metrics::{Measuring, MetricOrder, MetricPlan, MetricReport, MetricState, parts};
use crate::queue::Queue;
use crate::report::{Indexed, Report, Reported, Summary, UnitReport, UnitState};
use crate::sessions::{ChainFailure, Sessions};
use crate::status::{of_metrics, of_unit, write_status};
use crate::store::{SnapshotStore, StoreError};
use crate::unit::{Order, gather};

/// How often what does not fit an invocation is handed on to another.
const MAX_HANDED_ON: u32 = 3;

/// Collects.
pub struct Collector<C: Cloud> {
    pub(crate) cloud: Arc<C>,
    pub(crate) sessions: Sessions<C>,
    pub(crate) store: SnapshotStore,
    changes: Vec<Lane>,
    metrics: Vec<Lane>,
    pub(crate) config: Config,
    queue: Option<Queue>,
    pub(crate) region: String,
    now: fn() -> Timestamp,
}

/// What a collector writes to.
#[derive(Debug)]
pub struct Outputs {
    /// The place for snapshots, and for all that is remembered.
    pub store: SnapshotStore,
    /// The destinations of changes.
    pub changes: Vec<Lane>,
    /// The destinations of datapoints.
    pub metrics: Vec<Lane>,
}

impl Outputs {
    /// A place for snapshots alone.
    pub fn of(store: SnapshotStore) -> Outputs {
        Outputs {
            store,
            changes: Vec::new(),
            metrics: Vec::new(),
        }
    }
}

/// Why nothing could be collected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RunError {
    /// What has to happen before it can.
    pub class: FailureClass,
    /// Where it arose: `Role`, `Accounts`, `Queue`, `Store`.
    pub code: &'static str,
    /// A sentence for the operator.
    pub message: String,
}

impl From<ChainFailure> for RunError {
    fn from(failure: ChainFailure) -> RunError {
        RunError {
            class: class_of(&failure.failure),
            code: "Role",
            message: match failure.role {
                Some(_) => format!(
                    "{failure}. Check the role's trust policy, the external id, and that the role before it may call sts:AssumeRole"
                ),
                None => format!("{failure}"),
            },
        }
    }
}

pub(crate) fn class_of(failure: &CallFailure) -> FailureClass {
    use telemetry::describe::state::State;
    match failure.state {
        State::Denied | State::RegionDisabled => FailureClass::Config,
        _ => FailureClass::Retry,
    }
}

/// What is needed while a run goes on.
struct Run<'r> {
    /// Chains that others go on from.
    shared: HashSet<Vec<Hop>>,
    permits: Semaphore,
    budget: &'r Budget,
    observe: &'r (dyn Fn(Report<'_>) + Sync),
    summary: Mutex<Summary>,
    /// What there was no time for.
    left: Mutex<Vec<Job>>,
    /// Why snapshots could not be kept or their changes not be told, a reason for each unit.
    unkept: Mutex<Vec<FailureClass>>,
    /// What each unit adds to the index's directory.
    parts: Mutex<Vec<Directory>>,
    /// What the status is told.
    told: Mutex<Status>,
}

impl<C: Cloud> Collector<C> {
    /// A collector that does everything itself. `region` is the one that it runs in; `now` is the
    /// clock.
    pub fn new(
        cloud: Arc<C>,
        outputs: Outputs,
        config: Config,
        region: String,
        now: fn() -> Timestamp,
    ) -> Collector<C> {
        let Outputs {
            store,
            changes,
            metrics,
        } = outputs;
        Collector {
            sessions: Sessions::new(Arc::clone(&cloud), now),
            cloud,
            store,
            changes,
            metrics,
            config,
            queue: None,
            region,
            now,
        }
    }

    /// What a configuration writes to. `variable` gives the environment variables that hold credentials.
    ///
    /// # Errors
    /// A destination cannot be opened, for want of its credentials for instance.
    pub async fn outputs(
        sdk: &SdkConfig,
        config: &Config,
        variable: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Result<Outputs, RunError> {
        let mut connections = Connections::new(sdk, variable);
        let not_opened = |error: OpenError| RunError {
            class: FailureClass::Config,
            code: "Destination",
            message: error.to_string(),
        };
        let changes = lane::open(&config.destinations, &mut connections).await;
        let metrics = lane::open(&config.metrics.destinations, &mut connections).await;
        Ok(Outputs {
            store: SnapshotStore::on(&config.metadata, sdk),
            changes: changes.map_err(not_opened)?,
            metrics: metrics.map_err(not_opened)?,
        })
    }

    /// The sessions of the roles that are assumed.
    pub fn sessions(&self) -> &Sessions<C> {
        &self.sessions
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Collects everything of an export: plans, and does the work or hands it on. `observe` is told of each unit
    /// when it is done.
    ///
    /// # Errors
    /// Nobody can be asked at all: the primary role is refused, the organization's accounts are not
    /// known, or work cannot be handed on.
    pub async fn everything(
        &self,
        export: Export,
        budget: &Budget,
        observe: &(dyn Fn(Report<'_>) + Sync),
    ) -> Result<Summary, RunError> {
        if export == Export::Metrics && self.metrics.is_empty() {
            return Err(RunError {
                class: FailureClass::Config,
                code: "Destination",
                message: format!(
                    "metrics have nowhere to go: set {}",
                    METRIC_DESTINATIONS.name
                ),
            });
        }
        let planned = self.plan(export).await;
        let error = planned.as_ref().err().map(|error| error.message.clone());
        let told = Status::of_run(told_of(export), (self.now)(), error);
        let jobs = match planned {
            Ok(jobs) => jobs,
            Err(error) => {
                self.tell(&told, budget).await;
                return Err(error);
            }
        };
        match &self.queue {
            Some(queue) if jobs.len() > self.config.fan_out_above => {
                queue.send(&jobs).await.map_err(queue_error)?;
                Ok(Summary {
                    handed_on: jobs.len() as u64,
                    status_errors: self.tell(&told, budget).await,
                    ..Summary::default()
                })
            }
            _ => self.told_jobs(jobs, told, budget, observe).await,
        }
    }

    /// Does jobs, and hands on what there is no time for.
    ///
    /// # Errors
    /// Work is left that cannot be handed on, or snapshots could not be kept, or changes not be told.
    pub async fn jobs(
        &self,
        jobs: Vec<Job>,
        budget: &Budget,
        observe: &(dyn Fn(Report<'_>) + Sync),
    ) -> Result<Summary, RunError> {
        let told = Status::default();
        self.told_jobs(jobs, told, budget, observe).await
    }

    /// Does jobs as [`Collector::jobs`] does, and tells the status of them beside what it is told already.
    async fn told_jobs(
        &self,
        jobs: Vec<Job>,
        told: Status,
        budget: &Budget,
        observe: &(dyn Fn(Report<'_>) + Sync),
    ) -> Result<Summary, RunError> {
        let run = Run {
            shared: jobs
                .iter()
                .flat_map(|job| prefixes(&job.target.chain))
                .collect(),
            permits: Semaphore::new(self.config.units_at_once),
            budget,
            observe,
            summary: Mutex::default(),
            left: Mutex::default(),
            unkept: Mutex::default(),
            parts: Mutex::default(),
            told: Mutex::new(told),
        };
        stream::iter(jobs)
            .for_each_concurrent(self.config.units_at_once, |job| {
                Box::pin(self.job(&run, job))
            })
            .await;
        let mut summary = run
            .summary
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let left = run
            .left
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let unkept = run
            .unkept
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let parts = run
            .parts
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let told = run
            .told
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let ended = self.end(left, &unkept, &mut summary).await;
        if !parts.is_empty()
            && let Err(index_error) = write_directory(self.store.objects(), &parts, budget).await
        {
            summary.index_errors += 1;
            tracing::warn!(
                index_error,
                "the directory of the index is as it was before; the next run writes it"
            );
        }
        summary.status_errors = self.tell(&told, budget).await;
        ended.map(|()| summary)
    }

    /// Tells the status what became of a run; returns how often it could not be told.
    async fn tell(&self, told: &Status, budget: &Budget) -> u64 {
        if told.is_empty() {
            return 0;
        }
        let written = write_status(self.store.objects(), told, (self.now)(), budget).await;
        if let Err(status_error) = &written {
            tracing::warn!(
                status_error,
                "the status is as it was before; the next run writes it"
            );
        }
        u64::from(written.is_err())
    }

    /// Hands on what there was no time for, and says what failed.
    async fn end(
        &self,
        left: Vec<Job>,
        unkept: &[FailureClass],
        summary: &mut Summary,
    ) -> Result<(), RunError> {
        let (left, endless): (Vec<Job>, Vec<Job>) = left
            .into_iter()
            .partition(|job| job.handed_on <= MAX_HANDED_ON);
        if let (Some(queue), false) = (&self.queue, left.is_empty()) {
            queue.send(&left).await.map_err(queue_error)?;
            summary.handed_on = left.len() as u64;
        } else if !left.is_empty() {
            return Err(RunError {
                class: FailureClass::Config,
                code: "Deadline",
                message: format!(
                    "time was over with {} accounts or parts of them left, and there is no queue to hand them on to: set CLOUD_EXPORT_FAN_OUT_QUEUE, or raise the function's timeout",
                    left.len()
                ),
            });
        }
        if let Some(job) = endless.first() {
            return Err(RunError {
                class: FailureClass::Config,
                code: "Deadline",
                message: format!(
                    "{} was handed on {MAX_HANDED_ON} times and still did not fit an invocation: raise the function's timeout",
                    job.to_json()
                ),
            });
        }
        let class = match unkept.first() {
            None => return Ok(()),
            Some(_) if unkept.contains(&FailureClass::Retry) => FailureClass::Retry,
            Some(class) => *class,
        };
        Err(RunError {
            class,
            code: "Store",
            message: format!(
                "{} units could not be kept, or their changes not be told; see their log lines",
                unkept.len()
            ),
        })
    }

    async fn job(&self, run: &Run<'_>, job: Job) {
        if run.budget.is_spent() {
            return run.leave(job);
        }
        let (account, partition) = match self.whose(&job.target).await {
            Ok(whose) => whose,
            Err(failure) => {
                let unit = unknown_unit();
                let (export, error) = (told_of(job.export), failure.to_string());
                run.tell(&Status::of_run(export, (self.now)(), Some(error)));
                if job.export == Export::Metrics {
                    return run.measured(&MetricReport::failed(unit, failure.to_string()));
                }
                let mut report =
                    UnitReport::of(unit, &[], Some(failure.clone()), Default::default());
                report.state = UnitState::Failed;
                report.error = Some(failure.to_string());
                return run.done(&report);
            }
        };
        let home_region = self.home_region(&partition);
        let lanes = Lanes::default();
        let parts = match &job.parts {
            Some(parts) => parts.clone(),
            None => {
                let regions = self.regions(&job.target, &account, &home_region).await;
                match job.export {
                    Export::Metadata => std::iter::once(GLOBAL.to_owned())
                        .chain(regions)
                        .map(Part::whole)
                        .collect(),
                    Export::Metrics => parts(regions, &self.config.metrics),
                }
            }
        };
        let whose = (&*account, &*partition);
        let unit = |part: &Part| Unit::new(whose, &part.region, &job.target.chain);
        let left: Vec<Option<Part>> = match job.export {
            Export::Metadata => {
                let units = parts.into_iter().map(|part| {
                    let order = Order {
                        unit: unit(&part),
                        chain: job.target.chain.clone(),
                        home_region: home_region.clone(),
                        lists_accounts: job.lists_accounts,
                        sections: part.sections,
                    };
                    Box::pin(self.unit(run, &lanes, order))
                });
                join_all(units).await
            }
            Export::Metrics => {
                let units = parts.into_iter().map(|part| {
                    let order = self.metric_order(&job, unit(&part), part.sections);
                    Box::pin(self.measure(run, order))
                });
                join_all(units).await
            }
        };
        let left: Vec<Part> = left.into_iter().flatten().collect();
        if !left.is_empty() {
            run.leave(Job {
                parts: Some(left),
                handed_on: job.handed_on + 1,
                ..job.clone()
            });
        }
        if !run.shared.contains(&job.target.chain) {
            self.sessions.forget(&job.target.chain);
        }
    }

    /// Collects a unit; returns what of it is left for want of time.
    async fn unit(&self, run: &Run<'_>, lanes: &Lanes<C::Lane>, order: Order) -> Option<Part> {
        // Never closed.
        let _permit = run.permits.acquire().await.ok()?;
        if run.budget.is_spent() {
            return Some(Part {
                region: order.unit.region,
                sections: order.sections,
            });
        }
        let clock = Instant::now();
        let started = (self.now)();
        // Boxed, as are jobs and the units of a job: the compiler's limit on types within types is near.
        let gathering = gather(
            &*self.cloud,
            &self.sessions,
            lanes,
            &order,
            run.budget,
            self.now,
        );
        let gathered = Box::pin(gathering).await;
        let left = (!gathered.deferred.is_empty()).then(|| Part {
            region: order.unit.region.clone(),
            sections: Some(gathered.deferred),
        });
        let reported: Vec<Reported> = gathered.collected.iter().map(Reported::from).collect();
        let kept = self.keep(&order.unit, started, gathered.collected).await;
        let (mut observed, mut indexed) = (None, Ok(Indexed::default()));
        if let Ok(Some((snapshot, _))) = &kept {
            let inventory = snapshot.inventory();
            observed = Some(Status::of_snapshot(snapshot, &inventory));
            indexed = self.index(run, snapshot, inventory).await;
        }
        let mut report = UnitReport::of(
            order.unit,
            &reported,
            gathered.chain_failure,
            clock.elapsed(),
        );
        match kept {
            Ok(Some((snapshot, changes))) => {
                report.rows = snapshot.rows();
                report.changes = changes;
            }
            Ok(None) => report.state = UnitState::Superseded,
            Err((class, error)) => {
                report.state = UnitState::Failed;
                report.error = Some(error);
                run.unkept
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(class);
            }
        }
        match indexed {
            Ok(indexed) => report.indexed = indexed,
            Err(error) => report.index_error = Some(error),
        }
        run.tell(&of_unit(&report, observed, (self.now)()));
        run.done(&report);
        left
    }

    fn metric_order(&self, job: &Job, unit: Unit, namespaces: Option<Vec<String>>) -> MetricOrder {
        let monitoring = &self.config.metrics.monitoring_accounts;
        MetricOrder {
            with_linked: monitoring.contains(&unit.account),
            unit,
            chain: job.target.chain.clone(),
            elsewhere: job.elsewhere.clone(),
            namespaces,
        }
    }

    fn measuring<'a>(&'a self, order: &'a MetricOrder, budget: &'a Budget) -> Measuring<'a, C> {
        Measuring {
            sessions: &self.sessions,
            snapshots: &self.store,
            lanes: &self.metrics,
            config: &self.config.metrics,
            order,
            budget,
            now: self.now,
            lane: self.cloud.lane(Place {
                account: order.unit.account.clone(),
                region: order.unit.region.clone(),
                service: Service::CloudWatch,
            }),
        }
    }

    /// What reading the metrics would cost: lists what there is and reads nothing. `observe` is told of each account and
    /// region.
    ///
    /// # Errors
    /// The primary role is refused, or the organization's accounts are not known.
    pub async fn metric_plans(
        &self,
        budget: &Budget,
        observe: &(dyn Fn(&MetricPlan) + Sync),
    ) -> Result<(), RunError> {
        let jobs = self.plan(Export::Metrics).await?;
        let at_once = self.config.units_at_once;
        let planned = stream::iter(jobs).for_each_concurrent(at_once, |job| {
            Box::pin(async move {
                let (account, partition) = match self.whose(&job.target).await {
                    Ok(whose) => whose,
                    Err(failure) => {
                        let unit = unknown_unit();
                        return observe(&MetricPlan::failed(unit, failure.to_string()));
                    }
                };
                let home_region = self.home_region(&partition);
                let regions = self.regions(&job.target, &account, &home_region).await;
                for part in parts(regions, &self.config.metrics) {
                    let unit = Unit::new((&account, &partition), part.region, &job.target.chain);
                    let order = self.metric_order(&job, unit, part.sections);
                    observe(&self.measuring(&order, budget).plan_only().await);
                }
            })
        });
        planned.await;
        Ok(())
    }

    /// Reads a unit's metrics; returns the unit when time was over before it was done.
    async fn measure(&self, run: &Run<'_>, order: MetricOrder) -> Option<Part> {
        let left = || Part {
            region: order.unit.region.clone(),
            sections: order.namespaces.clone(),
        };
        // Never closed.
        let _permit = run.permits.acquire().await.ok()?;
        if run.budget.is_spent() {
            return Some(left());
        }
        let report = Box::pin(self.measuring(&order, run.budget).run()).await;
        run.tell(&of_metrics(&report, (self.now)()));
        run.measured(&report);
        (report.state == MetricState::Deferred).then(left)
    }

    /// Writes a unit's shard, and keeps its part of the directory for the end of the run. Returns what was
    /// written, or why nothing was.
    async fn index(
        &self,
        run: &Run<'_>,
        snapshot: &Snapshot,
        inventory: Inventory,
    ) -> Result<Indexed, String> {
        let Some(keep) = self.config.index_keep else {
            return Ok(Indexed::default());
        };
        let (part, written) = write_unit(self.store.objects(), snapshot, inventory, keep).await;
        run.parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(part);
        written
    }

    /// Merges what was collected into the unit's snapshot, tells the changes, and writes it: in this
    /// order, so that changes that were not told are found again by the next run.
    ///
    /// Returns the snapshot and how many changes were told; `None` when a later run was faster.
    async fn keep(
        &self,
        unit: &Unit,
        started: Timestamp,
        collected: Vec<telemetry::snapshot::Collected>,
    ) -> Result<Option<(Snapshot, usize)>, (FailureClass, String)> {
        let store_failed = |error: StoreError| (error.class(), error.to_string());
        let previous = self
            .store
            .current(&unit.account, &unit.region)
            .await
            .map_err(store_failed)?;
        let before = previous.as_ref().map(|kept| &kept.snapshot);
        if before.is_some_and(|before| before.started > started) {
            return Ok(None);
        }
        let snapshot = Snapshot::merge(unit.clone(), started, (self.now)(), collected, before);
        let told = match before {
            Some(before) => {
                let changes = changes(before, &snapshot);
                let told = feed::tell(&self.changes, unit, before, &snapshot, &changes);
                told.await
                    .map_err(|error| (error.class, error.to_string()))?;
                changes.len()
            }
            None => 0,
        };
        self.store
            .write(&snapshot, previous.as_ref())
            .await
            .map_err(store_failed)?;
        Ok(Some((snapshot, told)))
    }
}

impl Collector<AwsCloud> {
    /// A collector of AWS, with what its configuration names. `variable` gives the environment variables that hold
    /// credentials.
    ///
    /// # Errors
    /// No region is configured, or a destination cannot be opened.
    pub async fn on_aws(
        cloud: Arc<AwsCloud>,
        sdk: &SdkConfig,
        config: Config,
        variable: &(dyn Fn(&str) -> Option<String> + Sync),
        now: fn() -> Timestamp,
    ) -> Result<Collector<AwsCloud>, RunError> {
        let region = sdk.region().ok_or_else(|| RunError {
            class: FailureClass::Config,
            code: "Region",
            message: "no AWS region is configured: set AWS_REGION to the one this runs in".into(),
        })?;
        let region = region.to_string();
        let outputs = Collector::<AwsCloud>::outputs(sdk, &config, variable).await?;
        let queue = config
            .fan_out_queue
            .clone()
            .map(|url| Queue::new(Arc::clone(&cloud), url, region.clone()));
        Ok(Collector {
            queue,
            ..Collector::new(cloud, outputs, config, region, now)
        })
    }
}

impl Run<'_> {
    fn leave(&self, job: Job) {
        self.left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(job);
    }

    fn tell(&self, told: &Status) {
        let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        all.merge(told);
    }

    fn done(&self, report: &UnitReport) {
        report.log();
        self.summary
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(report);
        (self.observe)(Report::Unit(report));
    }

    fn measured(&self, report: &MetricReport) {
        report.log();
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        summary.metrics.add(report);
        drop(summary);
        (self.observe)(Report::Metrics(report));
    }
}

/// What is reported of an account that could not be entered.
fn unknown_unit() -> Unit {
    Unit {
        account: "unknown".into(),
        region: GLOBAL.into(),
        partition: "aws".into(),
        roles: Vec::new(),
    }
}

/// An export as the status has it.
fn told_of(export: Export) -> told::Export {
    match export {
        Export::Metadata => told::Export::Metadata,
        Export::Metrics => told::Export::Metrics,
    }
}

fn queue_error(message: String) -> RunError {
    RunError {
        class: FailureClass::Retry,
        code: "Queue",
        message,
    }
}

/// The chains that a chain goes on from: every shorter one that it begins with.
fn prefixes(chain: &[Hop]) -> impl Iterator<Item = Vec<Hop>> {
    (0..chain.len()).map(|hops| chain.iter().take(hops).cloned().collect())
}
