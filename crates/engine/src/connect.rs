//! How an address becomes a connection: what a driver is told.
//!
//! What the drivers of BigQuery, Flight SQL and Snowflake call their options is in their manuals, at
//! <https://arrow.apache.org/adbc/current/driver/>: a few have a short name here, and any goes by its own (`adbc.…=`).

use adbc_core::options::{OptionDatabase, OptionValue};
use percent_encoding::percent_decode_str;

use crate::dialect::Engine;

/// How the drivers' own names of options begin.
const OWN: &str = "adbc.";

/// A short name of an option, the driver's own, and what stands before its value.
type Parameter = (&'static str, &'static str, &'static str);

const OF_FLIGHT_SQL: [Parameter; 1] =
    [("token", "adbc.flight.sql.authorization_header", "Bearer ")];

const OF_SNOWFLAKE: [Parameter; 2] =
    [("warehouse", "adbc.snowflake.sql.warehouse", ""), ("role", "adbc.snowflake.sql.role", "")];

const OF_BIGQUERY: [Parameter; 2] = [
    ("location", "adbc.bigquery.sql.location", ""),
    ("credentials", "adbc.bigquery.sql.auth_credentials", ""),
];

type Options = Vec<(OptionDatabase, OptionValue)>;

impl Engine {
    /// What its driver's first function is called.
    pub(crate) fn entry_point(self) -> &'static [u8] {
        match self {
            Self::DuckDb => b"duckdb_adbc_init",
            _ => b"AdbcDriverInit",
        }
    }

    /// Whether a parameter may stand after `?`, beside table and query.
    pub(crate) fn takes(self, key: &str) -> bool {
        match self {
            // Its driver says what is wrong.
            Self::PostgreSql => true,
            Self::DuckDb | Self::Spark | Self::Sqlite => false,
            Self::BigQuery | Self::FlightSql | Self::Snowflake => {
                key.starts_with(OWN) || self.parameters().iter().any(|(short, ..)| *short == key)
            }
        }
    }

    /// The short names of options.
    pub(crate) fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::BigQuery => &OF_BIGQUERY,
            Self::FlightSql => &OF_FLIGHT_SQL,
            Self::Snowflake => &OF_SNOWFLAKE,
            Self::DuckDb | Self::PostgreSql | Self::Spark | Self::Sqlite => &[],
        }
    }

    /// The options that open a database, to be read only.
    pub(crate) fn options(self, address: &str) -> Options {
        match self {
            Self::DuckDb if address.is_empty() => vec![named("path", ":memory:")],
            Self::DuckDb => vec![named("path", address), named("access_mode", "READ_ONLY")],
            Self::PostgreSql | Self::Spark => vec![uri(address.to_owned())],
            Self::Sqlite => {
                let path = address.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
                vec![uri(format!("file:{path}?mode=ro"))]
            }
            Self::BigQuery => bigquery(&Address::of(address)),
            Self::FlightSql => flight_sql(&Address::of(address)),
            Self::Snowflake => snowflake(&Address::of(address)),
        }
    }
}

/// The parts of `scheme://user:password@place/one/two?key=value`, without what is encoded in them.
struct Address<'a> {
    scheme: &'a str,
    user: Option<String>,
    password: Option<String>,
    place: &'a str,
    path: Vec<String>,
    parameters: Vec<(&'a str, String)>,
}

impl<'a> Address<'a> {
    fn of(address: &'a str) -> Self {
        let (address, parameters) = address.split_once('?').unwrap_or((address, ""));
        let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
        let mut path = rest.split('/');
        let authority = path.next().unwrap_or_default();
        let (user, place) =
            authority.rsplit_once('@').map_or((None, authority), |(user, place)| {
                (
                    Some(
                        user.split_once(':')
                            .map_or((user, None), |(user, word)| (user, Some(word))),
                    ),
                    place,
                )
            });
        let parameters = parameters.split('&').filter_map(|part| part.split_once('='));
        Self {
            scheme,
            user: user.map(|(user, _)| decoded(user)),
            password: user.and_then(|(_, password)| password).map(decoded),
            place,
            path: path.filter(|part| !part.is_empty()).map(decoded).collect(),
            parameters: parameters.map(|(key, value)| (key, decoded(value))).collect(),
        }
    }

    /// User, password, and the parameters by the names that the driver has for them.
    fn options(&self, engine: Engine) -> Options {
        let text = |value: &String| OptionValue::String(value.clone());
        let user = self.user.iter().map(|user| (OptionDatabase::Username, text(user)));
        let password = self.password.iter().map(|word| (OptionDatabase::Password, text(word)));
        let parameters = self.parameters.iter().map(|(key, value)| {
            let known = engine.parameters().iter().find(|(short, ..)| short == key);
            known.map_or_else(
                || named(key, value),
                |(_, own, before)| named(own, &format!("{before}{value}")),
            )
        });
        user.chain(password).chain(parameters).collect()
    }

    fn part(&self, index: usize, key: &str) -> Option<(OptionDatabase, OptionValue)> {
        self.path.get(index).map(|part| named(key, part))
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn named(key: &str, value: &str) -> (OptionDatabase, OptionValue) {
    (OptionDatabase::Other(key.to_owned()), OptionValue::String(value.to_owned()))
}

fn uri(address: String) -> (OptionDatabase, OptionValue) {
    (OptionDatabase::Uri, OptionValue::String(address))
}

/// `flightsql://` is encrypted, as `grpc+tls://` is.
fn flight_sql(address: &Address<'_>) -> Options {
    let scheme = if address.scheme == "grpc" { "grpc" } else { "grpc+tls" };
    let mut options = vec![uri(format!("{scheme}://{}", address.place))];
    options.extend(address.options(Engine::FlightSql));
    options
}

/// `snowflake://user:password@account/database/schema`.
fn snowflake(address: &Address<'_>) -> Options {
    let mut options = vec![
        named("adbc.snowflake.sql.account", address.place),
        // Nanoseconds reach from 1677 to 2262, and one time beyond would be an error.
        named("adbc.snowflake.sql.client_option.max_timestamp_precision", "microseconds"),
    ];
    options.extend(address.part(0, "adbc.snowflake.sql.db"));
    options.extend(address.part(1, "adbc.snowflake.sql.schema"));
    options.extend(address.options(Engine::Snowflake));
    options
}

/// `bigquery://project/dataset`; without credentials those of the machine count.
fn bigquery(address: &Address<'_>) -> Options {
    let mut options = vec![named("adbc.bigquery.sql.project_id", address.place)];
    options.extend(address.part(0, "adbc.bigquery.sql.dataset_id"));
    if address.parameters.iter().any(|(key, _)| *key == "credentials") {
        let kind = "adbc.bigquery.sql.auth_type.json_credential_file";
        options.push(named("adbc.bigquery.sql.auth_type", kind));
    }
    options.extend(address.options(Engine::BigQuery));
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(engine: Engine, address: &str) -> Vec<String> {
        let told = |(key, value): (OptionDatabase, OptionValue)| {
            let OptionValue::String(value) = value else { panic!("{value:?}") };
            format!("{}={value}", key.as_ref())
        };
        engine.options(address).into_iter().map(told).collect()
    }

    #[test]
    fn a_path_is_no_part_of_a_uri() {
        let options = told(Engine::Sqlite, "/a?mode=rwc#%.db");
        assert_eq!(options, ["uri=file:/a%3fmode=rwc%23%25.db?mode=ro"]);
    }

    #[test]
    fn what_is_encoded_is_decoded_and_what_is_not_ours_is_the_drivers() {
        let options = told(Engine::FlightSql, "flightsql://me:a%40b@h:31337?token=t%3D");
        let header = "adbc.flight.sql.authorization_header=Bearer t=";
        assert_eq!(options, ["uri=grpc+tls://h:31337", "username=me", "password=a@b", header]);
        assert_eq!(told(Engine::FlightSql, "grpc://h:1"), ["uri=grpc://h:1"]);
        let options = told(
            Engine::Snowflake,
            "snowflake://me@org-acc/DB/S?warehouse=W&adbc.snowflake.sql.uri.host=h",
        );
        assert!(options.contains(&"adbc.snowflake.sql.schema=S".to_owned()), "{options:?}");
        let last =
            ["username=me", "adbc.snowflake.sql.warehouse=W", "adbc.snowflake.sql.uri.host=h"];
        assert!(options.ends_with(&last.map(str::to_owned)), "{options:?}");
        let options = told(Engine::BigQuery, "bigquery://p/d?credentials=/key.json");
        assert_eq!(options[0], "adbc.bigquery.sql.project_id=p");
        assert!(options[2].ends_with("json_credential_file"), "{options:?}");
        assert_eq!(options[3], "adbc.bigquery.sql.auth_credentials=/key.json");
    }

    #[test]
    fn parameters_that_nobody_reads_are_refused() {
        assert!(Engine::Snowflake.takes("role") && Engine::Snowflake.takes("adbc.snowflake.x"));
        assert!(!Engine::Snowflake.takes("token") && !Engine::DuckDb.takes("access_mode"));
    }
}
