//! Findings for people, and for programs.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use telemetry::diagnosis::{Check, Finding, FlowLogOrder, Observations, Severity};
use telemetry::snapshot::GLOBAL;

use super::flow_logs::{self, Created};
use crate::summary::grouped;

/// Places of one finding that are written out.
const PLACES: usize = 8;

/// Fixes of one finding that are written out.
const FIXES: usize = 2;

fn counts(findings: &[Finding]) -> [(Severity, usize); 4] {
    Severity::ALL.map(|severity| {
        let of = findings.iter().filter(|found| found.severity() == severity);
        (severity, of.count())
    })
}

fn regions(seen: &Observations) -> impl Iterator<Item = (&str, Vec<&str>)> {
    seen.accounts.iter().map(|account| {
        let units = account.units.iter().map(|unit| unit.region.as_str());
        let regions = units.filter(|region| *region != GLOBAL).collect();
        (account.account.as_str(), regions)
    })
}

/// The whole report as one document.
pub fn document(
    seen: &Observations,
    findings: &[Finding],
    orders: &[FlowLogOrder],
    done: &[Created],
) -> Value {
    let counts = counts(findings);
    let counts = counts.map(|(severity, count)| (severity.label().to_owned(), json!(count)));
    let accounts: Vec<Value> = regions(seen)
        .map(|(account, regions)| json!({"account": account, "regions": regions}))
        .collect();
    let orders: Vec<Value> = orders
        .iter()
        .enumerate()
        .map(|(at, order)| flow_logs::to_json(order, done.get(at)))
        .collect();
    json!({
        "time": seen.now.to_string(),
        "identity": seen.identity.as_ref().ok().map(|identity| &identity.arn),
        "accounts": accounts,
        "buckets": seen.buckets.iter().map(|at| &at.bucket).collect::<Vec<_>>(),
        "counts": Map::from_iter(counts),
        "findings": findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
        "missing_flow_logs": orders,
    })
}

/// The report for people: what is wrong first, findings of one kind together. `all` shows what is right as well.
pub fn text(seen: &Observations, findings: &[Finding], all: bool) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let mut line = |line: String| _ = writeln!(text, "{line}");
    if let Ok(identity) = &seen.identity {
        line(format!("asked by {}", identity.arn));
    }
    let units: usize = regions(seen).map(|(_, regions)| regions.len()).sum();
    line(format!(
        "asked    {}, {}, {}",
        number(seen.accounts.len(), "account"),
        number(units, "region"),
        number(seen.buckets.len(), "log bucket")
    ));
    let mut checks: Vec<Check> = findings.iter().map(|found| found.check).collect();
    checks.dedup();
    for check in checks {
        let info = check.info();
        if info.severity == Severity::Ok && !all {
            continue;
        }
        let found: Vec<&Finding> = findings.iter().filter(|f| f.check == check).collect();
        line(format!("\n{} {}: {}", info.severity, info.code, info.title));
        for finding in found.iter().take(PLACES) {
            let (place, what) = (finding.place(), &finding.what);
            let said = match what.as_str() == info.title {
                true => place,
                false if place.is_empty() => what.clone(),
                false => format!("{place}: {what}"),
            };
            if !said.is_empty() {
                line(format!("  {said}"));
            }
        }
        if let Some(more) = found.len().checked_sub(PLACES).filter(|more| *more > 0) {
            line(format!("  and {} more", grouped(more as u64)));
        }
        if info.severity == Severity::Ok {
            continue;
        }
        line(format!("  why: {}", info.why));
        let mut fixes: Vec<String> = Vec::new();
        for fix in found.iter().map(|finding| finding.fix()) {
            if !fix.is_empty() && !fixes.contains(&fix) {
                fixes.push(fix);
            }
        }
        for fix in fixes.iter().take(FIXES) {
            line(format!("  fix: {}", fix.replace('\n', "\n       ")));
        }
        if let Some(more) = fixes.len().checked_sub(FIXES).filter(|more| *more > 0) {
            line(format!(
                "  and {} more of the kind; --json has them",
                grouped(more as u64)
            ));
        }
    }
    let [errors, warnings, infos, right] = counts(findings).map(|(_, count)| count);
    line(format!(
        "\n{}, {}, {}; {} as it should be",
        number(errors, "error"),
        number(warnings, "warning"),
        number(infos, "remark"),
        number(right, "thing")
    ));
    text
}

/// A number of things: `1 account`, `2 accounts`.
fn number(count: usize, of: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {of}{plural}", grouped(count as u64))
}
