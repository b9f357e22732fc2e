//! One side of a comparison, read once: what a column holds, cleaned, sorted or counted.
//!
//! A [`Column`] is all that later steps need; the Arrow arrays can be dropped. Missing values are
//! nulls and NaN; infinities are set apart and counted, because no statistic here can use them.

mod builder;
mod disk;
mod held;
mod number;
mod numbers;
mod radix;
mod read;
mod sorted;
mod stored;
mod strings;

use arrow_array::Array;
use arrow_schema::{DataType, TimeUnit};

pub use builder::ColumnBuilder;
use disk::Trouble;
pub(crate) use numbers::{CompensatedSum, Numbers, Pair, Precision};
pub(crate) use sorted::Sorted;
pub(crate) use stored::Head;
pub(crate) use strings::{Strings, merge as merge_strings};

/// One column of one dataset, ready to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    data_type: DataType,
    rows: u64,
    missing: u64,
    negative_infinities: u64,
    positive_infinities: u64,
    values: Values,
    /// Which distinct value each usable row holds, for tests that regroup rows.
    rows_in_order: Option<Vec<u32>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    Numbers(Numbers),
    Strings(Strings),
    /// Lists, structs, binary and the like: nothing here compares them.
    Other,
}

/// What a type is, beyond its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Float,
    Integer,
    Unsigned,
    Decimal,
    Boolean,
    String,
    Dictionary,
    /// Points in time: dates and timestamps.
    Instant,
    /// Times of day and durations.
    Interval,
    Null,
    Nested,
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
        read::column(chunks)
    }

    /// Reads a column and remembers the order of its rows. Permutation tests (`TVD`, `empirical_mmd`)
    /// then regroup the rows as numpy would; without it they regroup the sorted values, which is as good
    /// a test with other random numbers. See [`crate::Options::needs_rows`].
    pub fn with_rows(chunks: &[&dyn Array]) -> Self {
        let mut column = read::column(chunks);
        column.rows_in_order = Some(read::rows_in_order(chunks, &column.values));
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

    /// Distinct usable values.
    pub fn distinct(&self) -> u64 {
        match &self.values {
            Values::Numbers(numbers) => numbers.distinct() as u64,
            Values::Strings(strings) => strings.distinct() as u64,
            Values::Other => 0,
        }
    }

    /// This column and another part of the same column as one; `None` when the types differ. Numbers of
    /// different types meet in the wider one, whole numbers and fractions in `Float64`: a file in which a
    /// value is missing has fractions where others have whole numbers.
    pub fn merged(&self, other: &Self) -> Option<Self> {
        self.merged_within(other, usize::MAX, &Trouble::default())
    }

    /// The same, in memory if the numbers take at most `memory` bytes there.
    fn merged_within(&self, other: &Self, memory: usize, trouble: &Trouble) -> Option<Self> {
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

    /// Why nothing that was computed from this column can be believed, if that is so: its temporary
    /// file could not be written or read.
    pub(crate) fn trouble(&self) -> Option<String> {
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
            column.values = Values::Numbers(
                numbers.with_infinities(self.negative_infinities, self.positive_infinities),
            );
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

pub(crate) fn family(data_type: &DataType) -> Family {
    match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Family::Float,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Family::Integer,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            Family::Unsigned
        }
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => Family::Decimal,
        DataType::Boolean => Family::Boolean,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::String,
        DataType::Dictionary(_, values) => match family(values) {
            Family::Nested => Family::Nested,
            Family::Null => Family::Null,
            _ => Family::Dictionary,
        },
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Family::Instant,
        DataType::Time32(_) | DataType::Time64(_) | DataType::Duration(_) => Family::Interval,
        DataType::Null => Family::Null,
        _ => Family::Nested,
    }
}

/// A short name of a type for people: `int64`, `string`, `timestamp`.
pub(crate) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Dictionary(_, values) => format!("category of {}", type_name(values)),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::Timestamp(_, Some(zone)) => format!("timestamp in {zone}"),
        DataType::Time32(_) | DataType::Time64(_) => "time".to_owned(),
        DataType::Duration(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
        ) => "duration".to_owned(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            "list".to_owned()
        }
        DataType::Struct(_) => "struct".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float32Array, Int32Array, Int64Array, StringArray, UInt8Array, UInt64Array};

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
}
