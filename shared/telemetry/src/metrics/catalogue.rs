//! What CloudWatch measures of a network: namespaces, metrics, units, statistics, and which resource dimensions name.
//!
//! `models/metrics.json` is made by `models/metrics.py`; how it is written is said there. `docs/metrics-catalogue.md`
//! is made from it. Namespaces, metrics, sets and statistics stand in their order of importance.

mod page;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde_json::Value;

use super::Statistic;
use crate::inventory::Kind;

/// The namespaces that are asked for.
#[derive(Debug)]
pub struct Catalogue {
    namespaces: Vec<Namespace>,
}

/// A namespace of CloudWatch.
#[derive(Debug, Clone, PartialEq)]
pub struct Namespace {
    /// What it is called here: `AWS/NetworkManager`.
    pub label: String,
    /// What CloudWatch calls it: `AWS/Network Manager`. Where there are several, each may have metrics.
    pub names: Vec<String>,
    /// Its place in the order of importance, 0 for the one that is left out last.
    pub rank: usize,
    /// The period of its metrics, in seconds, where they have none of their own.
    pub period: u32,
    /// Whether AWS says so.
    pub period_confirmed: bool,
    /// Where CloudWatch has it.
    pub place: AskedIn,
    /// The combinations of dimensions it is written for.
    pub sets: Vec<Set>,
    /// What its dimensions name, the most specific first: the first one that a series has names its resource.
    pub joins: Vec<Join>,
    /// Its metrics.
    pub metrics: Vec<Metric>,
    /// The sets that are asked for where a metric has them.
    grain: Vec<String>,
    /// Periods and how long to wait after them, in seconds, by period.
    settle: Vec<(u32, u32)>,
}

/// Where CloudWatch has the metrics of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedIn {
    /// In the region of the resource.
    EachRegion,
    /// In one region, for resources everywhere.
    Region(String),
}

/// A combination of dimensions. CloudWatch adds nothing up: a series is found by all of its dimensions or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// What it is called here: `az_lb`.
    pub label: String,
    /// Its place in the order of importance.
    pub rank: usize,
    /// Names of the dimensions, sorted; none is a combination too.
    pub dimensions: Vec<String>,
    /// Whether AWS says that it is there.
    pub confirmed: bool,
}

/// What a dimension names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The dimension.
    pub dimension: String,
    /// The kind of resource: [`Kind::label`], or one that the inventory does not have, see [`JoinBy::Itself`].
    pub kind: &'static str,
    /// How the resource is found.
    pub by: JoinBy,
}

/// How a dimension's value leads to a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinBy {
    /// It is the id.
    Id,
    /// The ARN ends with this text and the value. That is unique within account and region.
    ArnEnd(String),
    /// It is the outside address of one of the tunnels of a VPN connection.
    TunnelAddress,
    /// The inventory has no resources of the kind: the value is all there is to say.
    Itself,
}

/// A metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its place in the order of importance.
    pub rank: usize,
    /// Its unit, a `StandardUnit` of CloudWatch.
    pub unit: String,
    /// Whether AWS's documentation says the unit. Else it was read from the name.
    pub unit_confirmed: bool,
    /// Whether what is measured adds up over time.
    pub adds_up: bool,
    /// The statistics that mean something, at least one.
    pub statistics: Vec<Statistic>,
    /// Those that are asked for by default; none when the metric is not.
    pub default_statistics: Vec<Statistic>,
    /// Labels of the sets it is written for, at least one.
    pub sets: Vec<String>,
    /// Labels of those it is asked for at, unless another is named: no resource's value is there twice.
    pub default_sets: Vec<String>,
    /// Its period, in seconds.
    pub period: u32,
    /// More about it, where the name does not tell.
    pub note: Option<String>,
    /// Whether more than one source names it.
    pub confirmed: bool,
}

/// A defect of the catalogue's file, found when it is first used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the catalogue of metrics cannot be used: {0}. It is part of this program: report it")]
pub struct CatalogueError(String);

/// Kinds of resources that are measured and that the inventory does not have.
const UNLISTED_KINDS: [&str; 7] = [
    "api",
    "auto-scaling-group",
    "bucket",
    "dedicated-host",
    "health-check",
    "hosted-zone",
    "image",
];

static CATALOGUE: LazyLock<Result<Catalogue, CatalogueError>> = LazyLock::new(|| {
    let text = include_str!("../../models/metrics.json");
    let file = serde_json::from_str(text).map_err(|e| CatalogueError(e.to_string()))?;
    read(&file).ok_or_else(|| CatalogueError("a row of metrics.json cannot be read".to_owned()))
});

impl Catalogue {
    /// The catalogue that this program was built with.
    ///
    /// # Errors
    /// The file is not what it should be, which the tests of this crate would show.
    pub fn get() -> Result<&'static Catalogue, CatalogueError> {
        CATALOGUE.as_ref().map_err(CatalogueError::clone)
    }

    /// All namespaces, the most important first.
    pub fn namespaces(&self) -> &[Namespace] {
        &self.namespaces
    }

    /// The namespace that CloudWatch calls so.
    pub fn of(&self, name: &str) -> Option<&Namespace> {
        let mut namespaces = self.namespaces.iter();
        namespaces.find(|namespace| namespace.names.iter().any(|one| one == name))
    }
}

impl Namespace {
    /// The metric of that name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The set of that label.
    pub fn set(&self, label: &str) -> Option<&Set> {
        self.sets.iter().find(|set| set.label == label)
    }

    /// The set of exactly these dimensions, which are sorted.
    pub fn set_of<T: AsRef<str>>(&self, dimensions: &[T]) -> Option<&Set> {
        self.sets.iter().find(|set| {
            let names = set.dimensions.iter().map(String::as_str);
            names.eq(dimensions.iter().map(AsRef::as_ref))
        })
    }

    /// How long after the end of a period its values may still change, in seconds.
    pub fn settle(&self, period: u32) -> u32 {
        // A period that is not listed waits as long as the next longer one.
        let longer = self.settle.iter().find(|(listed, _)| *listed >= period);
        longer.or(self.settle.last()).map_or(0, |(_, wait)| *wait)
    }

    /// What is assumed of a metric that the catalogue does not list: no unit, the namespace's period.
    pub fn unlisted(&self, name: &str) -> Metric {
        Metric {
            name: name.to_owned(),
            rank: self.metrics.len(),
            unit: "None".to_owned(),
            unit_confirmed: false,
            adds_up: false,
            statistics: vec![Statistic::Average],
            default_statistics: Vec::new(),
            sets: self.sets.iter().map(|set| set.label.clone()).collect(),
            default_sets: self.grain.clone(),
            period: self.period,
            note: None,
            confirmed: false,
        }
    }
}

impl AskedIn {
    /// Whether a region is asked.
    pub fn has(&self, region: &str) -> bool {
        match self {
            AskedIn::EachRegion => true,
            AskedIn::Region(one) => one == region,
        }
    }
}

fn text(row: &Value, member: &str) -> Option<String> {
    row.get(member)?.as_str().map(str::to_owned)
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

/// Whether a member is there and true.
fn is(row: &Value, member: &str) -> bool {
    row.get(member).is_some_and(|value| value == true)
}

/// The words of a member; none when it is not there.
fn words(row: &Value, member: &str) -> Vec<String> {
    let all = row.get(member).and_then(Value::as_str).unwrap_or_default();
    all.split_whitespace().map(str::to_owned).collect()
}

/// The texts of a list.
fn texts(list: &Value) -> Option<Vec<String>> {
    let texts = list.as_array()?.iter();
    texts.map(|one| one.as_str().map(str::to_owned)).collect()
}

fn read(file: &Value) -> Option<Catalogue> {
    let settle = settle(file.get("settle")?)?;
    let rows = file.get("namespaces")?.as_array()?.iter().enumerate();
    let namespaces = rows.map(|(rank, row)| namespace(rank, row, &settle));
    Some(Catalogue {
        namespaces: namespaces.collect::<Option<_>>()?,
    })
}

fn settle(rows: &Value) -> Option<Vec<(u32, u32)>> {
    let rows = rows.as_array()?.iter();
    rows.map(|row| Some((number(row.get(0)?)?, number(row.get(1)?)?)))
        .collect()
}

fn namespace(rank: usize, row: &Value, waits: &[(u32, u32)]) -> Option<Namespace> {
    let period = number(row.get("period")?)?;
    let assumed = row.get("sets_assumed").map_or(Some(Vec::new()), texts)?;
    let grain = words(row, "grain");
    let sets = row.get("sets")?.as_array()?.iter().enumerate();
    let sets = sets.map(|(rank, row)| set(rank, row, &assumed));
    let joins = row.get("joins")?.as_array()?.iter().map(join);
    let metrics = row.get("metrics")?.as_array()?.iter().enumerate();
    let metrics = metrics.map(|(rank, row)| metric(rank, row, period, &grain));
    Some(Namespace {
        label: text(row, "label")?,
        names: texts(row.get("names")?)?,
        rank,
        period,
        period_confirmed: !is(row, "period_assumed"),
        place: text(row, "region").map_or(AskedIn::EachRegion, AskedIn::Region),
        sets: sets.collect::<Option<_>>()?,
        joins: joins.collect::<Option<_>>()?,
        metrics: metrics.collect::<Option<_>>()?,
        settle: match row.get("settle") {
            Some(own) => settle(own)?,
            None => waits.to_vec(),
        },
        grain,
    })
}

fn set(rank: usize, row: &Value, assumed: &[String]) -> Option<Set> {
    let mut names = texts(row)?.into_iter();
    let label = names.next()?;
    Some(Set {
        confirmed: !assumed.contains(&label),
        label,
        rank,
        dimensions: names.collect(),
    })
}

fn join(row: &Value) -> Option<Join> {
    let [dimension, kind, by] = <[String; 3]>::try_from(texts(row)?).ok()?;
    let (by, end) = by.split_once(' ').unwrap_or((&by, ""));
    let by = match by {
        "id" => JoinBy::Id,
        "arn" => JoinBy::ArnEnd(end.to_owned()),
        "tunnel" => JoinBy::TunnelAddress,
        "itself" => JoinBy::Itself,
        _ => return None,
    };
    let kind = match by {
        JoinBy::Itself => UNLISTED_KINDS.into_iter().find(|known| *known == kind)?,
        _ => Kind::named(&kind)?.label(),
    };
    Some(Join {
        dimension,
        kind,
        by,
    })
}

fn metric(rank: usize, row: &Value, period: u32, grain: &[String]) -> Option<Metric> {
    let statistics = |member| {
        let names = words(row, member).into_iter();
        let statistics = names.map(|name| name.parse::<Statistic>().ok());
        statistics.collect::<Option<Vec<_>>>()
    };
    let sets = words(row, "sets");
    let default_sets = match words(row, "in") {
        own if own.is_empty() => {
            let common = sets.iter().filter(|set| grain.contains(set));
            common.cloned().collect()
        }
        own => own,
    };
    Some(Metric {
        name: text(row, "name")?,
        rank,
        unit: text(row, "unit")?,
        unit_confirmed: !is(row, "named"),
        adds_up: is(row, "adds"),
        statistics: statistics("statistics")?,
        default_statistics: statistics("default")?,
        sets,
        default_sets,
        period: row.get("period").map_or(Some(period), number)?,
        note: text(row, "note"),
        confirmed: !is(row, "unconfirmed"),
    })
}
