//! Fewer points of a long metric history, evenly chosen.

use trainyard_mlflow::entities::Metric;

/// At most `points_max` of the rows, ordered by step, timestamp and value: the rows are split into
/// `points_max` buckets of equal size (one larger for the first ones, as SQL's NTILE does), of each
/// the first is kept; the last row takes the place of the last kept one.
pub(super) fn evenly(mut rows: Vec<Metric>, points_max: usize) -> Vec<Metric> {
    rows.sort_by(|a, b| {
        (a.step, a.timestamp).cmp(&(b.step, b.timestamp)).then_with(|| a.value.total_cmp(&b.value))
    });
    let count = rows.len();
    if count <= points_max || points_max == 0 {
        return rows;
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
    let newest = rows.last().cloned();
    let mut kept: Vec<Metric> = rows
        .into_iter()
        .enumerate()
        .filter(|(index, _)| is_first(*index))
        .map(|(_, row)| row)
        .collect();
    if let (Some(last), Some(newest)) = (kept.last_mut(), newest) {
        *last = newest;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(count: i64, points_max: usize) -> Vec<i64> {
        let rows = (0..count).rev().map(|step| Metric::new("m", 0.0, 0, step)).collect();
        evenly(rows, points_max).iter().map(|row| row.step).collect()
    }

    #[test]
    fn short_histories_stay_whole_and_sorted() {
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
