//! The survey: which of the series that are listed are asked for, and what each is about.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Statistic;
use super::catalogue::{Catalogue, Metric, Namespace, Set};
use super::choice::Choice;
use super::cost::Queries;
use super::datapoint::Measured;
use super::ledger::Group;
use super::reading::Query;
use super::resources::{Found, Resources};
use super::series::{Memory, Series, SeriesList};

/// What is known of a series beside its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// CloudWatch's unit.
    pub unit: String,
    /// Whether its values add up over time.
    pub adds_up: bool,
    /// The resource that it is a metric of.
    pub resource: Option<Arc<Measured>>,
}

/// A query that is asked once a window, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The query.
    pub query: Query,
    /// Its namespace's label, and its period in seconds.
    pub group: (String, u32),
    /// Its namespace's and its metric's place in the order of importance.
    pub rank: (usize, usize),
    /// When its series was first listed, Unix seconds.
    first_listed: i64,
    /// What its dimensions name.
    found: Found,
}

impl Wanted {
    /// What is paid for it.
    pub fn cost(&self) -> Queries<'_> {
        Queries {
            namespace: &self.group.0,
            metric: &self.query.series.metric,
            period: self.group.1,
            count: 1,
        }
    }

    /// Whether it has no datapoints from `time` on, Unix seconds.
    pub fn is_gone(&self, time: i64) -> bool {
        self.found.is_gone(self.first_listed, time)
    }
}

/// Decides what is asked in one account and region.
#[derive(Debug, Clone, Copy)]
pub struct Survey<'s> {
    /// What there is to measure.
    pub catalogue: &'s Catalogue,
    /// What is asked of it.
    pub choice: &'s Choice,
    /// The region.
    pub region: &'s str,
    /// The labels of the namespaces that are asked; `None` for all.
    pub only: Option<&'s [String]>,
    /// What the dimensions of series name.
    pub resources: &'s Resources,
}

impl<'s> Survey<'s> {
    /// The namespaces that are asked.
    pub fn namespaces(&self) -> impl Iterator<Item = &'s Namespace> {
        let Survey {
            catalogue,
            choice,
            region,
            only,
            ..
        } = *self;
        let namespaces = catalogue.namespaces().iter();
        namespaces.filter(move |namespace| {
            let is_wanted = only.is_none_or(|labels| labels.contains(&namespace.label));
            is_wanted && namespace.place.has(region) && choice.wants(namespace)
        })
    }

    /// The groups that are read: each namespace that is asked, with each period that its chosen metrics have.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups = BTreeSet::new();
        for namespace in self.namespaces() {
            for metric in &namespace.metrics {
                let sets = metric.sets.iter().filter_map(|label| namespace.set(label));
                let mut chosen = sets.map(|set| self.choice.statistics(namespace, metric, set));
                if chosen.any(|statistics| !statistics.is_empty()) {
                    groups.insert(group(namespace, metric.period));
                }
            }
            // For metrics that are chosen by name and that the catalogue does not have.
            groups.insert(group(namespace, namespace.period));
        }
        groups.into_iter().collect()
    }

    /// The queries of the series that are listed, the most important first.
    pub fn wanted(&self, list: &SeriesList) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = list
            .iter()
            .flat_map(|(series, memory)| self.of_series(series, memory))
            .collect();
        wanted.sort_by(|a, b| (a.rank, &a.query).cmp(&(b.rank, &b.query)));
        wanted
    }

    fn of_series(&self, series: &Series, memory: &Memory) -> Vec<Wanted> {
        let Some((namespace, metric, set)) = self.catalogued(series) else {
            return Vec::new();
        };
        if self
            .only
            .is_some_and(|labels| !labels.contains(&namespace.label))
            || !namespace.place.has(self.region)
        {
            return Vec::new();
        }
        let found = self.resources.find(namespace, series);
        let measured = found.measured().map(|measured| &**measured);
        let statistics: BTreeSet<Statistic> = self
            .choice
            .of(namespace, &metric, set, measured)
            .into_iter()
            .collect();
        let wanted = statistics.into_iter().map(|statistic| Wanted {
            query: Query {
                series: series.clone(),
                statistic,
            },
            group: (namespace.label.clone(), metric.period),
            rank: (namespace.rank, metric.rank),
            first_listed: memory.first_listed,
            found: found.clone(),
        });
        wanted.collect()
    }

    fn catalogued(&self, series: &Series) -> Option<(&'s Namespace, Metric, &'s Set)> {
        let namespace = self.catalogue.of(&series.namespace)?;
        let names: Vec<&String> = series.dimensions.iter().map(|(name, _)| name).collect();
        let set = namespace.set_of(&names)?;
        let metric = namespace.metric(&series.metric).cloned();
        let metric = metric.unwrap_or_else(|| namespace.unlisted(&series.metric));
        Some((namespace, metric, set))
    }

    /// The group of a series.
    pub fn group_of(&self, series: &Series) -> Option<Group> {
        let (namespace, metric, _) = self.catalogued(series)?;
        Some(group(namespace, metric.period))
    }

    /// The statistics that are asked of a series.
    pub fn statistics_of(&self, series: &Series) -> Vec<Statistic> {
        let memory = Memory {
            first_listed: 0,
            quiet_since: None,
        };
        let wanted = self.of_series(series, &memory);
        wanted
            .into_iter()
            .map(|wanted| wanted.query.statistic)
            .collect()
    }

    /// What a series is about.
    pub fn about(&self, series: &Series) -> About {
        let catalogued = self.catalogued(series);
        let resource = catalogued.as_ref().and_then(|(namespace, ..)| {
            let found = self.resources.find(namespace, series);
            found.measured().map(Arc::clone)
        });
        let metric = catalogued.map(|(_, metric, _)| (metric.unit, metric.adds_up));
        let (unit, adds_up) = metric.unwrap_or_else(|| ("None".to_owned(), false));
        About {
            unit,
            adds_up,
            resource,
        }
    }
}

fn group(namespace: &Namespace, period: u32) -> Group {
    Group {
        namespace: namespace.label.clone(),
        period,
        settle: namespace.settle(period),
    }
}
