//! What many records have in common, once: sides and facts by the numbers that enrichment gives them.
//!
//! Rows are told by what they hold, not by their numbers: enrichment gives numbers anew now and then, and when it
//! does depends on all that it did before. So what [`Shared::held`] tells depends on the records alone.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use super::columns::{Column, ColumnValue, NONE, Table};

/// Bytes that are kept of a row beside its values: its use, its place, and its numbers.
const ROW_BYTES: usize = 48;

/// A value of a row, and where it stands in the table.
pub(super) type Cell<'v> = (usize, ColumnValue<'v>);

/// A table of what is shared, and the rows of numbers.
#[derive(Debug)]
pub(super) struct Shared {
    table: Table,
    generation: u64,
    /// The row of each number of the generation that the row group has.
    rows: Vec<u32>,
    /// The row of each number of the generation.
    known: Vec<u32>,
    /// The first row of each hash of values. It is the hash of this map: values of a table are chosen by strangers, who
    /// shall not know which collide.
    places: HashMap<u64, u32>,
    uses: Vec<Use>,
    /// The number of the row group, from zero.
    group: u32,
    /// Bytes of the rows that the row group has.
    held: usize,
}

/// What is known of a row.
#[derive(Debug, Clone, Copy)]
struct Use {
    /// The last row group that has it.
    group: u32,
    /// Bytes of its values and texts.
    bytes: u32,
}

impl Shared {
    /// A table of these columns, without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Shared {
        Shared {
            table: Table::new(columns),
            generation: 0,
            rows: Vec::new(),
            known: Vec::new(),
            places: HashMap::new(),
            uses: Vec::new(),
            group: 0,
            held: 0,
        }
    }

    /// The rows.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Bytes of the rows that the row group has, each counted once with all its texts.
    pub fn held(&self) -> usize {
        self.held
    }

    /// The row of a number, which has these values; they are asked for when its row is not known. [`NONE`] when there
    /// are none.
    #[inline]
    pub fn row<'v, V: IntoIterator<Item = Cell<'v>>>(
        &mut self,
        generation: u64,
        number: u32,
        values: impl Fn() -> Option<V>,
    ) -> u32 {
        if generation != self.generation {
            self.generation = generation;
            self.rows.clear();
            self.known.clear();
        }
        match self.rows.get(number as usize) {
            Some(row) if *row != NONE => *row,
            _ => self.first(number, values),
        }
    }

    /// The row of a number that the row group does not have yet.
    #[cold]
    fn first<'v, V: IntoIterator<Item = Cell<'v>>>(
        &mut self,
        number: u32,
        values: impl Fn() -> Option<V>,
    ) -> u32 {
        let row = match self.known.get(number as usize) {
            Some(row) if *row != NONE => *row,
            _ => {
                let Some(hashed) = values() else {
                    return NONE;
                };
                let row = self.find(hashed, || values().into_iter().flatten());
                set(&mut self.known, number, row);
                row
            }
        };
        set(&mut self.rows, number, row);
        self.hold(row);
        row
    }

    /// The row of these values, which no number has.
    pub fn row_of<'v, V: Iterator<Item = Cell<'v>>>(&mut self, values: impl Fn() -> V) -> u32 {
        let row = self.find(values(), values);
        self.hold(row);
        row
    }

    /// Notes that the row group has a row.
    fn hold(&mut self, row: u32) {
        if let Some(used) = self.uses.get_mut(row as usize)
            && used.group != self.group
        {
            used.group = self.group;
            self.held += used.bytes as usize;
        }
    }

    /// The row that has these values, which is added when there is none.
    fn find<'v, V: Iterator<Item = Cell<'v>>>(
        &mut self,
        hashed: impl IntoIterator<Item = Cell<'v>>,
        values: impl Fn() -> V,
    ) -> u32 {
        let mut hash = self.places.hasher().build_hasher();
        hashed.into_iter().for_each(|cell| cell.hash(&mut hash));
        let hash = hash.finish();
        let known = self.places.get(&hash).copied();
        if let Some(row) = known.filter(|row| self.table.is_row(*row as usize, values())) {
            return row;
        }
        let mut bytes = self.table.row_bytes() + ROW_BYTES;
        for (place, value) in values() {
            bytes += value.text_bytes();
            self.table.put(place, value);
        }
        let row = self.table.end_row() as u32;
        self.places.insert(hash, row);
        self.uses.push(Use {
            group: NONE,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        });
        row
    }

    /// Begins a row group, which has no rows.
    pub fn next_group(&mut self) {
        self.rows.clear();
        self.held = 0;
        self.group = self.group.wrapping_add(1) % NONE;
    }

    /// About how many bytes are kept, whichever row groups they are of.
    pub fn kept(&self) -> usize {
        let row = self.table.row_bytes() + ROW_BYTES;
        self.table.rows() * row + self.table.text_bytes()
    }

    /// Forgets all rows. The row group must have none.
    pub fn forget(&mut self) {
        self.table.clear();
        self.known.clear();
        self.places.clear();
        self.uses.clear();
    }
}

/// Sets the row of a number.
fn set(rows: &mut Vec<u32>, number: u32, row: u32) {
    let place = number as usize;
    if rows.len() <= place {
        rows.resize(place + 1, NONE);
    }
    if let Some(known) = rows.get_mut(place) {
        *known = row;
    }
}
