//! What runs read and made: datasets and logged models.

use std::collections::HashMap;

use trainyard_mlflow::entities::{Dataset, DatasetInput, ModelInput, ModelOutput, Run, Tag};

use super::database::{Connection, Value};
use super::names::new_id;
use super::placeholders::{Chunk, placeholders};
use super::{run_rows, validate};
use crate::error::Result;

/// Logs datasets and models that a run reads; what is logged already is not added again.
pub(crate) fn log(
    connection: &mut dyn Connection,
    run_id: &str,
    datasets: &[DatasetInput],
    models: &[ModelInput],
) -> Result<()> {
    validate::run_id(run_id)?;
    validate::dataset_inputs(datasets)?;
    let run = run_rows::find_active(connection, run_id)?;
    let experiment_id = validate::experiment_id(&run.info.experiment_id)?;
    add(connection, run_id, experiment_id, datasets, models)
}

/// The same for a run of any state, and inputs that were checked.
pub(crate) fn add(
    connection: &mut dyn Connection,
    run_id: &str,
    experiment_id: i64,
    datasets: &[DatasetInput],
    models: &[ModelInput],
) -> Result<()> {
    for input in datasets {
        let dataset = dataset_id(connection, experiment_id, &input.dataset)?;
        let input_id = new_id();
        let added = connection.execute(
            "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, \
             destination_id) VALUES (?1, 'DATASET', ?2, 'RUN', ?3) ON CONFLICT DO NOTHING",
            &[(&input_id).into(), dataset.into(), run_id.into()],
        )?;
        if added == 0 {
            continue;
        }
        for tag in &input.tags {
            connection.execute(
                "INSERT INTO input_tags (input_uuid, name, value) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (input_uuid, name) DO UPDATE SET value = excluded.value",
                &[(&input_id).into(), (&tag.key).into(), (&tag.value).into()],
            )?;
        }
    }
    for model in models {
        connection.execute(
            "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, \
             destination_id) VALUES (?1, 'RUN_INPUT', ?2, 'MODEL_INPUT', ?3) \
             ON CONFLICT DO NOTHING",
            &[new_id().into(), run_id.into(), (&model.model_id).into()],
        )?;
    }
    Ok(())
}

/// The id of the experiment's dataset of that name and digest, made if there is none.
fn dataset_id(
    connection: &mut dyn Connection,
    experiment_id: i64,
    dataset: &Dataset,
) -> Result<String> {
    let new = new_id();
    connection.execute(
        "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, \
         dataset_source, dataset_schema, dataset_profile) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        &[
            (&new).into(),
            experiment_id.into(),
            (&dataset.name).into(),
            (&dataset.digest).into(),
            (&dataset.source_type).into(),
            (&dataset.source).into(),
            dataset.schema.as_deref().into(),
            dataset.profile.as_deref().into(),
        ],
    )?;
    let stored = connection.first(
        "SELECT dataset_uuid FROM datasets \
         WHERE experiment_id = ?1 AND name = ?2 AND digest = ?3",
        &[experiment_id.into(), (&dataset.name).into(), (&dataset.digest).into()],
        |row| row.need_text(0),
    )?;
    Ok(stored.unwrap_or(new))
}

/// Logs models that a run made.
pub(crate) fn log_outputs(
    connection: &mut dyn Connection,
    run_id: &str,
    models: &[ModelOutput],
) -> Result<()> {
    run_rows::find_active(connection, run_id)?;
    add_outputs(connection, run_id, models)
}

/// The same for a run of any state.
pub(crate) fn add_outputs(
    connection: &mut dyn Connection,
    run_id: &str,
    models: &[ModelOutput],
) -> Result<()> {
    for model in models {
        // Upstream fails when a model is logged twice to one run; the later step is kept here.
        connection.execute(
            "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, \
             destination_id, step) VALUES (?1, 'RUN_OUTPUT', ?2, 'MODEL_OUTPUT', ?3, ?4) \
             ON CONFLICT (source_type, source_id, destination_type, destination_id) \
             DO UPDATE SET step = excluded.step",
            &[new_id().into(), run_id.into(), (&model.model_id).into(), model.step.into()],
        )?;
    }
    Ok(())
}

/// Adds datasets and made models to runs, whose ids are bound as `ids`.
pub(crate) fn fill(
    connection: &mut dyn Connection,
    chunk: &mut Chunk<'_, Run>,
    ids: &[Value<'_>],
    places: &HashMap<String, usize>,
) -> Result<()> {
    let order = connection.dialect().insertion_order("i");
    let list = placeholders(1, chunk.padded);
    // Which input each dataset of each run came from, for its tags.
    let mut inputs: HashMap<String, (usize, usize)> = HashMap::new();
    let sql = format!(
        "SELECT i.destination_id, d.name, d.digest, d.dataset_source_type, d.dataset_source, \
         d.dataset_schema, d.dataset_profile, i.input_uuid \
         FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id \
         WHERE i.destination_type = 'RUN' AND i.destination_id IN ({list}) \
         AND i.source_type = 'DATASET' ORDER BY {order}"
    );
    connection.query(&sql, ids, &mut |row| {
        let dataset = Dataset {
            name: row.text_or_empty(1)?,
            digest: row.text_or_empty(2)?,
            source_type: row.text_or_empty(3)?,
            source: row.text_or_empty(4)?,
            schema: row.optional_text(5)?,
            profile: row.optional_text(6)?,
        };
        let input = row.need_text(7)?;
        let place = row.text(0)?.and_then(|id| places.get(id).copied());
        if let Some(place) = place
            && let Some(run) = chunk.items.get_mut(place)
        {
            inputs.insert(input, (place, run.inputs.dataset_inputs.len()));
            run.inputs.dataset_inputs.push(DatasetInput { tags: Vec::new(), dataset });
        }
        Ok(())
    })?;
    if !inputs.is_empty() {
        fill_tags(connection, chunk, ids, &inputs)?;
    }
    let sql = format!(
        "SELECT i.source_id, i.destination_id, i.step FROM inputs i \
         WHERE i.source_type = 'RUN_OUTPUT' AND i.source_id IN ({list}) \
         AND i.destination_type = 'MODEL_OUTPUT' ORDER BY {order}"
    );
    connection.query(&sql, ids, &mut |row| {
        if let Some(run) = run_rows::owner(chunk, places, row)? {
            let output = ModelOutput { model_id: row.need_text(1)?, step: row.need_int(2)? };
            run.outputs.model_outputs.push(output);
        }
        Ok(())
    })
}

fn fill_tags(
    connection: &mut dyn Connection,
    chunk: &mut Chunk<'_, Run>,
    ids: &[Value<'_>],
    inputs: &HashMap<String, (usize, usize)>,
) -> Result<()> {
    let order = connection.dialect().insertion_order("t");
    let sql = format!(
        "SELECT t.input_uuid, t.name, t.value FROM input_tags t \
         JOIN inputs i ON i.input_uuid = t.input_uuid \
         WHERE i.destination_type = 'RUN' AND i.destination_id IN ({}) \
         AND i.source_type = 'DATASET' ORDER BY {order}",
        placeholders(1, chunk.padded)
    );
    connection.query(&sql, ids, &mut |row| {
        let place = row.text(0)?.and_then(|id| inputs.get(id));
        if let Some((place, dataset)) = place
            && let Some(run) = chunk.items.get_mut(*place)
            && let Some(input) = run.inputs.dataset_inputs.get_mut(*dataset)
        {
            input.tags.push(Tag::new(row.need_text(1)?, row.text_or_empty(2)?));
        }
        Ok(())
    })
}

/// Models that a run reads.
pub(crate) fn model_inputs(
    connection: &mut dyn Connection,
    run_id: &str,
) -> Result<Vec<ModelInput>> {
    connection.rows(
        "SELECT destination_id FROM inputs WHERE source_type = 'RUN_INPUT' AND source_id = ?1 \
         AND destination_type = 'MODEL_INPUT'",
        &[run_id.into()],
        |row| Ok(ModelInput { model_id: row.need_text(0)? }),
    )
}
