//! Linear models: regressors, classifiers, generalised linear models, discriminant analysis.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, both, expit, labels_of_scores, no_method, softmax};
use super::reader::{Boxed, Reader};
use crate::contributions::Contributions;
use crate::explanation::Explained;
use crate::{Error, Result};

pub(super) const READERS: &[Reader] = &[
    Reader::new(
        "LinearRegression Ridge RidgeCV Lasso LassoCV ElasticNet ElasticNetCV SGDRegressor \
         LinearSVR HuberRegressor BayesianRidge ARDRegression Lars LarsCV LassoLars \
         LassoLarsCV LassoLarsIC OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV \
         TheilSenRegressor QuantileRegressor PassiveAggressiveRegressor MultiTaskLasso \
         MultiTaskLassoCV MultiTaskElasticNet MultiTaskElasticNetCV \
         PoissonRegressor GammaRegressor TweedieRegressor",
        |fields, _| regressor(fields),
    ),
    Reader::new(
        "LogisticRegression LogisticRegressionCV RidgeClassifier RidgeClassifierCV Perceptron \
         PassiveAggressiveClassifier LinearSVC SGDClassifier LinearDiscriminantAnalysis",
        |fields, _| classifier(fields),
    ),
    Reader::new("SGDOneClassSVM", |fields, _| one_class(fields)),
];

/// `X w + b`, perhaps through `exp`.
#[derive(Debug)]
struct Regressor {
    coefficients: Matrix,
    intercept: Vec<f64>,
    exponential: bool,
    /// Whether `predict` answers a matrix (the target was one) even for a single output.
    table: bool,
}

fn regressor(fields: Fields<'_>) -> Result<Boxed> {
    let exponential = match fields.name() {
        "PoissonRegressor" | "GammaRegressor" => true,
        "TweedieRegressor" => match fields.text("link", "auto") {
            "auto" => fields.float("power")? > 0.0,
            link => link == "log",
        },
        _ => false,
    };
    let coefficients = fields.matrix("coef_")?;
    Ok(Box::new(Regressor {
        intercept: fields.intercepts(coefficients.rows)?,
        coefficients,
        exponential,
        table: fields.array("coef_")?.shape.len() > 1,
    }))
}

impl Estimator for Regressor {
    fn predict(&self, x: &Table) -> Result<Output> {
        let mut result = x.times_transposed(&self.coefficients, &self.intercept)?;
        if self.exponential {
            result.values.iter_mut().for_each(|x| *x = x.exp());
        }
        Ok(if self.table { Output::Table(result) } else { Output::Values(result.values) })
    }

    fn explain(&self, x: &Table, background: Option<&Table>) -> Option<Result<Contributions>> {
        let explained = if self.exponential { Explained::Margin } else { Explained::Prediction };
        let functions = (&self.coefficients, self.intercept.as_slice());
        Some(explained_by(explained, functions, x, background))
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.coefficients.values.as_slice())
    }
}

/// What columns give to linear functions.
fn explained_by(
    explained: Explained,
    (coefficients, intercept): (&Matrix, &[f64]),
    x: &Table,
    background: Option<&Table>,
) -> Result<Contributions> {
    let x = x.finite()?;
    x.check_width(coefficients.columns)?;
    let background = background.map(Table::finite).transpose()?;
    let background = background.as_ref().map(|rows| rows.values.as_slice());
    let functions = (coefficients.values.as_slice(), intercept);
    Contributions::linear(explained, functions, x.columns, &x.values, background)
}

/// `SGDOneClassSVM`: which side of a hyperplane.
#[derive(Debug)]
struct OneClass {
    coefficients: Matrix,
    /// The offset, negated.
    intercept: Vec<f64>,
}

fn one_class(fields: Fields<'_>) -> Result<Boxed> {
    let intercept = fields.numbers("offset_")?.into_iter().map(|offset| -offset).collect();
    Ok(Box::new(OneClass { coefficients: fields.matrix("coef_")?, intercept }))
}

impl Estimator for OneClass {
    fn predict(&self, x: &Table) -> Result<Output> {
        let scores = self.decision_function(x)?.values;
        Ok(Output::Integers(scores.iter().map(|&x| if x >= 0.0 { 1 } else { -1 }).collect()))
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        x.times_transposed(&self.coefficients, &self.intercept)
    }

    fn explain(&self, x: &Table, background: Option<&Table>) -> Option<Result<Contributions>> {
        let functions = (&self.coefficients, self.intercept.as_slice());
        Some(explained_by(Explained::Margin, functions, x, background))
    }

    fn has_decision(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.coefficients.values.as_slice())
    }
}

/// How scores become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probabilities {
    None,
    /// A sigmoid for each class, rows divided by their sum.
    OneVsRest,
    Softmax,
    ModifiedHuber,
}

#[derive(Debug)]
struct Classifier {
    coefficients: Matrix,
    intercept: Vec<f64>,
    classes: Arc<Classes>,
    probabilities: Probabilities,
    /// Each class is a label of its own.
    multilabel: bool,
    /// Discriminant analysis also transforms.
    directions: Option<Directions>,
}

/// `(x - mean) w`
#[derive(Debug)]
struct Directions {
    mean: Option<Vec<f64>>,
    scalings: Matrix,
}

impl Directions {
    fn read(fields: Fields<'_>) -> Result<Self> {
        let scalings = fields.matrix("scalings_")?;
        let count = fields.count("_max_components")?.min(scalings.columns);
        let turned = (0..count).flat_map(|at| scalings.column(at)).collect();
        let mean = match fields.text("solver", "svd") {
            "svd" => Some(fields.numbers("xbar_")?),
            _ => None,
        };
        Ok(Self { mean, scalings: Matrix::new(count, scalings.rows, turned) })
    }
}

fn classifier(fields: Fields<'_>) -> Result<Boxed> {
    // Ridge classifiers before 1.8 keep their classes in the binarizer alone.
    let classes = match fields.optional("_label_binarizer").map(Fields) {
        Some(binarizer) if fields.optional("classes_").is_none() => {
            binarizer.classes("classes_")?
        }
        _ => fields.classes("classes_")?,
    };
    let coefficients = fields.matrix("coef_")?;
    let multilabel = fields
        .optional("_label_binarizer")
        .is_some_and(|binarizer| Fields(binarizer).text("y_type_", "").starts_with("multilabel"));
    let scores = coefficients.rows;
    let of_two = scores == 1 && (classes.len() == 2 || multilabel);
    if !of_two && (scores != classes.len() || scores == 1) {
        return Err(fields.malformed(format!("{scores} scores for {} classes", classes.len())));
    }
    let probabilities = match fields.name() {
        "LogisticRegression" | "LogisticRegressionCV" => match fields.text("multi_class", "auto") {
            "multinomial" => Probabilities::Softmax,
            "ovr" => Probabilities::OneVsRest,
            _ if classes.len() <= 2 || fields.text("solver", "lbfgs") == "liblinear" => {
                Probabilities::OneVsRest
            }
            _ => Probabilities::Softmax,
        },
        "LinearDiscriminantAnalysis" if classes.len() > 2 => Probabilities::Softmax,
        "LinearDiscriminantAnalysis" => Probabilities::OneVsRest,
        "SGDClassifier" => match fields.text("loss", "hinge") {
            "log_loss" | "log" => Probabilities::OneVsRest,
            "modified_huber" => Probabilities::ModifiedHuber,
            _ => Probabilities::None,
        },
        _ => Probabilities::None,
    };
    let intercept = fields.intercepts(scores)?;
    let directions = fields.optional("scalings_").map(|_| Directions::read(fields)).transpose()?;
    Ok(Box::new(Classifier {
        coefficients,
        intercept,
        classes,
        probabilities,
        multilabel,
        directions,
    }))
}

impl Estimator for Classifier {
    fn predict(&self, x: &Table) -> Result<Output> {
        let scores = self.decision_function(x)?;
        if self.multilabel {
            return Ok(Output::present(&scores, 0.0));
        }
        Ok(Output::Labels(labels_of_scores(&scores, 0.0), Arc::clone(&self.classes)))
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        x.times_transposed(&self.coefficients, &self.intercept)
    }

    fn explain(&self, x: &Table, background: Option<&Table>) -> Option<Result<Contributions>> {
        let functions = (&self.coefficients, self.intercept.as_slice());
        Some(explained_by(Explained::Margin, functions, x, background))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let mut scores = self.decision_function(x)?;
        let rows = scores.rows;
        match self.probabilities {
            Probabilities::None => {
                return Err(Error::Input("the model has no predict_proba".into()));
            }
            Probabilities::Softmax if scores.columns == 1 => {
                scores =
                    Matrix::new(rows, 2, scores.values.iter().flat_map(|&x| [-x, x]).collect());
                softmax(&mut scores);
            }
            Probabilities::Softmax => softmax(&mut scores),
            Probabilities::OneVsRest if scores.columns == 1 => {
                scores = both(scores.values.iter().map(|&x| expit(x)), rows);
            }
            Probabilities::OneVsRest => {
                for x in &mut scores.values {
                    *x = expit(*x);
                }
                divide_by_sum(&mut scores);
            }
            Probabilities::ModifiedHuber => {
                let squeeze = |x: f64| f64::midpoint(x.clamp(-1.0, 1.0), 1.0);
                if scores.columns == 1 {
                    return Ok(both(scores.values.iter().map(|&x| squeeze(x)), rows));
                }
                scores.values.iter_mut().for_each(|x| *x = squeeze(*x));
                for row in scores.each_row_mut().filter(|row| row.iter().all(|&p| p == 0.0)) {
                    row.fill(1.0);
                }
                divide_by_sum(&mut scores);
            }
        }
        Ok(scores)
    }

    fn transform(&self, x: Table) -> Result<Table> {
        let Some(directions) = &self.directions else {
            return Err(no_method("transform"));
        };
        let mut x = x.finite()?.into_owned();
        x.check_width(directions.scalings.columns)?;
        if let Some(mean) = &directions.mean {
            x.each_row_mut()
                .for_each(|row| row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean));
        }
        Ok(Table::Matrix(x.times_transposed(&directions.scalings, &[])?))
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(&self.classes)
    }

    fn has_proba(&self) -> bool {
        self.probabilities != Probabilities::None
    }

    fn has_decision(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize {
        size_of_val(self.coefficients.values.as_slice())
    }
}

/// Divides each row by its sum.
fn divide_by_sum(scores: &mut Matrix) {
    for row in scores.each_row_mut() {
        let sum: f64 = row.iter().sum();
        for x in row.iter_mut() {
            *x /= sum;
        }
    }
}
