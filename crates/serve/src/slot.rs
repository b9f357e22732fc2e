//! The place of one model: what serves now, and what is known about its successor.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};
use trainyard_mlflow::resolve::ResolvedModel;
use trainyard_models::Predictor;
use trainyard_signature::enforce::Enforcer;
use trainyard_signature::model::MlModel;

use crate::options::ModelSource;
use crate::python::Pool;

/// What predicts.
#[derive(Debug)]
pub(crate) enum Engine {
    /// In this process.
    Native(Box<dyn Predictor>),
    /// In worker processes.
    Python(Pool),
}

impl Engine {
    /// Bytes held in memory, roughly.
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Native(predictor) => predictor.size_bytes() as u64,
            Self::Python(pool) => pool.size_bytes(),
        }
    }
}

/// A model that has shown that it works.
#[derive(Debug)]
pub(crate) struct Served {
    /// The name of the slot that it serves in, which gives it.
    pub(crate) name: Arc<str>,
    /// What the folder says of itself.
    pub(crate) mlmodel: MlModel,
    pub(crate) engine: Engine,
    /// Where it came from.
    pub(crate) resolved: ResolvedModel,
    /// Version number, or the model id, or nothing for a plain folder.
    pub(crate) version: Arc<str>,
    pub(crate) loaded_at: DateTime<Utc>,
    /// Reads bodies of `/predict`.
    pub(crate) strict: Enforcer,
    /// Reads bodies of `/invocations`.
    pub(crate) scoring: Enforcer,
    /// The input example as a scoring request, to show; none if the folder has none, or a large one.
    pub(crate) example: Option<String>,
    /// Why the model was not tried before it serves; none if it predicted its input example.
    pub(crate) unverified: Option<&'static str>,
}

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
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) source: ModelSource,
    current: ArcSwapOption<Served>,
    status: Mutex<Status>,
    reload: mpsc::Sender<Reload>,
}

impl Slot {
    /// An empty slot, and the receiving end of its reload requests.
    pub(crate) fn new(name: String, source: ModelSource) -> (Arc<Self>, mpsc::Receiver<Reload>) {
        let (reload, reloads) = mpsc::channel(RELOADS_MAX);
        let slot = Self {
            name,
            source,
            current: ArcSwapOption::empty(),
            status: Mutex::default(),
            reload,
        };
        (Arc::new(slot), reloads)
    }

    /// The model that serves now; stays whole for as long as the guard lives.
    pub(crate) fn current(&self) -> Option<Arc<Served>> {
        self.current.load_full()
    }

    /// Replaces what serves. Requests in flight finish on the old one, which goes with the last.
    pub(crate) fn swap(&self, mut served: Served) {
        served.name = Arc::from(self.name.as_str());
        let first = self.current.swap(Some(Arc::new(served))).is_none();
        let mut status = self.status();
        status.last_error = None;
        status.last_error_at = None;
        status.is_final = false;
        status.warning = None;
        status.swaps += u64::from(!first);
    }

    /// Takes the model out, at the end of the server.
    pub(crate) fn take(&self) -> Option<Arc<Served>> {
        self.current.swap(None)
    }

    /// Status of the slot. A panic elsewhere cannot leave it half-written.
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
