//! What CatBoost's classes make of the sums of trees.

use super::file::{File, malformed, unsupported};
use super::labels;
use crate::labels::Labels;
use crate::{Error, Result};

/// A class of CatBoost's Python package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Answers sums.
    CatBoost,
    Classifier,
    Regressor,
    Ranker,
}

impl Class {
    /// The class of this name, without its module.
    pub(crate) fn named(name: &str) -> Result<Self> {
        Ok(match name.rsplit('.').next().unwrap_or_default() {
            "CatBoost" => Self::CatBoost,
            "CatBoostClassifier" => Self::Classifier,
            "CatBoostRegressor" => Self::Regressor,
            "CatBoostRanker" => Self::Ranker,
            _ => return Err(unsupported(format!("the class {name:?}"))),
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CatBoost => "CatBoost",
            Self::Classifier => "CatBoostClassifier",
            Self::Regressor => "CatBoostRegressor",
            Self::Ranker => "CatBoostRanker",
        }
    }
}

/// What a model was trained for.
#[derive(Debug, Clone)]
pub(super) struct Purpose {
    /// The name of the loss; empty if the file does not say it, as sums of models do not.
    loss: String,
    labels: Option<Labels>,
    /// The sum above which a row is of the second of two classes.
    threshold: f64,
}

/// What an answer is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// So many values a row, row-major.
    Values(Vec<f64>, usize),
    /// The number of a class for each row; in Python a column of its own where there are more than two.
    Chosen { classes: Vec<usize>, is_table: bool },
    /// Zeros and ones, so many a row: the labels that are there.
    Present(Vec<i64>, usize),
}

impl Purpose {
    pub(super) fn read(file: &File) -> Result<Self> {
        let of_params = file.said("params").and_then(|params| params.get("loss_function").cloned());
        let loss = of_params.or_else(|| file.said("loss_function"));
        let loss = match loss.as_ref().map(|loss| (loss, loss.get("type"))) {
            Some((_, Some(name))) => name.text().unwrap_or_default().to_owned(),
            Some((loss, None)) => loss.text().unwrap_or_default().to_owned(),
            None => String::new(),
        };
        let probability =
            match file.info.iter().find(|(name, _)| name == "binclass_probability_threshold") {
                Some((_, said)) => {
                    let said = said.number().filter(|x| *x > 0.0 && *x < 1.0);
                    said.ok_or_else(|| {
                        malformed("binclass_probability_threshold is no probability")
                    })?
                }
                None => 0.5,
            };
        let purpose =
            Self { loss, labels: labels::read(file)?, threshold: -(1.0 / probability - 1.0).ln() };
        let (outputs, labels) = (file.outputs(), purpose.labels.as_ref().map(Labels::len));
        let fits = match (purpose.labels.is_some() && !purpose.is_several(), outputs) {
            (false, _) => true,
            (true, 1) => labels == Some(2),
            (true, outputs) => labels == Some(outputs),
        };
        if !fits {
            return Err(malformed(format!("{labels:?} labels for {outputs} outputs")));
        }
        Ok(purpose)
    }

    pub(super) fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// The class that is trained with such a loss.
    pub(super) fn class(&self) -> Class {
        const CLASSIFICATION: [&str; 7] = [
            "Logloss",
            "CrossEntropy",
            "Focal",
            "MultiClass",
            "MultiClassOneVsAll",
            "MultiLogloss",
            "MultiCrossEntropy",
        ];
        if self.labels.is_some() && CLASSIFICATION.contains(&self.loss.as_str()) {
            Class::Classifier
        } else {
            Class::Regressor
        }
    }

    /// Whether each output is a label of its own, present or not.
    pub(super) fn is_several(&self) -> bool {
        matches!(self.loss.as_str(), "MultiLogloss" | "MultiCrossEntropy")
    }

    /// Whether what a class answers are the sums themselves.
    pub(super) fn answers_sums(&self, class: Class) -> bool {
        match class {
            Class::CatBoost | Class::Ranker => true,
            Class::Classifier => false,
            Class::Regressor => {
                !matches!(self.loss.as_str(), "Poisson" | "Tweedie" | "RMSEWithUncertainty")
            }
        }
    }

    /// What `predict` answers.
    pub(super) fn predict(&self, class: Class, mut sums: Vec<f64>, outputs: usize) -> Answer {
        if class == Class::Classifier {
            return self.chosen(&sums, outputs);
        }
        if !self.answers_sums(class) {
            if self.loss == "RMSEWithUncertainty" {
                // A mean, and the logarithm of a deviation.
                let deviations = sums.iter_mut().skip(1).step_by(2);
                deviations.for_each(|x| *x = (2.0 * *x).exp());
            } else {
                for x in &mut sums {
                    *x = x.exp();
                }
            }
        }
        Answer::Values(sums, outputs)
    }

    fn chosen(&self, sums: &[f64], outputs: usize) -> Answer {
        if self.is_several() {
            return Answer::Present(
                sums.iter().map(|&x| i64::from(x > self.threshold)).collect(),
                outputs,
            );
        }
        if outputs == 1 {
            let classes = sums.iter().map(|&x| usize::from(x > self.threshold)).collect();
            return Answer::Chosen { classes, is_table: false };
        }
        let largest = |row: &[f64]| {
            let larger = |best: (usize, f64), (at, &x): (usize, &f64)| {
                if x > best.1 { (at, x) } else { best }
            };
            row.iter().enumerate().fold((0, f64::NEG_INFINITY), larger).0
        };
        let classes = sums.chunks_exact(outputs.max(1)).map(largest).collect();
        Answer::Chosen { classes, is_table: true }
    }

    /// Refuses a model that does not know how probable its classes are.
    pub(super) fn check_probabilities(&self) -> Result<()> {
        if self.class() == Class::Classifier {
            return Ok(());
        }
        Err(Error::Unsupported {
            what: format!("the probability of a CatBoost model of the loss {:?}", self.loss),
            hint: "classifiers are asked for it".to_owned(),
        })
    }

    /// How probable each class is, and how many there are.
    pub(super) fn probabilities(&self, mut sums: Vec<f64>, outputs: usize) -> (Vec<f64>, usize) {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        if outputs == 1 {
            let both = |x: f64| [1.0 - sigmoid(x), sigmoid(x)];
            return (sums.into_iter().flat_map(both).collect(), 2);
        }
        if self.is_several() || self.loss == "MultiClassOneVsAll" {
            for x in &mut sums {
                *x = sigmoid(*x);
            }
            return (sums, outputs);
        }
        for row in sums.chunks_exact_mut(outputs) {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for x in row.iter_mut() {
                *x = (*x - most).exp();
            }
            let sum: f64 = row.iter().sum();
            for x in row.iter_mut() {
                *x /= sum;
            }
        }
        (sums, outputs)
    }
}
