//! Predictions as JSON, in MLflow's form and in the plain one.
//!
//! Numbers are written so that reading them back gives the same bits; 32-bit floats as the double
//! they are, which is what Python's `tolist` makes of them.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;
use trainyard_models::Prediction;

/// How numbers are written that JSON does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotANumber {
    /// `NaN`, `Infinity`: as Python's `json` does, which MLflow's clients read.
    Python,
    /// `null`: whole JSON.
    Null,
}

/// Rows of a prediction.
pub(crate) fn rows(prediction: &Prediction) -> usize {
    match prediction {
        Prediction::Column(values) => values.len(),
        Prediction::Matrix { values, width } => values.len().checked_div(*width).unwrap_or(0),
        Prediction::Maps { keys, values } => values.len().checked_div(keys.len()).unwrap_or(0),
        Prediction::Named(outputs) => outputs.first().map_or(0, |(_, output)| rows(output)),
    }
}

/// MLflow's answer: `{"predictions": …}`. Named outputs are records when the request was a data
/// frame, else lists by name.
pub(crate) fn scoring(prediction: &Prediction, frame: bool) -> Vec<u8> {
    let mut writer = Writer::new(NotANumber::Python);
    writer.text("{\"predictions\": ");
    match prediction {
        Prediction::Named(outputs) if frame => {
            writer.list(rows(prediction), |writer, row| {
                writer.object(
                    outputs.iter().map(|(name, output)| (name.as_str(), output)),
                    // A data frame has one value in a cell.
                    |w, output| match single(output) {
                        Some(values) => w.value(values, row),
                        None => w.row(output, row),
                    },
                );
            });
        }
        Prediction::Named(outputs) => {
            writer.object(
                outputs.iter().map(|(name, output)| (name.as_str(), output)),
                |w, output| {
                    w.all(output);
                },
            );
        }
        plain => writer.all(plain),
    }
    writer.text("}");
    writer.json
}

/// The plain answer: `{"predictions": [labels or values]}`, with `"probabilities"` when the model
/// has named outputs of both kinds.
pub(crate) fn plain(prediction: &Prediction) -> Vec<u8> {
    let (predictions, probabilities) = parts(prediction);
    let mut writer = Writer::new(NotANumber::Null);
    writer.text("{\"predictions\": ");
    match single(predictions) {
        Some(values) => writer.values(values, 0, values.len()),
        None => writer.all(predictions),
    }
    if let Some(probabilities) = probabilities {
        writer.text(", \"probabilities\": ");
        writer.all(probabilities);
    }
    writer.text("}");
    writer.json
}

/// All values as one flat list.
pub(crate) fn flat(values: &ArrayRef) -> Vec<u8> {
    let mut writer = Writer::new(NotANumber::Null);
    writer.values(values, 0, values.len());
    writer.json
}

/// What the model says, and how sure it is: the first output with one value a row, and the first
/// with several.
pub(crate) fn parts(prediction: &Prediction) -> (&Prediction, Option<&Prediction>) {
    let Prediction::Named(outputs) = prediction else { return (prediction, None) };
    let outputs: Vec<&Prediction> = outputs.iter().map(|(_, output)| output).collect();
    let label = outputs.iter().copied().find(|output| single(output).is_some());
    let several = outputs.iter().copied().find(|output| single(output).is_none());
    match (label, several) {
        (Some(label), several) => (label, several),
        (None, Some(several)) => (several, None),
        (None, None) => (prediction, None),
    }
}

/// The values of an output that has one a row, be it a list or a matrix of one column.
fn single(output: &Prediction) -> Option<&ArrayRef> {
    match output {
        Prediction::Column(values) | Prediction::Matrix { values, width: 1 } => Some(values),
        _ => None,
    }
}

#[derive(Debug)]
struct Writer {
    json: Vec<u8>,
    not_a_number: NotANumber,
}

impl Writer {
    fn new(not_a_number: NotANumber) -> Self {
        Self { json: Vec::with_capacity(256), not_a_number }
    }

    fn text(&mut self, text: &str) {
        self.json.extend_from_slice(text.as_bytes());
    }

    fn list(&mut self, length: usize, mut item: impl FnMut(&mut Self, usize)) {
        self.text("[");
        for index in 0..length {
            if index > 0 {
                self.text(", ");
            }
            item(self, index);
        }
        self.text("]");
    }

    fn object<'k, T>(
        &mut self,
        entries: impl Iterator<Item = (&'k str, T)>,
        mut value: impl FnMut(&mut Self, T),
    ) {
        self.text("{");
        for (index, (key, entry)) in entries.enumerate() {
            if index > 0 {
                self.text(", ");
            }
            self.string(key);
            self.text(": ");
            value(self, entry);
        }
        self.text("}");
    }

    fn string(&mut self, text: &str) {
        // Writing to memory cannot fail.
        let _written = serde_json::to_writer(&mut self.json, text);
    }

    /// All rows.
    fn all(&mut self, prediction: &Prediction) {
        match prediction {
            // The common shapes without asking for the type of each value.
            Prediction::Column(values) => self.values(values, 0, values.len()),
            other => self.list(rows(other), |writer, row| writer.row(other, row)),
        }
    }

    /// One row.
    fn row(&mut self, prediction: &Prediction, row: usize) {
        match prediction {
            Prediction::Column(values) => self.value(values, row),
            Prediction::Matrix { values, width } => self.values(values, row * width, *width),
            Prediction::Maps { keys, values } => {
                let first = row * keys.len();
                let entries =
                    keys.iter().enumerate().map(|(index, key)| (key.as_str(), first + index));
                self.object(entries, |writer, index| writer.value(values, index));
            }
            Prediction::Named(outputs) => {
                let entries = outputs.iter().map(|(name, output)| (name.as_str(), output));
                self.object(entries, |writer, output| writer.row(output, row));
            }
        }
    }

    /// A list of `length` values from `first`.
    fn values(&mut self, values: &ArrayRef, first: usize, length: usize) {
        match values.data_type() {
            DataType::Float64 => {
                let values = values.as_primitive::<Float64Type>();
                self.list(length, |w, index| w.double(values.values().get(first + index).copied()));
            }
            DataType::Float32 => {
                let values = values.as_primitive::<Float32Type>();
                self.list(length, |w, index| {
                    w.double(values.values().get(first + index).copied().map(f64::from));
                });
            }
            DataType::Int64 => {
                let values = values.as_primitive::<Int64Type>();
                self.list(length, |w, index| {
                    w.integer(values.values().get(first + index).copied());
                });
            }
            _ => self.list(length, |writer, index| writer.value(values, first + index)),
        }
    }

    fn double(&mut self, value: Option<f64>) {
        match (value, self.not_a_number) {
            (Some(value), _) if value.is_finite() => {
                let _written = serde_json::to_writer(&mut self.json, &value);
            }
            (None, _) | (_, NotANumber::Null) => self.text("null"),
            (Some(value), _) if value.is_nan() => self.text("NaN"),
            (Some(value), _) => self.text(if value > 0.0 { "Infinity" } else { "-Infinity" }),
        }
    }

    fn integer(&mut self, value: Option<i64>) {
        match value {
            Some(value) => {
                let _written = serde_json::to_writer(&mut self.json, &value);
            }
            None => self.text("null"),
        }
    }

    /// One value of any type.
    fn value(&mut self, values: &ArrayRef, index: usize) {
        if index >= values.len() || values.is_null(index) {
            return self.text("null");
        }
        macro_rules! integer {
            ($type:ty) => {
                self.integer(i64::try_from(values.as_primitive::<$type>().value(index)).ok())
            };
        }
        match values.data_type() {
            DataType::Float64 => {
                self.double(Some(values.as_primitive::<Float64Type>().value(index)));
            }
            DataType::Float32 => {
                self.double(Some(f64::from(values.as_primitive::<Float32Type>().value(index))));
            }
            DataType::Int64 => self.integer(Some(values.as_primitive::<Int64Type>().value(index))),
            DataType::Int32 => integer!(Int32Type),
            DataType::Int16 => integer!(Int16Type),
            DataType::Int8 => integer!(Int8Type),
            DataType::UInt64 => {
                let value = values.as_primitive::<UInt64Type>().value(index);
                let _written = serde_json::to_writer(&mut self.json, &value);
            }
            DataType::UInt32 => integer!(UInt32Type),
            DataType::UInt16 => integer!(UInt16Type),
            DataType::UInt8 => integer!(UInt8Type),
            DataType::Boolean => {
                self.text(if values.as_boolean().value(index) { "true" } else { "false" });
            }
            DataType::Utf8 => self.string(values.as_string::<i32>().value(index)),
            DataType::LargeUtf8 => self.string(values.as_string::<i64>().value(index)),
            DataType::List(_) => {
                let items = values.as_list::<i32>().value(index);
                self.values(&items, 0, items.len());
            }
            DataType::FixedSizeList(_, _) => {
                let items = values.as_fixed_size_list().value(index);
                self.values(&items, 0, items.len());
            }
            // No model answers anything else.
            _ => self.text("null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float32Array, Float64Array, Int64Array, StringArray};

    use super::*;

    fn text(json: Vec<u8>) -> String {
        String::from_utf8(json).unwrap()
    }

    fn labels() -> Prediction {
        Prediction::Column(Arc::new(Int64Array::from(vec![0, 2])))
    }

    fn scores() -> Prediction {
        let values = Arc::new(Float32Array::from(vec![0.9_f32, 0.1, 0.25, 0.75]));
        Prediction::Matrix { values, width: 2 }
    }

    #[test]
    fn plain_arrays_are_lists() {
        assert_eq!(text(scoring(&labels(), true)), r#"{"predictions": [0, 2]}"#);
        assert_eq!(
            text(scoring(&scores(), true)),
            r#"{"predictions": [[0.8999999761581421, 0.10000000149011612], [0.25, 0.75]]}"#
        );
        let names = Prediction::Column(Arc::new(StringArray::from(vec!["a\"b", "ü"])));
        assert_eq!(text(plain(&names)), r#"{"predictions": ["a\"b", "ü"]}"#);
    }

    #[test]
    fn named_outputs_follow_the_request() {
        let maps = Prediction::Maps {
            keys: vec!["0".to_owned(), "1".to_owned()],
            values: Arc::new(Float64Array::from(vec![0.5, 0.5, 1.0, 0.0])),
        };
        let named = Prediction::Named(vec![("label".to_owned(), labels()), ("p".to_owned(), maps)]);
        assert_eq!(
            text(scoring(&named, false)),
            r#"{"predictions": {"label": [0, 2], "p": [{"0": 0.5, "1": 0.5}, {"0": 1.0, "1": 0.0}]}}"#
        );
        assert_eq!(
            text(scoring(&named, true)),
            r#"{"predictions": [{"label": 0, "p": {"0": 0.5, "1": 0.5}}, {"label": 2, "p": {"0": 1.0, "1": 0.0}}]}"#
        );
        assert_eq!(
            text(plain(&named)),
            r#"{"predictions": [0, 2], "probabilities": [{"0": 0.5, "1": 0.5}, {"0": 1.0, "1": 0.0}]}"#
        );
        let variable =
            Prediction::Matrix { values: Arc::new(Float64Array::from(vec![1.5])), width: 1 };
        assert_eq!(text(scoring(&variable, true)), r#"{"predictions": [[1.5]]}"#);
        let regressor = Prediction::Named(vec![("variable".to_owned(), variable)]);
        assert_eq!(text(scoring(&regressor, true)), r#"{"predictions": [{"variable": 1.5}]}"#);
        assert_eq!(text(scoring(&regressor, false)), r#"{"predictions": {"variable": [[1.5]]}}"#);
        assert_eq!(text(plain(&regressor)), r#"{"predictions": [1.5]}"#);
    }

    #[test]
    fn what_json_does_not_have() {
        let values = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300];
        let odd = Prediction::Column(Arc::new(Float64Array::from(values)));
        assert_eq!(
            text(scoring(&odd, true)),
            r#"{"predictions": [NaN, Infinity, -Infinity, -0.0, 1e+300]}"#
        );
        assert_eq!(text(plain(&odd)), r#"{"predictions": [null, null, null, -0.0, 1e+300]}"#);
    }
}
