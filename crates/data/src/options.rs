//! What to read, and the limits of reading.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow_schema::DataType;
use trainyard_base::did_you_mean;

use crate::error::{Error, Result, list_names};
use crate::filter::RowFilter;
use crate::reading::{Decimal, Expected, Form, Sort};
use crate::remarks::Remarks;

/// Columns a table may have. A table of 100,000 columns is a transposed or broken file.
pub const COLUMNS_MAX: usize = 50_000;

/// Bytes of one CSV record (line). Long texts fit; a file without line breaks does not.
pub const RECORD_BYTES_MAX: usize = 64 << 20;

/// Bytes of one file after decompression. Stops what a compressed bomb would do to memory.
pub const FILE_BYTES_MAX: u64 = 16 << 30;

/// Files of one folder or pattern: more are a mistaken pattern.
pub const FILES_MAX: usize = 100_000;

/// How to read a table. `ReadOptions::default()` reads every column as pandas would.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each named at its use")]
pub struct ReadOptions {
    /// Only these columns, in this order; `None` reads all in file order.
    pub columns: Option<Vec<String>>,
    /// CSV columns whose type is given instead of inferred: Int64, UInt64, Float64, Boolean or Utf8.
    pub types: BTreeMap<String, DataType>,
    /// CSV field separator; `None` is a tab for `.tsv` and a comma otherwise.
    pub delimiter: Option<u8>,
    /// CSV records with too few fields end in nulls (as pandas does) instead of being refused.
    pub fill_short_records: bool,
    /// Columns that some of several files lack become nulls instead of being refused.
    pub fill_missing_columns: bool,
    /// Chosen columns that no file has are left out instead of being refused.
    pub skip_missing_columns: bool,
    /// A table without rows is an answer, not an error.
    pub allow_no_rows: bool,
    /// Which rows are kept; its columns are read even when they are not chosen.
    pub rows: RowFilter,
    /// Read text as people mean it; `None` reads as pandas does.
    pub natural: Option<Natural>,
    /// Words of CSV that are read as missing, beside the empty field; `None` are those of pandas.
    pub nulls: Option<Vec<String>>,
    /// How CSV text is encoded (a label of the WHATWG, such as `windows-1252`); `None` is UTF-8.
    pub encoding: Option<String>,
    /// Where readers put what they guessed.
    pub remarks: Remarks,
    /// Compute the SHA-256 of each file ([`crate::SourceFile::sha256`]).
    pub digest: bool,
}

/// Reads text as people mean it: separators are guessed, digits with leading zeros are labels, columns that
/// name the rows are left out, and [`crate::Columns`] takes columns that are numbers or times for nearly all
/// of their values for that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Natural {
    /// How decimals are written; `None` is told by each column.
    pub decimal: Option<Decimal>,
    /// Columns whose text is labels, whatever it says.
    pub labels: BTreeSet<String>,
    /// Columns that are text as it is written, also where they look like numbers to pandas.
    pub texts: BTreeSet<String>,
    /// Columns that are numbers, leading zeros or not, and whatever some values say.
    pub numbers: BTreeSet<String>,
    /// Columns that are times, whatever some values say.
    pub times: BTreeSet<String>,
    /// Columns that are times of day, whatever some values say.
    pub clocks: BTreeSet<String>,
    /// What text of the same columns was found to be elsewhere: it counts where it fits as well as another form.
    pub forms: BTreeMap<String, Form>,
}

impl Natural {
    /// What is known of a column.
    pub(crate) fn expected(&self, column: &str) -> Expected<'_> {
        let sorts = [
            (&self.numbers, Sort::Numbers),
            (&self.times, Sort::Times),
            (&self.clocks, Sort::Clocks),
        ];
        let found = sorts.into_iter().find(|(columns, _)| columns.contains(column));
        let sort = found.map(|(_, sort)| sort);
        Expected { decimal: self.decimal, sort, form: self.forms.get(column) }
    }

    /// Whether the decimals of a column are, as far as is known, written with a comma.
    pub(crate) fn has_commas(&self, column: &str) -> bool {
        let is_comma = |form: &Form| matches!(form, Form::Numbers { decimal: Decimal::Comma, .. });
        match self.decimal {
            Some(decimal) => decimal == Decimal::Comma,
            None => self.forms.get(column).is_some_and(is_comma),
        }
    }
}

/// Whether a column names the rows: pandas calls the first column so if it has no name in the header, and
/// that is what R's and pandas' row names have not.
pub(crate) fn is_row_name(column: &str) -> bool {
    column == "Unnamed: 0" || column.starts_with("Unnamed: 0.")
}

impl ReadOptions {
    /// Whether columns that name the rows are no data. One that is asked for is.
    pub(crate) fn leaves_row_names_out(&self) -> bool {
        self.natural.is_some() && self.columns.is_none()
    }

    /// Reads only these columns, in this order.
    pub fn with_columns<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self { columns: Some(columns.into_iter().map(Into::into).collect()), ..Self::default() }
    }
    /// Indices of the chosen columns of a file that has these, in the chosen order; of all of them where
    /// none are chosen.
    pub(crate) fn choose(&self, path: &Path, names: &[impl AsRef<str>]) -> Result<Vec<usize>> {
        let Some(columns) = &self.columns else { return Ok((0..names.len()).collect()) };
        let mut chosen = Vec::with_capacity(columns.len());
        for column in columns {
            match names.iter().position(|name| name.as_ref() == column) {
                Some(index) => chosen.push(index),
                None if self.fill_missing_columns || self.skip_missing_columns => {}
                None => {
                    return Err(Error::NoColumn {
                        path: path.to_owned(),
                        column: column.clone(),
                        meant: did_you_mean(column, names.iter().map(AsRef::as_ref)),
                        available: list_names(names.iter().map(AsRef::as_ref)),
                    });
                }
            }
        }
        Ok(chosen)
    }
}
