//! The part that runs on a blocking thread: everything between bytes and batches.
//!
//! ```text
//! bytes ─▶ decode ─▶ read ─▶ enrich ─┬─▶ lane: encode, batch ─▶ queues of its outlets
//!                                    └─▶ lane: encode, batch ─▶ queues of its outlets
//! ```

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use delivery::parquet::RecordKind;
use delivery::{Batch, Batcher, Origin, Packing, batch};
use telemetry::counts::RowError;
use telemetry::enrichment::Enrichment;
use telemetry::log::LogFormat;
use telemetry::selection::{Decision, Selection, SelectionCounts, Selector};
use telemetry::{Counts, Layout, LogReader, ReadOptions, Record, Row, analysis};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::index::{self, Lease};
use crate::quarantine::{KeptRow, KeptRows};
use crate::sides::{SideCounter, SideCounts};

/// An object that is opened, to be read once.
pub struct Input {
    /// The object, as it was opened.
    pub origin: Origin,
    /// Its size in bytes as it is stored, as far as it is known.
    pub size: Option<u64>,
    /// Its content.
    pub reader: Box<dyn Read + Send>,
}

/// What was read of one object.
#[derive(Debug, Default)]
pub struct Reading {
    /// Its rows.
    pub counts: Counts,
    /// Its format, once known.
    pub format: Option<LogFormat>,
    /// What the log's format lacks for analysis, once for each layout that lacks something.
    pub shortfalls: Vec<String>,
    /// What became of the sides of its records; `None` when they are not enriched.
    pub sides: Option<SideCounts>,
    /// Which of its records were kept; `None` when all are.
    pub selection: Option<SelectionCounts>,
    /// Its rows that could not be read; `None` when they are not kept.
    pub rows: Option<KeptRows>,
}

/// What is done with the rows of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowOptions {
    /// Whether an attempt before may have delivered them within batches of several objects.
    pub may_be_combined: bool,
    /// Whether those that cannot be read are kept.
    pub keeps_malformed: bool,
}

/// How objects are read, and which of their records are delivered.
#[derive(Debug, Clone)]
pub struct ReadingOptions {
    /// How objects are read.
    pub read: ReadOptions,
    /// Which records are delivered.
    pub selection: Arc<Selection>,
}

/// A lane as the thread sees it: how records are packed, and where complete batches go.
pub struct LaneInput {
    /// How records are packed.
    pub packing: Arc<Packing>,
    /// The queues of the lane's outlets.
    pub queues: Vec<mpsc::Sender<Batch>>,
    /// Batches that an outlet confirmed, where their memory is used again.
    pub returned: std::sync::mpsc::Receiver<Batch>,
}

/// A lane that is being filled.
struct Filling {
    lane: LaneInput,
    batcher: Batcher,
}

impl Filling {
    fn push(
        &mut self,
        record: &Record<'_>,
        enrichment: Option<&Enrichment<'_>>,
    ) -> Result<(), Failure> {
        self.batcher.push(record, enrichment)?;
        self.send()
    }

    #[inline]
    fn send(&mut self) -> Result<(), Failure> {
        while let Some(batch) = self.batcher.complete() {
            for queue in &self.lane.queues {
                // A closed queue means that delivery failed; that failure is the one reported.
                let sent = queue.blocking_send(batch.clone());
                sent.map_err(|_| Failure::deadline())?;
            }
            drop(batch);
            if let Ok(delivered) = self.lane.returned.try_recv() {
                self.batcher.recycle(delivered);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.batcher.finish()?;
        self.send()
    }
}

/// Reads objects one after the other into the lanes. Of lanes that combine, the records of all are in the same
/// batches; of the others, each object has its own.
///
/// What was read of each object stands in `readings`, also when it ends early.
///
/// # Errors
/// The first failure; what was pushed before it may have been delivered.
pub fn read_into(
    inputs: Vec<Input>,
    lanes: Vec<LaneInput>,
    mut lease: Option<&mut Lease>,
    options: &ReadingOptions,
    rows: RowOptions,
    readings: &mut Vec<Reading>,
) -> Result<(), Failure> {
    let origins: Arc<[Origin]> = inputs.iter().map(|input| input.origin.clone()).collect();
    let mut filling: Vec<Filling> = lanes
        .into_iter()
        .map(|lane| Filling {
            batcher: Batcher::new(Arc::clone(&origins), Arc::clone(&lane.packing))
                .after_a_failure(rows.may_be_combined),
            lane,
        })
        .collect();
    let several = inputs.len() > 1;
    for input in inputs {
        if several {
            for filling in filling.iter_mut().filter(|f| !f.lane.packing.combines) {
                filling.batcher.turn_to_object(input.origin.clone());
            }
        }
        if let Some(lease) = &mut lease {
            lease.begin(index::origin(&input.origin.key));
        }
        let mut reading = Reading {
            rows: rows.keeps_malformed.then(KeptRows::default),
            ..Reading::default()
        };
        let selector = options.selection.selector();
        let lease = lease.as_deref_mut();
        let read = reading.run(input, lease, selector, &mut filling, &options.read);
        readings.push(reading);
        read?;
        if several {
            for filling in filling.iter_mut().filter(|f| !f.lane.packing.combines) {
                filling.finish()?;
            }
        }
    }
    filling.iter_mut().try_for_each(Filling::finish)
}

/// What batches of several objects have to be alike in, and how much they hold.
#[derive(Debug, Default)]
pub struct Extent {
    kind: Option<Kind>,
    records: u64,
    hours: BTreeSet<Option<i64>>,
}

/// What one file of columns can hold: records of a kind, with the same columns of their own beside the known ones.
type Kind = (RecordKind, Vec<Box<str>>);

fn kind(record: &Record<'_>) -> Kind {
    let unknown = match record {
        Record::Flow(flow) => {
            let columns = flow.layout().columns().iter();
            let unknown = columns.filter(|column| column.field.is_none());
            unknown.map(|column| column.name.clone()).collect()
        }
        Record::Firewall(_) => Vec::new(),
    };
    (RecordKind::of(record), unknown)
}

/// The most records that objects which share batches have together. It bounds memory: their batches are not cut.
const COMBINED_RECORDS: u64 = 16_384;

impl Extent {
    /// Reads an object to its end and delivers nothing. `None` when it cannot be read to its end, or is too much
    /// by itself.
    pub fn of(input: Input, options: &ReadOptions) -> Option<Extent> {
        let mut log = LogReader::open(input.reader, options).ok()?;
        let mut extent = Extent::default();
        let mut layout: Option<Arc<Layout>> = None;
        while let Some(row) = log.next_row().ok()? {
            let Row::Record(record) = row else { continue };
            let is_known = match &record {
                Record::Flow(flow) => layout
                    .as_ref()
                    .is_some_and(|known| Arc::ptr_eq(known, flow.layout())),
                Record::Firewall(_) => extent.kind.is_some(),
            };
            if !is_known {
                let kind = kind(&record);
                if extent.kind.as_ref().is_some_and(|known| *known != kind) {
                    return None;
                }
                extent.kind = Some(kind);
                if let Record::Flow(flow) = &record {
                    layout = Some(Arc::clone(flow.layout()));
                }
            }
            extent.records += 1;
            let hour = record.time().map(|time| time.div_euclid(3_600));
            if extent.records > COMBINED_RECORDS
                || extent.hours.insert(hour) && extent.hours.len() > batch::MAX_OPEN
            {
                return None;
            }
        }
        Some(extent)
    }

    /// Adds another, if both fit the same batches.
    pub fn add(&mut self, other: &Extent) -> bool {
        let hours = self
            .hours
            .union(&other.hours)
            .copied()
            .collect::<BTreeSet<_>>();
        let kinds = self.kind.as_ref().zip(other.kind.as_ref());
        let fits = kinds.is_none_or(|(one, another)| one == another)
            && self.records + other.records <= COMBINED_RECORDS
            && hours.len() <= batch::MAX_OPEN;
        if fits {
            self.kind = self.kind.take().or_else(|| other.kind.clone());
            self.records += other.records;
            self.hours = hours;
        }
        fits
    }
}

impl Reading {
    fn run(
        &mut self,
        input: Input,
        lease: Option<&mut Lease>,
        selector: Option<Selector>,
        lanes: &mut [Filling],
        options: &ReadOptions,
    ) -> Result<(), Failure> {
        let mut log = LogReader::open(input.reader, options)?;
        self.format = Some(log.format());
        let result = self.read(&mut log, lease, selector, lanes);
        self.counts = log.counts().clone();
        self.shortfalls = log
            .layouts()
            .iter()
            .filter_map(|layout| shortfall(layout))
            .collect();
        result?;
        // A download that ends early without an error of its own must not pass for a whole one.
        match input.size {
            Some(size) if size != self.counts.bytes_in => Err(Failure {
                class: telemetry::FailureClass::Retry,
                code: "Source.Incomplete".to_owned(),
                message: format!(
                    "{} of the object's {size} bytes arrived",
                    self.counts.bytes_in
                ),
            }),
            _ => Ok(()),
        }
    }

    fn read(
        &mut self,
        log: &mut LogReader<'_>,
        lease: Option<&mut Lease>,
        mut selector: Option<Selector>,
        lanes: &mut [Filling],
    ) -> Result<(), Failure> {
        let mut sides = lease.is_some().then(SideCounter::default);
        let enriching = lease.zip(sides.as_mut());
        let result = push_rows(log, enriching, selector.as_mut(), lanes, &mut self.rows);
        self.sides = sides.map(|sides| sides.counts().clone());
        self.selection = selector.map(Selector::finish);
        result
    }
}

fn push_rows(
    log: &mut LogReader<'_>,
    mut enriching: Option<(&mut Lease, &mut SideCounter)>,
    mut selector: Option<&mut Selector>,
    lanes: &mut [Filling],
    rows: &mut Option<KeptRows>,
) -> Result<(), Failure> {
    while let Some(row) = log.next_row()? {
        let record = match row {
            Row::Record(record) => record,
            Row::Malformed { error, text } => {
                let row = copy(rows, error, text);
                keep(rows, row, log);
                continue;
            }
        };
        let mut enrichment = match &mut enriching {
            None => None,
            Some((lease, sides)) => {
                let enrichment = lease.enrich(&record);
                sides.count(&enrichment);
                Some(enrichment)
            }
        };
        if let Some(selector) = &mut selector {
            match selector.decide(&record, enrichment.as_ref()) {
                Decision::Drop { .. } => continue,
                Decision::Keep { rate: 1 } => {}
                Decision::Keep { rate } => {
                    let sampled = enrichment.get_or_insert(Enrichment::sampled(rate));
                    sampled.sample_rate = rate;
                }
            }
        }
        push(lanes, &record, enrichment.as_ref())?;
    }
    Ok(())
}

/// Copies a row that cannot be read, where such rows are kept.
#[cold]
fn copy(rows: &mut Option<KeptRows>, error: &RowError, text: &[u8]) -> Option<KeptRow> {
    rows.as_mut()?.copy(error, text)
}

/// Keeps it, with the layout of the log at its place.
#[cold]
fn keep(rows: &mut Option<KeptRows>, row: Option<KeptRow>, log: &LogReader<'_>) {
    if let (Some(rows), Some(row)) = (rows, row) {
        rows.push(row, log.layout());
    }
}

#[inline]
fn push(
    lanes: &mut [Filling],
    record: &Record<'_>,
    enrichment: Option<&Enrichment<'_>>,
) -> Result<(), Failure> {
    lanes
        .iter_mut()
        .try_for_each(|lane| lane.push(record, enrichment))
}

fn shortfall(layout: &Layout) -> Option<String> {
    analysis::shortfall(layout).map(|shortfall| shortfall.to_string())
}
