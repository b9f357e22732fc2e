//! A dataset read once, to be compared many times or put together from parts.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use rayon::prelude::*;

use crate::column::Column;
use crate::compare::{column_names, compare_columns, conclude};
use crate::kind::{Kind, infer};
use crate::method::{Method, default_method};
use crate::options::Options;
use crate::row_counts::RowCounts;
use crate::verdict::DatasetDrift;

/// Every column of a dataset, sorted or counted. The rows are not needed any more.
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, Float64Array, RecordBatch};
/// use trainyard_drift::{Options, Profile};
///
/// let day = |from: i32| {
///     let values = Float64Array::from_iter_values((from..from + 500).map(f64::from));
///     Profile::new(&RecordBatch::try_from_iter([("x", Arc::new(values) as ArrayRef)]).unwrap())
/// };
/// let january = day(0).merged(&day(500)).unwrap();
/// let options = january.pinned(&Options::default());
/// assert!(january.compare(&day(900), &options).dataset_drift);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    rows: u64,
    columns: Vec<(String, Column)>,
    pins: BTreeMap<String, Pin>,
    row_counts: Option<RowCounts>,
}

/// How a column is compared, decided once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pin {
    /// What the column is; [`Kind::Unknown`] is not compared.
    pub kind: Kind,
    /// Method; none for a column that is not compared.
    pub method: Option<Method>,
    /// Threshold; the method's own if none.
    pub threshold: Option<f64>,
}

impl Profile {
    /// Reads all columns of a table, in parallel.
    pub fn new(batch: &RecordBatch) -> Self {
        let names = batch.schema_ref().fields().iter().map(|field| field.name().clone());
        let arrays: Vec<_> = names.zip(batch.columns()).collect();
        let columns =
            arrays.into_par_iter().map(|(name, array)| (name, Column::new(&[array]))).collect();
        Self::from_columns(batch.num_rows() as u64, columns)
    }

    /// Puts columns together that were read elsewhere.
    pub fn from_columns(rows: u64, columns: Vec<(String, Column)>) -> Self {
        Self { rows, columns, pins: BTreeMap::new(), row_counts: None }
    }

    /// Decides kind, method and threshold of every column by these options and this data alone.
    #[must_use]
    pub fn pin(mut self, options: &Options) -> Self {
        let pinned = self.pinned(options);
        self.pins = self
            .columns
            .iter()
            .map(|(name, column)| {
                let kind = pinned.kinds.get(name).copied().unwrap_or(Kind::Unknown);
                let asked = pinned.method_for(name, kind).map(|(method, _)| method);
                let method = asked.or_else(|| usual_method(column, kind, options));
                let pin = Pin { kind, method, threshold: pinned.threshold_for(name, kind) };
                (name.clone(), pin)
            })
            .collect();
        self
    }

    /// What was decided for each column, by name; empty unless [`Profile::pin`] was called.
    pub fn pins(&self) -> &BTreeMap<String, Pin> {
        &self.pins
    }

    pub(crate) fn with_pins(mut self, pins: BTreeMap<String, Pin>) -> Self {
        self.pins = pins;
        self
    }

    /// How often whole rows occur, if it is known.
    pub fn row_counts(&self) -> Option<&RowCounts> {
        self.row_counts.as_ref()
    }

    /// The profile with how often whole rows occur, which columns do not tell.
    #[must_use]
    pub fn with_row_counts(self, row_counts: Option<RowCounts>) -> Self {
        Self { row_counts, ..self }
    }

    /// The profile with at most this many distinct numbers a column; see [`Column::quantised`].
    #[must_use]
    pub fn quantised(&self, points: usize) -> Self {
        let columns = self
            .columns
            .par_iter()
            .map(|(name, column)| (name.clone(), column.quantised(points)))
            .collect();
        Self { columns, ..self.clone() }
    }

    /// Rows of the dataset.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Names and columns, in order.
    pub fn columns(&self) -> &[(String, Column)] {
        &self.columns
    }

    /// The column of this name; the first one, should there be several.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(other, _)| other == name).map(|(_, column)| column)
    }

    /// This dataset and further rows of it. `None` when the columns are not the same.
    ///
    /// What was decided for a column against its looks stays; what followed from fewer rows is open again. How
    /// often whole rows occur is not known any more.
    pub fn merged(&self, other: &Self) -> Option<Self> {
        if self.columns.len() != other.columns.len() {
            return None;
        }
        let columns = self
            .columns
            .iter()
            .map(|(name, column)| Some((name.clone(), column.merged(other.column(name)?)?)))
            .collect::<Option<Vec<_>>>()?;
        let usual = Self { pins: BTreeMap::new(), ..self.clone() }.pin(&Options::default()).pins;
        let mut pins = self.pins.clone();
        pins.retain(|name, pin| usual.get(name) != Some(pin));
        Some(Self { rows: self.rows + other.rows, columns, pins, row_counts: None })
    }

    /// Compares `current` with this reference.
    pub fn compare(&self, current: &Self, options: &Options) -> DatasetDrift {
        let names = |profile: &Self| {
            profile.columns.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        let (before, after) = (names(self), names(current));
        let wanted = column_names(
            before.iter().map(String::as_str),
            after.iter().map(String::as_str),
            options,
        );
        let columns = wanted
            .par_iter()
            .map(|name| compare_columns(name, self.column(name), current.column(name), options))
            .collect();
        conclude(columns, self.rows, current.rows, options)
    }

    /// The options with what this reference decided for every column (as it was pinned, else as it looks),
    /// where they say nothing. Results of different days can then be compared: nothing becomes a label
    /// because current has ten distinct values today. A method that is the usual one stays open, because
    /// it depends on the values of both sides; so a profile says what its table says.
    pub fn pinned(&self, options: &Options) -> Options {
        let mut pinned = options.clone();
        for (name, column) in &self.columns {
            let pin = self.pins.get(name);
            let kind = *pinned.kinds.entry(name.clone()).or_insert_with(|| {
                pin.map_or_else(|| infer(name, column, options.compat).kind, |pin| pin.kind)
            });
            let Some(pin) = pin else { continue };
            let Some(method) = pin.method else { continue };
            if options.method_for(name, kind).is_some() {
                continue;
            }
            if usual_method(column, kind, options) != Some(method) {
                pinned.per_column_method.insert(name.clone(), method);
            }
            if let Some(threshold) = pin.threshold
                && options.threshold_for(name, kind).is_none()
            {
                pinned.per_column_threshold.insert(name.clone(), threshold);
            }
        }
        pinned
    }
}

/// The method that the default rule chooses by this side alone.
fn usual_method(column: &Column, kind: Kind, options: &Options) -> Option<Method> {
    (kind != Kind::Unknown)
        .then(|| default_method(kind, column.len(), column.distinct(), options.is_evidently()).0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;
    use crate::compare;

    fn table(rows: std::ops::Range<i64>) -> RecordBatch {
        let numbers: ArrayRef =
            Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row * row % 997)));
        let labels: ArrayRef =
            Arc::new(StringArray::from_iter_values(rows.map(|row| format!("label {}", row % 7))));
        RecordBatch::try_from_iter([("number", numbers), ("label", labels)]).unwrap()
    }

    #[test]
    fn parts_put_together_are_the_whole() {
        let parts = Profile::new(&table(0..700)).merged(&Profile::new(&table(700..1500))).unwrap();
        let (whole, current) = (table(0..1500), table(2000..2300));
        let options = Options::default();
        let by_profile = parts.compare(&Profile::new(&current), &options);
        let by_table = compare(&whole, &current, &options);
        assert_eq!(by_profile, by_table);
        let other = RecordBatch::try_from_iter([
            ("number", Arc::clone(whole.column(1))),
            ("label", Arc::clone(whole.column(0))),
        ])
        .unwrap();
        assert_eq!(parts.merged(&Profile::new(&other)), None);
    }

    #[test]
    fn pinned_options_do_not_look_at_current() {
        let reference = Profile::new(&table(0..1500));
        let options = reference.pinned(&Options::default());
        assert_eq!(options.kinds["number"], Kind::Numerical);
        // Six rows of different labels would be text; the reference says they are categories.
        let options = Options { min_samples: Some(1), ..options };
        let drift = reference.compare(&Profile::new(&table(0..6)), &options);
        let label = drift.columns.iter().find(|column| column.name == "label").unwrap();
        assert_eq!(
            (label.kind, label.verdict().unwrap().method),
            (Kind::Categorical, Method::JensenShannon)
        );
    }
}
