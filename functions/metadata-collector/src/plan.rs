//! The plan: which accounts a run asks, and in which of their regions.

use serde_json::Value;
use telemetry::FailureClass;
use telemetry::describe::catalogue::{Endpoint, of_section};
use telemetry::describe::partition;
use telemetry::describe::state::CallFailure;
use telemetry::describe::walk::{Walk, Walked};
use telemetry::snapshot::GLOBAL;
use telemetry::target::{Accounts, Hop, Regions, Target};

use crate::cloud::{Cloud, Place};
use crate::collector::{Collector, RunError, class_of};
use crate::config::{Estate, Reach};
use crate::job::{Export, Job};
use crate::sessions::ChainFailure;

impl<C: Cloud> Collector<C> {
    /// The jobs of a full run of an export: one for each account.
    ///
    /// # Errors
    /// The primary role is refused, or the organization's accounts are not known.
    pub async fn plan(&self, export: Export) -> Result<Vec<Job>, RunError> {
        let mut jobs = self.jobs_of(export).await?;
        let monitoring = &self.config.metrics.monitoring_accounts;
        if export == Export::Metrics && !monitoring.is_empty() {
            let accounts: Vec<String> = jobs
                .iter()
                .filter_map(|job| job.target.account.clone())
                .collect();
            for job in &mut jobs {
                let account = job.target.account.as_ref();
                if account.is_none_or(|account| monitoring.contains(account)) {
                    job.elsewhere = accounts.clone();
                }
            }
        }
        Ok(jobs)
    }

    async fn jobs_of(&self, export: Export) -> Result<Vec<Job>, RunError> {
        let reach = match &self.config.estate {
            Estate::Targets(targets) => {
                let whole = |target: &Target| Job::whole(export, target.clone(), false);
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
            jobs.push(Job::whole(export, target, lists_accounts && account == own));
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
    pub fn home_region(&self, partition: &str) -> String {
        match partition::of_region(&self.region) {
            Some(own) if own.name == partition => self.region.clone(),
            _ => partition::named(partition)
                .map_or(self.region.as_str(), |partition| partition.home_region)
                .to_owned(),
        }
    }

    /// The account of a target, and its partition.
    ///
    /// # Errors
    /// The hop that was refused; or the credentials at hand belong to another account than the target names.
    pub async fn whose(&self, target: &Target) -> Result<(String, String), ChainFailure> {
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
    pub(crate) async fn regions(
        &self,
        target: &Target,
        account: &str,
        home_region: &str,
    ) -> Vec<String> {
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
