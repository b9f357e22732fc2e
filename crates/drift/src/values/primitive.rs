//! Arrays of primitive types as sorted numbers.

use arrow_array::Array;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{ArrowPrimitiveType, UInt64Type};

use super::numbers::Numbers;
use super::radix;
use super::sorted::Sorted;

/// Whole numbers in a range narrower than this are counted in a table instead of sorted: the table then
/// stays in the cache.
const COUNTED_RANGE_MAX: usize = 1 << 20;

/// How many infinite values were set apart.
#[derive(Debug, Default)]
pub(crate) struct Infinities {
    pub(crate) negative: u64,
    pub(crate) positive: u64,
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

pub(super) fn floats<T: ArrowPrimitiveType<Native = f64>>(
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

pub(super) fn singles<T: ArrowPrimitiveType>(
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

pub(super) fn integers<T: ArrowPrimitiveType>(
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
    let sorted = if let Some(range) =
        range.filter(|range| *range < COUNTED_RANGE_MAX && *range <= 4 * size)
    {
        let mut counts = vec![0_u32; range + 1];
        for_each_valid::<T>(chunks, |value| {
            if let Some(count) = counts.get_mut((convert(value) - low) as usize) {
                *count += 1;
            }
        });
        let runs = counts.into_iter().zip(low..=high).filter(|(count, _)| *count > 0);
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

pub(super) fn unsigned(chunks: &[&dyn Array]) -> Numbers {
    let mut values = Vec::with_capacity(capacity(chunks));
    for_each_valid::<UInt64Type>(chunks, |value| values.push(value));
    Numbers::U64(Sorted::from_ordered(radix::sort_u64(values)))
}

pub(super) fn decimals<T: ArrowPrimitiveType>(
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

pub(super) fn booleans(chunks: &[&dyn Array]) -> Numbers {
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
