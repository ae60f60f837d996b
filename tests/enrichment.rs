//! The whole way on a cloud that nobody here wrote: an estate on moto, collected, and flows in it forwarded
//! by the built function.
//!
//! ```text
//! boto3 ─▶ moto ◀── cloud-export collect ──▶ s3://metadata ─┐
//!            s3://flow-logs ──▶ flow-forwarder ◀────────────┘
//!                                    └─▶ s3://records, compared with what boto3 says of both sides
//! ```

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use e2e::binaries::{Function, cloud_export};
use e2e::programs::tools;
use e2e::s3_server::S3Server;
use e2e::{project, within};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};
use telemetry::index::{DIRECTORY_KEY, shard_key};
use tempfile::TempDir;

const SHOP: &str = "111111111111";
const PARTNER: &str = "222222222222";
const HOME: &str = "us-east-1";
const ABROAD: &str = "eu-west-1";
const GIB: u64 = 1 << 30;
/// Nobody's, and kept for documentation.
const INTERNET: &str = "203.0.113.9";
const KEPT_OUT: &str = "198.51.100.7";

/// Columns of version 5, with their header.
const COLUMNS: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol \
    packets bytes start end action log-status vpc-id subnet-id instance-id tcp-flags type \
    pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id pkt-src-aws-service \
    pkt-dst-aws-service flow-direction traffic-path";

// --- The cloud ------------------------------------------------------------------------------------------------------

/// moto with the estate in it. Both end when it is dropped.
struct Cloud {
    child: Child,
    /// What boto3 says of the estate.
    told: Value,
    s3: Client,
    /// How many logs were put there: each has a name of its own.
    logs: Cell<usize>,
    work: TempDir,
}

impl Cloud {
    fn start(tools: &Path) -> Cloud {
        let work = tempfile::tempdir().unwrap();
        let mut child = Command::new(tools.join("bin/python"))
            .arg(project().join("tests/cloud/enriched.py"))
            .arg("--work")
            .arg(work.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = said(&mut child);
        let endpoint = told["endpoint"].as_str().unwrap();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(HOME))
            .endpoint_url(endpoint)
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
            .force_path_style(true)
            .build();
        let s3 = Client::from_conf(config);
        Cloud {
            child,
            told,
            s3,
            logs: Cell::new(0),
            work,
        }
    }

    fn endpoint(&self) -> &str {
        self.text("endpoint")
    }

    fn text(&self, member: &str) -> &str {
        self.told[member].as_str().unwrap()
    }

    fn address(&self, host: &str) -> &str {
        self.told["hosts"][host]["address"].as_str().unwrap()
    }

    fn terminate(&mut self, host: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{host}").unwrap();
        let done = said(&mut self.child);
        let instance = &self.told["hosts"][host]["side"]["instance_id"];
        assert_eq!(&done["terminated"], instance);
    }

    /// Runs the collector over both accounts.
    async fn collect(&self) {
        let binary = tokio::task::spawn_blocking(cloud_export).await.unwrap();
        let child = tokio::process::Command::new(binary)
            .args(["collect", "--json"])
            .env_clear()
            .env("HOME", self.work.path())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", HOME)
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // What moto lacks is an error of the service, which is worth a repetition elsewhere.
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("CLOUD_EXPORT_METADATA", "s3://metadata/network")
            .env(
                "CLOUD_EXPORT_PRIMARY_ROLE",
                format!("arn:aws:iam::{SHOP}:role/cloud-export-primary"),
            )
            .env("CLOUD_EXPORT_ACCOUNTS", "organization")
            .env("CLOUD_EXPORT_ROLE", "cloud-export-reader")
            .env("CLOUD_EXPORT_REGIONS", format!("{HOME},{ABROAD}"))
            .current_dir(self.work.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = within("the collector", child).await.unwrap();
        // 1: moto does not have every call.
        let ended = matches!(output.status.code(), Some(0 | 1));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(ended, "{}: {stderr}", output.status);
    }

    async fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(bucket).prefix(prefix);
        let mut pages = list.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let contents = page.unwrap().contents.unwrap_or_default();
            keys.extend(contents.into_iter().map(|object| object.key.unwrap()));
        }
        keys
    }

    async fn put(&self, bucket: &str, key: &str, content: Vec<u8>) {
        let put = self.s3.put_object().bucket(bucket).key(key);
        put.body(content.into()).send().await.unwrap();
    }

    async fn get(&self, bucket: &str, key: &str) -> Vec<u8> {
        let object = self.s3.get_object().bucket(bucket).key(key).send().await;
        object.unwrap().body.collect().await.unwrap().to_vec()
    }

    async fn delete(&self, bucket: &str, key: &str) {
        let delete = self.s3.delete_object().bucket(bucket).key(key);
        delete.send().await.unwrap();
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // It ends moto, and itself, when its standard input is closed.
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// A line that the estate's program says.
fn said(child: &mut Child) -> Value {
    let mut line = Vec::new();
    // A line at a time, and nothing is sent ahead: no byte behind the line is lost.
    let mut stdout = BufReader::new(child.stdout.as_mut().unwrap());
    stdout.read_until(b'\n', &mut line).unwrap();
    serde_json::from_slice(&line).unwrap_or_else(|e| panic!("the estate was not made: {e}"))
}

// --- Flows ----------------------------------------------------------------------------------------------------------

/// A row of a flow log: who logged it, and what.
#[derive(Clone)]
struct Flow {
    /// The host whose interface logged it.
    at: &'static str,
    source: String,
    destination: String,
    port: u16,
    bytes: u64,
    start: i64,
    accepted: bool,
    direction: &'static str,
    path: &'static str,
    service: &'static str,
}

impl Flow {
    /// What `at` sends, a GiB of it.
    fn egress(cloud: &Cloud, at: &'static str, to: &str, path: &'static str, start: i64) -> Flow {
        Flow {
            at,
            source: cloud.address(at).to_owned(),
            destination: to.to_owned(),
            port: 443,
            bytes: GIB,
            start,
            accepted: true,
            direction: "egress",
            path,
            service: "-",
        }
    }

    /// What `at` receives and does not accept.
    fn rejected(cloud: &Cloud, at: &'static str, from: &str, port: u16, start: i64) -> Flow {
        Flow {
            source: from.to_owned(),
            destination: cloud.address(at).to_owned(),
            port,
            bytes: 40,
            accepted: false,
            direction: "ingress",
            ..Flow::egress(cloud, at, "", "-", start)
        }
    }

    /// As a row of version 5.
    fn row(&self, cloud: &Cloud) -> String {
        let Flow {
            source,
            destination,
            port,
            bytes,
            start,
            direction,
            path,
            service,
            ..
        } = self;
        let own = &cloud.told["hosts"][self.at]["side"];
        let own = |member: &str| own[member].as_str().unwrap_or("-");
        let action = if self.accepted { "ACCEPT" } else { "REJECT" };
        [
            format!("5 {} {}", own("account_id"), own("interface_id")),
            format!("{source} {destination} 40001 {port} 6 10 {bytes}"),
            format!("{start} {} {action} OK", start + 59),
            format!(
                "{} {} {}",
                own("vpc_id"),
                own("subnet_id"),
                own("instance_id")
            ),
            format!(
                "2 IPv4 {source} {destination} {} {}",
                own("region"),
                own("az_id")
            ),
            format!("- - - {service} {direction} {path}"),
        ]
        .join(" ")
    }
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// The forwarder between the buckets of the cloud.
struct Forwarder<'c> {
    cloud: &'c Cloud,
    function: Function,
}

impl<'c> Forwarder<'c> {
    async fn start(cloud: &'c Cloud, settings: &[(&str, &str)]) -> Forwarder<'c> {
        let mut all = vec![
            ("AWS_ENDPOINT_URL_S3", cloud.endpoint()),
            (
                "CLOUD_EXPORT_DESTINATIONS",
                "s3://records/flows?compression=none",
            ),
            ("CLOUD_EXPORT_METADATA", "s3://metadata/network"),
        ];
        all.extend(settings);
        // moto is S3 here.
        let unused = S3Server::empty(&[]).await;
        let function = Function::start(&unused, &all).await;
        Forwarder { cloud, function }
    }

    /// Puts a log object of an account and region, has it forwarded, and returns the records.
    async fn forward(&mut self, account: &str, region: &str, log: &str, text: &str) -> Vec<Value> {
        let number = self.cloud.logs.get();
        self.cloud.logs.set(number + 1);
        let key = format!(
            "AWSLogs/{account}/vpcflowlogs/{region}/2026/11/21/\
             {account}_vpcflowlogs_{region}_{log}_20261121T0000Z_{number:08x}.log.gz"
        );
        self.cloud.put("flow-logs", &key, gzipped(text)).await;
        let event = json!({"Records": [{
            "eventVersion": "2.6", "eventSource": "aws:s3", "awsRegion": region,
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "flow-logs"}, "object": {"key": key}},
        }]});
        let answer = self.function.invoke(&event).await;
        assert_eq!(answer.response(), json!({"status": "done"}));
        let written = format!("flows/flow-logs/{key}.");
        let mut records = Vec::new();
        for key in self.cloud.keys("records", &written).await {
            let content = self.cloud.get("records", &key).await;
            let lines = content.split(|byte| *byte == b'\n');
            let lines = lines.filter(|line| !line.is_empty());
            records.extend(lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()));
        }
        records
    }

    /// The same for flows in the VPC `shop`, with all columns.
    async fn shop(&mut self, flows: &[Flow]) -> Vec<Value> {
        let rows: Vec<String> = flows.iter().map(|flow| flow.row(self.cloud)).collect();
        let text = format!("{COLUMNS}\n{}\n", rows.join("\n"));
        let log = self.cloud.told["flow_logs"]["shop"].as_str().unwrap();
        let records = self.forward(SHOP, HOME, log, &text).await;
        assert_eq!(records.len(), flows.len(), "{records:#?}");
        records
    }
}

// --- What is added --------------------------------------------------------------------------------------------------

/// A side that is a host, found so.
fn known(cloud: &Cloud, host: &str, how: &str) -> Value {
    let mut side = cloud.told["hosts"][host]["side"].clone();
    side["status"] = json!("hit");
    side["how"] = json!(how);
    side
}

/// A side of which nothing is known but the host's subnet.
fn placed(cloud: &Cloud, host: &str) -> Value {
    let mut side = known(cloud, host, "subnet");
    let kept = |name: &String| {
        let told =
            name.starts_with("account") || name.starts_with("vpc") || name.starts_with("subnet");
        told || ["status", "how", "region", "az_id"].contains(&&**name)
    };
    side.as_object_mut().unwrap().retain(|name, _| kept(name));
    side
}

/// Somebody's public address.
fn public() -> Value {
    json!({"status": "hit", "how": "public"})
}

/// What is to be added to a TCP flow that the VPC `shop` logs.
fn added(cloud: &Cloud, direction: &str, sides: [Value; 2], facts: Value) -> Value {
    let mut all = json!({
        "device": cloud.told["hosts"]["proxy"]["side"]["vpc_id"], "device_type": "vpc",
        "device_name": "shop", "direction": direction,
        "protocol_name": "TCP", "tcp_flag_names": "SYN",
    });
    for (prefix, side) in ["src_", "dst_"].into_iter().zip(sides) {
        for (name, value) in side.as_object().unwrap() {
            all[format!("{prefix}{name}")] = value.clone();
        }
    }
    for (name, value) in facts.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

/// What was added to a record: what is no column of the log.
fn beside_columns(record: &Value) -> Value {
    let columns: BTreeSet<String> = COLUMNS
        .split(' ')
        .map(|column| column.replace('-', "_"))
        .collect();
    let fields = record.as_object().unwrap().iter();
    let added = fields.filter(|(name, _)| !columns.contains(*name));
    Value::Object(added.map(|(n, v)| (n.clone(), v.clone())).collect())
}

/// Compares field by field, and tells every difference.
fn compare(what: &str, record: &Value, expected: &Value) {
    let found = beside_columns(record);
    let (found, expected) = (found.as_object().unwrap(), expected.as_object().unwrap());
    let names: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| found.get(*name) != expected.get(*name));
    let differences: Vec<String> = differ
        .map(|name| {
            format!(
                "{name}: {:?}, not {:?}",
                found.get(name),
                expected.get(name)
            )
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{what}:\n{}",
        differences.join("\n")
    );
}

const FULL: &[(&str, &str)] = &[
    ("CLOUD_EXPORT_ENRICH", "full"),
    ("CLOUD_EXPORT_TAGS", "team"),
    // Every invocation asks for the index anew.
    ("CLOUD_EXPORT_INDEX_REFRESH_S", "0"),
];

// --- The tests ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn flows_say_which_resources_which_path_which_cost_and_why_they_were_rejected() {
    let Some(tools) = tools() else { return };
    let cloud = Cloud::start(&tools);
    let start = Timestamp::now().as_second();
    cloud.collect().await;
    let egress = |at, to: &str, path| Flow::egress(&cloud, at, to, path, start);
    let to = |at, host: &str, path| egress(at, cloud.address(host), path);
    let own = |host| known(&cloud, host, "interface");
    let here = |host| known(&cloud, host, "address");
    let out = |sides, facts| added(&cloud, "egress", sides, facts);
    let rejected = |at, from: &str, port| Flow::rejected(&cloud, at, from, port, start);
    let (acl, group) = (cloud.text("acl"), cloud.text("data_group"));
    let denied =
        format!("network ACL {acl}: inbound entry 90 denies all traffic from 198.51.100.0/24");
    let refused = format!("no inbound rule of {group} allows tcp 5432 from 10.20.0.5");
    let cases = [
        (
            "within a zone",
            to("checkout", "cache", "1"),
            out(
                [own("checkout"), here("cache")],
                json!({"via": "vpc", "scope": "intra-az", "confidence": "high",
                    "count_volume": true, "transfer_cost_usd": 0}),
            ),
        ),
        (
            "to another zone",
            to("checkout", "orders-db", "1"),
            out(
                [own("checkout"), here("orders-db")],
                json!({"via": "vpc", "scope": "inter-az", "confidence": "high",
                    "count_volume": true, "transfer_cost_usd": 0.01}),
            ),
        ),
        (
            "the same, where it arrives",
            Flow {
                source: cloud.address("checkout").to_owned(),
                destination: cloud.address("orders-db").to_owned(),
                direction: "ingress",
                ..to("orders-db", "checkout", "-")
            },
            added(
                &cloud,
                "ingress",
                [here("checkout"), own("orders-db")],
                json!({"via": "vpc", "scope": "inter-az", "confidence": "medium",
                    "count_volume": false, "transfer_cost_usd": 0.01}),
            ),
        ),
        (
            "to a peered VPC of another account, whose address a VPC of this account has too",
            to("checkout", "orders-api", "4"),
            out(
                [own("checkout"), known(&cloud, "orders-api", "peering")],
                json!({"via": "peering", "scope": "inter-az", "confidence": "high",
                    "gateway_type": "peering-connection", "gateway_id": cloud.text("near_peering"),
                    "count_volume": true, "transfer_cost_usd": 0.01}),
            ),
        ),
        (
            "to a peered VPC of another account and region",
            to("checkout", "ledger-api", "5"),
            out(
                [own("checkout"), known(&cloud, "ledger-api", "peering")],
                json!({"via": "peering", "scope": "inter-region", "confidence": "high",
                    "gateway_type": "peering-connection", "gateway_id": cloud.text("far_peering"),
                    "count_volume": true, "transfer_cost_usd": 0.02}),
            ),
        ),
        (
            "to the internet, by the NAT gateway of another zone",
            egress("orders-db", INTERNET, "1"),
            out(
                [own("orders-db"), public()],
                json!({"via": "nat-gateway", "scope": "inter-az", "confidence": "medium",
                    "gateway_type": "nat-gateway", "gateway_id": cloud.text("nat_gateway"),
                    "count_volume": true, "transfer_cost_usd": 0.01}),
            ),
        ),
        (
            "to the internet, by the internet gateway",
            egress("proxy", INTERNET, "8"),
            out(
                [own("proxy"), public()],
                json!({"via": "internet-gateway", "scope": "internet", "confidence": "high",
                    "gateway_type": "internet-gateway", "gateway_id": cloud.text("internet_gateway"),
                    "count_volume": true, "transfer_cost_usd": 0.09}),
            ),
        ),
        (
            "to S3, by the gateway endpoint",
            Flow {
                service: "S3",
                ..egress("checkout", cloud.text("service_address"), "7")
            },
            out(
                [
                    own("checkout"),
                    json!({"status": "hit", "how": "aws-service", "service": "S3"}),
                ],
                json!({"via": "gateway-endpoint", "scope": "intra-region", "confidence": "high",
                    "gateway_type": "gateway-endpoint", "gateway_id": cloud.text("gateway_endpoint"),
                    "count_volume": true, "transfer_cost_usd": 0}),
            ),
        ),
        (
            "what the network ACL keeps out",
            rejected("proxy", KEPT_OUT, 443),
            added(
                &cloud,
                "ingress",
                [public(), own("proxy")],
                json!({"via": "internet-gateway", "scope": "internet", "confidence": "low",
                    "gateway_type": "internet-gateway", "gateway_id": cloud.text("internet_gateway"),
                    "count_volume": true, "transfer_cost_usd": 0,
                    "reject_by": "network-acl", "reject_id": acl, "reject_rule": "inbound 90",
                    "reject_explanation": denied}),
            ),
        ),
        (
            "what no rule of the security group accepts",
            rejected("orders-db", cloud.address("proxy"), 5432),
            added(
                &cloud,
                "ingress",
                [here("proxy"), own("orders-db")],
                json!({"via": "vpc", "scope": "inter-az", "confidence": "medium",
                    "count_volume": false, "transfer_cost_usd": 0,
                    "reject_by": "security-group", "reject_id": group,
                    "reject_explanation": refused}),
            ),
        ),
    ];
    let flows: Vec<Flow> = cases.iter().map(|(_, flow, _)| flow.clone()).collect();
    let mut forwarder = Forwarder::start(&cloud, FULL).await;
    let records = forwarder.shop(&flows).await;
    for ((what, _, expected), record) in cases.iter().zip(&records) {
        compare(what, record, expected);
    }

    // AWS's default format tells no more than the interface and the addresses.
    let (interface, from) = (own("ledger-api"), cloud.address("ledger-api"));
    let (id, back) = (
        interface["interface_id"].as_str().unwrap(),
        cloud.address("checkout"),
    );
    let row =
        format!("2 {PARTNER} {id} {from} {back} 443 40001 6 10 {GIB} {start} {start} ACCEPT OK\n");
    let log = cloud.told["flow_logs"]["ledger"].as_str().unwrap();
    let records = forwarder.forward(PARTNER, ABROAD, log, &row).await;
    let mut expected = out(
        [interface.clone(), known(&cloud, "checkout", "peering")],
        json!({"via": "peering", "scope": "inter-region", "confidence": "low",
            "gateway_type": "peering-connection", "gateway_id": cloud.text("far_peering"),
            "device": interface["vpc_id"], "device_name": "ledger",
            "count_volume": true, "transfer_cost_usd": 0.02}),
    );
    expected.as_object_mut().unwrap().remove("tcp_flag_names");
    let [record] = &records[..] else {
        panic!("{records:#?}")
    };
    compare(
        "from the other region, in the default format",
        record,
        &expected,
    );

    // What is added by default is less, and the same.
    let flow = cases.iter().find(|(what, ..)| *what == "to another zone");
    let (what, flow, expected) = flow.unwrap();
    let records = Forwarder::start(&cloud, &[])
        .await
        .shop(std::slice::from_ref(flow))
        .await;
    let found = beside_columns(&records[0]);
    let names: BTreeSet<&str> = found.as_object().unwrap().keys().map(|n| &**n).collect();
    for name in [
        "src_resource_name",
        "dst_resource_name",
        "src_vpc_name",
        "dst_az_id",
        "via",
        "scope",
    ] {
        assert!(names.contains(name), "{what}: {name} is not there");
    }
    assert!(!names.contains("src_tag_team") && !names.contains("src_security_groups"));
    assert!(
        names.iter().all(|name| found[*name] == expected[*name]),
        "{what}: {found:#}"
    );
}

#[tokio::test]
async fn an_instance_that_was_terminated_is_still_told_for_flows_of_before() {
    let Some(tools) = tools() else { return };
    let mut cloud = Cloud::start(&tools);
    let before = Timestamp::now().as_second();
    cloud.collect().await;
    let collected = Timestamp::now().as_second();
    cloud.terminate("cache");
    cloud.collect().await;
    let after = Timestamp::now().as_second();
    let mut forwarder = Forwarder::start(&cloud, FULL).await;
    let flow = |start| Flow::egress(&cloud, "checkout", cloud.address("cache"), "1", start);
    let records = forwarder.shop(&[flow(before), flow(after)]).await;
    let own = || known(&cloud, "checkout", "interface");
    let facts = || {
        json!({"via": "vpc", "scope": "intra-az", "confidence": "high",
        "count_volume": true, "transfer_cost_usd": 0})
    };
    let mut vanished = known(&cloud, "cache", "address");
    let seen = records[0]["dst_seen"].as_i64().unwrap();
    assert!(
        (before..=collected).contains(&seen),
        "{before} {seen} {collected}"
    );
    vanished["seen"] = json!(seen);
    let expected = added(&cloud, "egress", [own(), vanished], facts());
    compare("before it was terminated", &records[0], &expected);
    let expected = added(&cloud, "egress", [own(), placed(&cloud, "cache")], facts());
    compare("after it was found gone", &records[1], &expected);
}

#[tokio::test]
async fn records_are_forwarded_and_marked_when_the_index_is_damaged_or_gone() {
    let Some(tools) = tools() else { return };
    let cloud = Cloud::start(&tools);
    let start = Timestamp::now().as_second();
    let to = |host, path| Flow::egress(&cloud, "checkout", cloud.address(host), path, start);
    let flows = [to("orders-db", "1"), to("orders-api", "4")];
    let mut forwarder = Forwarder::start(&cloud, FULL).await;
    let key = |file: &str| format!("network/{file}");
    let (directory, shard) = (key(DIRECTORY_KEY), key(&shard_key(SHOP, HOME)));
    let columns_only = || {
        let mut side = known(&cloud, "checkout", "record");
        let kept = [
            "status",
            "how",
            "account_id",
            "region",
            "az_id",
            "vpc_id",
            "subnet_id",
            "interface_id",
            "instance_id",
        ];
        side.as_object_mut()
            .unwrap()
            .retain(|name, _| kept.contains(&&**name));
        side
    };
    let unknown = |trouble, how| {
        let sides = [columns_only(), json!({"status": "miss", "how": how})];
        let facts = json!({"via": "unknown", "scope": "unknown", "confidence": "low",
            "count_volume": true, "metadata": trouble});
        let mut expected = added(&cloud, "egress", sides, facts);
        expected.as_object_mut().unwrap().remove("device_name");
        expected
    };
    let within = added(
        &cloud,
        "egress",
        [
            known(&cloud, "checkout", "interface"),
            known(&cloud, "orders-db", "address"),
        ],
        json!({"via": "vpc", "scope": "inter-az", "confidence": "high",
            "count_volume": true, "transfer_cost_usd": 0.01}),
    );

    let records = forwarder.shop(&flows).await;
    compare(
        "before the first collection",
        &records[0],
        &unknown("missing", "no-index"),
    );

    cloud.collect().await;
    let records = forwarder.shop(&flows).await;
    compare("collected", &records[0], &within);
    assert_eq!(records[1]["dst_resource_name"], "orders-api");

    cloud.put("metadata", &shard, b"garbage".to_vec()).await;
    let records = forwarder.shop(&flows).await;
    // The directory knows accounts and VPCs.
    let mut expected = unknown("corrupt", "index-corrupt");
    expected["src_account_name"] = within["src_account_name"].clone();
    expected["src_vpc_name"] = json!("shop");
    expected["device_name"] = json!("shop");
    compare("the shard is damaged", &records[0], &expected);

    cloud.collect().await;
    let records = forwarder.shop(&flows).await;
    compare("collected again", &records[0], &within);

    cloud.delete("metadata", &directory).await;
    let records = forwarder.shop(&flows).await;
    // The shard tells its own VPCs. Nobody is taken for the peered VPC, also not who has the address here.
    for name in ["dst_resource_name", "dst_vpc_name", "via", "scope"] {
        assert_eq!(records[0][name], within[name], "{name}");
    }
    assert_eq!(records[1]["dst_status"], "miss");
    assert!(records[1]["dst_resource_name"].is_null());

    for key in cloud.keys("metadata", "network/index/").await {
        cloud.delete("metadata", &key).await;
    }
    let records = forwarder.shop(&flows).await;
    compare(
        "the index is gone",
        &records[0],
        &unknown("missing", "no-index"),
    );
}
