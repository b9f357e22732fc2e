//! Whose file it is: a run's, or a logged model's.

use crate::error::Result;
use crate::links::Links;
use crate::page;
use crate::site::Web;

/// Whose file it is.
pub(crate) struct Owner {
    /// Where its files lie.
    pub(crate) root_uri: String,
    /// Its page.
    pub(crate) address: String,
    /// The pages above its files.
    trail: Vec<(String, String)>,
}

impl Owner {
    pub(crate) async fn run(web: &Web, run_id: &str) -> Result<Self> {
        let info = web.tracking.runs.get(run_id).await?.info;
        let address = web.links.run(&info.run_id);
        let name = page::run_name(&info.run_name, &info.run_id).to_owned();
        Ok(Self::new(web, &info.experiment_id, address, name, info.artifact_uri))
    }

    pub(crate) async fn model(web: &Web, model_id: &str) -> Result<Self> {
        let info = web.tracking.logged_models.get(model_id).await?.info;
        let address = web.links.logged_model(&info.model_id);
        Ok(Self::new(web, &info.experiment_id, address, info.name, info.artifact_uri))
    }

    fn new(
        web: &Web,
        experiment_id: &str,
        address: String,
        name: String,
        root_uri: String,
    ) -> Self {
        let trail = vec![
            (web.links.experiments(), "Experiments".to_owned()),
            (web.links.experiment(experiment_id), "Runs".to_owned()),
            (address.clone(), name),
        ];
        Self { root_uri, address, trail }
    }

    /// The way to what is at `path`: each folder above it is a page.
    pub(crate) fn trail(&self, path: &str) -> Vec<(String, String)> {
        let mut trail = self.trail.clone();
        if path.is_empty() {
            return trail;
        }
        trail.push((Links::files(&self.address), "Files".to_owned()));
        for (end, _slash) in path.match_indices('/') {
            let folder = path.get(..end).unwrap_or_default();
            let name = folder.rsplit('/').next().unwrap_or_default();
            trail.push((Links::file(&self.address, folder), name.to_owned()));
        }
        trail
    }
}
