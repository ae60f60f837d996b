use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::*;

fn catalogue() -> &'static Catalogue {
    Catalogue::get().unwrap()
}

fn all() -> impl Iterator<Item = (&'static Namespace, &'static Metric)> {
    let namespaces = catalogue().namespaces().iter();
    namespaces.flat_map(|namespace| namespace.metrics.iter().map(move |m| (namespace, m)))
}

/// The values of `StandardUnit` in CloudWatch's API.
fn is_unit_of_cloudwatch(unit: &str) -> bool {
    let (unit, per) = unit.split_once('/').unwrap_or((unit, "Second"));
    let amounts = ["Bytes", "Bits"].iter().flat_map(|base| {
        ["", "Kilo", "Mega", "Giga", "Tera"].map(|prefix| match prefix {
            "" => (*base).to_owned(),
            prefix => format!("{prefix}{}", base.to_lowercase()),
        })
    });
    let plain = [
        "Seconds",
        "Microseconds",
        "Milliseconds",
        "Percent",
        "Count",
        "None",
    ];
    per == "Second" && (plain.contains(&unit) || amounts.into_iter().any(|one| one == unit))
}

#[test]
fn the_sixteen_namespaces_are_all_there() {
    let labels: Vec<&str> = catalogue()
        .namespaces()
        .iter()
        .map(|namespace| namespace.label.as_str())
        .collect();
    // Gateways first, then balancers; what there is most of is left out first.
    let expected = [
        "AWS/TransitGateway",
        "AWS/NATGateway",
        "AWS/VPN",
        "AWS/DX",
        "AWS/NetworkFirewall",
        "AWS/PrivateLinkEndpoints",
        "AWS/PrivateLinkServices",
        "AWS/NetworkELB",
        "AWS/ApplicationELB",
        "AWS/GatewayELB",
        "AWS/ELB",
        "AWS/NetworkManager",
        "AWS/Route53",
        "AWS/EC2",
        "AWS/ApiGateway",
        "AWS/S3",
    ];
    assert_eq!(labels, expected);
    assert_eq!(all().count(), 305);
}

#[test]
fn every_metric_has_a_unit_a_statistic_and_a_period_or_is_marked() {
    for (namespace, metric) in all() {
        let name = format!("{} {}", namespace.label, metric.name);
        assert!(
            is_unit_of_cloudwatch(&metric.unit),
            "{name}: {}",
            metric.unit
        );
        assert!(!metric.statistics.is_empty(), "{name}");
        assert!(metric.period > 0 && metric.period % 60 == 0, "{name}");
        assert!(
            !metric.sets.is_empty() && !metric.default_sets.is_empty(),
            "{name}"
        );
        for set in &metric.sets {
            assert!(namespace.set(set).is_some(), "{name}: {set}");
        }
        assert!(
            metric
                .default_sets
                .iter()
                .all(|set| metric.sets.contains(set)),
            "{name}"
        );
        let default = &metric.default_statistics;
        assert!(
            metric.statistics.starts_with(default),
            "{name}: the default is not the first"
        );
        // What adds up is added.
        assert!(
            !metric.adds_up || metric.statistics.contains(&Statistic::Sum),
            "{name}"
        );
    }
    // What is not confirmed is not hidden: the page says so.
    let page = catalogue().markdown();
    let rows = |end: &str| page.lines().filter(|line| line.contains(end)).count();
    let unconfirmed = all().filter(|(_, metric)| !metric.confirmed).count();
    assert_eq!(rows(" | no | "), unconfirmed);
    let units = all().filter(|(_, metric)| metric.confirmed && !metric.unit_confirmed);
    assert_eq!(rows(" | not the unit | "), units.count());
}

#[test]
fn nothing_is_measured_twice_by_default() {
    for (namespace, metric) in all() {
        if !metric.adds_up {
            continue;
        }
        let sets: Vec<HashSet<&String>> = metric
            .default_sets
            .iter()
            .filter_map(|label| namespace.set(label))
            .map(|set| set.dimensions.iter().collect())
            .collect();
        for (at, set) in sets.iter().enumerate() {
            for other in sets.iter().skip(at + 1) {
                let nested = set.is_subset(other) || other.is_subset(set);
                assert!(!nested, "{} {}", namespace.label, metric.name);
            }
        }
    }
}

#[test]
fn names_are_found_and_are_found_once() {
    let mut names = HashSet::new();
    for namespace in catalogue().namespaces() {
        for name in &namespace.names {
            assert!(names.insert(name), "{name}");
            assert_eq!(catalogue().of(name), Some(namespace));
        }
        for (at, metric) in namespace.metrics.iter().enumerate() {
            assert_eq!(namespace.metric(&metric.name), Some(metric), "twice");
            assert_eq!(metric.rank, at);
        }
        for set in &namespace.sets {
            assert!(set.dimensions.is_sorted(), "{set:?}");
            assert_eq!(namespace.set_of(&set.dimensions), Some(set), "twice");
            assert_eq!(namespace.set(&set.label), Some(set), "twice");
        }
        assert_eq!(namespace.set_of(&["Nothing"]), None);
        for join in &namespace.joins {
            let mut sets = namespace.sets.iter();
            assert!(
                sets.any(|set| set.dimensions.contains(&join.dimension)),
                "{join:?}"
            );
        }
    }
    assert_eq!(catalogue().of("AWS/Lambda"), None);
}

#[test]
fn what_is_peculiar_is_kept() {
    let of = |name| catalogue().of(name).unwrap();
    let manager = of("AWS/Network Manager");
    assert_eq!(Some(manager), catalogue().of("AWS/NetworkManager"));
    assert!(manager.place.has("us-west-2") && !manager.place.has("us-east-1"));
    assert!(of("AWS/Route53").place.has("us-east-1") && !of("AWS/Route53").place.has("eu-west-1"));
    assert!(of("AWS/S3").place.has("eu-west-1"));
    assert!(!of("AWS/NetworkFirewall").period_confirmed);

    let ec2 = of("AWS/EC2");
    assert_eq!(ec2.set_of::<&str>(&[]).unwrap().label, "all");
    let used = ec2.metric("NetworkAddressUsage").unwrap();
    assert_eq!((used.period, ec2.settle(used.period)), (86_400, 93_600));
    assert_eq!(
        ec2.set_of(&["Per-VPC Metrics"]).unwrap().label,
        used.sets[0]
    );

    let tunnel = of("AWS/VPN")
        .joins
        .iter()
        .find(|join| join.by == JoinBy::TunnelAddress);
    assert_eq!(tunnel.unwrap().kind, "vpn-connection");
    let gateway = of("AWS/TransitGateway");
    assert_eq!(
        gateway.joins[0].kind, "transit-gateway-attachment",
        "the most specific"
    );
    let waits = [1, 60, 300, 14_400, 86_400, 604_800].map(|period| gateway.settle(period));
    assert_eq!(waits, [120, 120, 600, 3_600, 93_600, 93_600]);
}

#[test]
fn by_default_is_asked_what_a_network_engineer_asks() {
    let mut asked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (namespace, metric) in all() {
        if !metric.default_statistics.is_empty() {
            asked
                .entry(&namespace.label)
                .or_default()
                .push(&metric.name);
        }
    }
    assert_eq!(asked.len(), 16);
    let ec2 = [
        "StatusCheckFailed",
        "NetworkIn",
        "NetworkOut",
        "NetworkPacketsIn",
        "NetworkPacketsOut",
        "CPUUtilization",
    ];
    assert_eq!(asked["AWS/EC2"], ec2);
    assert_eq!(asked["AWS/TransitGateway"].len(), 13);
    for (namespace, metric) in all() {
        let label = namespace.label.as_str();
        let sets: Vec<&str> = metric.default_sets.iter().map(String::as_str).collect();
        if metric.default_statistics.is_empty() {
            continue;
        }
        match label {
            "AWS/EC2" => assert_eq!(sets, ["instance"]),
            "AWS/TransitGateway" => assert_eq!(sets, ["tgw_att"]),
            _ => {}
        }
    }
}

#[test]
fn a_file_that_is_not_the_catalogue_is_refused() {
    let file: Value = serde_json::from_str(include_str!("../../../models/metrics.json")).unwrap();
    assert!(read(&file).is_some());
    for (pointer, wrong) in [
        ("/settle/0/0", Value::from("a")),
        ("/namespaces/0/joins/0/1", Value::from("gateway")),
        ("/namespaces/0/joins/0/2", Value::from("name")),
        ("/namespaces/0/metrics/0/statistics", Value::from("Mean")),
        ("/namespaces/0/period", Value::from(-1)),
        ("/namespaces/0/sets/0", Value::Null),
    ] {
        let mut file = file.clone();
        *file.pointer_mut(pointer).unwrap() = wrong;
        assert!(read(&file).is_none(), "{pointer}");
    }
}

#[test]
fn the_page_of_the_catalogue_is_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics-catalogue.md");
    let page = catalogue().markdown();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/metrics-catalogue.md is not what the code makes; UPDATE_GOLDEN=1 writes it anew"
    );
}
