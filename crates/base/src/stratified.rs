//! scikit-learn's `StratifiedShuffleSplit`, a draw at a time, to the row.

use crate::random::NumpyRandom;

/// Draws `train` and `test` rows, of each class its share. `members` are the rows of each class, from the first to
/// the last; classes without rows are left out of it.
pub fn draw(
    members: &[Vec<usize>],
    train: usize,
    test: usize,
    random: &mut NumpyRandom,
) -> (Vec<usize>, Vec<usize>) {
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let train_counts = approximate_mode(&counts, train, random);
    let remaining: Vec<usize> = counts.iter().zip(&train_counts).map(|(all, n)| all - n).collect();
    let test_counts = approximate_mode(&remaining, test, random);

    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (class, rows) in members.iter().enumerate() {
        let order = random.permutation(rows.len());
        let (first, rest) = order.split_at(train_counts[class]);
        train.extend(first.iter().map(|&index| rows[index]));
        test.extend(rest.iter().take(test_counts[class]).map(|&index| rows[index]));
    }
    random.shuffle(&mut train);
    random.shuffle(&mut test);
    (train, test)
}

/// How many of `draws` each class gets: its share rounded down, what is left by largest remainder,
/// ties drawn at random (`sklearn.utils.extmath._approximate_mode`).
fn approximate_mode(counts: &[usize], draws: usize, random: &mut NumpyRandom) -> Vec<usize> {
    let total: usize = counts.iter().sum();
    let exact: Vec<f64> =
        counts.iter().map(|&count| count as f64 / total as f64 * draws as f64).collect();
    let mut given: Vec<usize> = exact.iter().map(|exact| exact.floor() as usize).collect();
    let mut left = draws.saturating_sub(given.iter().sum());
    let remainders: Vec<f64> = exact.iter().map(|exact| exact - exact.floor()).collect();
    let mut levels = remainders.clone();
    levels.sort_by(|a, b| b.total_cmp(a));
    levels.dedup();
    for level in levels {
        if left == 0 {
            break;
        }
        let tied: Vec<usize> =
            (0..counts.len()).filter(|&class| remainders[class] == level).collect();
        let now = tied.len().min(left);
        for index in random.permutation(tied.len()).into_iter().take(now) {
            given[tied[index]] += 1;
        }
        left -= now;
    }
    given
}
