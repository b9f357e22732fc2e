//! From Arrow chunks to a cleaned, sorted or counted column.

use std::collections::HashMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    ArrowDictionaryKeyType, ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type,
    Decimal64Type, Decimal128Type, Decimal256Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, DurationSecondType, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, DictionaryArray};
use arrow_schema::{DataType, TimeUnit};

use super::numbers::Numbers;
use super::sorted::Sorted;
use super::strings::Strings;
use super::{Column, Values, radix};

/// Whole numbers in a range narrower than this are counted in a table instead of sorted.
const COUNTED_RANGE: usize = 1 << 20;
/// Microseconds a day and a second.
const DAY: i64 = 86_400 * SECOND;
const SECOND: i64 = 1_000_000;

pub(super) fn column(chunks: &[&dyn Array]) -> Column {
    let data_type = chunks.first().map_or(DataType::Null, |chunk| chunk.data_type().clone());
    let rows: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let same: Vec<&dyn Array> =
        chunks.iter().copied().filter(|chunk| *chunk.data_type() == data_type).collect();
    let mut infinities = Infinities::default();
    let values = read(&data_type, &same, &mut infinities);
    let mut column = Column {
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

/// Which of the distinct values each usable row holds.
pub(super) fn rows_in_order(chunks: &[&dyn Array], values: &Values) -> Vec<u32> {
    let mut distinct = Vec::new();
    if let Values::Numbers(numbers) = values {
        numbers.for_each_run(|value, _| distinct.push(value));
    }
    let texts: HashMap<&str, u32> = match values {
        Values::Strings(strings) => {
            strings.iter().zip(0..).map(|((text, _), code)| (text, code)).collect()
        }
        _ => HashMap::new(),
    };
    let mut codes = Vec::new();
    for chunk in chunks {
        for row in 0..chunk.len() {
            let cell = chunk.slice(row, 1);
            match read(cell.data_type(), &[&*cell], &mut Infinities::default()) {
                Values::Numbers(one) => {
                    if let Some(value) = one.min() {
                        codes.push(distinct.partition_point(|other| *other < value) as u32);
                    }
                }
                Values::Strings(one) => {
                    codes.extend(one.get(0).and_then(|(text, _)| texts.get(text)));
                }
                Values::Other => {}
            }
        }
    }
    codes
}

#[derive(Debug, Default)]
struct Infinities {
    negative: u64,
    positive: u64,
}

impl Infinities {
    /// Counts the value if it is infinite; true for values to keep.
    fn keeps(&mut self, value: f64) -> bool {
        if value.is_finite() {
            return true;
        }
        self.negative += u64::from(value == f64::NEG_INFINITY);
        self.positive += u64::from(value == f64::INFINITY);
        false
    }
}

fn read(data_type: &DataType, chunks: &[&dyn Array], infinities: &mut Infinities) -> Values {
    let numbers = match data_type {
        DataType::Float64 => floats::<Float64Type>(chunks, infinities),
        DataType::Float32 => {
            Numbers::F32(singles::<Float32Type>(chunks, |value| value, infinities))
        }
        DataType::Float16 => Numbers::F16(singles::<Float16Type>(chunks, f32::from, infinities)),
        DataType::Int8 => integers::<Int8Type>(chunks, i64::from),
        DataType::Int16 => integers::<Int16Type>(chunks, i64::from),
        DataType::Int32 => integers::<Int32Type>(chunks, i64::from),
        DataType::Int64 => integers::<Int64Type>(chunks, |value| value),
        DataType::UInt8 => integers::<UInt8Type>(chunks, i64::from),
        DataType::UInt16 => integers::<UInt16Type>(chunks, i64::from),
        DataType::UInt32 => integers::<UInt32Type>(chunks, i64::from),
        DataType::UInt64 => unsigned(chunks),
        DataType::Boolean => booleans(chunks),
        DataType::Date32 => integers::<Date32Type>(chunks, |days| i64::from(days) * DAY),
        DataType::Date64 => integers::<Date64Type>(chunks, |millis| millis.saturating_mul(1000)),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => {
                integers::<TimestampSecondType>(chunks, |value| value.saturating_mul(SECOND))
            }
            TimeUnit::Millisecond => {
                integers::<TimestampMillisecondType>(chunks, |value| value.saturating_mul(1000))
            }
            TimeUnit::Microsecond => integers::<TimestampMicrosecondType>(chunks, |value| value),
            TimeUnit::Nanosecond => {
                integers::<TimestampNanosecondType>(chunks, |value| value.div_euclid(1000))
            }
        },
        DataType::Duration(unit) => match unit {
            TimeUnit::Second => {
                integers::<DurationSecondType>(chunks, |value| value.saturating_mul(SECOND))
            }
            TimeUnit::Millisecond => {
                integers::<DurationMillisecondType>(chunks, |value| value.saturating_mul(1000))
            }
            TimeUnit::Microsecond => integers::<DurationMicrosecondType>(chunks, |value| value),
            TimeUnit::Nanosecond => {
                integers::<DurationNanosecondType>(chunks, |value| value.div_euclid(1000))
            }
        },
        DataType::Time32(TimeUnit::Second) => {
            integers::<Time32SecondType>(chunks, |value| i64::from(value) * SECOND)
        }
        DataType::Time32(_) => {
            integers::<Time32MillisecondType>(chunks, |value| i64::from(value) * 1000)
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            integers::<Time64NanosecondType>(chunks, |value| value.div_euclid(1000))
        }
        DataType::Time64(_) => integers::<Time64MicrosecondType>(chunks, |value| value),
        DataType::Decimal32(_, scale) => decimals::<Decimal32Type>(chunks, *scale, infinities),
        DataType::Decimal64(_, scale) => decimals::<Decimal64Type>(chunks, *scale, infinities),
        DataType::Decimal128(_, scale) => decimals::<Decimal128Type>(chunks, *scale, infinities),
        DataType::Decimal256(_, scale) => decimals::<Decimal256Type>(chunks, *scale, infinities),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            return Values::Strings(strings(chunks));
        }
        DataType::Dictionary(key, _) => return dictionaries(key, chunks, infinities),
        _ => return Values::Other,
    };
    Values::Numbers(numbers)
}

/// Calls `each` with the values of every primitive chunk that are not null.
fn for_each_valid<T: ArrowPrimitiveType>(chunks: &[&dyn Array], mut each: impl FnMut(T::Native)) {
    for chunk in chunks {
        let Some(array) = chunk.as_primitive_opt::<T>() else { continue };
        let values = array.values();
        match array.nulls() {
            Some(nulls) if nulls.null_count() > 0 => {
                for (start, end) in nulls.valid_slices() {
                    values
                        .get(start..end)
                        .unwrap_or_default()
                        .iter()
                        .for_each(|value| each(*value));
                }
            }
            _ => values.iter().for_each(|value| each(*value)),
        }
    }
}

fn capacity(chunks: &[&dyn Array]) -> usize {
    chunks.iter().map(|chunk| chunk.len() - chunk.null_count()).sum()
}

fn floats<T: ArrowPrimitiveType<Native = f64>>(
    chunks: &[&dyn Array],
    infinities: &mut Infinities,
) -> Numbers {
    let mut values = Vec::with_capacity(capacity(chunks));
    for_each_valid::<T>(chunks, |value| {
        if infinities.keeps(value) {
            values.push(value + 0.0); // -0.0 becomes 0.0: they are one value
        }
    });
    sorted_floats(values)
}

fn sorted_floats(values: Vec<f64>) -> Numbers {
    Numbers::F64(Sorted::from_ordered(radix::sort_f64(values)))
}

fn singles<T: ArrowPrimitiveType>(
    chunks: &[&dyn Array],
    convert: impl Fn(T::Native) -> f32,
    infinities: &mut Infinities,
) -> Sorted<f32> {
    let mut values: Vec<f32> = Vec::with_capacity(capacity(chunks));
    for_each_valid::<T>(chunks, |value| {
        let value = convert(value);
        if infinities.keeps(f64::from(value)) {
            values.push(value + 0.0);
        }
    });
    Sorted::from_ordered(radix::sort_f32(values))
}

fn integers<T: ArrowPrimitiveType>(
    chunks: &[&dyn Array],
    convert: impl Fn(T::Native) -> i64,
) -> Numbers {
    let (mut low, mut high) = (i64::MAX, i64::MIN);
    for_each_valid::<T>(chunks, |value| {
        let value = convert(value);
        low = low.min(value);
        high = high.max(value);
    });
    let size = capacity(chunks);
    let range = high.checked_sub(low).and_then(|range| usize::try_from(range).ok());
    let sorted =
        if let Some(range) = range.filter(|range| *range < COUNTED_RANGE && *range <= 4 * size) {
            let mut counts = vec![0_u32; range + 1];
            for_each_valid::<T>(chunks, |value| {
                if let Some(count) = counts.get_mut((convert(value) - low) as usize) {
                    *count += 1;
                }
            });
            let runs = counts.into_iter().zip(low..).filter(|(count, _)| *count > 0);
            Sorted::from_runs(runs.map(|(count, value)| (value, count)))
        } else {
            let mut values = Vec::with_capacity(size);
            for_each_valid::<T>(chunks, |value| values.push(convert(value)));
            Sorted::from_ordered(radix::sort_i64(values))
        };
    // pandas holds integers with missing values as floats, and bins of floats may be narrower than one.
    if chunks.iter().any(|chunk| chunk.null_count() > 0) {
        return Numbers::F64(sorted.map(|value| value as f64));
    }
    Numbers::I64(sorted)
}

fn unsigned(chunks: &[&dyn Array]) -> Numbers {
    let mut values = Vec::with_capacity(capacity(chunks));
    for_each_valid::<UInt64Type>(chunks, |value| values.push(value));
    Numbers::U64(Sorted::from_ordered(radix::sort_u64(values)))
}

fn decimals<T: ArrowPrimitiveType>(
    chunks: &[&dyn Array],
    scale: i8,
    infinities: &mut Infinities,
) -> Numbers
where
    T::Native: ToString,
{
    let mut values = Vec::with_capacity(capacity(chunks));
    for_each_valid::<T>(chunks, |value| {
        // Through text, so that 0.1 becomes the double nearest to 0.1.
        let text = format!("{}e{}", value.to_string(), -i32::from(scale));
        let value = text.parse().unwrap_or(f64::NAN);
        if infinities.keeps(value) {
            values.push(value + 0.0);
        }
    });
    sorted_floats(values)
}

fn booleans(chunks: &[&dyn Array]) -> Numbers {
    let mut counts = [0_u32; 2];
    for chunk in chunks {
        let Some(array) = chunk.as_boolean_opt() else { continue };
        let valid = (array.len() - array.null_count()) as u32;
        let yes = array.true_count() as u32;
        counts[0] += valid - yes;
        counts[1] += yes;
    }
    let runs = [(0, counts[0]), (1, counts[1])];
    Numbers::I64(Sorted::from_runs(runs.into_iter().filter(|(_, count)| *count > 0)))
}

/// How often each string occurs. The hash is seeded at random, because labels may come from strangers.
type Counts<'a> = HashMap<&'a str, u64, ahash::RandomState>;

fn strings(chunks: &[&dyn Array]) -> Strings {
    let mut counts: Counts<'_> = Counts::default();
    for chunk in chunks {
        count_strings(*chunk, &mut counts);
    }
    Strings::from_counts(counts.into_iter().collect())
}

fn count_strings<'a>(array: &'a dyn Array, counts: &mut Counts<'a>) {
    let mut count = |text: &'a str| *counts.entry(text).or_insert(0) += 1;
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().flatten().for_each(&mut count),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().flatten().for_each(&mut count),
        DataType::Utf8View => array.as_string_view().iter().flatten().for_each(&mut count),
        _ => {}
    }
}

/// The dictionary of each chunk with how often each entry is used.
fn dictionaries(key: &DataType, chunks: &[&dyn Array], infinities: &mut Infinities) -> Values {
    let mut used: Vec<(&ArrayRef, Vec<u64>)> = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let counted = match key {
            DataType::Int8 => count_keys::<Int8Type>(*chunk),
            DataType::Int16 => count_keys::<Int16Type>(*chunk),
            DataType::Int32 => count_keys::<Int32Type>(*chunk),
            DataType::Int64 => count_keys::<Int64Type>(*chunk),
            DataType::UInt8 => count_keys::<UInt8Type>(*chunk),
            DataType::UInt16 => count_keys::<UInt16Type>(*chunk),
            DataType::UInt32 => count_keys::<UInt32Type>(*chunk),
            DataType::UInt64 => count_keys::<UInt64Type>(*chunk),
            _ => None,
        };
        used.extend(counted);
    }
    if used.iter().all(|(entries, _)| super::family(entries.data_type()) == super::Family::String) {
        let mut counts: Vec<(&str, u64)> = Vec::new();
        for (entries, uses) in &used {
            let texts: Vec<Option<&str>> = match entries.data_type() {
                DataType::Utf8 => entries.as_string::<i32>().iter().collect(),
                DataType::LargeUtf8 => entries.as_string::<i64>().iter().collect(),
                _ => entries.as_string_view().iter().collect(),
            };
            counts.extend(
                texts.into_iter().zip(uses).filter_map(|(text, uses)| Some((text?, *uses))),
            );
        }
        return Values::Strings(Strings::from_counts(counts));
    }
    dictionary_numbers(&used, infinities)
}

fn count_keys<K: ArrowDictionaryKeyType>(array: &dyn Array) -> Option<(&ArrayRef, Vec<u64>)> {
    let dictionary: &DictionaryArray<K> = array.as_dictionary_opt()?;
    let mut uses = vec![0; dictionary.values().len()];
    for index in dictionary.keys_iter().flatten() {
        if let Some(count) = uses.get_mut(index) {
            *count += 1;
        }
    }
    Some((dictionary.values(), uses))
}

/// Dictionaries of numbers: each entry is read on its own, then weighted by its uses.
fn dictionary_numbers(used: &[(&ArrayRef, Vec<u64>)], infinities: &mut Infinities) -> Values {
    let mut runs: Vec<(f64, u64)> = Vec::new();
    let mut integer = true;
    for (entries, uses) in used {
        for (index, count) in uses.iter().enumerate().filter(|(_, count)| **count > 0) {
            let entry = entries.slice(index, 1);
            let mut infinite = Infinities::default();
            let Values::Numbers(numbers) = read(entry.data_type(), &[&*entry], &mut infinite)
            else {
                return Values::Other;
            };
            integer &= numbers.is_integer();
            infinities.negative += infinite.negative * count;
            infinities.positive += infinite.positive * count;
            numbers.for_each_run(|value, _| runs.push((value, *count)));
        }
    }
    Values::Numbers(if integer {
        Numbers::I64(Sorted::from_weighted(
            runs.into_iter().map(|(value, count)| (value as i64, count)).collect(),
        ))
    } else {
        Numbers::F64(Sorted::from_weighted(runs))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray, UInt64Array,
    };

    use super::*;

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
