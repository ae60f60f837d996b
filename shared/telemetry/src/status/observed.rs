//! What a snapshot says of the state of its account and region.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    AccountName, Covered, Entry, Export, Facts, FailingLog, Inventoried, Key, Logged, Network,
    Outcome, RunState, Status, Unanswered,
};
use crate::describe::catalogue::{Scope, of_section};
use crate::describe::state::State;
use crate::inventory::{FlowLog, Inventory, Kind, Resource};
use crate::snapshot::{EndpointReport, Snapshot};

/// The section that flow logs are in.
const FLOW_LOGS: &str = "FlowLogs";

/// The most VPCs that an entry lists.
const MAX_NETWORKS: usize = 200;

/// The most flow logs and destinations that an entry lists.
const MAX_LISTED: usize = 20;

/// The most characters of a message.
const MAX_MESSAGE: usize = 300;

/// What is no device of a network: accounts and places, and rules.
const NO_DEVICES: &[Kind] = &[
    Kind::Account,
    Kind::Organization,
    Kind::Region,
    Kind::Zone,
    Kind::SecurityGroup,
    Kind::NetworkAcl,
    Kind::RouteTable,
    Kind::PrefixList,
    Kind::TransitGatewayRouteTable,
    Kind::CoreNetworkRouteTable,
    Kind::FirewallPolicy,
    Kind::RuleGroup,
];

/// How the flow logs of an account and region stand, by what is known of them.
struct Standing {
    state: RunState,
    error: Option<String>,
    facts: Option<Logged>,
}

impl Status {
    /// What a snapshot that was kept says, and its inventory: of the metadata, of the flow logs, and names of accounts.
    pub fn of_snapshot(snapshot: &Snapshot, inventory: &Inventory) -> Status {
        let unit = &snapshot.unit;
        let role = unit.roles.last().cloned();
        let outcome = |state, error| Outcome {
            at: snapshot.finished,
            state,
            error,
            role: role.clone(),
        };
        let mut status = Status::default();
        let metadata = Facts::Metadata(Inventoried::of(snapshot, inventory));
        let latest = outcome(state_of(snapshot), error_of(snapshot));
        status.entries.insert(
            Key::new(Export::Metadata, &unit.account, &unit.region),
            Entry::of(latest, Some(metadata)),
        );
        if unit.scope() == Scope::Regional && !is_disabled(snapshot) {
            let Standing {
                state,
                error,
                facts,
            } = standing(snapshot, inventory);
            status.entries.insert(
                Key::new(Export::FlowLogs, &unit.account, &unit.region),
                Entry::of(outcome(state, error), facts.map(Facts::FlowLogs)),
            );
        }
        for account in &inventory.accounts {
            if let Some(name) = account.account_name.as_deref().or(account.alias.as_deref()) {
                let named = AccountName {
                    at: snapshot.finished,
                    name: name.to_owned(),
                };
                status.accounts.insert(account.id.clone(), named);
            }
        }
        status
    }
}

impl Key {
    /// The key of an export in an account and region.
    pub fn new(export: Export, account: &str, region: &str) -> Key {
        Key {
            account: account.to_owned(),
            region: region.to_owned(),
            export,
        }
    }
}

/// Whether the account has not enabled the region, so that nothing can be there.
fn is_disabled(snapshot: &Snapshot) -> bool {
    let mut states = snapshot.endpoints.iter().map(|report| report.state);
    !snapshot.endpoints.is_empty() && states.all(|state| state == State::RegionDisabled)
}

fn state_of(snapshot: &Snapshot) -> RunState {
    let any = |is: fn(State) -> bool| snapshot.endpoints.iter().any(|report| is(report.state));
    if snapshot.is_complete() {
        RunState::Complete
    } else if is_disabled(snapshot) {
        RunState::Idle
    } else if any(|state| state == State::Deferred) {
        RunState::Deferred
    } else if any(State::is_answered) {
        RunState::Partial
    } else {
        RunState::Failed
    }
}

/// Why nothing was answered, where that is so.
fn error_of(snapshot: &Snapshot) -> Option<String> {
    let failed = state_of(snapshot) == RunState::Failed;
    let mut endpoints = snapshot.endpoints.iter().filter(|_| failed);
    let report = endpoints.find(|report| !report.failures.is_empty())?;
    let failure = report.failures.first()?;
    // `Stale` names the role on the way that was refused.
    let why = report.stale.as_ref().map(|stale| stale.why.clone());
    Some(shortened(
        &why.unwrap_or_else(|| failure.failure.to_string()),
    ))
}

/// A message of bounded length.
pub(super) fn shortened(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE) {
        None => message.to_owned(),
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
    }
}

fn call(report: &EndpointReport) -> String {
    of_section(&report.section).map_or_else(
        || format!("{}:{}", report.service, report.operation),
        |endpoint| endpoint.name(),
    )
}

impl Inventoried {
    fn of(snapshot: &Snapshot, inventory: &Inventory) -> Inventoried {
        let mut unanswered: BTreeMap<(State, &str), Unanswered> = BTreeMap::new();
        for report in &snapshot.endpoints {
            for failure in &report.failures {
                let failure = &failure.failure;
                let entry = unanswered.entry((failure.state, &failure.code));
                let reason = entry.or_insert_with(|| Unanswered {
                    state: failure.state.label().to_owned(),
                    code: failure.code.clone(),
                    message: shortened(&failure.message),
                    calls: Vec::new(),
                });
                let call = call(report);
                if !reason.calls.contains(&call) {
                    reason.calls.push(call);
                }
            }
        }
        let calls = snapshot.states();
        let devices = Kind::ALL.iter().filter(|kind| !NO_DEVICES.contains(kind));
        let devices = devices.map(|kind| {
            let own = inventory.rows(*kind).filter(|row| {
                row.account
                    .is_none_or(|account| account == snapshot.unit.account)
            });
            (kind.label().to_owned(), own.count() as u64)
        });
        Inventoried {
            rows: snapshot.rows() as u64,
            calls: calls
                .map(|(state, count)| (state.label().to_owned(), count as u64))
                .collect(),
            unanswered: unanswered.into_values().collect(),
            devices: devices.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

fn standing(snapshot: &Snapshot, inventory: &Inventory) -> Standing {
    if !snapshot.sections.contains_key(FLOW_LOGS) {
        let failures = snapshot.report(FLOW_LOGS).map(|report| &report.failures);
        let failure = failures.and_then(|failures| failures.first());
        let why = failure.map_or_else(String::new, |failure| format!(": {}", failure.failure));
        return Standing {
            state: RunState::Partial,
            error: Some(shortened(&format!(
                "ec2:DescribeFlowLogs is not answered{why}"
            ))),
            facts: None,
        };
    }
    let logged = Logged::of(&snapshot.unit.account, inventory);
    let lacking = logged.lacking();
    let (state, error) = match (logged.failing.first(), lacking) {
        (Some(failing), _) => {
            let error = format!("the delivery of {} fails: {}", failing.log, failing.error);
            (RunState::Failed, Some(error))
        }
        (None, 0) if logged.vpcs.of == 0 && logged.logs == 0 => (RunState::Idle, None),
        (None, 0) => (RunState::Complete, None),
        (None, _) => {
            let Covered { of, logged } = logged.interfaces;
            let error = format!("{} of {of} interfaces have no flow log to S3", of - logged);
            (RunState::Partial, Some(error))
        }
    };
    Standing {
        state,
        error,
        facts: Some(logged),
    }
}

/// Whether a flow log goes to S3.
fn is_to_s3(log: &FlowLog) -> bool {
    match (&log.destination_type, &log.destination) {
        (Some(kind), _) => kind == "s3",
        (None, Some(arn)) => arn.split(':').nth(2) == Some("s3"),
        (None, None) => false,
    }
}

impl Logged {
    fn of(account: &str, inventory: &Inventory) -> Logged {
        let is_own = |owner: &Option<String>| owner.as_ref().is_none_or(|owner| owner == account);
        let mut logged = Logged {
            logs: inventory.flow_logs.len() as u64,
            ..Logged::default()
        };
        let mut covered: BTreeSet<&str> = BTreeSet::new();
        for log in &inventory.flow_logs {
            if is_to_s3(log) {
                covered.extend(log.resource.as_deref());
            }
            logged.note(log);
        }
        let has_log = |id: Option<&str>| id.is_some_and(|id| covered.contains(id));
        for vpc in inventory.vpcs.iter().filter(|vpc| is_own(&vpc.account)) {
            let of_vpc = has_log(Some(&vpc.id));
            let subnets = inventory.subnets.iter();
            let subnets = subnets.filter(|subnet| subnet.vpc.as_deref() == Some(vpc.id.as_str()));
            let subnets = Covered::count(subnets.map(|s| of_vpc || has_log(Some(&s.id))));
            let interfaces = inventory.interfaces_of(&vpc.id);
            let interfaces = Covered::count(interfaces.map(|interface| {
                let of_subnet = has_log(interface.subnet.as_deref());
                of_vpc || of_subnet || has_log(Some(&interface.id))
            }));
            let flow_found = of_vpc || subnets.logged > 0 || interfaces.logged > 0;
            logged.vpcs.add(&Covered::count([flow_found]));
            logged.subnets.add(&subnets);
            logged.interfaces.add(&interfaces);
            logged.networks.push(Network {
                vpc: vpc.id.clone(),
                name: vpc.name().map(str::to_owned),
                cidrs: vpc.cidrs.iter().map(ToString::to_string).collect(),
                flow_found,
                interfaces,
            });
        }
        logged
            .networks
            .sort_by_key(|network| (!network.is_lacking(), network.flow_found));
        logged.more_networks = logged.networks.len().saturating_sub(MAX_NETWORKS) as u64;
        logged.networks.truncate(MAX_NETWORKS);
        logged
    }

    fn note(&mut self, log: &Resource<FlowLog>) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let destination = text(&log.destination.clone().or_else(|| log.log_group.clone()));
        if log.delivery.as_deref() == Some("FAILED") && self.failing.len() < MAX_LISTED {
            self.failing.push(FailingLog {
                log: log.id.clone(),
                resource: text(&log.resource),
                destination: destination.clone(),
                error: text(&log.delivery_error),
            });
        }
        if self.destinations.len() < MAX_LISTED || self.destinations.contains_key(&destination) {
            *self.destinations.entry(destination).or_default() += 1;
        }
    }

    /// Interfaces without a flow log to S3.
    fn lacking(&self) -> u64 {
        self.interfaces.of.saturating_sub(self.interfaces.logged)
    }
}

impl Network {
    /// Whether there is an interface whose traffic is not logged.
    pub fn is_lacking(&self) -> bool {
        self.interfaces.logged < self.interfaces.of
    }
}

impl Covered {
    fn count(all: impl IntoIterator<Item = bool>) -> Covered {
        let mut covered = Covered::default();
        for is_logged in all {
            covered.of += 1;
            covered.logged += u64::from(is_logged);
        }
        covered
    }

    /// Adds what another account, region or VPC has.
    pub fn add(&mut self, other: &Covered) {
        self.of += other.of;
        self.logged += other.logged;
    }
}
