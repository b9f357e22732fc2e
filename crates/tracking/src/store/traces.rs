//! Traces: the trait over the database, and what is written of them besides their spans.

use std::sync::Arc;

use async_trait::async_trait;
use trainyard_mlflow::entities::{Assessment, KeyValue, Span, Trace, TraceInfo, TraceState};
use trainyard_mlflow::{
    self as mlflow, DeleteTraces, EndTrace, Error, FilterCounts, MetricPoint, Page,
    QueryTraceMetrics, SearchTraces, Traces, UpdateAssessment, uri,
};

use super::database::{Connection, Value};
use super::experiment_rows::get_active;
use super::names::new_id;
use super::permits::Reading;
use super::sql_store::SqlStore;
use super::trace_links::DELETED_MAX;
use super::trace_rows::{
    self, ARTIFACT_LOCATION, FINALIZED, Part, SERVERS_TAGS, Table, check_count, check_here, cut,
    fits, not_found, put,
};
use super::{
    assessment_rows, assessments, search_traces, trace_links, trace_metrics, trace_spans, validate,
};
use crate::error::Result;
use crate::spans::usage::{self, COSTS, TOKENS};

/// Most assessments that come with a trace.
const ASSESSMENTS_MAX: usize = 1_000;
/// Most ids of a request.
const IDS_MAX: usize = 10_000;

#[async_trait]
impl Traces for SqlStore {
    async fn start(&self, mut info: TraceInfo) -> mlflow::Result<TraceInfo> {
        for assessment in &mut info.assessments {
            name_assessment(assessment);
        }
        self.write(move |connection| start(connection, &info)).await
    }

    async fn start_v2(&self, info: TraceInfo) -> mlflow::Result<TraceInfo> {
        let info = TraceInfo { trace_id: new_id(), ..info };
        self.create_one(move |connection| {
            insert(connection, &info)?;
            trace_rows::get(connection, &info.trace_id)
        })
        .await
    }

    async fn end_v2(&self, trace_id: &str, end: EndTrace) -> mlflow::Result<TraceInfo> {
        let id = trace_id.to_owned();
        self.write(move |connection| end_v2(connection, &id, &end)).await
    }

    async fn log_spans(&self, experiment_id: &str, spans: Vec<Span>) -> mlflow::Result<()> {
        let experiment_id = experiment_id.to_owned();
        self.write(move |connection| trace_spans::log(connection, &experiment_id, &spans)).await
    }

    async fn get_info(&self, trace_id: &str) -> mlflow::Result<TraceInfo> {
        let id = trace_id.to_owned();
        self.read(move |connection| trace_rows::get(connection, &id)).await
    }

    async fn get_infos(
        &self,
        trace_ids: &[String],
        experiment_ids: Option<Vec<String>>,
    ) -> mlflow::Result<Vec<TraceInfo>> {
        check_named(trace_ids)?;
        let ids = trace_ids.to_vec();
        self.read_many(Reading::Listing, move |connection| {
            trace_spans::infos(connection, &ids, experiment_ids.as_deref())
        })
        .await
    }

    async fn get_all(
        &self,
        trace_ids: &[String],
        experiment_ids: Option<Vec<String>>,
    ) -> mlflow::Result<Vec<Trace>> {
        check_named(trace_ids)?;
        let ids = trace_ids.to_vec();
        self.read_many(Reading::Listing, move |connection| {
            trace_spans::all(connection, &ids, experiment_ids.as_deref())
        })
        .await
    }

    async fn get(&self, trace_id: &str, allow_partial: bool) -> mlflow::Result<Trace> {
        let id = trace_id.to_owned();
        self.read_many(Reading::Listing, move |connection| {
            trace_spans::get(connection, &id, allow_partial)
        })
        .await
    }

    async fn search(&self, search: SearchTraces) -> mlflow::Result<Page<TraceInfo>> {
        let reading = Reading::of(&search.filter);
        self.read_many(reading, move |connection| search_traces::search(connection, &search)).await
    }

    async fn count_both(
        &self,
        experiment_ids: Vec<String>,
        filters: [String; 2],
        base: String,
    ) -> mlflow::Result<FilterCounts> {
        self.read_many(Reading::Searching, move |connection| {
            search_traces::count_both(connection, &experiment_ids, &filters, &base)
        })
        .await
    }

    async fn metrics(&self, query: QueryTraceMetrics) -> mlflow::Result<Vec<MetricPoint>> {
        self.read_many(Reading::Searching, move |connection| {
            trace_metrics::query(connection, &query)
        })
        .await
    }

    async fn delete(&self, delete: DeleteTraces) -> mlflow::Result<i64> {
        trace_links::check(&delete)?;
        check_named(&delete.trace_ids)?;
        let limit = delete.max_traces.unwrap_or(i64::MAX);
        let delete = Arc::new(delete);
        let mut deleted = 0;
        loop {
            let most = DELETED_MAX.min(limit - deleted);
            let delete = Arc::clone(&delete);
            let part = self
                .write(move |connection| trace_links::delete(connection, &delete, most))
                .await?;
            deleted += part;
            if part < DELETED_MAX || deleted >= limit {
                return Ok(deleted);
            }
        }
    }

    async fn set_tag(&self, trace_id: &str, tag: KeyValue) -> mlflow::Result<()> {
        validate::tag_key(&tag.key)?;
        let id = trace_id.to_owned();
        self.write(move |connection| set_tag(connection, &id, &tag)).await
    }

    async fn delete_tag(&self, trace_id: &str, key: &str) -> mlflow::Result<()> {
        let (id, key) = (trace_id.to_owned(), key.to_owned());
        self.write(move |connection| delete_tag(connection, &id, &key)).await
    }

    async fn link_to_run(&self, trace_ids: &[String], run_id: &str) -> mlflow::Result<()> {
        let (ids, run_id) = (trace_ids.to_vec(), run_id.to_owned());
        self.write(move |connection| trace_links::to_run(connection, &ids, &run_id)).await
    }

    async fn link_prompts(&self, trace_id: &str, prompts: &[String]) -> mlflow::Result<()> {
        let (id, prompts) = (trace_id.to_owned(), prompts.to_vec());
        self.write(move |connection| trace_links::prompts(connection, &id, &prompts)).await
    }

    async fn create_assessment(&self, mut assessment: Assessment) -> mlflow::Result<Assessment> {
        name_assessment(&mut assessment);
        self.write(move |connection| assessments::create(connection, &assessment)).await
    }

    async fn get_assessment(
        &self,
        trace_id: &str,
        assessment_id: &str,
    ) -> mlflow::Result<Assessment> {
        let (trace_id, id) = (trace_id.to_owned(), assessment_id.to_owned());
        self.read(move |connection| assessment_rows::get(connection, &trace_id, &id)).await
    }

    async fn update_assessment(
        &self,
        trace_id: &str,
        assessment_id: &str,
        update: UpdateAssessment,
    ) -> mlflow::Result<Assessment> {
        let (trace_id, id) = (trace_id.to_owned(), assessment_id.to_owned());
        self.write(move |connection| assessments::update(connection, &trace_id, &id, &update)).await
    }

    async fn delete_assessment(&self, trace_id: &str, assessment_id: &str) -> mlflow::Result<()> {
        let (trace_id, id) = (trace_id.to_owned(), assessment_id.to_owned());
        self.write(move |connection| assessments::delete(connection, &trace_id, &id)).await
    }
}

/// Gives an assessment an id before it is written, so that one that is written again stays the same.
fn name_assessment(assessment: &mut Assessment) {
    if assessment.assessment_id.is_empty() {
        assessment.assessment_id = format!("a-{}", new_id());
    }
}

fn check_named(ids: &[String]) -> Result<()> {
    if ids.len() > IDS_MAX {
        return Err(Error::invalid(format!(
            "at most {IDS_MAX} traces can be named at once, got {}",
            ids.len()
        ))
        .into());
    }
    Ok(())
}

/// What columns hold of the metadata of a trace.
struct Columns {
    session: Option<String>,
    tokens: Vec<Option<i64>>,
    costs: Vec<Option<f64>>,
}

impl Columns {
    fn of(metadata: &[KeyValue]) -> Result<Self> {
        let session = KeyValue::find(metadata, trace_rows::SESSION).map(str::to_owned);
        fits("Session ID", session.as_deref(), trace_rows::SESSION_MAX)?;
        let numbers = |key: &str, names: &[&str]| {
            usage::of_text(KeyValue::find(metadata, key).unwrap_or_default(), names)
        };
        let tokens = numbers(trace_rows::USAGE, &TOKENS);
        Ok(Self {
            session,
            tokens: tokens.into_iter().map(|count| count.and_then(usage::tokens)).collect(),
            costs: numbers(trace_rows::COST, &COSTS),
        })
    }

    /// Its values in the order of [`COLUMNS`].
    fn values<'a>(self) -> impl Iterator<Item = Value<'a>> {
        std::iter::once(Value::from(self.session))
            .chain(self.tokens.into_iter().map(Value::from))
            .chain(self.costs.into_iter().map(Value::from))
    }
}

/// The columns of session, tokens and costs.
const COLUMNS: [&str; 10] = [
    "session_id",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_input_tokens_above_1hr",
    "input_cost",
    "output_cost",
    "total_cost",
];

/// Adds a trace with its tags and metadata; whether it was not there yet.
fn insert(connection: &mut dyn Connection, info: &TraceInfo) -> Result<bool> {
    let experiment = get_active(connection, &info.experiment_id)?;
    let name = KeyValue::find(&info.tags, trace_rows::NAME);
    fits("Trace name", name, trace_rows::NAME_MAX)?;
    let columns = Columns::of(&info.trace_metadata)?;
    let mut values: Vec<Value<'_>> = vec![
        (&info.trace_id).into(),
        validate::experiment_id(&info.experiment_id)?.into(),
        info.request_time.into(),
        info.execution_duration.into(),
        info.state.name().into(),
        info.client_request_id.as_ref().into(),
        info.request_preview.clone().map(|text| cut(text, trace_rows::PREVIEW_MAX)).into(),
        info.response_preview.clone().map(|text| cut(text, trace_rows::PREVIEW_MAX)).into(),
        name.into(),
    ];
    values.extend(columns.values());
    let sql = format!(
        "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status, \
         client_request_id, request_preview, response_preview, trace_name, {}) VALUES ({}) \
         ON CONFLICT (request_id) DO NOTHING",
        COLUMNS.join(", "),
        super::placeholders::placeholders(1, values.len())
    );
    let is_new = connection.execute(&sql, &values)? > 0;
    let files =
        uri::join(&experiment.artifact_location, &format!("traces/{}/artifacts", info.trace_id));
    let tags = info.tags.iter().filter(|tag| tag.key != trace_rows::NAME).cloned();
    let tags = tags.chain(std::iter::once(KeyValue::new(ARTIFACT_LOCATION, files)));
    put(connection, Table::Tags, &info.trace_id, tags.collect())?;
    let metadata = info.trace_metadata.iter().filter(|entry| !trace_rows::is_column(&entry.key));
    put(connection, Table::Metadata, &info.trace_id, metadata.cloned().collect())?;
    Ok(is_new)
}

/// Notes a trace. One that its spans brought already is completed.
fn start(connection: &mut dyn Connection, info: &TraceInfo) -> Result<TraceInfo> {
    if info.assessments.len() > ASSESSMENTS_MAX {
        return Err(Error::invalid(format!(
            "a trace may come with at most {ASSESSMENTS_MAX} assessments, got {}",
            info.assessments.len()
        ))
        .into());
    }
    check_here(connection, &info.trace_id)?;
    let is_new = insert(connection, info)?;
    let finalized = KeyValue::new(FINALIZED, "true");
    put(connection, Table::Metadata, &info.trace_id, vec![finalized])?;
    let experiment_id = validate::experiment_id(&info.experiment_id)?;
    if !is_new {
        complete(connection, info, experiment_id)?;
    }
    for assessment in &info.assessments {
        let assessment = Assessment { trace_id: info.trace_id.clone(), ..assessment.clone() };
        assessments::put(connection, &assessment, experiment_id, info.request_time)?;
    }
    check_count(connection, Part::Assessments, &info.trace_id)?;
    trace_rows::get(connection, &info.trace_id)
}

/// Writes what a client tells of a trace over what was learnt from its spans.
fn complete(connection: &mut dyn Connection, info: &TraceInfo, experiment_id: i64) -> Result<()> {
    let id = info.trace_id.as_str();
    let columns = Columns::of(&info.trace_metadata)?;
    let mut sets = Vec::new();
    let mut values: Vec<Value<'_>> = vec![
        id.into(),
        experiment_id.into(),
        info.request_time.into(),
        info.execution_duration.into(),
        info.state.name().into(),
        info.client_request_id.as_ref().into(),
    ];
    let kept = [
        (
            "request_preview",
            info.request_preview.clone().map(|text| cut(text, trace_rows::PREVIEW_MAX)),
        ),
        (
            "response_preview",
            info.response_preview.clone().map(|text| cut(text, trace_rows::PREVIEW_MAX)),
        ),
        ("trace_name", KeyValue::find(&info.tags, trace_rows::NAME).map(str::to_owned)),
    ];
    let kept = kept.into_iter().map(|(column, value)| (column, Value::from(value)));
    // What is not told stays.
    for (column, value) in kept.chain(COLUMNS.into_iter().zip(columns.values())) {
        if value != Value::Null {
            values.push(value);
            sets.push(format!(", {column} = ?{}", values.len()));
        }
    }
    let sql = format!(
        "UPDATE trace_info SET experiment_id = ?2, timestamp_ms = ?3, execution_time_ms = ?4, \
         status = ?5, client_request_id = ?6, db_payload_generation = db_payload_generation + 1{} \
         WHERE request_id = ?1",
        sets.concat()
    );
    connection.execute(&sql, &values)?;
    connection.execute(
        "UPDATE spans SET experiment_id = ?2 WHERE trace_id = ?1 AND experiment_id <> ?2",
        &[id.into(), experiment_id.into()],
    )?;
    connection.execute(
        "UPDATE assessments SET experiment_id = ?2, trace_timestamp_ms = ?3 WHERE trace_id = ?1",
        &[id.into(), experiment_id.into(), info.request_time.into()],
    )?;
    Ok(())
}

/// Ends a trace of a client before MLflow 3.
fn end_v2(connection: &mut dyn Connection, id: &str, end: &EndTrace) -> Result<TraceInfo> {
    let (_, started) = trace_rows::lock(connection, id)?;
    let state = if end.state == TraceState::Unspecified { TraceState::Ok } else { end.state };
    let duration = end.timestamp_ms.saturating_sub(started);
    connection.execute(
        "UPDATE trace_info SET execution_time_ms = ?2, status = ?3 WHERE request_id = ?1",
        &[id.into(), duration.into(), state.name().into()],
    )?;
    let columns = Columns::of(&end.request_metadata)?;
    for (column, value) in COLUMNS.into_iter().zip(columns.values()) {
        if value != Value::Null {
            let sql = format!("UPDATE trace_info SET {column} = ?2 WHERE request_id = ?1");
            connection.execute(&sql, &[id.into(), value])?;
        }
    }
    let metadata = end.request_metadata.iter().filter(|entry| !trace_rows::is_column(&entry.key));
    put(connection, Table::Metadata, id, metadata.cloned().collect())?;
    // Clients send back what they were told.
    let told = end.tags.iter().filter(|tag| !SERVERS_TAGS.contains(&tag.key.as_str()));
    let (names, tags): (Vec<KeyValue>, Vec<KeyValue>) =
        told.cloned().partition(|tag| tag.key == trace_rows::NAME);
    put(connection, Table::Tags, id, tags)?;
    if let Some(name) = names.last() {
        put_tag(connection, id, name)?;
    }
    trace_rows::get(connection, id)
}

fn put_tag(connection: &mut dyn Connection, id: &str, tag: &KeyValue) -> Result<()> {
    if tag.key != trace_rows::NAME {
        return put(connection, Table::Tags, id, vec![tag.clone()]);
    }
    fits("Trace name", Some(&tag.value), trace_rows::NAME_MAX)?;
    set_name(connection, id, Some(&tag.value))
}

fn set_name(connection: &mut dyn Connection, id: &str, name: Option<&str>) -> Result<()> {
    let sql = "UPDATE trace_info SET trace_name = ?2 WHERE request_id = ?1";
    connection.execute(sql, &[id.into(), name.into()])?;
    Ok(())
}

fn set_tag(connection: &mut dyn Connection, id: &str, tag: &KeyValue) -> Result<()> {
    trace_rows::lock(connection, id)?;
    put_tag(connection, id, tag)
}

fn delete_tag(connection: &mut dyn Connection, id: &str, key: &str) -> Result<()> {
    let is_gone = if key == trace_rows::NAME {
        let sql = "SELECT trace_name FROM trace_info WHERE request_id = ?1";
        let name = connection.first(sql, &[id.into()], |row| row.optional_text(0))?;
        let name = name.ok_or_else(|| not_found(id))?;
        set_name(connection, id, None)?;
        name.is_some()
    } else {
        let sql = "DELETE FROM trace_tags WHERE request_id = ?1 AND \"key\" = ?2";
        connection.execute(sql, &[id.into(), key.into()])? > 0
    };
    if is_gone {
        return Ok(());
    }
    let message = format!("No trace tag with key '{key}' for trace with ID '{id}'");
    Err(Error::not_found(message).into())
}
