//! Worker processes of one model version, kept alive, and the requests they share.
//!
//! Prediction changes nothing, so a request whose worker died is asked once more of another; one
//! that kills two workers is refused. A request over its time limit is not repeated: its worker is
//! killed, because nothing else stops Python code. Workers that die are started again, at once at
//! first and then after ever longer pauses until one answers a request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio_util::task::TaskTracker;
use trainyard_base::TemporaryFolder;

use super::environment::Environment;
use super::exchange::{Answered, Outcome, Question};
use super::failed::Failed;
use super::process::{Failure, Launch, Worker, resident_bytes};
use super::queue::{Job, Queue};
use crate::options::PythonOptions;

/// Pause before a worker that died is started again, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Workers of one model version. They end when it is dropped.
#[derive(Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    keepers: TaskTracker,
}

#[derive(Debug)]
struct Shared {
    launch: Launch,
    request_timeout: Duration,
    queue: Queue,
    /// Process ids of workers that are ready.
    ready: Mutex<Vec<u32>>,
    /// Why the last start failed; none after one that succeeded.
    failure: Mutex<Option<String>>,
    restarts: AtomicU64,
    /// Start one after the other: each loads the same files.
    turn: Semaphore,
    _kept: Kept,
}

/// What must stay for as long as workers may be started.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The model's files.
    pub(crate) _fetched: Option<Arc<TemporaryFolder>>,
    /// The script.
    pub(crate) _directory: TemporaryFolder,
    pub(crate) _environment: Option<Environment>,
}

impl Pool {
    /// Starts the workers and waits until the first is ready.
    pub(crate) async fn start(
        options: &PythonOptions,
        launch: Launch,
        kept: Kept,
    ) -> Result<Self, Failure> {
        let first = Worker::start(&launch).await?;
        let shared = Arc::new(Shared {
            launch,
            request_timeout: options.request_timeout,
            queue: Queue::new(options.queue_max),
            ready: Mutex::default(),
            failure: Mutex::default(),
            restarts: AtomicU64::new(0),
            turn: Semaphore::new(1),
            _kept: kept,
        });
        let keepers = TaskTracker::new();
        keepers.spawn(keep(Arc::clone(&shared), Some(first)));
        for _more in 1..options.workers.max(1) {
            keepers.spawn(keep(Arc::clone(&shared), None));
        }
        keepers.close();
        Ok(Self { shared, keepers })
    }

    /// Predictions for a request.
    pub(crate) async fn ask(&self, question: Question) -> Result<Answered, Failed> {
        if let Some(reason) = self.shared.no_workers() {
            return Err(Failed::NoWorkers(reason));
        }
        let (reply, answer) = oneshot::channel();
        if !self.shared.queue.push(Job { question, reply, retried: false }) {
            return Err(Failed::Overloaded);
        }
        answer.await.unwrap_or_else(|_closed| {
            Err(Failed::NoWorkers("the Python workers are being stopped".to_owned()))
        })
    }

    /// Memory of the workers.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.pids().into_iter().map(resident_bytes).sum()
    }

    /// Process ids of the workers that are ready.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.shared.ready.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Workers started again since the first start.
    pub(crate) fn restarts(&self) -> u64 {
        self.shared.restarts.load(Ordering::Relaxed)
    }

    /// Requests that wait for a worker.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.queue.len()
    }

    /// Ends the workers and waits until they are gone.
    pub(crate) async fn close(&self) {
        self.shared.queue.close();
        self.keepers.wait().await;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl Shared {
    fn no_workers(&self) -> Option<String> {
        let none = self.ready.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if !none {
            return None;
        }
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, failure: Option<String>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    fn is_ready(&self, id: u32, ready: bool) {
        let mut pids = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        pids.retain(|known| *known != id);
        if ready {
            pids.push(id);
        }
    }
}

/// How a worker came to its end.
enum End {
    /// The queue is closed.
    Closed,
    Broken,
}

/// Keeps one worker alive until the queue is closed.
async fn keep(shared: Arc<Shared>, mut first: Option<Worker>) {
    let mut pause = PAUSE_MIN;
    loop {
        let worker = match first.take() {
            Some(worker) => worker,
            None => match start(&shared).await {
                Ok(Some(worker)) => worker,
                Ok(None) => return,
                Err(failure) => {
                    tracing::error!(error = failure.reason, "a Python worker does not start");
                    shared.note(Some(failure.reason.clone()));
                    if let Some(reason) = shared.no_workers() {
                        shared.queue.refuse_all(&Failed::NoWorkers(reason));
                    }
                    if sleep_unless_closed(&shared, pause).await {
                        return;
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                    continue;
                }
            },
        };
        let id = worker.id;
        shared.note(None);
        shared.is_ready(id, true);
        let end = work(&shared, worker, &mut pause).await;
        shared.is_ready(id, false);
        if matches!(end, End::Closed) {
            return;
        }
        shared.restarts.fetch_add(1, Ordering::Relaxed);
        if sleep_unless_closed(&shared, pause).await {
            return;
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// A new worker; none when the queue is closed meanwhile.
async fn start(shared: &Shared) -> Result<Option<Worker>, Failure> {
    let Ok(_turn) = shared.turn.acquire().await else { return Ok(None) };
    if shared.queue.is_closed() {
        return Ok(None);
    }
    tokio::select! {
        started = Worker::start(&shared.launch) => started.map(Some),
        () = shared.queue.closed() => Ok(None),
    }
}

/// Sleeps; true when the queue was closed meanwhile.
async fn sleep_unless_closed(shared: &Shared, pause: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(pause) => false,
        () = shared.queue.closed() => true,
    }
}

/// Hands jobs to a worker until it dies or there are no more.
async fn work(shared: &Shared, mut worker: Worker, pause: &mut Duration) -> End {
    loop {
        let job = tokio::select! {
            job = shared.queue.next() => job,
            () = worker.ended() => {
                let said = worker.tail().describe();
                tracing::warn!(pid = worker.id, "an idle Python worker ended{said}");
                worker.kill().await;
                return End::Broken;
            }
        };
        let Some(job) = job else {
            worker.kill().await;
            return End::Closed;
        };
        if job.reply.is_closed() {
            continue;
        }
        if !answer(shared, &mut worker, job, pause).await {
            worker.kill().await;
            return End::Broken;
        }
    }
}

/// Answers one job; false when the worker is of no more use.
async fn answer(shared: &Shared, worker: &mut Worker, job: Job, pause: &mut Duration) -> bool {
    let limit = shared.request_timeout;
    let asked = tokio::time::timeout(limit, worker.ask(&job.question)).await;
    let (answer, usable) = match asked {
        Ok(Ok((Outcome::Answered { scoring, kind, width }, body))) => {
            *pause = PAUSE_MIN;
            match Answered::parse(&body, scoring, kind, width) {
                Ok(answered) => (Ok(answered), true),
                Err(error) => (Err(Failed::Died(format!("not understood: {error}"))), false),
            }
        }
        Ok(Ok((Outcome::Refused { status }, body))) => {
            *pause = PAUSE_MIN;
            (Err(Failed::Refused { status, body }), true)
        }
        Ok(Ok((Outcome::OutOfMemory, _))) => {
            let bytes_max = shared.launch.memory_bytes_max;
            tracing::warn!(pid = worker.id, bytes_max, "a Python worker reached its memory limit");
            // What the allocator holds is not given back; a new process is clean.
            (Err(Failed::OutOfMemory { bytes_max }), false)
        }
        Ok(Ok((other, _))) => (Err(Failed::Died(format!("answered {other:?}"))), false),
        Ok(Err(_gone)) => {
            let how = worker.end().await;
            let said = worker.tail().describe();
            tracing::warn!(pid = worker.id, how, "a Python worker died over a request{said}");
            if !job.retried {
                shared.queue.put_back(Job { retried: true, ..job });
                return false;
            }
            (Err(Failed::Died(format!("two Python workers died over it ({how})"))), false)
        }
        Err(_elapsed) => {
            tracing::warn!(pid = worker.id, seconds = limit.as_secs_f64(), "a Python worker hangs");
            (Err(Failed::Timeout(limit)), false)
        }
    };
    // The client may have gone.
    let _gone = job.reply.send(answer);
    usable
}
