//! The table at the end of a run.

use std::fmt::Write;
use std::time::Duration;

use flow_forwarder::sides::SideCounts;
use telemetry::Counts;
pub use telemetry::counts::grouped;
use telemetry::selection::SelectionCounts;

/// What a run did.
#[derive(Debug, Default)]
pub struct Summary {
    /// What one unit of work is called: `objects` or `files`.
    pub unit: &'static str,
    /// Units done.
    pub done: u64,
    /// Units that failed: their name, and why.
    pub failed: Vec<(String, String)>,
    /// What was read.
    pub counts: Counts,
    /// What became of the sides of records; `None` when they are not enriched.
    pub sides: Option<SideCounts>,
    /// Which records were kept; `None` when all are.
    pub selection: Option<SelectionCounts>,
    /// Bytes of records written.
    pub bytes_out: u64,
    /// What the logs' formats lack, each once.
    pub shortfalls: Vec<String>,
    /// Other remarks.
    pub remarks: Vec<String>,
}

impl Summary {
    /// Notes what a log's format lacks, once.
    pub fn shortfall(&mut self, text: &str) {
        if !self.shortfalls.iter().any(|known| known == text) {
            self.shortfalls.push(text.to_owned());
        }
    }

    /// The table. `elapsed` is the time the work took, `peak` the most memory it held in bytes, as
    /// far as that is known.
    pub fn table(&self, elapsed: Duration, peak: Option<u64>) -> String {
        let counts = &self.counts;
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        row(self.unit, grouped(self.done));
        if !self.failed.is_empty() {
            row(
                &format!("{} failed", self.unit),
                grouped(self.failed.len() as u64),
            );
        }
        row("rows read", grouped(counts.rows));
        row("records", grouped(counts.records));
        row("NODATA rows", grouped(counts.no_data));
        row("SKIPDATA rows", grouped(counts.skip_data));
        row("malformed rows", grouped(counts.malformed()));
        for (reason, count) in counts.malformed_by_reason() {
            row(&format!("  {}", reason.replace('_', " ")), grouped(count));
        }
        row("header lines", grouped(counts.headers));
        if let Some(selection) = &self.selection {
            row("records selected", grouped(selection.kept));
            for (rule, count) in selection.dropped_by_rule() {
                row(&format!("left out by rule {}", rule + 1), grouped(count));
            }
        }
        if let Some(sides) = &self.sides {
            row("sides found", grouped(sides.hits()));
            row("sides stale", grouped(sides.stale()));
            row("sides not found", grouped(sides.misses()));
            for (reason, count) in sides.misses_by_reason() {
                row(&format!("  {}", reason.replace('-', " ")), grouped(count));
            }
        }
        row("bytes in", grouped(counts.bytes_in));
        row("bytes decoded", grouped(counts.bytes_decoded));
        row("bytes out", grouped(self.bytes_out));
        let seconds = elapsed.as_secs_f64().max(1e-6);
        let rate = |amount: u64| amount as f64 / seconds;
        row("time", format!("{seconds:.3} s"));
        row(
            "throughput",
            format!(
                "{} rows/s, {:.1} MB/s decoded",
                grouped(rate(counts.rows) as u64),
                rate(counts.bytes_decoded) / 1e6
            ),
        );
        if let Some(peak) = peak {
            row(
                "peak memory",
                format!("{:.1} MiB", peak as f64 / f64::from(1 << 20)),
            );
        }
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        // Writing to a string does not fail.
        let mut line = |line: String| _ = writeln!(text, "{line}");
        for (name, value) in &rows {
            line(format!("{name:width$}  {value}"));
        }
        for example in &counts.examples {
            line(format!("skipped: {example}"));
        }
        if !counts.unknown_columns.is_empty() {
            line(format!(
                "unknown columns, kept by name: {}",
                counts.unknown_columns.join(" ")
            ));
        }
        for limited in self.selection.iter().flat_map(SelectionCounts::limited) {
            let minute = jiff::Timestamp::from_second(limited.minute as i64).unwrap_or_default();
            let of = limited
                .device
                .as_deref()
                .map_or(String::new(), |device| format!(" of {device}"));
            line(format!(
                "limited by rule {}: 1/{}{of} in the minute of {minute}, {} records left out",
                limited.rule + 1,
                limited.rate,
                grouped(limited.left_out)
            ));
        }
        for remark in self.shortfalls.iter().chain(&self.remarks) {
            line(format!("note: {remark}"));
        }
        for (name, reason) in &self.failed {
            line(format!("failed: {name}: {reason}"));
        }
        text
    }
}

/// Writes a line to standard output. Who reads it may have read enough: that is no failure.
pub fn say(line: &str) {
    let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{line}\n"));
}

/// The most memory this process held, in bytes; Linux only.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Rows below a header, in columns as wide as their widest cell.
pub fn text_table(header: &[&str], rows: &[&[String]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(header.get(column).map_or(0, |name| name.chars().count()))
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut text = line(&mut header.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}
