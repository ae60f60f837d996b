//! Datapoints to the destinations, which confirm them.

use std::collections::HashSet;
use std::sync::Arc;

use delivery::batch::digest;
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
    /// What names the part's batches, the same however often it is delivered. Of what is owed, several sets of queries
    /// come over the same span, one run after the other: the answered ones are in the name, so that what was delivered
    /// is only replaced by the same.
    fn origin(&self, queries: &[Query], read: &Read) -> Origin {
        let Span { period, start, end } = self.window.span;
        let day = Timestamp::from_second(start).unwrap_or_default();
        let day = day.to_zoned(TimeZone::UTC).strftime("%Y/%m/%d").to_string();
        let revision = match &self.window.asked {
            Asked::Owed => format!("owed {}", digest(answered(queries, read).map(Query::key))),
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

fn answered<'q>(queries: &'q [Query], read: &Read) -> impl Iterator<Item = &'q Query> {
    let unread: HashSet<usize> = read.unread.iter().map(|(place, _)| *place).collect();
    let places = queries.iter().enumerate();
    places.filter_map(move |(place, query)| (!unread.contains(&place)).then_some(query))
}

/// Delivers what was read of a part, whose queries are sorted by their keys, to every destination. Returns how many datapoints there were.
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
    let origin: Arc<[Origin]> = Arc::new([origins.origin(queries, read)]);
    for lane in lanes {
        feed::deliver::<DatapointEncoder>(lane, &origin, &datapoints).await?;
    }
    Ok(datapoints.len() as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use delivery::destination::{BATCH_BYTES, Connections};
    use delivery::encoding::Content;
    use delivery::{DestinationUrl, lane};
    use telemetry::metrics::Ledger;
    use telemetry::metrics::ledger::{Claim, Work};
    use telemetry::metrics::reading::Unread;
    use telemetry::metrics::series::Series;

    use super::*;

    /// Numbers that look random and are the same each time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, sides: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }
    }

    fn query(name: u64) -> Query {
        Query {
            series: Series {
                owner: None,
                namespace: "AWS/NATGateway".into(),
                metric: "BytesInFromSource".into(),
                dimensions: vec![("NatGatewayId".into(), format!("nat-{name}"))],
            },
            statistic: telemetry::metrics::Statistic::Sum,
        }
    }

    async fn lanes(urls: &str) -> Vec<Lane> {
        let urls = DestinationUrl::list(urls, BATCH_BYTES, Content::Datapoints).unwrap();
        let sdk = invocation::aws::no_services();
        let opened = lane::open(&urls, &mut Connections::to_aws(&sdk)).await;
        opened.unwrap()
    }

    fn about() -> About {
        About {
            unit: "Bytes".into(),
            adds_up: true,
            resource: None,
        }
    }

    /// What files hold, by their paths.
    fn files(under: &Path, found: &mut BTreeMap<String, String>) {
        let Ok(entries) = std::fs::read_dir(under) else {
            return;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files(&path, found),
                false => {
                    let text = std::fs::read_to_string(&path).unwrap();
                    found.insert(path.display().to_string(), text);
                }
            }
        }
    }

    /// What of a span is owed is answered in any order, listed late, and delivered by runs that die: in the end the
    /// files hold all that was ever answered, and none was ever replaced by another.
    #[tokio::test]
    async fn what_is_owed_never_replaces_what_was_delivered() {
        for seed in 0..20 {
            let directory = tempfile::tempdir().unwrap();
            let lanes = lanes(&format!("file://{}", directory.path().display())).await;
            let mut dice = Dice(seed);
            let mut ledger = Ledger::default();
            let mut answered = BTreeSet::new();
            for _ in 0..12 {
                for _ in 0..dice.below(4) {
                    let start = 1_795_190_400 + 60 * i64::try_from(dice.below(2)).unwrap();
                    let span = Span {
                        period: 60,
                        start,
                        end: start + 300,
                    };
                    ledger.owe(query(dice.below(6)), span);
                }
                let mut claim = Claim {
                    run: "r".into(),
                    until: 0,
                    work: Vec::new(),
                    unread: Vec::new(),
                };
                for window in ledger.owed_windows() {
                    let mut queries = ledger.owed_in(window.span);
                    queries.sort_by_cached_key(Query::key);
                    let cut = query(dice.below(6)).key();
                    let work = Work {
                        window: window.clone(),
                        cuts: vec![cut],
                        done: 0,
                    };
                    for (part, queries) in work.parts(&queries).into_iter().enumerate() {
                        let mut read = Read::default();
                        for (place, query) in queries.iter().enumerate() {
                            let time = window.span.start;
                            if dice.below(2) == 0 {
                                let error = Unread::Incomplete("InternalError".into());
                                read.unread.push((place, error));
                                read.points.push(Vec::new());
                                claim.unread.push((query.clone(), window.span));
                            } else {
                                read.points.push(vec![(time, 1.0)]);
                                answered.insert((query.series.dimensions.clone(), window.span));
                            }
                        }
                        let mut before = BTreeMap::new();
                        files(directory.path(), &mut before);
                        let origins = Origins {
                            account: "111111111111",
                            region: "us-east-1",
                            window: &window,
                            part,
                        };
                        deliver(&lanes, origins, queries, &read, |_| about())
                            .await
                            .unwrap();
                        let mut after = BTreeMap::new();
                        files(directory.path(), &mut after);
                        for (path, text) in before {
                            assert_eq!(after.get(&path), Some(&text), "{path} was replaced");
                        }
                    }
                    claim.work.push(work);
                }
                let dies = dice.below(4) == 0;
                if !dies {
                    ledger.claim = Some(claim);
                    ledger.settle();
                }
            }
            let mut found = BTreeMap::new();
            files(directory.path(), &mut found);
            for (dimensions, span) in &answered {
                let (_, name) = dimensions.first().unwrap();
                let folder = format!("60s-{}-{}/", span.start, span.end);
                let holds = |(path, text): (&String, &String)| {
                    path.contains(&folder) && text.contains(name.as_str())
                };
                assert!(found.iter().any(holds), "{name} in {folder}");
            }
            assert!(!answered.is_empty());
        }
    }
}
