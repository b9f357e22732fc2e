//! Classifiers by the distance to the middle of each class: quadratic discriminants and nearest centroids.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max, matrix, numbers, softmax};
use super::nearest::Metric;
use super::reader::{Boxed, Reader};
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[
    Reader::new("QuadraticDiscriminantAnalysis", |fields, _| Quadratic::read(fields)),
    Reader::new("NearestCentroid", |fields, _| Nearest::read(fields)),
];

/// A classifier by a score of each class: the logarithm of how likely it is, but for what all classes of a row share.
trait Scores: Send + Sync + std::fmt::Debug {
    fn scores(&self, x: &Table) -> Result<Matrix>;

    /// The class of each row.
    fn chosen(&self, x: &Table) -> Result<Vec<usize>> {
        Ok(self.scores(x)?.each_row().map(arg_max).collect())
    }

    fn classes(&self) -> &Arc<Classes>;

    /// Whether scores are anything but a choice.
    fn has_scores(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize;
}

/// [`Scores`] as an estimator.
#[derive(Debug)]
struct ByScores<T>(T);

impl<T: Scores> Estimator for ByScores<T> {
    fn predict(&self, x: &Table) -> Result<Output> {
        Ok(Output::Labels(self.0.chosen(x)?, Arc::clone(self.0.classes())))
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        Ok(decisions(self.0.scores(x)?))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        self.0.scores(x).map(shares)
    }

    fn predict_log_proba(&self, x: &Table) -> Result<Matrix> {
        self.0.scores(x).map(log_shares)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(self.0.classes())
    }

    fn has_proba(&self) -> bool {
        self.0.has_scores()
    }

    fn has_decision(&self) -> bool {
        self.0.has_scores()
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}

/// The log posterior of each class, but for what all of a row share.
fn decisions(scores: Matrix) -> Matrix {
    if scores.columns != 2 {
        return scores;
    }
    let differences = scores.each_row().map(|row| match row {
        [first, second] => second - first,
        _ => f64::NAN,
    });
    Matrix::new(scores.rows, 1, differences.collect())
}

/// The probability of each class.
fn shares(mut scores: Matrix) -> Matrix {
    softmax(&mut scores);
    scores
}

/// Logarithms of the probabilities, also of those that are too small for one.
fn log_shares(mut scores: Matrix) -> Matrix {
    for row in scores.each_row_mut() {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = row.iter().map(|x| (x - max).exp()).sum::<f64>().ln();
        for x in row {
            *x = *x - max - sum;
        }
    }
    scores
}

/// `QuadraticDiscriminantAnalysis`: a normal distribution for each class.
#[derive(Debug)]
struct Quadratic {
    normals: Vec<Normal>,
    width: usize,
    classes: Arc<Classes>,
}

#[derive(Debug)]
struct Normal {
    mean: Vec<f64>,
    /// The axes of the class, each divided by its spread; one a row.
    axes: Matrix,
    /// Sum of the logarithms of the variances along the axes.
    log_volume: f64,
    log_prior: f64,
}

impl Quadratic {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        let classes = fields.classes("classes_")?;
        let means = fields.matrix("means_")?;
        let width = means.columns;
        let (rotations, scalings) = (fields.items("rotations_")?, fields.items("scalings_")?);
        let priors = fields.numbers("priors_")?;
        for (name, found) in [
            ("means_", means.rows),
            ("rotations_", rotations.len()),
            ("scalings_", scalings.len()),
            ("priors_", priors.len()),
        ] {
            fields.check_length(name, found, classes.len())?;
        }
        let mut normals = Vec::with_capacity(classes.len());
        let axes = rotations.into_iter().zip(scalings);
        for ((rotation, scaling), (mean, prior)) in axes.zip(means.each_row().zip(&priors)) {
            let (Some(rotation), Some(scaling)) = (matrix(rotation), numbers(scaling)) else {
                return Err(fields.malformed("rotations_ or scalings_ hold no numbers"));
            };
            fields.check_length("an entry of rotations_", rotation.rows, width)?;
            fields.check_length("an entry of scalings_", scaling.len(), rotation.columns)?;
            let each = scaling.iter().enumerate();
            let axes = each.flat_map(|(at, scale)| {
                let spread = scale.powf(-0.5);
                rotation.column(at).into_iter().map(move |x| x * spread)
            });
            normals.push(Normal {
                mean: mean.to_vec(),
                axes: Matrix::new(scaling.len(), width, axes.collect()),
                log_volume: scaling.iter().map(|scale| scale.ln()).sum(),
                log_prior: prior.ln(),
            });
        }
        Ok(Box::new(ByScores(Self { normals, width, classes })))
    }
}

impl Scores for Quadratic {
    fn scores(&self, x: &Table) -> Result<Matrix> {
        let x = x.finite()?;
        x.check_width(self.width)?;
        let mut scores = Matrix::zeros(x.rows, self.normals.len())?;
        for (row, scores) in x.each_row().zip(scores.each_row_mut()) {
            for (score, normal) in scores.iter_mut().zip(&self.normals) {
                *score = normal.log_density(row);
            }
        }
        Ok(scores)
    }

    fn classes(&self) -> &Arc<Classes> {
        &self.classes
    }

    fn size_bytes(&self) -> usize {
        self.normals.iter().map(|normal| size_of_val(normal.axes.values.as_slice())).sum()
    }
}

impl Normal {
    fn log_density(&self, row: &[f64]) -> f64 {
        let centred: Vec<f64> = row.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect();
        let along = |axis: &[f64]| axis.iter().zip(&centred).map(|(a, x)| a * x).sum::<f64>();
        let distance: f64 = self.axes.each_row().map(|axis| along(axis).powi(2)).sum();
        -0.5 * (distance + self.log_volume) + self.log_prior
    }
}

/// `NearestCentroid`: the class whose middle is nearest, perhaps after the priors of the classes.
#[derive(Debug)]
struct Nearest {
    centroids: Matrix,
    metric: Metric,
    classes: Arc<Classes>,
    /// Where the version has them (since 1.6).
    weights: Option<Weights>,
}

/// What scores take into account beside distances.
#[derive(Debug)]
struct Weights {
    /// Spread of each column within classes; one where there is none.
    spreads: Vec<f64>,
    log_priors: Vec<f64>,
    /// Priors that are all the same change no choice; then distances alone choose.
    is_even: bool,
}

impl Nearest {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        let classes = fields.classes("classes_")?;
        let centroids = fields.matrix("centroids_")?;
        fields.check_length("centroids_", centroids.rows, classes.len())?;
        let metric = match fields.text("metric", "") {
            "euclidean" => Metric::Euclidean,
            "manhattan" => Metric::Manhattan,
            other => return Err(fields.unsupported(format!("metric {other:?}"))),
        };
        let weights = fields
            .optional_numbers("class_prior_")?
            .map(|priors| -> Result<Weights> {
                fields.check_length("class_prior_", priors.len(), classes.len())?;
                let mut spreads = fields.numbers("within_class_std_dev_")?;
                fields.check_length("within_class_std_dev_", spreads.len(), centroids.columns)?;
                spreads.iter_mut().filter(|x| **x == 0.0).for_each(|x| *x = 1.0);
                let even = 1.0 / classes.len() as f64;
                // As close as NumPy's isclose has it.
                let is_even = priors.iter().all(|x| (x - even).abs() <= 1e-8 + 1e-5 * even);
                let log_priors = priors.into_iter().map(f64::ln).collect();
                Ok(Weights { spreads, log_priors, is_even })
            })
            .transpose()?;
        Ok(Box::new(ByScores(Self { centroids, metric, classes, weights })))
    }

    fn nearest(&self, x: &Table) -> Result<Vec<usize>> {
        let x = x.finite()?;
        x.check_width(self.centroids.columns)?;
        let nearness = |row: &[f64]| -> Vec<f64> {
            self.centroids.each_row().map(|to| -self.metric.reduced(row, to)).collect()
        };
        Ok(x.each_row().map(|row| arg_max(&nearness(row))).collect())
    }
}

impl Scores for Nearest {
    fn scores(&self, x: &Table) -> Result<Matrix> {
        let Some(weights) = &self.weights else {
            return Err(Error::Input("the model has no decision_function".into()));
        };
        let x = x.finite()?;
        x.check_width(self.centroids.columns)?;
        let scaled = |row: &[f64]| -> Vec<f64> {
            row.iter().zip(&weights.spreads).map(|(x, spread)| x / spread).collect()
        };
        let centroids: Vec<Vec<f64>> = self.centroids.each_row().map(scaled).collect();
        let mut scores = Matrix::zeros(x.rows, centroids.len())?;
        for (row, scores) in x.each_row().zip(scores.each_row_mut()) {
            let row = scaled(row);
            let each = centroids.iter().zip(&weights.log_priors);
            for (score, (centroid, log_prior)) in scores.iter_mut().zip(each) {
                let distance = self.metric.distance(self.metric.reduced(&row, centroid));
                *score = -(distance * distance) + 2.0 * log_prior;
            }
        }
        Ok(scores)
    }

    fn chosen(&self, x: &Table) -> Result<Vec<usize>> {
        match &self.weights {
            Some(weights) if !weights.is_even => {
                Ok(self.scores(x)?.each_row().map(arg_max).collect())
            }
            _ => self.nearest(x),
        }
    }

    fn classes(&self) -> &Arc<Classes> {
        &self.classes
    }

    fn has_scores(&self) -> bool {
        self.weights.is_some() && matches!(self.metric, Metric::Euclidean)
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.centroids.values.as_slice())
    }
}
