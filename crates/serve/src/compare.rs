//! The answer to a model's input example beside the recorded one (`serving_output_example.json`).

use serde_json::Value;

use crate::error::{Error, Result};

/// How far a number may be from the recorded one: libraries compute in 32 bits, in another order.
const TOLERANCE: f64 = 1e-5;

/// Refuses an answer that is not the recorded one.
pub(crate) fn compare(answer: &[u8], recorded: Option<&Value>) -> Result<()> {
    let Some(recorded) = recorded else { return Ok(()) };
    let differs = |reason| Err(Error::Verification { reason });
    let answer: Value = match serde_json::from_slice(answer) {
        Ok(answer) => answer,
        Err(error) => return differs(format!("its answer cannot be compared: {error}")),
    };
    match difference(&answer, recorded, "") {
        None => Ok(()),
        Some(difference) => differs(format!(
            "the answer is not the one in serving_output_example.json: {difference}"
        )),
    }
}

/// The first place at which two answers differ, if they do.
fn difference(ours: &Value, recorded: &Value, at: &str) -> Option<String> {
    let differ = || Some(format!("{at} is {ours}, recorded is {recorded}"));
    match (ours, recorded) {
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64()?, right.as_f64()?);
            let close = (left - right).abs() <= TOLERANCE * right.abs().max(1e-6);
            if close { None } else { differ() }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            left.iter().zip(right).enumerate().find_map(|(index, (left, right))| {
                difference(left, right, &format!("{at}[{index}]"))
            })
        }
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
            left.iter().find_map(|(key, value)| match right.get(key) {
                Some(other) => difference(value, other, &format!("{at}.{key}")),
                None => differ(),
            })
        }
        (left, right) if left == right => None,
        _ => differ(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_compared_value_by_value() {
        let recorded = json!({ "predictions": [{ "label": "a", "p": [0.25, 0.0] }, 3] });
        let close = json!({ "predictions": [{ "label": "a", "p": [0.250_000_1, 1e-12] }, 3.0] });
        assert_eq!(difference(&close, &recorded, ""), None);
        for other in [
            json!({ "predictions": [{ "label": "b", "p": [0.25, 0.0] }, 3] }),
            json!({ "predictions": [{ "label": "a", "p": [0.2501, 0.0] }, 3] }),
            json!({ "predictions": [{ "label": "a", "p": [0.25, 0.0] }] }),
            json!({ "predictions": [{ "label": "a", "q": [0.25, 0.0] }, 3] }),
            json!({ "predictions": null }),
        ] {
            assert!(difference(&other, &recorded, "").is_some(), "{other}");
        }
        let other = json!({ "predictions": [{ "label": "a", "p": [0.25, 1] }, 3] });
        let found = difference(&other, &recorded, "").unwrap();
        assert_eq!(found, ".predictions[0].p[1] is 1, recorded is 0.0");
    }
}
