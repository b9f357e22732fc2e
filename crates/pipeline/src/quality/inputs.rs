//! How what the model sees has changed: together, and which columns matter.

use arrow_array::Array as _;
use trainyard_data::Columns;
use trainyard_quality::estimate::explained;
use trainyard_quality::multivariate::reconstruction::COLUMNS_MAX;
use trainyard_quality::multivariate::{Domain, Reconstruction};
use trainyard_quality::{Codes, Feature};
use trainyard_report::quality::{Change, ColumnChange};

use super::columns::{feature, gather};
use super::found::Rows;
use crate::Result;

/// Rows that tell what a column holds.
const TELLING_ROWS: u32 = 100;

/// Columns that both tables have, of numbers or labels, and that are no answer, id or truth.
pub(super) fn inputs(
    reference: &Columns,
    predictions: &Columns,
    others: &[&str],
) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in reference.names() {
        let is_other = others.contains(&name.as_str()) || name.starts_with("trainyard.");
        if !is_other && names.len() < COLUMNS_MAX && predictions.names().contains(name) {
            let sorts = [sort_of(reference, name)?, sort_of(predictions, name)?];
            if sorts[0].is_some() && sorts[0] == sorts[1] {
                names.push(name.clone());
            }
        }
    }
    Ok(names)
}

/// Whether a column holds numbers; none if it holds something that models do not learn from here.
fn sort_of(columns: &Columns, name: &str) -> Result<Option<bool>> {
    let rows: Vec<u32> = (0..TELLING_ROWS.min(columns.rows() as u32)).collect();
    let Some(values) = gather(columns, name, &rows)? else { return Ok(None) };
    let is_known = values.null_count() < values.len();
    let found = feature(&values)?.filter(|_| is_known);
    Ok(found.map(|found| matches!(found, Feature::Numbers(_))))
}

/// Compares what the model sees now with the reference, of which also the losses are known.
pub(super) fn change(names: &[String], reference: &Rows, current: &Rows) -> Result<Option<Change>> {
    if names.is_empty() || current.answers.len() == 0 {
        return Ok(None);
    }
    let fitted = Reconstruction::fit(&reference.features)?;
    let reconstruction = match &fitted {
        None => None,
        Some(fitted) => Some((fitted.reference(), fitted.error(&current.features)?)),
    };
    let domain = Domain::new(&reference.features, &current.features)?;
    let codes = Codes::new(&reference.features);
    let (before, now) = (codes.numbers(&reference.features)?, codes.numbers(&current.features)?);
    let explained = explained(&before, &reference.answers.losses(), &now);
    let mut columns: Vec<ColumnChange> = names
        .iter()
        .enumerate()
        .map(|(place, name)| ColumnChange {
            name: name.clone(),
            explained: explained.get(place).copied(),
            share: domain.as_ref().and_then(|domain| domain.shares.get(place)).copied(),
        })
        .collect();
    let size = |column: &ColumnChange| column.explained.unwrap_or_default().abs();
    columns.sort_by(|a, b| size(b).total_cmp(&size(a)));
    Ok(Some(Change { reconstruction, domain, columns }))
}
