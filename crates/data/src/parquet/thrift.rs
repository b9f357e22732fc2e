//! Thrift's compact protocol, as far as Parquet's headers and footers need it, read in one way only.
//!
//! What a lenient reader would mend is refused: fields that come twice or out of order, numbers of fields and values
//! that do not fit, known fields of another type. Otherwise the decoder, which mends in its own way, could see
//! another header than the one that was checked.
//!
//! Source: the Thrift project's `thrift-compact-protocol.md`.

/// Types of the compact protocol.
pub(crate) mod wire {
    pub(crate) const TRUE: u8 = 1;
    pub(crate) const FALSE: u8 = 2;
    pub(crate) const BYTE: u8 = 3;
    pub(crate) const I16: u8 = 4;
    pub(crate) const I32: u8 = 5;
    pub(crate) const I64: u8 = 6;
    pub(crate) const DOUBLE: u8 = 7;
    pub(crate) const BINARY: u8 = 8;
    pub(crate) const LIST: u8 = 9;
    pub(crate) const SET: u8 = 10;
    pub(crate) const MAP: u8 = 11;
    pub(crate) const STRUCT: u8 = 12;
}

/// Structs in structs; a footer has six.
const DEPTH_MAX: usize = 16;

/// A reader of bytes. `None` wherever they end too early or hold what cannot be.
#[derive(Debug)]
pub(crate) struct Compact<'b> {
    bytes: &'b [u8],
    pub(crate) at: usize,
}

impl<'b> Compact<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Calls `each` with the number and the type of every field of a struct.
    pub(crate) fn fields(
        &mut self,
        mut each: impl FnMut(&mut Self, i16, u8) -> Option<()>,
    ) -> Option<()> {
        let mut last = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            let field = match head >> 4 {
                0 => i16::try_from(self.integer()?).ok()?,
                delta => last.checked_add(i16::from(delta))?,
            };
            if field <= last {
                return None;
            }
            last = field;
            each(self, field, head & 15)?;
        }
    }

    /// The type of a list's items and their number, of which each takes a byte at least.
    pub(crate) fn list(&mut self) -> Option<(u8, usize)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => usize::try_from(self.unsigned()?).ok()?,
            count => usize::from(count),
        };
        (count <= self.bytes.len() - self.at).then_some((head & 15, count))
    }

    /// A field's number of 32 bits.
    pub(crate) fn i32(&mut self, wire: u8) -> Option<i32> {
        if wire != wire::I32 {
            return None;
        }
        i32::try_from(self.integer()?).ok()
    }

    /// The length of a field's text, which is passed over.
    pub(crate) fn text(&mut self, wire: u8) -> Option<usize> {
        if wire != wire::BINARY {
            return None;
        }
        let length = self.unsigned()?;
        self.advance(length)?;
        usize::try_from(length).ok()
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self, wire: u8) -> Option<()> {
        self.skip_at(wire, 0)
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Passes over some bytes.
    pub(crate) fn advance(&mut self, bytes: u64) -> Option<()> {
        let next = self.at.checked_add(usize::try_from(bytes).ok()?)?;
        (next <= self.bytes.len()).then(|| self.at = next)
    }

    /// An integer without a sign, seven bits a byte.
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// An integer in zigzag form.
    fn integer(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn skip_at(&mut self, wire: u8, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match wire {
            wire::TRUE | wire::FALSE => Some(()),
            wire::BYTE => self.advance(1),
            wire::I16 | wire::I32 | wire::I64 => self.unsigned().map(|_value| ()),
            wire::DOUBLE => self.advance(8),
            wire::BINARY => self.text(wire).map(|_length| ()),
            wire::LIST | wire::SET => {
                let (item, count) = self.list()?;
                (0..count).try_for_each(|_item| self.skip_item(item, depth + 1))
            }
            wire::MAP => {
                let count = self.unsigned()?;
                if count == 0 {
                    return Some(());
                }
                let types = self.byte()?;
                (0..count).try_for_each(|_pair| {
                    self.skip_item(types >> 4, depth + 1)?;
                    self.skip_item(types & 15, depth + 1)
                })
            }
            wire::STRUCT => self.fields(|reader, _field, wire| reader.skip_at(wire, depth + 1)),
            _ => None,
        }
    }

    /// Booleans in lists are bytes by the protocol, and nothing at all for the decoder, which walks for hours over
    /// lists of two thousand million of them that take no room. Footers and headers of pages have none.
    fn skip_item(&mut self, wire: u8, depth: usize) -> Option<()> {
        match wire {
            wire::TRUE | wire::FALSE => None,
            other => self.skip_at(other, depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_take_no_room_are_refused() {
        // A list of three items, of a byte each; a set; a map of a byte to each.
        for (wire, item, bytes) in [
            (wire::LIST, wire::BYTE, &[0x33, 1, 1, 1][..]),
            (wire::SET, wire::BYTE, &[0x33, 1, 1, 1]),
            (wire::MAP, wire::BYTE, &[1, 0x33, 1, 1]),
        ] {
            assert_eq!(Compact::new(bytes).skip(wire), Some(()));
            for boolean in [wire::TRUE, wire::FALSE] {
                let types = usize::from(wire == wire::MAP);
                let mut booleans = bytes.to_vec();
                booleans[types] = booleans[types] - item + boolean;
                assert_eq!(Compact::new(&booleans).skip(wire), None, "{wire} of {boolean}");
            }
        }
    }

    #[test]
    fn only_one_way_to_read_a_struct_is_taken() {
        let read = |bytes: &[u8]| {
            let mut reader = Compact::new(bytes);
            let mut found = Vec::new();
            reader.fields(|reader, field, wire| {
                found.push((field, reader.i32(wire)?));
                Some(())
            })?;
            Some(found)
        };
        // Field 1 is 3, field 3 is -2.
        assert_eq!(read(&[0x15, 6, 0x25, 3, 0]), Some(vec![(1, 3), (3, -2)]));
        // Field 1 by a number of its own.
        assert_eq!(read(&[0x05, 2, 6, 0]), Some(vec![(1, 3)]));
        for wrong in [
            // Twice, backwards, below 1, beyond 16 bits, of another type, beyond 32 bits, without an end.
            &[0x15, 6, 0x05, 2, 6, 0][..],
            &[0x35, 6, 0x05, 2, 6, 0],
            &[0x05, 0, 6, 0],
            &[0x05, 0x84, 0x80, 0x08, 6, 0],
            &[0x16, 6, 0],
            &[0x15, 0xff, 0xff, 0xff, 0xff, 0x7f, 0],
            &[0x15, 6],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
