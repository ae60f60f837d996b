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

use crate::feed::{self, Rejected};

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

/// Delivers what was read of a part, whose queries are sorted by their keys, to every destination. Returns how many
/// datapoints there were, and which the destinations did not keep.
///
/// # Errors
/// A destination did not confirm; others may have, and get the same batches again.
pub(super) async fn deliver(
    lanes: &[Lane],
    origins: Origins<'_>,
    queries: &[Query],
    read: &Read,
    about: impl Fn(&Query) -> About,
) -> Result<(u64, Rejected), DeliveryError> {
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
    let rejected = feed::deliver::<DatapointEncoder, _>(lanes, &origin, &datapoints).await?;
    Ok((datapoints.len() as u64, rejected))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::io::{BufRead, BufReader, Read as _, Write};
    use std::net::TcpListener;
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use delivery::destination::{BATCH_BYTES, Connections};
    use delivery::encoding::Content;
    use delivery::{DestinationUrl, lane};
    use telemetry::metrics::Ledger;
    use telemetry::metrics::ledger::{Claim, Work};
    use telemetry::metrics::reading::Unread;
    use telemetry::metrics::series::Series;
    use telemetry::snapshot::Unit;

    use super::*;
    use crate::metrics::{MetricReport, MetricSummary};

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

    /// A receiver on this machine that answers every request like this, and how many there were.
    fn receiver(status: &'static str, body: &'static str) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = BufReader::new(connection.unwrap());
                let (mut line, mut length) = (String::new(), 0);
                while connection.read_line(&mut line).unwrap() > 2 {
                    let lower = line.to_lowercase();
                    if let Some(value) = lower.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                connection.read_exact(&mut vec![0; length]).unwrap();
                seen.fetch_add(1, Ordering::Relaxed);
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                let mut connection = connection.into_inner();
                connection.write_all(answer.as_bytes()).unwrap();
            }
        });
        (host, requests)
    }

    /// Delivers a datapoint of each of four series.
    async fn delivered(urls: &str) -> Result<(u64, Rejected), DeliveryError> {
        let start = 1_795_190_400;
        let window = Window {
            span: Span {
                period: 60,
                start,
                end: start + 300,
            },
            asked: Asked::Owed,
        };
        let origins = Origins {
            account: "111111111111",
            region: "us-east-1",
            window: &window,
            part: 0,
        };
        let read = Read {
            points: vec![vec![(start, 1.0)]; 4],
            ..Read::default()
        };
        let queries: Vec<Query> = (0..4).map(query).collect();
        deliver(&lanes(urls).await, origins, &queries, &read, |_| about()).await
    }

    #[tokio::test]
    async fn datapoints_that_a_destination_rejects_are_told() {
        let partial = r#"{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"too old"}}"#;
        let (host, _) = receiver("200 OK", partial);
        let told = delivered(&format!("otlp+http://{host}#batch_records=2")).await;
        let rejected = Rejected {
            items: 2 + 2,
            message: Some("too old".into()),
        };
        assert_eq!(told, Ok((4, rejected.clone())));
        let mut report = MetricReport::new(Unit::new(("111111111111", "aws"), "us-east-1", &[]));
        assert!(report.is_whole());
        report.rejected.add(rejected);
        assert!(!report.is_whole());
        let json = report.to_json();
        assert_eq!(
            (&json["rejected"], &json["rejected_message"]),
            (&4.into(), &"too old".into())
        );
        let mut summary = MetricSummary::default();
        summary.add(&report);
        assert_eq!(summary.to_json()["rejected"], 4);
    }

    #[tokio::test]
    async fn a_destination_that_refuses_does_not_keep_the_others_from_getting_all() {
        let directory = tempfile::tempdir().unwrap();
        let (refusing, _) = receiver("400 Bad Request", "no");
        let (taking, taken) = receiver("200 OK", "");
        let urls = format!(
            "http://{refusing}#batch_records=1 http://{taking}#batch_records=1 file://{}",
            directory.path().display()
        );
        let error = delivered(&urls).await.unwrap_err();
        assert!(error.destination.contains(&refusing), "{error}");
        assert_eq!(taken.load(Ordering::Relaxed), 4);
        let mut found = BTreeMap::new();
        files(directory.path(), &mut found);
        let rows: usize = found.values().map(|text| text.lines().count()).sum();
        assert_eq!(rows, 4);
    }
}
