//! A model must show that it works before it takes requests.
//!
//! It predicts its own input example, several times and always the same, one prediction a row; and
//! where the folder has `serving_output_example.json`, the recorded answer to that request
//! (`{"predictions": …}`), the prediction must be that. MLflow does not write this file; whoever
//! logs a model may, and then no version is served that predicts something else here than there.

use std::path::Path;

use serde_json::Value;
use trainyard_mlflow::enforce::{Enforced, Protocol};
use trainyard_models::Predictor;

use crate::answer;
use crate::error::{Error, Result};
use crate::python::{Failed, Pool, Question, Wanted};
use crate::slot::{Engine, Served};

/// Predictions of the input example before a model takes requests: the first ones fault in its
/// pages and fill its caches, so that no request has to wait for that.
const WARM_UP_RUNS: usize = 8;

/// The recorded answer to the input example.
const RECORDED: &str = "serving_output_example.json";

/// Bytes of the recorded answer: some rows of it.
const RECORDED_BYTES_MAX: u64 = 16 << 20;

/// How far a number may be from the recorded one: libraries compute in 32 bits, in another order.
const TOLERANCE: f64 = 1e-5;

fn broken(reason: impl Into<String>) -> Error {
    Error::Verification { reason: reason.into() }
}

/// The recorded answer of a model folder, if there is one.
pub(crate) fn recorded(folder: &Path) -> Result<Option<Value>> {
    use std::io::Read as _;

    let path = folder.join(RECORDED);
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { path, source }),
    };
    let mut text = String::new();
    let read = file.take(RECORDED_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|source| Error::Io { path, source })?;
    let value =
        serde_json::from_str(&text).map_err(|error| broken(format!("{RECORDED}: {error}")))?;
    Ok(Some(value))
}

/// Lets the model predict its own input example; gives it back when that worked.
pub(crate) async fn verify(served: Served, recorded: Option<Value>) -> Result<Served> {
    let Some(example) = &served.example else { return Ok(served) };
    let request = served
        .scoring
        .json(example.as_bytes(), Protocol::Invocations)
        .map_err(|rejection| broken(rejection.message))?;
    let answer = match &served.engine {
        Engine::Native(_) => {
            let task = tokio::task::spawn_blocking(move || {
                let answer = match &served.engine {
                    Engine::Native(predictor) => native(&**predictor, &request),
                    Engine::Python(_) => Err(Error::Broken("verifying a model")),
                };
                (served, answer)
            });
            let (served, answer) =
                task.await.map_err(|_panicked| Error::Broken("verifying a model"))?;
            return compare(&answer?, recorded.as_ref()).map(|()| served);
        }
        Engine::Python(pool) => python(pool, &served, &request).await?,
    };
    compare(&answer, recorded.as_ref()).map(|()| served)
}

/// The answer to the example, which must be the same each time.
fn native(predictor: &dyn Predictor, request: &Enforced) -> Result<Vec<u8>> {
    let predict = || predictor.predict(&request.batch).map_err(|error| broken(error.to_string()));
    let first = predict()?;
    let (rows, expected) = (answer::rows(&first), request.batch.num_rows());
    if rows != expected {
        return Err(broken(format!("{rows} predictions for {expected} rows")));
    }
    let first = answer::scoring(&first, request.frame);
    for _run in 1..WARM_UP_RUNS {
        if answer::scoring(&predict()?, request.frame) != first {
            return Err(broken("the same rows gave two different answers"));
        }
    }
    Ok(first)
}

/// The answer of a Python model; it may well be another each time.
async fn python(pool: &Pool, served: &Served, request: &Enforced) -> Result<Vec<u8>> {
    let schema = served.mlmodel.signature.as_ref().and_then(|signature| signature.inputs.as_ref());
    let wanted = Wanted { scoring: true, columns: true };
    let question = Question::new(request, schema, wanted).map_err(|e| broken(e.to_string()))?;
    match pool.ask(question).await {
        Ok(answered) => Ok(answered.scoring.to_vec()),
        Err(Failed::Refused { body, .. }) => Err(broken(String::from_utf8_lossy(&body))),
        Err(Failed::NoWorkers(reason) | Failed::Died(reason)) => {
            Err(Error::Python { reason, is_final: false })
        }
        Err(other) => Err(broken(format!("{other:?}"))),
    }
}

fn compare(answer: &[u8], recorded: Option<&Value>) -> Result<()> {
    let Some(recorded) = recorded else { return Ok(()) };
    let answer: Value = serde_json::from_slice(answer)
        .map_err(|error| broken(format!("its answer cannot be compared: {error}")))?;
    difference(&answer, recorded, "").map_or(Ok(()), |difference| {
        Err(broken(format!("the answer is not the one in {RECORDED}: {difference}")))
    })
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
