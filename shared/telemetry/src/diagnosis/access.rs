//! Who asks: credentials, roles, regions and calls.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::Check;
use super::finding::Finding;
use super::observation::{AccountObservation, Observations, RoleObservation};
use crate::describe::policy;
use crate::describe::state::{CallFailure, State};
use crate::snapshot::GLOBAL;
use crate::target::{Hop, Regions};

/// What stands for an external id, which some treat as a secret.
const EXTERNAL_ID: &str = "EXTERNAL_ID";

/// Findings about the credentials at hand.
pub(super) fn identity(seen: &Observations) -> Finding {
    match &seen.identity {
        Ok(identity) => Finding::of(Check::IdentityOk)
            .account(&identity.account)
            .what(identity.arn.clone()),
        Err(failure) => Finding::of(Check::IdentityRefused).what(failure.to_string()),
    }
}

/// Findings about a role.
pub(super) fn role(seen: &Observations, role: &RoleObservation) -> Option<Finding> {
    let (hop, before) = role.chain.split_last()?;
    let caller = match (before.last(), &seen.identity) {
        (Some(before), _) => Some((before.role.account.clone(), before.role.to_string())),
        (None, Ok(own)) => Some((own.account.clone(), role_of(&own.arn))),
        (None, Err(_)) => None,
    };
    let (caller_account, caller_arn) = caller.unwrap_or_else(|| {
        let unknown = "<caller>".to_owned();
        (unknown.clone(), unknown)
    });
    let id = hop.external_id.as_ref().map(|_| EXTERNAL_ID);
    let trust = policy::trust(&hop.role.partition, &caller_account, &caller_arn, id);
    let arn = hop.role.to_string();
    let name = hop.role.name.rsplit('/').next().unwrap_or_default();
    let finding = |check: Check| {
        let may = policy::assuming(std::slice::from_ref(&arn));
        Finding::of(check)
            .account(&hop.role.account)
            .resource(&arn)
            .with("role-name", name)
            .with("trust-policy", &trust.to_string())
            .with("caller-policy", &may.to_string())
            .with("caller", &caller_arn)
    };
    Some(match &role.assumed {
        Ok(()) if role.without_external_id == Some(true) => finding(Check::RoleAnyExternalId),
        Ok(()) => finding(Check::RoleOk).what(format!("from {caller_arn}")),
        Err(failure) if failure.state == State::Denied => {
            finding(Check::RoleRefused).what(refusal(seen, role, hop, &caller_arn, failure))
        }
        Err(failure) => finding(Check::RoleUnanswered).what(failure.to_string()),
    })
}

/// What is known of a refused role, and what to look at first.
fn refusal(
    seen: &Observations,
    role: &RoleObservation,
    hop: &Hop,
    caller: &str,
    failure: &CallFailure,
) -> String {
    let before = role.chain.len().checked_sub(1);
    let before = before.and_then(|hops| role.chain.get(..hops));
    // Roles that were asked for by the same caller with the same id.
    let sibling = seen.roles.iter().find(|other| {
        let (Some(last), hops) = (other.chain.last(), other.chain.len().saturating_sub(1)) else {
            return false;
        };
        other.assumed.is_ok()
            && other.chain.get(..hops) == before
            && last.role != hop.role
            && last.external_id == hop.external_id
    });
    let hint = match (sibling, &hop.external_id) {
        (Some(other), _) => {
            let name = other.chain.last().map(|hop| hop.role.to_string());
            format!(
                "the same caller{} was given {}: look at this role, whether it exists and whom it trusts",
                if hop.external_id.is_some() { " with the same external id" } else { "" },
                name.unwrap_or_default()
            )
        }
        (None, Some(_)) => "an external id was sent: compare the role's name, its trust policy, and the id letter by letter".to_owned(),
        (None, None) => "no external id was sent: compare the role's name and its trust policy, which may ask for one".to_owned(),
    };
    format!(
        "hop {} of its chain, asked for by {caller}, was answered {failure}; {hint}",
        role.chain.len()
    )
}

/// The role of a session: `arn:aws:sts::1:assumed-role/reader/session` is a session of
/// `arn:aws:iam::1:role/reader`, whose path the session does not tell.
fn role_of(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, "sts", _, account, resource] = *parts.as_slice() else {
        return arn.to_owned();
    };
    let mut session = resource.split('/');
    match (session.next(), session.next()) {
        (Some("assumed-role"), Some(role)) => format!("arn:{partition}:iam::{account}:role/{role}"),
        _ => arn.to_owned(),
    }
}

/// The last role on the way to an account, or what stands for the credentials at hand.
pub(super) fn last_role(account: &AccountObservation) -> (String, String) {
    match account.chain.last() {
        Some(hop) => {
            let name = hop.role.name.rsplit('/').next().unwrap_or_default();
            (hop.role.to_string(), name.to_owned())
        }
        None => {
            let own = "<the role or user at hand>".to_owned();
            (own.clone(), own)
        }
    }
}

/// The rows of the account's list of regions: name, and whether it is enabled. `None` when it was not answered.
pub(super) fn known_regions(account: &AccountObservation) -> Option<Vec<(String, bool)>> {
    let global = account.units.iter().find(|unit| unit.region == GLOBAL)?;
    let regions = global
        .collected
        .iter()
        .find(|collected| collected.endpoint.section == "Regions")?;
    if !regions.state.is_answered() {
        return None;
    }
    let rows = regions.rows.as_array()?;
    let row = |row: &Value| {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let enabled = text("OptInStatus") != Some("not-opted-in");
        Some((text("RegionName")?.to_owned(), enabled))
    };
    Some(rows.iter().filter_map(row).collect())
}

/// Findings about an account's regions.
pub(super) fn regions(account: &AccountObservation) -> Vec<Finding> {
    let known = known_regions(account);
    let (role, _) = last_role(account);
    let finding = |check: Check| Finding::of(check).account(&account.account);
    let mut findings = Vec::new();
    if known.is_none() && account.regions == Regions::Enabled {
        findings.push(finding(Check::RegionsUnlisted).with("role", &role));
    }
    if let (Some(known), Regions::Listed(wanted)) = (&known, &account.regions) {
        for region in wanted {
            let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
            match known.iter().find(|(name, _)| name == region) {
                None => findings.push(
                    finding(Check::RegionUnknown)
                        .region(region)
                        .with("known-regions", &names.join(",")),
                ),
                Some((_, false)) => {
                    findings.push(finding(Check::RegionDisabled).region(region));
                }
                Some((_, true)) => {}
            }
        }
    }
    for unit in account.units.iter().filter(|unit| unit.region != GLOBAL) {
        let mut states = unit.collected.iter().map(|collected| collected.state);
        if states.any(|state| state == State::RegionDisabled) {
            let told = |found: &Finding| found.regions.contains(&unit.region);
            if !findings.iter().any(told) {
                findings.push(finding(Check::RegionDisabled).region(&unit.region));
            }
        } else if unit.collected.iter().any(|c| c.state.is_answered()) {
            let answered = unit.collected.iter().filter(|c| c.state.is_answered());
            findings.push(finding(Check::RegionOk).region(&unit.region).what(format!(
                "{} of {} calls were answered",
                answered.count(),
                unit.collected.len()
            )));
        }
    }
    findings
}

/// Findings about the calls of an account: one for each call that failed, with its regions.
pub(super) fn endpoints(account: &AccountObservation) -> Vec<Finding> {
    let (_, role_name) = last_role(account);
    let mut failed: BTreeMap<(Check, String), (Vec<String>, String)> = BTreeMap::new();
    for unit in &account.units {
        for collected in &unit.collected {
            let check = match collected.state {
                State::Ok | State::Empty | State::RegionDisabled | State::Deferred => continue,
                State::Denied => Check::EndpointDenied,
                State::Throttled | State::Error => Check::EndpointFailed,
            };
            let failure = collected.failures.first().map(|failed| &failed.failure);
            if failure.is_some_and(|failure| failure.code == "ParentNotCollected") {
                continue;
            }
            let why = failure.map_or_else(String::new, CallFailure::to_string);
            let entry = failed.entry((check, collected.endpoint.action()));
            let (regions, _) = entry.or_insert_with(|| (Vec::new(), why));
            if !regions.contains(&unit.region) {
                regions.push(unit.region.clone());
            }
        }
    }
    failed
        .into_iter()
        .map(|((check, action), (regions, why))| {
            Finding::of(check)
                .account(&account.account)
                .regions(&regions)
                .resource(&action)
                .what(why)
                .with("action", &action)
                .with("role-name", &role_name)
        })
        .collect()
}
