//! Opens whatever a tracking URI names.

use std::sync::Arc;

use trainyard_mlflow::Tracking;
use trainyard_mlflow::uri::TrackingUri;

use crate::artifacts::{ArtifactStorage, DEFAULT_DESTINATION};
use crate::error::Result;
use crate::store::{SqlStore, StoreOptions};

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
}

/// Opens the store that a tracking URI names: `sqlite:///…` in this process (created if there is
/// none), `postgresql://…` in this process over a database server, `http(s)://…` over the REST
/// API.
pub fn open(uri: &str, options: OpenOptions) -> Result<Arc<dyn Tracking>> {
    let tracking_uri: TrackingUri = uri.parse()?;
    match &tracking_uri {
        TrackingUri::Sqlite(path) => {
            let (artifacts, store_options) = local(options)?;
            Ok(Arc::new(SqlStore::open_sqlite(path, artifacts, store_options)?))
        }
        TrackingUri::SqliteMemory => {
            let (artifacts, store_options) = local(options)?;
            Ok(Arc::new(SqlStore::open_temporary(artifacts, store_options)?))
        }
        TrackingUri::Http(_) => {
            Ok(Arc::new(trainyard_mlflow::client::RestClient::from_env(&tracking_uri)?))
        }
        TrackingUri::Postgres(_) => {
            let (artifacts, store_options) = local(options)?;
            let url = tracking_uri.connection_url();
            Ok(Arc::new(SqlStore::open_postgres(&url, artifacts, store_options)?))
        }
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
    Ok((Arc::new(artifacts), StoreOptions { artifact_root, truncate_long_values }))
}
