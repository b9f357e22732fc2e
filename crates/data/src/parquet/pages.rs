//! What a Parquet file really holds, from the headers of its pages and not from its footer.
//!
//! A footer may say anything. A file of a kilobyte can expand to gigabytes in four ways: pages that
//! decompress to more than they claim, pages that claim more than there is, a value of a dictionary
//! that is repeated by run-length encoding, and values that share a prefix (`DELTA_BYTE_ARRAY`). Walking
//! over the pages' headers, which costs a read of some bytes for each page, bounds all four before
//! memory is taken.
//!
//! Source: the Parquet format's `parquet.thrift` (`PageHeader`).

use std::io::{self, Read};

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use ::parquet::basic::{Compression, Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::ChunkReader;

use super::thrift::{Compact, wire};

/// Bytes of a batch of rows that repeat long values: small beside what a process has, large beside a page.
const BATCH_BYTES: u64 = 64 << 20;

/// Bytes in which a page's header is looked for first, and at the most (it may hold a column's least and
/// greatest value).
const HEADER_BYTES: usize = 256;
const HEADER_BYTES_MAX: usize = 16 << 20;

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
        let (mut values, mut repeated) = (0_u64, 0_u64);
        for group in metadata.row_groups() {
            let Some(column) = group.columns().get(leaf) else { continue };
            let (start, length) = column.byte_range();
            let end = start.checked_add(length).filter(|end| *end <= input.len());
            let end = end.ok_or_else(|| damaged("a column lies outside of the file"))?;
            left =
                left.checked_sub(length).ok_or_else(|| damaged("columns lie over each other"))?;
            let mut pages = Pages { input, offset: start, end };
            let mut dictionary = 0;
            while let Some(page) = pages.next()? {
                held.bytes = held.bytes.saturating_add(page.unpacked);
                values = values.saturating_add(page.values);
                if held.bytes.saturating_add(values.saturating_mul(VALUE_BYTES)) > bytes_max {
                    return Ok(None);
                }
                check_unpacked(input, &page, column.compression())?;
                match page.kind {
                    PageKind::Dictionary => dictionary = page.unpacked,
                    PageKind::Data(encoding) => {
                        repeated = repeated.max(encoding.repeats(dictionary, page.unpacked));
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
        held.bytes = held.bytes.saturating_add(values.saturating_mul(VALUE_BYTES));
    }
    Ok(Some(held))
}

fn damaged(reason: &str) -> ParquetError {
    ParquetError::General(reason.to_owned())
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

/// What of a page's header matters here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Page {
    kind: PageKind,
    /// Where its content begins in the file.
    start: u64,
    /// Bytes in the file, and after decompression.
    packed: usize,
    unpacked: u64,
    /// Values, nulls included; none in a dictionary.
    values: u64,
    /// Bytes before the compressed part.
    levels: usize,
    /// Whether the rest is not compressed, though the column is.
    is_plain: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum PageKind {
    Dictionary,
    Data(Encoding),
    #[default]
    Other,
}

/// `Encoding` of `parquet.thrift`, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Encoding(i32);

impl Encoding {
    /// Bytes that a single value may take without standing in the page so often.
    fn repeats(self, dictionary: u64, page: u64) -> u64 {
        match self.0 {
            // PLAIN and DELTA_LENGTH_BYTE_ARRAY: each value stands there.
            0 | 6 => 0,
            // PLAIN_DICTIONARY and RLE_DICTIONARY.
            2 | 8 => dictionary,
            _ => page,
        }
    }
}

/// The pages of a column chunk.
struct Pages<'i, R> {
    input: &'i R,
    offset: u64,
    end: u64,
}

impl<R: ChunkReader> Pages<'_, R> {
    fn next(&mut self) -> Result<Option<Page>, ParquetError> {
        if self.offset >= self.end {
            return Ok(None);
        }
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let mut window = HEADER_BYTES.min(left);
        let (mut page, header_bytes) = loop {
            let bytes = self.input.get_bytes(self.offset, window)?;
            let mut header = Compact::new(&bytes);
            if let Some(page) = page(&mut header) {
                break (page, header.at);
            }
            if window >= left || window >= HEADER_BYTES_MAX {
                return Err(damaged("a page's header cannot be read"));
            }
            window = (window * 8).min(left).min(HEADER_BYTES_MAX);
        };
        page.start = self.offset + header_bytes as u64;
        self.offset = page.start + page.packed as u64;
        if self.offset > self.end {
            return Err(damaged("a page is longer than its column"));
        }
        Ok(Some(page))
    }
}

/// Reads a page's header.
fn page(reader: &mut Compact<'_>) -> Option<Page> {
    let mut page = Page::default();
    let (mut kind, mut encoding) = (0, 0);
    let (mut plain, mut packed, mut of_levels) = (0, 0, 0);
    reader.fields(|reader, field, wire| {
        match field {
            1 => kind = reader.i32(wire)?,
            2 => plain = reader.i32(wire)?,
            3 => packed = reader.i32(wire)?,
            // DataPageHeader
            5 if wire == wire::STRUCT => reader.fields(|reader, field, wire| {
                match field {
                    1 => page.values = u64::try_from(reader.i32(wire)?).ok()?,
                    2 => encoding = reader.i32(wire)?,
                    _ => reader.skip(wire)?,
                }
                Some(())
            })?,
            // DataPageHeaderV2
            8 if wire == wire::STRUCT => reader.fields(|reader, field, wire| {
                match (field, wire) {
                    (1, _) => page.values = u64::try_from(reader.i32(wire)?).ok()?,
                    (4, _) => encoding = reader.i32(wire)?,
                    (5 | 6, _) => {
                        of_levels += usize::try_from(reader.i32(wire)?).ok()?;
                    }
                    (7, wire::TRUE) => {}
                    (7, wire::FALSE) => page.is_plain = true,
                    (7, _) => return None,
                    _ => reader.skip(wire)?,
                }
                Some(())
            })?,
            5 | 8 => return None,
            _ => reader.skip(wire)?,
        }
        Some(())
    })?;
    page.unpacked = u64::try_from(plain).ok()?;
    page.packed = usize::try_from(packed).ok()?;
    page.levels = of_levels;
    page.kind = match kind {
        0 | 3 => PageKind::Data(Encoding(encoding)),
        2 => PageKind::Dictionary,
        _ => PageKind::Other,
    };
    Some(page)
}
