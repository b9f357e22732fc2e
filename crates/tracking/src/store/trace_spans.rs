//! Spans: written with what they tell of their trace, and read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use trainyard_mlflow::Error;
use trainyard_mlflow::entities::{KeyValue, Span, Trace, TraceInfo};

use super::database::{Connection, Value};
use super::trace_rows::{self, FINALIZED, Part, Table, check_count, check_here, cut, fits, put};
use super::{experiment_rows, validate};
use crate::error::Result;
use crate::search::Sql;
use crate::spans::preview::preview;
use crate::spans::stored;
use crate::spans::usage::{self, COSTS, Node, TOKENS};

/// Nanoseconds of a millisecond.
const NANOS: i64 = 1_000_000;
/// Size of the column of a span's type.
const TYPE_MAX: usize = 500;
/// Who used what was traced.
const USER: &str = "mlflow.trace.user";
/// How many spans there are, as the client says.
const SIZE_STATS: &str = "mlflow.trace.sizeStats";
/// Bytes of spans of one answer that holds several traces.
const SPANS_BYTES_MAX: usize = 64 << 20;

/// Stores spans. Their traces are made in this experiment where there are none yet.
pub(crate) fn log(
    connection: &mut dyn Connection,
    experiment_id: &str,
    spans: &[Span],
) -> Result<()> {
    // In the order of the ids, so that two changes never wait for each other.
    let mut traces: BTreeMap<&str, BTreeMap<&str, &Span>> = BTreeMap::new();
    for span in spans {
        traces.entry(&span.trace_id).or_default().insert(&span.span_id, span);
    }
    for (trace_id, spans) in traces {
        let spans: Vec<&Span> = spans.into_values().collect();
        log_trace(connection, experiment_id, trace_id, &spans)?;
    }
    Ok(())
}

/// The spans of one trace.
fn log_trace(
    connection: &mut dyn Connection,
    experiment_id: &str,
    trace_id: &str,
    spans: &[&Span],
) -> Result<()> {
    let is_new = make(connection, experiment_id, trace_id, spans)?;
    let (experiment_id, started) = trace_rows::lock(connection, trace_id)?;
    check_here(connection, trace_id)?;
    for span in spans {
        insert(connection, experiment_id, span)?;
    }
    check_count(connection, Part::Spans, trace_id)?;
    let known = trace_rows::get(connection, trace_id)?;
    update(connection, &known, spans, is_new)?;
    let first = spans.iter().map(|span| span.start_ns / NANOS).min();
    if first.is_some_and(|first| first < started) {
        connection.execute(
            "UPDATE assessments SET trace_timestamp_ms = (SELECT t.timestamp_ms FROM trace_info t \
             WHERE t.request_id = ?1) WHERE trace_id = ?1",
            &[trace_id.into()],
        )?;
    }
    let mut tags = vec![KeyValue::new(trace_rows::SPANS_LOCATION, trace_rows::HERE)];
    let resource = spans.iter().find(|span| !span.resource.is_empty());
    let resource = resource.into_iter().flat_map(|span| &span.resource);
    // What the client says of its trace comes last, and counts.
    let own = spans.iter().flat_map(|span| &span.trace_tags);
    // The name is a column.
    let own = own.filter(|tag| {
        tag.key != trace_rows::NAME && !trace_rows::SERVERS_TAGS.contains(&tag.key.as_str())
    });
    tags.extend(resource.chain(own).filter(|tag| validate::tag_key(&tag.key).is_ok()).cloned());
    put(connection, Table::Tags, trace_id, tags)
}

/// Makes the trace of spans if there is none; whether it did.
fn make(
    connection: &mut dyn Connection,
    experiment_id: &str,
    trace_id: &str,
    spans: &[&Span],
) -> Result<bool> {
    let exists = "SELECT 1 FROM trace_info WHERE request_id = ?1";
    if connection.first(exists, &[trace_id.into()], |_row| Ok(()))?.is_some() {
        return Ok(false);
    }
    let experiment = experiment_rows::find(connection, validate::experiment_id(experiment_id)?)?;
    let (first, last) = times(spans);
    let added = connection.execute(
        "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (request_id) DO NOTHING",
        &[
            trace_id.into(),
            validate::experiment_id(&experiment.experiment_id)?.into(),
            first.into(),
            last.map(|last| last - first).into(),
            state(spans).unwrap_or("IN_PROGRESS").into(),
        ],
    )?;
    if added > 0 {
        let path = format!("traces/{trace_id}/artifacts");
        let files = trainyard_mlflow::uri::join(&experiment.artifact_location, &path);
        let tag = KeyValue::new(trace_rows::ARTIFACT_LOCATION, files);
        put(connection, Table::Tags, trace_id, vec![tag])?;
    }
    Ok(added > 0)
}

/// When the first of them began, and the last one ended, in milliseconds.
fn times(spans: &[&Span]) -> (i64, Option<i64>) {
    let first = spans.iter().map(|span| span.start_ns / NANOS).min().unwrap_or_default();
    (first, spans.iter().filter_map(|span| span.end_ns).max().map(|last| last / NANOS))
}

/// The state of a trace by its root; none without one.
fn state(spans: &[&Span]) -> Option<&'static str> {
    let root = spans.iter().find(|span| span.parent_id.is_none())?;
    Some(if root.status == "ERROR" { "ERROR" } else { "OK" })
}

fn insert(connection: &mut dyn Connection, experiment_id: i64, span: &Span) -> Result<()> {
    let cost = |name: &str| span.cost.as_ref()?.get(name)?.as_f64();
    let kind = span.span_type.clone().map(|kind| cut(kind, TYPE_MAX));
    connection.execute(
        "INSERT INTO spans (trace_id, span_id, experiment_id, parent_span_id, name, type, status, \
         start_time_unix_nano, end_time_unix_nano, content, input_cost, output_cost, total_cost, \
         model_name, model_provider) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, \
         ?14, ?15) ON CONFLICT (trace_id, span_id) DO UPDATE SET \
         experiment_id = excluded.experiment_id, parent_span_id = excluded.parent_span_id, \
         name = excluded.name, type = excluded.type, status = excluded.status, \
         start_time_unix_nano = excluded.start_time_unix_nano, \
         end_time_unix_nano = excluded.end_time_unix_nano, content = excluded.content, \
         input_cost = excluded.input_cost, output_cost = excluded.output_cost, \
         total_cost = excluded.total_cost, model_name = excluded.model_name, \
         model_provider = excluded.model_provider",
        &[
            (&span.trace_id).into(),
            (&span.span_id).into(),
            experiment_id.into(),
            span.parent_id.as_ref().into(),
            (&span.name).into(),
            kind.into(),
            span.status.into(),
            span.start_ns.into(),
            span.end_ns.into(),
            (&span.content).into(),
            cost("input_cost").into(),
            cost("output_cost").into(),
            cost("total_cost").into(),
            span.model_name.as_ref().into(),
            span.model_provider.as_ref().into(),
        ],
    )?;
    Ok(())
}

/// Changes of a trace's row.
struct Changes {
    sets: Vec<String>,
    values: Vec<Value<'static>>,
}

impl Changes {
    fn set(&mut self, column: &str, value: impl Into<Value<'static>>) {
        self.values.push(value.into());
        self.sets.push(format!(", {column} = ?{}", self.values.len()));
    }
}

/// Writes what spans tell of their trace. What a client told of it stays.
fn update(
    connection: &mut dyn Connection,
    known: &TraceInfo,
    spans: &[&Span],
    is_new: bool,
) -> Result<()> {
    let trace_id = known.trace_id.as_str();
    let is_final = KeyValue::find(&known.trace_metadata, FINALIZED).is_some();
    let mut changes = Changes { sets: Vec::new(), values: vec![Value::from(trace_id.to_owned())] };
    if !is_final {
        let (first, last) = times(spans);
        let first = first.min(known.request_time);
        changes.set("timestamp_ms", first);
        let known_end = known.execution_duration.map(|duration| known.request_time + duration);
        if let Some(end) = last.max(known_end) {
            changes.set("execution_time_ms", end - first);
        }
    }
    if !matches!(known.state.name(), "OK" | "ERROR")
        && let Some(state) = state(spans)
    {
        changes.set("status", state);
    }
    if let Some(root) = spans.iter().find(|span| span.parent_id.is_none()) {
        let name = KeyValue::find(&root.trace_tags, trace_rows::NAME);
        if let Some(name) = name {
            changes.set("trace_name", cut(name.to_owned(), trace_rows::NAME_MAX));
        }
        if let (None, Some(inputs)) = (&known.request_preview, &root.inputs) {
            changes.set("request_preview", preview(inputs, "user"));
        }
        if let (None, Some(outputs)) = (&known.response_preview, &root.outputs) {
            changes.set("response_preview", preview(outputs, "assistant"));
        }
    }
    let session = spans.iter().find_map(|span| span.session_id.as_ref());
    if let Some(session) = session
        && KeyValue::find(&known.trace_metadata, trace_rows::SESSION).is_none()
    {
        fits("Session ID", Some(session), trace_rows::SESSION_MAX)?;
        changes.set("session_id", session.clone());
    }
    sum(connection, known, spans, (is_new, is_final), &mut changes)?;
    let sql = format!(
        "UPDATE trace_info SET db_payload_generation = db_payload_generation + 1{} \
         WHERE request_id = ?1",
        changes.sets.concat()
    );
    connection.execute(&sql, &changes.values)?;
    let user = spans.iter().find_map(|span| span.user_id.as_ref());
    if let Some(user) = user
        && KeyValue::find(&known.trace_metadata, USER).is_none()
    {
        put(connection, Table::Metadata, trace_id, vec![KeyValue::new(USER, user)])?;
    }
    Ok(())
}

/// Sums up tokens and costs, of the spans that were stored before as well.
fn sum(
    connection: &mut dyn Connection,
    known: &TraceInfo,
    spans: &[&Span],
    (is_new, is_final): (bool, bool),
    changes: &mut Changes,
) -> Result<()> {
    // What the client summed up itself is not summed up again.
    let told = |key: &str| is_final && KeyValue::find(&known.trace_metadata, key).is_some();
    let sums_tokens = !told(trace_rows::USAGE) && spans.iter().any(|span| span.usage.is_some());
    let sums_costs = !told(trace_rows::COST) && spans.iter().any(|span| span.cost.is_some());
    if !sums_tokens && !sums_costs {
        return Ok(());
    }
    let node = |span: &Span, numbers| Node {
        span_id: span.span_id.clone(),
        parent_id: span.parent_id.clone(),
        numbers,
    };
    let mut tokens: Vec<Node> = spans.iter().map(|span| node(span, span.usage.clone())).collect();
    let mut costs: Vec<Node> = spans.iter().map(|span| node(span, span.cost.clone())).collect();
    if !is_new {
        let sent: BTreeSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
        // A trace may have come in a thousand parts: of what has no numbers only the place is read.
        let [of_tokens, of_costs] = stored::NUMBERS;
        let sql = format!(
            "SELECT span_id, parent_span_id, CASE WHEN content LIKE '%{of_tokens}%' \
             OR content LIKE '%{of_costs}%' THEN content ELSE '' END FROM spans WHERE trace_id = ?1"
        );
        connection.query(&sql, &[(&known.trace_id).into()], &mut |row| {
            let span_id = row.need_text(0)?;
            if !sent.contains(span_id.as_str()) {
                let parent_id = row.optional_text(1)?;
                let (used, cost) = stored::numbers(row.text(2)?.unwrap_or_default());
                let span_and_parent = (span_id.clone(), parent_id.clone());
                tokens.push(Node { span_id, parent_id, numbers: used });
                let (span_id, parent_id) = span_and_parent;
                costs.push(Node { span_id, parent_id, numbers: cost });
            }
            Ok(())
        })?;
    }
    if sums_tokens && let Some(sums) = usage::sum(&tokens, &TOKENS) {
        for (column, count) in TOKENS.into_iter().zip(sums) {
            if let Some(count) = count.and_then(usage::tokens) {
                changes.set(column, count);
            }
        }
    }
    if sums_costs && let Some(sums) = usage::sum(&costs, &COSTS) {
        for (column, cost) in COSTS.into_iter().zip(sums) {
            if let Some(cost) = cost.filter(|cost| cost.is_finite()) {
                changes.set(column, cost);
            }
        }
    }
    Ok(())
}

/// Those of the traces that are there, in the order of the ids.
pub(crate) fn infos(
    connection: &mut dyn Connection,
    ids: &[String],
    experiment_ids: Option<&[String]>,
) -> Result<Vec<TraceInfo>> {
    let mut sql = Sql::new(connection.dialect());
    sql.push(&format!("SELECT {} FROM trace_info t WHERE t.request_id IN ", trace_rows::COLUMNS));
    sql.push_list(ids.iter().cloned());
    if let Some(experiment_ids) = experiment_ids {
        let ids = super::search_runs::experiment_ids(experiment_ids)?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        sql.push(" AND t.experiment_id IN ").push_list(ids);
    }
    let mut infos = connection.rows(&sql.text, &sql.values, trace_rows::read)?;
    let places: HashMap<&String, usize> =
        ids.iter().enumerate().rev().map(|(place, id)| (id, place)).collect();
    infos.sort_by_key(|info| places.get(&info.trace_id).copied());
    trace_rows::fill(connection, &mut infos)?;
    Ok(infos)
}

/// The same with their spans, where these are all stored here.
pub(crate) fn all(
    connection: &mut dyn Connection,
    ids: &[String],
    experiment_ids: Option<&[String]>,
) -> Result<Vec<Trace>> {
    let mut traces = Vec::new();
    let mut bytes = 0;
    for info in infos(connection, ids, experiment_ids)? {
        if !is_here(&info) {
            continue;
        }
        let spans = spans(connection, &info.trace_id)?;
        if spans.is_empty() || !is_whole(&info, spans.len()) {
            continue;
        }
        bytes += spans.iter().map(String::len).sum::<usize>();
        traces.push(Trace { info, spans });
        // A trace alone is answered, however large it is.
        if bytes > SPANS_BYTES_MAX && traces.len() > 1 {
            return Err(Error::invalid(format!(
                "the spans of these traces have more than {SPANS_BYTES_MAX} bytes: ask for fewer at once"
            ))
            .into());
        }
    }
    Ok(traces)
}

/// A trace with its spans.
pub(crate) fn get(
    connection: &mut dyn Connection,
    trace_id: &str,
    allow_partial: bool,
) -> Result<Trace> {
    let found = infos(connection, &[trace_id.to_owned()], None)?.pop();
    let Some(info) = found else {
        return Err(Error::not_found(format!("Trace with ID {trace_id} is not found.")).into());
    };
    if !is_here(&info) {
        return Err(Error::not_found("Trace data not stored in tracking store").into());
    }
    let spans = spans(connection, trace_id)?;
    if allow_partial || (!spans.is_empty() && is_whole(&info, spans.len())) {
        return Ok(Trace { info, spans });
    }
    Err(Error::not_found(format!(
        "Trace with ID {trace_id} is not fully exported yet, please try again later."
    ))
    .into())
}

fn is_here(info: &TraceInfo) -> bool {
    KeyValue::find(&info.tags, trace_rows::SPANS_LOCATION) == Some(trace_rows::HERE)
}

/// Whether there are as many spans as the client says that there are.
fn is_whole(info: &TraceInfo, count: usize) -> bool {
    let stats = KeyValue::find(&info.trace_metadata, SIZE_STATS).unwrap_or_default();
    let stats: serde_json::Value = serde_json::from_str(stats).unwrap_or_default();
    stats.get("num_spans").and_then(serde_json::Value::as_u64).is_none_or(|all| count as u64 >= all)
}

/// The JSON texts of a trace's spans: the root first, then by their beginning.
fn spans(connection: &mut dyn Connection, trace_id: &str) -> Result<Vec<String>> {
    connection.rows(
        "SELECT content FROM spans WHERE trace_id = ?1 AND content <> '' ORDER BY \
         CASE WHEN parent_span_id IS NULL THEN 0 ELSE 1 END, start_time_unix_nano, span_id",
        &[trace_id.into()],
        |row| row.need_text(0),
    )
}
