//! As much of the protobuf wire format as answers and the splitting of payloads need
//! (protobuf.dev, "Encoding").

/// The bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'b> {
    pub(super) number: u64,
    pub(super) value: Value<'b>,
    /// The field as it stands in the message, with its tag.
    pub(super) whole: &'b [u8],
}

/// What a field holds, as far as the wire tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'b> {
    Varint(u64),
    /// Four or eight bytes.
    Fixed,
    /// A text, bytes or a message.
    Bytes(&'b [u8]),
}

/// The fields of a message in their order. Ends after the first that is none.
#[derive(Debug, Clone)]
pub(super) struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    pub(super) fn of(message: &'b [u8]) -> Fields<'b> {
        Fields(message)
    }

    fn field(&self) -> Result<(Field<'b>, &'b [u8]), Malformed> {
        let (tag, rest) = varint(self.0)?;
        let (value, rest) = match tag & 7 {
            0 => varint(rest).map(|(value, rest)| (Value::Varint(value), rest))?,
            1 => (Value::Fixed, rest.get(8..).ok_or(Malformed)?),
            2 => {
                let (length, rest) = varint(rest)?;
                let length = usize::try_from(length).map_err(|_| Malformed)?;
                let (bytes, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
                (Value::Bytes(bytes), rest)
            }
            5 => (Value::Fixed, rest.get(4..).ok_or(Malformed)?),
            // Groups, which proto3 does not have.
            _ => return Err(Malformed),
        };
        let field = Field {
            number: (tag >> 3 != 0).then_some(tag >> 3).ok_or(Malformed)?,
            value,
            whole: self.0.get(..self.0.len() - rest.len()).ok_or(Malformed)?,
        };
        Ok((field, rest))
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<Field<'b>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (item, rest) = match self.field() {
            Ok((field, rest)) => (Ok(field), rest),
            Err(malformed) => (Err(malformed), [].as_slice()),
        };
        self.0 = rest;
        Some(item)
    }
}

/// Reads a number; gives what follows it too.
fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((value, bytes.get(at + 1..).unwrap_or_default()));
        }
    }
    Err(Malformed)
}

/// Writes a field that holds bytes, up to where they follow.
pub(super) fn write_length(out: &mut Vec<u8>, number: u64, length: usize) {
    for mut value in [number << 3 | 2, length as u64] {
        while value > 0x7f {
            out.push(value as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_wire_type_is_read() {
        // 1: varint 300, 2: fixed64, 3: "ab", 4: fixed32
        let message = b"\x08\xac\x02\x11\0\0\0\0\0\0\0\0\x1a\x02ab\x25\0\0\0\0";
        let fields: Vec<_> = Fields::of(message).map(Result::unwrap).collect();
        let values: Vec<_> = fields.iter().map(|f| (f.number, f.value)).collect();
        let expected = [
            (1, Value::Varint(300)),
            (2, Value::Fixed),
            (3, Value::Bytes(b"ab")),
            (4, Value::Fixed),
        ];
        assert_eq!(values, expected);
        assert_eq!(fields[2].whole, b"\x1a\x02ab");
    }

    #[test]
    fn what_is_no_message_is_said_once() {
        for bytes in [
            &b"\x08"[..],
            b"\x0a\x05ab",
            b"\x0b\x0c",
            b"\x00\x01",
            b"\x11\0\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"HTTP/1.1 200 OK",
            b"<html></html>",
        ] {
            let read: Vec<_> = Fields::of(bytes).collect();
            assert_eq!(read.iter().filter(|f| f.is_err()).count(), 1, "{bytes:?}");
            assert_eq!(read.last(), Some(&Err(Malformed)), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn fields_hold_every_byte_of_a_message(
            bytes in proptest::collection::vec(any::<u8>(), 0..200)
        ) {
            let mut at = 0;
            for field in Fields::of(&bytes).map_while(Result::ok) {
                prop_assert!(bytes[at..].starts_with(field.whole));
                at += field.whole.len();
            }
        }

        #[test]
        fn what_is_written_is_read(
            number in 1..1_u64 << 29,
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut message = Vec::new();
            write_length(&mut message, number, bytes.len());
            message.extend(&bytes);
            let field = Fields::of(&message).next().unwrap().unwrap();
            prop_assert_eq!((field.number, field.value), (number, Value::Bytes(&bytes)));
            prop_assert_eq!(field.whole, &message[..]);
        }
    }
}
