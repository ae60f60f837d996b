//! The sequences of a block (RFC 8878, section 3.1.1.3.2): so many literals, then so many bytes from so far back.
//!
//! Each of the three numbers is a code and some extra bits. The codes go through [`fse`](super::fse), with a table for
//! each of the three.

use super::Sequence;
use super::bits::{BIT, BitWriter, SLACK, entropy};
use super::fse::{Code, MIN_LOG, SYMBOLS, Shares, cost, describe, log_for, shares_of};

/// The shortest repeat that the format has.
pub(super) const SHORTEST: usize = 3;

/// The most bytes that a sequence takes: 26 bits for codes, 55 for extra bits.
pub(super) const SEQUENCE_BYTES: usize = 11;

/// The most bytes that a section takes beside its sequences.
pub(super) const SECTION_BYTES: usize = 512;

/// Writes sequences, and keeps what decoders know from the blocks before.
pub(super) struct Sequences {
    /// Those of a block, as they are written, and room.
    coded: Vec<Coded>,
    literals: Field,
    distances: Field,
    lengths: Field,
    /// The distances that have short codes, the last one first.
    recent: [u32; 3],
    /// Those when the block began.
    before: [u32; 3],
}

/// A sequence as codes, and the extra bits of all three.
#[derive(Clone, Copy, Default)]
struct Coded {
    extra: u64,
    extra_bits: u8,
    literals: u8,
    distance: u8,
    length: u8,
}

impl Sequences {
    /// A writer of a frame's sequences.
    pub fn new() -> Sequences {
        Sequences {
            coded: Vec::new(),
            literals: Field::new(&LITERALS_DEFAULT, 6, 9),
            distances: Field::new(&DISTANCES_DEFAULT, 5, 8),
            lengths: Field::new(&LENGTHS_DEFAULT, 6, 9),
            recent: [1, 4, 8],
            before: [1, 4, 8],
        }
    }

    /// Takes back the block: decoders do not get to know of it.
    pub fn forget(&mut self) {
        self.recent = self.before;
        self.literals.held = Held::Nothing;
        self.distances.held = Held::Nothing;
        self.lengths.held = Held::Nothing;
    }

    /// Makes codes of the sequences, and counts them.
    fn code(&mut self, sequences: &[Sequence]) {
        self.before = self.recent;
        let mut recent = self.recent;
        let [mut literals, mut distances, mut lengths] = [[0; SYMBOLS]; 3];
        if self.coded.len() < sequences.len() {
            self.coded.resize(sequences.len(), Coded::default());
        }
        for (coded, sequence) in self.coded.iter_mut().zip(sequences) {
            let literal = literals_number(sequence.literals);
            let length = length_number(sequence.length);
            let value;
            (value, recent) = distance_value(recent, sequence.literals, sequence.distance);
            // It is not zero; the compiler would ask.
            let bits = (value | 1).ilog2();
            literals[usize::from(literal.code) % SYMBOLS] += 1;
            lengths[usize::from(length.code) % SYMBOLS] += 1;
            distances[bits as usize % SYMBOLS] += 1;
            let before = literal.bits + length.bits;
            let extra = u64::from(literal.extra) | u64::from(length.extra) << (literal.bits & 63);
            *coded = Coded {
                extra: extra | u64::from(value ^ (1 << bits)) << (before & 63),
                extra_bits: before + bits as u8,
                literals: literal.code,
                distance: bits as u8,
                length: length.code,
            };
        }
        self.recent = recent;
        self.literals.counts = literals;
        self.distances.counts = distances;
        self.lengths.counts = lengths;
    }

    /// Writes a section from there on; returns where the next byte goes.
    pub fn write(&mut self, sequences: &[Sequence], out: &mut [u8], mut at: usize) -> usize {
        self.code(sequences);
        let total = sequences.len();
        let Some((&last, rest)) = self.coded[..total].split_last() else {
            out[at] = 0;
            return at + 1;
        };
        match total {
            ..128 => {
                out[at] = total as u8;
                at += 1;
            }
            128..0x7f00 => {
                out[at] = (total >> 8) as u8 + 128;
                out[at + 1] = total as u8;
                at += 2;
            }
            _ => {
                out[at] = 255;
                out[at + 1..][..2].copy_from_slice(&((total - 0x7f00) as u16).to_le_bytes());
                at += 3;
            }
        }
        let modes = at;
        at += 1;
        out[modes] = 0;
        for (field, shift) in [
            (&mut self.literals, 6),
            (&mut self.distances, 4),
            (&mut self.lengths, 2),
        ] {
            let mode;
            (mode, at) = field.write(total as u32, out, at);
            out[modes] |= (mode as u8) << shift;
        }

        let (literals, distances, lengths) = (
            &self.literals.code,
            &self.distances.code,
            &self.lengths.code,
        );
        let mut bits = BitWriter::new(out, at);
        let mut literal_state = literals.start(last.literals);
        let mut distance_state = distances.start(last.distance);
        let mut length_state = lengths.start(last.length);
        bits.put(last.extra, u32::from(last.extra_bits));
        bits.flush();
        for sequence in rest.iter().rev() {
            distances.put(&mut distance_state, sequence.distance, &mut bits);
            lengths.put(&mut length_state, sequence.length, &mut bits);
            literals.put(&mut literal_state, sequence.literals, &mut bits);
            // The codes take 26 bits at most.
            if sequence.extra_bits > 30 {
                bits.flush();
            }
            bits.put(sequence.extra, u32::from(sequence.extra_bits));
            bits.flush();
        }
        lengths.finish(length_state, &mut bits);
        distances.finish(distance_state, &mut bits);
        literals.finish(literal_state, &mut bits);
        bits.finish_backward()
    }
}

/// One of the three numbers of sequences: its codes' counts in the block, and the table in use.
struct Field {
    counts: [u32; SYMBOLS],
    code: Code,
    held: Held,
    default: &'static Shares,
    default_log: u32,
    most_log: u32,
}

/// Which table a field's code is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// None that decoders have.
    Nothing,
    Predefined,
    Single,
    Described,
}

/// How a section says which table a field has.
#[derive(Clone, Copy)]
enum Mode {
    Predefined = 0,
    Single = 1,
    Described = 2,
    Repeated = 3,
}

impl Field {
    fn new(default: &'static Shares, default_log: u32, most_log: u32) -> Field {
        Field {
            counts: [0; SYMBOLS],
            code: Code::single(),
            held: Held::Nothing,
            default,
            default_log,
            most_log,
        }
    }

    /// Chooses the table by what the block takes with it, and describes it. Returns where the next byte goes.
    fn write(&mut self, total: u32, out: &mut [u8], at: usize) -> (Mode, usize) {
        let last = self.counts.iter().rposition(|&count| count > 0);
        let last = last.unwrap_or(0);
        let mut best = (Mode::Predefined, self.predefined_cost());
        if self.held == Held::Described
            && let Some(cost) = self.code.cost(&self.counts)
            && cost <= best.1
        {
            best = (Mode::Repeated, cost);
        }
        if self.counts[last] == total {
            let single = u64::from(8 * BIT);
            if single <= best.1 {
                best = (Mode::Single, single);
            }
        } else {
            let described = entropy(&self.counts, total) + self.description_cost(last);
            if described < best.1 {
                best = (Mode::Described, described);
            }
        }
        let mode = best.0;
        match mode {
            Mode::Repeated => (mode, at),
            Mode::Predefined => {
                if self.held != Held::Predefined {
                    self.code.set(self.default, self.default_log);
                    self.held = Held::Predefined;
                }
                (mode, at)
            }
            Mode::Single => {
                self.code.set_single();
                self.held = Held::Single;
                out[at] = last as u8;
                (mode, at + 1)
            }
            Mode::Described => {
                let log = log_for(total, last, self.most_log);
                let shares = shares_of(&self.counts, total, log);
                self.code.set(&shares, log);
                self.held = Held::Described;
                debug_assert!(out.len() >= at + SYMBOLS * 2 + SLACK);
                let mut bits = BitWriter::new(out, at);
                describe(&shares, log, &mut bits);
                (mode, bits.finish())
            }
        }
    }

    fn predefined_cost(&self) -> u64 {
        cost(self.default, self.default_log, &self.counts).unwrap_or(u64::MAX)
    }

    /// About what the description of a table takes whose last symbol is this one: five bits for a share, one for none.
    /// Eight bytes more stand for the time to make it.
    fn description_cost(&self, last: usize) -> u64 {
        let of = |&count: &u32| if count > 0 { 5 } else { 1 };
        let bits: u64 = self.counts[..=last].iter().map(of).sum();
        (bits + u64::from(MIN_LOG) + 64) * u64::from(BIT)
    }
}

/// What stands for a distance (section 3.1.1.5): 1 to 3 for recent ones, else 3 more than it is; and the recent ones from
/// then on. After no literals the last distance is not among the recent ones, but one less than it is.
#[inline(always)]
fn distance_value(recent: [u32; 3], literals: u32, distance: u32) -> (u32, [u32; 3]) {
    let [first, second, third] = recent;
    let some = literals > 0;
    // Which case it is changes all the time: choices cost less than jumps.
    let is_first = distance == first && some;
    let is_second = distance == second && !is_first;
    let is_third = distance == third;
    let is_below = distance + 1 == first && !some;
    let recent = [
        distance,
        if is_first { second } else { first },
        if is_first || is_second { third } else { second },
    ];
    let value = if is_below { 3 } else { distance + 3 };
    let value = if is_third { 2 + u32::from(some) } else { value };
    let value = if is_second {
        1 + u32::from(some)
    } else {
        value
    };
    (if is_first { 1 } else { value }, recent)
}

/// Extra bits of the codes of numbers of literals (table 14), which count from 0.
const LITERALS_BITS: [u8; 36] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

/// Extra bits of the codes of lengths (table 15), which count from [`SHORTEST`].
const LENGTHS_BITS: [u8; 53] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

/// A number as it is written: its code, so many extra bits, and what they are.
#[derive(Clone, Copy)]
struct Number {
    code: u8,
    bits: u8,
    extra: u16,
}

/// The first numbers; beyond, each code has as many as all before it.
const LITERALS: [Number; 64] = numbers(&LITERALS_BITS);
const LENGTHS: [Number; 512] = numbers(&LENGTHS_BITS);

const fn numbers<const N: usize>(bits: &[u8]) -> [Number; N] {
    let mut numbers = [Number {
        code: 0,
        bits: 0,
        extra: 0,
    }; N];
    let (mut code, mut first) = (0, 0);
    let mut number = 0;
    while number < N {
        if number == first + (1 << bits[code]) {
            first = number;
            code += 1;
        }
        numbers[number] = Number {
            code: code as u8,
            bits: bits[code],
            extra: (number - first) as u16,
        };
        number += 1;
    }
    numbers
}

/// A number of literals.
#[inline(always)]
fn literals_number(literals: u32) -> Number {
    let known = LITERALS.get(literals as usize).copied();
    known.unwrap_or_else(|| large(literals, 19))
}

/// A length.
#[inline(always)]
fn length_number(length: u32) -> Number {
    let more = length.wrapping_sub(SHORTEST as u32);
    let known = LENGTHS.get(more as usize).copied();
    known.unwrap_or_else(|| large(more, 36))
}

/// A number beyond the first ones: its code is so much above its logarithm.
fn large(number: u32, above: u8) -> Number {
    let bits = number.ilog2() as u8;
    Number {
        code: bits + above,
        bits,
        extra: (number ^ 1 << bits) as u16,
    }
}

/// Shares of the predefined tables (section 3.1.1.3.2.2).
const LITERALS_DEFAULT: Shares = shares([
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, //
    2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
]);
const DISTANCES_DEFAULT: Shares = shares([
    1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
]);
const LENGTHS_DEFAULT: Shares = shares([
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, //
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
]);

const fn shares<const N: usize>(given: [i16; N]) -> Shares {
    let mut shares = [0; SYMBOLS];
    let mut symbol = 0;
    while symbol < N {
        shares[symbol] = given[symbol];
        symbol += 1;
    }
    shares
}
