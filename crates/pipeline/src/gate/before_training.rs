//! What can be said of the rules before anything is trained.

use trainyard_data::Table;
use trainyard_train::HeldOut;

use crate::{Error, Project, Result};

/// Refuses rules about metrics that these data do not have: nobody waits for a training to hear that.
pub(crate) fn check_metrics(project: &Project, table: &Table) -> Result<()> {
    let config = &project.config;
    if !config.knows_its_metrics() || config.gate.names().next().is_none() {
        return Ok(());
    }
    let train = project.train_config();
    let held_out = HeldOut::of(&table.batch, &train)?;
    let checked = config.gate.check_task(held_out.task, held_out.positive.is_some(), &train.target);
    checked.map_err(|reason| Error::config(&project.path(crate::FILE_NAME), reason))
}
