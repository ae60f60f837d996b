//! The literals of a block (RFC 8878, sections 3.1.1.3.1 and 4.2): as they are, one for all, or in a Huffman code.

use super::bits::{BIT, BitWriter, SLACK, entropy};
use super::fse::{self, Code, Shares};

/// Bits that a code word has at most.
const LONGEST: usize = 11;

/// Fewer literals than this are not worth a code.
const FEW: usize = 64;

/// From so many literals on, they go in four streams, which decoders read side by side.
const FOUR_STREAMS: usize = 256;

/// The most bytes that a section takes beside its literals.
pub(super) const SECTION_BYTES: usize = 256;

/// The kinds of a section, as its header has them.
const RAW: u32 = 0;
const SINGLE: u32 = 1;
const CODED: u32 = 2;
const REPEATED: u32 = 3;

/// Writes literals, and keeps the code that decoders have.
pub(super) struct Huffman {
    words: Words,
    /// Whether decoders have that code.
    known: bool,
    spare: Words,
    /// For the description of codes.
    weights: Code,
}

/// A code word and its bits, of each byte; without bits it has none.
type Words = [(u16, u16); 256];

impl Huffman {
    /// A writer of a frame's literals.
    pub fn new() -> Huffman {
        Huffman {
            words: [(0, 0); 256],
            known: false,
            spare: [(0, 0); 256],
            weights: Code::single(),
        }
    }

    /// Takes back the block: decoders do not get to know of it.
    pub fn forget(&mut self) {
        self.known = false;
    }

    /// Writes a section from there on; returns where the next byte goes. There must be room for the literals and
    /// [`SECTION_BYTES`] more.
    pub fn write(&mut self, literals: &[u8], out: &mut [u8], at: usize) -> usize {
        if literals.len() < FEW {
            return write_raw(literals, out, at);
        }
        let counts = counts_of(literals);
        let total = literals.len() as u32;
        if counts[usize::from(literals[0])] == total {
            let at = write_header(SINGLE, literals.len(), out, at);
            out[at] = literals[0];
            return at + 1;
        }

        let old = self.known.then(|| bits_of(&self.words, &counts)).flatten();
        let least = entropy(&counts, total) / u64::from(BIT);
        // A description takes some 3 bits for each byte that there is; an old code saves the time to make another.
        let distinct = counts.iter().filter(|&&count| count > 0).count() as u64;
        if let Some(bits) = old
            && bits <= least + least / 128 + distinct * 3
        {
            return self.write_coded(literals, bits, REPEATED, &[], out, at);
        }
        let lengths = lengths_of(&counts);
        set_words(&mut self.spare, &lengths);
        let mut description = [0; 256];
        let Some(described) = self.describe(&lengths, &mut description) else {
            return write_raw(literals, out, at);
        };
        let bits = bits_of(&self.spare, &counts).unwrap_or(u64::MAX / 2) + described as u64 * 8;
        match old {
            Some(old) if old <= bits => self.write_coded(literals, old, REPEATED, &[], out, at),
            _ => {
                std::mem::swap(&mut self.words, &mut self.spare);
                let known = std::mem::replace(&mut self.known, true);
                let description = &description[..described];
                let end = self.write_coded(literals, bits, CODED, description, out, at);
                if out[at] & 3 == RAW as u8 {
                    std::mem::swap(&mut self.words, &mut self.spare);
                    self.known = known;
                }
                end
            }
        }
    }

    /// Writes literals in the code at hand, which take so many bits; as they are if they do not get smaller.
    fn write_coded(
        &self,
        literals: &[u8],
        bits: u64,
        kind: u32,
        description: &[u8],
        out: &mut [u8],
        at: usize,
    ) -> usize {
        let total = literals.len();
        if bits / 8 + SLACK as u64 >= total as u64 {
            return write_raw(literals, out, at);
        }
        // The sizes before and after have as many bits as the first one needs.
        let (streams, format, width) = match total {
            ..FOUR_STREAMS => (1, 0, 10),
            FOUR_STREAMS..0x400 => (4, 1, 10),
            0x400..0x4000 => (4, 2, 14),
            _ => (4, 3, 18),
        };
        let start = at + (4 + 2 * width as usize) / 8;
        out[start..][..description.len()].copy_from_slice(description);
        let mut end = start + description.len();
        let jumps = end;
        if streams > 1 {
            end += 6;
        }
        for (number, part) in literals.chunks(total.div_ceil(streams)).enumerate() {
            let begin = end;
            end = write_stream(&self.words, part, out, begin);
            if number + 1 < streams {
                let size = (end - begin) as u16;
                out[jumps + number * 2..][..2].copy_from_slice(&size.to_le_bytes());
            }
        }
        if end - start >= total {
            return write_raw(literals, out, at);
        }
        let header = u64::from(kind)
            | format << 2
            | (total as u64) << 4
            | ((end - start) as u64) << (4 + width);
        let size = start - at;
        out[at..start].copy_from_slice(&header.to_le_bytes()[..size]);
        end
    }

    /// Describes a code by the lengths of its words; returns the bytes of it. `None` if there is no way to.
    fn describe(&mut self, lengths: &[u8; 256], out: &mut [u8; 256]) -> Option<usize> {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let last = lengths.iter().rposition(|&length| length > 0)?;
        // Decoders know from the others what the last one is.
        let mut weights = [0; 256];
        for (weight, &length) in weights.iter_mut().zip(&lengths[..last]) {
            *weight = if length > 0 { longest + 1 - length } else { 0 };
        }
        let weights = &weights[..last];
        let plain = (last <= 128).then(|| 1 + last.div_ceil(2));
        if let Some(end) = self.describe_by_states(weights, out)
            && end <= 128
            && plain.is_none_or(|plain| end < plain)
        {
            out[0] = (end - 1) as u8;
            return Some(end);
        }
        let end = plain?;
        out[0] = 127 + last as u8;
        for (byte, pair) in out[1..].iter_mut().zip(weights.chunks(2)) {
            *byte = pair[0] << 4 | pair.get(1).copied().unwrap_or(0);
        }
        Some(end)
    }

    /// Weights in a code of two states, which take turns; from the second byte on.
    fn describe_by_states(&mut self, weights: &[u8], out: &mut [u8; 256]) -> Option<usize> {
        let mut counts = [0; fse::SYMBOLS];
        for &weight in weights {
            counts[usize::from(weight) % fse::SYMBOLS] += 1;
        }
        let total = weights.len() as u32;
        let last = counts.iter().rposition(|&count| count > 0)?;
        if counts.contains(&total) {
            return None;
        }
        let log = fse::log_for(total, last, 6);
        let shares: Shares = fse::shares_of(&counts, total, log);
        self.weights.set(&shares, log);
        let mut bits = BitWriter::new(out, 1);
        fse::describe(&shares, log, &mut bits);
        let end = bits.finish();
        let mut bits = BitWriter::new(out, end);
        let mut states = [None, None];
        for (number, &weight) in weights.iter().enumerate().rev() {
            match &mut states[number % 2] {
                Some(state) => {
                    self.weights.put(state, weight, &mut bits);
                    bits.flush();
                }
                state => *state = Some(self.weights.start(weight)),
            }
        }
        for state in states.into_iter().rev() {
            self.weights.finish(state?, &mut bits);
        }
        Some(bits.finish_backward())
    }
}

/// The header of literals that are no code; returns where they go.
fn write_header(kind: u32, total: usize, out: &mut [u8], at: usize) -> usize {
    let (format, shift, size) = match total {
        ..0x20 => (0, 3, 1),
        0x20..0x1000 => (1, 4, 2),
        _ => (3, 4, 3),
    };
    let header = kind | format << 2 | (total as u32) << shift;
    out[at..][..size].copy_from_slice(&header.to_le_bytes()[..size]);
    at + size
}

fn write_raw(literals: &[u8], out: &mut [u8], at: usize) -> usize {
    let at = write_header(RAW, literals.len(), out, at);
    out[at..][..literals.len()].copy_from_slice(literals);
    at + literals.len()
}

/// How often each byte is there. Four lists, as adding to the same place again waits for the time before.
fn counts_of(literals: &[u8]) -> [u32; 256] {
    let mut lists = [[0_u32; 256]; 4];
    let (chunks, rest) = literals.as_chunks::<8>();
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        for place in 0..8 {
            lists[place % 4][usize::from((word >> (8 * place)) as u8)] += 1;
        }
    }
    for &byte in rest {
        lists[0][usize::from(byte)] += 1;
    }
    let [mut counts, others @ ..] = lists;
    for other in &others {
        for (count, more) in counts.iter_mut().zip(other) {
            *count += more;
        }
    }
    counts
}

/// What literals of these counts take; `None` if one of them has no word.
fn bits_of(words: &Words, counts: &[u32; 256]) -> Option<u64> {
    let mut sum = 0;
    let mut missing = false;
    for (&(_, bits), &count) in words.iter().zip(counts) {
        sum += count * u32::from(bits);
        missing |= bits == 0 && count > 0;
    }
    (!missing).then_some(u64::from(sum))
}

/// The lengths of the words of a Huffman code, at most [`LONGEST`]; 0 of bytes that are not there. Two are.
fn lengths_of(counts: &[u32; 256]) -> [u8; 256] {
    // Counts are of a block: below 2^24.
    let mut leaves = [0_u32; 256];
    let mut many = 0;
    for (byte, &count) in counts.iter().enumerate() {
        if count > 0 {
            leaves[many] = count << 8 | byte as u32;
            many += 1;
        }
    }
    let leaves = &mut leaves[..many];
    leaves.sort_unstable();

    // The two rarest nodes get a common parent, again and again. Parents come about in the order of their counts.
    let mut nodes = [0_u32; 512];
    let mut parents = [0_u16; 512];
    for (node, &leaf) in nodes.iter_mut().zip(leaves.iter()) {
        *node = leaf >> 8;
    }
    let root = 2 * many - 2;
    let (mut leaf, mut inner) = (0, many);
    for parent in many..=root {
        for _ in 0..2 {
            let taken = if leaf < many && (inner >= parent || nodes[leaf] <= nodes[inner]) {
                &mut leaf
            } else {
                &mut inner
            };
            nodes[parent] += nodes[*taken];
            parents[*taken] = parent as u16;
            *taken += 1;
        }
    }
    let mut depths = [0_u8; 512];
    let mut with_length = [0_usize; LONGEST + 1];
    for node in (0..root).rev() {
        depths[node] = depths[usize::from(parents[node])] + 1;
        if node < many {
            with_length[usize::from(depths[node]).min(LONGEST)] += 1;
        }
    }

    // Words that were cut to the longest length make too many. Each step frees one: a shorter word becomes two.
    let taken = |with_length: &[usize; LONGEST + 1]| -> usize {
        let of = |(length, &words): (usize, &usize)| words << (LONGEST - length);
        with_length.iter().enumerate().skip(1).map(of).sum()
    };
    for _ in 1 << LONGEST..taken(&with_length) {
        let shorter = (1..LONGEST).rev().find(|&length| with_length[length] > 0);
        if let Some(length) = shorter {
            with_length[LONGEST] -= 1;
            with_length[length] -= 1;
            with_length[length + 1] += 2;
        }
    }

    let mut lengths = [0; 256];
    let mut rarest = leaves.iter();
    for (length, &words) in with_length.iter().enumerate().rev() {
        for leaf in rarest.by_ref().take(words) {
            lengths[(leaf & 0xff) as usize] = length as u8;
        }
    }
    lengths
}

/// The words of these lengths: the longest are the lowest numbers, those of a length follow each other as bytes do.
fn set_words(words: &mut Words, lengths: &[u8; 256]) {
    let mut with_length = [0_u16; LONGEST + 1];
    for &length in lengths {
        with_length[usize::from(length).min(LONGEST)] += 1;
    }
    let mut next = [0_u16; LONGEST + 1];
    let mut start = 0;
    for length in (1..=LONGEST).rev() {
        next[length] = start;
        start = (start + with_length[length]) >> 1;
    }
    for (word, &length) in words.iter_mut().zip(lengths) {
        let next = &mut next[usize::from(length).min(LONGEST)];
        *word = (*next, u16::from(length));
        *next += 1;
    }
}

/// Writes a stream from its end on; returns where the next byte goes.
fn write_stream(words: &Words, literals: &[u8], out: &mut [u8], at: usize) -> usize {
    let mut bits = BitWriter::new(out, at);
    let word = |byte: u8| {
        let (word, bits) = words[usize::from(byte)];
        (u64::from(word), u32::from(bits))
    };
    let (rest, chunks) = literals.as_rchunks::<4>();
    for &[first, second, third, fourth] in chunks.iter().rev() {
        // Joined by twos, so that few steps wait for the one before.
        let (first, second) = (word(first), word(second));
        let (third, fourth) = (word(third), word(fourth));
        let early = second.0 | first.0 << (second.1 & 63);
        let late = fourth.0 | third.0 << (fourth.1 & 63);
        let late_bits = third.1 + fourth.1;
        bits.put(
            late | early << (late_bits & 63),
            late_bits + first.1 + second.1,
        );
        bits.flush();
    }
    for &byte in rest.iter().rev() {
        let (word, length) = word(byte);
        bits.put(word, length);
        bits.flush();
    }
    bits.finish_backward()
}
