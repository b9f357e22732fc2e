//! `CalibratedClassifierCV`: the mean of classifiers whose scores go through fitted curves.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max, expit, softmax};
use super::members::places;
use super::reader::{Boxed, Names, Nested, Reader};
use crate::Result;
use crate::numeric::interpolation::interpolate;
use crate::python::Value;

pub(super) const READERS: &[Reader] = &[Reader::new("CalibratedClassifierCV", Calibrated::read)
    .note("sigmoid, isotonic, temperature")
    .names(Names::Inner(&["calibrated_classifiers_", "estimator"]))];

/// `CalibratedClassifierCV`: the mean of classifiers whose scores go through fitted curves.
#[derive(Debug)]
struct Calibrated {
    parts: Vec<(Boxed, Vec<Curve>, Vec<usize>)>,
    classes: Arc<Classes>,
}

#[derive(Debug)]
enum Curve {
    Sigmoid {
        a: f64,
        b: f64,
    },
    Isotonic {
        x: Vec<f64>,
        y: Vec<f64>,
    },
    /// All scores at once: a softmax of logits times `beta`.
    Temperature {
        beta: f64,
    },
}

impl Curve {
    fn read(value: Value<'_>) -> Result<Self> {
        let fields = Fields(value);
        Ok(match fields.name() {
            "_SigmoidCalibration" => {
                Self::Sigmoid { a: fields.float("a_")?, b: fields.float("b_")? }
            }
            "IsotonicRegression" => {
                let x = fields.numbers("X_thresholds_")?;
                let y = fields.numbers("y_thresholds_")?;
                fields.check_length("y_thresholds_", y.len(), x.len())?;
                Self::Isotonic { x, y }
            }
            "_TemperatureScaling" => Self::Temperature { beta: fields.float("beta_")? },
            _ => return Err(fields.unsupported("calibration")),
        })
    }

    fn at(&self, score: f64) -> f64 {
        match self {
            Self::Sigmoid { a, b } => expit(-(a * score + b)),
            Self::Isotonic { x, y } => interpolate(x, y, score),
            Self::Temperature { .. } => score,
        }
    }
}

impl Calibrated {
    fn read(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
        let classes = fields.classes("classes_")?;
        let mut parts = Vec::new();
        for part in fields.items("calibrated_classifiers_")? {
            let part = Fields(part);
            let member =
                nested.load(part.value("estimator").or_else(|_| part.value("base_estimator"))?)?;
            let curves = part
                .items("calibrators")?
                .into_iter()
                .map(Curve::read)
                .collect::<Result<Vec<_>>>()?;
            if member.classes().is_some_and(|inner| inner.len() > classes.len()) {
                return Err(fields.malformed("classes_ are fewer than those of a member"));
            }
            let places = places(&*member, &classes, false);
            if curves.len() != 1 {
                fields.check_length("calibrators", curves.len(), places.len())?;
            }
            parts.push((member, curves, places));
        }
        if let Some(expected) = expected_parts(fields) {
            fields.check_length("calibrated_classifiers_", parts.len(), expected)?;
        }
        Ok(Box::new(Self { parts, classes }))
    }
}

/// How many classifiers there are by the parameters: one for each fold, or one of all rows.
fn expected_parts(fields: Fields<'_>) -> Option<usize> {
    let cv = fields.optional("cv");
    let estimator = fields.optional("estimator");
    let is_frozen = estimator.is_some_and(|it| Fields(it).name() == "FrozenEstimator");
    let ensemble = match fields.text("ensemble", "") {
        "auto" => !is_frozen,
        _ => fields.flag("ensemble", true),
    };
    if !ensemble || cv.and_then(Value::text) == Some("prefit") {
        return Some(1);
    }
    // Five without a number of folds, as everywhere in scikit-learn; splitters may say theirs.
    let folds = cv.map_or(Some(5), |cv| cv.int().or_else(|| cv.get("n_splits")?.int()))?;
    usize::try_from(folds).ok()
}

impl Estimator for Calibrated {
    fn predict(&self, x: &Table) -> Result<Output> {
        Ok(Output::Labels(
            self.predict_proba(x)?.each_row().map(arg_max).collect(),
            Arc::clone(&self.classes),
        ))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let classes = self.classes.len();
        let mut sums = Matrix::zeros(x.rows(), classes)?;
        for (member, curves, places) in &self.parts {
            let mut scores = if member.has_decision() {
                member.decision_function(x)?
            } else {
                member.predict_proba(x)?
            };
            if let [Curve::Temperature { beta }] = curves.as_slice() {
                let shares = cooled(scores, *beta, member.has_decision());
                sums.values.iter_mut().zip(&shares.values).for_each(|(sum, share)| *sum += share);
                continue;
            }
            if classes == 2 && scores.columns == 2 {
                scores = scores.select(&[1])?;
            }
            for (sums, scores) in sums.each_row_mut().zip(scores.each_row()) {
                let shares = shares(scores, curves, places, classes);
                sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
            }
        }
        sums.values.iter_mut().for_each(|sum| *sum /= self.parts.len() as f64);
        Ok(sums)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(&self.classes)
    }

    fn has_proba(&self) -> bool {
        true
    }

    fn parts(&self) -> Vec<&dyn Estimator> {
        self.parts.iter().map(|(member, _, _)| &**member).collect()
    }
}

/// Scores through their curves, as shares of one.
fn shares(scores: &[f64], curves: &[Curve], places: &[usize], classes: usize) -> Vec<f64> {
    let mut shares = vec![0.0; classes];
    for (at, (score, curve)) in scores.iter().zip(curves).enumerate() {
        let place = if classes == 2 { 1 } else { places.get(at).copied().unwrap_or(at) };
        if let Some(share) = shares.get_mut(place) {
            *share = curve.at(*score);
        }
    }
    if let [first, second] = shares.as_mut_slice() {
        *first = 1.0 - *second;
    } else {
        let total: f64 = shares.iter().sum();
        let even = 1.0 / classes as f64;
        for share in &mut shares {
            *share = if total == 0.0 { even } else { *share / total };
        }
    }
    // Within a rounding error of 1 from above.
    shares
        .iter_mut()
        .filter(|share| **share > 1.0 && **share <= 1.0 + 1e-5)
        .for_each(|share| *share = 1.0);
    shares
}

/// Logits times `beta`, as probabilities. Scores of one column become those of two classes, and
/// probabilities their logarithms.
fn cooled(scores: Matrix, beta: f64, decisions: bool) -> Matrix {
    const EPSILON: f64 = 1e-12;
    let mut logits = match (decisions, scores.columns) {
        (true, 1) => {
            Matrix::new(scores.rows, 2, scores.values.iter().flat_map(|&x| [-x, x]).collect())
        }
        (true, _) => scores,
        (false, _) => Matrix {
            values: scores.values.into_iter().map(|p| (p + EPSILON).ln()).collect(),
            ..scores
        },
    };
    logits.values.iter_mut().for_each(|x| *x *= beta);
    softmax(&mut logits);
    logits
}
