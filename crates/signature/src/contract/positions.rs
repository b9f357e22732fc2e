//! Requests that give columns by their order: they know no names, so they meet every change of the order.

use super::effect::{Effect, Form};
use super::finding::{Finding, Part};
use crate::model::ColSpec;

/// What the new columns mean for requests without names, where requests with names go on.
pub(super) fn compare(before: &[ColSpec], after: &[ColSpec]) -> Option<Finding> {
    let mut forms = Vec::new();
    // A tensor with all columns side by side is taken by models of more than one.
    let same_order = before.len() == after.len()
        && before.iter().zip(after).all(|(before, after)| before.name == after.name);
    if before.len() > 1 && !same_order {
        forms.push(Form::Table);
    }
    if !takes_lists_still(before, after) {
        forms.push(Form::Unnamed);
    }
    if forms.is_empty() {
        return None;
    }
    let reason = "their number or order changed, for requests that know no names";
    Some(Finding::whole(Part::Input, Effect::Forms(forms), reason))
}

/// Whether lists of values without names that were taken are taken still. They are for columns that are
/// known by position, and for a single one.
fn takes_lists_still(before: &[ColSpec], after: &[ColSpec]) -> bool {
    if before.len() == 1 {
        return after.len() == 1;
    }
    if !by_position(before) {
        return true;
    }
    // Rows without names are one array, which has one type.
    let is_array = |columns: &[ColSpec]| {
        columns.iter().any(|column| column.name.is_some())
            || columns.windows(2).all(|pair| matches!(pair, [a, b] if a.data_type == b.data_type))
    };
    by_position(after) && (!is_array(before) || is_array(after))
}

/// Columns without names, or with those that pandas gives to such: 0, 1, 2, ….
fn by_position(columns: &[ColSpec]) -> bool {
    let is_position = |(position, column): (usize, &ColSpec)| {
        column.name.as_ref().is_none_or(|name| *name == position.to_string())
    };
    columns.iter().enumerate().all(is_position)
}
