//! One unit of collection: an account in one region, or what it has once for all regions.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use invocation::Budget;
use jiff::Timestamp;
use serde_json::Value;
use telemetry::describe::catalogue::{CATALOGUE, Endpoint, Scope};
use telemetry::describe::service::Service;
use telemetry::describe::state::{CallFailure, State};
use telemetry::describe::walk::{Call, Walk};
use telemetry::snapshot::{Collected, Failure, Unit};
use telemetry::target::Hop;
use tokio::time::Instant;

use crate::cloud::{Cloud, Lanes, Place};
use crate::sessions::{Asked, ChainFailure, Sessions};

/// Endpoints of a service in a row that nobody answered for, after which the others are not asked.
const SILENT_ENDPOINTS: usize = 2;

/// What is asked of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The unit.
    pub unit: Unit,
    /// The roles on the way to the account.
    pub chain: Vec<Hop>,
    /// The region that global endpoints are asked in.
    pub home_region: String,
    /// Whether the account is the one that can list the organization's accounts.
    pub lists_accounts: bool,
    /// The sections to collect; `None` for all.
    pub sections: Option<Vec<String>>,
}

impl Order {
    /// The endpoints to ask, parents before what is repeated for their rows.
    fn endpoints(&self) -> Vec<&'static Endpoint> {
        let scope = self.unit.scope();
        // A section that is wanted needs those that it is repeated for.
        let mut sections = self.sections.clone();
        for endpoint in CATALOGUE.iter().rev() {
            if let (Some(sections), Some(parent)) = (&mut sections, endpoint.parent())
                && sections.iter().any(|wanted| wanted == endpoint.section)
                && !sections.iter().any(|wanted| wanted == parent)
            {
                sections.push(parent.to_owned());
            }
        }
        let wanted = |endpoint: &&Endpoint| match &sections {
            Some(sections) => sections.iter().any(|wanted| wanted == endpoint.section),
            None => true,
        };
        CATALOGUE
            .iter()
            .filter(|endpoint| endpoint.scope == scope)
            // Only the management account and its delegates may list accounts.
            .filter(|endpoint| self.lists_accounts || endpoint.section != "Accounts")
            .filter(wanted)
            .collect()
    }
}

/// What asking a unit gave.
#[derive(Debug)]
pub struct Gathered {
    /// What each endpoint gave.
    pub collected: Vec<Collected>,
    /// Sections that were not asked for want of time.
    pub deferred: Vec<String>,
    /// Why the account could not be entered, when that is why endpoints failed.
    pub chain_failure: Option<ChainFailure>,
}

/// Asks all endpoints of a unit: one service beside the other, the endpoints of each one after the
/// other, since AWS counts the calls to a service in an account and region together.
pub async fn gather<C: Cloud>(
    cloud: &C,
    sessions: &Sessions<C>,
    lanes: &Lanes<C::Lane>,
    order: &Order,
    budget: &Budget,
    now: fn() -> Timestamp,
) -> Gathered {
    let mut by_service: Vec<(Service, Vec<&'static Endpoint>)> = Vec::new();
    for endpoint in order.endpoints() {
        match by_service
            .iter_mut()
            .find(|(service, _)| *service == endpoint.service)
        {
            Some((_, endpoints)) => endpoints.push(endpoint),
            None => by_service.push((endpoint.service, vec![endpoint])),
        }
    }
    let asking = Asking {
        cloud,
        sessions,
        lanes,
        order,
        budget,
        now,
        region_disabled: AtomicBool::new(false),
        chain_failure: OnceLock::new(),
    };
    let gathered = by_service
        .iter()
        .map(|(service, endpoints)| asking.service(*service, endpoints));
    let collected: Vec<Collected> = join_all(gathered).await.into_iter().flatten().collect();
    Gathered {
        deferred: collected
            .iter()
            .filter(|collected| collected.state == State::Deferred)
            .map(|collected| collected.endpoint.section.to_owned())
            .collect(),
        collected,
        chain_failure: asking.chain_failure.into_inner(),
    }
}

struct Asking<'a, C: Cloud> {
    cloud: &'a C,
    sessions: &'a Sessions<C>,
    lanes: &'a Lanes<C::Lane>,
    order: &'a Order,
    budget: &'a Budget,
    now: fn() -> Timestamp,
    /// Set by the first endpoint that the region refuses, so that the others need not be refused too.
    region_disabled: AtomicBool,
    chain_failure: OnceLock<ChainFailure>,
}

impl<C: Cloud> Asking<'_, C> {
    async fn service(&self, service: Service, endpoints: &[&'static Endpoint]) -> Vec<Collected> {
        let place = Place {
            account: self.order.unit.account.clone(),
            region: match self.order.unit.scope() {
                Scope::Global => self.order.home_region.clone(),
                Scope::Regional => self.order.unit.region.clone(),
            },
            service,
        };
        let mut existing: Vec<&'static Endpoint> = Vec::new();
        for endpoint in endpoints {
            let parent = endpoint.parent();
            let known = parent.is_none_or(|parent| existing.iter().any(|e| e.section == parent));
            if known && self.cloud.has(&place, endpoint) {
                existing.push(endpoint);
            }
        }
        let lane = self.lanes.to(self.cloud, place);
        let mut collected: Vec<Collected> = Vec::new();
        // Rows that others are repeated for, or why there are none.
        let mut parents: HashMap<&'static str, Result<Vec<Value>, State>> = HashMap::new();
        // Where nothing answers, each further call would take as long as the first to find out.
        let mut silent: Vec<CallFailure> = Vec::new();
        for endpoint in existing {
            let one = match silent.get(SILENT_ENDPOINTS - 1) {
                None => self.endpoint(&lane, endpoint, &parents).await,
                Some(failure) => unanswered(endpoint, failure.clone(), (self.now)()),
            };
            let mut failures = one.failures.iter().map(|failed| &failed.failure);
            match failures.find(|failure| failure.is_silence()) {
                Some(failure) => silent.push(failure.clone()),
                None => silent.clear(),
            }
            let is_parent = endpoints
                .iter()
                .any(|child| child.parent() == Some(endpoint.section));
            if is_parent {
                let answered = !one.failures.iter().any(|failure| failure.item.is_none());
                let rows = match (&one.rows, answered) {
                    (Value::Array(rows), true) => Ok(rows.clone()),
                    _ => Err(one.state),
                };
                parents.insert(endpoint.section, rows);
            }
            collected.push(one);
        }
        collected
    }

    async fn endpoint(
        &self,
        lane: &C::Lane,
        endpoint: &'static Endpoint,
        parents: &HashMap<&'static str, Result<Vec<Value>, State>>,
    ) -> Collected {
        let started = Instant::now();
        let refused = |state: State, code: &str, message: String| {
            let failure = CallFailure {
                state,
                code: code.to_owned(),
                message,
                request_id: None,
            };
            Collected {
                duration: started.elapsed(),
                ..unanswered(endpoint, failure, (self.now)())
            }
        };
        let none = Vec::new();
        let rows = match endpoint.parent() {
            None => &none,
            Some(section) => match parents.get(section) {
                Some(Ok(rows)) => rows,
                Some(Err(state)) => {
                    return refused(
                        *state,
                        "ParentNotCollected",
                        format!("It is asked for each of {section}, which was not answered."),
                    );
                }
                None => &none,
            },
        };
        let mut walk = Walk::new(endpoint, rows);
        while let Some(call) = walk.next_call() {
            if self.region_disabled.load(Ordering::Relaxed) {
                return refused(
                    State::RegionDisabled,
                    "RegionDisabled",
                    "Another endpoint was told that the region is not enabled.".into(),
                );
            }
            let answer = match self.budget.is_spent() {
                true => None,
                false => self.budget.run(self.call(lane, &call)).await,
            };
            let Some(answer) = answer else {
                return refused(
                    State::Deferred,
                    "Deadline",
                    "The invocation's time was over before it was answered; it is handed on."
                        .into(),
                );
            };
            if let Err(failure) = &answer
                && failure.state == State::RegionDisabled
            {
                self.region_disabled.store(true, Ordering::Relaxed);
            }
            walk.answer(answer);
        }
        let walked = walk.finish();
        Collected {
            endpoint,
            state: walked.state(),
            rows: walked.rows,
            failures: walked
                .unanswered
                .into_iter()
                .map(|unanswered| Failure {
                    item: unanswered.item,
                    failure: unanswered.failure,
                })
                .collect(),
            vanished: walked.vanished,
            calls: walked.calls,
            duration: started.elapsed(),
            observed: (self.now)(),
        }
    }

    async fn call(&self, lane: &C::Lane, call: &Call) -> Result<Value, CallFailure> {
        let asked = self
            .sessions
            .ask(&self.order.chain, lane, Asked::Call(call));
        asked.await.unwrap_or_else(|failed| {
            let failure = failed.failure.clone();
            let _ = self.chain_failure.set(failed);
            Err(failure)
        })
    }
}

/// What an endpoint gave that was not asked.
fn unanswered(endpoint: &'static Endpoint, failure: CallFailure, observed: Timestamp) -> Collected {
    Collected {
        endpoint,
        state: failure.state,
        rows: Value::Null,
        failures: vec![Failure {
            item: None,
            failure,
        }],
        vanished: 0,
        calls: 0,
        duration: Duration::ZERO,
        observed,
    }
}
