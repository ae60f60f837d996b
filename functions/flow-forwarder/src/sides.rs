//! How many sides of flows were found, and why others were not.

use telemetry::enrichment::field::End;
use telemetry::enrichment::{Enrichment, How, Status};

/// Hits, stale ones, and misses by their reason.
const KINDS: usize = 2 + How::ALL.len();
const HIT: u8 = 0;
const STALE: u8 = 1;
const FIRST_MISS: u8 = 2;
/// A side whose kind was not looked at yet.
const UNSEEN: u8 = u8::MAX;

/// Sides by what was found of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideCounts([u64; KINDS]);

impl Default for SideCounts {
    fn default() -> SideCounts {
        SideCounts([0; KINDS])
    }
}

impl SideCounts {
    /// Sides that are known.
    pub fn hits(&self) -> u64 {
        self.0[HIT as usize]
    }

    /// Sides that were known, and may have changed since.
    pub fn stale(&self) -> u64 {
        self.0[STALE as usize]
    }

    /// Sides that are not known.
    pub fn misses(&self) -> u64 {
        self.0.iter().skip(FIRST_MISS as usize).sum()
    }

    /// Why sides are not known, as the field `how` has it, and how many each.
    pub fn misses_by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let misses = self.0.iter().skip(FIRST_MISS as usize);
        let named = How::ALL.iter().zip(misses);
        named
            .filter(|(_, count)| **count > 0)
            .map(|(how, count)| (how.label(), *count))
    }

    /// Adds other counts.
    pub fn add(&mut self, other: &SideCounts) {
        let counts = self.0.iter_mut().zip(other.0);
        counts.for_each(|(count, more)| *count += more);
    }
}

/// Counts the sides of one object's records. Sides have numbers: each is looked at once, after which counting
/// is an increment.
#[derive(Debug, Default)]
pub struct SideCounter {
    counts: SideCounts,
    generation: Option<u64>,
    kinds: Vec<u8>,
}

impl SideCounter {
    /// Counts both sides of a record.
    #[inline]
    pub fn count(&mut self, enrichment: &Enrichment<'_>) {
        if self.generation != Some(enrichment.generation) {
            // The numbers are of other sides now.
            self.kinds.clear();
            self.generation = Some(enrichment.generation);
        }
        let sides = [
            (End::Source, enrichment.source),
            (End::Destination, enrichment.destination),
        ];
        for (end, number) in sides {
            let kind = match self.kinds.get(number as usize) {
                Some(kind) if *kind != UNSEEN => *kind,
                _ => self.look(enrichment, end, number as usize),
            };
            if let Some(count) = self.counts.0.get_mut(kind as usize) {
                *count += 1;
            }
        }
    }

    #[cold]
    fn look(&mut self, enrichment: &Enrichment<'_>, end: End, number: usize) -> u8 {
        let kind = enrichment
            .side(end)
            .map_or(UNSEEN, |side| match side.status {
                Status::Hit => HIT,
                Status::Stale => STALE,
                Status::Miss => FIRST_MISS + side.how as u8,
            });
        if self.kinds.len() <= number {
            self.kinds.resize(number + 1, UNSEEN);
        }
        if let Some(known) = self.kinds.get_mut(number) {
            *known = kind;
        }
        kind
    }

    /// What was counted.
    pub fn counts(&self) -> &SideCounts {
        &self.counts
    }
}
