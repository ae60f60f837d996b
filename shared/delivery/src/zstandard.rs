//! Zstandard frames (RFC 8878) of texts whose repeats are known.
//!
//! ```text
//!                ┌─▶ literals: what no repeat covers ─▶ Huffman code ────────────────────┐
//! text, repeats ─┤                                                                       ├─▶ block ─▶ frame
//!                └─▶ sequences: literals, length, distance ─▶ finite state entropy codes ┘
//! ```
//!
//! Compressors spend most of their time on the search for repeats. Who puts a text together from parts knows which of
//! them stood before, and where: a frame searches for nothing, and what is left is to write numbers in few bits. What is
//! new in a text can be searched before, see [`Search`].

mod bits;
mod fse;
mod huffman;
mod search;
mod sequences;
#[cfg(test)]
mod tests;

use huffman::Huffman;
pub(crate) use search::Search;
use sequences::{SEQUENCE_BYTES, Sequences};

/// A part of a text that stood before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// Where it starts in the text that is handed over with it, were nothing left out of that.
    pub at: u32,
    /// Its bytes.
    pub len: u32,
    /// How many bytes before `at` the same bytes start. That may be in a text handed over earlier, and it may be less
    /// than `len`, if what is repeated repeats itself.
    pub distance: u32,
    /// How many of its bytes are left out of the text that is handed over: nobody looks at them.
    pub left_out: u32,
}

/// Repeats of fewer bytes are never left out of a text: each of them must be worth a sequence.
pub(crate) const LEAST_LEFT_OUT: u32 = 32;

/// The farthest that a repeat may be: 8 MiB, what RFC 8878 asks every decoder to support (section 3.1.1.1.2).
pub(crate) const WINDOW: u32 = 8 << 20;

/// Bytes that a block has at most, compressed and not (section 3.1.1.2.4).
const BLOCK: usize = 128 << 10;

/// Bytes of a text that a block is meant to have at most.
const TARGET: usize = BLOCK - 64;

/// A repeat whose bytes are not at hand is cut so that each part is worth a sequence.
const LEAST_PART: usize = 8;

/// How a frame begins: magic number, then a descriptor that says that nothing but a window's size follows.
const HEADER: [u8; 5] = [0x28, 0xb5, 0x2f, 0xfd, 0];

/// What the window's size counts from, in bits.
const SMALLEST_WINDOW: u32 = 10;

/// Bytes of a block's header, and its kinds.
const BLOCK_HEADER: usize = 3;
const RAW: usize = 0;
const COMPRESSED: usize = 2;

/// Literals are copied in steps of this many bytes, as most are few.
const STEP: usize = 16;

/// A frame in the making. Its buffers are reused from block to block.
pub(crate) struct Frame {
    out: Vec<u8>,
    /// Bytes of the texts so far.
    read: u64,
    /// Where the last block starts.
    last: Option<usize>,
    literals: Vec<u8>,
    block: Vec<u8>,
    huffman: Huffman,
    sequences: Sequences,
}

impl Frame {
    /// A frame without a text.
    pub fn new() -> Frame {
        let mut out = HEADER.to_vec();
        out.push(0);
        Frame {
            out,
            read: 0,
            last: None,
            literals: vec![0; BLOCK + STEP],
            block: Vec::new(),
            huffman: Huffman::new(),
            sequences: Sequences::new(),
        }
    }

    /// Adds a text. `repeats` are sorted by `at` and do not overlap; that their bytes are what stands `distance` before
    /// is the caller's promise. Those that reach beyond the text, the frame's start or [`WINDOW`], those that start
    /// before the end of one that was taken, and those too short to save anything are written as literals: that no such
    /// one is left out of the text, not even in part, and none of fewer than [`LEAST_LEFT_OUT`] bytes, is a promise, too.
    pub fn write(&mut self, text: &[u8], repeats: &[Repeat]) {
        let left_out: usize = repeats.iter().map(|repeat| repeat.left_out as usize).sum();
        let len = text.len() + left_out;
        let mut sound = Sound {
            repeats: repeats.iter(),
            before: self.read,
            len,
            done: 0,
        };
        let mut cursor = Cursor {
            part: sound.next().unwrap_or(END),
            sound,
            done: 0,
            place: 0,
        };
        let blocks = match left_out {
            0 => len.div_ceil(BLOCK),
            _ => len.div_ceil(TARGET),
        };
        for number in 1..=blocks {
            let (done, place) = (cursor.done, cursor.place);
            let literals = self.gather(text, &mut cursor, len * number / blocks);
            let size = cursor.done - done;
            let stored = &text[place..cursor.place];
            self.write_block(literals, size, stored);
        }
        self.read += len as u64;
    }

    /// Makes literals and sequences of what comes up to there, or a few bytes less or more; returns the number of
    /// literals.
    fn gather(&mut self, text: &[u8], cursor: &mut Cursor<'_>, mut end: usize) -> usize {
        self.sequences.clear();
        let Cursor {
            sound,
            part,
            done,
            place,
        } = cursor;
        let mut literals = 0;
        while part.start < end {
            if part.left_out && end < part.end {
                if end - part.start < LEAST_PART {
                    end = part.start;
                    break;
                }
                if part.end - end < LEAST_PART {
                    end = part.end;
                }
            }
            let stop = part.end.min(end);
            let before = part.start - *done;
            let length = stop - part.start;
            let stored = part.stored.min(length);
            if self.sequences.push(before, length, part.distance) {
                copy(text, *place, before, &mut self.literals, literals);
                literals += before;
                *place += before + stored;
                *done = stop;
            }
            part.start = stop;
            part.stored -= stored;
            if stop == part.end {
                *part = sound.next().unwrap_or(END);
            }
        }
        let rest = end - *done;
        copy(text, *place, rest, &mut self.literals, literals);
        *place += rest;
        *done = end;
        literals + rest
    }

    /// Bytes of the frame so far.
    pub fn written(&self) -> usize {
        self.out.len()
    }

    /// The frame as a whole.
    pub fn finish(mut self) -> Vec<u8> {
        let last = match self.last {
            Some(last) => last,
            None => {
                let last = self.out.len();
                self.out.extend_from_slice(&[0; BLOCK_HEADER]);
                last
            }
        };
        self.out[last] |= 1;
        // Decoders set aside as much memory as the window has.
        let window = self.read.clamp(1 << SMALLEST_WINDOW, u64::from(WINDOW));
        let exponent = window.next_power_of_two().ilog2() - SMALLEST_WINDOW;
        self.out[HEADER.len()] = (exponent as u8) << 3;
        self.out
    }

    /// Writes a block of so many bytes: these literals and the sequences at hand, or what is stored of its text when that
    /// is all and takes no more. What repeats are left out of takes less in any case.
    fn write_block(&mut self, literals: usize, size: usize, stored: &[u8]) {
        let room = literals
            + huffman::SECTION_BYTES
            + self.sequences.len() * SEQUENCE_BYTES
            + sequences::SECTION_BYTES;
        if self.block.len() < room {
            self.block.resize(room, 0);
        }
        let literals = &self.literals[..literals];
        let end = self.huffman.write(literals, &mut self.block, 0);
        let end = self.sequences.write(&mut self.block, end);
        let (kind, bytes) = if end < size || stored.len() < size {
            (COMPRESSED, &self.block[..end])
        } else {
            self.huffman.forget();
            self.sequences.forget();
            (RAW, stored)
        };
        debug_assert!(bytes.len() <= BLOCK);
        self.last = Some(self.out.len());
        let header = kind << 1 | bytes.len() << 3;
        let header = &header.to_le_bytes()[..BLOCK_HEADER];
        self.out.extend_from_slice(header);
        self.out.extend_from_slice(bytes);
    }
}

/// Copies so many bytes. As many as [`STEP`] beyond them may be overwritten.
#[inline(always)]
fn copy(from: &[u8], start: usize, count: usize, to: &mut [u8], at: usize) {
    if count <= STEP
        && let Some(from) = from[start..].first_chunk::<STEP>()
        && let Some(to) = to[at..].first_chunk_mut()
    {
        *to = *from;
    } else {
        to[at..][..count].copy_from_slice(&from[start..][..count]);
    }
}

/// A repeat as places in the text, were nothing left out.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    end: usize,
    distance: u32,
    /// How many of its bytes stand in the text.
    stored: usize,
    /// Whether some do not.
    left_out: bool,
}

/// What comes after all repeats.
const END: Part = Part {
    start: usize::MAX,
    end: usize::MAX,
    distance: 0,
    stored: 0,
    left_out: false,
};

/// How far a text has been written.
struct Cursor<'r> {
    sound: Sound<'r>,
    /// The repeat that comes next.
    part: Part,
    /// What is written, were nothing left out, and as it stands in the text.
    done: usize,
    place: usize,
}

/// The repeats that can be written; those that go on where the one before ends are joined to it.
struct Sound<'r> {
    repeats: std::slice::Iter<'r, Repeat>,
    /// Bytes of the frame before the text.
    before: u64,
    /// Bytes of the text, were nothing left out.
    len: usize,
    /// Where the one before ends.
    done: usize,
}

impl Iterator for Sound<'_> {
    type Item = Part;

    #[inline]
    fn next(&mut self) -> Option<Part> {
        while let Some(repeat) = self.repeats.next() {
            let start = repeat.at as usize;
            let mut end = start.saturating_add(repeat.len as usize);
            let distance = repeat.distance;
            let mut left_out = repeat.left_out as usize;
            if start >= self.done
                && end <= self.len
                && (1..=WINDOW).contains(&distance)
                && u64::from(distance) <= self.before + start as u64
            {
                while let [next, rest @ ..] = self.repeats.as_slice()
                    && next.at as usize == end
                    && next.distance == distance
                    && next.len as usize <= self.len - end
                {
                    end += next.len as usize;
                    left_out += next.left_out as usize;
                    self.repeats = rest.iter();
                }
                self.done = end;
                return Some(Part {
                    start,
                    end,
                    distance,
                    stored: (end - start).saturating_sub(left_out),
                    left_out: left_out > 0,
                });
            }
            debug_assert!(left_out == 0, "{repeat:?} is left out of the text");
        }
        None
    }
}
