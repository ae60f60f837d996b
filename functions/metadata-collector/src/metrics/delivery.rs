//! Datapoints to the destinations, which confirm them.

use std::sync::Arc;

use delivery::datapoints::DatapointEncoder;
use delivery::{DeliveryError, Lane, Origin};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use telemetry::metrics::ledger::{Asked, Window};
use telemetry::metrics::reading::{Query, Read};
use telemetry::metrics::survey::About;
use telemetry::metrics::{Datapoint, Span};

use crate::feed;

/// Whose datapoints are delivered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origins<'o> {
    pub account: &'o str,
    pub region: &'o str,
    pub window: &'o Window,
    /// The part of the window.
    pub part: usize,
}

impl Origins<'_> {
    /// What names the part's batches, the same however often it is delivered.
    fn origin(&self) -> Origin {
        let Span { period, start, end } = self.window.span;
        let day = Timestamp::from_second(start).unwrap_or_default();
        let day = day.to_zoned(TimeZone::UTC).strftime("%Y/%m/%d").to_string();
        let revision = match &self.window.asked {
            Asked::Owed => "owed".to_owned(),
            Asked::Namespaces(namespaces) => namespaces.join(" "),
        };
        Origin {
            bucket: "metrics".to_owned(),
            key: format!(
                "{}/{}/{day}/{period}s-{start}-{end}/{}",
                self.account, self.region, self.part
            ),
            revision,
        }
    }
}

/// Delivers what was read of a part to every destination. Returns how many datapoints there were.
///
/// # Errors
/// A destination did not confirm; others may have, and get the same batches again.
pub(super) async fn deliver(
    lanes: &[Lane],
    origins: Origins<'_>,
    queries: &[Query],
    read: &Read,
    about: impl Fn(&Query) -> About,
) -> Result<u64, DeliveryError> {
    let about: Vec<About> = queries.iter().map(about).collect();
    let described = queries.iter().zip(&about).zip(&read.points);
    let datapoints: Vec<Datapoint<'_>> = described
        .flat_map(|((query, about), points)| {
            let series = &query.series;
            points.iter().map(move |(time, value)| Datapoint {
                account: series.owner.as_deref().unwrap_or(origins.account),
                region: origins.region,
                namespace: &series.namespace,
                metric: &series.metric,
                dimensions: &series.dimensions,
                statistic: query.statistic,
                unit: &about.unit,
                adds_up: about.adds_up,
                period: origins.window.span.period,
                time: *time,
                value: *value,
                resource: about.resource.as_deref(),
            })
        })
        .collect();
    let origin: Arc<[Origin]> = Arc::new([origins.origin()]);
    for lane in lanes {
        feed::deliver::<DatapointEncoder>(lane, &origin, &datapoints).await?;
    }
    Ok(datapoints.len() as u64)
}
