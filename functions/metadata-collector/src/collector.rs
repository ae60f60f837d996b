//! The collector: from who is to be asked, to snapshots that are kept and changes that are told.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use delivery::destination::Connections;
use delivery::{Lane, lane};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use invocation::Budget;
use jiff::Timestamp;
use telemetry::FailureClass;
use telemetry::change::changes;
use telemetry::describe::state::CallFailure;
use telemetry::index::Directory;
use telemetry::snapshot::{GLOBAL, Snapshot, Unit};
use telemetry::target::Hop;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::aws_cloud::AwsCloud;
use crate::cloud::{Cloud, Lanes};
use crate::config::Config;
use crate::feed;
use crate::index::{write_directory, write_unit};
use crate::job::{Job, Part};
use crate::queue::Queue;
use crate::report::{Indexed, Reported, Summary, UnitReport, UnitState};
use crate::sessions::{ChainFailure, Sessions};
use crate::store::{SnapshotStore, StoreError};
use crate::unit::{Order, gather};

/// How often what does not fit an invocation is handed on to another.
const MAX_HANDED_ON: u32 = 3;

/// Collects.
pub struct Collector<C: Cloud> {
    pub(crate) cloud: Arc<C>,
    pub(crate) sessions: Sessions<C>,
    pub(crate) store: SnapshotStore,
    lanes: Vec<Lane>,
    pub(crate) config: Config,
    queue: Option<Queue>,
    pub(crate) region: String,
    now: fn() -> Timestamp,
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
    observe: &'r (dyn Fn(&UnitReport) + Sync),
    summary: Mutex<Summary>,
    /// What there was no time for.
    left: Mutex<Vec<Job>>,
    /// Why snapshots could not be kept or their changes not be told, a reason for each unit.
    unkept: Mutex<Vec<FailureClass>>,
    /// What each unit adds to the index's directory.
    parts: Mutex<Vec<Directory>>,
}

impl<C: Cloud> Collector<C> {
    /// A collector that does everything itself. `region` is the one that it runs in; `now` is the
    /// clock.
    pub fn new(
        cloud: Arc<C>,
        store: SnapshotStore,
        lanes: Vec<Lane>,
        config: Config,
        region: String,
        now: fn() -> Timestamp,
    ) -> Collector<C> {
        Collector {
            sessions: Sessions::new(Arc::clone(&cloud), now),
            cloud,
            store,
            lanes,
            config,
            queue: None,
            region,
            now,
        }
    }

    /// What a configuration writes to: the place for snapshots, and the destinations of changes. `variable` gives
    /// the environment variables that hold credentials.
    ///
    /// # Errors
    /// A destination cannot be opened, for want of its credentials for instance.
    pub async fn outputs(
        sdk: &SdkConfig,
        config: &Config,
        variable: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Result<(SnapshotStore, Vec<Lane>), RunError> {
        let store = SnapshotStore::on(&config.metadata, sdk);
        let mut connections = Connections::new(sdk, variable);
        let lanes = lane::open(&config.destinations, &mut connections).await;
        let lanes = lanes.map_err(|error| RunError {
            class: FailureClass::Config,
            code: "Destination",
            message: error.to_string(),
        })?;
        Ok((store, lanes))
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Collects everything: plans, and does the work or hands it on. `observe` is told of each unit
    /// when it is done.
    ///
    /// # Errors
    /// Nobody can be asked at all: the primary role is refused, the organization's accounts are not
    /// known, or work cannot be handed on.
    pub async fn everything(
        &self,
        budget: &Budget,
        observe: &(dyn Fn(&UnitReport) + Sync),
    ) -> Result<Summary, RunError> {
        let jobs = self.plan().await?;
        match &self.queue {
            Some(queue) if jobs.len() > self.config.fan_out_above => {
                queue.send(&jobs).await.map_err(queue_error)?;
                Ok(Summary {
                    handed_on: jobs.len() as u64,
                    ..Summary::default()
                })
            }
            _ => self.jobs(jobs, budget, observe).await,
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
        observe: &(dyn Fn(&UnitReport) + Sync),
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
        ended.map(|()| summary)
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
                let unit = Unit {
                    account: "unknown".into(),
                    region: GLOBAL.into(),
                    partition: "aws".into(),
                    roles: Vec::new(),
                };
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
                std::iter::once(GLOBAL.to_owned())
                    .chain(regions)
                    .map(|region| Part {
                        region,
                        sections: None,
                    })
                    .collect()
            }
        };
        let roles: Vec<String> = job
            .target
            .chain
            .iter()
            .map(|hop| hop.role.to_string())
            .collect();
        let units = parts.into_iter().map(|part| {
            let order = Order {
                unit: Unit {
                    account: account.clone(),
                    region: part.region,
                    partition: partition.clone(),
                    roles: roles.clone(),
                },
                chain: job.target.chain.clone(),
                home_region: home_region.clone(),
                lists_accounts: job.lists_accounts,
                sections: part.sections,
            };
            Box::pin(self.unit(run, &lanes, order))
        });
        let left: Vec<Part> = join_all(units).await.into_iter().flatten().collect();
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
        let indexed = match &kept {
            Ok(Some((snapshot, _))) => self.index(run, snapshot).await,
            _ => Ok(Indexed::default()),
        };
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
        run.done(&report);
        left
    }

    /// Writes a unit's shard, and keeps its part of the directory for the end of the run. Returns what was
    /// written, or why nothing was.
    async fn index(&self, run: &Run<'_>, snapshot: &Snapshot) -> Result<Indexed, String> {
        let Some(keep) = self.config.index_keep else {
            return Ok(Indexed::default());
        };
        let (part, written) = write_unit(self.store.objects(), snapshot, keep).await;
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
                let told = feed::tell(&self.lanes, unit, before, &snapshot, &changes);
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
        let (store, lanes) = Collector::<AwsCloud>::outputs(sdk, &config, variable).await?;
        let queue = config
            .fan_out_queue
            .clone()
            .map(|url| Queue::new(Arc::clone(&cloud), url, region.clone()));
        Ok(Collector {
            queue,
            ..Collector::new(cloud, store, lanes, config, region, now)
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

    fn done(&self, report: &UnitReport) {
        report.log();
        self.summary
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(report);
        (self.observe)(report);
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
