use std::io::Read;

use proptest::prelude::*;

use super::*;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// As often between 1 and 2 as between 1024 and 2048.
    fn skewed(&mut self, end: usize) -> usize {
        let bits = self.below(end.ilog2() as usize + 1) as u32;
        (1_usize << bits) + self.below(1 << bits)
    }
}

#[derive(Debug, Clone, Copy)]
enum Alphabet {
    AnyByte,
    Ascii,
    Digits,
    One,
    Two,
    /// Each byte half as often as the one before: words of a Huffman code would get longer than allowed.
    Halved,
    /// The same, above ASCII.
    HalvedHigh,
    /// Few of all bytes, most of them rare.
    Rare,
}

impl Alphabet {
    fn byte(self, random: &mut Random) -> u8 {
        match self {
            Alphabet::AnyByte => random.next() as u8,
            Alphabet::Ascii => b' ' + random.below(95) as u8,
            Alphabet::Digits => b'0' + random.below(10) as u8,
            Alphabet::One => b'x',
            Alphabet::Two => b'a' + random.below(2) as u8,
            Alphabet::Halved => b'A' + random.next().trailing_zeros().min(60) as u8,
            Alphabet::HalvedHigh => 150 + random.next().trailing_zeros().min(60) as u8,
            Alphabet::Rare => match random.below(50) {
                0 => random.next() as u8,
                some => b'a' + (some % 5) as u8,
            },
        }
    }
}

/// Literals, then a repeat. Sizes are as those that a seed gives, below these ends.
#[derive(Debug, Clone)]
struct Step {
    alphabet: Alphabet,
    literals: usize,
    length: usize,
    /// Repeats the distance of the one so many before, if there is one.
    same: Option<usize>,
    seed: u64,
    times: usize,
}

fn step() -> impl Strategy<Value = Step> {
    let alphabet = prop_oneof![
        Just(Alphabet::AnyByte),
        Just(Alphabet::Ascii),
        Just(Alphabet::Digits),
        Just(Alphabet::One),
        Just(Alphabet::Two),
        Just(Alphabet::Halved),
        Just(Alphabet::HalvedHigh),
        Just(Alphabet::Rare),
    ];
    let size = || prop_oneof![4 => 1..30_usize, 2 => 1..2000_usize, 1 => 1..200_000_usize];
    let same = prop_oneof![Just(None), (0..4_usize).prop_map(Some)];
    (alphabet, size(), size(), same, any::<u64>(), 1..400_usize).prop_map(
        |(alphabet, literals, length, same, seed, times)| Step {
            alphabet,
            literals,
            length,
            same,
            seed,
            // Not too much of what is large.
            times: times.min(300_000 / (literals + length)).max(1),
        },
    )
}

/// A text, and its repeats as places in it.
fn text(steps: &[Step]) -> (Vec<u8>, Vec<(usize, usize, usize)>) {
    let mut text = Vec::new();
    let mut repeats: Vec<(usize, usize, usize)> = Vec::new();
    for step in steps {
        let mut random = Random(step.seed);
        for _ in 0..step.times {
            for _ in 0..random.below(step.literals) {
                text.push(step.alphabet.byte(&mut random));
            }
            if text.is_empty() {
                continue;
            }
            let distance = step
                .same
                .and_then(|before| repeats.iter().rev().nth(before))
                .map_or_else(|| random.skewed(text.len()), |repeat| repeat.2)
                .min(text.len());
            let length = random.skewed(step.length);
            repeats.push((text.len(), length, distance));
            for _ in 0..length {
                text.push(text[text.len() - distance]);
            }
        }
    }
    (text, repeats)
}

fn repeat(at: usize, len: usize, distance: usize) -> Repeat {
    Repeat {
        at: at as u32,
        len: len as u32,
        distance: distance as u32,
        left_out: 0,
    }
}

/// The frame of a text in pieces that end there; repeats are cut where they end. Of every so many repeats, one is left
/// out of the text but for some bytes.
fn frame(
    text: &[u8],
    repeats: &[(usize, usize, usize)],
    ends: &[usize],
    leaves_out: Option<usize>,
) -> Vec<u8> {
    let mut frame = Frame::new();
    let mut written = frame.written();
    let mut start = 0;
    for &end in ends.iter().chain([&text.len()]) {
        let mut of_piece = Vec::new();
        let (mut stored, mut done) = (Vec::new(), start);
        for (number, &(at, len, distance)) in repeats.iter().enumerate() {
            if at >= end || at + len <= start {
                continue;
            }
            let first = at.max(start);
            let mut repeat = repeat(first - start, (at + len).min(end) - first, distance);
            if leaves_out.is_some_and(|every| number % every == 0) && repeat.len >= LEAST_LEFT_OUT {
                let kept = number as u32 % 7;
                repeat.left_out = repeat.len - kept;
                stored.extend_from_slice(&text[done..first + kept as usize]);
                done = first + repeat.len as usize;
            }
            of_piece.push(repeat);
        }
        stored.extend_from_slice(&text[done..end]);
        frame.write(&stored, &of_piece);
        assert!(frame.written() >= written);
        written = frame.written();
        start = end;
    }
    let bytes = frame.finish();
    assert!(bytes.len() >= written);
    bytes
}

/// What decoders make of a frame: one that takes any window, and one that takes those that each one must.
fn decoded(frame: &[u8]) -> Vec<u8> {
    let any = zstd::decode_all(frame).unwrap();
    let mut decoder = zstd::stream::Decoder::new(frame).unwrap().single_frame();
    decoder.window_log_max(WINDOW.ilog2()).unwrap();
    let mut must = Vec::new();
    decoder.read_to_end(&mut must).unwrap();
    assert!(decoder.finish().buffer().is_empty());
    assert!(any == must);
    any
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_is_read(
        steps in prop::collection::vec(step(), 0..6),
        ends in prop::collection::vec(0..1_000_000_usize, 0..6),
        leaves_out in prop_oneof![Just(None), (1..4_usize).prop_map(Some)],
    ) {
        let (text, repeats) = text(&steps);
        let mut ends: Vec<usize> = ends.into_iter().filter(|&end| end <= text.len()).collect();
        ends.sort_unstable();
        prop_assert!(decoded(&frame(&text, &repeats, &ends, leaves_out)) == text);
    }

    /// Of a text that is the same everywhere, all repeats are true.
    #[test]
    fn repeats_that_cannot_be_are_literals(
        period in 1..9_u32,
        len in 0..3000_usize,
        mut repeats in prop::collection::vec((0..4000_u32, 0..500_u32, 0..600_u32), 0..60),
        wild in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u32>()), 0..4),
    ) {
        repeats.extend(wild);
        let text: Vec<u8> = (0..len).map(|at| (at % period as usize) as u8).collect();
        let whole = &text[..len - len % period as usize];
        let repeats: Vec<Repeat> = repeats
            .into_iter()
            .map(|(at, len, distance)| Repeat { at, len, distance: distance / period * period, left_out: 0 })
            .collect();
        let mut frame = Frame::new();
        frame.write(whole, &repeats);
        frame.write(&text, &repeats);
        prop_assert!(decoded(&frame.finish()) == [whole, &text].concat());
    }

    /// These are not true: were one taken, the text would be another.
    #[test]
    fn untrue_repeats_that_cannot_be_are_literals(seed: u64, len in 1000..5000_usize) {
        let mut random = Random(seed);
        let text: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        let mut twice = text.clone();
        twice.extend_from_slice(&text);
        let mut frame = Frame::new();
        frame.write(&twice, &[
            repeat(0, 10, 1),
            repeat(10, 10, 11),
            repeat(20, 10, 0),
            repeat(20, 10, WINDOW as usize + 1),
            repeat(20, 2 * len - 19, 1),
            Repeat { at: 20, len: u32::MAX, distance: 1, left_out: 0 },
            Repeat { at: u32::MAX, len: 9, distance: 1, left_out: 0 },
            Repeat { at: u32::MAX, len: u32::MAX, distance: u32::MAX, left_out: 0 },
            repeat(len, 100, len),
            repeat(len + 50, 100, 7),
            repeat(len - 50, 40, 7),
            repeat(len + 99, 8, 7),
            repeat(len + 100, len - 100, len),
            repeat(2 * len, 1, 7),
        ]);
        let bytes = frame.finish();
        prop_assert!(bytes.len() < len + 100, "{}", bytes.len());
        prop_assert!(decoded(&bytes) == twice);
    }
}

#[test]
fn nothing_is_an_empty_frame() {
    assert_eq!(decoded(&Frame::new().finish()), b"");
    let mut frame = Frame::new();
    frame.write(b"", &[]);
    frame.write(b"", &[repeat(0, 1, 1)]);
    assert_eq!(decoded(&frame.finish()), b"");
}

/// How many literals the codes stand for at least (table 14), and how many more lengths (table 15).
const LITERALS: [u32; 36] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64,
    128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536,
];
const LENGTHS: [u32; 53] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
    28, 29, 30, 31, 32, 33, 34, 35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027,
    2051, 4099, 8195, 16387, 32771, 65539,
];

/// The first and the last number of each code; the last one of all is what a block has at most.
fn borders(firsts: &[u32], most: u32) -> Vec<u32> {
    let ends = firsts.iter().skip(1).map(|first| first - 1).chain([most]);
    firsts
        .iter()
        .copied()
        .zip(ends)
        .flat_map(<[u32; 2]>::from)
        .collect()
}

#[test]
fn numbers_at_the_borders_of_codes_are_read() {
    let mut random = Random(1);
    let before: Vec<u8> = (0..100).map(|_| random.next() as u8).collect();
    let literals = borders(&LITERALS, BLOCK as u32 - 8 - 6).into_iter();
    let lengths = borders(&LENGTHS, BLOCK as u32 - 8 - 1).into_iter();
    let cases = literals
        .map(|literals| (literals as usize, 6, 5))
        // The same distance as before makes short repeats worth it, too.
        .chain(lengths.map(|length| (1, length as usize, 4)));
    for (literals, length, distance) in cases {
        let mut all = before.clone();
        let repeated = |all: &mut Vec<u8>, length, distance| {
            for _ in 0..length {
                all.push(all[all.len() - distance]);
            }
        };
        repeated(&mut all, 8, 4);
        all.extend((0..literals).map(|_| b'0' + random.below(10) as u8));
        repeated(&mut all, length, distance);
        let mut frame = Frame::new();
        frame.write(&before, &[]);
        let repeats = [repeat(0, 8, 4), repeat(8 + literals, length, distance)];
        frame.write(&all[100..], &repeats);
        assert_eq!(frame.sequences.len(), 2, "{literals}, {length}");
        assert!(decoded(&frame.finish()) == all, "{literals}, {length}");
    }
}

#[test]
fn distances_at_the_borders_of_codes_are_read_up_to_the_window() {
    let mut random = Random(2);
    let mut all: Vec<u8> = (0..1 << 16).map(|_| random.next() as u8).collect();
    let mut frame = Frame::new();
    frame.write(&all, &[]);
    // Repeats fill a window and some more, each text a bit different from the ones before.
    while all.len() < WINDOW as usize + (1 << 17) {
        let start = all.len();
        all.extend((0..100).map(|_| random.next() as u8));
        all.extend_from_within(start - (1 << 16) + 200..start);
        let len = all.len() - start - 100;
        frame.write(&all[start..], &[repeat(100, len, (1 << 16) - 100)]);
    }
    let mut distances: Vec<usize> = (2..24)
        .flat_map(|bits| [(1 << bits) - 4, (1 << bits) - 3, 1 << bits])
        .chain([WINDOW as usize])
        .filter(|&distance| distance > 0)
        .collect();
    distances.push(5);
    let start = all.len();
    let mut repeats = Vec::new();
    for &distance in &distances {
        for literals in [0, 1] {
            all.extend((0..literals).map(|_| random.next() as u8));
            repeats.push(repeat(all.len() - start, 9, distance));
            for _ in 0..9 {
                all.push(all[all.len() - distance]);
            }
        }
    }
    // Untrue, but too far.
    repeats.push(repeat(all.len() - start, 9, WINDOW as usize + 1));
    all.extend((0..9).map(|_| random.next() as u8));
    frame.write(&all[start..], &repeats);
    assert!(frame.sequences.len() >= distances.len());
    assert!(decoded(&frame.finish()) == all);
}

/// Each way to say a distance by a recent one, after literals and after none.
#[test]
fn recent_distances_are_read() {
    let mut random = Random(3);
    let mut all: Vec<u8> = (0..5000).map(|_| random.next() as u8).collect();
    let mut repeats = Vec::new();
    for number in 0..3000 {
        all.extend((0..number % 3).map(|_| random.next() as u8));
        let distance = match random.below(8) {
            0 => random.skewed(4000),
            1 => repeats
                .last()
                .map_or(7, |repeat: &Repeat| repeat.distance as usize - 1),
            some => repeats
                .iter()
                .nth_back(some % 3)
                .map_or(9, |repeat| repeat.distance as usize),
        };
        let distance = distance.max(1);
        let len = 3 + random.below(4);
        repeats.push(repeat(all.len(), len, distance));
        for _ in 0..len {
            all.push(all[all.len() - distance]);
        }
    }
    let mut frame = Frame::new();
    frame.write(&all, &repeats);
    assert!(decoded(&frame.finish()) == all);
}

/// A block that does not get smaller: what comes later must not build on its tables and distances.
#[test]
fn blocks_that_do_not_get_smaller_are_written_as_they_are() {
    let mut random = Random(4);
    let mut all = Vec::new();
    let mut frame = Frame::new();
    for number in 0..9 {
        let start = all.len();
        let noise = number % 3 == 1;
        let mask = if noise { 0xff } else { 15 };
        all.extend((0..693).map(|_| random.next() as u8 & mask));
        // Of a distance that the next block has, too.
        let distance = 100 + number / 3;
        for _ in 0..7 {
            all.push(all[all.len() - distance]);
        }
        frame.write(&all[start..], &[repeat(693, 7, distance)]);
        let header = frame.out[frame.last.unwrap()];
        assert_eq!(
            usize::from(header >> 1 & 3),
            if noise { RAW } else { COMPRESSED }
        );
    }
    assert!(decoded(&frame.finish()) == all);
}

/// Later blocks of the same kind take the code of the first one.
#[test]
fn codes_are_kept_from_block_to_block() {
    let mut random = Random(5);
    let mut piece = || -> Vec<u8> {
        (0..2000)
            .map(|_| Alphabet::Halved.byte(&mut random))
            .collect()
    };
    let (first, second) = (piece(), piece());
    let mut frame = Frame::new();
    frame.write(&first, &[]);
    let after_first = frame.written();
    frame.write(&second, &[]);
    let after_second = frame.written();
    // Two bits a byte, and no description.
    assert!(
        after_second - after_first < 2000 / 4 + 40,
        "{after_first} {after_second}"
    );
    assert_eq!(decoded(&frame.finish()), [first, second].concat());
}
