//! From the bytes of a request to the bytes of an answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use trainyard_models::{Prediction, Predictor};
use trainyard_signature::enforce::{Enforced, Protocol};

use super::body::Format;
use super::error::Refusal;
use super::share::Place;
use super::{JSON, Response, parquet, response};
use crate::log::Entry;
use crate::panics;
use crate::python::{Pool, Question, Wanted};
use crate::server::Server;
use crate::slot::{Engine, Served, Slot};
use crate::{answer, clock};

/// Larger bodies are read and predicted on a thread for blocking work: a worker of the runtime
/// has other connections to look after. Passing the work on costs some ten microseconds.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// How a request is read and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `/predict`
    Plain,
    /// `/invocations`
    Scoring,
}

const X_MODEL_VERSION: HeaderName = HeaderName::from_static("x-model-version");

/// A request that waits to be answered.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) dialect: Dialect,
    pub(crate) format: Format,
    pub(crate) body: Bytes,
    pub(crate) request_id: Arc<str>,
    pub(crate) place: Place,
}

/// Predicts the rows of a body.
pub(crate) async fn predict(
    server: &Arc<Server>,
    slot: &Slot,
    asked: Asked,
) -> Result<Response, Refusal> {
    let Some(served) = slot.current() else { return Err(Refusal::NotReady(not_ready(slot))) };
    let version = Arc::clone(&served.version);
    // A small file of Parquet may be much work.
    let is_small = asked.body.len() <= INLINE_BYTES_MAX && asked.format != Format::Parquet;
    let (answer, place) = match &served.engine {
        Engine::Native(predictor) if is_small => native(server, &served, &**predictor, asked)?,
        Engine::Native(_) => {
            let server = Arc::clone(server);
            let work = move || match &served.engine {
                Engine::Native(predictor) => native(&server, &served, &**predictor, asked),
                Engine::Python(_) => Err(Refusal::Internal("the engine changed; this is a bug")),
            };
            aside(work).await??
        }
        Engine::Python(pool) => by_worker(server, &served, pool, asked).await?,
    };
    let mut response = response(StatusCode::OK, JSON, answer);
    // Says which version answered, also while versions change.
    if let Ok(version) = HeaderValue::from_str(&version) {
        response.headers_mut().insert(X_MODEL_VERSION, version);
    }
    Ok(place.answer(response))
}

/// Runs work on a thread for blocking work. If it panics, so does this: whoever answers the request
/// waits for it.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(move || panics::caught(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(panicked)) => panicked.go_on(),
        Err(_stopping) => Err(Refusal::Internal("the server is stopping")),
    }
}

/// Requests of more rows than this are tried with one row first, to know how large the answer will be.
const ROWS_UNTRIED_MAX: usize = 4096;

/// Predicts all rows, unless their answer must become larger than it may be.
pub(crate) fn predict_rows(
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

impl From<answer::TooLarge> for Refusal {
    fn from(too_large: answer::TooLarge) -> Self {
        Self::bad(too_large.to_string())
    }
}

/// Why no model serves in this slot.
pub(crate) fn not_ready(slot: &Slot) -> String {
    let reason = slot.status().last_error.clone();
    reason.unwrap_or_else(|| format!("{} is being loaded", slot.source.describe()))
}

fn read(served: &Served, asked: &mut Asked) -> Result<Enforced, Refusal> {
    let (enforcer, protocol) = match asked.dialect {
        Dialect::Plain => (&served.strict, Protocol::Predict),
        Dialect::Scoring => (&served.scoring, Protocol::Invocations),
    };
    Ok(match asked.format {
        Format::Json => enforcer.json(&asked.body, protocol)?,
        Format::Csv => enforcer.csv(&asked.body)?,
        Format::Parquet => parquet::read(enforcer, &asked.body, &mut asked.place.share)?,
    })
}

fn native(
    server: &Server,
    served: &Served,
    predictor: &dyn Predictor,
    mut asked: Asked,
) -> Result<(Bytes, Place), Refusal> {
    let request = read(served, &mut asked)?;
    let bytes_max = server.options.limits.answer_bytes_max;
    let prediction = predict_rows(predictor, &request.batch, bytes_max)?;
    let answer = match asked.dialect {
        Dialect::Plain => answer::plain(&prediction, bytes_max)?,
        Dialect::Scoring => answer::scoring(&prediction, request.frame, bytes_max)?,
    };
    done(server, served, asked.request_id, request.batch, prediction);
    Ok((answer.into(), asked.place))
}

/// Lets a Python worker predict. Its answer in MLflow's protocol is passed on as it is.
async fn by_worker(
    server: &Arc<Server>,
    served: &Arc<Served>,
    pool: &Pool,
    mut asked: Asked,
) -> Result<(Bytes, Place), Refusal> {
    let wanted =
        Wanted { scoring: true, columns: asked.dialect == Dialect::Plain || server.log.is_some() };
    let (asked, request, question) = {
        let served = Arc::clone(served);
        let prepare = move || {
            let request = read(&served, &mut asked)?;
            let question = question(&served, &request, wanted)?;
            Ok::<_, Refusal>((asked, request, question))
        };
        aside(prepare).await??
    };
    let answered = pool.ask(question).await?;
    let answer = match (&answered.prediction, asked.dialect) {
        (Some(prediction), Dialect::Plain) if !answered.is_json => {
            answer::plain(prediction, server.options.limits.answer_bytes_max)?.into()
        }
        _ => answered.scoring,
    };
    match answered.prediction {
        Some(prediction) => done(server, served, asked.request_id, request.batch, prediction),
        None => count(server, &request.batch),
    }
    Ok((answer, asked.place))
}

/// A request as a worker reads it.
pub(crate) fn question(
    served: &Served,
    request: &Enforced,
    wanted: Wanted,
) -> Result<Question, Refusal> {
    let schema = served.mlmodel.signature.as_ref().and_then(|signature| signature.inputs.as_ref());
    Question::new(request, schema, wanted).map_err(|error| Refusal::Model(error.to_string()))
}

fn count(server: &Server, input: &RecordBatch) {
    server.metrics.rows.fetch_add(input.num_rows() as u64, Ordering::Relaxed);
}

/// Counts what was predicted, and logs it unless it was asked by whoever releases this version.
pub(crate) fn done(
    server: &Server,
    served: &Served,
    request_id: Arc<str>,
    input: RecordBatch,
    prediction: Prediction,
) {
    count(server, &input);
    if let Some(log) = &server.log
        && server.options.probe_id.as_deref() != Some(&*request_id)
    {
        log.push(Entry {
            request_id,
            time_ms: clock::now().timestamp_millis(),
            model: Arc::clone(&served.name),
            version: Arc::clone(&served.version),
            input,
            prediction,
        });
    }
}
