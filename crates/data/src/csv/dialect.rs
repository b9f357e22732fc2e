//! How a CSV file is written: what stands between two fields, and what the rows have beside the header's
//! columns.

use std::path::Path;

use super::input::Input;
use super::split::{Cell, Splitter, Step};
use crate::error::Result;
use crate::options::{RECORD_BYTES_MAX, ReadOptions};
use crate::remarks::Remark;

/// Bytes that are looked at: enough for a hundred records of a few hundred columns.
const LOOK_BYTES: usize = 256 << 10;
/// Records that are looked at.
const LOOK_RECORDS: usize = 100;
/// Separators that people use.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Of so many records one may have another width, or the separator is not the one.
const RECORDS_PER_OUTLIER: usize = 10;

/// How a CSV file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) shape: Shape,
    /// Bytes before the header: of a line `sep=;`, with which Excel is told the separator.
    pub(super) preamble: usize,
}

/// What the records have beside the header's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing.
    Even,
    /// A first field that names the row (R's `write.table`).
    RowNames,
    /// A separator at their end, with nothing behind it.
    Trailing,
}

/// The beginning of a file, split in one way.
struct Look {
    header: Vec<String>,
    records: Vec<Vec<String>>,
}

impl Dialect {
    /// The dialect that is given, or that the file's name says; guessed only where text is read as people
    /// mean it ([`ReadOptions::natural`]).
    pub(crate) fn of(input: &Input<'_>, options: &ReadOptions) -> Result<Self> {
        let usual = default_delimiter(input.path);
        let plain = |given: Option<u8>| Self {
            delimiter: given.unwrap_or(usual),
            shape: Shape::Even,
            preamble: 0,
        };
        if options.natural.is_none() {
            return Ok(plain(options.delimiter));
        }
        let mut buffer = Vec::new();
        let text = input.get(0, LOOK_BYTES, &mut buffer)?;
        let is_all = text.len() == input.len();
        let (said, preamble) = separator_line(text).unzip();
        let (given, preamble) = (options.delimiter.or(said), preamble.unwrap_or(0));
        let rest = text.get(preamble..).unwrap_or_default();
        let found = guess(rest, is_all, given, usual).unwrap_or_else(|| plain(given));
        let found = Self { preamble, ..found };
        let path = || input.path.to_owned();
        if options.delimiter.is_none() && found.delimiter != usual {
            let separator = char::from(found.delimiter);
            options.remarks.add(Remark::Separator { path: path(), separator });
        }
        if found.shape == Shape::Trailing {
            options.remarks.add(Remark::TrailingSeparators { path: path() });
        }
        Ok(found)
    }
}

/// The separator that cuts the header into most fields, and nearly all records into as many.
fn guess(text: &[u8], is_all: bool, given: Option<u8>, usual: u8) -> Option<Dialect> {
    let candidates: Vec<u8> = match given {
        Some(given) => vec![given],
        None => {
            [usual].into_iter().chain(SEPARATORS.into_iter().filter(|&one| one != usual)).collect()
        }
    };
    let looks = candidates.into_iter().filter_map(|delimiter| {
        let look = Look::at(text, is_all, delimiter)?;
        let is_given = given == Some(delimiter);
        (is_given || look.is_table()).then_some((delimiter, look))
    });
    let wider = |best: (u8, Look), other: (u8, Look)| {
        if other.1.header.len() > best.1.header.len() { other } else { best }
    };
    let widest = looks.reduce(wider);
    // A single column beside the names of the rows.
    let named = || {
        let look = Look::at(text, is_all, usual)?;
        (given.is_none() && look.shape() == Shape::RowNames).then_some((usual, look))
    };
    let (delimiter, look) = widest.or_else(named)?;
    Some(Dialect { delimiter, shape: look.shape(), preamble: 0 })
}

/// The separator that a first line `sep=;` tells, and the bytes of that line.
fn separator_line(text: &[u8]) -> Option<(u8, usize)> {
    const WORD: &[u8] = b"sep=";
    let (word, rest) = text.split_at_checked(WORD.len())?;
    let (&separator, behind) = rest.split_first()?;
    let line_break = match behind {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => return None,
    };
    let is_separator = separator.is_ascii() && !matches!(separator, b'"' | b'\r' | b'\n');
    (word.eq_ignore_ascii_case(WORD) && is_separator)
        .then_some((separator, WORD.len() + 1 + line_break))
}

impl Look {
    /// The first records; `None` if there is not one whole.
    fn at(text: &[u8], is_all: bool, delimiter: u8) -> Option<Self> {
        let mut splitter = Splitter::new(text, delimiter, 0, RECORD_BYTES_MAX);
        let mut cells: Vec<Cell> = Vec::new();
        let mut records = Vec::new();
        while records.len() <= LOOK_RECORDS
            && splitter.next_record(&mut cells) == Step::Record
            // The last record of a part may go on behind it.
            && (is_all || splitter.position < text.len())
        {
            let field = |cell: &Cell| String::from_utf8_lossy(&cell.text(text)).into_owned();
            records.push(cells.iter().map(field).collect::<Vec<_>>());
        }
        if records.is_empty() {
            return None;
        }
        let header = records.remove(0);
        Some(Self { header, records })
    }

    /// Whether header and records have several fields, and as many.
    fn is_table(&self) -> bool {
        let width = self.header.len();
        let is_other = |record: &&Vec<String>| !(width..=width + 1).contains(&record.len());
        let others = self.records.iter().filter(is_other).count();
        width > 1 && others * RECORDS_PER_OUTLIER <= self.records.len()
    }

    fn shape(&self) -> Shape {
        let width = self.header.len();
        let longer = || self.records.iter().filter(|record| record.len() == width + 1);
        let ends_empty = |record: &Vec<String>| record.last().is_some_and(String::is_empty);
        if longer().next().is_some() {
            if longer().all(ends_empty) {
                return Shape::Trailing;
            }
            let all_longer = longer().count() == self.records.len();
            return if all_longer && self.begins_with_names() {
                Shape::RowNames
            } else {
                Shape::Even
            };
        }
        let has_unnamed_end = width > 1 && ends_empty(&self.header);
        let all_end_so =
            self.records.iter().all(|record| record.len() == width && ends_empty(record));
        if has_unnamed_end && all_end_so && !self.records.is_empty() {
            Shape::Trailing
        } else {
            Shape::Even
        }
    }

    /// Whether the first fields tell the rows apart. Where there is one column they must count, because a
    /// text with a separator in it looks the same.
    fn begins_with_names(&self) -> bool {
        let firsts: Vec<&str> =
            self.records.iter().filter_map(|record| record.first()).map(String::as_str).collect();
        if self.header.len() > 1 {
            let mut sorted = firsts.clone();
            sorted.sort_unstable();
            sorted.dedup();
            return sorted.len() == firsts.len();
        }
        let counts = |from: usize| {
            firsts.iter().enumerate().all(|(row, first)| *first == (row + from).to_string())
        };
        counts(0) || counts(1)
    }
}

/// The separator of a file for which none is given: a tab for `.tsv`, a comma otherwise.
fn default_delimiter(path: &Path) -> u8 {
    // `.tsv`, also with `.gz` or `.zst` behind it.
    let is_tab = |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("tsv"));
    let inner = path.file_stem().map(Path::new);
    if is_tab(path) || inner.is_some_and(is_tab) { b'\t' } else { b',' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Natural;

    fn dialect(text: &str) -> Option<(char, Shape)> {
        let found = guess(text.as_bytes(), true, None, b',')?;
        Some((char::from(found.delimiter), found.shape))
    }

    #[test]
    fn separators_are_told_by_the_records() {
        assert_eq!(dialect("a;b;c\n1,5;2;3\n4;5,5;6\n"), Some((';', Shape::Even)));
        assert_eq!(dialect("a\tb\n1\t2\n"), Some(('\t', Shape::Even)));
        assert_eq!(dialect("a|b\n1|2\n"), Some(('|', Shape::Even)));
        assert_eq!(dialect("a,b\nx;y,1\n"), Some((',', Shape::Even)));
        assert_eq!(dialect("comment\none; two\nthree\n"), None);
        assert_eq!(dialect("a;b\n1\n2\n3\n"), None);
    }

    #[test]
    fn the_line_that_tells_excel_the_separator_is_understood() {
        let of = |text: &str, natural: Option<Natural>| {
            let options = ReadOptions { natural, ..ReadOptions::default() };
            let input = Input::memory(Path::new("t.csv"), text.as_bytes());
            Dialect::of(&input, &options).map(|found| (char::from(found.delimiter), found.preamble))
        };
        let natural = || Some(Natural::default());
        assert_eq!(of("sep=;\na;b\n1,5;2\n", natural()).unwrap(), (';', 6));
        assert_eq!(of("\u{feff}SEP=|\r\na\n1\n", natural()).unwrap(), ('|', 7));
        assert_eq!(of("sep=;x\n1\n", natural()).unwrap().1, 0);
        assert_eq!(of("sep=;\na;b\n", None).unwrap(), (',', 0));
    }

    #[test]
    fn records_may_have_more_than_the_header() {
        assert_eq!(dialect("x,g\n1,3.5,red\n2,2.7,red\n"), Some((',', Shape::RowNames)));
        assert_eq!(dialect("x,g\n1,2,\n3,4,\n"), Some((',', Shape::Trailing)));
        assert_eq!(dialect("x,g,\n1,2,\n3,4,\n"), Some((',', Shape::Trailing)));
        assert_eq!(dialect("x,g\n1,2,3\n1,5,6\n"), Some((',', Shape::Even)));
        assert_eq!(dialect("x,g\n"), Some((',', Shape::Even)));
    }
}
