//! Reading a whole file store without writing anything: what is in it, and what is broken. Nobody wants to find
//! out half-way.

use std::collections::HashSet;
use std::path::Path;

use trainyard_mlflow::Result;

use super::artifacts::files;
use super::counts::{Counts, Kind};
use super::file_store::{ExperimentFolder, FileStore};
use super::locations::{ArtifactsAre, Moved};
use super::problem::Problems;
use super::read_models::{read_logged_model, read_registered_model};
use super::read_run::read_run;

/// What a file store holds.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    pub counts: Counts,
    /// Traces, which are not imported.
    pub traces: u64,
    pub problems: Problems,
    /// The runs that can be read.
    pub(super) run_ids: HashSet<String>,
}

/// Reads everything; `progress` is told what was found so far.
pub fn survey(
    source: &Path,
    artifacts_are: ArtifactsAre,
    progress: &dyn Fn(&Counts),
) -> Result<Survey> {
    let store = FileStore::open(source)?;
    let mut survey = Survey::default();
    let experiments = store.experiments(&mut survey.problems);
    for folder in &experiments {
        survey.counts.add(Kind::Experiments, 1);
        survey.counts.add(Kind::ExperimentTags, folder.experiment.tags.len() as u64);
        survey.traces += folder.traces(&mut survey.problems);
        let moved = Moved::new(folder, String::new(), artifacts_are);
        runs(folder, &moved, &mut survey, progress);
    }
    // Values of logged models are of runs in any experiment.
    for folder in &experiments {
        let moved = Moved::new(folder, String::new(), artifacts_are);
        logged_models(folder, &moved, &mut survey, progress);
    }
    for path in store.registered_models(&mut survey.problems) {
        if let Some(model) = read_registered_model(&path, &mut survey.problems) {
            survey.counts += model.counts;
        }
    }
    progress(&survey.counts);
    Ok(survey)
}

fn runs(folder: &ExperimentFolder, moved: &Moved, survey: &mut Survey, progress: &dyn Fn(&Counts)) {
    for path in folder.runs(&mut survey.problems) {
        let Some(run) = read_run(&path, folder, &mut survey.problems) else { continue };
        survey.counts += run.counts;
        let info = run.run.info;
        let lies = moved.files(&path, &info.artifact_uri, &run_files(&info.run_id));
        if let Some(from) = lies.from {
            survey.counts.add(Kind::Files, files(&from, &mut survey.problems).len() as u64);
        }
        survey.run_ids.insert(info.run_id);
        progress(&survey.counts);
    }
}

fn logged_models(
    folder: &ExperimentFolder,
    moved: &Moved,
    survey: &mut Survey,
    progress: &dyn Fn(&Counts),
) {
    for path in folder.logged_models(&mut survey.problems) {
        let Survey { run_ids, problems, counts, .. } = &mut *survey;
        let Some(model) = read_logged_model(&path, folder, run_ids, problems) else { continue };
        *counts += model.counts;
        let info = model.model.info;
        let lies = moved.files(&path, &info.artifact_uri, &model_files(&info.model_id));
        if let Some(from) = lies.from {
            counts.add(Kind::Files, files(&from, problems).len() as u64);
        }
        progress(counts);
    }
}

/// Where a run's files are in its experiment's location.
pub(super) fn run_files(run_id: &str) -> String {
    format!("{run_id}/artifacts")
}

/// Where a logged model's files are in its experiment's location.
pub(super) fn model_files(model_id: &str) -> String {
    format!("models/{model_id}/artifacts")
}
