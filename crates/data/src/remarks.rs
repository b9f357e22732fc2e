//! What readers had to guess of a table, kept so that it can be said.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::list_names;

/// A guess about a table, or what was done with a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// What stands between fields, where it is not what the file's name says.
    Separator {
        /// The file.
        path: PathBuf,
        /// As it is written.
        separator: char,
    },
    /// The first column numbers or names the rows, and is left out.
    RowNames {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
    /// Records end in a separator with nothing behind it.
    TrailingSeparators {
        /// The file.
        path: PathBuf,
    },
    /// Records with fewer fields than the header; what lacks is missing.
    ShortRecords {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// Physical line of the first, from 1.
        line: usize,
    },
    /// Columns that some of the files have not; they are missing in their rows.
    InSomeFiles {
        /// The columns.
        columns: Vec<String>,
    },
    /// Labels among which the word `NA` was taken for missing.
    NotAvailable {
        /// The column.
        column: String,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Separator { path, separator } => {
                let separator = match separator {
                    '\t' => "tabs".to_owned(),
                    other => format!("{other:?}"),
                };
                write!(f, "{}: fields are separated by {separator}", path.display())
            }
            Self::RowNames { path, column } => {
                write!(f, "{}: column {column:?} names the rows and is left out", path.display())
            }
            Self::TrailingSeparators { path } => {
                write!(f, "{}: a separator at the end of lines is left off", path.display())
            }
            Self::ShortRecords { path, count, line } => write!(
                f,
                "{}: {count} {} shorter than the header (the first in line {line}); what lacks is missing",
                path.display(),
                if *count == 1 { "row is" } else { "rows are" },
            ),
            Self::InSomeFiles { columns } => write!(
                f,
                "not in all files, and missing in the rows of those without: {}",
                list_names(columns.iter().map(String::as_str)),
            ),
            Self::NotAvailable { column } => {
                write!(f, "column {column:?}: NA is read as missing; --null '' keeps it")
            }
        }
    }
}

/// Remarks on a table, collected from all of its files and by all threads. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Remarks(Arc<Mutex<BTreeSet<Remark>>>);

impl Remarks {
    /// Adds one; the same twice is one.
    pub(crate) fn add(&self, remark: Remark) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(remark);
    }

    /// Adds those of a part of a file that begins behind so many lines.
    pub(crate) fn add_below(&self, part: &Self, lines: usize) {
        for mut remark in part.all() {
            if let Remark::ShortRecords { line, .. } = &mut remark {
                *line += lines;
            }
            self.add(remark);
        }
    }

    /// All of them, in order. Short records of a file that was read in parts are added up.
    pub fn all(&self) -> Vec<Remark> {
        let mut all: Vec<Remark> = Vec::new();
        for remark in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let (
                Some(Remark::ShortRecords { path: before, count: sum, line: first }),
                Remark::ShortRecords { path, count, line },
            ) = (all.last_mut(), remark)
                && before == path
            {
                *sum += count;
                *first = (*first).min(*line);
            } else {
                all.push(remark.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_records_of_parts_add_up() {
        let short = |count, line| Remark::ShortRecords { path: "a.csv".into(), count, line };
        let (all, part) = (Remarks::default(), Remarks::default());
        part.add(short(2, 5));
        all.add_below(&part, 100);
        all.add_below(&part, 100);
        all.add(short(3, 7));
        all.add(Remark::NotAvailable { column: "country".to_owned() });
        let sentences: Vec<String> = all.all().iter().map(ToString::to_string).collect();
        assert_eq!(sentences.len(), 2);
        assert!(sentences[0].contains("5 rows are shorter than the header (the first in line 7)"));
        assert!(sentences[1].contains("NA is read as missing"), "{}", sentences[1]);
    }
}
