//! Objects: opened, read on a thread of their own, delivered.
//!
//! ```text
//!  async                     blocking thread        async, for each outlet
//! chunks ─▶ bounded channel ─▶ reading ─▶ batches ─▶ queue of one ─▶ destination
//! ```
//!
//! Memory is the channels' room, one block of text and a few batches, whatever the object's size. A
//! slow destination fills its queue, which stops the thread, which stops the download.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use delivery::{Batch, Lane, Origin, OutletCounts};
use futures_util::future::join_all;
use telemetry::log::LogFormat;
use telemetry::selection::SelectionCounts;
use telemetry::{Counts, FailureClass};
use tokio::sync::mpsc;

use crate::deletion::{Deletion, DeletionSettings};
use crate::event::ObjectRef;
use crate::failure::Failure;
use crate::index::{self, Index};
use crate::quarantine::{KeptRows, Quarantine, RefusedBatches};
use crate::reading::{Extent, Input, LaneInput, Reading, ReadingOptions, RowOptions, read_into};
use crate::sides::SideCounts;
use crate::source::{Body, ObjectSource, OpenObject, ReadObject, Removal};
use invocation::Budget;

/// Chunks of the download that wait to be decoded. Chunks are 16 KiB or so.
const CHUNKS_AHEAD: usize = 8;

/// The largest object that is held as a whole, so that it can share batches with others, in bytes.
pub const SMALL_BYTES: u64 = 512 << 10;

/// What objects are forwarded with.
#[derive(Debug)]
pub struct Pipeline<'p, S> {
    /// Where objects are read from.
    pub source: &'p S,
    /// What their records are enriched from.
    pub index: Option<&'p Arc<Index>>,
    /// Where records go.
    pub lanes: &'p [Lane],
    /// How objects are read, and which of their records are delivered.
    pub reading: &'p ReadingOptions,
    /// Where what cannot be delivered is kept.
    pub quarantine: Option<&'p Quarantine>,
    /// Which objects are deleted once they are delivered.
    pub deletion: Option<&'p DeletionSettings>,
    /// The time there is.
    pub budget: &'p Budget,
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
    /// Which of its records were kept; `None` when all are.
    pub selection: Option<SelectionCounts>,
    /// What each outlet took, in the order of the lanes. Of objects that shared batches, the first one has it all.
    pub outlets: Vec<OutletCounts>,
    /// Why the object is not done; `None` when it is.
    pub failure: Option<Failure>,
    /// What it was opened as; `None` when it was not.
    pub read: Option<ReadObject>,
    /// Its rows that could not be read, until they are kept.
    pub rows: Option<KeptRows>,
    /// How many of its rows are in quarantine.
    pub rows_kept: u64,
    /// Why the object as a whole is in quarantine; it is done then.
    pub quarantined: Option<Failure>,
    /// Whether all of it that could be read arrived, with nothing kept aside or refused.
    pub is_whole: bool,
    /// What became of deleting it; `None` when it was not to be deleted.
    pub deletion: Option<Deletion>,
}

impl ObjectOutcome {
    fn failed(failure: Failure) -> ObjectOutcome {
        ObjectOutcome {
            failure: Some(failure),
            ..ObjectOutcome::default()
        }
    }

    fn new(reading: Reading, failure: Option<Failure>, is_whole: bool) -> ObjectOutcome {
        ObjectOutcome {
            is_whole: is_whole && reading.counts.malformed() == 0,
            counts: reading.counts,
            format: reading.format,
            shortfalls: reading.shortfalls,
            sides: reading.sides,
            selection: reading.selection,
            rows: reading.rows,
            failure,
            ..ObjectOutcome::default()
        }
    }
}

/// A small object that is held as a whole.
struct Held {
    /// Its place among the objects of the group.
    place: usize,
    read: ReadObject,
    bytes: Bytes,
}

impl Held {
    fn input(&self) -> Input {
        Input {
            origin: self.read.origin(),
            size: Some(self.bytes.len() as u64),
            reader: Box::new(Cursor::new(self.bytes.clone())),
        }
    }
}

impl<S: ObjectSource> Pipeline<'_, S> {
    /// Forwards one object. `again` says that it was tried before, when other objects may have shared its batches.
    pub async fn forward(&self, object: &ObjectRef, again: bool) -> ObjectOutcome {
        let forwarding = async {
            let opened = match self.source.open(object).await {
                Ok(opened) => opened,
                Err(failure) => return ObjectOutcome::failed(failure),
            };
            let read = ReadObject::new(object, &opened);
            let outcome = self.forward_opened(read.origin(), opened, again).await;
            ObjectOutcome {
                read: Some(read),
                ..outcome
            }
        };
        if self.budget.is_spent() {
            return ObjectOutcome::failed(Failure::deadline());
        }
        let forwarded = self.budget.run(forwarding).await;
        let outcome = forwarded.unwrap_or_else(|| ObjectOutcome::failed(self.late()));
        self.settle(object, outcome).await
    }

    /// The failure of what was not done in time, with what destinations kept it waiting for.
    fn late(&self) -> Failure {
        let mut failure = Failure::deadline();
        for outlet in self.lanes.iter().flat_map(|lane| &lane.outlets) {
            if let Some(trouble) = outlet.destination.trouble() {
                failure.message += &format!("; {} was to be asked again: {trouble}", outlet.url);
            }
        }
        failure
    }

    /// What comes after delivery: what cannot be delivered is kept aside, then what was is deleted. Only then is the
    /// object done.
    async fn settle(&self, object: &ObjectRef, mut outcome: ObjectOutcome) -> ObjectOutcome {
        let deletion = self.deletion.filter(|settings| {
            let key = outcome.read.as_ref().map_or(&object.key, |read| &read.key);
            settings.covers(&object.bucket, key)
        });
        let gone = |failure: &Failure| {
            matches!(&*failure.code, "Source.NoSuchKey" | "Source.NoSuchVersion")
        };
        if deletion.is_some() && outcome.failure.as_ref().is_some_and(gone) {
            outcome.failure = None;
            outcome.deletion = Some(Deletion::DeletedBefore);
            return outcome;
        }
        if let Some(quarantine) = self.quarantine {
            let keeping = keep_aside(quarantine, object, &mut outcome);
            if self.budget.run(keeping).await.is_none() {
                outcome.failure = Some(Failure::deadline());
            }
        }
        let delivered = outcome.failure.is_none() && outcome.quarantined.is_none();
        if let (Some(_), true, Some(read)) = (deletion, delivered, &outcome.read) {
            outcome.deletion = Some(match outcome.is_whole {
                true => self.delete(read).await,
                false => Deletion::Incomplete,
            });
        }
        outcome
    }

    /// Deletes an object that is delivered, which it stays if it cannot be deleted.
    async fn delete(&self, read: &ReadObject) -> Deletion {
        match self.budget.run(self.source.delete(read)).await {
            Some(Ok(Removal::Done)) => Deletion::Deleted,
            Some(Ok(Removal::Replaced)) => Deletion::Replaced,
            Some(Err(failure)) => Deletion::Failed(failure),
            None => Deletion::Failed(Failure::deadline()),
        }
    }

    async fn forward_opened(
        &self,
        origin: Origin,
        opened: OpenObject,
        again: bool,
    ) -> ObjectOutcome {
        let (reader, feed): (Box<dyn Read + Send>, _) = match opened.body {
            Body::Blocking(reader) => (reader, None),
            Body::Stream(stream) => {
                let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
                (Box::new(ChunkReader::new(receiver)), Some((stream, sender)))
            }
        };
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
        let input = Input {
            origin,
            size: opened.size,
            reader,
        };
        let ((), mut outcomes) = tokio::join!(feeding, self.deliver(vec![input], again));
        let unsaid = || ObjectOutcome::failed(Failure::panicked());
        outcomes.pop().unwrap_or_else(unsaid)
    }

    /// Forwards small objects whose records may share batches. An object that cannot be read to its end shares
    /// none: what is delivered under the names of several is all of each.
    pub async fn forward_together(&self, objects: &[&ObjectRef]) -> Vec<ObjectOutcome> {
        if self.budget.is_spent() {
            let failed = |_| ObjectOutcome::failed(Failure::deadline());
            return objects.iter().map(failed).collect();
        }
        let done = self.budget.run(self.combine(objects)).await;
        let outcomes = done.unwrap_or_else(|| {
            let failed = |_| ObjectOutcome::failed(self.late());
            objects.iter().map(failed).collect()
        });
        let settling = objects.iter().zip(outcomes);
        join_all(settling.map(|(object, outcome)| self.settle(object, outcome))).await
    }

    async fn combine(&self, objects: &[&ObjectRef]) -> Vec<ObjectOutcome> {
        let mut outcomes: Vec<Option<ObjectOutcome>> = objects.iter().map(|_| None).collect();
        let fetched = join_all(objects.iter().map(|object| self.fetch(object))).await;
        let mut held = Vec::new();
        for ((place, fetched), outcome) in fetched.into_iter().enumerate().zip(&mut outcomes) {
            match fetched {
                Ok((read, bytes)) => held.push(Held { place, read, bytes }),
                Err(failure) => *outcome = Some(ObjectOutcome::failed(failure)),
            }
        }
        let options = self.reading.read.clone();
        let rehearsal = tokio::task::spawn_blocking(move || {
            let mut all = Extent::default();
            let fits = |held: &Held| {
                Extent::of(held.input(), &options).is_some_and(|extent| all.add(&extent))
            };
            // Alone, an object fails as it would have, or gets the batches that it needs.
            held.into_iter().partition::<Vec<Held>, _>(fits)
        });
        let Ok((together, alone)) = rehearsal.await else {
            let failed = |_| ObjectOutcome::failed(Failure::panicked());
            return objects.iter().map(failed).collect();
        };
        let groups = std::iter::once(together).chain(alone.into_iter().map(|held| vec![held]));
        for group in groups.filter(|group| !group.is_empty()) {
            let inputs = group.iter().map(Held::input).collect();
            let done = self.deliver(inputs, false).await;
            for (held, done) in group.into_iter().zip(done) {
                if let Some(outcome) = outcomes.get_mut(held.place) {
                    *outcome = Some(ObjectOutcome {
                        read: Some(held.read),
                        ..done
                    });
                }
            }
        }
        // One that nothing was said of is not done.
        let unsaid = || ObjectOutcome::failed(Failure::panicked());
        let outcomes = outcomes.into_iter();
        outcomes
            .map(|outcome| outcome.unwrap_or_else(unsaid))
            .collect()
    }

    /// The whole of a small object.
    async fn fetch(&self, object: &ObjectRef) -> Result<(ReadObject, Bytes), Failure> {
        let opened = self.source.open(object).await?;
        let read = ReadObject::new(object, &opened);
        let unread = |error: String| Failure {
            class: FailureClass::Retry,
            code: "Source.Incomplete".to_owned(),
            message: format!(
                "{}/{} stopped in the middle: {error}",
                read.bucket, read.key
            ),
        };
        let bytes = match opened.body {
            Body::Stream(stream) => stream
                .collect()
                .await
                .map_err(|error| unread(error.to_string()))?
                .into_bytes(),
            Body::Blocking(mut reader) => {
                let mut bytes = Vec::new();
                let filled = reader.read_to_end(&mut bytes);
                filled.map_err(|error| unread(error.to_string()))?;
                Bytes::from(bytes)
            }
        };
        match opened.size {
            Some(size) if size != bytes.len() as u64 => Err(unread(format!(
                "{} of its {size} bytes arrived",
                bytes.len()
            ))),
            _ => Ok((read, bytes)),
        }
    }

    /// Reads inputs on a thread and delivers what comes out; one outcome for each input, in their order.
    async fn deliver(&self, inputs: Vec<Input>, again: bool) -> Vec<ObjectOutcome> {
        let count = inputs.len();
        let mut lease = match (self.index, inputs.first()) {
            (Some(index), Some(first)) => {
                Some(index.enricher(index::origin(&first.origin.key)).await)
            }
            _ => None,
        };
        let refusals = RefusedBatches(self.quarantine);
        let mut draining = Vec::new();
        let mut lanes = Vec::new();
        for lane in self.lanes {
            let (return_sender, returned) = std::sync::mpsc::channel::<Batch>();
            let reuses_memory = lane.packing.encoding.reuses_memory();
            let mut queues = Vec::new();
            for outlet in &lane.outlets {
                let (sender, queue) = mpsc::channel(1);
                let return_sender = return_sender.clone();
                let returned = move |batch| match reuses_memory {
                    // The reader may have ended before the last batches come back.
                    true => drop(return_sender.send(batch)),
                    false => drop(batch),
                };
                draining.push(outlet.drain(queue, returned, &refusals));
                queues.push(sender);
            }
            lanes.push(LaneInput {
                packing: Arc::clone(&lane.packing),
                queues,
                returned,
            });
        }
        let options = self.reading.clone();
        let rows = RowOptions {
            may_be_combined: again,
            keeps_malformed: self.quarantine.is_some(),
        };
        let thread = tokio::task::spawn_blocking(move || {
            let mut readings = Vec::new();
            let read = read_into(inputs, lanes, lease.as_mut(), &options, rows, &mut readings);
            (readings, lease, read)
        });
        let (drained, read) = tokio::join!(join_all(draining), thread);
        let (outlets, delivered): (Vec<OutletCounts>, Vec<_>) = drained.into_iter().unzip();
        let all_kept = outlets.iter().all(|o| o.quarantined + o.rejected == 0);
        let undelivered = delivered.into_iter().find_map(Result::err);
        let (mut readings, failure) = match read {
            Ok((readings, lease, read)) => {
                if let (Some(index), Some(lease)) = (self.index, lease) {
                    index.take_back(lease);
                }
                (readings, undelivered.map(Failure::from).or(read.err()))
            }
            Err(_) => (Vec::new(), Some(Failure::panicked())),
        };
        readings.resize_with(count, Reading::default);
        let outcomes = readings.into_iter();
        let mut outcomes: Vec<ObjectOutcome> = outcomes
            .map(|reading| ObjectOutcome::new(reading, failure.clone(), all_kept))
            .collect();
        if let Some(first) = outcomes.first_mut() {
            first.outlets = outlets;
        }
        outcomes
    }
}

/// Keeps what cannot be delivered of an object, or all of it. What is kept counts as done, what cannot be kept does
/// not.
async fn keep_aside(quarantine: &Quarantine, object: &ObjectRef, outcome: &mut ObjectOutcome) {
    let rows = outcome.rows.take();
    match (&outcome.failure, rows, &outcome.read) {
        (None, Some(rows), Some(read)) if !rows.rows.is_empty() || rows.left_out > 0 => {
            let count = rows.rows.len() as u64;
            let format = outcome.format.map_or("unknown", LogFormat::label);
            let origin = read.origin();
            let kept = quarantine.keep_rows(&origin, format, &outcome.counts, rows);
            match kept.await {
                Ok(()) => outcome.rows_kept = count,
                Err(failure) => outcome.failure = Some(failure),
            }
        }
        (Some(failure), _, read) if failure.class == FailureClass::Poison => {
            let revision = read.as_ref().map_or("", |read| &read.revision);
            match quarantine.keep_object(object, revision, failure).await {
                Ok(()) => outcome.quarantined = outcome.failure.take(),
                Err(failure) => outcome.failure = Some(failure),
            }
        }
        _ => {}
    }
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
