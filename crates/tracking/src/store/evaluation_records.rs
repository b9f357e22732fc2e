//! Records of datasets of examples. Those with the same inputs are one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};
use trainyard_mlflow::{Error, EvaluationDataset, Page};

use super::database::{Connection, Dialect, Row, Value};
use super::names::new_id;
use super::{page, python};
use crate::error::Result;

/// Most records of a request.
const RECORDS_MAX: usize = 10_000;
/// Most records of a page, and how many are on one if nobody says.
const PAGE_MAX: i64 = 10_000;
const PAGE_DEFAULT: i64 = 1_000;
/// Bytes of records of a page, about; the client is given the token of the rest.
const PAGE_BYTES_MAX: usize = 32 << 20;
/// What holds outputs in their column, which may be no object.
const WRAPPED: &str = "mlflow_wrapped";
/// Where records can be from.
const SOURCES: [&str; 5] = ["UNSPECIFIED", "TRACE", "HUMAN", "DOCUMENT", "CODE"];
/// The tag that says who made a record.
const USER: &str = "mlflow.user";

/// The objects that records must be.
pub(super) fn checked(records: Vec<Json>) -> Result<Vec<Map<String, Json>>> {
    if records.len() > RECORDS_MAX {
        return Err(Error::invalid(format!(
            "at most {RECORDS_MAX} records can be added at once, got {}",
            records.len()
        ))
        .into());
    }
    let object = |(place, record): (usize, Json)| -> Result<Map<String, Json>> {
        let Json::Object(record) = record else {
            return Err(Error::invalid(format!("records[{place}] is no JSON object")).into());
        };
        for name in ["inputs", "expectations", "tags", "source"] {
            if record.get(name).is_some_and(|part| !part.is_object() && !part.is_null()) {
                let message = format!("records[{place}].{name} is no JSON object");
                return Err(Error::invalid(message).into());
            }
        }
        let kind = record.get("source").and_then(|source| source.get("source_type")?.as_str());
        let kind = kind.map(str::to_uppercase);
        if let Some(kind) = kind.filter(|kind| !SOURCES.contains(&kind.as_str())) {
            let message = format!(
                "Invalid dataset record source type: {kind}. Valid source types: {}",
                python::repr_list(&SOURCES)
            );
            return Err(Error::invalid(message).into());
        }
        Ok(record)
    };
    records.into_iter().enumerate().map(object).collect()
}

/// A column of JSON takes no text in PostgreSQL.
fn as_json(dialect: Dialect, placeholder: &str) -> String {
    match dialect {
        Dialect::Sqlite => placeholder.to_owned(),
        Dialect::Postgres => format!("CAST({placeholder} AS json)"),
    }
}

fn text(value: &Json) -> Result<String> {
    python::spaced_json(value)
        .map_err(|error| crate::Error::database(format!("no JSON text: {error}")))
}

/// What tells records apart: the digest of their inputs, sorted by their keys, in ASCII.
fn hash(inputs: &Json) -> Result<String> {
    use std::fmt::Write as _;

    let mut ascii = String::new();
    for character in text(inputs)?.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _infallible = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    Ok(hex::encode(Sha256::digest(ascii)))
}

fn part<'a>(record: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    record.get(name).filter(|part| !part.is_null())
}

fn user(record: &Map<String, Json>) -> Option<&str> {
    part(record, "tags")?.get(USER)?.as_str()
}

/// Adds records or merges them into those that are there; how many of each.
pub(super) fn upsert(
    connection: &mut dyn Connection,
    dataset: &EvaluationDataset,
    records: &[Map<String, Json>],
    now: i64,
) -> Result<(i64, i64)> {
    let id = dataset.dataset_id.as_str();
    let (mut inserted, mut updated) = (0, 0);
    for record in records {
        let inputs = part(record, "inputs").cloned().unwrap_or_else(|| json!({}));
        let hash = hash(&inputs)?;
        let sql = "SELECT dataset_record_id, CAST(expectations AS TEXT), CAST(tags AS TEXT), \
                   CAST(outputs AS TEXT) FROM evaluation_dataset_records \
                   WHERE dataset_id = ?1 AND input_hash = ?2";
        let known = connection.first(sql, &[id.into(), (&hash).into()], |row| {
            Ok((row.need_text(0)?, [parsed(row, 1)?, parsed(row, 2)?, parsed(row, 3)?]))
        })?;
        if let Some((record_id, known)) = known {
            merge(connection, &record_id, known, record, now)?;
            updated += 1;
        } else {
            insert(connection, id, (&inputs, &hash), record, now)?;
            inserted += 1;
        }
    }
    let count = "SELECT count(*) FROM evaluation_dataset_records WHERE dataset_id = ?1";
    let count = connection.first(count, &[id.into()], |row| row.need_int(0))?.unwrap_or_default();
    let schema = text(&schema(dataset.schema.as_deref(), records))?;
    let last_user = records.iter().filter_map(user).next_back();
    let parameters: [Value<'_>; 5] = [
        id.into(),
        now.into(),
        last_user.into(),
        schema.into(),
        format!("{{\"num_records\": {count}}}").into(),
    ];
    connection.execute(
        "UPDATE evaluation_datasets SET last_update_time = ?2, last_updated_by = ?3, schema = ?4, \
         profile = ?5 WHERE dataset_id = ?1",
        &parameters,
    )?;
    Ok((inserted, updated))
}

fn parsed(row: &dyn Row, column: usize) -> Result<Json> {
    let text = row.text(column)?;
    Ok(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
}

fn insert(
    connection: &mut dyn Connection,
    dataset_id: &str,
    (inputs, hash): (&Json, &str),
    record: &Map<String, Json>,
    now: i64,
) -> Result<()> {
    let outputs = match record.get("outputs") {
        Some(Json::Null) => None,
        Some(outputs) => Some(json!({ WRAPPED: outputs })),
        None => Some(json!({ WRAPPED: {} })),
    };
    let source = part(record, "source");
    let data = source.and_then(|source| source.get("source_data"));
    let kind = source.and_then(|source| source.get("source_type")?.as_str());
    let kind = kind.map(str::to_uppercase);
    let key = if kind.as_deref() == Some("TRACE") { "trace_id" } else { "source_id" };
    let source_id = data.and_then(|data| data.get(key)?.as_str());
    let source = source.map(|source| {
        json!({
            "source_type": kind,
            "source_data": source.get("source_data").cloned().unwrap_or_else(|| json!({})),
        })
    });
    let no_tags = json!({});
    let texts = [
        Some(inputs),
        outputs.as_ref(),
        part(record, "expectations"),
        Some(part(record, "tags").unwrap_or(&no_tags)),
        source.as_ref(),
    ];
    let texts = texts.into_iter().map(|value| value.map(text).transpose());
    let texts = texts.collect::<Result<Vec<Option<String>>>>()?;
    let dialect = connection.dialect();
    let places: Vec<String> = (9..14).map(|place| as_json(dialect, &format!("?{place}"))).collect();
    let user = user(record);
    let mut values: Vec<Value<'_>> = vec![
        format!("dr-{}", new_id()).into(),
        dataset_id.into(),
        source_id.into(),
        kind.as_deref().into(),
        now.into(),
        now.into(),
        user.into(),
        hash.into(),
    ];
    values.extend(texts.into_iter().map(Value::from));
    let sql = format!(
        "INSERT INTO evaluation_dataset_records (dataset_record_id, dataset_id, source_id, \
         source_type, created_time, last_update_time, created_by, last_updated_by, input_hash, inputs, \
         outputs, expectations, tags, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, {})",
        places.join(", ")
    );
    connection.execute(&sql, &values)?;
    Ok(())
}

/// Adds what a record says to one with the same inputs.
fn merge(
    connection: &mut dyn Connection,
    record_id: &str,
    [expectations, tags, outputs]: [Json; 3],
    record: &Map<String, Json>,
    now: i64,
) -> Result<()> {
    let merged = |known: Json, name: &str| match (known, part(record, name)) {
        (Json::Object(mut members), Some(Json::Object(more))) => {
            members.extend(more.clone());
            Json::Object(members)
        }
        (Json::Null, Some(more)) => more.clone(),
        (known, _) => known,
    };
    let outputs = match record.get("outputs") {
        Some(Json::Null) => Json::Null,
        Some(new) => json!({ WRAPPED: new }),
        None => outputs,
    };
    let dialect = connection.dialect();
    let sql = format!(
        "UPDATE evaluation_dataset_records SET expectations = {}, tags = {}, outputs = {}, \
         last_update_time = ?5, last_updated_by = COALESCE(?6, last_updated_by) \
         WHERE dataset_record_id = ?1",
        as_json(dialect, "?2"),
        as_json(dialect, "?3"),
        as_json(dialect, "?4"),
    );
    let parameters: [Value<'_>; 6] = [
        record_id.into(),
        text(&merged(expectations, "expectations"))?.into(),
        text(&merged(tags, "tags"))?.into(),
        text(&outputs)?.into(),
        now.into(),
        user(record).into(),
    ];
    connection.execute(&sql, &parameters)?;
    Ok(())
}

/// The types of all fields that were ever seen.
fn schema(known: Option<&str>, records: &[Map<String, Json>]) -> Json {
    let known = known.and_then(|text| serde_json::from_str(text).ok());
    let mut schema = known.unwrap_or_else(
        || json!({"inputs": {}, "outputs": {}, "expectations": {}, "version": "1.0"}),
    );
    for record in records {
        for name in ["inputs", "outputs", "expectations"] {
            let Some(part) = part(record, name) else { continue };
            let Some(fields) = schema.get_mut(name) else { continue };
            if let Json::Object(members) = part {
                if let Json::Object(fields) = fields {
                    for (key, value) in members {
                        if !fields.contains_key(key) {
                            fields.insert(key.clone(), kind(value).into());
                        }
                    }
                }
            } else if fields.as_object().is_some_and(Map::is_empty) {
                *fields = kind(part).into();
            }
        }
    }
    schema
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// One page of records, oldest first.
pub(super) fn page(
    connection: &mut dyn Connection,
    dataset_id: &str,
    max_results: i64,
    token: Option<&str>,
) -> Result<Page<Json>> {
    let max_results = if max_results == 0 { PAGE_DEFAULT } else { max_results };
    page::check_max_results(max_results, PAGE_MAX)?;
    let (time, record_id) = match token.filter(|token| !token.is_empty()) {
        None => (i64::MIN, String::new()),
        Some(token) => after(token)?,
    };
    let sql = "SELECT dataset_record_id, CAST(inputs AS TEXT), CAST(outputs AS TEXT), \
               CAST(expectations AS TEXT), CAST(tags AS TEXT), CAST(source AS TEXT), source_id, \
               source_type, created_time, last_update_time, created_by, last_updated_by \
               FROM evaluation_dataset_records WHERE dataset_id = ?1 AND (created_time > ?2 \
               OR (created_time = ?2 AND dataset_record_id > ?3)) \
               ORDER BY created_time, dataset_record_id LIMIT ?4";
    let parameters: [Value<'_>; 4] =
        [dataset_id.into(), time.into(), record_id.into(), (max_results + 1).into()];
    let mut bytes = 0;
    let mut is_cut = false;
    let mut items = Vec::new();
    let mut last = None;
    connection.query(sql, &parameters, &mut |row| {
        is_cut |= items.len() as i64 >= max_results || bytes > PAGE_BYTES_MAX;
        if !is_cut {
            let (record, size) = read(row, dataset_id)?;
            bytes += size;
            last = Some(format!("{}:{}", row.int(8)?.unwrap_or_default(), row.need_text(0)?));
            items.push(record);
        }
        Ok(())
    })?;
    let next_page_token = last.filter(|_last| is_cut).map(|last| STANDARD.encode(last));
    Ok(Page { items, next_page_token })
}

/// The time and id of the last record of the page before.
fn after(token: &str) -> Result<(i64, String)> {
    let bytes = page::decode(token)?;
    let text = String::from_utf8_lossy(&bytes);
    let parts =
        text.split_once(':').and_then(|(time, id)| Some((time.parse().ok()?, id.to_owned())));
    parts.ok_or_else(|| Error::invalid("Invalid page token").into())
}

/// A record as clients see it, and its size.
fn read(row: &dyn Row, dataset_id: &str) -> Result<(Json, usize)> {
    let mut record = Map::new();
    let mut size = 0;
    record.insert("dataset_record_id".to_owned(), row.need_text(0)?.into());
    record.insert("dataset_id".to_owned(), dataset_id.into());
    for (place, name) in
        [(1, "inputs"), (2, "outputs"), (3, "expectations"), (4, "tags"), (5, "source")]
    {
        size += row.text(place)?.map_or(0, str::len);
        let value = parsed(row, place)?;
        let value =
            if name == "outputs" { value.get(WRAPPED).cloned().unwrap_or_default() } else { value };
        if !value.is_null() {
            record.insert(name.to_owned(), value);
        } else if name == "tags" {
            record.insert(name.to_owned(), json!({}));
        }
    }
    for (place, name) in
        [(6, "source_id"), (7, "source_type"), (10, "created_by"), (11, "last_updated_by")]
    {
        if let Some(text) = row.optional_text(place)? {
            record.insert(name.to_owned(), text.into());
        }
    }
    for (place, name) in [(8, "created_time"), (9, "last_update_time")] {
        record.insert(name.to_owned(), row.int(place)?.unwrap_or_default().into());
    }
    Ok((Json::Object(record), size))
}

/// Removes records, and says how many there were.
pub(super) fn delete(
    connection: &mut dyn Connection,
    dataset_id: &str,
    record_ids: &[String],
) -> Result<i64> {
    let mut deleted = 0;
    for record_id in record_ids {
        let sql = "DELETE FROM evaluation_dataset_records WHERE dataset_id = ?1 \
                   AND dataset_record_id = ?2";
        deleted += connection.execute(sql, &[dataset_id.into(), record_id.into()])? as i64;
    }
    if deleted > 0 {
        let count = "SELECT count(*) FROM evaluation_dataset_records WHERE dataset_id = ?1";
        let count = connection.first(count, &[dataset_id.into()], |row| row.need_int(0))?;
        let profile = count.filter(|count| *count > 0);
        let profile = profile.map(|count| format!("{{\"num_records\": {count}}}"));
        let sql = "UPDATE evaluation_datasets SET profile = ?2 WHERE dataset_id = ?1";
        connection.execute(sql, &[dataset_id.into(), profile.into()])?;
    }
    Ok(deleted)
}
