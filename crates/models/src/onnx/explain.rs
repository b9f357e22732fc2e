//! What each column of its inputs gives to the scores of a graph's estimator.
//!
//! Steps before the estimator run as ever, and each column of a result is followed back to the column of the inputs
//! that it was made of. Steps behind it may only shape what it answers.

use super::graph::{Graph, Place, Step};
use super::kernel::{Inputs, Value};
use super::tensor::Tensor;
use crate::contributions::Contributions;
use crate::predictor::unexplained;
use crate::{Error, Result};

/// Operators that make each column, or a group of columns side by side, of one column.
const EACH: [&str; 8] =
    ["Cast", "Identity", "Imputer", "Scaler", "Reshape", "OneHotEncoder", "Squeeze", "Unsqueeze"];

/// Operators behind an estimator that leave open nothing of what its scores mean.
const BEHIND: [&str; 7] =
    ["Cast", "Identity", "Split", "ZipMap", "Normalizer", "Reshape", "ArrayFeatureExtractor"];

/// An explained estimator.
pub(super) struct ExplainedGraph {
    /// By the columns of all inputs side by side.
    pub(super) contributions: Contributions,
    /// Names of its outputs, if they have some.
    pub(super) classes: Vec<String>,
}

/// Where a column of a value comes from: a column of all inputs side by side.
type Origins = Option<Vec<usize>>;

/// Explains the one estimator of a graph for inputs of so many rows, at least one.
pub(super) fn explain(graph: &Graph, inputs: Vec<Tensor>, rows: usize) -> Result<ExplainedGraph> {
    let mut origins: Vec<Origins> = vec![None; graph.slots];
    let mut width = 0;
    for (input, origins) in inputs.iter().zip(&mut origins) {
        let columns = input.data.len() / rows.max(1);
        *origins = Some((width..width + columns).collect());
        width += columns;
    }
    let mut slots: Vec<Option<Value>> =
        inputs.into_iter().map(|tensor| Some(Value::Tensor(tensor))).collect();
    slots.resize_with(graph.slots, || None);
    let mut found = None;
    for step in &graph.steps {
        if found.is_some() {
            if !BEHIND.contains(&step.operator.as_str()) {
                return Err(unexplained(&format!(
                    "an ONNX graph with {} behind its estimator",
                    step.operator
                )));
            }
            continue;
        }
        let given = step.inputs.iter();
        let given = given.map(|place| place.and_then(|place| graph.value(&slots, place)));
        let given = Inputs(given.collect());
        if let Some(contributions) = step.kernel.explain(&given) {
            let from = step.inputs.first().and_then(|place| of(&origins, *place));
            let from = from.ok_or_else(|| {
                unexplained("an ONNX graph whose estimator is given columns made of several")
            })?;
            let contributions = contributions?.by_origin(from, width)?;
            found = Some(ExplainedGraph { contributions, classes: step.kernel.classes() });
            continue;
        }
        let results = step.kernel.run(&given);
        let results = results.map_err(|reason| Error::Input(format!("{}: {reason}", step.what)))?;
        for (result, slot) in results.into_iter().zip(&step.outputs) {
            let Some(slot) = *slot else { continue };
            let followed = followed(step, &origins, &result, rows);
            if let (Some(value), Some(origin)) = (slots.get_mut(slot), origins.get_mut(slot)) {
                (*value, *origin) = (Some(result), followed);
            }
        }
    }
    found.ok_or_else(|| unexplained("an ONNX graph without trees or linear functions"))
}

/// Where the columns of a value come from, if that is known.
fn of(origins: &[Origins], place: Option<Place>) -> Option<&Vec<usize>> {
    match place? {
        Place::Slot(at) => origins.get(at)?.as_ref(),
        Place::Constant(_) => None,
    }
}

/// Where the columns of a step's result come from.
fn followed(step: &Step, origins: &[Origins], result: &Value, rows: usize) -> Origins {
    let Value::Tensor(tensor) = result else { return None };
    if tensor.shape.first() != Some(&rows) {
        return None;
    }
    let columns = tensor.data.len() / rows.max(1);
    let given: Option<Vec<&Vec<usize>>> = match step.operator.as_str() {
        "Concat" => step.inputs.iter().map(|place| of(origins, *place)).collect(),
        operator if EACH.contains(&operator) => {
            step.inputs.first().and_then(|place| of(origins, *place)).map(|from| vec![from])
        }
        _ => None,
    };
    let given: Vec<usize> = given?.into_iter().flatten().copied().collect();
    let each = columns.checked_div(given.len()).filter(|each| each * given.len() == columns)?;
    Some(given.into_iter().flat_map(|origin| std::iter::repeat_n(origin, each)).collect())
}
