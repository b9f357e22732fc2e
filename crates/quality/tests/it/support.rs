//! Reading tables of JSON.

use serde_json::Value;
use trainyard_quality::Feature;
use trainyard_quality::metrics::Probabilities;

/// A column of numbers; null is NaN.
pub(crate) fn numbers(table: &Value, name: &str) -> Vec<f64> {
    let column = table[name].as_array().unwrap_or_else(|| panic!("there is no column {name}"));
    column.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

/// A column of labels, whatever they are.
pub(crate) fn labels(table: &Value, name: &str) -> Vec<String> {
    let column = table[name].as_array().unwrap_or_else(|| panic!("there is no column {name}"));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    column.iter().map(text).collect()
}

/// All columns of a table.
pub(crate) fn features(table: &Value, names: &[String]) -> Vec<Feature> {
    let of = |name: &String| {
        let column = table[name].as_array().unwrap();
        if column.iter().any(Value::is_string) {
            let label = |value: &Value| value.as_str().map(str::to_owned);
            Feature::Labels(column.iter().map(label).collect())
        } else {
            Feature::Numbers(numbers(table, name))
        }
    };
    names.iter().map(of).collect()
}

/// Probabilities of classes, each in a column.
pub(crate) fn probabilities(table: &Value, classes: &[String]) -> Probabilities {
    let columns: Vec<Vec<f64>> = classes.iter().map(|name| numbers(table, name)).collect();
    let rows = columns[0].len();
    let values = (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
    Probabilities { classes: classes.to_vec(), values, epsilon: f64::EPSILON }
}

/// Fails where two numbers differ by more than this share of them.
pub(crate) fn same(what: &str, found: f64, expected: &Value, tolerance: f64) {
    match expected.as_f64() {
        None => assert!(found.is_nan(), "{what}: {found}, which is not defined there"),
        Some(expected) => {
            let difference = (found - expected).abs();
            let size = found.abs().max(expected.abs());
            assert!(difference <= tolerance * size.max(1e-300), "{what}: {found} and {expected}");
        }
    }
}
