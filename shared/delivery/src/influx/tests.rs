use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use telemetry::metrics::{Measured, Statistic};

/// A point as InfluxDB has it.
#[derive(Debug, PartialEq)]
struct Line {
    measurement: String,
    tags: Vec<(String, String)>,
    field: String,
    value: f64,
    time: i64,
}

/// Splits at each of these bytes that no backslash is before.
fn split(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = parts.last_mut().unwrap();
        match (letter, letters.peek()) {
            ('\\', Some(',' | '=' | ' ')) => last.extend(['\\', letters.next().unwrap()]),
            (letter, _) if letter == at => parts.push(String::new()),
            (letter, _) => last.push(letter),
        }
    }
    parts
}

/// A backslash is one unless it stands before what it escapes.
fn plain(text: &str) -> String {
    let escapes = [("\\,", ","), ("\\=", "="), ("\\ ", " ")];
    let unescape = |text: String, (from, to): (&str, &str)| text.replace(from, to);
    escapes.into_iter().fold(text.to_owned(), unescape)
}

fn parse(line: &str) -> Line {
    let [series, field, time] = &split(line.strip_suffix('\n').unwrap(), ' ')[..] else {
        panic!("{line:?} has not three parts");
    };
    let pair = |text: &str| match &split(text, '=')[..] {
        [name, value] => (plain(name), plain(value)),
        other => panic!("{other:?} is no pair"),
    };
    let series = split(series, ',');
    let (field, value) = pair(field);
    Line {
        measurement: plain(&series[0]),
        tags: series[1..].iter().map(|tag| pair(tag)).collect(),
        field,
        value: value.parse().unwrap(),
        time: time.parse().unwrap(),
    }
}

fn point<'p>(dimensions: &'p [(String, String)], resource: Option<&'p Measured>) -> Datapoint<'p> {
    Datapoint {
        account: "111111111111",
        region: "us-east-1",
        namespace: "AWS/NATGateway",
        metric: "BytesOutToDestination",
        dimensions,
        statistic: Statistic::Sum,
        unit: "Bytes",
        adds_up: true,
        period: 60,
        time: 1_795_190_400,
        value: 1500.0,
        resource,
    }
}

fn line(point: &Datapoint<'_>) -> String {
    let mut out = Vec::new();
    write_line(&mut out, point);
    String::from_utf8(out).unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn names_are_those_of_telegraf() {
    for (name, snake) in [
        ("AWS_NATGateway", "aws_nat_gateway"),
        ("AWS_ApplicationELB", "aws_application_elb"),
        ("AWS_EC2", "aws_ec2"),
        ("AWS_Network Manager", "aws_network_manager"),
        ("AWS_PrivateLinkEndpoints", "aws_private_link_endpoints"),
        ("HTTPCode_Target_2XX_Count", "http_code_target_2xx_count"),
        ("BytesOutToDestination_Sum", "bytes_out_to_destination_sum"),
        ("5xxErrors_SampleCount", "5xx_errors_sample_count"),
        ("NatGatewayId", "nat_gateway_id"),
        ("", ""),
    ] {
        assert_eq!(snake_case(name), snake);
    }
    let percentile = Datapoint {
        metric: "TargetResponseTime",
        statistic: Statistic::Percentile(99_900),
        ..point(&[], None)
    };
    assert_eq!(
        parse(&line(&percentile)).field,
        "target_response_time_p99_9"
    );
}

#[test]
fn tags_are_sorted_and_none_is_empty_or_stands_twice() {
    let dimensions = pairs(&[
        ("Empty", ""),
        ("NatGatewayId", "nat-1"),
        ("Region", "ap-south-1"),
        ("VpcID", "a"),
        ("VpcId", "b"),
        ("_field", "c"),
        ("time", "d"),
    ]);
    let resource = Measured {
        kind: "nat-gateway",
        id: "nat-1".to_owned(),
        name: Some("egress, a=b".to_owned()),
        owner: Some(String::new()),
        ..Measured::default()
    };
    let line = line(&point(&dimensions, Some(&resource)));
    let expected = pairs(&[
        ("account", "111111111111"),
        ("dimension__field", "c"),
        ("dimension_region", "ap-south-1"),
        ("dimension_time", "d"),
        ("dimension_vpc_id", "b"),
        ("nat_gateway_id", "nat-1"),
        ("region", "us-east-1"),
        ("resource", "nat-1"),
        ("resource_name", "egress, a=b"),
        ("resource_type", "nat-gateway"),
        ("vpc_id", "a"),
    ]);
    assert_eq!(parse(&line).tags, expected, "{line}");
    assert!(line.contains(r"resource_name=egress\,\ a\=b,"), "{line}");
}

#[test]
fn what_a_line_cannot_hold_does_not_end_it() {
    let dimensions = pairs(&[
        ("A", "one\ntwo\r"),
        ("B", "C:\\"),
        ("C", "C:\\x\\,y"),
        ("D", "\\"),
    ]);
    let line = line(&point(&dimensions, None));
    assert_eq!(line.matches('\n').count(), 1);
    let tags = parse(&line).tags;
    assert_eq!(tags[0], ("a".to_owned(), "one two ".to_owned()));
    assert_eq!(tags[2], ("b".to_owned(), "C:".to_owned()));
    assert_eq!(tags[3], ("c".to_owned(), "C:\\x\\,y".to_owned()));
    assert_eq!(tags.len(), 5);
}

proptest! {
    #[test]
    fn lines_are_read_again_as_they_were(
        names in vec("[a-z,= \\\\é]{1,8}x", 0..4),
        texts in vec("[A-Za-z,= \\\\é\n]{0,12}", 4),
        namespace in "[A-Z/ ,=]{1,10}",
        metric in "[A-Z ,=]{1,10}",
        value in any::<f64>().prop_filter("finite", |value| value.is_finite()),
        time in 0_i64..9_000_000_000,
    ) {
        let dimensions: Vec<(String, String)> = names.into_iter().zip(texts).collect();
        let point = Datapoint {
            namespace: &namespace,
            metric: &metric,
            value,
            time,
            ..point(&dimensions, None)
        };
        let read = parse(&line(&point));
        let mut found: Vec<&str> = read.tags.iter().map(|(_, text)| &**text).collect();
        let written = dimensions.iter().map(|(_, text)| super::value(text));
        let mut expected: Vec<String> = written.filter(|text| !text.is_empty()).collect();
        expected.extend(["111111111111".to_owned(), "us-east-1".to_owned()]);
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
        prop_assert!(read.tags.is_sorted_by(|a, b| a.0 < b.0));
        prop_assert_eq!(read.value, value);
        prop_assert_eq!(read.time, time * 1_000_000_000);
        prop_assert_eq!(read.field, snake_case(&format!("{metric}_Sum")));
        let measurement = snake_case(&namespace.replace('/', "_"));
        prop_assert_eq!(read.measurement, format!("cloudwatch_{measurement}"));
    }
}
