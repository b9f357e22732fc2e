//! The datasets that runs of experiments read.

use trainyard_mlflow::Error;
use trainyard_mlflow::entities::DatasetSummary;

use super::database::{Connection, Value};
use super::placeholders::placeholders;
use super::validate;
use crate::error::Result;
use crate::search::runs_sql::CONTEXT;

/// Experiments of one dataset search.
const SEARCH_EXPERIMENTS_MAX: usize = 20;
/// Lines of one dataset search.
const SUMMARIES_MAX: i64 = 1000;

/// Datasets that runs of the experiments read, each with what for.
pub(crate) fn search(
    connection: &mut dyn Connection,
    experiment_ids: &[String],
) -> Result<Vec<DatasetSummary>> {
    if experiment_ids.is_empty() {
        return Err(Error::invalid(
            "SearchDatasets request must specify at least one experiment_id.",
        )
        .into());
    }
    if experiment_ids.len() > SEARCH_EXPERIMENTS_MAX {
        return Err(Error::invalid(format!(
            "SearchDatasets request cannot specify more than {SEARCH_EXPERIMENTS_MAX} \
             experiment_ids. Received {} experiment_ids.",
            experiment_ids.len()
        ))
        .into());
    }
    let mut parameters: Vec<Value<'_>> = vec![CONTEXT.into(), SUMMARIES_MAX.into()];
    for id in experiment_ids {
        parameters.push(validate::experiment_id(id)?.into());
    }
    let sql = format!(
        "SELECT DISTINCT d.experiment_id, d.name, d.digest, t.value FROM datasets d \
         JOIN inputs i ON i.source_id = d.dataset_uuid \
         LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid AND t.name = ?1 \
         WHERE d.experiment_id IN ({}) \
         ORDER BY d.experiment_id, d.name, d.digest, t.value LIMIT ?2",
        placeholders(3, experiment_ids.len())
    );
    connection.rows(&sql, &parameters, |row| {
        Ok(DatasetSummary {
            experiment_id: row.need_int(0)?.to_string(),
            name: row.text_or_empty(1)?,
            digest: row.text_or_empty(2)?,
            context: row.optional_text(3)?,
        })
    })
}
