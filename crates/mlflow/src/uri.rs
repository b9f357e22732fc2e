//! `models:/`, `runs:/`, `mlflow-artifacts:/` and tracking URIs.
//!
//! As upstream, names and paths in `models:/` and `runs:/` URIs stand for themselves: they are not
//! percent-decoded (`mlflow.store.artifact.utils.models._parse_model_uri`). `file:` URIs are.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::{Error, Result};

/// Where a model is, as users write it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ModelUri {
    /// `models:/Name@alias`
    Alias { name: String, alias: String },
    /// `models:/Name/3`
    Version { name: String, version: String },
    /// `models:/Name/Production`: the latest version of a stage, or, since stages are deprecated,
    /// of an alias of that name ([`resolve_stage`](crate::resolve::resolve_stage)).
    Stage { name: String, stage: String },
    /// `models:/Name/latest`
    Latest { name: String },
    /// `models:/m-…`: a logged model.
    LoggedModel { model_id: String },
    /// `runs:/<run>/<path>`
    Run { run_id: String, path: String },
    /// Any other URI with a scheme that names an artifact root: `mlflow-artifacts:/…`, `s3://…`.
    Artifacts(String),
    /// A folder on this machine, from a path or a `file:` URI.
    Folder(PathBuf),
}

impl FromStr for ModelUri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match scheme(text) {
            Some("models") => parse_models(text),
            Some("runs") => parse_runs(text),
            Some("file") => Ok(Self::Folder(file_uri_to_path(text)?)),
            Some(_) => Ok(Self::Artifacts(text.to_owned())),
            None if text.is_empty() => Err(Error::invalid("a model URI cannot be empty")),
            None => Ok(Self::Folder(PathBuf::from(text))),
        }
    }
}

fn parse_models(text: &str) -> Result<ModelUri> {
    let improper = || {
        Error::invalid(format!(
            "not a proper models:/ URI: {text:?}; write models:/<name>/<version>, \
             models:/<name>/<stage>, models:/<name>/latest, models:/<name>@<alias> or \
             models:/<model id>"
        ))
    };
    let path = text.strip_prefix("models:").and_then(|rest| rest.strip_prefix('/'));
    let path = path.ok_or_else(improper)?.trim_start_matches('/');
    let mut parts = path.split('/');
    let (first, suffix, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if first.trim().is_empty() || more.is_some() {
        return Err(improper());
    }
    let Some(suffix) = suffix else {
        return match first.rsplit_once('@') {
            Some((name, alias)) if !name.trim().is_empty() && !alias.trim().is_empty() => {
                Ok(ModelUri::Alias { name: name.to_owned(), alias: alias.to_owned() })
            }
            Some(_) => Err(improper()),
            None => Ok(ModelUri::LoggedModel { model_id: first.to_owned() }),
        };
    };
    let name = first.to_owned();
    if suffix.trim().is_empty() {
        Err(improper())
    } else if suffix.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(ModelUri::Version { name, version: suffix.to_owned() })
    } else if suffix.eq_ignore_ascii_case("latest") {
        Ok(ModelUri::Latest { name })
    } else {
        Ok(ModelUri::Stage { name, stage: suffix.to_owned() })
    }
}

fn parse_runs(text: &str) -> Result<ModelUri> {
    let improper = || {
        Error::invalid(format!("not a proper runs:/ URI: {text:?}; write runs:/<run id>/<path>"))
    };
    let path = text.strip_prefix("runs:").and_then(|rest| rest.strip_prefix('/'));
    let path = path.ok_or_else(improper)?.trim_start_matches('/');
    match path.trim_end_matches('/').split_once('/') {
        Some((run_id, path)) if !run_id.is_empty() && !path.is_empty() => {
            Ok(ModelUri::Run { run_id: run_id.to_owned(), path: path.to_owned() })
        }
        _ => Err(improper()),
    }
}

impl fmt::Display for ModelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias { name, alias } => write!(f, "models:/{name}@{alias}"),
            Self::Version { name, version } => write!(f, "models:/{name}/{version}"),
            Self::Stage { name, stage } => write!(f, "models:/{name}/{stage}"),
            Self::Latest { name } => write!(f, "models:/{name}/latest"),
            Self::LoggedModel { model_id } => write!(f, "models:/{model_id}"),
            Self::Run { run_id, path } => write!(f, "runs:/{run_id}/{path}"),
            Self::Artifacts(uri) => f.write_str(&without_credentials(uri)),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The scheme of a URI, none for a path. One letter is a drive of Windows, not a scheme.
pub fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let is_scheme = scheme.len() > 1
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme.then_some(scheme)
}

/// The path that a `file:` URI means (`file:///a/b`, `file:/a/b`, `file:relative`), decoded.
pub fn file_uri_to_path(text: &str) -> Result<PathBuf> {
    let Some(rest) = text.strip_prefix("file:") else {
        return Err(Error::invalid(format!("not a file: URI: {text:?}")));
    };
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(with_host) => match with_host.find('/') {
            Some(start) => match with_host.get(..start) {
                Some("" | "localhost") => with_host.get(start..).unwrap_or_default(),
                host => {
                    return Err(Error::invalid(format!(
                        "{text:?} is on another machine ({}); only local files can be read",
                        host.unwrap_or_default()
                    )));
                }
            },
            None => {
                return Err(Error::invalid(format!(
                    "{text:?} has no path; write file:///absolute/path"
                )));
            }
        },
    };
    let decoded = percent_decode_str(path)
        .decode_utf8()
        .map_err(|error| Error::invalid(format!("{text:?} is not UTF-8: {error}")))?;
    if decoded.is_empty() || decoded.contains('\0') {
        return Err(Error::invalid(format!("{text:?} has no usable path")));
    }
    Ok(PathBuf::from(decoded.as_ref()))
}

/// The local path that an artifact URI means; none if it is not local.
pub fn local_path(uri: &str) -> Result<Option<PathBuf>> {
    match scheme(uri) {
        None => Ok(Some(PathBuf::from(uri))),
        Some("file") => file_uri_to_path(uri).map(Some),
        Some(_) => Ok(None),
    }
}

/// Joins a relative path to an artifact URI: `join("mlflow-artifacts:/1", "a/b")`. A query stays
/// at the end, as upstream's `append_to_uri_path` has it.
pub fn join(root_uri: &str, path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return root_uri.to_owned();
    }
    let (root, query) = match (scheme(root_uri), root_uri.split_once('?')) {
        (Some(_), Some((root, query))) => (root, Some(query)),
        _ => (root_uri, None),
    };
    // `mlflow-artifacts:/` keeps its one slash.
    let separator = if root.ends_with('/') { "" } else { "/" };
    match query {
        Some(query) => format!("{root}{separator}{path}?{query}"),
        None => format!("{root}{separator}{path}"),
    }
}

/// The URI without its user info, query and fragment, which may hold keys: for whatever is shown,
/// logged or answered. In doubt (a password with `/`, `?` or `@` in it) more is hidden than had to be.
/// The addresses of MLflow's pages of a run stay: its client prints them, and whoever trains follows them.
pub fn without_credentials(uri: &str) -> String {
    const HIDDEN: &str = "***";
    let Some((scheme, rest)) = uri.split_once("://") else {
        // Parsers of URLs also take `https:user:password@host`.
        return match scheme(uri) {
            Some(scheme @ ("http" | "https" | "ftp" | "sftp" | "s3" | "gs" | "postgresql"))
                if uri.contains('@') =>
            {
                format!("{scheme}:{HIDDEN}")
            }
            _ => uri.to_owned(),
        };
    };
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // `user:pass/word@host`: what looks like a port is the beginning of a password.
    let has_colon = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    if after.contains('@') && (has_colon || authority.contains('@')) {
        return format!("{scheme}://{HIDDEN}");
    }
    let shown = match authority.rsplit_once('@') {
        Some((container, _)) if is_container(scheme, container) => authority.to_owned(),
        Some((user, host)) if !user.is_empty() => match user.split_once(':') {
            Some((container, _)) if is_container(scheme, container) => {
                format!("{container}:{HIDDEN}@{host}")
            }
            _ => format!("{HIDDEN}@{host}"),
        },
        _ => authority.to_owned(),
    };
    match after.find(['?', '#']) {
        Some(start) => {
            let (path, query) = after.split_at(start);
            if is_page(query) {
                return format!("{scheme}://{shown}{after}");
            }
            let mark = query.get(..1).unwrap_or_default();
            format!("{scheme}://{shown}{path}{mark}{HIDDEN}")
        }
        None => format!("{scheme}://{shown}{after}"),
    }
}

/// Whether a fragment is the address of one of the pages that MLflow's client names, as in `#/experiments/1/runs/5e9d…`:
/// numbers and ids, no text of which a part could be a key.
fn is_page(fragment: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_id = |part: &str| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    match fragment.split('/').collect::<Vec<_>>().as_slice() {
        ["#", "experiments", experiment] => is_number(experiment),
        ["#", "experiments", experiment, "runs", run] => is_number(experiment) && is_id(run),
        ["#", "experiments", experiment, "models", model] => {
            is_number(experiment) && model.strip_prefix("m-").is_some_and(is_id)
        }
        _ => false,
    }
}

/// Whether user info is a container's name: `wasbs://container@account…`, which is no secret.
fn is_container(scheme: &str, user: &str) -> bool {
    matches!(scheme, "wasb" | "wasbs" | "abfs" | "abfss") && !user.contains(':')
}

/// Where experiments and models are kept: what `MLFLOW_TRACKING_URI` says.
#[derive(Clone, PartialEq, Eq)]
pub enum TrackingUri {
    /// `sqlite:///relative.db`, `sqlite:////absolute.db`
    Sqlite(PathBuf),
    /// `sqlite://` and `sqlite:///:memory:`: gone when the process ends.
    SqliteMemory,
    /// `postgresql://…` with one host or several, as it was written, with its credentials
    /// ([`TrackingUri::connection_url`]).
    Postgres(String),
    /// `http(s)://…`, with its credentials if it has some.
    Http(Url),
}

impl TrackingUri {
    /// What MLflow uses when nothing is said: `sqlite:///mlflow.db`.
    pub fn embedded() -> Self {
        Self::Sqlite(PathBuf::from("mlflow.db"))
    }

    /// `MLFLOW_TRACKING_URI`, or [`TrackingUri::embedded`] if it is unset or empty.
    pub fn from_env() -> Result<Self> {
        match std::env::var("MLFLOW_TRACKING_URI") {
            Ok(text) if !text.trim().is_empty() => text.trim().parse(),
            Ok(_) | Err(std::env::VarError::NotPresent) => Ok(Self::embedded()),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Error::invalid("MLFLOW_TRACKING_URI is not UTF-8"))
            }
        }
    }

    /// The whole URL with its credentials, for the one that connects. Never show it.
    pub fn connection_url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:///{}", path.display()),
            Self::SqliteMemory => "sqlite://".to_owned(),
            Self::Postgres(uri) => uri.clone(),
            Self::Http(url) => url.to_string(),
        }
    }

    /// Whether it is a server that is spoken to over HTTP.
    pub fn is_http(&self) -> bool {
        matches!(self, Self::Http(_))
    }
}

impl FromStr for TrackingUri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // Without a user: whatever is shown has none.
        const HINT: &str = "use sqlite:///mlflow.db, postgresql://host:5432/database or \
                            http(s)://host:port";
        let Some(scheme) = scheme(text) else {
            return Err(Error::invalid(format!(
                "{:?} is not a tracking URI; {HINT}. What MLflow kept in a folder is brought into a \
                 database by `trainyard server import FOLDER`",
                without_credentials(text)
            )));
        };
        // SQLAlchemy's `dialect+driver`; which driver is ours to choose.
        let dialect = scheme.split('+').next().unwrap_or(scheme).to_ascii_lowercase();
        match dialect.as_str() {
            "sqlite" => parse_sqlite(text),
            "postgresql" | "postgres" => {
                // Several hosts make it no URL of the standard; who connects reads it.
                let rest = text.get(scheme.len()..).unwrap_or_default();
                if !rest.starts_with("://") || rest.len() < 4 {
                    return Err(Error::invalid(format!(
                        "{} names no database; {HINT}",
                        without_credentials(text)
                    )));
                }
                Ok(Self::Postgres(format!("postgresql{rest}")))
            }
            "http" | "https" => {
                let url = Url::parse(text).map_err(|error| {
                    Error::invalid(format!("{}: {error}", without_credentials(text)))
                })?;
                Ok(Self::Http(url))
            }
            _ => Err(Error::invalid(format!(
                "{scheme}: tracking URIs are not supported ({}); {HINT}",
                without_credentials(text)
            ))),
        }
    }
}

fn parse_sqlite(text: &str) -> Result<TrackingUri> {
    let rest = text.split_once("://").map(|(_, rest)| rest);
    let rest = rest.map(|rest| rest.split_once('?').map_or(rest, |(path, _)| path));
    match rest.map(|rest| (rest, rest.strip_prefix('/'))) {
        Some(("" | "/" | "/:memory:", _)) => Ok(TrackingUri::SqliteMemory),
        Some((_, Some(path))) => Ok(TrackingUri::Sqlite(Path::new(path).to_path_buf())),
        _ => Err(Error::invalid(format!(
            "not a proper SQLite URI: {text:?}; write sqlite:///relative.db or \
             sqlite:////absolute.db"
        ))),
    }
}

impl fmt::Display for TrackingUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(_) | Self::SqliteMemory => f.write_str(&self.connection_url()),
            Self::Postgres(uri) => f.write_str(&without_credentials(uri)),
            Self::Http(url) => f.write_str(without_credentials(url.as_str()).trim_end_matches('/')),
        }
    }
}

/// As [`Display`](fmt::Display): credentials stay out of logs.
impl fmt::Debug for TrackingUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrackingUri({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_uris_are_read_and_written_back() {
        let alias =
            |name: &str, alias: &str| ModelUri::Alias { name: name.into(), alias: alias.into() };
        for (text, expected) in [
            ("models:/Iris@Production", alias("Iris", "Production")),
            ("models:/a@b@c", alias("a@b", "c")),
            ("models:/My%20Model@x", alias("My%20Model", "x")),
            ("models:/Iris/3", ModelUri::Version { name: "Iris".into(), version: "3".into() }),
            (
                "models:/Iris/Staging",
                ModelUri::Stage { name: "Iris".into(), stage: "Staging".into() },
            ),
            ("models:/Iris/latest", ModelUri::Latest { name: "Iris".into() }),
            ("models:/m-12ab", ModelUri::LoggedModel { model_id: "m-12ab".into() }),
            ("runs:/r1/a/b", ModelUri::Run { run_id: "r1".into(), path: "a/b".into() }),
            ("mlflow-artifacts:/1/m", ModelUri::Artifacts("mlflow-artifacts:/1/m".into())),
            ("./models/a:b", ModelUri::Folder("./models/a:b".into())),
            ("C:model", ModelUri::Folder("C:model".into())),
        ] {
            let uri: ModelUri = text.parse().unwrap();
            assert_eq!(uri, expected, "{text}");
            assert_eq!(uri.to_string(), text);
        }
        assert_eq!(
            "models:/Iris/LATEST".parse::<ModelUri>().unwrap(),
            ModelUri::Latest { name: "Iris".into() }
        );
        assert_eq!(
            "models://Iris/1".parse::<ModelUri>().unwrap(),
            ModelUri::Version { name: "Iris".into(), version: "1".into() }
        );
        assert_eq!(
            "file:///a%20b/c".parse::<ModelUri>().unwrap(),
            ModelUri::Folder("/a b/c".into())
        );
    }

    #[test]
    fn improper_model_uris_are_refused_with_the_uri() {
        for text in [
            "models:/",
            "models:Iris/1",
            "models:/a/b/c",
            "models:/Iris/",
            "models:/Iris@",
            "models:/@x",
            "models:/ /1",
            "runs:/",
            "runs:/abc",
            "runs:abc/d",
            "runs:/abc/",
            "file://host/path",
            "file://",
            "",
        ] {
            let error = text.parse::<ModelUri>().unwrap_err();
            assert!(error.to_string().contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn tracking_uris_are_read_as_sqlalchemy_reads_them() {
        let sqlite = |path: &str| TrackingUri::Sqlite(path.into());
        for (text, expected) in [
            ("sqlite:///mlflow.db", sqlite("mlflow.db")),
            ("sqlite:////tmp/a b.db", sqlite("/tmp/a b.db")),
            ("sqlite:///a.db?timeout=5", sqlite("a.db")),
            ("sqlite+pysqlite:///a.db", sqlite("a.db")),
            ("sqlite://", TrackingUri::SqliteMemory),
            ("sqlite:///:memory:", TrackingUri::SqliteMemory),
        ] {
            assert_eq!(text.parse::<TrackingUri>().unwrap(), expected, "{text}");
        }
        let postgres: TrackingUri = "postgresql+psycopg2://u:p@h:1/db".parse().unwrap();
        assert_eq!(postgres.connection_url(), "postgresql://u:p@h:1/db");
        let several = "postgresql://u:p@one:1,two:2/db?target_session_attrs=read-write";
        assert_eq!(several.parse::<TrackingUri>().unwrap().connection_url(), several);
        for text in ["./mlruns", "mysql://h/db", "databricks", "sqlite:mlflow.db", "http://"] {
            let error = text.parse::<TrackingUri>().unwrap_err();
            assert!(error.to_string().len() > 10, "{text}: {error}");
        }
    }

    #[test]
    fn credentials_are_never_shown() {
        for text in [
            "postgresql://me:secret@db.example/x?sslpassword=secret",
            "postgresql://me:se%40cret@db.example/x",
            "postgresql://me:secret@one.example:1,two.example:2/x",
            "https://me:secret@mlflow.example/base",
            "https://secret@mlflow.example",
        ] {
            let uri: TrackingUri = text.parse().unwrap();
            let shown = format!("{uri} {uri:?}");
            assert!(!shown.contains("secret") && !shown.contains("cret"), "{shown}");
            assert!(shown.contains(".example"), "{shown}");
            assert!(uri.connection_url().contains("cret"));
        }
        let error = "mysql://me:secret@h/x".parse::<TrackingUri>().unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!"s3://key:secret@b/x".parse::<ModelUri>().unwrap().to_string().contains("secret"));
    }

    #[test]
    fn shown_uris_have_no_keys_in_them() {
        for (uri, shown) in [
            ("s3://bucket/a@b/c", "s3://bucket/a@b/c"),
            ("models:/Iris@Production", "models:/Iris@Production"),
            ("/data/a@b?c", "/data/a@b?c"),
            ("http://[::1]:5000/x", "http://[::1]:5000/x"),
            ("s3://key:SECRET@bucket/x", "s3://***@bucket/x"),
            ("ftp://SECRET@host/x", "ftp://***@host/x"),
            ("https://u:SECRET@host:1/x#SECRET", "https://***@host:1/x#***"),
            ("https://host/x?sig=SECRET", "https://host/x?***"),
            ("http://u:SECRET@host/#/experiments/1", "http://***@host/#/experiments/1"),
            (
                "http://host/#/experiments/1/runs/0123456789abcdef0123456789abcdef",
                "http://host/#/experiments/1/runs/0123456789abcdef0123456789abcdef",
            ),
            (
                "http://host/#/experiments/1/models/m-0123456789abcdef0123456789abcdef",
                "http://host/#/experiments/1/models/m-0123456789abcdef0123456789abcdef",
            ),
            ("http://host/#/experiments/1/runs/SECRET", "http://host/#***"),
            ("http://host/#/experiments/1?key=SECRET", "http://host/#***"),
            (
                "wasbs://box@account.blob.core.windows.net/x",
                "wasbs://box@account.blob.core.windows.net/x",
            ),
            ("wasbs://box:SECRET@a.net/x?SECRET", "wasbs://box:***@a.net/x?***"),
            ("postgresql://u:SEC/RET@host/db", "postgresql://***"),
            ("postgresql://u:12/34@host/db", "postgresql://***"),
            ("postgresql://u:SEC?RET@host/db", "postgresql://***"),
            ("postgresql://u:SEC@RET/SECRET@host/db", "postgresql://***"),
            ("postgresql://u:SEC@RET@host/db", "postgresql://***@host/db"),
            ("https:u:SECRET@host", "https:***"),
        ] {
            assert_eq!(without_credentials(uri), shown, "{uri}");
        }
    }

    #[test]
    fn paths_are_joined_to_roots() {
        for (root, path, expected) in [
            ("mlflow-artifacts:/", "a", "mlflow-artifacts:/a"),
            ("mlflow-artifacts:/1/x", "/a/b/", "mlflow-artifacts:/1/x/a/b"),
            ("/tmp/x?y", "a", "/tmp/x?y/a"),
            ("s3://b/k?versionId=1", "a", "s3://b/k/a?versionId=1"),
            ("file:///x", "", "file:///x"),
        ] {
            assert_eq!(join(root, path), expected);
        }
    }
}
