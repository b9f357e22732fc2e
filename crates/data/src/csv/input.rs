//! The text of a CSV file: in memory, or on the disk and read where it is looked at.
//!
//! To read a file in pieces into buffers that are used again costs a fraction of the memory of its
//! whole text, and time too: memory that is touched for the first time must be cleared first.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::error::{Error, Result};

/// Bytes that are read to look for something.
const LOOK_BYTES: usize = 4096;
/// Bytes that are read at once to count lines.
const COUNT_BYTES: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Text without its byte order mark; offsets count from behind it.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    pub(crate) path: &'a Path,
    content: Content<'a>,
}

#[derive(Debug)]
enum Content<'a> {
    Memory(&'a [u8]),
    File { file: &'a File, start: u64, length: usize },
}

impl<'a> Input<'a> {
    /// Text that is in memory.
    pub(crate) fn memory(path: &'a Path, text: &'a [u8]) -> Self {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        Self { path, content: Content::Memory(text) }
    }

    /// The first `length` bytes of a file.
    pub(crate) fn file(path: &'a Path, file: &'a File, length: u64) -> Result<Self> {
        let whole = Content::File { file, start: 0, length: usize::try_from(length).unwrap_or(0) };
        let mut input = Self { path, content: whole };
        let mut head = Vec::new();
        let is_marked = input.get(0, BYTE_ORDER_MARK.len(), &mut head)? == BYTE_ORDER_MARK;
        if let Content::File { start, length, .. } = &mut input.content
            && is_marked
        {
            *start += BYTE_ORDER_MARK.len() as u64;
            *length -= BYTE_ORDER_MARK.len();
        }
        Ok(input)
    }

    /// Bytes of the text.
    pub(crate) fn len(&self) -> usize {
        match self.content {
            Content::Memory(text) => text.len(),
            Content::File { length, .. } => length,
        }
    }

    /// The bytes from `from` to `to` or the end, in `buffer` if they are not in memory.
    pub(crate) fn get<'b>(
        &'b self,
        from: usize,
        to: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8]> {
        let to = to.min(self.len());
        match self.content {
            Content::Memory(text) => Ok(text.get(from..to).unwrap_or_default()),
            Content::File { file, start, .. } => {
                let length = to.saturating_sub(from);
                if buffer.len() < length {
                    buffer.resize(length, 0);
                }
                let target = buffer.get_mut(..length).unwrap_or_default();
                file.read_exact_at(target, start + from as u64)
                    .map_err(|error| Error::read(self.path, error))?;
                Ok(target)
            }
        }
    }

    /// Where the line that holds the byte at `from` ends: behind its line break, or at the end.
    pub(crate) fn line_end(&self, from: usize) -> Result<usize> {
        let mut buffer = Vec::new();
        let mut at = from;
        while at < self.len() {
            // One more byte tells whether a `\n` follows a `\r`.
            let text = self.get(at, at + LOOK_BYTES + 1, &mut buffer)?;
            let looked_at = text.get(..LOOK_BYTES).unwrap_or(text);
            if let Some(offset) = memchr::memchr2(b'\n', b'\r', looked_at) {
                let is_pair = text.get(offset..offset + 2) == Some(b"\r\n");
                return Ok(at + offset + 1 + usize::from(is_pair));
            }
            at += looked_at.len();
        }
        Ok(self.len())
    }

    /// Physical line of a byte, from 1. A file that cannot be read any more gives the line so far.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        let mut buffer = Vec::new();
        let mut lines = 1;
        let mut at = 0;
        while at < offset {
            let end = offset.min(at + COUNT_BYTES);
            let Ok(text) = self.get(at, end + 1, &mut buffer) else { break };
            let part = text.get(..end - at).unwrap_or(text);
            let is_lone = |&place: &usize| text.get(place + 1) != Some(&b'\n');
            lines += memchr::memchr_iter(b'\n', part).count();
            lines += memchr::memchr_iter(b'\r', part).filter(is_lone).count();
            at = end;
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_file_is_the_text_that_it_holds() {
        let text = format!("\u{feff}a,b\r\n{}\rlast\n", "x".repeat(5000));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = Path::new("t.csv");
        let on_disk = Input::file(path, &file, text.len() as u64).unwrap();
        let in_memory = Input::memory(path, text.as_bytes());
        let (mut left, mut right) = (Vec::new(), Vec::new());
        assert_eq!(on_disk.len(), in_memory.len());
        for (from, to) in [(0, 3), (5, 4000), (4998, 99_999), (9_999, 99_999)] {
            assert_eq!(
                on_disk.get(from, to, &mut left).unwrap(),
                in_memory.get(from, to, &mut right).unwrap()
            );
        }
        for input in [on_disk, in_memory] {
            assert_eq!(input.line_end(0).unwrap(), 5);
            assert_eq!(input.line_end(5).unwrap(), 5006);
            assert_eq!(input.line_end(5006).unwrap(), 5011);
            assert_eq!(input.line_of(4), 1);
            assert_eq!(input.line_of(5), 2);
            assert_eq!(input.line_of(5006), 3);
        }
    }
}
