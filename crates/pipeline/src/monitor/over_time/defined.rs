//! Numbers that a project defines (`[monitor.metrics]`), computed of the rows of each window and beside it of the reference's.
//! Windows of which rows are gone have none: summaries know columns, and not which values stand in one row.

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

/// The metrics of a project, by name.
pub(super) struct Defined(Vec<(String, Metric)>);

/// What one of them is in one window.
struct Computed {
    place: usize,
    value: std::result::Result<Option<f64>, String>,
    reference: Option<f64>,
}

impl Defined {
    pub(super) fn of(settings: &Settings) -> Result<Self> {
        let one = |(name, text): (&String, &String)| Ok((name.clone(), text.parse()?));
        Ok(Self(settings.metrics.iter().map(one).collect::<Result<_>>()?))
    }

    /// Adds what they are to the results of these windows, of a part of the data if one is named. A metric that cannot be
    /// computed, as a column is gone, is said to be so, and keeps nothing else from being looked at.
    pub(super) fn add<'a>(
        &self,
        sides: &Sides,
        placed: &Placed,
        segment: Option<&str>,
        results: impl Iterator<Item = (usize, &'a mut WindowResult)>,
    ) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut of_rows: Vec<(usize, &mut WindowResult)> = Vec::new();
        for (place, result) in results {
            if placed.has_rows(place) {
                of_rows.push((place, result));
            } else if segment.is_none() {
                result.remarks.push(NO_ROWS.to_owned());
            }
        }
        if of_rows.is_empty() {
            return Ok(());
        }
        for (name, metric) in &self.0 {
            let places: Vec<usize> = of_rows.iter().map(|(place, _)| *place).collect();
            for Computed { place, value, reference } in values(metric, sides, placed, &places)? {
                let Some((_, result)) = of_rows.iter_mut().find(|(at, _)| *at == place) else {
                    continue;
                };
                match (value, segment) {
                    (Ok(Some(value)), segment) => {
                        let measure = Measure::new(About::Data, name, value).beside(reference);
                        result.extend([match segment {
                            Some(segment) => measure.of_segment(segment),
                            None => measure,
                        }]);
                    }
                    // Of the whole it is said, too, and a part may have no rows with a value.
                    (_, Some(_)) => {}
                    (Ok(None), None) => {
                        let why = "no row has a value, or it is divided by zero";
                        result.remarks.push(format!("{name} is not known: {why}"));
                    }
                    (Err(reason), None) => {
                        result.remarks.push(format!("{name} is not known: {reason}"));
                    }
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
