//! From a model folder to workers that have loaded it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use trainyard_base::TemporaryFolder;
use trainyard_signature::model::MlModel;

use super::environment::{self, Requirements};
use super::pool::{Kept, Pool};
use super::process::Launch;
use super::variables;
use crate::error::{Error, Result};
use crate::options::PythonOptions;

/// Importing MLflow and the model's libraries takes seconds, on a busy machine tens of them.
const START_TIMEOUT: Duration = Duration::from_mins(3);

/// Starts workers for a model folder. `fetched` is the folder when it is a temporary one: workers
/// that are started later read it again.
pub(crate) async fn start(
    folder: &Path,
    fetched: Option<Arc<TemporaryFolder>>,
    mlmodel: &MlModel,
    options: &PythonOptions,
) -> Result<Pool> {
    // Otherwise workers, which are of the same user, could read the environment and the memory of this
    // process, and the passwords in them. Against one that runs as root it is no help.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "Python workers may read this process");
    }
    let (interpreter, environment) = if let Some(interpreter) = &options.interpreter {
        (interpreter.clone(), None)
    } else {
        let flavor = mlmodel.flavors.python_function.as_ref();
        let version = flavor.and_then(|flavor| flavor.python_version.as_deref());
        let environment = async {
            let requirements = Requirements::read(folder, version)?;
            Box::pin(environment::environment(&requirements, options)).await
        };
        let environment = environment.await.map_err(|reason| Error::Environment { reason })?;
        (environment.interpreter.clone(), Some(environment))
    };
    let directory = TemporaryFolder::create("python").map_err(Error::temporary)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut seen = variables::for_workers(&options.variables);
    seen.extend(options.environment.iter().map(|(name, value)| (name.into(), value.into())));
    let launch = Launch {
        interpreter,
        // Workers run elsewhere, so a relative path would mean another folder to them.
        folder: std::path::absolute(folder)
            .map_err(|source| Error::Io { path: folder.to_owned(), source })?,
        directory: directory.path().to_owned(),
        memory_bytes_max: options.memory_bytes_max.unwrap_or(0),
        threads: (cores / options.workers.max(1)).max(1),
        start_timeout: START_TIMEOUT,
        variables: seen,
    };
    launch.prepare().map_err(|source| Error::Io { path: directory.path().to_owned(), source })?;
    let kept = Kept { _fetched: fetched, _directory: directory, _environment: environment };
    Pool::start(options, launch, kept)
        .await
        .map_err(|failure| Error::Python { reason: failure.reason, is_final: failure.is_final })
}
