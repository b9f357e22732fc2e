//! From a source to a model that has shown that it works.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;
use trainyard_mlflow::enforce::{Casting, Enforcer, Protocol};
use trainyard_mlflow::model::InputExample;
use trainyard_mlflow::resolve::{self, ResolvedModel};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{Tracking, uri};
use trainyard_models::{LoadedModel, Prediction};

use crate::answer;
use crate::error::{Error, Result};
use crate::options::{ModelSource, ServeOptions};
use crate::slot::Served;

/// Predictions of the input example before a model takes requests: the first ones fault in its
/// pages and fill its caches, so that no request has to wait for that.
const WARM_UP_RUNS: usize = 8;

/// Asks what the source means now.
pub(crate) async fn resolve(
    source: &ModelSource,
    tracking: Option<&dyn Tracking>,
) -> Result<ResolvedModel> {
    if let ModelSource::Uri(ModelUri::Folder(folder)) = source {
        let artifact_uri = folder.to_string_lossy().into_owned();
        return Ok(ResolvedModel { artifact_uri, ..ResolvedModel::default() });
    }
    let Some(tracking) = tracking else { return Err(Error::NoTracking { uri: source.describe() }) };
    Ok(match source {
        ModelSource::Uri(uri) => resolve::resolve(tracking, uri).await?,
        ModelSource::Registry { name, stage } => {
            resolve::resolve_stage(tracking, name, stage).await?
        }
    })
}

/// A directory that goes when the model is in memory (or failed to get there).
#[derive(Debug)]
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn create() -> Result<Self> {
        let name =
            format!("trainyard-model-{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a temporary folder stays behind");
        }
    }
}

/// Fetches, loads, verifies and warms the model. Nothing of what serves is touched.
pub(crate) async fn load(
    resolved: ResolvedModel,
    tracking: Option<&dyn Tracking>,
    options: &Arc<ServeOptions>,
) -> Result<Served> {
    let local = uri::local_path(&resolved.artifact_uri)?;
    let (folder, temporary) = match (local, tracking) {
        (Some(folder), _) if resolved.version.is_none() => (folder, None),
        (_, Some(tracking)) => {
            let temporary = TemporaryFolder::create()?;
            resolve::fetch(tracking, &resolved, &temporary.0).await?;
            (temporary.0.clone(), Some(temporary))
        }
        (Some(folder), None) => (folder, None),
        (None, None) => return Err(Error::NoTracking { uri: resolved.artifact_uri }),
    };
    let options = Arc::clone(options);
    let task = tokio::task::spawn_blocking(move || {
        let served = load_folder(&folder, resolved, &options);
        // Only now: the folder is read by then.
        drop(temporary);
        served
    });
    task.await.map_err(|_panicked| Error::Broken("loading a model"))?
}

fn load_folder(folder: &Path, resolved: ResolvedModel, options: &ServeOptions) -> Result<Served> {
    let loaded = (options.loader.0)(folder)?;
    let example = InputExample::read(folder, &loaded.mlmodel)?.map(|example| example.payload);
    let signature = loaded.mlmodel.signature.as_ref();
    let limits = &options.limits.content;
    let enforcer = |casting| {
        let casting = if options.lenient { Casting::Upstream } else { casting };
        Enforcer::new(signature, casting, limits.clone())
    };
    let version = match (&resolved.version, &resolved.model_id, &loaded.mlmodel.model_id) {
        (Some(version), _, _) => version.version.as_str(),
        (None, Some(id), _) | (None, None, Some(id)) => id,
        (None, None, None) => loaded.mlmodel.model_uuid.as_deref().unwrap_or_default(),
    };
    let served = Served {
        version: Arc::from(version),
        resolved,
        loaded_at: Utc::now(),
        strict: enforcer(Casting::Strict),
        scoring: enforcer(Casting::Lossless),
        example,
        loaded,
    };
    verify(&served)?;
    Ok(served)
}

/// Predicts the input example, several times: the same rows must give the same answer, one a row.
fn verify(served: &Served) -> Result<()> {
    let Some(example) = &served.example else { return Ok(()) };
    let broken = |reason: String| Error::Verification { reason };
    let request = served
        .scoring
        .json(example.as_bytes(), Protocol::Invocations)
        .map_err(|rejection| broken(rejection.message))?;
    let predict = |loaded: &LoadedModel| -> Result<Prediction> {
        loaded.predictor.predict(&request.batch).map_err(|error| broken(error.to_string()))
    };
    let first = predict(&served.loaded)?;
    let (rows, expected) = (answer::rows(&first), request.batch.num_rows());
    if rows != expected {
        return Err(broken(format!("{rows} predictions for {expected} rows")));
    }
    let first = answer::scoring(&first, request.frame);
    for _run in 1..WARM_UP_RUNS {
        if answer::scoring(&predict(&served.loaded)?, request.frame) != first {
            return Err(broken("the same rows gave two different answers".to_owned()));
        }
    }
    Ok(())
}
