//! Training rows and holdout: the same rows for the same table and settings, always.
//!
//! The holdout is the one that scikit-learn's `train_test_split(test_size, random_state=seed,
//! stratify=…)` makes, to the row, so that a project can be compared with a notebook, and a gate
//! can judge the model in production on exactly the rows its successor did not see either.

use arrow_array::{BooleanArray, RecordBatch, UInt64Array};
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;

use crate::column::Column;
use crate::config::{MissingValues, Task, TrainConfig};
use crate::error::nearest;
use crate::random::NumpyRandom;
use crate::target::{self, Target};
use crate::{Error, Result};

/// A table cut in two. Both parts hold the feature columns and, last, the target.
#[derive(Debug, Clone)]
pub struct Split {
    /// Rows to learn from.
    pub train: RecordBatch,
    /// Rows to judge by.
    pub holdout: RecordBatch,
    /// Classification or regression, never [`Task::Auto`].
    pub task: Task,
    /// Rows left out because their target is missing.
    pub without_target: usize,
    /// Rows left out because a feature is missing ([`MissingValues::Drop`]).
    pub incomplete: usize,
}

impl Split {
    /// Names of the feature columns.
    pub fn features(&self) -> Vec<String> {
        let fields = self.train.schema_ref().fields();
        let count = fields.len().saturating_sub(1);
        fields.iter().take(count).map(|field| field.name().clone()).collect()
    }

    /// Names of the classes in both parts, as numpy sorts them; none for regression.
    pub fn classes(&self) -> Vec<String> {
        let target = |part: &RecordBatch| {
            let (field, array) = part.schema_ref().fields().last().zip(part.columns().last())?;
            Column::read(field.name(), array).ok()
        };
        let (Some(train), Some(holdout)) = (target(&self.train), target(&self.holdout)) else {
            return Vec::new();
        };
        if self.task == Task::Regression {
            return Vec::new();
        }
        let mut names: Vec<String> = [&train, &holdout]
            .into_iter()
            .flat_map(|column| (0..column.len()).map(|row| column.text(row)))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        if !matches!(train, Column::Text(_) | Column::Flag(_)) {
            let number = |name: &String| name.parse().unwrap_or(f64::NAN);
            names.sort_by(|a, b| number(a).total_cmp(&number(b)));
        }
        names
    }
}

/// Cuts a table in training rows and holdout.
pub fn split(table: &RecordBatch, config: &TrainConfig) -> Result<Split> {
    config.validate()?;
    let table = select_columns(table, config)?;
    if table.num_rows() == 0 {
        return Err(Error::EmptyTable);
    }
    let (table, without_target) = drop_rows_without_target(&table, config)?;
    let (table, incomplete) = treat_missing(&table, config)?;
    let target = read_target(&table, config)?;
    let task = target::resolve_task(config, &target)?;
    let values = target::read(&config.target, &target, task)?;
    let sizes = Sizes::of(table.num_rows(), config)?;
    let (train, holdout) = match &values {
        Target::Classes { classes, labels } if config.stratify.unwrap_or(true) => {
            stratified(labels, &classes.names(), sizes, config)?
        }
        _ => {
            let mut order = NumpyRandom::new(config.seed).permutation(table.num_rows());
            let train = order.split_off(sizes.holdout);
            (train, order)
        }
    };
    let rows = |indices: Vec<usize>| {
        take_record_batch(&table, &UInt64Array::from_iter_values(indices.iter().map(|&i| i as u64)))
    };
    Ok(Split { train: rows(train)?, holdout: rows(holdout)?, task, without_target, incomplete })
}

/// The feature columns in the table's order, then the target.
fn select_columns(table: &RecordBatch, config: &TrainConfig) -> Result<RecordBatch> {
    let schema = table.schema_ref();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    if let Some(name) = names.iter().enumerate().find_map(|(index, name)| {
        names.iter().skip(index + 1).any(|other| other == name).then_some(*name)
    }) {
        return Err(Error::DuplicateColumn { name: name.to_owned() });
    }
    let position = |name: &str, role| {
        names.iter().position(|other| *other == name).ok_or_else(|| Error::MissingColumn {
            name: name.to_owned(),
            role,
            nearest: nearest(name, names.iter().copied()),
            columns: names.iter().map(ToString::to_string).collect(),
        })
    };
    let target = position(&config.target, "target")?;
    let mut wanted = match &config.features {
        Some(features) => {
            features.iter().map(|name| position(name, "feature")).collect::<Result<Vec<usize>>>()?
        }
        None => (0..names.len()).collect(),
    };
    for name in &config.exclude {
        let excluded = position(name, "exclude")?;
        wanted.retain(|index| *index != excluded);
    }
    for name in &config.categorical {
        position(name, "categorical")?;
    }
    wanted.retain(|index| *index != target);
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Err(Error::NoFeatures { target: config.target.clone() });
    }
    wanted.push(target);
    Ok(table.project(&wanted)?)
}

fn read_target(table: &RecordBatch, config: &TrainConfig) -> Result<Column> {
    let array = table
        .columns()
        .last()
        .ok_or_else(|| Error::NoFeatures { target: config.target.clone() })?;
    Column::read(&config.target, array)
}

/// A row without a target teaches nothing: it is left out and counted, as every data team does by
/// hand.
fn drop_rows_without_target(
    table: &RecordBatch,
    config: &TrainConfig,
) -> Result<(RecordBatch, usize)> {
    let target = read_target(table, config)?;
    let keep: Vec<bool> = (0..target.len()).map(|row| !target.is_missing(row)).collect();
    if !keep.contains(&true) {
        return Err(Error::NoValues { column: config.target.clone(), rows: table.num_rows() });
    }
    filter_rows(table, keep)
}

fn treat_missing(table: &RecordBatch, config: &TrainConfig) -> Result<(RecordBatch, usize)> {
    let mut keep = vec![true; table.num_rows()];
    for (field, array) in table.schema_ref().fields().iter().zip(table.columns()) {
        let column = Column::read(field.name(), array)?;
        let missing: Vec<usize> = column.missing().collect();
        let Some(&first) = missing.first() else { continue };
        if missing.len() == column.len() {
            return Err(Error::NoValues { column: field.name().clone(), rows: column.len() });
        }
        if config.missing == MissingValues::Refuse {
            return Err(Error::MissingValues {
                column: field.name().clone(),
                row: first + 1,
                count: missing.len(),
            });
        }
        for row in missing {
            keep[row] = config.missing == MissingValues::Impute;
        }
    }
    let (table, dropped) = filter_rows(table, keep)?;
    if table.num_rows() == 0 { Err(Error::EmptyTable) } else { Ok((table, dropped)) }
}

fn filter_rows(table: &RecordBatch, keep: Vec<bool>) -> Result<(RecordBatch, usize)> {
    let dropped = keep.iter().filter(|keep| !**keep).count();
    if dropped == 0 {
        return Ok((table.clone(), 0));
    }
    Ok((filter_record_batch(table, &BooleanArray::from(keep))?, dropped))
}

#[derive(Clone, Copy)]
struct Sizes {
    train: usize,
    holdout: usize,
}

impl Sizes {
    fn of(rows: usize, config: &TrainConfig) -> Result<Self> {
        let holdout = (config.test_size * rows as f64).ceil() as usize;
        let sizes = Self { train: rows.saturating_sub(holdout), holdout };
        sizes.at_least(1, rows, config)?;
        Ok(sizes)
    }

    fn at_least(self, needed: usize, rows: usize, config: &TrainConfig) -> Result<()> {
        for (part, got) in [("training", self.train), ("the holdout", self.holdout)] {
            if got < needed {
                return Err(Error::TooFewRows {
                    rows,
                    test_size: config.test_size,
                    part,
                    got,
                    needed,
                });
            }
        }
        Ok(())
    }
}

/// scikit-learn's `StratifiedShuffleSplit` with one split.
fn stratified(
    labels: &[u32],
    names: &[String],
    sizes: Sizes,
    config: &TrainConfig,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let mut members = vec![Vec::new(); names.len()];
    for (row, &label) in labels.iter().enumerate() {
        members[label as usize].push(row);
    }
    // A class that a boolean target could have but does not is no class here.
    let (members, names): (Vec<Vec<usize>>, Vec<&String>) =
        members.into_iter().zip(names).filter(|(rows, _)| !rows.is_empty()).unzip();
    if let Some((rows, class)) = members.iter().zip(&names).find(|(rows, _)| rows.len() < 2) {
        return Err(Error::TooFewOfClass {
            class: (*class).clone(),
            target: config.target.clone(),
            count: rows.len(),
        });
    }
    sizes.at_least(members.len(), labels.len(), config)?;

    let mut random = NumpyRandom::new(config.seed);
    let counts: Vec<usize> = members.iter().map(Vec::len).collect();
    let train_counts = approximate_mode(&counts, sizes.train, &mut random);
    let remaining: Vec<usize> = counts.iter().zip(&train_counts).map(|(all, n)| all - n).collect();
    let holdout_counts = approximate_mode(&remaining, sizes.holdout, &mut random);

    let (mut train, mut holdout) = (Vec::new(), Vec::new());
    for (class, rows) in members.iter().enumerate() {
        let order = random.permutation(rows.len());
        let (first, rest) = order.split_at(train_counts[class]);
        train.extend(first.iter().map(|&index| rows[index]));
        holdout.extend(rest.iter().take(holdout_counts[class]).map(|&index| rows[index]));
    }
    random.shuffle(&mut train);
    random.shuffle(&mut holdout);
    Ok((train, holdout))
}

/// How many of `draws` each class gets: its share rounded down, what is left by largest remainder,
/// ties drawn at random (`sklearn.utils.extmath._approximate_mode`).
fn approximate_mode(counts: &[usize], draws: usize, random: &mut NumpyRandom) -> Vec<usize> {
    let total: usize = counts.iter().sum();
    let exact: Vec<f64> =
        counts.iter().map(|&count| count as f64 / total as f64 * draws as f64).collect();
    let mut given: Vec<usize> = exact.iter().map(|exact| exact.floor() as usize).collect();
    let mut left = draws.saturating_sub(given.iter().sum());
    let remainders: Vec<f64> = exact.iter().map(|exact| exact - exact.floor()).collect();
    let mut levels = remainders.clone();
    levels.sort_by(|a, b| b.total_cmp(a));
    levels.dedup();
    for level in levels {
        if left == 0 {
            break;
        }
        let tied: Vec<usize> =
            (0..counts.len()).filter(|&class| remainders[class] == level).collect();
        let now = tied.len().min(left);
        for index in random.permutation(tied.len()).into_iter().take(now) {
            given[tied[index]] += 1;
        }
        left -= now;
    }
    given
}
