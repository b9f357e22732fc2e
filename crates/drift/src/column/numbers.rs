//! Numeric columns of the types they came in, and two of them side by side.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::disk::Trouble;
use super::number::Number;
use super::sorted::{Sorted, merge};

/// How finely binning rounds: numpy computes edges in the type of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Integer,
    Half,
    Single,
    Double,
}

/// Sorted values of one side. Integers up to 64 bits, booleans and times are `I64`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbers {
    F64(Sorted<f64>),
    F32(Sorted<f32>),
    /// Half precision, kept in single precision.
    F16(Sorted<f32>),
    I64(Sorted<i64>),
    /// `uint64` only; narrower unsigned integers fit `I64`.
    U64(Sorted<u64>),
}

/// Runs an expression on the sorted values, whatever their type.
macro_rules! on_sorted {
    ($numbers:expr, $sorted:ident => $body:expr) => {
        match $numbers {
            Numbers::F64($sorted) => $body,
            Numbers::F32($sorted) | Numbers::F16($sorted) => $body,
            Numbers::I64($sorted) => $body,
            Numbers::U64($sorted) => $body,
        }
    };
}

/// The same with the result in the place of the values.
macro_rules! map_sorted {
    ($numbers:expr, $sorted:ident => $body:expr) => {
        match $numbers {
            Numbers::F64($sorted) => Numbers::F64($body),
            Numbers::F32($sorted) => Numbers::F32($body),
            Numbers::F16($sorted) => Numbers::F16($body),
            Numbers::I64($sorted) => Numbers::I64($body),
            Numbers::U64($sorted) => Numbers::U64($body),
        }
    };
}

impl Numbers {
    pub(crate) fn len(&self) -> usize {
        on_sorted!(self, sorted => sorted.len())
    }

    pub(crate) fn distinct(&self) -> usize {
        on_sorted!(self, sorted => sorted.distinct())
    }

    pub(crate) fn min(&self) -> Option<f64> {
        on_sorted!(self, sorted => sorted.first().map(Number::to_f64))
    }

    pub(crate) fn max(&self) -> Option<f64> {
        on_sorted!(self, sorted => sorted.last().map(Number::to_f64))
    }

    /// Calls `each` with every distinct value in ascending order and how often it occurs.
    pub(crate) fn for_each_run(&self, mut each: impl FnMut(f64, u64)) {
        on_sorted!(self, sorted => sorted.for_each_run(|value, count| each(value.to_f64(), count)));
    }

    pub(crate) fn count_below(&self, bound: f64) -> u64 {
        on_sorted!(self, sorted => sorted.count_below(bound))
    }

    pub(crate) fn count_up_to(&self, bound: f64) -> u64 {
        on_sorted!(self, sorted => sorted.count_up_to(bound))
    }

    fn at_rank(&self, rank: usize) -> Option<f64> {
        on_sorted!(self, sorted => sorted.at_rank(rank).map(Number::to_f64))
    }

    /// The quantile with linear interpolation between ranks (numpy's default).
    pub(crate) fn quantile(&self, probability: f64) -> Option<f64> {
        let last = self.len().checked_sub(1)?;
        let position = probability.clamp(0.0, 1.0) * last as f64;
        let below = self.at_rank(position.floor() as usize)?;
        let above = self.at_rank((position.ceil() as usize).min(last))?;
        Some(below + (above - below) * (position - position.floor()))
    }

    /// Mean and population variance, in two passes. NaN for no values.
    pub(crate) fn moments(&self) -> (f64, f64) {
        let size = self.len() as f64;
        let mut sum = CompensatedSum::default();
        self.for_each_run(|value, count| sum.add(value * count as f64));
        let mean = sum.value() / size;
        let mut squares = CompensatedSum::default();
        self.for_each_run(|value, count| {
            squares.add((value - mean) * (value - mean) * count as f64);
        });
        (mean, squares.value() / size)
    }

    fn precision(&self) -> Precision {
        match self {
            Self::F64(_) => Precision::Double,
            Self::F32(_) => Precision::Single,
            Self::F16(_) => Precision::Half,
            Self::I64(_) | Self::U64(_) => Precision::Integer,
        }
    }

    pub(crate) fn is_integer(&self) -> bool {
        matches!(self, Self::I64(_) | Self::U64(_))
    }

    /// Both sets of values together, in memory if they take at most `memory` bytes there.
    pub(crate) fn merged(&self, other: &Self, memory: usize, trouble: &Trouble) -> Self {
        match (self, other) {
            (Self::F64(a), Self::F64(b)) => Self::F64(a.merged(b, memory, trouble)),
            (Self::F32(a), Self::F32(b)) => Self::F32(a.merged(b, memory, trouble)),
            (Self::F16(a), Self::F16(b)) => Self::F16(a.merged(b, memory, trouble)),
            (Self::I64(a), Self::I64(b)) => Self::I64(a.merged(b, memory, trouble)),
            (Self::U64(a), Self::U64(b)) => Self::U64(a.merged(b, memory, trouble)),
            // Integers of a part with missing values are floats.
            (a, b) => Self::F64(a.to_f64().merged(&b.to_f64(), memory, trouble)),
        }
    }

    /// Bytes of memory that the values take.
    pub(crate) fn bytes(&self) -> usize {
        on_sorted!(self, sorted => sorted.bytes())
    }

    /// The values in a temporary file.
    pub(crate) fn spilled(&self, trouble: &Trouble) -> Self {
        map_sorted!(self, sorted => sorted.spilled(trouble))
    }

    /// What goes wrong with the temporary file is noted here.
    pub(crate) fn trouble(&self) -> Trouble {
        on_sorted!(self, sorted => sorted.trouble())
    }

    pub(crate) fn quantised(&self, points: usize) -> Self {
        map_sorted!(self, sorted => sorted.quantised(points))
    }

    pub(crate) fn with_infinities(&self, negative: u64, positive: u64) -> Self {
        let counts = [(f64::NEG_INFINITY, negative), (f64::INFINITY, positive)];
        let infinities = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        let infinities = Sorted::from_weighted(infinities);
        Self::F64(self.to_f64().merged(&infinities, usize::MAX, &self.trouble()))
    }

    fn to_f64(&self) -> Cow<'_, Sorted<f64>> {
        match self {
            Self::F64(sorted) => Cow::Borrowed(sorted),
            Self::F32(sorted) | Self::F16(sorted) => Cow::Owned(sorted.map(f64::from)),
            Self::I64(sorted) => Cow::Owned(sorted.map(|value| value as f64)),
            Self::U64(sorted) => Cow::Owned(sorted.map(|value| value as f64)),
        }
    }
}

/// Neumaier's sum: the rounding of each addition is carried along.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct CompensatedSum {
    sum: f64,
    rest: f64,
}

impl CompensatedSum {
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.rest += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    pub(crate) fn value(self) -> f64 {
        // After an overflow the rest is NaN, and the sum alone is what plain addition gives.
        if self.rest.is_finite() { self.sum + self.rest } else { self.sum }
    }
}

/// A distinct value of two columns and how often it occurs in each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) value: f64,
    pub(crate) reference: u64,
    pub(crate) current: u64,
}

/// Reference and current values in one common type.
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    reference: Cow<'a, Numbers>,
    current: Cow<'a, Numbers>,
    reference_precision: Precision,
    distinct: OnceCell<usize>,
}

impl<'a> Pair<'a> {
    /// Sets two columns side by side. Different types meet in `f64`, as numpy's concatenation does.
    pub(crate) fn new(reference: &'a Numbers, current: &'a Numbers) -> Self {
        let same = matches!(
            (reference, current),
            (Numbers::F64(_), Numbers::F64(_))
                | (Numbers::F32(_), Numbers::F32(_))
                | (Numbers::F16(_), Numbers::F16(_))
                | (Numbers::I64(_), Numbers::I64(_))
                | (Numbers::U64(_), Numbers::U64(_))
        );
        let reference_precision = reference.precision();
        let (reference, current) = if same {
            (Cow::Borrowed(reference), Cow::Borrowed(current))
        } else {
            (widened(reference), widened(current))
        };
        Self { reference, current, reference_precision, distinct: OnceCell::new() }
    }

    pub(crate) fn reference(&self) -> &Numbers {
        &self.reference
    }

    pub(crate) fn current(&self) -> &Numbers {
        &self.current
    }

    pub(crate) fn reference_len(&self) -> usize {
        self.reference.len()
    }

    pub(crate) fn current_len(&self) -> usize {
        self.current.len()
    }

    /// Distinct values of both sides together.
    pub(crate) fn distinct(&self) -> usize {
        *self.distinct.get_or_init(|| {
            let mut distinct = 0;
            self.for_each(|_| distinct += 1);
            distinct
        })
    }

    /// Distinct values of both sides together, but no more than `limit` + 1, which is cheap to tell when
    /// one side alone has more.
    pub(crate) fn distinct_up_to(&self, limit: usize) -> usize {
        if self.reference.distinct() > limit || self.current.distinct() > limit {
            return limit + 1;
        }
        self.distinct().min(limit + 1)
    }

    /// Smallest and largest value of both sides together.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        let min = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::min);
        let max = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
        Some((
            min(self.reference.min(), self.current.min())?,
            max(self.reference.max(), self.current.max())?,
        ))
    }

    /// The type that both sides are in.
    pub(crate) fn precision(&self) -> Precision {
        self.reference.precision()
    }

    /// The type that the reference came in.
    pub(crate) fn reference_precision(&self) -> Precision {
        self.reference_precision
    }

    /// Calls `each` with every distinct value in ascending order.
    pub(crate) fn for_each(&self, mut each: impl FnMut(Step)) {
        fn walk<T: Number>(left: &Sorted<T>, right: &Sorted<T>, mut each: impl FnMut(Step)) {
            merge(left, right, |value, reference, current| {
                each(Step { value: value.to_f64(), reference, current });
            });
        }
        match (&*self.reference, &*self.current) {
            (Numbers::F64(a), Numbers::F64(b)) => walk(a, b, &mut each),
            (Numbers::F32(a) | Numbers::F16(a), Numbers::F32(b) | Numbers::F16(b)) => {
                walk(a, b, &mut each);
            }
            (Numbers::I64(a), Numbers::I64(b)) => walk(a, b, &mut each),
            (Numbers::U64(a), Numbers::U64(b)) => walk(a, b, &mut each),
            // `new` brought both to one type.
            (a, b) => walk(&a.to_f64(), &b.to_f64(), &mut each),
        }
    }
}

fn widened(numbers: &Numbers) -> Cow<'_, Numbers> {
    match numbers {
        Numbers::F64(_) => Cow::Borrowed(numbers),
        other => Cow::Owned(Numbers::F64(other.to_f64().into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_meet_in_f64() {
        let ints = Numbers::I64(Sorted::from_ordered(vec![1, 2, 2]));
        let floats = Numbers::F32(Sorted::from_ordered(vec![2.0, 2.5]));
        let pair = Pair::new(&ints, &floats);
        assert_eq!(pair.precision(), Precision::Double);
        assert_eq!((pair.distinct(), pair.range()), (3, Some((1.0, 2.5))));
    }

    #[test]
    fn quantiles_are_numpys() {
        let numbers = Numbers::I64(Sorted::from_ordered(vec![1, 2, 3, 10]));
        assert_eq!(numbers.quantile(0.5), Some(2.5));
        assert_eq!(numbers.quantile(1.0), Some(10.0));
        assert_eq!(numbers.quantile(0.9), Some(3.0 + 7.0 * (0.9 * 3.0 - 2.0)));
    }

    #[test]
    fn moments_keep_their_digits() {
        let numbers = Numbers::F64(Sorted::from_ordered(vec![1e9, 1e9 + 1.0, 1e9 + 2.0]));
        let (mean, variance) = numbers.moments();
        assert_eq!(mean, 1e9 + 1.0);
        assert!((variance - 2.0 / 3.0).abs() < 1e-15);
    }
}
