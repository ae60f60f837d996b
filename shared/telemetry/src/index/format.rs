//! The file format of the index: tables of fixed-width rows, used as they are read.
//!
//! ```text
//! magic, version, kind, CRC-32, sections ─▶ texts │ words │ a table for each type of row
//! ```
//!
//! All numbers are little-endian. Opening a file checks its header, its checksum and where its sections
//! lie, and decodes no row: a row is read when it is asked for. Rows refer to texts, to lists of words and
//! to rows of other tables by 32-bit places; a place that leads nowhere reads as absent.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use bytes::Bytes;

use crate::inventory::Cidr;

/// The first bytes of every file.
pub const MAGIC: [u8; 8] = *b"CXINDEX\n";

/// The version that is written, and the newest one that is read.
pub const VERSION: u32 = 1;

const HEADER: usize = 28;
const SECTION: usize = 24;
/// The sections whose content is no table.
const TEXTS: u32 = 1;
const WORDS: u32 = 2;
/// Kinds are smaller than this.
const KINDS: usize = 64;
const NOWHERE: u32 = u32::MAX;

/// Why bytes are not an index file that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It was written by a newer version of this program.
    #[error(
        "it has version {0} of the format, and this program reads up to version {VERSION}: deploy the functions from one version"
    )]
    Newer(u32),
    /// It is damaged, cut off, or something else.
    #[error("it is damaged or no index file: {0}; the collector's next run writes it anew")]
    Corrupt(&'static str),
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum FileKind {
    /// What one account has in one region.
    Shard = 1,
    /// What is where, over all accounts and regions.
    Directory = 2,
}

/// A value of a row, of a fixed width.
pub trait Cell: Sized {
    /// Bytes.
    const SIZE: usize;
    /// Takes the value off the front.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);
    /// The same value in another file.
    fn carry(&self, from: &File, to: &mut Writer) -> Self;
}

/// A row of a table.
pub trait Row: Sized + Copy {
    /// What tells the table from others in the file.
    const KIND: u32;
    /// Bytes of a row.
    const SIZE: usize;
    /// Reads a row from its bytes.
    fn read(bytes: &[u8]) -> Option<Self>;
    /// Appends a row's bytes.
    fn write(&self, out: &mut Vec<u8>);
    /// The same row in another file. Links are kept as they are.
    fn carry(&self, from: &File, to: &mut Writer) -> Self;
}

/// Rows of tables: their kind, and their values in order.
macro_rules! rows {
    ($(
        $(#[$doc:meta])*
        $name:ident = $kind:literal { $( $(#[$field_doc:meta])* $field:ident: $type:ty, )* }
    )+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type, )* }

        impl $crate::index::format::Row for $name {
            const KIND: u32 = $kind;
            const SIZE: usize = 0 $( + <$type as $crate::index::format::Cell>::SIZE )*;

            #[inline]
            fn read(bytes: &[u8]) -> Option<Self> {
                let mut bytes = bytes;
                Some($name { $( $field: $crate::index::format::Cell::take(&mut bytes)?, )* })
            }

            fn write(&self, out: &mut Vec<u8>) {
                $( $crate::index::format::Cell::put(&self.$field, out); )*
            }

            fn carry(
                &self,
                from: &$crate::index::format::File,
                to: &mut $crate::index::format::Writer,
            ) -> Self {
                $name { $( $field: $crate::index::format::Cell::carry(&self.$field, from, to), )* }
            }
        }
    )+};
}
pub(super) use rows;

macro_rules! number_cells {
    ($($type:ty),+) => {$(
        impl Cell for $type {
            const SIZE: usize = size_of::<$type>();

            #[inline]
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                let (value, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Some(<$type>::from_le_bytes(*value))
            }

            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }

            fn carry(&self, _: &File, _: &mut Writer) -> Self {
                *self
            }
        }
    )+};
}
number_cells!(u32, i32, u64, u128);

impl Cell for bool {
    const SIZE: usize = 4;

    #[inline]
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        u32::take(bytes).map(|word| word != 0)
    }

    fn put(&self, out: &mut Vec<u8>) {
        u32::from(*self).put(out);
    }

    fn carry(&self, _: &File, _: &mut Writer) -> Self {
        *self
    }
}

/// A text of the file, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text(u32);

impl Text {
    /// No text.
    pub const NONE: Text = Text(NOWHERE);

    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self.0 == NOWHERE
    }

    /// Its place, which tells it from the file's other texts.
    pub fn word(self) -> u32 {
        self.0
    }
}

impl Cell for Text {
    const SIZE: usize = 4;

    #[inline]
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        u32::take(bytes).map(Text)
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn carry(&self, from: &File, to: &mut Writer) -> Self {
        to.text(from.text(*self))
    }
}

/// A list of words of the file, or an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Words(u32);

impl Words {
    /// An empty list.
    pub const EMPTY: Words = Words(NOWHERE);
}

impl Cell for Words {
    const SIZE: usize = 4;

    #[inline]
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        u32::take(bytes).map(Words)
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn carry(&self, from: &File, to: &mut Writer) -> Self {
        let words: Vec<u32> = from.words(*self).collect();
        to.words(&words)
    }
}

/// A list of texts of the file, or an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Texts(Words);

impl Texts {
    /// An empty list.
    pub const EMPTY: Texts = Texts(Words::EMPTY);
}

impl Cell for Texts {
    const SIZE: usize = 4;

    #[inline]
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Words::take(bytes).map(Texts)
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn carry(&self, from: &File, to: &mut Writer) -> Self {
        to.texts(from.texts(*self))
    }
}

/// A row of a table of the same file, or none.
pub struct Link<R>(u32, PhantomData<fn() -> R>);

impl<R> Link<R> {
    /// No row.
    pub const NONE: Link<R> = Link(NOWHERE, PhantomData);

    /// The row of that number.
    pub fn to(row: u32) -> Link<R> {
        Link(row, PhantomData)
    }

    /// The row's number; `None` when there is none.
    #[inline]
    pub fn row(self) -> Option<u32> {
        (self.0 != NOWHERE).then_some(self.0)
    }

    /// Orders links by their rows, none last.
    #[inline]
    pub(super) fn place(self) -> u32 {
        self.0
    }
}

impl<R> Clone for Link<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Link<R> {}

impl<R> PartialEq for Link<R> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<R> Eq for Link<R> {}

impl<R> std::hash::Hash for Link<R> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<R> std::fmt::Debug for Link<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.row().fmt(f)
    }
}

impl<R> Cell for Link<R> {
    const SIZE: usize = 4;

    #[inline]
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        u32::take(bytes).map(Link::to)
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn carry(&self, _: &File, _: &mut Writer) -> Self {
        *self
    }
}

/// A block of addresses in 128 bits: IPv4 stands at `::ffff:0:0/96`, as RFC 4291 maps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Block {
    /// The first address.
    pub base: u128,
    /// Bits that all addresses share, 96 more than IPv4's own.
    pub length: u32,
}

impl Block {
    /// All of IPv4. No block of IPv6 has anything of it, `::/0` neither.
    pub const IPV4: Block = Block {
        base: 0xffff_0000_0000,
        length: 96,
    };

    /// Whether an address is in it.
    #[inline]
    pub fn contains(self, address: u128) -> bool {
        let host = 128_u32.saturating_sub(self.length);
        (address ^ self.base).checked_shr(host).unwrap_or(0) == 0
            && (self.length >= Block::IPV4.length || address >> 32 != Block::IPV4.base >> 32)
    }

    /// The last address.
    pub fn last(self) -> u128 {
        self.base | u128::MAX.checked_shr(self.length).unwrap_or(0)
    }

    /// Whether all of another block is in it.
    pub fn covers(self, other: Block) -> bool {
        self.length <= other.length && self.contains(other.base)
    }

    /// The block as it is written for people.
    pub fn cidr(self) -> Option<Cidr> {
        let address = address(self.base);
        let length = match address {
            IpAddr::V4(_) => self.length.checked_sub(96)?,
            IpAddr::V6(_) => self.length,
        };
        Cidr::new(address, u8::try_from(length).ok()?)
    }
}

impl From<Cidr> for Block {
    fn from(cidr: Cidr) -> Block {
        let length = u32::from(cidr.length());
        Block {
            base: bits(cidr.address()),
            length: if cidr.address().is_ipv4() {
                length + 96
            } else {
                length
            },
        }
    }
}

impl Cell for Block {
    const SIZE: usize = 20;

    #[inline]
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Block {
            base: u128::take(bytes)?,
            length: u32::take(bytes)?,
        })
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.base.put(out);
        self.length.put(out);
    }

    fn carry(&self, _: &File, _: &mut Writer) -> Self {
        *self
    }
}

/// An address in 128 bits, IPv4 mapped into IPv6.
#[inline]
pub fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => 0xffff_0000_0000 | u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address of 128 bits.
pub fn address(bits: u128) -> IpAddr {
    Ipv6Addr::from_bits(bits).to_canonical()
}

/// Hashes a name for tables that are kept in files, so it never changes: 64-bit FNV-1a, folded.
#[inline]
pub fn hash(name: &[u8]) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash ^ (hash >> 32)) as u32
}

/// A file of the index.
#[derive(Debug, Clone)]
pub struct File {
    bytes: Bytes,
    /// Where each kind's section lies, and the width of its rows.
    sections: [(u32, u32, u32); KINDS],
}

impl File {
    /// Opens a file: checks it, and decodes nothing.
    ///
    /// # Errors
    /// It is damaged, of another kind, or of a newer version.
    pub fn open(bytes: Bytes, kind: FileKind) -> Result<File, FormatError> {
        let corrupt = FormatError::Corrupt;
        let mut header = bytes.get(..HEADER).ok_or(corrupt("it is too short"))?;
        if !header.starts_with(&MAGIC) {
            return Err(corrupt("it begins otherwise"));
        }
        header = header.get(MAGIC.len()..).unwrap_or_default();
        let mut next = || u32::take(&mut header).ok_or(corrupt("it is too short"));
        let version = next()?;
        if version > VERSION {
            return Err(FormatError::Newer(version));
        }
        let (found, checksum, length, count) = (next()?, next()?, next()?, next()?);
        if version != VERSION || found != kind as u32 {
            return Err(corrupt("it is of another kind"));
        }
        let body = bytes.get(HEADER..).unwrap_or_default();
        if body.len() != length as usize {
            return Err(corrupt("its length is not what its header says"));
        }
        let mut crc = flate2::Crc::new();
        crc.update(body);
        if crc.sum() != checksum {
            return Err(corrupt("its checksum differs"));
        }
        let mut sections = [(0, 0, 0); KINDS];
        let mut table = body;
        for _ in 0..count {
            let mut next = || u32::take(&mut table).ok_or(corrupt("its sections are cut off"));
            let (kind, width, start, end) = (next()?, next()?, next()?, next()?);
            let (_, _) = (next()?, next()?);
            if start > end || end as usize > bytes.len() || width == 0 {
                return Err(corrupt("a section lies outside of it"));
            }
            if let Some(section) = sections.get_mut(kind as usize) {
                *section = (start, end, width);
            }
        }
        Ok(File { bytes, sections })
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn section(&self, kind: u32) -> (&[u8], usize) {
        let (start, end, width) = self
            .sections
            .get(kind as usize)
            .copied()
            .unwrap_or_default();
        let bytes = self.bytes.get(start as usize..end as usize);
        (bytes.unwrap_or_default(), width as usize)
    }

    /// A table.
    #[inline]
    pub fn rows<R: Row>(&self) -> Rows<'_, R> {
        let (bytes, width) = self.section(R::KIND);
        // Of another width, it is not the table that is known here.
        let bytes = if width == R::SIZE { bytes } else { &[] };
        Rows {
            bytes,
            row: PhantomData,
        }
    }

    /// The row that a link leads to.
    #[inline]
    pub fn follow<R: Row>(&self, link: Link<R>) -> Option<R> {
        self.rows::<R>().get(link.row()?)
    }

    /// A text; `None` when there is none.
    #[inline]
    pub fn text(&self, text: Text) -> Option<&str> {
        std::str::from_utf8(self.text_bytes(text)?).ok()
    }

    /// A text's bytes, which is all that a comparison takes; `None` when there is none.
    #[inline]
    pub fn text_bytes(&self, text: Text) -> Option<&[u8]> {
        if text.is_none() {
            return None;
        }
        let (pool, _) = self.section(TEXTS);
        let mut rest = pool.get(text.0 as usize..)?;
        let length = u32::take(&mut rest)? as usize;
        rest.get(..length)
    }

    /// The text of that place: see [`Text::word`].
    pub fn text_at(&self, word: u32) -> Option<&str> {
        self.text(Text(word))
    }

    /// The words of a list.
    pub fn words(&self, list: Words) -> impl DoubleEndedIterator<Item = u32> + Clone + '_ {
        let (pool, _) = self.section(WORDS);
        let words = || {
            let mut rest = pool.get((list.0 as usize).checked_mul(4)?..)?;
            let count = u32::take(&mut rest)? as usize;
            rest.get(..count.checked_mul(4)?)
        };
        let (words, _) = words().unwrap_or_default().as_chunks::<4>();
        words.iter().map(|word| u32::from_le_bytes(*word))
    }

    /// The texts of a list.
    pub fn texts(&self, list: Texts) -> impl Iterator<Item = &str> + Clone + '_ {
        self.words(list.0).filter_map(|word| self.text(Text(word)))
    }

    /// Rows of a list of links.
    pub fn linked<R: Row>(&self, list: Words) -> impl Iterator<Item = R> + use<'_, R> {
        let rows = self.rows::<R>();
        self.words(list).filter_map(move |row| rows.get(row))
    }
}

/// A table of a file.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'f, R> {
    bytes: &'f [u8],
    row: PhantomData<fn() -> R>,
}

/// Rows of a key that are looked at one by one.
const FEW_ROWS: u32 = 4;

impl<'f, R: Row> Rows<'f, R> {
    /// How many rows there are.
    #[inline]
    pub fn len(&self) -> u32 {
        (self.bytes.len() / R::SIZE) as u32
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row of that number.
    #[inline]
    pub fn get(&self, row: u32) -> Option<R> {
        let start = (row as usize).checked_mul(R::SIZE)?;
        R::read(self.bytes.get(start..start.checked_add(R::SIZE)?)?)
    }

    /// All rows, in their order.
    pub fn iter(&self) -> impl Iterator<Item = R> + use<'f, R> {
        self.bytes.chunks_exact(R::SIZE).filter_map(R::read)
    }

    /// The number of the first row that something does not hold for; it holds for all before.
    #[inline]
    pub fn partition_point(&self, holds: impl Fn(&R) -> bool) -> u32 {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle) {
                Some(row) if holds(&row) => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// The numbers of the rows whose key is equal, in a table sorted by it.
    #[inline]
    pub fn equal<K: Ord>(&self, key: K, key_of: impl Fn(&R) -> K) -> Range<u32> {
        let start = self.partition_point(|row| key_of(row) < key);
        let same = |row: u32| self.get(row).is_some_and(|row| key_of(&row) == key);
        // Few rows have a key in most tables: a look at them spares the search for the end.
        for end in start..start.saturating_add(FEW_ROWS) {
            if !same(end) {
                return start..end;
            }
        }
        let end = self.partition_point(|row| key_of(row) <= key);
        start..end.max(start)
    }

    /// The first row whose key is equal, in a table sorted by it, with its number.
    #[inline]
    pub fn find<K: Ord>(&self, key: K, key_of: impl Fn(&R) -> K) -> Option<(u32, R)> {
        let at = self.partition_point(|row| key_of(row) < key);
        let row = self.get(at)?;
        (key_of(&row) == key).then_some((at, row))
    }
}

/// Makes a file.
#[derive(Debug, Default)]
pub struct Writer {
    texts: Vec<u8>,
    text_places: HashMap<Box<str>, u32>,
    words: Vec<u8>,
    word_places: HashMap<Box<[u32]>, u32>,
    tables: Vec<(u32, usize, Vec<u8>)>,
}

impl Writer {
    /// Puts a text into the file, once however often it is asked for.
    pub fn text<'t>(&mut self, text: impl Into<Option<&'t str>>) -> Text {
        let Some(text) = text.into() else {
            return Text::NONE;
        };
        if let Some(place) = self.text_places.get(text) {
            return Text(*place);
        }
        let place = self.texts.len() as u32;
        (text.len() as u32).put(&mut self.texts);
        self.texts.extend(text.as_bytes());
        self.text_places.insert(text.into(), place);
        Text(place)
    }

    /// Puts a list of words into the file, once however often it is asked for.
    pub fn words(&mut self, words: &[u32]) -> Words {
        if words.is_empty() {
            return Words::EMPTY;
        }
        if let Some(place) = self.word_places.get(words) {
            return Words(*place);
        }
        let place = (self.words.len() / 4) as u32;
        (words.len() as u32).put(&mut self.words);
        words.iter().for_each(|word| word.put(&mut self.words));
        self.word_places.insert(words.into(), place);
        Words(place)
    }

    /// Puts a list of texts into the file.
    pub fn texts<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) -> Texts {
        let words: Vec<u32> = texts.into_iter().map(|text| self.text(text).0).collect();
        Texts(self.words(&words))
    }

    /// The texts by their places, for sorting rows by what they say.
    pub(super) fn resolver(&self) -> HashMap<u32, String> {
        let places = self.text_places.iter();
        places
            .map(|(text, place)| (*place, text.to_string()))
            .collect()
    }

    /// Puts a table into the file, in the order of the rows.
    pub fn table<R: Row>(&mut self, rows: &[R]) {
        let mut bytes = Vec::with_capacity(rows.len() * R::SIZE);
        rows.iter().for_each(|row| row.write(&mut bytes));
        self.tables.push((R::KIND, R::SIZE, bytes));
    }

    /// The file. `None` when it would be larger than its 32-bit places reach.
    pub fn finish(mut self, kind: FileKind) -> Option<Bytes> {
        self.tables
            .push((TEXTS, 1, std::mem::take(&mut self.texts)));
        self.tables
            .push((WORDS, 4, std::mem::take(&mut self.words)));
        let count = self.tables.len() as u32;
        let mut start = HEADER + self.tables.len() * SECTION;
        let mut body = Vec::new();
        for (kind, width, bytes) in &self.tables {
            let end = start + bytes.len();
            for word in [
                *kind,
                u32::try_from(*width).ok()?,
                u32::try_from(start).ok()?,
            ] {
                word.put(&mut body);
            }
            u32::try_from(end).ok()?.put(&mut body);
            // Room for what a later version of this format has to say of a section.
            0_u64.put(&mut body);
            start = end;
        }
        for (_, _, bytes) in self.tables {
            body.extend(bytes);
        }
        let mut crc = flate2::Crc::new();
        crc.update(&body);
        let mut file = Vec::with_capacity(HEADER + body.len());
        file.extend(MAGIC);
        let length = u32::try_from(body.len()).ok()?;
        for word in [VERSION, kind as u32, crc.sum(), length, count] {
            word.put(&mut file);
        }
        file.extend(body);
        Some(Bytes::from(file))
    }
}
