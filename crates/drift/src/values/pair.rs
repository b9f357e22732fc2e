//! Two numeric columns side by side.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::native::Native;
use super::numbers::{Numbers, Precision};
use super::sorted::{Sorted, merge};

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
        fn walk<T: Native>(left: &Sorted<T>, right: &Sorted<T>, mut each: impl FnMut(Step)) {
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
}
