//! The JSON document of a snapshot, read and written.

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{EndpointReport, Failure, Snapshot, Stale, Unit};
use crate::describe::catalogue::CATALOGUE;
use crate::describe::state::{CallFailure, State};
use crate::failure::FailureClass;

/// The version of the document that is written, and the newest that is read.
pub const VERSION: u64 = 1;

/// The member that says where the sections come from.
const COLLECTION: &str = "Collection";

/// Why a document is not a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not JSON.
    #[error("the snapshot is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It is JSON, but not an object.
    #[error("the snapshot is not a JSON object")]
    NotObject,
    /// It does not say where its sections come from.
    #[error(
        "the document has no Collection object: it is not a snapshot, but perhaps the output of an AWS CLI command"
    )]
    NoCollection,
    /// A newer release wrote it.
    #[error(
        "the snapshot has version {found} and this release reads up to {VERSION}: update Cloud Export"
    )]
    Newer {
        /// The document's version.
        found: u64,
    },
}

impl SnapshotError {
    /// What has to happen before the document can be read.
    pub fn class(&self) -> FailureClass {
        match self {
            SnapshotError::Newer { .. } => FailureClass::Config,
            _ => FailureClass::Poison,
        }
    }
}

impl Snapshot {
    /// Reads a document. Members that are unknown are ignored, those that are missing or of another
    /// type have their defaults; a time that is missing is 1970-01-01.
    ///
    /// # Errors
    /// When the document is not an object with a `Collection`, or of a newer version.
    pub fn from_json(document: &Value) -> Result<Snapshot, SnapshotError> {
        let document = document.as_object().ok_or(SnapshotError::NotObject)?;
        Snapshot::from_members(document.clone())
    }

    /// Reads the text of a document.
    ///
    /// # Errors
    /// When it is not JSON, and as [`Snapshot::from_json`].
    pub fn from_slice(document: &[u8]) -> Result<Snapshot, SnapshotError> {
        match serde_json::from_slice(document)? {
            Value::Object(document) => Snapshot::from_members(document),
            _ => Err(SnapshotError::NotObject),
        }
    }

    fn from_members(mut document: Map<String, Value>) -> Result<Snapshot, SnapshotError> {
        let Some(Value::Object(collection)) = document.remove(COLLECTION) else {
            return Err(SnapshotError::NoCollection);
        };
        let found = collection.get("Version").and_then(Value::as_u64);
        if let Some(found) = found.filter(|found| *found > VERSION) {
            return Err(SnapshotError::Newer { found });
        }
        let started = time(&collection, "Started").unwrap_or(Timestamp::UNIX_EPOCH);
        let mut endpoints: Vec<EndpointReport> = Vec::new();
        for report in list(&collection, "Endpoints").iter().filter_map(report) {
            if !endpoints.iter().any(|e| e.section == report.section) {
                endpoints.push(report);
            }
        }
        endpoints.sort_by_cached_key(|report| place(&report.section));
        let mut sections: Vec<(String, Value)> = document.into_iter().collect();
        sections.sort_by_cached_key(|(section, _)| place(section));
        Ok(Snapshot {
            unit: Unit {
                account: text(&collection, "Account"),
                region: text(&collection, "Region"),
                partition: text(&collection, "Partition"),
                roles: list(&collection, "Roles")
                    .iter()
                    .filter_map(|role| role.as_str().map(str::to_owned))
                    .collect(),
            },
            started,
            finished: time(&collection, "Finished").unwrap_or(started),
            endpoints,
            sections: sections.into_iter().collect(),
        })
    }

    /// The document. The same snapshot always gives the same text.
    pub fn to_json(&self) -> Value {
        let mut document = Map::new();
        document.insert(COLLECTION.into(), self.collection());
        for (section, rows) in self.in_order() {
            document.insert(section.to_owned(), rows.clone());
        }
        Value::Object(document)
    }

    /// Writes the document's text: what [`Snapshot::to_json`] gives, without making a copy of it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn to_writer(&self, mut writer: impl Write) -> io::Result<()> {
        write!(writer, "{{\"{COLLECTION}\":")?;
        serde_json::to_writer(&mut writer, &self.collection())?;
        for (section, rows) in self.in_order() {
            writer.write_all(b",")?;
            serde_json::to_writer(&mut writer, section)?;
            writer.write_all(b":")?;
            serde_json::to_writer(&mut writer, rows)?;
        }
        writer.write_all(b"}")
    }

    fn in_order(&self) -> impl Iterator<Item = (&str, &Value)> {
        let mut sections: Vec<(&str, &Value)> = self
            .sections
            .iter()
            .map(|(section, rows)| (section.as_str(), rows))
            .filter(|(section, _)| *section != COLLECTION)
            .collect();
        sections.sort_by_cached_key(|(section, _)| place(section));
        sections.into_iter()
    }

    fn collection(&self) -> Value {
        let mut reports: Vec<&EndpointReport> = self.endpoints.iter().collect();
        reports.sort_by_cached_key(|report| place(&report.section));
        let reports: Vec<Value> = reports.into_iter().map(report_json).collect();
        json!({
            "Version": VERSION,
            "Account": self.unit.account,
            "Region": self.unit.region,
            "Partition": self.unit.partition,
            "Roles": self.unit.roles,
            "Started": time_text(self.started),
            "Finished": time_text(self.finished),
            "Endpoints": reports,
        })
    }
}

/// Where a section stands in the document.
pub(super) fn place(section: &str) -> (usize, String) {
    match CATALOGUE.iter().position(|e| e.section == section) {
        Some(place) => (place, String::new()),
        None => (CATALOGUE.len(), section.to_owned()),
    }
}

fn report_json(report: &EndpointReport) -> Value {
    let failures: Vec<Value> = report.failures.iter().map(failure_json).collect();
    let mut json = json!({
        "Section": report.section,
        "Service": report.service,
        "Operation": report.operation,
        "State": report.state.label(),
        "Count": report.count,
        "Calls": report.calls,
        "DurationMs": u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
    });
    if let Value::Object(members) = &mut json {
        if let Some(observed) = report.observed {
            members.insert("Observed".into(), time_text(observed).into());
        }
        members.insert("Failures".into(), failures.into());
        if let Some(stale) = &report.stale {
            let stale = json!({"Since": time_text(stale.since), "Why": stale.why});
            members.insert("Stale".into(), stale);
        }
    }
    json
}

fn failure_json(failed: &Failure) -> Value {
    let failure = &failed.failure;
    let members = [
        ("Item", failed.item.as_deref()),
        ("State", Some(failure.state.label())),
        ("Code", Some(failure.code.as_str())),
        ("Message", Some(failure.message.as_str())),
        ("RequestId", failure.request_id.as_deref()),
    ];
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
        .collect::<Map<String, Value>>()
        .into()
}

/// `None` for what names no section.
fn report(json: &Value) -> Option<EndpointReport> {
    let json = json.as_object()?;
    let section = json.get("Section")?.as_str()?.to_owned();
    let number = |name: &str| json.get(name).and_then(Value::as_u64).unwrap_or_default();
    let stale = json.get("Stale").and_then(Value::as_object);
    Some(EndpointReport {
        section,
        service: text(json, "Service"),
        operation: text(json, "Operation"),
        state: state(json),
        count: usize::try_from(number("Count")).unwrap_or(usize::MAX),
        calls: u32::try_from(number("Calls")).unwrap_or(u32::MAX),
        duration: Duration::from_millis(number("DurationMs")),
        observed: time(json, "Observed"),
        failures: list(json, "Failures").iter().filter_map(failure).collect(),
        stale: stale.map(|stale| Stale {
            since: time(stale, "Since").unwrap_or(Timestamp::UNIX_EPOCH),
            why: text(stale, "Why"),
        }),
    })
}

fn failure(json: &Value) -> Option<Failure> {
    let json = json.as_object()?;
    let optional = |name: &str| Some(json.get(name)?.as_str()?.to_owned());
    Some(Failure {
        item: optional("Item"),
        failure: CallFailure {
            state: state(json),
            code: text(json, "Code"),
            message: text(json, "Message"),
            request_id: optional("RequestId"),
        },
    })
}

/// A state of no known name is not an answer.
fn state(json: &Map<String, Value>) -> State {
    let label = json.get("State").and_then(Value::as_str);
    label.and_then(State::named).unwrap_or(State::Error)
}

fn text(json: &Map<String, Value>, name: &str) -> String {
    let text = json.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn list<'j>(json: &'j Map<String, Value>, name: &str) -> &'j [Value] {
    json.get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn time(json: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    json.get(name)?.as_str()?.parse().ok().map(to_microseconds)
}

/// The time without what the document does not hold.
pub(super) fn to_microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// As Python's `datetime.isoformat` writes a time in UTC.
fn time_text(time: Timestamp) -> String {
    let time = time.to_zoned(TimeZone::UTC).datetime();
    let seconds = time.strftime("%Y-%m-%dT%H:%M:%S");
    match time.subsec_nanosecond() / 1000 {
        0 => format!("{seconds}+00:00"),
        micros => format!("{seconds}.{micros:06}+00:00"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    #[test]
    fn the_document_is_that_of_the_format() {
        let document = json!({
            "Collection": {
                "Version": 1, "Account": "111111111111", "Region": "us-east-1", "Partition": "aws",
                "Roles": ["arn:aws:iam::111111111111:role/x"],
                "Started": "2026-11-20T16:20:00+00:00", "Finished": "2026-11-20T16:20:02.000500+00:00",
                "Endpoints": [
                    {"Section": "Vpcs", "Service": "ec2", "Operation": "DescribeVpcs", "State": "ok",
                     "Count": 1, "Calls": 1, "DurationMs": 12, "Observed": "2026-11-20T16:20:01+00:00",
                     "Failures": []},
                    {"Section": "TransitGatewayRoutes", "Service": "ec2",
                     "Operation": "SearchTransitGatewayRoutes", "State": "region-disabled",
                     "Count": 0, "Calls": 2, "DurationMs": 0,
                     "Failures": [{"Item": "tgw-rtb-1", "State": "region-disabled", "Code": "OptInRequired",
                                   "Message": "No.", "RequestId": "r"}],
                     "Stale": {"Since": "2026-11-20T16:20:01+00:00", "Why": "OptInRequired: No."}},
                ],
            },
            "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
            "TransitGatewayRoutes": [],
            "Future": {"a": 1},
        });
        let snapshot = Snapshot::from_json(&document).unwrap();
        assert_eq!(snapshot.to_json().to_string(), document.to_string());
        assert_eq!(
            snapshot.states().collect::<Vec<_>>(),
            [(State::Ok, 1), (State::RegionDisabled, 1)]
        );
        assert!(!snapshot.is_complete());
    }

    #[test]
    fn order_is_the_catalogues_whatever_it_was() {
        let snapshot = Snapshot::from_json(&json!({
            "Zzz": [], "Subnets": [], "Aaa": [], "Regions": [], "Vpcs": [],
            "Collection": {"Endpoints": [{"Section": "Zzz"}, {"Section": "Subnets"}, {"Section": "Vpcs"}, {"Section": "Vpcs", "Count": 7}]},
        }))
        .unwrap();
        let document = snapshot.to_json();
        let names: Vec<_> = document.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            ["Collection", "Regions", "Vpcs", "Subnets", "Aaa", "Zzz"]
        );
        let sections: Vec<_> = snapshot.endpoints.iter().map(|e| &e.section).collect();
        assert_eq!(sections, ["Vpcs", "Subnets", "Zzz"]);
        let vpcs = snapshot.report("Vpcs").unwrap();
        assert_eq!((vpcs.count, vpcs.state), (0, State::Error));
    }

    #[test]
    fn other_documents_are_refused_with_the_reason() {
        let error = |document: &str| Snapshot::from_slice(document.as_bytes()).unwrap_err();
        assert!(
            error(r#"{"Vpcs": []}"#)
                .to_string()
                .contains("no Collection object")
        );
        assert!(error("[]").to_string().contains("not a JSON object"));
        assert!(error("{").to_string().contains("not JSON"));
        assert_eq!(error("{").class(), FailureClass::Poison);
        let newer = error(r#"{"Collection": {"Version": 2}}"#);
        assert_eq!(
            newer.to_string(),
            "the snapshot has version 2 and this release reads up to 1: update Cloud Export"
        );
        assert_eq!(newer.class(), FailureClass::Config);
        let empty = Snapshot::from_slice(br#"{"Collection": {}}"#).unwrap();
        assert!(!empty.is_complete());
    }

    fn arb_time() -> impl Strategy<Value = Timestamp> {
        prop_oneof![
            (-1_000_000_i64..4_000_000_000).prop_map(|s| Timestamp::from_second(s).unwrap()),
            (-1_000_000_i64..4_000_000_000_000_000)
                .prop_map(|us| Timestamp::from_microsecond(us).unwrap()),
        ]
    }

    fn arb_failure() -> impl Strategy<Value = Failure> {
        (
            option::of("[a-z{\"-]{0,5}"),
            0..State::ALL.len(),
            "[A-Za-z.]{0,8}",
            ".{0,8}",
            option::of("[0-9a-f]{4}"),
        )
            .prop_map(|(item, state, code, message, request_id)| Failure {
                item,
                failure: CallFailure {
                    state: State::ALL[state],
                    code,
                    message,
                    request_id,
                },
            })
    }

    fn arb_report(section: String) -> impl Strategy<Value = EndpointReport> {
        (
            (
                0..State::ALL.len(),
                any::<u32>(),
                any::<u32>(),
                any::<u64>(),
            ),
            option::of(arb_time()),
            vec(arb_failure(), 0..3),
            option::of((arb_time(), ".{0,8}")),
        )
            .prop_map(
                move |((state, count, calls, ms), observed, failures, stale)| EndpointReport {
                    section: section.clone(),
                    service: "ec2".into(),
                    operation: "DescribeVpcs".into(),
                    state: State::ALL[state],
                    count: count as usize,
                    calls,
                    duration: Duration::from_millis(ms),
                    observed,
                    failures,
                    stale: stale.map(|(since, why)| Stale { since, why }),
                },
            )
    }

    fn arb_snapshot() -> impl Strategy<Value = Snapshot> {
        let sections = prop::sample::subsequence(
            vec!["Regions", "Vpcs", "Subnets", "Organization", "Aaa", "Zzz"],
            0..6,
        );
        let row = prop_oneof![
            Just(json!([])),
            Just(json!({})),
            Just(json!([{"VpcId": "vpc-1", "Tags": [{"Key": "a", "Value": "é\n"}]}])),
        ];
        (
            sections.clone().prop_flat_map(|sections| {
                let reports = sections
                    .into_iter()
                    .map(|s| arb_report(s.to_owned()).boxed());
                reports.collect::<Vec<_>>()
            }),
            (sections, vec(row, 6)),
            (arb_time(), arb_time()),
            vec("[a-z:/]{1,9}", 0..3),
        )
            .prop_map(
                |(endpoints, (names, rows), (started, finished), roles)| Snapshot {
                    unit: Unit {
                        account: "111111111111".into(),
                        region: "us-east-1".into(),
                        partition: "aws".into(),
                        roles,
                    },
                    started,
                    finished,
                    endpoints,
                    sections: names.into_iter().map(str::to_owned).zip(rows).collect(),
                },
            )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(snapshot in arb_snapshot()) {
            let document = snapshot.to_json();
            prop_assert_eq!(&Snapshot::from_json(&document).unwrap(), &snapshot);
            let mut text = Vec::new();
            snapshot.to_writer(&mut text).unwrap();
            prop_assert_eq!(String::from_utf8(text.clone()).unwrap(), document.to_string());
            prop_assert_eq!(&Snapshot::from_slice(&text).unwrap(), &snapshot);
        }
    }
}
