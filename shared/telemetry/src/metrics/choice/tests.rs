use proptest::prelude::*;

use super::*;

/// What is asked of a resource, as `Sum,p99`; empty when nothing is.
fn asked(
    text: &str,
    (namespace, metric, set): (&str, &str, &str),
    resource: Option<&Measured>,
) -> String {
    let choice = Choice::parse(text).unwrap();
    let namespace = Catalogue::get().unwrap().of(namespace).unwrap();
    let unlisted = namespace.unlisted(metric);
    let metric = namespace.metric(metric).unwrap_or(&unlisted);
    let statistics = choice.of(namespace, metric, namespace.set(set).unwrap(), resource);
    let names: Vec<String> = statistics.iter().map(Statistic::to_string).collect();
    names.join(",")
}

fn gateway(name: &str, env: Option<&str>) -> Measured {
    let tags = env.map(|env| ("env".to_owned(), env.to_owned()));
    Measured {
        kind: "nat-gateway",
        id: "nat-0123456789abcdef0".to_owned(),
        name: Some(name.to_owned()),
        tags: tags.into_iter().collect(),
        ..Measured::default()
    }
}

const CPU: (&str, &str, &str) = ("AWS/EC2", "CPUUtilization", "instance");
const EBS: (&str, &str, &str) = ("AWS/EC2", "EBSReadBytes", "instance");
const NAT: (&str, &str, &str) = ("AWS/NATGateway", "BytesOutToDestination", "nat");
const BALANCER: (&str, &str, &str) = ("AWS/ApplicationELB", "TargetResponseTime", "lb");
const ZONE: (&str, &str, &str) = ("AWS/ApplicationELB", "TargetResponseTime", "az_lb");
const NEW: (&str, &str, &str) = ("AWS/EC2", "NetworkBursts", "instance");

#[test]
fn rules_say_what_is_asked() {
    for (text, series, expected) in [
        ("", CPU, "Average"),
        ("", EBS, ""),
        ("", BALANCER, "Average,p99"),
        ("", ZONE, ""),
        ("none", CPU, ""),
        ("all", CPU, "Average,Maximum"),
        ("all", ZONE, "Average,p99,p90,Maximum"),
        ("all", ("AWS/EC2", "CPUUtilization", "vpc"), ""),
        // What an include does not say is as usual.
        ("none; include namespace=AWS/EC2", CPU, "Average"),
        ("none; include namespace=AWS/EC2", EBS, ""),
        ("none; include namespace=AWS/EC2 metric=*", EBS, "Sum"),
        ("include metric=EBS*", EBS, "Sum"),
        ("include metric=ebsreadbytes", EBS, "Sum"),
        ("include metric=EBS* statistic=Average", EBS, "Average"),
        ("include statistic=p99.9", CPU, "Average,p99.9"),
        ("include statistic=p99.9", EBS, ""),
        ("include statistic=p*", BALANCER, "Average,p99,p90"),
        ("include set=az_lb", ZONE, "Average,p99"),
        (
            "include metric=CPUUtilization",
            ("AWS/EC2", "CPUUtilization", "asg"),
            "",
        ),
        // What the others do not say is anything.
        ("exclude namespace=AWS/EC2", CPU, ""),
        ("exclude statistic=p99", BALANCER, "Average"),
        ("exclude metric!=Target*", BALANCER, "Average,p99"),
        ("only namespace=AWS/NATGateway,AWS/VPN", CPU, ""),
        ("only namespace=AWS/NATGateway,AWS/VPN", NAT, "Sum"),
        ("only statistic=Sum", CPU, ""),
        // In their order.
        ("exclude namespace=*; include metric=CPU*", CPU, "Average"),
        ("include metric=CPU*; exclude namespace=*", CPU, ""),
        // What is newer than the catalogue.
        ("include metric=Network*", NEW, ""),
        ("include namespace=AWS/EC2 metric=*", NEW, ""),
        ("include namespace=AWS/EC2 metric=Network*", NEW, "Average"),
        (
            "include namespace=AWS/EC2 metric=Network* statistic=Sum",
            NEW,
            "Sum",
        ),
        ("all", NEW, ""),
    ] {
        assert_eq!(asked(text, series, None), expected, "{text:?} {series:?}");
    }
    let manager = ("AWS/Network Manager", "BytesIn", "core_att");
    assert_eq!(
        asked("only namespace=AWS/NetworkManager", manager, None),
        "Sum"
    );
    assert_eq!(
        asked("exclude namespace=AWS/Network*Manager", manager, None),
        ""
    );
}

#[test]
fn resources_are_chosen_by_id_name_and_tags() {
    let (dev, prod, bare) = (
        gateway("egress-a", Some("dev")),
        gateway("egress-b", Some("prod")),
        gateway("", None),
    );
    // For dev, prod, one without tags, and one that is not known.
    for (text, expected) in [
        ("exclude tag:env=dev", [false, true, true, true]),
        ("exclude tag:env!=prod", [false, true, true, true]),
        ("only tag:env=prod", [false, true, false, false]),
        ("only tag:env=-,prod", [false, true, true, true]),
        ("only tag:Env=prod", [false, false, false, false]),
        ("exclude resource=egress-*", [false, false, true, true]),
        ("only resource=nat-0123*", [true, true, true, false]),
        ("only resource=*-B", [false, true, false, false]),
        ("exclude resource=-", [true, true, true, false]),
        ("none; include tag:env=d*v", [true, false, false, false]),
        (
            "exclude tag:env=dev metric=Packets*",
            [true, true, true, true],
        ),
    ] {
        let resources = [Some(&dev), Some(&prod), Some(&bare), None];
        let found = resources.map(|resource| !asked(text, NAT, resource).is_empty());
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn namespaces_that_nothing_is_asked_of_are_told() {
    let catalogue = Catalogue::get().unwrap();
    for (text, expected) in [
        ("", 16),
        ("none", 0),
        ("all; only namespace=AWS/S3,AWS/VPN", 2),
        ("exclude namespace=AWS/*ELB", 12),
        ("none; include tag:env=prod", 16),
        ("none; include namespace=AWS/S3 metric=Zero*", 1),
        ("only statistic=p99", 3),
    ] {
        let choice = Choice::parse(text).unwrap();
        let wanted = catalogue.namespaces().iter().filter(|n| choice.wants(n));
        assert_eq!(wanted.count(), expected, "{text}");
    }
}

#[test]
fn slips_are_told_with_their_place_and_what_would_be_right() {
    for (text, place, part) in [
        ("include", 1, "it is not said what the rule is for"),
        ("keep namespace=AWS/EC2", 1, "start with include"),
        ("none all", 6, "after a ;"),
        ("include metric=*; none", 19, "they come first"),
        ("include metric", 9, "="),
        ("include metrics=Bytes*", 9, "nothing is named"),
        ("include tag:=a", 9, "nothing is named"),
        ("include metric=BytesIn,", 9, "a value is missing"),
        ("exclude namespace=EC2", 9, "AWS/EC2"),
        ("exclude namespace=AZ/*", 9, "docs/metrics-catalogue.md"),
        ("include metric=NetworkInn", 9, "NetworkIn"),
        (
            "include namespace=AWS/EC2 metric=BytesIn",
            27,
            "no metric is named",
        ),
        ("include metric=CPUUtilization set=tgw_atx", 31, "tgw_att"),
        ("include statistic=Mean", 9, "Average, Sum"),
        (
            "exclude namespace=AWS/S3; only metrik=A",
            32,
            "nothing is named",
        ),
    ] {
        let error = Choice::parse(text).unwrap_err();
        assert_eq!(error.character, place, "{text}: {error}");
        assert!(error.reason.contains(part), "{text}: {error}");
    }
    let told = Choice::parse("include metric=NetworkInn")
        .unwrap_err()
        .to_string();
    assert_eq!(
        told,
        "rule 1, at character 9 of the selection, \"metric=NetworkInn\": no metric is named \"NetworkInn\": is it NetworkIn or NetworkOut? A metric that this program does not know yet is asked for as NetworkInn*, with its namespace"
    );
}

#[test]
fn the_rules_of_the_documentation_are_rules() {
    let page = include_str!("../../../../../docs/metrics.md");
    let code = page.split('`').skip(1).step_by(2);
    let all = code.flat_map(str::lines).filter(|text| {
        let starts = ["include ", "exclude ", "only ", "none; "];
        !text.contains('…') && starts.iter().any(|start| text.starts_with(start))
    });
    let mut read = 0;
    for text in all {
        Choice::parse(text).unwrap();
        read += 1;
    }
    assert!(read > 10, "{read}");
}

fn conditions() -> impl Strategy<Value = String> {
    let one = prop::sample::select(vec![
        "namespace=AWS/NATGateway",
        "namespace!=AWS/EC2",
        "namespace=AWS/*ELB,AWS/VPN",
        "metric=*",
        "metric=*Count*",
        "metric!=Bytes*",
        "metric=New*",
        "statistic=Sum",
        "statistic!=p99",
        "statistic=p*,p99.9,Average",
        "set=nat,az_*",
        "set!=lb",
        "tag:env=dev",
        "tag:env!=dev",
        "tag:env=-",
        "resource=nat-*,-",
        "resource!=egress-a",
    ]);
    prop::collection::vec(one, 1..4).prop_map(|conditions| conditions.join(" "))
}

fn choices() -> impl Strategy<Value = String> {
    let start = prop::sample::select(vec!["none", "default", "all"]);
    let action = prop::sample::select(vec!["include", "exclude", "only"]);
    let rule = (action, conditions()).prop_map(|(action, on)| format!("; {action} {on}"));
    (start, prop::collection::vec(rule, 0..5))
        .prop_map(|(start, rules)| format!("{start}{}", rules.concat()))
}

/// Choices whose conditions contradict what is there, such as a set of another namespace, are no choices.
fn parsed(text: &str) -> Result<Choice, TestCaseError> {
    Choice::parse(text).map_err(|error| TestCaseError::reject(error.to_string()))
}

/// All that is asked of a resource, by namespace, metric and set; `None` before it is known.
fn all_asked(choice: &Choice, resource: Option<Option<&Measured>>) -> Vec<Vec<Statistic>> {
    let mut asked = Vec::new();
    for name in ["AWS/NATGateway", "AWS/ELB"] {
        let namespace = Catalogue::get().unwrap().of(name).unwrap();
        let unlisted = namespace.unlisted("NewCount");
        for metric in namespace.metrics.iter().chain([&unlisted]) {
            for set in &namespace.sets {
                asked.push(match resource {
                    Some(resource) => choice.of(namespace, metric, set, resource),
                    None => choice.statistics(namespace, metric, set),
                });
            }
        }
    }
    asked
}

fn is_within(less: &[Vec<Statistic>], more: &[Vec<Statistic>]) -> bool {
    let mut pairs = less.iter().zip(more);
    pairs.all(|(less, more)| less.iter().all(|statistic| more.contains(statistic)))
}

#[test]
fn a_namespace_is_wanted_for_a_set_that_the_catalogue_does_not_have_the_metric_at() {
    let choice = Choice::parse("none; include set=nat,az_* metric=*Count*").unwrap();
    for namespace in Catalogue::get().unwrap().namespaces() {
        let asked = namespace.metrics.iter().any(|metric| {
            let mut sets = namespace.sets.iter();
            sets.any(|set| !choice.statistics(namespace, metric, set).is_empty())
        });
        assert!(!asked || choice.wants(namespace), "{}", namespace.label);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn choices_are_written_as_they_are_read(text in choices()) {
        let choice = parsed(&text)?;
        prop_assert_eq!(Choice::parse(&choice.to_string()), Ok(choice));
    }

    #[test]
    fn rules_add_take_away_and_keep(text in choices(), on in conditions(), env in 0..3) {
        let gateway = gateway("egress-a", ["dev", "prod"].get(env as usize).copied());
        for resource in [None, Some(&gateway)] {
            let asked = |text: &str| Ok::<_, TestCaseError>(all_asked(&parsed(text)?, Some(resource)));
            let before = asked(&text)?;
            let added = asked(&format!("{text}; include {on}"))?;
            let kept = asked(&format!("{text}; only {on}"))?;
            let left = asked(&format!("{text}; exclude {on}"))?;
            prop_assert!(is_within(&before, &added));
            // What is kept and what is left when it is taken away make the whole, and share nothing.
            for ((before, kept), left) in before.iter().zip(&kept).zip(&left) {
                let mut both: Vec<Statistic> = kept.iter().chain(left).copied().collect();
                both.sort_unstable();
                let mut before = before.clone();
                before.sort_unstable();
                prop_assert_eq!(both, before);
            }
            // Said twice is said once.
            let twice = asked(&format!("{text}; include {on}; include {on}"))?;
            prop_assert_eq!(added, twice);
        }
    }

    #[test]
    fn nothing_is_asked_of_a_resource_that_was_not_asked_for(text in choices(), env in 0..3) {
        let gateway = gateway("egress-a", ["dev", "prod"].get(env as usize).copied());
        let choice = parsed(&text)?;
        let first = all_asked(&choice, None);
        for resource in [None, Some(&gateway)] {
            prop_assert!(is_within(&all_asked(&choice, Some(resource)), &first));
        }
        for namespace in Catalogue::get().unwrap().namespaces() {
            if !choice.wants(namespace) {
                let unlisted = namespace.unlisted("NewCount");
                for metric in namespace.metrics.iter().chain([&unlisted]) {
                    for set in &namespace.sets {
                        prop_assert!(choice.statistics(namespace, metric, set).is_empty());
                    }
                }
            }
        }
    }
}
