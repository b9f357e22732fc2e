//! Models that only Python can run: MLflow's `python_function` in worker processes.
//!
//! This process imports nothing. Each worker is a Python of the model's own environment that has
//! loaded the model with `mlflow.pyfunc` and answers requests over a Unix socket; rows and
//! predictions travel as Arrow. What the model does, it does there: it may crash, hang or use too
//! much memory without harm to other requests.

mod environment;
mod exchange;
mod failed;
mod group;
mod pool;
mod predictor;
mod process;
mod queue;
mod start;
mod variables;

pub(crate) use exchange::{Question, Wanted};
pub(crate) use failed::Failed;
pub(crate) use pool::Pool;
pub(crate) use predictor::WorkerPredictor;
pub(crate) use start::start;
