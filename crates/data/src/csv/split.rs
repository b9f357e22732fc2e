//! Splits CSV bytes into records and fields, with the rules of pandas' C tokenizer.
//!
//! A quote opens a field only at its very start; a doubled quote inside is one quote; what follows a
//! closing quote is kept as it is. Lines end with `\n`, `\r\n` or `\r`; empty lines and lines of
//! blanks alone are skipped.

use std::borrow::Cow;

/// Where a field lies in its block, and whether it needs unquoting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    start: u32,
    /// Length in bytes; the top bit says that quotes must be resolved.
    length: u32,
}

/// Marks a field with quotes inside.
const QUOTED: u32 = 1 << 31;

impl Cell {
    /// A field that is not there: reads as the empty text, hence as a null.
    pub(super) const MISSING: Self = Self { start: 0, length: 0 };

    fn plain(start: usize, end: usize) -> Self {
        Self { start: start as u32, length: (end - start) as u32 }
    }

    fn quoted(start: usize, end: usize) -> Self {
        Self { start: start as u32, length: (end - start) as u32 | QUOTED }
    }

    /// The content of the field.
    pub(super) fn text(self, block: &[u8]) -> Cow<'_, [u8]> {
        let start = self.start as usize;
        let end = start + (self.length & !QUOTED) as usize;
        let raw = block.get(start..end).unwrap_or_default();
        if self.length & QUOTED == 0 { Cow::Borrowed(raw) } else { Cow::Owned(unquote(raw)) }
    }

    /// Offset of the field in its block, for error messages.
    pub(super) fn offset(self) -> usize {
        self.start as usize
    }
}

/// Resolves the quotes of a field that begins with one.
fn unquote(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw.get(1..).unwrap_or_default();
    while let Some(quote) = memchr::memchr(b'"', rest) {
        text.extend_from_slice(rest.get(..quote).unwrap_or_default());
        rest = rest.get(quote + 1..).unwrap_or_default();
        if rest.first() == Some(&b'"') {
            text.push(b'"');
            rest = rest.get(1..).unwrap_or_default();
        } else {
            // Closed: what follows is literal, quotes included.
            text.extend_from_slice(rest);
            return text;
        }
    }
    text.extend_from_slice(rest);
    text
}

/// What the next bytes of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A record; its fields are in the buffer.
    Record,
    /// The end of the block.
    End,
    /// A quote that is never closed; the record begins at this offset.
    OpenQuote(usize),
    /// A record that is longer than allowed begins at this offset.
    TooLong(usize),
}

/// Walks over the records of `block`.
#[derive(Debug)]
pub(super) struct Splitter<'a> {
    block: &'a [u8],
    delimiter: u8,
    max_record: usize,
    /// No record is looked for from here on.
    stop: usize,
    /// Offset of the next record.
    pub(super) position: usize,
    /// Offset of the record returned last.
    pub(super) record_start: usize,
}

impl<'a> Splitter<'a> {
    pub(super) fn new(block: &'a [u8], delimiter: u8, position: usize, max_record: usize) -> Self {
        let stop = block.len();
        Self { block, delimiter, max_record, stop, position, record_start: position }
    }

    /// Records that begin at this offset or later are another's.
    pub(super) fn stopping_at(mut self, offset: usize) -> Self {
        self.stop = self.stop.min(offset);
        self
    }

    /// Finds the next record and puts its fields into `cells`.
    pub(super) fn next_record(&mut self, cells: &mut Vec<Cell>) -> Step {
        loop {
            cells.clear();
            self.record_start = self.position;
            if self.position >= self.stop {
                return Step::End;
            }
            let step = self.split_record(cells);
            if step != Step::Record {
                return step;
            }
            if !self.is_blank(cells) {
                return Step::Record;
            }
        }
    }

    /// A line without content: nothing, or unquoted spaces and tabs alone.
    fn is_blank(&self, cells: &[Cell]) -> bool {
        let [only] = cells else { return false };
        // A quoted field starts behind its quote, so an empty quoted field is no blank line.
        only.offset() == self.record_start
            && only.length & QUOTED == 0
            && only.text(self.block).iter().all(|byte| matches!(byte, b' ' | b'\t'))
    }

    fn split_record(&mut self, cells: &mut Vec<Cell>) -> Step {
        let block = self.block;
        let mut position = self.position;
        loop {
            let end = if block.get(position) == Some(&b'"') {
                let Some((cell, end)) = self.quoted_field(position) else {
                    return self.unclosed();
                };
                cells.push(cell);
                end
            } else {
                let end = self.field_end(position);
                cells.push(Cell::plain(position, end));
                end
            };
            if end - self.record_start > self.max_record {
                return Step::TooLong(self.record_start);
            }
            match block.get(end) {
                Some(&byte) if byte == self.delimiter => position = end + 1,
                Some(b'\r') if block.get(end + 1) == Some(&b'\n') => {
                    self.position = end + 2;
                    return Step::Record;
                }
                // A line break, or the end of the file.
                _ => {
                    self.position = (end + 1).min(block.len());
                    return Step::Record;
                }
            }
        }
    }

    /// End of an unquoted field that starts (or goes on) at `position`.
    fn field_end(&self, position: usize) -> usize {
        let rest = self.block.get(position..).unwrap_or_default();
        memchr::memchr3(self.delimiter, b'\n', b'\r', rest)
            .map_or(self.block.len(), |length| position + length)
    }

    /// The field whose opening quote is at `open`, and where it ends.
    fn quoted_field(&self, open: usize) -> Option<(Cell, usize)> {
        let mut from = open + 1;
        let mut simple = true;
        loop {
            let limit = (self.record_start + self.max_record + 1).min(self.block.len());
            let quote = from + memchr::memchr(b'"', self.block.get(from..limit)?)?;
            if self.block.get(quote + 1) == Some(&b'"') {
                simple = false;
                from = quote + 2;
                continue;
            }
            let end = self.field_end(quote + 1);
            return Some(if simple && end == quote + 1 {
                (Cell::plain(open + 1, quote), end)
            } else {
                (Cell::quoted(open, end), end)
            });
        }
    }

    fn unclosed(&self) -> Step {
        if self.block.len() - self.record_start > self.max_record {
            Step::TooLong(self.record_start)
        } else {
            Step::OpenQuote(self.record_start)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<Vec<String>> {
        let block = text.as_bytes();
        let mut splitter = Splitter::new(block, b',', 0, 1 << 20);
        let mut cells = Vec::new();
        let mut records = Vec::new();
        loop {
            match splitter.next_record(&mut cells) {
                Step::Record => records.push(
                    cells
                        .iter()
                        .map(|cell| String::from_utf8(cell.text(block).into_owned()).unwrap())
                        .collect(),
                ),
                Step::End => return records,
                other => panic!("{other:?} in {text:?}"),
            }
        }
    }

    #[test]
    fn quotes_follow_pandas() {
        assert_eq!(records("\"x\"y,q\"r\"\n"), [["xy", "q\"r\""]]);
        assert_eq!(records("\"a\"\"b\",\"c,d\"\n"), [["a\"b", "c,d"]]);
        assert_eq!(records("\"a\"b\"c\",\"\"\n"), [["ab\"c\"", ""]]);
        assert_eq!(records("\"a\nb\",\"\"\"\"\r\n1,2"), [["a\nb", "\""], ["1", "2"]]);
    }

    #[test]
    fn every_line_ending_ends_a_record() {
        assert_eq!(
            records("a,b\r1,2\r\n3,4\n5,6"),
            [["a", "b"], ["1", "2"], ["3", "4"], ["5", "6"]]
        );
    }

    #[test]
    fn blank_lines_are_no_records_but_quoted_blanks_are() {
        assert_eq!(records("\n  \n\t\r\na\n\"\"\n\"  \"\n"), [["a"], [""], ["  "]]);
        assert_eq!(records(" ,\n"), [[" ", ""]]);
    }

    #[test]
    fn blank_lines_behind_the_stop_are_not_read_on() {
        let text = b"a\n\n\n\nb\n";
        let mut cells = Vec::new();
        let mut splitter = Splitter::new(text, b',', 0, 100).stopping_at(3);
        assert_eq!(splitter.next_record(&mut cells), Step::Record);
        assert_eq!(splitter.next_record(&mut cells), Step::End);
        assert_eq!(splitter.position, 3);
    }

    #[test]
    fn an_open_quote_and_a_long_record_are_told_apart() {
        let mut cells = Vec::new();
        let mut splitter = Splitter::new(b"a\n\"x\n", b',', 0, 100);
        assert_eq!(splitter.next_record(&mut cells), Step::Record);
        assert_eq!(splitter.next_record(&mut cells), Step::OpenQuote(2));
        let long = [b'x'; 300];
        let mut splitter = Splitter::new(&long, b',', 0, 100);
        assert_eq!(splitter.next_record(&mut cells), Step::TooLong(0));
        let mut long = [b'x'; 300];
        long[0] = b'"';
        let mut splitter = Splitter::new(&long, b',', 0, 100);
        assert_eq!(splitter.next_record(&mut cells), Step::TooLong(0));
    }
}
