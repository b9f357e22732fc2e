//! The filter of a read: a window of time, and conditions that must all hold.

use arrow_array::{BooleanArray, RecordBatch};

use super::compare::holds;
use super::parse::parse;
use super::target::{Target, column_of};
use super::times::{time, times};
use crate::error::{Error, Result};

/// Which rows are kept. The default keeps all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowFilter {
    /// The column that `since` and `until` look at: timestamps, dates, or text in ISO 8601.
    pub time_column: Option<String>,
    /// Earliest time that is kept (`2026-01-31`, `2026-01-31T12:00:00Z`; without a zone it is UTC).
    pub since: Option<String>,
    /// First time that is not kept any more.
    pub until: Option<String>,
    /// Conditions that must all hold: `column = value`, `!=`, `<`, `<=`, `>`, `>=`, `column in (a, b)`,
    /// `column is null`, joined by `and`, `or`, `not` and parentheses. Nulls satisfy no comparison but the
    /// one with null. Names and values with signs or keywords in them go in quotes.
    pub conditions: Vec<String>,
}

impl RowFilter {
    /// Whether every row is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.conditions.is_empty()
    }

    /// The columns that must be read to decide, each once.
    ///
    /// # Errors
    ///
    /// Where a condition cannot be read, or a window of time has no column.
    pub fn columns(&self) -> Result<Vec<String>> {
        let mut columns = Vec::new();
        if self.since.is_some() || self.until.is_some() {
            columns.push(self.time_column()?.to_owned());
        }
        for text in &self.conditions {
            parse(text)?.add_columns(&mut columns);
        }
        Ok(columns)
    }

    pub(super) fn time_column(&self) -> Result<&str> {
        self.time_column.as_deref().ok_or_else(|| Error::Condition {
            condition: self.since.clone().or_else(|| self.until.clone()).unwrap_or_default(),
            reason: "a window of time needs a column that holds the time".to_owned(),
            hint: "name it as the time column".to_owned(),
        })
    }

    /// Which rows satisfy everything.
    ///
    /// # Errors
    ///
    /// Where a condition cannot be read, names a column that is not there, or a value that does not compare with it.
    pub fn kept(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let mut keep = vec![true; batch.num_rows()];
        for (bound, is_first) in [(&self.since, true), (&self.until, false)] {
            if let Some(value) = bound {
                let target = Target { condition: value, column: self.time_column()?, value };
                let array = column_of(batch, value, target.column)?;
                let bound = time(value).ok_or_else(|| target.not_comparable(array.data_type()))?;
                for (keep, found) in keep.iter_mut().zip(times(array, &target)?) {
                    *keep = *keep && found.is_some_and(|found| (found >= bound) == is_first);
                }
            }
        }
        for text in &self.conditions {
            for (keep, holds) in keep.iter_mut().zip(holds(&parse(text)?, text, batch)?) {
                *keep = *keep && holds == Some(true);
            }
        }
        Ok(BooleanArray::from(keep))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Int64Type;
    use trainyard_base::Advise as _;

    use super::*;
    use crate::{ReadOptions, read_csv_text};

    fn kept(filter: &RowFilter) -> Result<String> {
        let text = b"id,x,name,ok,at,big\n1,0.5,a b,True,2026-01-01,9007199254740993\n2,,b,False,2026-01-02T12:00:00Z,9007199254740992\n3,-3,,True,2026-01-03 00:00:00,1\n";
        let batch = read_csv_text("t.csv", text, &ReadOptions::default())?;
        let kept = filter.kept(&batch)?;
        let ids = arrow_select::filter::filter_record_batch(&batch, &kept).unwrap();
        let ids = ids.column(0).as_primitive::<Int64Type>();
        Ok(ids.values().iter().map(i64::to_string).collect::<Vec<_>>().join(","))
    }

    fn check(condition: &str, expected: &str) {
        let filter = RowFilter { conditions: vec![condition.to_owned()], ..RowFilter::default() };
        assert_eq!(kept(&filter).unwrap(), expected, "{condition}");
    }

    #[test]
    fn comparisons() {
        check("x > 0", "1");
        check("x<=0.5", "1,3");
        check("x = null", "2");
        check("x != null", "1,3");
        check("name == \"a b\"", "1");
        check("name != b", "1");
        check("\"name\" >= b", "2");
        check("ok = true", "1,3");
        check("id != 2", "1,3");
        check("id < 2.5", "1,2");
        // Beyond the integers that a float holds.
        check("big = 9007199254740993", "1");
        check("at = 2026-01-01", "1");
    }

    #[test]
    fn conditions_are_joined_as_in_a_search() {
        check("x > 0 and id = 1", "1");
        check("id = 1 or id = 3", "1,3");
        check("id = 1 OR id = 2 AND name = b", "1,2");
        check("(id = 1 or id = 2) and name = b", "2");
        check("not id = 1", "2,3");
        check("id in (1, 3)", "1,3");
        check("id not in (1, 3)", "2");
        check("name in ('a b', \"c\")", "1");
        check("name in (a b, b)", "1,2");
        check("x is null", "2");
        check("x is not null", "1,3");
        // Neither a comparison with a null nor its opposite is true.
        check("not x > 0", "3");
        check("not name = b", "1");
        check("name not in (b)", "1");
        check("name = null or not name = b", "1,3");
        check("at > 2026-01-02 00:00:00 and at < 2026-01-03", "2");
    }

    #[test]
    fn values_may_hold_what_looks_like_grammar() {
        let batch = read_csv_text(
            "t.csv",
            b"petal length,town\n1,O'Brien\n2,salt and pepper\n3,York (new)\n4,\"say \"\"x\"\"\"\n",
            &ReadOptions::default(),
        )
        .unwrap();
        let check = |condition: &str, expected: usize| {
            let conditions = vec![condition.to_owned()];
            let kept = RowFilter { conditions, ..RowFilter::default() }.kept(&batch).unwrap();
            let rows: Vec<usize> = kept
                .iter()
                .flatten()
                .enumerate()
                .filter(|(_, keep)| *keep)
                .map(|(row, _)| row + 1)
                .collect();
            assert_eq!(rows, [expected], "{condition}");
        };
        check("petal length <= 1", 1);
        check("town = O'Brien", 1);
        check("town = \"salt and pepper\"", 2);
        check("town = York (new)", 3);
        check("town = \"say \"\"x\"\"\"", 4);
        check("`petal length` = 2", 2);
    }

    #[test]
    fn columns_are_told_each_once() {
        let filter = RowFilter {
            conditions: vec!["a = 1 or not (b in (1) and a = 2)".to_owned()],
            ..RowFilter::default()
        };
        assert_eq!(filter.columns().unwrap(), ["a", "b"]);
    }

    #[test]
    fn windows_include_their_start_and_not_their_end() {
        let window = |since: Option<&str>, until: Option<&str>| {
            kept(&RowFilter {
                time_column: Some("at".to_owned()),
                since: since.map(str::to_owned),
                until: until.map(str::to_owned),
                conditions: Vec::new(),
            })
            .unwrap()
        };
        assert_eq!(window(Some("2026-01-02"), None), "2,3");
        assert_eq!(window(None, Some("2026-01-03")), "1,2");
        assert_eq!(window(Some("2026-01-02T12:00:00Z"), Some("2026-01-02T13:00:00+00:30")), "2");
    }

    #[test]
    fn mistakes_are_named() {
        let fails = |condition: &str, part: &str| {
            let filter =
                RowFilter { conditions: vec![condition.to_owned()], ..RowFilter::default() };
            let text = kept(&filter).unwrap_err().with_hint();
            assert!(text.contains(part) && text.contains("\nhint: "), "{condition}: {text}");
        };
        fails("x", "it has no comparison");
        fails("y = 1", "there is no column \"y\"");
        fails("x = abc", "\"abc\" cannot be compared with column \"x\" (Float64)");
        fails("x < null", "neither less nor greater");
        fails("\"x = 1", "not closed");
        fails("x =", "a value is missing");
        fails("(x = 1", "not closed");
        fails("x = 1)", "not opened");
        fails("x in 1", "needs a list");
        fails("x in (1", "a list is not closed");
        fails("x in (1, null)", "null is no value of a list");
        fails("x is 1", "null alone");
        fails("x = 1 and", "a column or a value is missing");
        fails(&format!("{}x = 1", "not ".repeat(100)), "too many parentheses");
        let filter = RowFilter { since: Some("2026".to_owned()), ..RowFilter::default() };
        assert!(kept(&filter).unwrap_err().with_hint().contains("time column"));
        let filter = RowFilter {
            time_column: Some("name".to_owned()),
            since: Some("2026-01-01".to_owned()),
            ..RowFilter::default()
        };
        let text = kept(&filter).unwrap_err().to_string();
        assert!(text.contains("\"a b\" in row 1 of column \"name\" is no time"), "{text}");
    }
}
