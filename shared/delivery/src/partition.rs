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

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// Spans of time that have partitions of their own: two times are of one span where their partitions have the same
/// path, and only there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spans {
    /// How long one is; `None` when time does not matter.
    seconds: Option<i64>,
    /// Whether an hour is the same one on all days.
    is_of_any_day: bool,
    /// The first and the last time that has a date, Unix seconds.
    writable: (i64, i64),
}

impl Spans {
    /// Whether time does not matter.
    #[inline]
    pub fn is_one(self) -> bool {
        self.seconds.is_none()
    }

    /// The start of the span that a time is of, both in Unix seconds. `None` when time does not matter, or has no
    /// date.
    #[inline]
    pub fn start(self, time: i64) -> Option<i64> {
        let seconds = self.seconds?;
        let (first, last) = self.writable;
        let start = time.checked_sub(time.rem_euclid(seconds))?;
        (first..=last)
            .contains(&start)
            .then(|| match self.is_of_any_day {
                true => start.rem_euclid(DAY),
                false => start,
            })
    }
}

/// Why a text is no partitioning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartitioningError {
    /// It is no column.
    #[error(
        "{0:?} is no partition column: list account, region, day, hour, or write security-lake"
    )]
    Unknown(String),
    /// A column stands twice.
    #[error("the partition column {0:?} stands twice: list each once")]
    Twice(String),
}

impl Partitioning {
    /// Reads `account,region,day,hour`, any of them in any order, or `security-lake`.
    ///
    /// # Errors
    /// The first name that is none, or stands twice.
    pub fn parse(text: &str) -> Result<Partitioning, PartitioningError> {
        if text == "security-lake" {
            return Ok(Partitioning(SECURITY_LAKE.to_vec()));
        }
        let columns = text.split(',').map(|name| {
            let known = COLUMNS.iter().find(|(known, _)| *known == name);
            known
                .map(|(_, column)| *column)
                .ok_or_else(|| PartitioningError::Unknown(name.to_owned()))
        });
        let columns: Vec<Column> = columns.collect::<Result<_, _>>()?;
        let again =
            |(place, column): (usize, &Column)| columns.iter().take(place).any(|c| c == column);
        match columns.iter().enumerate().position(again) {
            Some(place) => {
                let name = text.split(',').nth(place).unwrap_or_default();
                Err(PartitioningError::Twice(name.to_owned()))
            }
            None => Ok(Partitioning(columns)),
        }
    }

    /// Whether there is only one partition, without a name.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The spans of time that have partitions of their own.
    pub fn spans(&self) -> Spans {
        let has = |wanted: &[Value]| self.0.iter().any(|(_, value)| wanted.contains(value));
        let has_day = has(&[Value::Day, Value::CompactDay]);
        let has_hour = has(&[Value::Hour]);
        Spans {
            seconds: match (has_hour, has_day) {
                (true, _) => Some(HOUR),
                (false, true) => Some(DAY),
                (false, false) => None,
            },
            is_of_any_day: !has_day,
            writable: (Timestamp::MIN.as_second(), Timestamp::MAX.as_second()),
        }
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn times_of_one_span_are_those_of_one_path(
            columns in prop::sample::select(vec!["day", "hour", "hour,day", "account", "security-lake"]),
            times in prop::collection::vec(
                prop_oneof![any::<i64>(), 0..400_000_i64, -400_000_000_000..400_000_000_000_i64],
                2..20,
            ),
        ) {
            let partitioning = Partitioning::parse(columns).unwrap();
            let spans = partitioning.spans();
            let path = |time| partitioning.path_of(None, None, time);
            for time in &times {
                let start = spans.start(*time);
                prop_assert_eq!(path(start), path(Some(*time)));
                for other in &times {
                    prop_assert_eq!(start == spans.start(*other), path(start) == path(Some(*other)));
                }
            }
        }
    }

    #[test]
    fn the_shortest_column_of_time_decides_the_span() {
        let start = |text| {
            Partitioning::parse(text)
                .unwrap()
                .spans()
                .start(1_795_219_199)
        };
        assert_eq!(start("day,hour"), Some(1_795_215_600));
        assert_eq!(start("region,day"), Some(1_795_132_800));
        assert_eq!(start("hour"), Some(23 * 3_600));
        assert_eq!(start("account"), None);
        let error = Partitioning::parse("account,week").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("\"week\" is no partition column")
        );
        let twice = Partitioning::parse("day,hour,day").unwrap_err();
        assert_eq!(twice, PartitioningError::Twice("day".to_owned()));
    }
}
