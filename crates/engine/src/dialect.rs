//! What engines have of their own: words of SQL.

use std::fmt::Display;

/// An engine that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// BigQuery.
    BigQuery,
    /// DuckDB: a file, or none and files that a query names.
    DuckDb,
    /// Whatever speaks Flight SQL, and standard SQL in it.
    FlightSql,
    /// PostgreSQL, and what speaks its protocol and its SQL.
    PostgreSql,
    /// Snowflake.
    Snowflake,
    /// Spark, by a Connect server.
    Spark,
    /// SQLite: a file.
    Sqlite,
}

impl Engine {
    /// By the scheme of a URI.
    pub(crate) fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "bigquery" => Some(Self::BigQuery),
            "duckdb" => Some(Self::DuckDb),
            "flightsql" | "grpc+tls" | "grpc" => Some(Self::FlightSql),
            "postgresql" | "postgres" => Some(Self::PostgreSql),
            "snowflake" => Some(Self::Snowflake),
            "spark" => Some(Self::Spark),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }

    /// As it calls itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::BigQuery => "BigQuery",
            Self::DuckDb => "DuckDB",
            Self::FlightSql => "Flight SQL",
            Self::PostgreSql => "PostgreSQL",
            Self::Snowflake => "Snowflake",
            Self::Spark => "Spark",
            Self::Sqlite => "SQLite",
        }
    }

    /// Whether the address is a server's; else it is a file.
    pub(crate) fn is_server(self) -> bool {
        !matches!(self, Self::DuckDb | Self::Sqlite)
    }

    /// Whether its driver begins transactions where it is told not to commit by itself.
    pub(crate) fn leaves_autocommit(self) -> bool {
        matches!(self, Self::PostgreSql)
    }

    /// What makes all that follows one look at the rows, and no more than a look; in so many milliseconds. The others have
    /// no such thing: what stands in brackets after `from` can only be read all the same.
    pub(crate) fn begin(self, milliseconds: u128) -> Vec<String> {
        match self {
            Self::DuckDb => vec!["begin transaction read only".to_owned()],
            Self::PostgreSql => vec![
                "set transaction isolation level repeatable read, read only".to_owned(),
                // Rows that are drawn by chance are the same ones where a scan always begins at the first.
                "set local synchronize_seqscans = off".to_owned(),
                format!(
                    "set local statement_timeout = {}",
                    milliseconds.clamp(1, i32::MAX as u128)
                ),
            ],
            Self::BigQuery | Self::FlightSql | Self::Snowflake | Self::Spark => Vec::new(),
            Self::Sqlite => vec!["begin".to_owned()],
        }
    }

    /// A statement that says its version in one cell; BigQuery has none.
    pub(crate) fn version(self) -> Option<&'static str> {
        match self {
            Self::DuckDb | Self::FlightSql | Self::PostgreSql | Self::Spark => {
                Some("select version()")
            }
            Self::Snowflake => Some("select current_version()"),
            Self::Sqlite => Some("select sqlite_version()"),
            Self::BigQuery => None,
        }
    }

    /// Whether names and types are asked for without a statement being run: an answer without rows may come without them.
    pub(crate) fn describes_statements(self) -> bool {
        self == Self::FlightSql
    }

    /// Whether the first rows cost less than all of them: BigQuery counts the bytes of whole columns.
    pub(crate) fn reads_first_rows(self) -> bool {
        self != Self::BigQuery
    }

    /// A name, whatever is in it.
    pub(crate) fn quoted(self, name: &str) -> String {
        match self {
            Self::BigQuery => format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`")),
            Self::Spark => format!("`{}`", name.replace('`', "``")),
            Self::DuckDb | Self::FlightSql | Self::PostgreSql | Self::Snowflake | Self::Sqlite => {
                format!("\"{}\"", name.replace('"', "\"\""))
            }
        }
    }

    /// A text, whatever is in it; `None` for what no text can hold.
    pub(crate) fn text(self, text: &str) -> Option<String> {
        if text.contains('\0') {
            return None;
        }
        let without_backslashes = || text.replace('\\', "\\\\");
        Some(match self {
            Self::DuckDb | Self::FlightSql | Self::Sqlite => {
                format!("'{}'", text.replace('\'', "''"))
            }
            // Whether a backslash means something is a setting; this way it always does.
            Self::PostgreSql => format!("E'{}'", without_backslashes().replace('\'', "''")),
            Self::Snowflake => format!("'{}'", without_backslashes().replace('\'', "''")),
            Self::Spark => format!("'{}'", without_backslashes().replace('\'', "\\'")),
            Self::BigQuery => {
                // A line ends such a text.
                let text = without_backslashes().replace('\'', "\\'");
                format!("'{}'", text.replace('\n', "\\n").replace('\r', "\\r"))
            }
        })
    }

    /// A column as text whose order and equality are those of its bytes, whatever it was declared with: an enumeration
    /// has another order and no length, and to some collations `a` is `A`.
    pub(crate) fn in_bytes(self, column: &str) -> String {
        match self {
            Self::DuckDb => format!("cast({column} as varchar) collate c"),
            Self::PostgreSql => format!("cast({column} as text) collate \"C\""),
            Self::FlightSql => format!("cast({column} as varchar)"),
            Self::BigQuery | Self::Snowflake | Self::Spark => column.to_owned(),
            Self::Sqlite => format!("cast({column} as text) collate binary"),
        }
    }

    /// A time in UTC, for a column with or without a zone.
    pub(crate) fn moment(self, written: &str, has_zone: bool) -> String {
        match self {
            Self::Spark if has_zone => format!("timestamp '{written}+00:00'"),
            Self::Spark => format!("timestamp_ntz '{written}'"),
            Self::BigQuery if has_zone => format!("timestamp '{written}+00'"),
            Self::BigQuery => format!("datetime '{written}'"),
            Self::Snowflake if has_zone => format!("to_timestamp_tz('{written} +00:00')"),
            Self::Snowflake => format!("to_timestamp_ntz('{written}')"),
            _ if has_zone => format!("timestamptz '{written}+00'"),
            _ => format!("timestamp '{written}'"),
        }
    }

    /// Milliseconds from 1970 to a time, those without a zone being UTC; SQLite's times are text.
    pub(crate) fn milliseconds(self, column: &str, has_zone: bool) -> Option<String> {
        Some(match self {
            Self::BigQuery | Self::Spark if has_zone => format!("unix_millis({column})"),
            Self::BigQuery => format!("unix_millis(timestamp({column}))"),
            Self::DuckDb if has_zone => format!("epoch_ms({column})"),
            Self::DuckDb => format!("epoch_ms(cast({column} as timestamp))"),
            Self::FlightSql => {
                format!("cast(floor(date_part('epoch', {column}) * 1000) as bigint)")
            }
            Self::PostgreSql => {
                format!("cast(floor(extract(epoch from {column}) * 1000) as bigint)")
            }
            // Whether its milliseconds are rounded is not said.
            Self::Snowflake => {
                let plain = format!("cast({column} as timestamp_ntz)");
                let time: &str = if has_zone { column } else { &plain };
                format!("cast(floor(date_part(epoch_microsecond, {time}) / 1000) as bigint)")
            }
            // Differences of times without a zone are taken in that of the session, where an hour may be missing.
            Self::Spark => {
                let time = format!("cast({column} as timestamp_ntz)");
                format!(
                    "datediff(cast({time} as date), date '1970-01-01') * 86400000L + (hour({time}) * 60 + minute({time})) * 60000L + \
                     cast(floor(extract(second from {time}) * 1000) as bigint)"
                )
            }
            Self::Sqlite => return None,
        })
    }

    /// What double precision is called.
    pub(crate) fn double(self) -> &'static str {
        match self {
            Self::BigQuery => "float64",
            Self::DuckDb | Self::FlightSql | Self::Snowflake | Self::Spark => "double",
            Self::PostgreSql => "double precision",
            Self::Sqlite => "real",
        }
    }

    /// Not a number, in double precision; SQLite has none.
    pub(crate) fn nan(self) -> Option<String> {
        (self != Self::Sqlite).then(|| format!("cast('NaN' as {})", self.double()))
    }

    /// Whether a number is none; to BigQuery NaN is not even equal to itself, and DataFusion, behind Flight SQL, tells those with a
    /// sign from those without.
    pub(crate) fn is_nan(self, number: &str) -> Option<String> {
        match self {
            Self::BigQuery => Some(format!("is_nan({number})")),
            Self::FlightSql => self.nan().map(|nan| format!("abs({number}) = {nan}")),
            _ => self.nan().map(|nan| format!("{number} = {nan}")),
        }
    }

    /// A number as a double that is compared. To DataFusion, behind Flight SQL, -0 is less than 0, as long as nothing is added.
    pub(crate) fn compared(self, number: &str) -> String {
        let double = format!("cast({number} as {})", self.double());
        if self == Self::FlightSql { format!("({double} + 0)") } else { double }
    }

    /// The infinities, in double precision.
    pub(crate) fn infinities(self) -> [String; 2] {
        let [low, high] = match self {
            Self::Sqlite => return ["-9e999".to_owned(), "9e999".to_owned()],
            Self::Snowflake => ["-inf", "inf"],
            _ => ["-Infinity", "Infinity"],
        };
        [low, high].map(|word| format!("cast('{word}' as {})", self.double()))
    }

    /// Some rows of `s`, each with the same probability: what stands after `from`. The same rows each time, as long as the table is
    /// the same, but in Snowflake, BigQuery, SQLite and behind Flight SQL. Blocks of rows would be cheaper, and are like each other.
    pub(crate) fn some_of(self, relation: &str, share: f64) -> String {
        let percent = share * 100.0;
        match self {
            Self::DuckDb => {
                format!("{relation} as s tablesample bernoulli({percent:.12}%) repeatable (1)")
            }
            Self::Snowflake => format!("{relation} as s sample bernoulli ({percent:.12})"),
            Self::FlightSql | Self::PostgreSql => {
                format!("{relation} as s where random() < {share:.14}")
            }
            Self::BigQuery => format!("{relation} as s where rand() < {share:.14}"),
            Self::Spark => format!("{relation} as s where rand(1) < {share:.14}"),
            Self::Sqlite => {
                // Whole numbers of 64 bits, of which so many are below the bound.
                let bound = share * 1e15;
                format!("{relation} as s where abs(random() % 1000000000000000) < {bound:.0}")
            }
        }
    }

    /// What makes [`Engine::some_of`] draw the same rows again, before it does.
    pub(crate) fn seed(self) -> Option<&'static str> {
        (self == Self::PostgreSql).then_some("select cast(setseed(0.5) as text) as seeded")
    }

    /// Whether it sorts columns of a row each by itself into lists, which become rows again.
    pub(crate) fn has_sorted_lists(self) -> bool {
        matches!(self, Self::DuckDb | Self::PostgreSql)
    }

    /// Whole numbers divided, without what is left.
    pub(crate) fn divided(self, number: &str, by: impl Display) -> String {
        match self {
            // An emulator forgets what a sum in it is bracketed by.
            Self::BigQuery => format!("div(({number}), {by})"),
            Self::DuckDb => format!("({number}) // {by}"),
            Self::Spark => format!("({number}) div {by}"),
            Self::PostgreSql | Self::Sqlite => format!("({number}) / {by}"),
            Self::FlightSql | Self::Snowflake => self.floor_of(number, by),
        }
    }

    /// How often `by` goes into a number below 2^52, rounded down, below 0 too. A quotient of doubles cannot become the next whole
    /// number: it is at least `1 / by` away, which is more than it is wrong.
    pub(crate) fn floor_of(self, number: &str, by: impl Display) -> String {
        let double = self.double();
        let whole = match self {
            Self::BigQuery => "int64",
            _ => "bigint",
        };
        format!("cast(floor(cast({number} as {double}) / {by}) as {whole})")
    }

    /// Whether one statement takes quantiles of several columns, each sorted by itself, at many ranks.
    pub(crate) fn has_many_quantiles(self) -> bool {
        self == Self::PostgreSql
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
        assert_eq!(Engine::BigQuery.quoted("a`b\\"), "`a\\`b\\\\`");
    }
}
