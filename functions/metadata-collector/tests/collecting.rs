//! The collector over a recorded cloud in which things go wrong: what is kept, what is told, what is
//! reported.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use delivery::destination::Connections;
use delivery::{Store, lane};
use flate2::read::GzDecoder;
use invocation::{Budget, aws};
use jiff::{SignedDuration, Timestamp};
use metadata_collector::cloud::{Cloud, Granted, Place};
use metadata_collector::collector::Outputs;
use metadata_collector::job::Export;
use metadata_collector::recorded_cloud::RecordedCloud;
use metadata_collector::report::{Report, UnitReport, UnitState};
use metadata_collector::store::{SnapshotStore, current_key};
use metadata_collector::{Collector, Config};
use serde_json::{Map, Value, json};
use telemetry::describe::catalogue::Endpoint;
use telemetry::describe::service::Service;
use telemetry::describe::state::{CallFailure, Silence, State};
use telemetry::describe::walk::Call;
use telemetry::index::{DIRECTORY_KEY, Directory, Holder, Shard, shard_key};
use telemetry::snapshot::{GLOBAL, Snapshot};
use telemetry::status::{Export as Told, Key, PAGE_KEY, RunState, STATUS_KEY, Status};
use telemetry::target::Hop;

const HUB: &str = "111111111111";
const A: &str = "222222222222";
const B: &str = "333333333333";

/// Milliseconds since 1970, moved on by one with each look.
static CLOCK: AtomicI64 = AtomicI64::new(1_795_190_400_000);

fn now() -> Timestamp {
    Timestamp::from_millisecond(CLOCK.fetch_add(1, Ordering::Relaxed)).unwrap()
}

fn pass(seconds: i64) {
    CLOCK.fetch_add(seconds * 1000, Ordering::Relaxed);
}

type Fault = dyn Fn(&Place, &Call) -> Option<CallFailure> + Send + Sync;

/// A cloud in which roles are refused, sessions end and calls fail.
struct Troubled {
    cloud: RecordedCloud,
    refused: Vec<String>,
    lifetime: SignedDuration,
    fault: Box<Fault>,
    /// A section whose answer never comes, in account A.
    stuck: Option<&'static str>,
    assumed: Mutex<Vec<String>>,
    /// Calls by place and operation.
    calls: Mutex<HashMap<String, usize>>,
    /// Calls that are under way, by account and region, and the most places there were at once.
    under_way: Mutex<(HashMap<String, usize>, usize)>,
}

impl Troubled {
    fn new(cloud: RecordedCloud) -> Troubled {
        Troubled {
            cloud,
            refused: Vec::new(),
            lifetime: SignedDuration::from_hours(1000),
            fault: Box::new(|_, _| None),
            stuck: None,
            assumed: Mutex::default(),
            calls: Mutex::default(),
            under_way: Mutex::default(),
        }
    }

    fn failing(
        self,
        fault: impl Fn(&Place, &Call) -> Option<CallFailure> + Send + Sync + 'static,
    ) -> Troubled {
        Troubled {
            fault: Box::new(fault),
            ..self
        }
    }

    fn calls_of(&self, operation: &str) -> usize {
        let calls = self.calls.lock().unwrap();
        let of = calls.iter().filter(|(name, _)| name.ends_with(operation));
        of.map(|(_, count)| *count).sum()
    }
}

impl Cloud for Troubled {
    type Credentials = (String, usize);
    type Lane = Place;

    async fn own(&self) -> Result<Granted<Self::Credentials>, CallFailure> {
        let own = self.cloud.own().await?;
        Ok(Granted {
            credentials: (own.credentials, 0),
            expires: None,
        })
    }

    async fn account(&self, with: &Self::Credentials) -> Result<(String, String), CallFailure> {
        self.cloud.account(&with.0).await
    }

    async fn assume(
        &self,
        with: &Self::Credentials,
        hop: &Hop,
    ) -> Result<Granted<Self::Credentials>, CallFailure> {
        let role = hop.role.to_string();
        self.assumed.lock().unwrap().push(role.clone());
        if self.refused.contains(&role) {
            return Err(CallFailure::of_code("AccessDenied", "not authorized", None));
        }
        let granted = self.cloud.assume(&with.0, hop).await?;
        Ok(Granted {
            credentials: (granted.credentials, self.assumed.lock().unwrap().len()),
            expires: Some(now() + self.lifetime),
        })
    }

    fn has(&self, _: &Place, _: &Endpoint) -> bool {
        true
    }

    fn lane(&self, place: Place) -> Place {
        place
    }

    async fn call(
        &self,
        place: &Place,
        with: &Self::Credentials,
        call: &Call,
    ) -> Result<Value, CallFailure> {
        let name = format!(
            "{} {} {}",
            place.account, place.region, call.endpoint.operation
        );
        *self.calls.lock().unwrap().entry(name).or_default() += 1;
        let at = format!("{} {}", place.account, place.region);
        {
            let (places, most) = &mut *self.under_way.lock().unwrap();
            *places.entry(at.clone()).or_default() += 1;
            *most = places.len().max(*most);
        }
        // The others have their turn while this one is under way.
        tokio::task::yield_now().await;
        {
            let (places, _) = &mut *self.under_way.lock().unwrap();
            let count = places.get_mut(&at).unwrap();
            *count -= 1;
            if *count == 0 {
                places.remove(&at);
            }
        }
        if place.account == A && self.stuck == Some(call.endpoint.section) {
            std::future::pending::<()>().await;
        }
        match (self.fault)(place, call) {
            Some(failure) => Err(failure),
            None => self.cloud.call(place, &with.0, call).await,
        }
    }

    async fn ask(
        &self,
        place: &Place,
        with: &Self::Credentials,
        operation: &str,
        parameters: &Map<String, Value>,
    ) -> Result<Value, CallFailure> {
        self.cloud.ask(place, &with.0, operation, parameters).await
    }
}

fn vpcs(ids: &[&str]) -> Value {
    let rows: Vec<Value> = ids
        .iter()
        .map(|id| json!({"VpcId": id, "OwnerId": A, "CidrBlock": "10.0.0.0/16"}))
        .collect();
    json!({"Vpcs": rows})
}

fn estate() -> RecordedCloud {
    RecordedCloud::new(HUB)
        .with(HUB, "us-east-1", &vpcs(&["vpc-hub"]))
        .with(A, "us-east-1", &vpcs(&["vpc-a1", "vpc-a2", "vpc-a3"]))
        .with(A, "eu-west-1", &vpcs(&["vpc-a4"]))
        .with(B, "us-east-1", &vpcs(&["vpc-b1"]))
}

struct Ran {
    summary: Result<metadata_collector::report::Summary, metadata_collector::collector::RunError>,
    units: Vec<UnitReport>,
    cloud: Arc<Troubled>,
}

impl Ran {
    fn unit(&self, account: &str, region: &str) -> &UnitReport {
        let found = self
            .units
            .iter()
            .find(|report| report.unit.account == account && report.unit.region == region);
        found.unwrap_or_else(|| panic!("{account} {region} was not reported"))
    }
}

const SPOKES: &[(&str, &str)] = &[
    (
        "CLOUD_EXPORT_PRIMARY_ROLE",
        "arn:aws:iam::111111111111:role/primary",
    ),
    ("CLOUD_EXPORT_ACCOUNTS", "222222222222,333333333333"),
    ("CLOUD_EXPORT_ROLE", "reader"),
];

async fn collect_within(
    cloud: Troubled,
    root: &Path,
    settings: &[(&str, &str)],
    budget: Budget,
) -> Ran {
    let metadata = format!("file://{}", root.join("metadata").display());
    let destination = format!("file://{}", root.join("changes").display());
    let config = Config::from_lookup(|name| match name {
        "CLOUD_EXPORT_METADATA" => Some(metadata.clone()),
        "CLOUD_EXPORT_DESTINATIONS" => Some(destination.clone()),
        name => settings
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| (*value).to_owned()),
    })
    .unwrap();
    let no_s3 = || panic!("no bucket is used");
    let store = SnapshotStore::from(Store::open(&config.metadata, no_s3));
    let sdk = aws::no_services();
    let mut connections = Connections::to_aws(&sdk);
    let lanes = lane::open(&config.destinations, &mut connections).await;
    let cloud = Arc::new(cloud);
    let collector = Collector::new(
        Arc::clone(&cloud),
        Outputs {
            changes: lanes.unwrap(),
            ..Outputs::of(store)
        },
        config,
        "us-east-1".into(),
        now,
    );
    let units = Mutex::new(Vec::new());
    let summary = collector
        .everything(Export::Metadata, &budget, &|report: Report<'_>| {
            if let Report::Unit(report) = report {
                units.lock().unwrap().push(report.clone());
            }
        })
        .await;
    Ran {
        summary,
        units: units.into_inner().unwrap(),
        cloud,
    }
}

async fn collect(cloud: Troubled, root: &Path, settings: &[(&str, &str)]) -> Ran {
    collect_within(cloud, root, settings, Budget::UNLIMITED).await
}

fn snapshot(root: &Path, account: &str, region: &str) -> Snapshot {
    let path = root.join("metadata").join(current_key(account, region));
    let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let document: Value = serde_json::from_reader(GzDecoder::new(file)).unwrap();
    Snapshot::from_json(&document).unwrap()
}

fn ids(snapshot: &Snapshot, section: &str, member: &str) -> Vec<String> {
    let rows = snapshot.rows_of(section).iter();
    rows.map(|row| row[member].as_str().unwrap().to_owned())
        .collect()
}

fn changes(root: &Path) -> Vec<Value> {
    fn files(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files(&path, found),
                false => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    files(&root.join("changes"), &mut found);
    found.sort();
    let lines = found
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap());
    let lines: Vec<String> = lines.collect();
    lines
        .iter()
        .flat_map(|text| text.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn every_account_and_region_has_a_snapshot_and_shared_roles_are_assumed_once() {
    let root = tempfile::tempdir().unwrap();
    let ran = collect(Troubled::new(estate().paged(2)), root.path(), SPOKES).await;
    let summary = ran.summary.as_ref().unwrap();
    assert!(summary.is_fine(), "{summary:?}");
    // Three accounts have their own part, and four regions hold something.
    assert_eq!(ran.units.len(), 3 + 4);
    let found = snapshot(root.path(), A, "us-east-1");
    assert_eq!(ids(&found, "Vpcs", "VpcId"), ["vpc-a1", "vpc-a2", "vpc-a3"]);
    assert_eq!(
        found.unit.roles,
        [
            "arn:aws:iam::111111111111:role/primary",
            "arn:aws:iam::222222222222:role/reader"
        ]
    );
    assert_eq!(
        ids(&snapshot(root.path(), A, GLOBAL), "Regions", "RegionName").len(),
        2
    );
    let assumed = ran.cloud.assumed.lock().unwrap().clone();
    let primaries = assumed
        .iter()
        .filter(|role| role.ends_with("primary"))
        .count();
    let readers = assumed
        .iter()
        .filter(|role| role.ends_with("reader"))
        .count();
    assert_eq!((primaries, readers), (1, 2), "{assumed:?}");
    assert!(changes(root.path()).is_empty(), "a first look is no change");
}

#[tokio::test]
async fn a_refused_account_keeps_what_was_known_and_the_others_go_on() {
    let root = tempfile::tempdir().unwrap();
    collect(Troubled::new(estate()), root.path(), SPOKES)
        .await
        .summary
        .unwrap();
    let before = snapshot(root.path(), A, "us-east-1");
    let mut cloud = Troubled::new(estate().with(B, "us-east-1", &vpcs(&["vpc-b1", "vpc-b2"])));
    cloud.refused.push(format!("arn:aws:iam::{A}:role/reader"));
    let ran = collect(cloud, root.path(), SPOKES).await;
    assert!(!ran.summary.as_ref().unwrap().is_fine());
    let report = ran.unit(A, "us-east-1");
    assert_eq!(report.state, UnitState::Failed);
    let chain = report.chain_failure.as_ref().unwrap();
    assert_eq!(
        chain.to_string(),
        "arn:aws:iam::222222222222:role/reader could not be used (hop 2 of 2): AccessDenied: not authorized"
    );
    let after = snapshot(root.path(), A, "us-east-1");
    assert_eq!(after.sections, before.sections);
    let stale = after.report("Vpcs").unwrap().stale.as_ref().unwrap();
    assert_eq!(Some(stale.since), before.report("Vpcs").unwrap().observed);
    assert!(stale.why.contains("AccessDenied"), "{}", stale.why);
    assert_eq!(ran.unit(B, "us-east-1").state, UnitState::Complete);
    let told = changes(root.path());
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["kind"], &told[0]["resource"], &told[0]["account"]),
        (&json!("created"), &json!("vpc-b2"), &json!(B))
    );
    // One refusal is not asked for again by each region of the account.
    let assumed = ran.cloud.assumed.lock().unwrap().clone();
    let of_a = assumed.iter().filter(|role| role.contains(A)).count();
    assert_eq!(of_a, 1, "{assumed:?}");
}

#[tokio::test]
async fn a_denied_endpoint_is_a_state_and_takes_nothing_away() {
    let root = tempfile::tempdir().unwrap();
    collect(Troubled::new(estate()), root.path(), SPOKES)
        .await
        .summary
        .unwrap();
    let cloud = Troubled::new(estate()).failing(|place, call| {
        (place.account == A && call.endpoint.section == "Vpcs")
            .then(|| CallFailure::of_code("UnauthorizedOperation", "explicit deny", None))
    });
    let ran = collect(cloud, root.path(), SPOKES).await;
    let report = ran.unit(A, "eu-west-1");
    assert_eq!(report.state, UnitState::Partial);
    let json = report.to_json();
    assert_eq!(json["failures"][0]["section"], "Vpcs");
    assert_eq!(
        json["failures"][0]["role"],
        format!("arn:aws:iam::{A}:role/reader")
    );
    assert_eq!(json["endpoints"]["denied"], 1);
    assert_eq!(
        ids(&snapshot(root.path(), A, "eu-west-1"), "Vpcs", "VpcId"),
        ["vpc-a4"]
    );
    assert!(changes(root.path()).is_empty());
}

#[tokio::test]
async fn a_session_that_ends_early_is_renewed_and_the_page_is_asked_again() {
    let root = tempfile::tempdir().unwrap();
    let ended = Mutex::new(0);
    let cloud = Troubled::new(estate().paged(1)).failing(move |place, call| {
        let mut ended = ended.lock().unwrap();
        let now = place.account == A
            && call.endpoint.section == "Vpcs"
            && call.parameters.contains_key("NextToken")
            && *ended == 0;
        *ended += usize::from(now);
        now.then(|| CallFailure::of_code("ExpiredToken", "The token has expired.", None))
    });
    let ran = collect(cloud, root.path(), SPOKES).await;
    assert!(ran.summary.as_ref().unwrap().is_fine());
    let found = snapshot(root.path(), A, "us-east-1");
    assert_eq!(ids(&found, "Vpcs", "VpcId"), ["vpc-a1", "vpc-a2", "vpc-a3"]);
    let assumed = ran.cloud.assumed.lock().unwrap().clone();
    let of_a = assumed.iter().filter(|role| role.contains(A)).count();
    assert_eq!(of_a, 2, "{assumed:?}");
}

#[tokio::test]
async fn sessions_are_renewed_before_they_end() {
    let root = tempfile::tempdir().unwrap();
    let cloud = Troubled {
        lifetime: SignedDuration::from_millis(5 * 60_000 + 50),
        ..Troubled::new(estate())
    };
    let ran = collect(cloud, root.path(), SPOKES).await;
    // The clock moves on with each look: fifty milliseconds are soon over.
    assert!(ran.summary.as_ref().unwrap().is_fine());
    let assumed = ran.cloud.assumed.lock().unwrap().len();
    assert!(assumed > 4, "{assumed}");
}

#[tokio::test]
async fn a_region_that_is_not_enabled_is_found_out_once() {
    let root = tempfile::tempdir().unwrap();
    let cloud = Troubled::new(estate()).failing(|place, _| {
        (place.region == "ap-east-1").then(|| CallFailure::of_code("AuthFailure", "", None))
    });
    let mut settings = SPOKES.to_vec();
    settings.push(("CLOUD_EXPORT_REGIONS", "us-east-1,ap-east-1"));
    let ran = collect(cloud, root.path(), &settings).await;
    let report = ran.unit(A, "ap-east-1");
    assert_eq!(report.state, UnitState::Failed);
    assert_eq!(report.endpoints.len(), 1);
    assert_eq!(report.endpoints[0].0, State::RegionDisabled);
    let asked = ran.cloud.calls.lock().unwrap();
    let there: usize = asked
        .iter()
        .filter(|(name, _)| name.starts_with(&format!("{A} ap-east-1")))
        .map(|(_, count)| count)
        .sum();
    assert!(there <= 6, "{there} calls, one for each service at most");
}

#[tokio::test]
async fn no_more_is_asked_at_once_than_is_said() {
    for (said, most) in [("1", 1), ("3", 3)] {
        let root = tempfile::tempdir().unwrap();
        let mut settings = SPOKES.to_vec();
        settings.push(("CLOUD_EXPORT_REGIONS", "us-east-1,eu-west-1,eu-west-2"));
        settings.push(("CLOUD_EXPORT_UNITS_AT_ONCE", said));
        let ran = collect(Troubled::new(estate()), root.path(), &settings).await;
        assert_eq!(ran.units.len(), 3 * 4);
        assert_eq!(ran.cloud.under_way.lock().unwrap().1, most);
    }
}

#[tokio::test]
async fn a_service_that_nobody_answers_for_is_asked_twice() {
    let root = tempfile::tempdir().unwrap();
    let cloud = Troubled::new(estate()).failing(|place, _| {
        (place.region == "eu-west-1" && place.service == Service::Ec2)
            .then(|| CallFailure::silence(Silence::Unreachable, "connection refused"))
    });
    let mut settings = SPOKES.to_vec();
    settings.push(("CLOUD_EXPORT_REGIONS", "eu-west-1"));
    let ran = collect(cloud, root.path(), &settings).await;
    let report = ran.unit(A, "eu-west-1");
    assert_eq!(report.state, UnitState::Partial, "other services answered");
    let silent = report
        .failures
        .iter()
        .filter(|(_, failed)| failed.failure.code == "Unreachable");
    assert!(silent.count() > 30);
    let asked = ran.cloud.calls.lock().unwrap();
    let calls = |operation: &str| asked.get(&format!("{A} eu-west-1 {operation}")).copied();
    assert_eq!(calls("DescribeAvailabilityZones"), Some(1));
    assert_eq!(calls("DescribeVpcs"), Some(1));
    assert_eq!(calls("DescribeSubnets"), None);
}

#[tokio::test]
async fn regions_and_accounts_that_cannot_be_listed_are_those_known_from_before() {
    let root = tempfile::tempdir().unwrap();
    let accounts = json!({"Accounts": [
        {"Id": HUB, "State": "ACTIVE"}, {"Id": A, "Status": "ACTIVE"},
        {"Id": B, "State": "ACTIVE", "Status": "SUSPENDED"}, {"Id": "444444444444", "State": "SUSPENDED"},
        {"Id": "555555555555", "State": "ACTIVE"}]});
    let settings = [
        SPOKES[0],
        SPOKES[2],
        ("CLOUD_EXPORT_ACCOUNTS", "organization"),
        ("CLOUD_EXPORT_BLOCKED_ACCOUNTS", "555555555555"),
    ];
    let cloud = || estate().with(HUB, GLOBAL, &accounts).paged(2);
    let first = collect(Troubled::new(cloud()), root.path(), &settings).await;
    assert!(first.summary.as_ref().unwrap().is_fine());
    assert_eq!(first.units.len(), 3 + 4, "{:?}", first.units);
    assert_eq!(
        snapshot(root.path(), HUB, GLOBAL).rows_of("Accounts").len(),
        5
    );
    // Members are not asked for what only the management account may answer.
    assert!(
        snapshot(root.path(), A, GLOBAL)
            .report("Accounts")
            .is_none()
    );
    let denied = Troubled::new(cloud()).failing(|_, call| {
        ["ListAccounts", "DescribeRegions"]
            .contains(&call.endpoint.operation)
            .then(|| CallFailure::of_code("AccessDenied", "denied by an SCP", None))
    });
    let second = collect(denied, root.path(), &settings).await;
    assert_eq!(second.units.len(), 3 + 4);
    assert_eq!(second.unit(A, "eu-west-1").state, UnitState::Complete);
    let elsewhere = tempfile::tempdir().unwrap();
    let denied = Troubled::new(cloud()).failing(|_, call| {
        (call.endpoint.operation == "ListAccounts")
            .then(|| CallFailure::of_code("AccessDeniedException", "no", None))
    });
    let third = collect(denied, elsewhere.path(), &settings).await;
    let error = third.summary.unwrap_err();
    assert_eq!(error.error_type(), "Config.Accounts");
    assert!(
        error.to_string().contains("CLOUD_EXPORT_ACCOUNTS"),
        "{error}"
    );
}

#[tokio::test]
async fn a_role_that_everybody_needs_fails_the_run_by_name() {
    let root = tempfile::tempdir().unwrap();
    let mut cloud = Troubled::new(estate());
    cloud
        .refused
        .push(format!("arn:aws:iam::{HUB}:role/primary"));
    let error = collect(cloud, root.path(), SPOKES)
        .await
        .summary
        .unwrap_err();
    assert_eq!(error.error_type(), "Config.Role");
    assert!(
        error
            .to_string()
            .starts_with("arn:aws:iam::111111111111:role/primary could not be used (hop 1 of 1)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn work_that_does_not_fit_is_left_whole_and_said() {
    let root = tempfile::tempdir().unwrap();
    collect(Troubled::new(estate()), root.path(), SPOKES)
        .await
        .summary
        .unwrap();
    let cloud = Troubled::new(estate());
    let budget = Budget::new(Duration::from_secs(10), Duration::from_secs(10));
    let ran = collect_within(cloud, root.path(), SPOKES, budget).await;
    let error = ran.summary.unwrap_err();
    assert_eq!(error.error_type(), "Config.Deadline");
    assert!(error.to_string().contains("3 accounts"), "{error}");
    assert!(ran.units.is_empty());
    assert_eq!(ran.cloud.calls_of("DescribeVpcs"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_before_time_was_over_is_kept_and_the_rest_is_left() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = SPOKES.to_vec();
    settings.push(("CLOUD_EXPORT_REGIONS", "us-east-1"));
    collect(Troubled::new(estate()), root.path(), &settings)
        .await
        .summary
        .unwrap();
    let more = estate().with(
        A,
        "us-east-1",
        &json!({"Vpcs": [], "lags": [{"lagId": "dxlag-1"}]}),
    );
    let cloud = Troubled {
        stuck: Some("Subnets"),
        ..Troubled::new(more)
    };
    let budget = Budget::new(Duration::from_secs(60), Duration::from_secs(10));
    let ran = collect_within(cloud, root.path(), &settings, budget).await;
    let error = ran.summary.unwrap_err();
    assert!(error.to_string().contains("1 accounts or parts"), "{error}");
    assert_eq!(
        ran.units
            .iter()
            .find(|u| u.unit.account == A && u.unit.region == "us-east-1")
            .unwrap()
            .state,
        UnitState::Deferred
    );
    let found = snapshot(root.path(), A, "us-east-1");
    assert_eq!(found.rows_of("Vpcs").len(), 0, "answered in time");
    assert_eq!(ids(&found, "lags", "lagId"), ["dxlag-1"], "another service");
    let report = found.report("Subnets").unwrap();
    assert_eq!(report.state, State::Deferred);
    assert!(report.stale.is_some());
    assert_eq!(found.report("RouteTables").unwrap().state, State::Deferred);
}

#[tokio::test]
async fn what_is_there_and_is_no_snapshot_is_not_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let path = root
        .path()
        .join("metadata")
        .join(current_key(A, "us-east-1"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "somebody's file").unwrap();
    let ran = collect(Troubled::new(estate()), root.path(), SPOKES).await;
    let report = ran.unit(A, "us-east-1");
    assert_eq!(report.state, UnitState::Failed);
    assert!(
        report.error.as_ref().unwrap().contains("is not a snapshot"),
        "{report:?}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's file");
    assert_eq!(ran.unit(A, "eu-west-1").state, UnitState::Complete);
}

const TASK: &str = "eni-0a1b2c3d4e5f60718";
const SERVER: &str = "eni-0b2c3d4e5f6071829";

/// The estate with these interfaces in account A, and the address of each.
fn with_interfaces(interfaces: &[(&str, &str)]) -> RecordedCloud {
    let rows: Vec<Value> = interfaces
        .iter()
        .map(|(id, address)| {
            json!({"NetworkInterfaceId": id, "OwnerId": A, "VpcId": "vpc-a1", "InterfaceType": "interface",
                "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": true}]})
        })
        .collect();
    estate().with(A, "us-east-1", &json!({"NetworkInterfaces": rows}))
}

fn indexed(root: &Path, key: &str) -> bytes::Bytes {
    let path = root.join("metadata").join(key);
    let read = std::fs::read(&path);
    read.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .into()
}

fn shard(root: &Path, account: &str, region: &str) -> Shard {
    Shard::open(indexed(root, &shard_key(account, region))).unwrap()
}

fn directory(root: &Path) -> Vec<(String, String)> {
    let directory = Directory::open(indexed(root, DIRECTORY_KEY)).unwrap();
    let units = directory.units();
    units
        .map(|(account, region, _)| (account.to_owned(), region.to_owned()))
        .collect()
}

/// Who has an address of `vpc-a1` at a time.
fn holder(shard: &Shard, address: &str, time: u32) -> Holder {
    let (vpc, _) = shard.vpc("vpc-a1").unwrap();
    let address: IpAddr = address.parse().unwrap();
    shard.holder(vpc, address, time)
}

#[tokio::test]
async fn interfaces_that_vanished_are_in_the_index_for_a_time() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = SPOKES.to_vec();
    settings.push(("CLOUD_EXPORT_INDEX_KEEP_HOURS", "1"));
    let both = with_interfaces(&[(TASK, "10.0.0.7"), (SERVER, "10.0.0.8")]);
    let ran = collect(Troubled::new(both), root.path(), &settings).await;
    let summary = ran.summary.as_ref().unwrap();
    assert_eq!((summary.interfaces, summary.index_errors), (2, 0));
    let bytes = indexed(root.path(), &shard_key(A, "us-east-1")).len();
    assert_eq!(ran.unit(A, "us-east-1").indexed.bytes, bytes);
    assert!(summary.index_bytes > bytes as u64);
    let first = shard(root.path(), A, "us-east-1");
    let (task, row) = first.interface(TASK.as_bytes()).unwrap();
    assert!(row.tenure.is_present());
    let seen = row.tenure.seen;
    assert_eq!(first.unit().unwrap().collected, seen);
    let had = holder(&first, "10.0.0.7", seen);
    assert!(matches!(had, Holder::Interface(number, _, _) if number == task));
    let units = directory(root.path());
    assert_eq!(units.len(), 3 + 4, "{units:?}");
    assert!(units.contains(&(A.into(), "us-east-1".into())));

    pass(600);
    let one = || with_interfaces(&[(SERVER, "10.0.0.8")]);
    let ran = collect(Troubled::new(one()), root.path(), &settings).await;
    assert_eq!(ran.unit(A, "us-east-1").indexed.interfaces, 2);
    let second = shard(root.path(), A, "us-east-1");
    let (task, row) = second.interface(TASK.as_bytes()).unwrap();
    let tenure = row.tenure;
    assert_eq!((tenure.is_present(), tenure.seen), (false, seen));
    assert!(tenure.gone >= seen + 600, "{tenure:?}");
    let had = holder(&second, "10.0.0.7", seen);
    assert!(matches!(had, Holder::Interface(number, _, _) if number == task));
    let has = holder(&second, "10.0.0.7", tenure.gone);
    assert!(matches!(has, Holder::NotThen(_)), "{has:?}");

    pass(3600);
    collect(Troubled::new(one()), root.path(), &settings).await;
    let third = shard(root.path(), A, "us-east-1");
    assert!(third.interface(TASK.as_bytes()).is_none());
    assert!(third.interface(SERVER.as_bytes()).is_some());
    assert_eq!(holder(&third, "10.0.0.7", seen), Holder::Nobody);
    assert_eq!(directory(root.path()), units);
}

#[tokio::test]
async fn interfaces_that_cannot_be_asked_for_have_not_vanished() {
    let root = tempfile::tempdir().unwrap();
    let cloud = || with_interfaces(&[(TASK, "10.0.0.7")]);
    collect(Troubled::new(cloud()), root.path(), SPOKES).await;
    let before = shard(root.path(), A, "us-east-1");
    pass(600);
    let denied = Troubled::new(cloud()).failing(|_, call| {
        (call.endpoint.section == "NetworkInterfaces")
            .then(|| CallFailure::of_code("UnauthorizedOperation", "explicit deny", None))
    });
    collect(denied, root.path(), SPOKES).await;
    let after = shard(root.path(), A, "us-east-1");
    let tenure = |shard: &Shard| shard.interface(TASK.as_bytes()).unwrap().1.tenure;
    assert_eq!(tenure(&after), tenure(&before));
}

#[tokio::test]
async fn an_index_that_cannot_be_written_fails_nothing_and_the_next_run_writes_it() {
    let root = tempfile::tempdir().unwrap();
    let place = |key: &str| root.path().join("metadata").join(key);
    let shard_of_a = place(&shard_key(A, "us-east-1"));
    for in_the_way in [&shard_of_a, &place(DIRECTORY_KEY)] {
        std::fs::create_dir_all(in_the_way).unwrap();
    }
    let ran = collect(Troubled::new(estate()), root.path(), SPOKES).await;
    let summary = ran.summary.as_ref().unwrap();
    assert!(summary.is_fine(), "{summary:?}");
    assert_eq!(summary.index_errors, 2);
    let report = ran.unit(A, "us-east-1");
    assert_eq!(report.state, UnitState::Complete);
    let reason = report.to_json()["index_error"].to_string();
    assert!(
        reason.contains("us-east-1.idx could not be read"),
        "{reason}"
    );
    shard(root.path(), A, "eu-west-1");
    for in_the_way in [&shard_of_a, &place(DIRECTORY_KEY)] {
        std::fs::remove_dir(in_the_way).unwrap();
        std::fs::write(in_the_way, "neither shard nor directory").unwrap();
    }
    let ran = collect(Troubled::new(estate()), root.path(), SPOKES).await;
    assert_eq!(ran.summary.unwrap().index_errors, 0);
    shard(root.path(), A, "us-east-1");
    assert_eq!(directory(root.path()).len(), 3 + 4);
}

#[tokio::test]
async fn the_directory_keeps_what_other_runs_put_into_it() {
    let root = tempfile::tempdir().unwrap();
    let of = |account: &'static str| [SPOKES[0], ("CLOUD_EXPORT_ACCOUNTS", account), SPOKES[2]];
    collect(Troubled::new(estate()), root.path(), &of(A)).await;
    collect(Troubled::new(estate()), root.path(), &of(B)).await;
    let units = directory(root.path());
    assert_eq!(units.len(), 3 + 4, "{units:?}");
    let directory = Directory::open(indexed(root.path(), DIRECTORY_KEY)).unwrap();
    for vpc in ["vpc-hub", "vpc-a4", "vpc-b1"] {
        assert_eq!(directory.vpcs(vpc).count(), 1, "{vpc}");
    }
}

#[tokio::test]
async fn no_index_is_written_where_none_is_wanted() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = SPOKES.to_vec();
    settings.push(("CLOUD_EXPORT_INDEX", "false"));
    let ran = collect(Troubled::new(estate()), root.path(), &settings).await;
    assert_eq!(ran.summary.unwrap().index_bytes, 0);
    assert!(root.path().join("metadata/current").is_dir());
    assert!(!root.path().join("metadata/index").exists());
}

fn status(root: &Path) -> Status {
    let path = root.join("metadata").join(STATUS_KEY);
    Status::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn state(status: &Status, export: Told, account: &str, region: &str) -> RunState {
    status.entries[&Key::new(export, account, region)]
        .latest
        .state
}

#[tokio::test]
async fn a_run_tells_the_status_and_the_next_one_merges_into_it() {
    let root = tempfile::tempdir().unwrap();
    let first = collect(Troubled::new(estate()), root.path(), SPOKES).await;
    assert_eq!(first.summary.unwrap().status_errors, 0);
    let before = status(root.path());
    // Three accounts have their own part; four regions hold something, and their flow logs are told of as well.
    assert_eq!(before.entries.len(), 3 + 2 * 4);
    let mut cloud = Troubled::new(estate());
    cloud.refused.push(format!("arn:aws:iam::{A}:role/reader"));
    let only_a = [("CLOUD_EXPORT_ACCOUNTS", A), SPOKES[0], SPOKES[2]];
    collect(cloud, root.path(), &only_a).await;
    let after = status(root.path());
    assert_eq!(after.entries.len(), before.entries.len());
    let of_b = Key::new(Told::Metadata, B, "us-east-1");
    assert_eq!(after.entries[&of_b], before.entries[&of_b]);
    assert_eq!(
        state(&after, Told::Metadata, A, "us-east-1"),
        RunState::Failed
    );
    let failed = &after.entries[&Key::new(Told::Metadata, A, "us-east-1")];
    assert!(failed.latest.error.as_ref().unwrap().contains("hop 2 of 2"));
    assert!(failed.last_success.is_some_and(|at| at < failed.latest.at));
    assert_eq!(after.exports[&Told::Metadata].runs.len(), 2);
    let page = std::fs::read_to_string(root.path().join("metadata").join(PAGE_KEY)).unwrap();
    assert!(page.contains("something fails") && page.contains("hop 2 of 2"));
}

#[tokio::test]
async fn a_run_that_nobody_can_do_is_told() {
    let root = tempfile::tempdir().unwrap();
    let mut cloud = Troubled::new(estate());
    cloud
        .refused
        .push(format!("arn:aws:iam::{HUB}:role/primary"));
    let settings = [
        SPOKES[0],
        ("CLOUD_EXPORT_ACCOUNTS", "organization"),
        SPOKES[2],
    ];
    let ran = collect(cloud, root.path(), &settings).await;
    let error = ran.summary.unwrap_err();
    let told = status(root.path());
    let course = &told.exports[&Told::Metadata];
    assert_eq!(course.latest.state, RunState::Failed);
    assert_eq!(course.latest.error.as_ref(), Some(&error.message));
    assert_eq!(told.issues(now())[0].kind.label(), "not-planned");
}

#[tokio::test]
async fn a_status_that_cannot_be_written_fails_nothing_and_one_that_is_broken_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("metadata").join(STATUS_KEY);
    std::fs::create_dir_all(&place).unwrap();
    let ran = collect(Troubled::new(estate()), root.path(), SPOKES).await;
    let summary = ran.summary.unwrap();
    assert!(
        summary.is_fine() && summary.status_errors == 1,
        "{summary:?}"
    );
    let values = summary.metrics("N", "f", 0, Duration::ZERO);
    assert_eq!(values["StatusErrors"], 1);
    std::fs::remove_dir(&place).unwrap();
    std::fs::write(&place, "half a docu").unwrap();
    collect(Troubled::new(estate()), root.path(), SPOKES).await;
    assert_eq!(status(root.path()).entries.len(), 3 + 2 * 4);
    // What a newer release wrote is its own.
    std::fs::write(&place, r#"{"version": 99}"#).unwrap();
    let ran = collect(Troubled::new(estate()), root.path(), SPOKES).await;
    assert_eq!(ran.summary.unwrap().status_errors, 1);
    assert_eq!(
        std::fs::read_to_string(&place).unwrap(),
        r#"{"version": 99}"#
    );
}
