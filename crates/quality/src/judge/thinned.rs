//! An even part of the rows: drawing from very many rows again and again says no more than drawing from some.

use crate::metrics::{Judged, Probabilities};

/// Some of the rows; nothing where all are taken.
#[derive(Default)]
pub(super) struct Thinned {
    truth: Vec<String>,
    predicted: Vec<String>,
    probabilities: Option<Probabilities>,
    true_values: Vec<f64>,
    said_values: Vec<f64>,
}

impl Thinned {
    /// Every so manieth row.
    pub(super) fn new(judged: &Judged<'_>, step: usize) -> Self {
        if step <= 1 {
            return Self::default();
        }
        let thin = |values: &[f64]| values.iter().step_by(step).copied().collect::<Vec<f64>>();
        match *judged {
            Judged::Quantities { truth, predicted } => {
                Self { true_values: thin(truth), said_values: thin(predicted), ..Self::default() }
            }
            Judged::Classes { truth, predicted, probabilities, .. } => {
                let labels =
                    |all: &[String]| all.iter().step_by(step).cloned().collect::<Vec<String>>();
                let of = |all: &Probabilities| {
                    let rows = all.values.chunks(all.classes.len().max(1)).step_by(step);
                    Probabilities { values: rows.flatten().copied().collect(), ..all.clone() }
                };
                Self {
                    truth: labels(truth),
                    predicted: labels(predicted),
                    probabilities: probabilities.map(of),
                    ..Self::default()
                }
            }
        }
    }

    /// The part, or what it would be a part of.
    pub(super) fn judged<'a>(&'a self, all: &Judged<'a>) -> Judged<'a> {
        match *all {
            Judged::Quantities { .. } if !self.true_values.is_empty() => {
                Judged::Quantities { truth: &self.true_values, predicted: &self.said_values }
            }
            Judged::Classes { positive, .. } if !self.truth.is_empty() => Judged::Classes {
                truth: &self.truth,
                predicted: &self.predicted,
                probabilities: self.probabilities.as_ref(),
                positive,
            },
            whole => whole,
        }
    }
}
