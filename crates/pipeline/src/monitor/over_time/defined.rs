//! Numbers that a project defines (`[monitor.metrics]`), computed of the rows of each window and beside it of the reference's.
//! Windows of which rows are gone have none: summaries know columns, and not which values stand in one row.

use std::collections::BTreeSet;

use arrow_array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_select::concat::concat;
use trainyard_data::Metric;
use trainyard_data::arrow_schema::{ArrowError, Field, Schema};
use trainyard_drift::{About, Measure, WindowResult};

use super::super::comparison::Sides;
use super::super::settings::Settings;
use super::super::source::Data;
use super::rows::Placed;
use crate::Result;

/// What is said of windows of summaries, and of those in an engine.
const NO_ROWS: &str =
    "what [monitor.metrics] defines is not known: it is of rows, which are not here";

/// What is said where there is nothing to compute of.
const NO_VALUE: &str = "no row has a value, or it is divided by zero";

/// What is said where a rule needs what is not there.
const NO_REFERENCE: &str = "of the reference is not known, which has no rows, lacks a column or has no value, and a rule is relative to it";

/// The metrics of a project that are of columns alone, by name.
pub(super) struct Defined {
    metrics: Vec<(String, Metric)>,
    /// Those of them that a rule holds to the reference.
    relative: BTreeSet<String>,
}

/// What one of them is in one window.
struct Computed {
    place: usize,
    value: std::result::Result<Option<f64>, String>,
    reference: Option<f64>,
}

impl Defined {
    /// All but those of what was true, which are known once labels came ([`super::judged`]).
    pub(super) fn of(settings: &Settings, of_labels: &[(String, Metric)]) -> Result<Self> {
        let is_of_columns = |name: &str| of_labels.iter().all(|(other, _)| other != name);
        let relative = settings.relative_metrics();
        let mut metrics = settings.parsed_metrics()?;
        metrics.retain(|(name, _)| is_of_columns(name));
        Ok(Self { metrics, relative })
    }

    /// Adds what they are to the results of these windows, of a part of the data if one is named. A metric that cannot be
    /// computed, as a column is gone, is said to be so, is told, and keeps nothing else from being looked at.
    pub(super) fn add<'a>(
        &self,
        sides: &Sides,
        placed: &Placed,
        segment: Option<&str>,
        results: impl Iterator<Item = (usize, &'a mut WindowResult)>,
    ) -> Result<()> {
        if self.metrics.is_empty() {
            return Ok(());
        }
        let mut of_rows: Vec<(usize, &mut WindowResult)> = Vec::new();
        for (place, result) in results {
            if placed.has_rows(place) {
                of_rows.push((place, result));
            } else if segment.is_none() {
                result.doubt(NO_ROWS.to_owned());
                // It is so as long as rows go before they are looked at: nobody is told each time.
                result.extend(self.metrics.iter().map(|(name, _)| Measure {
                    is_alarming: None,
                    ..Measure::unknown(About::Data, name, true)
                }));
            }
        }
        if of_rows.is_empty() {
            return Ok(());
        }
        for (name, metric) in &self.metrics {
            let places: Vec<usize> = of_rows.iter().map(|(place, _)| *place).collect();
            for Computed { place, value, reference } in values(metric, sides, placed, &places)? {
                let Some((_, result)) = of_rows.iter_mut().find(|(at, _)| *at == place) else {
                    continue;
                };
                let Some(segment) = segment else {
                    let why = match value {
                        Ok(Some(_)) if reference.is_none() && self.relative.contains(name) => {
                            Some(format!("{name} {NO_REFERENCE}"))
                        }
                        Ok(Some(_)) => None,
                        Ok(None) => Some(format!("{name} is not known: {NO_VALUE}")),
                        Err(ref reason) => Some(format!("{name} is not known: {reason}")),
                    };
                    let unknown = Measure::unknown(About::Data, name, why.is_some());
                    if let Some(why) = why {
                        result.doubt(why);
                    }
                    let known = value.ok().flatten();
                    let known = known.map(|value| Measure::new(About::Data, name, value));
                    let known = known.map(|measure| measure.beside(reference));
                    result.extend(known.into_iter().chain([unknown]));
                    continue;
                };
                // Of the whole it is said, too, where it is not known, and a part may have no rows with a value.
                if let Ok(Some(value)) = value {
                    let measure = Measure::new(About::Data, name, value).beside(reference);
                    result.extend([measure.of_segment(segment)]);
                }
            }
        }
        Ok(())
    }
}

fn values(
    metric: &Metric,
    sides: &Sides,
    placed: &Placed,
    places: &[usize],
) -> Result<Vec<Computed>> {
    // One that only the other side has is a column, too, and not a text.
    let names = [sides.current.names(), sides.reference.names()].concat();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let columns = metric.columns_of(&names);
    let mut gone = None;
    // Of each column the rows of each window.
    let mut parts: Vec<Vec<Vec<ArrayRef>>> =
        placed.windows.iter().map(|_| vec![Vec::new(); columns.len()]).collect();
    for (number, column) in columns.iter().enumerate() {
        let is_there = placed.for_each_part(&sides.current, column, |place, part| {
            parts[place][number].push(part);
        })?;
        if !is_there {
            gone = Some(format!("there is no column {column:?}"));
        }
    }
    let reference = of_reference(metric, &columns, &sides.reference);
    let value = |place: &usize| {
        let rows = placed.windows[*place].rows as usize;
        let value = match &gone {
            Some(gone) => Err(gone.clone()),
            None => batch(&columns, &parts[*place], rows)
                .map_err(|error| error.to_string())
                .and_then(|rows| metric.value(&rows).map_err(|error| error.to_string())),
        };
        Computed { place: *place, value, reference }
    };
    Ok(places.iter().map(value).collect())
}

/// What it is of the reference; nothing where that lacks one of these columns, or has no rows any more.
fn of_reference(metric: &Metric, columns: &[String], reference: &Data) -> Option<f64> {
    if reference.profile().is_some() {
        return None;
    }
    let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); columns.len()];
    for (column, parts) in columns.iter().zip(&mut parts) {
        if !reference.for_each_piece(column, |piece| parts.push(piece)).ok()? {
            return None;
        }
    }
    let rows = batch(columns, &parts, reference.rows() as usize).ok()?;
    metric.value(&rows).ok().flatten()
}

/// Columns that are there, as one table.
fn batch(
    names: &[String],
    columns: &[Vec<ArrayRef>],
    rows: usize,
) -> std::result::Result<RecordBatch, ArrowError> {
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (name, pieces) in names.iter().zip(columns) {
        let pieces: Vec<&dyn arrow_array::Array> = pieces.iter().map(AsRef::as_ref).collect();
        if pieces.is_empty() {
            continue;
        }
        let array = concat(&pieces)?;
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Schema::new(fields).into(), arrays, &options)
}
