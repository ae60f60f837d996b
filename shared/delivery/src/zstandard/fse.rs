//! Finite state entropy (RFC 8878, section 4.1): codes whose symbols take fractions of bits.
//!
//! A coder has 2^log states. Each symbol owns a share of them, by how frequent it is. To write a symbol is to go
//! to one of its states; the bits say which of the states that lead there it was. As decoders go the way back,
//! symbols are written from the last to the first.

use super::bits::{BIT, BitWriter, logarithm};

/// Symbols that a table has at most.
pub(super) const SYMBOLS: usize = 64;

/// The largest table is of 2^9 states.
const STATES: usize = 512;

/// A table has at least 2^5 states.
pub(super) const MIN_LOG: u32 = 5;

/// How many states each symbol owns. -1 is one state, too, but at the table's end.
pub(super) type Shares = [i16; SYMBOLS];

/// The code of a table: its states, and how symbols lead to them.
#[derive(Clone)]
pub(super) struct Code {
    log: u32,
    shares: Shares,
    /// As many as a byte tells apart.
    steps: [Step; 256],
    /// States of a symbol stand together, in the table's order. States count from 2^log on.
    states: [u16; STATES],
}

/// How a symbol leads to its next state.
#[derive(Clone, Copy, Default)]
struct Step {
    /// With the state added, the bits to write are above the 16th.
    bits: u32,
    /// What is added to the rest of the state: where it is in the list of states.
    first: i32,
}

/// The place in a [`Code`] where an encoder stands.
#[derive(Clone, Copy)]
pub(super) struct State(u32);

impl Code {
    /// A code of one symbol, which takes no bits.
    pub fn single() -> Code {
        Code {
            log: 0,
            shares: [0; SYMBOLS],
            steps: [Step::default(); 256],
            states: [0; STATES],
        }
    }

    /// Becomes the code of one symbol, whichever it is.
    pub fn set_single(&mut self) {
        self.log = 0;
        self.steps.fill(Step::default());
        self.states[0] = 0;
    }

    /// Becomes the code of these shares, whose sum is 2^log; two symbols have one at least.
    pub fn set(&mut self, shares: &Shares, log: u32) {
        let size = 1_usize << log;
        self.log = log;
        self.shares = *shares;
        let mut cells = [0_u8; STATES];
        let mut end = size;
        // Where the states of each symbol start in the list.
        let mut starts = [0_u16; SYMBOLS];
        let mut total = 0_i32;
        for (symbol, &share) in shares.iter().enumerate() {
            starts[symbol] = total as u16;
            let count = match share {
                0 => continue,
                -1 => {
                    end -= 1;
                    cells[end] = symbol as u8;
                    1
                }
                share => u32::from(share.unsigned_abs()),
            };
            let bits = if count == 1 {
                log
            } else {
                log - (count - 1).ilog2()
            };
            self.steps[symbol] = Step {
                bits: (bits << 16) - (count << bits),
                first: total - count as i32,
            };
            total += count as i32;
        }
        // Symbols are dealt out over the table in strides that reach every cell once.
        let stride = (size >> 1) + (size >> 3) + 3;
        let mut at = 0;
        for (symbol, &share) in shares.iter().enumerate() {
            for _ in 0..share {
                cells[at] = symbol as u8;
                at = (at + stride) & (size - 1);
                while at >= end {
                    at = (at + stride) & (size - 1);
                }
            }
        }
        for (state, &symbol) in (size..).zip(&cells[..size]) {
            let next = &mut starts[usize::from(symbol) % SYMBOLS];
            self.states[usize::from(*next) % STATES] = state as u16;
            *next += 1;
        }
    }

    /// Starts with the last symbol, which takes no bits.
    pub fn start(&self, symbol: u8) -> State {
        let step = self.steps[usize::from(symbol)];
        let bits = (step.bits + (1 << 15)) >> 16;
        self.next(step, (bits << 16).wrapping_sub(step.bits) >> bits)
    }

    /// Writes the symbol that comes before those written.
    #[inline(always)]
    pub fn put(&self, state: &mut State, symbol: u8, bits: &mut BitWriter<'_>) {
        let step = self.steps[usize::from(symbol)];
        let count = (state.0 + step.bits) >> 16;
        let rest = state.0.wrapping_shr(count);
        bits.put(u64::from(state.0 - rest.wrapping_shl(count)), count);
        *state = self.next(step, rest);
    }

    /// Writes the state where decoders start.
    pub fn finish(&self, state: State, bits: &mut BitWriter<'_>) {
        bits.put(u64::from(state.0 & ((1 << self.log) - 1)), self.log);
    }

    #[inline(always)]
    fn next(&self, step: Step, rest: u32) -> State {
        let at = (rest as i32 + step.first) as usize % STATES;
        State(u32::from(self.states[at]))
    }

    /// What symbols of these counts take in this code, in fractions of a bit; `None` if it lacks one.
    pub fn cost(&self, counts: &[u32; SYMBOLS]) -> Option<u64> {
        cost(&self.shares, self.log, counts)
    }
}

/// What symbols of these counts take in a code of these shares, in fractions of [`BIT`]; `None` if it lacks one.
pub(super) fn cost(shares: &Shares, log: u32, counts: &[u32; SYMBOLS]) -> Option<u64> {
    let mut sum = 0;
    for (&count, &share) in counts.iter().zip(shares) {
        if count > 0 {
            if share == 0 {
                return None;
            }
            let bits = log * BIT - logarithm(u32::from(share.unsigned_abs()));
            sum += u64::from(count) * u64::from(bits);
        }
    }
    Some(sum)
}

/// The size of a table that is worth it for so many symbols up to that one: enough for each to have a state.
pub(super) fn log_for(total: u32, last: usize, most: u32) -> u32 {
    let exact = (total.max(2) - 1).ilog2().saturating_sub(2);
    let enough = (total.max(1).ilog2() + 1).min((last.max(1)).ilog2() + 2);
    exact.min(most).max(enough).max(MIN_LOG)
}

/// Shares by these counts, of which two are not 0; they sum up to 2^log, which is more than the symbols are.
pub(super) fn shares_of(counts: &[u32; SYMBOLS], total: u32, log: u32) -> Shares {
    let mut shares = [0; SYMBOLS];
    let mut left = 1_i32 << log;
    let mut largest = 0;
    // Behind the point are 32 bits.
    let scale = (1_u64 << (32 + log)) / u64::from(total);
    for (symbol, &count) in counts.iter().enumerate() {
        if count > 0 {
            let share = (u64::from(count) * scale + (1 << 31)) >> 32;
            shares[symbol] = share.max(1) as i16;
            left -= i32::from(shares[symbol]);
            if shares[symbol] > shares[largest] {
                largest = symbol;
            }
        }
    }
    // What rounding took or gave goes to the largest share, which notices it least, or to many of them.
    if left.abs() * 4 <= i32::from(shares[largest]) {
        shares[largest] += left as i16;
        return shares;
    }
    while left != 0 {
        shares[largest] += left.signum() as i16;
        left -= left.signum();
        largest = (0..SYMBOLS)
            .max_by_key(|&symbol| shares[symbol])
            .unwrap_or(largest);
    }
    shares
}

/// Writes which shares the symbols have (section 4.1.1). Decoders know from the sum which the last one is.
pub(super) fn describe(shares: &Shares, log: u32, bits: &mut BitWriter<'_>) {
    bits.put(u64::from(log - MIN_LOG), 4);
    // One more than what is left, and the power of two at or below it.
    let mut left = (1_u32 << log) + 1;
    let mut width = log;
    let mut symbol = 0;
    while left > 1 && symbol < SYMBOLS {
        let share = shares[symbol];
        symbol += 1;
        // There are 2^(width + 1) - 1 - left short values, which take a bit less.
        let short = (2_u32 << width) - 1 - left;
        let mut value = (share + 1) as u32;
        if value < short {
            bits.put(u64::from(value), width);
        } else {
            if value >= 1 << width {
                value += short;
            }
            bits.put(u64::from(value), width + 1);
        }
        bits.flush();
        left -= u32::from(share.unsigned_abs());
        width = left.ilog2();
        if share == 0 {
            // How many more there are without a share.
            let mut more = shares[symbol..]
                .iter()
                .take_while(|&&share| share == 0)
                .count();
            symbol += more;
            while more >= 3 {
                bits.put(3, 2);
                bits.flush();
                more -= 3;
            }
            bits.put(more as u64, 2);
        }
    }
}
