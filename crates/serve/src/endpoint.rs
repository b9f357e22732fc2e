//! One model by its name: which version serves now, and what is known about its successor.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};

use crate::options::ModelSource;
use crate::served_model::ServedModel;

/// What `/health` tells beside the model itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    /// Why the last attempt to load a version failed, and which.
    pub(crate) last_error: Option<String>,
    pub(crate) last_error_at: Option<DateTime<Utc>>,
    /// What the source means now can never be served here: trying again is of no use.
    pub(crate) is_final: bool,
    /// The registry cannot be asked; the model goes on serving.
    pub(crate) warning: Option<String>,
    /// When the copy was kept that the model was started from, until the registry has been asked.
    pub(crate) from_copy: Option<DateTime<Utc>>,
    /// Swaps since the start.
    pub(crate) swaps: u64,
}

/// What a look at the registry came to.
#[derive(Debug, Clone)]
pub(crate) enum Checked {
    /// The served version is the one to serve.
    Unchanged,
    /// Another version serves now.
    Swapped,
    /// The registry could not be asked, or the new version does not work.
    Failed(String),
}

/// Someone waits for a look at the registry now.
pub(crate) type Reload = oneshot::Sender<Checked>;

/// Requests for a look that may wait; more than a handful at once is a mistake.
const RELOADS_MAX: usize = 16;

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) source: ModelSource,
    current: ArcSwapOption<ServedModel>,
    status: Mutex<Status>,
    reload: mpsc::Sender<Reload>,
}

impl Endpoint {
    /// An endpoint without a model, and the receiving end of its reload requests.
    pub(crate) fn new(name: String, source: ModelSource) -> (Arc<Self>, mpsc::Receiver<Reload>) {
        let (reload, reloads) = mpsc::channel(RELOADS_MAX);
        let endpoint = Self {
            name,
            source,
            current: ArcSwapOption::empty(),
            status: Mutex::default(),
            reload,
        };
        (Arc::new(endpoint), reloads)
    }

    /// The model that serves now; stays whole for as long as the guard lives.
    pub(crate) fn current(&self) -> Option<Arc<ServedModel>> {
        self.current.load_full()
    }

    /// Begins with a copy that was kept then.
    pub(crate) fn start_from_copy(&self, served: ServedModel, kept_at: DateTime<Utc>) {
        self.swap(served);
        self.status().from_copy = Some(kept_at);
    }

    /// Replaces what serves. Requests in flight finish on the old one, which goes with the last.
    pub(crate) fn swap(&self, mut served: ServedModel) {
        served.name = Arc::from(self.name.as_str());
        let first = self.current.swap(Some(Arc::new(served))).is_none();
        let mut status = self.status();
        status.last_error = None;
        status.last_error_at = None;
        status.is_final = false;
        status.warning = None;
        status.from_copy = None;
        status.swaps += u64::from(!first);
    }

    /// Takes the model out, at the end of the server.
    pub(crate) fn take(&self) -> Option<Arc<ServedModel>> {
        self.current.swap(None)
    }

    /// Why no model serves.
    pub(crate) fn not_ready(&self) -> String {
        let reason = self.status().last_error.clone();
        reason.unwrap_or_else(|| format!("{} is being loaded", self.source.describe()))
    }

    /// What is known beside the model. A panic elsewhere cannot leave it half-written.
    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a look at the registry now; none when too many wait already.
    pub(crate) async fn ask_reload(&self) -> Option<Checked> {
        let (answer, checked) = oneshot::channel();
        self.reload.try_send(answer).ok()?;
        checked.await.ok()
    }
}
