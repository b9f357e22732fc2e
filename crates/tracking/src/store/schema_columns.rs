//! Whether the tables that this program reads and writes are still those it knows, in a database that a newer
//! MLflow has made or upgraded.
//!
//! A version number says nothing of that: most migrations add tables that are not used here. So the columns are
//! looked at, as they are and as they are in ours.

use super::database::{Connection, Dialect, Row};
use crate::error::{Error, Result};

/// The tables of the store that statements of this crate name.
pub(super) const USED: [&str; 33] = [
    "assessments",
    "datasets",
    "entity_associations",
    "evaluation_dataset_records",
    "evaluation_dataset_tags",
    "evaluation_datasets",
    "experiment_tags",
    "experiments",
    "input_tags",
    "inputs",
    "latest_metrics",
    "logged_model_metrics",
    "logged_model_params",
    "logged_model_tags",
    "logged_models",
    "metrics",
    "model_version_tags",
    "model_versions",
    "params",
    "registered_model_aliases",
    "registered_model_tags",
    "registered_models",
    "review_queue_items",
    "runs",
    "scorer_versions",
    "scorers",
    "spans",
    "tags",
    "trace_info",
    "trace_request_metadata",
    "trace_tags",
    "webhook_events",
    "webhooks",
];

/// What a column holds, whatever a database calls its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Whole,
    Real,
    Truth,
    Other,
}

impl Kind {
    fn of(declared: &str) -> Self {
        let declared = declared.to_ascii_lowercase();
        let kind = declared.split('(').next().unwrap_or_default().trim();
        match kind {
            "varchar" | "character varying" | "text" | "character" | "char" => Self::Text,
            "integer" | "bigint" | "smallint" | "int" => Self::Whole,
            "float" | "double" | "double precision" | "real" => Self::Real,
            "boolean" => Self::Truth,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Whole => "a whole number",
            Self::Real => "a number",
            Self::Truth => "a boolean",
            Self::Other => "of another type",
        }
    }
}

struct Column {
    name: String,
    kind: Kind,
    /// Whether it refuses NULL.
    is_needed: bool,
    /// Whether it has a value if a row is added without it.
    has_default: bool,
    /// Place in the primary key, from 1; 0 for none.
    key: i64,
}

/// Columns of a table, in which NULL is never found.
const OF_SQLITE: &str = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL OR hidden > 1, pk \
     FROM pragma_table_xinfo(?1)";
const OF_POSTGRES: &str = "SELECT CAST(c.column_name AS text), CAST(c.data_type AS text), \
     c.is_nullable = 'NO', \
     c.column_default IS NOT NULL OR c.is_identity = 'YES' OR c.is_generated = 'ALWAYS', \
     coalesce((SELECT CAST(k.ordinal_position AS bigint) FROM information_schema.table_constraints t \
     JOIN information_schema.key_column_usage k ON k.constraint_schema = t.constraint_schema \
     AND k.constraint_name = t.constraint_name AND k.table_name = t.table_name \
     WHERE t.constraint_type = 'PRIMARY KEY' AND t.table_schema = c.table_schema \
     AND t.table_name = c.table_name AND k.column_name = c.column_name), 0) \
     FROM information_schema.columns c \
     WHERE c.table_schema = current_schema() AND c.table_name = ?1";

fn read(row: &dyn Row) -> Result<Column> {
    Ok(Column {
        name: row.need_text(0)?,
        kind: Kind::of(&row.need_text(1)?),
        is_needed: row.need_int(2)? != 0,
        has_default: row.need_int(3)? != 0,
        key: row.need_int(4)?,
    })
}

/// What differs between some tables of a database and ours (`schema` makes them in SQLite) so that statements
/// would fail; empty if nothing does.
pub(crate) fn differences(
    connection: &mut dyn Connection,
    schema: &str,
    tables: &[&str],
) -> Result<Vec<String>> {
    let failed = |error: rusqlite::Error| Error::database(error.to_string());
    let ours = rusqlite::Connection::open_in_memory().map_err(failed)?;
    ours.execute_batch(schema).map_err(failed)?;
    let statement = match connection.dialect() {
        Dialect::Sqlite => OF_SQLITE,
        Dialect::Postgres => OF_POSTGRES,
    };
    let mut differences = Vec::new();
    for &table in tables {
        let found = connection.rows(statement, &[table.into()], read)?;
        let mut columns = ours.prepare(OF_SQLITE).map_err(failed)?;
        let mut rows = columns.query([table]).map_err(failed)?;
        let mut known = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            known.push(read(row)?);
        }
        compare(table, &known, &found, &mut differences);
    }
    Ok(differences)
}

fn compare(table: &str, known: &[Column], found: &[Column], differences: &mut Vec<String>) {
    if found.is_empty() {
        differences.push(format!("there is no table {table}"));
        return;
    }
    for ours in known {
        let name = &ours.name;
        let Some(theirs) = found.iter().find(|column| column.name == *name) else {
            differences.push(format!("{table} has no column {name}"));
            continue;
        };
        if theirs.kind != ours.kind {
            let (is, was) = (theirs.kind.name(), ours.kind.name());
            differences.push(format!("{table}.{name} is {is}, not {was}"));
        }
        if theirs.is_needed && !ours.is_needed {
            differences.push(format!("{table}.{name} may not be left out any more"));
        }
    }
    for theirs in found.iter().filter(|column| column.is_needed && !column.has_default) {
        if !known.iter().any(|column| column.name == theirs.name) {
            differences.push(format!("{table}.{} is new and may not be left out", theirs.name));
        }
    }
    let (is, was) = (primary_key(found), primary_key(known));
    if is != was {
        let (is, was) = (is.join(", "), was.join(", "));
        differences.push(format!("the primary key of {table} is ({is}), not ({was})"));
    }
}

/// The columns of the primary key, in the order of names: conflicts do not look at theirs.
fn primary_key(columns: &[Column]) -> Vec<&str> {
    let of_key = columns.iter().filter(|column| column.key > 0);
    let mut names: Vec<&str> = of_key.map(|column| column.name.as_str()).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::super::sqlite_connection::{Access, SqliteConnection};
    use super::*;

    const SCHEMA: &str = include_str!("schema_3_17.sql");

    fn differing(changes: &str) -> Vec<String> {
        let folder = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
        std::fs::create_dir(&folder).unwrap();
        let mut connection =
            SqliteConnection::open(&folder.join("mlflow.db"), Access::Write).unwrap();
        connection.execute_script(SCHEMA).unwrap();
        connection.execute_script("PRAGMA foreign_keys = OFF").unwrap();
        connection.execute_script(changes).unwrap();
        let differences = differences(&mut connection, SCHEMA, &USED).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        differences
    }

    #[test]
    fn what_is_added_beside_our_statements_is_no_difference() {
        for change in [
            "",
            "CREATE TABLE skills (name TEXT NOT NULL)",
            "ALTER TABLE runs ADD COLUMN owner VARCHAR(10)",
            "ALTER TABLE runs ADD COLUMN rank INTEGER NOT NULL DEFAULT 3",
            "DROP TABLE jobs",
            "CREATE INDEX other ON runs (user_id)",
        ] {
            assert_eq!(differing(change), [""; 0], "{change}");
        }
    }

    #[test]
    fn what_would_break_a_statement_is_named() {
        for (change, expected) in [
            ("DROP TABLE tags", "there is no table tags"),
            (
                "ALTER TABLE runs RENAME COLUMN source_version TO version",
                "runs has no column source_version",
            ),
            (
                "DROP TABLE tags; CREATE TABLE tags (\"key\" VARCHAR(250) NOT NULL, value INTEGER, \
                 run_uuid VARCHAR(32) NOT NULL, PRIMARY KEY (\"key\", run_uuid))",
                "tags.value is a whole number, not a text",
            ),
            (
                "DROP TABLE tags; CREATE TABLE tags (\"key\" VARCHAR(250) NOT NULL, value TEXT NOT NULL, \
                 run_uuid VARCHAR(32) NOT NULL, PRIMARY KEY (\"key\", run_uuid))",
                "tags.value may not be left out any more",
            ),
            (
                "DROP TABLE tags; CREATE TABLE tags (\"key\" VARCHAR(250) NOT NULL, value TEXT, \
                 run_uuid VARCHAR(32) NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (\"key\", run_uuid))",
                "tags.owner is new and may not be left out",
            ),
            (
                "DROP TABLE tags; CREATE TABLE tags (\"key\" VARCHAR(250) NOT NULL, value TEXT, \
                 run_uuid VARCHAR(32) NOT NULL, PRIMARY KEY (run_uuid))",
                "the primary key of tags is (run_uuid), not (key, run_uuid)",
            ),
        ] {
            assert_eq!(differing(change), [expected], "{change}");
        }
    }
}
