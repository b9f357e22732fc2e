//! Which table of which engine.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::dialect::Engine;
use crate::error::{Error, Result};

/// How a side begins whose engine is said elsewhere.
const ASKED: [&str; 2] = ["?table=", "?query="];

/// What parameters are called that hold secrets, or a part of it.
const SECRETS: [&str; 6] = ["password", "token", "secret", "credential", "key", "header"];

/// What is put in the place of a secret.
const HIDDEN: &str = "***";

/// A table or a query of an engine: `postgresql://host/db?table=schema.name`, `duckdb://file.db?query=select …`.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    engine: Engine,
    /// As the driver takes it; it may hold a password.
    address: String,
    relation: Relation,
    place: String,
}

/// What rows are of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Relation {
    /// Parts of a name, the schema's first.
    Table(Vec<String>),
    /// A `select` that the user wrote.
    Query(String),
}

/// Only what may be shown.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.shown()).finish()
    }
}

impl Source {
    /// Whether a source is one of an engine: by its scheme, or by asking for a table or a query, as no file does. One of an
    /// engine that is not known is told so by [`Source::parse`].
    pub fn is_one(text: &str) -> bool {
        if ASKED.iter().any(|asked| text.starts_with(asked)) {
            return true;
        }
        text.split_once("://").is_some_and(|(scheme, rest)| {
            Engine::of_scheme(scheme).is_some() || ASKED.iter().any(|asked| rest.contains(asked))
        })
    }

    /// Reads a URI. `table=` is a name of one part or more, each as the engine has it, in double quotes where it holds a
    /// point; `query=` comes last and is taken as it is written, to the end. What else follows `?` is the driver's.
    pub fn parse(text: &str) -> Result<Self> {
        let (address, asked) = text.split_once('?').unwrap_or((text, ""));
        if address.is_empty() {
            return Err(Error::Source {
                place: text.chars().take_while(|c| *c != '=').collect(),
                reason: "no engine is named: --engine URI, or TRAINYARD_ENGINE".to_owned(),
            });
        }
        let (scheme, rest) = address.split_once("://").unwrap_or((address, ""));
        let Some(engine) = Engine::of_scheme(scheme) else {
            return Err(Error::Source {
                place: format!("{scheme}://"),
                reason:
                    "no engine has this scheme; there are bigquery, duckdb, flightsql, postgresql, \
                         snowflake, spark and sqlite"
                        .to_owned(),
            });
        };
        let place = shown_address(engine, address, rest);
        let wrong =
            |reason: &str| Error::Source { place: place.clone(), reason: reason.to_owned() };
        let (mut relation, mut others) = (None, Vec::new());
        let mut left = asked;
        while !left.is_empty() {
            if let Some(query) = left.strip_prefix("query=") {
                let query = query.trim().trim_end_matches(';').trim_end();
                if query.is_empty() {
                    return Err(wrong("the query is empty"));
                }
                // Some drivers run all of several statements, the first of which could end the brackets.
                if query.contains(';') {
                    return Err(wrong(
                        "a query is one statement, without a semicolon (in a text it is chr(59), in SQLite char(59))",
                    ));
                }
                if relation.replace(Relation::Query(query.to_owned())).is_some() {
                    return Err(wrong("both a table and a query are named"));
                }
                break;
            }
            let (part, after) = split_part(left);
            left = after;
            match part.strip_prefix("table=") {
                None => others.push(part),
                Some(name) => {
                    let parts = name_parts(name).ok_or_else(|| {
                        wrong("the table's name is a part or more with points between, \"quoted\" where they hold one")
                    })?;
                    if relation.replace(Relation::Table(parts)).is_some() {
                        return Err(wrong("two tables are named"));
                    }
                }
            }
        }
        let relation = relation.ok_or_else(|| wrong("no table is named"))?;
        let key = |part: &&str| part.split('=').next().unwrap_or_default().to_owned();
        if let Some(unknown) = others.iter().map(key).find(|key| !engine.takes(key)) {
            return Err(wrong(&format!("{unknown:?} is no parameter{}", parameters(engine))));
        }
        if engine == Engine::Sqlite && rest.is_empty() {
            return Err(wrong("no file is named"));
        }
        let address = match engine {
            Engine::DuckDb | Engine::Sqlite => rest.to_owned(),
            // As Spark's own clients have it.
            Engine::Spark => format!("sc://{rest}"),
            _ if others.is_empty() => address.to_owned(),
            _ => format!("{address}?{}", others.join("&")),
        };
        Ok(Self { engine, address, relation, place })
    }

    /// A side written as `?table=…` or `?query=…` alone, in this engine.
    pub fn within(engine: &str, side: &str) -> String {
        match side.strip_prefix('?') {
            None => side.to_owned(),
            Some(asked) if engine.contains('?') => format!("{engine}&{asked}"),
            Some(_) => format!("{engine}{side}"),
        }
    }

    /// The engine.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where the engine is, without user, password and parameters.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Engine and table, for people. A query may hold secrets and is not shown.
    pub fn shown(&self) -> String {
        match &self.relation {
            Relation::Table(parts) => format!("{} table {}", self.place, parts.join(".")),
            Relation::Query(_) => format!("{} query", self.place),
        }
    }

    /// The URI without what may be secret: user, password and parameters, and what a query says.
    pub fn written(&self) -> String {
        let place = if self.address.is_empty() { "duckdb://" } else { &self.place };
        match &self.relation {
            Relation::Table(parts) => {
                let is_plain = |part: &&String| !part.contains(['.', '"', '&']);
                let parts: Vec<String> = parts
                    .iter()
                    .map(|part| match Some(part).filter(is_plain) {
                        Some(part) => part.clone(),
                        None => format!("\"{}\"", part.replace('"', "\"\"")),
                    })
                    .collect();
                format!("{place}?table={}", parts.join("."))
            }
            Relation::Query(_) => format!("{place}?query={HIDDEN}"),
        }
    }

    /// What stands after `from`.
    pub(crate) fn relation(&self) -> String {
        match &self.relation {
            Relation::Table(parts) => {
                let parts: Vec<String> =
                    parts.iter().map(|part| self.engine.quoted(part)).collect();
                parts.join(".")
            }
            // A comment at its end must not swallow the bracket.
            Relation::Query(query) => format!("({query}\n)"),
        }
    }

    /// What a driver said, without what is secret in the address.
    pub(crate) fn without_secrets(&self, text: &str) -> String {
        let mut text = text.trim().to_owned();
        if !self.engine.is_server() {
            return text;
        }
        let mut secrets = vec![self.address.clone()];
        secrets.extend(self.address.split(['?', '&', ';']).filter_map(|part| {
            let (key, value) = part.split_once('=')?;
            SECRETS.iter().any(|secret| key.contains(secret)).then(|| value.to_owned())
        }));
        let authority = self.address.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split('?').next().unwrap_or_default();
        let user = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
        secrets.extend(user.map(|(_, password)| password.to_owned()));
        let decoded: Vec<String> = secrets
            .iter()
            .map(|secret| percent_decode_str(secret).decode_utf8_lossy().into_owned())
            .collect();
        secrets.extend(decoded);
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret.as_str(), HIDDEN);
        }
        text
    }
}

/// The address as it may be shown: of a server its host, port and database.
fn shown_address(engine: Engine, address: &str, rest: &str) -> String {
    if !engine.is_server() {
        return if rest.is_empty() { engine.name().to_owned() } else { address.to_owned() };
    }
    let scheme = address.split_once("://").map_or(address, |(scheme, _)| scheme);
    // What follows are Spark's parameters, a token among them.
    let address = address.split(';').next().unwrap_or_default().trim_end_matches('/');
    let Ok(url) = Url::parse(address) else { return format!("{scheme}://{HIDDEN}") };
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    // A password with `/` or `@` in it would be taken for a path.
    if url.path().contains(['@', ':']) {
        return format!("{scheme}://{HIDDEN}");
    }
    format!("{scheme}://{}{port}{}", url.host_str().unwrap_or_default(), url.path())
}

/// What may stand beside table and query, for people.
fn parameters(engine: Engine) -> String {
    let short = engine.parameters().iter().map(|(short, ..)| format!("{short}=, "));
    let short: String = short.collect();
    let own = if engine.is_server() && engine != Engine::Spark {
        format!(", {short}and the driver's own, adbc.…=")
    } else {
        String::new()
    };
    format!("; there is table= and query={own}")
}

/// What stands before the next `&` that is not within double quotes, and what follows it.
fn split_part(text: &str) -> (&str, &str) {
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '&' if !is_quoted => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
    }
    (text, "")
}

/// The parts of a table's name; `None` where it is none.
fn name_parts(name: &str) -> Option<Vec<String>> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut is_quoted, mut was_quoted) = (false, false);
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\0' => return None,
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                part.push('"');
            }
            '"' if is_quoted => is_quoted = false,
            '"' if part.is_empty() && !was_quoted => (is_quoted, was_quoted) = (true, true),
            '.' if !is_quoted => {
                parts.push(std::mem::take(&mut part));
                was_quoted = false;
            }
            // After its quotes a part is over.
            _ if was_quoted && !is_quoted => return None,
            c => part.push(c),
        }
    }
    parts.push(part);
    (!is_quoted && parts.iter().all(|part| !part.is_empty())).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(text: &str) -> String {
        Source::parse(text).unwrap().relation()
    }

    #[test]
    fn tables_and_queries_are_read_as_they_are_written() {
        for (text, expected) in [
            ("duckdb://a.db?table=t", "\"t\""),
            ("duckdb:///a b.db?table=main.My Table", "\"main\".\"My Table\""),
            ("sqlite://x.db?table=\"a.b&c\"\"d\"", "\"a.b&c\"\"d\""),
            ("postgresql://h/db?table=s.\"T\"&sslmode=require", "\"s\".\"T\""),
            (
                "duckdb://?query=select a+1 as b, '100%' from t where x like '%?&table=u' ; ",
                "(select a+1 as b, '100%' from t where x like '%?&table=u'\n)",
            ),
        ] {
            assert_eq!(relation(text), expected, "{text}");
        }
        for text in [
            "duckdb://a.db",
            "duckdb://a.db?",
            "duckdb://a.db?table=",
            "duckdb://a.db?table=a..b",
            "duckdb://a.db?table=\"a",
            "duckdb://a.db?table=\"a\"b",
            "duckdb://a.db?query= ;",
            "duckdb://a.db?query=select 1); copy (select 1) to 'a.csv'; select (1",
            "duckdb://a.db?table=a&query=select 1",
            "duckdb://a.db?table=a&table=b",
            "duckdb://a.db?tabel=a&table=b",
            "sqlite://?table=a",
            "snowflake://a/b?table=t&token=s3cret",
            "oracle://h?table=a",
            "?table=a",
        ] {
            assert!(Source::parse(text).is_err(), "{text}");
        }
        assert!(Source::is_one("postgres://h") && !Source::is_one("s3://b/x.parquet"));
        assert!(!Source::is_one("data/train.csv") && Source::is_one("?table=t"));
        // An engine that is not known is no pattern of files.
        let unknown = "mysql://me:s3cret@h/d?table=t";
        assert!(Source::is_one(unknown));
        let error = Source::parse(unknown).unwrap_err().to_string();
        assert!(error.contains("there are bigquery") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn what_is_the_drivers_goes_to_the_driver() {
        let text = "postgresql://u:p@h:5/db?sslmode=require&table=t&connect_timeout=3";
        let source = Source::parse(text).unwrap();
        assert_eq!(source.address(), "postgresql://u:p@h:5/db?sslmode=require&connect_timeout=3");
        assert_eq!(source.shown(), "postgresql://h:5/db table t");
        assert_eq!(source.written(), "postgresql://h:5/db?table=t");
        let odd = Source::parse("sqlite://x.db?table=main.\"a.b\"").unwrap();
        assert_eq!(odd.written(), "sqlite://x.db?table=main.\"a.b\"");
        let query = Source::parse("duckdb://?query=select 'secret'").unwrap();
        assert_eq!(
            (query.written(), query.shown()),
            ("duckdb://?query=***".into(), "DuckDB query".into())
        );
    }

    #[test]
    fn a_side_may_leave_the_engine_out() {
        assert_eq!(Source::within("duckdb://a.db", "?table=t"), "duckdb://a.db?table=t");
        let within = Source::within("postgresql://h?sslmode=require", "?query=select 1");
        assert_eq!(within, "postgresql://h?sslmode=require&query=select 1");
        assert_eq!(Source::within("duckdb://a.db", "train.csv"), "train.csv");
    }

    #[test]
    fn no_text_holds_a_password() {
        for text in [
            "postgresql://me:sec%20ret@h/db?table=t",
            "postgresql://h/db?user=me&password=sec%20ret&table=t",
            "postgresql://me:sec%20ret@a,b/db?table=t",
            "spark://h:15002/;user_id=me;token=sec%20ret?table=t",
        ] {
            let source = Source::parse(text).unwrap();
            let said = format!("bad URI {}: password \"sec ret\" and sec%20ret", source.address());
            let shown = source.without_secrets(&said);
            for shown in [shown, source.shown(), format!("{source:?}")] {
                assert!(!shown.contains("sec"), "{text}: {shown}");
            }
        }
        for text in [
            "snowflake://me:sec%20ret@acc/DB/S?warehouse=W&table=T",
            "snowflake://me@acc/DB?adbc.snowflake.sql.client_option.auth_token=sec%20ret&table=T",
            "grpc://me:sec%20ret@h:1?table=t",
            "flightsql://h:1?token=sec%20ret&table=t",
        ] {
            let source = Source::parse(text).unwrap();
            let said = source.without_secrets("\"sec ret\" and sec%20ret");
            for shown in [said, source.shown(), source.written(), format!("{source:?}")] {
                assert!(!shown.contains("sec"), "{text}: {shown}");
            }
        }
        let odd = Source::parse("postgresql://me:/@secret@h/db?table=t").unwrap();
        assert_eq!(odd.shown(), "postgresql://*** table t");
        let spark = Source::parse("spark://h:15002/;token=secret?table=a.b").unwrap();
        assert_eq!(spark.shown(), "spark://h:15002 table a.b");
        assert_eq!(spark.address(), "sc://h:15002/;token=secret");
        assert_eq!(spark.relation(), "`a`.`b`");
    }
}
