//! Follows the alias: looks it up, loads what it means now, swaps.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use trainyard_base::Advise as _;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::resolve::ResolvedModel;
use trainyard_mlflow::secrets::hide;

use crate::endpoint::{Checked, Endpoint, Reload};
use crate::error::{Error, Result};
use crate::load::{self, Folder};
use crate::metrics::Metrics;
use crate::model_cache::ModelCache;
use crate::options::ServeOptions;
use crate::served_model::ServedModel;
use crate::{blocking, clock};

/// Between attempts to load the first model: soon at first, then not more often than this.
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// A version that failed is tried again after this, or at once when it is asked for: it is
/// probably broken, but a download may also have been cut off.
const RETRY_FAILED_MIN: Duration = Duration::from_mins(1);

/// Watches one endpoint until the server stops.
pub(crate) struct Watcher {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) tracking: Option<Tracking>,
    pub(crate) options: Arc<ServeOptions>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) reloads: mpsc::Receiver<Reload>,
    /// The version that failed last, and when.
    pub(crate) failed: Option<(Identity, Instant)>,
    /// What serves and is not kept on this disk yet.
    pub(crate) unkept: Option<(ResolvedModel, Folder)>,
    /// Why the copy on this disk is no use.
    pub(crate) refused_copy: Option<String>,
}

/// What makes two looks at the registry the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    version: Option<(String, String)>,
    artifact_uri: String,
}

impl Identity {
    fn of(resolved: &ResolvedModel) -> Self {
        let version = resolved.version.as_ref();
        Self {
            version: version.map(|version| (version.name.clone(), version.version.clone())),
            artifact_uri: resolved.artifact_uri.clone(),
        }
    }
}

impl Watcher {
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut retry = RETRY_MIN;
        let mut waiting: Option<Reload> = None;
        let mut signals = self.options.reloads.clone();
        loop {
            let forced = waiting.is_some();
            let checked = tokio::select! {
                () = stop.cancelled() => return,
                checked = self.check(forced) => checked,
            };
            if let Some(waiting) = waiting.take() {
                // Whoever asked may have gone.
                let _gone = waiting.send(checked.clone());
            }
            // Not broken off: a server that ends has kept what served last.
            if let Some((resolved, folder)) = self.unkept.take() {
                self.keep_copy(resolved, folder).await;
            }
            let pause = if self.endpoint.current().is_none() {
                let pause = retry;
                retry = (retry * 2).min(RETRY_MAX);
                Some(pause)
            } else {
                // Of a copy it is not known yet whether the registry still means it.
                let may_change =
                    self.endpoint.source.can_move() || self.endpoint.status().from_copy.is_some();
                may_change.then(|| jittered(self.options.poll_interval))
            };
            waiting = tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_or_forever(pause) => None,
                // Nobody waits for what it comes to.
                () = signal(&mut signals) => Some(oneshot::channel().0),
                reload = self.reloads.recv() => match reload {
                    Some(reload) => Some(reload),
                    // The endpoint is gone, and with it the server.
                    None => return,
                },
            };
        }
    }

    /// One look: what should serve, and if it is something new, does it work?
    async fn check(&mut self, forced: bool) -> Checked {
        let resolved = match self.ask().await {
            Ok(resolved) => resolved,
            Err(error) => {
                if error.is_gone() {
                    self.forget_copy().await;
                }
                self.start_from_copy(&error).await;
                return self.cannot_ask(&error);
            }
        };
        let current = self.endpoint.current();
        let identity = Identity::of(&resolved);
        let serves =
            current.as_ref().is_some_and(|current| Identity::of(&current.resolved) == identity);
        let is_folder = resolved.version.is_none();
        if serves && !(forced && is_folder) {
            let mut status = self.endpoint.status();
            // The alias may have been moved back from a version that failed.
            status.last_error = None;
            status.last_error_at = None;
            status.is_final = false;
            status.warning = None;
            status.from_copy = None;
            self.failed = None;
            return Checked::Unchanged;
        }
        if let Some((failed, when)) = &self.failed
            && *failed == identity
            && !forced
            && current.is_some()
            && when.elapsed() < RETRY_FAILED_MIN
        {
            let error = self.endpoint.status().last_error.clone();
            return Checked::Failed(error.unwrap_or_default());
        }
        let started = Instant::now();
        match self.load(&resolved).await {
            Ok((served, folder)) => {
                let version = Arc::clone(&served.version);
                self.endpoint.swap(served);
                self.failed = None;
                self.metrics.swaps_succeeded.fetch_add(1, Ordering::Relaxed);
                tracing::info!(
                    model = self.endpoint.name,
                    version = &*version,
                    seconds = started.elapsed().as_secs_f64(),
                    "serving"
                );
                self.unkept = Some((resolved, folder));
                Checked::Swapped
            }
            Err(error) => {
                if matches!(error, Error::Panicked { .. }) {
                    self.metrics.panics.fetch_add(1, Ordering::Relaxed);
                }
                self.failed = Some((identity.clone(), Instant::now()));
                self.start_from_copy(&error).await;
                self.cannot_load(&identity, &error)
            }
        }
    }

    /// Asks the registry. Where there is a copy to start from, it is not waited for as long as its client would.
    async fn ask(&self) -> Result<ResolvedModel> {
        let source = &self.endpoint.source;
        let asking = load::resolve(source, self.tracking.as_ref());
        match &self.options.model_cache {
            Some(cache) if self.endpoint.current().is_none() && cache.holds(&source.describe()) => {
                match tokio::time::timeout(ModelCache::PATIENCE, asking).await {
                    Ok(resolved) => resolved,
                    Err(_elapsed) => Err(cache.no_answer().into()),
                }
            }
            _ => asking.await,
        }
    }

    /// Loads what the registry named.
    async fn load(&self, resolved: &ResolvedModel) -> Result<(ServedModel, Folder)> {
        let folder = load::fetch(resolved, self.tracking.as_ref()).await?;
        let served = load::load(resolved.clone(), folder.clone(), &self.options).await?;
        Ok((served, folder))
    }

    /// Keeps what serves now on this disk.
    async fn keep_copy(&self, resolved: ResolvedModel, folder: Folder) {
        let Some(cache) = self.options.model_cache.clone() else { return };
        if !self.endpoint.source.needs_tracking() {
            return;
        }
        let source = self.endpoint.source.describe();
        let kept = blocking::run(move || cache.keep(&source, &resolved, &folder.path)).await;
        if let Err(error) = kept.map_err(|ended| ended.during("keeping the model")).flatten() {
            tracing::warn!(
                model = self.endpoint.name,
                %error,
                "what serves is not kept on this disk: a start without the registry would fail"
            );
        }
    }

    /// The registry says that there is no such model any more: no later start may bring it back.
    async fn forget_copy(&self) {
        let Some(cache) = self.options.model_cache.clone() else { return };
        let source = self.endpoint.source.describe();
        if let Err(ended) = blocking::run(move || cache.forget(&source)).await {
            tracing::warn!(error = %ended.during("forgetting a model"), "a copy stays on this disk");
        }
    }

    /// Serves what served last, where nothing does yet and nobody answers for the registry.
    async fn start_from_copy(&mut self, error: &Error) {
        let Some(cache) = self.options.model_cache.clone() else { return };
        let is_wanted = error.is_outage() && self.endpoint.current().is_none();
        if !is_wanted || self.refused_copy.is_some() {
            return;
        }
        let taken = load::take(&cache, &self.endpoint.source).await;
        let started = match taken {
            Ok(None) => return,
            Ok(Some((resolved, folder, kept_at))) => {
                let loaded = load::load(resolved, folder, &self.options).await;
                loaded.map(|served| (served, kept_at))
            }
            Err(error) => Err(error),
        };
        match started {
            Ok((served, kept_at)) => {
                tracing::warn!(
                    model = self.endpoint.name,
                    version = &*served.version,
                    %kept_at,
                    "serving the copy on this disk: the registry cannot be asked"
                );
                self.endpoint.start_from_copy(served, kept_at);
                self.metrics.swaps_succeeded.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                let reason = hide(&error.with_hint()).into_owned();
                tracing::error!(model = self.endpoint.name, error = reason, "the copy is refused");
                self.refused_copy = Some(reason);
            }
        }
    }

    fn cannot_ask(&self, error: &Error) -> Checked {
        let mut message = hide(&error.with_hint()).into_owned();
        if let Some(reason) = &self.refused_copy {
            message = format!("{message}\nthe copy on this disk is refused: {reason}");
        }
        let serving = self.endpoint.current().is_some();
        tracing::warn!(
            model = self.endpoint.name,
            serving,
            error = message,
            "the registry cannot be asked"
        );
        let mut status = self.endpoint.status();
        if serving {
            status.warning = Some(format!(
                "cannot ask the registry for {}, the model served may be out of date: {message}",
                self.endpoint.source.describe()
            ));
        } else {
            status.last_error = Some(message.clone());
            status.last_error_at = Some(clock::now());
            // Nothing is known of what the source means now.
            status.is_final = false;
        }
        Checked::Failed(message)
    }

    fn cannot_load(&self, identity: &Identity, error: &Error) -> Checked {
        let what = match &identity.version {
            Some((name, version)) => format!("{name} version {version}"),
            None => identity.artifact_uri.clone(),
        };
        let message = hide(&format!("{what} cannot be served: {}", error.with_hint())).into_owned();
        let keeps = self.endpoint.current().map(|served| Arc::clone(&served.version));
        tracing::error!(
            model = self.endpoint.name,
            error = message,
            keeps = keeps.as_deref(),
            "not swapped"
        );
        self.metrics.swaps_failed.fetch_add(1, Ordering::Relaxed);
        let mut status = self.endpoint.status();
        status.warning = None;
        status.last_error = Some(message.clone());
        status.last_error_at = Some(clock::now());
        // A registered version is whole when it is registered; a folder may still be written.
        let is_incomplete = matches!(
            error,
            Error::Model(trainyard_models::Error::ModelFile(trainyard_signature::Error::Io { .. }))
        );
        status.is_final = error.is_final() || (is_incomplete && identity.version.is_some());
        Checked::Failed(message)
    }
}

/// Waits for somebody outside to ask for a look.
async fn signal(signals: &mut Option<watch::Receiver<()>>) {
    let is_asked = match signals {
        Some(signals) => signals.changed().await.is_ok(),
        None => false,
    };
    if !is_asked {
        std::future::pending::<()>().await;
    }
}

async fn sleep_or_forever(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

/// Up to a tenth more or less.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.9..1.1))
}
