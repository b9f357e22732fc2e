//! What can be wrong with a table: each variant names the file, the place in it and what to do.

use std::path::{Path, PathBuf};

use arrow_schema::DataType;
use trainyard_base::{Advice, Advise, Fault};

/// The result of reading or writing a table.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a table could not be read or written.
///
/// The text says what failed, on which value and where; [`Advise::hint`] what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is there.
    #[error("no such file or folder: {path}")]
    Missing {
        /// As the user wrote it.
        path: String,
        /// The folder that relative paths start from.
        base: String,
    },
    /// A pattern or a folder that leads to no table.
    #[error("no tables found in {source_name}")]
    NoFiles {
        /// The folder or pattern, as the user wrote it.
        source_name: String,
        /// What would have been found.
        hint: String,
    },
    /// A pattern that is not a valid glob.
    #[error("not a valid file pattern: {pattern} ({reason})")]
    Pattern {
        /// As the user wrote it.
        pattern: String,
        /// What the pattern parser objects to.
        reason: String,
    },
    /// The operating system refused.
    #[error("{doing} {path}: {source}")]
    Io {
        /// `"cannot read"`, `"cannot write"`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A file without any content.
    #[error("{path} is empty")]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// Columns but no rows.
    #[error("{path} has a header but no rows")]
    NoRows {
        /// The file, or all that was read.
        path: PathBuf,
    },
    /// Filters that leave nothing.
    #[error("none of the {read} rows of {source_name} satisfies the filters")]
    NoRowsKept {
        /// What was read.
        source_name: String,
        /// Rows before filtering.
        read: usize,
    },
    /// A file that is neither CSV nor Parquet.
    #[error("{path} is not a table that can be read: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        reason: String,
    },
    /// A record with more or fewer fields than the header.
    #[error("{path}, line {line}: {found} fields where the header has {expected}")]
    Ragged {
        /// The file.
        path: PathBuf,
        /// Physical line, from 1.
        line: usize,
        /// Fields in the header.
        expected: usize,
        /// Fields in the record.
        found: usize,
        /// What to do.
        hint: &'static str,
    },
    /// A quoted field that is never closed.
    #[error("{path}, line {line}: the quoted field that starts here is never closed")]
    OpenQuote {
        /// The file.
        path: PathBuf,
        /// Physical line of the record, from 1.
        line: usize,
    },
    /// Text that is not UTF-8.
    #[error("{path}, line {line}: not UTF-8 text (byte 0x{byte:02x})")]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// Physical line, from 1.
        line: usize,
        /// The offending byte.
        byte: u8,
        /// How to convert the file.
        hint: &'static str,
    },
    /// A NUL byte in text.
    #[error("{path}, line {line}: a NUL byte in the text")]
    Nul {
        /// The file.
        path: PathBuf,
        /// Physical line, from 1.
        line: usize,
    },
    /// A size beyond the limits of this reader.
    #[error("{path}{place}: {what} exceeds the limit of {limit}")]
    Limit {
        /// The file.
        path: PathBuf,
        /// `", line 7"` or empty.
        place: String,
        /// What is too large, with its size.
        what: String,
        /// The limit with its unit.
        limit: String,
        /// What to do.
        hint: &'static str,
    },
    /// A column that was asked for and is not there.
    #[error("{path} has no column {column:?}{meant}")]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column asked for.
        column: String,
        /// The column that may have been meant, as the text says it.
        meant: String,
        /// The columns that are there (shortened when there are many).
        available: String,
    },
    /// Two columns of the same name in a Parquet file.
    #[error("{path} has two columns named {column:?}")]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// Files of one table whose columns differ.
    #[error("{path} does not have the columns of {first}: {difference}")]
    MixedColumns {
        /// The file that differs.
        path: PathBuf,
        /// The first file.
        first: PathBuf,
        /// Missing and additional columns.
        difference: String,
    },
    /// The same column with types that have no common one.
    #[error("column {column:?} is {found} in {path} and {expected} before")]
    MixedTypes {
        /// The column.
        column: String,
        /// The file that differs.
        path: PathBuf,
        /// Type so far.
        expected: DataType,
        /// Type in this file.
        found: DataType,
    },
    /// A value that is not of the type that was asked for.
    #[error("{path}, line {line}, column {column:?}: {value:?} is not {expected}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Physical line, from 1.
        line: usize,
        /// The column.
        column: String,
        /// The text as written (shortened when long).
        value: String,
        /// The type that was asked for.
        expected: DataType,
    },
    /// A Parquet file that cannot be decoded.
    #[error("{path} is not a readable Parquet file: {reason}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The decoder's answer.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// A condition that cannot be understood or applied.
    #[error("condition {condition:?}: {reason}")]
    Condition {
        /// As the user wrote it.
        condition: String,
        /// What is wrong.
        reason: String,
        /// What is accepted.
        hint: String,
    },
    /// A table that cannot be written in this format.
    #[error("cannot write column {column:?} ({data_type}) as {format}")]
    Unwritable {
        /// The column.
        column: String,
        /// Its type.
        data_type: DataType,
        /// The format.
        format: &'static str,
    },
    /// Arrow refused a conversion that should always work.
    #[error("{path}: {source}")]
    Arrow {
        /// The file.
        path: PathBuf,
        /// Arrow's answer.
        #[source]
        source: arrow_schema::ArrowError,
    },
}

impl Error {
    /// Reading `path` failed.
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::NotFound {
            return Self::Missing { path: path.display().to_string(), base: working_folder() };
        }
        Self::Io { doing: "cannot read", path: path.to_owned(), source }
    }

    /// The same error in a file that has this many lines more before the place.
    pub(crate) fn below(mut self, lines: usize) -> Self {
        match &mut self {
            Self::Ragged { line, .. }
            | Self::OpenQuote { line, .. }
            | Self::Utf8 { line, .. }
            | Self::Nul { line, .. }
            | Self::Value { line, .. } => *line += lines,
            _ => {}
        }
        self
    }

    /// Writing `path` failed.
    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Io { doing: "cannot write", path: path.to_owned(), source }
    }

    /// Arrow refused.
    pub(crate) fn arrow(path: &Path, source: arrow_schema::ArrowError) -> Self {
        Self::Arrow { path: path.to_owned(), source }
    }
}

impl Advise for Error {
    fn advice(&self) -> Advice {
        Advice::input(match self {
            Self::Missing { base, .. } => format!("check the path; it is relative to {base}"),
            Self::NoFiles { hint, .. } | Self::Condition { hint, .. } => hint.clone(),
            Self::Ragged { hint, .. }
            | Self::Utf8 { hint, .. }
            | Self::Limit { hint, .. }
            | Self::Parquet { hint, .. } => (*hint).to_owned(),
            Self::EmptyFile { .. } => "a CSV file needs a header line and at least one row".into(),
            Self::NoRows { .. } => "check what wrote it, or the filters that were applied".into(),
            Self::NoRowsKept { .. } => "widen the window of time or the conditions".into(),
            Self::Format { .. } => {
                "CSV and Parquet files are read, also compressed as .gz or .zst".into()
            }
            Self::OpenQuote { .. } => {
                "double a quote inside a quoted field (\"\") and close the field with one".into()
            }
            Self::Nul { .. } => "the file is damaged, no CSV file, or UTF-16: say --encoding utf-16".into(),
            Self::NoColumn { available, .. } => format!("its columns are {available}"),
            Self::DuplicateColumn { .. } => {
                "rename one of them, columns are found by name".into()
            }
            Self::MixedColumns { .. } => {
                "choose columns that all files have, or allow missing columns to be filled with nulls"
                    .into()
            }
            Self::MixedTypes { .. } => "convert one of them, or read without this column".into(),
            Self::Value { .. } => "correct the value or read the column as text".into(),
            Self::Unwritable { .. } => "write Parquet, or convert the column".into(),
            Self::Pattern { .. } => return Fault::Input.into(),
            Self::Io { .. } => return Fault::Environment.into(),
            Self::Arrow { .. } => return Fault::Program.into(),
        })
    }
}

/// The folder relative paths start from, for messages.
pub(crate) fn working_folder() -> String {
    std::env::current_dir()
        .map_or_else(|_| "the working folder".to_owned(), |folder| folder.display().to_string())
}

/// Names for a message: all of a few, the first of many.
pub(crate) fn list_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    /// More than this many names help nobody.
    const SHOWN: usize = 12;
    let total = names.clone().count();
    if total == 0 {
        return "none".to_owned();
    }
    let text = names.take(SHOWN).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    if total > SHOWN { format!("{text} and {} more", total - SHOWN) } else { text }
}

/// A value for a message: long ones are cut.
pub(crate) fn shorten(value: &str) -> String {
    /// Enough to recognise a value by.
    const SHOWN: usize = 60;
    if value.chars().count() <= SHOWN {
        return value.to_owned();
    }
    value.chars().take(SHOWN).chain(['…']).collect()
}
