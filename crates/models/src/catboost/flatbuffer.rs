//! FlatBuffers, the layout of CatBoost's binary files, read without a compiler of schemas.
//!
//! Everything is found by offsets. Each is held against the end of the file, and what is read is counted: many tables may
//! name the same list, as CatBoost itself does with what is equal.

use std::cell::Cell;

use super::file::malformed;
use crate::Result;

/// How often the bytes of a small file may be read, on average. In a large one lists are what there is most of, and these
/// are there once.
const TIMES_MAX: usize = 32;
const TIMES_MAX_LARGE: usize = 4;

/// Bytes that may be read of a small file.
const SMALL_MAX: usize = 64 << 20;

/// What a table counts for beside its lists: about as much as it takes in memory.
const TABLE_BYTES: usize = 128;

/// The bytes of one buffer.
#[derive(Debug)]
pub(super) struct Source<'a> {
    bytes: &'a [u8],
    /// Bytes that may still be read.
    left: Cell<usize>,
}

/// A table: values and offsets by the number of a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    source: &'a Source<'a>,
    at: usize,
    /// Where the places of its fields are listed, and the bytes of that list.
    fields: usize,
    fields_bytes: usize,
}

/// A number, or several without a space between them.
pub(super) trait Little: Sized {
    const BYTES: usize;
    /// Of exactly so many bytes.
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! little {
    ($($number:ty),*) => {$(
        impl Little for $number {
            const BYTES: usize = size_of::<$number>();

            fn read(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().map(|bytes| Self::from_le_bytes(*bytes))
            }
        }
    )*};
}

little!(u8, i8, u16, i32, u32, u64, f32, f64);

impl<A: Little, B: Little> Little for (A, B) {
    const BYTES: usize = A::BYTES + B::BYTES;

    fn read(bytes: &[u8]) -> Option<Self> {
        let (first, second) = bytes.split_at_checked(A::BYTES)?;
        Some((A::read(first)?, B::read(second)?))
    }
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let small = bytes.len().saturating_mul(TIMES_MAX).min(SMALL_MAX);
        let large = bytes.len().saturating_mul(TIMES_MAX_LARGE);
        Self { bytes, left: Cell::new(small.max(large)) }
    }

    /// The table that the buffer is made for.
    pub(super) fn root(&'a self) -> Result<Table<'a>> {
        let at = self.number::<u32>(0)?;
        Table::new(self, at as usize)
    }

    fn slice(&self, at: usize, length: usize) -> Result<&'a [u8]> {
        let end = at.checked_add(length);
        let bytes = end.and_then(|end| self.bytes.get(at..end));
        bytes.ok_or_else(|| malformed(format!("{length} bytes at {at} lie beyond the end")))
    }

    fn number<T: Little>(&self, at: usize) -> Result<T> {
        let number = T::read(self.slice(at, T::BYTES)?);
        number.ok_or_else(|| malformed(format!("no number at {at}")))
    }

    /// Counts what is read.
    fn count(&self, bytes: usize) -> Result<()> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.ok_or_else(|| malformed("its parts name each other too often"))?);
        Ok(())
    }

    /// The items of a list of `size` bytes each.
    fn items(&self, at: usize, size: usize) -> Result<&'a [u8]> {
        let length = (self.number::<u32>(at)? as usize).saturating_mul(size);
        self.count(length)?;
        self.slice(at.saturating_add(4), length)
    }

    /// What the offset at this place leads to.
    fn target(&self, at: usize) -> Result<usize> {
        Ok(at.saturating_add(self.number::<u32>(at)? as usize))
    }

    fn text(&self, at: usize) -> Result<String> {
        self.count(size_of::<String>())?;
        let text = std::str::from_utf8(self.items(at, 1)?);
        text.map(str::to_owned).map_err(|_| malformed(format!("text at {at} that is not UTF-8")))
    }
}

impl<'a> Table<'a> {
    fn new(source: &'a Source<'a>, at: usize) -> Result<Self> {
        source.count(TABLE_BYTES)?;
        let back = i64::from(source.number::<i32>(at)?);
        let fields = i64::try_from(at).ok().and_then(|at| at.checked_sub(back));
        let fields = fields.and_then(|fields| usize::try_from(fields).ok());
        let fields = fields.ok_or_else(|| malformed(format!("the table at {at} has no fields")))?;
        let fields_bytes = usize::from(source.number::<u16>(fields)?);
        if fields_bytes < 4 {
            return Err(malformed(format!("the table at {at} has no fields")));
        }
        source.slice(fields, fields_bytes)?;
        Ok(Self { source, at, fields, fields_bytes })
    }

    /// Where a field is; none if it has its default.
    fn place(&self, field: usize) -> Result<Option<usize>> {
        let entry = 4 + 2 * field;
        if entry + 2 > self.fields_bytes {
            return Ok(None);
        }
        let offset = usize::from(self.source.number::<u16>(self.fields + entry)?);
        Ok((offset != 0).then(|| self.at + offset))
    }

    fn target(&self, field: usize) -> Result<Option<usize>> {
        self.place(field)?.map(|place| self.source.target(place)).transpose()
    }

    pub(super) fn number<T: Little>(&self, field: usize, default: T) -> Result<T> {
        self.place(field)?.map_or(Ok(default), |place| self.source.number(place))
    }

    /// A table; there must be one.
    pub(super) fn table(&self, field: usize) -> Result<Self> {
        let target = self.target(field)?;
        let target = target.ok_or_else(|| malformed(format!("field {field} is missing")))?;
        Self::new(self.source, target)
    }

    /// Numbers; none where the list is missing.
    pub(super) fn list<T: Little>(&self, field: usize) -> Result<Vec<T>> {
        let Some(at) = self.target(field)? else { return Ok(Vec::new()) };
        let items = self.source.items(at, T::BYTES)?.chunks_exact(T::BYTES);
        Ok(items.filter_map(T::read).collect())
    }

    /// What each offset of a list leads to.
    fn targets(&self, field: usize) -> Result<Vec<usize>> {
        let Some(at) = self.target(field)? else { return Ok(Vec::new()) };
        let count = self.source.items(at, 4)?.len() / 4;
        (0..count).map(|number| self.source.target(at + 4 + 4 * number)).collect()
    }

    pub(super) fn tables(&self, field: usize) -> Result<Vec<Self>> {
        let targets = self.targets(field)?.into_iter();
        targets.map(|target| Self::new(self.source, target)).collect()
    }

    /// A text; empty where it is missing.
    pub(super) fn text(&self, field: usize) -> Result<String> {
        self.target(field)?.map_or_else(|| Ok(String::new()), |at| self.source.text(at))
    }

    pub(super) fn texts(&self, field: usize) -> Result<Vec<String>> {
        self.targets(field)?.into_iter().map(|at| self.source.text(at)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with one field: so many tables, all of them the same one with one list of so many bytes.
    fn buffer(tables: u32, bytes: u32) -> Vec<u8> {
        let fields = [6_u16, 8, 4, 0].map(u16::to_le_bytes).concat();
        let mut buffer = 12_u32.to_le_bytes().to_vec();
        buffer.extend(&fields);
        buffer.extend(8_i32.to_le_bytes());
        buffer.extend(4_u32.to_le_bytes());
        buffer.extend(tables.to_le_bytes());
        for number in 0..tables {
            buffer.extend((4 * (tables - number) + 8).to_le_bytes());
        }
        buffer.extend(&fields);
        buffer.extend(8_i32.to_le_bytes());
        buffer.extend(4_u32.to_le_bytes());
        buffer.extend(bytes.to_le_bytes());
        buffer.extend((0..bytes).map(|at| at as u8));
        buffer
    }

    fn lists(buffer: &[u8]) -> Result<Vec<Vec<u8>>> {
        let source = Source::new(buffer);
        source.root()?.tables(0)?.iter().map(|table| table.list(0)).collect()
    }

    #[test]
    fn fields_are_found_by_their_offsets() {
        assert_eq!(lists(&buffer(3, 2)).unwrap(), vec![vec![0, 1]; 3]);
        let whole = buffer(2, 9);
        let source = Source::new(&whole);
        let root = source.root().unwrap();
        assert_eq!(root.number(1, 7_i32).unwrap(), 7, "a field that is not there");
        assert!(root.list::<u32>(1).unwrap().is_empty() && root.text(2).unwrap().is_empty());
        assert!(root.table(1).unwrap_err().to_string().contains("missing"));
        for length in 0..whole.len() {
            assert!(lists(&whole[..length]).is_err(), "cut at {length}");
        }
    }

    /// Each byte as the largest, the smallest and another: an error or some lists.
    #[test]
    fn no_offset_leads_out() {
        let whole = buffer(4, 20);
        for at in 0..whole.len() {
            for byte in [0, 0x7f, 0x80, u8::MAX, whole[at] ^ 1] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                drop(lists(&damaged));
            }
        }
    }

    #[test]
    fn a_list_that_many_tables_name_is_not_read_without_end() {
        let error = lists(&buffer(50_000, 50_000)).unwrap_err().to_string();
        assert!(error.contains("too often"), "{error}");
        // Of a large file less is read, for its size.
        let allowed = |bytes: usize| Source::new(&vec![0; bytes]).left.get() / bytes;
        assert_eq!([allowed(1 << 10), allowed(4 << 20), allowed(64 << 20)], [32, 16, 4]);
    }
}
