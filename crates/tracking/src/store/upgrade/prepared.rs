//! Columns that are there before the migration that adds them: MLflow 3.17's tool for the analytics of traces adds
//! some to a database of 3.16, so that its migration is short. PostgreSQL is told by `IF NOT EXISTS`, which SQLite
//! does not know.

use std::borrow::Cow;

use crate::error::Result;
use crate::store::database::{Connection, Dialect};

/// A script without the statements that add columns that are there. Such a statement has a line of its own.
pub(super) fn without_added<'s>(
    connection: &mut dyn Connection,
    script: &'s str,
) -> Result<Cow<'s, str>> {
    if connection.dialect() == Dialect::Postgres {
        return Ok(Cow::Borrowed(script));
    }
    let mut kept = String::with_capacity(script.len());
    for line in script.split_inclusive('\n') {
        let is_there = match added(line) {
            Some((table, column)) => connection
                .first(
                    "SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2",
                    &[table.into(), column.into()],
                    |_row| Ok(()),
                )?
                .is_some(),
            None => false,
        };
        if !is_there {
            kept.push_str(line);
        }
    }
    Ok(Cow::Owned(kept))
}

/// Table and column of `ALTER TABLE table ADD COLUMN column …`.
fn added(line: &str) -> Option<(&str, &str)> {
    let (table, rest) = line.strip_prefix("ALTER TABLE ")?.split_once(' ')?;
    let (column, _type) = rest.strip_prefix("ADD COLUMN ")?.split_once(' ')?;
    Some((table, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_statements_that_add_columns_are_looked_at() {
        let statement = "ALTER TABLE spans ADD COLUMN total_cost FLOAT;\n";
        assert_eq!(added(statement), Some(("spans", "total_cost")));
        for other in ["ALTER TABLE spans DROP COLUMN x;", "UPDATE spans SET", "", "ALTER TABLE"] {
            assert_eq!(added(other), None, "{other}");
        }
    }
}
