//! Numbers of which none tells of few rows: means of neighbours.
//!
//! This is microaggregation of one column with groups of a size at least (J. Domingo-Ferrer and J. M. Mateo-Sanz, Practical
//! data-oriented microaggregation for statistical disclosure control, IEEE TKDE 14(1), 2002). A number that stands in enough
//! rows itself stays as it is, and no group reaches over one: columns of few numbers keep them.

use super::native::Native;
use super::sorted::Sorted;

/// Numbers of which each stands for so many rows at least.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Averaged<T> {
    pub(crate) values: T,
    /// Rows of neither: too few between two numbers that stay.
    pub(crate) withheld: u64,
    /// The most rows that a mean is of; 0 where there is none.
    pub(crate) group_max: u64,
}

impl<T: Native> Sorted<T> {
    /// The numbers, of which each stands for so many rows at least, in memory.
    pub(crate) fn averaged(&self, rows_min: u64) -> Averaged<Self> {
        let mut groups = Groups {
            rows_min,
            done: Vec::new(),
            last: Vec::new(),
            open: Vec::new(),
            withheld: 0,
            group_max: 0,
        };
        self.for_each_run(|value, count| groups.add(value, count));
        groups.end();
        let Groups { done, withheld, group_max, .. } = groups;
        Averaged { values: Self::from_weighted(done), withheld, group_max }
    }
}

/// Groups in the making; values come in ascending order.
struct Groups<T> {
    rows_min: u64,
    done: Vec<(T, u64)>,
    /// A group that is large enough, and may still get what is left beside it.
    last: Vec<(T, u64)>,
    /// Values that are too few by now.
    open: Vec<(T, u64)>,
    withheld: u64,
    group_max: u64,
}

impl<T: Native> Groups<T> {
    fn add(&mut self, value: T, count: u64) {
        if count >= self.rows_min {
            self.end();
            self.done.push((value, count));
            return;
        }
        self.open.push((value, count));
        if rows(&self.open) >= self.rows_min {
            self.average();
            std::mem::swap(&mut self.last, &mut self.open);
        }
    }

    /// Ends a stretch of numbers that stand in few rows: what is left goes to the group beside it, if there is one.
    fn end(&mut self) {
        if self.last.is_empty() {
            self.withheld += rows(&self.open);
            self.open.clear();
        }
        self.last.append(&mut self.open);
        self.average();
    }

    /// Puts the mean of the last group in its place.
    fn average(&mut self) {
        let (Some((least, _)), Some((most, _))) = (self.last.first(), self.last.last()) else {
            return;
        };
        let (least, most) = (*least, *most);
        let of = rows(&self.last);
        // Shares are added up, not values: the sum of these may be too large for any number.
        let share = |(value, count): &(T, u64)| value.to_f64() * (*count as f64 / of as f64);
        let mean = T::nearest(self.last.iter().map(share).sum());
        // Neighbours may be the same in double precision.
        let mean = if mean < least {
            least
        } else if mean > most {
            most
        } else {
            mean
        };
        self.done.push((mean, of));
        self.group_max = self.group_max.max(of);
        self.last.clear();
    }
}

fn rows<T>(group: &[(T, u64)]) -> u64 {
    group.iter().map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs<T: Native>(sorted: &Sorted<T>) -> Vec<(T, u64)> {
        let mut runs = Vec::new();
        sorted.for_each_run(|value, count| runs.push((value, count)));
        runs
    }

    #[test]
    fn neighbours_are_averaged_and_frequent_numbers_stay() {
        let sorted = Sorted::from_ordered(vec![1.0, 2.0, 6.0, 7.0, 7.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        let averaged = sorted.averaged(3);
        // 11 goes to the group beside it.
        assert_eq!(runs(&averaged.values), [(3.0, 3), (7.0, 3), (9.5, 4)]);
        assert_eq!((averaged.withheld, averaged.group_max), (0, 4));
        assert_eq!(averaged.values.averaged(3).values, averaged.values, "twice is once");
    }

    #[test]
    fn too_few_between_frequent_numbers_are_withheld() {
        let whole = Sorted::from_ordered(vec![0_i64, 0, 0, 1, 1, 2, 2, 2]);
        let averaged = whole.averaged(3);
        assert_eq!(runs(&averaged.values), [(0, 3), (2, 3)]);
        assert_eq!((averaged.withheld, averaged.group_max), (2, 0));
        let few = Sorted::from_ordered(vec![5_u64, 6]).averaged(3);
        assert_eq!((runs(&few.values), few.withheld), (Vec::new(), 2));
    }

    #[test]
    fn means_are_of_the_type_and_between_their_numbers() {
        let whole = Sorted::from_ordered(vec![1_i64, 2, 2]).averaged(3);
        assert_eq!(runs(&whole.values), [(2, 3)]);
        let large = Sorted::from_ordered(vec![i64::MAX - 2, i64::MAX - 1]).averaged(2);
        let mean = runs(&large.values)[0].0;
        assert!((i64::MAX - 2..i64::MAX).contains(&mean), "{mean}");
        let far = Sorted::from_ordered(vec![f64::MAX / 2.0, f64::MAX]).averaged(2);
        assert!(runs(&far.values)[0].0.is_finite());
    }
}
