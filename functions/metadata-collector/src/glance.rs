//! A cloud that is asked in brief: whether each call is answered, and no more of the answers than is needed.

use serde_json::{Map, Value};
use telemetry::describe::catalogue::{CATALOGUE, Endpoint, Paging};
use telemetry::describe::state::CallFailure;
use telemetry::describe::walk::Call;
use telemetry::target::Hop;

use crate::cloud::{Cloud, Granted, Place};

/// A cloud of whose answers only some sections are wanted in full. Of the others there is one page, and calls that
/// are repeated for its rows are made for the first.
#[derive(Debug)]
pub struct Glance<C> {
    cloud: C,
    wanted: &'static [&'static str],
}

impl<C> Glance<C> {
    /// A cloud of which these sections are wanted in full, beside the organization's accounts.
    pub fn new(cloud: C, wanted: &'static [&'static str]) -> Glance<C> {
        Glance { cloud, wanted }
    }

    /// The cloud itself.
    pub fn whole(&self) -> &C {
        &self.cloud
    }

    fn wants(&self, endpoint: &Endpoint) -> bool {
        endpoint.section == "Accounts" || self.wanted.contains(&endpoint.section)
    }
}

/// An answer as if it were everything: nothing follows, and there is one parent at most.
fn cut(endpoint: &Endpoint, answer: &mut Map<String, Value>) {
    if let Paging::Token { output, .. } = endpoint.paging {
        answer.remove(output);
    }
    for more in ["AdditionalRoutesAvailable", "IsTruncated", "NextToken"] {
        answer.remove(more);
    }
    let is_parent = CATALOGUE
        .iter()
        .any(|child| child.parent() == Some(endpoint.section));
    if let (true, Some(Value::Array(rows))) = (is_parent, answer.get_mut(endpoint.member)) {
        rows.truncate(1);
    }
}

impl<C: Cloud> Cloud for Glance<C> {
    type Credentials = C::Credentials;
    type Lane = C::Lane;

    fn own(&self) -> impl Future<Output = Result<Granted<Self::Credentials>, CallFailure>> + Send {
        self.cloud.own()
    }

    fn account(
        &self,
        credentials: &Self::Credentials,
    ) -> impl Future<Output = Result<(String, String), CallFailure>> + Send {
        self.cloud.account(credentials)
    }

    fn assume(
        &self,
        with: &Self::Credentials,
        hop: &Hop,
    ) -> impl Future<Output = Result<Granted<Self::Credentials>, CallFailure>> + Send {
        self.cloud.assume(with, hop)
    }

    fn has(&self, place: &Place, endpoint: &Endpoint) -> bool {
        self.cloud.has(place, endpoint)
    }

    fn lane(&self, place: Place) -> Self::Lane {
        self.cloud.lane(place)
    }

    async fn call(
        &self,
        lane: &Self::Lane,
        credentials: &Self::Credentials,
        call: &Call,
    ) -> Result<Value, CallFailure> {
        let mut answer = self.cloud.call(lane, credentials, call).await?;
        if let (false, Value::Object(members)) = (self.wants(call.endpoint), &mut answer) {
            cut(call.endpoint, members);
        }
        Ok(answer)
    }

    fn ask(
        &self,
        lane: &Self::Lane,
        credentials: &Self::Credentials,
        operation: &str,
        parameters: &Map<String, Value>,
    ) -> impl Future<Output = Result<Value, CallFailure>> + Send {
        self.cloud.ask(lane, credentials, operation, parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use telemetry::describe::catalogue::of_section;
    use telemetry::describe::walk::Walk;

    fn calls(section: &str, parents: &[Value], mut answer: Value) -> u32 {
        let endpoint = of_section(section).unwrap();
        cut(endpoint, answer.as_object_mut().unwrap());
        let mut walk = Walk::new(endpoint, parents);
        while walk.next_call().is_some() {
            walk.answer(Ok(answer.clone()));
        }
        walk.finish().calls
    }

    #[test]
    fn of_what_is_not_wanted_one_page_is_asked_for_one_parent() {
        let page = json!({"RouteTables": [{}, {}], "NextToken": "more"});
        assert_eq!(calls("RouteTables", &[], page), 1);
        let tables = json!({"TransitGatewayRouteTables": [{"TransitGatewayRouteTableId": "a"}, {"TransitGatewayRouteTableId": "b"}], "NextToken": "t"});
        let mut cut_tables = tables.clone();
        let endpoint = of_section("TransitGatewayRouteTables").unwrap();
        cut(endpoint, cut_tables.as_object_mut().unwrap());
        let left = cut_tables["TransitGatewayRouteTables"].as_array().unwrap();
        assert_eq!(left.len(), 1);
        let routes = json!({"Routes": [{}], "AdditionalRoutesAvailable": true});
        assert_eq!(calls("TransitGatewayRoutes", left, routes), 1);
    }
}
