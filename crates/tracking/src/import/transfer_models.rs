//! Bringing logged models and the registry over, after the runs that they refer to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use trainyard_mlflow::Result;
use trainyard_mlflow::entities::LoggedModel;

use super::artifacts::{copy, files};
use super::counts::{Counts, Kind};
use super::locations::ArtifactsAre;
use super::metric_file::{MetricFile, Owner};
use super::problem::Problems;
use super::read_models::{LoggedModelFolder, is_of, read_logged_model, read_registered_model};
use super::report::{Options, Report};
use super::survey::{Survey, model_files};
use super::target::Target;
use super::travelling::{AT_A_TIME, Travelling, VALUES_AT_A_TIME};

/// The registered models that others made in the database with the same name.
pub(super) async fn conflicts(target: &Target, paths: &[PathBuf]) -> Result<Vec<String>> {
    let mut conflicts = Vec::new();
    // What cannot be read was noted by the survey.
    let mut noted = Problems::default();
    for path in paths {
        let Some(found) = read_registered_model(path, &mut noted) else { continue };
        let there = target.registry().registered_model_time(&found.model.name).await?;
        if there.is_some_and(|made| made != found.model.creation_timestamp) {
            conflicts.push(found.model.name);
        }
    }
    Ok(conflicts)
}

/// Brings all logged models over.
pub(super) async fn logged(
    target: &Target,
    experiments: &[Travelling],
    survey: &Survey,
    options: Options,
    report: &mut Report,
    progress: &(dyn Fn(&Counts) + Sync),
) -> Result<()> {
    for experiment in experiments {
        let paths = experiment.folder.logged_models(&mut report.problems);
        let parts = paths.iter().map(|path| one(target, experiment, survey, path, options));
        let mut parts = futures::stream::iter(parts).buffer_unordered(AT_A_TIME);
        while let Some(part) = parts.try_next().await? {
            report.add(part);
            progress(&report.read);
        }
    }
    Ok(())
}

async fn one(
    target: &Target,
    experiment: &Travelling,
    survey: &Survey,
    path: &Path,
    options: Options,
) -> Result<Report> {
    let mut report = Report::default();
    let found = read_logged_model(path, &experiment.folder, &survey.run_ids, &mut report.problems);
    let Some(found) = found else { return Ok(report) };
    let info = &found.model.info;
    let id = info.model_id.clone();
    let what = format!("logged model {id}");
    let places = experiment.moved.files(path, &info.artifact_uri, &model_files(&id));
    let mut read = found.counts;
    let mut copied = 0;
    if let Some(from) = places.from.filter(|_| options.artifacts_are == ArtifactsAre::Copied) {
        let files = files(&from, &mut report.problems);
        read.add(Kind::Files, files.len() as u64);
        let done = copy(&*target.artifacts, &files, &places.to).await;
        copied = report.unless_refused(&what, done)?;
    }
    let mut stored = stored_model(target, &id).await?;
    if found.counts.missing_in(&stored).next().is_some() {
        let written = write(target, &found, experiment.id, places.to, survey).await;
        report.unless_refused(&what, written)?;
        stored = stored_model(target, &id).await?;
    }
    stored.add(Kind::Files, copied);
    report.compare(&what, &read, &stored);
    Ok(report)
}

async fn write(
    target: &Target,
    found: &LoggedModelFolder,
    experiment_id: i64,
    artifact_uri: String,
    survey: &Survey,
) -> Result<()> {
    let mut model: LoggedModel = found.model.clone();
    model.info.experiment_id = experiment_id.to_string();
    model.info.artifact_uri = artifact_uri;
    let model = Arc::new(model);
    target.store.import_logged_model(&model, found.lifecycle_stage).await?;
    // What is wrong was noted when the model was read.
    let mut noted = Problems::default();
    for (key, path) in &found.metrics {
        let opened = MetricFile::open(key, path, Owner::LoggedModel);
        let Some(mut file) = noted.note(opened) else { continue };
        loop {
            let mut values = file.next_values(VALUES_AT_A_TIME, &mut noted);
            if values.is_empty() {
                break;
            }
            values.retain(|value| is_of(&survey.run_ids, value.run_id.as_deref()));
            target.store.import_model_metrics(&model, values).await?;
        }
    }
    Ok(())
}

async fn stored_model(target: &Target, id: &str) -> Result<Counts> {
    let stored = target.store.stored_model(id).await?;
    Ok(Counts::of([
        (Kind::LoggedModels, stored.models),
        (Kind::LoggedModelParams, stored.params),
        (Kind::LoggedModelTags, stored.tags),
        (Kind::LoggedModelMetrics, stored.metrics),
    ]))
}

/// Brings the registry over. Sources and locations within the file store become where the files are now.
pub(super) async fn registered(
    target: &Target,
    experiments: &[Travelling],
    paths: &[PathBuf],
    report: &mut Report,
) -> Result<()> {
    for path in paths {
        registered_model(target, experiments, path, report).await?;
    }
    Ok(())
}

async fn registered_model(
    target: &Target,
    experiments: &[Travelling],
    path: &Path,
    report: &mut Report,
) -> Result<()> {
    let Some(mut found) = read_registered_model(path, &mut report.problems) else { return Ok(()) };
    let rewritten = |location: &str| {
        experiments.iter().find_map(|experiment| experiment.moved.rewritten(location))
    };
    for (version, location) in &mut found.versions {
        if let Some(source) = rewritten(&version.source) {
            version.source = source;
        }
        if let Some(new) = location.as_deref().and_then(rewritten) {
            *location = Some(new);
        }
    }
    let name = found.model.name.clone();
    let what = format!("registered model '{name}'");
    let written = target.registry().import_registered_model(found.model, found.versions).await;
    report.unless_refused(&what, written)?;
    let stored = target.registry().stored_registered_model(&name).await?;
    let stored = Counts::of([
        (Kind::RegisteredModels, stored.models),
        (Kind::RegisteredModelTags, stored.tags),
        (Kind::Aliases, stored.aliases),
        (Kind::ModelVersions, stored.versions),
        (Kind::ModelVersionTags, stored.version_tags),
    ]);
    report.compare(&what, &found.counts, &stored);
    Ok(())
}
