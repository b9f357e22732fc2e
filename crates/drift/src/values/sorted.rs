//! Values in ascending order, in memory or in a temporary file.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use super::disk::{OnDisk, Trouble, Writer};
use super::memory::InMemory;
use super::native::Native;

/// Finite values in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sorted<T> {
    InMemory(InMemory<T>),
    /// Of a column that is larger than the memory to spend on it.
    OnDisk(Arc<OnDisk<T>>),
}

/// Runs an expression on the values, wherever they are.
macro_rules! on_values {
    ($sorted:expr, $values:ident => $body:expr) => {
        match $sorted {
            Sorted::InMemory($values) => $body,
            Sorted::OnDisk($values) => $body,
        }
    };
}

impl<T: Native> Sorted<T> {
    /// Takes values that are already in ascending order.
    pub(crate) fn from_ordered(values: Vec<T>) -> Self {
        Self::InMemory(InMemory::from_ordered(values))
    }

    /// Takes distinct values in ascending order with how often each occurs (more than zero times).
    pub(crate) fn from_runs(runs: impl IntoIterator<Item = (T, u32)>) -> Self {
        Self::InMemory(InMemory::from_runs(runs))
    }

    /// Takes values in any order, each with how often it occurs; equal values are counted together.
    pub(crate) fn from_weighted(weighted: Vec<(T, u64)>) -> Self {
        Self::InMemory(InMemory::from_weighted(weighted))
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        on_values!(self, values => values.len())
    }

    /// Bytes of memory that the values take.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::InMemory(held) => held.bytes(),
            Self::OnDisk(_) => 0,
        }
    }

    pub(crate) fn first(&self) -> Option<T> {
        on_values!(self, values => values.first())
    }

    pub(crate) fn last(&self) -> Option<T> {
        on_values!(self, values => values.last())
    }

    pub(crate) fn distinct(&self) -> usize {
        on_values!(self, values => values.distinct())
    }

    /// Calls `each` with every distinct value in ascending order and how often it occurs.
    pub(crate) fn for_each_run(&self, mut each: impl FnMut(T, u64)) {
        on_values!(self, values => values.runs().for_each(|(value, count)| each(value, count)));
    }

    /// How many values are less than `bound`.
    pub(crate) fn count_below(&self, bound: f64) -> u64 {
        on_values!(self, values => values.count_below(bound))
    }

    /// How many values are less than or equal to `bound`.
    pub(crate) fn count_up_to(&self, bound: f64) -> u64 {
        on_values!(self, values => values.count_up_to(bound))
    }

    /// The value at a rank (0 is the smallest).
    pub(crate) fn at_rank(&self, rank: usize) -> Option<T> {
        on_values!(self, values => values.at_rank(rank))
    }

    /// The same values in another type, in the same place; `convert` must keep their order.
    pub(crate) fn map<U: Native>(&self, convert: impl Fn(T) -> U) -> Sorted<U> {
        match self {
            Self::InMemory(held) => Sorted::InMemory(held.map(convert)),
            Self::OnDisk(file) => {
                let runs = file.runs().map(|(value, count)| (convert(value), count));
                Sorted::OnDisk(Arc::new(OnDisk::new(runs, file.trouble())))
            }
        }
    }

    /// The values in memory.
    pub(crate) fn in_memory(&self) -> Cow<'_, InMemory<T>> {
        match self {
            Self::InMemory(held) => Cow::Borrowed(held),
            Self::OnDisk(file) => Cow::Owned(InMemory::from_ordered(
                file.runs()
                    .flat_map(|(value, count)| std::iter::repeat_n(value, count as usize))
                    .collect(),
            )),
        }
    }

    /// The values in a temporary file; see [`OnDisk`] about what may go wrong.
    pub(crate) fn spilled(&self, trouble: &Trouble) -> Self {
        match self {
            Self::InMemory(held) => Self::OnDisk(Arc::new(OnDisk::new(held.runs(), trouble))),
            Self::OnDisk(_) => self.clone(),
        }
    }

    /// What goes wrong with the temporary file is noted here.
    pub(crate) fn trouble(&self) -> Trouble {
        match self {
            Self::InMemory(_) => Trouble::default(),
            Self::OnDisk(file) => file.trouble().clone(),
        }
    }

    /// At most `points` values that stand for all: those in the middle of as many equal shares, the
    /// smallest and the largest kept as they are.
    pub(crate) fn quantised(&self, points: usize) -> Self {
        let (len, points) = (self.len(), points.max(2));
        if self.distinct() <= points {
            return self.clone();
        }
        let share = |index: usize| (index as u128 * len as u128 / points as u128) as usize;
        let chosen = (0..points).filter_map(|index| {
            let (start, end) = (share(index), share(index + 1));
            let rank = match index {
                0 => 0,
                _ if index + 1 == points => len - 1,
                _ => usize::midpoint(start, end.max(start + 1) - 1),
            };
            Some((self.at_rank(rank)?, (end - start) as u64))
        });
        Self::from_weighted(chosen.filter(|(_, count)| *count > 0).collect())
    }

    /// Both sets of values together, in memory if they take at most `memory` bytes there.
    pub(crate) fn merged(&self, other: &Self, memory: usize, trouble: &Trouble) -> Self {
        let is_small = |sorted: &Self| matches!(sorted, Self::InMemory(_));
        if is_small(self) && is_small(other) && self.bytes() + other.bytes() <= memory {
            let mut runs = Vec::new();
            merge(self, other, |value, left, right| runs.push((value, (left + right) as u32)));
            return Self::from_runs(runs);
        }
        let mut writer = Writer::new(trouble);
        merge(self, other, |value, left, right| writer.add(value, left + right));
        Self::OnDisk(Arc::new(writer.finish()))
    }
}

/// Walks two ordered sets of values together: every distinct value with its count in each.
pub(crate) fn merge<T: Native>(left: &Sorted<T>, right: &Sorted<T>, each: impl FnMut(T, u64, u64)) {
    on_values!(left, left => on_values!(right, right => merge_runs(left.runs(), right.runs(), each)));
}

fn merge_runs<T: Native>(
    mut left: impl Iterator<Item = (T, u64)>,
    mut right: impl Iterator<Item = (T, u64)>,
    mut each: impl FnMut(T, u64, u64),
) {
    let (mut a, mut b) = (left.next(), right.next());
    loop {
        match (a, b) {
            (None, None) => return,
            (Some((value, count)), None) => {
                each(value, count, 0);
                a = left.next();
            }
            (None, Some((value, count))) => {
                each(value, 0, count);
                b = right.next();
            }
            (Some((x, x_count)), Some((y, y_count))) => match x.partial_cmp(&y) {
                Some(Ordering::Less) => {
                    each(x, x_count, 0);
                    a = left.next();
                }
                Some(Ordering::Greater) => {
                    each(y, 0, y_count);
                    b = right.next();
                }
                // Values that cannot be ordered are never kept, so this is equality.
                Some(Ordering::Equal) | None => {
                    each(x, x_count, y_count);
                    (a, b) = (left.next(), right.next());
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted<T: Native>(values: &[T]) -> Sorted<T> {
        Sorted::from_ordered(values.to_vec())
    }

    fn steps(left: &Sorted<f64>, right: &Sorted<f64>) -> Vec<(f64, u64, u64)> {
        let mut out = Vec::new();
        merge(left, right, |value, a, b| out.push((value, a, b)));
        out
    }

    #[test]
    fn runs_values_and_files_walk_alike() {
        let expected = vec![(1.0, 3, 0), (2.0, 1, 1), (3.0, 0, 3), (4.0, 1, 0)];
        let (left, right) = (sorted(&[1.0, 1.0, 1.0, 2.0, 4.0]), sorted(&[2.0, 3.0, 3.0, 3.0]));
        let file = left.spilled(&Trouble::default());
        assert_eq!(steps(&left, &right), expected);
        assert_eq!(steps(&file, &right), expected);
        assert_eq!(steps(&sorted(&[]), &sorted(&[1.0])), vec![(1.0, 0, 1)]);
    }

    #[test]
    fn quantised_values_keep_ends_counts_and_quantiles() {
        let all = sorted(&(0..10_000).map(f64::from).collect::<Vec<_>>());
        let few = all.quantised(100);
        assert_eq!((few.len(), few.distinct()), (10_000, 100));
        assert_eq!((few.first(), few.last()), (Some(0.0), Some(9999.0)));
        for rank in (0..10_000).step_by(37) {
            assert!((few.at_rank(rank).unwrap() - rank as f64).abs() <= 100.0);
        }
        assert_eq!(all.quantised(20_000), all);
        assert_eq!(all.spilled(&Trouble::default()).quantised(100), few);
    }

    #[test]
    fn merging_adds_counts_in_memory_and_beyond() {
        let (left, right) = (sorted(&[1.0, 2.0, 2.0]), sorted(&[2.0, 3.0]));
        for memory in [0, 1000] {
            let both = left.merged(&right, memory, &Trouble::default());
            assert_eq!(matches!(both, Sorted::InMemory(_)), memory > 0);
            assert_eq!((both.len(), both.distinct(), both.at_rank(3)), (5, 3, Some(2.0)));
            assert_eq!(both.in_memory().runs().collect::<Vec<_>>(), [(1.0, 1), (2.0, 3), (3.0, 1)]);
        }
    }
}
