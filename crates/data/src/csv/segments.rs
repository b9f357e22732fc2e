//! A CSV file in stretches of whole records, for files larger than the memory one wants to spend.

use std::io::Read;
use std::path::Path;

use super::damage::broken;
use super::dialect::Dialect;
use super::input::Input;
use super::split::{Splitter, Step};
use crate::error::{Error, Result};
use crate::options::{RECORD_BYTES_MAX, ReadOptions};

/// Whole records with the file's header before them: a CSV file of its own.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) text: Vec<u8>,
    /// Its records.
    pub(crate) rows: usize,
    /// Lines of the file that are not in `text`, for error messages.
    pub(crate) lines_before: usize,
}

/// Cuts a CSV file that is read from the start into segments.
pub(crate) struct Segments<'a, R> {
    path: &'a Path,
    reader: R,
    /// How the file is written, as its beginning shows.
    pub(crate) dialect: Dialect,
    /// Bytes of a segment, about.
    size: usize,
    header: Vec<u8>,
    /// Read, but not given out yet.
    pending: Vec<u8>,
    ended: bool,
    /// Lines of records given out.
    lines_given: usize,
    is_first: bool,
}

impl<'a, R: Read> Segments<'a, R> {
    pub(crate) fn new(
        path: &'a Path,
        reader: R,
        options: &ReadOptions,
        size: usize,
    ) -> Result<Self> {
        let mut segments = Self {
            path,
            reader,
            dialect: Dialect::of(&Input::memory(path, &[]), options)?,
            size,
            header: Vec::new(),
            pending: Vec::new(),
            ended: false,
            lines_given: 0,
            is_first: true,
        };
        segments.fill(size)?;
        if let Some(text) = segments.pending.strip_prefix(b"\xef\xbb\xbf") {
            segments.pending = text.to_vec();
        }
        segments.dialect = Dialect::of(&Input::memory(path, &segments.pending), options)?;
        // The line that tells the separator goes with the header.
        let (end, _lines) =
            segments.whole_records(if segments.dialect.preamble > 0 { 2 } else { 1 })?;
        if end == 0 {
            return Err(Error::EmptyFile { path: path.to_owned() });
        }
        segments.header = segments.pending.drain(..end).collect();
        if segments.header.last() != Some(&b'\n') {
            // A header that the end of the file closes.
            segments.header.push(b'\n');
        }
        Ok(segments)
    }

    /// The header with its line break, as it stands before the records of each segment.
    pub(crate) fn header(&self) -> &[u8] {
        &self.header
    }

    /// The next records; `None` at the end of the file. A file without records gives one segment of
    /// its header alone.
    pub(crate) fn next(&mut self) -> Result<Option<Segment>> {
        self.fill(self.size)?;
        if self.pending.is_empty() && !std::mem::take(&mut self.is_first) {
            return Ok(None);
        }
        self.is_first = false;
        let (end, rows) = self.whole_records(usize::MAX)?;
        let mut text = Vec::with_capacity(self.header.len() + end);
        text.extend_from_slice(&self.header);
        text.extend(self.pending.drain(..end));
        let lines_before = self.lines_given;
        self.lines_given += lines(&text) - lines(&self.header);
        Ok(Some(Segment { text, rows, lines_before }))
    }

    /// Reads until this many bytes are pending or the file ends.
    fn fill(&mut self, bytes: usize) -> Result<()> {
        let wanted = bytes.saturating_sub(self.pending.len());
        if self.ended || wanted == 0 {
            return Ok(());
        }
        let read = (&mut self.reader)
            .take(wanted as u64)
            .read_to_end(&mut self.pending)
            .map_err(|error| Error::read(self.path, error))?;
        self.ended = read < wanted;
        Ok(())
    }

    /// Where the last of at most `limit` whole records ends in what is pending, and how many they are; reads on
    /// while there is not even one.
    fn whole_records(&mut self, limit: usize) -> Result<(usize, usize)> {
        if limit == usize::MAX
            && !self.ended
            && let Some(found) = whole_lines(&self.pending, self.dialect.delimiter)
        {
            return Ok(found);
        }
        loop {
            let mut cells = Vec::new();
            let mut splitter =
                Splitter::new(&self.pending, self.dialect.delimiter, 0, RECORD_BYTES_MAX);
            let mut end = 0;
            let mut found = 0;
            while found < limit {
                match splitter.next_record(&mut cells) {
                    // What touches the end may go on behind it.
                    Step::Record if splitter.position < self.pending.len() || self.ended => {
                        end = splitter.position;
                        found += 1;
                    }
                    Step::Record => break,
                    Step::OpenQuote(_) if !self.ended => break,
                    Step::End => {
                        // Blank lines at the end belong to no record.
                        if self.ended {
                            end = self.pending.len();
                        }
                        break;
                    }
                    step @ (Step::OpenQuote(_) | Step::TooLong(_)) => {
                        let input = Input::memory(self.path, &self.pending);
                        return Err(
                            broken(&input, 0, step).below(lines(&self.header) + self.lines_given)
                        );
                    }
                }
            }
            if end > 0 || self.ended {
                return Ok((end, found));
            }
            self.fill(self.pending.len() * 2 + 1)?;
        }
    }
}

/// The same where nothing is quoted and lines end with `\n`, most often: records are the lines that are not blank, and
/// nobody looks for their fields. None where it is not so, or a line is longer than allowed.
fn whole_lines(text: &[u8], delimiter: u8) -> Option<(usize, usize)> {
    if memchr::memchr2(b'"', b'\r', text).is_some() {
        return None;
    }
    let (mut start, mut end, mut found) = (0, 0, 0);
    for line_end in memchr::memchr_iter(b'\n', text) {
        let line = text.get(start..line_end)?;
        if line.len() > RECORD_BYTES_MAX {
            return None;
        }
        start = line_end + 1;
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t') && *byte != delimiter;
        // What touches the end is left for the next time, as in the walk over fields.
        if start < text.len() && !line.iter().all(is_blank) {
            (end, found) = (start, found + 1);
        }
    }
    (found > 0).then_some((end, found))
}

fn lines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_records_that_a_walk_over_fields_finds() {
        let path = Path::new("a.csv");
        for text in [
            "1,2\n3,4\n5,6",
            "1,2\n3,4\n",
            "1,2\n\n  \n\t\n3,4\n\n",
            "1,2\n\n",
            "1,2\n ,\n3",
            "Zoë,2\n日本,4\nx",
        ] {
            for delimiter in [b',', b'\t', b';'] {
                let mut splitter = Splitter::new(text.as_bytes(), delimiter, 0, RECORD_BYTES_MAX);
                let (mut cells, mut expected) = (Vec::new(), None);
                while splitter.next_record(&mut cells) == Step::Record
                    && splitter.position < text.len()
                {
                    let found = expected.map_or(1, |(_, found)| found + 1);
                    expected = Some((splitter.position, found));
                }
                assert_eq!(whole_lines(text.as_bytes(), delimiter), expected, "{text:?}");
            }
        }
        for text in ["a\n\"b\n\"\nc\n", "a\r\nb\r\nc"] {
            assert_eq!(whole_lines(text.as_bytes(), b','), None);
        }
        // Segments of few bytes are those of many, quoted or not.
        for quoted in [false, true] {
            let line = |row: usize| match (quoted, row % 3) {
                (true, 0) => format!("{row},\"x\ny\"\n"),
                (_, 1) => format!("{row},\n\n"),
                _ => format!("{row},x\n"),
            };
            let text: String =
                std::iter::once("id,x\n".to_owned()).chain((0..500).map(line)).collect();
            let (mut rows, mut joined) = (0, Vec::new());
            let options = ReadOptions::default();
            let mut segments = Segments::new(path, text.as_bytes(), &options, 100).unwrap();
            let header = segments.header().len();
            joined.extend_from_slice(segments.header());
            while let Some(segment) = segments.next().unwrap() {
                rows += segment.rows;
                joined.extend_from_slice(&segment.text[header..]);
            }
            assert_eq!((rows, joined), (500, text.into_bytes()));
        }
    }
}
