//! Runs migrations, each in a transaction that also writes the new version: whenever it is broken off, the
//! database is as it was after the last one, and the next run goes on from there.

use std::path::Path;

use super::migrations::{self, HEAD, Migration, Position, read_head};
use super::prepared::without_added;
use super::strangers::Strangers;
use super::trace_json;
use crate::error::{Error, Result};
use crate::store::call::ReadLimits;
use crate::store::database::{Connection, Dialect};
use crate::store::postgres::Postgres;
use crate::store::sqlite_connection::{Access, SqliteConnection};

/// A migration that is about to run.
#[derive(Debug)]
pub(crate) struct Step {
    /// From 1.
    pub(crate) number: usize,
    /// How many there are.
    pub(crate) of: usize,
    /// What it does, as upstream calls it.
    pub(crate) title: &'static str,
}

/// Opens an SQLite file that is there, and hands it to `work`.
pub(crate) fn on_sqlite<T>(
    path: &Path,
    work: impl FnOnce(&mut dyn Connection) -> Result<T>,
) -> Result<T> {
    let mut connection = SqliteConnection::open(path, Access::Write)?;
    // Tables are rebuilt: the rows that refer to one must outlive it. This has no effect within a transaction.
    connection.execute_script("PRAGMA foreign_keys = OFF")?;
    work(&mut connection)
}

/// Connects to a PostgreSQL database, and hands it to `work`.
pub(crate) fn on_postgres<T: Send>(
    url: &str,
    work: impl FnOnce(&mut dyn Connection) -> Result<T> + Send,
) -> Result<T> {
    let mut result = None;
    Postgres::open(url, ReadLimits::default(), |connection| {
        result = Some(work(connection)?);
        Ok(())
    })?;
    result.ok_or_else(|| Error::database("the connection broke off"))
}

/// The version of a database that migrations lead on from; none if it is up to date. `uri` is for messages.
pub(crate) fn outdated(connection: &mut dyn Connection, uri: &str) -> Result<Option<String>> {
    let head = read_head(connection, uri)?;
    let is_outdated = !pending(&migrations::all(connection.dialect()), &head, uri)?.is_empty();
    Ok(is_outdated.then_some(head))
}

/// Runs all migrations that a database lacks and returns how many there were. `begin` is called before each.
pub(crate) fn run(
    connection: &mut dyn Connection,
    uri: &str,
    begin: &mut dyn FnMut(&Step),
) -> Result<usize> {
    let all = migrations::all(connection.dialect());
    let head = read_head(connection, uri)?;
    let of = pending(&all, &head, uri)?.len();
    for number in 1..=of {
        let head = read_head(connection, uri)?;
        // Another process may have been faster.
        let Some(migration) = pending(&all, &head, uri)?.first() else { return Ok(number - 1) };
        begin(&Step { number, of, title: migration.title });
        in_transaction(connection, &all, uri)?;
    }
    Ok(of)
}

/// The migrations between a version and ours.
fn pending<'m>(all: &'m [Migration], head: &str, uri: &str) -> Result<&'m [Migration]> {
    let (found, uri) = (head.to_owned(), uri.to_owned());
    match Position::of(head) {
        Position::Same => Ok(&[]),
        Position::TooOld => Err(Error::SchemaTooOld { found, uri }),
        Position::Newer => Err(Error::SchemaNewer { found, uri, differences: vec![] }),
        Position::Older => {
            let first = all.iter().position(|migration| migration.from == head);
            Ok(first.and_then(|first| all.get(first..)).unwrap_or_default())
        }
    }
}

fn in_transaction(connection: &mut dyn Connection, all: &[Migration], uri: &str) -> Result<()> {
    connection.execute_script(match connection.dialect() {
        Dialect::Sqlite => "BEGIN IMMEDIATE",
        // The lock of whoever makes or upgrades tables. A large table takes its time, whatever limit its owner has.
        Dialect::Postgres => {
            "BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(3170317)"
        }
    })?;
    let result = read_head(connection, uri).and_then(|head| {
        let Some(migration) = pending(all, &head, uri)?.first() else { return Ok(()) };
        migrate(connection, migration).map_err(|error| named(error, migration))
    });
    match result {
        Ok(()) => connection.execute_script("COMMIT"),
        Err(error) => {
            // If this fails, too, the connection is closed and with it the transaction.
            if let Err(error) = connection.execute_script("ROLLBACK") {
                tracing::warn!(%error, "cannot roll back a migration");
            }
            Err(error)
        }
    }
}

fn migrate(connection: &mut dyn Connection, migration: &Migration) -> Result<()> {
    let strangers = Strangers::find(connection, migration)?;
    if let [script] = migration.scripts.as_slice() {
        connection.execute_script(script)?;
    } else {
        for (number, script) in migration.scripts.iter().enumerate() {
            if number > 0 {
                trace_json::fill(connection)?;
            }
            let script = without_added(connection, script)?;
            connection.execute_script(&script)?;
        }
    }
    strangers.put_back(connection)?;
    let moved = connection.execute(
        "UPDATE alembic_version SET version_num = ?1 WHERE version_num = ?2",
        &[migration.revision.into(), migration.from.into()],
    )?;
    if moved == 1 {
        tracing::info!(revision = migration.revision, ours = HEAD, "a migration is done");
        Ok(())
    } else {
        Err(Error::database("the version of the tables changed meanwhile"))
    }
}

/// What the database says of a statement, with the migration it belongs to.
fn named(error: Error, migration: &Migration) -> Error {
    match error {
        Error::Database { reason } | Error::Constraint { message: reason, .. } => {
            Error::Migration { revision: migration.revision, title: migration.title, reason }
        }
        error => error,
    }
}
