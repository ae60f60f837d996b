//! One object: opened, decoded, read, encoded, delivered.
//!
//! ```text
//!  async                     blocking thread                                     async
//! chunks ─▶ bounded channel ─▶ decode ─▶ read ─▶ enrich ─▶ encode ─▶ batches ─▶ channel of one ─▶ destinations
//! ```
//!
//! Memory is the channels' room, one block of text and three batches, whatever the object's size. A
//! slow destination fills the channel of batches, which stops the thread, which stops the download.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use delivery::{AnyDestination, Batch, Batcher, Destination, Origin};
use telemetry::log::LogFormat;
use telemetry::{Counts, Layout, LogReader, ReadOptions, Row, analysis};
use tokio::sync::mpsc;

use crate::event::ObjectRef;
use crate::failure::Failure;
use crate::index::{self, Index, Lease};
use crate::sides::{SideCounter, SideCounts};
use crate::source::{Body, ObjectSource, OpenObject};
use invocation::Budget;

/// Chunks of the download that wait to be decoded. Chunks are 16 KiB or so.
const CHUNKS_AHEAD: usize = 8;

/// How objects are processed.
#[derive(Debug, Clone)]
pub struct PipelineOptions {
    /// How objects are read.
    pub read: ReadOptions,
    /// The size at which a batch is complete, in bytes.
    pub batch_bytes: usize,
}

/// What became of one object.
#[derive(Debug, Clone, Default)]
pub struct ObjectOutcome {
    /// What was read.
    pub counts: Counts,
    /// The format of the content, once known.
    pub format: Option<LogFormat>,
    /// What the log's format lacks for analysis, once for each layout that lacks something.
    pub shortfalls: Vec<String>,
    /// What became of the sides of its records; `None` when they are not enriched.
    pub sides: Option<SideCounts>,
    /// Batches confirmed by every destination.
    pub batches: u64,
    /// Bytes of those batches.
    pub bytes_out: u64,
    /// Why the object is not done; `None` when it is.
    pub failure: Option<Failure>,
}

/// Forwards one object; its records are enriched where there is an index.
pub async fn forward(
    object: &ObjectRef,
    source: &impl ObjectSource,
    index: Option<&Arc<Index>>,
    destinations: &[AnyDestination],
    options: &PipelineOptions,
    budget: &Budget,
) -> ObjectOutcome {
    let mut outcome = ObjectOutcome::default();
    if budget.is_spent() {
        outcome.failure = Some(Failure::deadline());
        return outcome;
    }
    let opened = match budget.run(source.open(object)).await {
        Some(Ok(opened)) => opened,
        Some(Err(failure)) => {
            outcome.failure = Some(failure);
            return outcome;
        }
        None => {
            outcome.failure = Some(Failure::deadline());
            return outcome;
        }
    };
    let done = budget
        .run(process(
            object,
            opened,
            index,
            destinations,
            options,
            &mut outcome,
        ))
        .await;
    if done.is_none() {
        outcome.failure = Some(Failure::deadline());
    }
    outcome
}

async fn process(
    object: &ObjectRef,
    opened: OpenObject,
    index: Option<&Arc<Index>>,
    destinations: &[AnyDestination],
    options: &PipelineOptions,
    outcome: &mut ObjectOutcome,
) {
    let enricher = match index {
        Some(index) => Some(index.enricher(index::origin(&opened.key)).await),
        None => None,
    };
    let origin = Arc::new(Origin {
        bucket: object.bucket.clone(),
        key: opened.key,
        revision: opened.revision,
    });
    let (batch_sender, mut batches) = mpsc::channel::<Batch>(1);
    let (return_sender, returned) = std::sync::mpsc::channel::<Batch>();
    let size = opened.size;
    let (reader, feed): (Box<dyn Read + Send>, _) = match opened.body {
        Body::Blocking(reader) => (reader, None),
        Body::Stream(stream) => {
            let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
            (Box::new(ChunkReader::new(receiver)), Some((stream, sender)))
        }
    };
    let read_options = options.read.clone();
    let output = Output {
        batcher: Batcher::new(origin, options.batch_bytes),
        batches: batch_sender,
        returned,
    };
    let thread = tokio::task::spawn_blocking(move || {
        let mut reading = Reading {
            counts: Counts::default(),
            format: None,
            shortfalls: Vec::new(),
            enricher: enricher.map(|enricher| (enricher, SideCounter::default())),
        };
        let result = reading.run(reader, size, &read_options, output);
        (reading, result)
    });
    let feeding = async {
        let Some((mut stream, sender)) = feed else {
            return;
        };
        loop {
            let chunk = match stream.next().await {
                Some(Ok(bytes)) => Chunk::Bytes(bytes),
                Some(Err(error)) => Chunk::Failed(io::Error::other(error)),
                None => Chunk::End,
            };
            let last = !matches!(chunk, Chunk::Bytes(_));
            // The reader may have stopped early, at an error of its own.
            if sender.send(chunk).await.is_err() || last {
                return;
            }
        }
    };
    let mut undelivered = None;
    let delivering = async {
        while let Some(batch) = batches.recv().await {
            if let Err(failure) = deliver(&batch, destinations).await {
                undelivered = Some(failure);
                // Closing the channel stops the reader.
                batches.close();
                return;
            }
            outcome.batches += 1;
            outcome.bytes_out += batch.bytes.len() as u64;
            drop(return_sender.send(batch));
        }
    };
    let ((), (), read) = tokio::join!(feeding, delivering, thread);
    match read {
        Ok((reading, result)) => {
            outcome.counts = reading.counts;
            outcome.format = reading.format;
            outcome.shortfalls = reading.shortfalls;
            if let (Some(index), Some((enricher, sides))) = (index, reading.enricher) {
                outcome.sides = Some(sides.counts().clone());
                index.take_back(enricher);
            }
            outcome.failure = undelivered.or(result.err());
        }
        Err(_) => outcome.failure = Some(Failure::panicked()),
    }
}

/// Delivers a batch to every destination; the first failure is reported once all have answered.
async fn deliver(batch: &Batch, destinations: &[AnyDestination]) -> Result<(), Failure> {
    let deliveries = destinations
        .iter()
        .map(|destination| destination.deliver(batch));
    let answers = futures_util::future::join_all(deliveries).await;
    answers
        .into_iter()
        .find_map(Result::err)
        .map_or(Ok(()), |error| Err(error.into()))
}

/// Where records go from the blocking thread, and delivered batches come back to.
struct Output {
    batcher: Batcher,
    batches: mpsc::Sender<Batch>,
    returned: std::sync::mpsc::Receiver<Batch>,
}

/// The part that runs on a blocking thread: everything between bytes and batches.
struct Reading {
    counts: Counts,
    format: Option<LogFormat>,
    shortfalls: Vec<String>,
    enricher: Option<(Lease, SideCounter)>,
}

impl Reading {
    fn run(
        &mut self,
        reader: Box<dyn Read + Send>,
        size: Option<u64>,
        options: &ReadOptions,
        output: Output,
    ) -> Result<(), Failure> {
        let mut log = LogReader::open(reader, options)?;
        self.format = Some(log.format());
        let result = read(&mut log, self.enricher.as_mut(), output);
        self.counts = log.counts().clone();
        self.shortfalls = log
            .layouts()
            .iter()
            .filter_map(|layout| shortfall(layout))
            .collect();
        result?;
        // A download that ends early without an error of its own must not pass for a whole one.
        match size {
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
}

fn read(
    log: &mut LogReader<'_>,
    mut enricher: Option<&mut (Lease, SideCounter)>,
    output: Output,
) -> Result<(), Failure> {
    let Output {
        mut batcher,
        batches,
        returned,
    } = output;
    // A closed channel means that delivery failed; that failure is the one reported.
    let send = |batch: Batch| {
        batches
            .blocking_send(batch)
            .map_err(|_| Failure::deadline())
    };
    while let Some(row) = log.next_row()? {
        let Row::Record(record) = row else { continue };
        let complete = match &mut enricher {
            None => batcher.push(&record),
            Some((enricher, sides)) => {
                let enrichment = enricher.enrich(&record);
                sides.count(&enrichment);
                batcher.push_enriched(&record, &enrichment)
            }
        };
        if let Some(batch) = complete {
            send(batch)?;
            if let Ok(delivered) = returned.try_recv() {
                batcher.recycle(delivered);
            }
        }
    }
    batcher.finish().map_or(Ok(()), send)
}

fn shortfall(layout: &Layout) -> Option<String> {
    analysis::shortfall(layout).map(|shortfall| shortfall.to_string())
}

/// What travels from the download to the reader.
enum Chunk {
    Bytes(Bytes),
    Failed(io::Error),
    /// The download is complete. Without it, the end of the channel is no end of the object.
    End,
}

/// Reads the chunks of a download.
struct ChunkReader {
    chunks: mpsc::Receiver<Chunk>,
    current: Bytes,
    ended: bool,
}

impl ChunkReader {
    fn new(chunks: mpsc::Receiver<Chunk>) -> ChunkReader {
        ChunkReader {
            chunks,
            current: Bytes::new(),
            ended: false,
        }
    }
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.chunks.blocking_recv() {
                Some(Chunk::Bytes(bytes)) => self.current = bytes,
                Some(Chunk::End) => self.ended = true,
                Some(Chunk::Failed(error)) => return Err(error),
                None => return Err(io::Error::other("the download was given up")),
            }
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
