//! How far a metric of a sample may be from what it would be of endless rows, by what it was of the reference.
//!
//! As in NannyML 0.13.1 (`nannyml/sampling_error/`), except for average precision: its draws have a seed here, and none
//! there, so that its figures differ from run to run.

use trainyard_base::random::FastRandom;

use crate::metrics::ranked::Ranked;

/// Draws for the error of average precision.
const DRAWS: usize = 50;
/// Rows of a draw at most.
const DRAW_ROWS_MAX: usize = 50_000;
/// Names this use of the generator.
const SEED: u64 = 17;

/// What decides an error: of rows of which a `share` counts, each spreads by `deviation`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) deviation: f64,
    pub(super) share: f64,
}

impl Spread {
    /// The standard error of the metric of so many rows.
    pub(super) fn error(&self, rows: usize) -> f64 {
        self.variance(rows).sqrt()
    }

    /// Its square.
    pub(super) fn variance(&self, rows: usize) -> f64 {
        self.deviation * self.deviation / (rows as f64 * self.share)
    }

    /// Of a share that is `part` of `whole`, among so many rows. NaN where the whole is nothing.
    fn of_share(part: f64, whole: f64, rows: f64) -> Self {
        let share = part / whole;
        Self { deviation: (share * (1.0 - share)).sqrt(), share: whole / rows }
    }
}

/// Counts of the reference: what was said of a class and what was true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Counts {
    true_positive: f64,
    false_positive: f64,
    false_negative: f64,
    true_negative: f64,
}

impl Counts {
    /// From rows: whether each is of the class, and whether that was said.
    pub(super) fn new(rows: impl Iterator<Item = (bool, bool)>) -> Self {
        let mut counts = [0.0; 4];
        for (is_class, is_said) in rows {
            counts[usize::from(is_class) * 2 + usize::from(is_said)] += 1.0;
        }
        let [true_negative, false_positive, false_negative, true_positive] = counts;
        Self { true_positive, false_positive, false_negative, true_negative }
    }

    fn rows(&self) -> f64 {
        self.true_positive + self.false_positive + self.false_negative + self.true_negative
    }

    /// Of F1. `is_corrected` scales single rows so that their mean is F1, which is done for two classes only.
    pub(super) fn f1(&self, is_corrected: bool) -> Spread {
        let errors = self.false_positive + self.false_negative;
        let relevant = self.true_positive + errors;
        let spread = Spread::of_share(self.true_positive, relevant, self.rows());
        let factor =
            if is_corrected { relevant / (0.5 * errors + self.true_positive) } else { 1.0 };
        Spread { deviation: spread.deviation * factor, ..spread }
    }

    pub(super) fn precision(&self) -> Spread {
        let said = self.true_positive + self.false_positive;
        Spread::of_share(self.true_positive, said, self.rows())
    }

    pub(super) fn recall(&self) -> Spread {
        let of_class = self.true_positive + self.false_negative;
        Spread::of_share(self.true_positive, of_class, self.rows())
    }

    pub(super) fn specificity(&self) -> Spread {
        let others = self.true_negative + self.false_positive;
        Spread::of_share(self.true_negative, others, self.rows())
    }
}

/// Of a share of all rows.
pub(super) fn of_right(right: usize, rows: usize) -> Spread {
    Spread::of_share(right as f64, rows as f64, rows as f64)
}

/// Of the area under the ROC curve: for each row of the rarer kind, the share of the others that it is above.
pub(super) fn roc_auc(scores: &[(f64, bool)]) -> Spread {
    let rows = scores.len() as f64;
    let of_class = scores.iter().filter(|(_, is_class)| *is_class).count() as f64;
    let is_turned = of_class / rows > 0.5;
    let turned = |&(score, is_class): &(f64, bool)| {
        if is_turned { (1.0 - score, !is_class) } else { (score, is_class) }
    };
    let mut scores: Vec<(f64, bool)> = scores.iter().map(turned).collect();
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let of_class = if is_turned { rows - of_class } else { of_class };
    // A row of the class that has the lowest score of all is passed over there, so it is here.
    let ranks = scores.iter().enumerate().skip(1).filter(|(_, row)| row.1).map(|(rank, _)| rank);
    let others = rows - of_class;
    let above: Vec<f64> =
        ranks.enumerate().map(|(number, rank)| (rank - number) as f64 / others).collect();
    Spread { deviation: deviation(&above), share: of_class / rows }
}

/// Of average precision, by drawing half of the rows again and again.
pub(super) fn average_precision(scores: &[(f64, bool)]) -> Spread {
    let rows = scores.len();
    let drawn = (rows / 2).clamp(1, DRAW_ROWS_MAX);
    let ranked = Ranked::new(scores);
    let draw = |draw: usize| {
        let mut random = FastRandom::new(SEED, draw as u64);
        let mut weights = vec![0_u32; rows];
        for _ in 0..drawn {
            weights[random.below(rows)] += 1;
        }
        // Without a row of the class scikit-learn says 0.
        let found = ranked.average_precision(&weights);
        if found.is_nan() { 0.0 } else { found }
    };
    let found: Vec<f64> = (0..DRAWS).map(draw).collect();
    Spread { deviation: deviation(&found), share: 1.0 / drawn as f64 }
}

/// The standard deviation, with all degrees of freedom (`numpy.std`).
pub(super) fn deviation(values: &[f64]) -> f64 {
    let rows = values.len() as f64;
    let mean = values.iter().sum::<f64>() / rows;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (squares / rows).sqrt()
}
