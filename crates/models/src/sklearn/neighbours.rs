//! What the nearest samples of training say: `KNeighbors*`, and how lonely a row is among them, `LocalOutlierFactor`.

use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use super::estimator::{Estimator, Fields, arg_max, class_lists};
use super::neighbour_search::Search;
use super::reader::{Boxed, Reader};
use crate::{Error, Result};

/// What [`Search`] has of metrics and ties.
const SEARCHED: &str =
    "euclidean, manhattan, chebyshev, minkowski; the order of ties is that of the fitted k-d tree";

pub(super) const READERS: &[Reader] = &[
    Reader::new("KNeighborsClassifier KNeighborsRegressor", |fields, _| load(fields))
        .note(SEARCHED),
    Reader::new("LocalOutlierFactor", |fields, _| Loneliness::read(fields)).note("`novelty=True`"),
];

#[derive(Debug)]
struct Neighbours {
    /// It tells values, or the numbers of classes.
    search: Search,
    /// One list for each output; empty for regression.
    classes: Vec<Arc<Classes>>,
    by_distance: bool,
    /// Whether the target was a matrix.
    table: bool,
}

fn load(fields: Fields<'_>) -> Result<Boxed> {
    let by_distance = match fields.text("weights", "uniform") {
        "uniform" => false,
        "distance" => true,
        other => return Err(fields.unsupported(format!("weights {other:?}"))),
    };
    let is_classifier = fields.name() == "KNeighborsClassifier";
    let classes = if is_classifier { class_lists(fields)? } else { Vec::new() };
    let targets = fields.array("_y")?;
    let values = fields.numbers("_y")?;
    let width = match targets.shape.as_slice() {
        [_, width] => *width,
        _ => 1,
    };
    let rows = values.len().checked_div(width).unwrap_or(0);
    if values.len() != rows * width || (is_classifier && classes.len() != width) {
        return Err(fields.malformed(format!("_y of shape {:?}", targets.shape)));
    }
    // Training saw each class.
    for (output, classes) in classes.iter().enumerate() {
        let chosen = values.iter().skip(output).step_by(width.max(1));
        let last = chosen.fold(-1.0, |last: f64, &class| last.max(class));
        fields.check_length("classes_", classes.len(), (last + 1.0) as usize)?;
    }
    let (count, told) = (fields.count("n_neighbors")?, Matrix::new(rows, width, values));
    Ok(Box::new(Neighbours {
        table: targets.shape.len() > 1,
        search: Search::read(fields, count, told, by_distance)?,
        classes,
        by_distance,
    }))
}

impl Neighbours {
    /// Nearest samples of a row with their weights.
    fn nearest(&self, row: &[f64]) -> Result<Vec<(usize, f64)>> {
        let mut found = self.search.nearest(row)?;
        let exact = found.iter().any(|(_, distance)| *distance == 0.0);
        for (_, weight) in &mut found {
            *weight = match (self.by_distance, exact) {
                (false, _) => 1.0,
                // Only samples at the very place count then.
                (true, true) => f64::from(u8::from(*weight == 0.0)),
                (true, false) => 1.0 / *weight,
            };
        }
        Ok(found)
    }

    fn target(&self, sample: usize, output: usize) -> f64 {
        self.search.told(sample).get(output).copied().unwrap_or(0.0)
    }

    /// Weights of the classes of one output among these neighbours.
    fn votes(&self, nearest: &[(usize, f64)], output: usize, votes: &mut [f64]) {
        for &(sample, weight) in nearest {
            if let Some(vote) = votes.get_mut(self.target(sample, output) as usize) {
                *vote += weight;
            }
        }
    }

    fn labels(&self, x: &Matrix) -> Result<Output> {
        let mut outputs: Vec<(Vec<usize>, Arc<Classes>)> =
            self.classes.iter().map(|classes| (Vec::new(), Arc::clone(classes))).collect();
        for row in x.each_row() {
            let nearest = self.nearest(row)?;
            for (output, (chosen, classes)) in outputs.iter_mut().enumerate() {
                let mut votes = vec![0.0; classes.len()];
                self.votes(&nearest, output, &mut votes);
                chosen.push(arg_max(&votes));
            }
        }
        Ok(match outputs.pop() {
            Some((chosen, classes)) if outputs.is_empty() && !self.table => {
                Output::Labels(chosen, classes)
            }
            last => {
                outputs.extend(last);
                Output::ManyLabels(outputs)
            }
        })
    }
}

impl Estimator for Neighbours {
    fn predict(&self, x: &Table) -> Result<Output> {
        let x = x.finite()?;
        x.check_width(self.search.samples.columns)?;
        if !self.classes.is_empty() {
            return self.labels(&x);
        }
        let mut result = Matrix::zeros(x.rows, self.search.told.columns)?;
        for (row, answer) in x.each_row().zip(result.each_row_mut()) {
            let nearest = self.nearest(row)?;
            let total: f64 = nearest.iter().map(|(_, weight)| weight).sum();
            for (at, answer) in answer.iter_mut().enumerate() {
                let weighed =
                    nearest.iter().map(|&(sample, weight)| self.target(sample, at) * weight);
                *answer = weighed.sum::<f64>() / total;
            }
        }
        Ok(if self.table { Output::Table(result) } else { Output::Values(result.values) })
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let [classes] = self.classes.as_slice() else {
            return Err(Error::Input(
                "a regressor or a model of several outputs has no table of probabilities".into(),
            ));
        };
        let x = x.finite()?;
        x.check_width(self.search.samples.columns)?;
        let mut result = Matrix::zeros(x.rows, classes.len())?;
        for (row, shares) in x.each_row().zip(result.each_row_mut()) {
            self.votes(&self.nearest(row)?, 0, shares);
            let total: f64 = shares.iter().sum();
            for share in shares.iter_mut() {
                *share /= total;
            }
        }
        Ok(result)
    }

    fn classes(&self) -> Option<&Arc<Classes>> {
        self.classes.first().filter(|_| self.has_proba())
    }

    fn has_proba(&self) -> bool {
        self.classes.len() == 1 && !self.table
    }

    fn size_bytes(&self) -> usize {
        self.search.size_bytes()
    }
}

/// `LocalOutlierFactor(novelty=True)`: how much thinner it is around a row than around its neighbours.
#[derive(Debug)]
struct Loneliness {
    /// It tells of each sample how far its last neighbour is, and how dense it is around it.
    search: Search,
    offset: f64,
}

/// What scikit-learn adds to a mean distance, which may be zero.
const NEVER_ZERO: f64 = 1e-10;

impl Loneliness {
    fn read(fields: Fields<'_>) -> Result<Boxed> {
        if !fields.flag("novelty", false) {
            return Err(fields.unsupported("predict without novelty=True"));
        }
        let count = fields.count("n_neighbors_")?;
        let distances = fields.matrix("_distances_fit_X_")?;
        let densities = fields.numbers("_lrd")?;
        fields.check_length("_distances_fit_X_", distances.rows, densities.len())?;
        if distances.columns < count || count == 0 {
            return Err(fields.malformed(format!("{count} neighbours of {}", distances.columns)));
        }
        let reaches = distances.column(count - 1).into_iter();
        let told = reaches.zip(densities).flat_map(|(reach, density)| [reach, density]);
        let told = Matrix::new(distances.rows, 2, told.collect());
        let search = Search::read(fields, count, told, false)?;
        Ok(Box::new(Self { search, offset: fields.float("offset_")? }))
    }

    /// How dense it is around the neighbours, by how dense it is around the row.
    fn factor(&self, row: &[f64]) -> Result<f64> {
        let found = self.search.nearest(row)?;
        let (mut reached, mut densities) = (0.0, 0.0);
        for (sample, distance) in &found {
            if let [reach, density] = self.search.told(*sample) {
                reached += distance.max(*reach);
                densities += density;
            }
        }
        let count = found.len() as f64;
        Ok(densities / count * (reached / count + NEVER_ZERO))
    }
}

impl Estimator for Loneliness {
    fn predict(&self, x: &Table) -> Result<Output> {
        let decisions = self.decision_function(x)?.values.into_iter();
        Ok(Output::Integers(decisions.map(|score| if score < 0.0 { -1 } else { 1 }).collect()))
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let x = x.finite()?;
        x.check_width(self.search.samples.columns)?;
        let scores = x.each_row().map(|row| Ok(-self.factor(row)? - self.offset));
        Ok(Matrix::new(x.rows, 1, scores.collect::<Result<_>>()?))
    }

    fn has_decision(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize {
        self.search.size_bytes()
    }
}
