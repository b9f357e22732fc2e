//! What the store needs of a database: rows for a statement, and writes that are all or nothing.
//!
//! The store's logic is written once against [`Connection`], with `?1`, `?2`, … as placeholders
//! and SQL that SQLite and PostgreSQL both understand; what differs is in [`Dialect`].

use std::borrow::Cow;

use crate::error::{Error, Result};

/// A value that is bound to a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Real(f64),
    Text(Cow<'a, str>),
    /// Many at once: see [`Dialect::list`].
    List(List),
}

/// Values of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum List {
    Ints(Vec<i64>),
    Reals(Vec<f64>),
    Texts(Vec<String>),
}

/// Upstream's index of histories, by run, key and step.
pub(crate) const HISTORIES: &str = "index_metrics_run_uuid_key_step";
/// Our own `LIKE` of SQLite: of a text and a pattern.
pub(crate) const LIKE: &str = "trainyard_like";
/// The same with a regular expression.
pub(crate) const RLIKE: &str = "trainyard_rlike";

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What SQLite and PostgreSQL say differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// `column LIKE pattern`. SQLite's own may take hours for one value.
    pub(crate) fn like(self, column: &str, pattern: &str) -> String {
        match self {
            Self::Sqlite => format!("{LIKE}({column}, {pattern})"),
            Self::Postgres => format!("{column} LIKE {pattern}"),
        }
    }

    /// `column LIKE pattern` without regard to case.
    pub(crate) fn ilike(self, column: &str, pattern: &str) -> String {
        match self {
            Self::Sqlite => format!("{LIKE}(lower({column}), lower({pattern}))"),
            Self::Postgres => format!("{column} ILIKE {pattern}"),
        }
    }

    /// Whether a regular expression is found in `column`.
    pub(crate) fn rlike(self, column: &str, pattern: &str) -> String {
        match self {
            Self::Sqlite => format!("{RLIKE}({column}, {pattern})"),
            Self::Postgres => format!("{column} ~ {pattern}"),
        }
    }

    /// The values of a [`Value::List`], to stand behind IN.
    pub(crate) fn list(self, placeholder: &str) -> String {
        match self {
            Self::Sqlite => format!("rarray({placeholder})"),
            Self::Postgres => format!("(SELECT unnest({placeholder}))"),
        }
    }

    /// The rows of a [`Value::List`] as a table with a name; its column is `value`.
    pub(crate) fn list_rows(self, placeholder: &str, name: &str) -> String {
        match self {
            Self::Sqlite => format!("rarray({placeholder}) {name}"),
            Self::Postgres => format!("unnest({placeholder}) AS {name}(value)"),
        }
    }

    /// A table of which rows are found by an index. SQLite, which does not know how many rows share a value, would take
    /// another one that has all columns and look at the whole of it.
    pub(crate) fn indexed_by(self, table: &str, index: &str) -> String {
        match self {
            Self::Sqlite => format!("{table} INDEXED BY {index}"),
            Self::Postgres => table.to_owned(),
        }
    }

    /// The number that a text column holds, NULL if it holds none.
    pub(crate) fn number(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("trainyard_number({column})"),
            Self::Postgres => format!(
                "CASE WHEN {column} ~ '^\\s*[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]{{1,2}})?\\s*$' \
                 THEN CAST({column} AS double precision) END"
            ),
        }
    }

    /// A column that is compared beside an expression over it that is in an index: SQLite would put
    /// the compared value into the expression and then not find the index.
    pub(crate) fn opaque(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("+{column}"),
            Self::Postgres => column.to_owned(),
        }
    }

    /// A boolean as a column of the table holds it.
    pub(crate) fn truth(self, value: bool) -> &'static str {
        match self {
            Self::Sqlite => {
                if value {
                    "1"
                } else {
                    "0"
                }
            }
            Self::Postgres => {
                if value {
                    "true"
                } else {
                    "false"
                }
            }
        }
    }

    /// A query of about how many rows a table has, which looks at none of them.
    pub(crate) fn table_size(self, table: &str) -> String {
        match self {
            Self::Sqlite => format!("SELECT max(rowid) FROM {table}"),
            Self::Postgres => format!(
                "SELECT CAST(reltuples AS bigint) FROM pg_class WHERE oid = '{table}'::regclass"
            ),
        }
    }

    /// Expression that orders rows of a table by insertion, as upstream happens to return them.
    pub(crate) fn insertion_order(self, table: &str) -> String {
        match self {
            Self::Sqlite => format!("{table}.rowid"),
            Self::Postgres => format!("{table}.ctid"),
        }
    }
}

/// One row of an answer; columns count from 0.
pub(crate) trait Row {
    fn int(&self, column: usize) -> Result<Option<i64>>;
    fn real(&self, column: usize) -> Result<Option<f64>>;
    fn text(&self, column: usize) -> Result<Option<&str>>;

    /// A list of whole numbers, empty if null. Only PostgreSQL has some.
    fn ints(&self, column: usize) -> Result<Vec<i64>> {
        Err(Error::database(format!("column {column} is no list")))
    }

    /// A list of numbers, likewise.
    fn reals(&self, column: usize) -> Result<Vec<f64>> {
        Err(Error::database(format!("column {column} is no list")))
    }
}

impl dyn Row + '_ {
    /// A whole number that is never null.
    pub(crate) fn need_int(&self, column: usize) -> Result<i64> {
        self.int(column)?.ok_or_else(|| null(column))
    }

    /// A text that is never null.
    pub(crate) fn need_text(&self, column: usize) -> Result<String> {
        self.text(column)?.map(str::to_owned).ok_or_else(|| null(column))
    }

    /// A text, empty if null.
    pub(crate) fn text_or_empty(&self, column: usize) -> Result<String> {
        Ok(self.text(column)?.unwrap_or_default().to_owned())
    }

    /// A text or null.
    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<String>> {
        Ok(self.text(column)?.map(str::to_owned))
    }
}

fn null(column: usize) -> Error {
    Error::database(format!("unexpected NULL in column {column}"))
}

/// A connection within a call: reads, and writes if it was opened for a write.
pub(crate) trait Connection {
    fn dialect(&self) -> Dialect;

    /// Calls `each` for every row.
    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()>;

    /// Runs a statement and returns the number of rows it changed.
    fn execute(&mut self, sql: &str, parameters: &[Value<'_>]) -> Result<usize>;

    /// Runs several statements that take and return nothing.
    fn execute_script(&mut self, sql: &str) -> Result<()>;
}

impl dyn Connection + '_ {
    /// All rows.
    pub(crate) fn rows<T>(
        &mut self,
        sql: &str,
        parameters: &[Value<'_>],
        mut read: impl FnMut(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        self.query(sql, parameters, &mut |row| {
            rows.push(read(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row, if any.
    pub(crate) fn first<T>(
        &mut self,
        sql: &str,
        parameters: &[Value<'_>],
        mut read: impl FnMut(&dyn Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut first = None;
        self.query(sql, parameters, &mut |row| {
            if first.is_none() {
                first = Some(read(row)?);
            }
            Ok(())
        })?;
        Ok(first)
    }
}
