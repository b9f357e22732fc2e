//! Opens whatever a tracking URI names, for this process and for those it answers.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use trainyard_mlflow::Tracking;
use trainyard_mlflow::artifacts::Artifacts;
use trainyard_mlflow::client::{RestClient, workspace};
use trainyard_mlflow::uri::{TrackingUri, without_credentials};
use trainyard_storage::{Address, DirectAccess, Stores};

use crate::artifacts::{ArtifactStorage, DESTINATION, real_path, scheme};
use crate::audit::AuditLog;
use crate::backup::copies_beside;
use crate::changes::Changes;
use crate::error::{Result, invalid};
use crate::governance::Governance;
use crate::store::{ReadLimits, SqlStore, StoreOptions, WORKSPACE, files_of};
use crate::webhooks::Webhooks;

/// Where experiments keep their files if nobody says otherwise, below the working directory, as
/// upstream does without a server.
const DEFAULT_ARTIFACT_ROOT: &str = "./mlruns";
/// Folders that MLflow keeps artifacts in beside a database, with a server and without one.
const USUAL_FOLDERS: [&str; 2] = ["mlruns", "mlartifacts"];

/// What a tracking URI does not say.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Where experiments made from now on keep their files: a URI or a path (made absolute).
    /// `./mlruns` if none.
    pub default_artifact_root: Option<String>,
    /// Where `mlflow-artifacts:/` URIs lie: a path or URI. `./mlartifacts` if none.
    pub artifacts_destination: Option<String>,
    /// What reads of a database may take, where strangers ask for them.
    pub limits: ReadLimits,
    /// How clients reach the artifacts' buckets themselves.
    pub direct: DirectAccess,
    /// What is written down of changes, and which aliases are protected.
    pub governance: Governance,
}

/// What requests of others may reach, besides the artifacts that [`OpenOptions`] name and the usual folders
/// beside the database and in the working directory.
#[derive(Debug, Clone, Default)]
pub struct Lending {
    /// Registered models and versions, if they are in another database.
    pub registry_uri: Option<String>,
    /// More roots of artifacts: paths and URIs.
    pub artifact_roots: Vec<String>,
    /// Files that are no artifacts wherever they lie, such as passwords. Those of the databases are
    /// among them.
    pub private_files: Vec<PathBuf>,
}

/// A database that a process uses itself, and in which it does what others ask of it.
pub struct Shared {
    /// With the rights of the process: artifacts are wherever experiments and versions say.
    pub own: Tracking,
    /// For requests of others: artifacts are read and written below the roots, wherever experiments
    /// and versions say, and nowhere else.
    pub lent: Tracking,
    /// Who is told of changes of the registry, by the server that answers for it; none if that is elsewhere.
    pub webhooks: Option<Webhooks>,
    /// Where changes of who may do what are written down; none if that is elsewhere.
    pub log: Option<AuditLog>,
    /// That something was written to the databases; none where these are elsewhere.
    pub changes: Option<Changes>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// Opens the store that a tracking URI names, for this process: `sqlite:///…` (created if there is none),
/// `postgresql://…` over a database server, `http(s)://…` over the REST API. Whoever answers others takes
/// [`share`].
pub fn open(uri: &str, options: OpenOptions) -> Result<Tracking> {
    let tracking_uri: TrackingUri = uri.parse()?;
    if matches!(tracking_uri, TrackingUri::Http(_)) {
        return Ok(RestClient::from_env(&tracking_uri)?.into());
    }
    if let Some(workspace) = workspace()?.filter(|name| name != WORKSPACE) {
        return invalid!(
            "MLFLOW_WORKSPACE={workspace} is a part of a server's data, and {} is opened without a server; unset it, \
             or name the server",
            without_credentials(uri)
        );
    }
    Ok(share(uri, options, &Lending::default())?.own)
}

/// Opens a database for this process and for requests of others.
pub fn share(uri: &str, options: OpenOptions, lending: &Lending) -> Result<Shared> {
    Ok(share_store(uri, options, lending)?.0)
}

/// The same, with the database of experiments, runs and models itself.
pub(crate) fn share_store(
    uri: &str,
    options: OpenOptions,
    lending: &Lending,
) -> Result<(Shared, Arc<SqlStore>)> {
    let Parts { store, registry, own, lent } = Parts::open(uri, options, lending)?;
    let store = Arc::new(store);
    let mut webhooks = Webhooks::of(Arc::clone(&store));
    let mut log = AuditLog::of(Arc::clone(&store));
    let mut stores = vec![Arc::clone(&store)];
    let mut own = Tracking::new(Arc::clone(&store), own).with_tracing(Arc::clone(&store));
    if let Some(registry) = registry {
        let registry = Arc::new(registry.with_logged_models(Arc::clone(&own.logged_models)));
        webhooks = Webhooks::of(Arc::clone(&registry));
        log = AuditLog::of(Arc::clone(&registry));
        stores.push(Arc::clone(&registry));
        own.registered_models = Arc::clone(&registry) as _;
        own.model_versions = Arc::clone(&registry) as _;
        own.audit = Arc::clone(&registry) as _;
        own.approvals = registry;
    }
    let lent = Tracking { artifacts: lent, ..own.clone() };
    let changes = Some(Changes::of(stores));
    Ok((Shared { own, lent, webhooks: Some(webhooks), log: Some(log), changes }, store))
}

/// What a server's data is made of.
pub(crate) struct Parts {
    pub(crate) store: SqlStore,
    /// Of registered models and versions, if they are in another database.
    pub(crate) registry: Option<SqlStore>,
    /// Artifacts wherever they are said to be.
    pub(crate) own: Arc<dyn Artifacts>,
    /// Artifacts below the roots.
    pub(crate) lent: Arc<dyn Artifacts>,
}

impl Parts {
    /// Opens a database and the storage of its artifacts.
    pub(crate) fn open(uri: &str, options: OpenOptions, lending: &Lending) -> Result<Self> {
        let uri: TrackingUri = uri.parse()?;
        let registry: Option<TrackingUri> =
            lending.registry_uri.as_deref().map(str::parse).transpose()?;
        let registry = registry.filter(|registry| *registry != uri);
        let destination = options.artifacts_destination.as_deref().unwrap_or(DESTINATION);
        let stores = Stores::from_env().with_access(options.direct.clone());
        let storage = ArtifactStorage::with_stores(&tidied(destination)?, stores)?
            .with_memory(Arc::clone(&options.limits.memory));
        let artifact_root =
            options.default_artifact_root.as_deref().unwrap_or(DEFAULT_ARTIFACT_ROOT);
        let written_root = written(artifact_root)?;
        let artifact_root = tidied(artifact_root)?;

        let mut roots = usual_roots(&uri)?;
        // Below `mlflow-artifacts:` it is in the destination; `hdfs:` and the like are the clients' own.
        if Address::parse(&artifact_root).is_ok() {
            roots.push(written_root);
        }
        for root in &lending.artifact_roots {
            roots.push(written(root)?);
        }
        let databases = [Some(&uri), registry.as_ref()].into_iter().flatten();
        let mut private = Vec::new();
        for file in &lending.private_files {
            private.push(absolute(file)?);
        }
        for uri in databases {
            if let TrackingUri::Sqlite(path) = uri {
                private.extend(database_files(path)?);
            }
        }
        let lent: Arc<dyn Artifacts> = Arc::new(storage.below(&roots, private)?);
        let own: Arc<dyn Artifacts> = Arc::new(storage.anywhere()?);

        // Upstream's variable and default; anything but a clear no is a yes there, too.
        let truncate_long_values = std::env::var("MLFLOW_TRUNCATE_LONG_VALUES")
            .map_or(true, |value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"));
        let OpenOptions { limits, governance, .. } = options;
        let options = StoreOptions { artifact_root, truncate_long_values, limits, governance };
        let store = database(&uri, options.clone())?;
        let registry = registry.map(|registry| database(&registry, options)).transpose()?;
        Ok(Self { store, registry, own, lent })
    }
}

fn database(uri: &TrackingUri, options: StoreOptions) -> Result<SqlStore> {
    match uri {
        TrackingUri::Sqlite(path) => SqlStore::open_sqlite(path, options),
        TrackingUri::SqliteMemory => SqlStore::open_temporary(options),
        TrackingUri::Postgres(_) => SqlStore::open_postgres(&uri.connection_url(), options),
        TrackingUri::Http(_) => Err(trainyard_mlflow::Error::invalid(
            "a server's store is a database (sqlite:/// or postgresql://), and so is a registry of its own: \
             another server has both",
        )
        .into()),
    }
}

/// The files of an SQLite database by the name that its owner uses, and where they really lie: what SQLite
/// keeps beside a database that is a symlink is beside what it leads to, and so are copies from before an upgrade.
fn database_files(path: &Path) -> Result<Vec<PathBuf>> {
    let named = absolute(path)?;
    let real = real_path(&named).filter(|real| *real != named);
    let places = || std::iter::once(&named).chain(&real);
    let copies = places().flat_map(|place| copies_beside(place));
    Ok(places().flat_map(|place| files_of(place)).chain(copies).collect())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    Ok(std::path::absolute(path).map_err(|error| trainyard_mlflow::Error::io(path, error))?)
}

/// The usual folders in the working directory and beside a database that is a file.
fn usual_roots(uri: &TrackingUri) -> Result<Vec<String>> {
    let mut folders = vec![PathBuf::from(".")];
    if let TrackingUri::Sqlite(path) = uri {
        folders.extend(path.parent().map(|folder| Path::new(".").join(folder)));
    }
    let below = |folder: PathBuf| USUAL_FOLDERS.map(|name| folder.join(name));
    let usual = folders.into_iter().flat_map(below);
    usual.map(|folder| tidied(&folder.to_string_lossy())).collect()
}

/// A root as upstream writes it into locations: a path is absolute, with the `..` that its owner wrote.
fn written(root: &str) -> Result<String> {
    if scheme(root).is_some() {
        return tidied(root);
    }
    // Without slashes at its end.
    let path: PathBuf = absolute(Path::new(root))?.components().collect();
    Ok(path.display().to_string())
}

/// A root as its owner wrote it, as it is kept: a path is absolute and without `..`, a bucket's URI without keys.
fn tidied(root: &str) -> Result<String> {
    match scheme(root) {
        None => {
            let absolute = absolute(Path::new(root))?;
            let climbs = absolute.components().any(|part| part == Component::ParentDir);
            // Behind a symlink `..` is another folder than it seems: only the disk knows.
            let tidy = if climbs { real_path(&absolute) } else { Some(absolute) };
            let tidy = tidy.ok_or_else(|| {
                trainyard_mlflow::Error::invalid(format!("'{root}' is not a folder that can be"))
            })?;
            Ok(tidy.display().to_string())
        }
        Some(_) if root.contains('@') && without_credentials(root) != root => {
            // Only of buckets: clients of `sftp:` and the like need what is in the URI.
            let Ok(address) = Address::parse(root) else { return Ok(root.to_owned()) };
            // Everybody can read where experiments keep their files.
            tracing::warn!(%address, "the keys in the URI are not used; set them in the environment");
            Ok(address.to_string())
        }
        Some(_) => Ok(root.to_owned()),
    }
}
