//! The lists of lengths in pages of `DELTA_LENGTH_BYTE_ARRAY` and `DELTA_BYTE_ARRAY`.
//!
//! The decoder takes memory for as many lengths as a list says that it has, and lengths that rise by the
//! same step take no bytes: a page of some hundred bytes may ask for exabytes, which ends the process, or
//! have gigabytes filled. No list may have more lengths than its page has values, nulls included, and the
//! blocks of a list must stand in the page.
//!
//! Source: the Parquet format's `Encodings.md` (`DELTA_BINARY_PACKED`, `DELTA_LENGTH_BYTE_ARRAY`,
//! `DELTA_BYTE_ARRAY`, `RLE`) and `README.md` (data pages).

use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use ::parquet::basic::Encoding;
use ::parquet::column::page::{Page, PageReader as _};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::{ChunkReader, Length};
use ::parquet::file::serialized_reader::SerializedPageReader;
use ::parquet::schema::types::ColumnDescriptor;
use bytes::Bytes;

use super::page::{PageKind, Pages, damaged};
use super::thrift::Compact;

/// Lengths of a block. Writers have 128 to 2048.
const BLOCK_MAX: usize = 1 << 16;

/// What the numbers of lengths in blocks, and in the parts of a block, are multiples of.
const BLOCK_STEP: usize = 128;
const PART_STEP: usize = 32;

/// Bits of a length.
const WIDTH_MAX: u8 = 32;

/// Checks the pages of the columns `roots` (indices of top-level columns) that have lists of lengths. Each of
/// them is unpacked, one at a time, so that [`super::pages::held`] comes first: it bounds how large they are.
pub(super) fn check<R: ChunkReader>(
    input: &R,
    metadata: &ArrowReaderMetadata,
    roots: &[usize],
) -> Result<(), ParquetError> {
    let metadata = metadata.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let leaves = 0..schema.num_columns();
    for leaf in leaves.filter(|leaf| roots.contains(&schema.get_column_root_idx(*leaf))) {
        for group in metadata.row_groups() {
            let Some(column) = group.columns().get(leaf) else { continue };
            let mut pages = Pages::of(input, column)?;
            let mut start = pages.offset;
            while let Some(page) = pages.next()? {
                let has_lengths =
                    matches!(page.kind, PageKind::Data(encoding) if encoding.has_lengths());
                if has_lengths {
                    let page = unpack(input, column, start, pages.offset)?;
                    page.and_then(|page| check_page(&page, &schema.column(leaf))).ok_or_else(
                        || damaged("a page does not have the lengths of its texts that it says"),
                    )?;
                }
                start = pages.offset;
            }
        }
    }
    Ok(())
}

/// The page whose header begins at `start`, as the decoder will see it.
pub(super) fn unpack<R: ChunkReader>(
    input: &R,
    column: &ColumnChunkMetaData,
    start: u64,
    end: u64,
) -> Result<Option<Page>, ParquetError> {
    let only = ColumnChunkMetaData::builder(column.column_descr_ptr())
        .set_compression(column.compression())
        .set_data_page_offset(i64::try_from(start)?)
        .set_total_compressed_size(i64::try_from(end - start)?)
        .build()?;
    SerializedPageReader::new(Arc::new(Borrowed(input)), &only, 0, None)?.get_next_page()
}

/// None if the page's lists of lengths are not what they should be.
fn check_page(page: &Page, column: &ColumnDescriptor) -> Option<()> {
    let values_max = u64::from(page.num_values());
    let values = match page {
        Page::DataPage { buf, def_level_encoding, rep_level_encoding, .. } => {
            let mut rest = buf.as_ref();
            for (level_max, encoding) in [
                (column.max_rep_level(), *rep_level_encoding),
                (column.max_def_level(), *def_level_encoding),
            ] {
                if level_max > 0 {
                    rest = rest.get(level_bytes(rest, level_max, encoding, values_max)?..)?;
                }
            }
            rest
        }
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
            buf.get((*rep_levels_byte_len as usize).checked_add(*def_levels_byte_len as usize)?..)?
        }
        Page::DictionaryPage { .. } => return None,
    };
    let end = lengths(values, values_max)?;
    if page.encoding() == Encoding::DELTA_BYTE_ARRAY {
        // These were the lengths of prefixes; those of suffixes follow.
        lengths(values.get(end..)?, values_max)?;
    }
    Some(())
}

/// Bytes of the levels that a page of the first version begins with.
#[expect(deprecated, reason = "the decoder reads levels of the first writers too")]
fn level_bytes(bytes: &[u8], level_max: i16, encoding: Encoding, values: u64) -> Option<usize> {
    match encoding {
        Encoding::RLE => {
            let length = u32::from_le_bytes(*bytes.first_chunk()?);
            usize::try_from(length).ok()?.checked_add(size_of::<u32>())
        }
        Encoding::BIT_PACKED => {
            let bits = u64::from(i16::BITS - level_max.leading_zeros());
            usize::try_from(values.checked_mul(bits)?.div_ceil(8)).ok()
        }
        _ => None,
    }
}

/// Where a list of lengths ends (`DELTA_BINARY_PACKED`). None if it has more than `lengths_max` or ends in
/// the middle. Each turn of the loop passes over some bytes, whatever the list says of itself.
fn lengths(bytes: &[u8], lengths_max: u64) -> Option<usize> {
    let mut reader = Compact::new(bytes);
    let block = usize::try_from(reader.unsigned()?).ok()?;
    let parts = usize::try_from(reader.unsigned()?).ok()?;
    let total = reader.unsigned()?;
    let _first = reader.unsigned()?;
    let fits = (1..=BLOCK_MAX).contains(&block)
        && block.is_multiple_of(BLOCK_STEP)
        && (1..=block).contains(&parts)
        && block.is_multiple_of(parts)
        && (block / parts).is_multiple_of(PART_STEP);
    if !fits || total > lengths_max {
        return None;
    }
    let part = block / parts;
    // The first one stands in the header.
    let mut left = usize::try_from(total).ok()?.saturating_sub(1);
    while left > 0 {
        let _least_step = reader.unsigned()?;
        let widths = bytes.get(reader.at..)?.get(..parts)?;
        reader.advance(parts as u64)?;
        // Widths of parts that nothing is left for may be anything, and have no bytes.
        let widths = widths.get(..left.div_ceil(part).min(parts))?;
        if widths.iter().any(|width| *width > WIDTH_MAX) {
            return None;
        }
        let bits: usize = widths.iter().map(|width| usize::from(*width) * part).sum();
        reader.advance(bits as u64 / 8)?;
        left = left.saturating_sub(block);
    }
    Some(reader.at)
}

/// An input that the decoder's reader of pages may have without owning it.
#[derive(Debug)]
struct Borrowed<'i, R>(&'i R);

impl<R: ChunkReader> Length for Borrowed<'_, R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Borrowed<'_, R> {
    type T = R::T;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.0.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.0.get_bytes(start, length)
    }
}

#[cfg(test)]
mod tests {
    use ::parquet::basic::Type;
    use ::parquet::schema::types::{ColumnPath, Type as SchemaType};

    use super::*;

    /// Blocks of 128 in 4 parts, `total` lengths of which the first is 3.
    fn header(total: &[u8]) -> Vec<u8> {
        [&[0x80, 1, 4][..], total, &[6]].concat()
    }

    /// A block whose lengths rise by one step: nothing after its widths.
    const STEADY: [u8; 5] = [0, 0, 0, 0, 0];

    #[test]
    fn lists_are_walked_over_to_their_end() {
        assert_eq!(lengths(&header(&[0]), 0), Some(5));
        assert_eq!(lengths(&[&header(&[1])[..], b"abc"].concat(), 1), Some(5));
        // 100 lengths: one block; 130: two, of which the second has one length.
        assert_eq!(lengths(&[&header(&[100])[..], &STEADY, b"x"].concat(), 100), Some(10));
        let two = [&header(&[0x82, 1])[..], &STEADY, &STEADY].concat();
        assert_eq!(lengths(&two, 200), Some(16));
        // 40 lengths of which the first 32 have 1 bit and the others 2; the last two widths mean nothing.
        let packed = [&header(&[40])[..], &[0, 1, 2, 255, 255], &[0; 12]].concat();
        assert_eq!(lengths(&packed, 40), Some(packed.len()));
        assert_eq!(lengths(&packed[..packed.len() - 1], 40), None);
    }

    #[test]
    fn lists_that_claim_more_than_there_is_are_refused() {
        let exabytes = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(lengths(&[&header(&exabytes)[..], &STEADY].concat(), 50), None);
        assert_eq!(lengths(&[&header(&[51])[..], &STEADY].concat(), 50), None);
        // Even where a page claims as many values: each block needs its bytes.
        assert_eq!(lengths(&[&header(&exabytes)[..], &STEADY].concat(), u64::MAX), None);
        for wrong in [
            // Blocks of none, of 100, of too many; none, too many and odd parts; widths beyond 32 bits.
            &[0, 1, 1, 0][..],
            &[100, 1, 1, 0],
            &[0x80, 0x80, 0x80, 1, 4, 1, 0],
            &[0x80, 1, 0, 1, 0],
            &[0x80, 1, 0x80, 2, 1, 0],
            &[0x80, 1, 8, 1, 0],
            &[0x80, 1, 4, 2, 0, 0, 33, 0, 0, 0],
            &[0x80, 1, 4],
            &[],
        ] {
            assert_eq!(lengths(wrong, 50), None, "{wrong:?}");
        }
    }

    fn column(level_max: i16) -> ColumnDescriptor {
        let kind = SchemaType::primitive_type_builder("c", Type::BYTE_ARRAY).build().unwrap();
        ColumnDescriptor::new(Arc::new(kind), level_max, 0, ColumnPath::from("c"))
    }

    #[expect(deprecated, reason = "the decoder reads levels of the first writers too")]
    #[test]
    fn both_lists_are_found_behind_the_levels() {
        let (two, three) = (&[2, 0, 0, 0][..], [&header(&[3])[..], &STEADY].concat());
        let five = [&header(&[5])[..], &STEADY].concat();
        let first_version = |levels: &[u8], level_encoding, lists: &[&[u8]]| Page::DataPage {
            buf: [levels, &lists.concat()].concat().into(),
            num_values: 4,
            encoding: Encoding::DELTA_BYTE_ARRAY,
            def_level_encoding: level_encoding,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let second_version = |levels: &[u8], lists: &[&[u8]]| Page::DataPageV2 {
            buf: [levels, &lists.concat()].concat().into(),
            num_values: 4,
            encoding: Encoding::DELTA_BYTE_ARRAY,
            num_nulls: 1,
            num_rows: 4,
            def_levels_byte_len: levels.len() as u32,
            rep_levels_byte_len: 0,
            is_compressed: false,
            statistics: None,
        };
        let runs = [two, &[8, 1]].concat();
        for (lists, is_right) in [
            ([&three[..], &three[..]], true),
            ([&five[..], &three[..]], false),
            ([&three[..], &five[..]], false),
            ([&three[..], &[][..]], false),
        ] {
            for (page, level_max) in [
                (first_version(&[], Encoding::RLE, &lists), 0),
                (first_version(&runs, Encoding::RLE, &lists), 1),
                // Four values of a bit each.
                (first_version(&[0b1110], Encoding::BIT_PACKED, &lists), 1),
                (second_version(&[8, 1], &lists), 1),
            ] {
                let checked = check_page(&page, &column(level_max));
                assert_eq!(checked.is_some(), is_right, "{page:?}");
            }
        }
        // Levels that are longer than the page.
        let page = first_version(&[200, 0, 0, 0], Encoding::RLE, &[&three, &three]);
        assert!(check_page(&page, &column(1)).is_none());
    }
}
