//! What many records have in common, once: sides and facts by the numbers that enrichment gives them.

use super::columns::{NONE, Table};

/// Rows that are kept from one row group to the next; it bounds memory.
const KEPT_ROWS: usize = 1 << 15;

/// A table of what is shared, and the rows of numbers.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub table: Table,
    generation: u64,
    /// The row of each number of the generation.
    rows: Vec<u32>,
}

impl Shared {
    /// The row of a number, which `write` fills when it is new. [`NONE`] when it has nothing to write.
    #[inline]
    pub fn row(
        &mut self,
        generation: u64,
        number: u32,
        write: impl FnOnce(&mut Table) -> bool,
    ) -> u32 {
        if generation != self.generation {
            self.generation = generation;
            self.rows.clear();
        }
        match self.rows.get(number as usize) {
            Some(row) if *row != NONE => *row,
            _ => self.add(number, write),
        }
    }

    #[cold]
    fn add(&mut self, number: u32, write: impl FnOnce(&mut Table) -> bool) -> u32 {
        if !write(&mut self.table) {
            return NONE;
        }
        let row = self.table.end_row() as u32;
        let place = number as usize;
        if self.rows.len() <= place {
            self.rows.resize(place + 1, NONE);
        }
        if let Some(known) = self.rows.get_mut(place) {
            *known = row;
        }
        row
    }

    /// Forgets the rows when they are many.
    pub fn shrink(&mut self) {
        if self.table.rows() > KEPT_ROWS {
            self.table.clear();
            self.rows.clear();
        }
    }
}
