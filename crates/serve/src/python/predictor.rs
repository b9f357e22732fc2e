//! Workers as a [`Predictor`], for whoever has rows and no request.

use std::sync::Arc;

use arrow_array::RecordBatch;
use serde_json::Value;
use tokio::runtime::Handle;
use trainyard_models::{Error, Explanation, Prediction, Predictor, Result};
use trainyard_signature::enforce::{Casting, Enforcer, Limits};
use trainyard_signature::model::{MlModel, Schema};

use super::exchange::{Question, Wanted};
use super::failed::Failed;
use super::pool::Pool;

/// Characters of what Python said that are passed on.
const SAID_CHARACTERS_MAX: usize = 400;

/// A model that workers run. It waits for them, so it is asked on threads that may block.
#[derive(Debug)]
pub(crate) struct WorkerPredictor {
    pool: Arc<Pool>,
    enforcer: Enforcer,
    inputs: Option<Schema>,
    runtime: Handle,
}

impl WorkerPredictor {
    /// Asks these workers, by what their model says that it takes.
    pub(crate) fn new(pool: Arc<Pool>, mlmodel: &MlModel) -> Self {
        let signature = mlmodel.signature.as_ref();
        // One question has all rows, however many those are.
        let limits = Limits { rows_max: usize::MAX, ..Limits::default() };
        let enforcer = Enforcer::new(signature, Casting::Lossless, limits);
        let inputs = signature.and_then(|signature| signature.inputs.clone());
        Self { pool, enforcer, inputs, runtime: Handle::current() }
    }
}

impl Predictor for WorkerPredictor {
    fn predict(&self, input: &RecordBatch) -> Result<Prediction> {
        let request =
            self.enforcer.table(input).map_err(|rejection| Error::Input(rejection.message))?;
        let wanted = Wanted { scoring: false, columns: true };
        let question = Question::new(&request, self.inputs.as_ref(), wanted)
            .map_err(|error| Error::Input(error.to_string()))?;
        let answered = self.runtime.block_on(self.pool.ask(question));
        let answered = answered.map_err(error_of)?;
        match answered.prediction.filter(|_| !answered.is_json) {
            // What Python calls a frame of one column is that column.
            Some(Prediction::Named(mut outputs)) if outputs.len() == 1 => {
                Ok(outputs.swap_remove(0).1)
            }
            Some(prediction) => Ok(prediction),
            None => Err(Error::Input("it answers neither labels nor numbers".to_owned())),
        }
    }

    fn explain(
        &self,
        _input: &RecordBatch,
        _background: Option<&RecordBatch>,
    ) -> Result<Explanation> {
        Err(Error::Unsupported {
            what: "an explanation of a model that runs in Python workers".to_owned(),
            hint: "models that are evaluated here are explained".to_owned(),
        })
    }

    fn size_bytes(&self) -> usize {
        usize::try_from(self.pool.size_bytes()).unwrap_or(usize::MAX)
    }
}

/// Why there is no answer, in a sentence. What the model says is about the rows; all else is not their fault, and
/// they would be answered another time.
fn error_of(failed: Failed) -> Error {
    Error::Unanswered(match failed {
        Failed::Refused { body, .. } => {
            let text = String::from_utf8_lossy(&body);
            let message = serde_json::from_str::<Value>(&text)
                .ok()
                .and_then(|body| Some(body.get("message")?.as_str()?.to_owned()));
            let message = message.unwrap_or_else(|| text.into_owned());
            return Error::Input(message.chars().take(SAID_CHARACTERS_MAX).collect());
        }
        Failed::Overloaded => "too many requests wait for its Python workers".to_owned(),
        Failed::Timeout(limit) => format!("its Python workers take longer than {limit:?}"),
        Failed::OutOfMemory { bytes_max } => {
            format!("its Python workers need more than {bytes_max} bytes of memory")
        }
        Failed::Died(reason) | Failed::NoWorkers(reason) => reason,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_the_model_says_is_about_the_rows() {
        let body = bytes::Bytes::from_static(br#"{"message": "no such town"}"#);
        let refused = error_of(Failed::Refused { status: 400, body });
        assert!(matches!(&refused, Error::Input(said) if said == "no such town"), "{refused:?}");
        let late = error_of(Failed::Timeout(Duration::from_secs(30)));
        assert!(matches!(late, Error::Unanswered(_)), "{late:?}");
        let died = error_of(Failed::Died("killed".to_owned()));
        assert!(matches!(died, Error::Unanswered(_)), "{died:?}");
    }
}
