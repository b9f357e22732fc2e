//! A connection to an engine, on which statements are run one after the other.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use adbc_core::options::{AdbcVersion, OptionConnection, OptionValue};
use adbc_core::{
    CancelHandle, Connection as _, Database as _, Driver as _, Optionable as _, Statement as _,
};
use adbc_driver_manager::{ManagedConnection, ManagedDriver};
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use crate::dialect::Engine;
use crate::error::{Error, Result};
use crate::library;
use crate::limits::{ANSWER_BYTES_MAX, ANSWERS_BYTES_MAX, Limits};
use crate::source::Source;

/// Characters of what a driver says that are shown.
const REASON_CHARACTERS_MAX: usize = 400;

/// What stops the statement that runs, for whoever watches the time.
pub(crate) type Running = Arc<Mutex<Option<Box<dyn CancelHandle>>>>;

/// An open connection, which sees the rows as they were when it was opened, where the engine can do that.
pub(crate) struct Session<'a> {
    source: &'a Source,
    connection: ManagedConnection,
    running: Running,
    /// When nothing more is begun.
    until: Instant,
    time: Duration,
    /// Statements that were run.
    pub(crate) statements: usize,
    /// Bytes that they answered.
    bytes: usize,
}

impl<'a> Session<'a> {
    /// Loads the driver and opens the engine, of which nothing can be changed then.
    pub(crate) fn open(
        source: &'a Source,
        limits: &Limits,
        running: &Running,
        until: Instant,
    ) -> Result<Self> {
        let engine = source.engine();
        let path = library::find(engine, limits.driver.as_deref())?;
        let load = |version| {
            ManagedDriver::load_dynamic_from_filename(&path, Some(engine.entry_point()), version)
        };
        let mut driver = load(AdbcVersion::V110)
            .or_else(|_older| load(AdbcVersion::V100))
            .map_err(|error| Error::Driver { path: path.clone(), reason: error.message })?;
        let no_entry = |reason: String| Error::Connect { place: source.place().to_owned(), reason };
        // Its driver says that there is no memory.
        if engine == Engine::Sqlite
            && let Err(error) = std::fs::metadata(source.address())
        {
            return Err(no_entry(error.to_string()));
        }
        let failed = |error: adbc_core::error::Error| {
            no_entry(first_line(&source.without_secrets(&error.message)))
        };
        let database =
            driver.new_database_with_opts(engine.options(source.address())).map_err(failed)?;
        let mut connection = database.new_connection().map_err(failed)?;
        if engine.leaves_autocommit() {
            let no = OptionValue::String("false".to_owned());
            connection.set_option(OptionConnection::AutoCommit, no).map_err(failed)?;
        }
        let (running, time) = (Arc::clone(running), limits.time);
        let mut session =
            Self { source, connection, running, until, time, statements: 0, bytes: 0 };
        let left = until.saturating_duration_since(Instant::now());
        for statement in engine.begin(left.as_millis()) {
            session.rows("its rows as they are now", &statement, 0)?;
        }
        session.check_sql()?;
        session.statements = 0;
        Ok(session)
    }

    /// What stands behind Flight SQL may speak any SQL: one in which double quotes are around texts, a backslash means
    /// something, or NaN is not found by being NaN would answer something else than is asked.
    fn check_sql(&mut self) -> Result<()> {
        if self.source.engine() != Engine::FlightSql {
            return Ok(());
        }
        let what = "whether its SQL is the standard's";
        let sql = r#"select count(*) as n from (select 'x' as "A") as q where "A" = 'x' and length('\\') = 2 and cast('NaN' as double) = cast('NaN' as double)"#;
        if self.numbers(what, sql, 1)? == [1] {
            return Ok(());
        }
        let reason = "it reads double quotes or backslashes otherwise than standard SQL, or NaN is not equal to itself";
        Err(self.answer(what, reason.to_owned()))
    }

    /// Names and types of what a statement answers.
    pub(crate) fn schema(&mut self, what: &str, sql: &str) -> Result<SchemaRef> {
        if !self.source.engine().describes_statements() {
            return Ok(self.run(what, sql, 1)?.0);
        }
        self.begin_statement()?;
        let mut statement = self
            .connection
            .new_statement()
            .map_err(|error| self.failed(what, sql, &error.message))?;
        self.now_runs(Some(statement.get_cancel_handle()));
        // Not all servers say it of a statement that they have not prepared.
        let schema = statement
            .set_sql_query(sql)
            .and_then(|()| statement.prepare())
            .and_then(|()| statement.execute_schema());
        self.now_runs(None);
        schema.map(Arc::new).map_err(|error| self.failed(what, sql, &error.message))
    }

    /// What a statement answers; `rows_max` of it are known to be enough.
    pub(crate) fn rows(
        &mut self,
        what: &str,
        sql: &str,
        rows_max: u64,
    ) -> Result<Vec<RecordBatch>> {
        Ok(self.run(what, sql, rows_max)?.1)
    }

    /// The whole numbers of a statement that answers one row of them; an empty cell is none.
    pub(crate) fn numbers(&mut self, what: &str, sql: &str, count: usize) -> Result<Vec<u64>> {
        let batches = self.rows(what, sql, 1)?;
        let numbers: Vec<u64> = batches
            .iter()
            .filter(|batch| batch.num_rows() > 0)
            .flat_map(RecordBatch::columns)
            .map(|column| {
                let column = self.whole(what, column.as_ref())?;
                Ok(if column.is_null(0) { 0 } else { column.value(0).max(0) as u64 })
            })
            .collect::<Result<_>>()?;
        if numbers.len() == count {
            return Ok(numbers);
        }
        Err(self.answer(what, format!("{} numbers, not {count}", numbers.len())))
    }

    /// The text of a statement that answers one cell.
    pub(crate) fn text(&mut self, what: &str, sql: &str) -> Result<String> {
        let batches = self.rows(what, sql, 1)?;
        let cell = batches.iter().find(|batch| batch.num_rows() > 0 && batch.num_columns() > 0);
        let text = cell.and_then(|batch| {
            let text = arrow_cast::cast(batch.column(0), &DataType::Utf8).ok()?;
            let text = text.as_string_opt::<i32>()?;
            (!text.is_null(0)).then(|| text.value(0).to_owned())
        });
        text.ok_or_else(|| self.answer(what, "no text".to_owned()))
    }

    /// Counts, whatever type of whole numbers the engine has for them.
    pub(crate) fn whole(&self, what: &str, column: &dyn Array) -> Result<Int64Array> {
        let cast = arrow_cast::cast(column, &DataType::Int64);
        let wrong = || self.answer(what, format!("{}, not a number", column.data_type()));
        Ok(cast.map_err(|_| wrong())?.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.clone())
    }

    pub(crate) fn answer(&self, what: &str, reason: String) -> Error {
        Error::Answer { place: self.source.place().to_owned(), what: what.to_owned(), reason }
    }

    fn run(
        &mut self,
        what: &str,
        sql: &str,
        rows_max: u64,
    ) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        self.begin_statement()?;
        let source = self.source;
        let failed = |reason: String| failed(source, what, sql, &reason);
        let mut statement =
            self.connection.new_statement().map_err(|error| failed(error.message))?;
        statement.set_sql_query(sql).map_err(|error| failed(error.message))?;
        self.now_runs(Some(statement.get_cancel_handle()));
        let reader = statement.execute().map_err(|error| failed(error.message))?;
        let schema = reader.schema();
        let (mut batches, mut rows, mut bytes) = (Vec::new(), 0, 0);
        for batch in reader {
            let batch = batch.map_err(|error| failed(error.to_string()))?;
            rows += batch.num_rows() as u64;
            // What a driver hands over is not looked at elsewhere, and SQLite keeps any bytes as text.
            for column in batch.columns() {
                column.to_data().validate_full().map_err(|error| failed(error.to_string()))?;
            }
            bytes += batch.get_array_memory_size();
            // An answer to what changes nothing may come as rows without columns.
            if rows > rows_max && batch.num_columns() > 0 {
                return Err(Error::Changed {
                    place: source.shown(),
                    what: format!("{what}: more than {rows_max} rows"),
                });
            }
            if bytes > ANSWER_BYTES_MAX {
                return Err(self.answer(what, format!("more than {ANSWER_BYTES_MAX} bytes")));
            }
            self.bytes += batch.get_array_memory_size();
            if self.bytes > ANSWERS_BYTES_MAX {
                return Err(Error::TooLarge {
                    place: source.shown(),
                    found: self.bytes as u64,
                    what: "bytes of labels and quantiles",
                    most: ANSWERS_BYTES_MAX as u64,
                });
            }
            batches.push(batch);
        }
        self.now_runs(None);
        Ok((schema, batches))
    }

    fn begin_statement(&mut self) -> Result<()> {
        self.statements += 1;
        if Instant::now() < self.until {
            return Ok(());
        }
        Err(Error::TimedOut { place: self.source.place().to_owned(), limit: self.time })
    }

    fn failed(&self, what: &str, sql: &str, reason: &str) -> Error {
        failed(self.source, what, sql, reason)
    }

    fn now_runs(&self, handle: Option<Box<dyn CancelHandle>>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = handle;
    }
}

fn failed(source: &Source, what: &str, sql: &str, reason: &str) -> Error {
    Error::Statement {
        place: source.place().to_owned(),
        what: what.to_owned(),
        // Some repeat the whole statement, in which a query may say what nobody is to read.
        reason: first_line(&source.without_secrets(&reason.replace(sql, "…"))),
    }
}

/// What a driver says in the first place; what follows quotes the statement. It may quote a value, of any length.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    match line.char_indices().nth(REASON_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_driver_says_is_short() {
        assert_eq!(first_line(" no table t\nLINE 1: select"), "no table t");
        assert_eq!(first_line(&"ü".repeat(5000)).chars().count(), REASON_CHARACTERS_MAX + 1);
    }
}
