//! One connection to PostgreSQL: transactions, prepared statements, values and rows.
//!
//! The store's statements are written with `?1`, which becomes `$1` here. Parameters are given
//! their types explicitly, because a parameter that is used twice may otherwise be taken for two
//! different kinds of text.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{CancelToken, Statement};

use super::call::{Call, Meter};
use super::database::{Connection, Dialect, List, Row, Value};
use super::postgres_client::Client;
use super::postgres_doubt::{Mark, Writer};
use super::postgres_error::convert;
use crate::error::{Error, Result};

/// Prepared statements kept per connection.
const STATEMENTS_KEPT: usize = 256;
/// How often a read is begun that tables change under.
const READ_TRIES: usize = 6;
/// How long the beginning and the end of a transaction, which touch nothing, may take.
const BEGIN_TIME: Duration = Duration::from_secs(10);
/// Time of one statement of a change, a wait for other changes included. The server keeps it.
const WRITE_TIME: Duration = Duration::from_mins(1);
/// After this time the server ends the transaction of a program that says nothing any more (its machine is gone) and
/// holds others up.
const SILENCE: Duration = Duration::from_secs(30);
/// What an answer may take beyond the time that the server keeps: then the server is gone.
const GRACE: Duration = Duration::from_secs(10);

/// How a transaction begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin {
    /// With a limit of time for each statement; none for none.
    Read(Option<Duration>),
    Write,
}

/// How a change ended.
pub(super) enum Ended<T> {
    Stored(T),
    /// Nothing of it is there.
    Failed(Error),
    /// The answer to COMMIT did not come.
    InDoubt(T, Mark),
}

/// One connection with its prepared statements.
pub(crate) struct PostgresConnection {
    client: Client,
    /// By text and types of parameters.
    statements: HashMap<String, Statement>,
    /// What it reads for now.
    pub(super) call: Option<Arc<Call>>,
    /// How the transaction began that it is within, or was last.
    begun: Option<Begin>,
    /// Marks its changes; none before the first one.
    writer: Option<Writer>,
}

impl PostgresConnection {
    pub(super) fn new(client: Client) -> Self {
        Self { client, statements: HashMap::new(), call: None, begun: None, writer: None }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) fn cancel_token(&self) -> CancelToken {
        self.client.cancel_token()
    }

    /// Ends the session in an orderly way.
    pub(super) fn close(self) {
        drop(self.statements);
        self.client.close();
    }

    /// Answers are waited for as long as it takes.
    pub(super) fn be_patient(&mut self) {
        self.client.patience = None;
    }

    /// Asks whether it can be written to, and waits for the answer as long as this.
    pub(super) fn ping(&mut self, patience: Duration) -> Result<()> {
        self.client.patience = Some(patience);
        let is_read_only = self.client.first("SHOW transaction_read_only")?;
        if is_read_only.as_deref() == Some("on") { Err(Error::ReadOnly) } else { Ok(()) }
    }

    /// Runs statements that take and return nothing, outside of a transaction.
    pub(super) fn run(&mut self, sql: &str) -> Result<()> {
        self.client.patience = Some(BEGIN_TIME);
        self.client.run(sql)
    }

    pub(super) fn begin(&mut self, begin: Begin) -> Result<()> {
        self.begun = Some(begin);
        self.client.patience = Some(BEGIN_TIME);
        match begin {
            Begin::Read(time) => {
                let milliseconds = time.map_or(0, |time| time.as_millis().min(i32::MAX as u128));
                self.client.run(&format!(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                     SET LOCAL statement_timeout = {milliseconds}"
                ))?;
                self.client.patience = time.map(|time| time.saturating_add(GRACE));
            }
            Begin::Write => {
                let writer = match self.writer.take() {
                    Some(writer) => writer,
                    None => Writer::register(&mut self.client)?,
                };
                let marking = self.writer.insert(writer).mark();
                let (write, silence) = (WRITE_TIME.as_millis(), SILENCE.as_millis());
                self.client.run(&format!(
                    "BEGIN; SET LOCAL statement_timeout = {write}; \
                     SET LOCAL idle_in_transaction_session_timeout = {silence}; {marking}"
                ))?;
                self.client.patience = Some(WRITE_TIME + GRACE);
            }
        }
        Ok(())
    }

    /// Runs a read within the transaction that was begun, and ends it.
    pub(super) fn read<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Connection) -> Result<T>,
    ) -> Result<T> {
        let result = work(self);
        self.client.patience = Some(BEGIN_TIME);
        match result {
            Ok(value) => self.client.run("COMMIT").map(|()| value),
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    /// Runs a change within the transaction that was begun, and ends it.
    pub(super) fn change<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Connection) -> Result<T>,
    ) -> Ended<T> {
        let value = match work(self) {
            Ok(value) => value,
            Err(error) => {
                self.roll_back();
                return Ended::Failed(error);
            }
        };
        // A time-out that ends the wait for a standby would be taken for its confirmation.
        let committed = self.client.run("SET LOCAL statement_timeout = 0; COMMIT");
        let Err(error) = committed else { return Ended::Stored(value) };
        if let (Error::Unreachable { .. }, Some(writer)) = (&error, &self.writer) {
            return Ended::InDoubt(value, writer.marked());
        }
        // The server has said that it did not.
        self.roll_back();
        Ended::Failed(error)
    }

    fn roll_back(&mut self) {
        if self.is_closed() {
            return;
        }
        self.client.patience = Some(BEGIN_TIME);
        // If this fails, too, the connection is closed and with it the transaction.
        if let Err(error) = self.client.run("ROLLBACK") {
            tracing::warn!(%error, "cannot roll back a change to the tracking store");
        }
    }

    /// What became of a change, found out within a transaction of this connection.
    pub(super) fn settle(&mut self, mark: &Mark) -> Result<bool> {
        self.client.patience = Some(WRITE_TIME + GRACE);
        mark.settle(&mut self.client)
    }

    /// Begins a read anew that tables changed under; false if it is none.
    fn read_again(&mut self) -> Result<bool> {
        let Some(begin @ Begin::Read(_)) = self.begun else { return Ok(false) };
        self.client.patience = Some(BEGIN_TIME);
        self.client.run("ROLLBACK")?;
        self.begin(begin)?;
        Ok(true)
    }

    /// What an error of a statement means.
    fn failed(&mut self, error: Error) -> Error {
        match (error, &self.call) {
            // Tables may have changed since the statements were prepared; other conflicts are rare.
            (Error::Busy, _) => {
                self.statements.clear();
                Error::Busy
            }
            // The server does not say which of the two stopped it.
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
        let rows = self.client.query(&statement, parameters);
        let mut rows = rows.map_err(|error| self.failed(error))?;
        loop {
            let row = self.client.next(&mut rows);
            let Some(row) = row.map_err(|error| self.failed(error))? else { return Ok(()) };
            *has_rows = true;
            match &call {
                Some(call) => call.count(&mut meter, &row, each)?,
                None => each(&row)?,
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
        let statement = self.client.prepare(&dollars(sql), &types)?;
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
        for _change in 1..READ_TRIES {
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
        let changed = self.client.execute(&statement, parameters);
        let changed = changed.map_err(|error| self.failed(error))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn execute_script(&mut self, sql: &str) -> Result<()> {
        self.client.run(sql)
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

impl Row for tokio_postgres::Row {
    fn int(&self, column: usize) -> Result<Option<i64>> {
        let kind = self.columns().get(column).map(tokio_postgres::Column::type_);
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

    fn ints(&self, column: usize) -> Result<Vec<i64>> {
        self.try_get::<_, Option<Vec<i64>>>(column).map(Option::unwrap_or_default).map_err(convert)
    }

    fn reals(&self, column: usize) -> Result<Vec<f64>> {
        self.try_get::<_, Option<Vec<f64>>>(column).map(Option::unwrap_or_default).map_err(convert)
    }
}
