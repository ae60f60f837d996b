//! Asking one endpoint to the end: every parent, every page, every route.
//!
//! A [`Walk`] says which call comes next and takes its answer; who sends the calls is not its matter.

use std::collections::{HashSet, VecDeque};

use serde_json::{Map, Value, json};

use super::catalogue::{Endpoint, Paging, Parameter, Per, Rows};
use super::redaction;
use super::route_search::Search;
use super::state::{CallFailure, State};

/// A call to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The endpoint.
    pub endpoint: &'static Endpoint,
    /// The request's parameters.
    pub parameters: Map<String, Value>,
}

/// A call, or a run of calls, that gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// What was asked about; `None` for an endpoint that is asked once.
    pub item: Option<String>,
    /// Why.
    pub failure: CallFailure,
}

/// What asking an endpoint gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Walked {
    /// A list of rows, or the one value of [`Rows::Whole`]; secrets redacted. `Null` when a whole
    /// value was not answered.
    pub rows: Value,
    /// What was not answered. The rows of these items are not in `rows`, not even in part.
    pub unanswered: Vec<Unanswered>,
    /// Parents that were gone when they were asked about.
    pub vanished: u32,
    /// Calls made.
    pub calls: u32,
}

impl Walked {
    /// How the endpoint ended: as its first failure did, or answered.
    pub fn state(&self) -> State {
        match (self.unanswered.first(), &self.rows) {
            (Some(unanswered), _) => unanswered.failure.state,
            (None, Value::Array(rows)) if rows.is_empty() => State::Empty,
            (None, Value::Null) => State::Empty,
            (None, _) => State::Ok,
        }
    }
}

/// What is asked about: the whole endpoint, or one parent of it.
#[derive(Debug)]
struct Item {
    name: Option<String>,
    parameters: Map<String, Value>,
}

/// The state of asking one endpoint.
#[derive(Debug)]
pub struct Walk {
    endpoint: &'static Endpoint,
    items: VecDeque<Item>,
    /// Searches still to make for the first item; one for what is not searched.
    searches: Vec<Search>,
    /// Where the current search goes on.
    token: Option<Value>,
    tokens_seen: HashSet<String>,
    /// Members of the first item's answers but for its rows.
    answer: Map<String, Value>,
    /// Rows of the first item so far.
    item_rows: Vec<Value>,
    item_rows_seen: HashSet<String>,
    walked: Walked,
}

impl Walk {
    /// Starts asking. `parents` are the rows of the section that the endpoint is repeated for, and
    /// are not looked at for others.
    pub fn new(endpoint: &'static Endpoint, parents: &[Value]) -> Walk {
        let fixed: Map<String, Value> = endpoint
            .parameters
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Parameter::Text(text) => Value::from(*text),
                    Parameter::Flag(flag) => Value::from(*flag),
                };
                ((*name).to_owned(), value)
            })
            .collect();
        let with = |name: Option<String>, named: Map<String, Value>| {
            let mut parameters = named;
            parameters.extend(fixed.clone());
            Item { name, parameters }
        };
        let items = match endpoint.per {
            None => VecDeque::from([with(None, Map::new())]),
            Some(Per::Row {
                member, parameter, ..
            }) => {
                let mut seen = HashSet::new();
                parents
                    .iter()
                    .filter_map(|row| row.get(member)?.as_str())
                    .filter(|parent| seen.insert(*parent))
                    .map(|parent| {
                        let named = Map::from_iter([(parameter.to_owned(), parent.into())]);
                        with(Some(parent.to_owned()), named)
                    })
                    .collect()
            }
            Some(Per::CoreNetworkEdge { .. }) => parents
                .iter()
                .flat_map(core_network_tables)
                .map(|named| {
                    let name = named.get("RouteTableIdentifier").map(Value::to_string);
                    with(name, named)
                })
                .collect(),
        };
        Walk {
            endpoint,
            items,
            searches: vec![Search::ALL],
            token: None,
            tokens_seen: HashSet::new(),
            answer: Map::new(),
            item_rows: Vec::new(),
            item_rows_seen: HashSet::new(),
            walked: Walked {
                rows: match endpoint.rows {
                    Rows::Flat | Rows::Nested => json!([]),
                    Rows::Whole => Value::Null,
                },
                unanswered: Vec::new(),
                vanished: 0,
                calls: 0,
            },
        }
    }

    fn is_searched(&self) -> bool {
        self.endpoint.operation == "SearchTransitGatewayRoutes"
    }

    /// The next call; `None` when everything has been asked.
    pub fn next_call(&self) -> Option<Call> {
        let item = self.items.front()?;
        let mut parameters = item.parameters.clone();
        if self.is_searched() {
            let search = self.searches.last().copied().unwrap_or(Search::ALL);
            parameters.insert("Filters".into(), search.filters());
        }
        if let Paging::Token {
            size_member,
            size,
            input,
            ..
        } = self.endpoint.paging
        {
            parameters.insert(size_member.into(), size.into());
            if let Some(token) = &self.token {
                parameters.insert(input.into(), token.clone());
            }
        }
        Some(Call {
            endpoint: self.endpoint,
            parameters,
        })
    }

    /// Takes the answer to the call that [`Walk::next_call`] gave.
    pub fn answer(&mut self, answer: Result<Value, CallFailure>) {
        self.walked.calls += 1;
        match answer {
            Ok(Value::Object(answer)) => self.page(answer),
            Ok(_) => self.fail(CallFailure {
                state: State::Error,
                code: "UnreadableAnswer".into(),
                message: "The answer is not an object.".into(),
                request_id: None,
            }),
            Err(failure) if self.endpoint.absent.contains(&failure.code.as_str()) => {
                self.finish_item()
            }
            Err(failure) if self.endpoint.per.is_some() && failure.is_not_found() => {
                self.walked.vanished += 1;
                self.next_item();
            }
            Err(failure) => self.fail(failure),
        }
    }

    fn page(&mut self, mut answer: Map<String, Value>) {
        let token = match self.endpoint.paging {
            Paging::Token { output, .. } => answer.swap_remove(output),
            Paging::None => None,
        };
        // IAM says so beside its marker.
        answer.swap_remove("IsTruncated");
        let more = answer.swap_remove("AdditionalRoutesAvailable") == Some(Value::Bool(true));
        match answer.swap_remove(self.endpoint.member) {
            Some(Value::Array(rows)) => self.add_rows(rows),
            Some(value) => {
                self.answer.insert(self.endpoint.member.into(), value);
            }
            None => {}
        }
        for (member, value) in answer {
            self.answer.entry(member).or_insert(value);
        }
        let token = token.filter(|token| token.as_str().is_some_and(|text| !text.is_empty()));
        if let Some(token) = token {
            if !self.tokens_seen.insert(token.to_string()) {
                return self.fail(CallFailure {
                    state: State::Error,
                    code: "RepeatedToken".into(),
                    message: "The service gave the same continuation twice, which would never end."
                        .into(),
                    request_id: None,
                });
            }
            self.token = Some(token);
            return;
        }
        self.token = None;
        let search = self.searches.pop();
        if more && self.is_searched() {
            match search.and_then(Search::split) {
                Some(parts) => self.searches.extend(parts.into_iter().rev()),
                None => {
                    return self.fail(CallFailure {
                        state: State::Error,
                        code: "RoutesTruncated".into(),
                        message:
                            "The service holds routes back, and the search cannot be narrowed."
                                .into(),
                        request_id: None,
                    });
                }
            }
        }
        if self.searches.is_empty() {
            self.finish_item();
        }
    }

    fn add_rows(&mut self, rows: Vec<Value>) {
        if !self.is_searched() {
            self.item_rows.extend(rows);
            return;
        }
        // Searches overlap.
        for row in rows {
            if self.item_rows_seen.insert(row.to_string()) {
                self.item_rows.push(row);
            }
        }
    }

    /// The first item was answered whole.
    fn finish_item(&mut self) {
        let mut rows = std::mem::take(&mut self.item_rows);
        let answer = std::mem::take(&mut self.answer);
        let item = self.items.front();
        let rows = match self.endpoint.rows {
            Rows::Flat => rows,
            Rows::Whole => {
                let value = answer.into_iter().find(|(m, _)| m == self.endpoint.member);
                value.into_iter().map(|(_, value)| value).collect()
            }
            Rows::Nested => {
                let named = item.iter().flat_map(|item| &item.parameters);
                let fixed = |name: &str| self.endpoint.parameters.iter().any(|(n, _)| *n == name);
                let mut row: Map<String, Value> = named
                    .filter(|(name, _)| !fixed(name))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                if !self.endpoint.member.is_empty() {
                    row.insert(
                        self.endpoint.member.into(),
                        Value::Array(std::mem::take(&mut rows)),
                    );
                }
                row.extend(answer);
                vec![Value::Object(row)]
            }
        };
        for mut row in rows {
            redaction::redact(self.endpoint, &mut row);
            match &mut self.walked.rows {
                Value::Array(all) => all.push(row),
                whole => *whole = row,
            }
        }
        self.next_item();
    }

    fn fail(&mut self, failure: CallFailure) {
        let item = self.items.front().and_then(|item| item.name.clone());
        self.walked.unanswered.push(Unanswered { item, failure });
        self.next_item();
    }

    fn next_item(&mut self) {
        self.items.pop_front();
        self.searches = vec![Search::ALL];
        self.token = None;
        self.tokens_seen.clear();
        self.answer.clear();
        self.item_rows.clear();
        self.item_rows_seen.clear();
    }

    /// What was asked so far, when [`Walk::next_call`] has no more calls.
    pub fn finish(self) -> Walked {
        self.walked
    }
}

/// The parameters of `GetNetworkRoutes` for each table of a core network, by a row of
/// `GetCoreNetwork`.
fn core_network_tables(row: &Value) -> Vec<Map<String, Value>> {
    let Some(network) = row.get("CoreNetwork") else {
        return Vec::new();
    };
    let list = |value: &Value, member: &str| -> Vec<Value> {
        value
            .get(member)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let tables = |member: &str, table: &str, name: &str| -> Vec<Value> {
        list(network, member)
            .iter()
            .flat_map(|described| {
                list(described, "EdgeLocations")
                    .into_iter()
                    .map(|edge| {
                        json!({table: {
                            "CoreNetworkId": network.get("CoreNetworkId"),
                            name: described.get("Name"),
                            "EdgeLocation": edge,
                        }})
                    })
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let mut identifiers = tables("Segments", "CoreNetworkSegmentEdge", "SegmentName");
    identifiers.extend(tables(
        "NetworkFunctionGroups",
        "CoreNetworkNetworkFunctionGroup",
        "NetworkFunctionGroupName",
    ));
    identifiers
        .into_iter()
        .filter_map(|identifier| {
            let global_network = network.get("GlobalNetworkId")?.clone();
            Some(Map::from_iter([
                ("GlobalNetworkId".to_owned(), global_network),
                ("RouteTableIdentifier".to_owned(), identifier),
            ]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{of_operation, of_section};
    use super::super::service::Service;
    use super::*;

    fn endpoint(section: &str) -> &'static Endpoint {
        of_section(section).unwrap()
    }

    /// Walks with answers by what is asked for.
    fn walk(
        section: &str,
        parents: &[Value],
        mut answer: impl FnMut(&Map<String, Value>) -> Result<Value, CallFailure>,
    ) -> Walked {
        let mut walk = Walk::new(endpoint(section), parents);
        while let Some(call) = walk.next_call() {
            walk.answer(answer(&call.parameters));
        }
        walk.finish()
    }

    fn denied() -> CallFailure {
        CallFailure::of_code("UnauthorizedOperation", "No.", None)
    }

    #[test]
    fn every_page_is_asked_for_with_the_largest_size() {
        let mut asked = Vec::new();
        let walked = walk("RouteTables", &[], |parameters| {
            asked.push(Value::Object(parameters.clone()).to_string());
            Ok(match parameters.get("NextToken").and_then(Value::as_str) {
                None => json!({"RouteTables": [{"RouteTableId": "rtb-1"}], "NextToken": "a"}),
                // A page may be empty and still go on.
                Some("a") => json!({"RouteTables": [], "NextToken": "b"}),
                Some(_) => json!({"RouteTables": [{"RouteTableId": "rtb-2"}], "NextToken": ""}),
            })
        });
        assert_eq!(
            asked,
            [
                r#"{"MaxResults":100}"#,
                r#"{"MaxResults":100,"NextToken":"a"}"#,
                r#"{"MaxResults":100,"NextToken":"b"}"#
            ]
        );
        assert_eq!(
            walked.rows,
            json!([{"RouteTableId": "rtb-1"}, {"RouteTableId": "rtb-2"}])
        );
        assert_eq!((walked.state(), walked.calls), (State::Ok, 3));
    }

    #[test]
    fn a_failure_on_a_later_page_leaves_no_part_of_an_answer() {
        let walked = walk("Vpcs", &[], |parameters| {
            match parameters.get("NextToken") {
                None => Ok(json!({"Vpcs": [{"VpcId": "vpc-1"}], "NextToken": "a"})),
                Some(_) => Err(denied()),
            }
        });
        assert_eq!((walked.state(), walked.rows), (State::Denied, json!([])));
        let looping = walk("Vpcs", &[], |_| {
            Ok(json!({"Vpcs": [{"VpcId": "vpc-1"}], "NextToken": "a"}))
        });
        assert_eq!(looping.unanswered[0].failure.code, "RepeatedToken");
        assert_eq!((looping.state(), looping.rows), (State::Error, json!([])));
    }

    #[test]
    fn parents_are_asked_about_one_by_one_and_fail_one_by_one() {
        let parents = ["a", "b", "c", "a"].map(|id| json!({"PrefixListId": id}));
        let walked =
            walk(
                "ManagedPrefixListEntries",
                &parents,
                |parameters| match parameters["PrefixListId"].as_str().unwrap() {
                    "a" => Ok(json!({"Entries": [{"Cidr": "10.0.0.0/8"}]})),
                    "b" => Err(denied()),
                    _ => Err(CallFailure::of_code(
                        "InvalidPrefixListID.NotFound",
                        "",
                        None,
                    )),
                },
            );
        assert_eq!(
            walked.rows,
            json!([{"PrefixListId": "a", "Entries": [{"Cidr": "10.0.0.0/8"}]}])
        );
        assert_eq!(
            walked.unanswered,
            [Unanswered {
                item: Some("b".into()),
                failure: denied()
            }]
        );
        assert_eq!((walked.vanished, walked.calls), (1, 3));
    }

    #[test]
    fn whole_answers_lists_of_texts_and_absent_things() {
        let walked = walk("Organization", &[], |_| {
            Ok(json!({"Organization": {"Id": "o-1"}}))
        });
        assert_eq!(
            (walked.state(), walked.rows),
            (State::Ok, json!({"Id": "o-1"}))
        );
        let walked = walk("Organization", &[], |_| {
            Err(CallFailure::of_code(
                "AWSOrganizationsNotInUseException",
                "",
                None,
            ))
        });
        assert_eq!((walked.state(), walked.rows), (State::Empty, Value::Null));
        let walked = walk("AccountAliases", &[], |parameters| {
            Ok(match parameters.get("Marker") {
                None => json!({"AccountAliases": ["a"], "IsTruncated": true, "Marker": "m"}),
                Some(_) => json!({"AccountAliases": ["b"], "IsTruncated": false}),
            })
        });
        assert_eq!(walked.rows, json!(["a", "b"]));
    }

    #[test]
    fn answers_about_one_thing_keep_every_member_beside_its_name() {
        let parents = [json!({"Arn": "arn:p"})];
        let walked = walk("FirewallPolicyDetails", &parents, |parameters| {
            assert_eq!(parameters["FirewallPolicyArn"], "arn:p");
            Ok(json!({"UpdateToken": "u", "FirewallPolicy": {"A": 1}}))
        });
        assert_eq!(
            walked.rows,
            json!([{"FirewallPolicyArn": "arn:p", "UpdateToken": "u", "FirewallPolicy": {"A": 1}}])
        );
        let walked = walk(
            "CoreNetworkPolicies",
            &[json!({"CoreNetworkId": "core-1"})],
            |p| {
                assert_eq!(p["Alias"], "LIVE");
                Ok(json!({"CoreNetworkPolicy": {}}))
            },
        );
        assert_eq!(
            walked.rows,
            json!([{"CoreNetworkId": "core-1", "CoreNetworkPolicy": {}}])
        );
    }

    #[test]
    fn core_networks_are_asked_for_each_segment_and_group_at_each_edge() {
        let details = [
            json!({"CoreNetworkId": "core-1", "CoreNetwork": {
                "GlobalNetworkId": "global-1", "CoreNetworkId": "core-1",
                "Segments": [{"Name": "prod", "EdgeLocations": ["us-east-1", "eu-west-1"]}, {"Name": "new"}],
                "NetworkFunctionGroups": [{"Name": "fw", "EdgeLocations": ["us-east-1"]}],
            }}),
            json!({"CoreNetworkId": "core-2"}),
        ];
        let mut asked = Vec::new();
        let walked = walk("NetworkRoutes", &details, |parameters| {
            assert_eq!(parameters["GlobalNetworkId"], "global-1");
            asked.push(parameters["RouteTableIdentifier"].to_string());
            Ok(json!({"NetworkRoutes": []}))
        });
        assert_eq!(
            asked,
            [
                r#"{"CoreNetworkSegmentEdge":{"CoreNetworkId":"core-1","SegmentName":"prod","EdgeLocation":"us-east-1"}}"#,
                r#"{"CoreNetworkSegmentEdge":{"CoreNetworkId":"core-1","SegmentName":"prod","EdgeLocation":"eu-west-1"}}"#,
                r#"{"CoreNetworkNetworkFunctionGroup":{"CoreNetworkId":"core-1","NetworkFunctionGroupName":"fw","EdgeLocation":"us-east-1"}}"#,
            ]
        );
        assert_eq!(walked.rows.as_array().unwrap().len(), 3);
    }

    /// A route table that answers as AWS does: 1,000 routes at most, no token.
    fn search(routes: &[(&str, u32, u32)], parameters: &Map<String, Value>) -> Value {
        let filters = parameters["Filters"].as_array().unwrap();
        assert_eq!(filters[0]["Values"], json!(["active", "blackhole"]));
        let wanted = filters.get(1).map(|filter| {
            let block = filter["Values"][0].as_str().unwrap();
            let (address, length) = block.split_once('/').unwrap();
            (
                filter["Name"] == "route-search.exact-match",
                address.to_owned(),
                length.parse::<u32>().unwrap(),
            )
        });
        let mask = |length: u32| u32::MAX.checked_shl(32 - length).unwrap_or(0);
        let found: Vec<Value> = routes
            .iter()
            .filter(|(_, bits, length)| match &wanted {
                None => true,
                Some((_, address, _)) if address.contains(':') => false,
                Some((exact, address, wanted)) => {
                    let block: std::net::Ipv4Addr = address.parse().unwrap();
                    if *exact {
                        block.to_bits() == *bits && wanted == length
                    } else {
                        length >= wanted && bits & mask(*wanted) == block.to_bits()
                    }
                }
            })
            .map(|(state, bits, length)| {
                json!({"DestinationCidrBlock": format!("{}/{length}", std::net::Ipv4Addr::from_bits(*bits)), "State": state})
            })
            .collect();
        let more = found.len() > 1000;
        json!({"Routes": found.into_iter().take(1000).collect::<Vec<_>>(), "AdditionalRoutesAvailable": more})
    }

    #[test]
    fn routes_beyond_the_thousandth_are_found_by_splitting() {
        let narrow = (0..1500).map(|n| ("active", 0x0a01_0000 + n, 32));
        let wide = (0..1000).map(|n| ("blackhole", (n << 8) | 0x0b00_0000, 24));
        let routes: Vec<_> = narrow
            .chain(wide)
            .chain([
                ("active", 0, 0),
                ("active", 0x0a00_0000, 8),
                ("active", 0x0a01_0000, 16),
            ])
            .collect();
        let parents = [json!({"TransitGatewayRouteTableId": "tgw-rtb-1"})];
        let walked = walk("TransitGatewayRoutes", &parents, |parameters| {
            Ok(search(&routes, parameters))
        });
        let found = walked.rows[0]["Routes"].as_array().unwrap();
        let distinct: HashSet<String> = found.iter().map(Value::to_string).collect();
        assert_eq!((found.len(), distinct.len()), (routes.len(), routes.len()));
        assert_eq!(walked.state(), State::Ok);
        assert!(walked.rows[0].get("AdditionalRoutesAvailable").is_none());
        assert!(walked.calls < 80, "{}", walked.calls);
    }

    #[test]
    fn routes_are_continued_by_token_where_there_is_one() {
        let parents = [json!({"TransitGatewayRouteTableId": "tgw-rtb-1"})];
        let walked = walk("TransitGatewayRoutes", &parents, |parameters| {
            Ok(match parameters.get("NextToken") {
                None => {
                    json!({"Routes": [{"A": 1}], "AdditionalRoutesAvailable": true, "NextToken": "t"})
                }
                Some(_) => json!({"Routes": [{"A": 2}], "AdditionalRoutesAvailable": false}),
            })
        });
        assert_eq!(walked.rows[0]["Routes"], json!([{"A": 1}, {"A": 2}]));
        assert_eq!(walked.calls, 2);
    }

    #[test]
    fn a_service_that_always_holds_routes_back_is_an_error_and_no_answer() {
        let parents = [json!({"TransitGatewayRouteTableId": "tgw-rtb-1"})];
        let walked = walk("TransitGatewayRoutes", &parents, |_| {
            Ok(json!({"Routes": [{"A": 1}], "AdditionalRoutesAvailable": true}))
        });
        assert_eq!(walked.unanswered[0].failure.code, "RoutesTruncated");
        assert_eq!(walked.rows, json!([]));
    }

    #[test]
    fn keys_of_tunnels_are_gone_before_anybody_sees_the_rows() {
        let walked = walk("VpnConnections", &[], |_| {
            Ok(json!({"VpnConnections": [{
                "VpnConnectionId": "vpn-1",
                "CustomerGatewayConfiguration": "<key>hunter2</key>",
                "Options": {"TunnelOptions": [{"PreSharedKey": "hunter2"}, {"TunnelInsideCidr": "x"}]},
            }]}))
        });
        assert!(
            !walked.rows.to_string().contains("hunter2"),
            "{}",
            walked.rows
        );
        assert!(of_operation(Service::Ec2, "DescribeVpnConnections").is_some());
    }
}
