//! The first rows of a text with separators.

use super::beginning::Beginning;
use super::grid::Grid;
use super::measure::Measure;

/// What separates fields; the first one wins a tie.
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// The first rows; none if it is no such text.
pub(super) fn read(beginning: &Beginning, measure: &Measure) -> Option<Grid> {
    let text = beginning.text();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator(&text))
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut records = Vec::new();
    // The header, the rows, one that tells whether there are more, and one that may be cut.
    for record in reader.records().take(measure.rows + 3) {
        records.push(record.ok()?);
    }
    if beginning.is_cut && records.len() < measure.rows + 3 {
        // Cut within it.
        records.pop();
    }
    let mut records = records.into_iter();
    let header = records.next()?;
    let rows: Vec<Vec<Option<String>>> = records
        .map(|record| {
            record.iter().take(measure.columns).map(|field| Some(field.to_owned())).collect()
        })
        .collect();
    let names = header.iter().take(measure.columns);
    Some(Grid {
        columns: names.map(|name| (name.to_owned(), None)).collect(),
        has_more: beginning.is_cut || rows.len() > measure.rows,
        rows,
        columns_total: header.len(),
        rows_total: None,
    })
}

/// The separator that the first line has most of, outside of quotes.
fn separator(text: &str) -> u8 {
    let line = text.lines().next().unwrap_or_default();
    let mut is_quoted = false;
    let mut counts = [0_usize; SEPARATORS.len()];
    for byte in line.bytes() {
        is_quoted ^= byte == b'"';
        let known = SEPARATORS.iter().zip(&mut counts).find(|(separator, _)| **separator == byte);
        if let (Some((_, count)), false) = (known, is_quoted) {
            *count += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    let found = SEPARATORS.iter().zip(&counts).find(|(_, count)| **count == most);
    found.map_or(b',', |(separator, _)| *separator)
}

#[cfg(test)]
mod tests {
    use super::super::measure::PAGE;
    use super::*;

    fn grid(text: &str, is_cut: bool, rows: usize) -> Option<Grid> {
        let beginning = Beginning { bytes: text.as_bytes().to_vec(), is_cut };
        read(&beginning, &Measure { rows, ..PAGE })
    }

    fn texts(grid: &Grid) -> Vec<Vec<&str>> {
        grid.rows.iter().map(|row| row.iter().flatten().map(String::as_str).collect()).collect()
    }

    #[test]
    fn separators_are_told_by_the_first_line() {
        for (text, separator) in [("a,b;c,d", b','), ("a;b", b';'), ("a\tb", b'\t'), ("a", b',')] {
            assert_eq!(super::separator(text), separator, "{text}");
        }
        let read = grid("\u{feff}a;\"b;,,,c\"\n1;2\n\"x\ny\";\n", false, 5).unwrap();
        assert_eq!(read.columns[1].0, "b;,,,c");
        assert_eq!(read.columns[0].0, "a");
        assert_eq!(texts(&read), [["1", "2"], ["x\ny", ""]]);
        assert!(!read.has_more && grid("", false, 5).is_none());
    }

    #[test]
    fn a_row_that_was_cut_is_not_shown() {
        let read = grid("a\n1\n2\n3", true, 5).unwrap();
        assert_eq!((texts(&read), read.has_more), (vec![vec!["1"], vec!["2"]], true));
        let read = grid("a\n1\n2\n3\n", false, 2).unwrap();
        assert!(read.has_more);
        assert!(!grid("a\n1\n2\n", false, 2).unwrap().has_more);
    }
}
