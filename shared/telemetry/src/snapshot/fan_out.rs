//! Which of an endpoint's calls a row came from, when there is one for each parent.

use std::collections::HashSet;

use serde_json::Value;

use super::canonical::canonical;
use super::{EndpointReport, Failure};
use crate::describe::catalogue::{Endpoint, Per};
use crate::describe::state::State;

/// The parameter that tells the tables of a core network apart.
const TABLE: &str = "RouteTableIdentifier";

/// The member that names a core network.
const CORE_NETWORK: &str = "CoreNetworkId";

/// The key of the call that gave the row. `None` when the row does not name its parent.
pub(crate) fn call_of_row(per: Per, row: &Value) -> Option<String> {
    match per {
        Per::Row { parameter, .. } => text(row.get(parameter)?),
        Per::CoreNetworkEdge { .. } => row.get(TABLE).map(canonical),
    }
}

/// The key of the call that an item of a failure names. For tables of core networks that is the JSON
/// text of the identifier, or of parameters that hold it.
fn call_of_item(per: Per, item: &str) -> String {
    match per {
        Per::Row { .. } => item.to_owned(),
        Per::CoreNetworkEdge { .. } => serde_json::from_str(item).map_or_else(
            |_| item.to_owned(),
            |value: Value| canonical(value.get(TABLE).unwrap_or(&value)),
        ),
    }
}

/// What a row of the parents' section is called in the rows that were asked for because of it.
pub(crate) fn name_of_parent(per: Per, parent: &Value) -> Option<String> {
    match per {
        Per::Row { member, .. } => text(parent.get(member)?),
        Per::CoreNetworkEdge { .. } => text(parent.get(CORE_NETWORK)?),
    }
}

/// The name of the parent that a row was asked for because of.
pub(crate) fn parent_of_row(per: Per, row: &Value) -> Option<String> {
    match per {
        Per::Row { .. } => call_of_row(per, row),
        Per::CoreNetworkEdge { .. } => {
            let mut tables = row.get(TABLE)?.as_object()?.values();
            tables.find_map(|table| text(table.get(CORE_NETWORK)?))
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Which of an endpoint's calls were not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// None of them.
    Nothing,
    /// The calls with these keys, at least one.
    Calls(HashSet<String>),
    /// All of them, or nobody can tell which.
    Everything,
}

impl Unanswered {
    pub(crate) fn new(endpoint: &Endpoint, state: State, failures: &[Failure]) -> Unanswered {
        if failures.is_empty() {
            return match state.is_answered() {
                true => Unanswered::Nothing,
                false => Unanswered::Everything,
            };
        }
        let calls: Option<HashSet<String>> = endpoint.per.and_then(|per| {
            let items = failures.iter().map(|failure| failure.item.as_deref());
            items.map(|item| Some(call_of_item(per, item?))).collect()
        });
        calls.map_or(Unanswered::Everything, Unanswered::Calls)
    }

    pub(crate) fn of_report(endpoint: &Endpoint, report: &EndpointReport) -> Unanswered {
        Unanswered::new(endpoint, report.state, &report.failures)
    }

    /// Whether the row would come from a call that was not answered.
    pub(crate) fn holds(&self, endpoint: &Endpoint, row: &Value) -> bool {
        match self {
            Unanswered::Nothing => false,
            Unanswered::Everything => true,
            Unanswered::Calls(calls) => endpoint
                .per
                .and_then(|per| call_of_row(per, row))
                .is_some_and(|call| calls.contains(&call)),
        }
    }
}

impl EndpointReport {
    /// When a row of the section was last seen in an answer. `unanswered` is of this report.
    pub(crate) fn row_observed(
        &self,
        endpoint: &Endpoint,
        unanswered: &Unanswered,
        row: &Value,
    ) -> Option<jiff::Timestamp> {
        let fresh = matches!(unanswered, Unanswered::Calls(_)) && !unanswered.holds(endpoint, row);
        match &self.stale {
            Some(stale) if !fresh => Some(stale.since),
            _ => self.observed,
        }
    }
}
