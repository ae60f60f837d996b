//! Chance that is the same on every platform.

/// The finisher of splitmix64: a number that looks random for each input.
pub(super) fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// xoshiro256++, seeded by splitmix64.
#[derive(Debug)]
pub(super) struct Random {
    state: [u64; 4],
}

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        let golden: u64 = 0x9e37_79b9_7f4a_7c15;
        Random {
            state: [
                mix(seed),
                mix(seed.wrapping_add(golden)),
                mix(seed.wrapping_add(golden.wrapping_mul(2))),
                mix(seed.wrapping_add(golden.wrapping_mul(3))),
            ],
        }
    }

    pub(super) fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        let (b_next, a_next) = (b ^ c, a ^ d);
        self.state = [a_next, b_next, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        // The product of two 32-bit numbers, shifted by 32, fits in 32 bits.
        (((self.next() >> 32) * u64::from(limit)) >> 32) as u32
    }
}

/// The exponents in use; both are a step of one twentieth from one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Exponent {
    OneAndATwentieth,
    NineteenTwentieths,
}

/// Draws ranks by Zipf's law in constant time (the alias method).
#[derive(Debug)]
pub(super) struct Zipf {
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// The part of 2^32 in which the cell's own rank is drawn.
    keep: u32,
    /// The rank drawn otherwise.
    pub(super) other: u32,
}

impl Zipf {
    pub(super) fn new(ranks: u32, exponent: Exponent) -> Zipf {
        // Only operations that IEEE 754 defines to the last bit: `powf` differs by platform.
        let mut weights = Vec::with_capacity(ranks as usize);
        let mut sum = 0.0;
        let mut fifth_root = 1.0_f64;
        for rank in 1..=ranks {
            let rank = f64::from(rank);
            for _ in 0..4 {
                let square = fifth_root * fifth_root;
                fifth_root = (4.0 * fifth_root + rank / (square * square)) / 5.0;
            }
            let twentieth_root = fifth_root.sqrt().sqrt();
            let weight = match exponent {
                Exponent::OneAndATwentieth => 1.0 / (rank * twentieth_root),
                Exponent::NineteenTwentieths => twentieth_root / rank,
            };
            sum += weight;
            weights.push(weight);
        }
        let scale = f64::from(ranks) / sum;
        let mut cells = vec![
            Cell {
                keep: u32::MAX,
                other: 0,
            };
            ranks as usize
        ];
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for (rank, weight) in (0..ranks).zip(&weights) {
            let scaled = weight * scale;
            if scaled < 1.0 {
                small.push((rank, scaled));
            } else {
                large.push((rank, scaled));
            }
        }
        while let (Some(&(rank, part)), Some(&(other, rest))) = (small.last(), large.last()) {
            small.pop();
            large.pop();
            if let Some(cell) = cells.get_mut(rank as usize) {
                // A float turns into an integer the same way everywhere: cut and clamped.
                cell.keep = (part * 4_294_967_296.0) as u32;
                cell.other = other;
            }
            let left = rest + part - 1.0;
            if left < 1.0 {
                small.push((other, left));
            } else {
                large.push((other, left));
            }
        }
        Zipf { cells }
    }

    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        let bits = random.next();
        let ranks = self.cells.len() as u64;
        // Below the count of ranks, which is a 32-bit number.
        let rank = (((bits >> 32) * ranks) >> 32) as u32;
        match self.cells.get(rank as usize) {
            // The lower half of the same number decides within the cell.
            Some(cell) if bits as u32 > cell.keep => cell.other,
            _ => rank,
        }
    }
}
