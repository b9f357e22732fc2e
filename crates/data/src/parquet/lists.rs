//! Texts in lists. One row may have all values of a column, so that fewer rows at a time bound nothing: a text that a
//! dictionary has once and a row a million times is gigabytes, in a file of less than a kilobyte.

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use ::parquet::basic::Type;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::ChunkReader;

use super::delta::unpack;
use super::page::{PageKind, Pages, damaged};

/// Bytes that texts in lists of the columns `roots` (indices of top-level columns) may take at most beyond those that
/// stand in the file. None when these are more than `bytes_max`. Dictionaries are unpacked, one at a time, so that
/// [`super::pages::held`] comes first: it bounds how large they are.
pub(super) fn held<R: ChunkReader>(
    input: &R,
    metadata: &ArrowReaderMetadata,
    roots: &[usize],
    bytes_max: u64,
) -> Result<Option<u64>, ParquetError> {
    let metadata = metadata.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let leaves = 0..schema.num_columns();
    let mut held = 0_u64;
    for leaf in leaves.filter(|leaf| roots.contains(&schema.get_column_root_idx(*leaf))) {
        let descriptor = schema.column(leaf);
        if descriptor.max_rep_level() == 0 || descriptor.physical_type() != Type::BYTE_ARRAY {
            continue;
        }
        for group in metadata.row_groups() {
            let Some(column) = group.columns().get(leaf) else { continue };
            let mut pages = Pages::of(input, column)?;
            let (mut start, mut longest) = (pages.offset, 0);
            while let Some(page) = pages.next()? {
                match page.kind {
                    PageKind::Dictionary => {
                        let dictionary = unpack(input, column, start, pages.offset)?
                            .ok_or_else(|| damaged("a dictionary is not there"))?;
                        longest = longest_of(dictionary.buffer()).max(longest);
                    }
                    PageKind::Data(encoding) => {
                        let bytes = page.unpacked.max(page.packed as u64);
                        let each = encoding.repeats(longest, bytes);
                        held = held.saturating_add(page.values.saturating_mul(each));
                        if held > bytes_max {
                            return Ok(None);
                        }
                    }
                    PageKind::Other => {}
                }
                start = pages.offset;
            }
        }
    }
    Ok(Some(held))
}

/// Bytes of the longest text of a dictionary, in which each has its length before it. What is cut off is as long as it
/// says: the decoder refuses it.
fn longest_of(mut texts: &[u8]) -> u64 {
    let mut longest = 0_u32;
    while let Some((length, rest)) = texts.split_first_chunk() {
        let length = u32::from_le_bytes(*length);
        longest = longest.max(length);
        texts = rest.get(length as usize..).unwrap_or_default();
    }
    u64::from(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_of_a_dictionary_is_found() {
        assert_eq!(longest_of(&[]), 0);
        assert_eq!(longest_of(&[1, 0, 0, 0, b'a', 3, 0, 0, 0, b'a', b'b', b'c', 0, 0, 0, 0]), 3);
        assert_eq!(longest_of(&[9, 0, 0, 0, b'a']), 9);
        assert_eq!(longest_of(&[1, 0, 0, 0, b'a', 9]), 1);
    }
}
