//! What upstream's migration `75868b020152` takes out of the JSON of traces, spans and assessments into columns.
//! A page of rows at a time: there may be millions.

use std::collections::HashMap;

use super::python_scalar::{Scalar, load, load_object};
use crate::error::{Error, Result};
use crate::store::database::{Connection, Row, Value};

/// Rows that are read at a time.
const PAGE: usize = 250;
/// Columns of tokens, which are also their keys.
const TOKENS: [&str; 6] = [
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_input_tokens_above_1hr",
];
/// Columns of costs, which are also their keys.
const COSTS: [&str; 3] = ["input_cost", "output_cost", "total_cost"];
/// Keys of a span's dimensions: its model, and whose it is.
const DIMENSIONS: [&str; 2] = ["mlflow.llm.model", "mlflow.llm.provider"];
/// Characters of a dimension.
const DIMENSION_MAX: usize = 500;

/// Fills the columns, which are there and empty.
pub(super) fn fill(connection: &mut dyn Connection) -> Result<()> {
    for table in ["spans", "assessments"] {
        let lost = connection.first(
            &format!(
                "SELECT c.trace_id FROM {table} c LEFT JOIN trace_info i ON i.request_id = c.trace_id \
                 WHERE i.request_id IS NULL LIMIT 1"
            ),
            &[],
            |row| row.need_text(0),
        )?;
        if let Some(trace) = lost {
            return Err(Error::database(format!(
                "a row of {table} is of the trace {trace:?}, which is not there"
            )));
        }
    }
    fill_traces(connection)?;
    fill_spans(connection)?;
    fill_assessments(connection)
}

struct Trace {
    id: String,
    tokens: Option<String>,
    costs: Option<String>,
}

fn fill_traces(connection: &mut dyn Connection) -> Result<()> {
    let page = format!(
        "SELECT i.request_id, t.value, c.value FROM trace_info i \
         LEFT JOIN trace_request_metadata t \
         ON t.request_id = i.request_id AND t.\"key\" = 'mlflow.trace.tokenUsage' \
         LEFT JOIN trace_request_metadata c \
         ON c.request_id = i.request_id AND c.\"key\" = 'mlflow.trace.cost' \
         WHERE i.request_id > ?1 ORDER BY i.request_id LIMIT {PAGE}"
    );
    let mut last = String::new();
    loop {
        let traces = connection.rows(&page, &[(&last).into()], |row| {
            let (tokens, costs) = (row.optional_text(1)?, row.optional_text(2)?);
            Ok(Trace { id: row.need_text(0)?, tokens, costs })
        })?;
        let Some(end) = traces.last().map(|trace| trace.id.clone()) else { return Ok(()) };
        let counted = counted(connection, &last, &end)?;
        for trace in traces {
            fill_trace(connection, &trace, &counted)?;
        }
        last = end;
    }
}

/// Tokens that were counted as metrics, by trace and key; they go before what the JSON says.
type Counted = HashMap<(String, String), Option<f64>>;

fn counted(connection: &mut dyn Connection, after: &str, to: &str) -> Result<Counted> {
    let metrics = connection.rows(
        "SELECT m.request_id, m.\"key\", m.value FROM trace_metrics m \
         WHERE m.request_id > ?1 AND m.request_id <= ?2",
        &[after.into(), to.into()],
        |row| Ok(((row.need_text(0)?, row.need_text(1)?), row.real(2)?)),
    )?;
    Ok(metrics.into_iter().collect())
}

fn fill_trace(connection: &mut dyn Connection, trace: &Trace, counted: &Counted) -> Result<()> {
    let object = |text: Option<&str>| text.and_then(load_object).unwrap_or_default();
    let (tokens, costs) = (object(trace.tokens.as_deref()), object(trace.costs.as_deref()));
    let mut values: Vec<Value<'_>> = Vec::with_capacity(TOKENS.len() + COSTS.len() + 1);
    for key in TOKENS {
        let tokens = match counted.get(&(trace.id.clone(), key.to_owned())) {
            Some(metric) => metric.and_then(|value| Scalar::Real(value, None).whole()),
            None => tokens.get(key).and_then(Scalar::whole),
        };
        values.push(tokens.into());
    }
    for key in COSTS {
        values.push(costs.get(key).and_then(Scalar::finite).into());
    }
    if values.iter().all(|value| *value == Value::Null) {
        return Ok(());
    }
    values.push((&trace.id).into());
    let columns: Vec<String> = TOKENS
        .iter()
        .chain(&COSTS)
        .enumerate()
        .map(|(index, column)| format!("{column} = ?{}", index + 1))
        .collect();
    let id = values.len();
    let update = format!("UPDATE trace_info SET {} WHERE request_id = ?{id}", columns.join(", "));
    connection.execute(&update, &values)?;
    Ok(())
}

fn fill_spans(connection: &mut dyn Connection) -> Result<()> {
    let page = format!(
        "SELECT s.trace_id, s.span_id, CAST(s.dimension_attributes AS text) FROM spans s \
         WHERE s.dimension_attributes IS NOT NULL AND (s.trace_id, s.span_id) > (?1, ?2) \
         ORDER BY s.trace_id, s.span_id LIMIT {PAGE}"
    );
    let mut last = (String::new(), String::new());
    loop {
        let spans = connection.rows(&page, &[(&last.0).into(), (&last.1).into()], |row| {
            Ok((row.need_text(0)?, row.need_text(1)?, row.need_text(2)?))
        })?;
        let Some(end) = spans.last().map(|(trace, span, _)| (trace.clone(), span.clone())) else {
            return Ok(());
        };
        for (trace, span, text) in spans {
            let [model, provider] = dimensions(&text, &span)?;
            connection.execute(
                "UPDATE spans SET model_name = ?1, model_provider = ?2 WHERE trace_id = ?3 AND span_id = ?4",
                &[model.into(), provider.into(), trace.into(), span.into()],
            )?;
        }
        last = end;
    }
}

/// The dimensions of a span. What else there is would be lost, so it is refused, as upstream does.
fn dimensions(text: &str, span: &str) -> Result<[Option<String>; 2]> {
    let unknown = || {
        Error::database(format!(
            "dimension_attributes of the span {span:?} are not as expected: {text:?}"
        ))
    };
    let values = match load(text) {
        Some(Scalar::Null) => HashMap::new(),
        // JSON within JSON.
        Some(Scalar::Text(inner)) => load_object(&inner).ok_or_else(unknown)?,
        _ => load_object(text).ok_or_else(unknown)?,
    };
    if values.keys().any(|key| !DIMENSIONS.contains(&key.as_str())) {
        return Err(unknown());
    }
    let [mut model, mut provider] = [None, None];
    for (key, target) in DIMENSIONS.into_iter().zip([&mut model, &mut provider]) {
        *target = match values.get(key) {
            Some(Scalar::Text(value)) => Some(value.chars().take(DIMENSION_MAX).collect()),
            Some(Scalar::Null) | None => None,
            Some(_) => return Err(unknown()),
        };
    }
    Ok([model, provider])
}

struct Assessment {
    id: String,
    value: String,
    experiment: Option<i64>,
    timestamp: Option<i64>,
}

fn read_assessment(row: &dyn Row) -> Result<Assessment> {
    let (id, value) = (row.need_text(0)?, row.text_or_empty(1)?);
    Ok(Assessment { id, value, experiment: row.int(2)?, timestamp: row.int(3)? })
}

fn fill_assessments(connection: &mut dyn Connection) -> Result<()> {
    let page = format!(
        "SELECT a.assessment_id, a.value, i.experiment_id, i.timestamp_ms FROM assessments a \
         JOIN trace_info i ON i.request_id = a.trace_id \
         WHERE a.assessment_id > ?1 ORDER BY a.assessment_id LIMIT {PAGE}"
    );
    let mut last = String::new();
    loop {
        let assessments = connection.rows(&page, &[(&last).into()], read_assessment)?;
        let Some(end) = assessments.last().map(|assessment| assessment.id.clone()) else {
            return Ok(());
        };
        for assessment in assessments {
            let (value, is_numeric) = aggregate(&assessment.value);
            connection.execute(
                "UPDATE assessments SET experiment_id = CAST(?1 AS integer), trace_timestamp_ms = ?2, \
                 aggregate_value = ?3, is_numeric_value = ?4 WHERE assessment_id = ?5",
                &[
                    assessment.experiment.into(),
                    assessment.timestamp.into(),
                    value.into(),
                    is_numeric.into(),
                    assessment.id.into(),
                ],
            )?;
        }
        last = end;
    }
}

/// The number that an assessment counts as, and whether it was one.
fn aggregate(text: &str) -> (Option<f64>, bool) {
    let word = match load(text) {
        Some(Scalar::Bool(value)) => return (Some(f64::from(u8::from(value))), false),
        Some(number @ (Scalar::Int(_) | Scalar::Real(..))) => {
            let value = number.finite();
            return (value, value.is_some());
        }
        Some(Scalar::Text(word)) => word,
        Some(Scalar::Null | Scalar::Nested) => return (None, false),
        None => text.to_owned(),
    };
    match word.trim().to_lowercase().as_str() {
        "yes" => (Some(1.0), false),
        "no" => (Some(0.0), false),
        _ => (None, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_that_would_be_lost_are_refused() {
        let named = r#"{"mlflow.llm.model": "gpt", "mlflow.llm.provider": null}"#;
        assert_eq!(dimensions(named, "s").unwrap(), [Some("gpt".to_owned()), None]);
        assert_eq!(dimensions("null", "s").unwrap(), [None, None]);
        for bad in [r#"{"other": "x"}"#, r#"{"mlflow.llm.model": 1}"#, "[]", "{", "3"] {
            assert!(dimensions(bad, "s").is_err(), "{bad}");
        }
    }
}
