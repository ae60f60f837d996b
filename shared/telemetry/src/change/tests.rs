use super::*;
use serde_json::json;

use crate::describe::state::{CallFailure, State};
use crate::snapshot::{Collected, Failure, Unit};

const BEFORE: &str = "2026-11-20T16:10:00Z";
const NOW: &str = "2026-11-20T16:20:00Z";
const LATER: &str = "2026-11-20T16:30:00Z";

/// One run: sections and their rows, and the items that failed.
type Run<'r> = &'r [(&'static str, Value, &'r [Option<&'r str>])];

fn run(time: &str, sections: Run<'_>, previous: Option<&Snapshot>) -> Snapshot {
    let time: Timestamp = time.parse().unwrap();
    let collected = sections.iter().map(|(section, rows, failed)| Collected {
        endpoint: catalogue::of_section(section).unwrap(),
        state: State::Ok,
        rows: rows.clone(),
        failures: failed
            .iter()
            .map(|item| Failure {
                item: item.map(str::to_owned),
                failure: CallFailure::of_code("Throttling", "Rate exceeded", None),
            })
            .collect(),
        vanished: 0,
        calls: 1,
        duration: std::time::Duration::ZERO,
        observed: time,
    });
    let unit = Unit {
        account: "111111111111".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
        roles: vec![],
    };
    Snapshot::merge(unit, time, time, collected.collect(), previous)
}

/// What changes when all of a section becomes other rows.
fn between(section: &'static str, old: Value, new: Value) -> Vec<Change> {
    let old = run(BEFORE, &[(section, old, &[])], None);
    let new = run(NOW, &[(section, new, &[])], Some(&old));
    changes(&old, &new)
}

fn told(changes: &[Change]) -> Vec<String> {
    let told = changes.iter().map(|change| {
        let paths: Vec<&str> = change.members.iter().map(|m| m.path.as_str()).collect();
        format!(
            "{} {} {}",
            change.kind.label(),
            change.resource,
            paths.join(" ")
        )
    });
    told.map(|text| text.trim_end().to_owned()).collect()
}

fn paths(section: &'static str, old: Value, new: Value) -> Vec<String> {
    let changes = between(section, json!([old]), json!([new]));
    let members = changes.into_iter().flat_map(|change| change.members);
    members.map(|member| member.path).collect()
}

#[test]
fn changes_are_records_that_a_person_can_read() {
    let old = run(
        BEFORE,
        &[
            (
                "Vpcs",
                json!([{"VpcId": "vpc-1", "OwnerId": "111111111111", "CidrBlock": "10.0.0.0/16",
                "Tags": [{"Key": "Name", "Value": "edge"}, {"Key": "team", "Value": "net"}]}]),
                &[],
            ),
            (
                "RouteTables",
                json!([{"RouteTableId": "rtb-1", "OwnerId": "111111111111", "Routes": [
                {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"},
                {"DestinationCidrBlock": "10.9.0.0/16", "TransitGatewayId": "tgw-1", "State": "active"}]}]),
                &[],
            ),
            (
                "Subnets",
                json!([{"SubnetId": "subnet-1", "OwnerId": "222222222222", "AvailableIpAddressCount": 250}]),
                &[],
            ),
        ],
        None,
    );
    let new = run(
        NOW,
        &[
            (
                "Vpcs",
                json!([
                {"VpcId": "vpc-2", "OwnerId": "111111111111", "CidrBlock": "10.1.0.0/16"},
                {"VpcId": "vpc-1", "OwnerId": "111111111111", "CidrBlock": "10.0.0.0/16",
                 "Tags": [{"Key": "owner", "Value": "ops"}, {"Key": "Name", "Value": "Edge"}]}]),
                &[],
            ),
            (
                "RouteTables",
                json!([{"RouteTableId": "rtb-1", "OwnerId": "111111111111", "Routes": [
                {"DestinationCidrBlock": "10.9.0.0/16", "TransitGatewayId": "tgw-1", "State": "blackhole"},
                {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}]}]),
                &[],
            ),
            ("Subnets", json!([]), &[]),
        ],
        Some(&old),
    );
    let feed: Vec<String> = changes(&old, &new)
        .iter()
        .map(|change| change.to_json().to_string())
        .collect();
    let golden = r#"{"type":"change","observed":"2026-11-20T16:20:00Z","previously_observed":"2026-11-20T16:10:00Z","account":"111111111111","region":"us-east-1","service":"ec2","operation":"DescribeVpcs","section":"Vpcs","resource":"vpc-1","owner":"111111111111","kind":"changed","members":[{"path":"Tags[Name].Value","old":"edge","new":"Edge"},{"path":"Tags[owner]","new":{"Key":"owner","Value":"ops"}},{"path":"Tags[team]","old":{"Key":"team","Value":"net"}}]}
{"type":"change","observed":"2026-11-20T16:20:00Z","previously_observed":"2026-11-20T16:10:00Z","account":"111111111111","region":"us-east-1","service":"ec2","operation":"DescribeVpcs","section":"Vpcs","resource":"vpc-2","owner":"111111111111","kind":"created","row":{"VpcId":"vpc-2","OwnerId":"111111111111","CidrBlock":"10.1.0.0/16"}}
{"type":"change","observed":"2026-11-20T16:20:00Z","previously_observed":"2026-11-20T16:10:00Z","account":"111111111111","region":"us-east-1","service":"ec2","operation":"DescribeSubnets","section":"Subnets","resource":"subnet-1","owner":"222222222222","kind":"deleted","row":{"SubnetId":"subnet-1","OwnerId":"222222222222","AvailableIpAddressCount":250}}
{"type":"change","observed":"2026-11-20T16:20:00Z","previously_observed":"2026-11-20T16:10:00Z","account":"111111111111","region":"us-east-1","service":"ec2","operation":"DescribeRouteTables","section":"RouteTables","resource":"rtb-1","owner":"111111111111","kind":"changed","members":[{"path":"Routes[10.9.0.0/16].State","old":"active","new":"blackhole"}]}"#;
    assert_eq!(feed.join("\n"), golden);
}

#[test]
fn a_section_seen_for_the_first_time_is_a_baseline_and_an_empty_one_is_not() {
    let nothing = run(BEFORE, &[("Vpcs", json!([]), &[None])], None);
    let vpcs = json!([{"VpcId": "vpc-1"}]);
    let first = run(NOW, &[("Vpcs", vpcs.clone(), &[])], Some(&nothing));
    assert_eq!(changes(&nothing, &first), []);
    assert_eq!(told(&between("Vpcs", json!([]), vpcs)), ["created vpc-1"]);
}

#[test]
fn nothing_that_is_kept_gives_a_change_and_what_comes_after_does() {
    let old = run(
        BEFORE,
        &[("Vpcs", json!([{"VpcId": "vpc-1"}, {"VpcId": "vpc-2"}]), &[])],
        None,
    );
    let kept = run(NOW, &[("Vpcs", json!([]), &[None])], Some(&old));
    assert_eq!(changes(&old, &kept), []);
    let new = run(
        LATER,
        &[("Vpcs", json!([{"VpcId": "vpc-2"}]), &[])],
        Some(&kept),
    );
    let changes = changes(&kept, &new);
    assert_eq!(told(&changes), ["deleted vpc-1"]);
    let times = (changes[0].previously_observed, changes[0].observed);
    assert_eq!(times, (BEFORE.parse().unwrap(), LATER.parse().unwrap()));
}

#[test]
fn of_several_calls_those_that_were_answered_count() {
    let table = |id: &str, state: &str| {
        json!({"TransitGatewayRouteTableId": id,
            "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "State": state}]})
    };
    let section = "TransitGatewayRoutes";
    let old = run(
        BEFORE,
        &[(
            section,
            json!([
                table("a", "active"),
                table("b", "active"),
                table("c", "active")
            ]),
            &[],
        )],
        None,
    );
    // b and the new d failed, c is gone.
    let next = run(
        NOW,
        &[(
            section,
            json!([table("a", "blackhole")]),
            &[Some("b"), Some("d")],
        )],
        Some(&old),
    );
    let first = changes(&old, &next);
    assert_eq!(
        told(&first),
        ["changed a Routes[0.0.0.0/0].State", "deleted c"]
    );
    // d was never seen: nobody knows when it was created.
    let last = run(
        LATER,
        &[(
            section,
            json!([
                table("a", "active"),
                table("b", "blackhole"),
                table("d", "active")
            ]),
            &[],
        )],
        Some(&next),
    );
    let second = changes(&next, &last);
    assert_eq!(
        told(&second),
        [
            "changed a Routes[0.0.0.0/0].State",
            "changed b Routes[0.0.0.0/0].State"
        ]
    );
    let times: Vec<String> = second
        .iter()
        .map(|c| c.previously_observed.to_string())
        .collect();
    assert_eq!(times, [NOW, BEFORE]);
}

#[test]
fn instances_are_the_resources_of_reservations() {
    let reservation = |instances: Value| json!({"ReservationId": "r-1", "OwnerId": "333333333333", "Instances": instances});
    let changes = between(
        "Reservations",
        json!([reservation(
            json!([{"InstanceId": "i-1", "State": {"Name": "running"}}, {"InstanceId": "i-2"}])
        )]),
        json!([
            reservation(json!([{"InstanceId": "i-1", "State": {"Name": "stopped"}}])),
            reservation(json!([{"InstanceId": "i-3"}]))
        ]),
    );
    assert_eq!(
        told(&changes),
        ["changed i-1 State.Name", "deleted i-2", "created i-3"]
    );
    // The owner is the reservation's.
    assert!(
        changes
            .iter()
            .all(|c| c.owner.as_deref() == Some("333333333333"))
    );
    assert_eq!(changes[1].row, Some(json!({"InstanceId": "i-2"})));
}

#[test]
fn whole_sections_texts_and_several_members_name_resources() {
    let organization = |features: &str| json!({"Id": "o-1", "FeatureSet": features, "MasterAccountId": "222222222222"});
    let changed = between("Organization", organization("ALL"), organization("BILLING"));
    assert_eq!(told(&changed), ["changed o-1 FeatureSet"]);
    assert_eq!(changed[0].owner.as_deref(), Some("222222222222"));
    assert_eq!(
        told(&between("Organization", organization("ALL"), Value::Null)),
        ["deleted o-1"]
    );
    assert_eq!(
        told(&between("Organization", Value::Null, organization("ALL"))),
        ["created o-1"]
    );

    let aliases = between("AccountAliases", json!(["a"]), json!(["b"]));
    assert_eq!(told(&aliases), ["deleted a", "created b"]);

    let attachment = |state: &str| json!({"directConnectGatewayId": "g", "virtualInterfaceId": "v", "attachmentState": state});
    assert_eq!(
        told(&between(
            "directConnectGatewayAttachments",
            json!([attachment("attaching")]),
            json!([attachment("attached")])
        )),
        ["changed g/v attachmentState"]
    );

    let routes = |time: &str, state: &str| {
        json!([{"GlobalNetworkId": "g", "RouteTableTimestamp": time, "NetworkRoutes": [{"DestinationCidrBlock": "10.0.0.0/8", "State": state}],
            "RouteTableIdentifier": {"CoreNetworkSegmentEdge": {"SegmentName": "s", "EdgeLocation": "e", "CoreNetworkId": "c"}}}])
    };
    assert_eq!(
        told(&between(
            "NetworkRoutes",
            routes("1", "active"),
            routes("2", "blackhole")
        )),
        [
            r#"changed g/{"CoreNetworkSegmentEdge":{"CoreNetworkId":"c","EdgeLocation":"e","SegmentName":"s"}} NetworkRoutes[10.0.0.0/8].State"#
        ]
    );
    let network = json!([{"GlobalNetworkId": "g", "GlobalNetworkArn": "arn:aws:networkmanager::444444444444:global-network/g"}]);
    assert_eq!(
        between("GlobalNetworks", json!([]), network)[0]
            .owner
            .as_deref(),
        Some("444444444444")
    );
}

#[test]
fn members_that_change_by_themselves_are_left_out_of_the_row_and_not_of_what_it_holds() {
    assert!(
        paths(
            "Subnets",
            json!({"SubnetId": "s", "AvailableIpAddressCount": 1}),
            json!({"SubnetId": "s", "AvailableIpAddressCount": 2})
        )
        .is_empty()
    );
    assert!(
        paths(
            "Subnets",
            json!({"SubnetId": "s", "AvailableIpAddressCount": 1}),
            json!({"SubnetId": "s"})
        )
        .is_empty()
    );
    assert_eq!(
        paths(
            "Subnets",
            json!({"SubnetId": "s", "x": {"AvailableIpAddressCount": 1}}),
            json!({"SubnetId": "s", "x": {"AvailableIpAddressCount": 2}})
        ),
        ["x.AvailableIpAddressCount"]
    );
}

#[test]
fn elements_of_lists_are_named_by_what_identifies_them() {
    let group = |permissions: Value| json!({"GroupId": "sg-1", "IpPermissions": permissions});
    let https = |blocks: Value| json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": blocks});
    let old = group(json!([https(json!([{"CidrIp": "10.0.0.0/8"}])), {"IpProtocol": "-1"}]));
    let new = group(json!([https(
        json!([{"CidrIp": "0.0.0.0/0"}, {"CidrIp": "10.0.0.0/8", "Description": "d"}])
    )]));
    assert_eq!(
        paths("SecurityGroups", old, new),
        [
            "IpPermissions[-1]",
            "IpPermissions[tcp/443/443].IpRanges[0.0.0.0/0]",
            "IpPermissions[tcp/443/443].IpRanges[10.0.0.0/8].Description",
        ]
    );
    // Texts, with how often they stand there; nothing that identifies; one of one.
    let vpc = |x: Value| json!({"VpcId": "v", "x": x});
    assert_eq!(
        paths(
            "Vpcs",
            vpc(json!(["a", "a", "b"])),
            vpc(json!(["b", "a", 7]))
        ),
        ["x[7]", "x[a]"]
    );
    assert_eq!(
        paths(
            "Vpcs",
            vpc(json!([{"p": 1}, {"p": 2}])),
            vpc(json!([{"p": 2}, {"p": 3}]))
        ),
        ["x[]", "x[]"]
    );
    assert_eq!(
        paths(
            "Vpcs",
            vpc(json!([{"p": 1, "q": 1}])),
            vpc(json!([{"p": 2, "q": 1}]))
        ),
        ["x[].p"]
    );
    // A list that is absent is empty.
    assert_eq!(
        paths("Vpcs", json!({"VpcId": "v"}), vpc(json!([{"Key": "Name"}]))),
        ["x[Name]"]
    );
    assert!(paths("Vpcs", json!({"VpcId": "v"}), vpc(json!([]))).is_empty());
    assert_eq!(paths("Vpcs", vpc(json!(null)), vpc(json!("a"))), ["x"]);
}

#[test]
fn no_secret_comes_out_even_when_one_came_in() {
    let vpn = |key: &str, state: &str| {
        json!({"VpnConnectionId": "vpn-1", "State": state, "CustomerGatewayConfiguration": format!("<key>{key}</key>"),
            "Options": {"TunnelOptions": [{"OutsideIpAddress": "192.0.2.1", "PreSharedKey": key}]}})
    };
    let vif = |key: &str, state: &str| {
        json!({"virtualInterfaceId": "dxvif-1", "virtualInterfaceState": state, "authKey": key, "customerRouterConfig": key,
            "bgpPeers": [{"bgpPeerId": "p", "authKey": key}]})
    };
    for (section, old, new) in [
        (
            "VpnConnections",
            vpn("topsecret", "pending"),
            vpn("othersecret", "available"),
        ),
        (
            "virtualInterfaces",
            vif("topsecret", "pending"),
            vif("othersecret", "available"),
        ),
    ] {
        let changed = between(section, json!([old]), json!([new]));
        assert_eq!(changed[0].members.len(), 1, "{changed:?}");
        let all = [
            changed,
            between(section, json!([]), json!([new])),
            between(section, json!([old]), json!([])),
        ];
        for change in all.into_iter().flatten() {
            let record = change.to_json().to_string();
            assert!(!record.contains("secret"), "{record}");
        }
    }
}

#[test]
fn many_rows_are_compared_in_one_pass() {
    let rows = |changed: u32, offset: u32| -> Value {
        let rows = (offset..offset + 10_000).map(|n| {
            json!({"NetworkInterfaceId": format!("eni-{n}"), "Status": if n % 100 == changed { "available" } else { "in-use" },
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.1"}, {"PrivateIpAddress": "10.0.0.2"}]})
        });
        rows.rev().collect()
    };
    let changes = between("NetworkInterfaces", rows(0, 0), rows(101, 10));
    assert_eq!(changes.len(), 10 + 10 + 99);
}

mod laws {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    fn arb_value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            (0..3_u8).prop_map(Value::from),
            "[ab]".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 24, 4, |inner| {
            let tags = vec(("[abc]", "[xy]"), 0..4).prop_map(|tags| {
                let tags = tags.into_iter().map(|(k, v)| json!({"Key": k, "Value": v}));
                tags.collect::<Value>()
            });
            let name =
                prop::sample::select(vec!["Key", "ThingId", "x", "y", "AvailableIpAddressCount"]);
            prop_oneof![
                tags,
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map(name, inner, 0..4).prop_map(|members| {
                    let members = members.into_iter().map(|(k, v)| (k.to_owned(), v));
                    members.collect::<Map<_, _>>().into()
                }),
            ]
        })
    }

    /// Rows of subnets; some have the same name, as they should not.
    fn arb_rows() -> impl Strategy<Value = Vec<Value>> {
        vec((0..3_u8, arb_value(), 0..2_u8), 0..4).prop_map(|rows| {
            let rows = rows.into_iter().map(|(id, x, count)| {
                json!({"SubnetId": format!("subnet-{id}"), "x": x, "AvailableIpAddressCount": count})
            });
            rows.collect()
        })
    }

    /// Rows of another time, the same rows in another order, or with an element less or more.
    fn arb_pair() -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
        (arb_rows(), arb_rows(), 0..4_u8, any::<u64>()).prop_map(|(old, other, how, seed)| {
            let mut new = shuffled_list(&old, seed);
            if how >= 2 {
                for row in &mut new {
                    take_element(&mut row["x"], seed);
                }
            }
            match how {
                0 => (old, other),
                3 => (new, old),
                _ => (old, new),
            }
        })
    }

    /// Takes an element out of a list of the value, when there is one.
    fn take_element(value: &mut Value, seed: u64) {
        match value {
            Value::Array(list) if !list.is_empty() => {
                let at = seed as usize % list.len();
                match seed % 3 {
                    0 => take_element(&mut list[at], seed / 3),
                    _ => drop(list.remove(at)),
                }
            }
            Value::Object(members) => members
                .values_mut()
                .for_each(|value| take_element(value, seed / 2)),
            _ => {}
        }
    }

    fn shuffled(value: &Value, seed: u64) -> Value {
        match value {
            Value::Array(list) => shuffled_list(list, seed).into(),
            Value::Object(members) => {
                let members = members.iter().rev();
                let members = members.map(|(k, v)| (k.clone(), shuffled(v, seed.rotate_left(7))));
                members.collect::<Map<_, _>>().into()
            }
            scalar => scalar.clone(),
        }
    }

    fn shuffled_list(list: &[Value], seed: u64) -> Vec<Value> {
        let mut list: Vec<Value> = list
            .iter()
            .map(|v| shuffled(v, seed.rotate_left(11)))
            .collect();
        for at in (1..list.len()).rev() {
            list.swap(
                at,
                (seed.rotate_right(at as u32) % (at as u64 + 1)) as usize,
            );
        }
        list
    }

    /// Equality as it is meant, written another way: elements of lists are taken away one by one.
    fn same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Array(a), Value::Array(b)) => same_list(a, b, &same),
            (Value::Object(a), Value::Object(b)) => {
                let empty = json!([]);
                let get = |m: &Map<String, Value>, k: &str| m.get(k).cloned();
                a.keys()
                    .chain(b.keys())
                    .all(|k| match (get(a, k), get(b, k)) {
                        (Some(a), Some(b)) => same(&a, &b),
                        (Some(one), None) | (None, Some(one)) => one == empty,
                        (None, None) => true,
                    })
            }
            _ => a == b,
        }
    }

    fn same_list(a: &[Value], b: &[Value], same: &dyn Fn(&Value, &Value) -> bool) -> bool {
        let mut b: Vec<&Value> = b.iter().collect();
        a.iter().all(|a| {
            let at = b.iter().position(|b| same(a, b));
            at.map(|at| b.swap_remove(at)).is_some()
        }) && b.is_empty()
    }

    fn same_row(a: &Value, b: &Value) -> bool {
        let stable = |row: &Value| {
            let mut row = row.clone();
            row.as_object_mut()
                .unwrap()
                .remove("AvailableIpAddressCount");
            row
        };
        same(&stable(a), &stable(b))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn there_are_changes_exactly_when_rows_differ((old, new) in arb_pair()) {
            let equal = same_list(&old, &new, &same_row);
            let changes = between("Subnets", old.into(), new.into());
            prop_assert_eq!(changes.is_empty(), equal, "{:?}", changes);
        }

        #[test]
        fn order_never_matters(old in arb_rows(), new in arb_rows(), seed in any::<u64>()) {
            let reordered = shuffled_list(&old, seed);
            prop_assert_eq!(between("Subnets", old.clone().into(), reordered.clone().into()), []);
            // Nor for what is told of a change.
            let one = told(&between("Subnets", old.into(), new.clone().into()));
            let other = told(&between("Subnets", reordered.into(), shuffled_list(&new, seed).into()));
            prop_assert_eq!(one, other);
        }

        #[test]
        fn what_is_told_is_true(old in arb_rows(), new in arb_rows()) {
            let names = |rows: &[Value], id: &str| rows.iter().filter(|r| r["SubnetId"] == id).count();
            for change in between("Subnets", old.clone().into(), new.clone().into()) {
                let (before, after) = (names(&old, &change.resource), names(&new, &change.resource));
                match change.kind {
                    ChangeKind::Created => prop_assert!(after > before && new.contains(&change.row.unwrap())),
                    ChangeKind::Deleted => prop_assert!(before > after && old.contains(&change.row.unwrap())),
                    ChangeKind::Changed => {
                        prop_assert!(before > 0 && after > 0 && !change.members.is_empty());
                        for member in &change.members {
                            prop_assert!(member.old != member.new);
                        }
                    }
                }
            }
        }
    }
}
