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
    literals: Field,
    distances: Field,
    lengths: Field,
    /// The distances that have short codes, the last one first.
    recent: [u32; 3],
    /// Those when the block began.
    before: [u32; 3],
}

/// A sequence as codes, and the extra bits of all three.
#[derive(Clone, Copy)]
struct Sequence {
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

    /// Whether a repeat takes less than its bytes as literals do.
    #[inline]
    pub fn saves(&self, length: usize, distance: u32) -> bool {
        length >= 7
            || length >= SHORTEST
                && (self.recent.contains(&distance)
                    || length >= 5 + usize::from(distance >= 1 << 12)
                    || length == 4 && distance < 1 << 7)
    }

    /// Adds a sequence. Both numbers together are no more than a block has, the length is [`SHORTEST`] or more.
    #[inline]
    pub fn push(&mut self, literals: u32, length: u32, distance: u32) {
        let (literal_code, literal_bits) = literals_code(literals);
        let (length_code, length_bits) = length_code(length);
        let value = self.distance_value(literals, distance);
        let distance_code = value.ilog2();
        let low = |value: u32, bits: u32| u64::from(value & ((1 << bits) - 1));
        self.literals.counts[usize::from(literal_code) % SYMBOLS] += 1;
        self.lengths.counts[usize::from(length_code) % SYMBOLS] += 1;
        self.distances.counts[distance_code as usize % SYMBOLS] += 1;
        self.list.push(Sequence {
            extra: low(literals, literal_bits)
                | low(length - SHORTEST as u32, length_bits) << literal_bits
                | low(value, distance_code) << (literal_bits + length_bits),
            extra_bits: (literal_bits + length_bits + distance_code) as u8,
            literals: literal_code,
            distance: distance_code as u8,
            length: length_code,
        });
    }

    /// What stands for a distance (section 3.1.1.5): 1 to 3 for recent ones, else 3 more than it is. After no literals
    /// the last distance is not among the recent ones, but one less than it is.
    #[inline]
    fn distance_value(&mut self, literals: u32, distance: u32) -> u32 {
        let [first, second, third] = self.recent;
        let short = u32::from(literals > 0);
        if distance == first && literals > 0 {
            return 1;
        }
        if distance == second {
            self.recent = [second, first, third];
            return 1 + short;
        }
        if distance == third {
            self.recent = [third, first, second];
            return 2 + short;
        }
        self.recent = [distance, first, second];
        if distance + 1 == first && literals == 0 {
            3
        } else {
            distance + 3
        }
    }

    /// Writes the section from there on; returns where the next byte goes.
    pub fn write(&mut self, out: &mut [u8], mut at: usize) -> usize {
        let total = self.list.len();
        let Some((&last, rest)) = self.list.split_last() else {
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

/// Numbers of literals below this have their codes in a table.
const LITERALS_LISTED: usize = 64;

/// Extra bits of the codes of numbers of literals (table 14).
const LITERALS_BITS: [u8; 36] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

/// Lengths below this, without [`SHORTEST`], have their codes in a table.
const LENGTHS_LISTED: usize = 128;

/// Extra bits of the codes of lengths (table 15).
const LENGTHS_BITS: [u8; 53] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

const LITERALS_CODES: [(u8, u8); LITERALS_LISTED] = listed(&LITERALS_BITS);
const LENGTHS_CODES: [(u8, u8); LENGTHS_LISTED] = listed(&LENGTHS_BITS);

/// Codes and extra bits of the numbers from 0 on, where each code goes on from the one before.
const fn listed<const N: usize>(bits: &[u8]) -> [(u8, u8); N] {
    let mut codes = [(0, 0); N];
    let mut code = 0;
    let mut next = 0;
    while next < N {
        let end = next + (1 << bits[code]);
        while next < end && next < N {
            codes[next] = (code as u8, bits[code]);
            next += 1;
        }
        code += 1;
    }
    codes
}

/// The code of a number of literals, and its extra bits: the lowest ones of the number.
#[inline]
fn literals_code(literals: u32) -> (u8, u32) {
    match LITERALS_CODES.get(literals as usize) {
        Some(&(code, bits)) => (code, u32::from(bits)),
        None => (literals.ilog2() as u8 + 19, literals.ilog2()),
    }
}

/// The code of a length, and its extra bits: the lowest ones of what it has more than [`SHORTEST`].
#[inline]
fn length_code(length: u32) -> (u8, u32) {
    let more = length - SHORTEST as u32;
    match LENGTHS_CODES.get(more as usize) {
        Some(&(code, bits)) => (code, u32::from(bits)),
        None => (more.ilog2() as u8 + 36, more.ilog2()),
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
