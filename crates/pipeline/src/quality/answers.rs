//! What a model answered to some rows of a table, in the form that metrics and estimates take.

use std::collections::BTreeSet;

use arrow_array::ArrayRef;
use trainyard_base::words::log_columns::{PREDICTION, PROBABILITY};
use trainyard_data::Columns;
use trainyard_quality::metrics::{Judged, Probabilities};

use super::columns::{gather, lacks, numbers, texts, wanted};
use super::options::{QualityOptions, Task};
use super::spelling::Spelling;
use crate::{Error, Result};

/// From more different whole numbers on they are quantities, unless something else is said.
const CLASSES_MAX: usize = 20;
/// Different labels at most: how often which is taken for which has as many cells as their square, for each of
/// thousands of draws. Whoever may send feedback may send labels without end.
const LABELS_MAX: usize = 1000;
/// Rows that tell whether labels or quantities are predicted.
const TELLING_ROWS: usize = 10_000;

/// Of so many labels one may be of a class that a model of two does not know, and is left out then: it is a mistake of
/// whoever sent it, weighs less than any margin, and probabilities of two classes say nothing of a third.
const STRAY_OF: usize = 200;

/// How far a probability may be beyond 0 or 1: sums in single precision are, and mean the same.
const HAIR: f64 = 1e-6;

/// Which columns of a table hold what.
#[derive(Debug, Clone)]
pub(super) struct Roles {
    pub(super) task: Task,
    pub(super) prediction: String,
    /// Of what was predicted.
    pub(super) probability: Option<String>,
    /// Class and column.
    pub(super) class_probabilities: Vec<(String, String)>,
    pub(super) positive: Option<String>,
    /// Classes that are known whether rows have them or not: those of the reference.
    pub(super) classes: Vec<String>,
}

/// Answers to rows, and where what was true is known, that.
#[derive(Debug)]
pub(super) enum Answers {
    Classes {
        truth: Vec<String>,
        predicted: Vec<String>,
        probabilities: Option<Probabilities>,
        positive: Option<String>,
    },
    Quantities {
        truth: Vec<f64>,
        predicted: Vec<f64>,
    },
}

impl Roles {
    /// What the options say, and else the columns.
    pub(super) fn of(columns: &Columns, source: &str, options: &QualityOptions) -> Result<Self> {
        let has = |name: &str| columns.names().iter().any(|column| column == name);
        // Where an input has the usual name, a log has another.
        let usual = |name: &str| {
            let moved = format!("trainyard.{name}");
            if has(&moved) { Some(moved) } else { has(name).then(|| name.to_owned()) }
        };
        let prediction = match &options.prediction {
            Some(name) => name.clone(),
            None => usual(PREDICTION).ok_or_else(|| {
                lacks(columns, source, PREDICTION)
                    .hinting("--prediction names the column of what was predicted")
            })?,
        };
        let probability = match &options.probability {
            Some(name) => Some(name.clone()),
            None if options.class_probabilities.is_empty() => usual(PROBABILITY),
            None => None,
        };
        let has_probabilities = probability.is_some() || !options.class_probabilities.is_empty();
        let step = columns.rows().div_ceil(TELLING_ROWS).max(1);
        let rows: Vec<u32> = (0..columns.rows() as u32).step_by(step).collect();
        let task = match options.task {
            Some(task) => task,
            None if has_probabilities => Task::Classification,
            None => task_of(&wanted(columns, source, &prediction, &rows)?)?,
        };
        Ok(Self {
            task,
            prediction,
            probability,
            class_probabilities: options.class_probabilities.clone(),
            positive: options.positive.clone(),
            classes: Vec::new(),
        })
    }

    /// With classes as the model spells them.
    fn spelled(&self, spelling: &mut Spelling) -> Self {
        let mut roles = self.clone();
        let classes = roles.class_probabilities.iter_mut().map(|(class, _)| class);
        let given = roles.positive.iter_mut().chain(classes).chain(&mut roles.classes);
        given.for_each(|class| spelling.learn(class));
        roles
    }

    /// Names of all columns that it looks at.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let of_classes = self.class_probabilities.iter().map(|(_, column)| column.as_str());
        self.probability.as_deref().into_iter().chain([self.prediction.as_str()]).chain(of_classes)
    }
}

/// Whether these are labels or quantities.
fn task_of(values: &ArrayRef) -> Result<Task> {
    if !values.data_type().is_numeric() {
        return Ok(Task::Classification);
    }
    let numbers: Vec<f64> = numbers(values)?.into_iter().filter(|value| !value.is_nan()).collect();
    let is_whole = numbers.iter().all(|value| value.fract() == 0.0);
    let different: BTreeSet<u64> = numbers.iter().map(|value| value.to_bits()).collect();
    let is_label = is_whole && different.len() <= CLASSES_MAX;
    Ok(if is_label { Task::Classification } else { Task::Regression })
}

impl Answers {
    /// Reads the answers to these rows. `truth` are texts of what was true, one a row; without them it is unknown.
    /// Also returns which of the rows count: those where nothing is missing.
    pub(super) fn read(
        columns: &Columns,
        source: &str,
        roles: &Roles,
        positions: &[u32],
        truth: Option<Vec<String>>,
    ) -> Result<(Self, Vec<usize>)> {
        let said = wanted(columns, source, &roles.prediction, positions)?;
        match roles.task {
            Task::Regression => quantities(&said, truth.as_deref()),
            Task::Classification => {
                let said = texts(&said)?;
                let mut spelling = Spelling::of(said.iter().flatten());
                let roles = roles.spelled(&mut spelling);
                let mut truth = truth;
                spelling.put(truth.as_deref_mut().unwrap_or_default());
                let known = probability_columns(columns, source, &roles, positions)?;
                classes(said, truth, &known, &roles)
            }
        }
    }

    /// As metrics take it.
    pub(super) fn judged(&self) -> Judged<'_> {
        match self {
            Self::Classes { truth, predicted, probabilities, positive } => Judged::Classes {
                truth,
                predicted,
                probabilities: probabilities.as_ref(),
                positive: positive.as_deref(),
            },
            Self::Quantities { truth, predicted } => Judged::Quantities { truth, predicted },
        }
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Classes { predicted, .. } => predicted.len(),
            Self::Quantities { predicted, .. } => predicted.len(),
        }
    }

    /// Some of the rows.
    pub(super) fn part(&self, rows: &[usize]) -> Self {
        match self {
            Self::Classes { truth, predicted, probabilities, positive } => {
                let of = |all: &[String]| -> Vec<String> {
                    rows.iter().filter_map(|row| all.get(*row)).cloned().collect()
                };
                let thin = |all: &Probabilities| {
                    let width = all.classes.len();
                    let values = rows.iter().flat_map(|row| &all.values[row * width..][..width]);
                    Probabilities { values: values.copied().collect(), ..all.clone() }
                };
                Self::Classes {
                    truth: of(truth),
                    predicted: of(predicted),
                    probabilities: probabilities.as_ref().map(thin),
                    positive: positive.clone(),
                }
            }
            Self::Quantities { truth, predicted } => {
                let of = |all: &[f64]| -> Vec<f64> {
                    rows.iter().filter_map(|row| all.get(*row)).copied().collect()
                };
                Self::Quantities { truth: of(truth), predicted: of(predicted) }
            }
        }
    }

    /// What was lost on each row: 1 for a wrong label, else the absolute error.
    pub(super) fn losses(&self) -> Vec<f64> {
        match self {
            Self::Classes { truth, predicted, .. } => {
                let wrong = |(truth, said): (&String, &String)| f64::from(u8::from(truth != said));
                truth.iter().zip(predicted).map(wrong).collect()
            }
            Self::Quantities { truth, predicted } => {
                truth.iter().zip(predicted).map(|(truth, said)| (truth - said).abs()).collect()
            }
        }
    }
}

fn quantities(said: &ArrayRef, truth: Option<&[String]>) -> Result<(Answers, Vec<usize>)> {
    let said = numbers(said)?;
    let number = |text: &String| text.trim().parse().unwrap_or(f64::NAN);
    let truth: Option<Vec<f64>> = truth.map(|truth| truth.iter().map(number).collect());
    let is_known = |row: &usize| {
        said[*row].is_finite() && truth.as_ref().is_none_or(|truth| truth[*row].is_finite())
    };
    let rows: Vec<usize> = (0..said.len()).filter(is_known).collect();
    let of = |all: &[f64]| rows.iter().map(|row| all[*row]).collect::<Vec<f64>>();
    let truth = truth.as_deref().map(of).unwrap_or_default();
    Ok((Answers::Quantities { truth, predicted: of(&said) }, rows))
}

/// Columns of probabilities.
enum Known {
    Nothing,
    /// Of what was predicted.
    OfSaid(Vec<f64>),
    /// Of classes.
    OfClasses(Vec<(String, Vec<f64>)>),
}

fn probability_columns(
    columns: &Columns,
    source: &str,
    roles: &Roles,
    positions: &[u32],
) -> Result<Known> {
    if !roles.class_probabilities.is_empty() {
        let mut all = Vec::new();
        for (class, column) in &roles.class_probabilities {
            let values = within(numbers(&wanted(columns, source, column, positions)?)?);
            all.push((class.clone(), values));
        }
        return Ok(Known::OfClasses(all));
    }
    let Some(name) = &roles.probability else { return Ok(Known::Nothing) };
    // A log of several versions may have it for some.
    let Some(values) = gather(columns, name, positions)? else { return Ok(Known::Nothing) };
    let values = within(numbers(&values)?);
    let is_of_all = values.iter().any(|value| !value.is_nan());
    Ok(if is_of_all { Known::OfSaid(values) } else { Known::Nothing })
}

/// Probabilities, those that are a hair beyond 0 or 1 put back.
fn within(values: Vec<f64>) -> Vec<f64> {
    let put_back = |value: f64| {
        let is_near = (-HAIR..=1.0 + HAIR).contains(&value);
        if is_near { value.clamp(0.0, 1.0) } else { value }
    };
    values.into_iter().map(put_back).collect()
}

/// Rows with labels as probabilities know them. Of two classes one probability says the other.
fn classes(
    said: Vec<Option<String>>,
    truth: Option<Vec<String>>,
    known: &Known,
    roles: &Roles,
) -> Result<(Answers, Vec<usize>)> {
    let is_number = |row: usize| match known {
        Known::Nothing => true,
        Known::OfSaid(values) => !values[row].is_nan(),
        Known::OfClasses(all) => all.iter().all(|(_, values)| !values[row].is_nan()),
    };
    let two = match known {
        Known::Nothing => None,
        Known::OfSaid(_) | Known::OfClasses(_) => two_classes(&said, roles),
    };
    let is_stray =
        |label: &String| !label.is_empty() && two.as_ref().is_some_and(|two| !two.contains(label));
    let strays = truth.iter().flatten().filter(|label| is_stray(label)).count();
    let are_few = strays <= (said.len() / STRAY_OF).max(1);
    if strays > 0 && are_few {
        tracing::warn!(
            labels = strays,
            "left out: they are of classes that the model does not know"
        );
    }
    let is_label = |label: &String| !(label.is_empty() || are_few && is_stray(label));
    let is_known = |row: usize| {
        said[row].is_some()
            && truth.as_ref().is_none_or(|truth| is_label(&truth[row]))
            && is_number(row)
    };
    let kept: Vec<bool> = (0..said.len()).map(is_known).collect();
    let rows: Vec<usize> = (0..said.len()).filter(|row| kept[*row]).collect();
    let of_kept = said.into_iter().zip(&kept).filter(|(_, is_kept)| **is_kept);
    let predicted: Vec<String> = of_kept.filter_map(|(said, _)| said).collect();
    let of_kept = truth.unwrap_or_default().into_iter().zip(&kept);
    let truth: Vec<String> =
        of_kept.filter(|(_, is_kept)| **is_kept).map(|(truth, _)| truth).collect();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for label in predicted.iter().chain(&truth) {
        // Few of millions are new.
        if !names.contains(label) {
            if names.len() == LABELS_MAX {
                return Err(Error::Missing {
                    what: format!("more than {LABELS_MAX} different labels"),
                    hint: "say --task regression if these are quantities, else leave out what is no label"
                        .to_owned(),
                });
            }
            names.insert(label.clone());
        }
    }
    names.extend(roles.class_probabilities.iter().map(|(class, _)| class.clone()));
    names.extend(roles.positive.clone());
    names.extend(roles.classes.iter().cloned());
    let names: Vec<String> = names.into_iter().collect();
    let probabilities = probabilities(&names, &predicted, known, &rows);
    let second = (names.len() == 2).then(|| names[1].clone());
    let positive = roles.positive.clone().or(second);
    Ok((Answers::Classes { truth, predicted, probabilities, positive }, rows))
}

/// The classes that a model knows, by what it said and what is known of it, if they are two.
fn two_classes(said: &[Option<String>], roles: &Roles) -> Option<BTreeSet<String>> {
    let given = roles.class_probabilities.iter().map(|(class, _)| class);
    let given = given.chain(&roles.positive).chain(&roles.classes);
    let mut classes = BTreeSet::new();
    for class in given.chain(said.iter().flatten()) {
        // Few of millions are new.
        if !classes.contains(class) {
            if classes.len() == 2 {
                return None;
            }
            classes.insert(class.clone());
        }
    }
    (classes.len() == 2).then_some(classes)
}

fn probabilities(
    names: &[String],
    predicted: &[String],
    known: &Known,
    rows: &[usize],
) -> Option<Probabilities> {
    let epsilon = f64::EPSILON;
    match known {
        Known::Nothing => None,
        Known::OfSaid(_) if names.len() != 2 => None,
        Known::OfSaid(values) => {
            let row = |(said, row): (&String, &usize)| {
                let of_said = values[*row];
                if *said == names[0] { [of_said, 1.0 - of_said] } else { [1.0 - of_said, of_said] }
            };
            let values = predicted.iter().zip(rows).flat_map(row).collect();
            Some(Probabilities { classes: names.to_vec(), values, epsilon })
        }
        Known::OfClasses(all) if all.len() == 1 && names.len() == 2 => {
            let (class, values) = all.first()?;
            let row = |row: &usize| {
                let of_class = values[*row];
                if *class == names[0] {
                    [of_class, 1.0 - of_class]
                } else {
                    [1.0 - of_class, of_class]
                }
            };
            let values = rows.iter().flat_map(row).collect();
            Some(Probabilities { classes: names.to_vec(), values, epsilon })
        }
        Known::OfClasses(all) => {
            let mut all: Vec<&(String, Vec<f64>)> = all.iter().collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            let row =
                |row: &usize| all.iter().map(|(_, values)| values[*row]).collect::<Vec<f64>>();
            let values = rows.iter().flat_map(row).collect();
            let classes = all.iter().map(|(class, _)| class.clone()).collect();
            Some(Probabilities { classes, values, epsilon })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_of_a_third_class_takes_no_probabilities_away() {
        let roles = Roles {
            task: Task::Classification,
            prediction: PREDICTION.to_owned(),
            probability: Some(PROBABILITY.to_owned()),
            class_probabilities: Vec::new(),
            positive: None,
            classes: Vec::new(),
        };
        let label = |row: usize| ["no", "yes"][row % 2].to_owned();
        let of = |strays: usize| {
            let said = (0..400).map(|row| Some(label(row))).collect();
            let is_stray = |row: usize| row < strays;
            let truth = |row| if is_stray(row) { "maybe".to_owned() } else { label(row) };
            let known = Known::OfSaid(vec![0.9; 400]);
            let (answers, rows) =
                classes(said, Some((0..400).map(truth).collect()), &known, &roles).unwrap();
            let Answers::Classes { probabilities, positive, .. } = answers else { unreachable!() };
            (rows.len(), probabilities.is_some(), positive)
        };
        let yes = Some("yes".to_owned());
        assert_eq!(of(0), (400, true, yes.clone()));
        assert_eq!(of(1), (399, true, yes.clone()));
        assert_eq!(of(2), (398, true, yes));
        // So many are a class, and count as wrong.
        assert_eq!(of(3), (400, false, None));
    }

    #[test]
    fn a_probability_a_hair_beyond_is_one_and_a_score_is_not() {
        let single = f64::from(1.000_000_1_f32);
        assert_eq!(within(vec![single, -1e-9, 0.5, 1.01, -2.0]), [1.0, 0.0, 0.5, 1.01, -2.0]);
        assert!(within(vec![f64::NAN])[0].is_nan());
    }

    #[test]
    fn labels_without_end_are_refused() {
        let roles = Roles {
            task: Task::Classification,
            prediction: PREDICTION.to_owned(),
            probability: None,
            class_probabilities: Vec::new(),
            positive: None,
            classes: Vec::new(),
        };
        let of = |labels: usize| {
            let said = (0..labels).map(|label| Some(label.to_string())).collect();
            classes(said, None, &Known::Nothing, &roles).map(|(answers, _)| answers.len())
        };
        assert_eq!(of(LABELS_MAX).unwrap(), LABELS_MAX);
        let error = of(LABELS_MAX + 1).unwrap_err().to_string();
        assert!(error.contains("more than 1000 different labels"), "{error}");
    }
}
