//! Bringing a file store into a database: what would be in the way is found before anything is written, then
//! experiments, runs, logged models and the registry come, in the order in which they refer to each other.

use std::path::Path;
use std::sync::Arc;

use trainyard_mlflow::entities::Experiment;
use trainyard_mlflow::{Error, ErrorCode, Result};

use super::counts::{Counts, Kind};
use super::file_store::{ExperimentFolder, FileStore};
use super::locations::{ArtifactsAre, Moved, kept_location};
use super::plan::{Becomes, Numbers, plan};
use super::report::{Options, Report};
use super::survey::Survey;
use super::target::Target;
use super::travelling::Travelling;
use super::{transfer_models, transfer_runs};
use crate::error::invalid;
use crate::store::import_experiments::KnownExperiment;

/// Brings everything over that `survey` could read. `progress` is told what has been compared so far.
///
/// # Errors
///
/// Before anything is written: if something is broken and may not be left out, if experiments or models of the
/// same name are there, or if files that stay in place are where the server may not read. Later: what the database
/// or the storage of artifacts say.
pub async fn import(
    source: &Path,
    survey: &Survey,
    target: &Target,
    options: Options,
    progress: &(dyn Fn(&Counts) + Sync),
) -> Result<Report> {
    if survey.problems.total() > 0 && !options.skip_broken {
        return invalid!(
            "{} files or folders cannot be imported; nothing was written",
            survey.problems.total()
        );
    }
    let files = FileStore::open(source)?;
    let mut report = Report::default();
    let folders = files.experiments(&mut report.problems);
    let known = target.store.known_experiments().await?;
    let id_max = target.store.experiment_id_max().await?;
    let removed = target.store.removed_experiments().await?;
    let numbers = Numbers { removed: &removed, max: id_max };
    let becomes = plan(&folders, &known, &numbers, options.merge_experiments);
    let models = files.registered_models(&mut report.problems);
    refuse_conflicts(&folders, &becomes, &transfer_models::conflicts(target, &models).await?)?;
    if options.artifacts_are == ArtifactsAre::LeftInPlace {
        check_places(target, &files, &folders).await?;
    }

    let mut travelling = Vec::with_capacity(folders.len());
    for (folder, becomes) in folders.into_iter().zip(becomes) {
        travelling.push(experiment(target, folder, &becomes, &known, options, &mut report).await?);
    }
    progress(&report.read);
    transfer_runs::runs(target, &travelling, options, &mut report, progress).await?;
    transfer_models::logged(target, &travelling, survey, options, &mut report, progress).await?;
    transfer_models::registered(target, &travelling, &models, &mut report).await?;
    progress(&report.read);
    Ok(report)
}

/// All at once: whoever changes one name wants to know of the others.
fn refuse_conflicts(
    folders: &[ExperimentFolder],
    becomes: &[Becomes],
    models: &[String],
) -> Result<()> {
    let mut conflicts = Vec::new();
    for (folder, becomes) in folders.iter().zip(becomes) {
        if let Becomes::Refused { by } = becomes {
            conflicts
                .push(format!("experiment '{}' (there with number {by})", folder.experiment.name));
        }
    }
    let merges = if conflicts.is_empty() {
        ""
    } else {
        "; --merge-experiments lets runs go into the experiment of the same name"
    };
    conflicts.extend(models.iter().map(|name| format!("registered model '{name}'")));
    if conflicts.is_empty() {
        return Ok(());
    }
    invalid!(
        "the database has others of the same name, and nothing was written: {}; rename them in one of the \
         two{merges}",
        conflicts.join(", ")
    )
}

/// Files that stay in place must be where the server may read: it says no itself, and how to change that.
async fn check_places(
    target: &Target,
    files: &FileStore,
    folders: &[ExperimentFolder],
) -> Result<()> {
    check_place(target, files.root()).await?;
    for folder in folders {
        let moved = Moved::new(folder, String::new(), ArtifactsAre::LeftInPlace);
        if !moved.folder.starts_with(files.root()) {
            check_place(target, &moved.folder).await?;
        }
    }
    Ok(())
}

async fn check_place(target: &Target, folder: &Path) -> Result<()> {
    let listed = target.artifacts.list(&folder.display().to_string(), "").await;
    match listed {
        Err(error) if error.code() == ErrorCode::PermissionDenied => {
            Err(Error::invalid(error.to_string()))
        }
        listed => listed.map(|_files| ()),
    }
}

async fn experiment(
    target: &Target,
    folder: ExperimentFolder,
    becomes: &Becomes,
    known: &[KnownExperiment],
    options: Options,
    report: &mut Report,
) -> Result<Travelling> {
    let own: Arc<Experiment> = Arc::new(folder.experiment.clone());
    let (id, location) = match becomes {
        Becomes::Part(id) => {
            let there = known.iter().find(|known| known.id == *id);
            if *id == 0 && own.name != "Default" {
                target.store.import_default_name(&own.name).await?;
            }
            (*id, there.map(|there| there.artifact_location.clone()).unwrap_or_default())
        }
        Becomes::Itself | Becomes::Renumbered => {
            let number = (*becomes == Becomes::Itself).then_some(folder.number);
            let kept = kept_location(&folder, options.artifacts_are);
            target.store.import_experiment(&own, number, kept).await?
        }
        Becomes::Refused { by } => {
            return Err(Error::already_exists(format!("Experiment {by} has the same name")));
        }
    };
    if id != folder.number {
        let own = &folder.experiment;
        report.notes.push(format!(
            "experiment '{}' has number {id} in the database (in the files: {})",
            own.name, own.experiment_id
        ));
    }
    target.store.import_experiment_tags(id, &own).await?;
    let tags = target.store.experiment_tag_count(id).await?;
    let read = Counts::of([
        (Kind::Experiments, 1),
        (Kind::ExperimentTags, folder.experiment.tags.len() as u64),
    ]);
    let stored = Counts::of([(Kind::Experiments, 1), (Kind::ExperimentTags, tags)]);
    report.compare(&format!("experiment '{}'", own.name), &read, &stored);
    let moved = Moved::new(&folder, location, options.artifacts_are);
    Ok(Travelling { folder, id, moved })
}
