//! What an estimator can be asked, and reading its attributes.

use std::fmt;
use std::sync::Arc;

use super::data::{Classes, Matrix, Output, Table};
use crate::contributions::Contributions;
use crate::python::{Array, Elements, Value};
use crate::{Error, Result};

/// A fitted estimator; methods it does not have answer with an error.
pub(crate) trait Estimator: Send + Sync + fmt::Debug {
    fn predict(&self, x: &Table) -> Result<Output> {
        let _ = x;
        Err(no_method("predict"))
    }

    fn predict_proba(&self, x: &Table) -> Result<Matrix> {
        let _ = x;
        Err(no_method("predict_proba"))
    }

    /// Logarithms of the probabilities; those who know them say also what is too small for a probability.
    fn predict_log_proba(&self, x: &Table) -> Result<Matrix> {
        let mut answers = self.predict_proba(x)?;
        answers.values.iter_mut().for_each(|x| *x = x.ln());
        Ok(answers)
    }

    /// One column for two classes, else one for each.
    fn decision_function(&self, x: &Table) -> Result<Matrix> {
        let _ = x;
        Err(no_method("decision_function"))
    }

    fn transform(&self, x: Table) -> Result<Table> {
        let _ = x;
        Err(no_method("transform"))
    }

    /// Whether `inverse_transform` works.
    fn has_inverse(&self) -> bool {
        false
    }

    /// The numbers that `transform` made these of.
    fn inverse_transform(&self, x: &Matrix) -> Result<Matrix> {
        let _ = x;
        Err(no_method("inverse_transform"))
    }

    /// Names of the columns that it was fitted to, which are not among its attributes; its input must have them.
    fn fitted_names(&self) -> Option<Vec<String>> {
        None
    }

    /// Classes of a classifier.
    fn classes(&self) -> Option<&Arc<Classes>> {
        None
    }

    /// Whether `predict_proba` works.
    fn has_proba(&self) -> bool {
        false
    }

    /// Whether `decision_function` works.
    fn has_decision(&self) -> bool {
        false
    }

    /// What each column of `x` gives to each score, compared with a background or what training saw; none
    /// where nothing exact is known of that.
    fn explain(&self, x: &Table, background: Option<&Table>) -> Option<Result<Contributions>> {
        let _ = (x, background);
        None
    }

    /// For each column of what [`transform`](Self::transform) makes of `x`, the one column of `x` that it is made
    /// of; none where columns are made of several, or nothing is known of it.
    fn origins(&self, x: &Table) -> Option<Result<Vec<usize>>> {
        let _ = x;
        None
    }

    /// Whether it looks at the names or the text of columns; all others take their input as numbers.
    fn takes_frame(&self) -> bool {
        self.parts().iter().any(|part| part.takes_frame())
    }

    /// The estimators that it hands its input on to, or what it made of that.
    fn parts(&self) -> Vec<&dyn Estimator> {
        Vec::new()
    }

    /// Bytes held, roughly.
    fn size_bytes(&self) -> usize {
        self.parts().iter().map(|part| part.size_bytes()).sum()
    }
}

/// The refusal of a method that an estimator does not have.
pub(super) fn no_method(name: &str) -> Error {
    Error::Unsupported {
        what: format!("{name} of this estimator"),
        hint: "log it with a method that it has, as pyfunc_predict_fn=\"transform\"; if it has this one in Python, \
               Python workers call it".to_owned(),
    }
}

/// Columns by label for `predict`: the largest score, of equals the first; for one column its sign.
pub(crate) fn labels_of_scores(scores: &Matrix, threshold: f64) -> Vec<usize> {
    if scores.columns == 1 {
        return scores.values.iter().map(|&score| usize::from(score > threshold)).collect();
    }
    scores.each_row().map(arg_max).collect()
}

/// Place of the largest value, of equals the first; NaN wins, as in NumPy.
pub(crate) fn arg_max(row: &[f64]) -> usize {
    let mut best = 0;
    for (at, x) in row.iter().enumerate() {
        let Some(top) = row.get(best) else { break };
        if x > top || (x.is_nan() && !top.is_nan()) {
            best = at;
        }
    }
    best
}

/// `1 / (1 + exp(-x))`
pub(crate) fn expit(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Rows to probabilities, with the largest subtracted first.
pub(crate) fn softmax(scores: &mut Matrix) {
    for row in scores.each_row_mut() {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for x in row.iter_mut() {
            *x = (*x - max).exp();
            sum += *x;
        }
        for x in row.iter_mut() {
            *x /= sum;
        }
    }
}

/// Probabilities of two classes from that of the second.
pub(crate) fn both(second: impl Iterator<Item = f64>, rows: usize) -> Matrix {
    Matrix::new(rows, 2, second.flat_map(|p| [1.0 - p, p]).collect())
}

/// Scores of classes from their pairs, in the order (0, 1), (0, 2), …, (1, 2), …: votes, with confidences
/// (positive for the second of a pair) to break ties, squeezed so that they never outweigh a vote.
pub(crate) fn confidences_and_votes(
    second_chosen: impl Iterator<Item = bool>,
    confidences: impl Iterator<Item = f64>,
    scores: &mut [f64],
) {
    let classes = scores.len();
    let mut sums = vec![0.0; classes];
    let pairs = (0..classes).flat_map(|i| (i + 1..classes).map(move |j| (i, j)));
    for ((first, second), (chosen, confidence)) in pairs.zip(second_chosen.zip(confidences)) {
        for (class, sign, voted) in [(first, -1.0, !chosen), (second, 1.0, chosen)] {
            if let (Some(sum), Some(score)) = (sums.get_mut(class), scores.get_mut(class)) {
                *sum += sign * confidence;
                *score += f64::from(u8::from(voted));
            }
        }
    }
    for (score, sum) in scores.iter_mut().zip(sums) {
        *score += sum / (3.0 * (sum.abs() + 1.0));
    }
}

/// The attributes of a fitted estimator, with errors that name it.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) Value<'a>);

impl<'a> Fields<'a> {
    /// Class without its module.
    pub(crate) fn name(self) -> &'a str {
        self.0.class().map_or("estimator", |class| class.rsplit('.').next().unwrap_or(class))
    }

    pub(crate) fn malformed(self, reason: impl fmt::Display) -> Error {
        Error::Malformed { file: "model".to_owned(), reason: format!("{}: {reason}", self.name()) }
    }

    pub(crate) fn unsupported(self, what: impl fmt::Display) -> Error {
        Error::Unsupported {
            what: format!("{what} of scikit-learn's {}", self.name()),
            hint: "serve the model with Python workers".to_owned(),
        }
    }

    /// An attribute that may be absent or `None`.
    pub(crate) fn optional(self, name: &str) -> Option<Value<'a>> {
        self.0.get(name).filter(|value| !value.is_none())
    }

    pub(crate) fn value(self, name: &str) -> Result<Value<'a>> {
        self.optional(name)
            .ok_or_else(|| self.malformed(format!("{name} is missing; is the model fitted?")))
    }

    pub(crate) fn text(self, name: &str, default: &'a str) -> &'a str {
        self.optional(name).and_then(Value::text).unwrap_or(default)
    }

    pub(crate) fn flag(self, name: &str, default: bool) -> bool {
        self.optional(name).and_then(Value::bool).unwrap_or(default)
    }

    /// Major and minor version of the scikit-learn that wrote this.
    pub(crate) fn version(self) -> (u32, u32) {
        let mut parts = self.text("_sklearn_version", "").split('.');
        let mut part = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
        (part(), part())
    }

    pub(crate) fn float(self, name: &str) -> Result<f64> {
        self.value(name)?.float().ok_or_else(|| self.malformed(format!("{name} is no number")))
    }

    pub(crate) fn count(self, name: &str) -> Result<usize> {
        let value = self.value(name)?.int().and_then(|value| usize::try_from(value).ok());
        value.ok_or_else(|| self.malformed(format!("{name} is no count")))
    }

    pub(crate) fn array(self, name: &str) -> Result<&'a Array> {
        self.value(name)?.array().ok_or_else(|| self.malformed(format!("{name} is no array")))
    }

    /// Numbers of an array, list or single number, whatever its shape.
    pub(crate) fn numbers(self, name: &str) -> Result<Vec<f64>> {
        numbers(self.value(name)?).ok_or_else(|| self.malformed(format!("{name} holds no numbers")))
    }

    /// Whether an array is of 32 bits, as is what was fitted to such numbers.
    pub(crate) fn is_single(self, name: &str) -> bool {
        let array = self.optional(name).and_then(Value::array);
        array.is_some_and(|array| matches!(array.elements, Elements::F32(_)))
    }

    /// Numbers if the attribute is there.
    pub(crate) fn optional_numbers(self, name: &str) -> Result<Option<Vec<f64>>> {
        self.optional(name).map(|_| self.numbers(name)).transpose()
    }

    /// A two-dimensional array; a vector is one row.
    pub(crate) fn matrix(self, name: &str) -> Result<Matrix> {
        matrix(self.value(name)?).ok_or_else(|| self.malformed(format!("{name} is no matrix")))
    }

    pub(crate) fn items(self, name: &str) -> Result<Vec<Value<'a>>> {
        self.value(name)?.items().ok_or_else(|| self.malformed(format!("{name} is no list")))
    }

    /// Refuses a list of another length than the rest of the estimator has.
    pub(crate) fn check_length(self, name: &str, found: usize, expected: usize) -> Result<()> {
        if found == expected {
            return Ok(());
        }
        Err(self.malformed(format!("{name} is of {found} where there must be {expected}")))
    }

    /// `intercept_` of so many linear functions; a zero stands for all of them where none was fitted.
    pub(crate) fn intercepts(self, functions: usize) -> Result<Vec<f64>> {
        let given = self.optional_numbers("intercept_")?.unwrap_or_else(|| vec![0.0]);
        if given == [0.0] {
            return Ok(vec![0.0; functions]);
        }
        self.check_length("intercept_", given.len(), functions)?;
        Ok(given)
    }

    /// `classes_`, or the attribute of another name: no class twice, and as many as `n_classes_` says.
    pub(crate) fn classes(self, name: &str) -> Result<Arc<Classes>> {
        let array = self.array(name).map_err(|error| {
            // Several outputs have a list of arrays.
            if self.items(name).is_ok() { self.unsupported("several outputs") } else { error }
        })?;
        let classes = classes(array, self.0)
            .ok_or_else(|| self.unsupported(format!("classes {:?}", array.shape)))?;
        if name == "classes_" {
            self.check_class_counts(&[classes.len()])?;
        }
        if classes.has_twins() {
            return Err(self.malformed(format!("{name} holds a class twice")));
        }
        Ok(Arc::new(classes))
    }

    /// `classes_` of a classifier; none of a regressor.
    pub(crate) fn classes_if_any(self) -> Result<Option<Arc<Classes>>> {
        let is_classifier = self.name().ends_with("Classifier");
        is_classifier.then(|| self.classes("classes_")).transpose()
    }

    /// Refuses other numbers of classes, by output, than `n_classes_` says where that is there.
    fn check_class_counts(self, found: &[usize]) -> Result<()> {
        let said = self.optional_numbers("n_classes_")?;
        if said.is_none_or(|said| found.iter().map(|&count| count as f64).eq(said)) {
            return Ok(());
        }
        Err(self.malformed(format!("classes_ are {found:?}, which n_classes_ does not say")))
    }

    /// Names of the columns that it was fitted to, if they had names.
    pub(crate) fn column_names(self) -> Option<Vec<String>> {
        let names = self.optional("feature_names_in_")?;
        let Some(array) = names.array() else {
            // A list, where it is not scikit-learn's own.
            let names = names.items()?.into_iter();
            return names.map(|name| name.text().map(str::to_owned)).collect();
        };
        match classes(array, self.0)? {
            Classes::Text(names) => Some(names),
            _ => None,
        }
    }
}

/// `classes_`, one list for each output.
pub(crate) fn class_lists(fields: Fields<'_>) -> Result<Vec<Arc<Classes>>> {
    if fields.array("classes_").is_ok() {
        return Ok(vec![fields.classes("classes_")?]);
    }
    let lists = fields.items("classes_")?.into_iter().map(|list| {
        list.array()
            .and_then(|array| classes(array, list))
            .map(Arc::new)
            .ok_or_else(|| fields.unsupported(format!("classes of type {}", list.describe())))
    });
    let lists: Vec<Arc<Classes>> = lists.collect::<Result<_>>()?;
    fields.check_class_counts(&lists.iter().map(|list| list.len()).collect::<Vec<_>>())?;
    Ok(lists)
}

pub(crate) fn classes(array: &Array, heap_of: Value<'_>) -> Option<Classes> {
    Some(match &array.elements {
        Elements::Int(v) => Classes::Integers(v.clone(), array.bits),
        Elements::F64(v) => Classes::Floats(v.clone()),
        Elements::F32(v) => Classes::Floats(v.iter().map(|&x| f64::from(x)).collect()),
        Elements::Bool(v) => Classes::Booleans(v.clone()),
        Elements::Text(v) => Classes::Text(v.clone()),
        Elements::Objects(v) => {
            let values: Vec<Value<'_>> = v.iter().map(|&id| heap_of.sibling(id)).collect();
            if let Some(text) = values.iter().map(|value| value.text().map(str::to_owned)).collect()
            {
                Classes::Text(text)
            } else {
                Classes::Integers(
                    values.iter().map(|value| value.int()).collect::<Option<_>>()?,
                    64,
                )
            }
        }
        Elements::Struct(_) => return None,
    })
}

/// Numbers of an array, list or single number.
pub(crate) fn numbers(value: Value<'_>) -> Option<Vec<f64>> {
    if let Some(array) = value.array()
        && !matches!(array.elements, Elements::Objects(_))
    {
        return array.elements.to_f64();
    }
    match value.items() {
        Some(items) => items.into_iter().map(Value::float).collect(),
        None => value.float().map(|x| vec![x]),
    }
}

/// A two-dimensional array, also one that SciPy keeps sparse; a vector is one row.
pub(crate) fn matrix(value: Value<'_>) -> Option<Matrix> {
    if value.class().is_some_and(|class| class.starts_with("scipy.sparse.")) {
        return filled(value);
    }
    let array = value.array()?;
    let (rows, columns) = match array.shape.as_slice() {
        [columns] => (1, *columns),
        [rows, columns] => (*rows, *columns),
        _ => return None,
    };
    let values = array.elements.to_f64()?;
    (values.len() == rows.checked_mul(columns)?).then(|| Matrix::new(rows, columns, values))
}

/// A sparse matrix of SciPy with its zeros: compressed rows or columns, places and values, or diagonals.
fn filled(value: Value<'_>) -> Option<Matrix> {
    let count = |value: Value<'_>| value.int().and_then(|count| usize::try_from(count).ok());
    let shape = value.get("_shape").or_else(|| value.get("shape"))?;
    let shape: Vec<usize> = match shape.array() {
        Some(array) => array.elements.to_i64()?.into_iter().map(|dim| dim as usize).collect(),
        None => shape.items()?.into_iter().map(count).collect::<Option<_>>()?,
    };
    let &[rows, columns] = shape.as_slice() else { return None };
    let mut matrix = Matrix::zeros(rows, columns).ok()?;
    let list = |name: &str| value.get(name).and_then(numbers);
    let data = list("data")?;
    let format = value.get("format").and_then(Value::text).unwrap_or_default();
    let class = value.class()?;
    let is = |name: &str| {
        format == name
            || class.contains(&format!("._{name}."))
            || class.ends_with(&format!("{name}_matrix"))
    };
    let mut put = |row: usize, column: usize, x: f64| {
        if row < rows
            && column < columns
            && let Some(slot) = matrix.values.get_mut(row * columns + column)
        {
            *slot += x;
        }
    };
    if is("csr") || is("csc") {
        let (places, starts) = (list("indices")?, list("indptr")?);
        for (line, bounds) in starts.windows(2).enumerate() {
            let &[start, end] = bounds else { continue };
            let range = start as usize..end as usize;
            for (&place, &x) in places.get(range.clone())?.iter().zip(data.get(range)?) {
                if is("csr") { put(line, place as usize, x) } else { put(place as usize, line, x) }
            }
        }
    } else if is("coo") {
        for ((row, column), x) in list("row")?.into_iter().zip(list("col")?).zip(data) {
            put(row as usize, column as usize, x);
        }
    } else {
        return None;
    }
    Some(matrix)
}
