//! Columns that name or number the rows of a table: written by tools beside the data, not part of them.
//!
//! pandas writes its index to CSV without a name and reads it back as `Unnamed: 0`; `reset_index` calls it
//! `index` or `level_0`; R writes row names without a name, and its data sets come with `rownames`. Every
//! row has another one, so they say nothing of drift.

use crate::column::Column;
use crate::values::family::Family;

/// Names that tools give to such a column, in small letters.
const NAMES: [&str; 5] = ["index", "level_0", "rownames", "row_names", "row.names"];
/// What pandas calls a column without a name, before its number.
const UNNAMED: &str = "Unnamed: ";

/// Whether a column of this name is one of row names, if it holds another value in every row.
pub fn is_called_row_names(name: &str) -> bool {
    let number = name.strip_prefix(UNNAMED);
    let is_unnamed = number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    name.is_empty() || is_unnamed || NAMES.contains(&name.to_lowercase().as_str())
}

/// Whether the column is called like one of row names, and holds another value in every row.
pub(crate) fn are_row_names(name: &str, column: &Column) -> bool {
    let is_whole = matches!(column.family(), Family::Integer | Family::Unsigned | Family::String);
    let is_whole = is_whole && column.missing() == 0;
    is_whole && is_called_row_names(name) && column.distinct() == column.len()
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn name_and_values_decide_together() {
        let numbers = Column::new(&[&Int64Array::from(vec![3, 1, 7])]);
        let repeated = Column::new(&[&Int64Array::from(vec![3, 3, 7])]);
        let texts = Column::new(&[&StringArray::from(vec!["Mazda", "Fiat"])]);
        let fractions = Column::new(&[&Float64Array::from(vec![0.5, 1.5])]);
        assert!(are_row_names("Unnamed: 0", &numbers) && are_row_names("", &texts));
        assert!(are_row_names("rownames", &texts) && are_row_names("Index", &numbers));
        for (name, column) in [
            ("Unnamed: 0", &repeated),
            ("Unnamed: 1", &fractions),
            ("Unnamed: x", &numbers),
            ("id", &numbers),
        ] {
            assert!(!are_row_names(name, column), "{name}");
        }
    }
}
