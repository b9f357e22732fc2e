//! Predictions as JSON, in MLflow's form and in the plain one.
//!
//! Numbers are written so that reading them back gives the same bits; 32-bit floats as the double
//! they are, which is what Python's `tolist` makes of them. An answer is in memory before it is sent, so
//! it is given up when it grows beyond its limit.

use std::fmt;

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

/// An answer would be larger than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge {
    bytes_max: usize,
}

impl TooLarge {
    /// Than so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max }
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the answer would be larger than {} bytes; send the rows in parts",
            self.bytes_max
        )
    }
}

/// Values of a prediction, whatever their type.
fn values(prediction: &Prediction) -> usize {
    match prediction {
        Prediction::Column(values)
        | Prediction::Matrix { values, .. }
        | Prediction::Maps { values, .. } => values.len(),
        Prediction::Named(outputs) => outputs.iter().map(|(_, output)| values(output)).sum(),
    }
}

/// Refuses so many rows of a model that answers one of them with `one`, if their answer must be too
/// large: a value takes three bytes at least, `0, `.
pub(crate) fn check_size(one: &Prediction, rows: usize, bytes_max: usize) -> Result<(), TooLarge> {
    check_numbers(values(one).saturating_mul(rows), bytes_max)
}

/// Refuses an answer of so many values, if it must be too large.
pub(crate) fn check_numbers(values: usize, bytes_max: usize) -> Result<(), TooLarge> {
    let least = values.saturating_mul(3);
    if least <= bytes_max { Ok(()) } else { Err(TooLarge { bytes_max }) }
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

/// What Python's model answers a request with, which decides how MLflow writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Arrays: lists, by name where they have names.
    Arrays,
    /// A data frame where outputs have names: records.
    Frame,
    /// A series without a name: records of one value.
    Series,
}

/// How a series without a name is called.
const SERIES: &str = "0";

/// MLflow's answer: `{"predictions": …}`.
pub(crate) fn scoring(
    prediction: &Prediction,
    form: Form,
    bytes_max: usize,
) -> Result<Vec<u8>, TooLarge> {
    let mut writer = Writer::new(NotANumber::Python, bytes_max);
    writer.text("{\"predictions\": ");
    match prediction {
        Prediction::Column(values) if form == Form::Series => {
            writer.list(values.len(), |writer, row| {
                writer.object(std::iter::once((SERIES, values)), |w, values| w.value(values, row));
            });
        }
        Prediction::Named(outputs) if form != Form::Arrays => {
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
    writer.done()
}

/// The plain answer: `{"predictions": [labels or values]}`, with `"probabilities"` when the model
/// has named outputs of both kinds.
pub(crate) fn plain(prediction: &Prediction, bytes_max: usize) -> Result<Vec<u8>, TooLarge> {
    let (predictions, probabilities) = parts(prediction);
    let mut writer = Writer::new(NotANumber::Null, bytes_max);
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
    writer.done()
}

/// What an answer of the Open Inference Protocol says beside its tensors.
#[derive(Debug)]
pub(crate) struct About<'a> {
    pub(crate) model: &'a str,
    pub(crate) version: &'a str,
    pub(crate) id: &'a str,
}

/// The answer of the Open Inference Protocol: each output as a tensor, its values in one flat list.
pub(crate) fn open_inference(
    about: &About<'_>,
    prediction: &Prediction,
    bytes_max: usize,
) -> Result<Vec<u8>, TooLarge> {
    let mut writer = Writer::new(NotANumber::Null, bytes_max);
    for (key, text) in [
        ("{\"model_name\": ", about.model),
        (", \"model_version\": ", about.version),
        (", \"id\": ", about.id),
    ] {
        writer.text(key);
        writer.string(text);
    }
    writer.text(", \"outputs\": [");
    match prediction {
        Prediction::Named(outputs) => {
            for (index, (name, output)) in outputs.iter().enumerate() {
                if index > 0 {
                    writer.text(", ");
                }
                writer.tensor(name, output);
            }
        }
        plain => writer.tensor("predictions", plain),
    }
    writer.text("]}");
    writer.done()
}

/// The Open Inference Protocol's name of a type.
pub(crate) fn datatype(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "BOOL",
        DataType::Int8 => "INT8",
        DataType::Int16 => "INT16",
        DataType::Int32 => "INT32",
        DataType::Int64 => "INT64",
        DataType::UInt8 => "UINT8",
        DataType::UInt16 => "UINT16",
        DataType::UInt32 => "UINT32",
        DataType::UInt64 => "UINT64",
        DataType::Float32 => "FP32",
        DataType::Float64 => "FP64",
        _ => "BYTES",
    }
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
    bytes_max: usize,
}

impl Writer {
    fn new(not_a_number: NotANumber, bytes_max: usize) -> Self {
        Self { json: Vec::with_capacity(256), not_a_number, bytes_max }
    }

    fn done(self) -> Result<Vec<u8>, TooLarge> {
        let bytes_max = self.bytes_max;
        if self.json.len() <= bytes_max { Ok(self.json) } else { Err(TooLarge { bytes_max }) }
    }

    fn text(&mut self, text: &str) {
        self.json.extend_from_slice(text.as_bytes());
    }

    fn list(&mut self, length: usize, mut item: impl FnMut(&mut Self, usize)) {
        self.text("[");
        for index in 0..length {
            // What is too large already is given up, see [`Self::done`].
            if self.json.len() > self.bytes_max {
                return;
            }
            if index > 0 {
                self.text(", ");
            }
            item(self, index);
        }
        self.text("]");
    }

    /// An output as a tensor.
    fn tensor(&mut self, name: &str, prediction: &Prediction) {
        let rows = rows(prediction);
        let (values, shape): (Option<&ArrayRef>, Vec<usize>) = match prediction {
            Prediction::Column(values) => (Some(values), vec![rows]),
            Prediction::Matrix { values, width } => (Some(values), vec![rows, *width]),
            Prediction::Maps { keys, values } => (Some(values), vec![rows, keys.len()]),
            Prediction::Named(_) => (None, vec![0]),
        };
        self.text("{\"name\": ");
        self.string(name);
        self.text(", \"datatype\": ");
        self.string(values.map_or("BYTES", |values| datatype(values.data_type())));
        self.text(", \"shape\": ");
        self.list(shape.len(), |writer, index| {
            let size = shape.get(index).copied().unwrap_or_default();
            let _written = serde_json::to_writer(&mut writer.json, &size);
        });
        if let Prediction::Maps { keys, .. } = prediction {
            // What the columns mean, which a tensor cannot say.
            self.text(", \"parameters\": {\"labels\": ");
            self.string(&keys.join(","));
            self.text("}");
        }
        self.text(", \"data\": ");
        match values {
            Some(values) => self.values(values, 0, values.len()),
            None => self.text("[]"),
        }
        self.text("}");
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

    fn text(json: Result<Vec<u8>, TooLarge>) -> String {
        String::from_utf8(json.unwrap()).unwrap()
    }

    fn scoring(prediction: &Prediction, frame: bool) -> Result<Vec<u8>, TooLarge> {
        super::scoring(prediction, if frame { Form::Frame } else { Form::Arrays }, usize::MAX)
    }

    fn plain(prediction: &Prediction) -> Result<Vec<u8>, TooLarge> {
        super::plain(prediction, usize::MAX)
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
        assert_eq!(
            text(super::scoring(&labels(), Form::Series, usize::MAX)),
            r#"{"predictions": [{"0": 0}, {"0": 2}]}"#
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

    #[test]
    fn an_answer_is_given_up_when_it_is_too_large() {
        let many = Prediction::Column(Arc::new(Int64Array::from(vec![7; 100_000])));
        let about = About { model: "m", version: "1", id: "x" };
        for bytes_max in [0, 1000, 299_999] {
            assert_eq!(super::scoring(&many, Form::Frame, bytes_max), Err(TooLarge { bytes_max }));
            assert_eq!(super::plain(&many, bytes_max), Err(TooLarge { bytes_max }));
            assert_eq!(open_inference(&about, &many, bytes_max), Err(TooLarge { bytes_max }));
        }
        assert!(super::plain(&many, 301_000).is_ok());
        let one = labels();
        assert!(check_size(&one, 10, 60).is_ok() && check_size(&one, 11, 60).is_err());
    }
}
