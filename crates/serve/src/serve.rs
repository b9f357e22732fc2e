//! Puts the parts together, and takes them apart again in order.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trainyard_base::Budget;
use trainyard_mlflow::Tracking;
use trainyard_net::Listener;

use crate::disk_quota::DiskQuota;
use crate::endpoint::{Endpoint, Reload};
use crate::error::{Error, Result};
use crate::feedback::FeedbackLog;
use crate::http::accept;
use crate::http::access_log::AccessLog;
use crate::http::request_id::RequestIds;
use crate::log::PredictionLog;
use crate::metrics::Metrics;
use crate::options::ServeOptions;
use crate::panics;
use crate::served_model::Engine;
use crate::server::Server;
use crate::watch::Watcher;

/// Serves until `shutdown`, then drains and returns.
///
/// The listener answers at once: `/health` is 503 with the reason until the model is loaded and
/// has predicted its own input example. A registry that cannot be asked, at the start or later,
/// is no reason to stop; a source that can never be loaded here is an error.
pub async fn serve(
    listener: impl Into<Listener>,
    tracking: Option<Tracking>,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<()> {
    let listener = listener.into();
    panics::keep_quiet();
    let options = Arc::new(options);
    let metrics = Arc::new(Metrics::default());
    let endpoints = endpoints(&options, tracking.is_some())?;
    let quota = options.log.as_ref().map(|log| Arc::new(DiskQuota::new(log)));
    let log = options.log.clone().zip(quota.clone());
    let log = log.map(|(log, quota)| PredictionLog::start(log, quota, Arc::clone(&metrics)));
    let (log, log_writer) = match log.transpose()? {
        Some((log, writer)) => (Some(log), Some(writer)),
        None => (None, None),
    };
    let feedback = options.log.as_ref().zip(quota);
    let feedback = feedback.map(|(log, quota)| FeedbackLog::new(log, quota));
    let server = Arc::new(Server {
        endpoints: endpoints.iter().map(|(endpoint, _)| Arc::clone(endpoint)).collect(),
        metrics: Arc::clone(&metrics),
        log,
        feedback,
        request_ids: RequestIds::new(),
        concurrency: Arc::new(Semaphore::new(options.limits.concurrency_max)),
        explaining: Arc::new(Semaphore::new(options.limits.explanations_max)),
        budget: match options.limits.requests_bytes_max {
            Some(bytes_max) => Budget::new(bytes_max),
            None => Budget::of_process(options.memory_bytes_max),
        },
        draining: AtomicBool::new(false),
        access_log: AccessLog::new(options.access_log_sample),
        options: Arc::clone(&options),
    });
    let stop = CancellationToken::new();
    let watchers = TaskTracker::new();
    for (endpoint, reloads) in endpoints {
        let watcher = Watcher {
            endpoint,
            tracking: tracking.clone(),
            options: Arc::clone(&options),
            metrics: Arc::clone(&metrics),
            reloads,
            failed: None,
            unkept: None,
            refused_copy: None,
        };
        watchers.spawn(watcher.run(stop.clone()));
    }
    watchers.close();
    let accepting = tokio::spawn(accept::serve(listener, Arc::clone(&server), stop.clone()));
    shutdown.await;
    tracing::info!("stopping: requests in flight finish, new ones are refused");
    server.draining.store(true, Ordering::Relaxed);
    tokio::time::sleep(options.limits.drain_delay).await;
    stop.cancel();
    accepting.await.map_err(|_panicked| Error::Broken("accepting connections"))?;
    watchers.wait().await;
    for endpoint in &server.endpoints {
        // Workers end before the server does, or they would be left to themselves.
        if let Some(served) = endpoint.take()
            && let Engine::Python(pool) = &served.engine
        {
            pool.close().await;
        }
    }
    // The queue closes with the last owner of the server, then the writer finishes its segment.
    drop(server);
    if let Some(writer) = log_writer {
        let joined = tokio::task::spawn_blocking(move || writer.join());
        joined
            .await
            .map_err(|_panicked| Error::Broken("closing the prediction log"))?
            .map_err(|_panicked| Error::Broken("writing the prediction log"))?;
    }
    Ok(())
}

type Endpoints = Vec<(Arc<Endpoint>, mpsc::Receiver<Reload>)>;

fn endpoints(options: &ServeOptions, has_tracking: bool) -> Result<Endpoints> {
    let first = options.name.clone().unwrap_or_else(|| options.source.default_name());
    let mut endpoints: Endpoints = Vec::new();
    let named = std::iter::once((&first, &options.source));
    for (name, source) in named.chain(options.more.iter().map(|(name, source)| (name, source))) {
        if endpoints.iter().any(|(endpoint, _)| endpoint.name == *name) {
            return Err(Error::SameName { name: name.clone() });
        }
        if source.needs_tracking() && !has_tracking {
            return Err(Error::NoTracking { uri: source.describe() });
        }
        endpoints.push(Endpoint::new(name.clone(), source.clone()));
    }
    Ok(endpoints)
}
