//! The sequences of a block (RFC 8878, section 3.1.1.3.2): so many literals, then so many bytes from so far back.
//!
//! Each of the three numbers is a code and some extra bits. The codes go through [`fse`](super::fse), with a table for
//! each of the three.

use super::bits::{BIT, BitWriter, SLACK, entropy};
use super::fse::{Code, MIN_LOG, SYMBOLS, Shares, cost, describe, log_for, shares_of};

/// The shortest repeat that the format has.
pub(super) const SHORTEST: usize = 3;

/// The most bytes that a sequence takes: 26 bits for codes, 55 for extra bits.
pub(super) const SEQUENCE_BYTES: usize = 11;

/// The most bytes that a section takes beside its sequences.
pub(super) const SECTION_BYTES: usize = 512;

/// The sequences of a block, and what decoders know from the blocks before.
pub(super) struct Sequences {
    list: Vec<Sequence>,
    /// The same, as they are written.
    coded: Vec<Coded>,
    literals: Field,
    distances: Field,
    lengths: Field,
    /// The distances that have short codes, the last one first.
    recent: [u32; 3],
    /// Those when the block began.
    before: [u32; 3],
}

#[derive(Clone, Copy)]
struct Sequence {
    literals: u32,
    length: u32,
    distance: u32,
}

/// A sequence as codes, and the extra bits of all three.
#[derive(Clone, Copy)]
struct Coded {
    extra: u64,
    extra_bits: u8,
    literals: u8,
    distance: u8,
    length: u8,
}

impl Sequences {
    /// Those of a frame's first block.
    pub fn new() -> Sequences {
        Sequences {
            list: Vec::new(),
            coded: Vec::new(),
            literals: Field::new(&LITERALS_DEFAULT, 6, 9),
            distances: Field::new(&DISTANCES_DEFAULT, 5, 8),
            lengths: Field::new(&LENGTHS_DEFAULT, 6, 9),
            recent: [1, 4, 8],
            before: [1, 4, 8],
        }
    }

    /// Begins a block.
    pub fn clear(&mut self) {
        self.list.clear();
        self.literals.counts = [0; SYMBOLS];
        self.distances.counts = [0; SYMBOLS];
        self.lengths.counts = [0; SYMBOLS];
        self.before = self.recent;
    }

    /// Takes back the block: decoders do not get to know of it.
    pub fn forget(&mut self) {
        self.recent = self.before;
        self.literals.held = Held::Nothing;
        self.distances.held = Held::Nothing;
        self.lengths.held = Held::Nothing;
    }

    /// How many sequences the block has.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds so many literals and a repeat, unless it takes no less than its bytes as literals do; returns whether it
    /// did. They are no more than a block has.
    #[inline]
    pub fn push(&mut self, literals: usize, length: usize, distance: u32) -> bool {
        if length < 6 {
            let same = |last: &Sequence| last.distance == distance;
            let shortest = if self.list.last().is_some_and(same) {
                SHORTEST
            } else {
                5 + usize::from(distance >= 1 << 12)
            };
            if length < shortest {
                return false;
            }
        }
        self.list.push(Sequence {
            literals: literals as u32,
            length: length as u32,
            distance,
        });
        true
    }

    /// Makes codes of the sequences, and counts them.
    fn code(&mut self) {
        let recent = &mut self.recent;
        let (literals, distances, lengths) = (
            &mut self.literals.counts,
            &mut self.distances.counts,
            &mut self.lengths.counts,
        );
        self.coded.clear();
        self.coded.extend(self.list.iter().map(|sequence| {
            let (literal_code, literal_extra, literal_bits) = literals_code(sequence.literals);
            let (length_code, length_extra, length_bits) = length_code(sequence.length);
            let value = distance_value(recent, sequence.literals, sequence.distance);
            let bits = value.ilog2();
            literals[usize::from(literal_code) % SYMBOLS] += 1;
            lengths[usize::from(length_code) % SYMBOLS] += 1;
            distances[bits as usize % SYMBOLS] += 1;
            let extra = u64::from(literal_extra) | u64::from(length_extra) << (literal_bits & 63);
            let before = literal_bits + length_bits;
            Coded {
                extra: extra | u64::from(value ^ (1 << bits)) << (before & 63),
                extra_bits: (before + bits) as u8,
                literals: literal_code,
                distance: bits as u8,
                length: length_code,
            }
        }));
    }

    /// Writes the section from there on; returns where the next byte goes.
    pub fn write(&mut self, out: &mut [u8], mut at: usize) -> usize {
        self.code();
        let total = self.coded.len();
        let Some((&last, rest)) = self.coded.split_last() else {
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

/// What stands for a distance (section 3.1.1.5): 1 to 3 for recent ones, else 3 more than it is. After no literals
/// the last distance is not among the recent ones, but one less than it is.
#[inline]
fn distance_value(recent: &mut [u32; 3], literals: u32, distance: u32) -> u32 {
    let [first, second, third] = *recent;
    let some = literals > 0;
    // Which case it is changes all the time: choices cost less than jumps.
    let is_first = distance == first && some;
    let is_second = distance == second && !is_first;
    let is_third = distance == third;
    let is_below = distance + 1 == first && !some;
    *recent = [
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
    if is_first { 1 } else { value }
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

/// The first number of each code, and its extra bits.
const LITERALS_RANGES: [(u32, u32); SYMBOLS] = ranges(&LITERALS_BITS, 0);
const LENGTHS_RANGES: [(u32, u32); SYMBOLS] = ranges(&LENGTHS_BITS, SHORTEST as u32);

const fn ranges(bits: &[u8], first: u32) -> [(u32, u32); SYMBOLS] {
    let mut ranges = [(0, 0); SYMBOLS];
    let mut next = first;
    let mut code = 0;
    while code < bits.len() {
        ranges[code] = (next, bits[code] as u32);
        next += 1 << bits[code];
        code += 1;
    }
    ranges
}

/// The codes of the first numbers; beyond, each code has as many as all before it.
const LITERALS_CODES: [u8; 64] = codes(&LITERALS_RANGES, 0);
const LENGTHS_CODES: [u8; 512] = codes(&LENGTHS_RANGES, SHORTEST as u32);

const fn codes<const N: usize>(ranges: &[(u32, u32); SYMBOLS], first: u32) -> [u8; N] {
    let mut codes = [0; N];
    let mut code = 0;
    let mut number = 0;
    while number < N {
        if number as u32 + first >= ranges[code + 1].0 {
            code += 1;
        }
        codes[number] = code as u8;
        number += 1;
    }
    codes
}

/// The code of a number of literals, its extra bits and how many they are.
#[inline]
fn literals_code(literals: u32) -> (u8, u32, u32) {
    let code = match literals {
        ..64 => LITERALS_CODES[literals as usize % LITERALS_CODES.len()],
        _ => literals.ilog2() as u8 + 19,
    };
    let (first, bits) = LITERALS_RANGES[usize::from(code) % SYMBOLS];
    (code, literals - first, bits)
}

/// The code of a length, its extra bits and how many they are.
#[inline]
fn length_code(length: u32) -> (u8, u32, u32) {
    let more = length - SHORTEST as u32;
    let code = match more {
        ..512 => LENGTHS_CODES[more as usize % LENGTHS_CODES.len()],
        _ => more.ilog2() as u8 + 36,
    };
    let (first, bits) = LENGTHS_RANGES[usize::from(code) % SYMBOLS];
    (code, length - first, bits)
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
