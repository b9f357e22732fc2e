//! Numeric columns of the types they came in.

use std::borrow::Cow;

use super::disk::Trouble;
use super::microaggregation::Averaged;
use super::native::Native;
use super::sorted::Sorted;
use super::sum::CompensatedSum;

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
        on_sorted!(self, sorted => sorted.first().map(Native::to_f64))
    }

    pub(crate) fn max(&self) -> Option<f64> {
        on_sorted!(self, sorted => sorted.last().map(Native::to_f64))
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

    /// How many values are below the smallest and how many above the largest of `range`; `None` where that is
    /// empty. Whole numbers of one type are compared whole: a double does not hold all of their digits.
    pub(crate) fn outside(&self, range: &Self) -> Option<[u64; 2]> {
        fn count<T: Native>(values: &Sorted<T>, range: &Sorted<T>) -> Option<[u64; 2]> {
            let (low, high) = (range.first()?, range.last()?);
            let mut outside = [0, 0];
            if values.first()? >= low && values.last()? <= high {
                return Some(outside);
            }
            values.for_each_run(|value, count| {
                outside[0] += if value < low { count } else { 0 };
                outside[1] += if value > high { count } else { 0 };
            });
            Some(outside)
        }
        match (self, range) {
            (Self::I64(values), Self::I64(range)) => count(values, range),
            (Self::U64(values), Self::U64(range)) => count(values, range),
            _ => {
                let (low, high) = (range.min()?, range.max()?);
                Some([self.count_below(low), self.len() as u64 - self.count_up_to(high)])
            }
        }
    }

    /// The smallest and the largest with all digits, of whole numbers.
    pub(crate) fn whole_ends(&self) -> Option<[String; 2]> {
        match self {
            Self::I64(sorted) => Some([sorted.first()?.to_string(), sorted.last()?.to_string()]),
            Self::U64(sorted) => Some([sorted.first()?.to_string(), sorted.last()?.to_string()]),
            Self::F64(_) | Self::F32(_) | Self::F16(_) => None,
        }
    }

    /// The value at a rank (0 is the smallest).
    pub(crate) fn at_rank(&self, rank: usize) -> Option<f64> {
        on_sorted!(self, sorted => sorted.at_rank(rank).map(Native::to_f64))
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

    pub(super) fn precision(&self) -> Precision {
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

    /// Single precision as the doubles that are written alike: 0.1 is 0.1 then, and not 0.10000000149.
    pub(crate) fn as_written(&self) -> Self {
        match self {
            Self::F32(sorted) => Self::F64(
                sorted
                    .map(|value| format!("{value:e}").parse().unwrap_or_else(|_| f64::from(value))),
            ),
            other => other.clone(),
        }
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

    /// See [`Sorted::averaged`].
    pub(crate) fn averaged(&self, rows_min: u64) -> Averaged<Self> {
        fn of<T: Native>(
            sorted: &Sorted<T>,
            rows_min: u64,
            numbers: fn(Sorted<T>) -> Numbers,
        ) -> Averaged<Numbers> {
            let Averaged { values, withheld, group_max } = sorted.averaged(rows_min);
            Averaged { values: numbers(values), withheld, group_max }
        }
        match self {
            Self::F64(sorted) => of(sorted, rows_min, Self::F64),
            Self::F32(sorted) => of(sorted, rows_min, Self::F32),
            Self::F16(sorted) => of(sorted, rows_min, Self::F16),
            Self::I64(sorted) => of(sorted, rows_min, Self::I64),
            Self::U64(sorted) => of(sorted, rows_min, Self::U64),
        }
    }

    pub(crate) fn with_infinities(&self, negative: u64, positive: u64) -> Self {
        let counts = [(f64::NEG_INFINITY, negative), (f64::INFINITY, positive)];
        let infinities = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        let infinities = Sorted::from_weighted(infinities);
        Self::F64(self.to_f64().merged(&infinities, usize::MAX, &self.trouble()))
    }

    pub(super) fn to_f64(&self) -> Cow<'_, Sorted<f64>> {
        match self {
            Self::F64(sorted) => Cow::Borrowed(sorted),
            Self::F32(sorted) | Self::F16(sorted) => Cow::Owned(sorted.map(f64::from)),
            Self::I64(sorted) => Cow::Owned(sorted.map(|value| value as f64)),
            Self::U64(sorted) => Cow::Owned(sorted.map(|value| value as f64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
