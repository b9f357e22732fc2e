//! Rows of one table that were read: what was answered, which parts they belong to, what the model saw.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use trainyard_data::{Columns, RowFilter};
use trainyard_quality::Feature;

use super::answers::{Answers, Roles};
use super::columns::{arrow, feature, gather, texts};
use crate::Result;

/// Different values of a column that are counted; beyond them it is no column of parts.
const VALUES_MAX: usize = 10_000;
/// Parts of a column that are judged, those with the most predictions.
const PARTS_MAX: usize = 20;

/// Rows of a table.
#[derive(Debug)]
pub(super) struct Rows {
    /// Where they are in the table, rising.
    pub(super) positions: Vec<u32>,
    pub(super) answers: Answers,
    /// For each column of parts the value of each row; empty where the table has no such column.
    parts: Vec<Vec<Option<String>>>,
    /// For each segment whether each row is of it; empty where the table lacks a column that it is told by.
    segments: Vec<Vec<bool>>,
    /// What the model saw; empty where that was not asked for.
    pub(super) features: Vec<Feature>,
}

/// What is read of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) columns: &'a Columns,
    /// Its name for people.
    pub(super) source: &'a str,
    pub(super) roles: &'a Roles,
    /// Columns of parts.
    pub(super) parts: &'a [String],
    /// Conditions of segments.
    pub(super) segments: &'a [String],
    /// Columns of what the model saw.
    pub(super) inputs: &'a [String],
}

impl Rows {
    /// Reads these rows; those without an answer, or where one is given without a truth, are left out.
    pub(super) fn read(
        asked: Asked<'_>,
        positions: &[u32],
        truth: Option<Vec<String>>,
    ) -> Result<Self> {
        let Asked { columns, source, roles, parts, segments, inputs } = asked;
        let (answers, rows) = Answers::read(columns, source, roles, positions, truth)?;
        let kept: Vec<u32> = rows.into_iter().map(|row| positions[row]).collect();
        let mut of_parts = Vec::with_capacity(parts.len());
        for name in parts {
            of_parts.push(match gather(columns, name, &kept)? {
                Some(values) => texts(&values)?,
                None => Vec::new(),
            });
        }
        let of_segment = |condition: &String| of_segment(columns, condition, &kept);
        let segments = segments.iter().map(of_segment).collect::<Result<_>>()?;
        let mut features = Vec::with_capacity(inputs.len());
        for name in inputs {
            let values = gather(columns, name, &kept)?;
            let found = values.as_ref().map(feature).transpose()?.flatten();
            // A column of another sort is seen when both sides are held together.
            features.push(found.unwrap_or_else(|| Feature::Labels(vec![None; kept.len()])));
        }
        Ok(Self { positions: kept, answers, parts: of_parts, segments, features })
    }

    /// The rows of a part; none where the table has no such column, or the part no rows.
    pub(super) fn part(&self, column: usize, value: &str) -> Option<Self> {
        let rows: Vec<usize> =
            (0..self.positions.len()).filter(|row| self.is_of_part(*row, column, value)).collect();
        (!rows.is_empty()).then(|| self.of(&rows))
    }

    /// Whether a row is of a part.
    pub(super) fn is_of_part(&self, row: usize, column: usize, value: &str) -> bool {
        self.value(column, row) == Some(value)
    }

    /// Whether a row is of a segment, by its place among the conditions.
    pub(super) fn is_of_segment(&self, row: usize, segment: usize) -> bool {
        self.segments.get(segment).and_then(|rows| rows.get(row)).is_some_and(|is_of| *is_of)
    }

    /// The rows of a segment; none where it has none.
    pub(super) fn segment(&self, segment: usize) -> Option<Self> {
        let rows: Vec<usize> =
            (0..self.positions.len()).filter(|row| self.is_of_segment(*row, segment)).collect();
        (!rows.is_empty()).then(|| self.of(&rows))
    }

    /// Some of the rows, by their places among these, which rise.
    pub(super) fn of(&self, rows: &[usize]) -> Self {
        fn some<Value: Clone>(values: &[Value], rows: &[usize]) -> Vec<Value> {
            rows.iter().filter_map(|row| values.get(*row)).cloned().collect()
        }
        Self {
            positions: rows.iter().map(|row| self.positions[*row]).collect(),
            answers: self.answers.part(rows),
            parts: self.parts.iter().map(|values| some(values, rows)).collect(),
            segments: self.segments.iter().map(|values| some(values, rows)).collect(),
            features: self.features.iter().map(|feature| part_of(feature, rows)).collect(),
        }
    }

    /// The value of a row in a column of parts.
    pub(super) fn value(&self, column: usize, row: usize) -> Option<&str> {
        self.parts.get(column)?.get(row)?.as_deref()
    }
}

/// Of each of these rows of a table whether it satisfies a condition; nothing where the table lacks a column that it names.
pub(super) fn of_segment(
    columns: &Columns,
    condition: &str,
    positions: &[u32],
) -> Result<Vec<bool>> {
    let filter = RowFilter { conditions: vec![condition.to_owned()], ..RowFilter::default() };
    let mut arrays = Vec::new();
    for name in filter.columns()? {
        let Some(array) = gather(columns, &name, positions)? else { return Ok(Vec::new()) };
        arrays.push((name, array));
    }
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let rows = RecordBatch::try_from_iter(arrays).map_err(arrow)?;
    Ok(filter.kept(&rows)?.iter().map(|is_of| is_of == Some(true)).collect())
}

fn part_of(feature: &Feature, rows: &[usize]) -> Feature {
    match feature {
        Feature::Numbers(values) => Feature::Numbers(rows.iter().map(|row| values[*row]).collect()),
        Feature::Labels(values) => {
            Feature::Labels(rows.iter().map(|row| values[*row].clone()).collect())
        }
    }
}

/// The parts that a column makes, with their numbers of rows, the largest first; none where the column has too many
/// values, or is not there.
pub(super) fn parts_of(columns: &Columns, name: &str) -> Result<Vec<(String, u64)>> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut failed = None;
    columns.for_each_piece(name, |piece| {
        if failed.is_some() || counts.len() > VALUES_MAX {
            return;
        }
        match texts(&piece) {
            Ok(values) => {
                for value in values.into_iter().flatten() {
                    *counts.entry(value).or_default() += 1;
                }
            }
            Err(error) => failed = Some(error),
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if counts.len() > VALUES_MAX {
        return Ok(Vec::new());
    }
    let mut parts: Vec<(String, u64)> = counts.into_iter().collect();
    parts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    parts.truncate(PARTS_MAX);
    Ok(parts)
}
