//! What engines have of their own: words of SQL, and how an address becomes a connection.

use adbc_core::options::{OptionDatabase, OptionValue};

/// An engine that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// DuckDB: a file, or none and files that a query names.
    DuckDb,
    /// PostgreSQL, and what speaks its protocol and its SQL.
    PostgreSql,
    /// Spark, by a Connect server.
    Spark,
    /// SQLite: a file.
    Sqlite,
}

impl Engine {
    /// By the scheme of a URI.
    pub(crate) fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "duckdb" => Some(Self::DuckDb),
            "postgresql" | "postgres" => Some(Self::PostgreSql),
            "spark" => Some(Self::Spark),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }

    /// As it calls itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::DuckDb => "DuckDB",
            Self::PostgreSql => "PostgreSQL",
            Self::Spark => "Spark",
            Self::Sqlite => "SQLite",
        }
    }

    /// Whether the address is a server's; else it is a file.
    pub(crate) fn is_server(self) -> bool {
        matches!(self, Self::PostgreSql | Self::Spark)
    }

    /// What its driver's first function is called.
    pub(crate) fn entry_point(self) -> &'static [u8] {
        match self {
            Self::DuckDb => b"duckdb_adbc_init",
            Self::PostgreSql | Self::Spark | Self::Sqlite => b"AdbcDriverInit",
        }
    }

    /// The options that open a database, to be read only.
    pub(crate) fn options(self, address: &str) -> Vec<(OptionDatabase, OptionValue)> {
        let other = |key: &str, value: &str| {
            (OptionDatabase::Other(key.to_owned()), OptionValue::String(value.to_owned()))
        };
        match self {
            Self::DuckDb if address.is_empty() => vec![other("path", ":memory:")],
            Self::DuckDb => vec![other("path", address), other("access_mode", "READ_ONLY")],
            Self::PostgreSql | Self::Spark => {
                vec![(OptionDatabase::Uri, OptionValue::String(address.to_owned()))]
            }
            Self::Sqlite => {
                let path = address.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                let uri = format!("file:{path}?mode=ro");
                vec![(OptionDatabase::Uri, OptionValue::String(uri))]
            }
        }
    }

    /// Whether its driver begins transactions where it is told not to commit by itself.
    pub(crate) fn leaves_autocommit(self) -> bool {
        matches!(self, Self::PostgreSql)
    }

    /// What makes all that follows one look at the rows, and no more than a look; in so many milliseconds. Spark has no
    /// such thing: what stands in brackets after `from` can only be read all the same.
    pub(crate) fn begin(self, milliseconds: u128) -> Vec<String> {
        match self {
            Self::DuckDb => vec!["begin transaction read only".to_owned()],
            Self::PostgreSql => vec![
                "set transaction isolation level repeatable read, read only".to_owned(),
                format!(
                    "set local statement_timeout = {}",
                    milliseconds.clamp(1, i32::MAX as u128)
                ),
            ],
            Self::Spark => Vec::new(),
            Self::Sqlite => vec!["begin".to_owned()],
        }
    }

    /// A statement that says its version in one cell.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::DuckDb | Self::PostgreSql | Self::Spark => "select version()",
            Self::Sqlite => "select sqlite_version()",
        }
    }

    /// A name, whatever is in it.
    pub(crate) fn quoted(self, name: &str) -> String {
        match self {
            Self::Spark => format!("`{}`", name.replace('`', "``")),
            Self::DuckDb | Self::PostgreSql | Self::Sqlite => {
                format!("\"{}\"", name.replace('"', "\"\""))
            }
        }
    }

    /// A text, whatever is in it; `None` for what no text can hold.
    pub(crate) fn text(self, text: &str) -> Option<String> {
        if text.contains('\0') {
            return None;
        }
        Some(match self {
            Self::DuckDb | Self::Sqlite => format!("'{}'", text.replace('\'', "''")),
            // Whether a backslash means something is a setting; this way it always does.
            Self::PostgreSql => {
                format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
            }
            Self::Spark => {
                format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
            }
        })
    }

    /// A column as text whose order and equality are those of its bytes, whatever it was declared with: an enumeration
    /// has another order and no length, and to some collations `a` is `A`.
    pub(crate) fn in_bytes(self, column: &str) -> String {
        match self {
            Self::DuckDb => format!("cast({column} as varchar) collate c"),
            Self::PostgreSql => format!("cast({column} as text) collate \"C\""),
            Self::Spark => column.to_owned(),
            Self::Sqlite => format!("cast({column} as text) collate binary"),
        }
    }

    /// A time in UTC, for a column with or without a zone.
    pub(crate) fn moment(self, written: &str, has_zone: bool) -> String {
        match self {
            Self::Spark if has_zone => format!("timestamp '{written}+00:00'"),
            Self::Spark => format!("timestamp_ntz '{written}'"),
            _ if has_zone => format!("timestamptz '{written}+00'"),
            _ => format!("timestamp '{written}'"),
        }
    }

    /// What double precision is called.
    pub(crate) fn double(self) -> &'static str {
        match self {
            Self::DuckDb | Self::Spark => "double",
            Self::PostgreSql => "double precision",
            Self::Sqlite => "real",
        }
    }

    /// Not a number, in double precision; SQLite has none.
    pub(crate) fn nan(self) -> Option<&'static str> {
        match self {
            Self::PostgreSql => Some("cast('NaN' as double precision)"),
            Self::DuckDb | Self::Spark => Some("cast('NaN' as double)"),
            Self::Sqlite => None,
        }
    }

    /// The infinities, in double precision.
    pub(crate) fn infinities(self) -> [&'static str; 2] {
        match self {
            Self::DuckDb | Self::Spark => {
                ["cast('-Infinity' as double)", "cast('Infinity' as double)"]
            }
            Self::PostgreSql => {
                ["cast('-Infinity' as double precision)", "cast('Infinity' as double precision)"]
            }
            Self::Sqlite => ["-9e999", "9e999"],
        }
    }

    /// Whole numbers divided, without what is left.
    pub(crate) fn divided(self, number: &str, by: u64) -> String {
        match self {
            Self::DuckDb => format!("({number}) // {by}"),
            Self::Spark => format!("({number}) div {by}"),
            Self::PostgreSql | Self::Sqlite => format!("({number}) / {by}"),
        }
    }

    /// Whether one statement groups by one column after the other.
    pub(crate) fn has_grouping_sets(self) -> bool {
        !matches!(self, Self::Sqlite)
    }

    /// Whether times may be infinite.
    pub(crate) fn has_infinite_times(self) -> bool {
        matches!(self, Self::DuckDb | Self::PostgreSql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_they_are_meant_to() {
        assert_eq!(Engine::DuckDb.quoted("a\"; drop table t; --"), "\"a\"\"; drop table t; --\"");
        assert_eq!(Engine::PostgreSql.quoted("La b"), "\"La b\"");
        assert_eq!(Engine::Spark.quoted("a`b\"c"), "`a``b\"c`");
    }

    #[test]
    fn a_path_is_no_part_of_a_uri() {
        let options = Engine::Sqlite.options("/a?mode=rwc#%.db");
        let OptionValue::String(uri) = &options[0].1 else { panic!("{options:?}") };
        assert_eq!(uri, "file:/a%3fmode=rwc%23%25.db?mode=ro");
    }
}
