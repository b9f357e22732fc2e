//! A model must show that it works before it takes requests.
//!
//! It predicts its own input example, several times and always the same, one prediction a row; and
//! where the folder has `serving_output_example.json`, the recorded answer to that request
//! (`{"predictions": …}`), the prediction must be that. MLflow does not write this file; whoever
//! logs a model may, and then no version is served that predicts something else here than there.
//!
//! A model that fails at what its signature promises is refused. An example that says nothing about
//! the model (it cannot be read, is not what the signature takes, or there is no signature that would
//! say so) is no reason not to serve: where the model takes rows of its signature's columns at all
//! ([`signature_probe`]), it serves unverified, which the log and `/health` say.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array as _, ArrayRef};
use serde_json::Value;
use trainyard_models::{Prediction, Predictor};
use trainyard_signature::enforce::{Casting, Enforced, Enforcer, Protocol};
use trainyard_signature::model::InputExample;

use crate::compare::compare;
use crate::error::{Error, Result};
use crate::options::ServeOptions;
use crate::python::{Failed, Pool, Question, Wanted};
use crate::served_model::{Engine, ServedModel};
use crate::{answer, blocking, signature_probe};

/// Predictions of the input example before a model takes requests: the first ones fault in its
/// pages and fill its caches, so that no request has to wait for that.
const WARM_UP_RUNS: usize = 8;

/// Bytes of an example that is shown. People log whole tables as examples; a page holds some rows.
const SHOWN_BYTES_MAX: usize = 256 << 10;

fn broken(reason: impl Into<String>) -> Error {
    Error::Verification { reason: reason.into() }
}

/// What a model folder has to try the model with.
#[derive(Debug)]
pub(crate) struct Examples {
    /// A scoring request, or why there is none.
    pub(crate) request: Result<String, Silent>,
    /// The recorded answer to it.
    pub(crate) answer: Option<Value>,
}

/// Why an example says nothing about the model.
#[derive(Debug)]
pub(crate) struct Silent {
    /// For everybody, without the data of the example.
    pub(crate) what: &'static str,
    /// For the log.
    pub(crate) detail: String,
}

/// Why the trial of a model did not end well.
#[derive(Debug)]
enum Failure {
    Silent(Silent),
    Broken(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// Lets the model predict its own input example; gives it back unless it failed.
pub(crate) async fn verify(
    served: ServedModel,
    examples: Examples,
    options: &ServeOptions,
) -> Result<ServedModel> {
    let Examples { request, answer: recorded } = examples;
    let has_recorded = recorded.is_some();
    let (mut served, tried) = match request {
        Ok(request) => {
            let (served, tried) = try_out(served, &request, recorded, options).await?;
            (shown(served, request), tried)
        }
        Err(silent) => (served, Err(Failure::Silent(silent))),
    };
    let silent = match tried {
        Ok(()) => {
            served.unverified = None;
            return Ok(served);
        }
        Err(Failure::Broken(error)) => return Err(error),
        Err(Failure::Silent(silent)) => silent,
    };
    let reason = || format!("{}: {}", silent.what, silent.detail);
    if has_recorded {
        // Whoever records an answer wants it compared.
        return Err(broken(format!("there is a recorded answer, but {}", reason())));
    }
    if options.require_verified {
        return Err(Error::Unverified { reason: reason() });
    }
    let mut served = signature_probe::check(served).await?;
    tracing::warn!(
        what = silent.what,
        detail = silent.detail,
        "the model serves unverified: it was not tried on its input example"
    );
    // What cannot be predicted is no example for others.
    served.example = None;
    served.unverified = Some(silent.what);
    Ok(served)
}

/// The model with its example to show, unless that is large.
fn shown(served: ServedModel, example: String) -> ServedModel {
    let example = (example.len() <= SHOWN_BYTES_MAX).then_some(example);
    // Python writes missing values in a way that browsers do not read.
    let example = example.map(|payload| InputExample { payload }).and_then(|e| e.to_json());
    ServedModel { example: example.map(|example| example.to_string()), ..served }
}

async fn try_out(
    served: ServedModel,
    example: &str,
    recorded: Option<Value>,
    options: &ServeOptions,
) -> Result<(ServedModel, Result<(), Failure>)> {
    let request = match read(&served, example, options) {
        Ok(request) => request,
        Err(silent) => return Ok((served, Err(Failure::Silent(silent)))),
    };
    let bytes_max = options.limits.answer_bytes_max;
    if let Engine::Python(pool) = &served.engine {
        let answer = python(pool, &served, &request).await;
        let tried = answer.and_then(|answer| Ok(compare(&answer, recorded.as_ref())?));
        return Ok((served, tried));
    }
    let work = move || {
        let tried = match &served.engine {
            Engine::Native(predictor) => native(&served, &**predictor, &request, bytes_max)
                .and_then(|answer| Ok(compare(&answer, recorded.as_ref())?)),
            Engine::Python(_) => Err(Error::Broken("predicting the input example").into()),
        };
        (served, tried)
    };
    let tried = blocking::run(work).await;
    tried.map_err(|ended| ended.during("predicting the input example"))
}

/// The example as a request. It was written by MLflow, so what MLflow casts is no mistake in it.
fn read(served: &ServedModel, example: &str, options: &ServeOptions) -> Result<Enforced, Silent> {
    let request = served.scoring.json(example.as_bytes(), Protocol::Invocations);
    let request = request.or_else(|_strictly| {
        let (signature, limits) = (served.mlmodel.signature.as_ref(), &options.limits.content);
        let lenient = Enforcer::new(signature, Casting::Upstream, limits.clone());
        lenient.json(example.as_bytes(), Protocol::Invocations)
    });
    request.map_err(|rejection| Silent {
        what: "its input example does not fit its signature",
        detail: rejection.message,
    })
}

/// What it means that the model did not predict the example, which fits the signature if there is one.
fn refused(served: &ServedModel, reason: String) -> Failure {
    if served.inputs().is_some() {
        return broken(reason).into();
    }
    Failure::Silent(Silent {
        what: "it does not predict its input example, and no signature says that it takes it",
        detail: reason,
    })
}

/// The answer to the example, which must be the same each time.
fn native(
    served: &ServedModel,
    predictor: &dyn Predictor,
    request: &Enforced,
    bytes_max: usize,
) -> Result<Vec<u8>, Failure> {
    let predict =
        || predictor.predict(&request.batch).map_err(|error| refused(served, error.to_string()));
    let written = |prediction: &Prediction| {
        answer::scoring(prediction, served.form(request), bytes_max)
            .map_err(|too_large| refused(served, too_large.to_string()))
    };
    let first = predict()?;
    let (rows, expected) = (answer::rows(&first), request.batch.num_rows());
    if rows != expected {
        return Err(broken(format!("{rows} predictions for {expected} rows")).into());
    }
    if is_no_number(&first) && !request.batch.columns().iter().any(misses) {
        return Err(broken("it predicts NaN, though no value of the example is missing").into());
    }
    let first = written(&first)?;
    for _run in 1..WARM_UP_RUNS {
        if written(&predict()?)? != first {
            return Err(broken("the same rows gave two different answers").into());
        }
    }
    Ok(first)
}

/// Whether an output of the prediction is NaN in every place.
fn is_no_number(prediction: &Prediction) -> bool {
    match prediction {
        Prediction::Column(values)
        | Prediction::Matrix { values, .. }
        | Prediction::Maps { values, .. } => {
            let nan = values.len() - numbers(values);
            nan > 0 && nan == values.len()
        }
        Prediction::Named(outputs) => outputs.iter().any(|(_, output)| is_no_number(output)),
    }
}

/// Whether a value of the column is missing.
fn misses(column: &ArrayRef) -> bool {
    match column.as_fixed_size_list_opt() {
        Some(lists) => misses(lists.values()),
        None => column.null_count() > 0 || numbers(column) < column.len(),
    }
}

/// Values that are not NaN.
fn numbers(values: &ArrayRef) -> usize {
    if let Some(values) = values.as_primitive_opt::<Float64Type>() {
        values.values().iter().filter(|value| !value.is_nan()).count()
    } else if let Some(values) = values.as_primitive_opt::<Float32Type>() {
        values.values().iter().filter(|value| !value.is_nan()).count()
    } else {
        values.len()
    }
}

/// The answer of a Python model; it may well be another each time.
async fn python(pool: &Pool, served: &ServedModel, request: &Enforced) -> Result<Vec<u8>, Failure> {
    let wanted = Wanted { scoring: true, columns: true };
    let question =
        Question::new(request, served.inputs(), wanted).map_err(|e| broken(e.to_string()))?;
    match pool.ask(question).await {
        Ok(answered) => Ok(answered.scoring.to_vec()),
        Err(Failed::Refused { body, .. }) => {
            Err(refused(served, String::from_utf8_lossy(&body).into_owned()))
        }
        Err(Failed::NoWorkers(reason) | Failed::Died(reason)) => {
            Err(Error::Python { reason, is_final: false }.into())
        }
        Err(other) => Err(broken(format!("{other:?}")).into()),
    }
}
