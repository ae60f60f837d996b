//! The ledger: up to when the metrics of an account and region are read, and who is reading.
//!
//! ```text
//!            due ─▶ claim ─▶ parts delivered and confirmed ─▶ settle ─▶ cursors moved
//!                     │ the run dies: its lease ends
//!                     └─▶ the next run repeats the same windows, the same parts
//! ```
//!
//! A cursor is the end of the last window whose datapoints every destination confirmed. Windows begin where the one before
//! ended, so none is read twice and none is left out. Whoever reads has claimed it first; the ledger is only
//! written where it is still what was read, so of two runs one finds it changed and stops.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::reading::{Query, Span};
use super::series::Series;

/// What is read together: a namespace's metrics of one period.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The namespace's label in the catalogue.
    pub namespace: String,
    /// The period, in seconds.
    pub period: u32,
    /// How long after a period's end its datapoints still change, in seconds.
    pub settle: u32,
}

/// How long what was not answered is asked for again at least, in seconds: until a day has been seen twice.
const OWED_SECONDS: i64 = 2 * 86_400;

/// How far back is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The present, Unix seconds.
    pub now: i64,
    /// Seconds between runs: what the first run reads.
    pub interval: u32,
    /// How much is made up for after an outage, in seconds; two periods at least.
    pub catch_up: u32,
    /// From when on is read, Unix seconds, however much that is.
    pub since: Option<i64>,
}

impl Reach {
    /// The earliest time that is still read of a period, given the end of what is due.
    fn earliest(&self, period: u32, end: i64) -> i64 {
        let catch_up = i64::from(self.catch_up).max(2 * i64::from(period));
        let earliest = floor(end - catch_up, period);
        match self.since {
            Some(since) => floor(since, period).min(earliest),
            None => earliest,
        }
    }

    /// Up to when the datapoints of a group do not change any more.
    pub fn settled(&self, group: &Group) -> i64 {
        floor(self.now - i64::from(group.settle), group.period)
    }

    /// Where reading a group begins that was never read: one interval of what is settled, one period at least.
    pub fn first(&self, group: &Group) -> i64 {
        let periods = self.interval.div_ceil(group.period.max(1)).max(1);
        self.settled(group) - i64::from(periods) * i64::from(group.period)
    }

    /// Where reading a series begins that was not known, or was known up to `since`, when its group is read up to `cursor`.
    pub fn missed(&self, group: &Group, since: Option<i64>, cursor: i64) -> Option<Span> {
        let earliest = self.earliest(group.period, cursor);
        let start = since.map_or(earliest, |since| floor(since, group.period).max(earliest));
        (start < cursor).then_some(Span {
            period: group.period,
            start,
            end: cursor,
        })
    }

    /// From when on datapoints of a period are asked for that were not answered or not confirmed: two days at least
    /// after they were due the first time, which is after their groups had settled, and were made up for.
    pub fn kept_since(&self, groups: &[Group], period: u32) -> i64 {
        let of_period = groups.iter().filter(|group| group.period == period);
        let settle = of_period.map(|group| group.settle).max().unwrap_or(0);
        let end = self.now - OWED_SECONDS - i64::from(settle);
        self.earliest(period, end - i64::from(period))
    }
}

fn floor(time: i64, period: u32) -> i64 {
    time - time.rem_euclid(i64::from(period.max(1)))
}

/// What is asked in a window.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    /// What is owed of it.
    Owed,
    /// All series of these namespaces, sorted.
    Namespaces(Vec<String>),
}

/// A span to read, and what of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The span.
    pub span: Span,
    /// What is asked.
    pub asked: Asked,
}

/// Time that is not read any more, for it lies too far back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The namespace.
    pub namespace: String,
    /// What is left out.
    pub span: Span,
}

/// Work at a window: its queries, sorted, cut into parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The window.
    pub window: Window,
    /// The key of the query that each part but the first begins with.
    pub cuts: Vec<String>,
    /// Parts that every destination confirmed.
    pub done: u32,
}

impl Work {
    /// The parts of queries, which are sorted by their keys: the same cuts give the same parts, but for queries that came or
    /// went since.
    pub fn parts<'q>(&self, queries: &'q [Query]) -> Vec<&'q [Query]> {
        let mut rest = queries;
        let mut parts = Vec::with_capacity(self.cuts.len() + 1);
        for cut in &self.cuts {
            let at = rest.partition_point(|query| query.key() < *cut);
            let (part, behind) = rest.split_at(at);
            parts.push(part);
            rest = behind;
        }
        parts.push(rest);
        parts
    }
}

/// A run that is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Tells the run from others.
    pub run: String,
    /// Until when others leave the work to it, Unix seconds.
    pub until: i64,
    /// The work.
    pub work: Vec<Work>,
    /// Queries that CloudWatch did not answer, with their spans.
    pub unread: Vec<(Query, Span)>,
}

/// The ledger of an account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By namespace and period: up to when everything is confirmed, Unix seconds.
    cursors: BTreeMap<(String, u32), i64>,
    /// What was not answered, and is asked for again: of each query and period, starts and ends of spans, which neither
    /// overlap nor touch. What lies between them was read.
    owed: BTreeMap<(Query, u32), BTreeMap<i64, i64>>,
    /// Who is at work.
    pub claim: Option<Claim>,
}

/// What a stored ledger is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no ledger of metrics: {0}")]
pub struct NotALedger(&'static str);

impl Ledger {
    /// Up to when a namespace is read at a period, Unix seconds.
    pub fn cursor(&self, namespace: &str, period: u32) -> Option<i64> {
        self.cursors.get(&(namespace.to_owned(), period)).copied()
    }

    /// How far the oldest of the groups is behind what is settled, in seconds.
    pub fn lag(&self, groups: &[Group], now: i64) -> i64 {
        let lags = groups.iter().filter_map(|group| {
            let cursor = self.cursor(&group.namespace, group.period)?;
            Some(floor(now - i64::from(group.settle), group.period) - cursor)
        });
        lags.max().unwrap_or(0).max(0)
    }

    /// The windows that are due, and what lies too far back for them.
    pub fn due(&self, groups: &[Group], reach: &Reach) -> (Vec<Window>, Vec<Skipped>) {
        let mut windows: BTreeMap<Span, BTreeSet<String>> = BTreeMap::new();
        let mut skipped = Vec::new();
        for group in groups {
            let period = group.period;
            let end = reach.settled(group);
            let earliest = reach.earliest(period, end);
            let start = match self.cursor(&group.namespace, period) {
                Some(cursor) => {
                    if cursor < earliest {
                        skipped.push(Skipped {
                            namespace: group.namespace.clone(),
                            span: Span {
                                period,
                                start: cursor,
                                end: earliest,
                            },
                        });
                    }
                    cursor.max(earliest)
                }
                None if reach.since.is_some() => earliest,
                None => reach.first(group),
            };
            if start < end {
                let span = Span { period, start, end };
                let namespaces = windows.entry(span).or_default();
                namespaces.insert(group.namespace.clone());
            }
        }
        let windows = windows.into_iter().map(|(span, namespaces)| Window {
            span,
            asked: Asked::Namespaces(namespaces.into_iter().collect()),
        });
        (windows.collect(), skipped)
    }

    /// Notes that a query is to be read over a span some other time. Spans that overlap or touch become one.
    pub fn owe(&mut self, query: Query, span: Span) {
        let spans = self.owed.entry((query, span.period)).or_default();
        let (mut first, mut last) = (span.start, span.end);
        spans.retain(|start, end| {
            let is_apart = *end < first || last < *start;
            if !is_apart {
                (first, last) = (first.min(*start), last.max(*end));
            }
            is_apart
        });
        spans.insert(first, last);
    }

    /// Gives up what is owed from before the time that is said of its period, Unix seconds; returns how many queries
    /// lose datapoints by it.
    pub fn give_up_before(&mut self, time: impl Fn(u32) -> i64) -> u64 {
        let mut lost = 0;
        self.owed.retain(|(_, period), spans| {
            let earliest = floor(time(*period), *period);
            let before: Vec<i64> = spans.range(..earliest).map(|(start, _)| *start).collect();
            lost += u64::from(!before.is_empty());
            let ends = before.iter().filter_map(|start| spans.remove(start));
            if let Some(end) = ends.max().filter(|end| *end > earliest) {
                spans.insert(earliest, end);
            }
            !spans.is_empty()
        });
        lost
    }

    /// How many queries are owed.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// The windows of what is owed.
    pub fn owed_windows(&self) -> Vec<Window> {
        let spans: BTreeSet<Span> = self.owed_spans().map(|(_, span)| span).collect();
        let windows = spans.into_iter().map(|span| Window {
            span,
            asked: Asked::Owed,
        });
        windows.collect()
    }

    fn owed_spans(&self) -> impl Iterator<Item = (&Query, Span)> {
        self.owed.iter().flat_map(|((query, period), spans)| {
            spans.iter().map(move |(start, end)| {
                let span = Span {
                    period: *period,
                    start: *start,
                    end: *end,
                };
                (query, span)
            })
        })
    }

    /// What is owed of a span.
    pub fn owed_in(&self, span: Span) -> Vec<Query> {
        let owed = self.owed_spans().filter(|(_, of)| *of == span);
        owed.map(|(query, _)| query.clone()).collect()
    }

    /// Ends the claim's work, all of which is confirmed: cursors move, what was owed is settled, and what was not read is
    /// owed.
    pub fn settle(&mut self) {
        let Some(claim) = self.claim.take() else {
            return;
        };
        for Work { window, .. } in &claim.work {
            let span = window.span;
            match &window.asked {
                Asked::Namespaces(namespaces) => {
                    for namespace in namespaces {
                        let cursor = self.cursors.entry((namespace.clone(), span.period));
                        let cursor = cursor.or_insert(span.end);
                        *cursor = span.end.max(*cursor);
                    }
                }
                Asked::Owed => self.owed.retain(|(_, period), spans| {
                    if *period == span.period && spans.get(&span.start) == Some(&span.end) {
                        spans.remove(&span.start);
                    }
                    !spans.is_empty()
                }),
            }
        }
        for (query, span) in claim.unread {
            self.owe(query, span);
        }
    }

    /// The ledger as JSON.
    pub fn to_json(&self) -> Value {
        let cursors: Vec<Value> = self
            .cursors
            .iter()
            .map(|((namespace, period), until)| {
                json!({"namespace": namespace, "period": period, "until": until})
            })
            .collect();
        let owed: Vec<Value> = self
            .owed_spans()
            .map(|(query, span)| owed_json(query, span))
            .collect();
        json!({
            "version": VERSION,
            "cursors": cursors,
            "owed": owed,
            "claim": self.claim.as_ref().map(claim_json),
        })
    }

    /// Reads a ledger.
    ///
    /// # Errors
    /// It is none, or of a newer version.
    pub fn from_json(document: &Value) -> Result<Ledger, NotALedger> {
        if document.get("version").and_then(Value::as_u64) != Some(VERSION) {
            return Err(NotALedger("its version is not known"));
        }
        let cursor = |row: &Value| {
            let namespace = row.get("namespace")?.as_str()?.to_owned();
            let period = u32::try_from(row.get("period")?.as_u64()?).ok()?;
            Some(((namespace, period), row.get("until")?.as_i64()?))
        };
        let cursors = rows(document, "cursors", cursor);
        let owed: Option<Vec<(Query, Span)>> = rows(document, "owed", owed_of);
        let claim = match document.get("claim") {
            None | Some(Value::Null) => None,
            Some(claim) => Some(claim_of(claim).ok_or(NotALedger("its claim cannot be read"))?),
        };
        let mut ledger = Ledger {
            cursors: cursors.ok_or(NotALedger("a cursor cannot be read"))?,
            owed: BTreeMap::new(),
            claim,
        };
        for (query, span) in owed.ok_or(NotALedger("what is owed cannot be read"))? {
            ledger.owe(query, span);
        }
        Ok(ledger)
    }
}

/// The version of the stored form.
const VERSION: u64 = 1;

/// The rows of a list, or `None` when one of them, or the list, is not what it should be.
fn rows<T, C: FromIterator<T>>(
    of: &Value,
    name: &str,
    row: impl Fn(&Value) -> Option<T>,
) -> Option<C> {
    of.get(name)?.as_array()?.iter().map(row).collect()
}

fn span_members(span: Span) -> [(String, Value); 3] {
    [
        ("period".to_owned(), json!(span.period)),
        ("start".to_owned(), json!(span.start)),
        ("end".to_owned(), json!(span.end)),
    ]
}

fn span_of(row: &Value) -> Option<Span> {
    let span = Span {
        period: u32::try_from(row.get("period")?.as_u64()?).ok()?,
        start: row.get("start")?.as_i64()?,
        end: row.get("end")?.as_i64()?,
    };
    (span.period > 0 && span.start < span.end).then_some(span)
}

fn owed_json(query: &Query, span: Span) -> Value {
    let mut row = Map::from_iter(span_members(span));
    row.insert("metric".to_owned(), query.series.to_metric());
    row.insert("statistic".to_owned(), json!(query.statistic.to_string()));
    let owner = query.series.owner.iter();
    row.extend(owner.map(|owner| ("owner".to_owned(), json!(owner))));
    Value::Object(row)
}

fn owed_of(row: &Value) -> Option<(Query, Span)> {
    let owner = row.get("owner").and_then(Value::as_str).map(str::to_owned);
    let query = Query {
        series: Series::of_listed(row.get("metric")?, owner)?,
        statistic: row.get("statistic")?.as_str()?.parse().ok()?,
    };
    Some((query, span_of(row)?))
}

fn claim_json(claim: &Claim) -> Value {
    let work = claim.work.iter().map(|work| {
        let mut row = Map::from_iter(span_members(work.window.span));
        if let Asked::Namespaces(namespaces) = &work.window.asked {
            row.insert("namespaces".to_owned(), json!(namespaces));
        }
        row.insert("cuts".to_owned(), json!(work.cuts));
        row.insert("done".to_owned(), json!(work.done));
        Value::Object(row)
    });
    let unread = claim.unread.iter();
    json!({
        "run": claim.run,
        "until": claim.until,
        "work": work.collect::<Vec<_>>(),
        "unread": unread.map(|(query, span)| owed_json(query, *span)).collect::<Vec<_>>(),
    })
}

fn claim_of(claim: &Value) -> Option<Claim> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let work = |row: &Value| {
        let asked = match row.get("namespaces") {
            None => Asked::Owed,
            Some(_) => Asked::Namespaces(rows(row, "namespaces", text)?),
        };
        Some(Work {
            window: Window {
                span: span_of(row)?,
                asked,
            },
            cuts: rows(row, "cuts", text)?,
            done: u32::try_from(row.get("done")?.as_u64()?).ok()?,
        })
    };
    Some(Claim {
        run: text(claim.get("run")?)?,
        until: claim.get("until")?.as_i64()?,
        work: rows(claim, "work", work)?,
        unread: rows(claim, "unread", owed_of)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Statistic;
    use super::super::series::tests::series;
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_795_190_400;

    fn group(namespace: &str, period: u32, settle: u32) -> Group {
        Group {
            namespace: namespace.into(),
            period,
            settle,
        }
    }

    fn reach(now: i64) -> Reach {
        Reach {
            now,
            interval: 300,
            catch_up: 3 * 3_600,
            since: None,
        }
    }

    fn query(name: &str) -> Query {
        Query {
            series: series(name),
            statistic: Statistic::Sum,
        }
    }

    fn work(window: Window) -> Work {
        Work {
            window,
            cuts: Vec::new(),
            done: 0,
        }
    }

    /// A span of minutes.
    fn span(start: i64, end: i64) -> Span {
        Span {
            period: 60,
            start: NOW + start * 60,
            end: NOW + end * 60,
        }
    }

    /// Claims what is due and settles it.
    fn read(ledger: &mut Ledger, groups: &[Group], now: i64) -> Vec<Window> {
        let (windows, _) = ledger.due(groups, &reach(now));
        ledger.claim = Some(Claim {
            run: "r".into(),
            until: now,
            work: windows.iter().cloned().map(work).collect(),
            unread: Vec::new(),
        });
        ledger.settle();
        windows
    }

    #[test]
    fn the_first_window_is_one_interval_and_the_next_begins_where_it_ended() {
        let groups = [
            group("AWS/VPN", 300, 600),
            group("AWS/NATGateway", 60, 120),
            group("AWS/TransitGateway", 60, 120),
            group("AWS/S3", 86_400, 26 * 3_600),
        ];
        let mut ledger = Ledger::default();
        let windows = read(&mut ledger, &groups, NOW + 17);
        let shown: Vec<(u32, i64, i64)> = windows
            .iter()
            .map(|window| {
                (
                    window.span.period,
                    window.span.start - NOW,
                    window.span.end - NOW,
                )
            })
            .collect();
        assert_eq!(shown[0], (60, -420, -120));
        assert_eq!(shown[1], (300, -900, -600));
        assert_eq!(shown[2].0, 86_400);
        let both = ["AWS/NATGateway", "AWS/TransitGateway"].map(String::from);
        assert_eq!(windows[0].asked, Asked::Namespaces(both.into()));
        assert_eq!(ledger.cursor("AWS/NATGateway", 60), Some(NOW - 120));
        // Nothing new is settled within a minute; the day is read once a day.
        assert_eq!(read(&mut ledger, &groups, NOW + 18), []);
        let next = read(&mut ledger, &groups, NOW + 317);
        assert_eq!(next.len(), 2);
        assert_eq!(next[0].span.start, windows[0].span.end);
        // What is not settled yet, the rest of a day for instance, is not behind.
        assert_eq!(ledger.lag(&groups, NOW + 317), 0);
        assert_eq!(ledger.lag(&groups, NOW + 617), 300);
    }

    #[test]
    fn an_outage_is_made_up_for_as_far_as_is_said_and_the_rest_is_told() {
        let groups = [group("AWS/NATGateway", 60, 120)];
        let mut ledger = Ledger::default();
        read(&mut ledger, &groups, NOW);
        let (windows, skipped) = ledger.due(&groups, &reach(NOW + 2 * 3_600));
        assert_eq!((windows[0].span.periods(), skipped.len()), (120, 0));
        let (windows, skipped) = ledger.due(&groups, &reach(NOW + 5 * 3_600));
        assert_eq!(windows[0].span.periods(), 180);
        assert_eq!(skipped[0].span.end, windows[0].span.start);
        assert_eq!(skipped[0].span.periods(), 120);
        let since = Reach {
            since: Some(NOW - 120),
            ..reach(NOW + 5 * 3_600)
        };
        let (windows, skipped) = ledger.due(&groups, &since);
        assert_eq!((windows[0].span.start, skipped.len()), (NOW - 120, 0));
    }

    #[test]
    fn what_is_owed_grows_is_settled_and_is_given_up() {
        let mut ledger = Ledger::default();
        ledger.owe(query("a"), span(0, 5));
        ledger.owe(query("b"), span(0, 5));
        ledger.owe(query("a"), span(5, 10));
        assert_eq!(ledger.owed_in(span(0, 10)), [query("a")]);
        assert_eq!(ledger.owed_windows().len(), 2);
        assert_eq!(ledger.give_up_before(|_| NOW + 3 * 60), 2);
        assert_eq!(ledger.owed_in(span(3, 5)), [query("b")]);
        ledger.claim = Some(Claim {
            run: "r".into(),
            until: NOW,
            work: ledger.owed_windows().into_iter().map(work).collect(),
            unread: vec![(query("b"), span(3, 5))],
        });
        ledger.settle();
        assert_eq!((ledger.owed(), ledger.owed_in(span(3, 5)).len()), (1, 1));
        assert_eq!(ledger.give_up_before(|_| NOW + 5 * 60), 1);
        assert_eq!(ledger.owed(), 0);
    }

    #[test]
    fn what_was_read_between_two_spans_that_are_owed_is_not_owed() {
        let mut ledger = Ledger::default();
        for (start, end) in [(0, 5), (10, 15), (20, 25)] {
            ledger.owe(query("a"), span(start, end));
        }
        assert_eq!((ledger.owed(), ledger.owed_windows().len()), (1, 3));
        assert_eq!(Ledger::from_json(&ledger.to_json()), Ok(ledger.clone()));
        ledger.owe(query("a"), span(14, 20));
        let windows = ledger.owed_windows();
        let spans: Vec<Span> = windows.iter().map(|window| window.span).collect();
        assert_eq!(spans, [span(0, 5), span(10, 25)]);
        assert_eq!(ledger.give_up_before(|_| NOW + 12 * 60), 1);
        assert_eq!(ledger.owed_in(span(12, 25)), [query("a")]);
        assert_eq!(ledger.owed_windows().len(), 1);
    }

    #[test]
    fn a_series_that_came_late_is_read_from_before() {
        let group = group("AWS/NATGateway", 60, 120);
        let span = reach(NOW)
            .missed(&group, Some(NOW - 1_000), NOW - 120)
            .unwrap();
        assert_eq!((span.start, span.end), (floor(NOW - 1_000, 60), NOW - 120));
        let span = reach(NOW).missed(&group, None, NOW - 120).unwrap();
        assert_eq!(span.periods(), 180);
        assert_eq!(reach(NOW).missed(&group, Some(NOW), NOW - 120), None);
    }

    #[test]
    fn ledgers_are_read_as_they_were_written() {
        let mut ledger = Ledger::default();
        let groups = [group("AWS/NATGateway", 60, 120)];
        read(&mut ledger, &groups, NOW);
        let (windows, _) = ledger.due(&groups, &reach(NOW + 600));
        let span = windows[0].span;
        let mut linked = query("x");
        linked.series.owner = Some("222222222222".into());
        ledger.owe(linked.clone(), span);
        ledger.claim = Some(Claim {
            run: "r-1".into(),
            until: NOW + 900,
            work: windows
                .into_iter()
                .chain(ledger.owed_windows())
                .map(|window| Work {
                    window,
                    cuts: vec![query("m").key()],
                    done: 1,
                })
                .collect(),
            unread: vec![(linked, span)],
        });
        assert_eq!(Ledger::from_json(&ledger.to_json()), Ok(ledger));
        for broken in [
            json!({}),
            json!({"version": 2}),
            json!({"version": 1, "cursors": [{}], "owed": []}),
            json!({"version": 1, "cursors": [], "owed": [], "claim": {"run": 1}}),
        ] {
            assert!(Ledger::from_json(&broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn parts_stay_the_same_when_queries_come_and_go() {
        let names = |of: &[&str]| of.iter().map(|name| query(name)).collect::<Vec<_>>();
        let queries = names(&["a", "c", "e", "g"]);
        let work = Work {
            cuts: vec![query("e").key()],
            ..work(Window {
                span: Span {
                    period: 60,
                    start: 0,
                    end: 60,
                },
                asked: Asked::Owed,
            })
        };
        assert_eq!(work.parts(&queries), [&queries[..2], &queries[2..]]);
        let changed = names(&["a", "b", "d", "f", "g"]);
        assert_eq!(work.parts(&changed), [&changed[..3], &changed[3..]]);
        assert_eq!(work.parts(&[]), [&[][..], &[][..]]);
    }

    proptest! {
        /// Of every period, settled whenever: what becomes owed is asked for two days, and is given up in the end.
        #[test]
        fn what_is_owed_is_kept_for_two_days(
            period in prop::sample::select(vec![60u32, 300, 3_600, 86_400]),
            settle in 0u32..200_000,
            catch_up in 3_600u32..1_209_600,
            now in NOW..NOW + 200_000,
            later in 0i64..=2 * 86_400,
        ) {
            let groups = [group("AWS/S3", period, settle)];
            let reach = Reach { catch_up, ..reach(now) };
            let mut ledger = Ledger::default();
            // Listed late, when everything that is settled was read.
            let missed = reach.missed(&groups[0], None, reach.settled(&groups[0])).unwrap();
            ledger.owe(query("a"), missed);
            // Read after an outage, and not answered.
            ledger.cursors.insert(("AWS/S3".into(), period), 0);
            for window in ledger.due(&groups, &reach).0 {
                ledger.owe(query("b"), window.span);
            }
            let mut give_up = |now| {
                let reach = Reach { now, ..reach };
                ledger.give_up_before(|period| reach.kept_since(&groups, period))
            };
            prop_assert_eq!(give_up(now + later), 0);
            prop_assert_eq!(give_up(now + 60 * 86_400), 2);
        }

        /// However runs come, windows are aligned, disjoint and without gaps but for what is said to be skipped.
        #[test]
        fn every_period_is_read_once(period in prop::sample::select(vec![60u32, 300, 86_400]), steps in proptest::collection::vec(0i64..40_000, 1..60)) {
            let groups = [group("AWS/NATGateway", period, 2 * period)];
            let mut ledger = Ledger::default();
            let (mut now, mut until) = (NOW, None);
            for step in steps {
                now += step;
                let (windows, skipped) = ledger.due(&groups, &reach(now));
                let spans = skipped.iter().map(|s| s.span).chain(windows.iter().map(|w| w.span));
                for span in spans {
                    prop_assert_eq!(span.start.rem_euclid(i64::from(period)), 0);
                    prop_assert_eq!(span.end.rem_euclid(i64::from(period)), 0);
                    prop_assert!(span.start < span.end && span.end <= now - 2 * i64::from(period));
                    prop_assert_eq!(until.unwrap_or(span.start), span.start);
                    until = Some(span.end);
                }
                read(&mut ledger, &groups, now);
            }
        }
    }
}
