//! The column to predict: classes in a fixed order, or quantities.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, StringArray};

use crate::algorithm::Algorithm;
use crate::column::Column;
use crate::config::{AUTO_CLASSES_MAX, Task, TrainConfig};
use crate::{Error, Result};

/// Most classes of a target. More are an identifier or a quantity.
const CLASSES_MAX: usize = 1_000;

/// The classes of a target, sorted as numpy sorts them; a label is an index into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Classes {
    /// Text, by code points.
    Text(Vec<String>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// False, true.
    Flag,
}

impl Classes {
    /// Number of classes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(classes) => classes.len(),
            Self::Whole(classes) => classes.len(),
            Self::Flag => 2,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their names, in order.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Text(classes) => classes.clone(),
            Self::Whole(classes) => classes.iter().map(ToString::to_string).collect(),
            Self::Flag => vec!["false".to_owned(), "true".to_owned()],
        }
    }

    /// Labels as a column of the target's own type.
    pub fn column(&self, labels: &[u32]) -> ArrayRef {
        match self {
            Self::Text(classes) => {
                let texts = labels.iter().map(|&label| classes.get(label as usize));
                Arc::new(texts.collect::<StringArray>())
            }
            Self::Whole(classes) => {
                let numbers = labels.iter().map(|&label| classes.get(label as usize).copied());
                Arc::new(numbers.collect::<Int64Array>())
            }
            Self::Flag => {
                Arc::new(labels.iter().map(|&label| Some(label == 1)).collect::<BooleanArray>())
            }
        }
    }
}

/// The values of a target.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// One label a row.
    Classes { classes: Classes, labels: Vec<u32> },
    /// One number a row.
    Quantities(Vec<f64>),
}

/// What [`Task::Auto`] means for this column and algorithm; a wrong combination is refused.
pub(crate) fn resolve_task(config: &TrainConfig, column: &Column) -> Result<Task> {
    let task = match (config.task, config.algorithm) {
        (Task::Auto, Algorithm::LogisticRegression) => Task::Classification,
        (Task::Auto, Algorithm::LinearRegression) => Task::Regression,
        (Task::Auto, Algorithm::RandomForest) => {
            if looks_like_classes(column) {
                Task::Classification
            } else {
                Task::Regression
            }
        }
        (task, _) => task,
    };
    match (task, config.algorithm) {
        (Task::Regression, Algorithm::LogisticRegression) => {
            Err(Error::WrongTask { algorithm: config.algorithm, task: "regression" })
        }
        (Task::Classification, Algorithm::LinearRegression) => {
            Err(Error::WrongTask { algorithm: config.algorithm, task: "classification" })
        }
        (task, _) => Ok(task),
    }
}

fn looks_like_classes(column: &Column) -> bool {
    match column {
        Column::Text(_) | Column::Flag(_) | Column::Nothing(_) => true,
        // A column of whole numbers with missing values arrives as floats.
        Column::Whole(_) | Column::Number(_) => {
            let mut values = BTreeSet::new();
            (0..column.len()).filter_map(|row| column.number(row)).all(|value| {
                values.insert(value.to_bits());
                value.fract() == 0.0 && values.len() <= AUTO_CLASSES_MAX
            })
        }
    }
}

/// Reads a target without missing values.
pub(crate) fn read(name: &str, column: &Column, task: Task) -> Result<Target> {
    if task == Task::Regression {
        return quantities(name, column);
    }
    let target = match column {
        Column::Text(_) => {
            let values: Vec<String> = (0..column.len()).map(|row| column.text(row)).collect();
            let (classes, labels) = index(name, &values)?;
            Target::Classes { classes: Classes::Text(classes), labels }
        }
        Column::Flag(values) => Target::Classes {
            classes: Classes::Flag,
            labels: values.iter().map(|value| u32::from(value == Some(true))).collect(),
        },
        Column::Whole(values) => {
            let (classes, labels) = index(name, values.values())?;
            Target::Classes { classes: Classes::Whole(classes), labels }
        }
        Column::Number(values) => {
            let whole = values.values().iter().enumerate().map(|(row, &value)| {
                // Above 2^53 not every whole number is a double, so it cannot name a class.
                if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
                    Ok(value as i64)
                } else {
                    Err(Error::FractionalClass { target: name.to_owned(), row: row + 1, value })
                }
            });
            let (classes, labels) = index(name, &whole.collect::<Result<Vec<i64>>>()?)?;
            Target::Classes { classes: Classes::Whole(classes), labels }
        }
        Column::Nothing(rows) => {
            return Err(Error::NoValues { column: name.to_owned(), rows: *rows });
        }
    };
    if let Target::Classes { classes, labels } = &target {
        let first = labels.first().copied().unwrap_or_default();
        if labels.iter().all(|&label| label == first) {
            let class = classes.names().into_iter().nth(first as usize).unwrap_or_default();
            return Err(Error::OneClass { target: name.to_owned(), class });
        }
    }
    Ok(target)
}

fn quantities(name: &str, column: &Column) -> Result<Target> {
    let number = |row: usize| match column.number(row) {
        Some(value) if value.is_finite() => Ok(value),
        Some(value) => Err(Error::OutOfRange { column: name.to_owned(), row: row + 1, value }),
        None => Err(Error::NotANumber {
            column: name.to_owned(),
            row: row + 1,
            value: column.text(row),
        }),
    };
    (0..column.len()).map(number).collect::<Result<_>>().map(Target::Quantities)
}

/// The sorted different values, and where in them each value is.
fn index<T: Ord + Clone>(name: &str, values: &[T]) -> Result<(Vec<T>, Vec<u32>)> {
    let classes: Vec<T> = values.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
    if classes.len() > CLASSES_MAX {
        return Err(Error::TooManyClasses {
            target: name.to_owned(),
            count: classes.len(),
            limit: CLASSES_MAX,
        });
    }
    let label = |value| classes.binary_search(value).map_or(0, |label| label as u32);
    let labels = values.iter().map(label).collect();
    Ok((classes, labels))
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array as _, Float64Array};

    use super::*;

    fn numbers(values: Vec<f64>) -> Column {
        Column::Number(Float64Array::from(values))
    }

    #[test]
    fn automatic_task_looks_at_the_values() {
        let resolve = |column: &Column| resolve_task(&TrainConfig::default(), column).unwrap();
        assert_eq!(resolve(&numbers(vec![0.0, 1.0, 1.0])), Task::Classification);
        assert_eq!(resolve(&numbers(vec![0.0, 1.5])), Task::Regression);
        assert_eq!(resolve(&numbers((0..50).map(f64::from).collect())), Task::Regression);
        assert_eq!(resolve(&Column::Text(StringArray::from(vec!["a"]))), Task::Classification);
    }

    #[test]
    fn classes_are_sorted_and_labels_point_at_them() {
        let column = Column::Text(StringArray::from(vec!["b", "a", "b"]));
        let Target::Classes { classes, labels } = read("t", &column, Task::Classification).unwrap()
        else {
            panic!("not classes");
        };
        assert_eq!(classes.names(), ["a", "b"]);
        assert_eq!(labels, [1, 0, 1]);
        assert_eq!(classes.column(&labels).len(), 3);
    }

    #[test]
    fn unusable_targets_say_why() {
        let error = |column: &Column, task| read("t", column, task).unwrap_err().to_string();
        let same = Column::Text(StringArray::from(vec!["a", "a"]));
        assert_eq!(error(&same, Task::Classification), "target \"t\" has only one class, \"a\"");
        assert_eq!(
            error(&numbers(vec![1.0, 2.5]), Task::Classification),
            "target \"t\", row 2: 2.5 cannot be a class"
        );
        let text = Column::Text(StringArray::from(vec!["1", "cheap"]));
        assert_eq!(error(&text, Task::Regression), "column \"t\", row 1: \"1\" is not a number");
        assert!(error(&numbers(vec![f64::INFINITY]), Task::Regression).contains("out of range"));
    }
}
