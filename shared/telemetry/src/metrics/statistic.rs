//! Statistics: how the samples of a period become one value.

use std::fmt;
use std::str::FromStr;

/// A statistic of CloudWatch ("CloudWatch statistics definitions", *Amazon CloudWatch User Guide*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// The mean.
    Average,
    /// The sum.
    Sum,
    /// The smallest.
    Minimum,
    /// The largest.
    Maximum,
    /// How many samples there were.
    SampleCount,
    /// A percentile, in thousandths of a percent: `p99.9` is 99,900.
    Percentile(u32),
}

/// A hundred percent, in thousandths.
const ALL: u32 = 100_000;

/// A text that names no statistic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no statistic: give Average, Sum, Minimum, Maximum, SampleCount, or a percentile from p0 to p100 such as p99.9"
)]
pub struct UnknownStatistic(String);

/// The statistics that have a name.
const NAMED: [(&str, Statistic); 5] = [
    ("Average", Statistic::Average),
    ("Sum", Statistic::Sum),
    ("Minimum", Statistic::Minimum),
    ("Maximum", Statistic::Maximum),
    ("SampleCount", Statistic::SampleCount),
];

impl FromStr for Statistic {
    type Err = UnknownStatistic;

    fn from_str(text: &str) -> Result<Statistic, UnknownStatistic> {
        if let Some((_, statistic)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*statistic);
        }
        percentile(text)
            .map(Statistic::Percentile)
            .ok_or_else(|| UnknownStatistic(text.to_owned()))
    }
}

fn percentile(text: &str) -> Option<u32> {
    let (whole, part) = match text.strip_prefix('p')?.split_once('.') {
        Some((whole, part)) => (whole, part),
        None => (text.strip_prefix('p')?, "0"),
    };
    let is_number = |digits: &str| {
        (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if !is_number(whole) || !is_number(part) {
        return None;
    }
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    let thousandths = whole.parse::<u32>().ok()? * 1_000 + part;
    (thousandths <= ALL).then_some(thousandths)
}

impl fmt::Display for Statistic {
    /// As `GetMetricData` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Statistic::Percentile(thousandths) = self {
            let (whole, part) = (thousandths / 1_000, thousandths % 1_000);
            return match part {
                0 => write!(f, "p{whole}"),
                part => write!(f, "p{whole}.{}", format!("{part:03}").trim_end_matches('0')),
            };
        }
        let mut named = NAMED.iter();
        let name = named.find(|(_, statistic)| statistic == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_written_as_they_are_read() {
        for text in [
            "Average",
            "Sum",
            "Minimum",
            "Maximum",
            "SampleCount",
            "p0",
            "p50",
            "p99.9",
            "p99.99",
            "p0.001",
            "p100",
        ] {
            assert_eq!(text.parse::<Statistic>().unwrap().to_string(), text);
        }
        assert_eq!("p99.90".parse(), Ok(Statistic::Percentile(99_900)));
        for text in [
            "", "p", "average", "p101", "p100.1", "p99.", "p-1", "p1.2345", "tm99",
        ] {
            assert!(text.parse::<Statistic>().is_err(), "{text}");
        }
    }
}
