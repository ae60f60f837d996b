//! Protocol Buffers' wire format, as far as OTLP needs it: fields are a key, which is the number and the type, and a
//! value ("Encoding", protobuf.dev). Fields are written in the order of calls; those of a default value, which
//! proto3 leaves out, are left to the caller.

/// Field numbers are fixed by the schema.
pub(super) type FieldNumber = u32;

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const DELIMITED: u32 = 2;

/// Appends an integer in groups of seven bits, the lowest first.
#[inline]
pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`varint`] appends.
#[inline]
pub(super) fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[inline]
fn key(out: &mut Vec<u8>, field: FieldNumber, wire_type: u32) {
    varint(out, u64::from(field << 3 | wire_type));
}

/// A `uint32`, `uint64`, `int64`, `bool` or enumeration; negative numbers are given in two's complement.
#[inline]
pub(super) fn integer(out: &mut Vec<u8>, field: FieldNumber, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

/// A `fixed64`.
#[inline]
pub(super) fn fixed64(out: &mut Vec<u8>, field: FieldNumber, value: u64) {
    key(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A `double`.
#[inline]
pub(super) fn double(out: &mut Vec<u8>, field: FieldNumber, value: f64) {
    fixed64(out, field, value.to_bits());
}

/// A `string`, `bytes`, or a message that is written already.
#[inline]
pub(super) fn delimited(out: &mut Vec<u8>, field: FieldNumber, bytes: &[u8]) {
    header(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// What stands before so many bytes of a `string`, `bytes` or message.
#[inline]
pub(super) fn header(out: &mut Vec<u8>, field: FieldNumber, len: usize) {
    key(out, field, DELIMITED);
    varint(out, len as u64);
}

/// How many bytes a field of a message of so many bytes takes.
pub(super) fn delimited_len(field: FieldNumber, len: usize) -> usize {
    varint_len(u64::from(field << 3)) + varint_len(len as u64) + len
}

/// A message that is written in place. Its length is known afterwards: most are short and have a byte for it, others
/// are moved.
#[inline]
pub(super) fn message(out: &mut Vec<u8>, field: FieldNumber, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, field, DELIMITED);
    let place = out.len();
    out.push(0);
    write(out);
    let len = out.len() - place - 1;
    if let (0..0x80, Some(first)) = (len, out.get_mut(place)) {
        *first = len as u8;
        return;
    }
    let mut prefix = Vec::with_capacity(10);
    varint(&mut prefix, len as u64);
    out.splice(place..=place, prefix);
}
