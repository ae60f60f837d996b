//! `cloud-export check` against every broken setup that it claims to tell, and against one that is whole.
//!
//! AWS is the server that answers by AWS's own service models (`cloud/replay.py`), with an account for each setup, and
//! S3 one that answers about buckets as it is told. Each setup is the whole one with one thing broken.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod buckets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use buckets::{Bucket, Buckets};
use e2e::binaries::cloud_export;
use e2e::golden::Golden;
use e2e::programs::{ReplayServer, tools};
use e2e::within;
use futures_util::stream::{self, StreamExt};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use telemetry::diagnosis::{CHECKS, Check, LoggedResource, Severity};
use telemetry::index::DIRECTORY_KEY;
use tokio::process::Command;

const REGION: &str = "us-east-1";
const VPC_LOG: &str = "fl-0a1b2c3d4e5f60718";
const GATEWAY_LOG: &str = "fl-0b1b2c3d4e5f60718";
const SECRET: &str = "secret-of-the-base-key";

/// A deployment: what AWS answers to one account, what its bucket answers, and how it is configured.
#[derive(Clone)]
struct Setup {
    account: String,
    /// The primary role as it is; `None` when it does not exist.
    role: Option<Value>,
    /// Answers by operation.
    answers: Map<String, Value>,
    regions: Vec<Value>,
    faults: Vec<Value>,
    bucket: Option<Bucket>,
    options: Vec<String>,
    environment: Vec<(&'static str, String)>,
    /// How long ago the index of metadata was written.
    index_age: Option<SignedDuration>,
}

/// A change to the whole setup, and the findings that it makes: those that are worse than info.
type Broken = (&'static str, fn(&mut Setup), &'static [Check]);

fn format(kind: LoggedResource, without: &[&str]) -> String {
    let names = kind.fields().map(|field| field.name());
    let names = names.filter(|name| !without.contains(name));
    names
        .map(|name| format!("${{{name}}}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn key(account: &str, log: &str, age: SignedDuration) -> String {
    let time = (Timestamp::now() - age).to_zoned(TimeZone::UTC);
    let (day, name) = (time.strftime("%Y/%m/%d"), time.strftime("%Y%m%dT%H%MZ"));
    format!(
        "AWSLogs/{account}/vpcflowlogs/{REGION}/{day}/{account}_vpcflowlogs_{REGION}_{log}_{name}_0a1b2c3d.log.gz"
    )
}

fn delivery_policy(account: &str) -> Value {
    let bucket = bucket_of(account);
    let condition = json!({"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": format!("arn:aws:logs:*:{account}:*")}});
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "delivery.logs.amazonaws.com"}, "Action": "s3:PutObject",
            "Resource": format!("arn:aws:s3:::{bucket}/AWSLogs/*"), "Condition": condition},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [format!("arn:aws:s3:::{bucket}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]})
}

fn bucket_of(account: &str) -> String {
    format!("logs-{account}")
}

fn queue(events: &[&str], prefix: &str) -> String {
    let events: String = events
        .iter()
        .map(|event| format!("<Event>{event}</Event>"))
        .collect();
    format!(
        "<QueueConfiguration><Id>logs</Id><Queue>arn:aws:sqs:us-east-1:111111111111:flow-logs</Queue>{events}<Filter><S3Key><FilterRule><Name>Prefix</Name><Value>{prefix}</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
    )
}

fn encryption(algorithm: &str, key: &str) -> String {
    format!(
        "<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}</SSEAlgorithm>{key}</ApplyServerSideEncryptionByDefault></Rule>"
    )
}

impl Setup {
    /// Nothing is wrong.
    fn whole(account: String) -> Setup {
        let flow_log = |id: &str, resource: &str, kind: LoggedResource, traffic: Option<&str>| {
            let mut row = json!({
                "FlowLogId": id, "ResourceId": resource, "FlowLogStatus": "ACTIVE", "DeliverLogsStatus": "SUCCESS",
                "LogDestinationType": "s3", "LogDestination": format!("arn:aws:s3:::{}", bucket_of(&account)),
                "LogFormat": format(kind, &[]), "MaxAggregationInterval": 60,
                "CreationTime": "2026-01-01T00:00:00+00:00",
            });
            if let Some(traffic) = traffic {
                row["TrafficType"] = json!(traffic);
            }
            row
        };
        let firewall = format!("arn:aws:network-firewall:{REGION}:{account}:firewall/edge");
        let log = |kind: &str| json!({"LogType": kind, "LogDestinationType": "S3", "LogDestination": {"bucketName": bucket_of(&account)}});
        let answers = json!({
            "ec2:DescribeVpcs": {"Vpcs": [{"VpcId": "vpc-0a", "OwnerId": account, "Tags": [{"Key": "Name", "Value": "shop"}]}]},
            "ec2:DescribeSubnets": {"Subnets": [{"SubnetId": "subnet-0a", "VpcId": "vpc-0a"}, {"SubnetId": "subnet-0b", "VpcId": "vpc-0a"}]},
            "ec2:DescribeNetworkInterfaces": {"NetworkInterfaces": [
                {"NetworkInterfaceId": "eni-0a", "SubnetId": "subnet-0a", "VpcId": "vpc-0a"},
                {"NetworkInterfaceId": "eni-0b", "SubnetId": "subnet-0b", "VpcId": "vpc-0a"}]},
            "ec2:DescribeTransitGateways": {"TransitGateways": [{"TransitGatewayId": "tgw-0a", "OwnerId": account}]},
            "ec2:DescribeFlowLogs": {"FlowLogs": [
                flow_log(VPC_LOG, "vpc-0a", LoggedResource::Vpc, Some("ALL")),
                flow_log(GATEWAY_LOG, "tgw-0a", LoggedResource::TransitGateway, None)]},
            "ec2:CreateFlowLogs": {"FlowLogIds": ["fl-0c1b2c3d4e5f60718"], "Unsuccessful": []},
            "network-firewall:ListFirewalls": {"Firewalls": [{"FirewallName": "edge", "FirewallArn": firewall}]},
            "network-firewall:DescribeLoggingConfiguration": {"FirewallArn": firewall,
                "LoggingConfiguration": {"LogDestinationConfigs": [log("ALERT"), log("FLOW")]}},
        });
        let young = SignedDuration::from_mins(8);
        Setup {
            role: Some(
                json!({"arn": format!("arn:aws:iam::{account}:role/primary"), "trusted": [account], "external_id": "id-1"}),
            ),
            answers: answers.as_object().unwrap().clone(),
            regions: vec![
                json!({"RegionName": REGION, "OptInStatus": "opt-in-not-required"}),
                json!({"RegionName": "ap-east-1", "OptInStatus": "not-opted-in"}),
            ],
            faults: Vec::new(),
            bucket: Some(Bucket {
                region: REGION,
                head: None,
                keys: vec![
                    key(&account, VPC_LOG, young),
                    key(&account, GATEWAY_LOG, young),
                ],
                list: None,
                object_head: None,
                kms_key: None,
                read: None,
                delete: (412, "PreconditionFailed"),
                encryption: encryption("AES256", ""),
                notification: queue(&["s3:ObjectCreated:*"], "AWSLogs/"),
                policy: Some(delivery_policy(&account).to_string()),
            }),
            options: vec!["--primary-external-id".into(), "id-1".into()],
            environment: Vec::new(),
            index_age: Some(SignedDuration::from_mins(30)),
            account,
        }
    }

    fn bucket(&mut self) -> &mut Bucket {
        self.bucket.as_mut().unwrap()
    }

    /// A row of an answer.
    fn row(&mut self, operation: &str, member: &str) -> &mut Value {
        &mut self.answers[operation][member][0]
    }

    fn flow_log(&mut self) -> &mut Value {
        self.row("ec2:DescribeFlowLogs", "FlowLogs")
    }

    fn without_flow_logs(&mut self) {
        self.answers["ec2:DescribeFlowLogs"] = json!({"FlowLogs": []});
        self.bucket().keys.clear();
    }

    fn firewall_logs(&mut self) -> &mut Value {
        &mut self.answers["network-firewall:DescribeLoggingConfiguration"]["LoggingConfiguration"]["LogDestinationConfigs"]
    }

    fn error(&mut self, operation: &str, code: &str, status: u16) {
        self.faults.push(json!({"match": {"account": self.account, "operation": operation},
            "action": {"error": {"code": code, "message": "it was told to say so", "status": status}}}));
    }

    fn deletes(&mut self) {
        self.environment.extend([
            (
                "CLOUD_EXPORT_DESTINATIONS",
                "s3://records-use1/flows".to_owned(),
            ),
            ("CLOUD_EXPORT_DELETE_AFTER_READ", "on".to_owned()),
            (
                "CLOUD_EXPORT_DELETE_PREFIXES",
                format!("s3://{}/AWSLogs", bucket_of(&self.account)),
            ),
        ]);
    }

    fn access_key(&self) -> String {
        format!("AKIA{}BASE", self.account)
    }
}

const BROKEN: &[Broken] = &[
    ("nothing", |_| {}, &[]),
    ("nothing, and what is read is deleted", |s| s.deletes(), &[]),
    // ---- Who asks --------------------------------------------------------------------------------
    (
        "unknown credentials",
        |s| {
            s.environment
                .push(("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN".into()))
        },
        &[Check::IdentityRefused],
    ),
    ("role missing", |s| s.role = None, &[Check::RoleRefused]),
    (
        "trust wrong",
        |s| s.role.as_mut().unwrap()["trusted"] = json!(["999999999999"]),
        &[Check::RoleRefused],
    ),
    (
        "external id wrong",
        |s| s.role.as_mut().unwrap()["external_id"] = json!("id-2"),
        &[Check::RoleRefused],
    ),
    (
        "external id not asked for",
        |s| s.role.as_mut().unwrap()["external_id"] = Value::Null,
        &[Check::RoleAnyExternalId],
    ),
    (
        "STS not active",
        |s| s.error("AssumeRole", "RegionDisabledException", 403),
        &[Check::RoleUnanswered],
    ),
    (
        "no organization",
        |s| {
            s.options
                .extend(["--accounts", "organization", "--role", "reader"].map(String::from));
            s.error("ListAccounts", "AccessDeniedException", 400);
        },
        &[Check::AccountsUnlisted],
    ),
    // ---- Regions and calls -------------------------------------------------------------------------
    (
        "wrong region",
        |s| {
            s.options
                .extend(["--regions", "us-east-1,us-east-9"].map(String::from))
        },
        &[Check::RegionUnknown],
    ),
    (
        "region not enabled",
        |s| {
            s.options
                .extend(["--regions", "us-east-1,ap-east-1"].map(String::from))
        },
        &[Check::RegionDisabled],
    ),
    (
        "regions denied",
        |s| s.error("DescribeRegions", "UnauthorizedOperation", 403),
        &[Check::RegionsUnlisted, Check::EndpointDenied],
    ),
    (
        "endpoint denied",
        |s| s.error("DescribeRouteTables", "UnauthorizedOperation", 403),
        &[Check::EndpointDenied],
    ),
    (
        "endpoint fails",
        |s| s.error("DescribeRouteTables", "InternalError", 500),
        &[Check::EndpointFailed],
    ),
    // ---- Buckets -----------------------------------------------------------------------------------
    ("no bucket", |s| s.bucket = None, &[Check::BucketMissing]),
    (
        "bucket denied",
        |s| s.bucket().head = Some(403),
        &[Check::BucketDenied],
    ),
    (
        "bucket of no answer",
        |s| s.bucket().head = Some(400),
        &[Check::BucketUnanswered],
    ),
    (
        "bucket in another region",
        |s| s.bucket().region = "eu-west-1",
        &[Check::BucketOtherRegion],
    ),
    (
        "listing denied",
        |s| s.bucket().list = Some((403, "AccessDenied")),
        &[Check::BucketListDenied],
    ),
    (
        "objects denied",
        |s| {
            s.bucket().object_head = Some(403);
            s.bucket().read = Some((403, "AccessDenied"));
        },
        &[Check::BucketReadDenied],
    ),
    (
        "KMS denied",
        |s| {
            s.bucket().kms_key = Some("arn:aws:kms:us-east-1:111111111111:key/1234");
            s.bucket().read = Some((403, "AccessDenied"));
        },
        &[Check::BucketKmsDenied],
    ),
    (
        "SSE-C",
        |s| {
            s.bucket().object_head = Some(400);
            s.bucket().read = Some((400, "InvalidRequest"));
        },
        &[Check::BucketSseC],
    ),
    (
        "archived",
        |s| s.bucket().read = Some((403, "InvalidObjectState")),
        &[Check::BucketArchived],
    ),
    (
        "unreadable",
        |s| s.bucket().read = Some((400, "SomethingNew")),
        &[Check::BucketUnreadable],
    ),
    (
        "key of AWS",
        |s| s.bucket().encryption = encryption("aws:kms", ""),
        &[Check::BucketAwsManagedKey],
    ),
    (
        "key by id",
        |s| s.bucket().encryption = encryption("aws:kms", "<KMSMasterKeyID>1234</KMSMasterKeyID>"),
        &[Check::BucketKeyId],
    ),
    (
        "no bucket policy",
        |s| s.bucket().policy = None,
        &[Check::DeliveryPolicyNone],
    ),
    (
        "bucket policy of another account",
        |s| {
            let policy = delivery_policy(&s.account).to_string();
            s.bucket().policy =
                Some(policy.replace("\"aws:SourceAccount\":\"", "\"aws:SourceAccount\":\"9"));
        },
        &[Check::DeliveryPolicyDenies],
    ),
    (
        "no notification",
        |s| s.bucket().notification.clear(),
        &[Check::NotificationNone],
    ),
    (
        "notification of another prefix",
        |s| s.bucket().notification = queue(&["s3:ObjectCreated:*"], "other/"),
        &[Check::NotificationFilter],
    ),
    (
        "notification of one event",
        |s| s.bucket().notification = queue(&["s3:ObjectCreated:Put"], "AWSLogs/"),
        &[Check::NotificationEvents],
    ),
    (
        "notification of deletions",
        |s| s.bucket().notification = queue(&["s3:ObjectRemoved:*"], ""),
        &[Check::NotificationNone],
    ),
    (
        "EventBridge",
        |s| {
            s.bucket().notification = "<EventBridgeConfiguration></EventBridgeConfiguration>".into()
        },
        &[],
    ),
    (
        "deletion denied",
        |s| {
            s.deletes();
            s.bucket().delete = (403, "AccessDenied");
        },
        &[Check::DeletionDenied],
    ),
    (
        "deletion of no answer",
        |s| {
            s.deletes();
            s.bucket().delete = (400, "SomethingNew");
        },
        &[Check::DeletionUnanswered],
    ),
    ("no index", |s| s.index_age = None, &[Check::MetadataNone]),
    (
        "an old index",
        |s| s.index_age = Some(SignedDuration::from_hours(30)),
        &[Check::MetadataStale],
    ),
    // ---- Flow logs ---------------------------------------------------------------------------------
    (
        "no flow log",
        Setup::without_flow_logs,
        &[Check::FlowLogNone, Check::FlowLogTransitGateway],
    ),
    (
        "a flow log of one subnet",
        |s| s.flow_log()["ResourceId"] = json!("subnet-0a"),
        &[Check::FlowLogPartial],
    ),
    (
        "flow logs denied",
        |s| s.error("DescribeFlowLogs", "UnauthorizedOperation", 403),
        &[Check::FlowLogUnknown, Check::EndpointDenied],
    ),
    (
        "inactive",
        |s| s.flow_log()["FlowLogStatus"] = json!("INACTIVE"),
        &[Check::FlowLogInactive, Check::FlowLogNone],
    ),
    (
        "failed delivery",
        |s| {
            s.flow_log()["DeliverLogsStatus"] = json!("FAILED");
            s.flow_log()["DeliverLogsErrorMessage"] = json!("Access error");
        },
        &[Check::FlowLogFailed],
    ),
    (
        "CloudWatch Logs",
        |s| {
            s.flow_log()["LogDestinationType"] = json!("cloud-watch-logs");
            s.flow_log()["LogDestination"] =
                json!("arn:aws:logs:us-east-1:111111111111:log-group:flows");
        },
        &[Check::FlowLogElsewhere],
    ),
    (
        "another bucket",
        |s| s.flow_log()["LogDestination"] = json!("arn:aws:s3:::others/net/"),
        &[Check::FlowLogOtherBucket],
    ),
    (
        "a format without bytes",
        |s| s.flow_log()["LogFormat"] = json!(format(LoggedResource::Vpc, &["bytes"])),
        &[Check::FlowLogRequired],
    ),
    (
        "default format",
        |s| {
            s.flow_log()["LogFormat"] = json!(
                "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"
            )
        },
        &[Check::FlowLogDefaultFormat],
    ),
    (
        "a format without direction",
        |s| s.flow_log()["LogFormat"] = json!(format(LoggedResource::Vpc, &["flow-direction"])),
        &[Check::FlowLogFields],
    ),
    (
        "a format without ECS",
        |s| s.flow_log()["LogFormat"] = json!(format(LoggedResource::Vpc, &["ecs-task-id"])),
        &[],
    ),
    (
        "600 s",
        |s| s.flow_log()["MaxAggregationInterval"] = json!(600),
        &[Check::FlowLogAggregation],
    ),
    (
        "rejections only",
        |s| s.flow_log()["TrafficType"] = json!("REJECT"),
        &[Check::FlowLogTraffic],
    ),
    // ---- Firewall logs and arrival -----------------------------------------------------------------
    (
        "a firewall without logs",
        |s| *s.firewall_logs() = json!([]),
        &[Check::FirewallLogNone],
    ),
    (
        "a firewall without flows",
        |s| drop(s.firewall_logs().as_array_mut().unwrap().pop()),
        &[Check::FirewallLogPartial],
    ),
    (
        "a firewall that logs elsewhere",
        |s| s.firewall_logs()[0]["LogDestination"]["bucketName"] = json!("others"),
        &[Check::FirewallLogElsewhere],
    ),
    (
        "firewall logs denied",
        |s| s.error("DescribeLoggingConfiguration", "AccessDeniedException", 400),
        &[Check::FirewallLogUnknown, Check::EndpointDenied],
    ),
    (
        "nothing arrives",
        |s| s.bucket().keys.clear(),
        &[Check::ArrivalNone],
    ),
    (
        "records late",
        |s| {
            let late = key(&s.account, VPC_LOG, SignedDuration::from_hours(2));
            s.bucket().keys[0] = late;
        },
        &[Check::ArrivalLate],
    ),
];

/// The setups, one account each, and the servers that answer them.
struct World {
    aws: ReplayServer,
    s3: Buckets,
}

impl World {
    async fn of(tools: &Path, setups: &[Setup]) -> World {
        let (mut answers, mut secrets, mut regions) = (Map::new(), Map::new(), Map::new());
        let mut roles = Vec::new();
        for setup in setups {
            for (operation, answer) in &setup.answers {
                let name = format!("{}/{REGION}/{operation}", setup.account);
                answers.insert(name, answer.clone());
            }
            secrets.insert(setup.access_key(), json!(SECRET));
            regions.insert(setup.account.clone(), json!(setup.regions));
            roles.extend(setup.role.clone());
        }
        let faults: Vec<&Value> = setups.iter().flat_map(|setup| &setup.faults).collect();
        let scenario = json!({"estate": "empty", "answers": answers, "secrets": secrets, "roles": roles,
            "account_regions": regions, "faults": faults, "record_answers": false});
        let buckets = setups
            .iter()
            .filter_map(|setup| Some((bucket_of(&setup.account), setup.bucket.clone()?)));
        World {
            aws: ReplayServer::start(tools, &scenario),
            s3: Buckets::start(buckets.collect()).await,
        }
    }

    /// Runs the program; returns its exit code, what it wrote, and what it complained of.
    async fn check(&self, setup: &Setup, further: &[&str]) -> (i32, String, String) {
        let binary = tokio::task::spawn_blocking(cloud_export).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let index = home.path().join("metadata").join(DIRECTORY_KEY);
        if let Some(age) = setup.index_age {
            std::fs::create_dir_all(index.parent().unwrap()).unwrap();
            let file = std::fs::File::create(&index).unwrap();
            file.set_modified((Timestamp::now() - age).into()).unwrap();
        }
        let access_key = setup.access_key();
        let fixed = [
            ("PATH", "/usr/bin:/bin"),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", &access_key),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", self.aws.endpoint()),
            ("AWS_ENDPOINT_URL_S3", self.s3.endpoint()),
            ("AWS_MAX_ATTEMPTS", "1"),
        ];
        let ran = Command::new(binary)
            .arg("check")
            .args(["--logs", &format!("s3://{}", bucket_of(&setup.account))])
            .args(["--metadata", "file://metadata"])
            .args([
                "--primary-role",
                &format!("arn:aws:iam::{}:role/primary", setup.account),
            ])
            .args(&setup.options)
            .args(further)
            .env_clear()
            .envs(fixed)
            .envs(setup.environment.iter().cloned())
            .env("HOME", home.path())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .output();
        let ran = within("the check", ran).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            ran.status.code().unwrap(),
            text(ran.stdout),
            text(ran.stderr),
        )
    }
}

fn account(number: usize) -> String {
    format!("{}", 100_000_000_001 + number)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_setup_is_told_and_a_whole_one_is_left_alone() {
    let Some(tools) = tools() else { return };
    let setups: Vec<Setup> = BROKEN
        .iter()
        .enumerate()
        .map(|(number, (_, break_it, _))| {
            let mut setup = Setup::whole(account(number));
            break_it(&mut setup);
            setup
        })
        .collect();
    let world = World::of(&tools, &setups).await;
    let runs = setups.iter().map(|setup| world.check(setup, &["--json"]));
    let runs: Vec<_> = stream::iter(runs).buffered(4).collect().await;
    let mut wrong = Vec::new();
    for ((name, _, expected), (code, written, complained)) in BROKEN.iter().zip(runs) {
        let report: Value = serde_json::from_str(&written)
            .unwrap_or_else(|error| panic!("{name}: {error}: {written}{complained}"));
        let findings = report["findings"].as_array().unwrap();
        let bad = |finding: &&Value| {
            ["error", "warning"].contains(&finding["severity"].as_str().unwrap())
        };
        let found: BTreeSet<&str> = findings
            .iter()
            .filter(bad)
            .map(|finding| finding["code"].as_str().unwrap())
            .collect();
        let expected: BTreeSet<&str> = expected.iter().map(|check| check.code()).collect();
        let exits = i32::from(!expected.is_empty());
        if found != expected || code != exits {
            let found: Vec<&Value> = findings.iter().filter(bad).collect();
            wrong.push(format!(
                "{name}: {expected:?} were expected, exit {code}: {found:#?} {complained}"
            ));
        }
        for finding in findings.iter().filter(bad) {
            let fix = finding["fix"].as_str().unwrap_or_default();
            assert!(
                !fix.is_empty() && finding["why"].is_string(),
                "{name}: {finding}"
            );
            assert!(
                !fix.contains("id-1") && !fix.contains(SECRET),
                "{name}: {fix}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        world.s3.changes(),
        Vec::<String>::new(),
        "check changes nothing"
    );
    let changed = world
        .aws
        .requests()
        .into_iter()
        .filter(|request| request["operation"] == "CreateFlowLogs");
    assert_eq!(changed.count(), 0);
}

#[test]
fn there_is_a_broken_setup_for_every_finding_that_is_bad() {
    let tested: BTreeSet<Check> = BROKEN
        .iter()
        .flat_map(|(_, _, found)| *found)
        .copied()
        .collect();
    let bad = CHECKS.iter().filter(|info| info.severity > Severity::Info);
    let untested: Vec<&str> = bad
        .filter(|info| !tested.contains(&info.check))
        .map(|info| info.code)
        .collect();
    assert_eq!(untested, Vec::<&str>::new());
}

/// Several things at once, as they are.
fn estate() -> Setup {
    let mut setup = Setup::whole(account(0));
    let vpcs = json!([
        {"VpcId": "vpc-0a", "OwnerId": setup.account, "Tags": [{"Key": "Name", "Value": "shop"}]},
        {"VpcId": "vpc-0b", "OwnerId": setup.account, "Tags": [{"Key": "Name", "Value": "checkout"}]},
        {"VpcId": "vpc-0c", "OwnerId": setup.account},
    ]);
    setup.answers["ec2:DescribeVpcs"] = json!({"Vpcs": vpcs});
    let interface =
        json!({"NetworkInterfaceId": "eni-0c", "SubnetId": "subnet-0c", "VpcId": "vpc-0b"});
    let interfaces = &mut setup.answers["ec2:DescribeNetworkInterfaces"]["NetworkInterfaces"];
    interfaces.as_array_mut().unwrap().push(interface);
    let log = setup.flow_log();
    log["LogFormat"] = json!(
        telemetry::flow::layout::VPC_DEFAULT
            .split_whitespace()
            .map(|f| format!("${{{f}}}"))
            .collect::<Vec<_>>()
            .join(" ")
    );
    log["MaxAggregationInterval"] = json!(600);
    setup.error("DescribeRouteTables", "UnauthorizedOperation", 403);
    let day = SignedDuration::from_hours(24);
    let late = key(&setup.account, VPC_LOG, day * 10 + day / 2);
    let bucket = setup.bucket();
    bucket.notification.clear();
    bucket.keys = vec![late];
    setup
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_what_is_wrong_and_what_mends_it() {
    let Some(tools) = tools() else { return };
    let setup = estate();
    let world = World::of(&tools, std::slice::from_ref(&setup)).await;
    let mut golden = Golden::at("tests/check/golden");
    let (code, written, _) = world.check(&setup, &[]).await;
    assert_eq!(code, 1);
    golden.compare("broken-estate.txt", &written);
    let (code, written, _) = world
        .check(
            &setup,
            &["--fix-flow-logs", "--file-format", "parquet", "--hive"],
        )
        .await;
    assert_eq!(code, 0);
    golden.compare("fix-flow-logs.txt", &written);
    golden.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_flow_logs_are_created_when_that_is_confirmed() {
    let Some(tools) = tools() else { return };
    let setup = estate();
    let world = World::of(&tools, std::slice::from_ref(&setup)).await;
    let created = || {
        let requests = world.aws.requests().into_iter();
        let created = requests.filter(|request| request["operation"] == "CreateFlowLogs");
        created.collect::<Vec<Value>>()
    };
    world.check(&setup, &["--fix-flow-logs"]).await;
    assert_eq!(created().len(), 0);
    let (code, written, complained) = world.check(&setup, &["--fix-flow-logs", "--yes"]).await;
    assert_eq!(code, 0, "{written}{complained}");
    assert!(
        written.contains("# created fl-0c1b2c3d4e5f60718"),
        "{written}"
    );
    let requests = created();
    let [request] = requests.as_slice() else {
        panic!("{requests:#?}");
    };
    let expected = BTreeMap::from([
        ("ResourceType", json!("VPC")),
        ("ResourceIds", json!(["vpc-0b", "vpc-0c"])),
        ("TrafficType", json!("ALL")),
        ("LogDestinationType", json!("s3")),
        (
            "LogDestination",
            json!(format!("arn:aws:s3:::{}", bucket_of(&setup.account))),
        ),
        ("LogFormat", json!(format(LoggedResource::Vpc, &[]))),
        ("MaxAggregationInterval", json!(60)),
        (
            "DestinationOptions",
            json!({"FileFormat": "plain-text", "HiveCompatiblePartitions": false, "PerHourPartition": false}),
        ),
    ]);
    assert_eq!(request["parameters"], json!(expected));
    assert_eq!(world.s3.changes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_used_is_told_from_findings() {
    let Some(tools) = tools() else { return };
    let setup = Setup::whole(account(0));
    let world = World::of(&tools, std::slice::from_ref(&setup)).await;
    for (options, complaint) in [
        (&["--regions", "mars-1"][..], "CLOUD_EXPORT_REGIONS"),
        (&["--logs", "logs-use1"], "--logs"),
        (
            &["--fix-flow-logs", "--file-format", "csv"],
            "--file-format",
        ),
        (&["--yes"], "--fix-flow-logs"),
    ] {
        let (code, _, complained) = world.check(&setup, options).await;
        assert_eq!(code, 2, "{options:?}");
        assert!(complained.contains(complaint), "{complained}");
    }
}
