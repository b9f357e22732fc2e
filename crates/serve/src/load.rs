//! From a source to a model that has shown that it works.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use trainyard_base::TemporaryFolder;
use trainyard_mlflow::resolve::{self, ResolvedModel};
use trainyard_mlflow::uri::ModelUri;
use trainyard_mlflow::{Tracking, uri};
use trainyard_models::LoadedModel;
use trainyard_signature::enforce::{Casting, Enforcer};
use trainyard_signature::model::{InputExample, MlModel};

use crate::error::{Error, Result};
use crate::model_cache::ModelCache;
use crate::options::{ModelSource, PythonOptions, ServeOptions};
use crate::served_model::{Engine, ServedModel};
use crate::verify::{Examples, Silent};
use crate::{blocking, clock, folder, integrity, memory, params, python, verify};

/// Asks what the source means now.
pub(crate) async fn resolve(
    source: &ModelSource,
    tracking: Option<&Tracking>,
) -> Result<ResolvedModel> {
    Ok(match (source, tracking) {
        (ModelSource::Fetched(resolved), _) => resolved.as_ref().clone(),
        (ModelSource::Uri(ModelUri::Folder(folder)), _) => {
            let artifact_uri = folder.to_string_lossy().into_owned();
            ResolvedModel { artifact_uri, ..ResolvedModel::default() }
        }
        (_, None) => return Err(Error::NoTracking { uri: source.describe() }),
        (ModelSource::Uri(uri), Some(tracking)) => resolve::resolve(tracking, uri).await?,
        (ModelSource::Registry { name, stage }, Some(tracking)) => {
            resolve::resolve_stage(tracking, name, stage).await?
        }
    })
}

/// A model folder on this disk, which stays for as long as this is there.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    temporary: Option<Arc<TemporaryFolder>>,
}

impl Folder {
    fn temporary() -> Result<Self> {
        let temporary = TemporaryFolder::create("model").map_err(Error::temporary)?;
        Ok(Self { path: temporary.path().to_owned(), temporary: Some(Arc::new(temporary)) })
    }
}

/// Brings the model folder to this disk, if it is elsewhere or may change.
pub(crate) async fn fetch(resolved: &ResolvedModel, tracking: Option<&Tracking>) -> Result<Folder> {
    let local = uri::local_path(&resolved.artifact_uri)?;
    match (local, tracking) {
        (Some(path), _) if resolved.version.is_none() => Ok(Folder { path, temporary: None }),
        (_, Some(tracking)) => {
            let folder = Folder::temporary()?;
            resolve::fetch(tracking, resolved, &folder.path).await?;
            Ok(folder)
        }
        (Some(path), None) => Ok(Folder { path, temporary: None }),
        (None, None) => {
            let uri = uri::without_credentials(&resolved.artifact_uri);
            Err(Error::NoTracking { uri })
        }
    }
}

/// The copy of the last good model of a source, checked, and when it was kept; none if there is no copy.
pub(crate) async fn take(
    cache: &ModelCache,
    source: &ModelSource,
) -> Result<Option<(ResolvedModel, Folder, DateTime<Utc>)>> {
    let folder = Folder::temporary()?;
    let work = {
        let (cache, source, target) = (cache.clone(), source.describe(), folder.path.clone());
        move || cache.take(&source, &target)
    };
    let taken =
        blocking::run(work).await.map_err(|ended| ended.during("reading the model cache"))??;
    Ok(taken.map(|taken| (taken.resolved, folder, taken.kept_at)))
}

/// Checks, loads, verifies and warms the model of a folder. Nothing of what serves is touched.
pub(crate) async fn load(
    resolved: ResolvedModel,
    folder: Folder,
    options: &Arc<ServeOptions>,
) -> Result<ServedModel> {
    let work = {
        let (folder, version) = (folder.path.clone(), resolved.version.clone());
        let options = Arc::clone(options);
        move || {
            folder::check(&folder)?;
            integrity::check(&folder, version.as_ref())?;
            memory::check(&folder, trainyard_base::memory::available(options.memory_bytes_max))?;
            read(&folder, &options)
        }
    };
    let read = blocking::run(work).await.map_err(|ended| ended.during("loading the model"))??;
    let (mlmodel, examples, engine) = match read {
        Read::Native { loaded, examples } => {
            (loaded.mlmodel, examples, Engine::Native(loaded.predictor))
        }
        Read::NeedsPython { mlmodel, examples, python } => {
            let pool = python::start(&folder.path, folder.temporary, &mlmodel, &python).await?;
            (mlmodel, examples, Engine::Python(pool))
        }
    };
    let served = served(mlmodel, engine, resolved, options);
    verify::verify(served, examples, options).await
}

/// A model folder that was read.
enum Read {
    Native { loaded: LoadedModel, examples: Examples },
    NeedsPython { mlmodel: MlModel, examples: Examples, python: PythonOptions },
}

/// What the folder has to try the model with. `MLmodel` may name a file that was not copied along, which
/// MLflow never notices.
fn examples(folder: &Path, mlmodel: &MlModel) -> Result<Examples> {
    let request = match InputExample::read(folder, mlmodel) {
        Ok(Some(example)) => Ok(example.payload),
        Ok(None) => Err(Silent {
            what: "it has no input example",
            detail: "log the model with one to have it tried".to_owned(),
        }),
        Err(error) => {
            Err(Silent { what: "its input example cannot be read", detail: error.to_string() })
        }
    };
    let answer = InputExample::recorded_answer(folder)
        .map_err(|error| Error::Verification { reason: error.to_string() })?;
    Ok(Examples { request, answer })
}

fn read(folder: &Path, options: &ServeOptions) -> Result<Read> {
    let native = (options.loader.0)(folder).and_then(|loaded| {
        params::check(&loaded.mlmodel)?;
        Ok(loaded)
    });
    let (what, hint) = match native {
        Ok(loaded) => {
            let examples = examples(folder, &loaded.mlmodel)?;
            return Ok(Read::Native { loaded, examples });
        }
        Err(trainyard_models::Error::Unsupported { what, hint }) => (what, hint),
        Err(error) => return Err(error.into()),
    };
    let mlmodel = MlModel::read(folder).map_err(trainyard_models::Error::from)?;
    if mlmodel.flavors.python_function.is_none() {
        return Err(trainyard_models::Error::Unsupported { what, hint }.into());
    }
    let Some(python) = options.python.clone() else {
        let hint = format!("{hint}; --python-workers 2 runs it in two Python processes");
        return Err(trainyard_models::Error::Unsupported { what, hint }.into());
    };
    tracing::info!(what, "not supported here, so Python workers run it");
    let examples = examples(folder, &mlmodel)?;
    Ok(Read::NeedsPython { mlmodel, examples, python })
}

fn served(
    mlmodel: MlModel,
    engine: Engine,
    resolved: ResolvedModel,
    options: &ServeOptions,
) -> ServedModel {
    let signature = mlmodel.signature.as_ref();
    let enforcer = |casting| {
        let casting = if options.lenient { Casting::Upstream } else { casting };
        Enforcer::new(signature, casting, options.limits.content.clone())
    };
    let (strict, scoring) = (enforcer(Casting::Strict), enforcer(Casting::Lossless));
    let version = match (&resolved.version, &resolved.model_id, &mlmodel.model_id) {
        (Some(version), _, _) => version.version.as_str(),
        (None, Some(id), _) | (None, None, Some(id)) => id,
        (None, None, None) => mlmodel.model_uuid.as_deref().unwrap_or_default(),
    };
    ServedModel {
        name: Arc::default(),
        version: Arc::from(version),
        resolved,
        loaded_at: clock::now(),
        strict,
        scoring,
        example: None,
        unverified: Some("it was not tried yet"),
        mlmodel,
        engine,
    }
}
