//! What `[serve]` takes from the environment of whoever releases: its token, and variables of the instances. It
//! is taken once, at the release, and kept with it (readable by the owner alone): an instance that is started
//! again by somebody else has the same.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use trainyard_base::words::{PROBE_ID_VARIABLE, TOKEN_FILE_VARIABLE, TOKEN_VARIABLE};

/// A token is a line of text; more is not a token.
const TOKEN_BYTES_MAX: u64 = 4096;

/// How a value is written that is the name of a variable.
const OF_VARIABLE: &str = "env:";

/// Variables that are the deployer's to set.
const OURS: [&str; 14] = [
    "MLFLOW_TRACKING_URI",
    "MODEL_NAME",
    "MODEL_STAGE",
    "TRAINYARD_HOST",
    "TRAINYARD_PORT",
    "TRAINYARD_TLS_CERT",
    "TRAINYARD_TLS_KEY",
    TOKEN_FILE_VARIABLE,
    TOKEN_VARIABLE,
    "TRAINYARD_PREDICTION_LOG",
    "TRAINYARD_MODEL_CACHE",
    "TRAINYARD_DEPLOYMENT",
    "TRAINYARD_INSTANCE",
    PROBE_ID_VARIABLE,
];

/// The value of a variable of the instances.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a text, or { from = \"NAME\" } for a variable of the deployer")]
pub enum Value {
    /// As it is written; `env:NAME` is the variable of the deployer.
    Text(String),
    /// What a variable of the deployer has.
    Variable(Variable),
}

/// `{ from = "NAME" }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The variable of the deployer.
    pub from: String,
}

impl Value {
    /// The variable of the deployer that it names, if it names one.
    fn variable(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.strip_prefix(OF_VARIABLE),
            Self::Variable(Variable { from }) => Some(from),
        }
    }
}

/// What somebody wrote down may be a secret all the same.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.variable() {
            Some(name) => write!(f, "env:{name}"),
            None => f.write_str("…"),
        }
    }
}

/// Refuses names that no variable has, and those that are the deployer's.
pub(crate) fn check(
    variables: &BTreeMap<String, Value>,
    token_env: Option<&str>,
) -> Result<(), String> {
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let from = variables.values().filter_map(Value::variable).chain(token_env);
    for name in variables.keys().map(String::as_str).chain(from) {
        if !is_name(name) {
            return Err(format!("[serve]: {name:?} is no name of a variable"));
        }
    }
    match variables.keys().find(|name| OURS.contains(&name.as_str())) {
        Some(name) => Err(format!("serve.env: {name} is set by the release itself")),
        None => Ok(()),
    }
}

/// The variables of the instances, by what `lookup` has of the deployer's.
pub(crate) fn taken(
    variables: &BTreeMap<String, Value>,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, String> {
    let value = |(name, value): (&String, &Value)| {
        let value = match (value.variable(), value) {
            (Some(from), _) => lookup(from).ok_or_else(|| {
                format!(
                    "serve.env.{name}: the variable {from} is not set where the release is made"
                )
            })?,
            (None, Value::Text(text)) => text.clone(),
            (None, Value::Variable(_)) => String::new(),
        };
        Ok::<_, String>((name.clone(), value))
    };
    variables.iter().map(value).collect()
}

/// Where the bearer token of the instances is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// In a file.
    File(PathBuf),
    /// In a variable of the deployer.
    Variable(String),
}

/// The bearer token of the instances.
pub(crate) fn token(
    source: &TokenSource,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let (key, text) = match source {
        TokenSource::File(path) => {
            let text = read(path)
                .map_err(|error| format!("serve.token_file: {}: {error}", path.display()))?;
            ("token_file", text)
        }
        TokenSource::Variable(name) => {
            let text = lookup(name).ok_or_else(|| {
                format!("serve.token_env: the variable {name} is not set where the release is made")
            })?;
            ("token_env", text)
        }
    };
    let token = text.trim();
    // As a header can carry it.
    let is_token = token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if token.is_empty() || token.len() as u64 > TOKEN_BYTES_MAX || !is_token {
        return Err(format!(
            "serve.{key}: one line of at most {TOKEN_BYTES_MAX} characters of ASCII is wanted"
        ));
    }
    Ok(token.to_owned())
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    // A byte more than a token has, and its line end: what is longer is seen to be.
    std::fs::File::open(path)?.take(TOKEN_BYTES_MAX + 3).read_to_string(&mut text)?;
    Ok(text)
}

/// A variable of this process that is there and not empty.
pub(crate) fn lookup(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> BTreeMap<String, Value> {
        toml::from_str(text).unwrap()
    }

    fn lookup(name: &str) -> Option<String> {
        (name == "GIVEN").then(|| " s3cret\n".to_owned())
    }

    #[test]
    fn variables_are_written_down_or_taken_from_the_deployer() {
        let with = of("A = \"plain\"\nB = { from = \"GIVEN\" }\nC = \"env:GIVEN\"");
        assert_eq!(check(&with, None), Ok(()));
        let found = taken(&with, &lookup).unwrap();
        let expected = [("A", "plain"), ("B", " s3cret\n"), ("C", " s3cret\n")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(!format!("{with:?}").contains("plain"), "{with:?}");
        let error = taken(&of("A = { from = \"MISSING\" }"), &lookup).unwrap_err();
        assert!(error.contains("serve.env.A") && error.contains("MISSING"), "{error}");
        for wrong in ["\"A=B\" = \"1\"", "A = \"env:\"", "\"\" = \"1\""] {
            assert!(check(&of(wrong), None).unwrap_err().contains("no name"), "{wrong}");
        }
        assert!(check(&of(""), Some("A B")).unwrap_err().contains("no name"));
        let ours = check(&of("TRAINYARD_TOKEN_FILE = \"x\""), None).unwrap_err();
        assert!(ours.contains("TRAINYARD_TOKEN_FILE"), "{ours}");
        assert!(toml::from_str::<BTreeMap<String, Value>>("A = { form = \"B\" }").is_err());
    }

    #[test]
    fn a_token_is_one_line() {
        let of_variable = |name: &str| token(&TokenSource::Variable(name.to_owned()), &lookup);
        assert_eq!(of_variable("GIVEN"), Ok("s3cret".to_owned()));
        assert!(of_variable("MISSING").unwrap_err().contains("MISSING"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let of_file = || token(&TokenSource::File(path.clone()), &lookup);
        assert!(of_file().unwrap_err().contains("serve.token_file"));
        for (text, is_token) in [
            ("abc\n", true),
            ("a\nb\n", false),
            ("\n", false),
            (&*"x".repeat(4096), true),
            (&*"x".repeat(5000), false),
            ("ü", false),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(of_file().is_ok(), is_token, "{text:.20}");
        }
    }
}
