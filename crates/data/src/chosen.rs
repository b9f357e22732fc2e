//! Which rows of a batch a reader keeps: its conditions see the columns as they are read.
//!
//! Where text is read as people mean it, `fee > 1000` is about the number in `$1,200`, not about its letters.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};

use crate::error::{Error, Result};
use crate::options::{Natural, ReadOptions};
use crate::reading::{Survey, convert};

impl ReadOptions {
    /// Keeps the rows that satisfy the filter.
    pub(crate) fn keep(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        arrow_select::filter::filter_record_batch(batch, &self.kept(batch)?)
            .map_err(|source| Error::arrow(Path::new("the filtered table"), source))
    }

    /// Which rows satisfy the filter.
    pub(crate) fn kept(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        match &self.natural {
            Some(natural) => self.rows.kept(&meant(batch, &self.rows.columns()?, natural)?),
            None => self.rows.kept(batch),
        }
    }
}

/// The batch with what the text of these columns says, where that is more than text.
fn meant(batch: &RecordBatch, names: &[String], natural: &Natural) -> Result<RecordBatch> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let name = field.name();
        let is_looked_at =
            names.contains(name) && !natural.labels.contains(name) && !natural.texts.contains(name);
        let meant = if is_looked_at { meant_column(column, name, natural) } else { None };
        let column = meant.unwrap_or_else(|| ArrayRef::clone(column));
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows)
        .map_err(|source| Error::arrow(Path::new("the filtered table"), source))
}

fn meant_column(column: &ArrayRef, name: &str, natural: &Natural) -> Option<ArrayRef> {
    let text = column.as_string_opt::<i32>()?;
    let mut survey = Survey::new(text.len(), natural.expected(name));
    survey.see(text);
    let reading = survey.finish()?;
    Some(convert(text, &reading.form))
}

#[cfg(test)]
mod tests {
    use crate::{Columns, Natural, ReadOptions, RowFilter, read_csv_text};

    const TEXT: &[u8] =
        b"fee,rate,when,zip\n\"$1,200\",5%,2026-01-05 10:00:00,06510\n$80,12%,2026-02-01,94103\n";

    fn rows(condition: &str, natural: Option<Natural>) -> Result<usize, String> {
        let conditions = vec![condition.to_owned()];
        let rows = RowFilter { conditions, ..RowFilter::default() };
        let options = ReadOptions { rows, natural, ..ReadOptions::default() };
        let all = ReadOptions { natural: options.natural.clone(), ..ReadOptions::default() };
        let batch = read_csv_text("t.csv", TEXT, &all).map_err(|error| error.to_string())?;
        options.keep(&batch).map(|kept| kept.num_rows()).map_err(|error| error.to_string())
    }

    #[test]
    fn text_that_is_numbers_compares_as_numbers() {
        for (condition, expected) in [
            ("fee > 100", 1),
            ("fee < 1200", 1),
            ("fee = $1,200", 1),
            ("rate >= 5", 2),
            ("rate > 12%", 0),
            ("when < 2026-01-31", 1),
            ("zip = 06510", 1),
        ] {
            assert_eq!(rows(condition, Some(Natural::default())), Ok(expected), "{condition}");
        }
        // As it is written.
        let labels = Natural { labels: ["fee".to_owned()].into(), ..Natural::default() };
        assert_eq!(rows("fee = $80", Some(labels)), Ok(1));
        assert_eq!(rows("fee = $80", None), Ok(1));
    }

    #[test]
    fn files_are_filtered_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, TEXT).unwrap();
        let rows = RowFilter { conditions: vec!["fee > 100".to_owned()], ..RowFilter::default() };
        let natural = Some(Natural::default());
        let options = ReadOptions { rows, natural, ..ReadOptions::default() };
        let columns = Columns::open(&path.to_string_lossy(), &options, None).unwrap();
        assert_eq!(columns.rows(), 1);
    }
}
