//! What accounts answer: credentials, roles, and each call of the catalogue in each region.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream;
use invocation::Budget;
use jiff::Timestamp;
use metadata_collector::Collector;
use metadata_collector::cloud::{Cloud, Lanes};
use metadata_collector::config::Estate;
use metadata_collector::job::{Export, Job};
use metadata_collector::unit::{Order, gather};
use telemetry::diagnosis::{
    AccountObservation, Answered, Identity, RoleObservation, UnitObservation,
};
use telemetry::snapshot::{GLOBAL, Unit};
use telemetry::target::Hop;

use super::Asked;

/// What was seen of the accounts.
pub struct Entered {
    /// Whose credentials are at hand.
    pub identity: Answered<Identity>,
    /// The roles that were tried.
    pub roles: Vec<RoleObservation>,
    /// Why the list of accounts is not known.
    pub unlisted: Option<String>,
    /// The accounts.
    pub accounts: Vec<AccountObservation>,
}

struct Asking<'a> {
    cloud: &'a Asked,
    collector: &'a Collector<Asked>,
    /// Roles that were tried, by their chains.
    tried: Mutex<BTreeMap<Vec<Hop>, RoleObservation>>,
}

/// Asks who the credentials belong to, tries every role, and asks every account.
pub async fn observe(cloud: &Asked, collector: &Collector<Asked>) -> Entered {
    let asking = Asking {
        cloud,
        collector,
        tried: Mutex::default(),
    };
    let identity = asking.identity().await;
    let mut accounts = Vec::new();
    let mut unlisted = None;
    if identity.is_ok() {
        let first = match &collector.config().estate {
            Estate::Accounts(reach) => reach.primary.clone(),
            Estate::Targets(_) => None,
        };
        // Without the primary role there is no way to the others.
        let reached = match first {
            Some(primary) => asking.roles(&[primary]).await,
            None => true,
        };
        match collector.plan(Export::Metadata).await {
            Ok(jobs) => accounts = asking.jobs(jobs).await,
            Err(error) if reached => unlisted = Some(error.to_string()),
            Err(_) => {}
        }
    }
    let tried = asking.tried.into_inner();
    let tried = tried.unwrap_or_else(PoisonError::into_inner);
    Entered {
        identity,
        roles: tried.into_values().collect(),
        unlisted,
        accounts,
    }
}

impl Asking<'_> {
    async fn identity(&self) -> Answered<Identity> {
        let granted = self.cloud.own().await?;
        self.cloud.whole().identity(&granted.credentials).await
    }

    async fn jobs(&self, jobs: Vec<Job>) -> Vec<AccountObservation> {
        let at_once = self.collector.config().units_at_once;
        let accounts = stream::iter(jobs).map(|job| Box::pin(self.account(job)));
        let accounts: Vec<_> = accounts.buffered(at_once).collect().await;
        accounts.into_iter().flatten().collect()
    }

    /// Tries each role of a chain; whether the last one was given.
    async fn roles(&self, chain: &[Hop]) -> bool {
        for hops in 1..=chain.len() {
            let Some(way) = chain.get(..hops) else {
                continue;
            };
            let known = {
                let tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
                tried.get(way).map(|role| role.assumed.is_ok())
            };
            let given = match known {
                Some(given) => given,
                None => {
                    let role = self.role(way).await;
                    let given = role.assumed.is_ok();
                    let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
                    tried.insert(way.to_vec(), role);
                    given
                }
            };
            if !given {
                return false;
            }
        }
        true
    }

    async fn role(&self, chain: &[Hop]) -> RoleObservation {
        let sessions = self.collector.sessions();
        let assumed = sessions.session(chain).await.map(drop);
        let mut without_external_id = None;
        if let (Ok(()), Some((hop, before))) = (&assumed, chain.split_last())
            && hop.external_id.is_some()
            && let Ok(before) = sessions.session(before).await
        {
            let hop = Hop {
                external_id: None,
                ..hop.clone()
            };
            let given = self.cloud.assume(&before.credentials, &hop).await;
            without_external_id = Some(given.is_ok());
        }
        RoleObservation {
            chain: chain.to_vec(),
            assumed: assumed.map_err(|refused| refused.failure),
            without_external_id,
        }
    }

    async fn account(&self, job: Job) -> Option<AccountObservation> {
        let chain = job.target.chain.clone();
        if !self.roles(&chain).await {
            return None;
        }
        let (account, partition) = self.collector.whose(&job.target).await.ok()?;
        let mut seen = AccountObservation {
            account,
            partition,
            chain,
            regions: job.target.regions.clone(),
            units: Vec::new(),
        };
        let lanes = Lanes::default();
        let global = self.unit(&seen, GLOBAL, job.lists_accounts, &lanes).await;
        seen.units.push(global);
        let regions = seen.regions_to_ask();
        let asked = regions
            .iter()
            .map(|region| Box::pin(self.unit(&seen, region, false, &lanes)));
        let at_once = self.collector.config().units_at_once;
        let units: Vec<UnitObservation> = stream::iter(asked).buffered(at_once).collect().await;
        seen.units.extend(units);
        Some(seen)
    }

    async fn unit(
        &self,
        account: &AccountObservation,
        region: &str,
        lists_accounts: bool,
        lanes: &Lanes<<Asked as Cloud>::Lane>,
    ) -> UnitObservation {
        let whose = (&*account.account, &*account.partition);
        let order = Order {
            unit: Unit::new(whose, region, &account.chain),
            chain: account.chain.clone(),
            home_region: self.collector.home_region(&account.partition),
            lists_accounts,
            sections: None,
        };
        let gathered = gather(
            self.cloud,
            self.collector.sessions(),
            lanes,
            &order,
            &Budget::UNLIMITED,
            Timestamp::now,
        );
        UnitObservation {
            region: region.to_owned(),
            collected: gathered.await.collected,
        }
    }
}
