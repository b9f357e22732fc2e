//! PostgreSQL: a pool of connections, each call on a thread for blocking work.
//!
//! A primary may die at any moment and another one take over. What has happened to nothing yet is done again on
//! a fresh connection: a read always, a change until its COMMIT was sent. A change whose COMMIT got no answer is
//! looked for ([`postgres_doubt`](super::postgres_doubt)) before anybody hears of it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::CancelToken;

use super::call::{Call, ReadLimits};
use super::database::Connection;
use super::permits::{Permits, Reading};
use super::postgres_client::cancel;
use super::postgres_connection::{Begin, Ended, PostgresConnection};
use super::postgres_health::Health;
use super::postgres_news::{Heard, News};
use super::postgres_pool::Pool;
use super::postgres_url;
use super::postgres_verdict::find_out;
use crate::error::{Error, Result};

/// Connections at a time; PostgreSQL allows 100 by default, for all its clients.
const CONNECTIONS_MAX: usize = 16;
/// How often a change that meets another one is tried. The server lets one of the two through.
const TRIES: usize = 6;
/// How often a call is done again whose connection broke.
const FRESH_TRIES: usize = 1;
/// How long a change waits for its turn: beyond that the others hang, and it would, too.
const TURN_TIME: Duration = Duration::from_mins(1);
/// How long telling the server to stop a query may take.
const CANCEL_TIME: Duration = Duration::from_secs(10);

/// A PostgreSQL database.
pub(crate) struct Postgres {
    pool: Arc<Pool>,
    limits: ReadLimits,
    permits: Permits,
    health: Health,
    /// Other servers over the same database, where they are to be told of what is written.
    news: Option<Arc<News>>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive()
    }
}

impl Postgres {
    /// Connects; `prepare` may create or check the schema.
    pub(crate) fn open(
        url: &str,
        limits: ReadLimits,
        prepare: impl FnOnce(&mut PostgresConnection) -> Result<()> + Send,
    ) -> Result<Self> {
        let pool = Pool::new(postgres_url::read(url)?);
        // A connection waits within a runtime of its own, which cannot be done on a thread that is
        // within another one; and whoever opens a store may be.
        let prepared = std::thread::scope(|scope| {
            let thread = scope.spawn(|| -> Result<()> {
                let mut connection = pool.connect_now()?;
                // Another server may be making the tables.
                connection.be_patient();
                prepare(&mut connection)?;
                pool.give(connection);
                Ok(())
            });
            thread.join()
        });
        prepared.map_err(|_panic| Error::database("opening the database broke off"))??;
        let permits = Permits::new(CONNECTIONS_MAX);
        Ok(Self { pool: Arc::new(pool), limits, permits, health: Health::default(), news: None })
    }

    /// The same, of which others hear what is written, and which hears of them.
    pub(crate) fn with_news(mut self) -> Self {
        self.news = Some(Arc::default());
        self
    }

    pub(crate) fn news(&self) -> Option<&Arc<News>> {
        self.news.as_ref()
    }

    /// What was heard of others and of itself; it listens from now on.
    pub(crate) fn heard(&self) -> Heard {
        self.news.as_ref().map(|news| news.heard(&self.pool)).unwrap_or_default()
    }

    /// Whether the database can be reached and written to.
    pub(crate) async fn health(&self) -> Result<()> {
        self.health.check(&self.pool).await
    }

    /// A read of one state of the database. The server stops it when it takes too long, and is told to
    /// when nobody waits for it any more.
    pub(crate) async fn read<T, F>(&self, reading: Reading, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        let call = Call::long(&self.limits)?;
        let running = Arc::new(Running::default());
        let waiting = Cancel {
            call: Arc::clone(&call),
            running: Arc::clone(&running),
            pool: Arc::clone(&self.pool),
        };
        let permit = self.permits.take(reading, call.end()).await?;
        let begin = Begin::Read(self.limits.time);
        let pool = Arc::clone(&self.pool);
        let task = tokio::task::spawn_blocking(move || {
            let mut result = read_once(&pool, begin, &call, &running, &work);
            for _fresh in 0..FRESH_TRIES {
                let is_lost = matches!(&result, Err(error) if error.is_lost_database());
                if !is_lost || call.is_over() {
                    break;
                }
                pool.forget();
                result = read_once(&pool, begin, &call, &running, &work);
            }
            (result, permit)
        });
        let (result, _permit) =
            task.await.map_err(|error| Error::database(format!("a call broke off: {error}")))?;
        drop(waiting);
        result
    }

    /// A change, all or nothing; tried again when it was in the way of another one, or its connection broke
    /// before its end.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        let end = Instant::now().checked_add(TURN_TIME);
        let permit = self.permits.take(Reading::Listing, end).await?;
        let pool = Arc::clone(&self.pool);
        let task = tokio::task::spawn_blocking(move || {
            let result = change(&pool, &work);
            drop(permit);
            result
        });
        let result =
            task.await.map_err(|error| Error::database(format!("a call broke off: {error}")))?;
        if let (Ok(_), Some(news)) = (&result, &self.news) {
            news.tell(&self.pool);
        }
        result
    }
}

fn read_once<T>(
    pool: &Pool,
    begin: Begin,
    call: &Arc<Call>,
    running: &Running,
    work: &impl Fn(&mut dyn Connection) -> Result<T>,
) -> Result<T> {
    if call.is_over() {
        return Err(call.stopped());
    }
    let mut connection = pool.begin(begin)?;
    running.set(Some(connection.cancel_token()));
    connection.call = Some(Arc::clone(call));
    let result = connection.read(work);
    connection.call = None;
    running.set(None);
    // A cancellation that was sent may still be on its way to whatever runs next.
    if !call.is_gone() {
        pool.give(connection);
    }
    result
}

fn change<T>(pool: &Pool, work: &impl Fn(&mut dyn Connection) -> Result<T>) -> Result<T> {
    let (mut tries, mut fresh_tries) = (TRIES, FRESH_TRIES);
    loop {
        let mut connection = pool.begin(Begin::Write)?;
        let error = match connection.change(work) {
            Ended::Stored(value) => {
                pool.give(connection);
                return Ok(value);
            }
            Ended::Failed(error) => error,
            Ended::InDoubt(value, mark) => {
                // Its transaction may still hold what the next one would wait for.
                drop(connection);
                pool.forget();
                match find_out(pool, &mark) {
                    Some(true) => return Ok(value),
                    Some(false) if fresh_tries > 0 => {
                        fresh_tries -= 1;
                        continue;
                    }
                    Some(false) => {
                        let reason = "the connection broke off".to_owned();
                        return Err(Error::Unreachable { reason });
                    }
                    None => return Err(Error::InDoubt),
                }
            }
        };
        match error {
            Error::Busy if tries > 1 => {
                tries -= 1;
                pool.give(connection);
            }
            error if error.is_lost_database() => {
                drop(connection);
                pool.forget();
                if fresh_tries == 0 {
                    return Err(error);
                }
                fresh_tries -= 1;
            }
            error => {
                pool.give(connection);
                // It waited for others for too long, and would not have to next time.
                return Err(if matches!(error, Error::TimedOut { .. }) {
                    Error::Busy
                } else {
                    error
                });
            }
        }
    }
}

/// How to stop what a connection does, while it does something.
#[derive(Default)]
struct Running(Mutex<Option<CancelToken>>);

impl Running {
    fn set(&self, token: Option<CancelToken>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}

/// Stops a read when it is dropped: nobody waits for it any more.
struct Cancel {
    call: Arc<Call>,
    running: Arc<Running>,
    pool: Arc<Pool>,
}

impl Drop for Cancel {
    fn drop(&mut self) {
        self.call.give_up();
        let (running, pool) = (Arc::clone(&self.running), Arc::clone(&self.pool));
        if running.0.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return;
        }
        // Cancelling takes a connection of its own, for which this thread must not wait.
        let stop = move || {
            let token = running.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(token) = token.as_ref()
                && let Err(error) = cancel(token, pool.tls(), CANCEL_TIME)
            {
                tracing::debug!(%error, "a query could not be cancelled");
            }
        };
        let thread = std::thread::Builder::new().name("trainyard-cancel".to_owned()).spawn(stop);
        if let Err(error) = thread {
            tracing::debug!(%error, "a query could not be cancelled");
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let pool = Arc::clone(&self.pool);
        // The runtimes of connections must not end within another one.
        let closing = std::thread::spawn(move || pool.close());
        if closing.join().is_err() {
            tracing::error!("closing connections to PostgreSQL broke off");
        }
    }
}
