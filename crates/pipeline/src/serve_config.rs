//! `[serve]`: what the model server of a deployment is told. All of it is part of a release, so that a rollback
//! brings it back, and an instance that is started again is what it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use trainyard_base::{Advise as _, duration, size};
use trainyard_deploy::REPLICAS_MAX;
use trainyard_mlflow::uri::ModelUri;
use trainyard_serve::LogOptions;

use crate::serve_environment::{self, TokenSource, Value};

/// Python workers of an instance; each loads the model.
const WORKERS_MAX: usize = 256;

/// Flags of `serve` that the deployer sets, and what a project writes instead.
const FLAGS: [(&str, &str); 24] = [
    ("--host", "the deployer gives each instance an address"),
    ("--port", "the deployer gives each instance an address"),
    ("-p", "the deployer gives each instance an address"),
    ("--tls-cert", "the gateway speaks TLS, see [deploy]"),
    ("--tls-key", "the gateway speaks TLS, see [deploy]"),
    ("--model-uri", "a release serves its version; further ones are `models` under [serve]"),
    ("-m", "a release serves its version; further ones are `models` under [serve]"),
    ("--model-name", "a release serves its version; further ones are `models` under [serve]"),
    ("--model-stage", "a release serves its version; further ones are `models` under [serve]"),
    ("--tracking-uri", "write `uri` under [tracking]"),
    ("--prediction-log", "the log is below `state` of [deploy]"),
    ("--probe-id", "each release has its own"),
    ("--token-file", "write `token_file` or `token_env` under [serve]"),
    ("--python-workers", "write `python_workers` under [serve]"),
    ("--python", "write `python` under [serve]"),
    ("--lenient", "write `lenient` under [serve]"),
    ("--memory-limit", "write `memory_limit` under [serve]"),
    ("--prediction-log-commit", "write `log.commit = true` under [serve]"),
    ("--prediction-log-keep", "write `log.keep` under [serve]"),
    ("--prediction-log-keep-size", "write `log.max_size` under [serve]"),
    ("--prediction-log-max", "write `log.quota` under [serve]"),
    ("--prediction-log-summaries", "write `log.summaries` under [serve]"),
    ("--prediction-log-summaries-keep", "write `log.summaries_keep` under [serve]"),
    ("--prediction-log-summaries-days-after", "write `log.summaries_days_after` under [serve]"),
];

/// `[serve]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// Python processes for a model that has no other way; none if it is left out, `0` or `"off"`. The gate
    /// scores versions with them, too.
    #[serde(deserialize_with = "workers")]
    pub python_workers: usize,
    /// Interpreter of the workers, relative to the project; by default an environment is made from the
    /// model's requirements.
    pub python: Option<PathBuf>,
    /// File with the bearer token that requests must carry, relative to the project.
    pub token_file: Option<PathBuf>,
    /// The variable of the deployer with that token.
    pub token_env: Option<String>,
    /// Cast values as MLflow's server does, even where that loses information.
    pub lenient: bool,
    /// Memory that an instance may take: a model that does not fit below is not loaded.
    pub memory_limit: Option<String>,
    /// What the prediction log may take.
    pub log: LogLimits,
    /// Further models by name, which answer under `/models/<name>/`. They follow what they name; the
    /// project's own is the version of the release.
    pub models: BTreeMap<String, String>,
    /// Instances of a release; one if none.
    pub replicas: Option<u32>,
    /// Variables of the instances.
    pub env: BTreeMap<String, Value>,
    /// Further arguments of `serve`.
    pub extra_args: Vec<String>,
}

/// `[serve] log`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogLimits {
    /// What is older is removed.
    #[serde(deserialize_with = "duration::deserialize_some")]
    pub keep: Option<Duration>,
    /// The oldest is removed where there is more than this.
    pub max_size: Option<String>,
    /// Nothing more is written where there is more than this.
    pub quota: Option<String>,
    /// What summaries may take, which stay when rows are removed; "0" for none.
    pub summaries: Option<String>,
    /// Summaries of what is older are removed.
    #[serde(deserialize_with = "duration::deserialize_some")]
    pub summaries_keep: Option<Duration>,
    /// When summaries of hours are merged to days; "off" for never.
    pub summaries_days_after: Option<String>,
    /// Whether answers wait until their rows are durable.
    pub commit: bool,
}

impl LogLimits {
    /// The flags, and their values.
    fn arguments(&self) -> Result<Vec<String>, String> {
        let mut arguments = Vec::new();
        if let Some(keep) = self.keep {
            // The flag has whole seconds.
            if keep.as_secs() == 0 {
                return Err("serve.log.keep is less than a second, which keeps nothing".to_owned());
            }
            arguments.extend(["--prediction-log-keep".to_owned(), format!("{}s", keep.as_secs())]);
        }
        for (key, flag, text) in [
            ("max_size", "--prediction-log-keep-size", &self.max_size),
            ("quota", "--prediction-log-max", &self.quota),
        ] {
            if let Some(bytes) = bytes(&format!("log.{key}"), text.as_deref())? {
                arguments.extend([flag.to_owned(), bytes.to_string()]);
            }
        }
        if let Some(text) = &self.summaries {
            let bytes = size::parse_or_off(text)
                .map_err(|error| format!("serve.log.summaries: {error}"))?;
            arguments.extend(["--prediction-log-summaries".to_owned(), bytes.to_string()]);
        }
        if let Some(keep) = self.summaries_keep {
            if keep.as_secs() == 0 {
                return Err(
                    "serve.log.summaries_keep is less than a second; write `summaries = \"0\"`"
                        .to_owned(),
                );
            }
            let flag = "--prediction-log-summaries-keep".to_owned();
            arguments.extend([flag, format!("{}s", keep.as_secs())]);
        }
        if let Some(text) = &self.summaries_days_after {
            let wrong = |error: &str| format!("serve.log.summaries_days_after: {error}");
            let after = duration::parse_or_off(text).map_err(|error| wrong(&error.to_string()))?;
            if after.is_some_and(|after| after < LogOptions::DAYS_AFTER_MIN) {
                return Err(wrong("an hour or more, or \"off\""));
            }
            let after = after.map_or("off".to_owned(), |after| format!("{}s", after.as_secs()));
            arguments.extend(["--prediction-log-summaries-days-after".to_owned(), after]);
        }
        if self.commit {
            arguments.push("--prediction-log-commit".to_owned());
        }
        Ok(arguments)
    }
}

impl Serve {
    /// Rules that span keys. `model` is the project's own, which has a name already.
    pub fn check(&self, model: &str) -> Result<(), String> {
        if self.python_workers > WORKERS_MAX {
            return Err(format!("serve.python_workers: at most {WORKERS_MAX} are started"));
        }
        if self.python.is_some() && self.python_workers == 0 {
            return Err("serve.python is the interpreter of Python workers; set \
                        serve.python_workers too"
                .to_owned());
        }
        if self.token_file.is_some() && self.token_env.is_some() {
            return Err("[serve] has both `token_file` and `token_env`; keep one".to_owned());
        }
        if self.replicas.is_some_and(|replicas| !(1..=REPLICAS_MAX).contains(&replicas)) {
            return Err(format!("serve.replicas: a number from 1 to {REPLICAS_MAX}"));
        }
        for (name, uri) in &self.models {
            check_model(name, uri, model)?;
        }
        for argument in &self.extra_args {
            check_argument(argument)?;
        }
        serve_environment::check(&self.env, self.token_env.as_deref())?;
        self.arguments().map(drop)
    }

    /// Instances of a release.
    pub fn replicas(&self) -> u32 {
        self.replicas.unwrap_or(1)
    }

    /// Where the token of the instances is; none if they want none.
    pub(crate) fn token(&self, project: &Path) -> Option<TokenSource> {
        let of_file = self.token_file.as_ref().map(|file| TokenSource::File(project.join(file)));
        of_file.or_else(|| self.token_env.clone().map(TokenSource::Variable))
    }

    /// What `serve` is told beside its model and its address.
    pub fn arguments(&self) -> Result<Vec<String>, String> {
        let mut arguments = Vec::new();
        if self.lenient {
            arguments.push("--lenient".to_owned());
        }
        if let Some(bytes) = bytes("memory_limit", self.memory_limit.as_deref())? {
            arguments.extend(["--memory-limit".to_owned(), bytes.to_string()]);
        }
        if self.python_workers > 0 {
            arguments.extend(["--python-workers".to_owned(), self.python_workers.to_string()]);
            if let Some(python) = &self.python {
                arguments.extend(["--python".to_owned(), python.display().to_string()]);
            }
            // What a project names is meant for its model's code, too.
            for name in self.env.keys() {
                arguments.extend(["--python-env".to_owned(), name.clone()]);
            }
        }
        arguments.extend(self.log.arguments()?);
        Ok(arguments)
    }

    /// The further models, as `serve` is told of them.
    pub fn further_models(&self) -> impl Iterator<Item = String> {
        self.models.iter().map(|(name, uri)| format!("{name}={uri}"))
    }
}

/// A number, or `"off"`.
fn workers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number of Python workers, or \"off\"")]
    enum Workers {
        Count(usize),
        Word(Off),
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Off {
        Off,
    }
    Ok(match Workers::deserialize(deserializer)? {
        Workers::Count(count) => count,
        Workers::Word(Off::Off) => 0,
    })
}

fn bytes(key: &str, text: Option<&str>) -> Result<Option<u64>, String> {
    let Some(text) = text else { return Ok(None) };
    let bytes = size::parse(text).map_err(|error| format!("serve.{key}: {error}"))?;
    if bytes == 0 {
        return Err(format!("serve.{key} = {text:?} leaves no room"));
    }
    Ok(Some(bytes))
}

/// A name that a path can have, and what a registry knows.
fn check_model(name: &str, uri: &str, own: &str) -> Result<(), String> {
    if name.is_empty() || name.contains(['/', ':', '.', '=']) {
        return Err(format!("serve.models: {name:?} must not be empty nor contain / : . or ="));
    }
    if name == own {
        return Err(format!(
            "serve.models: {name:?} is the project's own model, which has its path"
        ));
    }
    let parsed = uri.parse::<ModelUri>();
    match parsed.map_err(|error| format!("serve.models.{name}: {}", error.sentence()))? {
        ModelUri::Folder(_) | ModelUri::Artifacts(_) => Err(format!(
            "serve.models.{name} = {uri:?}: a model of the registry is wanted, like \
             \"models:/Iris@Production\" or \"models:/Iris/3\""
        )),
        _ => Ok(()),
    }
}

fn check_argument(argument: &str) -> Result<(), String> {
    let flag = argument.split_once('=').map_or(argument, |(flag, _)| flag);
    let is_it = |name: &str| {
        // The value of a short flag may stand right behind it.
        let is_short = !name.starts_with("--") && !flag.starts_with("--");
        flag == name || (is_short && flag.starts_with(name))
    };
    match FLAGS.iter().find(|(name, _)| is_it(name)) {
        Some((name, instead)) => Err(format!("serve.extra_args: {name} is not for it; {instead}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Serve, String> {
        let config: Serve = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check("Iris")?;
        Ok(config)
    }

    #[test]
    fn keys_are_flags_of_serve() {
        let config = parse(
            "python_workers = 2\npython = \"/usr/bin/python3\"\nlenient = true\n\
             memory_limit = \"1GiB\"\nlog = { keep = \"30d\", max_size = \"10GiB\", quota = \"20GiB\", \
             summaries = \"0\", summaries_keep = \"400d\", summaries_days_after = \"off\", \
             commit = true }\n\
             replicas = 3\nenv = { MODE = \"fast\" }\nextra_args = [\"--max-requests\", \"9\"]\n\
             models = { wine = \"models:/Wine@Production\" }\n",
        )
        .unwrap();
        assert_eq!(config.replicas(), 3);
        assert_eq!(config.further_models().collect::<Vec<_>>(), ["wine=models:/Wine@Production"]);
        assert_eq!(
            config.arguments().unwrap().join(" "),
            "--lenient --memory-limit 1073741824 --python-workers 2 --python /usr/bin/python3 \
             --python-env MODE --prediction-log-keep 2592000s \
             --prediction-log-keep-size 10737418240 --prediction-log-max 21474836480 \
             --prediction-log-summaries 0 --prediction-log-summaries-keep 34560000s \
             --prediction-log-summaries-days-after off --prediction-log-commit"
        );
        let config = parse("").unwrap();
        assert_eq!((config.replicas(), config.arguments()), (1, Ok(Vec::new())));
        assert_eq!(parse("python_workers = \"off\"").unwrap().python_workers, 0);
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_key() {
        for (text, expected) in [
            ("python_workers = \"many\"", "or \"off\""),
            ("python_workers = 1000", "serve.python_workers"),
            ("python = \"python3\"", "serve.python_workers"),
            ("token_file = \"a\"\ntoken_env = \"B\"", "keep one"),
            ("replicas = 0", "serve.replicas"),
            ("memory_limit = \"lots\"", "serve.memory_limit"),
            ("log = { keep = \"0s\" }", "serve.log.keep"),
            ("log = { keep = \"500ms\" }", "serve.log.keep"),
            ("log = { keep = \"soon\" }", "duration"),
            ("log = { max_size = \"0\" }", "serve.log.max_size"),
            ("log = { size = \"1g\" }", "size"),
            ("log = { summaries = \"some\" }", "serve.log.summaries"),
            ("log = { summaries_keep = \"500ms\" }", "serve.log.summaries_keep"),
            ("log = { summaries_days_after = \"1m\" }", "an hour or more"),
            ("log = { summaries_days_after = \"never\" }", "serve.log.summaries_days_after"),
            ("models = { Iris = \"models:/Iris/1\" }", "the project's own"),
            ("models = { \"a/b\" = \"models:/Iris/1\" }", "serve.models"),
            ("models = { a = \"models:/Iris\\n/1/2\" }", "serve.models.a"),
            ("models = { a = \"./folder\" }", "a model of the registry"),
            ("extra_args = [\"--port\", \"1\"]", "an address"),
            ("extra_args = [\"--model-uri=models:/A/1\"]", "`models`"),
            ("extra_args = [\"-p80\"]", "an address"),
            ("extra_args = [\"--lenient\"]", "`lenient`"),
            ("env = { TRAINYARD_PORT = \"1\" }", "TRAINYARD_PORT"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
        assert!(parse("extra_args = [\"--max-body\", \"1MiB\", \"--python-env\", \"A\"]").is_ok());
    }
}
