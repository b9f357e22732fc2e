//! One side of a comparison, read once: what a column holds, cleaned, sorted or counted.
//!
//! A [`Column`] is all that later steps need; the Arrow arrays can be dropped. Missing values are
//! nulls and NaN; infinities are set apart and counted, because no statistic here can use them.

use std::borrow::Cow;

use arrow_array::Array;
use arrow_schema::DataType;

use crate::values::arrow::read;
use crate::values::disk::Trouble;
use crate::values::family::{Family, family};
use crate::values::rows::rows_in_order;
use crate::values::{Infinities, Numbers, Strings, Values};

/// One column of one dataset, ready to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub(crate) data_type: DataType,
    pub(crate) rows: u64,
    pub(crate) missing: u64,
    pub(crate) negative_infinities: u64,
    pub(crate) positive_infinities: u64,
    pub(crate) values: Values,
    /// Which distinct value each usable row holds, for tests that regroup rows.
    pub(crate) rows_in_order: Option<Vec<u32>>,
}

impl Column {
    /// Reads the chunks of one column. They must have one type; a chunk of another type is counted
    /// as missing.
    ///
    /// ```
    /// use arrow_array::Float64Array;
    /// use trainyard_drift::Column;
    /// let column = Column::new(&[&Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(2.0)])]);
    /// assert_eq!((column.rows(), column.missing(), column.len()), (4, 2, 2));
    /// ```
    pub fn new(chunks: &[&dyn Array]) -> Self {
        let data_type = chunks.first().map_or(DataType::Null, |chunk| chunk.data_type().clone());
        let rows: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        let same: Vec<&dyn Array> =
            chunks.iter().copied().filter(|chunk| *chunk.data_type() == data_type).collect();
        let mut infinities = Infinities::default();
        let values = read(&data_type, &same, &mut infinities);
        let mut column = Self {
            data_type,
            rows: rows as u64,
            missing: 0,
            negative_infinities: infinities.negative,
            positive_infinities: infinities.positive,
            values,
            rows_in_order: None,
        };
        column.missing = match column.values {
            Values::Other => same.iter().map(|chunk| chunk.logical_null_count() as u64).sum(),
            _ => column.rows - column.len() - column.infinite(),
        };
        column
    }

    /// Reads a column and remembers the order of its rows. Permutation tests (`TVD`, `empirical_mmd`)
    /// then regroup the rows as numpy would; without it they regroup the sorted values, which is as good
    /// a test with other random numbers. See [`crate::Options::needs_rows`].
    pub fn with_rows(chunks: &[&dyn Array]) -> Self {
        let mut column = Self::new(chunks);
        column.rows_in_order = Some(rows_in_order(chunks, &column.values));
        column
    }

    /// The Arrow type that was read.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Rows, missing values included.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Nulls and NaN.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Infinite values of either sign.
    pub fn infinite(&self) -> u64 {
        self.negative_infinities + self.positive_infinities
    }

    /// Usable values: neither missing nor infinite.
    pub fn len(&self) -> u64 {
        match &self.values {
            Values::Numbers(numbers) => numbers.len() as u64,
            Values::Strings(strings) => strings.len(),
            Values::Other => 0,
        }
    }

    /// No usable values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many numbers are at least `from` and below `to`; of times in microseconds since 1970.
    pub fn count_between(&self, from: f64, to: f64) -> u64 {
        let count =
            |numbers: &Numbers| numbers.count_below(to).saturating_sub(numbers.count_below(from));
        self.numbers().map_or(0, count)
    }

    /// Distinct usable values.
    pub fn distinct(&self) -> u64 {
        match &self.values {
            Values::Numbers(numbers) => numbers.distinct() as u64,
            Values::Strings(strings) => strings.distinct() as u64,
            Values::Other => 0,
        }
    }

    /// This column and another part of the same column as one; `None` when the types differ, or where values of one are a sample,
    /// beside which those of the other would count too much or too little. Numbers of
    /// different types meet in the wider one, whole numbers and fractions in `Float64`: a file in which a
    /// value is missing has fractions where others have whole numbers.
    pub fn merged(&self, other: &Self) -> Option<Self> {
        self.merged_within(other, usize::MAX, &Trouble::default())
    }

    /// The same, in memory if the numbers take at most `memory` bytes there.
    pub(crate) fn merged_within(
        &self,
        other: &Self,
        memory: usize,
        trouble: &Trouble,
    ) -> Option<Self> {
        if self.is_sample() || other.is_sample() {
            return None;
        }
        let values = match (&self.values, &other.values) {
            (Values::Numbers(a), Values::Numbers(b)) => {
                Values::Numbers(a.merged(b, memory, trouble))
            }
            (Values::Strings(a), Values::Strings(b)) => Values::Strings(a.merged(b)),
            (Values::Other, Values::Other) => Values::Other,
            _ => return None,
        };
        Some(Self {
            data_type: common_type(&self.data_type, &other.data_type)?,
            rows: self.rows + other.rows,
            missing: self.missing + other.missing,
            negative_infinities: self.negative_infinities + other.negative_infinities,
            positive_infinities: self.positive_infinities + other.positive_infinities,
            values,
            rows_in_order: None,
        })
    }

    /// The column with so many further rows, whose values are missing.
    #[must_use]
    pub fn with_missing(self, further: u64) -> Self {
        if further == 0 {
            return self;
        }
        Self {
            rows: self.rows + further,
            missing: self.missing + further,
            rows_in_order: None,
            ..self
        }
    }

    /// Why nothing that was computed from this column can be believed, if that is so: its temporary
    /// file could not be written or read.
    pub fn trouble(&self) -> Option<String> {
        self.numbers()?.trouble().get().map(|why| format!("a temporary file is of no use: {why}"))
    }

    /// The column with at most this many distinct numbers (2 or more): quantiles that stand for the
    /// others. Scores then are close, not exact; texts and columns of few values stay as they are.
    #[must_use]
    pub fn quantised(&self, points: usize) -> Self {
        let values = match &self.values {
            Values::Numbers(numbers) => Values::Numbers(numbers.quantised(points)),
            other => other.clone(),
        };
        Self { values, rows_in_order: None, ..self.clone() }
    }

    /// The column beside one in double precision, which may be the same numbers out of a text: in single precision
    /// no decimal fraction equals its double, so it is taken as it is written.
    pub(crate) fn beside(&self, other: &Self) -> Cow<'_, Self> {
        match (&self.values, &other.values) {
            (Values::Numbers(own @ Numbers::F32(_)), Values::Numbers(Numbers::F64(_))) => {
                let values = Values::Numbers(own.as_written());
                Cow::Owned(Self { values, ..self.clone() })
            }
            _ => Cow::Borrowed(self),
        }
    }

    pub(crate) fn values(&self) -> &Values {
        &self.values
    }

    pub(crate) fn numbers(&self) -> Option<&Numbers> {
        match &self.values {
            Values::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }

    pub(crate) fn strings(&self) -> Option<&Strings> {
        match &self.values {
            Values::Strings(strings) => Some(strings),
            _ => None,
        }
    }

    /// The infinities put back among the values, as Evidently's dataset count sees a column that
    /// holds no NaN.
    pub(crate) fn with_infinities(&self) -> Self {
        let mut column = self.clone();
        if let Values::Numbers(numbers) = &self.values {
            let [negative, positive] = self.infinities_beside_values();
            column.values = Values::Numbers(numbers.with_infinities(negative, positive));
        }
        column
    }

    /// Which distinct value each usable row holds; in ascending order when the rows were not remembered.
    pub(crate) fn row_codes(&self) -> Vec<u32> {
        if let Some(codes) = &self.rows_in_order {
            return codes.clone();
        }
        let mut codes = Vec::with_capacity(self.len() as usize);
        let mut code = 0;
        let mut add = |count: u64| {
            codes.extend(std::iter::repeat_n(code, count as usize));
            code += 1;
        };
        match &self.values {
            Values::Numbers(numbers) => numbers.for_each_run(|_, count| add(count)),
            Values::Strings(strings) => strings.iter().for_each(|(_, count)| add(count)),
            Values::Other => {}
        }
        codes
    }

    pub(crate) fn family(&self) -> Family {
        family(&self.data_type)
    }
}

/// The type of two parts of a column together; it fits how their values meet (`Numbers::merged`), in
/// which only `UInt64` is not an `i64`.
fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    use Family::{Float, Integer, Unsigned};
    if a == b {
        return Some(a.clone());
    }
    let is_whole = ![a, b].contains(&&DataType::UInt64);
    match (family(a), family(b)) {
        (Integer, Integer) | (Unsigned, Unsigned) if is_whole => {
            Some(if a.primitive_width() >= b.primitive_width() { a.clone() } else { b.clone() })
        }
        (Integer, Unsigned) | (Unsigned, Integer) if is_whole => Some(DataType::Int64),
        (Integer | Unsigned | Float, Integer | Unsigned | Float) => Some(DataType::Float64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{
        BooleanArray, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int32Array,
        Int64Array, StringArray, UInt8Array, UInt64Array,
    };

    use super::*;

    #[test]
    fn parts_of_different_types_meet_in_one_that_fits_their_values() {
        let int = Column::new(&[&Int64Array::from(vec![1, 2])]);
        let gap = Column::new(&[&Int64Array::from(vec![Some(1), None])]);
        let short = Column::new(&[&Int32Array::from(vec![-3])]);
        let byte = Column::new(&[&UInt8Array::from(vec![4])]);
        let long = Column::new(&[&UInt64Array::from(vec![5])]);
        let single = Column::new(&[&Float32Array::from(vec![0.5])]);
        let text = Column::new(&[&StringArray::from(vec!["x"])]);
        for (a, b, expected, whole) in [
            (&int, &short, DataType::Int64, true),
            (&int, &byte, DataType::Int64, true),
            (&int, &gap, DataType::Int64, false),
            (&byte, &long, DataType::Float64, false),
            (&int, &single, DataType::Float64, false),
        ] {
            for merged in [a.merged(b).unwrap(), b.merged(a).unwrap()] {
                assert_eq!(merged.data_type(), &expected);
                assert_eq!(merged.numbers().unwrap().is_integer(), whole);
                assert_eq!(merged.len(), a.len() + b.len());
            }
        }
        assert_eq!(int.merged(&text), None);
    }

    #[test]
    fn floats_lose_what_cannot_be_used_and_say_so() {
        let array = Float64Array::from(vec![
            Some(2.0),
            None,
            Some(f64::NAN),
            Some(f64::INFINITY),
            Some(-0.0),
            Some(0.0),
        ]);
        let column = Column::new(&[&array, &array]);
        assert_eq!(
            (column.rows(), column.missing(), column.infinite(), column.len()),
            (12, 4, 2, 6)
        );
        assert_eq!(column.distinct(), 2);
        let with = column.with_infinities();
        assert_eq!(with.len(), 8);
        assert_eq!(with.numbers().unwrap().max(), Some(f64::INFINITY));
    }

    #[test]
    fn dictionaries_count_only_used_entries() {
        let array: DictionaryArray<Int32Type> =
            vec![Some("a"), None, Some("b"), Some("a")].into_iter().collect();
        let column = Column::new(&[&array.slice(0, 2), &array.slice(3, 1)]);
        assert_eq!((column.rows(), column.missing(), column.distinct()), (3, 1, 1));
        let keys = arrow_array::Int8Array::from(vec![0, 1, 1, 0, 0]);
        let numbers = DictionaryArray::new(keys, Arc::new(Int64Array::from(vec![7, 3, 9])));
        let column = Column::new(&[&numbers]);
        assert_eq!(column.numbers().unwrap().min(), Some(3.0));
        assert_eq!((column.len(), column.distinct()), (5, 2));
    }

    #[test]
    fn other_types_become_numbers() {
        let column =
            Column::new(&[&BooleanArray::from(vec![Some(true), None, Some(false), Some(true)])]);
        assert_eq!((column.len(), column.distinct(), column.missing()), (3, 2, 1));
        let decimal =
            Decimal128Array::from(vec![10_i128, -25]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(Column::new(&[&decimal]).numbers().unwrap().min(), Some(-0.25));
        let column = Column::new(&[&UInt64Array::from(vec![u64::MAX, 1])]);
        assert_eq!(column.numbers().unwrap().max(), Some(u64::MAX as f64));
    }

    #[test]
    fn a_chunk_of_another_type_is_missing() {
        let column = Column::new(&[&Int64Array::from(vec![1]), &StringArray::from(vec!["x"])]);
        assert_eq!((column.rows(), column.missing(), column.len()), (2, 1, 1));
        assert_eq!(Column::new(&[]).rows(), 0);
    }
}
