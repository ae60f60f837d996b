//! Cutting: what is written one after the other becomes batches, each complete as soon as it is full.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;

use super::{Batch, Origin, Packing};
use crate::compression::Compressor;
use crate::encoding::{Compression, EncodingError};
use crate::partition::{Partitioning, Spans};

/// Encoded bytes that are compressed at once: with the item that was written last, two blocks of Zstandard.
const COMPRESSED_AT_ONCE: usize = 252 << 10;

/// Writes one kind of content in any of its formats.
///
/// The same items give the same bytes: destinations that replace rely on it.
pub trait Encode: Sized {
    /// What is written: a record with what is added to it, a change, a datapoint.
    type Item<'i>: Copy;

    /// What tells the partition of an item from others.
    type Section: Debug;

    /// Sections that are open at once.
    const MAX_OPEN: usize;

    /// An encoder for a packing, which is expected to be taken when it holds about `room` bytes.
    ///
    /// # Errors
    /// The content is not written in this format, or there is no memory for it.
    fn open(packing: &Packing, origins: &[Origin], room: usize) -> Result<Self, EncodingError>;

    /// The section of an item.
    fn section(item: Self::Item<'_>, partitioning: &Partitioning) -> Self::Section;

    /// Whether an item is of a section, where these spans of time have partitions of their own. It is asked for each
    /// item.
    fn is_of(item: Self::Item<'_>, section: &Self::Section, spans: Spans) -> bool;

    /// The path of a section's partition, without a slash at either end.
    fn path(section: &Self::Section, partitioning: &Partitioning, origins: &[Origin]) -> String;

    /// Whether what an item says can be written at all; it is left out otherwise.
    #[inline]
    fn is_writable(_: Self::Item<'_>) -> bool {
        true
    }

    /// Whether what is written so far and the item can be one output.
    #[inline]
    fn accepts(&self, _: Self::Item<'_>) -> bool {
        true
    }

    /// Appends an item.
    fn write(&mut self, item: Self::Item<'_>);

    /// About how many bytes would be taken now.
    fn held(&self) -> usize;

    /// Takes what was written, complete in its format. `spare` is memory to use again; its content does not matter.
    ///
    /// # Errors
    /// The format's own; see [`EncodingError`].
    fn take(&mut self, spare: Vec<u8>) -> Result<Vec<u8>, EncodingError>;

    /// A compressor for all that the encoder will write; `None` for no compression.
    ///
    /// # Errors
    /// There is no memory for it.
    fn compressor(
        &mut self,
        compression: Compression,
    ) -> Result<Option<Compressor>, EncodingError> {
        Compressor::new(compression)
    }

    /// Whether it may write the next batch as well: it holds nothing of the one before.
    fn is_lasting(&self) -> bool {
        false
    }

    /// Hands what was written to its compressor. `spare` is memory to use again.
    ///
    /// # Errors
    /// The format's own, or the compressor's; see [`EncodingError`].
    fn compress(
        &mut self,
        compressor: &mut Compressor,
        spare: &mut Vec<u8>,
    ) -> Result<(), EncodingError> {
        compress_taken(self, compressor, spare)
    }
}

/// Compresses what is taken from an encoder, whatever it is.
pub(super) fn compress_taken<E: Encode>(
    encoder: &mut E,
    compressor: &mut Compressor,
    spare: &mut Vec<u8>,
) -> Result<(), EncodingError> {
    let bytes = encoder.take(std::mem::take(spare))?;
    compressor.write(&bytes)?;
    *spare = bytes;
    Ok(())
}

/// Encodes items and cuts them into batches. The same items in the same order give the same batches, under the same
/// identities.
#[derive(Debug)]
pub struct Cutter<E: Encode> {
    pub(super) origins: Arc<[Origin]>,
    pub(super) packing: Arc<Packing>,
    /// Whether an attempt before may have delivered the items within batches of several objects.
    pub(super) may_be_combined: bool,
    max_bytes: usize,
    max_records: u64,
    spans: Spans,
    /// The batches that are being filled, the one used last at the end.
    open: Vec<Open<E>>,
    /// How many batches each partition has had, by its path: several sections may have the same one.
    sequences: HashMap<Arc<str>, u32>,
    pub(super) complete: VecDeque<Batch>,
    pub(super) spare: Vec<u8>,
    /// An encoder whose batch is complete, with what it remembers.
    idle: Option<E>,
}

/// A batch that is being filled.
#[derive(Debug)]
struct Open<E: Encode> {
    section: E::Section,
    encoder: E,
    /// What the encoder may hold before something has to be done.
    room: usize,
    compressor: Option<Compressor>,
    records: u64,
}

impl<E: Encode> Cutter<E> {
    /// A cutter for what came from these origins. What came from several is never cut, whatever the packing says: the
    /// name of their batch tells all that was delivered of each.
    pub fn new(origins: Arc<[Origin]>, packing: Arc<Packing>) -> Cutter<E> {
        let (max_bytes, max_records) = match origins.len() {
            0 | 1 => (packing.max_bytes, packing.max_records),
            _ => (usize::MAX, u64::MAX),
        };
        Cutter {
            origins,
            may_be_combined: false,
            max_bytes,
            max_records,
            spans: packing.partitioning.spans(),
            packing,
            open: Vec::new(),
            sequences: HashMap::new(),
            complete: VecDeque::new(),
            spare: Vec::new(),
            idle: None,
        }
    }

    /// Adds an item. It may complete batches: see [`Cutter::complete`].
    ///
    /// # Errors
    /// The content is not written in the packing's format, or the format's own; see [`EncodingError`].
    #[inline]
    pub fn push(&mut self, item: E::Item<'_>) -> Result<(), EncodingError> {
        if !E::is_writable(item) {
            return Ok(());
        }
        let spans = self.spans;
        let fits =
            |open: &Open<E>| E::is_of(item, &open.section, spans) && open.encoder.accepts(item);
        if !self.open.last().is_some_and(fits) {
            self.turn_to(item)?;
        }
        let Some(open) = self.open.last_mut() else {
            return Ok(());
        };
        open.encoder.write(item);
        open.records += 1;
        if open.encoder.held() >= open.room || open.records >= self.max_records {
            self.filled()?;
        }
        Ok(())
    }

    /// Makes the batch of an item's section the last one.
    #[cold]
    fn turn_to(&mut self, item: E::Item<'_>) -> Result<(), EncodingError> {
        let spans = self.spans;
        let is_its = |open: &Open<E>| E::is_of(item, &open.section, spans);
        if let Some(at) = self.open.iter().position(is_its) {
            let open = self.open.remove(at);
            match open.encoder.accepts(item) {
                true => {
                    self.open.push(open);
                    return Ok(());
                }
                false => self.close(open)?,
            }
        }
        if self.open.len() >= E::MAX_OPEN {
            let oldest = self.open.remove(0);
            self.close(oldest)?;
        }
        let compression = self.packing.encoding.compression;
        let room = match compression {
            Compression::None => self.max_bytes,
            Compression::Gzip | Compression::Zstd => COMPRESSED_AT_ONCE,
        };
        let mut encoder = match self.idle.take() {
            Some(encoder) => encoder,
            None => E::open(&self.packing, &self.origins, room)?,
        };
        let compressor = encoder.compressor(compression)?;
        self.open.push(Open {
            section: E::section(item, &self.packing.partitioning),
            encoder,
            room,
            compressor,
            records: 0,
        });
        Ok(())
    }

    /// Compresses what the last batch holds, and completes it when it is full.
    #[cold]
    fn filled(&mut self) -> Result<(), EncodingError> {
        let Some(mut open) = self.open.pop() else {
            return Ok(());
        };
        let held = match &mut open.compressor {
            Some(compressor) => {
                open.encoder.compress(compressor, &mut self.spare)?;
                compressor.written()
            }
            None => open.encoder.held(),
        };
        if held >= self.max_bytes || open.records >= self.max_records {
            return self.close(open);
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self, mut open: Open<E>) -> Result<(), EncodingError> {
        let mut bytes = match open.compressor {
            Some(mut compressor) => {
                open.encoder.compress(&mut compressor, &mut self.spare)?;
                compressor.finish()?
            }
            None => open.encoder.take(std::mem::take(&mut self.spare))?,
        };
        self.idle = Some(open.encoder).filter(E::is_lasting);
        // Several batches wait at once: each takes what it needs, unless its memory comes back.
        let spare = bytes.capacity() - bytes.len();
        if !self.packing.encoding.reuses_memory() || spare > bytes.len() / 4 {
            bytes.shrink_to_fit();
        }
        let partitioning = &self.packing.partitioning;
        let partition = match self.origins.is_empty() || partitioning.is_none() {
            true => String::new(),
            false => E::path(&open.section, partitioning, &self.origins),
        };
        let partition: Arc<str> = partition.into();
        let sequence = self.sequences.entry(Arc::clone(&partition)).or_default();
        self.complete.push_back(Batch {
            origins: Arc::clone(&self.origins),
            partition,
            sequence: *sequence,
            may_be_combined: self.may_be_combined && self.packing.combines,
            records: open.records,
            encoding: self.packing.encoding,
            bytes: Bytes::from(bytes),
        });
        *sequence += 1;
        Ok(())
    }

    /// Takes the next batch that is complete.
    #[inline]
    pub fn complete(&mut self) -> Option<Batch> {
        self.complete.pop_front()
    }

    /// Completes the batches of the items that are left, if there are any.
    ///
    /// # Errors
    /// The format's own; see [`EncodingError`].
    pub fn finish(&mut self) -> Result<(), EncodingError> {
        let open = std::mem::take(&mut self.open);
        open.into_iter().try_for_each(|open| self.close(open))
    }

    /// Gives a delivered batch's memory back, where that is used again: see [`Encoding::reuses_memory`].
    ///
    /// [`Encoding::reuses_memory`]: crate::encoding::Encoding::reuses_memory
    pub fn recycle(&mut self, batch: Batch) {
        if !self.packing.encoding.reuses_memory() {
            return;
        }
        if let Ok(bytes) = batch.bytes.try_into_mut() {
            self.spare = bytes.into();
            let capacity = self.spare.capacity();
            self.spare.resize(capacity, 0);
        }
    }
}
