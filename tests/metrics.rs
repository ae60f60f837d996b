//! The export of metrics against CloudWatch as MiniStack has it, over a day of runs; and at scale, against a server that
//! does nothing but answer.
//!
//! What MiniStack lacks, pages and failures of CloudWatch, is put in front of it by `cloud/cloudwatch.py`. S3 is the tests'
//! own server, whose requests can be held: it has the ledgers, and is a destination beside a directory.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use e2e::binaries::cloud_export;
use e2e::programs::{ServerProgram, report, tools};
use e2e::s3_server::{Call, Fault, S3Server};
use e2e::samples::files;
use invocation::{Budget, aws};
use jiff::Timestamp;
use metadata_collector::aws_cloud::AwsCloud;
use metadata_collector::job::Export;
use metadata_collector::report::Report;
use metadata_collector::{Collector, Config};
use serde_json::Value;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const INTERVAL: i64 = 5 * MINUTE;

/// The time of the simulated day: this test's alone.
static NOW: AtomicI64 = AtomicI64::new(0);

fn now() -> Timestamp {
    Timestamp::from_second(NOW.load(Ordering::SeqCst)).unwrap()
}

/// What became of each account and region of a run.
type Reports = BTreeMap<(String, String), Value>;

struct Day {
    s3: S3Server,
    cloudwatch: ServerProgram,
    work: tempfile::TempDir,
    start: i64,
}

impl Day {
    async fn new(tools: &Path) -> Day {
        let work = tempfile::tempdir().unwrap();
        let arguments = ["--work".into(), work.path().into()];
        let cloudwatch = ServerProgram::start(tools, "cloud/cloudwatch.py", &arguments);
        Day {
            s3: S3Server::empty(&["metadata", "records-use1"]).await,
            start: cloudwatch.started()["start"].as_i64().unwrap(),
            cloudwatch,
            work,
        }
    }

    /// A time of the day.
    fn at(&self, hour: i64, minute: i64) -> i64 {
        self.start + hour * HOUR + minute * MINUTE
    }

    fn set(&self, time: i64) {
        NOW.store(time, Ordering::SeqCst);
        std::fs::write(self.work.path().join("now"), time.to_string()).unwrap();
    }

    /// What a process of the function has.
    async fn collector(&self) -> Collector<AwsCloud> {
        let datapoints = self.work.path().join("datapoints");
        let destinations = format!(
            "s3://records-use1/metrics?compression=none file://{}?compression=none",
            datapoints.display()
        );
        let lookup = |name: &str| {
            let value = match name {
                "CLOUD_EXPORT_METADATA" => "s3://metadata/network",
                "CLOUD_EXPORT_METRIC_DESTINATIONS" => &destinations,
                "CLOUD_EXPORT_PRIMARY_ROLE" => "arn:aws:iam::222222222222:role/primary",
                "CLOUD_EXPORT_ACCOUNTS" => "333333333333",
                "CLOUD_EXPORT_ROLE" => "reader",
                "CLOUD_EXPORT_REGIONS" => "us-east-1,us-west-2",
                "AWS_MAX_ATTEMPTS" => "2",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let config = Config::from_lookup(lookup).unwrap();
        let http = aws::http_client();
        let cloud = AwsCloud::new(self.aws(), http, config.attempts);
        let s3 = self.s3.client_config();
        let collector = Collector::on_aws(Arc::new(cloud), &s3, config, &|_| None, now);
        collector.await.unwrap()
    }

    fn aws(&self) -> SdkConfig {
        self.cloudwatch.sdk_config()
    }

    /// A run at the time that it is.
    async fn run(&self) -> Reports {
        let collector = self.collector().await;
        run(&collector).await
    }

    /// The rows of all files of a destination, each with the file's name.
    fn delivered(files: BTreeMap<String, Vec<u8>>) -> Vec<Value> {
        let rows = files.into_values().flat_map(|content| {
            let text = String::from_utf8(content).unwrap();
            let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
            rows.collect::<Vec<Value>>()
        });
        rows.collect()
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.work.path().join(name)).unwrap();
        let lines = text.lines();
        lines.map(|l| serde_json::from_str(l).unwrap()).collect()
    }
}

async fn run(collector: &Collector<AwsCloud>) -> Reports {
    let reports = Mutex::new(Reports::new());
    let observe = |report: Report<'_>| {
        if let Report::Metrics(report) = report {
            let unit = (report.unit.account.clone(), report.unit.region.clone());
            reports.lock().unwrap().insert(unit, report.to_json());
        }
    };
    let done = collector.everything(Export::Metrics, &Budget::UNLIMITED, &observe);
    done.await.unwrap();
    reports.into_inner().unwrap()
}

fn state<'r>(reports: &'r Reports, account: &str, region: &str) -> &'r str {
    let report = &reports[&(account.to_owned(), region.to_owned())];
    report["state"].as_str().unwrap()
}

/// What tells a datapoint from all others.
fn identity(row: &Value) -> String {
    let time = match &row["time"] {
        Value::String(time) => time.parse::<Timestamp>().unwrap().as_second(),
        time => time.as_i64().unwrap(),
    };
    let Value::Object(dimensions) = &row["dimensions"] else {
        panic!("no dimensions: {row}")
    };
    let dimensions: BTreeMap<&String, &Value> = dimensions.iter().collect();
    format!(
        "{} {} {} {} {dimensions:?} {} {time}",
        row["account"], row["region"], row["namespace"], row["metric"], row["statistic"]
    )
}

const A: &str = "222222222222";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_runs_delivers_each_datapoint_once() {
    let Some(tools) = tools() else { return };
    let day = Day::new(&tools).await;
    day.set(day.start);
    let collector = day.collector().await;
    let metadata = async |at: i64| {
        day.set(at);
        let observe = |_: Report<'_>| {};
        let done = collector.everything(Export::Metadata, &Budget::UNLIMITED, &observe);
        done.await.unwrap();
    };
    metadata(day.start).await;

    // Each five minutes, and later each fifteen or thirty; nobody runs for two hours.
    let times = (0..=24 * 12).map(|step| day.start + step * INTERVAL);
    let hours = |time: i64| (time - day.start) as f64 / HOUR as f64;
    let is_run = |time: &i64| match hours(*time) {
        hour if hour < 0.5 || (18.0..18.5).contains(&hour) => true,
        hour if hour > 2.0 && hour < 4.0 => false,
        hour if hour > 22.0 || (9.5..11.0).contains(&hour) || (12.5..14.0).contains(&hour) => {
            (*time - day.start) % (30 * MINUTE) == 0
        }
        _ => (*time - day.start) % (15 * MINUTE) == 0,
    };
    let mut runs = 0;
    let mut said: BTreeMap<String, u64> = BTreeMap::new();
    for time in times.filter(is_run) {
        if time == day.at(10, 30) {
            metadata(time).await;
        }
        day.set(time);
        let reports = match time - day.start {
            // Two at once: of each account and region one has the work.
            t if t == 20 * HOUR => {
                let other = day.collector().await;
                let (one, other) = tokio::join!(run(&collector), run(&other));
                for (unit, report) in &one {
                    let states = [report["state"].as_str(), other[unit]["state"].as_str()];
                    assert!(
                        states.contains(&Some("claimed")) || states.contains(&Some("idle")),
                        "{unit:?}: {report} {}",
                        other[unit]
                    );
                }
                one
            }
            // One is killed when everything is delivered, and the ledger does not know it yet.
            t if t == 18 * HOUR => {
                let key = format!("ledger/{A}/us-east-1");
                let before = day.s3.count(Call::Put, &key);
                day.s3.fault_after(1, Call::Put, &key, Fault::Silent, 1);
                let killed = day.collector().await;
                tokio::select! {
                    _ = run(&killed) => panic!("the ledger was written"),
                    () = async {
                        let mut requests = day.s3.arrived().len();
                        while day.s3.count(Call::Put, &key) < before + 2 {
                            requests += 1;
                            day.s3.arrival(requests).await;
                        }
                        // Another finds the claim.
                        assert_eq!(state(&day.run().await, A, "us-east-1"), "claimed");
                    } => {}
                }
                continue;
            }
            // One is killed when the first of its files is on its way.
            t if t == 21 * HOUR => {
                let before = day.s3.count(Call::Put, "metrics/");
                let killed = day.collector().await;
                tokio::select! {
                    _ = run(&killed) => {}
                    () = async {
                        let mut requests = day.s3.arrived().len();
                        while day.s3.count(Call::Put, "metrics/") <= before {
                            requests += 1;
                            day.s3.arrival(requests).await;
                        }
                    } => {}
                }
                continue;
            }
            _ => run(&collector).await,
        };
        runs += 1;
        for report in reports.into_values() {
            let state = report["state"].as_str().unwrap().to_owned();
            *said.entry(state).or_default() += 1;
            for (code, queries) in report["refused"].as_object().unwrap() {
                *said.entry(code.clone()).or_default() += queries.as_u64().unwrap();
            }
            assert_eq!(report["skipped_seconds"], 0, "{report}");
            assert_eq!(report["left_out"], serde_json::json!([]), "{report}");
        }
    }
    // What a run could not do, the next one does.
    day.set(day.at(24, 0));
    for report in run(&collector).await.into_values() {
        assert_ne!(report["state"], "failed", "{report}");
    }
    println!("{runs} runs: {said:?}");

    // What was to be read: all that was there when its period was settled.
    let last = day.at(24, 0);
    let settled = |row: &Value| row["settled"].as_i64().unwrap();
    let first = |row: &Value| {
        let (period, time) = (
            row["period"].as_i64().unwrap(),
            row["time"].as_i64().unwrap(),
        );
        let settle = settled(row) - time - period;
        let end = day.start - settle;
        end - end.rem_euclid(period) - period.max(INTERVAL)
    };
    let held = day.lines("held.ndjson");
    let is_due = |row: &&Value| {
        settled(row) <= last
            && row["arrived"].as_i64() <= row["settled"].as_i64()
            && row["time"].as_i64().unwrap() >= first(row)
    };
    let expected: BTreeMap<String, &Value> = held
        .iter()
        .filter(is_due)
        .map(|row| (identity(row), row))
        .collect();
    let every: BTreeSet<String> = held.iter().map(identity).collect();
    let directory = day.work.path().join("datapoints");
    let local = files(&directory).into_iter().map(|path| {
        let name = path.strip_prefix(&directory).unwrap().display().to_string();
        (name, std::fs::read(path).unwrap())
    });
    let places = [
        ("S3", day.s3.objects("records-use1")),
        ("a directory", local.collect()),
    ];
    for (place, files) in places {
        let rows = Day::delivered(files);
        let mut delivered: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for row in &rows {
            delivered.entry(identity(row)).or_default().push(row);
        }
        println!(
            "\n{place}\nnamespace                     expected  delivered  twice  missing  wrong  late"
        );
        let mut wrong_in_all = 0;
        let namespaces: BTreeSet<&str> = expected
            .values()
            .map(|row| row["namespace"].as_str().unwrap())
            .collect();
        assert_eq!(namespaces.len(), 16);
        for namespace in namespaces {
            let of = |row: &Value| row["namespace"] == namespace;
            let due = expected.iter().filter(|(_, row)| of(row));
            let (mut count, mut missing, mut wrong) = (0, 0, 0);
            for (identity, row) in due {
                count += 1;
                match delivered.get(identity).map(|rows| rows[0]) {
                    None => {
                        missing += 1;
                        if missing <= 3 {
                            println!(
                                "missing {identity} {}",
                                Timestamp::from_second(row["time"].as_i64().unwrap()).unwrap()
                            );
                        }
                    }
                    Some(got)
                        if (got["value"].as_f64().unwrap() - row["value"].as_f64().unwrap())
                            .abs()
                            > 1e-6 =>
                    {
                        wrong += 1;
                        if wrong <= 3 {
                            println!("wrong {got} is not {row}");
                        }
                    }
                    Some(_) => {}
                }
            }
            let got: Vec<_> = delivered.iter().filter(|(_, rows)| of(rows[0])).collect();
            let twice: Vec<_> = got.iter().filter(|(_, rows)| rows.len() > 1).collect();
            for (identity, _) in twice.iter().take(3) {
                println!("twice {identity}");
            }
            let late = got
                .iter()
                .filter(|(identity, _)| !expected.contains_key(*identity));
            let late = late
                .inspect(|(identity, _)| assert!(every.contains(*identity), "{identity}"))
                .count();
            println!(
                "{namespace:<28} {count:>9} {:>10} {:>6} {missing:>8} {wrong:>6} {late:>5}",
                got.len(),
                twice.len(),
            );
            wrong_in_all += missing + wrong + twice.len();
        }
        assert_eq!(wrong_in_all, 0, "{place}");
        joined(&rows);
    }

    // The destination got the same batches again, under the same names.
    let mut puts: BTreeMap<String, usize> = BTreeMap::new();
    for put in day
        .s3
        .arrived()
        .iter()
        .filter(|a| a.call == Call::Put && a.bucket == "records-use1")
    {
        *puts.entry(put.key.clone()).or_default() += 1;
    }
    assert!(puts.values().any(|times| *times > 1));
    // What is gone is not asked for any more, although it is listed for hours.
    let asked = day.lines("asked.ndjson");
    let of_gone = |row: &&Value| row["gone"] == true;
    let until = asked
        .iter()
        .filter(of_gone)
        .map(|row| row["now"].as_i64().unwrap())
        .max();
    assert!(until.unwrap() <= day.at(11, 0), "{until:?}");
    assert!(asked.iter().any(|row| row["throttled"] == true));
    assert!(
        said["Forbidden"] > 0 && said["partial"] > 0 && said["failed"] > 0,
        "{said:?}"
    );
    println!("{} calls of CloudWatch", asked.len());
}

/// Datapoints say what the inventory knows of their resources.
fn joined(rows: &[Value]) {
    let of = |namespace: &str, resource: &str| {
        let mut rows = rows.iter();
        let found =
            rows.find(|row| row["namespace"] == namespace && row["resource_name"] == resource);
        found.unwrap_or_else(|| panic!("no datapoint of {namespace} is about {resource}"))
    };
    for (namespace, resource, kind) in [
        ("AWS/NATGateway", "way-out", "nat-gateway"),
        ("AWS/EC2", "web", "instance"),
        ("AWS/ApplicationELB", "front-alb", "load-balancer"),
    ] {
        let row = of(namespace, resource);
        assert_eq!(row["resource_type"], kind);
        assert!(row["vpc"].as_str().unwrap().starts_with("vpc-"), "{row}");
        if kind != "load-balancer" {
            assert_eq!(row["tags"]["env"], "prod", "{row}");
        }
    }
}

#[test]
fn calls_are_packed_and_a_run_requests_what_the_plan_says() {
    let Some(tools) = tools() else { return };
    let work = tempfile::tempdir().unwrap();
    let arguments = [
        "--cloud-export".into(),
        cloud_export().into(),
        "--work".into(),
        work.path().into(),
        "--accounts".into(),
        "2".into(),
    ];
    let report = report(&tools, "cloud/many_metrics.py", &arguments, &[]);
    println!("{report:#}");
    assert_eq!(report["requested"], 10_000);
    assert_eq!(report["calls"], report["optimum"]);
}
