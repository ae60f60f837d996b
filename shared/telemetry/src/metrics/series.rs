//! Series: metrics of single things, as CloudWatch lists them, and what is remembered of them.
//!
//! `ListMetrics` names what had data of late, and a new metric only a quarter of an hour after its first datapoint
//! ("ListMetrics", *CloudWatch API Reference*). What is listed is therefore remembered: a series that is new, or that was
//! quiet and is back, is read from where it was left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// A metric of one thing: what CloudWatch keeps datapoints for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    /// The account it is about, where that is linked to the account that is asked; `None` for that one itself.
    pub owner: Option<String>,
    /// CloudWatch's namespace.
    pub namespace: String,
    /// The metric's name.
    pub metric: String,
    /// Names and values of its dimensions, sorted by name.
    pub dimensions: Vec<(String, String)>,
}

/// What is remembered of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// When it was first listed, Unix seconds; that it exists is known since then.
    pub first_listed: i64,
    /// Up to when it was read, Unix seconds, if it is not listed any more.
    pub quiet_since: Option<i64>,
}

/// The series of an account and region, as they were last listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesList {
    /// When each namespace was listed, Unix seconds.
    listed: BTreeMap<String, i64>,
    known: BTreeMap<Series, Memory>,
}

/// A series that has to be read from before the next window, since nobody knew of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The series.
    pub series: Series,
    /// From when on, Unix seconds; `None` for as early as is read at all.
    pub since: Option<i64>,
}

/// What a stored list is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no list of series: {0}")]
pub struct NotAList(&'static str);

impl SeriesList {
    /// Whether a namespace was listed at this time or later, Unix seconds.
    pub fn is_listed_since(&self, namespace: &str, time: i64) -> bool {
        self.listed.get(namespace).is_some_and(|at| *at >= time)
    }

    /// Takes what a namespace was listed with at `now`. `read_until` says up to when each series was read before; those
    /// that are listed no more are quiet from there. Returns the series that were not known, unless the namespace was
    /// never listed before: then nothing was missed.
    pub fn list(
        &mut self,
        namespace: &str,
        series: BTreeSet<Series>,
        now: i64,
        read_until: impl Fn(&Series) -> Option<i64>,
    ) -> Vec<Missed> {
        let is_first = self.listed.insert(namespace.to_owned(), now).is_none();
        let of_namespace = self
            .known
            .iter_mut()
            .filter(|(s, _)| s.namespace == namespace);
        for (known, memory) in of_namespace {
            if memory.quiet_since.is_none() && !series.contains(known) {
                memory.quiet_since = Some(read_until(known).unwrap_or(now));
            }
        }
        let mut missed = Vec::new();
        for series in series {
            let since = match self.known.get_mut(&series) {
                Some(memory) => match memory.quiet_since.take() {
                    None => continue,
                    since => since,
                },
                None => {
                    let memory = Memory {
                        first_listed: now,
                        quiet_since: None,
                    };
                    self.known.insert(series.clone(), memory);
                    None
                }
            };
            if !is_first {
                missed.push(Missed { series, since });
            }
        }
        missed
    }

    /// Forgets series that have been quiet since before `time`, Unix seconds: if they come back, they are new.
    pub fn forget_before(&mut self, time: i64) {
        let is_recent = |memory: &Memory| memory.quiet_since.is_none_or(|since| since >= time);
        self.known.retain(|_, memory| is_recent(memory));
    }

    /// The series that are listed, sorted, with what is remembered of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Series, &Memory)> {
        let mut known = self.known.iter();
        std::iter::from_fn(move || known.find(|(_, memory)| memory.quiet_since.is_none()))
    }

    /// The list as JSON: rows of `[namespace, metric, [name, value, …], first listed, quiet since, owner]`, the last two
    /// only where there is something to say.
    pub fn to_json(&self) -> Value {
        let row = |(series, memory): (&Series, &Memory)| {
            let dimensions = series.dimensions.iter();
            let dimensions: Vec<&String> = dimensions.flat_map(|(n, v)| [n, v]).collect();
            let mut row = vec![
                json!(series.namespace),
                json!(series.metric),
                json!(dimensions),
                json!(memory.first_listed),
            ];
            if memory.quiet_since.is_some() || series.owner.is_some() {
                row.push(json!(memory.quiet_since));
            }
            row.extend(series.owner.iter().map(|owner| json!(owner)));
            Value::Array(row)
        };
        json!({
            "version": VERSION,
            "listed": self.listed,
            "series": self.known.iter().map(row).collect::<Vec<_>>(),
        })
    }

    /// Reads a list.
    ///
    /// # Errors
    /// It is none, or of a newer version.
    pub fn from_json(document: &Value) -> Result<SeriesList, NotAList> {
        if document.get("version").and_then(Value::as_u64) != Some(VERSION) {
            return Err(NotAList("its version is not known"));
        }
        let listed = document.get("listed").and_then(Value::as_object);
        let rows = document.get("series").and_then(Value::as_array);
        let (Some(listed), Some(rows)) = (listed, rows) else {
            return Err(NotAList("it has no namespaces, or no series"));
        };
        let time = |(name, at): (&String, &Value)| Some((name.clone(), at.as_i64()?));
        Ok(SeriesList {
            listed: listed.iter().filter_map(time).collect(),
            known: rows
                .iter()
                .map(|row| entry(row).ok_or(NotAList("a row is not what it should be")))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The version of the stored form.
const VERSION: u64 = 1;

fn entry(row: &Value) -> Option<(Series, Memory)> {
    let text = |at: usize| Some(row.get(at)?.as_str()?.to_owned());
    let dimensions = row.get(2)?.as_array()?;
    let pairs = dimensions.chunks_exact(2).map(|pair| match pair {
        [name, value] => Some((name.as_str()?.to_owned(), value.as_str()?.to_owned())),
        _ => None,
    });
    let series = Series {
        owner: text(5),
        namespace: text(0)?,
        metric: text(1)?,
        dimensions: pairs.collect::<Option<_>>()?,
    };
    let memory = Memory {
        first_listed: row.get(3)?.as_i64()?,
        quiet_since: row.get(4).and_then(Value::as_i64),
    };
    Some((series, memory))
}

impl Series {
    /// A series as `ListMetrics` answers it; `None` for what is none. `owner` is the linked account it is about.
    pub fn of_listed(metric: &Value, owner: Option<String>) -> Option<Series> {
        let text = |of: &Value, name: &str| Some(of.get(name)?.as_str()?.to_owned());
        let dimensions = metric.get("Dimensions").and_then(Value::as_array);
        let pairs = dimensions.into_iter().flatten();
        let pairs = pairs.map(|pair| Some((text(pair, "Name")?, text(pair, "Value")?)));
        let mut dimensions = pairs.collect::<Option<Vec<_>>>()?;
        dimensions.sort();
        Some(Series {
            owner,
            namespace: text(metric, "Namespace")?,
            metric: text(metric, "MetricName")?,
            dimensions,
        })
    }

    /// The value of a dimension.
    pub fn dimension(&self, name: &str) -> Option<&str> {
        let mut pairs = self.dimensions.iter();
        let (_, value) = pairs.find(|(dimension, _)| dimension == name)?;
        Some(value)
    }

    /// The series as a query of `GetMetricData` names it (`Metric`).
    pub fn to_metric(&self) -> Value {
        let dimensions = self.dimensions.iter();
        let dimensions = dimensions.map(|(name, value)| json!({"Name": name, "Value": value}));
        Value::Object(Map::from_iter([
            ("Namespace".to_owned(), json!(self.namespace)),
            ("MetricName".to_owned(), json!(self.metric)),
            ("Dimensions".to_owned(), dimensions.collect()),
        ]))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// `BytesIn` of an attachment of a transit gateway.
    pub(crate) fn series(attachment: &str) -> Series {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Series {
            owner: None,
            namespace: "AWS/TransitGateway".into(),
            metric: "BytesIn".into(),
            dimensions: vec![
                pair("TransitGateway", "tgw-1"),
                pair("TransitGatewayAttachment", attachment),
            ],
        }
    }

    fn listed(names: &[&str]) -> BTreeSet<Series> {
        names.iter().map(|name| series(name)).collect()
    }

    const NAMESPACE: &str = "AWS/TransitGateway";

    #[test]
    fn what_is_listed_first_is_not_missed_and_what_comes_later_is() {
        let mut list = SeriesList::default();
        assert_eq!(list.list(NAMESPACE, listed(&["a", "b"]), 100, |_| None), []);
        let missed = list.list(NAMESPACE, listed(&["a", "b", "c"]), 200, |_| Some(180));
        let expected = Missed {
            series: series("c"),
            since: None,
        };
        assert_eq!(missed, [expected]);
        assert!(list.is_listed_since(NAMESPACE, 200) && !list.is_listed_since(NAMESPACE, 201));
        let first: Vec<i64> = list.iter().map(|(_, memory)| memory.first_listed).collect();
        assert_eq!(first, [100, 100, 200]);
    }

    #[test]
    fn a_series_that_was_quiet_is_read_from_where_it_was_left() {
        let mut list = SeriesList::default();
        list.list(NAMESPACE, listed(&["a", "b"]), 100, |_| None);
        list.list(NAMESPACE, listed(&["b"]), 200, |_| Some(180));
        assert_eq!(list.iter().count(), 1);
        // Quiet is quiet: where it was left does not move.
        list.list(NAMESPACE, listed(&["b"]), 300, |_| Some(280));
        let again = list.list(NAMESPACE, listed(&["a", "b"]), 400, |_| Some(380));
        let expected = Missed {
            series: series("a"),
            since: Some(180),
        };
        assert_eq!(again, [expected]);
        assert_eq!(list.iter().count(), 2);
        list.list(NAMESPACE, listed(&[]), 500, |_| Some(480));
        list.forget_before(481);
        assert_eq!(list.known.len(), 0);
    }

    #[test]
    fn other_namespaces_are_left_as_they_are() {
        let mut list = SeriesList::default();
        list.list(NAMESPACE, listed(&["a"]), 100, |_| None);
        assert_eq!(list.list("AWS/VPN", BTreeSet::new(), 200, |_| None), []);
        assert_eq!(list.iter().count(), 1);
    }

    #[test]
    fn lists_are_read_as_they_were_written() {
        let mut list = SeriesList::default();
        let linked = Series {
            owner: Some("222222222222".into()),
            ..series("x")
        };
        let all = listed(&["a", "b"]).into_iter().chain([linked]).collect();
        list.list(NAMESPACE, all, 100, |_| None);
        list.list(NAMESPACE, listed(&["b"]), 200, |_| Some(180));
        assert_eq!(SeriesList::from_json(&list.to_json()), Ok(list));
        for broken in [
            json!({}),
            json!({"version": 1, "listed": {}, "series": [[1]]}),
        ] {
            assert!(SeriesList::from_json(&broken).is_err());
        }
    }

    #[test]
    fn what_cloudwatch_lists_is_a_series_whatever_the_order_of_its_dimensions() {
        let metric = json!({"Namespace": "AWS/TransitGateway", "MetricName": "BytesIn", "Dimensions": [
            {"Name": "TransitGatewayAttachment", "Value": "a"}, {"Name": "TransitGateway", "Value": "tgw-1"}]});
        let read = Series::of_listed(&metric, None).unwrap();
        assert_eq!(read, series("a"));
        assert_eq!(read.dimension("TransitGateway"), Some("tgw-1"));
        assert_eq!(Series::of_listed(&read.to_metric(), None), Some(read));
        assert_eq!(Series::of_listed(&json!({"MetricName": "x"}), None), None);
    }
}
