//! Params of runs: each is logged once.

use std::collections::HashSet;

use trainyard_mlflow::Error;
use trainyard_mlflow::entities::Param;

use super::database::{Connection, Value};
use super::placeholders::{row_groups, row_placeholders};
use super::python;
use super::run_rows::find_active;
use super::validate::{self, LongValues};
use crate::error::Result;

/// Logs a param once; the same value again is no error.
pub(crate) fn log_one(
    connection: &mut dyn Connection,
    run_id: &str,
    mut param: Param,
    long_values: LongValues,
) -> Result<()> {
    validate::param(&mut param, "", long_values)?;
    find_active(connection, run_id)?;
    if !insert_params(connection, run_id, std::slice::from_ref(&param))?.is_empty() {
        return Ok(());
    }
    match param_value(connection, run_id, &param.key)? {
        Some(old) if old != param.value => Err(Error::invalid(format!(
            "Changing param values is not allowed. Param with key='{}' was already logged with \
             value='{old}' for run ID='{run_id}'. Attempted logging new value '{}'.",
            param.key, param.value
        ))
        .into()),
        _ => Ok(()),
    }
}

fn param_value(connection: &mut dyn Connection, run_id: &str, key: &str) -> Result<Option<String>> {
    connection.first(
        "SELECT value FROM params WHERE \"key\" = ?1 AND run_uuid = ?2",
        &[key.into(), run_id.into()],
        |row| row.text_or_empty(0),
    )
}

/// Inserts params and returns the keys of those that were not there.
fn insert_params(
    connection: &mut dyn Connection,
    run_id: &str,
    params: &[Param],
) -> Result<HashSet<String>> {
    let pairs = params.iter().flat_map(|param| [Value::from(&param.key), (&param.value).into()]);
    let values: Vec<Value<'_>> = std::iter::once(run_id.into()).chain(pairs).collect();
    let rows = row_placeholders(params.len(), 2);
    let sql = format!(
        "INSERT INTO params (\"key\", value, run_uuid) VALUES {rows} \
         ON CONFLICT (\"key\", run_uuid) DO NOTHING RETURNING \"key\""
    );
    let keys = connection.rows(&sql, &values, |row| row.need_text(0))?;
    Ok(keys.into_iter().collect())
}

/// Logs checked params to an active run; the same values again are no error.
pub(crate) fn log(connection: &mut dyn Connection, run_id: &str, params: &[Param]) -> Result<()> {
    let mut changed = Vec::new();
    for group in row_groups(params) {
        let mut inserted = insert_params(connection, run_id, group)?;
        for param in group {
            if inserted.remove(param.key.as_str()) {
                continue;
            }
            let old = param_value(connection, run_id, &param.key)?.unwrap_or_default();
            if old != param.value {
                changed.push(format!(
                    "{{'key': {}, 'old_value': {}, 'new_value': {}}}",
                    python::repr(&param.key),
                    python::repr(&old),
                    python::repr(&param.value)
                ));
            }
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Changing param values is not allowed. Params were already logged='[{}]' for run \
         ID='{run_id}'.",
        changed.join(", ")
    ))
    .into())
}
