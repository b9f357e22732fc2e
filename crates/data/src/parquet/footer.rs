//! A Parquet footer before it is decoded: the decoder walks down its schema by recursion and believes its
//! counts, so that eight kilobytes overflow the stack and forty bytes ask for sixteen gigabytes.
//!
//! Source: the Parquet format's `parquet.thrift` (`FileMetaData`, `SchemaElement`).

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::ChunkReader;

use super::layout::FILE_META_DATA;
use super::thrift::{Compact, wire};
use crate::options::COLUMNS_MAX;

/// Groups in groups. Lists of structs of maps are six deep; the decoder needs some kilobytes of stack for each.
const DEPTH_MAX: usize = 32;

/// Elements of the schema: columns of [`COLUMNS_MAX`] that are lists.
const ELEMENTS_MAX: usize = 4 * COLUMNS_MAX;

/// Bytes of a footer. Fifty thousand columns in ten row groups are some fifty megabytes.
const FOOTER_BYTES_MAX: u64 = 256 << 20;

/// Each column repeats the names above it in memory. In the file they stand at each column chunk, so that
/// an honest footer is larger than that.
const NAMES_FACTOR: usize = 4;

/// The mark at both ends, and the length of the footer before the second one.
const MARK: &[u8] = b"PAR1";
const TAIL_BYTES: u64 = 8;

/// Checks a file's footer; its length in bytes.
pub(crate) fn check<R: ChunkReader>(input: &R) -> Result<u64, ParquetError> {
    let damaged = |reason: &str| ParquetError::General(format!("footer: {reason}"));
    let end = input.len().checked_sub(TAIL_BYTES).ok_or_else(|| damaged("EOF: it is not there"))?;
    let tail = input.get_bytes(end, TAIL_BYTES as usize)?;
    let (length, mark) = tail.split_at_checked(4).ok_or_else(|| damaged("EOF: it is cut off"))?;
    if mark != MARK {
        return Err(damaged("the file does not end as a Parquet file does"));
    }
    let length = length.try_into().map(u32::from_le_bytes).map(u64::from);
    let length = length.map_err(|_wrong| damaged("EOF: it is cut off"))?;
    let start = end.checked_sub(length).ok_or_else(|| damaged("it is longer than the file"))?;
    if length > FOOTER_BYTES_MAX {
        return Err(damaged("it is larger than anything that is read"));
    }
    let bytes = input.get_bytes(start, length as usize)?;
    let known = FILE_META_DATA.pass(&mut Compact::new(&bytes), wire::STRUCT);
    known.ok_or_else(|| damaged("a field has another type than it should"))?;
    let mut reader = Compact::new(&bytes);
    let read = reader.fields(|reader, field, wire| match (field, wire) {
        // FileMetaData.schema
        (2, wire::LIST) => schema(reader, bytes.len()),
        (2, _) => None,
        _ => reader.skip(wire),
    });
    read.map(|()| length)
        .ok_or_else(|| damaged("it is damaged, or its schema is beyond all limits"))
}

fn schema(reader: &mut Compact<'_>, footer_bytes: usize) -> Option<()> {
    let (item, elements) = reader.list()?;
    if item != wire::STRUCT || elements == 0 || elements > ELEMENTS_MAX {
        return None;
    }
    // For each group on the way: how many of its children are still to come, and the bytes of names.
    let mut groups: Vec<(usize, usize)> = Vec::new();
    let mut bytes_of_names = 0_usize;
    for element in 0..elements {
        let (name, children) = self::element(reader)?;
        let above = groups.last().map_or(0, |(_, names)| *names);
        if element > 0 {
            // The group that this belongs to.
            groups.last_mut()?.0 -= 1;
        }
        let names = above.checked_add(name)?;
        if children > elements - element - 1 || groups.len() >= DEPTH_MAX {
            return None;
        }
        if children > 0 {
            groups.push((children, names));
        } else {
            bytes_of_names = bytes_of_names.checked_add(names)?;
        }
        while groups.last().is_some_and(|(left, _)| *left == 0) {
            groups.pop();
        }
        if groups.is_empty() && element + 1 < elements {
            return None;
        }
    }
    (groups.is_empty() && bytes_of_names <= NAMES_FACTOR.saturating_mul(footer_bytes)).then_some(())
}

/// Bytes of an element's name, and its children.
fn element(reader: &mut Compact<'_>) -> Option<(usize, usize)> {
    let (mut name, mut children) = (0, 0);
    reader.fields(|reader, field, wire| {
        match field {
            4 => name = reader.text(wire)?,
            5 => children = usize::try_from(reader.i32(wire)?).ok()?,
            _ => reader.skip(wire)?,
        }
        Some(())
    })?;
    Some((name, children))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    /// An element of the schema: its name, and its children if it is a group.
    fn element(name: &str, children: Option<u32>) -> Vec<u8> {
        let mut bytes = vec![0x48, name.len() as u8];
        bytes.extend_from_slice(name.as_bytes());
        if let Some(children) = children {
            bytes.push(0x15);
            let mut left = children << 1;
            while left >= 0x80 {
                bytes.push(left as u8 | 0x80);
                left >>= 7;
            }
            bytes.push(left as u8);
        }
        bytes.push(0);
        bytes
    }

    fn file(elements: &[Vec<u8>]) -> Bytes {
        // Field 1, the version; field 2, a long list of structs.
        let mut footer = vec![0x15, 4, 0x19, 0xfc];
        let mut count = elements.len();
        while count >= 0x80 {
            footer.push(count as u8 | 0x80);
            count >>= 7;
        }
        footer.push(count as u8);
        footer.extend(elements.concat());
        footer.push(0);
        let mut file = b"PAR1".to_vec();
        file.extend_from_slice(&footer);
        file.extend((footer.len() as u32).to_le_bytes());
        file.extend_from_slice(b"PAR1");
        file.into()
    }

    #[test]
    fn schemas_beyond_all_limits_are_refused() {
        let leaf = || element("a", None);
        let honest = [element("root", Some(2)), element("g", Some(1)), leaf(), leaf()];
        assert!(check(&file(&honest)).is_ok());
        let mut deep = vec![element("root", Some(1))];
        deep.extend((0..1000).map(|_| element("a", Some(1))));
        deep.push(leaf());
        let mut wide = vec![element("root", Some(1)), element(&"n".repeat(120), Some(9000))];
        wide.extend((0..9000).map(|_| leaf()));
        for wrong in [
            deep,
            wide,
            vec![element("root", Some(u32::MAX >> 1)), leaf()],
            vec![element("root", Some(1)), leaf(), leaf()],
            vec![element("root", Some(2)), leaf()],
            vec![],
        ] {
            check(&file(&wrong)).unwrap_err();
        }
        for cut in 0..file(&honest).len() {
            check(&file(&honest).slice(..cut)).unwrap_err();
        }
    }
}
