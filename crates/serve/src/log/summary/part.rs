//! What is kept of the rows of one version in one hour, or one day.
//!
//! Columns of few values are exact counts. Of others there are so many quantiles; two parts put together have the worse
//! rank error of both, and each time quantiles are made of quantiles it grows by that of one. What stands in few rows is in
//! none ([`super::disclosure`]).

use std::collections::{BTreeMap, BTreeSet};

use trainyard_drift::{Column, Profile, Suppressed};

/// Distinct numbers that are kept of a column, each for an equal share of the rows: ranks are right to one share.
pub(super) const POINTS: usize = 256;

/// Distinct labels that are kept of a column: the most frequent. One of which these are too little is left out: these are
/// texts or ids, not labels, and neither should outlive its rows.
pub(super) const LABELS_MAX: usize = 1000;
/// Bytes of a label at most: a longer one is a text, of which a quiet hour has few.
pub(super) const LABEL_BYTES_MAX: usize = 256;

/// Bytes that a column of a part takes in memory at most: those of its labels, with where each ends and how often it is.
pub(super) const COLUMN_BYTES_MAX: usize = LABELS_MAX * (LABEL_BYTES_MAX + 16);

/// Of a column one value in so many may be withheld because there are too many labels; what has more of them are texts or ids.
const TAIL_PART: u64 = 100;

/// Which rows: when the hour or day begins (milliseconds since 1970), the model and the version that answered.
pub(super) type Key = (i64, String, String);

/// What is kept of some rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) key: Key,
    /// Milliseconds of the time that it is of.
    pub(super) length_ms: i64,
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
    /// Parts of the same hour or day as one; none of no parts. Quantiles are made once of all of them, so ranks are wrong by
    /// one share more than those of the worst of them.
    pub(super) fn together(key: Key, length_ms: i64, parts: &[Self]) -> Option<Self> {
        let mut left_out: BTreeSet<String> =
            parts.iter().flat_map(|part| part.left_out.iter().cloned()).collect();
        let rows: u64 = parts.iter().map(|part| part.rows).sum();
        let counts = |of: fn(&Self) -> &BTreeMap<String, u64>| {
            let mut all = BTreeMap::<String, u64>::new();
            for (name, rows) in parts.iter().flat_map(of) {
                *all.entry(name.clone()).or_default() += rows;
            }
            all
        };
        let mut withheld = counts(|part| &part.withheld);
        let mut averaged = counts(|part| &part.averaged);
        let (mut names, mut known) = (Vec::new(), BTreeSet::new());
        for (name, _) in parts.iter().flat_map(|part| part.profile.columns()) {
            if known.insert(name) && !left_out.contains(name) {
                names.push(name.clone());
            }
        }
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let whole = Profile::column_of_all(&name, parts.iter().map(|part| &part.profile));
            match whole.as_ref().and_then(short) {
                Some(Short { column, tail }) => {
                    if tail > 0 {
                        *withheld.entry(name.clone()).or_default() += tail;
                    }
                    columns.push((name, column));
                }
                None => {
                    left_out.insert(name);
                }
            }
        }
        withheld.retain(|name, _| !left_out.contains(name));
        averaged.retain(|name, _| !left_out.contains(name));
        Some(Self {
            key,
            length_ms,
            rows,
            time_sum: parts.iter().fold(0, |sum, part| sum.wrapping_add(part.time_sum)),
            folds: parts.iter().map(|part| part.folds).max()?.saturating_add(1),
            left_out,
            withheld,
            averaged,
            profile: Profile::from_columns(rows, columns),
        })
    }

    /// This part with further columns of the same rows.
    pub(super) fn with_columns_of(mut self, other: Self) -> Self {
        self.left_out.extend(other.left_out);
        self.withheld.extend(other.withheld);
        self.averaged.extend(other.averaged);
        let columns = [self.profile.columns(), other.profile.columns()].concat();
        Self { profile: Profile::from_columns(self.rows, columns), ..self }
    }
}

/// What is kept of a column.
pub(super) struct Short {
    pub(super) column: Column,
    /// Values of labels that are too many; they are missing in it.
    pub(super) tail: u64,
}

/// What is kept of a column; none of one that is left out.
pub(super) fn short(column: &Column) -> Option<Short> {
    if column.trouble().is_some() {
        return None;
    }
    let Suppressed { column: short, withheld: tail, .. } =
        column.quantised(POINTS).most_frequent(LABELS_MAX, usize::MAX);
    (!is_text(tail, column.len())).then_some(Short { column: short, tail })
}

/// Whether a column of so many values, of which so many have other labels than the most frequent ones, holds texts or ids.
pub(super) fn is_text(tail: u64, values: u64) -> bool {
    tail.saturating_mul(TAIL_PART) > values
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, StringArray};

    use super::*;

    fn part(rows: &[f64], labels: &[String]) -> Part {
        let columns = vec![
            ("x".to_owned(), Column::new(&[&Float64Array::from(rows.to_vec())])),
            ("label".to_owned(), Column::new(&[&StringArray::from_iter_values(labels)])),
        ];
        Part {
            key: (0, "m".to_owned(), "1".to_owned()),
            length_ms: 1,
            rows: rows.len() as u64,
            time_sum: 7,
            folds: 1,
            left_out: BTreeSet::new(),
            withheld: BTreeMap::from([("x".to_owned(), 2)]),
            averaged: BTreeMap::new(),
            profile: Profile::from_columns(rows.len() as u64, columns),
        }
    }

    #[test]
    fn many_parts_are_one_with_the_rank_error_of_one_step_more() {
        let hour = |hour: i64| -> Vec<f64> {
            (0..1000).map(|row| f64::from(row * 7919 % 1009) + hour as f64).collect()
        };
        let label = vec!["a".to_owned(); 1000];
        let parts: Vec<Part> = (0..24).map(|number| part(&hour(number), &label)).collect();
        let day = Part::together(parts[0].key.clone(), 24, &parts).unwrap();
        assert_eq!((day.rows, day.time_sum, day.folds, day.length_ms), (24_000, 24 * 7, 2, 24));
        assert_eq!(day.withheld, BTreeMap::from([("x".to_owned(), 48)]));
        let x = day.profile.column("x").unwrap();
        assert!(x.distinct() <= POINTS as u64);
        let all: Vec<f64> = (0..24).flat_map(hour).collect();
        for bound in (0..1040).step_by(13) {
            let exact = all.iter().filter(|value| **value < f64::from(bound)).count() as f64;
            let about = x.count_between(-1.0, f64::from(bound)) as f64;
            assert!((exact - about).abs() <= 24_000.0 / POINTS as f64 + 1.0, "{bound}");
        }
        assert!(Part::together(parts[0].key.clone(), 24, &[]).is_none());
    }

    #[test]
    fn of_many_labels_the_most_frequent_stay_and_texts_do_not() {
        let often = |hour: usize| (0..20_000).map(move |row| format!("{hour}-{}", row % 60));
        let labels = |hour: usize, tail: usize| -> Vec<String> {
            often(hour).chain((0..tail).map(|row| format!("rare {hour} {row}"))).collect()
        };
        let day = |tail: usize| {
            let parts: Vec<Part> = (0..24)
                .map(|hour| {
                    let labels = labels(hour, tail);
                    part(&vec![1.0; labels.len()], &labels)
                })
                .collect();
            Part::together(parts[0].key.clone(), 24, &parts).unwrap()
        };
        // 60 labels an hour are 1,440 a day.
        assert_eq!(day(0).left_out.iter().collect::<Vec<_>>(), ["label"]);
        let parts =
            [part(&vec![1.0; 20_100], &labels(1, 100)), part(&vec![1.0; 20_100], &labels(1, 100))];
        let two = Part::together(parts[0].key.clone(), 2, &parts).unwrap();
        assert!(two.left_out.is_empty());
        // Of 1,110 labels there is room for 1,000: those that are left out stand in one row each.
        let wide: Vec<String> = often(1)
            .chain((0..150).map(|row| format!("{row}")))
            .chain((0..900).map(|row| format!("b{row}")))
            .collect();
        let wide = part(&vec![1.0; wide.len()], &wide);
        let kept = Part::together(wide.key.clone(), 1, std::slice::from_ref(&wide)).unwrap();
        assert_eq!(kept.withheld["label"], 110);
        let label = kept.profile.column("label").unwrap();
        assert_eq!((label.distinct() as usize, label.missing()), (LABELS_MAX, 110));
    }
}
