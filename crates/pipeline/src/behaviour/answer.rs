//! Two answers to one request: whether they differ, and how far.

use serde_json::Value;

use super::report::Measure;

/// Numbers below this are compared as if they were as large: what is left of zero has no meaning relative to
/// itself.
const NUMBER_MIN: f64 = 1e-6;

/// How far two answers are from each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    /// Whether they are two answers: another label, or a number beyond the tolerance.
    pub(super) is_changed: bool,
    pub(super) measure: Measure,
    /// In terms of the measure.
    pub(super) size: f64,
}

impl Difference {
    const NONE: Self = Self { is_changed: false, measure: Measure::Label, size: 0.0 };
    const OTHER: Self = Self { is_changed: true, measure: Measure::Label, size: 1.0 };

    fn and(self, other: Self) -> Self {
        Self {
            is_changed: self.is_changed || other.is_changed,
            measure: self.measure.max(other.measure),
            size: self.size.max(other.size),
        }
    }
}

/// Compares two answers of a model server, `{"predictions": …}` and perhaps `"probabilities"` beside them.
/// Where both have probabilities, how far they are apart is the size of the difference; whether the answer
/// is another one is the prediction's to say.
pub(super) fn compare(before: &Value, after: &Value, tolerance: f64) -> Difference {
    let difference = of_values(predictions(before), predictions(after), tolerance);
    match (before.get("probabilities"), after.get("probabilities")) {
        (Some(before), Some(after)) => Difference {
            measure: Measure::Probability,
            size: distance(before, after),
            ..difference
        },
        _ => difference,
    }
}

fn predictions(answer: &Value) -> &Value {
    answer.get("predictions").unwrap_or(answer)
}

/// The label that an answer to one row is, as text; none where it is a number with a fraction, or no single
/// value.
pub(super) fn label(answer: &Value) -> Option<String> {
    let mut value = predictions(answer);
    while let Value::Array(items) = value {
        let [only] = items.as_slice() else { return None };
        value = only;
    }
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(label) => Some(label.to_string()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

fn of_values(before: &Value, after: &Value, tolerance: f64) -> Difference {
    match (before, after) {
        // Whole numbers are labels or counts: another one is another answer.
        (Value::Number(before), Value::Number(after)) if before.is_f64() || after.is_f64() => {
            let size = relative(before.as_f64(), after.as_f64());
            Difference { is_changed: size > tolerance, measure: Measure::Relative, size }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            let pairs = before.iter().zip(after);
            let each = pairs.map(|(before, after)| of_values(before, after, tolerance));
            each.fold(Difference::NONE, Difference::and)
        }
        (Value::Object(before), Value::Object(after)) if before.len() == after.len() => {
            let each = before.iter().map(|(key, before)| match after.get(key) {
                Some(after) => of_values(before, after, tolerance),
                None => Difference::OTHER,
            });
            each.fold(Difference::NONE, Difference::and)
        }
        (before, after) if before == after => Difference::NONE,
        _ => Difference::OTHER,
    }
}

/// `|a - b| / max(|a|, |b|)`: between 0 and 2, the same both ways.
fn relative(before: Option<f64>, after: Option<f64>) -> f64 {
    let (Some(before), Some(after)) = (before, after) else { return 1.0 };
    (before - after).abs() / before.abs().max(after.abs()).max(NUMBER_MIN)
}

/// The largest absolute distance of two numbers in the same place; 1 where the places are others.
fn distance(before: &Value, after: &Value) -> f64 {
    let largest = |pairs: &mut dyn Iterator<Item = f64>| pairs.fold(0.0, f64::max);
    match (before, after) {
        (Value::Number(before), Value::Number(after)) => match (before.as_f64(), after.as_f64()) {
            (Some(before), Some(after)) => (before - after).abs(),
            _ => 1.0,
        },
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            largest(&mut before.iter().zip(after).map(|(before, after)| distance(before, after)))
        }
        (Value::Object(before), Value::Object(after)) if before.len() == after.len() => {
            let of = |(key, before): (&String, &Value)| {
                after.get(key).map_or(1.0, |after| distance(before, after))
            };
            largest(&mut before.iter().map(of))
        }
        (before, after) if before == after => 0.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(pair: &(Value, Value)) -> (bool, Measure, f64) {
        let found = compare(&pair.0, &pair.1, 0.05);
        (found.is_changed, found.measure, (found.size * 1e6).round() / 1e6)
    }

    #[test]
    fn labels_differ_at_all_and_numbers_beyond_the_tolerance() {
        for (before, after, expected) in [
            (json!("a"), json!("a"), (false, Measure::Label, 0.0)),
            (json!("a"), json!("b"), (true, Measure::Label, 1.0)),
            (json!(100), json!(101), (true, Measure::Label, 1.0)),
            (json!(100.0), json!(101.0), (false, Measure::Relative, 0.009901)),
            (json!(100.0), json!(80.0), (true, Measure::Relative, 0.2)),
            (json!(0.0), json!(0), (false, Measure::Relative, 0.0)),
            (json!(1e-12), json!(-1e-12), (false, Measure::Relative, 2e-6)),
            (json!(2.0), Value::Null, (true, Measure::Label, 1.0)),
            (json!({ "a": 1.0 }), json!({ "b": 1.0 }), (true, Measure::Label, 1.0)),
            (json!([1.0, 2.0]), json!([1.0]), (true, Measure::Label, 1.0)),
        ] {
            let said = |value: &Value| json!({ "predictions": [value] });
            assert_eq!(of(&(said(&before), said(&after))), expected, "{before} → {after}");
        }
    }

    #[test]
    fn probabilities_say_how_far() {
        let said = |label: &str, probability: f64| json!({ "predictions": [label], "probabilities": [[probability, 1.0 - probability]] });
        let other = json!({ "predictions": ["a"], "probabilities": [[0.9, 0.05, 0.05]] });
        for (pair, expected) in [
            ((said("a", 0.9), said("a", 0.6)), (false, Measure::Probability, 0.3)),
            ((said("a", 0.51), said("b", 0.49)), (true, Measure::Probability, 0.02)),
            ((said("a", 0.9), other), (false, Measure::Probability, 1.0)),
        ] {
            assert_eq!(of(&pair), expected, "{pair:?}");
        }
    }

    #[test]
    fn a_label_is_one_value_without_a_fraction() {
        for (answer, expected) in [
            (json!({ "predictions": ["a"] }), Some("a")),
            (json!({ "predictions": [1] }), Some("1")),
            (json!({ "predictions": [[true]] }), Some("true")),
            (json!({ "predictions": [1.5] }), None),
            (json!({ "predictions": ["a", "b"] }), None),
            (json!([]), None),
        ] {
            assert_eq!(label(&answer).as_deref(), expected, "{answer}");
        }
    }
}
