//! What an owner added to upstream's tables in SQLite, where a migration makes a table anew: indexes and triggers are
//! put back, and a column, which would be lost with its values, stops the upgrade.

use super::migrations::{self, Migration};
use crate::error::{Error, Result};
use crate::store::database::{Connection, Dialect};

/// Columns that migrations leave behind on purpose: table and name.
const LEFT_BEHIND: [(&str, &str); 1] = [("spans", "dimension_attributes")];

/// The indexes and triggers that upstream knows nothing of, with their statements.
#[derive(Debug, Default)]
pub(super) struct Strangers(Vec<(String, String)>);

impl Strangers {
    /// Looks at the tables that a migration makes anew. PostgreSQL changes tables in their place.
    pub(super) fn find(connection: &mut dyn Connection, migration: &Migration) -> Result<Self> {
        let rebuilt = rebuilt(migration);
        if connection.dialect() == Dialect::Postgres || rebuilt.is_empty() {
            return Ok(Self::default());
        }
        for table in rebuilt {
            let columns = connection.rows(
                "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0",
                &[table.into()],
                |row| row.need_text(0),
            )?;
            for column in columns {
                let is_taken = migration.scripts.iter().any(|script| {
                    takes(script, &format!("{table}.{column}"))
                        || script.contains(&format!("{table}.\"{column}\""))
                });
                if !is_taken && !LEFT_BEHIND.contains(&(table, column.as_str())) {
                    return Err(Error::database(format!(
                        "the column {column:?} of the table {table} is not MLflow's, and would be lost; keep it \
                         elsewhere first"
                    )));
                }
            }
        }
        let found = connection.rows(
            "SELECT name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL",
            &[],
            |row| Ok((row.need_text(0)?, row.need_text(1)?)),
        )?;
        let known = migrations::text(Dialect::Sqlite);
        Ok(Self(found.into_iter().filter(|(name, _)| !takes(known, name)).collect()))
    }

    /// Makes the indexes and triggers again that went with their tables.
    pub(super) fn put_back(self, connection: &mut dyn Connection) -> Result<()> {
        for (name, statement) in self.0 {
            let there = connection.first(
                "SELECT 1 FROM sqlite_master WHERE type IN ('index', 'trigger') AND name = ?1",
                &[name.into()],
                |_row| Ok(()),
            )?;
            if there.is_none() {
                connection.execute_script(&statement)?;
            }
        }
        Ok(())
    }
}

/// The tables that a migration makes anew, in Alembic's way.
fn rebuilt(migration: &Migration) -> Vec<&'static str> {
    let scripts = migration.scripts.iter();
    let parts = scripts.flat_map(|script| script.split("CREATE TABLE _alembic_tmp_").skip(1));
    parts.filter_map(|part| part.split_whitespace().next()).collect()
}

/// Whether a text has a name, not as a part of a longer one.
fn takes(text: &str, name: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_whole() {
        assert!(takes("SELECT runs.name, x", "runs.name"));
        for text in ["SELECT runs.name_of", "old_runs.name", "runs.", ""] {
            assert!(!takes(text, "runs.name"), "{text}");
        }
    }

    #[test]
    fn tables_that_are_made_anew_are_known() {
        let all = migrations::all(Dialect::Sqlite);
        let params = all.iter().find(|migration| migration.revision == "2d6e25af4d3e").unwrap();
        assert_eq!(rebuilt(params), ["params"]);
    }
}
