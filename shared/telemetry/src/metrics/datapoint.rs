//! Datapoints: one value each, and what it is about.

use super::Statistic;

/// One value of one statistic of one CloudWatch metric over one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Datapoint<'p> {
    /// The account that the metric is about, 12 digits: for a linked account that account, not the one that was asked.
    pub account: &'p str,
    /// The region that CloudWatch was asked in.
    pub region: &'p str,
    /// CloudWatch's namespace, such as `AWS/NATGateway`.
    pub namespace: &'p str,
    /// The metric's name, such as `BytesOutToDestination`.
    pub metric: &'p str,
    /// Names and values of its dimensions, sorted by name.
    pub dimensions: &'p [(String, String)],
    /// The statistic.
    pub statistic: Statistic,
    /// CloudWatch's unit (`StandardUnit`), such as `Bytes/Second`; `None` is a unit too.
    pub unit: &'p str,
    /// Whether what was measured adds up over time, as bytes do and a number of open connections does not.
    pub adds_up: bool,
    /// The period's length, in seconds.
    pub period: u32,
    /// The period's start, Unix seconds.
    pub time: i64,
    /// The value.
    pub value: f64,
    /// The resource that the dimensions name; `None` when they name none that is known.
    pub resource: Option<&'p Measured>,
}

/// What a metric was measured of, as the inventory knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// Its kind, as the inventory calls it: `nat-gateway`.
    pub kind: &'static str,
    /// Its id, or its ARN.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// The account that owns it, which need not be the one that the metric is about.
    pub owner: Option<String>,
    /// Its VPC.
    pub vpc: Option<String>,
    /// Its tags, sorted.
    pub tags: Vec<(String, String)>,
}
