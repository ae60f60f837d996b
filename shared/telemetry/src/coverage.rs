//! Coverage: for each call of the catalogue, in how many accounts and regions it was answered.

use jiff::Timestamp;

use crate::describe::catalogue::{CATALOGUE, Endpoint};
use crate::describe::state::State;
use crate::snapshot::Snapshot;

/// How one endpoint fared in the snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointCoverage {
    /// The endpoint.
    pub endpoint: &'static Endpoint,
    /// Units by how asking ended last, in the order of [`State::ALL`].
    pub states: [usize; State::ALL.len()],
    /// Units that never asked.
    pub unasked: usize,
    /// Units whose rows are kept from before.
    pub stale: usize,
    /// When the oldest rows were last seen in an answer.
    pub oldest: Option<Timestamp>,
    /// Rows.
    pub rows: usize,
}

/// How every endpoint of the catalogue fared, in its order.
pub fn coverage<'s>(snapshots: impl IntoIterator<Item = &'s Snapshot>) -> Vec<EndpointCoverage> {
    let mut covered: Vec<EndpointCoverage> = CATALOGUE
        .iter()
        .map(|endpoint| EndpointCoverage {
            endpoint,
            states: [0; State::ALL.len()],
            unasked: 0,
            stale: 0,
            oldest: None,
            rows: 0,
        })
        .collect();
    for snapshot in snapshots {
        let scope = snapshot.unit.scope();
        for coverage in covered.iter_mut().filter(|c| c.endpoint.scope == scope) {
            let Some(report) = snapshot.report(coverage.endpoint.section) else {
                coverage.unasked += 1;
                continue;
            };
            for (state, count) in State::ALL.iter().zip(&mut coverage.states) {
                *count += usize::from(report.state == *state);
            }
            coverage.rows += report.count;
            coverage.stale += usize::from(report.stale.is_some());
            let seen = report
                .stale
                .as_ref()
                .map(|stale| stale.since)
                .or(report.observed);
            coverage.oldest = [coverage.oldest, seen].into_iter().flatten().min();
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::state::CallFailure;
    use crate::snapshot::{Collected, Failure, GLOBAL, Unit};
    use serde_json::json;

    #[test]
    fn each_endpoint_is_counted_where_it_belongs() {
        let time = |second: i64| Timestamp::from_second(1_795_190_400 + second).unwrap();
        let vpcs = CATALOGUE.iter().find(|e| e.section == "Vpcs").unwrap();
        let collected = |state: State, second: i64| Collected {
            endpoint: vpcs,
            state,
            rows: if state == State::Ok {
                json!([{"VpcId": "vpc-1"}])
            } else {
                json!([])
            },
            failures: match state.is_answered() {
                true => vec![],
                false => vec![Failure {
                    item: None,
                    failure: CallFailure::of_code("UnauthorizedOperation", "no", None),
                }],
            },
            vanished: 0,
            calls: 1,
            duration: std::time::Duration::ZERO,
            observed: time(second),
        };
        let unit = |region: &str| Unit {
            account: "111111111111".into(),
            region: region.into(),
            partition: "aws".into(),
            roles: vec![],
        };
        let merge = |region: &str, state: State, second: i64, previous: Option<&Snapshot>| {
            let all = vec![collected(state, second)];
            Snapshot::merge(unit(region), time(second), time(second), all, previous)
        };
        let east = merge("us-east-1", State::Ok, 0, None);
        let east = merge("us-east-1", State::Denied, 100, Some(&east));
        let west = merge("us-west-2", State::Ok, 100, None);
        let global = Snapshot::merge(unit(GLOBAL), time(0), time(0), vec![], None);
        let covered = coverage([&east, &west, &global]);
        let of = |section: &str| {
            covered
                .iter()
                .find(|c| c.endpoint.section == section)
                .unwrap()
        };
        assert_eq!(of("Vpcs").states, [1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(
            (of("Vpcs").rows, of("Vpcs").stale, of("Vpcs").unasked),
            (2, 1, 0)
        );
        assert_eq!(of("Vpcs").oldest, Some(time(0)));
        assert_eq!((of("Subnets").unasked, of("Accounts").unasked), (2, 1));
    }
}
