//! Columns out of what an engine answered.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, PrimitiveArray, RecordBatch};
use arrow_schema::DataType;
use trainyard_drift::Column;

use crate::counts::Counts;
use crate::error::Result;
use crate::limits::POINTS;
use crate::session::Session;
use crate::shape::Shape;
use crate::statements::{shares, shares_of};

/// The columns that were asked about together, of the answer to [`crate::statements::values`].
pub(crate) fn counted(
    session: &Session<'_>,
    shapes: &[&Shape],
    batches: &[RecordBatch],
) -> Result<Vec<Column>> {
    let every = |index: usize| -> Result<ArrayRef> {
        let pieces: Vec<ArrayRef> = batches
            .iter()
            .filter(|batch| batch.num_columns() > index)
            .map(|batch| Arc::clone(batch.column(index)))
            .collect();
        together(session, &pieces)
    };
    let counts = session.whole(VALUES, every(2 * shapes.len())?.as_ref())?;
    shapes
        .iter()
        .enumerate()
        .map(|(index, shape)| {
            let grouping = session.whole(VALUES, every(index)?.as_ref())?;
            let is_of_column: BooleanArray =
                grouping.iter().map(|grouping| Some(grouping == Some(0))).collect();
            let chosen = |array: &dyn Array| {
                arrow_select::filter::filter(array, &is_of_column)
                    .map_err(|error| session.answer(VALUES, error.to_string()))
            };
            let values = chosen(every(shapes.len() + index)?.as_ref())?;
            let values = as_type(session, shape, &values)?;
            let counts = chosen(&counts)?;
            let counts = session.whole(VALUES, counts.as_ref())?;
            Ok(Column::counted(values.as_ref(), &numbers(&counts), 0))
        })
        .collect()
}

/// A column at a place of the answer to [`crate::statements::quantiles`], with its values that are not finite.
pub(crate) fn quantised(
    session: &Session<'_>,
    shape: &Shape,
    batches: &[RecordBatch],
    place: usize,
    known: &Counts,
    missing: u64,
) -> Result<Column> {
    let [low, high] = known.infinite;
    let pieces: Vec<ArrayRef> = batches
        .iter()
        .filter(|batch| batch.num_columns() > place)
        .map(|batch| Arc::clone(batch.column(place)))
        .collect();
    let values = as_type(session, shape, &together(session, &pieces)?)?;
    let mut counts = shares(known.finite());
    if values.len() != counts.len() {
        let reason = format!("{} quantiles, not {}", values.len(), counts.len());
        return Err(session.answer(QUANTILES, reason));
    }
    if low + high == 0 {
        return Ok(Column::counted(values.as_ref(), &counts, missing));
    }
    let infinities: ArrayRef = Arc::new(Float64Array::from(vec![f64::NEG_INFINITY, f64::INFINITY]));
    let infinities = as_type(session, shape, &infinities)?;
    counts.extend([low, high]);
    let values = together(session, &[values, infinities])?;
    Ok(Column::counted(values.as_ref(), &counts, missing))
}

/// The smallest and the largest value of a column at a place of the answer to [`crate::statements::ends`].
pub(crate) fn ends(
    session: &Session<'_>,
    shape: &Shape,
    batches: &[RecordBatch],
    place: usize,
) -> Result<[ArrayRef; 2]> {
    let batch = batches.iter().find(|batch| batch.num_rows() > 0);
    let batch = batch.filter(|batch| batch.num_columns() > 2 * place + 1);
    let Some(batch) = batch else {
        return Err(session.answer(ENDS, "no row".to_owned()));
    };
    let of = |index: usize| as_type(session, shape, &batch.column(index).slice(0, 1));
    Ok([of(2 * place)?, of(2 * place + 1)?])
}

/// A column at a place of the answer to [`crate::statements::sampled`], between its ends, and how many of its values were drawn.
pub(crate) fn sampled(
    session: &Session<'_>,
    shape: &Shape,
    batches: &[RecordBatch],
    place: usize,
    [smallest, largest]: [ArrayRef; 2],
    missing: u64,
) -> Result<(Column, u64)> {
    let wrong = |reason: String| session.answer(QUANTILES, reason);
    let (mut pieces, mut drawn) = (vec![smallest], 0);
    for batch in batches.iter().filter(|batch| batch.num_columns() > 0) {
        if batch.num_columns() != 3 {
            return Err(wrong(format!("{} columns, not 3", batch.num_columns())));
        }
        let of_column = session.whole(QUANTILES, batch.column(0).as_ref())?;
        let is_of_column: BooleanArray =
            of_column.iter().map(|found| Some(found == Some(place as i64))).collect();
        let chosen = |array: &ArrayRef| {
            arrow_select::filter::filter(array, &is_of_column)
                .map_err(|error| wrong(error.to_string()))
        };
        let counts = chosen(batch.column(2))?;
        let counts = numbers(&session.whole(QUANTILES, counts.as_ref())?);
        drawn = counts.first().copied().unwrap_or(drawn);
        if counts.iter().any(|count| *count != drawn) {
            return Err(wrong(format!("two counts of the values of {:?}", shape.name)));
        }
        pieces.push(as_type(session, shape, &chosen(batch.column(1))?)?);
    }
    let found: usize = pieces.iter().skip(1).map(Array::len).sum();
    if found as u64 != drawn.min(POINTS as u64) {
        return Err(wrong(format!("{found} of {drawn} values of {:?}", shape.name)));
    }
    pieces.push(largest);
    // Each end is one value of all rows, and takes the place of one that was drawn.
    let mut counts = vec![1];
    counts.extend(shares_of(drawn.saturating_sub(2), found));
    counts.truncate(found + 1);
    counts.push(1);
    let values = together(session, &pieces)?;
    if values.null_count() > 0 {
        return Err(wrong(format!("{:?} has no values", shape.name)));
    }
    Ok((Column::counted(values.as_ref(), &counts, missing), drawn))
}

/// What statements ask, as errors say it.
pub(crate) const ENDS: &str = "the smallest and the largest values";
pub(crate) const VALUES: &str = "how often values stand";
pub(crate) const QUANTILES: &str = "quantiles";

fn numbers(counts: &PrimitiveArray<Int64Type>) -> Vec<u64> {
    counts.iter().map(|count| count.unwrap_or(0).max(0) as u64).collect()
}

fn together(session: &Session<'_>, pieces: &[ArrayRef]) -> Result<ArrayRef> {
    let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
    if pieces.is_empty() {
        return Ok(arrow_array::new_empty_array(&DataType::Int64));
    }
    arrow_select::concat::concat(&pieces).map_err(|error| session.answer(VALUES, error.to_string()))
}

/// Values in the type of their column: some drivers write numbers as text, or guess types by what comes first.
fn as_type(session: &Session<'_>, shape: &Shape, values: &ArrayRef) -> Result<ArrayRef> {
    if *values.data_type() == shape.data_type {
        return Ok(Arc::clone(values));
    }
    let wrong =
        |reason: String| session.answer(VALUES, format!("column {:?}: {reason}", shape.name));
    if values.is_empty() {
        return Ok(arrow_array::new_empty_array(&shape.data_type));
    }
    let nulls = values.null_count();
    let cast =
        arrow_cast::cast(values, &shape.data_type).map_err(|error| wrong(error.to_string()))?;
    // NaN is the one text that is no number and may stand in a column of numbers; a number that does not fit is not missing.
    let lost = cast.null_count() - nulls;
    if lost > usize::from(values.data_type().is_string()) {
        let (from, to) = (values.data_type(), &shape.data_type);
        return Err(wrong(format!("{lost} values of {from} are no {to}")));
    }
    Ok(cast)
}
