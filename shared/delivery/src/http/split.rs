//! Halving what a receiver finds too large. Pure functions over encoded records.

use bytes::Bytes;

use super::protobuf::{Field, Fields, Malformed, Value, write_length};

/// How records stand in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// A line each.
    Lines,
    /// Messages at the end of a path of fields, each by its number or several of which a message has
    /// one. The rest of the messages on the path is what the records below have in common, and stays
    /// with each part.
    Nested(&'static [&'static [u64]]),
}

/// Where the records of OTLP's `ExportLogsServiceRequest` are: `resource_logs`, `scope_logs`,
/// `log_records`.
pub(super) const OTLP_LOGS: Framing = Framing::Nested(&[&[1], &[2], &[2]]);

/// Where the datapoints of `ExportMetricsServiceRequest` are: `resource_metrics`, `scope_metrics`,
/// `metrics`, their `gauge` or `sum`, `data_points`.
pub(super) const OTLP_METRICS: Framing = Framing::Nested(&[&[1], &[2], &[2], &[5, 7], &[1]]);

impl Framing {
    /// Two bodies that hold the records of one, in their order. `None` when it holds one record, or
    /// cannot be read.
    pub(super) fn halves(self, body: &Bytes) -> Option<[Bytes; 2]> {
        match self {
            Framing::Lines => {
                line_end_near_middle(body).map(|cut| [body.slice(..cut), body.slice(cut..)])
            }
            Framing::Nested(path) => halve(body, path)
                .ok()?
                .map(|halves| halves.map(Bytes::from)),
        }
    }

    /// How many records a body holds.
    pub(super) fn count(self, body: &[u8]) -> u64 {
        match self {
            Framing::Lines => {
                let ends = body.iter().filter(|byte| **byte == b'\n').count() as u64;
                ends + u64::from(body.last().is_some_and(|last| *last != b'\n'))
            }
            Framing::Nested(path) => count(body, path),
        }
    }
}

/// The place after the line end next to the middle that has something on both sides.
fn line_end_near_middle(body: &[u8]) -> Option<usize> {
    let middle = body.len() / 2;
    let (first, second) = body.split_at_checked(middle)?;
    let before = first
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map(|at| at + 1);
    let after = second
        .iter()
        .position(|byte| *byte == b'\n')
        .map(|at| middle + at + 1);
    [before, after]
        .into_iter()
        .flatten()
        .filter(|cut| *cut < body.len())
        .min_by_key(|cut| cut.abs_diff(middle))
}

fn fields(message: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    Fields::of(message).collect()
}

/// Divides the entries of the path's first field, or the one entry that there is.
fn halve(message: &[u8], path: &[&[u64]]) -> Result<Option<[Vec<u8>; 2]>, Malformed> {
    let Some((numbers, below)) = path.split_first() else {
        return Ok(None);
    };
    let fields = fields(message)?;
    let is_entry = |field: &Field<'_>| numbers.contains(&field.number);
    let entries = || fields.iter().filter(|field| is_entry(field));
    let mut halves = [Vec::new(), Vec::new()];
    match entries().count() {
        0 => return Ok(None),
        1 => {
            let Some(Value::Bytes(only)) = entries().next().map(|entry| entry.value) else {
                return Err(Malformed);
            };
            let Some(parts) = halve(only, below)? else {
                return Ok(None);
            };
            for (half, part) in halves.iter_mut().zip(parts) {
                for field in &fields {
                    if is_entry(field) {
                        write_length(half, field.number, part.len());
                        half.extend_from_slice(&part);
                    } else {
                        half.extend_from_slice(field.whole);
                    }
                }
            }
        }
        several => {
            let total: usize = entries().map(|entry| entry.whole.len()).sum();
            let (mut seen, mut bytes) = (0, 0);
            for field in &fields {
                let [first, second] = &mut halves;
                if !is_entry(field) {
                    first.extend_from_slice(field.whole);
                    second.extend_from_slice(field.whole);
                    continue;
                }
                // By the middle of the entry; the first half has the first, the second the last.
                let middle = bytes + field.whole.len() / 2;
                seen += 1;
                let in_first = seen == 1 || (seen < several && 2 * middle <= total);
                let half = if in_first { first } else { second };
                half.extend_from_slice(field.whole);
                bytes += field.whole.len();
            }
        }
    }
    Ok(Some(halves))
}

fn count(message: &[u8], path: &[&[u64]]) -> u64 {
    let Some((numbers, below)) = path.split_first() else {
        return 1;
    };
    Fields::of(message)
        .map_while(Result::ok)
        .filter(|field| numbers.contains(&field.number))
        .map(|field| match field.value {
            Value::Bytes(entry) => count(entry, below),
            _ => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// All parts, halved until nothing is left to halve.
    fn parts(framing: Framing, body: &Bytes) -> Vec<Bytes> {
        match framing.halves(body) {
            None => vec![body.clone()],
            Some([first, second]) => {
                let mut all = parts(framing, &first);
                all.extend(parts(framing, &second));
                all
            }
        }
    }

    #[test]
    fn lines_are_cut_at_the_end_next_to_the_middle() {
        let cut = |text: &'static str| {
            let halves = Framing::Lines.halves(&Bytes::from_static(text.as_bytes()))?;
            Some(halves.map(|half| String::from_utf8(half.to_vec()).unwrap()))
        };
        let halves = |first: &str, second: &str| Some([first.to_owned(), second.to_owned()]);
        assert_eq!(cut("a\nb\n"), halves("a\n", "b\n"));
        assert_eq!(cut("a\nb\nc\nd\n"), halves("a\nb\n", "c\nd\n"));
        assert_eq!(cut("long line\nb\n"), halves("long line\n", "b\n"));
        assert_eq!(cut("a\nlong line\n"), halves("a\n", "long line\n"));
        assert_eq!(cut("a\nb"), halves("a\n", "b"));
        assert_eq!(cut("one\n"), None);
        assert_eq!(cut("one"), None);
        assert_eq!(cut(""), None);
    }

    /// Requests as a model: resources, their scopes, their records.
    type Model = Vec<Vec<Vec<Vec<u8>>>>;

    fn message(parts: &[(u64, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, bytes) in parts {
            write_length(&mut out, *number, bytes.len());
            out.extend_from_slice(bytes);
        }
        out
    }

    /// Each level has something that its records share, before and after the entries.
    fn encoded(model: &Model) -> Bytes {
        let mut resources = Vec::new();
        for (r, scopes) in model.iter().enumerate() {
            let mut resource = message(&[(1, format!("resource {r}").as_bytes())]);
            for (s, records) in scopes.iter().enumerate() {
                let mut scope = message(&[(1, format!("scope {r} {s}").as_bytes())]);
                for record in records {
                    scope.extend(message(&[(2, record)]));
                }
                scope.extend(message(&[(3, b"scope schema")]));
                resource.extend(message(&[(2, &scope)]));
            }
            resource.extend(message(&[(3, b"resource schema")]));
            resources.extend(message(&[(1, &resource)]));
        }
        Bytes::from(resources)
    }

    /// Every record with everything that it shares with others.
    fn records(body: &[u8], path: &[u64], shared: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
        let Some((number, below)) = path.split_first() else {
            return vec![[shared, &[body.to_vec()]].concat()];
        };
        let fields = fields(body).unwrap();
        let own = fields.iter().filter(|f| f.number != *number);
        let shared = [shared, &own.map(|f| f.whole.to_vec()).collect::<Vec<_>>()].concat();
        let entries = fields.iter().filter(|f| f.number == *number);
        entries
            .flat_map(|entry| match entry.value {
                Value::Bytes(entry) => records(entry, below, &shared),
                _ => panic!("an entry is a message"),
            })
            .collect()
    }

    const PATH: &[u64] = &[1, 2, 2];

    #[test]
    fn what_cannot_be_read_is_not_cut() {
        for body in [
            &b""[..],
            b"\x0a\x7f",
            b"not protobuf",
            b"\x08\x01",
            b"\x0a\x02\x08\x01",
        ] {
            assert_eq!(
                OTLP_LOGS.halves(&Bytes::from_static(body)),
                None,
                "{body:?}"
            );
        }
    }

    #[test]
    fn datapoints_of_one_metric_are_cut_apart_and_keep_their_metric() {
        for kind in [5, 7] {
            let points: [&[u8]; 3] = [b"first point", b"second point", b"third point"];
            let data = points.map(|point| (1, point));
            let data = [message(&data), b"\x10\x01".to_vec()].concat();
            let metric = message(&[(1, b"name"), (kind, &data)]);
            let body = Bytes::from(message(&[(1, &message(&[(2, &message(&[(2, &metric)]))]))]));
            assert_eq!(OTLP_METRICS.count(&body), 3);
            let parts = parts(OTLP_METRICS, &body);
            assert_eq!(parts.len(), 3);
            for (part, point) in parts.iter().zip(points) {
                let data = [message(&[(1, point)]), b"\x10\x01".to_vec()].concat();
                let metric = message(&[(1, b"name"), (kind, &data)]);
                let whole = message(&[(1, &message(&[(2, &message(&[(2, &metric)]))]))]);
                assert_eq!(part, &whole);
            }
        }
    }

    proptest! {
        #[test]
        fn lines_arrive_once_and_in_order(lines in vec("[a-z]{0,20}", 0..40), open in any::<bool>()) {
            let mut text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            if open {
                text.push_str("last");
            }
            let body = Bytes::from(text);
            let parts = parts(Framing::Lines, &body);
            prop_assert_eq!(parts.concat(), &body[..]);
            let counts: Vec<u64> = parts.iter().map(|part| Framing::Lines.count(part)).collect();
            prop_assert!(counts.iter().all(|count| *count <= 1));
            prop_assert_eq!(counts.iter().sum::<u64>(), lines.len() as u64 + u64::from(open));
        }

        #[test]
        fn nested_records_arrive_once_and_in_order_with_what_they_share(
            model in vec(vec(vec(vec(any::<u8>(), 0..30), 0..6), 0..4), 0..4)
        ) {
            let body = encoded(&model);
            let whole = records(&body, PATH, &[]);
            prop_assert_eq!(OTLP_LOGS.count(&body), whole.len() as u64);
            let parts = parts(OTLP_LOGS, &body);
            let parted: Vec<_> = parts.iter().flat_map(|part| records(part, PATH, &[])).collect();
            prop_assert_eq!(parted, whole);
            prop_assert!(parts.iter().all(|part| OTLP_LOGS.count(part) <= 1));
        }

        #[test]
        fn halves_of_many_records_are_of_a_size(count in 2_usize..200, size in 0_usize..50) {
            let body = encoded(&vec![vec![vec![vec![7; size]; count]]]);
            let [first, second] = OTLP_LOGS.halves(&body).unwrap();
            let counts = [OTLP_LOGS.count(&first), OTLP_LOGS.count(&second)];
            prop_assert!(counts[0].abs_diff(counts[1]) <= 1, "{counts:?}");
        }

        #[test]
        fn any_bytes_can_be_halved_and_counted(bytes in vec(any::<u8>(), 0..200)) {
            let body = Bytes::from(bytes);
            for framing in [Framing::Lines, OTLP_LOGS, OTLP_METRICS] {
                framing.count(&body);
                for part in parts(framing, &body) {
                    prop_assert!(part.len() <= body.len());
                }
            }
        }
    }
}
