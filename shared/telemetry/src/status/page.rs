//! The page: a status as one HTML document that loads nothing.
//!
//! Everything that comes from outside is escaped, and a policy in the page itself forbids scripts other than its
//! own and everything that would be loaded. The script shows a remark when the page is so old that runs must have
//! stopped; without it the page says its time all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use jiff::Timestamp;

use super::issues::{minute, span};
use super::{
    Covered, Entry, Export, Facts, Inventoried, Issue, Key, Logged, Measured, Network, RunState,
    Severity, Status,
};
use crate::counts::grouped;

/// The most rows of a table: of those that are left out, only those that are fine are.
pub const MAX_ROWS: usize = 2000;

/// The places of an issue that are shown at once.
const FIRST_PLACES: usize = 5;

/// The places of an issue that are shown at all.
const MAX_PLACES: usize = 100;

/// The most issues that are shown.
const MAX_ISSUES: usize = 200;

const STYLE: &str = include_str!("page.css");

const SCRIPT: &str = include_str!("page.js");

/// The SHA-256 of the script (`script-src`, *Content Security Policy Level 3*).
const SCRIPT_HASH: &str = "sha256-tQ5FB7mPd5hMYSwY2j5/U6UHnadUQvxsuzmgmavYYe8=";

/// What becomes of a state on the page: its class, a sign beside the word, so that nobody needs the color, and
/// the word.
#[derive(Clone, Copy)]
struct Tag(&'static str, &'static str, &'static str);

const STALE: Tag = Tag("bad", "○", "stale");

impl Tag {
    const fn of_state(state: RunState) -> Tag {
        match state {
            RunState::Complete => Tag("good", "✓", state.label()),
            RunState::Idle => Tag("idle", "–", state.label()),
            RunState::Deferred => Tag("warn", "…", state.label()),
            RunState::Partial => Tag("warn", "!", state.label()),
            RunState::Failed => Tag("bad", "✕", state.label()),
        }
    }

    const fn of_severity(severity: Severity) -> Tag {
        match severity {
            Severity::Failing => Tag("bad", "✕", severity.label()),
            Severity::Warning => Tag("warn", "!", severity.label()),
            Severity::Note => Tag("idle", "i", severity.label()),
        }
    }
}

/// A document in the making.
#[derive(Default)]
struct Html(String);

impl Html {
    /// Markup of this program.
    fn raw(&mut self, markup: &str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Text from anywhere.
    fn text(&mut self, text: impl Display) -> &mut Html {
        for character in text.to_string().chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Control characters are none of HTML's; those that turn the direction of text deceive.
                c if c.is_control() => self.0.push(' '),
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
                c => self.0.push(c),
            }
        }
        self
    }

    /// Text in an element without attributes.
    fn element(&mut self, name: &str, text: impl Display) -> &mut Html {
        self.raw("<").raw(name).raw(">").text(text);
        self.raw("</").raw(name).raw(">")
    }

    /// Words of this program, in which `code` stands between backquotes.
    fn prose(&mut self, words: &str) -> &mut Html {
        for (at, part) in words.split('`').enumerate() {
            match at % 2 {
                0 => self.text(part),
                _ => self.element("code", part),
            };
        }
        self
    }

    fn tag(&mut self, Tag(class, sign, word): Tag) -> &mut Html {
        self.raw("<span class=\"tag ").raw(class);
        self.raw("\"><i aria-hidden=\"true\">")
            .raw(sign)
            .raw("</i>");
        self.raw(word).raw("</span>")
    }

    fn time(&mut self, time: Option<Timestamp>) -> &mut Html {
        match time {
            None => self.raw("never"),
            Some(time) => {
                self.raw("<time datetime=\"").text(time).raw("\">");
                self.text(minute(time)).raw("</time>")
            }
        }
    }

    /// The beginning of a table: its caption, and the names and classes of its columns.
    fn table(&mut self, caption: &str, columns: &[(&str, &str)]) -> &mut Html {
        self.raw("<table><caption>").text(caption);
        self.raw("</caption><thead><tr>");
        for (name, class) in columns {
            self.raw("<th scope=\"col\" class=\"").raw(class);
            self.raw("\">").raw(name).raw("</th>");
        }
        self.raw("</tr></thead><tbody>\n")
    }

    /// The beginning of a cell, with the name of its column for narrow screens.
    fn cell(&mut self, (name, class): (&str, &str)) -> &mut Html {
        self.raw("<td data-of=\"").raw(name);
        self.raw("\" class=\"").raw(class).raw("\"><div>")
    }

    fn end_cell(&mut self) -> &mut Html {
        self.raw("</div></td>")
    }
}

/// The page of a status, as of a time.
pub fn page(status: &Status, now: Timestamp) -> String {
    let mut html = Html::default();
    let issues = status.issues(now);
    head(&mut html, status, &issues);
    html.raw("<main>\n");
    sums(&mut html, status);
    issues_section(&mut html, &issues);
    exports_section(&mut html, status, now);
    places_section(&mut html, status);
    devices_section(&mut html, status);
    html.raw("</main>\n<footer><p>Made by the metadata collector of Cloud Export after each run. <span class=\"mono\">status.json</span> beside this page holds the same; <span class=\"mono\">cloud-export status</span> prints it.</p></footer>\n<script>");
    html.raw(SCRIPT).raw("</script>\n</body>\n</html>\n");
    html.0
}

fn head(html: &mut Html, status: &Status, issues: &[Issue]) {
    html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; script-src '");
    html.raw(SCRIPT_HASH).raw("'\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" href=\"data:,\">\n<title>Cloud Export status</title>\n<style>\n");
    html.raw(STYLE).raw("</style>\n</head>\n<body>\n<header>\n");
    html.raw("<h1>Cloud Export <span>status</span></h1>\n<p>");
    let count = |severity| issues.iter().filter(|i| i.severity() == severity).count();
    let tag = match (count(Severity::Failing), count(Severity::Warning)) {
        (0, 0) => Tag("good", "✓", "nothing is wrong"),
        (0, _) => Tag("warn", "!", "something is missing"),
        _ => Tag("bad", "✕", "something fails"),
    };
    html.tag(tag).raw(" <span class=\"soft\">as of ");
    html.time(status.as_of()).raw("</span></p>\n");
    let due = status.exports.keys().filter_map(|e| status.due(*e)).min();
    if let Some(due) = due {
        html.raw("<p id=\"old\" class=\"old\" role=\"alert\" hidden data-after=\"");
        html.text(due.as_second());
        html.raw("\">This page is old: no run wrote it when one was due. Check that the schedule is enabled, and look for errors in the log of the collector.</p>\n");
    }
    html.raw("</header>\n");
}

fn sums(html: &mut Html, status: &Status) {
    let accounts: BTreeSet<&str> = status
        .entries
        .keys()
        .map(|key| key.account.as_str())
        .collect();
    let places = status.entries.keys();
    let places: BTreeSet<_> = places.map(|key| (&key.account, &key.region)).collect();
    let (mut vpcs, mut interfaces) = (Covered::default(), Covered::default());
    for (_, facts) in status.logged() {
        vpcs.add(&facts.vpcs);
        interfaces.add(&facts.interfaces);
    }
    let rows: u64 = status.inventoried().map(|facts| facts.rows).sum();
    let number = |count: u64| (grouped(count), String::new());
    let share = |covered: &Covered| {
        let of = format!(" of {}", grouped(covered.of));
        (grouped(covered.logged), of)
    };
    let sums = [
        ("Accounts", number(accounts.len() as u64)),
        ("Accounts and regions", number(places.len() as u64)),
        ("VPCs with a flow log", share(&vpcs)),
        ("Interfaces with a flow log", share(&interfaces)),
        ("Resources known", number(rows)),
    ];
    html.raw("<dl class=\"sums\">\n");
    for (name, (number, of)) in sums {
        html.raw("<div>")
            .element("dt", name)
            .raw("<dd>")
            .text(number);
        html.raw("<small>").text(of).raw("</small></dd></div>\n");
    }
    html.raw("</dl>\n");
}

fn issues_section(html: &mut Html, issues: &[Issue]) {
    html.raw("<h2 id=\"issues\">Issues</h2>\n");
    if issues.is_empty() {
        html.raw("<p>None: everything that is asked for is answered.</p>\n");
        return;
    }
    html.raw("<ol class=\"issues\">\n");
    for issue in issues.iter().take(MAX_ISSUES) {
        let tag = Tag::of_severity(issue.severity());
        html.raw("<li class=\"edge-")
            .raw(tag.0)
            .raw("\"><div>")
            .tag(tag);
        html.raw("<p class=\"soft\">").text(issue.export.title());
        match issue.places.len() {
            0 | 1 => {}
            places => _ = html.text(format_args!(", {} places", grouped(places as u64))),
        }
        html.raw("</p></div><div>").element("h3", &issue.what);
        places(html, issue);
        html.raw("<p><strong>What to do:</strong> ");
        html.prose(issue.kind.todo()).raw("</p></div></li>\n");
    }
    html.raw("</ol>\n");
    if let Some(more) = issues
        .len()
        .checked_sub(MAX_ISSUES)
        .filter(|more| *more > 0)
    {
        html.raw("<p class=\"soft\">And ")
            .text(grouped(more as u64));
        html.raw(" more, which <span class=\"mono\">cloud-export status</span> lists.</p>\n");
    }
}

fn places(html: &mut Html, issue: &Issue) {
    let list = |html: &mut Html, places: &[String]| {
        html.raw("<ul>");
        for place in places {
            html.element("li", place);
        }
        html.raw("</ul>");
    };
    let (first, rest) = issue.places.split_at(FIRST_PLACES.min(issue.places.len()));
    if !first.is_empty() {
        list(html, first);
    }
    if !rest.is_empty() {
        html.raw("<details><summary>")
            .text(grouped(rest.len() as u64));
        html.raw(" more</summary>");
        let shown = rest.get(..MAX_PLACES).unwrap_or(rest);
        list(html, shown);
        if shown.len() < rest.len() {
            html.raw("<p class=\"soft\">and more, which <span class=\"mono\">cloud-export status --json</span> lists.</p>");
        }
        html.raw("</details>");
    }
}

fn exports_section(html: &mut Html, status: &Status, now: Timestamp) {
    const COLUMNS: [(&str, &str); 5] = [
        ("Export", ""),
        ("Run", ""),
        ("Accounts and regions", ""),
        ("Last run", ""),
        ("Last without a gap", ""),
    ];
    html.raw("<h2 id=\"exports\">Exports</h2>\n");
    html.table("What is exported, and how its last run went", &COLUMNS);
    let [_, run, places, last, success] = COLUMNS;
    for export in Export::ALL {
        let of_export = status
            .entries
            .iter()
            .filter(|(key, _)| key.export == *export);
        let entries: Vec<(&Key, &Entry)> = of_export.collect();
        let course = status.exports.get(export);
        if course.is_none() && entries.is_empty() {
            continue;
        }
        html.raw("<tr><th scope=\"row\">").text(export.title());
        if *export == Export::FlowLogs {
            html.raw("<small>as AWS tells of them; that records arrive, the forwarder's metrics tell</small>");
        }
        html.raw("</th>").cell(run);
        match course {
            _ if status.is_silent(export.told_by(), now) => _ = html.tag(STALE),
            Some(course) => _ = html.tag(Tag::of_state(course.latest.state)),
            None => _ = html.raw("<span class=\"soft\">with metadata</span>"),
        }
        html.end_cell().cell(places);
        let mut states: BTreeMap<RunState, u64> = BTreeMap::new();
        let mut stale = 0;
        for (key, entry) in &entries {
            match status.is_stale(key) {
                true => stale += 1,
                false => *states.entry(entry.latest.state).or_default() += 1,
            }
        }
        let states = states.into_iter().rev();
        let states = states.map(|(state, count)| (Tag::of_state(state), count));
        for (Tag(class, sign, word), count) in states.chain([(STALE, stale)]) {
            if count > 0 {
                html.raw("<span class=\"tag ").raw(class);
                html.raw("\"><i aria-hidden=\"true\">")
                    .raw(sign)
                    .raw("</i>");
                html.text(grouped(count)).raw(" ").raw(word).raw("</span> ");
            }
        }
        let newest = entries.iter().map(|(_, entry)| entry.latest.at);
        let newest = newest.chain(course.map(|course| course.latest.at)).max();
        let whole = entries
            .iter()
            .filter_map(|(_, entry)| entry.last_success)
            .max();
        html.end_cell().cell(last).time(newest).end_cell();
        html.cell(success).time(whole).end_cell().raw("</tr>\n");
    }
    html.raw("</tbody></table>\n");
}

/// What an account and region has on the page.
type Row<'s> = BTreeMap<Export, (&'s Key, &'s Entry)>;

fn places_section(html: &mut Html, status: &Status) {
    const COLUMNS: [(&str, &str); 6] = [
        ("Account", ""),
        ("Region", "place"),
        ("Metadata", ""),
        ("Flow logs", ""),
        ("Metrics", ""),
        ("Last run", ""),
    ];
    let mut rows: BTreeMap<(&str, &str), Row<'_>> = BTreeMap::new();
    for (key, entry) in &status.entries {
        let row = rows.entry((&key.account, &key.region)).or_default();
        row.insert(key.export, (key, entry));
    }
    let all = rows.len();
    if all > MAX_ROWS {
        let is_fine = |row: &Row<'_>| {
            row.values()
                .all(|(key, entry)| entry.latest.state.is_success() && !status.is_stale(key))
        };
        let mut trouble: Vec<_> = rows.into_iter().collect();
        trouble.sort_by_cached_key(|(place, row)| (is_fine(row), *place));
        trouble.truncate(MAX_ROWS);
        rows = trouble.into_iter().collect();
    }
    html.raw("<h2 id=\"accounts\">Accounts and regions</h2>\n");
    let caption = match all - rows.len() {
        0 => "What became of each export in each account and region".to_owned(),
        left => format!(
            "{} of {} accounts and regions, those with issues first of all; {} are left out here, and in status.json",
            grouped(rows.len() as u64),
            grouped(all as u64),
            grouped(left as u64)
        ),
    };
    html.table(&caption, &COLUMNS);
    let [_, region_column, metadata, flow_logs, metrics, last] = COLUMNS;
    for ((account, region), row) in &rows {
        html.raw("<tr><th scope=\"row\">");
        match status.name_of(account) {
            Some(name) => {
                _ = html
                    .text(name)
                    .raw("<small class=\"mono place\">")
                    .text(account)
                    .raw("</small>")
            }
            None => {
                _ = html
                    .raw("<span class=\"mono place\">")
                    .text(account)
                    .raw("</span>")
            }
        }
        html.raw("</th>")
            .cell(region_column)
            .text(region)
            .end_cell();
        for (export, column) in [
            (Export::Metadata, metadata),
            (Export::FlowLogs, flow_logs),
            (Export::Metrics, metrics),
        ] {
            html.cell(column);
            match row.get(&export) {
                Some((key, entry)) => of_entry(html, status, key, entry),
                None => _ = html.raw("<span class=\"soft\">–</span>"),
            }
            html.end_cell();
        }
        let newest = row.values().map(|(_, entry)| entry.latest.at).max();
        html.cell(last).time(newest).end_cell().raw("</tr>\n");
    }
    html.raw("</tbody></table>\n");
}

fn of_entry(html: &mut Html, status: &Status, key: &Key, entry: &Entry) {
    match status.is_stale(key) {
        true => html.tag(STALE),
        false => html.tag(Tag::of_state(entry.latest.state)),
    };
    let said = entry.facts().map(|facts| match facts {
        Facts::Metadata(facts) => of_metadata(facts),
        Facts::Metrics(facts) => of_metrics(facts),
        Facts::FlowLogs(facts) => of_flow_logs(facts),
    });
    if let Some(said) = said {
        html.element("small", said);
    }
    if !entry.latest.state.is_success() && key.export != Export::FlowLogs {
        html.raw("<small>last without a gap: ")
            .time(entry.last_success)
            .raw("</small>");
    }
}

fn of_metadata(facts: &Inventoried) -> String {
    let all: u64 = facts.calls.values().sum();
    let answered = ["ok", "empty"]
        .iter()
        .filter_map(|state| facts.calls.get(*state));
    let answered: u64 = answered.sum();
    format!("{} rows, {answered} of {all} calls", grouped(facts.rows))
}

fn of_metrics(facts: &Measured) -> String {
    let mut said = format!(
        "{} behind, {} datapoints of {} metrics",
        span(facts.lag_seconds),
        grouped(facts.datapoints),
        grouped(facts.requested)
    );
    for (count, word) in [(facts.owed, "owed"), (facts.left_out, "left out")] {
        if count > 0 {
            said.push_str(&format!(", {} {word}", grouped(count)));
        }
    }
    said
}

fn of_flow_logs(facts: &Logged) -> String {
    let Covered { of, logged } = &facts.vpcs;
    match *of {
        0 => "no VPCs".to_owned(),
        _ => format!(
            "{} of {} VPCs, {} of {} interfaces",
            grouped(*logged),
            grouped(*of),
            grouped(facts.interfaces.logged),
            grouped(facts.interfaces.of)
        ),
    }
}

fn devices_section(html: &mut Html, status: &Status) {
    html.raw("<h2 id=\"devices\">Devices</h2>\n");
    let kinds = status.devices();
    if kinds.is_empty() {
        html.raw("<p>None are known.</p>\n");
        return;
    }
    html.raw("<ul class=\"kinds\">\n");
    for (label, count) in kinds {
        html.raw("<li><span>").text(label.replace('-', " "));
        html.raw("</span> <b>")
            .text(grouped(count))
            .raw("</b></li>\n");
    }
    html.raw("</ul>\n");
    vpcs(html, status);
}

fn vpcs(html: &mut Html, status: &Status) {
    const COLUMNS: [(&str, &str); 6] = [
        ("VPC", ""),
        ("Account", ""),
        ("Region", "place"),
        ("Blocks", "mono"),
        ("Flow log to S3", ""),
        ("Interfaces", "number"),
    ];
    let networks = status
        .logged()
        .flat_map(|(key, facts)| facts.networks.iter().map(move |network| (key, network)));
    let mut networks: Vec<(&Key, &Network)> = networks.collect();
    let unlisted: u64 = status.logged().map(|(_, facts)| facts.more_networks).sum();
    let left = networks.len().saturating_sub(MAX_ROWS) as u64 + unlisted;
    networks.sort_by_key(|(key, network)| {
        let grade = (!network.is_lacking(), network.flow_found);
        (grade, &key.account, &key.region, &network.vpc)
    });
    networks.truncate(MAX_ROWS);
    if networks.is_empty() {
        return;
    }
    let caption = match left {
        0 => "VPCs, those whose traffic is not logged first".to_owned(),
        left => format!(
            "VPCs, those whose traffic is not logged first; {} more are left out here, and `cloud-export inventory --kind vpc` lists them",
            grouped(left)
        ),
    };
    html.table(&caption, &COLUMNS);
    let [_, account, region, blocks, flow_log, interfaces] = COLUMNS;
    for (key, network) in networks {
        html.raw("<tr><th scope=\"row\">");
        match &network.name {
            Some(name) => {
                _ = html
                    .text(name)
                    .raw("<small class=\"mono place\">")
                    .text(&network.vpc)
                    .raw("</small>")
            }
            None => {
                _ = html
                    .raw("<span class=\"mono place\">")
                    .text(&network.vpc)
                    .raw("</span>")
            }
        }
        html.raw("</th>").cell(account);
        html.text(status.name_of(&key.account).unwrap_or(&key.account));
        html.end_cell().cell(region).text(&key.region).end_cell();
        html.cell(blocks).text(network.cidrs.join(", ")).end_cell();
        let tag = match (network.is_lacking(), network.flow_found) {
            (false, true) => Tag("good", "✓", "yes"),
            (true, true) => Tag("warn", "!", "in part"),
            (true, false) => Tag("warn", "✕", "no"),
            // Nothing in it sends anything.
            (false, false) => Tag("idle", "–", "no, and no interfaces"),
        };
        html.cell(flow_log).tag(tag).end_cell().cell(interfaces);
        html.text(grouped(network.interfaces.of)).end_cell();
        html.raw("</tr>\n");
    }
    html.raw("</tbody></table>\n");
}
