//! Opens whatever a tracking URI names.

use std::sync::Arc;

use trainyard_mlflow::Tracking;
use trainyard_mlflow::client::RestClient;
use trainyard_mlflow::uri::TrackingUri;

use crate::artifacts::{ArtifactStorage, DEFAULT_DESTINATION};
use crate::error::Result;
use crate::registry::WithRegistry;
use crate::store::{ReadLimits, SqlStore, StoreOptions};

/// Where experiments keep their files if nobody says otherwise, below the working directory, as
/// upstream does without a server.
const DEFAULT_ARTIFACT_ROOT: &str = "./mlruns";

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
}

/// Opens the store that a tracking URI names: `sqlite:///…` in this process (created if there is
/// none), `postgresql://…` in this process over a database server, `http(s)://…` over the REST
/// API.
pub fn open(uri: &str, options: OpenOptions) -> Result<Arc<dyn Tracking>> {
    let tracking_uri: TrackingUri = uri.parse()?;
    if matches!(tracking_uri, TrackingUri::Http(_)) {
        return Ok(Arc::new(RestClient::from_env(&tracking_uri)?));
    }
    let (artifacts, store_options) = local(options)?;
    Ok(Arc::new(database(&tracking_uri, artifacts, store_options)?))
}

/// Opens a store whose registered models and versions are in another database than the rest.
pub fn open_with_registry(
    uri: &str,
    registry_uri: &str,
    options: OpenOptions,
) -> Result<Arc<dyn Tracking>> {
    if registry_uri == uri {
        return open(uri, options);
    }
    let (artifacts, store_options) = local(options)?;
    let store = database(&uri.parse()?, Arc::clone(&artifacts), store_options.clone())?;
    let registry = database(&registry_uri.parse()?, artifacts, store_options)?;
    Ok(Arc::new(WithRegistry::new(store, registry)))
}

fn database(
    uri: &TrackingUri,
    artifacts: Arc<ArtifactStorage>,
    options: StoreOptions,
) -> Result<SqlStore> {
    match uri {
        TrackingUri::Sqlite(path) => SqlStore::open_sqlite(path, artifacts, options),
        TrackingUri::SqliteMemory => SqlStore::open_temporary(artifacts, options),
        TrackingUri::Postgres(_) => {
            SqlStore::open_postgres(&uri.connection_url(), artifacts, options)
        }
        TrackingUri::Http(_) => Err(trainyard_mlflow::Error::invalid(
            "a registry of its own is one of two databases (sqlite:/// or postgresql://): a server has its registry",
        )
        .into()),
    }
}

fn local(options: OpenOptions) -> Result<(Arc<ArtifactStorage>, StoreOptions)> {
    let destination = options.artifacts_destination;
    let artifacts = ArtifactStorage::open(destination.as_deref().unwrap_or(DEFAULT_DESTINATION))?;
    let root = options.default_artifact_root.unwrap_or_else(|| DEFAULT_ARTIFACT_ROOT.to_owned());
    let artifact_root = if trainyard_mlflow::uri::scheme(&root).is_some() {
        root
    } else {
        let path = std::path::absolute(&root)
            .map_err(|error| trainyard_mlflow::Error::io(&root, error))?;
        path.display().to_string()
    };
    // Upstream's variable and default; anything but a clear no is a yes there, too.
    let truncate_long_values = std::env::var("MLFLOW_TRUNCATE_LONG_VALUES")
        .map_or(true, |value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"));
    Ok((
        Arc::new(artifacts),
        StoreOptions { artifact_root, truncate_long_values, limits: options.limits },
    ))
}
