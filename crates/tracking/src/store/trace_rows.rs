//! Traces as they lie in the tables.

use std::collections::HashMap;

use trainyard_mlflow::Error;
use trainyard_mlflow::entities::{KeyValue, TraceInfo, TraceState};

use super::assessment_rows;
use super::database::{Connection, Dialect, Row, Value};
use super::placeholders::{Chunk, chunks, placeholders};
use super::run_tags::unique;
use crate::error::Result;
use crate::spans::usage;

/// Columns that [`read`] expects, in its order.
pub(crate) const COLUMNS: &str = "t.request_id, t.experiment_id, t.timestamp_ms, \
     t.execution_time_ms, t.status, t.client_request_id, t.request_preview, t.response_preview, \
     t.trace_name, t.session_id, t.input_tokens, t.output_tokens, t.total_tokens, \
     t.cache_read_input_tokens, t.cache_creation_input_tokens, \
     t.cache_creation_input_tokens_above_1hr, t.input_cost, t.output_cost, t.total_cost";

/// The tag that is a column.
pub(crate) const NAME: &str = "mlflow.traceName";
/// Metadata that are columns.
pub(crate) const SESSION: &str = "mlflow.trace.session";
pub(crate) const USAGE: &str = "mlflow.trace.tokenUsage";
pub(crate) const COST: &str = "mlflow.trace.cost";
/// The run that a trace was made in.
pub(crate) const SOURCE_RUN: &str = "mlflow.sourceRun";
/// Where the spans of a trace are.
pub(crate) const SPANS_LOCATION: &str = "mlflow.trace.spansLocation";
/// Where a trace's files are, if it has any.
pub(crate) const ARTIFACT_LOCATION: &str = "mlflow.artifactLocation";
/// Tags by which the server finds what a trace has: no client sets them, or it would read the files of others.
pub(crate) const SERVERS_TAGS: [&str; 3] =
    [SPANS_LOCATION, ARTIFACT_LOCATION, "mlflow.trace.archiveLocation"];
/// What [`SPANS_LOCATION`] says of spans in this database.
pub(crate) const HERE: &str = "TRACKING_STORE";

/// What says that a client has told all there is of a trace.
pub(crate) const FINALIZED: &str = "mlflow.trace.infoFinalized";
/// What [`SPANS_LOCATION`] says of a trace that was archived.
const ARCHIVED: &str = "ARCHIVE_REPO";

/// Sizes of columns of traces.
pub(crate) const PREVIEW_MAX: usize = 1_000;
pub(crate) const NAME_MAX: usize = 4_096;
pub(crate) const SESSION_MAX: usize = 250;
/// Sizes of the columns of tags and metadata.
const KEY_MAX: usize = 250;
const VALUE_MAX: usize = 8_000;

/// Most tags of a trace, most metadata and most assessments. Whoever lists traces is sent them all: many requests must
/// not make together what one may not.
const ENTRIES_MAX: i64 = 10_000;
/// Most spans of a trace, which is read as a whole.
const SPANS_MAX: i64 = 100_000;

/// A trace without its assessments, and of its tags and metadata only what is in columns.
pub(crate) fn read(row: &dyn Row) -> Result<TraceInfo> {
    let mut info = TraceInfo {
        trace_id: row.need_text(0)?,
        experiment_id: row.need_int(1)?.to_string(),
        request_time: row.need_int(2)?,
        execution_duration: row.int(3)?,
        state: TraceState::of_name(row.text(4)?.unwrap_or_default()),
        client_request_id: row.optional_text(5)?,
        request_preview: row.optional_text(6)?,
        response_preview: row.optional_text(7)?,
        ..TraceInfo::default()
    };
    if let Some(name) = row.text(8)? {
        info.tags.push(KeyValue::new(NAME, name));
    }
    if let Some(session) = row.text(9)? {
        info.trace_metadata.push(KeyValue::new(SESSION, session));
    }
    let counts = (10..16).map(|column| row.int(column)).collect::<Result<Vec<_>>>()?;
    if let Some(text) = usage::tokens_text(&counts) {
        info.trace_metadata.push(KeyValue::new(USAGE, text));
    }
    let costs = (16..19).map(|column| row.real(column)).collect::<Result<Vec<_>>>()?;
    if let Some(text) = usage::costs_text(&costs) {
        info.trace_metadata.push(KeyValue::new(COST, text));
    }
    Ok(info)
}

/// Adds tags, metadata and assessments to traces.
pub(crate) fn fill(connection: &mut dyn Connection, traces: &mut [TraceInfo]) -> Result<()> {
    for mut chunk in chunks(traces) {
        let places: HashMap<String, usize> = chunk
            .items
            .iter()
            .enumerate()
            .map(|(place, trace)| (trace.trace_id.clone(), place))
            .collect();
        let mut ids: Vec<Value<'_>> =
            chunk.items.iter().map(|trace| Value::from(trace.trace_id.clone())).collect();
        chunk.pad(&mut ids);
        let list = placeholders(1, chunk.padded);
        let select = |table: &str| {
            format!(
                "SELECT x.request_id, x.\"key\", x.value FROM {table} x \
                 WHERE x.request_id IN ({list}) ORDER BY x.request_id, x.\"key\""
            )
        };
        connection.query(&select("trace_tags"), &ids, &mut |row| {
            let tag = entry(row)?;
            if let Some(trace) = owner(&mut chunk, &places, row)?
                && tag.key != NAME
            {
                trace.tags.push(tag);
            }
            Ok(())
        })?;
        connection.query(&select("trace_request_metadata"), &ids, &mut |row| {
            let entry = entry(row)?;
            if let Some(trace) = owner(&mut chunk, &places, row)?
                && !is_column(&entry.key)
            {
                trace.trace_metadata.push(entry);
            }
            Ok(())
        })?;
        let sql = format!(
            "SELECT {} FROM assessments a WHERE a.trace_id IN ({list}) \
             ORDER BY a.created_timestamp, a.assessment_id",
            assessment_rows::COLUMNS
        );
        connection.query(&sql, &ids, &mut |row| {
            if let Some(trace) = owner(&mut chunk, &places, row)? {
                trace.assessments.push(assessment_rows::read(row)?);
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn entry(row: &dyn Row) -> Result<KeyValue> {
    Ok(KeyValue::new(row.need_text(1)?, row.text_or_empty(2)?))
}

/// The trace of which a row is that has its id in column 0.
fn owner<'a>(
    chunk: &'a mut Chunk<'_, TraceInfo>,
    places: &HashMap<String, usize>,
    row: &dyn Row,
) -> Result<Option<&'a mut TraceInfo>> {
    let place = row.text(0)?.and_then(|id| places.get(id).copied());
    Ok(place.and_then(|place| chunk.items.get_mut(place)))
}

/// Whether metadata of this key are columns.
pub(crate) fn is_column(key: &str) -> bool {
    [SESSION, USAGE, COST].contains(&key)
}

/// Bytes of an answer that a trace takes, about.
pub(crate) fn size(trace: &TraceInfo) -> usize {
    let previews = [&trace.request_preview, &trace.response_preview];
    let previews: usize = previews.into_iter().flatten().map(String::len).sum();
    let assessments: usize = trace.assessments.iter().map(assessment_rows::size).sum();
    super::page::size(&trace.tags)
        + super::page::size(&trace.trace_metadata)
        + previews
        + assessments
}

/// The answer for a trace that is not there.
pub(crate) fn not_found(trace_id: &str) -> crate::Error {
    Error::not_found(format!("Trace with ID '{trace_id}' not found.")).into()
}

/// A trace with all but its spans.
pub(crate) fn get(connection: &mut dyn Connection, trace_id: &str) -> Result<TraceInfo> {
    let sql = format!("SELECT {COLUMNS} FROM trace_info t WHERE t.request_id = ?1");
    let found = connection.first(&sql, &[trace_id.into()], read)?;
    let mut trace = [found.ok_or_else(|| not_found(trace_id))?];
    fill(connection, &mut trace)?;
    let [trace] = trace;
    Ok(trace)
}

/// Where a trace belongs: experiment and beginning. Others wait until this change is over.
pub(crate) fn lock(connection: &mut dyn Connection, trace_id: &str) -> Result<(i64, i64)> {
    let lock = match connection.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR UPDATE",
    };
    let sql =
        format!("SELECT experiment_id, timestamp_ms FROM trace_info WHERE request_id = ?1{lock}");
    let found = connection
        .first(&sql, &[trace_id.into()], |row| Ok((row.need_int(0)?, row.need_int(1)?)))?;
    found.ok_or_else(|| not_found(trace_id))
}

/// Tables of keys and values of traces.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    Tags,
    Metadata,
}

/// What there may be many of in one trace.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Tags,
    Metadata,
    Assessments,
    Spans,
}

/// Refuses a change that leaves a trace with more of something than it may have.
pub(crate) fn check_count(
    connection: &mut dyn Connection,
    part: Part,
    trace_id: &str,
) -> Result<()> {
    let (table, column, what, max) = match part {
        Part::Tags => ("trace_tags", "request_id", "tags", ENTRIES_MAX),
        Part::Metadata => ("trace_request_metadata", "request_id", "metadata", ENTRIES_MAX),
        Part::Assessments => ("assessments", "trace_id", "assessments", ENTRIES_MAX),
        Part::Spans => ("spans", "trace_id", "spans", SPANS_MAX),
    };
    let sql = format!("SELECT 1 FROM {table} WHERE {column} = ?1 LIMIT 1 OFFSET {max}");
    if connection.first(&sql, &[trace_id.into()], |_row| Ok(()))?.is_none() {
        return Ok(());
    }
    let message = format!("Trace '{trace_id}' cannot have more than {max} {what}");
    Err(Error::invalid(message).into())
}

/// Sets or replaces tags or metadata; values that are too long are cut, as upstream cuts them.
pub(crate) fn put(
    connection: &mut dyn Connection,
    table: Table,
    trace_id: &str,
    entries: Vec<KeyValue>,
) -> Result<()> {
    let (table, part) = match table {
        Table::Tags => ("trace_tags", Part::Tags),
        Table::Metadata => ("trace_request_metadata", Part::Metadata),
    };
    let sql = format!(
        "INSERT INTO {table} (\"key\", value, request_id) VALUES (?1, ?2, ?3) \
         ON CONFLICT (\"key\", request_id) DO UPDATE SET value = excluded.value"
    );
    for entry in unique(entries) {
        if entry.key.chars().nth(KEY_MAX).is_some() {
            return Err(Error::invalid(format!(
                "'key' exceeds the maximum length of {KEY_MAX} characters"
            ))
            .into());
        }
        let value = cut(entry.value, VALUE_MAX);
        connection.execute(&sql, &[entry.key.into(), value.into(), trace_id.into()])?;
    }
    check_count(connection, part, trace_id)
}

/// The first characters of a text.
pub(crate) fn cut(mut text: String, characters: usize) -> String {
    if let Some((end, _character)) = text.char_indices().nth(characters) {
        text.truncate(end);
    }
    text
}

/// Refuses a text that is longer than its column.
pub(crate) fn fits(what: &str, text: Option<&str>, characters: usize) -> Result<()> {
    if text.is_some_and(|text| text.chars().nth(characters).is_some()) {
        return Err(Error::invalid(format!(
            "'{what}' exceeds the maximum length of {characters} characters"
        ))
        .into());
    }
    Ok(())
}

/// Refuses to write to a trace whose spans are not here any more.
pub(crate) fn check_here(connection: &mut dyn Connection, trace_id: &str) -> Result<()> {
    let sql = "SELECT value FROM trace_tags WHERE request_id = ?1 AND \"key\" = ?2";
    let parameters: [Value<'_>; 2] = [trace_id.into(), SPANS_LOCATION.into()];
    let location = connection.first(sql, &parameters, |row| row.optional_text(0))?.flatten();
    if location.as_deref() == Some(ARCHIVED) {
        return Err(Error::invalid(format!(
            "Cannot update traces that are no longer DB-backed: '{trace_id}'."
        ))
        .into());
    }
    Ok(())
}
