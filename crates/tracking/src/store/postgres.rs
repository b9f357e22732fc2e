//! PostgreSQL: a pool of connections, each call on a thread for blocking work.
//!
//! The store's statements are written with `?1`, which becomes `$1` here. Parameters are given
//! their types explicitly, because a parameter that is used twice may otherwise be taken for two
//! different kinds of text.

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, Statement};
use tokio::sync::Semaphore;

use super::database::{Connection, Dialect, Row, Value};
use super::postgres_tls::{self, MakeTls};
use crate::error::{Constraint, Error, Result};

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
    permits: Arc<Semaphore>,
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
    Read,
    Write,
}

impl Postgres {
    /// Connects; `prepare` may create or check the schema.
    pub(crate) fn open(
        url: &str,
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
        Ok(Self { pool: Arc::new(pool), permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)) })
    }

    /// A read of one state of the database.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> Result<T> + Send + 'static,
    {
        self.with_connection(Begin::Read, |connection| connection.run(work)).await
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
        let permit = Arc::clone(&self.permits).acquire_owned();
        let permit = permit.await.map_err(|_closed| Error::Stopped)?;
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
        Ok(PostgresConnection { client, statements: HashMap::new() })
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
}

impl PostgresConnection {
    fn begin(&mut self, begin: Begin) -> Result<()> {
        let begin = match begin {
            Begin::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Begin::Write => "BEGIN",
        };
        self.client.batch_execute(begin).map_err(convert)
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

    fn prepare(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<Statement> {
        let mut key = sql.to_owned();
        key.extend(parameters.iter().map(|value| match value {
            Value::Null => 'n',
            Value::Bool(_) => 'b',
            Value::Int(_) => 'i',
            Value::Real(_) => 'r',
            Value::Text(_) => 't',
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
        let statement = self.prepare(sql, parameters)?;
        let mut rows = self.client.query_raw(&statement, parameters).map_err(convert)?;
        while let Some(row) = rows.next().map_err(convert)? {
            each(&row)?;
        }
        Ok(())
    }

    fn execute(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<usize> {
        let statement = self.prepare(sql, parameters)?;
        let parameters: Vec<&(dyn ToSql + Sync)> =
            parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let changed = self.client.execute(&statement, &parameters).map_err(convert)?;
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

/// PostgreSQL's error as ours.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
pub(super) fn convert(error: postgres::Error) -> Error {
    let Some(details) = error.as_db_error() else {
        // The client's own message leaves the cause to its source.
        let reason = match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        return Error::Unreachable { reason };
    };
    let message = details.message().to_owned();
    let code = details.code();
    let constraint = |constraint| Error::Constraint { constraint, message: message.clone() };
    match code.code().get(..2) {
        _ if *code == SqlState::UNIQUE_VIOLATION => constraint(Constraint::Unique),
        _ if *code == SqlState::FOREIGN_KEY_VIOLATION => constraint(Constraint::ForeignKey),
        _ if *code == SqlState::DISK_FULL => Error::Full,
        // A value that is too long, too large or holds a NUL, and the other rules.
        Some("22" | "23") => constraint(Constraint::Other),
        // Conflicts between transactions, of which trying again gets rid.
        Some("40" | "55") => Error::Busy,
        // Too many connections, the server is going down, starting up, or refuses the login.
        Some("53" | "57" | "28" | "3D") => Error::Unreachable { reason: message },
        _ => Error::database(message),
    }
}
