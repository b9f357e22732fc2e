//! What a tracking server and registry does: a handle with a member for each resource.

use std::fmt;
use std::sync::Arc;

use crate::artifacts::Artifacts;
use crate::{
    Approvals, Audit, EvaluationDatasets, Experiments, LoggedModels, ModelVersions,
    RegisteredModels, Result, Runs, Scorers, Traces,
};

/// Experiments, runs, logged models, the registry and their artifacts, wherever each is: in a database, or
/// behind a server. Cheap to clone; clones are the same.
///
/// Methods, limits, defaults and errors are those of MLflow 3.17's REST API; see
/// `docs/mlflow-compatibility.md`. What a method acknowledged is durable.
#[derive(Clone)]
pub struct Tracking {
    pub experiments: Arc<dyn Experiments>,
    pub runs: Arc<dyn Runs>,
    pub logged_models: Arc<dyn LoggedModels>,
    /// With [`model_versions`](Self::model_versions), the registry, which may be in another home.
    pub registered_models: Arc<dyn RegisteredModels>,
    pub model_versions: Arc<dyn ModelVersions>,
    /// Who changed the registry, and where it is the same home, experiments and runs.
    pub audit: Arc<dyn Audit>,
    pub approvals: Arc<dyn Approvals>,
    pub artifacts: Arc<dyn Artifacts>,
    /// None of a server that is asked over the network: only servers have a use for them here.
    pub tracing: Option<Tracing>,
}

/// What applications that were traced leave behind.
#[derive(Clone)]
pub struct Tracing {
    pub traces: Arc<dyn Traces>,
    pub evaluation_datasets: Arc<dyn EvaluationDatasets>,
    pub scorers: Arc<dyn Scorers>,
}

impl Tracking {
    /// Everything in one home, and the artifacts.
    pub fn new<H>(home: Arc<H>, artifacts: Arc<dyn Artifacts>) -> Self
    where
        H: Experiments
            + Runs
            + LoggedModels
            + RegisteredModels
            + ModelVersions
            + Audit
            + Approvals
            + 'static,
    {
        Self {
            experiments: Arc::clone(&home) as _,
            runs: Arc::clone(&home) as _,
            logged_models: Arc::clone(&home) as _,
            registered_models: Arc::clone(&home) as _,
            model_versions: Arc::clone(&home) as _,
            audit: Arc::clone(&home) as _,
            approvals: home,
            artifacts,
            tracing: None,
        }
    }

    /// The same with the traces of a home.
    #[must_use]
    pub fn with_tracing<H>(self, home: Arc<H>) -> Self
    where
        H: Traces + EvaluationDatasets + Scorers + 'static,
    {
        let tracing = Tracing {
            traces: Arc::clone(&home) as _,
            evaluation_datasets: Arc::clone(&home) as _,
            scorers: home,
        };
        Self { tracing: Some(tracing), ..self }
    }

    /// Whether writes would be kept, as far as is known without asking anybody: what a server says of
    /// its health.
    pub async fn health(&self) -> Result<()> {
        self.experiments.health().await?;
        self.registered_models.health().await
    }
}

impl fmt::Debug for Tracking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracking").finish_non_exhaustive()
    }
}

impl fmt::Debug for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracing").finish_non_exhaustive()
    }
}
