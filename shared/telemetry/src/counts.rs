//! What was read and what was not, with reasons: nothing is skipped uncounted.

use std::fmt;

use crate::flow::layout::LayoutError;

/// Why a row is not a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowErrorKind {
    /// The row has another number of columns than its layout.
    ColumnCount {
        /// Columns of the layout.
        expected: usize,
        /// Columns of the row.
        found: usize,
    },
    /// A column's text is not of its field's type.
    Value {
        /// The column.
        column: String,
        /// What the field holds: an integer in its range, a time, an address.
        expected: &'static str,
    },
    /// No header stands before the row, no format is configured, and it fits no default format.
    NoLayout,
    /// The row is a header that makes no layout, or stands behind one.
    Header(LayoutError),
    /// The row is longer than the reader holds.
    TooLong {
        /// The most bytes a row may have.
        limit: usize,
    },
    /// The row is not UTF-8.
    NotUtf8,
    /// The row is not a JSON object.
    NotJson {
        /// What the JSON parser found.
        detail: String,
    },
    /// A firewall record lacks a member or has another type in it.
    Member {
        /// The member's path.
        path: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl RowErrorKind {
    /// Every label, in the order they are reported.
    pub const LABELS: &'static [&'static str] = &[
        "column_count",
        "value",
        "no_layout",
        "header",
        "too_long",
        "not_utf8",
        "not_json",
        "member",
    ];

    fn ordinal(&self) -> usize {
        match self {
            RowErrorKind::ColumnCount { .. } => 0,
            RowErrorKind::Value { .. } => 1,
            RowErrorKind::NoLayout => 2,
            RowErrorKind::Header(_) => 3,
            RowErrorKind::TooLong { .. } => 4,
            RowErrorKind::NotUtf8 => 5,
            RowErrorKind::NotJson { .. } => 6,
            RowErrorKind::Member { .. } => 7,
        }
    }

    /// A short, stable name for counters and log fields.
    pub fn label(&self) -> &'static str {
        Self::LABELS.get(self.ordinal()).copied().unwrap_or("other")
    }
}

impl fmt::Display for RowErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowErrorKind::ColumnCount { expected, found } => {
                write!(f, "{found} columns where the layout has {expected}")
            }
            RowErrorKind::Value { column, expected } => {
                write!(f, "column {column} is not {expected}")
            }
            RowErrorKind::NoLayout => {
                f.write_str("no header line stands before the row and it fits no default format")
            }
            RowErrorKind::Header(reason) => write!(f, "the header line cannot be used: {reason}"),
            RowErrorKind::TooLong { limit } => write!(f, "the row is longer than {limit} bytes"),
            RowErrorKind::NotUtf8 => f.write_str("the row is not UTF-8"),
            RowErrorKind::NotJson { detail } => write!(f, "the row is not a JSON object: {detail}"),
            RowErrorKind::Member { path, expected } => write!(f, "{path} is not {expected}"),
        }
    }
}

/// A row that is not a record: where and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct RowError {
    /// The line of the text, or the row of the Parquet file, counted from 1.
    pub line: u64,
    /// The reason.
    pub kind: RowErrorKind,
}

/// How many row errors are kept as examples; the rest are only counted.
pub const EXAMPLES: usize = 5;

/// What became of the rows of one object.
///
/// `rows == records + no_data + skip_data + malformed()` always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows read: lines that are neither blank nor a header, JSON objects, Parquet rows.
    pub rows: u64,
    /// Rows that became records.
    pub records: u64,
    /// Rows that say the interface had no traffic, and hold none.
    pub no_data: u64,
    /// Rows that say AWS lost records in the window, and hold none.
    pub skip_data: u64,
    /// Header lines.
    pub headers: u64,
    /// Bytes as they came.
    pub bytes_in: u64,
    /// Bytes after decompression.
    pub bytes_decoded: u64,
    /// The newest end of a flow, or time of a firewall event, in Unix seconds.
    pub newest: Option<u64>,
    /// Names of columns that are no known field.
    pub unknown_columns: Vec<String>,
    /// The first few row errors.
    pub examples: Vec<RowError>,
    by_reason: [u64; RowErrorKind::LABELS.len()],
}

/// The most unknown column names that are remembered.
const MAX_UNKNOWN: usize = 256;

impl Counts {
    /// Rows that could not be read, by reason, in a fixed order, zeros left out.
    pub fn malformed_by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RowErrorKind::LABELS
            .iter()
            .copied()
            .zip(self.by_reason)
            .filter(|(_, count)| *count > 0)
    }

    /// Rows that could not be read.
    pub fn malformed(&self) -> u64 {
        self.by_reason.iter().sum()
    }

    /// Adds another object's counts; the examples of the first are kept.
    pub fn add(&mut self, other: &Counts) {
        self.rows += other.rows;
        self.records += other.records;
        self.no_data += other.no_data;
        self.skip_data += other.skip_data;
        self.headers += other.headers;
        self.bytes_in += other.bytes_in;
        self.bytes_decoded += other.bytes_decoded;
        self.newest = self.newest.max(other.newest);
        for name in &other.unknown_columns {
            self.unknown(name);
        }
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples
            .extend(other.examples.iter().take(room).cloned());
        for (mine, theirs) in self.by_reason.iter_mut().zip(other.by_reason) {
            *mine += theirs;
        }
    }

    pub(crate) fn malformed_row(&mut self, error: &RowError) {
        self.rows += 1;
        if let Some(count) = self.by_reason.get_mut(error.kind.ordinal()) {
            *count += 1;
        }
        if self.examples.len() < EXAMPLES {
            self.examples.push(error.clone());
        }
    }

    pub(crate) fn unknown(&mut self, name: &str) {
        if self.unknown_columns.len() < MAX_UNKNOWN
            && !self.unknown_columns.iter().any(|n| n == name)
        {
            self.unknown_columns.push(name.to_owned());
        }
    }
}

/// A number with its thousands apart: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [grouped(0), grouped(999), grouped(1000), grouped(1_234_567)]
                .map(|s| s)
                .each_ref()
                .map(String::as_str)
        );
    }
}
