//! Zstandard frames (RFC 8878) of texts whose repeats are known.
//!
//! ```text
//! literals: what no repeat covers ─▶ Huffman code ────────────────────────────┐
//!                                                                             ├─▶ block ─▶ frame
//! sequences: literals, length, distance ─▶ finite state entropy codes ────────┘
//! ```
//!
//! Compressors spend most of their time on the search for repeats. Who puts a text together from parts knows which of
//! them stood before, and where: a frame searches for nothing and never sees what is repeated. What is left is to write
//! numbers in few bits. What is new in a text can be searched before, see [`Search`].

mod bits;
mod fse;
mod huffman;
mod search;
mod sequences;
#[cfg(test)]
mod tests;

use huffman::Huffman;
pub(crate) use search::{Found, Search};
use sequences::{SEQUENCE_BYTES, SHORTEST, Sequences};

/// Some literals, and after them a part of the text that stood before (section 3.1.1.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// Bytes of the text since the sequence before.
    pub literals: u32,
    /// Bytes that are repeated.
    pub length: u32,
    /// How many bytes before the same bytes start. That may be in a text handed over earlier, and it may be less than
    /// `length`, if what is repeated repeats itself.
    pub distance: u32,
}

impl Sequence {
    /// Whether a repeat takes less than its bytes do as literals, whatever codes its numbers get: 17 bits at most, and
    /// extra bits for the distance.
    #[inline]
    pub fn is_worth(length: u32, distance: u32) -> bool {
        length >= 5 + u32::from(distance >= 1 << 12)
    }
}

/// Sequences that no text can have: what decoders made of them would be something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsound;

impl std::fmt::Display for Unsound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a repeat was noted that cannot be: please report it, and use gzip until then")
    }
}

impl std::error::Error for Unsound {}

/// The farthest that a repeat may be: 8 MiB, what RFC 8878 asks every decoder to support (section 3.1.1.1.2).
pub(crate) const WINDOW: u32 = 8 << 20;

/// Bytes that a block has at most, compressed and not (section 3.1.1.2.4).
const BLOCK: usize = 128 << 10;

/// Bytes of a text that a block is meant to have at most: with what no code makes smaller, headers must fit, too.
const TARGET: usize = BLOCK - 256;

/// A repeat is cut so that each part is worth a sequence.
const LEAST_PART: usize = 8;

/// How a frame begins: magic number, then a descriptor that says that nothing but a window's size follows.
const HEADER: [u8; 5] = [0x28, 0xb5, 0x2f, 0xfd, 0];

/// What the window's size counts from, in bits.
const SMALLEST_WINDOW: u32 = 10;

/// Bytes of a block's header, and its kinds.
const BLOCK_HEADER: usize = 3;
const RAW: usize = 0;
const COMPRESSED: usize = 2;

/// A frame in the making. Its buffers are reused from block to block.
pub(crate) struct Frame {
    out: Vec<u8>,
    /// Bytes of the texts so far.
    read: u64,
    /// Where the last block starts.
    last: Option<usize>,
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
            block: Vec::new(),
            huffman: Huffman::new(),
            sequences: Sequences::new(),
        }
    }

    /// Adds a text: all its literals, those behind the last sequence too, and its sequences, which are changed where a
    /// block ends. That what they repeat is what stands there, and that each [is worth it](Sequence::is_worth), is the
    /// caller's promise.
    ///
    /// # Errors
    /// A sequence has more literals than there are, is too short for the format, or reaches beyond the frame's start or
    /// [`WINDOW`]. The frame is of no use then.
    pub fn write(&mut self, literals: &[u8], sequences: &mut [Sequence]) -> Result<(), Unsound> {
        let lengths = sequences.iter().map(|sequence| sequence.length as usize);
        let len = literals.len() + lengths.sum::<usize>();
        let blocks = len.div_ceil(TARGET);
        let (mut literals, mut first, mut done) = (literals, 0, 0);
        for number in 1..=blocks {
            let rest = &mut sequences[first..];
            let cut = Cut::new(rest, len * number / blocks - done, self.read)?;
            let of_block;
            (of_block, literals) = literals.split_at_checked(cut.literals).ok_or(Unsound)?;
            match rest.get_mut(cut.whole) {
                Some(next) if cut.part > 0 => {
                    let behind = Sequence {
                        literals: 0,
                        length: next.length - cut.part,
                        ..*next
                    };
                    next.length = cut.part;
                    self.write_block(of_block, &rest[..=cut.whole], cut.size);
                    rest[cut.whole] = behind;
                }
                next => {
                    if let Some(next) = next {
                        next.literals -= cut.behind;
                    }
                    self.write_block(of_block, &rest[..cut.whole], cut.size);
                }
            }
            first += cut.whole;
            done += cut.size;
            self.read += cut.size as u64;
        }
        Ok(())
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

    /// Writes a block of so many bytes; as it is when it is all literals and takes no more. Others take less in any
    /// case, as each repeat is worth it.
    fn write_block(&mut self, literals: &[u8], sequences: &[Sequence], size: usize) {
        let room = literals.len()
            + huffman::SECTION_BYTES
            + sequences.len() * SEQUENCE_BYTES
            + sequences::SECTION_BYTES;
        if self.block.len() < room {
            self.block.resize(room, 0);
        }
        let end = self.huffman.write(literals, &mut self.block, 0);
        let end = self.sequences.write(sequences, &mut self.block, end);
        let (kind, bytes) = if end < size || !sequences.is_empty() {
            (COMPRESSED, &self.block[..end])
        } else {
            self.huffman.forget();
            self.sequences.forget();
            (RAW, literals)
        };
        debug_assert!(bytes.len() <= BLOCK && size <= BLOCK);
        self.last = Some(self.out.len());
        let header = kind << 1 | bytes.len() << 3;
        let header = &header.to_le_bytes()[..BLOCK_HEADER];
        self.out.extend_from_slice(header);
        self.out.extend_from_slice(bytes);
    }
}

/// What of a text is in its first block.
struct Cut {
    /// Sequences that are as a whole.
    whole: usize,
    /// Bytes of the next one's repeat; all its literals are in the block, too, if there are any.
    part: u32,
    /// Else, how many of its literals are.
    behind: u32,
    /// Literals in all.
    literals: usize,
    /// Bytes in all.
    size: usize,
}

impl Cut {
    /// A block of about so many bytes; they are no more than the text has. `before` is how many the frame has before it.
    fn new(sequences: &[Sequence], size: usize, before: u64) -> Result<Cut, Unsound> {
        let (mut literals, mut done) = (0, 0);
        for (whole, next) in sequences.iter().enumerate() {
            let start = done + next.literals as usize;
            let end = start + next.length as usize;
            let farthest = u64::from(WINDOW).min(before + start as u64);
            // A distance of zero is too far, too.
            let is_sound = u64::from(next.distance).wrapping_sub(1) < farthest;
            if !is_sound || next.length < SHORTEST as u32 {
                return Err(Unsound);
            }
            if end > size {
                let all = literals + next.literals as usize;
                let (whole, part, behind, literals, size) = match size.saturating_sub(start) {
                    0 => (whole, 0, size - done, literals + size - done, size),
                    part if part < LEAST_PART => (whole, 0, start - done, all, start),
                    _ if end - size < LEAST_PART => (whole + 1, 0, 0, all, end),
                    part => (whole, part, 0, all, size),
                };
                let [part, behind] = [part as u32, behind as u32];
                return Ok(Cut {
                    whole,
                    part,
                    behind,
                    literals,
                    size,
                });
            }
            literals += next.literals as usize;
            done = end;
        }
        Ok(Cut {
            whole: sequences.len(),
            part: 0,
            behind: 0,
            literals: literals + size - done,
            size,
        })
    }
}
