//! Training rows and holdout: the same rows for the same table and settings, always.
//!
//! By rules that look at one row at a time (`holdout/`) a row that was held out once stays held out as the
//! table grows. [`Holdout::Random`] is the split that scikit-learn's `train_test_split(test_size,
//! random_state=seed, stratify=…)` makes, to the row, so that a project can be compared with a notebook.

use arrow_array::{BooleanArray, RecordBatch, UInt64Array};
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use trainyard_data::ReadOptions;

use crate::column::Column;
use crate::columns::{named, select};
use crate::config::{MissingValues, Task, TrainConfig};
use crate::holdout::{self, Assigned, Holdout, Rule};
use crate::random_split::{Sizes, at_random};
use crate::target::{self, Target};
use crate::{Error, Result, dataset};

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
    /// Rows left out because they are in the holdout's own file too.
    pub in_holdout_file: usize,
    /// The rule, for the run.
    pub rule: Rule,
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
///
/// # Errors
///
/// By a rule for single rows, a class may have no row in one of the parts: then nothing can be learnt of it, or
/// nothing said, and [`Error::ClassOnOneSide`] names it.
pub fn split(table: &RecordBatch, config: &TrainConfig) -> Result<Split> {
    let cut = Cut::new(table, config)?;
    refuse_empty_columns(&cut.learnt.table)?;
    if let Target::Classes { classes, labels } = &cut.target
        && cut.file.is_none()
        && config.holdout != Holdout::Random
    {
        let sides = [("training", &cut.train), ("the holdout", &cut.holdout)];
        both_have_all(&classes.names(), labels, sides, config)?;
    }
    let train = rows(&cut.learnt.table, &cut.train)?;
    let holdout = match &cut.file {
        Some(file) => file.learnt.table.clone(),
        None => rows(&cut.learnt.table, &cut.holdout)?,
    };
    let in_holdout_file = cut.file.as_ref().map_or(0, |_| cut.holdout.len());
    Ok(Split {
        train,
        holdout,
        task: cut.task,
        without_target: cut.learnt.without_target,
        incomplete: cut.learnt.incomplete,
        in_holdout_file,
        rule: cut.rule,
    })
}

/// On which side each row of a table is: for whoever adds rows or hands the training part on.
///
/// The answer has all rows of the table, also those that [`split`] leaves out for want of values.
pub fn assign(table: &RecordBatch, config: &TrainConfig) -> Result<Assigned> {
    let file = read_file(config)?;
    if let Some(assigned) = holdout::assign(table, config, file.as_ref())? {
        return Ok(assigned);
    }
    let cut = Cut::new(table, config)?;
    let mut held_out = vec![false; table.num_rows()];
    for &index in &cut.holdout {
        held_out[cut.learnt.rows[index]] = true;
    }
    Ok(Assigned { rule: cut.rule, held_out })
}

/// A table, cut: positions of rows on both sides.
pub(crate) struct Cut {
    /// What is learnt from.
    pub(crate) learnt: Learnt,
    /// Positions in [`Self::learnt`] of the training rows.
    pub(crate) train: Vec<usize>,
    /// Positions in [`Self::learnt`] of the holdout; with a file, of rows that are in it too.
    pub(crate) holdout: Vec<usize>,
    /// The holdout's own file, if it has one.
    pub(crate) file: Option<HoldoutFile>,
    pub(crate) task: Task,
    pub(crate) target: Target,
    pub(crate) rule: Rule,
}

/// A file with the holdout.
pub(crate) struct HoldoutFile {
    /// All its columns.
    pub(crate) table: RecordBatch,
    pub(crate) learnt: Learnt,
}

impl Cut {
    pub(crate) fn new(table: &RecordBatch, config: &TrainConfig) -> Result<Self> {
        config.validate()?;
        let learnt = Learnt::new(select(table, config)?, config)?;
        let target = read_target(&learnt.table, config)?;
        let task = target::resolve_task(config, &target)?;
        let target = target::read(&config.target, &target, task)?;
        let file = read_file(config)?;
        let Some(assigned) = holdout::assign(table, config, file.as_ref())? else {
            let (train, holdout) = at_random(&target, learnt.rows.len(), config)?;
            let rule = Rule::Random {
                share: config.test_size,
                seed: config.seed,
                stratify: task == Task::Classification && config.is_stratified(),
                digest: dataset::digest(&learnt.table)?,
            };
            return Ok(Self { learnt, train, holdout, file: None, task, target, rule });
        };
        let (holdout, train): (Vec<usize>, Vec<usize>) =
            (0..learnt.rows.len()).partition(|&index| assigned.held_out[learnt.rows[index]]);
        let file = match file {
            None => None,
            Some(table) => {
                let schema = learnt.table.schema();
                let names: Vec<String> =
                    schema.fields().iter().map(|field| field.name().clone()).collect();
                let columns = named(&table, &names, "column of the holdout's file")?;
                Some(HoldoutFile { table, learnt: Learnt::new(columns, config)? })
            }
        };
        let held_out = file.as_ref().map_or(holdout.len(), |file| file.learnt.rows.len());
        let sizes = Sizes { train: train.len(), holdout: held_out };
        sizes.at_least(1, learnt.rows.len(), config)?;
        Ok(Self { learnt, train, holdout, file, task, target, rule: assigned.rule })
    }
}

/// The columns that are learnt from, in the rows that can be.
pub(crate) struct Learnt {
    pub(crate) table: RecordBatch,
    /// Where each row was before any was left out.
    pub(crate) rows: Vec<usize>,
    without_target: usize,
    incomplete: usize,
}

impl Learnt {
    fn new(table: RecordBatch, config: &TrainConfig) -> Result<Self> {
        if table.num_rows() == 0 {
            return Err(Error::EmptyTable);
        }
        let mut learnt =
            Self { rows: (0..table.num_rows()).collect(), table, without_target: 0, incomplete: 0 };
        learnt.without_target = learnt.keep(&with_target(&learnt.table, config)?)?;
        learnt.incomplete = learnt.keep(&complete(&learnt.table, config)?)?;
        if learnt.rows.is_empty() { Err(Error::EmptyTable) } else { Ok(learnt) }
    }

    /// Leaves the other rows out, and says how many.
    fn keep(&mut self, keep: &[bool]) -> Result<usize> {
        let dropped = keep.iter().filter(|keep| !**keep).count();
        if dropped > 0 {
            self.table = filter_record_batch(&self.table, &BooleanArray::from(keep.to_vec()))?;
            let mut kept = keep.iter();
            self.rows.retain(|_| kept.next() == Some(&true));
        }
        Ok(dropped)
    }
}

/// The rows at these positions.
pub(crate) fn rows(table: &RecordBatch, positions: &[usize]) -> Result<RecordBatch> {
    let positions = UInt64Array::from_iter_values(positions.iter().map(|&row| row as u64));
    Ok(take_record_batch(table, &positions)?)
}

fn read_file(config: &TrainConfig) -> Result<Option<RecordBatch>> {
    match &config.holdout {
        Holdout::File { file } => Ok(Some(trainyard_data::read(file, &ReadOptions::default())?)),
        _ => Ok(None),
    }
}

/// Nothing can be learnt of a column without values, nor its gaps be filled.
fn refuse_empty_columns(table: &RecordBatch) -> Result<()> {
    for (field, array) in table.schema_ref().fields().iter().zip(table.columns()) {
        let column = Column::read(field.name(), array)?;
        if column.missing().count() == column.len() {
            return Err(Error::NoValues { column: field.name().clone(), rows: column.len() });
        }
    }
    Ok(())
}

/// A class without training rows cannot be learnt, one without held-out rows cannot be judged.
fn both_have_all(
    names: &[String],
    labels: &[u32],
    sides: [(&'static str, &Vec<usize>); 2],
    config: &TrainConfig,
) -> Result<()> {
    let count = |rows: &mut dyn Iterator<Item = usize>| {
        let mut counts = vec![0; names.len()];
        rows.for_each(|row| counts[labels[row] as usize] += 1);
        counts
    };
    let all: Vec<usize> = count(&mut (0..labels.len()));
    for (part, rows) in sides {
        let here = count(&mut rows.iter().copied());
        // A class that a boolean target could have but does not is no class here.
        let lacking = (0..names.len()).find(|&class| here[class] == 0 && all[class] > 0);
        if let Some(class) = lacking {
            return Err(Error::ClassOnOneSide {
                target: config.target.clone(),
                class: names[class].clone(),
                part,
                count: all[class],
            });
        }
    }
    Ok(())
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
fn with_target(table: &RecordBatch, config: &TrainConfig) -> Result<Vec<bool>> {
    let target = read_target(table, config)?;
    let keep: Vec<bool> = (0..target.len()).map(|row| !target.is_missing(row)).collect();
    if !keep.contains(&true) {
        return Err(Error::NoValues { column: config.target.clone(), rows: table.num_rows() });
    }
    Ok(keep)
}

fn complete(table: &RecordBatch, config: &TrainConfig) -> Result<Vec<bool>> {
    let mut keep = vec![true; table.num_rows()];
    for (field, array) in table.schema_ref().fields().iter().zip(table.columns()) {
        let column = Column::read_as_written(field.name(), array)?;
        let missing: Vec<usize> = column.missing().collect();
        let Some(&first) = missing.first() else { continue };
        if missing.len() == column.len() && config.missing != MissingValues::Impute {
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
    Ok(keep)
}
