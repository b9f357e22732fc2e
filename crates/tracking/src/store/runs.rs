//! Runs, and what is logged to them.

use async_trait::async_trait;
use trainyard_mlflow::entities::{
    DatasetInput, LifecycleStage, Metric, ModelInput, ModelOutput, Param, Run, RunData, RunInfo,
    RunStatus, Tag,
};
use trainyard_mlflow::{
    self as mlflow, CreateRun, Curve, DrawCurve, Error, Extremes, FindExtremes, LogBatch,
    MetricHistoryPage, Page, Runs, SearchRuns, StepValue, UpdateRun, Wanted, uri,
};

use super::audit::{Auditor, Change};
use super::clock::now_millis;
use super::database::Connection;
use super::experiment_rows::get_active;
use super::names::{new_id, random_name};
use super::permits::Reading;
use super::run_rows::{find, find_active, status_text};
use super::sql_store::SqlStore;
use super::{curve, extremes, inputs, metrics, params, run_data, run_tags, search_runs, validate};
use crate::error::Result;
use crate::search::runs_sql::RUN_NAME;

#[async_trait]
impl Runs for SqlStore {
    async fn create(&self, run: CreateRun) -> mlflow::Result<Run> {
        let audit = self.auditor();
        self.create_one(move |connection| {
            let run = create(connection, run.clone())?;
            if audit.notes_runs() {
                let change = Change::of_run("run.create", &run.info.run_id);
                audit.note(connection, vec![change.after(run.info.run_name.clone())])?;
            }
            Ok(run)
        })
        .await
    }

    async fn get(&self, run_id: &str) -> mlflow::Result<Run> {
        let run_id = run_id.to_owned();
        self.read(move |connection| run_data::get(connection, &run_id)).await
    }

    async fn update(&self, update: UpdateRun) -> mlflow::Result<RunInfo> {
        let audit = self.auditor();
        self.write(move |connection| self::update(connection, &audit, &update)).await
    }

    async fn delete(&self, run_id: &str) -> mlflow::Result<()> {
        let (run_id, audit) = (run_id.to_owned(), self.auditor());
        self.write(move |connection| delete(connection, &audit, &run_id)).await
    }

    async fn restore(&self, run_id: &str) -> mlflow::Result<()> {
        let (run_id, audit) = (run_id.to_owned(), self.auditor());
        self.write(move |connection| restore(connection, &audit, &run_id)).await
    }

    async fn search(&self, search: SearchRuns) -> mlflow::Result<Page<Run>> {
        let reading = Reading::of(&search.filter);
        self.read_many(reading, move |connection| search_runs::search(connection, &search, None))
            .await
    }

    async fn search_for(&self, search: SearchRuns, wanted: Wanted) -> mlflow::Result<Page<Run>> {
        let reading = Reading::of(&search.filter);
        let read = move |connection: &mut dyn Connection| {
            search_runs::search(connection, &search, Some(&wanted))
        };
        self.read_many(reading, read).await
    }

    async fn count(&self, search: SearchRuns) -> mlflow::Result<i64> {
        let reading = Reading::of(&search.filter);
        self.read_many(reading, move |connection| search_runs::count(connection, &search)).await
    }

    async fn log_metric(&self, run_id: &str, metric: Metric) -> mlflow::Result<()> {
        let run_id = run_id.to_owned();
        self.write(move |connection| metrics::log_one(connection, &run_id, &metric)).await
    }

    async fn log_param(&self, run_id: &str, param: Param) -> mlflow::Result<()> {
        let (run_id, long_values) = (run_id.to_owned(), self.long_values);
        self.write(move |connection| {
            params::log_one(connection, &run_id, param.clone(), long_values)
        })
        .await
    }

    async fn set_tag(&self, run_id: &str, tag: Tag) -> mlflow::Result<()> {
        let (run_id, long_values) = (run_id.to_owned(), self.long_values);
        let audit = self.auditor();
        self.write(move |connection| {
            let before = run_tags::before(connection, &audit, &run_id, &tag.key)?;
            run_tags::set(connection, &run_id, tag.clone(), long_values)?;
            if audit.notes_runs() {
                let change = Change::of_run("run.set_tag", &run_id).part("tag", &tag.key);
                audit.note(connection, vec![change.before(before).after(tag.value.clone())])?;
            }
            Ok(())
        })
        .await
    }

    async fn delete_tag(&self, run_id: &str, key: &str) -> mlflow::Result<()> {
        let (run_id, key) = (run_id.to_owned(), key.to_owned());
        let audit = self.auditor();
        self.write(move |connection| {
            let before = run_tags::before(connection, &audit, &run_id, &key)?;
            run_tags::delete(connection, &run_id, &key)?;
            if audit.notes_runs() {
                let change = Change::of_run("run.delete_tag", &run_id).part("tag", &key);
                audit.note(connection, vec![change.before(before)])?;
            }
            Ok(())
        })
        .await
    }

    async fn log_batch(&self, run_id: &str, mut batch: LogBatch) -> mlflow::Result<()> {
        // Checked here rather than on the one thread that writes.
        validate::run_id(run_id)?;
        validate::batch(&mut batch, self.long_values)?;
        let run_id = run_id.to_owned();
        self.write(move |connection| log_batch(connection, &run_id, &batch)).await
    }

    async fn log_inputs(
        &self,
        run_id: &str,
        datasets: Vec<DatasetInput>,
        models: Vec<ModelInput>,
    ) -> mlflow::Result<()> {
        let run_id = run_id.to_owned();
        self.write(move |connection| inputs::log(connection, &run_id, &datasets, &models)).await
    }

    async fn log_outputs(&self, run_id: &str, models: Vec<ModelOutput>) -> mlflow::Result<()> {
        let run_id = run_id.to_owned();
        self.write(move |connection| inputs::log_outputs(connection, &run_id, &models)).await
    }

    async fn metric_history(
        &self,
        run_id: &str,
        key: &str,
        page: MetricHistoryPage,
    ) -> mlflow::Result<Page<Metric>> {
        let (run_id, key) = (run_id.to_owned(), key.to_owned());
        self.read_many(Reading::Listing, move |connection| {
            metrics::history(connection, &run_id, &key, &page)
        })
        .await
    }

    async fn extremes(&self, asked: FindExtremes) -> mlflow::Result<Vec<Option<Extremes>>> {
        let work = move |connection: &mut dyn Connection| extremes::of_runs(connection, &asked);
        self.read_many(Reading::Listing, work).await
    }

    async fn values_at(
        &self,
        key: &str,
        at: Vec<(String, i64)>,
    ) -> mlflow::Result<Vec<Option<StepValue>>> {
        let key = key.to_owned();
        let work = move |connection: &mut dyn Connection| extremes::at(connection, &key, &at);
        self.read_many(Reading::Listing, work).await
    }

    async fn curve(&self, run_id: &str, key: &str, asked: DrawCurve) -> mlflow::Result<Curve> {
        let (run_id, key) = (run_id.to_owned(), key.to_owned());
        self.read_many(Reading::Listing, move |connection| {
            curve::read(connection, &run_id, &key, asked)
        })
        .await
    }
}

/// Makes a run.
fn create(connection: &mut dyn Connection, run: CreateRun) -> Result<Run> {
    let experiment = get_active(connection, &run.experiment_id)?;
    let mut tags = run.tags;
    let tagged = tags.iter().find(|tag| tag.key == RUN_NAME).map(|tag| tag.value.clone());
    let name = run.run_name.filter(|name| !name.is_empty());
    let tagged = tagged.filter(|name| !name.is_empty());
    if let (Some(name), Some(tagged)) = (&name, &tagged)
        && name != tagged
    {
        return Err(Error::invalid(format!(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different \
             values (run_name='{name}', mlflow.runName='{tagged}')."
        ))
        .into());
    }
    let has_tag = tagged.is_some();
    let name = name.or(tagged).unwrap_or_else(random_name);
    if !has_tag {
        tags.retain(|tag| tag.key != RUN_NAME);
        tags.push(Tag::new(RUN_NAME, name.clone()));
    }
    let run_id = new_id();
    let artifact_uri = uri::join(&experiment.artifact_location, &format!("{run_id}/artifacts"));
    let experiment_id = validate::experiment_id(&experiment.experiment_id)?;
    connection.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, \
         status, start_time, end_time, deleted_time, source_version, lifecycle_stage, \
         artifact_uri, experiment_id) \
         VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, 'RUNNING', ?4, NULL, NULL, '', 'active', ?5, ?6)",
        &[
            (&run_id).into(),
            (&name).into(),
            (&run.user_id).into(),
            run.start_time.into(),
            (&artifact_uri).into(),
            experiment_id.into(),
        ],
    )?;
    let tags = run_tags::unique(tags);
    run_tags::upsert(connection, &run_id, &tags)?;
    Ok(Run {
        info: RunInfo {
            run_uuid: run_id.clone(),
            run_id,
            run_name: name,
            experiment_id: experiment.experiment_id,
            user_id: run.user_id,
            status: RunStatus::Running,
            start_time: Some(run.start_time),
            end_time: None,
            artifact_uri,
            lifecycle_stage: LifecycleStage::Active,
        },
        data: RunData { tags, ..RunData::default() },
        ..Run::default()
    })
}

/// Changes status, end or name of a run.
fn update(connection: &mut dyn Connection, audit: &Auditor, update: &UpdateRun) -> Result<RunInfo> {
    let mut info = find_active(connection, &update.run_id)?.info;
    let state = |info: &RunInfo| format!("{} {}", status_text(info.status), info.run_name);
    let before = audit.notes_runs().then(|| state(&info));
    if let Some(status) = update.status {
        info.status = status;
    }
    if update.end_time.is_some() {
        info.end_time = update.end_time;
    }
    connection.execute(
        "UPDATE runs SET status = ?1, end_time = ?2 WHERE run_uuid = ?3",
        &[status_text(info.status).into(), info.end_time.into(), (&update.run_id).into()],
    )?;
    if let Some(name) = update.run_name.as_deref().filter(|name| !name.is_empty()) {
        run_tags::set_name(connection, &update.run_id, name)?;
        name.clone_into(&mut info.run_name);
    }
    if let Some(before) = before {
        let change = Change::of_run("run.update", &update.run_id).before(before);
        audit.note(connection, vec![change.after(state(&info))])?;
    }
    Ok(info)
}

/// Marks a run as deleted; doing it again is no error.
fn delete(connection: &mut dyn Connection, audit: &Auditor, run_id: &str) -> Result<()> {
    let before = move_to(connection, run_id, "deleted", Some(now_millis()))?;
    let change = Change::of_run("run.delete", run_id).before(before);
    audit.note(connection, vec![change.after("deleted".to_owned())])
}

/// Brings a run back; doing it again is no error.
fn restore(connection: &mut dyn Connection, audit: &Auditor, run_id: &str) -> Result<()> {
    let before = move_to(connection, run_id, "active", None)?;
    let change = Change::of_run("run.restore", run_id).before(before);
    audit.note(connection, vec![change.after("active".to_owned())])
}

/// Moves a run to a stage; the one in which it was.
fn move_to(
    connection: &mut dyn Connection,
    run_id: &str,
    stage: &str,
    deleted_time: Option<i64>,
) -> Result<String> {
    let before = find(connection, run_id)?.info.lifecycle_stage;
    connection.execute(
        "UPDATE runs SET lifecycle_stage = ?1, deleted_time = ?2 WHERE run_uuid = ?3",
        &[stage.into(), deleted_time.into(), run_id.into()],
    )?;
    let is_active = before == LifecycleStage::Active;
    Ok(if is_active { "active" } else { "deleted" }.to_owned())
}

/// Logs metrics, params and tags, all or nothing.
fn log_batch(connection: &mut dyn Connection, run_id: &str, batch: &LogBatch) -> Result<()> {
    let run = find_active(connection, run_id)?;
    params::log(connection, run_id, &batch.params)?;
    metrics::log(connection, &run.info, &batch.metrics)?;
    run_tags::put_all(connection, run_id, &batch.tags)
}
