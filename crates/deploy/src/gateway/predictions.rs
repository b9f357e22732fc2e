//! What an answer predicts: MLflow's `{"predictions": […]}` and Open Inference's `{"outputs": [{"data": […]}]}`,
//! as classes or scores. What is neither says nothing.

use serde_json::Value;

/// Predictions of one answer that are looked at: a batch of thousands is still one request.
const VALUES_MAX: usize = 64;

/// Characters of a class's name that are kept.
const CLASS_CHARS_MAX: usize = 64;

/// Two scores that differ by less, relative to their size, are the same: another order of additions.
const SAME: f64 = 1e-6;

/// One prediction.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Prediction {
    /// A label, a whole number, a yes or no, or where the largest of several probabilities is.
    Class(String),
    /// A number with a fraction.
    Score(f64),
}

impl Prediction {
    /// Whether whoever gets them gets the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Class(one), Self::Class(other)) => one == other,
            (Self::Score(one), Self::Score(other)) => {
                (one - other).abs() <= SAME * one.abs().max(other.abs())
            }
            // A whole number is written without its fraction by some.
            (Self::Class(class), Self::Score(score)) | (Self::Score(score), Self::Class(class)) => {
                class.parse::<f64>().is_ok_and(|class| class == *score)
            }
        }
    }

    fn class(text: &str) -> Self {
        Self::Class(text.chars().take(CLASS_CHARS_MAX).collect())
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(yes) => Some(Self::class(if *yes { "true" } else { "false" })),
            Value::String(text) => Some(Self::class(text)),
            Value::Number(number) if number.is_f64() => number.as_f64().map(Self::Score),
            Value::Number(number) => Some(Self::class(&number.to_string())),
            Value::Array(row) if row.len() == 1 => row.first().and_then(Self::of),
            Value::Array(row) => largest(row),
            Value::Null | Value::Object(_) => None,
        }
    }
}

/// Where the largest of several numbers is.
fn largest(row: &[Value]) -> Option<Prediction> {
    let numbers: Option<Vec<f64>> = row.iter().map(Value::as_f64).collect();
    let place = numbers?.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1))?.0;
    Some(Prediction::Class(format!("#{place}")))
}

/// The predictions of an answer's body, in order; `None` where it has none that can be read.
pub(super) fn read(body: &[u8]) -> Option<Vec<Prediction>> {
    let mut answer: Value = serde_json::from_slice(body).ok()?;
    let rows = match answer.get_mut("predictions") {
        Some(Value::Array(predictions)) => std::mem::take(predictions),
        Some(_) => return None,
        None => rows(answer.get("outputs")?.as_array()?.first()?)?,
    };
    let predictions: Option<Vec<_>> = rows.iter().take(VALUES_MAX).map(Prediction::of).collect();
    predictions.filter(|predictions| !predictions.is_empty())
}

/// The rows of a tensor: `data` is flat, or nested as its shape says.
fn rows(output: &Value) -> Option<Vec<Value>> {
    let data = output.get("data")?.as_array()?;
    let shape: Option<Vec<u64>> =
        output.get("shape")?.as_array()?.iter().map(Value::as_u64).collect();
    let is_flat = !data.first().is_some_and(Value::is_array);
    match shape?.as_slice() {
        [_rows, width] if is_flat && *width > 1 => {
            let width = usize::try_from(*width).ok()?;
            Some(data.chunks(width).map(|row| Value::Array(row.to_vec())).collect())
        }
        [_rows] | [_rows, _] => Some(data.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &[&str]) {
        let told = |prediction: Prediction| match prediction {
            Prediction::Class(class) => class,
            Prediction::Score(score) => format!("{score:?}"),
        };
        let found: Vec<String> =
            read(body.as_bytes()).unwrap_or_default().into_iter().map(told).collect();
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn predictions_of_both_protocols() {
        check(r#"{"predictions": ["yes", "no"]}"#, &["yes", "no"]);
        check(r#"{"predictions": [0, 1, true, 0.5]}"#, &["0", "1", "true", "0.5"]);
        check(r#"{"predictions": [[0.1, 0.7, 0.2], [3.5]]}"#, &["#1", "3.5"]);
        check(
            r#"{"outputs": [{"name": "p", "shape": [2], "datatype": "FP64", "data": [0.5, 1.5]}]}"#,
            &["0.5", "1.5"],
        );
        check(
            r#"{"outputs": [{"name": "p", "shape": [2, 2], "datatype": "FP32", "data": [0.9, 0.1, 0.2, 0.8]}]}"#,
            &["#0", "#1"],
        );
        check(
            r#"{"outputs": [{"name": "p", "shape": [2, 1], "datatype": "BYTES", "data": ["a", "b"]}]}"#,
            &["a", "b"],
        );
        for nothing in
            ["", "[1]", "blue", r#"{"predictions": []}"#, r#"{"predictions": [{"a": 1}]}"#, "{}"]
        {
            check(nothing, &[]);
        }
    }

    #[test]
    fn the_same_answer() {
        let score = Prediction::Score;
        assert!(score(0.1 + 0.2).is_same(&score(0.3)));
        assert!(!score(0.3).is_same(&score(0.301)));
        assert!(Prediction::class("2").is_same(&score(2.0)));
        assert!(!Prediction::class("yes").is_same(&score(2.0)));
        assert!(score(0.0).is_same(&score(0.0)));
    }
}
