//! The catalogue as a page for people: `docs/metrics-catalogue.md`.

use std::fmt::Write;

use super::{AskedIn, Catalogue, Metric, Namespace};

const HEAD: &str = "\
# Metrics of CloudWatch

Made from the catalogue by a test of the telemetry crate. What the metric export does with it is in
[metrics.md](metrics.md).

Namespaces and metrics stand in their order of importance: the last are the first that a budget leaves out. Bold
statistics and sets are those that are asked for by default. Sets are combinations of dimensions: CloudWatch has a
value for each of them, and adds nothing up. Units are CloudWatch's own. What no page of AWS confirms is marked:

| confirmed | |
| --- | --- |
| yes | AWS names the metric and its unit |
| not the unit | AWS names the metric; the unit was read from its name |
| no | one source alone names the metric |

";

impl Catalogue {
    /// The page, as Markdown.
    pub fn markdown(&self) -> String {
        let mut page = HEAD.to_owned();
        for namespace in &self.namespaces {
            // A heading of GitHub is found by its letters, digits and hyphens.
            let label = &namespace.label;
            let anchor = label.to_lowercase().replace('/', "");
            let asked = namespace.metrics.iter();
            let asked = asked.filter(|metric| !metric.default_statistics.is_empty());
            let (asked, all) = (asked.count(), namespace.metrics.len());
            _ = writeln!(
                page,
                "- [{label}](#{anchor}): {all} metrics, {asked} by default"
            );
        }
        for namespace in &self.namespaces {
            section(&mut page, namespace);
        }
        page
    }
}

fn section(page: &mut String, namespace: &Namespace) {
    _ = writeln!(page, "\n## {}\n", namespace.label);
    if namespace.names != [namespace.label.as_str()] {
        let names: Vec<String> = namespace.names.iter().map(|n| format!("`{n}`")).collect();
        _ = writeln!(page, "CloudWatch calls it {}.", names.join(" or "));
    }
    match &namespace.place {
        AskedIn::EachRegion => page.push_str("Asked in each region"),
        AskedIn::Region(region) => {
            _ = write!(page, "Asked in {region} alone, for resources everywhere");
        }
    }
    let assumed = match namespace.period_confirmed {
        true => "",
        false => ", which AWS does not say",
    };
    let mut periods: Vec<u32> = namespace.metrics.iter().map(|m| m.period).collect();
    periods.push(namespace.period);
    periods.sort_unstable();
    periods.dedup();
    let waits = periods.iter().map(|period| {
        let wait = span(namespace.settle(*period));
        format!("{wait} for those of {}", span(*period))
    });
    let waits: Vec<String> = waits.collect();
    _ = writeln!(
        page,
        ". Period {}{assumed}. Periods are settled after {}.\n",
        span(namespace.period),
        waits.join(", ")
    );
    page.push_str("| set | dimensions |\n| --- | --- |\n");
    for set in &namespace.sets {
        let dimensions: Vec<String> = set.dimensions.iter().map(|d| format!("`{d}`")).collect();
        let dimensions = match dimensions.is_empty() {
            true => "none".to_owned(),
            false => dimensions.join(", "),
        };
        let assumed = match set.confirmed {
            true => "",
            false => " (unconfirmed)",
        };
        _ = writeln!(page, "| `{}` | {dimensions}{assumed} |", set.label);
    }
    page.push_str("\n| metric | unit | statistics | sets | period | confirmed | note |\n");
    page.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for metric in &namespace.metrics {
        row(page, metric);
    }
}

fn row(page: &mut String, metric: &Metric) {
    let statistics = metric.statistics.iter();
    let statistics: Vec<String> = statistics
        .map(|one| bold(&one.to_string(), metric.default_statistics.contains(one)))
        .collect();
    let is_asked = !metric.default_statistics.is_empty();
    let sets: Vec<String> = metric
        .sets
        .iter()
        .map(|set| bold(set, is_asked && metric.default_sets.contains(set)))
        .collect();
    let confirmed = match (metric.confirmed, metric.unit_confirmed) {
        (true, true) => "yes",
        (true, false) => "not the unit",
        (false, _) => "no",
    };
    _ = writeln!(
        page,
        "| `{}` | {} | {} | {} | {} | {confirmed} | {} |",
        metric.name,
        metric.unit,
        statistics.join(", "),
        sets.join(", "),
        span(metric.period),
        metric.note.as_deref().unwrap_or_default(),
    );
}

fn bold(text: &str, is_bold: bool) -> String {
    match is_bold {
        true => format!("**{text}**"),
        false => text.to_owned(),
    }
}

/// A number of seconds, in the largest unit that divides it; a day is said in hours unless it is one.
fn span(seconds: u32) -> String {
    match seconds {
        86_400 => "1 day".to_owned(),
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
