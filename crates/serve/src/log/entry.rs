//! One answered request, on its way to the prediction log.

use std::sync::Arc;

use arrow_array::RecordBatch;
use tokio::sync::oneshot::Sender;
use trainyard_models::Prediction;

/// One answered request.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) request_id: Arc<str>,
    /// Milliseconds since the Unix epoch.
    pub(crate) time_ms: i64,
    /// The name under which the model is served.
    pub(crate) model: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) input: RecordBatch,
    pub(crate) prediction: Prediction,
    /// Who waits until it is committed.
    pub(crate) committed: Option<Sender<bool>>,
}

impl Entry {
    /// Bytes that it keeps in memory while it waits.
    pub(super) fn bytes(&self) -> usize {
        self.input.get_array_memory_size() + bytes_of(&self.prediction)
    }
}

fn bytes_of(prediction: &Prediction) -> usize {
    match prediction {
        Prediction::Column(values)
        | Prediction::Matrix { values, .. }
        | Prediction::Maps { values, .. } => values.get_array_memory_size(),
        Prediction::Named(parts) => parts.iter().map(|(_, part)| bytes_of(part)).sum(),
    }
}
