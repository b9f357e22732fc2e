//! A connection to PostgreSQL for threads that may wait, but never for ever.
//!
//! The driver is asynchronous; the store's statements are not, and run on threads for blocking work. So each
//! connection has a runtime of its own, which runs while somebody waits for an answer: no statement changes
//! threads. (The driver's own blocking client does the same, but waits without a limit: a server that is
//! stopped, not dead, keeps its connections open and says nothing.)

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{CancelToken, Config, RowStream, SimpleQueryMessage, Statement};

use super::database::Value;
use super::postgres_error::convert;
use super::postgres_tls::MakeTls;
use crate::error::{Error, Result};

/// How long the end of a session may take.
const CLOSE_TIME: Duration = Duration::from_secs(1);

type Driver = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

/// One connection.
pub(super) struct Client {
    session: tokio_postgres::Client,
    /// What reads and writes the socket; none once that is over.
    driver: Option<Driver>,
    /// How long one answer of the server is waited for; none for as long as it takes.
    pub(super) patience: Option<Duration>,
    runtime: Runtime,
}

impl Client {
    /// Connects and signs in within `limit`.
    pub(super) fn connect(config: &Config, tls: &MakeTls, limit: Duration) -> Result<Self> {
        let runtime = runtime()?;
        let connected = runtime
            .block_on(async { tokio::time::timeout(limit, config.connect(tls.clone())).await });
        let failed = match connected {
            Ok(Ok((session, connection))) => {
                let driver: Option<Driver> = Some(Box::pin(connection));
                return Ok(Self { session, driver, patience: Some(limit), runtime });
            }
            Ok(Err(error)) => convert(error),
            Err(_elapsed) => silent(limit),
        };
        // The search for the host's address may still hang in it.
        runtime.shutdown_background();
        Err(failed)
    }

    /// Ends the session in an orderly way, if the server hears of it.
    pub(super) fn close(self) {
        let Self { session, driver, runtime, .. } = self;
        drop(session);
        if let Some(driver) = driver {
            let ended = runtime.block_on(async { tokio::time::timeout(CLOSE_TIME, driver).await });
            if !matches!(ended, Ok(Ok(()))) {
                tracing::debug!("a connection to PostgreSQL did not end in an orderly way");
            }
        }
    }

    /// Whether nothing can be done with it any more.
    pub(super) fn is_closed(&self) -> bool {
        self.driver.is_none() || self.session.is_closed()
    }

    pub(super) fn cancel_token(&self) -> CancelToken {
        self.session.cancel_token()
    }

    /// Runs statements that take and return nothing.
    pub(super) fn run(&mut self, sql: &str) -> Result<()> {
        let Self { session, driver, patience, runtime } = self;
        wait(runtime, driver, *patience, session.batch_execute(sql))
    }

    /// Runs statements without parameters; the first column of the first row that is answered.
    pub(super) fn first(&mut self, sql: &str) -> Result<Option<String>> {
        let Self { session, driver, patience, runtime } = self;
        let messages = wait(runtime, driver, *patience, session.simple_query(sql))?;
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    pub(super) fn prepare(&mut self, sql: &str, types: &[Type]) -> Result<Statement> {
        let Self { session, driver, patience, runtime } = self;
        wait(runtime, driver, *patience, session.prepare_typed(sql, types))
    }

    pub(super) fn execute(&mut self, statement: &Statement, values: &[Value<'_>]) -> Result<u64> {
        let values: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let Self { session, driver, patience, runtime } = self;
        wait(runtime, driver, *patience, session.execute(statement, &values))
    }

    /// Begins a query; its rows come from [`Client::next`].
    pub(super) fn query(
        &mut self,
        statement: &Statement,
        values: &[Value<'_>],
    ) -> Result<Pin<Box<RowStream>>> {
        let Self { session, driver, patience, runtime } = self;
        wait(runtime, driver, *patience, session.query_raw(statement, values)).map(Box::pin)
    }

    pub(super) fn next(
        &mut self,
        rows: &mut Pin<Box<RowStream>>,
    ) -> Result<Option<tokio_postgres::Row>> {
        use futures::TryStreamExt as _;

        let Self { driver, patience, runtime, .. } = self;
        wait(runtime, driver, *patience, rows.try_next())
    }
}

/// Tells the server to stop what a connection does, over another one.
pub(super) fn cancel(token: &CancelToken, tls: &MakeTls, limit: Duration) -> Result<()> {
    let cancelled = runtime()?
        .block_on(async { tokio::time::timeout(limit, token.cancel_query(tls.clone())).await });
    match cancelled {
        Ok(cancelled) => cancelled.map_err(convert),
        Err(_elapsed) => Err(silent(limit)),
    }
}

fn runtime() -> Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::database(format!("no runtime for a connection: {error}")))
}

fn silent(limit: Duration) -> Error {
    Error::Unreachable { reason: format!("no answer within {} s", limit.as_secs()) }
}

/// The answer to `asked`, while the socket is read and written. A connection that says nothing for too long is
/// closed: what it would answer later nobody could tell apart.
fn wait<T>(
    runtime: &Runtime,
    driver: &mut Option<Driver>,
    patience: Option<Duration>,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T> {
    let answered = runtime.block_on(async {
        let mut asked = pin!(asked);
        let answer = std::future::poll_fn(|context| {
            let ended = driver.as_mut().map(|driver| driver.as_mut().poll(context));
            let Some(Poll::Ready(end)) = ended else { return asked.as_mut().poll(context) };
            // Whoever waits for an answer on it learns that now, or has got the answer with its last bytes.
            *driver = None;
            match (asked.as_mut().poll(context), end) {
                (Poll::Ready(Err(error)), Err(end)) if error.as_db_error().is_none() => {
                    Poll::Ready(Err(end))
                }
                (answer, _) => answer,
            }
        });
        match patience {
            None => Ok(answer.await),
            Some(patience) => {
                tokio::time::timeout(patience, answer).await.map_err(|_elapsed| patience)
            }
        }
    });
    match answered {
        Ok(answer) => answer.map_err(convert),
        Err(patience) => {
            *driver = None;
            Err(silent(patience))
        }
    }
}
