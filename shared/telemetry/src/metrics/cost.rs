//! What asking for metrics costs, and how much of it a budget allows.
//!
//! CloudWatch charges for each metric that `GetMetricData` is asked for, however many datapoints it answers with: each
//! statistic of each series, each time it is asked. So the cost is that of the windows that become due, and asking for
//! an hour at once costs a sixtieth of asking each minute.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Sum;
use std::ops::Add;

#[cfg(test)]
mod tests;

/// A month, as prices are compared: 30 days, in seconds.
const MONTH: u64 = 30 * 24 * 60 * 60;

/// Billionths of a dollar in a dollar.
const NANO: u64 = 1_000_000_000;

/// What CloudWatch charges, in billionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// A metric that `GetMetricData` is asked for.
    pub requested: u64,
    /// A call of `ListMetrics`.
    pub listing: u64,
    /// Calls of `ListMetrics` that cost nothing, each month. Other calls of CloudWatch count too.
    pub free_listings: u64,
    /// When the price was looked up.
    pub date: &'static str,
}

/// The list price of us-east-1 ("Amazon CloudWatch Pricing"): $0.01 per 1,000 metrics requested, and $0.01 per 1,000
/// other calls after the first million.
pub const LIST_PRICE: Price = Price {
    requested: 10_000,
    listing: 10_000,
    free_listings: 1_000_000,
    date: "2026-11-21",
};

/// An amount of money: billionths of a US dollar, so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(u64);

/// Queries that are alike: a number of statistics of series of a namespace, with their period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queries<'q> {
    /// The namespace's label.
    pub namespace: &'q str,
    /// The metric's name; may be empty where it does not matter.
    pub metric: &'q str,
    /// The period, in seconds.
    pub period: u32,
    /// How many there are.
    pub count: u64,
}

/// What a month costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Metrics requested by a run for which all of them are due.
    pub metrics_per_run: u64,
    /// How often it runs.
    pub runs_per_month: u64,
    /// Calls of `ListMetrics`.
    pub listings_per_month: u64,
    /// By namespace and period, sorted.
    pub by_namespace: BTreeMap<(String, u32), Monthly>,
}

/// What the queries of a namespace and period cost a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Monthly {
    /// Metrics requested when they are due.
    pub metrics: u64,
    /// Metrics requested in the month.
    pub requested: u64,
    /// What that costs.
    pub cost: Usd,
}

/// What a budget allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounded {
    /// How many of the series, from the first on.
    pub kept: usize,
    /// What they cost a month.
    pub cost: Usd,
    /// How many queries were left out, by namespace and metric.
    pub left_out: BTreeMap<(String, String), u64>,
}

impl Usd {
    /// An amount in dollars; what is no amount is nothing, and what is too large the largest there is.
    pub fn dollars(amount: f64) -> Usd {
        // The conversion rounds down, saturates, and makes 0 of what is no number.
        Usd((amount * NANO as f64) as u64)
    }

    /// In dollars.
    pub fn as_dollars(self) -> f64 {
        self.0 as f64 / NANO as f64
    }

    fn of(count: u64, each: u64) -> Usd {
        Usd(count.saturating_mul(each))
    }
}

impl Add for Usd {
    type Output = Usd;

    fn add(self, other: Usd) -> Usd {
        Usd(self.0.saturating_add(other.0))
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Usd>>(amounts: I) -> Usd {
        amounts.fold(Usd::default(), Usd::add)
    }
}

impl fmt::Display for Usd {
    /// With cents, rounded up, so that what costs something is not shown as nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.0.div_ceil(NANO / 100);
        f.pad(&format!("${}.{:02}", cents / 100, cents % 100))
    }
}

/// How often something of a period becomes due in a month, when it is asked for so often, in seconds: with each run,
/// but with no more runs than there are periods.
fn due_per_month(period: u32, interval: u32) -> u64 {
    MONTH.div_ceil(u64::from(period.max(interval).max(1)))
}

impl Estimate {
    /// What these queries cost a month when there is a run each so many seconds, and `ListMetrics` is called so often.
    pub fn new<'q>(
        queries: impl IntoIterator<Item = Queries<'q>>,
        interval: u32,
        listings_per_month: u64,
        price: &Price,
    ) -> Estimate {
        let mut estimate = Estimate {
            runs_per_month: due_per_month(0, interval),
            listings_per_month,
            ..Estimate::default()
        };
        for queries in queries {
            let key = (queries.namespace.to_owned(), queries.period);
            let monthly = estimate.by_namespace.entry(key).or_default();
            let due = due_per_month(queries.period, interval);
            *monthly = *monthly + Monthly::new(queries.count, due, price);
            estimate.metrics_per_run = estimate.metrics_per_run.saturating_add(queries.count);
        }
        estimate
    }

    /// Metrics requested in a month.
    pub fn requested_per_month(&self) -> u64 {
        let all = self.by_namespace.values();
        all.fold(0, |sum, monthly| sum.saturating_add(monthly.requested))
    }

    /// What a month costs, the calls of `ListMetrics` included.
    pub fn cost_per_month(&self, price: &Price) -> Usd {
        let listings = self.listings_per_month.saturating_sub(price.free_listings);
        let metrics: Usd = self.by_namespace.values().map(|monthly| monthly.cost).sum();
        metrics + Usd::of(listings, price.listing)
    }

    /// Adds what is asked in another account or region. There are as many runs as where there are most, and calls are
    /// free once for all.
    pub fn add(&mut self, other: &Estimate) {
        self.metrics_per_run = self.metrics_per_run.saturating_add(other.metrics_per_run);
        self.runs_per_month = self.runs_per_month.max(other.runs_per_month);
        self.listings_per_month = self
            .listings_per_month
            .saturating_add(other.listings_per_month);
        for (key, monthly) in &other.by_namespace {
            let sum = self.by_namespace.entry(key.clone()).or_default();
            *sum = *sum + *monthly;
        }
    }
}

impl Monthly {
    fn new(metrics: u64, due: u64, price: &Price) -> Monthly {
        let requested = metrics.saturating_mul(due);
        Monthly {
            metrics,
            requested,
            cost: Usd::of(requested, price.requested),
        }
    }
}

impl Add for Monthly {
    type Output = Monthly;

    fn add(self, other: Monthly) -> Monthly {
        Monthly {
            metrics: self.metrics.saturating_add(other.metrics),
            requested: self.requested.saturating_add(other.requested),
            cost: self.cost + other.cost,
        }
    }
}

/// How many series a budget allows, when they come in order of importance and there is a run each so many seconds.
///
/// Those are kept that come before the first one for which there is no money left. A smaller one behind it is left out
/// too, so that what is kept does not depend on what else there is that matters less. Without a budget all are.
pub fn bound<'q>(
    series: impl IntoIterator<Item = Queries<'q>>,
    interval: u32,
    budget: Option<Usd>,
    price: &Price,
) -> Bounded {
    let mut bounded = Bounded::default();
    let mut is_spent = false;
    for queries in series {
        let due = due_per_month(queries.period, interval);
        let cost = bounded.cost + Monthly::new(queries.count, due, price).cost;
        is_spent = is_spent || budget.is_some_and(|budget| cost > budget);
        if is_spent {
            let key = (queries.namespace.to_owned(), queries.metric.to_owned());
            let left_out = bounded.left_out.entry(key).or_default();
            *left_out = left_out.saturating_add(queries.count);
        } else {
            bounded.kept += 1;
            bounded.cost = cost;
        }
    }
    bounded
}
