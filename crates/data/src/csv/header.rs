//! The header of a CSV file: where it ends, and pandas' rules for empty and repeated names.

use std::collections::{HashMap, HashSet};

use super::damage::{broken, check_text, touches_end};
use super::dialect::{Dialect, Shape};
use super::input::Input;
use super::split::{Cell, Splitter, Step};
use crate::error::{Error, Result};
use crate::options::{COLUMNS_MAX, RECORD_BYTES_MAX};

/// Bytes in which the header is looked for first.
const HEADER_BYTES: usize = 64 << 10;

/// The column names, and where the records begin.
pub(crate) fn read(input: &Input<'_>, dialect: Dialect) -> Result<(Vec<String>, usize)> {
    let path = input.path;
    let mut buffer = Vec::new();
    let mut cells = Vec::new();
    let mut size = HEADER_BYTES;
    loop {
        let text = input.get(0, size, &mut buffer)?;
        if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = text {
            let byte = text.first().copied().unwrap_or_default();
            let hint = "the file is UTF-16: say --encoding utf-16, or convert it: iconv -f UTF-16 -t UTF-8";
            return Err(Error::Utf8 { path: path.to_owned(), line: 1, byte, hint });
        }
        let mut splitter =
            Splitter::new(text, dialect.delimiter, dialect.preamble, RECORD_BYTES_MAX);
        let step = splitter.next_record(&mut cells);
        let body = splitter.position;
        if size < input.len() && touches_end(step, body, text) {
            size *= 2;
            continue;
        }
        match step {
            Step::Record => {}
            Step::End => return Err(Error::EmptyFile { path: path.to_owned() }),
            step => return Err(broken(input, 0, step)),
        }
        check_text(input, 0, text.get(..body).unwrap_or_default())?;
        if cells.len() > COLUMNS_MAX {
            return Err(Error::Limit {
                path: path.to_owned(),
                place: String::new(),
                what: format!("a header of {} columns", cells.len()),
                limit: format!("{COLUMNS_MAX} columns"),
                hint: "is the table transposed? rows are lines, columns are fields",
            });
        }
        let name = |cell: &Cell| String::from_utf8_lossy(&cell.text(text)).into_owned();
        let mut names: Vec<String> = cells.iter().map(name).collect();
        match dialect.shape {
            Shape::Even => {}
            // The names of the rows have none.
            Shape::RowNames => names.insert(0, String::new()),
            Shape::Trailing => {
                names.pop_if(|last| last.is_empty());
            }
        }
        return Ok((column_names(names), body));
    }
}

/// Names the columns as pandas does: an empty name becomes `Unnamed: 3`, a repeated one `x.1`.
fn column_names(raw: Vec<String>) -> Vec<String> {
    let named: Vec<String> = raw
        .into_iter()
        .enumerate()
        .map(|(index, name)| if name.is_empty() { format!("Unnamed: {index}") } else { name })
        .collect();
    // A number that another column already bears is skipped: `x,x,x.1` is `x,x.2,x.1`.
    let written: HashSet<String> = named.iter().cloned().collect();
    let mut used: HashSet<String> = HashSet::with_capacity(named.len());
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut names = Vec::with_capacity(named.len());
    for name in named {
        if used.insert(name.clone()) {
            names.push(name);
            continue;
        }
        let count = counts.entry(name.clone()).or_insert(0);
        let unique = loop {
            *count += 1;
            let candidate = format!("{name}.{count}");
            if !written.contains(&candidate) && !used.contains(&candidate) {
                break candidate;
            }
        };
        used.insert(unique.clone());
        names.push(unique);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: &str) {
        let names = column_names(raw.split(',').map(str::to_owned).collect());
        assert_eq!(names.join(","), expected, "{raw:?}");
    }

    #[test]
    fn names_are_made_unique_as_pandas_does() {
        check("a,b", "a,b");
        check("x,x,x", "x,x.1,x.2");
        check("x,x,x.1,x", "x,x.2,x.1,x.3");
        check("a,a.1,a", "a,a.1,a.2");
        check(",a,", "Unnamed: 0,a,Unnamed: 2");
        check(" a ,a", " a ,a");
    }
}
