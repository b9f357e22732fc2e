//! What the server is told at its start.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokio::sync::watch;
use trainyard_mlflow::resolve::ResolvedModel;
use trainyard_mlflow::uri::ModelUri;
use trainyard_models::LoadedModel;
use trainyard_signature::enforce;

use crate::model_cache::ModelCache;

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelSource {
    /// A folder, `runs:/…`, `models:/Name/3`, `models:/Name@alias`, …
    Uri(ModelUri),
    /// A registered model and its alias or stage, as `MODEL_NAME` and `MODEL_STAGE` give them.
    Registry {
        /// Registered model.
        name: String,
        /// Alias (exactly, then in any case), else legacy stage.
        stage: String,
    },
    /// What somebody has resolved and fetched already: `artifact_uri` is a folder of this machine, which
    /// stays theirs.
    Fetched(Box<ResolvedModel>),
}

impl ModelSource {
    /// The source as the user would write it.
    pub fn describe(&self) -> String {
        match self {
            Self::Uri(uri) => uri.to_string(),
            Self::Registry { name, stage } => format!("models:/{name}@{stage}"),
            Self::Fetched(resolved) => resolved.artifact_uri.clone(),
        }
    }

    /// Name under which the model answers when none is given: the registered one, else `model`.
    pub fn default_name(&self) -> String {
        self.registered().unwrap_or("model").to_owned()
    }

    /// The registered model, if the source is one.
    pub(crate) fn registered(&self) -> Option<&str> {
        match self {
            Self::Registry { name, .. }
            | Self::Uri(
                ModelUri::Alias { name, .. }
                | ModelUri::Version { name, .. }
                | ModelUri::Stage { name, .. }
                | ModelUri::Latest { name },
            ) => Some(name),
            Self::Uri(_) => None,
            Self::Fetched(resolved) => resolved.name.as_deref(),
        }
    }

    /// Whether a registry must be asked to find it.
    pub(crate) fn needs_tracking(&self) -> bool {
        !matches!(self, Self::Uri(ModelUri::Folder(_)) | Self::Fetched(_))
    }

    /// The alias or stage that says which version it is; `latest` for the newest. None where it is one version.
    pub(crate) fn follows(&self) -> Option<&str> {
        match self {
            Self::Registry { stage, .. } | Self::Uri(ModelUri::Stage { stage, .. }) => Some(stage),
            Self::Uri(ModelUri::Alias { alias, .. }) => Some(alias),
            Self::Uri(ModelUri::Latest { .. }) => Some("latest"),
            Self::Uri(_) | Self::Fetched(_) => None,
        }
    }

    /// Whether it names one version or logged model, which never changes.
    pub(crate) fn is_pinned(&self) -> bool {
        matches!(self, Self::Uri(ModelUri::Version { .. } | ModelUri::LoggedModel { .. }))
    }

    /// Whether it can mean another version tomorrow.
    pub(crate) fn can_move(&self) -> bool {
        match self {
            Self::Registry { .. } => true,
            Self::Fetched(_) => false,
            Self::Uri(uri) => matches!(
                uri,
                ModelUri::Alias { .. } | ModelUri::Stage { .. } | ModelUri::Latest { .. }
            ),
        }
    }
}

/// What a request, a connection and the server may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request body. 16 MiB is some hundred thousand rows of a small model.
    pub body_bytes_max: usize,
    /// Open connections; on further ones only probes are answered.
    pub connections_max: usize,
    /// Open connections of one address; none for half of all.
    pub connections_per_address_max: Option<usize>,
    /// Bytes that all requests together may hold, with what is made of them; none for a quarter of what
    /// the process may have. Further requests get 429.
    pub requests_bytes_max: Option<u64>,
    /// Requests that are predicted at a time; further ones get 429.
    pub concurrency_max: usize,
    /// Requests that are explained at a time; further ones wait. Each takes a processor for as long as it lasts, which
    /// predictions must not wait for.
    pub explanations_max: usize,
    /// How long a connection may say nothing, take over the head of a request, or not read its answer.
    pub header_timeout: Duration,
    /// How long a body may take however small it is; a longer one has a second more for each 32 KiB.
    pub body_grace: Duration,
    /// From the last byte of a request to its answer; 504 after that.
    pub request_timeout: Duration,
    /// How long the server goes on accepting when it is told to stop, while `/health` and `/ping`
    /// already say 503: for a load balancer that only asks them.
    pub drain_delay: Duration,
    /// How long requests in flight may take to finish when the server is told to stop.
    pub drain_timeout: Duration,
    /// Bytes of an answer; a request of so many rows that it would be larger gets 400.
    pub answer_bytes_max: usize,
    /// Limits on the content of a request.
    pub content: enforce::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 16 << 20,
            connections_max: 4096,
            connections_per_address_max: None,
            requests_bytes_max: None,
            concurrency_max: 512,
            explanations_max: std::thread::available_parallelism()
                .map_or(1, std::num::NonZero::get),
            // Longer than load balancers keep connections that they mean to use again, which is a minute.
            header_timeout: Duration::from_secs(75),
            body_grace: Duration::from_secs(15),
            request_timeout: Duration::from_mins(1),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
            // Three probabilities a row for a million rows.
            answer_bytes_max: 64 << 20,
            content: enforce::Limits::default(),
        }
    }
}

impl Limits {
    /// Limits on connections, within what the descriptors of this process allow.
    pub(crate) fn connections(&self) -> trainyard_net::Limits {
        let connections = trainyard_net::descriptors::connections(self.connections_max, 1);
        let mut limits = trainyard_net::Limits::new(connections);
        if let Some(max) = self.connections_per_address_max {
            limits.per_address_max = max;
        }
        limits.idle = self.header_timeout;
        limits.silent_give_way = true;
        // A body holds memory that others want: one of 16 MiB may take nine minutes.
        limits.body_rate_min = 32 << 10;
        limits.body_grace = self.body_grace;
        limits
    }
}

/// A place in an object store.
#[derive(Debug, Clone)]
pub struct LogStore {
    /// The bucket.
    pub store: Arc<dyn ObjectStore>,
    /// The path in it.
    pub path: object_store::path::Path,
}

/// How requests and predictions are logged.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Folder of the Parquet segments; several servers may share it. With a [`Self::store`], where
    /// segments wait until they are uploaded.
    pub dir: PathBuf,
    /// Where segments and feedback go instead of the folder.
    pub store: Option<LogStore>,
    /// A segment is closed after so many rows,
    pub segment_rows_max: usize,
    /// or after so long, and then becomes visible to readers.
    pub segment_age_max: Duration,
    /// Requests that wait to be written; when there are more, they are dropped and counted.
    pub queue_max: usize,
    /// Bytes that the folder may take, feedback included; beyond that, predictions are dropped and
    /// counted and feedback is refused. In any case a part of the disk is left free.
    pub bytes_max: Option<u64>,
    /// Whether answers wait until their rows are durable in the folder.
    pub commits: bool,
    /// Bytes that summaries may take, the oldest of which go first; 0 keeps none. They outlive rows.
    pub summaries_bytes_max: u64,
    /// Summaries of what is older are removed; none for never.
    pub summaries_age_max: Option<Duration>,
    /// Summaries of hours are merged to days when these ended so long ago; none for never.
    pub summaries_days_after: Option<Duration>,
    /// What is removed from the folder, feedback included; a bucket has rules of its own for that.
    pub retention: Retention,
}

/// How long a prediction log is kept. The newest segment always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// What is older is removed; none for never.
    pub age_max: Option<Duration>,
    /// The oldest is removed where there are more bytes; none for never.
    pub bytes_max: Option<u64>,
}

impl Retention {
    /// Whether nothing is ever removed.
    pub fn is_forever(&self) -> bool {
        self.age_max.is_none() && self.bytes_max.is_none()
    }
}

impl LogOptions {
    /// The least [`Self::summaries_days_after`]: the last hour of a day is summarised an hour after it.
    pub const DAYS_AFTER_MIN: Duration = Duration::from_hours(1);

    /// The defaults for a folder: segments of a million rows or a minute.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            store: None,
            segment_rows_max: 1_000_000,
            segment_age_max: Duration::from_mins(1),
            queue_max: 8192,
            bytes_max: None,
            commits: false,
            // Decades of 25 columns, half a year of a thousand.
            summaries_bytes_max: 1 << 30,
            summaries_age_max: None,
            summaries_days_after: Some(Duration::from_hours(7 * 24)),
            retention: Retention::default(),
        }
    }

    /// The same for an object store. Segments wait in a temporary folder, and are lost with it if
    /// the server is killed.
    pub fn to_store(store: LogStore) -> Self {
        let unique = uuid::Uuid::new_v4().simple();
        let dir = format!("trainyard-log-{}-{unique}", std::process::id());
        Self { store: Some(store), ..Self::new(std::env::temp_dir().join(dir)) }
    }
}

/// How models run that only Python can run.
#[derive(Debug, Clone)]
pub struct PythonOptions {
    /// Worker processes a model.
    pub workers: usize,
    /// The interpreter; none makes an environment from the model's `requirements.txt`.
    pub interpreter: Option<PathBuf>,
    /// Where environments are kept.
    pub cache_dir: PathBuf,
    /// Bytes that all environments may take together. Those that nobody uses are removed, the longest unused first.
    pub cache_bytes_max: u64,
    /// Requests of a model that may wait for a worker; further ones get 429.
    pub queue_max: usize,
    /// How long a worker may take over a request; then it is killed, and the answer is 504.
    pub request_timeout: Duration,
    /// Address space of a worker (`RLIMIT_AS`); none for no limit.
    pub memory_bytes_max: Option<u64>,
    /// Names of variables of this process that workers see beside the usual ones, which hold no secrets.
    pub variables: Vec<String>,
    /// Variables that workers get beside those, with their values.
    pub environment: Vec<(String, String)>,
}

impl PythonOptions {
    /// Some tens of environments: each takes up to a GiB, less what it shares with others.
    pub const CACHE_BYTES_MAX: u64 = 20 << 30;

    /// The defaults for so many workers: environments in the user's cache, 64 requests may wait,
    /// 30 seconds each, no limit on memory.
    pub fn new(workers: usize) -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or(home.join(".cache"), PathBuf::from);
        Self {
            workers,
            interpreter: None,
            cache_dir: cache.join("trainyard/python"),
            cache_bytes_max: Self::CACHE_BYTES_MAX,
            queue_max: 64,
            request_timeout: Duration::from_secs(30),
            memory_bytes_max: None,
            variables: Vec::new(),
            environment: Vec::new(),
        }
    }
}

/// How a model folder becomes a model; [`trainyard_models::load`] unless something else is set.
#[derive(Clone)]
pub struct Loader(pub Arc<LoadFn>);

/// Reads a model folder into memory.
pub type LoadFn = dyn Fn(&Path) -> trainyard_models::Result<LoadedModel> + Send + Sync;

impl Default for Loader {
    fn default() -> Self {
        Self(Arc::new(trainyard_models::load))
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loader")
    }
}

/// Everything the server is told. Start from [`ServeOptions::new`].
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The model that answers at the root.
    pub source: ModelSource,
    /// Its name under `/models/<name>/`; the registered one if none.
    pub name: Option<String>,
    /// Further models, by name, under `/models/<name>/`.
    pub more: Vec<(String, ModelSource)>,
    /// Cast values as upstream does, even where that loses information.
    pub lenient: bool,
    /// Refuse a model that has no input example, or one that says nothing about the model.
    pub require_verified: bool,
    /// Limits on requests and connections.
    pub limits: Limits,
    /// How often a movable alias is looked up; each wait differs by up to a tenth, so that many
    /// servers do not ask at the same moment.
    pub poll_interval: Duration,
    /// Where the last good model is kept, to start from when the registry cannot be reached; none: nowhere.
    pub model_cache: Option<ModelCache>,
    /// None: nothing is logged.
    pub log: Option<LogOptions>,
    /// Request id of the predictions that a release asks for before it lets anybody in: they are
    /// not production's, and not logged. Known to the releasing program alone.
    pub probe_id: Option<String>,
    /// Bearer token that all requests but health probes must carry.
    pub token: Option<String>,
    /// None: a model that only Python can run is refused.
    pub python: Option<PythonOptions>,
    /// Secret of the registry's webhooks; none takes no webhooks.
    pub webhook_secret: Option<String>,
    /// Bytes of memory the server may take; a model that does not fit below is not loaded. The
    /// machine's and the control group's limits hold in any case.
    pub memory_bytes_max: Option<u64>,
    /// One request in so many is written to the access log (target `access`, level info); 0 for
    /// none. Server errors always are.
    pub access_log_sample: u64,
    /// Whoever sends here asks for a look at the registry now, as `POST /reload` does.
    pub reloads: Option<watch::Receiver<()>>,
    /// Reads model folders.
    pub loader: Loader,
}

impl ServeOptions {
    /// Defaults for one model: strict, no log, no token, alias looked up every 5 seconds.
    pub fn new(source: ModelSource) -> Self {
        Self {
            source,
            name: None,
            more: Vec::new(),
            lenient: false,
            require_verified: false,
            limits: Limits::default(),
            poll_interval: Duration::from_secs(5),
            model_cache: None,
            log: None,
            probe_id: None,
            token: None,
            python: None,
            webhook_secret: None,
            memory_bytes_max: None,
            access_log_sample: 0,
            reloads: None,
            loader: Loader::default(),
        }
    }
}
