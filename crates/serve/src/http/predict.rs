//! From the bytes of a request to the bytes of an answer: one way for all protocols, which only read and write.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use trainyard_models::{Prediction, Predictor};
use trainyard_signature::enforce::{Enforced, Protocol};
use trainyard_signature::model::Schema;

use super::admission::Admission;
use super::body::Format;
use super::error::Refusal;
use super::parquet;
use super::response::{JSON, Response, response};
use crate::log::{Entry, Logged};
use crate::python::{Pool, Question, Wanted};
use crate::served_model::{Engine, ServedModel};
use crate::server::Server;
use crate::{answer, blocking, clock};

/// Larger bodies are read and predicted on a thread for blocking work. Passing the work on costs some ten
/// microseconds.
const INLINE_BYTES_MAX: usize = 64 << 10;

const X_MODEL_VERSION: HeaderName = HeaderName::from_static("x-model-version");

/// Whether the rows of an answer are in the prediction log; only where it is known.
const X_PREDICTION_LOGGED: HeaderName = HeaderName::from_static("x-prediction-logged");

/// A request that waits to be answered.
#[derive(Debug)]
pub(crate) struct PredictRequest {
    pub(crate) protocol: Protocol,
    pub(crate) format: Format,
    pub(crate) body: Bytes,
    pub(crate) request_id: Arc<str>,
    pub(crate) admission: Admission,
}

/// Predicts the rows of a body.
pub(crate) async fn predict(
    server: &Arc<Server>,
    served: Arc<ServedModel>,
    request: PredictRequest,
) -> Result<Response, Refusal> {
    let version = Arc::clone(&served.version);
    // A small file of Parquet may be much work.
    let is_small = request.body.len() <= INLINE_BYTES_MAX && request.format != Format::Parquet;
    let (answer, admission, logged) = match &served.engine {
        Engine::Native(predictor) if is_small => native(server, &served, &**predictor, request)?,
        Engine::Native(_) => {
            let server = Arc::clone(server);
            let work = move || match &served.engine {
                Engine::Native(predictor) => native(&server, &served, &**predictor, request),
                Engine::Python(_) => Err(Refusal::Internal("the engine changed; this is a bug")),
            };
            blocking::run(work).await??
        }
        Engine::Python(pool) => by_worker(server, &served, pool, request).await?,
    };
    let logged = logged.known().await;
    let mut response = answered(answer, admission, &version);
    if let Some(is_logged) = logged {
        let said = HeaderValue::from_static(if is_logged { "yes" } else { "no" });
        response.headers_mut().insert(X_PREDICTION_LOGGED, said);
    }
    Ok(response)
}

/// The response with an answer, which says the version that gave it, also while versions change.
pub(super) fn answered(answer: Bytes, admission: Admission, version: &str) -> Response {
    let mut response = response(StatusCode::OK, JSON, answer);
    if let Ok(version) = HeaderValue::from_str(version) {
        response.headers_mut().insert(X_MODEL_VERSION, version);
    }
    admission.answer(response)
}

/// Reads the body of a request by the model's signature.
pub(super) fn read(
    served: &ServedModel,
    request: &mut PredictRequest,
) -> Result<Enforced, Refusal> {
    let enforcer = served.enforcer(request.protocol);
    Ok(match request.format {
        Format::Json => enforcer.json(&request.body, request.protocol)?,
        Format::Csv => enforcer.csv(&request.body)?,
        Format::Parquet => parquet::read(enforcer, &request.body, &mut request.admission.memory)?,
    })
}

fn write(
    server: &Server,
    served: &ServedModel,
    request: &PredictRequest,
    enforced: &Enforced,
    prediction: &Prediction,
) -> Result<Bytes, Refusal> {
    let bytes_max = server.options.limits.answer_bytes_max;
    let answer = match request.protocol {
        Protocol::Predict => answer::plain(prediction, bytes_max),
        Protocol::Invocations => answer::scoring(prediction, served.form(enforced), bytes_max),
        Protocol::OpenInference => {
            let id = enforced.id.as_deref().unwrap_or(&request.request_id);
            let about = answer::About { model: &served.name, version: &served.version, id };
            answer::open_inference(&about, prediction, bytes_max)
        }
    };
    Ok(answer?.into())
}

fn native(
    server: &Server,
    served: &ServedModel,
    predictor: &dyn Predictor,
    mut request: PredictRequest,
) -> Result<(Bytes, Admission, Logged), Refusal> {
    let enforced = read(served, &mut request)?;
    if request.protocol == Protocol::Invocations && !predictor.knows_names() {
        check_no_names(&enforced)?;
    }
    let bytes_max = server.options.limits.answer_bytes_max;
    let prediction = predict_rows(predictor, &enforced.batch, bytes_max)?;
    let answer = write(server, served, &request, &enforced, &prediction)?;
    let logged = record(server, served, request.request_id, enforced.batch, Some(prediction));
    Ok((answer, request.admission, logged))
}

/// Refuses arrays under names, of which MLflow makes no data frame without a signature: a model that was fitted to an
/// array would take them by their order, and nobody said that this is its own. Names of places say so.
fn check_no_names(enforced: &Enforced) -> Result<(), Refusal> {
    let Some(Schema::Columns(columns)) = enforced.schema.as_ref().filter(|_| !enforced.frame)
    else {
        return Ok(());
    };
    let mut names = columns.iter().filter_map(|column| column.name.as_deref()).enumerate();
    match names.find(|(at, name)| *name != at.to_string()) {
        None => Ok(()),
        Some((_, name)) => Err(Refusal::Model(format!(
            "the model was fitted to an array and knows no column {name:?}; send a list of rows, or a data frame as \
             dataframe_split"
        ))),
    }
}

/// Requests of more rows than this are tried with one row first, to know how large the answer will be.
const ROWS_UNTRIED_MAX: usize = 4096;

/// Predicts all rows, unless their answer must become larger than it may be.
fn predict_rows(
    predictor: &dyn Predictor,
    rows: &RecordBatch,
    bytes_max: usize,
) -> Result<Prediction, Refusal> {
    if rows.num_rows() > ROWS_UNTRIED_MAX
        && let Ok(one) = predictor.predict(&rows.slice(0, 1))
    {
        answer::check_size(&one, rows.num_rows(), bytes_max)?;
    }
    predictor.predict(rows).map_err(|error| Refusal::Model(error.to_string()))
}

/// Lets a Python worker predict. Its answer in MLflow's protocol is passed on as it is.
async fn by_worker(
    server: &Arc<Server>,
    served: &Arc<ServedModel>,
    pool: &Pool,
    mut request: PredictRequest,
) -> Result<(Bytes, Admission, Logged), Refusal> {
    let protocol = request.protocol;
    let wanted = Wanted {
        scoring: protocol != Protocol::OpenInference,
        columns: protocol != Protocol::Invocations || server.log.is_some(),
    };
    let (request, enforced, question) = {
        let served = Arc::clone(served);
        let prepare = move || {
            let enforced = read(&served, &mut request)?;
            let question = Question::new(&enforced, served.inputs(), wanted)
                .map_err(|error| Refusal::Model(error.to_string()))?;
            Ok::<_, Refusal>((request, enforced, question))
        };
        blocking::run(prepare).await??
    };
    let answered = pool.ask(question).await?;
    let answer = match (&answered.prediction, protocol) {
        (Some(prediction), Protocol::OpenInference) => {
            write(server, served, &request, &enforced, prediction)?
        }
        (None, Protocol::OpenInference) => {
            return Err(Refusal::Internal("the worker gave no columns; this is a bug"));
        }
        (Some(prediction), Protocol::Predict) if !answered.is_json => {
            write(server, served, &request, &enforced, prediction)?
        }
        _ => answered.scoring,
    };
    let logged = record(server, served, request.request_id, enforced.batch, answered.prediction);
    Ok((answer, request.admission, logged))
}

/// Counts the rows that were predicted, and logs them unless they were asked by whoever releases this
/// version. Rows whose predictions nobody wanted as columns are counted alone.
fn record(
    server: &Server,
    served: &ServedModel,
    request_id: Arc<str>,
    input: RecordBatch,
    prediction: Option<Prediction>,
) -> Logged {
    server.metrics.rows.fetch_add(input.num_rows() as u64, Ordering::Relaxed);
    if let (Some(log), Some(prediction)) = (&server.log, prediction)
        && server.options.probe_id.as_deref() != Some(&*request_id)
    {
        return log.push(Entry {
            request_id,
            time_ms: clock::now().timestamp_millis(),
            model: Arc::clone(&served.name),
            version: Arc::clone(&served.version),
            input,
            prediction,
            committed: None,
        });
    }
    Logged::Unsaid
}
