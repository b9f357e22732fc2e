//! Values in ascending order in memory, either one by one or as runs of equal values.
//!
//! Runs keep a column of few distinct values small and make two summaries of one column mergeable;
//! everything computed from the values works on either form.

use std::cmp::Ordering;

use super::native::Native;

/// Finite values in ascending order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InMemory<T> {
    values: Vec<T>,
    /// For runs: how many values there are up to and including each run. `None`: each value is itself.
    ends: Option<Vec<u32>>,
    distinct: usize,
}

/// Values are kept as runs when there are at most this many a run on average, because a run costs
/// half as much again as a value.
const RUN_PAYS: usize = 2;

impl<T: Native> InMemory<T> {
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

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let ends = self.ends.as_ref().map_or(0, |ends| size_of_val(ends.as_slice()));
        size_of_val(self.values.as_slice()) + ends
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

    /// Every distinct value in ascending order and how often it occurs.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (T, u64)> {
        let mut position = 0;
        std::iter::from_fn(move || {
            let (value, count, next) = self.run_at(position)?;
            position = next;
            Some((value, count))
        })
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
    pub(crate) fn map<U: Native>(&self, convert: impl Fn(T) -> U) -> InMemory<U> {
        // Distinct integers may become one double, so runs are made anew.
        if self.ends.is_none() {
            return InMemory::from_ordered(
                self.values.iter().map(|value| convert(*value)).collect(),
            );
        }
        InMemory::from_weighted(self.runs().map(|(value, count)| (convert(value), count)).collect())
    }

    /// The values or runs, and for runs where each ends.
    pub(crate) fn parts(&self) -> (&[T], Option<&[u32]>) {
        (&self.values, self.ends.as_deref())
    }

    /// Puts together what [`InMemory::parts`] took apart; `None` when it is not in order.
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
}

fn count_runs<T: PartialEq>(values: &[T]) -> usize {
    if values.is_empty() {
        return 0;
    }
    1 + values.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_counts_agree_in_both_forms() {
        let values = vec![1_i64, 1, 1, 5, 5, 5, 9, 9];
        let runs = InMemory::from_ordered(values.clone());
        let plain = InMemory { values: values.clone(), ends: None, distinct: 3 };
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
        assert!(runs.runs().eq(plain.runs()));
    }

    #[test]
    fn parts_out_of_order_are_refused() {
        let runs = InMemory::from_ordered(vec![1_i64, 1, 1, 5]);
        let (values, ends) = runs.parts();
        assert_eq!(
            InMemory::from_parts(values.to_vec(), ends.map(<[u32]>::to_vec)),
            Some(runs.clone())
        );
        assert_eq!(InMemory::from_parts(vec![2_i64, 1], None), None);
        assert_eq!(InMemory::from_parts(vec![1.0, f64::NAN], None), None);
        assert_eq!(InMemory::from_parts(vec![1_i64, 1], Some(vec![1, 2])), None);
        assert_eq!(InMemory::from_parts(vec![1_i64, 2], Some(vec![0, 2])), None);
        assert_eq!(InMemory::from_parts(vec![1_i64, 2], Some(vec![3])), None);
    }
}
