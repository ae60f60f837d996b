use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use telemetry::metrics::{Measured, Statistic};

use super::*;
use crate::batch::Batch;
use crate::encoding::Compression;

/// What datapoints of a small estate borrow.
pub(crate) struct Estate {
    gateway: [(String, String); 1],
    checker: [(String, String); 2],
    nat: Measured,
    check: Measured,
}

fn pair(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

pub(crate) fn estate() -> Estate {
    Estate {
        gateway: [pair("NatGatewayId", "nat-0a1b2c3d4e5f60718")],
        checker: [
            pair("HealthCheckId", "abcdef11-2222"),
            pair("Region", "eu-west-1"),
        ],
        nat: Measured {
            kind: "nat-gateway",
            id: "nat-0a1b2c3d4e5f60718".to_owned(),
            name: Some("egress, shop".to_owned()),
            owner: Some("222222222222".to_owned()),
            vpc: Some("vpc-0a1b2c3d".to_owned()),
            tags: vec![pair("Name", "egress, shop"), pair("team", "net")],
        },
        check: Measured {
            kind: "health-check",
            id: "abcdef11-2222".to_owned(),
            ..Measured::default()
        },
    }
}

impl Estate {
    /// A handful of datapoints: with and without a resource, of several kinds of values.
    pub(crate) fn datapoints(&self) -> Vec<Datapoint<'_>> {
        let bytes = Datapoint {
            account: "111111111111",
            region: "us-east-1",
            namespace: "AWS/NATGateway",
            metric: "BytesOutToDestination",
            dimensions: &self.gateway,
            statistic: Statistic::Sum,
            unit: "Bytes",
            adds_up: true,
            period: 60,
            time: 1_795_190_400,
            value: 1_048_576.0,
            resource: Some(&self.nat),
        };
        let mean = Datapoint {
            statistic: Statistic::Average,
            value: 17_476.266_666_666_666,
            ..bytes
        };
        let check = Datapoint {
            namespace: "AWS/Route53",
            metric: "TimeToFirstByte",
            dimensions: &self.checker,
            statistic: Statistic::Percentile(99_900),
            unit: "Milliseconds",
            adds_up: false,
            period: 300,
            value: 0.1 + 0.2,
            resource: Some(&self.check),
            ..bytes
        };
        let all = Datapoint {
            namespace: "AWS/EC2",
            metric: "CPUUtilization",
            dimensions: &[],
            unit: "Percent",
            adds_up: false,
            value: 0.0,
            resource: None,
            ..mean
        };
        vec![bytes, mean, check, all]
    }
}

fn packing(format: Format) -> Packing {
    let mut packing = Packing::ndjson(1 << 20);
    packing.encoding.format = format;
    packing
}

fn batches<'p>(
    points: impl IntoIterator<Item = &'p Datapoint<'p>>,
    packing: Packing,
) -> Vec<Batch> {
    let origin = Origin {
        bucket: "metrics".to_owned(),
        key: "111111111111/us-east-1/2026/11/20/60s-1795190400-1795190700/0".to_owned(),
        revision: "1".to_owned(),
    };
    let mut batcher = DatapointBatcher::new(Arc::new([origin]), Arc::new(packing));
    let mut made = Vec::new();
    for point in points {
        batcher.push(point).unwrap();
        made.extend(std::iter::from_fn(|| batcher.complete()));
    }
    batcher.finish().unwrap();
    made.extend(std::iter::from_fn(|| batcher.complete()));
    made
}

/// Datapoints as one batch.
pub(crate) fn batch(points: &[Datapoint<'_>], format: Format) -> Bytes {
    let [batch] = &batches(points, packing(format))[..] else {
        panic!("they are one batch");
    };
    assert_eq!(batch.records, points.len() as u64);
    batch.bytes.clone()
}

fn text(points: &[Datapoint<'_>], format: Format) -> String {
    String::from_utf8(batch(points, format).to_vec()).unwrap()
}

#[test]
fn the_documentation_has_the_lines() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metric-formats.md");
    let found = std::fs::read_to_string(path).unwrap();
    let estate = estate();
    let points = estate.datapoints();
    let mut expected = found.clone();
    for format in [Format::Ndjson, Format::Influx] {
        let mark = format!("<!-- {} -->\n```text\n", format.label());
        let (before, rest) = expected.split_once(&mark).unwrap();
        let (_, after) = rest.split_once("```").unwrap();
        expected = format!("{before}{mark}{}```{after}", text(&points, format));
    }
    if found != expected && std::env::var_os("UPDATE_GOLDEN").is_some() {
        return std::fs::write(path, expected).unwrap();
    }
    assert_eq!(
        found, expected,
        "UPDATE_GOLDEN=1 writes docs/metric-formats.md anew"
    );
}

#[test]
fn the_same_datapoints_are_the_same_batches() {
    let estate = estate();
    let points = estate.datapoints();
    for format in Content::Datapoints.formats() {
        let made = |records| {
            let packing = Packing {
                max_records: records,
                ..packing(*format)
            };
            batches(&points, packing)
        };
        for records in [1, 3, 100] {
            let (first, again) = (made(records), made(records));
            let counts: Vec<u64> = first.iter().map(|batch| batch.records).collect();
            assert!(counts.iter().all(|count| *count <= records), "{counts:?}");
            assert_eq!(counts.iter().sum::<u64>(), points.len() as u64);
            assert_eq!(first.len(), again.len());
            for (place, (one, other)) in first.iter().zip(&again).enumerate() {
                assert_eq!(one.sequence as usize, place);
                assert_eq!((one.id(), &one.bytes), (other.id(), &other.bytes));
                let extension = one.encoding.extension();
                let name = one.object_name();
                assert!(
                    Batch::is_object_name(&name) && name.ends_with(extension),
                    "{name}"
                );
                let key = "metrics/111111111111/us-east-1/2026/11/20/60s-1795190400-1795190700/0.";
                assert!(name.starts_with(key), "{name}");
            }
        }
    }
    let error = DatapointEncoder::open(&packing(Format::Ocsf), &[], 1).unwrap_err();
    assert!(error.to_string().contains("not written as ocsf"), "{error}");
}

#[test]
fn partitions_are_those_of_each_datapoint() {
    let estate = estate();
    let first = estate.datapoints()[0];
    let at = |account, region, time| Datapoint {
        account,
        region,
        time,
        ..first
    };
    let midnight = 1_795_219_200;
    let mut points = vec![
        at("111111111111", "us-east-1", midnight - 60),
        at("111111111111", "us-east-1", midnight),
        at("222222222222", "us-east-1", midnight - 60),
        at("111111111111", "us-east-1", midnight - 120),
        at("111111111111", "eu-west-1", midnight),
    ];
    let partitions = |points: &[Datapoint<'_>], columns: &str| -> Vec<(String, u64)> {
        let packing = Packing {
            partitioning: Partitioning::parse(columns).unwrap(),
            ..packing(Format::Parquet)
        };
        let made = batches(points, packing);
        let of = |batch: Batch| (batch.partition.to_string(), batch.records);
        made.into_iter().map(of).collect()
    };
    let mut found = partitions(&points, "account,region,day");
    found.sort();
    let expected = [
        ("account=111111111111/region=eu-west-1/day=2026-11-21", 1),
        ("account=111111111111/region=us-east-1/day=2026-11-20", 2),
        ("account=111111111111/region=us-east-1/day=2026-11-21", 1),
        ("account=222222222222/region=us-east-1/day=2026-11-20", 1),
    ];
    assert_eq!(
        found,
        expected.map(|(path, count)| (path.to_owned(), count))
    );
    assert_eq!(partitions(&points, "region").len(), 2);
    // More accounts than are open at once: batches that are opened again have other names.
    let accounts: Vec<String> = (0..40).map(|n| format!("{n:012}")).collect();
    points = accounts
        .iter()
        .chain(&accounts)
        .map(|account| at(account, "us-east-1", midnight))
        .collect();
    let packing = Packing {
        partitioning: Partitioning::parse("account").unwrap(),
        ..packing(Format::Ndjson)
    };
    let made = batches(&points, packing);
    assert_eq!(made.iter().map(|batch| batch.records).sum::<u64>(), 80);
    let mut names: Vec<String> = made.iter().map(Batch::object_name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), made.len());
}

#[test]
fn compressed_batches_hold_the_same() {
    let estate = estate();
    let points = estate.datapoints();
    for format in [Format::Ndjson, Format::Influx, Format::Otlp] {
        let mut packing = packing(format);
        packing.encoding.compression = Compression::Zstd;
        let made = batches(&points, packing);
        let read = zstd::decode_all(&*made[0].bytes).unwrap();
        assert_eq!(read, batch(&points, format));
    }
}

#[test]
fn what_no_format_can_hold_is_left_out() {
    let estate = estate();
    let mut points = estate.datapoints();
    points[0].value = f64::NAN;
    points[1].value = f64::NEG_INFINITY;
    points[2].time = i64::MAX;
    for format in Content::Datapoints.formats() {
        let made = batches(&points, packing(*format));
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].records, 1);
        assert_eq!(made[0].bytes, batch(&points[3..], *format));
    }
    assert!(batches(&points[..3], packing(Format::Ndjson)).is_empty());
}

/// A datapoint as NDJSON has it, the plain way.
fn reference(point: &Datapoint<'_>) -> Value {
    let pairs = |pairs: &[(String, String)]| -> Value {
        let pairs = pairs.iter().cloned();
        pairs
            .map(|(name, text)| (name, Value::from(text)))
            .collect()
    };
    let mut expected = json!({
        "time": Timestamp::from_second(point.time).unwrap().to_string(),
        "period": point.period,
        "account": point.account,
        "region": point.region,
        "namespace": point.namespace,
        "metric": point.metric,
        "dimensions": pairs(point.dimensions),
        "statistic": point.statistic.to_string(),
        "unit": point.unit,
        "value": point.value,
    });
    if let Some(resource) = point.resource {
        expected["resource"] = json!(resource.id);
        expected["resource_type"] = json!(resource.kind);
        expected["tags"] = pairs(&resource.tags);
        for (name, text) in [
            ("resource_name", &resource.name),
            ("resource_owner", &resource.owner),
            ("vpc", &resource.vpc),
        ] {
            if let Some(text) = text {
                expected[name] = json!(text);
            }
        }
    }
    expected
}

proptest! {
    #[test]
    fn ndjson_is_read_again_as_it_was(
        texts in vec(any::<String>(), 8),
        names in any::<[bool; 4]>(),
        numbers in (any::<u32>(), -377_705_000_000_i64..253_402_000_000, 0_u32..100_000),
        value in any::<f64>().prop_filter("finite", |value| value.is_finite()),
    ) {
        let dimensions = [pair("a", &texts[0]), pair("b", &texts[1])];
        let some = |place: usize| names[place].then(|| texts[place].clone());
        let resource = Measured {
            kind: "nat-gateway",
            id: texts[2].clone(),
            name: some(0),
            owner: some(1),
            vpc: some(2),
            tags: vec![pair(&texts[3], &texts[4])],
        };
        let point = Datapoint {
            account: &texts[5],
            region: "us-east-1",
            namespace: &texts[6],
            metric: &texts[7],
            dimensions: &dimensions,
            statistic: Statistic::Percentile(numbers.2),
            unit: "None",
            adds_up: false,
            period: numbers.0,
            time: numbers.1,
            value,
            resource: names[3].then_some(&resource),
        };
        let line = text(&[point], Format::Ndjson);
        prop_assert_eq!(line.matches('\n').count(), 1);
        let read: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&read, &reference(&point));
        prop_assert_eq!(read["value"].as_f64().map(f64::to_bits), Some(value.to_bits()));
    }
}
