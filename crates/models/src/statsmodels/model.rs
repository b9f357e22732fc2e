//! A results file of statsmodels: coefficients, perhaps a formula, and what the model makes of their sum.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, Float64Array, RecordBatch};

use super::design::{Design, unsupported};
use super::mean::Mean;
use crate::any::Cell;
use crate::input::{Cells, Input, check_width};
use crate::python::Value;
use crate::python::pandas::{Frame, Series};
use crate::sklearn::read_object;
use crate::{Error, Prediction, Predictor, Result};

/// A linear predictor and its mean.
#[derive(Debug)]
pub(crate) struct StatsmodelsModel {
    /// Coefficients by equation.
    equations: Vec<Vec<f64>>,
    response: Response,
    /// Where it was given a formula; else columns go by their place.
    design: Option<Design>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Response {
    Mean(Mean),
    /// A probability for each class: of the first, which has no equation, and of those with one.
    Classes,
}

/// What of the parameters of a model are coefficients, and what it answers.
enum Kind {
    Plain(Response),
    /// The last parameter may be a dispersion.
    Dispersed,
    /// So many coefficients come first, then variances.
    Mixed(usize),
}

impl StatsmodelsModel {
    /// Reads a results file, as `results.save` writes it.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a model, link or formula that is not known here, by its name.
    pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Self> {
        let (heap, root) = read_object(bytes, file)?;
        let root = heap.value(root);
        let results = root.get("_results").unwrap_or(root);
        let malformed = |reason: &str| Error::Malformed {
            file: file.to_owned(),
            reason: format!("{}: {reason}", results.describe()),
        };
        let model = results.get("model").ok_or_else(|| malformed("no model in it"))?;
        let kind = kind(model)?;
        let (shape, numbers) = params(results).map_err(malformed)?;
        let is_several = matches!(kind, Kind::Plain(Response::Classes));
        let mut equations = match shape.as_slice() {
            [_] if !is_several => vec![numbers],
            [rows, equations]
                if is_several
                    && !numbers.is_empty()
                    && rows.checked_mul(*equations) == Some(numbers.len()) =>
            {
                let equation = |at: usize| numbers.iter().skip(at).step_by(*equations).copied();
                (0..*equations).map(|at| equation(at).collect()).collect()
            }
            shape => return Err(malformed(&format!("params of shape {shape:?}"))),
        };
        let response = match kind {
            Kind::Plain(response) => response,
            Kind::Dispersed => {
                let extra = model.get("k_extra").and_then(Value::int);
                let extra = extra.and_then(|extra| usize::try_from(extra).ok());
                let extra = extra.ok_or_else(|| {
                    refused(format!(
                        "{} without its k_extra (before statsmodels 0.14)",
                        model.describe()
                    ))
                })?;
                shorten(&mut equations, |length| length.checked_sub(extra));
                Response::Mean(Mean::Exp)
            }
            Kind::Mixed(coefficients) => {
                shorten(&mut equations, |length| (length >= coefficients).then_some(coefficients));
                Response::Mean(Mean::Identity)
            }
        };
        let width = equations.first().map_or(0, Vec::len);
        if width == 0 {
            return Err(malformed("no coefficients"));
        }
        let design = design(model)?;
        if let Some(design) = &design
            && design.width() != width
        {
            return Err(malformed(&format!(
                "{width} coefficients of a design of {} columns",
                design.width()
            )));
        }
        Ok(Self { equations, response, design })
    }

    /// The numbers that the coefficients are multiplied with, row-major.
    fn rows(&self, input: &RecordBatch) -> Result<Vec<f64>> {
        let table = Input::new(input);
        let Some(design) = &self.design else {
            check_width(table.width(), self.width())?;
            return table.rows_f64();
        };
        // Only what the formula takes is read: other columns may hold anything.
        let mut columns: HashMap<&str, Cells> = HashMap::new();
        for name in design.inputs() {
            if columns.contains_key(name) {
                continue;
            }
            let place = input.schema_ref().index_of(name).map_err(|_absent| {
                Error::Input(format!("column {name:?} of the model's formula is missing"))
            })?;
            let one = input.project(&[place]).map_err(|error| Error::Input(error.to_string()))?;
            let cells = Input::new(&one).columns()?.pop();
            columns.insert(name, cells.unwrap_or(Cells::Numbers(Vec::new())));
        }
        let column = |name: &str| columns.get(name).cloned().ok_or_else(|| name.to_owned());
        design.rows(input.num_rows(), &column).map_err(Error::Input)
    }

    fn width(&self) -> usize {
        self.equations.first().map_or(0, Vec::len)
    }
}

/// The parameters, row-major, and their shape: an array, or a series where the fit was given a series as offset.
fn params(results: Value<'_>) -> Result<(Vec<usize>, Vec<f64>), &'static str> {
    const NO_NUMBERS: &str = "params are no numbers";
    let params = results.get("params").ok_or("no params in it")?;
    if let Some(array) = params.array() {
        let numbers = array.elements.to_f64().ok_or(NO_NUMBERS)?;
        return Ok((array.shape.clone(), numbers));
    }
    let series = Series::read(params).ok_or("params is no array")?;
    let number = |cell: &Cell| if let Cell::Number(x) = cell { Some(*x) } else { None };
    let numbers: Option<Vec<f64>> = series.values.cells.iter().map(number).collect();
    let numbers = numbers.ok_or(NO_NUMBERS)?;
    Ok((vec![numbers.len()], numbers))
}

fn shorten(equations: &mut [Vec<f64>], length: impl Fn(usize) -> Option<usize>) {
    for equation in equations {
        equation.truncate(length(equation.len()).unwrap_or(0));
    }
}

/// The refusal of a model, by its name.
fn refused(what: String) -> Error {
    let hint = "linear, generalized linear and discrete models are evaluated here; others are served \
                with Python workers (--python-workers)";
    Error::Unsupported { what, hint: hint.to_owned() }
}

/// What a model answers, by its class.
fn kind(model: Value<'_>) -> Result<Kind> {
    let class = model.class().unwrap_or_default();
    let name = class.rsplit('.').next().unwrap_or_default();
    if !class.starts_with("statsmodels.") {
        return Err(refused(format!("model {}", model.describe())));
    }
    let plain = |mean| Ok(Kind::Plain(Response::Mean(mean)));
    match name {
        "OLS" | "WLS" | "GLS" | "GLSAR" | "QuantReg" | "RLM" => plain(Mean::Identity),
        "GLM" | "GEE" => {
            let family = model.get("family");
            let link = family.and_then(|family| family.get("_link").or_else(|| family.get("link")));
            let link =
                link.ok_or_else(|| refused(format!("{name} of statsmodels without a link")))?;
            let mean = Mean::of_link(link);
            plain(mean.ok_or_else(|| refused(format!("link {} of {name}", link.describe())))?)
        }
        "Logit" => plain(Mean::Logistic),
        "Probit" => plain(Mean::Normal),
        "Poisson" => plain(Mean::Exp),
        "MNLogit" => Ok(Kind::Plain(Response::Classes)),
        "NegativeBinomial" => Ok(Kind::Dispersed),
        "NegativeBinomialP" | "GeneralizedPoisson" => {
            // They would add those of the training rows, however many rows there are.
            let is_there = |name: &&&str| model.get(name).is_some_and(|value| !value.is_none());
            match ["offset", "exposure"].iter().find(is_there) {
                Some(what) => Err(refused(format!("{what} of statsmodels' {name}"))),
                None => Ok(Kind::Dispersed),
            }
        }
        "MixedLM" => {
            let coefficients = model.get("k_fe").and_then(Value::int);
            let coefficients = coefficients.and_then(|count| usize::try_from(count).ok());
            Ok(Kind::Mixed(coefficients.unwrap_or(0)))
        }
        _ => Err(refused(format!("model {class}"))),
    }
}

/// The design of a model that was given a formula.
fn design(model: Value<'_>) -> Result<Option<Design>> {
    let there =
        |value: Value<'_>, name: &str| value.get(name).is_some_and(|value| !value.is_none());
    let Some(data) = model.get("data") else { return Ok(None) };
    if !there(model, "formula") && !there(data, "formula") {
        return Ok(None);
    }
    let frame = |name: &str| data.get(name).and_then(Frame::read);
    let (Some(made), Some(training)) = (frame("orig_exog"), frame("frame")) else {
        return Err(unsupported("a file that does not hold its rows of training"));
    };
    Design::read(&made, &training).map(Some)
}

impl Predictor for StatsmodelsModel {
    fn predict(&self, input: &RecordBatch) -> Result<Prediction> {
        let rows = self.rows(input)?;
        let sums = |row: &[f64], equation: &[f64]| -> f64 {
            row.iter().zip(equation).map(|(x, coefficient)| x * coefficient).sum()
        };
        let each = || rows.chunks_exact(self.width());
        let column = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        match self.response {
            Response::Mean(mean) => {
                let equation = self.equations.first().map(Vec::as_slice).unwrap_or_default();
                let means = each().map(|row| mean.of(sums(row, equation))).collect();
                Ok(Prediction::Column(column(means)))
            }
            Response::Classes => {
                let shares = |row: &[f64]| -> Vec<f64> {
                    let odds = self.equations.iter().map(|equation| sums(row, equation).exp());
                    let odds: Vec<f64> = std::iter::once(1.0).chain(odds).collect();
                    let total: f64 = odds.iter().sum();
                    odds.into_iter().map(|odds| odds / total).collect()
                };
                let width = self.equations.len() + 1;
                // Of an array an array, as in Python.
                if let [only] = input.columns()
                    && only.data_type().is_nested()
                {
                    let values = each().flat_map(shares).collect();
                    return Ok(Prediction::Matrix { values: column(values), width });
                }
                let mut classes: Vec<Vec<f64>> = vec![Vec::new(); width];
                for row in each() {
                    for (class, share) in classes.iter_mut().zip(shares(row)) {
                        class.push(share);
                    }
                }
                // A data frame in Python, whose columns are numbered.
                let named = classes.into_iter().enumerate();
                let named =
                    named.map(|(at, values)| (at.to_string(), Prediction::Column(column(values))));
                Ok(Prediction::Named(named.collect()))
            }
        }
    }

    fn takes_text(&self) -> bool {
        self.design.is_some()
    }

    fn answers_series(&self, of_frame: bool) -> bool {
        // A formula makes a data frame of columns that are not one.
        of_frame || self.design.is_some()
    }

    fn size_bytes(&self) -> usize {
        let coefficients: usize =
            self.equations.iter().map(|equation| size_of_val(equation.as_slice())).sum();
        size_of::<Self>() + coefficients + self.design.as_ref().map_or(0, Design::size_bytes)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::FixedSizeListArray;
    use arrow_schema::{DataType, Field};

    use super::*;

    #[test]
    fn an_array_is_answered_with_an_array_and_a_frame_with_a_frame() {
        let equations = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
        let model = StatsmodelsModel { equations, response: Response::Classes, design: None };
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![0.0; 4]));
        let item = Arc::new(Field::new("item", DataType::Float64, true));
        let lists: ArrayRef = Arc::new(FixedSizeListArray::new(item, 2, numbers, None));
        let array = RecordBatch::try_from_iter([("x", lists)]).unwrap();
        let answer = model.predict(&array).unwrap();
        assert!(matches!(answer, Prediction::Matrix { width: 3, .. }), "{answer:?}");
        let column: ArrayRef = Arc::new(Float64Array::from(vec![0.0]));
        let frame =
            RecordBatch::try_from_iter([("a", Arc::clone(&column)), ("b", column)]).unwrap();
        let answer = model.predict(&frame).unwrap();
        assert!(matches!(&answer, Prediction::Named(named) if named.len() == 3), "{answer:?}");
        assert!(model.answers_series(true) && !model.answers_series(false));
    }
}
