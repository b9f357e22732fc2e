//! Confidence-based performance estimation: the quality of a classifier before there are labels.
//!
//! A model whose probabilities are right says itself how often it is wrong. CBPE calibrates the probabilities on a
//! reference with labels, and takes the expectation of each metric over them. It holds as long as the inputs alone
//! have changed: where the same inputs have other labels than before (concept drift), only labels show it.
//!
//! The numbers are those of NannyML 0.13.1 (`CBPE` for two and more classes; the mean over the classes, each
//! against the rest, for more than two). A reference must be of rows that the model did not learn from.

use super::calibration::Calibration;
use super::expected::{self, ExpectedCounts};
use super::sampling_error::{self, Counts, Spread};
use crate::metrics::{Judged, Probabilities, ranking};
use crate::{Error, Result};

/// Standard errors on each side of an estimate that its band has, as NannyML's (`SAMPLING_ERROR_RANGE`).
pub(super) const BAND_ERRORS: f64 = 3.0;

/// What correlated classes add to the error of a mean area, by experiments of NannyML's.
const AREAS_FACTOR: f64 = 1.2;

/// A metric as it is expected to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// As in training: `roc_auc`, `accuracy`, `f1` of two classes, `f1_macro` of more, and so on.
    pub metric: &'static str,
    pub value: f64,
    /// Standard error that comes of how many rows there are.
    pub sampling_error: f64,
    /// Ends of the band around it, three errors away.
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// With the band cut off at what the metric can be.
    pub(super) fn new(
        metric: &'static str,
        value: f64,
        sampling_error: f64,
        (least, most): (f64, f64),
    ) -> Self {
        let half = BAND_ERRORS * sampling_error;
        let (low, high) = ((value - half).max(least), (value + half).min(most));
        Self { metric, value, sampling_error, low, high }
    }
}

/// Metrics of one class, in one order everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OfClass {
    RocAuc,
    AveragePrecision,
    F1,
    Precision,
    Recall,
    Specificity,
}

impl OfClass {
    const ALL: [Self; 6] = [
        Self::RocAuc,
        Self::AveragePrecision,
        Self::F1,
        Self::Precision,
        Self::Recall,
        Self::Specificity,
    ];

    /// The name for two classes, and that of the mean over more.
    fn name(self, is_binary: bool) -> &'static str {
        match (self, is_binary) {
            (Self::RocAuc, _) => "roc_auc",
            (Self::AveragePrecision, true) => "average_precision",
            (Self::AveragePrecision, false) => "average_precision_macro",
            (Self::F1, true) => "f1",
            (Self::F1, false) => "f1_macro",
            (Self::Precision, true) => "precision",
            (Self::Precision, false) => "precision_macro",
            (Self::Recall, true) => "recall",
            (Self::Recall, false) => "recall_macro",
            (Self::Specificity, true) => "specificity",
            (Self::Specificity, false) => "specificity_macro",
        }
    }

    /// What the error of this metric comes from: scores and truth, and truth and answers of the reference.
    fn spread(self, scores: &[(f64, bool)], counts: &Counts, is_binary: bool) -> Spread {
        match self {
            Self::RocAuc => sampling_error::roc_auc(scores),
            Self::AveragePrecision => sampling_error::average_precision(scores),
            Self::F1 => counts.f1(is_binary),
            Self::Precision => counts.precision(),
            Self::Recall => counts.recall(),
            Self::Specificity => counts.specificity(),
        }
    }

    /// The expectation: `scored` are rows with score and probability.
    fn expected(self, scored: &[(f64, f64)], counts: &ExpectedCounts) -> f64 {
        match self {
            Self::RocAuc => expected::roc_auc(scored),
            Self::AveragePrecision => expected::average_precision(scored),
            Self::F1 => counts.f1(),
            Self::Precision => counts.precision(),
            Self::Recall => counts.recall(),
            Self::Specificity => counts.specificity(),
        }
    }
}

/// What is known of a class from the reference.
#[derive(Debug, Clone)]
struct OfReference {
    /// Position among the classes.
    class: usize,
    calibration: Calibration,
    /// One for each of [`OfClass::ALL`].
    spreads: Vec<Spread>,
}

/// An estimator that has seen a reference.
#[derive(Debug, Clone)]
pub struct Cbpe {
    classes: Vec<String>,
    /// The positive class of two, or each of more.
    known: Vec<OfReference>,
    accuracy: Spread,
}

impl Cbpe {
    /// Learns from labelled rows with their probabilities. Of two classes the positive one counts, which is the
    /// second if none is named. Of more, every one must have rows.
    pub fn fit(reference: &Judged<'_>) -> Result<Option<Self>> {
        let rows = reference.rows()?;
        let Judged::Classes { truth, predicted, probabilities: Some(probabilities), positive } =
            *reference
        else {
            return Ok(None);
        };
        let Some(labels) = ranking::labels(truth, probabilities)? else {
            let is_unknown = |label: &&String| probabilities.position(label).is_none();
            let class = truth.iter().find(is_unknown).cloned().unwrap_or_default();
            return Err(Error::UnknownClass { class });
        };
        let classes = &probabilities.classes;
        let is_binary = classes.len() == 2;
        let looked_at: Vec<usize> = if is_binary {
            vec![positive.and_then(|class| probabilities.position(class)).unwrap_or(1)]
        } else {
            (0..classes.len()).collect()
        };
        if let Some(unseen) = looked_at.iter().find(|class| !is_binary && !labels.contains(class)) {
            return Err(Error::UnseenClass { class: classes[*unseen].clone() });
        }
        let know = |class: usize| -> Result<OfReference> {
            let scores = ranking::scores(class, &labels, probabilities);
            let said = predicted.iter().map(|label| *label == classes[class]);
            let counts = Counts::new(labels.iter().map(|&label| label == class).zip(said));
            let spreads =
                OfClass::ALL.iter().map(|metric| metric.spread(&scores, &counts, is_binary));
            Ok(OfReference {
                class,
                spreads: spreads.collect(),
                calibration: Calibration::fit(&scores)?,
            })
        };
        let known = looked_at.into_iter().map(know).collect::<Result<Vec<_>>>()?;
        let right = truth.iter().zip(predicted).filter(|(truth, said)| truth == said).count();
        let accuracy = sampling_error::of_right(right, rows);
        Ok(Some(Self { classes: classes.clone(), known, accuracy }))
    }

    /// The classes that probabilities must be of, in this order.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Whether scores of each class that is looked at are calibrated.
    pub fn calibrated(&self) -> Vec<bool> {
        self.known.iter().map(|class| class.calibration.is_needed()).collect()
    }

    /// The expected metrics of rows without labels. Those that are not defined are NaN. The classes must be those of
    /// the reference, in its order.
    pub fn estimate(
        &self,
        predicted: &[String],
        probabilities: &Probabilities,
    ) -> Result<Vec<Estimate>> {
        // Their number and range are checked there.
        ranking::labels(predicted, probabilities)?;
        if probabilities.classes != self.classes {
            let (found, expected) = (probabilities.classes.len(), self.classes.len());
            return Err(Error::OtherColumns { found, expected });
        }
        let rows = predicted.len();
        let is_binary = self.classes.len() == 2;
        let calibrated = self.probabilities(probabilities);
        let mut expected: Vec<Vec<f64>> = vec![Vec::new(); OfClass::ALL.len()];
        let mut right = 0.0;
        for (known, calibrated) in self.known.iter().zip(&calibrated) {
            let class = &self.classes[known.class];
            let said = || predicted.iter().map(move |label| label == class);
            let counts = ExpectedCounts::new(calibrated.iter().copied().zip(said()));
            let scores = probabilities.of(known.class);
            let scored: Vec<(f64, f64)> =
                scores.into_iter().zip(calibrated.iter().copied()).collect();
            for (metric, values) in OfClass::ALL.iter().zip(&mut expected) {
                values.push(metric.expected(&scored, &counts));
            }
            right += if is_binary {
                counts.accuracy() * rows as f64
            } else {
                said().zip(calibrated).filter(|(is_said, _)| *is_said).map(|(_, p)| p).sum::<f64>()
            };
        }
        let share = (0.0, 1.0);
        let mean = |(number, metric): (usize, &OfClass)| {
            let value = expected[number].iter().sum::<f64>() / expected[number].len() as f64;
            let error = self.error(number, *metric, rows);
            Estimate::new(metric.name(is_binary), value, error, share)
        };
        let mut estimates: Vec<Estimate> = OfClass::ALL.iter().enumerate().map(mean).collect();
        let accuracy = right / rows as f64;
        estimates.push(Estimate::new("accuracy", accuracy, self.accuracy.error(rows), share));
        Ok(estimates)
    }

    /// The error of a metric, or of its mean over the classes.
    fn error(&self, number: usize, metric: OfClass, rows: usize) -> f64 {
        let variances: f64 =
            self.known.iter().map(|class| class.spreads[number].variance(rows)).sum();
        let classes = self.known.len() as f64;
        match metric {
            OfClass::RocAuc if classes > 1.0 => AREAS_FACTOR * variances.sqrt() / classes,
            // Of this metric NannyML takes the classes to go together.
            OfClass::AveragePrecision => (variances / classes).sqrt(),
            _ => variances.sqrt() / classes,
        }
    }

    /// Calibrated probabilities of each class that is looked at. Of more than two they add up to 1 in each row.
    fn probabilities(&self, probabilities: &Probabilities) -> Vec<Vec<f64>> {
        let of = |class: &OfReference| -> Vec<f64> {
            let scores = probabilities.of(class.class).into_iter();
            scores.map(|score| class.calibration.probability(score)).collect()
        };
        let mut all: Vec<Vec<f64>> = self.known.iter().map(of).collect();
        if all.len() > 1 {
            let (rows, classes) = (all[0].len(), all.len() as f64);
            for row in 0..rows {
                let sum: f64 = all.iter().map(|class| class[row]).sum();
                for class in &mut all {
                    class[row] = if sum == 0.0 { 1.0 / classes } else { class[row] / sum };
                }
            }
        }
        all
    }
}
