//! A column whose values somebody else counted: an engine that holds the table.

use arrow_array::Array;
use arrow_array::cast::AsArray as _;

use crate::column::Column;
use crate::values::arrow::read;
use crate::values::family::{Family, family};
use crate::values::{Infinities, Native, Numbers, Sorted, Strings, Values};

impl Column {
    /// The column in which each of these values (at most 4,294,967,295 in all) stands as often as the count beside it
    /// says, and no value in `missing` more rows; what its rows give [`Column::new`]. Nulls and NaN among the values are
    /// missing, infinite ones are set apart. Of types that nothing here compares (lists, binary) the number of the values is
    /// enough.
    ///
    /// ```
    /// use arrow_array::Int64Array;
    /// use trainyard_drift::Column;
    /// let counted = Column::counted(&Int64Array::from(vec![7, 3]), &[2, 1], 0);
    /// assert_eq!((counted.rows(), counted.distinct()), (3, 2));
    /// assert_eq!(counted.count_between(7.0, 8.0), 2);
    /// ```
    pub fn counted(values: &dyn Array, counts: &[u64], missing: u64) -> Self {
        let data_type = values.data_type().clone();
        let mut infinities = Infinities::default();
        let rows = missing + counts.iter().sum::<u64>();
        let values = weighted(values, counts, &mut infinities);
        let mut column = Self {
            data_type,
            rows,
            missing,
            negative_infinities: infinities.negative,
            positive_infinities: infinities.positive,
            values,
            rows_in_order: None,
        };
        if column.values == Values::Other {
            return column;
        }
        column.missing = column.rows - column.len() - column.infinite();
        // pandas holds integers with missing values as floats; booleans stay what they are.
        if column.missing > 0
            && family(&column.data_type) != Family::Boolean
            && let Values::Numbers(Numbers::I64(whole)) = &column.values
        {
            column.values = Values::Numbers(Numbers::F64(whole.map(|value| value as f64)));
        }
        column
    }
}

impl Column {
    /// The column of a table with so many rows, so many of which have no value and so many an infinite one on either side, where
    /// the values here are only a sample of its others. Tests then go by as many values as were looked at; shares of missing
    /// and infinite values are those of all rows.
    ///
    /// ```
    /// use arrow_array::Float64Array;
    /// use trainyard_drift::Column;
    /// let drawn = Column::counted(&Float64Array::from(vec![0.5, 1.5]), &[30, 20], 0);
    /// let column = drawn.of_sample(1_000, 100, [0, 7]);
    /// assert_eq!((column.rows(), column.missing(), column.infinite()), (1_000, 100, 7));
    /// assert_eq!(column.len(), 50);
    /// ```
    #[must_use]
    pub fn of_sample(self, rows: u64, missing: u64, infinite: [u64; 2]) -> Self {
        let [negative_infinities, positive_infinities] = infinite;
        Self {
            rows,
            missing,
            negative_infinities,
            positive_infinities,
            rows_in_order: None,
            ..self
        }
    }

    /// Whether the values are a sample of those that the rows have.
    pub fn is_sample(&self) -> bool {
        self.values != Values::Other && self.len() < self.usable()
    }

    /// Rows with a usable value, whether it was looked at or not.
    fn usable(&self) -> u64 {
        self.rows.saturating_sub(self.missing + self.infinite())
    }

    /// The infinite values on either side, as many as a sample of all values would have.
    pub(crate) fn infinities_beside_values(&self) -> [u64; 2] {
        let all = [self.negative_infinities, self.positive_infinities];
        if !self.is_sample() {
            return all;
        }
        let share = self.len() as f64 / self.usable().max(1) as f64;
        // One in a table of millions is not none.
        all.map(|count| (count as f64 * share).ceil() as u64)
    }
}

/// Numbers of one type.
macro_rules! counted_numbers {
    ($found:expr, $form:ident) => {
        Numbers::$form($found.numbers(|numbers| match numbers {
            Numbers::$form(sorted) => sorted.first(),
            _ => None,
        }))
    };
}

/// The usable values, each as often as is said.
fn weighted(values: &dyn Array, counts: &[u64], infinities: &mut Infinities) -> Values {
    let one = |index: usize, infinities: &mut Infinities| {
        read(values.data_type(), &[&*values.slice(index, 1)], infinities)
    };
    let counts = counts.get(..values.len()).unwrap_or(counts);
    let mut found = Found { infinities, counts, one: &one };
    let empty = values.slice(0, 0);
    let first = values.slice(0, values.len().min(1));
    // Of a dictionary only an entry says what its values are.
    let example = if values.as_any_dictionary_opt().is_some() { &first } else { &empty };
    match read(values.data_type(), &[&**example], &mut Infinities::default()) {
        Values::Other => Values::Other,
        Values::Strings(_) => found.strings(),
        Values::Numbers(numbers) => Values::Numbers(match numbers {
            Numbers::F64(_) => counted_numbers!(found, F64),
            Numbers::F32(_) => counted_numbers!(found, F32),
            Numbers::F16(_) => counted_numbers!(found, F16),
            Numbers::I64(_) => counted_numbers!(found, I64),
            Numbers::U64(_) => counted_numbers!(found, U64),
        }),
    }
}

/// Values that are read one by one, as every type is read, with how often each stands.
struct Found<'a> {
    infinities: &'a mut Infinities,
    counts: &'a [u64],
    one: &'a dyn Fn(usize, &mut Infinities) -> Values,
}

impl Found<'_> {
    fn each(&mut self, mut each: impl FnMut(Values, u64)) {
        for (index, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let mut infinite = Infinities::default();
            each((self.one)(index, &mut infinite), *count);
            self.infinities.negative += infinite.negative * count;
            self.infinities.positive += infinite.positive * count;
        }
    }

    fn strings(&mut self) -> Values {
        let mut counted: Vec<(String, u64)> = Vec::new();
        self.each(|value, count| {
            if let Values::Strings(strings) = value
                && let Some((text, _)) = strings.get(0)
            {
                counted.push((text.to_owned(), count));
            }
        });
        let counted = counted.iter().map(|(text, count)| (text.as_str(), *count)).collect();
        Values::Strings(Strings::from_counts(counted))
    }

    fn numbers<T: Native>(&mut self, of: impl Fn(&Numbers) -> Option<T>) -> Sorted<T> {
        let mut counted = Vec::new();
        self.each(|value, count| {
            if let Values::Numbers(numbers) = value {
                counted.extend(of(&numbers).map(|value| (value, count)));
            }
        });
        Sorted::from_weighted(counted)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::{Int8Type, Int32Type};
    use arrow_array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
        Float64Array, Int64Array, ListArray, StringArray, TimestampMillisecondArray, UInt32Array,
        UInt64Array,
    };

    use super::*;
    use crate::{Options, compare_columns};

    /// The values of a column with how often each stands, and the same column row by row.
    fn both(values: &ArrayRef, has_missing: bool) -> (Column, Column) {
        let counts: Vec<u64> = (0..values.len() as u64).map(|index| 3 + index * 7 % 5).collect();
        let indices = counts
            .iter()
            .enumerate()
            .flat_map(|(index, count)| std::iter::repeat_n(Some(index as u32), *count as usize));
        let nulls = if has_missing { 4 } else { 0 };
        let indices: UInt32Array =
            indices.chain(std::iter::repeat_n(None, nulls as usize)).collect();
        let rows = arrow_select::take::take(values, &indices, None).unwrap();
        (Column::counted(values, &counts, nulls), Column::new(&[&*rows]))
    }

    #[test]
    fn counted_values_are_what_their_rows_are() {
        let dictionary: DictionaryArray<Int8Type> = vec!["b", "a", "c"].into_iter().collect();
        let decimals =
            Decimal128Array::from(vec![10, -25, 7]).with_precision_and_scale(10, 2).unwrap();
        let zone = TimestampMillisecondArray::from(vec![5, 1, 3]).with_timezone("+01:00");
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Float64Array::from(vec![
                2.5,
                f64::NAN,
                -0.0,
                0.0,
                f64::INFINITY,
                f64::NEG_INFINITY,
            ])),
            Arc::new(Float32Array::from(vec![0.1, 7.5, f32::NAN])),
            Arc::new(Int64Array::from(vec![i64::MAX, i64::MIN, 9_007_199_254_740_993])),
            Arc::new(UInt64Array::from(vec![u64::MAX, 1])),
            Arc::new(BooleanArray::from(vec![true, false])),
            Arc::new(Date32Array::from(vec![20_000, 3])),
            Arc::new(StringArray::from(vec!["b", "", "ü", "a\0"])),
            Arc::new(decimals),
            Arc::new(zone),
            Arc::new(dictionary),
            Arc::new(Int64Array::from(Vec::<i64>::new())),
        ];
        for values in &columns {
            for has_missing in [false, true] {
                let (counted, read) = both(values, has_missing);
                let name = format!("{:?} {has_missing}", values.data_type());
                assert_eq!(counted.data_type(), read.data_type());
                assert_eq!(
                    (counted.rows(), counted.missing(), counted.infinite(), counted.distinct()),
                    (read.rows(), read.missing(), read.infinite(), read.distinct()),
                    "{name}"
                );
                let options = Options { min_samples: Some(1), ..Options::default() };
                let other = Column::counted(values, &vec![9; values.len()], 1);
                let compared =
                    |column: &Column| compare_columns("x", Some(column), Some(&other), &options);
                assert_eq!(compared(&counted), compared(&read), "{name}");
                assert_eq!(
                    counted.numbers().map(Numbers::is_integer),
                    read.numbers().map(Numbers::is_integer),
                    "{name}"
                );
            }
        }
    }

    /// A billion rows of which a thousand were looked at prove no more than a thousand rows do.
    #[test]
    fn tests_go_by_the_values_that_were_looked_at() {
        let drawn = |shift: f64| {
            let values: Float64Array = (0..1000).map(|i| f64::from(i) + shift).collect();
            Column::counted(&values, &[1; 1000], 0)
        };
        let of_sample = |column: Column| column.of_sample(1_000_000_000, 400_000_000, [0, 3]);
        let method = crate::Method::KolmogorovSmirnov;
        let options = Options { method: Some(method), ..Options::default() };
        let verdict = |a: &Column, b: &Column| {
            let compared = compare_columns("x", Some(a), Some(b), &options);
            let verdict = compared.verdict().unwrap();
            (verdict.method, verdict.score, verdict.drifted)
        };
        let (one, other) = (drawn(0.0), drawn(40.0));
        let by_values = verdict(&one, &other);
        let (one, other) = (of_sample(one), of_sample(other));
        assert_eq!(verdict(&one, &other), by_values);
        assert!(by_values.0 == method && by_values.1 > 0.1 && !by_values.2, "{by_values:?}");
        assert!(one.is_sample() && one.merged(&other).is_none());
        assert_eq!((one.len(), one.infinite(), one.missing()), (1000, 3, 400_000_000));
        assert_eq!(one.infinities_beside_values(), [0, 1]);
    }

    #[test]
    fn of_what_nothing_compares_the_rows_are_known() {
        let none: [Option<Vec<Option<i32>>>; 0] = [];
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(none);
        let column = Column::counted(&lists, &[6], 3);
        assert_eq!((column.rows(), column.missing(), column.len()), (9, 3, 0));
    }
}
