//! `GradientBoosting*`: trees that add to what a first model says.

use super::super::data::{Matrix, Table};
use super::super::estimator::Fields;
use super::super::reader::{Boxed, Nested, Reader};
use super::link::{Link, Linked, RawScores};
use super::raw::{RawTree, build, check_members, feature_count, singles};
use crate::Result;
use crate::contributions::{Contributions, check_cells};
use crate::explanation::Explained;
use crate::predictor::unexplained;
use crate::python::Value;
use crate::tree::{ExplainedRows, Forest, LazyExplainer};

pub(in super::super) const READERS: &[Reader] =
    &[Reader::new("GradientBoostingClassifier GradientBoostingRegressor", boosted)];

/// `GradientBoosting*`
#[derive(Debug)]
struct Boosted {
    forest: Forest<f32, f64>,
    features: usize,
    start: Start,
    link: Link,
    /// Probabilities of the first model are kept this far from 0 and 1.
    margin: f64,
    /// Whether the sums start from the same for all rows.
    starts_alike: bool,
    explainer: LazyExplainer<f32>,
}

/// What the sums start from.
#[derive(Debug)]
enum Start {
    Zero,
    Model(Boxed),
}

fn boosted(fields: Fields<'_>, nested: Nested) -> Result<Boxed> {
    let classes = fields.classes_if_any()?;
    let link = match &classes {
        None => Link::Identity,
        Some(classes) if classes.len() > 2 => Link::Softmax,
        Some(_) if fields.text("loss", "log_loss") == "exponential" => Link::HalfLogit,
        Some(_) => Link::Logit,
    };
    let rate = fields.float("learning_rate")?;
    let members = fields.items("estimators_")?;
    let shape = &fields.array("estimators_")?.shape;
    let outputs = match shape.as_slice() {
        [_, outputs] => *outputs,
        _ => return Err(fields.malformed("estimators_ is no matrix")),
    };
    // skops keeps a matrix of estimators as rows; pickles keep it flat.
    let flat: Vec<Value<'_>> =
        members.iter().flat_map(|member| member.items().unwrap_or_else(|| vec![*member])).collect();
    let mut specs = Vec::with_capacity(flat.len());
    for (number, member) in flat.iter().enumerate() {
        let member = Fields(*member);
        let raw = RawTree::read(member)?;
        let mut spec =
            raw.spec(member, |node| raw.value(node).iter().take(1).map(|x| x * rate).collect())?;
        spec.target = (number % outputs.max(1)) as u32;
        specs.push(spec);
    }
    let init = fields.optional("init_").filter(|init| init.text() != Some("zero"));
    let is_constant =
        |init: Value<'_>| init.class().is_some_and(|class| class.starts_with("sklearn.dummy."));
    let start = match fields.optional("init_") {
        None => Start::Zero,
        Some(init) if init.text() == Some("zero") => Start::Zero,
        Some(init) => {
            check_first_model(fields, init)?;
            Start::Model(nested.load(init)?)
        }
    };
    let features = feature_count(fields)?;
    let rounds = shape.first().copied().unwrap_or(0);
    check_members(fields, "n_estimators_", rounds)?;
    if rounds.saturating_mul(outputs) != specs.len() {
        return Err(fields.malformed(format!("{} trees of shape {shape:?}", specs.len())));
    }
    if classes.as_ref().is_some_and(|classes| outputs != classes.len() && classes.len() > 2) {
        return Err(
            fields.malformed(format!("{outputs} trees a round for another number of classes"))
        );
    }
    let scores = Boosted {
        forest: build(fields, &specs, features, 1, outputs)?,
        features,
        start,
        link,
        // The precision of `f32` until scikit-learn 1.7.
        margin: if fields.version() < (1, 8) { f64::from(f32::EPSILON) } else { f64::EPSILON },
        starts_alike: init.is_none_or(is_constant),
        explainer: LazyExplainer::default(),
    };
    Ok(Box::new(Linked { scores, link, classes, by_probability: false }))
}

/// Refuses a first model whose answers cannot be the same to the last digits. scikit-learn fits and asks it
/// in 32 bits, where the sums of linear models, kernels and the like depend on the processor. Trees and
/// constants only compare.
fn check_first_model(fields: Fields<'_>, model: Value<'_>) -> Result<()> {
    const EXACT: [&str; 8] = [
        "sklearn.dummy.",
        "sklearn.tree.",
        "sklearn.ensemble._forest.",
        "sklearn.ensemble._gb.",
        "sklearn.ensemble._hist_gradient_boosting.",
        "sklearn.ensemble.forest.",
        "xgboost.",
        "lightgbm.",
    ];
    let class = model.class().unwrap_or_default();
    if EXACT.iter().any(|package| class.starts_with(package)) {
        return Ok(());
    }
    let name = class.rsplit('.').next().unwrap_or_default();
    Err(fields.unsupported(format!("init={name}, which is asked in 32 bits,")))
}

impl Boosted {
    /// What the sums start from.
    fn started(&self, matrix: &Matrix) -> Result<Matrix> {
        let outputs = self.forest.outputs();
        let mut raw = Matrix::zeros(matrix.rows, outputs)?;
        if let Start::Model(model) = &self.start {
            // The first model sees the values as the trees do.
            let seen = matrix.values.iter().map(|&x| f64::from(x as f32)).collect();
            let x = &Table::Matrix(Matrix::new(matrix.rows, matrix.columns, seen));
            let start = if self.link == Link::Identity {
                model.predict(x)?.numbers()?
            } else {
                model.predict_proba(x)?
            };
            for (raw, start) in raw.each_row_mut().zip(start.each_row()) {
                let margin = self.margin;
                let clipped =
                    |at: usize| start.get(at).copied().unwrap_or(0.5).clamp(margin, 1.0 - margin);
                match (self.link, raw) {
                    (Link::Logit, [raw]) => *raw = logit(clipped(1)),
                    (Link::HalfLogit, [raw]) => *raw = 0.5 * logit(clipped(1)),
                    (Link::Softmax, raw) => {
                        let logs: Vec<f64> = (0..outputs).map(|at| clipped(at).ln()).collect();
                        let mean = logs.iter().sum::<f64>() / outputs as f64;
                        for (raw, at) in raw.iter_mut().zip(0..) {
                            *raw = (clipped(at) / mean.exp()).ln();
                        }
                    }
                    (_, raw) => raw.iter_mut().zip(start).for_each(|(raw, start)| *raw = *start),
                }
            }
        }
        Ok(raw)
    }
}

impl RawScores for Boosted {
    fn raw(&self, x: &Table) -> Result<Matrix> {
        let matrix = x.finite()?;
        matrix.check_width(self.features)?;
        let mut raw = self.started(&matrix)?;
        self.forest.add_to(&singles(&matrix)?, matrix.columns, &mut raw.values);
        Ok(raw)
    }

    fn explain(
        &self,
        x: &Table,
        background: Option<&Table>,
        explained: Explained,
    ) -> Result<Contributions> {
        if !self.starts_alike {
            return Err(unexplained("gradient boosting on another model (init)"));
        }
        let matrix = x.finite()?;
        matrix.check_width(self.features)?;
        check_cells(matrix.rows, self.forest.outputs(), matrix.columns)?;
        let background = background.map(|rows| singles(rows.finite()?.as_ref())).transpose()?;
        let rows = singles(&matrix)?;
        let of =
            ExplainedRows { rows: &rows, background: background.as_deref(), width: matrix.columns };
        let answer = self.explainer.explain(&self.forest, of);
        let sums = Contributions::of_forest(explained, of.width, answer, "scikit-learn's trees")?;
        // A constant looks at no value.
        let start = self.started(&Matrix::zeros(1, matrix.columns)?)?;
        Ok(sums.on(&start.values))
    }

    fn size_bytes(&self) -> usize {
        self.forest.size_bytes() + self.explainer.size_bytes()
    }
}

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}
