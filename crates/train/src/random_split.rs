//! scikit-learn's `train_test_split`, to the row: `ShuffleSplit`, and `StratifiedShuffleSplit` for classes.

use crate::config::TrainConfig;
use crate::random::NumpyRandom;
use crate::target::Target;
use crate::{Error, Result};

/// Positions of training rows and holdout, as scikit-learn draws them.
pub(crate) fn at_random(
    values: &Target,
    rows: usize,
    config: &TrainConfig,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let sizes = Sizes::of(rows, config)?;
    match values {
        Target::Classes { classes, labels } if config.is_stratified() => {
            stratified(labels, &classes.names(), sizes, config)
        }
        _ => {
            let mut order = NumpyRandom::new(config.seed).permutation(rows);
            let train = order.split_off(sizes.holdout);
            Ok((train, order))
        }
    }
}

/// Rows of both parts.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) train: usize,
    pub(crate) holdout: usize,
}

impl Sizes {
    fn of(rows: usize, config: &TrainConfig) -> Result<Self> {
        let holdout = (config.test_size * rows as f64).ceil() as usize;
        let sizes = Self { train: rows.saturating_sub(holdout), holdout };
        sizes.at_least(1, rows, config)?;
        Ok(sizes)
    }

    /// Refuses parts of fewer rows than needed, of `rows` in all.
    pub(crate) fn at_least(self, needed: usize, rows: usize, config: &TrainConfig) -> Result<()> {
        for (part, got) in [("training", self.train), ("the holdout", self.holdout)] {
            if got < needed {
                return Err(Error::TooFewRows {
                    rows,
                    test_size: config.test_size,
                    part,
                    got,
                    needed,
                });
            }
        }
        Ok(())
    }
}

/// scikit-learn's `StratifiedShuffleSplit` with one split.
fn stratified(
    labels: &[u32],
    names: &[String],
    sizes: Sizes,
    config: &TrainConfig,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let mut members = vec![Vec::new(); names.len()];
    for (row, &label) in labels.iter().enumerate() {
        members[label as usize].push(row);
    }
    // A class that a boolean target could have but does not is no class here.
    let (members, names): (Vec<Vec<usize>>, Vec<&String>) =
        members.into_iter().zip(names).filter(|(rows, _)| !rows.is_empty()).unzip();
    if let Some((rows, class)) = members.iter().zip(&names).find(|(rows, _)| rows.len() < 2) {
        return Err(Error::TooFewOfClass {
            class: (*class).clone(),
            target: config.target.clone(),
            count: rows.len(),
        });
    }
    sizes.at_least(members.len(), labels.len(), config)?;

    let mut random = NumpyRandom::new(config.seed);
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let train_counts = approximate_mode(&counts, sizes.train, &mut random);
    let remaining: Vec<usize> = counts.iter().zip(&train_counts).map(|(all, n)| all - n).collect();
    let holdout_counts = approximate_mode(&remaining, sizes.holdout, &mut random);

    let (mut train, mut holdout) = (Vec::new(), Vec::new());
    for (class, rows) in members.iter().enumerate() {
        let order = random.permutation(rows.len());
        let (first, rest) = order.split_at(train_counts[class]);
        train.extend(first.iter().map(|&index| rows[index]));
        holdout.extend(rest.iter().take(holdout_counts[class]).map(|&index| rows[index]));
    }
    random.shuffle(&mut train);
    random.shuffle(&mut holdout);
    Ok((train, holdout))
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
