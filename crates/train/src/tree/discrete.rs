//! Features of few values, as categories and counts are: where among its values each row is, found once for all trees.

use rayon::prelude::*;

use crate::matrix::Matrix;

use super::order::{sortable, value_of};

/// Values of a feature that has few: what is summed of each stays in an L2 cache.
const VALUES_MAX: usize = 4096;

/// A feature of few values.
#[derive(Debug)]
pub(crate) struct Discrete {
    /// Its values, ascending.
    pub(super) values: Vec<f32>,
    places: Places,
}

/// Of each row the place of its value.
#[derive(Debug)]
enum Places {
    Few(Vec<u8>),
    Many(Vec<u16>),
}

impl Discrete {
    /// Each feature, if it has few values.
    pub(crate) fn of(matrix: &Matrix) -> Vec<Option<Self>> {
        (0..matrix.columns())
            .into_par_iter()
            .map(|feature| Self::of_column(matrix.column(feature)))
            .collect()
    }

    fn of_column(column: &[f32]) -> Option<Self> {
        let mut keys: Vec<u32> = Vec::new();
        let mut unsorted = 0;
        for value in column {
            let key = sortable(*value);
            let (sorted, rest) = keys.split_at(keys.len() - unsorted);
            if sorted.binary_search(&key).is_ok() || rest.contains(&key) {
                continue;
            }
            if keys.len() == VALUES_MAX {
                return None;
            }
            keys.push(key);
            unsorted += 1;
            // What is not sorted is looked through, so it stays short.
            if unsorted == 32 {
                keys.sort_unstable();
                unsorted = 0;
            }
        }
        keys.sort_unstable();
        let place = |value: &f32| keys.binary_search(&sortable(*value)).unwrap_or(0);
        let places = if keys.len() <= 1 << u8::BITS {
            Places::Few(column.iter().map(|value| place(value) as u8).collect())
        } else {
            Places::Many(column.iter().map(|value| place(value) as u16).collect())
        };
        let values = keys.iter().map(|&key| value_of(u64::from(key) << 32)).collect();
        Some(Self { values, places })
    }

    /// Where among the values that of a row is.
    #[inline]
    pub(super) fn place(&self, row: u32) -> usize {
        match &self.places {
            Places::Few(places) => usize::from(places[row as usize]),
            Places::Many(places) => usize::from(places[row as usize]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_where_its_value_is() {
        let of = |column: &[f32]| Discrete::of_column(column);
        let two = of(&[0.0, 1.5, -0.0, -2.0]).unwrap();
        assert_eq!(two.values, [-2.0, 0.0, 1.5]);
        assert_eq!([0, 1, 2, 3].map(|row| two.place(row)), [1, 2, 1, 0]);
        let column = |count: u32| -> Vec<f32> {
            (0..9_000_u32).map(|row| (row * 7_919 % count) as f32).collect()
        };
        for count in [1, 256, 257, 4_096] {
            let column = column(count);
            let discrete = of(&column).unwrap();
            assert_eq!(discrete.values.len(), count as usize);
            let found = (0..9_000).map(|row| discrete.values[discrete.place(row)]);
            assert!(found.eq(column));
        }
        assert!(of(&column(4_097)).is_none());
    }
}
