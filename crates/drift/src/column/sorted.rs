//! Values in ascending order, either one by one or as runs of equal values.
//!
//! Runs keep a column of few distinct values small and make two summaries of one column mergeable;
//! everything computed from the values works on either form.

use std::cmp::Ordering;

/// A numeric type that columns are kept in.
pub(crate) trait Number: Copy + PartialOrd + Send + Sync + 'static {
    /// The value as statistics see it.
    fn to_f64(self) -> f64;
}

impl Number for f64 {
    fn to_f64(self) -> f64 {
        self
    }
}

impl Number for f32 {
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Number for i64 {
    fn to_f64(self) -> f64 {
        self as f64
    }
}

impl Number for u64 {
    fn to_f64(self) -> f64 {
        self as f64
    }
}

/// Finite values in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sorted<T> {
    values: Vec<T>,
    /// For runs: how many values there are up to and including each run. `None`: each value is itself.
    ends: Option<Vec<u32>>,
    distinct: usize,
}

/// Values are kept as runs when there are at most this many a run on average, because a run costs
/// half as much again as a value.
const RUN_PAYS: usize = 2;

impl<T: Number> Sorted<T> {
    /// Takes values that are already in ascending order.
    pub(crate) fn from_ordered(values: Vec<T>) -> Self {
        debug_assert!(values.is_sorted());
        let distinct = count_runs(&values);
        if values.len() < distinct.saturating_mul(RUN_PAYS) {
            return Self { values, ends: None, distinct };
        }
        let mut kept = Vec::with_capacity(distinct);
        let mut ends = Vec::with_capacity(distinct);
        for (index, value) in values.iter().enumerate() {
            if kept.last() == Some(value) {
                if let Some(end) = ends.last_mut() {
                    *end = index as u32 + 1;
                }
            } else {
                kept.push(*value);
                ends.push(index as u32 + 1);
            }
        }
        Self { values: kept, ends: Some(ends), distinct }
    }

    /// Takes distinct values in ascending order with how often each occurs (more than zero times).
    pub(crate) fn from_runs(runs: impl IntoIterator<Item = (T, u32)>) -> Self {
        let mut values = Vec::new();
        let mut ends: Vec<u32> = Vec::new();
        let mut total = 0;
        for (value, count) in runs {
            total += count;
            values.push(value);
            ends.push(total);
        }
        debug_assert!(values.is_sorted());
        Self { distinct: values.len(), values, ends: Some(ends) }
    }

    /// Takes values in any order, each with how often it occurs; equal values are counted together.
    pub(crate) fn from_weighted(mut weighted: Vec<(T, u64)>) -> Self {
        weighted.sort_unstable_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
        weighted.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
        Self::from_runs(weighted.into_iter().map(|(value, count)| (value, count as u32)))
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        match &self.ends {
            Some(ends) => ends.last().copied().unwrap_or(0) as usize,
            None => self.values.len(),
        }
    }

    pub(crate) fn first(&self) -> Option<T> {
        self.values.first().copied()
    }

    pub(crate) fn last(&self) -> Option<T> {
        self.values.last().copied()
    }

    pub(crate) fn distinct(&self) -> usize {
        self.distinct
    }

    /// The run that starts at `position` (an index of the storage) and the position after it.
    fn run_at(&self, position: usize) -> Option<(T, u64, usize)> {
        let value = *self.values.get(position)?;
        if let Some(ends) = &self.ends {
            let before = if position == 0 { 0 } else { ends[position - 1] };
            return Some((value, u64::from(ends[position] - before), position + 1));
        }
        let mut after = position + 1;
        while self.values.get(after) == Some(&value) {
            after += 1;
        }
        Some((value, (after - position) as u64, after))
    }

    /// Calls `each` with every distinct value in ascending order and how often it occurs.
    pub(crate) fn for_each_run(&self, mut each: impl FnMut(T, u64)) {
        let mut position = 0;
        while let Some((value, count, next)) = self.run_at(position) {
            each(value, count);
            position = next;
        }
    }

    /// How many values are less than `bound`.
    pub(crate) fn count_below(&self, bound: f64) -> u64 {
        self.count_until(self.values.partition_point(|value| value.to_f64() < bound))
    }

    /// How many values are less than or equal to `bound`.
    pub(crate) fn count_up_to(&self, bound: f64) -> u64 {
        self.count_until(self.values.partition_point(|value| value.to_f64() <= bound))
    }

    fn count_until(&self, position: usize) -> u64 {
        match &self.ends {
            Some(ends) if position > 0 => u64::from(ends[position - 1]),
            _ => position as u64,
        }
    }

    /// The value at a rank (0 is the smallest).
    pub(crate) fn at_rank(&self, rank: usize) -> Option<T> {
        let position = match &self.ends {
            Some(ends) => ends.partition_point(|end| *end as usize <= rank),
            None => rank,
        };
        self.values.get(position).copied()
    }

    /// The same values in another type; `convert` must keep their order.
    pub(crate) fn map<U: Number>(&self, convert: impl Fn(T) -> U) -> Sorted<U> {
        // Distinct integers may become one double, so runs are made anew.
        if self.ends.is_none() {
            return Sorted::from_ordered(self.values.iter().map(|value| convert(*value)).collect());
        }
        let mut runs = Vec::with_capacity(self.values.len());
        self.for_each_run(|value, count| runs.push((convert(value), count)));
        Sorted::from_weighted(runs)
    }

    /// The values or runs, and for runs where each ends.
    pub(crate) fn parts(&self) -> (&[T], Option<&[u32]>) {
        (&self.values, self.ends.as_deref())
    }

    /// Puts together what [`Sorted::parts`] took apart; `None` when it is not in order.
    pub(crate) fn from_parts(values: Vec<T>, ends: Option<Vec<u32>>) -> Option<Self> {
        // NaN compares as neither, so it is out of order too.
        let ordered = |strictly: bool| {
            values.windows(2).all(|pair| pair[0] < pair[1] || !strictly && pair[0] == pair[1])
                && values.iter().all(|value| value.to_f64().is_finite())
        };
        let distinct = match &ends {
            Some(ends) => {
                let rising = ends.len() == values.len()
                    && ends.first() != Some(&0)
                    && ends.windows(2).all(|pair| pair[0] < pair[1]);
                if !rising || !ordered(true) {
                    return None;
                }
                values.len()
            }
            None if ordered(false) => count_runs(&values),
            None => return None,
        };
        Some(Self { values, ends, distinct })
    }

    /// At most `points` values that stand for all: those in the middle of as many equal shares, the
    /// smallest and the largest kept as they are.
    pub(crate) fn quantised(&self, points: usize) -> Self {
        let (len, points) = (self.len(), points.max(2));
        if self.distinct <= points {
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

    /// Both sets of values together.
    pub(crate) fn merged(&self, other: &Self) -> Self {
        let mut runs = Vec::new();
        merge(self, other, |value, left, right| runs.push((value, (left + right) as u32)));
        Self::from_runs(runs)
    }
}

fn count_runs<T: PartialEq>(values: &[T]) -> usize {
    if values.is_empty() {
        return 0;
    }
    1 + values.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// Walks two ordered sets of values together: every distinct value with its count in each.
pub(crate) fn merge<T: Number>(
    left: &Sorted<T>,
    right: &Sorted<T>,
    mut each: impl FnMut(T, u64, u64),
) {
    let mut a = left.run_at(0);
    let mut b = right.run_at(0);
    loop {
        match (a, b) {
            (None, None) => return,
            (Some((value, count, next)), None) => {
                each(value, count, 0);
                a = left.run_at(next);
            }
            (None, Some((value, count, next))) => {
                each(value, 0, count);
                b = right.run_at(next);
            }
            (Some((x, x_count, x_next)), Some((y, y_count, y_next))) => match x.partial_cmp(&y) {
                Some(Ordering::Less) => {
                    each(x, x_count, 0);
                    a = left.run_at(x_next);
                }
                Some(Ordering::Greater) => {
                    each(y, 0, y_count);
                    b = right.run_at(y_next);
                }
                // Values that cannot be ordered are never kept, so this is equality.
                Some(Ordering::Equal) | None => {
                    each(x, x_count, y_count);
                    a = left.run_at(x_next);
                    b = right.run_at(y_next);
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(left: &[f64], right: &[f64]) -> Vec<(f64, u64, u64)> {
        let mut out = Vec::new();
        let (left, right) =
            (Sorted::from_ordered(left.to_vec()), Sorted::from_ordered(right.to_vec()));
        merge(&left, &right, |value, a, b| out.push((value, a, b)));
        out
    }

    #[test]
    fn runs_and_values_walk_alike() {
        let expected = vec![(1.0, 3, 0), (2.0, 1, 1), (3.0, 0, 3), (4.0, 1, 0)];
        assert_eq!(steps(&[1.0, 1.0, 1.0, 2.0, 4.0], &[2.0, 3.0, 3.0, 3.0]), expected);
        assert_eq!(steps(&[], &[1.0]), vec![(1.0, 0, 1)]);
    }

    #[test]
    fn ranks_and_counts_agree_in_both_forms() {
        let values = vec![1_i64, 1, 1, 5, 5, 5, 9, 9];
        let runs = Sorted::from_ordered(values.clone());
        let plain = Sorted { values: values.clone(), ends: None, distinct: 3 };
        assert!(runs.ends.is_some());
        for bound in [0.0, 1.0, 3.0, 5.0, 9.0, 10.0] {
            assert_eq!(runs.count_below(bound), plain.count_below(bound));
            assert_eq!(runs.count_up_to(bound), plain.count_up_to(bound));
        }
        for rank in 0..=values.len() {
            assert_eq!(runs.at_rank(rank), values.get(rank).copied());
            assert_eq!(plain.at_rank(rank), values.get(rank).copied());
        }
        assert_eq!((runs.len(), runs.distinct(), plain.distinct()), (8, 3, 3));
    }

    #[test]
    fn quantised_values_keep_ends_counts_and_quantiles() {
        let all = Sorted::from_ordered((0..10_000).map(f64::from).collect());
        let few = all.quantised(100);
        assert_eq!((few.len(), few.distinct()), (10_000, 100));
        assert_eq!((few.first(), few.last()), (Some(0.0), Some(9999.0)));
        for rank in (0..10_000).step_by(37) {
            assert!((few.at_rank(rank).unwrap() - rank as f64).abs() <= 100.0);
        }
        assert_eq!(all.quantised(20_000), all);
    }

    #[test]
    fn parts_out_of_order_are_refused() {
        let runs = Sorted::from_ordered(vec![1_i64, 1, 1, 5]);
        let (values, ends) = runs.parts();
        assert_eq!(
            Sorted::from_parts(values.to_vec(), ends.map(<[u32]>::to_vec)),
            Some(runs.clone())
        );
        assert_eq!(Sorted::from_parts(vec![2_i64, 1], None), None);
        assert_eq!(Sorted::from_parts(vec![1.0, f64::NAN], None), None);
        assert_eq!(Sorted::from_parts(vec![1_i64, 1], Some(vec![1, 2])), None);
        assert_eq!(Sorted::from_parts(vec![1_i64, 2], Some(vec![0, 2])), None);
        assert_eq!(Sorted::from_parts(vec![1_i64, 2], Some(vec![3])), None);
    }

    #[test]
    fn merging_adds_counts() {
        let left = Sorted::from_ordered(vec![1.0, 2.0, 2.0]);
        let right = Sorted::from_ordered(vec![2.0, 3.0]);
        let both = left.merged(&right);
        assert_eq!((both.len(), both.distinct(), both.at_rank(3)), (5, 3, Some(2.0)));
    }
}
