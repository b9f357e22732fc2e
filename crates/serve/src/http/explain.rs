//! Which columns made the answers: `/explain` reads what `/predict` reads, in the same formats, under the same limits.
//!
//! Explaining a row takes as long as predicting tens, or thousands where forests are deep. So it never runs on
//! the threads that have connections to look after, and it stops when its time is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use bytes::Bytes;
use trainyard_base::{Advise as _, Share};
use trainyard_models::{Error, Explanation, Predictor};
use trainyard_signature::enforce::Protocol;

use super::admission::Admission;
use super::error::Refusal;
use super::predict::{PredictRequest, answered, read};
use super::response::Response;
use crate::served_model::{Engine, ServedModel};
use crate::server::Server;
use crate::{answer, blocking, explained};

/// Rows that are explained between two looks at the clock; the engine takes as many at once.
const ROWS_AT_ONCE: usize = 256;

/// Numbers of the rows that are explained at once, 8 MB, where there is more than one row.
const NUMBERS_AT_ONCE: usize = 1 << 20;

/// Explanations of so many numbers take nothing from the budget of memory, as small bodies do not.
const SMALL_NUMBERS_MAX: usize = 1000;

/// Bytes that a number of an explanation takes in memory, as a number and as text.
const NUMBER_BYTES: u64 = 8 + 24;

/// Explains the rows of a body.
pub(super) async fn explain(
    server: &Arc<Server>,
    served: Arc<ServedModel>,
    request: PredictRequest,
) -> Result<Response, Refusal> {
    let version = Arc::clone(&served.version);
    let server = Arc::clone(server);
    let work = move || explained_body(&server, &served, request);
    let (answer, admission) = blocking::run(work).await??;
    Ok(answered(answer, admission, &version))
}

fn explained_body(
    server: &Server,
    served: &ServedModel,
    mut request: PredictRequest,
) -> Result<(Bytes, Admission), Refusal> {
    let Engine::Native(predictor) = &served.engine else {
        return Err(Refusal::bad(
            "an explanation of a model that runs in Python workers is not supported",
        ));
    };
    let limits = &server.options.limits;
    let enforced = read(served, &mut request)?;
    let bytes_max = limits.answer_bytes_max;
    let explanation = explain_rows(
        &**predictor,
        &enforced.batch,
        bytes_max,
        limits.request_timeout,
        &mut request.admission.memory,
    )?;
    let answer = match request.protocol {
        Protocol::OpenInference => {
            let id = enforced.id.as_deref().unwrap_or(&request.request_id);
            let about = answer::About { model: &served.name, version: &served.version, id };
            explained::open_inference(&about, &explanation, bytes_max)?
        }
        Protocol::Predict | Protocol::Invocations => explained::plain(&explanation, bytes_max)?,
    };
    Ok((answer.into(), request.admission))
}

/// Explains all rows, unless the answer must become larger than it may be or takes longer than it may. The first
/// row says how large that will be.
fn explain_rows(
    predictor: &dyn Predictor,
    rows: &RecordBatch,
    bytes_max: usize,
    time_max: Duration,
    memory: &mut Share,
) -> Result<Explanation, Refusal> {
    let started = Instant::now();
    let count = rows.num_rows();
    let part = |first: usize, count: usize| {
        predictor.explain(&rows.slice(first, count), None).map_err(|error| refusal(&error))
    };
    let mut whole = part(0, count.min(1))?;
    let of_row = whole.contributions.len();
    let numbers = of_row.saturating_mul(count);
    answer::check_numbers(numbers, bytes_max)?;
    if numbers > SMALL_NUMBERS_MAX {
        memory.grow((numbers as u64).saturating_mul(NUMBER_BYTES))?;
    }
    let at_once = (NUMBERS_AT_ONCE / of_row.max(1)).clamp(1, ROWS_AT_ONCE);
    for first in (1..count).step_by(at_once) {
        if started.elapsed() > time_max {
            return Err(Refusal::Timeout(time_max));
        }
        let next = part(first, at_once.min(count - first))?;
        whole.contributions.extend(next.contributions);
        whole.rows += next.rows;
    }
    Ok(whole)
}

/// What cannot be explained is said by name, with what can.
fn refusal(error: &Error) -> Refusal {
    match error {
        Error::Unsupported { .. } => {
            let hint = error.advice().hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            Refusal::bad(format!("{error}{hint}"))
        }
        other => Refusal::Model(other.to_string()),
    }
}
