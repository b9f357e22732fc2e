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

    /// The column with its most frequent labels: so many at most, and as many as take so many bytes. No label that is
    /// withheld stands in more rows than one that is kept; of two parts that are put together the count of a label may be
    /// too small by what was withheld of both. Other columns stay as they are.
    ///
    /// ```
    /// use arrow_array::StringArray;
    /// use trainyard_drift::Column;
    /// let labels = Column::new(&[&StringArray::from(vec!["a", "b", "b", "c", "c"])]);
    /// let often = labels.most_frequent(2, 1000);
    /// assert_eq!(often.column.texts().collect::<Vec<_>>(), ["b", "c"]);
    /// assert_eq!((often.column.rows(), often.withheld), (5, 1));
    /// ```
    #[must_use]
    pub fn most_frequent(&self, labels_max: usize, bytes_max: usize) -> Suppressed {
        let whole = || Suppressed { column: self.clone(), withheld: 0, averaged: 0 };
        let Some(strings) = self.strings() else { return whole() };
        if strings.distinct() <= labels_max && self.label_bytes() <= bytes_max {
            return whole();
        }
        let mut labels: Vec<(&str, u64)> = strings.iter().collect();
        // The same whatever they came in: labels of one count by their bytes.
        labels.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
        let mut bytes = 0;
        let fits = |(label, _): &(&str, u64)| {
            bytes += bytes_of(label.len());
            bytes <= bytes_max
        };
        let often = labels.into_iter().take(labels_max).take_while(fits).collect();
        let often = Strings::from_counts(often);
        let withheld = strings.len() - often.len();
        let missing = self.missing + withheld;
        let values = Values::Strings(often);
        let column = Self { missing, values, rows_in_order: None, ..self.clone() };
        Suppressed { column, withheld, averaged: 0 }
    }

    /// Bytes that the labels of a column take in memory, and how often each occurs; 0 of a column of others.
    pub fn label_bytes(&self) -> usize {
        self.strings()
            .map_or(0, |strings| strings.parts().0.len() + bytes_of(0) * strings.distinct())
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

/// Bytes of a label of so many, with where it ends and how often it occurs.
fn bytes_of(label: usize) -> usize {
    label + size_of::<usize>() + size_of::<u64>()
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
    #[test]
    fn the_most_frequent_labels_stay_within_a_number_and_bytes() {
        let labels = Column::new(&[&StringArray::from(vec![
            "dd", "b", "b", "b", "a", "a", "a", "cc", "cc",
        ])]);
        let kept = |labels_max, bytes_max| {
            let Suppressed { column, withheld, averaged } =
                labels.most_frequent(labels_max, bytes_max);
            assert_eq!((column.rows(), column.missing(), averaged), (9, withheld, 0));
            assert!(column.label_bytes() <= bytes_max);
            (column.texts().map(str::to_owned).collect::<Vec<_>>().concat(), withheld)
        };
        assert_eq!(labels.label_bytes(), 6 + 4 * 16);
        assert_eq!(kept(4, 70), ("abccdd".to_owned(), 0));
        assert_eq!(kept(3, 70), ("abcc".to_owned(), 1));
        assert_eq!(kept(4, 69), ("abcc".to_owned(), 1));
        assert_eq!(kept(1, 1000), ("a".to_owned(), 6));
        assert_eq!(kept(4, 0), (String::new(), 9));
        let numbers = Column::new(&[&Float64Array::from(vec![1.0, 2.0])]);
        assert_eq!(numbers.most_frequent(1, 0).column, numbers);
        assert_eq!(numbers.label_bytes(), 0);
    }
}
