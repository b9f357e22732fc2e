//! scikit-learn's `train_test_split`, to the row: `ShuffleSplit`, and `StratifiedShuffleSplit` for classes.

use trainyard_base::random::NumpyRandom;
use trainyard_base::stratified;

use crate::config::TrainConfig;
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
    Ok(stratified::draw(&members, sizes.train, sizes.holdout, &mut random))
}
