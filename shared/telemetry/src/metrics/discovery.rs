//! Discovery: which series there are, as `ListMetrics` tells it.
//!
//! A [`Discovery`] says which call comes next and takes its answer; who sends the calls is not its matter.

use std::collections::{BTreeSet, HashSet, VecDeque};

use serde_json::{Map, Value, json};

use super::series::Series;
use crate::describe::state::{CallFailure, State};

/// The operation.
pub const OPERATION: &str = "ListMetrics";

/// A namespace to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// CloudWatch's namespace, as it is: there are no wildcards.
    pub namespace: String,
    /// Whether only what had data in the last three hours is asked for, which is all that minutes are read of; metrics of a
    /// day have mostly none.
    pub is_recent: bool,
    /// Whether the accounts that are linked to this one are asked for too ("CloudWatch cross-account observability",
    /// *Amazon CloudWatch User Guide*).
    pub with_linked: bool,
}

/// What was listed of a namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The namespace.
    pub namespace: String,
    /// Its series, all pages of them, or why they are not known.
    pub series: Result<BTreeSet<Series>, CallFailure>,
    /// Entries that are no series.
    pub unreadable: u64,
}

/// The state of listing.
#[derive(Debug)]
pub struct Discovery {
    /// The account that is asked: what is its own has no other owner.
    account: String,
    listings: VecDeque<Listing>,
    token: Option<String>,
    tokens_seen: HashSet<String>,
    series: BTreeSet<Series>,
    unreadable: u64,
    listed: Vec<Listed>,
    /// Calls answered.
    pub calls: u64,
}

impl Discovery {
    /// Starts listing in an account.
    pub fn new(account: &str, listings: impl IntoIterator<Item = Listing>) -> Discovery {
        Discovery {
            account: account.to_owned(),
            listings: listings.into_iter().collect(),
            token: None,
            tokens_seen: HashSet::new(),
            series: BTreeSet::new(),
            unreadable: 0,
            listed: Vec::new(),
            calls: 0,
        }
    }

    /// The parameters of the next call; `None` when everything is listed.
    pub fn next_call(&self) -> Option<Map<String, Value>> {
        let listing = self.listings.front()?;
        let mut parameters = Map::from_iter([("Namespace".to_owned(), json!(listing.namespace))]);
        let mut add = |name: &str, value: Value| parameters.insert(name.to_owned(), value);
        if listing.is_recent {
            add("RecentlyActive", json!("PT3H"));
        }
        if listing.with_linked {
            add("IncludeLinkedAccounts", json!(true));
        }
        if let Some(token) = &self.token {
            add("NextToken", json!(token));
        }
        Some(parameters)
    }

    /// Takes the answer to the call that [`next_call`](Self::next_call) named.
    pub fn answer(&mut self, answer: Result<Value, CallFailure>) {
        self.calls += 1;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => return self.end(Err(failure)),
        };
        // Owners stand beside the metrics, one for each, when linked accounts were asked for.
        let owners = answer.get("OwningAccounts").and_then(Value::as_array);
        let metrics = answer.get("Metrics").and_then(Value::as_array);
        for (at, metric) in metrics.into_iter().flatten().enumerate() {
            let owner = owners.and_then(|owners| owners.get(at)?.as_str());
            let owner = owner.filter(|owner| *owner != self.account);
            match Series::of_listed(metric, owner.map(str::to_owned)) {
                Some(series) => {
                    self.series.insert(series);
                }
                None => self.unreadable += 1,
            }
        }
        let token = answer.get("NextToken").and_then(Value::as_str);
        match token.filter(|token| !token.is_empty()) {
            None => {
                let series = std::mem::take(&mut self.series);
                self.end(Ok(series));
            }
            Some(token) if !self.tokens_seen.insert(token.to_owned()) => {
                let message = "The list's pages go round in a circle.".to_owned();
                self.end(Err(CallFailure {
                    state: State::Error,
                    code: "RepeatedToken".to_owned(),
                    message,
                    request_id: None,
                }));
            }
            token => self.token = token.map(str::to_owned),
        }
    }

    fn end(&mut self, series: Result<BTreeSet<Series>, CallFailure>) {
        self.token = None;
        self.tokens_seen.clear();
        self.series.clear();
        if let Some(listing) = self.listings.pop_front() {
            self.listed.push(Listed {
                namespace: listing.namespace,
                series,
                unreadable: std::mem::take(&mut self.unreadable),
            });
        }
    }

    /// What was listed, in the order that it was asked for.
    pub fn finish(self) -> Vec<Listed> {
        self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::super::series::tests::series;
    use super::*;

    fn listing(namespace: &str) -> Listing {
        Listing {
            namespace: namespace.into(),
            is_recent: true,
            with_linked: false,
        }
    }

    fn page(names: &[&str], token: Option<&str>) -> Value {
        let metrics: Vec<Value> = names.iter().map(|name| series(name).to_metric()).collect();
        json!({"Metrics": metrics, "NextToken": token})
    }

    #[test]
    fn every_page_of_every_namespace_is_listed() {
        let namespaces = ["AWS/TransitGateway", "AWS/VPN"].map(listing);
        let mut discovery = Discovery::new("111111111111", namespaces);
        let first = discovery.next_call().unwrap();
        assert_eq!(
            Value::Object(first),
            json!({"Namespace": "AWS/TransitGateway", "RecentlyActive": "PT3H"})
        );
        discovery.answer(Ok(page(&["a", "b"], Some("t1"))));
        assert_eq!(discovery.next_call().unwrap()["NextToken"], "t1");
        // A page may be empty and not the last.
        discovery.answer(Ok(page(&[], Some("t2"))));
        discovery.answer(Ok(page(&["c"], None)));
        assert_eq!(discovery.next_call().unwrap()["Namespace"], "AWS/VPN");
        let denied = CallFailure::of_code("AccessDenied", "no", None);
        discovery.answer(Err(denied.clone()));
        assert_eq!(discovery.next_call(), None);
        assert_eq!(discovery.calls, 4);
        let listed = discovery.finish();
        assert_eq!(listed[0].series, Ok(["a", "b", "c"].map(series).into()));
        assert_eq!(listed[1].series, Err(denied));
    }

    #[test]
    fn linked_accounts_own_their_series_and_the_account_itself_does_not() {
        let linked = Listing {
            with_linked: true,
            ..listing("AWS/TransitGateway")
        };
        let mut discovery = Discovery::new("111111111111", [linked]);
        assert_eq!(
            discovery.next_call().unwrap()["IncludeLinkedAccounts"],
            true
        );
        let mut answer = page(&["a", "b", "c"], None);
        // One is missing at the end, as has been seen.
        answer["OwningAccounts"] = json!(["222222222222", "111111111111"]);
        discovery.answer(Ok(answer));
        let series = discovery.finish().remove(0).series.unwrap();
        let owners: Vec<Option<&str>> = series.iter().map(|s| s.owner.as_deref()).collect();
        assert_eq!(owners, [None, None, Some("222222222222")]);
    }

    #[test]
    fn pages_that_go_round_end_and_entries_that_are_none_are_counted() {
        let mut discovery = Discovery::new("1", [listing("AWS/VPN")]);
        discovery.answer(Ok(json!({"Metrics": [{"odd": 1}], "NextToken": "t"})));
        discovery.answer(Ok(json!({"Metrics": [], "NextToken": "t"})));
        assert_eq!(discovery.next_call(), None);
        let listed = discovery.finish().remove(0);
        assert_eq!(listed.unreadable, 1);
        assert_eq!(listed.series.unwrap_err().code, "RepeatedToken");
    }
}
