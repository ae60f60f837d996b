//! One object of logs, whatever its format: opened by content, read record by record.

use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;

use crate::counts::{Counts, RowError, RowErrorKind};
use crate::decode::{self, Content, DecodeLimits, Decoded, ReadError};
use crate::firewall::{FirewallReader, FirewallRecord};
use crate::flow::layout::Layout;
use crate::flow::parquet::ParquetReader;
use crate::flow::record::FlowRecord;
use crate::flow::text::{Step, TextReader};

/// How objects are read.
#[derive(Debug, Clone)]
pub struct ReadOptions {
    /// Bounds on decoding.
    pub limits: DecodeLimits,
    /// The layout of text rows that no header line describes; AWS's default formats are
    /// recognised without it.
    pub layout: Option<Arc<Layout>>,
}

impl ReadOptions {
    /// The decoded size an object may have unless something else is said: 4 GiB, six times the
    /// text of the largest file AWS delivers (75 MB compressed).
    pub const DEFAULT_MAX_DECODED_BYTES: u64 = 4 << 30;

    /// Options with the default bounds.
    ///
    /// `spool` is the directory for the temporary copies of Parquet objects.
    pub fn new(spool: PathBuf) -> ReadOptions {
        ReadOptions {
            limits: DecodeLimits {
                max_decoded_bytes: Self::DEFAULT_MAX_DECODED_BYTES,
                spool,
            },
            layout: None,
        }
    }
}

/// One record of a log.
#[derive(Debug, Clone, Copy)]
pub enum Record<'r> {
    /// A flow of a VPC or Transit Gateway flow log.
    Flow(FlowRecord<'r>),
    /// An entry of a Network Firewall log.
    Firewall(&'r FirewallRecord),
}

impl Record<'_> {
    /// When it happened, Unix seconds: the start of a flow's window, or its end where no start is told, or when a
    /// firewall wrote its entry. `None` when nothing of that is told.
    #[inline]
    pub fn time(&self) -> Option<i64> {
        match self {
            Record::Flow(flow) => flow.time().and_then(|time| i64::try_from(time).ok()),
            Record::Firewall(entry) => entry.event_timestamp(),
        }
    }
}

/// One row of a log that is a record, or should have been.
#[derive(Debug, Clone, Copy)]
pub enum Row<'r> {
    /// A record.
    Record(Record<'r>),
    /// A row that could not be read. It is counted, and the next row is not affected.
    Malformed {
        /// Where and why.
        error: &'r RowError,
        /// The row as it stands in the log.
        text: &'r [u8],
    },
}

/// The format a log's content has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// VPC or Transit Gateway flow log, text.
    FlowText,
    /// VPC or Transit Gateway flow log, Parquet.
    FlowParquet,
    /// Network Firewall log, JSON.
    Firewall,
}

impl LogFormat {
    /// A short, stable name for log fields.
    pub fn label(self) -> &'static str {
        match self {
            LogFormat::FlowText => "flow-text",
            LogFormat::FlowParquet => "flow-parquet",
            LogFormat::Firewall => "firewall-json",
        }
    }
}

/// Reads one object of logs.
///
/// ```
/// use telemetry::{Field, LogReader, ReadOptions, Record, Row};
///
/// let log = b"version srcaddr bytes\n2 10.0.0.7 840\n2 10.0.0.8 -\n";
/// let options = ReadOptions::new(std::env::temp_dir());
/// let mut reader = LogReader::open(&log[..], &options)?;
/// let mut bytes = 0;
/// while let Some(row) = reader.next_row()? {
///     if let Row::Record(Record::Flow(flow)) = row {
///         bytes += flow.integer(Field::Bytes).unwrap_or(0);
///     }
/// }
/// assert_eq!((bytes, reader.counts().records), (840, 2));
/// # Ok::<(), telemetry::ReadError>(())
/// ```
pub struct LogReader<'i> {
    rows: Rows<'i>,
    counts: Counts,
}

enum Rows<'i> {
    Text(Box<TextReader<WithHead<'i>>>),
    Firewall(Box<FirewallReader<BufReader<WithHead<'i>>>>),
    Parquet(Box<ParquetReader>),
}

/// Text that was looked at, put back together. A byte-order mark is left out.
pub(crate) struct WithHead<'i> {
    head: io::Cursor<Vec<u8>>,
    rest: Decoded<'i>,
}

impl Read for WithHead<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.head.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        self.rest.read(buffer)
    }
}

/// Rows after which an object without any readable one is given up.
const GIVE_UP_AFTER: u64 = 1_000;

impl<'i> LogReader<'i> {
    /// Opens an object by its content: the compression by its first bytes, then Parquet, JSON or
    /// text. Neither its name nor its content type is asked.
    ///
    /// # Errors
    /// When the input fails, or its beginning is damaged or no log.
    pub fn open(input: impl Read + 'i, options: &ReadOptions) -> Result<LogReader<'i>, ReadError> {
        let mut counts = Counts::default();
        let rows = match decode::open(input, &options.limits)? {
            Content::Parquet(file, bytes_in) => {
                counts.bytes_in = bytes_in;
                let limit = options.limits.max_decoded_bytes;
                Rows::Parquet(Box::new(ParquetReader::open(file, limit, &mut counts)?))
            }
            Content::Text(decoded) => Self::open_text(decoded, options)?,
        };
        Ok(LogReader { rows, counts })
    }

    fn open_text(mut decoded: Decoded<'i>, options: &ReadOptions) -> Result<Rows<'i>, ReadError> {
        // Far enough to see past blank lines; firewall logs start with a brace.
        let mut head = vec![0; 512];
        let mut filled = 0;
        while filled < head.len() {
            match decoded.read(head.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(decoded.explain(error, filled as u64)),
            }
        }
        head.truncate(filled);
        if head.starts_with(b"\xef\xbb\xbf") {
            head.drain(..3);
        }
        let first = head.iter().copied().find(|b| !b.is_ascii_whitespace());
        let input = WithHead {
            head: io::Cursor::new(head),
            rest: decoded,
        };
        if first == Some(b'{') {
            let buffered = BufReader::with_capacity(256 * 1024, input);
            return Ok(Rows::Firewall(Box::new(FirewallReader::new(buffered))));
        }
        Ok(Rows::Text(Box::new(TextReader::new(
            input,
            options.layout.clone(),
        ))))
    }

    /// The next record or malformed row; `None` at the end of the object. Blank lines, headers and
    /// NODATA and SKIPDATA rows are passed over, and counted.
    ///
    /// # Errors
    /// When the input fails, turns out damaged, or holds no row that can be read. Records returned
    /// before stay valid, but the object is not done.
    #[inline]
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, ReadError> {
        let step = match &mut self.rows {
            Rows::Text(text) => text
                .step(&mut self.counts)
                .map_err(|error| (error, &text.input().rest)),
            Rows::Firewall(firewall) => {
                let step = firewall.step(&mut self.counts);
                step.map_err(|error| (error, &firewall.input().get_ref().rest))
            }
            Rows::Parquet(parquet) => Ok(parquet.step(&mut self.counts)?),
        };
        let step =
            step.map_err(|(error, decoded)| decoded.explain(error, self.counts.bytes_decoded));
        if !matches!(step, Ok(Step::Record)) {
            self.count_input();
        }
        let step = step?;
        if step != Step::Record {
            self.check_readable(step == Step::End)?;
        }
        Ok(match (step, &self.rows) {
            (Step::End, _) => None,
            (Step::Record, Rows::Text(text)) => text.record().map(|r| Row::Record(Record::Flow(r))),
            (Step::Record, Rows::Firewall(firewall)) => {
                firewall.record().map(|r| Row::Record(Record::Firewall(r)))
            }
            (Step::Record, Rows::Parquet(parquet)) => {
                Some(Row::Record(Record::Flow(parquet.record())))
            }
            (Step::Malformed, Rows::Text(text)) => Some(Row::Malformed {
                error: text.error(),
                text: text.line_text(),
            }),
            (Step::Malformed, Rows::Firewall(firewall)) => Some(Row::Malformed {
                error: firewall.error(),
                text: firewall.row_text(),
            }),
            (Step::Malformed, Rows::Parquet(parquet)) => Some(Row::Malformed {
                error: parquet.error(),
                text: parquet.row_text(),
            }),
        })
    }

    /// The layout that the last row was read by; `None` for firewall logs, and for text before any layout is known.
    pub fn layout(&self) -> Option<&Arc<Layout>> {
        match &self.rows {
            Rows::Text(text) => text.layout(),
            Rows::Firewall(_) => None,
            Rows::Parquet(parquet) => Some(parquet.layout()),
        }
    }

    fn count_input(&mut self) {
        self.counts.bytes_in = match &self.rows {
            Rows::Text(text) => text.input().rest.bytes_in(),
            Rows::Firewall(firewall) => firewall.input().get_ref().rest.bytes_in(),
            Rows::Parquet(_) => self.counts.bytes_in,
        };
    }

    /// What was read so far; `bytes_in` is brought up to date at the end.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The format of the content.
    pub fn format(&self) -> LogFormat {
        match &self.rows {
            Rows::Text(_) => LogFormat::FlowText,
            Rows::Firewall(_) => LogFormat::Firewall,
            Rows::Parquet(_) => LogFormat::FlowParquet,
        }
    }

    /// The layouts of a flow log so far, in the order they were met.
    pub fn layouts(&self) -> &[Arc<Layout>] {
        match &self.rows {
            Rows::Text(text) => text.layouts(),
            Rows::Firewall(_) => &[],
            Rows::Parquet(parquet) => std::slice::from_ref(parquet.layout()),
        }
    }

    /// An object all of whose rows are malformed is no log of ours, and says so once.
    fn check_readable(&self, at_end: bool) -> Result<(), ReadError> {
        let counts = &self.counts;
        let hopeless = counts.rows > 0 && counts.malformed() == counts.rows;
        if !hopeless || !(at_end || counts.rows >= GIVE_UP_AFTER) {
            return Ok(());
        }
        let first = counts.examples.first();
        let refused = first.is_some_and(|error| matches!(error.kind, RowErrorKind::Header(_)));
        let first = first.map(ToString::to_string).unwrap_or_default();
        let advice = match &self.rows {
            Rows::Text(_) if refused => {
                "a header line names at most 128 columns, each of them once"
            }
            Rows::Text(_) => {
                "flow logs start with a line of field names, half of them or more known ones; for rows without one in another than AWS's default format, configure the format"
            }
            Rows::Firewall(_) => {
                "Network Firewall logs hold one JSON object a line with firewall_name and event"
            }
            Rows::Parquet(_) => "its columns have the names of a flow log but not the types",
        };
        Err(ReadError::NotALog(format!(
            "none of its first {} rows can be read ({first}); {advice}",
            counts.rows
        )))
    }
}
