//! Features of few values, as categories and counts are: where among its values each row is, found once for all trees.

use std::sync::Arc;

use rayon::prelude::*;

use crate::matrix::Matrix;

use super::buckets::Buckets;
use super::criterion::Criterion;
use super::order::{sortable, value_of};

/// Values of a feature that has few: what is summed of each stays in an L2 cache.
const VALUES_MAX: usize = 4096;

/// Nodes up to so many rows look at them in the order of rows: what the features of a few rows are stays in a cache then,
/// from a node to those below it.
const NODE_ROWS_MAX: usize = 4096;

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
    /// Once for itself, and once in a table of all such features.
    Few(Vec<u8>, Option<Slot>),
    Many(Vec<u16>),
}

/// A column of a table that is row-major.
#[derive(Debug)]
struct Slot {
    table: Arc<Vec<u8>>,
    width: usize,
    column: usize,
}

/// Where to look for the places of rows: beginning there, and so far from row to row.
struct Column<'a, P> {
    places: &'a [P],
    stride: usize,
}

impl<P: Copy + Into<usize>> Column<'_, P> {
    #[inline]
    fn place(&self, row: u32) -> usize {
        self.places[row as usize * self.stride].into()
    }

    fn is_constant(&self, rows: &[u32]) -> bool {
        let Some(&first) = rows.first() else { return true };
        let first = self.place(first);
        rows.iter().all(|&row| self.place(row) == first)
    }

    fn partition(&self, rows: &mut [u32], cut: usize) -> usize {
        partition(rows, |row| self.place(row) < cut)
    }
}

/// Brings the rows that go left to the front; how many they are.
pub(super) fn partition(rows: &mut [u32], goes_left: impl Fn(u32) -> bool) -> usize {
    let (mut front, mut back) = (0, rows.len());
    while front < back {
        if goes_left(rows[front]) {
            front += 1;
        } else {
            back -= 1;
            rows.swap(front, back);
        }
    }
    front
}

impl Discrete {
    /// Each feature, if it has few values.
    pub(crate) fn of(matrix: &Matrix) -> Vec<Option<Self>> {
        let mut features: Vec<Option<Self>> = (0..matrix.columns())
            .into_par_iter()
            .map(|feature| Self::of_column(matrix.column(feature)))
            .collect();
        let is_few = |it: &&mut Self| matches!(it.places, Places::Few(..));
        let mut few: Vec<&mut Self> = features.iter_mut().flatten().filter(is_few).collect();
        let width = few.len();
        let mut table = vec![0; width * matrix.rows()];
        for (column, feature) in few.iter().enumerate() {
            if let Places::Few(places, _) = &feature.places {
                let slots = table.iter_mut().skip(column).step_by(width);
                slots.zip(places).for_each(|(slot, place)| *slot = *place);
            }
        }
        let table = Arc::new(table);
        for (column, feature) in few.iter_mut().enumerate() {
            if let Places::Few(_, slot) = &mut feature.places {
                *slot = Some(Slot { table: Arc::clone(&table), width, column });
            }
        }
        features
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
            Places::Few(column.iter().map(|value| place(value) as u8).collect(), None)
        } else {
            Places::Many(column.iter().map(|value| place(value) as u16).collect())
        };
        let values = keys.iter().map(|&key| value_of(u64::from(key) << 32)).collect();
        Some(Self { values, places })
    }

    /// Adds up the rows of a node by value, unless all of them have the same one, as most categories far down a tree do;
    /// whether they had not. The criterion started with them.
    pub(super) fn fill(
        &self,
        buckets: &mut Buckets,
        rows: &[u32],
        criterion: &impl Criterion,
    ) -> bool {
        fn fill<P: Copy + Into<usize>>(
            (column, values): (&Column<'_, P>, usize),
            buckets: &mut Buckets,
            rows: &[u32],
            criterion: &impl Criterion,
        ) -> bool {
            let varies = !column.is_constant(rows);
            if varies {
                buckets.fill(values, rows, |row| column.place(row), criterion);
            }
            varies
        }
        let values = self.values.len();
        match &self.places {
            Places::Few(places, slot) => {
                fill((&few(places, slot.as_ref(), rows.len()), values), buckets, rows, criterion)
            }
            Places::Many(places) => {
                fill((&Column { places, stride: 1 }, values), buckets, rows, criterion)
            }
        }
    }

    /// Brings the rows of a node whose values are at most this to the front; how many they are.
    pub(super) fn partition(&self, rows: &mut [u32], threshold: f32) -> usize {
        let cut = self.values.partition_point(|value| *value <= threshold);
        match &self.places {
            Places::Few(places, slot) => {
                few(places, slot.as_ref(), rows.len()).partition(rows, cut)
            }
            Places::Many(places) => Column { places, stride: 1 }.partition(rows, cut),
        }
    }
}

/// The places of a feature as a node of so many rows looks at them.
fn few<'a>(places: &'a [u8], slot: Option<&'a Slot>, rows: usize) -> Column<'a, u8> {
    let by_row = slot.filter(|_| rows <= NODE_ROWS_MAX).and_then(|slot| {
        Some(Column { places: slot.table.get(slot.column..)?, stride: slot.width })
    });
    by_row.unwrap_or(Column { places, stride: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(discrete: &Discrete, row: u32) -> usize {
        match &discrete.places {
            Places::Few(places, _) => usize::from(places[row as usize]),
            Places::Many(places) => usize::from(places[row as usize]),
        }
    }

    #[test]
    fn features_of_few_values_stand_side_by_side() {
        let mut matrix = Matrix::new(1000);
        for count in [3, 1000, 200, 2] {
            matrix.push_column((0..1000).map(|row| (row * 7919 % count) as f32));
        }
        let features = Discrete::of(&matrix);
        for (at, discrete) in features.iter().enumerate() {
            let discrete = discrete.as_ref().unwrap();
            let Places::Few(places, slot) = &discrete.places else {
                assert_eq!(at, 1);
                continue;
            };
            let (whole, by_row) = (few(places, None, 1000), few(places, slot.as_ref(), 1000));
            assert_eq!((whole.stride, by_row.stride), (1, 3));
            assert!((0..1000).all(|row| whole.place(row) == by_row.place(row)));
            let large = few(places, slot.as_ref(), NODE_ROWS_MAX + 1);
            assert_eq!(large.stride, 1);
        }
    }

    #[test]
    fn a_row_is_where_its_value_is() {
        let of = |column: &[f32]| Discrete::of_column(column);
        let two = of(&[0.0, 1.5, -0.0, -2.0]).unwrap();
        assert_eq!(two.values, [-2.0, 0.0, 1.5]);
        assert_eq!([0, 1, 2, 3].map(|row| place(&two, row)), [1, 2, 1, 0]);
        let column = |count: u32| -> Vec<f32> {
            (0..9_000_u32).map(|row| (row * 7_919 % count) as f32).collect()
        };
        for count in [1, 256, 257, 4_096] {
            let column = column(count);
            let discrete = of(&column).unwrap();
            assert_eq!(discrete.values.len(), count as usize);
            let found = (0..9_000).map(|row| discrete.values[place(&discrete, row)]);
            assert!(found.eq(column));
        }
        assert!(of(&column(4_097)).is_none());
    }
}
