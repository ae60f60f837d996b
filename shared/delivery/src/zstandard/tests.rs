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

/// A part of a text as literals and sequences; repeats are cut where it ends, and those that are worth too little are
/// literals.
fn noted(
    text: &[u8],
    part: std::ops::Range<usize>,
    repeats: &[(usize, usize, usize)],
    least: usize,
) -> (Vec<u8>, Vec<Sequence>) {
    let (mut literals, mut sequences) = (Vec::new(), Vec::new());
    let mut done = part.start;
    for &(at, len, distance) in repeats {
        let start = at.max(done);
        let length = (at + len).min(part.end).saturating_sub(start);
        if length < least {
            continue;
        }
        literals.extend_from_slice(&text[done..start]);
        sequences.push(sequence(start - done, length, distance));
        done = start + length;
    }
    literals.extend_from_slice(&text[done..part.end]);
    (literals, sequences)
}

fn sequence(literals: usize, length: usize, distance: usize) -> Sequence {
    Sequence {
        literals: literals as u32,
        length: length as u32,
        distance: distance as u32,
    }
}

/// The frame of a text in parts that end there.
fn frame(text: &[u8], repeats: &[(usize, usize, usize)], ends: &[usize]) -> Vec<u8> {
    let mut frame = Frame::new();
    let mut written = frame.written();
    let mut start = 0;
    for &end in ends.iter().chain([&text.len()]) {
        let (literals, mut sequences) = noted(text, start..end, repeats, 6);
        frame.write(&literals, &mut sequences).unwrap();
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
    ) {
        let (text, repeats) = text(&steps);
        let mut ends: Vec<usize> = ends.into_iter().filter(|&end| end <= text.len()).collect();
        ends.sort_unstable();
        prop_assert!(decoded(&frame(&text, &repeats, &ends)) == text);
    }

    /// Short repeats from far away among bytes that no code makes smaller: a block must still have room for its headers.
    #[test]
    fn the_least_that_is_worth_it_fits_a_block(seed: u64, literals in 0..40_usize, near: bool) {
        let mut random = Random(seed);
        let mut text: Vec<u8> = (0..1 << 18).map(|_| random.next() as u8).collect();
        let start = text.len();
        let mut repeats = Vec::new();
        while text.len() < start + (1 << 18) {
            text.extend((0..random.below(literals + 1)).map(|_| random.next() as u8));
            let (length, most) = if near { (5, 1 << 12) } else { (6, start) };
            let distance = length + random.below(most - length);
            prop_assert!(Sequence::is_worth(length as u32, distance as u32));
            repeats.push((text.len(), length, distance));
            text.extend_from_within(text.len() - distance..text.len() - distance + length);
        }
        let mut frame = Frame::new();
        frame.write(&text[..start], &mut []).unwrap();
        let (literals, mut sequences) = noted(&text, start..text.len(), &repeats, 5);
        frame.write(&literals, &mut sequences).unwrap();
        prop_assert!(decoded(&frame.finish()) == text);
    }
}

#[test]
fn sequences_that_cannot_be_are_refused() {
    let text = [b'x'; 100];
    let write = |sequences: &mut [Sequence]| {
        let mut frame = Frame::new();
        frame.write(&text, &mut []).unwrap();
        let written = frame.write(&text, sequences);
        written.map(|()| decoded(&frame.finish()))
    };
    for unsound in [
        sequence(0, 10, 0),
        sequence(0, 10, 101),
        sequence(5, 10, 106),
        sequence(101, 10, 1),
        sequence(101, BLOCK, 1),
        sequence(0, 2, 1),
        sequence(0, 10, WINDOW as usize + 1),
        sequence(u32::MAX as usize, u32::MAX as usize, u32::MAX as usize),
    ] {
        assert_eq!(write(&mut [unsound]), Err(Unsound), "{unsound:?}");
        let farther = u32::from(unsound.distance > 0) * 5;
        let distance = unsound.distance.saturating_add(farther);
        let both = &mut [
            sequence(1, 4, 1),
            Sequence {
                distance,
                ..unsound
            },
        ];
        assert_eq!(write(both), Err(Unsound), "{both:?}");
    }
    assert_eq!(write(&mut [sequence(5, 10, 105)]), Ok(vec![b'x'; 210]));
}

#[test]
fn nothing_is_an_empty_frame() {
    assert_eq!(decoded(&Frame::new().finish()), b"");
    let mut frame = Frame::new();
    frame.write(b"", &mut []).unwrap();
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

/// How many blocks a frame has so far.
fn blocks(frame: &[u8]) -> usize {
    let (mut at, mut blocks) = (HEADER.len() + 1, 0);
    while let Some(&[a, b, c]) = frame[at..].first_chunk() {
        at += BLOCK_HEADER + (u32::from_le_bytes([a, b, c, 0]) >> 3) as usize;
        blocks += 1;
    }
    blocks
}

#[test]
fn numbers_at_the_borders_of_codes_are_read() {
    let mut random = Random(1);
    let before: Vec<u8> = (0..100).map(|_| random.next() as u8).collect();
    let literals = borders(&LITERALS, TARGET as u32 - 8 - 6).into_iter();
    let lengths = borders(&LENGTHS, TARGET as u32 - 8 - 1).into_iter();
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
        frame.write(&before, &mut []).unwrap();
        let sequences = &mut [sequence(0, 8, 4), sequence(literals, length, distance)];
        frame.write(&all[108..][..literals], sequences).unwrap();
        assert_eq!(blocks(&frame.out), 2, "{literals}, {length}");
        assert!(decoded(&frame.finish()) == all, "{literals}, {length}");
    }
}

#[test]
fn distances_at_the_borders_of_codes_are_read_up_to_the_window() {
    let mut random = Random(2);
    let mut all: Vec<u8> = (0..1 << 16).map(|_| random.next() as u8).collect();
    let mut frame = Frame::new();
    frame.write(&all, &mut []).unwrap();
    // Repeats fill a window and some more, each text a bit different from the ones before.
    while all.len() < WINDOW as usize + (1 << 17) {
        let start = all.len();
        all.extend((0..100).map(|_| random.next() as u8));
        all.extend_from_within(start - (1 << 16) + 200..start);
        let len = all.len() - start - 100;
        let mut sequences = [sequence(100, len, (1 << 16) - 100)];
        frame.write(&all[start..][..100], &mut sequences).unwrap();
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
            repeats.push((all.len(), 9, distance));
            for _ in 0..9 {
                all.push(all[all.len() - distance]);
            }
        }
    }
    let (literals, mut sequences) = noted(&all, start..all.len(), &repeats, 9);
    assert_eq!(sequences.len(), 2 * distances.len());
    frame.write(&literals, &mut sequences).unwrap();
    assert!(decoded(&frame.finish()) == all);
}

/// Each way to say a distance by a recent one, after literals and after none.
#[test]
fn recent_distances_are_read() {
    let mut random = Random(3);
    let mut all: Vec<u8> = (0..5000).map(|_| random.next() as u8).collect();
    let mut repeats: Vec<(usize, usize, usize)> = Vec::new();
    for number in 0..3000 {
        all.extend((0..number % 3).map(|_| random.next() as u8));
        let distance = match random.below(8) {
            0 => random.skewed(4000),
            1 => repeats.last().map_or(7, |repeat| repeat.2 - 1),
            some => repeats
                .iter()
                .nth_back(some % 3)
                .map_or(9, |repeat| repeat.2),
        };
        let distance = distance.max(1);
        let len = 3 + random.below(4);
        repeats.push((all.len(), len, distance));
        for _ in 0..len {
            all.push(all[all.len() - distance]);
        }
    }
    let mut frame = Frame::new();
    let (literals, mut sequences) = noted(&all, 0..all.len(), &repeats, SHORTEST);
    frame.write(&literals, &mut sequences).unwrap();
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
        if noise {
            frame.write(&all[start..], &mut []).unwrap();
        } else {
            // Of a distance that the next block has, too.
            let distance = 100 + number / 3;
            for _ in 0..7 {
                all.push(all[all.len() - distance]);
            }
            let literals = &all[start..][..693];
            frame
                .write(literals, &mut [sequence(693, 7, distance)])
                .unwrap();
        }
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
    frame.write(&first, &mut []).unwrap();
    let after_first = frame.written();
    frame.write(&second, &mut []).unwrap();
    let after_second = frame.written();
    // Two bits a byte, and no description.
    assert!(
        after_second - after_first < 2000 / 4 + 40,
        "{after_first} {after_second}"
    );
    assert_eq!(decoded(&frame.finish()), [first, second].concat());
}
