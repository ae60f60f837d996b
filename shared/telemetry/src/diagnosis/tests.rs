use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::describe::catalogue::of_section;
use crate::describe::state::{CallFailure, State};
use crate::flow::field::{FIELDS, Field};
use crate::snapshot::{Collected, Failure, GLOBAL};
use crate::target::{Hop, Regions, RoleArn};

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn collected(section: &str, rows: Value) -> Collected {
    Collected {
        endpoint: of_section(section).unwrap(),
        state: State::Ok,
        rows,
        failures: Vec::new(),
        vanished: 0,
        calls: 1,
        duration: Duration::ZERO,
        observed: now(),
    }
}

fn denied() -> CallFailure {
    CallFailure::of_code("AccessDenied", "no", None)
}

fn account(sections: Vec<Collected>) -> AccountObservation {
    AccountObservation {
        account: "111111111111".into(),
        partition: "aws".into(),
        chain: Vec::new(),
        regions: Regions::Listed(vec!["us-east-1".into()]),
        units: vec![UnitObservation {
            region: "us-east-1".into(),
            collected: sections,
        }],
    }
}

fn seen(accounts: Vec<AccountObservation>) -> Observations {
    Observations {
        now: now(),
        identity: Ok(Identity {
            account: "111111111111".into(),
            arn: "arn:aws:sts::111111111111:assumed-role/operator/anna".into(),
        }),
        roles: Vec::new(),
        accounts_unlisted: None,
        accounts,
        buckets: Vec::new(),
        metadata: None,
    }
}

fn nowhere() -> LogDestination {
    LogDestination {
        bucket: None,
        prefix: String::new(),
        file_format: FileFormat::Text,
        hive: false,
        hourly: false,
    }
}

fn codes(seen: &Observations) -> Vec<&'static str> {
    let findings = diagnose(seen, &nowhere());
    findings.iter().map(|found| found.check.code()).collect()
}

fn hop(account: &str, external_id: Option<&str>) -> Hop {
    let role: RoleArn = format!("arn:aws:iam::{account}:role/net/reader")
        .parse()
        .unwrap();
    Hop::new(role, external_id.map(str::to_owned), "check".into()).unwrap()
}

fn role(chain: Vec<Hop>, assumed: Answered<()>) -> RoleObservation {
    RoleObservation {
        chain,
        assumed,
        without_external_id: None,
    }
}

#[test]
fn codes_are_names_of_their_own_and_what_is_bad_can_be_mended() {
    let codes: BTreeSet<&str> = CHECKS.iter().map(|info| info.code).collect();
    assert_eq!(codes.len(), CHECKS.len());
    for info in CHECKS {
        let [group, name] = *info.code.split('.').collect::<Vec<_>>() else {
            panic!("{}", info.code);
        };
        let is_name = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(is_name(group) && is_name(name), "{}", info.code);
        assert!(!info.title.is_empty() && !info.why.is_empty());
        if info.severity > Severity::Info {
            assert!(!info.fix.is_empty(), "{}", info.code);
        }
        assert_eq!(info.check.info(), info);
    }
}

#[test]
fn a_refused_role_says_which_hop_and_what_to_compare() {
    let mut seen = seen(Vec::new());
    let primary = hop("222222222222", None);
    let chain = vec![primary.clone(), hop("333333333333", Some("secret-id"))];
    seen.roles = vec![
        role(vec![primary.clone()], Ok(())),
        role(chain.clone(), Err(denied())),
    ];
    let refused = |seen: &Observations| {
        let findings = diagnose(seen, &nowhere());
        let mut findings = findings.into_iter();
        findings.find(|f| f.check == Check::RoleRefused).unwrap()
    };
    let found = refused(&seen);
    assert_eq!(found.account.as_deref(), Some("333333333333"));
    assert!(
        found.what.starts_with(
            "hop 2 of its chain, asked for by arn:aws:iam::222222222222:role/net/reader"
        ),
        "{}",
        found.what
    );
    assert!(found.what.contains("letter by letter"), "{}", found.what);
    let fix = found.fix();
    for part in [
        r#""aws:PrincipalArn":"arn:aws:iam::222222222222:role/net/reader""#,
        r#""sts:ExternalId":"EXTERNAL_ID""#,
        r#""Resource":["arn:aws:iam::333333333333:role/net/reader"]"#,
        "--role-name reader ",
    ] {
        assert!(fix.contains(part), "{part} in {fix}");
    }
    assert!(!fix.contains("secret-id"));
    // Another account's role was given to the same caller with the same id: it is not the caller's fault.
    let other = vec![primary, hop("444444444444", Some("secret-id"))];
    seen.roles.push(role(other, Ok(())));
    let what = refused(&seen).what;
    assert!(
        what.contains("with the same external id was given arn:aws:iam::444444444444"),
        "{what}"
    );
}

#[test]
fn the_caller_of_the_first_hop_is_the_role_of_the_session_at_hand() {
    let mut seen = seen(Vec::new());
    seen.roles = vec![role(vec![hop("222222222222", None)], Err(denied()))];
    let fix = diagnose(&seen, &nowhere())[0].fix();
    assert!(
        fix.contains(r#""aws:PrincipalArn":"arn:aws:iam::111111111111:role/operator""#),
        "{fix}"
    );
}

#[test]
fn failures_of_a_call_are_one_finding_with_all_its_regions() {
    let failing = |region: &str, code: &str| UnitObservation {
        region: region.into(),
        collected: vec![Collected {
            state: CallFailure::of_code(code, "", None).state,
            failures: vec![Failure {
                item: None,
                failure: CallFailure::of_code(code, "", None),
            }],
            ..collected("RouteTables", Value::Null)
        }],
    };
    let mut account = account(Vec::new());
    account.units = vec![
        failing("us-east-1", "UnauthorizedOperation"),
        failing("eu-west-1", "UnauthorizedOperation"),
        failing("ap-east-1", "AuthFailure"),
    ];
    let findings = access::endpoints(&account);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].regions, ["us-east-1", "eu-west-1"]);
    assert_eq!(
        findings[0].resource.as_deref(),
        Some("ec2:DescribeRouteTables")
    );
    let regions = access::regions(&account);
    assert_eq!(regions[0].check, Check::RegionDisabled);
    assert_eq!(regions[0].regions, ["ap-east-1"]);
}

#[test]
fn regions_that_are_not_there_or_not_enabled_are_not_asked() {
    let mut account = account(Vec::new());
    account.regions = Regions::Listed(
        ["us-east-1", "us-east-9", "ap-east-1"]
            .map(String::from)
            .to_vec(),
    );
    account.units = vec![UnitObservation {
        region: GLOBAL.into(),
        collected: vec![collected(
            "Regions",
            json!([
                {"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"},
                {"RegionName": "ap-east-1", "OptInStatus": "not-opted-in"},
                {"RegionName": "eu-west-1", "OptInStatus": "opted-in"},
            ]),
        )],
    }];
    assert_eq!(account.regions_to_ask(), ["us-east-1"]);
    let codes: Vec<&str> = access::regions(&account)
        .iter()
        .map(|f| f.check.code())
        .collect();
    assert_eq!(codes, ["region.unknown", "region.disabled"]);
    account.regions = Regions::Enabled;
    assert_eq!(account.regions_to_ask(), ["us-east-1", "eu-west-1"]);
    // Nobody knows: what is listed is asked all the same.
    account.units.clear();
    account.regions = Regions::Listed(vec!["us-east-9".into()]);
    assert_eq!(account.regions_to_ask(), ["us-east-9"]);
}

fn network(flow_logs: Value) -> AccountObservation {
    let interface = |id: &str, subnet: &str| json!({"NetworkInterfaceId": id, "SubnetId": subnet, "VpcId": "vpc-1"});
    account(vec![
        collected(
            "Vpcs",
            json!([
                {"VpcId": "vpc-1", "OwnerId": "111111111111"},
                {"VpcId": "vpc-of-others", "OwnerId": "999999999999"},
            ]),
        ),
        collected(
            "Subnets",
            json!([{"SubnetId": "subnet-a", "VpcId": "vpc-1"}, {"SubnetId": "subnet-b", "VpcId": "vpc-1"}]),
        ),
        collected(
            "NetworkInterfaces",
            json!([
                interface("eni-1", "subnet-a"),
                interface("eni-2", "subnet-b"),
                interface("eni-3", "subnet-b")
            ]),
        ),
        collected(
            "TransitGateways",
            json!([{"TransitGatewayId": "tgw-1", "OwnerId": "999999999999"}]),
        ),
        collected("FlowLogs", flow_logs),
    ])
}

fn log_of(resource: &str, kind: LoggedResource) -> Value {
    let format: Vec<String> = kind
        .fields()
        .map(|f| format!("${{{}}}", f.name()))
        .collect();
    json!({"FlowLogId": "fl-1", "FlowLogStatus": "ACTIVE", "ResourceId": resource, "TrafficType": "ALL",
        "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::logs/net/", "LogFormat": format.join(" "),
        "MaxAggregationInterval": 60})
}

#[test]
fn a_vpc_is_logged_by_itself_or_by_all_of_its_interfaces() {
    let found = |logs: Value| {
        let seen = seen(vec![network(logs)]);
        let codes = codes(&seen).into_iter();
        let of_flow_logs = codes
            .filter(|code| code.starts_with("flow-log"))
            .collect::<Vec<_>>();
        let orders = missing_flow_logs(&seen, &nowhere());
        let orders = orders
            .into_iter()
            .map(|order| order.resources)
            .collect::<Vec<_>>();
        (of_flow_logs, orders)
    };
    let [vpc, subnet, interface] =
        ["vpc-1", "subnet-a", "eni-3"].map(|id| log_of(id, LoggedResource::of_id(id)));
    assert_eq!(
        found(json!([])),
        (vec!["flow-log.none"], vec![vec!["vpc-1".to_owned()]])
    );
    assert_eq!(found(json!([vpc])), (vec!["flow-log.ok"], vec![]));
    let part = found(json!([subnet, interface]));
    assert_eq!(
        part,
        (vec!["flow-log.partial"], vec![vec!["subnet-b".to_owned()]])
    );
    let all = ["subnet-a", "subnet-b"].map(|id| log_of(id, LoggedResource::Subnet));
    assert_eq!(found(json!(all)), (vec!["flow-log.ok"], vec![]));
    // To CloudWatch Logs: it is logged, but not for us.
    let mut elsewhere = vpc;
    elsewhere["LogDestinationType"] = json!("cloud-watch-logs");
    elsewhere["LogDestination"] = json!("arn:aws:logs:us-east-1:111111111111:log-group:x");
    let logged = found(json!([elsewhere]));
    assert_eq!(
        logged,
        (
            vec!["flow-log.elsewhere", "flow-log.ok"],
            vec![vec!["vpc-1".to_owned()]]
        )
    );
}

#[test]
fn commands_ask_for_every_field_and_a_minute() {
    let destination = LogDestination {
        bucket: Some("logs-use1".into()),
        prefix: "net".into(),
        file_format: FileFormat::Parquet,
        hive: true,
        hourly: true,
    };
    let seen = seen(vec![network(json!([]))]);
    let orders = missing_flow_logs(&seen, &destination);
    let command = orders[0].to_string();
    for part in [
        "aws ec2 create-flow-logs --region us-east-1 --resource-type VPC --resource-ids vpc-1 --traffic-type ALL",
        " --log-destination 'arn:aws:s3:::logs-use1/net/' --log-format '${version} ${account-id} ",
        "${next-hop-interface-type}' --max-aggregation-interval 60",
        "FileFormat=parquet,HiveCompatiblePartitions=true,PerHourPartition=true",
    ] {
        assert!(command.contains(part), "{part} in {command}");
    }
    let asked = |kind: LoggedResource| kind.fields().collect::<BTreeSet<Field>>();
    let (vpc, gateway) = (
        asked(LoggedResource::Vpc),
        asked(LoggedResource::TransitGateway),
    );
    // All but the six that repeat tags.
    assert_eq!(vpc.union(&gateway).count(), FIELDS.len() - 6);
    let default = crate::flow::layout::TRANSIT_GATEWAY_DEFAULT;
    let default: BTreeSet<Field> = default
        .split_whitespace()
        .filter_map(Field::from_name)
        .collect();
    assert_eq!(gateway, default);
    for (field, _) in WANTED {
        assert!(vpc.contains(field) || gateway.contains(field), "{field:?}");
    }
}

#[test]
fn calls_take_no_more_resources_than_aws_does() {
    let rows: Vec<Value> = (0..30)
        .map(|n| json!({"TransitGatewayId": format!("tgw-{n:02}"), "OwnerId": "111111111111"}))
        .collect();
    let account = account(vec![
        collected("FlowLogs", json!([])),
        collected("TransitGateways", json!(rows)),
    ]);
    let orders = missing_flow_logs(&seen(vec![account]), &nowhere());
    let sizes: Vec<usize> = orders.iter().map(|order| order.resources.len()).collect();
    assert_eq!(sizes, [25, 5]);
    assert!(!orders[0].parameters().contains_key("TrafficType"));
}

proptest! {
    /// Whatever rows hold, there is a conclusion, and nothing ends the program.
    #[test]
    fn rows_of_any_shape_are_borne(texts in proptest::collection::vec(".{0,12}", 8), number in any::<i64>()) {
        let row = json!({
            "FlowLogId": texts[0], "ResourceId": texts[1], "FlowLogStatus": "ACTIVE", "LogFormat": texts[2],
            "LogDestination": format!("arn:aws:s3:::{}", texts[3]), "LogDestinationType": "s3",
            "MaxAggregationInterval": number, "CreationTime": texts[4], "DestinationOptions": texts[5],
            "VpcId": texts[6], "SubnetId": number, "Tags": texts[7],
        });
        let sections = ["FlowLogs", "Vpcs", "Subnets", "NetworkInterfaces", "TransitGateways"];
        let sections = sections.map(|section| collected(section, json!([row, number, texts[0]])));
        let seen = seen(vec![account(sections.to_vec())]);
        diagnose(&seen, &nowhere());
        missing_flow_logs(&seen, &nowhere());
    }
}

#[test]
fn the_documentation_has_every_finding() {
    const BEGIN: &str = "<!-- findings: made from the code, UPDATE_GOLDEN=1 cargo test -p telemetry --lib diagnosis -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/check.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (head, found) = text.split_once(BEGIN).unwrap();
    let mut made = String::new();
    for info in CHECKS {
        writeln!(
            made,
            "\n### {}\n\n{}: {}. {}",
            info.code, info.severity, info.title, info.why
        )
        .unwrap();
        if !info.fix.is_empty() {
            writeln!(made, "\n```text\n{}\n```", info.fix).unwrap();
        }
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, format!("{head}{BEGIN}{made}")).unwrap();
        return;
    }
    assert!(
        found == made,
        "docs/check.md is not what the table says: write it anew with UPDATE_GOLDEN=1"
    );
}
