//! PostgreSQL: a pool of connections, each call on a thread for blocking work.
//!
//! The store's statements are written with `?1`, which becomes `$1` here. Parameters are given
//! their types explicitly, because a parameter that is used twice may otherwise be taken for two
//! different kinds of text.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{CancelToken, Client, Config, Statement};

use super::call::{Call, Meter, ReadLimits};
use super::database::{Connection, Dialect, List, Row, Value};
use super::permits::{Permits, Reading};
use super::postgres_error::{convert, is_stale};
use super::postgres_tls::{self, MakeTls};
use crate::error::{Error, Result};

/// Connections at a time; PostgreSQL allows 100 by default, for all its clients.
const CONNECTIONS_MAX: usize = 16;
/// Prepared statements kept per connection.
const STATEMENTS_KEPT: usize = 256;
/// How often a change that meets another one is tried. The server lets one of the two through.
const TRIES: usize = 6;
/// How long a server that does not answer is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A PostgreSQL database.
pub(crate) struct Postgres {
    pool: Arc<Pool>,
    limits: ReadLimits,
    permits: Permits,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive()
    }
}

struct Pool {
    config: Config,
    tls: MakeTls,
    idle: Mutex<Vec<PostgresConnection>>,
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy)]
enum Begin {
    /// With a limit of time for each statement; none for none.
    Read(Option<Duration>),
    Write,
}

impl Postgres {
    /// Connects; `prepare` may create or check the schema.
    pub(crate) fn open(
        url: &str,
        limits: ReadLimits,
        prepare: impl FnOnce(&mut PostgresConnection) -> Result<()> + Send,
    ) -> Result<Self> {
        let (mut config, tls) = postgres_tls::read(url)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.application_name("trainyard");
        let pool = Pool { config, tls, idle: Mutex::new(Vec::new()) };
        // The client waits within a runtime of its own, which cannot be done on a thread that is
        // within another one; and whoever opens a store may be.
        let prepared = std::thread::scope(|scope| {
            let thread = scope.spawn(|| -> Result<()> {
                let mut connection = pool.connect()?;
                prepare(&mut connection)?;
                pool.give(connection);
                Ok(())
            });
            thread.join()
        });
        prepared.map_err(|_panic| Error::database("opening the database broke off"))??;
        Ok(Self { pool: Arc::new(pool), limits, permits: Permits::new(CONNECTIONS_MAX) })
    }

    /// A read of one state of the database. The server stops it when it takes too long, and is told to
    /// when nobody waits for it any more.
    pub(crate) async fn read<T, F>(&self, reading: Reading, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> Result<T> + Send + 'static,
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
            if call.is_over() {
                return (Err(call.stopped()), permit);
            }
            let read = || {
                let mut connection = pool.begin(begin)?;
                running.set(Some(connection.client.cancel_token()));
                connection.call = Some(Arc::clone(&call));
                let result = connection.run(work);
                connection.call = None;
                running.set(None);
                // A cancellation that was sent may still be on its way to whatever runs next.
                if !call.is_gone() {
                    pool.give(connection);
                }
                result
            };
            (read(), permit)
        });
        let (result, _permit) =
            task.await.map_err(|error| Error::database(format!("a call broke off: {error}")))?;
        drop(waiting);
        result
    }

    /// A change, all or nothing; tried again when it was in the way of another one.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        self.with_connection(Begin::Write, move |connection| {
            for _conflict in 1..TRIES {
                match connection.run(&work) {
                    Err(Error::Busy) => connection.begin(Begin::Write)?,
                    result => return result,
                }
            }
            connection.run(&work)
        })
        .await
    }

    /// Hands a connection within a new transaction to `work`, on a thread that may wait.
    async fn with_connection<T, F>(&self, begin: Begin, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut PostgresConnection) -> Result<T> + Send + 'static,
    {
        let permit = self.permits.take(Reading::Listing, None).await?;
        let pool = Arc::clone(&self.pool);
        let task = tokio::task::spawn_blocking(move || {
            let mut connection = pool.begin(begin)?;
            let result = work(&mut connection);
            // Dropped here if it is broken: not on the caller's thread.
            pool.give(connection);
            drop(permit);
            result
        });
        task.await.map_err(|error| Error::database(format!("a call broke off: {error}")))?
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
        let cancel = move || {
            let token = running.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(token) = token.as_ref()
                && let Err(error) = token.cancel_query(pool.tls.clone())
            {
                tracing::debug!(%error, "a query could not be cancelled");
            }
        };
        let thread = std::thread::Builder::new().name("trainyard-cancel".to_owned()).spawn(cancel);
        if let Err(error) = thread {
            tracing::debug!(%error, "a query could not be cancelled");
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *self.pool.lock());
        // A client waits for its connection to close, which must not happen within a runtime.
        let closing = std::thread::spawn(move || drop(idle));
        if closing.join().is_err() {
            tracing::error!("closing connections to PostgreSQL broke off");
        }
    }
}

impl Pool {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<PostgresConnection>> {
        // The guarded list is whole between any two operations, so a panic elsewhere is no harm.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection within a new transaction.
    fn begin(&self, begin: Begin) -> Result<PostgresConnection> {
        // After a restart of the server all that waited here are dead, known or not: nothing has
        // happened yet, so another one will do.
        loop {
            let Some(mut connection) = self.lock().pop() else { break };
            if connection.client.is_closed() {
                continue;
            }
            match connection.begin(begin) {
                Err(Error::Unreachable { .. }) => {}
                begun => return begun.map(|()| connection),
            }
        }
        let mut connection = self.connect()?;
        connection.begin(begin)?;
        Ok(connection)
    }

    fn connect(&self) -> Result<PostgresConnection> {
        let client = self.config.connect(self.tls.clone()).map_err(convert)?;
        Ok(PostgresConnection { client, statements: HashMap::new(), call: None, begun: None })
    }

    fn give(&self, connection: PostgresConnection) {
        if !connection.client.is_closed() {
            self.lock().push(connection);
        }
    }
}

/// One connection with its prepared statements.
pub(crate) struct PostgresConnection {
    client: Client,
    /// By text and types of parameters.
    statements: HashMap<String, Statement>,
    /// What it reads for now.
    call: Option<Arc<Call>>,
    /// How the transaction began that it is within, or was last.
    begun: Option<Begin>,
}

impl PostgresConnection {
    fn begin(&mut self, begin: Begin) -> Result<()> {
        self.begun = Some(begin);
        let begin = match begin {
            Begin::Read(time) => {
                let milliseconds = time.map_or(0, |time| time.as_millis().min(i32::MAX as u128));
                format!(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                     SET LOCAL statement_timeout = {milliseconds}"
                )
            }
            Begin::Write => "BEGIN".to_owned(),
        };
        self.client.batch_execute(&begin).map_err(convert)
    }

    /// Runs `work` within the transaction that was begun, and ends it.
    fn run<T>(&mut self, work: impl FnOnce(&mut dyn Connection) -> Result<T>) -> Result<T> {
        match work(self) {
            Ok(value) => {
                self.client.batch_execute("COMMIT").map_err(convert)?;
                Ok(value)
            }
            Err(error) => {
                // If this fails, too, the connection is closed and with it the transaction.
                if let Err(error) = self.client.batch_execute("ROLLBACK") {
                    tracing::warn!(%error, "cannot roll back a change to the tracking store");
                }
                Err(error)
            }
        }
    }

    /// Begins a read anew that tables changed under; false if it is none.
    fn read_again(&mut self) -> Result<bool> {
        let Some(begin @ Begin::Read(_)) = self.begun else { return Ok(false) };
        self.client.batch_execute("ROLLBACK").map_err(convert)?;
        self.begin(begin)?;
        Ok(true)
    }

    /// What an error means. Statements that are stale are forgotten.
    fn failed(&mut self, error: postgres::Error) -> Error {
        if is_stale(&error) {
            self.statements.clear();
        }
        // The server does not say which of the two stopped it.
        match (convert(error), &self.call) {
            (Error::TimedOut { .. }, Some(call)) => call.stopped(),
            (error, _) => error,
        }
    }

    /// Calls `each` for every row. `has_rows` tells whether there was one.
    fn query_once(
        &mut self,
        sql: &str,
        parameters: &[Value<'_>],
        has_rows: &mut bool,
        each: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        let call = self.call.clone();
        let mut meter = Meter::default();
        let statement = self.prepare(sql, parameters)?;
        let failure = match self.client.query_raw(&statement, parameters) {
            Ok(mut rows) => loop {
                match rows.next() {
                    Ok(Some(row)) => {
                        *has_rows = true;
                        match &call {
                            Some(call) => call.count(&mut meter, &row, each)?,
                            None => each(&row)?,
                        }
                    }
                    Ok(None) => return Ok(()),
                    Err(error) => break error,
                }
            },
            Err(error) => error,
        };
        Err(self.failed(failure))
    }

    fn prepare(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<Statement> {
        let mut key = sql.to_owned();
        key.extend(parameters.iter().map(|value| match value {
            Value::Null => 'n',
            Value::Bool(_) => 'b',
            Value::Int(_) => 'i',
            Value::Real(_) => 'r',
            Value::Text(_) => 't',
            Value::List(List::Ints(_)) => 'I',
            Value::List(List::Reals(_)) => 'R',
            Value::List(List::Texts(_)) => 'T',
        }));
        if let Some(statement) = self.statements.get(&key) {
            return Ok(statement.clone());
        }
        let types: Vec<Type> = parameters
            .iter()
            .map(|value| match value {
                // The server finds out.
                Value::Null => Type::UNKNOWN,
                Value::Bool(_) => Type::BOOL,
                Value::Int(_) => Type::INT8,
                Value::Real(_) => Type::FLOAT8,
                Value::Text(_) => Type::TEXT,
                Value::List(List::Ints(_)) => Type::INT8_ARRAY,
                Value::List(List::Reals(_)) => Type::FLOAT8_ARRAY,
                Value::List(List::Texts(_)) => Type::TEXT_ARRAY,
            })
            .collect();
        let statement = self.client.prepare_typed(&dollars(sql), &types).map_err(convert)?;
        if self.statements.len() >= STATEMENTS_KEPT {
            self.statements.clear();
        }
        self.statements.insert(key, statement.clone());
        Ok(statement)
    }
}

impl Connection for PostgresConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        let mut has_rows = false;
        for _change in 1..TRIES {
            match self.query_once(sql, parameters, &mut has_rows, each) {
                // Tables changed under a read, which has shown nothing of this statement yet. What it read before
                // may be a moment older then.
                Err(Error::Busy) if !has_rows && self.read_again()? => {}
                result => return result,
            }
        }
        self.query_once(sql, parameters, &mut has_rows, each)
    }

    fn execute(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<usize> {
        let statement = self.prepare(sql, parameters)?;
        let parameters: Vec<&(dyn ToSql + Sync)> =
            parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let changed = self.client.execute(&statement, &parameters);
        let changed = changed.map_err(|error| self.failed(error))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn execute_script(&mut self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).map_err(convert)
    }
}

/// `?1` as `$1`. A question mark without a number stays: regular expressions have some.
fn dollars(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        let is_placeholder =
            character == '?' && characters.peek().is_some_and(char::is_ascii_digit);
        text.push(if is_placeholder { '$' } else { character });
    }
    text
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) => value.to_sql(kind, out),
            Self::Int(value) => value.to_sql(kind, out),
            Self::Real(value) => value.to_sql(kind, out),
            Self::Text(value) => value.as_ref().to_sql(kind, out),
            Self::List(List::Ints(values)) => values.to_sql(kind, out),
            Self::List(List::Reals(values)) => values.to_sql(kind, out),
            Self::List(List::Texts(values)) => values.to_sql(kind, out),
        }
    }

    fn accepts(_kind: &Type) -> bool {
        // Statements are prepared with the types of their values.
        true
    }

    to_sql_checked!();
}

impl Row for postgres::Row {
    fn int(&self, column: usize) -> Result<Option<i64>> {
        let kind = self.columns().get(column).map(postgres::Column::type_);
        let value = match kind {
            Some(&Type::INT8) => self.try_get::<_, Option<i64>>(column),
            Some(&Type::BOOL) => {
                self.try_get::<_, Option<bool>>(column).map(|value| value.map(i64::from))
            }
            _ => self.try_get::<_, Option<i32>>(column).map(|value| value.map(i64::from)),
        };
        value.map_err(convert)
    }

    fn real(&self, column: usize) -> Result<Option<f64>> {
        self.try_get(column).map_err(convert)
    }

    fn text(&self, column: usize) -> Result<Option<&str>> {
        self.try_get(column).map_err(convert)
    }
}
