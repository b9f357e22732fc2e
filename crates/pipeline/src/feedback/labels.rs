//! What was true, as a column of the training data's target: its type decides what fits.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, new_null_array};
use arrow_cast::cast;
use serde_json::Value;
use trainyard_data::arrow_schema::{ArrowError, DataType};

/// The values in the type of the target; null where one does not fit: a text among numbers, 1.5 among whole
/// numbers.
pub(super) fn column(values: &[&Value], target: &DataType) -> Result<ArrayRef, ArrowError> {
    let values = values.iter().copied();
    let kind = match target {
        DataType::Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    let labels: ArrayRef = match kind {
        DataType::Utf8 => Arc::new(values.map(text).collect::<StringArray>()),
        DataType::Boolean => Arc::new(values.map(truth).collect::<BooleanArray>()),
        kind if kind.is_integer() => Arc::new(values.map(whole).collect::<Int64Array>()),
        kind if kind.is_floating() => Arc::new(values.map(number).collect::<Float64Array>()),
        _ => return Ok(new_null_array(target, values.len())),
    };
    // What is out of the range of a smaller type becomes null.
    cast(&labels, target)
}

/// A number is the text that a CSV file has of it.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The words are those that pandas takes for booleans.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => match text.as_str() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn whole(value: &Value) -> Option<i64> {
    /// Up to here a float holds every whole number.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            (float.fract() == 0.0 && float.abs() <= EXACT_MAX).then_some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use arrow_array::Array as _;
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Float64Type, Int8Type};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_target_decides_what_a_label_is() {
        let given = [json!("yes"), json!(1), json!(2.0), json!(1.5), json!(true), json!("300")];
        let values: Vec<&Value> = given.iter().collect();
        let texts = column(&values, &DataType::Utf8).unwrap();
        let texts: Vec<_> = texts.as_string::<i32>().iter().collect();
        assert_eq!(texts, [Some("yes"), Some("1"), Some("2.0"), Some("1.5"), None, Some("300")]);
        // 300 is a whole number, but no 8 bits hold it.
        let whole = column(&values, &DataType::Int8).unwrap();
        let whole: Vec<_> = whole.as_primitive::<Int8Type>().iter().collect();
        assert_eq!(whole, [None, Some(1), Some(2), None, None, None]);
        let numbers = column(&values, &DataType::Float64).unwrap();
        let numbers: Vec<_> = numbers.as_primitive::<Float64Type>().iter().collect();
        assert_eq!(numbers, [None, Some(1.0), Some(2.0), Some(1.5), None, Some(300.0)]);
        assert_eq!(column(&values, &DataType::Boolean).unwrap().null_count(), 5);
        assert_eq!(column(&values, &DataType::Date32).unwrap().null_count(), 6);
    }
}
