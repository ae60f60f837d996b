//! Reading: the datapoints of series, as `GetMetricData` tells them.
//!
//! ```text
//! queries ─▶ calls of 500 queries and 100,800 datapoints at most ─▶ pages, put together by id ─▶ complete? ─▶ points
//!                                      ▲                                                         │ no
//!                                      └──────────────────────── asked again ◀───────────────────┘
//! ```
//!
//! A [`Reading`] says which call comes next and takes its answer; who sends the calls is not its matter. Limits, the
//! meaning of a result's `StatusCode` and the order of pages are those of "GetMetricData" and "MetricDataResult",
//! *CloudWatch API Reference*.

use std::collections::{HashMap, HashSet, VecDeque};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Statistic;
use super::series::Series;
use crate::describe::state::{CallFailure, State};

/// The operation.
pub const OPERATION: &str = "GetMetricData";

/// Queries of one call, at most.
pub const MAX_QUERIES: usize = 500;

/// Datapoints of one call, at most; what is above comes on further pages.
pub const MAX_DATAPOINTS: usize = 100_800;

/// How often a query is asked whose result stays incomplete.
const ROUNDS: u32 = 3;

/// Codes of answers that refuse a call for one of its queries.
const REFUSALS: &[&str] = &[
    "InvalidFormat",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "MissingParameter",
    "ValidationError",
    "ValidationException",
];

/// A statistic of a series: what is asked, and paid for, once a window.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query {
    /// The series.
    pub series: Series,
    /// The statistic.
    pub statistic: Statistic,
}

impl Query {
    /// A text that tells it from all others.
    pub fn key(&self) -> String {
        let Series {
            owner,
            namespace,
            metric,
            dimensions,
        } = &self.series;
        json!([
            owner,
            namespace,
            metric,
            dimensions,
            self.statistic.to_string()
        ])
        .to_string()
    }
}

/// A span of time whose ends lie on the period's boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The period's length, in seconds.
    pub period: u32,
    /// Its start, Unix seconds; it belongs to the span.
    pub start: i64,
    /// Its end, Unix seconds; it does not.
    pub end: i64,
}

impl Span {
    /// How many periods it has.
    pub fn periods(&self) -> usize {
        let seconds = usize::try_from(self.end - self.start).unwrap_or(0);
        seconds.div_ceil(self.period.max(1) as usize)
    }

    /// How many queries of it one call may have.
    pub fn queries_per_call(&self) -> usize {
        (MAX_DATAPOINTS / self.periods().max(1)).clamp(1, MAX_QUERIES)
    }
}

/// Why there are no datapoints of a query, although there may be some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// CloudWatch did not give all, however often it was asked: the last `StatusCode`, or `Missing`.
    Incomplete(String),
    /// The account may not read it.
    Forbidden,
    /// CloudWatch refuses the query: the code.
    Refused(String),
}

impl Unread {
    /// The code in reports.
    pub fn code(&self) -> &str {
        match self {
            Unread::Incomplete(code) | Unread::Refused(code) => code,
            Unread::Forbidden => "Forbidden",
        }
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// Of each query, in their order: times of periods, Unix seconds, ascending, and values.
    pub points: Vec<Vec<(i64, f64)>>,
    /// The queries that are not read, by their place.
    pub unread: Vec<(usize, Unread)>,
    /// Calls answered.
    pub calls: u64,
    /// Queries asked, those that were asked again each time: what CloudWatch counts as metrics requested.
    pub requested: u64,
    /// Datapoints that lie outside the span, or are not numbers, and are left out.
    pub odd: u64,
}

/// The state of reading.
#[derive(Debug)]
pub struct Reading<'q> {
    queries: &'q [Query],
    span: Span,
    /// Calls to make: the places of their queries.
    calls: VecDeque<Vec<usize>>,
    /// What is asked again when all calls are made.
    again: Vec<usize>,
    round: u32,
    token: Option<String>,
    tokens_seen: HashSet<String>,
    /// Of the first call, what each query's last `StatusCode` was.
    statuses: HashMap<usize, String>,
    read: Read,
}

impl<'q> Reading<'q> {
    /// Starts reading queries over a span.
    pub fn new(queries: &'q [Query], span: Span) -> Reading<'q> {
        let places: Vec<usize> = (0..queries.len()).collect();
        Reading {
            queries,
            span,
            calls: packed(&places, span),
            again: Vec::new(),
            round: 1,
            token: None,
            tokens_seen: HashSet::new(),
            statuses: HashMap::new(),
            read: Read {
                points: vec![Vec::new(); queries.len()],
                ..Read::default()
            },
        }
    }

    /// The parameters of the next call; `None` when everything is read, or will not be.
    pub fn next_call(&self) -> Option<Map<String, Value>> {
        let places = self.calls.front()?;
        let queries: Vec<Value> = places
            .iter()
            .filter_map(|place| Some((place, self.queries.get(*place)?)))
            .map(|(place, query)| {
                let mut asked = Map::from_iter([
                    ("Id".to_owned(), json!(format!("q{place}"))),
                    (
                        "MetricStat".to_owned(),
                        json!({
                            "Metric": query.series.to_metric(),
                            "Period": self.span.period,
                            "Stat": query.statistic.to_string(),
                        }),
                    ),
                ]);
                let owner = query.series.owner.iter();
                asked.extend(owner.map(|owner| ("AccountId".to_owned(), json!(owner))));
                Value::Object(asked)
            })
            .collect();
        let mut parameters = Map::from_iter([
            ("MetricDataQueries".to_owned(), Value::Array(queries)),
            ("StartTime".to_owned(), json!(self.span.start)),
            ("EndTime".to_owned(), json!(self.span.end)),
            ("ScanBy".to_owned(), json!("TimestampAscending")),
            ("MaxDatapoints".to_owned(), json!(MAX_DATAPOINTS)),
        ]);
        if let Some(token) = &self.token {
            parameters.insert("NextToken".to_owned(), json!(token));
        }
        Some(parameters)
    }

    /// Takes the answer to the call that [`next_call`](Self::next_call) named.
    ///
    /// # Errors
    /// The call failed for a reason that is not one of its queries': nothing more can be read.
    pub fn answer(&mut self, answer: Result<Value, CallFailure>) -> Result<(), CallFailure> {
        self.read.calls += 1;
        let asked = self.calls.front().map_or(0, Vec::len) as u64;
        if self.token.is_none() {
            self.read.requested += asked;
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) if failure.state == State::Error && REFUSALS.contains(&&*failure.code) => {
                self.narrow(&failure);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        let results = answer.get("MetricDataResults").and_then(Value::as_array);
        for result in results.into_iter().flatten() {
            self.result(result);
        }
        let token = answer.get("NextToken").and_then(Value::as_str);
        match token.filter(|token| !token.is_empty()) {
            Some(token) if self.tokens_seen.insert(token.to_owned()) => {
                self.token = Some(token.to_owned());
            }
            // Pages that go round leave their queries incomplete.
            Some(_) => {
                self.statuses.clear();
                self.end_call();
            }
            None => self.end_call(),
        }
        Ok(())
    }

    /// Takes what a page says of one query.
    fn result(&mut self, result: &Value) {
        let text = |name: &str| result.get(name).and_then(Value::as_str);
        let place = text("Id").and_then(|id| id.strip_prefix('q')?.parse::<usize>().ok());
        let is_asked = |place: &usize| self.calls.front().is_some_and(|call| call.contains(place));
        let Some(place) = place.filter(is_asked) else {
            self.read.odd += 1;
            return;
        };
        let status = text("StatusCode").unwrap_or("Complete");
        self.statuses.insert(place, status.to_owned());
        let list = |name: &str| result.get(name).and_then(Value::as_array);
        let times = list("Timestamps").map_or(&[][..], Vec::as_slice);
        let values = list("Values").map_or(&[][..], Vec::as_slice);
        let span = self.span;
        self.read.odd += times.len().abs_diff(values.len()) as u64;
        let Some(points) = self.read.points.get_mut(place) else {
            return;
        };
        for (time, value) in times.iter().zip(values) {
            let time = time
                .as_str()
                .and_then(|time| time.parse::<Timestamp>().ok());
            let time = time.map(Timestamp::as_second);
            let is_within = |time: &i64| (span.start..span.end).contains(time);
            let value = value.as_f64().filter(|value| value.is_finite());
            match (time.filter(is_within), value) {
                (Some(time), Some(value)) => points.push((time, value)),
                _ => self.read.odd += 1,
            }
        }
    }

    /// Ends the first call, whose pages are all there.
    fn end_call(&mut self) {
        for place in self.calls.pop_front().unwrap_or_default() {
            let status = self.statuses.remove(&place);
            let Some(points) = self.read.points.get_mut(place) else {
                continue;
            };
            match status.as_deref() {
                Some("Complete") => {
                    points.sort_by_key(|(time, _)| *time);
                    points.dedup_by_key(|(time, _)| *time);
                    continue;
                }
                Some("Forbidden") => self.read.unread.push((place, Unread::Forbidden)),
                _ if self.round < ROUNDS => self.again.push(place),
                status => {
                    let status = status.unwrap_or("Missing").to_owned();
                    self.read.unread.push((place, Unread::Incomplete(status)));
                }
            }
            points.clear();
        }
        self.token = None;
        self.tokens_seen.clear();
        self.statuses.clear();
        if self.calls.is_empty() && !self.again.is_empty() {
            self.round += 1;
            self.calls = packed(&std::mem::take(&mut self.again), self.span);
        }
    }

    /// A call was refused for one of its queries: it is halved until that stands alone.
    fn narrow(&mut self, failure: &CallFailure) {
        self.token = None;
        self.tokens_seen.clear();
        self.statuses.clear();
        let Some(places) = self.calls.pop_front() else {
            return;
        };
        for place in &places {
            if let Some(points) = self.read.points.get_mut(*place) {
                points.clear();
            }
        }
        let (first, second) = places.split_at(places.len() / 2);
        match (first, second) {
            ([], [place]) => {
                let refused = Unread::Refused(failure.code.clone());
                self.read.unread.push((*place, refused));
                if self.calls.is_empty() && !self.again.is_empty() {
                    self.round += 1;
                    self.calls = packed(&std::mem::take(&mut self.again), self.span);
                }
            }
            (first, second) => {
                self.calls.push_front(second.to_vec());
                self.calls.push_front(first.to_vec());
            }
        }
    }

    /// What was read.
    pub fn finish(mut self) -> Read {
        self.read.unread.sort_by_key(|(place, _)| *place);
        self.read
    }
}

/// Queries as calls: as few as there can be.
fn packed(places: &[usize], span: Span) -> VecDeque<Vec<usize>> {
    let calls = places.chunks(span.queries_per_call());
    calls.map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::super::series::tests::series;
    use super::*;
    use proptest::prelude::*;

    const SPAN: Span = Span {
        period: 60,
        start: 1_795_190_400,
        end: 1_795_190_700,
    };

    fn queries(count: usize) -> Vec<Query> {
        let query = |at: usize| Query {
            series: series(&format!("tgw-attach-{at:05}")),
            statistic: Statistic::Sum,
        };
        (0..count).map(query).collect()
    }

    fn result(place: usize, minutes: &[i64], status: &str) -> Value {
        let times = minutes.iter().map(|minute| {
            let time = Timestamp::from_second(SPAN.start + minute * 60).unwrap();
            json!(time.to_string())
        });
        let values: Vec<Value> = minutes.iter().map(|minute| json!(*minute as f64)).collect();
        json!({"Id": format!("q{place}"), "Label": "x", "StatusCode": status,
            "Timestamps": times.collect::<Vec<_>>(), "Values": values})
    }

    fn page(results: Vec<Value>, token: Option<&str>) -> Result<Value, CallFailure> {
        Ok(json!({"MetricDataResults": results, "NextToken": token}))
    }

    fn ids(call: &Map<String, Value>) -> Vec<usize> {
        let queries = call["MetricDataQueries"].as_array().unwrap();
        let id = |query: &Value| query["Id"].as_str().unwrap()[1..].parse().unwrap();
        queries.iter().map(id).collect()
    }

    #[test]
    fn pages_are_put_together_by_id() {
        let queries = queries(2);
        let mut reading = Reading::new(&queries, SPAN);
        let call = reading.next_call().unwrap();
        assert_eq!(
            (&call["StartTime"], &call["EndTime"]),
            (&json!(SPAN.start), &json!(SPAN.end))
        );
        assert_eq!(call["MetricDataQueries"][1]["MetricStat"]["Stat"], "Sum");
        let partly = vec![
            result(0, &[0, 1], "PartialData"),
            result(1, &[], "PartialData"),
        ];
        reading.answer(page(partly, Some("t1"))).unwrap();
        assert_eq!(reading.next_call().unwrap()["NextToken"], "t1");
        reading.answer(page(vec![], Some("t2"))).unwrap();
        let rest = vec![result(1, &[4], "Complete"), result(0, &[2, 1], "Complete")];
        reading.answer(page(rest, None)).unwrap();
        assert_eq!(reading.next_call(), None);
        let read = reading.finish();
        let minutes = |place: usize| read.points[place].iter().map(|p| p.1).collect::<Vec<_>>();
        assert_eq!((minutes(0), minutes(1)), (vec![0.0, 1.0, 2.0], vec![4.0]));
        assert_eq!((read.calls, read.requested, read.odd), (3, 2, 0));
        assert_eq!(read.unread, []);
    }

    #[test]
    fn what_is_not_complete_is_asked_again_alone_and_then_given_up() {
        let queries = queries(4);
        let mut reading = Reading::new(&queries, SPAN);
        let answers = vec![
            result(0, &[0], "Complete"),
            result(1, &[0], "PartialData"),
            result(2, &[], "Forbidden"),
        ];
        reading.answer(page(answers, None)).unwrap();
        assert_eq!(ids(&reading.next_call().unwrap()), [1, 3]);
        let answers = vec![
            result(1, &[0, 1], "Complete"),
            result(3, &[0], "InternalError"),
        ];
        reading.answer(page(answers, None)).unwrap();
        assert_eq!(ids(&reading.next_call().unwrap()), [3]);
        reading
            .answer(page(vec![result(3, &[0], "InternalError")], None))
            .unwrap();
        assert_eq!(reading.next_call(), None);
        let read = reading.finish();
        let given_up = Unread::Incomplete("InternalError".into());
        assert_eq!(read.unread, [(2, Unread::Forbidden), (3, given_up)]);
        assert_eq!(
            read.points.iter().map(Vec::len).collect::<Vec<_>>(),
            [1, 2, 0, 0]
        );
        assert_eq!((read.calls, read.requested), (3, 7));
    }

    #[test]
    fn a_query_that_cloudwatch_refuses_does_not_take_the_others_with_it() {
        let queries = queries(7);
        let mut reading = Reading::new(&queries, SPAN);
        while let Some(call) = reading.next_call() {
            let ids = ids(&call);
            let answer = match ids.contains(&5) {
                true => Err(CallFailure::of_code(
                    "InvalidParameterValue",
                    "The value x",
                    None,
                )),
                false => page(
                    ids.iter().map(|id| result(*id, &[1], "Complete")).collect(),
                    None,
                ),
            };
            reading.answer(answer).unwrap();
        }
        let read = reading.finish();
        assert_eq!(
            read.unread,
            [(5, Unread::Refused("InvalidParameterValue".into()))]
        );
        assert_eq!(
            read.points
                .iter()
                .filter(|points| points.len() == 1)
                .count(),
            6
        );
    }

    #[test]
    fn a_call_that_fails_ends_the_reading() {
        let queries = queries(1);
        let mut reading = Reading::new(&queries, SPAN);
        let failure = CallFailure::of_code("Throttling", "slow down", None);
        assert_eq!(reading.answer(Err(failure.clone())), Err(failure));
    }

    #[test]
    fn what_lies_outside_or_is_no_number_is_counted() {
        let queries = queries(1);
        let mut reading = Reading::new(&queries, SPAN);
        let mut odd = result(0, &[-1, 0, 5], "Complete");
        odd["Values"] = json!([1.0, "NaN", 2.0, 3.0]);
        reading
            .answer(page(vec![odd, result(9, &[], "Complete")], None))
            .unwrap();
        let read = reading.finish();
        assert_eq!((read.points[0].len(), read.odd), (0, 5));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// As few calls as the limits allow, none above them, every query in one of them.
        #[test]
        fn calls_are_packed_as_tightly_as_can_be(count in 0usize..1_100, periods in 1i64..2_000) {
            let span = Span { end: SPAN.start + periods * 60, ..SPAN };
            let queries = queries(count);
            let mut reading = Reading::new(&queries, span);
            let mut asked = Vec::new();
            while let Some(call) = reading.next_call() {
                let ids = ids(&call);
                prop_assert!(ids.len() <= MAX_QUERIES && ids.len() * span.periods() <= MAX_DATAPOINTS);
                let results = ids.iter().map(|id| result(*id, &[], "Complete")).collect();
                asked.extend(ids);
                reading.answer(page(results, None)).unwrap();
            }
            let read = reading.finish();
            prop_assert_eq!(asked, (0..count).collect::<Vec<_>>());
            let tightest = MAX_QUERIES.min(MAX_DATAPOINTS / span.periods());
            prop_assert_eq!(read.calls as usize, count.div_ceil(tightest));
        }

    }

    proptest! {
        /// Whatever is answered, each query ends either read or unread, and reading ends.
        #[test]
        fn each_query_is_read_or_unread(count in 1usize..30, answers in proptest::collection::vec((0u8..6, 0u8..5), 0..400)) {
            let queries = queries(count);
            let mut reading = Reading::new(&queries, SPAN);
            let mut complete = HashSet::new();
            let mut answers = answers.into_iter().chain(std::iter::repeat((0, 0)));
            let mut token = 0;
            while let Some(call) = reading.next_call() {
                let ids = ids(&call);
                let (kind, status) = answers.next().unwrap();
                let status = ["Complete", "PartialData", "InternalError", "Forbidden", "Other"][status as usize];
                let results: Vec<Value> = ids.iter().map(|id| result(*id, &[*id as i64 % 5], status)).collect();
                let answer = match kind {
                    0 | 1 => page(results, None),
                    2 => { token += 1; page(results, Some(&token.to_string())) }
                    3 => page(vec![], None),
                    4 => page(results, Some("same")),
                    _ => Err(CallFailure::of_code("InvalidParameterValue", "", None)),
                };
                reading.answer(answer).unwrap();
            }
            let read = reading.finish();
            complete.extend((0..count).filter(|place| !read.points[*place].is_empty()));
            let unread: HashSet<usize> = read.unread.iter().map(|(place, _)| *place).collect();
            prop_assert_eq!(unread.len(), read.unread.len());
            prop_assert!(complete.is_disjoint(&unread));
            prop_assert_eq!(complete.len() + unread.len(), count);
        }
    }
}
