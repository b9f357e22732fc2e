//! Two days of a table with everything that columns hold.

#![expect(
    clippy::from_iter_instead_of_collect,
    reason = "the kind of a column stands before its values, for those with gaps as for those without"
)]

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};

/// More than there are quantiles, so that some columns become these.
pub(crate) const ROWS: [i64; 2] = [12_000, 11_000];

/// A prime, so that as many rows have as many different numbers.
const DIFFERENT: i64 = 12_007;

/// Labels that would end a statement if they were written into one.
const LABELS: [&str; 6] = ["'; drop table t; --", "\"; --", "", "ü", "a\\", "Grün"];

/// A column name that would do the same.
pub(crate) const HOSTILE: &str = "La\"b'el; --";

/// So many rows, whose values are moved by `shift`.
#[expect(clippy::too_many_lines, reason = "a column after the other")]
pub(crate) fn day(rows: i64, shift: i64) -> RecordBatch {
    let numbers = || (0..rows).map(move |row| row * 7919 % DIFFERENT);
    let gaps = |number: i64| number % 11 == 0;
    let second = 1_000_000;
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "x",
            Arc::new(Float64Array::from_iter(numbers().map(|number| match number % 97 {
                0 => None,
                1 => Some(f64::NAN),
                2 => Some(f64::INFINITY),
                3 => Some(f64::NEG_INFINITY),
                4 => Some(-0.0),
                5 => Some(0.0),
                _ => Some((number % 501 + shift) as f64 / 50.0),
            }))),
        ),
        (
            "gaps",
            Arc::new(Float64Array::from_iter(
                numbers()
                    .map(|number| (!gaps(number)).then(|| (number % 331 + shift) as f64 / 7.0)),
            )),
        ),
        (
            "Continuous",
            Arc::new(Float64Array::from_iter_values(
                numbers().map(|number| ((number + 40 * shift) as f64).sqrt()),
            )),
        ),
        (
            "continuous with gaps",
            Arc::new(Float64Array::from_iter((0..rows).map(|row| match row % 1999 {
                0 => None,
                1 => Some(f64::INFINITY),
                _ => Some(((row * 7919 % DIFFERENT) as f64).ln_1p()),
            }))),
        ),
        ("id", Arc::new(Int64Array::from_iter_values((0..rows).map(|row| row * 3 + shift)))),
        ("whole", Arc::new(Int64Array::from_iter_values(numbers().map(|n| (n + shift) % 8)))),
        (
            "many",
            Arc::new(Int32Array::from_iter_values(numbers().map(|n| (n % 700 + shift) as i32))),
        ),
        (
            "small",
            Arc::new(Int16Array::from_iter(
                numbers().map(|n| (!gaps(n)).then_some((n % 40) as i16)),
            )),
        ),
        (
            "single",
            Arc::new(Float32Array::from_iter_values(numbers().map(|n| (n % 333) as f32 / 7.0))),
        ),
        ("flag", Arc::new(BooleanArray::from_iter(numbers().map(|n| Some(n % (3 + shift) == 0))))),
        (
            "flag with gaps",
            Arc::new(BooleanArray::from_iter(numbers().map(|n| (!gaps(n)).then_some(n % 5 == 0)))),
        ),
        (
            HOSTILE,
            Arc::new(StringArray::from_iter(
                numbers().map(|n| (!gaps(n)).then(|| LABELS[((n % 13 + shift) % 6) as usize])),
            )),
        ),
        ("price", Arc::new(prices(numbers().map(|n| i128::from(n % 900 + shift))))),
        (
            "day",
            Arc::new(Date32Array::from_iter_values(numbers().map(|n| (20_000 + n % 28) as i32))),
        ),
        (
            "moment",
            Arc::new(TimestampMicrosecondArray::from_iter(
                numbers().map(|n| (!gaps(n)).then_some((1_760_000_000 + n % 5000) * second + n)),
            )),
        ),
        (
            "moment in a zone",
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(
                    numbers().map(|n| (1_760_000_000 + n) * second + 1),
                )
                .with_timezone("UTC"),
            ),
        ),
        (
            "moment in the east",
            Arc::new(
                TimestampMicrosecondArray::from_iter(numbers().map(|n| {
                    (!gaps(n)).then_some((1_760_000_000 + n % 90 * 3600 + shift) * second)
                }))
                .with_timezone("+09:00"),
            ),
        ),
        (
            "clock",
            Arc::new(Time64MicrosecondArray::from_iter_values(
                numbers().map(|n| (n % 86_400 + shift) * second),
            )),
        ),
        ("nothing", Arc::new(Float64Array::from(vec![None::<f64>; rows as usize]))),
        ("bytes", Arc::new(BinaryArray::from_iter_values(numbers().map(i64::to_le_bytes)))),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn prices(cents: impl Iterator<Item = i128>) -> Decimal128Array {
    Decimal128Array::from_iter_values(cents).with_precision_and_scale(10, 2).unwrap()
}

/// These columns of it.
pub(crate) fn only(batch: &RecordBatch, names: &[&str]) -> RecordBatch {
    let schema = batch.schema();
    let indices: Vec<usize> = names.iter().map(|name| schema.index_of(name).unwrap()).collect();
    batch.project(&indices).unwrap()
}

/// It without these columns.
pub(crate) fn without(batch: &RecordBatch, names: &[&str]) -> RecordBatch {
    let schema = batch.schema();
    let kept = schema.fields().iter().map(|field| field.name().as_str());
    let kept: Vec<&str> = kept.filter(|name| !names.contains(name)).collect();
    only(batch, &kept)
}
