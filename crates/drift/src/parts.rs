//! One column out of all parts of a table.

use std::borrow::Cow;

use crate::column::Column;
use crate::profile::Profile;

impl Profile {
    /// The column of this name of all parts of a table as one; parts that lack it have missing values. None where no part has
    /// it, or its types do not go together.
    ///
    /// Two by two, so that each value is walked over as few times as possible.
    pub fn column_of_all<'a>(
        name: &str,
        parts: impl IntoIterator<Item = &'a Self>,
    ) -> Option<Column> {
        let mut lacking = 0;
        let mut columns: Vec<Cow<'a, Column>> = Vec::new();
        for part in parts {
            match part.column(name) {
                Some(column) => columns.push(Cow::Borrowed(column)),
                None => lacking += part.rows(),
            }
        }
        while columns.len() > 1 {
            let mut merged = Vec::with_capacity(columns.len().div_ceil(2));
            let mut left = columns.into_iter();
            while let Some(one) = left.next() {
                merged.push(match left.next() {
                    Some(other) => Cow::Owned(one.merged(&other)?),
                    None => one,
                });
            }
            columns = merged;
        }
        Some(columns.pop()?.into_owned().with_missing(lacking))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, Float64Array, StringArray};

    use super::*;

    fn part(name: &str, rows: u64, values: &dyn Array) -> Profile {
        Profile::from_columns(rows, vec![(name.to_owned(), Column::new(&[values]))])
    }

    #[test]
    fn a_column_of_all_parts_is_that_of_the_whole() {
        let values: Vec<f64> = (0..70).map(|row| f64::from(row * 37 % 11)).collect();
        let of = |values: &[f64]| Float64Array::from(values.to_vec());
        for parts in [1, 2, 3, 5, 7] {
            let each = values.chunks(70_usize.div_ceil(parts));
            let parts: Vec<Profile> =
                each.map(|some| part("x", some.len() as u64, &of(some))).collect();
            let whole = Profile::column_of_all("x", &parts).unwrap();
            assert_eq!(whole, Profile::column_of_all("x", [&part("x", 70, &of(&values))]).unwrap());
            assert_eq!((whole.rows(), whole.distinct()), (70, 11));
        }
    }

    #[test]
    fn who_lacks_it_has_missing_values_and_types_that_do_not_fit_are_none() {
        let parts = [
            part("x", 2, &Float64Array::from(vec![1.0, 2.0])),
            part("y", 3, &Float64Array::from(vec![1.0, 2.0, 3.0])),
            part("x", 1, &Float64Array::from(vec![5.0])),
        ];
        let x = Profile::column_of_all("x", &parts).unwrap();
        assert_eq!((x.rows(), x.missing(), x.distinct()), (6, 3, 3));
        assert_eq!(Profile::column_of_all("z", &parts), None);
        let text = part("x", 1, &StringArray::from(vec!["a"]));
        assert_eq!(Profile::column_of_all("x", [&parts[0], &text]), None);
    }
}
