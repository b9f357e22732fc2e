//! Python workers of the gate: what judges a version runs it as a deployment will.

use std::time::Duration;

use trainyard_serve::PythonOptions;

use crate::serve_environment::{lookup, taken};
use crate::{Error, FILE_NAME, Project, Result};

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
    if let Some(cache) = lookup("TRAINYARD_PYTHON_CACHE") {
        options.cache_dir = cache.into();
    }
    options.request_timeout = SCORING_MAX;
    options.environment = taken(&serve.env, &lookup).map_err(wrong)?;
    Ok(Some(options))
}
