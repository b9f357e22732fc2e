//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;
use trainyard_base::Budget;

use crate::endpoint::Endpoint;
use crate::feedback::FeedbackLog;
use crate::http::access_log::AccessLog;
use crate::http::request_id::RequestIds;
use crate::log::PredictionLog;
use crate::metrics::Metrics;
use crate::options::ServeOptions;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) options: Arc<ServeOptions>,
    /// The first also answers at the root.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Option<PredictionLog>,
    pub(crate) feedback: Option<FeedbackLog>,
    pub(crate) request_ids: RequestIds,
    pub(crate) concurrency: Arc<Semaphore>,
    /// Explanations that run at a time.
    pub(crate) explaining: Arc<Semaphore>,
    /// Memory that requests may hold together.
    pub(crate) budget: Arc<Budget>,
    pub(crate) draining: AtomicBool,
    pub(crate) access_log: AccessLog,
}
