//! Holds the rows of a table to rules, reading no more columns than each looks at.

use std::path::Path;

use arrow_array::{Array, RecordBatch};

use super::table::Columns;
use crate::error::{Error, Result, list_names, shorten};
use crate::filter::{Kept, RowRule};

impl Columns {
    /// How the rows keep a rule. The columns that it looks at are in memory meanwhile.
    ///
    /// # Errors
    ///
    /// Where a column is not there or cannot be read, or values do not compare.
    pub fn check(&self, rule: &RowRule) -> Result<Kept> {
        let rule = rule.of_table(self.names());
        let mut columns = Vec::new();
        for name in rule.columns() {
            let pieces = self.read(&name)?.ok_or_else(|| Error::Condition {
                condition: shorten(rule.text()),
                reason: format!("there is no column {name:?}"),
                hint: format!(
                    "the columns are {}",
                    list_names(self.names().iter().map(String::as_str))
                ),
            })?;
            let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
            if pieces.is_empty() {
                return Ok(Kept::default());
            }
            let column =
                arrow_select::concat::concat(&pieces).map_err(|error| self.failed(error))?;
            columns.push((name, column));
        }
        let batch = RecordBatch::try_from_iter(columns).map_err(|error| self.failed(error))?;
        rule.check(&batch)
    }

    fn failed(&self, error: arrow_schema::ArrowError) -> Error {
        Error::arrow(Path::new(&self.source().name), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ReadOptions, read_csv_text};

    fn check(rule: &str) -> Result<Kept> {
        let text = b"total,net,tax,from,to,name,alias,paid\n\
            12,10.5,2,2026-01-01,2026-01-02,a,a,True\n\
            9,10,1,2026-01-03,2026-01-02,b,c,True\n\
            ,5,1,2026-01-03,2026-01-03,c,c,False\n\
            7,5,8,2026-01-03,,net,d,True\n";
        let options =
            ReadOptions { natural: Some(crate::Natural::default()), ..ReadOptions::default() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        Columns::open(&path.to_string_lossy(), &options, None)?.check(&RowRule::parse(rule)?)
    }

    #[test]
    fn columns_are_held_to_each_other() {
        for (rule, rows, examples) in [
            ("total >= net", 3, vec![1]),
            ("net > tax", 4, vec![3]),
            ("\"from\" <= \"to\"", 3, vec![1]),
            ("name = alias", 4, vec![1, 3]),
            ("total >= net or paid = false", 4, vec![1]),
            ("net > 5", 4, vec![2, 3]),
            ("name in (a, b, c)", 4, vec![3]),
            ("total is not null", 4, vec![2]),
        ] {
            let kept = check(rule).unwrap();
            let expected = Kept { rows, broken: examples.len(), examples };
            assert_eq!(kept, expected, "{rule}");
        }
    }

    #[test]
    fn what_does_not_compare_is_named() {
        for (rule, part) in [
            ("total >= gross", "\"gross\" cannot be compared with column \"total\""),
            ("gross >= net", "there is no column \"gross\""),
            ("total >= name", "\"name\" cannot be compared with column \"total\""),
            ("total", "no comparison"),
        ] {
            let error = check(rule).unwrap_err().to_string();
            assert!(error.contains(part), "{rule}: {error}");
        }
    }

    #[test]
    fn a_table_in_memory_is_checked_too() {
        let batch = read_csv_text("t.csv", b"a,b\n1,2\n3,2\n", &ReadOptions::default()).unwrap();
        let kept = Columns::from(batch).check(&RowRule::parse("a <= b").unwrap()).unwrap();
        assert_eq!((kept.rows, kept.examples), (2, vec![1]));
    }
}
