//! A connection to an SQLite file: how it is set up, and its rows and errors as ours.

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::vtab::array::Array;
use rusqlite::{OpenFlags, ffi};

use super::call::{Call, Meter};
use super::database::{Connection, Dialect, LIKE, List, RLIKE, Row, Value};
use super::like::{Over, Pattern};
use super::rlike;
use crate::error::{Constraint, Error, Result};

/// Prepared statements kept per connection, a few KiB each. One kind of work uses a dozen.
const STATEMENTS_KEPT: usize = 64;
/// How long to wait for another process that writes; upstream's default is the same order.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pages of the write-ahead log before it is copied into the database (4 KiB each).
const CHECKPOINT_PAGES: i64 = 4000;
/// Page cache of the writer, in KiB: a batch touches the ends of many indexes.
const WRITER_CACHE_KIB: i64 = 4096;
/// Page cache of each reader, in KiB; behind it is the system's. There is no memory map: it would
/// save a copy per page, but each connection would count the whole file as its memory.
const READER_CACHE_KIB: i64 = 3072;
/// Steps of SQLite's machine between two looks at whether a read must stop: some ten microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// One connection with its statement cache.
#[derive(Debug)]
pub(crate) struct SqliteConnection {
    pub(super) inner: rusqlite::Connection,
    /// What it reads for now; looked at while a statement runs.
    call: CurrentCall,
}

/// The read that a connection works for, if it is one.
type CurrentCall = Arc<Mutex<Option<Arc<Call>>>>;

fn current(call: &CurrentCall) -> MutexGuard<'_, Option<Arc<Call>>> {
    // The guarded value is replaced as a whole, so a panic elsewhere is no harm.
    call.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SqliteConnection {
    pub(super) fn open(path: &Path, access: Access) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
            | match access {
                Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
                Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            };
        let mut inner = rusqlite::Connection::open_with_flags(path, flags)
            .map_err(|error| Error::database(format!("{error} ({})", path.display())))?;
        // SQLite opens a file that it may not write for reading, without a word.
        if access == Access::Write && inner.is_readonly("main").map_err(convert)? {
            return Err(Error::ReadOnly);
        }
        inner.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        // The bundled library plans with statistics of bound values (STAT4) and therefore parses a
        // kept statement again whenever a value is bound to it. Plans that do not look at values
        // are kept.
        inner
            .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(convert)?;
        inner.busy_timeout(BUSY_TIMEOUT).map_err(convert)?;
        inner.pragma_update(None, "case_sensitive_like", true).map_err(convert)?;
        let cache_kib = match access {
            Access::Read => READER_CACHE_KIB,
            Access::Write => WRITER_CACHE_KIB,
        };
        inner.pragma_update(None, "cache_size", -cache_kib).map_err(convert)?;
        inner.pragma_update(None, "temp_store", "MEMORY").map_err(convert)?;
        if access == Access::Write {
            inner.pragma_update(None, "journal_mode", "WAL").map_err(convert)?;
            inner.pragma_update(None, "synchronous", "FULL").map_err(convert)?;
            inner.pragma_update(None, "foreign_keys", true).map_err(convert)?;
            inner.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(convert)?;
        }
        inner
            .create_scalar_function(
                "trainyard_number",
                1,
                FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
                |context| {
                    let text = context.get_raw(0).as_str_or_null().ok().flatten();
                    Ok(text.and_then(number))
                },
            )
            .map_err(convert)?;
        rusqlite::vtab::array::load_module(&inner).map_err(convert)?;
        let call = CurrentCall::default();
        add_like(&inner, Arc::clone(&call))?;
        add_rlike(&inner)?;
        let watched = Arc::clone(&call);
        let is_over = move || current(&watched).as_ref().is_some_and(|call| call.is_over());
        inner.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_over)).map_err(convert)?;
        Ok(Self { inner, call })
    }

    /// Leaves the log to the caller: commits are written to it and not synced, and it is not folded into the file.
    pub(super) fn leave_log_to_others(&self) -> Result<()> {
        self.inner.pragma_update(None, "synchronous", "NORMAL").map_err(convert)?;
        self.inner.pragma_update(None, "wal_autocheckpoint", 0).map_err(convert)?;
        // What a log that grew takes on the disk is given back once it begins anew.
        self.inner
            .pragma_update(None, "journal_size_limit", CHECKPOINT_PAGES * 4096)
            .map_err(convert)
    }

    /// Works while others are waited for no longer than that.
    pub(super) fn with_patience<T>(
        &mut self,
        patience: Duration,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.inner.busy_timeout(patience).map_err(convert)?;
        let result = work(self);
        self.inner.busy_timeout(BUSY_TIMEOUT).map_err(convert)?;
        result
    }

    /// Leaves the log as it is when this connection is closed, which may be the last one.
    pub(super) fn leave_log_behind(&self) -> Result<()> {
        self.inner
            .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(convert)?;
        Ok(())
    }

    /// Works for a read from now on, or for none.
    pub(super) fn work_for(&self, call: Option<Arc<Call>>) {
        *current(&self.call) = call;
    }

    fn call(&self) -> Option<Arc<Call>> {
        current(&self.call).clone()
    }

    /// What an error of a statement means: one that was stopped was stopped for a reason.
    fn failed(&self, error: rusqlite::Error) -> Error {
        let interrupted = error.sqlite_error_code() == Some(ffi::ErrorCode::OperationInterrupted);
        match self.call() {
            Some(call) if interrupted => call.stopped(),
            _ => convert(error),
        }
    }
}

/// [`LIKE`], our own `LIKE`.
fn add_like(connection: &rusqlite::Connection, call: CurrentCall) -> Result<()> {
    let like = move |context: &Context<'_>| {
        let Some(text) = text_of(context.get_raw(0)) else { return Ok(None) };
        let pattern = context.get_or_create_aux(1, |pattern| {
            Ok::<_, std::convert::Infallible>(text_of(pattern).map(|text| Pattern::new(&text)))
        })?;
        let Some(pattern) = pattern.as_ref() else { return Ok(None) };
        let is_over = || current(&call).as_ref().is_some_and(|call| call.is_over());
        let matched = pattern.matches(&text, &is_over).map_err(|Over| {
            rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_INTERRUPT), None)
        })?;
        Ok(Some(matched))
    };
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(LIKE, 2, flags, like).map_err(convert)
}

/// [`RLIKE`]: an expression that cannot be is found nowhere; it was refused before it came here.
fn add_rlike(connection: &rusqlite::Connection) -> Result<()> {
    let rlike = |context: &Context<'_>| {
        let Some(text) = text_of(context.get_raw(0)) else { return Ok(None) };
        let expression = context.get_or_create_aux(1, |pattern| {
            let expression = text_of(pattern).and_then(|pattern| rlike::expression(&pattern).ok());
            Ok::<_, std::convert::Infallible>(expression)
        })?;
        let Some(expression) = expression.as_ref() else { return Ok(None) };
        Ok(Some(expression.is_match(&text)))
    };
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(RLIKE, 2, flags, rlike).map_err(convert)
}

/// A value as `LIKE` sees it; none for NULL.
fn text_of(value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(value) => Some(value.to_string().into()),
        ValueRef::Real(value) => Some(value.to_string().into()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes)),
    }
}

/// The finite number that a param's text is, if it is one.
fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|value| value.is_finite())
}

impl Connection for SqliteConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        let call = self.call();
        let mut meter = Meter::default();
        let mut statement = self.inner.prepare_cached(sql).map_err(convert)?;
        bind(&mut statement, parameters)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.failed(error))? {
            match &call {
                Some(call) => call.count(&mut meter, row, each)?,
                None => each(row)?,
            }
        }
        Ok(())
    }

    fn execute(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<usize> {
        let mut statement = self.inner.prepare_cached(sql).map_err(convert)?;
        bind(&mut statement, parameters)?;
        statement.raw_execute().map_err(convert)
    }

    fn execute_script(&mut self, sql: &str) -> Result<()> {
        self.inner.execute_batch(sql).map_err(convert)
    }
}

fn bind(statement: &mut rusqlite::Statement<'_>, parameters: &[Value<'_>]) -> Result<()> {
    for (index, value) in parameters.iter().enumerate() {
        let index = index + 1;
        match value {
            Value::Null => statement.raw_bind_parameter(index, rusqlite::types::Null),
            Value::Bool(value) => statement.raw_bind_parameter(index, value),
            Value::Int(value) => statement.raw_bind_parameter(index, value),
            Value::Real(value) => statement.raw_bind_parameter(index, value),
            Value::Text(value) => statement.raw_bind_parameter(index, value.as_ref()),
            Value::List(list) => statement.raw_bind_parameter(index, array(list)),
        }
        .map_err(convert)?;
    }
    Ok(())
}

fn array(list: &List) -> Array {
    Rc::new(match list {
        List::Ints(values) => values.iter().copied().map(Into::into).collect(),
        List::Reals(values) => values.iter().copied().map(Into::into).collect(),
        List::Texts(values) => values.iter().cloned().map(Into::into).collect(),
    })
}

impl Row for rusqlite::Row<'_> {
    fn int(&self, column: usize) -> Result<Option<i64>> {
        match self.get_ref(column).map_err(convert)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(value)),
            // A column without affinity may hold what Python computed as a float.
            ValueRef::Real(value) if value.fract() == 0.0 => Ok(Some(value as i64)),
            other => Err(unexpected(column, "a whole number", other)),
        }
    }

    fn real(&self, column: usize) -> Result<Option<f64>> {
        match self.get_ref(column).map_err(convert)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(value as f64)),
            ValueRef::Real(value) => Ok(Some(value)),
            other => Err(unexpected(column, "a number", other)),
        }
    }

    fn text(&self, column: usize) -> Result<Option<&str>> {
        match self.get_ref(column).map_err(convert)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                .map(Some)
                .map_err(|error| Error::database(format!("column {column} is no UTF-8: {error}"))),
            other => Err(unexpected(column, "a text", other)),
        }
    }
}

fn unexpected(column: usize, expected: &str, found: ValueRef<'_>) -> Error {
    Error::database(format!("column {column} holds {:?}, not {expected}", found.data_type()))
}

/// SQLite's error as ours.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
pub(super) fn convert(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, message) = &error else {
        return Error::database(error.to_string());
    };
    let words = message.clone().unwrap_or_else(|| error.to_string());
    match code.code {
        ffi::ErrorCode::ConstraintViolation => Error::Constraint {
            constraint: match code.extended_code {
                ffi::SQLITE_CONSTRAINT_UNIQUE
                | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | ffi::SQLITE_CONSTRAINT_ROWID => Constraint::Unique,
                ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Constraint::ForeignKey,
                _ => Constraint::Other,
            },
            message: words,
        },
        ffi::ErrorCode::DatabaseBusy | ffi::ErrorCode::DatabaseLocked => Error::Busy,
        ffi::ErrorCode::DiskFull => Error::Full,
        ffi::ErrorCode::ReadOnly => Error::ReadOnly,
        ffi::ErrorCode::SystemIoFailure if code.extended_code == ffi::SQLITE_IOERR_FSYNC => {
            Error::NotKept { reason: words }
        }
        _ => Error::database(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_that_failed_is_told_from_other_errors_of_a_disk() {
        let told = |code| convert(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(matches!(told(ffi::SQLITE_IOERR_FSYNC), Error::NotKept { .. }));
        assert!(matches!(told(ffi::SQLITE_IOERR_WRITE), Error::Database { .. }));
    }
}
