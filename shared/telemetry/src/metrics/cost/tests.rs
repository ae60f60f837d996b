use proptest::prelude::*;

use super::*;

fn queries(namespace: &'static str, period: u32, count: u64) -> Queries<'static> {
    Queries {
        namespace,
        metric: "BytesIn",
        period,
        count,
    }
}

#[test]
fn a_month_costs_what_the_price_list_says() {
    // Of 60 s and 300 s, 2,000 metrics every 5 minutes: 17.3 million a month. Daily ones are asked for once a day.
    let asked = [
        queries("AWS/TransitGateway", 60, 1_500),
        queries("AWS/VPN", 300, 500),
        queries("AWS/S3", 86_400, 1_000),
    ];
    let estimate = Estimate::new(asked, 300, 2_000, &LIST_PRICE);
    assert_eq!(estimate.metrics_per_run, 3_000);
    assert_eq!(estimate.runs_per_month, 8_640);
    assert_eq!(estimate.requested_per_month(), 17_280_000 + 30_000);
    let rows: Vec<String> = estimate
        .by_namespace
        .iter()
        .map(|((namespace, period), m)| {
            format!(
                "{namespace} {period} {} {} {:>8}",
                m.metrics, m.requested, m.cost
            )
        })
        .collect();
    let expected = [
        "AWS/S3 86400 1000 30000    $0.30",
        "AWS/TransitGateway 60 1500 12960000  $129.60",
        "AWS/VPN 300 500 4320000   $43.20",
    ];
    assert_eq!(rows, expected);
    assert_eq!(estimate.cost_per_month(&LIST_PRICE).to_string(), "$173.10");

    // Each minute, those of 300 s are due every fifth time.
    let often = Estimate::new(asked, 60, 0, &LIST_PRICE);
    assert_eq!(
        often.requested_per_month(),
        1_500 * 43_200 + 500 * 8_640 + 30_000
    );

    // Two accounts, whose listing is no longer free.
    let mut both = estimate.clone();
    both.add(&Estimate::new(asked, 300, 1_098_000, &LIST_PRICE));
    assert_eq!((both.metrics_per_run, both.runs_per_month), (6_000, 8_640));
    assert_eq!(both.cost_per_month(&LIST_PRICE).to_string(), "$347.20");
}

#[test]
fn the_examples_of_the_documentation_are_right() {
    let page = include_str!("../../../../../docs/metrics.md");
    let (_, table) = page
        .split_once("USD a month |\n| --- | --- | --- | --- | --- |\n")
        .unwrap();
    let rows: Vec<&str> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .collect();
    for row in &rows {
        let cells: Vec<String> = row.split('|').map(|c| c.trim().replace(',', "")).collect();
        let (number, unit) = cells[3].split_once(' ').unwrap();
        let seconds = if unit == "day" { 86_400 } else { 60 };
        let every = number.parse::<u32>().unwrap() * seconds;
        let asked = queries("AWS/S3", every, cells[2].parse().unwrap());
        let estimate = Estimate::new([asked], every, 0, &LIST_PRICE);
        assert_eq!(
            cells[4],
            estimate.requested_per_month().to_string(),
            "{row}"
        );
        let cost = estimate.cost_per_month(&LIST_PRICE).as_dollars();
        assert_eq!(cells[5], format!("{cost:.2}"), "{row}");
    }
    assert_eq!(rows.len(), 7);
}

#[test]
fn money_is_exact_and_never_shown_as_none() {
    assert_eq!(Usd::dollars(12.5).to_string(), "$12.50");
    assert_eq!(Usd::dollars(0.000_01).to_string(), "$0.01");
    assert_eq!(Usd::dollars(0.0).to_string(), "$0.00");
    assert_eq!(Usd::dollars(-1.0), Usd::default());
    assert_eq!(Usd::dollars(f64::NAN), Usd::default());
    assert_eq!(
        Usd::dollars(f64::INFINITY) + Usd::dollars(1.0),
        Usd(u64::MAX)
    );
    assert!((Usd::dollars(3.25).as_dollars() - 3.25).abs() < 1e-9);
}

#[test]
fn a_budget_leaves_out_what_matters_least_and_says_so() {
    // At 300 s, one query costs $0.0864 a month.
    let series = [
        queries("AWS/TransitGateway", 60, 2),
        queries("AWS/TransitGateway", 60, 2),
        queries("AWS/EC2", 300, 3),
        queries("AWS/EC2", 300, 1),
        queries("AWS/S3", 86_400, 1),
    ];
    let bounded = bound(series, 300, Some(Usd::dollars(0.5)), &LIST_PRICE);
    assert_eq!(bounded.kept, 2);
    assert_eq!(bounded.cost, Usd::dollars(4.0 * 0.0864));
    let left_out: Vec<(&str, u64)> = bounded
        .left_out
        .iter()
        .map(|((namespace, _), count)| (namespace.as_str(), *count))
        .collect();
    assert_eq!(left_out, [("AWS/EC2", 4), ("AWS/S3", 1)]);
    let all = bound(series, 300, None, &LIST_PRICE);
    assert_eq!((all.kept, all.left_out.len()), (5, 0));
    assert_eq!(
        bound(series, 300, Some(Usd::default()), &LIST_PRICE).kept,
        0
    );
}

fn series() -> impl Strategy<Value = Vec<Queries<'static>>> {
    let namespace = prop::sample::select(vec!["AWS/EC2", "AWS/VPN", "AWS/S3"]);
    let period = prop::sample::select(vec![60, 300, 14_400, 86_400]);
    let one =
        (namespace, period, 0_u64..1_000).prop_map(|(n, period, count)| queries(n, period, count));
    prop::collection::vec(one, 0..40)
}

fn cost(series: &[Queries<'static>], interval: u32) -> Usd {
    Estimate::new(series.iter().copied(), interval, 0, &LIST_PRICE).cost_per_month(&LIST_PRICE)
}

proptest! {
    #[test]
    fn more_queries_and_more_runs_cost_no_less(
        series in series(), interval in 1_u32..100_000, longer in 0_u32..100_000, more in 0_u64..50,
    ) {
        prop_assert!(cost(&series, interval + longer) <= cost(&series, interval));
        let mut larger = series.clone();
        for queries in &mut larger {
            queries.count += more;
        }
        prop_assert!(cost(&series, interval) <= cost(&larger, interval));
    }

    #[test]
    fn what_is_kept_is_the_beginning_and_within_the_budget(
        series in series(), interval in 1_u32..100_000, budget in 0.0..200.0_f64,
    ) {
        let budget = Usd::dollars(budget);
        let bounded = bound(series.iter().copied(), interval, Some(budget), &LIST_PRICE);
        prop_assert!(bounded.cost <= budget);
        let (kept, left) = series.split_at(bounded.kept);
        prop_assert_eq!(bounded.cost, cost(kept, interval));
        // The next one would have been too much.
        if let Some(next) = left.first() {
            prop_assert!(bounded.cost + cost(&[*next], interval) > budget);
        }
        let left: u64 = left.iter().map(|queries| queries.count).sum();
        prop_assert_eq!(left, bounded.left_out.values().sum::<u64>());
        // A larger budget keeps no less.
        let double = bound(series.iter().copied(), interval, Some(budget + budget), &LIST_PRICE);
        prop_assert!(double.kept >= bounded.kept);
    }
}
