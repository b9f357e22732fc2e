//! What is where in Parquet's headers and footers: the type of each field that the decoder knows.
//!
//! The decoder does not look at the type that a field says it has: a true that stands where it expects a struct has it
//! read on in the bytes behind, as a schema without end or a list of thousands of millions. What it reads is
//! what was checked only if every field has the type that it expects.
//!
//! Source: the Parquet format's `parquet.thrift`. Fields that are not here are passed over by both.

use super::thrift::{Compact, wire};

/// The type of a field or of a list's items.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layout {
    Bool,
    I8,
    I16,
    I32,
    I64,
    Double,
    Binary,
    List(&'static Self),
    /// Fields by their number; a union is a struct too.
    Struct(&'static [(i16, Self)]),
}

use Layout::{Binary, Bool, Double, I8, I16, I32, I64, List, Struct};

const STATISTICS: Layout = Struct(&[
    (1, Binary),
    (2, Binary),
    (3, I64),
    (4, I64),
    (5, Binary),
    (6, Binary),
    (7, Bool),
    (8, Bool),
    (9, I64),
]);

/// `PageHeader`
pub(super) const PAGE_HEADER: Layout = Struct(&[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, I32),
    (5, Struct(&[(1, I32), (2, I32), (3, I32), (4, I32), (5, STATISTICS)])),
    (6, EMPTY),
    (7, Struct(&[(1, I32), (2, I32), (3, Bool)])),
    (
        8,
        Struct(&[
            (1, I32),
            (2, I32),
            (3, I32),
            (4, I32),
            (5, I32),
            (6, I32),
            (7, Bool),
            (8, STATISTICS),
        ]),
    ),
]);

const EMPTY: Layout = Struct(&[]);

/// `TimeType` and `TimestampType`: whether it is UTC, and a union of units.
const TIME: Layout = Struct(&[(1, Bool), (2, Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))]);

const LOGICAL_TYPE: Layout = Struct(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Struct(&[(1, I32), (2, I32)])),
    (6, EMPTY),
    (7, TIME),
    (8, TIME),
    (10, Struct(&[(1, I8), (2, Bool)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Struct(&[(1, I8)])),
    (17, Struct(&[(1, Binary)])),
    (18, Struct(&[(1, Binary), (2, I32)])),
]);

const SCHEMA_ELEMENT: Layout = Struct(&[
    (1, I32),
    (2, I32),
    (3, I32),
    (4, Binary),
    (5, I32),
    (6, I32),
    (7, I32),
    (8, I32),
    (9, I32),
    (10, LOGICAL_TYPE),
]);

const KEY_VALUE: Layout = Struct(&[(1, Binary), (2, Binary)]);

const BOUNDING_BOX: Layout = Struct(&[
    (1, Double),
    (2, Double),
    (3, Double),
    (4, Double),
    (5, Double),
    (6, Double),
    (7, Double),
    (8, Double),
]);

const COLUMN_META_DATA: Layout = Struct(&[
    (1, I32),
    (2, List(&I32)),
    (3, List(&Binary)),
    (4, I32),
    (5, I64),
    (6, I64),
    (7, I64),
    (8, List(&KEY_VALUE)),
    (9, I64),
    (10, I64),
    (11, I64),
    (12, STATISTICS),
    (13, List(&Struct(&[(1, I32), (2, I32), (3, I32)]))),
    (14, I64),
    (15, I32),
    (16, Struct(&[(1, I64), (2, List(&I64)), (3, List(&I64))])),
    (17, Struct(&[(1, BOUNDING_BOX), (2, List(&I32))])),
]);

const COLUMN_CHUNK: Layout = Struct(&[
    (1, Binary),
    (2, I64),
    (3, COLUMN_META_DATA),
    (4, I64),
    (5, I32),
    (6, I64),
    (7, I32),
    (8, Struct(&[(1, EMPTY), (2, Struct(&[(1, List(&Binary)), (2, Binary)]))])),
    (9, Binary),
]);

const ROW_GROUP: Layout = Struct(&[
    (1, List(&COLUMN_CHUNK)),
    (2, I64),
    (3, I64),
    (4, List(&Struct(&[(1, I32), (2, Bool), (3, Bool)]))),
    (5, I64),
    (6, I64),
    (7, I16),
]);

/// `AesGcmV1` and `AesGcmCtrV1`
const CIPHER: Layout = Struct(&[(1, Binary), (2, Binary), (3, Bool)]);

/// `FileMetaData`
pub(super) const FILE_META_DATA: Layout = Struct(&[
    (1, I32),
    (2, List(&SCHEMA_ELEMENT)),
    (3, I64),
    (4, List(&ROW_GROUP)),
    (5, List(&KEY_VALUE)),
    (6, Binary),
    (7, List(&Struct(&[(1, EMPTY), (2, EMPTY)]))),
    (8, Struct(&[(1, CIPHER), (2, CIPHER)])),
    (9, Binary),
]);

impl Layout {
    /// Passes over a value of a struct's field that says it has the type `found`; `None` if that is another.
    pub(super) fn pass(&self, reader: &mut Compact<'_>, found: u8) -> Option<()> {
        let is_expected = match self {
            Bool => matches!(found, wire::TRUE | wire::FALSE),
            I8 => found == wire::BYTE,
            I16 => found == wire::I16,
            I32 => found == wire::I32,
            I64 => found == wire::I64,
            Double => found == wire::DOUBLE,
            Binary => found == wire::BINARY,
            List(_) => found == wire::LIST,
            Struct(_) => found == wire::STRUCT,
        };
        if !is_expected {
            return None;
        }
        match self {
            List(layout) => {
                let (item, count) = reader.list()?;
                (0..count).try_for_each(|_item| layout.pass(reader, item))
            }
            Struct(known) => reader.fields(|reader, field, found| {
                match known.iter().find(|(number, _)| *number == field) {
                    Some((_, layout)) => layout.pass(reader, found),
                    None => reader.skip(found),
                }
            }),
            _ => reader.skip(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(header: &[u8]) -> bool {
        PAGE_HEADER.pass(&mut Compact::new(header), wire::STRUCT).is_some()
    }

    #[test]
    fn fields_have_the_type_that_the_decoder_reads() {
        // A data page of 50 values; behind it an index page's header, and a field that nobody knows.
        let data = [0x15, 0, 0x15, 20, 0x15, 20, 0x2c, 0x15, 100, 0x15, 14, 0x15, 6, 0x15, 6, 0];
        assert!(passes(&[&data[..], &[0]].concat()));
        assert!(passes(&[&data[..], &[0x1c, 0, 0]].concat()));
        assert!(passes(&[&data[..], &[0x75, 4, 0]].concat()));
        // The index page's header is a true.
        assert!(!passes(&[&data[..], &[0x11, 0]].concat()));
        // A size is a text; an encoding of levels is a byte.
        assert!(!passes(&[0x15, 0, 0x18, 1, b'x', 0]));
        assert!(!passes(&[0x15, 0, 0x15, 20, 0x15, 20, 0x2c, 0x15, 100, 0x15, 14, 0x13, 6, 0, 0]));
    }

    #[test]
    fn lists_in_footers_have_their_items() {
        let passes =
            |footer: &[u8]| FILE_META_DATA.pass(&mut Compact::new(footer), wire::STRUCT).is_some();
        // A version, a schema of one element that is called "a", no rows.
        let schema = [0x15, 4, 0x19, 0x1c, 0x48, 1, b'a', 0];
        assert!(passes(&[&schema[..], &[0x16, 0, 0]].concat()));
        assert!(passes(&[&schema[..], &[0x16, 0, 0x19, 0x0c, 0]].concat()));
        // The version is a text, the schema a list of texts, the rows are bytes.
        assert!(!passes(&[0x18, 1, b'x', 0]));
        assert!(!passes(&[0x15, 4, 0x19, 0x18, 1, b'a', 0x16, 0, 0]));
        assert!(!passes(&[&schema[..], &[0x13, 0, 0]].concat()));
    }
}
