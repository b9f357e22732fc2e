//! The migrations between upstream's versions, read from their files, and where a database stands among them.

use crate::error::{Error, Result};
use crate::store::database::{Connection, Dialect};
use crate::store::tables;

/// `alembic_version.version_num` of MLflow 3.17, which this program works with.
pub(crate) const HEAD: &str = "dc11669786a5";

const SQLITE: &str = include_str!("migrations_sqlite.sql");
const POSTGRES: &str = include_str!("migrations_postgres.sql");

/// Begins a migration in the files.
const MIGRATION: &str = "\n-- migration ";
/// Where the program itself has something to do.
const TRACE_JSON: &str = "-- step: trace_json\n";

/// Versions before MLflow 2.0, which had other tables than those that the migrations begin with.
const BEFORE_2_0: [&str; 18] = [
    "451aebb31d03",
    "90e64c465722",
    "181f10493468",
    "df50e92ffc5e",
    "7ac759974ad8",
    "89d4b8295536",
    "2b4d017a5e9b",
    "cfd24bdc0731",
    "0a8213491aaa",
    "728d730b5ebd",
    "27a6a02d2cf1",
    "84291f40a231",
    "a8c4a736bde6",
    "39d1c3be5f05",
    "c48cb773bb87",
    "bd07f7e963c5",
    "0c779009ac13",
    "cc1f77228345",
];

/// One step from a version of the tables to the next.
#[derive(Debug)]
pub(super) struct Migration {
    pub(super) revision: &'static str,
    pub(super) from: &'static str,
    pub(super) title: &'static str,
    /// Statements; between two of them stands what the program does.
    pub(super) scripts: Vec<&'static str>,
}

/// The statements of all migrations.
pub(super) fn text(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => SQLITE,
        Dialect::Postgres => POSTGRES,
    }
}

/// All migrations, the oldest first.
pub(super) fn all(dialect: Dialect) -> Vec<Migration> {
    text(dialect).split(MIGRATION).skip(1).filter_map(read).collect()
}

/// `REVISION from REVISION: title`, and statements on the lines below.
fn read(text: &'static str) -> Option<Migration> {
    let (line, statements) = text.split_once('\n')?;
    let (revisions, title) = line.split_once(": ")?;
    let (revision, from) = revisions.split_once(" from ")?;
    Some(Migration { revision, from, title, scripts: statements.split(TRACE_JSON).collect() })
}

/// What a database's version is to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// The same tables.
    Same,
    /// Migrations lead from it to ours.
    Older,
    /// From before MLflow 2.0.
    TooOld,
    /// Not known here: upstream went on.
    Newer,
}

impl Position {
    pub(crate) fn of(head: &str) -> Self {
        if head == HEAD {
            Self::Same
        } else if BEFORE_2_0.contains(&head) {
            Self::TooOld
        } else if all(Dialect::Sqlite).iter().any(|migration| migration.from == head) {
            Self::Older
        } else {
            Self::Newer
        }
    }
}

/// The version that a database says it has; `uri` is for messages.
pub(crate) fn read_head(connection: &mut dyn Connection, uri: &str) -> Result<String> {
    if !tables::names(connection)?.iter().any(|table| table == "alembic_version") {
        return Err(Error::NotMlflow { uri: uri.to_owned() });
    }
    let mut heads =
        connection.rows("SELECT version_num FROM alembic_version", &[], |row| row.need_text(0))?;
    match (heads.pop(), heads.is_empty()) {
        (Some(head), true) => Ok(head),
        (last, _) => {
            heads.extend(last);
            Err(Error::SchemaUnclear { found: heads.join(", "), uri: uri.to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_lead_from_2_0_to_ours_in_both_databases() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let all = all(dialect);
            assert_eq!(
                all.len(),
                text(dialect).matches("-- migration ").count() - 1,
                "{dialect:?}"
            );
            // The head of MLflow 2.0.
            let mut head = "97727af70f4d";
            for migration in &all {
                assert_eq!(migration.from, head, "{}", migration.title);
                head = migration.revision;
            }
            assert_eq!(head, HEAD);
            let steps: usize = all.iter().map(|migration| migration.scripts.len() - 1).sum();
            assert_eq!(steps, 1, "what the program does between statements");
        }
    }

    #[test]
    fn versions_are_older_newer_or_from_before_2_0() {
        assert_eq!(Position::of(HEAD), Position::Same);
        assert_eq!(Position::of("97727af70f4d"), Position::Older);
        assert_eq!(Position::of("75868b020152"), Position::Older);
        assert_eq!(Position::of("cc1f77228345"), Position::TooOld);
        assert_eq!(Position::of("f4a9b2c7d1e6"), Position::Newer);
    }
}
