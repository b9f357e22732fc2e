//! What is written of assessments.

use trainyard_mlflow::entities::{Assessment, AssessmentValue, KeyValue};
use trainyard_mlflow::{Error, UpdateAssessment};

use super::assessment_rows::{get, metadata_text, not_found_text, stored};
use super::clock::now_millis;
use super::database::{Connection, Value};
use super::trace_rows::{self, Part, check_count};
use crate::error::Result;

/// Metadata that name the run in which something was assessed.
const SOURCE_RUN: &str = "mlflow.assessment.sourceRunId";

/// Adds an assessment, which has an id; the one that it overrides is valid no more.
pub(crate) fn create(
    connection: &mut dyn Connection,
    assessment: &Assessment,
) -> Result<Assessment> {
    let trace_id = assessment.trace_id.as_str();
    let (experiment_id, time) = trace_rows::lock(connection, trace_id)?;
    if let Some(overridden) = &assessment.overrides {
        let truth = connection.dialect().truth(false);
        let sql = format!(
            "UPDATE assessments SET valid = {truth} WHERE trace_id = ?1 AND assessment_id = ?2"
        );
        if connection.execute(&sql, &[trace_id.into(), overridden.into()])? == 0 {
            return Err(Error::not_found(not_found_text(trace_id, overridden)).into());
        }
    }
    put(connection, assessment, experiment_id, time)?;
    check_count(connection, Part::Assessments, trace_id)?;
    get(connection, trace_id, &assessment.assessment_id)
}

/// Adds an assessment of a trace of this experiment and time, or replaces the one with its id.
pub(super) fn put(
    connection: &mut dyn Connection,
    assessment: &Assessment,
    experiment_id: i64,
    time: i64,
) -> Result<()> {
    let now = now_millis();
    let or_now = |time: i64| if time == 0 { now } else { time };
    let value = stored(&assessment.value)?;
    let valid = connection.dialect().truth(true);
    let number = connection.dialect().truth(value.is_number);
    let sql = format!(
        "INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value, error, \
         created_timestamp, last_updated_timestamp, source_type, source_id, run_id, span_id, \
         rationale, overrides, assessment_metadata, experiment_id, trace_timestamp_ms, \
         aggregate_value, valid, is_numeric_value) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
         ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, {valid}, {number}) \
         ON CONFLICT (assessment_id) DO UPDATE SET name = excluded.name, value = excluded.value, \
         error = excluded.error, last_updated_timestamp = excluded.last_updated_timestamp, \
         rationale = excluded.rationale, assessment_metadata = excluded.assessment_metadata, \
         aggregate_value = excluded.aggregate_value, is_numeric_value = excluded.is_numeric_value \
         WHERE assessments.trace_id = excluded.trace_id"
    );
    let parameters: [Value<'_>; 18] = [
        (&assessment.assessment_id).into(),
        (&assessment.trace_id).into(),
        (&assessment.name).into(),
        value.kind.into(),
        value.value.into(),
        value.error.into(),
        or_now(assessment.create_time).into(),
        or_now(assessment.last_update_time).into(),
        (&assessment.source.source_type).into(),
        assessment.source.source_id.as_ref().into(),
        KeyValue::find(&assessment.metadata, SOURCE_RUN).into(),
        assessment.span_id.as_ref().into(),
        assessment.rationale.as_ref().into(),
        assessment.overrides.as_ref().into(),
        metadata_text(&assessment.metadata)?.into(),
        experiment_id.into(),
        time.into(),
        value.aggregate.into(),
    ];
    connection.execute(&sql, &parameters)?;
    Ok(())
}

/// Changes what an assessment says.
pub(crate) fn update(
    connection: &mut dyn Connection,
    trace_id: &str,
    assessment_id: &str,
    update: &UpdateAssessment,
) -> Result<Assessment> {
    // Whoever is not there is said in its own words.
    get(connection, trace_id, assessment_id)?;
    trace_rows::lock(connection, trace_id)?;
    let mut assessment = get(connection, trace_id, assessment_id)?;
    if let Some(value) = &update.value {
        let sentence = match (&assessment.value, value) {
            (AssessmentValue::Feedback { .. }, AssessmentValue::Feedback { .. })
            | (AssessmentValue::Expectation(_), AssessmentValue::Expectation(_)) => None,
            (_, AssessmentValue::Expectation(_)) => {
                Some("Cannot update expectation value on a Feedback assessment.")
            }
            _ => Some("Cannot update feedback value on an Expectation assessment."),
        };
        if let Some(sentence) = sentence {
            return Err(Error::invalid(sentence).into());
        }
        assessment.value = value.clone();
    }
    if let Some(name) = &update.name {
        assessment.name.clone_from(name);
    }
    if update.rationale.is_some() {
        assessment.rationale.clone_from(&update.rationale);
    }
    for entry in &update.metadata {
        match assessment.metadata.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => known.value.clone_from(&entry.value),
            None => assessment.metadata.push(entry.clone()),
        }
    }
    assessment.last_update_time = now_millis();
    put(connection, &assessment, 0, 0)?;
    Ok(assessment)
}

/// Removes an assessment, if it is there; the one that it overrode is valid again.
pub(crate) fn delete(
    connection: &mut dyn Connection,
    trace_id: &str,
    assessment_id: &str,
) -> Result<()> {
    let overrides = "SELECT overrides FROM assessments WHERE trace_id = ?1 AND assessment_id = ?2";
    let ids: [Value<'_>; 2] = [trace_id.into(), assessment_id.into()];
    let overridden = connection.first(overrides, &ids, |row| row.optional_text(0))?.flatten();
    if let Some(overridden) = overridden {
        let truth = connection.dialect().truth(true);
        let sql = format!(
            "UPDATE assessments SET valid = {truth} WHERE trace_id = ?1 AND assessment_id = ?2"
        );
        connection.execute(&sql, &[trace_id.into(), overridden.into()])?;
    }
    connection
        .execute("DELETE FROM assessments WHERE trace_id = ?1 AND assessment_id = ?2", &ids)?;
    Ok(())
}
