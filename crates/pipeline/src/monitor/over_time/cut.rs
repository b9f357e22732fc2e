//! A column cut into windows, which are handed on one by one.
//!
//! Rows of a log come in the order of their time but for a few, so that a window is mostly whole before the next one begins:
//! in memory are the windows that are not whole yet, and those that wait for one before them.

use std::collections::BTreeMap;

use arrow_array::{Array as _, ArrayRef};
use trainyard_data::arrow_schema::DataType;
use trainyard_drift::{Column, ColumnBuilder};

use super::super::source::Data;
use super::rows::Placed;
use crate::Result;

/// Windows of a column while it is read.
struct Cutting<'a, F> {
    placed: &'a Placed,
    name: &'a str,
    /// What a window whose summary has no such column is of.
    data_type: Option<DataType>,
    /// Bytes of memory that each window's rows may take.
    share: u64,
    /// Rows of each window that are still to come.
    to_come: Vec<usize>,
    open: BTreeMap<usize, ColumnBuilder>,
    whole: BTreeMap<usize, Column>,
    /// The window that is handed on next.
    next: usize,
    each: F,
}

impl<F: FnMut(usize, Column)> Cutting<'_, F> {
    fn push(&mut self, place: usize, part: ArrayRef) {
        self.to_come[place] = self.to_come[place].saturating_sub(part.len());
        let share = self.share;
        self.open.entry(place).or_insert_with(|| ColumnBuilder::new(share)).push(part);
        if self.to_come[place] == 0 {
            self.finish(place);
            while self.to_come.get(self.next) == Some(&0) {
                self.hand_on();
            }
        }
    }

    fn finish(&mut self, place: usize) {
        if let Some(builder) = self.open.remove(&place) {
            self.whole.insert(place, builder.finish());
        }
    }

    fn hand_on(&mut self) {
        let place = self.next;
        self.next += 1;
        self.finish(place);
        let read = self.whole.remove(&place).unwrap_or_else(|| Column::new(&[]));
        let data_type = self.data_type.get_or_insert_with(|| read.data_type().clone());
        let column = match &self.placed.summed[place] {
            Some(summed) => {
                let kept = summed.column(self.name).cloned();
                kept.unwrap_or_else(|| summed.missing(data_type))
            }
            None => read,
        };
        (self.each)(place, column);
    }
}

impl Placed {
    /// Cuts a column into windows, in about so many bytes of memory, and calls `each` with the place of every window and what
    /// the column holds there, the earliest first; `false`, and no call, if there is no such column. Windows that were left
    /// out have no rows. Where it fails windows may have been handed on: these are then of no use.
    pub(super) fn cut(
        &self,
        data: &Data,
        name: &str,
        memory: u64,
        each: impl FnMut(usize, Column),
    ) -> Result<bool> {
        let count = self.windows.len();
        let mut to_come = vec![0; count];
        for (rows, place) in &self.runs {
            if let Some(of_window) = to_come.get_mut(*place as usize) {
                *of_window += rows;
            }
        }
        let mut known = self.summed.iter().flatten().filter_map(|summed| summed.column(name));
        let data_type = known.next().map(|column| column.data_type().clone());
        let is_kept = data_type.is_some();
        let (open, whole) = (BTreeMap::new(), BTreeMap::new());
        let share = memory / count.max(1) as u64;
        let mut cutting =
            Cutting { placed: self, name, data_type, share, to_come, open, whole, next: 0, each };
        let is_read = self.for_each_part(data, name, |place, part| cutting.push(place, part))?;
        if !is_read && !is_kept {
            return Ok(false);
        }
        while cutting.next < count {
            cutting.hand_on();
        }
        Ok(true)
    }
}

/// All windows of a column, in hardly any memory.
#[cfg(test)]
pub(super) fn in_windows(placed: &Placed, data: &Data, name: &str) -> Option<Vec<Column>> {
    let mut columns = Vec::new();
    let mut each = |place, column| {
        assert_eq!(place, columns.len(), "windows come in their order");
        columns.push(column);
    };
    placed.cut(data, name, 1 << 20, &mut each).unwrap().then_some(columns)
}
