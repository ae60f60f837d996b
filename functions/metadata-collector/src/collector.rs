//! The collector: from who is to be asked, to snapshots that are kept and changes that are told.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use bytes::Bytes;
use delivery::{AnyDestination, Batch, Destination, DestinationUrl, Origin};
use futures_util::future::{join_all, try_join_all};
use futures_util::stream::{self, StreamExt};
use invocation::Budget;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use telemetry::FailureClass;
use telemetry::change::{Change, changes};
use telemetry::describe::catalogue::{Endpoint, of_section};
use telemetry::describe::partition;
use telemetry::describe::state::CallFailure;
use telemetry::describe::walk::{Walk, Walked};
use telemetry::snapshot::{GLOBAL, Snapshot, Unit};
use telemetry::target::{Accounts, Hop, Regions, Target};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::aws_cloud::AwsCloud;
use crate::cloud::{Cloud, Lanes, Place};
use crate::config::{Config, Estate, Reach};
use crate::job::{Job, Part};
use crate::queue::Queue;
use crate::report::{Reported, Summary, UnitReport, UnitState};
use crate::sessions::{ChainFailure, Sessions};
use crate::store::{SnapshotStore, StoreError};
use crate::unit::{Order, gather};

/// Bytes of changes delivered at once.
const BATCH_BYTES: usize = 4 << 20;

/// Collects.
pub struct Collector<C: Cloud> {
    cloud: Arc<C>,
    sessions: Sessions<C>,
    store: SnapshotStore,
    destinations: Vec<AnyDestination>,
    config: Config,
    queue: Option<Queue>,
    region: String,
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
            message: format!(
                "{failure}. Check the role's trust policy, the external id, and that the role before it may call sts:AssumeRole"
            ),
        }
    }
}

fn class_of(failure: &CallFailure) -> FailureClass {
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
    /// Units whose snapshots could not be kept for a reason that time cures.
    again: Mutex<u64>,
}

impl<C: Cloud> Collector<C> {
    /// A collector that does everything itself. `region` is the one that it runs in; `now` is the
    /// clock.
    pub fn new(
        cloud: Arc<C>,
        store: SnapshotStore,
        destinations: Vec<AnyDestination>,
        config: Config,
        region: String,
        now: fn() -> Timestamp,
    ) -> Collector<C> {
        Collector {
            sessions: Sessions::new(Arc::clone(&cloud), now),
            cloud,
            store,
            destinations,
            config,
            queue: None,
            region,
            now,
        }
    }

    /// What a configuration writes to: the place for snapshots, and the destinations of changes.
    ///
    /// # Errors
    /// The place for snapshots is one that keeps nothing.
    pub fn outputs(
        sdk: &SdkConfig,
        config: &Config,
    ) -> Result<(SnapshotStore, Vec<AnyDestination>), RunError> {
        let s3 = || aws_sdk_s3::Client::new(sdk);
        let store = SnapshotStore::open(&config.metadata, s3).ok_or_else(|| RunError {
            class: FailureClass::Config,
            code: "Store",
            message: format!("{} keeps nothing", config.metadata),
        })?;
        let open = |url: &DestinationUrl| AnyDestination::open(url, s3);
        Ok((store, config.destinations.iter().map(open).collect()))
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
    /// Work is left that cannot be handed on, or snapshots could not be kept for a reason that time
    /// may cure.
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
            again: Mutex::default(),
        };
        stream::iter(jobs)
            .for_each_concurrent(self.config.units_at_once, |job| self.job(&run, job))
            .await;
        let unlocked = PoisonError::into_inner;
        let mut summary = run.summary.into_inner().unwrap_or_else(unlocked);
        let left = run
            .left
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if !left.is_empty() {
            match &self.queue {
                Some(queue) => {
                    queue.send(&left).await.map_err(queue_error)?;
                    summary.handed_on = left.len() as u64;
                }
                None => {
                    return Err(RunError {
                        class: FailureClass::Config,
                        code: "Deadline",
                        message: format!(
                            "time was over with {} accounts or parts of them left, and there is no queue to hand them on to: set CLOUD_EXPORT_FAN_OUT_QUEUE, or raise the function's timeout",
                            left.len()
                        ),
                    });
                }
            }
        }
        match run
            .again
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
        {
            0 => Ok(summary),
            units => Err(RunError {
                class: FailureClass::Retry,
                code: "Store",
                message: format!("{units} units could not be kept or told; see their log lines"),
            }),
        }
    }

    /// The jobs of a full run: one for each account.
    ///
    /// # Errors
    /// The primary role is refused, or the organization's accounts are not known.
    pub async fn plan(&self) -> Result<Vec<Job>, RunError> {
        let reach = match &self.config.estate {
            Estate::Targets(targets) => {
                let whole = |target: &Target| Job::whole(target.clone(), false);
                return Ok(targets.iter().map(whole).collect());
            }
            Estate::Accounts(reach) => reach,
        };
        let Reach {
            primary,
            accounts,
            blocked,
            role,
            external_id,
            regions,
            session_name,
        } = &**reach;
        let chain: Vec<Hop> = primary.iter().cloned().collect();
        let session = self.sessions.session(&chain).await?;
        let (own, partition) = match primary {
            Some(hop) => (hop.role.account.clone(), hop.role.partition.clone()),
            None => self
                .cloud
                .account(&session.credentials)
                .await
                .map_err(|failure| {
                    RunError::from(ChainFailure {
                        hop: 0,
                        of: 0,
                        role: None,
                        failure,
                    })
                })?,
        };
        let listed = match accounts {
            Accounts::Own => Vec::new(),
            Accounts::Listed(ids) => ids.clone(),
            Accounts::Organization => self.organization(&chain, &own, &partition).await?,
        };
        let lists_accounts = *accounts == Accounts::Organization;
        let mut jobs = Vec::new();
        for account in std::iter::once(own.clone()).chain(listed) {
            let known = jobs
                .iter()
                .any(|job: &Job| job.target.account.as_ref() == Some(&account));
            if blocked.contains(&account) || known {
                continue;
            }
            let mut way = chain.clone();
            if let (Some(role), true) = (role, account != own) {
                let hop = role
                    .in_account(&partition, &account)
                    .and_then(|role| Hop::new(role, external_id.clone(), session_name.clone()));
                way.push(hop.map_err(|error| RunError {
                    class: FailureClass::Config,
                    code: "Role",
                    message: format!("the role in account {account} cannot be named: {error}"),
                })?);
            }
            let target = Target {
                account: Some(account.clone()),
                regions: regions.clone(),
                chain: way,
            };
            jobs.push(Job::whole(target, lists_accounts && account == own));
        }
        Ok(jobs)
    }

    /// The active accounts of the organization: asked now, or as they were when they were last
    /// answered.
    async fn organization(
        &self,
        chain: &[Hop],
        own: &str,
        partition: &str,
    ) -> Result<Vec<String>, RunError> {
        let home = self.home_region(partition);
        let walked = self.ask(chain, "Accounts", own, &home).await;
        let (rows, failure) = match walked {
            Ok(walked) => match walked.unanswered.into_iter().next() {
                None => (walked.rows, None),
                Some(unanswered) => (Value::Null, Some(unanswered.failure)),
            },
            Err(failed) => return Err(failed.into()),
        };
        if let Some(failure) = &failure {
            let kept = self.store.current(own, GLOBAL).await.ok().flatten();
            let known = kept.map(|kept| active_accounts(kept.snapshot.rows_of("Accounts")));
            return match known.filter(|accounts| !accounts.is_empty()) {
                Some(accounts) => {
                    tracing::warn!(account = own, %failure, accounts = accounts.len(),
                        "the organization's accounts could not be listed; those known from before are collected");
                    Ok(accounts)
                }
                None => Err(RunError {
                    class: class_of(failure),
                    code: "Accounts",
                    message: format!(
                        "the accounts of the organization could not be listed in account {own}: {failure}. organizations:ListAccounts works in the management account and in accounts it delegated to; otherwise list the accounts in CLOUD_EXPORT_ACCOUNTS"
                    ),
                }),
            };
        }
        match rows.as_array().map_or(&[][..], Vec::as_slice) {
            [] => Err(RunError {
                class: FailureClass::Config,
                code: "Accounts",
                message: format!(
                    "account {own} belongs to no organization (AWSOrganizationsNotInUseException): list the accounts in CLOUD_EXPORT_ACCOUNTS instead of organization, or leave it empty"
                ),
            }),
            rows => Ok(active_accounts(rows)),
        }
    }

    /// Asks one endpoint that is asked once.
    async fn ask(
        &self,
        chain: &[Hop],
        section: &'static str,
        account: &str,
        region: &str,
    ) -> Result<Walked, ChainFailure> {
        let endpoint: &'static Endpoint = of_section(section).ok_or_else(|| ChainFailure {
            hop: 0,
            of: chain.len(),
            role: None,
            failure: CallFailure::of_code("NoSuchEndpoint", section, None),
        })?;
        let lane = self.cloud.lane(Place::of(endpoint, account, region));
        let mut walk = Walk::new(endpoint, &[]);
        while let Some(call) = walk.next_call() {
            let session = self.sessions.session(chain).await?;
            walk.answer(self.cloud.call(&lane, &session.credentials, &call).await);
        }
        Ok(walk.finish())
    }

    /// The region that calls about a whole account go through.
    fn home_region(&self, partition: &str) -> String {
        match partition::of_region(&self.region) {
            Some(own) if own.name == partition => self.region.clone(),
            _ => partition::named(partition)
                .map_or(self.region.as_str(), |partition| partition.home_region)
                .to_owned(),
        }
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
            self.unit(run, &lanes, order)
        });
        let left: Vec<Part> = join_all(units).await.into_iter().flatten().collect();
        if !left.is_empty() {
            run.leave(Job {
                parts: Some(left),
                ..job.clone()
            });
        }
        if !run.shared.contains(&job.target.chain) {
            self.sessions.forget(&job.target.chain);
        }
    }

    /// The account of a target, and its partition.
    async fn whose(&self, target: &Target) -> Result<(String, String), ChainFailure> {
        if let (Some(account), Some(last)) = (&target.account, target.chain.last()) {
            return Ok((account.clone(), last.role.partition.clone()));
        }
        let session = self.sessions.session(&target.chain).await?;
        let failed = |failure| ChainFailure {
            hop: 0,
            of: target.chain.len(),
            role: None,
            failure,
        };
        let (account, partition) = self
            .cloud
            .account(&session.credentials)
            .await
            .map_err(failed)?;
        match &target.account {
            Some(wanted) if *wanted != account => Err(failed(CallFailure::of_code(
                "WrongAccount",
                &format!(
                    "The credentials at hand belong to {account}, and {wanted} is to be asked without a role."
                ),
                None,
            ))),
            _ => Ok((account, partition)),
        }
    }

    /// The regions of an account: those listed, those it enabled, or those that it had enabled when
    /// that was last answered.
    async fn regions(&self, target: &Target, account: &str, home_region: &str) -> Vec<String> {
        if let Regions::Listed(regions) = &target.regions {
            return regions.clone();
        }
        let walked = self
            .ask(&target.chain, "Regions", account, home_region)
            .await;
        let failure = match walked {
            Ok(walked) if walked.unanswered.is_empty() => {
                return enabled_regions(walked.rows.as_array().map_or(&[], Vec::as_slice));
            }
            Ok(walked) => walked.unanswered.first().map(|u| u.failure.to_string()),
            Err(failed) => Some(failed.to_string()),
        };
        let kept = self.store.current(account, GLOBAL).await.ok().flatten();
        let known = kept.map(|kept| enabled_regions(kept.snapshot.rows_of("Regions")));
        let known = known.unwrap_or_default();
        tracing::warn!(
            account,
            failure,
            regions = known.len(),
            "the account's regions could not be listed; those known from before are collected. If this stays, list them in CLOUD_EXPORT_REGIONS"
        );
        known
    }

    /// Collects a unit; returns what of it is left for want of time.
    async fn unit(&self, run: &Run<'_>, lanes: &Lanes<C::Lane>, order: Order) -> Option<Part> {
        let whole = |order: &Order| Part {
            region: order.unit.region.clone(),
            sections: order.sections.clone(),
        };
        // Never closed.
        let _permit = run.permits.acquire().await.ok()?;
        if run.budget.is_spent() {
            return Some(whole(&order));
        }
        let clock = Instant::now();
        let started = (self.now)();
        let gathered = gather(
            &*self.cloud,
            &self.sessions,
            lanes,
            &order,
            run.budget,
            self.now,
        )
        .await;
        let left = (!gathered.deferred.is_empty()).then(|| Part {
            region: order.unit.region.clone(),
            sections: Some(gathered.deferred),
        });
        let reported: Vec<Reported> = gathered.collected.iter().map(Reported::from).collect();
        let chain_failure = gathered.chain_failure;
        let kept = self.keep(&order.unit, started, gathered.collected).await;
        let report = match kept {
            Ok(Some((snapshot, changes))) => UnitReport::written(
                &snapshot,
                &reported,
                changes,
                chain_failure,
                clock.elapsed(),
            ),
            Ok(None) => {
                let mut report =
                    UnitReport::of(order.unit, &reported, chain_failure, clock.elapsed());
                report.state = UnitState::Superseded;
                report
            }
            Err((class, error)) => {
                let mut report =
                    UnitReport::of(order.unit, &reported, chain_failure, clock.elapsed());
                report.state = UnitState::Failed;
                report.error = Some(error);
                if class == FailureClass::Retry {
                    *run.again.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                }
                report
            }
        };
        run.done(&report);
        left
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
                self.tell(unit, before, &snapshot, &changes).await?;
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

    /// Delivers changes to every destination.
    async fn tell(
        &self,
        unit: &Unit,
        previous: &Snapshot,
        next: &Snapshot,
        changes: &[Change],
    ) -> Result<(), (FailureClass, String)> {
        if changes.is_empty() || self.destinations.is_empty() {
            return Ok(());
        }
        let time = next.finished.to_zoned(TimeZone::UTC);
        let origin = Arc::new(Origin {
            bucket: "changes".to_owned(),
            key: format!(
                "{}/{}/{}",
                unit.account,
                unit.region,
                time.strftime("%Y/%m/%d/%Y%m%dT%H%M%SZ")
            ),
            revision: previous.finished.to_string(),
        });
        let mut lines = Vec::new();
        let (mut records, mut sequence) = (0, 0);
        let mut batches = Vec::new();
        for change in changes {
            lines.extend_from_slice(change.to_json().to_string().as_bytes());
            lines.push(b'\n');
            records += 1;
            if lines.len() >= BATCH_BYTES {
                batches.push((std::mem::take(&mut lines), std::mem::take(&mut records)));
            }
        }
        if records > 0 {
            batches.push((lines, records));
        }
        for (bytes, records) in batches {
            let batch = Batch {
                origin: Arc::clone(&origin),
                sequence,
                records,
                bytes: Bytes::from(bytes),
            };
            sequence += 1;
            let delivered = self.destinations.iter().map(|d| d.deliver(&batch));
            try_join_all(delivered)
                .await
                .map_err(|error| (error.class, error.to_string()))?;
        }
        Ok(())
    }
}

impl Collector<AwsCloud> {
    /// A collector of AWS, with what its configuration names.
    ///
    /// # Errors
    /// No region is configured.
    pub fn on_aws(
        cloud: Arc<AwsCloud>,
        sdk: &SdkConfig,
        config: Config,
        now: fn() -> Timestamp,
    ) -> Result<Collector<AwsCloud>, RunError> {
        let region = sdk.region().ok_or_else(|| RunError {
            class: FailureClass::Config,
            code: "Region",
            message: "no AWS region is configured: set AWS_REGION to the one this runs in".into(),
        })?;
        let region = region.to_string();
        let (store, destinations) = Collector::<AwsCloud>::outputs(sdk, &config)?;
        let queue = config
            .fan_out_queue
            .clone()
            .map(|url| Queue::new(Arc::clone(&cloud), url, region.clone()));
        Ok(Collector {
            queue,
            ..Collector::new(cloud, store, destinations, config, region, now)
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

/// Accounts that can be entered: `State` says so since 2025, `Status` before (`Account`,
/// *Organizations API Reference*).
fn active_accounts(rows: &[Value]) -> Vec<String> {
    rows.iter()
        .filter(|row| {
            let text = |name: &str| row.get(name).and_then(Value::as_str);
            text("State").or_else(|| text("Status")) == Some("ACTIVE")
        })
        .filter_map(|row| row.get("Id")?.as_str().map(str::to_owned))
        .collect()
}

fn enabled_regions(rows: &[Value]) -> Vec<String> {
    rows.iter()
        .filter(|row| row.get("OptInStatus").and_then(Value::as_str) != Some("not-opted-in"))
        .filter_map(|row| row.get("RegionName")?.as_str().map(str::to_owned))
        .collect()
}
