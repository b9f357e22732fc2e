//! Lists of placeholders: statements that write or look up many rows at a time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use super::database::Value;

/// Splits rows for statements that insert several at a time. Few different sizes mean few different
/// statements to prepare, and a thousand rows take ten round trips instead of a thousand.
pub(crate) fn row_groups<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    const SIZES: [usize; 3] = [100, 10, 1];
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (group, rest) = rows.split_at(size);
        rows = rest;
        Some(group)
    })
}

/// `(?2, ?3, ?1), (?4, ?5, ?1), …`: so many rows of so many values, and behind them the run's id,
/// which is bound once. It is made once for each [size of a group](row_groups): for a hundred rows that takes as long
/// as writing some of them.
pub(crate) fn row_placeholders(rows: usize, values: usize) -> Arc<str> {
    static MADE: Mutex<BTreeMap<(usize, usize), Arc<str>>> = Mutex::new(BTreeMap::new());
    // A list is there as a whole or not at all, so a panic elsewhere is no harm.
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let list = made.entry((rows, values)).or_insert_with(|| list_rows(rows, values).into());
    Arc::clone(list)
}

fn list_rows(rows: usize, values: usize) -> String {
    let mut list = String::with_capacity(rows * (6 * values + 8));
    let mut place = 2;
    for row in 0..rows {
        list.push_str(if row == 0 { "(" } else { ", (" });
        for _value in 0..values {
            // Writing to a string cannot fail.
            let _infallible = write!(list, "?{place}, ");
            place += 1;
        }
        list.push_str("?1)");
    }
    list
}

/// `?first, ?first+1, …`.
pub(crate) fn placeholders(first: usize, count: usize) -> String {
    let list: Vec<String> = (first..first + count).map(|place| format!("?{place}")).collect();
    list.join(", ")
}

/// Some of many items, whose ids fill a list of placeholders.
pub(crate) struct Chunk<'a, T> {
    pub(crate) items: &'a mut [T],
    /// Placeholders in the list. Few different numbers mean few different statements to prepare.
    pub(crate) padded: usize,
}

impl<T> Chunk<'_, T> {
    /// Repeats the last value until the list is full, which does not change what is found.
    pub(crate) fn pad(&self, values: &mut Vec<Value<'_>>) {
        if let Some(last) = values.last().cloned() {
            values.resize(self.padded, last);
        }
    }
}

/// Splits items into chunks of at most 100, with lists of 1, 10 or 100 placeholders.
pub(crate) fn chunks<T>(items: &mut [T]) -> impl Iterator<Item = Chunk<'_, T>> {
    items.chunks_mut(100).map(|items| {
        let padded = match items.len() {
            0 | 1 => 1,
            2..=10 => 10,
            _ => 100,
        };
        Chunk { items, padded }
    })
}
