//! Which parts of the data are compared by themselves.

use trainyard_base::nearest;
use trainyard_data::RowFilter;
use trainyard_drift::{DatasetDrift, Distribution};

use crate::{Error, Result};

/// Most segments of one comparison. Each reads both sides once more, and a page of more is read by nobody.
pub(super) const SEGMENTS_MAX: usize = 50;

/// The conditions of the segments that are asked for: a condition is one, a column is as many as it has
/// values. Values are those that the comparison of the whole shows, the most frequent of both sides.
///
/// # Errors
///
/// Where a column is not there, or has no labels, or the segments are too many.
pub(super) fn conditions(asked: &[String], whole: &DatasetDrift) -> Result<Vec<String>> {
    let mut conditions = Vec::new();
    for text in asked {
        let filter = RowFilter { conditions: vec![text.clone()], ..RowFilter::default() };
        if let Some(name) = column_name(text, whole) {
            conditions.extend(of_column(&name, whole)?);
        } else {
            // Says what is wrong with it, if something is.
            filter.columns().map_err(|error| match no_column(text, whole) {
                Some(no_column) => no_column,
                None => error.into(),
            })?;
            conditions.push(text.clone());
        }
    }
    if conditions.len() > SEGMENTS_MAX {
        return Err(Error::Missing {
            what: format!("{} segments: at most {SEGMENTS_MAX} are compared", conditions.len()),
            hint: "name the segments that matter, as conditions".to_owned(),
        });
    }
    Ok(conditions)
}

/// The column that is named, without the quotes it may have; `None` if this is no name of one.
fn column_name(text: &str, whole: &DatasetDrift) -> Option<String> {
    let text = text.trim();
    let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    [Some(text), unquoted]
        .into_iter()
        .flatten()
        .find(|name| whole.columns.iter().any(|column| column.name == *name))
        .map(str::to_owned)
}

/// The error of a text that looks like a name rather than a condition.
fn no_column(text: &str, whole: &DatasetDrift) -> Option<Error> {
    let name = text.trim().trim_matches('"');
    if name.is_empty() || name.contains(['=', '<', '>', '!', '(', '"']) {
        return None;
    }
    let names = || whole.columns.iter().map(|column| column.name.as_str());
    let hint = match nearest(name, names()) {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None => {
            "name a column that is compared, or write a condition: --segment 'age < 30'".to_owned()
        }
    };
    Some(Error::Missing { what: format!("there is no column {name:?} to make segments of"), hint })
}

fn of_column(name: &str, whole: &DatasetDrift) -> Result<Vec<String>> {
    let column = whole.columns.iter().find(|column| column.name == name);
    let Some(Distribution::Categories { top, .. }) =
        column.and_then(|column| column.distribution.as_ref())
    else {
        return Err(Error::Missing {
            what: format!("the column {name:?} has no labels on both sides to be segments"),
            hint: format!("write conditions: --segment '\"{name}\" < 10'"),
        });
    };
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let condition = |label: &str| format!("{} = {}", quoted(name), quoted(label));
    Ok(top.iter().map(|category| condition(&category.label)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    use trainyard_drift::{Options, compare};

    use super::*;

    #[test]
    fn columns_and_conditions_are_segments() {
        let region = StringArray::from_iter_values((0..90).map(|i| ["a", "b \"c\""][i % 2]));
        let table = RecordBatch::try_from_iter([
            ("region", Arc::new(region) as ArrayRef),
            ("x", Arc::new(Float64Array::from_iter_values((0..90).map(f64::from))) as ArrayRef),
        ])
        .unwrap();
        let whole = compare(&table, &table, &Options::default());
        let of = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|text| (*text).to_owned()).collect();
            conditions(&asked, &whole).map_err(|error| error.to_string())
        };
        let found = of(&["region", "x > 3 and region = a"]).unwrap();
        assert_eq!(found.len(), 3);
        assert!(found.contains(&"\"region\" = \"a\"".to_owned()), "{found:?}");
        assert!(found.contains(&"\"region\" = \"b \"\"c\"\"\"".to_owned()), "{found:?}");
        assert!(of(&["x"]).unwrap_err().contains("no labels"));
        assert!(of(&["colour"]).unwrap_err().contains("no column \"colour\""));
        assert!(of(&["x >"]).is_err_and(|error| !error.contains("no column")));
        let Some(Error::Missing { hint, .. }) = no_column("regoin", &whole) else {
            panic!("a slip is no condition");
        };
        assert_eq!(hint, "did you mean \"region\"?");
        assert!(of(&["x > 1"; 51]).unwrap_err().contains("at most 50"));
    }
}
