//! Which columns of a table are learnt from, by the settings.

use arrow_array::RecordBatch;
use trainyard_base::nearest;

use crate::config::TrainConfig;
use crate::{Error, Result};

/// The feature columns in the table's order, then the target.
///
/// What only says on which side of the holdout a row is (`id`, the column of a time) is no feature unless it
/// is listed under `features`: an identifier teaches a model names, a date teaches it the past.
pub(crate) fn select(table: &RecordBatch, config: &TrainConfig) -> Result<RecordBatch> {
    let schema = table.schema_ref();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    if let Some(name) = names.iter().enumerate().find_map(|(index, name)| {
        names.iter().skip(index + 1).any(|other| other == name).then_some(*name)
    }) {
        return Err(Error::DuplicateColumn { name: name.to_owned() });
    }
    let target = position(&names, &config.target, "target")?;
    let mut wanted = match &config.features {
        Some(features) => features
            .iter()
            .map(|name| position(&names, name, "feature"))
            .collect::<Result<Vec<usize>>>()?,
        None => (0..names.len()).collect(),
    };
    for name in &config.exclude {
        let excluded = position(&names, name, "exclude")?;
        wanted.retain(|index| *index != excluded);
    }
    for name in &config.categorical {
        position(&names, name, "categorical")?;
    }
    if config.features.is_none() {
        for (name, role) in config.side_columns() {
            let side = position(&names, name, role)?;
            wanted.retain(|index| *index != side);
        }
    }
    wanted.retain(|index| *index != target);
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Err(Error::NoFeatures { target: config.target.clone() });
    }
    wanted.push(target);
    Ok(table.project(&wanted)?)
}

/// The columns of these names, in their order.
pub(crate) fn named(
    table: &RecordBatch,
    wanted: &[String],
    role: &'static str,
) -> Result<RecordBatch> {
    let schema = table.schema_ref();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let positions = wanted.iter().map(|name| position(&names, name, role));
    Ok(table.project(&positions.collect::<Result<Vec<usize>>>()?)?)
}

fn position(names: &[&str], name: &str, role: &'static str) -> Result<usize> {
    names.iter().position(|other| *other == name).ok_or_else(|| Error::MissingColumn {
        name: name.to_owned(),
        role,
        nearest: nearest(name, names.iter().copied()),
        columns: names.iter().map(ToString::to_string).collect(),
    })
}
