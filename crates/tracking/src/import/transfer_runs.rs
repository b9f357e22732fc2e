//! Bringing runs over. A run's files come first, then what is known of it, then its metrics; and what is in the
//! database in the end is counted.

use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use trainyard_mlflow::Result;

use super::artifacts::{copy, files};
use super::counts::{Counts, Kind};
use super::locations::ArtifactsAre;
use super::metric_file::{MetricFile, Owner};
use super::problem::Problems;
use super::read_run::{RunFolder, read_run};
use super::report::{Options, Report};
use super::survey::run_files;
use super::target::Target;
use super::travelling::{AT_A_TIME, Travelling, VALUES_AT_A_TIME};
use crate::store::import_runs::ImportedRun;

/// Brings the runs of all experiments over.
pub(super) async fn runs(
    target: &Target,
    experiments: &[Travelling],
    options: Options,
    report: &mut Report,
    progress: &(dyn Fn(&Counts) + Sync),
) -> Result<()> {
    for experiment in experiments {
        let paths = experiment.folder.runs(&mut report.problems);
        let parts = paths.iter().map(|path| run(target, experiment, path, options));
        let mut parts = futures::stream::iter(parts).buffer_unordered(AT_A_TIME);
        while let Some(part) = parts.try_next().await? {
            report.add(part);
            progress(&report.read);
        }
    }
    Ok(())
}

/// Brings a run over and compares it.
async fn run(
    target: &Target,
    experiment: &Travelling,
    path: &Path,
    options: Options,
) -> Result<Report> {
    let mut report = Report::default();
    let Some(found) = read_run(path, &experiment.folder, &mut report.problems) else {
        return Ok(report);
    };
    let run_id = found.run.info.run_id.clone();
    let there = target.store.experiment_of_run(&run_id).await?;
    if let Some(other) = there.filter(|there| *there != experiment.id) {
        report.read += found.counts;
        report.differs(format!(
            "run {run_id} is in experiment {other} of the database, not in {}: it was left as it is there",
            experiment.id
        ));
        return Ok(report);
    }
    let what = format!("run {run_id}");
    let artifact_uri = &found.run.info.artifact_uri;
    let places = experiment.moved.files(path, artifact_uri, &run_files(&run_id));
    let mut read = found.counts;
    let mut copied = 0;
    if let Some(from) = places.from.filter(|_| options.artifacts_are == ArtifactsAre::Copied) {
        let files = files(&from, &mut report.problems);
        read.add(Kind::Files, files.len() as u64);
        let done = copy(&*target.artifacts, &files, &places.to).await;
        copied = report.unless_refused(&what, done)?;
    }
    let mut stored = stored_run(target, &run_id, there.is_some()).await?;
    if found.counts.missing_in(&stored).next().is_some() {
        let written =
            write_run(target, &found, experiment.id, places.to, &mut report.problems).await;
        report.unless_refused(&what, written)?;
        let is_there = target.store.experiment_of_run(&run_id).await?.is_some();
        stored = stored_run(target, &run_id, is_there).await?;
    }
    stored.add(Kind::Files, copied);
    report.compare(&what, &read, &stored);
    Ok(report)
}

async fn write_run(
    target: &Target,
    found: &RunFolder,
    experiment_id: i64,
    artifact_uri: String,
    problems: &mut Problems,
) -> Result<()> {
    let mut run = found.run.clone();
    run.info.experiment_id = experiment_id.to_string();
    run.info.artifact_uri = artifact_uri;
    let info = run.info.clone();
    let run = Arc::new(ImportedRun { run, deleted_time: found.deleted_time });
    target.store.import_run(&run).await?;
    // Lines that are no values were noted when the run was read.
    let mut noted = Problems::default();
    for (key, path) in &found.metrics {
        let opened = MetricFile::open(key, path, Owner::Run);
        let Some(mut file) = problems.note(opened) else { continue };
        loop {
            let values = file.next_values(VALUES_AT_A_TIME, &mut noted);
            if values.is_empty() {
                break;
            }
            target.store.import_metrics(&info, values).await?;
        }
    }
    Ok(())
}

async fn stored_run(target: &Target, run_id: &str, is_there: bool) -> Result<Counts> {
    let stored = target.store.stored_run(run_id).await?;
    Ok(Counts::of([
        (Kind::Runs, u64::from(is_there)),
        (Kind::Params, stored.params),
        (Kind::RunTags, stored.tags),
        (Kind::MetricValues, stored.metric_values),
        (Kind::DatasetInputs, stored.dataset_inputs),
        (Kind::ModelInputs, stored.model_inputs),
        (Kind::ModelOutputs, stored.model_outputs),
    ]))
}
