//! `IsolationForest`: how soon a row is alone.

use super::super::data::{Matrix, Output, Table};
use super::super::estimator::{Estimator, Fields, numbers};
use super::super::reader::{Boxed, Reader};
use super::raw::{RawTree, build, check_members, feature_count, singles};
use crate::Result;
use crate::python::Value;
use crate::tree::{Forest, NodeSpec};

pub(in super::super) const READERS: &[Reader] =
    &[Reader::new("IsolationForest", |fields, _| isolation(fields))];

/// `IsolationForest`: 1 for inliers, -1 for outliers.
#[derive(Debug)]
struct Isolation {
    forest: Forest<f32, f64>,
    features: usize,
    offset: f64,
    denominator: f64,
}

/// Mean length of a path in a tree of `n` samples (Liu, Ting, Zhou 2008).
fn average_path_length(n: f64) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    if n <= 1.0 {
        0.0
    } else if n <= 2.0 {
        1.0
    } else {
        2.0 * ((n - 1.0).ln() + EULER_GAMMA) - 2.0 * (n - 1.0) / n
    }
}

fn isolation(fields: Fields<'_>) -> Result<Boxed> {
    let members = fields.items("estimators_")?;
    let features = feature_count(fields)?;
    check_members(fields, "n_estimators", members.len())?;
    let mut columns: Vec<Vec<usize>> = Vec::new();
    for chosen in fields.optional("estimators_features_").and_then(Value::items).unwrap_or_default()
    {
        let chosen = numbers(chosen)
            .ok_or_else(|| fields.malformed("estimators_features_ are no numbers"))?;
        columns.push(chosen.into_iter().map(|x| x as usize).collect());
    }
    if !columns.is_empty() && columns.len() != members.len() {
        return Err(fields.malformed("estimators_features_ are of another number of trees"));
    }
    let mut specs = Vec::with_capacity(members.len());
    for (number, member) in members.iter().enumerate() {
        let member = Fields(*member);
        let raw = RawTree::read(member)?;
        let depths = depths(&raw);
        let mut spec = raw.spec(member, |node| {
            let (depth, samples) = (
                depths.get(node).copied().unwrap_or(0.0),
                raw.samples.get(node).copied().unwrap_or(1.0),
            );
            vec![depth + average_path_length(samples)]
        })?;
        // Splits count within the columns of their tree; here they count within the input.
        for node in &mut spec.nodes {
            if let (NodeSpec::Split(split), Some(columns)) = (node, columns.get(number)) {
                split.feature =
                    columns.get(split.feature as usize).map_or(u32::MAX, |&column| column as u32);
            }
        }
        specs.push(spec);
    }
    let max_samples = fields.float("max_samples_").or_else(|_| fields.float("_max_samples"))?;
    Ok(Box::new(Isolation {
        forest: build(fields, &specs, features, 1, 1)?,
        features,
        offset: fields.float("offset_")?,
        denominator: members.len() as f64 * average_path_length(max_samples),
    }))
}

/// Depth of each node that the root leads to; bounded because each node is entered once at most.
fn depths(raw: &RawTree) -> Vec<f64> {
    let mut depths = vec![f64::NAN; raw.left.len()];
    let mut open = vec![(0_usize, 0.0)];
    while let Some((node, depth)) = open.pop() {
        let Some(slot) = depths.get_mut(node).filter(|slot| slot.is_nan()) else { continue };
        *slot = depth;
        for children in [&raw.left, &raw.right] {
            if let Some(child) = children.get(node).and_then(|&child| usize::try_from(child).ok()) {
                open.push((child, depth + 1.0));
            }
        }
    }
    depths
}

impl Estimator for Isolation {
    fn predict(&self, x: &Table) -> Result<Output> {
        let scores = self.decision_function(x)?;
        Ok(Output::Integers(
            scores.values.iter().map(|&score| if score < 0.0 { -1 } else { 1 }).collect(),
        ))
    }

    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let x = x.matrix()?;
        x.check_width(self.features)?;
        let mut depths = Matrix::zeros(x.rows, 1)?;
        self.forest.add_to(&singles(&x)?, x.columns, &mut depths.values);
        for depth in &mut depths.values {
            let share = if self.denominator == 0.0 { 1.0 } else { *depth / self.denominator };
            *depth = -(2.0_f64.powf(-share)) - self.offset;
        }
        Ok(depths)
    }

    fn has_decision(&self) -> bool {
        true
    }

    fn size_bytes(&self) -> usize {
        self.forest.size_bytes()
    }
}
