//! Connections: how long they last and how much they carry.

use super::random::Random;
use super::text::pick;

/// The run of rows of one interface.
#[derive(Debug, Default)]
pub(super) struct Burst {
    pub(super) interface: u32,
    pub(super) left: u32,
    pub(super) start: u64,
    pub(super) far: u32,
}

impl Burst {
    /// First and last packet of a connection: many fill their window, the others are short.
    pub(super) fn lifetime(&self, random: &mut Random) -> (u64, u64) {
        let first = random.below(20);
        let last = if random.below(3) == 0 {
            39 - random.below(3)
        } else {
            (first + random.below(16)).min(39)
        };
        (
            self.start + u64::from(first),
            self.start + u64::from(last.max(first)),
        )
    }
}

/// The counters of one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counters {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

/// The counters of both directions of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    pub(super) request: Counters,
    pub(super) answer: Counters,
}

impl Traffic {
    pub(super) fn draw(random: &mut Random, protocol: u8) -> Traffic {
        if protocol != 6 {
            let packets = 1 + u64::from(random.below(3));
            return Traffic {
                request: Counters {
                    packets,
                    bytes: packets * pick(&[64, 71, 76, 84], random.below(4), 64),
                },
                answer: Counters {
                    packets,
                    bytes: packets * pick(&[84, 120, 152, 180], random.below(4), 84),
                },
            };
        }
        // One connection in a few thousand moves more than 32 bits can count.
        if random.below(4_000) == 0 {
            let packets = 3_000_000 + u64::from(random.below(4_000_000));
            return Traffic {
                request: Counters {
                    packets: packets / 9,
                    bytes: packets / 9 * 52 + u64::from(random.below(4_096)),
                },
                answer: Counters {
                    packets,
                    bytes: packets * 1_448 + u64::from(random.below(1_448)),
                },
            };
        }
        let class = pick(
            &[1, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 6, 6, 7, 8, 11],
            random.below(16),
            3,
        );
        let packets = (1 << class) + u64::from(random.below(1 << class));
        let random_bit = random.below(2);
        let request_size = 52 + u64::from(random.below(pick(&[120, 800], random_bit, 120)));
        let answer_size = 60 + u64::from(random.below(1_380));
        let answered = packets + u64::from(random.below(1 + (1 << class)));
        Traffic {
            request: Counters {
                packets,
                bytes: packets * request_size + 2 * (packets - 1),
            },
            answer: Counters {
                packets: answered,
                bytes: answered * answer_size + 3 * (answered - 1),
            },
        }
    }
}

/// One connection in a hundred is ICMP, six are UDP, the others TCP.
pub(super) fn protocol(random: &mut Random, v6: bool) -> u8 {
    match random.below(100) {
        0 if v6 => 58,
        0 => 1,
        1..=6 => 17,
        _ => 6,
    }
}

/// The TCP flags of a request and its answer in one window. A connection that lasts over several
/// windows shows its SYN in the first one only.
pub(super) fn flags(random: &mut Random, protocol: u8) -> (u8, u8) {
    match (protocol, random.below(8)) {
        (6, 0..=4) => (3, 19),
        (6, 5) => (2, 18),
        (6, 6) => (1, 1),
        _ => (0, 0),
    }
}

/// A client port of the range Linux takes them from.
pub(super) fn client_port(random: &mut Random) -> u16 {
    32_768 + u16::try_from(random.below(28_232)).unwrap_or(0)
}

/// Connections of a burst after the first: geometric in shape, so that a burst has about 14 rows.
pub(super) fn burst_length(random: &mut Random) -> u32 {
    let mut length = 0;
    while length < 200 && random.below(BURST_STOP) != 0 {
        length += 1;
    }
    length
}

/// One in so many connections ends a burst; a connection makes 1.8 rows.
const BURST_STOP: u32 = 8;
