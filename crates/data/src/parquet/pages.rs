//! What a Parquet file really holds, from the headers of its pages and not from its footer.
//!
//! A footer may say anything. A file of a kilobyte can expand to gigabytes in four ways: pages that
//! decompress to more than they claim, pages that claim more than there is, a value of a dictionary
//! that is repeated by run-length encoding, and values that share a prefix (`DELTA_BYTE_ARRAY`). Walking
//! over the pages' headers, which costs a read of some bytes for each page, bounds all four before
//! memory is taken.
//!
//! Numbers that the decoder takes memory for are held against what is there: the entries of a dictionary
//! here, the lengths of texts in `delta.rs`.

use std::io::{self, Read};

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use ::parquet::basic::{Compression, Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::ChunkReader;
use ::parquet::schema::types::ColumnDescriptor;

use super::page::{Page, PageKind, Pages, damaged};

/// Bytes of a batch of rows that repeat long values: small beside what a process has, large beside a page.
const BATCH_BYTES: u64 = 64 << 20;

/// Bytes a value takes at least once it is decoded, with its share of offsets and null bits.
const VALUE_BYTES: u64 = 8;

/// What the pages of some columns hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Held {
    /// Bytes after decompression, and what their values take at least.
    pub(crate) bytes: u64,
    /// Bytes of one row of values that encodings may repeat.
    repeated: u64,
}

impl Held {
    /// Rows that can be decoded at a time, at most `wanted`.
    pub(crate) fn batch_rows(&self, wanted: usize) -> usize {
        let possible = BATCH_BYTES / self.repeated.max(1);
        usize::try_from(possible).unwrap_or(usize::MAX).clamp(1, wanted)
    }
}

/// Walks over the pages of the columns `roots` (indices of top-level columns). None when they hold more
/// than `bytes_max`, which is found out before more than that is unpacked.
pub(crate) fn held<R: ChunkReader>(
    input: &R,
    metadata: &ArrowReaderMetadata,
    roots: &[usize],
    bytes_max: u64,
) -> Result<Option<Held>, ParquetError> {
    let metadata = metadata.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let leaves = 0..schema.num_columns();
    let mut held = Held::default();
    // Each byte of the file belongs to one column, or a page could be unpacked again and again.
    let mut left = input.len();
    for leaf in leaves.filter(|leaf| roots.contains(&schema.get_column_root_idx(*leaf))) {
        let descriptor = schema.column(leaf);
        let value_bytes = value_bytes(&descriptor);
        let (mut values, mut repeated) = (0_u64, 0_u64);
        for group in metadata.row_groups() {
            let Some(column) = group.columns().get(leaf) else { continue };
            let mut pages = Pages::of(input, column)?;
            left = left
                .checked_sub(pages.left())
                .ok_or_else(|| damaged("columns lie over each other"))?;
            let mut dictionary = 0;
            while let Some(page) = pages.next()? {
                // What is not compressed is as long as it is, whatever its header says.
                let bytes = page.unpacked.max(page.packed as u64);
                held.bytes = held.bytes.saturating_add(bytes);
                values = values.saturating_add(page.values);
                let of_values = values.max(1).saturating_mul(value_bytes);
                if held.bytes.saturating_add(of_values) > bytes_max {
                    return Ok(None);
                }
                check_unpacked(input, &page, column.compression())?;
                match page.kind {
                    PageKind::Dictionary => {
                        check_entries(page.entries, bytes, &descriptor)?;
                        dictionary = bytes;
                    }
                    PageKind::Data(encoding) => {
                        repeated = repeated.max(encoding.repeats(dictionary, bytes));
                        // Room for a batch of them is taken, whatever they hold.
                        if descriptor.physical_type() == Type::FIXED_LEN_BYTE_ARRAY {
                            repeated = repeated.max(value_bytes);
                        }
                    }
                    PageKind::Other => {}
                }
            }
        }
        let is_long =
            matches!(descriptor.physical_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY);
        if is_long {
            held.repeated = held.repeated.saturating_add(repeated);
        }
        held.bytes = held.bytes.saturating_add(values.saturating_mul(value_bytes));
    }
    Ok(Some(held))
}

/// Bytes that a value of a column takes at least once it is decoded, null or not.
fn value_bytes(column: &ColumnDescriptor) -> u64 {
    match column.physical_type() {
        Type::FIXED_LEN_BYTE_ARRAY => fixed_bytes(column).max(VALUE_BYTES),
        _ => VALUE_BYTES,
    }
}

fn fixed_bytes(column: &ColumnDescriptor) -> u64 {
    u64::try_from(column.type_length()).unwrap_or_default()
}

/// A dictionary has as many entries as its bytes can be: the decoder takes memory for what it claims.
fn check_entries(entries: u64, bytes: u64, column: &ColumnDescriptor) -> Result<(), ParquetError> {
    let bits = match column.physical_type() {
        Type::BOOLEAN => 1,
        // A text has its length before it.
        Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 32,
        Type::INT64 | Type::DOUBLE => 64,
        Type::INT96 => 96,
        Type::FIXED_LEN_BYTE_ARRAY => fixed_bytes(column).saturating_mul(8).max(1),
    };
    // One byte more: an only value may have no length.
    if entries.saturating_mul(bits) > bytes.saturating_add(1).saturating_mul(8) {
        return Err(damaged("a dictionary has more entries than its bytes can be"));
    }
    Ok(())
}

/// Some of the codecs write as much as they find, whatever the header says: those are run once into
/// nothing, and stopped where they should be at their end.
fn check_unpacked<R: ChunkReader>(
    input: &R,
    page: &Page,
    codec: Compression,
) -> Result<(), ParquetError> {
    if page.is_plain
        || !matches!(codec, Compression::GZIP(_) | Compression::BROTLI(_) | Compression::LZ4)
    {
        return Ok(());
    }
    let packed = input.get_bytes(page.start, page.packed)?;
    // Levels of the second version of pages stand uncompressed before the values.
    let packed =
        packed.get(page.levels..).ok_or_else(|| damaged("a page's levels are too long"))?;
    let limit = page.unpacked + 1;
    let unpacked = match codec {
        Compression::GZIP(_) => count(flate2::read::MultiGzDecoder::new(packed), limit),
        Compression::BROTLI(_) => count(brotli::Decompressor::new(packed, 4096), limit),
        // The frame format is tried where the other one (which is bounded) does not fit.
        _ => count(lz4_flex::frame::FrameDecoder::new(packed), limit).or(Ok(0)),
    };
    let unpacked = unpacked.map_err(|error| ParquetError::External(Box::new(error)))?;
    if unpacked > page.unpacked {
        return Err(damaged("a page decompresses to more than its header says"));
    }
    Ok(())
}

fn count(reader: impl Read, limit: u64) -> io::Result<u64> {
    io::copy(&mut reader.take(limit), &mut io::sink())
}
