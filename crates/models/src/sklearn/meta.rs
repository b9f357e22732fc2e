//! Estimators made of estimators: voting, stacking, bagging, AdaBoost, one against the rest, several
//! outputs, calibration.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{
    Estimator, Fields, arg_max, both, expit, labels_of_scores, numbers, softmax,
};
use crate::python::Value;
use crate::{Error, Result};

type Boxed = Box<dyn Estimator>;

pub(super) fn load(fields: Fields<'_>, depth: usize) -> Result<Option<Boxed>> {
    Ok(Some(match fields.name() {
        "VotingClassifier" | "VotingRegressor" => Box::new(Voting::read(fields, depth)?),
        "StackingClassifier" | "StackingRegressor" => Box::new(Stacking::read(fields, depth)?),
        "BaggingClassifier" | "BaggingRegressor" => Box::new(Bagging::read(fields, depth)?),
        "AdaBoostClassifier" => Box::new(AdaBoost::read(fields, depth)?),
        "AdaBoostRegressor" => Box::new(AdaBoostRegressor::read(fields, depth)?),
        "OneVsRestClassifier" => Box::new(OneVsRest::read(fields, depth)?),
        "_ConstantPredictor" => Box::new(Constant(fields.float("y_")?)),
        "MultiOutputClassifier" | "MultiOutputRegressor" => {
            Box::new(MultiOutput(members(fields, "estimators_", depth)?))
        }
        "CalibratedClassifierCV" => Box::new(Calibrated::read(fields, depth)?),
        "TransformedTargetRegressor"
            if fields.optional("func").is_none() && fields.optional("transformer").is_none() =>
        {
            super::load(fields.value("regressor_")?, depth + 1)?
        }
        "FrozenEstimator" => super::load(fields.value("estimator")?, depth + 1)?,
        "SelectFromModel" => return Err(fields.unsupported("selection by a model")),
        _ => return Ok(None),
    }))
}

/// A booster inside scikit-learn's wrappers.
pub(super) fn booster(fields: Fields<'_>) -> Result<Boxed> {
    super::boosters::load(fields)
}

fn members(fields: Fields<'_>, name: &str, depth: usize) -> Result<Vec<Boxed>> {
    fields
        .items(name)?
        .into_iter()
        .filter(|value| value.text() != Some("drop"))
        .map(|value| super::load(value, depth + 1))
        .collect()
}

fn total_size(members: &[Boxed]) -> usize {
    members.iter().map(|member| member.size_bytes()).sum()
}

/// Where each class of a member is among the classes of the whole. Members are trained on the classes
/// themselves or on their numbers.
fn places(member: &dyn Estimator, classes: &Classes, encoded: bool) -> Vec<usize> {
    let Some(inner) = member.classes() else { return (0..classes.len()).collect() };
    (0..inner.len())
        .map(|at| {
            if encoded {
                return inner.number(at).map_or(at, |number| number as usize);
            }
            (0..classes.len()).find(|&outer| classes.same(outer, inner, at)).unwrap_or(at)
        })
        .collect()
}

#[derive(Debug)]
struct Voting {
    members: Vec<Boxed>,
    weights: Vec<f64>,
    classes: Option<Arc<Classes>>,
    soft: bool,
}

impl Voting {
    fn read(fields: Fields<'_>, depth: usize) -> Result<Self> {
        let members = members(fields, "estimators_", depth)?;
        let mut weights = fields.optional_numbers("weights")?.unwrap_or_default();
        // Weights are given for all estimators, also those that are dropped.
        let dropped: Vec<bool> = fields
            .items("estimators")?
            .iter()
            .map(|pair| {
                pair.items().and_then(|pair| pair.get(1).copied()).and_then(Value::text)
                    == Some("drop")
            })
            .collect();
        if weights.is_empty() {
            weights = vec![1.0; members.len()];
        } else {
            let mut dropped = dropped.into_iter();
            weights.retain(|_| dropped.next() != Some(true));
        }
        let classes = if fields.name() == "VotingClassifier" {
            Some(fields.classes("classes_")?)
        } else {
            None
        };
        Ok(Self { members, weights, classes, soft: fields.text("voting", "hard") == "soft" })
    }
}

impl Estimator for Voting {
    fn predict(&self, x: &Table) -> Result<Output> {
        let Some(classes) = &self.classes else {
            let mut sums = vec![0.0; x.rows()];
            for (member, weight) in self.members.iter().zip(&self.weights) {
                for (sum, value) in sums.iter_mut().zip(member.predict(x)?.numbers()?.values) {
                    *sum += value * weight;
                }
            }
            let total: f64 = self.weights.iter().sum();
            return Ok(Output::Values(sums.into_iter().map(|sum| sum / total).collect()));
        };
        let votes = if self.soft {
            self.predict_proba(x)?
        } else {
            let mut votes = Matrix::zeros(x.rows(), classes.len())?;
            for (member, weight) in self.members.iter().zip(&self.weights) {
                for (row, vote) in votes.each_row_mut().zip(member.predict(x)?.numbers()?.values) {
                    if let Some(votes) = row.get_mut(vote as usize) {
                        *votes += weight;
                    }
                }
            }
            votes
        };
        Ok(Output::Labels(votes.each_row().map(arg_max).collect(), Arc::clone(classes)))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let classes = self
            .classes
            .as_ref()
            .filter(|_| self.soft)
            .ok_or_else(|| Error::Input("hard voting has no predict_proba".into()))?;
        let mut sums = Matrix::zeros(x.rows(), classes.len())?;
        for (member, weight) in self.members.iter().zip(&self.weights) {
            let shares = member.predict_proba(x)?;
            sums.values
                .iter_mut()
                .zip(&shares.values)
                .for_each(|(sum, share)| *sum += share * weight);
        }
        let total: f64 = self.weights.iter().sum();
        sums.values.iter_mut().for_each(|sum| *sum /= total);
        Ok(sums)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.soft && self.classes.is_some()
    }

    fn size_bytes(&self) -> usize {
        total_size(&self.members)
    }
}

#[derive(Debug)]
struct Stacking {
    members: Vec<(Boxed, Ask)>,
    last: Boxed,
    passthrough: bool,
    classes: Option<Arc<Classes>>,
}

/// What a stacked member is asked.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Predict,
    Proba,
    Decision,
}

impl Stacking {
    fn read(fields: Fields<'_>, depth: usize) -> Result<Self> {
        let methods =
            fields.items("stack_method_")?.into_iter().map(|method| match method.text() {
                Some("predict") => Ok(Ask::Predict),
                Some("predict_proba") => Ok(Ask::Proba),
                Some("decision_function") => Ok(Ask::Decision),
                _ => Err(fields.unsupported(format!("stack method {}", method.describe()))),
            });
        let methods = methods.collect::<Result<Vec<_>>>()?;
        let members = members(fields, "estimators_", depth)?;
        let classes = if fields.name() == "StackingClassifier" {
            Some(fields.classes("classes_")?)
        } else {
            None
        };
        Ok(Self {
            members: members.into_iter().zip(methods).collect(),
            last: super::load(fields.value("final_estimator_")?, depth + 1)?,
            passthrough: fields.flag("passthrough", false),
            classes,
        })
    }

    fn answers(&self, x: &Table) -> Result<Table> {
        let mut parts = Vec::new();
        for (member, ask) in &self.members {
            let answer = match ask {
                Ask::Predict => member.predict(x)?.numbers()?,
                Ask::Decision => member.decision_function(x)?,
                Ask::Proba => {
                    let shares = member.predict_proba(x)?;
                    // Of two classes the second says it all.
                    if shares.columns == 2 { shares.select(&[1])? } else { shares }
                }
            };
            parts.push(answer);
        }
        if self.passthrough {
            parts.push(x.matrix()?.into_owned());
        }
        Ok(Table::Matrix(Matrix::beside(&parts, x.rows())?))
    }
}

impl Estimator for Stacking {
    fn predict(&self, x: &Table) -> Result<Output> {
        let output = self.last.predict(&self.answers(x)?)?;
        match (&self.classes, output) {
            (Some(classes), Output::Labels(chosen, inner)) => {
                let chosen = chosen
                    .into_iter()
                    .map(|at| inner.number(at).map_or(at, |number| number as usize))
                    .collect();
                Ok(Output::Labels(chosen, Arc::clone(classes)))
            }
            (_, output) => Ok(output),
        }
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        self.last.predict_proba(&self.answers(x)?)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.last.decision_function(&self.answers(x)?)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.last.has_proba()
    }

    fn has_decision(&self) -> bool {
        self.last.has_decision()
    }

    fn size_bytes(&self) -> usize {
        self.last.size_bytes()
            + self.members.iter().map(|(member, _)| member.size_bytes()).sum::<usize>()
    }
}

/// Each member with the columns it sees.
#[derive(Debug)]
struct Bagging {
    members: Vec<(Boxed, Option<Vec<usize>>)>,
    classes: Option<Arc<Classes>>,
}

impl Bagging {
    fn read(fields: Fields<'_>, depth: usize) -> Result<Self> {
        let width = fields.count("n_features_in_")?;
        let columns = fields.items("estimators_features_")?.into_iter().map(|value| {
            let columns: Vec<usize> =
                numbers(value).unwrap_or_default().into_iter().map(|x| x as usize).collect();
            (!columns.iter().copied().eq(0..width)).then_some(columns)
        });
        let columns: Vec<_> = columns.collect();
        let classes = if fields.name() == "BaggingClassifier" {
            Some(fields.classes("classes_")?)
        } else {
            None
        };
        Ok(Self {
            members: members(fields, "estimators_", depth)?.into_iter().zip(columns).collect(),
            classes,
        })
    }

    fn each<T>(
        &self,
        x: &Table,
        mut visit: impl FnMut(&dyn Estimator, &Table) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.members
            .iter()
            .map(|(member, columns)| match columns {
                Some(columns) => visit(&**member, &x.select(columns)?),
                None => visit(&**member, x),
            })
            .collect()
    }
}

impl Estimator for Bagging {
    fn predict(&self, x: &Table) -> Result<Output> {
        if let Some(classes) = &self.classes {
            let shares = self.predict_proba(x)?;
            return Ok(Output::Labels(
                shares.each_row().map(arg_max).collect(),
                Arc::clone(classes),
            ));
        }
        let mut sums: Vec<f64> = Vec::new();
        let mut width = 1;
        for answer in self.each(x, |member, x| member.predict(x)?.numbers())? {
            width = answer.columns;
            sums.resize(answer.values.len(), 0.0);
            sums.iter_mut().zip(&answer.values).for_each(|(sum, value)| *sum += value);
        }
        for sum in &mut sums {
            *sum /= self.members.len() as f64;
        }
        Ok(if width == 1 {
            Output::Values(sums)
        } else {
            Output::Table(Matrix::new(x.rows(), width, sums))
        })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let classes = self
            .classes
            .as_ref()
            .ok_or_else(|| Error::Input("a regressor has no predict_proba".into()))?;
        let mut sums = Matrix::zeros(x.rows(), classes.len())?;
        self.each(x, |member, x| {
            let places = places(member, classes, true);
            if member.has_proba() {
                for (sums, shares) in sums.each_row_mut().zip(member.predict_proba(x)?.each_row()) {
                    for (share, place) in shares.iter().zip(&places) {
                        if let Some(sum) = sums.get_mut(*place) {
                            *sum += share;
                        }
                    }
                }
            } else if let Output::Labels(chosen, _) = member.predict(x)? {
                for (sums, chosen) in sums.each_row_mut().zip(chosen) {
                    if let Some(sum) = places.get(chosen).and_then(|&place| sums.get_mut(place)) {
                        *sum += 1.0;
                    }
                }
            }
            Ok(())
        })?;
        sums.values.iter_mut().for_each(|sum| *sum /= self.members.len() as f64);
        Ok(sums)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let mut answers = self.each(x, |member, x| member.decision_function(x))?.into_iter();
        let mut sums =
            answers.next().ok_or_else(|| Error::Input("the ensemble is empty".into()))?;
        for answer in answers {
            sums.values.iter_mut().zip(&answer.values).for_each(|(sum, value)| *sum += value);
        }
        sums.values.iter_mut().for_each(|sum| *sum /= self.members.len() as f64);
        Ok(sums)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.as_ref()
    }

    fn has_proba(&self) -> bool {
        self.classes.is_some()
    }

    fn has_decision(&self) -> bool {
        self.classes.is_some() && self.members.iter().all(|(member, _)| member.has_decision())
    }

    fn size_bytes(&self) -> usize {
        self.members.iter().map(|(member, _)| member.size_bytes()).sum()
    }
}

#[derive(Debug)]
struct AdaBoost {
    members: Vec<Boxed>,
    weights: Vec<f64>,
    classes: Arc<Classes>,
    /// SAMME.R of scikit-learn before 1.6: members vote with probabilities.
    real: bool,
}

impl AdaBoost {
    fn read(fields: Fields<'_>, depth: usize) -> Result<Self> {
        let members = members(fields, "estimators_", depth)?;
        let mut weights = fields.numbers("estimator_weights_")?;
        weights.truncate(members.len());
        // Since 1.6 there is only SAMME, and the parameter is kept as "deprecated".
        Ok(Self {
            members,
            weights,
            classes: fields.classes("classes_")?,
            real: fields.text("algorithm", "SAMME") == "SAMME.R",
        })
    }

    /// A column for each class.
    fn scores(&self, x: &Table) -> Result<Matrix> {
        let classes = self.classes.len();
        let mut scores = Matrix::zeros(x.rows(), classes)?;
        let others = (classes.max(2) - 1) as f64;
        for (member, &weight) in self.members.iter().zip(&self.weights) {
            let places = places(&**member, &self.classes, false);
            if self.real {
                let mut logs = member.predict_proba(x)?;
                logs.values.iter_mut().for_each(|p| *p = p.max(f64::EPSILON).ln());
                for (scores, logs) in scores.each_row_mut().zip(logs.each_row()) {
                    let mean = logs.iter().sum::<f64>() / classes as f64;
                    scores
                        .iter_mut()
                        .zip(logs)
                        .for_each(|(score, log)| *score += others * (log - mean));
                }
                continue;
            }
            let Output::Labels(chosen, _) = member.predict(x)? else {
                return Err(Error::Input("a member is no classifier".into()));
            };
            for (scores, chosen) in scores.each_row_mut().zip(chosen) {
                let chosen = places.get(chosen).copied();
                for (at, score) in scores.iter_mut().enumerate() {
                    *score += if Some(at) == chosen { weight } else { -1.0 / others * weight };
                }
            }
        }
        let total = if self.real { self.members.len() as f64 } else { self.weights.iter().sum() };
        scores.values.iter_mut().for_each(|score| *score /= total);
        Ok(scores)
    }
}

impl Estimator for AdaBoost {
    fn predict(&self, x: &Table) -> Result<Output> {
        Ok(Output::Labels(
            labels_of_scores(&self.decision_function(x)?, 0.0),
            Arc::clone(&self.classes),
        ))
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let scores = self.scores(x)?;
        if scores.columns != 2 {
            return Ok(scores);
        }
        let difference = scores
            .each_row()
            .map(|row| row.iter().rev().zip([1.0, -1.0]).map(|(x, sign)| x * sign).sum());
        Ok(Matrix::new(scores.rows, 1, difference.collect()))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let decision = self.decision_function(x)?;
        let mut scores = if decision.columns == 1 {
            Matrix::new(
                decision.rows,
                2,
                decision.values.iter().flat_map(|&x| [-x / 2.0, x / 2.0]).collect(),
            )
        } else {
            let others = (decision.columns - 1) as f64;
            Matrix::new(
                decision.rows,
                decision.columns,
                decision.values.iter().map(|x| x / others).collect(),
            )
        };
        softmax(&mut scores);
        Ok(scores)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(&self.classes)
    }

    fn has_proba(&self) -> bool {
        true
    }

    fn has_decision(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize {
        total_size(&self.members)
    }
}

/// The weighted median of the members.
#[derive(Debug)]
struct AdaBoostRegressor {
    members: Vec<Boxed>,
    weights: Vec<f64>,
}

impl AdaBoostRegressor {
    fn read(fields: Fields<'_>, depth: usize) -> Result<Self> {
        Ok(Self {
            members: members(fields, "estimators_", depth)?,
            weights: fields.numbers("estimator_weights_")?,
        })
    }
}

impl Estimator for AdaBoostRegressor {
    fn predict(&self, x: &Table) -> Result<Output> {
        let answers = self
            .members
            .iter()
            .map(|member| Ok(member.predict(x)?.numbers()?.values))
            .collect::<Result<Vec<_>>>()?;
        let half = 0.5 * self.weights.iter().take(answers.len()).sum::<f64>();
        let median = |row: usize| {
            let mut values: Vec<(f64, f64)> = answers
                .iter()
                .zip(&self.weights)
                .filter_map(|(answer, &weight)| Some((*answer.get(row)?, weight)))
                .collect();
            values.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut sum = 0.0;
            for (value, weight) in values {
                sum += weight;
                if sum >= half {
                    return value;
                }
            }
            f64::NAN
        };
        Ok(Output::Values((0..x.rows()).map(median).collect()))
    }

    fn size_bytes(&self) -> usize {
        total_size(&self.members)
    }
}

/// A class that was always or never there.
#[derive(Debug)]
struct Constant(f64);

impl Estimator for Constant {
    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        Ok(Matrix::new(x.rows(), 1, vec![self.0; x.rows()]))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        Ok(both(std::iter::repeat_n(self.0, x.rows()), x.rows()))
    }

    fn has_proba(&self) -> bool {
        true
    }

    fn has_decision(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct OneVsRest {
    members: Vec<Boxed>,
    classes: Arc<Classes>,
}

impl OneVsRest {
    fn read(fields: Fields<'_>, depth: usize) -> Result<Self> {
        let binarizer = Fields(fields.value("label_binarizer_")?);
        if binarizer.text("y_type_", "multiclass").starts_with("multilabel") {
            return Err(fields.unsupported("several labels at once"));
        }
        Ok(Self {
            members: members(fields, "estimators_", depth)?,
            classes: binarizer.classes("classes_")?,
        })
    }

    /// One column for each member.
    fn scores(&self, x: &Table) -> Result<Matrix> {
        let columns = self.members.iter().map(|member| {
            if member.has_decision() {
                member.decision_function(x)
            } else {
                member.predict_proba(x)?.select(&[1])
            }
        });
        Matrix::beside(&columns.collect::<Result<Vec<_>>>()?, x.rows())
    }
}

impl Estimator for OneVsRest {
    fn predict(&self, x: &Table) -> Result<Output> {
        let threshold = if self.members.first().is_some_and(|member| member.has_decision()) {
            0.0
        } else {
            0.5
        };
        Ok(Output::Labels(labels_of_scores(&self.scores(x)?, threshold), Arc::clone(&self.classes)))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let columns = self.members.iter().map(|member| member.predict_proba(x)?.select(&[1]));
        let mut shares = Matrix::beside(&columns.collect::<Result<Vec<_>>>()?, x.rows())?;
        if shares.columns == 1 {
            return Ok(both(shares.values.iter().copied(), shares.rows));
        }
        // Rows that no member wants stay zero.
        for row in shares.each_row_mut() {
            let sum: f64 = row.iter().sum();
            if sum != 0.0 {
                for share in row.iter_mut() {
                    *share /= sum;
                }
            }
        }
        Ok(shares)
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        self.scores(x)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        Some(&self.classes)
    }

    fn has_proba(&self) -> bool {
        self.members.iter().all(|member| member.has_proba())
    }

    fn has_decision(&self) -> bool {
        self.members.iter().all(|member| member.has_decision())
    }

    fn size_bytes(&self) -> usize {
        total_size(&self.members)
    }
}

#[derive(Debug)]
struct MultiOutput(Vec<Boxed>);

impl Estimator for MultiOutput {
    fn predict(&self, x: &Table) -> Result<Output> {
        let mut columns = Vec::new();
        let mut labels = Vec::new();
        for member in &self.0 {
            match member.predict(x)? {
                Output::Labels(chosen, classes) => labels.push((chosen, classes)),
                other => columns.push(other.numbers()?),
            }
        }
        if columns.is_empty() {
            return Ok(Output::ManyLabels(labels));
        }
        Ok(Output::Table(Matrix::beside(&columns, x.rows())?))
    }

    fn size_bytes(&self) -> usize {
        total_size(&self.0)
    }
}

/// `CalibratedClassifierCV`: the mean of classifiers whose scores go through fitted curves.
#[derive(Debug)]
struct Calibrated {
    parts: Vec<(Boxed, Vec<Curve>, Vec<usize>)>,
    classes: Arc<Classes>,
}

#[derive(Debug)]
enum Curve {
    Sigmoid { a: f64, b: f64 },
    Isotonic { x: Vec<f64>, y: Vec<f64> },
}

impl Curve {
    fn read(value: Value<'_>) -> Result<Self> {
        let fields = Fields(value);
        Ok(match fields.name() {
            "_SigmoidCalibration" => {
                Self::Sigmoid { a: fields.float("a_")?, b: fields.float("b_")? }
            }
            "IsotonicRegression" => Self::Isotonic {
                x: fields.numbers("X_thresholds_")?,
                y: fields.numbers("y_thresholds_")?,
            },
            _ => return Err(fields.unsupported("calibration")),
        })
    }

    fn at(&self, score: f64) -> f64 {
        match self {
            Self::Sigmoid { a, b } => expit(-(a * score + b)),
            Self::Isotonic { x, y } => interpolate(x, y, score),
        }
    }
}

/// Straight lines between points, flat outside.
fn interpolate(x: &[f64], y: &[f64], at: f64) -> f64 {
    let upper = x.partition_point(|&x| x <= at);
    let point = |at: usize| Some((*x.get(at)?, *y.get(at)?));
    match (upper.checked_sub(1).and_then(point), point(upper)) {
        (Some((x0, y0)), Some((x1, y1))) => (y1 - y0) / (x1 - x0) * (at - x0) + y0,
        (Some((_, y)), None) | (None, Some((_, y))) => y,
        (None, None) => f64::NAN,
    }
}

impl Calibrated {
    fn read(fields: Fields<'_>, depth: usize) -> Result<Self> {
        let classes = fields.classes("classes_")?;
        let mut parts = Vec::new();
        for part in fields.items("calibrated_classifiers_")? {
            let part = Fields(part);
            if part.text("method", "sigmoid") == "temperature" {
                return Err(fields.unsupported("calibration by temperature"));
            }
            let member = super::load(
                part.value("estimator").or_else(|_| part.value("base_estimator"))?,
                depth + 1,
            )?;
            let curves = part
                .items("calibrators")?
                .into_iter()
                .map(Curve::read)
                .collect::<Result<Vec<_>>>()?;
            let places = places(&*member, &classes, false);
            parts.push((member, curves, places));
        }
        Ok(Self { parts, classes })
    }
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
            if classes == 2 && scores.columns == 2 {
                scores = scores.select(&[1])?;
            }
            for (sums, scores) in sums.each_row_mut().zip(scores.each_row()) {
                let mut shares = vec![0.0; classes];
                for (at, (score, curve)) in scores.iter().zip(curves).enumerate() {
                    let place =
                        if classes == 2 { 1 } else { places.get(at).copied().unwrap_or(at) };
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

    fn size_bytes(&self) -> usize {
        self.parts.iter().map(|(member, _, _)| member.size_bytes()).sum()
    }
}
