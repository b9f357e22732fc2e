//! That something was written, told by one server over a PostgreSQL database to the others: LISTEN and NOTIFY.
//!
//! A commit with a NOTIFY holds a lock of the whole database server until it is on the disk, so that such commits are done one
//! after the other: told within the changes themselves, it halves how many of them are done. So it is told behind them,
//! in a transaction of its own that waits for no disk, a few times a second at most, for all that were stored until then. Commits
//! that tell nothing do not wait for it.
//!
//! Nothing rests on it: whoever listens looks at the database now and then as well ([`mark`](super::mark)), and as often as
//! if there was no NOTIFY where nothing is heard: behind a pooler that lends a session for a transaction, LISTEN is answered
//! and never hears anything.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_postgres::AsyncMessage;

use super::postgres_error::convert;
use super::postgres_pool::Pool;
use crate::error::{Error, Result};

/// Listens to what servers tell.
const LISTEN: &str = "LISTEN trainyard_written";
/// Tells it, without waiting for a disk while others wait for the lock.
const TELL: &str = "BEGIN; SET LOCAL synchronous_commit = off; NOTIFY trainyard_written; COMMIT";
/// The least time between two times that it is told.
const PACE: Duration = Duration::from_millis(200);
/// How long one listens whom nobody asks any more.
const UNASKED_MAX: Duration = Duration::from_mins(1);
/// How often it is looked whether somebody still asks.
const LOOK: Duration = Duration::from_secs(5);
/// The time between two attempts to listen.
const AGAIN: Duration = Duration::from_secs(5);

/// What is told and heard of one database.
#[derive(Default)]
pub(crate) struct News {
    /// Whether it is about to be told.
    telling: AtomicBool,
    told_at: Mutex<Option<Instant>>,
    /// How often something was heard.
    heard: AtomicU64,
    /// Whether what is told is heard, as far as is known.
    hears: AtomicBool,
    listening: AtomicBool,
    asked_at: Mutex<Option<Instant>>,
    woken: Notify,
}

/// What was heard until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Heard {
    pub(crate) count: u64,
    /// Whether it would have been heard if there had been more.
    pub(crate) hears: bool,
}

/// Sets a flag back when it is dropped, also with the runtime of its task.
struct Flag<'a>(&'a AtomicBool);

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn note(at: &Mutex<Option<Instant>>) -> Option<Instant> {
    at.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now())
}

fn since(at: &Mutex<Option<Instant>>) -> Option<Duration> {
    at.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
}

impl News {
    /// Tells that something was stored, soon. Nobody waits for it.
    pub(super) fn tell(self: &Arc<Self>, pool: &Arc<Pool>) {
        if self.telling.swap(true, Ordering::AcqRel) {
            return;
        }
        let (news, pool) = (Arc::clone(self), Arc::clone(pool));
        tokio::spawn(async move {
            let flag = Flag(&news.telling);
            let rest =
                since(&news.told_at).map_or(Duration::ZERO, |told| PACE.saturating_sub(told));
            tokio::time::sleep(rest).await;
            note(&news.told_at);
            // What is stored from now on is told next time.
            drop(flag);
            let told = tokio::task::spawn_blocking(move || pool.run(TELL)).await;
            if let Ok(Err(error)) = told {
                tracing::debug!(%error, "other servers are not told that something was written");
            }
        });
    }

    /// What was heard; from now on somebody listens.
    pub(super) fn heard(self: &Arc<Self>, pool: &Arc<Pool>) -> Heard {
        note(&self.asked_at);
        if !self.listening.swap(true, Ordering::AcqRel) {
            tokio::spawn(listen(Listening(Arc::downgrade(self)), Arc::clone(pool)));
        }
        let hears = self.hears.load(Ordering::Acquire);
        Heard { count: self.heard.load(Ordering::Acquire), hears }
    }

    /// Notes that something was written and not heard of.
    pub(crate) fn deafen(&self) {
        self.hears.store(false, Ordering::Release);
    }

    /// Returns when something is heard next.
    pub(crate) async fn wait(&self) {
        self.woken.notified().await;
    }

    fn hear(&self) {
        self.heard.fetch_add(1, Ordering::AcqRel);
        self.hears.store(true, Ordering::Release);
        self.woken.notify_waiters();
    }
}

/// That somebody listens, as long as they do.
struct Listening(Weak<News>);

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(news) = self.0.upgrade() {
            news.deafen();
            news.listening.store(false, Ordering::Release);
        }
    }
}

impl Listening {
    fn is_asked(&self) -> bool {
        let asked = self.0.upgrade().and_then(|news| since(&news.asked_at));
        asked.is_some_and(|asked| asked <= UNASKED_MAX)
    }
}

/// Listens as long as somebody asks, and again where that breaks off.
async fn listen(listening: Listening, pool: Arc<Pool>) {
    while listening.is_asked() {
        let Err(error) = session(&listening, &pool).await else { return };
        tracing::debug!(%error, "what other servers write is not heard of, but looked for");
        if let Some(news) = listening.0.upgrade() {
            news.deafen();
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// One connection that listens; it ends well when nobody asks any more.
async fn session(listening: &Listening, pool: &Arc<Pool>) -> Result<()> {
    let (client, mut connection) = pool.session().await?;
    let mut begun = pin!(client.batch_execute(LISTEN));
    let mut has_begun = false;
    loop {
        let message = tokio::select! {
            answer = &mut begun, if !has_begun => {
                answer.map_err(convert)?;
                has_begun = true;
                // Told by another session: where it is heard, others are. It also tells of what was written before.
                if let Some(news) = listening.0.upgrade() {
                    news.tell(pool);
                }
                continue;
            }
            message = poll_fn(|context| connection.poll_message(context)) => message,
            () = tokio::time::sleep(LOOK) => {
                if !listening.is_asked() {
                    return Ok(());
                }
                continue;
            }
        };
        match message {
            Some(Ok(AsyncMessage::Notification(_))) => {
                let Some(news) = listening.0.upgrade() else { return Ok(()) };
                news.hear();
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(convert(error)),
            None => {
                return Err(Error::Unreachable { reason: "the connection broke off".to_owned() });
            }
        }
    }
}
