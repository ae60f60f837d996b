//! Partitions: the part of an object's key that tells a query engine which files it can leave out.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use telemetry::ObjectKey;

use crate::batch::Origin;

/// What a partition column tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Value {
    Account,
    Region,
    /// The UTC day of the record, `2026-11-20`.
    Day,
    /// The same as `20261120`.
    CompactDay,
    /// The UTC hour of the record, `00` to `23`.
    Hour,
}

/// A column: its name in the path, and what it tells.
type Column = (&'static str, Value);

/// Names of columns that a URL can list, and what stands in the path.
const COLUMNS: &[(&str, Column)] = &[
    ("account", ("account", Value::Account)),
    ("region", ("region", Value::Region)),
    ("day", ("day", Value::Day)),
    ("hour", ("hour", Value::Hour)),
];

/// The layout that Security Lake asks of a custom source ("Collecting data from custom sources",
/// *Amazon Security Lake User Guide*).
const SECURITY_LAKE: &[Column] = &[
    ("region", Value::Region),
    ("accountId", Value::Account),
    ("eventDay", Value::CompactDay),
];

/// What stands for a value that is not known: Hive's name of its null partition.
const UNKNOWN: &str = "__HIVE_DEFAULT_PARTITION__";

/// How objects of a destination are partitioned.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Partitioning(Vec<Column>);

/// Why a text is no partitioning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no partition column: list account, region, day, hour, or write security-lake")]
pub struct PartitioningError(String);

impl Partitioning {
    /// Reads `account,region,day,hour`, any of them in any order, or `security-lake`.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn parse(text: &str) -> Result<Partitioning, PartitioningError> {
        if text == "security-lake" {
            return Ok(Partitioning(SECURITY_LAKE.to_vec()));
        }
        let columns = text.split(',').map(|name| {
            let known = COLUMNS.iter().find(|(known, _)| *known == name);
            known
                .map(|(_, column)| *column)
                .ok_or_else(|| PartitioningError(name.to_owned()))
        });
        columns.collect::<Result<_, _>>().map(Partitioning)
    }

    /// Whether there is only one partition, without a name.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The span of record time that one partition holds, in seconds; `None` when time does not matter.
    pub fn seconds(&self) -> Option<i64> {
        let spans = self.0.iter().filter_map(|(_, value)| match value {
            Value::Hour => Some(3_600),
            Value::Day | Value::CompactDay => Some(86_400),
            Value::Account | Value::Region => None,
        });
        spans.min()
    }

    /// Whether each account has partitions of its own.
    pub fn has_account(&self) -> bool {
        self.0.iter().any(|(_, value)| *value == Value::Account)
    }

    /// Whether each region has partitions of its own.
    pub fn has_region(&self) -> bool {
        self.0.iter().any(|(_, value)| *value == Value::Region)
    }

    /// The partition's path, without a slash at either end: account and region are those of the log, `time` is
    /// that of the records, in Unix seconds.
    pub fn path(&self, log: &Origin, time: Option<i64>) -> String {
        let key = ObjectKey::parse(&log.key);
        let key = key.as_ref();
        self.path_of(key.map(|key| key.account), key.map(|key| key.region), time)
    }

    /// The path of the partition of an account, a region and a time in Unix seconds, as far as they are known.
    pub fn path_of(
        &self,
        account: Option<&str>,
        region: Option<&str>,
        time: Option<i64>,
    ) -> String {
        let time = time
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .map(|time| time.to_zoned(TimeZone::UTC));
        let date = |format: &str| {
            let time = time.as_ref();
            time.map(|time| time.strftime(format).to_string())
        };
        let mut path = String::new();
        for (name, value) in &self.0 {
            let value = match value {
                Value::Account => account.map(str::to_owned),
                Value::Region => region.map(str::to_owned),
                Value::Day => date("%Y-%m-%d"),
                Value::CompactDay => date("%Y%m%d"),
                Value::Hour => date("%H"),
            };
            let separator = if path.is_empty() { "" } else { "/" };
            let value = value.as_deref().unwrap_or(UNKNOWN);
            path.push_str(&format!("{separator}{name}={value}"));
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(key: &str) -> Origin {
        Origin {
            bucket: "logs".into(),
            key: key.into(),
            revision: "1".into(),
        }
    }

    const KEY: &str = "AWSLogs/123456789012/vpcflowlogs/eu-west-1/2026/11/20/123456789012_vpcflowlogs_eu-west-1_fl-1_20261120T1615Z_ab.log.gz";

    #[test]
    fn paths_are_hives_or_those_of_security_lake() {
        let time = Some(1_795_190_400);
        for (columns, path) in [
            (
                "account,region,day,hour",
                "account=123456789012/region=eu-west-1/day=2026-11-20/hour=16",
            ),
            ("day,region", "day=2026-11-20/region=eu-west-1"),
            (
                "security-lake",
                "region=eu-west-1/accountId=123456789012/eventDay=20261120",
            ),
        ] {
            let partitioning = Partitioning::parse(columns).unwrap();
            assert_eq!(partitioning.path(&log(KEY), time), path);
        }
        assert_eq!(Partitioning::default().path(&log(KEY), time), "");
    }

    #[test]
    fn what_is_not_known_has_hives_name_for_it() {
        let partitioning = Partitioning::parse("account,day").unwrap();
        assert_eq!(
            partitioning.path(&log("my.log"), None),
            "account=__HIVE_DEFAULT_PARTITION__/day=__HIVE_DEFAULT_PARTITION__"
        );
    }

    #[test]
    fn the_shortest_column_of_time_decides_the_span() {
        let seconds = |text| Partitioning::parse(text).unwrap().seconds();
        assert_eq!(seconds("day,hour"), Some(3_600));
        assert_eq!(seconds("region,day"), Some(86_400));
        assert_eq!(seconds("account"), None);
        let error = Partitioning::parse("account,week").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("\"week\" is no partition column")
        );
    }
}
