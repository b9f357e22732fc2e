//! What a model answers, as columns of a table.

use arrow_array::{Array as _, ArrayRef, UInt32Array};
use arrow_select::take::take;
use trainyard_models::Prediction;

/// Columns by name.
pub(super) type Columns = Vec<(String, ArrayRef)>;

/// The columns of an answer about so many rows: `base`, or `base_class` for each of several values a row, or the
/// names that the model gives its outputs, each behind `prefix`.
///
/// # Errors
///
/// A sentence, if it does not answer each row once.
pub(super) fn columns(
    prefix: &str,
    base: &str,
    prediction: &Prediction,
    classes: Option<&[String]>,
    rows: usize,
) -> Result<Columns, String> {
    let name = |suffix: &str| format!("{prefix}{base}_{suffix}");
    match prediction {
        Prediction::Column(values) | Prediction::Matrix { values, width: 1 } => {
            check(values.len(), rows)?;
            Ok(vec![(format!("{prefix}{base}"), values.clone())])
        }
        Prediction::Matrix { values, width } => {
            let numbered = |column: usize| match classes.and_then(|classes| classes.get(column)) {
                Some(class) => name(class),
                None => name(&column.to_string()),
            };
            spread(values, (0..*width).map(numbered).collect(), rows)
        }
        Prediction::Maps { keys, values } => {
            spread(values, keys.iter().map(|key| name(key)).collect(), rows)
        }
        Prediction::Named(outputs) => {
            let mut all = Columns::new();
            for (output, prediction) in outputs {
                all.extend(columns(prefix, output, prediction, None, rows)?);
            }
            Ok(all)
        }
    }
}

/// Row-major values as a column for each name.
fn spread(values: &ArrayRef, names: Vec<String>, rows: usize) -> Result<Columns, String> {
    let width = names.len();
    check(values.len(), rows.saturating_mul(width))?;
    let too_many = |_error| format!("{rows} rows of {width} values are too many at once");
    let width = u32::try_from(width).map_err(too_many)?;
    let end = u32::try_from(values.len()).map_err(too_many)?;
    let column = |(at, name): (u32, String)| {
        let places: UInt32Array = (at..end).step_by(width as usize).collect::<Vec<u32>>().into();
        let column = take(values.as_ref(), &places, None).map_err(|error| error.to_string())?;
        Ok((name, column))
    };
    (0..width).zip(names).map(column).collect()
}

fn check(values: usize, expected: usize) -> Result<(), String> {
    if values == expected {
        return Ok(());
    }
    Err(format!("the model answers {values} values where there must be {expected}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Float64Type;
    use arrow_array::{Float64Array, StringArray};

    use super::*;

    #[test]
    fn every_value_of_a_row_is_a_column() {
        let numbers = || Arc::new(Float64Array::from(vec![0.1, 0.9, 0.7, 0.3])) as ArrayRef;
        let matrix = Prediction::Matrix { values: numbers(), width: 2 };
        let named = |prediction: &Prediction, classes: Option<&[String]>| {
            let columns = columns("a.", "probability", prediction, classes, 2).unwrap();
            columns.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        let classes = ["no".to_owned(), "yes".to_owned()];
        assert_eq!(named(&matrix, Some(&classes)), ["a.probability_no", "a.probability_yes"]);
        assert_eq!(named(&matrix, None), ["a.probability_0", "a.probability_1"]);
        let found = columns("", "p", &matrix, None, 2).unwrap();
        assert_eq!(found[1].1.as_primitive::<Float64Type>().values().to_vec(), [0.9, 0.3]);

        let labels = Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef;
        let maps = Prediction::Maps { keys: classes.to_vec(), values: numbers() };
        let outputs = Prediction::Named(vec![
            ("label".to_owned(), Prediction::Column(labels)),
            ("scores".to_owned(), maps),
        ]);
        assert_eq!(named(&outputs, None), ["a.label", "a.scores_no", "a.scores_yes"]);
        assert!(columns("", "p", &matrix, None, 3).unwrap_err().contains("4 values where"));
    }
}
