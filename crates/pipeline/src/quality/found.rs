//! Rows of one table that were read: what was answered, which parts they belong to, what the model saw.

use std::collections::BTreeMap;

use trainyard_data::Columns;
use trainyard_quality::Feature;

use super::answers::{Answers, Roles};
use super::columns::{feature, gather, texts};
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
        let Asked { columns, source, roles, parts, inputs } = asked;
        let (answers, rows) = Answers::read(columns, source, roles, positions, truth)?;
        let kept: Vec<u32> = rows.into_iter().map(|row| positions[row]).collect();
        let mut of_parts = Vec::with_capacity(parts.len());
        for name in parts {
            of_parts.push(match gather(columns, name, &kept)? {
                Some(values) => texts(&values)?,
                None => Vec::new(),
            });
        }
        let mut features = Vec::with_capacity(inputs.len());
        for name in inputs {
            let values = gather(columns, name, &kept)?;
            let found = values.as_ref().map(feature).transpose()?.flatten();
            // A column of another sort is seen when both sides are held together.
            features.push(found.unwrap_or_else(|| Feature::Labels(vec![None; kept.len()])));
        }
        Ok(Self { positions: kept, answers, parts: of_parts, features })
    }

    /// The rows of a part; none where the table has no such column, or the part no rows.
    pub(super) fn part(&self, column: usize, value: &str) -> Option<Self> {
        let values = self.parts.get(column)?;
        let is_of_part = |row: &usize| values[*row].as_deref() == Some(value);
        let rows: Vec<usize> = (0..values.len()).filter(is_of_part).collect();
        if rows.is_empty() {
            return None;
        }
        Some(self.of(&rows))
    }

    /// Some of the rows, by their places among these, which rise.
    pub(super) fn of(&self, rows: &[usize]) -> Self {
        let some = |values: &Vec<Option<String>>| {
            rows.iter().filter_map(|row| values.get(*row)).cloned().collect()
        };
        Self {
            positions: rows.iter().map(|row| self.positions[*row]).collect(),
            answers: self.answers.part(rows),
            parts: self.parts.iter().map(some).collect(),
            features: self.features.iter().map(|feature| part_of(feature, rows)).collect(),
        }
    }

    /// The values of a column of parts.
    pub(super) fn values(&self, column: usize) -> impl Iterator<Item = &str> {
        self.parts.get(column).into_iter().flatten().flatten().map(String::as_str)
    }
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
