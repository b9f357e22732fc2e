//! Whole segments on their way to an object store.
//!
//! Segments are written to a folder of this machine first; a thread of its own uploads them, so the
//! writer never waits for a network. An upload that fails is tried again; a segment that does not
//! get there is counted as lost, with its rows, and never kills the server.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use object_store::buffered::BufWriter;
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Handle;

use super::failure::Failure;
use crate::metrics::Metrics;
use crate::options::LogStore;

/// Segments that wait to be uploaded: an hour of them, at one a minute.
const WAITING_MAX: usize = 64;

/// Attempts for one segment, the pause before the second, and how long one may take.
const ATTEMPTS_MAX: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);
const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);

/// A whole segment in the folder.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) path: PathBuf,
    pub(super) rows: u64,
}

/// Where whole segments are left.
#[derive(Debug)]
pub(super) struct Uploader {
    queue: SyncSender<Whole>,
    thread: JoinHandle<()>,
    metrics: Arc<Metrics>,
}

impl Uploader {
    /// Starts the uploading thread.
    pub(super) fn start(
        store: LogStore,
        metrics: Arc<Metrics>,
        runtime: Handle,
    ) -> std::io::Result<Self> {
        let (queue, segments) = sync_channel(WAITING_MAX);
        let counts = Arc::clone(&metrics);
        let thread = std::thread::Builder::new()
            .name("prediction-log-upload".to_owned())
            .spawn(move || upload_all(&segments, &store, &counts, &runtime))?;
        Ok(Self { queue, thread, metrics })
    }

    /// Takes a segment over.
    pub(super) fn push(&self, whole: Whole) {
        if let Err(TrySendError::Full(whole) | TrySendError::Disconnected(whole)) =
            self.queue.try_send(whole)
        {
            lost(&self.metrics, &whole, "too many segments wait for the object store");
        }
    }

    /// Uploads what waits, and ends.
    pub(super) fn finish(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::error!("uploading the prediction log broke off; this is a bug");
        }
    }
}

fn upload_all(segments: &Receiver<Whole>, store: &LogStore, metrics: &Metrics, runtime: &Handle) {
    for whole in segments {
        match runtime.block_on(upload(&whole.path, store)) {
            Ok(()) => {
                metrics.log_rows.fetch_add(whole.rows, Ordering::Relaxed);
                let _stays = std::fs::remove_file(&whole.path);
            }
            Err(error) => lost(metrics, &whole, &error.to_string()),
        }
    }
}

fn lost(metrics: &Metrics, whole: &Whole, error: &str) {
    metrics.log_failed.fetch_add(whole.rows, Ordering::Relaxed);
    tracing::error!(rows = whole.rows, error, "a segment of predictions is not uploaded");
    let _stays = std::fs::remove_file(&whole.path);
}

async fn upload(path: &FilePath, store: &LogStore) -> Result<(), Failure> {
    let mut pause = PAUSE;
    let mut attempt = 1;
    loop {
        let error = match tokio::time::timeout(ATTEMPT_TIMEOUT, upload_once(path, store)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_elapsed) => Failure::Io {
                path: path.to_owned(),
                source: std::io::Error::other("the object store takes too long"),
            },
        };
        if attempt == ATTEMPTS_MAX {
            return Err(error);
        }
        tracing::warn!(%error, attempt, "a segment of predictions is not uploaded yet");
        tokio::time::sleep(pause).await;
        pause *= 2;
        attempt += 1;
    }
}

async fn upload_once(path: &FilePath, store: &LogStore) -> Result<(), Failure> {
    let broken = |source| Failure::Io { path: path.to_owned(), source };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut file = tokio::fs::File::open(path).await.map_err(broken)?;
    // Large segments go in parts; the object appears when all of it is there.
    let mut object = BufWriter::new(Arc::clone(&store.store), store.path.clone().join(name));
    tokio::io::copy(&mut file, &mut object).await.map_err(broken)?;
    object.shutdown().await.map_err(broken)
}
