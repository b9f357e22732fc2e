//! What the gate knows of a version: its metrics, and how it does beside the version in production.

use std::collections::BTreeMap;

use trainyard_base::Advise as _;
use trainyard_mlflow::Tracking;
use trainyard_mlflow::entities::ModelVersion;
use trainyard_mlflow::secrets::hide;
use trainyard_serve::Scorer;
use trainyard_train::{Comparison, HeldOut, LEVEL, Pair, Predictions};

use super::judge::{Compared, Worth};
use super::rows::{Origin, unseen, unseen_by};
use super::rules::Source;
use super::verdict::Metrics;
use crate::candidate::Candidate;
use crate::python::python_options;
use crate::{Error, Project, Result};

/// All that the judgement needs.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) worth: Worth,
    pub(crate) compared: Compared,
}

impl Evidence {
    /// Of a version, and of the one in production if a rule is about it. What a built-in algorithm logged is
    /// taken as it is; everything else is loaded and scored on the project's holdout, unless the project takes
    /// the word of its program.
    pub(crate) async fn gather(
        project: &Project,
        tracking: &Tracking,
        candidate: &Candidate,
        production: Option<&ModelVersion>,
    ) -> Result<Self> {
        let origin = origin(tracking, &candidate.version, "this version".to_owned()).await?;
        if let Some(note) = why_logged(project) {
            return Self::of_logged(tracking, origin, production, note).await;
        }
        let has_logged = origin.is_own() || project.config.gate.thresholds.is_empty();
        if has_logged && production.is_none() {
            return Ok(Self { worth: logged(&origin, None), compared: Compared::Nothing });
        }
        let today = held_out(project).await?;
        let worth = if has_logged {
            logged(&origin, None)
        } else {
            worth_here(project, candidate, &origin, today.clone()).await?
        };
        let compared = match production {
            None => Compared::Nothing,
            Some(production) => {
                compare(project, tracking, (candidate, &origin), production, today).await?
            }
        };
        Ok(Self { worth, compared })
    }

    /// Of what the programs logged.
    async fn of_logged(
        tracking: &Tracking,
        candidate: Origin,
        production: Option<&ModelVersion>,
        note: String,
    ) -> Result<Self> {
        let note_of = |origin: &Origin| (!origin.is_own()).then(|| note.clone());
        let worth = logged(&candidate, note_of(&candidate));
        let compared = match production {
            None => Compared::Nothing,
            Some(production) => {
                let who = format!("version {}", production.version);
                let production = origin(tracking, production, who).await?;
                Compared::Logged {
                    candidate: worth.metrics.clone(),
                    production: logged(&production, None).metrics,
                    note: format!("{note}, each on rows of its own"),
                }
            }
        };
        Ok(Self { worth, compared })
    }
}

/// Why logged numbers are all there is; none if the project has a holdout.
fn why_logged(project: &Project) -> Option<String> {
    let train = &project.config.train;
    if project.config.gate.metrics == Source::Logged {
        return Some("by what was logged, as [gate] says".to_owned());
    }
    let has_holdout = train.data.is_some() && train.target.is_some();
    (!has_holdout).then(|| {
        "by what the training program logged of itself: without `data` and `target` under [train] there is no \
         holdout to judge by"
            .to_owned()
    })
}

async fn origin(tracking: &Tracking, version: &ModelVersion, who: String) -> Result<Origin> {
    let run = match version.run_id.as_deref().filter(|run_id| !run_id.is_empty()) {
        Some(run_id) => Some(tracking.runs.get(run_id).await?),
        None => None,
    };
    Ok(Origin { who, run })
}

/// What was logged with the version's run.
fn logged(origin: &Origin, note: Option<String>) -> Worth {
    let metrics = origin.run.iter().flat_map(|run| &run.data.metrics);
    let metrics: Metrics = metrics.map(|metric| (metric.key.clone(), metric.value)).collect();
    Worth { metrics, note, is_scored: false }
}

/// What the project holds out of its data as they are now.
async fn held_out(project: &Project) -> Result<HeldOut> {
    let table = project.training_data().await?.batch;
    let config = project.train_config();
    blocking(move || Ok(HeldOut::of(&table, &config)?)).await
}

/// The version's metrics on the holdout.
async fn worth_here(
    project: &Project,
    candidate: &Candidate,
    origin: &Origin,
    today: HeldOut,
) -> Result<Worth> {
    let (rows, note) = match unseen_by(today.clone(), origin) {
        Ok(rows) => (rows, None),
        // It may have seen them, which only flatters it: a bound that it misses, it misses.
        Err(reason) => (today, Some(format!("it may have been trained on these rows: {reason}"))),
    };
    let predicted = predict(project, candidate, &rows).await?;
    let metrics = predicted.and_then(|predictions| {
        rows.metrics(&predictions).map_err(|error| cannot_be_evaluated(&error.sentence()))
    });
    Ok(match metrics {
        Ok(metrics) => Worth { metrics, note, is_scored: true },
        Err(reason) => Worth { note: Some(reason), ..Worth::default() },
    })
}

/// Both versions on the rows that neither was trained on.
async fn compare(
    project: &Project,
    tracking: &Tracking,
    (candidate, new_origin): (&Candidate, &Origin),
    production: &ModelVersion,
    today: HeldOut,
) -> Result<Compared> {
    let who = format!("version {}, which is in production,", production.version);
    let old_origin = origin(tracking, production, who).await?;
    let rows = match unseen(today, &[new_origin, &old_origin]) {
        Ok(rows) => rows,
        Err(reason) => return Ok(Compared::Incomparable(reason)),
    };
    let new = match predict(project, candidate, &rows).await? {
        Ok(predictions) => predictions,
        Err(reason) => return Ok(Compared::CannotBeEvaluated(reason)),
    };
    let production = Candidate::find(project, tracking, Some(&production.version)).await?;
    let old = match predict(project, &production, &rows).await? {
        Ok(predictions) => predictions,
        Err(reason) => {
            return Ok(Compared::Incomparable(format!("{} {reason}", old_origin.who)));
        }
    };
    let metrics: Vec<String> =
        project.config.gate.not_worse_than_production.keys().cloned().collect();
    // An equal version is refused by any of the rules no more often than by one.
    let level = LEVEL / metrics.len().max(1) as f64;
    blocking(move || {
        let pair = Pair {
            task: rows.task,
            truth: rows.truth()?,
            new: &new,
            old: &old,
            positive: rows.positive.as_deref(),
        };
        let mut compared: BTreeMap<String, Comparison> = BTreeMap::new();
        for metric in metrics {
            let comparison = trainyard_train::compare(&metric, pair, level)?;
            compared.insert(metric, comparison);
        }
        Ok(Compared::Rows(compared))
    })
    .await
}

/// What a version says of the rows, or why it cannot be asked here.
async fn predict(
    project: &Project,
    candidate: &Candidate,
    rows: &HeldOut,
) -> Result<Result<Predictions, String>> {
    let python = python_options(project)?;
    let folder = candidate.path().await?;
    let scorer = match Box::pin(Scorer::start(folder, python.as_ref())).await {
        Ok(scorer) => scorer,
        Err(error) => return refused(error, python.is_some()).map(Err),
    };
    let (model, rows) = (scorer.model(), rows.clone());
    let predicted = blocking(move || Ok(rows.predict(&model))).await;
    scorer.close().await;
    Ok(predicted?.map_err(|error| cannot_be_evaluated(&hide(&error.sentence()))))
}

/// What is wrong with a version that cannot be run; an error if it is not the version that is at fault.
fn refused(error: trainyard_serve::Error, has_workers: bool) -> Result<String> {
    use trainyard_serve::Error::{Model, Python};
    let needs_python = matches!(error, Model(trainyard_models::Error::Unsupported { .. }));
    if !matches!(error, Model(_) | Python { is_final: true, .. }) {
        return Err(error.into());
    }
    let mut reason = hide(&error.sentence()).into_owned();
    if needs_python && !has_workers {
        reason.push_str("; `python_workers = 1` under [serve] has Python score it");
    }
    Ok(cannot_be_evaluated(&reason))
}

fn cannot_be_evaluated(reason: &str) -> String {
    format!(
        "cannot be evaluated here: {reason}; metrics = \"logged\" under [gate] takes the numbers that the training \
         program logged"
    )
}

/// Heavy work, on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::from(trainyard_train::Error::Internal(error.to_string())))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_data_is_taken_at_its_word_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let why = |rest: &str| {
            let text = format!("[model]\nname = \"Churn\"\n[train]\ncommand = \"true\"\n{rest}");
            std::fs::write(folder.path().join("trainyard.toml"), text).unwrap();
            why_logged(&Project::open(folder.path(), None).unwrap())
        };
        let note = why("").unwrap();
        assert!(note.contains("logged of itself") && note.contains("no holdout"), "{note}");
        let data = "data = \"a.csv\"\ntarget = \"y\"\n";
        assert_eq!(why(data), None);
        assert!(why(&format!("{data}[gate]\nmetrics = \"logged\"\n")).unwrap().contains("[gate]"));
    }
}
