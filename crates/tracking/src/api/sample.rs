//! Fewer points of a long metric history, evenly chosen.

/// At most `points_max` of the rows, which are in the order of step, timestamp and value: they are split into
/// `points_max` buckets of equal size (one larger for the first ones, as SQL's NTILE does), of each
/// the first is kept; the last row takes the place of the last kept one.
pub(super) fn evenly<T: Copy>(rows: &[T], points_max: usize) -> Vec<T> {
    let count = rows.len();
    if count <= points_max || points_max == 0 {
        return rows.to_vec();
    }
    let small = count / points_max;
    let larger = count % points_max;
    let is_first = |index: usize| {
        let boundary = larger * (small + 1);
        if index < boundary {
            index.is_multiple_of(small + 1)
        } else {
            (index - boundary).is_multiple_of(small)
        }
    };
    let kept = rows.iter().enumerate().filter(|(index, _)| is_first(*index));
    let mut kept: Vec<T> = kept.map(|(_, row)| *row).collect();
    if let (Some(last), Some(newest)) = (kept.last_mut(), rows.last()) {
        *last = *newest;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(count: i64, points_max: usize) -> Vec<i64> {
        evenly(&(0..count).collect::<Vec<i64>>(), points_max)
    }

    #[test]
    fn short_histories_stay_whole() {
        assert_eq!(steps(3, 5), [0, 1, 2]);
        assert_eq!(steps(5, 5), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn long_histories_keep_their_ends() {
        assert_eq!(steps(10, 3), [0, 4, 9]);
        assert_eq!(steps(10, 1), [9]);
        assert_eq!(steps(100_000, 2500).len(), 2500);
    }
}
