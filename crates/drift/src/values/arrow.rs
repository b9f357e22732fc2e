//! From Arrow chunks to values.

use std::collections::HashMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use super::dictionary::used;
use super::family::{Family, family};
use super::numbers::Numbers;
use super::primitive::{Infinities, booleans, decimals, floats, integers, singles, unsigned};
use super::sorted::Sorted;
use super::strings::Strings;

/// Microseconds a day and a second.
const DAY: i64 = 86_400 * SECOND;
const SECOND: i64 = 1_000_000;

/// The usable values of a column: neither missing nor infinite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    Numbers(Numbers),
    Strings(Strings),
    /// Lists, structs, binary and the like: nothing here compares them.
    Other,
}

/// Reads chunks of one type.
pub(crate) fn read(
    data_type: &DataType,
    chunks: &[&dyn Array],
    infinities: &mut Infinities,
) -> Values {
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
    let used = used(key, chunks);
    if used.iter().all(|(entries, _)| family(entries.data_type()) == Family::String) {
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
