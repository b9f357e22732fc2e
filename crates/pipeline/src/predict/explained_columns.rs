//! What the columns of the input gave to each answer, as columns of a table.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use trainyard_models::{Error, Explanation, Predictor, Result};

use super::answer_columns::Columns;

/// What begins the names of columns with what is answered of a row of which nothing is known, and with what each column
/// adds to that.
const BASE: &str = "base";
const CONTRIBUTION: &str = "contribution";

/// Rows that are explained at once: as many as the engine takes together.
const ROWS_AT_ONCE: usize = 256;

/// Numbers that a row may be explained by. All rows of a part are in memory before they are written, 262,144 at most:
/// half a gigabyte of so many.
const NUMBERS_MAX: usize = 256;

/// For each output its base, and what each column of the input adds to it: `base` and `contribution_age`, of several
/// outputs `base_setosa` and `contribution_setosa_age`, each behind `prefix`. Along a row they add up to what is
/// explained.
///
/// # Errors
///
/// [`Error::Unsupported`] if the model cannot be explained, or only by too many numbers; others if these rows cannot.
pub(super) fn explained(
    prefix: &str,
    predictor: &dyn Predictor,
    input: &RecordBatch,
) -> Result<Columns> {
    let rows = input.num_rows();
    // The first row says how many numbers there are of each.
    let mut whole = predictor.explain(&input.slice(0, rows.min(1)), None)?;
    let numbers = whole.outputs.len().saturating_mul(whole.columns.len().saturating_add(1));
    if numbers > NUMBERS_MAX {
        return Err(Error::Unsupported {
            what: format!("an explanation of {numbers} numbers a row"),
            hint: format!(
                "tables are explained by up to {NUMBERS_MAX}; leave --explain out, or ask /explain of a \
                 model server about some rows"
            ),
        });
    }
    for first in (1..rows).step_by(ROWS_AT_ONCE) {
        let part = input.slice(first, ROWS_AT_ONCE.min(rows - first));
        whole.contributions.extend(predictor.explain(&part, None)?.contributions);
    }
    Ok(columns(prefix, &whole, rows))
}

fn columns(prefix: &str, whole: &Explanation, rows: usize) -> Columns {
    let (outputs, width) = (whole.outputs.len(), whole.columns.len());
    let numbers = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let mut all = Columns::with_capacity(outputs * (width + 1));
    for (at, output) in whole.outputs.iter().enumerate() {
        let of = if outputs > 1 { format!("_{output}") } else { String::new() };
        let base = whole.base.get(at).copied().unwrap_or_default();
        all.push((format!("{prefix}{BASE}{of}"), numbers(vec![base; rows])));
        for (column, name) in whole.columns.iter().enumerate() {
            let cells = whole.contributions.iter().skip(at * width + column);
            let values = cells.step_by(outputs * width).copied().collect();
            all.push((format!("{prefix}{CONTRIBUTION}{of}_{name}"), numbers(values)));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Float64Type;
    use trainyard_models::Explained;

    use super::*;

    #[test]
    fn every_contribution_is_a_column() {
        let explanation = |outputs: &[&str], base: &[f64]| Explanation {
            explained: Explained::Margin,
            columns: vec!["age".to_owned(), "town".to_owned()],
            outputs: outputs.iter().map(|&name| name.to_owned()).collect(),
            rows: 2,
            base: base.to_vec(),
            contributions: (1..=4 * outputs.len()).map(|number| number as f64).collect(),
        };
        let found = |explanation: &Explanation| {
            columns("a.", explanation, 2)
                .into_iter()
                .map(|(name, values)| {
                    (name, values.as_primitive::<Float64Type>().values().to_vec())
                })
                .collect::<Vec<_>>()
        };
        let column = |name: &str, values: [f64; 2]| (name.to_owned(), values.to_vec());
        assert_eq!(
            found(&explanation(&["yes"], &[0.5])),
            [
                column("a.base", [0.5, 0.5]),
                column("a.contribution_age", [1.0, 3.0]),
                column("a.contribution_town", [2.0, 4.0]),
            ]
        );
        assert_eq!(
            found(&explanation(&["x", "y"], &[0.5, 0.25])),
            [
                column("a.base_x", [0.5, 0.5]),
                column("a.contribution_x_age", [1.0, 5.0]),
                column("a.contribution_x_town", [2.0, 6.0]),
                column("a.base_y", [0.25, 0.25]),
                column("a.contribution_y_age", [3.0, 7.0]),
                column("a.contribution_y_town", [4.0, 8.0]),
            ]
        );
    }
}
