//! What is kept of the rows of one version in one hour.
//!
//! Columns of few values are exact counts. Of others there are so many quantiles; two parts put together have the worse
//! rank error of both, and each time quantiles are made of quantiles it grows by that of one. What stands in few rows is in
//! none ([`super::disclosure`]).

use std::collections::{BTreeMap, BTreeSet};

use trainyard_drift::{Column, Profile};

/// Distinct numbers that are kept of a column, each for an equal share of the rows: ranks are right to one share.
pub(super) const POINTS: usize = 256;

/// Distinct labels that are kept of a column; one with more is left out: these are texts or ids, not labels, and
/// neither should outlive its rows.
pub(super) const LABELS_MAX: u64 = 1000;
/// Bytes of a label at most: a longer one is a text, of which a quiet hour has few.
pub(super) const LABEL_BYTES_MAX: usize = 256;

/// Which rows: the hour (milliseconds since 1970), the model and the version that answered.
pub(super) type Key = (i64, String, String);

/// What is kept of some rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) key: Key,
    pub(super) rows: u64,
    /// The times of its rows in milliseconds, added up (wrapping).
    pub(super) time_sum: i64,
    /// By how many shares of [`POINTS`] ranks may be wrong: quantiles were made so often on the way here.
    pub(super) folds: u32,
    /// Columns that are not kept.
    pub(super) left_out: BTreeSet<String>,
    /// Values of a column that are withheld and missing in it; of the others all are there.
    pub(super) withheld: BTreeMap<String, u64>,
    /// By how many rows ranks of a column may be wrong, as its numbers are means; others have the numbers that came.
    pub(super) averaged: BTreeMap<String, u64>,
    pub(super) profile: Profile,
}

impl Part {
    /// This part and further rows of it.
    pub(super) fn folded(&self, further: &Self) -> Self {
        let mut left_out: BTreeSet<String> =
            self.left_out.union(&further.left_out).cloned().collect();
        let names = |part: &Self| {
            part.profile.columns().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        let mut all = names(self);
        all.extend(names(further).into_iter().filter(|name| self.profile.column(name).is_none()));
        all.retain(|name| !left_out.contains(name));
        let mut columns = Vec::with_capacity(all.len());
        for name in all {
            let merged = match (self.profile.column(&name), further.profile.column(&name)) {
                (Some(one), Some(other)) => one.merged(other),
                (Some(one), None) => Some(one.clone().with_missing(further.rows)),
                (None, Some(other)) => Some(other.clone().with_missing(self.rows)),
                (None, None) => None,
            };
            match merged.as_ref().and_then(short) {
                Some(column) => columns.push((name, column)),
                None => {
                    left_out.insert(name);
                }
            }
        }
        let together = |of: fn(&Self) -> &BTreeMap<String, u64>| {
            let mut all = of(self).clone();
            for (name, rows) in of(further) {
                *all.entry(name.clone()).or_default() += rows;
            }
            all.retain(|name, _| !left_out.contains(name));
            all
        };
        let withheld = together(|part| &part.withheld);
        let averaged = together(|part| &part.averaged);
        let rows = self.rows + further.rows;
        Self {
            key: self.key.clone(),
            rows,
            time_sum: self.time_sum.wrapping_add(further.time_sum),
            folds: self.folds.max(further.folds) + 1,
            left_out,
            withheld,
            averaged,
            profile: Profile::from_columns(rows, columns),
        }
    }
}

/// What is kept of a column; none of one that is left out.
pub(super) fn short(column: &Column) -> Option<Column> {
    if column.trouble().is_some() {
        return None;
    }
    let short = column.quantised(POINTS);
    (short.distinct() <= LABELS_MAX).then_some(short)
}
