//! Who has which far address, as seen from where: what was found lately.
//!
//! There are many addresses, and a log asks for them in no order: what is kept of each has to be small, or every
//! question waits for memory. Almost all are IPv4 addresses of which the record tells no service.

use std::num::NonZeroU32;

use super::memo::{Numbered, Slots};
use crate::enrichment::resolution::NONE;
use crate::index::shard::Range32;

/// Slots at most, of the usual questions and of others.
const MOST_USUAL: usize = 1 << 17;
const MOST_OTHERS: usize = 1 << 15;

/// The upper 96 bits of an IPv4 address among those of IPv6 (RFC 4291, section 2.5.5.2).
const MAPPED: u64 = 0xffff;

/// An address as seen from a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Far {
    /// The upper and the lower half of the address: a number of 128 bits would leave gaps in each slot.
    address: (u64, u64),
    place: u32,
    /// The number of the service's name that the record tells; [`NONE`] for none.
    service: u32,
}

impl Far {
    /// The address of these bits.
    #[inline]
    pub(super) fn new(address: u128, place: u32, service: u32) -> Far {
        Far {
            address: ((address >> 64) as u64, address as u64),
            place,
            service,
        }
    }

    /// The same in few bytes, where that is possible.
    #[inline]
    fn usual(&self) -> Option<(u32, u32)> {
        let (upper, lower) = self.address;
        let is_mapped = upper == 0 && lower >> 32 == MAPPED;
        (is_mapped && self.service == NONE).then_some((lower as u32, self.place))
    }
}

/// Who has an address.
#[derive(Debug, Clone, Copy)]
struct Answer {
    /// The side's number.
    number: u32,
    /// When it holds: the number of the span of time, and one more.
    valid: NonZeroU32,
}

/// What was found lately.
#[derive(Debug, Default)]
pub(super) struct Reached {
    usual: Slots<(u32, u32), Answer, MOST_USUAL>,
    others: Slots<Far, Answer, MOST_OTHERS>,
    valid: Numbered<Range32>,
}

impl Reached {
    /// The number of the side that has an address at a time, if it is known.
    #[inline]
    pub(super) fn get(&self, far: &Far, time: u32) -> Option<u32> {
        let answer = match far.usual() {
            Some(usual) => self.usual.get(&usual),
            None => self.others.get(far),
        }?;
        let valid = self.valid.get(answer.valid.get() - 1)?;
        valid.contains(time).then_some(answer.number)
    }

    /// Notes the number of the side that has an address in a span of time.
    pub(super) fn put(&mut self, far: Far, valid: Range32, number: u32) {
        let valid = NonZeroU32::MIN.saturating_add(self.valid.number(valid));
        let answer = Answer { number, valid };
        match far.usual() {
            Some(usual) => self.usual.put(usual, answer),
            None => self.others.put(far, answer),
        }
    }

    pub(super) fn clear(&mut self) {
        self.usual.clear();
        self.others.clear();
        self.valid.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::index::format::bits;

    #[test]
    fn a_usual_answer_takes_sixteen_bytes() {
        assert_eq!(Slots::<(u32, u32), Answer, 1>::SLOT_BYTES, 16);
    }

    proptest! {
        /// An address of IPv4, the same bits in IPv6, and a service are different questions.
        #[test]
        fn what_is_told_is_what_was_put_last_for_that_time(
            steps in prop::collection::vec((0_usize..4, 0_u32..3, 0_u32..3, 0_u32..20, any::<bool>()), 0..500),
        ) {
            let addresses: [IpAddr; 4] = [
                [10, 0, 0, 1].into(),
                "::a00:1".parse().unwrap(),
                "2001:db8::a00:1".parse().unwrap(),
                "0:0:0:1:0:ffff:a00:1".parse().unwrap(),
            ];
            let mut reached = Reached::default();
            let mut last: HashMap<Far, (Range32, u32)> = HashMap::new();
            for (number, (address, place, service, time, asks)) in (0..).zip(steps) {
                let service = if service == 2 { NONE } else { service };
                let far = Far::new(bits(addresses[address]), place, service);
                if asks {
                    let known = last.get(&far).filter(|(valid, _)| valid.contains(time));
                    let told = reached.get(&far, time);
                    prop_assert!(told.is_none() || told == known.map(|(_, number)| *number));
                } else {
                    let valid = Range32 { from: time, to: time + 5 };
                    reached.put(far, valid, number);
                    last.insert(far, (valid, number));
                    prop_assert_eq!(reached.get(&far, time), Some(number));
                    prop_assert_eq!(reached.get(&far, time + 6), None);
                }
            }
        }
    }
}
