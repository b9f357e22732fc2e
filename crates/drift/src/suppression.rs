//! A column of which nothing tells of few rows: what may be kept longer than the rows themselves.
//!
//! Labels that stand in fewer rows than is asked for are suppressed, as small cells of published tables are; numbers are
//! averaged with their neighbours. How many values are missing or infinite stays known: it says nothing of what they were.

use crate::column::Column;
use crate::values::{Averaged, Strings, Values};

/// A column without what is known of few rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Suppressed {
    /// As many rows as before; what is withheld is missing.
    pub column: Column,
    /// Values that are withheld.
    pub withheld: u64,
    /// The most rows that one number is the mean of: ranks are wrong by no more. 0 where every number is one that came.
    pub averaged: u64,
}

impl Column {
    /// The column in which every label and every number stands for so many rows at least.
    ///
    /// ```
    /// use arrow_array::StringArray;
    /// use trainyard_drift::Column;
    /// let labels = Column::new(&[&StringArray::from(vec!["a", "a", "a", "b"])]).suppressed(3);
    /// assert_eq!((labels.column.distinct(), labels.column.missing(), labels.withheld), (1, 1, 1));
    /// ```
    #[must_use]
    pub fn suppressed(&self, rows_min: u64) -> Suppressed {
        let (values, withheld, averaged) = match self.values() {
            Values::Numbers(numbers) => {
                let Averaged { values, withheld, group_max } = numbers.averaged(rows_min);
                (Values::Numbers(values), withheld, group_max)
            }
            Values::Strings(strings) => {
                let often = strings.iter().filter(|(_, count)| *count >= rows_min).collect();
                let often = Strings::from_counts(often);
                let withheld = strings.len() - often.len();
                (Values::Strings(often), withheld, 0)
            }
            Values::Other => (Values::Other, 0, 0),
        };
        let missing = self.missing + withheld;
        let column = Self { missing, values, rows_in_order: None, ..self.clone() };
        Suppressed { column, withheld, averaged }
    }

    /// The column without so many of its rows in which the value is missing: of these it is known that they had one.
    #[must_use]
    pub fn without_missing(self, rows: u64) -> Self {
        let fewer = rows.min(self.missing);
        Self { rows: self.rows - fewer, missing: self.missing - fewer, rows_in_order: None, ..self }
    }

    /// The distinct labels of a column of texts, in the order of their bytes; none of other columns.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.strings().into_iter().flat_map(Strings::iter).map(|(text, _)| text)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{BooleanArray, Float64Array, StringArray};

    use super::*;

    #[test]
    fn what_stands_in_few_rows_is_missing_and_counted() {
        let numbers = vec![Some(1.0), Some(2.0), Some(4.5), None, Some(f64::INFINITY)];
        let Suppressed { column, withheld, averaged } =
            Column::new(&[&Float64Array::from(numbers)]).suppressed(3);
        assert_eq!((column.rows(), column.missing(), column.infinite()), (5, 1, 1));
        assert_eq!((column.len(), column.count_between(2.4, 2.6)), (3, 3));
        assert_eq!((withheld, averaged), (0, 3));
        let flags = Column::new(&[&BooleanArray::from(vec![true, true, true, false])]);
        let Suppressed { column, withheld, .. } = flags.suppressed(3);
        assert_eq!((column.len(), column.missing(), withheld), (3, 1, 1));
        let column = column.without_missing(withheld);
        assert_eq!((column.rows(), column.missing(), column.len()), (3, 0, 3));
        let texts = Column::new(&[&StringArray::from(vec!["b", "b", "a", "b", "c"])]);
        assert_eq!(texts.suppressed(3).column.texts().collect::<Vec<_>>(), ["b"]);
        assert_eq!(texts.suppressed(4).column.len(), 0);
    }
}
