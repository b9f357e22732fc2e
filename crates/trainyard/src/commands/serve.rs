//! `trainyard serve`: the model server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use trainyard_base::{size, words};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{Tracking, resolve};
use trainyard_pipeline::{FileFlavor, check_model_folder};
use trainyard_serve::{ModelCache, ModelSource, PythonOptions, ServeOptions};
use trainyard_signature::model::MlModel;
use trainyard_tracking::OpenOptions;

use super::ready::Ready;
use super::serve_log::LogArguments;
use super::tls::{self, TlsArguments};
use super::{listen, model_file, server_signals};
use crate::failure::Failure;

/// Serve a model over HTTP and follow its alias.
///
/// POST /predict takes records; POST /invocations is MLflow's scoring protocol; GET /health answers
/// 200 only when the model is loaded and has reproduced its own input example.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  MODEL_NAME=IrisClassifier MODEL_STAGE=Production trainyard serve\n  trainyard serve --model-uri models:/IrisClassifier/3 --port 8080"
)]
pub(crate) struct Arguments {
    /// Model: a folder, a file such as model.joblib, models:/Name@alias, models:/Name/3, runs:/ID/path.
    /// Several may be given, also as NAME=URI; each answers under /models/NAME/, the first also at the root
    #[arg(long, short, value_name = "URI", conflicts_with = "model_name", help_heading = "Model")]
    model_uri: Vec<String>,
    /// What wrote a model file [default: by its name]
    #[arg(long, value_enum, requires = "model_uri", help_heading = "Model")]
    flavor: Option<FileFlavor>,
    /// Registered model
    #[arg(long, env = "MODEL_NAME", value_name = "NAME", help_heading = "Model")]
    model_name: Option<String>,
    /// Alias (or legacy stage) of the version to serve and follow
    #[arg(
        long,
        env = "MODEL_STAGE",
        default_value = "Production",
        value_name = "ALIAS",
        help_heading = "Model"
    )]
    model_stage: String,
    /// Tracking server or database
    #[arg(
        long,
        env = "MLFLOW_TRACKING_URI",
        hide_env_values = true,
        default_value = "sqlite:///mlflow.db",
        value_name = "URI",
        help_heading = "Model"
    )]
    tracking_uri: String,
    /// How often the alias is looked up
    #[arg(long, default_value = "5s", value_parser = trainyard_base::duration::parse, value_name = "TIME", help_heading = "Model")]
    poll: Duration,
    /// Folder where the model that serves is kept on this disk: it is started from when the registry cannot
    /// be reached
    #[arg(long, env = "TRAINYARD_MODEL_CACHE", value_name = "DIR", help_heading = "Model")]
    model_cache: Option<PathBuf>,
    /// Disk that all models kept there may take; a larger one is not kept
    #[arg(long, default_value = "10GiB", value_parser = size::parse, value_name = "BYTES", help_heading = "Model")]
    model_cache_max: u64,
    /// Start even if the model or the registry is not there yet, and keep looking
    #[arg(long, help_heading = "Model")]
    wait: bool,
    /// Cast values as MLflow's server does, even where that loses information
    #[arg(long, help_heading = "Model")]
    lenient: bool,
    /// Refuse a model that has no input example, or one that says nothing about the model
    #[arg(long, help_heading = "Model")]
    require_verified: bool,
    /// Address to listen on
    #[arg(long, env = "TRAINYARD_HOST", default_value = "127.0.0.1", help_heading = "Listening")]
    host: String,
    /// Port to listen on; 0 picks a free one
    #[arg(long, short, env = "TRAINYARD_PORT", default_value_t = 8080, help_heading = "Listening")]
    port: u16,
    #[command(flatten)]
    tls: TlsArguments,
    /// After SIGTERM, go on accepting for so long while /health already says 503
    #[arg(long, default_value = "0s", value_parser = trainyard_base::duration::parse, value_name = "TIME", help_heading = "Listening")]
    drain_delay: Duration,
    /// File with the bearer token that requests must carry; `TRAINYARD_TOKEN` may have the token itself
    #[arg(long, env = "TRAINYARD_TOKEN_FILE", value_name = "FILE", help_heading = "Listening")]
    token_file: Option<PathBuf>,
    /// File with the secret that webhooks of the registry are signed with (POST /webhook)
    #[arg(
        long,
        env = "TRAINYARD_WEBHOOK_SECRET_FILE",
        value_name = "FILE",
        help_heading = "Listening"
    )]
    webhook_secret_file: Option<PathBuf>,
    /// Memory the server may take, as in 512MiB; a model that does not fit below is not loaded
    #[arg(long, value_parser = size::parse, value_name = "BYTES", help_heading = "Model")]
    memory_limit: Option<u64>,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    python: PythonArguments,
    #[command(flatten)]
    log: LogArguments,
    /// Request id of a release's own predictions; set by `deploy`
    #[arg(long, env = words::PROBE_ID_VARIABLE, hide = true)]
    probe_id: Option<String>,
    /// Write one request in so many to the log (with -v); 0 for none
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Logging")]
    access_log_sample: u64,
}

/// What requests and connections may take. At each of these limits comes an answer.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
#[expect(clippy::struct_field_names, reason = "they are the names of flags")]
struct LimitArguments {
    /// Open connections; on further ones only /health, /ping and /version are answered
    #[arg(long, default_value_t = 4096, value_name = "N")]
    max_connections: usize,
    /// Open connections of one address [default: half of all]
    #[arg(long, value_name = "N")]
    max_per_address: Option<usize>,
    /// Requests that are predicted at a time; further ones get 429
    #[arg(long, default_value_t = 512, value_name = "N")]
    max_requests: usize,
    /// Body of a request, as in 16MiB; larger ones get 413
    #[arg(long, default_value = "16MiB", value_parser = size::parse, value_name = "BYTES")]
    max_body: u64,
    /// Memory of all requests together, as in 256MiB; at the limit they get 429 [default: a quarter of
    /// what the process may take]
    #[arg(long, value_parser = size::parse, value_name = "BYTES")]
    max_request_memory: Option<u64>,
}

impl LimitArguments {
    fn apply(&self, limits: &mut trainyard_serve::Limits) {
        limits.connections_max = self.max_connections;
        limits.connections_per_address_max = self.max_per_address;
        limits.concurrency_max = self.max_requests;
        limits.body_bytes_max = usize::try_from(self.max_body).unwrap_or(usize::MAX);
        limits.requests_bytes_max = self.max_request_memory;
    }
}

/// Models that only Python can run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Python")]
pub(super) struct PythonArguments {
    /// Run models that have no other way in so many Python processes each. Their code is executed:
    /// serve only models that you trust
    #[arg(long, default_value_t = 0, value_name = "N")]
    python_workers: usize,
    /// Interpreter with MLflow, pyarrow and what the model needs; by default an environment is made
    /// from the model's requirements.txt, by uv or else by venv and pip
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// A worker that takes longer over a request is killed, and the answer is 504
    #[arg(long, default_value = "30s", value_parser = trainyard_base::duration::parse, value_name = "TIME")]
    python_timeout: Duration,
    /// Address space of a worker, as in 4GiB
    #[arg(long, value_parser = size::parse, value_name = "BYTES")]
    python_memory: Option<u64>,
    /// Requests that may wait for a worker; further ones get 429
    #[arg(long, default_value_t = 64, value_name = "N")]
    python_queue: usize,
    /// Variables of this process that workers see too; may be given several times. They see PATH, HOME,
    /// the language and the like, and no others
    #[arg(long, value_name = "NAME")]
    python_env: Vec<String>,
    /// Folder where environments are kept [default: ~/.cache/trainyard/python]
    #[arg(long, env = "TRAINYARD_PYTHON_CACHE", value_name = "DIR")]
    python_cache: Option<PathBuf>,
    /// Size of all environments together, as in 20GiB. Those that no process uses are removed, the longest
    /// unused ones first, and each after 30 days [default: 20GiB]
    #[arg(long, env = "TRAINYARD_PYTHON_CACHE_MAX", value_parser = size::parse, value_name = "BYTES")]
    python_cache_max: Option<u64>,
}

impl PythonArguments {
    /// The workers; none where none are asked for.
    pub(super) fn options(&self) -> Result<Option<PythonOptions>, Failure> {
        if self.python_workers == 0 {
            return match &self.python {
                Some(_) => Err(Failure::input("--python is of no use without --python-workers")
                    .hint("add --python-workers 2")),
                None => Ok(None),
            };
        }
        let mut options = PythonOptions::new(self.python_workers);
        options.interpreter = self.python.as_deref().map(interpreter).transpose()?;
        options.request_timeout = self.python_timeout;
        options.memory_bytes_max = self.python_memory;
        options.queue_max = self.python_queue;
        options.variables.clone_from(&self.python_env);
        if let Some(cache) = &self.python_cache {
            options.cache_dir.clone_from(cache);
        }
        options.cache_bytes_max = self.python_cache_max.unwrap_or(PythonOptions::CACHE_BYTES_MAX);
        Ok(Some(options))
    }
}

/// Workers run in a folder of their own, so a relative path must become a whole one; a bare name
/// is looked up on the PATH there as well.
fn interpreter(path: &Path) -> Result<PathBuf, Failure> {
    if path.components().count() == 1 && !path.is_file() {
        return Ok(path.to_owned());
    }
    std::path::absolute(path)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display())))
}

/// A token is a line of text; more is not a token file.
const TOKEN_BYTES_MAX: usize = 4096;

impl Arguments {
    fn options(&self) -> Result<ServeOptions, Failure> {
        let mut named = self.model_uri.iter().map(|text| named_source(text));
        let (name, source) = match (named.next().transpose()?, &self.model_name) {
            (Some(first), _) => first,
            (None, Some(name)) => {
                let stage = self.model_stage.clone();
                (None, ModelSource::Registry { name: name.clone(), stage })
            }
            (None, None) => {
                return Err(Failure::input("no model to serve")
                    .hint("set MODEL_NAME (and MODEL_STAGE), or give --model-uri"));
            }
        };
        let mut options = ServeOptions::new(source);
        options.name = name;
        for more in named {
            let (name, source) = more?;
            options.more.push((name.unwrap_or_else(|| source.default_name()), source));
        }
        options.python = self.python.options()?;
        options.memory_bytes_max = self.memory_limit;
        options.access_log_sample = self.access_log_sample;
        options.webhook_secret = self.webhook_secret_file.as_deref().map(read_token).transpose()?;
        let max = self.model_cache_max;
        let cache = |dir: &PathBuf| ModelCache::new(dir, &self.tracking_uri, max);
        options.model_cache = self.model_cache.as_ref().map(cache);
        options.lenient = self.lenient;
        options.require_verified = self.require_verified;
        options.poll_interval = self.poll;
        options.limits.drain_delay = self.drain_delay;
        self.limits.apply(&mut options.limits);
        options.log = self.log.options()?;
        options.probe_id.clone_from(&self.probe_id);
        options.token = match &self.token_file {
            Some(file) => Some(read_token(file)?),
            None => given_token()?,
        };
        Ok(options)
    }
}

/// `URI`, or `NAME=URI`.
fn named_source(text: &str) -> Result<(Option<String>, ModelSource), Failure> {
    let is_name = |name: &str| !name.is_empty() && !name.contains(['/', ':', '.']);
    let (name, uri) = match text.split_once('=') {
        Some((name, uri)) if is_name(name) => (Some(name.to_owned()), uri),
        _ => (None, text),
    };
    let uri = uri.parse::<ModelUri>()?;
    Ok((name, ModelSource::Uri(uri)))
}

/// The token of the environment, which a deployer sets. There is no flag for it: arguments are seen by
/// everybody on the machine.
fn given_token() -> Result<Option<String>, Failure> {
    match std::env::var(words::TOKEN_VARIABLE) {
        Ok(token) if token.is_empty() => Ok(None),
        Ok(token) => checked_token(&token, words::TOKEN_VARIABLE).map(Some),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::input(format!("{} is not UTF-8", words::TOKEN_VARIABLE)))
        }
    }
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
    checked_token(&text, &path.display().to_string())
}

fn checked_token(text: &str, place: &str) -> Result<String, Failure> {
    let token = text.trim();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || token.contains(['\n', '\r']) {
        return Err(Failure::input(format!(
            "{place} holds no token: one line of at most {TOKEN_BYTES_MAX} bytes is wanted"
        )));
    }
    Ok(token.to_owned())
}

/// Fails at once where the model cannot be found: a server that starts all the same would only say so in its
/// health. Where there is a copy to start from, a registry that does not answer is no reason to fail.
async fn find(
    source: &ModelSource,
    tracking: Option<&Tracking>,
    cache: Option<&ModelCache>,
) -> Result<(), Failure> {
    let asking = async {
        match (source, tracking) {
            (ModelSource::Uri(uri), Some(tracking)) => {
                resolve::resolve(tracking, uri).await.map(drop)
            }
            (ModelSource::Registry { name, stage }, Some(tracking)) => {
                resolve::resolve_stage(tracking, name, stage).await.map(drop)
            }
            (ModelSource::Fetched(_), _) | (_, None) => Ok(()),
        }
    };
    if let ModelSource::Uri(ModelUri::Folder(folder)) = source {
        return find_folder(folder);
    }
    if !cache.is_some_and(|cache| cache.holds(&source.describe())) {
        return asking.await.map_err(Failure::from);
    }
    match tokio::time::timeout(ModelCache::PATIENCE, asking).await {
        Ok(Err(error)) if !error.is_outage() => Err(error.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn find_folder(folder: &Path) -> Result<(), Failure> {
    check_model_folder(folder)?;
    MlModel::read(folder).map(drop).map_err(Failure::from)
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let mut options = arguments.options()?;
    let what = options.source.describe();
    let made = model_file::wrapped(&mut options, arguments.flavor)?;
    let (reloads, end) = server_signals("looking up what is to be served");
    options.reloads = Some(reloads.clone());
    let files = arguments.tls.files();
    let socket = listen(&arguments.host, arguments.port).await?;
    let address = socket.local_addr().map_err(|error| Failure::runtime(error.to_string()))?;
    let listener = tls::secured(socket, files.as_ref(), reloads)?;
    // Instances of a release are behind its gateway, in a network of their own.
    if options.probe_id.is_none() {
        let asks = options.token.is_none().then_some("--token-file");
        tls::warn_of_strangers(address, asks, files.as_ref());
    }
    let sources = || std::iter::once(&options.source).chain(options.more.iter().map(|(_, s)| s));
    let is_folder = |source: &ModelSource| matches!(source, ModelSource::Uri(ModelUri::Folder(_)));
    let tracking = if sources().all(is_folder) {
        None
    } else {
        Some(trainyard_tracking::open(&arguments.tracking_uri, OpenOptions::default())?)
    };
    if !arguments.wait {
        for source in sources() {
            find(source, tracking.as_ref(), options.model_cache.as_ref()).await?;
        }
    }
    let url = tls::url(address, files.as_ref());
    // The log of an instance is its gateway's, which says it for all.
    if options.probe_id.is_none() {
        let registry = tracking.as_ref().map(|_| format!("registry {}", arguments.tracking_uri));
        Ready {
            what: &what,
            url: &url,
            stores: registry.into_iter().collect(),
            asks: options.token.as_ref().map(|_| "a token"),
            is_encrypted: files.is_some(),
        }
        .say();
    }
    trainyard_serve::serve(listener, tracking, options, end).await?;
    drop(made);
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_may_be_named() {
        let named = |text: &str| named_source(text).map(|(name, source)| (name, source.describe()));
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(
            named("iris=models:/Iris@best").unwrap(),
            (name("iris"), "models:/Iris@best".into())
        );
        assert_eq!(named("models:/Iris/3").unwrap(), (None, "models:/Iris/3".into()));
        assert_eq!(named("./a=b").unwrap().0, None);
    }
}
