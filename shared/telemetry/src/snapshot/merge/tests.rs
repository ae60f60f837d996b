use super::*;
use crate::describe::catalogue::of_section;
use crate::describe::state::CallFailure;

const FIRST: &str = "2026-11-20T16:00:00Z";
const SECOND: &str = "2026-11-20T16:10:00Z";
const THIRD: &str = "2026-11-20T16:20:00Z";
const FOURTH: &str = "2026-11-20T16:30:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn unit() -> Unit {
    Unit {
        account: "111111111111".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
        roles: vec!["arn:aws:iam::111111111111:role/x".into()],
    }
}

/// What an endpoint gave: its rows, and the items that failed.
fn gave(section: &str, rows: Value, failed: &[Option<&str>]) -> Collected {
    let failures: Vec<Failure> = failed
        .iter()
        .map(|item| Failure {
            item: item.map(str::to_owned),
            failure: CallFailure::of_code("UnauthorizedOperation", "No.", None),
        })
        .collect();
    Collected {
        endpoint: of_section(section).unwrap(),
        state: match (
            failures.is_empty(),
            rows.as_array().is_some_and(Vec::is_empty),
        ) {
            (false, _) => State::Denied,
            (true, true) => State::Empty,
            (true, false) => State::Ok,
        },
        rows,
        failures,
        vanished: 0,
        calls: 1,
        duration: Duration::from_micros(1500),
        observed: at(FIRST),
    }
}

fn failed(section: &str) -> Collected {
    gave(section, json!([]), &[None])
}

fn deferred(section: &str) -> Collected {
    Collected {
        state: State::Deferred,
        ..gave(section, json!([]), &[])
    }
}

/// Runs one after the other, at these times.
fn runs(runs: impl IntoIterator<Item = (&'static str, Vec<Collected>)>) -> Snapshot {
    let mut last: Option<Snapshot> = None;
    for (time, mut collected) in runs {
        for collected in &mut collected {
            collected.observed = at(time);
        }
        let next = Snapshot::merge(unit(), at(time), at(time), collected, last.as_ref());
        assert_eq!(Snapshot::from_json(&next.to_json()).unwrap(), next);
        last = Some(next);
    }
    last.unwrap()
}

fn stale(snapshot: &Snapshot, section: &str) -> Option<(String, String)> {
    let stale = snapshot.report(section)?.stale.as_ref()?;
    Some((stale.since.to_string(), stale.why.clone()))
}

fn since(snapshot: &Snapshot, section: &str) -> Option<String> {
    stale(snapshot, section).map(|(since, _)| since)
}

fn observed(snapshot: &Snapshot, section: &str) -> String {
    let report = snapshot.report(section).unwrap();
    report.observed.unwrap().to_string()
}

#[test]
fn an_answer_replaces_its_section_and_an_empty_one_empties_it() {
    let snapshot = runs([
        (
            FIRST,
            vec![
                gave("Vpcs", json!([{"VpcId": "vpc-1"}, {"VpcId": "vpc-2"}]), &[]),
                gave("Subnets", json!([{"SubnetId": "subnet-1"}]), &[]),
                gave("Organization", json!({"Id": "o-1"}), &[]),
            ],
        ),
        (
            SECOND,
            vec![
                gave("Vpcs", json!([{"VpcId": "vpc-2"}]), &[]),
                gave("Subnets", Value::Null, &[]),
                gave("Organization", Value::Null, &[]),
            ],
        ),
    ]);
    let sections = serde_json::to_string(&snapshot.sections).unwrap();
    assert_eq!(
        sections,
        r#"{"Vpcs":[{"VpcId":"vpc-2"}],"Subnets":[],"Organization":{}}"#
    );
    assert!(snapshot.is_complete());
    let vpcs = snapshot.report("Vpcs").unwrap();
    assert_eq!((vpcs.count, vpcs.duration), (1, Duration::from_millis(1)));
    assert_eq!(observed(&snapshot, "Vpcs"), SECOND);
}

#[test]
fn a_failure_keeps_the_section_and_its_age_across_runs() {
    let good = || (FIRST, vec![gave("Vpcs", json!([{"VpcId": "vpc-1"}]), &[])]);
    // Whatever a failed endpoint gave besides is no answer.
    let bad = || vec![gave("Vpcs", json!([{"VpcId": "vpc-2"}]), &[None])];
    let snapshot = runs([good(), (SECOND, bad()), (THIRD, bad())]);
    assert_eq!(snapshot.rows_of("Vpcs"), [json!({"VpcId": "vpc-1"})]);
    assert_eq!(
        stale(&snapshot, "Vpcs").unwrap(),
        (
            FIRST.to_owned(),
            "UnauthorizedOperation: No. (role arn:aws:iam::111111111111:role/x)".to_owned()
        )
    );
    let report = snapshot.report("Vpcs").unwrap();
    assert_eq!((report.state, report.count), (State::Denied, 1));
    assert_eq!(observed(&snapshot, "Vpcs"), FIRST);
    assert!(!snapshot.is_complete());

    let again = (FOURTH, vec![gave("Vpcs", json!([]), &[])]);
    let snapshot = runs([good(), (SECOND, bad()), again]);
    assert_eq!(stale(&snapshot, "Vpcs"), None);
    assert_eq!(snapshot.sections["Vpcs"], json!([]));
}

#[test]
fn what_was_never_answered_is_absent_and_what_was_empty_is_kept_empty() {
    let snapshot = runs([(FIRST, vec![failed("Vpcs")])]);
    assert!(snapshot.sections.is_empty());
    let report = snapshot.report("Vpcs").unwrap();
    assert_eq!((&report.stale, report.observed), (&None, None));

    let empty = vec![gave("Vpcs", json!([]), &[])];
    let snapshot = runs([(FIRST, empty), (SECOND, vec![failed("Vpcs")])]);
    assert_eq!(snapshot.sections["Vpcs"], json!([]));
    assert_eq!(since(&snapshot, "Vpcs").as_deref(), Some(FIRST));
}

#[test]
fn rows_of_failed_items_are_kept_and_only_those() {
    let table =
        |id: &str, route: &str| json!({"TransitGatewayRouteTableId": id, "Routes": [route]});
    let routes = |rows: Vec<Value>, failed: &[Option<&str>]| {
        vec![gave("TransitGatewayRoutes", rows.into(), failed)]
    };
    let first = || {
        let rows = vec![table("a", "1"), table("b", "1"), table("c", "1")];
        (FIRST, routes(rows, &[]))
    };
    // b failed; c is gone.
    let second = || (SECOND, routes(vec![table("a", "2")], &[Some("b")]));
    let snapshot = runs([first(), second()]);
    assert_eq!(
        snapshot.rows_of("TransitGatewayRoutes"),
        [table("a", "2"), table("b", "1")]
    );
    assert_eq!(
        stale(&snapshot, "TransitGatewayRoutes").unwrap().1,
        "b: UnauthorizedOperation: No. (role arn:aws:iam::111111111111:role/x)"
    );
    assert_eq!(
        since(&snapshot, "TransitGatewayRoutes").as_deref(),
        Some(FIRST)
    );
    assert_eq!(observed(&snapshot, "TransitGatewayRoutes"), SECOND);

    // b is back; a failed, whose rows are of the second run.
    let third = (THIRD, routes(vec![table("b", "3")], &[Some("a")]));
    let snapshot = runs([first(), second(), third]);
    assert_eq!(
        snapshot.rows_of("TransitGatewayRoutes"),
        [table("b", "3"), table("a", "2")]
    );
    assert_eq!(
        since(&snapshot, "TransitGatewayRoutes").as_deref(),
        Some(SECOND)
    );

    // Both failed: the oldest counts, and nothing was observed.
    let third = (THIRD, routes(vec![], &[Some("a"), Some("b")]));
    let snapshot = runs([first(), second(), third]);
    assert_eq!(snapshot.rows_of("TransitGatewayRoutes").len(), 2);
    assert_eq!(
        since(&snapshot, "TransitGatewayRoutes").as_deref(),
        Some(FIRST)
    );
    assert_eq!(observed(&snapshot, "TransitGatewayRoutes"), SECOND);
    let why = stale(&snapshot, "TransitGatewayRoutes").unwrap().1;
    assert!(why.ends_with(", and 1 more"), "{why}");
}

#[test]
fn flat_rows_belong_to_the_parent_they_name() {
    let listener = |arn: &str, of: &str| json!({"ListenerArn": arn, "LoadBalancerArn": of});
    let snapshot = runs([
        (
            FIRST,
            vec![gave(
                "Listeners",
                json!([
                    listener("l1", "a"),
                    listener("l2", "b"),
                    listener("l3", "b")
                ]),
                &[],
            )],
        ),
        (
            SECOND,
            // One page of b came before it failed.
            vec![gave(
                "Listeners",
                json!([listener("l4", "a"), listener("l2", "b")]),
                &[Some("b")],
            )],
        ),
    ]);
    assert_eq!(
        snapshot.rows_of("Listeners"),
        [
            listener("l4", "a"),
            listener("l2", "b"),
            listener("l3", "b")
        ]
    );
}

#[test]
fn core_network_tables_are_told_apart_by_their_identifier() {
    let table = |network: &str, edge: &str| json!({"CoreNetworkSegmentEdge": {"CoreNetworkId": network, "SegmentName": "s", "EdgeLocation": edge}});
    let row = |network: &str, edge: &str, run: u32| json!({"GlobalNetworkId": "g", "RouteTableIdentifier": table(network, edge), "NetworkRoutes": [run]});
    let details = |ids: &[&str], failed: &[Option<&str>]| {
        let rows = ids.iter().map(|id| json!({"CoreNetworkId": id}));
        gave("CoreNetworkDetails", rows.collect(), failed)
    };
    let first = || {
        let rows = json!([row("a", "e1", 1), row("a", "e2", 1), row("b", "e1", 1)]);
        (
            FIRST,
            vec![details(&["a", "b"], &[]), gave("NetworkRoutes", rows, &[])],
        )
    };
    // Another order of members, and all parameters.
    let item = json!({"RouteTableIdentifier": {"CoreNetworkSegmentEdge": {"EdgeLocation": "e2", "SegmentName": "s", "CoreNetworkId": "a"}}}).to_string();
    for item in [item, table("a", "e2").to_string()] {
        let rows = json!([row("a", "e1", 2), row("b", "e1", 2)]);
        let second = vec![
            details(&["a", "b"], &[]),
            gave("NetworkRoutes", rows, &[Some(&item)]),
        ];
        let snapshot = runs([first(), (SECOND, second)]);
        assert_eq!(
            snapshot.rows_of("NetworkRoutes"),
            [row("a", "e1", 2), row("b", "e1", 2), row("a", "e2", 1)]
        );
    }
    // What the tables of b are, is not known this time.
    let second = vec![
        details(&["a"], &[Some("b")]),
        gave("NetworkRoutes", json!([row("a", "e1", 2)]), &[]),
    ];
    let snapshot = runs([first(), (SECOND, second)]);
    assert_eq!(
        snapshot.rows_of("NetworkRoutes"),
        [row("a", "e1", 2), row("b", "e1", 1)]
    );
    let (since, why) = stale(&snapshot, "NetworkRoutes").unwrap();
    assert_eq!(since, FIRST);
    assert!(
        why.starts_with("CoreNetworkDetails was answered in part: b: UnauthorizedOperation"),
        "{why}"
    );
}

#[test]
fn what_depends_on_a_failed_section_keeps_everything() {
    let first = || {
        vec![
            gave("CoreNetworks", json!([{"CoreNetworkId": "a"}]), &[]),
            gave("CoreNetworkDetails", json!([{"CoreNetworkId": "a"}]), &[]),
            gave("NetworkRoutes", json!([{"GlobalNetworkId": "g"}]), &[]),
        ]
    };
    // Whether the caller says nothing of what depends on it, or that it is empty.
    for mut second in [
        vec![],
        vec![
            gave("CoreNetworkDetails", json!([]), &[]),
            gave("NetworkRoutes", json!([]), &[]),
        ],
    ] {
        second.push(failed("CoreNetworks"));
        let snapshot = runs([(FIRST, first()), (SECOND, second)]);
        for section in ["CoreNetworks", "CoreNetworkDetails", "NetworkRoutes"] {
            assert_eq!(snapshot.rows_of(section).len(), 1, "{section}");
            assert_eq!(
                since(&snapshot, section).as_deref(),
                Some(FIRST),
                "{section}"
            );
            assert_eq!(snapshot.report(section).unwrap().state, State::Denied);
        }
        assert_eq!(
            stale(&snapshot, "NetworkRoutes").unwrap().1,
            "CoreNetworks was not answered: UnauthorizedOperation: No. (role arn:aws:iam::111111111111:role/x)"
        );
    }
}

#[test]
fn what_was_not_asked_stays_as_it_was() {
    let first = || {
        vec![
            gave("Vpcs", json!([{"VpcId": "vpc-1"}]), &[]),
            gave("Subnets", json!([{"SubnetId": "subnet-1"}]), &[]),
        ]
    };
    let second = vec![gave("Vpcs", json!([]), &[]), deferred("Subnets")];
    let third = vec![gave("Vpcs", json!([]), &[])];
    let snapshot = runs([(FIRST, first()), (SECOND, second), (THIRD, third)]);
    assert_eq!(snapshot.rows_of("Subnets").len(), 1);
    assert_eq!(
        stale(&snapshot, "Subnets").unwrap(),
        (
            FIRST.to_owned(),
            "There was no time left to ask.".to_owned()
        )
    );
    let second = vec![gave("Vpcs", json!([]), &[])];
    let snapshot = runs([(FIRST, first()), (SECOND, second)]);
    assert_eq!(stale(&snapshot, "Subnets"), None);
    assert!(snapshot.is_complete());
    assert_eq!(observed(&snapshot, "Subnets"), FIRST);
}

#[test]
fn a_newer_releases_sections_survive_and_another_units_do_not_come_in() {
    let mut previous = runs([(FIRST, vec![gave("Vpcs", json!([{"VpcId": "vpc-1"}]), &[])])]);
    previous.sections.insert("Future".into(), json!([1]));
    let merge = |unit: Unit, previous: &Snapshot| {
        Snapshot::merge(unit, at(SECOND), at(SECOND), vec![], Some(previous))
    };
    let next = merge(unit(), &previous);
    assert_eq!(next.sections["Future"], json!([1]));
    assert_eq!(next.rows_of("Vpcs").len(), 1);
    let elsewhere = Unit {
        region: "eu-west-1".into(),
        ..unit()
    };
    assert!(merge(elsewhere, &previous).sections.is_empty());
}

mod laws {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const SECTIONS: [&str; 5] = [
        "Vpcs",
        "LoadBalancers",
        "Listeners",
        "TransitGatewayRouteTables",
        "TransitGatewayRoutes",
    ];

    fn arb_collected() -> impl Strategy<Value = Collected> {
        let rows = vec((0..3_u8, 0..3_u8), 0..4).prop_map(|rows| {
            let rows = rows.into_iter().map(|(parent, n)| {
                json!({
                    "LoadBalancerArn": parent.to_string(), "TransitGatewayRouteTableId": parent.to_string(),
                    "VpcId": n, "ListenerArn": n,
                })
            });
            rows.collect::<Value>()
        });
        let items = vec(proptest::option::weighted(0.8, 0..3_u8), 0..3);
        (0..SECTIONS.len(), rows, items, 0..4_u8).prop_map(
            |(section, rows, items, deferred_one)| {
                if deferred_one == 0 {
                    return deferred(SECTIONS[section]);
                }
                let items: Vec<Option<String>> = items
                    .into_iter()
                    .map(|item| item.map(|i| i.to_string()))
                    .collect();
                let items: Vec<Option<&str>> = items.iter().map(Option::as_deref).collect();
                gave(SECTIONS[section], rows, &items)
            },
        )
    }

    proptest! {
        #[test]
        fn a_failure_never_empties_and_a_section_never_goes_away(
            history in vec(vec(arb_collected(), 0..5), 1..5)
        ) {
            let mut last: Option<Snapshot> = None;
            for (run, collected) in history.into_iter().enumerate() {
                let time = at(FIRST) + jiff::SignedDuration::from_mins(run as i64);
                let next = Snapshot::merge(unit(), time, time, collected, last.as_ref());
                prop_assert_eq!(&Snapshot::from_json(&next.to_json()).unwrap(), &next);
                for report in &next.endpoints {
                    prop_assert_eq!(report.count, next.rows_of(&report.section).len());
                    prop_assert_eq!(report.failures.is_empty() || !report.state.is_answered(), true);
                    if let Some(stale) = &report.stale {
                        prop_assert!(stale.since < time && next.sections.contains_key(&report.section));
                    }
                }
                if let Some(last) = &last {
                    for (section, rows) in &last.sections {
                        prop_assert!(next.sections.contains_key(section));
                        let endpoint = of_section(section).unwrap();
                        let report = next.report(section).unwrap();
                        let unanswered = Unanswered::of_report(endpoint, report);
                        for row in rows.as_array().unwrap() {
                            if unanswered.holds(endpoint, row) {
                                prop_assert!(next.rows_of(section).contains(row));
                                prop_assert!(report.stale.is_some());
                            }
                        }
                        if last.report(section).is_some_and(|r| r.stale.is_some()) && unanswered == Unanswered::Everything {
                            prop_assert_eq!(
                                report.stale.as_ref().map(|s| s.since),
                                last.report(section).unwrap().stale.as_ref().map(|s| s.since)
                            );
                        }
                    }
                }
                last = Some(next);
            }
        }
    }
}
