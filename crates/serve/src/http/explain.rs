//! Which columns made the answers: `/explain` reads what `/predict` reads, in the same formats, under the same limits.
//!
//! Explaining a row takes as long as predicting tens, or thousands where forests are deep. So it never runs on
//! the threads that have connections to look after, never on more of them than there are processors, and it stops when
//! its time is over.

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

/// Rows that are explained between two looks at the clock at most; the engine takes as many at once.
const ROWS_AT_ONCE: usize = 256;

/// How long that may take, about: rows of deep forests are explained one by one.
const TIME_AT_ONCE: Duration = Duration::from_millis(100);

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
    let turn = Arc::clone(&server.explaining).acquire_owned().await;
    let turn = turn.map_err(|_closed| Refusal::Overloaded)?;
    let work = move || {
        // Held by the work itself, which goes on for a while when the client has gone.
        let _turn = turn;
        explained_body(&server, &served, request)
    };
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
    let most = (NUMBERS_AT_ONCE / of_row.max(1)).clamp(1, ROWS_AT_ONCE);
    let (mut first, mut at_once) = (1, 1);
    while first < count {
        if started.elapsed() > time_max {
            return Err(Refusal::Timeout(time_max));
        }
        let begun = Instant::now();
        let taken = at_once.min(count - first);
        let next = part(first, taken)?;
        whole.contributions.extend(next.contributions);
        whole.rows += taken;
        first += taken;
        let is_quick = begun.elapsed() < TIME_AT_ONCE;
        at_once = if is_quick { (at_once * 4).min(most) } else { (at_once / 2).max(1) };
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

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Float64Type;
    use arrow_array::{ArrayRef, Float64Array};
    use trainyard_base::Budget;
    use trainyard_models::{Explained, Prediction, Result as ModelResult};

    use super::*;

    /// Says of each row the number in it.
    #[derive(Debug)]
    struct Echo;

    impl Predictor for Echo {
        fn predict(&self, _input: &RecordBatch) -> ModelResult<Prediction> {
            Err(Error::Input("it only explains".to_owned()))
        }

        fn explain(
            &self,
            input: &RecordBatch,
            _background: Option<&RecordBatch>,
        ) -> ModelResult<Explanation> {
            Ok(Explanation {
                explained: Explained::Prediction,
                columns: vec!["x".to_owned()],
                outputs: vec!["y".to_owned()],
                rows: input.num_rows(),
                base: vec![0.0],
                contributions: input.column(0).as_primitive::<Float64Type>().values().to_vec(),
            })
        }

        fn size_bytes(&self) -> usize {
            0
        }
    }

    #[test]
    fn each_row_is_explained_once_and_in_its_place() {
        let mut memory = Budget::new(1 << 20).take(0).unwrap();
        for count in [1_u32, 2, 6, 7, 1000] {
            let numbers: Vec<f64> = (0..count).map(f64::from).collect();
            let column: ArrayRef = Arc::new(Float64Array::from(numbers.clone()));
            let rows = RecordBatch::try_from_iter([("x", column)]).unwrap();
            let time_max = Duration::from_hours(1);
            let whole = explain_rows(&Echo, &rows, 1 << 20, time_max, &mut memory).unwrap();
            assert_eq!(whole.contributions, numbers, "{count}");
            assert_eq!(whole.rows, numbers.len());
        }
    }
}
