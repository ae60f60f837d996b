//! What of a side decides on the facts of its flows.
//!
//! Facts depend on regions, services and kinds of interfaces, but not on which VPC and which zone it is: only on whether
//! two ends are in the same one. So the flows of thousands of interfaces have few facts.

use std::sync::Arc;

use super::memo::Numbered;
use crate::enrichment::resolution::NONE;
use crate::enrichment::side::Side;
use crate::enrichment::transfer::{self, InterfaceKind, Place, is_edge_zone};

/// What of a side decides on facts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Class {
    pub(super) place: Place,
    kind: InterfaceKind,
    vpc: Option<Arc<str>>,
    region: Option<Arc<str>>,
    zone: Option<Arc<str>>,
    service: Option<Arc<str>>,
    pub(super) logged: Option<bool>,
}

impl Class {
    fn of(side: &Side) -> Class {
        let end = side.end();
        Class {
            place: end.place,
            kind: end.kind,
            vpc: end.vpc.map(Into::into),
            region: end.region.map(Into::into),
            zone: end.zone.map(Into::into),
            service: end.service.map(Into::into),
            logged: side.party.logged,
        }
    }

    pub(super) fn end(&self) -> transfer::End<'_> {
        transfer::End {
            place: self.place,
            kind: self.kind,
            vpc: self.vpc.as_deref(),
            region: self.region.as_deref(),
            zone: self.zone.as_deref(),
            service: self.service.as_deref(),
        }
    }

    fn sort(&self) -> Sort {
        Sort {
            place: self.place,
            kind: self.kind,
            in_vpc: self.vpc.is_some(),
            region: self.region.clone(),
            in_edge_zone: self.zone.as_deref().map(|zone| is_edge_zone(Some(zone))),
            service: self.service.clone(),
            logged: self.logged,
        }
    }
}

/// A class without the names of its VPC and zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sort {
    place: Place,
    kind: InterfaceKind,
    in_vpc: bool,
    region: Option<Arc<str>>,
    /// Whether its zone is an edge zone, where it is in one.
    in_edge_zone: Option<bool>,
    service: Option<Arc<str>>,
    logged: Option<bool>,
}

/// A class in numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    /// The number of its sort: there are fewer than [`MAX_SIDES`](super::MAX_SIDES) sides, and so of sorts.
    pub(super) sort: u16,
    vpc: u32,
    zone: u32,
}

/// The traits of what is not there.
const NO_TRAITS: Traits = Traits {
    sort: u16::MAX,
    vpc: NONE,
    zone: NONE,
};

/// Which of four ends are in the same VPC, and which in the same zone: a bit for each pair.
#[inline]
pub(super) fn relations([a, b, c, d]: [Traits; 4]) -> u16 {
    let pairs = [(a, b), (a, c), (a, d), (b, c), (b, d), (c, d)];
    pairs.iter().fold(0, |bits, (one, other)| {
        let same = u16::from(one.vpc == other.vpc) << 1 | u16::from(one.zone == other.zone);
        bits << 2 | same
    })
}

/// Classes by their numbers.
#[derive(Debug, Default)]
pub(super) struct Classes {
    classes: Numbered<Class>,
    /// The traits of each, by its number.
    traits: Vec<Traits>,
    sorts: Numbered<Sort>,
    vpcs: Numbered<Arc<str>>,
    zones: Numbered<Arc<str>>,
}

impl Classes {
    /// The number of the class that a side is of.
    pub(super) fn number(&mut self, side: &Side) -> u32 {
        let number = self.classes.number(Class::of(side));
        let is_new = number as usize == self.traits.len();
        if let Some(class) = self.classes.get(number).filter(|_| is_new) {
            let named = |names: &mut Numbered<Arc<str>>, name: &Option<Arc<str>>| {
                name.clone().map_or(NONE, |name| names.number(name))
            };
            self.traits.push(Traits {
                sort: self.sorts.number(class.sort()) as u16,
                vpc: named(&mut self.vpcs, &class.vpc),
                zone: named(&mut self.zones, &class.zone),
            });
        }
        number
    }

    pub(super) fn get(&self, number: u32) -> Option<&Class> {
        self.classes.get(number)
    }

    /// The traits of a class; those of nothing for a number that none has.
    #[inline]
    pub(super) fn traits(&self, number: u32) -> Traits {
        let traits = self.traits.get(number as usize).copied();
        traits.unwrap_or(NO_TRAITS)
    }

    pub(super) fn clear(&mut self) {
        self.classes.clear();
        self.traits.clear();
        self.sorts.clear();
        self.vpcs.clear();
        self.zones.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::enrichment::price::PriceTable;
    use crate::enrichment::transfer::classify;
    use crate::enrichment::transfer::tests::any_sighting;
    use crate::enrichment::transfer::{End, Hop, Sighting};

    proptest! {
        /// The law that lets facts be found by [`relations`].
        #[test]
        fn facts_depend_on_who_shares_a_vpc_or_a_zone_and_not_on_which(sighting in any_sighting()) {
            // Backwards, a name is another one, and an edge zone's has as many dashes.
            let backwards = |name: Option<&str>| name.map(|name| name.chars().rev().collect::<String>());
            let hop = sighting.hop.map(|hop| hop.end).unwrap_or_default();
            let ends = [sighting.here, sighting.source, sighting.destination, hop];
            let names = ends.map(|end| (backwards(end.vpc), backwards(end.zone)));
            let renamed = |at: usize| End {
                vpc: names[at].0.as_deref(),
                zone: names[at].1.as_deref(),
                ..ends[at]
            };
            let other = Sighting {
                here: renamed(0),
                source: renamed(1),
                destination: renamed(2),
                hop: sighting.hop.map(|hop| Hop { end: renamed(3), by: hop.by }),
                ..sighting
            };
            let (class, of_other) = (classify(&sighting), classify(&other));
            prop_assert_eq!(class, of_other);
            let prices = PriceTable::shipped();
            prop_assert_eq!(prices.per_gb(&sighting, &class), prices.per_gb(&other, &of_other));
        }
    }

    #[test]
    fn relations_tell_each_pair_apart() {
        let ends = |vpcs: [u32; 4], zones: [u32; 4]| {
            let traits = |at: usize| Traits {
                sort: 0,
                vpc: vpcs[at],
                zone: zones[at],
            };
            relations([traits(0), traits(1), traits(2), traits(3)])
        };
        let apart = [0, 1, 2, 3];
        let mut seen = std::collections::BTreeSet::from([ends(apart, apart)]);
        for one in 0..4 {
            for other in one + 1..4 {
                let mut joined = apart;
                joined[other] = joined[one];
                assert!(seen.insert(ends(joined, apart)));
                assert!(seen.insert(ends(apart, joined)));
            }
        }
        assert!(seen.iter().all(|relations| *relations < 1 << 12));
    }
}
