//! The pages of a column chunk, by their headers.
//!
//! Source: the Parquet format's `parquet.thrift` (`PageHeader`).

use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::ChunkReader;

use super::layout::PAGE_HEADER;
use super::thrift::{Compact, wire};

/// Bytes in which a page's header is looked for first, and at the most (it may hold a column's least and
/// greatest value).
const HEADER_BYTES: usize = 256;
const HEADER_BYTES_MAX: usize = 16 << 20;

pub(super) fn damaged(reason: &str) -> ParquetError {
    ParquetError::General(reason.to_owned())
}

/// What of a page's header matters here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) kind: PageKind,
    /// Where its content begins in the file.
    pub(super) start: u64,
    /// Bytes in the file, and after decompression.
    pub(super) packed: usize,
    pub(super) unpacked: u64,
    /// Values, nulls included; none in a dictionary.
    pub(super) values: u64,
    /// Values of a dictionary.
    pub(super) entries: u64,
    /// Bytes before the compressed part.
    pub(super) levels: usize,
    /// Whether the rest is not compressed, though the column is.
    pub(super) is_plain: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    Dictionary,
    Data(Encoding),
    #[default]
    Other,
}

/// `Encoding` of `parquet.thrift`, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding(i32);

impl Encoding {
    /// Bytes that a single value may take without standing in the page so often.
    pub(super) fn repeats(self, dictionary: u64, page: u64) -> u64 {
        match self.0 {
            // PLAIN and DELTA_LENGTH_BYTE_ARRAY: each value stands there.
            0 | 6 => 0,
            // PLAIN_DICTIONARY and RLE_DICTIONARY.
            2 | 8 => dictionary,
            _ => page,
        }
    }

    /// Whether lists of lengths stand before the values.
    pub(super) fn has_lengths(self) -> bool {
        // DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY.
        matches!(self.0, 6 | 7)
    }
}

/// The pages of a column chunk.
#[derive(Debug)]
pub(super) struct Pages<'i, R> {
    input: &'i R,
    /// Where the header of the next one begins in the file.
    pub(super) offset: u64,
    end: u64,
}

impl<'i, R: ChunkReader> Pages<'i, R> {
    /// Those of `column`, if it lies inside of the file.
    pub(super) fn of(input: &'i R, column: &ColumnChunkMetaData) -> Result<Self, ParquetError> {
        let (offset, length) = column.byte_range();
        let end = offset.checked_add(length).filter(|end| *end <= input.len());
        let end = end.ok_or_else(|| damaged("a column lies outside of the file"))?;
        Ok(Self { input, offset, end })
    }

    /// Bytes in the file that are still to come.
    pub(super) fn left(&self) -> u64 {
        self.end - self.offset
    }

    pub(super) fn next(&mut self) -> Result<Option<Page>, ParquetError> {
        if self.offset >= self.end {
            return Ok(None);
        }
        let left = usize::try_from(self.left()).unwrap_or(usize::MAX);
        let mut window = HEADER_BYTES.min(left);
        let (mut page, header_bytes) = loop {
            let bytes = self.input.get_bytes(self.offset, window)?;
            let known = PAGE_HEADER.pass(&mut Compact::new(&bytes), wire::STRUCT);
            let mut header = Compact::new(&bytes);
            if let Some(page) = known.and_then(|()| page(&mut header)) {
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
    let mut has_data_header = false;
    reader.fields(|reader, field, wire| {
        // Of two headers the decoder would take one, and perhaps not the one that was checked.
        if matches!(field, 5 | 8) && std::mem::replace(&mut has_data_header, true) {
            return None;
        }
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
            // DictionaryPageHeader
            7 if wire == wire::STRUCT => reader.fields(|reader, field, wire| {
                match field {
                    1 => page.entries = u64::try_from(reader.i32(wire)?).ok()?,
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
            5 | 7 | 8 => return None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_with_two_headers_are_refused() {
        // DATA_PAGE, 10 bytes, 10 bytes, and a DataPageHeader: 2 values of DELTA_BYTE_ARRAY.
        let header = [0x15, 0, 0x15, 20, 0x15, 20, 0x2c, 0x15, 4, 0x15, 14, 0];
        let only = [&header[..], &[0]].concat();
        let found = page(&mut Compact::new(&only)).unwrap();
        assert_eq!((found.kind, found.values), (PageKind::Data(Encoding(7)), 2));
        // A DataPageHeaderV2 beside it, which says PLAIN.
        let both = [&header[..], &[0x3c, 0x15, 4, 0x35, 0, 0, 0]].concat();
        assert_eq!(page(&mut Compact::new(&both)), None);
    }
}
