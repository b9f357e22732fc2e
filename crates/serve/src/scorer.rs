//! A model for rows that somebody has, not for requests: it is read here, or runs in Python workers where nothing
//! here evaluates it and workers are allowed. The gate of a project scores versions with it.

use std::path::Path;
use std::sync::Arc;

use trainyard_mlflow::entities::ModelVersion;
use trainyard_models::LoadedModel;
use trainyard_signature::model::MlModel;

use crate::error::Result;
use crate::options::PythonOptions;
use crate::python::{self, Pool, WorkerPredictor};
use crate::{blocking, folder, integrity, params};

/// A model that can be asked about rows.
#[derive(Debug)]
pub struct Scorer {
    model: Arc<LoadedModel>,
    workers: Option<Arc<Pool>>,
}

impl Scorer {
    /// Reads a model folder, which must stay for as long as this. Workers are started only for a model that
    /// cannot be evaluated here.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Model`] if the model cannot be read, or only by Python and there are no workers;
    /// [`crate::Error::Python`] and [`crate::Error::Environment`] if they cannot be started.
    pub async fn start(folder: &Path, python: Option<&PythonOptions>) -> Result<Self> {
        let work = {
            let folder = folder.to_owned();
            move || -> trainyard_models::Result<LoadedModel> {
                let loaded = trainyard_models::load(&folder)?;
                params::check(&loaded.mlmodel)?;
                Ok(loaded)
            }
        };
        let read = blocking::run(work).await.map_err(|ended| ended.during("loading the model"))?;
        let refusal = match read {
            Ok(model) => return Ok(Self { model: Arc::new(model), workers: None }),
            Err(error) => error,
        };
        let (Some(python), trainyard_models::Error::Unsupported { .. }) = (python, &refusal) else {
            return Err(refusal.into());
        };
        let mlmodel = MlModel::read(folder).map_err(trainyard_models::Error::from)?;
        if mlmodel.flavors.python_function.is_none() {
            return Err(refusal.into());
        }
        let pool = Arc::new(python::start(folder, None, &mlmodel, python).await?);
        let predictor = Box::new(WorkerPredictor::new(Arc::clone(&pool), &mlmodel));
        let model = Arc::new(LoadedModel { mlmodel, predictor });
        Ok(Self { model, workers: Some(pool) })
    }

    /// The same for the folder of a registered version, or of none, once it has shown to be what was registered.
    ///
    /// # Errors
    ///
    /// Those of [`Self::start`], and [`crate::Error::Folder`] and [`crate::Error::Integrity`].
    pub async fn of_version(
        folder: &Path,
        version: Option<&ModelVersion>,
        python: Option<&PythonOptions>,
    ) -> Result<Self> {
        let work = {
            let (path, version) = (folder.to_owned(), version.cloned());
            move || {
                folder::check(&path)?;
                integrity::check(&path, version.as_ref())
            }
        };
        blocking::run(work).await.map_err(|ended| ended.during("checking the model"))??;
        Self::start(folder, python).await
    }

    /// The model. Where workers run it, it is asked on a thread that may block.
    pub fn model(&self) -> Arc<LoadedModel> {
        Arc::clone(&self.model)
    }

    /// Whether workers run it.
    pub fn runs_in_workers(&self) -> bool {
        self.workers.is_some()
    }

    /// Ends the workers, if there are any, and waits until they are gone.
    pub async fn close(self) {
        if let Some(pool) = &self.workers {
            pool.close().await;
        }
    }
}
