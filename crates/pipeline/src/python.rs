//! Python workers of the gate: what judges a version runs it as a deployment will.

use std::path::PathBuf;
use std::time::Duration;

use trainyard_serve::PythonOptions;

use crate::serve_environment::{lookup, taken};
use crate::{Error, FILE_NAME, Project, Result};

/// Where environments of workers are kept, and how large they may be, for `serve` as well.
pub(crate) const CACHE: &str = "TRAINYARD_PYTHON_CACHE";
const CACHE_MAX: &str = "TRAINYARD_PYTHON_CACHE_MAX";

/// What a worker may take over all rows of the holdout.
const SCORING_MAX: Duration = Duration::from_mins(10);

/// Workers by `[serve]`, one at a time: nobody else asks. None if the project has none.
pub(crate) fn python_options(project: &Project) -> Result<Option<PythonOptions>> {
    let serve = &project.config.serve;
    if serve.python_workers == 0 {
        return Ok(None);
    }
    let wrong = |reason: String| Error::config(&project.folder.join(FILE_NAME), reason);
    let mut options = PythonOptions::new(1);
    options.interpreter = serve.python.as_ref().map(|python| match python.components().count() {
        // A bare name is looked up on the PATH.
        1 => python.clone(),
        _ => project.path(python),
    });
    if let Some(cache) = lookup(CACHE) {
        options.cache_dir = cache.into();
    }
    if let Some(most) = lookup(CACHE_MAX) {
        options.cache_bytes_max = trainyard_base::size::parse(&most)
            .map_err(|error| wrong(format!("{CACHE_MAX}: {error}")))?;
    }
    options.request_timeout = SCORING_MAX;
    options.environment = taken(&serve.env, &lookup).map_err(wrong)?;
    Ok(Some(options))
}

/// Whether instances make Python environments of what models want.
pub(crate) fn makes_environments(project: &Project) -> bool {
    let serve = &project.config.serve;
    serve.python_workers > 0 && serve.python.is_none()
}

/// Where instances in containers keep the environments; processes have those of their user, as `serve` by itself has.
/// They stay from release to release.
pub(crate) fn container_cache(project: &Project) -> PathBuf {
    let told = lookup(CACHE).map(PathBuf::from);
    told.map_or_else(|| project.state_folder().join("python"), |folder| project.path(&folder))
}
