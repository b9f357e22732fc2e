//! What a Parquet file really holds, from the headers of its pages and not from its footer.
//!
//! A footer may say anything. A file of a kilobyte can expand to gigabytes in four ways: pages that
//! decompress to more than they claim, pages that claim more than there is, a value of a dictionary
//! that is repeated by run-length encoding, and values that share a prefix (`DELTA_BYTE_ARRAY`). Walking
//! over the pages' headers, which costs a read of some bytes for each page, bounds all four before
//! memory is taken.
//!
//! Sources: the Parquet format's `parquet.thrift` (`PageHeader`), and Thrift's compact protocol.

use std::io::{self, Read};

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use ::parquet::basic::{Compression, Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::ChunkReader;

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
    /// Values of the column that has most, nulls included.
    pub(crate) values: u64,
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

/// Walks over the pages of the columns `roots` (indices of top-level columns).
pub(crate) fn held<R: ChunkReader>(
    input: &R,
    metadata: &ArrowReaderMetadata,
    roots: &[usize],
) -> Result<Held, ParquetError> {
    let metadata = metadata.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let leaves = 0..schema.num_columns();
    let mut held = Held::default();
    for leaf in leaves.filter(|leaf| roots.contains(&schema.get_column_root_idx(*leaf))) {
        let descriptor = schema.column(leaf);
        let (mut values, mut repeated) = (0_u64, 0_u64);
        for group in metadata.row_groups() {
            let Some(column) = group.columns().get(leaf) else { continue };
            let (start, length) = column.byte_range();
            let end = start.checked_add(length).filter(|end| *end <= input.len());
            let end = end.ok_or_else(|| damaged("a column lies outside of the file"))?;
            let mut pages = Pages { input, offset: start, end };
            let mut dictionary = 0;
            while let Some(page) = pages.next()? {
                check_unpacked(input, &page, column.compression())?;
                held.bytes = held.bytes.saturating_add(page.unpacked);
                values = values.saturating_add(page.values);
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
        held.values = held.values.max(values);
    }
    Ok(held)
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
struct Encoding(i64);

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
            let mut header = Compact { bytes: &bytes, at: 0 };
            if let Some(page) = header.page() {
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

/// Thrift's compact protocol, as far as a page's header needs it. None where the bytes end too early or
/// hold what cannot be.
struct Compact<'b> {
    bytes: &'b [u8],
    at: usize,
}

/// Types of the compact protocol.
mod wire {
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const I64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const MAP: u8 = 11;
    pub(super) const STRUCT: u8 = 12;
}

/// Structs in structs; a page's header has three.
const DEPTH_MAX: usize = 8;

impl Compact<'_> {
    fn page(&mut self) -> Option<Page> {
        let mut page = Page::default();
        let (mut kind, mut encoding) = (0, 0);
        let (mut plain, mut packed, mut of_levels) = (0, 0, 0);
        self.fields(|reader, field, wire| {
            match (field, wire) {
                (1, 4..=6) => kind = reader.integer()?,
                (2, 4..=6) => plain = reader.integer()?,
                (3, 4..=6) => packed = reader.integer()?,
                // DataPageHeader
                (5, wire::STRUCT) => reader.fields(|reader, field, wire| {
                    match (field, wire) {
                        (1, 4..=6) => page.values = u64::try_from(reader.integer()?).ok()?,
                        (2, 4..=6) => encoding = reader.integer()?,
                        _ => reader.skip(wire, 0)?,
                    }
                    Some(())
                })?,
                // DataPageHeaderV2
                (8, wire::STRUCT) => reader.fields(|reader, field, wire| {
                    match (field, wire) {
                        (1, 4..=6) => page.values = u64::try_from(reader.integer()?).ok()?,
                        (4, 4..=6) => encoding = reader.integer()?,
                        (5 | 6, 4..=6) => of_levels = reader.integer()?.checked_add(of_levels)?,
                        (7, wire::FALSE) => page.is_plain = true,
                        _ => reader.skip(wire, 0)?,
                    }
                    Some(())
                })?,
                _ => reader.skip(wire, 0)?,
            }
            Some(())
        })?;
        page.unpacked = u64::try_from(plain).ok()?;
        page.packed = usize::try_from(packed).ok()?;
        page.levels = usize::try_from(of_levels).ok()?;
        page.kind = match kind {
            0 | 3 => PageKind::Data(Encoding(encoding)),
            2 => PageKind::Dictionary,
            _ => PageKind::Other,
        };
        Some(page)
    }

    /// Calls `each` with the number and the type of every field of a struct.
    fn fields(&mut self, mut each: impl FnMut(&mut Self, i64, u8) -> Option<()>) -> Option<()> {
        let mut field = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            field = match head >> 4 {
                0 => self.integer()?,
                delta => field.checked_add(i64::from(delta))?,
            };
            each(self, field, head & 15)?;
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn advance(&mut self, bytes: u64) -> Option<()> {
        let next = self.at.checked_add(usize::try_from(bytes).ok()?)?;
        (next <= self.bytes.len()).then(|| self.at = next)
    }

    fn unsigned(&mut self) -> Option<u64> {
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

    fn skip(&mut self, wire: u8, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        match wire {
            wire::TRUE | wire::FALSE => Some(()),
            wire::BYTE => self.advance(1),
            4..=wire::I64 => self.unsigned().map(|_value| ()),
            wire::DOUBLE => self.advance(8),
            wire::BINARY => {
                let length = self.unsigned()?;
                self.advance(length)
            }
            wire::LIST | wire::SET => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.unsigned()?,
                    count => u64::from(count),
                };
                (0..count).try_for_each(|_item| self.skip_item(head & 15, depth + 1))
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
            wire::STRUCT => self.fields(|reader, _field, wire| reader.skip(wire, depth + 1)),
            _ => None,
        }
    }

    /// Booleans in lists are bytes; in structs they stand in the field's head.
    fn skip_item(&mut self, wire: u8, depth: usize) -> Option<()> {
        match wire {
            wire::TRUE | wire::FALSE => self.advance(1),
            other => self.skip(other, depth),
        }
    }
}
