//! Where records stand in their file.

use std::io::Read;
use std::path::Path;

use super::dialect::Dialect;
use super::input::Input;
use super::segments::Segments;
use super::split::{Splitter, Step};
use crate::error::Result;
use crate::options::{RECORD_BYTES_MAX, ReadOptions};

/// Bytes that are looked at at once.
const SEGMENT_BYTES: usize = 8 << 20;

/// The physical lines, from 1, on which these records begin; their numbers, from 0, ascend.
pub(crate) fn lines_of(
    path: &Path,
    reader: impl Read,
    options: &ReadOptions,
    records: impl IntoIterator<Item = usize>,
) -> Result<Vec<usize>> {
    let mut segments = Segments::new(path, reader, options, SEGMENT_BYTES)?;
    let Dialect { delimiter, preamble, .. } = segments.dialect;
    let mut wanted = records.into_iter().peekable();
    let mut lines = Vec::new();
    let mut record = 0;
    while wanted.peek().is_some()
        && let Some(segment) = segments.next()?
    {
        let input = Input::memory(path, &segment.text);
        let mut splitter = Splitter::new(&segment.text, delimiter, preamble, RECORD_BYTES_MAX);
        let mut cells = Vec::new();
        // Each segment begins with the header.
        let mut step = splitter.next_record(&mut cells);
        while step == Step::Record && wanted.peek().is_some() {
            step = splitter.next_record(&mut cells);
            if step == Step::Record && wanted.next_if_eq(&record).is_some() {
                lines.push(segment.lines_before + input.line_of(splitter.record_start));
            }
            record += usize::from(step == Step::Record);
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_blank_lines_count() {
        let text = b"a,b\n1,\"x\ny\"\n\n2,z\n3,z\n";
        let path = Path::new("t.csv");
        let lines = lines_of(path, text.as_slice(), &ReadOptions::default(), [0, 1, 2]).unwrap();
        assert_eq!(lines, [2, 5, 6]);
    }
}
