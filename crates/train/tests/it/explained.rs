//! Models that are trained here are explained, by the columns of the table.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use serde_json::json;
use trainyard_models::{Explained, Format, load_bytes};
use trainyard_train::{export, fit, split};

use crate::support::config;

/// Rows of a number and a town that decide, and of a number that does not.
fn table(target: &str) -> RecordBatch {
    let rows = 160_u32;
    let size = |row: u32| f64::from(row * 37 % 101) / 10.0;
    let town = |row: u32| ["north", "south", "west"][(row * 7 % 3) as usize];
    let amount = |row: u32| size(row) + f64::from(u8::from(town(row) == "west")) * 4.0;
    let numbers = |value: &dyn Fn(u32) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values((0..rows).map(value)))
    };
    let answers: ArrayRef = if target == "amount" {
        numbers(&amount)
    } else {
        let answers = (0..rows).map(|row| if amount(row) > 6.0 { "yes" } else { "no" });
        Arc::new(StringArray::from_iter_values(answers))
    };
    let towns = Arc::new(StringArray::from_iter_values((0..rows).map(town)));
    RecordBatch::try_from_iter([
        ("size", numbers(&size)),
        ("town", towns as ArrayRef),
        ("noise", numbers(&|row| f64::from(row * 13 % 29))),
        (target, answers),
    ])
    .unwrap()
}

#[test]
fn contributions_of_what_is_trained_here_add_up_to_its_answers() {
    for (algorithm, target, explained) in [
        ("random_forest", "answer", Explained::Probability),
        ("logistic_regression", "answer", Explained::Margin),
        ("random_forest", "amount", Explained::Prediction),
        ("linear_regression", "amount", Explained::Prediction),
    ] {
        let params =
            if algorithm == "random_forest" { json!({"n_estimators": 12}) } else { json!({}) };
        let settings = config(json!({"target": target, "algorithm": algorithm, "params": params}));
        let table = table(target);
        let fitted = fit(&split(&table, &settings).unwrap(), &settings, &|_, _| true).unwrap();
        let model = load_bytes(&export(&fitted).unwrap().bytes, Format::Onnx).unwrap();
        let input = table.project(&[0, 1, 2]).unwrap();
        let explanation = model.explain(&input, None).unwrap();
        assert_eq!(explanation.explained, explained, "{algorithm}");
        assert_eq!(explanation.columns, ["size", "town", "noise"], "{algorithm}");
        let sizes = explanation.mean_sizes();
        assert!(sizes[0] > sizes[2] && sizes[1] > 0.0, "{algorithm}: {sizes:?}");
        let predictions = fitted.predict(&input).unwrap();
        let outputs = explanation.outputs.len();
        let last = explanation.values().into_iter().skip(outputs - 1).step_by(outputs);
        let answers: Vec<f64> = match predictions.probabilities {
            Some(shares) => shares.values.into_iter().skip(1).step_by(2).collect(),
            None => predictions.values.as_primitive::<Float64Type>().values().to_vec(),
        };
        assert_eq!(last.len(), answers.len());
        for (value, answer) in last.zip(answers) {
            let value =
                if explained == Explained::Margin { 1.0 / (1.0 + (-value).exp()) } else { value };
            assert!((value - answer).abs() < 1e-4, "{algorithm}: {value}, answered {answer}");
        }
    }
}
